//! Edits made from an older version: merged where they meet nothing, parked where they clash, settled by somebody who saw both.

use crate::path::{administrator, create, kind, physician};
use ehrcore::ehr::{Ehr, Session};
use ehrcore::error::{Code, Result};
use ehrcore::lifecycle::{Choice, Edit, Reason};

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}]}"#;

fn result(value: &str, note: &str) -> Vec<u8> {
    let note = if note.is_empty() { String::new() } else { format!(r#""note":[{{"text":"{note}"}}],"#) };
    format!(
        r#"{{"resourceType":"Observation","id":"o1","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/p1"}},{note}"valueString":"{value}"}}"#
    )
    .into_bytes()
}

fn clinic(folder: &std::path::Path) -> (Ehr, Session) {
    let ehr = create(folder);
    let session = physician(&ehr);
    session.write(PATIENT).expect("it is valid");
    (ehr, session)
}

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("this is refused").code()
}

fn parked(session: &Session, bytes: &[u8], base: u32) -> u64 {
    match session.write_merged(bytes, base).expect("it is valid") {
        Edit::Parked(number) => number,
        Edit::Written(done) => panic!("version {} was written", done.version),
    }
}

fn written(session: &Session, bytes: &[u8], base: u32) -> u32 {
    match session.write_merged(bytes, base).expect("it is valid") {
        Edit::Parked(number) => panic!("it waits as {number}"),
        Edit::Written(done) => done.version,
    }
}

fn current(session: &Session) -> String {
    let stored = session.read(kind("Observation"), "o1").expect("there");
    String::from_utf8(stored.bytes().to_vec()).expect("UTF-8")
}

#[test]
fn an_edit_that_meets_nothing_is_written_and_one_that_was_made_twice_counts_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_ehr, session) = clinic(folder.path());
    assert_eq!(written(&session, &result("seven", ""), 0), 1, "a first version");
    assert_eq!(written(&session, &result("seven", ""), 0), 1, "the same from another device");
    assert_eq!(written(&session, &result("eight", ""), 1), 2);
    // Another element of the older version: both changes are there.
    assert_eq!(written(&session, &result("seven", "seen twice"), 1), 3);
    assert!(current(&session).contains("eight") && current(&session).contains("seen twice"));
    assert_eq!(code(session.write_merged(&result("nine", ""), 9)), Code::NotFound, "there is no such version");
    // Made anew by somebody who did not know of it.
    let number = parked(&session, &result("ten", ""), 0);
    assert_eq!(session.conflict(number).expect("it waits").0.clashes, ["Observation"]);
    assert_eq!(parked(&session, &result("ten", ""), 0), number, "sent again, it waits already");
    let why = Reason::new("the newer device is right");
    session.settle(number, &Choice::Mine, 3, &why).expect("it may");
    assert!(current(&session).contains("ten") && !current(&session).contains("seen twice"), "it counts whole");
    let number = parked(&session, &result("eleven", ""), 0);
    session.settle(number, &Choice::Theirs, 4, &why).expect("it may");
    assert!(current(&session).contains("ten"));
}

#[test]
fn a_conflict_is_settled_upon_what_is_current_with_a_reason_and_by_a_record_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, session) = clinic(folder.path());
    written(&session, &result("seven", ""), 0);
    written(&session, &result("eight", ""), 1);
    let number = parked(&session, &result("nine", ""), 1);
    let why = Reason::new("both were asked");
    assert_eq!(code(session.settle(number, &Choice::Mine, 2, &Reason::new(" "))), Code::ReasonRequired);
    assert_eq!(code(session.settle(number, &Choice::Mine, 1, &why)), Code::Conflict, "version 2 is current");
    assert_eq!(code(session.settle(number + 1, &Choice::Mine, 2, &why)), Code::ConflictUnknown);
    let other = String::from_utf8(result("nine", "")).expect("UTF-8").replace("o1", "o2");
    assert_eq!(code(session.settle(number, &Choice::Bytes(other.into_bytes()), 2, &why)), Code::InvalidArgument);
    let wrong = br#"{"resourceType":"Observation","id":"o1"}"#.to_vec();
    assert_eq!(code(session.settle(number, &Choice::Bytes(wrong), 2, &why)), Code::RecordInvalid);
    assert_eq!(code(administrator(&ehr).settle(number, &Choice::Mine, 2, &why)), Code::Denied);
    assert!(current(&session).contains("eight"), "nothing of a refusal stays");
    let settled = session.settle(number, &Choice::Mine, 2, &why).expect("it may");
    assert_eq!(settled.settled.map(|done| (done.how, done.version)), Some(("mine", 3)));
    assert_eq!(code(session.settle(number, &Choice::Mine, 3, &why)), Code::ConflictUnknown, "once");
    assert_eq!(session.conflicts(Some("p1")).expect("it may").len(), 1, "what was settled stays on record");
    assert_eq!(code(session.conflicts(Some("p9"))), Code::NotFound);
}

#[test]
fn an_edit_of_what_was_deleted_meanwhile_waits_for_somebody_to_decide() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_ehr, session) = clinic(folder.path());
    let why = Reason::new("it was deleted by mistake");
    written(&session, &result("seven", ""), 0);
    session.delete(kind("Observation"), "o1").expect("it is there");
    let number = parked(&session, &result("eight", ""), 1);
    let (conflict, sides) = session.conflict(number).expect("it waits");
    assert_eq!((conflict.theirs, sides.now.is_none(), sides.base.is_some()), (0, true, true));
    assert_eq!(code(session.settle(number, &Choice::Mine, 2, &why)), Code::Conflict, "there is none to be seen");
    session.settle(number, &Choice::Mine, 0, &why).expect("it may");
    assert!(current(&session).contains("eight"));
    session.delete(kind("Observation"), "o1").expect("it is there");
    let number = parked(&session, &result("nine", ""), 3);
    session.settle(number, &Choice::Theirs, 0, &why).expect("it may");
    assert_eq!(code(session.read(kind("Observation"), "o1")), Code::NotFound, "it stays deleted");
}

/// A device that sends again and again what clashes cannot fill the store.
#[test]
fn more_edits_of_one_record_than_anybody_will_settle_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_ehr, session) = clinic(folder.path());
    written(&session, &result("seven", ""), 0);
    written(&session, &result("eight", ""), 1);
    for n in 0..64 {
        parked(&session, &result(&format!("n{n}"), ""), 1);
    }
    assert_eq!(code(session.write_merged(&result("n64", ""), 1)), Code::LimitCount);
    let first = session.conflicts(Some("p1")).expect("it may")[0].number;
    session.settle(first, &Choice::Nothing, 2, &Reason::new("old")).expect("it may");
    parked(&session, &result("n64", ""), 1);
}
