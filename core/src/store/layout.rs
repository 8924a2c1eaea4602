//! Bytes inside sealed values: blocks of records, index segments. See docs/format.md.

use super::note::Note;
use crate::error::{Code, Result};
use crate::schema::ResourceType;
use crate::time::Timestamp;
use std::ops::Range;

/// Most records and most bytes of records in one block.
pub(super) const BLOCK_RECORDS: usize = 64;
pub(super) const BLOCK_BYTES: usize = 64 * 1024;
/// How large a packed block is meant to be at most: a little less than fills a page of the storage engine.
pub(super) const BLOCK_PACKED: usize = 3700;

/// Blocks and segments of a compartment are numbered apart: the two highest bits of their number say which it is.
pub(super) const fn compartment(number: u32) -> u8 {
    (number >> 30) as u8
}
/// The first and the last number of a compartment.
pub(super) const fn numbers(compartment: u8) -> (u32, u32) {
    let first = (compartment as u32) << 30;
    (first, first | u32::MAX >> 2)
}

/// Where a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) patient: u32,
    pub(super) block: u32,
    pub(super) slot: u16,
}

impl Place {
    /// The patient and the compartment.
    pub(super) fn chart(self) -> (u32, u8) {
        (self.patient, compartment(self.block))
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({} slots)", self.slots.len())
    }
}

/// One version of a record, inside a block.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) kind: ResourceType,
    pub(super) id: Range<usize>,
    pub(super) version: u32,
    pub(super) deleted: bool,
    /// The version hides the record: it has the bytes of the one before.
    pub(super) retracted: bool,
    pub(super) before: Option<Place>,
    pub(super) source: u32,
    pub(super) entry: u32,
    pub(super) note: Option<Box<Note>>,
    pub(super) body: Range<usize>,
}

/// The slots of a block and when they were written.
pub(super) struct Block {
    pub(super) commit: u64,
    pub(super) at: Timestamp,
    pub(super) actor: String,
    pub(super) slots: Vec<Slot>,
    pub(super) bytes: zeroize::Zeroizing<Vec<u8>>,
}

/// Writes numbers and texts one after another.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
    pub(crate) fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)) as u64);
    }
}

/// Reads what [`Writer`] wrote. Everything that does not fit is `corrupt`.
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn number(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (&byte, rest) = self.rest.split_first().ok_or_else(|| Code::Corrupt.error())?;
            self.rest = rest;
            if shift > 63 || shift == 63 && byte > 1 {
                return Err(Code::Corrupt.error());
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T> {
        T::try_from(self.number()?).map_err(|_| Code::Corrupt.error())
    }
    pub(crate) fn signed(&mut self) -> Result<i64> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length: usize = self.small()?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| Code::Corrupt.error())?;
        self.rest = rest;
        Ok(taken)
    }
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| Code::Corrupt.error())?;
        self.rest = rest;
        Ok(*taken)
    }
    pub(crate) fn kind(&mut self) -> Result<ResourceType> {
        ResourceType::from_number(self.small()?).ok_or_else(|| Code::Corrupt.error())
    }
    pub(crate) fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Code::Corrupt.error())
    }
}

/// The flag of a slot whose record was destroyed.
const DESTROYED: u64 = 16;

/// What goes into a block.
pub(super) struct NewSlot<'a> {
    pub(super) slot: Slot,
    pub(super) id: &'a [u8],
    pub(super) body: &'a [u8],
}

