//! The life of an entry: what is changed says why, what is retracted is gone from sight, what is held stays as it is.

use crate::path::{administrator, create, kind, physician};
use ehrcore::access::{Purpose, Role};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Actor, Ehr, Options, SearchOptions, Session, Write};
use ehrcore::error::{Code, Result};
use ehrcore::exchange::ImportOptions;
use ehrcore::lifecycle::{Denial, Reason, RequestState};
use ehrcore::store::{ChangeKind, Stored};
use ehrcore::time::{ManualClock, Timestamp};

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}]}"#;
const RESULT: &str = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"},"valueString":"seven"}"#;

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("this is refused").code()
}

fn clinic(folder: &std::path::Path) -> (Ehr, Session) {
    let ehr = create(folder);
    let session = physician(&ehr);
    session.write(PATIENT).expect("it is valid");
    session.write(RESULT.as_bytes()).expect("it is valid");
    (ehr, session)
}

#[test]
fn a_change_says_what_it_is_and_why_and_the_line_of_an_entry_names_every_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_ehr, session) = clinic(folder.path());
    let observation = kind("Observation");
    let why = Reason {
        text: "the unit was misread".to_owned(),
        on_behalf: Some("dr-house".to_owned()),
        authored: Some(Timestamp(77)),
    };
    let second = RESULT.replace("seven", "eight");
    for nothing in ["", "  "] {
        assert_eq!(code(session.amend(second.as_bytes(), 1, &Reason::new(nothing))), Code::ReasonRequired);
    }
    assert_eq!(code(session.amend(second.as_bytes(), 2, &why)), Code::Conflict);
    assert_eq!(code(session.amend(second.replace("o1", "o9").as_bytes(), 1, &why)), Code::NotFound);
    assert_eq!(session.correct(second.as_bytes(), 1, &why).expect("it is there").version, 2);
    assert_eq!(code(session.augment(RESULT.as_bytes(), 2, &Reason::new("more"))), Code::AugmentAlters);
    let third = second.replace(r#","valueString""#, r#","note":[{"text":"seen twice"}],"valueString""#);
    session.augment(third.as_bytes(), 2, &Reason::new("more")).expect("it only adds");
    session.amend(RESULT.as_bytes(), 3, &Reason::new("seen anew")).expect("it is there");

    let line = session.lineage(observation, "o1").expect("there");
    let steps: Vec<_> = line.iter().map(|one| (one.version, one.kind, one.before)).collect();
    assert_eq!(
        steps,
        [
            (4, Some(ChangeKind::Amend), Some(3)),
            (3, Some(ChangeKind::Augment), Some(2)),
            (2, Some(ChangeKind::Correct), Some(1)),
            (1, Some(ChangeKind::Create), None)
        ]
    );
    let corrected = &line[2];
    assert_eq!(corrected.reason.as_deref(), Some("the unit was misread"));
    assert_eq!((corrected.on_behalf.as_deref(), corrected.authored), (Some("dr-house"), Some(Timestamp(77))));
    assert!(line.iter().all(|one| one.actor == "dr-grey") && line[3].digest == line[0].digest);
    assert!(!format!("{line:?} {why:?}").contains("misread"));
}

#[test]
fn where_the_store_asks_for_reasons_no_change_goes_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, session) = clinic(folder.path());
    assert_eq!(code(session.require_reason(true)), Code::Denied);
    administrator(&ehr).require_reason(true).expect("it may");
    let second = RESULT.replace("seven", "eight");
    assert_eq!(code(session.write(second.as_bytes())), Code::ReasonRequired);
    assert_eq!(code(session.write_if_match(second.as_bytes(), 1)), Code::ReasonRequired);
    assert_eq!(code(session.delete(kind("Observation"), "o1")), Code::ReasonRequired);
    assert!(!session.write(RESULT.as_bytes()).expect("nothing changes").changed);
    session.write(RESULT.replace("o1", "o2").as_bytes()).expect("a first version needs none");
    session.amend(second.as_bytes(), 1, &Reason::new("seen anew")).expect("it says why");
    // An import says by its source where a version comes from.
    let file = folder.path().join("o.json");
    std::fs::write(&file, RESULT).expect("a file");
    assert_eq!(administrator(&ehr).import(&file, &ImportOptions::default(), &mut ()).expect("it imports").stored, 1);
    session.delete_for(kind("Observation"), "o1", &Reason::new("entered for practice")).expect("it says why");
    let line = session.lineage(kind("Observation"), "o1").expect("kept");
    assert_eq!(line[0].reason.as_deref(), Some("entered for practice"));
    administrator(&ehr).require_reason(false).expect("it may");
    session.write(second.as_bytes()).expect("as before");
}

