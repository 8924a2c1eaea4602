//! What holds of the store whatever is done to it: against models, against failing storage, between threads.

use super::testing::FaultyFile;
use super::tests::{found, kind, observation, patient, put};
use super::*;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::record::Record;
use crate::search::Query;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Barrier;

/// A number that follows from the one before (Knuth, MMIX): tests are the same every time.
struct Numbers(u64);
impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn on(file: &FaultyFile, new: bool) -> Result<Store> {
    let (source, random) = (RawKey::new([1; 32]), Arc::new(SystemRandom::default()));
    let disk = Box::new(file.clone());
    if new {
        Store::create_on(disk, &source, random, 1 << 20)
    } else {
        Store::open_on(disk, &source, random, 1 << 20, false)
    }
}

fn charts(first: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for p in first..first + 3 {
        records.push(patient(&format!("p{p}"), "Doe", "1970-01-01"));
        records.extend((0..8).map(|n| observation(&format!("o{p}-{n}"), &format!("Patient/p{p}"), "1-8", "2020")));
    }
    records
}

#[test]
fn a_change_set_is_whole_or_absent_whichever_call_fails_and_whatever_power_loss_leaves() {
    let file = FaultyFile::default();
    let store = on(&file, true).expect("a store in memory");
    put(&store, 1, &charts(0));
    drop(store);
    let image = file.bytes();
    let mut numbers = Numbers(7);
    let (mut failed, mut refused, mut survived) = (0, 0, 0);
    for calls in 0.. {
        let file = FaultyFile::with(image.clone());
        let store = on(&file, false).expect("it opens");
        file.fail_after(calls);
        let mut change = store.change(Timestamp(2), "x").expect("a change");
        for record in charts(2) {
            change.put(&record, &PutMeta::DIRECT).expect("nothing is written before the commit");
        }
        change.put(&patient("p0", "Changed", "1970-01-01"), &PutMeta::DIRECT).expect("as above");
        let committed = change.commit();
        if let Err(error) = &committed {
            assert!(matches!(error.code(), Code::StoreIo | Code::Poisoned), "{error}");
            failed += 1;
            // A handle that could not write writes no more; what it wrote is known when the store is opened again. Only where
            // room was refused before anything was begun does it go on, with what was there.
            match store.change(Timestamp(3), "x").map(drop) {
                Err(error) => assert_eq!(error.code(), Code::Poisoned),
                Ok(()) => {
                    refused += 1;
                    assert!(found(&store, "Patient", "family=changed").is_empty(), "after {calls} calls");
                }
            }
        }
        for _ in 0..16 {
            let after = FaultyFile::with(file.after_power_loss(|| numbers.next(2) == 0));
            let store = on(&after, false).expect("it opens after a loss of power");
            let changed = found(&store, "Patient", "family=changed").len();
            assert_eq!(found(&store, "Patient", "").len(), 3 + 2 * changed, "after {calls} calls");
            assert_eq!(found(&store, "Observation", "code=1-8").len(), 24 + 16 * changed, "after {calls} calls");
            assert!(committed.is_err() || changed == 1, "an acknowledged commit was lost");
            survived += changed;
        }
        if committed.is_ok() {
            break;
        }
    }
    assert!(failed > 4 && refused < failed / 2 && survived >= 16, "{failed} {refused} {survived}");
}

