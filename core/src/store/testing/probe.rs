//! The page layer seen from outside: which slot holds what, and whether bytes would be taken for what it holds.

use super::super::pages::{self, Pages};
use super::Image;
use crate::error::{Code, Result};
use crate::id::SystemRandom;
use crate::keys::{KeyRing, KeySource};
use std::sync::Arc;

pub use pages::Sort;

/// The page layer of an image, opened for looking.
pub struct Probe {
    pages: Pages,
    header: Vec<u8>,
}

impl Probe {
    /// Opens the page layer only, as a store is opened: with the first header that the key opens.
    ///
    /// # Errors
    /// - as `Store::open`.
    pub fn open(image: &Image, source: &dyn KeySource) -> Result<Probe> {
        let mut refused = Code::NotAStore.error();
        for header in pages::key_headers(image)? {
            match KeyRing::open(source, &header) {
                Ok(keys) => {
                    let random = Arc::new(SystemRandom::default());
                    let disk = Box::new(image.clone());
                    let pages = Pages::open(disk, keys.page_key(), keys.store_id(), random, false)?;
                    return Ok(Probe { header: pages.header(), pages });
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
    /// What each slot holds.
    pub fn sorts(&self) -> Vec<Sort> {
        self.pages.sorts()
    }
    /// Whether a reader of the slot, or the check of a free one, would take these bytes; they are of no use afterwards.
    pub fn takes(&self, slot: usize, bytes: &mut [u8]) -> bool {
        self.pages.takes(slot, bytes)
    }
    /// Whether the map and both superblocks are as they were written, and were so when the file was opened.
    ///
    /// # Errors
    /// - `store-io`.
    pub fn map_is_sound(&self) -> Result<bool> {
        let opened = self.pages.check_opened();
        Ok(opened == (0, false) && self.pages.check_map()? == 0)
    }
    /// The wrapped keys that are in force.
    pub fn header(&self) -> &[u8] {
        &self.header
    }
    /// All that the engine has stored, in clear: what an attacker must not be able to change.
    ///
    /// # Errors
    /// - of the page layer.
    pub fn content(&self) -> std::io::Result<Vec<u8>> {
        use redb::StorageBackend;
        let mut bytes = vec![0; self.pages.len()? as usize];
        self.pages.read(0, &mut bytes)?;
        Ok(bytes)
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Probe")
    }
}
