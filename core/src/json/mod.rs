//! FHIR JSON: one pass over the bytes reads the text, checks the structure and builds the record.
//!
//! [`read`] gives the record and every finding. Text that is not JSON at all (RFC 8259: bad syntax, bad UTF-8, half
//! surrogates, a byte order mark, trailing text) is an error with line and column; everything else is a finding.

mod bundle;
mod findings;
mod narrative;
mod parser;
mod primitive;
mod shape;
mod text;

pub(crate) use findings::place;

use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::record::{Document, Record};
use crate::report::Report;
use crate::time::Timestamp;
use crate::time::fhir::DateTime;

/// A record that was read, and what was found in it.
#[derive(Debug)]
pub struct Parsed {
    /// The record.
    pub record: Record,
    /// Everything found, in the order of the text.
    pub report: Report,
}

/// Reads one resource and checks its structure.
///
/// # Errors
/// - `json-syntax`, `json-utf8`, `json-surrogate`, `json-bom`, `json-trailing`, `json-end`: the text is not JSON.
/// - `resource-type-missing`, `resource-type-unknown`: it is JSON but no R4 resource.
/// - `limit-depth`, `limit-size`, `limit-count`: it is over a limit.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Parsed> {
    let outcome = parser::parse_resource(bytes, limits)?;
    let report = findings::report(&outcome.tree, &outcome.findings);
    Ok(Parsed { record: Record::new(outcome.tree), report })
}

/// Reads any JSON value (RFC 8259), strictly. A name that occurs twice is kept twice.
///
/// # Errors
/// - as [`read`], without those about resources.
pub fn read_document(bytes: &[u8], limits: &Limits) -> Result<Document> {
    Ok(Document::new(parser::parse_document(bytes, limits)?))
}

/// Whether a narrative has only the markup that FHIR allows, and some content (R4, txt-1 and txt-2).
pub(crate) fn narrative_is_good(text: &[u8]) -> bool {
    narrative::check(text) == Ok(narrative::Verdict::Good)
}

impl Record {
    /// Reads one resource with the default limits; findings are left aside. See [`read`] for both.
    ///
    /// # Errors
    /// - as [`read`].
    pub fn parse(bytes: &[u8]) -> Result<Record> {
        Ok(Record::new(parser::parse_resource(bytes, &Limits::DEFAULT)?.tree))
    }
}

/// The stretch of time a date, dateTime or instant stands for, half open. A time without a zone is read as UTC.
pub(crate) fn instant_of(text: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let text = std::str::from_utf8(text).ok()?;
    let read = DateTime::parse(text).or_else(|| DateTime::parse(&format!("{text}Z")));
    read.map(DateTime::interval)
}

/// Line and column, from 1, of a byte offset.
pub(crate) fn line_and_column(bytes: &[u8], offset: usize) -> (u32, u32) {
    let before = &bytes[..offset.min(bytes.len())];
    let lines = memchr::memchr_iter(b'\n', before).count();
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(lines + 1), number(before.len() - start + 1))
}

fn error_at(code: Code, bytes: &[u8], offset: usize) -> Error {
    let (line, column) = line_and_column(bytes, offset);
    code.error().at_line(line, column).at_offset(offset as u64)
}

#[cfg(test)]
mod tests;
