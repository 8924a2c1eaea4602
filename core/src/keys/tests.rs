use super::*;
use crate::id::SystemRandom;

fn created(source: &dyn KeySource) -> (KeyRing, Vec<u8>) {
    KeyRing::create(source, &SystemRandom::default()).expect("keys can be made")
}

fn failure(source: &dyn KeySource, header: &[u8]) -> Code {
    KeyRing::open(source, header).map(|_| ()).unwrap_err().code()
}

fn refused(result: Result<NewHeader>) -> Code {
    result.map(|_| ()).expect_err("refused").code()
}

fn added(header: &[u8], current: &dyn KeySource, more: &dyn KeySource) -> Vec<u8> {
    KeyRing::with_wrap(header, current, more, &SystemRandom::default()).expect("it opens").bytes
}

#[test]
fn a_store_opens_with_its_key_and_no_other() {
    let (ring, header) = created(&RawKey::new([1; 32]));
    let again = KeyRing::open(&RawKey::new([1; 32]), &header).expect("the same key");
    assert_eq!(ring.token("x", &[b"y"]), again.token("x", &[b"y"]));
    assert_eq!(ring.public_key(), again.public_key());
    assert_eq!(ring.page_key().bytes(), again.page_key().bytes());
    assert_eq!(failure(&RawKey::new([2; 32]), &header), Code::WrongKey);
}

#[test]
fn a_passphrase_opens_and_its_weakening_is_refused() {
    let source = Passphrase::with_cost("correct horse", 19 * 1024, 2).expect("at the floor");
    let (_, header) = created(&source);
    assert!(KeyRing::open(&Passphrase::new("correct horse"), &header).is_ok());
    assert_eq!(failure(&Passphrase::new("wrong"), &header), Code::WrongKey);
    assert_eq!(Passphrase::with_cost("x", 1024, 1).map(|_| ()).unwrap_err().code(), Code::KeyWeak);
    let at = header.windows(4).position(|w| w == (19 * 1024_u32).to_be_bytes()).expect("the cost is stored");
    for (memory, found) in [(64, Code::KeyWeak), (1 << 30, Code::KeyWeak), (20 * 1024, Code::WrongKey)] {
        let mut other = header.clone();
        other[at..at + 4].copy_from_slice(&u32::to_be_bytes(memory));
        assert_eq!(failure(&source, &other), found, "{memory} KiB");
    }
    let mut fewer = header;
    fewer[at + 4..at + 8].copy_from_slice(&1_u32.to_be_bytes());
    assert_eq!(failure(&source, &fewer), Code::KeyWeak);
}

#[test]
fn several_ways_open_one_store_and_one_taken_away_does_not() {
    let random = SystemRandom::default();
    let (raw, recovery) = (RawKey::new([1; 32]), RecoveryKey::new(&random).expect("random bytes"));
    let (ring, first) = created(&raw);
    let both = added(&first, &raw, &recovery);
    assert_eq!(KeyRing::wrap_names(&both).expect("readable"), ["raw", "recovery"]);
    for source in [&raw as &dyn KeySource, &recovery] {
        let again = KeyRing::open(source, &both).expect("either opens");
        assert_eq!(again.token("x", &[b"y"]), ring.token("x", &[b"y"]));
    }
    let other = added(&both, &recovery, &RawKey::new([2; 32]));
    assert_eq!(KeyRing::wrap_names(&other).expect("readable").len(), 2, "the name is taken over");
    assert_eq!(failure(&raw, &other), Code::WrongKey);
    assert!(KeyRing::open(&RawKey::new([2; 32]), &other).is_ok());
    let without = |header: &[u8], current: &dyn KeySource, name| {
        KeyRing::without_wrap(header, current, name, &SystemRandom::default())
    };
    let one = without(&both, &recovery, "raw").expect("another is left").bytes;
    assert_eq!(failure(&raw, &one), Code::WrongKey);
    assert_eq!(refused(without(&one, &recovery, "recovery")), Code::LastKey);
    assert_eq!(refused(without(&one, &recovery, "raw")), Code::NotFound);
    assert_eq!(refused(KeyRing::with_wrap(&both, &RawKey::new([9; 32]), &raw, &random)), Code::WrongKey);
}

