//! Reading and writing records, as ratios to the time `serde_json::Value` takes to parse the same bytes in the same run.
//!
//! `cargo bench -p ehrcore --bench record -- [FOLDER]`: FOLDER holds Bundles as JSON; without it, one made-up Bundle is used.
#![allow(clippy::print_stdout)]

use ehrcore::fhirpath::{Expression, Scope};
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
    expressions(&compact);
    println!();
    println!("| hostile input | MB | s per 10 MB (at most 1) |");
    println!("|---|---|---|");
    for (name, text) in hostile() {
        let limits = Limits { bytes: usize::MAX, nodes: usize::MAX, ..Limits::DEFAULT };
        let seconds = time(|| {
            black_box(json::read(&text, &limits).is_ok());
            black_box(json::read_document(&text, &limits).is_ok());
        });
        println!("| {name} | {:.1} | {:.3} |", text.len() as f64 / 1e6, seconds / (text.len() as f64 / 1e7));
    }
}

/// Compiled expressions over parsed records.
fn expressions(records: &[Vec<u8>]) {
    println!();
    println!("| expression | records | ns an evaluation (at most 300) |");
    println!("|---|---|---|");
    let patient = br#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"1"},"name":[{"use":"official","family":"Ito","given":["Aiko","Mei"]},{"use":"maiden","family":"Abe","given":["Aiko"]}],"gender":"female","birthDate":"1974-12-25"}"#;
    let patient = Record::parse(patient).expect("a resource");
    let parsed = records.iter().map(|bytes| Record::parse(bytes).expect("a resource"));
    let observations: Vec<Record> = parsed.filter(|record| record.kind().name() == "Observation").take(200).collect();
    for (text, records) in [
        ("Observation.code.coding.where(system='http://loinc.org').code", observations),
        ("Patient.name.where(use='official').given.first()", vec![patient; 200]),
    ] {
        let expression = Expression::compile(text).expect("an expression");
        let times = (0..ROUNDS * 10).map(|_| {
            time(|| {
                for record in &records {
                    black_box(expression.evaluate(&Scope::new(record.root())).is_ok());
                }
            })
        });
        println!("| `{text}` | {} | {:.0} |", records.len(), median(times.collect()) / records.len() as f64 * 1e9);
    }
}

/// Text made to cost more than its length.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let patient = |inside: &str| format!(r#"{{"resourceType":"Patient",{inside}}}"#).into_bytes();
    let keys = |count: usize, key: &dyn Fn(usize) -> String| (0..count).map(key).collect::<Vec<_>>().join(",");
    let late = (0..30).fold(r#"{"resourceType":"Patient"}"#.to_owned(), |inner, _| {
        let pad = "1,".repeat(100_000);
        format!(r#"{{"type":"collection","x":[{pad}1],"entry":[{{"resource":{inner}}}],"resourceType":"Bundle"}}"#)
    });
    vec![
        ("200,000 unknown names", patient(&keys(200_000, &|n| format!(r#""k{n}":{n}"#)))),
        (
            "200,000 times the same pair",
            patient(&keys(200_000, &|_| r#""birthDate":"2000","_birthDate":{"id":"a"}"#.into())),
        ),
        ("10,000 levels, 1,000 times", keys(1_000, &|_| "[".repeat(10_000)).into_bytes()),
        ("one string of 100 MB", patient(&format!(r#""id":"{}""#, "x".repeat(100 << 20)))),
        ("one string of 100 MB of escapes", patient(&format!(r#""id":"{}""#, "\\u0041".repeat(100 << 18)))),
        ("one code of 100 MB", patient(&format!(r#""gender":"{}""#, "x".repeat(100 << 20)))),
        (
            "narrative of small tags",
            patient(&format!(r#""text":{{"status":"generated","div":"<div>{}</div>"}}"#, "<b></b>".repeat(2 << 20))),
        ),
        (
            "narrative of open tags",
            patient(&format!(r#""text":{{"status":"generated","div":"<div>{}</div>"}}"#, "<".repeat(10 << 20))),
        ),
        ("a million items that do not fit", patient(&format!(r#""name":[{}]"#, keys(1_000_000, &|_| "1".into())))),
        ("types at the end, 30 deep", late.into_bytes()),
        (
            "200,000 contained with one id",
            patient(&format!(r#""contained":[{}]"#, keys(200_000, &|_| r#"{"resourceType":"Basic","id":"a"}"#.into()))),
        ),
        (
            "200,000 entries of one fullUrl",
            format!(
                r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#,
                keys(200_000, &|_| r#"{"fullUrl":"urn:x","resource":{"resourceType":"Basic"}}"#.into())
            )
            .into_bytes(),
        ),
        ("line ends only", "\n".repeat(50 << 20).into_bytes()),
    ]
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
