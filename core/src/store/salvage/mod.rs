//! Getting out of a damaged file what is still genuine, with no good copy at hand.
//!
//! The engine closes at the first page that is damaged, so it is not asked: its trees are read here (`tree`, `leaf`), and where a page of one
//! is lost, every page there is, free ones too. What is found is believed only where its seal says so: a block opens in its own place
//! and no other, so a page that was given up can add an earlier version of a record and nothing else. Therefore a version is taken
//! for the current one only where it can be shown that no later one is lost: else the record is *hidden*. What was retracted,
//! deleted or destroyed, the keys of what was shredded: none of it comes back.

mod leaf;
mod rebuild;
#[cfg(test)]
mod tests;
mod tree;

use super::layout::{self, Block, Place, Slot};
use super::pages::{Wreck, key_headers};
use super::{STATE, State, Table, embedded, wraps};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random};
use crate::keys::{KeyRing, KeySource};
use crate::limits::Watch;
use crate::record::Record;
use crate::schema::ResourceType;
use crate::time::Timestamp;
use crate::vault::{self, Context, Packer, RowKind, SealKey};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use tree::{Trees, Walked};

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingKind {
    /// The key of a compartment of a patient; the row is its number. Nothing of the compartment can be read.
    Key,
    /// A block of versions; the row is its number.
    Block,
    /// The newest version of a record of which earlier ones were found; the row is the number of the block it was in.
    Newest,
    /// A record of which no version was found; the row is the number of the block of its newest version.
    Record,
}

impl MissingKind {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            MissingKind::Key => "key",
            MissingKind::Block => "block",
            MissingKind::Newest => "newest",
            MissingKind::Record => "record",
        }
    }
}

/// Something that is missing: numbers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// What.
    pub what: MissingKind,
    /// Whose: the patient's number, 0 for records of no single patient.
    pub patient: u32,
    /// Which.
    pub row: u64,
}

/// What was got out of a damaged file, and what was not.
///
/// Where it is known how many records there were, `records = current + retracted + deleted + hidden + lost`; where it is known how many
/// blocks, `blocks = opened + blocks_lost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Pages of the storage.
    pub pages: u64,
    /// Pages that do not open, and slots of which it is not known any more what they had.
    pub pages_lost: u64,
    /// How many records there were; None where what says so is lost too.
    pub records: Option<u64>,
    /// Records whose newest version was found, and is there to be read.
    pub current: u64,
    /// Records whose newest version was found, and hides them.
    pub retracted: u64,
    /// Records whose newest version was found, and says that they are deleted.
    pub deleted: u64,
    /// Records of which versions were found, while a later one is lost or may be. They are not given as current; a new store has
    /// them as retracted, with every version that was found.
    pub hidden: u64,
    /// Records of which nothing was found, as far as is known.
    pub lost: u64,
    /// Versions that were found.
    pub versions: u64,
    /// How many blocks there were; None where what says so is lost too.
    pub blocks: Option<u64>,
    /// Blocks that were found and opened.
    pub opened: u64,
    /// Blocks that are lost, as far as is known.
    pub blocks_lost: u64,
    /// Tables of which pages are lost, by name. Of `meta`: the policy in force and what addresses stand for may be lost; of `lifecycle`: holds,
    /// requests, conflicts; of `audit`: a part of the log. `map`: what says where the newest pages are is lost in part, in both copies; then
    /// nothing can be shown to be the newest, and no record counts as current. Those of ids, index and tokens are made anew.
    pub incomplete: Vec<&'static str>,
    /// What is missing, by patient and row, as far as it can be named.
    pub missing: Vec<Missing>,
    /// Records that were written out: lines of NDJSON, or records in a new store that can be read.
    pub written: u64,
}

impl Salvaged {
    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.pages_lost == 0 && self.missing.is_empty() && self.lost + self.hidden + self.blocks_lost == 0
    }
}

/// Which lines an NDJSON gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// The current version of each record, as it was written; of hidden, retracted and deleted records none.
    Current,
    /// Every version that was found, each in an object that says what it is.
    All,
}

/// A version that was found.
#[derive(Clone, Copy)]
struct Version {
    version: u32,
    commit: u64,
    place: Place,
    deleted: bool,
    retracted: bool,
}

