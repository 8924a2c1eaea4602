//! A file in memory that fails on purpose.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// A file in memory that can be told to fail and that knows what a loss of power would leave. Clones are the same file.
#[derive(Clone, Default)]
pub struct FaultyFile(Arc<Mutex<State>>);

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space is left (ENOSPC).
    Full,
    /// The device failed (EIO).
    Device,
    /// Half of what was to be written is, then no space is left.
    Short,
    /// The call panics, as a defect beneath would.
    Panic,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// What is on the disk for certain.
    synced: Vec<u8>,
    /// What was written since: where, and what.
    since: Vec<(usize, Vec<u8>)>,
    /// How many writes, changes of length and syncs go well before one fails.
    left: Option<usize>,
    fault: Option<Fault>,
    /// Whether only one call fails and those after it go well again.
    once: bool,
    calls: usize,
    syncs: usize,
    /// A sync failed, or a write over what was there, or a call failed otherwise than for want of room.
    beyond_room: bool,
    /// How many reads go well before all panic.
    reads: Option<usize>,
    /// What cannot be read, as of a device with bad blocks.
    unreadable: Option<std::ops::Range<usize>>,
}

impl FaultyFile {
    /// A file with this content, all of it on the disk.
    pub fn with(bytes: Vec<u8>) -> Self {
        let state = State { synced: bytes.clone(), bytes, ..State::default() };
        FaultyFile(Arc::new(Mutex::new(state)))
    }
    /// From now on, `calls` writes, changes of length and syncs go well; all after them fail.
    pub fn fail_after(&self, calls: usize) {
        self.fail(Fault::Full, calls, false);
    }
    /// From now on, `calls` writes, changes of length and syncs go well; then one fails, and where not `once`, all after it too.
    pub fn fail(&self, fault: Fault, calls: usize, once: bool) {
        self.state(|state| (state.left, state.fault, state.once) = (Some(calls), Some(fault), once));
    }
    /// From now on, `reads` reads go well; all after them panic.
    pub fn panic_after_reads(&self, reads: usize) {
        self.state(|state| state.reads = Some(reads));
    }
    /// These bytes cannot be read until they are written.
    pub fn spoil(&self, bytes: std::ops::Range<usize>) {
        self.state(|state| state.unreadable = Some(bytes));
    }
    /// From now on nothing fails.
    pub fn heal(&self) {
        self.state(|state| (state.left, state.reads) = (None, None));
    }
    /// How many writes, changes of length and syncs there were.
    pub fn calls(&self) -> usize {
        self.state(|state| state.calls)
    }
    /// How many syncs there were, those that failed included.
    pub fn syncs(&self) -> usize {
        self.state(|state| state.syncs)
    }
    /// Whether something else failed than making the file longer, and filling that with zeros, for want of room.
    pub fn failed_beyond_room(&self) -> bool {
        self.state(|state| state.beyond_room)
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
    fn call(&self, for_room: bool, work: impl FnOnce(&mut State)) -> Result<()> {
        self.call_or(for_room, work, |_| ())
    }
    /// As `call`; `half` does what a short write does before it fails.
    fn call_or(&self, for_room: bool, work: impl FnOnce(&mut State), half: impl FnOnce(&mut State)) -> Result<()> {
        let fault = self.state(|state| {
            state.calls += 1;
            match &mut state.left {
                Some(0) => {
                    if state.once {
                        state.left = None;
                    }
                    let fault = state.fault.unwrap_or(Fault::Full);
                    state.beyond_room |= !for_room;
                    if fault == Fault::Short {
                        half(state);
                    }
                    return Some(fault);
                }
                Some(left) => *left -= 1,
                None => {}
            }
            work(state);
            None
        });
        match fault {
            None => Ok(()),
            Some(Fault::Panic) => panic!("a defect beneath the store"),
            Some(Fault::Device) => Err(Error::from_raw_os_error(5)), // EIO has no kind of its own
            Some(Fault::Full | Fault::Short) => Err(Error::from(ErrorKind::StorageFull)),
        }
    }
}

impl State {
    fn put(&mut self, start: usize, data: &[u8]) {
        let end = (start + data.len()).max(self.bytes.len());
        self.bytes.resize(end, 0);
        self.bytes[start..start + data.len()].copy_from_slice(data);
        // A device puts another block in the place of a bad one that is written.
        self.unreadable.take_if(|bad| start <= bad.start && bad.end <= start + data.len());
        self.since.push((start, data.to_vec()));
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
        let panics = self.state(|state| match &mut state.reads {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        });
        assert!(!panics, "a defect beneath the store");
        self.state(|state| {
            let meets =
                |bad: &std::ops::Range<usize>| (offset as usize) < bad.end && offset as usize + out.len() > bad.start;
            if state.unreadable.as_ref().is_some_and(meets) {
                return Err(Error::from_raw_os_error(5));
            }
            let bytes = usize::try_from(offset).ok().and_then(|start| state.bytes.get(start..)?.get(..out.len()));
            out.copy_from_slice(bytes.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }
    fn set_len(&self, length: u64) -> Result<()> {
        self.call(true, |state| state.bytes.resize(length as usize, 0))
    }
    fn sync_data(&self) -> Result<()> {
        self.state(|state| state.syncs += 1);
        self.call(false, |state| {
            state.synced.clone_from(&state.bytes);
            state.since.clear();
        })
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let start = offset as usize;
        let zeros = data.iter().all(|byte| *byte == 0);
        self.call_or(zeros, |state| state.put(start, data), |state| state.put(start, &data[..data.len() / 2]))
    }
}
