//! Sessions: the only way to what is in a store.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::record::{Page, ehr_page, ehr_record, ehr_text};
use crate::store::ehr_store;
use crate::text::ehr_str;
use ehrcore_core::access::{Purpose, Role};
use ehrcore_core::ehr::{Actor, Ehr, SearchOptions, Session, VerifyLevel};
use ehrcore_core::error::{Code, Result};
use ehrcore_core::exchange::ImportOptions;
use ehrcore_core::schema::ResourceType;
use ehrcore_core::store::{Cursor, Stored};
use ehrcore_core::time::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// One actor, one purpose.
#[allow(non_camel_case_types)]
pub struct ehr_session {
    _private: [u8; 0],
}

/// Who acts. The host answers for it having checked who this is.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_actor {
    /// sizeof(ehr_actor)
    pub size: usize,
    /// The host's id of the user.
    pub id: ehr_str,
    /// physician, nurse, caregiver, patient, coordinator, analyst or administrator.
    pub role: ehr_str,
    /// For a patient or caregiver: the logical id of the one patient they may see; else empty.
    pub patient: ehr_str,
    /// The record that stands for the actor, such as `Practitioner/17`; else empty. What follows may be left zero.
    pub reference: ehr_str,
    /// The organization they act for.
    pub organization: ehr_str,
    /// The device or address they act from.
    pub device: ehr_str,
    /// The program they act through.
    pub client: ehr_str,
    /// Somebody in whose name they act.
    pub on_behalf_of: ehr_str,
    /// Security labels they are cleared for beyond what the policy gives the role, with a space between.
    pub clearance: ehr_str,
    /// For a caregiver: until when they stand for the patient, in microseconds since 1970; 0 for no end.
    pub until: i64,
    /// 1 where the host has checked a second factor.
    pub mfa: i32,
}

/// Reads an actor.
pub(crate) fn actor(given: *const ehr_actor) -> Result<Actor> {
    if given.is_null() {
        return Err(Code::NullPointer.error());
    }
    // SAFETY: not null and, by the header's convention, points to an ehr_actor whose first member is its size.
    let size = unsafe { given.cast::<usize>().read() };
    if size != size_of::<ehr_actor>() {
        return Err(Code::InvalidArgument.error().expected("size to be set"));
    }
    // SAFETY: not null, and of the size that this structure has.
    let given = unsafe { given.read() };
    let role = Role::from_name(text(given.role)?).ok_or_else(|| Code::InvalidArgument.error().expected("a role"))?;
    let said = |of: ehr_str| -> Result<Option<String>> {
        Ok(Some(text(of)?).filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let mut actor = Actor::new(text(given.id)?, role).with_mfa(given.mfa != 0);
    actor.patient = said(given.patient)?;
    actor.reference = said(given.reference)?;
    actor.organization = said(given.organization)?;
    actor.device = said(given.device)?;
    actor.client = said(given.client)?;
    actor.on_behalf_of = said(given.on_behalf_of)?;
    actor.clearance = text(given.clearance)?.split_whitespace().map(str::to_owned).collect();
    actor.until = (given.until != 0).then_some(Timestamp(given.until));
    Ok(actor)
}

/// What an import did; stored + unchanged + quarantined + refused = entries.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct ehr_import_report {
    /// sizeof(ehr_import_report), set by the caller.
    pub size: usize,
    pub sources: u64,
    pub entries: u64,
    pub stored: u64,
    pub unchanged: u64,
    pub quarantined: u64,
    pub refused: u64,
}

/// What was verified.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct ehr_verify_report {
    /// sizeof(ehr_verify_report), set by the caller.
    pub size: usize,
    pub events: u64,
    pub records: u64,
    pub patients: u64,
    /// Of the current records, those that the event of the change set that wrote them vouches for.
    pub matched: u64,
    /// Change sets that cannot be held against their events any more, because part of them was lost in damage that is on record.
    pub unmatched: u64,
}

pub(crate) fn look(session: *const ehr_session) -> Result<Arc<Session>> {
    handle::look(session)
}

pub(crate) fn text<'a>(text: ehr_str) -> Result<&'a str> {
    // SAFETY: by the header's convention an argument is readable for the length it states during the call, and no caller
    // here keeps the text longer.
    unsafe { text.text() }
}

pub(crate) fn kind(name: ehr_str) -> Result<ResourceType> {
    ResourceType::from_name(text(name)?).ok_or_else(|| Code::InvalidArgument.error().expected("an R4 resource type"))
}

