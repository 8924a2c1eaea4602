//! What a damaged file still has: every page that opens, those that the map calls free too.
//!
//! The map must open: without it no page has its nonce and its tag. Of the pages, each one that does not open is a hole and nothing more.

use super::log::{self, Log, Next};
use super::{Holds, PAGE, Row, Seal, State, offset, superblock};
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
}

impl Wreck {
    /// # Errors
    /// - `map-damaged`: what says where the pages are does not open, or may not be the newest. `store-io`.
    pub(in crate::store) fn open(disk: Box<dyn StorageBackend>, key: &SealKey, store: StoreId) -> Result<Wreck> {
        let seal = Seal { key: key.clone(), store };
        let state = State::read_last(&*disk, &seal)?;
        let State { rows, places, header, .. } = state;
        let mut wreck = Wreck { disk, seal, rows, places, header, lost: BTreeSet::new(), pages: 0 };
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
                true
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

impl State {
    /// The map as the last sync left it, whatever became of the pages: what was replaced by something that is lost is not taken for
    /// what is current.
    fn read_last(disk: &dyn StorageBackend, seal: &Seal) -> Result<State> {
        let damaged = |_| Code::MapDamaged.error();
        let copies = superblock::read(disk, seal);
        let whole = copies.iter().all(Option::is_some);
        let newest = copies.into_iter().flatten().max_by_key(|(root, _)| root.sequence);
        let (root, header) = newest.ok_or_else(|| Code::MapDamaged.error())?;
        let (length, rows, _) = log::read_checkpoint(disk, seal, &root).map_err(damaged)?;
        let mut state =
            State { length, rows: Vec::new(), log: Log { extent: root.log, used: 0 }, root, ..State::empty(&header) };
        let count = rows.len() as u32;
        state.apply(length, count, (0..count).zip(rows)).map_err(damaged)?;
        let broken = loop {
            match log::next(disk, seal, root.generation, &state.log).map_err(damaged)? {
                Next::Record(record) => {
                    state.log.used += record.size;
                    state.apply(record.length, record.slots, record.rows.into_iter()).map_err(damaged)?;
                }
                Next::Nothing => break false,
                Next::Broken => break true,
            }
        };
        if state.ends_here(disk, seal, broken, whole).map_err(damaged)? {
            Ok(state)
        } else {
            Err(Code::MapDamaged.error())
        }
    }
}
