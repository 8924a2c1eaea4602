//! What a change set wrote, in 32 bytes: its audit event has them, and `verify` makes them anew from the blocks.
//!
//! ```text
//! of a version      HMAC-SHA-256[token key]("version", SHA-256(type 1 || flags 1 || version 4 || id length 4 || id || note || bytes))
//! of a block        SHA-256(those of its versions, in order)
//! of a change set   SHA-256({ patient 4 || block 4 || that of the block 32 }*, in order)
//! ```
//!
//! They are keyed, so that what stays of a version that was destroyed, in the place where it was, and of a block that was shredded,
//! in the row that says so, tells nothing to who guesses at its content; and the change set it was written in, which may have been an
//! import of everybody, can be held against its event as before.

use super::layout::{Block, Place, Slot, Writer};
use super::{Change, ReadView, Snapshot, Store, Table};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A block that was shredded.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Gone {
    /// Its number.
    pub(super) block: u32,
    /// The change set that wrote it and its witness; None where it did not open any more, or something in it had been lost before.
    pub(super) witness: Option<(u64, [u8; 32])>,
}

/// What the blocks of a store say was written, by change set.
#[derive(Default)]
pub(crate) struct Witnesses {
    /// The witness of each change set; None where something of it is not known any more.
    pub(crate) by_commit: BTreeMap<u64, Option<[u8; 32]>>,
    /// Whether something is gone of which it is not known what wrote it.
    pub(crate) lost: bool,
}

impl Store {
    /// The witness of a version.
    pub(super) fn version_witness(&self, slot: &Slot, id: &[u8], body: &[u8]) -> [u8; 32] {
        let mut head = Writer(Vec::with_capacity(64));
        head.0.extend([slot.kind.number(), u8::from(slot.deleted) | u8::from(slot.retracted) << 1]);
        head.0.extend(slot.version.to_be_bytes());
        head.0.extend((id.len() as u32).to_be_bytes());
        head.0.extend(id);
        if let Some(note) = &slot.note {
            note.write(&mut head);
        }
        self.keys.witness(&Active::sha256(&[&head.0, body]))
    }

    /// The witness of a block; None where the place of a version that was destroyed does not have its witness.
    pub(super) fn block_witness(&self, block: &Block) -> Option<[u8; 32]> {
        let mut all = Vec::with_capacity(block.slots.len() * 32);
        for slot in &block.slots {
            let (id, body) = (&block.bytes[slot.id.clone()], &block.bytes[slot.body.clone()]);
            all.extend(match id.is_empty() {
                true => <[u8; 32]>::try_from(body).ok()?,
                false => self.version_witness(slot, id, body),
            });
        }
        Some(Active::sha256(&[&all]))
    }
}

/// The witness of a change set that wrote these blocks: patient, number, witness.
fn combined(mut blocks: Vec<(u32, u32, [u8; 32])>) -> [u8; 32] {
    blocks.sort_unstable();
    let mut all = Vec::with_capacity(blocks.len() * 40);
    for (patient, number, witness) in blocks {
        all.extend(patient.to_be_bytes());
        all.extend(number.to_be_bytes());
        all.extend(witness);
    }
    Active::sha256(&[&all])
}

impl Change<'_> {
    /// The witness of what this change set writes, and whose charts it writes to, ascending; None where it writes no version. All that
    /// is pending is written first.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn witness(&mut self) -> Result<Option<([u8; 32], BTreeSet<u32>)>> {
        self.flush()?;
        if self.blocks_written.is_empty() {
            return Ok(None);
        }
        let patients = self.blocks_written.iter().map(|(patient, ..)| *patient).collect();
        Ok(Some((combined(self.blocks_written.clone()), patients)))
    }
}

impl Snapshot<'_> {
    /// The witnesses of all change sets of which something is here, or was and is known to be gone. `look` is asked for each block.
    ///
    /// # Errors
    /// - `corrupt`: a block does not open, or one that is said to be gone is here; what `look` gives. Of the backend.
    pub(crate) fn witnesses(&self, look: &mut dyn FnMut() -> Result<()>) -> Result<Witnesses> {
        let mut found: BTreeMap<u64, Option<Vec<(u32, u32, [u8; 32])>>> = BTreeMap::new();
        let mut note = |commit: u64, patient: u32, number: u32, witness: Option<[u8; 32]>| {
            let all = found.entry(commit).or_insert_with(|| Some(Vec::new()));
            match (all.as_mut(), witness) {
                (Some(all), Some(witness)) => all.push((patient, number, witness)),
                _ => *all = None,
            }
        };
        let (mut lost, mut gone) = (false, BTreeSet::new());
        for (patient, row) in self.store.all_gone(&*self.view)? {
            for Gone { block, witness } in row {
                gone.insert((patient, block));
                match witness {
                    Some((commit, witness)) => note(commit, patient, block, Some(witness)),
                    None => lost = true,
                }
            }
        }
        let mut numbers = Vec::new();
        self.view.range(Table::Block, &[], &[0xff; 9], &mut |key, _| {
            let number = |at: usize| key.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
            numbers.extend(number(0).zip(number(4)));
            true
        })?;
        for (patient, number) in numbers {
            look()?;
            if gone.contains(&(patient, number)) {
                return Err(Code::Corrupt.error());
            }
            let block = self.store.block(&*self.view, Place { patient, block: number, slot: 0 }, None, false)?;
            note(block.commit, patient, number, self.store.block_witness(&block));
        }
        let by_commit = found.into_iter().map(|(commit, all)| (commit, all.map(combined))).collect();
        Ok(Witnesses { by_commit, lost })
    }
}

impl Store {
    /// What is known of the blocks of every chart that was shredded.
    fn all_gone(&self, view: &dyn ReadView) -> Result<Vec<(u32, Vec<Gone>)>> {
        let (mut charts, from) = (Vec::new(), &b"gone "[..]);
        view.range(Table::Meta, from, &[from, &[0xff; 6]].concat(), &mut |key, _| {
            if let Some([a, b, c, d, compartment]) = key.get(from.len()..) {
                charts.push((u32::from_be_bytes([*a, *b, *c, *d]), *compartment));
            }
            true
        })?;
        charts.into_iter().map(|chart| Ok((chart.0, self.gone(view, chart)?.1))).collect()
    }
}
