//! The page layer: what the engine writes lies in the file as sealed pages, and nothing of it is readable, movable or
//! replaceable by an older page.
//!
//! The engine sees a plain storage of pages; the file has *slots* of 4 KiB. A page that is written goes sealed to a free slot,
//! never over what is committed; a sealed *map* says which slot holds which page, with the nonce and the tag of what lies in it.
//! A sync appends the changes of the map to a sealed log and syncs once: after a crash the storage is as it was after one sync or the
//! next, with nothing in between, whatever subset of the writes reached the disk. Because the tag of every slot is in the
//! authenticated map, an old page put back does not open. Free slots are known too, so [`Pages::check`] finds any flipped bit
//! of the file. Only a whole older file looks right from inside: that needs an anchor outside. The map and the superblocks are kept twice: one
//! damaged slot of them is read from the other copy, and written anew when the file is opened for writing.
//!
//! docs/format.md has the bytes. `log` is how the map is kept, `recover` how it is read again.

mod aside;
mod backup;
mod disk;
mod log;
mod pace;
mod recover;
mod repair;
mod room;
mod salvage;
mod superblock;
#[cfg(test)]
mod tests;
mod twice;

pub use backup::{Copied, Frozen, Steps};
pub(super) use backup::{Copy, restore};
pub(super) use disk::Disk;
pub use repair::Mended;
pub(super) use repair::repair;
pub(super) use salvage::Wreck;
pub(super) use superblock::key_headers;

use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::{Random, StoreId};
use crate::vault::SealKey;
use aside::Aside;
use log::Log;
use redb::StorageBackend;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use superblock::Root;

/// Bytes of a page and of a slot.
pub(super) const PAGE: usize = 4096;
/// Slots that the two superblocks take.
const FIRST: u32 = 2;
/// Pages that wait at most for the next sync.
const MOST_WAITING: usize = 256;
/// Free slots that are looked through for a run of them.
const LOOKED_AT: usize = 4096;

/// What a slot holds, and how what lies in it was sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Row {
    holds: Holds,
    nonce: [u8; 12],
    tag: [u8; 16],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holds {
    /// Nothing: zeros.
    Zeros,
    /// The map itself: a checkpoint or the log.
    Map,
    /// What a page says now.
    Page(u32),
    /// What a page said before; free to be written over.
    Stale(u32),
}

impl Row {
    const ZEROS: Row = Row { holds: Holds::Zeros, nonce: [0; 12], tag: [0; 16] };
    const MAP: Row = Row { holds: Holds::Map, ..Row::ZEROS };

    fn is_free(&self) -> bool {
        matches!(self.holds, Holds::Zeros | Holds::Stale(_))
    }
}

/// A storage of the engine's over sealed slots. Clones are the same storage.
#[derive(Clone)]
pub(super) struct Pages(Arc<Inner>);

struct Inner {
    disk: Box<dyn StorageBackend>,
    seal: Seal,
    random: Arc<dyn Random>,
    /// One writes at a time; held for as long as a sync takes.
    writer: Mutex<()>,
    state: RwLock<State>,
    /// Where nothing may be written to the file, what the engine writes stays here.
    overlay: Option<RwLock<HashMap<u32, Box<[u8]>>>>,
    /// Something beneath panicked.
    panicked: AtomicBool,
}

/// The key, and the store it is for.
#[derive(Clone)]
pub(super) struct Seal {
    key: SealKey,
    store: StoreId,
}