#[test]
fn every_changed_bit_of_the_header_is_found() {
    let raw = RawKey::new([1; 32]);
    let (_, header) = created(&raw);
    let recovery = RecoveryKey::new(&SystemRandom::default()).expect("random bytes");
    let header = added(&header, &raw, &recovery);
    let ring = KeyRing::open(&raw, &header).expect("it opens");
    let header = ring.with_new_epoch(&header, &SystemRandom::default()).expect("it opens").bytes;
    assert!(KeyRing::open(&raw, &header).is_ok());
    for bit in 0..header.len() * 8 {
        let mut changed = header.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(KeyRing::open(&raw, &changed).is_err(), "bit {bit}");
        assert!(KeyRing::open(&recovery, &changed).is_err(), "bit {bit}");
    }
    for length in 0..header.len() {
        assert!(KeyRing::open(&raw, &header[..length]).is_err(), "length {length}");
    }
}

#[test]
fn another_root_opens_with_the_sources_given_and_everything_under_it_stays() {
    let random = SystemRandom::default();
    let (old, paper) = (RawKey::new([1; 32]), RecoveryKey::new(&random).expect("random bytes"));
    let (ring, header) = created(&old);
    let (key, wrapped) = ring.new_group_key(4, &random).expect("random bytes");
    let before = added(&header, &old, &paper);
    let new = RawKey::new([2; 32]);
    let changed = KeyRing::with_new_root(&before, &old, &[&new], &random).expect("the old key opens it");
    assert_eq!(changed.dropped, ["recovery"], "what was not given opens no more, and that is said");
    for gone in [&old as &dyn KeySource, &paper] {
        assert_eq!(failure(gone, &changed.bytes), Code::WrongKey);
    }
    let again = KeyRing::open(&new, &changed.bytes).expect("the new one opens it");
    assert_eq!(again.token("x", &[b"y"]), ring.token("x", &[b"y"]));
    assert_eq!(again.public_key(), ring.public_key());
    assert_eq!(again.group_key(4, &wrapped).expect("its own").bytes(), key.bytes());
    let status = KeyRing::status(&changed.bytes).expect("readable");
    assert_eq!((status.root_epoch, status.revision, status.names.len()), (2, 3, 1));
    // A copy from before opens as it did, with its own key only.
    assert!(KeyRing::open(&old, &before).is_ok());
    assert_eq!(failure(&new, &before), Code::WrongKey);

    let root = |sources: &[&dyn KeySource]| KeyRing::with_new_root(&before, &old, sources, &random);
    assert_eq!(refused(root(&[])), Code::LastKey);
    assert_eq!(refused(root(&[&new, &old])), Code::InvalidArgument, "two of one name");
    assert_eq!(refused(KeyRing::with_new_root(&before, &new, &[&new], &random)), Code::WrongKey);
}

#[test]
fn a_wrap_or_a_tree_of_another_time_does_not_fit_into_a_header() {
    let random = SystemRandom::default();
    let raw = RawKey::new([1; 32]);
    let (_, first) = created(&raw);
    let second = KeyRing::with_new_root(&first, &raw, &[&raw], &random).expect("it opens").bytes;
    let (old, new) = (Header::read(&first).expect("readable"), Header::read(&second).expect("readable"));
    // Whoever has no root cannot authenticate; here he is given even that.
    let (_, _, keys) = opened(&raw, &second).expect("it opens");
    let made = |change: &dyn Fn(&mut Header)| {
        let mut header = new.clone();
        change(&mut header);
        header.write(&keys).expect("it fits")
    };
    assert!(KeyRing::open(&raw, &made(&|_| {})).is_ok());
    for (what, changed) in [
        ("the wrap", made(&|header| header.wraps.clone_from(&old.wraps))),
        ("the tree", made(&|header| header.tree.clone_from(&old.tree))),
        ("the epoch", made(&|header| header.epoch -= 1)),
        ("the revision", made(&|header| header.revision -= 1)),
        ("the store", made(&|header| header.store.0[0] ^= 1)),
    ] {
        assert!(KeyRing::open(&raw, &changed).is_err(), "{what}");
    }
    // And a whole header of another store, under the same key of the host.
    let (_, other) = created(&raw);
    let theirs = Header::read(&other).expect("readable");
    let swapped = made(&|header| header.wraps.clone_from(&theirs.wraps));
    assert_eq!(failure(&raw, &swapped), Code::WrongKey);
}

