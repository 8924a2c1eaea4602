//! Records in and out: Bundles and NDJSON.

pub(crate) mod export;
pub(crate) mod import;
mod scan;

pub use export::ExportSummary;
pub use import::{ImportOptions, ImportSummary, Progress};
