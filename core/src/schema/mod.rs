//! What FHIR R4 4.0.1 says about its types, as static tables.
//!
//! The rows are written by `cargo xtask schema` from the official definitions package and hold facts only. Everything here
//! is `static`: nothing is built at first use. JSON, validation and search read the same rows.

mod code_set;
#[rustfmt::skip]
#[allow(missing_docs)]
mod generated {
    pub(super) mod bindings;
    pub(super) mod search;
    pub(super) mod types;
}
mod resource_type;
mod search;

pub use code_set::{CodeSet, CodeSetId};
pub use resource_type::ResourceType;
pub use search::{PathProgram, SearchKind, SearchParameter, Step, Where, search_parameters};

use generated::bindings::INVARIANTS;
use generated::types::{ELEMENTS, KEYS, POOL, SLOTS, TARGETS, TYPE_LISTS, TYPES};

/// A row of the type table: a resource, a data type, a primitive, or a backbone element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub(crate) u16);

/// A row of the element table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementId(pub(crate) u16);

/// The primitive types of R4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Primitive {
    Boolean,
    Integer,
    PositiveInt,
    UnsignedInt,
    Decimal,
    String,
    Markdown,
    Code,
    Id,
    Uri,
    Url,
    Canonical,
    Oid,
    Uuid,
    Base64Binary,
    Date,
    DateTime,
    Instant,
    Time,
    Xhtml,
}

/// What sort of type a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// A JSON string, number or boolean.
    Primitive(Primitive),
    /// A data type with elements.
    Complex,
    /// An element with children of its own, inside another type.
    Backbone,
    /// A resource.
    Resource,
    /// "Any resource": the type of `contained` and of `Bundle.entry.resource`.
    AnyResource,
}

/// One type.
#[derive(Debug)]
pub struct TypeRow {
    name: (u32, u8),
    /// What sort of type this is.
    pub kind: TypeKind,
    base: u16,
    first_element: u16,
    element_count: u8,
    /// Bit i is set where the i-th element has a minimum of at least one.
    pub required: u128,
    first_slot: u32,
    slot_bits: u8,
}

/// One element of one type.
#[derive(Debug)]
pub struct ElementRow {
    name: (u32, u8),
    owner: u16,
    types: (u16, u8),
    targets: (u16, u8),
    /// Least number of values.
    pub min: u8,
    /// Whether more than one value is allowed.
    pub array: bool,
    /// Whether it is a choice (`value[x]`).
    pub choice: bool,
    strength: u8,
    code_set: u16,
}

/// How firm a binding to a value set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// A code from the set and no other.
    Required,
    /// A code from the set where one fits.
    Extensible,
    /// Better from the set.
    Preferred,
    /// For instance.
    Example,
}

/// A binding of an element to a value set.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// How firm it is.
    pub strength: Strength,
    /// The codes, where the binding is required and the set can be enumerated from the package.
    pub codes: Option<CodeSetId>,
}

/// What a JSON property name means in a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The element.
    pub element: ElementId,
    /// The type of the value.
    pub type_id: TypeId,
    /// Which element of the type it is, from 0.
    pub position: u8,
}

/// A formal constraint.
#[derive(Debug)]
pub struct Invariant {
    /// Its key, such as `obs-7`.
    pub key: &'static str,
    /// Whether breaking it is a warning only.
    pub warning: bool,
    /// The FHIRPath expression.
    pub expression: &'static str,
    element: u16,
    of_type: u16,
}

impl Invariant {
    /// The element it is on; None where it is on a type as a whole.
    pub(crate) fn element(&self) -> Option<ElementId> {
        (self.element != NONE).then_some(ElementId(self.element))
    }
    /// The type it is on as a whole, or the one its element is part of.
    pub(crate) fn owner(&self) -> TypeId {
        self.element().map_or(TypeId(self.of_type), ElementId::owner)
    }
}

#[derive(Debug)]
struct KeyRow {
    name: (u32, u8),
    element: u16,
    type_id: u16,
    position: u8,
}

const NONE: u16 = u16::MAX;

fn pooled(name: (u32, u8)) -> &'static str {
    let start = name.0 as usize;
    &POOL[start..start + name.1 as usize]
}

