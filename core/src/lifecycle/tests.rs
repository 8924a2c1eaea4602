//! What holds of the life of an entry whatever is done to it: destruction leaves nothing, and a table of decisions.

use super::*;
use crate::access::{Purpose, Role};
use crate::ehr::{Actor, Ehr, Options, SearchOptions, Session};
use crate::error::{Code, Result};
use crate::exchange::ImportOptions;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::schema::ResourceType;
use crate::store::Store;
use crate::store::testing::{Depth, FaultyFile, readable};
use crate::time::{ManualClock, Timestamp};
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;
const START: i64 = 1_700_000_000_000_000;

pub(super) fn kind(name: &str) -> ResourceType {
    ResourceType::from_name(name).expect("of R4")
}

pub(super) fn clinic(file: &FaultyFile) -> (Ehr, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp(START)));
    let options = Options { clock: clock.clone(), cache_bytes: 1 << 20, ..Options::default() };
    let ehr = Ehr::create_on(Box::new(file.clone()), &RawKey::new([1; 32]), options).expect("a store in memory");
    (ehr, clock)
}

fn doctor(ehr: &Ehr) -> Session {
    ehr.session(Actor::new("dr-grey", Role::Physician), Purpose::Treatment).expect("a session")
}

pub(super) fn office(ehr: &Ehr, id: &str) -> Session {
    ehr.session(Actor::new(id, Role::Administrator), Purpose::Operations).expect("a session")
}

pub(super) fn code_of<T>(result: Result<T>) -> Option<Code> {
    result.err().map(|error| error.code())
}

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("this is refused").code()
}

pub(super) fn result(id: &str, patient: &str, value: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"code":"c{value}"}}]}},"subject":{{"reference":"Patient/{patient}"}},"valueString":"{value}"}}"#
    )
}

fn found(file: &FaultyFile, words: &[String]) -> usize {
    let disk = Box::new(FaultyFile::with(file.bytes()));
    let random = Arc::new(SystemRandom::default());
    let store = Store::open_on(disk, &RawKey::new([1; 32]), random, 1 << 20, false).expect("it opens");
    let seen = readable(&store, words, Depth { patients: 2, numbers: 60 }).expect("it reads");
    seen.into_iter().filter(|seen| *seen).count()
}

