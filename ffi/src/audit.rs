//! The audit log as a C program reads it.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::session::{ehr_session, look};
use crate::text::ehr_str;
use ehrcore_core::access::{Purpose, Role};
use ehrcore_core::audit::Event;
use ehrcore_core::error::Code;

/// Events of the audit log.
#[allow(non_camel_case_types)]
pub struct ehr_audit {
    _private: [u8; 0],
}

/// One event: who, what, when, why, with what outcome; no content of any record. The texts belong to the list.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct ehr_audit_event {
    /// Its number, from 0.
    pub sequence: u64,
    /// When: microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// What was done, such as `read` or `export`.
    pub event: ehr_str,
    /// EHR_OK, or the code it failed with.
    pub outcome: ehr_status,
    /// Which version; 0 for none in particular.
    pub version: u32,
    /// The host's id of the user.
    pub actor: ehr_str,
    /// In which role.
    pub role: ehr_str,
    /// For which purpose of use.
    pub purpose: ehr_str,
    /// Which type of record; empty for none in particular.
    pub kind: ehr_str,
    /// Which record.
    pub id: ehr_str,
    /// How many records.
    pub count: u64,
}

/// At most `count` events from number `from` on. Needs an administrator.
///
/// Ownership: on EHR_OK, `*audit_out` is the caller's; release it with ehr_audit_free().
/// Errors:    EHR_DENIED, EHR_AUDIT_BROKEN, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_audit(
    session: *const ehr_session,
    from: u64,
    count: usize,
    audit_out: *mut *mut ehr_audit,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(audit_out)?;
        let events = look(session)?.audit(from, count)?;
        put(audit_out, handle::give::<ehr_audit, Vec<(u64, Event)>>(events)?)
    })
}

/// How many events there are in the list.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_audit_count(audit: *const ehr_audit) -> usize {
    getter(0, || Ok(handle::look::<ehr_audit, Vec<(u64, Event)>>(audit)?.len()))
}

/// Reads one event, from 0, into `*event_out`. Ownership: its texts belong to `audit`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_audit_read(audit: *const ehr_audit, index: usize, event_out: *mut ehr_audit_event) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let events = handle::look::<ehr_audit, Vec<(u64, Event)>>(audit)?;
        let (sequence, event) = events.get(index).ok_or_else(|| Code::NotFound.error())?;
        let lend = |text: &str| ehr_str::lend(text.as_bytes());
        let role = Role::ALL.iter().find(|role| **role as u8 == event.role);
        let purpose = Purpose::ALL.iter().find(|purpose| **purpose as u8 == event.purpose);
        let made = ehr_audit_event {
            sequence: *sequence,
            at: event.at.0,
            event: lend(event.kind.name()),
            outcome: event.failed.map_or(0, ehr_status::from),
            version: event.version,
            actor: lend(&event.actor),
            role: role.map_or(ehr_str::EMPTY, |role| lend(role.name())),
            purpose: purpose.map_or(ehr_str::EMPTY, |purpose| lend(purpose.name())),
            kind: event.resource.map_or(ehr_str::EMPTY, |kind| lend(kind.name())),
            id: lend(&event.id),
            count: event.count,
        };
        put(event_out, made)
    })
}

/// Releases a list of events. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_audit_free(audit: *mut ehr_audit) {
    getter((), || {
        handle::release::<ehr_audit, Vec<(u64, Event)>>(audit);
        Ok(())
    });
}
