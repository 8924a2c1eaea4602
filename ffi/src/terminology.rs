//! Terminology: whether a code is right, and what a value set holds. Needs no store.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, growing, guard, put, put_within, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::text::ehr_str;
use ehrcore_core::error::{Code, Result};
use ehrcore_core::package::{Package, Packages};
use ehrcore_core::terminology::{Coding, Expansion, ExpansionOptions, Outcome, Terminology};

/// Code systems, value sets and concept maps of FHIR packages, and those of R4 itself.
#[allow(non_camel_case_types)]
pub struct ehr_terminology {
    _private: [u8; 0],
}

/// The codes of a value set.
#[allow(non_camel_case_types)]
pub struct ehr_expansion {
    _private: [u8; 0],
}

/// What was found about a code.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_code_check {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// `EHR_OUTCOME_*`: 0 in, 1 not in the value set, 2 not a code of its system, 3 not checked: nobody here can tell.
    pub outcome: i32,
    /// 1 where the display given is none that the code system or the value set has.
    pub display_wrong: i32,
    /// 1 where the code is no longer in use.
    pub inactive: i32,
    /// 1 where the code only groups others and should not be used by itself.
    pub is_abstract: i32,
}
growing!(ehr_code_check);

/// One code of an expansion. The texts belong to the expansion.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_code_entry {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// The code system; empty where none is named.
    pub system: ehr_str,
    /// The code.
    pub code: ehr_str,
    /// The text for it; empty where there is none.
    pub display: ehr_str,
    /// 1 where the code is no longer in use.
    pub inactive: i32,
    /// 1 where the code only groups others.
    pub is_abstract: i32,
}
growing!(ehr_code_entry);

/// Opens FHIR packages (`.tgz` files or folders). R4's own code systems and value sets are always there, also with `count` 0.
/// Licensed systems such as SNOMED CT and LOINC are not; their codes are not checked, which is not the same as wrong.
///
/// Ownership: on EHR_OK, `*terminology_out` is the caller's; release it with ehr_terminology_free(). `packages` points to
///            `count` texts, read during the call.
/// Errors:    EHR_IO, EHR_PACKAGE_UNREADABLE, EHR_PACKAGE_LIMIT.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_terminology_open(
    packages: *const ehr_str,
    count: usize,
    terminology_out: *mut *mut ehr_terminology,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(terminology_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let made = unsafe { opened(packages, count) }?;
        put(terminology_out, handle::give::<ehr_terminology, Terminology>(made)?)
    })
}

/// What the packages at these paths know.
///
/// # Safety
/// `packages` must point to `count` readable texts, or `count` must be 0.
pub(crate) unsafe fn opened(packages: *const ehr_str, count: usize) -> Result<Terminology> {
    let mut set = Packages::new();
    // SAFETY: by this function's own contract.
    for path in unsafe { list(packages, count) }? {
        // SAFETY: as above.
        set.add(Package::open(unsafe { path.text() }?)?);
    }
    Ok(Terminology::new(&set))
}

/// The texts behind a pointer and a count.
///
/// # Safety
/// `texts` must point to `count` readable texts for as long as the result is used, or `count` must be 0.
unsafe fn list<'a>(texts: *const ehr_str, count: usize) -> Result<&'a [ehr_str]> {
    if count == 0 {
        return Ok(&[]);
    }
    if texts.is_null() {
        return Err(Code::NullPointer.error());
    }
    if count > isize::MAX as usize / size_of::<ehr_str>() {
        return Err(Code::InvalidArgument.error().expected("a count that fits the address space"));
    }
    // SAFETY: not null, not longer than an allocation can be; readable by this function's own contract.
    Ok(unsafe { std::slice::from_raw_parts(texts, count) })
}

/// Releases it. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_terminology_free(terminology: *mut ehr_terminology) {
    getter((), || {
        handle::release::<ehr_terminology, Terminology>(terminology);
        Ok(())
    });
}

