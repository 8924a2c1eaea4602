//! FHIR's dates and times (R4, data types, 2.24.0.1): precision and zone stay as given, and the text comes back as it was.
//!
//! A date is a stretch of time, not a point: [`DateTime::interval`] gives the stretch, and [`DateTime::compare`] answers
//! None where the precision does not decide.

use super::{Timestamp, days_from_civil};
use std::cmp::Ordering;
use std::fmt;

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// `hh:mm:ss`, with a fraction of up to 18 digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    digits: u8,
    fraction: u64,
}

/// A date, or a date with a time and a zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    date: Date,
    time: Option<(Time, Zone)>,
}

/// A date with a time and a zone: a moment as exact as its digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instant(DateTime);

/// How exact a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Precision {
    Year,
    Month,
    Day,
    Second,
    /// Digits after the second.
    Fraction(u8),
}

/// A zone as it was written: `Z` and `+00:00` are the same offset and different text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// `Z`.
    Utc,
    /// `+hh:mm` or `-hh:mm`.
    Offset {
        /// Whether the sign is a minus.
        west: bool,
        /// Minutes, without the sign.
        minutes: u16,
    },
}

impl Date {
    /// Reads a date. None where `text` is none.
    pub fn parse(text: &str) -> Option<Self> {
        date(text.as_bytes()).filter(|(_, used)| *used == text.len()).map(|(date, _)| date)
    }
    /// The year.
    pub fn year(self) -> u16 {
        self.year
    }
    /// The month, where it is given.
    pub fn month(self) -> Option<u8> {
        (self.month > 0).then_some(self.month)
    }
    /// The day of the month, where it is given.
    pub fn day(self) -> Option<u8> {
        (self.day > 0).then_some(self.day)
    }
    /// How exact it is.
    pub fn precision(self) -> Precision {
        match (self.month, self.day) {
            (0, _) => Precision::Year,
            (_, 0) => Precision::Month,
            _ => Precision::Day,
        }
    }
    /// From its first moment up to, and without, the first moment after it, read as UTC.
    pub fn interval(self) -> (Timestamp, Timestamp) {
        let (year, month, day) = (i64::from(self.year), u32::from(self.month), u32::from(self.day));
        let start = days_from_civil(year, month.max(1), day.max(1));
        let end = match self.precision() {
            Precision::Year => days_from_civil(year + 1, 1, 1),
            Precision::Month if month == 12 => days_from_civil(year + 1, 1, 1),
            Precision::Month => days_from_civil(year, month + 1, 1),
            _ => start + 1,
        };
        (Timestamp(start * DAY), Timestamp(end * DAY))
    }
    /// Before, the same or after; None where the precision does not decide.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        compare(self.interval(), other.interval())
    }
}

impl Time {
    /// Reads a time. None where `text` is none, or has more than 18 digits after the second.
    pub fn parse(text: &str) -> Option<Self> {
        time(text.as_bytes()).filter(|(_, used)| *used == text.len()).map(|(time, _)| time)
    }
    /// Hour, minute, second. The second is 60 in a leap second.
    pub fn parts(self) -> (u8, u8, u8) {
        (self.hour, self.minute, self.second)
    }
    /// How exact it is.
    pub fn precision(self) -> Precision {
        if self.digits == 0 { Precision::Second } else { Precision::Fraction(self.digits) }
    }
    /// Before, the same or after, as decimals of a second: 10:00:00 equals 10:00:00.0.
    pub fn compare(self, other: Self) -> Ordering {
        let scaled = |time: Self| u128::from(time.fraction) * 10_u128.pow(18 - u32::from(time.digits));
        self.parts().cmp(&other.parts()).then(scaled(self).cmp(&scaled(other)))
    }
    /// Microseconds since midnight, and how many microseconds the last digit given stands for (at least one).
    fn micros(self) -> (i64, i64) {
        let seconds = (i64::from(self.hour) * 60 + i64::from(self.minute)) * 60 + i64::from(self.second);
        let digits = u32::from(self.digits);
        let (fraction, unit) = if digits <= 6 {
            let unit = 10_i64.pow(6 - digits);
            (self.fraction as i64 * unit, unit)
        } else {
            ((self.fraction / 10_u64.pow(digits - 6)) as i64, 1)
        };
        (seconds * 1_000_000 + fraction, unit)
    }
}