/// The map, as it is with all that was written so far.
struct State {
    /// Bytes of the storage as the engine sees it.
    length: u64,
    /// What each slot holds.
    rows: Vec<Row>,
    /// The slot of each page; 0 for none: zeros.
    places: Vec<u32>,
    /// Slots that may be written over.
    free: BTreeSet<u32>,
    /// Free slots that are kept for the next map, so that there is a place for it whatever else was written.
    aside: Option<Aside>,
    /// Pages that were written and lie in no slot yet, in clear: they go together, one after the other on the disk where there is room for that.
    waiting: BTreeMap<u32, Box<[u8]>>,
    /// Slots whose row changed since the last sync.
    touched: BTreeSet<u32>,
    /// Slots that are free once the next sync is done.
    released: Vec<u32>,
    /// Whether the length changed since the last sync.
    resized: bool,
    log: Log,
    /// What the newer superblock says.
    root: Root,
    /// Which superblock is the newer one.
    newer: u32,
    /// The wrapped keys, in clear, as both superblocks have them.
    header: Vec<u8>,
    /// A write failed: what is in the file now is unknown, so nothing more is written.
    failed: bool,
    /// What was not as it should be when the file was opened, and was mended.
    mended: u64,
    /// The file was not closed in order before it was opened.
    recovered: bool,
    /// The map is to be written anew with the next sync: a slot of it was found damaged.
    renew_map: bool,
    /// How many copies are being made: what they read is not written over.
    pins: u32,
    /// Slots that are free once no copy is being made any more.
    held: Vec<u32>,
    /// And what lies in them is to be wiped then.
    wipe_held: bool,
}

/// What a slot of the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A superblock.
    Superblock,
    /// A part of the map.
    Map,
    /// What a page says now.
    Page(u32),
    /// What a page said before.
    Stale(u32),
    /// Nothing.
    Zeros,
}

/// What a look at every slot of the file found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Slots that hold pages.
    pub pages: u64,
    /// Slots that are free.
    pub free: u64,
    /// Slots that hold the map, and the superblocks.
    pub map: u64,
    /// Slots that were not as they should be when the file was opened, and were put in order then: after a crash, or a change from
    /// outside that looks like one.
    pub mended: u64,
    /// The file was not closed in order before it was opened: after a crash, or where somebody put an older superblock back.
    pub recovered: bool,
    /// Slots of pages and free slots that are not as they were left, by their numbers.
    pub damaged: Vec<u32>,
    /// Parts of the map that are not as they were left.
    pub map_damaged: u64,
}

impl Checked {
    /// Whether every byte of the file is as it was left.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.map_damaged == 0
    }
}

impl Pages {
    /// Makes a new storage on an empty disk.
    pub(super) fn create(
        disk: Box<dyn StorageBackend>,
        header: &[u8],
        key: &SealKey,
        store: StoreId,
        random: Arc<dyn Random>,
    ) -> Result<Pages> {
        Pages::create_after(0, disk, header, key, store, random)
    }

    /// As [`Pages::create`], with superblocks that count on from those of a storage whose place this one takes.
    pub(super) fn create_after(
        sequence: u64,
        disk: Box<dyn StorageBackend>,
        header: &[u8],
        key: &SealKey,
        store: StoreId,
        random: Arc<dyn Random>,
    ) -> Result<Pages> {
        let mut state = State::empty(header);
        state.root.sequence = sequence;
        let seal = Seal { key: key.clone(), store };
        state.write_checkpoint(&*disk, &seal, &*random)?;
        Ok(Pages::over(disk, seal, random, state, false))
    }

    fn over(
        disk: Box<dyn StorageBackend>,
        seal: Seal,
        random: Arc<dyn Random>,
        state: State,
        read_only: bool,
    ) -> Pages {
        let overlay = read_only.then(RwLock::default);
        let (writer, state, panicked) = (Mutex::new(()), RwLock::new(state), AtomicBool::new(false));
        Pages(Arc::new(Inner { disk, seal, random, writer, state, overlay, panicked }))
    }

    /// How many slots were not as they should be when the file was opened after a crash, and were mended; and whether the file
    /// was not closed in order.
    pub(super) fn check_opened(&self) -> (u64, bool) {
        let state = self.0.read_state();
        (state.mended, state.recovered)
    }

    #[cfg(test)]
    fn mended(&self) -> u64 {
        self.check_opened().0
    }

