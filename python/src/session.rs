//! Sessions: the only way to what is in a store.

use crate::error::{kind, raise, run};
use ehrcore::ehr::{self, SearchOptions, VerifyLevel};
use ehrcore::error::{Code, Error};
use ehrcore::exchange::ImportOptions;
use ehrcore::store::{Cursor, Stored};
use ehrcore::time::Timestamp;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::PathBuf;
use std::sync::Arc;

/// One version of one record.
#[pyclass(frozen, module = "ehrcore")]
pub(crate) struct Record(Stored);

#[pymethods]
impl Record {
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind().name()
    }
    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }
    #[getter]
    fn version(&self) -> u32 {
        self.0.version()
    }
    #[getter]
    fn deleted(&self) -> bool {
        self.0.is_deleted()
    }
    #[getter]
    fn actor(&self) -> &str {
        self.0.actor()
    }
    /// Microseconds since 1970 UTC; the Python side makes a datetime of it.
    #[getter]
    fn _micros(&self) -> i64 {
        self.0.at().0
    }
    /// The JSON exactly as it was written.
    #[getter]
    fn original<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.bytes())
    }
    fn __repr__(&self) -> String {
        format!("Record({}, version {})", self.0.kind(), self.0.version())
    }
}

pub(crate) fn records(all: Vec<Stored>) -> Vec<Record> {
    all.into_iter().map(Record).collect()
}

/// One actor, one purpose.
#[pyclass(frozen, module = "ehrcore._native")]
pub(crate) struct Session(pub(crate) std::sync::Mutex<Option<Arc<ehr::Session>>>);

impl Session {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&ehr::Session) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let session = held.ok_or_else(|| raise(py, &Code::HandleClosed.error()))?;
        run(py, move || work(&session))
    }
}

#[pymethods]
impl Session {
    #[pyo3(signature = (kind_name, id, version=None, micros=None))]
    fn read(
        &self,
        py: Python<'_>,
        kind_name: &str,
        id: &str,
        version: Option<u32>,
        micros: Option<i64>,
    ) -> PyResult<Record> {
        let kind = kind(py, kind_name)?;
        self.with(py, |session| match (version, micros) {
            (Some(version), _) => session.read_version(kind, id, version),
            (None, Some(micros)) => session.as_of(kind, id, Timestamp(micros)),
            (None, None) => session.read(kind, id),
        })
        .map(Record)
    }
    fn history(&self, py: Python<'_>, kind_name: &str, id: &str) -> PyResult<Vec<Record>> {
        let kind = kind(py, kind_name)?;
        self.with(py, |session| session.history(kind, id)).map(records)
    }
    #[pyo3(signature = (resource, if_match=None))]
    fn write(&self, py: Python<'_>, resource: &[u8], if_match: Option<u32>) -> PyResult<Record> {
        self.with(py, |session| {
            let written = match if_match {
                Some(version) => session.write_if_match(resource, version)?,
                None => session.write(resource)?,
            };
            session.read(written.kind, &written.id)
        })
        .map(Record)
    }
    fn delete(&self, py: Python<'_>, kind_name: &str, id: &str) -> PyResult<u32> {
        let kind = kind(py, kind_name)?;
        self.with(py, |session| session.delete(kind, id).map(|written| written.version))
    }
    fn search_page(
        &self,
        py: Python<'_>,
        kind_name: &str,
        query: &str,
        from: Option<&str>,
    ) -> PyResult<(Vec<Record>, Option<String>)> {
        let kind = kind(py, kind_name)?;
        let page = self.with(py, |session| {
            let from = from.map(Cursor::from_text).transpose()?;
            session.search(kind, query, SearchOptions { count: 0, from })
        })?;
        Ok((records(page.records), page.next.map(Cursor::to_text)))
    }
    fn count(&self, py: Python<'_>, kind_name: &str, query: &str) -> PyResult<u64> {
        let kind = kind(py, kind_name)?;
        self.with(py, |session| session.count(kind, query)).map(|count| count.0)
    }
    fn chart(&self, py: Python<'_>, patient: &str) -> PyResult<Vec<Record>> {
        self.with(py, |session| session.chart(patient)).map(records)
    }
    fn chart_page(&self, py: Python<'_>, patient: &str) -> PyResult<String> {
        self.with(py, |session| session.chart_page(patient))
    }
    fn export_chart<'py>(&self, py: Python<'py>, patient: &str) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.with(py, |session| session.export_chart(patient))?))
    }
    fn export(&self, py: Python<'_>, folder: PathBuf) -> PyResult<u64> {
        self.with(py, |session| session.export_ndjson(&folder)).map(|summary| summary.total())
    }
    fn import_path<'py>(&self, py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyDict>> {
        let done = self.with(py, |session| session.import(&path, &ImportOptions::default(), &mut ()))?;
        let report = PyDict::new(py);
        for (name, value) in [
            ("sources", done.sources),
            ("entries", done.entries),
            ("stored", done.stored),
            ("unchanged", done.unchanged),
            ("quarantined", done.quarantined),
            ("refused", done.refused),
        ] {
            report.set_item(name, value)?;
        }
        Ok(report)
    }
    fn verify(&self, py: Python<'_>) -> PyResult<(u64, u64, u64)> {
        let report = self.with(py, |session| session.verify(VerifyLevel::Records, None))?;
        Ok((report.events, report.records, report.patients))
    }
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match held.map(Arc::into_inner) {
            Some(Some(session)) => run(py, move || session.close()),
            _ => Ok(()),
        }
    }
}
