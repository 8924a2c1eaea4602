//! Keys: one random root per store, wrapped by the host, a passphrase, a recovery key or shares, or several of them; a random
//! key per patient.
//!
//! Root -> seals the tree: a random master, the key of the pages and the epoch keys, one for each epoch in use. Epoch key -> wraps
//! the keys of groups of patients -> each wraps the keys of its patients. Master -> HKDF -> store key, token key, audit key, signing
//! seed. So another root takes one row, another epoch takes a row for each group, and no record is written anew. Destroying a patient's
//! wrapped key, and then the keys it was wrapped under, makes that patient's records unreadable in every copy of its row.
//! Nothing here is ever printed; everything is wiped when dropped.

mod cached;
mod deadline;
mod digits;
mod header;
mod recovery;
mod shares;
mod source;
mod tree;

pub use cached::CachedSource;
pub use deadline::Deadline;
pub use recovery::RecoveryKey;
pub use shares::{Share, SharedKey};
pub use source::{KeySource, Passphrase, RawKey};

use crate::crypto::{MacKey, Scrub, SigningKey, scrub_stack};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random, StoreId};
use crate::vault::{self, Context, RowKind, SealKey};
use header::Header;
use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use tree::{RootKeys, Tree, derived};
use zeroize::Zeroizing;

/// The keys of one open store.
pub struct KeyRing {
    store: StoreId,
    store_key: SealKey,
    page_key: SealKey,
    audit_key: SealKey,
    token_key: MacKey,
    signing_key: SigningKey,
    /// What a rotation changes while the store is open.
    held: RwLock<Held>,
    _last: Scrub,
}

struct Held {
    root: RootKeys,
    /// The keys that wrap patients' keys, the current one last. Never empty.
    epochs: Vec<SealKey>,
}

/// A header to be written, and what changes in the keys once it is durable.
pub(crate) struct NewHeader {
    pub(crate) bytes: Vec<u8>,
    /// Ways that opened the store before and do not any more.
    pub(crate) dropped: Vec<String>,
    held: Option<Held>,
}

/// How many ways open a store, and how often its keys were rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// The names of the ways to open it.
    pub names: Vec<String>,
    /// Which root it is: 1 for the first, one more with each rotation.
    pub root_epoch: u32,
    /// How often the ways to open the store or its roots were changed, the first included.
    pub revision: u32,
}

impl KeyRing {
    /// Makes the keys of a new store; gives them and the header that opens them again.
    ///
    /// # Errors
    /// - `random-unavailable`, `key-unavailable`.
    pub fn create(source: &dyn KeySource, random: &dyn Random) -> Result<(KeyRing, Vec<u8>)> {
        let mut store = StoreId([0; 16]);
        random.fill(&mut store.0)?;
        let mut header = Header::new(store);
        let root = SealKey::random(header.epoch, random)?;
        header.put_wrap(source.name(), source.wrap(&header.wrap_context(), root.bytes(), random)?);
        let (keys, tree) = (RootKeys::of(&root, store, header.epoch), Tree::new(random)?);
        header.tree = tree.seal(&keys, &header, random)?;
        let bytes = header.write(&keys)?;
        drop(root);
        let ring = KeyRing::under(store, keys, tree)?;
        scrub_stack();
        Ok((ring, bytes))
    }

    /// Opens the keys with the header that [`KeyRing::create`] gave.
    ///
    /// # Errors
    /// - `wrong-key`: the source does not open this store.
    /// - `not-a-store`, `version-unsupported`, `corrupt`: the header is not what was written.
    /// - `key-weak`: the header asks for a key derivation below the floor. `key-unavailable`.
    pub fn open(source: &dyn KeySource, header: &[u8]) -> Result<KeyRing> {
        let (read, root, keys) = opened(source, header)?;
        drop(root);
        let tree = Tree::open(&keys, &read)?;
        let ring = KeyRing::under(read.store, keys, tree);
        scrub_stack();
        ring
    }

