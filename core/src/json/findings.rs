//! Findings as they are noted during the pass, and as the caller reads them: paths and lines are worked out only when there
//! are findings.

use crate::error::Code;
#[cfg(test)]
use crate::limits::Limits;
use crate::record::{NodeKind, Tree};
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
    pub(super) severity: Severity,
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
    if findings.kept.is_empty() && findings.over == 0 {
        return report;
    }
    // Paths in the order of rows, then lines in the order of the text: both walks go forward only.
    let mut kept: Vec<&Finding> = findings.kept.iter().collect();
    kept.sort_by_key(|finding| finding.row);
    let mut walk = PathWalk::new(tree);
    let mut placed: Vec<(u32, &Finding, String)> = Vec::with_capacity(kept.len());
    for finding in kept {
        placed.push((finding.at.unwrap_or(tree.rows[finding.row].start), finding, walk.path(finding.row)));
    }
    placed.sort_by_key(|(at, ..)| *at);
    let (mut line, mut line_start, mut scanned) = (1_u32, 0_usize, 0_usize);
    for (at, finding, path) in placed {
        for newline in memchr::memchr_iter(b'\n', &tree.source[scanned..at as usize]) {
            line += 1;
            line_start = scanned + newline + 1;
        }
        scanned = at as usize;
        let found = match finding.found {
            Some("nothing") => String::new(),
            Some(word) => format!(", found {word} ({} characters)", finding.length),
            None => format!(", found {} characters", finding.length),
        };
        let message = format!("{}: expected {}{found}", finding.code.sentence(), finding.expected);
        let column = u32::try_from(scanned - line_start + 1).unwrap_or(u32::MAX);
        report.push(Issue::new(finding.severity, finding.code, message).at(path, line, column));
    }
    for _ in 0..findings.over {
        report.count_only();
    }
    report
}

/// Path, line and column of rows, which are in rising order.
pub(crate) fn place(tree: &Tree, rows: impl Iterator<Item = usize>) -> Vec<(String, u32, u32)> {
    let mut walk = PathWalk::new(tree);
    let (mut line, mut line_start, mut scanned) = (1_u32, 0_usize, 0_usize);
    let mut placed = Vec::new();
    for row in rows {
        let at = (tree.rows[row].start as usize).max(scanned);
        for newline in memchr::memchr_iter(b'\n', &tree.source[scanned..at]) {
            line += 1;
            line_start = scanned + newline + 1;
        }
        scanned = at;
        placed.push((walk.path(row), line, u32::try_from(at - line_start + 1).unwrap_or(u32::MAX)));
    }
    placed
}

/// Element paths of rows asked for in rising order, in one walk over the tree.
struct PathWalk<'a> {
    tree: &'a Tree,
    /// From the root down: an object or array, the child the walk is at, and its index.
    open: Vec<(usize, usize, usize)>,
}

impl<'a> PathWalk<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut open = Vec::with_capacity(8);
        open.push((0, 1, 0));
        PathWalk { tree, open }
    }

    fn path(&mut self, target: usize) -> String {
        let next = |row: usize| self.tree.rows[row].next as usize;
        while self.open.len() > 1 && self.open.last().is_some_and(|(parent, ..)| next(*parent) <= target) {
            self.open.pop();
        }
        while let Some((parent, child, index)) = self.open.last_mut() {
            if *parent >= target {
                break;
            }
            while next(*child) <= target {
                *child = next(*child);
                *index += 1;
            }
            let here = *child;
            if here == target {
                break;
            }
            self.open.push((here, here + 1, 0));
        }
        let steps = self.open.iter().filter(|(parent, ..)| *parent < target).map(|(parent, child, index)| {
            let array = self.tree.rows[*parent].kind == NodeKind::Array;
            (*child, array.then_some(*index))
        });
        self.tree.path_of(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_gives_the_path_of_every_row() {
        let text = r#"{"resourceType":"Patient","name":[{"given":["a","b"],"_given":[null,{"id":"x"}],"odd":{"a":[1]}},{"family":"c"}],"contact":[{"name":{"given":["d"]}}],"deceasedBoolean":true}"#;
        let tree = crate::json::parser::parse_resource(text.as_bytes(), &Limits::DEFAULT).expect("a resource").tree;
        let mut walk = PathWalk::new(&tree);
        for row in 0..tree.rows.len() {
            assert_eq!(walk.path(row), tree.path(row), "{row}");
        }
        let mut walk = PathWalk::new(&tree);
        for row in (0..tree.rows.len()).step_by(3) {
            assert_eq!(walk.path(row), tree.path(row), "{row}");
        }
        assert_eq!(tree.path(tree.rows.len() - 1), "Patient.deceased.ofType(boolean)");
    }
}
