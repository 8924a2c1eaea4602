//! How findings look: for people, as JSON, as OperationOutcome; SARIF has a file of its own.

use super::{Format, Summary, sarif};
use crate::output::issue_json;
use ehrcore::report::{Issue, Report};
use ehrcore::validate;
use serde_json::json;
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

pub(super) struct Printer<W> {
    out: W,
    format: Format,
    all: bool,
    /// The file whose name was printed last.
    named: Option<PathBuf>,
    printed: u64,
    held_back: u64,
}

/// Findings that are printed for people where not all are asked for.
const SOME: u64 = 50;

impl<W: Write> Printer<W> {
    pub(super) fn new(format: Format, all: bool, out: W) -> Self {
        Printer { out, format, all, named: None, printed: 0, held_back: 0 }
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        if self.format == Format::Sarif { sarif::begin(&mut self.out) } else { Ok(()) }
    }

    /// Prints what was found in a resource; `entry` is its number in an NDJSON file, 0 in others.
    pub(super) fn resource(&mut self, file: &Path, entry: u64, report: &Report) -> Result<()> {
        match self.format {
            Format::Text => report.issues().iter().try_for_each(|issue| self.text(file, issue))?,
            Format::Json if self.all => {
                for issue in report.issues() {
                    let line = json!({"file": file.display().to_string(), "entry": entry, "issue": issue_json(issue)});
                    writeln!(self.out, "{line}")?;
                }
            }
            Format::Json => {}
            Format::Outcome => {
                self.out.write_all(&validate::operation_outcome(report))?;
                writeln!(self.out)?;
            }
            Format::Sarif => {
                for issue in report.issues() {
                    sarif::result(&mut self.out, self.printed == 0, file, issue)?;
                    self.printed += 1;
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, file: &Path, issue: &Issue) -> Result<()> {
        if !self.all && self.printed >= SOME {
            self.held_back += 1;
            return Ok(());
        }
        self.printed += 1;
        if self.named.as_deref() != Some(file) {
            writeln!(self.out, "{}", file.display())?;
            self.named = Some(file.to_owned());
        }
        let place = format!("{}:{}", issue.line, issue.column);
        writeln!(self.out, "  {place:>9}  {:<11}  {}  {}", issue.severity.name(), issue.path, issue.code.name())?;
        writeln!(self.out, "             {}", issue.message)?;
        match (&issue.rule, &issue.profile) {
            (Some(rule), Some(profile)) => writeln!(self.out, "             rule {rule} of {profile}"),
            (Some(rule), None) => writeln!(self.out, "             rule {rule}"),
            (None, Some(profile)) => writeln!(self.out, "             profile {profile}"),
            (None, None) => Ok(()),
        }
    }

    pub(super) fn end(&mut self, summary: &Summary) -> Result<()> {
        match self.format {
            Format::Text => self.text_summary(summary)?,
            Format::Json => {
                let Summary { files, resources, invalid, by_code, by_profile } = summary;
                let line = json!({"files": files, "resources": resources, "invalid": invalid, "findings": by_code,
                    "profiles": by_profile});
                writeln!(self.out, "{line}")?;
            }
            Format::Outcome => {}
            Format::Sarif => sarif::end(&mut self.out, summary)?,
        }
        self.out.flush()
    }

    fn text_summary(&mut self, summary: &Summary) -> Result<()> {
        if self.held_back > 0 {
            writeln!(self.out, "... and {} more findings: --all prints them", self.held_back)?;
        }
        let Summary { files, resources, invalid, by_code, by_profile } = summary;
        writeln!(self.out, "{files} files, {resources} resources, {invalid} with errors")?;
        for (code, count) in by_code {
            writeln!(self.out, "{count:>10}  {code}")?;
        }
        for (profile, count) in by_profile {
            writeln!(self.out, "{count:>10}  in {profile}")?;
        }
        if !by_code.is_empty() {
            writeln!(self.out, "ehr explain CODE says what a finding means and how to mend it")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ehrcore::limits::Limits;

    fn printed(format: Format, all: bool, texts: &[&str]) -> String {
        let mut printer = Printer::new(format, all, Vec::new());
        let mut summary = Summary { files: texts.len(), ..Summary::default() };
        printer.begin().expect("it prints");
        for (number, text) in texts.iter().enumerate() {
            let report = validate::text(text.as_bytes(), &Limits::DEFAULT);
            summary.resources += 1;
            summary.count(report.issues());
            printer.resource(Path::new(&format!("a b/{number}.json")), 0, &report).expect("it prints");
        }
        printer.end(&summary).expect("it prints");
        String::from_utf8(printer.out).expect("text")
    }

    const WRONG: &str = "{\"resourceType\":\"Patient\",\n\"gender\":\"F\",\"odd\":1}";
    const RIGHT: &str = "{\"resourceType\":\"Patient\"}";

    #[test]
    fn people_read_findings_under_the_name_of_their_file() {
        let text = printed(Format::Text, true, &[RIGHT, WRONG]);
        assert!(
            text.starts_with(
                "a b/1.json\n       2:11  error        Patient.gender  code-unknown\n             the code"
            )
        );
        assert!(
            text.contains(
                "2 files, 2 resources, 1 with errors\n         1  code-unknown\n         1  element-unknown\n"
            )
        );
        let many = vec![WRONG; 30];
        assert!(printed(Format::Text, false, &many).contains("... and 10 more findings"));
    }

    #[test]
    fn sarif_is_one_run_with_the_rules_that_occur() {
        for texts in [&[][..], &[RIGHT], &[WRONG, RIGHT, WRONG]] {
            let text = printed(Format::Sarif, true, texts);
            let made: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            assert_eq!(made["version"], "2.1.0");
            let run = &made["runs"][0];
            let wrong = texts.iter().filter(|text| **text == WRONG).count();
            assert_eq!(run["results"].as_array().map(Vec::len), Some(2 * wrong));
            let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
            assert_eq!(rules.len(), if wrong > 0 { 2 } else { 0 });
            if wrong > 0 {
                let result = &run["results"][0];
                assert_eq!((&result["ruleId"], &result["level"]), (&"code-unknown".into(), &"error".into()));
                let place = &result["locations"][0];
                assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "a%20b/0.json");
                assert_eq!(place["physicalLocation"]["region"]["startLine"], 2);
                assert_eq!(place["logicalLocations"][0]["fullyQualifiedName"], "Patient.gender");
                assert!(rules[1]["help"]["text"].as_str().is_some_and(|help| help.contains("value set")));
            }
        }
    }

    #[test]
    fn outcomes_and_json_are_a_line_each() {
        let text = printed(Format::Outcome, false, &[RIGHT, WRONG]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.starts_with("{\"resourceType\":\"OperationOutcome\"")));
        let text = printed(Format::Json, true, &[RIGHT, WRONG]);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["issue"]["code"], &lines[2]["invalid"]), (&"code-unknown".into(), &1.into()));
    }
}
