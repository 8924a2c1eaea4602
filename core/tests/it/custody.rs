//! What a host does by mistake or on purpose: calls back into the store from inside an import, asks for what it may not have,
//! writes what is refused. Nothing hangs, and every refusal is on record.

use crate::path::{administrator, create, key, kind, physician};
use ehrcore::access::{Purpose, Role};
use ehrcore::audit::{Event, EventKind};
use ehrcore::ehr::{Actor, Ehr, Options, SearchOptions, Session, Write};
use ehrcore::error::Code;
use ehrcore::exchange::{ImportOptions, ImportSummary, Progress};
use ehrcore::id::SystemRandom;
use ehrcore::keys::{KeySource, Passphrase, RawKey, RecoveryKey};
use std::path::{Path, PathBuf};

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}]}"#;

fn ndjson(folder: &Path, name: &str, count: usize) -> PathBuf {
    let path = folder.join(name);
    let line = |n| format!("{{\"resourceType\":\"Basic\",\"id\":\"b{n}\",\"code\":{{\"text\":\"x\"}}}}\n");
    std::fs::write(&path, (0..count).map(line).collect::<String>()).expect("a file");
    path
}

fn events(ehr: &Ehr) -> Vec<Event> {
    let session = administrator(ehr);
    session.audit(0, 100_000).expect("it may").into_iter().map(|(_, event)| event).collect()
}

fn code<T>(result: ehrcore::error::Result<T>) -> Code {
    result.err().expect("this is refused").code()
}

/// A progress callback once asked the session that ran the import for a write: both waited for ever.
#[test]
fn a_callback_of_an_import_reads_and_is_told_that_it_cannot_write() {
    struct Nosy<'a> {
        ehr: &'a Ehr,
        clinician: &'a Session,
        importer: &'a Session,
        file: &'a Path,
        steps: usize,
        held: usize,
    }
    impl Progress for Nosy<'_> {
        fn step(&mut self, _: u64, _: u64, _: &ImportSummary) -> bool {
            self.steps += 1;
            assert_eq!(self.clinician.read(kind("Patient"), "p1").expect("reading works").version(), 1);
            self.clinician.search(kind("Patient"), "name=doe", SearchOptions::default()).expect("searching works");
            // Between two batches the turn is free: then it works.
            match self.clinician.write(PATIENT) {
                Ok(written) => assert!(!written.changed),
                Err(error) => {
                    assert_eq!(error.code(), Code::TurnHeld);
                    assert_eq!(
                        code(self.importer.import(self.file, &ImportOptions::default(), &mut ())),
                        Code::TurnHeld
                    );
                    assert_eq!(code(self.importer.ledger(|_| ())), Code::TurnHeld);
                    assert_eq!(code(self.importer.quarantine()), Code::TurnHeld);
                    assert_eq!(code(self.importer.release(1, None)), Code::TurnHeld);
                    self.held += 1;
                }
            }
            drop(physician(self.ehr));
            true
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (clinician, importer) = (physician(&ehr), administrator(&ehr));
    clinician.write(PATIENT).expect("it is valid");
    let file = ndjson(folder.path(), "all.ndjson", 2000);
    let mut nosy = Nosy { ehr: &ehr, clinician: &clinician, importer: &importer, file: &file, steps: 0, held: 0 };
    let options = ImportOptions { batch_entries: 600, ..ImportOptions::default() };
    let summary = importer.import(&file, &options, &mut nosy).expect("it imports");
    assert!(nosy.steps > 3 && nosy.held > 2);
    assert_eq!(summary.stored, 2000);
    clinician.write(&PATIENT.to_ascii_lowercase()).expect_err("the turn is free again, and this is no record");
    // What was read and refused meanwhile is on record.
    let seen = events(&ehr);
    let during = |kind, failed| seen.iter().filter(|event| event.kind == kind && event.failure() == failed).count();
    assert!(during(EventKind::Read, None) >= nosy.steps);
    assert_eq!(during(EventKind::Update, Some(Code::TurnHeld)), nosy.held);
}