/// R09: elapsed retention, no hold, two people; then none of 50 planted words can be read from the file by who has its keys.
#[test]
fn destroying_a_record_takes_time_two_people_and_no_hold_and_leaves_a_tombstone_and_nothing_else() {
    let file = FaultyFile::default();
    let (ehr, clock) = clinic(&file);
    let (session, one, two) = (doctor(&ehr), office(&ehr, "ann"), office(&ehr, "bob"));
    let observation = kind("Observation");
    session.write(br#"{"resourceType":"Patient","id":"p","birthDate":"1970-01-01"}"#).expect("valid");
    session.write(result("kept", "p", "Keptword").as_bytes()).expect("valid");
    // Fifty words: in versions, in reasons, in a conflict, in a request, in what an import kept aside.
    let words: Vec<String> = (0..50).map(|n| format!("Plantedword{n:02}")).collect();
    session.write(result("o", "p", &words[0]).as_bytes()).expect("valid");
    for (n, word) in words.iter().enumerate().take(40).skip(1) {
        let reason = if n % 4 == 0 { word } else { "seen anew" };
        let value = if n % 4 == 0 { "x" } else { word };
        let bytes = result("o", "p", &format!("{value}-{n}"));
        session.amend(bytes.as_bytes(), n as u32, &Reason::new(reason)).expect("it is there");
    }
    for (n, word) in words.iter().enumerate().take(45).skip(40) {
        let parked = session.write_merged(result("o", "p", word).as_bytes(), 1 + n as u32 % 5).expect("kept");
        assert!(matches!(parked, Edit::Parked(_)));
    }
    let own =
        ehr.session(Actor::of_patient("p-login", Role::Patient, "p"), Purpose::PatientRequest).expect("a session");
    for word in &words[45..48] {
        own.request_amendment("p", Some((observation, "o")), word).expect("it may");
    }
    session.retract(observation, "o", 40, &Reason::new(&words[48])).expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    let again = folder.path().join("o.json");
    std::fs::write(&again, result("o", "p", &words[49])).expect("a file");
    assert_eq!(one.import(&again, &ImportOptions::default(), &mut ()).expect("it imports").quarantined, 1);
    assert_eq!(found(&file, &words), 50, "the look finds what is there");

    let (target, why) = (Some((observation, "o")), Reason::new("end of retention"));
    assert_eq!(code(session.propose_destroy("p", target, &why)), Code::Denied);
    assert_eq!(code(one.propose_destroy("p", target, &why)), Code::RetentionRunning, "no rule: it is kept for ever");
    let rules =
        Retention::from_json(br#"{"default":{"years":10},"types":{"Observation":{"years":1}}}"#).expect("rules");
    one.set_retention(&rules).expect("it may");
    assert_eq!(code(one.propose_destroy("p", target, &why)), Code::RetentionRunning);
    let due = one.retention_due("p", target).expect("it may").expect("there is a rule");
    clock.set(Timestamp(due.0 - 1));
    assert_eq!(code(one.propose_destroy("p", target, &why)), Code::RetentionRunning);
    clock.set(due);
    assert_eq!(code(one.propose_destroy("p", None, &why)), Code::RetentionRunning, "the chart has longer rules");
    assert_eq!(code(one.propose_destroy("q", target, &why)), Code::NotFound);
    assert_eq!(code(one.propose_destroy("p", target, &Reason::new(" "))), Code::ReasonRequired);
    let hold = one.place_hold("p", target, "legal", &Reason::new("case")).expect("it may");
    assert_eq!(code(one.propose_destroy("p", target, &why)), Code::Hold);
    one.release_hold(hold.number, &Reason::new("closed")).expect("it stands");
    let proposal = one.propose_destroy("p", target, &why).expect("it may");
    assert_eq!(code(one.approve_destroy(proposal.number, &why)), Code::SamePerson);
    let hold = two.place_hold("p", None, "legal", &Reason::new("another case")).expect("it may");
    assert_eq!(code(two.approve_destroy(proposal.number, &why)), Code::Hold);
    two.release_hold(hold.number, &Reason::new("closed")).expect("it stands");
    clock.set(Timestamp(due.0 - 1));
    assert_eq!(code(two.approve_destroy(proposal.number, &why)), Code::RetentionRunning);
    clock.set(due);
    assert_eq!(found(&file, &words), 50, "nothing of it is gone");
    let done = two.approve_destroy(proposal.number, &why).expect("all holds");
    assert_eq!((done.state, done.records), (ProposalState::Done, 1));
    assert_eq!(code(two.approve_destroy(proposal.number, &why)), Code::ProposalUnknown);

    assert_eq!(found(&file, &words), 0);
    assert_eq!(found(&file, &["Keptword".to_owned()]), 1);
    assert_eq!(code(session.read_retracted(observation, "o")), Code::NotFound);
    assert_eq!(session.read(observation, "kept").expect("there").id(), "kept");
    let page = session.search(observation, "patient=Patient/p", SearchOptions::default()).expect("it searches");
    assert_eq!(page.records.len(), 1);
    assert!(session.conflicts(None).expect("it may").is_empty() && own.requests(Some("p")).expect("it may").is_empty());
    let stone = one.tombstone(observation, "o").expect("it stays");
    assert_eq!((stone.by.as_str(), stone.approved_by.as_str(), stone.versions), ("ann", "bob", 41));
    assert_eq!((stone.reason.as_str(), stone.at), ("end of retention", due));
    assert!(
        one.holds(None).expect("it may").iter().all(|hold| hold.record.as_ref().is_none_or(|(_, id)| id.is_empty()))
    );
    // It does not come in again unseen.
    assert_eq!(code(session.write(result("o", "p", "x").as_bytes())), Code::Destroyed);
    assert_eq!(one.import(&again, &ImportOptions::default(), &mut ()).expect("it imports").stored, 0);
    two.verify(crate::ehr::VerifyLevel::Records, None).expect("the rest is whole");
}

#[test]
fn destroying_a_chart_leaves_nothing_of_it_and_it_does_not_come_in_again() {
    let file = FaultyFile::default();
    let (ehr, clock) = clinic(&file);
    let (session, one, two) = (doctor(&ehr), office(&ehr, "ann"), office(&ehr, "bob"));
    let words: Vec<String> = (0..50).map(|n| format!("Plantedword{n:02}")).collect();
    session
        .write(br#"{"resourceType":"Patient","id":"q","name":[{"family":"Keptword"}],"birthDate":"1970"}"#)
        .expect("valid");
    let patient =
        format!(r#"{{"resourceType":"Patient","id":"p","name":[{{"family":"{}"}}],"birthDate":"1970"}}"#, words[0]);
    session.write(patient.as_bytes()).expect("valid");
    for (n, word) in words.iter().enumerate().skip(1) {
        session.write(result(&format!("o{}", n % 9), "p", word).as_bytes()).expect("valid");
    }
    session.delete(kind("Observation"), "o3").expect("it is there");
    one.set_retention(&Retention::from_json(br#"{"default":{"years":2,"after_majority":1}}"#).expect("rules"))
        .expect("it may");
    let encounter = r#"{"resourceType":"Encounter","id":"e","status":"in-progress","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":"2023-01-01"}}"#;
    session.write(encounter.as_bytes()).expect("valid");
    clock.advance(4000 * DAY);
    let why = Reason::new("end of retention");
    assert_eq!(one.retention_due("p", None).expect("it may"), None, "an encounter that goes on is no last one");
    assert_eq!(code(one.propose_destroy("p", None, &why)), Code::RetentionRunning);
    session
        .write(
            encounter
                .replace("in-progress", "finished")
                .replace(r#""2023-01-01""#, r#""2023-01-01","end":"2023-02""#)
                .as_bytes(),
        )
        .expect("valid");
    let due = one.retention_due("p", None).expect("it may").expect("all is known");
    assert_eq!(
        due.to_rfc3339(),
        "2036-10-27T22:13:20.000000Z",
        "two years after it was written, not after what it says"
    );
    clock.set(due);
    assert_eq!(found(&file, &words), 50);
    let proposal = one.propose_destroy("p", None, &why).expect("it is time");
    let other = one.propose_destroy("p", Some((kind("Observation"), "o1")), &why).expect("it is time");
    two.approve_destroy(proposal.number, &why).expect("all holds");
    assert_eq!(found(&file, &words), 0);
    assert_eq!(found(&file, &["Keptword".to_owned()]), 1);
    assert_eq!(code(two.approve_destroy(other.number, &why)), Code::ProposalUnknown);
    assert!(one.proposals().expect("it may").iter().all(|one| one.patient_id.is_empty()));
    assert_eq!(code(session.chart("p")), Code::Erased);
    assert_eq!(one.tombstone(kind("Observation"), "o3").expect("it stays").approved_by, "bob");
    // Neither the patient, nor a record of old, nor a new one of that patient comes in again unseen.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.ndjson");
    let new = result("new", "p", "x");
    std::fs::write(&file, format!("{patient}\n{}\n{new}\n", result("o1", "p", "x"))).expect("a file");
    let summary = one.import(&file, &ImportOptions::default(), &mut ()).expect("it imports");
    assert_eq!((summary.stored, summary.quarantined), (0, 3));
    for bytes in [patient, new] {
        assert_eq!(code(session.write(bytes.as_bytes())), Code::Destroyed);
    }
    two.verify(crate::ehr::VerifyLevel::Records, None).expect("the rest is whole");
}

#[test]
fn a_minor_is_kept_until_long_after_majority_and_one_whose_age_is_not_known_for_ever() {
    let (ehr, _) = clinic(&FaultyFile::default());
    let (session, one) = (doctor(&ehr), office(&ehr, "ann"));
    one.set_retention(
        &Retention::from_json(br#"{"default":{"years":7,"majority":18,"after_majority":3}}"#).expect("rules"),
    )
    .expect("it may");
    let due = |id: &str, born: &str| {
        session.write(format!(r#"{{"resourceType":"Patient","id":"{id}"{born}}}"#).as_bytes()).expect("valid");
        one.retention_due(id, None).expect("it may").map(Timestamp::to_rfc3339)
    };
    assert_eq!(due("a", r#","birthDate":"2020-05-05""#).as_deref(), Some("2041-05-06T00:00:00.000000Z"));
    assert_eq!(due("b", r#","birthDate":"2020""#).as_deref(), Some("2042-01-01T00:00:00.000000Z"));
    assert_eq!(due("c", r#","birthDate":"1970-05-05""#).as_deref(), Some("2030-11-14T22:13:20.000000Z"));
    assert_eq!(due("d", ""), None);
}

#[test]
fn an_imported_chart_is_kept_from_its_own_last_date_of_care_and_what_has_none_from_the_import() {
    let (ehr, clock) = clinic(&FaultyFile::default());
    let (session, one) = (doctor(&ehr), office(&ehr, "ann"));
    one.set_retention(&Retention::from_json(br#"{"default":{"years":10}}"#).expect("rules")).expect("it may");
    let folder = tempfile::tempdir().expect("a folder");
    let import = |name: &str, lines: &[&str]| {
        let file = folder.path().join(format!("{name}.ndjson"));
        std::fs::write(&file, lines.join("\n")).expect("a file");
        assert_eq!(one.import(&file, &ImportOptions::default(), &mut ()).expect("it imports").quarantined, 0);
    };
    let due = |id: &str| one.retention_due(id, None).expect("it may").map(Timestamp::to_rfc3339).expect("all is known");
    let observation =
        |id: &str, of: &str, date: &str| result(id, of, "x").replace(r#""status""#, &format!(r#"{date}"status""#));
    let years = |id: &str| due(id)[..10].to_owned();
    import("a", &[r#"{"resourceType":"Patient","id":"a","birthDate":"1950-01-01"}"#]);
    assert_eq!(years("a"), "2033-11-14", "nothing but who they are: from the import");
    import("b", &[&observation("b1", "a", r#""effectivePeriod":{"start":"1999-05-04","end":"2001-05-04"},"#)]);
    assert_eq!(years("a"), "2011-05-05");
    import(
        "c",
        &[&observation("c1", "a", r#""meta":{"lastUpdated":"2004-01-01T00:00:00Z"},"effectiveDateTime":"2003-02","#)],
    );
    assert_eq!(years("a"), "2014-01-01", "the later of both");
    import("d", &[&observation("d1", "a", r#""effectivePeriod":{"start":"1999-05-04"},"#)]);
    assert_eq!(years("a"), "2033-11-14", "what has not ended");
    // What somebody writes, or takes away, counts from then, whatever it says.
    import(
        "e",
        &[r#"{"resourceType":"Patient","id":"e"}"#, &observation("e1", "e", r#""issued":"2001-05-04T00:00:00Z","#)],
    );
    assert_eq!(years("e"), "2011-05-04");
    clock.advance(DAY);
    let written = session.write(observation("e2", "e", r#""effectiveDateTime":"1990","#).as_bytes()).expect("valid");
    assert_eq!(years("e"), "2033-11-15");
    clock.advance(DAY);
    session.delete(kind("Observation"), &written.id).expect("it may");
    assert_eq!(years("e"), "2033-11-16", "taking it away does not bring the day nearer");
    import("f", &[&observation("e1", "e", r#""effectiveDateTime":"1990","#)]);
    assert_eq!(years("e"), "2033-11-16", "nor does an import over it");
}

#[test]
fn no_encounter_that_is_written_cancelled_deleted_or_retracted_brings_the_day_of_destruction_nearer() {
    let (ehr, clock) = clinic(&FaultyFile::default());
    let (session, one) = (doctor(&ehr), office(&ehr, "ann"));
    one.set_retention(&Retention::from_json(br#"{"default":{"years":10}}"#).expect("rules")).expect("it may");
    session.write(br#"{"resourceType":"Patient","id":"p","birthDate":"1970"}"#).expect("valid");
    let encounter = |id: &str, status: &str, period: &str| {
        let text = format!(
            r#"{{"resourceType":"Encounter","id":"{id}","status":"{status}","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/p"}}{period}}}"#
        );
        session.write(text.as_bytes()).expect("valid");
    };
    let due = || one.retention_due("p", None).expect("it may").expect("all is known");
    let mut least = due();
    let mut later = |what: &str| {
        assert!(due() >= least, "{what}");
        least = due();
        clock.advance(DAY);
    };
    later("nothing was done");
    encounter("c", "cancelled", "");
    later("a cancelled one without a date");
    encounter("b", "finished", r#","period":{"start":"1990-01-01","end":"1990-01-02"}"#);
    later("one dated back");
    encounter("f", "finished", r#","period":{"start":"2031-01-01","end":"2031-01-02"}"#);
    later("one that ends late");
    assert_eq!(due().to_rfc3339(), "2041-01-03T00:00:00.000000Z");
    encounter("g", "finished", r#","period":{"start":"2032-01-01","end":"2032-01-02"}"#);
    later("another");
    session.delete(kind("Encounter"), "f").expect("it is there");
    later("one deleted");
    session.retract(kind("Encounter"), "g", 1, &Reason::new("of another")).expect("it is there");
    later("one retracted");
    assert_eq!(due().to_rfc3339(), "2042-01-03T00:00:00.000000Z");
    encounter("e", "entered-in-error", r#","period":{"start":"1980-01-01"}"#);
    later("one entered in error");
    let why = Reason::new("end of retention");
    clock.set(Timestamp(due().0 - 1));
    assert_eq!(code(one.propose_destroy("p", None, &why)), Code::RetentionRunning);
}

#[test]
fn destroying_a_record_of_one_compartment_leaves_what_is_found_of_the_others_and_of_other_patients() {
    let (ehr, clock) = clinic(&FaultyFile::default());
    let (one, two) = (office(&ehr, "ann"), office(&ehr, "bob"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.json");
    let label = r#""meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"SUD"}]},"#;
    let entry = |kind: &str, id: &str, label: &str, rest: &str| {
        format!(
            r#"{{"fullUrl":"http://elsewhere.example/fhir/{kind}/{id}","resource":{{"resourceType":"{kind}","id":"{id}",{label}{rest}}},"request":{{"method":"PUT","url":"{kind}/{id}"}}}}"#
        )
    };
    let of = |patient: &str| {
        format!(
            r#""status":"final","code":{{"coding":[{{"code":"same"}}]}},"subject":{{"reference":"http://elsewhere.example/fhir/Patient/{patient}"}}"#
        )
    };
    let entries = [
        entry("Patient", "p", "", r#""birthDate":"1970""#),
        entry("Patient", "q", "", r#""birthDate":"1970""#),
        entry("Observation", "normal", "", &of("p")),
        entry("Observation", "guarded", label, &of("p")),
        entry("Observation", "other", "", &of("q")),
    ];
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
    std::fs::write(&file, bundle).expect("a file");
    assert_eq!(one.import(&file, &ImportOptions::default(), &mut ()).expect("it imports").stored, 5);
    one.set_retention(&Retention::from_json(br#"{"default":{"years":1}}"#).expect("rules")).expect("it may");
    clock.advance(400 * DAY);
    let observation = kind("Observation");
    let found = || {
        let page = doctor(&ehr).search(observation, "code=same", SearchOptions::default()).expect("it searches");
        let mut ids: Vec<String> = page.records.iter().map(|stored| stored.id().to_owned()).collect();
        ids.sort();
        ids
    };
    assert!(["normal", "other"].iter().all(|id| found().iter().any(|one| one == id)));
    let why = Reason::new("end of retention");
    let destroy = |id: &str| {
        let proposal = one.propose_destroy("p", Some((observation, id)), &why).expect("it is time");
        two.approve_destroy(proposal.number, &why).expect("all holds");
    };
    destroy("guarded");
    assert_eq!(found(), ["normal", "other"], "one that has the same code is found still");
    destroy("normal");
    assert_eq!(found(), ["other"]);
    two.verify(crate::ehr::VerifyLevel::Records, None).expect("the rest is whole");
}