#[test]
fn change_sets_of_many_threads_are_all_kept_in_few_writes() {
    const THREADS: usize = 8;
    const EACH: usize = 20;
    let file = FaultyFile::default();
    let store = on(&file, true).expect("a store in memory");
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..EACH {
                    let mut change = store.change(Timestamp(1), "x").expect("a change");
                    let record = observation(&format!("o{thread}-{n}"), &format!("Patient/p{}", n % 3), "1-8", "2020");
                    change.put(&record, &PutMeta::DIRECT).expect("put");
                    if n % 5 == 4 {
                        drop(change); // given up: those before it in the queue must not wait for ever
                        continue;
                    }
                    change.commit().expect("it commits");
                    let id = record.id().expect("an id");
                    let snapshot = store.snapshot().expect("a view");
                    assert!(
                        snapshot.current(kind("Observation"), id).expect("readable").is_some(),
                        "its own write is seen"
                    );
                }
            });
        }
    });
    assert_eq!(found(&store, "Observation", "").len(), THREADS * EACH / 5 * 4);
    let numbers: std::collections::BTreeSet<u64> = {
        let snapshot = store.snapshot().expect("a view");
        let query = Query::parse(kind("Observation"), "").expect("a query");
        let page = snapshot.search(&query, None, 1000, &()).expect("it searches");
        page.records.iter().map(Stored::commit).collect()
    };
    assert_eq!(numbers.len(), THREADS * EACH / 5 * 4, "each change set has its own number");
}

#[test]
fn a_failed_common_write_fails_for_everyone_in_it() {
    let file = FaultyFile::default();
    let store = on(&file, true).expect("a store in memory");
    file.fail_after(0);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                let Ok(mut change) = store.change(Timestamp(1), "x") else { return };
                change.put(&patient(&format!("p{thread}"), "Doe", "1970"), &PutMeta::DIRECT).expect("put");
                assert!(change.commit().is_err());
            });
        }
    });
}

/// What lay in memory was given out still, by a handle that could not note any more who had asked for it.
#[test]
fn after_a_panic_beneath_a_handle_gives_out_nothing_that_lies_in_memory_either() {
    let file = FaultyFile::default();
    let store = on(&file, true).expect("a store in memory");
    put(&store, 1, &charts(0));
    drop(store);
    let image = file.bytes();
    let mut closed = 0;
    for reads in 0..12 {
        let file = FaultyFile::with(image.clone());
        let store = on(&file, false).expect("it opens");
        let read = |id: &str| store.snapshot().and_then(|snapshot| snapshot.current(kind("Patient"), id));
        assert!(read("p0").expect("it reads").is_some());
        file.panic_after_reads(reads);
        let written = store.change(Timestamp(2), "x").and_then(|mut change| {
            change.put(&patient("new", "Doe", "1970"), &PutMeta::DIRECT)?;
            change.commit()
        });
        let failed = written.is_err();
        file.heal();
        match read("p0") {
            Err(error) => assert!(failed && error.code() == Code::Poisoned),
            Ok(found) => assert!(!failed && found.is_some(), "after {reads} reads"),
        }
        closed += u32::from(failed);
    }
    assert!(closed > 0);
}

/// When each version of a record was written, and its bytes; None where it was deleted.
type Versions = Vec<(i64, Option<Vec<u8>>)>;

/// R02: whatever was amended or deleted, the state at any instant is what it was then.
#[test]
fn a_thousand_amendments_of_a_hundred_records_read_as_they_were_at_every_instant() {
    let store = on(&FaultyFile::default(), true).expect("a store in memory");
    let mut numbers = Numbers(42);
    let mut model: BTreeMap<usize, Versions> = BTreeMap::new();
    for at in 1..=1000 {
        let which = numbers.next(100) as usize;
        let id = format!("r{which}");
        let versions = model.entry(which).or_default();
        let current = versions.last().and_then(|(_, bytes)| bytes.clone());
        let mut change = store.change(Timestamp(at), "x").expect("a change");
        if current.is_some() && numbers.next(8) == 0 {
            assert_eq!(
                change.delete(kind("Observation"), &id, None).expect("it is there") as usize,
                versions.len() + 1
            );
            versions.push((at, None));
        } else {
            // Now and then the record moves to another patient.
            let record =
                observation(&id, &format!("Patient/p{}", numbers.next(4)), &format!("c{}", numbers.next(50)), "2020");
            let outcome = change.put(&record, &PutMeta::DIRECT).expect("put");
            if current.as_deref() == Some(record.original()) {
                assert_eq!(outcome, Outcome::Unchanged(versions.len() as u32));
            } else {
                versions.push((at, Some(record.original().to_vec())));
                assert_eq!(outcome.version() as usize, versions.len());
            }
        }
        change.commit().expect("it commits");
    }
    let snapshot = store.snapshot().expect("a view");
    for (which, versions) in &model {
        let id = format!("r{which}");
        for at in 0..=1001 {
            let stored = snapshot.as_of(kind("Observation"), &id, Timestamp(at)).expect("readable");
            let expected = versions.iter().rev().find(|(when, _)| *when <= at);
            assert_eq!(stored.is_some(), expected.is_some());
            if let (Some(stored), Some((_, bytes))) = (stored, expected) {
                assert_eq!((!stored.is_deleted()).then(|| stored.bytes()), bytes.as_deref());
            }
        }
        assert_eq!(snapshot.history(kind("Observation"), &id).expect("readable").len(), versions.len());
    }
    let alive = model.values().filter(|versions| versions.last().is_some_and(|(_, bytes)| bytes.is_some())).count();
    assert_eq!(found(&store, "Observation", "").len(), alive);
    let charts: usize =
        snapshot.patients().expect("readable").into_iter().map(|p| snapshot.chart(p).expect("readable").len()).sum();
    assert_eq!(charts, alive);
}

