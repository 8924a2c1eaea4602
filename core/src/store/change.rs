//! One atomic change set.

use super::backend::Overlay;
use super::group::Writing;
use super::hold::Hold;
use super::layout::{self, BLOCK_BYTES, BLOCK_PACKED, BLOCK_RECORDS, Block, Entry, NewSlot, Place, Segment, Slot};
use super::note::{ChangeKind, Note};
use super::{Batch, ReadView, Snapshot, State, Store, Table, pair, patient_row, terms};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::record::{Compartment, Record};
use crate::schema::ResourceType;
use crate::search::{extract, hash64, parse_reference};
use crate::time::Timestamp;
use crate::vault::{RowKind, SealKey};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, MutexGuard};

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

/// Key and numbers of a compartment of a patient.
pub(super) struct ChartState {
    key: SealKey,
    next_block: u32,
    next_segment: u32,
}

struct Pending {
    chart: (u32, u8),
    kind: ResourceType,
    id: Range<usize>,
    key: [u8; 13],
    version: u32,
    deleted: bool,
    retracted: bool,
    before: Option<Place>,
    source: u32,
    entry: u32,
    note: Option<Box<Note>>,
    bytes: Range<usize>,
    entries: Range<usize>,
}

impl Pending {
    /// Whether the record is there to be seen after this.
    fn is_shown(&self) -> bool {
        !self.deleted && !self.retracted
    }
}

/// The newest version of a record.
pub(super) struct Newest {
    pub(super) place: Place,
    block: Arc<Block>,
}

impl Newest {
    pub(super) fn slot(&self) -> &Slot {
        &self.block.slots[usize::from(self.place.slot)]
    }
    /// The type and the id.
    pub(super) fn name(&self) -> Result<(ResourceType, String)> {
        let id = std::str::from_utf8(&self.block.bytes[self.slot().id.clone()]).map_err(|_| Code::Corrupt.error())?;
        Ok((self.slot().kind, id.to_owned()))
    }
    /// How many versions lie in the same block.
    pub(super) fn slots(&self) -> u16 {
        u16::try_from(self.block.slots.len()).unwrap_or(u16::MAX)
    }
    /// Its bytes; None where it says that the record is deleted or hides it.
    fn bytes(&self) -> Option<&[u8]> {
        (!self.slot().deleted && !self.slot().retracted).then(|| self.hidden_bytes())
    }
    /// Its bytes, of a retraction too.
    pub(super) fn hidden_bytes(&self) -> &[u8] {
        &self.block.bytes[self.slot().body.clone()]
    }
}

