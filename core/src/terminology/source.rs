//! What a host can bring: a terminology server, or a licensed release in a file of its own.

use super::{Coding, Concept, Expansion, Subsumption};

/// Knowledge of code systems and value sets that are not in a package: SNOMED CT, LOINC, RxNorm and the like.
///
/// Packages are asked first. Every method has a default that knows nothing, and what nobody knows is *not checked*, never
/// wrong. A source is called from whatever thread validates; it must answer or give up by itself, for there is no time limit
/// here.
///
/// # Privacy
/// A source is given codes out of records. One that asks over a network tells somebody which codes are in use.
pub trait Source: Send + Sync {
    /// Whether a code is in a value set, or in its code system where `value_set` is None.
    fn validate_code(&self, value_set: Option<&str>, coding: &Coding<'_>) -> Option<Answer> {
        let _ = (value_set, coding);
        None
    }
    /// How code `a` relates to code `b` of one system.
    fn subsumes(&self, system: &str, version: Option<&str>, a: &str, b: &str) -> Option<Subsumption> {
        let _ = (system, version, a, b);
        None
    }
    /// What is known about a code.
    fn lookup(&self, coding: &Coding<'_>) -> Option<Concept> {
        let _ = coding;
        None
    }
    /// The codes of a value set.
    fn expand(&self, value_set: &str) -> Option<Expansion> {
        let _ = value_set;
        None
    }
}

/// What a [`Source`] says about a code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether the code is in.
    pub valid: bool,
    /// The display that the code system prefers, where it is known.
    pub display: Option<String>,
    /// Whether the display given is one the system does not have.
    pub display_wrong: bool,
    /// Whether the code is no longer in use.
    pub inactive: bool,
}
