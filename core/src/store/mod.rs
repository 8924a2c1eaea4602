//! The store: charts in one file, sealed, every version kept.
//!
//! Records are kept in sealed blocks of one patient and one type, with a sealed index per patient and a small index of keyed
//! tokens over all patients. A change set is one durable commit. Versions are never changed. The store keeps; who may and
//! who did is for others. Search, history and charts are read through a [`Snapshot`]; [`Change`] writes.

mod aside;
mod backend;
mod backup;
mod change;
mod check;
mod destroy;
mod embedded;
#[cfg(test)]
mod erasure;
mod find;
mod group;
mod hold;
#[cfg(test)]
mod laws;
mod layout;
mod moved;
mod note;
mod pages;
mod rekey;
mod renew;
pub(crate) mod salvage;
mod shred;
mod snapshot;
mod terms;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
#[cfg(all(test, target_os = "linux"))]
mod wiping;
mod witness;
mod wraps;

pub(crate) use aside::{AsideKey, AsideKind};
pub use backend::{Backend, Batch, ReadView, Row, Table, Visit};
#[doc(hidden)]
pub use backup::repair_on;
pub(crate) use backup::{repair, restore};
pub use change::{Change, Outcome, PutMeta};
pub use check::{CheckReport, Damage, DamageKind};
pub use destroy::Tombstone;
pub(crate) use embedded::{read_small, replace_file};
pub use find::{Admission, Cursor, Page};
pub use hold::{Hold, Released};
pub(crate) use layout::{Reader, Writer};
pub use moved::Moved;
pub use note::{ChangeKind, Note};
pub use pages::{Checked, Copied, Frozen, Mended, Steps};
pub(crate) use rekey::Changed;
pub use renew::Renewed;
#[doc(hidden)]
pub use salvage::salvage_on;
pub use salvage::{Lines, Missing, MissingKind, Salvaged};
pub use shred::Shredded;
pub use snapshot::{Snapshot, Stored};

use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random};
use crate::keys::{KeyRing, KeySource};
use crate::schema::ResourceType;
use crate::time::Timestamp;
use crate::vault::{Context, Packer, RowKind, SealKey};
use embedded::Embedded;
use group::Writing;
use layout::{Block, Place, Segment};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// An open store. Many threads may read; one change is made at a time.
pub struct Store {
    backend: Box<dyn Backend>,
    keys: KeyRing,
    random: Arc<dyn Random>,
    /// What is committed now; None after a commit until someone asks.
    latest: Mutex<Option<Arc<dyn ReadView>>>,
    writing: Mutex<Writing>,
    /// The thread that has the turn to write.
    holder: Mutex<Option<ThreadId>>,
    /// How many threads wait for `writing`.
    waiting: AtomicUsize,
    /// How many commits changed what tells who may see what: see [`Store::told`].
    told: AtomicU64,
    blocks: Mutex<Recent<(u32, u32), Arc<Block>>>,
    segments: Mutex<Recent<(u32, u32), Arc<Segment>>>,
    patient_keys: Mutex<Recent<(u32, u8), SealKey>>,
    group_keys: Mutex<Recent<u32, SealKey>>,
    packers: Mutex<Vec<Packer>>,
    /// Held while the epoch is changed.
    rotating: Mutex<()>,
    /// Held while the header is changed.
    rekeying: Mutex<()>,
    /// The process that opened the store.
    process: u32,
    /// How often something was shredded: what was read before that is not kept in memory.
    shreds: AtomicU64,
    /// Whether the store was written anew into another file, which counts from then on.
    moved: AtomicBool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// What [`Store::scrub`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// In how many places the byte strings stood.
    pub places: u64,
    /// A copy is being made: what it reads is in the file until it ends, what was to be gone among it.
    pub pinned: bool,
}

const STATE: &[u8] = b"state";
/// Most bytes of opened blocks and index segments, and most patient keys, kept in memory.
const BLOCK_CACHE: usize = 4 << 20;
const SEGMENT_CACHE: usize = 4 << 20;
const KEY_CACHE: usize = 4096;

/// Counters of the store.
#[derive(Clone, Copy)]
pub(crate) struct State {
    next_commit: u64,
    next_patient: u32,
    /// When the last commit was made: the next one is not earlier, whatever the clock says.
    at: Timestamp,
}

