//! The ways to open a store: added, replaced, taken away; and rotation of the keys under them. No record is written anew.

use super::{Path, Session};
use crate::audit::Event;
use crate::error::Result;
use crate::keys::{KeyRing, KeySource, KeyStatus, NewHeader};
use crate::store::{Changed, Store};

/// What a rotation of the root did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Which root it is now.
    pub root_epoch: u32,
    /// The ways that open the store now.
    pub names: Vec<String>,
    /// The ways that opened it before and do not any more, because their sources were not given.
    pub dropped: Vec<String>,
}

impl Session {
    /// The names of the ways to open the store.
    ///
    /// # Errors
    /// - `denied`, of the store.
    pub fn keys(&self) -> Result<Vec<String>> {
        Ok(self.status_by(Path::Keys)?.names)
    }

    /// The ways to open the store, and how often its keys were rotated.
    ///
    /// # Errors
    /// - `denied`, of the store.
    pub fn key_status(&self) -> Result<KeyStatus> {
        self.status_by(Path::KeyStatus)
    }

    fn status_by(&self, path: Path) -> Result<KeyStatus> {
        let pass = self.enter(path)?;
        let status = pass.store().header().and_then(|header| KeyRing::status(&header));
        pass.show(status)
    }

    /// Adds a way to open the store, or puts another in place of the one of the same name (a new passphrase). `current` is one
    /// that opens it now. No record is written anew.
    ///
    /// # Privacy
    /// A copy of the file that was made before opens as it did before.
    ///
    /// # Errors
    /// - `denied`; `wrong-key` where `current` does not open the store; `invalid-argument`: there is no room for it; those of the
    ///   key sources.
    pub fn put_key(&self, current: &dyn KeySource, added: &dyn KeySource) -> Result<()> {
        let made = |store: &Store, header: &[u8]| KeyRing::with_wrap(header, current, added, store.random());
        self.change_header(Path::PutKey, made).map(drop)
    }

    /// Takes a way to open the store away. `current` is one that opens it now, and may be that one where another is left.
    ///
    /// # Privacy
    /// A copy of the file that was made before opens as it did before. Whoever had the key may have kept the root that it opened:
    /// after a key has leaked, [`Session::rotate_root`].
    ///
    /// # Errors
    /// - `denied`; `wrong-key` where `current` does not open the store; `not-found`; `last-key`: there is no other.
    pub fn remove_key(&self, current: &dyn KeySource, name: &str) -> Result<()> {
        let made = |store: &Store, header: &[u8]| KeyRing::without_wrap(header, current, name, store.random());
        self.change_header(Path::RemoveKey, made).map(drop)
    }

    /// Makes another root and seals the keys under it anew: from then on exactly `sources` open the store. `current` is one that
    /// opens it now, and may be among them. Ways whose source is not given are dropped, and the result names them. Takes the same
    /// time for any number of records.
    ///
    /// # Durability
    /// When this returns, the new root is in force, and both copies of the header on disk have it; where the second copy could not be
    /// written, the store takes no more writes and puts it right when it is opened again. After a crash or `store-io` either the
    /// old sources open the store or the new ones: keep both until it was opened.
    ///
    /// # Privacy
    /// A copy of the file that was made before opens with its old sources only: when the host destroys those keys, such
    /// backups are dead. Whoever had an old key and a copy of the file may have kept what lies under the root. Of that
    /// [`Session::rotate_patient_keys`] replaces the wrapping keys, [`Session::rotate_patient`] a patient's and
    /// [`Session::rotate_page_key`] that of the pages. Nothing replaces the master: with it he reads, in later copies of the file that he
    /// can open the pages of, the audit log and what is sealed for the store as a whole, and can sign heads of the log. Where that has
    /// happened, make a new store and import an export of this one.
    ///
    /// # Errors
    /// - `denied`; `wrong-key` where `current` does not open the store; `last-key`: no source is given; `invalid-argument`: two
    ///   sources of one name, or no room for them; those of the key sources.
    pub fn rotate_root(&self, current: &dyn KeySource, sources: &[&dyn KeySource]) -> Result<Rotated> {
        let made = |store: &Store, header: &[u8]| KeyRing::with_new_root(header, current, sources, store.random());
        let changed = self.change_header(Path::RotateRoot, made)?;
        Ok(Rotated { root_epoch: changed.status.root_epoch, names: changed.status.names, dropped: changed.dropped })
    }

    /// Makes another key to wrap the keys of groups of patients with, wraps all of them anew and destroys the one before. Gives how many
    /// were wrapped: one for each 256 patients. The keys of the patients stay, and so do their records.
    ///
    /// # Durability
    /// After a failure or a crash in between every record opens, and opening the store or calling this again finishes it.
    ///
    /// # Privacy
    /// Rows wrapped under the key before, in copies made before, open only with what opens such a copy.
    ///
    /// # Errors
    /// - `denied`; of the store.
    pub fn rotate_patient_keys(&self) -> Result<u64> {
        let mut pass = self.enter(Path::RotatePatientKeys)?;
        let done = pass.store().burn(pass.now(), || pass.note_now(pass.event.clone()));
        pass.event.count = done.as_ref().map_or(0, |count| *count);
        pass.show(done)
    }

    /// Writes the whole store anew into a file that must not be there yet, under another key for its pages, and without free space
    /// and what was deleted or shredded. From then on `to` is the store: this one answers `store-moved` to everything. Close it, put
    /// the new file in its place and destroy the old one.
    ///
    /// # Durability
    /// When this returns, the other file is whole and on disk. When it fails, there is none, and the store is as it was.
    ///
    /// # Privacy
    /// The old file holds all that it held, under the key it had: this protects nobody until that file is destroyed. On flash,
    /// overwriting a file may leave what was there: destroy the key that opens the old root ([`Session::rotate_root`] first).
    ///
    /// # Errors
    /// - `denied`; `store-exists`, `io`: of the other file; of the store.
    pub fn rotate_page_key(&self, to: impl AsRef<std::path::Path>) -> Result<()> {
        let pass = self.enter(Path::RotatePageKey)?;
        match pass.move_store(to.as_ref()) {
            Err(error) => pass.refuse(error),
            done => done,
        }
    }

    fn change_header(&self, path: Path, made: impl FnOnce(&Store, &[u8]) -> Result<NewHeader>) -> Result<Changed> {
        let pass = self.enter(path)?;
        let store = pass.store();
        // The event first: no way in without a word about it. Should the header then fail, a second event says so.
        let noted = || pass.note_now(Event { count: 1, ..pass.event.clone() });
        match store.change_header(pass.now(), |header| made(store, header), noted) {
            Err(error) => pass.refuse(error),
            done => done,
        }
    }
}
