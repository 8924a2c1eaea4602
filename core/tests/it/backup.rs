//! Copies made while others write, in full and in steps, put together again: equal, or refused.

use crate::path::{administrator, create, key, kind, physician};
use ehrcore::ehr::{Ehr, Options, SearchOptions, Session, VerifyLevel, Write};
use ehrcore::error::{Code, Result};
use ehrcore::keys::RawKey;
use ehrcore::limits::{CallLimits, CancelToken};
use ehrcore::store::Copied;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

const IN_SET: usize = 5;

fn set(n: usize) -> Vec<Write> {
    let one = |k| {
        let text = "x".repeat(1 + n * 7 % 400);
        format!(
            r#"{{"resourceType":"Basic","id":"s{n}-{k}","code":{{"text":"{text}"}},"subject":{{"reference":"Patient/p{}"}}}}"#,
            n % 9
        )
    };
    (0..IN_SET).map(|k| Write::Put(one(k).into_bytes())).collect()
}

fn open(file: &Path) -> Ehr {
    Ehr::open(file, &key(), Options::default()).expect("it opens")
}

/// Every version of every record, by id.
fn all(session: &Session) -> BTreeMap<String, Vec<Vec<u8>>> {
    let (mut found, mut from) = (BTreeMap::new(), None);
    loop {
        let page = session.search(kind("Basic"), "", SearchOptions { count: 1000, from }).expect("it searches");
        for stored in &page.records {
            let history = session.history(kind("Basic"), stored.id()).expect("it is there");
            found.insert(stored.id().to_owned(), history.iter().map(|one| one.bytes().to_vec()).collect());
        }
        from = page.next;
        if from.is_none() {
            return found;
        }
    }
}

fn restore(chain: &[&Path], into: &Path) -> Result<Copied> {
    Ehr::restore(chain, into, &key(), &Options::default(), &CallLimits::default(), &mut |_, _| true)
}

#[test]
fn a_copy_made_while_others_write_has_all_that_was_acknowledged_before_and_no_half() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let copies: Vec<_> = (0..4).map(|n| folder.path().join(format!("copy{n}.ehr"))).collect();
    let mut before = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let session = physician(&ehr);
            for n in 0.. {
                if stop.load(SeqCst) {
                    break;
                }
                session.change_set(set(n)).expect("it writes");
                acknowledged.store(n + 1, SeqCst);
            }
        });
        let office = administrator(&ehr);
        for copy in &copies {
            while acknowledged.load(SeqCst) < (before.len() + 1) * 12 {
                std::thread::yield_now();
            }
            before.push(acknowledged.load(SeqCst));
            let copied = office.backup(copy, &mut |_, _| true).expect("it copies");
            assert!(copied.pages > 0 && copied.pages == copied.copied);
        }
        stop.store(true, SeqCst);
    });
    for (copy, before) in copies.iter().zip(before) {
        let condition = Ehr::condition(copy, &key(), Options::default()).expect("it reads");
        assert!(condition.is_sound() && condition.mended == 0 && !condition.recovered, "{condition:?}");
        let found = all(&physician(&open(copy)));
        for n in 0..acknowledged.load(SeqCst) + 1 {
            let there = (0..IN_SET).filter(|k| found.contains_key(&format!("s{n}-{k}"))).count();
            assert!(there == IN_SET || there == 0 && n >= before, "set {n}: {there}");
        }
        let ehr = open(copy);
        let report = administrator(&ehr).verify(VerifyLevel::Records, None).expect("log, records and pages are whole");
        assert_eq!(report.records, found.len() as u64);
    }
    // What was held for the copies is free again.
    drop(ehr);
    assert!(Ehr::condition(folder.path().join("clinic.ehr"), &key(), Options::default()).expect("it reads").is_sound());
}

#[test]
fn a_full_copy_and_its_increments_give_each_state_back_and_another_order_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let file = |n: usize| folder.path().join(format!("copy{n}"));
    let (mut states, mut copies) = (Vec::new(), Vec::new());
    for n in 0..4 {
        for k in 0..if n == 0 { 400 } else { 3 } {
            doctor.change_set(set(n * 100 + k)).expect("it writes");
            doctor.change_set(vec![set(k).swap_remove(2)]).expect("it writes");
        }
        states.push(all(&doctor));
        copies.push(match n {
            0 => office.backup(&file(0), &mut |_, _| true).expect("it copies"),
            n => office.backup_since(&file(n), &file(n - 1), &key(), &mut |_, _| true).expect("it copies"),
        });
    }
    assert!(copies.iter().enumerate().all(|(n, copied)| copied.number == n as u32));
    // How many pages are new depends on how many groups the events of reads fell into: on a slow machine there are more.
    assert!(copies[1].copied * 4 < copies[1].pages * 3, "{:?}", copies[1]);
    let size = |n| std::fs::metadata(file(n)).expect("a file").len();
    assert!(size(1) * 4 < size(0) * 3, "{} {}", size(1), size(0));
    let paths: Vec<_> = (0..4).map(file).collect();
    for n in 0..4 {
        let chain: Vec<&Path> = paths[..=n].iter().map(AsRef::as_ref).collect();
        let into = folder.path().join(format!("restored{n}.ehr"));
        assert_eq!(restore(&chain, &into).expect("it restores").digest, copies[n].digest);
        let ehr = open(&into);
        assert!(all(&physician(&ehr)) == states[n], "{n}");
        administrator(&ehr).verify(VerifyLevel::Records, None).expect("it is whole");
    }
    let code = |chain: &[usize]| {
        let chain: Vec<&Path> = chain.iter().map(|n| paths[*n].as_path()).collect();
        let into = folder.path().join("refused.ehr");
        let refused = restore(&chain, &into).map(|_| ()).unwrap_err().code();
        assert!(!into.exists(), "nothing is left");
        refused
    };
    assert_eq!([code(&[0, 2]), code(&[1]), code(&[0, 2, 1]), code(&[0, 1, 1])], [Code::BackupChain; 4]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let other = create(elsewhere.path());
    let stranger = elsewhere.path().join("copy");
    administrator(&other).backup(&stranger, &mut |_, _| true).expect("it copies");
    let since = office.backup_since(&file(9), &stranger, &key(), &mut |_, _| true);
    assert_eq!((since.unwrap_err().code(), file(9).exists()), (Code::OtherStore, false));
}

