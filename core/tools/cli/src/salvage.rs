//! The command that gets out of a damaged store what is genuine still.

use crate::store::key;
use crate::{Access, Done, Failure};
use ehrcore::ehr::{Ehr, Options, SalvageInto, SalvageOptions};
use ehrcore::limits::CallLimits;
use ehrcore::store::{Lines, Salvaged};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where to.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// The store to make
    #[arg(long)]
    into: Option<PathBuf>,
    /// The NDJSON to make, in clear: the current version of each record
    #[arg(long)]
    ndjson: Option<PathBuf>,
    /// The NDJSON to make, in clear: every version, with what it is
    #[arg(long)]
    all_versions: Option<PathBuf>,
}

pub(crate) fn run(access: &Access, target: &Target, as_json: bool) -> Done {
    let into = match (&target.into, &target.ndjson, &target.all_versions) {
        (Some(path), ..) => SalvageInto::Store(path),
        (_, Some(path), _) => SalvageInto::Ndjson(path, Lines::Current),
        (_, _, Some(path)) => SalvageInto::Ndjson(path, Lines::All),
        _ => return Err(Failure::Usage("name a file to make")),
    };
    let how = SalvageOptions { actor: &access.actor, limits: CallLimits::default() };
    let source = key(access.key_file.clone(), false)?;
    let report = Ehr::salvage(&access.store, into, &how, &*source, &Options::default())?;
    if as_json {
        println!("{}", report_json(&report));
    } else {
        print_report(&report);
    }
    if report.is_whole() { Ok(()) } else { Err(Failure::Findings) }
}

fn report_json(report: &Salvaged) -> Value {
    let missing: Vec<Value> = report
        .missing
        .iter()
        .map(|one| json!({"what": one.what.name(), "patient": one.patient, "row": one.row}))
        .collect();
    json!({"whole": report.is_whole(), "pages": report.pages, "pagesLost": report.pages_lost, "records": report.records,
        "current": report.current, "retracted": report.retracted, "deleted": report.deleted, "hidden": report.hidden,
        "lost": report.lost, "versions": report.versions, "blocks": report.blocks, "opened": report.opened,
        "blocksLost": report.blocks_lost, "incomplete": report.incomplete, "written": report.written, "missing": missing})
}

fn print_report(report: &Salvaged) {
    let of = |known: Option<u64>| known.map_or_else(|| "an unknown number of".to_owned(), |known| known.to_string());
    println!("{} of {} pages are lost", report.pages_lost, report.pages);
    println!(
        "of {} records: {} current, {} retracted, {} deleted, {} hidden because a later version is lost or may be, {} lost",
        of(report.records),
        report.current,
        report.retracted,
        report.deleted,
        report.hidden,
        report.lost
    );
    println!(
        "of {} blocks: {} opened, {} lost; {} versions found, {} records written",
        of(report.blocks),
        report.opened,
        report.blocks_lost,
        report.versions,
        report.written
    );
    if !report.incomplete.is_empty() {
        println!("tables of which pages are lost: {}", report.incomplete.join(", "));
    }
    for one in &report.missing {
        println!("missing: {} {} of patient {}", one.what.name(), one.row, one.patient);
    }
}
