//! No audit event, no access: with a disk that fails, nothing is shown and nothing is written.

use super::{Actor, Ehr, Inner, Options};
use crate::access::{Purpose, Role};
use crate::error::Code;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::schema::ResourceType;
use crate::store::Store;
use crate::store::testing::{FaultyFile, SmallDisk};
use crate::time::{ManualClock, Timestamp};
use std::sync::Arc;

const RECORD: &[u8] = br#"{"resourceType":"Patient","id":"p"}"#;

#[test]
fn where_no_event_can_be_written_nothing_is_shown_and_nothing_is_stored() {
    let file = FaultyFile::default();
    let random = || Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(file.clone()), &RawKey::new([1; 32]), random(), 1 << 20);
    let store = store.expect("a store in memory");
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let ehr = Ehr(Arc::new(Inner::new(store, Options { clock: clock.clone(), ..Options::default() })));
    let session = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    session.write(RECORD).expect("it is valid");
    session.read(ResourceType::PATIENT, "p").expect("there");

    file.fail_after(0);
    clock.advance(super::PENDING_MICROS);
    assert_eq!(session.read(ResourceType::PATIENT, "p").unwrap_err().code(), Code::AuditUnavailable);
    // The failed write has closed the engine: from here on either the log or the store says no.
    assert!(session.history(ResourceType::PATIENT, "p").is_err());
    assert!(session.chart("p").is_err() && session.export_chart("p").is_err());
    assert!(session.search(ResourceType::PATIENT, "", super::SearchOptions::default()).is_err());
    assert!(session.write(br#"{"resourceType":"Patient","id":"q"}"#).is_err());
    drop((session, ehr));

    let disk = Box::new(FaultyFile::with(file.bytes()));
    let store = Store::open_on(disk, &RawKey::new([1; 32]), random(), 1 << 20, false).expect("the store");
    let snapshot = store.snapshot().expect("a view");
    assert!(snapshot.current(ResourceType::PATIENT, "p").expect("readable").is_some());
    assert!(snapshot.current(ResourceType::PATIENT, "q").expect("readable").is_none());
}

#[test]
fn events_that_cannot_be_written_do_not_pile_up() {
    let file = FaultyFile::default();
    let random = Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(file.clone()), &RawKey::new([1; 32]), random, 1 << 20);
    let store = store.expect("a store in memory");
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let ehr = Ehr(Arc::new(Inner::new(store, Options { clock: clock.clone(), ..Options::default() })));
    let session = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    session.write(RECORD).expect("it is valid");
    let analyst = ehr.session(Actor::new("ana", Role::Analyst), Purpose::Research).expect("a session");
    file.fail_after(0);
    clock.advance(super::PENDING_MICROS);
    for _ in 0..3 * super::MOST_PENDING {
        let code = analyst.read(ResourceType::PATIENT, "p").unwrap_err().code();
        assert!(matches!(code, Code::AuditUnavailable | Code::Denied), "{code}");
        assert!(ehr.0.lock().len() <= super::MOST_PENDING);
    }
    assert_eq!(ehr.0.lock().len(), super::MOST_PENDING);
}

/// A full disk once closed the handle: then nobody could read what was there.
#[test]
fn on_a_full_disk_writes_fail_and_audited_reads_go_on_and_with_space_all_is_as_before() {
    let disk = SmallDisk::of(usize::MAX);
    let random = Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(disk.clone()), &RawKey::new([1; 32]), random.clone(), 1 << 20);
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let ehr = Ehr(Arc::new(Inner::new(
        store.expect("a store in memory"),
        Options { clock: clock.clone(), ..Options::default() },
    )));
    let session = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    session.write(RECORD).expect("it is valid");
    disk.resize(disk.taken());
    // Until nothing more can be written:
    let record = |n: usize| format!(r#"{{"resourceType":"Basic","id":"b{n}","code":{{"text":"{n}"}}}}"#);
    let refused = (0..10_000).find_map(|n| session.write(record(n).as_bytes()).err().map(|error| (n, error)));
    let (written, error) = refused.expect("the disk is full");
    assert_eq!(error.code(), Code::StoreIo, "after {written}");
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::StorageFull));
    // A large record, of which nothing can be pressed out, has no room whatever a few events gave back.
    let mut number = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (number >> 40) as u8 % 26)
    })
    .take(900_000)
    .collect();
    let large = format!(r#"{{"resourceType":"Basic","id":"large","code":{{"text":"{noise}"}}}}"#);
    // Reads go on, each with its event on the disk: they are old enough to be written one by one.
    let before = ehr.audit_head().expect("readable").expect("there").size;
    for _ in 0..40 {
        clock.advance(super::PENDING_MICROS);
        assert_eq!(session.read(ResourceType::PATIENT, "p").expect("it may be read").bytes(), RECORD);
        assert_eq!(session.write(large.as_bytes()).unwrap_err().code(), Code::StoreIo);
    }
    let after = ehr.audit_head().expect("readable").expect("there").size;
    assert!(after >= before + 80, "the reads and the refusals are on record: {before} to {after}");
    // In groups there is room for thousands.
    for n in 0..3000 {
        session.read(ResourceType::PATIENT, "p").unwrap_or_else(|error| panic!("read {n}: {error}"));
    }
    // Space comes back: so do the writes, and the reserve.
    disk.resize(usize::MAX);
    session.write(record(100_000).as_bytes()).expect("there is room");
    let office = ehr.session(Actor::new("office", Role::Administrator), Purpose::Operations).expect("a session");
    let report = office.verify(super::VerifyLevel::Records, None).expect("all is as written");
    assert_eq!(report.records, written as u64 + 2);
    drop((office, session, ehr));
    Store::open_on(Box::new(disk), &RawKey::new([1; 32]), random, 1 << 20, false).expect("it opens");
}

