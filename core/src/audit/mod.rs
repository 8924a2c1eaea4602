//! The audit log: append-only, sealed, a Merkle tree (RFC 6962) with a signed head.
//!
//! An event says who did what to which record, when, why and with what outcome; never what the record says. The events of one
//! transaction are sealed together under the audit key; each is a leaf of the tree, blinded, so that a root says nothing about
//! events and one event can be proven without showing another. The log is kept by whoever implements [`Shelf`], in the same
//! transaction as what it records.

mod balp;
mod block;
mod event;
mod export;
mod ground;
mod head;
mod proof;
mod select;
mod tree;

pub(crate) use balp::printable;
#[cfg(test)]
pub(crate) use balp::{PURPOSES, ROLES};
pub use event::{Event, EventKind, MOST_PATIENTS, NAME_BYTES, TEXT_BYTES};
pub use export::export;
pub use ground::Ground;
pub use head::{Head, head};
pub use proof::{Proof, continuation, path_text, prove};
pub use select::{Filter, select};
pub use tree::{Frontier, Hash, Nodes, consistency, continues, includes, inclusion, leaf_hash, root_of};

use crate::error::{Code, Result};
use crate::id::Random;
use crate::keys::KeyRing;
use block::Block;
use proof::{KEPT, node_key};

/// A row of the log: its key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Where the rows of the log are kept.
pub trait Shelf {
    /// A row.
    ///
    /// # Errors
    /// - of the shelf.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// The last row whose key is neither before `from` nor after `to`.
    ///
    /// # Errors
    /// - of the shelf.
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Row>>;
    /// Sets a row.
    ///
    /// # Errors
    /// - of the shelf.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()>;
    /// Takes a row away.
    ///
    /// # Errors
    /// - of the shelf.
    fn remove(&mut self, key: Vec<u8>) -> Result<()>;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const HEAD: &[u8] = b"head";

/// Most events that are sealed together.
const BLOCK: usize = 1024;

/// How many times as large a block may be to be taken into the one after it.
const JOIN: usize = 4;

/// The key of the block whose first event has this number.
fn block_key(first: u64) -> Vec<u8> {
    [&b"event "[..], &first.to_be_bytes()].concat()
}

/// The head row that was last written or verified by this process: the very same bytes need not be verified again.
#[derive(Default)]
pub struct Known(Vec<u8>);

/// Appends events and a new signed head. All of it goes into the shelf or, on an error, the caller drops the transaction.
///
/// # Errors
/// - `audit-broken`: the head that is there does not verify.
/// - of the shelf; `random-unavailable`.
pub fn append(
    shelf: &mut dyn Shelf,
    keys: &KeyRing,
    random: &dyn Random,
    events: &[Event],
    known: &mut Known,
) -> Result<Head> {
    let mut frontier = match shelf.get(HEAD)? {
        Some(row) if row == known.0 => head::parse(&row)?.1,
        Some(row) => head::verified(&row, keys)?.1,
        None => Frontier::default(),
    };
    for some in events.chunks(BLOCK) {
        let block = Block::new(frontier.size(), some, keys, random)?;
        let mut kept = Vec::new();
        for leaf in block.leaves() {
            frontier.push(leaf, |level, number, hash| {
                if level.is_multiple_of(KEPT) {
                    kept.push((node_key(level, number), hash.to_vec()));
                }
            });
        }
        for (key, hash) in kept {
            shelf.put(key, hash)?;
        }
        let block = joined(shelf, keys, block)?;
        shelf.put(block_key(block.first()), block.seal(keys, random)?)?;
    }
    let (size, root) = (frontier.size(), frontier.root());
    let signature = keys.sign(Head::text(keys.store_id(), size, &root).as_bytes());
    known.0 = [&size.to_be_bytes()[..], &root, &signature, &frontier.to_bytes()].concat();
    shelf.put(HEAD.to_vec(), known.0.clone())?;
    Ok(Head { size, root, signature })
}

/// Small blocks before a small one are taken into it, so that a log written event by event is read as fast as any: each when
/// it is at most [`JOIN`] times as large, so an event is sealed anew a logarithmic number of times. Leaves stay as they are.
fn joined(shelf: &mut dyn Shelf, keys: &KeyRing, mut block: Block) -> Result<Block> {
    while block.first() > 0 {
        let Some((key, sealed)) = shelf.last(&block_key(0), &block_key(block.first() - 1))? else { break };
        let first = number_of(&key)?;
        let length = (block.first() - first) as usize;
        if length > JOIN * block.len() || length + block.len() > BLOCK {
            break;
        }
        let mut before = Block::open(keys, first, &sealed)?;
        if before.end() != block.first() {
            return Err(Code::AuditBroken.error());
        }
        before.join(&block);
        shelf.remove(block_key(block.first()))?;
        block = before;
    }
    Ok(block)
}

/// The number of the first event of a block, from its key.
fn number_of(key: &[u8]) -> Result<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes).ok_or_else(|| Code::AuditBroken.error())
}

