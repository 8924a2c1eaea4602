//! `cargo xtask bench [--quick]`: one table of ratios, all from one run. Build with `--release` for figures that mean something.
//!
//! `--quick` takes fewer samples and leaves out what has to be built first. `EHRCORE_FULL=1` adds what takes minutes: an import of
//! 1 GB and a store of 200,000 resources. Times of one run stand beside a yardstick of the same run: on a busy machine only the
//! ratios mean something. `--reading` stops after reading and checking, `--audit` measures the audit log, `--encryption` compares
//! with a build without encryption, `--rotation` rotates the keys of a million resources, `--commits` measures commits, many writers
//! and copies beside them only.

mod auditing;
mod deciding;
mod full;
mod keys;
mod product;
mod reading;
mod storing;

use crate::{Done, suites};
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, Options, Session};
use ehrcore::exchange::ImportOptions;
use ehrcore::keys::RawKey;
use ehrcore::record::Record;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) fn run(arguments: &[&str]) -> Done {
    if cfg!(debug_assertions) {
        // `cargo xtask` runs unoptimised: run ourselves again, optimised.
        let mut again = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        again.args(["run", "--quiet", "--release", "-p", "xtask", "--", "bench"]).args(arguments);
        let status = again.current_dir(crate::root()).status()?;
        return if status.success() { Ok(()) } else { Err("the benchmark failed".into()) };
    }
    if arguments == ["--access"] {
        return deciding::run(&Samples { resources: Vec::new(), times: 9 }, tempfile::tempdir()?.path());
    }
    if let ["--import", store, source] = arguments {
        return full::import(Path::new(store), Path::new(source));
    }
    match arguments {
        ["--audit"] => return auditing::run(),
        ["--encryption"] => return keys::encryption(),
        ["--encryption-part"] => return keys::part(),
        ["--rotation"] => return keys::rotation(),
        _ => {}
    }
    let quick = arguments.contains(&"--quick");
    let folder = tempfile::tempdir()?;
    let samples = Samples { resources: resources(folder.path())?, times: if quick { 3 } else { 9 } };
    if arguments.contains(&"--commits") {
        return storing::commits_only(&samples, folder.path());
    }
    let reference = reading::run(&samples)?;
    if arguments.contains(&"--reading") {
        return Ok(());
    }
    storing::run(&samples, reference, folder.path())?;
    deciding::run(&samples, folder.path())?;
    if std::env::var_os("EHRCORE_FULL").is_some() {
        full::run(folder.path())?;
    } else {
        println!("SKIPPED: an import of 1 GB and a store of 200,000 resources; set EHRCORE_FULL=1");
    }
    if quick {
        println!("SKIPPED: sizes and the demo, which are built first; leave --quick out");
        return Ok(());
    }
    product::run(folder.path())
}

/// What is measured on, and how often.
struct Samples {
    /// The resources of the synthea suite as they stand in its files.
    resources: Vec<Vec<u8>>,
    times: usize,
}

impl Samples {
    /// Without white space between values.
    fn compact(&self) -> Result<Vec<Vec<u8>>, ehrcore::error::Error> {
        let compact = |bytes: &Vec<u8>| {
            let mut out = Vec::new();
            Record::parse(bytes)?.write_json(&mut out);
            Ok(out)
        };
        self.resources.iter().map(compact).collect()
    }
    /// Microseconds for one resource.
    fn each(&self, duration: Duration) -> f64 {
        duration.as_secs_f64() * 1e6 / self.resources.len() as f64
    }
}

fn resources(folder: &Path) -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
    let archive = suites().join("synthea/synthea-r4-40-patients.tar.xz");
    if !archive.exists() {
        return Err("the synthea suite is not there; set EHRCORE_SUITES".into());
    }
    let charts = folder.join("charts");
    std::fs::create_dir(&charts)?;
    Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&charts).status()?;
    let mut resources: Vec<Vec<u8>> = Vec::new();
    for file in std::fs::read_dir(&charts)?.flatten() {
        let bundle = Record::parse(&std::fs::read(file.path())?)?;
        let entries = bundle.root().list("entry").filter_map(|entry| entry.get("resource"));
        resources.extend(entries.map(|resource| resource.raw().to_vec()));
    }
    Ok(resources)
}

fn key() -> RawKey {
    RawKey::new([1; 32])
}

fn administrator(ehr: &Ehr) -> ehrcore::error::Result<Session> {
    ehr.session(Actor::new("bench", Role::Administrator), Purpose::Operations)
}

fn physician(ehr: &Ehr) -> ehrcore::error::Result<Session> {
    ehr.session(Actor::new("bench", Role::Physician), Purpose::Treatment)
}

/// Imports into a new store, on one thread; gives the time it took, and of the processor.
fn import_new(store: &Path, source: &Path) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
    let _ = std::fs::remove_file(store);
    let ehr = Ehr::create(store, &key(), Options::default())?;
    let session = administrator(&ehr)?;
    let (start, worked) = (Instant::now(), processor());
    session.import(source, &ImportOptions { threads: 1, ..ImportOptions::default() }, &mut ())?;
    Ok((start.elapsed(), processor() - worked))
}

/// How long this thread has had the processor; zero where the system does not say. On a busy machine this tells what the work
/// costs, where the clock tells what else goes on.
fn processor() -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(said.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0))
}

/// A line with a ratio: microseconds, ratio, most it should be.
fn ratio(name: &str, each: f64, ratio: f64, target: &str) {
    println!("{name:<52}{each:>10.2}{ratio:>9.2}{target:>9}");
}

/// A line with one figure and what it should be.
fn figure(name: &str, figure: f64, digits: usize, target: &str) {
    println!("{name:<52}{figure:>10.digits$}{target:>18}");
}

fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    middle(&mut all)
}

/// As [`median`], of the time this thread had the processor.
fn median_processor(times: usize, mut work: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..times)
        .map(|_| {
            let start = processor();
            work();
            processor() - start
        })
        .collect();
    middle(&mut all)
}

fn middle(all: &mut [Duration]) -> Duration {
    all.sort();
    all[all.len() / 2]
}
