//! A damaged file made whole with a good copy, into a new file.
//!
//! The map of the damaged file says with which seal each page was left. A page that does not open is taken from a copy that has it with that
//! very seal: so what comes out is what was left, to the byte, or nothing comes out. Where the map itself is damaged, a copy takes its
//! place whole, if it can be shown to be as new: the damaged file has the copy's map or log, and nothing later.

use super::backup::{Copy, List, Steps, write_store};
use super::log::{self, Log, Next};
use super::{FIRST, PAGE, Seal, offset, superblock};
use crate::error::{Code, Result};
use crate::id::Random;
use crate::limits::Watch;
use redb::StorageBackend;

/// What a repair did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Pages of the store.
    pub pages: u64,
    /// Pages that were taken from a copy.
    pub from_copies: u64,
    /// The map could not be read: a copy took the place of the whole file.
    pub whole_copy: bool,
}

/// Writes what a damaged file held to an empty disk, with what copies have of it.
///
/// # Errors
/// - `corrupt`: a page is in no copy as it was left. `copy-older`: the map cannot be read and no copy can be shown to be as new, and
///   `allow_older` is not set. `copy-damaged`, `cancelled`, `deadline`, `store-io`.
#[allow(clippy::too_many_arguments)]
pub(in crate::store) fn repair(
    damaged: Result<Copy>,
    raw: &dyn StorageBackend,
    copies: &[Copy],
    allow_older: bool,
    disk: &dyn StorageBackend,
    random: &dyn Random,
    watch: &Watch,
    steps: &mut Steps<'_>,
) -> Result<Mended> {
    let mut mended = Mended::default();
    let taken = std::cell::Cell::new(0_u64);
    match damaged {
        Ok(damaged) => {
            let list = damaged.list();
            let read = |at: usize, out: &mut [u8]| {
                let (page, row) = &list.pages[at];
                if damaged.page(*page, row, out).unwrap_or(false) {
                    return Ok(());
                }
                for copy in copies {
                    if copy.page(*page, row, out)? {
                        taken.set(taken.get() + 1);
                        return Ok(());
                    }
                }
                Err(Code::Corrupt.error())
            };
            mended.pages =
                write_store(disk, damaged.seal(), random, damaged.header(), list, &read, watch, steps)?.pages;
        }
        Err(error) if error.code() == Code::StoreIo => return Err(error),
        Err(error) => {
            let copy = copies
                .iter()
                .find(|copy| allow_older || is_as_new(copy, raw))
                .ok_or_else(|| if copies.is_empty() { error } else { Code::CopyOlder.error() })?;
            let list: &List = copy.list();
            let read = |at: usize, out: &mut [u8]| {
                let (page, row) = &list.pages[at];
                for source in std::iter::once(copy).chain(copies) {
                    if source.page(*page, row, out)? {
                        return Ok(());
                    }
                }
                Err(Code::CopyDamaged.error())
            };
            mended.pages = write_store(disk, copy.seal(), random, copy.header(), list, &read, watch, steps)?.pages;
            mended.whole_copy = true;
            taken.set(mended.pages);
        }
    }
    mended.from_copies = taken.get();
    Ok(mended)
}

/// Whether a damaged file shows that a copy of it is as new: of the map and the log of the copy it has at least half as they are there, and
/// nothing that would have been written later.
fn is_as_new(copy: &Copy, raw: &dyn StorageBackend) -> bool {
    let Some((pages, root, used)) = copy.map() else { return false };
    let later = superblock::read(raw, copy.seal()).iter().flatten().any(|(found, _)| found.sequence > root.sequence);
    let seal: &Seal = copy.seal();
    let logged = (used..root.log.count).any(|used| {
        let log = Log { extent: root.log, used };
        matches!(log::next(raw, seal, root.generation, &log), Ok(Next::Record(_)))
    });
    let (mut same, mut all) = (0, 0);
    let (mut ours, mut theirs) = (vec![0; PAGE], vec![0; PAGE]);
    let slots = (0..FIRST).chain(root.checkpoint.slots());
    let slots = slots.chain(root.log.copies().flat_map(|copy| copy.first..copy.first + used));
    for slot in slots {
        all += 1;
        let read = raw.read(offset(slot), &mut theirs).is_ok() && pages.read(offset(slot), &mut ours).is_ok();
        same += u32::from(read && ours == theirs);
    }
    !later && !logged && same * 2 >= all
}
