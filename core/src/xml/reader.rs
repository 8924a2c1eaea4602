//! A pull reader of XML 1.0 with what FHIR needs and no more: elements, attributes, text, CDATA, comments and processing
//! instructions. A document type declaration is refused, so there are no entities but the five of XML and character
//! references, nothing is fetched and nothing expands.
//!
//! It checks that tags match, that attributes do not repeat and that characters are those of XML, and keeps offsets of
//! everything; memory is one place per open element.

use crate::error::{Code, Error, Found, Result};
use crate::json::line_and_column;
use crate::limits::Limits;
use std::borrow::Cow;
use std::ops::Range;

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The names of the elements that are open.
    open: Vec<Range<usize>>,
    /// The attributes of the start tag that was read last.
    pub(crate) attributes: Vec<Attribute>,
    depth_limit: usize,
    /// Tags and attributes that may still come.
    nodes_left: usize,
    root: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: Range<usize>,
    /// Without the quotes, references as they stand.
    pub(crate) value: Range<usize>,
}

/// What comes next. Ranges are offsets in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `<name ...>`, or `<name .../>` where `empty`: then no end follows.
    Start {
        name: Range<usize>,
        at: usize,
        empty: bool,
    },
    End {
        at: usize,
    },
    Text(Range<usize>),
    /// What is inside `<![CDATA[` and `]]>`.
    Characters(Range<usize>),
    /// A comment or processing instruction, whole.
    Aside(Range<usize>),
    /// The text is over and every element is closed.
    Over,
}

/// Attributes of one tag, whatever the limit on nodes.
const MOST_ATTRIBUTES: usize = 1000;

