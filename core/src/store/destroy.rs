//! Destroying one record: every version of it leaves its blocks, the index, the tokens and the addresses, and what the file still keeps of
//! the rows before is wiped.
//!
//! A block keeps its other records and their places: where the record was stands an empty slot. What is wiped of a row that was
//! replaced is the front of its envelope: without salt and commitment the rest does not open with any key. The fronts are
//! written down, inverted, in the same commit, so that a crash in between is made good when the store is opened again.
//!
//! What stays is a tombstone, under a token of the id: nothing of that id comes in again unseen.

use super::layout::{self, NewSlot, Place, Reader, Segment, Slot, Writer};
use super::shred::Traces;
use super::{AsideKind, Change, ReadView, Snapshot, Store, Table, pair, patient_row, terms};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::keys::KeyRing;
use crate::record::{Compartment, Record};
use crate::schema::ResourceType;
use crate::search::extract;
use crate::time::Timestamp;
use crate::vault::{Context, RowKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What became of a record that was destroyed. No id and no content.
#[derive(Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Who proposed it.
    pub by: String,
    /// Who approved it.
    pub approved_by: String,
    /// When it was destroyed.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// How many versions there were.
    pub versions: u64,
    /// SHA-256 over the SHA-256 of each version, newest first: whoever has a copy can show that it is what was destroyed.
    pub digest: [u8; 32],
}

impl std::fmt::Debug for Tombstone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tombstone({} versions)", self.versions)
    }
}

impl Tombstone {
    /// `by, approved by, at signed, reason, versions number, digest 32`; texts with their length before them.
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(self.by.as_bytes());
        out.bytes(self.approved_by.as_bytes());
        out.signed(self.at.0);
        out.bytes(self.reason.as_bytes());
        out.number(self.versions);
        out.0.extend(self.digest);
        out.0
    }
    fn decode(plain: &[u8]) -> Result<Tombstone> {
        let mut reader = Reader { rest: plain };
        Ok(Tombstone {
            by: reader.text()?,
            approved_by: reader.text()?,
            at: Timestamp(reader.signed()?),
            reason: reader.text()?,
            versions: reader.number()?,
            digest: reader.array()?,
        })
    }
}

/// Slots of blocks, by patient and block.
pub(super) type Places = BTreeMap<(u32, u32), BTreeSet<u16>>;

/// The start of keys of tombstones, after which the key in the id table follows.
const TOMBSTONE: u8 = 5;
/// The row with the fronts of envelopes that are still to be wiped.
pub(super) const WIPE: &[u8] = b"\0wipe";
/// Codec, suite, epoch, salt and commitment.
const FRONT: usize = 1 + 1 + 4 + 24 + 32;

fn tombstone_key(id_key: &[u8; 13]) -> Vec<u8> {
    [&[TOMBSTONE][..], id_key].concat()
}

/// The fronts that a row of those to be wiped has.
pub(super) fn fronts(row: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    row.chunks(FRONT).map(|front| front.iter().map(|byte| !byte).collect())
}

/// The key in the id table of what a tombstone stands for, where it is genuine.
pub(super) fn buried(keys: &KeyRing, key: &[u8], sealed: &[u8]) -> Option<[u8; 13]> {
    let id = key.strip_prefix(&[TOMBSTONE])?.try_into().ok()?;
    let place = Context::new(keys.store_id(), PatientNumber::SHARED, RowKind::Tombstone, 0, 0);
    crate::vault::open(keys.store_key(), &Context { labels: key, ..place }, sealed).ok().map(|_| id)
}

impl Store {
    fn tombstone_context<'k>(&self, key: &'k [u8]) -> Context<'k> {
        Context { labels: key, ..Context::new(self.keys.store_id(), PatientNumber::SHARED, RowKind::Tombstone, 0, 0) }
    }

    /// Wipes what the file still keeps of rows that were replaced when something was destroyed.
    ///
    /// # Durability
    /// When this returns, they are on the disk no more; what a copy under way still reads, when that ends. Until then opening the
    /// store for writing does it.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn finish_destroying(&self, at: Timestamp) -> Result<u64> {
        let Some(row) = self.latest()?.get(Table::Lifecycle, WIPE)? else { return Ok(0) };
        let inverted: Vec<u8> = row.iter().map(|byte| !byte).collect();
        let fronts: Vec<&[u8]> = inverted.chunks(FRONT).collect();
        let wiped = self.scrub(&fronts)?;
        if wiped.pinned {
            return Ok(wiped.places); // what the copy reads is wiped when it ends; should that fail to happen, the row is still there
        }
        let mut change = self.change(at, "")?;
        change.rows.mine.delete(Table::Lifecycle, WIPE.to_vec());
        change.commit()?;
        Ok(wiped.places)
    }
}

