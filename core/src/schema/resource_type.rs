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
    /// The type of that name. Names are case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        RESOURCE_TYPES.binary_search_by(|row| row.0.cmp(name)).ok().map(|at| ResourceType(at as u8))
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
        assert_eq!(ResourceType::from_name("Patients"), None);
        assert_eq!(ResourceType::from_number(200), None);
    }
}
