//! Rotation of the keys of a store: what opens before and after, what old copies open with, what is on record.

use crate::path::{administrator, create, key, kind, physician};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Ehr, Options, VerifyLevel};
use ehrcore::error::{Code, Result};
use ehrcore::id::SystemRandom;
use ehrcore::keys::{KeySource, RawKey, RecoveryKey};
use std::path::Path;

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}]}"#;

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("this is refused").code()
}

fn open(path: &Path, source: &dyn KeySource) -> Result<Ehr> {
    Ehr::open(path, source, Options::default())
}

fn write_patients(ehr: &Ehr, count: usize) {
    let session = physician(ehr);
    for number in 0..count {
        let text = format!(r#"{{"resourceType":"Patient","id":"q{number}","name":[{{"family":"Roe"}}]}}"#);
        session.write(text.as_bytes()).expect("it is valid");
    }
}

#[test]
fn after_another_root_only_the_sources_given_open_the_store_and_old_copies_only_with_the_old_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, copy) = (folder.path().join("clinic.ehr"), folder.path().join("copy.ehr"));
    let ehr = create(folder.path());
    physician(&ehr).write(PATIENT).expect("it is valid");
    let paper = RecoveryKey::new(&SystemRandom::default()).expect("random bytes");
    administrator(&ehr).put_key(&key(), &paper).expect("the key opens it");
    drop(ehr);
    std::fs::copy(&file, &copy).expect("a copy");

    let ehr = open(&file, &key()).expect("it opens");
    let (session, new) = (administrator(&ehr), RawKey::new([2; 32]));
    assert_eq!(code(physician(&ehr).rotate_root(&key(), &[&new])), Code::Denied);
    assert_eq!(code(session.rotate_root(&new, &[&new])), Code::WrongKey);
    assert_eq!(code(session.rotate_root(&key(), &[])), Code::LastKey);
    let rotated = session.rotate_root(&key(), &[&new]).expect("the key opens it");
    assert_eq!((rotated.root_epoch, rotated.names, rotated.dropped), (2, vec!["raw".into()], vec!["recovery".into()]));
    // The open store goes on, and so does one that is opened anew.
    physician(&ehr).write(br#"{"resourceType":"Patient","id":"p2"}"#).expect("it is valid");
    session.put_key(&new, &paper).expect("the new key opens it");
    drop((session, ehr));
    assert_eq!(code(open(&file, &key())), Code::WrongKey);
    for source in [&new as &dyn KeySource, &paper] {
        let ehr = open(&file, source).expect("it opens");
        assert_eq!(physician(&ehr).read(kind("Patient"), "p1").expect("there").bytes(), PATIENT);
        administrator(&ehr).verify(VerifyLevel::Records, None).expect("all as written");
        let log = administrator(&ehr).audit(0, 1000).expect("it may");
        let rotations = log.iter().filter(|(_, event)| event.kind == EventKind::KeyRotate);
        let ends: Vec<_> = rotations.map(|(_, event)| event.failure()).collect();
        assert_eq!(ends, [Some(Code::Denied), Some(Code::WrongKey), Some(Code::LastKey), None]);
    }
    // The copy is dead for whoever has no old source.
    assert_eq!(code(open(&copy, &new)), Code::WrongKey);
    assert!(open(&copy, &key()).is_ok());
}

#[test]
fn keys_of_patients_are_wrapped_anew_and_every_record_still_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    write_patients(&ehr, 30);
    let session = administrator(&ehr);
    assert_eq!(code(physician(&ehr).rotate_patient_keys()), Code::Denied);
    assert_eq!(session.rotate_patient_keys().expect("it may"), 1, "one group of patients");
    assert_eq!(session.rotate_patient_keys().expect("and again"), 1);
    write_patients(&ehr, 31);
    drop((session, ehr));
    let ehr = open(&folder.path().join("clinic.ehr"), &key()).expect("it opens");
    let session = administrator(&ehr);
    assert_eq!(session.verify(VerifyLevel::Records, None).expect("all as written").records, 31);
    assert_eq!(session.rotate_patient_keys().expect("it may"), 1);
    assert_eq!(session.verify(VerifyLevel::Records, None).expect("all as written").records, 31);
    assert_eq!(session.key_status().expect("it may").revision, 7);
}

