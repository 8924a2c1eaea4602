//! Any bytes: reading XML never panics, and what was read and can be said in XML comes back from it the same.
#![no_main]

use ehrcore::limits::Limits;
use ehrcore::xml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = xml::read(bytes, &Limits::DEFAULT) else { return };
    let mut written = Vec::new();
    if xml::write(&parsed.record, &mut written).is_ok() {
        let again = xml::read(&written, &Limits::DEFAULT).expect("what we write can be read");
        assert!(again.record.canonical() == parsed.record.canonical(), "writing changed the record");
    }
});
