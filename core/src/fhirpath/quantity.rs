//! Quantities: a decimal with a unit of UCUM or of the calendar.

use crate::decimal::Decimal;
use crate::units;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A unit of the calendar, from the shortest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Calendar {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const CALENDAR: [(Calendar, &str, &str, &str); 8] = [
    (Calendar::Millisecond, "millisecond", "milliseconds", "ms"),
    (Calendar::Second, "second", "seconds", "s"),
    (Calendar::Minute, "minute", "minutes", "min"),
    (Calendar::Hour, "hour", "hours", "h"),
    (Calendar::Day, "day", "days", "d"),
    (Calendar::Week, "week", "weeks", "wk"),
    (Calendar::Month, "month", "months", "mo"),
    (Calendar::Year, "year", "years", "a"),
];

impl Calendar {
    /// The unit of a word such as `day` or `days`.
    pub(super) fn named(word: &str) -> Option<Self> {
        CALENDAR.iter().find(|row| row.1 == word || row.2 == word).map(|row| row.0)
    }
    /// The unit of a UCUM code that a length of time may have.
    fn of_ucum(code: &str) -> Option<Self> {
        CALENDAR.iter().find(|row| row.3 == code).map(|row| row.0)
    }
    pub(super) fn name(self) -> &'static str {
        CALENDAR[self as usize].1
    }
    /// The UCUM unit that is exactly as long; months and years have none.
    fn ucum(self) -> Option<&'static str> {
        (self < Calendar::Month).then(|| CALENDAR[self as usize].3)
    }
}

/// The unit of a [`Quantity`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Unit<'a> {
    /// A unit of the calendar, such as `4 days`.
    Calendar(Calendar),
    /// A UCUM code, such as `4 'mg'`.
    Ucum(Cow<'a, str>),
    /// A unit of another system, or a word with none: comparable with itself only.
    Other(Cow<'a, str>),
}

/// A decimal with a unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quantity<'a> {
    /// The number.
    pub value: Decimal,
    /// The unit.
    pub unit: Unit<'a>,
    /// Whether it is a Quantity of FHIR, whose UCUM codes `a` and `mo` mean years and months of the calendar.
    pub(super) of_record: bool,
}

