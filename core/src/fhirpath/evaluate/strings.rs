//! Functions over texts.

use super::{Call, Run, at, operand, single};
use crate::error::{Code, Result};
use crate::fhirpath::functions::Function;
use crate::fhirpath::item::{Collection, Item};
use crate::fhirpath::parser::Kind;
use crate::fhirpath::regex::Pattern;
use std::borrow::Cow;

impl<'a> Run<'a, '_> {
    pub(super) fn strings(
        &self,
        function: Function,
        found: Collection<'a>,
        call: Call<'_, 'a>,
    ) -> Result<Collection<'a>> {
        let Call { expr, parameters, frame } = call;
        if function == Function::Join {
            return self.join(&found, call);
        }
        let Some(item) = single(found, expr)? else { return Ok(Collection::None) };
        let Some(text) = item.as_string() else {
            // What has no value gives nothing; what is another type than a text is a mistake.
            let lacks = item.element().is_some_and(|element| element.primitive().is_some() && item.value().is_none());
            return if lacks { Ok(Collection::None) } else { Err(operand(expr, "a text")) };
        };
        let boolean = |truth| Ok(Collection::boolean(truth));
        let integer = |at: usize| Ok(Collection::One(Item::Integer(at as i64)));
        // Functions of a text alone, then those with a text as their parameter.
        match function {
            Function::Upper => return self.text(text.to_uppercase()).map(Collection::One),
            Function::Lower => return self.text(text.to_lowercase()).map(Collection::One),
            Function::Trim => return self.text(text.trim().to_owned()).map(Collection::One),
            Function::Length => return integer(text.chars().count()),
            Function::ToChars => {
                self.spend(text.len() as u64)?;
                return Ok(text.chars().map(|c| Item::string(c.to_string())).collect());
            }
            Function::Substring => {
                let start = match parameters {
                    [start, ..] => self.integer(start, frame)?,
                    [] => None,
                };
                let count = match parameters {
                    [_, count] => match self.integer(count, frame)? {
                        Some(count) => usize::try_from(count).unwrap_or(0),
                        None => usize::MAX,
                    },
                    _ => usize::MAX,
                };
                let start = start.and_then(|start| usize::try_from(start).ok());
                let Some(start) = start.filter(|start| *start < text.chars().count()) else {
                    return Ok(Collection::None);
                };
                return self.text(text.chars().skip(start).take(count).collect()).map(Collection::One);
            }
            Function::Matches | Function::MatchesFull | Function::ReplaceMatches => {
                return self.matches(function, &text, call);
            }
            _ => {}
        }
        let [first, rest @ ..] = parameters else { return Err(at(Code::FhirpathArity, expr)) };
        let Some(first) = self.string(first, frame)? else { return Ok(Collection::None) };
        self.spend(text.len() as u64 / 64)?;
        match function {
            Function::IndexOf => match text.find(&*first) {
                Some(at) => integer(text[..at].chars().count()),
                None => Ok(Collection::One(Item::Integer(-1))),
            },
            Function::LastIndexOf => match text.rfind(&*first) {
                Some(at) => integer(text[..at].chars().count()),
                None => Ok(Collection::One(Item::Integer(-1))),
            },
            Function::StartsWith => boolean(text.starts_with(&*first)),
            Function::EndsWith => boolean(text.ends_with(&*first)),
            Function::Contains => boolean(text.contains(&*first)),
            Function::Replace => {
                let [by] = rest else { return Err(at(Code::FhirpathArity, expr)) };
                let Some(by) = self.string(by, frame)? else { return Ok(Collection::None) };
                if (text.len() + 1).saturating_mul(by.len()) > super::MOST_TEXT * 16 {
                    return Err(at(Code::FhirpathLimit, expr));
                }
                self.text(text.replace(&*first, &by)).map(Collection::One)
            }
            Function::Split => {
                self.spend(text.len() as u64)?;
                if first.is_empty() {
                    return Ok(text.chars().map(|c| Item::string(c.to_string())).collect());
                }
                Ok(text.split(&*first).map(|part| Item::string(part.to_owned())).collect())
            }
            Function::Encode => self.optional(encode(text.as_bytes(), &first)),
            Function::Decode => self.optional(decode(&text, &first).and_then(|bytes| String::from_utf8(bytes).ok())),
            Function::Escape => self.optional(escape(&text, &first)),
            _ => self.optional(unescape(&text, &first)),
        }
    }

    fn optional(&self, text: Option<String>) -> Result<Collection<'a>> {
        Ok(match text {
            Some(text) => Collection::One(self.text(text)?),
            None => Collection::None,
        })
    }

    fn matches(&self, function: Function, text: &str, call: Call<'_, 'a>) -> Result<Collection<'a>> {
        let [pattern, rest @ ..] = call.parameters else { return Err(at(Code::FhirpathArity, call.expr)) };
        let made;
        let pattern = match &call.expr.kind {
            Kind::Call(.., Some(ready)) => ready,
            _ => {
                let Some(text) = self.string(pattern, call.frame)? else { return Ok(Collection::None) };
                self.spend(1000 + text.len() as u64 * 10)?;
                made = Pattern::new(&text, function == Function::MatchesFull)
                    .map_err(|error| error.at_line(1, pattern.column))?;
                &made
            }
        };
        self.spend(text.len() as u64 / 4)?;
        if let [by] = rest {
            let Some(by) = self.string(by, call.frame)? else { return Ok(Collection::None) };
            if (text.len() + 1).saturating_mul(by.len()) > super::MOST_TEXT * 16 {
                return Err(at(Code::FhirpathLimit, call.expr));
            }
            return self.text(pattern.replace(text, &by)).map(Collection::One);
        }
        Ok(Collection::boolean(pattern.matches(text)))
    }

    fn join(&self, found: &Collection<'a>, call: Call<'_, 'a>) -> Result<Collection<'a>> {
        let between = match call.parameters {
            [between] => self.string(between, call.frame)?.unwrap_or_default(),
            _ => Cow::Borrowed(""),
        };
        if found.is_empty() {
            return Ok(Collection::None);
        }
        let mut made = String::new();
        for (index, item) in found.iter().enumerate() {
            let text = item.as_string().ok_or_else(|| operand(call.expr, "texts"))?;
            if index > 0 {
                made.push_str(&between);
            }
            made.push_str(&text);
            if made.len() > super::MOST_TEXT {
                return Err(at(Code::FhirpathLimit, call.expr));
            }
        }
        self.text(made).map(Collection::One)
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8], form: &str) -> Option<String> {
    match form {
        "hex" => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        "base64" | "urlbase64" => {
            let mut made = String::with_capacity(bytes.len().div_ceil(3) * 4);
            for group in bytes.chunks(3) {
                let [a, b, c] = [0, 1, 2].map(|at| u32::from(group.get(at).copied().unwrap_or(0)));
                let bits = a << 16 | b << 8 | c;
                for place in 0..4 {
                    let digit = BASE64[(bits >> (18 - 6 * place)) as usize & 63];
                    made.push(if place > group.len() { '=' } else { char::from(digit) });
                }
            }
            Some(if form == "urlbase64" { made.replace('+', "-").replace('/', "_") } else { made })
        }
        _ => None,
    }
}

