//! FHIR XML: the same record, read from and written to XML (R4, XML representation, 2.6.1).
//!
//! [`read`] turns the XML into the JSON form by the schema and reads that, so both forms build the same tree and meet the
//! same rules; findings point into the XML text. The bytes of such a record ([`Record::original`]) are therefore its JSON
//! form: comments, processing instructions, the choice of prefixes and quotes, and what an error-level finding names as
//! standing where FHIR has no place for it are not part of it. Who must keep the XML as received keeps it beside the record.
//!
//! [`write`] gives the elements in the order of the schema. What XML cannot say is an error, not a loss. The reader is
//! bounded and accepts no document type declaration: nothing is fetched, nothing expands. Small deliberate differences in
//! narrative are listed in core/docs/xml-differences.tsv.

mod from_json;
mod narrative;
mod reader;
mod to_json;
mod tree;

use crate::error::{Code, Error, Result};
use crate::json::{self, Parsed};
use crate::limits::Limits;
use crate::record::Record;
use crate::report::{Issue, Report};

/// Whether the bytes look like XML and not like JSON: the first character is `<`.
pub fn is_xml(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().starts_with(b"<")
}

/// Reads one resource, XML where [`is_xml`] says so and JSON otherwise, and checks its structure.
///
/// # Errors
/// - as [`read`] and [`json::read`].
pub fn read_either(bytes: &[u8], limits: &Limits) -> Result<Parsed> {
    if is_xml(bytes) { read(bytes, limits) } else { json::read(bytes, limits) }
}

/// Reads one resource from XML and checks its structure; findings have the line and column of the XML.
///
/// # Example
/// ```
/// use ehrcore::limits::Limits;
/// let text = br#"<Patient xmlns="http://hl7.org/fhir"><active value="true"/><birthDate value="1970"/></Patient>"#;
/// let parsed = ehrcore::xml::read(text, &Limits::DEFAULT).expect("it is XML");
/// assert!(parsed.report.is_valid());
/// assert_eq!(parsed.record.original(), br#"{"resourceType":"Patient","active":true,"birthDate":"1970"}"#);
/// ```
///
/// # Errors
/// - `xml-syntax`, `xml-encoding`, `xml-end`, `xml-doctype`, `xml-entity`, `xml-tag`, `xml-attribute-twice`, `xml-prefix`:
///   the text is not XML, or XML that FHIR forbids.
/// - `resource-type-unknown`: the root element is no R4 resource.
/// - `limit-depth`, `limit-size`, `limit-count`: it is over a limit.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Parsed> {
    read_with(bytes, limits, |structure, _| structure)
}

/// As [`read`]; `more` may add to what was found in the JSON form, and all gets the places of the XML.
pub(crate) fn read_with(bytes: &[u8], limits: &Limits, more: impl FnOnce(Report, &Record) -> Report) -> Result<Parsed> {
    let tree = tree::parse(bytes, limits)?;
    let made = to_json::translate(&tree, limits)?;
    // The JSON form of a text within the limit may be a little longer than the text; it is bounded by it all the same.
    let inner = Limits { bytes: usize::MAX, ..*limits };
    let parsed = json::read(&made.json, &inner).map_err(|error| made.replace_error(bytes, error))?;
    let found = more(parsed.report, &parsed.record);
    let report = made.report(bytes, found, limits.findings);
    Ok(Parsed { record: parsed.record, report })
}

/// Writes a record as FHIR XML, at the end of `out`. On error `out` is as it was.
///
/// # Errors
/// - `xml-unsayable`, with the path: a property that R4 does not know, a value whose JSON type does not fit its element, a
///   character that XML does not have, a narrative that is not well-formed.
pub fn write(record: &Record, out: &mut Vec<u8>) -> Result<()> {
    let before = out.len();
    let done = from_json::write(record, out);
    if done.is_err() {
        out.truncate(before);
    }
    done
}

impl to_json::Translated {
    /// Gives an error of the JSON form its place in the XML.
    fn replace_error(&self, bytes: &[u8], error: Error) -> Error {
        let place = error.location();
        let at = self.place(place.column.saturating_sub(1) as usize);
        let (line, column) = json::line_and_column(bytes, at);
        error.at_line(line, column).at_offset(at as u64)
    }

    /// Joins what the translation and the JSON reader found, in the order of the XML.
    fn report(&self, bytes: &[u8], below: Report, most: usize) -> Report {
        let mut placed: Vec<(usize, Issue)> = self.found.clone();
        let mut over = self.over + below.total() - below.issues().len() as u64;
        for issue in below.into_issues() {
            // The JSON form is one line.
            let at = self.place(issue.column.saturating_sub(1) as usize);
            placed.push((at, in_words_of_xml(issue)));
        }
        placed.sort_by_key(|(at, _)| *at);
        over += placed.len().saturating_sub(most) as u64;
        placed.truncate(most);
        let (mut report, mut line, mut start, mut scanned) = (Report::new(), 1, 0, 0);
        for (at, mut issue) in placed {
            for newline in memchr::memchr_iter(b'\n', &bytes[scanned..at]) {
                line += 1;
                start = scanned + newline + 1;
            }
            scanned = at;
            (issue.line, issue.column) = (line, u32::try_from(at - start + 1).unwrap_or(u32::MAX));
            report.push(issue);
        }
        (0..over).for_each(|_| report.count_only());
        report
    }
}

/// What JSON calls a wrong type or a null is in XML a value of the wrong form, or none.
fn in_words_of_xml(mut issue: Issue) -> Issue {
    let code = match issue.code {
        Code::ElementType => Code::PrimitiveForm,
        Code::NullValue => Code::ElementEmpty,
        _ => return issue,
    };
    let expected = issue.message.strip_prefix(issue.code.sentence()).unwrap_or_default();
    let expected = if code == Code::ElementEmpty { ": expected a value or extensions" } else { expected };
    issue.message = format!("{}{expected}", code.sentence());
    issue.code = code;
    issue
}

#[cfg(test)]
mod tests;