/// Types whose records tell who may see what of others.
const TELLING: [&str; 6] = ["CareTeam", "Consent", "Encounter", "Patient", "PractitionerRole", "RelatedPerson"];
/// Pending bytes at which blocks are made; they stay in memory, sealed, until the commit.
const FLUSH: usize = 4 << 20;
/// Index segments a patient may have before small ones are merged.
const SEGMENTS: u32 = 6;
/// Bytes up to which a segment's size is not worth telling apart.
const SMALL_SEGMENT: usize = 1024;
/// Up to so many tokens are looked up before they are put, so that a small commit does not write pages in vain.
const FEW_TOKENS: usize = 64;
/// Most addresses whose meaning is kept between flushes.
const RESOLVED: usize = 1 << 14;

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

    /// Writes a record under its own id.
    ///
    /// # Errors
    /// - `invalid-argument`: the record has no id of a form FHIR allows.
    /// - `retracted`: it takes [`Change::restore`] first, so that what was retracted does not come back unseen.
    /// - `hold`, with whom to ask. `reason-required`: the store wants a note with every version after the first. `destroyed`.
    /// - of the backend.
    pub fn put(&mut self, record: &Record, meta: &PutMeta<'_>) -> Result<Outcome> {
        self.write(record, meta, false)
    }

    /// Says whether [`Change::put`] would refuse the record for what was decided about it before; writes nothing.
    ///
    /// # Errors
    /// - as [`Change::put`].
    pub fn may_put(&mut self, record: &Record, meta: &PutMeta<'_>) -> Result<()> {
        let Some(id) = record.id() else { return Ok(()) };
        let newest = self.newest(&self.store.id_key(record.kind(), id))?;
        if newest.as_ref().is_some_and(|newest| newest.bytes() == Some(record.original())) {
            return Ok(());
        }
        self.admit(record.kind(), id, newest.as_ref(), meta, false)
    }

    /// What was decided about a record before, and may stand in the way of a further version.
    fn admit(
        &mut self,
        kind: ResourceType,
        id: &str,
        newest: Option<&Newest>,
        meta: &PutMeta<'_>,
        restoring: bool,
    ) -> Result<()> {
        let Some(newest) = newest else { return self.refuse_destroyed(&self.store.id_key(kind, id)) };
        self.refuse_held(newest.place.patient, kind, id)?;
        if newest.slot().retracted && !restoring {
            return Err(Code::Retracted.error());
        }
        if meta.note.is_none() && meta.source == 0 && self.reason_required()? {
            return Err(Code::ReasonRequired.error());
        }
        Ok(())
    }

    fn reason_required(&mut self) -> Result<bool> {
        if self.reason_required.is_none() {
            self.reason_required = Some(self.store.rules(&self.rows)?.first() == Some(&1));
        }
        Ok(self.reason_required == Some(true))
    }

    fn write(&mut self, record: &Record, meta: &PutMeta<'_>, restoring: bool) -> Result<Outcome> {
        let id = record.id().ok_or_else(|| Code::InvalidArgument.error().expected("a record with an id"))?;
        let kind = record.kind();
        let key = self.store.id_key(kind, id);
        if let Some(&at) = self.by_id.get(&key) {
            if self.pending[at].is_shown() && self.texts[self.pending[at].bytes.clone()] == *record.original() {
                return Ok(Outcome::Unchanged(self.pending[at].version));
            }
            self.flush()?;
        }
        let before = self.newest(&key)?;
        if let Some(newest) = before.as_ref().filter(|newest| newest.bytes() == Some(record.original())) {
            return Ok(Outcome::Unchanged(newest.slot().version));
        }
        self.admit(kind, id, before.as_ref(), meta, restoring)?;
        let patient = match patient_of(record, &|address| self.resolve(meta, address)) {
            Some(id) => self.patient_number(&id)?,
            None => PatientNumber::SHARED.0,
        };
        let chart = (patient, Compartment::of(record) as u8);
        self.load_chart(chart)?;
        let entries = self.index(record, patient, meta);
        let version = before.as_ref().map_or(1, |newest| newest.slot().version.saturating_add(1));
        let (id, bytes) = (self.keep(id.as_bytes()), self.keep(record.original()));
        self.push(Pending {
            chart,
            kind,
            id,
            key,
            version,
            deleted: false,
            retracted: false,
            before: before.map(|newest| newest.place),
            source: meta.source,
            entry: meta.entry,
            note: meta.note.cloned().map(Box::new),
            bytes,
            entries,
        })?;
        Ok(if version == 1 { Outcome::Created } else { Outcome::Updated(version) })
    }

    /// Writes a version that says the record is deleted; earlier versions stay.
    ///
    /// # Errors
    /// - `not-found`: there is no such record, or it is deleted or retracted already. `hold`, `reason-required`.
    pub fn delete(&mut self, kind: ResourceType, id: &str, note: Option<&Note>) -> Result<u32> {
        self.end(kind, id, note)
    }

    /// Writes a version that hides the record: the bytes stay, no index has them, and no call that asks for the current
    /// version gives them.
    ///
    /// # Errors
    /// - `not-found`: there is no such record, or it is deleted or retracted already. `hold`.
    pub fn retract(&mut self, kind: ResourceType, id: &str, note: &Note) -> Result<u32> {
        self.end(kind, id, Some(note))
    }

    /// Undoes a retraction: a new version with the bytes of the one that was hidden.
    ///
    /// # Errors
    /// - `not-found`: there is no such record, or it is not retracted. `hold`.
    pub fn restore(&mut self, kind: ResourceType, id: &str, note: &Note) -> Result<Outcome> {
        let key = self.store.id_key(kind, id);
        if self.by_id.contains_key(&key) {
            self.flush()?;
        }
        let newest = self.newest(&key)?.filter(|newest| newest.slot().retracted);
        let newest = newest.ok_or_else(|| Code::NotFound.error())?;
        let record = Record::parse(newest.hidden_bytes())?;
        self.write(&record, &PutMeta { note: Some(note), ..PutMeta::DIRECT }, true)
    }

    /// Writes a version after which the record is no longer current: a deletion, or a retraction where there is a note of one.
    fn end(&mut self, kind: ResourceType, id: &str, note: Option<&Note>) -> Result<u32> {
        let key = self.store.id_key(kind, id);
        if self.by_id.contains_key(&key) {
            self.flush()?;
        }
        let retracted = note.is_some_and(|note| note.kind == ChangeKind::Retract);
        let newest = self.newest(&key)?.filter(|newest| newest.bytes().is_some());
        let newest = newest.ok_or_else(|| Code::NotFound.error())?;
        self.admit(kind, id, Some(&newest), &PutMeta { note, ..PutMeta::DIRECT }, false)?;
        let bytes = if retracted { self.keep(newest.hidden_bytes()) } else { 0..0 };
        self.load_chart(newest.place.chart())?;
        let version = newest.slot().version.saturating_add(1);
        let id = self.keep(id.as_bytes());
        self.push(Pending {
            chart: newest.place.chart(),
            kind,
            id,
            key,
            version,
            deleted: !retracted,
            retracted,
            before: Some(newest.place),
            source: 0,
            entry: 0,
            note: note.cloned().map(Box::new),
            bytes,
            entries: 0..0,
        })?;
        Ok(version)
    }

    /// Writes a version that hides a record whatever holds say: it is not shown that no later one is lost. Not for what is hidden or
    /// deleted already.
    pub(super) fn hide(&mut self, place: Place, key: [u8; 13], note: &Note) -> Result<()> {
        let newest = self.at(place)?;
        self.load_chart(place.chart())?;
        let slot = newest.slot().clone();
        let id = self.keep(&newest.block.bytes[slot.id.clone()]);
        let bytes = self.keep(newest.hidden_bytes());
        self.push(Pending {
            chart: place.chart(),
            kind: slot.kind,
            id,
            key,
            version: slot.version.saturating_add(1),
            deleted: false,
            retracted: true,
            before: Some(place),
            source: 0,
            entry: 0,
            note: Some(Box::new(note.clone())),
            bytes,
            entries: 0..0,
        })
    }

    /// The number of the current version, in this change set or before it; None where there is none or it is deleted or
    /// retracted.
    ///
    /// # Errors
    /// - of the backend.
    pub fn current_version(&self, kind: ResourceType, id: &str) -> Result<Option<u32>> {
        let key = self.store.id_key(kind, id);
        if let Some(&at) = self.by_id.get(&key) {
            return Ok(self.pending[at].is_shown().then_some(self.pending[at].version));
        }
        Ok(self.newest(&key)?.filter(|newest| newest.bytes().is_some()).map(|newest| newest.slot().version))
    }

    /// The current version and its bytes, in this change set's turn, what it wrote itself aside; None where there is none or it
    /// is deleted or retracted.
    ///
    /// # Errors
    /// - of the backend.
    pub fn current(&self, kind: ResourceType, id: &str) -> Result<Option<(u32, Vec<u8>)>> {
        let newest = self.newest(&self.store.id_key(kind, id))?;
        Ok(newest.and_then(|newest| Some((newest.slot().version, newest.bytes()?.to_vec()))))
    }

    /// The bytes of a version, in this change set's turn, what it wrote itself aside; None where there is none or it says that the
    /// record is deleted.
    ///
    /// # Errors
    /// - of the backend.
    pub fn version(&self, kind: ResourceType, id: &str, version: u32) -> Result<Option<Vec<u8>>> {
        let mut next = self.newest(&self.store.id_key(kind, id))?;
        while let Some(newest) = next {
            if newest.slot().version == version {
                return Ok((!newest.slot().deleted).then(|| newest.hidden_bytes().to_vec()));
            }
            next = self.before(&newest)?;
        }
        Ok(None)
    }

    /// The chart that the newest version of a record lies in, what this change set wrote itself aside.
    ///
    /// # Errors
    /// - of the backend.
    pub fn place_of(&self, kind: ResourceType, id: &str) -> Result<Option<PatientNumber>> {
        Ok(self.chart_of(kind, id)?.map(|(patient, _)| patient))
    }

    /// The chart and the compartment that the newest version of a record lies in, what this change set wrote itself aside.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn chart_of(&self, kind: ResourceType, id: &str) -> Result<Option<(PatientNumber, u8)>> {
        let newest = self.newest(&self.store.id_key(kind, id))?;
        Ok(newest.map(|newest| (PatientNumber(newest.place.patient), newest.place.chart().1)))
    }

    /// The number of a patient by logical id.
    ///
    /// # Errors
    /// - of the backend.
    pub fn patient(&self, id: &str) -> Result<Option<PatientNumber>> {
        self.store.patient(&self.rows, id)
    }

    /// Remembers that an address stands for `target` (`Type/id`).
    ///
    /// # Errors
    /// - of the backend.
    pub fn alias(&mut self, address: &str, target: &str) -> Result<()> {
        let key = self.store.alias_key(address);
        let mut context = self.store.context(0, RowKind::Alias, 0);
        context.labels = address.as_bytes();
        let sealed = crate::vault::seal(self.store.keys.store_key(), &context, target.as_bytes(), &*self.store.random)?;
        let back = [&self.store.aliased_key(target)[..], &key[b"alias ".len()..]].concat();
        self.rows.mine.put(Table::Meta, back, Vec::new());
        self.rows.mine.put(Table::Meta, key, sealed);
        self.resolved.get_mut().clear();
        Ok(())
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

    /// Keeps a text until the next flush.
    fn keep(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        start..self.texts.len()
    }

    fn push(&mut self, pending: Pending) -> Result<()> {
        let pending_kind = pending.kind;
        self.pending_bytes += pending.bytes.len() + pending.entries.len() * 24 + 200;
        self.last_patient = Some(PatientNumber(pending.chart.0));
        self.by_id.insert(pending.key, self.pending.len());
        self.pending.push(pending);
        self.written += 1;
        self.tells |= TELLING.contains(&pending_kind.name());
        if self.pending_bytes > FLUSH { self.flush() } else { Ok(()) }
    }

    fn resolve(&self, meta: &PutMeta<'_>, address: &str) -> Option<String> {
        if let Some(target) = (meta.resolve)(address) {
            return Some(target);
        }
        let mut resolved = self.resolved.borrow_mut();
        if let Some(target) = resolved.get(address) {
            return target.clone();
        }
        if resolved.len() >= RESOLVED {
            resolved.clear();
        }
        let target = self.store.resolve(&self.rows, address).ok().flatten();
        resolved.insert(address.into(), target.clone());
        target
    }

    /// Collects what the record is found by.
    pub(super) fn index(&mut self, record: &Record, patient: u32, meta: &PutMeta<'_>) -> Range<usize> {
        let start = self.entries.len();
        let mut entries = std::mem::take(&mut self.entries);
        let mut found: Vec<(u64, [u8; 12])> = Vec::new();
        let Change { store, seen, writing, .. } = &mut *self;
        let known = &mut writing.as_mut().expect("held until the commit").tokens;
        let mut term = |label: &'static str, text: &str| {
            let hash = hash64(&[label.as_bytes(), text.as_bytes()]);
            if seen.insert((hash, patient)) {
                let token = *known.entry(hash).or_insert_with(|| store.token_key(label, text));
                let mut key = [0; 12];
                key[..8].copy_from_slice(&token);
                key[8..].copy_from_slice(&patient.to_be_bytes());
                found.push((hash, key));
            }
        };
        term("type", record.kind().name());
        let mut references = Vec::new();
        extract(record, |parameter, value| {
            terms::terms(parameter.code, &value, &mut term);
            if matches!(&value, crate::search::Value::Reference(text) if text.contains(':')) {
                references.push((parameter.number, value));
            } else {
                terms::entries(parameter.number, &value, &|_| None, |number, value, extra| {
                    entries.push((number, value, extra))
                });
            }
        });
        if known.len() > 1 << 16 {
            known.clear();
        }
        self.tokens.extend(found.into_iter().map(|(_, key)| key));
        for (number, value) in references {
            let resolve = |address: &str| self.resolve(meta, address);
            terms::entries(number, &value, &resolve, |number, value, extra| entries.push((number, value, extra)));
        }
        self.entries = entries;
        start..self.entries.len()
    }

    /// Takes out what [`Change::index`] collected last.
    pub(super) fn take_entries(&mut self, range: Range<usize>) -> Vec<(u16, u64, u64)> {
        self.entries.split_off(range.start)
    }

    /// The newest version among what is written, pending records aside.
    pub(super) fn newest(&self, key: &[u8; 13]) -> Result<Option<Newest>> {
        let Some(row) = self.rows.get(Table::Id, key)? else { return Ok(None) };
        Ok(Some(self.at(read_id_row(&row)?)?))
    }

    /// The version before; None where there is none, or its compartment was shredded.
    pub(super) fn before(&self, newest: &Newest) -> Result<Option<Newest>> {
        match newest.slot().before.map(|place| self.at(place)) {
            Some(Err(error)) if error.code() == Code::Erased => Ok(None),
            found => found.transpose(),
        }
    }

    pub(super) fn at(&self, place: Place) -> Result<Newest> {
        let number = pair((place.patient, place.block));
        let fresh = [&self.rows.mine, &*self.rows.under].iter().any(|batch| batch.get(Table::Block, &number).is_some());
        let block = if fresh {
            let key = self.charts.get(&place.chart()).map(|state| &state.key);
            self.store.block(&self.rows, place, key, false)?
        } else {
            self.store.block(&*self.rows.view, place, None, true)?
        };
        if usize::from(place.slot) >= block.slots.len() {
            return Err(Code::Corrupt.error());
        }
        Ok(Newest { place, block })
    }

    fn patient_number(&mut self, id: &str) -> Result<u32> {
        if let Some(number) = self.names.get(id) {
            return Ok(*number);
        }
        let key = self.store.name_key(id);
        let number = match self.rows.get(Table::PatientName, &key)? {
            Some(row) => u32::from_be_bytes(row.as_slice().try_into().map_err(|_| Code::Corrupt.error())?),
            None => {
                // A patient whose chart was destroyed does not come in again by way of a new record.
                self.refuse_destroyed(&self.store.id_key(ResourceType::PATIENT, id))?;
                let number = self.state.next_patient;
                self.state.next_patient = number.checked_add(1).ok_or_else(|| Code::LimitCount.error())?;
                self.rows.mine.put(Table::PatientName, key, number.to_be_bytes().to_vec());
                number
            }
        };
        self.names.insert(id.to_owned(), number);
        Ok(number)
    }

    /// Reads or makes the row of a compartment of a patient.
    pub(super) fn load_chart(&mut self, chart: (u32, u8)) -> Result<()> {
        if self.charts.contains_key(&chart) {
            return Ok(());
        }
        let key = if self.rows.get(Table::Patient, &patient_row(chart))?.is_some() {
            self.store.patient_key(&self.rows, chart, false)?
        } else {
            let (key, wrapped) = self.store.new_patient_key(&mut self.rows, chart)?;
            self.rows.mine.put(Table::Patient, patient_row(chart).to_vec(), wrapped);
            key
        };
        let (next_block, next_segment) =
            (self.next_number(Table::Block, chart)?, self.next_number(Table::Index, chart)?);
        self.charts.insert(chart, ChartState { key, next_block, next_segment });
        Ok(())
    }

    /// The number after the last of a compartment's blocks or segments.
    pub(super) fn next_number(&self, table: Table, (patient, compartment): (u32, u8)) -> Result<u32> {
        let (first, last) = layout::numbers(compartment);
        let end = [&pair((patient, last))[..], &[0]].concat();
        let Some((key, _)) = self.rows.last(table, &pair((patient, first)), &end)? else {
            return if table == Table::Block {
                self.store.gone_before(&self.rows, (patient, compartment))
            } else {
                Ok(first)
            };
        };
        let number = key.get(4..).and_then(|key| key.try_into().ok()).ok_or_else(|| Code::Corrupt.error())?;
        let next = after(u32::from_be_bytes(number))?;
        // Of a store that was salvaged, later blocks may be lost: their numbers are not given again.
        if table == Table::Block {
            Ok(next.max(self.store.gone_before(&self.rows, (patient, compartment))?))
        } else {
            Ok(next)
        }
    }

    /// Makes rows of what is pending: blocks, ids, index segments, tokens.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.by_id.clear();
        self.resolved.get_mut().clear();
        self.pending_bytes = 0;
        let mut pending = std::mem::take(&mut self.pending);
        let entries = std::mem::take(&mut self.entries);
        let mut texts = std::mem::take(&mut self.texts);
        pending.sort_by_key(|one| (one.chart, one.kind)); // stable: versions of one record stay in order
        let mut segments: BTreeMap<(u32, u8), Segment> = BTreeMap::new();
        for group in pending.chunk_by(|a, b| (a.chart, a.kind) == (b.chart, b.kind)) {
            let mut rest = group;
            while !rest.is_empty() {
                let (mut bytes, most) = (0, self.fill[usize::from(group[0].kind.number())]);
                let fits = |one: &&Pending| {
                    let first = bytes == 0;
                    bytes += one.bytes.len() + 1;
                    first || bytes <= most
                };
                let (now, after) = rest.split_at(rest.iter().take(BLOCK_RECORDS).take_while(fits).count());
                rest = after;
                self.write_block(now, &texts, &entries, &mut segments)?;
            }
        }
        texts.clear();
        self.texts = texts;
        let tokens = std::mem::take(&mut self.tokens);
        let few = tokens.len() <= FEW_TOKENS;
        for key in tokens {
            if !few || self.rows.get(Table::Token, &key)?.is_none() {
                self.rows.mine.put(Table::Token, key.to_vec(), Vec::new());
            }
        }
        self.write_segments(segments)
    }

    fn write_block(
        &mut self,
        group: &[Pending],
        texts: &[u8],
        entries: &[(u16, u64, u64)],
        segments: &mut BTreeMap<(u32, u8), Segment>,
    ) -> Result<()> {
        let chart = group[0].chart;
        let state = self.charts.get_mut(&chart).ok_or_else(|| Code::Internal.error())?;
        let (patient, block) = (chart.0, state.next_block);
        state.next_block = after(block)?;
        let slots: Vec<NewSlot<'_>> = group.iter().map(|one| new_slot(one, texts)).collect();
        let plain = layout::write_block(self.state.next_commit, self.state.at, &self.actor, &slots);
        let context = self.store.chart_context(RowKind::Block, (patient, block));
        let packed = self.store.with_packer(|packer| packer.pack(&state.key, &context, &plain, &*self.store.random))?;
        if packed.len() > BLOCK_PACKED / 2 {
            let fill = &mut self.fill[usize::from(group[0].kind.number())];
            let now = plain.len() * BLOCK_PACKED / packed.len();
            *fill = ((3 * *fill + now) / 4).clamp(BLOCK_BYTES / 8, BLOCK_BYTES);
        }
        self.rows.mine.put(Table::Block, pair((patient, block)).to_vec(), packed);
        let versions: Vec<u8> =
            slots.iter().flat_map(|new| self.store.version_witness(&new.slot, new.id, new.body)).collect();
        self.blocks_written.push((patient, block, Active::sha256(&[&versions])));
        for (at, one) in group.iter().enumerate() {
            let place = Place { patient, block, slot: at as u16 };
            self.rows.mine.put(Table::Id, one.key.to_vec(), id_row(place));
            if let Some(before) = one.before {
                segments.entry(before.chart()).or_default().dead.push((before.block, before.slot));
            }
            if !one.is_shown() {
                continue;
            }
            let segment = segments.entry(chart).or_default();
            let record = segment.records.len() as u32;
            segment.records.push((block, place.slot, one.kind.number()));
            segment.entries.extend(entries[one.entries.clone()].iter().map(|&(parameter, value, extra)| Entry {
                parameter,
                value,
                extra,
                record,
            }));
        }
        Ok(())
    }

    /// The number of the next index segment of a compartment.
    pub(super) fn next_segment(&mut self, chart: (u32, u8)) -> Result<u32> {
        self.load_chart(chart)?;
        let state = self.charts.get_mut(&chart).ok_or_else(|| Code::Internal.error())?;
        let number = state.next_segment;
        state.next_segment = after(number)?;
        Ok(number)
    }

    /// Writes one segment for each compartment of a patient; where there are many, it takes the small ones before it in. Each is merged only
    /// when what came after it has grown as large, so a value is written anew a logarithmic number of times.
    fn write_segments(&mut self, segments: BTreeMap<(u32, u8), Segment>) -> Result<()> {
        for (chart, mut segment) in segments {
            self.load_chart(chart)?;
            let patient = chart.0;
            let state = self.charts.get_mut(&chart).ok_or_else(|| Code::Internal.error())?;
            if state.next_segment - layout::numbers(chart.1).0 >= SEGMENTS {
                let mut present = self.store.segment_numbers(&self.rows, patient)?;
                present.retain(|(number, _)| layout::compartment(*number) == chart.1);
                let mut size = (segment.weight() / 8).max(SMALL_SEGMENT);
                let mut first = present.len();
                while present.len() >= SEGMENTS as usize && first > 0 && present[first - 1].1 <= 2 * size {
                    first -= 1;
                    size += present[first].1;
                }
                if first < present.len() {
                    let mut merged = Segment::default();
                    for (number, _) in &present[first..] {
                        merged.absorb(&*self.store.segment(&self.rows, (patient, *number), Some(&state.key), false)?);
                        self.rows.mine.delete(Table::Index, pair((patient, *number)).to_vec());
                    }
                    merged.absorb(&segment);
                    segment = merged.bury();
                    if first == 0 {
                        segment.dead.clear(); // nothing is left that it could be about
                    }
                }
            }
            let number = state.next_segment;
            state.next_segment = after(number)?; // as next_segment(), with the key at hand
            let context = self.store.chart_context(RowKind::Index, (patient, number));
            let plain = segment.write();
            let packed =
                self.store.with_packer(|packer| packer.pack(&state.key, &context, &plain, &*self.store.random))?;
            self.rows.mine.put(Table::Index, pair((patient, number)).to_vec(), packed);
        }
        Ok(())
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

/// The number after another of the same compartment.
fn after(number: u32) -> Result<u32> {
    let next = number.checked_add(1).filter(|next| layout::compartment(*next) == layout::compartment(number));
    next.ok_or_else(|| Code::LimitCount.error())
}

fn new_slot<'a>(one: &Pending, texts: &'a [u8]) -> NewSlot<'a> {
    let Pending { kind, version, deleted, retracted, before, source, entry, .. } = *one;
    let note = one.note.clone();
    let slot = Slot { kind, id: 0..0, version, deleted, retracted, before, source, entry, note, body: 0..0 };
    NewSlot { slot, id: &texts[one.id.clone()], body: &texts[one.bytes.clone()] }
}