impl<'a> Reader<'a> {
    /// # Errors
    /// - `limit-size`, `xml-encoding`, `xml-syntax` for characters that XML does not have.
    pub(crate) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        if bytes.len() > limits.bytes.min(u32::MAX as usize - 1) {
            return Err(Code::LimitSize.error().found(Found::Length(bytes.len() as u64)));
        }
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(error_at(Code::XmlEncoding, bytes, error.valid_up_to()));
        }
        let odd = bytes.iter().position(|b| *b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r'));
        let odd = odd.or_else(|| memchr::memmem::find(bytes, b"\xef\xbf\xbe"));
        if let Some(at) = odd.or_else(|| memchr::memmem::find(bytes, b"\xef\xbf\xbf")) {
            return Err(error_at(Code::XmlSyntax, bytes, at).expected("characters that XML allows"));
        }
        let mut reader = Reader {
            bytes,
            at: if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 },
            open: Vec::new(),
            attributes: Vec::new(),
            depth_limit: limits.depth,
            nodes_left: limits.nodes,
            root: false,
        };
        reader.declaration()?;
        Ok(reader)
    }

    /// How far the reader is.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn next(&mut self) -> Result<Event> {
        let Some(first) = self.bytes.get(self.at) else {
            return if self.open.is_empty() && self.root { Ok(Event::Over) } else { Err(self.over()) };
        };
        if *first != b'<' {
            return self.text();
        }
        let rest = &self.bytes[self.at..];
        match rest.get(1) {
            Some(b'/') => self.end_tag(),
            Some(b'!') if rest.starts_with(b"<!--") => self.comment(),
            Some(b'!') if rest.starts_with(b"<![CDATA[") => self.characters(),
            Some(b'!') if rest.starts_with(b"<!DOCTYPE") => Err(self.error(Code::XmlDoctype, self.at)),
            Some(b'?') => self.instruction(),
            _ => self.start_tag(),
        }
    }

    fn declaration(&mut self) -> Result<()> {
        let rest = &self.bytes[self.at..];
        if !rest.starts_with(b"<?xml") || !rest.get(5).is_some_and(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let end = memchr::memmem::find(rest, b"?>").ok_or_else(|| self.over())?;
        let said = &rest[..end];
        if let Some(at) = memchr::memmem::find(said, b"encoding") {
            let value = said[at + 8..].trim_ascii_start().strip_prefix(b"=").unwrap_or_default().trim_ascii_start();
            let value = value.split(|b| matches!(b, b'"' | b'\'')).nth(1).unwrap_or_default();
            if ![&b"utf-8"[..], b"utf8", b"us-ascii"].iter().any(|name| value.eq_ignore_ascii_case(name)) {
                return Err(self.error(Code::XmlEncoding, self.at + at));
            }
        }
        self.at += end + 2;
        Ok(())
    }

    fn text(&mut self) -> Result<Event> {
        let (start, rest) = (self.at, &self.bytes[self.at..]);
        let length = memchr::memchr(b'<', rest).unwrap_or(rest.len());
        let text = &rest[..length];
        if let Some(end) = memchr::memmem::find(text, b"]]>") {
            return Err(self.error(Code::XmlSyntax, start + end));
        }
        if self.open.is_empty() && !text.trim_ascii().is_empty() {
            let blanks = text.len() - text.trim_ascii_start().len();
            return Err(self.error(Code::XmlSyntax, start + blanks).expected("no text outside the root element"));
        }
        self.references(start..start + length)?;
        self.at += length;
        Ok(Event::Text(start..self.at))
    }

    /// Checks the references in a stretch of text.
    fn references(&self, range: Range<usize>) -> Result<()> {
        for found in memchr::memchr_iter(b'&', &self.bytes[range.clone()]) {
            let at = range.start + found;
            if reference(&self.bytes[at..range.end]).is_none() {
                return Err(self.error(Code::XmlEntity, at));
            }
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<Event> {
        let (start, from) = (self.at, self.at + 4);
        let end = from + memchr::memmem::find(&self.bytes[from..], b"--").ok_or_else(|| self.over())?;
        if self.bytes.get(end + 2) != Some(&b'>') {
            return Err(self.error(Code::XmlSyntax, end).expected("no -- inside a comment"));
        }
        self.at = end + 3;
        Ok(Event::Aside(start..self.at))
    }

    fn characters(&mut self) -> Result<Event> {
        let start = self.at + b"<![CDATA[".len();
        if self.open.is_empty() {
            return Err(self.error(Code::XmlSyntax, self.at));
        }
        let end = start + memchr::memmem::find(&self.bytes[start..], b"]]>").ok_or_else(|| self.over())?;
        self.at = end + 3;
        Ok(Event::Characters(start..end))
    }

    fn instruction(&mut self) -> Result<Event> {
        let start = self.at;
        self.at += 2;
        let name = self.name()?;
        if self.bytes[name].eq_ignore_ascii_case(b"xml") {
            return Err(self.error(Code::XmlSyntax, start).expected("the XML declaration at the very start only"));
        }
        let end = memchr::memmem::find(&self.bytes[self.at..], b"?>").ok_or_else(|| self.over())?;
        self.at += end + 2;
        Ok(Event::Aside(start..self.at))
    }

    fn end_tag(&mut self) -> Result<Event> {
        let start = self.at;
        self.at += 2;
        let name = self.name()?;
        self.space();
        self.expect(b'>')?;
        match self.open.pop() {
            Some(open) if self.bytes[open.clone()] == self.bytes[name] => Ok(Event::End { at: start }),
            _ => Err(self.error(Code::XmlTag, start)),
        }
    }

    fn start_tag(&mut self) -> Result<Event> {
        let start = self.at;
        if self.open.is_empty() && self.root {
            return Err(self.error(Code::XmlSyntax, start).expected("one root element"));
        }
        if self.open.len() >= self.depth_limit {
            return Err(self.error(Code::LimitDepth, start));
        }
        self.root = true;
        self.at += 1;
        self.count(start)?;
        let name = self.name()?;
        self.attributes.clear();
        let empty = loop {
            let spaced = self.space();
            match self.bytes.get(self.at) {
                Some(b'>') => break false,
                Some(b'/') => {
                    self.at += 1;
                    break true;
                }
                Some(_) if spaced => self.attribute()?,
                _ => return Err(self.unexpected()),
            }
        };
        self.expect(b'>')?;
        self.twice()?;
        if !empty {
            self.open.push(name.clone());
        }
        Ok(Event::Start { name, at: start, empty })
    }

    fn attribute(&mut self) -> Result<()> {
        self.count(self.at)?;
        if self.attributes.len() >= MOST_ATTRIBUTES {
            return Err(self.error(Code::LimitCount, self.at));
        }
        let name = self.name()?;
        self.space();
        self.expect(b'=')?;
        self.space();
        let quote = self.bytes.get(self.at).copied().filter(|b| matches!(b, b'"' | b'\''));
        let quote = quote.ok_or_else(|| self.unexpected())?;
        let start = self.at + 1;
        let end = start + memchr::memchr(quote, &self.bytes[start..]).ok_or_else(|| self.over())?;
        if let Some(at) = memchr::memchr(b'<', &self.bytes[start..end]) {
            return Err(self.error(Code::XmlSyntax, start + at));
        }
        self.references(start..end)?;
        self.at = end + 1;
        self.attributes.push(Attribute { name, value: start..end });
        Ok(())
    }

    /// Refuses two attributes of one name.
    fn twice(&self) -> Result<()> {
        if self.attributes.len() < 2 {
            return Ok(());
        }
        let mut names: Vec<&Range<usize>> = self.attributes.iter().map(|a| &a.name).collect();
        names.sort_by_key(|name| (&self.bytes[(*name).clone()], name.start));
        let same = names.windows(2).find(|pair| self.bytes[pair[0].clone()] == self.bytes[pair[1].clone()]);
        same.map_or(Ok(()), |pair| Err(self.error(Code::XmlAttributeTwice, pair[1].start)))
    }

    fn count(&mut self, at: usize) -> Result<()> {
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or_else(|| self.error(Code::LimitCount, at))?;
        Ok(())
    }

    /// A name with at most one colon inside.
    fn name(&mut self) -> Result<Range<usize>> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = rest.iter().position(|b| !is_name(*b)).unwrap_or(rest.len());
        let name = &rest[..length];
        let mut parts = name.split(|b| *b == b':');
        let good = |part: &[u8]| part.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_' || *b >= 0x80);
        if !parts.next().is_some_and(good) || !parts.next().is_none_or(good) || parts.next().is_some() {
            return Err(self.unexpected());
        }
        self.at += length;
        Ok(start..self.at)
    }

    /// Skips white space; whether there was any.
    fn space(&mut self) -> bool {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.at > start
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.bytes.get(self.at) != Some(&byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    #[cold]
    fn unexpected(&self) -> Error {
        if self.at >= self.bytes.len() { self.over() } else { self.error(Code::XmlSyntax, self.at) }
    }

    #[cold]
    fn over(&self) -> Error {
        self.error(Code::XmlEnd, self.bytes.len())
    }

    #[cold]
    pub(crate) fn error(&self, code: Code, at: usize) -> Error {
        error_at(code, self.bytes, at)
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':') || byte >= 0x80
}

#[cold]
pub(crate) fn error_at(code: Code, bytes: &[u8], at: usize) -> Error {
    let (line, column) = line_and_column(bytes, at);
    code.error().at_line(line, column).at_offset(at as u64)
}

/// Prefix and local part of a name.
pub(crate) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    memchr::memchr(b':', name).map_or((b"", name), |at| (&name[..at], &name[at + 1..]))
}

/// The character of the reference at the start of `text`, and the length of the reference.
fn reference(text: &[u8]) -> Option<(char, usize)> {
    // `&#x10ffff;` and some zeros in front of it.
    let end = text.iter().take(16).position(|b| *b == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let made = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
            if !digits.starts_with(|c: char| c.is_digit(radix)) {
                return None;
            }
            char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|c| is_character(*c))?
        }
    };
    Some((made, end + 1))
}