#[test]
fn a_retracted_entry_is_nowhere_until_it_is_asked_for_by_right_and_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, session) = clinic(folder.path());
    let observation = kind("Observation");
    let nurse = ehr.session(Actor::new("nurse-joy", Role::Nurse), Purpose::Treatment).expect("a session");
    nurse.read(observation, "o1").expect("there");
    nurse.chart("p1").expect("there");
    nurse.search(observation, "status=final", SearchOptions::default()).expect("it searches");
    nurse.search(observation, "status=amended", SearchOptions::default()).expect("it finds nothing");
    nurse.search(kind("Patient"), "", SearchOptions::default()).expect("of another type");
    assert_eq!(code(nurse.retract(observation, "o1", 1, &Reason::new("x"))), Code::Denied);
    assert_eq!(code(session.retract(observation, "o1", 2, &Reason::new("x"))), Code::Conflict);
    assert_eq!(code(session.retract(observation, "o1", 1, &Reason::new(""))), Code::ReasonRequired);
    let at = session.read(observation, "o1").expect("there").at();
    session.retract(observation, "o1", 1, &Reason::new("wrong patient")).expect("it is there");

    let absent = |session: &Session| {
        assert_eq!(code(session.read(observation, "o1")), Code::NotFound);
        assert_eq!(code(session.read_version(observation, "o1", 1)), Code::NotFound);
        assert_eq!(code(session.as_of(observation, "o1", at)), Code::NotFound);
        assert_eq!(code(session.history(observation, "o1")), Code::NotFound);
        assert_eq!(code(session.lineage(observation, "o1")), Code::NotFound);
        assert_eq!(code(session.provenance(observation, "o1", 1)), Code::NotFound);
        for query in ["", "_id=o1", "patient=Patient/p1", "value-string=seven"] {
            let page = session.search(observation, query, SearchOptions::default()).expect("it searches");
            assert!(page.records.is_empty(), "{query}");
            assert_eq!(session.count(observation, query).expect("it counts").0, 0, "{query}");
        }
        let chart: Vec<String> = session.chart("p1").expect("there").iter().map(|one| one.id().to_owned()).collect();
        assert_eq!(chart, ["p1"]);
        assert!(!session.chart_page("p1").expect("there").contains("seven"));
    };
    absent(&session);
    absent(&nurse);
    assert!(!String::from_utf8_lossy(&session.export_chart("p1").expect("it may")).contains("seven"));
    let out = folder.path().join("out");
    std::fs::create_dir_all(&out).expect("a folder");
    administrator(&ehr).export_ndjson(&out).expect("it may");
    assert!(!out.join("Observation.ndjson").exists());

    // No write, deletion or import brings it back or says that it is there.
    assert_eq!(code(session.write(RESULT.as_bytes())), Code::Retracted);
    assert_eq!(code(session.delete(observation, "o1")), Code::NotFound);
    assert_eq!(code(session.amend(RESULT.as_bytes(), 2, &Reason::new("x"))), Code::NotFound);
    let bundle = folder.path().join("b.json");
    let other = RESULT.replace("o1", "o2");
    for (of, stored) in [("batch", 1), ("transaction", 0)] {
        let text = format!(
            r#"{{"resourceType":"Bundle","type":"{of}","entry":[{{"resource":{RESULT}}},{{"resource":{}}}]}}"#,
            other.replace("o2", &format!("o-{of}"))
        );
        std::fs::write(&bundle, text).expect("a file");
        let summary = administrator(&ehr).import(&bundle, &ImportOptions::default(), &mut ()).expect("it imports");
        assert_eq!((summary.stored, summary.quarantined), (stored, 2 - stored), "{of}");
    }
    let kept = administrator(&ehr).quarantine().expect("it may");
    assert!(kept.iter().any(|one| one.issues[0].code == Code::Retracted));
    assert_eq!(code(administrator(&ehr).release(kept[0].number, None)), Code::Retracted);

    // With the right, and asked for by name, it is shown, with who had seen it.
    assert_eq!(code(nurse.read_retracted(observation, "o1")), Code::Denied);
    assert_eq!(code(session.read_retracted(kind("Patient"), "p1")), Code::NotFound);
    let hidden = session.read_retracted(observation, "o1").expect("it may");
    assert_eq!(hidden.iter().map(Stored::version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(hidden[0].bytes(), RESULT.as_bytes());
    assert_eq!(hidden[0].note().map(|note| (note.kind, &*note.reason)), Some((ChangeKind::Retract, "wrong patient")));
    let seen = session.viewers_before(observation, "o1").expect("it may");
    let mut who: Vec<(String, EventKind)> = seen.into_iter().map(|one| (one.actor, one.kind)).collect();
    who.dedup();
    let nurses = [EventKind::Read, EventKind::Chart, EventKind::Search].map(|kind| ("nurse-joy", kind));
    let expected = [nurses[0], nurses[1], nurses[2], ("dr-grey", EventKind::Read)];
    assert_eq!(who, expected.map(|(who, kind)| (who.to_owned(), kind)));

    assert_eq!(session.restore(observation, "o1", &Reason::new("it was hers")).expect("it may").version, 3);
    assert_eq!(session.read(observation, "o1").expect("there again").bytes(), RESULT.as_bytes());
    let steps: Vec<_> = session.lineage(observation, "o1").expect("there").iter().map(|one| one.kind).collect();
    assert_eq!(steps, [Some(ChangeKind::Restore), Some(ChangeKind::Retract), Some(ChangeKind::Create)]);
    assert_eq!(code(session.restore(observation, "o1", &Reason::new("again"))), Code::NotFound);
}

#[test]
fn what_is_on_hold_is_neither_changed_nor_hidden_nor_deleted_and_whom_to_ask_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, session) = clinic(folder.path());
    let (observation, admin) = (kind("Observation"), administrator(&ehr));
    let why = Reason::new("case 12");
    assert_eq!(code(session.place_hold("p1", None, "legal@clinic", &why)), Code::Denied);
    assert_eq!(code(admin.place_hold("nobody", None, "legal@clinic", &why)), Code::NotFound);
    assert_eq!(code(admin.place_hold("p1", None, " ", &why)), Code::InvalidArgument);
    assert_eq!(code(admin.place_hold("p1", None, "legal@clinic", &Reason::new(""))), Code::ReasonRequired);
    let hold = admin.place_hold("p1", Some((observation, "o1")), "legal@clinic", &why).expect("it may");

    let second = RESULT.replace("seven", "eight");
    let refused = || {
        let error = session.amend(second.as_bytes(), 1, &why).expect_err("it is on hold");
        assert_eq!((error.code(), error.whom_to_ask()), (Code::Hold, Some("legal@clinic")));
        assert!(!format!("{error} {error:?}").contains("legal@clinic"));
        assert_eq!(code(session.correct(second.as_bytes(), 1, &why)), Code::Hold);
        assert_eq!(
            code(session.augment(
                RESULT.replace(r#","valueS"#, r#","note":[{"text":"n"}],"valueS"#).as_bytes(),
                1,
                &why
            )),
            Code::Hold
        );
        assert_eq!(code(session.write(second.as_bytes())), Code::Hold);
        // Not even by making it another patient's.
        assert_eq!(code(session.write(RESULT.replace("Patient/p1", "Patient/p2").as_bytes())), Code::Hold);
        assert_eq!(code(session.retract(observation, "o1", 1, &why)), Code::Hold);
        assert_eq!(code(session.delete(observation, "o1")), Code::Hold);
        assert_eq!(code(session.delete_for(observation, "o1", &why)), Code::Hold);
        let both = vec![Write::Put(RESULT.replace("o1", "o5").into()), Write::Put(second.clone().into())];
        assert_eq!(code(session.change_set(both)), Code::Hold);
        assert_eq!(code(session.read(observation, "o5")), Code::NotFound);
    };
    refused();
    session.write(br#"{"resourceType":"Patient","id":"p1","name":[{"family":"Roe"}]}"#).expect("the rest is free");
    admin.place_hold("p1", None, "legal@clinic", &why).expect("it may");
    admin.release_hold(hold.number, &Reason::new("of the record alone")).expect("it stands");
    assert_eq!(code(admin.release_hold(hold.number, &why)), Code::NotFound);
    refused();
    assert_eq!(code(session.delete(kind("Patient"), "p1")), Code::Hold);
    session.write(RESULT.replace("o1", "o6").as_bytes()).expect("care goes on");
    let file = folder.path().join("o.json");
    std::fs::write(&file, &second).expect("a file");
    let summary = admin.import(&file, &ImportOptions::default(), &mut ()).expect("it imports");
    assert_eq!((summary.stored, summary.quarantined), (0, 1));
    // A hold stands when the store is opened again.
    drop((session, admin, ehr));
    let ehr = Ehr::open(folder.path().join("clinic.ehr"), &crate::path::key(), ehrcore::ehr::Options::default());
    let ehr = ehr.expect("it opens");
    let (session, admin) = (physician(&ehr), administrator(&ehr));
    assert_eq!(code(session.write(second.as_bytes())), Code::Hold);
    let all = admin.holds(Some("p1")).expect("it may");
    let stand: Vec<_> = all.iter().filter(|hold| hold.released.is_none()).collect();
    assert_eq!((all.len(), stand.len(), stand[0].by.as_str()), (2, 1, "admin"));
    assert_eq!((stand[0].reason.as_str(), stand[0].contact.as_str()), ("case 12", "legal@clinic"));
    admin.release_hold(stand[0].number, &Reason::new("the case is closed")).expect("it stands");
    session.write(second.as_bytes()).expect("it is free");
    let released = admin.holds(None).expect("it may").pop().and_then(|hold| hold.released).expect("it was");
    assert_eq!((released.by.as_str(), released.reason.as_str()), ("admin", "the case is closed"));
}

/// A clinic whose clock stands still until told.
fn timed(folder: &std::path::Path) -> (Ehr, std::sync::Arc<ManualClock>) {
    let clock = std::sync::Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000)));
    let options = Options { clock: clock.clone(), ..Options::default() };
    let ehr = Ehr::create(folder.join("timed.ehr"), &crate::path::key(), options).expect("a new store");
    let session = physician(&ehr);
    session.write(PATIENT).expect("it is valid");
    session.write(RESULT.as_bytes()).expect("it is valid");
    session.write(RESULT.replace("o1", "o2").as_bytes()).expect("it is valid");
    session.write(br#"{"resourceType":"Patient","id":"p2"}"#).expect("it is valid");
    (ehr, clock)
}

