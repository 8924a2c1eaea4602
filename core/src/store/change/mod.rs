//! One atomic change set.

mod found;
mod newest;
mod rows;
mod versions;

pub(super) use found::patient_of;
pub(super) use newest::{Newest, id_row, read_id_row};
pub(super) use rows::ChartState;

use super::backend::Overlay;
use super::group::Writing;
use super::hold::Hold;
use super::layout::BLOCK_BYTES;
use super::note::Note;
use super::{Batch, ReadView, Snapshot, State, Store, Table};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::time::Timestamp;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};
use versions::Pending;

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first version.
    Created,
    /// A further version, of this number.
    Updated(u32),
    /// The bytes are those of the current version; nothing was written.
    Unchanged(u32),
}

impl Outcome {
    /// The number of the version that is current now.
    pub const fn version(self) -> u32 {
        match self {
            Outcome::Created => 1,
            Outcome::Updated(version) | Outcome::Unchanged(version) => version,
        }
    }
}

/// Where a record comes from.
#[derive(Clone, Copy)]
pub struct PutMeta<'a> {
    /// What an address inside the source (`urn:uuid:...`) stands for, as `Type/id`.
    pub resolve: &'a dyn Fn(&str) -> Option<String>,
    /// Number of the import source; 0 for a direct write.
    pub source: u32,
    /// Number of the entry in the source, from 1.
    pub entry: u32,
    /// Why the version is made; kept with it.
    pub note: Option<&'a Note>,
}

impl PutMeta<'_> {
    /// A direct write, of which nothing more is said.
    pub const DIRECT: PutMeta<'static> = PutMeta { resolve: &|_| None, source: 0, entry: 0, note: None };
}

/// A change set under way. Dropped without [`Change::commit`], nothing of it stays.
pub struct Change<'s> {
    pub(super) store: &'s Store,
    writing: Option<MutexGuard<'s, Writing>>,
    pub(super) rows: Overlay,
    state: State,
    actor: String,
    pending: Vec<Pending>,
    pending_bytes: usize,
    by_id: HashMap<[u8; 13], usize>,
    /// Ids and bytes of what is pending, one after another.
    texts: Vec<u8>,
    /// Index entries of what is pending: parameter, value, extra.
    entries: Vec<(u16, u64, u64)>,
    /// Tokens of the global index, by a hash of what they stand for and the patient.
    pub(super) seen: HashSet<(u64, u32)>,
    pub(super) tokens: Vec<[u8; 12]>,
    /// By patient and compartment.
    pub(super) charts: HashMap<(u32, u8), ChartState>,
    pub(super) names: HashMap<String, u32>,
    /// What addresses stand for, as looked up since the last flush.
    pub(super) resolved: RefCell<HashMap<Box<str>, Option<String>>>,
    /// Compartments whose keys go with this change set.
    pub(super) forgotten: Vec<(u32, u8)>,
    written: u64,
    /// Patient, number and witness of each block it wrote.
    pub(super) blocks_written: Vec<(u32, u32, [u8; 32])>,
    /// The patient of the version written last.
    last_patient: Option<PatientNumber>,
    /// The holds that stand, of the patients that were asked about.
    pub(super) holds: HashMap<PatientNumber, Vec<Hold>>,
    /// Whether anything was ever destroyed; None until someone asks.
    pub(super) tombstones: Option<bool>,
    /// Whether a further version needs a reason; None until someone asks.
    pub(super) reason_required: Option<bool>,
    /// Whether a record was written that tells who may see what.
    pub(super) tells: bool,
    /// By the number of a type: how many bytes of its records made a block of [`BLOCK_PACKED`] lately.
    fill: [usize; 256],
}

