//! Group commit: change sets that wait for each other share one durable write.
//!
//! A change set is made while its thread holds the writer's lock. When it is done and others wait for the lock, it leaves its
//! rows in the common batch and waits for the result; the last in the queue writes the batch for all of them. So a lone
//! writer pays one sync for each change set, and many writers pay one together. Nobody is told "committed" before the sync.

use super::{Batch, Store, lock};
use crate::error::{Code, Result};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What the holder of the writer's lock works on.
#[derive(Default)]
pub(super) struct Writing {
    /// Rows of change sets that are done and not on the disk yet.
    pub(super) batch: Batch,
    /// How many change sets those are.
    members: usize,
    shared: Arc<Shared>,
    /// Whether they wrote a record that tells who may see what.
    pub(super) tells: bool,
    /// Tokens computed lately, by a hash of what they stand for.
    pub(super) tokens: std::collections::HashMap<u64, [u8; 8]>,
}

/// How the common write ended.
#[derive(Default)]
struct Shared {
    result: Mutex<Option<Result<()>>>,
    ready: Condvar,
}

/// Most change sets in one write: bounds how long the first of them waits.
const MOST: usize = 64;

impl Store {
    /// Waits for the turn to write. A thread that has it already would wait for itself for ever: it gets `turn-held`.
    pub(super) fn turn(&self) -> Result<MutexGuard<'_, Writing>> {
        self.at_home()?;
        if self.has_turn() {
            return Err(Code::TurnHeld.error());
        }
        self.waiting.fetch_add(1, SeqCst);
        let writing = lock(&self.writing);
        self.waiting.fetch_sub(1, SeqCst);
        *lock(&self.holder) = Some(std::thread::current().id());
        Ok(writing)
    }

    /// Whether a change set of this very thread is under way.
    pub(crate) fn has_turn(&self) -> bool {
        *lock(&self.holder) == Some(std::thread::current().id())
    }

    /// Ends a turn whose rows are in the batch; returns when they are on the disk.
    pub(super) fn settle(&self, mut writing: MutexGuard<'_, Writing>) -> Result<()> {
        *lock(&self.holder) = None;
        writing.members += 1;
        if writing.members >= MOST || self.waiting.load(SeqCst) == 0 {
            return self.write_out(&mut writing);
        }
        let shared = writing.shared.clone();
        drop(writing);
        let mut result = lock(&shared.result);
        loop {
            match &*result {
                Some(result) => return result.clone(),
                None => result = shared.ready.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Ends a turn that wrote nothing: others may be waiting for the rows they left.
    pub(super) fn pass(&self, mut writing: MutexGuard<'_, Writing>) {
        *lock(&self.holder) = None;
        if writing.members > 0 && self.waiting.load(SeqCst) == 0 {
            let _ = self.write_out(&mut writing); // those who wait are told
        }
    }

    fn write_out(&self, writing: &mut Writing) -> Result<()> {
        let batch = std::mem::take(&mut writing.batch);
        let shared = std::mem::take(&mut writing.shared);
        writing.members = 0;
        let result = self.backend.commit(&batch);
        *lock(&self.latest) = None;
        // While the turn is held and the new view is what is given: nobody holds the old one for what is told now.
        if std::mem::take(&mut writing.tells) {
            self.told.fetch_add(1, std::sync::atomic::Ordering::Release);
        }
        *lock(&shared.result) = Some(result.clone());
        shared.ready.notify_all();
        result
    }
}