const DAY: i64 = 86_400_000_000;

#[test]
fn a_denied_request_and_the_statement_of_disagreement_go_wherever_the_entry_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, clock) = timed(folder.path());
    let (observation, admin) = (kind("Observation"), administrator(&ehr));
    let own =
        ehr.session(Actor::of_patient("p1-login", Role::Patient, "p1"), Purpose::PatientRequest).expect("a session");
    let other =
        ehr.session(Actor::of_patient("p2-login", Role::Patient, "p2"), Purpose::PatientRequest).expect("a session");
    let why = Reason::new("the result was checked");
    assert_eq!(code(own.request_amendment("p2", None, "not mine")), Code::NotFound);
    assert_eq!(code(own.request_amendment("p1", Some((observation, "o9")), "none")), Code::NotFound);
    assert_eq!(code(own.request_amendment("p1", Some((observation, "o1")), " ")), Code::InvalidArgument);
    assert_eq!(code(physician(&ehr).request_amendment("p1", None, "x")), Code::Denied);
    let asked = own.request_amendment("p1", Some((observation, "o1")), "it was six, I saw it").expect("it may");
    assert_eq!((asked.state, asked.version, asked.due.0 - asked.asked.at.0), (RequestState::Open, 1, 60 * DAY));

    // The term: one extension of 30 days, before it is over.
    assert_eq!(code(own.extend_request(asked.number, &why)), Code::Denied);
    clock.advance(60 * DAY);
    assert!(admin.overdue_requests().expect("it may").is_empty());
    let extended = admin.extend_request(asked.number, &Reason::new("the laboratory is closed")).expect("in time");
    assert_eq!(extended.due.0 - asked.due.0, 30 * DAY);
    assert_eq!(code(admin.extend_request(asked.number, &why)), Code::RequestState);
    clock.advance(30 * DAY + 1);
    assert_eq!(admin.overdue_requests().expect("it may").len(), 1);

    let exported = || String::from_utf8(physician(&ehr).export_chart("p1").expect("it may")).expect("UTF-8");
    assert!(!exported().contains("Communication"));
    assert_eq!(code(own.disagree(asked.number, "still six")), Code::RequestState);
    assert_eq!(code(admin.deny_amendment(99, Denial::AccurateAndComplete, &why)), Code::RequestUnknown);
    admin.deny_amendment(asked.number, Denial::AccurateAndComplete, &why).expect("it may");
    assert_eq!(code(admin.accept_amendment(asked.number, None, &why)), Code::RequestState);
    assert!(admin.overdue_requests().expect("it may").is_empty());
    assert!(exported().contains("Denied, accurate-and-complete"));
    assert_eq!(code(other.disagree(asked.number, "not mine")), Code::RequestUnknown);
    own.disagree(asked.number, "still six").expect("it was denied");
    admin.rebut(asked.number, "seven, see the print-out").expect("it may");
    assert_eq!(code(own.disagree(asked.number, "and again")), Code::RequestState);
    assert_eq!(code(admin.rebut(asked.number, "and again")), Code::RequestState);

    // It goes along, as a resource of its own that is valid, and the entry keeps its bytes.
    let bundle = exported();
    assert!(bundle.contains(RESULT), "the entry as it was");
    for words in ["it was six, I saw it", "the result was checked", "still six", "seven, see the print-out"] {
        assert_eq!(bundle.matches(words).count(), 1, "{words}");
    }
    let away = tempfile::tempdir().expect("a folder");
    let elsewhere = create(away.path());
    std::fs::write(away.path().join("b.json"), &bundle).expect("a file");
    let summary = administrator(&elsewhere).import(&away.path().join("b.json"), &ImportOptions::default(), &mut ());
    assert_eq!(summary.map(|summary| (summary.stored, summary.quarantined)).expect("it imports"), (4, 0));
    let found = physician(&elsewhere).search(kind("Communication"), "patient=Patient/p1", SearchOptions::default());
    assert!(String::from_utf8_lossy(found.expect("it searches").records[0].bytes()).contains("Observation/o1"));
    let out = folder.path().join("out");
    std::fs::create_dir_all(&out).expect("a folder");
    let summary = admin.export_ndjson(&out).expect("it may");
    assert_eq!((summary.records["Communication"], summary.total()), (1, 5));
    assert!(std::fs::read_to_string(out.join("Communication.ndjson")).expect("there").contains("still six"));
    // Not with what it is not about.
    physician(&ehr).retract(observation, "o1", 1, &Reason::new("x")).expect("it is there");
    assert!(!exported().contains("still six"));
}

