//! Text and bytes across the boundary: a pointer and a length, UTF-8 where it is text, never a terminator.

use ehrcore_core::error::{Code, Result};
use std::ffi::c_char;

/// UTF-8 text or bytes with a length; not terminated. `{NULL, 0}` is empty.
///
/// As an argument it is only read during the call. As a result it stays valid until the handle it came from is released.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ehr_str {
    /// First byte; may be NULL where `length` is 0.
    pub data: *const c_char,
    /// Number of bytes.
    pub length: usize,
}

impl ehr_str {
    /// No text.
    pub(crate) const EMPTY: ehr_str = ehr_str { data: std::ptr::null(), length: 0 };

    /// Lends bytes that live as long as the handle they belong to.
    pub(crate) fn lend(bytes: &[u8]) -> ehr_str {
        ehr_str { data: bytes.as_ptr().cast(), length: bytes.len() }
    }

    /// The bytes behind it.
    ///
    /// # Safety
    /// `data` must point to `length` readable bytes for as long as the result is used, or `length` must be 0.
    pub(crate) unsafe fn bytes<'a>(self) -> Result<&'a [u8]> {
        if self.length == 0 {
            return Ok(&[]);
        }
        if self.data.is_null() {
            return Err(Code::NullPointer.error());
        }
        if self.length > isize::MAX as usize {
            return Err(Code::InvalidArgument.error().expected("a length that fits the address space"));
        }
        // SAFETY: not null, not longer than an allocation can be; readable by this function's own contract.
        Ok(unsafe { std::slice::from_raw_parts(self.data.cast(), self.length) })
    }

    /// The text behind it.
    ///
    /// # Safety
    /// As [`ehr_str::bytes`].
    pub(crate) unsafe fn text<'a>(self) -> Result<&'a str> {
        // SAFETY: this function has the same contract.
        let bytes = unsafe { self.bytes() }?;
        std::str::from_utf8(bytes).map_err(|_| Code::InvalidArgument.error().expected("UTF-8 text"))
    }
}
