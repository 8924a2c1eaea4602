//! Copies of the store: made while others read and write, and put together again.

use super::{Ehr, Options, Path, Session};
use crate::audit::{Event, EventKind};
use crate::error::Result;
use crate::keys::KeySource;
use crate::limits::CallLimits;
use crate::store::{CheckReport, Copied, Mended, Steps};
use std::path::Path as File;

/// How a repair goes.
#[derive(Clone, Debug)]
pub struct RepairOptions<'a> {
    /// Who repairs: kept in the audit log.
    pub actor: &'a str,
    /// Whether a copy may take the place of a file whose map cannot be read though it may be older.
    pub allow_older: bool,
    /// Time, memory, and who may stop it.
    pub limits: CallLimits,
}

/// What a repair did, and what the store that came out is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// What was taken from copies.
    pub mended: Mended,
    /// A check of all of it.
    pub check: CheckReport,
}

impl Session {
    /// Copies the store as it is committed now to a new file while others read and write. The copy is a store of its own under the same
    /// keys: it opens as any other. `steps` is told how many pages of how many are done and says whether to go on. The store has an
    /// audit event of the copy before its first byte is written, and so has the copy.
    ///
    /// # Durability
    /// When this returns, the copy is on the disk. When it fails, there is none.
    ///
    /// # Privacy
    /// A copy has the keys of all patients, wrapped, as they are now: what is shredded later can be read in it by who has the key of the
    /// store. Keep copies no longer than you must.
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`; `store-exists`: there is a file of that name; `corrupt`: a page of the store is damaged, see
    ///   `Session::check`; `cancelled`, `deadline`, `io`, `store-io`.
    pub fn backup(&self, path: &File, steps: &mut Steps<'_>) -> Result<Copied> {
        self.copied(path, None, steps)
    }

    /// As [`Session::backup`], but only what is new since an earlier copy, full or incremental. Such a file is of use together with all
    /// of its chain: see [`Ehr::restore`]. `key` opens the earlier copy, or opens this store where its keys were changed since.
    ///
    /// # Errors
    /// - as [`Session::backup`]; `backup-chain`: the file was written anew since ([`Session::rotate_page_key`]), it takes a full copy;
    ///   `other-store`: the earlier copy is of another store; those of opening it.
    pub fn backup_since(
        &self,
        path: &File,
        earlier: &File,
        key: &dyn KeySource,
        steps: &mut Steps<'_>,
    ) -> Result<Copied> {
        self.copied(path, Some((earlier, key)), steps)
    }

    fn copied(&self, path: &File, since: Option<(&File, &dyn KeySource)>, steps: &mut Steps<'_>) -> Result<Copied> {
        let mut pass = self.enter_for_all(Path::Backup)?;
        pass.note_now(pass.event.clone())?;
        let done = pass.store().backup(path, since, pass.watch(), steps);
        match done {
            Err(error) => pass.refuse(error),
            Ok(copied) => {
                pass.event.count = copied.copied;
                pass.show(Ok(copied))
            }
        }
    }
}

impl Ehr {
    /// Makes a damaged store whole in a new file, with good copies of it: backups, full ones and increments, or a copy of the file. The damaged
    /// file and the copies stay as they are.
    ///
    /// Each page that is damaged is taken from a copy that has it just as it was left. Where the map of the damaged file cannot be read, a
    /// copy takes its place whole if it can be shown to be as new, or with `allow_older` in any case: what was written since is
    /// lost then. The result is checked: see [`Repaired::check`]. It has an audit event of the repair in the name of `actor`.
    ///
    /// # Durability
    /// When this returns, the new store is on the disk. When it fails, there is none.
    ///
    /// # Errors
    /// - `corrupt`: a page is in no copy as it was left; `copy-older`; `copy-damaged`; `other-store`; `store-exists`; `wrong-key` and
    ///   others of the key source; `locked`, `cancelled`, `deadline`, `io`.
    pub fn repair(
        damaged: &File,
        copies: &[&File],
        into: &File,
        how: &RepairOptions<'_>,
        keys: &dyn KeySource,
        options: &Options,
    ) -> Result<Repaired> {
        let (random, watch) = (options.random.clone(), how.limits.begin(&options.clock));
        let mended =
            crate::store::repair(damaged, copies, into, how.allow_older, keys, random, &watch, &mut |_, _| true)?;
        let proven = (|| {
            let ehr = Ehr::open(into, keys, options.clone())?;
            let mut event = Event::new(EventKind::Repair, ehr.0.now(), how.actor);
            event.count = mended.from_copies;
            ehr.0.note_now(event)?;
            ehr.0.store.snapshot()?.check(&watch, &mut |_, _| true)
        })();
        match proven {
            Ok(check) => Ok(Repaired { mended, check }),
            Err(error) => {
                let _ = std::fs::remove_file(into);
                Err(error)
            }
        }
    }

    /// Puts a full copy and the increments that follow it, in order, together to a store in a new file, as it was at the last of them.
    /// Every page is compared with its seal, and every link of the chain with the one before. `keys` opens the last of them; those before may
    /// have had other ways to open them, which may be gone.
    ///
    /// # Durability
    /// When this returns, the store is on the disk. When it fails, there is none.
    ///
    /// # Errors
    /// - `backup-chain`: one does not continue the one before it; `other-store`; `corrupt`, `truncated`: a page that is needed is not what
    ///   was written; `store-exists`; `wrong-key` and others of the key source; `cancelled`, `deadline`, `io`.
    pub fn restore(
        chain: &[&File],
        into: &File,
        keys: &dyn KeySource,
        options: &Options,
        limits: &CallLimits,
        steps: &mut Steps<'_>,
    ) -> Result<Copied> {
        crate::store::restore(chain, into, keys, options.random.clone(), &limits.begin(&options.clock), steps)
    }
}
