//! The audit log as a host sees it: no call without its event, proofs, exports that others can check.

use crate::path::{administrator, create, key, kind, physician};
use ehrcore::access::{Purpose, Role};
use ehrcore::audit::{EventKind, Ground, Head};
use ehrcore::ehr::{Actor, Disclosure, Ehr, Options, Path, Report, ReportTable, SearchOptions};
use ehrcore::error::Code;
use ehrcore::time::{ManualClock, Timestamp};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

/// Public calls of a session that go in through another call, or show nothing: each with its reason.
const THROUGH: &[(&str, &str)] = &[
    ("write", "change_set with one record"),
    ("write_if_match", "change_set with one record"),
    ("change_set", "enters as update or delete"),
    ("audit_event", "enters as audit_proof"),
    ("read_checkpoint", "shows nothing of the store"),
    ("backup_since", "a backup, enters as such"),
    ("emergency", "what break_glass gave, shown again to its own session"),
    ("overdue_requests", "enters as requests"),
    ("with_limits", "shows nothing"),
    ("set_limits", "shows nothing"),
    ("close", "ends the session"),
    ("emergency", "says for which emergency the session was given, if for one"),
];

/// Lines of the table that are not the name of a call.
const VARIANTS: &[(&str, &str)] =
    &[("create", "change_set"), ("update", "change_set"), ("provenance_of_version", "provenance")];

