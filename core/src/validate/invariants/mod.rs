//! The formal rules (invariants) of R4, evaluated over a record: every rule of every type and element in it.
//!
//! A rule holds where its expression gives true; false and nothing are findings. What reading has checked already is not
//! said again.

mod rules;
#[cfg(test)]
mod tests;

use crate::error::Code;
use crate::fhirpath::{Element, Host, Scope};
use crate::json::line_and_column;
use crate::record::{Node, NodeKind, Record, Row, Tree};
use crate::report::{Issue, Report, Severity};
use crate::schema::{ElementId, TypeId, TypeKind};
use rules::{Rule, rules};

/// Findings kept of one record; the rest are counted.
const MOST_FINDINGS: usize = 10_000;

/// Adds what breaks a rule of R4 to the report, in the order of the text.
pub(crate) fn check(record: &Record, host: &dyn Host, report: &mut Report) {
    let tree = record.tree();
    let mut walk = Walk { tree, host, open: Vec::new(), found: Vec::new() };
    for row in 0..tree.rows.len() {
        walk.visit(row);
    }
    walk.report(report);
}

/// A resource that the walk is inside of.
struct Open {
    row: usize,
    end: usize,
    contained: bool,
}

struct Finding {
    row: usize,
    rule: &'static Rule,
    /// Whether the rule could not be evaluated.
    unknown: bool,
}

struct Walk<'a> {
    tree: &'a Tree,
    host: &'a dyn Host,
    open: Vec<Open>,
    found: Vec<Finding>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, at: usize) {
        let row = &self.tree.rows[at];
        while self.open.last().is_some_and(|open| open.end <= at) {
            self.open.pop();
        }
        if row.type_id == Row::NONE || matches!(row.kind, NodeKind::Array | NodeKind::Null) {
            return;
        }
        let id = TypeId(row.type_id);
        if matches!(id.row().kind, TypeKind::Resource) && row.kind == NodeKind::Object {
            let contained = row.element != Row::NONE && ElementId(row.element).name() == "contained";
            self.open.push(Open { row: at, end: row.next as usize, contained });
        }
        let companion = row.flags & Row::COMPANION != 0;
        for rule in rules().of_type(id) {
            self.judge(at, rule);
        }
        if row.element != Row::NONE && !companion {
            for rule in rules().of_element(ElementId(row.element)) {
                self.judge(at, rule);
            }
        }
    }

    fn judge(&mut self, at: usize, rule: &'static Rule) {
        let node = |row: usize| Node::new(self.tree, row);
        let mut scope = Scope::of(Element::new(node(at))).host(self.host);
        if let Some(resource) = self.open.last() {
            let root = self.open.iter().rev().find(|open| !open.contained).unwrap_or(resource);
            scope = scope.resource(node(resource.row)).root(node(root.row));
        }
        match rule.expression.holds(&scope) {
            Ok(Some(true)) => {}
            Ok(_) => self.found.push(Finding { row: at, rule, unknown: false }),
            Err(_) => self.found.push(Finding { row: at, rule, unknown: true }),
        }
    }

    fn report(self, report: &mut Report) {
        for (index, finding) in self.found.iter().enumerate() {
            if index >= MOST_FINDINGS {
                report.count_only();
                continue;
            }
            let start = self.tree.rows[finding.row].start as usize;
            let (line, column) = line_and_column(&self.tree.source, start);
            let code = if finding.unknown { Code::InvariantUnknown } else { Code::InvariantBroken };
            let severity = if finding.unknown || finding.rule.warning { Severity::Warning } else { Severity::Error };
            let message = format!("{}: {}", code.sentence(), finding.rule.key);
            let mut issue = Issue::new(severity, code, message).at(self.tree.path(finding.row), line, column);
            issue.rule = Some(finding.rule.key.clone());
            report.push(issue);
        }
    }
}
