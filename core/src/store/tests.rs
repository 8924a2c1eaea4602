use super::*;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::record::{Compartment, Record};
use crate::search::Query;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::path::Path;

pub(super) fn kind(name: &str) -> ResourceType {
    ResourceType::from_name(name).expect("part of R4")
}

pub(super) fn create(path: &Path) -> Store {
    Store::create(path, &RawKey::new([1; 32]), Arc::new(SystemRandom::default()), 1 << 20).expect("a new store")
}

fn open(path: &Path) -> Result<Store> {
    Store::open(path, &RawKey::new([1; 32]), Arc::new(SystemRandom::default()), 1 << 20, false)
}

pub(super) fn patient(id: &str, family: &str, born: &str) -> Record {
    let json = format!(
        r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}","given":["Jo"]}}],"birthDate":"{born}","identifier":[{{"system":"urn:mrn","value":"M-{id}"}}]}}"#
    );
    Record::parse(json.as_bytes()).expect("a resource")
}

pub(super) fn observation(id: &str, patient: &str, code: &str, date: &str) -> Record {
    let json = format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},"subject":{{"reference":"{patient}"}},"effectiveDateTime":"{date}"}}"#
    );
    Record::parse(json.as_bytes()).expect("a resource")
}

pub(super) fn put(store: &Store, at: i64, records: &[Record]) -> Vec<Outcome> {
    let mut change = store.change(Timestamp(at), "tester").expect("a change");
    let outcomes = records.iter().map(|record| change.put(record, &PutMeta::DIRECT).expect("it is put")).collect();
    change.commit().expect("it commits");
    outcomes
}

pub(super) fn found(store: &Store, kind_name: &str, query: &str) -> Vec<String> {
    let snapshot = store.snapshot().expect("a view");
    let query = Query::parse(kind(kind_name), query).expect("a query");
    let page = snapshot.search(&query, None, 1000, &()).expect("it searches");
    page.records.iter().map(|stored| stored.id().to_owned()).collect()
}

#[test]
fn what_is_put_comes_back_byte_for_byte_also_after_opening_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ehr");
    let records: Vec<Record> =
        (0..100).map(|n| observation(&format!("o{n}"), "Patient/p", "1-8", "2020-01-01")).collect();
    {
        let store = create(&path);
        put(&store, 1, &[patient("p", "Doe", "1970-01-01")]);
        assert_eq!(put(&store, 2, &records), vec![Outcome::Created; 100]);
        assert_eq!(put(&store, 3, &records), vec![Outcome::Unchanged(1); 100]);
        assert_eq!(open(&path).map(|_| ()).unwrap_err().code(), Code::Locked);
    }
    let store = open(&path).expect("it opens");
    let snapshot = store.snapshot().expect("a view");
    for record in &records {
        let stored =
            snapshot.current(kind("Observation"), record.id().expect("an id")).expect("readable").expect("there");
        assert_eq!(stored.bytes(), record.original());
        assert_eq!((stored.version(), stored.at(), stored.actor()), (1, Timestamp(2), "tester"));
    }
    let number = snapshot.patient("p").expect("readable").expect("there");
    assert_eq!(snapshot.chart(number).expect("readable").len(), 101);
}

#[test]
fn nothing_of_a_dropped_change_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    put(&store, 1, &[patient("p", "Doe", "1970-01-01")]);
    {
        let mut change = store.change(Timestamp(2), "x").expect("a change");
        change.put(&patient("q", "Roe", "1980-01-01"), &PutMeta::DIRECT).expect("put");
        change.put(&patient("p", "Changed", "1970-01-01"), &PutMeta::DIRECT).expect("put");
    }
    put(&store, 3, &[patient("r", "Poe", "1990-01-01")]);
    assert_eq!(found(&store, "Patient", "name=roe"), Vec::<String>::new());
    assert_eq!(found(&store, "Patient", "name=doe"), ["p"]);
    assert_eq!(found(&store, "Patient", ""), ["p", "r"]);
}

