//! Code systems that are a form or a short list rather than a definition: languages, countries, currencies, MIME types, units, URIs.

use super::facts;
use crate::units::{self, Unit};

/// A code system that is built in as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Language,
    Country,
    Currency,
    MimeType,
    Unit,
    Uri,
}

impl Form {
    /// The rule of a system.
    pub(super) fn of(system: &str) -> Option<Form> {
        Some(match system {
            "urn:ietf:bcp:47" => Form::Language,
            "urn:iso:std:iso:3166" => Form::Country,
            "urn:iso:std:iso:4217" => Form::Currency,
            "urn:ietf:bcp:13" | "http://terminology.hl7.org/CodeSystem/mimetypes" => Form::MimeType,
            units::SYSTEM => Form::Unit,
            "urn:ietf:rfc:3986" => Form::Uri,
            _ => return None,
        })
    }

    /// Whether the code is one of the system; None where that needs a list that is not here.
    pub(super) fn contains(self, code: &str) -> Option<bool> {
        match self {
            Form::Language => language(code),
            Form::Country => country(code),
            Form::Currency => match has(facts::CURRENCIES, code) {
                // New currencies come more often than releases of this library.
                false if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) => None,
                known => Some(known),
            },
            Form::MimeType => Some(mime_type(code)),
            Form::Unit => Some(facts::UNITS.binary_search(&code).is_ok() || Unit::parse(code).is_ok()),
            Form::Uri => Some(!code.is_empty() && !code.contains(char::is_whitespace)),
        }
    }

    /// Every code, where they can be counted.
    pub(super) fn codes(self) -> Option<impl Iterator<Item = &'static str>> {
        let lists = match self {
            Form::Country => [facts::COUNTRIES_2, facts::COUNTRIES_3, facts::COUNTRIES_NUMERIC],
            Form::Currency => [facts::CURRENCIES, "", ""],
            _ => return None,
        };
        Some(lists.into_iter().flat_map(str::split_ascii_whitespace))
    }
}

fn has(list: &str, code: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == code)
}

/// BCP 47: the form of every subtag; the language by ISO 639, the country by ISO 3166.
fn language(code: &str) -> Option<bool> {
    let letters = |tag: &str| tag.bytes().all(|b| b.is_ascii_alphabetic());
    let digits = |tag: &str| tag.bytes().all(|b| b.is_ascii_digit());
    let well_formed = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    if code.len() > 100 || !code.split('-').all(well_formed) {
        return Some(false);
    }
    let mut tags = code.split('-');
    let primary = tags.next()?.to_ascii_lowercase();
    if primary == "x" {
        return Some(tags.next().is_some());
    }
    if primary == "i" {
        return None; // registered before there was a form
    }
    if !letters(&primary) || primary.len() < 2 {
        return Some(false);
    }
    let mut sure = match primary.len() {
        2 if has(facts::LANGUAGES_2, &primary) || has(facts::LANGUAGES_2_OLD, &primary) => true,
        2 => return Some(false),
        3 if has(facts::LANGUAGES_LONG, &primary) => return Some(false),
        3 => has(facts::LANGUAGES_3, &primary),
        _ => return Some(false), // reserved; none is registered
    };
    // Order: up to three extended languages, a script, a region, variants, extensions.
    let mut stage = 0;
    for tag in tags {
        if tag.len() == 1 {
            break; // an extension or private use: its rules are elsewhere
        }
        let next = match tag.len() {
            3 if letters(tag) && stage <= 1 => 1,
            4 if letters(tag) && stage <= 1 => 2,
            2 if letters(tag) && stage <= 2 => {
                match country(&tag.to_ascii_uppercase()) {
                    Some(true) => {}
                    Some(false) => return Some(false),
                    None => sure = false,
                }
                3
            }
            3 if digits(tag) && stage <= 2 => 3,
            4 if tag.starts_with(|c: char| c.is_ascii_digit()) => 4,
            5..=8 => 4,
            _ => return Some(false),
        };
        sure &= next == 2 || next == 3;
        stage = next;
    }
    sure.then_some(true)
}

/// ISO 3166-1. The codes that ISO leaves to users (such as `XK`) are not known to be wrong.
fn country(code: &str) -> Option<bool> {
    let known = match code.len() {
        2 => facts::COUNTRIES_2,
        3 if code.as_bytes()[0].is_ascii_digit() => facts::COUNTRIES_NUMERIC,
        3 => facts::COUNTRIES_3,
        _ => return Some(false),
    };
    let left_to_users = |pair: &[u8]| matches!(pair, b"AA" | [b'Q', b'M'..=b'Z'] | [b'X', b'A'..=b'Z'] | b"ZZ");
    match has(known, code) {
        false if left_to_users(&code.as_bytes()[..2]) => None,
        known => Some(known),
    }
}

/// RFC 6838: a type and a subtype, and parameters.
fn mime_type(code: &str) -> bool {
    let name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.len() <= 127
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let mut parts = code.split(';');
    let main = parts.next().unwrap_or_default().trim_end();
    let Some((kind, subtype)) = main.split_once('/') else { return false };
    let any = |text: &str| text == "*" || name(text);
    any(kind)
        && any(subtype)
        && parts.all(|parameter| parameter.split_once('=').is_some_and(|(key, _)| name(key.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn judge(form: Form, yes: &[&str], no: &[&str], open: &[&str]) {
        for (codes, verdict) in [(yes, Some(true)), (no, Some(false)), (open, None)] {
            for code in codes {
                assert_eq!(form.contains(code), verdict, "{code}");
            }
        }
    }

    #[test]
    fn languages_are_judged_by_form_and_by_iso() {
        judge(
            Form::Language,
            &["en", "en-US", "de-CH", "zh-Hant-TW", "es-419", "EN-us", "iw", "haw", "x-own", "en-x-own"],
            &["", "qq", "english", "e", "en_US", "eng", "en-", "en-US-US", "en-AB", "en-usa-", "12", "x", "en-a1"],
            &["abq", "de-CH-1901", "zh-cmn", "i-klingon", "en-XK"],
        );
    }

    #[test]
    fn countries_and_currencies_are_those_of_iso() {
        judge(Form::Country, &["US", "USA", "840", "CH"], &["us", "UK", "USX", "000", "U", "ÄÖ"], &["XK", "ZZ", "XKX"]);
        judge(Form::Currency, &["USD", "EUR"], &["usd", "EURO", ""], &["QQQ"]);
        assert_eq!(Form::Country.codes().map(Iterator::count), Some(3 * 249));
        assert!(Form::Country.codes().into_iter().flatten().all(|code| Form::Country.contains(code) == Some(true)));
        assert!(Form::Language.codes().is_none());
    }

    #[test]
    fn media_types_units_and_uris_are_judged_by_their_grammar() {
        let types = ["text/plain", "application/fhir+json; fhirVersion=4.0", "image/*", "text/plain;charset=utf-8"];
        judge(Form::MimeType, &types, &["", "text", "text/", "/plain", "te xt/plain", "text/plain;charset"], &[]);
        judge(Form::Unit, facts::UNITS, &[], &[]);
        assert!(facts::UNITS.is_sorted() && facts::UNITS.iter().all(|unit| Unit::parse(unit).is_ok()));
        judge(Form::Unit, &["mg/dL", "mm[Hg]", "1"], &["mmHg", ""], &[]);
        judge(Form::Uri, &["urn:oid:1.2", "http://example.org"], &["", "a b"], &[]);
    }
}
