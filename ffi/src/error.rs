//! Errors and findings as a C program reads them.

use crate::guard::{ehr_status, getter, growing, put_within};
use crate::handle;
use crate::text::ehr_str;
use ehrcore_core::error::{Code, Error, Result};
use ehrcore_core::report::Issue;
use std::sync::Arc;

/// Details of a failed call. Holds no record content.
#[allow(non_camel_case_types)]
pub struct ehr_error {
    _private: [u8; 0],
}

/// One finding about a record. The texts belong to the error or report it was read from.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_issue {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// `EHR_SEVERITY_*`: 1 fatal, 2 error, 3 warning, 4 information.
    pub severity: i32,
    /// The stable code: one of `enum ehr_code`.
    pub code: ehr_status,
    /// Line, from 1; 0 where there is none.
    pub line: u32,
    /// Column in bytes, from 1; 0 where there is none.
    pub column: u32,
    /// Element path, such as `Patient.name[0].family`.
    pub path: ehr_str,
    /// What was expected, in one sentence.
    pub message: ehr_str,
    /// The canonical URL of the profile it comes from; empty where it comes from R4 itself.
    pub profile: ehr_str,
    /// The rule it comes from: the key of an invariant, the name of a slice, the URL of a value set; empty for none.
    pub rule: ehr_str,
}
growing!(ehr_issue);

/// Keeps the message beside the error so that it can be lent.
pub(crate) struct Details {
    pub(crate) error: Error,
    message: String,
}

impl From<Error> for Details {
    fn from(error: Error) -> Self {
        Details { message: error.to_string(), error }
    }
}

fn details(error: *const ehr_error) -> Result<Arc<Details>> {
    handle::look(error)
}

/// Lends text of an object that the handle table keeps alive until the handle is released.
fn lend(text: &str) -> ehr_str {
    ehr_str::lend(text.as_bytes())
}

pub(crate) fn issue_out(issues: &[Issue], index: usize, out: *mut ehr_issue, room: usize) -> Result<()> {
    let issue = issues.get(index).ok_or_else(|| Code::NotFound.error())?;
    put_within(
        out,
        room,
        ehr_issue {
            size: 0,
            severity: issue.severity as i32 + 1,
            code: ehr_status::from(issue.code.number()),
            line: issue.line,
            column: issue.column,
            path: lend(&issue.path),
            message: lend(&issue.message),
            profile: issue.profile.as_deref().map_or(ehr_str::EMPTY, lend),
            rule: issue.rule.as_deref().map_or(ehr_str::EMPTY, lend),
        },
    )
}

/// The code of an error, one of `enum ehr_code`; 0 where `error` is not an open error.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_code(error: *const ehr_error) -> ehr_status {
    getter(0, || Ok(ehr_status::from(details(error)?.error.code().number())))
}

/// The whole message in one sentence: where, what was expected, what was found. Never record content.
///
/// Ownership: the text belongs to `error`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_message(error: *const ehr_error) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(lend(&details(error)?.message)))
}

/// The element path the error is about; empty where there is none. Ownership: the text belongs to `error`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_path(error: *const ehr_error) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(details(error)?.error.location().path.as_deref().map_or(ehr_str::EMPTY, lend)))
}

/// Whom to ask about a refusal (EHR_HOLD), in the words of whoever placed the hold; empty where nobody is named. Do not log it.
/// Ownership: the text belongs to `error`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_whom_to_ask(error: *const ehr_error) -> ehr_str {
    getter(ehr_str::EMPTY, || Ok(details(error)?.error.whom_to_ask().map_or(ehr_str::EMPTY, lend)))
}

/// The line the error is about, from 1; 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_line(error: *const ehr_error) -> u32 {
    getter(0, || Ok(details(error)?.error.location().line))
}

/// The column in bytes the error is about, from 1; 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_column(error: *const ehr_error) -> u32 {
    getter(0, || Ok(details(error)?.error.location().column))
}

/// How many findings led to an `EHR_RECORD_INVALID`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_issue_count(error: *const ehr_error) -> usize {
    getter(0, || Ok(details(error)?.error.issues().len()))
}

/// Reads one finding of an `EHR_RECORD_INVALID` into `*issue`, of which `size` is the sizeof.
///
/// Ownership: the texts in `*issue` belong to `error`.
/// Errors:    EHR_NOT_FOUND where `index` is not less than ehr_error_issue_count().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_issue(
    error: *const ehr_error,
    index: usize,
    issue: *mut ehr_issue,
    size: usize,
) -> ehr_status {
    crate::guard::guard(std::ptr::null_mut(), || issue_out(details(error)?.error.issues(), index, issue, size))
}

/// Releases an error. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_error_free(error: *mut ehr_error) {
    getter((), || {
        handle::release::<ehr_error, Details>(error);
        Ok(())
    });
}

/// The stable name of a status, such as `not-found`; empty for a number that is none. The text lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_status_name(status: ehr_status) -> ehr_str {
    of(status).map_or(if status == 0 { lend("ok") } else { ehr_str::EMPTY }, |code| lend(code.name()))
}

/// One sentence on what a status means; empty for a number that is none. The text lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_status_sentence(status: ehr_status) -> ehr_str {
    of(status).map_or(ehr_str::EMPTY, |code| lend(code.sentence()))
}

/// How to mend what a status says, in a sentence or two; empty for a number that is none. The text lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_status_mend(status: ehr_status) -> ehr_str {
    of(status).map_or(ehr_str::EMPTY, |code| lend(code.explanation().mend))
}

fn of(status: ehr_status) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| ehr_status::from(code.number()) == status)
}
