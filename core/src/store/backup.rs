//! Copies of a store while it is written to, and the way back.

use super::pages::{self, Copied, Copy, Mended, Seal, Steps};
use super::{Store, embedded};
use crate::error::{Code, Result};
use crate::id::Random;
use crate::keys::{KeyRing, KeySource};
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
    /// - `backup-chain`: the file was written anew under another key for its pages since; it takes a full copy.
    /// - `io`, `store-io`, `cancelled`, `deadline`; of opening `since`.
    pub fn backup(
        &self,
        path: &Path,
        since: Option<(&Path, &dyn KeySource)>,
        watch: &Watch,
        steps: &mut Steps<'_>,
    ) -> Result<Copied> {
        let base = match since {
            Some((path, source)) => Some(open_copy(path, Some(&Seal::of(&self.keys)), source, self.random.clone())?),
            None => None,
        };
        if base.as_ref().is_some_and(|base| base.store() != self.keys.store_id()) {
            return Err(Code::OtherStore.error());
        }
        if base.as_ref().is_some_and(|base| !base.seal().same(&Seal::of(&self.keys))) {
            return Err(Code::BackupChain.error());
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

/// Puts a full copy and the increments that follow it together to a store in a new file. `source` opens the last of them; what opened
/// those before may be gone: the key of their pages is the same.
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
    let Some((last, before)) = chain.split_last() else {
        return Err(Code::InvalidArgument.error().expected("a full backup and what follows it"));
    };
    let last = open_copy(last, None, source, random.clone())?;
    let before = before.iter().map(|path| open_copy(path, Some(last.seal()), source, random.clone()));
    let mut chain = before.collect::<Result<Vec<Copy>>>()?;
    chain.push(last);
    let disk = embedded::new_file(into)?;
    kept(into, pages::restore(&chain, &disk, &*random, watch, steps))
}

/// Makes a damaged store whole in a new file, with what good copies have of it. The damaged file and the copies stay as they are.
///
/// # Errors
/// - `corrupt`, `copy-older`, `copy-damaged`, `other-store`, `store-exists`; of the key source; `io`, `cancelled`, `deadline`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn repair(
    damaged: &Path,
    copies: &[&Path],
    into: &Path,
    allow_older: bool,
    source: &dyn KeySource,
    random: Arc<dyn Random>,
    watch: &Watch,
    steps: &mut Steps<'_>,
) -> Result<Mended> {
    let raw = embedded::file(damaged, true)?;
    let opened = Copy::of_store(Box::new(embedded::file(damaged, true)?), source, random.clone());
    let seal = opened.as_ref().ok().map(|copy| copy.seal().clone());
    let copies = copies.iter().map(|path| open_copy(path, seal.as_ref(), source, random.clone()));
    let copies = copies.collect::<Result<Vec<Copy>>>()?;
    let disk = embedded::new_file(into)?;
    kept(into, repaired(opened, &raw, &copies, allow_older, &disk, &*random, watch, steps))
}

/// As [`repair`], on storage of the caller's own.
#[doc(hidden)]
pub fn repair_on(
    damaged: Box<dyn redb::StorageBackend>,
    raw: &dyn redb::StorageBackend,
    copy: Box<dyn redb::StorageBackend>,
    into: &dyn redb::StorageBackend,
    source: &dyn KeySource,
    random: Arc<dyn Random>,
) -> Result<Mended> {
    let opened = Copy::of_store(damaged, source, random.clone());
    let copies = [Copy::of_store(copy, source, random.clone())?];
    repaired(opened, raw, &copies, false, into, &*random, &Watch::default(), &mut |_, _| true)
}

#[allow(clippy::too_many_arguments)]
fn repaired(
    opened: Result<Copy>,
    raw: &dyn redb::StorageBackend,
    copies: &[Copy],
    allow_older: bool,
    disk: &dyn redb::StorageBackend,
    random: &dyn Random,
    watch: &Watch,
    steps: &mut Steps<'_>,
) -> Result<Mended> {
    // A key that does not open the damaged file is no damage, where the copies do not show that it should.
    let stores: Vec<_> = copies.iter().map(Copy::store).chain(opened.iter().map(Copy::store)).collect();
    if stores.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(Code::OtherStore.error());
    }
    pages::repair(opened, raw, copies, allow_older, disk, random, watch, steps)
}

/// Opens a copy with a key source, or where that does not open it (its keys were changed since) with a key of its pages.
fn open_copy(path: &Path, seal: Option<&Seal>, source: &dyn KeySource, random: Arc<dyn Random>) -> Result<Copy> {
    let mut file = File::open(path)?;
    let opened = if Copy::is_increment(&mut file)? {
        Copy::of_increment(file, &|header| Ok(Seal::of(&KeyRing::open(source, header)?)))
    } else {
        Copy::of_store(Box::new(embedded::file(path, true)?), source, random.clone())
    };
    match (opened, seal) {
        (Err(refused), Some(seal)) if matches!(refused.code(), Code::WrongKey | Code::KeyUnavailable) => {
            with_seal(path, seal, random).map_err(|_| refused)
        }
        (opened, _) => opened,
    }
}

fn with_seal(path: &Path, seal: &Seal, random: Arc<dyn Random>) -> Result<Copy> {
    let mut file = File::open(path)?;
    if Copy::is_increment(&mut file)? {
        return Copy::of_increment(file, &|_| Ok(seal.clone()));
    }
    Copy::of_pages(Box::new(embedded::file(path, true)?), seal.clone(), random)
}

/// What was made stays; what was not leaves no file, save where one of that name was there before.
pub(super) fn kept<T>(path: &Path, made: Result<T>) -> Result<T> {
    if made.as_ref().is_err_and(|error| error.code() != Code::StoreExists) {
        let _ = std::fs::remove_file(path);
    }
    made
}