    /// `HKDF-Expand[SHA-512](master, "ehrcore v1 " || purpose || store id)` (RFC 5869, section 2.3), 32 bytes for each purpose.
    ///
    /// Rule: a purpose has one use, and the master has no other than this.
    fn under(store: StoreId, root: RootKeys, tree: Tree) -> Result<KeyRing> {
        let derived = |purpose| derived(&tree.master, purpose, store, 0);
        Ok(KeyRing {
            store,
            store_key: derived(b"store key"),
            page_key: tree.page.clone(),
            audit_key: derived(b"audit key"),
            token_key: MacKey::new(derived(b"token key").bytes()),
            signing_key: SigningKey::new(derived(b"signing seed").bytes())?,
            held: RwLock::new(Held { root, epochs: tree.epochs.clone() }),
            _last: Scrub,
        })
    }

    /// The header with one more way to open it, or with another in place of the one of the same name. The root stays, and so
    /// does everything sealed under it.
    ///
    /// # Errors
    /// - as [`KeyRing::open`] for `current`; `key-unavailable`, `random-unavailable`; `invalid-argument`: it does not fit.
    pub(crate) fn with_wrap(
        header: &[u8],
        current: &dyn KeySource,
        added: &dyn KeySource,
        random: &dyn Random,
    ) -> Result<NewHeader> {
        let (mut read, root, keys) = opened(current, header)?;
        read.put_wrap(added.name(), added.wrap(&read.wrap_context(), root.bytes(), random)?);
        NewHeader::kept(read, &keys, random)
    }

    /// The header without the way of that name to open it.
    ///
    /// # Errors
    /// - as [`KeyRing::open`] for `current`; `not-found`: there is none of that name; `last-key`: there is no other.
    pub(crate) fn without_wrap(
        header: &[u8],
        current: &dyn KeySource,
        name: &str,
        random: &dyn Random,
    ) -> Result<NewHeader> {
        let (mut read, _, keys) = opened(current, header)?;
        let before = read.wraps.len();
        read.wraps.retain(|(known, _)| known != name.as_bytes());
        match read.wraps.len() {
            after if after == before => Err(Code::NotFound.error()),
            0 => Err(Code::LastKey.error()),
            _ => NewHeader::kept(read, &keys, random),
        }
    }

    /// The header with another root, which `sources` open and nobody else does.
    ///
    /// # Errors
    /// - as [`KeyRing::open`] for `current`; `last-key`: no source is given; `invalid-argument`: two of one name, or it does not
    ///   fit; `key-unavailable`, `random-unavailable`.
    pub(crate) fn with_new_root(
        header: &[u8],
        current: &dyn KeySource,
        sources: &[&dyn KeySource],
        random: &dyn Random,
    ) -> Result<NewHeader> {
        let (mut read, _, keys) = opened(current, header)?;
        let tree = Tree::open(&keys, &read)?;
        if sources.is_empty() {
            return Err(Code::LastKey.error());
        }
        read.epoch = read.epoch.checked_add(1).ok_or_else(|| Code::Internal.error())?;
        read.step()?;
        let root = SealKey::random(read.epoch, random)?;
        let before = std::mem::take(&mut read.wraps);
        for source in sources {
            if read.wrap(source.name()).is_some() {
                return Err(Code::InvalidArgument.error().expected("key sources of different names"));
            }
            read.put_wrap(source.name(), source.wrap(&read.wrap_context(), root.bytes(), random)?);
        }
        let gone = before.iter().filter(|(name, _)| read.wraps.iter().all(|(kept, _)| kept != name));
        let dropped = gone.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        let keys = RootKeys::of(&root, read.store, read.epoch);
        read.tree = tree.seal(&keys, &read, random)?;
        let bytes = read.write(&keys)?;
        Ok(NewHeader { bytes, dropped, held: Some(Held { root: keys, epochs: tree.epochs }) })
    }

