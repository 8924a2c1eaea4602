//! `ehrcore._native`: the Rust side of the wheel. Thin: every class holds one object of the Rust API.

mod access;
mod audit;
mod care;
mod error;
mod fhirpath;
mod keys;
mod lifecycle;
mod salvage;
mod session;
mod shred;
mod store;
mod terminology;
mod validate;

use error::{Conflict, Denied, EhrError, InvalidRecord, Issue, Locked, NotFound, WrongKey};
use pyo3::prelude::*;
use session::{Record, Session};
use store::Store;

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
    module.add_function(wrap_pyfunction!(error::explain_code, module)?)?;
    module.add_class::<fhirpath::Expression>()?;
    module.add_class::<Record>()?;
    module.add_class::<Store>()?;
    module.add_class::<Session>()?;
    module.add_class::<keys::Key>()?;
    module.add_class::<care::Cancel>()?;
    module.add_function(wrap_pyfunction!(care::set_limits, module)?)?;
    module.add_function(wrap_pyfunction!(care::backup, module)?)?;
    module.add_function(wrap_pyfunction!(care::restore, module)?)?;
    module.add_function(wrap_pyfunction!(care::check, module)?)?;
    module.add_function(wrap_pyfunction!(care::repair, module)?)?;
    module.add_function(wrap_pyfunction!(salvage::salvage, module)?)?;
    module.add_function(wrap_pyfunction!(keys::key_status, module)?)?;
    module.add_function(wrap_pyfunction!(keys::put_key, module)?)?;
    module.add_function(wrap_pyfunction!(keys::remove_key, module)?)?;
    module.add_function(wrap_pyfunction!(keys::rotate_root, module)?)?;
    module.add_function(wrap_pyfunction!(keys::rotate_patient_keys, module)?)?;
    module.add_function(wrap_pyfunction!(keys::rotate_page_key, module)?)?;
    module.add_function(wrap_pyfunction!(lifecycle::lifecycle_call, module)?)?;
    module.add_class::<terminology::Terminology>()?;
    module.add_class::<validate::Validator>()?;
    module.add_function(wrap_pyfunction!(store::open_store, module)?)?;
    module.add_function(wrap_pyfunction!(audit::audit_report, module)?)?;
    module.add_function(wrap_pyfunction!(audit::audit_export, module)?)?;
    module.add_function(wrap_pyfunction!(audit::audit_event, module)?)?;
    module.add_function(wrap_pyfunction!(audit::audit_checkpoint, module)?)?;
    module.add_function(wrap_pyfunction!(audit::disclose, module)?)?;
    module.add_function(wrap_pyfunction!(validate::validate_bytes, module)?)?;
    module.add_function(wrap_pyfunction!(validate::operation_outcome, module)?)?;
    module.add_function(wrap_pyfunction!(validate::xml_read, module)?)?;
    module.add_function(wrap_pyfunction!(validate::xml_write, module)?)?;
    module.add_function(wrap_pyfunction!(access::policy_check, module)?)?;
    module.add_function(wrap_pyfunction!(access::policy_text, module)?)?;
    module.add_function(wrap_pyfunction!(access::policy, module)?)?;
    module.add_function(wrap_pyfunction!(access::set_policy, module)?)?;
    module.add_function(wrap_pyfunction!(access::explain, module)?)?;
    module.add_function(wrap_pyfunction!(access::break_glass, module)?)?;
    module.add_function(wrap_pyfunction!(access::relate, module)?)?;
    module.add_function(wrap_pyfunction!(access::emergency, module)?)?;
    module.add_function(wrap_pyfunction!(access::on_emergency, module)?)?;
    module.add_function(wrap_pyfunction!(shred::shred, module)?)?;
    module.add_function(wrap_pyfunction!(shred::rotate_patient, module)?)?;
    module.add_function(wrap_pyfunction!(shred::open_anchored, module)?)?;
    module.add_function(wrap_pyfunction!(shred::compare_with_anchor, module)?)?;
    module.add_function(wrap_pyfunction!(shred::anchor_now, module)?)?;
    module.add_function(wrap_pyfunction!(shred::security_status, module)?)?;
    module.add_function(wrap_pyfunction!(command, module)?)
}
