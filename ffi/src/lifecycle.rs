//! The life of an entry across the boundary: named arguments and answers as JSON, records as bytes.

use crate::error::ehr_error;
use crate::guard::{ehr_status, guard, put, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::session::{ehr_session, look};
use crate::text::ehr_str;
use ehrcore_core::error::Result;
use ehrcore_core::lifecycle;

fn call(
    session: *const ehr_session,
    name: &str,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
) -> Result<()> {
    writable(text_out)?;
    // SAFETY: by the header's convention an argument is readable for the length it states during the call, and nothing here
    // keeps it longer.
    let (record, arguments) = unsafe { (record.bytes()?, arguments.bytes()?) };
    let answer = lifecycle::call(&*look(session)?, name, arguments, record)?;
    put(text_out, handle::give::<ehr_text, Vec<u8>>(answer)?)
}

/// Writes a version that says something else than the one before. Arguments: expected, reason; on_behalf, authored.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_amend(
    session: *const ehr_session,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "amend", record, arguments, text_out))
}

/// Writes a version that mends what was wrong in the one before. Arguments as ehr_session_amend().
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_correct(
    session: *const ehr_session,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "correct", record, arguments, text_out))
}

/// Writes a version that adds to the one before. Arguments as ehr_session_amend().
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_augment(
    session: *const ehr_session,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "augment", record, arguments, text_out))
}

/// Hides a record that should not have been made. Arguments: record, expected, reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_retract(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "retract", ehr_str::EMPTY, arguments, text_out))
}

/// Undoes a retraction. Arguments: record, reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_restore(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "restore", ehr_str::EMPTY, arguments, text_out))
}

/// Deletes a record, with the reason. Arguments: record, reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_delete_for(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "delete_for", ehr_str::EMPTY, arguments, text_out))
}

/// Every version of a record that is retracted, newest first. Arguments: record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_read_retracted(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "read_retracted", ehr_str::EMPTY, arguments, text_out))
}

/// Who had been shown a record, before it was retracted where it is. Arguments: record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_viewers_before(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "viewers_before", ehr_str::EMPTY, arguments, text_out))
}

/// Where the current version comes from: every version with what made it and why. Arguments: record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_lineage(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "lineage", ehr_str::EMPTY, arguments, text_out))
}

/// Whether every further version has to say its reason from now on. Arguments: required.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_require_reason(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "require_reason", ehr_str::EMPTY, arguments, text_out))
}

/// Puts a chart or one record on legal hold. Arguments: patient, contact, reason; record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_place_hold(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "place_hold", ehr_str::EMPTY, arguments, text_out))
}

/// Releases a hold. Arguments: number, reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_release_hold(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "release_hold", ehr_str::EMPTY, arguments, text_out))
}

/// The holds, those that were released too. Arguments: patient, or none for all.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_holds(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "holds", ehr_str::EMPTY, arguments, text_out))
}

/// Writes an edit made from version base, merged with what was written since, or parks it. Arguments: base.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_write_merged(
    session: *const ehr_session,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "write_merged", record, arguments, text_out))
}

/// The conflicts, those that were settled too. Arguments: patient, or none for all.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_conflicts(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "conflicts", ehr_str::EMPTY, arguments, text_out))
}

/// Both sides of a conflict and what is current now. Arguments: number.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_conflict(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "conflict", ehr_str::EMPTY, arguments, text_out))
}

/// Settles a conflict. Arguments: number, choice (theirs, mine, bytes, nothing), seen, reason. The record with choice bytes.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_settle(
    session: *const ehr_session,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "settle", record, arguments, text_out))
}

/// A patient asks that an entry be amended. Arguments: patient, text; record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_request_amendment(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "request_amendment", ehr_str::EMPTY, arguments, text_out))
}

/// A patient asks for all that is kept about them. Arguments: patient, text.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_request_access(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "request_access", ehr_str::EMPTY, arguments, text_out))
}

/// The requests of a patient, or all. Arguments: patient, or none for all.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_requests(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "requests", ehr_str::EMPTY, arguments, text_out))
}

/// The requests whose term is over. No arguments.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_overdue_requests(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "overdue_requests", ehr_str::EMPTY, arguments, text_out))
}

/// Extends the term of a request by 30 days, once. Arguments: number, reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_extend_request(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "extend_request", ehr_str::EMPTY, arguments, text_out))
}

/// Accepts an amendment. Arguments: number, reason; with the record as it is to be, expected.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_accept_amendment(
    session: *const ehr_session,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "accept_amendment", record, arguments, text_out))
}

/// Denies an amendment. Arguments: number, ground (not-created-here, not-in-record-set, not-open-to-inspection, accurate-and-complete), reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_deny_amendment(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "deny_amendment", ehr_str::EMPTY, arguments, text_out))
}

/// The patient's statement of disagreement. Arguments: number, text.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_disagree(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "disagree", ehr_str::EMPTY, arguments, text_out))
}

/// The answer to a statement of disagreement. Arguments: number, text.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_rebut(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "rebut", ehr_str::EMPTY, arguments, text_out))
}

/// Says that a request for access was met. Arguments: number, reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_fulfil_access(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "fulfil_access", ehr_str::EMPTY, arguments, text_out))
}

/// All that is kept about a patient, as files by name. Arguments: patient; versions; folder to write them to.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_access_package(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "access_package", ehr_str::EMPTY, arguments, text_out))
}

/// Sets how long entries are kept: the rules as JSON in place of a record. No arguments.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_set_retention(
    session: *const ehr_session,
    record: ehr_str,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "set_retention", record, arguments, text_out))
}

/// How long entries are kept. No arguments.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_retention(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "retention", ehr_str::EMPTY, arguments, text_out))
}

/// From when on a record or a chart may be destroyed; null: never, as things are. Arguments: patient; record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_retention_due(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "retention_due", ehr_str::EMPTY, arguments, text_out))
}

/// Proposes to destroy a record or a chart. Arguments: patient, reason; record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_propose_destroy(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "propose_destroy", ehr_str::EMPTY, arguments, text_out))
}

/// Destroys what somebody else proposed. Arguments: number, reason.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_approve_destroy(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "approve_destroy", ehr_str::EMPTY, arguments, text_out))
}

/// Takes a proposal back, or turns it down. Arguments: number.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_withdraw_destroy(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "withdraw_destroy", ehr_str::EMPTY, arguments, text_out))
}

/// The proposals, those that ended too. No arguments.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_proposals(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "proposals", ehr_str::EMPTY, arguments, text_out))
}

/// What became of a record that was destroyed. Arguments: record.
///
/// `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_tombstone(
    session: *const ehr_session,
    arguments: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || call(session, "tombstone", ehr_str::EMPTY, arguments, text_out))
}