impl TypeId {
    /// The row.
    #[inline]
    pub fn row(self) -> &'static TypeRow {
        &TYPES[self.0 as usize]
    }
    /// The name: `Observation`, `HumanName`, `Patient.contact`.
    pub fn name(self) -> &'static str {
        pooled(self.row().name)
    }
    /// The type it is derived from.
    pub fn base(self) -> Option<TypeId> {
        let base = self.row().base;
        (base != NONE).then_some(TypeId(base))
    }
    /// The elements, inherited ones included, in the order of the definition.
    pub fn elements(self) -> impl ExactSizeIterator<Item = ElementId> + Clone {
        let row = self.row();
        (row.first_element..row.first_element + u16::from(row.element_count)).map(ElementId)
    }
    /// The i-th element.
    pub fn element(self, position: u8) -> ElementId {
        ElementId(self.row().first_element + u16::from(position))
    }
    /// Every type.
    pub fn all() -> impl ExactSizeIterator<Item = TypeId> {
        (0..TYPES.len() as u16).map(TypeId)
    }
}

impl ElementId {
    /// The row.
    #[inline]
    pub fn row(self) -> &'static ElementRow {
        &ELEMENTS[self.0 as usize]
    }
    /// The name without `[x]`.
    pub fn name(self) -> &'static str {
        pooled(self.row().name)
    }
    /// The type it is part of.
    pub fn owner(self) -> TypeId {
        TypeId(self.row().owner)
    }
    /// The types its value may have.
    pub fn types(self) -> impl ExactSizeIterator<Item = TypeId> {
        let (start, count) = self.row().types;
        TYPE_LISTS[start as usize..start as usize + count as usize].iter().map(|id| TypeId(*id))
    }
    /// The resource types a reference may point to; empty means any.
    pub fn targets(self) -> impl ExactSizeIterator<Item = ResourceType> + Clone {
        let (start, count) = self.row().targets;
        TARGETS[start as usize..start as usize + count as usize].iter().map(|n| ResourceType(*n))
    }
    /// Its binding.
    #[inline]
    pub fn binding(self) -> Option<Binding> {
        let row = self.row();
        let strength = match row.strength {
            1 => Strength::Required,
            2 => Strength::Extensible,
            3 => Strength::Preferred,
            4 => Strength::Example,
            _ => return None,
        };
        Some(Binding { strength, codes: (row.code_set != NONE).then_some(CodeSetId(row.code_set)) })
    }
    /// The constraints on this element.
    pub fn invariants(self) -> impl Iterator<Item = &'static Invariant> {
        INVARIANTS.iter().filter(move |row| row.element == self.0)
    }
}

/// The type of a name: `Observation`, `HumanName`, `Patient.contact`, `string`.
pub fn type_by_name(name: &str) -> Option<TypeId> {
    TypeId::all().find(|id| id.name() == name)
}

/// The constraints on a type as a whole.
pub fn invariants(of: TypeId) -> impl Iterator<Item = &'static Invariant> {
    INVARIANTS.iter().filter(move |row| row.of_type == of.0)
}

/// Every constraint of R4.
pub(crate) fn all_invariants() -> impl Iterator<Item = &'static Invariant> {
    INVARIANTS.iter()
}

/// What the JSON property `name` (without a leading `_`) means in `owner`; `valueQuantity` resolves to `value[x]`.
#[inline]
pub fn key(owner: TypeId, name: &[u8]) -> Option<Key> {
    let row = owner.row();
    let mask = (1_usize << row.slot_bits) - 1;
    let mut at = hash(name) as usize & mask;
    loop {
        let slot = SLOTS[row.first_slot as usize + at];
        if slot == NONE {
            return None;
        }
        let found = &KEYS[slot as usize];
        let start = found.name.0 as usize;
        if same(&POOL.as_bytes()[start..start + found.name.1 as usize], name) {
            return Some(Key {
                element: ElementId(found.element),
                type_id: TypeId(found.type_id),
                position: found.position,
            });
        }
        at = (at + 1) & mask;
    }
}

