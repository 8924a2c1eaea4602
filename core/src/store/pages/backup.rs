//! Copies of a storage while it is being written to.
//!
//! A copy takes sealed pages as they are: it reads the map, compares each page with its tag and opens no record. What was committed when
//! it began stays in its slots until it ends, whatever is written meanwhile. A full copy is a store of its own under the same keys. An
//! *increment* has the whole list of pages, and of the pages those that are not in the copy before it; it names that copy by the
//! digest of its list, so a chain with a link missing, moved or of another store does not fit together.

use super::pace::Pace;
use super::superblock::{HEADER_AT, Root, key_headers};
use super::{FIRST, Holds, PAGE, Pages, Row, Seal, State, offset};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::{Random, StoreId};
use crate::keys::{KeyRing, KeySource};
use crate::limits::Watch;
use redb::StorageBackend;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"ehrcore\x1b";
const VERSION: u16 = 1;
/// Bytes before the list: digest of the copy before, number, length of the storage.
const BEFORE_LIST: usize = 32 + 4 + 8;
/// Bytes of a page in the list: page, nonce, tag, where it is.
const LINE: usize = 4 + 12 + 16 + 4;
/// Not in this increment.
const ELSEWHERE: u32 = u32::MAX;
/// Pages that are copied at once.
const AT_ONCE: usize = 64;

/// Told how many pages of how many are done; says whether to go on.
pub type Steps<'a> = dyn FnMut(u64, u64) -> bool + 'a;

/// What a copy took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Pages of the storage.
    pub pages: u64,
    /// Pages that were copied; of an increment, those that are new since the copy before.
    pub copied: u64,
    /// 0 for a full copy, else its number in the chain.
    pub number: u32,
    /// SHA-256 of the list of pages with their tags: the same just where every page is the same.
    pub digest: [u8; 32],
}

/// Which pages a storage has, with their seals.
pub(super) struct List {
    length: u64,
    /// By page, ascending.
    pub(super) pages: Vec<(u32, Row)>,
}

/// A storage as it was committed at a moment; its slots are not written over as long as this lives.
pub struct Frozen {
    pages: Pages,
    list: List,
    slots: Vec<u32>,
    header: Vec<u8>,
}

impl std::fmt::Debug for Frozen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frozen")
    }
}

impl List {
    /// `SHA-256("ehrcore pages v1" || bytes of the storage 8 || { page 4, nonce 12, tag 16 }*)`.
    fn digest(&self) -> [u8; 32] {
        let mut text = b"ehrcore pages v1".to_vec();
        text.extend(self.length.to_be_bytes());
        for (page, row) in &self.pages {
            text.extend(page.to_be_bytes());
            text.extend(row.nonce);
            text.extend(row.tag);
        }
        Active::sha256(&[&text])
    }
}

impl Pages {
    /// Holds on to what is committed now. Nobody may be in the middle of a commit.
    pub(in crate::store) fn freeze(&self) -> Result<Frozen> {
        self.0.sync()?;
        let mut state = self.0.write_state();
        state.usable()?;
        let mut frozen = Frozen {
            pages: self.clone(),
            list: List { length: state.length, pages: Vec::new() },
            slots: Vec::new(),
            header: state.header.clone(),
        };
        for (page, slot) in state.places.iter().enumerate().filter(|(_, slot)| **slot != 0) {
            frozen.list.pages.push((page as u32, state.rows[*slot as usize]));
            frozen.slots.push(*slot);
        }
        state.pins += 1;
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let inner = &*self.pages.0;
        let _writer = inner.turn();
        let mut state = inner.write_state();
        state.pins -= 1;
        if state.pins == 0 {
            let held = std::mem::take(&mut state.held);
            state.free.extend(held);
            if std::mem::take(&mut state.wipe_held) && !state.failed {
                state.failed |= state.wipe_stale(&*inner.disk, &inner.seal, &*inner.random).is_err();
            }
        }
    }
}

