//! The superblocks: the wrapped keys in clear, and sealed, where the map is. There are two, written in turn, so that one is
//! whole whatever happens.
//!
//! Slot 0 and slot 1 each: magic 8 || version 2 || length of the header 2 || header || zeros to 3,968 || nonce 12 || sealed root 80 ||
//! tag 16 || zeros. Numbers are big-endian. In version 1 the map is kept once, and the root is 72 bytes without where the second copies are;
//! such a file is read, and goes over to this version when it is first written to.

use super::twice::Twice;
use super::{FIRST, PAGE, Seal, State, offset};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::Random;
use redb::StorageBackend;

const MAGIC: &[u8; 8] = b"ehrcore\x1a";
const VERSION: u16 = 2;
/// The version with one copy of the map.
const ONCE: u16 = 1;
pub(super) const HEADER_AT: usize = 12;
/// Where the sealed part begins; all before it is authenticated with it.
const SEALED_AT: usize = 3_968;
const ROOT: usize = 80;
const ROOT_ONCE: usize = 72;
const END: usize = SEALED_AT + 12 + ROOT + 16;

/// Slots one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first: u32,
    pub(super) count: u32,
}

impl Extent {
    pub(super) fn slots(self) -> std::ops::Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}

/// Where the map is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Root {
    /// Grows by one with each superblock: the higher one counts.
    pub(super) sequence: u64,
    /// The number of the checkpoint.
    pub(super) generation: u64,
    /// Slots of the log that are written, where the file was closed in order; None while somebody is at work.
    pub(super) closed: Option<u32>,
    pub(super) checkpoint: Twice,
    /// Bytes of the checkpoint.
    pub(super) length: u64,
    pub(super) nonce: [u8; 12],
    pub(super) tag: [u8; 16],
    pub(super) log: Twice,
}

/// The wrapped keys as the superblocks have them, the first one that is there first. What opens with them says whether they are
/// right.
///
/// # Errors
/// - `not-a-store`: neither superblock starts as one does. `version-unsupported`.
pub(in crate::store) fn key_headers(disk: &dyn StorageBackend) -> Result<Vec<Vec<u8>>> {
    let (mut headers, mut version) = (Vec::new(), true);
    for copy in 0..FIRST {
        let mut bytes = [0; PAGE];
        if disk.read(offset(copy), &mut bytes).is_err() || bytes[..8] != MAGIC[..] {
            continue;
        }
        let known = version_of(&bytes).is_some();
        version &= known;
        if let Some(header) = header(&bytes).filter(|_| known) {
            if !headers.iter().any(|known| known == header) {
                headers.push(header.to_vec());
            }
        }
    }
    match (headers.is_empty(), version) {
        (false, _) => Ok(headers),
        (true, true) => Err(Code::NotAStore.error()),
        (true, false) => Err(Code::VersionUnsupported.error()),
    }
}

/// The version of a superblock, where it is one that is read.
fn version_of(bytes: &[u8; PAGE]) -> Option<u16> {
    Some(u16::from_be_bytes([bytes[8], bytes[9]])).filter(|version| [ONCE, VERSION].contains(version))
}

fn header(bytes: &[u8; PAGE]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([bytes[10], bytes[11]]));
    bytes[HEADER_AT..SEALED_AT].get(..length).filter(|header| !header.is_empty())
}

/// Reads both superblocks: what opens, with the header it has.
pub(super) fn read(disk: &dyn StorageBackend, seal: &Seal) -> [Option<(Root, Vec<u8>)>; 2] {
    [0, 1].map(|copy| {
        let mut bytes = [0; PAGE];
        disk.read(offset(copy), &mut bytes).ok()?;
        let length = if version_of(&bytes)? == ONCE { ROOT_ONCE } else { ROOT };
        let end = SEALED_AT + 12 + length + 16;
        if bytes[..8] != MAGIC[..] || bytes[end..].iter().any(|byte| *byte != 0) {
            return None;
        }
        let header = header(&bytes)?.to_vec();
        let context = context(seal, &bytes[..SEALED_AT]);
        let nonce = bytes[SEALED_AT..SEALED_AT + 12].try_into().ok()?;
        let tag = bytes[end - 16..end].try_into().ok()?;
        let root = &mut bytes[SEALED_AT + 12..end - 16];
        Active::open_detached(seal.key.bytes(), nonce, &context, tag, root).ok()?;
        Some((Root::read(root)?, header))
    })
}