impl Store {
    /// Begins a change set; waits for one under way. `actor` and `at` are kept with each version; should the clock have gone
    /// back, the time of the last commit is kept instead.
    ///
    /// # Errors
    /// - `turn-held`: this thread has one under way already. Of the backend.
    pub fn change(&self, at: Timestamp, actor: &str) -> Result<Change<'_>> {
        let mut writing = self.turn()?;
        let under = std::mem::take(&mut writing.batch);
        let view = match self.latest() {
            Ok(view) => view,
            Err(error) => {
                writing.batch = under;
                self.pass(writing);
                return Err(error);
            }
        };
        let rows = Overlay { view, under: Arc::new(under), mine: Batch::default() };
        let state = State { next_commit: 0, next_patient: 0, at };
        let mut change = Change {
            store: self,
            writing: Some(writing),
            rows,
            state,
            actor: actor.to_owned(),
            pending: Vec::new(),
            pending_bytes: 0,
            by_id: HashMap::new(),
            texts: Vec::new(),
            entries: Vec::new(),
            seen: HashSet::new(),
            tokens: Vec::new(),
            charts: HashMap::new(),
            names: HashMap::new(),
            resolved: RefCell::default(),
            forgotten: Vec::new(),
            written: 0,
            blocks_written: Vec::new(),
            last_patient: None,
            holds: HashMap::new(),
            tombstones: None,
            reason_required: None,
            tells: false,
            fill: [BLOCK_BYTES / 2; 256],
        };
        change.state = self.read_state(&change.rows)?;
        change.state.at = at.max(change.state.at);
        Ok(change)
    }
}

impl<'s> Change<'s> {
    /// What this change set is made upon: what is committed, and what change sets before it left to the same commit. What it
    /// writes itself is not in it.
    pub(crate) fn made_upon(&self) -> Snapshot<'s> {
        let view = self.rows.view.clone();
        if self.rows.under.is_empty() {
            return Snapshot { store: self.store, view, fresh: None };
        }
        let under = self.rows.under.clone();
        let rows = Overlay { view, under: under.clone(), mine: Batch::default() };
        Snapshot { store: self.store, view: Arc::new(rows), fresh: Some(under) }
    }
}

impl Change<'_> {
    /// The number of this change set.
    pub fn number(&self) -> u64 {
        self.state.next_commit
    }
    /// How many versions it wrote so far.
    pub fn written(&self) -> u64 {
        self.written
    }
    /// The patient of the version it wrote last.
    pub fn last_patient(&self) -> Option<PatientNumber> {
        self.last_patient
    }

    /// Sets a row of a table that another room seals for itself.
    ///
    /// # Errors
    /// - of the backend.
    pub fn table_put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.rows.mine.put(table, key, value);
        Ok(())
    }
    /// Takes a row out of a table that another room seals for itself.
    ///
    /// # Errors
    /// - of the backend.
    pub fn table_remove(&mut self, table: Table, key: Vec<u8>) -> Result<()> {
        self.rows.mine.delete(table, key);
        Ok(())
    }
    /// What is in the tables now, rows of this change set included; records that were put show after the commit.
    pub fn view(&self) -> &dyn ReadView {
        &self.rows
    }

    /// Makes the change set durable.
    ///
    /// # Durability
    /// When this returns, everything of it is on disk. When it fails, nothing of it is seen; after a failed write the handle
    /// is closed (`poisoned`), and what reached the disk, all of it or nothing, is known when the store is opened again.
    ///
    /// # Errors
    /// - of the backend.
    pub fn commit(mut self) -> Result<u64> {
        self.flush()?;
        let number = self.state.next_commit;
        let state = State { next_commit: number + 1, ..self.state };
        self.store.write_state(&mut self.rows.mine, state)?;
        self.rows.mine.check()?;
        let mut writing = self.writing.take().ok_or_else(|| Code::Internal.error())?;
        writing.batch = Arc::unwrap_or_clone(std::mem::take(&mut self.rows.under));
        writing.batch.absorb(std::mem::take(&mut self.rows.mine));
        writing.tells |= self.tells;
        let settled = self.store.settle(writing);
        if !self.forgotten.is_empty() {
            self.store.forget(&self.forgotten);
        }
        settled?;
        Ok(number)
    }
}

impl Drop for Change<'_> {
    /// Gives the turn back; change sets before this one keep what they wrote.
    fn drop(&mut self) {
        if let Some(mut writing) = self.writing.take() {
            writing.batch = Arc::unwrap_or_clone(std::mem::take(&mut self.rows.under));
            self.store.pass(writing);
        }
    }
}

impl std::fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Change({} written)", self.written)
    }
}