#[test]
fn search_finds_by_each_kind_of_parameter() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    put(&store, 1, &[patient("p", "Müller", "1970-05-01"), patient("q", "Smith", "1980")]);
    put(
        &store,
        2,
        &[observation("o1", "Patient/p", "1-8", "2020-01-01"), observation("o2", "Patient/q", "1-8", "2021-06-01")],
    );
    put(&store, 3, &[observation("o3", "Patient/p", "4548-4", "2021-01-01")]);
    for (kind, query, expected) in [
        ("Patient", "name=mull", &["p"][..]),
        ("Patient", "family:exact=Müller", &["p"]),
        ("Patient", "family:exact=MULLER", &[]), // R4: case and accents count in `:exact`
        ("Patient", "family:contains=ith", &["q"]),
        ("Patient", "name=s", &["q"]),
        ("Patient", "identifier=urn:mrn|M-q", &["q"]),
        ("Patient", "identifier=M-p", &["p"]),
        ("Patient", "birthdate=1970", &["p"]),
        ("Patient", "birthdate=1970-05-01", &["p"]),
        ("Patient", "birthdate=ge1980", &["q"]),
        ("Patient", "_id=p,q", &["p", "q"]),
        ("Patient", "name=smith&birthdate=1970", &[]),
        ("Observation", "code=1-8", &["o1", "o2"]),
        ("Observation", "code=http://loinc.org|4548-4", &["o3"]),
        ("Observation", "code=http://other|4548-4", &[]),
        ("Observation", "patient=p", &["o1", "o3"]),
        ("Observation", "subject=Patient/q", &["o2"]),
        ("Observation", "patient=p&date=ge2021", &["o3"]),
        ("Observation", "status=final&date=2021", &["o3", "o2"]),
        ("Observation", "status=amended", &[]),
    ] {
        assert_eq!(found(&store, kind, query), expected, "{kind}?{query}");
    }
}

#[test]
fn pages_follow_each_other_without_gap_or_repeat() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    for p in 0..5 {
        let records: Vec<Record> =
            (0..17).map(|n| observation(&format!("o{p}-{n}"), &format!("Patient/p{p}"), "1-8", "2020")).collect();
        put(&store, p, &records);
    }
    let snapshot = store.snapshot().expect("a view");
    let query = Query::parse(kind("Observation"), "code=1-8").expect("a query");
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let page = snapshot.search(&query, from, 10, &()).expect("it searches");
        all.extend(page.records.iter().map(|stored| stored.id().to_owned()));
        let Some(next) = page.next else { break };
        from = Some(Cursor::from_text(&next.to_text()).expect("a cursor"));
    }
    assert_eq!(all.len(), 85);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 85);
    let only_second = snapshot.search(&query, None, 100, &Only(2)).expect("it searches");
    assert_eq!(only_second.records.len(), 17);
}

#[test]
fn a_deleted_record_is_gone_from_searches_and_stays_in_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    put(&store, 1, &[patient("p", "Doe", "1970")]);
    let mut change = store.change(Timestamp(2), "x").expect("a change");
    assert_eq!(change.delete(kind("Patient"), "p", None).expect("it deletes"), 2);
    change.commit().expect("it commits");
    assert_eq!(found(&store, "Patient", "name=doe"), Vec::<String>::new());
    let snapshot = store.snapshot().expect("a view");
    assert!(snapshot.current(kind("Patient"), "p").expect("readable").is_none());
    let versions: Vec<bool> =
        snapshot.history(kind("Patient"), "p").expect("readable").iter().map(Stored::is_deleted).collect();
    assert_eq!(versions, [true, false]);
    let mut change = store.change(Timestamp(3), "x").expect("a change");
    assert_eq!(change.delete(kind("Patient"), "p", None).map(|_| ()).unwrap_err().code(), Code::NotFound);
}