pub(super) fn id_row(place: Place) -> Vec<u8> {
    let mut row = Vec::with_capacity(10);
    row.extend(pair((place.patient, place.block)));
    row.extend(place.slot.to_be_bytes());
    row
}

pub(super) fn read_id_row(row: &[u8]) -> Result<Place> {
    let row: &[u8; 10] = row.try_into().map_err(|_| Code::Corrupt.error())?;
    let number = |at: usize| u32::from_be_bytes(row[at..at + 4].try_into().expect("four bytes"));
    Ok(Place { patient: number(0), block: number(4), slot: u16::from_be_bytes([row[8], row[9]]) })
}

/// Which patient a record belongs to: its logical id; None for records of no single patient.
pub(super) fn patient_of(record: &Record, resolve: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if record.kind() == ResourceType::PATIENT {
        return record.id().map(str::to_owned);
    }
    let mut patient = None;
    for path in record.kind().patient_paths() {
        record.select(path, |node| {
            let Some(text) = node.text("reference").filter(|_| patient.is_none()) else { return };
            let resolved = if text.contains(':') { resolve(&text) } else { None };
            if let Some((ResourceType::PATIENT, id)) = parse_reference(resolved.as_deref().unwrap_or(&text)) {
                patient = Some(id.to_owned());
            }
        });
        if patient.is_some() {
            break;
        }
    }
    patient
}