    /// What each slot holds.
    pub(super) fn sorts(&self) -> Vec<Sort> {
        let sort = |(slot, row): (usize, &Row)| match row.holds {
            _ if slot < FIRST as usize => Sort::Superblock,
            Holds::Map => Sort::Map,
            Holds::Page(page) => Sort::Page(page),
            Holds::Stale(page) => Sort::Stale(page),
            Holds::Zeros => Sort::Zeros,
        };
        self.0.read_state().rows.iter().enumerate().map(sort).collect()
    }

    /// Whether bytes would be taken for what a slot holds.
    pub(super) fn takes(&self, slot: usize, bytes: &mut [u8]) -> bool {
        let row = self.0.read_state().rows.get(slot).copied();
        row.is_some_and(|row| self.0.seal.fits(&row, bytes))
    }

    /// How many slots of the map are not as they were written.
    pub(super) fn check_map(&self) -> Result<u64> {
        let _writer = self.0.turn();
        self.0.read_state().check_map(&*self.0.disk, &self.0.seal)
    }

    /// The wrapped keys.
    pub(super) fn header(&self) -> Vec<u8> {
        self.0.read_state().header.clone()
    }

    /// Puts other wrapped keys into both superblocks, durably. Once the first has them they are in force, and that is what is said: where
    /// the second cannot be written, nothing more is written through this handle, and the next one puts it right.
    pub(super) fn put_header(&self, header: &[u8]) -> Result<()> {
        let inner = &*self.0;
        if inner.overlay.is_some() {
            return Err(Code::ReadOnly.error());
        }
        let _writer = inner.turn();
        let mut state = inner.write_state();
        state.usable()?;
        let before = std::mem::replace(&mut state.header, header.to_vec());
        let done = (|| {
            state.say_opened(&*inner.disk, &inner.seal, &*inner.random)?;
            let root = state.root;
            state.write_root(&*inner.disk, &inner.seal, &*inner.random, root)
        })();
        if done.is_err() {
            (state.failed, state.header) = (true, before);
            return done;
        }
        let root = state.root;
        state.failed |= state.write_root(&*inner.disk, &inner.seal, &*inner.random, root).is_err();
        Ok(())
    }

    /// The number of the newer superblock.
    pub(super) fn sequence(&self) -> u64 {
        self.0.read_state().root.sequence
    }

    /// What each slot holds or held, in clear.
    pub(super) fn remains(&self, visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        let state = self.0.read_state();
        let mut bytes = vec![0; PAGE];
        for (slot, row) in state.rows.iter().enumerate() {
            if let Holds::Page(page) | Holds::Stale(page) = row.holds {
                self.0.disk.read(offset(slot as u32), &mut bytes)?;
                if self.0.seal.open_page(page, row, &mut bytes).is_ok() {
                    visit(&bytes);
                }
            }
        }
        Ok(())
    }

    /// Opens every slot of the file, free ones and the map too, and both superblocks. A map of which a slot is damaged is written anew with the
    /// next sync.
    pub(super) fn check(&self) -> Result<Checked> {
        let _writer = self.0.turn();
        let mut state = self.0.write_state();
        let checked = state.check(&*self.0.disk, &self.0.seal)?;
        state.renew_map |= checked.map_damaged > 0;
        Ok(checked)
    }

    /// Lets go of the file without a word in it, after a panic.
    pub(super) fn let_go(&self) -> Result<()> {
        Ok(self.0.disk.close()?)
    }

    /// Takes byte strings that must not be readable any more out of every page, and zeroes all free slots: what pages said before is
    /// gone. Only those bytes of a page change, so a reader of an older view meets zeros and nothing worse.
    pub(super) fn scrub(&self, gone: &[&[u8]]) -> Result<u64> {
        let inner = &*self.0;
        if inner.overlay.is_some() {
            return Err(Code::ReadOnly.error());
        }
        let found = self.find(gone)?;
        for (start, length) in &found {
            inner.write(*start, &vec![0; *length])?;
        }
        inner.sync()?;
        let _writer = inner.turn();
        let mut state = inner.write_state();
        state.usable()?;
        state.wipe_held |= state.pins > 0; // what a copy still reads is wiped when it ends
        let done = state.wipe_stale(&*inner.disk, &inner.seal, &*inner.random);
        state.failed |= done.is_err();
        done?;
        Ok(found.len() as u64)
    }

