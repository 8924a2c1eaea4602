//! What lies under the root: the master, from which the keys of a store derive, the key of the pages, and the keys that wrap
//! patients' keys, one for each epoch that is still in use. The root seals them and nothing else, so another root takes one row.

use super::header::Header;
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random, StoreId};
use crate::vault::{self, Context, RowKind, SealKey};
use zeroize::Zeroizing;

/// The two keys that come from a root.
#[derive(Clone)]
pub(super) struct RootKeys {
    /// Authenticates the header.
    pub(super) header: SealKey,
    /// Seals the tree.
    pub(super) tree: SealKey,
}

impl RootKeys {
    /// `HKDF-Expand[SHA-512](root, "ehrcore v1 " || purpose || store id)` (RFC 5869, section 2.3), 32 bytes, with the purposes
    /// `header` and `key tree`.
    ///
    /// Rule: the root has no other use than this and being wrapped.
    pub(super) fn of(root: &SealKey, store: StoreId, epoch: u32) -> RootKeys {
        RootKeys { header: derived(root, b"header", store, epoch), tree: derived(root, b"key tree", store, epoch) }
    }
}

/// `HKDF-Expand[SHA-512](key, "ehrcore v1 " || purpose || store id)`, 32 bytes.
pub(super) fn derived(key: &SealKey, purpose: &[u8], store: StoreId, epoch: u32) -> SealKey {
    SealKey::made(epoch, |out| Active::expand(key.bytes(), &[b"ehrcore v1 ", purpose, &store.0], out))
}

/// The keys under a root.
#[derive(Clone)]
pub(super) struct Tree {
    pub(super) master: SealKey,
    pub(super) page: SealKey,
    /// The keys that wrap patients' keys, the current one last. Never empty.
    pub(super) epochs: Vec<SealKey>,
}

const VERSION: u8 = 1;
/// More rotations than this cannot be under way at once.
const MOST_EPOCHS: usize = 16;

impl Tree {
    /// # Errors
    /// - `random-unavailable`.
    pub(super) fn new(random: &dyn Random) -> Result<Tree> {
        Ok(Tree {
            master: SealKey::random(0, random)?,
            page: SealKey::random(0, random)?,
            epochs: vec![SealKey::random(1, random)?],
        })
    }

    /// The epoch that new keys of patients are wrapped under.
    pub(super) fn epoch(&self) -> u32 {
        self.epochs.last().map_or(0, |key| key.epoch)
    }

    /// Adds a key for the next epoch.
    ///
    /// # Errors
    /// - `random-unavailable`; `invalid-argument`: too many epochs are in use.
    pub(super) fn add_epoch(&mut self, random: &dyn Random) -> Result<()> {
        if self.epochs.len() >= MOST_EPOCHS {
            return Err(Code::InvalidArgument.error().expected("at most 16 epochs in use"));
        }
        let next = self.epoch().checked_add(1).ok_or_else(|| Code::Internal.error())?;
        self.epochs.push(SealKey::random(next, random)?);
        Ok(())
    }

    /// `seal[key tree, place](version 1 || master 32 || epoch of the page key 4 || page key 32 || count 1 || { epoch 4, key 32 }*)`, the
    /// place being store, row kind 30, number the root's epoch, part the header's revision.
    pub(super) fn seal(&self, root: &RootKeys, header: &Header, random: &dyn Random) -> Result<Vec<u8>> {
        let mut plain = Zeroizing::new(Vec::with_capacity(70 + 36 * self.epochs.len()));
        plain.push(VERSION);
        plain.extend(self.master.bytes());
        plain.extend(self.page.epoch.to_be_bytes());
        plain.extend(self.page.bytes());
        plain.push(u8::try_from(self.epochs.len()).map_err(|_| Code::Internal.error())?);
        for key in &self.epochs {
            plain.extend(key.epoch.to_be_bytes());
            plain.extend(key.bytes());
        }
        vault::seal(&root.tree, &place(header), &plain, random)
    }

    /// The inverse of [`Tree::seal`].
    ///
    /// # Errors
    /// - `corrupt`, `wrong-key`: it is not what was sealed for this header.
    pub(super) fn open(root: &RootKeys, header: &Header) -> Result<Tree> {
        let plain = vault::open(&root.tree, &place(header), &header.tree)?;
        let mut reader = Reader(&plain);
        if reader.byte()? != VERSION {
            return Err(Code::VersionUnsupported.error());
        }
        let master = reader.key(0)?;
        let page_epoch = reader.number()?;
        let page = reader.key(page_epoch)?;
        let count = reader.byte()?;
        let mut epochs: Vec<SealKey> = Vec::with_capacity(count.into());
        for _ in 0..count {
            let epoch = reader.number()?;
            if epochs.last().is_some_and(|before| before.epoch >= epoch) {
                return Err(Code::Corrupt.error());
            }
            epochs.push(reader.key(epoch)?);
        }
        if epochs.is_empty() || !reader.0.is_empty() {
            return Err(Code::Corrupt.error());
        }
        Ok(Tree { master, page, epochs })
    }
}

fn place(header: &Header) -> Context<'static> {
    let (number, part) = (header.epoch.into(), header.revision.into());
    Context::new(header.store, PatientNumber::SHARED, RowKind::KeyTree, number, part)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<&[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| Code::Corrupt.error())?;
        self.0 = rest;
        Ok(taken)
    }
    fn byte(&mut self) -> Result<u8> {
        Ok(self.take::<1>()?[0])
    }
    fn number(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(*self.take::<4>()?))
    }
    fn key(&mut self, epoch: u32) -> Result<SealKey> {
        let bytes = self.take::<32>()?;
        Ok(SealKey::made(epoch, |out| out.copy_from_slice(bytes)))
    }
}
