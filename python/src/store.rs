//! Stores and the keys that open them.

use crate::error::{raise, run};
use crate::session::Session;
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{self, Actor, Options};
use ehrcore::error::{Code, Error};
use ehrcore::keys::{KeySource, Passphrase, RawKey};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

/// An open store.
#[pyclass(frozen, module = "ehrcore._native")]
pub(crate) struct Store(std::sync::Mutex<Option<ehr::Ehr>>);

pub(crate) fn source(passphrase: Option<&str>, key: Option<&[u8]>) -> Result<Box<dyn KeySource>, Error> {
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
pub(crate) fn open_store(
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
