//! Codes: whether they exist, whether they are in the value set that is bound, and whether their display is right.

use super::Run;
use super::items::Item;
use crate::error::Code;
use crate::record::Node;
use crate::report::Severity;
use crate::schema::Strength;
use crate::terminology::{Coding, Content, Facts, Outcome, ValueSet};
use crate::validate::profile::{Profile, Rule};
use std::borrow::Cow;
use std::sync::Arc;

/// A value and a value set, and how the one stands to the other.
pub(super) type Asked = ((usize, *const ValueSet), Option<Outcome>);

/// The system of a coding that was met.
pub(super) struct Met<'a> {
    raw: &'a [u8],
    facts: Facts<'a>,
    /// Whether a value set has its url, once that was asked.
    value_set: Option<bool>,
}

/// What is kept of what was asked.
const MOST_ASKED: usize = 32;

impl<'a> Run<'a> {
    /// Checks a value against the value sets bound to its element.
    pub(super) fn bindings(&mut self, item: Item<'a>, profile: &'a Arc<Profile>, rule: &'a Rule) {
        let Some(node) = item.value else { return };
        for binding in &rule.bindings {
            if binding.strength == Strength::Required && seen_by_structure(node) {
                continue;
            }
            let terminology = self.definitions.terminology();
            let compiled = || terminology.value_set(&binding.value_set);
            let set = binding.compiled.get_or_init(compiled).as_deref();
            let outcome = self.member(node, set, &binding.value_set);
            let (code, severity, wanted) = match (outcome, binding.strength) {
                (None, Strength::Required) if node.get("extension").is_none() => {
                    (Code::BindingRequired, Severity::Error, "a code of the required value set")
                }
                // Of a choice that is still open a unit may be of another kind of value.
                (Some(Outcome::NotIn | Outcome::CodeUnknown), Strength::Required) if open_unit(node, rule) => {
                    (Code::BindingRequired, Severity::Warning, "a unit of the required value set")
                }
                (Some(Outcome::NotIn | Outcome::CodeUnknown), Strength::Required) => {
                    (Code::BindingRequired, Severity::Error, "a code of the required value set")
                }
                (Some(Outcome::NotIn | Outcome::CodeUnknown), Strength::Extensible) => {
                    (Code::BindingExtensible, Severity::Warning, "a code of the extensible value set, where one fits")
                }
                (Some(Outcome::NotIn | Outcome::CodeUnknown), Strength::Preferred) => {
                    (Code::BindingPreferred, Severity::Information, "a code of the preferred value set")
                }
                (Some(Outcome::NotChecked(_)), Strength::Required) if self.options.unchecked_codes => {
                    (Code::BindingUnchecked, Severity::Information, "a value set that is known here")
                }
                _ => continue,
            };
            self.find(node, code, severity, wanted).of(profile).rule(&binding.value_set).done();
        }
    }

    /// How a code, Coding, Quantity or CodeableConcept stands to a value set; None where it has no code.
    fn member(&self, node: Node<'a>, set: Option<&ValueSet>, value_set: &str) -> Option<Outcome> {
        let Some(of) = set else { return self.ask(node, None, value_set) };
        let place = (node.at(), std::ptr::from_ref(of));
        let mut asked = self.stands.borrow_mut();
        if let Some((_, known)) = asked.iter().find(|(known, _)| *known == place) {
            return known.clone();
        }
        let found = self.ask(node, set, value_set);
        if asked.len() == MOST_ASKED {
            asked.clear();
        }
        asked.push((place, found.clone()));
        found
    }

    fn ask(&self, node: Node<'a>, set: Option<&ValueSet>, value_set: &str) -> Option<Outcome> {
        let terminology = self.definitions.terminology();
        if node.type_id().is_some_and(|type_id| type_id.name() == "CodeableConcept") {
            let mut codings = node.list("coding").filter_map(Coding::read).peekable();
            codings.peek()?;
            return Some(match set {
                Some(set) => terminology.any_is_in(set, codings),
                None => terminology.validate_any(value_set, codings),
            });
        }
        let coding = Coding::read(node)?;
        Some(match set {
            Some(set) => terminology.is_in(set, &coding),
            None => terminology.validate_code(value_set, &coding),
        })
    }

