//! Getting out of a damaged store what is genuine still.

use crate::error::run;
use crate::keys::Key;
use ehrcore::ehr::{Ehr, Options, SalvageInto, SalvageOptions};
use ehrcore::error::Code;
use ehrcore::limits::CallLimits;
use ehrcore::store::Lines;
use pyo3::prelude::*;
use std::path::PathBuf;

type Counts = (u64, u64, Option<u64>, u64, u64, u64, u64, u64, u64, Option<u64>, u64, u64);
type Salvaged = (Counts, u64, Vec<&'static str>, Vec<(&'static str, u32, u64)>, bool);

#[pyfunction]
pub(crate) fn salvage(
    py: Python<'_>,
    damaged: PathBuf,
    into: PathBuf,
    form: u8,
    actor: String,
    key: &Key,
) -> PyResult<Salvaged> {
    let key = key.0.clone();
    run(py, move || {
        let into = match form {
            0 => SalvageInto::Store(&into),
            1 => SalvageInto::Ndjson(&into, Lines::Current),
            2 => SalvageInto::Ndjson(&into, Lines::All),
            _ => return Err(Code::InvalidArgument.error()),
        };
        let how = SalvageOptions { actor: &actor, limits: CallLimits::default() };
        let report = Ehr::salvage(&damaged, into, &how, &*key, &Options::default())?;
        let counts = (
            report.pages,
            report.pages_lost,
            report.records,
            report.current,
            report.retracted,
            report.deleted,
            report.hidden,
            report.lost,
            report.versions,
            report.blocks,
            report.opened,
            report.blocks_lost,
        );
        let whole = report.is_whole();
        let missing = report.missing.iter().map(|one| (one.what.name(), one.patient, one.row)).collect();
        Ok((counts, report.written, report.incomplete, missing, whole))
    })
}
