//! Sessions: the only way to what is in a store.

use crate::error::{Issue, kind, raise, run};
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{self, SearchOptions, VerifyLevel, Write};
use ehrcore::error::{Code, Error};
use ehrcore::exchange::{ImportOptions, ImportSummary, Progress};
use ehrcore::record::Compartment;
use ehrcore::schema::ResourceType;
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

/// Source, entry, offset, fate, reason, type, id, version, whether the id was given by the import.
type LedgerLine = (u32, u32, u64, &'static str, Option<&'static str>, Option<&'static str>, String, u32, bool);
type QuarantineLine<'py> = (u64, u32, u32, Vec<Issue>, Bound<'py, PyBytes>);
/// Actor, time, change set, source and entry, name of the source.
type OriginLine = (String, i64, u64, Option<(u32, u32)>, Option<String>);
/// The record and the version it must have, or the type and id to delete.
type WriteLine = (Option<Vec<u8>>, Option<u32>, Option<(String, String)>);

/// Tells a Python callable how far an import is.
struct Watch {
    progress: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Progress for Watch {
    fn step(&mut self, done: u64, of: u64, _: &ImportSummary) -> bool {
        let Some(progress) = &self.progress else { return true };
        match Python::attach(|py| progress.call1(py, (done, of)).map(drop)) {
            Ok(()) => true,
            Err(raised) => {
                self.raised = Some(raised);
                false
            }
        }
    }
}

pub(crate) fn records(all: Vec<Stored>) -> Vec<Record> {
    all.into_iter().map(Record).collect()
}

/// One actor, one purpose.
#[pyclass(frozen, module = "ehrcore._native")]
pub(crate) struct Session(pub(crate) std::sync::Mutex<Option<Arc<ehr::Session>>>);

impl Drop for Session {
    /// A session that nobody closed writes its events when it goes. An import on another thread may have the turn to write and wait for
    /// the interpreter to tell how far it is: so not while holding it.
    fn drop(&mut self) {
        let held = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(held) = held {
            Python::attach(|py| py.detach(move || drop(held)));
        }
    }
}

impl Session {
    pub(crate) fn with<T: Send>(
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
    /// `progress(done, of)` is called after each group of entries; what it raises ends the import and is raised again. It may read
    /// the store; what would write raises an error with the code `turn-held`.
    #[pyo3(signature = (path, progress=None))]
    fn import_path<'py>(
        &self,
        py: Python<'py>,
        path: PathBuf,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut watch = Watch { progress, raised: None };
        let done = self.with(py, |session| session.import(&path, &ImportOptions::default(), &mut watch));
        if let Some(raised) = watch.raised {
            return Err(raised);
        }
        let done = done?;
        let report = PyDict::new(py);
        for (name, value) in [
            ("sources", done.sources),
            ("entries", done.entries),
            ("stored", done.stored),
            ("unchanged", done.unchanged),
            ("quarantined", done.quarantined),
            ("refused", done.refused),
            ("resumed", done.resumed),
        ] {
            report.set_item(name, value)?;
        }
        Ok(report)
    }
    /// One tuple for each line of the import ledger.
    fn ledger(&self, py: Python<'_>) -> PyResult<Vec<LedgerLine>> {
        self.with(py, |session| {
            let mut lines = Vec::new();
            session.ledger(|line| {
                lines.push((
                    line.source,
                    line.entry,
                    line.offset,
                    line.fate.name(),
                    line.reason.map(Code::name),
                    line.kind.map(ResourceType::name),
                    line.id.clone(),
                    line.version,
                    line.id_assigned,
                ));
            })?;
            Ok(lines)
        })
    }
    /// Number, source, entry, findings and bytes of each entry in quarantine.
    fn quarantine<'py>(&self, py: Python<'py>) -> PyResult<Vec<QuarantineLine<'py>>> {
        let kept = self.with(py, ehr::Session::quarantine)?;
        Ok(kept
            .into_iter()
            .map(|kept| {
                let issues = kept.issues.into_iter().map(Issue).collect();
                (kept.number, kept.source, kept.entry, issues, PyBytes::new(py, kept.bytes.expose()))
            })
            .collect())
    }
    #[pyo3(signature = (number, mended=None))]
    fn release(&self, py: Python<'_>, number: u64, mended: Option<&[u8]>) -> PyResult<(&'static str, String)> {
        self.with(py, |session| session.release(number, mended)).map(|(kind, id)| (kind.name(), id))
    }
    /// Who wrote a version, when, from which entry of which source.
    fn provenance(&self, py: Python<'_>, kind_name: &str, id: &str, version: u32) -> PyResult<OriginLine> {
        let kind = kind(py, kind_name)?;
        let origin = self.with(py, |session| session.provenance(kind, id, version))?;
        Ok((origin.actor, origin.at.0, origin.commit, origin.source, origin.source_name))
    }
    /// Writes and deletions as one change set.
    fn change_set(&self, py: Python<'_>, writes: Vec<WriteLine>) -> PyResult<Vec<(&'static str, String, u32, bool)>> {
        let mut all = Vec::with_capacity(writes.len());
        for write in writes {
            all.push(match write {
                (Some(bytes), None, _) => Write::Put(bytes),
                (Some(bytes), Some(version), _) => Write::PutIfMatch(bytes, version),
                (None, _, Some((kind_name, id))) => Write::Delete(kind(py, &kind_name)?, id),
                _ => return Err(raise(py, &Code::InvalidArgument.error().expected("a record or what to delete"))),
            });
        }
        let done = self.with(py, |session| session.change_set(all))?;
        Ok(done.into_iter().map(|done| (done.kind.name(), done.id, done.version, done.changed)).collect())
    }
    /// A dict for each audit event from number `from` on.
    fn audit<'py>(&self, py: Python<'py>, from: u64, count: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let events = self.with(py, |session| session.audit(from, count))?;
        let role = |number| Role::ALL.iter().find(|role| **role as u8 == number).map(|role| role.name());
        let purpose = |number| Purpose::ALL.iter().find(|purpose| **purpose as u8 == number).map(|why| why.name());
        events
            .into_iter()
            .map(|(sequence, event)| {
                let line = PyDict::new(py);
                line.set_item("sequence", sequence)?;
                line.set_item("micros", event.at.0)?;
                line.set_item("event", event.kind.name())?;
                line.set_item("outcome", event.failure().map_or("ok", Code::name))?;
                line.set_item("actor", &event.actor)?;
                line.set_item("role", role(event.role))?;
                line.set_item("purpose", purpose(event.purpose))?;
                line.set_item("kind", event.resource.map(ResourceType::name))?;
                line.set_item("id", &event.id)?;
                line.set_item("version", event.version)?;
                line.set_item("count", event.count)?;
                line.set_item("session", event.session)?;
                line.set_item("patient", event.patient)?;
                line.set_item("break_glass", event.break_glass)?;
                line.set_item("on_behalf_of", &event.on_behalf_of)?;
                line.set_item("client", &event.app)?;
                line.set_item("device", &event.device)?;
                line.set_item("recipient", &event.recipient)?;
                line.set_item("reason", &event.reason)?;
                line.set_item("query", &event.query)?;
                line.set_item("patients", &event.patients)?;
                line.set_item("change_set", event.commit)?;
                line.set_item("policy", event.policy)?;
                line.set_item("rule", event.rule)?;
                line.set_item("labels", &event.labels)?;
                line.set_item("compartment", Compartment::from_number(event.compartment).map(Compartment::name))?;
                Ok(line)
            })
            .collect()
    }
    /// Events, records, patients, matched, unmatched.
    fn verify(&self, py: Python<'_>) -> PyResult<(u64, u64, u64, u64, u64)> {
        let report = self.with(py, |session| session.verify(VerifyLevel::Records, None))?;
        Ok((report.events, report.records, report.patients, report.matched, report.unmatched))
    }
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match held.map(Arc::into_inner) {
            Some(Some(session)) => run(py, move || session.close()),
            _ => Ok(()),
        }
    }
}