/// Public calls on the store itself, which show no record.
const WITHOUT_SESSION: &[&str] = &[
    "create",
    "open",
    "session",
    "set_notify",
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
    "repair",
    "salvage",
    "compare_with_anchor",
    "anchor_now",
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
fn every_call_about_records_says_which_rule_decided_and_on_account_of_which_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let record = |text: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"o","meta":{{"security":[{{"code":"SUD"}},{{"code":"R"}}]}},"status":"final","code":{{"text":"{text}"}},"subject":{{"reference":"Patient/p"}}}}"#
        )
        .into_bytes()
    };
    let o = kind("Observation");
    let why = ehrcore::lifecycle::Reason::new("it was wrong");
    doctor.write(br#"{"resourceType":"Patient","id":"p"}"#).expect("it is valid");
    let before = office.audit(0, 1000).expect("it may").last().expect("there").0;
    doctor.write(&record("one")).expect("create");
    doctor.write(&record("two")).expect("update");
    doctor.amend(&record("three"), 2, &why).expect("amend");
    doctor.search(o, "status=final", SearchOptions::default()).expect("search");
    doctor.history(o, "o").expect("history");
    doctor.lineage(o, "o").expect("history");
    doctor.read(o, "o").expect("read");
    doctor.provenance(o, "o", 0).expect("read");
    doctor.chart("p").expect("chart");
    doctor.export_chart("p").expect("export");
    doctor.retract(o, "o", 3, &why).expect("retract");
    doctor.read_retracted(o, "o").expect("history");
    doctor.restore(o, "o", &why).expect("restore");
    doctor.delete(o, "o").expect("delete");
    let events = office.audit(before + 1, 1000).expect("it may");
    let mut seen = BTreeSet::new();
    for (_, event) in
        events.iter().filter(|(_, event)| event.actor == "dr-grey" && event.kind != EventKind::SessionOpen)
    {
        let said = (event.rule, event.labels.as_str(), event.compartment);
        assert_eq!(said, (1, "R SUD", 1), "{}", event.kind.name());
        seen.insert(event.kind.name());
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
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

#[test]
fn a_report_says_who_saw_a_patient_also_by_a_search_and_names_records_only_while_they_can_be_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = used(folder.path());
    let other = ehr.session(Actor::new("nurse-joy", Role::Nurse).through_client("ward"), Purpose::Treatment);
    let other = other.expect("a session");
    other.read(kind("Patient"), "p3").expect("there");
    other.read(kind("Patient"), "p4").expect("there");
    drop(other);
    let session = administrator(&ehr);
    let column = |table: &ReportTable, name: &str| {
        let at = table.columns.iter().position(|column| *column == name).expect("a column");
        table.rows.iter().map(|row| row[at].clone()).collect::<Vec<_>>()
    };
    let seen = session.audit_report(Report::Patient("p3")).expect("it may");
    assert_eq!(column(&seen, "what"), ["create", "read", "search", "read", "audit-report"]);
    assert_eq!(column(&seen, "who"), ["dr-grey", "dr-grey", "dr-grey", "nurse-joy", "admin"]);
    assert_eq!(column(&seen, "record"), ["Patient/p3", "Patient/p3", "Patient", "Patient/p3", ""]);
    assert_eq!(column(&seen, "client")[3], "ward");
    let did = session.audit_report(Report::Actor("nurse-joy")).expect("it may");
    assert_eq!(column(&did, "what"), ["session-open", "read", "read"]);
    // Once everything is taken out, that is about every patient.
    session.export_ndjson(folder.path()).expect("it exports");
    let seen = session.audit_report(Report::Patient("p3")).expect("it may");
    assert!(column(&seen, "what").contains(&"export".to_owned()));
    assert!(seen.notes.iter().any(|note| note.contains("whole store")), "{:?}", seen.notes);
    let code = |result: ehrcore::error::Result<ReportTable>| result.unwrap_err().code();
    assert_eq!(code(session.audit_report(Report::Patient("nobody"))), Code::NotFound);
    assert_eq!(code(session.audit_report(Report::Patient("#0"))), Code::NotFound);
    assert_eq!(code(physician(&ehr).audit_report(Report::BreakGlass)), Code::Denied);
    let by_number = session.audit_report(Report::Patient("#4")).expect("it may");
    assert_eq!(column(&by_number, "record")[0], "Patient/p3", "the fourth patient");
    let asked =
        session.audit(0, 1000).expect("it may").into_iter().filter(|(_, event)| event.query == "who saw a patient");
    assert!(asked.count() >= 3, "the reports are on record, with what was asked");
}

#[test]
fn an_accounting_lists_what_the_rule_counts_and_says_what_it_leaves_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::new(Timestamp(1_500_000_000_000_000)));
    let options = Options { clock: clock.clone(), ..Options::default() };
    let ehr = Ehr::create(folder.path().join("clinic.ehr"), &key(), options).expect("a new store");
    let clinician = physician(&ehr);
    for id in ["p1", "p2"] {
        let record = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        clinician.write(record.as_bytes()).expect("it is valid");
    }
    let to = |patient, recipient, ground| {
        let told =
            Disclosure { patient, recipient, ground, content: "a report of measles", purpose: "as the law asks" };
        clinician.disclose(&told)
    };
    to("p1", "Old registry", Ground::PublicHealth).expect("it may");
    clock.advance(7 * 366 * 86_400_000_000);
    to("p1", "County registry, 1 Main St", Ground::PublicHealth).expect("it may");
    to("p1", "Dr. Roe", Ground::Treatment).expect("it may");
    to("p2", "Court", Ground::Judicial).expect("it may");
    clinician.export_chart("p1").expect("it may");
    assert_eq!(to("nobody", "Court", Ground::Judicial).unwrap_err().code(), Code::NotFound);
    assert_eq!(to("p1", " ", Ground::Judicial).unwrap_err().code(), Code::InvalidArgument);
    let session = administrator(&ehr);
    let table = session.audit_report(Report::Disclosures("p1")).expect("it may");
    assert_eq!(table.rows.len(), 1, "{}", table.to_text());
    assert_eq!(
        table.rows[0][2..6],
        ["County registry, 1 Main St", "a report of measles", "as the law asks", "public-health (164.512(b))",]
    );
    assert!(table.notes[0].contains("2 disclosures on the ground of treatment are not listed"), "{:?}", table.notes);
    let of_other = session.audit_report(Report::Disclosures("p2")).expect("it may");
    assert_eq!(of_other.rows.len(), 1);
    // The recipient is in the event; what was said and why is sealed beside it.
    let told = session.audit(0, 1000).expect("it may").into_iter().find(|(_, event)| event.kind == EventKind::Disclose);
    let (number, event) = told.expect("there");
    assert_eq!((event.recipient.as_str(), event.query.as_str()), ("Old registry", "a report of measles"));
    let proof = session.audit_proof(number).expect("there");
    assert!(!String::from_utf8_lossy(&proof.event).contains("measles"));
}

