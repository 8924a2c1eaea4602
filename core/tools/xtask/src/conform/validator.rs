//! The outcomes of the reference validator: one row of a manifest per run.
//!
//! A run passes where the verdict (valid or not) is the same. Beside it is counted for how many of the expected errors we
//! found something at the same element.

use super::Score;
use crate::Done;
use ehrcore::json;
use ehrcore::limits::Limits;
use ehrcore::package::Package;
use ehrcore::report::{Report, Severity};
use ehrcore::schema::{key, type_by_name};
use ehrcore::validate::{Options, References, UnknownExtensions, Validator};
use ehrcore::xml;
use serde_json::Value;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the runs of one tier came to, beside their verdicts.
#[derive(Default)]
struct Tally {
    not_run: u64,
    expected: u64,
    found: u64,
    slowest: Duration,
    crashes: u64,
}

/// Runs a tier: `core`, `tx` or `special`.
pub(super) fn run(tier: &str, folder: &Path, packages: &[Package], failures: bool, score: &mut Score) -> Done {
    let manifest: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join(format!("manifest-{tier}.json")))?)?;
    let mut tally = Tally::default();
    for row in &manifest {
        one(folder, row, packages, failures, score, &mut tally)?;
    }
    println!(
        "expressions: found {} of {}; not run {}; crashes {}; slowest {} ms",
        tally.found,
        tally.expected,
        tally.not_run,
        tally.crashes,
        tally.slowest.as_millis()
    );
    Ok(())
}

fn one(folder: &Path, row: &Value, packages: &[Package], failures: bool, score: &mut Score, tally: &mut Tally) -> Done {
    let name = row["id"].as_str().unwrap_or_default();
    let bytes = std::fs::read(folder.join("files").join(row["file"].as_str().unwrap_or_default()))?;
    let Some(validator) = validator(folder, row, packages)? else {
        println!("{name}: a definition of the run cannot be read or found");
        tally.not_run += 1;
        return Ok(());
    };
    let start = Instant::now();
    let report = catch_unwind(AssertUnwindSafe(|| validator.validate(&bytes)));
    tally.slowest = tally.slowest.max(start.elapsed());
    let Ok(report) = report else {
        tally.crashes += 1;
        score.case(name, false, "a panic");
        return Ok(());
    };
    let valid = row["expect"]["valid"].as_bool().unwrap_or_default();
    let wanted = expected(row);
    let seen: HashSet<String> = errors(&report).flat_map(places).collect();
    let unreadable = report.issues().iter().any(|issue| issue.severity == Severity::Fatal);
    let hit = |path: &&str| seen.contains(&plain(path)) || unreadable;
    let missed: Vec<&str> = wanted.iter().copied().filter(|path| !hit(path)).collect();
    tally.expected += wanted.len() as u64;
    tally.found += (wanted.len() - missed.len()) as u64;
    if failures && !missed.is_empty() {
        println!("{name}: nothing at {}", missed.join(", "));
    }
    let ours: Vec<String> = report
        .issues()
        .iter()
        .filter(|issue| issue.severity <= Severity::Error)
        .map(|issue| {
            format!("{} {} {} ({})", issue.path, issue.code, issue.message, issue.rule.as_deref().unwrap_or_default())
        })
        .collect();
    let why = if valid { format!("valid, but: {}", ours.join(" | ")) } else { format!("wrong at {}", texts(row)) };
    score.case(name, report.is_valid() == valid, &why);
    Ok(())
}

/// The validator of a run, and the profile it checks against; None where a definition cannot be read yet.
fn validator(
    folder: &Path,
    row: &Value,
    packages: &[Package],
) -> Result<Option<Validator>, Box<dyn std::error::Error>> {
    let mut builder = Validator::builder();
    for package in packages {
        builder = builder.opened(package.clone());
    }
    let supporting = row["supporting"].as_array().map(Vec::as_slice).unwrap_or_default();
    let asked = row["profile"].as_str();
    for name in supporting.iter().filter_map(Value::as_str).chain(asked) {
        let bytes = std::fs::read(folder.join("files").join(name))?;
        let read = if xml::is_xml(&bytes) {
            xml::read(&bytes, &Limits::DEFAULT)
        } else {
            json::read(&bytes, &Limits::DEFAULT)
        };
        let Ok(record) = read.map(|parsed| parsed.record) else { return Ok(None) };
        if let Some(url) = record.root().text("url").filter(|_| Some(name) == asked) {
            builder = builder.profile(&url);
        }
        builder = builder.definition(record);
    }
    let mut options = Options::default();
    options.unknown_extensions = UnknownExtensions::Error;
    options.extension_domains = ["http://example.org", "http://acme.com", "http://nema.org"].map(Into::into).into();
    if let Some(domain) = row["flags"]["allowed-extension-domain"].as_str() {
        options.extension_domains.push(domain.into());
    }
    options.references = match row["flags"]["validateReference"].as_str() {
        Some("CHECK_VALID") => References::MustConform,
        Some("CHECK_EXISTS_AND_TYPE") => References::MustExist,
        _ => References::Open,
    };
    options.displays = Severity::Error;
    options.trust_addresses = row["flags"]["assumeValidRestReferences"] == true;
    options.contained = row["flags"]["validateContains"] != "IGNORE";
    if let Some((kind, number)) = row["flags"]["bundle-param"]["rule"].as_str().and_then(|rule| rule.split_once(':')) {
        let url = row["flags"]["bundle-param"]["profile"].as_str().unwrap_or_default();
        builder = builder.entry_profile(kind, number.parse()?, url);
    }
    options.html_in_markdown = row["flags"]["noHtmlInMarkdown"] != true;
    Ok(builder.options(options).build().ok())
}

