//! One atomic change set.

use super::layout::{self, BLOCK_BYTES, BLOCK_RECORDS, NewSlot, Place, Segment, Slot};
use super::{ReadView, State, Store, Table, WriteTransaction, pair};
use crate::error::{Code, Result};
use crate::record::{Record, is_id};
use crate::schema::ResourceType;
use crate::search::{EntryValue, extract, is_global};
use crate::time::Timestamp;
use crate::vault::{RowKind, SealKey};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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
}

impl PutMeta<'_> {
    /// A direct write.
    pub const DIRECT: PutMeta<'static> = PutMeta { resolve: &|_| None, source: 0, entry: 0 };
}

/// A change set under way. Dropped without [`Change::commit`], nothing of it stays.
pub struct Change<'s> {
    store: &'s Store,
    transaction: Box<dyn WriteTransaction>,
    state: State,
    at: Timestamp,
    actor: String,
    pending: Vec<Pending>,
    pending_bytes: usize,
    by_id: HashMap<(ResourceType, String), usize>,
    patients: HashMap<u32, PatientState>,
    names: HashMap<String, u32>,
    written: u64,
}

struct PatientState {
    key: SealKey,
    wrapped: Vec<u8>,
    next_block: u32,
    first_segment: u32,
    next_segment: u32,
}

struct Pending {
    patient: u32,
    kind: ResourceType,
    id: String,
    version: u32,
    deleted: bool,
    before: Option<Place>,
    source: u32,
    entry: u32,
    bytes: Vec<u8>,
    values: Vec<(u16, Vec<u8>)>,
    tokens: Vec<Vec<u8>>,
}

/// Pending bytes at which blocks are written (still inside the same transaction).
const FLUSH: usize = 8 << 20;
/// Index segments of a patient at which they are merged.
const SEGMENTS: u32 = 8;

impl Store {
    /// Begins a change set; waits for one under way. `actor` and `at` are kept with each version.
    ///
    /// # Errors
    /// - of the backend.
    pub fn change(&self, at: Timestamp, actor: &str) -> Result<Change<'_>> {
        let transaction = self.backend.write()?;
        let state = self.read_state(&*transaction)?;
        Ok(Change {
            store: self,
            transaction,
            state,
            at,
            actor: actor.to_owned(),
            pending: Vec::new(),
            pending_bytes: 0,
            by_id: HashMap::new(),
            patients: HashMap::new(),
            names: HashMap::new(),
            written: 0,
        })
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

    /// Writes a record under its own id.
    ///
    /// # Errors
    /// - `invalid-argument`: the record has no id of a form FHIR allows.
    /// - of the backend.
    pub fn put(&mut self, record: &Record, meta: &PutMeta<'_>) -> Result<Outcome> {
        let id = record.id().ok_or_else(|| Code::InvalidArgument.error().expected("a record with an id"))?;
        let kind = record.kind();
        if let Some(&at) = self.by_id.get(&(kind, id.to_owned())) {
            if !self.pending[at].deleted && self.pending[at].bytes == record.original() {
                return Ok(Outcome::Unchanged(self.pending[at].version));
            }
            self.flush()?;
        }
        let before = self.current(kind, id)?;
        if let Some((_, version, Some(bytes))) = &before {
            if bytes.as_slice() == record.original() {
                return Ok(Outcome::Unchanged(*version));
            }
        }
        let resolve = |address: &str| {
            (meta.resolve)(address).or_else(|| self.store.resolve(&*self.transaction, address).ok().flatten())
        };
        let patient_id = patient_of(record, &resolve);
        let (mut values, mut tokens) = (Vec::new(), BTreeSet::new());
        extract(record, &resolve, |parameter, value| {
            if is_global(parameter.code) {
                global_values(parameter.code, &value, |text| {
                    tokens.insert(self.store.token_key(parameter.code, text));
                });
            }
            layout::index_keys(&value, |key| values.push((parameter.number, key)));
        });
        let patient = match patient_id {
            Some(id) => self.patient_number(&id)?,
            None => self.shared()?,
        };
        let version = before.as_ref().map_or(1, |(_, version, _)| version + 1);
        self.push(Pending {
            patient,
            kind,
            id: id.to_owned(),
            version,
            deleted: false,
            before: before.map(|(place, ..)| place),
            source: meta.source,
            entry: meta.entry,
            bytes: record.original().to_vec(),
            values,
            tokens: tokens.into_iter().collect(),
        })?;
        Ok(if version == 1 { Outcome::Created } else { Outcome::Updated(version) })
    }

