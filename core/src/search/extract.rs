//! One walk over a record gives everything it can be found by.

use super::text::parse_reference;
use crate::decimal::Decimal;
use crate::json::instant_of;
use crate::record::{Node, NodeKind, Record, Row};
use crate::schema::{
    ElementId, PathProgram, Primitive, ResourceType, SearchKind, SearchParameter, TypeKind, Where, search_parameters,
};
use crate::time::Timestamp;
use std::borrow::Cow;
use std::sync::OnceLock;

/// One value of a search parameter, as the record says it.
#[derive(Clone, PartialEq)]
pub enum Value<'a> {
    /// A code or an identifier, and the system it is from.
    Token(Cow<'a, str>, Cow<'a, str>),
    /// A piece of text: a string, or a part of a name or an address.
    Text(Cow<'a, str>),
    /// A stretch of time, half open.
    Date(Timestamp, Timestamp),
    /// The text of a reference.
    Reference(Cow<'a, str>),
    /// A URI.
    Uri(Cow<'a, str>),
    /// A number.
    Number(Decimal),
    /// A number with a unit.
    Quantity(Quantity<'a>),
}

/// A number with a unit.
#[derive(Clone, PartialEq)]
pub struct Quantity<'a> {
    /// The number.
    pub value: Decimal,
    /// The system of the unit's code.
    pub system: Cow<'a, str>,
    /// The unit's code.
    pub code: Cow<'a, str>,
    /// The unit as printed.
    pub unit: Cow<'a, str>,
}

/// Gives every search value of a record, in the order of the record.
pub fn extract<'a>(record: &'a Record, mut each: impl FnMut(&'static SearchParameter, Value<'a>)) {
    let trie = trie(record.kind());
    for child in children(record.root()) {
        let Some(element) = child.element() else { continue };
        let position = usize::from(element.0.wrapping_sub(trie.first));
        for branch in trie.by_position.get(position).into_iter().flatten() {
            branch.walk(child, &mut each);
        }
    }
}

/// The values of one parameter.
pub(crate) fn values_of<'a>(record: &'a Record, parameter: &SearchParameter, mut each: impl FnMut(Value<'a>)) {
    for path in parameter.paths {
        record.select(path, |node| node.items().for_each(|item| convert(item, parameter.kind, &mut each)));
    }
}

/// The parameters of a type as one tree, so that steps they share are taken once.
struct Trie {
    first: u16,
    by_position: Vec<Vec<Branch>>,
}

#[derive(Default)]
struct Branch {
    name: &'static str,
    as_type: Option<&'static str>,
    where_: Option<&'static Where>,
    ends: Vec<&'static SearchParameter>,
    children: Vec<Branch>,
}

impl Branch {
    fn walk<'a>(&self, at: Node<'a>, each: &mut impl FnMut(&'static SearchParameter, Value<'a>)) {
        if self.as_type.is_some_and(|wanted| at.type_id().map(|id| id.name()) != Some(wanted)) {
            return;
        }
        for item in at.items() {
            if !self.where_.is_none_or(|condition| holds(condition, item)) {
                continue;
            }
            for parameter in &self.ends {
                convert(item, parameter.kind, &mut |value| each(parameter, value));
            }
            if !self.children.is_empty() {
                for child in children(item) {
                    let name = child.element().map(ElementId::name);
                    for branch in self.children.iter().filter(|branch| Some(branch.name) == name) {
                        branch.walk(child, each);
                    }
                }
            }
        }
    }
}

/// The properties of an object that the schema knows, without the companions of primitives.
fn children(of: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let entries = (of.kind() == NodeKind::Object).then(|| of.values());
    entries.into_iter().flatten().filter(|node| node.row().flags & Row::COMPANION == 0)
}

fn holds(condition: &Where, item: Node<'_>) -> bool {
    match condition {
        Where::Equals(name, value) => item.text(name).is_some_and(|text| text == *value),
        Where::ResolvesTo(wanted) => match item.text("type") {
            Some(kind) => kind == *wanted,
            None => item
                .text("reference")
                .and_then(|text| parse_reference(&text).map(|(kind, _)| kind.name()))
                .is_none_or(|kind| kind == *wanted),
        },
    }
}

