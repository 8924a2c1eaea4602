//! A formal constraint of a profile: a FHIRPath expression, compiled at first use.

use crate::fhirpath::Expression;
use crate::report::Severity;
use std::sync::{Arc, OnceLock};

#[derive(Debug)]
pub(crate) struct Constraint {
    pub(crate) key: Arc<str>,
    pub(crate) severity: Severity,
    expression: Box<str>,
    compiled: OnceLock<Option<Expression>>,
}

impl Constraint {
    pub(crate) fn new(key: &str, severity: Severity, expression: &str) -> Self {
        Constraint { key: key.into(), severity, expression: expression.into(), compiled: OnceLock::new() }
    }
    /// The expression, ready to run; None where it is not FHIRPath.
    pub(crate) fn expression(&self) -> Option<&Expression> {
        self.compiled.get_or_init(|| Expression::compile(&self.expression).ok()).as_ref()
    }
}
