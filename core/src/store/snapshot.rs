//! Reading: one consistent view.

use super::change::{global_values, prefix, read_id_row};
use super::layout::{self, Block, Place};
use super::{ReadView, Store, Table, pair};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::record::Record;
use crate::schema::{ResourceType, SearchKind};
use crate::search::{Condition, EntryValue, Match, Query, extract, is_global};
use crate::time::Timestamp;
use crate::vault::RowKind;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// A consistent view of the store; later commits do not change it.
pub struct Snapshot<'s> {
    pub(super) store: &'s Store,
    pub(super) view: Box<dyn ReadView>,
}

/// One version of one record.
#[derive(Clone)]
pub struct Stored {
    block: Arc<Block>,
    slot: u16,
    patient: u32,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stored({}, version {})", self.kind(), self.version())
    }
}

impl Stored {
    fn slot(&self) -> &layout::Slot {
        &self.block.slots[usize::from(self.slot)]
    }
    /// The resource type.
    pub fn kind(&self) -> ResourceType {
        self.slot().kind
    }
    /// The logical id.
    pub fn id(&self) -> &str {
        &self.slot().id
    }
    /// The number of this version, from 1.
    pub fn version(&self) -> u32 {
        self.slot().version
    }
    /// Whether this version says that the record was deleted; then it has no bytes.
    pub fn is_deleted(&self) -> bool {
        self.slot().deleted
    }
    /// The patient it belongs to.
    pub fn patient(&self) -> PatientNumber {
        PatientNumber(self.patient)
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
    /// The bytes exactly as they were written.
    pub fn bytes(&self) -> &[u8] {
        &self.block.bytes[self.slot().body.clone()]
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

/// Where a page of results ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    patient: u32,
    block: u32,
    slot: u32,
}

impl Cursor {
    /// As text that stays the same for ever.
    pub fn to_text(self) -> String {
        format!("{}.{}.{}", self.patient, self.block, self.slot)
    }
    /// Reads [`Cursor::to_text`].
    ///
    /// # Errors
    /// - `query-invalid`.
    pub fn from_text(text: &str) -> Result<Cursor> {
        let mut parts = text.split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(patient)), Some(Ok(block)), Some(Ok(slot)), None) => Ok(Cursor { patient, block, slot }),
            _ => Err(Code::QueryInvalid.error().expected("a cursor that a page gave")),
        }
    }
}

/// A page of results, in a stable order: by patient, then as written.
#[derive(Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<Stored>,
    /// Where the next page starts; None on the last.
    pub next: Option<Cursor>,
}

/// The index of one patient as a whole.
struct PatientIndex {
    segments: Vec<layout::Segment>,
    dead: HashSet<(u32, u16)>,
}

