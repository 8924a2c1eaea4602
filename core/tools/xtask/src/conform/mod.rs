//! `cargo xtask conform SUITE DIR [--failures]`: runs a conformance suite on any folder of its layout.

mod crypto;
mod fhirpath;
pub(crate) mod guides;
mod ucum;
mod validator;
mod vendors;
mod xml;

use crate::Done;
use ehrcore::json::{read, read_document};
use ehrcore::limits::Limits;
use ehrcore::package::Package;
use std::path::Path;
use std::process::Command;

/// How a suite went.
#[derive(Default)]
pub(crate) struct Score {
    passed: u64,
    total: u64,
    failures: Vec<String>,
}

impl Score {
    pub(crate) fn case(&mut self, name: &str, passed: bool, why: &str) {
        self.total += 1;
        if passed {
            self.passed += 1;
        } else {
            self.failures.push(format!("{name}: {why}"));
        }
    }
}

#[rustfmt::skip]
const SUITES: &[&str] = &[
    "json-parsing",
    "r4-examples",
    "crypto",
    "fhirpath",
    "synthea",
    "fhir-vendors",
    "ucum",
    "xml",
    "validator",
    "validator-tx",
    "validator-special",
    "us-core-examples",
    "us-core-invariants",
    "ips-examples",
];

pub(crate) fn run(arguments: &[&str]) -> Done {
    let words: Vec<&str> = arguments.iter().copied().filter(|a| !a.starts_with("--")).collect();
    let [suite, folder] = words[..] else {
        return Err("usage: cargo xtask conform SUITE DIR [--failures] [--least=PERCENT] [--definitions=DIR]".into());
    };
    let folder = Path::new(folder);
    if !folder.is_dir() {
        return Err("there is no such folder".into());
    }
    if suite == "fhir-vendors" && arguments.contains(&"--table") {
        return vendors::table(folder);
    }
    let failures = arguments.contains(&"--failures");
    let mut score = Score::default();
    match suite {
        "json-parsing" => each(folder, &mut |name, bytes| json_parsing(name, bytes, &mut score))?,
        "r4-examples" | "synthea" => each(folder, &mut |name, bytes| example(name, bytes, &mut score))?,
        "fhir-vendors" => each(folder, &mut |name, bytes| vendor(name, bytes, &mut score))?,
        "xml" => xml::run(folder, &mut score)?,
        "fhirpath" => fhirpath::run(folder, &mut score)?,
        "crypto" => each(folder, &mut |name, bytes| crypto::run(name, bytes, &mut score))?,
        "ucum" => ucum::run(folder, &mut score)?,
        "validator" => validator::run("core", folder, &packages(folder, arguments)?, failures, &mut score)?,
        "validator-tx" | "validator-special" => {
            validator::run(&suite["validator-".len()..], folder, &packages(folder, arguments)?, failures, &mut score)?
        }
        "us-core-examples" => guides::us_core_examples(folder, &definitions(folder, arguments), &mut score)?,
        "us-core-invariants" => guides::us_core_invariants(folder, &definitions(folder, arguments), &mut score)?,
        "ips-examples" => guides::ips_examples(folder, &definitions(folder, arguments), &mut score)?,
        _ => return Err(format!("the suites are {}", SUITES.join(", ")).into()),
    }
    if failures {
        score.failures.iter().for_each(|line| println!("{line}"));
    }
    println!("{suite}: passed {} of {}", score.passed, score.total);
    if score.total == 0 {
        return Err("no case was found in that folder".into());
    }
    let least = arguments.iter().find_map(|word| word.strip_prefix("--least=")).map_or(Ok(100), str::parse::<u64>)?;
    if score.passed * 100 >= score.total * least {
        Ok(())
    } else {
        Err(format!("{} cases failed", score.failures.len()).into())
    }
}

/// The definitions that suites of meaning need: the archives of `--definitions=DIR` that are packages of R4 itself, of its
/// extensions and of its terminology. Without the option the folder `definitions` beside the suite's.
fn packages(folder: &Path, arguments: &[&str]) -> Result<Vec<Package>, Box<dyn std::error::Error>> {
    let beside = folder.join("../definitions");
    let named = arguments.iter().find_map(|word| word.strip_prefix("--definitions="));
    let folders = named.map_or_else(|| vec![beside], |list| list.split(',').map(Into::into).collect());
    let mut found = Vec::new();
    for folder in folders {
        let mut paths: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "tgz")) {
            found.push(Package::open(path)?);
        }
    }
    Ok(found)
}

