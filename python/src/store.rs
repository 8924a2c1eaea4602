//! Stores and the keys that open them.

use crate::error::{WrongKey, raise, run};
use crate::keys::Key;
use crate::session::Session;
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{self, Actor, Options};
use ehrcore::error::{Code, Error};
use ehrcore::id::Random;
use ehrcore::keys::KeySource;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// An open store.
#[pyclass(frozen, module = "ehrcore._native")]
pub(crate) struct Store(pub(crate) std::sync::Mutex<Option<ehr::Ehr>>);

/// The host's key management in Python: an object with `name`, `wrap(context, root)` and `unwrap(context, wrapped)`.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) held: Py<PyAny>,
}

impl Host {
    /// Calls a method that takes and gives bytes. `ehrcore.WrongKey` says that the source refuses, and is `wrong-key`; whatever else it
    /// raises is `key-unavailable`. The text is left out: it may tell of keys.
    fn call(&self, method: &str, context: &[u8], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        Python::attach(|py| {
            let arguments = (PyBytes::new(py, context), PyBytes::new(py, bytes));
            let made = self.held.bind(py).call_method1(method, arguments);
            let made = made.and_then(|made| Ok(Zeroizing::new(made.extract::<Vec<u8>>()?)));
            made.map_err(|raised| match raised.is_instance_of::<WrongKey>(py) {
                true => Code::WrongKey.error(),
                false => Code::KeyUnavailable.error(),
            })
        })
    }
}

impl KeySource for Host {
    fn name(&self) -> &str {
        &self.name
    }
    fn wrap(&self, context: &[u8], root: &[u8; 32], _: &dyn Random) -> Result<Vec<u8>, Error> {
        self.call("wrap", context, root).map(|wrapped| wrapped.to_vec())
    }
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let root = self.call("unwrap", context, wrapped)?;
        let root = root.as_slice().try_into().map_err(|_| Code::WrongKey.error().expected("a root of 32 bytes"))?;
        Ok(Zeroizing::new(root))
    }
}

#[pyfunction]
pub(crate) fn open_store(py: Python<'_>, path: PathBuf, create: bool, key: &Key) -> PyResult<Store> {
    let source = key.0.clone();
    let ehr = run(py, move || {
        let options = Options::default();
        if create { ehr::Ehr::create(path, &*source, options) } else { ehr::Ehr::open(path, &*source, options) }
    })?;
    Ok(Store(std::sync::Mutex::new(Some(ehr))))
}

/// What is said of an actor beside id and role: patient, reference, organization, device, client, on behalf of whom, until when,
/// whether a second factor was checked, clearance.
pub(crate) type Said = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    bool,
    Vec<String>,
);

pub(crate) fn said_of(py: Python<'_>, id: &str, role: &str, said: Said) -> PyResult<Actor> {
    let role = Role::from_name(role).ok_or_else(|| raise(py, &Code::InvalidArgument.error().expected("a role")))?;
    let (patient, reference, organization, device, client, on_behalf_of, until, mfa, clearance) = said;
    let mut actor = Actor::new(id, role).with_mfa(mfa);
    (actor.patient, actor.reference, actor.organization) = (patient, reference, organization);
    (actor.device, actor.client, actor.on_behalf_of) = (device, client, on_behalf_of);
    (actor.until, actor.clearance) = (until.map(ehrcore::time::Timestamp), clearance);
    Ok(actor)
}

impl Store {
    pub(crate) fn ehr(&self, py: Python<'_>) -> PyResult<ehr::Ehr> {
        let held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.clone().ok_or_else(|| raise(py, &Code::HandleClosed.error()))
    }
}

#[pymethods]
impl Store {
    fn session(&self, py: Python<'_>, actor: String, role: &str, purpose: &str, said: Said) -> PyResult<Session> {
        let unknown = |what| raise(py, &Code::InvalidArgument.error().expected(what));
        let purpose = Purpose::from_name(purpose).ok_or_else(|| unknown("a purpose of use"))?;
        let ehr = self.ehr(py)?;
        let actor = said_of(py, &actor, role, said)?;
        let session = run(py, move || ehr.session(actor, purpose))?;
        Ok(Session(std::sync::Mutex::new(Some(Arc::new(session)))))
    }
    #[getter]
    fn store_id(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.ehr(py)?.store_id())
    }
    fn close(&self, py: Python<'_>) {
        let held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        py.detach(move || drop(held));
    }
}
