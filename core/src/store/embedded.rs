//! redb behind [`Backend`]: one file, one writing process, pure Rust.
//!
//! Every call into the engine is guarded: should it panic (it may, on a file that was changed from outside), the caller gets
//! `corrupt` and the handle is closed for good.

use super::backend::{Backend, Batch, ReadView, Row, Table, Visit};
use super::pages::{Checked, Disk, Frozen, Pages};
use crate::error::{Code, Error, Result};
use crate::id::{Random, StoreId};
use crate::keys::KeyRing;
use crate::vault::SealKey;
use redb::{
    Database, Key, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TypeName, Value,
};
use std::cmp::Ordering;
use std::fs::{File, OpenOptions};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, RwLock};

/// Runs a block with `K` and `V` of the widths that [`Table::widths`] gives.
macro_rules! typed {
    ($table:expr, |$k:ident, $v:ident| $body:block) => {{
        macro_rules! of {
            ($key:ty, $value:ty) => {{
                type $k = $key;
                type $v = $value;
                $body
            }};
        }
        match $table {
            Table::Patient => of!(Fixed<5>, Bytes),
            Table::PatientName => of!(Fixed<16>, Fixed<4>),
            Table::Block | Table::Index => of!(Fixed<8>, Bytes),
            Table::Id => of!(Fixed<13>, Fixed<10>),
            Table::Token => of!(Fixed<12>, Fixed<0>),
            Table::Meta | Table::Audit | Table::Ledger | Table::Quarantine | Table::Lifecycle => of!(Bytes, Bytes),
        }
    }};
}

/// A store in one file: the engine over sealed pages.
pub struct Embedded {
    /// There until it is dropped.
    engine: Option<RwLock<Database>>,
    pages: Pages,
    read_only: bool,
    health: Arc<Health>,
}

/// Whether a handle may still be used.
#[derive(Default)]
struct Health {
    /// Something failed.
    poisoned: AtomicBool,
    /// The engine panicked: its locks may be broken, so that even putting it away would panic again.
    panicked: AtomicBool,
}

/// Memory for the pages of a storage that another one is copied to.
const BESIDE_CACHE: usize = 16 << 20;

/// Makes a new file, readable by its owner only, and locks it.
///
/// # Errors
/// - `store-exists`: there is a file of that name. `io`, `locked`.
pub(super) fn new_file(path: &Path) -> Result<Disk> {
    Disk::lock(empty_file(path)?, false)
}

/// Makes a new file, readable by its owner only.
///
/// # Errors
/// - `store-exists`, `io`.
pub(super) fn empty_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Code::StoreExists.error(),
        _ => error.into(),
    })?;
    sync_folder(path)?;
    Ok(file)
}

/// Opens a file and locks it: for one that writes, or for any number that read.
///
/// # Errors
/// - `locked`: another handle or process has it open. `io` (with the kind).
pub(super) fn file(path: &Path, read_only: bool) -> Result<Disk> {
    Disk::lock(OpenOptions::new().read(true).write(!read_only).open(path)?, read_only)
}

impl Embedded {
    /// Makes a store on an empty disk. `header`: the wrapped keys, kept in clear where opening finds them.
    ///
    /// # Errors
    /// - `io`, `store-io`, `random-unavailable`.
    pub(super) fn create(
        disk: Box<dyn StorageBackend>,
        header: &[u8],
        keys: &KeyRing,
        random: Arc<dyn Random>,
        cache_bytes: usize,
    ) -> Result<Self> {
        let pages = guarded(|| Pages::create(disk, header, keys.page_key(), keys.store_id(), random))?;
        Embedded::over(pages, cache_bytes, false)
    }

    /// Opens a store. Read-only, nothing is written to the disk.
    ///
    /// # Errors
    /// - `corrupt`, `truncated`, `store-io`.
    pub(super) fn open(
        disk: Box<dyn StorageBackend>,
        keys: &KeyRing,
        random: Arc<dyn Random>,
        cache_bytes: usize,
        read_only: bool,
    ) -> Result<Self> {
        let pages = guarded(|| Pages::open(disk, keys.page_key(), keys.store_id(), random, read_only))?;
        Embedded::over(pages, cache_bytes, read_only)
    }