#[test]
fn a_key_opens_for_its_group_its_patient_and_its_compartment_only() {
    let (ring, _) = created(&RawKey::new([1; 32]));
    let random = SystemRandom::default();
    let (group, wrapped) = ring.new_group_key(0, &random).expect("random bytes");
    assert_eq!(ring.group_key(0, &wrapped).expect("its own").bytes(), group.bytes());
    assert_eq!(ring.group_key(1, &wrapped).map(|_| ()).unwrap_err().code(), Code::WrongKey);
    let (other, _) = ring.new_group_key(0, &random).expect("random bytes");
    let (key, wrapped) = ring.new_patient_key(PatientNumber(4), 1, &group, &random).expect("random bytes");
    assert_eq!(ring.patient_key(PatientNumber(4), 1, &group, &wrapped).expect("its own").bytes(), key.bytes());
    for (patient, compartment, group) in [(4, 2, &group), (5, 1, &group), (4, 1, &other)] {
        let opened = ring.patient_key(PatientNumber(patient), compartment, group, &wrapped);
        assert_eq!(opened.map(|_| ()).unwrap_err().code(), Code::WrongKey);
    }
    let moved = ring.regrouped(PatientNumber(4), 1, [&group, &other], &wrapped, &random).expect("it opens");
    assert_eq!(ring.patient_key(PatientNumber(4), 1, &other, &moved).expect("its own").bytes(), key.bytes());
}

#[test]
fn keys_of_groups_go_over_to_another_epoch_and_the_old_one_is_destroyed() {
    let random = SystemRandom::default();
    let raw = RawKey::new([1; 32]);
    let (ring, header) = created(&raw);
    let group = 4;
    let (key, wrapped) = ring.new_group_key(group, &random).expect("random bytes");
    assert_eq!(ring.rewrapped(group, &wrapped, &random).expect("current"), None);

    let next = ring.with_new_epoch(&header, &random).expect("it opens");
    let between = next.bytes.clone();
    ring.take(next);
    assert_eq!(ring.patient_epoch(), 2);
    assert_eq!(ring.group_key(group, &wrapped).expect("the old epoch opens still").bytes(), key.bytes());
    let again = ring.rewrapped(group, &wrapped, &random).expect("it opens").expect("another epoch");
    assert_eq!(ring.rewrapped(group, &again, &random).expect("current"), None);
    assert_eq!(ring.rewrapped(5, &wrapped, &random).expect_err("another's").code(), Code::WrongKey);

    let last = ring.with_epochs_from(&between, ring.patient_epoch(), &random).expect("it opens");
    let end = last.bytes.clone();
    ring.take(last);
    for ring in [&ring, &KeyRing::open(&raw, &end).expect("it opens")] {
        assert_eq!(ring.group_key(group, &again).expect("its own").bytes(), key.bytes());
        let gone = ring.group_key(group, &wrapped).map(|_| ()).expect_err("destroyed");
        assert_eq!(gone.code(), Code::KeyEpochGone);
    }
}

#[test]
fn tokens_of_different_parts_differ() {
    let (ring, _) = created(&RawKey::new([1; 32]));
    assert_ne!(ring.token("a", &[b"bc", b"d"]), ring.token("a", &[b"b", b"cd"]));
    assert_ne!(ring.token("a", &[b"b"]), ring.token("ab", &[]));
}

#[test]
fn debug_output_shows_no_key() {
    let (ring, _) = created(&RawKey::new([1; 32]));
    assert_eq!(
        format!("{ring:?} {:?} {:?}", ring.store_key(), RawKey::new([7; 32])),
        "KeyRing SealKey(epoch 0) RawKey"
    );
}
