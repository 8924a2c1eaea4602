//! FHIRPath: expressions compiled once, evaluated over any number of resources.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, growing, guard, put, put_within, writable};
use crate::handle;
use crate::text::ehr_str;
use ehrcore_core::error::Code;
use ehrcore_core::fhirpath::{Element, Expression, Scope};
use ehrcore_core::limits::Limits;
use ehrcore_core::time::{Clock, SystemClock};
use ehrcore_core::xml::read_either;

/// A compiled expression.
#[allow(non_camel_case_types)]
pub struct ehr_fhirpath {
    _private: [u8; 0],
}

/// What an expression gave.
#[allow(non_camel_case_types)]
pub struct ehr_fhirpath_result {
    _private: [u8; 0],
}

/// One item of a result.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_fhirpath_item {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// Its type: `HumanName`, `code` and so on for elements of the resource, `String`, `Quantity` and so on for values.
    pub type_name: ehr_str,
    /// The item as JSON.
    pub json: ehr_str,
    /// The path of an element, such as `Patient.name[0].family`; empty for a value.
    pub path: ehr_str,
}
growing!(ehr_fhirpath_item);

struct Found {
    type_name: &'static str,
    json: String,
    path: String,
}

/// Compiles an expression.
///
/// Ownership: on EHR_OK, `*expression_out` is the caller's; release it with ehr_fhirpath_free().
/// Errors:    EHR_FHIRPATH_*, with the column where it is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_fhirpath_compile(
    text: ehr_str,
    expression_out: *mut *mut ehr_fhirpath,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(expression_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let expression = Expression::compile(unsafe { text.text() }?)?;
        put(expression_out, handle::give::<ehr_fhirpath, Expression>(expression)?)
    })
}

/// Evaluates an expression over one FHIR R4 resource, JSON or XML.
///
/// Ownership: on EHR_OK, `*result_out` is the caller's; release it with ehr_fhirpath_result_free().
/// Errors:    EHR_FHIRPATH_*: the expression met what it cannot take, or a limit; EHR_JSON_*, EHR_XML_*, EHR_LIMIT_*.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_fhirpath_evaluate(
    expression: *const ehr_fhirpath,
    resource: ehr_str,
    result_out: *mut *mut ehr_fhirpath_result,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(result_out)?;
        let expression = handle::look::<ehr_fhirpath, Expression>(expression)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let record = read_either(unsafe { resource.bytes() }?, &Limits::DEFAULT)?.record;
        let found = expression.evaluate(&Scope::new(record.root()).now(SystemClock.now()))?;
        let found: Vec<Found> = found
            .iter()
            .map(|item| Found {
                type_name: item.type_name(),
                json: item.json(),
                path: item.element().map(Element::path).unwrap_or_default(),
            })
            .collect();
        put(result_out, handle::give::<ehr_fhirpath_result, Vec<Found>>(found)?)
    })
}

/// How many items a result has.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_fhirpath_count(result: *const ehr_fhirpath_result) -> usize {
    getter(0, || Ok(handle::look::<ehr_fhirpath_result, Vec<Found>>(result)?.len()))
}

/// Reads one item, from 0, into `*item`, of which `size` is the sizeof. Ownership: its texts belong to `result`. Errors: EHR_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_fhirpath_item_at(
    result: *const ehr_fhirpath_result,
    index: usize,
    item: *mut ehr_fhirpath_item,
    size: usize,
) -> ehr_status {
    guard(std::ptr::null_mut(), || {
        let result = handle::look::<ehr_fhirpath_result, Vec<Found>>(result)?;
        let found = result.get(index).ok_or_else(|| Code::NotFound.error())?;
        let lend = |text: &str| ehr_str::lend(text.as_bytes());
        let (type_name, json, path) = (lend(found.type_name), lend(&found.json), lend(&found.path));
        put_within(item, size, ehr_fhirpath_item { size: 0, type_name, json, path })
    })
}

/// Releases a result. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_fhirpath_result_free(result: *mut ehr_fhirpath_result) {
    getter((), || {
        handle::release::<ehr_fhirpath_result, Vec<Found>>(result);
        Ok(())
    });
}

/// Releases an expression. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_fhirpath_free(expression: *mut ehr_fhirpath) {
    getter((), || {
        handle::release::<ehr_fhirpath, Expression>(expression);
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: ehr_str) -> String {
        // SAFETY: the text was lent by a handle that is still open.
        unsafe { of.text() }.expect("UTF-8").to_owned()
    }

    #[test]
    fn an_expression_gives_types_values_and_paths() {
        let (mut expression, mut result) = (std::ptr::null_mut(), std::ptr::null_mut());
        let none = std::ptr::null_mut();
        assert_eq!(ehr_fhirpath_compile(ehr_str::lend(b"name.family | 1.50"), &mut expression, none), 0);
        let patient = ehr_str::lend(br#"{"resourceType":"Patient","name":[{"family":"Ito"}]}"#);
        assert_eq!(ehr_fhirpath_evaluate(expression, patient, &mut result, none), 0);
        assert_eq!(ehr_fhirpath_count(result), 2);
        let (none, room) = (ehr_str::EMPTY, size_of::<ehr_fhirpath_item>());
        let mut item = ehr_fhirpath_item { size: 0, type_name: none, json: none, path: none };
        let mut shown = Vec::new();
        for index in 0..2 {
            assert_eq!(ehr_fhirpath_item_at(result, index, &mut item, room), 0);
            shown.push([text(item.type_name), text(item.json), text(item.path)]);
        }
        assert_eq!(shown, [["string", "\"Ito\"", "Patient.name[0].family"], ["Decimal", "1.50", ""]]);
        assert_eq!(ehr_fhirpath_item_at(result, 2, &mut item, room), i32::from(Code::NotFound.number()));
        ehr_fhirpath_result_free(result);
        ehr_fhirpath_free(expression);
        ehr_fhirpath_free(expression);
        assert_eq!(ehr_fhirpath_count(result), 0);
    }

    #[test]
    fn a_wrong_expression_is_an_error_and_gives_nothing() {
        let mut expression = std::ptr::null_mut();
        let status = ehr_fhirpath_compile(ehr_str::lend(b"name."), &mut expression, std::ptr::null_mut());
        assert_eq!(status, i32::from(Code::FhirpathSyntax.number()));
        assert!(expression.is_null());
    }
}
