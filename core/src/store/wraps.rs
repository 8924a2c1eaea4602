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
/// The row that says that an epoch is still to be destroyed, and which: `epoch 4`.
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
    /// keys were wrapped anew. `noted` is called before another epoch is begun; where it fails, none is.
    ///
    /// What an earlier call could not finish is finished first: so there are never more than two epochs, however often it fails. A
    /// wrapped key that opens under no key there is stays as it is, and does not keep the others from theirs.
    ///
    /// # Durability
    /// After a failure or a crash in between every record opens, and opening the store for writing finishes it.
    ///
    /// # Errors
    /// - of `noted`, of the backend.
    pub(crate) fn burn(&self, at: Timestamp, noted: impl FnOnce() -> Result<()>) -> Result<u64> {
        if self.has_turn() {
            return Err(Code::TurnHeld.error());
        }
        // One at a time, from the first step to the last: another's epoch in between would take the key that this one wraps under.
        let _one = lock(&self.rotating);
        if self.keys.epochs() > 1 {
            self.finish_epoch(at)?;
        }
        self.change_header(at, |header| self.keys.with_new_epoch(header, &*self.random), noted)?;
        self.finish_epoch(at)
    }

    /// Where a change of the epoch was not finished, finishes it.
    ///
    /// # Errors
    /// - of the backend. Every record opens all the same, and the next opening tries again.
    pub(super) fn finish_burning(&self) -> Result<()> {
        let at = Timestamp(i64::MIN);
        if self.latest()?.get(Table::Meta, BURN)?.is_some() {
            self.burn(at, || Ok(())).map(drop)
        } else if self.keys.epochs() > 1 {
            let _one = lock(&self.rotating);
            self.finish_epoch(at).map(drop)
        } else {
            Ok(())
        }
    }

    /// Whether a key, or bytes, of something that was destroyed are in the file still: what was to take them out of it failed, or waits for a
    /// copy that reads them.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn is_unfinished(&self) -> Result<bool> {
        let view = self.latest()?;
        Ok(self.keys.epochs() > 1
            || view.get(Table::Meta, BURN)?.is_some()
            || view.get(Table::Lifecycle, super::destroy::WIPE)?.is_some())
    }

    /// Tries again what could not be finished: see [`Store::is_unfinished`].
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn finish(&self, at: Timestamp) -> Result<()> {
        self.finish_burning()?;
        self.finish_destroying(at).map(drop)
    }

    /// Wraps the keys of all groups under the current epoch key and destroys those before. Held by who has `rotating`.
    fn finish_epoch(&self, at: Timestamp) -> Result<u64> {
        let epoch = self.keys.patient_epoch();
        let mut change = self.change(at, "")?;
        let count = change.rewrap_groups()?;
        // A mark that was left since this epoch began asks for the end of this one too.
        let burnt = |mark: &[u8]| mark.first_chunk().is_none_or(|last| u32::from_be_bytes(*last) < epoch);
        if change.rows.get(Table::Meta, BURN)?.is_some_and(|mark| burnt(&mark)) {
            change.rows.mine.delete(Table::Meta, BURN.to_vec());
        }
        change.commit()?;
        // Seen again in what is committed: a key is destroyed only where nothing opens with it any more.
        for (row, wrapped) in group_rows(&*self.latest()?)? {
            if matches!(self.keys.rewrapped(group_at(&row)?, &wrapped, &*self.random), Ok(Some(_))) {
                return Err(Code::Conflict.error());
            }
        }
        self.change_header(at, |header| self.keys.with_epochs_from(header, epoch, &*self.random), || Ok(()))?;
        Ok(count)
    }
}