    /// Whether something beneath panicked: what it would say now nobody knows.
    pub(super) fn has_panicked(&self) -> bool {
        self.0.panicked.load(SeqCst)
    }

    /// Whether a copy is being made.
    pub(super) fn is_copied(&self) -> bool {
        self.0.read_state().pins > 0
    }

    /// Where in the storage byte strings stand: start and length.
    fn find(&self, wanted: &[&[u8]]) -> Result<Vec<(u64, usize)>> {
        let longest = wanted.iter().map(|bytes| bytes.len()).max().unwrap_or(0);
        let mut found = Vec::new();
        if longest == 0 {
            return Ok(found);
        }
        let finders: Vec<_> = wanted.iter().map(memchr::memmem::Finder::new).collect();
        let length = self.0.read_state().length;
        let mut window: Vec<u8> = Vec::with_capacity(PAGE + longest);
        for page in 0..length.div_ceil(PAGE as u64) as u32 {
            // The end of the page before stands in front, for what lies across the edge.
            let before = window.len().min(longest - 1);
            window.drain(..window.len() - before);
            window.resize(before + PAGE, 0);
            let state = self.0.read_state();
            self.0.page(&state, page, &mut window[before..])?;
            drop(state);
            for (finder, bytes) in finders.iter().zip(wanted) {
                // What lies in the front part alone was found with its own page.
                let new = finder.find_iter(&window).filter(|at| at + bytes.len() > before);
                found.extend(new.map(|at| (offset(page) + at as u64 - before as u64, bytes.len())));
            }
        }
        Ok(found)
    }

    /// Moves pages from the end of the file to free slots before them and gives the end back.
    pub(super) fn shrink(&self) -> Result<()> {
        let inner = &*self.0;
        if inner.overlay.is_some() {
            return Err(Code::ReadOnly.error());
        }
        let _writer = inner.turn();
        let mut state = inner.write_state();
        state.usable()?;
        inner.write_waiting(&mut state).inspect_err(|_| state.failed = true)?;
        let done = state.shrink(&*inner.disk, &inner.seal, &*inner.random);
        state.failed |= done.is_err();
        done
    }
}

impl Inner {
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole page in clear.
    fn page(&self, state: &State, page: u32, out: &mut [u8]) -> io::Result<()> {
        if let Some(overlay) = &self.overlay {
            let overlay = overlay.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(bytes) = overlay.get(&page) {
                out.copy_from_slice(bytes);
                return Ok(());
            }
        }
        if let Some(bytes) = state.waiting.get(&page) {
            out.copy_from_slice(bytes);
            return Ok(());
        }
        match state.places.get(page as usize) {
            Some(0) | None => out.fill(0),
            Some(slot) => {
                self.disk.read(offset(*slot), out)?;
                self.seal.open_page(page, &state.rows[*slot as usize], out).map_err(io_error)?;
            }
        }
        Ok(())
    }

