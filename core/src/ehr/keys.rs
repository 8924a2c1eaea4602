//! The ways to open a store: added, replaced, taken away. The root and everything sealed under it stay as they are.

use super::{Path, Session};
use crate::error::Result;
use crate::keys::{KeyRing, KeySource};
use crate::store::Store;

impl Session {
    /// The names of the ways to open the store.
    ///
    /// # Errors
    /// - `denied`, of the store.
    pub fn keys(&self) -> Result<Vec<String>> {
        let pass = self.enter(Path::Keys)?;
        let names = pass.store().header().and_then(|header| KeyRing::wrap_names(&header));
        pass.show(names)
    }

    /// Adds a way to open the store, or puts another in place of the one of the same name (a new passphrase). `current` is one
    /// that opens it now. No record is written anew.
    ///
    /// # Privacy
    /// A copy of the file that was made before opens as it did before.
    ///
    /// # Errors
    /// - `denied`; `wrong-key` where `current` does not open the store; those of the key sources.
    pub fn put_key(&self, current: &dyn KeySource, added: &dyn KeySource) -> Result<()> {
        self.change_header(Path::PutKey, |store, header| KeyRing::with_wrap(header, current, added, store.random()))
    }

    /// Takes a way to open the store away. `current` is one that opens it now, and may be that one where another is left.
    ///
    /// # Privacy
    /// A copy of the file that was made before opens as it did before.
    ///
    /// # Errors
    /// - `denied`; `wrong-key` where `current` does not open the store; `not-found`; `last-key`: there is no other.
    pub fn remove_key(&self, current: &dyn KeySource, name: &str) -> Result<()> {
        self.change_header(Path::RemoveKey, |_, header| KeyRing::without_wrap(header, current, name))
    }

    fn change_header(&self, path: Path, made: impl FnOnce(&Store, &[u8]) -> Result<Vec<u8>>) -> Result<()> {
        let mut pass = self.enter(path)?;
        let store = pass.store();
        let changed = store.header().and_then(|header| made(store, &header));
        let header = match changed {
            Ok(header) => header,
            Err(error) => return pass.refuse(error),
        };
        // The event first: no way in without a word about it. Should the header then fail, a second event says so.
        pass.event.count = 1;
        pass.note_now(pass.event.clone())?;
        match store.put_header(&header) {
            Err(error) => pass.refuse(error),
            Ok(()) => Ok(()),
        }
    }
}
