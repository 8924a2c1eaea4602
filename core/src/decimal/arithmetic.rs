//! Exact arithmetic: what comes out is the true result, or None where there is none within the bounds.
//!
//! A sum keeps the digits of the more exact part, a product the digits of both (as FHIRPath and UCUM expect). Only
//! division rounds, to as many digits as the caller says.

use super::Decimal;
use num_bigint::{BigInt, BigUint, Sign};
use std::cmp::Ordering;

/// No operand and no result has more digits than this before or after its point.
const MOST_DIGITS: i64 = 4_096;

/// `whole` divided by ten to the `scale`.
pub(crate) struct Scaled {
    pub(crate) whole: BigInt,
    pub(crate) scale: u32,
}

impl Decimal {
    /// The number as a whole one.
    pub fn from_i64(number: i64) -> Self {
        Decimal(number.to_string().into())
    }
    /// The whole number it is equal to, where it is one and fits.
    pub fn to_i64(&self) -> Option<i64> {
        let Scaled { whole, scale } = self.scaled()?;
        let (whole, rest) = split(&whole, scale);
        if is_zero(&rest) { i64::try_from(whole).ok() } else { None }
    }
    /// Whether it is equal to 0.
    pub fn is_zero(&self) -> bool {
        self.cmp_value(&Decimal("0".into())) == Ordering::Equal
    }
    /// Whether it is less than 0.
    pub fn is_negative(&self) -> bool {
        self.cmp_value(&Decimal("0".into())) == Ordering::Less
    }
    /// Digits after the point as given; an exponent moves the point. None beyond 4,096 digits.
    pub fn scale(&self) -> Option<u32> {
        Some(self.scaled()?.scale)
    }
    /// `self + other`.
    pub fn add(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = aligned(self, other)?;
        Self::from_scaled(&(a + b), scale)
    }
    /// `self - other`.
    pub fn sub(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = aligned(self, other)?;
        Self::from_scaled(&(a - b), scale)
    }
    /// `self * other`.
    pub fn mul(&self, other: &Self) -> Option<Self> {
        let (a, b) = (self.scaled()?, other.scaled()?);
        Self::from_scaled(&(a.whole * b.whole), a.scale + b.scale)
    }
    /// `self / other`, rounded half away from zero to `digits` after the point; without zeros at the end. None for a
    /// divisor of 0.
    pub fn div(&self, other: &Self, digits: u32) -> Option<Self> {
        let (a, b, _) = aligned(self, other)?;
        if is_zero(&b) || i64::from(digits) > MOST_DIGITS {
            return None;
        }
        Self::from_scaled(&rounded_quotient(&(a * ten_to(digits)), &b), digits)?.normalize()
    }
    /// The whole part of `self / other`, cut towards zero. None for a divisor of 0.
    pub fn div_int(&self, other: &Self) -> Option<Self> {
        let (a, b, _) = aligned(self, other)?;
        if is_zero(&b) { None } else { Self::from_scaled(&(a / b), 0) }
    }
    /// What is left of `self` after [`Decimal::div_int`], with the sign of `self`. None for a divisor of 0.
    pub fn rem(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = aligned(self, other)?;
        if is_zero(&b) { None } else { Self::from_scaled(&(a % b), scale) }
    }
    /// `-self`.
    pub fn neg(&self) -> Self {
        match self.0.strip_prefix('-') {
            Some(rest) => Decimal(rest.into()),
            None if self.is_zero() => self.clone(),
            None => Decimal(format!("-{}", self.0).into()),
        }
    }
    /// The size without the sign.
    pub fn abs(&self) -> Self {
        Decimal(self.0.strip_prefix('-').unwrap_or(&self.0).into())
    }
    /// The whole part, cut towards zero.
    pub fn truncate(&self) -> Option<Self> {
        let Scaled { whole, scale } = self.scaled()?;
        Self::from_scaled(&split(&whole, scale).0, 0)
    }
    /// The greatest whole number that is not above it.
    pub fn floor(&self) -> Option<Self> {
        let Scaled { whole, scale } = self.scaled()?;
        let (cut, rest) = split(&whole, scale);
        Self::from_scaled(&if rest.sign() == Sign::Minus { cut - 1 } else { cut }, 0)
    }
    /// The least whole number that is not below it.
    pub fn ceiling(&self) -> Option<Self> {
        let Scaled { whole, scale } = self.scaled()?;
        let (cut, rest) = split(&whole, scale);
        Self::from_scaled(&if rest.sign() == Sign::Plus { cut + 1 } else { cut }, 0)
    }
    /// Rounded half away from zero to `digits` after the point. Fewer digits stay as they are.
    pub fn round(&self, digits: u32) -> Option<Self> {
        let Scaled { whole, scale } = self.scaled()?;
        if scale <= digits {
            return Self::from_scaled(&whole, scale);
        }
        Self::from_scaled(&rounded_quotient(&whole, &ten_to(scale - digits)), digits)
    }
    /// To a whole power; a negative one divides 1 by the result, rounded to `digits` after the point.
    pub fn powi(&self, power: i32, digits: u32) -> Option<Self> {
        let Scaled { whole, scale } = self.scaled()?;
        let times = power.unsigned_abs();
        let longest = whole.bits().max(u64::from(scale)).max(1);
        if longest.saturating_mul(u64::from(times)) > 4 * MOST_DIGITS as u64 {
            return None;
        }
        let result = Self::from_scaled(&whole.pow(times), scale * times)?;
        if power >= 0 { Some(result) } else { Decimal("1".into()).div(&result, digits) }
    }
    /// The same value without an exponent and without zeros at the end of the fraction.
    pub fn normalize(&self) -> Option<Self> {
        let Scaled { mut whole, mut scale } = self.scaled()?;
        if is_zero(&whole) {
            return Some(Decimal("0".into()));
        }
        let ten = BigInt::from(10);
        while scale > 0 && is_zero(&(&whole % &ten)) {
            whole /= &ten;
            scale -= 1;
        }
        Self::from_scaled(&whole, scale)
    }
    /// `whole` divided by ten to the `scale`, exactly.
    pub(crate) fn from_scaled(whole: &BigInt, scale: u32) -> Option<Decimal> {
        let digits = whole.magnitude().to_str_radix(10);
        let scale = scale as usize;
        if digits.len().max(scale) as i64 > MOST_DIGITS {
            return None;
        }
        let sign = if whole.sign() == Sign::Minus { "-" } else { "" };
        if scale == 0 {
            return Some(Decimal(format!("{sign}{digits}").into()));
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (before, after) = digits.split_at(digits.len() - scale);
        Some(Decimal(format!("{sign}{before}.{after}").into()))
    }
    /// As a whole number and how many digits of it are after the point.
    pub(crate) fn scaled(&self) -> Option<Scaled> {
        let (mantissa, exponent) = self.0.split_once(['e', 'E']).unwrap_or((&self.0, "0"));
        let exponent: i64 = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() <= MOST_DIGITS)?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if mantissa.len() as i64 > MOST_DIGITS {
            return None;
        }
        let digits = BigInt::parse_bytes(format!("{whole}{fraction}").as_bytes(), 10)?;
        let scale = fraction.len() as i64 - exponent;
        Some(match u32::try_from(scale) {
            Ok(scale) => Scaled { whole: digits, scale },
            Err(_) => Scaled { whole: digits * ten_to(scale.unsigned_abs() as u32), scale: 0 },
        })
    }
}

