//! The one boundary: what runs inside [`guard`] can neither unwind into the host nor leave a result half given.

use crate::error::{Details, ehr_error};
use crate::handle;
use ehrcore_core::error::{Code, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `EHR_OK` or the number of an error code; see the enum `ehr_code`.
#[allow(non_camel_case_types)]
pub type ehr_status = i32;

/// Success.
pub(crate) const OK: ehr_status = 0;

/// Runs `work`; turns an error or a panic into a status and, where the caller asked for it, a handle with the details.
pub(crate) fn guard(error_out: *mut *mut ehr_error, work: impl FnOnce() -> Result<()>) -> ehr_status {
    let error = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return OK,
        Ok(Err(error)) => error,
        Err(_) => Code::Panic.error(),
    };
    let status = ehr_status::from(error.code().number());
    if !error_out.is_null() {
        if let Ok(Ok(details)) = catch_unwind(AssertUnwindSafe(|| handle::give::<ehr_error, Details>(error.into()))) {
            // SAFETY: `error_out` is not null and, by the header's convention, points to a writable `ehr_error *`.
            unsafe { error_out.write(details) };
        }
    }
    status
}

/// Runs a getter that has no way to report an error; `otherwise` is what it gives then.
pub(crate) fn getter<T>(otherwise: T, work: impl FnOnce() -> Result<T>) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => value,
        _ => otherwise,
    }
}

/// Writes a result through an out-pointer.
///
/// # Errors
/// - `null-pointer` where there is nowhere to write.
pub(crate) fn put<T>(out: *mut T, value: T) -> Result<()> {
    if out.is_null() {
        return Err(Code::NullPointer.error());
    }
    // SAFETY: `out` is not null and, by the header's convention, points to writable memory for one `T`.
    unsafe { out.write(value) };
    Ok(())
}

/// Checks an out-pointer before the work starts, so that nothing is done whose result cannot be given.
pub(crate) fn writable<T>(out: *mut T) -> Result<()> {
    if out.is_null() { Err(Code::NullPointer.error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_and_an_error_handle() {
        let mut error = std::ptr::null_mut();
        let status = guard(&mut error, || panic!("a defect"));
        assert_eq!(status, i32::from(Code::Panic.number()));
        assert!(!error.is_null());
        handle::release::<ehr_error, Details>(error);
    }
}