/// What is known of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Current,
    Retracted,
    Deleted,
    Hidden,
}

/// A key that was found, with the row that leads to it.
struct ChartKey {
    key: SealKey,
    row: Vec<u8>,
}

/// A damaged store, looked through.
struct Survey<'w> {
    keys: KeyRing,
    trees: Trees<'w>,
    wreck: &'w Wreck,
    meta: BTreeMap<Vec<u8>, Vec<u8>>,
    groups: BTreeMap<u32, (SealKey, Vec<u8>)>,
    charts: BTreeMap<(u32, u8), ChartKey>,
    lifecycle: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of records that were destroyed: their keys in the id table.
    buried: HashSet<[u8; 13]>,
    /// Where the newest version of a record is, as a row says that was reached from the root of the last commit.
    ids: HashMap<[u8; 13], Place>,
    /// Blocks that were found outside their tree.
    stray: BTreeMap<(u32, u32), Vec<u8>>,
    /// Of each record the newest version that was found.
    records: BTreeMap<[u8; 13], Version>,
    found: BTreeSet<(u32, u32)>,
    /// Slots that hold what was destroyed.
    to_empty: BTreeMap<(u32, u32), BTreeSet<u16>>,
    /// Whether every block there was is found.
    all_blocks: bool,
    /// For each chart the number after the last block that is known to have been.
    next: BTreeMap<(u32, u8), u32>,
    state: Option<State>,
    last_commit: u64,
    last_at: Timestamp,
    report: Salvaged,
}

/// Writes what is genuine in a damaged file to NDJSON.
///
/// # Errors
/// - `map-damaged`, `not-a-store`, `version-unsupported`, `wrong-key`; of the key source; `io`, `cancelled`, `deadline`.
pub(crate) fn to_ndjson(
    damaged: Box<dyn redb::StorageBackend>,
    source: &dyn KeySource,
    lines: Lines,
    out: &mut dyn Write,
    watch: &Watch,
) -> Result<Salvaged> {
    let (wreck, keys) = open(damaged, source)?;
    let mut survey = Survey::of(&wreck, keys, watch)?;
    let mut written = 0;
    survey.each_block(watch, &mut |number, _, block| {
        for (at, slot) in (0_u16..).zip(&block.slots) {
            let place = Place { patient: number.0, block: number.1, slot: at };
            let Some((key, newest)) = survey.of_slot(&block, slot) else { continue };
            let (fate, is_newest) = (survey.fate(&key, &newest), newest.place == place);
            let body = &block.bytes[slot.body.clone()];
            match lines {
                Lines::Current if is_newest && fate == Fate::Current => one_line(body, out)?,
                Lines::Current => continue,
                Lines::All => whole_line(place, &block, slot, is_newest, fate, out)?,
            }
            out.write_all(b"\n")?;
            written += 1;
        }
        Ok(())
    })?;
    out.flush()?;
    survey.report.written = written;
    Ok(survey.report)
}

/// Writes what is genuine in a damaged file to a new store of the same number under the same keys.
///
/// # Errors
/// - as [`to_ndjson`]; `store-io`, `random-unavailable`.
pub(crate) fn to_store(
    damaged: Box<dyn redb::StorageBackend>,
    source: &dyn KeySource,
    into: Box<dyn redb::StorageBackend>,
    random: Arc<dyn Random>,
    at: Timestamp,
    watch: &Watch,
) -> Result<Salvaged> {
    let (wreck, keys) = open(damaged, source)?;
    let survey = Survey::of(&wreck, keys, watch)?;
    rebuild::rebuild(survey, source, into, random, at, watch)
}

/// As `Ehr::salvage`, to a store and to NDJSON, on storage of the caller's own.
#[doc(hidden)]
pub fn salvage_on(
    first: Box<dyn redb::StorageBackend>,
    again: Box<dyn redb::StorageBackend>,
    source: &dyn KeySource,
    into: Box<dyn redb::StorageBackend>,
    out: &mut dyn Write,
    random: Arc<dyn Random>,
) -> Result<Salvaged> {
    to_ndjson(first, source, Lines::Current, out, &Watch::default())?;
    to_store(again, source, into, random, Timestamp(i64::MIN), &Watch::default())
}

