use super::*;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Default)]
struct Memory(BTreeMap<Vec<u8>, Vec<u8>>);

impl Shelf for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
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
    for some in events.chunks(7) {
        append(&mut shelf, keys, &SystemRandom::default(), some).expect("it appends");
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_mutation_is_found(which in 0_u64..20, other in 0_u64..20, how in 0_u8..6, byte in any::<prop::sample::Index>(), bit in 0..8) {
        let keys = keys();
        let mut shelf = log(&keys, 20);
        let before = shelf.0.clone();
        match how {
            0 => { shelf.0.remove(&event_key(which)); }
            1 => { let taken = shelf.0[&event_key(which)].clone(); shelf.0.insert(event_key(other), taken); }
            2 => { let row = shelf.0.get_mut(&event_key(which)).expect("there"); let at = byte.index(row.len()); row[at] ^= 1_u8 << bit; }
            3 => { let taken = shelf.0[&event_key(which)].clone(); shelf.0.insert(event_key(20), taken); }
            4 => { let row = shelf.0.get_mut(HEAD).expect("there"); let at = byte.index(row.len()); row[at] ^= 1_u8 << bit; }
            _ => { shelf.0.remove(HEAD); }
        }
        prop_assume!(shelf.0 != before);
        prop_assert!(verify(&shelf, &keys, None).is_err());
    }

    #[test]
    fn events_round_trip(at in any::<i64>(), actor in ".{0,20}", id in ".{0,20}", failed in prop::option::of(1_u16..1000), count in any::<u64>()) {
        let event = Event { failed, id, count, ..Event::new(EventKind::Search, Timestamp(at), &actor) };
        prop_assert_eq!(Event::decode(&event.encode()), Some(event));
    }
}
