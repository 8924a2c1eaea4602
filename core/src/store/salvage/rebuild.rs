//! The new store: genuine rows as they are, under the same keys; ids, index, tokens and names made anew from the records.

use super::{Fate, Survey};
use crate::error::Result;
use crate::id::{PatientNumber, Random};
use crate::keys::{KeyRing, KeySource};
use crate::limits::Watch;
use crate::record::Record;
use crate::store::change::{id_row, patient_of};
use crate::store::embedded::Embedded;
use crate::store::layout::{self, Entry, Place, Segment};
use crate::store::{
    Batch, Change, ChangeKind, Note, PutMeta, ReadView, STATE, State, Store, Table, lock, pair, patient_row, rekey,
    wraps,
};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes that are written at once.
const AT_ONCE: usize = 8 << 20;
const CACHE: usize = 16 << 20;
/// What a hidden record has as the reason.
const REASON: &str = "salvage: a later version is lost, or may be";

/// A record that gets its place in the index of a chart.
type Here = (Place, [u8; 13], Fate);

pub(super) fn rebuild(
    mut survey: Survey<'_>,
    source: &dyn KeySource,
    into: Box<dyn redb::StorageBackend>,
    random: Arc<dyn Random>,
    at: Timestamp,
    watch: &Watch,
) -> Result<super::Salvaged> {
    let header = survey.wreck.header().to_vec();
    let backend = Embedded::create(into, &header, &survey.keys, random.clone(), CACHE)?;
    let store = Store::new(Box::new(backend), KeyRing::open(source, &header)?, random);
    write_rows(&survey, &store, &header, watch)?;
    write_blocks(&survey, &store, watch)?;
    *lock(&store.latest) = None;
    for (number, slots) in &survey.to_empty {
        let mut change = store.change(at, "")?;
        change.empty(*number, slots)?;
        change.commit()?;
    }
    let mut charts: BTreeMap<u32, Vec<Here>> = BTreeMap::new();
    let mut ids = Rows::of(&store);
    for (key, newest) in &survey.records {
        let fate = survey.fate(key, newest);
        // What is to be hidden gets its row together with what hides it.
        if fate != Fate::Hidden {
            ids.put(Table::Id, key.to_vec(), id_row(newest.place))?;
        }
        if !newest.deleted {
            charts.entry(newest.place.patient).or_default().push((newest.place, *key, fate));
        } else if fate == Fate::Hidden {
            ids.put(Table::Id, key.to_vec(), id_row(newest.place))?;
        }
    }
    ids.finish()?;
    for (patient, mut here) in charts {
        watch.look()?;
        here.sort_unstable_by_key(|(place, ..)| *place);
        let mut change = store.change(at, "salvage")?;
        change.index_anew(&survey, patient, &here)?;
        change.commit()?;
    }
    survey.report.written = survey.report.current;
    drop(store); // closes the file
    Ok(survey.report)
}

impl Store {
    /// Takes out an audit log that cannot be continued.
    pub(crate) fn forget_audit(&self, at: Timestamp) -> Result<()> {
        let mut change = self.change(at, "")?;
        let mut keys = Vec::new();
        change.rows.range(Table::Audit, &[], &[u8::MAX; 16], &mut |key, _| {
            keys.push(key.to_vec());
            true
        })?;
        for key in keys {
            change.rows.mine.delete(Table::Audit, key);
        }
        change.commit().map(drop)
    }
}

/// Rows on their way to the disk.
struct Rows<'s> {
    store: &'s Store,
    batch: Batch,
    bytes: usize,
}

impl Rows<'_> {
    fn of(store: &Store) -> Rows<'_> {
        Rows { store, batch: Batch::default(), bytes: 0 }
    }
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.bytes += key.len() + value.len() + 64;
        self.batch.put(table, key, value);
        if self.bytes > AT_ONCE { self.write() } else { Ok(()) }
    }
    fn write(&mut self) -> Result<()> {
        self.bytes = 0;
        self.store.backend.commit(&std::mem::take(&mut self.batch))
    }
    fn finish(mut self) -> Result<()> {
        self.write()?;
        *lock(&self.store.latest) = None;
        Ok(())
    }
}