/// The elements of the expected errors. A text that cannot be read at all is expected at no element.
fn expected(row: &Value) -> Vec<&str> {
    let issues = row["issues"].as_array().map(Vec::as_slice).unwrap_or_default();
    issues
        .iter()
        .filter(|issue| issue["severity"] == "error" || issue["severity"] == "fatal")
        .map(|issue| issue["expression"].as_str().unwrap_or_default())
        .collect()
}

/// The expected errors in words.
fn texts(row: &Value) -> String {
    let issues = row["issues"].as_array().map(Vec::as_slice).unwrap_or_default();
    let errors = issues.iter().filter(|issue| issue["severity"] == "error" || issue["severity"] == "fatal");
    let lines = errors.map(|issue| format!("{} ({:.120})", issue["expression"], issue["text"]));
    lines.collect::<Vec<_>>().join(" | ")
}

fn errors(report: &Report) -> impl Iterator<Item = &str> {
    report.issues().iter().filter(|issue| issue.severity <= Severity::Error).map(|issue| issue.path.as_str())
}

/// Where a finding is, and what that is part of where it is below the resource: we name `Reference.reference` where others
/// name the Reference. Text that cannot be read at all has no element; others name the resource then.
fn places(path: &str) -> Vec<String> {
    let path = plain(path);
    let above = path.rsplit_once('.').map(|(above, _)| above.to_owned()).filter(|above| above.contains('.'));
    above.into_iter().chain([path]).collect()
}

/// An expression without remarks, types and conditions: `Bundle.entry[0].resource/*Patient/1*/.value.ofType(string)` becomes
/// `Bundle.entry[0].resource.value`. An XPath becomes element names; no element at all is empty.
fn plain(path: &str) -> String {
    let mut text = from_xpath(path).unwrap_or_else(|| path.replace("/f:", "."));
    if text == "(xml)" {
        text.clear();
    }
    while let Some((start, end)) = text.find("/*").and_then(|at| Some((at, at + text[at..].find("*/")? + 2))) {
        text.replace_range(start..end, "");
    }
    for open in [".ofType(", "[url='"] {
        while let Some(at) = text.find(open) {
            let close = if open.starts_with('[') { ']' } else { ')' };
            let end = text[at..].find(close).map_or(text.len(), |end| at + end + 1);
            text.replace_range(at..end, "");
        }
    }
    text.trim_start_matches('.').to_owned()
}

/// The element names along an XPath such as `/f:Observation/f:valueInteger`: XML says the type of a choice in its name.
fn from_xpath(path: &str) -> Option<String> {
    let mut steps = path.strip_prefix("/f:")?.split("/f:");
    let root = steps.next()?;
    let (mut at, mut made) = (type_by_name(root), root.to_owned());
    for step in steps {
        let key = at.and_then(|of| key(of, step.as_bytes()));
        made.push('.');
        made.push_str(key.map_or(step, |key| key.element.name()));
        at = key.map(|key| key.type_id);
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn expressions_are_compared_without_types_and_remarks() {
        assert_eq!(
            plain("Bundle.entry[0].resource/*Patient/1*/.value.ofType(string)"),
            "Bundle.entry[0].resource.value"
        );
        assert_eq!(plain("Patient.extension[0].extension[1][url='x']"), "Patient.extension[0].extension[1]");
        assert_eq!(plain("/f:Observation/f:status"), "Observation.status");
        assert_eq!(plain("/f:Observation/f:valueInteger"), "Observation.value");
        assert_eq!(plain("(xml)"), "");
    }
}
