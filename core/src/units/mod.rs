//! UCUM: units parsed, checked, compared and converted with exact arithmetic.
//!
//! Codes are case sensitive. Amounts are fractions of whole numbers of any size, so `1 [in_i]` is 2.54 cm and not nearly so;
//! a result comes out exactly where its digits end, else rounded to 34 digits. Units that measure different things do not
//! convert: that is an error, never a number. A mass becomes an amount of substance only with a molar mass that the caller
//! states. By UCUM an annotation (`{cells}`) means nothing, and a mole is a number of things.

mod calendar;
mod canonical;
mod name;
mod parse;
mod ratio;
mod special;
mod table;

pub use calendar::CalendarUnit;

use crate::decimal::Decimal;
use crate::error::{Code, Result};
use canonical::{Canonical, code_of, has_mole};
use parse::{Component, Part, Term};
use ratio::Ratio;
use std::cmp::Ordering;

/// The system URI of UCUM in FHIR.
pub const SYSTEM: &str = "http://unitsofmeasure.org";

/// A unit of UCUM that is well-formed and whose symbols are known.
#[derive(Clone, Debug)]
pub struct Unit {
    text: Box<str>,
    term: Term,
}

impl Unit {
    /// Reads a code of UCUM, case sensitive.
    ///
    /// # Errors
    ///
    /// - `unit-syntax`: the code is not written as the grammar asks.
    /// - `unit-unknown`: a symbol is not one of UCUM, or has a prefix that it does not take.
    /// - `unit-limit`: the code is longer or deeper than any honest one.
    ///
    /// # Example
    ///
    /// ```
    /// use ehrcore::units::Unit;
    /// assert_eq!(Unit::parse("mm[Hg]")?.name(), "(millimeter of mercury column)");
    /// assert!(Unit::parse("mmHg").is_err());
    /// # Ok::<(), ehrcore::error::Error>(())
    /// ```
    pub fn parse(code: &str) -> Result<Self> {
        Ok(Unit { term: parse::parse(code)?, text: code.into() })
    }
    /// The unit one, which UCUM writes `1`.
    pub fn one() -> Self {
        let one = Part { divides: false, component: Component::Number("1".into()) };
        Unit { text: "1".into(), term: Term(vec![one]) }
    }
    /// The code as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// The name in words, such as `(milligram) / (deciliter)`; `(unity)` for one.
    pub fn name(&self) -> String {
        if &*self.text == "1" { "(unity)".to_owned() } else { name::name_of(&self.term) }
    }
    /// Whether the unit is on a scale of its own, such as `Cel` or `[pH]`, and so takes no part in products.
    ///
    /// # Errors
    ///
    /// - `unit-special`: it takes part in one here.
    /// - `unit-limit`: its size has too many digits.
    pub fn is_special(&self) -> Result<bool> {
        Ok(Canonical::of(&self.term)?.is_special())
    }
    /// Whether values in the two units measure the same thing.
    ///
    /// # Errors
    ///
    /// As [`Unit::is_special`].
    pub fn is_comparable_with(&self, other: &Unit) -> Result<bool> {
        Ok(Canonical::of(&self.term)?.dimension == Canonical::of(&other.term)?.dimension)
    }
}

/// `value` of the unit `from`, in the unit `to`.
///
/// Exact where the digits end within 100 after the point, else rounded half to even to 34 digits. Logarithms, roots and
/// tangents (`[pH]`, `dB`, `[p'diop]`) go through `f64`: right to about 12 digits. A value stays as given where the units are
/// written alike.
///
/// # Errors
///
/// - `unit-syntax`, `unit-unknown`: as [`Unit::parse`].
/// - `unit-clash`: the units measure different things.
/// - `unit-special`: a special unit takes part in a product.
/// - `unit-range`: the value has no counterpart in that unit, such as the logarithm of a negative number.
/// - `unit-limit`: the numbers are too long.
///
/// # Example
///
/// ```
/// use ehrcore::{decimal::Decimal, units::convert};
/// let body = Decimal::from_json(b"98.6").expect("a number");
/// assert_eq!(convert(&body, "[degF]", "Cel")?.as_str(), "37");
/// # Ok::<(), ehrcore::error::Error>(())
/// ```
pub fn convert(value: &Decimal, from: &str, to: &str) -> Result<Decimal> {
    let (from, to) = (Unit::parse(from)?, Unit::parse(to)?);
    let (a, b) = (Canonical::of(&from.term)?, Canonical::of(&to.term)?);
    if a.dimension != b.dimension {
        return Err(Code::UnitClash.error());
    }
    if from.text == to.text {
        return Ok(value.clone());
    }
    b.out_of_base(&a.in_base(&Ratio::of(value)?)?)?.to_decimal()
}

