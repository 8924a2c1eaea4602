//! A patient's keys, destroyed or replaced; and the anchor that finds an older file.

use crate::error::{raise, run};
use crate::keys::Key;
use crate::session::Session;
use crate::store::Store;
use ehrcore::ehr::{Anchor, Anchoring, Ehr, FileAnchor, Options, SecurityStatus};
use ehrcore::error::{Code, Error};
use ehrcore::record::Compartment;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Patient, versions, blocks, tokens, blocks that did not open, versions elsewhere; type, id and versions of what moved; keys that were lost.
type Gone = (u32, u64, u64, u64, u64, u64, Vec<(String, String, u64)>, u64);

#[pyfunction]
pub(crate) fn shred(
    py: Python<'_>,
    session: &Session,
    patient: &str,
    reason: &str,
    compartment: Option<&str>,
) -> PyResult<Gone> {
    let unknown = || raise(py, &Code::InvalidArgument.error().expected("the name of a compartment"));
    let only = compartment.map(|name| Compartment::from_name(name).ok_or_else(unknown)).transpose()?;
    let done = session.with(py, |session| match only {
        Some(only) => session.shred_compartment(patient, only, reason),
        None => session.shred(patient, reason),
    })?;
    let moved = done.moved.into_iter().map(|one| (one.kind.name().to_owned(), one.id, one.versions)).collect();
    Ok((done.patient, done.versions, done.blocks, done.tokens, done.damaged, done.elsewhere, moved, done.keys_lost))
}

/// Gives patient, compartments, blocks and segments.
#[pyfunction]
pub(crate) fn rotate_patient(
    py: Python<'_>,
    session: &Session,
    patient: &str,
    reason: &str,
) -> PyResult<(u32, u64, u64, u64)> {
    let done = session.with(py, |session| session.rotate_patient(patient, reason))?;
    Ok((done.patient, done.compartments, done.blocks, done.segments))
}

/// An anchor in Python: an object with `load()` and `store(note)`. Whatever it raises is `anchor-unavailable`.
struct Host(Py<PyAny>);

impl Anchor for Host {
    fn load(&self) -> Result<Option<Vec<u8>>, Error> {
        let answer = Python::attach(|py| self.0.bind(py).call_method0("load")?.extract::<Option<Vec<u8>>>());
        answer.map_err(|_| Code::AnchorUnavailable.error())
    }
    fn store(&self, note: &[u8]) -> Result<(), Error> {
        let answer = Python::attach(|py| self.0.bind(py).call_method1("store", (PyBytes::new(py, note),)).map(drop));
        answer.map_err(|_| Code::AnchorUnavailable.error())
    }
}

fn anchor(py: Python<'_>, file: Option<PathBuf>, host: Option<Py<PyAny>>) -> PyResult<Arc<dyn Anchor>> {
    match (file, host) {
        (Some(file), _) => Ok(Arc::new(FileAnchor::new(file))),
        (None, Some(host)) => Ok(Arc::new(Host(host))),
        _ => Err(raise(py, &Code::InvalidArgument.error().expected("an anchor"))),
    }
}

/// Every how many commits, strict, begin, why an older file is gone on with.
type How = (u64, bool, bool, Option<String>);

#[pyfunction]
pub(crate) fn open_anchored(
    py: Python<'_>,
    path: PathBuf,
    create: bool,
    key: &Key,
    file: Option<PathBuf>,
    host: Option<Py<PyAny>>,
    how: How,
) -> PyResult<Store> {
    let anchor = anchor(py, file, host)?;
    let (every, strict, begin, accept_older) = how;
    let mut anchoring = Anchoring::new(anchor).every(every);
    if strict {
        anchoring = anchoring.strict();
    }
    if begin {
        anchoring = anchoring.begin();
    }
    if let Some(reason) = accept_older {
        anchoring = anchoring.accept_older(&reason);
    }
    let source = key.0.clone();
    let ehr = run(py, move || {
        let options = Options { anchor: Some(anchoring), ..Options::default() };
        if create { Ehr::create(path, &*source, options) } else { Ehr::open(path, &*source, options) }
    })?;
    Ok(Store(Mutex::new(Some(ehr))))
}

/// Change sets and events of the file and of what the anchor knows, and whether the file is older or went another way.
#[pyfunction]
pub(crate) fn compare_with_anchor(
    py: Python<'_>,
    path: PathBuf,
    key: &Key,
    file: Option<PathBuf>,
    host: Option<Py<PyAny>>,
) -> PyResult<(u64, u64, u64, u64, bool)> {
    let (anchor, source) = (anchor(py, file, host)?, key.0.clone());
    let found = run(py, move || Ehr::compare_with_anchor(path, &*source, anchor, Options::default()))?;
    Ok((found.file_commits, found.anchor_commits, found.file_events, found.anchor_events, found.rolled_back))
}

#[pyfunction]
pub(crate) fn anchor_now(py: Python<'_>, store: &Store) -> PyResult<()> {
    let ehr = store.ehr(py)?;
    run(py, move || ehr.anchor_now())
}

/// Provider, a key per patient, pages sealed, protected against rollback, change sets not anchored, shredding unfinished.
type Status = (String, bool, bool, bool, Option<u64>, bool);

#[pyfunction]
pub(crate) fn security_status(py: Python<'_>, store: &Store) -> PyResult<Status> {
    // An anchor in Python may be keeping a note on another thread, and waits for the interpreter: so not while holding it.
    let ehr = store.ehr(py)?;
    let status = run(py, move || Ok(ehr.security_status()))?;
    let name = status.provider.to_owned();
    let SecurityStatus { key_per_patient, pages_sealed, rollback_protected, unanchored, shred_unfinished, .. } = status;
    Ok((name, key_per_patient, pages_sealed, rollback_protected, unanchored, shred_unfinished))
}
