//! Tests of shredding and of new keys for a patient.

use super::testing::{Depth, FaultyFile, readable};
use super::tests::{found, kind, observation, patient, put};
use super::*;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::record::{Compartment, Record};
use crate::time::Timestamp;

fn random() -> Arc<SystemRandom> {
    Arc::new(SystemRandom::default())
}

fn create(file: &FaultyFile) -> Store {
    Store::create_on(Box::new(file.clone()), &RawKey::new([1; 32]), random(), 1 << 20).expect("a store in memory")
}

fn open(bytes: Vec<u8>) -> Store {
    let file = Box::new(FaultyFile::with(bytes));
    Store::open_on(file, &RawKey::new([1; 32]), random(), 1 << 20, false).expect("it opens")
}

/// A record of a patient with a word in it, under a label.
fn labelled(id: &str, patient: &str, word: &str, label: &str) -> Record {
    let json = format!(
        r#"{{"resourceType":"Observation","id":"{id}","meta":{{"security":[{{"code":"{label}"}}]}},"status":"final","code":{{"coding":[{{"code":"c-{id}"}}],"text":"{word}"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    );
    Record::parse(json.as_bytes()).expect("a resource")
}

fn shred(store: &Store, id: &str, only: Option<Compartment>) -> Result<Shredded> {
    let mut change = store.change(Timestamp(99), "office")?;
    let done = change.shred(id, only)?;
    change.commit()?;
    store.burn(Timestamp(99), || Ok(()))?;
    store.finish_destroying(Timestamp(99))?;
    Ok(done)
}

const DEPTH: Depth = Depth { patients: 4, numbers: 12 };

fn words(store: &Store, words: &[&str]) -> Vec<bool> {
    readable(store, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), DEPTH).expect("it reads")
}

/// A store with two patients, whose records were written and amended in many change sets.
fn two_patients(file: &FaultyFile) -> Store {
    let store = create(file);
    put(&store, 1, &[patient("p", "Alphaword", "1970-01-01"), patient("q", "Betaword", "1980-02-02")]);
    for n in 0..8 {
        put(
            &store,
            2 + n,
            &[labelled("o", "p", &format!("Gammaword{n}"), "HIV"), labelled("n", "q", "Deltaword", "HIV")],
        );
    }
    let mut change = store.change(Timestamp(20), "x").expect("a change");
    change.alias("urn:uuid:7", "Patient/p").expect("noted");
    change.alias("urn:uuid:8", "Patient/q").expect("noted");
    change.commit().expect("it commits");
    store
}

#[test]
fn what_was_shredded_is_nowhere_and_the_rest_is_as_it_was() {
    let file = FaultyFile::default();
    let store = two_patients(&file);
    let all = ["Alphaword", "Gammaword0", "Gammaword7", "Betaword", "Deltaword"];
    assert_eq!(words(&store, &all), [true; 5], "the look finds what is there");
    let before = store.snapshot().expect("a view");
    let number = before.patient("p").expect("readable").expect("there");
    let done = shred(&store, "p", None).expect("it is there");
    assert_eq!((done.patient, done.versions, done.damaged), (number.0, 9, 0));
    assert!(done.tokens >= 5, "{done:?}");
    assert_eq!(words(&store, &all), [false, false, false, true, true]);
    // In a view from before there is nothing to be read either.
    assert_eq!(before.current(kind("Patient"), "p").expect_err("gone").code(), Code::Erased);
    drop(before);
    drop(store);

    let store = open(file.bytes());
    assert_eq!(words(&store, &all), [false, false, false, true, true]);
    let now = store.snapshot().expect("a view");
    assert!(now.is_erased("p").expect("readable") && !now.is_erased("q").expect("readable"));
    assert_eq!(now.patient("p").expect("readable"), None);
    for id in ["o", "p"] {
        assert!(now.newest(kind("Observation"), id).expect("readable").is_none());
    }
    assert_eq!(
        (now.resolve("urn:uuid:7").expect("readable"), now.resolve("urn:uuid:8").expect("readable")),
        (None, Some("Patient/q".into()))
    );
    assert_eq!(found(&store, "Patient", ""), ["q"]);
    assert_eq!(found(&store, "Observation", ""), ["n"]);
    assert_eq!(now.history(kind("Observation"), "n").expect("whole").len(), 1);
    let mut rows = Vec::new();
    for table in [Table::Token, Table::Id, Table::Patient, Table::Block, Table::Index] {
        now.view()
            .range(table, &[], &[0xff; 20], &mut |key, value| {
                let patient = match table {
                    Table::Token => &key[8..],
                    Table::Id => &value[..4],
                    _ => &key[..4],
                };
                rows.extend((patient == number.0.to_be_bytes()).then_some(table));
                true
            })
            .expect("readable");
    }
    assert_eq!(rows, [], "no row is left that has the patient's number");
    assert_eq!(shred(&store, "p", None).expect_err("gone").code(), Code::NotFound);
    // Who comes back under the same id is somebody new.
    put(&store, 100, &[patient("p", "Omegaword", "1970-01-01")]);
    let now = store.snapshot().expect("a view");
    assert!(!now.is_erased("p").expect("readable"));
    assert_ne!(now.patient("p").expect("readable").expect("there"), number);
    assert_eq!(now.history(kind("Patient"), "p").expect("whole").len(), 1);
}