/// Equality without a call for names of up to 16 bytes, which nearly all are.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && ends(a) == ends(b) && (a.len() <= 16 || a == b)
}

/// The hash of [`key`] and of code sets: first and last eight bytes and the length, mixed. schemagen has the same.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u32 {
    let (head, tail) = ends(name);
    let mixed = (head ^ tail.rotate_left(29) ^ (name.len() as u64) << 57).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 32) ^ (mixed >> 17)) as u32
}

/// First and last eight bytes; a shorter name is one number in big-endian order, and 0.
#[inline]
fn ends(name: &[u8]) -> (u64, u64) {
    if let (Some(head), Some(tail)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        return (u64::from_le_bytes(*head), u64::from_le_bytes(*tail));
    }
    if let (Some(head), Some(tail)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let rest = 8 * (name.len() as u32 - 4);
        let (head, tail) = (u64::from(u32::from_be_bytes(*head)), u64::from(u32::from_be_bytes(*tail)));
        return (head << rest | tail & ((1 << rest) - 1), 0);
    }
    (name.iter().fold(0, |head, byte| head << 8 | u64::from(*byte)), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(owner: &str, name: &str) -> Option<Key> {
        key(type_by_name(owner).expect("a type of R4"), name.as_bytes())
    }

    #[test]
    fn a_choice_resolves_to_its_element_and_type() {
        let value = named("Observation", "valueQuantity").expect("value[x] may be a Quantity");
        assert_eq!((value.element.name(), value.type_id.name()), ("value", "Quantity"));
        assert!(value.element.row().choice);
        assert_eq!(value.element.types().len(), 11);
        assert_eq!(named("Observation", "valueAddress"), None);
        assert_eq!(named("Observation", "value"), None);
    }

    #[test]
    fn backbone_elements_and_content_references_have_types_of_their_own() {
        assert_eq!(named("Patient.contact", "name").expect("part of R4").type_id.name(), "HumanName");
        assert_eq!(named("Questionnaire.item", "item").expect("part of R4").type_id.name(), "Questionnaire.item");
    }

    #[test]
    fn cardinality_and_targets_are_those_of_the_definition() {
        let status = named("Observation", "status").expect("part of R4");
        assert_eq!((status.element.row().min, status.element.row().array), (1, false));
        let subject = named("Observation", "subject").expect("part of R4").element;
        let targets: Vec<&str> = subject.targets().map(ResourceType::name).collect();
        assert_eq!(targets, ["Patient", "Group", "Device", "Location"]);
        assert_ne!(type_by_name("Observation").expect("part of R4").row().required, 0);
    }

    #[test]
    fn every_key_is_found_where_it_belongs_and_nothing_else_is() {
        let mut keys = 0;
        for owner in TypeId::all() {
            for element in owner.elements() {
                if !element.row().choice {
                    assert_eq!(key(owner, element.name().as_bytes()).map(|k| k.element), Some(element));
                    keys += 1;
                }
            }
        }
        assert!(keys > 5_000, "{keys}");
        let patient = type_by_name("Patient").expect("part of R4");
        for n in 0..10_000 {
            assert_eq!(key(patient, format!("x{n}").as_bytes()), None);
        }
        assert_eq!(key(patient, b""), None);
    }

    #[test]
    fn a_required_binding_knows_its_codes() {
        let gender = named("Patient", "gender").expect("part of R4").element.binding().expect("it is bound");
        assert_eq!(gender.strength, Strength::Required);
        let codes = gender.codes.expect("it can be enumerated").set();
        assert!(codes.contains_code(b"female"));
        assert!(!codes.contains_code(b"F"));
        let status = named("Condition", "clinicalStatus").expect("part of R4").element.binding().expect("it is bound");
        let codes = status.codes.expect("it can be enumerated").set();
        assert!(codes.contains(b"http://terminology.hl7.org/CodeSystem/condition-clinical", b"active"));
        assert!(!codes.contains(b"http://example.org", b"active"));
    }

    #[test]
    fn invariants_carry_their_key_and_expression() {
        let observation = type_by_name("Observation").expect("part of R4");
        assert!(invariants(observation).any(|row| row.key == "obs-7" && row.expression.contains("component")));
    }
}
