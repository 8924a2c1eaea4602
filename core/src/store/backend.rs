//! The seam under the store: ordered tables of byte keys, consistent views, and atomic batches.
//!
//! A backend never sees a key or a value in clear: keys are numbers and tokens, values are sealed. It is asked for two
//! things only, a view and the atomic, durable write of one sorted [`Batch`], so that a B-tree, an append-only segment log in front
//! of one, or a remote database can stand behind it.

use super::pages::{Checked, Frozen};
use crate::error::{Code, Result};
use crate::id::{Random, StoreId};
use crate::vault::SealKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A table. Numbers are part of the file format and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The keyring header in clear (it is authenticated), sealed counters, sealed addresses.
    Meta = 0,
    /// Patient number 4, compartment 1: the wrapped key of that part of the patient's chart.
    Patient = 1,
    /// Token of a patient's logical id 16: the patient's number.
    PatientName = 2,
    /// Patient number 4, block number 4: a sealed block of records.
    Block = 3,
    /// Token of an id 12, resource type 1: where its newest version is.
    Id = 4,
    /// Patient number 4, segment number 4: a sealed segment of the patient's index.
    Index = 5,
    /// Token of a value 8, patient number 4: the patient has a record with the value.
    Token = 6,
    /// Rows of the audit room.
    Audit = 7,
    /// Rows of the ledger room.
    Ledger = 8,
    /// Rows of the quarantine.
    Quarantine = 9,
    /// What was decided about entries: holds, requests, conflicts, tombstones. See store/aside.rs.
    Lifecycle = 10,
}

impl Table {
    /// Every table, in the order of their numbers.
    pub const ALL: [Table; 11] = [
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
        Table::Lifecycle,
    ];

    /// The width of keys and of values in bytes, where all have the same: an engine can store those more densely.
    pub const fn widths(self) -> (Option<usize>, Option<usize>) {
        match self {
            Table::Patient => (Some(5), None),
            Table::PatientName => (Some(16), Some(4)),
            Table::Block | Table::Index => (Some(8), None),
            Table::Id => (Some(13), Some(10)),
            Table::Token => (Some(12), Some(0)),
            Table::Meta | Table::Audit | Table::Ledger | Table::Quarantine | Table::Lifecycle => (None, None),
        }
    }
}

/// What is written atomically: rows to put and rows to delete, sorted by table and key.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rows: [BTreeMap<Vec<u8>, Option<Vec<u8>>>; Table::ALL.len()],
}

impl Batch {
    /// Puts a row.
    pub fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.rows[table as usize].insert(key, Some(value));
    }
    /// Deletes a row.
    pub fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.rows[table as usize].insert(key, None);
    }
    /// What this batch says of a row: nothing, that it is deleted, or its value.
    pub fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        self.rows[table as usize].get(key).map(Option::as_deref)
    }
    /// The rows of a table, in the order of their keys.
    pub fn rows(&self, table: Table) -> impl DoubleEndedIterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows[table as usize].iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
    /// What this batch says of the keys from `from` (included) to `to` (excluded).
    fn range<'a>(&'a self, table: Table, from: &[u8], to: &[u8]) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        use std::ops::Bound::{Excluded, Included};
        let rows = self.rows[table as usize].range::<[u8], _>((Included(from), Excluded(to)));
        rows.map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(BTreeMap::is_empty)
    }
    /// Adds the rows of `later`, which win.
    pub fn absorb(&mut self, later: Batch) {
        for (mine, theirs) in self.rows.iter_mut().zip(later.rows) {
            if mine.is_empty() {
                *mine = theirs;
            } else {
                mine.extend(theirs);
            }
        }
    }
    /// Checks keys and values against the widths of their tables.
    ///
    /// # Errors
    /// - `internal`: a row does not have the form of its table.
    pub fn check(&self) -> Result<()> {
        for table in Table::ALL {
            let (key_width, value_width) = table.widths();
            let fits = |width: Option<usize>, bytes: &[u8]| width.is_none_or(|width| width == bytes.len());
            for (key, value) in self.rows(table) {
                if !fits(key_width, key) || !value.is_none_or(|value| fits(value_width, value)) {
                    return Err(Code::Internal.error());
                }
            }
        }
        Ok(())
    }
}

