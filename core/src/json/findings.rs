//! Findings as they are noted during the pass, and as the caller reads them: paths and lines are worked out only when there
//! are findings.

use crate::error::Code;
use crate::record::Tree;
use crate::report::{Issue, Report, Severity};

#[derive(Clone, Copy)]
pub(super) struct Finding {
    /// The row it is about.
    pub(super) row: usize,
    pub(super) code: Code,
    pub(super) expected: &'static str,
    pub(super) found: Option<&'static str>,
    /// Where it is, when not at the row's start.
    pub(super) at: Option<u32>,
    /// Length of what was found.
    pub(super) length: u64,
}

pub(super) struct Findings {
    kept: Vec<Finding>,
    most: usize,
    over: u64,
}

impl Findings {
    pub(super) fn new(most: usize) -> Self {
        Findings { kept: Vec::new(), most, over: 0 }
    }
    #[cold]
    pub(super) fn push(&mut self, finding: Finding) {
        if self.kept.len() < self.most { self.kept.push(finding) } else { self.over += 1 }
    }
}

pub(super) fn report(tree: &Tree, findings: &Findings) -> Report {
    let mut report = Report::new();
    if findings.kept.is_empty() {
        return report;
    }
    let mut kept: Vec<(u32, &Finding)> =
        findings.kept.iter().map(|f| (f.at.unwrap_or(tree.rows[f.row].start), f)).collect();
    kept.sort_by_key(|(at, _)| *at);
    let (mut line, mut line_start, mut scanned) = (1_u32, 0_usize, 0_usize);
    let (mut last_row, mut last_path) = (usize::MAX, String::new());
    for (at, finding) in kept {
        for newline in memchr::memchr_iter(b'\n', &tree.source[scanned..at as usize]) {
            line += 1;
            line_start = scanned + newline + 1;
        }
        scanned = at as usize;
        if finding.row != last_row {
            last_row = finding.row;
            last_path = tree.path(finding.row);
        }
        let found = match finding.found {
            Some("nothing") => String::new(),
            Some(word) => format!(", found {word} ({} characters)", finding.length),
            None => format!(", found {} characters", finding.length),
        };
        report.push(Issue {
            severity: Severity::Error,
            code: finding.code,
            path: last_path.clone(),
            line,
            column: (scanned - line_start + 1) as u32,
            message: format!("{}: expected {}{found}", finding.code.sentence(), finding.expected),
        });
    }
    for _ in 0..findings.over {
        report.count_only();
    }
    report
}