impl Frozen {
    /// Makes a store of its own on an empty disk.
    ///
    /// # Errors
    /// - `corrupt`: a page is not what was written. `store-io`, `cancelled`, `deadline`.
    pub(in crate::store) fn write_store(
        &self,
        disk: &dyn StorageBackend,
        watch: &Watch,
        steps: &mut Steps<'_>,
    ) -> Result<Copied> {
        let inner = &*self.pages.0;
        let read = |at: usize, out: &mut [u8]| Ok(inner.disk.read(offset(self.slots[at]), out)?);
        let mut pace = Pace::of(inner);
        let mut steps = |done, of| {
            pace.give_way(inner);
            steps(done, of)
        };
        write_store(disk, &inner.seal, &*inner.random, &self.header, &self.list, &read, watch, &mut steps)
    }

    /// Writes what is new since a copy.
    ///
    /// # Errors
    /// - as [`Frozen::write_store`].
    pub(in crate::store) fn write_increment(
        &self,
        out: &mut dyn Write,
        base: &Copy,
        watch: &Watch,
        steps: &mut Steps<'_>,
    ) -> Result<Copied> {
        let inner = &*self.pages.0;
        let known = base.list.by_page();
        let mut copied = Copied {
            pages: self.list.pages.len() as u64,
            copied: 0,
            number: base.number.checked_add(1).ok_or_else(|| Code::LimitCount.error())?,
            digest: self.list.digest(),
        };
        let mut head = vec![0; PAGE];
        head[..8].copy_from_slice(MAGIC);
        head[8..10].copy_from_slice(&VERSION.to_be_bytes());
        head[10..12].copy_from_slice(&(self.header.len() as u16).to_be_bytes());
        head.get_mut(HEADER_AT..HEADER_AT + self.header.len())
            .ok_or_else(|| Code::Internal.error())?
            .copy_from_slice(&self.header);
        let mut plain = Vec::with_capacity(BEFORE_LIST + self.list.pages.len() * LINE);
        plain.extend(base.list.digest());
        plain.extend(copied.number.to_be_bytes());
        plain.extend(self.list.length.to_be_bytes());
        let mut new = Vec::new();
        for (at, (page, row)) in self.list.pages.iter().enumerate() {
            let place = if known.get(page).is_some_and(|known| same(known, row)) {
                ELSEWHERE
            } else {
                new.push(at);
                new.len() as u32 - 1
            };
            plain.extend(page.to_be_bytes());
            plain.extend(row.nonce);
            plain.extend(row.tag);
            plain.extend(place.to_be_bytes());
        }
        let mut nonce = [0; 12];
        inner.random.fill(&mut nonce)?;
        let length = plain.len() as u64;
        let tag = Active::seal_detached(inner.seal.key.bytes(), nonce, &context(&inner.seal, &head), &mut plain)?;
        out.write_all(&head)?;
        out.write_all(&[&nonce[..], &length.to_be_bytes(), &plain, &tag].concat())?;
        let used = 12 + 8 + plain.len() + 16;
        out.write_all(&vec![0; used.next_multiple_of(PAGE) - used])?;
        let mut bytes = vec![0; PAGE];
        let mut check = vec![0; PAGE];
        let mut pace = Pace::of(inner);
        for (done, at) in new.iter().enumerate() {
            if done % AT_ONCE == 0 {
                pace.give_way(inner);
                step(watch, steps, done as u64, new.len() as u64)?;
            }
            let (page, row) = &self.list.pages[*at];
            inner.disk.read(offset(self.slots[*at]), &mut bytes)?;
            check.copy_from_slice(&bytes);
            inner.seal.open_page(*page, row, &mut check)?;
            out.write_all(&bytes)?;
        }
        out.flush()?;
        copied.copied = new.len() as u64;
        step(watch, steps, copied.copied, copied.copied)?;
        Ok(copied)
    }
}