/// The slots in front of a file hold the header twice. Whoever puts an earlier pair of them back brings the ways of that time back.
#[test]
fn a_header_of_an_earlier_time_put_back_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clinic.ehr");
    let ehr = create(folder.path());
    let new = RawKey::new([2; 32]);
    let fronts = || std::fs::read(&file).expect("readable")[..2 * 4096].to_vec();
    let before = fronts();
    administrator(&ehr).rotate_root(&key(), &[&new]).expect("the key opens it");
    drop(ehr);
    let whole = std::fs::read(&file).expect("readable");
    // Both slots, or either one: with the old key or with the new.
    for slots in [0..2, 0..1, 1..2] {
        for source in [&key() as &dyn KeySource, &new] {
            let mut changed = whole.clone();
            let range = slots.start * 4096..slots.end * 4096;
            changed[range.clone()].copy_from_slice(&before[range]);
            std::fs::write(&file, &changed).expect("writable");
            match open(&file, source) {
                Ok(ehr) => {
                    let names = administrator(&ehr).key_status().expect("it may");
                    assert_eq!(names.root_epoch, 2, "{slots:?}: what opened is the new root's");
                }
                Err(error) => assert!(
                    matches!(error.code(), Code::HeaderOld | Code::WrongKey | Code::Corrupt),
                    "{slots:?}: {error}"
                ),
            }
        }
    }
    let mut changed = whole;
    changed[..2 * 4096].copy_from_slice(&before);
    std::fs::write(&file, &changed).expect("writable");
    assert!(open(&file, &key()).is_err() && open(&file, &new).is_err(), "both slots put back");
}

#[test]
fn a_store_written_anew_under_another_page_key_has_everything_and_the_old_handle_nothing_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (folder.path().join("clinic.ehr"), folder.path().join("anew.ehr"));
    let ehr = create(folder.path());
    write_patients(&ehr, 40);
    let reader = physician(&ehr);
    reader.delete(kind("Patient"), "q7").expect("it is there");
    let session = administrator(&ehr);
    assert_eq!(code(session.rotate_page_key(&old)), Code::StoreExists);
    assert_eq!(code(reader.rotate_page_key(&new)), Code::Denied);
    assert!(!new.exists());
    session.rotate_page_key(&new).expect("there is room");
    assert_eq!(code(reader.read(kind("Patient"), "q1")), Code::StoreMoved);
    assert_eq!(code(reader.write(PATIENT)), Code::StoreMoved);
    assert_eq!(code(session.rotate_root(&key(), &[&key()])), Code::StoreMoved);
    drop((session, reader, ehr));

    let ehr = open(&new, &key()).expect("it opens");
    let (reader, session) = (physician(&ehr), administrator(&ehr));
    let report = session.verify(VerifyLevel::Records, None).expect("all as written");
    assert_eq!(report.records, 39);
    assert_eq!(reader.history(kind("Patient"), "q7").expect("kept").len(), 2);
    assert_eq!(session.key_status().expect("it may").revision, 2);
    let log = session.audit(0, 1000).expect("it may");
    assert!(log.iter().any(|(_, event)| event.kind == EventKind::KeyRotate && event.failed.is_none()));
    write_patients(&ehr, 41);
    drop((reader, session, ehr));
    // The superblocks of one file do not open in the other, although both have the same root.
    let (before, mut after) = (std::fs::read(&old).expect("readable"), std::fs::read(&new).expect("readable"));
    after[..2 * 4096].copy_from_slice(&before[..2 * 4096]);
    std::fs::write(&new, after).expect("writable");
    assert!(open(&new, &key()).is_err());
}