impl Change<'_> {
    /// Gives the group of a patient a new key and wraps those of its patients under it; the one before is to be destroyed by [`Store::burn`]
    /// once this is committed. Gives how many of the group's wrapped keys open no more: they stay as they are.
    ///
    /// Where the group's own key is lost, its row is dropped for that of a new key: what was wrapped under it is lost already, and a chart
    /// must be destroyed all the same.
    pub(super) fn renew_group(&mut self, patient: u32) -> Result<u64> {
        let (group, store) = (group_of(patient), self.store);
        let old = match store.group_key(&self.rows, group, false) {
            Err(error) if is_damage(error.code()) => None,
            found => found?,
        };
        let new = store.new_group(&mut self.rows, group)?;
        let first = group * GROUP;
        let end = patient_row((first.saturating_add(GROUP - 1), u8::MAX));
        let mut rows = Vec::new();
        self.rows.range(Table::Patient, &first.to_be_bytes(), &end, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        })?;
        let mut lost = 0;
        for (row, wrapped) in rows {
            let (Some(patient), Some(compartment)) = (row.first_chunk(), row.last()) else {
                return Err(Code::Corrupt.error());
            };
            let patient = PatientNumber(u32::from_be_bytes(*patient));
            let again = old
                .as_ref()
                .map(|old| store.keys.regrouped(patient, *compartment, [old, &new], &wrapped, &*store.random));
            match again {
                Some(Ok(again)) => self.rows.mine.put(Table::Patient, row, again),
                Some(Err(error)) if !is_damage(error.code()) => return Err(error),
                _ => lost += 1,
            }
        }
        self.rows.mine.put(Table::Meta, BURN.to_vec(), store.keys.patient_epoch().to_be_bytes().to_vec());
        Ok(lost)
    }

    /// Wraps the keys of all groups under the current epoch key; those that open under no key there is stay as they are.
    fn rewrap_groups(&mut self) -> Result<u64> {
        let mut count = 0;
        for (row, wrapped) in group_rows(&self.rows)? {
            match self.store.keys.rewrapped(group_at(&row)?, &wrapped, &*self.store.random) {
                Ok(Some(again)) => {
                    self.rows.mine.put(Table::Meta, row, again);
                    count += 1;
                }
                Ok(None) => {}
                Err(error) if is_damage(error.code()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

/// Whether a wrapped key failed to open for good: no later call will open it.
fn is_damage(code: Code) -> bool {
    matches!(code, Code::Corrupt | Code::WrongKey | Code::KeyEpochGone | Code::Truncated | Code::VersionUnsupported)
}

/// The rows with the wrapped keys of groups.
fn group_rows(view: &dyn ReadView) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rows = Vec::new();
    view.range(Table::Meta, GROUPS, &[GROUPS, &[u8::MAX; 5]].concat(), &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    })?;
    Ok(rows)
}

fn group_at(row: &[u8]) -> Result<u32> {
    row.last_chunk().copied().map(u32::from_be_bytes).ok_or_else(|| Code::Corrupt.error())
}

const GROUPS: &[u8] = b"group ";

pub(super) fn group_row(group: u32) -> Vec<u8> {
    [GROUPS, &group.to_be_bytes()].concat()
}

/// Whether a key of the table meta is that of a group's row.
pub(super) fn is_group_row(key: &[u8]) -> bool {
    key.starts_with(GROUPS) && key.len() == GROUPS.len() + 4
}

/// The group of a patient.
pub(super) const fn group_of(patient: u32) -> u32 {
    patient / GROUP
}

#[cfg(test)]
mod tests {
    use super::super::tests::{found, observation, patient, put};
    use super::*;
    use crate::id::{Random, SystemRandom};
    use crate::keys::RawKey;
    use crate::limits::Watch;
    use crate::store::testing::FaultyFile;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    const KEY: [u8; 32] = [1; 32];

    /// Randomness that is there so many times, and then fails so many times.
    struct Failing {
        skip: AtomicUsize,
        left: AtomicUsize,
    }
    impl Random for Failing {
        fn fill(&self, buffer: &mut [u8]) -> Result<()> {
            let next = |count: &AtomicUsize| count.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            if !next(&self.skip) && next(&self.left) {
                return Err(Code::RandomUnavailable.error());
            }
            SystemRandom::default().fill(buffer)
        }
    }

    fn made(file: &FaultyFile) -> Store {
        let random = Arc::new(SystemRandom::default());
        Store::create_on(Box::new(file.clone()), &RawKey::new(KEY), random, 1 << 20).expect("a store in memory")
    }

    fn opened(file: &FaultyFile) -> Result<Store> {
        let (file, random) = (FaultyFile::with(file.bytes()), Arc::new(SystemRandom::default()));
        Store::open_on(Box::new(file), &RawKey::new(KEY), random, 1 << 20, false)
    }

    fn filled(store: &Store) {
        put(store, 1, &[patient("p", "Doe", "1970-01-01"), observation("o", "Patient/p", "1-8", "2020-01-01")]);
    }

    fn reads(store: &Store) -> bool {
        let number = store.snapshot().and_then(|view| view.patient("p")).expect("readable").expect("there");
        store.snapshot().and_then(|view| view.chart(number)).is_ok_and(|chart| chart.len() == 2)
            && found(store, "Observation", "code=1-8") == ["o"]
    }

    #[test]
    fn rotations_of_many_threads_at_once_while_others_write_leave_every_chart_readable() {
        let file = FaultyFile::default();
        let store = made(&file);
        filled(&store);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        store.burn(Timestamp(9), || Ok(())).expect("it burns");
                    }
                });
            }
            scope.spawn(|| {
                for number in 0..20 {
                    put(&store, 10 + number, &[patient(&format!("q{number}"), "Roe", "1980-01-01")]);
                }
            });
        });
        assert_eq!((store.keys.epochs(), store.keys.patient_epoch()), (1, 16));
        drop(store);
        let store = opened(&file).expect("it opens");
        assert!(reads(&store));
        assert_eq!(found(&store, "Patient", "family=Roe").len(), 20);
    }

    #[test]
    fn a_rotation_that_stopped_half_way_however_often_is_taken_up_again_and_uses_up_no_epochs() {
        let file = FaultyFile::default();
        let store = made(&file);
        filled(&store);
        // As a failure after the first step leaves it.
        let begin =
            || store.change_header(Timestamp(2), |old| store.keys.with_new_epoch(old, &*store.random), || Ok(()));
        for round in 0..20 {
            begin().expect("written");
            assert_eq!(store.keys.epochs(), 2, "round {round}");
            store.burn(Timestamp(3), || Ok(())).expect("it burns");
            assert_eq!(store.keys.epochs(), 1, "round {round}");
            let refused = store.burn(Timestamp(3), || Err(Code::AuditUnavailable.error()));
            assert_eq!(refused.expect_err("refused").code(), Code::AuditUnavailable);
            assert_eq!(store.keys.epochs(), 1, "round {round}");
        }
        begin().expect("written");
        drop(store);
        let store = opened(&file).expect("it opens");
        assert_eq!(store.keys.epochs(), 1, "opening finishes it");
        assert!(reads(&store));
    }

    #[test]
    fn a_wrapped_key_that_opens_with_nothing_keeps_neither_the_store_from_opening_nor_the_others_from_their_new_key() {
        for damaged in [vec![7; 100], Vec::new(), vec![0; 12]] {
            let file = FaultyFile::default();
            let store = made(&file);
            filled(&store);
            let mut change = store.change(Timestamp(2), "").expect("its turn");
            change.rows.mine.put(Table::Meta, group_row(9), damaged.clone());
            change.rows.mine.put(Table::Meta, BURN.to_vec(), 1_u32.to_be_bytes().to_vec());
            change.commit().expect("written");
            assert_eq!(store.burn(Timestamp(3), || Ok(())).expect("it burns"), 1);
            let epoch = store.keys.patient_epoch();
            drop(store);
            let store = opened(&file).expect("it opens");
            assert_eq!((store.keys.epochs(), store.keys.patient_epoch()), (1, epoch));
            assert!(reads(&store));
            let kept = store.latest().and_then(|view| view.get(Table::Meta, &group_row(9))).expect("readable");
            assert_eq!(kept, Some(damaged), "as it was, for who looks for the cause");
        }
    }

    /// The key of a group was damaged in its row, and shredding a patient of the group failed for want of a key that is gone.
    #[test]
    fn a_patient_whose_groups_key_is_lost_is_shredded_and_new_patients_of_the_group_have_keys_again() {
        let file = FaultyFile::default();
        let store = made(&file);
        filled(&store);
        put(&store, 2, &[patient("q", "Roe", "1980-01-01")]);
        let mut change = store.change(Timestamp(3), "").expect("its turn");
        change.rows.mine.put(Table::Meta, group_row(0), vec![7; 100]);
        change.commit().expect("written");
        store.forget(&[]);
        let mut change = store.change(Timestamp(4), "office").expect("its turn");
        let done = change.shred("p", None).expect("it is shredded");
        assert_eq!((done.damaged, done.keys_lost), (2, 1), "both blocks of p, and the key of q");
        change.commit().expect("written");
        store.burn(Timestamp(4), || Ok(())).expect("it burns");
        let view = store.snapshot().expect("readable");
        assert!(view.is_erased("p").expect("readable") && found(&store, "Patient", "family=Doe").is_empty());
        drop(view);
        put(&store, 5, &[patient("r", "Moe", "1990-01-01")]);
        drop(store);
        let store = opened(&file).expect("it opens");
        assert_eq!(found(&store, "Patient", "family=Moe"), ["r"]);
    }

    /// What failed was told to nobody.
    #[test]
    fn an_epoch_that_could_not_be_finished_when_the_store_was_opened_is_said_and_tried_again() {
        let file = FaultyFile::default();
        let store = made(&file);
        filled(&store);
        assert!(!store.is_unfinished().expect("readable"));
        store
            .change_header(Timestamp(2), |old| store.keys.with_new_epoch(old, &*store.random), || Ok(()))
            .expect("written");
        assert!(store.is_unfinished().expect("readable"));
        drop(store);
        // Something that is drawn for finishing it fails, and nothing that is drawn for opening.
        let mut said = 0;
        for skip in 0..40 {
            let failing = Arc::new(Failing { skip: AtomicUsize::new(skip), left: AtomicUsize::new(1) });
            let copy = FaultyFile::with(file.bytes());
            let Ok(store) = Store::open_on(Box::new(copy), &RawKey::new(KEY), failing.clone(), 1 << 20, false) else {
                continue;
            };
            if failing.left.load(SeqCst) > 0 {
                break;
            }
            if !store.is_unfinished().expect("readable") {
                continue; // it was drawn after the last step
            }
            assert!(reads(&store), "every record opens without it");
            let checked = store.snapshot().and_then(|view| view.check(&Watch::default(), &mut |_, _| true));
            let checked = checked.expect("readable");
            assert_eq!(checked.damage.iter().map(|one| one.what.name()).collect::<Vec<_>>(), ["unfinished"]);
            said += 1;
        }
        assert!(said > 0);
        let store = opened(&file).expect("it opens");
        assert!(!store.is_unfinished().expect("readable"), "opening tried again");
        // And where the handle stays open, trying again does it.
        store
            .change_header(Timestamp(2), |old| store.keys.with_new_epoch(old, &*store.random), || Ok(()))
            .expect("written");
        assert!(store.is_unfinished().expect("readable"));
        store.finish(Timestamp(3)).expect("it is finished");
        assert!(!store.is_unfinished().expect("readable") && reads(&store));
    }

    #[test]
    fn a_mark_left_in_an_epoch_that_is_begun_already_asks_for_the_next_one() {
        let file = FaultyFile::default();
        let store = made(&file);
        filled(&store);
        store
            .change_header(Timestamp(2), |old| store.keys.with_new_epoch(old, &*store.random), || Ok(()))
            .expect("written");
        let mut change = store.change(Timestamp(2), "").expect("its turn");
        change.renew_group(1).expect("there is a group");
        change.commit().expect("written");
        drop(store);
        let store = opened(&file).expect("it opens");
        assert_eq!(
            (store.keys.epochs(), store.keys.patient_epoch()),
            (1, 3),
            "2 was in use before the group was renewed"
        );
        assert_eq!(store.latest().and_then(|view| view.get(Table::Meta, BURN)).expect("readable"), None);
        assert!(reads(&store));
    }
}
