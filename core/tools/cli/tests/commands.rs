//! `ehr` as somebody types it: who acts, emergencies, time limits, validators that are kept.

use ehrcore::access::{Purpose, Role};
use ehrcore::audit::{Event, EventKind};
use ehrcore::ehr::{Actor, Ehr, Options};
use ehrcore::keys::RawKey;
use std::path::Path;

fn ehr(words: &str, folder: &Path) -> u8 {
    let placed = words.split(' ').map(|word| match word.strip_prefix('@') {
        Some(name) => folder.join(name).into_os_string(),
        None => word.into(),
    });
    ehrcore_cli::run(std::iter::once("ehr".into()).chain(placed))
}

/// A store with two patients, its key in a file beside it, and the file they came from.
fn clinic() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let key = "07".repeat(32);
    std::fs::write(folder.path().join("key"), key).expect("writable");
    let records = "{\"resourceType\":\"Patient\",\"id\":\"p\"}\n{\"resourceType\":\"Patient\",\"id\":\"q\"}\n";
    std::fs::write(folder.path().join("all.ndjson"), records).expect("writable");
    assert_eq!(ehr("init @s.ehr --key-file @key", folder.path()), 0);
    assert_eq!(ehr("import @s.ehr @all.ndjson --key-file @key", folder.path()), 0);
    folder
}

fn events(folder: &Path) -> Vec<Event> {
    let ehr = Ehr::open(folder.join("s.ehr"), &RawKey::new([7; 32]), Options::default()).expect("it opens");
    let office = ehr.session(Actor::new("office", Role::Administrator), Purpose::Operations).expect("a session");
    office.audit(0, 1000).expect("it may").into_iter().map(|(_, event)| event).collect()
}

#[test]
fn emergency_access_takes_a_second_factor_and_a_reason_and_is_on_record() {
    let folder = clinic();
    let run = |words: &str| ehr(&format!("{words} --key-file @key"), folder.path());
    assert_eq!(run("break-glass @s.ehr p --reason unconscious"), 3, "without a second factor");
    assert_eq!(run("break-glass @s.ehr p --mfa"), 2, "without a reason");
    assert_eq!(run("break-glass @s.ehr nobody --mfa --reason unconscious"), 4);
    assert_eq!(run("break-glass @s.ehr p --mfa --reason unconscious"), 0);
    assert_eq!(run("break-glass @s.ehr p --mfa --reason unconscious --record Patient/p"), 0);
    assert_eq!(run("break-glass @s.ehr p --mfa --reason unconscious --record Patient/q"), 4, "of another");
    assert_eq!(run("break-glass @s.ehr p --mfa --reason unconscious --html @p.html"), 0);
    assert!(std::fs::read_to_string(folder.path().join("p.html")).expect("written").starts_with("<!doctype html>"));
    let events = events(folder.path());
    let broken = events.iter().filter(|event| event.kind == EventKind::BreakGlass && event.failed.is_none());
    assert_eq!(broken.filter(|event| event.reason == "unconscious" && event.break_glass > 0).count(), 4);
    let shown = events.iter().filter(|event| event.kind == EventKind::Chart && event.break_glass > 0);
    assert_eq!(shown.count(), 2, "what was shown carries the reference");
}

#[test]
fn who_acts_for_whom_from_where_is_in_the_log() {
    let folder = clinic();
    let words = "show @s.ehr Patient/p --key-file @key --actor ann --on-behalf-of bob --device ward-3 --client desk";
    assert_eq!(ehr(words, folder.path()), 0);
    let events = events(folder.path());
    let read = events.iter().find(|event| event.kind == EventKind::Read).expect("recorded");
    let said = [&read.actor, &read.on_behalf_of, &read.device, &read.app].map(String::as_str);
    assert_eq!(said, ["ann", "bob", "ward-3", "desk"]);
}

#[test]
fn a_command_gives_up_when_its_time_is_over_and_leaves_nothing_half_done() {
    let folder = clinic();
    let run = |words: &str| ehr(&format!("{words} --timeout 0"), folder.path());
    std::fs::write(folder.path().join("more.ndjson"), "{\"resourceType\":\"Patient\",\"id\":\"r\"}\n")
        .expect("writable");
    assert_eq!(run("import @s.ehr @more.ndjson --key-file @key"), 1);
    assert_eq!(run("search @s.ehr Patient --key-file @key"), 1);
    assert_eq!(run("chart @s.ehr p --key-file @key"), 1);
    assert_eq!(run("export @s.ehr @out --key-file @key"), 1);
    assert_eq!(std::fs::read_dir(folder.path().join("out")).expect("there").count(), 0);
    assert_eq!(run("validate @all.ndjson"), 1);
    assert_eq!(run("validate @all.ndjson --full"), 1);
    assert_eq!(ehr("validate @all.ndjson --timeout -1", folder.path()), 2);
    assert_eq!(ehr("show @s.ehr Patient/r --key-file @key", folder.path()), 4, "it was not stored");
    assert_eq!(ehr("validate @all.ndjson --timeout 1000", folder.path()), 0);
}

#[test]
fn a_store_is_compared_with_its_anchor_without_being_opened() {
    let folder = clinic();
    let run = |words: &str| ehr(&format!("{words} --key-file @key --anchor @note"), folder.path());
    assert_eq!(run("list @s.ehr --anchor-begin"), 0);
    std::fs::copy(folder.path().join("s.ehr"), folder.path().join("old.ehr")).expect("a copy");
    assert_eq!(run("list @s.ehr"), 0);
    assert_eq!((run("compare-anchor @s.ehr"), run("compare-anchor @old.ehr")), (0, 1));
    assert_eq!(ehr("compare-anchor @s.ehr --key-file @key --anchor @none", folder.path()), 1, "there is none");
}

#[test]
fn a_validator_that_was_kept_finds_what_it_found_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |words: &str| ehr(words, folder.path());
    let profile = r#"{"resourceType":"StructureDefinition","url":"http://example.org/named","type":"Patient","kind":"resource","abstract":false,"status":"active","name":"Named","derivation":"constraint","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","differential":{"element":[{"id":"Patient.name","path":"Patient.name","min":1}]}}"#;
    std::fs::create_dir_all(folder.path().join("named/package")).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writable");
    write("named/package/package.json", r#"{"name":"example.named","version":"1.0.0","fhirVersions":["4.0.1"]}"#);
    write("named/package/StructureDefinition-named.json", profile);
    write("without.json", r#"{"resourceType":"Patient"}"#);
    write("with.json", r#"{"resourceType":"Patient","name":[{"family":"Doe"}]}"#);
    let asked = "--profile http://example.org/named";
    assert_eq!(run(&format!("validate @with.json --package @named {asked} --keep @kept")), 0);
    assert_eq!(run("validate @with.json --compiled @kept"), 0);
    assert_eq!(run("validate @without.json --compiled @kept"), 1, "the profile is part of it");
    assert_eq!(run("validate @without.json"), 0);
    assert_eq!(run("validate @with.json --compiled @nothing"), 7);
    let mut bytes = std::fs::read(folder.path().join("kept")).expect("there");
    bytes.truncate(bytes.len() / 2);
    std::fs::write(folder.path().join("kept"), bytes).expect("writable");
    assert_eq!(run("validate @with.json --compiled @kept"), 1, "it is not whole");
}
