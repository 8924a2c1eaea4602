//! The life of an entry: calls with named arguments, answers as JSON that the Python side reads.

use crate::session::Session;
use ehrcore::lifecycle;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Makes a call of the lifecycle by name.
#[pyfunction]
pub(crate) fn lifecycle_call<'py>(
    py: Python<'py>,
    session: &Session,
    name: &str,
    arguments: &[u8],
    record: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let answer = session.with(py, |session| lifecycle::call(session, name, arguments, record))?;
    Ok(PyBytes::new(py, &answer))
}
