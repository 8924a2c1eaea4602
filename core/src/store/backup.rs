//! Copies of a store while it is written to, and the way back.

use super::pages::{self, Copied, Copy, Steps};
use super::{Store, embedded};
use crate::error::{Code, Result};
use crate::id::Random;
use crate::keys::KeySource;
use crate::limits::Watch;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

impl Store {
    /// Copies what is committed now to a new file, a store of its own under the same keys. With `since`, a copy made before and the
    /// key that opens it: only what is new since then.
    ///
    /// Others read and write meanwhile. Where it fails no file is left.
    ///
    /// # Durability
    /// When this returns, the copy is on the disk.
    ///
    /// # Errors
    /// - `store-exists`: there is a file of that name. `other-store`: `since` is of another one. `corrupt`: a page is damaged.
    /// - `io`, `store-io`, `cancelled`, `deadline`; of opening `since`.
    pub fn backup(
        &self,
        path: &Path,
        since: Option<(&Path, &dyn KeySource)>,
        watch: &Watch,
        steps: &mut Steps<'_>,
    ) -> Result<Copied> {
        let base = match since {
            Some((path, source)) => Some(open_copy(path, source, self.random.clone())?),
            None => None,
        };
        if base.as_ref().is_some_and(|base| base.store() != self.keys.store_id()) {
            return Err(Code::OtherStore.error());
        }
        let writing = self.turn()?;
        let frozen = self.backend.freeze();
        self.pass(writing);
        let frozen = frozen?;
        let made = (|| match base {
            None => frozen.write_store(&embedded::new_file(path)?, watch, steps),
            Some(base) => {
                let mut file = BufWriter::with_capacity(1 << 20, embedded::empty_file(path)?);
                let copied = frozen.write_increment(&mut file, &base, watch, steps)?;
                file.get_ref().sync_all()?;
                Ok(copied)
            }
        })();
        kept(path, made)
    }
}

/// Puts a full copy and the increments that follow it together to a store in a new file.
///
/// # Errors
/// - `backup-chain`, `other-store`, `corrupt`, `truncated`, `store-exists`; of the key source; `io`, `cancelled`, `deadline`.
pub(crate) fn restore(
    chain: &[&Path],
    into: &Path,
    source: &dyn KeySource,
    random: Arc<dyn Random>,
    watch: &Watch,
    steps: &mut Steps<'_>,
) -> Result<Copied> {
    let chain = chain.iter().map(|path| open_copy(path, source, random.clone())).collect::<Result<Vec<Copy>>>()?;
    let disk = embedded::new_file(into)?;
    kept(into, pages::restore(&chain, &disk, &*random, watch, steps))
}

fn open_copy(path: &Path, source: &dyn KeySource, random: Arc<dyn Random>) -> Result<Copy> {
    let mut file = File::open(path)?;
    if Copy::is_increment(&mut file)? {
        return Copy::of_increment(file, source);
    }
    drop(file);
    Copy::of_store(Box::new(embedded::file(path, true)?), source, random)
}

/// What was made stays; what was not leaves no file, save where one of that name was there before.
pub(super) fn kept<T>(path: &Path, made: Result<T>) -> Result<T> {
    if made.as_ref().is_err_and(|error| error.code() != Code::StoreExists) {
        let _ = std::fs::remove_file(path);
    }
    made
}
