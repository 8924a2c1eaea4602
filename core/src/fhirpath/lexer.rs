//! The words of an expression, each with its column.

use super::moment::Moment;
use crate::error::{Code, Error, Result};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// A name; whether it stood in backticks, and so is no keyword.
    Name(String, bool),
    String(String),
    Number(String),
    Moment(Moment),
    /// `%name`.
    Variable(String),
    /// `$this` and so on, without the dollar.
    Special(String),
    Symbol(&'static str),
    End,
}

pub(super) struct Token {
    pub(super) word: Word,
    /// From 1, in bytes.
    pub(super) column: u32,
}

const SYMBOLS: [&str; 23] = [
    "!=", "!~", "<=", ">=", ".", ",", "(", ")", "[", "]", "{", "}", "+", "-", "*", "/", "&", "|", "<", ">", "=", "~",
    ":",
];

/// Longer expressions are refused.
const MOST_BYTES: usize = 1 << 16;

pub(super) fn words(text: &str) -> Result<Vec<Token>> {
    if text.len() > MOST_BYTES {
        return Err(Code::FhirpathTooDeep.error().expected("an expression of at most 65,536 bytes"));
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut words = Vec::new();
    loop {
        lexer.space()?;
        let column = lexer.column();
        let word = lexer.word()?;
        let end = word == Word::End;
        words.push(Token { word, column });
        if end {
            return Ok(words);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn column(&self) -> u32 {
        self.at as u32 + 1
    }
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
    fn error(&self, code: Code, expected: &'static str) -> Error {
        code.error().expected(expected).at_line(1, self.column())
    }
    fn space(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            if let Some(comment) = rest.strip_prefix("//") {
                self.at += 2 + comment.find(['\n', '\r']).unwrap_or(comment.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment.find("*/");
                self.at += 4 + end.ok_or_else(|| self.error(Code::FhirpathSyntax, "an end of the comment"))?;
            } else {
                let space = rest.len() - rest.trim_start().len();
                if space == 0 {
                    return Ok(());
                }
                self.at += space;
            }
        }
    }
    fn take(&mut self, holds: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !holds(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }
    fn name(&mut self) -> &'t str {
        self.take(|c| c.is_ascii_alphanumeric() || c == '_')
    }
    fn word(&mut self) -> Result<Word> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Word::End) };
        match first {
            'a'..='z' | 'A'..='Z' | '_' => Ok(Word::Name(self.name().to_owned(), false)),
            '`' => Ok(Word::Name(self.quoted('`')?, true)),
            '\'' => Ok(Word::String(self.quoted('\'')?)),
            '0'..='9' => {
                let start = self.at;
                self.take(|c| c.is_ascii_digit());
                let mut after = self.rest().chars();
                if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
                    self.at += 1;
                    self.take(|c| c.is_ascii_digit());
                }
                let digits = self.text[start..self.at].trim_start_matches('0');
                let missing = if digits.is_empty() || digits.starts_with('.') { "0" } else { "" };
                Ok(Word::Number(format!("{missing}{digits}")))
            }
            '@' => self.moment(),
            '$' => {
                self.at += 1;
                Ok(Word::Special(self.name().to_owned()))
            }
            '%' => {
                self.at += 1;
                match self.rest().chars().next() {
                    Some(quote @ ('`' | '\'')) => Ok(Word::Variable(self.quoted(quote)?)),
                    _ => {
                        let name = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '_'));
                        if name.is_empty() {
                            return Err(self.error(Code::FhirpathSyntax, "a name after %"));
                        }
                        Ok(Word::Variable(name.to_owned()))
                    }
                }
            }
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                let symbol = symbol.ok_or_else(|| self.error(Code::FhirpathSyntax, "a word of FHIRPath"))?;
                self.at += symbol.len();
                Ok(Word::Symbol(symbol))
            }
        }
    }
    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.column();
        self.at += 1;
        let mut made = String::new();
        loop {
            let rest = self.rest();
            let stop = rest.find(['\\', quote]);
            let Some(stop) = stop else {
                return Err(Code::FhirpathSyntax.error().expected("an end of the text in quotes").at_line(1, start));
            };
            made.push_str(&rest[..stop]);
            self.at += stop + 1;
            if rest[stop..].starts_with(quote) {
                return Ok(made);
            }
            let escape = self.rest().chars().next();
            self.at += escape.map_or(0, char::len_utf8);
            made.push(match escape {
                Some(plain @ ('\'' | '"' | '`' | '\\' | '/')) => plain,
                Some('r') => '\r',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('f') => '\u{c}',
                Some('u') => {
                    let mut unit = self.hex4()?;
                    if (0xd800..0xdc00).contains(&unit) && self.rest().starts_with("\\u") {
                        self.at += 2;
                        unit = 0x10000 + ((unit & 0x3ff) << 10) + (self.hex4()? & 0x3ff);
                    }
                    char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                _ => return Err(self.error(Code::FhirpathLiteral, "an escape of FHIRPath")),
            });
        }
    }
    fn hex4(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error(Code::FhirpathLiteral, "four hexadecimal digits"))?;
        self.at += 4;
        Ok(unit)
    }
    /// `@2014`, `@2014-01-05T`, `@T12:00` and so on.
    fn moment(&mut self) -> Result<Word> {
        let start = self.column();
        let bad = || Code::FhirpathLiteral.error().expected("a date, dateTime or time").at_line(1, start);
        self.at += 1;
        if self.rest().starts_with('T') {
            self.at += 1;
            let text = self.clock();
            return Moment::time(text).map(Word::Moment).ok_or_else(bad);
        }
        let from = self.at;
        self.take(|c| c.is_ascii_digit() || c == '-');
        let date = &self.text[from..self.at];
        if !self.rest().starts_with('T') {
            return Moment::date(date).map(Word::Moment).ok_or_else(bad);
        }
        self.at += 1;
        if !self.clock().is_empty() {
            if self.rest().starts_with('Z') {
                self.at += 1;
            } else if self.rest().starts_with(['+', '-'])
                && self
                    .rest()
                    .as_bytes()
                    .get(1..6)
                    .is_some_and(|zone| zone[2] == b':' && [0, 1, 3, 4].iter().all(|i| zone[*i].is_ascii_digit()))
            {
                self.at += 6;
            }
        }
        Moment::date_time(&self.text[from..self.at]).map(Word::Moment).ok_or_else(bad)
    }
    /// The digits, colons and point of a time. A point that no digit follows belongs to what comes after.
    fn clock(&mut self) -> &'t str {
        let start = self.at;
        self.take(|c| c.is_ascii_digit() || c == ':');
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take(|c| c.is_ascii_digit());
        }
        &self.text[start..self.at]
    }
}