impl Snapshot<'_> {
    /// The rows beneath, for rooms that seal their own.
    pub fn view(&self) -> &dyn ReadView {
        &*self.view
    }

    fn at(&self, place: Place) -> Result<Stored> {
        let block = self.store.block(&*self.view, place, None, true)?;
        if usize::from(place.slot) >= block.slots.len() {
            return Err(Code::Corrupt.error());
        }
        Ok(Stored { block, slot: place.slot, patient: place.patient })
    }

    /// The newest version, which may say that the record was deleted; None where there never was one.
    ///
    /// # Errors
    /// - of the backend; `erased`, `corrupt`.
    pub fn newest(&self, kind: ResourceType, id: &str) -> Result<Option<Stored>> {
        match self.view.get(Table::Id, &self.store.id_key(kind, id))? {
            Some(row) => self.at(read_id_row(&row)?.0).map(Some),
            None => Ok(None),
        }
    }

    /// The current version; None where there is none or it is deleted.
    ///
    /// # Errors
    /// - as [`Snapshot::newest`].
    pub fn current(&self, kind: ResourceType, id: &str) -> Result<Option<Stored>> {
        Ok(self.newest(kind, id)?.filter(|stored| !stored.is_deleted()))
    }

    /// Every version, newest first, deletions included.
    ///
    /// # Errors
    /// - as [`Snapshot::newest`].
    pub fn history(&self, kind: ResourceType, id: &str) -> Result<Vec<Stored>> {
        let mut all = Vec::new();
        let mut next = self.newest(kind, id)?;
        while let Some(stored) = next {
            next = stored.slot().before.map(|place| self.at(place)).transpose()?;
            all.push(stored);
        }
        Ok(all)
    }

    /// The version that was the newest at an instant; None where there was none yet.
    ///
    /// # Errors
    /// - as [`Snapshot::newest`].
    pub fn as_of(&self, kind: ResourceType, id: &str, at: Timestamp) -> Result<Option<Stored>> {
        let mut next = self.newest(kind, id)?;
        while let Some(stored) = next {
            if stored.at() <= at {
                return Ok(Some(stored));
            }
            next = stored.slot().before.map(|place| self.at(place)).transpose()?;
        }
        Ok(None)
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
        let row = self.view.get(Table::PatientName, &self.store.name_key(id))?;
        row.map(|row| {
            Ok(PatientNumber(u32::from_be_bytes(row.as_slice().try_into().map_err(|_| Code::Corrupt.error())?)))
        })
        .transpose()
    }

    /// The numbers of all patients, ascending; those of no single patient (0) first.
    ///
    /// # Errors
    /// - of the backend.
    pub fn patients(&self) -> Result<Vec<PatientNumber>> {
        let mut all = Vec::new();
        self.view.range(Table::Patient, &[], &[0xff; 5], &mut |key, _| {
            if let Ok(number) = key.try_into() {
                all.push(PatientNumber(u32::from_be_bytes(number)));
            }
            true
        })?;
        Ok(all)
    }

    /// Every current record of a patient, by type and as written.
    ///
    /// # Errors
    /// - of the backend; `erased`, `corrupt`.
    pub fn chart(&self, patient: PatientNumber) -> Result<Vec<Stored>> {
        let index = self.index(patient.0)?;
        let mut places: Vec<(u8, u32, u16)> = Vec::new();
        for segment in &index.segments {
            let alive = segment.records.iter().filter(|(block, slot, _)| !index.dead.contains(&(*block, *slot)));
            places.extend(alive.map(|(block, slot, kind)| (*kind, *block, *slot)));
        }
        places.sort_unstable();
        places.into_iter().map(|(_, block, slot)| self.at(Place { patient: patient.0, block, slot })).collect()
    }

    fn index(&self, patient: u32) -> Result<PatientIndex> {
        let mut packed = Vec::new();
        self.view.range(Table::Index, &pair((patient, 0)), &pair((patient, u32::MAX)), &mut |key, value| {
            packed.push((key.to_vec(), value.to_vec()));
            true
        })?;
        let mut made = PatientIndex { segments: Vec::new(), dead: HashSet::new() };
        if packed.is_empty() {
            return Ok(made);
        }
        let patient_key = self.store.patient_key(&*self.view, patient, true)?;
        for (key, value) in packed {
            let number = u32::from_be_bytes(key[4..8].try_into().map_err(|_| Code::Corrupt.error())?);
            let context = self.store.context(patient, RowKind::Index, number);
            let plain = self.store.with_packer(|packer| packer.unpack(&patient_key, &context, &value))?;
            let mut segment = layout::read_segment(&plain)?;
            made.dead.extend(std::mem::take(&mut segment.dead));
            made.segments.push(segment);
        }
        Ok(made)
    }

    /// A page of the records that match, at most `count` of them, from `from` on.
    ///
    /// `allowed` says which patients may be looked at: the others are passed over before anything of theirs is opened.
    ///
    /// # Errors
    /// - of the backend; `corrupt`.
    pub fn search(
        &self,
        query: &Query,
        from: Option<Cursor>,
        count: usize,
        allowed: &dyn Fn(PatientNumber) -> bool,
    ) -> Result<Page> {
        let mut page = Page { records: Vec::new(), next: None };
        let start = from.unwrap_or_default();
        let patients = match self.candidates(query)? {
            Some(patients) => patients.into_iter().collect(),
            None => self.patients()?.into_iter().map(|patient| patient.0).collect::<Vec<u32>>(),
        };
        for patient in patients.into_iter().filter(|patient| *patient >= start.patient) {
            if !allowed(PatientNumber(patient)) {
                continue;
            }
            for (block, slot) in self.matching(patient, query)? {
                let here = Cursor { patient, block, slot: slot.into() };
                if from.is_some_and(|from| here < from) {
                    continue;
                }
                let stored = self.at(Place { patient, block, slot })?;
                if !self.fits(&stored, query)? {
                    continue;
                }
                if page.records.len() == count {
                    page.next = Some(here);
                    return Ok(page);
                }
                page.records.push(stored);
            }
        }
        Ok(page)
    }

    /// The patients that can have a match, where the query has a condition the global index answers.
    fn candidates(&self, query: &Query) -> Result<Option<BTreeSet<u32>>> {
        let mut all: Option<BTreeSet<u32>> = None;
        if let Some(condition) = query.conditions.iter().find(|condition| condition.parameter.code == "_id") {
            let mut found = BTreeSet::new();
            for wanted in &condition.any {
                let Match::Token { code: Some(id), .. } = wanted else { continue };
                if let Some(row) = self.view.get(Table::Id, &self.store.id_key(query.kind, id))? {
                    found.insert(read_id_row(&row)?.0.patient);
                }
            }
            all = Some(found);
        }
        for condition in query.conditions.iter().filter(|condition| is_global(condition.parameter.code)) {
            let Some(values) =
                condition.any.iter().map(|wanted| lookup(condition, wanted)).collect::<Option<Vec<String>>>()
            else {
                continue;
            };
            let mut found = BTreeSet::new();
            for value in values {
                let from = self.store.token_key(condition.parameter.code, &value);
                let to = [from.as_slice(), &[0xff; 5]].concat();
                self.view.range(Table::Token, &from, &to, &mut |key, _| {
                    if let Some(Ok(number)) = key.get(8..).map(<[u8; 4]>::try_from) {
                        found.insert(u32::from_be_bytes(number));
                    }
                    true
                })?;
            }
            all = Some(match all {
                Some(before) => before.intersection(&found).copied().collect(),
                None => found,
            });
        }
        Ok(all)
    }

    /// The places of a patient's records that can match, in order.
    fn matching(&self, patient: u32, query: &Query) -> Result<BTreeSet<(u32, u16)>> {
        let index = self.index(patient)?;
        let mut places = BTreeSet::new();
        for segment in &index.segments {
            let mut keep: Vec<bool> = segment
                .records
                .iter()
                .map(|(block, slot, kind)| *kind == query.kind.number() && !index.dead.contains(&(*block, *slot)))
                .collect();
            for condition in &query.conditions {
                let mut has = vec![false; keep.len()];
                let number = condition.parameter.number;
                for wanted in &condition.any {
                    let mut mark = |records: &[u32]| records.iter().for_each(|record| has[*record as usize] = true);
                    match exact_key(wanted) {
                        Some(key) => {
                            if let Some(records) = segment.values.get(&(number, key)) {
                                mark(records);
                            }
                        }
                        None => {
                            for ((_, value), records) in
                                segment.values.range((number, Vec::new())..=(number, vec![0xff; 64]))
                            {
                                if can_fit(wanted, condition.parameter.kind, value) {
                                    mark(records);
                                }
                            }
                        }
                    }
                }
                keep.iter_mut().zip(has).for_each(|(keep, has)| *keep &= has);
            }
            places.extend(
                segment.records.iter().zip(keep).filter(|(_, keep)| *keep).map(|((block, slot, _), _)| (*block, *slot)),
            );
        }
        Ok(places)
    }

    /// Checks a candidate on the record itself.
    fn fits(&self, stored: &Stored, query: &Query) -> Result<bool> {
        if query.conditions.is_empty() {
            return Ok(true);
        }
        let record = stored.record()?;
        let mut met = vec![false; query.conditions.len()];
        let resolve = |address: &str| self.resolve(address).ok().flatten();
        extract(&record, &resolve, |parameter, value| {
            for (condition, met) in query.conditions.iter().zip(&mut met) {
                *met |= std::ptr::eq(condition.parameter, parameter)
                    && condition.any.iter().any(|wanted| wanted.fits(&value));
            }
        });
        Ok(met.into_iter().all(|met| met))
    }
}

