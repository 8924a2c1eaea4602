//! Records in and out: Bundles and NDJSON.

mod addresses;
pub(crate) mod check;
pub(crate) mod export;
pub(crate) mod import;
mod quarantine;
mod scan;

pub use export::ExportSummary;
pub(crate) use export::bundle;
pub use import::{ImportOptions, ImportSummary, Progress};
pub(crate) use quarantine::forget_quarantined;
