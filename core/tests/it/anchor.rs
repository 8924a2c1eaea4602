//! The anchor: a file that is older than what was kept outside is found.

use crate::path::{administrator, key, kind, physician};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Anchor, Anchoring, Ehr, FileAnchor, Options};
use ehrcore::error::{Code, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// An anchor in memory that fails on purpose.
#[derive(Default)]
struct Kept {
    note: Mutex<Option<Vec<u8>>>,
    failing: Mutex<bool>,
    taken: Mutex<u32>,
}

impl Anchor for Kept {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        if *self.failing.lock().expect("no panic") {
            return Err(Code::AnchorUnavailable.error());
        }
        Ok(self.note.lock().expect("no panic").clone())
    }
    fn store(&self, note: &[u8]) -> Result<()> {
        if *self.failing.lock().expect("no panic") {
            return Err(Code::AnchorUnavailable.error());
        }
        *self.note.lock().expect("no panic") = Some(note.to_vec());
        *self.taken.lock().expect("no panic") += 1;
        Ok(())
    }
}

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("this is refused").code()
}

fn options(anchoring: Anchoring) -> Options {
    Options { anchor: Some(anchoring), ..Options::default() }
}

fn open(path: &Path, anchoring: Anchoring) -> Result<Ehr> {
    Ehr::open(path, &key(), options(anchoring))
}

fn write(ehr: &Ehr, id: &str) {
    let text = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
    physician(ehr).write(text.as_bytes()).expect("it is valid");
}

fn file(folder: &Path) -> PathBuf {
    folder.join("clinic.ehr")
}

#[test]
fn an_older_file_does_not_open_with_its_anchor_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, kept) = (file(folder.path()), Arc::new(Kept::default()));
    let with = || Anchoring::new(kept.clone());
    let mut older = Vec::new();
    let ehr = Ehr::create(&path, &key(), options(with())).expect("a new store");
    assert!(ehr.security_status().rollback_protected);
    assert_eq!(ehr.security_status().unanchored, Some(0));
    drop(ehr);
    for n in 0..5 {
        older.push(std::fs::read(&path).expect("readable"));
        let ehr = open(&path, with()).expect("it is as it was left");
        write(&ehr, &format!("p{n}"));
    }
    let newest = std::fs::read(&path).expect("readable");
    for image in &older {
        std::fs::write(&path, image).expect("writable");
        assert_eq!(code(open(&path, with())), Code::RolledBack);
        assert_eq!(std::fs::read(&path).expect("readable"), *image, "nothing was written to what was put back");
        let report = Ehr::compare_with_anchor(&path, &key(), kept.clone(), Options::default()).expect("it looks");
        assert!(report.rolled_back && report.file_commits < report.anchor_commits);
    }
    std::fs::write(&path, &newest).expect("writable");
    let ehr = open(&path, with()).expect("the newest opens");
    physician(&ehr).read(kind("Patient"), "p4").expect("there");
    // Without the anchor nobody can tell, and the status says so.
    drop(ehr);
    std::fs::write(&path, &older[1]).expect("writable");
    let ehr = Ehr::open(&path, &key(), Options::default()).expect("it opens");
    assert!(!ehr.security_status().rollback_protected);
}

#[test]
fn a_file_that_went_another_way_is_found_though_it_counts_as_far() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, kept) = (file(folder.path()), Arc::new(Kept::default()));
    let with = || Anchoring::new(kept.clone());
    drop(Ehr::create(&path, &key(), options(with())).expect("a new store"));
    let fork = std::fs::read(&path).expect("readable");
    let ehr = open(&path, with()).expect("it opens");
    (0..3).for_each(|n| write(&ehr, &format!("p{n}")));
    drop(ehr);
    std::fs::write(&path, &fork).expect("writable");
    let ehr = Ehr::open(&path, &key(), Options::default()).expect("it opens without its anchor");
    (0..9).for_each(|n| write(&ehr, &format!("q{n}")));
    drop(ehr);
    assert_eq!(code(open(&path, with())), Code::RolledBack);
}

#[test]
fn after_a_crash_between_a_commit_and_its_note_the_file_is_ahead_and_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, kept) = (file(folder.path()), Arc::new(Kept::default()));
    drop(Ehr::create(&path, &key(), options(Anchoring::new(kept.clone()))).expect("a new store"));
    let ehr = open(&path, Anchoring::new(kept.clone()).every(1000)).expect("it opens");
    let note = kept.note.lock().expect("no panic").clone();
    (0..4).for_each(|n| write(&ehr, &format!("p{n}")));
    assert!(ehr.security_status().unanchored >= Some(4));
    drop(ehr);
    *kept.note.lock().expect("no panic") = note;
    let ehr = open(&path, Anchoring::new(kept.clone())).expect("ahead is no harm");
    assert_eq!(ehr.security_status().unanchored, Some(0));
    let report = {
        drop(ehr);
        Ehr::compare_with_anchor(&path, &key(), kept, Options::default()).expect("it looks")
    };
    assert_eq!((report.file_commits, report.rolled_back), (report.anchor_commits, false));
}

