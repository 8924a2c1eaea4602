//! The calls by name, as C, Python and the shell make them: the same answers, and every slip in an argument is refused.

use crate::path::{administrator, key, physician};
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, Options, Session};
use ehrcore::error::Code;
use ehrcore::lifecycle::{CALLS, call};
use ehrcore::time::{ManualClock, Timestamp};
use std::path::Path;
use std::sync::Arc;

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}],"birthDate":"1970-01-01"}"#;
const RESULT: &str = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2000-01-01","valueString":"seven"}"#;
const DAY: i64 = 86_400_000_000;

fn clinic(folder: &Path) -> (Ehr, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000)));
    let options = Options { clock: clock.clone(), ..Options::default() };
    let ehr = Ehr::create(folder.join("clinic.ehr"), &key(), options).expect("a new store");
    physician(&ehr).write(PATIENT).expect("it is valid");
    physician(&ehr).write(RESULT.as_bytes()).expect("it is valid");
    (ehr, clock)
}

fn patient(ehr: &Ehr) -> Session {
    let actor = Actor::of_patient("p1-login", Role::Patient, "p1");
    ehr.session(actor, Purpose::PatientRequest).expect("a session")
}

/// The answer as JSON.
fn answer(session: &Session, name: &str, arguments: &str, record: &str) -> serde_json::Value {
    assert!(CALLS.contains(&name), "{name}");
    let bytes =
        call(session, name, arguments.as_bytes(), record.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&bytes).expect("the answer is JSON")
}

fn refusal(session: &Session, name: &str, arguments: &str, record: &str) -> Code {
    call(session, name, arguments.as_bytes(), record.as_bytes()).map(|_| ()).expect_err(name).code()
}

