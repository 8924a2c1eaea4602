//! The JSON reader against other people's files: parsing, round trip, structural findings.

use crate::suites;
use ehrcore::error::Code;
use ehrcore::json::{self, Parsed};
use ehrcore::limits::Limits;
use ehrcore::record::Record;
use ehrcore::report::{Issue, Report, Severity};
use std::collections::BTreeMap;

const LIMITS: Limits = Limits { depth: 200, ..Limits::DEFAULT };

/// Errors in examples that break a rule of the standard themselves: suite, file, path without indices, code, count, rule.
const EXPLAINED: &str = include_str!("../../docs/example-findings.tsv");

#[test]
fn json_test_suite_agrees() {
    let Some(folder) = suites::folder("json-parsing/test_parsing") else { return };
    let (mut counts, mut wrong) = ([0; 3], Vec::new());
    for (name, bytes) in suites::json_files(&folder) {
        let accepted = json::read_document(&bytes, &LIMITS).is_ok();
        let _ = json::read(&bytes, &LIMITS);
        match name.as_bytes().first() {
            Some(b'y') => counts[0] += 1,
            Some(b'n') => counts[1] += 1,
            _ => counts[2] += 1,
        }
        if name.starts_with('y') && !accepted || name.starts_with('n') && accepted {
            wrong.push(name);
        }
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert_eq!(wrong, Vec::<String>::new());
    eprintln!("json-parsing: {} accepted, {} refused, {} either way", counts[0], counts[1], counts[2]);
}

#[test]
fn official_r4_examples_round_trip_and_their_findings_are_explained() {
    check("r4-examples", true);
}

#[test]
fn us_core_examples_round_trip_and_their_findings_are_explained() {
    check("us-core-examples", true);
}

#[test]
fn ips_examples_round_trip_and_their_findings_are_explained() {
    check("ips-examples", true);
}

#[test]
fn synthea_charts_round_trip_without_a_finding() {
    check("synthea", true);
}

#[test]
fn replies_of_real_servers_round_trip() {
    check("fhir-vendors", false);
}

/// What the HL7 validator calls valid must have no error here; what it calls invalid is often so by rules beyond structure.
#[test]
fn what_the_reference_validator_calls_valid_has_no_structural_error() {
    let Some(folder) = suites::folder("validator") else { return };
    let explained = explained("validator");
    let (mut valid, mut invalid, mut caught, mut wrong) = (0, 0, 0, Vec::new());
    for manifest in ["manifest-core.json", "manifest-tx.json", "manifest-special.json"] {
        let text = std::fs::read(folder.join(manifest)).expect("the manifest");
        let runs: serde_json::Value = serde_json::from_slice(&text).expect("the manifest is JSON");
        for run in runs.as_array().expect("a list of runs") {
            let text = |name: &str| run[name].as_str().unwrap_or_default();
            if text("run") != "base" || text("format") != "json" || text("module") == "json5" {
                continue;
            }
            let Ok(bytes) = std::fs::read(folder.join("files").join(text("file"))) else { continue };
            let found: Vec<(String, &str)> = match json::read(&bytes, &LIMITS) {
                Ok(Parsed { report, .. }) => errors(&report).map(|i| (i.path.clone(), i.code.name())).collect(),
                Err(error) => vec![(String::new(), error.code().name())],
            };
            if run["expect"]["valid"] == true {
                valid += 1;
                wrong.extend(found.into_iter().filter(|(path, code)| {
                    !explained.contains_key(&(text("file").to_owned(), without_indices(path), *code))
                }));
            } else {
                invalid += 1;
                caught += usize::from(!found.is_empty());
            }
        }
    }
    eprintln!("validator: {valid} valid files, {invalid} invalid ones of which {caught} by structure");
    assert_eq!(wrong, []);
}

/// Reads every resource of a suite, writes it back, and compares the errors with the explained ones.
fn check(suite: &str, findings_count: bool) {
    let Some(folder) = suites::folder(suite) else { return };
    let (mut files, mut findings, mut unexplained) = (0, BTreeMap::new(), Vec::new());
    for (name, bytes) in suites::json_files(&folder) {
        let file = name.rsplit(['!', '/']).next().unwrap_or(&name);
        if matches!(file, "index.json" | "package.json" | ".index.json") {
            continue;
        }
        files += 1;
        let Parsed { record, report } = match json::read(&bytes, &LIMITS) {
            Ok(parsed) => parsed,
            Err(error) => {
                unexplained.push(format!("{suite}\t{file}\t{error}"));
                continue;
            }
        };
        assert_eq!(record.original(), bytes, "{name}");
        let mut written = Vec::new();
        record.write_json(&mut written);
        let again = Record::parse(&written).expect("what we write can be read");
        let mut twice = Vec::new();
        again.write_json(&mut twice);
        assert!(written == twice, "{name}: writing is not stable");
        assert!(record.to_value() == again.to_value(), "{name}: writing changed the record");
        assert_eq!(record.content_hash(), again.content_hash(), "{name}");
        for issue in errors(&report) {
            *findings.entry((file.to_owned(), without_indices(&issue.path), issue.code.name())).or_insert(0) += 1;
        }
    }
    assert!(files > 0, "{suite} has files");
    let total: usize = findings.values().sum();
    eprintln!("{suite}: {files} files round-tripped, {total} errors found");
    // The list explains findings of profiles and terminology too; reading finds those of structure.
    let is_structure = |name: &str| Code::ALL.iter().any(|code| code.name() == name && code.number() < 220);
    let mut explained = explained(suite);
    explained.retain(|(_, _, code), _| is_structure(code));
    if findings_count && findings != explained {
        unexplained.push(format!("{suite}: found {findings:#?}, explained {explained:#?}"));
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}

/// What `example-findings.tsv` says of a suite: how often each code stands at each path of each file.
fn explained(suite: &str) -> BTreeMap<(String, String, &'static str), usize> {
    let mut explained = BTreeMap::new();
    for line in EXPLAINED.lines().skip(1) {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let [of, file, path, code, count, rule] = fields[..] else { panic!("six columns: {line}") };
        assert!(!rule.is_empty(), "a rule: {line}");
        if of == suite {
            explained.insert((file.to_owned(), path.to_owned(), code), count.parse().expect("a count"));
        }
    }
    explained
}

fn without_indices(path: &str) -> String {
    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}

fn errors(report: &Report) -> impl Iterator<Item = &Issue> {
    report.issues().iter().filter(|issue| issue.severity <= Severity::Error)
}
