//! Any bytes: reading a document never panics, and what was read can be written and read again.
#![no_main]

use ehrcore::json::read_document;
use ehrcore::limits::Limits;
use ehrcore::record::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = read_document(bytes, &Limits::DEFAULT) else { return };
    let value = Value::from(document.root());
    let written = value.to_json();
    let again = read_document(&written, &Limits::DEFAULT).expect("what we write can be read");
    assert!(Value::from(again.root()) == value, "writing changed the value");
});