    /// Calls `work` for each page that `length` bytes at `start` touch: page, where in it, where in the bytes.
    fn each_page(
        start: u64,
        length: usize,
        mut work: impl FnMut(u32, std::ops::Range<usize>, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < length {
            let at = start + done as u64;
            let page = u32::try_from(at / PAGE as u64).ok().filter(|page| *page < log::MOST_PAGES);
            let page = page.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
            let within = (at % PAGE as u64) as usize;
            let count = (PAGE - within).min(length - done);
            work(page, within..within + count, done..done + count)?;
            done += count;
        }
        Ok(())
    }

    fn write(&self, start: u64, data: &[u8]) -> Result<()> {
        let _writer = self.turn();
        let mut state = self.write_state();
        state.usable()?;
        if let Some(overlay) = &self.overlay {
            let mut changed = Vec::new();
            Inner::each_page(start, data.len(), |page, within, bytes| {
                let mut whole = vec![0; PAGE];
                if within.len() < PAGE {
                    self.page(&state, page, &mut whole)?;
                }
                whole[within].copy_from_slice(&data[bytes]);
                changed.push((page, whole.into_boxed_slice()));
                Ok(())
            })?;
            overlay.write().unwrap_or_else(PoisonError::into_inner).extend(changed);
            state.length = state.length.max(start + data.len() as u64);
            return Ok(());
        }
        let done = self.write_pages(&mut state, start, data);
        state.failed |= done.is_err();
        done
    }

    fn write_pages(&self, state: &mut State, start: u64, data: &[u8]) -> Result<()> {
        state.say_opened(&*self.disk, &self.seal, &*self.random)?;
        Inner::each_page(start, data.len(), |page, within, bytes| {
            if within.len() == PAGE {
                state.waiting.insert(page, data[bytes].into());
                return Ok(());
            }
            let mut whole = vec![0; PAGE];
            self.page(state, page, &mut whole)?;
            whole[within].copy_from_slice(&data[bytes]);
            state.waiting.insert(page, whole.into());
            Ok(())
        })?;
        state.resized |= start + data.len() as u64 > state.length;
        state.length = state.length.max(start + data.len() as u64);
        if state.waiting.len() < MOST_WAITING { Ok(()) } else { self.write_waiting(state) }
    }

    /// Seals the pages that wait and writes them.
    fn write_waiting(&self, state: &mut State) -> Result<()> {
        if state.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut state.waiting);
        let mut nonces = vec![[0; 12]; waiting.len()];
        self.random.fill(nonces.as_flattened_mut())?;
        let (mut buffer, mut slots) = (Vec::with_capacity(waiting.len() * PAGE), Vec::with_capacity(waiting.len()));
        let new = waiting.keys().filter(|page| !state.is_written_over(**page)).count() as u32;
        let mut run = state.find_run(new, LOOKED_AT, |_| true).map_or(0..0, |first| first..first + new);
        for ((page, bytes), nonce) in waiting.into_iter().zip(nonces) {
            let from = buffer.len();
            buffer.extend_from_slice(&bytes);
            let tag = self.seal.seal_page(page, nonce, &mut buffer[from..])?;
            let row = Row { holds: Holds::Page(page), nonce, tag };
            slots.push(state.place(&*self.disk, page, row, &mut run)?);
        }
        let mut first = 0;
        while first < slots.len() {
            let run = (first..slots.len()).take_while(|i| slots[*i] == slots[first] + (*i - first) as u32).count();
            self.disk.write(offset(slots[first]), &buffer[first * PAGE..(first + run) * PAGE])?;
            first += run;
        }
        Ok(())
    }

