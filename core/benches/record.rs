//! Reading and writing records, as ratios to the time `serde_json::Value` takes to parse the same bytes in the same run.
//!
//! `cargo bench -p ehrcore --bench record -- [FOLDER]`: FOLDER holds Bundles as JSON; without it, one made-up Bundle is used.
#![allow(clippy::print_stdout)]

use ehrcore::json;
use ehrcore::limits::Limits;
use ehrcore::record::Record;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 15;

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let bundles = folder.map_or_else(sample, |folder| bundles_in(&folder));
    let (mut pretty, mut compact) = (Vec::new(), Vec::new());
    for bytes in &bundles {
        let bundle = json::read(bytes, &Limits::DEFAULT).expect("a Bundle").record;
        for entry in bundle.root().list("entry") {
            if let Some(resource) = entry.get("resource") {
                pretty.push(resource.raw().to_vec());
                let mut out = Vec::new();
                Record::parse(resource.raw()).expect("a resource").write_json(&mut out);
                compact.push(out);
            }
        }
    }
    println!("| bytes | resources | MB | serde us | read/serde | write/serde | canonical/serde | MB/s |");
    println!("|---|---|---|---|---|---|---|---|");
    for (name, records) in [("compact", &compact), ("pretty", &pretty), ("whole Bundles", &bundles)] {
        row(name, records);
    }
}

fn row(name: &str, records: &[Vec<u8>]) {
    let parsed: Vec<Record> = records.iter().map(|bytes| Record::parse(bytes).expect("a resource")).collect();
    let (mut reference, mut read, mut write, mut canonical) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut out = Vec::new();
    for _ in 0..ROUNDS {
        reference.push(time(|| {
            for bytes in records {
                black_box(serde_json::from_slice::<serde_json::Value>(bytes).is_ok());
            }
        }));
        read.push(time(|| {
            for bytes in records {
                black_box(json::read(bytes, &Limits::DEFAULT).is_ok());
            }
        }));
        write.push(time(|| {
            for record in &parsed {
                out.clear();
                record.write_json(&mut out);
                black_box(out.len());
            }
        }));
        canonical.push(time(|| {
            for record in &parsed {
                black_box(record.canonical().len());
            }
        }));
    }
    let [reference, read, write, canonical] = [reference, read, write, canonical].map(median);
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!(
        "| {name} | {} | {:.1} | {:.2} | {:.3} | {:.3} | {:.3} | {:.0} |",
        records.len(),
        bytes as f64 / 1e6,
        reference / records.len() as f64 * 1e6,
        read / reference,
        write / reference,
        canonical / reference,
        bytes as f64 / 1e6 / read,
    );
}

fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn bundles_in(folder: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().filter(|p| p.extension().is_some_and(|e| e == "json")).take(12).flat_map(std::fs::read).collect()
}

/// Without a folder: one made-up Bundle of observations.
fn sample() -> Vec<Vec<u8>> {
    let entry = r#"{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{"resourceType":"Observation","id":"o1","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Body Height"},"subject":{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239521"},"effectiveDateTime":"2010-05-07T06:38:25+02:00","issued":"2010-05-07T06:38:25.001+02:00","valueQuantity":{"value":164.2,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}}}"#;
    let entries = vec![entry; 2_000].join(",");
    vec![format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#).into_bytes()]
}
