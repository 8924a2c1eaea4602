//! The resource types of R4.

use super::generated::search::{COMPARTMENT, RESOURCE_TYPES};
use super::{PathProgram, TypeId};
use std::fmt;

/// One of the resource types of R4, numbered in alphabetical order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(pub(crate) u8);

impl ResourceType {
    /// `Patient`.
    pub const PATIENT: ResourceType = ResourceType(102);
    /// `CodeSystem`.
    pub const CODE_SYSTEM: ResourceType = ResourceType(21);
    /// `ConceptMap`.
    pub const CONCEPT_MAP: ResourceType = ResourceType(26);
    /// `StructureDefinition`.
    pub const STRUCTURE_DEFINITION: ResourceType = ResourceType(127);
    /// `ValueSet`.
    pub const VALUE_SET: ResourceType = ResourceType(143);
    /// The type of that name. Names are case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut at = slot(name.as_bytes());
        loop {
            match RESOURCE_TYPES.get(usize::from(SLOTS[at])) {
                None => return None,
                Some(row) if row.0 == name => return Some(ResourceType(SLOTS[at])),
                Some(_) => at = (at + 1) % SLOTS.len(),
            }
        }
    }
    /// The type of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        (usize::from(number) < RESOURCE_TYPES.len()).then_some(ResourceType(number))
    }
    /// The number: the place in the alphabetical list of R4's resource types.
    pub const fn number(self) -> u8 {
        self.0
    }
    /// The name.
    pub fn name(self) -> &'static str {
        RESOURCE_TYPES[usize::from(self.0)].0
    }
    /// The row of its type.
    pub fn type_id(self) -> TypeId {
        TypeId(RESOURCE_TYPES[usize::from(self.0)].1)
    }
    /// Every resource type, in alphabetical order.
    pub fn all() -> impl ExactSizeIterator<Item = ResourceType> {
        (0..RESOURCE_TYPES.len() as u8).map(ResourceType)
    }
    /// Where a record of this type names its patient, by R4's patient compartment.
    pub fn patient_paths(self) -> &'static [PathProgram] {
        COMPARTMENT[usize::from(self.0)]
    }
}

/// Numbers by the hash of the name, open addressing; 255 is an empty slot.
static SLOTS: [u8; 1024] = {
    let mut slots = [u8::MAX; 1024];
    let mut number = 0;
    while number < RESOURCE_TYPES.len() {
        let mut at = slot(RESOURCE_TYPES[number].0.as_bytes());
        while slots[at] != u8::MAX {
            at = (at + 1) % slots.len();
        }
        slots[at] = number as u8;
        number += 1;
    }
    slots
};

/// Where the search for a name starts: from its length and a few of its bytes.
const fn slot(name: &[u8]) -> usize {
    let length = name.len();
    if length < 3 {
        return length;
    }
    let mixed = name[0] as usize * 31 + name[length / 2] as usize * 131 + name[length - 1] as usize * 17;
    (mixed + name[length / 4] as usize * 257 + name[length * 3 / 4] as usize * 71 + length * 611) % 1024
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        assert_eq!(ResourceType::all().len(), 146);
        for kind in ResourceType::all() {
            assert_eq!(ResourceType::from_name(kind.name()), Some(kind));
            assert_eq!(ResourceType::from_number(kind.number()), Some(kind));
            assert_eq!(kind.type_id().name(), kind.name());
        }
        assert_eq!(ResourceType::PATIENT.name(), "Patient");
        assert_eq!(ResourceType::CODE_SYSTEM.name(), "CodeSystem");
        assert_eq!(ResourceType::CONCEPT_MAP.name(), "ConceptMap");
        assert_eq!(ResourceType::STRUCTURE_DEFINITION.name(), "StructureDefinition");
        assert_eq!(ResourceType::VALUE_SET.name(), "ValueSet");
        assert_eq!(ResourceType::from_name("Patients"), None);
        assert_eq!(ResourceType::from_number(200), None);
    }
}
