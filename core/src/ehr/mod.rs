//! The front door: [`Ehr`] opens a store, a [`Session`] is the only way to what is in it.
//!
//! Every call of a session goes the same way: the table of `access` decides, `audit` takes the event, `store` keeps or gives;
//! writes and their audit events are one transaction. No audit event, no access. [`Path`] lists the calls; the store is reached
//! with a pass only, and records leave through the gate.

mod actor;
mod anchor;
mod backup;
mod check;
mod draft;
mod gate;
mod glass;
mod keys;
mod known;
mod pass;
mod path;
mod policy;
mod report;
mod salvage;
mod session;
mod shred;
#[cfg(test)]
mod tests;
mod trail;

pub use actor::Actor;
use anchor::Anchored;
pub use anchor::{Anchor, AnchorReport, Anchoring, FileAnchor};
pub use backup::{RepairOptions, Repaired};
pub(crate) use draft::Draft;
pub(crate) use gate::Gate;
pub use glass::{Emergency, Notify};
pub use keys::Rotated;
pub(crate) use pass::Pass;
pub use path::{Path, Urgency};
pub use report::{Disclosure, Report, Table as ReportTable};
pub use salvage::{SalvageInto, SalvageOptions};
pub(crate) use session::{Claim, checked, with_id};
pub use session::{
    Count, Found, HistoryEntry, Origin, SearchOptions, Session, VerifyLevel, VerifyReport, Write, Written,
};
pub use trail::AuditExport;
pub(crate) use trail::say_whose;

use crate::audit::{self, Event, EventKind, Shelf};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Error, Result};
use crate::id::{Random, SystemRandom};
use crate::keys::KeySource;
use crate::store::{Change, Store, Table};
use crate::time::{Clock, SystemClock, Timestamp};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// An open store. Cloning is cheap and gives the same store; the last one dropped closes it.
#[derive(Clone)]
pub struct Ehr(Arc<Inner>);

impl std::fmt::Debug for Ehr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ehr")
    }
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Audit events of reads, not yet written: [`PENDING_EVENTS`], at most [`PENDING_MICROS`] old when the next comes. Never
    /// more than [`MOST_PENDING`], whatever the disk does.
    pending: Mutex<Vec<Event>>,
    /// Fingerprints of the sources that imports are at.
    importing: Mutex<HashSet<[u8; 32]>>,
    /// The head of the audit log as this process left it.
    head: Mutex<audit::Known>,
    /// The policy in force, once it was read.
    policy: RwLock<Option<policy::Current>>,
    notify: RwLock<Arc<dyn Notify>>,
    /// What remembers, outside the file, how far the store had come.
    anchored: Option<Anchored>,
}

/// Read events are written in groups: at most this many.
const PENDING_EVENTS: usize = 1000;
/// Where so many wait because they cannot be written, nothing is shown until they are.
const MOST_PENDING: usize = 8 * PENDING_EVENTS;
/// Read events are written in groups: none waits longer than this when another call is made.
const PENDING_MICROS: i64 = 10_000;

/// What a host may bring: clock, randomness, memory.
#[derive(Clone)]
pub struct Options {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub random: Arc<dyn Random>,
    /// Bytes of the storage engine's cache.
    pub cache_bytes: usize,
    /// Who is told of emergency access.
    pub notify: Arc<dyn Notify>,
    /// What remembers, outside the file, how far the store had come; without one an older file put back is not noticed.
    pub anchor: Option<Anchoring>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom::default()),
            cache_bytes: 16 << 20,
            notify: Arc::new(()),
            anchor: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Options(cache {} bytes)", self.cache_bytes)
    }
}

/// What protects this store and what does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityStatus {
    /// The cryptographic provider.
    pub provider: &'static str,
    /// Whether records are sealed with a key per patient.
    pub key_per_patient: bool,
    /// Whether whole pages of the file are sealed too.
    pub pages_sealed: bool,
    /// Whether an older copy of the file put back would be noticed: there is an anchor, and it answers.
    pub rollback_protected: bool,
    /// Change sets that the anchor does not know of yet, and that an older copy could take away unseen; None without an anchor that
    /// answers.
    pub unanchored: Option<u64>,
    /// Whether a key or bytes of something that was destroyed are in the file still, because what was to take them out failed, or waits for a
    /// copy that reads them; also where that cannot be told. [`Session::check`] and the next opening try again.
    pub shred_unfinished: bool,
}

impl Ehr {
    /// Makes a new store in one new file.
    ///
    /// # Errors
    /// - `store-exists`, `io`; those of the key source; `random-unavailable`.
    pub fn create(path: impl AsRef<std::path::Path>, keys: &dyn KeySource, options: Options) -> Result<Ehr> {
        let store = Store::create(path.as_ref(), keys, options.random.clone(), options.cache_bytes)?;
        Ehr::created(store, options)
    }

