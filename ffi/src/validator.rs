//! Validators: packages of definitions, loaded once, and records checked against them.

use crate::care::{ehr_cancel, limits};
use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::text::ehr_str;
use crate::validate::ehr_report;
use ehrcore_core::error::{Code, Error, Result};
use ehrcore_core::package::PackageLimits;
use ehrcore_core::report::Report;
use ehrcore_core::time::{Clock, SystemClock};
use ehrcore_core::validate::{Builder, Validator};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A validator: first packages and profiles are added, then it is built, then it validates.
#[allow(non_camel_case_types)]
pub struct ehr_validator {
    _private: [u8; 0],
}

#[derive(Default)]
struct Held {
    builder: Mutex<Builder>,
    built: OnceLock<Validator>,
}

impl Held {
    fn open(&self) -> Result<MutexGuard<'_, Builder>> {
        if self.built.get().is_some() {
            return Err(built());
        }
        Ok(self.builder.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Changes what a validator is to be built of. On failure it stays as it was, so `change` must not fail after it took over.
pub(crate) fn change(validator: *mut ehr_validator, change: impl FnOnce(Builder) -> Result<Builder>) -> Result<()> {
    let held = handle::look::<ehr_validator, Held>(validator)?;
    let mut builder = held.open()?;
    *builder = change(std::mem::take(&mut *builder))?;
    Ok(())
}

fn not_built() -> Error {
    Code::InvalidArgument.error().expected("a validator that is built")
}

fn built() -> Error {
    Code::InvalidArgument.error().expected("a validator that is not built yet")
}

/// Starts a validator that knows R4.
///
/// Ownership: on EHR_OK, `*validator_out` is the caller's; release it with ehr_validator_free().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_new(
    validator_out: *mut *mut ehr_validator,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(validator_out)?;
        put(validator_out, handle::give::<ehr_validator, Held>(Held::default())?)
    })
}

/// Adds the FHIR package at a path: a .tgz file, or a folder.
///
/// Errors:    EHR_IO, EHR_PACKAGE_*: it cannot be read. EHR_INVALID_ARGUMENT: the validator is built already.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_add_package(
    validator: *mut ehr_validator,
    path: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let path = unsafe { path.text() }?;
        let held = handle::look::<ehr_validator, Held>(validator)?;
        let package = ehrcore_core::package::Package::open(path)?;
        let mut builder = held.open()?;
        *builder = std::mem::take(&mut *builder).opened(package);
        Ok(())
    })
}

/// Checks every record against the profile of this URL too, beside those its meta.profile names.
///
/// Errors:    EHR_INVALID_ARGUMENT: the validator is built already.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_add_profile(
    validator: *mut ehr_validator,
    url: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let url = unsafe { url.text() }?;
        let held = handle::look::<ehr_validator, Held>(validator)?;
        let mut builder = held.open()?;
        *builder = std::mem::take(&mut *builder).profile(url);
        Ok(())
    })
}

/// Adds what ehr_validator_save() kept in a file: packages, profiles, options.
///
/// Errors:    EHR_IO: the file cannot be read. EHR_COMPILED_UNREADABLE: it is no such file, or not whole.
///            EHR_COMPILED_VERSION: another version of the library wrote it. EHR_INVALID_ARGUMENT: the validator is built already.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_load(
    validator: *mut ehr_validator,
    path: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let path = unsafe { path.text() }?;
        let most = PackageLimits::DEFAULT.total_bytes as u64;
        let mut bytes = Vec::new();
        // One that is longer is cut off, and then not whole.
        std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
        let bytes: std::sync::Arc<[u8]> = bytes.into();
        // What cannot be loaded is found out before the builder is touched.
        Builder::default().load_bytes(bytes.clone())?;
        change(validator, |builder| builder.load_bytes(bytes))
    })
}

/// Keeps a built validator in a file, from which ehr_validator_load() has it back in milliseconds.
///
/// Errors:    EHR_IO: the file cannot be written. EHR_INVALID_ARGUMENT: the validator is not built.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_save(
    validator: *const ehr_validator,
    path: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let path = unsafe { path.text() }?;
        let held = handle::look::<ehr_validator, Held>(validator)?;
        held.built.get().ok_or_else(not_built)?.save(path)
    })
}

/// Builds the validator. From then on it does not change.
///
/// Errors:    EHR_PROFILE_UNKNOWN: a profile that was added is in no package. EHR_INVALID_ARGUMENT: it is built already.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_build(validator: *mut ehr_validator, error_out: *mut *mut ehr_error) -> ehr_status {
    guard(error_out, || {
        let held = handle::look::<ehr_validator, Held>(validator)?;
        let mut builder = held.open()?;
        let made = std::mem::take(&mut *builder).build()?;
        held.built.set(made).map_err(|_| built())
    })
}

/// Checks one FHIR R4 resource, JSON or XML: structure, invariants, bindings, profiles. Text that cannot be read is a finding.
///
/// Ownership: on EHR_OK, `*report_out` is the caller's, also where there are findings; release it with ehr_report_free().
/// Errors:    EHR_INVALID_ARGUMENT: the validator is not built.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_validate(
    validator: *const ehr_validator,
    resource: ehr_str,
    report_out: *mut *mut ehr_report,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(report_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let resource = unsafe { resource.bytes() }?;
        let held = handle::look::<ehr_validator, Held>(validator)?;
        let report = held.built.get().ok_or_else(not_built)?.validate(resource);
        put(report_out, handle::give::<ehr_report, Report>(report)?)
    })
}

/// As ehr_validator_validate(), for at most so many milliseconds, holding at most `memory` bytes, until `cancel` says stop. 0 and NULL are no
/// limit. There is no report of a part.
///
/// Ownership: as ehr_validator_validate().
/// Errors:    as ehr_validator_validate(); EHR_DEADLINE, EHR_LIMIT_MEMORY, EHR_CANCELLED.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_validate_within(
    validator: *const ehr_validator,
    resource: ehr_str,
    milliseconds: u64,
    memory: usize,
    cancel: *const ehr_cancel,
    report_out: *mut *mut ehr_report,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(report_out)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let watch = limits(milliseconds, memory, cancel)?.begin(&clock);
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let resource = unsafe { resource.bytes() }?;
        let held = handle::look::<ehr_validator, Held>(validator)?;
        let report = held.built.get().ok_or_else(not_built)?.validate_within(resource, &watch)?;
        put(report_out, handle::give::<ehr_report, Report>(report)?)
    })
}

/// Releases a validator. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_free(validator: *mut ehr_validator) {
    getter((), || {
        handle::release::<ehr_validator, Held>(validator);
        Ok(())
    });
}
