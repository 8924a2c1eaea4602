//! SARIF 2.1.0: one run, results as they come, the rules that occur at the end.

use super::Summary;
use ehrcore::error::Code;
use ehrcore::report::{Issue, Severity};
use serde_json::json;
use std::io::{Result, Write};
use std::path::Path;

pub(super) fn begin(out: &mut impl Write) -> Result<()> {
    write!(
        out,
        "{{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{{\
         \"columnKind\":\"unicodeCodePoints\",\"results\":["
    )
}

pub(super) fn result(out: &mut impl Write, first: bool, file: &Path, issue: &Issue) -> Result<()> {
    let level = match issue.severity {
        Severity::Fatal | Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "note",
    };
    let mut place = json!({"physicalLocation": {"artifactLocation": {"uri": uri(file)}}});
    if issue.line > 0 {
        place["physicalLocation"]["region"] = json!({"startLine": issue.line, "startColumn": issue.column.max(1)});
    }
    if !issue.path.is_empty() {
        place["logicalLocations"] = json!([{"fullyQualifiedName": issue.path, "kind": "element"}]);
    }
    let mut made = json!({
        "ruleId": issue.code.name(), "level": level, "message": {"text": issue.message}, "locations": [place],
    });
    for (name, value) in [("profile", &issue.profile), ("rule", &issue.rule)] {
        if let Some(value) = value {
            made["properties"][name] = json!(&**value);
        }
    }
    write!(out, "{}\n{made}", if first { "" } else { "," })
}

pub(super) fn end(out: &mut impl Write, summary: &Summary) -> Result<()> {
    let rules: Vec<_> = Code::ALL
        .iter()
        .filter(|code| summary.by_code.contains_key(code.name()))
        .map(|code| {
            let help = code.explanation().mend;
            json!({"id": code.name(), "shortDescription": {"text": code.sentence()}, "help": {"text": help}})
        })
        .collect();
    let driver = json!({"name": "ehr", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    writeln!(out, "],\n\"tool\":{{\"driver\":{driver}}}}}]}}")
}

/// A path as a relative or absolute URI reference.
fn uri(file: &Path) -> String {
    let mut made = String::new();
    for byte in file.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => made.push(byte.into()),
            b'\\' => made.push('/'),
            _ => made.push_str(&format!("%{byte:02X}")),
        }
    }
    made
}
