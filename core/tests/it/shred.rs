//! Shredding and new keys for a patient, as a session does them.

use crate::path::{administrator, create, key, kind, physician};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Ehr, Options, SearchOptions, VerifyLevel, Write};
use ehrcore::error::{Code, Result};
use ehrcore::lifecycle::Reason;
use ehrcore::record::Compartment;

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("this is refused").code()
}

fn observation(id: &str, patient: &str, label: &str) -> Vec<u8> {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","meta":{{"security":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{label}"}}]}},"status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    )
    .into_bytes()
}

fn two_patients(ehr: &Ehr) {
    let session = physician(ehr);
    for id in ["p1", "p2"] {
        let text = format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"Doe"}}]}}"#);
        session.write(text.as_bytes()).expect("it is valid");
        session.write(&observation(&format!("o-{id}"), id, "HIV")).expect("it is valid");
        session.write(&observation(&format!("s-{id}"), id, "SUD")).expect("it is valid");
    }
}

#[test]
fn a_shredded_patient_is_erased_for_every_call_and_the_log_says_who_did_it_and_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    two_patients(&ehr);
    let office = administrator(&ehr);
    assert_eq!(code(physician(&ehr).shred("p1", "asked for")), Code::Denied);
    assert_eq!(code(office.shred("p1", " ")), Code::InvalidArgument);
    assert_eq!(code(office.shred("p9", "asked for")), Code::NotFound);
    let done = office.shred("p1", "asked for").expect("it may");
    assert_eq!((done.versions, done.damaged), (3, 0));
    assert_eq!(code(office.shred("p1", "again")), Code::NotFound);
    let doctor = physician(&ehr);
    assert_eq!(code(doctor.chart("p1")), Code::Erased);
    assert_eq!(code(doctor.read(kind("Patient"), "p1")), Code::Erased);
    assert_eq!(code(doctor.read(kind("Observation"), "o-p1")), Code::NotFound);
    assert_eq!(doctor.chart("p2").expect("whole").len(), 3);
    let found = doctor.search(kind("Observation"), "", SearchOptions::default()).expect("it searches");
    assert_eq!(found.records.len(), 2);
    drop((doctor, office, ehr));
    let ehr = Ehr::open(folder.path().join("clinic.ehr"), &key(), Options::default()).expect("it opens");
    let office = administrator(&ehr);
    assert_eq!(office.verify(VerifyLevel::Records, None).expect("all as written").records, 3);
    let log = office.audit(0, 1000).expect("it may");
    let shreds: Vec<_> = log.iter().filter(|(_, event)| event.kind == EventKind::Shred).collect();
    let ends: Vec<_> = shreds.iter().map(|(_, event)| event.failure()).collect();
    let expected = [Some(Code::Denied), Some(Code::InvalidArgument), Some(Code::NotFound), None, Some(Code::NotFound)];
    assert_eq!(ends, expected);
    let event = &shreds[3].1;
    assert_eq!((event.patient, event.count, event.reason.as_str()), (done.patient, 3, "asked for"));
    assert!(log.iter().all(|(_, event)| event.id != "p1"), "the pseudonyms of what is gone stand for nothing");
}

#[test]
fn a_legal_hold_keeps_a_chart_and_each_compartment_from_being_shredded() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    two_patients(&ehr);
    let office = administrator(&ehr);
    let reason = Reason::new("a case");
    let hold = office.place_hold("p1", Some((kind("Observation"), "o-p1")), "legal@clinic", &reason).expect("placed");
    assert_eq!(code(office.shred("p1", "asked for")), Code::Hold);
    assert_eq!(code(office.shred_compartment("p1", Compartment::SubstanceUse, "asked for")), Code::Hold);
    assert_eq!(physician(&ehr).chart("p1").expect("whole").len(), 3);
    office.release_hold(hold.number, &reason).expect("released");
    office.shred_compartment("p1", Compartment::SubstanceUse, "asked for").expect("it may");
    assert_eq!(physician(&ehr).chart("p1").expect("whole").len(), 2);
    office.shred("p1", "asked for").expect("it may");
    assert_eq!(code(physician(&ehr).chart("p1")), Code::Erased);
}