#[test]
fn an_entry_is_changed_retracted_and_restored_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, clock) = clinic(folder.path());
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let eight = RESULT.replace("seven", "eight");
    let why = r#"{"expected":1,"reason":"the unit was misread","on_behalf":"dr-house","authored":77}"#;
    let amended = answer(&doctor, "amend", why, &eight);
    assert_eq!(
        (&amended["record"], &amended["version"], &amended["changed"]),
        (&"Observation/o1".into(), &2.into(), &true.into())
    );
    clock.advance(DAY);
    answer(&doctor, "correct", r#"{"expected":2,"reason":"seen anew"}"#, RESULT);
    let more = RESULT.replace(r#","valueString""#, r#","note":[{"text":"seen twice"}],"valueString""#);
    assert_eq!(answer(&doctor, "augment", r#"{"expected":3,"reason":"more"}"#, &more)["version"], 4);
    let line = answer(&doctor, "lineage", r#"{"record":"Observation/o1"}"#, "");
    let did: Vec<&str> =
        line.as_array().expect("a list").iter().map(|one| one["did"].as_str().expect("a word")).collect();
    assert_eq!(did, ["augment", "correct", "amend", "create"]);
    assert_eq!((&line[2]["reason"], &line[2]["on_behalf"]), (&"the unit was misread".into(), &"dr-house".into()));
    assert!(line[2]["authored"].as_str().is_some_and(|time| time.starts_with("1970-01-01T00:00:00")));
    assert_eq!((line[3]["sha256"].as_str().map(str::len), &line[3]["before"]), (Some(64), &serde_json::Value::Null));

    // Who saw it before it was retracted, and what it said, for whoever may ask.
    doctor.read(crate::path::kind("Observation"), "o1").expect("there");
    assert_eq!(
        answer(&doctor, "retract", r#"{"record":"Observation/o1","expected":4,"reason":"wrong patient"}"#, "")["version"],
        5
    );
    let seen = answer(&doctor, "viewers_before", r#"{"record":"Observation/o1"}"#, "");
    assert!(
        seen.as_array().expect("a list").iter().any(|one| one["actor"] == "dr-grey" && one["purpose"] == "TREAT"),
        "{seen}"
    );
    let kept = answer(&doctor, "read_retracted", r#"{"record":"Observation/o1"}"#, "");
    assert_eq!(
        (&kept[0]["did"], &kept[0]["reason"], &kept[0]["retracted"]),
        (&"retract".into(), &"wrong patient".into(), &true.into())
    );
    assert!(kept.to_string().contains("seven"));
    answer(&doctor, "restore", r#"{"record":"Observation/o1","reason":"it was right"}"#, "");
    answer(&doctor, "delete_for", r#"{"record":"Observation/o1","reason":"entered for practice"}"#, "");
    answer(&office, "require_reason", r#"{"required":true}"#, "");
    assert_eq!(refusal(&doctor, "amend", r#"{"expected":1}"#, RESULT), Code::ReasonRequired);
    assert_eq!(doctor.write(eight.as_bytes()).map(|_| ()).expect_err("it says no reason").code(), Code::ReasonRequired);
    answer(&office, "require_reason", r#"{"required":false}"#, "");
}

#[test]
fn a_hold_a_conflict_and_a_destruction_go_their_way_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, clock) = clinic(folder.path());
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let held = answer(
        &office,
        "place_hold",
        r#"{"patient":"p1","record":"Observation/o1","contact":"legal","reason":"a suit"}"#,
        "",
    );
    assert_eq!(
        (&held["record"], &held["contact"], &held["by"]),
        (&"Observation/o1".into(), &"legal".into(), &"admin".into())
    );
    let eight = RESULT.replace("seven", "eight");
    assert_eq!(refusal(&doctor, "amend", r#"{"expected":1,"reason":"x"}"#, &eight), Code::Hold);
    let number = format!(r#"{{"number":{},"reason":"settled"}}"#, held["number"]);
    assert_eq!(answer(&office, "release_hold", &number, "")["released"]["reason"], "settled");
    assert_eq!(answer(&office, "holds", r#"{"patient":"p1"}"#, "").as_array().map(Vec::len), Some(1));

    // Two that change the same element: the second is parked, and somebody settles it.
    assert_eq!(answer(&doctor, "write_merged", r#"{"base":1}"#, &eight)["version"], 2);
    let nine = RESULT.replace("seven", "nine");
    for choice in ["theirs", "mine", "bytes", "nothing"] {
        let current = answer(&doctor, "lineage", r#"{"record":"Observation/o1"}"#, "")[0]["version"].clone();
        let mine = RESULT.replace("seven", choice);
        let parked = answer(&doctor, "write_merged", r#"{"base":1}"#, &mine)["parked"].clone();
        let sides = answer(&doctor, "conflict", &format!(r#"{{"number":{parked}}}"#), "");
        assert_eq!((&sides["now"], &sides["base_record"]), (&current, &RESULT.into()));
        assert!(sides["mine_record"].as_str().is_some_and(|text| text == mine), "{sides}");
        assert!(answer(&doctor, "conflicts", r#"{"patient":"p1"}"#, "").to_string().contains("value"));
        let settle = |choice: &str| {
            format!(r#"{{"number":{parked},"choice":"{choice}","seen":{current},"reason":"both were asked"}}"#)
        };
        assert_eq!(refusal(&doctor, "settle", &settle("neither"), ""), Code::InvalidArgument);
        let settled = answer(&doctor, "settle", &settle(choice), if choice == "bytes" { &nine } else { "" });
        assert_eq!(settled["settled"]["reason"], "both were asked");
        assert_eq!(refusal(&doctor, "settle", &settle(choice), &nine), Code::ConflictUnknown);
    }

    // Destroyed by two, when its time is over, and not before.
    let rules = r#"{"default":{"years":1,"majority":18},"types":{}}"#;
    answer(&office, "set_retention", "", rules);
    assert_eq!(answer(&office, "retention", "", "")["default"]["years"], 1);
    let wanted = r#"{"patient":"p1","record":"Observation/o1","reason":"its time is over"}"#;
    let due = answer(&office, "retention_due", r#"{"patient":"p1","record":"Observation/o1"}"#, "");
    assert!(due.is_string(), "{due}");
    assert_eq!(refusal(&office, "propose_destroy", wanted, ""), Code::RetentionRunning);
    clock.advance(800 * DAY);
    let withdrawn = answer(&office, "propose_destroy", wanted, "")["number"].clone();
    assert!(answer(&office, "proposals", "", "").to_string().contains("its time is over"));
    assert_eq!(answer(&office, "withdraw_destroy", &format!(r#"{{"number":{withdrawn}}}"#), "")["ended_by"], "admin");
    let number = answer(&office, "propose_destroy", wanted, "")["number"].clone();
    let approve = format!(r#"{{"number":{number},"reason":"looked at"}}"#);
    assert_eq!(refusal(&office, "approve_destroy", &approve, ""), Code::SamePerson);
    let other = ehr.session(Actor::new("records", Role::Administrator), Purpose::Operations).expect("a session");
    let done = answer(&other, "approve_destroy", &approve, "");
    assert_eq!((&done["ended_by"], &done["records"]), (&"records".into(), &1.into()));
    let stone = answer(&office, "tombstone", r#"{"record":"Observation/o1"}"#, "");
    assert_eq!((&stone["by"], &stone["approved_by"]), (&"admin".into(), &"records".into()));
    assert_eq!(doctor.write(RESULT.as_bytes()).map(|_| ()).expect_err("it does not come back").code(), Code::Destroyed);
}

#[test]
fn what_a_patient_asks_for_is_answered_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, clock) = clinic(folder.path());
    let (own, office) = (patient(&ehr), administrator(&ehr));
    let ask = r#"{"patient":"p1","record":"Observation/o1","text":"it was six"}"#;
    let number = |value: &serde_json::Value| format!(r#""number":{}"#, value["number"]);
    let first = number(&answer(&own, "request_amendment", ask, ""));
    assert_eq!(answer(&own, "requests", r#"{"patient":"p1"}"#, "").as_array().map(Vec::len), Some(1));
    answer(&office, "extend_request", &format!(r#"{{{first},"reason":"the laboratory is closed"}}"#), "");
    clock.advance(91 * DAY);
    assert_eq!(answer(&office, "overdue_requests", "", "").as_array().map(Vec::len), Some(1));
    let deny = |ground: &str| format!(r#"{{{first},"ground":"{ground}","reason":"checked"}}"#);
    assert_eq!(refusal(&office, "deny_amendment", &deny("no-time"), ""), Code::InvalidArgument);
    answer(&office, "deny_amendment", &deny("accurate-and-complete"), "");
    answer(&own, "disagree", &format!(r#"{{{first},"text":"still six"}}"#), "");
    answer(&office, "rebut", &format!(r#"{{{first},"text":"see the print-out"}}"#), "");
    let second = number(&answer(&own, "request_amendment", ask, ""));
    let six = RESULT.replace("seven", "six");
    answer(&office, "accept_amendment", &format!(r#"{{{second},"expected":1,"reason":"so it was"}}"#), &six);
    let third = number(&answer(&own, "request_amendment", ask, ""));
    answer(&office, "accept_amendment", &format!(r#"{{{third},"reason":"done already"}}"#), "");
    let fourth = number(&answer(&own, "request_access", r#"{"patient":"p1","text":"all of it"}"#, ""));
    answer(&office, "fulfil_access", &format!(r#"{{{fourth},"reason":"handed over"}}"#), "");
    let out = folder.path().join("package");
    std::fs::create_dir(&out).expect("a folder");
    let package = answer(
        &own,
        "access_package",
        &format!(r#"{{"patient":"p1","versions":true,"folder":{:?}}}"#, out.to_string_lossy()),
        "",
    );
    let names: Vec<&String> = package.as_object().expect("files").keys().collect();
    assert!(!names.is_empty() && names.iter().all(|name| out.join(name).exists()), "{names:?}");
}

/// Passed over, a name that is misspelt would make a whole chart of one entry.
#[test]
fn a_slip_in_the_arguments_is_refused_before_anything_happens() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, _) = clinic(folder.path());
    let office = administrator(&ehr);
    let events = || office.audit(0, 10_000).expect("it may").len();
    let before = events();
    for (name, arguments) in [
        ("destroy_all", "{}"),
        ("place_hold", "[]"),
        ("place_hold", r#"{"patient":"p1","recrod":"Observation/o1","contact":"legal","reason":"x"}"#),
        ("place_hold", r#"{"patient":"p1","record":"Observation","contact":"legal","reason":"x"}"#),
        ("place_hold", r#"{"patient":"p1","record":"Widget/1","contact":"legal","reason":"x"}"#),
        ("place_hold", r#"{"contact":"legal","reason":"x"}"#),
        ("release_hold", r#"{"reason":"x"}"#),
        ("release_hold", r#"{"number":"1","reason":"x"}"#),
        ("release_hold", r#"{"number":1.5,"reason":"x"}"#),
        ("release_hold", r#"{"number":-1,"reason":"x"}"#),
        ("release_hold", r#"{"number":1,"reason":"x","authored":1e3}"#),
        ("retract", r#"{"expected":1,"reason":"x"}"#),
        ("retract", r#"{"record":"Observation/o1","reason":"x"}"#),
        ("tombstone", "{}"),
    ] {
        assert_eq!(refusal(&office, name, arguments, ""), Code::InvalidArgument, "{name} {arguments}");
    }
    assert_eq!(refusal(&office, "place_hold", r#"{"patient":"p1""#, ""), Code::JsonEnd);
    let asked = events() - before;
    assert!(asked <= 1, "nothing but the question about the log itself is on record: {asked}");
}
