use super::*;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::time::Timestamp;
use crate::vault::{self, Context, RowKind};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Default)]
struct Memory(BTreeMap<Vec<u8>, Vec<u8>>);

impl Shelf for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Row>> {
        Ok(self.0.range(from.to_vec()..=to.to_vec()).next_back().map(|(key, value)| (key.clone(), value.clone())))
    }
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.0.insert(key, value);
        Ok(())
    }
}

fn keys() -> KeyRing {
    KeyRing::create(&RawKey::new([1; 32]), &SystemRandom::default()).expect("keys").0
}

fn log(keys: &KeyRing, count: i64) -> Memory {
    let mut shelf = Memory::default();
    let events: Vec<Event> = (0..count).map(|n| Event::new(EventKind::Read, Timestamp(n), "dr-grey")).collect();
    let mut known = Known::default();
    for some in events.chunks(7) {
        append(&mut shelf, keys, &SystemRandom::default(), some, &mut known).expect("it appends");
    }
    shelf
}

#[test]
fn events_come_back_in_order_and_the_log_verifies() {
    let keys = keys();
    let shelf = log(&keys, 20);
    assert_eq!(verify(&shelf, &keys, None).expect("it verifies"), 20);
    for n in 0..20 {
        assert_eq!(event(&shelf, &keys, n).expect("there").at, Timestamp(n as i64));
    }
    assert_eq!(event(&shelf, &keys, 20).map(|_| ()).unwrap_err().code(), Code::NotFound);
    let some = events(&shelf, &keys, 5, 16).expect("there");
    assert!(some.iter().map(|(n, _)| *n).eq(5..16) && some.iter().all(|(n, event)| event.at.0 == *n as i64));
    assert_eq!(events(&shelf, &keys, 15, 25).map(|_| ()).unwrap_err().code(), Code::AuditBroken);
    assert_eq!(verify(&Memory::default(), &keys, None).expect("an empty log"), 0);
}

#[test]
fn a_log_cut_off_or_put_back_is_found_against_a_head_kept_outside() {
    let keys = keys();
    let (early, late) = (log(&keys, 14), log(&keys, 21));
    let outside = head(&late, &keys).expect("readable").expect("there");
    assert_eq!(verify(&early, &keys, Some(&outside)).map(|_| ()).unwrap_err().code(), Code::AuditBroken);
    let other = head(&early, &keys).expect("readable").expect("there");
    assert!(verify(&late, &keys, Some(&other)).is_err(), "another history of the same length");
    assert!(verify(&late, &keys, Some(&outside)).is_ok());
}

#[test]
fn a_root_does_not_tell_events_apart_that_say_the_same() {
    let keys = keys();
    let (mut first, mut second) = (Memory::default(), Memory::default());
    let same = [Event::new(EventKind::Read, Timestamp(1), "dr-grey")];
    let root = |shelf: &mut Memory| {
        append(shelf, &keys, &SystemRandom::default(), &same, &mut Known::default()).expect("it appends").root
    };
    assert_ne!(root(&mut first), root(&mut second));
}

#[test]
fn a_head_that_is_not_the_one_known_is_verified_before_it_is_built_on() {
    let keys = keys();
    let one = [Event::new(EventKind::Read, Timestamp(1), "dr-grey")];
    let mut known = Known::default();
    let mut shelf = Memory::default();
    append(&mut shelf, &keys, &SystemRandom::default(), &one, &mut known).expect("it appends");
    shelf.0.get_mut(HEAD).expect("there")[50] ^= 1;
    let next = append(&mut shelf, &keys, &SystemRandom::default(), &one, &mut known);
    assert_eq!(next.map(|_| ()).unwrap_err().code(), Code::AuditBroken);
}

#[test]
fn a_block_that_was_sealed_and_cannot_be_read_is_broken() {
    let keys = keys();
    let context = Context::new(keys.store_id(), crate::id::PatientNumber::SHARED, RowKind::Audit, 0, 1);
    for plain in [&[][..], &[0; 32], &[0; 35], &[255; 40]] {
        let sealed = vault::seal(keys.audit_key(), &context, plain, &SystemRandom::default()).expect("it seals");
        assert_eq!(Block::open(&keys, 0, &sealed).map(|_| ()).unwrap_err().code(), Code::AuditBroken);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_mutation_is_found(which in 0_u64..3, other in 0_u64..21, how in 0_u8..6, byte in any::<prop::sample::Index>(), bit in 0..8) {
        let keys = keys();
        let mut shelf = log(&keys, 20);
        let before = shelf.0.clone();
        let which = 7 * which; // blocks begin there
        match how {
            0 => { shelf.0.remove(&block_key(which)); }
            1 => { let taken = shelf.0[&block_key(which)].clone(); shelf.0.insert(block_key(other), taken); }
            2 => { let row = shelf.0.get_mut(&block_key(which)).expect("there"); let at = byte.index(row.len()); row[at] ^= 1_u8 << bit; }
            3 => { let taken = shelf.0[&block_key(which)].clone(); shelf.0.insert(block_key(20), taken); }
            4 => { let row = shelf.0.get_mut(HEAD).expect("there"); let at = byte.index(row.len()); row[at] ^= 1_u8 << bit; }
            _ => { shelf.0.remove(HEAD); }
        }
        prop_assume!(shelf.0 != before);
        prop_assert!(verify(&shelf, &keys, None).is_err());
    }

    #[test]
    fn events_round_trip(at in any::<i64>(), actor in ".{0,20}", id in ".{0,20}", failed in prop::option::of(1_u16..1000), count in any::<u64>(), digest in 0_u8..3) {
        let event = Event { failed, id, count, ..Event::new(EventKind::Search, Timestamp(at), &actor) };
        let event = Event { digest: [digest; 32], ..event };
        let mut encoded = Vec::new();
        event.encode(&mut encoded);
        prop_assert_eq!(Event::decode(&encoded), Some(event));
    }
}
