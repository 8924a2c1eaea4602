//! The ways to open a store: added, replaced, taken away. The root and everything sealed under it stay as they are.

use super::Session;
use crate::access::Action;
use crate::audit::{Event, EventKind};
use crate::error::{Code, Result};
use crate::keys::{KeyRing, KeySource};
use crate::store::{HEADER, Table};

impl Session {
    /// The names of the ways to open the store.
    ///
    /// # Errors
    /// - `denied`, of the store.
    pub fn keys(&self) -> Result<Vec<String>> {
        let event = self.event(EventKind::Keys);
        self.enter(Action::Keys, &event)?;
        self.inner_note(event)?;
        let header = self.snapshot()?.view().get(Table::Meta, HEADER)?.ok_or_else(|| Code::NotAStore.error())?;
        KeyRing::wrap_names(&header)
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
        let event = self.event(EventKind::Keys);
        self.enter(Action::Keys, &event)?;
        let changed = || {
            let mut change = self.store().change(event.at, &self.actor.id)?;
            let header = change.view().get(Table::Meta, HEADER)?.ok_or_else(|| Code::NotAStore.error())?;
            change.table_put(Table::Meta, HEADER.to_vec(), made(&header)?)?;
            self.commit(change, Event { count: 1, ..event.clone() })
        };
        match changed() {
            Err(error) => self.refuse(&event, error),
            Ok(_) => Ok(()),
        }
    }
}