impl Snapshot<'_> {
    /// What became of a record that was destroyed.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn tombstone(&self, kind: ResourceType, id: &str) -> Result<Option<Tombstone>> {
        let key = tombstone_key(&self.store.id_key(kind, id));
        let Some(sealed) = self.view.get(Table::Lifecycle, &key)? else { return Ok(None) };
        let plain = crate::vault::open(self.store.keys.store_key(), &self.store.tombstone_context(&key), &sealed)?;
        Tombstone::decode(&plain).map(Some)
    }

    /// The number the next change set has.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn next_commit(&self) -> Result<u64> {
        Ok(self.store.read_state(&*self.view)?.next_commit)
    }
}

impl Change<'_> {
    /// Refuses what was destroyed: it does not come in again unseen.
    ///
    /// # Errors
    /// - `destroyed`.
    pub(super) fn refuse_destroyed(&mut self, id_key: &[u8; 13]) -> Result<()> {
        if self.tombstones.is_none() {
            let mut any = false;
            self.rows.range(Table::Lifecycle, &[TOMBSTONE], &[TOMBSTONE + 1], &mut |_, _| {
                any = true;
                false
            })?;
            self.tombstones = Some(any);
        }
        if self.tombstones == Some(true) && self.rows.get(Table::Lifecycle, &tombstone_key(id_key))?.is_some() {
            return Err(Code::Destroyed.error());
        }
        Ok(())
    }

    /// Puts a tombstone where a record was.
    pub(crate) fn bury(&mut self, kind: ResourceType, id: &str, stone: &Tombstone) -> Result<()> {
        let key = tombstone_key(&self.store.id_key(kind, id));
        let context = self.store.tombstone_context(&key);
        let sealed = crate::vault::seal(self.store.keys.store_key(), &context, &stone.encode(), &*self.store.random)?;
        self.rows.mine.put(Table::Lifecycle, key, sealed);
        self.tombstones = Some(true);
        Ok(())
    }

    /// The bytes of every version of a record, newest first; of a deletion, none.
    pub(crate) fn every_version(&self, kind: ResourceType, id: &str) -> Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        let mut next = self.newest(&self.store.id_key(kind, id))?;
        while let Some(newest) = next {
            all.push(newest.hidden_bytes().to_vec());
            next = self.before(&newest)?;
        }
        Ok(all)
    }

    /// Destroys every version of a record. All that is pending in this change set is written first. After the commit,
    /// [`Store::finish_destroying`] wipes what the file still keeps.
    ///
    /// # Errors
    /// - `not-found`; `hold`, with whom to ask. Of the backend.
    pub(crate) fn destroy(&mut self, kind: ResourceType, id: &str) -> Result<()> {
        self.flush()?;
        let key = self.store.id_key(kind, id);
        let mut places = Places::new();
        let mut terms = BTreeSet::new();
        let mut next = self.newest(&key)?;
        if next.is_none() {
            return Err(Code::NotFound.error());
        }
        while let Some(newest) = next {
            self.refuse_held(newest.place.patient, kind, id)?;
            places.entry((newest.place.patient, newest.place.block)).or_default().insert(newest.place.slot);
            if !newest.slot().deleted {
                tokens_of(self.store, newest.place.patient, &Record::parse(newest.hidden_bytes())?, &mut terms);
            }
            next = self.before(&newest)?;
        }
        self.rows.mine.delete(Table::Id, key.to_vec());
        self.take_out(&places, &terms)?;
        self.forget_addresses(&format!("{kind}/{id}"))?;
        Ok(())
    }

    /// Takes versions out of their blocks, the index and the tokens, and writes down what is to be wiped of the rows before. `terms`:
    /// the tokens those versions had.
    pub(super) fn take_out(&mut self, places: &Places, terms: &BTreeSet<[u8; 12]>) -> Result<()> {
        for (block, slots) in places {
            self.empty(*block, slots)?;
        }
        let charts: BTreeSet<(u32, u8)> =
            places.keys().map(|(patient, block)| (*patient, layout::compartment(*block))).collect();
        for chart in &charts {
            self.reindex(*chart, places)?;
        }
        let mut others = Traces::default();
        for patient in charts.iter().map(|(patient, _)| *patient).collect::<BTreeSet<u32>>() {
            for compartment in Compartment::ALL {
                if self.rows.get(Table::Patient, &patient_row((patient, compartment as u8)))?.is_some() {
                    self.store.traces(&self.rows, (patient, compartment as u8), &mut others)?;
                }
            }
        }
        // Where a block does not open it is not known what else has a token: then they stay, and say nothing to who has no key.
        for token in terms.difference(&others.tokens).filter(|_| others.damaged == 0) {
            self.rows.mine.delete(Table::Token, token.to_vec());
        }
        self.forgotten.extend(charts);
        self.resolved.get_mut().clear();
        self.seen.clear();
        self.tokens.clear();
        Ok(())
    }

    /// Takes out the rows of a kind that are about something.
    pub(crate) fn asides_remove(
        &mut self,
        kind: AsideKind,
        about: &mut dyn FnMut(&[u8]) -> Result<bool>,
    ) -> Result<()> {
        for (key, plain) in self.asides(kind, None)? {
            if about(&plain)? {
                self.remove(Table::Lifecycle, key.bytes())?;
            }
        }
        Ok(())
    }

    /// Takes out a row whose old bytes are to be wiped.
    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) -> Result<()> {
        self.replaced(table, &key)?;
        self.rows.mine.delete(table, key);
        Ok(())
    }

    /// Writes down the front of a row that is about to be replaced.
    fn replaced(&mut self, table: Table, key: &[u8]) -> Result<()> {
        let Some(row) = self.rows.get(table, key)? else { return Ok(()) };
        // A quarantined entry and other rows that are not packed have no codec in front: what is wiped begins with their suite.
        let mut front: Vec<u8> = row.iter().take(FRONT).map(|byte| !byte).collect();
        front.resize(FRONT, 0);
        let mut all = self.rows.get(Table::Lifecycle, WIPE)?.unwrap_or_default();
        all.extend(front);
        self.rows.mine.put(Table::Lifecycle, WIPE.to_vec(), all);
        Ok(())
    }

    /// Writes a block anew with nothing in some of its slots.
    pub(super) fn empty(&mut self, number: (u32, u32), gone: &BTreeSet<u16>) -> Result<()> {
        let place = Place { patient: number.0, block: number.1, slot: 0 };
        let old = self.store.block(&self.rows, place, None, false)?;
        let parts = |slot: &Slot| (&old.bytes[slot.id.clone()], &old.bytes[slot.body.clone()]);
        // Of a version that goes its witness stays: the others of its change set can be held against their event.
        let witnesses: Vec<[u8; 32]> = old
            .slots
            .iter()
            .map(|slot| match parts(slot) {
                (id, body) if !id.is_empty() => self.store.version_witness(slot, id, body),
                (_, body) => body.try_into().unwrap_or_default(),
            })
            .collect();
        let slots: Vec<NewSlot<'_>> = (0_u16..)
            .zip(old.slots.iter().zip(&witnesses))
            .map(|(at, (slot, witness))| match (gone.contains(&at), parts(slot)) {
                (true, _) => NewSlot { slot: Slot::destroyed(slot.kind), id: &[], body: witness },
                (false, (id, body)) => NewSlot { slot: slot.clone(), id, body },
            })
            .collect();
        let plain = layout::write_block(old.commit, old.at, &old.actor, &slots);
        self.replaced(Table::Block, &pair(number))?;
        let key = self.store.patient_key(&self.rows, place.chart(), false)?;
        let context = self.store.chart_context(RowKind::Block, number);
        let packed = self.store.with_packer(|packer| packer.pack(&key, &context, &plain, &*self.store.random))?;
        self.rows.mine.put(Table::Block, pair(number).to_vec(), packed);
        Ok(())
    }

    /// Writes the index of a compartment anew without the places that are gone.
    fn reindex(&mut self, chart: (u32, u8), gone: &Places) -> Result<()> {
        let mut all = Segment::default();
        let numbers: Vec<u32> =
            self.store.segment_numbers(&self.rows, chart.0)?.iter().map(|(number, _)| *number).collect();
        for number in numbers.iter().filter(|number| layout::compartment(**number) == chart.1) {
            all.absorb(&*self.store.segment(&self.rows, (chart.0, *number), None, false)?);
            self.remove(Table::Index, pair((chart.0, *number)).to_vec())?;
        }
        let here = gone.iter().filter(|((patient, block), _)| (*patient, layout::compartment(*block)) == chart);
        for ((_, block), slots) in here {
            all.dead.extend(slots.iter().map(|slot| (*block, *slot)));
        }
        let mut kept = all.bury();
        kept.dead.clear(); // nothing is left that it could be about
        self.put_segment(chart, &mut kept)
    }

    pub(super) fn put_segment(&mut self, chart: (u32, u8), segment: &mut Segment) -> Result<()> {
        let number = self.next_segment(chart)?;
        let key = self.store.patient_key(&self.rows, chart, false)?;
        let (context, plain) = (self.store.chart_context(RowKind::Index, (chart.0, number)), segment.write());
        let packed = self.store.with_packer(|packer| packer.pack(&key, &context, &plain, &*self.store.random))?;
        self.rows.mine.put(Table::Index, pair((chart.0, number)).to_vec(), packed);
        Ok(())
    }

    /// Takes out what addresses stand for a record: they say its id.
    fn forget_addresses(&mut self, target: &str) -> Result<()> {
        let from = self.store.aliased_key(target);
        let to = [&from[..], &[u8::MAX; 17]].concat();
        let mut tokens = Vec::new();
        self.rows.range(Table::Meta, &from, &to, &mut |key, _| {
            tokens.push(key[from.len()..].to_vec());
            true
        })?;
        for token in tokens {
            self.rows.mine.delete(Table::Meta, [&from[..], &token].concat());
            self.remove(Table::Meta, [&b"alias "[..], &token].concat())?;
        }
        Ok(())
    }
}

