//! The made-up charts are valid and go the whole path.

use crate::path::{administrator, create, kind, physician};
use ehrcore::ehr::{SearchOptions, VerifyLevel};
use ehrcore::exchange::ImportOptions;
use ehrcore::json::read;
use ehrcore::limits::Limits;
use ehrcore_synthetic::Charts;

#[test]
fn made_up_charts_have_no_structural_finding() {
    for chart in Charts::new(42).patients(20) {
        for resource in &chart.resources {
            let parsed = read(resource.json.as_bytes(), &Limits::DEFAULT).expect("well-formed");
            assert_eq!(parsed.report.issues(), [], "{}", resource.kind);
        }
    }
}

/// Fifty words that must be readable nowhere: not in the file, not in an error.
#[test]
fn planted_markers_are_in_no_byte_of_the_store_and_in_no_error() {
    let markers: Vec<String> = (0..50).map(|n| format!("Zzmarker{n:02}q")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("source.ndjson");
    let charts = Charts::new(3).with_markers(markers.clone());
    let text: String = charts.patients(50).map(|chart| chart.ndjson()).collect();
    let lines: Vec<&str> = text.lines().collect();
    // Some are broken, so that quarantine holds markers too.
    let broken: String = lines
        .iter()
        .enumerate()
        .map(|(n, l)| if n % 97 == 0 { l.replacen("\"status\"", "\"sttus\"", 1) + "\n" } else { format!("{l}\n") })
        .collect();
    std::fs::write(&source, broken).expect("a file");
    let ehr = create(folder.path());
    let summary = administrator(&ehr).import(&source, &ImportOptions::default(), &mut ()).expect("it imports");
    assert_eq!(summary.stored + summary.unchanged + summary.quarantined + summary.refused, summary.entries);
    assert!(summary.quarantined > 0);
    let session = physician(&ehr);
    let mut said = String::new();
    let calls = if std::env::var_os("EHRCORE_FULL").is_some() { 10_000 } else { 1_000 };
    for n in 0..calls {
        let marker = &markers[n % 50];
        let errors = [
            session.write(format!(r#"{{"resourceType":"Patient","id":"{marker}","{marker}":1,"gender":"{marker}","birthDate":"{marker}"}}"#).as_bytes()).map(|_| ()),
            session.write(format!(r#"{{"resourceType":"{marker}"}}"#).as_bytes()).map(|_| ()),
            session.write(format!(r#"{{"resourceType":"Patient","id":"{marker}""#).as_bytes()).map(|_| ()),
            session.read(kind("Patient"), marker).map(|_| ()),
            session.search(kind("Patient"), &format!("{marker}={marker}"), SearchOptions::default()).map(|_| ()),
        ];
        for error in errors {
            let error = error.expect_err("each of these fails");
            said.push_str(&format!("{error} {error:?} {:?}", error.issues()));
        }
    }
    said.push_str(&format!("{session:?} {ehr:?}"));
    drop((session, ehr));
    let mut bytes = std::fs::read(folder.path().join("clinic.ehr")).expect("the file");
    bytes.make_ascii_lowercase();
    for marker in &markers {
        assert!(!said.contains(marker.as_str()));
        assert!(memchr::memmem::find(&bytes, marker.to_lowercase().as_bytes()).is_none());
    }
}

#[test]
fn a_chart_goes_in_and_comes_out_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("chart.json");
    let chart = Charts::new(9).patient(4);
    std::fs::write(&source, chart.transaction()).expect("a file");
    let ehr = create(folder.path());
    let session = administrator(&ehr);
    session.import(&source, &ImportOptions::default(), &mut ()).expect("it imports");
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("a folder");
    let summary = session.export_ndjson(&out).expect("it exports");
    assert_eq!(summary.total() as usize, chart.resources.len());
    for resource in &chart.resources {
        let file = std::fs::read_to_string(out.join(format!("{}.ndjson", resource.kind))).expect("a file of the type");
        assert!(file.lines().any(|line| line == resource.json));
    }
    let bundle = session.export_chart(&chart.patient_id).expect("it exports");
    let parsed = read(&bundle, &Limits::DEFAULT).expect("well-formed");
    assert!(parsed.report.is_valid());
    assert_eq!(
        session.verify(VerifyLevel::Records, None).expect("all is well").records as usize,
        chart.resources.len()
    );
}
