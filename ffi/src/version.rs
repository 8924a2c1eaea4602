//! Which library this is.

use crate::text::ehr_str;

/// The version of the library, such as `0.1.0`. The text lives for ever. Threads: any. Since: 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn ehr_version() -> ehr_str {
    ehr_str::lend(env!("CARGO_PKG_VERSION").as_bytes())
}

/// The version of the ABI: grows by one when a function is added; a program needs at least the one it was compiled with
/// (`EHR_ABI_VERSION`). Threads: any. Since: 0.1.0
#[unsafe(no_mangle)]
pub extern "C" fn ehr_abi_version() -> u32 {
    1
}
