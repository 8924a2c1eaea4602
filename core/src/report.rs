//! Findings about a record: severity, stable code, element path, line, column, and a sentence without record content.

use crate::error::Code;
use std::sync::Arc;

/// How bad a finding is, in FHIR's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The record could not be read further.
    Fatal,
    /// The record does not conform.
    Error,
    /// The record conforms but something should be looked at.
    Warning,
    /// Worth knowing.
    Information,
}

impl Severity {
    /// The FHIR `issue-severity` code.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

/// One finding. `path` and `message` are made of specification words and numbers only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code.
    pub code: Code,
    /// Element path, such as `Patient.name[0].family`.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
    /// One sentence: what was expected.
    pub message: String,
    /// The canonical URL of the profile it comes from; None where it comes from R4 itself.
    pub profile: Option<Arc<str>>,
    /// The rule it comes from: the key of an invariant (`obs-7`), the name of a slice, the URL of a value set.
    pub rule: Option<Arc<str>>,
}

impl Issue {
    /// A finding of R4 itself, with no place yet.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Issue {
            severity,
            code,
            path: String::new(),
            line: 0,
            column: 0,
            message: message.into(),
            profile: None,
            rule: None,
        }
    }
    /// Puts the place in.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>, line: u32, column: u32) -> Self {
        (self.path, self.line, self.column) = (path.into(), line, column);
        self
    }
}

/// All findings about one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    issues: Vec<Issue>,
    total: u64,
}

impl Report {
    /// A report with no finding.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a finding.
    pub fn push(&mut self, issue: Issue) {
        self.issues.push(issue);
        self.total += 1;
    }
    /// Counts a finding that is over the limit and not kept.
    pub fn count_only(&mut self) {
        self.total += 1;
    }
    /// The findings, in the order of the text.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }
    /// Takes the findings out.
    pub fn into_issues(self) -> Vec<Issue> {
        self.issues
    }
    /// How many findings there were, those over the limit included.
    pub fn total(&self) -> u64 {
        self.total
    }
    /// Whether findings over the limit were dropped.
    pub fn is_truncated(&self) -> bool {
        self.total > self.issues.len() as u64
    }
    /// Whether there is no finding of severity error or fatal.
    pub fn is_valid(&self) -> bool {
        !self.is_truncated() && self.issues.iter().all(|issue| issue.severity > Severity::Error)
    }
    /// Puts the findings in the order of the text.
    pub fn sort(&mut self) {
        self.issues.sort_by_key(|issue| (issue.line, issue.column));
    }
    /// Takes out the findings that `drop` says.
    pub(crate) fn without(mut self, drop: impl Fn(&Issue) -> bool) -> Self {
        let before = self.issues.len();
        self.issues.retain(|issue| !drop(issue));
        self.total -= (before - self.issues.len()) as u64;
        self
    }
    /// Adds every finding of `other`.
    pub fn append(&mut self, mut other: Report) {
        self.issues.append(&mut other.issues);
        self.total += other.total;
    }
}