/// Called with each key and value; false ends the walk.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> bool + 'a;

/// A row: its key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A consistent view that later commits do not change.
pub trait ReadView: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// - `store-io`, `corrupt`, `poisoned`.
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
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>>;
}

/// A storage engine. The store calls [`Backend::commit`] from one thread at a time and reads from any.
pub trait Backend: Send + Sync {
    /// A snapshot of what is committed.
    ///
    /// # Errors
    /// - `store-io`, `corrupt`, `poisoned`.
    fn read(&self) -> Result<Arc<dyn ReadView>>;
    /// Writes the whole batch, or nothing of it.
    ///
    /// # Durability
    /// When this returns, the batch is on the disk.
    ///
    /// # Errors
    /// - `store-io`; `read-only`, `poisoned`, `corrupt`. What is on the disk then is known when the store is opened again.
    fn commit(&self, batch: &Batch) -> Result<()>;
    /// Gives free space back to the file system, where nobody reads or writes; says whether it did.
    ///
    /// # Errors
    /// - as `commit`.
    fn compact(&self) -> Result<bool> {
        Ok(false)
    }
    /// The wrapped keys, in clear.
    ///
    /// # Errors
    /// - `store-io`.
    fn header(&self) -> Result<Vec<u8>>;
    /// Puts other wrapped keys in their place, durably: those before are gone from the storage.
    ///
    /// # Errors
    /// - as `commit`.
    fn put_header(&self, header: &[u8]) -> Result<()>;
    /// Gives every version of every page that the storage still keeps, in clear, those that are free too: for showing what
    /// is left of what was destroyed.
    ///
    /// # Errors
    /// - `store-io`.
    fn remains(&self, visit: &mut dyn FnMut(&[u8])) -> Result<()>;
    /// Makes an empty storage of the same sort on another disk, under another page key, to take the place of this one.
    ///
    /// # Errors
    /// - `store-io`, `random-unavailable`.
    fn beside(
        &self,
        disk: Box<dyn redb::StorageBackend>,
        header: &[u8],
        key: &SealKey,
        store: StoreId,
        random: Arc<dyn Random>,
    ) -> Result<Box<dyn Backend>>;
    /// Looks at every byte the storage keeps; says which places are not as they were left.
    ///
    /// # Errors
    /// - `store-io`.
    fn check(&self) -> Result<Checked> {
        Ok(Checked::default())
    }
    /// Holds on to what is committed now, for a copy. Called between commits.
    ///
    /// # Errors
    /// - `store-io`, `poisoned`.
    fn freeze(&self) -> Result<Frozen>;
    /// Whether a failure closed it: nothing is read or written through it any more, and what is in memory is not given out either.
    fn is_poisoned(&self) -> bool {
        false
    }
    /// Whether a copy is being made, so that what it reads is still in the storage.
    fn is_copied(&self) -> bool {
        false
    }
    /// Makes byte strings unreadable that stood in rows which are deleted: takes them out of whatever the storage still keeps of
    /// them, and wipes all its free space. Says in how many places they stood. A view from before sees zeros in their place.
    ///
    /// # Durability
    /// When this returns, they are on the disk no more.
    ///
    /// # Errors
    /// - as `commit`.
    fn scrub(&self, gone: &[&[u8]]) -> Result<u64>;
}

/// A view with batches on top that are not committed yet: what a change set sees.
pub(super) struct Overlay {
    pub(super) view: Arc<dyn ReadView>,
    /// Change sets that share the next commit.
    pub(super) under: Arc<Batch>,
    /// This change set.
    pub(super) mine: Batch,
}

impl Overlay {
    /// What the batches say of a range: later ones win.
    fn above(&self, table: Table, from: &[u8], to: &[u8]) -> BTreeMap<&[u8], Option<&[u8]>> {
        let mut rows: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        if from < to {
            rows.extend(self.under.range(table, from, to));
            rows.extend(self.mine.range(table, from, to));
        }
        rows
    }
}