/// The tokens of the global index that a record of a patient has.
pub(super) fn tokens_of(store: &Store, patient: u32, record: &Record, found: &mut BTreeSet<[u8; 12]>) {
    let mut term = |label: &str, text: &str| {
        let mut key = [0; 12];
        key[..8].copy_from_slice(&store.token_key(label, text));
        key[8..].copy_from_slice(&patient.to_be_bytes());
        found.insert(key);
    };
    term("type", record.kind().name());
    extract(record, |parameter, value| terms::terms(parameter.code, &value, &mut term));
}

impl Slot {
    /// A slot that holds nothing any more.
    fn destroyed(kind: ResourceType) -> Slot {
        let nothing: Range<usize> = 0..0;
        Slot {
            kind,
            id: nothing.clone(),
            version: 0,
            deleted: true,
            retracted: false,
            before: None,
            source: 0,
            entry: 0,
            note: None,
            body: nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;
    use crate::keys::RawKey;
    use crate::store::testing::FaultyFile;

    #[test]
    fn what_is_to_be_wiped_stays_marked_on_the_disk_while_a_copy_still_reads_it() {
        let random = std::sync::Arc::new(SystemRandom::default());
        let file = Box::new(FaultyFile::default());
        let store = Store::create_on(file, &RawKey::new([1; 32]), random, 1 << 20).expect("a store in memory");
        let mut change = store.change(Timestamp(1), "x").expect("its turn");
        change.rows.mine.put(Table::Lifecycle, WIPE.to_vec(), vec![7; FRONT]);
        change.commit().expect("written");
        let marked = || store.latest().and_then(|view| view.get(Table::Lifecycle, WIPE)).expect("readable").is_some();
        let copy = store.backend.freeze().expect("a copy");
        store.finish_destroying(Timestamp(2)).expect("it wipes");
        assert!(marked());
        drop(copy);
        store.finish_destroying(Timestamp(3)).expect("it wipes");
        assert!(!marked());
    }
}