#[test]
fn a_changed_byte_in_a_copy_is_refused_or_without_effect() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let (full, step, into) = (folder.path().join("full"), folder.path().join("step"), folder.path().join("into.ehr"));
    (0..10).for_each(|n| drop(doctor.change_set(set(n)).expect("it writes")));
    office.backup(&full, &mut |_, _| true).expect("it copies");
    (10..15).for_each(|n| drop(doctor.change_set(set(n)).expect("it writes")));
    office.backup_since(&step, &full, &key(), &mut |_, _| true).expect("it copies");
    let wanted = all(&doctor);
    let mut refused = 0;
    for file in [&full, &step] {
        let good = std::fs::read(file).expect("a file");
        for at in (0..good.len()).step_by(good.len() / 40 + 1).chain([good.len() - 1]) {
            let mut bytes = good.clone();
            bytes[at] ^= 4;
            std::fs::write(file, &bytes).expect("a file");
            match restore(&[&full, &step], &into) {
                Err(_) => refused += 1,
                Ok(_) => {
                    assert!(all(&physician(&open(&into))) == wanted, "{at}");
                    std::fs::remove_file(&into).expect("a file");
                }
            }
        }
        std::fs::write(file, &good[..good.len() - 4096]).expect("a file");
        assert!(restore(&[&full, &step], &into).is_err(), "a copy that was cut short");
        std::fs::write(file, good).expect("a file");
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_copy_that_is_cancelled_leaves_no_file_and_one_never_replaces_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    physician(&ehr).change_set(set(1)).expect("it writes");
    let office = administrator(&ehr);
    let file = folder.path().join("copy");
    assert_eq!(office.backup(&file, &mut |_, _| false).unwrap_err().code(), Code::Cancelled);
    let token = CancelToken::new();
    token.cancel();
    office.set_limits(CallLimits { cancel: Some(token), ..CallLimits::default() });
    assert_eq!(office.backup(&file, &mut |_, _| true).unwrap_err().code(), Code::Cancelled);
    assert!(!file.exists());
    office.set_limits(CallLimits::default());
    std::fs::write(&file, "mine").expect("a file");
    assert_eq!(office.backup(&file, &mut |_, _| true).unwrap_err().code(), Code::StoreExists);
    assert_eq!(std::fs::read(&file).expect("a file"), b"mine");
    assert_eq!(physician(&ehr).backup(&folder.path().join("no"), &mut |_, _| true).unwrap_err().code(), Code::Denied);
}

#[test]
fn a_chain_of_copies_across_a_change_of_keys_comes_back_with_the_key_of_its_last_link_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let file = |n: usize| folder.path().join(format!("copy{n}"));
    let new = RawKey::new([77; 32]);
    (0..10).for_each(|n| drop(doctor.change_set(set(n)).expect("it writes")));
    office.backup(&file(0), &mut |_, _| true).expect("it copies");
    (10..12).for_each(|n| drop(doctor.change_set(set(n)).expect("it writes")));
    office.backup_since(&file(1), &file(0), &key(), &mut |_, _| true).expect("it copies");
    office.rotate_root(&key(), &[&new]).expect("it opens it");
    office.rotate_patient_keys().expect("it may");
    (12..14).for_each(|n| drop(doctor.change_set(set(n)).expect("it writes")));
    office.backup_since(&file(2), &file(1), &new, &mut |_, _| true).expect("the new key is enough");
    let wanted = all(&doctor);
    let (paths, into) = ([file(0), file(1), file(2)], folder.path().join("restored.ehr"));
    let chain: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    let put_together = |with: &RawKey| {
        Ehr::restore(&chain, &into, with, &Options::default(), &CallLimits::default(), &mut |_, _| true)
    };
    assert_eq!(put_together(&key()).unwrap_err().code(), Code::WrongKey, "what was taken away opens no later copy");
    assert_eq!(put_together(&new).expect("it restores").number, 2);
    let back = Ehr::open(&into, &new, Options::default()).expect("it opens");
    assert!(all(&physician(&back)) == wanted);
    administrator(&back).verify(VerifyLevel::Records, None).expect("it is whole");
    // Under another key of the pages a new chain begins.
    let moved = folder.path().join("moved.ehr");
    administrator(&back).rotate_page_key(&moved).expect("it writes");
    drop(back);
    let anew = Ehr::open(&moved, &new, Options::default()).expect("it opens");
    let since = administrator(&anew).backup_since(&file(3), &file(2), &new, &mut |_, _| true);
    assert_eq!((since.unwrap_err().code(), file(3).exists()), (Code::BackupChain, false));
}