    /// The header with a further epoch, under which keys of patients are wrapped from then on.
    ///
    /// # Errors
    /// - `corrupt`; `random-unavailable`; `invalid-argument`: too many epochs are in use.
    pub(crate) fn with_new_epoch(&self, header: &[u8], random: &dyn Random) -> Result<NewHeader> {
        self.with_epochs(header, random, |tree| tree.add_epoch(random))
    }

    /// The header without the keys of epochs before `epoch`: what is still wrapped under them does not open any more.
    ///
    /// # Errors
    /// - `corrupt`, `random-unavailable`.
    pub(crate) fn with_epochs_from(&self, header: &[u8], epoch: u32, random: &dyn Random) -> Result<NewHeader> {
        self.with_epochs(header, random, |tree| {
            tree.epochs.retain(|key| key.epoch >= epoch);
            if tree.epochs.is_empty() { Err(Code::Internal.error()) } else { Ok(()) }
        })
    }

    /// The header with another key for the pages of the file, and that key: for a file that is written anew.
    ///
    /// # Errors
    /// - `corrupt`, `random-unavailable`.
    pub(crate) fn with_new_page_key(&self, header: &[u8], random: &dyn Random) -> Result<(NewHeader, SealKey)> {
        let mut page = None;
        let header = self.with_epochs(header, random, |tree| {
            let next = tree.page.epoch.checked_add(1).ok_or_else(|| Code::Internal.error())?;
            tree.page = SealKey::random(next, random)?;
            page = Some(tree.page.clone());
            Ok(())
        })?;
        Ok((header, page.ok_or_else(|| Code::Internal.error())?))
    }

    fn with_epochs(
        &self,
        header: &[u8],
        random: &dyn Random,
        change: impl FnOnce(&mut Tree) -> Result<()>,
    ) -> Result<NewHeader> {
        let keys = self.held().root.clone();
        header::verify(header, &keys)?;
        let mut read = Header::read(header)?;
        let mut tree = Tree::open(&keys, &read)?;
        change(&mut tree)?;
        read.step()?;
        read.tree = tree.seal(&keys, &read, random)?;
        let bytes = read.write(&keys)?;
        Ok(NewHeader { bytes, dropped: Vec::new(), held: Some(Held { root: keys, epochs: tree.epochs }) })
    }

    /// Goes over to what a header says, once it is durable.
    pub(crate) fn take(&self, header: NewHeader) {
        scrub_stack(); // what made the header is done
        if let Some(held) = header.held {
            *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        }
    }

    /// The names of the ways to open a store.
    ///
    /// # Errors
    /// - `not-a-store`, `version-unsupported`, `corrupt`.
    pub fn wrap_names(header: &[u8]) -> Result<Vec<String>> {
        Ok(KeyRing::status(header)?.names)
    }

    /// The ways to open a store, and how often its keys were rotated.
    ///
    /// # Errors
    /// - `not-a-store`, `version-unsupported`, `corrupt`.
    pub fn status(header: &[u8]) -> Result<KeyStatus> {
        let read = Header::read(header)?;
        let names = read.wraps.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        Ok(KeyStatus { names, root_epoch: read.epoch, revision: read.revision })
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many epochs there are keys of: more than one only while keys are wrapped anew.
    pub(crate) fn epochs(&self) -> usize {
        self.held().epochs.len()
    }
    /// The epoch that new keys of groups of patients are wrapped under.
    pub fn patient_epoch(&self) -> u32 {
        self.held().epochs.last().map_or(0, |key| key.epoch)
    }

    /// Every key of an open store, for a test that looks for them, each byte XOR `mask`: kept so, they are not found themselves.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn masked(&self, source: &dyn KeySource, header: &[u8], mask: u8) -> Vec<(&'static str, [u8; 32])> {
        let (read, root, keys) = opened(source, header).expect("it opens");
        let tree = Tree::open(&keys, &read).expect("it opens");
        let under = |purpose| derived(&tree.master, purpose, self.store, 0);
        let mut all = vec![("root", root), ("header", keys.header), ("tree", keys.tree)];
        all.extend([("token", under(b"token key")), ("signing seed", under(b"signing seed"))]);
        all.extend([("store", under(b"store key")), ("audit", under(b"audit key"))]);
        all.extend([("master", tree.master), ("page", tree.page)]);
        all.extend(tree.epochs.into_iter().map(|key| ("wrapping", key)));
        all.into_iter().map(|(name, key)| (name, key.bytes().map(|byte| byte ^ mask))).collect()
    }