/// The value to look up in the global index for one alternative; None where that index cannot answer.
fn lookup(condition: &Condition, wanted: &Match) -> Option<String> {
    match wanted {
        Match::Token { system, code: Some(code) } => match system.as_deref() {
            None | Some("") => Some(code.clone()),
            Some(system) => Some(format!("{system}|{code}")),
        },
        Match::Exact(text) => Some(format!("={text}")),
        Match::StartsWith(text) if text.chars().count() >= 3 => Some(prefix(text)),
        Match::Date(crate::search::Comparison::Equal, start, end) => {
            let value = EntryValue::Date(*start, *end);
            let mut found = None;
            // A day equals itself only; a year or month can hold days, which are found by their year.
            global_values(condition.parameter.code, &value, |text| found = Some(text.to_owned()));
            found
        }
        _ => None,
    }
}

/// The key of a patient's index under which all matches are, where there is one.
fn exact_key(wanted: &Match) -> Option<Vec<u8>> {
    match wanted {
        Match::Token { system: None | Some(_), code: Some(code) } => match wanted {
            Match::Token { system: Some(system), .. } if !system.is_empty() => {
                Some(layout::hashed(&[b"sc", system.as_bytes(), b"|", code.as_bytes()]))
            }
            _ => Some(layout::hashed(&[b"c", code.as_bytes()])),
        },
        Match::Token { system: Some(system), code: None } => Some(layout::hashed(&[b"s", system.as_bytes()])),
        Match::Reference(text) => {
            // An absolute address that ends in what is asked for is found by its id.
            let id = text.rsplit('/').next().unwrap_or(text);
            Some(layout::hashed(&[b"r", id.as_bytes()]))
        }
        _ => None,
    }
}

fn can_fit(wanted: &Match, kind: SearchKind, value: &[u8]) -> bool {
    match (kind, wanted) {
        (SearchKind::Date, _) => {
            let mut reader = layout::Reader { rest: value };
            match (reader.signed(), reader.signed()) {
                (Ok(start), Ok(end)) => wanted.fits(&EntryValue::Date(start, end)),
                _ => false,
            }
        }
        (_, Match::StartsWith(text) | Match::Exact(text)) => {
            let length = text.len().min(60);
            value.starts_with(&text.as_bytes()[..length])
        }
        _ => true,
    }
}