    /// Writes a version that says the record is deleted; earlier versions stay.
    ///
    /// # Errors
    /// - `not-found`: there is no such record, or it is deleted already.
    pub fn delete(&mut self, kind: ResourceType, id: &str) -> Result<u32> {
        if self.by_id.contains_key(&(kind, id.to_owned())) {
            self.flush()?;
        }
        let (place, version, bytes) = self.current(kind, id)?.ok_or_else(|| Code::NotFound.error())?;
        if bytes.is_none() {
            return Err(Code::NotFound.error());
        }
        self.load_patient(place.patient)?;
        self.push(Pending {
            patient: place.patient,
            kind,
            id: id.to_owned(),
            version: version + 1,
            deleted: true,
            before: Some(place),
            source: 0,
            entry: 0,
            bytes: Vec::new(),
            values: Vec::new(),
            tokens: Vec::new(),
        })?;
        Ok(version + 1)
    }

    /// The number of the current version, in this change set or before it; None where there is none or it is deleted.
    ///
    /// # Errors
    /// - of the backend.
    pub fn current_version(&self, kind: ResourceType, id: &str) -> Result<Option<u32>> {
        if let Some(&at) = self.by_id.get(&(kind, id.to_owned())) {
            return Ok((!self.pending[at].deleted).then_some(self.pending[at].version));
        }
        Ok(self.current(kind, id)?.filter(|(_, _, bytes)| bytes.is_some()).map(|(_, version, _)| version))
    }

    /// Remembers that an address stands for `target` (`Type/id`).
    ///
    /// # Errors
    /// - of the backend.
    pub fn alias(&mut self, address: &str, target: &str) -> Result<()> {
        let key = self.store.alias_key(address);
        let mut context = self.store.context(0, RowKind::Alias, 0);
        context.labels = &key;
        let sealed = crate::vault::seal(self.store.keys.store_key(), &context, target.as_bytes(), &*self.store.random)?;
        self.transaction.put(Table::Meta, &mut std::iter::once((key, sealed)))
    }

