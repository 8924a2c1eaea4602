//! Validation without a store.

use crate::error::{Issue, run};
use ehrcore::limits::Limits;
use ehrcore::report::Report;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Checks the structure of one FHIR R4 resource; gives every finding.
#[pyfunction]
pub(crate) fn validate_bytes(py: Python<'_>, resource: &[u8]) -> PyResult<Vec<Issue>> {
    let parsed = run(py, || ehrcore::json::read(resource, &Limits::DEFAULT))?;
    Ok(parsed.report.into_issues().into_iter().map(Issue).collect())
}

/// Findings as an OperationOutcome (JSON).
#[pyfunction]
pub(crate) fn operation_outcome<'py>(py: Python<'py>, issues: Vec<PyRef<'py, Issue>>) -> Bound<'py, PyBytes> {
    let mut report = Report::new();
    issues.iter().for_each(|issue| report.push(issue.0.clone()));
    PyBytes::new(py, &ehrcore::validate::operation_outcome(&report))
}
