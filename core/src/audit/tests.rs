use super::*;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::report::Severity;
use crate::schema::ResourceType;
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
    fn remove(&mut self, key: Vec<u8>) -> Result<()> {
        self.0.remove(&key);
        Ok(())
    }
}

fn keys() -> KeyRing {
    KeyRing::create(&RawKey::new([1; 32]), &SystemRandom::default()).expect("keys").0
}

/// A log of `count` events, appended so many at once; some say more than others.
fn log_by(keys: &KeyRing, count: i64, at_once: usize) -> Memory {
    let mut shelf = Memory::default();
    let event = |n: i64| Event {
        id: format!("p{n}"),
        query: if n % 3 == 0 { "name=doe".to_owned() } else { String::new() },
        ..Event::new(EventKind::Read, Timestamp(n), "dr-grey")
    };
    let events: Vec<Event> = (0..count).map(event).collect();
    let mut known = Known::default();
    for some in events.chunks(at_once) {
        append(&mut shelf, keys, &SystemRandom::default(), some, &mut known).expect("it appends");
    }
    shelf
}

/// Blocks of 7, 7 and 6 events.
fn log(keys: &KeyRing, count: i64) -> Memory {
    let mut shelf = Memory::default();
    let events: Vec<Event> = (0..count).map(|n| Event::new(EventKind::Read, Timestamp(n), "dr-grey")).collect();
    let mut frontier = Frontier::default();
    for some in events.chunks(7) {
        let block = Block::new(frontier.size(), some, keys, &SystemRandom::default()).expect("a block");
        block.leaves().for_each(|leaf| frontier.push(leaf, |_, _, _| {}));
        let sealed = block.seal(keys, &SystemRandom::default()).expect("it seals");
        shelf.0.insert(block_key(block.first()), sealed);
    }
    let (size, root) = (frontier.size(), frontier.root());
    let signature = keys.sign(Head::text(keys.store_id(), size, &root).as_bytes());
    let row = [&size.to_be_bytes()[..], &root, &signature, &frontier.to_bytes()].concat();
    shelf.0.insert(HEAD.to_vec(), row);
    shelf
}

#[test]
fn a_log_written_event_by_event_has_few_blocks_and_proves_as_one_written_at_once() {
    let keys = keys();
    for (at_once, most) in [(1, 9), (3, 9), (100, 7), (1000, 2)] {
        let shelf = log_by(&keys, 2000, at_once);
        let blocks = shelf.0.keys().filter(|key| key.starts_with(b"event ")).count();
        assert!(blocks <= most, "{blocks} blocks of {at_once} at once");
        assert_eq!(shelf.0.keys().filter(|key| key.starts_with(b"node ")).count(), 2000 / 256);
        assert_eq!(verify(&shelf, &keys, None).expect("it verifies"), 2000);
        for n in (0..2000).step_by(97) {
            let read = event(&shelf, &keys, n).expect("there");
            assert_eq!((read.at.0, read.query.is_empty()), (n as i64, n % 3 != 0));
            assert_eq!(read.pseudonym, Event::pseudonym_of(&keys, &format!("p{n}")));
            let proof = prove(&shelf, &keys, n).expect("there");
            assert!(proof.holds() && proof.path.len() <= 11);
            let text = String::from_utf8_lossy(&proof.event);
            assert!(!text.contains("doe") && !text.contains(&format!("p{n}")), "neither query nor id");
            assert!(!Proof { sequence: n + 1, ..proof.clone() }.holds());
            let mut other = proof;
            other.event[8] ^= 1;
            assert!(!other.holds());
        }
        assert_eq!(prove(&shelf, &keys, 2000).unwrap_err().code(), Code::NotFound);
    }
}

#[test]
fn a_log_proves_that_it_continues_an_older_head_and_no_other() {
    let keys = keys();
    let mut shelf = Memory::default();
    let mut heads = Vec::new();
    let mut known = Known::default();
    for n in 0..600 {
        let one = [Event::new(EventKind::Read, Timestamp(n), "dr-grey")];
        heads.push(append(&mut shelf, &keys, &SystemRandom::default(), &one, &mut known).expect("it appends"));
    }
    for head in heads.iter().step_by(37) {
        let (path, now) = continuation(&shelf, &keys, head).expect("it does");
        assert!(continues(head.size, &head.root, now.size, &now.root, &path));
        assert_eq!(verify_head(&shelf, &keys, Some(head)).expect("it does"), 600);
        let other = Head { root: heads[0].root, size: head.size.max(2), ..head.clone() };
        assert!(continuation(&shelf, &keys, &other).is_err() && verify_head(&shelf, &keys, Some(&other)).is_err());
    }
    let longer = Head { size: 601, ..heads[599].clone() };
    assert_eq!(verify_head(&shelf, &keys, Some(&longer)).unwrap_err().code(), Code::AuditBroken);
}

