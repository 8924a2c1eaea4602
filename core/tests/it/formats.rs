//! Stores of earlier versions open for ever: every file in tests/data/formats says what the listing beside it says.
//!
//! A file `NAME.ehr` has a key of 32 times the byte 7 and a listing `NAME.txt`: one line for each version of each record, sorted, as
//! `Type/id version SHA-256-of-its-bytes`, after a line with the number of audit events. `EHRCORE_WRITE_FORMAT=NAME` makes both of
//! today's format.

use crate::path::{administrator, key, kind, physician};
use ehrcore::ehr::{Ehr, Options, Session, VerifyLevel, Write};
use ehrcore::schema::ResourceType;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats")
}

/// What a store says. The number of audit events is that of the moment: reading adds some.
fn listing(office: &Session, doctor: &Session) -> String {
    let events = office.verify(VerifyLevel::Records, None).expect("it verifies").events;
    let mut lines = Vec::new();
    for kind in ResourceType::all() {
        let mut from = None;
        loop {
            let options = ehrcore::ehr::SearchOptions { count: 1000, from };
            let page = doctor.search(kind, "", options).expect("it searches");
            for stored in &page.records {
                for version in doctor.history(kind, stored.id()).expect("it is there") {
                    let hash = ehrcore::store::testing::sha256(version.bytes());
                    lines.push(format!("{kind}/{} {} {hash}", stored.id(), version.version()));
                }
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    lines.sort();
    format!("{events} events\n{}\n", lines.join("\n"))
}

/// A copy is opened: opening writes to a file.
fn look(file: &Path) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("store.ehr");
    std::fs::copy(file, &copy).expect("a file");
    let ehr = Ehr::open(&copy, &key(), Options::default()).expect("a store of an earlier version opens");
    let (office, doctor) = (administrator(&ehr), physician(&ehr));
    let said = listing(&office, &doctor);
    assert!(office.check(None, &mut |_, _| true).expect("it may").is_sound());
    doctor.write(br#"{"resourceType":"Patient","id":"written-since"}"#).expect("and it is written to");
    said
}

#[test]
fn a_store_of_every_earlier_format_says_what_it_said() {
    if let Some(name) = std::env::var_os("EHRCORE_WRITE_FORMAT") {
        write(&folder().join(name).with_extension("ehr"));
    }
    let Ok(files) = std::fs::read_dir(folder()) else { return };
    for file in files.flatten().map(|file| file.path()).filter(|file| file.extension().is_some_and(|end| end == "ehr"))
    {
        let wanted = std::fs::read_to_string(file.with_extension("txt")).expect("a listing beside each store");
        let (said, wanted) = (look(&file), wanted.split_once('\n').expect("lines").1.to_owned());
        assert_eq!(said.split_once('\n').expect("lines").1, wanted, "{:?}", file.file_name());
    }
}

/// Makes a small store with versions, deletions and several patients, and its listing.
fn write(file: &Path) {
    let ehr = Ehr::create(file, &key(), Options::default()).expect("a new store");
    let (office, doctor) = (administrator(&ehr), physician(&ehr));
    for chart in ehrcore_synthetic::Charts::new(11).patients(2) {
        let writes = chart.resources.iter().map(|one| Write::Put(one.json.clone().into_bytes())).collect();
        doctor.change_set(writes).expect("they are valid");
    }
    for n in 0..3 {
        let text = format!(r#"{{"resourceType":"Basic","id":"b1","code":{{"text":"{n}"}}}}"#);
        doctor.write(text.as_bytes()).expect("it is valid");
    }
    doctor.write(br#"{"resourceType":"Basic","id":"b2","code":{"text":"gone"}}"#).expect("it is valid");
    doctor.delete(kind("Basic"), "b2").expect("it is there");
    let said = listing(&office, &doctor);
    drop((office, doctor, ehr));
    std::fs::write(file.with_extension("txt"), said).expect("a file");
}
