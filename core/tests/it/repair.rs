//! A damaged store made whole with good copies: to the byte what was left, or refused.

use crate::path::{administrator, create, key, kind, physician};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Ehr, Options, RepairOptions, Repaired, VerifyLevel};
use ehrcore::error::{Code, Result};
use ehrcore::keys::RawKey;
use ehrcore::limits::{CallLimits, CancelToken};
use std::path::{Path, PathBuf};

const SLOT: usize = 4096;

fn how(allow_older: bool) -> RepairOptions<'static> {
    RepairOptions { actor: "night-shift", allow_older, limits: CallLimits::default() }
}

fn repair(damaged: &Path, copies: &[&Path], into: &Path, allow_older: bool) -> Result<Repaired> {
    Ehr::repair(damaged, copies, into, &how(allow_older), &key(), &Options::default())
}

fn refused(damaged: &Path, copies: &[&Path], into: &Path) -> Code {
    let code = repair(damaged, copies, into, false).map(|_| ()).expect_err("it is refused").code();
    assert!(!into.exists(), "nothing is left");
    code
}

fn observation(n: usize) -> String {
    let text = "x".repeat(200 + n % 50);
    format!(
        r#"{{"resourceType":"Observation","id":"o{n}","status":"final","code":{{"text":"{text}"}},"subject":{{"reference":"Patient/p{}"}}}}"#,
        n % 7
    )
}

/// A store with a hundred records, a full copy of it, and an increment after ten more.
fn clinic(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let ehr = create(folder);
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let (full, step) = (folder.join("full"), folder.join("step"));
    (0..100).for_each(|n| drop(doctor.write(observation(n).as_bytes()).expect("it is valid")));
    office.backup(&full, &mut |_, _| true).expect("it copies");
    (100..110).for_each(|n| drop(doctor.write(observation(n).as_bytes()).expect("it is valid")));
    office.backup_since(&step, &full, &key(), &mut |_, _| true).expect("it copies");
    (folder.join("clinic.ehr"), full, step)
}

/// The file with these slots overwritten.
fn damaged(folder: &Path, from: &Path, slots: impl Iterator<Item = usize>) -> PathBuf {
    let mut bytes = std::fs::read(from).expect("a file");
    for slot in slots.filter(|slot| (slot + 1) * SLOT <= bytes.len()).collect::<Vec<_>>() {
        bytes[slot * SLOT + 100..slot * SLOT + 900].fill(0xa5);
    }
    let to = folder.join("damaged.ehr");
    std::fs::write(&to, bytes).expect("a file");
    to
}

fn whole(file: &Path) {
    let ehr = Ehr::open(file, &key(), Options::default()).expect("it opens");
    let office = administrator(&ehr);
    office.verify(VerifyLevel::Records, None).expect("log, records and pages are whole");
    let events: Vec<_> = office.audit(0, 100_000).expect("it may").into_iter().map(|(_, event)| event).collect();
    assert!(events.iter().any(|event| event.kind == EventKind::Repair && event.actor == "night-shift"));
}

#[test]
fn pages_that_are_damaged_come_from_the_copies_and_what_was_written_last_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, full, step) = clinic(folder.path());
    let slots = std::fs::metadata(&store).expect("a file").len() as usize / SLOT;
    let into = folder.path().join("whole.ehr");
    // One at a time: those that are pages of the store, not of its map.
    let mut pages = Vec::new();
    for slot in (0..slots).step_by(slots / 24 + 1) {
        let hurt = damaged(folder.path(), &store, slot..slot + 1);
        let Ok(done) = repair(&hurt, &[&step, &full], &into, false) else { continue };
        if done.mended.from_copies == 1 {
            pages.push(slot);
        }
        std::fs::remove_file(&into).expect("a file");
    }
    let hurt = damaged(folder.path(), &store, pages.iter().copied());
    let done = repair(&hurt, &[&step, &full], &into, false).expect("the copies have them");
    assert!(pages.len() > 2 && done.mended.from_copies == pages.len() as u64, "{pages:?} {done:?}");
    assert!(!done.mended.whole_copy && done.check.is_sound());
    whole(&into);
    let ehr = Ehr::open(&into, &key(), Options::default()).expect("it opens");
    let last = physician(&ehr).read(kind("Observation"), "o109").expect("what came after the full copy");
    assert_eq!(last.bytes(), observation(109).as_bytes());
    drop(ehr);
    assert_eq!(
        repair(&hurt, &[&step, &full], &into, false).map(|_| ()).expect_err("it is there").code(),
        Code::StoreExists
    );
}

