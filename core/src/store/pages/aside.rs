//! The place of the next map: the slots of the map before, which are zeros since, so that the two take turns; or free slots that are kept for it.
//!
//! A new map takes runs of slots. Were they looked for among the free ones when it is written, there might be none long enough by then, and on a
//! full disk no way to make the file longer: so nothing else is written to them.

use super::log::{checkpoint_slots, map_slots};
use super::twice::Twice;
use super::{Holds, Row, State};
use redb::StorageBackend;
use std::io;

/// Slots for a log and a checkpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aside {
    pub(super) log: Twice,
    pub(super) checkpoint: Twice,
    /// Whether zeros were written to them: else the file may only be said to be that long.
    pub(super) written: bool,
}

impl Aside {
    fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        self.log.slots().chain(self.checkpoint.slots())
    }
    fn is_enough(&self, rows: usize) -> bool {
        let both = self.log.is_twice() && self.checkpoint.is_twice();
        both && self.log.count as usize >= map_slots(rows).0 && self.checkpoint.count as usize >= checkpoint_slots(rows)
    }
}

impl State {
    /// Whether there is a place for the next map.
    fn has_aside(&self) -> bool {
        self.aside.is_some_and(|aside| aside.is_enough(self.rows.len()))
    }

    /// How many free slots it takes besides those that are kept, for there to be a place for a map of so many rows.
    pub(super) fn wanted_for_map(&self, rows: usize) -> usize {
        match self.aside {
            Some(aside) if aside.is_enough(rows) => 0,
            aside => {
                let (log, checkpoint) = map_slots(rows);
                (2 * (log + checkpoint)).saturating_sub(aside.map_or(0, |aside| aside.slots().count()))
            }
        }
    }

    /// How many slots the map takes, with those that are kept for the next one.
    pub(super) fn map_and_aside(&self) -> usize {
        let map = self.root.log.slots().count() + self.root.checkpoint.slots().count();
        map + self.aside.map_or(0, |aside| aside.slots().count())
    }

    /// Gives the slots that are kept back to the free ones.
    pub(super) fn use_aside(&mut self) {
        if let Some(aside) = self.aside.take() {
            self.free.extend(aside.slots());
        }
    }

    /// Keeps the slots of a map that is no more, which are zeros; where they are too few, others.
    pub(super) fn keep_aside(&mut self, log: Twice, checkpoint: Twice) {
        let old = Aside { log, checkpoint, written: true };
        if !old.is_enough(self.rows.len()) {
            return self.find_aside();
        }
        self.use_aside();
        for slot in old.slots() {
            self.free.remove(&slot);
        }
        self.aside = Some(old);
    }

    /// Where none are kept that are enough, keeps free slots that are zeros, if there are such. Copies of one lie apart.
    pub(super) fn find_aside(&mut self) {
        if self.has_aside() {
            return;
        }
        self.use_aside();
        let (log, checkpoint) = map_slots(self.rows.len());
        let mut aside = Aside {
            log: Twice { count: log as u32, ..Twice::default() },
            checkpoint: Twice { count: checkpoint as u32, ..Twice::default() },
            written: false,
        };
        let mut taken = Vec::new();
        for part in 0..4 {
            let count = if part % 2 == 0 { aside.log.count } else { aside.checkpoint.count };
            let Some(first) = self.find_run(count, usize::MAX, |row| row.holds == Holds::Zeros) else {
                self.free.extend(taken);
                return;
            };
            match part {
                0 => aside.log.first = first,
                1 => aside.checkpoint.first = first,
                2 => aside.log.second = first,
                _ => aside.checkpoint.second = first,
            }
            for slot in first..first + count {
                self.free.remove(&slot);
                taken.push(slot);
            }
        }
        self.aside = Some(aside);
    }

    /// Slots for a new log and a new checkpoint, taken out of the free ones: those that are kept, else the lowest there are, else new ones.
    pub(super) fn take_map(&mut self, disk: &dyn StorageBackend) -> io::Result<Aside> {
        if self.has_aside()
            && let Some(aside) = self.aside.take()
        {
            for slot in aside.slots() {
                self.free.remove(&slot); // it is not there; were it, a page would be written over the map
                self.rows[slot as usize] = Row::MAP;
            }
            return Ok(aside);
        }
        self.use_aside();
        let (log, checkpoint) = map_slots(self.rows.len());
        let mut log = Twice { count: log as u32, ..Twice::default() };
        let mut checkpoint = Twice { count: checkpoint as u32, ..Twice::default() };
        log.first = self.take_run(disk, log.count)?;
        checkpoint.first = self.take_run(disk, checkpoint.count)?;
        log.second = self.take_run(disk, log.count)?;
        checkpoint.second = self.take_run(disk, checkpoint.count)?;
        Ok(Aside { log, checkpoint, written: false })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{STORE, content, create, key, open, open_with};
    use super::super::{PAGE, offset};
    use crate::store::testing::FaultyFile;
    use redb::StorageBackend;

    /// They were given to pages and to the map at once, and the file did not open any more.
    #[test]
    fn what_a_crash_left_in_the_place_of_the_next_map_gives_that_place_to_nobody_else() {
        let file = FaultyFile::default();
        let pages = create(&file);
        // The log runs full, so that a map before this one is kept as the place of the next.
        for round in 0..40 {
            pages.write(0, &[round; PAGE]).expect("it writes");
            pages.sync_data().expect("it syncs");
        }
        let crashed = FaultyFile::with(file.bytes());
        let looked = open_with(&crashed, &key(1), STORE, true).expect("it opens");
        let kept: Vec<u32> = looked.0.read_state().aside.expect("there is a place").slots().collect();
        for slot in kept {
            crashed.write(offset(slot), &[0xa5; PAGE]).expect("it writes");
        }
        let pages = open(&crashed).expect("it opens");
        let mut wanted = Vec::new();
        for page in 0..200_u8 {
            wanted.extend([page; PAGE]);
            pages.write(offset(page.into()), &[page; PAGE]).expect("it writes");
            if page % 7 == 0 {
                pages.sync_data().expect("it syncs");
            }
        }
        pages.sync_data().expect("it syncs");
        assert!(pages.check().expect("it reads").is_sound());
        pages.close().expect("it closes");
        let again = open(&crashed).expect("it opens");
        assert!(content(&again).expect("it reads") == wanted && again.check().expect("it reads").is_sound());
    }
}