#[test]
fn a_retracted_record_is_found_nowhere_comes_back_only_when_restored_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    let doe = patient("p", "Doe", "1970");
    put(&store, 1, &[doe.clone(), observation("o", "Patient/p", "1-8", "2020")]);
    let note = |kind| Note {
        kind,
        reason: "wrong patient".to_owned(),
        on_behalf: Some("dr-house".to_owned()),
        authored: Some(Timestamp(-5)),
    };
    let mut change = store.change(Timestamp(2), "x").expect("a change");
    assert_eq!(change.retract(kind("Patient"), "p", &note(ChangeKind::Retract)).expect("it retracts"), 2);
    assert_eq!(change.current_version(kind("Patient"), "p").expect("readable"), None);
    change.commit().expect("it commits");
    let open_again = || open(&folder.path().join("a.ehr")).expect("it opens");
    drop(store);
    let store = open_again();
    for query in ["name=doe", "_id=p", ""] {
        assert_eq!(found(&store, "Patient", query), Vec::<String>::new(), "{query}");
    }
    let snapshot = store.snapshot().expect("a view");
    assert!(snapshot.current(kind("Patient"), "p").expect("readable").is_none());
    let chart = snapshot.chart(PatientNumber(1)).expect("readable");
    assert_eq!(chart.iter().map(Stored::id).collect::<Vec<_>>(), ["o"]);
    let newest = snapshot.newest(kind("Patient"), "p").expect("readable").expect("kept");
    assert!(newest.is_retracted() && !newest.is_deleted() && newest.bytes() == doe.original());
    assert_eq!(newest.note(), Some(&note(ChangeKind::Retract)));
    assert!(!format!("{:?}", newest.note()).contains("wrong"));

    // Neither the same bytes nor others bring it back, and it is not there to be deleted or retracted again.
    let mut change = store.change(Timestamp(3), "x").expect("a change");
    for record in [&doe, &patient("p", "Roe", "1970")] {
        let refused = change.put(record, &PutMeta::DIRECT).map(|_| ()).unwrap_err();
        assert_eq!(refused.code(), Code::Retracted);
    }
    let code = |result: Result<u32>| result.expect_err("refused").code();
    assert_eq!(code(change.retract(kind("Patient"), "p", &note(ChangeKind::Retract))), Code::NotFound);
    assert_eq!(code(change.delete(kind("Patient"), "p", None)), Code::NotFound);
    let restored = change.restore(kind("Patient"), "p", &note(ChangeKind::Restore)).expect("it is retracted");
    assert_eq!(restored, Outcome::Updated(3));
    let again = change.restore(kind("Patient"), "p", &note(ChangeKind::Restore)).map(Outcome::version);
    assert_eq!(code(again), Code::NotFound);
    change.commit().expect("it commits");
    assert_eq!(found(&store, "Patient", "name=doe"), ["p"]);
    let snapshot = store.snapshot().expect("a view");
    let history = snapshot.history(kind("Patient"), "p").expect("readable");
    let kinds: Vec<_> = history.iter().map(|stored| stored.note().map(|note| note.kind)).collect();
    assert_eq!(kinds, [Some(ChangeKind::Restore), Some(ChangeKind::Retract), None]);
    assert!(history.iter().all(|stored| stored.bytes() == doe.original()));
}

#[test]
fn a_sealed_value_moved_to_another_row_does_not_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ehr");
    let store = create(&path);
    let reopened = |store: Store| {
        drop(store); // and with it what it keeps in memory
        open(&path).expect("it opens")
    };
    put(&store, 1, &[patient("p", "Doe", "1970"), patient("q", "Roe", "1980")]);
    let view = store.backend.read().expect("a view");
    let (a, b) = (pair((1, 0)), pair((2, 0)));
    let (first, second) = (view.get(Table::Block, &a).expect("io"), view.get(Table::Block, &b).expect("io"));
    let mut batch = Batch::default();
    batch.put(Table::Block, a.to_vec(), second.expect("there"));
    batch.put(Table::Block, b.to_vec(), first.expect("there"));
    store.backend.commit(&batch).expect("io");
    drop(view);
    let store = reopened(store);
    let snapshot = store.snapshot().expect("a view");
    for id in ["p", "q"] {
        assert_eq!(snapshot.current(kind("Patient"), id).map(|_| ()).unwrap_err().code(), Code::WrongKey);
    }
}