fn is_zero(number: &BigInt) -> bool {
    number.sign() == Sign::NoSign
}

fn ten_to(power: u32) -> BigInt {
    BigInt::from(BigUint::from(10_u8).pow(power))
}

/// Both over the same power of ten.
fn aligned(a: &Decimal, b: &Decimal) -> Option<(BigInt, BigInt, u32)> {
    let (a, b) = (a.scaled()?, b.scaled()?);
    let scale = a.scale.max(b.scale);
    Some((a.whole * ten_to(scale - a.scale), b.whole * ten_to(scale - b.scale), scale))
}

/// The whole part and the rest, both with the sign of `whole`.
fn split(whole: &BigInt, scale: u32) -> (BigInt, BigInt) {
    let unit = ten_to(scale);
    (whole / &unit, whole % &unit)
}

/// `a / b`, rounded half away from zero.
fn rounded_quotient(a: &BigInt, b: &BigInt) -> BigInt {
    let (cut, rest) = (a / b, a % b);
    if rest.magnitude() * 2_u8 < *b.magnitude() {
        return cut;
    }
    if a.sign() == b.sign() { cut + 1 } else { cut - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_json(text.as_bytes()).expect("a JSON number")
    }
    fn text(found: Option<Decimal>) -> String {
        found.map_or_else(|| "none".to_owned(), |decimal| decimal.to_string())
    }

    #[test]
    fn sums_and_products_keep_their_digits() {
        assert_eq!(text(decimal("1.10").add(&decimal("2"))), "3.10");
        assert_eq!(text(decimal("0.1").sub(&decimal("0.30"))), "-0.20");
        assert_eq!(text(decimal("1.20").mul(&decimal("-3.0"))), "-3.600");
        assert_eq!(text(decimal("1.2e3").add(&decimal("0.5"))), "1200.5");
        assert_eq!(text(decimal("1e-3").mul(&decimal("1e3"))), "1.000");
    }

    #[test]
    fn division_rounds_to_the_digits_asked_for_and_zero_divides_nothing() {
        assert_eq!(text(decimal("1").div(&decimal("3"), 8)), "0.33333333");
        assert_eq!(text(decimal("2").div(&decimal("-3"), 4)), "-0.6667");
        assert_eq!(text(decimal("1.0").div(&decimal("4"), 8)), "0.25");
        assert_eq!(text(decimal("1").div(&decimal("0.00"), 8)), "none");
        assert_eq!(text(decimal("7.5").div_int(&decimal("2"))), "3");
        assert_eq!(text(decimal("-7.5").div_int(&decimal("2"))), "-3");
        assert_eq!(text(decimal("-7.5").rem(&decimal("2"))), "-1.5");
        assert_eq!(text(decimal("1").rem(&decimal("0"))), "none");
    }

    #[test]
    fn whole_numbers_below_above_and_nearest() {
        for (given, floor, ceiling, truncate, round) in [
            ("1.5", "1", "2", "1", "2"),
            ("-1.5", "-2", "-1", "-1", "-2"),
            ("2.0", "2", "2", "2", "2"),
            ("-0.4", "-1", "0", "0", "0"),
            ("1.2E+2", "120", "120", "120", "120"),
        ] {
            let given = decimal(given);
            assert_eq!(text(given.floor()), floor);
            assert_eq!(text(given.ceiling()), ceiling);
            assert_eq!(text(given.truncate()), truncate);
            assert_eq!(text(given.round(0)), round);
        }
        assert_eq!(text(decimal("3.14159").round(3)), "3.142");
        assert_eq!(text(decimal("3.1").round(3)), "3.1");
    }

    #[test]
    fn powers_are_exact_and_bounded() {
        assert_eq!(text(decimal("1.1").powi(3, 8)), "1.331");
        assert_eq!(text(decimal("2").powi(-2, 8)), "0.25");
        assert_eq!(text(decimal("5").powi(0, 8)), "1");
        assert_eq!(text(decimal("0").powi(-1, 8)), "none");
        assert_eq!(text(decimal("9.9").powi(i32::MAX, 8)), "none");
    }

    #[test]
    fn an_exponent_out_of_all_bounds_is_no_work() {
        let huge = decimal("1e99999999999999999999");
        assert_eq!(text(huge.add(&decimal("1"))), "none");
        assert_eq!(text(decimal("1e-999999999").floor()), "none");
        assert_eq!(huge.to_i64(), None);
    }

    #[test]
    fn whole_numbers_are_known_as_such() {
        assert_eq!(decimal("12.00").to_i64(), Some(12));
        assert_eq!(decimal("1.2e1").to_i64(), Some(12));
        assert_eq!(decimal("12.5").to_i64(), None);
        assert_eq!(decimal("9223372036854775808").to_i64(), None);
        assert_eq!(Decimal::from_i64(i64::MIN).to_i64(), Some(i64::MIN));
        assert!(decimal("-0.00").is_zero() && !decimal("-0.00").is_negative());
        assert!(decimal("-0.01").is_negative());
        assert_eq!(decimal("-0.01").abs().to_string(), "0.01");
        assert_eq!(decimal("0.0").neg().to_string(), "0.0");
        assert_eq!(decimal("1.50").scale(), Some(2));
        assert_eq!(text(decimal("1.500e1").normalize()), "15");
        assert_eq!(text(decimal("-0.0").normalize()), "0");
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(a in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?", b in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?") {
            let (a, b) = (decimal(&a), decimal(&b));
            let back = a.add(&b).and_then(|sum| sum.sub(&b)).expect("within the bounds");
            prop_assert_eq!(back.cmp_value(&a), Ordering::Equal);
        }

        #[test]
        fn quotient_and_rest_make_the_dividend(a in "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,6})?", b in "-?[1-9][0-9]{0,6}(\\.[0-9]{1,6})?") {
            let (a, b) = (decimal(&a), decimal(&b));
            let (quotient, rest) = (a.div_int(&b).expect("no zero"), a.rem(&b).expect("no zero"));
            let again = quotient.mul(&b).and_then(|product| product.add(&rest)).expect("within the bounds");
            prop_assert_eq!(again.cmp_value(&a), Ordering::Equal);
            prop_assert_eq!(rest.abs().cmp_value(&b.abs()), Ordering::Less);
        }
    }
}