impl Seal {
    /// What seals the pages of a store with these keys.
    pub(in crate::store) fn of(keys: &KeyRing) -> Seal {
        Seal { key: keys.page_key().clone(), store: keys.store_id() }
    }
    /// Whether pages sealed with the one open with the other: not after the file was written anew under another key.
    pub(in crate::store) fn same(&self, other: &Seal) -> bool {
        self.store == other.store && crate::crypto::equal(self.key.bytes(), other.key.bytes())
    }
}

/// `"ehrcore increment v1" || store 16 || SHA-256(the first slot)`.
fn context(seal: &Seal, head: &[u8]) -> Vec<u8> {
    [&b"ehrcore increment v1"[..], &seal.store.0, &Active::sha256(&[head])].concat()
}

fn same(a: &Row, b: &Row) -> bool {
    (a.nonce, a.tag) == (b.nonce, b.tag)
}

fn step(watch: &Watch, steps: &mut Steps<'_>, done: u64, of: u64) -> Result<()> {
    watch.look()?;
    if steps(done, of) { Ok(()) } else { Err(Code::Cancelled.error()) }
}

impl List {
    fn by_page(&self) -> HashMap<u32, Row> {
        self.pages.iter().copied().collect()
    }
}

/// Writes pages that are sealed already, and a map for them, as a store that was closed in order.
#[allow(clippy::too_many_arguments)]
pub(super) fn write_store(
    disk: &dyn StorageBackend,
    seal: &Seal,
    random: &dyn Random,
    header: &[u8],
    list: &List,
    read: &dyn Fn(usize, &mut [u8]) -> Result<()>,
    watch: &Watch,
    steps: &mut Steps<'_>,
) -> Result<Copied> {
    let mut state = State::empty(header);
    let count = u32::try_from(list.pages.len()).map_err(|_| Code::LimitCount.error())?;
    state.grow(disk, count)?;
    let mut bytes = vec![0; AT_ONCE * PAGE];
    let mut check = vec![0; PAGE];
    for (number, part) in list.pages.chunks(AT_ONCE).enumerate() {
        let first = number * AT_ONCE;
        step(watch, steps, first as u64, u64::from(count))?;
        for (at, ((page, row), out)) in part.iter().zip(bytes.chunks_mut(PAGE)).enumerate() {
            read(first + at, out)?;
            check.copy_from_slice(out);
            seal.open_page(*page, row, &mut check)?;
            let slot = FIRST + (first + at) as u32;
            state.hold(*page, slot, *row);
        }
        disk.write(offset(FIRST + first as u32), &bytes[..part.len() * PAGE])?;
    }
    state.length = list.length;
    state.write_checkpoint(disk, seal, random)?;
    state.say_closed(disk, seal, random)?;
    step(watch, steps, u64::from(count), u64::from(count))?;
    let pages = u64::from(count);
    Ok(Copied { pages, copied: pages, number: 0, digest: list.digest() })
}

impl State {
    /// Notes a page in a slot that is free.
    fn hold(&mut self, page: u32, slot: u32, row: Row) {
        if self.places.len() <= page as usize {
            self.places.resize(page as usize + 1, 0);
        }
        self.places[page as usize] = slot;
        self.rows[slot as usize] = Row { holds: Holds::Page(page), ..row };
        self.free.remove(&slot);
    }
}

/// A copy that was made before, opened for its pages: a full one or an increment.
pub struct Copy {
    seal: Seal,
    header: Vec<u8>,
    number: u32,
    /// Of an increment: the digest of the copy before it.
    base: [u8; 32],
    list: List,
    from: From,
}

enum From {
    Store(Pages),
    Increment {
        file: std::fs::File,
        /// Where in the file the pages begin.
        start: u64,
        /// By page, which of them it is.
        places: HashMap<u32, u32>,
    },
}

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Copy(number {})", self.number)
    }
}

