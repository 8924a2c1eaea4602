//! A store that is sound is found sound whatever was done to it; every sort of row that is moved, dropped or put twice is found.

use crate::path::{administrator, key, kind, physician};
use ehrcore::ehr::{Ehr, Options, Session, Write};
use ehrcore::error::Code;
use ehrcore::exchange::ImportOptions;
use ehrcore::id::SystemRandom;
use ehrcore::store::testing::{FaultyFile, Image, rewrite, rows};
use ehrcore::store::{CheckReport, DamageKind, Store, Table};
use ehrcore_synthetic::Charts;
use std::sync::Arc;

fn store() -> (Arc<Vec<u8>>, CheckReport) {
    let (file, folder) = (FaultyFile::default(), tempfile::tempdir().expect("a folder"));
    let ehr = Ehr::create_on(Box::new(file.clone()), &key(), Options::default()).expect("a store in memory");
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    let source = folder.path().join("charts.ndjson");
    let mut lines = String::new();
    for chart in Charts::new(5).patients(2) {
        chart.resources.iter().for_each(|one| lines += &format!("{}\n", one.json));
    }
    lines += "{\"resourceType\":\"Patient\",\"id\":\"wrong\",\"gender\":\"F\"}\n";
    std::fs::write(&source, lines).expect("a file");
    office.import(&source, &ImportOptions::default(), &mut ()).expect("it imports");
    for n in 0..30 {
        let patient = format!(r#"{{"resourceType":"Patient","id":"p{}","name":[{{"family":"Name{n}"}}]}}"#, n % 7);
        let basic = format!(
            r#"{{"resourceType":"Basic","id":"b{}","code":{{"text":"{n}"}},"subject":{{"reference":"Patient/p{}"}}}}"#,
            n % 11,
            n % 7
        );
        doctor.change_set(vec![Write::Put(patient.into()), Write::Put(basic.into())]).expect("it writes");
    }
    doctor.delete(kind("Basic"), "b3").expect("it is there");
    let report = office.check(None, &mut |_, _| true).expect("it may");
    drop((doctor, office, ehr));
    (Arc::new(file.bytes()), report)
}

fn check(image: &Image) -> Result<CheckReport, &'static str> {
    let ehr = Ehr::open_on(Box::new(image.clone()), &key(), Options::default()).map_err(|error| error.code().name())?;
    let office: Session = administrator(&ehr);
    office.check(None, &mut |_, _| true).map_err(|error| error.code().name())
}

#[test]
fn a_sound_store_is_found_sound_and_counted() {
    let (image, report) = store();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.file.is_sound() && report.erased == 0 && report.leftover_tokens == 0);
    assert!(report.patients == 9 && report.records > 100 && report.versions > report.records, "{report:?}");
    assert!(report.entries > 500 && report.tokens > 60 && report.events > 30, "{report:?}");
    let again = check(&Image::of(&image)).expect("it opens");
    assert_eq!((again.content, again.records), (report.content, report.records));
}

#[test]
fn every_sort_of_row_that_was_moved_dropped_or_doubled_is_found() {
    let (image, sound) = store();
    let mut unseen = Vec::new();
    for table in Table::ALL {
        let of = |image: &Image| {
            let random = Arc::new(SystemRandom::default());
            Store::open_on(Box::new(image.clone()), &key(), random, 1 << 20, false).expect("it opens")
        };
        let all = rows(&of(&Image::of(&image)), table);
        // Of a source that was imported, whether it was: a second time it would be taken anew. And which number to give next.
        let unwatched = |key: &[u8]| table == Table::Meta && (key.starts_with(b"import ") || key == b"quarantine");
        let all: Vec<_> = all.into_iter().filter(|(key, _)| !unwatched(key)).collect();
        for (at, (first, value)) in all.iter().enumerate().step_by(all.len() / 4 + 1) {
            let (other, theirs) = &all[(at + 1) % all.len()];
            let swapped = vec![(first.clone(), Some(theirs.clone())), (other.clone(), Some(value.clone()))];
            let mut changes = vec![("dropped", vec![(first.clone(), None)])];
            if value != theirs {
                changes.push(("swapped", swapped));
                changes.push(("doubled", vec![(other.clone(), Some(value.clone()))]));
            }
            for (what, change) in changes {
                let image = Image::of(&image);
                let store = of(&image);
                rewrite(&store, table, &change);
                drop(store);
                // A segment of which nothing is current any more says nothing: without it the index is the same.
                let same = |report: &CheckReport| {
                    table == Table::Index && (report.entries, report.content) == (sound.entries, sound.content)
                };
                if check(&image).is_ok_and(|report| report.is_sound() && !same(&report)) {
                    unseen.push((table, what, String::from_utf8_lossy(first).into_owned()));
                }
            }
        }
    }
    assert!(unseen.is_empty(), "{} unseen: {unseen:?}", unseen.len());
}

#[test]
fn damage_is_told_by_numbers_of_places() {
    let (image, _) = store();
    let random = Arc::new(SystemRandom::default());
    let image = Image::of(&image);
    let store = Store::open_on(Box::new(image.clone()), &key(), random, 1 << 20, false).expect("it opens");
    let all = rows(&store, Table::Block);
    let (key_of, _) = &all[all.len() / 2];
    rewrite(&store, Table::Block, &[(key_of.clone(), Some(vec![1; 200]))]);
    drop(store);
    let report = check(&image).expect("it opens");
    let patient = u32::from_be_bytes(key_of[..4].try_into().expect("four bytes"));
    let row = u32::from_be_bytes(key_of[4..].try_into().expect("four bytes"));
    let found = report.damage.iter().find(|one| one.what == DamageKind::Block).expect("it is found");
    assert_eq!((found.patient, found.row), (Some(patient), u64::from(row)));
}

#[test]
fn a_check_that_is_told_to_stop_says_so_and_every_sort_of_damage_has_a_word_of_its_own() {
    let (image, _) = store();
    let ehr = Ehr::open_on(Box::new(Image::of(&image)), &key(), Options::default()).expect("it opens");
    let stopped = administrator(&ehr).check(None, &mut |_, _| false).map(|_| ()).expect_err("it was told to stop");
    assert_eq!(stopped.code(), Code::Cancelled);
    assert_eq!(physician(&ehr).check(None, &mut |_, _| true).map(|_| ()).expect_err("it may not").code(), Code::Denied);
    use DamageKind::*;
    let all =
        [Slot, Map, Table, State, Key, Block, Version, Index, Id, Name, Token, Alias, Aside, Audit, Ledger, Quarantine];
    let words: std::collections::BTreeSet<&str> = all.iter().map(|kind| kind.name()).collect();
    assert_eq!(words.len(), all.len());
}
