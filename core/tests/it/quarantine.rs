//! Entries kept aside, released, met again; transactions that are whole or not there; the same file from two sides.

use crate::path::{administrator, create, kind, physician};
use ehrcore::ehr::{Ehr, SearchOptions, Session, VerifyLevel};
use ehrcore::error::Code;
use ehrcore::exchange::{ImportOptions, ImportSummary, Progress};
use ehrcore::ledger::{Fate, LedgerEntry};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn source(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn import(session: &Session, path: &Path) -> ImportSummary {
    session.import(path, &ImportOptions::default(), &mut ()).expect("it imports")
}

fn ledger(session: &Session) -> Vec<LedgerEntry> {
    let mut lines = Vec::new();
    session.ledger(|line| lines.push(line.clone())).expect("it may");
    lines
}

fn there(ehr: &Ehr, of: &str, id: &str) -> bool {
    physician(ehr).read(kind(of), id).is_ok()
}

const ONE: &str = "0aaaaaaa-0000-4000-8000-000000000001";
const TWO: &str = "0aaaaaaa-0000-4000-8000-000000000002";

/// A patient known by a place, an observation of that patient without an id and with a wrong status, one that is right.
fn bundle(of: &str) -> String {
    let request = r#""request":{"method":"POST","url":"x"}"#;
    format!(
        r#"{{"resourceType":"Bundle","type":"{of}","entry":[
        {{"fullUrl":"http:\/\/example.org\/fhir\/people\u002fseven","resource":{{"resourceType":"Patient","id":"pat","name":[{{"family":"Doe"}}]}},{request}}},
        {{"fullUrl":"urn:uuid:{ONE}","resource":{{"resourceType":"Observation","status":"finished","code":{{"text":"x"}},"subject":{{"reference":"http:\/\/example.org\/fhir\/people\/seven"}}}},{request}}},
        {{"fullUrl":"urn:uuid:{TWO}","resource":{{"resourceType":"Observation","id":"right","status":"final","code":{{"text":"x"}},"subject":{{"reference":"http://example.org/fhir/people/seven"}},"hasMember":[{{"reference":"urn:uuid:{ONE}"}}]}},{request}}}]}}"#
    )
}

fn mended(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).replace("\"finished\"", "\"final\"").into_bytes()
}

#[test]
fn a_transaction_with_a_bad_entry_is_not_stored_and_nothing_of_it_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = administrator(&ehr);
    let summary = import(&session, &source(folder.path(), "t.json", &bundle("transaction")));
    assert_eq!((summary.entries, summary.stored, summary.quarantined, summary.refused), (3, 0, 3, 0));
    assert!(!there(&ehr, "Patient", "pat") && !there(&ehr, "Observation", "right"));
    let reasons: Vec<_> = ledger(&session).iter().map(|line| line.reason).collect();
    let (whole, own) = (Some(Code::TransactionRefused), Some(Code::CodeUnknown));
    assert_eq!(reasons, [whole, own, whole]);
    // Mended as a whole and imported again, it is another source.
    let again = import(&session, &source(folder.path(), "t.json", &bundle("transaction").replace("finished", "final")));
    assert_eq!((again.stored, again.quarantined), (3, 0));
    // A batch is not all or nothing.
    let other = tempfile::tempdir().expect("a folder");
    let summary = import(&administrator(&create(other.path())), &source(other.path(), "b.json", &bundle("batch")));
    assert_eq!((summary.stored, summary.quarantined), (2, 1));
}

/// One that does not fit in memory while it is looked at is read twice.
#[test]
fn a_large_transaction_is_whole_or_not_there_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = administrator(&ehr);
    let text = "x".repeat(600_000);
    let entry = |n: usize, status: &str| {
        format!(
            r#"{{"resource":{{"resourceType":"Observation","id":"o{n}","status":"{status}","code":{{"text":"{text}"}}}},"request":{{"method":"POST","url":"x"}}}}"#
        )
    };
    for (last, stored) in [("wrong", 0), ("final", 9)] {
        let entries: Vec<String> = (0..9).map(|n| entry(n, if n == 8 { last } else { "final" })).collect();
        let text = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
        let summary = import(&session, &source(folder.path(), "large.json", &text));
        assert_eq!((summary.entries, summary.stored, summary.quarantined), (9, stored, 9 - stored));
        assert_eq!(there(&ehr, "Observation", "o0"), stored > 0);
    }
}

#[test]
fn a_released_entry_is_what_it_would_have_been_and_the_ledger_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = administrator(&ehr);
    let file = source(folder.path(), "b.json", &bundle("batch"));
    assert_eq!(import(&session, &file).quarantined, 1);
    let kept = session.quarantine().expect("it may").remove(0);
    assert_eq!((kept.number, kept.entry), (1, 2));
    assert_eq!(session.release(1, None).unwrap_err().code(), Code::RecordInvalid, "as it is, it stays");
    let released = session.release(1, Some(&mended(kept.bytes.expose()))).expect("it is right now");
    assert_eq!(released, (kind("Observation"), ONE.to_owned()), "the id the Bundle knows it by");
    // It belongs to the patient, who has another address, and is what the other observation points to.
    assert_eq!(physician(&ehr).chart("pat").expect("there").len(), 3);
    let found = |query: &str| {
        let page = physician(&ehr).search(kind("Observation"), query, SearchOptions::default()).expect("it searches");
        page.records.iter().map(|record| record.id().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("patient=pat").len(), 2);
    assert_eq!(found(&format!("has-member=Observation/{ONE}")), ["right"]);
    let origin = physician(&ehr).provenance(kind("Observation"), ONE, 1).expect("there");
    assert_eq!(origin.source, Some((1, 2)));
    let line = ledger(&session).pop().expect("the last line");
    assert_eq!((line.source, line.entry, line.fate, line.version), (1, 2, Fate::Released, 1));
    assert!(line.id_assigned && line.offset > 0 && line.id == ONE);
    // The same file again changes nothing: the entry is neither kept again nor said to be missing.
    let again = import(&session, &file);
    assert_eq!((again.stored, again.unchanged, again.quarantined), (0, 3, 0));
    assert!(session.quarantine().expect("it may").is_empty());
    session.verify(VerifyLevel::Records, None).expect("all is well");
}

