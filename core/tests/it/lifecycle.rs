//! The life of an entry: what is changed says why, what is retracted is gone from sight, what is held stays as it is.

use crate::path::{administrator, create, kind, physician};
use ehrcore::access::{Purpose, Role};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Actor, Ehr, SearchOptions, Session, Write};
use ehrcore::error::{Code, Result};
use ehrcore::exchange::ImportOptions;
use ehrcore::lifecycle::Reason;
use ehrcore::store::{ChangeKind, Stored};
use ehrcore::time::Timestamp;

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