/// The folder of definitions: the first of `--definitions=DIR`, else the one beside the suite's.
fn definitions(folder: &Path, arguments: &[&str]) -> std::path::PathBuf {
    let named = arguments.iter().find_map(|word| word.strip_prefix("--definitions="));
    let first = named.and_then(|list| list.split(',').next());
    first.map_or_else(|| folder.join("../definitions"), Into::into)
}

/// Every `.json` file below a folder, in order.
fn json_files_below(folder: &Path) -> Result<Vec<std::path::PathBuf>, Box<dyn std::error::Error>> {
    let mut found = Vec::new();
    let mut below: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        if path.is_dir() {
            found.extend(json_files_below(&path)?);
        } else if path.extension().is_some_and(|end| end == "json") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Visits every `.json` file below a folder, those in archives too.
fn each(folder: &Path, visit: &mut dyn FnMut(&str, &[u8])) -> Done {
    let mut below: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            each(&path, visit)?;
        } else if name.ends_with(".json") {
            visit(&name, &std::fs::read(&path)?);
        } else if [".tar.xz", ".tgz", ".tar.gz"].iter().any(|end| name.ends_with(end)) {
            let unpacked = tempfile::tempdir()?;
            let done = Command::new("tar").arg("xf").arg(&path).arg("-C").arg(unpacked.path()).status();
            if !done.is_ok_and(|status| status.success()) {
                return Err("tar (with xz) is needed to unpack an archive of the suite".into());
            }
            each(unpacked.path(), visit)?;
        }
    }
    Ok(())
}

/// JSONTestSuite: `y_` accepted, `n_` refused, `i_` either, and none crashes.
fn json_parsing(name: &str, bytes: &[u8], score: &mut Score) {
    let accepted = std::panic::catch_unwind(|| read_document(bytes, &Limits::DEFAULT).is_ok());
    let (passed, why) = match (name.get(..2), accepted) {
        (_, Err(_)) => (false, "a panic"),
        (Some("y_"), Ok(accepted)) => (accepted, "refused"),
        (Some("n_"), Ok(accepted)) => (!accepted, "accepted"),
        (Some("i_"), Ok(_)) => (true, ""),
        _ => return,
    };
    score.case(name, passed, why);
}

/// An example that is meant to be valid: no error, and out comes what went in.
fn example(name: &str, bytes: &[u8], score: &mut Score) {
    if name == "index.json" {
        return; // the suite's own list
    }
    let (passed, why) = match read(bytes, &Limits::DEFAULT) {
        Err(error) => (false, error.to_string()),
        Ok(parsed) => {
            let whole = comes_out_whole(&parsed.record, bytes);
            let report = ehrcore::validate::record(&parsed.record);
            let errors = report.issues().iter().filter(|issue| issue.severity <= ehrcore::report::Severity::Error);
            match errors.into_iter().find(|issue| !explained(name, &issue.path, issue.code.name())) {
                _ if !whole => (false, "not the same after writing and reading".to_owned()),
                Some(issue) => (false, format!("{} {} {}", issue.path, issue.code, issue.message)),
                None => (true, String::new()),
            }
        }
    };
    score.case(name, passed, &why);
}

/// Whether out of a record comes what went in: its bytes, and the same again after writing and reading.
fn comes_out_whole(record: &ehrcore::record::Record, bytes: &[u8]) -> bool {
    let mut out = Vec::new();
    record.write_json(&mut out);
    let again = read(&out, &Limits::DEFAULT).map(|again| again.record.canonical());
    record.original() == bytes && again.is_ok_and(|again| again == record.canonical())
}

/// The published list of findings in examples that the standard bears out: suite, file, path, code, count, rule.
const EXPLAINED: &str = include_str!("../../../../docs/example-findings.tsv");

fn explained(file: &str, path: &str, code: &str) -> bool {
    let mut plain = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside |= c == '[';
        if !inside {
            plain.push(c);
        }
        inside &= c != ']';
    }
    EXPLAINED.lines().any(|line| {
        let mut fields = line.split('\t').skip(1);
        fields.next() == Some(file) && fields.next() == Some(&plain) && fields.next() == Some(code)
    })
}

/// A vendor's reply: it is read, and out comes what went in. What is found in it is the vendor's affair.
fn vendor(name: &str, bytes: &[u8], score: &mut Score) {
    if name == "index.json" {
        return; // the suite's own list
    }
    let (passed, why) = match read(bytes, &Limits::DEFAULT) {
        Err(error) => (false, error.to_string()),
        Ok(parsed) => {
            let whole = comes_out_whole(&parsed.record, bytes);
            (whole, "not the same after writing and reading".to_owned())
        }
    };
    score.case(name, passed, &why);
}
