//! FHIRPath expressions.

use crate::error::run;
use ehrcore::fhirpath::{Element, Scope};
use ehrcore::limits::Limits;
use ehrcore::time::{Clock, SystemClock};
use pyo3::prelude::*;

/// A compiled expression.
#[pyclass(frozen, module = "ehrcore._native")]
pub(crate) struct Expression(ehrcore::fhirpath::Expression);

#[pymethods]
impl Expression {
    #[new]
    fn new(py: Python<'_>, text: &str) -> PyResult<Self> {
        run(py, || ehrcore::fhirpath::Expression::compile(text)).map(Expression)
    }
    /// Type, JSON and path of each item.
    fn evaluate(&self, py: Python<'_>, resource: &[u8]) -> PyResult<Vec<(&'static str, String, Option<String>)>> {
        run(py, || {
            let record = ehrcore::xml::read_either(resource, &Limits::DEFAULT)?.record;
            let found = self.0.evaluate(&Scope::new(record.root()).now(SystemClock.now()))?;
            let shown = found.iter().map(|item| (item.type_name(), item.json(), item.element().map(Element::path)));
            Ok(shown.collect())
        })
    }
}