    /// Which store these keys are for.
    pub fn store_id(&self) -> StoreId {
        self.store
    }
    /// The key that seals rows of the store as a whole.
    pub fn store_key(&self) -> &SealKey {
        &self.store_key
    }
    /// The key that seals pages of the file.
    pub fn page_key(&self) -> &SealKey {
        &self.page_key
    }
    /// The key that seals audit events.
    pub fn audit_key(&self) -> &SealKey {
        &self.audit_key
    }

    /// Makes a random key for a group of patients; gives it and its wrapped form, `seal[epoch key, place](key)` with the place of this
    /// store, row kind 36, number the group's. The epoch key is the current one; which one it is stands in clear in front of what is
    /// wrapped.
    ///
    /// # Errors
    /// - `random-unavailable`.
    pub fn new_group_key(&self, group: u32, random: &dyn Random) -> Result<(SealKey, Vec<u8>)> {
        let key = SealKey::random(0, random)?;
        let wrapped = self.wrapped(&self.group_context(group), key.bytes(), random)?;
        Ok((key, wrapped))
    }

    /// Unwraps the key of a group of patients.
    ///
    /// # Errors
    /// - `wrong-key`, `corrupt`: it is another group's or was changed. `key-epoch-gone`: its epoch's key was destroyed.
    pub fn group_key(&self, group: u32, wrapped: &[u8]) -> Result<SealKey> {
        key_of(&self.unwrapped(&self.group_context(group), wrapped)?)
    }

    /// The key of a group, wrapped under the current epoch; None where it is already.
    ///
    /// # Errors
    /// - as [`KeyRing::group_key`]; `random-unavailable`.
    pub(crate) fn rewrapped(&self, group: u32, wrapped: &[u8], random: &dyn Random) -> Result<Option<Vec<u8>>> {
        if vault::epoch(wrapped)? == self.patient_epoch() {
            return Ok(None);
        }
        let context = self.group_context(group);
        let plain = self.unwrapped(&context, wrapped)?;
        self.wrapped(&context, &plain, random).map(Some)
    }

    /// Makes a random key for a compartment of a patient; gives it and its wrapped form, `seal[group key, place](key)` with the
    /// place of this store, this patient, this compartment, row kind 2, number 0: in another row it does not open.
    ///
    /// # Errors
    /// - `random-unavailable`.
    pub fn new_patient_key(
        &self,
        patient: PatientNumber,
        compartment: u8,
        group: &SealKey,
        random: &dyn Random,
    ) -> Result<(SealKey, Vec<u8>)> {
        let key = SealKey::random(0, random)?;
        let wrapped = vault::seal(group, &self.patient_context(patient, compartment), key.bytes(), random)?;
        Ok((key, wrapped))
    }

    /// Unwraps the key of a compartment of a patient.
    ///
    /// # Errors
    /// - `wrong-key`, `corrupt`: it is another patient's, another compartment's, under another group key, or was changed.
    pub fn patient_key(
        &self,
        patient: PatientNumber,
        compartment: u8,
        group: &SealKey,
        wrapped: &[u8],
    ) -> Result<SealKey> {
        key_of(&vault::open(group, &self.patient_context(patient, compartment), wrapped)?)
    }

