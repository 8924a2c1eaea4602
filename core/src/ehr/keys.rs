//! The ways to open a store: added, replaced, taken away. The root and everything sealed under it stay as they are.

use super::Session;
use crate::access::Action;
use crate::audit::EventKind;
use crate::error::Result;
use crate::keys::{KeyRing, KeySource};

impl Session {
    /// The names of the ways to open the store.
    ///
    /// # Errors
    /// - `denied`, of the store.
    pub fn keys(&self) -> Result<Vec<String>> {
        let event = self.event(EventKind::Keys);
        self.enter(Action::Keys, &event)?;
        self.inner_note(event)?;
        KeyRing::wrap_names(&self.store().header()?)
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
        self.change_header(|header| KeyRing::with_wrap(header, current, added, self.store().random()))
    }

    /// Takes a way to open the store away. `current` is one that opens it now, and may be that one where another is left.
    ///
    /// # Privacy
    /// A copy of the file that was made before opens as it did before.
    ///
    /// # Errors
    /// - `denied`; `wrong-key` where `current` does not open the store; `not-found`; `last-key`: there is no other.
    pub fn remove_key(&self, current: &dyn KeySource, name: &str) -> Result<()> {
        self.change_header(|header| KeyRing::without_wrap(header, current, name))
    }

    fn change_header(&self, made: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<()> {
        let mut event = self.event(EventKind::Keys);
        self.enter(Action::Keys, &event)?;
        let changed = self.store().header().and_then(|header| made(&header));
        let header = match changed {
            Ok(header) => header,
            Err(error) => return self.refuse(&event, error),
        };
        // The event first: no way in without a word about it. Should the header then fail, a second event says so.
        event.count = 1;
        self.inner_note(event.clone())?;
        match self.store().put_header(&header) {
            Err(error) => self.refuse(&event, error),
            Ok(()) => Ok(()),
        }
    }
}
