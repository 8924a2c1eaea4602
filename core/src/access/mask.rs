//! Elements left out of a record for some roles.
//!
//! A path begins with a type and goes down by element names: `Patient.telecom`, `Observation.component.value`,
//! `Reference.display`. Where the type is a data type, it holds wherever that type stands. With an element goes its companion
//! (`_telecom`). Of every record of a type that a mask is about, the narrative (`text`) is left out too, since it says in words
//! what the elements say, and also where the record has none of the elements: what is left out cannot be told from what was
//! never there.

use super::policy::{Relations, purpose_bit, role_bit};
use super::{Purpose, Role};
use crate::record::{Node, NodeKind, Record, quote};
use crate::schema::{ResourceType, TypeId, TypeKind, type_by_name};
use std::sync::Arc;

/// Elements that some roles do not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mask {
    name: Arc<str>,
    roles: u16,
    purposes: u16,
    relations: Relations,
    without: Relations,
    elements: Vec<Element>,
}

/// A path: the type it begins at, and the names from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    from: TypeId,
    steps: Vec<&'static str>,
}

/// Without these a record could not be told, found or guarded.
const KEPT: [&str; 5] = ["id", "meta", "resourceType", "contained", "implicitRules"];

impl Mask {
    pub(super) fn new(
        name: Arc<str>,
        roles: u16,
        purposes: u16,
        relations: Relations,
        without: Relations,
        elements: Vec<Element>,
    ) -> Mask {
        Mask { name, roles, purposes, relations, without, elements }
    }
    pub(super) fn name(&self) -> &str {
        &self.name
    }
    /// Reads a path; None where R4 has no such element or it cannot be left out.
    pub(super) fn element(path: &str) -> Option<Element> {
        let mut parts = path.split('.');
        let from = type_by_name(parts.next()?)?;
        let (mut owners, mut steps) = (vec![from], Vec::new());
        for part in parts {
            let found = owners.iter().flat_map(|owner| owner.elements()).find(|element| element.name() == part)?;
            steps.push(found.name());
            owners = found.types().collect();
        }
        let resource = matches!(from.row().kind, TypeKind::Resource | TypeKind::AnyResource);
        match steps.as_slice() {
            [] => None,
            [only] if resource && KEPT.contains(only) => None,
            _ => Some(Element { from, steps }),
        }
    }
    pub(super) fn is_for(&self, role: Role, purpose: Purpose) -> bool {
        self.roles & role_bit(role) != 0 && self.purposes & purpose_bit(purpose) != 0
    }
    pub(super) fn holds(&self, relations: Relations) -> bool {
        (self.relations.0 == 0 || relations.meets(self.relations)) && !relations.meets(self.without)
    }
    /// Whether it can be about records of a type: it begins there, or at a data type.
    pub(super) fn is_about(&self, kind: ResourceType) -> bool {
        self.elements.iter().any(|element| {
            element.from == kind.type_id()
                || !matches!(element.from.row().kind, TypeKind::Resource | TypeKind::AnyResource)
        })
    }
    /// Whether it leaves out an element of a type as a whole.
    pub(super) fn hides(&self, kind: ResourceType, element: &str) -> bool {
        let whole = |one: &Element| one.from == kind.type_id() && matches!(one.steps[..], [only] if only == element);
        self.elements.iter().any(whole)
    }
}

/// Writes a record without what the masks leave out.
pub(super) fn masked(record: &Record, masks: &[&Mask]) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.original().len());
    let elements: Vec<&Element> = masks.iter().flat_map(|mask| &mask.elements).collect();
    write(record.root(), &elements, &[], &mut out);
    out
}

/// Writes a value; `active` are paths on the way, with how many steps of each were taken. Says whether anything is left of it.
fn write<'m>(node: Node<'_>, masks: &[&'m Element], active: &[(&'m Element, usize)], out: &mut Vec<u8>) -> bool {
    match node.kind() {
        NodeKind::Object => object(node, masks, active, out),
        NodeKind::Array => {
            let start = out.len();
            out.push(b'[');
            let mut any = false;
            for item in node.items() {
                let before = out.len();
                if any {
                    out.push(b',');
                }
                if write(item, masks, active, out) { any = true } else { out.truncate(before) }
            }
            out.push(b']');
            if !any {
                out.truncate(start);
            }
            any
        }
        NodeKind::String => {
            out.push(b'"');
            out.extend_from_slice(node.raw());
            out.push(b'"');
            true
        }
        NodeKind::Number | NodeKind::Bool | NodeKind::Null => {
            out.extend_from_slice(node.raw());
            true
        }
    }
}

