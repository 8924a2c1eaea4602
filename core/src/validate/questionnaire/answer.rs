//! One answer: its type, the options, limits, unit and form that the item asks for.

use super::definition::{
    DECIMAL_PLACES, EXCLUSIVE, Item, Kind, MAX_QUANTITY, MAX_SIZE, MAX_VALUE, MIME_TYPE, MIN_LENGTH, MIN_QUANTITY,
    MIN_VALUE, REFERENCE_RESOURCE, REGEX, UNIT_OPTION, UNIT_VALUE_SET, extension, extensions, fits, number,
};
use super::{Check, value};
use crate::decimal::Decimal;
use crate::error::Code;
use crate::fhirpath::Pattern;
use crate::record::{Node, NodeKind};
use crate::report::Severity;
use crate::terminology::{Coding, Outcome};
use crate::time::fhir::{DateTime, Time};
use crate::units;
use std::cmp::Ordering;

impl<'a> Check<'a, '_, '_> {
    /// Checks an answer; `beside`: whether there are other answers to the same item.
    pub(super) fn answer(&mut self, item: &Item<'_>, answer: Node<'a>, value: Node<'a>, beside: bool) {
        if !fits(item, value) {
            self.find(value, Code::AnswerType, item.kind.value().1);
            return;
        }
        self.option(item, answer, value, beside);
        self.limits(item, value);
        match item.kind {
            Kind::String | Kind::Text | Kind::OpenChoice | Kind::Url => self.text(item, value),
            Kind::Decimal => self.places(item, value),
            Kind::Quantity => self.unit(item, value),
            Kind::Attachment => self.attachment(item, answer, value),
            Kind::Reference => self.reference(item, value),
            _ => {}
        }
    }

    // --- options ---

    fn option(&mut self, item: &Item<'_>, answer: Node<'a>, given: Node<'a>, beside: bool) {
        let mut options = item.node.list("answerOption").peekable();
        let free = item.kind == Kind::OpenChoice && given.kind() == NodeKind::String;
        if options.peek().is_some() {
            let found = options
                .find(|option| value(*option).is_some_and(|option| compare(given, option) == Some(Ordering::Equal)));
            match found {
                Some(option) if beside && extension(option, EXCLUSIVE).and_then(Node::as_bool) == Some(true) => {
                    self.find(answer, Code::AnswerOption, "no other answer beside one that excludes others");
                }
                None if !free => self.find(given, Code::AnswerOption, "one of the options of the item"),
                _ => {}
            }
            return;
        }
        let Some(set) = item.node.get("answerValueSet").and_then(|set| set.as_str()) else { return };
        let Some(coding) = Coding::read(given) else { return };
        let outcome = match set.strip_prefix('#') {
            Some(id) => self.contained(id, &coding),
            None => Some(self.terminology.validate_code(&set, &coding)),
        };
        match outcome {
            Some(outcome) if outcome.is_wrong() && !free => {
                self.find(given, Code::AnswerOption, "a code of the value set of the item");
            }
            Some(Outcome::In(found)) if found.display_wrong && given.kind() == NodeKind::Object => {
                self.find(given, Code::AnswerOption, "the display that belongs to the code");
            }
            _ => {}
        }
    }

    /// Asks a value set that the questionnaire contains.
    fn contained(&self, id: &str, coding: &Coding<'_>) -> Option<Outcome> {
        let set = self.questionnaire.list("contained").find(|set| set.text("id").as_deref() == Some(id))?;
        let set = self.terminology.compile(set).ok()?;
        Some(self.terminology.validate_in(&set, coding))
    }

    // --- limits ---

    fn limits(&mut self, item: &Item<'_>, value: Node<'a>) {
        let limits = [
            (MIN_VALUE, Ordering::Less, "no less than the least value of the item"),
            (MAX_VALUE, Ordering::Greater, "no more than the greatest value of the item"),
            (MIN_QUANTITY, Ordering::Less, "no less than the least quantity of the item"),
            (MAX_QUANTITY, Ordering::Greater, "no more than the greatest quantity of the item"),
        ];
        for (url, beyond, expected) in limits {
            let Some(limit) = extension(item.node, url) else { continue };
            match compare(value, limit) {
                Some(order) if order == beyond => self.find(value, Code::AnswerRange, expected),
                None if item.kind == Kind::Quantity => {
                    self.find(value, Code::AnswerUnit, "a unit that can be compared with that of the limit");
                }
                _ => {}
            }
        }
    }

