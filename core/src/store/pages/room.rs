//! Room before a change is written, so that a full disk is met before anything is begun; and a reserve that only the audit log
//! may use up, so that what is read can still be recorded when nothing else can be written.
//!
//! New slots are written with zeros when they are made: a file system gives space for what is written, not for what a file is
//! said to be long. The place of the next map is kept apart (`aside`): it must be in one piece.

use super::{PAGE, Pages, State, offset};
use crate::error::{Code, Result};
use redb::StorageBackend;

/// Slots in reserve beyond those that are kept for the next map: about 6,000 events in groups, or 60 one by one.
const RESERVE: usize = 96;
/// Slots that any change takes: the way from the root of the engine's trees to what is changed, and its own books.
const FEW: usize = 24;
/// Zeros written at once.
const AT_ONCE: usize = 64;

impl Pages {
    /// Sees to it that a change of so many rows and bytes finds free slots. `last`: the change is of a kind that may use up the
    /// reserve.
    ///
    /// # Errors
    /// - `store-io` with the kind `storage full`: there is no room. Nothing was written, and the handle is as it was.
    pub(in crate::store) fn make_room(&self, rows: usize, bytes: usize, last: bool) -> Result<()> {
        let inner = &*self.0;
        if inner.overlay.is_some() {
            return Ok(());
        }
        let _writer = inner.turn();
        let mut state = inner.write_state();
        state.usable()?;
        // A row changes one leaf, of which there are no more than pages in use; leaves that are new are half full at least.
        let used = state.rows.len() - state.free.len() - state.map_and_aside();
        let takes = FEW + rows.min(used) + 2 * bytes.div_ceil(PAGE);
        let first = state.missing(takes, 0);
        if first == 0 {
            return Ok(());
        }
        if let Err(error) = state.say_opened(&*inner.disk, &inner.seal, &*inner.random) {
            state.failed = true; // which superblock counts now is known when the file is opened again
            return Err(error);
        }
        // A longer file may take a longer map.
        let missing = first.max(state.missing(takes, first));
        let generous = missing.max(state.rows.len() / 32).max(32);
        let generous = generous.max(state.missing(takes, generous));
        let made = state.add(&*inner.disk, generous).or_else(|_| state.add(&*inner.disk, missing));
        state.find_aside();
        match made {
            Ok(()) => Ok(()),
            Err(_) if last && state.free.len() > FEW + bytes.div_ceil(PAGE) => Ok(()),
            Err(error) => Err(Code::StoreIo.error().with_io(error.kind())),
        }
    }
}

impl State {
    /// How many free slots there are too few for a change that takes so many, for the next map where the file is so much longer, and for some
    /// events.
    fn missing(&self, takes: usize, more: usize) -> usize {
        let wanted = takes + self.wanted_for_map(self.rows.len() + more) + RESERVE;
        wanted.saturating_sub(self.free.len())
    }

    /// New slots at the end, with their space on the disk.
    pub(super) fn add(&mut self, disk: &dyn StorageBackend, more: usize) -> std::io::Result<()> {
        let from = self.rows.len();
        let written = (|| {
            disk.set_len(offset((from + more) as u32))?;
            let zeros = vec![0; AT_ONCE.min(more) * PAGE];
            for start in (from..from + more).step_by(AT_ONCE) {
                let slots = AT_ONCE.min(from + more - start);
                disk.write(offset(start as u32), &zeros[..slots * PAGE])?;
            }
            Ok(())
        })();
        if written.is_err() {
            let _ = disk.set_len(offset(from as u32)); // what is left over is of no harm
            return written;
        }
        self.rows.resize(from + more, super::Row::ZEROS);
        self.free.extend(from as u32..(from + more) as u32);
        Ok(())
    }
}
