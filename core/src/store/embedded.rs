//! The embedded engine: redb, one file.
//!
//! Every call into the engine is caught: a panic of the engine (on a damaged file) becomes `corrupt` and poisons the handle.

use super::backend::{Backend, ReadView, Table, Visit, WriteTransaction};
use crate::error::{Code, Error, Result};
use redb::{Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// redb under [`Backend`].
pub struct Embedded {
    database: Database,
    poisoned: Arc<AtomicBool>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}

const fn definition(table: Table) -> Definition {
    TableDefinition::new(match table {
        Table::Meta => "meta",
        Table::Patient => "patient",
        Table::PatientName => "patient-name",
        Table::Block => "block",
        Table::Id => "id",
        Table::Index => "index",
        Table::Token => "token",
        Table::Audit => "audit",
        Table::Ledger => "ledger",
        Table::Quarantine => "quarantine",
    })
}

const TABLES: [Table; 10] = [
    Table::Meta,
    Table::Patient,
    Table::PatientName,
    Table::Block,
    Table::Id,
    Table::Index,
    Table::Token,
    Table::Audit,
    Table::Ledger,
    Table::Quarantine,
];

/// Runs a call into the engine.
fn guarded<T>(poisoned: &AtomicBool, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T> {
    if poisoned.load(Ordering::Relaxed) {
        return Err(Code::Poisoned.error());
    }
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(translate(&error)),
        Err(_) => {
            poisoned.store(true, Ordering::Relaxed);
            Err(Code::Corrupt.error())
        }
    }
}

fn translate(error: &redb::Error) -> Error {
    match error {
        redb::Error::Corrupted(_) => Code::Corrupt.error(),
        redb::Error::DatabaseAlreadyOpen => Code::Locked.error(),
        redb::Error::UpgradeRequired(_) => Code::VersionUnsupported.error(),
        redb::Error::PreviousIo => Code::Poisoned.error(),
        _ => Code::StoreIo.error(),
    }
}

fn opened(result: std::thread::Result<Result<Database, DatabaseError>>) -> Result<Database> {
    match result {
        Err(_) => Err(Code::Corrupt.error()),
        Ok(Err(DatabaseError::Storage(redb::StorageError::Io(error)))) => match error.kind() {
            std::io::ErrorKind::InvalidData => Err(Code::NotAStore.error()),
            _ => Err(error.into()),
        },
        Ok(result) => result.map_err(|error| translate(&error.into())),
    }
}

impl Embedded {
    /// Makes a new file. `cache` is in bytes.
    ///
    /// # Errors
    /// - `store-exists`, `io`, `locked`.
    pub fn create(path: &Path, cache: usize) -> Result<Self> {
        let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Code::StoreExists.error(),
            _ => error.into(),
        })?;
        let database = opened(catch_unwind(|| {
            let backend = redb::backends::FileBackend::new(file)?;
            Database::builder().set_cache_size(cache).create_with_backend(backend)
        }))?;
        let made = Embedded { database, poisoned: Arc::default() };
        guarded(&made.poisoned, || {
            let transaction = made.database.begin_write()?;
            for table in TABLES {
                transaction.open_table(definition(table))?;
            }
            Ok(transaction.commit()?)
        })?;
        Ok(made)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// - `io` (with the kind), `locked`, `not-a-store`, `corrupt`.
    pub fn open(path: &Path, cache: usize) -> Result<Self> {
        let database = opened(catch_unwind(|| Database::builder().set_cache_size(cache).open(path)))?;
        Ok(Embedded { database, poisoned: Arc::default() })
    }
}

impl Backend for Embedded {
    fn read(&self) -> Result<Box<dyn ReadView>> {
        let transaction = guarded(&self.poisoned, || Ok(self.database.begin_read()?))?;
        Ok(Box::new(View { transaction, poisoned: self.poisoned.clone() }))
    }
    fn write(&self) -> Result<Box<dyn WriteTransaction>> {
        let transaction = guarded(&self.poisoned, || {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            Ok(transaction)
        })?;
        Ok(Box::new(Writing { transaction, poisoned: self.poisoned.clone() }))
    }
    fn compact(&mut self) -> Result<bool> {
        let Embedded { database, poisoned } = self;
        guarded(poisoned, || Ok(database.compact()?))
    }
}

struct View {
    transaction: ReadTransaction,
    poisoned: Arc<AtomicBool>,
}

struct Writing {
    transaction: redb::WriteTransaction,
    poisoned: Arc<AtomicBool>,
}

fn get(table: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn range(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: &[u8],
    to: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), redb::Error> {
    for row in table.range::<&[u8]>((Bound::Included(from), Bound::Excluded(to)))? {
        let (key, value) = row?;
        if !visit(key.value(), value.value()) {
            break;
        }
    }
    Ok(())
}

type Pair = (Vec<u8>, Vec<u8>);

fn last(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: &[u8],
    to: &[u8],
) -> Result<Option<Pair>, redb::Error> {
    let row = table.range::<&[u8]>((Bound::Included(from), Bound::Excluded(to)))?.next_back().transpose()?;
    Ok(row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
}

impl ReadView for View {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        guarded(&self.poisoned, || get(&self.transaction.open_table(definition(table))?, key))
    }
    fn range(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        guarded(&self.poisoned, || range(&self.transaction.open_table(definition(table))?, from, to, visit))
    }
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Pair>> {
        guarded(&self.poisoned, || last(&self.transaction.open_table(definition(table))?, from, to))
    }
}

impl ReadView for Writing {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        guarded(&self.poisoned, || get(&self.transaction.open_table(definition(table))?, key))
    }
    fn range(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        guarded(&self.poisoned, || range(&self.transaction.open_table(definition(table))?, from, to, visit))
    }
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Pair>> {
        guarded(&self.poisoned, || last(&self.transaction.open_table(definition(table))?, from, to))
    }
}

impl WriteTransaction for Writing {
    fn put(&mut self, table: Table, rows: &mut dyn Iterator<Item = Pair>) -> Result<()> {
        guarded(&self.poisoned, || {
            let mut table = self.transaction.open_table(definition(table))?;
            for (key, value) in rows {
                table.insert(key.as_slice(), value.as_slice())?;
            }
            Ok(())
        })
    }
    fn remove(&mut self, table: Table, keys: &mut dyn Iterator<Item = Vec<u8>>) -> Result<()> {
        guarded(&self.poisoned, || {
            let mut table = self.transaction.open_table(definition(table))?;
            for key in keys {
                table.remove(key.as_slice())?;
            }
            Ok(())
        })
    }
    fn commit(self: Box<Self>) -> Result<()> {
        let Writing { transaction, poisoned } = *self;
        guarded(&poisoned, || Ok(transaction.commit()?))
    }
}
