//! Words are planted in patients' records; after shredding, the file is read with every key that is still in it: pages in use, free
//! slots that were not written over, and whatever any key found there opens.

use super::base::{doctor, key, office, options};
use super::{Failed, Tally};
use ehrcore::ehr::{Ehr, Write};
use ehrcore::id::SystemRandom;
use ehrcore::store::Store;
use ehrcore::store::testing::{Depth, FaultyFile, readable};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Patients who stay: their words must still be there, or the look proves nothing.
const KEPT: u64 = 8;

fn word(number: u64) -> String {
    format!("Planted{number:04}word")
}

fn records(number: u64, version: u32) -> Vec<Write> {
    let word = word(number);
    let labels = ["HIV", "SUD", "PSYTHPN"];
    let mut writes = vec![Write::Put(
        format!(
            r#"{{"resourceType":"Patient","id":"p{number}","identifier":[{{"value":"{word}"}}],"name":[{{"family":"{word}","given":["{word}"]}}],"address":[{{"text":"{word} {version}"}}],"birthDate":"1970-01-01"}}"#
        )
        .into_bytes(),
    )];
    for (at, label) in labels.iter().enumerate() {
        let text = format!(
            r#"{{"resourceType":"Observation","id":"o{number}-{at}","meta":{{"security":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{label}"}}]}},"status":"final","code":{{"text":"{word}"}},"subject":{{"reference":"Patient/p{number}"}},"note":[{{"text":"{word} {version}"}}]}}"#
        );
        writes.push(Write::Put(text.into_bytes()));
    }
    writes
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let mut tally = Tally::default();
    let file = FaultyFile::default();
    let ehr = Ehr::create_on(Box::new(file.clone()), &key(), options())?;
    let all = count + KEPT;
    let session = doctor(&ehr)?;
    for version in 0..3 {
        for number in 0..all {
            session.change_set(records(number, version))?;
        }
    }
    drop(session);
    let words: Vec<String> = (0..all).map(word).collect();
    let depth = Depth { patients: all as u32 + 1, numbers: 8 };
    let look = |bytes: Vec<u8>| -> Result<Vec<bool>, Failed> {
        let random = Arc::new(SystemRandom::default());
        let store = Store::open_on(Box::new(FaultyFile::with(bytes)), &key(), random, 4 << 20, true)?;
        Ok(readable(&store, &words, depth)?)
    };
    if look(file.bytes())?.contains(&false) {
        return Err("the look does not find what is there".into());
    }
    let office = office(&ehr)?;
    let mut slowest = Duration::ZERO;
    for number in 0..count {
        let start = Instant::now();
        office.shred(&format!("p{number}"), "attack")?;
        slowest = slowest.max(start.elapsed());
    }
    drop(office);
    // While the store is open, as a crash leaves it; and closed in order.
    let open = file.bytes();
    drop(ehr);
    for (state, bytes) in [("open", open), ("closed", file.bytes())] {
        for (number, found) in look(bytes)?.into_iter().enumerate() {
            if (number as u64) < count {
                tally.count(!found, || format!("patient {number} can be read in the file as it is {state}"));
            } else if !found {
                return Err(format!("what was not shredded is gone: patient {number}").into());
            }
        }
    }
    tally
        .notes
        .push(format!("slowest of {count} in memory, a file of {} KB: {slowest:.1?}", file.bytes().len() / 1024));
    Ok(tally)
}
