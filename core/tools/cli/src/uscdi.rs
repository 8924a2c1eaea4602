//! `ehr uscdi`: which data classes and elements of USCDI a chart, a store or files cover, and what is missing.

use crate::store::clinician;
use crate::{Access, Done, Failure};
use clap::ValueEnum;
use ehrcore::ehr::SearchOptions;
use ehrcore::error::{Code, Result};
use ehrcore::limits::Limits;
use ehrcore::schema::ResourceType;
use ehrcore::uscdi::{Coverage, Row, Version};
use ehrcore::xml;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, ValueEnum)]
enum Edition {
    V3,
    V4,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A store (a file that ends in .ehr, or with --store), or files and folders of records
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The path is a store, whatever its name
    #[arg(long)]
    store: bool,
    /// Of a store, only this patient's chart
    #[arg(long)]
    patient: Option<String>,
    /// Which version of USCDI
    #[arg(long, value_enum, default_value = "v3")]
    edition: Edition,
    /// Only what is missing
    #[arg(long)]
    missing: bool,
    /// File with the key of the store: 64 hexadecimal digits
    #[arg(long, env = "EHR_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// Who acts: the id kept in the audit log
    #[arg(long, env = "EHR_ACTOR", default_value = "ehr-command")]
    actor: String,
    /// In which role
    #[arg(long, env = "EHR_ROLE")]
    role: Option<String>,
    /// For which purpose of use
    #[arg(long, env = "EHR_PURPOSE")]
    purpose: Option<String>,
}

pub(crate) fn run(options: &Options, as_json: bool) -> Done {
    let version = match options.edition {
        Edition::V3 => Version::V3,
        Edition::V4 => Version::V4,
    };
    let mut coverage = Coverage::new(version)?;
    let store = options.store || options.paths[0].extension().is_some_and(|end| end == "ehr");
    if store {
        of_store(options, &mut coverage)?;
    } else {
        let mut files = Vec::new();
        for path in &options.paths {
            crate::validate::collect(path, &mut files)?;
        }
        for file in &files {
            of_file(file, &mut coverage)?;
        }
    }
    print(&coverage, version, options.missing, as_json);
    Ok(())
}

fn of_store(options: &Options, coverage: &mut Coverage) -> Done {
    let [store] = &options.paths[..] else { return Err(Failure::Usage("one store at a time")) };
    let access = Access {
        store: store.clone(),
        key_file: options.key_file.clone(),
        actor: options.actor.clone(),
        role: options.role.clone(),
        purpose: options.purpose.clone(),
        ..Access::default()
    };
    let session = clinician(&access)?;
    if let Some(patient) = &options.patient {
        for stored in session.chart(patient)? {
            coverage.take(&stored.record()?);
        }
        return Ok(session.close()?);
    }
    for kind in ResourceType::all() {
        let mut from = None;
        loop {
            let page = session.search(kind, "", SearchOptions { count: 1000, from })?;
            for stored in &page.records {
                coverage.take(&stored.record()?);
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    Ok(session.close()?)
}

/// Counts what is in a file; what cannot be read counts for nothing.
fn of_file(path: &Path, coverage: &mut Coverage) -> Result<()> {
    let most = Limits::DEFAULT.bytes as u64;
    let mut take = |bytes: &[u8]| {
        if let Ok(parsed) = xml::read_either(bytes, &Limits::DEFAULT) {
            coverage.take(&parsed.record);
        }
    };
    let file = File::open(path)?;
    if !path.extension().is_some_and(|end| end == "ndjson" || end == "jsonl") {
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        take(&bytes);
        return Ok(());
    }
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = (&mut input).take(most + 1).read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(());
        }
        if count as u64 > most {
            return Err(Code::LimitSize.error());
        }
        take(line.trim_ascii());
    }
}

fn print(coverage: &Coverage, version: Version, missing: bool, as_json: bool) {
    let (all, lacking) = (coverage.rows().count(), coverage.missing().count());
    if as_json {
        let row = |row: &Row| json!({"class": row.class, "element": row.element, "records": row.records});
        let rows: Vec<_> = coverage.rows().filter(|row| !missing || row.records == 0).map(row).collect();
        println!("{}", json!({"uscdi": version.name(), "elements": all, "covered": all - lacking, "rows": rows}));
        return;
    }
    let mut class = "";
    for row in coverage.rows().filter(|row| !missing || row.records == 0) {
        if row.class != class {
            class = row.class;
            println!("{class}");
        }
        let count = if row.records == 0 { "missing".to_owned() } else { row.records.to_string() };
        println!("{count:>10}  {}", row.element);
    }
    println!("USCDI {}: {} of {all} data elements covered, {lacking} missing", version.name(), all - lacking);
}