#[test]
fn no_marker_is_readable_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ehr");
    let store = create(&path);
    put(&store, 1, &[patient("MARKERID", "MARKERNAME", "1970-05-01")]);
    put(&store, 2, &[observation("MARKEROBS", "Patient/MARKERID", "MARKERCODE", "2020")]);
    drop(store);
    let bytes = std::fs::read(&path).expect("the file");
    for marker in [&b"MARKER"[..], b"markername", b"urn:mrn", b"1970-05-01", b"loinc"] {
        assert!(memchr::memmem::find(&bytes, marker).is_none());
    }
}

#[test]
fn index_segments_are_merged_and_still_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    for n in 0..40 {
        put(&store, n, &[observation(&format!("o{}", n % 10), "Patient/p", &format!("c{n}"), "2020")]);
    }
    assert_eq!(found(&store, "Observation", "patient=p").len(), 10);
    assert_eq!(found(&store, "Observation", "code=c35"), ["o5"]);
    assert_eq!(found(&store, "Observation", "code=c25"), Vec::<String>::new());
    let mut segments = 0;
    let view = store.backend.read().expect("a view");
    view.range(Table::Index, &[], &[0xff; 9], &mut |_, _| {
        segments += 1;
        true
    })
    .expect("io");
    assert!(segments <= 9, "{segments}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn as_of_and_history_equal_a_model(steps in prop::collection::vec((0_usize..6, 0_u8..4, any::<bool>()), 1..60)) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = create(&folder.path().join("a.ehr"));
        let mut model: Vec<Vec<(i64, Option<Vec<u8>>)>> = vec![Vec::new(); 6];
        for (step, (which, value, delete)) in steps.iter().enumerate() {
            let at = step as i64 * 10 + 10;
            let id = format!("r{which}");
            let record = observation(&id, "Patient/p", &format!("v{value}"), "2020");
            let current = model[*which].last().and_then(|(_, bytes)| bytes.clone());
            let mut change = store.change(Timestamp(at), "x").expect("a change");
            if *delete {
                if change.delete(kind("Observation"), &id, None).is_ok() {
                    prop_assert!(current.is_some());
                    model[*which].push((at, None));
                }
            } else {
                let outcome = change.put(&record, &PutMeta::DIRECT).expect("put");
                let same = current.as_deref() == Some(record.original());
                prop_assert_eq!(matches!(outcome, Outcome::Unchanged(_)), same);
                if !same {
                    model[*which].push((at, Some(record.original().to_vec())));
                }
            }
            change.commit().expect("it commits");
        }
        let snapshot = store.snapshot().expect("a view");
        for (which, versions) in model.iter().enumerate() {
            let id = format!("r{which}");
            for at in 0..steps.len() as i64 * 10 + 20 {
                let stored = snapshot.as_of(kind("Observation"), &id, Timestamp(at)).expect("readable");
                let expected = versions.iter().rev().find(|(when, _)| *when <= at);
                prop_assert_eq!(stored.as_ref().map(|s| (!s.is_deleted()).then(|| s.bytes().to_vec())), expected.map(|(_, bytes)| bytes.clone()));
            }
            let history = snapshot.history(kind("Observation"), &id).expect("readable");
            prop_assert_eq!(history.len(), versions.len());
            for (stored, number) in history.iter().zip((1..=versions.len() as u32).rev()) {
                prop_assert_eq!(stored.version(), number);
            }
        }
    }
}

