//! Finding the parts of JSON text without reading it into a tree: the members of an object, and the entries of a Bundle that
//! is too large to hold.

use crate::error::{Code, Found, Result};
use crate::record::unescape;
use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

/// The end of the value that starts at `at`; None where the text ends first.
fn skip(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                if depth == 0 {
                    return Some(at);
                }
                depth -= 1;
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b',' if depth == 0 => return Some(at),
            byte if depth == 0 && byte.is_ascii_whitespace() => return Some(at),
            _ => at += 1,
        }
    }
}

/// The end of the string whose opening quote is at `at`, its closing quote included.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The members of an object: name and value, the value as a place in the text. Stops where the text is not an object's.
pub(super) fn members(bytes: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Range<usize>)> {
    let mut at = space(bytes, 0);
    let mut going = bytes.get(at) == Some(&b'{');
    at += 1;
    std::iter::from_fn(move || {
        if !going {
            return None;
        }
        let start = space(bytes, at);
        going = bytes.get(start) == Some(&b'"');
        if !going {
            return None;
        }
        let end = string_end(bytes, start)?;
        let colon = space(bytes, end);
        let value = space(bytes, colon + 1);
        let after = skip(bytes, value)?;
        let next = space(bytes, after);
        going = bytes.get(colon) == Some(&b':') && bytes.get(next) == Some(&b',');
        at = next + 1;
        Some((inside(&bytes[start + 1..end - 1]), value..after))
    })
}

/// The text of a string value, its escapes taken out.
pub(super) fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    Some(inside(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?))
}

/// Every string in the text, names of members included. Of text that is no JSON, whatever stands between quotes.
pub(super) fn strings(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + memchr::memchr(b'"', bytes.get(at..)?)?;
        at = string_end(bytes, start)?;
        Some(inside(&bytes[start + 1..at - 1]))
    })
}

fn inside(raw: &[u8]) -> Cow<'_, str> {
    unescape(raw, memchr::memchr(b'\\', raw).is_some())
}

/// Type and id of a resource, from its first members.
pub(super) fn type_and_id(resource: &[u8]) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    let (mut kind, mut id) = (None, None);
    for (name, value) in members(resource) {
        match &*name {
            "resourceType" => kind = text(&resource[value]),
            "id" => id = text(&resource[value]),
            _ => {}
        }
        if kind.is_some() && id.is_some() {
            break;
        }
    }
    (kind, id)
}

/// What a Bundle's top level holds, as it is met.
pub(super) enum Part {
    /// Another member: name and value.
    Member(String, Vec<u8>),
    /// One entry, with its place in the file.
    Entry(Vec<u8>, u64),
}

/// Reads a Bundle from a stream, entry by entry. Never holds more than one entry and one buffer.
pub(super) struct BundleReader<R> {
    input: R,
    buffer: Vec<u8>,
    at: usize,
    consumed: u64,
    ended: bool,
    in_entries: bool,
    started: bool,
    most: usize,
}

const BUFFER: usize = 256 * 1024;

impl<R: Read> BundleReader<R> {
    /// `most`: most bytes of one entry or member.
    pub(super) fn new(input: R, most: usize) -> Self {
        let (in_entries, started) = (false, false);
        BundleReader { input, buffer: Vec::new(), at: 0, consumed: 0, ended: false, in_entries, started, most }
    }