    fn created(store: Store, options: Options) -> Result<Ehr> {
        let ehr = Ehr(Arc::new(Inner::new(store, options)));
        ehr.0.note_now(Event::new(EventKind::StoreCreate, ehr.0.clock.now(), "ehrcore"))?;
        ehr.0.note_all()?;
        Ok(ehr)
    }

    fn opened(store: Store, options: Options) -> Result<Ehr> {
        let ehr = Ehr(Arc::new(Inner::new(store, options)));
        if let Some(anchored) = &ehr.0.anchored {
            let accepted = anchored.check(&ehr.0.store)?;
            ehr.0.begin_anchor(accepted)?;
        }
        Ok(ehr)
    }

    /// Makes a store on storage of the caller's own: for tests and attacks.
    #[doc(hidden)]
    pub fn create_on(disk: Box<dyn redb::StorageBackend>, keys: &dyn KeySource, options: Options) -> Result<Ehr> {
        Ehr::created(Store::create_on(disk, keys, options.random.clone(), options.cache_bytes)?, options)
    }

    /// Opens a store on storage of the caller's own: for tests and attacks.
    #[doc(hidden)]
    pub fn open_on(disk: Box<dyn redb::StorageBackend>, keys: &dyn KeySource, options: Options) -> Result<Ehr> {
        let store = Store::open_on(disk, keys, options.random.clone(), options.cache_bytes, false)?;
        Ehr::opened(store, options)
    }

    /// Opens a store.
    ///
    /// # Errors
    /// - `locked`: another process has it open. `wrong-key`, `not-a-store`, `corrupt`, `io`; those of the key source.
    /// - with an anchor: `rolled-back`, and then nothing was written to the file; `anchor-missing`, `anchor-invalid`,
    ///   `anchor-other`, `anchor-unavailable`.
    pub fn open(path: impl AsRef<std::path::Path>, keys: &dyn KeySource, options: Options) -> Result<Ehr> {
        let open = |read_only| Store::open(path.as_ref(), keys, options.random.clone(), options.cache_bytes, read_only);
        if let Some(anchoring) = &options.anchor {
            // Before anything is written: what was put back stays as it is, to be looked at.
            Anchored::new(anchoring.clone()).check(&open(true)?)?;
        }
        Ehr::opened(open(false)?, options)
    }

    /// Begins a session of one actor for one purpose.
    ///
    /// # Errors
    /// - `invalid-argument`: the actor has no id, or a patient or caregiver is bound to no patient.
    pub fn session(&self, actor: Actor, purpose: crate::access::Purpose) -> Result<Session> {
        Session::begin(self.0.clone(), actor, purpose)
    }

    /// Says who is told of emergency access from now on, in place of who was named in [`Options`].
    pub fn set_notify(&self, notify: Arc<dyn Notify>) {
        *self.0.notify.write().unwrap_or_else(PoisonError::into_inner) = notify;
    }

    /// What protects this store and what does not yet.
    pub fn security_status(&self) -> SecurityStatus {
        let unanchored = self.0.unanchored();
        SecurityStatus {
            provider: <Active as Provider>::NAME,
            key_per_patient: true,
            pages_sealed: true,
            rollback_protected: unanchored.is_some(),
            unanchored,
            shred_unfinished: self.0.store.is_unfinished().unwrap_or(true),
        }
    }

    /// The signed head of the audit log, to be kept outside; None where nothing was recorded.
    ///
    /// # Errors
    /// - `audit-broken`; of the store.
    pub fn audit_head(&self) -> Result<Option<audit::Head>> {
        self.0.flush()?;
        let snapshot = self.0.store.snapshot()?;
        audit::head(&ViewShelf(snapshot.view()), self.0.store.keys())
    }

    /// The public key that verifies [`Ehr::audit_head`].
    pub fn audit_public_key(&self) -> [u8; 32] {
        self.0.store.keys().public_key()
    }

    /// The number that tells this store from all others, in hexadecimal.
    pub fn store_id(&self) -> String {
        self.0.store.keys().store_id().0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Looks at every byte of a file that nobody has open for writing, and writes nothing to it: which slots are not as they were
    /// left. It opens no record and needs no session; see `Session::check` for what the records say.
    ///
    /// # Errors
    /// - as [`Ehr::open`].
    pub fn condition(
        path: impl AsRef<std::path::Path>,
        keys: &dyn KeySource,
        options: Options,
    ) -> Result<crate::store::Checked> {
        Store::open(path.as_ref(), keys, options.random, options.cache_bytes, true)?.check()
    }

    /// Gives free space in the file back, where nobody else holds the store; says whether it did.
    ///
    /// # Errors
    /// - of the store.
    pub fn compact(&mut self) -> Result<bool> {
        match Arc::get_mut(&mut self.0) {
            Some(inner) => inner.store.compact(),
            None => Ok(false),
        }
    }
}

impl Inner {
    fn new(store: Store, options: Options) -> Self {
        Inner {
            store,
            clock: options.clock,
            pending: Mutex::default(),
            importing: Mutex::default(),
            head: Mutex::default(),
            policy: RwLock::default(),
            notify: RwLock::new(options.notify),
            anchored: options.anchor.map(Anchored::new),
        }
    }

