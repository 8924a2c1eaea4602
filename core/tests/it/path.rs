//! The whole path: charts go in, are checked, kept, found and come out whole.

use crate::suites::{folder as suite, unpack};
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, Options, SearchOptions, Session, VerifyLevel, Write};
use ehrcore::error::Code;
use ehrcore::exchange::ImportOptions;
use ehrcore::keys::RawKey;
use ehrcore::schema::ResourceType;
use std::path::Path;

pub fn kind(name: &str) -> ResourceType {
    ResourceType::from_name(name).expect("part of R4")
}

pub fn key() -> RawKey {
    RawKey::new([7; 32])
}

pub fn create(folder: &Path) -> Ehr {
    Ehr::create(folder.join("clinic.ehr"), &key(), Options::default()).expect("a new store")
}

pub fn physician(ehr: &Ehr) -> Session {
    ehr.session(Actor::new("dr-grey", Role::Physician), Purpose::Treatment).expect("a session")
}

pub fn administrator(ehr: &Ehr) -> Session {
    ehr.session(Actor::new("admin", Role::Administrator), Purpose::Operations).expect("a session")
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}],"birthDate":"1970-01-01"}"#;

#[test]
fn a_record_is_written_read_found_amended_and_its_history_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = physician(&ehr);
    let written = session.write(PATIENT.as_bytes()).expect("it is valid");
    assert_eq!((written.version, written.changed), (1, true));
    assert!(!session.write(PATIENT.as_bytes()).expect("it is valid").changed);
    let amended = PATIENT.replace("Doe", "Roe");
    assert_eq!(session.write_if_match(amended.as_bytes(), 9).map(|_| ()).unwrap_err().code(), Code::Conflict);
    assert_eq!(session.write_if_match(amended.as_bytes(), 1).expect("it matches").version, 2);
    assert_eq!(session.read(kind("Patient"), "p1").expect("there").bytes(), amended.as_bytes());
    assert_eq!(session.read_version(kind("Patient"), "p1", 1).expect("there").bytes(), PATIENT.as_bytes());
    assert_eq!(session.history(kind("Patient"), "p1").expect("there").len(), 2);
    let page = session.search(kind("Patient"), "name=roe", SearchOptions::default()).expect("it searches");
    assert_eq!(page.records.len(), 1);
    session.delete(kind("Patient"), "p1").expect("it is there");
    assert!(session.read(kind("Patient"), "p1").unwrap_err().is_not_found());
}

#[test]
fn an_invalid_record_is_refused_with_its_findings_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = physician(&ehr);
    let wrong = br#"{"resourceType":"Patient","id":"p2","birthDate":"1970-13-01","gender":"F"}"#;
    let error = session.write(wrong).unwrap_err();
    assert_eq!((error.code(), error.issues().len()), (Code::RecordInvalid, 2));
    let both = vec![Write::Put(PATIENT.into()), Write::Put(wrong.to_vec())];
    assert_eq!(session.change_set(both).map(|_| ()).unwrap_err().code(), Code::RecordInvalid);
    assert!(session.read(kind("Patient"), "p1").unwrap_err().is_not_found());
}

