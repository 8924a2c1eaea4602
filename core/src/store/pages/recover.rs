//! Opening: the newest map is read, and what a crash left is put in order.
//!
//! Of the map, which is kept twice, each slot is taken from the copy that has it. The last record of a log counts only where every page it names is there: a sync that did not finish never was. Where the file was
//! not closed in order, or a copy of the map is damaged, slots that hold what nobody wrote are zeroed and the map is written anew.

use super::log::{self, Log, Next, Record};
use super::superblock;
use super::{FIRST, Holds, PAGE, Pages, Row, Seal, State, offset};
use crate::error::{Code, Result};
use crate::id::{Random, StoreId};
use crate::vault::SealKey;
use redb::StorageBackend;
use std::sync::Arc;

impl Pages {
    /// Opens a storage. Read-only, nothing is written to the file: what the engine writes stays in memory.
    ///
    /// # Errors
    /// - `corrupt`, `truncated`: the map is not what was written. `store-io`.
    pub(in crate::store) fn open(
        disk: Box<dyn StorageBackend>,
        key: &SealKey,
        store: StoreId,
        random: Arc<dyn Random>,
        read_only: bool,
    ) -> Result<Pages> {
        let seal = Seal { key: key.clone(), store };
        let (mut state, sound) = State::read(&*disk, &seal)?;
        if !sound && !read_only {
            state.mend(&*disk, &seal, &*random)?;
        }
        Ok(Pages::over(disk, seal, random, state, read_only))
    }
}

impl State {
    /// The map as the last sync that finished left it, and whether everything was left in order.
    fn read(disk: &dyn StorageBackend, seal: &Seal) -> Result<(State, bool)> {
        let corrupt = || Code::Corrupt.error();
        let copies = superblock::read(disk, seal);
        let number = |copy: usize| copies[copy].as_ref().map(|(root, _)| root.sequence);
        let newer = u32::from(number(1) > number(0));
        let superblocks = copies.iter().all(Option::is_some);
        let (root, header) = copies[newer as usize].clone().ok_or_else(corrupt)?;
        let (length, rows, damaged) = log::read_checkpoint(disk, seal, &root)?;
        let mut state = State {
            length,
            rows: Vec::new(),
            log: Log { extent: root.log, used: 0 },
            root,
            newer,
            mended: copies.iter().filter(|copy| copy.is_none()).count() as u64 + damaged,
            recovered: root.closed.is_none(),
            ..State::empty(&header)
        };
        state.apply(length, rows.len() as u32, rows.into_iter().enumerate().map(|(slot, row)| (slot as u32, row)))?;
        let closed = state.replay(disk, seal, superblocks)?;
        let mut sound = closed && state.mended == 0;
        let slots = u32::try_from(disk.len()? / PAGE as u64).map_err(|_| corrupt())?;
        if (slots as usize) < state.rows.len() {
            // What is cut off may be missed only where nothing lay in it.
            if state.rows[slots as usize..].iter().any(|row| !row.is_free()) {
                return Err(Code::Truncated.error());
            }
            sound = false;
        }
        state.rows.resize(slots as usize, Row::ZEROS);
        let is_map = |slot: &u32| *slot < FIRST || root.log.contains(*slot) || root.checkpoint.contains(*slot);
        for (slot, row) in state.rows.iter().enumerate() {
            let slot = slot as u32;
            if is_map(&slot) != (row.holds == Holds::Map) {
                if is_map(&slot) {
                    return Err(corrupt());
                }
                sound = false; // an older map that was not wiped yet
            }
            if row.is_free() {
                state.free.insert(slot);
            }
        }
        state.find_aside();
        Ok((state, sound))
    }

