//! Exact decimals that keep their digits: 1.0 and 1.00 are equal in value and different as given.

mod arithmetic;

use std::cmp::Ordering;
use std::fmt;

/// A decimal number as given: its text, read exactly.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

impl Decimal {
    /// Reads a JSON number. None where `text` is none.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        if !is_json_number(text) {
            return None;
        }
        std::str::from_utf8(text).ok().map(|text| Decimal(text.into()))
    }
    /// The digits as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The nearest `f64`; for plots and estimates only.
    pub fn to_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
    /// Compares the values exactly: 1.0 equals 1.00 and 10e-1.
    pub fn cmp_value(&self, other: &Self) -> Ordering {
        let (a, b) = (self.parts(), other.parts());
        match (a.zero(), b.zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return if b.negative { Ordering::Greater } else { Ordering::Less },
            (false, true) => return if a.negative { Ordering::Less } else { Ordering::Greater },
            (false, false) => {}
        }
        match (a.negative, b.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (negative, _) => {
                let size = a.point.cmp(&b.point).then_with(|| {
                    let length = a.digits.len().max(b.digits.len());
                    let padded = |digits: &[u8], i: usize| digits.get(i).copied().unwrap_or(b'0');
                    (0..length)
                        .map(|i| padded(&a.digits, i).cmp(&padded(&b.digits, i)))
                        .find(|o| o.is_ne())
                        .unwrap_or(Ordering::Equal)
                });
                if negative { size.reverse() } else { size }
            }
        }
    }
    /// Sign, digits without leading zeros, and where the point is: 0.d1d2d3... times ten to the `point`.
    fn parts(&self) -> Parts {
        let (negative, rest) = match self.0.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, &*self.0),
        };
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        // An exponent beyond i64 is further away than any digits could bring back.
        let exponent =
            exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 });
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = all.iter().take_while(|d| **d == b'0').count();
        Parts {
            negative,
            point: exponent.saturating_add(whole.len() as i64 - leading as i64),
            digits: all[leading..].to_vec(),
        }
    }
}

struct Parts {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl Parts {
    fn zero(&self) -> bool {
        self.digits.is_empty()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decimal(..)")
    }
}

/// Whether `text` is a JSON number (RFC 8259, section 6).
pub(crate) fn is_json_number(text: &[u8]) -> bool {
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let digits = |rest: &mut &[u8]| {
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        *rest = &rest[count..];
        count
    };
    let leading_zero = rest.first() == Some(&b'0');
    let whole = digits(&mut rest);
    if whole == 0 || leading_zero && whole > 1 {
        return false;
    }
    if let Some(after) = rest.strip_prefix(b".") {
        rest = after;
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    if let Some(after) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        rest = after.strip_prefix(b"+").or_else(|| after.strip_prefix(b"-")).unwrap_or(after);
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_json(text.as_bytes()).expect("a JSON number")
    }

    #[test]
    fn digits_stay_and_values_compare() {
        for text in ["1.0", "1.00", "0.700", "1.2E+2", "1234567890.123456789012345678", "-0"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        for (a, b) in [("1.0", "1.00"), ("10e-1", "1"), ("-0", "0.000"), ("1.2E+2", "120"), ("0e5", "0")] {
            assert_eq!(decimal(a).cmp_value(&decimal(b)), Ordering::Equal);
        }
        for (a, b) in [("0.9", "1"), ("-2", "1"), ("-2", "-1"), ("1e-400", "1e-399"), ("9", "1e99999999999999999999")] {
            assert_eq!(decimal(a).cmp_value(&decimal(b)), Ordering::Less);
            assert_eq!(decimal(b).cmp_value(&decimal(a)), Ordering::Greater);
        }
    }

    #[test]
    fn what_is_no_json_number_is_refused() {
        for text in ["", "-", "01", "1.", ".5", "1e", "+1", "1e+", "NaN", "0x1", "1 "] {
            assert!(Decimal::from_json(text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn comparison_agrees_with_integers_at_every_scale(a in -100_000_i64..100_000, b in -100_000_i64..100_000, scale in 0_u32..8) {
            let scaled = |n: i64| decimal(&format!("{n}e-{scale}"));
            prop_assert_eq!(scaled(a).cmp_value(&scaled(b)), a.cmp(&b));
        }
    }
}