/// Opens one event.
///
/// # Errors
/// - `not-found`, `audit-broken`.
pub fn event(shelf: &dyn Shelf, keys: &KeyRing, sequence: u64) -> Result<Event> {
    let block = block_of(shelf, keys, sequence)?.ok_or_else(|| Code::NotFound.error())?;
    block.event(sequence - block.first())
}

/// Opens the events from `from` on that lie before `to`, in order.
///
/// # Errors
/// - `audit-broken`: one of them is not there or is not what was written.
pub fn events(shelf: &dyn Shelf, keys: &KeyRing, from: u64, to: u64) -> Result<Vec<(u64, Event)>> {
    let (mut found, mut next) = (Vec::new(), from);
    while next < to {
        let block = block_of(shelf, keys, next)?.ok_or_else(|| Code::AuditBroken.error())?;
        while next < to && next < block.end() {
            found.push((next, block.event(next - block.first())?));
            next += 1;
        }
    }
    Ok(found)
}

/// The block with an event, opened.
fn block_of(shelf: &dyn Shelf, keys: &KeyRing, sequence: u64) -> Result<Option<Block>> {
    let Some((key, sealed)) = shelf.last(&block_key(0), &block_key(sequence))? else { return Ok(None) };
    let block = Block::open(keys, number_of(&key)?, &sealed)?;
    Ok((sequence < block.end()).then_some(block))
}

/// Checks the head alone: its signature, and that the log continues that of a head kept outside.
///
/// # Errors
/// - `audit-broken`: it is not what was signed, or the log was cut off or put back.
pub fn verify_head(shelf: &dyn Shelf, keys: &KeyRing, outside: Option<&Head>) -> Result<u64> {
    match outside {
        Some(outside) => Ok(continuation(shelf, keys, outside)?.1.size),
        None => Ok(head(shelf, keys)?.map_or(0, |head| head.size)),
    }
}

/// Checks the whole log: the head's signature, every event's seal, the tree; and, where one is given, that it continues the
/// log of a head kept outside.
///
/// # Errors
/// - `audit-broken`: an event was edited, dropped, moved, added or cut off.
pub fn verify(shelf: &dyn Shelf, keys: &KeyRing, outside: Option<&Head>) -> Result<u64> {
    let broken = || Code::AuditBroken.error();
    let head = head(shelf, keys)?;
    let size = head.as_ref().map_or(0, |head| head.size);
    if outside.is_some_and(|outside| outside.size > size)
        || head.is_none() && shelf.last(&block_key(0), &block_key(u64::MAX))?.is_some()
    {
        return Err(broken());
    }
    let mut frontier = Frontier::default();
    while frontier.size() < size {
        let key = block_key(frontier.size());
        let block = Block::open(keys, frontier.size(), &shelf.get(&key)?.ok_or_else(broken)?)?;
        // Nothing else stands before the next block, nor after the last one.
        let until = if block.end() < size { block.end() - 1 } else { u64::MAX };
        if shelf.last(&key, &block_key(until))?.is_none_or(|(last, _)| last != key) {
            return Err(broken());
        }
        block.check()?;
        let mut kept = Vec::new();
        for leaf in block.leaves() {
            if outside.is_some_and(|outside| outside.size == frontier.size() && outside.root != frontier.root()) {
                return Err(broken());
            }
            frontier.push(leaf, |level, number, hash| {
                if level.is_multiple_of(KEPT) {
                    kept.push((node_key(level, number), *hash));
                }
            });
        }
        for (key, hash) in kept {
            if shelf.get(&key)?.is_none_or(|row| row != hash) {
                return Err(broken());
            }
        }
    }
    let root = frontier.root();
    let fits = head.as_ref().is_none_or(|head| head.root == root);
    let continues = outside.is_none_or(|outside| outside.size != size || outside.root == root);
    if !fits || !continues || frontier.size() != size {
        return Err(broken());
    }
    Ok(size)
}

#[cfg(test)]
mod tests;
