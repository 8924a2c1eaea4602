//! The header that holds the keys, changed in place.
//!
//! The revision of the header is kept inside the store too, sealed: a header of an earlier time put in front of the store, which would
//! bring back a way in that was taken away or a root that was replaced, does not open it.

use super::{Backend, Batch, Change, ReadView, Store, Table, lock};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::keys::{KeyRing, KeyStatus, NewHeader};
use crate::time::Timestamp;
use crate::vault::{self, Context, RowKind};
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;

/// What a change of the header did.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) status: KeyStatus,
    /// The ways to open the store that are no more.
    pub(crate) dropped: Vec<String>,
}

/// The row that holds the revision.
pub(super) const REVISION: &[u8] = b"header";
/// Bytes of rows that are copied in one change set.
const COPIED_AT_ONCE: usize = 8 << 20;

impl Store {
    /// The header with the wrapped keys.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn header(&self) -> Result<Vec<u8>> {
        self.backend.header()
    }

    /// Puts another header in the place of the one there is, durably, and goes over to what it says.
    ///
    /// `noted` is called once it is known that the new header can be made, and before anything is written; where it fails,
    /// nothing is.
    ///
    /// Once the header is on the disk the new keys are what opens the store, so from there on nothing is an error.
    ///
    /// # Errors
    /// - of `made`, of `noted`, of the backend. Where the disk failed, what opens the store is known when it is opened again.
    pub(crate) fn change_header(
        &self,
        at: Timestamp,
        made: impl FnOnce(&[u8]) -> Result<NewHeader>,
        noted: impl FnOnce() -> Result<()>,
    ) -> Result<Changed> {
        self.at_home()?;
        if self.has_turn() {
            return Err(Code::TurnHeld.error());
        }
        let _one = lock(&self.rekeying);
        let header = made(&self.backend.header()?)?;
        noted()?;
        self.backend.put_header(&header.bytes)?;
        let changed = Changed { status: KeyRing::status(&header.bytes)?, dropped: header.dropped.clone() };
        self.keys.take(header);
        // Where it cannot be noted now, it is when the store is opened the next time.
        let _ = self.note_revision(at, changed.status.revision);
        Ok(changed)
    }

    /// Writes everything the store holds into another file, under another page key, without what is free or was deleted. From then
    /// on that file is the store, and this handle answers `store-moved`.
    ///
    /// `noted` adds to the change set what is to be in the other file only; when it is called nobody else can read or write any more.
    /// Where the copy fails afterwards, this file stays the store, without that.
    ///
    /// # Errors
    /// - `turn-held`; `store-exists`, `io`: of the other file; of `noted`, of the backend.
    pub(crate) fn move_to(
        &self,
        file: &Path,
        at: Timestamp,
        noted: impl FnOnce(&mut Change<'_>) -> Result<()>,
    ) -> Result<()> {
        self.at_home()?;
        if self.has_turn() {
            return Err(Code::TurnHeld.error());
        }
        let disk = super::embedded::new_file(file)?;
        let moved = self.move_onto(Box::new(disk), at, noted);
        if moved.is_err() {
            self.moved.store(false, SeqCst);
            let _ = std::fs::remove_file(file); // made a moment ago by this call
        }
        moved
    }

    fn move_onto(
        &self,
        disk: Box<dyn redb::StorageBackend>,
        at: Timestamp,
        noted: impl FnOnce(&mut Change<'_>) -> Result<()>,
    ) -> Result<()> {
        let _one = lock(&self.rekeying);
        let (header, key) = self.keys.with_new_page_key(&self.backend.header()?, &*self.random)?;
        let mut change = self.change(at, "")?;
        self.moved.store(true, SeqCst);
        noted(&mut change)?;
        let store = self.keys.store_id();
        let other = self.backend.beside(disk, &header.bytes, &key, store, self.random.clone())?;
        for table in Table::ALL {
            copy(change.view(), table, &*other)?;
        }
        let mut last = Batch::default();
        let revision = self.sealed_revision(KeyRing::status(&header.bytes)?.revision)?;
        last.put(Table::Meta, REVISION.to_vec(), revision);
        other.commit(&last)
    }

    /// Compares the header with the revision that the store has seen; where a crash kept it from being noted, notes it.
    ///
    /// # Errors
    /// - `header-old`: it is an earlier one.
    pub(super) fn check_revision(&self, read_only: bool) -> Result<()> {
        let revision = KeyRing::status(&self.backend.header()?)?.revision;
        let sealed = self.latest()?.get(Table::Meta, REVISION)?.ok_or_else(|| Code::Corrupt.error())?;
        let plain = vault::open(self.keys.store_key(), &self.revision_context(), &sealed)?;
        let seen: [u8; 4] = plain.as_slice().try_into().map_err(|_| Code::Corrupt.error())?;
        match u32::from_be_bytes(seen) {
            seen if seen > revision => Err(Code::HeaderOld.error()),
            seen if seen < revision && !read_only => self.note_revision(Timestamp(i64::MIN), revision),
            _ => Ok(()),
        }
    }

    fn note_revision(&self, at: Timestamp, revision: u32) -> Result<()> {
        let sealed = self.sealed_revision(revision)?;
        let mut change = self.change(at, "")?;
        change.table_put(Table::Meta, REVISION.to_vec(), sealed)?;
        change.commit().map(drop)
    }

    pub(super) fn sealed_revision(&self, revision: u32) -> Result<Vec<u8>> {
        vault::seal(self.keys.store_key(), &self.revision_context(), &revision.to_be_bytes(), &*self.random)
    }

    fn revision_context(&self) -> Context<'static> {
        Context::new(self.keys.store_id(), PatientNumber::SHARED, RowKind::KeyState, 0, 0)
    }
}