#[test]
fn shredding_names_the_records_that_moved_away_and_takes_along_those_that_moved_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    two_patients(&ehr);
    let (doctor, office, reason) = (physician(&ehr), administrator(&ehr), Reason::new("a case"));
    for patient in ["p1", "p2"] {
        doctor.write(&observation("m", patient, "HIV")).expect("it is valid");
        doctor.write(&observation("n", if patient == "p1" { "p2" } else { "p1" }, "HIV")).expect("it is valid");
    }
    // An edit of a record that clashes is parked where the record is; it goes with the record all the same.
    let edit = |text: &str| String::from_utf8(observation("m", "p1", "HIV")).expect("text").replace("\"x\"", text);
    let base = doctor.write(edit("\"y\"").as_bytes()).expect("it is valid").version;
    doctor.write(edit("\"z\"").as_bytes()).expect("it is valid");
    doctor.write_merged(edit("\"w\"").as_bytes(), base).expect("it is parked");
    doctor.write(&observation("m", "p2", "HIV")).expect("it moves to p2 again");
    assert_eq!(doctor.conflicts(None).expect("it may").len(), 1);
    // A hold on the chart that a version would be taken out of.
    let hold = office.place_hold("p1", None, "legal@clinic", &reason).expect("placed");
    assert_eq!(code(office.shred("p2", "asked for")), Code::Hold);
    office.release_hold(hold.number, &reason).expect("released");
    let done = office.shred("p2", "asked for").expect("it may");
    let moved: Vec<_> = done.moved.iter().map(|one| (one.id.as_str(), one.versions)).collect();
    assert_eq!((done.elsewhere, moved), (3, vec![("n", 1)]), "{done:?}");
    assert_eq!(doctor.conflicts(None).expect("it may").len(), 0);
    assert_eq!(code(doctor.history(kind("Observation"), "m")), Code::NotFound);
    assert_eq!(doctor.history(kind("Observation"), "n").expect("what it says of p1").len(), 1);
    assert!(office.verify(VerifyLevel::Records, None).is_ok());
    let checked = office.check(None, &mut |_, _| true).expect("it looks at everything");
    assert!(checked.is_sound(), "{:?}", checked.damage);
    let log = office.audit(0, 1000).expect("it may");
    let (_, event) = log.iter().rfind(|(_, event)| event.kind == EventKind::Shred).expect("on record");
    assert_eq!(
        (event.patients.len(), event.count),
        (1, done.versions + 3),
        "it names the chart it took versions out of"
    );
}

#[test]
fn new_keys_for_a_patient_leave_everything_as_it_was_and_are_on_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    two_patients(&ehr);
    let office = administrator(&ehr);
    let bytes =
        || -> Vec<_> { physician(&ehr).chart("p1").expect("whole").iter().map(|one| one.bytes().to_vec()).collect() };
    let before = bytes();
    assert_eq!(code(physician(&ehr).rotate_patient("p1", "a leak")), Code::Denied);
    let done = office.rotate_patient("p1", "a leak").expect("it may");
    assert_eq!((done.compartments, done.blocks), (2, 3));
    assert_eq!(bytes(), before);
    assert_eq!(office.verify(VerifyLevel::Records, None).expect("all as written").records, 6);
    let log = office.audit(0, 1000).expect("it may");
    let rotated = log.iter().filter(|(_, event)| event.kind == EventKind::PatientKeyRotate && event.failed.is_none());
    assert_eq!(rotated.map(|(_, event)| event.reason.as_str()).collect::<Vec<_>>(), ["a leak"]);
}

/// `cargo test --release -p ehrcore --test it -- --ignored --nocapture one_of_many`
#[test]
#[ignore = "a measurement: takes a store of 200,000 resources on a real disk"]
fn one_of_many_patients_is_shredded_in_less_than_a_tenth_of_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (session, mut count, mut patients) = (physician(&ehr), 0, Vec::new());
    for chart in ehrcore_synthetic::Charts::new(7).patients(1_000_000) {
        let writes = chart.resources.iter().map(|one| Write::Put(one.json.clone().into_bytes())).collect();
        count += chart.resources.len();
        session.change_set(writes).expect("it is valid");
        patients.push(chart.patient_id);
        if count >= 200_000 {
            break;
        }
    }
    drop(session);
    let office = administrator(&ehr);
    let mut times = Vec::new();
    for patient in patients.iter().step_by(patients.len() / 20) {
        let start = std::time::Instant::now();
        let done = office.shred(patient, "measured").expect("it is there");
        times.push((start.elapsed(), done.versions, done.tokens));
    }
    times.sort_unstable();
    let bytes = std::fs::metadata(folder.path().join("clinic.ehr")).expect("there").len();
    let (middle, last) = (times[times.len() / 2], times[times.len() - 1]);
    eprintln!("{count} resources, {} patients, {bytes} bytes: median {middle:?}, slowest {last:?}", patients.len());
    assert!(last.0 < std::time::Duration::from_millis(100), "{times:?}");
}
