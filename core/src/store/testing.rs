//! A file in memory that fails on purpose: for the tests of the store, and of what is built on it.

use std::io::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// A file in memory that can be told to fail and that knows what a loss of power would leave. Clones are the same file.
#[derive(Clone, Default)]
pub struct FaultyFile(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// What is on the disk for certain.
    synced: Vec<u8>,
    /// What was written since: where, and what.
    since: Vec<(usize, Vec<u8>)>,
    /// How many writes, changes of length and syncs go well before all fail.
    left: Option<usize>,
    calls: usize,
}

impl FaultyFile {
    /// A file with this content, all of it on the disk.
    pub fn with(bytes: Vec<u8>) -> Self {
        let state = State { synced: bytes.clone(), bytes, ..State::default() };
        FaultyFile(Arc::new(Mutex::new(state)))
    }
    /// From now on, `calls` writes, changes of length and syncs go well; all after them fail.
    pub fn fail_after(&self, calls: usize) {
        self.state(|state| state.left = Some(calls));
    }
    /// How many writes, changes of length and syncs there were.
    pub fn calls(&self) -> usize {
        self.state(|state| state.calls)
    }
    /// The content.
    pub fn bytes(&self) -> Vec<u8> {
        self.state(|state| state.bytes.clone())
    }
    /// What a loss of power now could leave: of what was written since the last sync, each sector of 512 bytes is there or
    /// not, as `keep` says.
    pub fn after_power_loss(&self, mut keep: impl FnMut() -> bool) -> Vec<u8> {
        self.state(|state| {
            let mut disk = state.synced.clone();
            for (offset, written) in &state.since {
                for (sector, bytes) in written.chunks(512).enumerate().filter(|_| keep()) {
                    let start = offset + sector * 512;
                    disk.resize(disk.len().max(start + bytes.len()), 0);
                    disk[start..start + bytes.len()].copy_from_slice(bytes);
                }
            }
            disk.resize(disk.len().max(state.bytes.len()), 0);
            disk
        })
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn call(&self, work: impl FnOnce(&mut State)) -> Result<()> {
        self.state(|state| {
            state.calls += 1;
            match &mut state.left {
                Some(0) => return Err(Error::from(std::io::ErrorKind::StorageFull)),
                Some(left) => *left -= 1,
                None => {}
            }
            work(state);
            Ok(())
        })
    }
}

impl std::fmt::Debug for FaultyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyFile")
    }
}

impl redb::StorageBackend for FaultyFile {
    fn len(&self) -> Result<u64> {
        Ok(self.state(|state| state.bytes.len() as u64))
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.state(|state| {
            let bytes = usize::try_from(offset).ok().and_then(|start| state.bytes.get(start..)?.get(..out.len()));
            out.copy_from_slice(bytes.ok_or_else(|| Error::from(std::io::ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }
    fn set_len(&self, length: u64) -> Result<()> {
        self.call(|state| state.bytes.resize(length as usize, 0))
    }
    fn sync_data(&self) -> Result<()> {
        self.call(|state| {
            state.synced = state.bytes.clone();
            state.since.clear();
        })
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.call(|state| {
            let start = offset as usize;
            let end = (start + data.len()).max(state.bytes.len());
            state.bytes.resize(end, 0);
            state.bytes[start..start + data.len()].copy_from_slice(data);
            state.since.push((start, data.to_vec()));
        })
    }
}
