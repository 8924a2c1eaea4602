//! `ehrcore._native`: the Rust side of the wheel. Thin: every class holds one object of the Rust API.

use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{self, Actor, Options, SearchOptions, VerifyLevel};
use ehrcore::error::{Code, Error};
use ehrcore::exchange::ImportOptions;
use ehrcore::keys::{KeySource, Passphrase, RawKey};
use ehrcore::limits::Limits;
use ehrcore::report;
use ehrcore::schema::ResourceType;
use ehrcore::store::{Cursor, Stored};
use ehrcore::time::Timestamp;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

pyo3::create_exception!(ehrcore, EhrError, PyException, "An error of ehrcore; see code, path and issues.");
pyo3::create_exception!(
    ehrcore,
    NotFound,
    EhrError,
    "There is nothing here under that name, or it is not for this session."
);
pyo3::create_exception!(ehrcore, Denied, EhrError, "The session may not do this.");
pyo3::create_exception!(
    ehrcore,
    InvalidRecord,
    EhrError,
    "The record does not conform; nothing was written. See issues."
);
pyo3::create_exception!(ehrcore, Conflict, EhrError, "The record changed since the version named.");
pyo3::create_exception!(ehrcore, WrongKey, EhrError, "The key does not open this.");
pyo3::create_exception!(ehrcore, Locked, EhrError, "Another process has this store open.");

/// Runs work of the library without the interpreter lock; turns errors and panics into exceptions.
fn run<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Code::Panic.error())));
    done.map_err(|error| raise(py, &error))
}

fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let text = error.to_string();
    let made = match error.code() {
        Code::NotFound => NotFound::new_err(text),
        Code::Denied => Denied::new_err(text),
        Code::Conflict => Conflict::new_err(text),
        Code::WrongKey => WrongKey::new_err(text),
        Code::Locked => Locked::new_err(text),
        code if code == Code::RecordInvalid || (100..300).contains(&code.number()) => InvalidRecord::new_err(text),
        _ => EhrError::new_err(text),
    };
    let issues: Vec<Issue> = error.issues().iter().cloned().map(Issue).collect();
    let value = made.value(py);
    let set = value
        .setattr("code", error.code().name())
        .and_then(|()| value.setattr("path", error.location().path.clone()))
        .and_then(|()| value.setattr("line", error.location().line))
        .and_then(|()| value.setattr("issues", pyo3::types::PyTuple::new(py, issues)?));
    set.err().unwrap_or(made)
}

fn kind(py: Python<'_>, name: &str) -> PyResult<ResourceType> {
    let error = || Code::InvalidArgument.error().expected("an R4 resource type");
    ResourceType::from_name(name).ok_or_else(|| raise(py, &error()))
}

/// One finding: severity, code, path, line, column, message.
#[pyclass(frozen, module = "ehrcore")]
struct Issue(report::Issue);

#[pymethods]
impl Issue {
    #[getter]
    fn severity(&self) -> &'static str {
        self.0.severity.name()
    }
    #[getter]
    fn code(&self) -> &'static str {
        self.0.code.name()
    }
    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }
    #[getter]
    fn line(&self) -> u32 {
        self.0.line
    }
    #[getter]
    fn column(&self) -> u32 {
        self.0.column
    }
    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }
    fn __repr__(&self) -> String {
        format!("Issue({}, {}, {})", self.0.severity.name(), self.0.code.name(), self.0.path)
    }
}

/// One version of one record.
#[pyclass(frozen, module = "ehrcore")]
struct Record(Stored);

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

fn records(all: Vec<Stored>) -> Vec<Record> {
    all.into_iter().map(Record).collect()
}

/// An open store.
#[pyclass(frozen, module = "ehrcore._native")]
struct Store(std::sync::Mutex<Option<ehr::Ehr>>);

fn source(passphrase: Option<&str>, key: Option<&[u8]>) -> Result<Box<dyn KeySource>, Error> {
    match (passphrase, key) {
        (Some(passphrase), None) => Ok(Box::new(Passphrase::new(passphrase))),
        (None, Some(key)) => {
            let key = key.try_into().map_err(|_| Code::InvalidArgument.error().expected("a key of 32 bytes"))?;
            Ok(Box::new(RawKey::new(key)))
        }
        _ => Err(Code::InvalidArgument.error().expected("a passphrase or a key")),
    }
}

#[pyfunction]
#[pyo3(signature = (path, create, passphrase=None, key=None))]
fn open_store(
    py: Python<'_>,
    path: PathBuf,
    create: bool,
    passphrase: Option<&str>,
    key: Option<&[u8]>,
) -> PyResult<Store> {
    let source = source(passphrase, key).map_err(|error| raise(py, &error))?;
    let ehr = run(py, move || {
        let options = Options::default();
        if create { ehr::Ehr::create(path, &*source, options) } else { ehr::Ehr::open(path, &*source, options) }
    })?;
    Ok(Store(std::sync::Mutex::new(Some(ehr))))
}

impl Store {
    fn ehr(&self, py: Python<'_>) -> PyResult<ehr::Ehr> {
        let held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.clone().ok_or_else(|| raise(py, &Code::HandleClosed.error()))
    }
}

#[pymethods]
impl Store {
    fn session(
        &self,
        py: Python<'_>,
        actor: String,
        role: &str,
        purpose: &str,
        patient: Option<String>,
    ) -> PyResult<Session> {
        let unknown = |what| raise(py, &Code::InvalidArgument.error().expected(what));
        let role = Role::from_name(role).ok_or_else(|| unknown("a role"))?;
        let purpose = Purpose::from_name(purpose).ok_or_else(|| unknown("a purpose of use"))?;
        let ehr = self.ehr(py)?;
        let session = run(py, move || ehr.session(Actor { id: actor, role, patient }, purpose))?;
        Ok(Session(std::sync::Mutex::new(Some(Arc::new(session)))))
    }
    #[getter]
    fn store_id(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.ehr(py)?.store_id())
    }
    fn close(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}

/// One actor, one purpose.
#[pyclass(frozen, module = "ehrcore._native")]
struct Session(std::sync::Mutex<Option<Arc<ehr::Session>>>);

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

/// Checks the structure of one FHIR R4 resource; gives every finding.
#[pyfunction]
fn validate_bytes(py: Python<'_>, resource: &[u8]) -> PyResult<Vec<Issue>> {
    let parsed = run(py, || ehrcore::json::read(resource, &Limits::DEFAULT))?;
    Ok(parsed.report.into_issues().into_iter().map(Issue).collect())
}

/// Runs the command `ehr`; gives its exit code.
#[pyfunction]
fn command(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| ehrcore_cli::run(arguments.into_iter().map(Into::into)))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("EhrError", py.get_type::<EhrError>())?;
    module.add("NotFound", py.get_type::<NotFound>())?;
    module.add("Denied", py.get_type::<Denied>())?;
    module.add("InvalidRecord", py.get_type::<InvalidRecord>())?;
    module.add("Conflict", py.get_type::<Conflict>())?;
    module.add("WrongKey", py.get_type::<WrongKey>())?;
    module.add("Locked", py.get_type::<Locked>())?;
    module.add_class::<Issue>()?;
    module.add_class::<Record>()?;
    module.add_class::<Store>()?;
    module.add_class::<Session>()?;
    module.add_function(wrap_pyfunction!(open_store, module)?)?;
    module.add_function(wrap_pyfunction!(validate_bytes, module)?)?;
    module.add_function(wrap_pyfunction!(command, module)?)
}