fn any_record() -> impl Strategy<Value = Record> {
    let names = prop::sample::select(vec!["Åkesson", "Akerman", "Li", "Lindholm", "Lindström", "von Lind"]);
    let dates = prop::sample::select(vec!["1970", "1970-05", "1970-05-01", "1980-12-31", "2020-02-29"]);
    let codes = prop::sample::select(vec!["1-8", "4548-4", "8302-2"]);
    let subjects = prop::sample::select(vec![
        "Patient/r1",
        "Patient/r2",
        "urn:uuid:r3",
        "Group/r1",
        "http://x.example/Patient/r1",
    ]);
    let id = (0..12_usize).prop_map(|n| format!("r{n}"));
    (any::<bool>(), id, names, dates, codes, subjects, -3..4_i32, any::<bool>()).prop_map(|(person, id, name, date, code, subject, value, system)| {
        let json = if person {
            format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{name}"}}],"birthDate":"{date}","identifier":[{{"system":"s{system}","value":"{code}"}}]}}"#)
        } else {
            let system = if system { r#""system":"l","# } else { "" };
            let gap = if value == 0 { String::new() } else { format!(r#","valueQuantity":{{"value":{value}.5,"code":"kg"}}"#) };
            format!(r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{{system}"code":"{code}"}}]}},"subject":{{"reference":"{subject}"}},"effectiveDateTime":"{date}"{gap}}}"#)
        };
        Record::parse(json.as_bytes()).expect("a resource")
    })
}