fn give_record(out: *mut *mut ehr_record, record: Stored) -> Result<()> {
    put(out, handle::give::<ehr_record, Stored>(record)?)
}

fn give_page(out: *mut *mut ehr_page, records: Vec<Stored>, next: Option<Cursor>) -> Result<()> {
    let next = next.map(Cursor::to_text).unwrap_or_default();
    put(out, handle::give::<ehr_page, Page>(Page { records, next })?)
}

/// Checks the size of a sized structure that the caller lends to be filled.
fn sized<T>(out: *mut T) -> Result<()> {
    writable(out)?;
    // SAFETY: not null; every sized structure of this header starts with a `size_t size` that the caller has set.
    let size = unsafe { out.cast::<usize>().read() };
    if size == size_of::<T>() { Ok(()) } else { Err(Code::InvalidArgument.error().expected("size to be set")) }
}

/// Begins a session. `purpose` is TREAT, HPAYMT, HOPERAT, HRESCH or PATRQT.
///
/// Ownership: on EHR_OK, `*session_out` is the caller's; release it with ehr_session_free(). It keeps the store open.
/// Errors:    EHR_INVALID_ARGUMENT, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_open(
    store: *const ehr_store,
    actor: *const ehr_actor,
    purpose: ehr_str,
    session_out: *mut *mut ehr_session,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(session_out)?;
        let actor = self::actor(actor)?;
        let purpose = Purpose::from_name(text(purpose)?).ok_or_else(|| Code::PurposeRequired.error())?;
        let session = handle::look::<ehr_store, Ehr>(store)?.session(actor, purpose)?;
        put(session_out, handle::give::<ehr_session, Session>(session)?)
    })
}

/// Reads the current version of one record.
///
/// Ownership: on EHR_OK, `*record_out` is the caller's; release it with ehr_record_free().
/// Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_read(
    session: *const ehr_session,
    kind_name: ehr_str,
    id: ehr_str,
    record_out: *mut *mut ehr_record,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(record_out)?;
        give_record(record_out, look(session)?.read(kind(kind_name)?, text(id)?)?)
    })
}

/// Reads one version of a record by its number. Otherwise as ehr_session_read().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_read_version(
    session: *const ehr_session,
    kind_name: ehr_str,
    id: ehr_str,
    version: u32,
    record_out: *mut *mut ehr_record,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(record_out)?;
        give_record(record_out, look(session)?.read_version(kind(kind_name)?, text(id)?, version)?)
    })
}

/// Reads the version that was current at an instant, in microseconds since 1970 UTC. Otherwise as ehr_session_read().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_as_of(
    session: *const ehr_session,
    kind_name: ehr_str,
    id: ehr_str,
    at: i64,
    record_out: *mut *mut ehr_record,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(record_out)?;
        give_record(record_out, look(session)?.as_of(kind(kind_name)?, text(id)?, Timestamp(at))?)
    })
}

/// Every version of a record, newest first, deletions included.
///
/// Ownership: on EHR_OK, `*page_out` is the caller's; release it with ehr_page_free().
/// Errors:    as ehr_session_read().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_history(
    session: *const ehr_session,
    kind_name: ehr_str,
    id: ehr_str,
    page_out: *mut *mut ehr_page,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(page_out)?;
        give_page(page_out, look(session)?.history(kind(kind_name)?, text(id)?)?, None)
    })
}

/// Writes one record: one durable change set. A record without an id gets one.
///
/// Ownership: on EHR_OK, `*record_out` is the version that is current now; release it with ehr_record_free().
/// Errors:    EHR_RECORD_INVALID with findings in the error: nothing was written; EHR_DENIED, EHR_JSON_*, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_write(
    session: *const ehr_session,
    resource: ehr_str,
    record_out: *mut *mut ehr_record,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(record_out)?;
        let session = look(session)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let written = session.write(unsafe { resource.bytes() }?)?;
        give_record(record_out, session.read(written.kind, &written.id)?)
    })
}

/// Writes one record where its current version has the number `version` (0: where there is none).
///
/// Errors: EHR_CONFLICT where it has another; otherwise as ehr_session_write().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_write_if_match(
    session: *const ehr_session,
    resource: ehr_str,
    version: u32,
    record_out: *mut *mut ehr_record,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(record_out)?;
        let session = look(session)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let written = session.write_if_match(unsafe { resource.bytes() }?, version)?;
        give_record(record_out, session.read(written.kind, &written.id)?)
    })
}

