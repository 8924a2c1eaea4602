//! The grammar of UCUM: terms of components with `.` and `/`, exponents, parentheses, annotations, prefixes.

use super::table::{ATOMS, Atom, PREFIXES, Prefix};
use crate::error::{Code, Error, Found, Result};

/// No code is longer than this, in bytes.
const MOST_BYTES: usize = 512;

/// Parentheses are not nested deeper than this.
const MOST_DEPTH: usize = 32;

/// No exponent is beyond this.
const MOST_EXPONENT: i32 = 999;

/// Components, multiplied or divided from left to right.
#[derive(Clone, Debug, Default)]
pub(super) struct Term(pub(super) Vec<Part>);

/// One component and whether it divides what is before it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) divides: bool,
    pub(super) component: Component,
}

/// What stands between the operators.
#[derive(Clone, Debug)]
pub(super) enum Component {
    /// A whole number, by its digits.
    Number(Box<str>),
    /// An annotation alone: one.
    Annotation,
    /// A symbol with its prefix and exponent.
    Symbol { prefix: Option<&'static Prefix>, atom: &'static Atom, exponent: i32 },
    /// A term in parentheses.
    Term(Term),
}

impl std::fmt::Debug for Atom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

/// Reads a whole code.
pub(super) fn parse(text: &str) -> Result<Term> {
    if text.len() > MOST_BYTES {
        return Err(Code::UnitLimit.error().expected("at most 512 bytes").found(Found::Length(text.len() as u64)));
    }
    if let Some(at) = text.bytes().position(|b| !b.is_ascii_graphic()) {
        return Err(Code::UnitSyntax.error().expected("ASCII characters without spaces").at_offset(at as u64));
    }
    let mut reader = Reader { text, at: 0, depth: 0 };
    let mut parts = Vec::new();
    if reader.take(b'/') {
        parts.push(Part { divides: true, component: reader.component()? });
    }
    let term = reader.term(parts)?;
    if reader.at < text.len() {
        return Err(reader.error("an operator or the end"));
    }
    Ok(term)
}

/// The atom of that code.
pub(super) fn atom(code: &str) -> Option<&'static Atom> {
    ATOMS.binary_search_by(|atom| atom.code.cmp(code)).ok().map(|index| &ATOMS[index])
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// `component { ("." | "/") component }`, after `parts` that were read already.
    fn term(&mut self, mut parts: Vec<Part>) -> Result<Term> {
        if parts.is_empty() {
            parts.push(Part { divides: false, component: self.component()? });
        }
        loop {
            let divides = match self.peek() {
                Some(b'.') => false,
                Some(b'/') => true,
                _ => return Ok(Term(parts)),
            };
            self.at += 1;
            parts.push(Part { divides, component: self.component()? });
        }
    }

    /// A number or symbol with its annotation, an annotation alone, or a term in parentheses.
    fn component(&mut self) -> Result<Component> {
        match self.peek() {
            Some(b'(') => {
                if self.depth == MOST_DEPTH {
                    return Err(Code::UnitLimit.error().expected("at most 32 levels of parentheses"));
                }
                self.at += 1;
                self.depth += 1;
                let term = self.term(Vec::new())?;
                self.depth -= 1;
                if self.take(b')') { Ok(Component::Term(term)) } else { Err(self.error("a closing parenthesis")) }
            }
            Some(b'{') => {
                self.annotation()?;
                Ok(Component::Annotation)
            }
            _ => {
                let component = self.simple()?;
                if self.peek() == Some(b'{') {
                    self.annotation()?;
                }
                Ok(component)
            }
        }
    }

    fn annotation(&mut self) -> Result<()> {
        let rest = &self.text[self.at + 1..];
        match rest.find(['{', '}']) {
            Some(length) if rest.as_bytes()[length] == b'}' => {
                self.at += length + 2;
                Ok(())
            }
            _ => Err(self.error("an annotation that ends with `}`")),
        }
    }

    /// A number, or a symbol with its exponent.
    fn simple(&mut self) -> Result<Component> {
        let start = self.at;
        let word = self.word()?;
        if word.is_empty() {
            return Err(self.error("a unit"));
        }
        if word.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Component::Number(word.into()));
        }
        let unsigned = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let (symbol, exponent) = if unsigned.len() < word.len() {
            let symbol = unsigned.strip_suffix(['+', '-']).unwrap_or(unsigned);
            let exponent = word[symbol.len()..].parse::<i32>().ok().filter(|e| e.abs() <= MOST_EXPONENT);
            (symbol, exponent.ok_or_else(|| Code::UnitLimit.error().expected("an exponent of at most 999"))?)
        } else {
            (word, 1)
        };
        let (prefix, atom) = symbol_of(symbol).ok_or_else(|| Code::UnitUnknown.error().at_offset(start as u64))?;
        Ok(Component::Symbol { prefix, atom, exponent })
    }

    /// Characters up to an operator, brace or parenthesis; what stands in brackets belongs to the word.
    fn word(&mut self) -> Result<&'a str> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'.' | b'/' | b'(' | b')' | b'{' | b'}' => break,
                b'[' => match self.text[self.at..].find(']') {
                    Some(length) => self.at += length + 1,
                    None => return Err(self.error("a closing bracket")),
                },
                _ => self.at += 1,
            }
        }
        Ok(&self.text[start..self.at])
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn error(&self, expected: &'static str) -> Error {
        Code::UnitSyntax.error().expected(expected).at_offset(self.at as u64)
    }
}

/// An atom, or a prefix with a metric atom. No text is both (a test says so).
fn symbol_of(symbol: &str) -> Option<(Option<&'static Prefix>, &'static Atom)> {
    if let Some(atom) = atom(symbol) {
        return Some((None, atom));
    }
    PREFIXES.iter().find_map(|prefix| {
        let atom = atom(symbol.strip_prefix(prefix.code)?)?;
        atom.metric.then_some((Some(prefix), atom))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_sorted_and_no_symbol_has_two_readings() {
        assert!(ATOMS.is_sorted_by(|a, b| a.code < b.code));
        let mut seen: BTreeSet<String> = ATOMS.iter().map(|atom| atom.code.to_owned()).collect();
        for prefix in PREFIXES {
            for atom in ATOMS.iter().filter(|atom| atom.metric) {
                assert!(seen.insert([prefix.code, atom.code].concat()), "{}{}", prefix.code, atom.code);
            }
        }
    }
}
