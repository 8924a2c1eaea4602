//! How the map is kept: a checkpoint of all of it, and a log of what changed since, both twice.
//!
//! Each record of the log is sealed with the number of the checkpoint and the place it has, so none can be moved or taken from an
//! older log. A record begins on a slot of its own: writing it cannot harm the one before. Each is written after the sync of
//! the one before, so only the last can be torn: where one before the last does not open, the file was changed.

use super::aside::Aside;
use super::superblock::Root;
use super::twice::{self, Twice};
use super::{Holds, PAGE, Row, Seal, State, offset};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::Random;
use redb::StorageBackend;

/// How many slots a new log and a new checkpoint take in a file of so many slots, each twice.
pub(super) fn map_slots(slots: usize) -> (usize, usize) {
    let log = (slots / 64).clamp(32, 4096);
    let mut checkpoint = checkpoint_slots(slots);
    // Making room for them may make the file longer, and so the map.
    while checkpoint_slots(slots + 2 * log + 2 * checkpoint) > checkpoint {
        checkpoint = checkpoint_slots(slots + 2 * log + 2 * checkpoint);
    }
    (log, checkpoint)
}

/// How many slots a checkpoint of so many rows takes.
pub(super) fn checkpoint_slots(rows: usize) -> usize {
    (8 + rows * ROW).div_ceil(PAGE)
}

/// Pages a storage may have: the numbers above say something else in a row.
pub(super) const MOST_PAGES: u32 = 0x7fff_fff0;
const ZEROS: u32 = u32::MAX;
const MAP: u32 = u32::MAX - 1;
const STALE: u32 = 1 << 31;
/// Bytes of a row in a checkpoint; in a record its slot stands before it.
pub(super) const ROW: usize = 32;

/// The log: where it is and how far it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Log {
    pub(super) extent: Twice,
    /// Slots written.
    pub(super) used: u32,
}

/// A record that was read.
pub(super) struct Record {
    pub(super) length: u64,
    pub(super) slots: u32,
    pub(super) rows: Vec<(u32, Row)>,
    /// Slots it takes.
    pub(super) size: u32,
    /// Slots of its copies that are not as they were written: after a crash too, where it is the last.
    pub(super) damaged: u64,
}

/// Nonce and length stand before the sealed part of a record, the tag after it.
const BEFORE: usize = 12 + 4;
const AROUND: usize = BEFORE + 16;

impl Row {
    fn write(&self, out: &mut Vec<u8>) {
        let holds = match self.holds {
            Holds::Zeros => ZEROS,
            Holds::Map => MAP,
            Holds::Page(page) => page,
            Holds::Stale(page) => page | STALE,
        };
        out.extend(holds.to_be_bytes());
        out.extend(self.nonce);
        out.extend(self.tag);
    }
    fn read(bytes: &[u8; ROW]) -> Row {
        let holds = match u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) {
            ZEROS => Holds::Zeros,
            MAP => Holds::Map,
            page if page & STALE != 0 => Holds::Stale(page & !STALE),
            page => Holds::Page(page),
        };
        let (mut nonce, mut tag) = ([0; 12], [0; 16]);
        nonce.copy_from_slice(&bytes[4..16]);
        tag.copy_from_slice(&bytes[16..]);
        Row { holds, nonce, tag }
    }
}

/// `"ehrcore log v1" || store 16 || generation 8 || slot of the log 4`.
fn context(seal: &Seal, generation: u64, log: &Log) -> Vec<u8> {
    [&b"ehrcore log v1"[..], &seal.store.0, &generation.to_be_bytes(), &log.used.to_be_bytes()].concat()
}

/// `"ehrcore checkpoint v1" || store 16 || generation 8`.
fn checkpoint_context(seal: &Seal, generation: u64) -> Vec<u8> {
    [&b"ehrcore checkpoint v1"[..], &seal.store.0, &generation.to_be_bytes()].concat()
}

/// What stands next in a log: nothing, a record, or something that does not open.
pub(super) enum Next {
    Nothing,
    Record(Record),
    Broken,
}

/// Reads what stands next in a log.
pub(super) fn next(disk: &dyn StorageBackend, seal: &Seal, generation: u64, log: &Log) -> Result<Next> {
    if log.used >= log.extent.count {
        return Ok(Next::Nothing);
    }
    let firsts = log.extent.read(disk, log.used, 1);
    let starts: Vec<&[u8]> = firsts.iter().flatten().map(|slot| &slot[..BEFORE]).collect();
    if starts.is_empty() {
        return Err(firsts.into_iter().find_map(|slot| slot.err()).map_or(Code::StoreIo.error(), Into::into));
    }
    if starts.iter().all(|start| **start == [0; BEFORE]) {
        return Ok(Next::Nothing);
    }
    let mut lengths: Vec<usize> =
        starts.iter().map(|start| u32::from_be_bytes([start[12], start[13], start[14], start[15]]) as usize).collect();
    lengths.dedup();
    for length in lengths {
        let size = (length + AROUND).div_ceil(PAGE);
        if size > (log.extent.count - log.used) as usize {
            continue;
        }
        let copies = log.extent.read(disk, log.used, size as u32);
        let opened = twice::open(&copies, length + AROUND, |bytes| {
            let (nonce, rest) = bytes.split_first_chunk_mut::<12>()?;
            let (said, rest) = rest.split_first_chunk_mut::<4>()?;
            let (plain, tag) = rest.split_last_chunk_mut::<16>()?;
            let is_open = u32::from_be_bytes(*said) as usize == length
                && Active::open_detached(seal.key.bytes(), *nonce, &context(seal, generation, log), *tag, plain)
                    .is_ok();
            is_open.then(|| plain.to_vec())
        });
        if let Some((plain, damaged)) = opened {
            let record = parse(&plain, size as u32, damaged).ok_or_else(|| Code::Corrupt.error())?;
            return Ok(Next::Record(record));
        }
    }
    Ok(Next::Broken)
}

