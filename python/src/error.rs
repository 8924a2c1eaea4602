//! Errors and findings as Python meets them, and the one guard around every call.

use ehrcore::error::{Code, Error};
use ehrcore::report;
use ehrcore::schema::ResourceType;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
pub(crate) fn run<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Code::Panic.error())));
    done.map_err(|error| raise(py, &error))
}

pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let text = error.to_string();
    let made = match error.code() {
        Code::NotFound => NotFound::new_err(text),
        Code::Denied => Denied::new_err(text),
        Code::Conflict => Conflict::new_err(text),
        Code::WrongKey => WrongKey::new_err(text),
        Code::Locked => Locked::new_err(text),
        code if (230..250).contains(&code.number()) => EhrError::new_err(text), // an expression, not a record
        code if code == Code::RecordInvalid || (100..300).contains(&code.number()) => InvalidRecord::new_err(text),
        _ => EhrError::new_err(text),
    };
    let issues: Vec<Issue> = error.issues().iter().cloned().map(Issue).collect();
    let value = made.value(py);
    let set = value
        .setattr("code", error.code().name())
        .and_then(|()| value.setattr("whom_to_ask", error.whom_to_ask()))
        .and_then(|()| value.setattr("path", error.location().path.clone()))
        .and_then(|()| value.setattr("line", error.location().line))
        .and_then(|()| value.setattr("column", error.location().column))
        .and_then(|()| value.setattr("issues", pyo3::types::PyTuple::new(py, issues)?));
    set.err().unwrap_or(made)
}

pub(crate) fn kind(py: Python<'_>, name: &str) -> PyResult<ResourceType> {
    let error = || Code::InvalidArgument.error().expected("an R4 resource type");
    ResourceType::from_name(name).ok_or_else(|| raise(py, &error()))
}

type Explained = (&'static str, u16, &'static str, &'static str, Option<(String, Vec<u8>, Vec<u8>)>);

/// What a code means and how to mend it: code, number, sentence, mend, and of an example its setting, the wrong text, the right one.
#[pyfunction]
pub(crate) fn explain_code(py: Python<'_>, code: &str) -> PyResult<Explained> {
    let unknown = || raise(py, &Code::InvalidArgument.error().expected("the name or number of a code"));
    let code = Code::from_name(code).ok_or_else(unknown)?;
    let explanation = code.explanation();
    let example = explanation.example.map(|one| (one.setting.words(), one.bad.to_vec(), one.good.to_vec()));
    Ok((code.name(), code.number(), code.sentence(), explanation.mend, example))
}

/// One finding: severity, code, path, line, column, message.
#[pyclass(frozen, module = "ehrcore")]
pub(crate) struct Issue(pub(crate) report::Issue);

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
    /// The canonical URL of the profile it comes from; None where it comes from R4 itself.
    #[getter]
    fn profile(&self) -> Option<&str> {
        self.0.profile.as_deref()
    }
    /// The rule it comes from: the key of an invariant, the name of a slice, the URL of a value set.
    #[getter]
    fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }
    fn __repr__(&self) -> String {
        format!("Issue({}, {}, {})", self.0.severity.name(), self.0.code.name(), self.0.path)
    }
}