impl Copy {
    /// Opens a full copy, or any store that is closed.
    ///
    /// # Errors
    /// - as for a store.
    pub(in crate::store) fn of_store(
        disk: Box<dyn StorageBackend>,
        source: &dyn KeySource,
        random: Arc<dyn Random>,
    ) -> Result<Copy> {
        let mut refused = Code::NotAStore.error();
        for header in key_headers(&*disk)? {
            match KeyRing::open(source, &header) {
                Ok(keys) => return Copy::of_pages(disk, Seal::of(&keys), random),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Opens a full copy that another copy or store of the same storage has the key of.
    ///
    /// # Errors
    /// - as for a store.
    pub(in crate::store) fn of_pages(
        disk: Box<dyn StorageBackend>,
        seal: Seal,
        random: Arc<dyn Random>,
    ) -> Result<Copy> {
        let pages = Pages::open(disk, &seal.key, seal.store, random, true)?;
        let frozen = pages.freeze()?;
        let list = List { length: frozen.list.length, pages: frozen.list.pages.clone() };
        drop(frozen);
        Ok(Copy { seal, header: pages.header(), number: 0, base: [0; 32], list, from: From::Store(pages) })
    }

    /// Whether a file starts as an increment does.
    pub(in crate::store) fn is_increment(file: &mut std::fs::File) -> Result<bool> {
        let mut start = [0; 8];
        let read = file.read_exact(&mut start);
        file.seek(SeekFrom::Start(0))?;
        Ok(read.is_ok() && start == *MAGIC)
    }

    /// Opens an increment. `seal` gives the key of its pages, for its header.
    ///
    /// # Errors
    /// - of `seal`; `not-a-store`, `version-unsupported`, `wrong-key`, `corrupt`, `truncated`, `io`.
    pub(in crate::store) fn of_increment(
        mut file: std::fs::File,
        seal: &dyn Fn(&[u8]) -> Result<Seal>,
    ) -> Result<Copy> {
        let mut head = vec![0; PAGE];
        let cut = |_| Code::Truncated.error();
        file.read_exact(&mut head).map_err(cut)?;
        if head[..8] != MAGIC[..] {
            return Err(Code::NotAStore.error());
        }
        if head[8..10] != VERSION.to_be_bytes() {
            return Err(Code::VersionUnsupported.error());
        }
        let length = usize::from(u16::from_be_bytes([head[10], head[11]]));
        let header = head.get(HEADER_AT..HEADER_AT + length).ok_or_else(|| Code::Corrupt.error())?.to_vec();
        let seal = seal(&header)?;
        let mut start = [0; 20];
        file.read_exact(&mut start).map_err(cut)?;
        let (nonce, length) = start.split_first_chunk::<12>().expect("twelve of twenty bytes");
        let length = u64::from_be_bytes(length.try_into().expect("eight bytes"));
        let size = file.metadata()?.len();
        if length < BEFORE_LIST as u64 || length > size {
            return Err(Code::Truncated.error());
        }
        // Nothing has vouched for the length yet: a file with holes says any, and memory that is not there is an error, not the end.
        let whole = usize::try_from(length).ok().and_then(|length| length.checked_add(16));
        let whole = whole
            .filter(|whole| (whole - 16 - BEFORE_LIST).is_multiple_of(LINE))
            .ok_or_else(|| Code::Corrupt.error())?;
        let mut sealed = Vec::new();
        sealed.try_reserve_exact(whole).map_err(|_| Code::LimitMemory.error())?;
        sealed.resize(whole, 0);
        file.read_exact(&mut sealed).map_err(cut)?;
        let (plain, tag) = sealed.split_at_mut(length as usize);
        let tag: [u8; 16] = (&*tag).try_into().expect("sixteen bytes");
        Active::open_detached(seal.key.bytes(), *nonce, &context(&seal, &head), tag, plain)?;
        let (before, lines) = plain.split_at(BEFORE_LIST);
        let number = u32::from_be_bytes(before[32..36].try_into().expect("four bytes"));
        let mut list =
            List { length: u64::from_be_bytes(before[36..].try_into().expect("eight bytes")), pages: Vec::new() };
        let mut places = HashMap::new();
        for line in lines.chunks(LINE) {
            let line: &[u8; LINE] = line.try_into().map_err(|_| Code::Corrupt.error())?;
            let small = |at: usize| u32::from_be_bytes(line[at..at + 4].try_into().expect("four bytes"));
            let (mut nonce, mut tag) = ([0; 12], [0; 16]);
            nonce.copy_from_slice(&line[4..16]);
            tag.copy_from_slice(&line[16..32]);
            list.pages.push((small(0), Row { holds: Holds::Page(small(0)), nonce, tag }));
            if small(32) != ELSEWHERE {
                places.insert(small(0), small(32));
            }
        }
        let start = (PAGE as u64 + 20 + length + 16).next_multiple_of(PAGE as u64);
        if size != start + places.len() as u64 * PAGE as u64 {
            return Err(Code::Truncated.error());
        }
        let base = before[..32].try_into().expect("thirty-two bytes");
        Ok(Copy { seal, header, number, base, list, from: From::Increment { file, start, places } })
    }

    /// Which store it is of.
    pub(in crate::store) fn store(&self) -> StoreId {
        self.seal.store
    }

    pub(in crate::store) fn seal(&self) -> &Seal {
        &self.seal
    }
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }
    pub(super) fn list(&self) -> &List {
        &self.list
    }
    /// Of a full copy: its file, where its map is, and how much of the log is written.
    pub(super) fn map(&self) -> Option<(&dyn StorageBackend, Root, u32)> {
        let From::Store(pages) = &self.from else { return None };
        let state = pages.0.read_state();
        Some((&*pages.0.disk, state.root, state.log.used))
    }

    /// Reads a page as it lies in the file, where it has it with that seal. It is not opened.
    pub(super) fn page(&self, page: u32, row: &Row, out: &mut [u8]) -> Result<bool> {
        match &self.from {
            From::Store(pages) => {
                let state = pages.0.read_state();
                let slot = state.places.get(page as usize).copied().filter(|slot| *slot != 0);
                let Some(slot) = slot.filter(|slot| same(&state.rows[*slot as usize], row)) else { return Ok(false) };
                pages.0.disk.read(offset(slot), out)?;
            }
            From::Increment { file, start, places } => {
                let Some(place) = places.get(&page) else { return Ok(false) };
                read_at(file, out, start + u64::from(*place) * PAGE as u64)?;
            }
        }
        let mut check = out.to_vec();
        Ok(self.seal.open_page(page, row, &mut check).is_ok())
    }
}

fn read_at(mut file: &std::fs::File, out: &mut [u8], at: u64) -> Result<()> {
    file.seek(SeekFrom::Start(at))?;
    Ok(file.read_exact(out)?)
}

/// Puts a full copy and its increments together to the store as it was at the last of them.
///
/// # Errors
/// - `backup-chain`: one does not continue the one before it. `other-store`. `corrupt`: a page that is needed is damaged.
pub(in crate::store) fn restore(
    chain: &[Copy],
    disk: &dyn StorageBackend,
    random: &dyn Random,
    watch: &Watch,
    steps: &mut Steps<'_>,
) -> Result<Copied> {
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else {
        return Err(Code::InvalidArgument.error().expected("a full backup and what follows it"));
    };
    if first.number != 0 {
        return Err(Code::BackupChain.error().expected("a full backup first"));
    }
    for pair in chain.windows(2) {
        if pair[1].seal.store != pair[0].seal.store {
            return Err(Code::OtherStore.error());
        }
        if Some(pair[1].number) != pair[0].number.checked_add(1) || pair[1].base != pair[0].list.digest() {
            return Err(Code::BackupChain.error());
        }
    }
    let read = |at: usize, out: &mut [u8]| {
        let (page, row) = &last.list.pages[at];
        for copy in chain.iter().rev() {
            if copy.page(*page, row, out)? {
                return Ok(());
            }
        }
        Err(Code::Corrupt.error())
    };
    let mut copied = write_store(disk, &last.seal, random, &last.header, &last.list, &read, watch, steps)?;
    copied.number = last.number;
    Ok(copied)
}
