//! One clinic day in Rust: make a store, write a patient, see a bad record refused, search, read back, verify.
#![allow(clippy::print_stdout)]

use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, Options, SearchOptions, VerifyLevel};
use ehrcore::error::Code;
use ehrcore::keys::RawKey;
use ehrcore::schema::ResourceType;

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}],"birthDate":"1970-01-01"}"#;
const WRONG: &[u8] = br#"{"resourceType":"Patient","id":"p2","birthDate":"1970-13-01"}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os().nth(1).ok_or("usage: clinic STORE-FILE")?;
    let key = RawKey::new([7; 32]); // a product implements KeySource over its key management
    let ehr = Ehr::create(file, &key, Options::default())?;

    let session = ehr.session(Actor::new("dr-grey", Role::Physician), Purpose::Treatment)?;
    println!("stored version {}", session.write(PATIENT)?.version);

    let refused = session.write(WRONG).expect_err("a thirteenth month is refused");
    println!("refused, as it should be: {refused}");
    for issue in refused.issues() {
        println!("  line {}, column {}: {} {}", issue.line, issue.column, issue.path, issue.message);
    }

    let patient = ResourceType::from_name("Patient").ok_or("a type of R4")?;
    let found = session.search(patient, "name=doe&birthdate=lt1980", SearchOptions::default())?;
    assert_eq!(found.records.len(), 1);
    assert_eq!(session.read(patient, "p1")?.bytes(), PATIENT);
    println!("found, and read back equal");

    let denied = session.verify(VerifyLevel::Log, None).expect_err("a physician may not verify the audit log");
    assert_eq!(denied.code(), Code::Denied);
    session.close()?;

    let office = ehr.session(Actor::new("office", Role::Administrator), Purpose::Operations)?;
    let verified = office.verify(VerifyLevel::Records, None)?;
    println!("{} audit events and {} records are as they were written", verified.events, verified.records);
    for (sequence, event) in office.audit(0, 100)? {
        println!("  {sequence} {} by {}", event.kind.name(), event.actor);
    }
    office.close()?;
    Ok(())
}
