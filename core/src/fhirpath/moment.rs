//! Dates, dateTimes and times as FHIRPath has them: any precision from the year to the fraction of a second, with or
//! without a zone. [`crate::time::fhir`] has what FHIR allows in a record, which is less.

use super::quantity::Calendar;
use crate::decimal::Decimal;
use crate::time::{Timestamp, civil_from_days, days_from_civil};
use std::cmp::Ordering;
use std::fmt;

/// Which of the three types a [`Moment`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum MomentKind {
    Date,
    DateTime,
    Time,
}

/// How far a moment is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// Minutes east of UTC, and whether they were written as `Z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Zone {
    minutes: i16,
    z: bool,
}

/// A date, a dateTime or a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    kind: MomentKind,
    part: Part,
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    /// Digits after the second, and their value.
    digits: u8,
    fraction: u64,
    zone: Option<Zone>,
}

const MOST_DIGITS: u32 = 18;
/// The finest step: ten to the minus 18 of a second.
const SECOND: i128 = 1_000_000_000_000_000_000;
const DAY_SECONDS: i64 = 86_400;

impl Moment {
    const START: Moment = Moment {
        kind: MomentKind::DateTime,
        part: Part::Year,
        year: 1,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        digits: 0,
        fraction: 0,
        zone: None,
    };

    /// Which type it is.
    pub fn kind(&self) -> MomentKind {
        self.kind
    }
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub fn date(text: &str) -> Option<Self> {
        let (date, rest) = read_date(text.as_bytes())?;
        rest.is_empty().then_some(Moment { kind: MomentKind::Date, ..date })
    }
    /// Reads a date, then optionally `T` with a time of any precision and a zone.
    pub fn date_time(text: &str) -> Option<Self> {
        let (mut made, rest) = read_date(text.as_bytes())?;
        let Some(rest) = rest.strip_prefix(b"T") else { return rest.is_empty().then_some(made) };
        if rest.is_empty() {
            return Some(made);
        }
        if made.part != Part::Day {
            return None;
        }
        let rest = read_time(rest, &mut made)?;
        made.zone = match rest {
            b"" => None,
            b"Z" => Some(Zone { minutes: 0, z: true }),
            [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
                let minutes = i16::from(two(rest, 1)?) * 60 + i16::from(two(rest, 4).filter(|m| *m < 60)?);
                let minutes = (minutes <= 14 * 60).then_some(minutes)?;
                Some(Zone { minutes: if *sign == b'-' { -minutes } else { minutes }, z: false })
            }
            _ => return None,
        };
        Some(made)
    }
    /// Reads `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f`.
    pub fn time(text: &str) -> Option<Self> {
        let mut made = Moment { kind: MomentKind::Time, ..Self::START };
        read_time(text.as_bytes(), &mut made)?.is_empty().then_some(made)
    }
    /// The dateTime of a timestamp, to the millisecond, in UTC.
    pub fn at(now: Timestamp) -> Option<Self> {
        let (micros, seconds) = (now.0.rem_euclid(1_000_000), now.0.div_euclid(1_000_000));
        let zone = Some(Zone { minutes: 0, z: true });
        let start = Moment { part: Part::Second, digits: 3, fraction: (micros / 1000) as u64, zone, ..Self::START };
        start.with_seconds(seconds)
    }
    /// The same as a dateTime, a date or a time; a date has no time to give.
    pub fn to_kind(self, kind: MomentKind) -> Option<Self> {
        match (self.kind, kind) {
            (a, b) if a == b => Some(self),
            (MomentKind::Date, MomentKind::DateTime) => Some(Moment { kind, ..self }),
            (MomentKind::DateTime, MomentKind::Date) => {
                let part = self.part.min(Part::Day);
                let Moment { year, month, day, .. } = self;
                Some(Moment { kind, part, year, month, day, ..Self::START })
            }
            (MomentKind::DateTime, MomentKind::Time) if self.part >= Part::Hour => {
                Some(Moment { kind, year: 1, month: 1, day: 1, zone: None, ..self })
            }
            _ => None,
        }
    }

