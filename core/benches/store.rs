//! Figures of the store on a folder of Bundles: `EHRCORE_CHARTS=folder cargo bench -p ehrcore --bench store`.
//!
//! Everything in one run and on one thread, so that ratios can be trusted on a busy machine.
#![allow(clippy::print_stdout)]

use ehrcore::id::SystemRandom;
use ehrcore::json;
use ehrcore::keys::RawKey;
use ehrcore::limits::Limits;
use ehrcore::record::Record;
use ehrcore::schema::ResourceType;
use ehrcore::search::Query;
use ehrcore::store::{PutMeta, Store, Table};
use ehrcore::time::Timestamp;
use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// One source: its records, and what its addresses stand for.
struct Chart {
    records: Vec<Record>,
    addresses: HashMap<String, String>,
}

fn read(path: &Path) -> Option<Chart> {
    let bytes = std::fs::read(path).ok()?;
    let document = json::read_document(&bytes, &Limits::DEFAULT).ok()?;
    let (mut records, mut addresses) = (Vec::new(), HashMap::new());
    for entry in document.root().list("entry") {
        let record = Record::parse(&compact(entry.get("resource")?.raw())).ok()?;
        if let (Some(url), Some(id)) = (entry.text("fullUrl"), record.id()) {
            addresses.insert(url.into_owned(), format!("{}/{id}", record.kind()));
        }
        records.push(record);
    }
    Some(Chart { records, addresses })
}