impl ReadView for Overlay {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.mine.get(table, key).or_else(|| self.under.get(table, key)) {
            Some(said) => Ok(said.map(<[u8]>::to_vec)),
            None => self.view.get(table, key),
        }
    }

    fn range(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        let above = self.above(table, from, to);
        let mut above = above.into_iter().peekable();
        let mut go_on = true;
        self.view.range(table, from, to, &mut |key, value| {
            while let Some((before, said)) = above.next_if(|(next, _)| *next < key) {
                go_on = go_on && said.is_none_or(|value| visit(before, value));
            }
            go_on = go_on
                && match above.next_if(|(next, _)| *next == key) {
                    Some((_, said)) => said.is_none_or(|value| visit(key, value)),
                    None => visit(key, value),
                };
            go_on
        })?;
        for (key, said) in above {
            go_on = go_on && said.is_none_or(|value| visit(key, value));
        }
        Ok(())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>> {
        let above = self.above(table, from, to);
        let mut to = to.to_vec();
        loop {
            let below = self.view.last(table, from, &to)?;
            let newest = above.iter().rev().find(|(_, said)| said.is_some()).map(|(key, _)| *key);
            match below {
                // Deleted above: look before it.
                Some((key, _)) if above.get(key.as_slice()).is_some_and(Option::is_none) => to = key,
                Some((key, value)) if newest.is_none_or(|newest| newest < key.as_slice()) => {
                    return Ok(Some((key, value)));
                }
                _ => {
                    return Ok(newest.and_then(|key| Some((key.to_vec(), above.get(key).copied()??.to_vec()))));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A view over rows in memory.
    struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);
    impl ReadView for Rows {
        fn get(&self, _: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
            Ok(self.0.get(key).cloned())
        }
        fn range(&self, _: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<()> {
            let rows = self.0.iter().filter(|(key, _)| key.as_slice() >= from && key.as_slice() < to);
            rows.map(|(key, value)| visit(key, value)).take_while(|go_on| *go_on).for_each(drop);
            Ok(())
        }
        fn last(&self, _: Table, from: &[u8], to: &[u8]) -> Result<Option<Row>> {
            let mut rows = self.0.iter().filter(|(key, _)| key.as_slice() >= from && key.as_slice() < to);
            Ok(rows.next_back().map(|(key, value)| (key.clone(), value.clone())))
        }
    }

    proptest! {
        #[test]
        fn an_overlay_reads_as_if_its_batches_were_committed(
            steps in prop::collection::vec((0_usize..3, 0_u8..12, any::<Option<u8>>()), 0..30), from in 0_u8..14, to in 0_u8..14,
        ) {
            let (mut below, mut under, mut mine) = (BTreeMap::new(), Batch::default(), Batch::default());
            let mut model = BTreeMap::new();
            for layer in 0..3 {
                for (_, key, value) in steps.iter().filter(|(which, ..)| *which == layer) {
                    let batch = if layer == 1 { &mut under } else { &mut mine };
                    match value {
                        Some(value) if layer == 0 => { below.insert(vec![*key], vec![*value]); }
                        None if layer == 0 => { below.remove(&vec![*key]); }
                        Some(value) => batch.put(Table::Meta, vec![*key], vec![*value]),
                        None => batch.delete(Table::Meta, vec![*key]),
                    }
                    match value {
                        Some(value) => model.insert(vec![*key], vec![*value]),
                        None => model.remove(&vec![*key]),
                    };
                }
            }
            let (overlay, model) = (Overlay { view: Arc::new(Rows(below)), under: Arc::new(under), mine }, Rows(model));
            let all = |view: &dyn ReadView| {
                let mut rows = Vec::new();
                view.range(Table::Meta, &[from], &[to], &mut |key, value| {
                    rows.push((key.to_vec(), value.to_vec()));
                    rows.len() < 5
                }).expect("rows in memory");
                rows
            };
            prop_assert_eq!(all(&overlay), all(&model));
            prop_assert_eq!(overlay.last(Table::Meta, &[from], &[to]).expect("rows"), model.last(Table::Meta, &[from], &[to]).expect("rows"));
            for key in 0..12 {
                prop_assert_eq!(overlay.get(Table::Meta, &[key]).expect("rows"), model.get(Table::Meta, &[key]).expect("rows"));
            }
        }
    }
}
