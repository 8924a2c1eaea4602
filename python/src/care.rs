//! Looking after a store: limits of calls, check, backup, restore, repair.

use crate::error::{raise, run};
use crate::keys::Key;
use crate::session::Session;
use ehrcore::ehr::{Ehr, Options, RepairOptions};
use ehrcore::error::Code;
use ehrcore::limits::{CallLimits, CancelToken};
use ehrcore::store::{CheckReport, Copied};
use pyo3::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Says "stop" from another thread to the calls that were given it.
#[pyclass(frozen, module = "ehrcore")]
pub(crate) struct Cancel(CancelToken);

#[pymethods]
impl Cancel {
    #[new]
    fn new() -> Cancel {
        Cancel(CancelToken::new())
    }
    /// Cancels the calls that have this token.
    fn cancel(&self) {
        self.0.cancel();
    }
    #[getter]
    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

pub(crate) fn limits(
    py: Python<'_>,
    seconds: Option<f64>,
    memory: Option<usize>,
    cancel: Option<&Cancel>,
) -> PyResult<CallLimits> {
    let time = seconds.map(Duration::try_from_secs_f64).transpose();
    let time = time.map_err(|_| raise(py, &Code::InvalidArgument.error().expected("a time that is not negative")))?;
    Ok(CallLimits { time, memory, cancel: cancel.map(|cancel| cancel.0.clone()) })
}

#[pyfunction]
pub(crate) fn set_limits(
    py: Python<'_>,
    session: &Session,
    seconds: Option<f64>,
    memory: Option<usize>,
    cancel: Option<&Cancel>,
) -> PyResult<()> {
    let limits = limits(py, seconds, memory, cancel)?;
    session.with(py, move |session| {
        session.set_limits(limits);
        Ok(())
    })
}

type Copy = (u64, u64, u32);

fn copy(copied: Copied) -> Copy {
    (copied.pages, copied.copied, copied.number)
}

/// Calls a Python function with how much is done. What it raises cancels, and is kept to be raised again.
fn told(steps: Option<Py<PyAny>>, raised: &mut Option<PyErr>) -> impl FnMut(u64, u64) -> bool + Send {
    move |done, of| {
        let Some(steps) = &steps else { return true };
        Python::attach(|py| {
            let answer = steps.bind(py).call1((done, of));
            match answer.and_then(|answer| Ok(answer.is_none() || answer.is_truthy()?)) {
                Ok(on) => on,
                Err(error) => {
                    *raised = Some(error);
                    false
                }
            }
        })
    }
}

#[pyfunction]
pub(crate) fn backup(
    py: Python<'_>,
    session: &Session,
    path: PathBuf,
    since: Option<(PathBuf, Py<Key>)>,
    steps: Option<Py<PyAny>>,
) -> PyResult<Copy> {
    let since = since.map(|(path, key)| (path, key.get().0.clone()));
    let mut raised = None;
    let mut told = told(steps, &mut raised);
    let done = session.with(py, move |session| {
        let copied = match since {
            Some((earlier, key)) => session.backup_since(&path, &earlier, &*key, &mut told),
            None => session.backup(&path, &mut told),
        };
        copied.map(copy)
    });
    match raised {
        Some(raised) => Err(raised),
        None => done,
    }
}

#[pyfunction]
pub(crate) fn restore(py: Python<'_>, chain: Vec<PathBuf>, into: PathBuf, key: &Key) -> PyResult<Copy> {
    let key = key.0.clone();
    run(py, move || {
        let chain: Vec<&Path> = chain.iter().map(AsRef::as_ref).collect();
        let options = Options::default();
        Ehr::restore(&chain, &into, &*key, &options, &CallLimits::default(), &mut |_, _| true).map(copy)
    })
}

/// Patients, records, versions, events, index entries, found, and the damage: what, patient, row.
type Report = (u64, u64, u64, u64, u64, u64, Vec<(&'static str, Option<u32>, u64)>);

fn report(report: &CheckReport) -> Report {
    let damage = report.damage.iter().map(|one| (one.what.name(), one.patient, one.row)).collect();
    (report.patients, report.records, report.versions, report.events, report.entries, report.found, damage)
}

#[pyfunction]
pub(crate) fn check(py: Python<'_>, session: &Session) -> PyResult<Report> {
    session.with(py, |session| session.check(None, &mut |_, _| true).map(|found| report(&found)))
}

#[pyfunction]
pub(crate) fn repair(
    py: Python<'_>,
    damaged: PathBuf,
    copies: Vec<PathBuf>,
    into: PathBuf,
    actor: String,
    key: &Key,
    allow_older: bool,
) -> PyResult<(u64, bool, Report)> {
    let key = key.0.clone();
    run(py, move || {
        let copies: Vec<&Path> = copies.iter().map(AsRef::as_ref).collect();
        let how = RepairOptions { actor: &actor, allow_older, limits: CallLimits::default() };
        let done = Ehr::repair(&damaged, &copies, &into, &how, &*key, &Options::default())?;
        Ok((done.mended.from_copies, done.mended.whole_copy, report(&done.check)))
    })
}
