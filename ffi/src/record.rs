//! Records, pages of records, and texts, as a C program holds them.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::text::ehr_str;
use ehrcore_core::error::{Code, Result};
use ehrcore_core::store::Stored;
use std::sync::Arc;

/// One version of one record.
#[allow(non_camel_case_types)]
pub struct ehr_record {
    _private: [u8; 0],
}

/// Records in order: a page of a search, a history, a chart.
#[allow(non_camel_case_types)]
pub struct ehr_page {
    _private: [u8; 0],
}

/// Text or bytes that a call made.
#[allow(non_camel_case_types)]
pub struct ehr_text {
    _private: [u8; 0],
}

pub(crate) struct Page {
    pub(crate) records: Vec<Stored>,
    pub(crate) next: String,
}

fn look(record: *const ehr_record) -> Result<Arc<Stored>> {
    handle::look(record)
}

/// The resource type, such as `Patient`. Ownership: the text lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_record_kind(record: *const ehr_record) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(ehr_str::lend(look(record)?.kind().name().as_bytes())))
}

/// The logical id. Ownership: the text belongs to `record`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_record_id(record: *const ehr_record) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(ehr_str::lend(look(record)?.id().as_bytes())))
}

/// The number of this version, from 1; 0 where `record` is not open.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_record_version(record: *const ehr_record) -> u32 {
    getter(0, || Ok(look(record)?.version()))
}

/// When this version was written: microseconds since 1970-01-01T00:00:00Z.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_record_time(record: *const ehr_record) -> i64 {
    getter(0, || Ok(look(record)?.at().0))
}

/// 1 where this version says that the record was deleted; then it has no bytes.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_record_deleted(record: *const ehr_record) -> i32 {
    getter(0, || Ok(look(record)?.is_deleted().into()))
}

/// The JSON exactly as it was written. Ownership: the bytes belong to `record`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_record_bytes(record: *const ehr_record) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(ehr_str::lend(look(record)?.bytes())))
}

/// Releases a record. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_record_free(record: *mut ehr_record) {
    getter((), || {
        handle::release::<ehr_record, Stored>(record);
        Ok(())
    });
}

/// How many records are on a page.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_page_count(page: *const ehr_page) -> usize {
    getter(0, || Ok(handle::look::<ehr_page, Page>(page)?.records.len()))
}

/// One record of a page, from 0.
///
/// Ownership: on EHR_OK, `*record_out` is the caller's; release it with ehr_record_free(). It may outlive the page.
/// Errors:    EHR_NOT_FOUND where `index` is not less than ehr_page_count().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_page_record(
    page: *const ehr_page,
    index: usize,
    record_out: *mut *mut ehr_record,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(record_out)?;
        let page = handle::look::<ehr_page, Page>(page)?;
        let record = page.records.get(index).ok_or_else(|| Code::NotFound.error())?.clone();
        put(record_out, handle::give::<ehr_record, Stored>(record)?)
    })
}

/// Where the next page starts: to be given to ehr_session_search(). Empty on the last page. Ownership: belongs to `page`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_page_next(page: *const ehr_page) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(ehr_str::lend(handle::look::<ehr_page, Page>(page)?.next.as_bytes())))
}

/// Releases a page. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_page_free(page: *mut ehr_page) {
    getter((), || {
        handle::release::<ehr_page, Page>(page);
        Ok(())
    });
}

/// The bytes of a text. Ownership: they belong to `text`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_text_bytes(text: *const ehr_text) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(ehr_str::lend(&handle::look::<ehr_text, Vec<u8>>(text)?)))
}

/// Releases a text. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_text_free(text: *mut ehr_text) {
    getter((), || {
        handle::release::<ehr_text, Vec<u8>>(text);
        Ok(())
    });
}
