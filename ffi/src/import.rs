//! What became of the entries of imports: the ledger and the quarantine.

use crate::error::{ehr_error, ehr_issue, issue_out};
use crate::guard::{ehr_status, getter, growing, guard, put, put_within, writable};
use crate::handle;
use crate::session::{ehr_session, look};
use crate::text::ehr_str;
use ehrcore_core::error::{Code, Result};
use ehrcore_core::ledger::{LedgerEntry, Quarantined};
use std::sync::Arc;

/// Lines of the import ledger.
#[allow(non_camel_case_types)]
pub struct ehr_ledger {
    _private: [u8; 0],
}

/// Entries kept aside.
#[allow(non_camel_case_types)]
pub struct ehr_quarantine {
    _private: [u8; 0],
}

/// What became of one entry of one source. The texts belong to the ledger it was read from.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_ledger_line {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// The import source.
    pub source: u32,
    /// The entry of a Bundle or line of an NDJSON file, from 1.
    pub entry: u32,
    /// Where it starts in the source, in bytes.
    pub offset: u64,
    /// stored, unchanged, quarantined or refused.
    pub fate: ehr_str,
    /// Why it was not stored: one of `enum ehr_code`; EHR_OK where it was.
    pub reason: ehr_status,
    /// The version it became or equals; 0 where it was not stored.
    pub version: u32,
    /// Type of the record; empty where there is none.
    pub kind: ehr_str,
    /// Id of the record.
    pub id: ehr_str,
    /// 1 where the import gave the id because the record had none.
    pub id_assigned: i32,
}
growing!(ehr_ledger_line);

/// An entry kept aside. The bytes belong to the list it was read from.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_quarantined {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// Its number, for ehr_session_release().
    pub number: u64,
    /// The import source.
    pub source: u32,
    /// The entry in it, from 1.
    pub entry: u32,
    /// How many findings it has.
    pub issue_count: usize,
    /// Its bytes, word for word.
    pub bytes: ehr_str,
}
growing!(ehr_quarantined);

/// What became of every entry of every import, in order. Needs an administrator.
///
/// Ownership: on EHR_OK, `*ledger_out` is the caller's; release it with ehr_ledger_free().
/// Errors:    EHR_DENIED, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_ledger(
    session: *const ehr_session,
    ledger_out: *mut *mut ehr_ledger,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(ledger_out)?;
        let mut lines = Vec::new();
        look(session)?.ledger(|line| lines.push(line.clone()))?;
        put(ledger_out, handle::give::<ehr_ledger, Vec<LedgerEntry>>(lines)?)
    })
}

/// How many lines there are.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_ledger_count(ledger: *const ehr_ledger) -> usize {
    getter(0, || Ok(handle::look::<ehr_ledger, Vec<LedgerEntry>>(ledger)?.len()))
}

/// Reads one line, from 0, into `*line_out`, of which `size` is the sizeof. Ownership: its texts belong to `ledger`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_ledger_read(
    ledger: *const ehr_ledger,
    index: usize,
    line_out: *mut ehr_ledger_line,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let lines = handle::look::<ehr_ledger, Vec<LedgerEntry>>(ledger)?;
        let line = lines.get(index).ok_or_else(|| Code::NotFound.error())?;
        let made = ehr_ledger_line {
            size: 0,
            source: line.source,
            entry: line.entry,
            offset: line.offset,
            fate: ehr_str::lend(line.fate.name().as_bytes()),
            reason: line.reason.map_or(0, |code| code.number().into()),
            version: line.version,
            kind: line.kind.map_or(ehr_str::EMPTY, |kind| ehr_str::lend(kind.name().as_bytes())),
            id: ehr_str::lend(line.id.as_bytes()),
            id_assigned: line.id_assigned.into(),
        };
        put_within(line_out, size, made)
    })
}

/// Releases a ledger. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_ledger_free(ledger: *mut ehr_ledger) {
    getter((), || {
        handle::release::<ehr_ledger, Vec<LedgerEntry>>(ledger);
        Ok(())
    });
}

/// The entries kept aside. Needs an administrator.
///
/// Ownership: on EHR_OK, `*quarantine_out` is the caller's; release it with ehr_quarantine_free().
/// Errors:    EHR_DENIED, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_quarantine(
    session: *const ehr_session,
    quarantine_out: *mut *mut ehr_quarantine,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(quarantine_out)?;
        let kept = look(session)?.quarantine()?;
        put(quarantine_out, handle::give::<ehr_quarantine, Vec<Quarantined>>(kept)?)
    })
}

fn kept(quarantine: *const ehr_quarantine) -> Result<Arc<Vec<Quarantined>>> {
    handle::look(quarantine)
}

/// How many entries there are.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_quarantine_count(quarantine: *const ehr_quarantine) -> usize {
    getter(0, || Ok(kept(quarantine)?.len()))
}

/// Reads one entry, from 0, into `*entry_out`, of which `size` is the sizeof. Ownership: its bytes belong to `quarantine`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_quarantine_read(
    quarantine: *const ehr_quarantine,
    index: usize,
    entry_out: *mut ehr_quarantined,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let all = kept(quarantine)?;
        let entry = all.get(index).ok_or_else(|| Code::NotFound.error())?;
        let made = ehr_quarantined {
            size: 0,
            number: entry.number,
            source: entry.source,
            entry: entry.entry,
            issue_count: entry.issues.len(),
            bytes: ehr_str::lend(entry.bytes.expose()),
        };
        put_within(entry_out, size, made)
    })
}

/// Reads one finding of one entry into `*issue`, of which `size` is the sizeof. Ownership: its texts belong to `quarantine`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_quarantine_issue(
    quarantine: *const ehr_quarantine,
    index: usize,
    issue_index: usize,
    issue: *mut ehr_issue,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let all = kept(quarantine)?;
        issue_out(&all.get(index).ok_or_else(|| Code::NotFound.error())?.issues, issue_index, issue, size)
    })
}

/// Releases the list; the entries stay in quarantine. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_quarantine_free(quarantine: *mut ehr_quarantine) {
    getter((), || {
        handle::release::<ehr_quarantine, Vec<Quarantined>>(quarantine);
        Ok(())
    });
}

/// Stores an entry of the quarantine: `mended`, or where that is empty, what was kept. It leaves the quarantine.
///
/// Errors: EHR_QUARANTINE_UNKNOWN; EHR_RECORD_INVALID with findings in the error: it stays where it is.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_release(
    session: *const ehr_session,
    number: u64,
    mended: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let mended = unsafe { mended.bytes() }?;
        look(session)?.release(number, (!mended.is_empty()).then_some(mended)).map(drop)
    })
}
