//! FHIR XML in and out, without a store.

use crate::error::ehr_error;
use crate::guard::{ehr_status, guard, put, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::text::ehr_str;
use crate::validate::ehr_report;
use ehrcore_core::json;
use ehrcore_core::limits::Limits;
use ehrcore_core::report::Report;
use ehrcore_core::xml;

/// Reads one FHIR R4 resource from XML: its JSON form, which ehr_session_write() takes, and what was found in it.
///
/// Ownership: on EHR_OK, `*json_out` is the caller's; release it with ehr_text_free(). `report_out` may be NULL; otherwise
///            `*report_out` is the caller's; release it with ehr_report_free(). Comments are not part of the JSON form, nor is
///            what the report names as an EHR_XML_TEXT or EHR_XML_ATTRIBUTE.
/// Errors:    EHR_XML_*, EHR_LIMIT_*, EHR_RESOURCE_TYPE_*: the text is no R4 resource in XML.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_xml_read(
    resource: ehr_str,
    json_out: *mut *mut ehr_text,
    report_out: *mut *mut ehr_report,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(json_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let parsed = xml::read(unsafe { resource.bytes() }?, &Limits::DEFAULT)?;
        if !report_out.is_null() {
            put(report_out, handle::give::<ehr_report, Report>(parsed.report)?)?;
        }
        put(json_out, handle::give::<ehr_text, Vec<u8>>(parsed.record.original().to_vec())?)
    })
}

/// Writes one FHIR R4 resource, given as JSON, as XML.
///
/// Ownership: on EHR_OK, `*xml_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_XML_UNSAYABLE with the path: it has something that XML cannot say; EHR_JSON_*, EHR_LIMIT_*.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_xml_write(
    resource: ehr_str,
    xml_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(xml_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let parsed = json::read(unsafe { resource.bytes() }?, &Limits::DEFAULT)?;
        let mut out = Vec::new();
        xml::write(&parsed.record, &mut out)?;
        put(xml_out, handle::give::<ehr_text, Vec<u8>>(out)?)
    })
}
