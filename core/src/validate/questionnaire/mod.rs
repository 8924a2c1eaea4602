//! Questionnaire responses against their questionnaire, and questionnaires against their own rules (R4, Questionnaire, 2.36).
//!
//! Checked are the place, order and number of items, required items, the type of answers, options, value sets, units, limits
//! and forms, and which items are enabled. Limits are those of R4 and of the extensions that come with it, and the quantities
//! of SDC. A code that no terminology knows is not wrong.

mod answer;
mod definition;
mod enable;
#[cfg(test)]
mod tests;

use crate::error::Code;
use crate::json::line_and_column;
use crate::record::{Node, Record};
use crate::report::{Issue, Report, Severity};
use crate::terminology::Terminology;
use crate::time::fhir::DateTime;
pub(super) use definition::check as check_questionnaire;
use definition::{Item, Items, Kind};
use std::borrow::Cow;
use std::collections::HashMap;

/// A finding about a place of the record.
pub(super) struct Finding<'a> {
    pub(super) node: Node<'a>,
    pub(super) code: Code,
    pub(super) severity: Severity,
    pub(super) expected: &'static str,
}

/// Checks a QuestionnaireResponse against its Questionnaire.
///
/// What is wrong with the questionnaire itself is not said here: see [`questionnaire`].
pub fn questionnaire_response(response: &Record, questionnaire: &Record, terminology: &Terminology) -> Report {
    report(response, &mut |note| check_response(response.root(), questionnaire.root(), terminology, note))
}

/// Checks a Questionnaire against rules that go beyond its invariants: conditions name items that are there and compare what
/// can be compared, options fit their item, limits leave something between them.
pub fn questionnaire(record: &Record) -> Report {
    report(record, &mut |note| check_questionnaire(record.root(), note))
}

/// Items looked at, at most: a repeating group asks for its items each time.
const MOST_STEPS: u64 = 1_000_000;
/// Findings about one record, at most.
const MOST: usize = 1_000;

fn report<'a>(record: &'a Record, check: &mut dyn FnMut(&mut dyn FnMut(Finding<'a>))) -> Report {
    let mut report = Report::new();
    check(&mut |finding: Finding<'a>| {
        if report.issues().len() >= MOST {
            return report.count_only();
        }
        let (line, column) = line_and_column(record.original(), finding.node.span().start);
        let message = format!("{}: expected {}", finding.code.sentence(), finding.expected);
        report.push(Issue::new(finding.severity, finding.code, message).at(finding.node.path(), line, column));
    });
    report
}

/// Checks a response, which may be part of a larger record.
pub(super) fn check_response<'a>(
    response: Node<'a>,
    questionnaire: Node<'_>,
    terminology: &Terminology,
    note: &mut dyn FnMut(Finding<'a>),
) {
    let items = Items::read(questionnaire);
    let status = response.text("status").unwrap_or_default();
    let mut check = Check {
        items: &items,
        questionnaire,
        terminology,
        answers: HashMap::new(),
        steps: MOST_STEPS,
        // What is being filled in may still lack answers.
        missing: if status == "in-progress" { Severity::Information } else { Severity::Error },
        note,
    };
    if status == "entered-in-error" {
        return;
    }
    check.period(response);
    check.collect(response);
    check.level(response, response.list("item").collect(), None, &mut vec![response]);
    if check.steps == 0 {
        check.find(response, Code::LimitCount, "fewer items to compare");
    }
}

struct Check<'a, 'q, 'n> {
    items: &'q Items<'q>,
    questionnaire: Node<'q>,
    terminology: &'q Terminology,
    /// The items of the response by linkId, in the order of the text.
    answers: HashMap<Cow<'a, str>, Vec<Node<'a>>>,
    /// How many items may still be looked at.
    steps: u64,
    missing: Severity,
    note: &'n mut dyn FnMut(Finding<'a>),
}

impl<'a> Check<'a, '_, '_> {
    fn find(&mut self, node: Node<'a>, code: Code, expected: &'static str) {
        self.say(node, code, Severity::Error, expected);
    }

    fn say(&mut self, node: Node<'a>, code: Code, severity: Severity, expected: &'static str) {
        (self.note)(Finding { node, code, severity, expected });
    }

    /// Whether the response was written while the questionnaire was to be used.
    fn period(&mut self, response: Node<'a>) {
        let (Some(authored), Some(period)) = (response.get("authored"), self.questionnaire.get("effectivePeriod"))
        else {
            return;
        };
        let date = |node: Node<'_>| node.as_str().and_then(|text| DateTime::parse(&text)).map(DateTime::interval);
        let Some((from, to)) = date(authored) else { return };
        let early = period.get("start").and_then(date).is_some_and(|(start, _)| to <= start);
        let late = period.get("end").and_then(date).is_some_and(|(_, end)| from >= end);
        if early || late {
            let expected = "a date within the effective period of the questionnaire";
            self.say(authored, Code::QuestionnaireDate, Severity::Warning, expected);
        }
    }

    /// Lists the items of the response by linkId.
    fn collect(&mut self, response: Node<'a>) {
        // A stack of what is still to be looked at, last first.
        let mut open: Vec<Node<'a>> = response.list("item").collect();
        open.reverse();
        while let Some(item) = open.pop() {
            if let Some(link) = item.text("linkId") {
                self.answers.entry(link).or_default().push(item);
            }
            let nested = item.list("item").chain(item.list("answer").flat_map(|answer| answer.list("item")));
            let from = open.len();
            open.extend(nested);
            open[from..].reverse();
        }
    }