#[test]
fn every_refused_write_leaves_an_event_that_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let clinician = physician(&ehr);
    clinician.write(PATIENT).expect("it is valid");
    let analyst = ehr.session(Actor::new("ana", Role::Analyst), Purpose::Research).expect("a session");
    let importer = administrator(&ehr);
    assert_eq!(code(analyst.write(PATIENT)), Code::Denied);
    assert_eq!(code(analyst.change_set(Vec::new())), Code::Denied);
    assert_eq!(code(analyst.delete(kind("Patient"), "p1")), Code::Denied);
    assert_eq!(code(analyst.read(kind("Patient"), "p1")), Code::Denied);
    assert_eq!(code(analyst.import(folder.path(), &ImportOptions::default(), &mut ())), Code::Denied);
    assert_eq!(code(clinician.write(br#"{"resourceType":"Patient","id":"p2","gender":"F"}"#)), Code::RecordInvalid);
    assert_eq!(code(clinician.write_if_match(PATIENT, 9)), Code::Conflict);
    assert_eq!(code(clinician.delete(kind("Patient"), "nobody")), Code::NotFound);
    assert_eq!(code(importer.release(77, None)), Code::QuarantineUnknown);
    assert_eq!(code(importer.import(&folder.path().join("none.json"), &ImportOptions::default(), &mut ())), Code::Io);
    let failures: Vec<_> = events(&ehr)
        .into_iter()
        .filter_map(|event| Some((event.failure()?, event.kind, event.actor, event.id)))
        .collect();
    let expected = [
        (Code::Denied, EventKind::Update, "ana", ""),
        (Code::Denied, EventKind::Update, "ana", ""),
        (Code::Denied, EventKind::Delete, "ana", ""),
        (Code::Denied, EventKind::Read, "ana", "p1"),
        (Code::Denied, EventKind::Import, "ana", ""),
        (Code::RecordInvalid, EventKind::Update, "dr-grey", ""),
        (Code::Conflict, EventKind::Update, "dr-grey", "p1"),
        (Code::NotFound, EventKind::Delete, "dr-grey", ""),
        (Code::QuarantineUnknown, EventKind::Release, "admin", ""),
        (Code::Io, EventKind::Import, "admin", ""),
    ];
    assert_eq!(failures, expected.map(|(code, kind, actor, id)| (code, kind, actor.to_owned(), id.to_owned())));
}

#[test]
fn an_empty_change_set_writes_nothing_and_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    assert!(physician(&ehr).change_set(Vec::<Write>::new()).expect("nothing to refuse").is_empty());
    assert!(events(&ehr).iter().all(|event| !matches!(event.kind, EventKind::Update | EventKind::Delete)));
}

/// An actor or an id of a million characters once went into the log as it was.
#[test]
fn an_event_stays_small_whatever_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let long = "\u{e9}".repeat(1_000_000);
    assert_eq!(code(ehr.session(Actor::new(&long, Role::Physician), Purpose::Treatment)), Code::InvalidArgument);
    assert_eq!(code(physician(&ehr).read(kind("Patient"), &long)), Code::NotFound);
    let read = events(&ehr).into_iter().find(|event| event.kind == EventKind::Read).expect("there");
    // The log has a pseudonym of twelve bytes; what never was in the store has no name to be read back.
    assert!(read.id.is_empty() && read.pseudonym != [0; 12]);
}

#[test]
fn a_store_opens_with_any_of_its_keys_and_a_changed_passphrase_leaves_the_records_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    physician(&ehr).write(PATIENT).expect("it is valid");
    let session = administrator(&ehr);
    let recovery = RecoveryKey::new(&SystemRandom::default()).expect("random bytes");
    let phrase = |text: &str| Passphrase::with_cost(text, 19 * 1024, 2).expect("at the floor");
    assert_eq!(code(physician(&ehr).put_key(&key(), &recovery)), Code::Denied);
    assert_eq!(code(session.put_key(&RawKey::new([9; 32]), &recovery)), Code::WrongKey);
    session.put_key(&key(), &recovery).expect("the key opens it");
    session.put_key(&recovery, &phrase("first")).expect("so does this one");
    session.put_key(&recovery, &phrase("second")).expect("and takes the place of the first");
    assert_eq!(session.keys().expect("it may"), ["raw", "recovery", "passphrase"]);
    session.remove_key(&recovery, "raw").expect("two are left");
    drop((session, ehr));
    let open = |source: &dyn KeySource| Ehr::open(folder.path().join("clinic.ehr"), source, Options::default());
    assert_eq!(code(open(&key())), Code::WrongKey);
    assert_eq!(code(open(&phrase("first"))), Code::WrongKey);
    let paper = RecoveryKey::parse(recovery.text()).expect("as it was shown");
    for source in [&paper as &dyn KeySource, &phrase("second")] {
        let ehr = open(source).expect("it opens");
        assert_eq!(physician(&ehr).read(kind("Patient"), "p1").expect("there").bytes(), PATIENT);
    }
    let ehr = open(&paper).expect("it opens");
    let session = administrator(&ehr);
    session.remove_key(&paper, "recovery").expect("one is left");
    assert_eq!(code(session.remove_key(&phrase("second"), "passphrase")), Code::LastKey);
    let seen = events(&ehr);
    let changes = |failed| seen.iter().filter(|e| e.kind == EventKind::Keys && e.failure() == failed).count();
    assert_eq!((changes(Some(Code::Denied)), changes(Some(Code::WrongKey)), changes(Some(Code::LastKey))), (1, 1, 1));
    assert_eq!(changes(None), 6);
}