#[test]
fn a_report_has_a_name_and_three_forms_and_an_emergency_says_whom_and_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = used(folder.path());
    let actor = Actor::new("dr-late", Role::Physician).with_mfa(true).on_device("ward 3").on_behalf_of("dr-grey");
    let doctor = ehr.session(actor.through_client("night"), Purpose::Treatment).expect("a session");
    doctor.break_glass("p3", "not breathing").expect("it may").read(kind("Patient"), "p3").expect("there");
    let office = administrator(&ehr);
    for (name, wanted) in [
        ("patient", Report::Patient("p3")),
        ("user", Report::Actor("p3")),
        ("emergencies", Report::BreakGlass),
        ("disclosures", Report::Disclosures("p3")),
    ] {
        assert!(Report::from_name(name, "p3") == Some(wanted), "{name}");
    }
    assert!(Report::from_name("everything", "p3").is_none());
    let table = office.audit_report(Report::BreakGlass).expect("it may");
    let cells = table.rows.concat();
    for word in ["not breathing", "dr-late", "ward 3", "dr-grey", "night", "BTG", "Patient/p3"] {
        assert!(cells.iter().any(|cell| cell == word), "{word} in {cells:?}");
    }
    let form = |name: &str| table.to_form(name).unwrap_or_default();
    assert!(form("text").starts_with(table.title) && form("text").contains("not breathing"));
    assert!(form("csv").starts_with("event,at,what,who") && form("csv").lines().count() == table.rows.len() + 1);
    let json: serde_json::Value = serde_json::from_str(&form("json")).expect("it is JSON");
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(table.rows.len()));
    assert!(table.to_form("pdf").is_none());
}

#[test]
fn one_event_alone_reads_as_in_an_export_and_a_checkpoint_is_read_back_only_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = used(folder.path());
    let office = administrator(&ehr);
    office.audit_export(folder.path(), 0, None).expect("it may");
    let lines = std::fs::read_to_string(folder.path().join("audit.ndjson")).expect("a file");
    let exported = lines.lines().nth(7).expect("the eighth event");
    let alone: serde_json::Value = serde_json::from_str(&office.audit_event(7).expect("there")).expect("JSON");
    let exported: serde_json::Value = serde_json::from_str(exported).expect("JSON");
    assert_eq!((&alone["recorded"], &alone["agent"]), (&exported["recorded"], &exported["agent"]));
    assert!(office.audit_event(1_000_000).is_err());
    let note = ehr.audit_checkpoint().expect("it reads").expect("there are events");
    assert_eq!(
        office.read_checkpoint(&note).expect("it is whole").size,
        ehr.read_checkpoint(&note).expect("whole").size
    );
    assert_eq!(ehr.store_id().len(), 32);
    let code = |note: &str| ehr.read_checkpoint(note).map(|_| ()).expect_err("it is not whole").code();
    assert_eq!([code(""), code(&note[..20]), code("a\nb\nc\n")], [Code::CheckpointUnreadable; 3]);
    let forged = note.replacen('\n', "\n1", 2).replacen("\n1", "\n", 1);
    assert!(matches!(code(&forged), Code::AuditBroken | Code::CheckpointUnreadable), "another size");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let other = create(elsewhere.path());
    assert!(other.read_checkpoint(&note).is_err(), "it is of another store");
}
