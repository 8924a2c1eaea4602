//! Bytes inside sealed values: blocks of records, index segments. See docs/format.md.

use crate::error::{Code, Result};
use crate::schema::ResourceType;
use crate::search::EntryValue;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Most records and most bytes of records in one block.
pub(super) const BLOCK_RECORDS: usize = 32;
pub(super) const BLOCK_BYTES: usize = 48 * 1024;

/// Where a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) patient: u32,
    pub(super) block: u32,
    pub(super) slot: u16,
}

/// One version of a record, inside a block.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) kind: ResourceType,
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) deleted: bool,
    pub(super) before: Option<Place>,
    pub(super) source: u32,
    pub(super) entry: u32,
    pub(super) body: std::ops::Range<usize>,
}

/// The slots of a block and when they were written.
#[derive(Debug)]
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
    pub(crate) fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Code::Corrupt.error())
    }
}

/// What goes into a block.
pub(super) struct NewSlot<'a> {
    pub(super) slot: Slot,
    pub(super) body: &'a [u8],
}

pub(super) fn write_block(commit: u64, at: Timestamp, actor: &str, slots: &[NewSlot<'_>]) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(commit);
    out.signed(at.0);
    out.bytes(actor.as_bytes());
    out.number(slots.len() as u64);
    for NewSlot { slot, body } in slots {
        out.number(slot.kind.number().into());
        out.bytes(slot.id.as_bytes());
        out.number(slot.version.into());
        out.number(u64::from(slot.deleted) | u64::from(slot.before.is_some()) << 1);
        if let Some(before) = slot.before {
            out.number(before.patient.into());
            out.number(before.block.into());
            out.number(before.slot.into());
        }
        out.number(slot.source.into());
        out.number(slot.entry.into());
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
        let kind = ResourceType::from_number(reader.small()?).ok_or_else(|| Code::Corrupt.error())?;
        let (id, version, flags) = (reader.text()?, reader.small()?, reader.number()?);
        let before = if flags & 2 != 0 {
            Some(Place { patient: reader.small()?, block: reader.small()?, slot: reader.small()? })
        } else {
            None
        };
        let (source, entry) = (reader.small()?, reader.small()?);
        lengths.push(reader.small::<usize>()?);
        slots.push(Slot { kind, id, version, deleted: flags & 1 != 0, before, source, entry, body: 0..0 });
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
    /// Places whose version is no longer the current one.
    pub(super) dead: Vec<(u32, u16)>,
    /// Which records have a value under a parameter.
    pub(super) values: BTreeMap<(u16, Vec<u8>), Vec<u32>>,
}

/// A value as the index keeps it: tokens and references as 8 bytes of hash, text and dates so that they can be compared.
pub(super) fn index_keys(value: &EntryValue, mut put: impl FnMut(Vec<u8>)) {
    match value {
        EntryValue::Token(system, code) => {
            put(hashed(&[b"c", code.as_bytes()]));
            if !system.is_empty() {
                put(hashed(&[b"sc", system.as_bytes(), b"|", code.as_bytes()]));
                put(hashed(&[b"s", system.as_bytes()]));
            }
        }
        EntryValue::Reference(text) => {
            put(hashed(&[b"r", text.as_bytes()]));
            if let Some((_, id)) = text.rsplit_once('/') {
                put(hashed(&[b"r", id.as_bytes()]));
            }
        }
        EntryValue::Text(text) => put(text.as_bytes()[..text.len().min(60)].to_vec()),
        EntryValue::Date(start, end) => {
            let mut out = Writer::default();
            out.signed(*start);
            out.signed(*end);
            put(out.0);
        }
    }
}

/// 8 bytes that stand for a value inside a sealed index; no key, since the index is sealed.
pub(super) fn hashed(parts: &[&[u8]]) -> Vec<u8> {
    // FNV-1a, finished with a mix; collisions are caught because matches are checked on the record.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().copied().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 29;
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[..6].to_vec()
}

pub(super) fn write_segment(segment: &Segment) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(segment.records.len() as u64);
    for (block, slot, kind) in &segment.records {
        out.number((*block).into());
        out.number((*slot).into());
        out.0.push(*kind);
    }
    out.number(segment.dead.len() as u64);
    for (block, slot) in &segment.dead {
        out.number((*block).into());
        out.number((*slot).into());
    }
    out.number(segment.values.len() as u64);
    let mut before = 0;
    for ((parameter, value), records) in &segment.values {
        out.number(u64::from(parameter - before));
        before = *parameter;
        out.bytes(value);
        out.number(records.len() as u64);
        let mut last = 0;
        for record in records {
            out.number(u64::from(record - last));
            last = *record;
        }
    }
    out.0
}

pub(super) fn read_segment(bytes: &[u8]) -> Result<Segment> {
    let mut reader = Reader { rest: bytes };
    let mut segment = Segment::default();
    for _ in 0..reader.number()? {
        segment.records.push((reader.small()?, reader.small()?, reader.small()?));
    }
    for _ in 0..reader.number()? {
        segment.dead.push((reader.small()?, reader.small()?));
    }
    let mut parameter = 0_u16;
    for _ in 0..reader.number()? {
        parameter = parameter.checked_add(reader.small()?).ok_or_else(|| Code::Corrupt.error())?;
        let value = reader.bytes()?.to_vec();
        let (mut records, mut record) = (Vec::new(), 0_u32);
        for _ in 0..reader.number()? {
            record = record.checked_add(reader.small()?).ok_or_else(|| Code::Corrupt.error())?;
            if record as usize >= segment.records.len() {
                return Err(Code::Corrupt.error());
            }
            records.push(record);
        }
        segment.values.insert((parameter, value), records);
    }
    Ok(segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_block(zeroize::Zeroizing::new(bytes.clone()));
            let _ = read_segment(&bytes);
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
    }
}