impl State {
    fn open(keys: &KeyRing, sealed: &[u8]) -> Result<State> {
        let place = Context::new(keys.store_id(), PatientNumber::SHARED, RowKind::Meta, 0, 0);
        let plain = crate::vault::open(keys.store_key(), &place, sealed)?;
        let mut reader = Reader { rest: &plain };
        Ok(State { next_commit: reader.number()?, next_patient: reader.small()?, at: Timestamp(reader.signed()?) })
    }
}

impl Store {
    /// Makes a store in one new file.
    ///
    /// # Errors
    /// - `store-exists`, `io`; of the key source; `random-unavailable`, `store-io`.
    pub fn create(path: &Path, source: &dyn KeySource, random: Arc<dyn Random>, cache_bytes: usize) -> Result<Store> {
        let made = Store::create_on(Box::new(embedded::new_file(path)?), source, random, cache_bytes);
        if made.as_ref().is_err() {
            // The file was made a moment ago by this call and holds nothing.
            let _ = std::fs::remove_file(path);
        }
        made
    }

    /// Opens a store. Read-only, nothing is written to the file, and any number of processes may have it open so.
    ///
    /// # Errors
    /// - `locked`: another handle or process has it open. `not-a-store`, `version-unsupported`, `wrong-key`, `corrupt`,
    ///   `truncated`, `io`; of the key source.
    pub fn open(
        path: &Path,
        source: &dyn KeySource,
        random: Arc<dyn Random>,
        cache_bytes: usize,
        read_only: bool,
    ) -> Result<Store> {
        Store::open_on(Box::new(embedded::file(path, read_only)?), source, random, cache_bytes, read_only)
    }

    /// Makes a store on storage of the caller's own: memory, or a double that fails on purpose.
    #[doc(hidden)]
    pub fn create_on(
        disk: Box<dyn redb::StorageBackend>,
        source: &dyn KeySource,
        random: Arc<dyn Random>,
        cache_bytes: usize,
    ) -> Result<Store> {
        let (keys, header) = KeyRing::create(source, &*random)?;
        let backend = Embedded::create(disk, &header, &keys, random.clone(), cache_bytes)?;
        let store = Store::new(Box::new(backend), keys, random);
        let mut batch = Batch::default();
        store.write_state(&mut batch, State { next_commit: 1, next_patient: 1, at: Timestamp(i64::MIN) })?;
        batch.put(Table::Meta, rekey::REVISION.to_vec(), store.sealed_revision(KeyRing::status(&header)?.revision)?);
        store.backend.commit(&batch)?;
        Ok(store)
    }

