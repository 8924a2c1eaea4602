//! Events of one transaction, sealed together.

use super::Event;
use super::tree::{Hash, leaf_hash};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random};
use crate::keys::KeyRing;
use crate::vault::{self, Context, RowKind};
use std::ops::Range;
use zeroize::Zeroizing;

/// `blinding 32 || { length 4, event }*`, in clear, in memory.
pub(super) struct Block {
    first: u64,
    plain: Zeroizing<Vec<u8>>,
    /// Where each event lies.
    places: Vec<Range<usize>>,
}

const BLINDING: usize = 32;

impl Block {
    /// A block of events of which the first has the number `first`.
    ///
    /// # Errors
    /// - `random-unavailable`, `limit-size`.
    pub(super) fn new(first: u64, events: &[Event], random: &dyn Random) -> Result<Block> {
        let mut plain = Zeroizing::new(Vec::with_capacity(BLINDING + 128 * events.len()));
        plain.resize(BLINDING, 0);
        random.fill(&mut plain)?;
        let mut places = Vec::with_capacity(events.len());
        for event in events {
            let length_at = plain.len();
            plain.extend([0; 4]);
            event.encode(&mut plain);
            let start = length_at + 4;
            let length = u32::try_from(plain.len() - start).map_err(|_| Code::LimitSize.error())?;
            plain[length_at..start].copy_from_slice(&length.to_be_bytes());
            places.push(start..plain.len());
        }
        Ok(Block { first, plain, places })
    }

    /// Seals it into its own place in the log.
    ///
    /// # Errors
    /// - `random-unavailable`.
    pub(super) fn seal(&self, keys: &KeyRing, random: &dyn Random) -> Result<Vec<u8>> {
        vault::seal(keys.audit_key(), &context(keys, self.first), &self.plain, random)
    }

    /// Opens the block whose first event has the number `first`.
    ///
    /// # Errors
    /// - `audit-broken`: it is not what was sealed there.
    pub(super) fn open(keys: &KeyRing, first: u64, sealed: &[u8]) -> Result<Block> {
        let broken = || Code::AuditBroken.error();
        let plain = vault::open(keys.audit_key(), &context(keys, first), sealed).map_err(|_| broken())?;
        let (mut places, mut at) = (Vec::new(), BLINDING);
        while at != plain.len() {
            let length = plain.get(at..).and_then(<[u8]>::first_chunk).copied().map(u32::from_be_bytes);
            let start = at + 4;
            at = length.and_then(|length| start.checked_add(length as usize)).ok_or_else(broken)?;
            if at > plain.len() {
                return Err(broken());
            }
            places.push(start..at);
        }
        let holds = !places.is_empty() && first.checked_add(places.len() as u64).is_some();
        if holds { Ok(Block { first, plain, places }) } else { Err(broken()) }
    }

    /// The number of its first event.
    pub(super) fn first(&self) -> u64 {
        self.first
    }
    /// The number after that of its last event.
    pub(super) fn end(&self) -> u64 {
        self.first + self.places.len() as u64
    }

    /// The event at a place in the block.
    ///
    /// # Errors
    /// - `audit-broken`: there is none, or it cannot be read.
    pub(super) fn event(&self, index: u64) -> Result<Event> {
        let place = usize::try_from(index).ok().and_then(|index| self.places.get(index));
        place.and_then(|place| Event::decode(&self.plain[place.clone()])).ok_or_else(|| Code::AuditBroken.error())
    }

    /// The leaf of an event: `SHA-256(0x00 || blind 16 || event)` with `blind` the front of
    /// `SHA-256(blinding || number 8)`. To prove one event to somebody, show them its blind, not the block's.
    pub(super) fn leaf(&self, index: usize) -> Hash {
        let number = self.first + index as u64;
        let blind = Active::sha256(&[&self.plain[..BLINDING], &number.to_be_bytes()]);
        leaf_hash(&[&blind[..16], &self.plain[self.places[index].clone()]])
    }
}

fn context(keys: &KeyRing, first: u64) -> Context<'static> {
    Context::new(keys.store_id(), PatientNumber::SHARED, RowKind::Audit, first, 1)
}
