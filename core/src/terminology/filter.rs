//! The filters of a value set.

use super::code_system::CodeSystem;
use super::form::Form;
use crate::package::hash::Set;
use crate::record::Node;
use crate::units::Unit;
use regex::bytes::{Regex, RegexBuilder};

/// One filter: `property op value`.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) property: Box<str>,
    pub(super) op: Op,
    pub(super) value: Box<str>,
}

#[derive(Debug)]
pub(super) enum Op {
    Equals,
    IsA,
    DescendentOf,
    ChildOf,
    Leaf,
    IsNotA,
    Generalizes,
    In,
    NotIn,
    Exists,
    Matches(Regex),
}

impl Filter {
    /// Reads a filter; None where it has no meaning.
    pub(super) fn read(node: Node<'_>) -> Option<Filter> {
        let value = node.text("value")?;
        let op = match &*node.text("op")? {
            "=" => Op::Equals,
            "is-a" => Op::IsA,
            "descendent-of" => Op::DescendentOf,
            "child-of" => Op::ChildOf,
            "descendent-leaf" => Op::Leaf,
            "is-not-a" => Op::IsNotA,
            "generalizes" => Op::Generalizes,
            "in" => Op::In,
            "not-in" => Op::NotIn,
            "exists" => Op::Exists,
            "regex" => {
                let whole = format!("^(?:{value})$");
                Op::Matches(RegexBuilder::new(&whole).unicode(false).size_limit(1 << 20).build().ok()?)
            }
            _ => return None,
        };
        Some(Filter { property: node.text("property")?.as_ref().into(), op, value: value.as_ref().into() })
    }

    fn on_code(&self) -> bool {
        matches!(&*self.property, "concept" | "code")
    }

    /// The rows of a system that pass; None where the system does not know the property or the code it starts from.
    pub(super) fn rows(&self, system: &CodeSystem) -> Option<Set<u32>> {
        let all = || 0..system.rows.len() as u32;
        let start = || system.find(&self.value);
        let with = |mut set: Set<u32>, at: u32| {
            set.insert(at);
            set
        };
        let without = |set: Set<u32>| all().filter(|row| !set.contains(row)).collect();
        let known = |property: &str| {
            matches!(property, "concept" | "code" | "display" | "parent" | "child" | "inactive")
                || system.has_property(property)
        };
        Some(match &self.op {
            Op::IsA if self.on_code() => with(system.below(start()?), start()?),
            Op::DescendentOf if self.on_code() => system.below(start()?),
            Op::ChildOf if self.on_code() => system.row(start()?).children.iter().copied().collect(),
            Op::Leaf if self.on_code() => {
                system.below(start()?).into_iter().filter(|row| system.row(*row).children.is_empty()).collect()
            }
            Op::IsNotA if self.on_code() => without(with(system.below(start()?), start()?)),
            Op::Generalizes if self.on_code() => with(system.above(start()?), start()?),
            // FHIR defines these for the property `concept`; on a property whose values are codes they mean its values.
            Op::IsA | Op::DescendentOf | Op::ChildOf | Op::Leaf | Op::IsNotA | Op::Generalizes => return None,
            _ if !known(&self.property) => return None,
            Op::Equals => all().filter(|row| self.any(system, *row, |value| value == &*self.value)).collect(),
            Op::In => all().filter(|row| self.any(system, *row, |value| self.listed(value))).collect(),
            Op::NotIn => all().filter(|row| !self.any(system, *row, |value| self.listed(value))).collect(),
            Op::Exists => {
                let wanted = &*self.value != "false";
                all().filter(|row| self.any(system, *row, |_| true) == wanted).collect()
            }
            Op::Matches(regex) => {
                all().filter(|row| self.any(system, *row, |value| regex.is_match(value.as_bytes()))).collect()
            }
        })
    }

    fn listed(&self, value: &str) -> bool {
        self.value.split(',').any(|listed| listed.trim() == value)
    }

    /// Whether a value of the property passes.
    fn any(&self, system: &CodeSystem, at: u32, passes: impl Fn(&str) -> bool) -> bool {
        let row = system.row(at);
        let code_of = |rows: &[u32]| rows.iter().any(|other| passes(&system.row(*other).code));
        match &*self.property {
            "concept" | "code" => passes(&row.code),
            "display" => row.display.as_deref().is_some_and(passes),
            "parent" => code_of(&row.parents),
            "child" => code_of(&row.children),
            "inactive" => passes(if row.inactive { "true" } else { "false" }),
            name => row.properties.iter().any(|(property, value)| &**property == name && passes(value)),
        }
    }

    /// Whether a code of a rule passes; None where the rule says nothing of the property.
    pub(super) fn judge(&self, form: Form, code: &str) -> Option<bool> {
        if form == Form::Unit && &*self.property == "canonical" {
            let (unit, wanted) = (Unit::parse(code).ok()?, Unit::parse(&self.value).ok()?);
            return match self.op {
                Op::Equals => unit.is_comparable_with(&wanted).ok(),
                _ => None,
            };
        }
        if !self.on_code() {
            return None;
        }
        Some(match &self.op {
            Op::Equals => code == &*self.value,
            Op::In => self.listed(code),
            Op::NotIn => !self.listed(code),
            Op::Matches(regex) => regex.is_match(code.as_bytes()),
            _ => return None,
        })
    }
}