    /// Opens a store on storage of the caller's own.
    #[doc(hidden)]
    pub fn open_on(
        disk: Box<dyn redb::StorageBackend>,
        source: &dyn KeySource,
        random: Arc<dyn Random>,
        cache_bytes: usize,
        read_only: bool,
    ) -> Result<Store> {
        let mut refused = Code::NotAStore.error();
        for header in embedded::guarded(|| pages::key_headers(&*disk))? {
            match KeyRing::open(source, &header) {
                Ok(keys) => {
                    let backend = Embedded::open(disk, &keys, random.clone(), cache_bytes, read_only)?;
                    let now = backend.header()?;
                    // The newer superblock counts: a rotation that reached it took place.
                    let keys = if now == header { keys } else { KeyRing::open(source, &now)? };
                    let store = Store::new(Box::new(backend), keys, random);
                    store.check_revision(read_only)?;
                    source.opened(store.read_state(&*store.latest()?)?.at)?;
                    if !read_only {
                        // Every record opens without it. Where it cannot be done now, the status of security and every check say so, and
                        // the next check or opening tries again.
                        let _ = store.finish_burning();
                        store.finish_destroying(Timestamp(i64::MIN))?;
                    }
                    return Ok(store);
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn new(backend: Box<dyn Backend>, keys: KeyRing, random: Arc<dyn Random>) -> Store {
        Store {
            backend,
            keys,
            random,
            latest: Mutex::default(),
            writing: Mutex::default(),
            holder: Mutex::default(),
            waiting: AtomicUsize::new(0),
            told: AtomicU64::new(0),
            segments: Mutex::new(Recent::new(SEGMENT_CACHE)),
            blocks: Mutex::new(Recent::new(BLOCK_CACHE)),
            patient_keys: Mutex::new(Recent::new(KEY_CACHE)),
            group_keys: Mutex::new(Recent::new(KEY_CACHE)),
            rotating: Mutex::default(),
            packers: Mutex::default(),
            rekeying: Mutex::default(),
            process: std::process::id(),
            shreds: AtomicU64::new(0),
            moved: AtomicBool::new(false),
        }
    }

    /// Whether this is the process that opened the store, and the file that counts: a process that was forked shares the file with
    /// it and must not touch it.
    ///
    /// # Errors
    /// - `forked`: it is another process. `store-moved`: it is another file.
    pub(crate) fn at_home(&self) -> Result<()> {
        if std::process::id() != self.process {
            return Err(Code::Forked.error());
        }
        self.here()
    }
    /// Whether this is the file that counts.
    ///
    /// # Errors
    /// - `store-moved`: it is another.
    pub(crate) fn here(&self) -> Result<()> {
        if self.moved.load(Ordering::SeqCst) { Err(Code::StoreMoved.error()) } else { Ok(()) }
    }
    /// How many threads wait for their turn to write.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
    /// The keys of the store.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }
    /// The source of randomness the store was opened with.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }
    /// How many commits of this process wrote a record that tells who may see what: consents, care teams, encounters, patients,
    /// roles of practitioners, related persons. What was found out from such records holds while this stays the same; ask
    /// before taking the snapshot.
    pub(crate) fn told(&self) -> u64 {
        self.told.load(Ordering::Acquire)
    }
    /// A consistent view of what is committed now.
    ///
    /// # Errors
    /// - of the backend.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Ok(Snapshot { store: self, view: self.latest()?, fresh: None })
    }
    /// Looks at every byte of the file; says which slots are not as they were left.
    ///
    /// # Errors
    /// - of the backend.
    pub fn check(&self) -> Result<Checked> {
        self.backend.check()
    }
    /// Makes byte strings unreadable that stood in rows which are deleted, and wipes all free space of the file.
    ///
    /// # Durability
    /// When this returns, they are on the disk no more, unless a copy is being made that reads them: then [`Scrubbed::pinned`] says so, and
    /// they go when it ends.
    ///
    /// # Errors
    /// - of the backend.
    pub fn scrub(&self, gone: &[&[u8]]) -> Result<Scrubbed> {
        let writing = self.turn()?;
        *lock(&self.latest) = None; // an open view would keep what is to go
        let done = self.backend.scrub(gone).map(|places| Scrubbed { places, pinned: self.backend.is_copied() });
        self.pass(writing);
        done
    }
    /// Gives free space back to the file system.
    ///
    /// # Errors
    /// - of the backend.
    pub fn compact(&mut self) -> Result<bool> {
        *lock(&self.latest) = None; // an open view would stand in the way
        self.backend.compact()
    }

    /// The view of what is committed now, shared until the next commit.
    fn latest(&self) -> Result<Arc<dyn ReadView>> {
        self.at_home()?;
        if self.backend.is_poisoned() {
            return Err(Code::Poisoned.error());
        }
        let mut latest = lock(&self.latest);
        if let Some(view) = &*latest {
            return Ok(view.clone());
        }
        let view = self.backend.read()?;
        *latest = Some(view.clone());
        Ok(view)
    }

    fn write_state(&self, batch: &mut Batch, state: State) -> Result<()> {
        let mut out = Writer::default();
        out.number(state.next_commit);
        out.number(state.next_patient.into());
        out.signed(state.at.0);
        let sealed = crate::vault::seal(self.keys.store_key(), &self.meta_context(), &out.0, &*self.random)?;
        batch.put(Table::Meta, STATE.to_vec(), sealed);
        Ok(())
    }

    fn read_state(&self, view: &dyn ReadView) -> Result<State> {
        let sealed = view.get(Table::Meta, STATE)?.ok_or_else(|| Code::Corrupt.error())?;
        State::open(&self.keys, &sealed)
    }

    fn meta_context(&self) -> Context<'static> {
        self.context(0, RowKind::Meta, 0)
    }

    fn context(&self, patient: u32, row: RowKind, number: u32) -> Context<'static> {
        Context::new(self.keys.store_id(), PatientNumber(patient), row, number.into(), 0)
    }

    /// The place of a block or a segment.
    fn chart_context(&self, row: RowKind, (patient, number): (u32, u32)) -> Context<'static> {
        Context { compartment: layout::compartment(number), ..self.context(patient, row, number) }
    }

