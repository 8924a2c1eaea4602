//! Reading: one consistent view.

use super::change::read_id_row;
use super::layout::{self, Block, Place};
use super::{Batch, Note, ReadView, Store, Table, pair};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::record::{Compartment, Record};
use crate::schema::ResourceType;
use crate::time::Timestamp;
use std::sync::Arc;

/// A consistent view of the store; later commits do not change it.
pub struct Snapshot<'s> {
    pub(super) store: &'s Store,
    pub(super) view: Arc<dyn ReadView>,
    /// Rows of the view that are not committed yet: what is read from them is not kept in memory.
    pub(super) fresh: Option<Arc<Batch>>,
}

/// One version of one record.
#[derive(Clone)]
pub struct Stored {
    block: Arc<Block>,
    number: u32,
    slot: u16,
    patient: u32,
    /// The bytes that are shown in place of those that were written.
    masked: Option<Arc<zeroize::Zeroizing<Vec<u8>>>>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stored({}, version {})", self.kind(), self.version())
    }
}

impl Stored {
    /// A version in a block that was opened.
    pub(super) fn new(block: &Arc<Block>, number: u32, slot: u16, patient: u32) -> Stored {
        Stored { block: block.clone(), number, slot, patient, masked: None }
    }
    /// The number of its block.
    pub(super) fn block_number(&self) -> u32 {
        self.number
    }
    fn slot(&self) -> &layout::Slot {
        &self.block.slots[usize::from(self.slot)]
    }
    /// Where the version before this one is.
    pub(super) fn before(&self) -> Option<Place> {
        self.slot().before
    }
    /// The resource type.
    pub fn kind(&self) -> ResourceType {
        self.slot().kind
    }
    /// The logical id.
    pub fn id(&self) -> &str {
        // INVARIANT: a block with an id that is not ASCII is not read.
        std::str::from_utf8(&self.block.bytes[self.slot().id.clone()]).unwrap_or_default()
    }
    /// The number of this version, from 1.
    pub fn version(&self) -> u32 {
        self.slot().version
    }
    /// Whether this version says that the record was deleted; then it has no bytes.
    pub fn is_deleted(&self) -> bool {
        self.slot().deleted
    }
    /// Whether this version hides the record; its bytes are those of the version before.
    pub fn is_retracted(&self) -> bool {
        self.slot().retracted
    }
    /// Whether this version, where it is the newest, shows the record: it is neither a deletion nor a retraction.
    pub fn is_shown(&self) -> bool {
        !self.is_deleted() && !self.is_retracted()
    }
    /// Why it came about, where that was said.
    pub fn note(&self) -> Option<&Note> {
        self.slot().note.as_deref()
    }
    /// The patient it belongs to.
    pub fn patient(&self) -> PatientNumber {
        PatientNumber(self.patient)
    }
    /// The compartment of that patient's chart.
    pub fn compartment(&self) -> Compartment {
        Compartment::from_number(layout::compartment(self.number)).unwrap_or(Compartment::PsychotherapyNotes)
    }
    /// When it was written.
    pub fn at(&self) -> Timestamp {
        self.block.at
    }
    /// Who wrote it.
    pub fn actor(&self) -> &str {
        &self.block.actor
    }
    /// The change set that wrote it.
    pub fn commit(&self) -> u64 {
        self.block.commit
    }
    /// The import source and the entry in it; 0 for a direct write.
    pub fn origin(&self) -> (u32, u32) {
        (self.slot().source, self.slot().entry)
    }
    /// The bytes exactly as they were written; of a masked record, what is left of them.
    pub fn bytes(&self) -> &[u8] {
        if let Some(masked) = &self.masked {
            return masked;
        }
        &self.block.bytes[self.slot().body.clone()]
    }
    /// Whether something was left out because it is not for this session.
    pub fn is_masked(&self) -> bool {
        self.masked.is_some()
    }
    /// The same version, showing other bytes.
    pub(crate) fn showing(self, bytes: Vec<u8>) -> Stored {
        Stored { masked: Some(Arc::new(zeroize::Zeroizing::new(bytes))), ..self }
    }
    /// The record, read from the bytes.
    ///
    /// # Errors
    /// - `not-found` for a deletion; `corrupt` never for what this library wrote.
    pub fn record(&self) -> Result<Record> {
        if self.is_deleted() {
            return Err(Code::NotFound.error());
        }
        Record::parse(self.bytes())
    }
}