/// The search values of one node, for a parameter of this kind.
fn convert<'a>(node: Node<'a>, kind: SearchKind, each: &mut impl FnMut(Value<'a>)) {
    let Some(type_id) = node.type_id() else { return };
    let text = |name: &str| node.text(name).unwrap_or_default();
    let primitive = match type_id.row().kind {
        TypeKind::Primitive(primitive) => Some(primitive),
        _ => None,
    };
    match (kind, primitive) {
        (SearchKind::Token, Some(Primitive::Boolean)) => {
            if let Some(truth) = node.as_bool() {
                each(Value::Token("".into(), if truth { "true" } else { "false" }.into()));
            }
        }
        (SearchKind::Token, Some(_)) => node.as_str().into_iter().for_each(|code| each(Value::Token("".into(), code))),
        (SearchKind::Token, None) => match type_id.name() {
            "CodeableConcept" => node.list("coding").for_each(|coding| {
                if let (system, Some(code)) = (coding.text("system").unwrap_or_default(), coding.text("code")) {
                    each(Value::Token(system, code));
                }
            }),
            "Coding" => node.text("code").into_iter().for_each(|code| each(Value::Token(text("system"), code))),
            "Identifier" => node.text("value").into_iter().for_each(|code| each(Value::Token(text("system"), code))),
            "ContactPoint" => node.text("value").into_iter().for_each(|code| each(Value::Token("".into(), code))),
            _ => {}
        },
        (SearchKind::Reference, Some(_)) => node.as_str().into_iter().for_each(|text| each(Value::Reference(text))),
        (SearchKind::Reference, None) => {
            node.text("reference").into_iter().for_each(|text| each(Value::Reference(text)));
        }
        (SearchKind::Uri, Some(_)) => node.as_str().into_iter().for_each(|text| each(Value::Uri(text))),
        (SearchKind::String, Some(_)) => node.as_str().into_iter().for_each(|text| each(Value::Text(text))),
        (SearchKind::String, None) => {
            let parts: &[&str] = match type_id.name() {
                "HumanName" => &["family", "given", "prefix", "suffix", "text"],
                "Address" => &["line", "city", "district", "state", "postalCode", "country", "text"],
                _ => &[],
            };
            for part in parts {
                node.list(part).filter_map(Node::as_str).for_each(|text| each(Value::Text(text)));
            }
        }
        (SearchKind::Date, Some(_)) => {
            if let Some((start, end)) = (node.kind() == NodeKind::String).then(|| instant_of(node.raw())).flatten() {
                each(Value::Date(start, end));
            }
        }
        (SearchKind::Date, None) => match type_id.name() {
            "Period" => {
                let bound = |name: &str| node.get(name).and_then(|node| instant_of(node.raw()));
                let (start, end) = (bound("start"), bound("end"));
                if start.is_some() || end.is_some() {
                    let start = start.map_or(Timestamp(i64::MIN), |(start, _)| start);
                    each(Value::Date(start, end.map_or(Timestamp(i64::MAX), |(_, end)| end)));
                }
            }
            "Timing" => node.list("event").for_each(|event| {
                if let Some((start, end)) = instant_of(event.raw()) {
                    each(Value::Date(start, end));
                }
            }),
            _ => {}
        },
        (SearchKind::Number, Some(_)) => node.as_decimal().into_iter().for_each(|number| each(Value::Number(number))),
        (SearchKind::Quantity, None) => {
            if let Some(value) = node.get("value").and_then(Node::as_decimal) {
                let quantity = Quantity { value, system: text("system"), code: text("code"), unit: text("unit") };
                each(Value::Quantity(quantity));
            }
        }
        _ => {}
    }
}

fn trie(kind: ResourceType) -> &'static Trie {
    static TRIES: [OnceLock<Trie>; 256] = [const { OnceLock::new() }; 256];
    TRIES[usize::from(kind.number())].get_or_init(|| {
        let elements = kind.type_id().elements();
        let mut by_position: Vec<Vec<Branch>> = Vec::new();
        by_position.resize_with(elements.len(), Vec::new);
        for parameter in search_parameters(kind) {
            // `_id` and `_lastUpdated` are answered from the store's own columns
            if matches!(parameter.code, "_id" | "_lastUpdated") {
                continue;
            }
            for path in parameter.paths {
                if let Some(position) = elements.clone().position(|element| element.name() == path.steps[0].name) {
                    graft(&mut by_position[position], path, 0, parameter);
                }
            }
        }
        Trie { first: kind.type_id().element(0).0, by_position }
    })
}