    /// Applies the log. Says whether the file was closed in order. `superblocks`: whether both are whole.
    fn replay(&mut self, disk: &dyn StorageBackend, seal: &Seal, superblocks: bool) -> Result<bool> {
        let generation = self.root.generation;
        let mut last: Option<Record> = None;
        let broken = loop {
            match log::next(disk, seal, generation, &self.log)? {
                Next::Record(record) => {
                    self.log.used += record.size;
                    self.mended += record.damaged;
                    if let Some(before) = last.replace(record) {
                        self.apply(before.length, before.slots, before.rows.into_iter())?;
                    }
                }
                Next::Nothing => break false,
                Next::Broken => break true,
            }
        };
        if !self.ends_here(disk, seal, broken, superblocks)? {
            return Err(Code::Corrupt.error());
        }
        self.mended += u64::from(broken && self.root.closed.is_some()); // in room that nothing was written to yet
        if let Some(last) = last {
            let there = |(slot, row): &(u32, Row)| {
                let mut bytes = [0; PAGE];
                !matches!(row.holds, Holds::Page(_))
                    || disk.read(offset(*slot), &mut bytes).is_ok() && seal.fits(row, &mut bytes)
            };
            // Of a file that was closed the last sync is done, and a page that does not open is damaged, like any other.
            match self.root.closed.is_some() || last.rows.iter().all(there) {
                true => self.apply(last.length, last.slots, last.rows.into_iter())?,
                false if !superblocks || broken => return Err(Code::Corrupt.error()),
                false => {}
            }
        }
        Ok(self.root.closed.is_some())
    }

    /// Whether the log ends where it was read to. A file that was closed ends where it says. Of one that was not, only the last record can be
    /// torn, and not while a superblock is written. `broken`: whether something stands there that does not open.
    pub(super) fn ends_here(
        &self,
        disk: &dyn StorageBackend,
        seal: &Seal,
        broken: bool,
        superblocks: bool,
    ) -> Result<bool> {
        let (here, look) = match self.root.closed {
            Some(used) => (self.log.used == used, broken),
            None => (superblocks || !broken, true),
        };
        Ok(here && !(look && log::is_any_after(disk, seal, self.root.generation, &self.log)?))
    }

    /// Takes rows over into the map.
    pub(super) fn apply(&mut self, length: u64, slots: u32, rows: impl Iterator<Item = (u32, Row)>) -> Result<()> {
        let corrupt = || Code::Corrupt.error();
        if self.rows.get(slots as usize..).is_some_and(|cut| cut.iter().any(|row| matches!(row.holds, Holds::Page(_))))
        {
            return Err(corrupt());
        }
        self.rows.resize(slots as usize, Row::ZEROS);
        let pages = length.div_ceil(PAGE as u64);
        // What a record calls stale was cut off with its page; a page that came back stands among those that follow.
        let (pages_now, others): (Vec<_>, Vec<_>) = rows.partition(|(_, row)| matches!(row.holds, Holds::Page(_)));
        for (slot, row) in others.into_iter().chain(pages_now) {
            let before = std::mem::replace(self.rows.get_mut(slot as usize).ok_or_else(corrupt)?, row);
            if let Holds::Page(page) = before.holds {
                if self.places.get(page as usize) == Some(&slot) {
                    self.places[page as usize] = 0;
                }
            }
            let (page, place) = match row.holds {
                Holds::Page(page) if u64::from(page) < pages => (page, slot),
                Holds::Page(_) => return Err(corrupt()),
                Holds::Stale(page) if u64::from(page) < self.places.len() as u64 => (page, 0),
                _ => continue,
            };
            if self.places.len() <= page as usize {
                self.places.resize(page as usize + 1, 0);
            }
            let old = std::mem::replace(&mut self.places[page as usize], place);
            if old != 0 && old != slot {
                self.rows[old as usize].holds = Holds::Stale(page);
            }
        }
        self.resize(length);
        self.released.clear();
        self.touched.clear();
        self.resized = false;
        Ok(())
    }

    /// After a crash: zeroes slots that hold what the map does not know, and writes the map anew.
    fn mend(&mut self, disk: &dyn StorageBackend, seal: &Seal, random: &dyn Random) -> Result<()> {
        let mut bytes = vec![0; PAGE];
        let mut wrong = Vec::new();
        for (slot, row) in self.rows.iter().enumerate().skip(FIRST as usize) {
            let slot = slot as u32;
            let leftover =
                row.holds == Holds::Map && !self.log.extent.contains(slot) && !self.root.checkpoint.contains(slot);
            // A free slot that cannot be read is written: a device puts another block in its place then.
            let unlike = row.is_free() && !(disk.read(offset(slot), &mut bytes).is_ok() && seal.fits(row, &mut bytes));
            if leftover || unlike {
                wrong.push(slot);
            }
        }
        self.mended += wrong.len() as u64;
        // What is kept for the next map may be among them.
        self.use_aside();
        self.wipe(disk, wrong)?;
        self.find_aside();
        self.write_checkpoint(disk, seal, random)
    }
}