impl DateTime {
    /// Reads a date, or a date with a time and a zone. None where `text` is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (date, used) = date(bytes)?;
        if used == bytes.len() {
            return Some(DateTime { date, time: None });
        }
        let rest = bytes[used..].strip_prefix(b"T").filter(|_| used == 10)?;
        let (time, used) = time(rest)?;
        Some(DateTime { date, time: Some((time, zone(&rest[used..])?)) })
    }
    /// The date.
    pub fn date(self) -> Date {
        self.date
    }
    /// The time and the zone, where they are given.
    pub fn time(self) -> Option<(Time, Zone)> {
        self.time
    }
    /// How exact it is.
    pub fn precision(self) -> Precision {
        self.time.map_or(self.date.precision(), |(time, _)| time.precision())
    }
    /// From its first moment up to, and without, the first moment after it. What has no zone is read as UTC.
    pub fn interval(self) -> (Timestamp, Timestamp) {
        let Some((time, zone)) = self.time else { return self.date.interval() };
        let (micros, unit) = time.micros();
        let start = self.date.interval().0.0 + micros - zone.minutes() * 60_000_000;
        (Timestamp(start), Timestamp(start + unit))
    }
    /// Before, the same or after; None where the precision does not decide. A date without a zone may be meant in any
    /// zone on Earth, so beside a moment with a zone it is widened from UTC-12 to UTC+14.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let (mut left, mut right) = (self.interval(), other.interval());
        if self.time.is_none() && other.time.is_some() {
            left = anywhere(left);
        } else if self.time.is_some() && other.time.is_none() {
            right = anywhere(right);
        }
        compare(left, right)
    }
}

impl Instant {
    /// Reads a date with a time and a zone. None where `text` is none.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse(text).filter(|at| at.time.is_some()).map(Instant)
    }
    /// The same as a dateTime.
    pub fn date_time(self) -> DateTime {
        self.0
    }
    /// The moment, to the microsecond.
    pub fn timestamp(self) -> Timestamp {
        self.0.interval().0
    }
}

impl Zone {
    /// Minutes east of UTC.
    pub fn minutes(self) -> i64 {
        match self {
            Zone::Utc => 0,
            Zone::Offset { west, minutes } => i64::from(minutes) * if west { -1 } else { 1 },
        }
    }
}

const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;

fn compare(left: (Timestamp, Timestamp), right: (Timestamp, Timestamp)) -> Option<Ordering> {
    if left == right {
        Some(Ordering::Equal)
    } else if left.1 <= right.0 {
        Some(Ordering::Less)
    } else if right.1 <= left.0 {
        Some(Ordering::Greater)
    } else {
        None
    }
}