    fn over(pages: Pages, cache_bytes: usize, read_only: bool) -> Result<Self> {
        let storage = pages.clone();
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes);
        let engine = guarded(|| builder.create_with_backend(storage).map_err(opening))?;
        Ok(Embedded { engine: Some(RwLock::new(engine)), pages, read_only, health: Arc::default() })
    }

    fn engine(&self) -> &RwLock<Database> {
        self.engine.as_ref().expect("it is taken out when this is dropped")
    }

    /// Runs `call` unless an earlier failure closed the handle; a panic of the engine closes it.
    fn watched<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        watched(&self.health, call)
    }
}

impl Backend for Embedded {
    fn read(&self) -> Result<Arc<dyn ReadView>> {
        let engine = self.engine().read().map_err(|_| Code::Poisoned.error())?;
        let transaction = self.watched(|| engine.begin_read().map_err(|error| failed(error.into())))?;
        Ok(Arc::new(Reader { transaction: Some(transaction), tables: Default::default(), health: self.health.clone() }))
    }

    fn commit(&self, batch: &Batch) -> Result<()> {
        batch.check()?;
        if self.read_only {
            return Err(Code::ReadOnly.error());
        }
        let engine = self.engine().read().map_err(|_| Code::Poisoned.error())?;
        let (rows, bytes, audit_only) = measure(batch);
        self.watched(|| self.pages.make_room(rows, bytes, audit_only))?;
        let written = self.watched(|| write(&engine, batch).map_err(failed));
        if written.is_err() {
            // What a failed write or sync left behind is unknown, so nothing more is built on it: reopening finds out.
            self.health.poisoned.store(true, SeqCst);
        }
        written
    }

    fn compact(&self) -> Result<bool> {
        if self.read_only {
            return Err(Code::ReadOnly.error());
        }
        let mut engine = self.engine().write().map_err(|_| Code::Poisoned.error())?;
        let done = self.watched(|| match engine.compact() {
            Ok(done) => Ok(done),
            Err(redb::CompactionError::TransactionInProgress) => Ok(false),
            Err(error) => Err(failed(error.into())),
        })?;
        self.pages.shrink()?;
        Ok(done)
    }

    fn header(&self) -> Result<Vec<u8>> {
        Ok(self.pages.header())
    }

    fn put_header(&self, header: &[u8]) -> Result<()> {
        self.watched(|| self.pages.put_header(header))
    }

    fn remains(&self, visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.pages.remains(visit)
    }

    fn beside(
        &self,
        disk: Box<dyn StorageBackend>,
        header: &[u8],
        key: &SealKey,
        store: StoreId,
        random: Arc<dyn Random>,
    ) -> Result<Box<dyn Backend>> {
        let pages = Pages::create_after(self.pages.sequence(), disk, header, key, store, random)?;
        Ok(Box::new(Embedded::over(pages, BESIDE_CACHE, false)?))
    }

    fn check(&self) -> Result<Checked> {
        self.watched(|| self.pages.check())
    }

    fn freeze(&self) -> Result<Frozen> {
        self.watched(|| self.pages.freeze())
    }

    fn is_poisoned(&self) -> bool {
        self.health.poisoned.load(SeqCst) || self.pages.has_panicked()
    }
    fn is_copied(&self) -> bool {
        self.pages.is_copied()
    }

    fn scrub(&self, gone: &[&[u8]]) -> Result<u64> {
        // Pages that a commit gave up are free for the engine once two more have followed.
        for _ in 0..3 {
            let mut batch = Batch::default();
            batch.put(Table::Meta, b"scrub".to_vec(), Vec::new());
            self.commit(&batch)?;
            let mut batch = Batch::default();
            batch.delete(Table::Meta, b"scrub".to_vec());
            self.commit(&batch)?;
        }
        let done = self.watched(|| self.pages.scrub(gone));
        if done.is_err() {
            self.health.poisoned.store(true, SeqCst);
        }
        done
    }
}

