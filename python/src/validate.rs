//! Validation without a store.

use crate::error::{Issue, run};
use ehrcore::limits::Limits;
use pyo3::prelude::*;

/// Checks the structure of one FHIR R4 resource; gives every finding.
#[pyfunction]
pub(crate) fn validate_bytes(py: Python<'_>, resource: &[u8]) -> PyResult<Vec<Issue>> {
    let parsed = run(py, || ehrcore::json::read(resource, &Limits::DEFAULT))?;
    Ok(parsed.report.into_issues().into_iter().map(Issue).collect())
}
