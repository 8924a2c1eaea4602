//! No audit event, no access: with a disk that fails, nothing is shown and nothing is written.

use super::{Actor, Ehr, Inner, Options};
use crate::access::{Purpose, Role};
use crate::error::Code;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::schema::ResourceType;
use crate::store::Store;
use crate::store::testing::FaultyFile;
use crate::time::{ManualClock, Timestamp};
use std::sync::Arc;

const RECORD: &[u8] = br#"{"resourceType":"Patient","id":"p"}"#;

#[test]
fn where_no_event_can_be_written_nothing_is_shown_and_nothing_is_stored() {
    let file = FaultyFile::default();
    let random = || Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(file.clone()), &RawKey::new([1; 32]), random(), 1 << 20);
    let store = store.expect("a store in memory");
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let ehr = Ehr(Arc::new(Inner::new(store, Options { clock: clock.clone(), ..Options::default() })));
    let session = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    session.write(RECORD).expect("it is valid");
    session.read(ResourceType::PATIENT, "p").expect("there");

    file.fail_after(0);
    clock.advance(super::PENDING_MICROS);
    assert_eq!(session.read(ResourceType::PATIENT, "p").unwrap_err().code(), Code::AuditUnavailable);
    // The failed write has closed the engine: from here on either the log or the store says no.
    assert!(session.history(ResourceType::PATIENT, "p").is_err());
    assert!(session.chart("p").is_err() && session.export_chart("p").is_err());
    assert!(session.search(ResourceType::PATIENT, "", super::SearchOptions::default()).is_err());
    assert!(session.write(br#"{"resourceType":"Patient","id":"q"}"#).is_err());
    drop((session, ehr));

    let disk = Box::new(FaultyFile::with(file.bytes()));
    let store = Store::open_on(disk, &RawKey::new([1; 32]), random(), 1 << 20, false).expect("the store");
    let snapshot = store.snapshot().expect("a view");
    assert!(snapshot.current(ResourceType::PATIENT, "p").expect("readable").is_some());
    assert!(snapshot.current(ResourceType::PATIENT, "q").expect("readable").is_none());
}

#[test]
fn events_that_cannot_be_written_do_not_pile_up() {
    let file = FaultyFile::default();
    let random = Arc::new(SystemRandom::default());
    let store = Store::create_on(Box::new(file.clone()), &RawKey::new([1; 32]), random, 1 << 20);
    let store = store.expect("a store in memory");
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let ehr = Ehr(Arc::new(Inner::new(store, Options { clock: clock.clone(), ..Options::default() })));
    let session = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    session.write(RECORD).expect("it is valid");
    let analyst = ehr.session(Actor::new("ana", Role::Analyst), Purpose::Research).expect("a session");
    file.fail_after(0);
    clock.advance(super::PENDING_MICROS);
    for _ in 0..3 * super::MOST_PENDING {
        let code = analyst.read(ResourceType::PATIENT, "p").unwrap_err().code();
        assert!(matches!(code, Code::AuditUnavailable | Code::Denied), "{code}");
        assert!(ehr.0.lock().len() <= super::MOST_PENDING);
    }
    assert_eq!(ehr.0.lock().len(), super::MOST_PENDING);
}
