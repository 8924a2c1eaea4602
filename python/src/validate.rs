//! Validation without a store.

use crate::care::{Cancel, limits};
use crate::error::{Issue, run};
use crate::terminology::PythonSource;
use ehrcore::limits::Limits;
use ehrcore::report::Report;
use ehrcore::time::{Clock, SystemClock};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::Arc;

/// Checks the structure of one FHIR R4 resource, JSON or XML; gives every finding.
#[pyfunction]
pub(crate) fn validate_bytes(py: Python<'_>, resource: &[u8]) -> PyResult<Vec<Issue>> {
    let parsed = run(py, || ehrcore::xml::read_either(resource, &Limits::DEFAULT))?;
    Ok(parsed.report.into_issues().into_iter().map(Issue).collect())
}

/// Packages of definitions, loaded once; records are checked against them.
#[pyclass(frozen, module = "ehrcore._native")]
pub(crate) struct Validator(ehrcore::validate::Validator);

#[pymethods]
impl Validator {
    #[new]
    fn new(
        py: Python<'_>,
        packages: Vec<PathBuf>,
        profiles: Vec<String>,
        source: Option<Py<PyAny>>,
        compiled: Option<PathBuf>,
    ) -> PyResult<Self> {
        run(py, || {
            let mut builder = ehrcore::validate::Validator::builder();
            if let Some(path) = compiled {
                builder = builder.load(path)?;
            }
            if let Some(held) = source {
                builder = builder.source(PythonSource::new(held));
            }
            for path in packages {
                builder = builder.package(path)?;
            }
            profiles.iter().fold(builder, |builder, url| builder.profile(url)).build()
        })
        .map(Validator)
    }
    /// Keeps the validator in a file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        run(py, || self.0.save(path))
    }
    /// Checks one resource; gives every finding.
    fn validate(
        &self,
        py: Python<'_>,
        resource: &[u8],
        seconds: Option<f64>,
        memory: Option<usize>,
        cancel: Option<&Cancel>,
    ) -> PyResult<Vec<Issue>> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let watch = limits(py, seconds, memory, cancel)?.begin(&clock);
        let report = run(py, || self.0.validate_within(resource, &watch))?;
        Ok(report.into_issues().into_iter().map(Issue).collect())
    }
}

/// The JSON form of a FHIR R4 resource in XML, and what was found in it.
#[pyfunction]
pub(crate) fn xml_read<'py>(py: Python<'py>, resource: &[u8]) -> PyResult<(Bound<'py, PyBytes>, Vec<Issue>)> {
    let parsed = run(py, || ehrcore::xml::read(resource, &Limits::DEFAULT))?;
    let json = PyBytes::new(py, parsed.record.original());
    Ok((json, parsed.report.into_issues().into_iter().map(Issue).collect()))
}

/// A FHIR R4 resource, given as JSON, as XML.
#[pyfunction]
pub(crate) fn xml_write<'py>(py: Python<'py>, resource: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let out = run(py, || {
        let mut out = Vec::new();
        ehrcore::xml::write(&ehrcore::json::read(resource, &Limits::DEFAULT)?.record, &mut out)?;
        Ok(out)
    })?;
    Ok(PyBytes::new(py, &out))
}

/// Findings as an OperationOutcome (JSON).
#[pyfunction]
pub(crate) fn operation_outcome<'py>(py: Python<'py>, issues: Vec<PyRef<'py, Issue>>) -> Bound<'py, PyBytes> {
    let mut report = Report::new();
    issues.iter().for_each(|issue| report.push(issue.0.clone()));
    PyBytes::new(py, &ehrcore::validate::operation_outcome(&report))
}