    /// Lends a packer.
    fn with_packer<T>(&self, work: impl FnOnce(&mut Packer) -> Result<T>) -> Result<T> {
        let lent = lock(&self.packers).pop();
        let mut packer = match lent {
            Some(packer) => packer,
            None => Packer::new()?,
        };
        let result = work(&mut packer);
        lock(&self.packers).push(packer);
        result
    }

    /// The key of a record in the id table: a token of the id, and the type.
    fn id_key(&self, kind: ResourceType, id: &str) -> [u8; 13] {
        let mut key = [0; 13];
        key[..12].copy_from_slice(&self.keys.token("id", &[id.as_bytes()])[..12]);
        key[12] = kind.number();
        key
    }

    fn name_key(&self, patient_id: &str) -> Vec<u8> {
        self.keys.token("patient", &[patient_id.as_bytes()]).to_vec()
    }

    fn alias_key(&self, address: &str) -> Vec<u8> {
        let mut key = b"alias ".to_vec();
        key.extend(self.keys.token("alias", &[address.as_bytes()]));
        key
    }

    /// The key of a value in the global index, without the patient.
    fn token_key(&self, label: &str, value: &str) -> [u8; 8] {
        *self.keys.token("value", &[label.as_bytes(), value.as_bytes()]).first_chunk().expect("a token has 16 bytes")
    }

    fn patient(&self, view: &(impl ReadView + ?Sized), id: &str) -> Result<Option<PatientNumber>> {
        let row = view.get(Table::PatientName, &self.name_key(id))?;
        row.map(|row| {
            Ok(PatientNumber(u32::from_be_bytes(row.as_slice().try_into().map_err(|_| Code::Corrupt.error())?)))
        })
        .transpose()
    }

    /// What `urn:uuid:...` or another full address stands for in this store, as `Type/id`.
    fn resolve(&self, view: &dyn ReadView, address: &str) -> Result<Option<String>> {
        if let Some(sealed) = view.get(Table::Meta, &self.alias_key(address))? {
            // Only who knows the address can open what it stands for.
            let mut context = self.context(0, RowKind::Alias, 0);
            context.labels = address.as_bytes();
            let plain = crate::vault::open(self.keys.store_key(), &context, &sealed)?;
            return Ok(std::str::from_utf8(&plain).ok().map(str::to_owned));
        }
        let Some(id) = address.strip_prefix("urn:uuid:") else { return Ok(None) };
        let token = self.keys.token("id", &[id.as_bytes()]);
        let (from, to) = (&token[..12], [&token[..12], &[u8::MAX]].concat());
        let (mut found, mut many) = (None, false);
        view.range(Table::Id, from, &to, &mut |key, _| {
            many |= found.is_some();
            found = key.last().copied();
            !many
        })?;
        Ok(found.filter(|_| !many).and_then(ResourceType::from_number).map(|kind| format!("{kind}/{id}")))
    }

    /// Opens a block. `keep`: whether it may stay in memory, which only a committed one may.
    fn block(&self, view: &dyn ReadView, place: Place, key: Option<&SealKey>, keep: bool) -> Result<Arc<Block>> {
        let number = (place.patient, place.block);
        if keep && let Some(block) = lock(&self.blocks).get(&number) {
            return Ok(block);
        }
        let shreds = self.shreds.load(SeqCst);
        let plain = self.chart_row(view, (Table::Block, RowKind::Block), number, key, keep)?;
        let size = plain.len();
        let block = Arc::new(layout::read_block(plain)?);
        if keep {
            self.remember(&self.blocks, shreds, number, block.clone(), size);
        }
        Ok(block)
    }

