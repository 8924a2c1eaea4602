//! Policies, emergency access and care.

use crate::error::{kind, raise, run};
use crate::session::Session;
use crate::store::{Said, Store, said_of};
use ehrcore::access::{Action, Finding, Policy, Purpose};
use ehrcore::ehr::{Emergency, Notify};
use ehrcore::error::Code;
use pyo3::prelude::*;
use std::sync::Arc;

/// Findings as JSON.
#[pyfunction]
pub(crate) fn policy_check(py: Python<'_>, text: String) -> PyResult<String> {
    run(py, move || Ok(Finding::list_to_json(&Policy::parse(&text)?.check())))
}

/// The policies that come with the library.
#[pyfunction]
pub(crate) fn policy_text(name: &str) -> Option<&'static str> {
    [Policy::standard(), Policy::care_team()].into_iter().find(|policy| policy.name() == name).map(Policy::text)
}

#[pyfunction]
pub(crate) fn policy(py: Python<'_>, session: &Session) -> PyResult<(String, u32)> {
    let (policy, number) = session.with(py, |session| session.policy())?;
    Ok((policy.text().to_owned(), number))
}

#[pyfunction]
pub(crate) fn set_policy(py: Python<'_>, session: &Session, text: &str) -> PyResult<u32> {
    session.with(py, |session| session.set_policy(&Policy::parse(text)?))
}

/// The explanation as JSON.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub(crate) fn explain(
    py: Python<'_>,
    session: &Session,
    actor: String,
    role: &str,
    purpose: &str,
    action: &str,
    record: Option<(String, String)>,
    said: Said,
) -> PyResult<String> {
    let unknown = |what| raise(py, &Code::InvalidArgument.error().expected(what));
    let actor = said_of(py, &actor, role, said)?;
    let purpose = Purpose::from_name(purpose).ok_or_else(|| unknown("a purpose of use"))?;
    let action = Action::from_name(action).ok_or_else(|| unknown("an action"))?;
    let record = match &record {
        Some((of, id)) => Some((kind(py, of)?, id.as_str())),
        None => None,
    };
    session.with(py, |session| session.explain(&actor, purpose, action, record)).map(|found| found.to_json())
}

#[pyfunction]
pub(crate) fn break_glass(py: Python<'_>, session: &Session, patient: &str, reason: &str) -> PyResult<Session> {
    let glass = session.with(py, |session| session.break_glass(patient, reason))?;
    Ok(Session(std::sync::Mutex::new(Some(Arc::new(glass)))))
}

#[pyfunction]
pub(crate) fn relate(py: Python<'_>, session: &Session, patient: &str) -> PyResult<()> {
    session.with(py, |session| session.relate(patient))
}

/// Until when, in microseconds since 1970, and the reference.
#[pyfunction]
pub(crate) fn emergency(py: Python<'_>, session: &Session) -> PyResult<Option<(i64, u64)>> {
    session.with(py, |session| Ok(session.emergency().map(|(until, reference)| (until.0, reference))))
}

/// Calls a Python callable with actor, patient, reason and reference. What it raises is printed, as for a destructor: the access
/// has been given and is on record.
struct Told(Py<PyAny>);

impl Notify for Told {
    fn emergency(&self, emergency: &Emergency) {
        Python::attach(|py| {
            let told = (&emergency.actor, &emergency.patient, &emergency.reason, emergency.reference);
            if let Err(raised) = self.0.call1(py, told) {
                raised.write_unraisable(py, None);
            }
        });
    }
}

#[pyfunction]
pub(crate) fn on_emergency(py: Python<'_>, store: &Store, call: Option<Py<PyAny>>) -> PyResult<()> {
    let ehr = store.ehr(py)?;
    match call {
        Some(call) => ehr.set_notify(Arc::new(Told(call))),
        None => ehr.set_notify(Arc::new(())),
    }
    Ok(())
}
