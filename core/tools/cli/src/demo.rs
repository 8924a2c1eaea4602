//! `ehr demo`: a practice's charts go in, are checked, kept, found, shown and come out whole; each stage has a check that can
//! fail.

use crate::{Done, Failure};
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, Options, SearchOptions, Session, VerifyLevel};
use ehrcore::error::Code;
use ehrcore::exchange::ImportOptions;
use ehrcore::id::{Random, SystemRandom};
use ehrcore::keys::RawKey;
use ehrcore::schema::ResourceType;
use ehrcore_synthetic::Charts;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

struct Checks {
    rows: Vec<(&'static str, String, bool)>,
}

impl Checks {
    fn check(&mut self, stage: &'static str, passed: bool, figure: String) {
        println!("{:>2}  {}  {stage}: {figure}", self.rows.len() + 1, if passed { "pass" } else { "FAIL" });
        self.rows.push((stage, figure, passed));
    }
}

fn kind(name: &str) -> ResourceType {
    ResourceType::from_name(name).expect("a type of R4")
}

fn clinician(ehr: &Ehr) -> Result<Session, Failure> {
    Ok(ehr.session(Actor::new("dr-grey", Role::Physician), Purpose::Treatment)?)
}

pub(crate) fn administrator(ehr: &Ehr) -> Result<Session, Failure> {
    Ok(ehr.session(Actor::new("office", Role::Administrator), Purpose::Operations)?)
}

pub(crate) fn run(out: &Path, patients: u64) -> Done {
    std::fs::create_dir_all(out)?;
    let (file, source) = (out.join("clinic.ehr"), out.join("charts.ndjson"));
    let _ = std::fs::remove_file(&file);
    let mut bytes = [0; 32];
    SystemRandom::default().fill(&mut bytes)?;
    let key = || RawKey::new(bytes);
    let mut checks = Checks { rows: Vec::new() };
    println!("Elm Street Practice, {patients} made-up patients; everything stays in {}", out.display());

    // The charts, with words planted that must be readable nowhere, and some records spoiled.
    let markers: Vec<String> = (0..50).map(|n| format!("Qqplanted{n:02}")).collect();
    let charts = Charts::new(2026).with_markers(markers.clone());
    let (mut entries, mut spoiled, mut distinct) = (0_u64, 0_u64, std::collections::HashSet::new());
    let mut writer = std::io::BufWriter::new(std::fs::File::create(&source)?);
    for chart in charts.patients(patients) {
        for resource in &chart.resources {
            entries += 1;
            if resource.kind == "DiagnosticReport" && entries % 40 == 0 {
                spoiled += 1;
                writeln!(writer, "{}", resource.json.replacen("\"status\":\"final\"", "\"status\":\"finished\"", 1))?;
            } else {
                distinct.insert(resource.id.clone());
                writeln!(writer, "{}", resource.json)?;
            }
        }
    }
    writer.flush()?;
    drop(writer);

    let ehr = Ehr::create(&file, &key(), Options::default())?;
    let office = administrator(&ehr)?;
    let start = Instant::now();
    let first = office.import(&source, &ImportOptions::default(), &mut ())?;
    let seconds = start.elapsed().as_secs_f64();
    let sum = first.stored + first.unchanged + first.quarantined + first.refused;
    checks.check(
        "Charts go in, the ledger adds up",
        first.entries == entries && sum == entries && first.stored == distinct.len() as u64,
        format!("{entries} entries, {} stored, {:.0} a second", first.stored, entries as f64 / seconds),
    );
    let kept = office.quarantine()?;
    checks.check(
        "Bad records are kept aside with the reason",
        first.quarantined == spoiled && kept.iter().all(|k| k.issues.iter().any(|i| i.code == Code::CodeUnknown)),
        format!("{} of {spoiled} planted", kept.len()),
    );
    let mut released = 0;
    for one in &kept {
        let text = String::from_utf8_lossy(one.bytes.expose()).replacen("\"finished\"", "\"final\"", 1);
        office.release(one.number, Some(text.as_bytes()))?;
        released += 1;
    }
    checks.check("Mended records are released", office.quarantine()?.is_empty(), format!("{released} released"));
    let again = office.import(&source, &ImportOptions::default(), &mut ())?;
    checks.check("The same file again changes nothing", again.stored == 0, format!("{} new versions", again.stored));

    let doctor = clinician(&ehr)?;
    let sample = charts.patient(patients / 2);
    let name = sample.family.to_lowercase();
    let found = doctor.search(kind("Patient"), &format!("name={name}"), SearchOptions::default())?;
    let by_code = doctor.search(
        kind("Observation"),
        &format!("patient={}&code=85354-9", sample.patient_id),
        SearchOptions::default(),
    )?;
    let wanted = sample.resources.iter().filter(|r| r.json.contains("85354-9")).count();
    checks.check(
        "A patient is found by name, results by code",
        found.records.iter().any(|r| r.id() == sample.patient_id) && by_code.records.len() == wanted.min(100),
        format!("{} by name, {} blood pressures", found.records.len(), by_code.records.len()),
    );
    let mut equal = 0;
    for resource in &sample.resources {
        equal += usize::from(doctor.read(kind(resource.kind), &resource.id)?.bytes() == resource.json.as_bytes());
    }
    checks.check(
        "Every byte comes back",
        equal == sample.resources.len(),
        format!("{equal} of {}", sample.resources.len()),
    );
    // A copy while the store is open, and the file as it is now: what is changed after this is in neither.
    let (earlier, copy) = (std::fs::read(&file)?, out.join("copy.ehr"));
    let _ = std::fs::remove_file(&copy);
    let copied = office.backup(&copy, &mut |_, _| true)?;
    let again = Ehr::open(&copy, &key(), Options::default())?;
    let same = clinician(&again)?.read(kind("Patient"), &sample.patient_id)?.bytes()
        == doctor.read(kind("Patient"), &sample.patient_id)?.bytes();
    drop(again);
    checks.check("A copy is made while the store is open", same, format!("{} pages", copied.copied));
    let before = doctor.read(kind("Patient"), &sample.patient_id)?;
    let amended = String::from_utf8_lossy(before.bytes()).replacen("\"home\"", "\"mobile\"", 1);
    let written = doctor.write_if_match(amended.as_bytes(), before.version())?;
    let then = doctor.as_of(kind("Patient"), &sample.patient_id, before.at())?;
    checks.check(
        "An amendment keeps what was",
        written.version == before.version() + 1 && then.bytes() == before.bytes(),
        format!("version {} now, {} as of before", written.version, then.version()),
    );
    let lost = doctor.write_if_match(amended.as_bytes(), before.version()).map(|_| ()).map_err(|e| e.code());
    checks.check("A change made on an old version is refused", lost == Err(Code::Conflict), "conflict".to_owned());

    let analyst = ehr.session(Actor::new("analyst", Role::Analyst), Purpose::Research)?;
    let denied = analyst.read(kind("Patient"), &sample.patient_id).map(|_| ()).map_err(|e| e.code());
    let counted = analyst.count(kind("Patient"), "")?.0;
    checks.check(
        "An analyst may count and not read",
        denied == Err(Code::Denied) && counted == patients,
        format!("{counted} counted"),
    );
    let own = Actor::of_patient("portal", Role::Patient, &sample.patient_id);
    let own = ehr.session(own, Purpose::PatientRequest)?;
    let other = own.chart(&charts.patient(0).patient_id).map(|_| ()).map_err(|e| e.code());
    let chart = own.chart(&sample.patient_id)?;
    checks.check(
        "A patient sees the own chart only",
        other == Err(Code::NotFound) && !chart.is_empty(),
        format!("{} records", chart.len()),
    );
    let page = doctor.chart_page(&sample.patient_id)?;
    let quiet = !page.contains("<script") && !page.contains("http://") && !page.contains("https://");
    checks.check(
        "A chart page that needs nothing else",
        quiet && page.contains(&sample.family),
        format!("{} bytes", page.len()),
    );
    std::fs::write(out.join("chart.html"), page)?;
    drop((analyst, own, doctor));

    let verified = office.verify(VerifyLevel::Records, None)?;
    checks.check(
        "The audit log and every record verify",
        verified.patients == patients,
        format!("{} events, {} records", verified.events, verified.records),
    );
    let export = out.join("export");
    std::fs::create_dir_all(&export)?;
    let exported = office.export_ndjson(&export)?;
    checks.check(
        "Everything goes out again",
        exported.total() == verified.records,
        format!("{} records", exported.total()),
    );
    std::fs::write(out.join("chart.json"), office.export_chart(&sample.patient_id)?)?;
    let mut lines = String::new();
    office.ledger(|line| {
        let _ = writeln!(
            lines,
            "{{\"source\":{},\"entry\":{},\"fate\":\"{}\"}}",
            line.source,
            line.entry,
            line.fate.name()
        );
    })?;
    std::fs::write(out.join("ledger.ndjson"), lines)?;
    let checked = office.check(None, &mut |_, _| true)?;
    checks.check(
        "Every index says what the records say",
        checked.is_sound(),
        format!("{} entries, {} places damaged", checked.entries, checked.found),
    );
    let head = ehr.audit_head()?.ok_or(Failure::Usage("there is no audit log"))?;
    drop((office, ehr));

    let raw = std::fs::read(&file)?;
    let hits =
        markers.iter().filter(|marker| raw.windows(marker.len()).any(|window| window == marker.as_bytes())).count();
    checks.check(
        "No planted word is readable in the file",
        hits == 0,
        format!("{hits} of 50 found in {} bytes", raw.len()),
    );
    let wrong = Ehr::open(&file, &RawKey::new([9; 32]), Options::default()).map(|_| ()).map_err(|e| e.code());
    checks.check("Another key does not open it", wrong == Err(Code::WrongKey), "wrong-key".to_owned());
    checks.check("Flipped bytes are found, never believed", flips(out, &raw, bytes, &sample)?, "20 copies".to_owned());

    let evidence = crate::tamper::Evidence { out, key: bytes, now: &raw, earlier: &earlier, copy: &copy, head: &head };
    for attempt in crate::tamper::run(&evidence)? {
        let figure = attempt.noticed.clone().unwrap_or_else(|| "not noticed".to_owned());
        checks.check(attempt.what, attempt.noticed.is_some(), figure);
    }

    let passed = checks.rows.iter().filter(|row| row.2).count();
    report(&out.join("report.html"), &checks)?;
    println!("{passed} passed, {} failed", checks.rows.len() - passed);
    if passed == checks.rows.len() { Ok(()) } else { Err(Failure::Findings) }
}

/// Flips one byte in each of some copies: what is read is right or refused.
fn flips(out: &Path, raw: &[u8], key: [u8; 32], sample: &ehrcore_synthetic::Chart) -> Result<bool, Failure> {
    let copy = out.join("flipped.ehr");
    let mut right = true;
    for n in 0..20_usize {
        let mut bytes = raw.to_vec();
        let at = (raw.len() / 20) * n + raw.len() / 41;
        bytes[at] ^= 0x10;
        std::fs::write(&copy, &bytes)?;
        let Ok(ehr) = Ehr::open(&copy, &RawKey::new(key), Options::default()) else { continue };
        let Ok(doctor) = ehr.session(Actor::new("dr-grey", Role::Physician), Purpose::Treatment) else { continue };
        for resource in sample.resources.iter().skip(3) {
            if let Ok(stored) = doctor.read(kind(resource.kind), &resource.id) {
                let released = resource.kind == "DiagnosticReport" || resource.kind == "Patient";
                right &= released || stored.bytes() == resource.json.as_bytes();
            }
        }
    }
    let _ = std::fs::remove_file(copy);
    Ok(right)
}

fn report(file: &Path, checks: &Checks) -> Done {
    let mut rows = String::new();
    for (n, (stage, figure, passed)) in checks.rows.iter().enumerate() {
        let (class, word) = if *passed { ("pass", "passed") } else { ("fail", "FAILED") };
        let _ = write!(
            rows,
            "<tr class=\"{class}\"><td>{}</td><td>{stage}</td><td>{figure}</td><td>{word}</td></tr>",
            n + 1
        );
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>ehr demo</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}}\
         table{{border-collapse:collapse;width:100%}}td{{border-bottom:1px solid #ccc;padding:.4rem}}.pass td:last-child{{color:#0a6b2d}}\
         .fail td:last-child{{color:#b00020;font-weight:bold}}</style><h1>From an EMR to an EHR, in one file</h1>\
         <table><tbody>{rows}</tbody></table>"
    );
    std::fs::write(file, html)?;
    Ok(())
}