#[test]
fn a_labelled_record_lies_in_a_compartment_of_its_own_and_moves_with_its_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    let labelled = |id: &str, security: &str, status: &str| {
        let json = format!(
            r#"{{"resourceType":"Observation","id":"{id}","meta":{{"security":[{security}]}},"status":"{status}","code":{{"coding":[{{"code":"c-{id}"}}]}},"subject":{{"reference":"Patient/p"}}}}"#
        );
        Record::parse(json.as_bytes()).expect("a resource")
    };
    let (sud, note) = (r#"{"code":"SUD"}"#, r#"{"code":"PSYTHPN"}"#);
    put(&store, 1, &[patient("p", "Doe", "1970-01-01"), labelled("a", sud, "final"), labelled("b", note, "final")]);
    put(&store, 2, &[labelled("c", "", "final")]);
    let compartment = |id: &str| {
        let snapshot = store.snapshot().expect("a view");
        snapshot.current(kind("Observation"), id).expect("readable").expect("there").compartment()
    };
    assert_eq!(["a", "b", "c"].map(compartment), [1, 2, 0].map(|n| Compartment::from_number(n).expect("one of three")));
    assert_eq!(found(&store, "Observation", "patient=p"), ["c", "a", "b"]);
    // Labels come and go: the record moves, and what it said before is still read.
    put(&store, 3, &[labelled("a", "", "amended")]);
    put(&store, 4, &[labelled("a", note, "corrected")]);
    assert_eq!(compartment("a"), Compartment::PsychotherapyNotes);
    let snapshot = store.snapshot().expect("a view");
    let history = snapshot.history(kind("Observation"), "a").expect("readable");
    let steps: Vec<(u32, u8)> = history.iter().map(|one| (one.version(), one.compartment() as u8)).collect();
    assert_eq!(steps, [(3, 2), (2, 0), (1, 1)]);
    assert_eq!(found(&store, "Observation", "code=c-a"), ["a"]);
    assert_eq!(found(&store, "Observation", "status=final"), ["c", "b"]);
    // Each compartment has its own key, and a row of one does not open in another.
    let view = &*snapshot.view;
    let keys = [0, 1, 2].map(|number| store.patient_key(view, (1, number), false).expect("its key"));
    assert!(keys[0].bytes() != keys[1].bytes() && keys[1].bytes() != keys[2].bytes());
    for number in snapshot.patients().expect("readable") {
        snapshot.checked_chart(number).expect("whole");
    }
}

#[test]
fn many_small_changes_of_compartments_merge_within_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = create(&folder.path().join("a.ehr"));
    for n in 0..40 {
        let code = ["HIV", "SUD", "PSYTHPN"][n % 3];
        let json = format!(
            r#"{{"resourceType":"Observation","id":"o{n}","meta":{{"security":[{{"code":"{code}"}}]}},"status":"final","code":{{"coding":[{{"code":"k"}}]}},"subject":{{"reference":"Patient/p"}}}}"#
        );
        put(&store, n as i64, &[Record::parse(json.as_bytes()).expect("a resource")]);
    }
    assert_eq!(found(&store, "Observation", "code=k").len(), 40);
    let view = store.latest().expect("a view");
    for compartment in 0..3 {
        let numbers = store.segment_numbers(&*view, 1).expect("readable");
        let own = numbers.iter().filter(|(number, _)| layout::compartment(*number) == compartment).count();
        assert!((1..=6).contains(&own), "{own} segments in compartment {compartment}");
    }
}

/// Records of one patient may be seen.
struct Only(u32);

impl super::Admission for Only {
    fn patient(&self, _: ResourceType, patient: crate::id::PatientNumber) -> crate::error::Result<bool> {
        Ok(patient.0 == self.0)
    }
    fn record(&self, stored: super::Stored) -> crate::error::Result<Option<super::Stored>> {
        Ok(Some(stored))
    }
}
