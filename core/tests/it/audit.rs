//! The audit log as a host sees it: no call without its event, proofs, exports that others can check.

use crate::path::{administrator, create, kind, physician};
use ehrcore::audit::{EventKind, Head};
use ehrcore::ehr::{Ehr, Path, SearchOptions};
use ehrcore::error::Code;
use std::collections::BTreeSet;
use std::process::Command;

/// Public calls of a session that go in through another call, or show nothing: each with its reason.
const THROUGH: &[(&str, &str)] = &[
    ("write", "change_set with one record"),
    ("write_if_match", "change_set with one record"),
    ("change_set", "enters as update or delete"),
    ("backup_since", "a backup, enters as such"),
    ("with_limits", "shows nothing"),
    ("set_limits", "shows nothing"),
    ("close", "ends the session"),
];

/// Lines of the table that are not the name of a call.
const VARIANTS: &[(&str, &str)] = &[("update", "change_set"), ("provenance_of_version", "provenance")];

/// Public calls on the store itself, which show no record.
const WITHOUT_SESSION: &[&str] = &[
    "create",
    "open",
    "session",
    "security_status",
    "audit_head",
    "audit_checkpoint",
    "read_checkpoint",
    "audit_public_key",
    "store_id",
    "compact",
    "condition",
    "create_on",
    "open_on",
    "restore",
];

/// The public functions of `impl NAME` in the sources of the library.
fn calls(name: &str) -> BTreeSet<String> {
    fn read(folder: &std::path::Path, name: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("the sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                read(&path, name, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let mut inside = false;
            for line in text.lines() {
                match line {
                    line if line.starts_with(&format!("impl {name} ")) => inside = true,
                    "}" => inside = false,
                    _ => {}
                }
                if let Some(rest) = line.strip_prefix("    pub fn ").filter(|_| inside) {
                    let end = rest.find(['(', '<']).unwrap_or(rest.len());
                    found.insert(rest[..end].to_owned());
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), name, &mut found);
    found
}

#[test]
fn every_public_call_of_a_session_has_its_line_in_the_table_of_paths() {
    let (calls, paths) = (calls("Session"), Path::ALL.iter().map(|path| path.name()).collect::<BTreeSet<_>>());
    assert!(calls.len() > 20, "the sources were read: {calls:?}");
    let through: BTreeSet<&str> = THROUGH.iter().map(|(name, _)| *name).collect();
    let without: Vec<_> =
        calls.iter().filter(|call| !paths.contains(call.as_str()) && !through.contains(call.as_str())).collect();
    assert!(without.is_empty(), "calls without a Path, so without an audit event of their own: {without:?}");
    let called = |name: &str| VARIANTS.iter().find(|(path, _)| *path == name).map_or(name, |(_, call)| call).to_owned();
    let unused: Vec<_> = paths.iter().filter(|path| !calls.contains(&called(path))).collect();
    assert!(unused.is_empty(), "paths that no call takes: {unused:?}");
}

#[test]
fn every_public_call_without_a_session_is_known_here() {
    let unknown: Vec<_> = calls("Ehr").into_iter().filter(|call| !WITHOUT_SESSION.contains(&call.as_str())).collect();
    assert!(unknown.is_empty(), "calls that pass by the audit log; say here why they may: {unknown:?}");
}

/// A store with a few events of several sessions.
fn used(folder: &std::path::Path) -> Ehr {
    let ehr = create(folder);
    let clinician = physician(&ehr);
    for n in 0..20 {
        let record = format!(r#"{{"resourceType":"Patient","id":"p{n}","name":[{{"family":"Doe"}}]}}"#);
        clinician.write(record.as_bytes()).expect("it is valid");
        clinician.read(kind("Patient"), &format!("p{n}")).expect("there");
    }
    clinician.search(kind("Patient"), "name=doe", SearchOptions::default()).expect("it searches");
    drop(clinician);
    ehr
}

#[test]
fn an_event_says_with_what_and_in_which_session_and_the_log_has_no_id_and_no_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = used(folder.path());
    let events = administrator(&ehr).audit(0, 1000).expect("it may");
    let sessions: BTreeSet<u64> = events.iter().map(|(_, event)| event.session).filter(|number| *number != 0).collect();
    assert_eq!(sessions.len(), 2, "that of the clinician and that of the administrator");
    let search = events.iter().find(|(_, event)| event.kind == EventKind::Search).expect("there");
    assert_eq!((search.1.query.as_str(), search.1.count, search.1.patients.len()), ("name=doe", 20, 20));
    let read = events.iter().find(|(_, event)| event.kind == EventKind::Read).expect("there");
    assert_eq!((read.1.id.as_str(), read.1.clock), ("p0", 1));
    let proof = administrator(&ehr).audit_proof(search.0).expect("there");
    assert!(proof.holds() && !String::from_utf8_lossy(&proof.event).contains("doe"));
    let code = physician(&ehr).audit_proof(0).map(|_| ()).unwrap_err().code();
    assert_eq!(code, Code::Denied);
}

#[test]
fn an_export_is_verified_by_a_program_that_is_not_ours_and_holds_only_an_older_head() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|done| done.status.success()) {
        eprintln!("no python3: skipped");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = used(folder.path());
    let held = ehr.audit_checkpoint().expect("readable").expect("there");
    let since = ehr.read_checkpoint(&held).expect("our own");
    let session = administrator(&ehr);
    let key: String = ehr.audit_public_key().iter().map(|byte| format!("{byte:02x}")).collect();
    let tool = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify_audit.py");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("held.txt"), &held).expect("a file");
    let verify = |more: &[&str]| {
        let mut command = Command::new("python3");
        command
            .arg(&tool)
            .args(["--key", &key, "--held"])
            .arg(path("held.txt"))
            .arg("--head")
            .arg(path("checkpoint.txt"));
        let done = command.args(more).arg(path("audit.ndjson")).output().expect("it runs");
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let whole = session.audit_export(folder.path(), 0, None).expect("it may");
    assert_eq!(verify(&[]).0, Some(0), "{}", verify(&[]).1);
    let lines = std::fs::read_to_string(path("audit.ndjson")).expect("the export");
    assert_eq!(lines.lines().count() as u64, whole.events);
    assert!(lines.lines().last().is_some_and(|line| line.contains("audit-export")), "the export's own event");
    // A part of it, from the head that was kept on: only the proof of consistency ties it to that head.
    session.audit_export(folder.path(), since.size, Some(&since)).expect("it may");
    let consistency = path("consistency.txt");
    let proof = ["--part", "--consistency", consistency.to_str().expect("a name")];
    assert_eq!(verify(&proof).0, Some(0), "{}", verify(&proof).1);
    assert_eq!(verify(&["--part"]).0, Some(1), "nothing ties it to the head");
    assert_eq!(verify(&[]).0, Some(1), "it is a part");
    std::fs::write(path("audit.ndjson"), lines.replacen("dr-grey", "dr-gray", 1)).expect("a file");
    assert!(verify(&[]).1.contains("BROKEN"));
    let other = Head { size: 5, ..since };
    assert_eq!(session.audit_continues(&other).map(|_| ()).unwrap_err().code(), Code::AuditBroken);
}
