//! `cargo xtask bench [--quick]`: one table of ratios, all from one run. Build with `--release` for figures that mean something.

use crate::{Done, suites};
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, Options};
use ehrcore::exchange::ImportOptions;
use ehrcore::json::read;
use ehrcore::keys::RawKey;
use ehrcore::limits::Limits;
use ehrcore::schema::ResourceType;
use std::hint::black_box;
use std::io::Write;
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
    let folder = tempfile::tempdir()?;
    let archive = suites().join("synthea/synthea-r4-40-patients.tar.xz");
    if !archive.exists() {
        return Err("the synthea suite is not there; set EHRCORE_SUITES".into());
    }
    let charts = folder.path().join("charts");
    std::fs::create_dir(&charts)?;
    Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&charts).status()?;
    let mut resources: Vec<Vec<u8>> = Vec::new();
    for file in std::fs::read_dir(&charts)?.flatten() {
        let bundle = ehrcore::record::Record::parse(&std::fs::read(file.path())?)?;
        for entry in bundle.root().list("entry") {
            if let Some(resource) = entry.get("resource") {
                resources.push(resource.raw().to_vec());
            }
        }
    }
    let compact: Vec<Vec<u8>> = resources
        .iter()
        .map(|bytes| {
            let mut out = Vec::new();
            ehrcore::record::Record::parse(bytes).map(|record| record.write_json(&mut out))?;
            Ok(out)
        })
        .collect::<Result<_, ehrcore::error::Error>>()?;
    let bytes: usize = compact.iter().map(Vec::len).sum();
    println!(
        "{} resources, {:.0} bytes each without white space",
        resources.len(),
        bytes as f64 / resources.len() as f64
    );
    let times = if arguments.contains(&"--quick") { 3 } else { 9 };

    let per = |duration: Duration| duration.as_secs_f64() * 1e6 / resources.len() as f64;
    let reference = per(median(times, || {
        compact.iter().for_each(|b| drop(black_box(serde_json::from_slice::<serde_json::Value>(b))))
    }));
    let pretty = per(median(times, || {
        resources.iter().for_each(|b| drop(black_box(serde_json::from_slice::<serde_json::Value>(b))))
    }));
    println!("{:<44}{:>10}{:>9}{:>9}", "", "us each", "ratio", "target");
    row("serde_json::Value, no white space", reference, 1.0, "");
    row("serde_json::Value, indented", pretty, pretty / reference, "");
    let parse = per(median(times, || compact.iter().for_each(|b| drop(black_box(read(b, &Limits::DEFAULT))))));
    row("parse + structure + required bindings", parse, parse / reference, "0.5");
    let parse = per(median(times, || resources.iter().for_each(|b| drop(black_box(read(b, &Limits::DEFAULT))))));
    row("  the same, indented", parse, parse / pretty, "0.5");
    let records: Vec<_> = compact.iter().map(|b| ehrcore::record::Record::parse(b)).collect::<Result<_, _>>()?;
    let mut out = Vec::new();
    let write = per(median(times, || {
        for record in &records {
            out.clear();
            record.write_json(&mut out);
            black_box(&out);
        }
    }));
    row("write back", write, write / reference, "0.2");

    // Bulk import of compact NDJSON on one thread.
    let ndjson = folder.path().join("all.ndjson");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&ndjson)?);
    for line in &compact {
        file.write_all(line)?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?;
    let options = ImportOptions { threads: 1, ..ImportOptions::default() };
    let mut imports = Vec::new();
    let store = folder.path().join("bench.ehr");
    for _ in 0..if times > 3 { 5 } else { 2 } {
        let _ = std::fs::remove_file(&store);
        let ehr = Ehr::create(&store, &RawKey::new([1; 32]), Options::default())?;
        let session = ehr.session(Actor::new("bench", Role::Administrator), Purpose::Operations)?;
        let start = Instant::now();
        session.import(&ndjson, &options, &mut ())?;
        imports.push(start.elapsed());
    }
    imports.sort();
    let import = per(imports[imports.len() / 2]);
    row("bulk import, durable", import, import / reference, "2.5");
    println!("{:<44}{:>10.0}", "  resources a second", 1e6 / import);

    let mut ehr = Ehr::open(&store, &RawKey::new([1; 32]), Options::default())?;
    ehr.compact()?;
    let size = std::fs::metadata(&store)?.len();
    println!(
        "{:<44}{:>10.0}{:>18}",
        "bytes a resource on disk, all indexes",
        size as f64 / resources.len() as f64,
        "300"
    );
    let session = ehr.session(Actor::new("bench", Role::Physician), Purpose::Treatment)?;
    let (kind, id) = (records[100].kind(), records[100].id().unwrap_or_default().to_owned());
    let read_one = median(times, || {
        for _ in 0..20_000 {
            black_box(session.read(kind, &id).is_ok());
        }
    });
    let read_one = read_one.as_secs_f64() * 1e6 / 20_000.0;
    println!("{:<44}{:>10.2}{:>18}", "read by id through a session, hot (us)", read_one, "8");
    let patient = records
        .iter()
        .find(|r| r.kind() == ResourceType::from_name("Patient").expect("part of R4"))
        .and_then(|r| r.id())
        .unwrap_or_default();
    let chart_size = session.chart(patient)?.len();
    let chart = median(times, || drop(black_box(session.chart(patient))));
    println!(
        "{:<44}{:>10.0}{:>18}",
        format!("chart of {chart_size} resources (us)"),
        chart.as_secs_f64() * 1e6,
        "500 of 300"
    );

    // A durable commit against the bare sync of the disk.
    let probe = folder.path().join("probe");
    let mut file = std::fs::File::create(&probe)?;
    let sync = median(60, || {
        let _ = file.write_all(&[7; 4096]);
        let _ = file.sync_data();
    });
    let mut n = 0;
    let commit = median(60, || {
        n += 1;
        let json = format!("{{\"resourceType\":\"Basic\",\"id\":\"b{n}\",\"code\":{{\"text\":\"x\"}}}}");
        black_box(session.write(json.as_bytes()).is_ok());
    });
    let (sync_us, commit_us) = (sync.as_secs_f64() * 1e6, commit.as_secs_f64() * 1e6);
    println!("{:<44}{:>10.0}", "bare fdatasync of 4 KiB (us)", sync_us);
    println!("{:<44}{:>10.0}{:>9.2}{:>9}", "single-resource durable commit (us)", commit_us, commit_us / sync_us, "2");
    drop(session);
    drop(ehr);
    let mut opens = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        let ehr = Ehr::open(&store, &RawKey::new([1; 32]), Options::default())?;
        opens.push(start.elapsed());
        drop(ehr);
    }
    opens.sort();
    let open = opens[opens.len() / 2];
    println!("{:<44}{:>10.2}{:>18}", "open this store (ms)", open.as_secs_f64() * 1e3, "10");

    let many: String = (0..200_000).map(|k| format!(",\"k{k}\":1")).collect();
    let hostile = [
        ("200,000 unknown names", format!("{{\"resourceType\":\"Patient\"{many}}}")),
        ("10,000 levels", format!("{{\"resourceType\":\"Patient\",\"x\":{}", "[".repeat(10_000))),
        ("one string of 100 MB", format!("{{\"resourceType\":\"Patient\",\"x\":\"{}\"}}", "a".repeat(100_000_000))),
    ];
    for (name, text) in hostile {
        let start = Instant::now();
        black_box(read(text.as_bytes(), &Limits::DEFAULT).is_ok());
        let per_10_mb = start.elapsed().as_secs_f64() / (text.len() as f64 / 1e7).max(1.0);
        println!("{:<44}{:>10.3}{:>18}", format!("hostile: {name} (s for 10 MB)"), per_10_mb, "1");
    }
    Ok(())
}

fn row(name: &str, each: f64, ratio: f64, target: &str) {
    println!("{name:<44}{each:>10.2}{ratio:>9.2}{target:>9}");
}

fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    all.sort();
    all[all.len() / 2]
}