    /// The key of a compartment of a patient, wrapped under another group key.
    ///
    /// # Errors
    /// - as [`KeyRing::patient_key`]; `random-unavailable`.
    pub(crate) fn regrouped(
        &self,
        patient: PatientNumber,
        compartment: u8,
        [old, new]: [&SealKey; 2],
        wrapped: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>> {
        let context = self.patient_context(patient, compartment);
        vault::seal(new, &context, &vault::open(old, &context, wrapped)?, random)
    }

    fn wrapped(&self, context: &Context<'_>, key: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        let held = self.held();
        vault::seal(held.epochs.last().ok_or_else(|| Code::Internal.error())?, context, key, random)
    }

    fn unwrapped(&self, context: &Context<'_>, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (epoch, held) = (vault::epoch(wrapped)?, self.held());
        let key = held.epochs.iter().find(|key| key.epoch == epoch).ok_or_else(|| Code::KeyEpochGone.error())?;
        vault::open(key, context, wrapped)
    }

    fn group_context(&self, group: u32) -> Context<'static> {
        Context::new(self.store, PatientNumber::SHARED, RowKind::PatientGroup, group.into(), 0)
    }

    fn patient_context(&self, patient: PatientNumber, compartment: u8) -> Context<'static> {
        Context { compartment, ..Context::new(self.store, patient, RowKind::PatientKey, 0, 0) }
    }

    /// `HMAC-SHA-256[token key](index, parts...)`, each part length-prefixed, the first 16 bytes: what stands in an index in
    /// place of a value that could identify someone.
    pub fn token(&self, index: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut message = Vec::with_capacity(64);
        for part in std::iter::once(index.as_bytes()).chain(parts.iter().copied()) {
            message.extend_from_slice(&(part.len() as u32).to_be_bytes());
            message.extend_from_slice(part);
        }
        self.token_key.mac(&message)[..16].try_into().expect("an HMAC has 32 bytes")
    }

    /// `HMAC-SHA-256[token key]("version", hash)`, each part length-prefixed: what an audit event vouches for a version with.
    pub(crate) fn witness(&self, hash: &[u8; 32]) -> [u8; 32] {
        let mut message = Vec::with_capacity(47);
        for part in [&b"version"[..], hash] {
            message.extend_from_slice(&(part.len() as u32).to_be_bytes());
            message.extend_from_slice(part);
        }
        self.token_key.mac(&message)
    }

    /// `Ed25519.sign(seed, message)` (RFC 8032): for heads of the audit log. The seed is derived from the root and never stored.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing_key.sign(message)
    }
    /// The public key that verifies [`KeyRing::sign`].
    pub fn public_key(&self) -> [u8; 32] {
        self.signing_key.public_key()
    }
}

impl NewHeader {
    /// A header whose root and tree stay what they are.
    fn kept(mut read: Header, keys: &RootKeys, random: &dyn Random) -> Result<NewHeader> {
        let tree = Tree::open(keys, &read)?;
        read.step()?;
        read.tree = tree.seal(keys, &read, random)?;
        Ok(NewHeader { bytes: read.write(keys)?, dropped: Vec::new(), held: None })
    }
}

fn key_of(plain: &[u8]) -> Result<SealKey> {
    let bytes: &[u8; 32] = plain.try_into().map_err(|_| Code::Corrupt.error())?;
    Ok(SealKey::made(0, |out| out.copy_from_slice(bytes)))
}

/// The header read and checked, the root, and the two keys that come from it.
fn opened(source: &dyn KeySource, header: &[u8]) -> Result<(Header, SealKey, RootKeys)> {
    let read = Header::read(header)?;
    let wrapped = read.wrap(source.name()).ok_or_else(|| Code::WrongKey.error())?;
    let bytes = source.unwrap(&read.wrap_context(), wrapped)?;
    let root = SealKey::made(read.epoch, |out| out.copy_from_slice(&*bytes));
    let keys = RootKeys::of(&root, read.store, read.epoch);
    header::verify(header, &keys)?;
    Ok((read, root, keys))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")
    }
}

#[cfg(test)]
mod tests;