/// Everything but blocks and what is made anew.
fn write_rows(survey: &Survey<'_>, store: &Store, header: &[u8], watch: &Watch) -> Result<()> {
    let mut rows = Rows::of(store);
    for (key, value) in survey.meta.iter().filter(|(key, _)| !wraps::is_group_row(key)) {
        rows.put(Table::Meta, key.clone(), value.clone())?;
    }
    for (group, (_, wrapped)) in &survey.groups {
        rows.put(Table::Meta, wraps::group_row(*group), wrapped.clone())?;
    }
    if !survey.meta.contains_key(rekey::REVISION) {
        let sealed = store.sealed_revision(KeyRing::status(header)?.revision)?;
        rows.put(Table::Meta, rekey::REVISION.to_vec(), sealed)?;
    }
    // Numbers that were given are not given again.
    let known = survey.state.unwrap_or(State { next_commit: 1, next_patient: 1, at: Timestamp(i64::MIN) });
    let patients = survey.next.keys().chain(survey.charts.keys()).map(|(patient, _)| patient.saturating_add(1));
    let state = State {
        next_commit: known.next_commit.max(survey.last_commit + 1),
        next_patient: patients.fold(known.next_patient, u32::max),
        at: known.at.max(survey.last_at),
    };
    let mut batch = Batch::default();
    store.write_state(&mut batch, state)?;
    if let Some(Some(sealed)) = batch.get(Table::Meta, STATE) {
        rows.put(Table::Meta, STATE.to_vec(), sealed.to_vec())?;
    }
    for (chart, key) in &survey.charts {
        rows.put(Table::Patient, patient_row(*chart).to_vec(), key.row.clone())?;
    }
    for (key, value) in &survey.lifecycle {
        rows.put(Table::Lifecycle, key.clone(), value.clone())?;
    }
    // Of a chart that lost blocks: what would lead to one of them finds that it is gone.
    let lost: BTreeSet<(u32, u8)> = survey
        .report
        .missing
        .iter()
        .filter(|one| one.what == super::MissingKind::Block)
        .map(|one| (one.patient, layout::compartment(one.row as u32)))
        .collect();
    for chart in lost {
        if let Some(next) = survey.next.get(&chart) {
            let (before, blocks) = survey.gone(chart);
            let (key, value) = store.gone_row(chart, (*next).max(before), &blocks)?;
            rows.put(Table::Meta, key, value)?;
        }
    }
    for (key, patient) in names(survey) {
        rows.put(Table::PatientName, key, patient.to_be_bytes().to_vec())?;
    }
    for table in [Table::Audit, Table::Ledger, Table::Quarantine] {
        let mut done = watch.look();
        survey.trees.table(table, &mut |key, value| {
            if done.is_ok() {
                done = rows.put(table, key.to_vec(), value.to_vec());
            }
        });
        done?;
    }
    rows.finish()
}

/// Names of patients. One leads to a chart; where all keys of that are lost, to nothing. From an earlier commit they are taken where they can be
/// names of the charts there are: what is left out is made anew from the records.
fn names(survey: &Survey<'_>) -> Vec<(Vec<u8>, u32)> {
    let (mut names, mut charts, mut doubtful) = (Vec::new(), BTreeSet::new(), false);
    survey.trees.table(Table::PatientName, &mut |key, value| {
        let patient = value.try_into().map_or(u32::MAX, u32::from_be_bytes);
        let leads = survey.charts.range((patient, 0)..=(patient, u8::MAX)).next().is_some();
        doubtful |= !charts.insert(patient) || !leads;
        if leads {
            names.push((key.to_vec(), patient));
        }
    });
    if doubtful && !survey.trees.exact { Vec::new() } else { names }
}

fn write_blocks(survey: &Survey<'_>, store: &Store, watch: &Watch) -> Result<()> {
    let mut rows = Rows::of(store);
    survey
        .each_block(watch, &mut |number, sealed, _| rows.put(Table::Block, pair(number).to_vec(), sealed.to_vec()))?;
    rows.finish()
}

impl Change<'_> {
    /// Writes the index of the charts of a patient, hides what is to be hidden, and finds the patient's name.
    fn index_anew(&mut self, survey: &Survey<'_>, patient: u32, here: &[Here]) -> Result<()> {
        let mut segments: BTreeMap<(u32, u8), Segment> = BTreeMap::new();
        let current: BTreeSet<Place> =
            here.iter().filter(|(.., fate)| *fate == Fate::Current).map(|(place, ..)| *place).collect();
        for (_, block) in survey.found.range((patient, 0)..=(patient, u32::MAX)) {
            let place = Place { patient, block: *block, slot: 0 };
            for slot in 0..self.at(place).map_or(0, |first| first.slots()) {
                let place = Place { slot, ..place };
                let version = self.at(place)?;
                if version.slot().id.is_empty() || version.slot().deleted {
                    continue;
                }
                let record = Record::parse(version.hidden_bytes())?;
                self.name_anew(&record, patient)?;
                if version.slot().retracted {
                    continue;
                }
                // An earlier version is found by its tokens still, as where it was written.
                let range = self.index(&record, patient, &PutMeta::DIRECT);
                let entries = self.take_entries(range);
                if !current.contains(&place) {
                    continue;
                }
                let segment = segments.entry(place.chart()).or_default();
                let record = segment.records.len() as u32;
                segment.records.push((place.block, place.slot, version.slot().kind.number()));
                let entry = |(parameter, value, extra)| Entry { parameter, value, extra, record };
                segment.entries.extend(entries.into_iter().map(entry));
            }
        }
        for (chart, mut segment) in segments {
            self.put_segment(chart, &mut segment)?;
        }
        let note = Note { kind: ChangeKind::Retract, reason: REASON.to_owned(), on_behalf: None, authored: None };
        for (place, key, _) in here.iter().filter(|(.., fate)| *fate == Fate::Hidden) {
            self.rows.mine.put(Table::Id, key.to_vec(), id_row(*place));
            if !survey.records.get(key).is_some_and(|newest| newest.retracted) {
                self.hide(*place, *key, &note)?;
            }
        }
        self.flush()
    }

    /// Where the number of a patient is lost, a record of the patient's says whose it is.
    fn name_anew(&mut self, record: &Record, patient: u32) -> Result<()> {
        if patient == PatientNumber::SHARED.0 {
            return Ok(());
        }
        let resolve = |address: &str| self.store.resolve(&self.rows, address).ok().flatten();
        if let Some(id) = patient_of(record, &resolve) {
            let key = self.store.name_key(&id);
            if self.rows.get(Table::PatientName, &key)?.is_none() {
                self.rows.mine.put(Table::PatientName, key, patient.to_be_bytes().to_vec());
            }
        }
        Ok(())
    }
}