#[test]
fn an_accepted_request_amends_the_entry_in_the_same_change_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, _) = timed(folder.path());
    let (observation, admin) = (kind("Observation"), administrator(&ehr));
    let own =
        ehr.session(Actor::of_patient("p1-login", Role::Patient, "p1"), Purpose::PatientRequest).expect("a session");
    let why = Reason::new("the print-out says six");
    let number = own.request_amendment("p1", Some((observation, "o1")), "six").expect("it may").number;
    let amended = RESULT.replace("seven", "six");
    assert_eq!(code(admin.accept_amendment(number, Some((amended.as_bytes(), 2)), &why)), Code::Conflict);
    let wrong = amended.replace("o1", "o2");
    assert_eq!(code(admin.accept_amendment(number, Some((wrong.as_bytes(), 1)), &why)), Code::InvalidArgument);
    assert_eq!(own.requests(Some("p1")).expect("it may")[0].state, RequestState::Open, "nothing of a refusal stays");
    let accepted = admin.accept_amendment(number, Some((amended.as_bytes(), 1)), &why).expect("it may");
    assert_eq!((accepted.state, accepted.amended), (RequestState::Accepted, 2));
    assert_eq!(physician(&ehr).read(observation, "o1").expect("there").bytes(), amended.as_bytes());
    let line = physician(&ehr).lineage(observation, "o1").expect("there");
    assert_eq!(line[0].reason.as_deref(), Some("the print-out says six"));
    assert_eq!(code(own.requests(None)), Code::Denied);
    assert_eq!(code(own.requests(Some("p2"))), Code::NotFound);
}

