//! What proves one event, and that the log was only ever added to.

use super::block::Block;
use super::head::{Head, base64, head};
use super::tree::{self, Hash, Nodes};
use super::{Shelf, block_of};
use crate::error::{Code, Result};
use crate::keys::KeyRing;
use std::collections::HashMap;

/// Proves that an event is in the log of a head: with the public key of the store and nothing else of it.
///
/// # Privacy
/// It shows this event, and of others only hashes that are blinded.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    /// The number of the event.
    pub sequence: u64,
    /// Its bytes, as core/docs/format.md lays them out.
    pub event: Vec<u8>,
    /// Its blind: the leaf is `SHA-256(0x00 || blind || event)`.
    pub blind: [u8; 16],
    /// The path to the root, leaf first.
    pub path: Vec<Hash>,
    /// The head.
    pub head: Head,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proof(event {})", self.sequence)
    }
}

impl Proof {
    /// Whether the event is in the tree of the head. The head's signature is for [`Head::from_note`].
    pub fn holds(&self) -> bool {
        let leaf = tree::leaf_hash(&[&self.blind, &self.event]);
        tree::includes(&leaf, self.sequence, self.head.size, &self.path, &self.head.root)
    }
}

impl Proof {
    /// The event as a FHIR AuditEvent with this proof in it, as [`super::export`] writes it: one line of JSON.
    ///
    /// # Errors
    /// - `audit-broken`: the bytes are no event.
    pub fn audit_event(&self, store: crate::id::StoreId) -> Result<String> {
        let event = super::Event::decode(&self.event, &[]).ok_or_else(|| Code::AuditBroken.error())?;
        Ok(super::balp::line(store, &event, self))
    }
}

/// Every `KEPT` levels the hashes of full subtrees are kept in rows of their own, so that a proof reads few blocks.
pub(super) const KEPT: u32 = 8;

/// The key of the row of a full subtree.
pub(super) fn node_key(level: u32, number: u64) -> Vec<u8> {
    [&b"node "[..], &[level as u8], &number.to_be_bytes()].concat()
}

/// The tree, from the rows of the log.
pub(super) struct Log<'a> {
    shelf: &'a dyn Shelf,
    keys: &'a KeyRing,
    /// The block that was opened last: its first number and its leaves.
    block: Option<(u64, Vec<Hash>)>,
    /// Full subtrees that were computed or read.
    known: HashMap<(u32, u64), Hash>,
}

/// Most hashes that are remembered; then those near the leaves are forgotten.
const REMEMBERED: usize = 1 << 17;

impl<'a> Log<'a> {
    pub(super) fn new(shelf: &'a dyn Shelf, keys: &'a KeyRing) -> Self {
        Log { shelf, keys, block: None, known: HashMap::new() }
    }
    /// Takes the leaves of a block that is open anyway.
    pub(super) fn holds(&mut self, block: &Block) {
        self.block = Some((block.first(), block.leaves().collect()));
    }
}

impl Nodes for Log<'_> {
    fn leaf(&mut self, number: u64) -> Result<Hash> {
        let known = |(first, leaves): &(u64, Vec<Hash>)| {
            leaves.get(usize::try_from(number.checked_sub(*first)?).ok()?).copied()
        };
        if let Some(leaf) = self.block.as_ref().and_then(known) {
            return Ok(leaf);
        }
        let block = block_of(self.shelf, self.keys, number)?.ok_or_else(|| Code::AuditBroken.error())?;
        self.block = Some((block.first(), block.leaves().collect()));
        self.block.as_ref().and_then(known).ok_or_else(|| Code::AuditBroken.error())
    }

    fn kept(&mut self, level: u32, number: u64) -> Result<Option<Hash>> {
        if let Some(hash) = self.known.get(&(level, number)) {
            return Ok(Some(*hash));
        }
        if !level.is_multiple_of(KEPT) {
            return Ok(None);
        }
        let row = self.shelf.get(&node_key(level, number))?;
        let hash = row.map(|row| Hash::try_from(row).map_err(|_| Code::AuditBroken.error())).transpose()?;
        if let Some(hash) = &hash {
            self.computed(level, number, hash);
        }
        Ok(hash)
    }

    fn computed(&mut self, level: u32, number: u64, hash: &Hash) {
        if self.known.len() >= REMEMBERED {
            self.known.retain(|(level, _), _| *level >= KEPT);
        }
        self.known.insert((level, number), *hash);
    }
}

/// Proves one event against the head of the log.
///
/// # Errors
/// - `not-found`: there is no event of that number. `audit-broken`: the rows of the log do not make the tree of its head.
pub fn prove(shelf: &dyn Shelf, keys: &KeyRing, sequence: u64) -> Result<Proof> {
    let head = head(shelf, keys)?.filter(|head| sequence < head.size).ok_or_else(|| Code::NotFound.error())?;
    let block: Block = block_of(shelf, keys, sequence)?.ok_or_else(|| Code::AuditBroken.error())?;
    let (event, blind) = block.evidence(sequence - block.first())?;
    let mut log = Log::new(shelf, keys);
    log.holds(&block);
    let path = tree::inclusion(&mut log, sequence, head.size)?;
    let proof = Proof { sequence, event, blind, path, head };
    if proof.holds() { Ok(proof) } else { Err(Code::AuditBroken.error()) }
}

/// Proves that the log continues that of an older head.
///
/// # Errors
/// - `audit-broken`: it does not.
pub fn continuation(shelf: &dyn Shelf, keys: &KeyRing, old: &Head) -> Result<(Vec<Hash>, Head)> {
    let broken = || Code::AuditBroken.error();
    let head = head(shelf, keys)?.filter(|head| old.size <= head.size).ok_or_else(broken)?;
    let path = match old.size {
        0 => Vec::new(),
        size => tree::consistency(&mut Log::new(shelf, keys), size, head.size)?,
    };
    let continues = match old.size {
        0 => old.root == tree::root_of(&[]),
        size => tree::continues(size, &old.root, head.size, &head.root, &path),
    };
    if continues { Ok((path, head)) } else { Err(broken()) }
}

/// A path as text: each hash in Base64 on a line of its own.
pub fn path_text(path: &[Hash]) -> String {
    path.iter().map(|hash| base64(hash) + "\n").collect()
}