    /// Sets a row of a table that another room seals for itself.
    ///
    /// # Errors
    /// - of the backend.
    pub fn table_put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.transaction.put(table, &mut std::iter::once((key, value)))
    }
    /// Takes a row out of a table that another room seals for itself.
    ///
    /// # Errors
    /// - of the backend.
    pub fn table_remove(&mut self, table: Table, key: Vec<u8>) -> Result<()> {
        self.transaction.remove(table, &mut std::iter::once(key))
    }
    /// What is in the tables now, this change set included.
    pub fn view(&self) -> &dyn ReadView {
        &*self.transaction
    }

    /// Makes the change set durable.
    ///
    /// # Durability
    /// When this returns, everything of it is on disk; when it fails, nothing of it is.
    ///
    /// # Errors
    /// - of the backend.
    pub fn commit(mut self) -> Result<u64> {
        self.flush()?;
        let number = self.state.next_commit;
        self.state.next_commit += 1;
        self.store.write_state(&mut *self.transaction, self.state)?;
        self.transaction.commit()?;
        Ok(number)
    }

    fn push(&mut self, pending: Pending) -> Result<()> {
        self.pending_bytes += pending.bytes.len() + pending.values.len() * 40 + 200;
        self.by_id.insert((pending.kind, pending.id.clone()), self.pending.len());
        self.pending.push(pending);
        self.written += 1;
        if self.pending_bytes > FLUSH { self.flush() } else { Ok(()) }
    }

    /// Place, version and bytes (None: deleted) of the current version among what is written.
    #[allow(clippy::type_complexity)]
    fn current(&self, kind: ResourceType, id: &str) -> Result<Option<(Place, u32, Option<Vec<u8>>)>> {
        let Some(row) = self.transaction.get(Table::Id, &self.store.id_key(kind, id))? else { return Ok(None) };
        let (place, version) = read_id_row(&row)?;
        let key = self.patients.get(&place.patient).map(|state| &state.key);
        let block = self.store.block(&*self.transaction, place, key, false)?;
        let slot = block.slots.get(usize::from(place.slot)).ok_or_else(|| Code::Corrupt.error())?;
        let bytes = (!slot.deleted).then(|| block.bytes[slot.body.clone()].to_vec());
        Ok(Some((place, version, bytes)))
    }

    fn patient_number(&mut self, id: &str) -> Result<u32> {
        if let Some(number) = self.names.get(id) {
            return Ok(*number);
        }
        let key = self.store.name_key(id);
        let number = match self.transaction.get(Table::PatientName, &key)? {
            Some(row) => u32::from_be_bytes(row.as_slice().try_into().map_err(|_| Code::Corrupt.error())?),
            None => {
                let number = self.state.next_patient;
                self.state.next_patient = number.checked_add(1).ok_or_else(|| Code::LimitCount.error())?;
                self.transaction.put(Table::PatientName, &mut std::iter::once((key, number.to_be_bytes().to_vec())))?;
                number
            }
        };
        self.load_patient(number)?;
        if self.names.len() > 10_000 {
            self.names.clear();
        }
        self.names.insert(id.to_owned(), number);
        Ok(number)
    }

    fn shared(&mut self) -> Result<u32> {
        self.load_patient(0)?;
        Ok(0)
    }

    /// Reads or makes the row of a patient.
    fn load_patient(&mut self, number: u32) -> Result<()> {
        if self.patients.contains_key(&number) {
            return Ok(());
        }
        let patient = crate::id::PatientNumber(number);
        let state = match self.transaction.get(Table::Patient, &number.to_be_bytes())? {
            Some(row) => {
                let (counters, wrapped) = row.split_at_checked(12).ok_or_else(|| Code::Corrupt.error())?;
                let counter = |at: usize| u32::from_be_bytes(counters[at..at + 4].try_into().expect("four bytes"));
                PatientState {
                    key: self.store.keys.patient_key(patient, wrapped)?,
                    wrapped: wrapped.to_vec(),
                    next_block: counter(0),
                    first_segment: counter(4),
                    next_segment: counter(8),
                }
            }
            None => {
                let (key, wrapped) = self.store.keys.new_patient_key(patient, &*self.store.random)?;
                PatientState { key, wrapped, next_block: 0, first_segment: 0, next_segment: 0 }
            }
        };
        self.patients.insert(number, state);
        Ok(())
    }

    /// Writes what is pending into the transaction: blocks, ids, index segments, tokens, in the order of their keys.
    fn flush(&mut self) -> Result<()> {
        self.by_id.clear();
        self.pending_bytes = 0;
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let mut groups: BTreeMap<(u32, ResourceType), Vec<Pending>> = BTreeMap::new();
        for one in pending {
            groups.entry((one.patient, one.kind)).or_default().push(one);
        }
        let (mut blocks, mut ids, mut tokens) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut segments: BTreeMap<u32, Segment> = BTreeMap::new();
        for ((patient, _), group) in groups {
            let mut rest = group.as_slice();
            while !rest.is_empty() {
                let mut bytes = 0;
                let count = rest
                    .iter()
                    .take(BLOCK_RECORDS)
                    .take_while(|one| {
                        let first = bytes == 0;
                        bytes += one.bytes.len() + 1;
                        first || bytes <= BLOCK_BYTES
                    })
                    .count();
                let (now, after) = rest.split_at(count);
                rest = after;
                let state = self.patients.get_mut(&patient).ok_or_else(|| Code::Internal.error())?;
                let number = state.next_block;
                state.next_block = number.checked_add(1).ok_or_else(|| Code::LimitCount.error())?;
                let slots: Vec<NewSlot<'_>> = now.iter().map(new_slot).collect();
                let plain = layout::write_block(self.state.next_commit, self.at, &self.actor, &slots);
                let context = self.store.context(patient, RowKind::Block, number);
                let packed =
                    self.store.with_packer(|packer| packer.pack(&state.key, &context, &plain, &*self.store.random))?;
                blocks.push((pair((patient, number)), packed));
                for (at, one) in now.iter().enumerate() {
                    let place = Place { patient, block: number, slot: at as u16 };
                    ids.push((self.store.id_key(one.kind, &one.id), id_row(place, one.version)));
                    index(&mut segments, place, one);
                    for token in &one.tokens {
                        tokens.insert([token.as_slice(), &patient.to_be_bytes()].concat());
                    }
                }
            }
        }
        ids.sort_unstable();
        self.transaction.put(Table::Block, &mut blocks.into_iter())?;
        self.transaction.put(Table::Id, &mut ids.into_iter())?;
        self.transaction.put(Table::Token, &mut tokens.into_iter().map(|key| (key, Vec::new())))?;
        self.write_segments(segments)
    }

    fn write_segments(&mut self, segments: BTreeMap<u32, Segment>) -> Result<()> {
        let (mut rows, mut gone, mut patients) = (Vec::new(), Vec::new(), Vec::new());
        for (patient, mut segment) in segments {
            self.load_patient(patient)?;
            let state = self.patients.get_mut(&patient).ok_or_else(|| Code::Internal.error())?;
            if state.next_segment - state.first_segment >= SEGMENTS {
                let mut merged = Segment::default();
                for number in state.first_segment..state.next_segment {
                    let key = pair((patient, number));
                    let packed = self.transaction.get(Table::Index, &key)?.ok_or_else(|| Code::Corrupt.error())?;
                    let context = self.store.context(patient, RowKind::Index, number);
                    let plain = self.store.with_packer(|packer| packer.unpack(&state.key, &context, &packed))?;
                    merge(&mut merged, layout::read_segment(&plain)?);
                    gone.push(key);
                }
                merge(&mut merged, segment);
                segment = without_dead(merged);
                state.first_segment = state.next_segment;
            }
            let number = state.next_segment;
            state.next_segment += 1;
            let context = self.store.context(patient, RowKind::Index, number);
            let plain = layout::write_segment(&segment);
            let packed =
                self.store.with_packer(|packer| packer.pack(&state.key, &context, &plain, &*self.store.random))?;
            rows.push((pair((patient, number)), packed));
        }
        for (number, state) in &self.patients {
            let counters = [state.next_block, state.first_segment, state.next_segment];
            let row = counters.iter().flat_map(|n| n.to_be_bytes()).chain(state.wrapped.iter().copied()).collect();
            patients.push((number.to_be_bytes().to_vec(), row));
        }
        patients.sort_unstable();
        self.transaction.put(Table::Index, &mut rows.into_iter())?;
        self.transaction.remove(Table::Index, &mut gone.into_iter())?;
        self.transaction.put(Table::Patient, &mut patients.into_iter())?;
        if self.patients.len() > 4096 {
            self.patients.clear();
            self.names.clear();
        }
        Ok(())
    }
}