#[test]
fn what_the_role_may_not_do_is_denied_and_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    physician(&ehr).write(PATIENT.as_bytes()).expect("it is valid");
    physician(&ehr).write(PATIENT.replace("p1", "p2").as_bytes()).expect("it is valid");
    let analyst = ehr.session(Actor::new("ana", Role::Analyst), Purpose::Research).expect("a session");
    assert!(analyst.read(kind("Patient"), "p1").unwrap_err().is_denied());
    assert_eq!(analyst.count(kind("Patient"), "name=doe").expect("counts only").0, 2);
    let own =
        ehr.session(Actor::of_patient("p1-login", Role::Patient, "p1"), Purpose::PatientRequest).expect("a session");
    assert_eq!(own.read(kind("Patient"), "p1").expect("own record").id(), "p1");
    // What names no known patient may be anybody's; what belongs to no patient is for all.
    let nobodys = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:0aaaaaaa-0000-4000-8000-000000000009"}}"#;
    physician(&ehr).write(nobodys.as_bytes()).expect("it is valid");
    physician(&ehr).write(br#"{"resourceType":"Practitioner","id":"d1"}"#).expect("it is valid");
    assert!(own.read(kind("Observation"), "o1").unwrap_err().is_not_found());
    assert!(own.history(kind("Observation"), "o1").unwrap_err().is_not_found());
    let seen = own.search(kind("Observation"), "status=final", SearchOptions::default()).expect("it searches");
    assert!(seen.records.is_empty());
    assert_eq!(own.read(kind("Practitioner"), "d1").expect("for all").id(), "d1");
    // Another's record gives the same answer as one that is not there.
    assert_eq!(
        own.read(kind("Patient"), "p2").unwrap_err().to_string(),
        own.read(kind("Patient"), "p9").unwrap_err().to_string()
    );
    assert_eq!(own.search(kind("Patient"), "name=doe", SearchOptions::default()).expect("own record").records.len(), 1);
    assert!(own.write(PATIENT.as_bytes()).unwrap_err().is_denied());
    assert!(physician(&ehr).verify(VerifyLevel::Log, None).unwrap_err().is_denied());
    drop((analyst, own));
    let events = administrator(&ehr).audit(0, 1000).expect("it may");
    assert!(events.iter().any(|(_, e)| e.actor == "ana" && e.failure() == Some(Code::Denied)));
    assert!(events.iter().any(|(_, e)| e.actor == "p1-login" && e.failure() == Some(Code::NotFound)));
}

#[test]
fn a_bundle_goes_in_with_its_references_resolved_and_bad_entries_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let bundle = folder.path().join("bundle.json");
    std::fs::write(
        &bundle,
        r#"{"resourceType":"Bundle","type":"batch","entry":[
        {"fullUrl":"urn:uuid:0aaaaaaa-0000-4000-8000-000000000001","resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:0aaaaaaa-0000-4000-8000-000000000002"}},"request":{"method":"POST","url":"Observation"}},
        {"fullUrl":"urn:uuid:0aaaaaaa-0000-4000-8000-000000000002","resource":{"resourceType":"Patient","id":"pat","name":[{"family":"Doe"}]},"request":{"method":"POST","url":"Patient"}},
        {"resource":{"resourceType":"Patient","id":"bad","gender":"F"},"request":{"method":"POST","url":"Patient"}},
        {"request":{"method":"DELETE","url":"Patient/x"}}]}"#,
    )
    .expect("a file");
    let session = administrator(&ehr);
    for times in 0..2 {
        let summary = session.import(&bundle, &ImportOptions::default(), &mut ()).expect("it imports");
        assert_eq!((summary.entries, summary.quarantined, summary.refused), (4, 1, 1));
        assert_eq!((summary.stored, summary.unchanged), if times == 0 { (2, 0) } else { (0, 2) });
    }
    let clinician = physician(&ehr);
    let found = clinician.search(kind("Observation"), "patient=pat", SearchOptions::default()).expect("it searches");
    assert_eq!(found.records.len(), 1);
    assert_eq!(found.records[0].id(), "0aaaaaaa-0000-4000-8000-000000000001");
    assert_eq!(clinician.chart("pat").expect("there").len(), 2);
    let origin = clinician.provenance(kind("Patient"), "pat", 1).expect("there");
    assert_eq!((origin.source, origin.source_name.as_deref()), (Some((1, 2)), Some("bundle.json")));
    let kept = session.quarantine().expect("it may");
    assert_eq!(kept[0].issues[0].code, Code::CodeUnknown);
    assert_eq!(session.release(kept[0].number, None).unwrap_err().code(), Code::RecordInvalid);
    let mended = String::from_utf8_lossy(kept[0].bytes.expose()).replace("\"F\"", "\"female\"");
    session.release(kept[0].number, Some(mended.as_bytes())).expect("it is valid now");
    assert_eq!(clinician.read(kind("Patient"), "bad").expect("released").bytes(), mended.as_bytes());
    let mut lines = 0;
    session.ledger(|_| lines += 1).expect("it may");
    assert_eq!(lines, 9, "four entries twice, and one release");
    session.verify(VerifyLevel::Records, None).expect("all is well");
}