fn object<'m>(node: Node<'_>, masks: &[&'m Element], active: &[(&'m Element, usize)], out: &mut Vec<u8>) -> bool {
    let of = node.type_id();
    let resource = of.is_some_and(|of| matches!(of.row().kind, TypeKind::Resource | TypeKind::AnyResource));
    // A contained resource begins anew: paths of what holds it do not reach into it.
    let mut here: Vec<(&Element, usize)> = if resource { Vec::new() } else { active.to_vec() };
    here.extend(masks.iter().filter(|element| Some(element.from) == of).map(|element| (*element, 0)));
    // A record of a type that is masked comes without words of its own, contained ones included.
    let wordless = resource;
    let start = out.len();
    out.push(b'{');
    let (mut any, mut had) = (false, false);
    for (name, child) in node.entries() {
        had = true;
        let element = child.element().map(|element| element.name());
        let is = |step: &str| element == Some(step);
        if wordless && is("text") || here.iter().any(|(path, at)| path.steps.len() == at + 1 && is(path.steps[*at])) {
            continue;
        }
        let below: Vec<(&Element, usize)> = here
            .iter()
            .filter(|(path, at)| path.steps.len() > at + 1 && is(path.steps[*at]))
            .map(|(path, at)| (*path, at + 1))
            .collect();
        let before = out.len();
        if any {
            out.push(b',');
        }
        quote(&name, out);
        out.push(b':');
        if write(child, masks, &below, out) { any = true } else { out.truncate(before) }
    }
    out.push(b'}');
    if had && !any && start > 0 {
        out.truncate(start);
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(paths: &[&str], json: &str) -> String {
        let elements = paths.iter().map(|path| Mask::element(path).expect("an element of R4")).collect();
        let mask = Mask::new("m".into(), 0, 0, Relations::NONE, Relations::NONE, elements);
        let record = Record::parse(json.as_bytes()).expect("a resource");
        String::from_utf8(masked(&record, &[&mask])).expect("text")
    }

    #[test]
    fn an_element_goes_with_its_companion_its_empty_parents_and_the_narrative() {
        let json = r#"{"resourceType":"Patient","id":"p","text":{"status":"generated","div":"<div>Doe</div>"},
            "name":[{"family":"Doe","_family":{"id":"x"}}, {"text":"D"}],"birthDate":"1970","_birthDate":{"id":"y"}}"#;
        assert_eq!(
            without(&["HumanName.family", "Patient.birthDate"], json),
            r#"{"resourceType":"Patient","id":"p","name":[{"text":"D"}]}"#
        );
        assert_eq!(
            without(&["Patient.name"], json),
            r#"{"resourceType":"Patient","id":"p","birthDate":"1970","_birthDate":{"id":"y"}}"#
        );
    }

    #[test]
    fn a_choice_is_left_out_whatever_its_type_and_a_longer_path_only_there() {
        let json = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50},
            "component":[{"code":{"text":"y"},"valueString":"z"}]}"#;
        assert_eq!(
            without(&["Observation.value"], json),
            r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"component":[{"code":{"text":"y"},"valueString":"z"}]}"#
        );
        assert!(without(&["Observation.component.value"], json).contains("1.50"));
        assert!(!without(&["Observation.component.value"], json).contains("valueString"));
    }

    #[test]
    fn a_path_reaches_contained_records_of_its_type_and_no_others() {
        let json = r##"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"#p","display":"Doe"},
            "contained":[{"resourceType":"Patient","id":"p","telecom":[{"value":"1"}],"contact":[{"telecom":[{"value":"2"}]}]}]}"##;
        let left = without(&["Patient.telecom", "Reference.display"], json);
        assert!(left.contains(r#""contact":[{"telecom":[{"value":"2"}]}]"#) && left.contains(r##""reference":"#p""##));
        assert!(!left.contains("Doe") && !left.contains("\"1\""));
    }

    #[test]
    fn what_names_and_guards_a_record_is_not_left_out() {
        for path in ["Patient", "Patient.id", "Patient.meta", "Patient.shoeSize", "Shoe.size", ""] {
            assert!(Mask::element(path).is_none(), "{path}");
        }
        assert!(Mask::element("Patient.contact.name.family").is_some());
    }
}
