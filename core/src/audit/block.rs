//! Events sealed together.

use super::Event;
use super::event::{Line, beside_hash};
use super::tree::{Hash, leaf_hash};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random};
use crate::keys::KeyRing;
use crate::vault::{self, Context, RowKind};
use std::ops::Range;
use zeroize::Zeroizing;

/// `count of runs 2 || { events 2, blinding 32 }* || { length of event 4, length beside 2, event, beside }*`, in clear, in
/// memory. A run is what was appended at once; small blocks are joined and keep the blinding of each run.
pub(super) struct Block {
    first: u64,
    runs: Vec<(u16, [u8; BLINDING])>,
    /// From the first event's lengths on.
    lines: Zeroizing<Vec<u8>>,
    /// Where each event and what is beside it lies.
    places: Vec<Place>,
}

#[derive(Clone)]
struct Place {
    event: Range<usize>,
    beside: usize,
}

const BLINDING: usize = 32;
const LENGTHS: usize = 6;

/// The two blinds of an event: the halves of `SHA-256(blinding 32 || number 8)`. The first goes into its leaf, the second into
/// the hash of what lies beside it. To prove one event to somebody, show them its first, not the run's blinding.
fn blinds(blinding: &[u8; BLINDING], number: u64) -> ([u8; 16], [u8; 16]) {
    let both = Active::sha256(&[blinding, &number.to_be_bytes()]);
    let (first, second) = both.split_at(16);
    (first.try_into().expect("half of it"), second.try_into().expect("half of it"))
}

impl Block {
    /// A block of events of which the first has the number `first`; at most 65,535.
    ///
    /// # Errors
    /// - `random-unavailable`, `limit-size`.
    pub(super) fn new(first: u64, events: &[Event], keys: &KeyRing, random: &dyn Random) -> Result<Block> {
        let count = u16::try_from(events.len()).map_err(|_| Code::LimitCount.error())?;
        let mut blinding = [0; BLINDING];
        random.fill(&mut blinding)?;
        let mut lines = Zeroizing::new(Vec::with_capacity(128 * events.len()));
        let mut places = Vec::with_capacity(events.len());
        for (number, event) in (first..).zip(events) {
            let beside = event.beside();
            let hash = (!beside.is_empty()).then(|| beside_hash(&blinds(&blinding, number).1, &beside));
            let lengths_at = lines.len();
            lines.extend([0; LENGTHS]);
            event.encode(keys, hash, &mut lines);
            let start = lengths_at + LENGTHS;
            let length = u32::try_from(lines.len() - start).map_err(|_| Code::LimitSize.error())?;
            let length_beside = u16::try_from(beside.len()).map_err(|_| Code::LimitSize.error())?;
            lines[lengths_at..lengths_at + 4].copy_from_slice(&length.to_be_bytes());
            lines[lengths_at + 4..start].copy_from_slice(&length_beside.to_be_bytes());
            places.push(Place { event: start..lines.len(), beside: beside.len() });
            lines.extend(beside);
        }
        Ok(Block { first, runs: vec![(count, blinding)], lines, places })
    }

    /// Takes the block after this one in.
    pub(super) fn join(&mut self, next: &Block) {
        let by = self.lines.len();
        self.runs.extend(&next.runs);
        self.lines.extend_from_slice(&next.lines);
        let moved = |place: &Place| Place { event: place.event.start + by..place.event.end + by, beside: place.beside };
        self.places.extend(next.places.iter().map(moved));
    }

    /// Seals it into its own place in the log.
    ///
    /// # Errors
    /// - `random-unavailable`.
    pub(super) fn seal(&self, keys: &KeyRing, random: &dyn Random) -> Result<Vec<u8>> {
        let mut plain = Zeroizing::new(Vec::with_capacity(2 + self.runs.len() * (2 + BLINDING) + self.lines.len()));
        plain.extend((self.runs.len() as u16).to_be_bytes());
        for (events, blinding) in &self.runs {
            plain.extend(events.to_be_bytes());
            plain.extend(blinding);
        }
        plain.extend_from_slice(&self.lines);
        vault::seal(keys.audit_key(), &context(keys, self.first), &plain, random)
    }