    fn text(&mut self, item: &Item<'_>, value: Node<'a>) {
        let Some(text) = value.as_str() else { return };
        let length = Decimal::from_i64(i64::try_from(text.chars().count()).unwrap_or(i64::MAX));
        let beyond = |limit: Option<Decimal>, way| limit.is_some_and(|limit| length.cmp_value(&limit) == way);
        if beyond(number(item.node.get("maxLength")), Ordering::Greater) {
            self.find(value, Code::AnswerRange, "text that is no longer than the item allows");
        }
        if beyond(number(extension(item.node, MIN_LENGTH)), Ordering::Less) {
            self.find(value, Code::AnswerRange, "text that is as long as the item asks for");
        }
        if item.kind == Kind::Url && text.strip_prefix("urn:uuid:").is_some_and(|uuid| !is_uuid(uuid.as_bytes())) {
            self.find(value, Code::AnswerForm, "a lower-case UUID after urn:uuid:");
        }
        let pattern = extension(item.node, REGEX).and_then(|pattern| pattern.as_str());
        // A pattern that is none says nothing about the answer.
        let pattern = pattern.and_then(|pattern| Pattern::new(&pattern, true).ok());
        if pattern.is_some_and(|pattern| !pattern.matches(&text)) {
            self.find(value, Code::AnswerForm, "text that fits the pattern of the item");
        }
    }

    fn places(&mut self, item: &Item<'_>, value: Node<'a>) {
        let Some(most) = number(extension(item.node, DECIMAL_PLACES)).and_then(|most| most.to_i64()) else { return };
        let digits = value.raw().split(|b| *b == b'.').nth(1).unwrap_or_default();
        let places = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        if i64::try_from(places).is_ok_and(|places| places > most) {
            self.find(value, Code::AnswerRange, "no more decimal places than the item allows");
        }
    }

    fn unit(&mut self, item: &Item<'_>, value: Node<'a>) {
        let same = |option: Node<'_>| {
            option.text("code") == value.text("code") && option.text("system") == value.text("system")
        };
        let mut options = extensions(item.node, UNIT_OPTION).peekable();
        if options.peek().is_some() && !options.any(same) {
            self.find(value, Code::AnswerUnit, "one of the units that the item allows");
        }
        let Some(set) = extension(item.node, UNIT_VALUE_SET).and_then(|set| set.as_str()) else { return };
        let wrong = Coding::read(value).is_none_or(|coding| self.terminology.validate_code(&set, &coding).is_wrong());
        if wrong {
            self.find(value, Code::AnswerUnit, "a unit of the value set of the item");
        }
    }

    // --- forms ---

    fn attachment(&mut self, item: &Item<'_>, answer: Node<'a>, value: Node<'a>) {
        let mut types = extensions(item.node, MIME_TYPE).filter_map(Node::as_str).peekable();
        if let (true, Some(given)) = (types.peek().is_some(), value.text("contentType"))
            && !types.any(|allowed| allowed == given)
        {
            self.find(answer, Code::AnswerForm, "a type of content that the item allows");
        }
        let stated = value.get("size").and_then(Node::as_decimal);
        let actual = value.text("data").map(|data| decoded_length(data.as_bytes()));
        if let (Some(stated), Some(actual)) = (&stated, &actual)
            && stated.cmp_value(actual) != Ordering::Equal
        {
            self.find(value, Code::AnswerForm, "a size that is the size of the data");
        }
        let size = actual.or(stated);
        if let (Some(most), Some(size)) = (number(extension(item.node, MAX_SIZE)), size)
            && size.cmp_value(&most) == Ordering::Greater
        {
            self.find(answer, Code::AnswerRange, "an attachment that is no larger than the item allows");
        }
    }

    fn reference(&mut self, item: &Item<'_>, value: Node<'a>) {
        let mut allowed = extensions(item.node, REFERENCE_RESOURCE).filter_map(Node::as_str).peekable();
        let Some(text) = value.text("reference") else { return };
        let before_id =
            text.split("/_history/").next().and_then(|text| text.rsplit_once('/')).map(|(before, _)| before);
        let kind = before_id.and_then(|before| before.rsplit('/').next());
        let kind = kind.filter(|kind| kind.starts_with(|c: char| c.is_ascii_uppercase()));
        let Some(kind) = kind else { return };
        if allowed.peek().is_some() && !allowed.any(|allowed| allowed == kind) {
            self.find(value, Code::AnswerOption, "a reference to a type of resource that the item allows");
        } else if crate::schema::ResourceType::from_name(kind).is_none() {
            self.say(value, Code::AnswerOption, Severity::Warning, "a reference to a resource type of R4");
        }
    }
}

