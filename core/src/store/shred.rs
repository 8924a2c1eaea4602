//! Crypto-shredding: a patient's chart, or a compartment of it, becomes unreadable for ever.
//!
//! The rows go: blocks, index, ids, tokens, the name, what addresses stood for. The key goes: its row, and every copy of that
//! row that still lies in the file, because the keys it was wrapped under are destroyed too (`rekey`). What stays is a number:
//! how many blocks there were, so that none is ever given the place of one that others may still point at.

use super::layout::{self, Place, Reader, Writer};
use super::moved::Moved;
use super::witness::Gone;
use super::{Change, ReadView, Store, Table, lock, pair, patient_row, terms};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::record::{Compartment, Record, Value};
use crate::schema::ResourceType;
use crate::search::extract;
use crate::vault::{self, Context, RowKind};
use std::collections::{BTreeMap, BTreeSet};

/// What shredding destroyed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shredded {
    /// Whose chart.
    pub patient: u32,
    /// Versions of records.
    pub versions: u64,
    /// Blocks of records.
    pub blocks: u64,
    /// Entries of the index over all patients.
    pub tokens: u64,
    /// Blocks that could not be opened any more; they are destroyed too, and what stood for them was looked for everywhere. Where a
    /// block of another chart does not open, what it has of a record that moved is not known; it counts as well.
    pub damaged: u64,
    /// Versions that lay elsewhere, in the chart of another patient or in another compartment, of records that are this patient's: they
    /// were taken out of there.
    pub elsewhere: u64,
    /// Records that were in this chart once and are somebody else's now, or in another compartment: what they said here is gone, what
    /// they say there stays. Whoever finds that one of them is about this patient all the same corrects or destroys it there.
    pub moved: Vec<Moved>,
    /// Wrapped keys of other patients, of the group whose keys lie under one key with this one's, that open no more: they were lost before.
    /// The log says so too.
    pub keys_lost: u64,
    /// What lies elsewhere of the records that went: for the rooms that keep something about them, and for the log.
    pub(crate) elsewhere_of: Elsewhere,
}

/// Whose charts versions were taken out of, and which records went that had versions there.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) patients: Vec<u32>,
    pub(crate) records: Vec<(ResourceType, String)>,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Elsewhere({} patients)", self.patients.len())
    }
}

impl Shredded {
    /// The same as JSON: versions, blocks, tokens, damaged, elsewhere, keysLost, and moved, each with its record, `Type/id`, and how many versions
    /// of it stay.
    pub fn to_json(&self) -> Vec<u8> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut all = Value::object();
        for (name, count) in [
            ("versions", self.versions),
            ("blocks", self.blocks),
            ("tokens", self.tokens),
            ("damaged", self.damaged),
            ("elsewhere", self.elsewhere),
            ("keysLost", self.keys_lost),
        ] {
            all.set(name, number(count));
        }
        let moved = self.moved.iter().map(|one| {
            let mut value = Value::object();
            value.set("record", format!("{}/{}", one.kind, one.id));
            value.set("versions", number(one.versions));
            value
        });
        all.set("moved", moved.collect::<Vec<Value>>());
        all.to_json()
    }
}

/// What a patient's records left in the tables that are not the patient's own.
#[derive(Default)]
pub(super) struct Traces {
    pub(super) ids: BTreeSet<[u8; 13]>,
    pub(super) tokens: BTreeSet<[u8; 12]>,
    /// `Type/id` of each record.
    targets: BTreeSet<String>,
    versions: u64,
    blocks: u64,
    pub(super) damaged: u64,
    /// Ids of records of which a version lies in another chart or compartment.
    pub(super) leads: BTreeSet<[u8; 13]>,
    /// The blocks, by chart.
    gone: BTreeMap<(u32, u8), Vec<Gone>>,
}

