//! Units on a scale of their own: degrees Celsius, pH, decibel. Their value is a function of a quantity in another unit.
//!
//! Temperatures are exact. Logarithms, roots and tangents are computed in `f64`: right to 15 significant digits less what the
//! function itself loses, which is stated at [`super::convert`].

use super::ratio::Ratio;
use crate::error::{Code, Result};

/// How the value on the scale follows from the quantity `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// x − 273.15
    Celsius,
    /// x − 459.67
    Fahrenheit,
    /// x − 218.52
    Reaumur,
    /// ln x
    Ln,
    /// lg x
    Lg,
    /// 2 lg x
    TwiceLg,
    /// ld x, the logarithm to base 2
    Ld,
    /// −lg x
    MinusLg,
    /// −ln x / ln 100
    MinusLg100,
    /// −ln x / ln 1000
    MinusLg1000,
    /// −ln x / ln 50000
    MinusLg50000,
    /// 100 tan x
    Tan100,
    /// √x
    Sqrt,
}

impl Function {
    /// The value on the scale of the quantity `x`.
    pub(super) fn on_scale(self, x: &Ratio) -> Result<Ratio> {
        if let Some(zero) = self.zero() {
            return x.plus(&Ratio::parse(zero)?.negated());
        }
        let x = x.to_f64();
        Ratio::of_f64(match self {
            Function::Tan100 => 100.0 * x.tan(),
            Function::Sqrt => x.sqrt(),
            Function::Ln => x.ln(),
            Function::Ld => x.log2(),
            Function::TwiceLg => 2.0 * x.log10(),
            Function::MinusLg => -x.log10(),
            Function::MinusLg100 => -x.log10() / 2.0,
            Function::MinusLg1000 => -x.log10() / 3.0,
            Function::MinusLg50000 => -x.ln() / 50_000_f64.ln(),
            _ => x.log10(),
        })
    }

    /// The quantity whose value on the scale is `r`.
    pub(super) fn quantity(self, r: &Ratio) -> Result<Ratio> {
        if let Some(zero) = self.zero() {
            return r.plus(&Ratio::parse(zero)?);
        }
        let r = r.to_f64();
        let x = match self {
            Function::Tan100 => (r / 100.0).atan(),
            Function::Sqrt if r < 0.0 => return Err(Code::UnitRange.error()),
            Function::Sqrt => r * r,
            Function::Ln => r.exp(),
            Function::Ld => r.exp2(),
            Function::TwiceLg => 10_f64.powf(r / 2.0),
            Function::MinusLg => 10_f64.powf(-r),
            Function::MinusLg100 => 100_f64.powf(-r),
            Function::MinusLg1000 => 1_000_f64.powf(-r),
            Function::MinusLg50000 => 50_000_f64.powf(-r),
            _ => 10_f64.powf(r),
        };
        // A power that is too small for a number is not 0: nothing is.
        let vanished = x == 0.0 && !matches!(self, Function::Tan100 | Function::Sqrt);
        if vanished { Err(Code::UnitRange.error()) } else { Ratio::of_f64(x) }
    }

    /// Where the scale has its zero, for the exact ones.
    fn zero(self) -> Option<&'static str> {
        match self {
            Function::Celsius => Some("273.15"),
            Function::Fahrenheit => Some("459.67"),
            Function::Reaumur => Some("218.52"),
            _ => None,
        }
    }
}
