//! Whether what the file holds fits together: every slot against its seal, every block and key, every chain of versions, and every index
//! against what the records themselves say.
//!
//! Places are numbers: of slots, patients, rows. Nothing of a record is in a report.

use super::layout::{Place, Segment, compartment};
use super::snapshot::{Snapshot, Stored};
use super::terms;
use super::{Table, change::read_id_row, pages::Checked, pair};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::limits::Watch;
use crate::search::{Value, extract};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What was found not to be as it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DamageKind {
    /// A slot of the file.
    Slot,
    /// A part of the map of slots.
    Map,
    /// Rows of a table that cannot be walked; the row is the number of the table.
    Table,
    /// The counters of the store.
    State,
    /// A wrapped key; the row is the compartment.
    Key,
    /// A block of records; the row is its number.
    Block,
    /// A version that does not continue the one before it, or whose record cannot be read; the row is that of its block.
    Version,
    /// A segment of a patient's index, or an entry in it; the row is that of the segment or of the block.
    Index,
    /// The row by which a record is found under its id; the row is that of the block.
    Id,
    /// The row by which a patient is found under a logical id.
    Name,
    /// A token of the index over all patients.
    Token,
    /// What an address stands for.
    Alias,
    /// A row beside the records: a hold, a request, a conflict.
    Aside,
    /// The audit log.
    Audit,
    /// The import ledger.
    Ledger,
    /// The quarantine.
    Quarantine,
    /// Something that was destroyed has a key or bytes in the file still: it could not be finished yet.
    Unfinished,
}

impl DamageKind {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            DamageKind::Slot => "slot",
            DamageKind::Map => "map",
            DamageKind::Table => "table",
            DamageKind::State => "state",
            DamageKind::Key => "key",
            DamageKind::Block => "block",
            DamageKind::Version => "version",
            DamageKind::Index => "index",
            DamageKind::Id => "id",
            DamageKind::Name => "name",
            DamageKind::Token => "token",
            DamageKind::Alias => "alias",
            DamageKind::Aside => "aside",
            DamageKind::Audit => "audit",
            DamageKind::Ledger => "ledger",
            DamageKind::Quarantine => "quarantine",
            DamageKind::Unfinished => "unfinished",
        }
    }
}

/// One place that is not as it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What it is.
    pub what: DamageKind,
    /// The number of the patient, where it is one patient's.
    pub patient: Option<u32>,
    /// The number of the row or slot.
    pub row: u64,
}

/// What a check looked at, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Every byte of the file.
    pub file: Checked,
    /// Patients.
    pub patients: u64,
    /// Patients and compartments whose key is gone, so that what is left of them cannot be read.
    pub erased: u64,
    /// Blocks opened.
    pub blocks: u64,
    /// Versions of records.
    pub versions: u64,
    /// Records that are current.
    pub records: u64,
    /// Entries of the patients' indexes that were compared with the records.
    pub entries: u64,
    /// Tokens of the index over all patients that were compared.
    pub tokens: u64,
    /// Tokens for which no record that can be read has the value.
    pub leftover_tokens: u64,
    /// Addresses.
    pub aliases: u64,
    /// Audit events.
    pub events: u64,
    /// How many places are not as they were left.
    pub found: u64,
    /// The first thousand of them.
    pub damage: Vec<Damage>,
    /// A hash over every version in order: equal just where two stores hold the same versions in the same places.
    pub content: [u8; 32],
}

const MOST: usize = 1000;

impl CheckReport {
    /// Whether everything is as it was left.
    pub fn is_sound(&self) -> bool {
        self.found == 0
    }

    pub(crate) fn note(&mut self, what: DamageKind, patient: Option<u32>, row: u64) {
        self.found += 1;
        if self.damage.len() < MOST {
            self.damage.push(Damage { what, patient, row });
        }
    }
}

/// What a record should be found by.
#[derive(Default)]
struct Expected {
    /// Exactly these.
    entries: BTreeSet<(u16, u64, u64)>,
    /// For references by address: what stands for the target now, and what stands for an address that is not known.
    addresses: Vec<(Vec<(u16, u64, u64)>, Vec<(u16, u64, u64)>)>,
}

