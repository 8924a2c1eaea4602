//! The audit log beyond its events: reports, exports with proofs, checkpoints, disclosures.

use crate::error::{raise, run};
use crate::session::Session;
use crate::store::Store;
use ehrcore::audit::Ground;
use ehrcore::ehr::{Disclosure, Report};
use ehrcore::error::Code;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// Title, columns, rows, notes.
type Lines = (&'static str, Vec<&'static str>, Vec<Vec<String>>, Vec<String>);

/// A report, and the same as text and as CSV.
#[pyfunction]
pub(crate) fn audit_report(
    py: Python<'_>,
    session: &Session,
    about: &str,
    whom: &str,
) -> PyResult<(Lines, String, String)> {
    let unknown = || raise(py, &Code::InvalidArgument.error().expected("a report that there is"));
    let report = Report::from_name(about, whom).ok_or_else(unknown)?;
    let table = session.with(py, |session| session.audit_report(report))?;
    let (text, csv) = (table.to_text(), table.to_csv());
    Ok(((table.title, table.columns, table.rows, table.notes), text, csv))
}

/// Writes an export; gives how many events it has, and its checkpoint.
#[pyfunction]
pub(crate) fn audit_export(
    py: Python<'_>,
    session: &Session,
    folder: PathBuf,
    start: u64,
    since: Option<&str>,
) -> PyResult<(u64, String)> {
    let done = session.with(py, |session| {
        let since = since.map(|note| session.read_checkpoint(note)).transpose()?;
        session.audit_export(&folder, start, since.as_ref())
    })?;
    Ok((done.events, done.checkpoint))
}

/// One event as an AuditEvent, with its proof.
#[pyfunction]
pub(crate) fn audit_event<'py>(py: Python<'py>, session: &Session, sequence: u64) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, session.with(py, |session| session.audit_event(sequence))?.as_bytes()))
}

/// Records a disclosure.
#[pyfunction]
pub(crate) fn disclose(
    py: Python<'_>,
    session: &Session,
    patient: &str,
    recipient: &str,
    ground: &str,
    content: &str,
    purpose: &str,
) -> PyResult<()> {
    let unknown = || raise(py, &Code::InvalidArgument.error().expected("a ground of disclosure"));
    let ground = Ground::from_name(ground).ok_or_else(unknown)?;
    session.with(py, |session| session.disclose(&Disclosure { patient, recipient, ground, content, purpose }))
}

/// The signed head of the log, and the public key that verifies it.
#[pyfunction]
pub(crate) fn audit_checkpoint<'py>(py: Python<'py>, store: &Store) -> PyResult<(Option<String>, Bound<'py, PyBytes>)> {
    let ehr = store.ehr(py)?;
    let key = ehr.audit_public_key();
    Ok((run(py, move || ehr.audit_checkpoint())?, PyBytes::new(py, &key)))
}
