//! A formal constraint of a profile: a FHIRPath expression, compiled at first use.

use crate::fhirpath::Expression;
use crate::report::Severity;
use crate::schema::TypeId;
use crate::validate::invariants::Filter;
use std::sync::{Arc, OnceLock};

#[derive(Debug)]
pub(crate) struct Constraint {
    pub(crate) key: Arc<str>,
    pub(crate) severity: Severity,
    expression: Box<str>,
    compiled: OnceLock<Option<Expression>>,
    /// With which elements of the first type it was asked of it surely holds.
    filter: OnceLock<(TypeId, Option<Filter>)>,
}

impl Constraint {
    pub(crate) fn new(key: &str, severity: Severity, expression: &str) -> Self {
        Constraint {
            key: key.into(),
            severity,
            expression: expression.into(),
            compiled: OnceLock::new(),
            filter: OnceLock::new(),
        }
    }
    /// Whether it holds for every value of a type with these elements, by their position.
    pub(crate) fn surely_holds(&self, of: TypeId, present: u128) -> bool {
        let made = || (of, self.expression().and_then(|expression| Filter::new(expression, of)));
        let (known, filter) = self.filter.get_or_init(made);
        *known == of && filter.as_ref().is_some_and(|filter| filter.passes(present))
    }
    /// The expression, ready to run; None where it is not FHIRPath.
    pub(crate) fn expression(&self) -> Option<&Expression> {
        self.compiled.get_or_init(|| Expression::compile(&self.expression).ok()).as_ref()
    }
}