impl<'a> Quantity<'a> {
    pub(super) fn new(value: Decimal, unit: Unit<'a>) -> Self {
        Quantity { value, unit, of_record: false }
    }
    pub(super) fn plain(value: Decimal) -> Self {
        Quantity::new(value, Unit::Ucum(Cow::Borrowed("1")))
    }
    /// Reads `4`, `4.5 'mg'` or `4 days`.
    pub(super) fn parse(text: &str) -> Option<Quantity<'static>> {
        let text = text.trim();
        let end = text
            .bytes()
            .position(|byte| !byte.is_ascii_digit() && !matches!(byte, b'.' | b'-' | b'+'))
            .unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let value = Decimal::from_json(number.strip_prefix('+').unwrap_or(number).as_bytes())?;
        let unit = rest.trim_start();
        if unit.is_empty() {
            return Some(Quantity::plain(value));
        }
        if let Some(code) = unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\'')) {
            let code: Cow<'static, str> = Cow::Owned(code.to_owned());
            return (!code.is_empty() && !code.contains('\'')).then(|| Quantity::new(value, Unit::Ucum(code)));
        }
        Some(Quantity::new(value, Unit::Calendar(Calendar::named(unit)?)))
    }

    /// The length of time it adds to a date; None where it is none of definite length.
    pub(super) fn as_time(&self) -> Option<Calendar> {
        match &self.unit {
            Unit::Calendar(unit) => Some(*unit),
            Unit::Ucum(code) => Calendar::of_ucum(code).filter(|unit| *unit < Calendar::Month || self.of_record),
            Unit::Other(_) => None,
        }
    }
    /// The UCUM code, where there is one of exactly this unit.
    pub(super) fn ucum(&self) -> Option<&str> {
        match &self.unit {
            Unit::Calendar(unit) => unit.ucum(),
            Unit::Ucum(code) => Some(code),
            Unit::Other(_) => None,
        }
    }
    /// Months, where it is of months and years of the calendar.
    fn months(&self) -> Option<Decimal> {
        match self.as_time().filter(|unit| *unit >= Calendar::Month)? {
            Calendar::Year => self.value.mul(&Decimal::from_i64(12)),
            _ => Some(self.value.clone()),
        }
    }
    fn of_calendar(&self) -> bool {
        matches!(self.unit, Unit::Calendar(_))
    }

    /// Whether both can be brought to one unit.
    pub(super) fn comparable(&self, other: &Self) -> bool {
        let one = Decimal::from_i64(1);
        let unit = |of: &Self| Quantity { value: one.clone(), ..of.clone() };
        unit(self).compare(&unit(other)).is_ok_and(|order| order.is_some())
    }
    /// Compares; Ok(None) where the two have no common measure, Err where they are of different dimensions.
    pub(super) fn compare(&self, other: &Self) -> Result<Option<Ordering>, Different> {
        if self.unit == other.unit {
            return Ok(Some(self.value.cmp_value(&other.value)));
        }
        if self.of_calendar() || other.of_calendar() {
            if let (Some(a), Some(b)) = (self.months(), other.months()) {
                return Ok(Some(a.cmp_value(&b)));
            }
        }
        let (Some(a), Some(b)) = (self.ucum(), other.ucum()) else {
            let times = |of: &Self| of.of_calendar() || of.ucum().is_some_and(|code| Calendar::of_ucum(code).is_some());
            return if times(self) && times(other) { Ok(None) } else { Err(Different) };
        };
        units::compare(&self.value, a, &other.value, b).map(Some).map_err(|_| Different)
    }
    /// Whether both say the same to the precision of the less precise one.
    pub(super) fn equivalent(&self, other: &Self) -> bool {
        let converted = if self.unit == other.unit {
            Some(other.value.clone())
        } else {
            match (loosely(self), loosely(other)) {
                (Some(a), Some(b)) => units::convert(&other.value, b, a).ok(),
                _ => None,
            }
        };
        converted.is_some_and(|converted| super::equality::about(&self.value, &other.value, &converted))
    }
    /// `self + other`, in the unit of `self`.
    pub(super) fn plus(&self, other: &Self, minus: bool) -> Option<Self> {
        let there = if self.unit == other.unit {
            other.value.clone()
        } else {
            match (self.months(), other.months()) {
                (Some(_), Some(months)) if self.of_calendar() && other.of_calendar() => {
                    if self.as_time() == Some(Calendar::Year) {
                        months.div(&Decimal::from_i64(12), super::DIVISION_DIGITS)?
                    } else {
                        months
                    }
                }
                _ => units::convert(&other.value, other.ucum()?, self.ucum()?).ok()?,
            }
        };
        let value = if minus { self.value.sub(&there) } else { self.value.add(&there) }?;
        Some(Quantity { value, ..self.clone() })
    }
    /// `self * other` or `self / other`.
    pub(super) fn times(&self, other: &Self, divide: bool) -> Option<Quantity<'static>> {
        let (a, b) = (self.ucum()?, other.ucum()?);
        let (value, unit) = if divide {
            units::divide(&self.value, a, &other.value, b).ok()?
        } else {
            units::multiply(&self.value, a, &other.value, b).ok()?
        };
        Some(Quantity::new(value, Unit::Ucum(Cow::Owned(unit))))
    }
}

/// Equivalence takes a year for `'a'` and a month for `'mo'`.
fn loosely<'q>(of: &'q Quantity<'_>) -> Option<&'q str> {
    match &of.unit {
        Unit::Calendar(unit) => Some(CALENDAR[*unit as usize].3),
        _ => of.ucum(),
    }
}

/// Two quantities are of different dimensions.
pub(super) struct Different;

impl fmt::Display for Quantity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Unit::Calendar(unit) => {
                let plural = if self.value.as_str() == "1" { "" } else { "s" };
                write!(f, "{} {}{plural}", self.value, unit.name())
            }
            Unit::Ucum(code) | Unit::Other(code) => write!(f, "{} '{code}'", self.value),
        }
    }
}
