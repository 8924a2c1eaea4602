//! Terminology beyond packages: a host's own knowledge of codes, and what a code is in another system.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, growing, guard, put, put_within, writable};
use crate::handle;
use crate::terminology::{ehr_terminology, opened};
use crate::text::ehr_str;
use crate::validator::{self, ehr_validator};
use ehrcore_core::error::{Code, Result};
use ehrcore_core::terminology::{Answer, Coding, Source, Subsumption, Terminology, Translation};
use std::ffi::c_void;
use std::sync::Arc;

/// What a host knows of codes that no package has, such as those of SNOMED CT or LOINC. Packages are asked first. Both calls
/// may come from any thread and must answer by themselves: there is no time limit here. They are given codes out of records.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_code_source {
    /// sizeof(ehr_code_source)
    pub size: usize,
    /// Given back with each call.
    pub context: *mut c_void,
    /// Whether a code is in a value set, or in its code system where `value_set` is empty: 1 it is, 0 it is not, -1 not known.
    /// What is empty was not given.
    pub validate_code: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            value_set: ehr_str,
            system: ehr_str,
            version: ehr_str,
            code: ehr_str,
            display: ehr_str,
        ) -> i32,
    >,
    /// How code `a` relates to code `b`: 0 the same, 1 more general, 2 more special, 3 neither, -1 not known. May be NULL.
    pub subsumes: Option<
        unsafe extern "C" fn(context: *mut c_void, system: ehr_str, version: ehr_str, a: ehr_str, b: ehr_str) -> i32,
    >,
}

struct HostSource(ehr_code_source);

// SAFETY: the header asks that both calls may come from any thread; `context` is only handed back.
unsafe impl Send for HostSource {}
// SAFETY: as above.
unsafe impl Sync for HostSource {}

fn lend(text: Option<&str>) -> ehr_str {
    text.map_or(ehr_str::EMPTY, |text| ehr_str::lend(text.as_bytes()))
}

impl Source for HostSource {
    fn validate_code(&self, value_set: Option<&str>, coding: &Coding<'_>) -> Option<Answer> {
        let call = self.0.validate_code?;
        let (system, version) = (lend(coding.system.as_deref()), lend(coding.version.as_deref()));
        let (code, display) = (lend(Some(&coding.code)), lend(coding.display.as_deref()));
        // SAFETY: the texts live across the call; `context` is the host's own.
        let answer = unsafe { call(self.0.context, lend(value_set), system, version, code, display) };
        match answer {
            0 | 1 => Some(Answer { valid: answer == 1, ..Answer::default() }),
            _ => None,
        }
    }
    fn subsumes(&self, system: &str, version: Option<&str>, a: &str, b: &str) -> Option<Subsumption> {
        let call = self.0.subsumes?;
        // SAFETY: as above.
        match unsafe { call(self.0.context, lend(Some(system)), lend(version), lend(Some(a)), lend(Some(b))) } {
            0 => Some(Subsumption::Equivalent),
            1 => Some(Subsumption::Subsumes),
            2 => Some(Subsumption::SubsumedBy),
            3 => Some(Subsumption::NotSubsumed),
            _ => None,
        }
    }
}

/// The source behind a pointer.
///
/// # Safety
/// `source` must be NULL or point to a readable ehr_code_source.
unsafe fn host(source: *const ehr_code_source) -> Result<Arc<dyn Source>> {
    if source.is_null() {
        return Err(Code::NullPointer.error());
    }
    // SAFETY: not null; readable by this function's own contract.
    let source = unsafe { source.read() };
    if source.size != size_of::<ehr_code_source>() || source.validate_code.is_none() {
        return Err(Code::InvalidArgument.error().expected("size and validate_code to be set"));
    }
    Ok(Arc::new(HostSource(source)))
}

/// As ehr_terminology_open(), with a source of the host's. `*source` is copied; its `context` must live as long as the
/// terminology.
///
/// Errors:    as ehr_terminology_open(). EHR_INVALID_ARGUMENT: size or validate_code is not set.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_terminology_open_with(
    packages: *const ehr_str,
    count: usize,
    source: *const ehr_code_source,
    terminology_out: *mut *mut ehr_terminology,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(terminology_out)?;
        // SAFETY: by the header's convention the arguments are readable during the call.
        let (source, made) = unsafe { (host(source)?, opened(packages, count)?) };
        put(terminology_out, handle::give::<ehr_terminology, Terminology>(made.with_source(source))?)
    })
}

/// Asks this source for codes that the packages do not know. `*source` is copied; its `context` must live as long as the
/// validator.
///
/// Errors:    EHR_INVALID_ARGUMENT: the validator is built already, or size or validate_code is not set.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_validator_add_source(
    validator: *mut ehr_validator,
    source: *const ehr_code_source,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        // SAFETY: by the header's convention the argument is readable during the call.
        let source = unsafe { host(source) }?;
        validator::change(validator, |builder| Ok(builder.source(source)))
    })
}

/// Codes that a concept map gives for another.
#[allow(non_camel_case_types)]
pub struct ehr_translations {
    _private: [u8; 0],
}

/// One code that a concept map gives. The texts belong to the ehr_translations.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_translation {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// How near it is, in FHIR's word: `equivalent`, `wider`, `inexact` and so on.
    pub equivalence: ehr_str,
    /// The system it is in; empty where none is named.
    pub system: ehr_str,
    /// The code.
    pub code: ehr_str,
    /// The text for it; empty where there is none.
    pub display: ehr_str,
}
growing!(ehr_translation);

/// What a concept map (`url` or `url|version`) gives for a code, in the order of the map. `system` may be empty.
///
/// Ownership: on EHR_OK, `*translations_out` is the caller's, also where it is empty; release it with ehr_translations_free().
/// Errors:    EHR_CONCEPT_MAP_UNKNOWN: no package has the map.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_terminology_translate(
    terminology: *const ehr_terminology,
    concept_map: ehr_str,
    system: ehr_str,
    code: ehr_str,
    translations_out: *mut *mut ehr_translations,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(translations_out)?;
        let terminology = handle::look::<ehr_terminology, Terminology>(terminology)?;
        // SAFETY: by the header's convention the arguments are readable for the lengths they state during the call.
        let (map, system, code) = unsafe { (concept_map.text()?, system.text()?, code.text()?) };
        let coding = if system.is_empty() { Coding::code(code) } else { Coding::new(system, code) };
        let found = terminology.translate(map, &coding)?;
        put(translations_out, handle::give::<ehr_translations, Vec<Translation>>(found)?)
    })
}

/// How many there are.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_translations_count(translations: *const ehr_translations) -> usize {
    getter(0, || Ok(handle::look::<ehr_translations, Vec<Translation>>(translations)?.len()))
}

/// Reads one into `*entry_out`, of which `size` is the sizeof. Ownership: its texts belong to `translations`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_translations_entry(
    translations: *const ehr_translations,
    index: usize,
    entry_out: *mut ehr_translation,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let found = handle::look::<ehr_translations, Vec<Translation>>(translations)?;
        let one = found.get(index).ok_or_else(|| Code::NotFound.error())?;
        let (system, display) = (lend(one.system.as_deref()), lend(one.display.as_deref()));
        let (equivalence, code) = (lend(Some(&one.equivalence)), lend(Some(&one.code)));
        put_within(entry_out, size, ehr_translation { size: 0, equivalence, system, code, display })
    })
}

/// Releases them. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_translations_free(translations: *mut ehr_translations) {
    getter((), || {
        handle::release::<ehr_translations, Vec<Translation>>(translations);
        Ok(())
    });
}