#[test]
fn an_anchor_that_does_not_answer_stops_nothing_or_every_write_as_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    for strict in [false, true] {
        let (path, kept) = (folder.path().join(format!("{strict}.ehr")), Arc::new(Kept::default()));
        let with = Anchoring::new(kept.clone());
        let with = if strict { with.strict() } else { with };
        let ehr = Ehr::create(&path, &key(), options(with.clone())).expect("a new store");
        *kept.failing.lock().expect("no panic") = true;
        write(&ehr, "p1"); // what was committed stays
        assert!(!ehr.security_status().rollback_protected);
        assert_eq!(code(ehr.anchor_now()), Code::AnchorUnavailable);
        let next = physician(&ehr).write(br#"{"resourceType":"Patient","id":"p2"}"#);
        assert_eq!(next.as_ref().err().map(|error| error.code()), strict.then_some(Code::AnchorUnavailable));
        physician(&ehr).read(kind("Patient"), "p1").expect("reading goes on");
        *kept.failing.lock().expect("no panic") = false;
        write(&ehr, "p3");
        assert_eq!(ehr.security_status().unanchored, Some(0));
        drop(ehr);
        *kept.failing.lock().expect("no panic") = true;
        assert_eq!(code(open(&path, with)), Code::AnchorUnavailable);
    }
}

#[test]
fn an_anchor_that_is_gone_edited_or_another_stores_does_not_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, note) = (file(folder.path()), folder.path().join("clinic.anchor"));
    let with = || Anchoring::new(Arc::new(FileAnchor::new(&note)));
    let ehr = Ehr::create(&path, &key(), options(with())).expect("a new store");
    write(&ehr, "p1");
    drop(ehr);
    let good = std::fs::read(&note).expect("it is there");
    for bit in 0..good.len() * 8 {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&note, &changed).expect("writable");
        let expected = if (8..24).contains(&(bit / 8)) { Code::AnchorOther } else { Code::AnchorInvalid };
        assert_eq!(code(open(&path, with())), expected, "bit {bit}");
    }
    for length in [0, 8, 24, good.len() - 1] {
        std::fs::write(&note, &good[..length]).expect("writable");
        assert_eq!(code(open(&path, with())), Code::AnchorInvalid, "{length} bytes");
    }
    std::fs::remove_file(&note).expect("there");
    assert_eq!(code(open(&path, with())), Code::AnchorMissing);
    let other = folder.path().join("other.ehr");
    drop(Ehr::create(&other, &key(), options(with())).expect("another store with the same anchor"));
    assert_eq!(code(open(&path, with())), Code::AnchorOther);
    std::fs::write(&note, &good).expect("writable");
    assert!(open(&path, with()).is_ok());
    // A store that had none begins with one where that is said.
    std::fs::remove_file(&note).expect("there");
    drop(open(&path, with().begin()).expect("it begins"));
    assert!(open(&path, with()).is_ok());
}

#[test]
fn an_older_file_is_gone_on_with_where_that_is_said_and_the_log_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, kept) = (file(folder.path()), Arc::new(Kept::default()));
    let with = || Anchoring::new(kept.clone());
    let ehr = Ehr::create(&path, &key(), options(with())).expect("a new store");
    write(&ehr, "p1");
    drop(ehr);
    let backup = std::fs::read(&path).expect("readable");
    let ehr = open(&path, with()).expect("it opens");
    write(&ehr, "p2");
    drop(ehr);
    let lost = std::fs::read(&path).expect("readable");
    std::fs::write(&path, &backup).expect("writable");
    assert_eq!(code(open(&path, with())), Code::RolledBack);
    let ehr = open(&path, with().accept_older("disk failed, backup of Monday")).expect("said so");
    let log = administrator(&ehr).audit(0, 100).expect("it may");
    let accepted = log.iter().find(|(_, event)| event.kind == EventKind::RollbackAccepted).expect("on record");
    assert_eq!(accepted.1.reason, "disk failed, backup of Monday");
    drop(ehr);
    assert!(open(&path, with()).is_ok(), "the anchor begins anew");
    // What was lost does not come back under this anchor, though it had come farther.
    std::fs::write(&path, &lost).expect("writable");
    assert_eq!(code(open(&path, with())), Code::RolledBack);
}

#[test]
fn an_anchor_is_told_after_each_commit_or_every_so_many() {
    let folder = tempfile::tempdir().expect("a folder");
    for (every, expected) in [(1, 10..=40), (10, 1..=4)] {
        let (path, kept) = (folder.path().join(format!("{every}.ehr")), Arc::new(Kept::default()));
        let with = Anchoring::new(kept.clone()).every(every);
        let ehr = Ehr::create(&path, &key(), options(with)).expect("a new store");
        (0..10).for_each(|n| write(&ehr, &format!("p{n}")));
        let taken = *kept.taken.lock().expect("no panic");
        assert!(expected.contains(&taken), "every {every}: {taken}");
        drop(ehr);
        assert!(*kept.taken.lock().expect("no panic") >= taken);
    }
}