/// Copies a table, a few rows at a time.
fn copy(from: &dyn ReadView, table: Table, to: &dyn Backend) -> Result<()> {
    let mut start = Vec::new();
    loop {
        let (mut batch, mut bytes, mut last) = (Batch::default(), 0, None);
        from.range(table, &start, &[u8::MAX; 64], &mut |key, value| {
            batch.put(table, key.to_vec(), value.to_vec());
            bytes += key.len() + value.len();
            last = Some(key.to_vec());
            bytes < COPIED_AT_ONCE
        })?;
        let Some(last) = last else { return Ok(()) };
        to.commit(&batch)?;
        start = [last.as_slice(), &[0]].concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;
    use crate::keys::RawKey;
    use crate::store::testing::FaultyFile;
    use std::sync::Arc;

    fn store(file: &FaultyFile, source: &RawKey) -> Result<Store> {
        let random = Arc::new(SystemRandom::default());
        match file.bytes().is_empty() {
            true => Store::create_on(Box::new(file.clone()), source, random, 1 << 20),
            false => Store::open_on(Box::new(FaultyFile::with(file.bytes())), source, random, 1 << 20, false),
        }
    }

    #[test]
    fn behind_a_header_of_an_earlier_time_the_store_does_not_open_even_with_its_key() {
        let file = FaultyFile::default();
        let (old, new) = (RawKey::new([1; 32]), RawKey::new([2; 32]));
        let made = store(&file, &old).expect("a store in memory");
        let before = made.header().expect("there");
        let rotated = |header: &[u8]| KeyRing::with_new_root(header, &old, &[&new], made.random());
        made.change_header(Timestamp(1), rotated, || Ok(())).expect("the key opens it");
        made.backend.put_header(&before).expect("written");
        drop(made);
        assert_eq!(store(&file, &old).map(|_| ()).expect_err("refused").code(), Code::HeaderOld);
        assert_eq!(store(&file, &new).map(|_| ()).expect_err("refused").code(), Code::WrongKey);
    }

    #[test]
    fn a_revision_that_a_crash_kept_from_being_noted_is_noted_when_the_store_is_opened() {
        let file = FaultyFile::default();
        let (old, new) = (RawKey::new([1; 32]), RawKey::new([2; 32]));
        let made = store(&file, &old).expect("a store in memory");
        let header = KeyRing::with_new_root(&made.header().expect("there"), &old, &[&new], made.random());
        made.backend.put_header(&header.expect("the key opens it").bytes).expect("written");
        drop(made);
        let file = {
            let again = FaultyFile::with(file.bytes());
            let random = Arc::new(SystemRandom::default());
            drop(Store::open_on(Box::new(again.clone()), &new, random, 1 << 20, false).expect("it opens"));
            again
        };
        let opened = store(&file, &new).expect("it opens");
        let sealed =
            opened.latest().and_then(|view| view.get(Table::Meta, REVISION)).expect("readable").expect("there");
        let plain = vault::open(opened.keys.store_key(), &opened.revision_context(), &sealed).expect("its own");
        assert_eq!(*plain, 2_u32.to_be_bytes());
    }

    #[test]
    fn a_key_that_is_in_force_is_never_said_to_have_failed_whichever_call_of_the_disk_fails() {
        let (old, new) = (RawKey::new([1; 32]), RawKey::new([2; 32]));
        let (mut unsure, mut done) = (0, 0);
        for calls in 0..200 {
            let file = FaultyFile::default();
            let made = store(&file, &old).expect("a store in memory");
            let rotated = |header: &[u8]| KeyRing::with_new_root(header, &old, &[&new], made.random());
            file.fail_after(calls);
            let changed = made.change_header(Timestamp(1), rotated, || Ok(()));
            let bytes = file.bytes(); // as a crash leaves it
            let opens = |key: &RawKey| store(&FaultyFile::with(bytes.clone()), key).is_ok();
            match changed {
                Ok(_) => {
                    assert!(opens(&new), "after {calls} calls");
                    done += 1;
                }
                // Only what fails while the first copy is written leaves it open which it is.
                Err(_) => unsure += usize::from(opens(&new)),
            }
            if done == 10 {
                break;
            }
        }
        assert!(done >= 3, "the later calls fail after it was done");
        assert!(unsure <= 1, "{unsure} failures of what took effect");
    }

    #[test]
    fn where_the_word_about_a_change_cannot_be_noted_nothing_is_changed() {
        let file = FaultyFile::default();
        let (old, new) = (RawKey::new([1; 32]), RawKey::new([2; 32]));
        let made = store(&file, &old).expect("a store in memory");
        let before = made.header().expect("there");
        let rotated = |header: &[u8]| KeyRing::with_new_root(header, &old, &[&new], made.random());
        let refused = || Err(Code::AuditUnavailable.error());
        assert_eq!(
            made.change_header(Timestamp(1), rotated, refused).expect_err("refused").code(),
            Code::AuditUnavailable
        );
        assert_eq!(made.header().expect("there"), before);
    }

    #[test]
    fn in_another_process_nothing_is_read_and_nothing_is_written() {
        let file = FaultyFile::default();
        let mut made = store(&file, &RawKey::new([1; 32])).expect("a store in memory");
        made.process ^= 1; // as a forked one finds it
        let before = file.bytes();
        assert_eq!(made.snapshot().map(|_| ()).expect_err("refused").code(), Code::Forked);
        assert_eq!(made.change(Timestamp(1), "x").map(|_| ()).expect_err("refused").code(), Code::Forked);
        let kept = |_: &[u8]| -> Result<NewHeader> { panic!("nobody asks") };
        assert_eq!(made.change_header(Timestamp(1), kept, || Ok(())).expect_err("refused").code(), Code::Forked);
        assert_eq!(file.bytes(), before);
    }
}