/// How many rows a batch has, how many bytes they take with their keys, and whether all of it is of the audit log.
fn measure(batch: &Batch) -> (usize, usize, bool) {
    let (mut rows, mut bytes, mut audit_only) = (0, 0, true);
    for table in Table::ALL {
        let before = rows;
        for (key, value) in batch.rows(table) {
            rows += 1;
            bytes += key.len() + value.map_or(0, <[u8]>::len) + 16;
        }
        audit_only &= rows == before || matches!(table, Table::Audit | Table::Meta);
    }
    (rows, bytes, audit_only)
}

fn write(database: &Database, batch: &Batch) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(redb::Durability::Immediate)?;
    for table in Table::ALL {
        if batch.rows(table).next().is_some() {
            typed!(table, |K, V| {
                let mut open = transaction.open_table(TableDefinition::<K, V>::new(name(table)))?;
                for (key, value) in batch.rows(table) {
                    match value {
                        Some(value) => drop(open.insert(key, value)?),
                        None => drop(open.remove(key)?),
                    }
                }
            });
        }
    }
    transaction.commit()?;
    Ok(())
}

/// A read transaction; tables are opened at first use.
struct Reader {
    /// There until it is dropped.
    transaction: Option<redb::ReadTransaction>,
    tables: [OnceLock<Option<Box<dyn Rows>>>; Table::ALL.len()],
    health: Arc<Health>,
}

impl Reader {
    fn with<T>(&self, table: Table, missing: T, call: impl FnOnce(&dyn Rows) -> Result<T>) -> Result<T> {
        watched(&self.health, || {
            let slot = &self.tables[table as usize];
            if slot.get().is_none() {
                let opened: Option<Box<dyn Rows>> = typed!(table, |K, V| {
                    let transaction = self.transaction.as_ref().expect("it is taken out when this is dropped");
                    match transaction.open_table(TableDefinition::<K, V>::new(name(table))) {
                        Ok(open) => Some(Box::new(open)),
                        Err(redb::TableError::TableDoesNotExist(_)) => None,
                        Err(error) => return Err(failed(error.into())),
                    }
                });
                let _ = slot.set(opened); // another thread may have been first, with the same
            }
            match slot.get() {
                Some(Some(rows)) => call(&**rows),
                _ => Ok(missing),
            }
        })
    }
}

impl ReadView for Reader {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with(table, None, |rows| rows.get(key))
    }
    fn range(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        self.with(table, (), |rows| rows.scan(from, to, visit))
    }
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>> {
        self.with(table, None, |rows| rows.last(from, to))
    }
}

/// A table with its widths forgotten.
trait Rows: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()>;
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Row>>;
}

