//! Finding events among many: each is looked at where it lies, and read only when it is one of those sought.

use super::block::Block;
use super::event::{Event, EventKind, Line, MOST_PATIENTS};
use super::{Shelf, block_key, head, number_of};
use crate::error::{Code, Result};
use crate::keys::KeyRing;
use crate::schema::ResourceType;
use crate::time::Timestamp;

/// Which events are sought: those of which everything holds that is said here.
#[derive(Clone, Copy, Default)]
pub struct Filter<'a> {
    /// About this patient: their record, or a page of a search that showed one.
    pub patient: Option<u32>,
    /// Where a patient is sought: also events of these kinds about nobody in particular, which are about everybody.
    pub everybody: &'a [EventKind],
    /// By this user.
    pub actor: Option<&'a str>,
    /// Of one of these kinds; of any where there are none.
    pub kinds: &'a [EventKind],
    /// In an emergency.
    pub break_glass: bool,
    /// With a witness of what its change set wrote.
    pub witnessed: bool,
    /// About this record.
    pub record: Option<(ResourceType, [u8; 12])>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before this number.
    pub before: Option<u64>,
}

impl Filter<'_> {
    /// Whether an event of several patients is about one, or may be: it does not name more than it can.
    fn is_of(&self, line: &Line<'_>, patient: u32) -> bool {
        let mut named = 0;
        line.patients().any(|one| {
            named += 1;
            one == patient || named == MOST_PATIENTS
        })
    }

    fn takes(&self, line: &Line<'_>) -> bool {
        let patient = |patient: u32| {
            line.patient() == patient
                || line.has_patients() && self.is_of(line, patient)
                || line.patient() == 0 && line.kind().is_some_and(|kind| self.everybody.contains(&kind))
        };
        self.patient.is_none_or(patient)
            && self.actor.is_none_or(|actor| line.actor == actor.as_bytes())
            && (!self.break_glass || line.break_glass != 0)
            && (!self.witnessed || line.witness.is_some())
            && (self.kinds.is_empty() || line.kind().is_some_and(|kind| self.kinds.contains(&kind)))
            && self.since.is_none_or(|since| line.at() >= since)
            && self
                .record
                .is_none_or(|(kind, pseudonym)| line.pseudonym == Some(&pseudonym) && line.resource() == Some(kind))
    }
}

/// The events that a filter takes, in order, with their numbers.
///
/// # Errors
/// - `audit-broken`: a block is not there or is not what was written. Of the shelf.
pub fn select(shelf: &dyn Shelf, keys: &KeyRing, filter: &Filter<'_>) -> Result<Vec<(u64, Event)>> {
    let broken = || Code::AuditBroken.error();
    let size = head(shelf, keys)?.map_or(0, |head| head.size);
    let (mut found, mut end) = (Vec::new(), filter.before.map_or(size, |before| before.min(size)));
    // From the last block to the first: the key of a block tells where the one before it ends.
    while end > 0 {
        let (key, sealed) = shelf.last(&block_key(0), &block_key(end - 1))?.ok_or_else(broken)?;
        let block = Block::open(keys, number_of(&key)?, &sealed)?;
        if block.end() < end {
            return Err(broken());
        }
        let mut these = Vec::new();
        block.scan(|number, line| {
            if number < end && filter.takes(line) {
                these.push((number, block.event(number - block.first())?));
            }
            Ok(())
        })?;
        these.reverse();
        found.append(&mut these);
        end = block.first();
    }
    found.reverse();
    Ok(found)
}
