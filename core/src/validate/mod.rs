//! Validation: whether a record is right, as a report and as FHIR's own OperationOutcome.
//!
//! Structure is checked where the bytes are read ([`crate::json::read`]): elements, cardinality, JSON types, choices,
//! primitive forms, required bindings, references, contained resources, narrative, Bundle shape. What needs more than one
//! pass (FHIRPath invariants, profiles, terminology) gets a room of its own below this one.

mod compiled;
pub(crate) mod invariants;
mod profile;
mod questionnaire;
#[cfg(test)]
#[path = "tests.rs"]
mod rules;
mod run;
mod validator;

pub use questionnaire::{questionnaire, questionnaire_response};
pub use validator::{Builder, Options, References, UnknownExtensions, Validator};

use crate::error::{Code, Error, Result};
use crate::json::Parsed;
use crate::limits::Limits;
use crate::record::{Record, Value};
use crate::report::{Issue, Report, Severity};
use crate::xml;

/// Checks the structure of one resource as text, JSON or XML. Text that cannot be read is one fatal finding, so there is always a report.
///
/// # Example
/// ```
/// use ehrcore::limits::Limits;
/// let report = ehrcore::validate::text(br#"{"resourceType":"Patient","gender":"F"}"#, &Limits::DEFAULT);
/// assert!(!report.is_valid());
/// assert_eq!(report.issues()[0].path, "Patient.gender");
/// assert_eq!(report.issues()[0].code.name(), "code-unknown");
/// ```
pub fn text(bytes: &[u8], limits: &Limits) -> Report {
    match xml::read_either(bytes, limits) {
        Ok(parsed) => parsed.report,
        Err(error) => unreadable(&error),
    }
}

/// Checks the structure of a record.
pub fn structure(record: &Record) -> Report {
    text(record.original(), &Limits::DEFAULT)
}

/// Checks the structure of a record and every formal rule (invariant) of R4 that is about something in it.
///
/// # Example
/// ```
/// use ehrcore::record::Record;
/// # fn main() -> ehrcore::error::Result<()> {
/// let record = Record::parse(br#"{"resourceType":"Patient","contact":[{"gender":"male"}]}"#)?;
/// let report = ehrcore::validate::record(&record);
/// let broken = report.issues().iter().find(|issue| issue.rule.as_deref() == Some("pat-1")).expect("a finding");
/// assert_eq!(broken.path, "Patient.contact[0]");
/// # Ok(())
/// # }
/// ```
pub fn record(record: &Record) -> Report {
    ruled(record, structure(record))
}

/// Reads one resource, JSON or XML, and checks its structure and every formal rule (invariant) of R4 that is about
/// something in it. What breaks a rule in XML has a path and no line.
///
/// # Errors
/// - as [`xml::read_either`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Parsed> {
    let Parsed { record, report } = xml::read_either(bytes, limits)?;
    if !xml::is_xml(bytes) {
        let report = ruled(&record, report);
        return Ok(Parsed { record, report });
    }
    let mut all = report;
    for issue in ruled(&record, Report::new()).into_issues() {
        all.push(Issue { line: 0, column: 0, ..issue });
    }
    Ok(Parsed { record, report: all })
}

/// The report with what breaks a rule of R4, in the order of the text.
fn ruled(record: &Record, mut report: Report) -> Report {
    struct Nobody;
    impl crate::fhirpath::Host for Nobody {}
    let before = report.issues().len();
    invariants::check(record, &Nobody, &mut report);
    if report.issues().len() > before {
        report.sort();
    }
    report
}

/// The report of text that could not be read: one fatal finding.
pub fn unreadable(error: &Error) -> Report {
    let (code, place) = (error.code(), error.location());
    let mut report = Report::new();
    let issue = Issue::new(Severity::Fatal, code, code.sentence());
    report.push(issue.at(place.path.clone().unwrap_or_default(), place.line, place.column));
    report
}

/// The report as an OperationOutcome (JSON). It says where and what in words of the library: no record content.
pub fn operation_outcome(report: &Report) -> Vec<u8> {
    let mut issues: Vec<Value> = report.issues().iter().map(issue).collect();
    if report.is_truncated() {
        issues.push(remark(Severity::Warning, "incomplete", Code::FindingsTruncated.sentence()));
    }
    if issues.is_empty() {
        issues.push(remark(Severity::Information, "informational", "nothing was found"));
    }
    let mut outcome = Value::object();
    outcome.set("resourceType", "OperationOutcome");
    outcome.set("issue", issues);
    outcome.to_json()
}