#[test]
fn a_kept_hash_of_the_tree_that_was_changed_is_found_and_proves_nothing() {
    let keys = keys();
    let mut shelf = log_by(&keys, 600, 200);
    shelf.0.get_mut(&node_key(8, 0)).expect("there")[3] ^= 1;
    assert_eq!(prove(&shelf, &keys, 300).unwrap_err().code(), Code::AuditBroken);
    assert_eq!(verify(&shelf, &keys, None).unwrap_err().code(), Code::AuditBroken);
    shelf.0.remove(&node_key(8, 0));
    assert!(prove(&shelf, &keys, 300).expect("from the events").holds());
}

#[test]
fn a_text_beside_an_event_can_be_taken_away_and_not_changed() {
    let keys = keys();
    let asked = Event { query: "name=doe".to_owned(), ..Event::new(EventKind::Search, Timestamp(1), "dr-grey") };
    let block = Block::new(0, &[asked], &keys, &SystemRandom::default()).expect("a block");
    let sealed = block.seal(&keys, &SystemRandom::default()).expect("it seals");
    let context = Context::new(keys.store_id(), crate::id::PatientNumber::SHARED, RowKind::Audit, 0, 1);
    let plain = vault::open(keys.audit_key(), &context, &sealed).expect("it opens");
    let with = |plain: &[u8]| {
        let sealed = vault::seal(keys.audit_key(), &context, plain, &SystemRandom::default()).expect("it seals");
        Block::open(&keys, 0, &sealed).expect("its form is right")
    };
    let mut changed = plain.to_vec();
    *changed.last_mut().expect("a text") ^= 1;
    let changed = with(&changed);
    assert!(changed.event(0).is_err() && changed.check().is_err());
    let length = plain.len() - 10; // two bytes of length, eight of text
    let mut without = plain[..length].to_vec();
    without[2 + 34 + 4..2 + 34 + 6].fill(0);
    let without = with(&without);
    assert_eq!(without.event(0).expect("the event stays").query, "");
    assert!(without.leaves().eq(block.leaves()));
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
    for plain in [
        &[][..],
        &[0; 32],
        &[0; 35],
        &[255; 40],
        &[0, 1, 0, 1],
        &[[0, 1, 0, 1].as_slice(), &[0; 36], &[9, 0, 0]].concat(),
    ] {
        let sealed = vault::seal(keys.audit_key(), &context, plain, &SystemRandom::default()).expect("it seals");
        assert_eq!(Block::open(&keys, 0, &sealed).map(|_| ()).unwrap_err().code(), Code::AuditBroken);
    }
}

/// An event of each kind, as BALP would have it: of one patient, of none, failed.
fn of_every_kind() -> Vec<Event> {
    let mut events = Vec::new();
    for (n, kind) in EventKind::ALL.iter().enumerate() {
        for (patient, failed) in [(7, None), (0, None), (7, Some(600))] {
            events.push(Event {
                patient,
                failed,
                role: 1 + n as u8 % 6,
                purpose: 1 + n as u8 % 5,
                session: 99,
                app: "clinic\n\u{202e}ui".to_owned(),
                device: "ward-12".to_owned(),
                on_behalf_of: "dr-house".to_owned(),
                id: format!("record-{n}"),
                resource: Some(ResourceType::PATIENT),
                query: if *kind == EventKind::Search { "name=planted-doe".to_owned() } else { String::new() },
                recipient: if *kind == EventKind::Disclose { "Registry \"A\"".to_owned() } else { String::new() },
                ..Event::new(*kind, Timestamp(1_790_000_000_000_000 + n as i64), "dr-grey")
            });
        }
    }
    events
}

