//! A disk in memory with an end, as a file system has it: a file may be said to be long, and what is written takes space.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// A file on a disk of so many blocks of 4 KiB. Clones are the same file.
#[derive(Clone)]
pub struct SmallDisk(Arc<Mutex<State>>);

struct State {
    bytes: Vec<u8>,
    taken: BTreeSet<usize>,
    blocks: usize,
}

const BLOCK: usize = 4096;

impl SmallDisk {
    /// An empty file.
    pub fn of(blocks: usize) -> SmallDisk {
        SmallDisk(Arc::new(Mutex::new(State { bytes: Vec::new(), taken: BTreeSet::new(), blocks })))
    }
    /// Gives the disk another size: none that is left over is full, more is space that came back.
    pub fn resize(&self, blocks: usize) {
        self.state(|state| state.blocks = blocks);
    }
    /// How many blocks are taken.
    pub fn taken(&self) -> usize {
        self.state(|state| state.taken.len())
    }
    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for SmallDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SmallDisk")
    }
}

impl redb::StorageBackend for SmallDisk {
    fn len(&self) -> Result<u64> {
        Ok(self.state(|state| state.bytes.len() as u64))
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.state(|state| {
            let found = usize::try_from(offset).ok().and_then(|start| state.bytes.get(start..)?.get(..out.len()));
            out.copy_from_slice(found.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }
    fn set_len(&self, length: u64) -> Result<()> {
        self.state(|state| {
            state.bytes.resize(length as usize, 0);
            state.taken.split_off(&(length as usize).div_ceil(BLOCK));
        });
        Ok(())
    }
    fn sync_data(&self) -> Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.state(|state| {
            let start = offset as usize;
            for block in start / BLOCK..(start + data.len()).div_ceil(BLOCK) {
                if !state.taken.contains(&block) && state.taken.len() >= state.blocks {
                    return Err(Error::from(ErrorKind::StorageFull));
                }
                state.taken.insert(block);
            }
            let end = (start + data.len()).max(state.bytes.len());
            state.bytes.resize(end, 0);
            state.bytes[start..start + data.len()].copy_from_slice(data);
            Ok(())
        })
    }
}
