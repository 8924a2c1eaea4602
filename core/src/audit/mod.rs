//! The audit log: append-only, sealed, a Merkle tree (RFC 6962) with a signed head.
//!
//! An event says who did what to which record, when, why and with what outcome; never what the record says. The events of one
//! transaction are sealed together under the audit key; each is a leaf of the tree, blinded, so that a root says nothing about
//! events and one event can be proven without showing another. The log is kept by whoever implements [`Shelf`], in the same
//! transaction as what it records.

mod block;
mod event;
mod tree;

pub use event::{Event, EventKind};
pub use tree::{Frontier, Hash, leaf_hash, root_of};

use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::Random;
use crate::keys::KeyRing;
use block::Block;

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
}

/// A signed statement of how long the log is and what is in it. Keep one outside the store: then nobody can cut the log unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many events.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// Ed25519 over [`Head::text`].
    pub signature: [u8; 64],
}

impl Head {
    /// The text that is signed, in the form of a C2SP checkpoint: origin, size, root.
    pub fn text(store: crate::id::StoreId, size: u64, root: &Hash) -> String {
        format!("ehrcore/{}\n{size}\n{}\n", hex(&store.0), hex(root))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const HEAD: &[u8] = b"head";

/// Most events that are sealed together.
const BLOCK: usize = 1024;

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
        Some(row) if row == known.0 => parse(&row)?.1,
        Some(row) => verified(&row, keys)?.1,
        None => Frontier::default(),
    };
    for some in events.chunks(BLOCK) {
        let first = frontier.size();
        let block = Block::new(first, some, random)?;
        for index in 0..some.len() {
            frontier.push(block.leaf(index));
        }
        shelf.put(block_key(first), block.seal(keys, random)?)?;
    }
    let (size, root) = (frontier.size(), frontier.root());
    let signature = keys.sign(Head::text(keys.store_id(), size, &root).as_bytes());
    known.0 = [&size.to_be_bytes()[..], &root, &signature, &frontier.to_bytes()].concat();
    shelf.put(HEAD.to_vec(), known.0.clone())?;
    Ok(Head { size, root, signature })
}

/// The head and its frontier, as a row says them.
fn parse(row: &[u8]) -> Result<(Head, Frontier)> {
    let broken = || Code::AuditBroken.error();
    let (fixed, rest) = row.split_at_checked(8 + 32 + 64).ok_or_else(broken)?;
    let size = u64::from_be_bytes(fixed[..8].try_into().expect("eight bytes"));
    let root: Hash = fixed[8..40].try_into().expect("thirty-two bytes");
    let signature: [u8; 64] = fixed[40..].try_into().expect("sixty-four bytes");
    Ok((Head { size, root, signature }, Frontier::from_bytes(size, rest).ok_or_else(broken)?))
}

/// The same, its signature and its frontier checked.
fn verified(row: &[u8], keys: &KeyRing) -> Result<(Head, Frontier)> {
    let (head, frontier) = parse(row)?;
    let text = Head::text(keys.store_id(), head.size, &head.root);
    let signed = Active::verify(&keys.public_key(), text.as_bytes(), &head.signature);
    if signed && frontier.root() == head.root { Ok((head, frontier)) } else { Err(Code::AuditBroken.error()) }
}

/// The signed head; None for a log with no events.
///
/// # Errors
/// - `audit-broken`, of the shelf.
pub fn head(shelf: &dyn Shelf, keys: &KeyRing) -> Result<Option<Head>> {
    shelf.get(HEAD)?.map(|row| Ok(verified(&row, keys)?.0)).transpose()
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
    let first = key.last_chunk().copied().map(u64::from_be_bytes).ok_or_else(|| Code::AuditBroken.error())?;
    let block = Block::open(keys, first, &sealed)?;
    Ok((sequence < block.end()).then_some(block))
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
        for index in 0..block.end() - block.first() {
            if outside.is_some_and(|outside| outside.size == frontier.size() && outside.root != frontier.root()) {
                return Err(broken());
            }
            block.event(index)?;
            frontier.push(block.leaf(index as usize));
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
