//! Validation without a store.

use crate::error::{ehr_error, ehr_issue, issue_out};
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::text::ehr_str;
use ehrcore_core::limits::Limits;
use ehrcore_core::report::Report;
use ehrcore_core::validate::operation_outcome;
use ehrcore_core::xml::read_either;

/// What was found in a record.
#[allow(non_camel_case_types)]
pub struct ehr_report {
    _private: [u8; 0],
}

/// Checks the structure of one FHIR R4 resource, JSON or XML. Needs no store.
///
/// Ownership: on EHR_OK, `*report_out` is the caller's, also where there are findings; release it with ehr_report_free().
/// Errors:    EHR_JSON_*, EHR_XML_*, EHR_LIMIT_*, EHR_RESOURCE_TYPE_*: the text is no R4 resource.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validate(
    resource: ehr_str,
    report_out: *mut *mut ehr_report,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(report_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let parsed = read_either(unsafe { resource.bytes() }?, &Limits::DEFAULT)?;
        put(report_out, handle::give::<ehr_report, Report>(parsed.report)?)
    })
}

/// 1 where there is no finding of severity error or fatal.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_report_is_valid(report: *const ehr_report) -> i32 {
    getter(0, || Ok(handle::look::<ehr_report, Report>(report)?.is_valid().into()))
}

/// How many findings can be read.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_report_count(report: *const ehr_report) -> usize {
    getter(0, || Ok(handle::look::<ehr_report, Report>(report)?.issues().len()))
}

/// Reads one finding into `*issue`, of which `size` is the sizeof. Ownership: its texts belong to `report`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_report_issue(
    report: *const ehr_report,
    index: usize,
    issue: *mut ehr_issue,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || issue_out(handle::look::<ehr_report, Report>(report)?.issues(), index, issue, size))
}

/// The findings as FHIR's OperationOutcome (JSON).
///
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_report_operation_outcome(
    report: *const ehr_report,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(text_out)?;
        let outcome = operation_outcome(&*handle::look::<ehr_report, Report>(report)?);
        put(text_out, handle::give::<ehr_text, Vec<u8>>(outcome)?)
    })
}

/// Releases a report. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_report_free(report: *mut ehr_report) {
    getter((), || {
        handle::release::<ehr_report, Report>(report);
        Ok(())
    });
}
