//! Search parameters of R4, their expressions compiled to paths.

use super::ResourceType;
use super::generated::search::PARAMETERS;

/// The sort of a search parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SearchKind {
    Token,
    Reference,
    Date,
    String,
    Uri,
    Quantity,
    Number,
    Composite,
    Special,
}

/// One search parameter of one resource type.
#[derive(Debug)]
pub struct SearchParameter {
    /// A number stable within a store format: the place of its code among all codes of R4.
    pub number: u16,
    /// Its code, as in `?code=`.
    pub code: &'static str,
    /// Its sort.
    pub kind: SearchKind,
    /// Where its values are; empty where the expression is not compiled.
    pub paths: &'static [PathProgram],
}

/// A compiled path: steps from the resource down.
#[derive(Debug)]
pub struct PathProgram {
    /// The steps.
    pub steps: &'static [Step],
}

/// One step down.
#[derive(Debug)]
pub struct Step {
    /// The element's name; a choice without its type (`value`).
    pub name: &'static str,
    /// Only values of this type.
    pub as_type: Option<&'static str>,
    /// Only values for which this holds.
    pub where_: Option<Where>,
}

/// A filter.
#[derive(Debug)]
pub enum Where {
    /// The reference points to this type.
    ResolvesTo(&'static str),
    /// The child of this name has this code.
    Equals(&'static str, &'static str),
}

/// The search parameters of a resource type, those of every resource included.
pub fn search_parameters(kind: ResourceType) -> &'static [SearchParameter] {
    PARAMETERS[usize::from(kind.number())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(kind: &str, code: &str) -> &'static SearchParameter {
        let kind = ResourceType::from_name(kind).expect("part of R4");
        search_parameters(kind).iter().find(|row| row.code == code).expect("a parameter of R4")
    }

    #[test]
    fn expressions_are_compiled() {
        let patient = parameter("Observation", "patient");
        assert_eq!(patient.kind, SearchKind::Reference);
        assert_eq!(patient.paths[0].steps[0].name, "subject");
        assert!(matches!(patient.paths[0].steps[0].where_, Some(Where::ResolvesTo("Patient"))));
        let phone = parameter("Patient", "phone");
        assert!(matches!(phone.paths[0].steps[0].where_, Some(Where::Equals("system", "phone"))));
        assert_eq!(parameter("Patient", "family").paths[0].steps.len(), 2);
        assert_eq!(parameter("Observation", "value-quantity").paths[0].steps[0].as_type, Some("Quantity"));
        assert!(!parameter("Observation", "code").paths.is_empty());
        assert!(!parameter("Condition", "_lastUpdated").paths.is_empty());
    }

    #[test]
    fn the_patient_of_a_record_is_found_by_the_compartment() {
        let kind = ResourceType::from_name("Immunization").expect("part of R4");
        assert!(kind.patient_paths().iter().any(|path| path.steps[0].name == "patient"));
        let kind = ResourceType::from_name("Organization").expect("part of R4");
        assert!(kind.patient_paths().is_empty());
    }
}
