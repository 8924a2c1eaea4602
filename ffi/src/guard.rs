//! The one boundary: what runs inside [`guard`] can neither unwind into the host nor leave a result half given.

use crate::error::{Details, ehr_error};
use crate::handle;
use ehrcore_core::error::{Code, Error, Result};
use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `EHR_OK` or the number of an error code; see the enum `ehr_code`.
#[allow(non_camel_case_types)]
pub type ehr_status = i32;

/// Success.
pub(crate) const OK: ehr_status = 0;

/// Runs `work`; turns an error or a panic into a status and, where the caller asked for it, a handle with the details.
pub(crate) fn guard(error_out: *mut *mut ehr_error, work: impl FnOnce() -> Result<()>) -> ehr_status {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => OK,
        Ok(Err(error)) => failed(error_out, error),
        Err(panic) => panicked(error_out, panic),
    }
}

// The two ways out are not generic, so that the library has them once and not for every function.

#[cold]
#[inline(never)]
fn panicked(error_out: *mut *mut ehr_error, panic: Box<dyn Any + Send>) -> ehr_status {
    drop(panic);
    failed(error_out, Code::Panic.error())
}

#[cold]
#[inline(never)]
fn failed(error_out: *mut *mut ehr_error, error: Error) -> ehr_status {
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

/// A struct of the header that later versions of the library may make longer, at its end.
pub(crate) trait Growing: Copy {
    /// Its first field: how much of it was filled.
    fn size(&mut self) -> &mut usize;
}

/// Says that structs begin with their size and may grow.
macro_rules! growing {
    ($($name:ty),*) => {
        $(impl $crate::guard::Growing for $name {
            fn size(&mut self) -> &mut usize {
                const { assert!(std::mem::offset_of!($name, size) == 0) };
                &mut self.size
            }
        })*
    };
}
pub(crate) use growing;

/// Writes as much of a struct as the caller has room for: `room` is the size that it has in their header.
///
/// # Errors
/// - `null-pointer` where there is nowhere to write; `invalid-argument` where there is no room for its size.
pub(crate) fn put_within<T: Growing>(out: *mut T, room: usize, mut value: T) -> Result<()> {
    writable(out)?;
    if room < size_of::<usize>() {
        return Err(Code::InvalidArgument.error().expected("the size of the struct"));
    }
    let length = room.min(size_of::<T>());
    *value.size() = length;
    // SAFETY: `out` is not null and, by the header's convention, points to writable memory of `room` bytes; no more than those
    // and than the struct has are written. Bytes between fields are copied as they are and never looked at.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const value).cast::<MaybeUninit<u8>>(), out.cast(), length);
    }
    Ok(())
}

/// Checks an out-pointer before the work starts, so that nothing is done whose result cannot be given.
pub(crate) fn writable<T>(out: *mut T) -> Result<()> {
    if out.is_null() { Err(Code::NullPointer.error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Newer {
        size: usize,
        first: u32,
        later: u64,
    }
    growing!(Newer);

    #[test]
    fn a_struct_is_filled_as_far_as_the_caller_knows_it_and_not_beyond() {
        let value = Newer { size: 0, first: 7, later: 8 };
        let untouched = Newer { size: 1, first: 1, later: 1 };
        let mut out = untouched;
        let older = std::mem::offset_of!(Newer, later);
        assert!(put_within(&mut out, older, value).is_ok());
        assert_eq!((out.size, out.first, out.later), (older, 7, 1), "a caller from before it grew");
        let mut out = untouched;
        assert!(put_within(&mut out, 4096, value).is_ok());
        assert_eq!((out.size, out.first, out.later), (size_of::<Newer>(), 7, 8), "a caller from after it grew");
        assert_eq!(put_within(&mut out, 0, value).unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(put_within(std::ptr::null_mut(), 4096, value).unwrap_err().code(), Code::NullPointer);
    }

    #[test]
    fn a_panic_becomes_a_status_and_an_error_handle() {
        let mut error = std::ptr::null_mut();
        let status = guard(&mut error, || panic!("a defect"));
        assert_eq!(status, i32::from(Code::Panic.number()));
        assert!(!error.is_null());
        handle::release::<ehr_error, Details>(error);
    }
}