fn new_slot(one: &Pending) -> NewSlot<'_> {
    let Pending { kind, version, deleted, before, source, entry, .. } = *one;
    NewSlot {
        slot: Slot { kind, id: one.id.clone(), version, deleted, before, source, entry, body: 0..0 },
        body: &one.bytes,
    }
}

fn index(segments: &mut BTreeMap<u32, Segment>, place: Place, one: &Pending) {
    if let Some(before) = one.before {
        segments.entry(before.patient).or_default().dead.push((before.block, before.slot));
    }
    let segment = segments.entry(place.patient).or_default();
    if one.deleted {
        return;
    }
    let number = segment.records.len() as u32;
    segment.records.push((place.block, place.slot, one.kind.number()));
    for (parameter, value) in &one.values {
        let list = segment.values.entry((*parameter, value.clone())).or_default();
        if list.last() != Some(&number) {
            list.push(number);
        }
    }
}

fn merge(into: &mut Segment, from: Segment) {
    let shift = into.records.len() as u32;
    into.records.extend(from.records);
    into.dead.extend(from.dead);
    for (key, records) in from.values {
        into.values.entry(key).or_default().extend(records.into_iter().map(|record| record + shift));
    }
}

/// Takes out what is superseded, in all segments of the patient.
fn without_dead(segment: Segment) -> Segment {
    let dead: BTreeSet<(u32, u16)> = segment.dead.into_iter().collect();
    let mut kept = Segment::default();
    let mut renumbered = Vec::with_capacity(segment.records.len());
    for (block, slot, kind) in segment.records {
        let alive = !dead.contains(&(block, slot));
        renumbered.push(alive.then_some(kept.records.len() as u32));
        if alive {
            kept.records.push((block, slot, kind));
        }
    }
    for (key, records) in segment.values {
        let records: Vec<u32> = records.into_iter().filter_map(|record| renumbered[record as usize]).collect();
        if !records.is_empty() {
            kept.values.insert(key, records);
        }
    }
    kept
}

