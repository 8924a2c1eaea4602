//! The forms of R4's primitive types (R4, data types, 2.24.0.1), as scanners over bytes.

use crate::schema::Primitive;
use crate::time::{Timestamp, days_from_civil};

/// What the form of a type is, in words.
pub(super) const fn expected(primitive: Primitive) -> &'static str {
    match primitive {
        Primitive::Boolean => "true or false",
        Primitive::Integer => "an integer from -2147483648 to 2147483647",
        Primitive::PositiveInt => "an integer from 1 to 2147483647",
        Primitive::UnsignedInt => "an integer from 0 to 2147483647",
        Primitive::Decimal => "a decimal number",
        Primitive::String | Primitive::Markdown => "text of at most 1 MiB without control characters",
        Primitive::Code => "a code: no white space at its ends and single spaces inside",
        Primitive::Id => "1 to 64 of A-Z a-z 0-9 - .",
        Primitive::Uri | Primitive::Url | Primitive::Canonical => "an address without white space",
        Primitive::Oid => "urn:oid: and digits with dots",
        Primitive::Uuid => "urn:uuid: and a lower-case UUID",
        Primitive::Base64Binary => "base64",
        Primitive::Date => "YYYY, YYYY-MM or YYYY-MM-DD",
        Primitive::DateTime => "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone",
        Primitive::Instant => "YYYY-MM-DDThh:mm:ss with a zone",
        Primitive::Time => "hh:mm:ss",
        Primitive::Xhtml => "XHTML",
    }
}

/// Whether `text`, which is not empty, has the form of its type.
#[inline]
pub(super) fn has_form(primitive: Primitive, text: &[u8]) -> bool {
    match primitive {
        Primitive::Boolean | Primitive::Decimal | Primitive::Xhtml => true,
        Primitive::Integer => integer(text).is_some(),
        Primitive::PositiveInt => integer(text).is_some_and(|n| n >= 1),
        Primitive::UnsignedInt => integer(text).is_some_and(|n| n >= 0),
        Primitive::String | Primitive::Markdown => {
            text.len() <= 1 << 20 && text.iter().all(|b| *b >= b' ' || matches!(b, b'\t' | b'\n' | b'\r'))
        }
        Primitive::Code => code(text),
        Primitive::Id => crate::record::is_id(text),
        Primitive::Uri | Primitive::Url | Primitive::Canonical => uri(text),
        Primitive::Oid => text.strip_prefix(b"urn:oid:").is_some_and(oid),
        Primitive::Uuid => text.strip_prefix(b"urn:uuid:").is_some_and(uuid),
        Primitive::Base64Binary => base64(text),
        Primitive::Date => date(text).is_some_and(|used| used == text.len()),
        Primitive::DateTime => date_time(text),
        Primitive::Instant => text.len() > 10 && date_time(text),
        Primitive::Time => time(text, false).is_some_and(|used| used == text.len()),
    }
}

fn integer(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

/// No white space but single spaces inside.
#[inline]
fn code(text: &[u8]) -> bool {
    let mut before = b' ';
    for byte in text {
        if *byte == b' ' && before == b' ' || *byte < b' ' {
            return false;
        }
        before = *byte;
    }
    before != b' '
}

#[inline]
fn uri(text: &[u8]) -> bool {
    text.iter().all(|b| *b > b' ') && !(text.starts_with(b"urn:oid:") && !oid(&text[8..])) && uuid_if_urn(text)
}

fn uuid_if_urn(text: &[u8]) -> bool {
    // Upper-case digits are tolerated in a plain uri: only `uuid` asks for lower case.
    match text.strip_prefix(b"urn:uuid:") {
        Some(rest) => rest.len() == 36 && uuid(&rest.to_ascii_lowercase()),
        None => true,
    }
}

fn oid(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b'.');
    let first = parts.next().is_some_and(|part| matches!(part, b"0" | b"1" | b"2"));
    let mut count = 0;
    first
        && parts.all(|part| {
            count += 1;
            !part.is_empty() && part.iter().all(u8::is_ascii_digit) && (part.len() == 1 || part[0] != b'0')
        })
        && count > 0
}

