//! The rows a change set comes to: blocks, ids, index segments, tokens, and the keys of the charts they belong to.

use super::Change;
use super::newest::id_row;
use super::versions::Pending;
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::schema::ResourceType;
use crate::store::layout::{self, BLOCK_BYTES, BLOCK_PACKED, BLOCK_RECORDS, Entry, NewSlot, Place, Segment, Slot};
use crate::store::{ReadView, Table, pair, patient_row};
use crate::vault::{RowKind, SealKey};
use std::collections::BTreeMap;

/// Key and numbers of a compartment of a patient.
pub(in crate::store) struct ChartState {
    pub(super) key: SealKey,
    pub(super) next_block: u32,
    pub(super) next_segment: u32,
}

/// Index segments a patient may have before small ones are merged.
const SEGMENTS: u32 = 6;

/// Bytes up to which a segment's size is not worth telling apart.
const SMALL_SEGMENT: usize = 1024;

/// Up to so many tokens are looked up before they are put, so that a small commit does not write pages in vain.
const FEW_TOKENS: usize = 64;

impl Change<'_> {
    pub(super) fn patient_number(&mut self, id: &str) -> Result<u32> {
        if let Some(number) = self.names.get(id) {
            return Ok(*number);
        }
        let key = self.store.name_key(id);
        let number = match self.rows.get(Table::PatientName, &key)? {
            Some(row) => u32::from_be_bytes(row.as_slice().try_into().map_err(|_| Code::Corrupt.error())?),
            None => {
                // A patient whose chart was destroyed does not come in again by way of a new record.
                self.refuse_destroyed(&self.store.id_key(ResourceType::PATIENT, id))?;
                let number = self.state.next_patient;
                self.state.next_patient = number.checked_add(1).ok_or_else(|| Code::LimitCount.error())?;
                self.rows.mine.put(Table::PatientName, key, number.to_be_bytes().to_vec());
                number
            }
        };
        self.names.insert(id.to_owned(), number);
        Ok(number)
    }

    /// Reads or makes the row of a compartment of a patient.
    pub(in crate::store) fn load_chart(&mut self, chart: (u32, u8)) -> Result<()> {
        if self.charts.contains_key(&chart) {
            return Ok(());
        }
        let key = if self.rows.get(Table::Patient, &patient_row(chart))?.is_some() {
            self.store.patient_key(&self.rows, chart, false)?
        } else {
            let (key, wrapped) = self.store.new_patient_key(&mut self.rows, chart)?;
            self.rows.mine.put(Table::Patient, patient_row(chart).to_vec(), wrapped);
            key
        };
        let (next_block, next_segment) =
            (self.next_number(Table::Block, chart)?, self.next_number(Table::Index, chart)?);
        self.charts.insert(chart, ChartState { key, next_block, next_segment });
        Ok(())
    }

    /// The number after the last of a compartment's blocks or segments.
    pub(in crate::store) fn next_number(&self, table: Table, (patient, compartment): (u32, u8)) -> Result<u32> {
        let (first, last) = layout::numbers(compartment);
        let end = [&pair((patient, last))[..], &[0]].concat();
        let Some((key, _)) = self.rows.last(table, &pair((patient, first)), &end)? else {
            return if table == Table::Block {
                self.store.gone_before(&self.rows, (patient, compartment))
            } else {
                Ok(first)
            };
        };
        let number = key.get(4..).and_then(|key| key.try_into().ok()).ok_or_else(|| Code::Corrupt.error())?;
        let next = after(u32::from_be_bytes(number))?;
        // Of a store that was salvaged, later blocks may be lost: their numbers are not given again.
        if table == Table::Block {
            Ok(next.max(self.store.gone_before(&self.rows, (patient, compartment))?))
        } else {
            Ok(next)
        }
    }

    /// Makes rows of what is pending: blocks, ids, index segments, tokens.
    pub(in crate::store) fn flush(&mut self) -> Result<()> {
        self.by_id.clear();
        self.resolved.get_mut().clear();
        self.pending_bytes = 0;
        let mut pending = std::mem::take(&mut self.pending);
        let entries = std::mem::take(&mut self.entries);
        let mut texts = std::mem::take(&mut self.texts);
        pending.sort_by_key(|one| (one.chart, one.kind)); // stable: versions of one record stay in order
        let mut segments: BTreeMap<(u32, u8), Segment> = BTreeMap::new();
        for group in pending.chunk_by(|a, b| (a.chart, a.kind) == (b.chart, b.kind)) {
            let mut rest = group;
            while !rest.is_empty() {
                let (mut bytes, most) = (0, self.fill[usize::from(group[0].kind.number())]);
                let fits = |one: &&Pending| {
                    let first = bytes == 0;
                    bytes += one.bytes.len() + 1;
                    first || bytes <= most
                };
                let (now, after) = rest.split_at(rest.iter().take(BLOCK_RECORDS).take_while(fits).count());
                rest = after;
                self.write_block(now, &texts, &entries, &mut segments)?;
            }
        }
        texts.clear();
        self.texts = texts;
        let tokens = std::mem::take(&mut self.tokens);
        let few = tokens.len() <= FEW_TOKENS;
        for key in tokens {
            if !few || self.rows.get(Table::Token, &key)?.is_none() {
                self.rows.mine.put(Table::Token, key.to_vec(), Vec::new());
            }
        }
        self.write_segments(segments)
    }

    pub(super) fn write_block(
        &mut self,
        group: &[Pending],
        texts: &[u8],
        entries: &[(u16, u64, u64)],
        segments: &mut BTreeMap<(u32, u8), Segment>,
    ) -> Result<()> {
        let chart = group[0].chart;
        let state = self.charts.get_mut(&chart).ok_or_else(|| Code::Internal.error())?;
        let (patient, block) = (chart.0, state.next_block);
        state.next_block = after(block)?;
        let slots: Vec<NewSlot<'_>> = group.iter().map(|one| new_slot(one, texts)).collect();
        let plain = layout::write_block(self.state.next_commit, self.state.at, &self.actor, &slots);
        let context = self.store.chart_context(RowKind::Block, (patient, block));
        let packed = self.store.with_packer(|packer| packer.pack(&state.key, &context, &plain, &*self.store.random))?;
        if packed.len() > BLOCK_PACKED / 2 {
            let fill = &mut self.fill[usize::from(group[0].kind.number())];
            let now = plain.len() * BLOCK_PACKED / packed.len();
            *fill = ((3 * *fill + now) / 4).clamp(BLOCK_BYTES / 8, BLOCK_BYTES);
        }
        self.rows.mine.put(Table::Block, pair((patient, block)).to_vec(), packed);
        let versions: Vec<u8> =
            slots.iter().flat_map(|new| self.store.version_witness(&new.slot, new.id, new.body)).collect();
        self.blocks_written.push((patient, block, Active::sha256(&[&versions])));
        for (at, one) in group.iter().enumerate() {
            let place = Place { patient, block, slot: at as u16 };
            self.rows.mine.put(Table::Id, one.key.to_vec(), id_row(place));
            if let Some(before) = one.before {
                segments.entry(before.chart()).or_default().dead.push((before.block, before.slot));
            }
            if !one.is_shown() {
                continue;
            }
            let segment = segments.entry(chart).or_default();
            let record = segment.records.len() as u32;
            segment.records.push((block, place.slot, one.kind.number()));
            segment.entries.extend(entries[one.entries.clone()].iter().map(|&(parameter, value, extra)| Entry {
                parameter,
                value,
                extra,
                record,
            }));
        }
        Ok(())
    }

    /// The number of the next index segment of a compartment.
    pub(in crate::store) fn next_segment(&mut self, chart: (u32, u8)) -> Result<u32> {
        self.load_chart(chart)?;
        let state = self.charts.get_mut(&chart).ok_or_else(|| Code::Internal.error())?;
        let number = state.next_segment;
        state.next_segment = after(number)?;
        Ok(number)
    }

    /// Writes one segment for each compartment of a patient; where there are many, it takes the small ones before it in. Each is merged only
    /// when what came after it has grown as large, so a value is written anew a logarithmic number of times.
    pub(super) fn write_segments(&mut self, segments: BTreeMap<(u32, u8), Segment>) -> Result<()> {
        for (chart, mut segment) in segments {
            self.load_chart(chart)?;
            let patient = chart.0;
            let state = self.charts.get_mut(&chart).ok_or_else(|| Code::Internal.error())?;
            if state.next_segment - layout::numbers(chart.1).0 >= SEGMENTS {
                let mut present = self.store.segment_numbers(&self.rows, patient)?;
                present.retain(|(number, _)| layout::compartment(*number) == chart.1);
                let mut size = (segment.weight() / 8).max(SMALL_SEGMENT);
                let mut first = present.len();
                while present.len() >= SEGMENTS as usize && first > 0 && present[first - 1].1 <= 2 * size {
                    first -= 1;
                    size += present[first].1;
                }
                if first < present.len() {
                    let mut merged = Segment::default();
                    for (number, _) in &present[first..] {
                        merged.absorb(&*self.store.segment(&self.rows, (patient, *number), Some(&state.key), false)?);
                        self.rows.mine.delete(Table::Index, pair((patient, *number)).to_vec());
                    }
                    merged.absorb(&segment);
                    segment = merged.bury();
                    if first == 0 {
                        segment.dead.clear(); // nothing is left that it could be about
                    }
                }
            }
            let number = state.next_segment;
            state.next_segment = after(number)?; // as next_segment(), with the key at hand
            let context = self.store.chart_context(RowKind::Index, (patient, number));
            let plain = segment.write();
            let packed =
                self.store.with_packer(|packer| packer.pack(&state.key, &context, &plain, &*self.store.random))?;
            self.rows.mine.put(Table::Index, pair((patient, number)).to_vec(), packed);
        }
        Ok(())
    }
}

/// The number after another of the same compartment.
fn after(number: u32) -> Result<u32> {
    let next = number.checked_add(1).filter(|next| layout::compartment(*next) == layout::compartment(number));
    next.ok_or_else(|| Code::LimitCount.error())
}

fn new_slot<'a>(one: &Pending, texts: &'a [u8]) -> NewSlot<'a> {
    let Pending { kind, version, deleted, retracted, before, source, entry, .. } = *one;
    let note = one.note.clone();
    let slot = Slot { kind, id: 0..0, version, deleted, retracted, before, source, entry, note, body: 0..0 };
    NewSlot { slot, id: &texts[one.id.clone()], body: &texts[one.bytes.clone()] }
}
