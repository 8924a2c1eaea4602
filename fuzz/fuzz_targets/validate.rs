//! Any bytes as a record, and where they have two lines, the first as a definition that the second is checked against:
//! validation never panics, comes to an end, and says the same twice.
#![no_main]

use ehrcore::record::Record;
use ehrcore::time::Timestamp;
use ehrcore::validate::{Options, Validator};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fn options() -> Options {
    let mut options = Options::default();
    options.now = Some(Timestamp(1_795_514_400_000_000));
    options.must_support = true;
    options
}

fuzz_target!(|bytes: &[u8]| {
    static R4: OnceLock<Validator> = OnceLock::new();
    let r4 = R4.get_or_init(|| Validator::builder().options(options()).build().expect("R4 alone"));
    let report = r4.validate(bytes);
    assert_eq!(report.issues(), r4.validate(bytes).issues());

    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (first, second) = (&bytes[..end], &bytes[end + 1..]);
    let Ok(definition) = Record::parse(first) else { return };
    let url = definition.root().text("url").map(|url| url.into_owned());
    let Ok(validator) = Validator::builder().definition(definition.clone()).options(options()).build() else { return };
    let _ = validator.validate(first);
    let _ = validator.validate(second);
    if let (Some(url), Ok(record)) = (url, Record::parse(second)) {
        let _ = validator.validate_against(&record, &[url.as_str()]);
        let _ = validator.validate_against(&definition, &[url.as_str()]);
    }
});