fn source(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, text).expect("a file");
    path
}

#[test]
fn a_file_that_breaks_off_does_not_stop_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let entry = |id: &str| format!(r#"{{"resource":{{"resourceType":"Patient","id":"{id}"}}}}"#);
    let broken =
        |kind: &str, id: &str| format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{},{{"re"#, entry(id));
    source(folder.path(), "in/a.json", &broken("collection", "a"));
    source(folder.path(), "in/b.json", &broken("transaction", "b"));
    source(folder.path(), "in/c.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"c\"}\r\n\r\nnot json");
    let session = administrator(&ehr);
    let summary = session.import(&folder.path().join("in"), &ImportOptions::default(), &mut ()).expect("it imports");
    assert_eq!((summary.sources, summary.entries), (3, 5));
    assert_eq!((summary.stored, summary.quarantined, summary.refused), (2, 1, 2));
    let clinician = physician(&ehr);
    let there = ["a", "b", "c"].map(|id| clinician.read(kind("Patient"), id).is_ok());
    assert_eq!(there, [true, false, true]);
    let mut reasons = Vec::new();
    session.ledger(|line| reasons.push((line.entry, line.reason))).expect("it may");
    assert_eq!(reasons[..3], [(1, None), (2, Some(Code::BundleUnreadable)), (1, Some(Code::BundleUnreadable))]);
    // Who looked at the ledger is on record.
    let events = session.audit(0, 1000).expect("it may");
    assert!(events.iter().filter(|(_, e)| e.kind == ehrcore::audit::EventKind::AuditRead).count() >= 2);
}

#[test]
fn xml_is_imported_as_its_json_form_and_refused_whole_where_that_would_lose_something() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let bundle = |inside: &str| {
        format!(
            "<Bundle xmlns='http://hl7.org/fhir'><type value='collection'/><entry><resource><Patient><id value='a'/>\
             </Patient></resource></entry><entry><resource><Patient><id value='b'/>{inside}</Patient></resource></entry></Bundle>"
        )
    };
    source(folder.path(), "in/a.xml", &bundle("<active value='true'/>"));
    source(folder.path(), "in/b.xml", &bundle("lost"));
    source(folder.path(), "in/c.xml", "<!DOCTYPE x><Patient/>");
    let session = administrator(&ehr);
    let summary = session.import(&folder.path().join("in"), &ImportOptions::default(), &mut ()).expect("it imports");
    assert_eq!((summary.sources, summary.stored, summary.refused), (3, 2, 2));
    let stored = physician(&ehr).read(kind("Patient"), "b").expect("it is there");
    assert_eq!(stored.bytes(), br#"{"resourceType":"Patient","id":"b","active":true}"#);
    let mut reasons = Vec::new();
    session.ledger(|line| reasons.extend(line.reason)).expect("it may");
    assert_eq!(reasons, [Code::XmlText, Code::XmlDoctype]);
}

#[test]
fn a_history_bundle_is_refused_since_its_order_would_turn_versions_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let text = r#"{"resourceType":"Bundle","type":"history","entry":[{"resource":{"resourceType":"Patient","id":"p","active":true}},{"resource":{"resourceType":"Patient","id":"p","active":false}}]}"#;
    let file = source(folder.path(), "history.json", text);
    let summary = administrator(&ehr).import(&file, &ImportOptions::default(), &mut ()).expect("it answers");
    assert_eq!((summary.entries, summary.refused), (2, 2));
}

#[test]
fn an_interrupted_import_goes_on_and_never_takes_another_file_for_the_first() {
    struct StopAfter(u64);
    impl ehrcore::exchange::Progress for StopAfter {
        fn step(&mut self, _: u64, _: u64, summary: &ehrcore::exchange::ImportSummary) -> bool {
            summary.commits < self.0
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let line = |n: usize| format!("{{\"resourceType\":\"Basic\",\"id\":\"b{n}\",\"code\":{{\"text\":\"first\"}}}}\n");
    let text: String = (0..3000).map(line).collect();
    let file = source(folder.path(), "all.ndjson", &text);
    let session = administrator(&ehr);
    let options = ImportOptions { batch_entries: 512, ..ImportOptions::default() };
    let stopped = session.import(&file, &options, &mut StopAfter(4)).unwrap_err();
    assert_eq!(stopped.code(), Code::Cancelled);
    // Changed far behind its start, in an entry that was taken already; as long as before.
    let at = text.find("\"b1500\"").expect("there");
    let changed = format!("{}{}", &text[..at], text[at..].replacen("first", "later", 1));
    std::fs::write(&file, changed).expect("a file");
    let other = session.import(&file, &options, &mut ()).expect("it imports");
    assert_eq!((other.resumed, other.entries), (0, 3000));
    assert_eq!(other.stored + other.unchanged, 3000);
    let amended = physician(&ehr).read(kind("Basic"), "b1500").expect("there");
    assert!(amended.bytes().ends_with(br#"{"text":"later"}}"#));
    std::fs::write(&file, &text).expect("a file");
    let resumed = session.import(&file, &options, &mut ()).expect("it imports");
    assert_eq!((resumed.resumed, resumed.entries), (2048, 952));
    assert_eq!((resumed.stored, resumed.unchanged), (0, 952));
}

#[test]
fn imports_side_by_side_lose_no_line_and_no_quarantined_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (ehr, folder) = (&ehr, folder.path());
            scope.spawn(move || {
                let text: String = (0..1200)
                    .map(|n| {
                        let gender = if n % 100 == 0 { "wrong" } else { "other" };
                        format!("{{\"resourceType\":\"Patient\",\"id\":\"t{thread}-{n}\",\"gender\":\"{gender}\"}}\n")
                    })
                    .collect();
                let file = source(folder, &format!("{thread}.ndjson"), &text);
                let options = ImportOptions { batch_entries: 100, threads: 1, ..ImportOptions::default() };
                administrator(ehr).import(&file, &options, &mut ()).expect("it imports");
            });
        }
    });
    let session = administrator(&ehr);
    let mut lines = 0;
    session.ledger(|_| lines += 1).expect("it may");
    assert_eq!((lines, session.quarantine().expect("it may").len()), (4800, 48));
}

#[test]
fn synthea_charts_import_whole_and_a_second_time_change_nothing() {
    let Some(suite) = suite("synthea") else { return };
    let charts = unpack(&suite.join("synthea-r4-40-patients.tar.xz"));
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = administrator(&ehr);
    let first = session.import(charts.path(), &ImportOptions::default(), &mut ()).expect("it imports");
    assert_eq!(first.entries, 12_668);
    assert_eq!(first.stored + first.unchanged + first.quarantined + first.refused, first.entries);
    assert_eq!((first.quarantined, first.refused), (0, 0));
    let again = session.import(charts.path(), &ImportOptions::default(), &mut ()).expect("it imports");
    assert_eq!((again.stored, again.unchanged), (0, 12_668));
    let clinician = physician(&ehr);
    let mut compared = 0;
    for file in std::fs::read_dir(charts.path()).expect("the folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("a file");
        let bundle = ehrcore::record::Record::parse(&bytes).expect("a Bundle");
        for entry in bundle.root().list("entry") {
            let resource = entry.get("resource").expect("an entry has one");
            let (of, id) = (resource.text("resourceType").expect("a type"), resource.text("id").expect("an id"));
            let stored = clinician.read(kind(&of), &id).expect("it was stored");
            assert_eq!(stored.bytes(), resource.raw());
            compared += 1;
        }
    }
    assert_eq!(compared, 12_668);
    session.verify(VerifyLevel::Records, None).expect("all is well");
}