const QUERIES: [(&str, &[&str]); 2] = [
    (
        "Patient",
        &[
            "",
            "name=l",
            "name=lin",
            "name=lindst",
            "family=åk",
            "family:exact=Li",
            "name:contains=ers",
            "birthdate=1970",
            "birthdate=1970-05-01",
            "birthdate=ge1975",
            "birthdate=lt1970-05",
            "birthdate=ne1970",
            "birthdate=sa1970,eb1971",
            "identifier=1-8",
            "identifier=strue|1-8",
            "identifier=strue|",
            "identifier=|1-8",
            "gender:missing=true",
            "name:missing=true",
            "identifier:not=1-8",
            "_id=r1,r2,r9",
            "name=lin&birthdate=ge1971",
            "family=von",
            "_lastUpdated=gt1970-01-01",
        ],
    ),
    (
        "Observation",
        &[
            "",
            "code=1-8",
            "code=l|1-8",
            "code=|1-8",
            "code=l|",
            "code:not=1-8",
            "patient=r1",
            "patient=Patient/r2",
            "subject=Patient/r3",
            "subject=r1",
            "subject:Group=r1",
            "subject=urn:uuid:r3",
            "subject=http://x.example/Patient/r1",
            "date=1970",
            "date=ap1980-12",
            "value-quantity=1.5",
            "value-quantity=lt0",
            "value-quantity=ge2.5||kg",
            "value-quantity=ne1.5",
            "value-quantity:missing=true",
            "status=final&code=8302-2,4548-4",
            "patient=r1&date=le1980",
            "encounter=x",
        ],
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_search_finds_what_looking_at_every_record_finds(sets in prop::collection::vec(prop::collection::vec(any_record(), 1..12), 1..8)) {
        let store = on(&FaultyFile::default(), true).expect("a store in memory");
        let mut all: BTreeMap<(&str, String), Record> = BTreeMap::new();
        for (at, set) in sets.iter().enumerate() {
            put(&store, at as i64, set);
            all.extend(set.iter().map(|record| ((record.kind().name(), record.id().expect("an id").to_owned()), record.clone())));
        }
        let snapshot = store.snapshot().expect("a view");
        for (name, texts) in QUERIES {
            for text in texts {
                let query = Query::parse(kind(name), text).expect("a query");
                let resolve = |address: &str| snapshot.resolve(address).expect("readable");
                let mut expected: Vec<&str> = all.values().filter_map(|record| {
                    let stored = snapshot.current(record.kind(), record.id()?).expect("readable")?;
                    query.matches(record, stored.at(), &resolve).then(|| record.id()).flatten()
                }).collect();
                let mut given = found(&store, name, text);
                given.sort();
                expected.sort_unstable();
                prop_assert_eq!(given, expected, "{}?{}", name, text);
            }
        }
    }
}

#[test]
fn pages_are_stable_while_others_write() {
    let store = on(&FaultyFile::default(), true).expect("a store in memory");
    for p in 0..4 {
        let records: Vec<Record> =
            (0..25).map(|n| observation(&format!("o{p}-{n:02}"), &format!("Patient/p{p}"), "1-8", "2020")).collect();
        put(&store, p, &records);
    }
    for text in ["code=1-8", "code=1-8&_sort=_id", "code=1-8&_sort=-date"] {
        let query = Query::parse(kind("Observation"), text).expect("a query");
        let (mut all, mut from, mut round) = (Vec::new(), None, 0);
        loop {
            let page = store.snapshot().expect("a view").search(&query, from, 7, &()).expect("it searches");
            all.extend(page.records.iter().map(|stored| stored.id().to_owned()));
            let Some(next) = page.next else { break };
            from = Some(Cursor::from_text(&next.to_text()).expect("a cursor"));
            // Between the pages one that was shown changes, one that was not shown changes, and one is new.
            let again = observation(&all[0], "Patient/p0", "1-8", &format!("20{:02}", round + 21));
            let later = observation("o3-24", "Patient/p3", "1-8", &format!("20{:02}", round + 21));
            put(
                &store,
                100 + round,
                &[again, later, observation(&format!("new{round}{}", text.len()), "Patient/p0", "other", "2020")],
            );
            round += 1;
        }
        let count = all.len();
        all.sort();
        all.dedup();
        if text.contains("-date") {
            // The order itself changed between the pages: nothing comes that was not there, at most what moved comes again.
            assert!(all.len() >= 98, "{}", all.len());
        } else {
            assert_eq!((count, all.len()), (100, 100), "{text}");
        }
    }
}

#[test]
fn results_come_in_the_order_asked_for() {
    let store = on(&FaultyFile::default(), true).expect("a store in memory");
    put(
        &store,
        5,
        &[patient("a", "Zorn", "1980"), patient("b", "ärlig", "1970-02"), patient("c", "Berg", "1970-01-15")],
    );
    let nameless = Record::parse(br#"{"resourceType":"Patient","id":"d"}"#).expect("a resource");
    put(&store, 6, &[nameless]);
    for (text, expected) in [
        ("_sort=family", ["b", "c", "a", "d"]),
        ("_sort=-family", ["a", "c", "b", "d"]),
        ("_sort=birthdate", ["c", "b", "a", "d"]),
        ("_sort=-_lastUpdated,_id", ["d", "a", "b", "c"]),
        ("", ["a", "b", "c", "d"]),
    ] {
        assert_eq!(found(&store, "Patient", text), expected, "{text}");
    }
}

#[test]
fn the_time_of_a_commit_never_goes_back() {
    let store = on(&FaultyFile::default(), true).expect("a store in memory");
    put(&store, 100, &[patient("p", "Doe", "1970")]);
    put(&store, 50, &[patient("p", "Roe", "1970")]);
    let snapshot = store.snapshot().expect("a view");
    let at: Vec<i64> =
        snapshot.history(kind("Patient"), "p").expect("readable").iter().map(|stored| stored.at().0).collect();
    assert_eq!(at, [100, 100]);
}

#[test]
fn a_row_pointed_at_another_record_is_found_out() {
    let file = FaultyFile::default();
    let store = on(&file, true).expect("a store in memory");
    put(&store, 1, &[patient("p", "Doe", "1970"), patient("q", "Roe", "1980")]);
    let view = store.backend.read().expect("a view");
    let (p, q) = (store.id_key(kind("Patient"), "p"), store.id_key(kind("Patient"), "q"));
    let mut batch = Batch::default();
    batch.put(Table::Id, p.to_vec(), view.get(Table::Id, &q).expect("io").expect("there"));
    store.backend.commit(&batch).expect("io");
    drop(view);
    drop(store);
    let store = on(&file, false).expect("it opens");
    let snapshot = store.snapshot().expect("a view");
    assert_eq!(snapshot.current(kind("Patient"), "p").map(|_| ()).unwrap_err().code(), Code::Corrupt);
    assert!(snapshot.current(kind("Patient"), "q").expect("readable").is_some());
}

#[test]
fn an_id_row_set_back_to_an_earlier_version_is_found_by_checking() {
    let file = FaultyFile::default();
    let store = on(&file, true).expect("a store in memory");
    put(&store, 1, &[patient("p", "Doe", "1970")]);
    let key = store.id_key(kind("Patient"), "p");
    let earlier = store.backend.read().expect("a view").get(Table::Id, &key).expect("io").expect("there");
    put(&store, 2, &[patient("p", "Roe", "1970")]);
    let checked = |store: &Store| {
        let snapshot = store.snapshot().expect("a view");
        let number = snapshot.patient("p").expect("readable").expect("there");
        snapshot.checked_chart(number).map(|chart| chart.len()).map_err(|error| error.code())
    };
    assert_eq!(checked(&store), Ok(1));
    let mut batch = Batch::default();
    batch.put(Table::Id, key.to_vec(), earlier);
    store.backend.commit(&batch).expect("io");
    drop(store);
    assert_eq!(checked(&on(&file, false).expect("it opens")), Err(Code::Corrupt));
}

#[test]
fn every_sealed_value_opens_in_its_own_row_only() {
    let file = FaultyFile::default();
    let store = on(&file, true).expect("a store in memory");
    for at in 0..3 {
        put(&store, at, &charts(at as usize));
    }
    let view = store.backend.read().expect("a view");
    let rows = |table: Table| {
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        view.range(table, &[], &[0xff; 20], &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        })
        .expect("io");
        rows
    };
    for (table, row) in [(Table::Block, RowKind::Block), (Table::Index, RowKind::Index)] {
        let rows = rows(table);
        assert!(rows.len() > 4);
        for (key, _) in &rows {
            let number = |at: usize| u32::from_be_bytes(key[at..at + 4].try_into().expect("four bytes"));
            let context = store.chart_context(row, (number(0), number(4)));
            let patient_key =
                store.patient_key(&*view, (number(0), layout::compartment(number(4))), true).expect("its key");
            for (other, value) in &rows {
                let opened = store.with_packer(|packer| packer.unpack(&patient_key, &context, value));
                assert_eq!(opened.is_ok(), key == other);
            }
        }
    }
}