#[test]
fn an_exported_event_is_a_valid_audit_event_and_one_that_succeeded_has_the_shape_of_its_profile() {
    let keys = keys();
    let (mut shelf, events) = (Memory::default(), of_every_kind());
    let head = append(&mut shelf, &keys, &SystemRandom::default(), &events, &mut Known::default()).expect("it appends");
    let mut lines = Vec::new();
    assert_eq!(export(&shelf, &keys, 0, head.size, &mut lines).expect("it exports"), head);
    let lines = String::from_utf8(lines).expect("text");
    assert_eq!(lines.lines().count(), events.len());
    let validator = crate::validate::Validator::builder().build().expect("a validator");
    let agent = |line: &str, code: &str| line.contains(&format!(r#"DCM","code":"{code}"}}]}},"who":"#));
    for (event, line) in events.iter().zip(lines.lines()) {
        let report = validator.validate(line.as_bytes());
        let errors: Vec<_> = report.issues().iter().filter(|issue| issue.severity <= Severity::Error).collect();
        assert!(errors.is_empty(), "{} {errors:?}", event.kind.name());
        // Three letters alone stand in the base64 of some proof now and then.
        assert!(
            !line.contains("record-") && !line.contains("planted-") && !line.contains('\u{202e}'),
            "no id, no query"
        );
        assert_eq!(line.contains("BALP"), !balp::profile(event).is_empty());
        assert!(event.failed.is_none() || !line.contains("BALP") && line.contains(r#""outcomeDesc":"600""#));
        assert_eq!(
            line.contains(r#""type":{"system":"http://terminology.hl7.org/CodeSystem/audit-entity-type","code":"1"}"#),
            event.patient > 0
        );
        // Of every pattern: a client and a server, each with a network; a user who asked; something touched.
        assert!(agent(line, "110152") && agent(line, "110153"));
        assert_eq!(line.matches(r#""requestor":true"#).count(), 1);
        assert_eq!(line.matches(r#""network":{"#).count(), 2);
        let (client_first, action) = match event.kind {
            EventKind::Read | EventKind::History | EventKind::Chart => ("110152", 'R'),
            EventKind::Search => ("110153", 'E'),
            EventKind::Create => ("110153", 'C'),
            EventKind::Update => ("110153", 'U'),
            EventKind::Delete => ("110153", 'D'),
            EventKind::Export | EventKind::Disclose => ("110152", 'R'),
            EventKind::Import => ("110153", 'C'),
            _ => continue,
        };
        let other = if client_first == "110152" { "110153" } else { "110152" };
        assert!(line.find(client_first) < line.find(other), "{}", event.kind.name());
        assert!(line.contains(&format!(r#""action":"{action}""#)));
    }
    let said: std::collections::BTreeSet<String> = events.iter().map(balp::profile).collect();
    let expected = [
        "",
        "IHE.BasicAudit.Create",
        "IHE.BasicAudit.Delete",
        "IHE.BasicAudit.PatientCreate",
        "IHE.BasicAudit.PatientDelete",
        "IHE.BasicAudit.PatientQuery",
        "IHE.BasicAudit.PatientRead",
        "IHE.BasicAudit.PatientUpdate",
        "IHE.BasicAudit.PrivacyDisclosure.Recipient",
        "IHE.BasicAudit.PrivacyDisclosure.Source",
        "IHE.BasicAudit.Query",
        "IHE.BasicAudit.Read",
        "IHE.BasicAudit.Update",
    ];
    assert!(said.iter().eq(expected.iter()), "{said:?}");
}

#[test]
fn what_proves_one_event_of_a_million_is_at_most_700_bytes() {
    // The path is as long as the tree is high, and a part of the log proves as the whole does.
    assert!(20 * 32 + 16 <= 700 && 1_000_000_u64.next_power_of_two() == 1 << 20);
    let keys = keys();
    let shelf = log_by(&keys, 300, 100);
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    export(&shelf, &keys, 0, 300, &mut whole).expect("it exports");
    export(&shelf, &keys, 120, 250, &mut part).expect("it exports");
    let whole: Vec<&[u8]> = whole.split(|byte| *byte == b'\n').collect();
    assert!(part.split(|byte| *byte == b'\n').take(130).eq(whole[120..250].iter().copied()));
    assert_eq!(export(&shelf, &keys, 0, 301, &mut Vec::new()).unwrap_err().code(), Code::NotFound);
    assert_eq!(export(&shelf, &keys, 9, 9, &mut Vec::new()).unwrap_err().code(), Code::NotFound);
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
    fn events_round_trip(at in any::<i64>(), texts in prop::collection::vec("\\PC{0,40}", 10), failed in prop::option::of(1_u16..1000), numbers in any::<(u64, u64, u64, u32, u32)>(), digest in 0_u8..3, mut patients in prop::collection::vec(1_u32.., 0..20)) {
        let keys = keys();
        patients.sort_unstable();
        patients.dedup();
        let text = |n: usize| texts[n].clone();
        let event = Event {
            failed,
            session: numbers.0,
            commit: numbers.1,
            witness: [digest / 2; 32],
            break_glass: numbers.2,
            patient: numbers.3,
            count: numbers.4.into(),
            policy: numbers.4,
            digest: [digest; 32],
            patients,
            on_behalf_of: text(1), app: text(2), device: text(3), address: text(4), labels: text(5), recipient: text(6), reason: text(7), query: text(8),
            resource: Some(ResourceType::PATIENT),
            pseudonym: Event::pseudonym_of(&keys, &text(9)),
            version: 3, compartment: 1, rule: 7, clock: 1, ground: 2, role: 4, purpose: 5,
            ..Event::new(EventKind::Search, Timestamp(at), &text(0))
        }.bounded();
        let block = Block::new(9, &[Event { id: text(9), pseudonym: [0; 12], ..event.clone() }], &keys, &SystemRandom::default()).expect("a block");
        prop_assert!(block.check().is_ok());
        prop_assert_eq!(block.event(0).expect("there"), event);
    }

    #[test]
    fn no_bytes_make_reading_an_event_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), beside in prop::collection::vec(any::<u8>(), 0..9)) {
        if let Some(first) = bytes.first_mut() {
            *first = 3;
        }
        if bytes.len() > 44 {
            bytes[44] &= 15;
        }
        let _ = Event::decode(&bytes, &beside);
    }
}