    /// Opens a block or a segment.
    fn chart_row(
        &self,
        view: &dyn ReadView,
        of: (Table, RowKind),
        number: (u32, u32),
        key: Option<&SealKey>,
        keep: bool,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        let open = |view: &dyn ReadView, key: Option<&SealKey>| {
            let chart = (number.0, layout::compartment(number.1));
            let Some(packed) = view.get(of.0, &pair(number))? else {
                let erased = of.0 == Table::Block && number.1 < self.gone_before(view, chart)?;
                return Err(if erased { Code::Erased.error() } else { Code::Corrupt.error() });
            };
            let context = self.chart_context(of.1, number);
            let patient_key;
            let key = match key {
                Some(key) => key,
                None => {
                    patient_key = self.patient_key(view, chart, keep)?;
                    &patient_key
                }
            };
            self.with_packer(|packer| packer.unpack(key, &context, &packed))
        };
        match open(view, key) {
            // The patient was given new keys since the view was taken: what is committed now says the same under those.
            Err(error) if keep && error.code() == Code::WrongKey => open(&*self.latest()?, None),
            opened => opened,
        }
    }

    /// The numbers of a patient's index segments, ascending, with their sizes.
    fn segment_numbers(&self, view: &dyn ReadView, patient: u32) -> Result<Vec<(u32, usize)>> {
        let mut found = Vec::new();
        let end = [pair((patient, u32::MAX)).as_slice(), &[0]].concat();
        view.range(Table::Index, &pair((patient, 0)), &end, &mut |key, value| {
            if let Some(Ok(number)) = key.get(4..).map(<[u8; 4]>::try_from) {
                found.push((u32::from_be_bytes(number), value.len()));
            }
            true
        })?;
        Ok(found)
    }

    /// Opens an index segment. `keep` as in [`Store::block`].
    fn segment(
        &self,
        view: &dyn ReadView,
        number: (u32, u32),
        key: Option<&SealKey>,
        keep: bool,
    ) -> Result<Arc<Segment>> {
        if keep && let Some(segment) = lock(&self.segments).get(&number) {
            return Ok(segment);
        }
        let shreds = self.shreds.load(SeqCst);
        let plain = self.chart_row(view, (Table::Index, RowKind::Index), number, key, keep)?;
        let segment = Arc::new(Segment::read(&plain)?);
        if keep {
            self.remember(&self.segments, shreds, number, segment.clone(), segment.weight());
        }
        Ok(segment)
    }

    /// Keeps something in memory, unless there was a shredding since it was looked for.
    fn remember<K: std::hash::Hash + Eq + Clone, V: Clone>(
        &self,
        cache: &Mutex<Recent<K, V>>,
        shreds: u64,
        key: K,
        value: V,
        size: usize,
    ) {
        let mut cache = lock(cache);
        if self.shreds.load(SeqCst) == shreds {
            cache.put(key, value, size);
        }
    }
}

/// The key of a row of the patient table.
fn patient_row((patient, compartment): (u32, u8)) -> [u8; 5] {
    let mut row = [compartment; 5];
    row[..4].copy_from_slice(&patient.to_be_bytes());
    row
}

fn pair((patient, number): (u32, u32)) -> [u8; 8] {
    (u64::from(patient) << 32 | u64::from(number)).to_be_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Things used lately, in two halves: when the young half is full it becomes the old one, and the old one goes.
struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    size: usize,
    most: usize,
}

impl<K: std::hash::Hash + Eq + Clone, V: Clone> Recent<K, V> {
    fn new(most: usize) -> Self {
        Recent { young: HashMap::new(), old: HashMap::new(), size: 0, most: most / 2 }
    }
    fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        // What comes back from the old half is not weighed again: it was, and leaves with this half at the latest.
        let (key, value) = self.old.remove_entry(key)?;
        self.young.insert(key, value.clone());
        Some(value)
    }
    /// Drops what is not to stay.
    fn retain(&mut self, stays: impl Fn(&K) -> bool) {
        self.young.retain(|key, _| stays(key));
        self.old.retain(|key, _| stays(key));
    }
    fn put(&mut self, key: K, value: V, size: usize) {
        if self.size + size > self.most {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += size;
        self.young.insert(key, value);
    }
}
