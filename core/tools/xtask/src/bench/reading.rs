//! Reading, checking and writing records, against `serde_json::Value` on the same bytes.

use super::{Samples, figure, median, median_processor, middle, processor, ratio};
use ehrcore::json::read;
use ehrcore::limits::Limits;
use ehrcore::record::Record;
use ehrcore::validate::Validator;
use ehrcore_synthetic::Charts;
use std::hint::black_box;
use std::time::Instant;

/// Gives the microseconds that `serde_json::Value` takes for a resource.
pub(super) fn run(samples: &Samples) -> Result<f64, Box<dyn std::error::Error>> {
    let (times, resources, compact) = (samples.times, &samples.resources, samples.compact()?);
    let bytes: usize = compact.iter().map(Vec::len).sum();
    println!("{} resources, {:.0} bytes each without white space", compact.len(), bytes as f64 / compact.len() as f64);

    let value = |b: &Vec<u8>| drop(black_box(serde_json::from_slice::<serde_json::Value>(b)));
    let ours = |b: &Vec<u8>| drop(black_box(read(b, &Limits::DEFAULT)));
    let reference = samples.each(median_processor(times, || compact.iter().for_each(value)));
    let pretty = samples.each(median_processor(times, || resources.iter().for_each(value)));
    println!("{:<52}{:>10}{:>9}{:>9}", "", "us each", "ratio", "at most");
    // Times of the processor: what else goes on does not count.
    ratio("serde_json::Value, no white space", reference, 1.0, "");
    ratio("serde_json::Value, indented", pretty, pretty / reference, "");
    let parse = samples.each(median_processor(times, || compact.iter().for_each(ours)));
    ratio("parse + structure + required bindings", parse, parse / reference, "0.5");
    let parse = samples.each(median_processor(times, || resources.iter().for_each(ours)));
    ratio("  the same, indented", parse, parse / pretty, "0.5");
    let rules = samples.each(median_processor(times, || {
        compact.iter().for_each(|b| drop(black_box(ehrcore::validate::read(b, &Limits::DEFAULT))));
    }));
    ratio("  and the invariants of R4, no white space", rules, rules / reference, "1.5");
    let r4 = Validator::builder().build()?;
    let full = samples.each(median_processor(times, || {
        compact.iter().for_each(|b| drop(black_box(r4.validate(b))));
    }));
    ratio("  and everything else of R4, by a Validator", full, full / reference, "1.5");
    made_up(times, &r4)?;
    let records: Vec<_> = compact.iter().map(|b| Record::parse(b)).collect::<Result<_, _>>()?;
    let mut out = Vec::new();
    let write = samples.each(median_processor(times, || {
        for record in &records {
            out.clear();
            record.write_json(&mut out);
            black_box(&out);
        }
    }));
    ratio("write back", write, write / reference, "0.2");
    two_threads(times, &compact);
    hostile();
    Ok(reference)
}

/// Made-up charts, which say that they follow US Core: by R4 alone, and against its profiles.
fn made_up(times: usize, r4: &Validator) -> crate::Done {
    let texts: Vec<Vec<u8>> =
        Charts::new(5).patients(20).flat_map(|chart| chart.resources).map(|one| one.json.into_bytes()).collect();
    let value = |b: &Vec<u8>| drop(black_box(serde_json::from_slice::<serde_json::Value>(b)));
    let reference = median_processor(times, || texts.iter().for_each(value)).as_secs_f64();
    let against = |name: &str, validator: &Validator, most: &str| {
        let full = median_processor(times, || texts.iter().for_each(|b| drop(black_box(validator.validate(b)))));
        ratio(name, full.as_secs_f64() / texts.len() as f64 * 1e6, full.as_secs_f64() / reference, most);
    };
    against("made-up charts, everything of R4, by a Validator", r4, "1.5");
    let archive = crate::suites().join("definitions/hl7.fhir.us.core-6.1.0.tar.xz");
    if !archive.is_file() {
        println!("SKIPPED: US Core 6.1.0 is not there");
        return Ok(());
    }
    let unpacked = tempfile::tempdir()?;
    if !std::process::Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(unpacked.path()).status()?.success() {
        return Err("tar (with xz) is needed to unpack an archive of the suite".into());
    }
    let start = Instant::now();
    let validator = Validator::builder().package(unpacked.path())?.build()?;
    drop(black_box(texts.first().map(|text| validator.validate(text))));
    figure("US Core 6.1.0 from a folder to the first verdict (ms)", start.elapsed().as_secs_f64() * 1e3, 0, "150");
    against("made-up charts against US Core 6.1.0", &validator, "2.5");
    Ok(())
}

/// How much faster two threads check than one, by the clock and by what each has to do.
fn two_threads(times: usize, lines: &[Vec<u8>]) {
    let check = |lines: &[Vec<u8>]| lines.iter().for_each(|line| drop(black_box(read(line, &Limits::DEFAULT))));
    let one = median(times, || check(lines));
    let one_worked = median_processor(times, || check(lines));
    let mut longest = Vec::new();
    let two = median(times, || {
        // Small pieces in turn, so that neither thread waits for the other at the end.
        let work = |first: usize| {
            let start = processor();
            lines.chunks(64).skip(first).step_by(2).for_each(check);
            processor() - start
        };
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| work(1));
            (work(0), other.join().unwrap_or_default())
        });
        longest.push(first.max(second));
    });
    let times_as_fast = |one: std::time::Duration, two: std::time::Duration| one.as_secs_f64() / two.as_secs_f64();
    figure("checking on two threads, times as fast", times_as_fast(one, two), 2, "1.9 or more");
    figure("  by the longer one's processor time", times_as_fast(one_worked, middle(&mut longest)), 2, "1.9 or more");
}

fn hostile() {
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
        figure(&format!("hostile: {name} (s for 10 MB)"), per_10_mb, 3, "1");
    }
}
