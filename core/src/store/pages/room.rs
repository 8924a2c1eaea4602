//! Room before a change is written, so that a full disk is met before anything is begun; and a reserve that only the audit log
//! may use up, so that what is read can still be recorded when nothing else can be written.
//!
//! New slots are written with zeros when they are made: a file system gives space for what is written, not for what a file is
//! said to be long. Pages go to the lowest free slots, so the reserve, at the end, stays in one piece for the next map and log.

use super::log::map_slots;
use super::{PAGE, Pages, State, offset};
use crate::error::{Code, Result};
use redb::StorageBackend;

/// Slots in reserve beyond those that a new map and a new log take: about 6,000 events in groups, or 60 one by one.
const RESERVE: usize = 64;
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
        let used = state.rows.len() - state.free.len();
        let takes = FEW + rows.min(used) + 2 * bytes.div_ceil(PAGE);
        let wanted = takes + state.reserve();
        let missing = wanted.saturating_sub(state.free.len());
        if missing == 0 {
            return Ok(());
        }
        if let Err(error) = state.say_opened(&*inner.disk, &inner.seal, &*inner.random) {
            state.failed = true; // which superblock counts now is known when the file is opened again
            return Err(error);
        }
        let generous = missing.max(state.rows.len() / 32).max(32);
        let made = state.add(&*inner.disk, generous).or_else(|_| state.add(&*inner.disk, missing));
        match made {
            Ok(()) => Ok(()),
            Err(_) if last && state.free.len() > FEW + bytes.div_ceil(PAGE) => Ok(()),
            Err(error) => Err(Code::StoreIo.error().with_io(error.kind())),
        }
    }
}

impl State {
    /// Slots that are kept free: for a new log, a new map, and some events.
    fn reserve(&self) -> usize {
        let (log, checkpoint) = map_slots(self.rows.len());
        2 * (log + checkpoint) + RESERVE
    }

    /// New slots at the end, with their space on the disk.
    fn add(&mut self, disk: &dyn StorageBackend, more: usize) -> std::io::Result<()> {
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