fn decode(text: &str, form: &str) -> Option<Vec<u8>> {
    match form {
        "hex" => {
            let bytes = text.as_bytes();
            let pairs = bytes.chunks(2).map(|pair| match pair {
                [a, b] => Some((char::from(*a).to_digit(16)? * 16 + char::from(*b).to_digit(16)?) as u8),
                _ => None,
            });
            pairs.collect()
        }
        "base64" | "urlbase64" => {
            let plain = text.trim_end_matches('=');
            let (mut made, mut bits, mut count) = (Vec::with_capacity(plain.len()), 0_u32, 0);
            for byte in plain.bytes() {
                let byte = match byte {
                    b'-' if form == "urlbase64" => b'+',
                    b'_' if form == "urlbase64" => b'/',
                    other => other,
                };
                bits = bits << 6 | BASE64.iter().position(|digit| *digit == byte)? as u32;
                count += 6;
                if count >= 8 {
                    count -= 8;
                    made.push((bits >> count) as u8);
                }
            }
            Some(made)
        }
        _ => None,
    }
}

const HTML: [(char, &str); 5] = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
const JSON: [(char, &str); 7] =
    [('\\', "\\\\"), ('"', "\\\""), ('\n', "\\n"), ('\r', "\\r"), ('\t', "\\t"), ('\u{c}', "\\f"), ('\u{8}', "\\b")];

fn table(form: &str) -> Option<&'static [(char, &'static str)]> {
    match form {
        "html" => Some(&HTML),
        "json" => Some(&JSON),
        _ => None,
    }
}

fn escape(text: &str, form: &str) -> Option<String> {
    let table = table(form)?;
    let mut made = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match table.iter().find(|row| row.0 == c) {
            Some((_, escaped)) => made.push_str(escaped),
            None => made.push(c),
        }
    }
    Some(made)
}

fn unescape(text: &str, form: &str) -> Option<String> {
    let table = table(form)?;
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match table.iter().find(|row| rest.starts_with(row.1)) {
            Some((plain, escaped)) => {
                made.push(*plain);
                rest = &rest[escaped.len()..];
            }
            None => {
                made.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    Some(made)
}