/// Whether a code is in a value set (`url` or `url|version`), or in its code system where `value_set` is empty. `system` may be
/// empty where the value set tells it; `display` may be empty. `size` is the sizeof of `*check_out`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_terminology_validate_code(
    terminology: *const ehr_terminology,
    value_set: ehr_str,
    system: ehr_str,
    code: ehr_str,
    display: ehr_str,
    check_out: *mut ehr_code_check,
    size: usize,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(check_out)?;
        let terminology = handle::look::<ehr_terminology, Terminology>(terminology)?;
        // SAFETY: by the header's convention the arguments are readable for the lengths they state during the call.
        let [value_set, system, code, display] =
            unsafe { [value_set.text()?, system.text()?, code.text()?, display.text()?] };
        let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let coding = Coding {
            system: some(system).map(Into::into),
            display: some(display).map(Into::into),
            ..Coding::code(code)
        };
        let outcome = match some(value_set) {
            Some(value_set) => terminology.validate_code(value_set, &coding),
            None => terminology.validate_coding(&coding),
        };
        let number = match outcome {
            Outcome::In(_) => 0,
            Outcome::NotIn => 1,
            Outcome::CodeUnknown => 2,
            Outcome::NotChecked(_) => 3,
        };
        let found = if let Outcome::In(found) = outcome { found } else { Default::default() };
        put_within(
            check_out,
            size,
            ehr_code_check {
                size: 0,
                outcome: number,
                display_wrong: found.display_wrong.into(),
                inactive: found.inactive.into(),
                is_abstract: found.abstract_.into(),
            },
        )
    })
}

/// The text that a code system prefers for a code.
///
/// Ownership: on EHR_OK, `*display_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_NOT_FOUND: the system is not here, or does not have the code, or has no text for it.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_terminology_display(
    terminology: *const ehr_terminology,
    system: ehr_str,
    code: ehr_str,
    display_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(display_out)?;
        let terminology = handle::look::<ehr_terminology, Terminology>(terminology)?;
        // SAFETY: by the header's convention the arguments are readable for the lengths they state during the call.
        let (system, code) = unsafe { (system.text()?, code.text()?) };
        let found = terminology.lookup(&Coding::new(system, code)).and_then(|concept| concept.display);
        let display = found.ok_or_else(|| Code::NotFound.error())?;
        put(display_out, handle::give::<ehr_text, Vec<u8>>(display.as_bytes().to_vec())?)
    })
}

/// The codes of a value set (`url` or `url|version`), at most `limit` of them.
///
/// Ownership: on EHR_OK, `*expansion_out` is the caller's; release it with ehr_expansion_free().
/// Errors:    EHR_VALUE_SET_UNKNOWN; EHR_EXPANSION_IMPOSSIBLE: a part of it cannot be listed here; EHR_EXPANSION_LIMIT.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_terminology_expand(
    terminology: *const ehr_terminology,
    value_set: ehr_str,
    limit: usize,
    expansion_out: *mut *mut ehr_expansion,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(expansion_out)?;
        let terminology = handle::look::<ehr_terminology, Terminology>(terminology)?;
        let options = ExpansionOptions { limit, ..ExpansionOptions::default() };
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let made = terminology.expand(unsafe { value_set.text() }?, &options)?;
        put(expansion_out, handle::give::<ehr_expansion, Expansion>(made)?)
    })
}

/// Releases it. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_expansion_free(expansion: *mut ehr_expansion) {
    getter((), || {
        handle::release::<ehr_expansion, Expansion>(expansion);
        Ok(())
    });
}

/// How many codes it has.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_expansion_count(expansion: *const ehr_expansion) -> usize {
    getter(0, || Ok(handle::look::<ehr_expansion, Expansion>(expansion)?.contains.len()))
}

/// Reads one code into `*entry_out`, of which `size` is the sizeof. Ownership: its texts belong to `expansion`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_expansion_entry(
    expansion: *const ehr_expansion,
    index: usize,
    entry_out: *mut ehr_code_entry,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let expansion = handle::look::<ehr_expansion, Expansion>(expansion)?;
        let entry = expansion.contains.get(index).ok_or_else(|| Code::NotFound.error())?;
        let lend = |text: &Option<std::sync::Arc<str>>| {
            text.as_deref().map_or(ehr_str::EMPTY, |text| ehr_str::lend(text.as_bytes()))
        };
        put_within(
            entry_out,
            size,
            ehr_code_entry {
                size: 0,
                system: lend(&entry.system),
                code: ehr_str::lend(entry.code.as_bytes()),
                display: lend(&entry.display),
                inactive: entry.inactive.into(),
                is_abstract: entry.abstract_.into(),
            },
        )
    })
}