/// Patients a, b and c, each with a record of their own, and one record that is entered for each of `whose` in turn.
fn moving(file: &FaultyFile, whose: &[&str]) -> Store {
    let store = create(file);
    for id in ["a", "b", "c"] {
        put(&store, 1, &[patient(id, "Doe", "1970-01-01"), labelled(&format!("own-{id}"), id, "Ownword", "HIV")]);
    }
    for (n, id) in whose.iter().enumerate() {
        put(&store, 2 + n as i64, &[labelled("m", id, &format!("Movedword{n}"), "HIV")]);
    }
    let mut change = store.change(Timestamp(20), "x").expect("a change");
    change.alias("urn:uuid:9", "Observation/m").expect("noted");
    change.commit().expect("it commits");
    store
}

/// Which of the versions of the record that moved can be read in the file, and which records a search for its kind finds.
fn left(store: &Store, versions: usize) -> (Vec<bool>, Vec<String>) {
    let all: Vec<String> = (0..versions).map(|n| format!("Movedword{n}")).collect();
    let read = words(store, &all.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(store.check().expect("it is looked through").is_sound());
    (read, found(store, "Observation", ""))
}

#[test]
fn a_record_that_was_entered_for_the_wrong_patient_goes_whole_with_the_one_it_belongs_to() {
    let file = FaultyFile::default();
    let store = moving(&file, &["a", "b", "b"]);
    assert_eq!(left(&store, 3).0, [true; 3]);
    let done = shred(&store, "b", None).expect("it is there");
    assert_eq!((done.versions, done.elsewhere, done.damaged, done.moved.len()), (4, 1, 0, 0));
    drop(store);
    let store = open(file.bytes());
    assert_eq!(left(&store, 3), (vec![false; 3], vec!["own-a".to_owned(), "own-c".to_owned()]));
    assert_eq!(found(&store, "Observation", "code=c-m"), Vec::<String>::new());
    assert_eq!(store.snapshot().expect("a view").resolve("urn:uuid:9").expect("readable"), None);
}

#[test]
fn of_a_record_that_is_anothers_now_only_what_it_said_of_the_patient_goes_and_it_is_named() {
    let file = FaultyFile::default();
    let store = moving(&file, &["a", "b", "b"]);
    let number = store.snapshot().expect("a view").patient("b").expect("readable").expect("there");
    let done = shred(&store, "a", None).expect("it is there");
    assert_eq!((done.versions, done.elsewhere), (3, 0));
    assert_eq!(done.moved, [Moved { kind: kind("Observation"), id: "m".into(), patient: number, versions: 2 }]);
    assert_eq!(left(&store, 3), (vec![false, true, true], vec!["own-b".into(), "m".into(), "own-c".into()]));
    // It is still known by its address.
    let now = store.snapshot().expect("a view");
    assert_eq!(now.resolve("urn:uuid:9").expect("readable").as_deref(), Some("Observation/m"));
}

#[test]
fn a_record_that_came_back_takes_what_it_said_in_between_along() {
    let file = FaultyFile::default();
    let store = moving(&file, &["a", "b", "a"]);
    let done = shred(&store, "a", None).expect("it is there");
    assert_eq!((done.versions, done.elsewhere), (4, 1));
    assert_eq!(left(&store, 3), (vec![false; 3], vec!["own-b".into(), "own-c".into()]));
}

#[test]
fn what_a_shredded_chart_cuts_off_from_its_record_does_not_stay_behind_in_a_third_one() {
    let file = FaultyFile::default();
    let store = moving(&file, &["c", "b", "a"]);
    let done = shred(&store, "b", None).expect("it is there");
    assert_eq!((done.versions, done.elsewhere, done.moved.len()), (3, 1, 1));
    assert_eq!(left(&store, 3).0, [false, false, true]);
    let done = shred(&store, "a", None).expect("it is there");
    assert_eq!((done.versions, done.elsewhere), (3, 0));
    assert_eq!(left(&store, 3), (vec![false; 3], vec!["own-c".into()]));
}

#[test]
fn what_a_record_said_before_it_was_labelled_goes_with_the_compartment_it_is_in() {
    let store = create(&FaultyFile::default());
    put(&store, 1, &[patient("p", "Alphaword", "1970-01-01"), labelled("m", "p", "Movedword0", "HIV")]);
    put(&store, 2, &[labelled("m", "p", "Movedword1", "SUD")]);
    let done = shred(&store, "p", Some(Compartment::SubstanceUse)).expect("it is there");
    assert_eq!((done.versions, done.elsewhere), (1, 1));
    assert_eq!(left(&store, 2), (vec![false; 2], vec![]));
    assert_eq!(words(&store, &["Alphaword"]), [true]);
}

#[test]
fn one_compartment_is_shredded_and_the_rest_of_the_chart_stays_whole() {
    let file = FaultyFile::default();
    let store = create(&file);
    put(&store, 1, &[patient("p", "Alphaword", "1970-01-01"), labelled("s", "p", "Secretword", "SUD")]);
    put(&store, 2, &[labelled("m", "p", "Movedword1", "SUD"), labelled("k", "p", "Keptword", "HIV")]);
    put(&store, 3, &[labelled("m", "p", "Movedword2", "HIV")]);
    let all = ["Secretword", "Movedword1", "Movedword2", "Keptword", "Alphaword"];
    assert_eq!(words(&store, &all), [true; 5]);
    assert_eq!(shred(&store, "p", Some(Compartment::PsychotherapyNotes)).expect_err("empty").code(), Code::NotFound);
    let done = shred(&store, "p", Some(Compartment::SubstanceUse)).expect("it is there");
    assert_eq!((done.versions, done.damaged), (2, 0));
    assert_eq!(words(&store, &all), [false, false, true, true, true]);
    let now = store.snapshot().expect("a view");
    assert!(now.newest(kind("Observation"), "s").expect("readable").is_none());
    // The record that had moved out stays; what it said before is gone.
    let history = now.history(kind("Observation"), "m").expect("readable");
    assert_eq!(history.iter().map(|one| one.version()).collect::<Vec<_>>(), [2]);
    assert_eq!(now.as_of(kind("Observation"), "m", Timestamp(2)).expect_err("gone").code(), Code::Erased);
    assert_eq!(found(&store, "Observation", "code=c-s"), Vec::<String>::new());
    assert_eq!(found(&store, "Observation", "patient=p"), ["k", "m"]);
    assert_eq!(found(&store, "Observation", "code=c-m"), ["m"]);
    let number = now.patient("p").expect("readable").expect("there");
    assert_eq!(now.checked_chart(number).expect("whole").len(), 3);
    // The compartment begins anew, and no block takes the place of one that is gone.
    put(&store, 5, &[labelled("t", "p", "Newword", "SUD")]);
    let now = store.snapshot().expect("a view");
    assert_eq!(now.history(kind("Observation"), "m").expect("readable").len(), 1);
    assert_eq!(now.as_of(kind("Observation"), "m", Timestamp(2)).expect_err("gone").code(), Code::Erased);
    assert_eq!(now.current(kind("Observation"), "t").expect("readable").expect("there").compartment() as u8, 1);
}

#[test]
fn with_new_keys_every_byte_is_as_it_was_and_the_old_keys_are_gone() {
    let file = FaultyFile::default();
    let store = two_patients(&file);
    put(&store, 50, &[labelled("s", "p", "Secretword", "SUD")]);
    let bytes = |store: &Store| {
        let now = store.snapshot().expect("a view");
        let mut all = Vec::new();
        for (kind_name, id) in [("Patient", "p"), ("Observation", "o"), ("Observation", "s"), ("Observation", "n")] {
            let history = now.history(kind(kind_name), id).expect("whole");
            all.extend(history.iter().map(|one| (one.version(), one.at(), one.bytes().to_vec())));
        }
        all
    };
    let view = store.snapshot().expect("a view");
    let old = [0, 1].map(|number| store.patient_key(&*view.view, (1, number), false).expect("its key"));
    let before = bytes(&store);
    let mut change = store.change(Timestamp(60), "office").expect("a change");
    let done = change.renew("p").expect("it is there");
    change.commit().expect("it commits");
    store.burn(Timestamp(60), || Ok(())).expect("it burns");
    assert_eq!(done.compartments, 2);
    assert!(done.blocks >= 10 && done.segments >= 2, "{done:?}");
    assert_eq!(bytes(&store), before);
    // A view from before reads on.
    assert_eq!(view.history(kind("Observation"), "o").expect("whole").len(), 8);
    drop(view);
    drop(store);
    let store = open(file.bytes());
    assert_eq!(bytes(&store), before);
    assert_eq!(found(&store, "Observation", "patient=p"), ["o", "s"]);
    let now = store.snapshot().expect("a view");
    for (number, old) in old.iter().enumerate() {
        let new = store.patient_key(&*now.view, (1, number as u8), false).expect("its key");
        assert_ne!(new.bytes(), old.bytes());
    }
    let number = now.patient("p").expect("readable").expect("there");
    now.checked_chart(number).expect("whole");
}

#[test]
fn a_block_that_does_not_open_is_shredded_all_the_same() {
    let file = FaultyFile::default();
    let store = two_patients(&file);
    let mut change = store.change(Timestamp(30), "x").expect("a change");
    let number = store.snapshot().expect("a view").patient("p").expect("readable").expect("there").0;
    change.table_put(Table::Block, pair((number, 2)).to_vec(), vec![0; 200]).expect("put");
    change.commit().expect("it commits");
    let done = shred(&store, "p", None).expect("it is there");
    assert_eq!(done.damaged, 1);
    let view = store.latest().expect("a view");
    let mut left = 0;
    view.range(Table::Token, &[], &[0xff; 13], &mut |key, _| {
        left += u32::from(key[8..] == number.to_be_bytes());
        true
    })
    .expect("readable");
    view.range(Table::Id, &[], &[0xff; 14], &mut |_, value| {
        left += u32::from(value[..4] == number.to_be_bytes());
        true
    })
    .expect("readable");
    assert_eq!(left, 0);
}

/// Wherever a shredding is cut off: the chart is whole, or it is gone; and once the store was opened again, nothing of what is gone can
/// be read.
#[test]
fn a_shredding_that_is_cut_off_is_finished_when_the_store_is_opened() {
    let file = FaultyFile::default();
    drop(two_patients(&file));
    let start = file.bytes();
    let (mut whole, mut gone) = (0, 0);
    for calls in 0.. {
        let file = FaultyFile::with(start.clone());
        let store = Store::open_on(Box::new(file.clone()), &RawKey::new([1; 32]), random(), 1 << 20, false);
        let store = store.expect("it opens");
        file.fail_after(calls);
        let done = shred(&store, "p", None);
        file.heal();
        let crashed = FaultyFile::with(file.bytes());
        std::mem::forget(store); // as a crash does: nothing is closed
        let store = open(crashed.bytes());
        let read = store.snapshot().expect("a view").current(kind("Patient"), "p").expect("readable");
        if read.is_some() {
            assert!(done.is_err());
            whole += 1;
        } else {
            assert_eq!(
                words(&store, &["Alphaword", "Gammaword3", "Betaword"]),
                [false, false, true],
                "after {calls} calls"
            );
            assert_eq!(store.keys.epochs(), 1);
            gone += 1;
        }
        store.snapshot().expect("a view").current(kind("Patient"), "q").expect("readable").expect("there");
        if done.is_ok() {
            break;
        }
    }
    assert!(whole > 3 && gone > 3, "{whole} whole, {gone} gone");
}

/// What SECURITY.md says of backups: one that was made before has the old keys, and is dead when no source opens it any more.
#[test]
fn a_copy_from_before_reads_with_the_key_of_then_and_with_no_other() {
    let file = FaultyFile::default();
    let store = two_patients(&file);
    let copy = file.bytes();
    shred(&store, "p", None).expect("it is there");
    let old = open(copy.clone());
    assert_eq!(words(&old, &["Alphaword"]), [true], "the copy has the key of that time");
    // The root is given to another source and the old one destroyed: then nobody opens the copy.
    let new = RawKey::new([2; 32]);
    let made = |header: &[u8]| KeyRing::with_new_root(header, &RawKey::new([1; 32]), &[&new], store.random());
    store.change_header(Timestamp(100), made, || Ok(())).expect("the key opens it");
    let refused = Store::open_on(Box::new(FaultyFile::with(copy)), &new, random(), 1 << 20, false);
    assert_eq!(refused.map(|_| ()).expect_err("another root").code(), Code::WrongKey);
    put(&store, 101, &[observation("z", "Patient/q", "1-8", "2020-01-01")]);
    assert_eq!(found(&store, "Observation", "code=1-8"), ["z"]);
}