    fn fill(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.consumed += self.at as u64;
            self.at = 0;
        }
        let before = self.buffer.len();
        self.buffer.resize(before + BUFFER, 0);
        let read = self.input.read(&mut self.buffer[before..])?;
        self.buffer.truncate(before + read);
        self.ended = read == 0;
        Ok(read > 0)
    }

    /// The next byte that is not white space, not taken; None at the end.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            self.at = space(&self.buffer, self.at);
            if let Some(byte) = self.buffer.get(self.at) {
                return Ok(Some(*byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<()> {
        if self.peek()? == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.broken())
    }

    fn broken(&self) -> crate::error::Error {
        Code::BundleUnreadable.error().at_offset(self.consumed + self.at as u64)
    }

    /// Takes one whole value.
    fn value(&mut self) -> Result<Vec<u8>> {
        self.peek()?;
        let mut tried = 0;
        loop {
            if let Some(end) = skip(&self.buffer, self.at) {
                if end == self.at {
                    return Err(self.broken());
                }
                let value = self.buffer[self.at..end].to_vec();
                self.at = end;
                return Ok(value);
            }
            let length = self.buffer.len() - self.at;
            if length > self.most {
                return Err(Code::LimitSize.error().found(Found::Length(length as u64)));
            }
            // Look again only when there is twice as much, so that a large entry takes linear time.
            while self.buffer.len() - self.at < 2 * length.max(tried) {
                tried = self.buffer.len() - self.at;
                if !self.fill()? {
                    break;
                }
            }
            if self.ended && skip(&self.buffer, self.at).is_none() {
                return Err(self.broken());
            }
        }
    }

    /// The next part; None after the Bundle's end.
    pub(super) fn next(&mut self) -> Result<Option<Part>> {
        if !self.started {
            self.expect(b'{')?;
            self.started = true;
        }
        loop {
            if self.in_entries {
                match self.peek()? {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        self.in_entries = false;
                    }
                    Some(_) => {
                        let place = self.consumed + self.at as u64;
                        return Ok(Some(Part::Entry(self.value()?, place)));
                    }
                    None => return Err(self.broken()),
                }
                continue;
            }
            match self.peek()? {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return if self.peek()?.is_none() { Ok(None) } else { Err(self.broken()) };
                }
                Some(b'"') => {
                    let name = self.value()?;
                    let name = text(&name).ok_or_else(|| self.broken())?.into_owned();
                    self.expect(b':')?;
                    if name == "entry" && self.peek()? == Some(b'[') {
                        self.at += 1;
                        self.in_entries = true;
                        continue;
                    }
                    let value = self.value()?;
                    return Ok(Some(Part::Member(name, value)));
                }
                None if self.started && self.ended && self.buffer.is_empty() => return Ok(None),
                _ => return Err(self.broken()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);
    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(out.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn entries(text: &[u8], step: usize) -> Result<Vec<Vec<u8>>> {
        let mut reader = BundleReader::new(Slow(text, step), 1 << 20);
        let mut all = Vec::new();
        while let Some(part) = reader.next()? {
            if let Part::Entry(bytes, place) = part {
                assert_eq!(&text[place as usize..place as usize + bytes.len()], bytes);
                all.push(bytes);
            }
        }
        Ok(all)
    }

    #[test]
    fn entries_come_out_as_they_stand_however_the_bytes_arrive() {
        let text = br#" {"resourceType":"Bundle", "type" : "batch","total":2 ,"entry":[ {"a":"}]\"{"} , {"b":[1,{"c":2}]}],"x":{"y":[]} } "#;
        for step in [1, 2, 7, 1000] {
            let all = entries(text, step).expect("a Bundle");
            assert_eq!(all, [&br#"{"a":"}]\"{"}"#[..], br#"{"b":[1,{"c":2}]}"#]);
        }
    }

    #[test]
    fn a_bundle_that_breaks_off_is_an_error_with_a_place() {
        for text in [&b"{\"entry\":[{\"a\":1}"[..], b"{\"entry\":[{\"a\":", b"[]", b"", b"{\"entry\":[{}]} x"] {
            assert_eq!(entries(text, 3).map(|_| ()).unwrap_err().code(), Code::BundleUnreadable);
        }
    }

    #[test]
    fn members_are_found_without_reading_their_values() {
        let text = br#"{"resourceType":"Patient","x":{"id":"no"},"id" : "yes"}"#;
        assert_eq!(type_and_id(text), (Some("Patient".into()), Some("yes".into())));
    }

    #[test]
    fn escapes_in_names_and_texts_change_nothing() {
        let text = br#"{"resource\u0054ype":"P\u0061tient","id":"a\/b"}"#;
        assert_eq!(type_and_id(text), (Some("Patient".into()), Some("a/b".into())));
        assert_eq!(
            strings(br#"["a\"b", {"http:\/\/x":"\u0041"}, "open"#).collect::<Vec<_>>(),
            ["a\"b", "http://x", "A"]
        );
        assert_eq!(entries(br#"{"\u0065ntry":[{"a":1}]}"#, 3).expect("a Bundle").len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_scanner_panic_or_hang(bytes in prop::collection::vec(any::<u8>(), 0..200), prefix in any::<bool>()) {
            let text = if prefix { [b"{\"entry\":[", &bytes[..]].concat() } else { bytes };
            let _ = entries(&text, 5);
            let _ = type_and_id(&text);
            strings(&text).for_each(drop);
        }
    }
}