fn in_memory() -> (Ehr, FaultyFile) {
    let file = FaultyFile::default();
    let random = Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(file.clone()), &RawKey::new([1; 32]), random, 1 << 20);
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let options = Options { clock, ..Options::default() };
    (Ehr(Arc::new(Inner::new(store.expect("a store in memory"), options))), file)
}

#[test]
fn a_write_is_judged_by_what_others_left_to_the_same_commit() {
    let (ehr, _) = in_memory();
    let session = |role| ehr.session(Actor::new("x", role), Purpose::Treatment).expect("a session");
    let (doctor, nurse) = (session(Role::Physician), session(Role::Nurse));
    let labelled = br#"{"resourceType":"Patient","id":"p","meta":{"security":[{"code":"V"}]}}"#;
    doctor.write(RECORD).expect("it is valid");
    std::thread::scope(|scope| {
        let pass = doctor.enter(super::Path::Update).expect("it may");
        let mut change = pass.change().expect("its turn");
        let record = crate::record::Record::parse(labelled).expect("a resource");
        change.put(&record, &crate::store::PutMeta::DIRECT).expect("it may");
        let late = scope.spawn(|| nurse.write(br#"{"resourceType":"Patient","id":"p","active":true}"#));
        while ehr.0.store.waiting() == 0 {
            std::thread::yield_now();
        }
        // The rows stay in the common batch until the one who waits is done.
        pass.commit(change).expect("it is written");
        assert_eq!(late.join().expect("no panic").expect_err("it is labelled by now").code(), Code::Denied);
    });
    assert_eq!(doctor.read(ResourceType::PATIENT, "p").expect("there").bytes(), labelled);
}

#[test]
fn one_damaged_block_does_not_keep_the_audit_log_from_being_read() {
    let (ehr, file) = in_memory();
    let doctor = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    doctor.write(RECORD).expect("it is valid");
    doctor.write(br#"{"resourceType":"Patient","id":"q"}"#).expect("it is valid");
    let mut change = ehr.0.store.change(Timestamp(1), "").expect("its turn");
    let mut first = None;
    change
        .view()
        .range(crate::store::Table::Block, &[], &[0xff; 9], &mut |key, _| {
            first = Some(key.to_vec());
            false
        })
        .expect("rows");
    change.table_put(crate::store::Table::Block, first.expect("one"), vec![7; 90]).expect("a row");
    change.commit().expect("written");
    drop((doctor, ehr));
    let random = Arc::new(SystemRandom::default());
    let disk = Box::new(FaultyFile::with(file.bytes()));
    let store = Store::open_on(disk, &RawKey::new([1; 32]), random, 1 << 20, false).expect("the store");
    let ehr = Ehr(Arc::new(Inner::new(store, Options::default())));
    let admin = ehr.session(Actor::new("admin", Role::Administrator), Purpose::Operations).expect("a session");
    let events = admin.audit(0, 100).expect("the log is whole");
    let ids: Vec<_> =
        events.iter().filter(|(_, event)| event.version == 1).map(|(_, event)| event.id.as_str()).collect();
    assert_eq!(ids, ["", "q"]);
}

#[test]
fn only_an_import_and_what_destroys_keys_write_without_asking_the_gate() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut left) = (Vec::new(), vec![source.clone()]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(&source).expect("below").to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                left.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && !name.starts_with("store/") {
                let text = std::fs::read_to_string(&path).expect("text");
                let text: String = text.split_whitespace().collect();
                let around =
                    ["ungated_change(", ".ungated().put", ".ungated().delete", ".store().change(", "store.change("];
                if around.iter().any(|call| text.contains(call)) {
                    found.push(name);
                }
            }
        }
    }
    found.sort();
    let known = [
        "ehr/mod.rs",
        "ehr/pass.rs",
        "ehr/shred.rs",
        "exchange/import.rs",
        "exchange/quarantine.rs",
        "lifecycle/destroy.rs",
        "lifecycle/retention.rs",
    ];
    assert_eq!(found, known, "a change set that asks nobody is one to think about");
}

