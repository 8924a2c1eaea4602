//! The audit log as a C program reads it.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, growing, guard, put, put_within, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::session::{ehr_session, look, text};
use crate::store::ehr_store;
use crate::text::ehr_str;
use ehrcore_core::access::{Purpose, Role};
use ehrcore_core::audit::{Event, Ground};
use ehrcore_core::ehr::{Disclosure, Ehr, Report};
use ehrcore_core::error::Code;
use ehrcore_core::record::Compartment;
use std::path::Path;

/// Events of the audit log.
#[allow(non_camel_case_types)]
pub struct ehr_audit {
    _private: [u8; 0],
}

/// One event: who, what, when, why, with what outcome; no content of any record. The texts belong to the list.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_audit_event {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
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
    /// In which session, by its random number.
    pub session: u64,
    /// Whose record, by the patient's number in the log; 0 for none in particular.
    pub patient: u32,
    /// Which emergency; 0 for none.
    pub break_glass: u64,
    /// For whom the user acted, where not for themselves.
    pub on_behalf_of: ehr_str,
    /// Through which program.
    pub client: ehr_str,
    /// From which device.
    pub device: ehr_str,
    /// Of a disclosure: to whom.
    pub recipient: ehr_str,
    /// Why, in words.
    pub reason: ehr_str,
    /// What was asked; of a disclosure, what was disclosed.
    pub query: ehr_str,
    /// Whose records, where more than one patient's: their numbers in the log, ascending. They belong to the list.
    pub patients: *const u32,
    /// How many those are.
    pub patient_count: usize,
    /// The change set that was written; 0 for none.
    pub change_set: u64,
    /// The number of the policy that was in force.
    pub policy: u32,
    /// The rule of it that decided, by its number; 0 for the built-in table, or several.
    pub rule: u32,
    /// The security labels that mattered, as codes with a space between.
    pub labels: ehr_str,
    /// `normal`, `substance-use` or `psychotherapy-notes`.
    pub compartment: ehr_str,
}
growing!(ehr_audit_event);

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

/// Reads one event, from 0, into `*event_out`, of which `size` is the sizeof. Ownership: its texts belong to `audit`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_audit_read(
    audit: *const ehr_audit,
    index: usize,
    event_out: *mut ehr_audit_event,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let events = handle::look::<ehr_audit, Vec<(u64, Event)>>(audit)?;
        let (sequence, event) = events.get(index).ok_or_else(|| Code::NotFound.error())?;
        let lend = |text: &str| ehr_str::lend(text.as_bytes());
        let role = Role::ALL.iter().find(|role| **role as u8 == event.role);
        let purpose = Purpose::ALL.iter().find(|purpose| **purpose as u8 == event.purpose);
        let made = ehr_audit_event {
            size: 0,
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
            session: event.session,
            patient: event.patient,
            break_glass: event.break_glass,
            on_behalf_of: lend(&event.on_behalf_of),
            client: lend(&event.app),
            device: lend(&event.device),
            recipient: lend(&event.recipient),
            reason: lend(&event.reason),
            query: lend(&event.query),
            patients: event.patients.as_ptr(),
            patient_count: event.patients.len(),
            change_set: event.commit,
            policy: event.policy,
            rule: event.rule.into(),
            labels: lend(&event.labels),
            compartment: Compartment::from_number(event.compartment).map_or(ehr_str::EMPTY, |one| lend(one.name())),
        };
        put_within(event_out, size, made)
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

/// A report: `about` is `patient`, `user`, `emergencies` or `disclosures` (45 CFR 164.528, six years), `whom` the patient's id (or `#`
/// and their number in the log) or the user; `form` is `text`, `json` or `csv`. Needs an administrator.
///
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_DENIED, EHR_NOT_FOUND, EHR_INVALID_ARGUMENT, EHR_AUDIT_BROKEN.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_audit_report(
    session: *const ehr_session,
    about: ehr_str,
    whom: ehr_str,
    form: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(text_out)?;
        let unknown = || Code::InvalidArgument.error().expected("a report and a form that there are");
        let report = Report::from_name(text(about)?, text(whom)?).ok_or_else(unknown)?;
        let table = look(session)?.audit_report(report)?;
        let made = table.to_form(text(form)?).ok_or_else(unknown)?;
        put(text_out, handle::give::<ehr_text, Vec<u8>>(made.into_bytes())?)
    })
}

/// Writes the events from `from` on to an existing folder for somebody who has neither the library nor the store: `audit.ndjson`,
/// `checkpoint.txt` and, where `since` is a checkpoint kept outside, `consistency.txt`. verify_audit.py checks them.
/// `*events_out` is how many there were. Needs an administrator.
///
/// Errors: EHR_DENIED, EHR_NOT_FOUND, EHR_AUDIT_BROKEN, EHR_CHECKPOINT_UNREADABLE, EHR_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_audit_export(
    session: *const ehr_session,
    folder: ehr_str,
    from: u64,
    since: ehr_str,
    events_out: *mut u64,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(events_out)?;
        let session = look(session)?;
        let since = match text(since)? {
            "" => None,
            note => Some(session.read_checkpoint(note)?),
        };
        put(events_out, session.audit_export(Path::new(text(folder)?), from, since.as_ref())?.events)
    })
}

/// One event as a FHIR AuditEvent (IHE BALP), with what proves it against the signed head. Needs an administrator.
///
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_DENIED, EHR_NOT_FOUND, EHR_AUDIT_BROKEN.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_audit_event(
    session: *const ehr_session,
    sequence: u64,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(text_out)?;
        let line = look(session)?.audit_event(sequence)?;
        put(text_out, handle::give::<ehr_text, Vec<u8>>(line.into_bytes())?)
    })
}

/// Records that a patient's records were given to somebody outside, for the accounting of disclosures. `ground` is that of 45 CFR
/// 164.502 to 164.514, such as `public-health`, `judicial` or `treatment`. Call it before anything is sent.
///
/// Errors: EHR_DENIED, EHR_NOT_FOUND, EHR_INVALID_ARGUMENT, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_disclose(
    session: *const ehr_session,
    patient: ehr_str,
    recipient: ehr_str,
    ground: ehr_str,
    content: ehr_str,
    purpose: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        let known = Ground::from_name(text(ground)?);
        let ground = known.ok_or_else(|| Code::InvalidArgument.error().expected("a ground of disclosure"))?;
        look(session)?.disclose(&Disclosure {
            patient: text(patient)?,
            recipient: text(recipient)?,
            ground,
            content: text(content)?,
            purpose: text(purpose)?,
        })
    })
}

/// The head of the audit log as a signed note (C2SP checkpoint), to be kept outside, and the 32 bytes of the key that verifies it;
/// `public_key_out` may be NULL. A log with no events gives an empty text.
///
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_AUDIT_BROKEN, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_store_audit_checkpoint(
    store: *const ehr_store,
    text_out: *mut *mut ehr_text,
    public_key_out: *mut u8,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(text_out)?;
        let ehr = handle::look::<ehr_store, Ehr>(store)?;
        let note = ehr.audit_checkpoint()?.unwrap_or_default();
        if !public_key_out.is_null() {
            let key = ehr.audit_public_key();
            // SAFETY: not null, and by the header's convention writable for 32 bytes.
            unsafe { std::ptr::copy_nonoverlapping(key.as_ptr(), public_key_out, key.len()) };
        }
        put(text_out, handle::give::<ehr_text, Vec<u8>>(note.into_bytes())?)
    })
}