fn issue(issue: &Issue) -> Value {
    let mut made = remark(issue.severity, issue_type(issue.code), &issue.message);
    let mut coding = Value::object();
    coding.set("system", CODE_SYSTEM);
    coding.set("code", issue.code.name());
    let mut details = Value::object();
    details.set("coding", vec![coding]);
    made.set("details", details);
    if issue.line > 0 {
        made.set("location", vec![Value::from(format!("line {}, column {}", issue.line, issue.column))]);
    }
    if !issue.path.is_empty() {
        made.set("expression", vec![Value::from(issue.path.as_str())]);
    }
    made
}

fn remark(severity: Severity, kind: &str, text: &str) -> Value {
    let mut made = Value::object();
    made.set("severity", severity.name());
    made.set("code", kind);
    made.set("diagnostics", text);
    made
}

/// The system of [`Code::name`] in an OperationOutcome.
pub const CODE_SYSTEM: &str = "urn:x-ehrcore:code";

/// FHIR's `issue-type` nearest to a code.
fn issue_type(code: Code) -> &'static str {
    match code {
        Code::ElementMissing | Code::ResourceTypeMissing => "required",
        Code::PrimitiveForm | Code::ReferenceForm | Code::ReferenceTarget => "value",
        Code::CodeUnknown => "code-invalid",
        Code::ReferenceContained => "not-found",
        Code::ResourceTypeUnknown => "not-supported",
        Code::InvariantBroken | Code::InvariantUnknown => "invariant",
        Code::ContainedShape | Code::BundleShape | Code::NarrativeUnsafe | Code::ChoiceRepeated => "invariant",
        Code::LimitDepth | Code::LimitCount => "too-costly",
        Code::LimitSize => "too-long",
        Code::FindingsTruncated => "incomplete",
        _ => "structure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn outcome(text: &[u8]) -> (Report, Record) {
        let report = super::text(text, &Limits { findings: 3, ..Limits::DEFAULT });
        let made = json::read(&operation_outcome(&report), &Limits::DEFAULT).expect("an OperationOutcome can be read");
        assert_eq!(made.report.issues(), [], "an OperationOutcome of ours conforms");
        (report, made.record)
    }

    #[test]
    fn every_report_makes_an_operation_outcome_that_conforms() {
        for (text, count, first) in [
            (&br#"{"resourceType":"Patient"}"#[..], 1, "information"),
            (br#"{"resourceType":"Patient","active":"x"}"#, 1, "error"),
            (br#"{"resourceType":"Patient","a":1,"b":1,"c":1,"d":1}"#, 4, "error"),
            (br#"{"resourceType":"Patient""#, 1, "fatal"),
            (b"[]", 1, "fatal"),
            (b"\xff", 1, "fatal"),
        ] {
            let (_, record) = outcome(text);
            let issues: Vec<_> = record.root().list("issue").collect();
            assert_eq!(issues.len(), count);
            assert_eq!(issues[0].text("severity").as_deref(), Some(first));
        }
    }

    #[test]
    fn a_finding_keeps_its_place_and_code() {
        let (report, record) = outcome(b"{\"resourceType\":\"Patient\",\n \"name\":[{\"use\":\"Marker\"}]}");
        let issue = record.root().list("issue").next().expect("a finding");
        assert_eq!(
            issue.list("expression").next().and_then(|node| node.as_str()).as_deref(),
            Some("Patient.name[0].use")
        );
        assert_eq!(issue.list("location").next().and_then(|node| node.as_str()).as_deref(), Some("line 2, column 18"));
        assert_eq!(issue.text("code").as_deref(), Some("code-invalid"));
        assert_eq!(report.issues().len(), 1);
        assert!(!String::from_utf8_lossy(record.original()).contains("Marker"));
    }

    #[test]
    fn xml_is_told_from_json_by_its_first_character() {
        let text = b"\n<Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"F\"/></Patient>";
        let report = super::text(text, &Limits::DEFAULT);
        assert_eq!((report.issues()[0].code, report.issues()[0].line), (Code::CodeUnknown, 2));
    }

    #[test]
    fn a_record_can_be_checked_again() {
        let record = Record::parse(br#"{"resourceType":"Patient","gender":"F"}"#).expect("a resource");
        assert_eq!(structure(&record).issues().len(), 1);
    }
}