impl Snapshot<'_> {
    /// Looks at everything of the store that is not another room's. `step` is told how many patients of how many are done and
    /// says whether to go on.
    ///
    /// # Errors
    /// - `cancelled`, `deadline`, `store-io`. What is damaged is no error: it is in the report.
    pub fn check(&self, watch: &Watch, step: &mut dyn FnMut(u64, u64) -> bool) -> Result<CheckReport> {
        let mut report = CheckReport { file: self.store.check()?, ..CheckReport::default() };
        for slot in report.file.damaged.clone() {
            report.note(DamageKind::Slot, None, slot.into());
        }
        for _ in 0..report.file.map_damaged {
            report.note(DamageKind::Map, None, 0);
        }
        // Where that cannot be told, the tables that say so are damaged, and are found below.
        if self.store.is_unfinished().unwrap_or(false) {
            report.note(DamageKind::Unfinished, None, 0);
        }
        let state = self.store.read_state(&*self.view);
        let next_patient = state.as_ref().map_or(u32::MAX, |state| state.next_patient);
        if state.is_err() {
            report.note(DamageKind::State, None, 0);
        }
        let patients = match self.patients() {
            Ok(patients) => patients,
            Err(error) => return self.unwalkable(report, Table::Patient, error.code()),
        };
        let mut ids = 0;
        for (done, patient) in patients.iter().enumerate() {
            if done % 64 == 0 && !step(done as u64, patients.len() as u64) {
                return Err(Code::Cancelled.error());
            }
            report.patients += u64::from(*patient != PatientNumber::SHARED);
            if patient.0 >= next_patient {
                report.note(DamageKind::State, Some(patient.0), 0);
            }
            match self.check_patient(patient.0, &mut report, watch) {
                Ok(newest) => ids += newest,
                Err(error) if matches!(error.code(), Code::Cancelled | Code::Deadline) => return Err(error),
                Err(error) if error.code() == Code::Poisoned => {
                    return self.unwalkable(report, Table::Block, error.code());
                }
                Err(_) => report.note(DamageKind::Table, Some(patient.0), Table::Block as u64),
            }
        }
        self.check_rows(&mut report, &patients, ids)?;
        step(patients.len() as u64, patients.len() as u64);
        Ok(report)
    }

    fn unwalkable(&self, mut report: CheckReport, table: Table, code: Code) -> Result<CheckReport> {
        if code == Code::StoreIo {
            return Err(code.error());
        }
        report.note(DamageKind::Table, None, table as u64);
        Ok(report)
    }

    /// Gives how many records there are whose newest version is this patient's.
    fn check_patient(&self, patient: u32, report: &mut CheckReport, watch: &Watch) -> Result<u64> {
        let store = self.store;
        let mut keys = HashMap::new();
        let mut rows = Vec::new();
        self.view.range(
            Table::Patient,
            &patient.to_be_bytes(),
            &[&patient.to_be_bytes()[..], &[u8::MAX; 2]].concat(),
            &mut |key, _| {
                rows.extend(key.get(4).copied());
                true
            },
        )?;
        for row in rows {
            match store.patient_key(&*self.view, (patient, row), false) {
                Ok(key) => drop(keys.insert(row, key)),
                Err(_) => report.note(DamageKind::Key, Some(patient), row.into()),
            }
        }
        let mut numbers = Vec::new();
        let end = [pair((patient, u32::MAX)).as_slice(), &[0]].concat();
        self.view.range(Table::Block, &pair((patient, 0)), &end, &mut |key, _| {
            numbers.extend(key.last_chunk().map(|number| u32::from_be_bytes(*number)));
            true
        })?;
        let (mut alive, mut tokens, mut newest) = (HashMap::new(), HashSet::new(), 0);
        for number in numbers {
            watch.look()?;
            let place = Place { patient, block: number, slot: 0 };
            let Some(key) = keys.get(&compartment(number)) else {
                report.erased += 1;
                continue;
            };
            let Ok(block) = store.block(&*self.view, place, Some(key), false) else {
                report.note(DamageKind::Block, Some(patient), number.into());
                continue;
            };
            report.blocks += 1;
            for slot in 0..block.slots.len() {
                let stored = Stored::new(&block, number, slot as u16, patient);
                if stored.id().is_empty() {
                    continue; // its record was destroyed
                }
                newest += u64::from(self.check_version(&stored, slot as u16, report, &mut alive, &mut tokens)?);
            }
        }
        self.check_index(patient, report, &alive, &keys)?;
        for token in &tokens {
            if self.view.get(Table::Token, token)?.is_none() {
                report.note(DamageKind::Token, Some(patient), 0);
            }
        }
        report.tokens += tokens.len() as u64;
        Ok(newest)
    }

    fn check_version(
        &self,
        stored: &Stored,
        slot: u16,
        report: &mut CheckReport,
        alive: &mut HashMap<(u32, u16), (u8, Expected)>,
        tokens: &mut HashSet<[u8; 12]>,
    ) -> Result<bool> {
        let (patient, block) = (stored.patient().0, stored.block_number());
        let place = Place { patient, block, slot };
        let note = |report: &mut CheckReport, what| report.note(what, Some(patient), block.into());
        report.versions += 1;
        let leaf = [
            stored.kind().name().as_bytes(),
            b"/",
            stored.id().as_bytes(),
            &stored.version().to_be_bytes(),
            &[u8::from(stored.is_deleted()), u8::from(stored.is_retracted())],
            stored.bytes(),
        ]
        .concat();
        report.content = Active::sha256(&[&report.content, &Active::sha256(&[&leaf])]);
        let continues = match stored.before() {
            None => stored.version() == 1,
            Some(before) => match self.at(before) {
                Ok(before) => {
                    (before.kind(), before.id()) == (stored.kind(), stored.id())
                        && before.version().checked_add(1) == Some(stored.version())
                }
                Err(error) => error.code() == Code::Erased,
            },
        };
        if !continues {
            note(report, DamageKind::Version);
        }
        let row = self.view.get(Table::Id, &self.store.id_key(stored.kind(), stored.id()))?;
        let newest = match row.map(|row| read_id_row(&row)).transpose() {
            Ok(Some(named)) if named == place => true,
            Ok(Some(named)) => {
                let later = self.at(named).is_ok_and(|other| {
                    (other.kind(), other.id()) == (stored.kind(), stored.id()) && other.version() > stored.version()
                });
                if !later {
                    note(report, DamageKind::Id);
                }
                false
            }
            _ => {
                note(report, DamageKind::Id);
                false
            }
        };
        if stored.is_deleted() || stored.is_retracted() {
            return Ok(newest);
        }
        let Ok(record) = stored.record() else {
            note(report, DamageKind::Version);
            return Ok(newest);
        };
        let (resolve, asked) = (|address: &str| self.resolve(address).ok().flatten(), std::cell::Cell::new(false));
        let of = super::change::patient_of(&record, &|address| {
            asked.set(true);
            resolve(address)
        });
        // What an address stood for when the record was written need not be what it stands for now.
        if let Some(id) = of.filter(|_| !asked.get()) {
            if self.patient(&id)? != Some(PatientNumber(patient)) {
                note(report, DamageKind::Name);
            }
        }
        let mut expected = Expected::default();
        let mut token = |label: &'static str, text: &str| {
            let mut key = [0; 12];
            key[..8].copy_from_slice(&self.store.token_key(label, text));
            key[8..].copy_from_slice(&patient.to_be_bytes());
            tokens.insert(key);
        };
        token("type", record.kind().name());
        extract(&record, |parameter, value| {
            terms::terms(parameter.code, &value, &mut token);
            let with = |resolve: &dyn Fn(&str) -> Option<String>| {
                let mut entries = Vec::new();
                terms::entries(parameter.number, &value, resolve, |number, value, extra| {
                    entries.push((number, value, extra))
                });
                entries
            };
            match &value {
                Value::Reference(text) if text.contains(':') => {
                    expected.addresses.push((with(&resolve), with(&|_| None)));
                }
                _ => expected.entries.extend(with(&|_| None)),
            }
        });
        if newest {
            report.records += 1;
            alive.insert((block, slot), (record.kind().number(), expected));
        }
        Ok(newest)
    }

    fn check_index(
        &self,
        patient: u32,
        report: &mut CheckReport,
        alive: &HashMap<(u32, u16), (u8, Expected)>,
        keys: &HashMap<u8, crate::vault::SealKey>,
    ) -> Result<()> {
        let (mut segments, mut dead): (Vec<std::sync::Arc<Segment>>, HashSet<(u32, u16)>) =
            (Vec::new(), HashSet::new());
        let mut whole = true;
        for (number, _) in self.store.segment_numbers(&*self.view, patient)? {
            let Some(key) = keys.get(&compartment(number)) else { continue };
            match self.store.segment(&*self.view, (patient, number), Some(key), false) {
                Ok(segment) => {
                    dead.extend(&segment.dead);
                    segments.push(segment);
                }
                Err(_) => {
                    whole = false;
                    report.note(DamageKind::Index, Some(patient), number.into());
                }
            }
        }
        let mut seen = HashSet::new();
        for segment in &segments {
            let mut entries: Vec<BTreeSet<(u16, u64, u64)>> = vec![BTreeSet::new(); segment.records.len()];
            for entry in &segment.entries {
                entries[entry.record as usize].insert((entry.parameter, entry.value, entry.extra));
            }
            for ((block, slot, kind), has) in segment.records.iter().zip(entries) {
                if dead.contains(&(*block, *slot)) {
                    continue;
                }
                report.entries += has.len() as u64;
                let right = seen.insert((*block, *slot))
                    && alive
                        .get(&(*block, *slot))
                        .is_some_and(|(wanted, expected)| wanted == kind && expected.fits(&has));
                if !right {
                    report.note(DamageKind::Index, Some(patient), (*block).into());
                }
            }
        }
        for (block, _) in alive.keys().filter(|place| whole && !seen.contains(*place)) {
            report.note(DamageKind::Index, Some(patient), (*block).into());
        }
        Ok(())
    }

    /// Rows that belong to no patient, and how many there are of each.
    fn check_rows(&self, report: &mut CheckReport, patients: &[PatientNumber], newest: u64) -> Result<()> {
        let known: HashSet<u32> = patients.iter().map(|patient| patient.0).collect();
        let mut named = HashSet::new();
        let mut wrong = Vec::new();
        let walked = self.view.range(Table::PatientName, &[], &[u8::MAX; 17], &mut |_, value| {
            let number = value.try_into().map_or(u32::MAX, u32::from_be_bytes);
            if !named.insert(number) || report.erased == 0 && !known.contains(&number) {
                wrong.push(number);
            }
            true
        });
        wrong.into_iter().for_each(|number| report.note(DamageKind::Name, Some(number), 0));
        self.walked(report, Table::PatientName, walked)?;
        for table in [Table::Id, Table::Token] {
            let mut count = 0;
            let walked = self.view.range(table, &[], &[u8::MAX; 14], &mut |_, _| {
                count += 1;
                true
            });
            self.walked(report, table, walked)?;
            // Of what can no longer be read, the rows may be left.
            match table {
                Table::Token => report.leftover_tokens = u64::saturating_sub(count, report.tokens),
                _ if count != newest && report.erased == 0 => report.note(DamageKind::Id, None, 0),
                _ => {}
            }
        }
        // What an address stands for opens for who knows the address; that each has its row in both directions can be seen.
        let (mut there, mut back) = (BTreeSet::new(), BTreeSet::new());
        let walked = self.view.range(Table::Meta, b"alias ", b"alias!", &mut |key, _| {
            there.insert(key[b"alias ".len()..].to_vec());
            true
        });
        self.walked(report, Table::Meta, walked)?;
        let walked = self.view.range(Table::Meta, b"aliased ", b"aliased!", &mut |key, _| {
            back.insert(key.get(b"aliased ".len() + 16..).unwrap_or_default().to_vec());
            true
        });
        self.walked(report, Table::Meta, walked)?;
        report.aliases = there.len() as u64;
        for _ in there.symmetric_difference(&back) {
            report.note(DamageKind::Alias, None, 0);
        }
        Ok(())
    }

    fn walked(&self, report: &mut CheckReport, table: Table, walked: Result<()>) -> Result<()> {
        match walked {
            Err(error) if error.code() == Code::StoreIo => Err(error),
            Err(_) => {
                report.note(DamageKind::Table, None, table as u64);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Expected {
    /// Whether a record may stand in the index so. What an address stands for may have become known, or changed, since.
    fn fits(&self, has: &BTreeSet<(u16, u64, u64)>) -> bool {
        let all = |wanted: &[(u16, u64, u64)]| wanted.iter().all(|entry| has.contains(entry));
        self.entries.is_subset(has)
            && self.addresses.iter().all(|(now, unknown)| {
                all(now)
                    || all(unknown)
                    || unknown.first().is_some_and(|(number, ..)| has.iter().any(|one| one.0 == *number))
            })
            && has.iter().all(|entry| {
                self.entries.contains(entry)
                    || self
                        .addresses
                        .iter()
                        .flat_map(|(now, unknown)| now.iter().chain(unknown))
                        .any(|one| one.0 == entry.0)
            })
    }
}