    /// Before, the same or after; None where precision or zone do not decide, or where one is a time and one is none.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if (self.kind == MomentKind::Time) != (other.kind == MomentKind::Time) {
            return None;
        }
        match (self.zone, other.zone) {
            (Some(a), Some(b)) if a.minutes != b.minutes => self.in_utc()?.by_parts(&other.in_utc()?),
            (Some(_), None) => self.around(other),
            (None, Some(_)) => other.around(self).map(Ordering::reverse),
            _ => self.by_parts(other),
        }
    }
    /// Whether both are given as far and are the same.
    pub fn equivalent(&self, other: &Self) -> bool {
        let time = |moment: &Self| moment.kind == MomentKind::Time;
        time(self) == time(other)
            && self.part == other.part
            && self.zone.is_some() == other.zone.is_some()
            && self.compare(other) == Some(Ordering::Equal)
    }
    fn by_parts(&self, other: &Self) -> Option<Ordering> {
        let fine = |m: &Self| (u32::from(m.second), scaled(m.fraction, m.digits));
        let coarse = |m: &Self| [m.year, m.month.into(), m.day.into(), m.hour.into(), m.minute.into()];
        let common = self.part.min(other.part);
        let count = (common as usize + 1).min(5);
        let mut order = coarse(self)[..count].cmp(&coarse(other)[..count]);
        if common == Part::Second {
            order = order.then_with(|| fine(self).cmp(&fine(other)));
        }
        if order.is_ne() || self.part == other.part { Some(order) } else { None }
    }
    /// Compares a moment with a zone with one without, which may be meant in any zone on Earth.
    fn around(&self, other: &Self) -> Option<Ordering> {
        let (a, b) = (self.in_utc()?.seconds(), other.seconds());
        // The zone of the other is from -12:00 to +14:00, so its moment in UTC is up to 14 hours earlier or 12 later.
        let (first, last) = (b.0 - 14 * 3600, b.1 + 12 * 3600);
        if a.1 <= first {
            Some(Ordering::Less)
        } else if a.0 >= last {
            Some(Ordering::Greater)
        } else {
            None
        }
    }
    fn in_utc(&self) -> Option<Self> {
        let Some(zone) = self.zone.filter(|_| self.part >= Part::Hour) else { return Some(*self) };
        let zone_z = Some(Zone { minutes: 0, z: true });
        Moment { zone: zone_z, ..*self }.with_seconds(self.seconds().0 - i64::from(zone.minutes) * 60)
    }
    /// Its first second, and the first second after it, counted from 1970 as if in UTC.
    fn seconds(&self) -> (i64, i64) {
        let of_day = (i64::from(self.hour) * 60 + i64::from(self.minute)) * 60 + i64::from(self.second);
        let days = days_from_civil(i64::from(self.year), self.month.into(), self.day.into());
        let start = days * DAY_SECONDS + of_day;
        let length = match self.part {
            Part::Year => {
                (days_from_civil(i64::from(self.year) + 1, 1, 1) - days_from_civil(i64::from(self.year), 1, 1))
                    * DAY_SECONDS
            }
            Part::Month => i64::from(month_length(self.year.into(), self.month)) * DAY_SECONDS,
            Part::Day => DAY_SECONDS,
            Part::Hour => 3600,
            Part::Minute => 60,
            Part::Second => 1,
        };
        (start, start + length)
    }
    /// The same parts and zone, at other seconds since 1970. None outside the years 1 to 9999.
    fn with_seconds(self, seconds: i64) -> Option<Self> {
        let (days, of_day) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let (year, month, day) = civil_from_days(days);
        let year = u16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
        Some(Moment {
            year,
            month: month as u8,
            day: day as u8,
            hour: (of_day / 3600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
            ..self
        })
    }

    /// Adds a length of time; None where the result is no date of the years 1 to 9999.
    ///
    /// Fractions count from the second down only. What is finer than the precision given is cut off, as whole units of
    /// that precision: with months of 30 days and years of 365.
    pub(super) fn plus(self, amount: &Decimal, unit: Calendar) -> Option<Self> {
        if unit <= Calendar::Second {
            let steps = if unit == Calendar::Second { SECOND } else { SECOND / 1000 };
            let exact = amount.mul(&Decimal::from_i64(steps as i64))?.truncate()?;
            let steps: i128 = exact.as_str().parse().ok()?;
            return self.plus_steps(steps);
        }
        let whole = amount.truncate()?.to_i64().filter(|whole| whole.abs() < 1 << 40)?;
        match unit {
            Calendar::Year => self.plus_months(whole.checked_mul(12)?, true),
            Calendar::Month => self.plus_months(whole, false),
            Calendar::Week => self.plus_steps(i128::from(whole) * 7 * i128::from(DAY_SECONDS) * SECOND),
            Calendar::Day => self.plus_steps(i128::from(whole) * i128::from(DAY_SECONDS) * SECOND),
            Calendar::Hour => self.plus_steps(i128::from(whole) * 3600 * SECOND),
            _ => self.plus_steps(i128::from(whole) * 60 * SECOND),
        }
    }
    fn plus_months(self, months: i64, years: bool) -> Option<Self> {
        if self.kind == MomentKind::Time {
            return None;
        }
        let months = if self.part == Part::Year && !years { months / 12 * 12 } else { months };
        let at = i64::from(self.year) * 12 + i64::from(self.month) - 1 + months;
        let year = u16::try_from(at.div_euclid(12)).ok().filter(|year| (1..=9999).contains(year))?;
        let month = at.rem_euclid(12) as u8 + 1;
        let day = self.day.min(month_length(year.into(), month));
        Some(Moment { year, month, day, ..self })
    }
    fn plus_steps(self, steps: i128) -> Option<Self> {
        let seconds = steps / SECOND;
        let whole_days = seconds / i128::from(DAY_SECONDS);
        let step = match self.part {
            Part::Year => return self.plus_months(i64::try_from(whole_days / 365).ok()? * 12, true),
            Part::Month => return self.plus_months(i64::try_from(whole_days / 30).ok()?, false),
            Part::Day => i128::from(DAY_SECONDS) * SECOND,
            Part::Hour => 3600 * SECOND,
            Part::Minute => 60 * SECOND,
            Part::Second => SECOND / 10_i128.pow(self.digits.into()),
        };
        let cut = steps / step * step;
        let now = i128::from(self.seconds().0) * SECOND + i128::from(scaled(self.fraction, self.digits)) + cut;
        let (seconds, rest) = (now.div_euclid(SECOND), now.rem_euclid(SECOND));
        let fraction = (rest / 10_i128.pow(MOST_DIGITS - u32::from(self.digits))) as u64;
        let seconds = i64::try_from(seconds).ok()?;
        if self.kind == MomentKind::Time {
            let of_day = seconds.rem_euclid(DAY_SECONDS);
            let base = Self::START.seconds().0;
            return Moment { fraction, ..self }.with_seconds(base + of_day);
        }
        Moment { fraction, ..self }.with_seconds(seconds)
    }

    /// Digits of the form given: 4 for a year, 6, 8, 10, 12, 14, 17 with milliseconds; a time has 8 fewer.
    pub(super) fn precision(&self) -> i64 {
        let date_time = [4, 6, 8, 10, 12, 14][self.part as usize] + i64::from(self.digits);
        if self.kind == MomentKind::Time { date_time - 8 } else { date_time }
    }
    /// The first (or last) moment it may stand for, given to `precision` digits. None where there is no such precision.
    pub(super) fn boundary(self, precision: Option<i64>, high: bool) -> Option<Self> {
        let (most, shift) = match self.kind {
            MomentKind::Date => (8, 0),
            MomentKind::DateTime => (17, 0),
            MomentKind::Time => (17, 8),
        };
        let precision = precision.map_or(most, |given| given + shift);
        let part = match precision {
            4 => Part::Year,
            6 => Part::Month,
            8 => Part::Day,
            10 => Part::Hour,
            12 => Part::Minute,
            14 | 17 => Part::Second,
            _ => return None,
        };
        if precision > most || self.kind == MomentKind::Time && part < Part::Hour {
            return None;
        }
        let mut made = self;
        if self.part < Part::Month {
            made.month = if high { 12 } else { 1 };
        }
        if self.part < Part::Day {
            made.day = if high { month_length(made.year.into(), made.month) } else { 1 };
        }
        if self.part < Part::Hour {
            made.hour = if high { 23 } else { 0 };
        }
        if self.part < Part::Minute {
            made.minute = if high { 59 } else { 0 };
        }
        if self.part < Part::Second {
            made.second = if high { 59 } else { 0 };
        }
        if precision == 17 && made.digits < 3 {
            let missing = 10_u64.pow(3 - u32::from(made.digits));
            made.fraction = made.fraction * missing + if high { missing - 1 } else { 0 };
            made.digits = 3;
        } else if made.digits > 0 {
            let keep = if precision == 17 { 3 } else { 0 };
            made.fraction /= 10_u64.pow(u32::from(made.digits) - keep);
            made.digits = keep as u8;
        }
        made.part = part;
        if part < Part::Hour {
            made.zone = None;
        } else if made.zone.is_none() && self.kind == MomentKind::DateTime {
            let minutes = if high { -12 * 60 } else { 14 * 60 };
            made.zone = Some(Zone { minutes, z: false });
        }
        Some(made)
    }
}

