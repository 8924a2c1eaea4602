//! Searching: what a record offers to be found by, and what a query asks for, by FHIR's search rules (R4, 3.1.1).

mod extract;
mod query;

pub use extract::{Entry, EntryValue, extract, normalize};
pub use query::{Comparison, Condition, Match, Query};

/// Parameters whose values are kept in the index of the whole store, by token; the rest are looked up patient by patient.
/// Values that few people share only: never gender, status or category.
pub(crate) fn is_global(code: &str) -> bool {
    matches!(
        code,
        "identifier"
            | "name"
            | "family"
            | "given"
            | "phonetic"
            | "birthdate"
            | "phone"
            | "email"
            | "telecom"
            | "code"
            | "vaccine-code"
            | "medication"
    )
}