    fn read(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.read_state();
        if start.checked_add(out.len() as u64).is_none_or(|end| end > state.length) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let length = out.len();
        Inner::each_page(start, length, |page, within, bytes| {
            if within.len() == PAGE {
                return self.page(&state, page, &mut out[bytes]);
            }
            let mut whole = [0; PAGE];
            self.page(&state, page, &mut whole)?;
            out[bytes].copy_from_slice(&whole[within]);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let current = self.read_state().length;
        if length < current && !length.is_multiple_of(PAGE as u64) {
            // What is cut off is zeros should the storage grow again.
            let rest = (PAGE as u64 - length % PAGE as u64).min(current - length);
            self.write(length, &vec![0; rest as usize]).map_err(io_error)?;
        }
        let _writer = self.turn();
        let mut state = self.write_state();
        state.usable().map_err(io_error)?;
        if let Some(overlay) = &self.overlay {
            overlay.write().unwrap_or_else(PoisonError::into_inner).retain(|page, _| offset(*page) < length);
        } else {
            state.say_opened(&*self.disk, &self.seal, &*self.random).map_err(io_error)?;
        }
        state.resize(length);
        Ok(())
    }

    /// Makes durable what was written.
    fn sync(&self) -> Result<()> {
        let _writer = self.turn();
        let mut state = self.write_state();
        state.usable()?;
        self.write_waiting(&mut state).inspect_err(|_| state.failed = true)?;
        if self.overlay.is_some() || state.touched.is_empty() && !state.resized && !state.renew_map {
            return Ok(());
        }
        if state.renew_map
            || !state.append_changes(&*self.disk, &self.seal, &*self.random).inspect_err(|_| state.failed = true)?
        {
            let done = state.write_checkpoint(&*self.disk, &self.seal, &*self.random);
            state.failed |= done.is_err();
            return done;
        }
        drop(state); // readers need not wait for the disk
        let synced = self.disk.sync_data();
        let mut state = self.write_state();
        state.failed |= synced.is_err();
        state.settle();
        Ok(synced?)
    }

    /// Says in the log that all is well and nobody is at work any more.
    fn close(&self) -> Result<()> {
        if self.overlay.is_none() {
            self.sync()?;
            self.sync()?; // the first may have made a new checkpoint, and what the old one took is free since
            let _writer = self.turn();
            let mut state = self.write_state();
            state.say_closed(&*self.disk, &self.seal, &*self.random)?;
        }
        Ok(self.disk.close()?)
    }
}

impl State {
    /// The map of a file in which there is nothing yet.
    fn empty(header: &[u8]) -> State {
        State {
            length: 0,
            rows: vec![Row::MAP; FIRST as usize],
            places: Vec::new(),
            free: BTreeSet::new(),
            aside: None,
            waiting: BTreeMap::new(),
            touched: BTreeSet::new(),
            released: Vec::new(),
            resized: false,
            log: Log::default(),
            root: Root::default(),
            newer: 1,
            header: header.to_vec(),
            failed: false,
            mended: 0,
            recovered: false,
            renew_map: false,
            pins: 0,
            held: Vec::new(),
            wipe_held: false,
        }
    }

    fn usable(&self) -> Result<()> {
        if self.failed { Err(Code::Poisoned.error()) } else { Ok(()) }
    }

    /// Whether a page was written since the last sync, so that it is written over in its slot.
    fn is_written_over(&self, page: u32) -> bool {
        self.places.get(page as usize).is_some_and(|slot| *slot != 0 && self.touched.contains(slot))
    }

    /// Finds the slot that a page is written to, the next of a run of free ones where there is one, and notes the row. What was written since
    /// the last sync is written over; what is committed never.
    fn place(
        &mut self,
        disk: &dyn StorageBackend,
        page: u32,
        row: Row,
        run: &mut std::ops::Range<u32>,
    ) -> io::Result<u32> {
        if self.places.len() <= page as usize {
            self.places.resize(page as usize + 1, 0);
        }
        let old = self.places[page as usize];
        let slot = if self.is_written_over(page) {
            old
        } else {
            if self.free.is_empty() {
                self.add(disk, (self.rows.len() / 32).max(32))?;
            }
            let slot = run.next().filter(|slot| self.free.remove(slot)).or_else(|| self.free.pop_first());
            let slot = slot.ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
            if old != 0 {
                self.retire(old);
            }
            slot
        };
        self.places[page as usize] = slot;
        self.rows[slot as usize] = row;
        self.touched.insert(slot);
        Ok(slot)
    }

    /// What lies in a slot is no longer what its page says; the slot is free after the next sync.
    fn retire(&mut self, slot: u32) {
        if let Holds::Page(page) = self.rows[slot as usize].holds {
            self.rows[slot as usize].holds = Holds::Stale(page);
            self.released.push(slot);
        }
    }

    fn grow(&mut self, disk: &dyn StorageBackend, more: u32) -> io::Result<()> {
        let from = self.rows.len() as u32;
        disk.set_len(offset(from + more))?;
        self.rows.resize((from + more) as usize, Row::ZEROS);
        self.free.extend(from..from + more);
        Ok(())
    }

    /// The lowest free slots one after the other that are as wanted, among so many.
    fn find_run(&self, count: u32, among: usize, wanted: impl Fn(&Row) -> bool) -> Option<u32> {
        let (mut first, mut length) = (0, 0);
        for slot in self.free.iter().take(among).filter(|slot| wanted(&self.rows[**slot as usize])) {
            if length > 0 && *slot == first + length {
                length += 1;
            } else {
                (first, length) = (*slot, 1);
            }
            if length == count {
                return Some(first);
            }
        }
        None
    }

    /// Free slots one after the other, taken out of the free ones; the lowest there are, else new ones at the end.
    fn take_run(&mut self, disk: &dyn StorageBackend, count: u32) -> io::Result<u32> {
        let first = match self.find_run(count, usize::MAX, |_| true) {
            Some(first) => first,
            None => {
                let first = self.rows.len() as u32;
                self.grow(disk, count)?;
                first
            }
        };
        for slot in first..first + count {
            self.free.remove(&slot);
            self.rows[slot as usize] = Row::MAP;
        }
        Ok(first)
    }

    fn resize(&mut self, length: u64) {
        let pages = length.div_ceil(PAGE as u64) as usize;
        for page in pages..self.places.len() {
            match self.places[page] {
                0 => {}
                slot => {
                    self.retire(slot);
                    self.touched.insert(slot); // the page may come back as zeros before the next sync
                }
            }
        }
        self.places.truncate(pages);
        self.waiting.split_off(&(pages as u32));
        self.resized |= length != self.length;
        self.length = length;
    }

    /// After a sync: what was replaced may be written over.
    fn settle(&mut self) {
        match self.pins {
            0 => self.free.extend(self.released.drain(..)),
            _ => self.held.append(&mut self.released),
        }
        self.touched.clear();
        self.resized = false;
    }

    fn check(&self, disk: &dyn StorageBackend, seal: &Seal) -> Result<Checked> {
        let mut checked =
            Checked { mended: self.mended, recovered: self.recovered, map: u64::from(FIRST), ..Checked::default() };
        let mut bytes = vec![0; PAGE];
        for (slot, row) in self.rows.iter().enumerate().skip(FIRST as usize) {
            let good = match row.holds {
                Holds::Map => {
                    checked.map += 1;
                    continue;
                }
                Holds::Page(_) => {
                    checked.pages += 1;
                    disk.read(offset(slot as u32), &mut bytes).is_ok() && seal.fits(row, &mut bytes)
                }
                Holds::Stale(_) | Holds::Zeros => {
                    checked.free += 1;
                    disk.read(offset(slot as u32), &mut bytes).is_ok() && seal.fits(row, &mut bytes)
                }
            };
            if !good {
                checked.damaged.push(slot as u32);
            }
        }
        checked.map_damaged = self.check_map(disk, seal)?;
        Ok(checked)
    }

    /// Zeroes every free slot that still has what a page said before, durably.
    fn wipe_stale(&mut self, disk: &dyn StorageBackend, seal: &Seal, random: &dyn Random) -> Result<()> {
        let stale: Vec<u32> =
            self.free.iter().copied().filter(|slot| self.rows[*slot as usize].holds != Holds::Zeros).collect();
        if stale.is_empty() {
            return Ok(());
        }
        self.say_opened(disk, seal, random)?;
        self.wipe(disk, stale)?;
        if !self.append_changes(disk, seal, random)? {
            return self.write_checkpoint(disk, seal, random);
        }
        disk.sync_data()?;
        self.settle();
        Ok(())
    }

    fn shrink(&mut self, disk: &dyn StorageBackend, seal: &Seal, random: &dyn Random) -> Result<()> {
        self.say_opened(disk, seal, random)?;
        self.use_aside();
        let mut bytes = vec![0; PAGE];
        for slot in (FIRST..self.rows.len() as u32).rev() {
            let Holds::Page(page) = self.rows[slot as usize].holds else { continue };
            let Some(to) = self.free.first().copied().filter(|to| *to < slot) else { break };
            self.free.remove(&to);
            disk.read(offset(slot), &mut bytes)?;
            disk.write(offset(to), &bytes)?;
            self.rows[to as usize] = self.rows[slot as usize];
            self.retire(slot);
            self.places[page as usize] = to;
            self.touched.insert(to);
        }
        // The first checkpoint makes the moves durable; the second moves the map itself to the front.
        self.write_checkpoint(disk, seal, random)?;
        self.use_aside();
        self.write_checkpoint(disk, seal, random)?;
        self.use_aside();
        let end = self.rows.iter().rposition(|row| !row.is_free()).map_or(FIRST as usize, |last| last + 1);
        self.rows.truncate(end);
        self.free.split_off(&(end as u32));
        self.touched.split_off(&(end as u32));
        if !self.append_changes(disk, seal, random)? {
            self.write_checkpoint(disk, seal, random)?;
        }
        disk.sync_data()?;
        self.settle();
        Ok(disk.set_len(offset(self.rows.len() as u32))?)
    }
}

impl Seal {
    fn context(&self, page: u32) -> [u8; 35] {
        let mut context = [0; 35];
        context[..15].copy_from_slice(b"ehrcore page v1");
        context[15..31].copy_from_slice(&self.store.0);
        context[31..].copy_from_slice(&page.to_be_bytes());
        context
    }

    /// `AES-256-GCM.seal[page key](nonce, "ehrcore page v1" || store 16 || page 4, m)` in place; the nonce is random.
    ///
    /// Rule: fewer than 2^32 pages are sealed with one key (NIST SP 800-38D, section 8.3): 16 TiB written.
    fn seal_page(&self, page: u32, nonce: [u8; 12], bytes: &mut [u8]) -> Result<[u8; 16]> {
        Active::seal_detached(self.key.bytes(), nonce, &self.context(page), bytes)
    }
    fn open_page(&self, page: u32, row: &Row, bytes: &mut [u8]) -> Result<()> {
        Active::open_detached(self.key.bytes(), row.nonce, &self.context(page), row.tag, bytes)
    }
    /// Whether what was read from a slot is what its row says; `bytes` are of no use afterwards.
    fn fits(&self, row: &Row, bytes: &mut [u8]) -> bool {
        match row.holds {
            Holds::Zeros => bytes.iter().all(|byte| *byte == 0),
            Holds::Page(page) | Holds::Stale(page) => self.open_page(page, row, bytes).is_ok(),
            Holds::Map => true,
        }
    }
}

fn offset(slot: u32) -> u64 {
    u64::from(slot) * PAGE as u64
}

/// The engine speaks of input and output; what does not authenticate is invalid data there and `corrupt` again outside.
fn io_error(error: crate::error::Error) -> io::Error {
    match error.code() {
        Code::Corrupt | Code::Truncated => io::Error::from(io::ErrorKind::InvalidData),
        _ => io::Error::from(error.io_kind().unwrap_or(io::ErrorKind::Other)),
    }
}

/// A panic beneath stops here: the engine sees a failed call, and nothing is written or given out any more. Were it let through, the engine would meet
/// it again while it puts itself away, and the process would end.
fn contained<T>(inner: &Inner, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        inner.panicked.store(true, SeqCst);
        inner.write_state().failed = true;
        Err(io::Error::from(io::ErrorKind::InvalidData))
    })
}

impl StorageBackend for Pages {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.read_state().length)
    }
    fn read(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        contained(&self.0, || self.0.read(start, out))
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        contained(&self.0, || self.0.set_len(length))
    }
    fn sync_data(&self) -> io::Result<()> {
        contained(&self.0, || self.0.sync().map_err(io_error))
    }
    fn write(&self, start: u64, data: &[u8]) -> io::Result<()> {
        contained(&self.0, || self.0.write(start, data).map_err(io_error))
    }
    fn close(&self) -> io::Result<()> {
        if std::thread::panicking() {
            // The engine is falling over: nothing it left is made durable, and the file is not called closed.
            return contained(&self.0, || self.0.disk.close());
        }
        contained(&self.0, || self.0.close().map_err(io_error))
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pages")
    }
}