/// As [`to_ndjson`], from a file to a new one.
pub(crate) fn to_ndjson_file(
    damaged: &Path,
    source: &dyn KeySource,
    lines: Lines,
    into: &Path,
    watch: &Watch,
) -> Result<Salvaged> {
    let damaged = Box::new(embedded::file(damaged, true)?);
    let mut file = BufWriter::new(embedded::empty_file(into)?);
    let made = to_ndjson(damaged, source, lines, &mut file, watch);
    let made = made.and_then(|report| Ok(file.get_ref().sync_all().map(|()| report)?));
    super::backup::kept(into, made)
}

/// As [`to_store`], from a file to a new one.
pub(crate) fn to_store_file(
    damaged: &Path,
    source: &dyn KeySource,
    into: &Path,
    random: Arc<dyn Random>,
    at: Timestamp,
    watch: &Watch,
) -> Result<Salvaged> {
    let damaged = Box::new(embedded::file(damaged, true)?);
    let disk = Box::new(embedded::new_file(into)?);
    super::backup::kept(into, to_store(damaged, source, disk, random, at, watch))
}

fn open(disk: Box<dyn redb::StorageBackend>, source: &dyn KeySource) -> Result<(Wreck, KeyRing)> {
    let mut refused = Code::NotAStore.error();
    for header in key_headers(&*disk)? {
        match KeyRing::open(source, &header) {
            Ok(keys) => {
                let wreck = Wreck::open(disk, keys.page_key(), keys.store_id())?;
                let keys = if wreck.header() == header { keys } else { KeyRing::open(source, wreck.header())? };
                return Ok((wreck, keys));
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

impl<'w> Survey<'w> {
    fn of(wreck: &'w Wreck, keys: KeyRing, watch: &Watch) -> Result<Survey<'w>> {
        let trees = Trees::find(wreck, &|sealed| State::open(&keys, sealed).ok().map(|state| state.next_commit));
        let report = Salvaged {
            pages: wreck.pages(),
            pages_lost: wreck.lost().len() as u64 + wreck.unknown(),
            incomplete: if wreck.is_newest() { Vec::new() } else { vec!["map"] },
            records: trees.length(Table::Id),
            blocks: trees.length(Table::Block),
            ..Salvaged::default()
        };
        let mut survey = Survey {
            keys,
            trees,
            wreck,
            meta: BTreeMap::new(),
            groups: BTreeMap::new(),
            charts: BTreeMap::new(),
            lifecycle: BTreeMap::new(),
            buried: HashSet::new(),
            ids: HashMap::new(),
            stray: BTreeMap::new(),
            records: BTreeMap::new(),
            found: BTreeSet::new(),
            to_empty: BTreeMap::new(),
            all_blocks: false,
            next: BTreeMap::new(),
            state: None,
            last_commit: 0,
            last_at: Timestamp(i64::MIN),
            report,
        };
        survey.read_tables(watch)?;
        survey.read_blocks(watch)?;
        survey.settle();
        Ok(survey)
    }

    /// Notes a table of which something is lost.
    fn note(&mut self, table: Table, walked: Walked) -> bool {
        let whole = self.trees.exact && walked.lost == 0;
        if !whole {
            self.report.incomplete.push(embedded::name(table));
        }
        whole
    }

    fn context(&self, (patient, compartment): (u32, u8), row: RowKind, number: u32) -> Context<'static> {
        let place = Context::new(self.keys.store_id(), PatientNumber(patient), row, number.into(), 0);
        Context { compartment, ..place }
    }

    /// The small tables, and what else of them lies about.
    fn read_tables(&mut self, watch: &Watch) -> Result<()> {
        watch.look()?;
        let (mut meta, mut lifecycle, mut patients) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut whole = true;
        let walked = self.trees.table(Table::Meta, &mut |key, value| drop(meta.insert(key.to_vec(), value.to_vec())));
        whole &= self.note(Table::Meta, walked);
        let walked = self.trees.table(Table::Patient, &mut |key, value| patients.push((key.to_vec(), value.to_vec())));
        whole &= self.note(Table::Patient, walked);
        // Of an earlier commit a row may be none of this table: that it opens nothing says nothing of a chart.
        let reached = if self.trees.exact { patients.len() } else { 0 };
        let walked =
            self.trees.table(Table::Lifecycle, &mut |key, value| drop(lifecycle.insert(key.to_vec(), value.to_vec())));
        whole &= self.note(Table::Lifecycle, walked);
        let mut ids = HashMap::new();
        let walked = self.trees.table(Table::Id, &mut |key, value| {
            if let (Ok(key), Ok(place)) = (<[u8; 13]>::try_from(key), super::change::read_id_row(value)) {
                ids.insert(key, place);
            }
        });
        self.note(Table::Id, walked);
        if self.trees.exact {
            self.ids = ids;
        }
        for table in [Table::PatientName, Table::Index, Table::Token, Table::Audit, Table::Ledger, Table::Quarantine] {
            let walked = self.trees.table(table, &mut |_, _| {});
            self.note(table, walked);
        }
        let mut blocks = Vec::new();
        let walked = self.trees.table(Table::Block, &mut |key, value| {
            if !self.trees.exact {
                blocks.push((key.to_vec(), value.to_vec()));
            }
        });
        self.all_blocks = self.note(Table::Block, walked) || self.trees.rows_whole;
        self.state = meta.get(STATE).and_then(|sealed| State::open(&self.keys, sealed).ok());
        let mut groups: Vec<(Vec<u8>, Vec<u8>)> =
            meta.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut stones = lifecycle.clone();
        if !whole || !self.trees.exact || walked.lost > 0 {
            let mut fronts: Vec<Vec<u8>> = Vec::new();
            let wanted = [Table::Block.widths(), Table::Patient.widths(), (None, None)];
            self.trees.beside(&wanted, &mut |widths, key, value| match widths.0 {
                Some(8) if value.len() > vault::OVERHEAD => blocks.push((key.to_vec(), value.to_vec())),
                Some(5) if value.len() > vault::OVERHEAD => patients.push((key.to_vec(), value.to_vec())),
                None if wraps::is_group_row(key) || key == STATE => groups.push((key.to_vec(), value.to_vec())),
                None if key == super::destroy::WIPE => fronts.extend(super::destroy::fronts(value)),
                // Tombstones and holds.
                None if key.len() == 14 => self.stray_decision(key, value, &mut stones, &mut lifecycle),
                _ => {}
            });
            fronts.extend(lifecycle.get(super::destroy::WIPE).into_iter().flat_map(|row| super::destroy::fronts(row)));
            blocks.retain(|(_, value)| !fronts.iter().any(|front| value.starts_with(front)));
        }
        for (key, value) in &groups {
            if key == STATE {
                let state = State::open(&self.keys, value).ok();
                let newer = state.filter(|state| self.state.is_none_or(|known| known.next_commit < state.next_commit));
                self.state = newer.or(self.state);
            }
        }
        self.take_keys(&groups, &patients, reached);
        self.take_strays(blocks, watch)?;
        for (key, sealed) in &stones {
            if let Some(id) = super::destroy::buried(&self.keys, key, sealed) {
                self.buried.insert(id);
            }
        }
        (self.meta, self.lifecycle) = (meta, lifecycle);
        Ok(())
    }

    /// A tombstone or a hold from outside the tree. A record that was destroyed stays so, and a hold that was released too: of two rows the
    /// one that says more is the later one.
    fn stray_decision(
        &self,
        key: &[u8],
        value: &[u8],
        stones: &mut BTreeMap<Vec<u8>, Vec<u8>>,
        lifecycle: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    ) {
        if super::destroy::buried(&self.keys, key, value).is_some() {
            stones.entry(key.to_vec()).or_insert_with(|| value.to_vec());
            lifecycle.entry(key.to_vec()).or_insert_with(|| value.to_vec());
        } else if let Some(released) = super::aside::hold_is_released(&self.keys, key, value) {
            let known = lifecycle.get(key).and_then(|row| super::aside::hold_is_released(&self.keys, key, row));
            if known.is_none_or(|known| released && !known) {
                lifecycle.insert(key.to_vec(), value.to_vec());
            }
        }
    }

    /// Opens the keys of groups, and with them those of patients; of those the first ones were reached from the root.
    fn take_keys(&mut self, groups: &[(Vec<u8>, Vec<u8>)], patients: &[(Vec<u8>, Vec<u8>)], reached: usize) {
        let mut all: BTreeMap<u32, Vec<SealKey>> = BTreeMap::new();
        for (key, wrapped) in groups.iter().filter(|(key, _)| wraps::is_group_row(key)) {
            let Some(group) = key.last_chunk().copied().map(u32::from_be_bytes) else { continue };
            if let Ok(opened) = self.keys.group_key(group, wrapped) {
                all.entry(group).or_default().push(opened.clone());
                self.groups.entry(group).or_insert((opened, wrapped.clone()));
            }
        }
        let mut lost: BTreeSet<(u32, u8)> = self.ids.values().map(|place| place.chart()).collect();
        for (at, (row, wrapped)) in patients.iter().enumerate() {
            let (Some(number), Some(compartment)) = (row.first_chunk(), row.get(4)) else { continue };
            let chart = (u32::from_be_bytes(*number), *compartment);
            if self.charts.contains_key(&chart) {
                continue;
            }
            let under = all.get(&wraps::group_of(chart.0)).map_or(&[][..], Vec::as_slice);
            let opened = under.iter().enumerate().find_map(|(which, group)| {
                let key = self.keys.patient_key(PatientNumber(chart.0), chart.1, group, wrapped).ok()?;
                Some((which, group.clone(), key))
            });
            match opened {
                // Under the group's key that the new store has.
                Some((0, _, key)) => drop(self.charts.insert(chart, ChartKey { key, row: wrapped.clone() })),
                Some((_, old, key)) => {
                    let Some((new, _)) = self.groups.get(&wraps::group_of(chart.0)) else { continue };
                    let random = crate::id::SystemRandom::default();
                    let number = PatientNumber(chart.0);
                    if let Ok(row) = self.keys.regrouped(number, chart.1, [&old, new], wrapped, &random) {
                        self.charts.insert(chart, ChartKey { key, row });
                    }
                }
                None if at < reached => drop(lost.insert(chart)),
                None => {}
            }
        }
        for (patient, compartment) in lost.into_iter().filter(|chart| !self.charts.contains_key(chart)) {
            self.report.missing.push(Missing { what: MissingKind::Key, patient, row: compartment.into() });
        }
    }

    /// Of blocks outside their tree those that are genuine; of two in one place the one of which more was destroyed.
    fn take_strays(&mut self, blocks: Vec<(Vec<u8>, Vec<u8>)>, watch: &Watch) -> Result<()> {
        let mut packer = Packer::new()?;
        let mut emptied: HashMap<(u32, u32), usize> = HashMap::new();
        for (key, value) in blocks {
            watch.look()?;
            let Some(number) = number_of(&key) else { continue };
            let Some(block) = self.open_block(&mut packer, number, &value) else { continue };
            let empty = block.slots.iter().filter(|slot| slot.id.is_empty()).count();
            if emptied.get(&number).is_none_or(|known| *known < empty) {
                emptied.insert(number, empty);
                self.stray.insert(number, value);
            }
        }
        Ok(())
    }

    fn open_block(&self, packer: &mut Packer, number: (u32, u32), sealed: &[u8]) -> Option<Block> {
        let chart = (number.0, layout::compartment(number.1));
        let key = &self.charts.get(&chart)?.key;
        let plain = packer.unpack(key, &self.context(chart, RowKind::Block, number.1), sealed).ok()?;
        layout::read_block(plain).ok()
    }

    /// Visits every block that is genuine, as it lies sealed and opened.
    fn each_block(&self, watch: &Watch, visit: &mut dyn FnMut((u32, u32), &[u8], Block) -> Result<()>) -> Result<()> {
        let mut packer = Packer::new()?;
        let mut done = BTreeSet::new();
        let mut stopped = Ok(());
        let mut one = |number: (u32, u32), sealed: &[u8]| {
            if stopped.is_ok() && !done.contains(&number) {
                stopped = watch.look().and_then(|()| match self.open_block(&mut packer, number, sealed) {
                    Some(block) => {
                        done.insert(number);
                        visit(number, sealed, block)
                    }
                    None => Ok(()),
                });
            }
        };
        if self.trees.exact {
            self.trees.table(Table::Block, &mut |key, sealed| {
                if let Some(number) = number_of(key) {
                    one(number, sealed);
                }
            });
        }
        self.stray.iter().for_each(|(number, sealed)| one(*number, sealed));
        stopped
    }

    fn read_blocks(&mut self, watch: &Watch) -> Result<()> {
        let (mut records, mut found) = (BTreeMap::<[u8; 13], Version>::new(), BTreeSet::new());
        let (mut to_empty, mut named) = (BTreeMap::<_, BTreeSet<u16>>::new(), BTreeSet::new());
        let (mut versions, mut last_commit, mut last_at) = (0, 0, Timestamp(i64::MIN));
        self.each_block(watch, &mut |number, _, block| {
            found.insert(number);
            (last_commit, last_at) = (last_commit.max(block.commit), last_at.max(block.at));
            for (at, slot) in (0_u16..).zip(&block.slots) {
                let place = Place { patient: number.0, block: number.1, slot: at };
                let Some(key) = self.id_of(&block, slot) else { continue };
                if self.buried.contains(&key) {
                    to_empty.entry(number).or_default().insert(at);
                    continue;
                }
                versions += 1;
                named.extend(slot.before.map(|before| (before.patient, before.block)));
                let Slot { version, deleted, retracted, .. } = *slot;
                let this = Version { version, commit: block.commit, place, deleted, retracted };
                let newest = records.entry(key).or_insert(this);
                if (newest.version, newest.commit) < (version, block.commit) {
                    *newest = this;
                }
            }
            Ok(())
        })?;
        named.extend(self.ids.values().map(|place| (place.patient, place.block)));
        // Numbers are given one after the other: one that is left out was there.
        let mut before: Option<(u32, u32)> = None;
        for number in &found {
            let chart = (number.0, layout::compartment(number.1));
            let follows = before.filter(|before| (before.0, layout::compartment(before.1)) == chart);
            let first = follows.map_or(layout::numbers(chart.1).0, |before| before.1 + 1);
            if number.1 - first < 1 << 20 {
                named.extend((first..number.1).map(|lost| (number.0, lost)));
            }
            before = Some(*number);
        }
        for number in found.iter().chain(&named) {
            let next = self.next.entry((number.0, layout::compartment(number.1))).or_default();
            *next = (*next).max(number.1.saturating_add(1));
        }
        for number in named.difference(&found) {
            if number.1 >= self.gone_before((number.0, layout::compartment(number.1))) {
                let (patient, block) = *number;
                self.report.missing.push(Missing { what: MissingKind::Block, patient, row: block.into() });
                self.report.blocks_lost += 1;
            }
        }
        self.report.opened = found.len() as u64;
        if let Some(blocks) = self.report.blocks {
            self.report.blocks_lost = blocks.saturating_sub(self.report.opened);
        }
        self.report.versions = versions;
        (self.records, self.found, self.to_empty) = (records, found, to_empty);
        (self.last_commit, self.last_at) = (last_commit, last_at);
        Ok(())
    }

    /// The number of the first block of a chart that was not shredded.
    fn gone_before(&self, chart: (u32, u8)) -> u32 {
        self.gone(chart).0
    }

    /// That number, and the blocks that were shredded.
    fn gone(&self, chart: (u32, u8)) -> (u32, Vec<super::witness::Gone>) {
        let opened = self.meta.get(&super::shred::gone_key(chart)).and_then(|sealed| {
            vault::open(self.keys.store_key(), &self.context(chart, RowKind::Erased, 0), sealed).ok()
        });
        let read = opened.and_then(|plain| super::shred::read_gone(&plain).ok());
        read.unwrap_or_else(|| (layout::numbers(chart.1).0, Vec::new()))
    }

    /// Counts what became of every record.
    fn settle(&mut self) {
        let keys_lost = self.report.missing.iter().any(|one| one.what == MissingKind::Key);
        self.all_blocks &= !keys_lost;
        let mut missing = Vec::new();
        for (key, newest) in &self.records {
            match self.fate(key, newest) {
                Fate::Current => self.report.current += 1,
                Fate::Retracted => self.report.retracted += 1,
                Fate::Deleted => self.report.deleted += 1,
                Fate::Hidden => {
                    self.report.hidden += 1;
                    let place = self.ids.get(key).unwrap_or(&newest.place);
                    missing.push((MissingKind::Newest, *place));
                }
            }
        }
        let lost = self.ids.iter().filter(|(key, _)| !self.records.contains_key(*key) && !self.buried.contains(*key));
        missing.extend(lost.map(|(_, place)| (MissingKind::Record, *place)));
        let named = missing.iter().filter(|(what, _)| *what == MissingKind::Record).count() as u64;
        self.report.lost = match self.report.records {
            Some(records) => records.saturating_sub(self.records.len() as u64),
            None => named,
        };
        self.report.missing.extend(missing.into_iter().map(|(what, place)| Missing {
            what,
            patient: place.patient,
            row: place.block.into(),
        }));
        self.report.missing.sort_unstable();
    }

    /// What may be said of a record whose newest version that was found is this one.
    fn fate(&self, key: &[u8; 13], newest: &Version) -> Fate {
        let proven = match self.ids.get(key) {
            Some(place) => *place == newest.place,
            None => self.all_blocks,
        };
        match proven {
            false => Fate::Hidden,
            true if newest.deleted => Fate::Deleted,
            true if newest.retracted => Fate::Retracted,
            true => Fate::Current,
        }
    }

    fn id_of(&self, block: &Block, slot: &Slot) -> Option<[u8; 13]> {
        let id = block.bytes.get(slot.id.clone()).filter(|id| !id.is_empty())?;
        let mut key = [0; 13];
        key[..12].copy_from_slice(&self.keys.token("id", &[id])[..12]);
        key[12] = slot.kind.number();
        Some(key)
    }

    /// The record of a slot, with its newest version; None where it was destroyed.
    fn of_slot(&self, block: &Block, slot: &Slot) -> Option<([u8; 13], Version)> {
        let key = self.id_of(block, slot)?;
        Some((key, *self.records.get(&key)?))
    }
}

fn number_of(key: &[u8]) -> Option<(u32, u32)> {
    let key = u64::from_be_bytes(key.try_into().ok()?);
    Some(((key >> 32) as u32, key as u32))
}

/// A record in one line, as it was written where it has one line only.
fn one_line(body: &[u8], out: &mut dyn Write) -> Result<()> {
    if memchr::memchr2(b'\n', b'\r', body).is_none() {
        return Ok(out.write_all(body)?);
    }
    let mut line = Vec::new();
    Record::parse(body)?.write_json(&mut line);
    Ok(out.write_all(&line)?)
}

/// `{"patient","block","slot","commit","at","type","id","version","state","resource"?}`.
fn whole_line(
    place: Place,
    block: &Block,
    slot: &Slot,
    is_newest: bool,
    fate: Fate,
    out: &mut dyn Write,
) -> Result<()> {
    let state = match fate {
        _ if !is_newest => "earlier",
        Fate::Current => "current",
        Fate::Retracted => "retracted",
        Fate::Deleted => "deleted",
        Fate::Hidden => "hidden",
    };
    let (kind, version): (ResourceType, u32) = (slot.kind, slot.version);
    // INVARIANT: a block with an id that is not one of FHIR's is not read.
    let id = String::from_utf8_lossy(&block.bytes[slot.id.clone()]);
    write!(
        out,
        r#"{{"patient":{},"block":{},"slot":{},"commit":{},"at":"{}","type":"{kind}","id":"{id}","version":{version},"state":"{state}""#,
        place.patient,
        place.block,
        place.slot,
        block.commit,
        block.at.to_rfc3339()
    )?;
    for (flag, word) in [(slot.retracted, "retracts"), (slot.deleted, "deletes")] {
        if flag {
            write!(out, r#","{word}":true"#)?;
        }
    }
    if !slot.deleted {
        out.write_all(br#","resource":"#)?;
        one_line(&block.bytes[slot.body.clone()], out)?;
    }
    Ok(out.write_all(b"}")?)
}
