//! The file itself, with the lock that keeps others out.

use crate::error::{Code, Result};
use redb::StorageBackend;
use std::fs::{File, TryLockError};
use std::io;

/// A file that is locked for as long as it is open: by one for writing, or by any number for reading.
///
/// A process that was forked shares the open file and its lock: it must neither write nor give the lock back.
#[derive(Debug)]
pub(in crate::store) struct Disk {
    file: File,
    process: u32,
}

impl Disk {
    /// Takes the lock.
    ///
    /// # Errors
    /// - `locked`: somebody else has it.
    pub(in crate::store) fn lock(file: File, read_only: bool) -> Result<Disk> {
        match if read_only { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => Ok(Disk { file, process: std::process::id() }),
            Err(TryLockError::WouldBlock) => Err(Code::Locked.error()),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The file, for what a forked process must not do.
    fn own(&self) -> io::Result<&File> {
        if std::process::id() == self.process { Ok(&self.file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}
#[cfg(unix)]
fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}
#[cfg(windows)]
fn read_at(file: &File, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => (out, offset) = (&mut out[count..], offset + count as u64),
        }
    }
    Ok(())
}
#[cfg(windows)]
fn write_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, data, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => (data, offset) = (&data[count..], offset + count as u64),
        }
    }
    Ok(())
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        read_at(&self.file, out, offset)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.own()?.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.own()?.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        write_at(self.own()?, data, offset)
    }
    fn close(&self) -> io::Result<()> {
        self.own()?.unlock()
    }
}
