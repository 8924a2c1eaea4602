//! The shallow scan: what a resource is, without building its tree.

use crate::record::unescape;
use memchr::{memchr2, memchr3};
use std::borrow::Cow;

/// What the outermost object of a resource says about itself.
#[derive(Default)]
pub(super) struct Head<'a> {
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) url: Option<Cow<'a, str>>,
    pub(super) version: Option<Cow<'a, str>>,
}

/// Reads `resourceType`, `id`, `url` and `version` of the outermost object; None where the bytes are no JSON object as far as
/// the scan looks: it stops when it has all four. It is no check of the rest; the reader does that when the record is asked for.
pub(super) fn head(bytes: &[u8]) -> Option<Head<'_>> {
    let mut at = Cursor { bytes, at: 0 };
    at.byte(b'{')?;
    let mut head = Head::default();
    if at.peek()? == b'}' {
        return Some(head);
    }
    loop {
        let key = at.string()?;
        at.byte(b':')?;
        let slot = match &*key {
            "resourceType" => Some(&mut head.kind),
            "id" => Some(&mut head.id),
            "url" => Some(&mut head.url),
            "version" => Some(&mut head.version),
            _ => None,
        };
        match slot {
            Some(slot) if slot.is_none() && at.peek()? == b'"' => *slot = Some(at.string()?),
            _ => at.skip()?,
        }
        if head.kind.is_some() && head.id.is_some() && head.url.is_some() && head.version.is_some() {
            return Some(head);
        }
        match at.next()? {
            b',' => {}
            b'}' => return Some(head),
            _ => return None,
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is no white space, left where it is.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        Some(self.bytes[self.at])
    }
    fn next(&mut self) -> Option<u8> {
        let found = self.peek()?;
        self.at += 1;
        Some(found)
    }
    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }
    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.byte(b'"')?;
        let start = self.at;
        let escapes = self.behind_quote()?;
        Some(unescape(&self.bytes[start..self.at - 1], escapes))
    }
    /// Goes behind the closing quote; says whether there were escapes.
    fn behind_quote(&mut self) -> Option<bool> {
        let mut escapes = false;
        loop {
            self.at += memchr2(b'"', b'\\', self.bytes.get(self.at..)?)? + 1;
            if self.bytes[self.at - 1] == b'"' {
                return Some(escapes);
            }
            escapes = true;
            self.at += 1;
        }
    }
    /// Goes behind a value of any kind. Objects and arrays are counted, not descended into.
    fn skip(&mut self) -> Option<()> {
        let (open, close) = match self.peek()? {
            b'"' => return self.string().map(drop),
            b'{' => (b'{', b'}'),
            b'[' => (b'[', b']'),
            _ => {
                while !matches!(self.bytes.get(self.at)?, b',' | b'}' | b']') {
                    self.at += 1;
                }
                return Some(());
            }
        };
        let mut depth = 0_usize;
        loop {
            self.at += memchr3(b'"', open, close, self.bytes.get(self.at..)?)? + 1;
            match self.bytes[self.at - 1] {
                b'"' => drop(self.behind_quote()?),
                byte if byte == open => depth += 1,
                _ => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_found_behind_text_that_looks_like_it() {
        let text = br#" {"text":{"div":"\"}{","url":"no","list":[[{"id":"no"}]]},"experimental":false,"count":1.5,
            "url":"http:\/\/a","id":"i","version":"1","resourceType":"ValueSet","url":"second"} "#;
        let head = head(text).expect("an object");
        assert_eq!(head.kind.as_deref(), Some("ValueSet"));
        assert_eq!((head.id.as_deref(), head.url.as_deref()), (Some("i"), Some("http://a")));
        assert_eq!(head.version.as_deref(), Some("1"));
    }

    #[test]
    fn what_is_no_object_has_no_head_and_every_beginning_of_one_is_looked_at_safely() {
        for text in [&b""[..], b"[]", b"\"a\"", b"{", b"{\"a\"", b"{\"a\":", b"\xff", b"{\"a\":\"\\", b"{\"a\":[}"] {
            assert!(head(text).is_none());
        }
        let whole = br#"{"a":{"b":[1,"\"",{}]},"id":"x","n":null}"#;
        for end in 0..whole.len() {
            assert!(head(&whole[..end]).is_none());
        }
        assert!(head(b"{}").is_some_and(|head| head.kind.is_none()));
    }
}