impl Change<'_> {
    /// Destroys the chart of a patient, or one compartment of it. All that is pending in this change set is written first.
    ///
    /// # Errors
    /// - `not-found`: there is no such patient, or nothing in that compartment. `hold`, with whom to ask. Of the backend.
    pub(crate) fn shred(&mut self, id: &str, only: Option<Compartment>) -> Result<Shredded> {
        self.flush()?;
        let not_found = || Code::NotFound.error();
        let name = self.store.name_key(id);
        let row = self.rows.get(Table::PatientName, &name)?.ok_or_else(not_found)?;
        let patient = u32::from_be_bytes(row.as_slice().try_into().map_err(|_| Code::Corrupt.error())?);
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        for compartment in Compartment::ALL {
            if self.rows.get(Table::Patient, &patient_row((patient, compartment as u8)))?.is_some() {
                let list = if only.is_none_or(|only| only == compartment) { &mut gone } else { &mut kept };
                list.push((patient, compartment as u8));
            }
        }
        if gone.is_empty() {
            return Err(not_found());
        }
        self.refuse_any_held(PatientNumber(patient))?;
        let mut traces = Traces::default();
        for chart in &gone {
            self.store.traces(&self.rows, *chart, &mut traces)?;
        }
        let mut others = Traces::default();
        for chart in &kept {
            self.store.traces(&self.rows, *chart, &mut others)?;
        }
        if traces.damaged > 0 {
            self.all_traces(patient, &mut traces)?;
        }
        let lines = self.lines(&gone, &mut traces)?;
        let mut done = Shredded {
            patient,
            versions: traces.versions,
            blocks: traces.blocks,
            damaged: traces.damaged,
            elsewhere: lines.doomed.values().map(|slots| slots.len() as u64).sum(),
            ..Shredded::default()
        };
        for key in &traces.tokens {
            if !others.tokens.contains(key) && self.rows.get(Table::Token, key)?.is_some() {
                self.rows.mine.delete(Table::Token, key.to_vec());
                done.tokens += 1;
            }
        }
        for key in &traces.ids {
            let Some(row) = self.rows.get(Table::Id, key)? else { continue };
            if gone.contains(&super::change::read_id_row(&row)?.chart()) {
                self.rows.mine.delete(Table::Id, key.to_vec());
            }
        }
        others.targets.extend(lines.moved.iter().map(|one| format!("{}/{}", one.kind, one.id)));
        for target in traces.targets.difference(&others.targets) {
            self.forget_aliases(target)?;
        }
        for chart in &gone {
            self.remove_chart(*chart, traces.gone.remove(chart).unwrap_or_default())?;
        }
        if kept.is_empty() {
            self.rows.mine.delete(Table::PatientName, name);
            self.forget_aliases(&format!("Patient/{id}"))?;
            let (key, value) = self.store.erased_row(id, patient)?;
            self.rows.mine.put(Table::Meta, key, value);
        }
        self.names.remove(id);
        self.seen.clear();
        self.resolved.get_mut().clear();
        self.charts.retain(|chart, _| !gone.contains(chart));
        self.tells = true; // consents and care teams went with the rest
        self.forgotten.extend(gone);
        self.take_out(&lines.doomed, &lines.terms)?;
        done.moved = lines.moved;
        let patients =
            lines.whose.into_iter().filter(|one| ![patient, PatientNumber::SHARED.0].contains(one)).collect();
        done.elsewhere_of = Elsewhere { patients, records: lines.taken.into_iter().collect() };
        done.keys_lost = self.renew_group(patient)?;
        Ok(done)
    }

    /// Takes out blocks, index and key of a compartment; remembers how many blocks there were, and their witnesses.
    fn remove_chart(&mut self, chart: (u32, u8), blocks: Vec<Gone>) -> Result<()> {
        let (first, last) = layout::numbers(chart.1);
        let next = self.next_number(Table::Block, chart)?;
        let (from, to) = (pair((chart.0, first)), [&pair((chart.0, last))[..], &[0]].concat());
        for table in [Table::Block, Table::Index] {
            let mut keys = Vec::new();
            self.rows.range(table, &from, &to, &mut |key, _| {
                keys.push(key.to_vec());
                true
            })?;
            keys.into_iter().for_each(|key| self.rows.mine.delete(table, key));
        }
        for (key, _) in self.asides_of(chart)? {
            self.rows.mine.delete(Table::Lifecycle, key);
        }
        self.rows.mine.delete(Table::Patient, patient_row(chart).to_vec());
        let (_, before) = self.store.gone(&self.rows, chart)?;
        let (key, value) = self.store.gone_row(chart, next, &[before, blocks].concat())?;
        self.rows.mine.put(Table::Meta, key, value);
        Ok(())
    }

    /// Takes out what addresses stood for a record.
    fn forget_aliases(&mut self, target: &str) -> Result<()> {
        let from = self.store.aliased_key(target);
        let to = [&from[..], &[u8::MAX; 17]].concat();
        let mut tokens = Vec::new();
        self.rows.range(Table::Meta, &from, &to, &mut |key, _| {
            tokens.push(key[from.len()..].to_vec());
            true
        })?;
        for token in tokens {
            self.rows.mine.delete(Table::Meta, [&from[..], &token].concat());
            self.rows.mine.delete(Table::Meta, [&b"alias "[..], &token].concat());
        }
        Ok(())
    }

    /// Looks through the whole tables of ids and tokens for a patient: where blocks do not open, they do not say what they left there.
    fn all_traces(&self, patient: u32, traces: &mut Traces) -> Result<()> {
        let number = patient.to_be_bytes();
        self.rows.range(Table::Token, &[], &[u8::MAX; 13], &mut |key, _| {
            if let Ok(key) = <[u8; 12]>::try_from(key) {
                if key[8..] == number {
                    traces.tokens.insert(key);
                }
            }
            true
        })?;
        self.rows.range(Table::Id, &[], &[u8::MAX; 14], &mut |key, value| {
            if let Ok(key) = <[u8; 13]>::try_from(key) {
                if value.starts_with(&number) {
                    traces.ids.insert(key);
                }
            }
            true
        })
    }
}