    /// Opens the block whose first event has the number `first`.
    ///
    /// # Errors
    /// - `audit-broken`: it is not what was sealed there.
    pub(super) fn open(keys: &KeyRing, first: u64, sealed: &[u8]) -> Result<Block> {
        let broken = || Code::AuditBroken.error();
        let mut plain = vault::open(keys.audit_key(), &context(keys, first), sealed).map_err(|_| broken())?;
        let count = usize::from(u16::from_be_bytes(*plain.first_chunk().ok_or_else(broken)?));
        let start = 2 + count * (2 + BLINDING);
        let heads = plain.get(2..start).ok_or_else(broken)?;
        let run = |head: &[u8]| -> (u16, [u8; BLINDING]) {
            let (events, blinding) = head.split_at(2);
            (u16::from_be_bytes([events[0], events[1]]), blinding.try_into().expect("the rest of it"))
        };
        let runs: Vec<_> = heads.chunks(2 + BLINDING).map(run).collect();
        plain.drain(..start);
        let (mut at, mut places) = (0, Vec::new());
        while at != plain.len() {
            let lengths: [u8; LENGTHS] = *plain.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(broken)?;
            let length = u32::from_be_bytes([lengths[0], lengths[1], lengths[2], lengths[3]]) as usize;
            let beside = usize::from(u16::from_be_bytes([lengths[4], lengths[5]]));
            let event = at + LENGTHS;
            let end = event.checked_add(length).ok_or_else(broken)?;
            at = end.checked_add(beside).filter(|end| *end <= plain.len()).ok_or_else(broken)?;
            places.push(Place { event: event..end, beside });
        }
        let events: usize = runs.iter().map(|(events, _)| usize::from(*events)).sum();
        let holds = events > 0 && events == places.len() && first.checked_add(events as u64).is_some();
        if holds { Ok(Block { first, runs, lines: plain, places }) } else { Err(broken()) }
    }

    /// Shows each event where it lies, with its number; for reports, which need no more.
    ///
    /// # Errors
    /// - `audit-broken`: one of them cannot be read. Of `show`.
    pub(super) fn scan(&self, mut show: impl FnMut(u64, &Line<'_>) -> Result<()>) -> Result<()> {
        for (number, place) in (self.first..).zip(&self.places) {
            let line = Line::read(&self.lines[place.event.clone()]).ok_or_else(|| Code::AuditBroken.error())?;
            show(number, &line)?;
        }
        Ok(())
    }

    /// Whether every event can be read, and what lies beside it is what did.
    ///
    /// # Errors
    /// - `audit-broken`: not so.
    pub(super) fn check(&self) -> Result<()> {
        for (index, place) in (0..).zip(&self.places) {
            let line = Line::read(&self.lines[place.event.clone()]);
            if !line.is_some_and(|line| line.is_sound()) {
                return Err(Code::AuditBroken.error());
            }
            if place.beside > 0 {
                self.event(index)?;
            }
        }
        Ok(())
    }

    /// The number of its first event.
    pub(super) fn first(&self) -> u64 {
        self.first
    }
    /// The number after that of its last event.
    pub(super) fn end(&self) -> u64 {
        self.first + self.places.len() as u64
    }
    /// How many events it has.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    fn place(&self, index: u64) -> Result<&Place> {
        let place = usize::try_from(index).ok().and_then(|index| self.places.get(index));
        place.ok_or_else(|| Code::AuditBroken.error())
    }

    /// The event at a place in the block, with what lies beside it.
    ///
    /// # Errors
    /// - `audit-broken`: there is none, or it cannot be read, or what lies beside it is not what did.
    pub(super) fn event(&self, index: u64) -> Result<Event> {
        let broken = || Code::AuditBroken.error();
        let place = self.place(index)?;
        let bytes = &self.lines[place.event.clone()];
        let beside = &self.lines[place.event.end..place.event.end + place.beside];
        let said = Line::read(bytes).ok_or_else(broken)?.beside.copied();
        // A text may have been taken away since; it can not have been changed.
        let right = beside.is_empty() || said == Some(beside_hash(&self.blinds(index)?.1, beside));
        if !right {
            return Err(broken());
        }
        Event::decode(bytes, beside).ok_or_else(broken)
    }

    /// The bytes of an event and its first blind: what proves it together with a path.
    ///
    /// # Errors
    /// - `audit-broken`: there is none.
    pub(super) fn evidence(&self, index: u64) -> Result<(Vec<u8>, [u8; 16])> {
        Ok((self.lines[self.place(index)?.event.clone()].to_vec(), self.blinds(index)?.0))
    }

    fn blinds(&self, index: u64) -> Result<([u8; 16], [u8; 16])> {
        let mut before = index;
        for (events, blinding) in &self.runs {
            match before.checked_sub(u64::from(*events)) {
                Some(rest) => before = rest,
                None => return Ok(blinds(blinding, self.first + index)),
            }
        }
        Err(Code::AuditBroken.error())
    }

    /// The leaves of its events, in order: `SHA-256(0x00 || blind 16 || event)`.
    pub(super) fn leaves(&self) -> impl Iterator<Item = Hash> {
        let blindings = self.runs.iter().flat_map(|(events, blinding)| std::iter::repeat_n(blinding, (*events).into()));
        (self.first..).zip(&self.places).zip(blindings).map(|((number, place), blinding)| {
            leaf_hash(&[&blinds(blinding, number).0, &self.lines[place.event.clone()]])
        })
    }
}

fn context(keys: &KeyRing, first: u64) -> Context<'static> {
    Context::new(keys.store_id(), PatientNumber::SHARED, RowKind::Audit, first, 1)
}
