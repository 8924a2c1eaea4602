//! Regular expressions of `matches` and `replaceMatches`: linear in the text, and bounded in size.
//!
//! `\s`, `\d`, `\w` and `\b` mean ASCII, as in the dialects that FHIR's own expressions are written in.

use crate::error::{Code, Result};
use regex::{Regex, RegexBuilder};

#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    empty: bool,
}

const MOST_BYTES: usize = 1 << 20;

impl Pattern {
    /// Reads a pattern; `full` means that it must match the whole text.
    pub(crate) fn new(text: &str, full: bool) -> Result<Self> {
        let ascii = in_ascii(text);
        let whole = if full { format!(r"\A(?:{ascii})\z") } else { ascii };
        let built = RegexBuilder::new(&whole)
            .dot_matches_new_line(true)
            .size_limit(MOST_BYTES)
            .dfa_size_limit(MOST_BYTES)
            .nest_limit(64)
            .build();
        let regex = built.map_err(|_| Code::FhirpathPattern.error())?;
        Ok(Pattern { regex, empty: text.is_empty() })
    }
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
    /// Replaces every match; `$1` or `${name}` in the replacement is a group.
    pub(super) fn replace(&self, text: &str, by: &str) -> String {
        if self.empty { text.to_owned() } else { self.regex.replace_all(text, by).into_owned() }
    }
}

/// Writes the classes that would need tables of Unicode as those of ASCII.
fn in_ascii(text: &str) -> String {
    let mut made = String::with_capacity(text.len() + 16);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            made.push(c);
            continue;
        }
        match characters.next() {
            Some('s') => made.push_str(r"[ \t\n\r\x0B\x0C]"),
            Some('S') => made.push_str(r"[^ \t\n\r\x0B\x0C]"),
            Some('d') => made.push_str("[0-9]"),
            Some('D') => made.push_str("[^0-9]"),
            Some('w') => made.push_str("[0-9A-Za-z_]"),
            Some('W') => made.push_str("[^0-9A-Za-z_]"),
            Some('b') => made.push_str(r"(?-u:\b)"),
            Some('B') => made.push_str(r"(?-u:\B)"),
            // A letter or a slash that needs no escape may have one.
            Some(plain) if !plain.is_ascii_alphanumeric() && !regex_syntax_meta(plain) => made.push(plain),
            Some(other) => made.extend(['\\', other]),
            None => made.push('\\'),
        }
    }
    made
}

/// Whether the character means something in a pattern, so that its escape is kept.
fn regex_syntax_meta(c: char) -> bool {
    r"\.+*?()|[]{}^$#&-~".contains(c)
}