impl Store {
    /// What the records of a compartment left in the tables of ids and of tokens.
    pub(super) fn traces(&self, view: &dyn ReadView, chart: (u32, u8), traces: &mut Traces) -> Result<()> {
        let key = self.patient_key(view, chart, false).ok();
        let (first, last) = layout::numbers(chart.1);
        let (from, to) = (pair((chart.0, first)), [&pair((chart.0, last))[..], &[0]].concat());
        let mut numbers = Vec::new();
        view.range(Table::Block, &from, &to, &mut |key, _| {
            numbers.extend(key.last_chunk().map(|number| u32::from_be_bytes(*number)));
            true
        })?;
        for block in numbers {
            traces.blocks += 1;
            let place = Place { patient: chart.0, block, slot: 0 };
            let opened = key.as_ref().and_then(|key| self.block(view, place, Some(key), false).ok());
            let Some(opened) = opened else {
                traces.damaged += 1;
                traces.gone.entry(chart).or_default().push(Gone { block, witness: None });
                continue;
            };
            let witness = self.block_witness(&opened).map(|witness| (opened.commit, witness));
            traces.gone.entry(chart).or_default().push(Gone { block, witness });
            for slot in opened.slots.iter().filter(|slot| !slot.id.is_empty()) {
                traces.versions += 1;
                let Ok(id) = std::str::from_utf8(&opened.bytes[slot.id.clone()]) else { continue };
                let key = self.id_key(slot.kind, id);
                traces.ids.insert(key);
                if slot.before.is_some_and(|before| before.chart() != chart) {
                    traces.leads.insert(key);
                }
                traces.targets.insert(format!("{}/{id}", slot.kind));
                if slot.deleted {
                    continue;
                }
                let mut term = |label: &str, text: &str| {
                    let mut key = [0; 12];
                    key[..8].copy_from_slice(&self.token_key(label, text));
                    key[8..].copy_from_slice(&chart.0.to_be_bytes());
                    traces.tokens.insert(key);
                };
                term("type", slot.kind.name());
                match Record::parse(&opened.bytes[slot.body.clone()]) {
                    Ok(record) => extract(&record, |parameter, value| terms::terms(parameter.code, &value, &mut term)),
                    Err(_) => traces.damaged += 1,
                }
            }
        }
        Ok(())
    }

