//! The log for somebody else: FHIR AuditEvents with what proves each of them.

use super::balp;
use super::block::Block;
use super::head::{Head, head};
use super::proof::{Log, Proof};
use super::tree::{includes, inclusion, leaf_hash};
use super::{Shelf, block_key, number_of};
use crate::error::{Code, Result};
use crate::keys::KeyRing;
use std::io::Write;

/// Writes the events from `from` on that lie before `to` as NDJSON, one AuditEvent a line; each holds its bytes, its blind and its
/// path to the root of the head that is given back. core/tools/verify_audit.py checks the file, with no code of this library.
///
/// # Privacy
/// The lines show who did what, when and why, and pseudonyms of records and patients. Queries and reasons stay in the log.
///
/// # Errors
/// - `not-found`: there are no such events. `audit-broken`, `io`.
pub fn export(shelf: &dyn Shelf, keys: &KeyRing, from: u64, to: u64, out: &mut dyn Write) -> Result<Head> {
    let broken = || Code::AuditBroken.error();
    let head = head(shelf, keys)?.filter(|head| from < to && to <= head.size).ok_or_else(|| Code::NotFound.error())?;
    let mut log = Log::new(shelf, keys);
    let mut next = from;
    while next < to {
        let (key, sealed) = shelf.last(&block_key(0), &block_key(next))?.ok_or_else(broken)?;
        let block = Block::open(keys, number_of(&key)?, &sealed)?;
        if block.end() <= next {
            return Err(broken());
        }
        log.holds(&block);
        for sequence in next..to.min(block.end()) {
            let (event, blind) = block.evidence(sequence - block.first())?;
            let path = inclusion(&mut log, sequence, head.size)?;
            let leaf = leaf_hash(&[&blind, &event]);
            if !includes(&leaf, sequence, head.size, &path, &head.root) {
                return Err(broken());
            }
            let proof = Proof { sequence, event, blind, path, head: head.clone() };
            let event = block.event(sequence - block.first())?;
            writeln!(out, "{}", balp::line(keys.store_id(), &event, &proof))?;
        }
        next = block.end();
    }
    Ok(head)
}