/// Writes a version that says the record is deleted. Earlier versions stay.
///
/// Errors: EHR_NOT_FOUND, EHR_DENIED, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_delete(
    session: *const ehr_session,
    kind_name: ehr_str,
    id: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || look(session)?.delete(kind(kind_name)?, text(id)?).map(|_| ()))
}

/// A page of the records that match a query in FHIR's search syntax, such as `name=smith&birthdate=ge1980&_count=20`.
///
/// `from` is empty for the first page, then what ehr_page_next() gave.
/// Ownership: on EHR_OK, `*page_out` is the caller's; release it with ehr_page_free().
/// Errors:    EHR_QUERY_INVALID, EHR_DENIED, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_search(
    session: *const ehr_session,
    kind_name: ehr_str,
    query: ehr_str,
    from: ehr_str,
    page_out: *mut *mut ehr_page,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(page_out)?;
        let from = Some(text(from)?).filter(|from| !from.is_empty()).map(Cursor::from_text).transpose()?;
        let options = SearchOptions { from, ..SearchOptions::default() };
        let page = look(session)?.search(kind(kind_name)?, text(query)?, options)?;
        give_page(page_out, page.records, page.next)
    })
}

/// Every current record of a patient, by the patient's logical id.
///
/// Ownership: on EHR_OK, `*page_out` is the caller's; release it with ehr_page_free().
/// Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_chart(
    session: *const ehr_session,
    patient: ehr_str,
    page_out: *mut *mut ehr_page,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(page_out)?;
        give_page(page_out, look(session)?.chart(text(patient)?)?, None)
    })
}

/// A patient's chart as one HTML page that needs nothing else.
///
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_chart_page(
    session: *const ehr_session,
    patient: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(text_out)?;
        let page = look(session)?.chart_page(text(patient)?)?;
        put(text_out, handle::give::<ehr_text, Vec<u8>>(page.into_bytes())?)
    })
}

/// A patient's chart as a Bundle; each record stands in it byte for byte as it was stored.
///
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_export_chart(
    session: *const ehr_session,
    patient: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(text_out)?;
        let bundle = look(session)?.export_chart(text(patient)?)?;
        put(text_out, handle::give::<ehr_text, Vec<u8>>(bundle)?)
    })
}

/// Everything as NDJSON, a file for each type in `folder`, which must exist. `*records_out` is how many were written.
///
/// Errors: EHR_DENIED, EHR_IO, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_export(
    session: *const ehr_session,
    folder: ehr_str,
    records_out: *mut u64,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(records_out)?;
        put(records_out, look(session)?.export_ndjson(Path::new(text(folder)?))?.total())
    })
}

/// Imports a file, or every .json, .ndjson and .jsonl file below a folder. Needs an administrator.
///
/// `report_out->size` must be set. A Bundle that breaks off is counted in `refused`.
/// Errors: EHR_DENIED, EHR_IO; batches committed before stay.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_import(
    session: *const ehr_session,
    path: ehr_str,
    report_out: *mut ehr_import_report,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        sized(report_out)?;
        let done = look(session)?.import(Path::new(text(path)?), &ImportOptions::default(), &mut ())?;
        let report = ehr_import_report {
            size: size_of::<ehr_import_report>(),
            sources: done.sources,
            entries: done.entries,
            stored: done.stored,
            unchanged: done.unchanged,
            quarantined: done.quarantined,
            refused: done.refused,
        };
        put(report_out, report)
    })
}

/// Verifies the audit log and, with EHR_VERIFY_RECORDS, every current record. Needs an administrator.
///
/// `report_out->size` must be set. Errors: EHR_AUDIT_BROKEN, EHR_CORRUPT, EHR_WRONG_KEY, EHR_DENIED.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_verify(
    session: *const ehr_session,
    level: i32,
    report_out: *mut ehr_verify_report,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        sized(report_out)?;
        let level = match level {
            0 => VerifyLevel::Log,
            1 => VerifyLevel::Records,
            _ => return Err(Code::InvalidArgument.error().expected("a level of enum ehr_verify_level")),
        };
        let done = look(session)?.verify(level, None)?;
        let size = size_of::<ehr_verify_report>();
        put(
            report_out,
            ehr_verify_report {
                size,
                events: done.events,
                records: done.records,
                patients: done.patients,
                matched: done.matched,
                unmatched: done.unmatched,
            },
        )
    })
}

/// Releases a session and writes the audit events that wait. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_free(session: *mut ehr_session) {
    getter((), || {
        handle::release::<ehr_session, Session>(session);
        Ok(())
    });
}
