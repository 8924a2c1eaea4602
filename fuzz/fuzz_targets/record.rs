//! Any bytes, and any bytes as the inside of a Patient: reading a record never panics; writing is stable; a finding has a
//! path; the canonical form is a fixed point.
#![no_main]

use ehrcore::json::{self, Parsed};
use ehrcore::limits::Limits;
use ehrcore::record::Record;
use ehrcore::validate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut patient = br#"{"resourceType":"Patient","#.to_vec();
    patient.extend_from_slice(bytes);
    patient.push(b'}');
    check(&patient);
});

fn check(bytes: &[u8]) {
    let Ok(Parsed { record, report }) = json::read(bytes, &Limits::DEFAULT) else { return };
    assert_eq!(record.original(), bytes);
    let mut written = Vec::new();
    record.write_json(&mut written);
    let again = Record::parse(&written).expect("what we write can be read");
    assert!(record.to_value() == again.to_value(), "writing changed the record");
    let canonical = record.canonical();
    let fixed = Record::parse(&canonical).expect("the canonical form can be read").canonical();
    assert!(canonical == fixed, "the canonical form is no fixed point");
    assert!(report.issues().iter().all(|issue| !issue.path.is_empty() && issue.line > 0));
    let outcome = json::read(&validate::operation_outcome(&report), &Limits::DEFAULT).expect("an OperationOutcome");
    assert!(outcome.report.issues().is_empty(), "an OperationOutcome of ours conforms");
}