    /// Checks the items that stand side by side below `above`: the response, an item or an answer. `parent` is the item of
    /// the questionnaire they belong to; `around` is what they stand in, the response first.
    fn level(&mut self, above: Node<'a>, found: Vec<Node<'a>>, parent: Option<usize>, around: &mut Vec<Node<'a>>) {
        let items = self.items;
        let mut by_item: HashMap<usize, Vec<Node<'a>>> = HashMap::new();
        let mut last = 0;
        for node in found {
            let Some(link) = node.text("linkId") else { continue };
            let here = items.named(&link).find(|item| items.all[*item].parent == parent);
            let Some(item) = here else {
                self.find(node, Code::ItemUnknown, "the linkId of an item that the questionnaire has here");
                continue;
            };
            if item < last {
                self.find(node, Code::ItemOrder, "the order of the questionnaire");
            }
            last = last.max(item);
            by_item.entry(item).or_default().push(node);
        }
        for &item in items.children(parent) {
            if self.steps == 0 {
                return;
            }
            self.steps -= 1;
            let nodes = by_item.remove(&item).unwrap_or_default();
            self.item(above, &items.all[item], item, &nodes, around);
        }
    }

    /// Checks all items of the response that answer one item of the questionnaire in one place.
    fn item(
        &mut self,
        above: Node<'a>,
        item: &Item<'_>,
        number: usize,
        nodes: &[Node<'a>],
        around: &mut Vec<Node<'a>>,
    ) {
        let enabled = enable::is_enabled(item, around, &self.answers, &mut self.steps);
        if enabled == Some(false) {
            for node in nodes {
                if node.get("answer").is_some() || node.get("item").is_some() {
                    self.find(*node, Code::ItemDisabled, "no answer while the condition of the item does not hold");
                }
            }
            return;
        }
        let required = item.required && enabled == Some(true);
        if required && nodes.is_empty() {
            self.say(above, Code::AnswerMissing, self.missing, "each required item");
        }
        match item.kind {
            Kind::Display => {
                for node in nodes {
                    if node.get("answer").is_some() || node.get("item").is_some() {
                        self.find(*node, Code::ItemShape, "no answer and no items below text that is only shown");
                    }
                }
            }
            Kind::Group => self.group(item, number, nodes, required, around),
            Kind::Abstract => {
                for node in nodes {
                    if node.get("answer").is_some() {
                        self.find(*node, Code::ItemShape, "no answer where the questionnaire does not say the type");
                    }
                }
            }
            _ => self.question(item, number, nodes, required, around),
        }
    }

    fn group(
        &mut self,
        item: &Item<'_>,
        number: usize,
        nodes: &[Node<'a>],
        required: bool,
        around: &mut Vec<Node<'a>>,
    ) {
        self.count(item, nodes, nodes.len());
        for node in nodes {
            if let Some(answer) = node.get("answer") {
                self.find(answer, Code::ItemShape, "items and no answers in a group");
            }
            let found: Vec<_> = node.list("item").collect();
            if required && found.is_empty() {
                self.say(*node, Code::AnswerMissing, self.missing, "items in a required group");
                continue;
            }
            around.push(*node);
            self.level(*node, found, Some(number), around);
            around.pop();
        }
    }

    fn question(
        &mut self,
        item: &Item<'_>,
        number: usize,
        nodes: &[Node<'a>],
        required: bool,
        around: &mut Vec<Node<'a>>,
    ) {
        for node in nodes.iter().skip(1) {
            self.find(*node, Code::AnswerCount, "one item with all answers of a question");
        }
        let answers: Vec<Node<'a>> = nodes.iter().flat_map(|node| node.list("answer")).collect();
        let valued = answers.iter().filter(|answer| value(**answer).is_some()).count();
        if let (true, 0, Some(node)) = (required, valued, nodes.first()) {
            self.say(*node, Code::AnswerMissing, self.missing, "an answer to a required question");
        }
        self.count(item, nodes, answers.len());
        for node in nodes {
            if let Some(inside) = node.get("item") {
                self.find(inside, Code::ItemShape, "items inside of the answers of a question");
            }
        }
        let exclusive = answers.len() > 1;
        for answer in answers {
            if let Some(value) = value(answer) {
                self.answer(item, answer, value, exclusive);
            }
            around.push(answer);
            self.level(answer, answer.list("item").collect(), Some(number), around);
            around.pop();
        }
    }

    /// Checks how often a group stands here, or how many answers a question has.
    fn count(&mut self, item: &Item<'_>, nodes: &[Node<'a>], count: usize) {
        let Some(node) = nodes.first() else { return };
        let most = item.most.unwrap_or(if item.repeats { usize::MAX } else { 1 });
        if count > most {
            self.find(*node, Code::AnswerCount, "no more answers or groups than the item allows");
        } else if count < item.least {
            self.say(*node, Code::AnswerCount, self.missing, "as many answers or groups as the item asks for");
        }
    }
}

/// The value of an answer, an option, an initial value or a limit.
fn value(node: Node<'_>) -> Option<Node<'_>> {
    node.children_named("value").map(|(_, value)| value).next()
}