fn compact(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Record::parse(bytes).expect("a resource").write_json(&mut out);
    out
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn create(path: &Path) -> Store {
    Store::create(path, &RawKey::new([1; 32]), Arc::new(SystemRandom::default()), 32 << 20).expect("a new store")
}

fn open(path: &Path) -> Store {
    Store::open(path, &RawKey::new([1; 32]), Arc::new(SystemRandom::default()), 32 << 20, false).expect("the store")
}

fn main() {
    let Some(folder) = std::env::var_os("EHRCORE_CHARTS") else {
        println!("SKIPPED: set EHRCORE_CHARTS to a folder of FHIR Bundles");
        return;
    };
    let rounds: usize = std::env::var("EHRCORE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let charts: Vec<Chart> = paths.iter().filter_map(|path| read(path)).collect();
    let count: usize = charts.iter().map(|chart| chart.records.len()).sum::<usize>();
    let bytes: usize = charts.iter().flat_map(|chart| &chart.records).map(|record| record.original().len()).sum();
    println!("{count} resources of {} charts, {:.1} MB", charts.len(), bytes as f64 / 1e6);
    let scratch = std::env::var_os("EHRCORE_SCRATCH").map_or_else(std::env::temp_dir, Into::into);
    let path = scratch.join(format!("ehrcore-bench-{}.ehr", std::process::id()));

    let start = Instant::now();
    for chart in &charts {
        for record in &chart.records {
            ehrcore::search::extract(record, |_, value| {
                black_box(value);
            });
        }
    }
    println!("extract            {:8.2} us/resource", start.elapsed().as_secs_f64() * 1e6 / count as f64);

    let mut per_resource = Vec::new();
    for round in 0..rounds {
        let _ = std::fs::remove_file(&path);
        let store = create(&path);
        let start = Instant::now();
        for batch in charts.chunks(16) {
            let mut change = store.change(Timestamp(1), "bench").expect("a change");
            for chart in batch {
                let resolve = |address: &str| chart.addresses.get(address).cloned();
                for record in &chart.records {
                    change
                        .put(record, &PutMeta { resolve: &resolve, source: 1, entry: 1, ..PutMeta::DIRECT })
                        .expect("put");
                }
            }
            change.commit().expect("commit");
        }
        per_resource.push(start.elapsed().as_secs_f64() * 1e6 / count as f64);
        if round + 1 == rounds {
            let before = std::fs::metadata(&path).expect("the file").len();
            for table in Table::ALL {
                let (mut rows, mut keys, mut values) = (0, 0, 0);
                let snapshot = store.snapshot().expect("a view");
                let mut add = |key: &[u8], value: &[u8]| {
                    rows += 1;
                    keys += key.len();
                    values += value.len();
                    true
                };
                snapshot.view().range(table, &[], &[0xff; 20], &mut add).expect("readable");
                let each = |bytes: usize| bytes as f64 / count as f64;
                println!("  {table:<12?} {rows:8} rows {:8.1} + {:.1} bytes/resource", each(keys), each(values));
            }
            let mut store = store;
            store.compact().expect("compact");
            drop(store);
            let after = std::fs::metadata(&path).expect("the file").len();
            println!(
                "on disk            {:8.0} bytes/resource, {:.0} compacted",
                before as f64 / count as f64,
                after as f64 / count as f64
            );
        }
    }
    println!("bulk put+commit    {:8.2} us/resource", median(per_resource));

    let start = Instant::now();
    let store = open(&path);
    println!("open               {:8.3} ms", start.elapsed().as_secs_f64() * 1e3);

    let ids: Vec<(ResourceType, String)> =
        charts[0].records.iter().filter_map(|record| Some((record.kind(), record.id()?.to_owned()))).collect();
    let snapshot = store.snapshot().expect("a view");
    let times = (0..20_000)
        .map(|n| {
            let (kind, id) = &ids[n % ids.len()];
            let start = Instant::now();
            black_box(snapshot.current(*kind, id).expect("readable").expect("there"));
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    println!("read by id, hot    {:8.2} us", median(times));
    let times = (0..20_000)
        .map(|n| {
            let (kind, id) = &ids[n % ids.len()];
            let start = Instant::now();
            black_box(store.snapshot().expect("a view").current(*kind, id).expect("readable").expect("there"));
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    println!("  with a snapshot  {:8.2} us", median(times));

    for warm in [false, true] {
        let mut times = Vec::new();
        for patient in snapshot.patients().expect("readable") {
            let start = Instant::now();
            let chart = snapshot.chart(patient).expect("readable");
            times.push(start.elapsed().as_secs_f64() * 1e6 / chart.len().max(1) as f64 * 300.0);
            if warm {
                let start = Instant::now();
                black_box(snapshot.chart(patient).expect("readable"));
                *times.last_mut().expect("pushed") =
                    start.elapsed().as_secs_f64() * 1e6 / chart.len().max(1) as f64 * 300.0;
            }
        }
        println!("chart of 300, {} {:8.1} us", if warm { "warm" } else { "cold" }, median(times));
    }

    for (kind, text) in [
        ("Patient", "name=smi"),
        ("Observation", "code=8302-2&_count=50"),
        ("Observation", "status=final&date=ge2019"),
        ("Condition", "clinical-status=active"),
    ] {
        let query = Query::parse(ResourceType::from_name(kind).expect("part of R4"), text).expect("a query");
        let times = (0..50)
            .map(|_| {
                let start = Instant::now();
                black_box(snapshot.search(&query, None, 50, &()).expect("it searches").records.len());
                start.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        println!("search             {:8.1} us  {kind}?{text}", median(times));
    }

    let commits: usize = std::env::var("EHRCORE_COMMITS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let times: Vec<f64> = (0..commits)
        .map(|n| {
            let json = format!(
                r#"{{"resourceType":"Observation","id":"bench-{n}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8302-2"}}]}},"subject":{{"reference":"Patient/bench-{}"}}}}"#,
                n % 10
            );
            let record = Record::parse(json.as_bytes()).expect("a resource");
            let start = Instant::now();
            let mut change = store.change(Timestamp(2), "bench").expect("a change");
            change.put(&record, &PutMeta::DIRECT).expect("put");
            change.commit().expect("commit");
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    println!("one durable commit {:8.0} us", median(times));
    for writers in [4_usize, 16] {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for writer in 0..writers {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..100 {
                        let json = format!(
                            r#"{{"resourceType":"Observation","id":"w{writers}-{writer}-{n}","status":"final","code":{{"coding":[{{"code":"1"}}]}},"subject":{{"reference":"Patient/w{writer}"}}}}"#,
                        );
                        let record = Record::parse(json.as_bytes()).expect("a resource");
                        let mut change = store.change(Timestamp(3), "bench").expect("a change");
                        change.put(&record, &PutMeta::DIRECT).expect("put");
                        change.commit().expect("commit");
                    }
                });
            }
        });
        println!(
            "{writers:2} writers         {:8.0} durable commits/s",
            (writers * 100) as f64 / start.elapsed().as_secs_f64()
        );
    }
    let file = std::fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path.with_extension("sync"))
        .expect("a file");
    let times = (0..200)
        .map(|_| {
            use std::io::Write;
            let start = Instant::now();
            (&file).write_all(&[7; 4096]).expect("written");
            file.sync_data().expect("synced");
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    println!("bare fdatasync 4 K {:8.0} us", median(times));
    let _ = std::fs::remove_file(path.with_extension("sync"));
    let _ = std::fs::remove_file(&path);
}
