//! The audit log: append-only, sealed, a Merkle tree (RFC 6962) with a signed head.
//!
//! An event says who did what to which record, when, why and with what outcome; never what the record says. Events are sealed
//! under the audit key; a leaf of the tree is the hash of the sealed event. The log is kept by whoever implements [`Shelf`], in
//! the same transaction as what it records.

mod event;
mod tree;

pub use event::{Event, EventKind};
pub use tree::{Frontier, Hash, leaf_hash, root_of};

use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random};
use crate::keys::KeyRing;
use crate::vault::{self, Context, RowKind};

/// Where the rows of the log are kept.
pub trait Shelf {
    /// A row.
    ///
    /// # Errors
    /// - of the shelf.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
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

fn event_key(sequence: u64) -> Vec<u8> {
    [&b"event "[..], &sequence.to_be_bytes()].concat()
}

/// Appends events and a new signed head. All of it goes into the shelf or, on an error, the caller drops the transaction.
///
/// # Errors
/// - `audit-broken`: the head that is there does not verify.
/// - of the shelf; `random-unavailable`.
pub fn append(shelf: &mut dyn Shelf, keys: &KeyRing, random: &dyn Random, events: &[Event]) -> Result<Head> {
    let mut frontier = match load(shelf, keys)? {
        Some((_, frontier)) => frontier,
        None => Frontier::default(),
    };
    for event in events {
        let sequence = frontier.size();
        let context = Context::new(keys.store_id(), PatientNumber::SHARED, RowKind::Audit, sequence, 0);
        let sealed = vault::seal(keys.audit_key(), &context, &event.encode(), random)?;
        frontier.push(leaf_hash(&sealed));
        shelf.put(event_key(sequence), sealed)?;
    }
    let (size, root) = (frontier.size(), frontier.root());
    let signature = keys.sign(Head::text(keys.store_id(), size, &root).as_bytes())?;
    let row = [&size.to_be_bytes()[..], &root, &signature, &frontier.to_bytes()].concat();
    shelf.put(HEAD.to_vec(), row)?;
    Ok(Head { size, root, signature })
}

/// The head, its signature and its frontier checked; None for a log with no events.
fn load(shelf: &dyn Shelf, keys: &KeyRing) -> Result<Option<(Head, Frontier)>> {
    let Some(row) = shelf.get(HEAD)? else { return Ok(None) };
    let broken = || Code::AuditBroken.error();
    let (fixed, rest) = row.split_at_checked(8 + 32 + 64).ok_or_else(broken)?;
    let size = u64::from_be_bytes(fixed[..8].try_into().expect("eight bytes"));
    let root: Hash = fixed[8..40].try_into().expect("thirty-two bytes");
    let signature: [u8; 64] = fixed[40..].try_into().expect("sixty-four bytes");
    let frontier = Frontier::from_bytes(size, rest).filter(|frontier| frontier.root() == root).ok_or_else(broken)?;
    let text = Head::text(keys.store_id(), size, &root);
    use crate::crypto::Provider;
    if !crate::crypto::Active::verify(&keys.public_key(), text.as_bytes(), &signature) {
        return Err(broken());
    }
    Ok(Some((Head { size, root, signature }, frontier)))
}

/// The signed head; None for a log with no events.
///
/// # Errors
/// - `audit-broken`, of the shelf.
pub fn head(shelf: &dyn Shelf, keys: &KeyRing) -> Result<Option<Head>> {
    Ok(load(shelf, keys)?.map(|(head, _)| head))
}

/// Opens one event.
///
/// # Errors
/// - `not-found`, `audit-broken`.
pub fn event(shelf: &dyn Shelf, keys: &KeyRing, sequence: u64) -> Result<Event> {
    let sealed = shelf.get(&event_key(sequence))?.ok_or_else(|| Code::NotFound.error())?;
    open(keys, sequence, &sealed)
}

fn open(keys: &KeyRing, sequence: u64, sealed: &[u8]) -> Result<Event> {
    let context = Context::new(keys.store_id(), PatientNumber::SHARED, RowKind::Audit, sequence, 0);
    let plain = vault::open(keys.audit_key(), &context, sealed).map_err(|_| Code::AuditBroken.error())?;
    Event::decode(&plain).ok_or_else(|| Code::AuditBroken.error())
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
    if outside.is_some_and(|outside| outside.size > size) || head.is_none() && shelf.get(&event_key(0))?.is_some() {
        return Err(broken());
    }
    let mut frontier = Frontier::default();
    for sequence in 0..size {
        if outside.is_some_and(|outside| outside.size == sequence && outside.root != frontier.root()) {
            return Err(broken());
        }
        let sealed = shelf.get(&event_key(sequence))?.ok_or_else(broken)?;
        open(keys, sequence, &sealed)?;
        frontier.push(leaf_hash(&sealed));
    }
    let root = frontier.root();
    let fits = head.as_ref().is_none_or(|head| head.root == root);
    let continues = outside.is_none_or(|outside| outside.size != size || outside.root == root);
    if !fits || !continues || shelf.get(&event_key(size))?.is_some() {
        return Err(broken());
    }
    Ok(size)
}

#[cfg(test)]
mod tests;
