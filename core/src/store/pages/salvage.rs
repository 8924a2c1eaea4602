//! What a damaged file still has: every page that opens, those that the map calls free too.
//!
//! It takes the map: without it no page has its nonce and its tag. Where both copies of a slot of the map are damaged, each row is taken that its
//! slot bears out, and pages of which nothing is known are holes, like those that do not open. Where a part of the log is lost, what came with
//! it is not known: then nothing that is found can be shown to be the newest.

use super::log::{self, Log, Next};
use super::superblock::Root;
use super::{FIRST, Holds, PAGE, Row, Seal, State, offset, superblock};
use crate::error::{Code, Result};
use crate::id::StoreId;
use crate::vault::SealKey;
use redb::StorageBackend;
use std::collections::BTreeSet;

/// A damaged file, its map read and its pages looked at.
pub(in crate::store) struct Wreck {
    disk: Box<dyn StorageBackend>,
    seal: Seal,
    rows: Vec<Row>,
    places: Vec<u32>,
    header: Vec<u8>,
    /// Pages that do not open.
    lost: BTreeSet<u32>,
    pages: u64,
    /// Slots, and records of the log, of which nothing is known.
    unknown: u64,
    /// A page that is in no slot may be in one of which nothing is known.
    holes: bool,
    newest: bool,
}

impl Wreck {
    /// # Errors
    /// - `map-damaged`: what says where the pages are cannot be read. `store-io`.
    pub(in crate::store) fn open(disk: Box<dyn StorageBackend>, key: &SealKey, store: StoreId) -> Result<Wreck> {
        let seal = Seal { key: key.clone(), store };
        let Found { state, unknown, holes, newest } = Found::read(&*disk, &seal)?;
        let State { rows, places, header, .. } = state;
        let lost = BTreeSet::new();
        let mut wreck = Wreck { disk, seal, rows, places, header, lost, pages: 0, unknown, holes, newest };
        let mut bytes = vec![0; PAGE];
        for page in 0..wreck.places.len() as u32 {
            if wreck.places[page as usize] == 0 {
                continue;
            }
            wreck.pages += 1;
            if !wreck.open_slot(wreck.places[page as usize], &mut bytes) {
                wreck.lost.insert(page);
            }
        }
        Ok(wreck)
    }

    /// The wrapped keys.
    pub(in crate::store) fn header(&self) -> &[u8] {
        &self.header
    }
    /// How many pages the map knows.
    pub(in crate::store) fn pages(&self) -> u64 {
        self.pages
    }
    /// One more than the last page.
    pub(in crate::store) fn end(&self) -> u32 {
        self.places.len() as u32
    }
    /// How many slots there are, and records of the log, of which nothing is known: each may have had a page.
    pub(in crate::store) fn unknown(&self) -> u64 {
        self.unknown
    }
    /// Whether the map is that of the last sync.
    pub(in crate::store) fn is_newest(&self) -> bool {
        self.newest
    }
    /// Whether every page there was is known, and opens or is among those that do not.
    pub(in crate::store) fn knows_all(&self) -> bool {
        self.newest && !self.holes
    }
    /// The pages that do not open.
    pub(in crate::store) fn lost(&self) -> &BTreeSet<u32> {
        &self.lost
    }

    fn open_slot(&self, slot: u32, out: &mut [u8]) -> bool {
        let row = &self.rows[slot as usize];
        let (Holds::Page(page) | Holds::Stale(page)) = row.holds else { return false };
        self.disk.read(offset(slot), out).is_ok() && self.seal.open_page(page, row, out).is_ok()
    }

    /// A page; false where it does not open.
    pub(in crate::store) fn page(&self, page: u32, out: &mut [u8]) -> bool {
        match self.places.get(page as usize) {
            Some(0) | None => {
                out.fill(0);
                !self.holes
            }
            Some(slot) => !self.lost.contains(&page) && self.open_slot(*slot, out),
        }
    }

    /// What pages said before, one after another.
    pub(in crate::store) fn each_stale(&self, visit: &mut dyn FnMut(&[u8])) {
        let mut bytes = vec![0; PAGE];
        for (slot, row) in self.rows.iter().enumerate() {
            if matches!(row.holds, Holds::Stale(_)) && self.open_slot(slot as u32, &mut bytes) {
                visit(&bytes);
            }
        }
    }
}