/// As [`convert`], and between a mass and an amount of substance by a molar mass in grams per mole.
///
/// One of the two units has to be written with the mole and the other without.
///
/// # Errors
///
/// As [`convert`]; `invalid-argument` where the molar mass is not above 0.
///
/// # Example
///
/// ```
/// use ehrcore::{decimal::Decimal, units::convert_with_molar_mass};
/// let number = |text: &str| Decimal::from_json(text.as_bytes()).expect("a number");
/// let glucose = convert_with_molar_mass(&number("90.078"), "mg/dL", "mmol/L", &number("180.156"))?;
/// assert_eq!(glucose.as_str(), "5");
/// # Ok::<(), ehrcore::error::Error>(())
/// ```
pub fn convert_with_molar_mass(value: &Decimal, from: &str, to: &str, grams_per_mole: &Decimal) -> Result<Decimal> {
    if Ratio::of(grams_per_mole)?.compare(&Ratio::parse("0")?).is_le() {
        return Err(Code::InvalidArgument.error().expected("a molar mass above 0"));
    }
    let (a, b) = (Unit::parse(from)?, Unit::parse(to)?);
    let mass_of_a_mole = Canonical::of(&parse::parse("g/mol")?)?;
    let (from_moles, to_moles) = (has_mole(&a.term), has_mole(&b.term));
    let (a, b) = (Canonical::of(&a.term)?, Canonical::of(&b.term)?);
    if a.dimension == b.dimension || from_moles == to_moles || a.is_special() || b.is_special() {
        return convert(value, from, to);
    }
    let molar_mass = mass_of_a_mole.in_base(&Ratio::of(grams_per_mole)?)?;
    let (bridged, factor) = if from_moles {
        (a.times(&mass_of_a_mole)?, molar_mass)
    } else {
        (a.times(&mass_of_a_mole.power(-1)?)?, Ratio::one().over(&molar_mass)?)
    };
    if bridged.dimension != b.dimension {
        return Err(Code::UnitClash.error());
    }
    b.out_of_base(&a.in_base(&Ratio::of(value)?)?.times(&factor)?)?.to_decimal()
}

/// Which of two quantities is the greater one. Where the units are written alike their values decide, so that pH 8 is above
/// pH 7; else the quantities behind them do.
///
/// # Errors
///
/// As [`convert`].
pub fn compare(a: &Decimal, a_unit: &str, b: &Decimal, b_unit: &str) -> Result<Ordering> {
    let (one, two) = (Canonical::of(&parse::parse(a_unit)?)?, Canonical::of(&parse::parse(b_unit)?)?);
    if one.dimension != two.dimension {
        return Err(Code::UnitClash.error());
    }
    if a_unit == b_unit {
        return Ok(a.cmp_value(b));
    }
    Ok(one.in_base(&Ratio::of(a)?)?.compare(&two.in_base(&Ratio::of(b)?)?))
}

/// A quantity in base units: equal quantities have equal canonical forms. The unit is a product of powers of `C`, `K`, `cd`,
/// `g`, `m`, `rad`, `s` and arbitrary units, in the order of their codes; `1` where there is none.
///
/// # Errors
///
/// As [`convert`].
pub fn canonical(value: &Decimal, unit: &str) -> Result<(Decimal, String)> {
    let canonical = Canonical::of(&parse::parse(unit)?)?;
    Ok((canonical.in_base(&Ratio::of(value)?)?.to_decimal()?, code_of(&canonical.dimension)))
}

/// The product of two quantities, in base units.
///
/// # Errors
///
/// As [`convert`]; `unit-special` for a unit on a scale of its own.
pub fn multiply(a: &Decimal, a_unit: &str, b: &Decimal, b_unit: &str) -> Result<(Decimal, String)> {
    let (one, two) = factors(a_unit, b_unit)?;
    let product = one.times(&two)?;
    let value = product.in_base(&Ratio::of(a)?.times(&Ratio::of(b)?)?)?;
    Ok((value.to_decimal()?, code_of(&product.dimension)))
}

/// The quotient of two quantities, in base units.
///
/// # Errors
///
/// As [`multiply`]; `unit-divisor` where the second is 0.
pub fn divide(a: &Decimal, a_unit: &str, b: &Decimal, b_unit: &str) -> Result<(Decimal, String)> {
    let (one, two) = factors(a_unit, b_unit)?;
    let quotient = one.times(&two.power(-1)?)?;
    let value = quotient.in_base(&Ratio::of(a)?.over(&Ratio::of(b)?)?)?;
    Ok((value.to_decimal()?, code_of(&quotient.dimension)))
}

fn factors(a: &str, b: &str) -> Result<(Canonical, Canonical)> {
    let (one, two) = (Canonical::of(&parse::parse(a)?)?, Canonical::of(&parse::parse(b)?)?);
    if one.is_special() || two.is_special() { Err(Code::UnitSpecial.error()) } else { Ok((one, two)) }
}

#[cfg(test)]
mod tests;