fn graft(level: &mut Vec<Branch>, path: &'static PathProgram, at: usize, parameter: &'static SearchParameter) {
    let step = &path.steps[at];
    let same = |branch: &Branch| {
        branch.name == step.name
            && branch.as_type == step.as_type
            && match (branch.where_, &step.where_) {
                (None, None) => true,
                (Some(Where::ResolvesTo(a)), Some(Where::ResolvesTo(b))) => a == b,
                (Some(Where::Equals(a, b)), Some(Where::Equals(c, d))) => (a, b) == (c, d),
                _ => false,
            }
    };
    let found = level.iter().position(same).unwrap_or_else(|| {
        level.push(Branch {
            name: step.name,
            as_type: step.as_type,
            where_: step.where_.as_ref(),
            ..Branch::default()
        });
        level.len() - 1
    });
    if at + 1 == path.steps.len() {
        if !level[found].ends.iter().any(|end| std::ptr::eq(*end, parameter)) {
            level[found].ends.push(parameter);
        }
    } else {
        graft(&mut level[found].children, path, at + 1, parameter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(record: &Record) -> Vec<String> {
        let mut found = Vec::new();
        extract(record, |parameter, value| {
            found.push(match value {
                Value::Token(system, code) => format!("{} {system}|{code}", parameter.code),
                Value::Text(text) | Value::Reference(text) | Value::Uri(text) => format!("{} {text}", parameter.code),
                Value::Date(start, end) => format!("{} {} {}", parameter.code, start.0, end.0),
                Value::Number(number) => format!("{} {}", parameter.code, number.as_str()),
                Value::Quantity(quantity) => {
                    format!("{} {} {}", parameter.code, quantity.value.as_str(), quantity.code)
                }
            });
        });
        found
    }

    #[test]
    fn a_patient_is_found_by_name_parts_identifier_birth_date_and_phone() {
        let record = Record::parse(
            br#"{"resourceType":"Patient","id":"p","active":true,"identifier":[{"system":"s","value":"7"}],
            "name":[{"family":"Marker","given":["Ann","B"]}],"birthDate":"1970-01-02",
            "telecom":[{"system":"phone","value":"12"},{"system":"email","value":"a@b"}],"generalPractitioner":[{"reference":"Practitioner/x"}]}"#,
        )
        .expect("a patient");
        let found = shown(&record);
        for wanted in [
            "active |true",
            "identifier s|7",
            "family Marker",
            "given Ann",
            "given B",
            "name Marker",
            "name Ann",
            "phone |12",
            "email |a@b",
            "telecom |12",
            "birthdate 86400000000 172800000000",
            "general-practitioner Practitioner/x",
        ] {
            assert!(found.iter().any(|entry| entry == wanted), "{wanted} in {found:?}");
        }
        assert!(!found.iter().any(|entry| entry == "phone |a@b"));
    }

    #[test]
    fn one_walk_gives_what_each_parameter_gives_alone() {
        let record = Record::parse(
            br#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"l","code":"1"},{"code":"2"}]},
            "subject":{"reference":"urn:uuid:1"},"effectivePeriod":{"start":"2020"},"valueQuantity":{"value":1.50,"code":"kg"},
            "component":[{"code":{"coding":[{"code":"3"}]},"valueQuantity":{"value":2}}]}"#,
        )
        .expect("an observation");
        let mut one_by_one = Vec::new();
        for parameter in search_parameters(record.kind()).iter().filter(|p| !matches!(p.code, "_id" | "_lastUpdated")) {
            values_of(&record, parameter, |_| one_by_one.push(parameter.code));
        }
        let mut walked = Vec::new();
        extract(&record, |parameter, _| walked.push(parameter.code));
        one_by_one.sort_unstable();
        walked.sort_unstable();
        assert_eq!(walked, one_by_one);
        assert!(shown(&record).contains(&"value-quantity 1.50 kg".to_owned()));
        assert!(shown(&record).contains(&"combo-code |3".to_owned()));
    }
}
