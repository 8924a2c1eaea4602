//! Any text as an expression over one record: never a panic, and an end in bounded time.
#![no_main]

use ehrcore::fhirpath::{Expression, Scope};
use ehrcore::record::Record;
use ehrcore::schema::type_by_name;
use ehrcore::time::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

const RECORD: &[u8] = br##"{"resourceType":"Patient","id":"p","contained":[{"resourceType":"Organization","id":"o","name":"x"}],
  "managingOrganization":{"reference":"#o"},"active":true,"birthDate":"1974-12-25","_birthDate":{"extension":[{"url":"u",
  "valueDateTime":"1974-12-25T14:35:45-05:00"}]},"multipleBirthInteger":2,"name":[{"use":"official","given":["A","B"]}],
  "extension":[{"url":"q","valueQuantity":{"value":1.50,"system":"http://unitsofmeasure.org","code":"mg"}}]}"##;

fuzz_target!(|bytes: &[u8]| {
    static PATIENT: OnceLock<Record> = OnceLock::new();
    let record = PATIENT.get_or_init(|| Record::parse(RECORD).expect("a resource"));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Expression::compile_for(text, type_by_name("Patient").expect("a type of R4"));
    let Ok(expression) = Expression::compile(text) else { return };
    let scope = Scope::new(record.root()).now(Timestamp(1_795_514_400_000_000)).steps(100_000);
    if let Ok(found) = expression.evaluate(&scope) {
        found.iter().for_each(|item| drop((item.json(), item.text(), item.type_name())));
    }
    let _ = expression.holds(&scope);
});
