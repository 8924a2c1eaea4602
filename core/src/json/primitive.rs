//! The forms of R4's primitive types (R4, data types, 2.24.0.1), as scanners over bytes.

use crate::schema::Primitive;
use crate::time::fhir;

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

/// How a text fits its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Good,
    /// It fits, but the standard says it should be otherwise: how.
    Odd(&'static str),
    Bad,
}

impl From<bool> for Form {
    #[inline]
    fn from(good: bool) -> Self {
        if good { Form::Good } else { Form::Bad }
    }
}

/// How `text`, which is not empty, fits its type. `escaped`: the JSON string had escapes, so it may hold control characters.
#[inline]
pub(super) fn form(primitive: Primitive, text: &[u8], escaped: bool) -> Form {
    match primitive {
        Primitive::Boolean | Primitive::Decimal | Primitive::Xhtml => Form::Good,
        Primitive::Integer => integer(text).is_some().into(),
        Primitive::PositiveInt => integer(text).is_some_and(|n| n >= 1).into(),
        Primitive::UnsignedInt => integer(text).is_some_and(|n| n >= 0).into(),
        Primitive::String | Primitive::Markdown => string(text, escaped).into(),
        Primitive::Code => code(text).into(),
        Primitive::Id => crate::record::is_id(text).into(),
        Primitive::Uri | Primitive::Url | Primitive::Canonical => uri(text),
        Primitive::Oid => text.strip_prefix(b"urn:oid:").is_some_and(oid).into(),
        Primitive::Uuid => text.strip_prefix(b"urn:uuid:").is_some_and(uuid).into(),
        Primitive::Base64Binary => base64(text).into(),
        Primitive::Date => fhir::is_date(text).into(),
        Primitive::DateTime => fhir::is_date_time(text).into(),
        Primitive::Instant => fhir::is_instant(text).into(),
        Primitive::Time => fhir::is_time(text).into(),
    }
}

/// At most 1,048,576 characters, none of them a control character.
#[inline]
fn string(text: &[u8], escaped: bool) -> bool {
    const MOST: usize = 1 << 20;
    let controls = escaped && text.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'));
    // Of a character's bytes, all but the first are 10xxxxxx.
    !controls && (text.len() <= MOST || text.iter().filter(|byte| **byte & 0xc0 != 0x80).count() <= MOST)
}

fn integer(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+') && *text != "-0")?.parse().ok()
}

/// No white space but single spaces inside.
#[inline]
fn code(text: &[u8]) -> bool {
    !has_blank(text) || single_blanks(text)
}

fn single_blanks(text: &[u8]) -> bool {
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
fn uri(text: &[u8]) -> Form {
    if has_blank(text) {
        return Form::Bad;
    }
    if text.starts_with(b"urn:") { urn(text) } else { Form::Good }
}

/// Whether a byte is white space or a control character; eight bytes at a time.
#[inline]
fn has_blank(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    let low = words.iter().fold(0, |low, word| {
        let word = u64::from_le_bytes(*word);
        low | word.wrapping_sub(ONES * 0x21) & !word
    });
    low & (ONES << 7) != 0 || rest.iter().any(|byte| *byte <= b' ')
}

/// In a plain uri, an OID or UUID that is none is odd and no error: systems in the field have such names.
fn urn(text: &[u8]) -> Form {
    if text.strip_prefix(b"urn:oid:").is_some_and(|rest| !oid(rest)) {
        return Form::Odd("digits with dots after urn:oid:");
    }
    if text.strip_prefix(b"urn:uuid:").is_some_and(|rest| !uuid(rest)) {
        return Form::Odd("a lower-case UUID after urn:uuid:");
    }
    Form::Good
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(primitive: Primitive, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(form(primitive, text.as_bytes(), true), Form::Good, "{primitive:?} {text}");
        }
        for text in bad {
            assert_ne!(form(primitive, text.as_bytes(), true), Form::Good, "{primitive:?} {text}");
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
        check(Primitive::Integer, &["0", "-2147483648"], &["2147483648", "1.0", "1e2", "-0"]);
        check(Primitive::PositiveInt, &["1"], &["0", "-1"]);
        check(
            Primitive::Uri,
            &["http://x", "urn:oid:1.2", "é"],
            &["a b", "0123456789 ", "012345678\u{1}012345", "urn:uuid:12"],
        );
        check(Primitive::String, &["a\tb", &"é".repeat(1 << 20)], &["a\u{1}", &"x".repeat((1 << 20) + 1)]);
    }
}