    /// Drops what memory holds of shredded compartments.
    pub(super) fn forget(&self, charts: &[(u32, u8)]) {
        self.shreds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let gone = |patient: u32, number: u32| charts.contains(&(patient, layout::compartment(number)));
        lock(&self.blocks).retain(|(patient, number)| !gone(*patient, *number));
        lock(&self.segments).retain(|(patient, number)| !gone(*patient, *number));
        lock(&self.patient_keys).retain(|chart| !charts.contains(chart));
        *lock(&self.group_keys) = super::Recent::new(super::KEY_CACHE);
    }

    /// The number of the first block of a compartment that was not shredded.
    pub(super) fn gone_before(&self, view: &dyn ReadView, chart: (u32, u8)) -> Result<u32> {
        Ok(self.gone(view, chart)?.0)
    }

    /// That number, and the blocks that were shredded.
    pub(super) fn gone(&self, view: &dyn ReadView, chart: (u32, u8)) -> Result<(u32, Vec<Gone>)> {
        let Some(sealed) = view.get(Table::Meta, &gone_key(chart))? else {
            return Ok((layout::numbers(chart.1).0, Vec::new()));
        };
        read_gone(&vault::open(self.keys.store_key(), &self.gone_context(chart), &sealed)?)
    }

    /// `next block number, { block number, change set number + 1 (0: not known), witness 32? }*`
    pub(super) fn gone_row(&self, chart: (u32, u8), next: u32, blocks: &[Gone]) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut plain = Writer::default();
        plain.number(next.into());
        for Gone { block, witness } in blocks {
            plain.number((*block).into());
            plain.number(witness.map_or(0, |(commit, _)| commit + 1));
            plain.0.extend(witness.iter().flat_map(|(_, witness)| witness));
        }
        let sealed = vault::seal(self.keys.store_key(), &self.gone_context(chart), &plain.0, &*self.random)?;
        Ok((gone_key(chart), sealed))
    }

    fn gone_context(&self, (patient, compartment): (u32, u8)) -> Context<'static> {
        Context { compartment, ..self.context(patient, RowKind::Erased, 0) }
    }

    /// The number that a shredded patient had; None where none of that id was shredded.
    pub(super) fn erased(&self, view: &dyn ReadView, id: &str) -> Result<Option<u32>> {
        let key = self.erased_key(id);
        let Some(sealed) = view.get(Table::Meta, &key)? else { return Ok(None) };
        let mut context = self.context(0, RowKind::Erased, 1);
        context.labels = &key;
        let plain = vault::open(self.keys.store_key(), &context, &sealed)?;
        Reader { rest: &plain }.small().map(Some)
    }

    fn erased_row(&self, id: &str, patient: u32) -> Result<(Vec<u8>, Vec<u8>)> {
        let key = self.erased_key(id);
        let mut context = self.context(0, RowKind::Erased, 1);
        context.labels = &key;
        let mut plain = Writer::default();
        plain.number(patient.into());
        let sealed = vault::seal(self.keys.store_key(), &context, &plain.0, &*self.random)?;
        Ok((key, sealed))
    }

    fn erased_key(&self, id: &str) -> Vec<u8> {
        [&b"erased "[..], &self.keys.token("erased", &[id.as_bytes()])].concat()
    }

    /// The start of the keys that say which addresses stand for a record.
    pub(super) fn aliased_key(&self, target: &str) -> Vec<u8> {
        [&b"aliased "[..], &self.keys.token("aliased", &[target.as_bytes()])].concat()
    }
}

/// What a row of a shredded compartment says.
pub(super) fn read_gone(plain: &[u8]) -> Result<(u32, Vec<Gone>)> {
    let mut reader = Reader { rest: plain };
    let (next, mut blocks) = (reader.small()?, Vec::new());
    while !reader.rest.is_empty() {
        let (block, commit) = (reader.small()?, reader.number()?);
        let witness = if commit > 0 { Some((commit - 1, reader.array()?)) } else { None };
        blocks.push(Gone { block, witness });
    }
    Ok((next, blocks))
}

pub(super) fn gone_key(chart: (u32, u8)) -> Vec<u8> {
    [&b"gone "[..], &patient_row(chart)].concat()
}
