//! The formal rules (invariants) of R4, evaluated over a record: every rule of every type and element in it.
//!
//! A rule holds where its expression gives true; false and nothing are findings. What reading has checked already is not
//! said again. Most rules ask which children are there, so that is looked at once for an element, and the expressions of
//! the rules that this settles are not evaluated; a test holds both ways against each other.

mod native;
mod rules;
#[cfg(test)]
mod tests;

use crate::error::Code;
use crate::fhirpath::{Element, Host, Scope};
use crate::record::{Node, NodeKind, Record, Row, Tree};
use crate::report::{Issue, Report, Severity};
use crate::schema::{ElementId, TypeId, TypeKind};
pub(super) use rules::Filter;
use rules::{Plan, Planned, Rule, rules};

/// Findings kept of one record; the rest are counted.
const MOST_FINDINGS: usize = 10_000;

/// After so many values it is asked whether the walk may go on.
const LOOK_EACH: usize = 256;

/// Adds what breaks a rule of R4 to the report, in the order of the text.
pub(crate) fn check(record: &Record, host: &dyn Host, report: &mut Report) {
    Walk::over(record, host, true).report(report);
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
    /// Findings over the limit.
    over: u64,
    /// Whether rules are skipped that surely hold.
    quick: bool,
}

impl<'a> Walk<'a> {
    fn over(record: &'a Record, host: &'a dyn Host, quick: bool) -> Self {
        let tree = record.tree();
        let mut walk = Walk { tree, host, open: Vec::new(), found: Vec::new(), over: 0, quick };
        let rules = rules();
        for (at, row) in tree.rows.iter().enumerate() {
            if at.is_multiple_of(LOOK_EACH) && !host.goes_on() {
                break;
            }
            if row.type_id != Row::NONE && rules.is_of_interest(row.type_id, row.element) {
                walk.visit(at, row);
            }
        }
        walk
    }

    fn visit(&mut self, at: usize, row: &Row) {
        if matches!(row.kind, NodeKind::Array | NodeKind::Null) {
            return;
        }
        while self.open.last().is_some_and(|open| open.end <= at) {
            self.open.pop();
        }
        let id = TypeId(row.type_id);
        if row.kind == NodeKind::Object && id.row().kind == TypeKind::Resource {
            let contained = row.element != Row::NONE && ElementId(row.element).name() == "contained";
            self.open.push(Open { row: at, end: row.next as usize, contained });
        }
        let children = if self.quick { self.children(at, row) } else { None };
        self.judge(at, rules().of_type(id), children);
        if row.element != Row::NONE && row.flags & Row::COMPANION == 0 {
            if let Some(plan) = rules().of_element(ElementId(row.element)) {
                self.judge(at, plan, children);
            }
        }
    }

    /// The children of an object, by their position in its type; None where that is not plain to see.
    fn children(&self, at: usize, row: &Row) -> Option<u128> {
        if row.kind != NodeKind::Object {
            return None;
        }
        let first = TypeId(row.type_id).element(0).0;
        let (mut found, mut child, end) = (0_u128, at + 1, row.next as usize);
        while child < end {
            let here = &self.tree.rows[child];
            if here.element != Row::NONE {
                let hollow = match here.kind {
                    NodeKind::Null => true,
                    NodeKind::Array => {
                        here.next as usize == child + 1 || self.tree.rows[child + 1].kind == NodeKind::Null
                    }
                    _ => false,
                };
                let position = here.element.checked_sub(first).filter(|position| *position < 128 && !hollow)?;
                found |= 1 << position;
            }
            child = here.next as usize;
        }
        Some(found)
    }

    fn judge(&mut self, at: usize, plan: &'static Plan, children: Option<u128>) {
        for Planned { rule, .. } in
            plan.rules.iter().filter(|planned| !children.is_some_and(|children| planned.holds_with(children)))
        {
            let node = Node::new(self.tree, at);
            if self.quick && rule.native.is_some_and(|holds| holds(node)) {
                continue;
            }
            let unknown = match rule.expression.holds(&self.scope(node)) {
                Ok(Some(true)) => continue,
                found => found.is_err(),
            };
            if self.found.len() < MOST_FINDINGS {
                self.found.push(Finding { row: at, rule, unknown });
            } else {
                self.over += 1;
            }
        }
    }
    fn scope(&self, at: Node<'a>) -> Scope<'a> {
        let scope = Scope::of(Element::new(at)).host(self.host);
        let Some(resource) = self.open.last() else { return scope };
        let root = self.open.iter().rev().find(|open| !open.contained).unwrap_or(resource);
        scope.resource(Node::new(self.tree, resource.row)).root(Node::new(self.tree, root.row))
    }

    fn report(self, report: &mut Report) {
        let places = crate::json::place(self.tree, self.found.iter().map(|finding| finding.row));
        for (finding, (path, line, column)) in self.found.iter().zip(places) {
            let code = if finding.unknown { Code::InvariantUnknown } else { Code::InvariantBroken };
            let severity = if finding.unknown || finding.rule.warning { Severity::Warning } else { Severity::Error };
            let mut issue = Issue::new(severity, code, code.sentence()).at(path, line, column);
            issue.rule = Some(finding.rule.key.clone());
            report.push(issue);
        }
        for _ in 0..self.over {
            report.count_only();
        }
    }
}