pub(super) fn write_block(commit: u64, at: Timestamp, actor: &str, slots: &[NewSlot<'_>]) -> Vec<u8> {
    let bodies: usize = slots.iter().map(|slot| slot.body.len() + 80).sum();
    let mut out = Writer(Vec::with_capacity(bodies + 80));
    out.number(commit);
    out.signed(at.0);
    out.bytes(actor.as_bytes());
    out.number(slots.len() as u64);
    for NewSlot { slot, id, body } in slots {
        out.number(slot.kind.number().into());
        out.bytes(id);
        out.number(slot.version.into());
        // A slot whose record was destroyed has no id.
        let flags = [slot.deleted, slot.before.is_some(), slot.retracted, slot.note.is_some(), id.is_empty()];
        out.number(flags.iter().rev().fold(0, |all, flag| all << 1 | u64::from(*flag)));
        if let Some(before) = slot.before {
            out.number(before.patient.into());
            out.number(before.block.into());
            out.number(before.slot.into());
        }
        out.number(slot.source.into());
        out.number(slot.entry.into());
        if let Some(note) = &slot.note {
            note.write(&mut out);
        }
        out.number(body.len() as u64);
    }
    for NewSlot { body, .. } in slots {
        out.0.extend_from_slice(body);
    }
    out.0
}

pub(super) fn read_block(bytes: zeroize::Zeroizing<Vec<u8>>) -> Result<Block> {
    let mut reader = Reader { rest: &bytes };
    let (commit, at, actor) = (reader.number()?, Timestamp(reader.signed()?), reader.text()?);
    let count: usize = reader.small()?;
    let mut slots = Vec::with_capacity(count.min(1024));
    let mut lengths = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let kind = reader.kind()?;
        let id = reader.bytes()?;
        let id_end = bytes.len() - reader.rest.len();
        let (version, flags) = (reader.small()?, reader.number()?);
        let nameless = id.is_empty() && flags & DESTROYED != 0;
        if !(nameless || crate::record::is_id(id)) {
            return Err(Code::Corrupt.error());
        }
        let id = id_end - id.len()..id_end;
        let before = if flags & 2 != 0 {
            Some(Place { patient: reader.small()?, block: reader.small()?, slot: reader.small()? })
        } else {
            None
        };
        let (source, entry) = (reader.small()?, reader.small()?);
        let note = if flags & 8 != 0 { Some(Box::new(Note::read(&mut reader)?)) } else { None };
        lengths.push(reader.small::<usize>()?);
        let (deleted, retracted) = (flags & 1 != 0, flags & 4 != 0);
        slots.push(Slot { kind, id, version, deleted, retracted, before, source, entry, note, body: 0..0 });
    }
    let mut start = bytes.len() - reader.rest.len();
    for (slot, length) in slots.iter_mut().zip(lengths) {
        let end = start.checked_add(length).filter(|end| *end <= bytes.len()).ok_or_else(|| Code::Corrupt.error())?;
        slot.body = start..end;
        start = end;
    }
    Ok(Block { commit, at, actor, slots, bytes })
}

/// The index of one patient's records, or of a part of them.
#[derive(Default)]
pub(super) struct Segment {
    /// Block, slot and type of each record, by its number in this segment.
    pub(super) records: Vec<(u32, u16, u8)>,
    /// Places whose version is no longer the newest.
    pub(super) dead: Vec<(u32, u16)>,
    /// Which records have which values, sorted.
    pub(super) entries: Vec<Entry>,
}

/// One record has one value. A hash and a first part of a text have no `extra`; of a date, it is the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The parameter's number, and [`Entry::DATE`].
    pub(super) parameter: u16,
    pub(super) value: u64,
    pub(super) extra: u64,
    pub(super) record: u32,
}

impl Entry {
    /// Parameter and value, then extra and record: in this order entries are sorted, two numbers being compared faster than four.
    fn place(&self) -> u128 {
        u128::from(self.parameter) << 64 | u128::from(self.value)
    }
    fn rest(&self) -> u128 {
        u128::from(self.extra) << 32 | u128::from(self.record)
    }
    /// Set in the parameter of values that are stretches of time: they are stored by their differences.
    pub(super) const DATE: u16 = 0x8000;
}

/// A signed number as an unsigned one that sorts alike.
pub(super) const fn ordered(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}
pub(super) const fn unordered(value: u64) -> i64 {
    (value ^ 1 << 63) as i64
}
/// A number as an integer that sorts alike.
pub(super) fn ordered_number(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}
pub(super) fn unordered_number(value: u64) -> f64 {
    f64::from_bits(if value >> 63 == 1 { value & !(1 << 63) } else { !value })
}

impl Segment {
    /// The bytes; sorts the entries.
    pub(super) fn write(&mut self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.records.len() as u64);
        let mut last = 0;
        for (block, slot, kind) in &self.records {
            out.signed(i64::from(*block) - last);
            last = i64::from(*block);
            out.number((*slot).into());
            out.0.push(*kind);
        }
        out.number(self.dead.len() as u64);
        for (block, slot) in &self.dead {
            out.number((*block).into());
            out.number((*slot).into());
        }
        self.entries.sort_unstable_by(|a, b| a.place().cmp(&b.place()).then_with(|| a.rest().cmp(&b.rest())));
        self.entries.dedup();
        let (mut parameter, mut value) = (0, 0);
        for group in self.entries.chunk_by(|a, b| (a.parameter, a.value, a.extra) == (b.parameter, b.value, b.extra)) {
            let first = group[0];
            out.number(group.len() as u64);
            out.number((first.parameter ^ parameter).into());
            if first.parameter != parameter {
                value = 0;
            }
            parameter = first.parameter;
            if first.parameter & Entry::DATE != 0 {
                out.number(first.value.wrapping_sub(value));
                out.number(first.extra.wrapping_sub(first.value));
                value = first.value;
            } else {
                out.0.extend_from_slice(&first.value.to_be_bytes());
            }
            let mut last = 0;
            for entry in group {
                out.number((entry.record - last).into());
                last = entry.record;
            }
        }
        out.number(0);
        out.0
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Segment> {
        let mut reader = Reader { rest: bytes };
        let mut segment = Segment::default();
        let count: usize = reader.small()?;
        segment.records.reserve(count.min(bytes.len()));
        let mut block = 0_i64;
        for _ in 0..count {
            block = block.checked_add(reader.signed()?).ok_or_else(|| Code::Corrupt.error())?;
            let block = u32::try_from(block).map_err(|_| Code::Corrupt.error())?;
            let slot = reader.small()?;
            segment.records.push((block, slot, reader.array::<1>()?[0]));
        }
        for _ in 0..reader.number()? {
            segment.dead.push((reader.small()?, reader.small()?));
        }
        segment.entries.reserve(bytes.len().min(count * 12));
        let (mut parameter, mut value) = (0_u16, 0_u64);
        loop {
            let group = reader.number()?;
            if group == 0 {
                return Ok(segment);
            }
            let changed: u16 = reader.small()?;
            if changed != 0 {
                value = 0;
            }
            parameter ^= changed;
            let extra = if parameter & Entry::DATE != 0 {
                value = value.wrapping_add(reader.number()?);
                value.wrapping_add(reader.number()?)
            } else {
                value = u64::from_be_bytes(reader.array()?);
                0
            };
            let mut record = 0_u32;
            for _ in 0..group {
                record = record.checked_add(reader.small()?).ok_or_else(|| Code::Corrupt.error())?;
                if record as usize >= count {
                    return Err(Code::Corrupt.error());
                }
                segment.entries.push(Entry { parameter, value, extra, record });
            }
        }
    }