/// `"ehrcore superblock v1" || store 16 || SHA-256(what stands before the sealed part)`.
fn context(seal: &Seal, clear: &[u8]) -> Vec<u8> {
    [&b"ehrcore superblock v1"[..], &seal.store.0, &Active::sha256(&[clear])].concat()
}

impl Root {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ROOT);
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.generation.to_be_bytes());
        out.extend(self.closed.map_or(0, |used| used + 1).to_be_bytes());
        out.extend(self.length.to_be_bytes());
        out.extend(self.nonce);
        out.extend(self.tag);
        for twice in [self.checkpoint, self.log] {
            out.extend(twice.first.to_be_bytes());
            out.extend(twice.second.to_be_bytes());
            out.extend(twice.count.to_be_bytes());
        }
        out
    }

    fn read(bytes: &[u8]) -> Option<Root> {
        let number = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let small = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (checkpoint, log) = match bytes.len() {
            ROOT => {
                let twice = |at| Some(Twice { first: small(at)?, second: small(at + 4)?, count: small(at + 8)? });
                (twice(56)?, twice(68)?)
            }
            _ => {
                let once = |at| Some(Twice { first: small(at)?, second: 0, count: small(at + 4)? });
                (once(56)?, once(64)?)
            }
        };
        Some(Root {
            sequence: number(0)?,
            generation: number(8)?,
            closed: small(16)?.checked_sub(1),
            length: number(20)?,
            nonce: bytes.get(28..40)?.try_into().ok()?,
            tag: bytes.get(40..56)?.try_into().ok()?,
            checkpoint,
            log,
        })
    }
}

impl State {
    /// Writes the superblock that is the older one and syncs: from then on it is the newer one.
    pub(super) fn write_root(
        &mut self,
        disk: &dyn StorageBackend,
        seal: &Seal,
        random: &dyn Random,
        root: Root,
    ) -> Result<()> {
        let older = 1 - self.newer;
        let root = Root { sequence: self.root.sequence + 1, ..root };
        self.put_root(disk, seal, random, older, &root)?;
        (self.newer, self.root) = (older, root);
        Ok(())
    }

    /// Writes both superblocks, the older one first, each with a sync: from the first on it is in force, and after the second one of them may be
    /// lost.
    pub(super) fn write_roots(
        &mut self,
        disk: &dyn StorageBackend,
        seal: &Seal,
        random: &dyn Random,
        root: Root,
    ) -> Result<()> {
        let (older, sequence) = (1 - self.newer, self.root.sequence);
        let root = Root { sequence: sequence + 2, ..root };
        self.put_root(disk, seal, random, older, &root)?;
        (self.newer, self.root) = (older, root);
        self.put_root(disk, seal, random, 1 - older, &Root { sequence: sequence + 1, ..root })
    }

    fn put_root(
        &self,
        disk: &dyn StorageBackend,
        seal: &Seal,
        random: &dyn Random,
        copy: u32,
        root: &Root,
    ) -> Result<()> {
        if self.header.is_empty() || self.header.len() > SEALED_AT - HEADER_AT {
            return Err(Code::Internal.error());
        }
        let mut bytes = vec![0; PAGE];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_be_bytes());
        bytes[10..12].copy_from_slice(&(self.header.len() as u16).to_be_bytes());
        bytes[HEADER_AT..HEADER_AT + self.header.len()].copy_from_slice(&self.header);
        let context = context(seal, &bytes[..SEALED_AT]);
        let (mut nonce, mut sealed) = ([0; 12], root.write());
        random.fill(&mut nonce)?;
        let tag = Active::seal_detached(seal.key.bytes(), nonce, &context, &mut sealed)?;
        bytes[SEALED_AT..END].copy_from_slice(&[&nonce[..], &sealed, &tag].concat());
        disk.write(offset(copy), &bytes)?;
        Ok(disk.sync_data()?)
    }
}