fn uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Base64 with padding; white space between groups is allowed.
fn base64(text: &[u8]) -> bool {
    let (mut count, mut padding) = (0_usize, 0_usize);
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => count += 1,
            b'=' => padding += 1,
            b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => return false,
        }
    }
    padding <= 2 && (count + padding) % 4 == 0
}

#[inline]
fn two(text: &[u8], at: usize) -> Option<u32> {
    match text.get(at..at + 2) {
        Some([a @ b'0'..=b'9', b @ b'0'..=b'9']) => Some(u32::from(a - b'0') * 10 + u32::from(b - b'0')),
        _ => None,
    }
}

/// Reads a date as far as it goes; gives the number of bytes used.
#[inline]
fn date(text: &[u8]) -> Option<usize> {
    let year = two(text, 0)? * 100 + two(text, 2)?;
    if year == 0 {
        return None;
    }
    if text.get(4) != Some(&b'-') {
        return Some(4);
    }
    let month = two(text, 5).filter(|m| (1..=12).contains(m))?;
    if text.get(7) != Some(&b'-') {
        return Some(7);
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
    two(text, 8).filter(|d| (1..=days).contains(d)).map(|_| 10)
}

/// Reads `hh:mm:ss` with a fraction; gives the number of bytes used.
#[inline]
fn time(text: &[u8], leap_second: bool) -> Option<usize> {
    let most = if leap_second { 60 } else { 59 };
    two(text, 0).filter(|h| *h < 24)?;
    two(text, 3).filter(|m| *m < 60 && text[2] == b':')?;
    two(text, 6).filter(|s| *s <= most && text[5] == b':')?;
    if text.get(8) != Some(&b'.') {
        return Some(8);
    }
    let digits = text[9..].iter().take_while(|b| b.is_ascii_digit()).count();
    (digits > 0).then_some(9 + digits)
}

#[inline]
fn date_time(text: &[u8]) -> bool {
    let Some(used) = date(text) else { return false };
    let Some(rest) = text[used..].strip_prefix(b"T").filter(|_| used == 10) else { return used == text.len() };
    let Some(used) = time(rest, true) else { return false };
    match &rest[used..] {
        b"Z" => true,
        zone @ [b'+' | b'-', ..] if zone.len() == 6 && zone[3] == b':' => {
            two(zone, 1).is_some_and(|h| h <= 14) && two(zone, 4).is_some_and(|m| m < 60)
        }
        _ => false,
    }
}

/// The stretch of time a date, dateTime or instant stands for, half open; None where the form is not one of them. A dateTime
/// without a zone is read as UTC.
pub(crate) fn instant_of(text: &[u8]) -> Option<(Timestamp, Timestamp)> {
    const DAY: i64 = 86_400_000_000;
    let used = date(text)?;
    let year = i64::from(two(text, 0)? * 100 + two(text, 2)?);
    let month = if used >= 7 { two(text, 5)? } else { 1 };
    let day = if used >= 10 { two(text, 8)? } else { 1 };
    let start = days_from_civil(year, month, day) * DAY;
    let Some(rest) = text[used..].strip_prefix(b"T") else {
        let end = match used {
            4 => days_from_civil(year + 1, 1, 1),
            7 if month == 12 => days_from_civil(year + 1, 1, 1),
            7 => days_from_civil(year, month + 1, 1),
            _ => start / DAY + 1,
        };
        return (used == text.len()).then_some((Timestamp(start), Timestamp(end * DAY)));
    };
    let clock_length = time(rest, true)?;
    let seconds = i64::from(two(rest, 0)? * 3600 + two(rest, 3)? * 60 + two(rest, 6)?);
    let (mut micros, mut unit) = (0_i64, 1_000_000_i64);
    for digit in rest.get(9..clock_length).unwrap_or_default().iter().take(6) {
        unit /= 10;
        micros += i64::from(digit - b'0') * unit;
    }
    let offset = match &rest[clock_length..] {
        zone @ [sign @ (b'+' | b'-'), ..] if zone.len() == 6 => {
            let minutes = i64::from(two(zone, 1)? * 60 + two(zone, 4)?);
            if *sign == b'-' { -minutes } else { minutes }
        }
        b"Z" | b"" => 0,
        _ => return None,
    };
    let at = start + seconds * 1_000_000 + micros - offset * 60_000_000;
    Some((Timestamp(at), Timestamp(at + unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(primitive: Primitive, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(has_form(primitive, text.as_bytes()), "{primitive:?} {text}");
        }
        for text in bad {
            assert!(!has_form(primitive, text.as_bytes()), "{primitive:?} {text}");
        }
    }

    #[test]
    fn each_primitive_accepts_its_form_and_nothing_else() {
        check(
            Primitive::Date,
            &["2019", "2019-03", "2020-02-29"],
            &["19", "2019-13", "2019-02-29", "2019-1-1", "0000", "2019-03-01T"],
        );
        check(
            Primitive::DateTime,
            &["2019", "2019-03-01", "2019-03-01T10:00:00Z", "2019-03-01T10:00:00.123+02:00", "2016-12-31T23:59:60Z"],
            &[
                "2019-03-01T10:00:00",
                "2019-03-01T10:00Z",
                "2019-03-01T24:00:00Z",
                "2019-03T10:00:00Z",
                "2019-03-01T10:00:00+2:00",
            ],
        );
        check(Primitive::Instant, &["2019-03-01T10:00:00Z"], &["2019-03-01"]);
        check(Primitive::Time, &["10:00:00", "10:00:00.5"], &["10:00", "24:00:00", "10:00:00Z"]);
        check(Primitive::Code, &["a", "a b"], &[" a", "a ", "a  b", "a\tb"]);
        check(Primitive::Id, &["a-1.B"], &["a_b", &"x".repeat(65)]);
        check(Primitive::Oid, &["urn:oid:1.2.3"], &["urn:oid:3.2", "1.2.3", "urn:oid:1.02"]);
        check(Primitive::Uuid, &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"], &["urn:uuid:c757873d"]);
        check(Primitive::Base64Binary, &["QUJD", "QUI=", "QQ=="], &["QUJ", "Q=Q=", "Q*=="]);
        check(Primitive::Integer, &["0", "-2147483648"], &["2147483648", "1.0", "1e2"]);
        check(Primitive::PositiveInt, &["1"], &["0", "-1"]);
        check(Primitive::Uri, &["http://x", "urn:oid:1.2"], &["a b", "urn:uuid:12"]);
    }

    #[test]
    fn an_interval_is_as_wide_as_the_precision_given() {
        let text = |text: &str| instant_of(text.as_bytes()).map(|(a, b)| (a.to_rfc3339(), b.to_rfc3339()));
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(text("2019"), pair("2019-01-01T00:00:00.000000Z", "2020-01-01T00:00:00.000000Z"));
        assert_eq!(text("2019-12"), pair("2019-12-01T00:00:00.000000Z", "2020-01-01T00:00:00.000000Z"));
        assert_eq!(text("2019-03-01"), pair("2019-03-01T00:00:00.000000Z", "2019-03-02T00:00:00.000000Z"));
        assert_eq!(
            text("2019-03-01T00:00:00+02:00"),
            pair("2019-02-28T22:00:00.000000Z", "2019-02-28T22:00:01.000000Z")
        );
        assert_eq!(text("2019-03-01T00:00:00.25Z"), pair("2019-03-01T00:00:00.250000Z", "2019-03-01T00:00:00.260000Z"));
        assert_eq!(text("x"), None);
    }
}