#[test]
fn an_access_package_has_all_that_the_patient_may_have_and_who_saw_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, clock) = timed(folder.path());
    let admin = administrator(&ehr);
    let own =
        ehr.session(Actor::of_patient("p1-login", Role::Patient, "p1"), Purpose::PatientRequest).expect("a session");
    let session = physician(&ehr);
    session.amend(RESULT.replace("seven", "eight").as_bytes(), 1, &Reason::new("seen anew")).expect("it is there");
    session.read(kind("Observation"), "o1").expect("there");
    let asked = own.request_access("p1", "all of it").expect("it may");
    assert_eq!(asked.due.0 - asked.asked.at.0, 30 * DAY);
    let denied = own.request_amendment("p1", Some((kind("Observation"), "o1")), "six").expect("it may");
    admin.deny_amendment(denied.number, Denial::NotCreatedHere, &Reason::new("ask the laboratory")).expect("it may");

    assert_eq!(code(session.access_package("p1", true)), Code::Denied);
    assert_eq!(code(own.access_package("p2", true)), Code::NotFound);
    let package = own.access_package("p1", true).expect("it may");
    assert_eq!((package.records.len(), package.versions.len()), (3, 1));
    assert_eq!((package.requests.len(), package.statements.len()), (2, 1));
    let read = package.accesses.iter().find(|line| line.kind == EventKind::Read).expect("it was read");
    assert_eq!((read.actor.as_str(), read.id.as_str()), ("dr-grey", "o1"));
    assert!(package.accesses.iter().all(|line| line.id != "p2"));
    let out = folder.path().join("package");
    std::fs::create_dir_all(&out).expect("a folder");
    package.write(&out).expect("it writes");
    assert_eq!(code(package.write(&out)), Code::Io);
    let manifest = std::fs::read_to_string(out.join("manifest.json")).expect("there");
    for (name, bytes) in package.files() {
        assert_eq!(std::fs::read(out.join(name)).expect("there"), bytes);
        assert!(name == "manifest.json" || manifest.contains(&format!(r#""name":"{name}","bytes":{}"#, bytes.len())));
    }
    assert!(String::from_utf8_lossy(&package.bundle()).contains("ask the laboratory"));
    // Without versions none; and a request for access is met once.
    assert!(admin.access_package("p1", false).expect("it may").versions.is_empty());
    clock.advance(31 * DAY);
    assert_eq!(admin.overdue_requests().expect("it may").len(), 1);
    admin.fulfil_access(asked.number, &Reason::new("given on paper")).expect("it is open");
    assert_eq!(code(admin.fulfil_access(asked.number, &Reason::new("again"))), Code::RequestState);
    assert!(admin.overdue_requests().expect("it may").is_empty());
}
