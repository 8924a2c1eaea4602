//! Exact fractions of whole numbers of any size, within a bound that keeps every operation cheap.

use crate::decimal::Decimal;
use crate::error::{Code, Result};
use num_bigint::{BigInt, BigUint, Sign};
use std::cmp::Ordering;

/// No numerator and no denominator is longer than this, in bits (about 1,200 digits).
const MOST_BITS: u64 = 4_096;

/// No number that comes in has more digits or a larger power of ten than this.
const MOST_DIGITS: usize = 1_000;

/// A result whose digits end goes out whole up to so many digits after its point.
const WHOLE_DIGITS: u32 = 100;

/// A result whose digits do not end is rounded to so many digits.
const ROUNDED_DIGITS: i64 = 34;

/// An exact fraction; the denominator is above 0. Reduced only where it grows, and before it is compared or written.
#[derive(Clone, Debug)]
pub(super) struct Ratio {
    numerator: BigInt,
    denominator: BigUint,
}

impl Ratio {
    pub(super) fn one() -> Self {
        Ratio { numerator: BigInt::from(1), denominator: BigUint::from(1_u8) }
    }

    /// Reads a JSON number, or plain digits with zeros in front.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let limit = || Code::UnitLimit.error().expected("a number of at most 1,000 digits");
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let power = exponent.parse::<i64>().map_err(|_| limit())?;
        if mantissa.len() > MOST_DIGITS || power.unsigned_abs() > MOST_DIGITS as u64 {
            return Err(limit());
        }
        let digits = [whole, fraction].concat();
        let numerator = digits.parse::<BigInt>().map_err(|_| limit())?;
        let parsed = Ratio { numerator, denominator: BigUint::from(1_u8) };
        parsed.times_ten_to(power - fraction.len() as i64)
    }

    /// The exact value of a decimal.
    pub(super) fn of(value: &Decimal) -> Result<Self> {
        Self::parse(value.as_str())
    }

    /// The value of an `f64`, to 15 significant digits. An error where it is not finite.
    pub(super) fn of_f64(value: f64) -> Result<Self> {
        if !value.is_finite() {
            return Err(Code::UnitRange.error());
        }
        Self::parse(&format!("{value:.14e}"))
    }

    /// The nearest `f64`, to its own precision.
    pub(super) fn to_f64(&self) -> f64 {
        self.rounded(20).parse().unwrap_or(f64::NAN)
    }

    pub(super) fn is_zero(&self) -> bool {
        self.numerator.sign() == Sign::NoSign
    }

    pub(super) fn times(&self, other: &Self) -> Result<Self> {
        Ratio { numerator: &self.numerator * &other.numerator, denominator: &self.denominator * &other.denominator }
            .bounded()
    }

    /// An error for a divisor of 0.
    pub(super) fn over(&self, other: &Self) -> Result<Self> {
        self.times(&other.inverse()?)
    }

    pub(super) fn plus(&self, other: &Self) -> Result<Self> {
        let [a, b] = [self, other].map(|ratio| BigInt::from(ratio.denominator.clone()));
        Ratio {
            numerator: &self.numerator * b + &other.numerator * a,
            denominator: &self.denominator * &other.denominator,
        }
        .bounded()
    }

    pub(super) fn negated(&self) -> Self {
        Ratio { numerator: -&self.numerator, denominator: self.denominator.clone() }
    }

    /// To a whole power.
    pub(super) fn power(&self, exponent: i32) -> Result<Self> {
        let base = if exponent < 0 { self.inverse()? } else { self.reduced() };
        let times = exponent.unsigned_abs();
        if base.bits().saturating_mul(u64::from(times)) > 4 * MOST_BITS {
            return Err(limit());
        }
        Ratio { numerator: base.numerator.pow(times), denominator: base.denominator.pow(times) }.bounded()
    }

    pub(super) fn times_ten_to(&self, power: i64) -> Result<Self> {
        let Ok(exponent) = u32::try_from(power.unsigned_abs()) else { return Err(limit()) };
        if exponent > 2 * MOST_DIGITS as u32 {
            return Err(limit());
        }
        let ten = BigUint::from(10_u8).pow(exponent);
        if power < 0 {
            Ratio { numerator: self.numerator.clone(), denominator: &self.denominator * ten }.bounded()
        } else {
            Ratio { numerator: &self.numerator * BigInt::from(ten), denominator: self.denominator.clone() }.bounded()
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let [a, b] = [self, other].map(|ratio| BigInt::from(ratio.denominator.clone()));
        (&self.numerator * b).cmp(&(&other.numerator * a))
    }

    /// As a decimal: exact where its digits end within 100 after the point, else rounded half to even to 34 digits.
    pub(super) fn to_decimal(&self) -> Result<Decimal> {
        let text = self.exact().unwrap_or_else(|| self.rounded(ROUNDED_DIGITS));
        Decimal::from_json(text.as_bytes()).ok_or_else(|| Code::Internal.error())
    }

    /// The digits, where they end soon.
    fn exact(&self) -> Option<String> {
        let scaled = self.numerator.magnitude() * BigUint::from(10_u8).pow(WHOLE_DIGITS);
        let whole = &scaled / &self.denominator;
        if &whole * &self.denominator != scaled {
            return None;
        }
        Some(written(self.numerator.sign(), &whole.to_string(), -i64::from(WHOLE_DIGITS)))
    }

    /// Rounded half to even to so many significant digits.
    fn rounded(&self, digits: i64) -> String {
        // Two digits more than asked for, and then what is left decides.
        let length = |number: &BigUint| (number.bits() as f64 * std::f64::consts::LOG10_2) as i64;
        let shift = digits + 2 - (length(self.numerator.magnitude()) - length(&self.denominator));
        let ten = |power: i64| BigUint::from(10_u8).pow(u32::try_from(power).unwrap_or(0));
        let (top, bottom) = (self.numerator.magnitude() * ten(shift.max(0)), &self.denominator * ten((-shift).max(0)));
        let whole = &top / &bottom;
        let rest = &whole * &bottom != top;
        let over = whole.to_string().len() as i64 - digits;
        if over <= 0 {
            return written(self.numerator.sign(), &whole.to_string(), -shift);
        }
        let unit = ten(over);
        let (mut kept, left) = (&whole / &unit, &whole % &unit);
        let twice = left * 2_u8;
        if twice > unit || twice == unit && (rest || kept.bit(0)) {
            kept += 1_u8;
        }
        written(self.numerator.sign(), &kept.to_string(), over - shift)
    }

    fn inverse(&self) -> Result<Self> {
        if self.is_zero() {
            return Err(Code::UnitDivisor.error());
        }
        let (sign, numerator) = self.numerator.clone().into_parts();
        Ok(Ratio { numerator: BigInt::from_biguint(sign, self.denominator.clone()), denominator: numerator }.reduced())
    }

    fn bits(&self) -> u64 {
        self.numerator.bits().max(self.denominator.bits())
    }

    /// Reduced where it is long; an error where it is still too long then.
    fn bounded(self) -> Result<Self> {
        if self.bits() <= MOST_BITS {
            return Ok(self);
        }
        let reduced = self.reduced();
        if reduced.bits() <= MOST_BITS { Ok(reduced) } else { Err(limit()) }
    }

    fn reduced(&self) -> Self {
        let (mut a, mut b) = (self.numerator.magnitude().clone(), self.denominator.clone());
        while b.bits() > 0 {
            (a, b) = (b.clone(), a % b);
        }
        Ratio { numerator: &self.numerator / BigInt::from(a.clone()), denominator: &self.denominator / a }
    }
}