#[test]
fn what_a_record_says_is_matched_with_the_hash_in_the_event_that_wrote_it() {
    let disk = SmallDisk::of(usize::MAX);
    let random = Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(disk), &RawKey::new([1; 32]), random, 1 << 20).expect("a store in memory");
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let ehr = Ehr(Arc::new(Inner::new(store, Options { clock, ..Options::default() })));
    let session = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    session.write(RECORD).expect("it is valid");
    session.write(RECORD).expect("it is the same");
    let two = [
        &br#"{"resourceType":"Basic","id":"a","code":{"text":"a"}}"#[..],
        br#"{"resourceType":"Basic","id":"b","code":{"text":"b"}}"#,
    ];
    session.change_set(two.map(|record| super::Write::Put(record.to_vec())).to_vec()).expect("they are valid");
    let office = ehr.session(Actor::new("office", Role::Administrator), Purpose::Operations).expect("a session");
    let verify = |level| office.verify(level, None);
    let report = verify(super::VerifyLevel::Records).expect("all is as written");
    assert_eq!((report.records, report.matched, report.unmatched), (3, 3, 0));
    let events = verify(super::VerifyLevel::Log).expect("all is as written").events;
    let head = ehr.audit_head().expect("readable").expect("there");
    assert!(office.verify(super::VerifyLevel::Head, Some(&head)).expect("it continues").events > events);
    let cut = crate::audit::Head { size: head.size - 1, ..head };
    assert_eq!(office.verify(super::VerifyLevel::Head, Some(&cut)).unwrap_err().code(), Code::AuditBroken);
    // An event that says something else was written there.
    let said = crate::audit::Event {
        resource: Some(ResourceType::PATIENT),
        id: "p".to_owned(),
        version: 1,
        digest: [7; 32],
        ..crate::audit::Event::new(crate::audit::EventKind::Create, Timestamp(2_000_000), "dr")
    };
    ehr.0.note_now(said).expect("it is written");
    assert_eq!(verify(super::VerifyLevel::Records).unwrap_err().code(), Code::Corrupt);
    assert!(verify(super::VerifyLevel::Log).is_ok(), "the log itself is whole");
}

fn made() -> Ehr {
    let disk = SmallDisk::of(usize::MAX);
    let random = Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(disk), &RawKey::new([1; 32]), random, 1 << 20).expect("a store in memory");
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    Ehr(Arc::new(Inner::new(store, Options { clock, ..Options::default() })))
}

fn observation(id: &str, patient: &str, text: &str) -> Vec<u8> {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"{text}"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    )
    .into_bytes()
}

