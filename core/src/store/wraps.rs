//! The keys between the store's and the patients': one for each 256 patients, so that destroying one patient's key for good takes
//! a few hundred rows and not one for each patient.
//!
//! A patient's key is wrapped under the key of its group, that under the epoch key which the header holds, sealed. The file keeps older
//! versions of rows, in pages that are free; so where a row is to be gone for ever, its group and then the epoch get new keys, and the old
//! epoch key is written over in the header: what was wrapped under it opens no more, wherever a copy of it lies.

use super::backend::Overlay;
use super::{Change, ReadView, Store, Table, lock, patient_row};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::time::Timestamp;
use crate::vault::SealKey;
use std::sync::atomic::Ordering::SeqCst;

/// Patients whose keys lie under one key.
const GROUP: u32 = 256;
/// The row that says that the epoch is still to be changed.
const BURN: &[u8] = b"burn";

impl Store {
    /// The key of a compartment of a patient.
    pub(super) fn patient_key(&self, view: &dyn ReadView, chart: (u32, u8), keep: bool) -> Result<SealKey> {
        if keep && let Some(key) = lock(&self.patient_keys).get(&chart) {
            return Ok(key);
        }
        let shreds = self.shreds.load(SeqCst);
        let key = match self.unwrapped(view, chart, keep) {
            // The view is older than the keys that wrap: what is committed now has the same key under those there are.
            Err(error) if keep && matches!(error.code(), Code::KeyEpochGone | Code::WrongKey) => {
                self.unwrapped(&*self.latest()?, chart, false)?
            }
            unwrapped => unwrapped?,
        };
        if keep {
            self.remember(&self.patient_keys, shreds, chart, key.clone(), 1);
        }
        Ok(key)
    }

    fn unwrapped(&self, view: &dyn ReadView, chart: (u32, u8), keep: bool) -> Result<SealKey> {
        let wrapped = view.get(Table::Patient, &patient_row(chart))?.ok_or_else(|| Code::Erased.error())?;
        let group = self.group_key(view, group_of(chart.0), keep)?.ok_or_else(|| Code::Corrupt.error())?;
        self.keys.patient_key(PatientNumber(chart.0), chart.1, &group, &wrapped)
    }

    /// Makes a key for a compartment of a patient; gives it and its wrapped form.
    pub(super) fn new_patient_key(&self, rows: &mut Overlay, chart: (u32, u8)) -> Result<(SealKey, Vec<u8>)> {
        let group = match self.group_key(rows, group_of(chart.0), false)? {
            Some(key) => key,
            None => self.new_group(rows, group_of(chart.0))?,
        };
        self.keys.new_patient_key(PatientNumber(chart.0), chart.1, &group, &*self.random)
    }

    fn group_key(&self, view: &dyn ReadView, group: u32, keep: bool) -> Result<Option<SealKey>> {
        if keep && let Some(key) = lock(&self.group_keys).get(&group) {
            return Ok(Some(key));
        }
        let shreds = self.shreds.load(SeqCst);
        let Some(wrapped) = view.get(Table::Meta, &group_row(group))? else { return Ok(None) };
        let key = self.keys.group_key(group, &wrapped)?;
        if keep {
            self.remember(&self.group_keys, shreds, group, key.clone(), 1);
        }
        Ok(Some(key))
    }

    fn new_group(&self, rows: &mut Overlay, group: u32) -> Result<SealKey> {
        let (key, wrapped) = self.keys.new_group_key(group, &*self.random)?;
        rows.mine.put(Table::Meta, group_row(group), wrapped);
        Ok(key)
    }

    /// Goes over to another epoch key: what was wrapped under those before, and is not in use now, opens no more. Gives how many
    /// keys were wrapped anew. `noted` is called before anything is written; where it fails, nothing is.
    ///
    /// # Durability
    /// After a failure or a crash in between every record opens, and opening the store for writing finishes it.
    ///
    /// # Errors
    /// - of `noted`, of the backend; `wrong-key`, `corrupt`: a wrapped key is not what was written.
    pub(crate) fn burn(&self, at: Timestamp, noted: impl FnOnce() -> Result<()>) -> Result<u64> {
        if self.has_turn() {
            return Err(Code::TurnHeld.error());
        }
        let _one = lock(&self.rotating);
        self.change_header(at, |header| self.keys.with_new_epoch(header, &*self.random), noted)?;
        self.finish_epoch(at)
    }

    /// Where a change of the epoch was not finished, finishes it.
    pub(super) fn finish_burning(&self) -> Result<()> {
        let at = Timestamp(i64::MIN);
        if self.latest()?.get(Table::Meta, BURN)?.is_some() {
            self.burn(at, || Ok(())).map(drop)
        } else if self.keys.epochs() > 1 {
            self.finish_epoch(at).map(drop)
        } else {
            Ok(())
        }
    }

    /// Wraps the keys of all groups under the current epoch key and destroys those before.
    fn finish_epoch(&self, at: Timestamp) -> Result<u64> {
        let mut change = self.change(at, "")?;
        let count = change.rewrap_groups()?;
        change.rows.mine.delete(Table::Meta, BURN.to_vec());
        change.commit()?;
        self.change_header(at, |header| self.keys.with_last_epoch_only(header, &*self.random), || Ok(()))?;
        Ok(count)
    }
}

impl Change<'_> {
    /// Gives the group of a patient a new key and wraps those of its patients under it; the one before is to be destroyed by [`Store::burn`]
    /// once this is committed.
    pub(super) fn renew_group(&mut self, patient: u32) -> Result<()> {
        let (group, store) = (group_of(patient), self.store);
        let old = store.group_key(&self.rows, group, false)?.ok_or_else(|| Code::Corrupt.error())?;
        let new = store.new_group(&mut self.rows, group)?;
        let first = group * GROUP;
        let end = patient_row((first.saturating_add(GROUP - 1), u8::MAX));
        let mut rows = Vec::new();
        self.rows.range(Table::Patient, &first.to_be_bytes(), &end, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        })?;
        for (row, wrapped) in rows {
            let (Some(patient), Some(compartment)) = (row.first_chunk(), row.last()) else {
                return Err(Code::Corrupt.error());
            };
            let patient = PatientNumber(u32::from_be_bytes(*patient));
            let again = store.keys.regrouped(patient, *compartment, [&old, &new], &wrapped, &*store.random)?;
            self.rows.mine.put(Table::Patient, row, again);
        }
        self.rows.mine.put(Table::Meta, BURN.to_vec(), Vec::new());
        Ok(())
    }

    /// Wraps the keys of all groups under the current epoch key.
    fn rewrap_groups(&mut self) -> Result<u64> {
        let mut rows = Vec::new();
        self.rows.range(Table::Meta, GROUPS, &[GROUPS, &[u8::MAX; 5]].concat(), &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        })?;
        let mut count = 0;
        for (row, wrapped) in rows {
            let group = row.last_chunk().copied().map(u32::from_be_bytes).ok_or_else(|| Code::Corrupt.error())?;
            if let Some(again) = self.store.keys.rewrapped(group, &wrapped, &*self.store.random)? {
                self.rows.mine.put(Table::Meta, row, again);
                count += 1;
            }
        }
        Ok(count)
    }
}

const GROUPS: &[u8] = b"group ";

fn group_row(group: u32) -> Vec<u8> {
    [GROUPS, &group.to_be_bytes()].concat()
}

/// The group of a patient.
pub(super) const fn group_of(patient: u32) -> u32 {
    patient / GROUP
}