/// Where the first record stands that opens after what does not.
pub(super) fn first_after(disk: &dyn StorageBackend, seal: &Seal, generation: u64, log: &Log) -> Option<u32> {
    (log.used + 1..log.extent.count)
        .find(|used| matches!(next(disk, seal, generation, &Log { used: *used, ..*log }), Ok(Next::Record(_))))
}

/// Whether a record stands somewhere after what does not open: then it was not the last one that is broken.
pub(super) fn is_any_after(disk: &dyn StorageBackend, seal: &Seal, generation: u64, log: &Log) -> Result<bool> {
    for used in log.used + 1..log.extent.count {
        if matches!(next(disk, seal, generation, &Log { used, ..*log })?, Next::Record(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse(plain: &[u8], size: u32, damaged: u64) -> Option<Record> {
    let length = u64::from_be_bytes(plain.get(..8)?.try_into().ok()?);
    let slots = u32::from_be_bytes(plain.get(8..12)?.try_into().ok()?);
    let mut rows = Vec::with_capacity(plain.len() / (ROW + 4));
    for row in plain[12..].chunks(ROW + 4) {
        let (slot, row) = row.split_first_chunk::<4>()?;
        rows.push((u32::from_be_bytes(*slot), Row::read(row.try_into().ok()?)));
    }
    Some(Record { length, slots, rows, size, damaged })
}

/// Reads a checkpoint: the length of the storage and all rows; and how many slots of its copies are not as they were written.
pub(super) fn read_checkpoint(disk: &dyn StorageBackend, seal: &Seal, root: &Root) -> Result<(u64, Vec<Row>, u64)> {
    let corrupt = || Code::Corrupt.error();
    if root.length > offset(root.checkpoint.count) || root.length < 8 {
        return Err(corrupt());
    }
    let copies = root.checkpoint.read(disk, 0, root.checkpoint.count);
    if copies.iter().all(std::result::Result::is_err) {
        return Err(Code::Truncated.error());
    }
    let context = checkpoint_context(seal, root.generation);
    let opened = twice::open(&copies, root.length as usize, |bytes| {
        Active::open_detached(seal.key.bytes(), root.nonce, &context, root.tag, bytes).ok()?;
        Some(bytes.to_vec())
    });
    let (plain, damaged) = opened.ok_or_else(corrupt)?;
    let (length, rows) = plain.split_first_chunk::<8>().ok_or_else(corrupt)?;
    let (rows, rest) = rows.as_chunks::<ROW>();
    if !rest.is_empty() {
        return Err(corrupt());
    }
    Ok((u64::from_be_bytes(*length), rows.iter().map(Row::read).collect(), damaged))
}

/// What the copies of a checkpoint say that does not open: each its length of the storage and its rows, none of it proven.
///
/// `c XOR AES-256-GCM.seal[page key](nonce, context, zeros)`: with zeros it gives what `c` was sealed with, which never leaves this function.
pub(super) fn unproven(disk: &dyn StorageBackend, seal: &Seal, root: &Root) -> Option<Vec<(u64, Vec<Row>)>> {
    let length = usize::try_from(root.length).ok().filter(|length| *length as u64 <= offset(root.checkpoint.count))?;
    let mut stream = zeroize::Zeroizing::new(vec![0; length]);
    let context = checkpoint_context(seal, root.generation);
    Active::seal_detached(seal.key.bytes(), root.nonce, &context, &mut stream).ok()?;
    let copies = root.checkpoint.read(disk, 0, root.checkpoint.count).into_iter().flatten().map(|copy| {
        let plain: Vec<u8> = copy[..length].iter().zip(stream.iter()).map(|(a, b)| a ^ b).collect();
        let (said, rows) = plain.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*said), rows.as_chunks::<ROW>().0.iter().map(Row::read).collect()))
    });
    copies.collect::<Option<Vec<_>>>().filter(|copies| !copies.is_empty())
}

impl State {
    /// Before the first write after opening: says that somebody is at work, durably, so that what a crash leaves is known as such. A file that keeps its
    /// map once goes over to this version.
    pub(super) fn say_opened(&mut self, disk: &dyn StorageBackend, seal: &Seal, random: &dyn Random) -> Result<()> {
        if !self.root.log.is_twice() {
            return self.write_checkpoint(disk, seal, random);
        }
        match self.root.closed {
            Some(_) => self.write_root(disk, seal, random, Root { closed: None, ..self.root }),
            None => Ok(()),
        }
    }

    /// After the last sync: says that all is on the disk, and where the log ends.
    pub(super) fn say_closed(&mut self, disk: &dyn StorageBackend, seal: &Seal, random: &dyn Random) -> Result<()> {
        match self.root.closed {
            Some(_) => Ok(()),
            None => self.write_root(disk, seal, random, Root { closed: Some(self.log.used), ..self.root }),
        }
    }

    /// Appends the rows that changed since the last sync, without syncing. False where the log has no room.
    pub(super) fn append_changes(
        &mut self,
        disk: &dyn StorageBackend,
        seal: &Seal,
        random: &dyn Random,
    ) -> Result<bool> {
        let mut plain = self.length.to_be_bytes().to_vec();
        plain.extend((self.rows.len() as u32).to_be_bytes());
        for slot in &self.touched {
            plain.extend(slot.to_be_bytes());
            self.rows[*slot as usize].write(&mut plain);
        }
        let size = (plain.len() + AROUND).div_ceil(PAGE);
        if size > (self.log.extent.count - self.log.used) as usize {
            return Ok(false);
        }
        let mut nonce = [0; 12];
        random.fill(&mut nonce)?;
        let mut bytes = Vec::with_capacity(size * PAGE);
        bytes.extend(nonce);
        bytes.extend((plain.len() as u32).to_be_bytes());
        let tag = Active::seal_detached(
            seal.key.bytes(),
            nonce,
            &context(seal, self.root.generation, &self.log),
            &mut plain,
        )?;
        bytes.extend(plain);
        bytes.extend(tag);
        bytes.resize(size * PAGE, 0);
        self.log.extent.write(disk, self.log.used, &bytes)?;
        self.log.used += size as u32;
        Ok(true)
    }

    /// Writes all of the map anew with an empty log, durably, and with it all that was written. What the old map took is
    /// zeroed and free.
    pub(super) fn write_checkpoint(
        &mut self,
        disk: &dyn StorageBackend,
        seal: &Seal,
        random: &dyn Random,
    ) -> Result<()> {
        let old = [self.log.extent, self.root.checkpoint];
        let Aside { log, checkpoint, written } = self.take_map(disk)?;
        if !written {
            log.write(disk, 0, &vec![0; log.count as usize * PAGE])?;
        }
        let mut plain = self.length.to_be_bytes().to_vec();
        self.rows.iter().for_each(|row| row.write(&mut plain));
        let (length, mut nonce) = (plain.len() as u64, [0; 12]);
        random.fill(&mut nonce)?;
        let generation = self.root.generation + 1;
        let tag = Active::seal_detached(seal.key.bytes(), nonce, &checkpoint_context(seal, generation), &mut plain)?;
        plain.resize(checkpoint.count as usize * PAGE, 0);
        checkpoint.write(disk, 0, &plain)?;
        disk.sync_data()?;
        let root = Root { generation, closed: None, checkpoint, length, nonce, tag, log, ..self.root };
        self.write_roots(disk, seal, random, root)?;
        self.settle();
        self.log = Log { extent: log, used: 0 };
        self.renew_map = false;
        // Both superblocks name the new map by now: nothing needs the old one.
        for twice in old {
            self.wipe(disk, twice.slots())?;
        }
        self.keep_aside(old[0], old[1]);
        Ok(())
    }

    /// Zeros slots that hold nothing of use; they are free at once.
    pub(super) fn wipe(&mut self, disk: &dyn StorageBackend, slots: impl IntoIterator<Item = u32>) -> Result<()> {
        let slots: Vec<u32> = slots.into_iter().collect();
        for run in slots.chunk_by(|a, b| a + 1 == *b) {
            disk.write(offset(run[0]), &vec![0; run.len() * PAGE])?;
            for slot in run {
                self.rows[*slot as usize] = Row::ZEROS;
                self.touched.insert(*slot);
                self.free.insert(*slot);
            }
        }
        Ok(())
    }

    /// How many slots of the map, and superblocks, are not as they were written.
    pub(super) fn check_map(&self, disk: &dyn StorageBackend, seal: &Seal) -> Result<u64> {
        let copies = super::superblock::read(disk, seal);
        let mut damaged = copies.iter().filter(|copy| copy.is_none()).count() as u64;
        let Some((root, _)) = &copies[self.newer as usize] else { return Ok(damaged) };
        let older = copies[1 - self.newer as usize].as_ref();
        damaged += u64::from(older.is_some_and(|(older, _)| older.sequence + 1 != root.sequence));
        damaged += match read_checkpoint(disk, seal, root) {
            Ok((.., unlike)) => unlike,
            Err(_) => return Ok(damaged + 1),
        };
        let mut log = Log { extent: root.log, used: 0 };
        while log.used < self.log.used {
            let Next::Record(record) = next(disk, seal, root.generation, &log)? else { return Ok(damaged + 1) };
            damaged += record.damaged;
            log.used += record.size;
        }
        Ok(damaged + log.extent.unlike_zeros(disk, log.used))
    }
}