    /// Adds a later segment.
    pub(super) fn absorb(&mut self, later: &Segment) {
        let shift = self.records.len() as u32;
        self.records.extend(&later.records);
        self.dead.extend(&later.dead);
        self.entries.extend(later.entries.iter().map(|entry| Entry { record: entry.record + shift, ..*entry }));
    }

    /// Takes out what is dead; what lies in segments that are not part of this one stays listed as dead.
    pub(super) fn bury(self) -> Segment {
        let mut dead: std::collections::HashSet<(u32, u16)> = self.dead.into_iter().collect();
        let mut kept = Segment::default();
        let mut renumbered = Vec::with_capacity(self.records.len());
        for record in self.records {
            let alive = !dead.remove(&(record.0, record.1));
            renumbered.push(if alive { kept.records.len() as u32 } else { u32::MAX });
            if alive {
                kept.records.push(record);
            }
        }
        kept.entries = self.entries;
        kept.entries.retain_mut(|entry| {
            entry.record = renumbered[entry.record as usize];
            entry.record != u32::MAX
        });
        kept.dead = dead.into_iter().collect();
        kept.dead.sort_unstable();
        kept
    }

    /// The entries of a parameter with values from `from` to `to`, both included.
    pub(super) fn between(&self, parameter: u16, from: u64, to: u64) -> &[Entry] {
        let start = self.entries.partition_point(|entry| (entry.parameter, entry.value) < (parameter, from));
        let length = self.entries[start..].partition_point(|entry| (entry.parameter, entry.value) <= (parameter, to));
        &self.entries[start..start + length]
    }
    /// Bytes it takes in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.records.len() * 8 + self.dead.len() * 8 + 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_block(zeroize::Zeroizing::new(bytes.clone()));
            let _ = Segment::read(&bytes);
        }

        #[test]
        fn numbers_round_trip(value in any::<u64>(), signed in any::<i64>()) {
            let mut out = Writer::default();
            out.number(value);
            out.signed(signed);
            let mut reader = Reader { rest: &out.0 };
            prop_assert_eq!(reader.number().expect("a number"), value);
            prop_assert_eq!(reader.signed().expect("a number"), signed);
        }

        #[test]
        fn a_segment_reads_as_it_was_written(
            records in prop::collection::vec(any::<(u32, u16, u8)>(), 1..20), dead in prop::collection::vec(any::<(u32, u16)>(), 0..5),
            entries in prop::collection::vec((0_u16..5, any::<bool>(), any::<u64>(), any::<u64>(), any::<prop::sample::Index>()), 0..60),
        ) {
            let entries = entries.iter().map(|(parameter, date, value, extra, record)| Entry {
                parameter: parameter | if *date { Entry::DATE } else { 0 },
                value: value % 3 * 0x0123_4567_89ab_cdef, extra: if *date { *extra } else { 0 }, record: record.index(records.len()) as u32,
            }).collect();
            let mut segment = Segment { records, dead, entries };
            let read = Segment::read(&segment.write()).expect("what was written");
            prop_assert_eq!(read.records, segment.records);
            prop_assert_eq!(read.dead, segment.dead);
            prop_assert_eq!(read.entries, segment.entries);
        }

        #[test]
        fn numbers_sort_as_their_keys(a in -1e12_f64..1e12, b in -1e12_f64..1e12, c in any::<i64>(), d in any::<i64>()) {
            prop_assert_eq!(a.total_cmp(&b), ordered_number(a).cmp(&ordered_number(b)));
            prop_assert_eq!(c.cmp(&d), ordered(c).cmp(&ordered(d)));
            prop_assert_eq!((unordered_number(ordered_number(a)), unordered(ordered(c))), (a, c));
        }
    }
}