    /// Whether a value is known to be in a value set.
    pub(super) fn is_in(&self, node: Node<'a>, value_set: &str) -> bool {
        self.is_member(node, value_set) == Some(true)
    }

    /// Whether a value is in a value set; None where nobody here can tell.
    pub(super) fn is_member(&self, node: Node<'a>, value_set: &str) -> Option<bool> {
        let set = self.definitions.terminology().value_set(value_set);
        match self.ask(node, set.as_deref(), value_set)? {
            Outcome::In(_) => Some(true),
            Outcome::NotIn | Outcome::CodeUnknown => Some(false),
            Outcome::NotChecked(_) => None,
        }
    }

    /// A Coding or a Quantity by itself: its system is a code system, has the code, and calls it as the record does.
    pub(super) fn coding(&mut self, node: Node<'a>) {
        let Some(system) = node.get("system") else { return };
        let coding = Coding::read(node);
        let url = match &coding {
            Some(Coding { system: Some(url), .. }) => Cow::Borrowed(&**url),
            _ => match system.as_str() {
                Some(url) => url,
                None => return,
            },
        };
        if memchr::memchr(b':', url.as_bytes()).is_none() {
            self.find(system, Code::CodingSystem, Severity::Error, "an absolute url").done();
            return;
        }
        let terminology = self.definitions.terminology();
        let met = match self.systems.iter().position(|met| met.raw == system.raw()) {
            Some(met) => met,
            None => {
                if self.systems.len() == MOST_ASKED {
                    self.systems.clear();
                }
                self.systems.push(Met { raw: system.raw(), facts: terminology.facts(&url), value_set: None });
                self.systems.len() - 1
            }
        };
        let met = &mut self.systems[met];
        let facts = met.facts;
        let outcome = coding.as_ref().map(|coding| terminology.judge(&facts, coding));
        let known = matches!(outcome, Some(Outcome::In(_)));
        let wanted = if facts.known.is_some_and(|one| one.content() == Content::Supplement) {
            Some("a code system and no supplement of one")
        } else if !known && *met.value_set.get_or_insert_with(|| terminology.is_value_set(&url)) {
            Some("a code system and no value set")
        } else {
            None
        };
        if let Some(wanted) = wanted {
            self.find(system, Code::CodingSystem, Severity::Error, wanted).done();
            return;
        }
        match outcome {
            Some(Outcome::CodeUnknown) => {
                let place = node.get("code").unwrap_or(node);
                self.find(place, Code::CodeNotInSystem, Severity::Error, "a code of its code system").done();
            }
            Some(Outcome::In(found)) if found.display_wrong => {
                let place = node.get("display").unwrap_or(node);
                let severity = self.options.displays;
                self.find(place, Code::DisplayWrong, severity, "a display that the code system has").done();
            }
            _ => {}
        }
    }
}

/// Whether a value is a Quantity where the profile leaves other types too.
fn open_unit(node: Node<'_>, rule: &Rule) -> bool {
    let quantity = node.type_id().is_some_and(|type_id| type_id.is_a("Quantity"));
    let choice = node.element().is_some_and(|element| element.row().choice);
    quantity && choice && rule.types.len() != 1
}

/// Whether reading the record has said already that a code is not in R4's own required value set.
fn seen_by_structure(node: Node<'_>) -> bool {
    let codes = node
        .element()
        .and_then(|element| element.binding())
        .and_then(|binding| binding.codes.filter(|_| binding.strength == Strength::Required));
    codes.is_some_and(|codes| node.as_str().is_some_and(|text| !codes.set().contains_code(text.as_bytes())))
}