impl<K, V> Rows for ReadOnlyTable<K, V>
where
    K: for<'a> Key<SelfType<'a> = &'a [u8]> + Send + Sync,
    V: for<'a> Value<SelfType<'a> = &'a [u8]> + Send + Sync,
{
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if K::fixed_width().is_some_and(|width| width != key.len()) {
            return Err(Code::Internal.error());
        }
        let found = ReadableTable::get(self, key).map_err(|error| failed(error.into()))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        let Some((from, to)) = bounds::<K>(from, to) else { return Ok(()) };
        for row in self.range::<&[u8]>((slice(&from), slice(&to))).map_err(|error| failed(error.into()))? {
            let (key, value) = row.map_err(|error| failed(error.into()))?;
            if !visit(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Row>> {
        let Some((from, to)) = bounds::<K>(from, to) else { return Ok(None) };
        let mut rows = self.range::<&[u8]>((slice(&from), slice(&to))).map_err(|error| failed(error.into()))?;
        let row = rows.next_back().transpose().map_err(|error| failed(error.into()))?;
        Ok(row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
    }
}

type KeyBound = Bound<Vec<u8>>;

/// The bounds of a range in keys of full width; None where nothing can lie between them.
fn bounds<K: Value>(from: &[u8], to: &[u8]) -> Option<(KeyBound, KeyBound)> {
    let (Some(width), true) = (K::fixed_width(), from < to) else {
        return (from < to).then(|| (Bound::Included(from.to_vec()), Bound::Excluded(to.to_vec())));
    };
    // A key of full width is at or after a prefix just where it is at or after the prefix filled up with zeros; it is before
    // a longer key just where it is at or before that key cut to the width.
    let fitted = |key: &[u8]| {
        let mut key = key.to_vec();
        key.resize(width, 0);
        key
    };
    let (first, end) = (fitted(from), fitted(to));
    let (open, closed) = (from.len() > width, to.len() > width);
    if first > end || first == end && (open || !closed) {
        return None;
    }
    let first = if open { Bound::Excluded(first) } else { Bound::Included(first) };
    Some((first, if closed { Bound::Included(end) } else { Bound::Excluded(end) }))
}

fn slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// Byte strings, compared as bytes.
#[derive(Debug)]
struct Bytes;
/// Byte strings of one length.
#[derive(Debug)]
struct Fixed<const N: usize>;

macro_rules! bytes_value {
    ([$($generic:tt)*] $name:ty, $width:expr, $text:expr) => {
        impl<$($generic)*> Value for $name {
            type SelfType<'a> = &'a [u8];
            type AsBytes<'a> = &'a [u8];
            fn fixed_width() -> Option<usize> {
                $width
            }
            fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
            where
                Self: 'a,
            {
                data
            }
            fn as_bytes<'a, 'b: 'a>(value: &'a Self::SelfType<'b>) -> &'a [u8]
            where
                Self: 'b,
            {
                value
            }
            fn type_name() -> TypeName {
                TypeName::new(&$text)
            }
        }
        impl<$($generic)*> Key for $name {
            fn compare(a: &[u8], b: &[u8]) -> Ordering {
                a.cmp(b)
            }
        }
    };
}
bytes_value!([] Bytes, None, "ehrcore::Bytes");
bytes_value!([const N: usize] Fixed<N>, Some(N), format!("ehrcore::Fixed<{N}>"));

const NAMES: [&str; Table::ALL.len()] =
    ["meta", "patient", "patient-name", "block", "id", "index", "token", "audit", "ledger", "quarantine", "lifecycle"];

/// The name a table has in the engine.
pub(super) fn name(table: Table) -> &'static str {
    NAMES[table as usize]
}

/// The first bytes of a file, at most so many: a file of somebody else's may be of any length.
pub(crate) fn read_small(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(File::open(path)?, most), &mut bytes)?;
    Ok(bytes)
}

/// Puts bytes in the place of a small file, whole or not at all, durably.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_folder(path).map_err(|error| std::io::Error::from(error.io_kind().unwrap_or(std::io::ErrorKind::Other)))
}

/// Makes the name of a new file durable.
fn sync_folder(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Gives a part of the engine back. After a panic it is left where it is: its locks are broken, and a second panic while the first
/// one is under way would end the process.
fn put_away<T>(health: &Health, part: T) {
    if health.panicked.load(SeqCst) {
        std::mem::forget(part);
    } else if catch_unwind(AssertUnwindSafe(|| drop(part))).is_err() {
        health.panicked.store(true, SeqCst);
        health.poisoned.store(true, SeqCst);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        put_away(&self.health, self.engine.take());
        if self.health.panicked.load(SeqCst) {
            let _ = guarded(|| self.pages.let_go()); // so that the file can be opened again
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        put_away(&self.health, (std::mem::take(&mut self.tables), self.transaction.take()));
    }
}

/// Runs what a panic must not leave: it becomes `corrupt`.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(Code::Corrupt.error()))
}

fn watched<T>(health: &Health, call: impl FnOnce() -> Result<T>) -> Result<T> {
    if health.poisoned.load(SeqCst) {
        return Err(Code::Poisoned.error());
    }
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        health.panicked.store(true, SeqCst);
        health.poisoned.store(true, SeqCst);
        Err(Code::Corrupt.error())
    })
}

