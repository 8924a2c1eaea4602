//! What the store needs of an engine: ordered tables of byte keys, snapshots, atomic durable commits.
//!
//! A segment log can stand in front later: the store writes one sorted batch per table and commits once.

use crate::error::Result;

/// The tables of a store. Numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Table {
    Meta,
    Patient,
    PatientName,
    Block,
    Id,
    Index,
    Token,
    Audit,
    Ledger,
    Quarantine,
}

/// Called with each key and value; false ends the walk.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> bool + 'a;

/// A consistent view that later commits do not change.
pub trait ReadView: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// - `store-io`, `corrupt`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// Visits the keys from `from` (included) to `to` (excluded) in order.
    ///
    /// # Errors
    /// - as `get`.
    fn range(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()>;
    /// The last key before `to` and not before `from`, with its value.
    ///
    /// # Errors
    /// - as `get`.
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>>;
}

/// One write transaction; there is one at a time. Dropped without `commit`, nothing of it stays.
pub trait WriteTransaction: ReadView {
    /// Sets keys, best in ascending order.
    ///
    /// # Errors
    /// - as `get`.
    fn put(&mut self, table: Table, rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<()>;
    /// Takes keys out.
    ///
    /// # Errors
    /// - as `get`.
    fn remove(&mut self, table: Table, keys: &mut dyn Iterator<Item = Vec<u8>>) -> Result<()>;
    /// Makes everything durable at once.
    ///
    /// # Errors
    /// - as `get`; then nothing of it stays.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// A storage engine.
pub trait Backend: Send + Sync {
    /// A snapshot of what is committed.
    ///
    /// # Errors
    /// - `store-io`, `poisoned`.
    fn read(&self) -> Result<Box<dyn ReadView>>;
    /// Begins the write transaction; waits for one that is under way.
    ///
    /// # Errors
    /// - `store-io`, `poisoned`, `read-only`.
    fn write(&self) -> Result<Box<dyn WriteTransaction>>;
    /// Gives free space back to the file system, where nobody reads or writes; says whether it did.
    ///
    /// # Errors
    /// - `store-io`.
    fn compact(&mut self) -> Result<bool> {
        Ok(false)
    }
}
