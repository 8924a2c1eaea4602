//! After a store is closed, no byte of its keys is left in the memory of the process: this test looks everywhere.

use super::Store;
use super::testing::FaultyFile;
use crate::crypto::scrub_stack;
use crate::error::Result;
use crate::id::{PatientNumber, Random, SystemRandom};
use crate::keys::{KeyRing, KeySource, RawKey, RecoveryKey, SharedKey};
use crate::record::Record;
use crate::store::PutMeta;
use crate::time::Timestamp;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// Keys are kept XOR this while they are looked for, so that the list of them is not what is found.
const MASK: u8 = 0xa5;

type Masked = Vec<(&'static str, [u8; 32])>;

/// How often 16 bytes on end of each key lie in writable memory.
fn found(keys: &Masked) -> Vec<(&'static str, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux");
    let mut memory = std::fs::File::open("/proc/self/mem").expect("our own");
    let mut counts: Vec<(&'static str, usize)> = keys.iter().map(|(name, _)| (*name, 0)).collect();
    // Halves of keys by their first byte, as it stands in memory.
    let mut by_first = vec![Vec::new(); 256];
    for (at, (_, key)) in keys.iter().enumerate() {
        by_first[usize::from(key[0] ^ MASK)].push((at, 0));
        by_first[usize::from(key[16] ^ MASK)].push((at, 16));
    }
    let mut bytes = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, rest) = line.split_once('-').expect("the form of the file");
        let number = |text: &str| u64::from_str_radix(text, 16).expect("the form of the file");
        let (from, to) = (number(from), number(rest.split(' ').next().expect("an end")));
        // Not what this very loop reads into.
        let own = bytes.as_ptr() as u64;
        if (from..to).contains(&own) && bytes.capacity() as u64 > (to - from) / 2 {
            continue;
        }
        bytes.resize((to - from) as usize, 0);
        if memory.seek(SeekFrom::Start(from)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue; // a guard page
        }
        for (at, byte) in bytes.iter().enumerate() {
            for (key, half) in &by_first[usize::from(*byte)] {
                let window = bytes.get(at..at + 16).unwrap_or(&[]);
                let wanted = &keys[*key].1[*half..half + 16];
                if !window.is_empty() && window.iter().zip(wanted).all(|(a, b)| a ^ MASK == *b) {
                    counts[*key].1 += 1;
                }
            }
        }
        bytes.fill(0);
    }
    counts.retain(|(_, count)| *count > 0);
    counts
}

fn masked(bytes: &[u8; 32]) -> [u8; 32] {
    bytes.map(|byte| byte ^ MASK)
}

/// Opens a store and uses it in every way that touches a key; gives the keys, masked.
fn used(file: &FaultyFile) -> Masked {
    let random = SystemRandom::default();
    let mut bytes = Box::new([0; 32]);
    random.fill(&mut *bytes).expect("random bytes");
    let mut keys = vec![("raw", masked(&bytes))];
    let raw = RawKey::of(&bytes);
    bytes.fill(0);
    std::hint::black_box(&bytes);
    let source = Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(file.clone()), &raw, source, 1 << 20).expect("a store in memory");
    for number in 1..4 {
        let text = format!(r#"{{"resourceType":"Patient","id":"p{number}","name":[{{"family":"Doe"}}]}}"#);
        let mut change = store.change(Timestamp(number), "dr").expect("its turn");
        change.put(&Record::parse(text.as_bytes()).expect("a record"), &PutMeta::DIRECT).expect("it is put");
        change.commit().expect("it is written");
    }
    keys.extend(store.keys().masked(&raw, &store.header().expect("there"), MASK));
    let paper = RecoveryKey::new(&random).expect("random bytes");
    let (shared, shares) = SharedKey::split(2, 3, &random).expect("random bytes");
    let sources: [&dyn KeySource; 3] = [&raw, &paper, &shared];
    let root = |header: &[u8]| KeyRing::with_new_root(header, &raw, &sources, &random);
    store.change_header(Timestamp(9), root, || Ok(())).expect("the key opens it");
    assert_eq!(store.burn(Timestamp(9), || Ok(())).expect("wrapped anew"), 1);
    drop(shares);
    keys.extend(store.keys().masked(&shared, &store.header().expect("there"), MASK));
    let snapshot = store.snapshot().expect("a view");
    for patient in 1..4 {
        let chart = snapshot.chart(PatientNumber(patient)).expect("readable");
        assert_eq!(chart.len(), 1);
        let key = store.patient_key(snapshot.view(), (patient, 0), true).expect("there");
        keys.push(("patient", masked(key.bytes())));
    }
    keys
}

#[test]
fn after_closing_no_byte_of_a_key_is_left_in_memory() -> Result<()> {
    let file = FaultyFile::default();
    let keys = used(&file);
    scrub_stack(); // what this test itself left when it looked at the keys
    assert!(keys.len() > 20);
    let left = found(&keys);
    assert!(left.is_empty(), "{left:?}");
    // The search finds what is there.
    let planted = Box::new(keys[0].1.map(|byte| byte ^ MASK));
    let seen = found(&keys);
    assert!(matches!(seen.as_slice(), [("raw", 2..)]), "{seen:?}");
    std::hint::black_box(&planted);
    Ok(())
}