fn opening(error: redb::DatabaseError) -> Error {
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen | redb::DatabaseError::LockProtocolMismatch => Code::Locked.error(),
        redb::DatabaseError::UpgradeRequired(_) => Code::VersionUnsupported.error(),
        redb::DatabaseError::Storage(error) => failed(error.into()),
        _ => Code::Corrupt.error(),
    }
}

/// Our word for the engine's error. Its own text is dropped: it may quote what it read.
fn failed(error: redb::Error) -> Error {
    match error {
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Code::Corrupt.error(),
        redb::Error::Io(error) => Code::StoreIo.error().with_io(error.kind()),
        redb::Error::PreviousIo | redb::Error::LockPoisoned(_) | redb::Error::DatabaseClosed => Code::Poisoned.error(),
        redb::Error::Backend(_) => Code::StoreIo.error(),
        redb::Error::ValueTooLarge(_) => Code::LimitSize.error(),
        _ => Code::Corrupt.error(),
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panics<T>() -> T {
        std::panic::resume_unwind(Box::new("of the engine")) // without a message on standard error
    }

    #[test]
    fn an_engine_that_panics_is_damage_and_is_not_asked_again() {
        let health = Health::default();
        assert_eq!(watched(&health, || Ok(1)).expect("it works"), 1);
        assert_eq!(watched(&health, panics::<Result<()>>).expect_err("it panicked").code(), Code::Corrupt);
        let mut asked = false;
        let again = watched(&health, || {
            asked = true;
            Ok(())
        });
        assert_eq!((again.expect_err("it is over").code(), asked), (Code::Poisoned, false));
        assert_eq!(guarded(panics::<Result<()>>).expect_err("it panicked").code(), Code::Corrupt);
    }

    #[test]
    fn a_part_that_panics_when_it_is_put_away_closes_the_handle_and_the_next_is_left_alone() {
        struct Part<'a>(&'a AtomicBool, bool);
        impl Drop for Part<'_> {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
                if self.1 {
                    panics::<()>();
                }
            }
        }
        let (health, first, second) = (Health::default(), AtomicBool::new(false), AtomicBool::new(false));
        put_away(&health, Part(&first, true));
        assert!(first.load(SeqCst) && health.poisoned.load(SeqCst) && health.panicked.load(SeqCst));
        put_away(&health, Part(&second, false));
        assert!(!second.load(SeqCst), "its locks may be broken");
    }

    /// The engine's own words may quote what it read: only ours leave.
    #[test]
    fn every_error_of_the_engine_has_a_word_of_ours_and_none_of_its_own() {
        use std::io::{Error as Io, ErrorKind};
        let io = |kind| redb::Error::Io(Io::new(kind, "Marker"));
        for (error, code) in [
            (io(ErrorKind::InvalidData), Code::Corrupt),
            (io(ErrorKind::StorageFull), Code::StoreIo),
            (redb::Error::PreviousIo, Code::Poisoned),
            (redb::Error::DatabaseClosed, Code::Poisoned),
            (redb::Error::ValueTooLarge(9), Code::LimitSize),
            (redb::Error::Corrupted("Marker".into()), Code::Corrupt),
        ] {
            let ours = failed(error);
            assert_eq!(ours.code(), code);
            assert!(!format!("{ours} {ours:?}").contains("Marker"));
        }
        assert_eq!(failed(io(ErrorKind::StorageFull)).io_kind(), Some(ErrorKind::StorageFull));
        assert_eq!(opening(redb::DatabaseError::DatabaseAlreadyOpen).code(), Code::Locked);
        assert_eq!(opening(redb::DatabaseError::UpgradeRequired(1)).code(), Code::VersionUnsupported);
        assert_eq!(opening(redb::DatabaseError::RepairAborted).code(), Code::Corrupt);
        let storage = redb::StorageError::Io(Io::new(ErrorKind::PermissionDenied, "Marker"));
        assert_eq!(opening(redb::DatabaseError::Storage(storage)).code(), Code::StoreIo);
    }
}
