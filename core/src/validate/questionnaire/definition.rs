//! What a questionnaire asks for, item by item, and its own rules.

use super::{Finding, value};
use crate::decimal::Decimal;
use crate::error::Code;
use crate::record::Node;
use crate::report::Severity;
use std::borrow::Cow;
use std::collections::HashMap;

/// The type of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    Display,
    /// `question`: only its subtypes take answers.
    Abstract,
    Boolean,
    Decimal,
    Integer,
    Date,
    DateTime,
    Time,
    String,
    Text,
    Url,
    Choice,
    OpenChoice,
    Attachment,
    Reference,
    Quantity,
}

impl Kind {
    fn of(name: &str) -> Option<Kind> {
        Some(match name {
            "group" => Kind::Group,
            "display" => Kind::Display,
            "question" => Kind::Abstract,
            "boolean" => Kind::Boolean,
            "decimal" => Kind::Decimal,
            "integer" => Kind::Integer,
            "date" => Kind::Date,
            "dateTime" => Kind::DateTime,
            "time" => Kind::Time,
            "string" => Kind::String,
            "text" => Kind::Text,
            "url" => Kind::Url,
            "choice" => Kind::Choice,
            "open-choice" => Kind::OpenChoice,
            "attachment" => Kind::Attachment,
            "reference" => Kind::Reference,
            "quantity" => Kind::Quantity,
            _ => return None,
        })
    }

    /// The type of its answers, and in words. A choice may have options of other types than Coding.
    pub(super) fn value(self) -> (&'static str, &'static str) {
        match self {
            Kind::Group | Kind::Display | Kind::Abstract => ("", "no answer"),
            Kind::Boolean => ("boolean", "a boolean"),
            Kind::Decimal => ("decimal", "a decimal"),
            Kind::Integer => ("integer", "an integer"),
            Kind::Date => ("date", "a date"),
            Kind::DateTime => ("dateTime", "a dateTime"),
            Kind::Time => ("time", "a time"),
            Kind::String | Kind::Text => ("string", "a string"),
            Kind::Url => ("uri", "a uri"),
            Kind::Choice => ("Coding", "a Coding, or a value of a type that its options have"),
            Kind::OpenChoice => ("Coding", "a Coding, a string, or a value of a type that its options have"),
            Kind::Attachment => ("Attachment", "an Attachment"),
            Kind::Reference => ("Reference", "a Reference"),
            Kind::Quantity => ("Quantity", "a Quantity"),
        }
    }
}

/// One item of a questionnaire.
pub(super) struct Item<'q> {
    pub(super) node: Node<'q>,
    pub(super) parent: Option<usize>,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) repeats: bool,
    pub(super) least: usize,
    pub(super) most: Option<usize>,
    pub(super) conditions: Vec<Node<'q>>,
    /// Whether all conditions must hold; otherwise one.
    pub(super) all_conditions: bool,
    /// Whether a condition is of a kind that is not worked out here.
    pub(super) expression: bool,
}

/// The items of a questionnaire, an item before those below it.
pub(super) struct Items<'q> {
    pub(super) all: Vec<Item<'q>>,
    by_link: HashMap<Cow<'q, str>, Vec<usize>>,
    top: Vec<usize>,
    below: Vec<Vec<usize>>,
}

impl<'q> Items<'q> {
    pub(super) fn read(questionnaire: Node<'q>) -> Self {
        let mut made = Items { all: Vec::new(), by_link: HashMap::new(), top: Vec::new(), below: Vec::new() };
        let mut open: Vec<(Node<'q>, Option<usize>)> = questionnaire.list("item").map(|node| (node, None)).collect();
        open.reverse();
        while let Some((node, parent)) = open.pop() {
            let Some(item) = Item::read(node, parent) else { continue };
            let number = made.all.len();
            made.all.push(item);
            made.below.push(Vec::new());
            match parent {
                Some(parent) => made.below[parent].push(number),
                None => made.top.push(number),
            }
            if let Some(link) = node.text("linkId") {
                made.by_link.entry(link).or_default().push(number);
            }
            let from = open.len();
            open.extend(node.list("item").map(|below| (below, Some(number))));
            open[from..].reverse();
        }
        made
    }

    pub(super) fn named(&self, link: &str) -> impl Iterator<Item = usize> + '_ {
        // More items of one linkId than this are no questionnaire.
        self.by_link.get(link).into_iter().flatten().copied().take(100)
    }

    pub(super) fn children(&self, parent: Option<usize>) -> &[usize] {
        parent.map_or(&self.top, |parent| &self.below[parent])
    }
}

impl<'q> Item<'q> {
    fn read(node: Node<'q>, parent: Option<usize>) -> Option<Self> {
        let flag = |name| node.get(name).and_then(Node::as_bool).unwrap_or(false);
        let number = |url| extension(node, url).and_then(|limit| limit.as_decimal()).and_then(|n| n.to_i64());
        let conditions: Vec<_> = node.list("enableWhen").collect();
        Some(Item {
            node,
            parent,
            kind: Kind::of(&node.text("type")?)?,
            required: flag("required"),
            repeats: flag("repeats"),
            least: number(MIN_OCCURS).and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
            most: number(MAX_OCCURS).and_then(|n| usize::try_from(n).ok()),
            all_conditions: node.text("enableBehavior").as_deref() == Some("all"),
            expression: extension(node, ENABLE_EXPRESSION).is_some(),
            conditions,
        })
    }
}