/// The map as far as it can be read.
struct Found {
    state: State,
    unknown: u64,
    holes: bool,
    newest: bool,
}

impl Found {
    /// The map as the last sync left it, whatever became of the pages: what was replaced by something that is lost is not taken for
    /// what is current.
    ///
    /// # Errors
    /// - `map-damaged`: neither superblock opens, or of the checkpoint neither copy can be read.
    fn read(disk: &dyn StorageBackend, seal: &Seal) -> Result<Found> {
        let damaged = || Code::MapDamaged.error();
        let copies = superblock::read(disk, seal);
        let whole = copies.iter().all(Option::is_some);
        let newest = copies.into_iter().flatten().max_by_key(|(root, _)| root.sequence);
        let (root, header) = newest.ok_or_else(damaged)?;
        let (length, rows, mut unknown) = match log::read_checkpoint(disk, seal, &root) {
            Ok((length, rows, _)) => (length, rows, BTreeSet::new()),
            Err(_) => rows_that_fit(disk, seal, &root).ok_or_else(damaged)?,
        };
        let holes = !unknown.is_empty();
        let log = Log { extent: root.log, used: 0 };
        let mut state = State { rows: Vec::new(), log, root, ..State::empty(&header) };
        let count = rows.len() as u32;
        state.apply(length, count, (0..count).zip(rows)).map_err(|_| damaged())?;
        let mut lost = 0;
        let broken = loop {
            match log::next(disk, seal, root.generation, &state.log) {
                Ok(Next::Record(record)) => {
                    state.log.used += record.size;
                    for (slot, _) in &record.rows {
                        unknown.remove(slot);
                    }
                    if state.apply(record.length, record.slots, record.rows.into_iter()).is_err() {
                        lost += 1; // it builds on a record that is lost
                    }
                }
                other => match log::first_after(disk, seal, root.generation, &state.log) {
                    Some(used) => {
                        state.log.used = used;
                        lost += 1;
                    }
                    None => break !matches!(other, Ok(Next::Nothing)),
                },
            }
        };
        let ends = state.ends_here(disk, seal, broken, whole).unwrap_or(false);
        let newest = lost == 0 && ends;
        Ok(Found { state, unknown: unknown.len() as u64 + lost + u64::from(!ends), holes, newest })
    }
}

/// Of a checkpoint that does not open in any mixture of its copies: the rows that the slots themselves bear out. A row that was damaged names a
/// nonce and a tag with which nothing opens; one with which a page opens was written as it is, for this very checkpoint: nobody without the key
/// knows what to change in the sealed text. Gives the length, the rows, and the slots of which nothing is known.
fn rows_that_fit(disk: &dyn StorageBackend, seal: &Seal, root: &Root) -> Option<(u64, Vec<Row>, BTreeSet<u32>)> {
    let copies = log::unproven(disk, seal, root)?;
    let (mut rows, mut unknown, mut bytes) = (Vec::new(), BTreeSet::new(), vec![0; PAGE]);
    for slot in 0..copies[0].1.len() as u32 {
        let is_map = slot < FIRST || root.log.contains(slot) || root.checkpoint.contains(slot);
        let mut fits = |row: &Row| {
            (row.holds == Holds::Map) == is_map
                && disk.read(offset(slot), &mut bytes).is_ok()
                && seal.fits(row, &mut bytes)
        };
        let found = copies.iter().map(|(_, rows)| rows[slot as usize]).find(|row| fits(row));
        match found {
            Some(row) => rows.push(row),
            None => {
                rows.push(if is_map { Row::MAP } else { Row::ZEROS });
                if !is_map {
                    unknown.insert(slot);
                }
            }
        }
    }
    // The length stands before the rows, and may be damaged: it is no less than the pages there are.
    let pages = rows.iter().filter_map(|row| match row.holds {
        Holds::Page(page) => Some(page + 1),
        _ => None,
    });
    let least = offset(pages.max().unwrap_or(0));
    let lengths: Vec<u64> = copies.iter().map(|(length, _)| *length).collect();
    let agreed = lengths.windows(2).all(|pair| pair[0] == pair[1]) && lengths[0] <= offset(log::MOST_PAGES);
    Some((if agreed { lengths[0].max(least) } else { least }, rows, unknown))
}