/// The number after the last one in the table was given out: once the last entry was released, the next one got its number.
#[test]
fn a_quarantine_number_is_given_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = administrator(&ehr);
    let bad = |id: &str| format!(r#"{{"resourceType":"Patient","id":"{id}","gender":"F"}}"#);
    let numbers = || session.quarantine().expect("it may").iter().map(|kept| kept.number).collect::<Vec<_>>();
    import(&session, &source(folder.path(), "a.ndjson", &[bad("a"), bad("b")].join("\n")));
    assert_eq!(numbers(), [1, 2]);
    import(&session, &source(folder.path(), "a.ndjson", &[bad("a"), bad("b")].join("\n")));
    assert_eq!(numbers(), [1, 2], "the same file again keeps nothing twice");
    session.release(2, Some(br#"{"resourceType":"Patient","id":"b"}"#)).expect("it is right now");
    import(&session, &source(folder.path(), "c.ndjson", &bad("c")));
    assert_eq!(numbers(), [1, 3]);
    assert_eq!(session.release(2, None).unwrap_err().code(), Code::QuarantineUnknown);
}

/// Lines of the import itself, by source.
fn by_source(session: &Session) -> BTreeMap<u32, Vec<u32>> {
    let mut sources: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for line in ledger(session) {
        sources.entry(line.source).or_default().push(line.entry);
    }
    sources
}

fn lines(count: usize) -> String {
    let gender = |n: usize| if n.is_multiple_of(100) { "wrong" } else { "other" };
    let line = |n| format!("{{\"resourceType\":\"Patient\",\"id\":\"p{n}\",\"gender\":\"{}\"}}\n", gender(n));
    (0..count).map(line).collect()
}

/// Two imports of one file took each other for one that was interrupted and wrote over each other's ledger.
#[test]
fn the_same_file_imported_from_two_sides_changes_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let file = source(folder.path(), "all.ndjson", &lines(2_000));
    let options = ImportOptions { batch_entries: 200, threads: 1, ..ImportOptions::default() };
    let start = std::sync::Barrier::new(3);
    let summaries: Vec<ImportSummary> = std::thread::scope(|scope| {
        let run = || {
            let session = administrator(&ehr);
            start.wait();
            session.import(&file, &options, &mut ()).expect("it imports")
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let session = administrator(&ehr);
    assert_eq!(summaries.iter().map(|summary| summary.stored).sum::<u64>(), 1_980);
    assert_eq!(session.quarantine().expect("it may").len(), 20);
    assert!(summaries.iter().all(|summary| summary.entries + summary.resumed == 2_000));
    for (source, entries) in by_source(&session) {
        assert!(entries.is_sorted() && entries.windows(2).all(|pair| pair[0] < pair[1]), "source {source}");
        assert!(entries.len() == 2_000, "source {source} has {} lines", entries.len());
    }
    for n in (1..2_000).step_by(331) {
        assert_eq!(physician(&ehr).history(kind("Patient"), &format!("p{n}")).expect("there").len(), 1);
    }
    session.verify(VerifyLevel::Records, None).expect("all is well");
}

#[test]
fn an_import_that_was_stopped_and_resumed_has_one_line_for_each_entry() {
    struct StopAfter(u64);
    impl Progress for StopAfter {
        fn step(&mut self, _: u64, _: u64, summary: &ImportSummary) -> bool {
            summary.commits < self.0
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let session = administrator(&ehr);
    let file = source(folder.path(), "all.ndjson", &lines(3_000));
    let options = ImportOptions { batch_entries: 512, ..ImportOptions::default() };
    for commits in [1, 2] {
        assert!(session.import(&file, &options, &mut StopAfter(commits)).is_err());
        // What is released between is not written over by the import that goes on.
        let kept = session.quarantine().expect("it may");
        let text = String::from_utf8_lossy(kept[0].bytes.expose()).replace("wrong", "other");
        session.release(kept[0].number, Some(text.as_bytes())).expect("it is right now");
    }
    let last = session.import(&file, &options, &mut ()).expect("it imports");
    assert!(last.resumed > 1_000 && last.resumed + last.entries == 3_000);
    let all = ledger(&session);
    let (released, own): (Vec<_>, Vec<_>) = all.iter().partition(|line| line.fate == Fate::Released);
    assert!(own.iter().map(|line| line.entry).eq(1..=3_000));
    assert_eq!(released.len(), 2);
    let mut numbers: Vec<u64> = session.quarantine().expect("it may").iter().map(|kept| kept.number).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 28);
    assert!(there(&ehr, "Patient", "p0"));
}