    /// The policy in force; read from the store when it is asked for first.
    fn policy(&self) -> Result<policy::Current> {
        if let Some(current) = &*self.policy.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(current.clone());
        }
        let mut held = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(policy::Current::load(&self.store)?);
        }
        held.clone().ok_or_else(|| Code::Internal.error())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event to those that wait; says whether the group is full or old.
    fn wait(&self, event: Event) -> Result<bool> {
        self.store.at_home()?; // before any lock: a forked process may have inherited one that nobody gives back
        if self.lock().len() >= MOST_PENDING {
            self.flush()?; // none is taken in before those are written
        }
        let mut pending = self.lock();
        self.store.here()?; // the store did not move while this waited for the lock
        let first = pending.first().map_or(event.at, |first| first.at);
        let due = pending.len() + 1 >= PENDING_EVENTS || event.at.0 - first.0 >= PENDING_MICROS;
        pending.push(event.bounded());
        Ok(due)
    }

    /// Takes the event of a read or of a refusal, and writes the group where it is full or old. Inside a change set of the
    /// same thread (a callback of an import) the group waits for the commit, which takes it along.
    fn note_read(&self, event: Event) -> Result<()> {
        if self.wait(event)? && !self.store.has_turn() { self.flush() } else { Ok(()) }
    }

    /// Takes an event and writes it at once, with those that wait.
    fn note_now(&self, event: Event) -> Result<()> {
        if self.store.has_turn() {
            return Err(Code::TurnHeld.error());
        }
        self.wait(event)?;
        self.flush()
    }

    /// Writes the events that wait.
    fn flush(&self) -> Result<()> {
        self.store.at_home().or_else(|error| match error.code() {
            Code::StoreMoved if self.lock().is_empty() => Ok(()), // closing is fine: the other file has all events
            _ => Err(error),
        })?;
        if self.lock().is_empty() {
            return Ok(());
        }
        let unavailable = |error: Error| match error.code() {
            Code::TurnHeld => error,
            _ => Code::AuditUnavailable.error(),
        };
        let mut change = self.store.change(self.clock.now(), "").map_err(unavailable)?;
        let taken = self.append(&mut change, None)?;
        if let Err(error) = change.commit() {
            self.put_back(taken);
            return Err(unavailable(error));
        }
        self.note_commit();
        Ok(())
    }

    /// Appends what waits, and `event`, inside a change set. Gives what waited, to be put back should the commit fail.
    fn append(&self, change: &mut Change<'_>, event: Option<Event>) -> Result<Vec<Event>> {
        let mut waited = std::mem::take(&mut *self.lock());
        let waiting = waited.len();
        waited.extend(event.map(Event::bounded));
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = &mut ChangeShelf(change);
        let appended = audit::append(shelf, self.store.keys(), self.store.random(), &waited, &mut head);
        waited.truncate(waiting);
        if appended.is_err() {
            self.put_back(waited);
            return Err(Code::AuditUnavailable.error());
        }
        Ok(waited)
    }

    fn put_back(&self, events: Vec<Event>) {
        let mut pending = self.lock();
        let later = std::mem::replace(&mut *pending, events);
        pending.extend(later);
    }

    /// Commits a change set together with its event: both or neither.
    fn commit(&self, mut change: Change<'_>, mut event: Event) -> Result<u64> {
        event.commit = change.number();
        if let Some((witness, patients)) = change.witness()? {
            event.witness = witness;
            if event.patient == 0 && event.patients.is_empty() {
                trail::name(&mut event, patients.into_iter().collect());
            }
        }
        let waited = self.append(&mut change, Some(event))?;
        match change.commit() {
            Ok(number) => {
                self.note_commit();
                Ok(number)
            }
            Err(error) => {
                self.put_back(waited);
                Err(error)
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Events of reads whose session was dropped with an error; there is nobody left to tell if this fails too.
        let _ = self.flush();
        let _ = self.note_all();
    }
}

struct ChangeShelf<'a, 's>(&'a mut Change<'s>);

impl Shelf for ChangeShelf<'_, '_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.view().get(Table::Audit, key)
    }
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<audit::Row>> {
        self.0.view().last(Table::Audit, from, &after(to))
    }
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.0.table_put(Table::Audit, key, value)
    }
    fn remove(&mut self, key: Vec<u8>) -> Result<()> {
        self.0.table_remove(Table::Audit, key)
    }
}

struct ViewShelf<'a>(&'a dyn crate::store::ReadView);

impl Shelf for ViewShelf<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(Table::Audit, key)
    }
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<audit::Row>> {
        self.0.last(Table::Audit, from, &after(to))
    }
    fn put(&mut self, _: Vec<u8>, _: Vec<u8>) -> Result<()> {
        Err(Code::ReadOnly.error())
    }
    fn remove(&mut self, _: Vec<u8>) -> Result<()> {
        Err(Code::ReadOnly.error())
    }
}

/// The key right after another.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