impl Snapshot<'_> {
    /// Which store this is.
    pub(crate) fn store_id(&self) -> crate::id::StoreId {
        self.store.keys.store_id()
    }
    /// The rows beneath, for rooms that seal their own.
    pub fn view(&self) -> &dyn ReadView {
        &*self.view
    }

    /// Whether all of it is committed.
    pub(crate) fn is_committed(&self) -> bool {
        self.fresh.is_none()
    }

    /// Whether what is read from a row may stay in memory.
    pub(super) fn keeps(&self, table: Table, number: (u32, u32)) -> bool {
        self.fresh.as_ref().is_none_or(|fresh| fresh.get(table, &pair(number)).is_none())
    }

    pub(super) fn at(&self, place: Place) -> Result<Stored> {
        let keep = self.keeps(Table::Block, (place.patient, place.block));
        let block = self.store.block(&*self.view, place, None, keep)?;
        if usize::from(place.slot) >= block.slots.len() {
            return Err(Code::Corrupt.error());
        }
        Ok(Stored { block, number: place.block, slot: place.slot, patient: place.patient, masked: None })
    }

    /// The newest version, which may say that the record was deleted or retracted; None where there never was one.
    ///
    /// # Errors
    /// - of the backend; `erased`, `corrupt`.
    pub fn newest(&self, kind: ResourceType, id: &str) -> Result<Option<Stored>> {
        match self.view.get(Table::Id, &self.store.id_key(kind, id))? {
            // A row that was pointed at another record is found out here.
            Some(row) => match self.at(read_id_row(&row)?)? {
                stored if stored.kind() == kind && stored.id() == id => Ok(Some(stored)),
                _ => Err(Code::Corrupt.error()),
            },
            None => Ok(None),
        }
    }

    /// The newest version that is no deletion; None where there never was one, or it was destroyed.
    ///
    /// # Errors
    /// - as [`Snapshot::newest`].
    pub(crate) fn said(&self, kind: ResourceType, id: &str) -> Result<Option<Stored>> {
        let mut next = self.newest(kind, id)?;
        while let Some(stored) = next.take_if(|stored| stored.is_deleted()) {
            next = match self.earlier(&stored) {
                Err(error) if error.code() == Code::Erased => None,
                before => before?,
            };
        }
        Ok(next)
    }

    /// The current version; None where there is none or it is deleted or retracted.
    ///
    /// # Errors
    /// - as [`Snapshot::newest`].
    pub fn current(&self, kind: ResourceType, id: &str) -> Result<Option<Stored>> {
        Ok(self.newest(kind, id)?.filter(Stored::is_shown))
    }

    /// The version before another.
    fn earlier(&self, stored: &Stored) -> Result<Option<Stored>> {
        let Some(place) = stored.before() else { return Ok(None) };
        match self.at(place)? {
            earlier if earlier.kind() == stored.kind() && earlier.id() == stored.id() => Ok(Some(earlier)),
            _ => Err(Code::Corrupt.error()),
        }
    }

    /// How many change sets were committed.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn commits(&self) -> Result<u64> {
        Ok(self.store.read_state(&*self.view)?.next_commit.saturating_sub(1))
    }

    /// Whether a patient of that id was shredded, and none of that id was written since.
    ///
    /// # Errors
    /// - of the backend.
    pub fn is_erased(&self, id: &str) -> Result<bool> {
        Ok(self.patient(id)?.is_none() && self.store.erased(&*self.view, id)?.is_some())
    }

    /// Every version, newest first, deletions and retractions included; those in a compartment that was shredded, and all before them, are gone.
    ///
    /// # Errors
    /// - as [`Snapshot::newest`].
    pub fn history(&self, kind: ResourceType, id: &str) -> Result<Vec<Stored>> {
        let mut all = Vec::new();
        let mut next = self.newest(kind, id)?;
        while let Some(stored) = next {
            next = match self.earlier(&stored) {
                // What was written before lay in a compartment that was shredded.
                Err(error) if error.code() == Code::Erased => None,
                earlier => earlier?,
            };
            all.push(stored);
        }
        Ok(all)
    }

    /// The version that was the newest at an instant; None where there was none yet.
    ///
    /// # Errors
    /// - as [`Snapshot::newest`]; `erased`: that version lay in a compartment that was shredded.
    pub fn as_of(&self, kind: ResourceType, id: &str, at: Timestamp) -> Result<Option<Stored>> {
        let mut next = self.newest(kind, id)?;
        while let Some(stored) = next {
            if stored.at() <= at {
                return Ok(Some(stored));
            }
            next = self.earlier(&stored)?;
        }
        Ok(None)
    }

    /// The id of a record by the front of its token in the id table; None where there is no such record, its patient's key
    /// is gone, or it cannot be opened: one damaged block does not keep the audit log from being read.
    ///
    /// # Errors
    /// - of the backend.
    pub fn id_of(&self, kind: ResourceType, token: &[u8; 12]) -> Result<Option<String>> {
        let Some(row) = self.view.get(Table::Id, &[&token[..], &[kind.number()]].concat())? else { return Ok(None) };
        Ok(read_id_row(&row).and_then(|place| self.at(place)).ok().map(|stored| stored.id().to_owned()))
    }

    /// What an address such as `urn:uuid:...` stands for, as `Type/id`.
    ///
    /// # Errors
    /// - of the backend.
    pub fn resolve(&self, address: &str) -> Result<Option<String>> {
        self.store.resolve(&*self.view, address)
    }

    /// The number of a patient by logical id.
    ///
    /// # Errors
    /// - of the backend.
    pub fn patient(&self, id: &str) -> Result<Option<PatientNumber>> {
        self.store.patient(&*self.view, id)
    }

    /// Every record whose newest version lies in a patient's chart, those that are deleted or retracted too.
    ///
    /// # Errors
    /// - of the backend; `erased`, `corrupt`.
    pub(crate) fn every_record(&self, patient: PatientNumber) -> Result<Vec<(ResourceType, String)>> {
        let (from, to) = (patient.0.to_be_bytes(), [&patient.0.to_be_bytes()[..], &[0xff; 5]].concat());
        let mut blocks = Vec::new();
        self.view.range(Table::Block, &from, &to, &mut |key, _| {
            blocks.extend(key.last_chunk().map(|number| u32::from_be_bytes(*number)));
            true
        })?;
        let mut all = std::collections::BTreeSet::new();
        for block in blocks {
            let opened = self.store.block(&*self.view, Place { patient: patient.0, block, slot: 0 }, None, true)?;
            for slot in opened.slots.iter().filter(|slot| !slot.id.is_empty()) {
                let id = std::str::from_utf8(&opened.bytes[slot.id.clone()]).map_err(|_| Code::Corrupt.error())?;
                if self.newest(slot.kind, id)?.is_some_and(|newest| newest.patient() == patient) {
                    all.insert((slot.kind, id.to_owned()));
                }
            }
        }
        Ok(all.into_iter().collect())
    }

    /// The numbers of all patients, ascending; those of no single patient (0) first.
    ///
    /// # Errors
    /// - of the backend.
    pub fn patients(&self) -> Result<Vec<PatientNumber>> {
        let mut all = Vec::new();
        self.view.range(Table::Patient, &[], &[0xff; 6], &mut |key, _| {
            all.extend(key.first_chunk().map(|number| PatientNumber(u32::from_be_bytes(*number))));
            true
        })?;
        all.dedup(); // one row for each compartment
        Ok(all)
    }

    /// Every current record of one type of a patient. Where they never had one, their index is not opened.
    ///
    /// # Errors
    /// - as [`Snapshot::chart`].
    pub fn of_type(&self, patient: PatientNumber, kind: ResourceType) -> Result<Vec<Stored>> {
        let mut key = self.store.token_key("type", kind.name()).to_vec();
        key.extend(patient.0.to_be_bytes());
        if self.view.get(Table::Token, &key)?.is_none() {
            return Ok(Vec::new());
        }
        let index = self.index(patient.0)?;
        let mut places: Vec<(u32, u16)> = index
            .alive()
            .filter(|(number, ..)| *number == kind.number())
            .map(|(_, block, slot)| (block, slot))
            .collect();
        places.sort_unstable();
        places.into_iter().map(|(block, slot)| self.at(Place { patient: patient.0, block, slot })).collect()
    }

    /// The patient a record would belong to if it were written now; None where it names none that is known. `known`: what
    /// addresses stand for, beside what the store knows.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn patient_of(
        &self,
        record: &Record,
        known: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<PatientNumber>> {
        let resolve = |address: &str| known(address).or_else(|| self.resolve(address).ok().flatten());
        match super::change::patient_of(record, &resolve) {
            Some(id) => self.patient(&id),
            None => Ok(None),
        }
    }

    /// Every current record of a patient, by type and as written.
    ///
    /// # Errors
    /// - of the backend; `erased`, `corrupt`.
    pub fn chart(&self, patient: PatientNumber) -> Result<Vec<Stored>> {
        let index = self.index(patient.0)?;
        let mut places: Vec<(u8, u32, u16)> = index.alive().collect();
        places.sort_unstable();
        let mut chart: Vec<Stored> = Vec::with_capacity(places.len());
        for (_, number, slot) in places {
            let place = Place { patient: patient.0, block: number, slot };
            let same = chart.last().filter(|last| last.number == number && usize::from(slot) < last.block.slots.len());
            let stored = match same {
                Some(last) => Stored { block: last.block.clone(), slot, masked: None, ..*last },
                None => self.at(place)?,
            };
            chart.push(stored);
        }
        Ok(chart)
    }

    /// The chart of a patient, after checking that what is read by id is what the sealed index says is current: an id row
    /// that was set back to an earlier version, or removed, is `corrupt`.
    ///
    /// # Errors
    /// - as [`Snapshot::chart`].
    pub fn checked_chart(&self, patient: PatientNumber) -> Result<Vec<Stored>> {
        let chart = self.chart(patient)?;
        for stored in &chart {
            let row = self.view.get(Table::Id, &self.store.id_key(stored.kind(), stored.id()))?;
            let place = Place { patient: patient.0, block: stored.number, slot: stored.slot };
            if row.map(|row| read_id_row(&row)).transpose()? != Some(place) {
                return Err(Code::Corrupt.error());
            }
        }
        Ok(chart)
    }
}