/// A store to which records came in every way there is.
fn written_in_every_way() -> (Ehr, super::Session, super::Session) {
    use crate::lifecycle::{Choice, Edit, Reason};
    let ehr = made();
    let doctor = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    let office = ehr.session(Actor::new("office", Role::Administrator), Purpose::Operations).expect("a session");
    let folder = tempfile::tempdir().expect("a folder");
    let lines: String = ["p", "q", "r"]
        .iter()
        .map(|id| {
            let chart = String::from_utf8(observation(&format!("o-{id}"), id, "imported")).expect("text");
            format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\"}}\n{chart}\n{{\"resourceType\":\"Patient\"\n")
        })
        .collect();
    let source = folder.path().join("all.ndjson");
    std::fs::write(&source, lines).expect("a source");
    office.import(&source, &Default::default(), &mut ()).expect("it is read");
    let put = |id: &str, text: &str| super::Write::Put(observation(id, "p", text));
    doctor.change_set(vec![put("a", "1"), put("b", "1"), put("o-p", "2")]).expect("valid");
    doctor.change_set(vec![put("a", "2"), super::Write::Delete(observation_kind(), "b".into())]).expect("valid");
    let why = Reason::new("it was wrong");
    doctor.amend(&observation("a", "p", "3"), 2, &why).expect("valid");
    doctor.retract(observation_kind(), "a", 3, &why).expect("it may");
    doctor.restore(observation_kind(), "a", &why).expect("it may");
    let parked = doctor.write_merged(&observation("a", "p", "4"), 1).expect("it clashes");
    let Edit::Parked(number) = parked else { panic!("it clashes") };
    doctor.settle(number, &Choice::Mine, 5, &why).expect("it may");
    let (number, _) = (office.quarantine().expect("it may")[0].number, ());
    office.release(number, Some(br#"{"resourceType":"Patient","id":"s"}"#)).expect_err("another id");
    (ehr, doctor, office)
}

fn observation_kind() -> ResourceType {
    ResourceType::from_name("Observation").expect("of R4")
}

#[test]
fn every_version_is_held_against_the_event_of_its_change_set_whatever_wrote_it() {
    let (_ehr, _doctor, office) = written_in_every_way();
    let all = |office: &super::Session| office.verify(super::VerifyLevel::Records, None).expect("all is as written");
    let report = all(&office);
    assert_eq!((report.records, report.matched, report.unmatched), (7, 7, 0));
    // What was destroyed since takes nothing from the others.
    office.shred("q", "asked for").expect("it may");
    let report = all(&office);
    assert_eq!((report.records, report.matched, report.unmatched), (5, 5, 0));
    office.rotate_patient("p", "a leak").expect("it may");
    assert_eq!(all(&office).matched, 5);
}

#[test]
fn what_no_event_vouches_for_is_found_whatever_wrote_the_rest() {
    use crate::store::PutMeta;
    let verify =
        |office: &super::Session| office.verify(super::VerifyLevel::Records, None).map_err(|error| error.code());
    // A change set that has no event.
    let (ehr, _doctor, office) = written_in_every_way();
    let mut change = ehr.0.store.change(Timestamp(9_000_000), "nobody").expect("its turn");
    let record = crate::record::Record::parse(&observation("o-r", "r", "put there")).expect("a resource");
    change.put(&record, &PutMeta::DIRECT).expect("written");
    change.commit().expect("on the disk");
    assert_eq!(verify(&office), Err(Code::Corrupt));
    // A version that is taken out of an import without a trace.
    let (ehr, _doctor, office) = written_in_every_way();
    let mut change = ehr.0.store.change(Timestamp(9_000_000), "nobody").expect("its turn");
    change.destroy(observation_kind(), "o-r").expect("taken out");
    change.commit().expect("on the disk");
    assert!(verify(&office).is_ok(), "its witness stayed");
    let mut change = ehr.0.store.change(Timestamp(9_000_000), "nobody").expect("its turn");
    let mut key = Vec::new();
    let view = ehr.0.store.snapshot().expect("a view");
    view.view()
        .range(crate::store::Table::Block, &[], &[0xff; 9], &mut |block, _| {
            key = block.to_vec();
            true
        })
        .expect("readable");
    change.table_remove(crate::store::Table::Block, key).expect("taken out");
    change.commit().expect("on the disk");
    assert_eq!(verify(&office), Err(Code::Corrupt));
}

#[test]
fn an_event_of_several_records_names_the_patients_they_are_of() {
    use crate::audit::EventKind;
    let (_ehr, _doctor, office) = written_in_every_way();
    let events = office.audit(0, 1000).expect("it may");
    let of = |kind: EventKind| events.iter().map(|(_, event)| event).filter(move |event| event.kind == kind);
    let import = of(EventKind::Import).next().expect("recorded");
    assert_eq!((import.patients.len(), import.count, import.commit > 0), (3, 6, true));
    let update = of(EventKind::Update).find(|event| event.count == 2).expect("recorded");
    assert!(update.patient > 0 && update.patient == import.patients[0], "both are of the same");
    let reported = office.audit_report(super::Report::Patient("q")).expect("it may");
    assert!(reported.rows.iter().any(|row| row.iter().any(|cell| cell == "import")), "{:?}", reported.rows);
}

#[test]
fn what_is_shown_for_debugging_has_no_id_no_reason_and_no_query_in_it() {
    use super::{Disclosure, Report, ReportTable};
    use crate::audit::{Event, EventKind, Ground};
    let word = "Wordofapatient";
    let event = Event {
        id: word.into(),
        reason: word.into(),
        query: word.into(),
        recipient: word.into(),
        device: word.into(),
        ..Event::new(EventKind::Read, Timestamp(1), word)
    };
    let actor = Actor { reference: Some(word.into()), ..Actor::of_patient(word, Role::Patient, word) };
    let disclosure =
        Disclosure { patient: word, recipient: word, ground: Ground::ALL[0], content: word, purpose: word };
    let table = ReportTable { title: "t", columns: vec!["c"], rows: vec![vec![word.into()]], notes: vec![word.into()] };
    let reports = [Report::Patient(word), Report::Actor(word), Report::Disclosures(word)];
    let said = format!("{event:?} {actor:?} {disclosure:?} {table:?} {reports:?}");
    assert!(!said.contains(word), "{said}");
    assert!(said.starts_with("Event(read, 0)"), "{said}");
}

#[test]
fn of_an_anchor_file_of_any_length_only_the_beginning_is_read() {
    use super::{Anchor, FileAnchor};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("anchor");
    std::fs::File::create(&path).and_then(|file| file.set_len(1 << 24)).expect("a file with a hole");
    assert_eq!(FileAnchor::new(&path).load().expect("readable").expect("there").len(), 4096);
}
