//! What real servers send, counted: `cargo xtask conform fhir-vendors DIR --table` writes the table of
//! core/docs/vendor-findings.md.

use super::json_files_below;
use crate::Done;
use ehrcore::report::Severity;
use ehrcore::validate::Validator;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Findings of one code: how many of each vendor, and in how many files.
#[derive(Default)]
struct Row {
    worst: Option<Severity>,
    of: BTreeMap<String, (u64, u64)>,
}

pub(super) fn table(folder: &Path) -> Done {
    let validator = Validator::builder().build()?;
    let (mut rows, mut files, mut valid) = (BTreeMap::<String, Row>::new(), BTreeMap::new(), BTreeMap::new());
    let mut names: Vec<_> = std::fs::read_dir(folder)?.flatten().filter(|entry| entry.path().is_dir()).collect();
    names.sort_by_key(std::fs::DirEntry::file_name);
    for vendor in names {
        let name = vendor.file_name().to_string_lossy().into_owned();
        for path in json_files_below(&vendor.path())? {
            let report = validator.validate(&std::fs::read(&path)?);
            *files.entry(name.clone()).or_insert(0_u64) += 1;
            *valid.entry(name.clone()).or_insert(0_u64) += u64::from(report.is_valid());
            let mut seen = BTreeSet::new();
            for issue in report.issues() {
                let row = rows.entry(issue.code.name().to_owned()).or_default();
                row.worst = Some(row.worst.map_or(issue.severity, |worst| worst.min(issue.severity)));
                let counts = row.of.entry(name.clone()).or_default();
                counts.0 += 1;
                counts.1 += u64::from(seen.insert(issue.code));
            }
        }
    }
    let vendors: Vec<&String> = files.keys().collect();
    let line =
        |first: &str, second: &str, cells: Vec<String>| println!("| {first} | {second} | {} |", cells.join(" | "));
    line("finding", "worst", vendors.iter().map(|name| (*name).clone()).collect());
    line("---", "---", vendors.iter().map(|_| "---:".to_owned()).collect());
    line(
        "files, of which valid",
        "",
        vendors.iter().map(|name| format!("{}, {}", files[*name], valid[*name])).collect(),
    );
    for (code, row) in &rows {
        let cell = |name: &&String| row.of.get(*name).map_or(String::new(), |(all, files)| format!("{all} in {files}"));
        line(&format!("`{code}`"), row.worst.map_or("", Severity::name), vendors.iter().map(cell).collect());
    }
    Ok(())
}