#[test]
fn where_the_map_is_gone_a_copy_that_may_be_older_is_taken_only_when_it_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, full, step) = clinic(folder.path());
    let slots = std::fs::metadata(&store).expect("a file").len() as usize / SLOT;
    let hurt = damaged(folder.path(), &store, 0..slots);
    let into = folder.path().join("whole.ehr");
    assert_eq!(refused(&hurt, &[&full], &into), Code::CopyOlder);
    assert_ne!(refused(&hurt, &[], &into), Code::CopyOlder, "without a copy it says what is damaged");
    let done = repair(&hurt, &[&full], &into, true).expect("it is allowed");
    assert!(done.mended.whole_copy && done.mended.from_copies == done.mended.pages && done.check.is_sound());
    whole(&into);
    let ehr = Ehr::open(&into, &key(), Options::default()).expect("it opens");
    let doctor = physician(&ehr);
    assert!(doctor.read(kind("Observation"), "o99").is_ok() && doctor.read(kind("Observation"), "o100").is_err());
    drop(ehr);
    // An increment alone has not all pages.
    std::fs::remove_file(&into).expect("a file");
    let code = repair(&hurt, &[&step], &into, true).map(|_| ()).expect_err("it is not whole").code();
    assert!(matches!(code, Code::CopyDamaged | Code::BackupChain | Code::Corrupt), "{code}");
    assert!(!into.exists());
    let both = repair(&hurt, &[&step, &full], &into, true).expect("together they are");
    assert!(both.mended.whole_copy && both.check.is_sound());
    let ehr = Ehr::open(&into, &key(), Options::default()).expect("it opens");
    assert!(physician(&ehr).read(kind("Observation"), "o109").is_ok());
}

#[test]
fn a_page_that_no_copy_has_as_it_was_left_is_not_made_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, full, _) = clinic(folder.path());
    let slots = std::fs::metadata(&store).expect("a file").len() as usize / SLOT;
    let (mut corrupt, into) = (0, folder.path().join("whole.ehr"));
    // Every page is hit once, wherever it lies.
    for slot in (0..slots).step_by(12) {
        let hurt = damaged(folder.path(), &store, slot..slot + 12);
        match repair(&hurt, &[&full], &into, false) {
            Ok(done) => {
                assert!(done.check.is_sound() && !done.mended.whole_copy);
                whole(&into);
                std::fs::remove_file(&into).expect("a file");
            }
            Err(error) => {
                assert!(matches!(error.code(), Code::Corrupt | Code::CopyOlder), "{error}");
                assert!(!into.exists(), "nothing is left");
                corrupt += 1;
            }
        }
    }
    assert!(corrupt > 0, "what was written after the copy is in none");
}

#[test]
fn a_copy_of_another_store_a_wrong_key_and_a_word_to_stop_leave_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, full, _) = clinic(folder.path());
    let elsewhere = tempfile::tempdir().expect("a folder");
    let stranger = elsewhere.path().join("copy");
    administrator(&create(elsewhere.path())).backup(&stranger, &mut |_, _| true).expect("it copies");
    let into = folder.path().join("whole.ehr");
    assert_eq!(refused(&store, &[&stranger], &into), Code::OtherStore);
    assert_eq!(refused(&store, &[&full, &stranger], &into), Code::OtherStore);
    let other = Ehr::repair(&store, &[&full], &into, &how(false), &RawKey::new([9; 32]), &Options::default());
    assert_eq!(other.map(|_| ()).expect_err("it opens nothing").code(), Code::WrongKey);
    let token = CancelToken::new();
    token.cancel();
    let stopped = RepairOptions { limits: CallLimits { cancel: Some(token), ..CallLimits::default() }, ..how(false) };
    let stopped = Ehr::repair(&store, &[&full], &into, &stopped, &key(), &Options::default());
    assert_eq!(stopped.map(|_| ()).expect_err("it was told to stop").code(), Code::Cancelled);
    assert!(!into.exists());
}