pub(super) const MIN_OCCURS: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs";
pub(super) const MAX_OCCURS: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs";
pub(super) const MIN_VALUE: &str = "http://hl7.org/fhir/StructureDefinition/minValue";
pub(super) const MAX_VALUE: &str = "http://hl7.org/fhir/StructureDefinition/maxValue";
pub(super) const MIN_QUANTITY: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-minQuantity";
pub(super) const MAX_QUANTITY: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-maxQuantity";
pub(super) const MIN_LENGTH: &str = "http://hl7.org/fhir/StructureDefinition/minLength";
pub(super) const DECIMAL_PLACES: &str = "http://hl7.org/fhir/StructureDefinition/maxDecimalPlaces";
pub(super) const REGEX: &str = "http://hl7.org/fhir/StructureDefinition/regex";
pub(super) const MIME_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/mimeType";
pub(super) const MAX_SIZE: &str = "http://hl7.org/fhir/StructureDefinition/maxSize";
pub(super) const UNIT_OPTION: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-unitOption";
pub(super) const UNIT_VALUE_SET: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-unitValueSet";
pub(super) const REFERENCE_RESOURCE: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-referenceResource";
pub(super) const EXCLUSIVE: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive";
const ENABLE_EXPRESSION: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression";

/// The values of the extensions of one URL.
pub(super) fn extensions<'q>(node: Node<'q>, url: &'static str) -> impl Iterator<Item = Node<'q>> {
    node.list("extension").filter(move |found| found.text("url").as_deref() == Some(url)).filter_map(value)
}

pub(super) fn extension<'q>(node: Node<'q>, url: &'static str) -> Option<Node<'q>> {
    extensions(node, url).next()
}

/// The questionnaire's own rules, beyond its invariants.
pub(in crate::validate) fn check<'q>(questionnaire: Node<'q>, note: &mut dyn FnMut(Finding<'q>)) {
    let items = Items::read(questionnaire);
    let mut find = |node, expected| {
        note(Finding { node, code: Code::QuestionnaireRule, severity: Severity::Error, expected });
    };
    for item in &items.all {
        if item.conditions.len() > 1 && item.node.get("enableBehavior").is_none() {
            find(item.node, "an enableBehavior where there is more than one condition");
        }
        for condition in &item.conditions {
            let Some(question) = condition.text("question") else { continue };
            let Some(asked) = items.named(&question).next().map(|number| &items.all[number]) else {
                find(*condition, "a condition on an item that the questionnaire has");
                continue;
            };
            if matches!(asked.kind, Kind::Group | Kind::Display) {
                find(*condition, "a condition on an item that has answers");
            }
            let wanted = condition.children_named("answer").map(|(_, answer)| answer).next();
            let exists = condition.text("operator").as_deref() == Some("exists");
            if let Some(wanted) = wanted
                && !exists
                && !fits(asked, wanted)
            {
                find(wanted, "an answer of the type of the item that the condition is on");
            }
        }
        for option in item.node.list("answerOption") {
            let kinds =
                [Kind::Choice, Kind::OpenChoice, Kind::Integer, Kind::Date, Kind::Time, Kind::String, Kind::Text];
            if kinds.contains(&item.kind) && value(option).is_some_and(|value| !fits(item, value)) {
                find(option, "an option of the type of the item");
            }
        }
        for initial in item.node.list("initial") {
            if value(initial).is_some_and(|value| !fits(item, value)) {
                find(initial, "an initial value of the type of the item");
            }
        }
        if item.most.is_some_and(|most| most < item.least) {
            find(item.node, "a least number of answers that is not above the greatest");
        }
        let length = |node: Option<Node<'_>>| node.and_then(|node| node.as_decimal());
        let longest = length(item.node.get("maxLength"));
        if let (Some(least), Some(most)) = (length(extension(item.node, MIN_LENGTH)), longest)
            && least.cmp_value(&most) == std::cmp::Ordering::Greater
        {
            find(item.node, "a least length that is not above the greatest");
        }
    }
}

/// Whether a value may answer an item, by its type.
pub(super) fn fits(item: &Item<'_>, value: Node<'_>) -> bool {
    let name = value.type_id().map_or("", |type_id| type_id.name());
    let expected = item.kind.value().0;
    if name == expected || item.kind == Kind::OpenChoice && name == "string" {
        return true;
    }
    let options =
        || item.node.list("answerOption").filter_map(super::value).any(|option| option.type_id() == value.type_id());
    matches!(item.kind, Kind::Choice | Kind::OpenChoice)
        && matches!(name, "integer" | "date" | "time" | "string" | "Reference")
        && options()
}

/// A whole number of an extension or element.
pub(super) fn number(node: Option<Node<'_>>) -> Option<Decimal> {
    node?.as_decimal()
}