/// How an answer compares with another value; None where they cannot be compared.
pub(super) fn compare(a: Node<'_>, b: Node<'_>) -> Option<Ordering> {
    let (kind, other) = (a.type_id()?.name(), b.type_id()?.name());
    match (a.kind(), b.kind()) {
        (NodeKind::Bool, NodeKind::Bool) => Some(a.as_bool().cmp(&b.as_bool())),
        (NodeKind::Number, NodeKind::Number) => Some(a.as_decimal()?.cmp_value(&b.as_decimal()?)),
        (NodeKind::String, NodeKind::String) => match kind {
            "date" | "dateTime" | "instant" => dates(&a.as_str()?, &b.as_str()?),
            "time" => Some(Time::parse(&a.as_str()?)?.compare(Time::parse(&b.as_str()?)?)),
            _ => Some(a.as_str()?.cmp(&b.as_str()?)),
        },
        (NodeKind::Object, NodeKind::Object) if kind == other => match kind {
            "Coding" => {
                let same = a.text("code") == b.text("code") && a.text("system") == b.text("system");
                same.then_some(Ordering::Equal)
            }
            "Quantity" => quantities(a, b),
            "Reference" => (a.text("reference") == b.text("reference")).then_some(Ordering::Equal),
            _ => None,
        },
        _ => None,
    }
}

/// Dates are stretches of time: one lies before, after or within the other; within counts as equal.
fn dates(a: &str, b: &str) -> Option<Ordering> {
    let stretch = |text: &str| DateTime::parse(text).map(DateTime::interval);
    let ((a_start, a_end), (b_start, b_end)) = (stretch(a)?, stretch(b)?);
    Some(if a_end <= b_start {
        Ordering::Less
    } else if a_start >= b_end {
        Ordering::Greater
    } else {
        Ordering::Equal
    })
}

/// Quantities are compared by UCUM; with units of another system, or none, only where both have the same.
fn quantities(a: Node<'_>, b: Node<'_>) -> Option<Ordering> {
    const UCUM: Option<&str> = Some("http://unitsofmeasure.org");
    let (x, y) = (a.get("value")?.as_decimal()?, b.get("value")?.as_decimal()?);
    if a.text("system").as_deref() == UCUM && b.text("system").as_deref() == UCUM {
        return units::compare(&x, &a.text("code")?, &y, &b.text("code")?).ok();
    }
    let same = a.text("code").is_some() && a.text("code") == b.text("code") && a.text("system") == b.text("system");
    same.then(|| x.cmp_value(&y))
}

fn is_uuid(text: &[u8]) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let good =
        |(at, byte): (usize, &u8)| if dash(at) { *byte == b'-' } else { matches!(byte, b'0'..=b'9' | b'a'..=b'f') };
    text.len() == 36 && text.iter().enumerate().all(good)
}

/// How many bytes base64 stands for.
fn decoded_length(text: &[u8]) -> Decimal {
    let count = text.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count();
    Decimal::from_i64(i64::try_from(count / 4 * 3 + (count % 4).saturating_sub(1)).unwrap_or(i64::MAX))
}