fn id_row(place: Place, version: u32) -> Vec<u8> {
    let mut row = [place.patient.to_be_bytes(), place.block.to_be_bytes(), version.to_be_bytes()].concat();
    row.extend(place.slot.to_be_bytes());
    row
}

pub(super) fn read_id_row(row: &[u8]) -> Result<(Place, u32)> {
    let number = |at: usize| -> Result<u32> {
        let bytes = row.get(at..at + 4).ok_or_else(|| Code::Corrupt.error())?;
        Ok(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    };
    let slot = row.get(12..14).ok_or_else(|| Code::Corrupt.error())?;
    let slot = u16::from_be_bytes(slot.try_into().expect("two bytes"));
    Ok((Place { patient: number(0)?, block: number(4)?, slot }, number(8)?))
}

/// Which patient a record belongs to: its logical id; None for records of no single patient.
fn patient_of(record: &Record, resolve: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if record.kind().name() == "Patient" {
        return record.id().map(str::to_owned);
    }
    let mut patient = None;
    for path in record.kind().patient_paths() {
        record.select(path, |node| {
            let Some(text) = node.text("reference").filter(|_| patient.is_none()) else { return };
            let resolved = if text.starts_with("urn:") { resolve(&text) } else { None };
            let text = resolved.as_deref().unwrap_or(&text);
            let text = text.split("/_history/").next().unwrap_or_default();
            if let Some((before, id)) = text.rsplit_once('/') {
                if before.rsplit('/').next() == Some("Patient") && is_id(id.as_bytes()) {
                    patient = Some(id.to_owned());
                }
            }
        });
        if patient.is_some() {
            break;
        }
    }
    patient
}

/// The forms in which a value stands in the global index.
pub(super) fn global_values(code: &str, value: &EntryValue, mut put: impl FnMut(&str)) {
    match value {
        EntryValue::Token(system, text) => {
            put(text);
            if !system.is_empty() {
                put(&format!("{system}|{text}"));
            }
        }
        EntryValue::Text(text) => {
            put(&format!("={text}"));
            put(&prefix(text));
        }
        EntryValue::Date(start, end) if code == "birthdate" => {
            put(&format!("d{start}-{end}"));
            let year = crate::time::civil_from_days(start.div_euclid(86_400_000_000)).0;
            put(&format!("y{year}"));
        }
        EntryValue::Reference(text) => put(text),
        EntryValue::Date(..) => {}
    }
}

/// The first three letters, which a search of three letters or more can look up.
pub(super) fn prefix(text: &str) -> String {
    let letters: String = text.chars().take(3).collect();
    format!("~{letters}")
}
