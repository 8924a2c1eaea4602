//! Any text: a unit is read or refused, and what is read has a canonical form that is its own, or an error.
#![no_main]

use ehrcore::decimal::Decimal;
use ehrcore::units::{Unit, canonical, convert};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(unit) = Unit::parse(text) else { return };
    assert!(!unit.name().is_empty());
    let one = Decimal::from_i64(1);
    let Ok((value, base)) = canonical(&one, text) else { return };
    assert_eq!(canonical(&value, &base).ok(), Some((value, base.clone())), "a canonical form is its own");
    let _ = convert(&one, &base, text); // a number or an error
});