fn scaled(fraction: u64, digits: u8) -> u64 {
    fraction * 10_u64.pow(MOST_DIGITS - u32::from(digits))
}

fn month_length(year: i64, month: u8) -> u8 {
    match month {
        2 => 28 + u8::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn two(text: &[u8], at: usize) -> Option<u8> {
    let (tens, ones) = (text.get(at)?.wrapping_sub(b'0'), text.get(at + 1)?.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

fn read_date(text: &[u8]) -> Option<(Moment, &[u8])> {
    let year = u16::from(two(text, 0)?) * 100 + u16::from(two(text, 2)?);
    let mut made = Moment { year, ..Moment::START };
    if year == 0 {
        return None;
    }
    if text.get(4) != Some(&b'-') {
        return Some((made, &text[4..]));
    }
    (made.month, made.part) = (two(text, 5).filter(|month| (1..=12).contains(month))?, Part::Month);
    if text.get(7) != Some(&b'-') {
        return Some((made, &text[7..]));
    }
    let most = month_length(year.into(), made.month);
    (made.day, made.part) = (two(text, 8).filter(|day| (1..=most).contains(day))?, Part::Day);
    Some((made, &text[10..]))
}

/// Reads a time into `made`; gives what is left.
fn read_time<'t>(text: &'t [u8], made: &mut Moment) -> Option<&'t [u8]> {
    (made.hour, made.part) = (two(text, 0).filter(|hour| *hour < 24)?, Part::Hour);
    if text.get(2) != Some(&b':') {
        return Some(&text[2..]);
    }
    (made.minute, made.part) = (two(text, 3).filter(|minute| *minute < 60)?, Part::Minute);
    if text.get(5) != Some(&b':') {
        return Some(&text[5..]);
    }
    (made.second, made.part) = (two(text, 6).filter(|second| *second <= 60)?, Part::Second);
    let rest = &text[8..];
    let Some(fraction) = rest.strip_prefix(b".") else { return Some(rest) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > MOST_DIGITS as usize {
        return None;
    }
    made.digits = digits as u8;
    made.fraction = fraction[..digits].iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some(&fraction[digits..])
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != MomentKind::Time {
            write!(f, "{:04}", self.year)?;
            if self.part >= Part::Month {
                write!(f, "-{:02}", self.month)?;
            }
            if self.part >= Part::Day {
                write!(f, "-{:02}", self.day)?;
            }
            if self.part >= Part::Hour {
                f.write_str("T")?;
            }
        }
        if self.part >= Part::Hour {
            write!(f, "{:02}", self.hour)?;
        }
        if self.part >= Part::Minute {
            write!(f, ":{:02}", self.minute)?;
        }
        if self.part >= Part::Second {
            write!(f, ":{:02}", self.second)?;
        }
        if self.digits > 0 {
            write!(f, ".{:0width$}", self.fraction, width = usize::from(self.digits))?;
        }
        match self.zone {
            None => Ok(()),
            Some(Zone { z: true, .. }) => f.write_str("Z"),
            Some(Zone { minutes, .. }) => {
                let size = minutes.unsigned_abs();
                write!(f, "{}{:02}:{:02}", if minutes < 0 { '-' } else { '+' }, size / 60, size % 60)
            }
        }
    }
}

/// `Debug` says the type only: a birth date is content.
impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.kind)
    }
}
