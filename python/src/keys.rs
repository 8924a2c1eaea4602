//! The keys that open a store, and the calls of a session that add, remove and rotate them.

use crate::error::raise;
use crate::session::Session;
use crate::store::Host;
use ehrcore::error::{Code, Error};
use ehrcore::id::SystemRandom;
use ehrcore::keys::{CachedSource, Deadline, KeySource, Passphrase, RawKey, RecoveryKey, Share, SharedKey};
use ehrcore::time::SystemClock;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// What opens a store. Made with `ehrcore.Key.raw`, `.passphrase`, `.recovery`, `.split`, `.join` and `.host`.
#[pyclass(frozen, module = "ehrcore")]
pub(crate) struct Key(pub(crate) Arc<dyn KeySource>);

fn bytes(py: Python<'_>, key: &[u8]) -> PyResult<[u8; 32]> {
    key.try_into().map_err(|_| raise(py, &Code::InvalidArgument.error().expected("a key of 32 bytes")))
}

fn seconds(py: Python<'_>, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| raise(py, &Code::InvalidArgument.error().expected("a time that is not negative")))
}

#[pymethods]
impl Key {
    /// 32 random bytes that you keep.
    #[staticmethod]
    fn raw(py: Python<'_>, key: &[u8]) -> PyResult<Key> {
        Ok(Key(Arc::new(RawKey::new(bytes(py, key)?))))
    }
    /// A passphrase, stretched with Argon2id.
    #[staticmethod]
    #[pyo3(signature = (text, *, memory_kib=None, passes=None))]
    fn passphrase(py: Python<'_>, text: &str, memory_kib: Option<u32>, passes: Option<u32>) -> PyResult<Key> {
        let made = match (memory_kib, passes) {
            (None, None) => Ok(Passphrase::new(text)),
            (memory, passes) => Passphrase::with_cost(text, memory.unwrap_or(64 * 1024), passes.unwrap_or(3)),
        };
        Ok(Key(Arc::new(made.map_err(|error| raise(py, &error))?)))
    }
    /// The recovery key that was printed.
    #[staticmethod]
    fn recovery(py: Python<'_>, text: &str) -> PyResult<Key> {
        Ok(Key(Arc::new(RecoveryKey::parse(text).map_err(|error| raise(py, &error))?)))
    }
    /// A new recovery key and the text to print.
    #[staticmethod]
    fn new_recovery(py: Python<'_>) -> PyResult<(Key, String)> {
        let key = RecoveryKey::new(&SystemRandom::default()).map_err(|error| raise(py, &error))?;
        let text = key.text().to_owned();
        Ok((Key(Arc::new(key)), text))
    }
    /// A new key and the texts of its shares, any `needed` of which give it again.
    #[staticmethod]
    fn split(py: Python<'_>, needed: u8, of: u8) -> PyResult<(Key, Vec<String>)> {
        let made = SharedKey::split(needed, of, &SystemRandom::default());
        let (key, shares) = made.map_err(|error| raise(py, &error))?;
        Ok((Key(Arc::new(key)), shares.iter().map(|share| share.text().to_string()).collect()))
    }
    /// The key of shares that were printed.
    #[staticmethod]
    fn join(py: Python<'_>, shares: Vec<String>) -> PyResult<Key> {
        let shares: Vec<Zeroizing<String>> = shares.into_iter().map(Zeroizing::new).collect();
        let parsed = shares.iter().map(|text| Share::parse(text)).collect::<Result<Vec<_>, Error>>();
        let key = parsed.and_then(|shares| SharedKey::join(&shares)).map_err(|error| raise(py, &error))?;
        Ok(Key(Arc::new(key)))
    }
    /// Your key management: see KeySource.
    #[staticmethod]
    fn host(py: Python<'_>, source: Py<PyAny>) -> PyResult<Key> {
        let name = source.getattr(py, "name")?.extract(py)?;
        Ok(Key(Arc::new(Host { name, held: source })))
    }
    /// This key, waited for at most so many seconds each time.
    #[pyo3(name = "deadline")]
    fn with_deadline(&self, py: Python<'_>, limit: f64) -> PyResult<Key> {
        Ok(Key(Arc::new(Deadline::new(self.0.clone(), seconds(py, limit)?))))
    }
    /// This key, with its last answer kept in a file for so many seconds, sealed under 32 bytes that the device keeps.
    fn cached(&self, py: Python<'_>, file: PathBuf, device: &[u8], lifetime: f64) -> PyResult<Key> {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
        let (device, lifetime) = (bytes(py, device)?, seconds(py, lifetime)?);
        Ok(Key(Arc::new(CachedSource::new(self.0.clone(), device, file, lifetime, clock, random))))
    }
    /// The name of the way to open a store that this is.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }
    fn __repr__(&self) -> String {
        format!("<ehrcore.Key: {}>", self.0.describe())
    }
}

#[pyfunction]
pub(crate) fn key_status(py: Python<'_>, session: &Session) -> PyResult<(Vec<String>, u32, u32)> {
    let status = session.with(py, |session| session.key_status())?;
    Ok((status.names, status.root_epoch, status.revision))
}

#[pyfunction]
pub(crate) fn put_key(py: Python<'_>, session: &Session, current: &Key, added: &Key) -> PyResult<()> {
    session.with(py, |session| session.put_key(&*current.0, &*added.0))
}

#[pyfunction]
pub(crate) fn remove_key(py: Python<'_>, session: &Session, current: &Key, name: &str) -> PyResult<()> {
    session.with(py, |session| session.remove_key(&*current.0, name))
}

/// Gives the epoch of the root, the names that open the store now, and those that do no more.
#[pyfunction]
pub(crate) fn rotate_root(
    py: Python<'_>,
    session: &Session,
    current: &Key,
    sources: Vec<Py<Key>>,
) -> PyResult<(u32, Vec<String>, Vec<String>)> {
    let sources: Vec<Arc<dyn KeySource>> = sources.iter().map(|key| key.get().0.clone()).collect();
    let rotated = session.with(py, |session| {
        let lent: Vec<&dyn KeySource> = sources.iter().map(|source| &**source).collect();
        session.rotate_root(&*current.0, &lent)
    })?;
    Ok((rotated.root_epoch, rotated.names, rotated.dropped))
}

#[pyfunction]
pub(crate) fn rotate_page_key(py: Python<'_>, session: &Session, to: PathBuf) -> PyResult<()> {
    session.with(py, |session| session.rotate_page_key(to))
}

#[pyfunction]
pub(crate) fn rotate_patient_keys(py: Python<'_>, session: &Session) -> PyResult<u64> {
    session.with(py, |session| session.rotate_patient_keys())
}