fn limit() -> crate::error::Error {
    Code::UnitLimit.error().expected("numbers of at most 1,200 digits")
}

/// `digits` times ten to the `power`, as a JSON number without zeros that say nothing: plain where that is short.
fn written(sign: Sign, digits: &str, mut power: i64) -> String {
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    power += (digits.len() - significant.len()) as i64;
    let minus = if sign == Sign::Minus { "-" } else { "" };
    let point = significant.len() as i64 + power;
    if (0..=40).contains(&power) {
        let zeros = "0".repeat(usize::try_from(power).unwrap_or(0));
        return format!("{minus}{significant}{zeros}");
    }
    if power < 0 && point > 0 {
        let (whole, fraction) = significant.split_at(usize::try_from(point).unwrap_or(0));
        return format!("{minus}{whole}.{fraction}");
    }
    if power < 0 && point > -20 {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
        return format!("{minus}0.{zeros}{significant}");
    }
    let (first, rest) = significant.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{minus}{first}{dot}{rest}e{}", point - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(text: &str) -> Ratio {
        Ratio::parse(text).expect("a number")
    }

    #[test]
    fn what_ends_is_exact_and_what_does_not_is_rounded_to_even() {
        let over = |a: &str, b: &str| ratio(a).over(&ratio(b)).expect("a ratio").to_decimal().expect("a decimal");
        for (a, b, text) in [
            ("1", "8", "0.125"),
            ("-6", "4", "-1.5"),
            ("0", "7", "0"),
            ("1200", "1", "1200"),
            ("1", "3", "0.3333333333333333333333333333333333"),
            ("-2", "3", "-0.6666666666666666666666666666666667"),
            ("1e50", "1", "1e50"),
            ("12e-40", "10", "1.2e-40"),
            ("2e90", "3", "6.666666666666666666666666666666667e89"),
        ] {
            assert_eq!(over(a, b).as_str(), text, "{a} / {b}");
        }
        assert_eq!(ratio("25").over(&ratio("10")).expect("2.5").rounded(1), "2");
        assert_eq!(ratio("35").over(&ratio("10")).expect("3.5").rounded(1), "4");
        assert_eq!(ratio("2500001").over(&ratio("1e6")).expect("2.500001").rounded(1), "3");
    }

    #[test]
    fn a_number_that_is_too_long_is_refused() {
        for text in ["1e1001", "1e-99999999999999999999", &"9".repeat(1_001)] {
            assert_eq!(Ratio::parse(text).expect_err("too long").code(), Code::UnitLimit);
        }
        assert_eq!(ratio("1e900").times(&ratio("1e900")).expect_err("too long").code(), Code::UnitLimit);
        assert_eq!(ratio("10").power(i32::MAX).expect_err("too long").code(), Code::UnitLimit);
        assert_eq!(ratio("10").over(&ratio("0")).expect_err("no divisor").code(), Code::UnitDivisor);
    }
}