/// Whether XML 1.0 has this character.
pub(crate) fn is_character(c: char) -> bool {
    (c >= ' ' || matches!(c, '\t' | '\n' | '\r')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// The value of an attribute: references replaced, line ends and tabs that stand as such read as blanks (XML 1.0, 3.3.3).
pub(crate) fn value(raw: &[u8]) -> Cow<'_, str> {
    // INVARIANT: the reader checked UTF-8 and references; ranges start and end beside ASCII characters.
    let text = std::str::from_utf8(raw).unwrap_or_default();
    if !raw.iter().any(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r')) {
        return Cow::Borrowed(text);
    }
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = match rest.as_bytes()[0] {
            b'&' => {
                let (c, length) = reference(rest.as_bytes()).unwrap_or(('&', 1));
                made.push(c);
                length
            }
            b'\r' if rest.as_bytes().get(1) == Some(&b'\n') => {
                made.push(' ');
                2
            }
            _ => {
                made.push(' ');
                1
            }
        };
        rest = &rest[used..];
    }
    made.push_str(rest);
    Cow::Owned(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Result<Vec<String>> {
        let mut reader = Reader::new(text.as_bytes(), &Limits { depth: 4, nodes: 20, ..Limits::DEFAULT })?;
        let mut said = Vec::new();
        loop {
            said.push(match reader.next()? {
                Event::Start { name, empty, .. } => {
                    let attributes = reader.attributes.iter();
                    let attributes: Vec<_> =
                        attributes.map(|a| format!(" {}={}", &text[a.name.clone()], &text[a.value.clone()])).collect();
                    format!("<{}{}{}", &text[name], attributes.concat(), if empty { "/" } else { "" })
                }
                Event::End { .. } => ">".to_owned(),
                Event::Text(range) | Event::Aside(range) => text[range].to_owned(),
                Event::Characters(range) => format!("[{}]", &text[range]),
                Event::Over => return Ok(said),
            });
        }
    }

    #[test]
    fn events_come_in_the_order_of_the_text() {
        let text = "\u{feff}<?xml version=\"1.0\" encoding='UTF-8'?>\n<!-- c --><a b='1' c = \"&lt;\"><?p q?>t&#x41;<d/><![CDATA[<]]></a >\n";
        assert_eq!(
            events(text).expect("it is well-formed"),
            ["\n", "<!-- c -->", "<a b=1 c=&lt;", "<?p q?>", "t&#x41;", "<d/", "[<]", ">", "\n"]
        );
    }

    #[test]
    fn each_break_of_the_rules_has_its_code() {
        for (text, code) in [
            ("", Code::XmlEnd),
            ("<a>", Code::XmlEnd),
            ("<a", Code::XmlEnd),
            ("<a b=\"", Code::XmlEnd),
            ("<!-- ", Code::XmlEnd),
            ("<?xml version='1.0'", Code::XmlEnd),
            ("<a></b>", Code::XmlTag),
            ("</a>", Code::XmlTag),
            ("<a/><b/>", Code::XmlSyntax),
            ("text<a/>", Code::XmlSyntax),
            ("<a b=1/>", Code::XmlSyntax),
            ("<a b='<'/>", Code::XmlSyntax),
            ("<a b='1'c='2'/>", Code::XmlSyntax),
            ("<a><!-- -- --></a>", Code::XmlSyntax),
            ("<a>]]></a>", Code::XmlSyntax),
            ("<a>\u{1}</a>", Code::XmlSyntax),
            ("<a>\u{ffff}</a>", Code::XmlSyntax),
            ("<1/>", Code::XmlSyntax),
            ("<a:b:c/>", Code::XmlSyntax),
            (" <?xml version='1.0'?><a/>", Code::XmlSyntax),
            ("<![CDATA[x]]><a/>", Code::XmlSyntax),
            ("<a b='1' c='' b='2'/>", Code::XmlAttributeTwice),
            ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///x'>]><a>&b;</a>", Code::XmlDoctype),
            ("<a>&b;</a>", Code::XmlEntity),
            ("<a b='&'/>", Code::XmlEntity),
            ("<a>&#0;</a>", Code::XmlEntity),
            ("<a>&#xd800;</a>", Code::XmlEntity),
            ("<a>&#+65;</a>", Code::XmlEntity),
            ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", Code::XmlEncoding),
            ("<a><a><a><a><a/></a></a></a></a>", Code::LimitDepth),
            (&format!("<a>{}</a>", "<b/>".repeat(30)), Code::LimitCount),
        ] {
            assert_eq!(events(text).expect_err(text).code(), code, "{text}");
        }
        assert_eq!(Reader::new(b"<a>\xff</a>", &Limits::DEFAULT).err().map(|e| e.code()), Some(Code::XmlEncoding));
        let small = Limits { bytes: 3, ..Limits::DEFAULT };
        assert_eq!(Reader::new(b"<a/>", &small).err().map(|e| e.code()), Some(Code::LimitSize));
    }

    #[test]
    fn a_value_has_its_references_replaced_and_its_line_ends_read_as_blanks() {
        assert_eq!(value(b"a&#10;b\r\nc\td&amp;&#x1F600;&apos;"), "a\nb c d&\u{1f600}'");
    }
}