fn anywhere((start, end): (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
    (Timestamp(start.0 - 14 * HOUR), Timestamp(end.0 + 12 * HOUR))
}

// --- the forms, as scanners over bytes; the JSON reader uses them on every date ---

/// Whether `text` is a date.
#[inline]
pub(crate) fn is_date(text: &[u8]) -> bool {
    date(text).is_some_and(|(_, used)| used == text.len())
}

/// Whether `text` is a dateTime.
#[inline]
pub(crate) fn is_date_time(text: &[u8]) -> bool {
    let Some((_, used)) = date(text) else { return false };
    used == text.len() || used == 10 && text[10] == b'T' && is_zoned_time(&text[11..])
}

/// Whether `text` is an instant.
#[inline]
pub(crate) fn is_instant(text: &[u8]) -> bool {
    text.len() > 10 && is_date_time(text)
}

/// Whether `text` is a time.
#[inline]
pub(crate) fn is_time(text: &[u8]) -> bool {
    clock(text).is_some_and(|(_, used)| used == text.len())
}

#[inline]
fn is_zoned_time(text: &[u8]) -> bool {
    clock(text).is_some_and(|(_, used)| zone(&text[used..]).is_some())
}

#[inline]
fn two(text: &[u8], at: usize) -> Option<u8> {
    let &[tens, ones] = text.get(at..at + 2)?.first_chunk::<2>()?;
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

/// Reads a date as far as it goes; gives it and the number of bytes used.
#[inline]
fn date(text: &[u8]) -> Option<(Date, usize)> {
    let year = u16::from(two(text, 0)?) * 100 + u16::from(two(text, 2)?);
    if year == 0 {
        return None;
    }
    if text.get(4) != Some(&b'-') {
        return Some((Date { year, month: 0, day: 0 }, 4));
    }
    let month = two(text, 5).filter(|month| (1..=12).contains(month))?;
    if text.get(7) != Some(&b'-') {
        return Some((Date { year, month, day: 0 }, 7));
    }
    let day = two(text, 8).filter(|day| *day >= 1)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let most = match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (day <= most).then_some((Date { year, month, day }, 10))
}

/// Reads `hh:mm:ss` and finds the end of the fraction; gives the time without it and the number of bytes used.
#[inline]
fn clock(text: &[u8]) -> Option<(Time, usize)> {
    let hour = two(text, 0).filter(|hour| *hour < 24)?;
    let minute = two(text, 3).filter(|minute| *minute < 60 && text[2] == b':')?;
    let second = two(text, 6).filter(|second| *second <= 60 && text[5] == b':')?;
    let mut used = 8;
    if text.get(8) == Some(&b'.') {
        let digits = text[9..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        used = 9 + digits;
    }
    Some((Time { hour, minute, second, digits: 0, fraction: 0 }, used))
}

fn time(text: &[u8]) -> Option<(Time, usize)> {
    let (mut time, used) = clock(text)?;
    let fraction = text.get(9..used).unwrap_or_default();
    if fraction.len() > 18 {
        return None;
    }
    time.digits = fraction.len() as u8;
    time.fraction = fraction.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some((time, used))
}

#[inline]
fn zone(text: &[u8]) -> Option<Zone> {
    match text {
        b"Z" => Some(Zone::Utc),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (u16::from(two(text, 1)?), u16::from(two(text, 4)?));
            let good = minutes < 60 && (hours < 14 || hours == 14 && minutes == 0);
            good.then_some(Zone::Offset { west: *sign == b'-', minutes: hours * 60 + minutes })
        }
        _ => None,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if self.month > 0 {
            write!(f, "-{:02}", self.month)?;
        }
        if self.day > 0 {
            write!(f, "-{:02}", self.day)?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.digits > 0 {
            write!(f, ".{:0width$}", self.fraction, width = usize::from(self.digits))?;
        }
        Ok(())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Utc => f.write_str("Z"),
            Zone::Offset { west, minutes } => {
                write!(f, "{}{:02}:{:02}", if *west { '-' } else { '+' }, minutes / 60, minutes % 60)
            }
        }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date)?;
        match self.time {
            Some((time, zone)) => write!(f, "T{time}{zone}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `Debug` of a date says its type only: a birth date is content.
macro_rules! quiet {
    ($($name:ident),*) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )* };
}
quiet!(Date, Time, DateTime, Instant, Zone);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime {
        DateTime::parse(text).expect("a dateTime")
    }

    #[test]
    fn text_comes_back_as_it_was() {
        for text in [
            "2019",
            "2019-03",
            "2020-02-29",
            "2019-03-01T10:00:00Z",
            "2019-03-01T10:00:00+00:00",
            "2019-03-01T10:00:00-00:00",
            "2019-03-01T10:00:00.1200+05:30",
            "2016-12-31T23:59:60.000000000000000001Z",
            "2019-03-01T10:00:00+14:00",
        ] {
            assert_eq!(at(text).to_string(), text);
            assert!(is_date_time(text.as_bytes()));
        }
        assert_eq!(Time::parse("10:00:00.050").expect("a time").to_string(), "10:00:00.050");
    }

    #[test]
    fn what_is_no_date_or_time_is_refused() {
        for text in [
            "",
            "19",
            "0000",
            "2019-13",
            "2019-00",
            "2019-02-29",
            "1900-02-29",
            "2019-3-1",
            "2019-03-01T",
            "2019-03T10:00:00Z",
            "2019-03-01T10:00:00",
            "2019-03-01T10:00Z",
            "2019-03-01T24:00:00Z",
            "2019-03-01T10:00:00.Z",
            "2019-03-01T10:00:00+14:01",
            "2019-03-01T10:00:00+2:00",
            "2019-03-01 10:00:00Z",
            "２019",
        ] {
            assert!(DateTime::parse(text).is_none(), "{text}");
            assert!(!is_date_time(text.as_bytes()), "{text}");
        }
        assert!(Instant::parse("2019-03-01").is_none());
        for text in ["10:00", "24:00:00", "10:00:61", "10:00:00Z", "10-00-00"] {
            assert!(Time::parse(text).is_none() && !is_time(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_interval_is_as_wide_as_the_precision_given() {
        let interval = |text: &str| {
            let (start, end) = at(text).interval();
            [start.to_rfc3339(), end.to_rfc3339()].map(|text| text.replace("T00:00:00.000000Z", ""))
        };
        assert_eq!(interval("2019"), ["2019-01-01", "2020-01-01"]);
        assert_eq!(interval("2019-12"), ["2019-12-01", "2020-01-01"]);
        assert_eq!(interval("2019-03-01"), ["2019-03-01", "2019-03-02"]);
        assert_eq!(
            interval("2019-03-01T00:00:00+02:00"),
            ["2019-02-28T22:00:00.000000Z", "2019-02-28T22:00:01.000000Z"]
        );
        assert_eq!(interval("2019-03-01T00:00:00.25Z"), ["2019-03-01T00:00:00.250000Z", "2019-03-01T00:00:00.260000Z"]);
        assert_eq!(
            interval("2019-03-01T00:00:00.1234567Z"),
            ["2019-03-01T00:00:00.123456Z", "2019-03-01T00:00:00.123457Z"]
        );
    }

    #[test]
    fn comparison_says_none_where_the_precision_does_not_decide() {
        let compare = |a: &str, b: &str| at(a).compare(at(b));
        assert_eq!(compare("2019", "2020-01"), Some(Ordering::Less));
        assert_eq!(compare("2020-01", "2019"), Some(Ordering::Greater));
        assert_eq!(compare("2019", "2019-06"), None);
        assert_eq!(compare("2019-06", "2019-06"), Some(Ordering::Equal));
        assert_eq!(compare("2019-03-01T10:00:00Z", "2019-03-01T12:00:00+02:00"), Some(Ordering::Equal));
        assert_eq!(compare("2019-03-01T23:00:00Z", "2019-03-02"), None);
        assert_eq!(compare("2019-03-01T09:59:59Z", "2019-03-02"), Some(Ordering::Less));
        let time = |text: &str| Time::parse(text).expect("a time");
        assert_eq!(time("10:00:00").compare(time("10:00:00.00")), Ordering::Equal);
        assert_eq!(time("10:00:00.1").compare(time("10:00:00.09")), Ordering::Greater);
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", at("1950-01-01")), "DateTime(..)");
    }

    proptest! {
        #[test]
        fn the_scanner_and_the_reader_agree(text in "[0-9]{4}(-[0-9]{2}){0,2}(T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[-+][01][0-9]:[0-5][0-9])?)?") {
            let read = DateTime::parse(&text);
            prop_assert_eq!(read.is_some(), is_date_time(text.as_bytes()));
            if let Some(read) = read {
                prop_assert_eq!(read.to_string(), text);
                let (start, end) = read.interval();
                prop_assert!(start < end);
            }
        }
    }
}
