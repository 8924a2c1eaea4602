//! Narrative: the part of XHTML that FHIR allows (R4, narrative, 2.4.0), checked by one scan.

#[rustfmt::skip]
const ELEMENTS: &[&str] = &[
    "a", "abbr", "acronym", "address", "area", "article", "b", "bdo", "big", "blockquote", "br", "caption", "cite",
    "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "img", "ins", "kbd", "legend", "li", "map", "nav", "ol", "p", "pre", "q", "samp", "section", "small", "span",
    "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
];

#[rustfmt::skip]
const ATTRIBUTES: &[&str] = &[
    "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign", "cellpadding", "cellspacing",
    "cellvalign", "char", "charoff", "charset", "cite", "class", "colspan", "compact", "coords", "datetime", "dir",
    "frame", "headers", "height", "href", "hreflang", "hspace", "id", "lang", "longdesc", "name", "nowrap", "rel",
    "rev", "rowspan", "rules", "scope", "shape", "span", "src", "start", "style", "summary", "tabindex", "target",
    "title", "type", "usemap", "valign", "value", "vspace", "width", "xml:id", "xml:lang", "xml:space", "xmlns",
];

/// What well-formed and safe markup may still lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// The div does not declare the namespace of XHTML.
    NoNamespace,
    /// There is no text and no image (R4, txt-2).
    Empty,
}

/// Checks a narrative; the error says what was expected.
pub(super) fn check(text: &[u8]) -> Result<Verdict, &'static str> {
    let mut scan = Scan { text, at: 0, namespace: false };
    scan.space();
    let mut open: Vec<&[u8]> = Vec::new();
    let (mut root, mut content) = (false, false);
    while scan.at < text.len() {
        let run = memchr::memchr2(b'<', b'&', &text[scan.at..]).unwrap_or(text.len() - scan.at);
        let blank = text[scan.at..scan.at + run].trim_ascii().is_empty();
        if open.is_empty() && !blank {
            return Err("no text outside the div");
        }
        content |= !blank;
        scan.at += run;
        match text.get(scan.at) {
            Some(b'&') => {
                if open.is_empty() {
                    return Err("no text outside the div");
                }
                content = true;
                scan.entity()?;
            }
            Some(b'<') if text[scan.at..].starts_with(b"<!--") => {
                let end = memchr::memmem::find(&text[scan.at + 4..], b"-->").ok_or("an end of the comment")?;
                scan.at += end + 7;
            }
            Some(b'<') if text[scan.at..].starts_with(b"</") => {
                scan.at += 2;
                let name = scan.name();
                scan.space();
                if open.pop() != Some(name) || text.get(scan.at) != Some(&b'>') {
                    return Err("end tags that match their start tags");
                }
                scan.at += 1;
            }
            Some(b'<') => {
                scan.at += 1;
                let name = scan.name();
                if open.is_empty() && (root || name != b"div") {
                    return Err("one div as the root");
                }
                root = true;
                content |= name == b"img";
                if !is_one_of(name, ELEMENTS) {
                    return Err("elements that FHIR allows in narrative");
                }
                if scan.attributes()? {
                    if open.is_empty() {
                        return Err("a div with content");
                    }
                } else {
                    open.push(name);
                    if open.len() > 200 {
                        return Err("markup nested less deeply");
                    }
                }
            }
            _ => break,
        }
    }
    if !root || !open.is_empty() {
        return Err("one well-formed div");
    }
    Ok(match (content, scan.namespace) {
        (false, _) => Verdict::Empty,
        (true, false) => Verdict::NoNamespace,
        (true, true) => Verdict::Good,
    })
}

/// `list` is sorted.
fn is_one_of(name: &[u8], list: &[&str]) -> bool {
    list.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok()
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether the namespace of XHTML was declared.
    namespace: bool,
}

impl<'a> Scan<'a> {
    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn name(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_')) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn entity(&mut self) -> Result<(), &'static str> {
        let rest = &self.text[self.at + 1..];
        let end = rest.iter().take(12).position(|b| *b == b';').ok_or("entities that end")?;
        let good = match rest[..end].strip_prefix(b"#") {
            Some(number) => {
                !number.is_empty() && number.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'x' | b'X'))
            }
            None => end > 0 && rest[..end].iter().all(u8::is_ascii_alphanumeric),
        };
        self.at += end + 2;
        if good { Ok(()) } else { Err("entities of XHTML") }
    }

    /// Reads attributes up to the end of the tag; gives whether the tag closes itself.
    fn attributes(&mut self) -> Result<bool, &'static str> {
        loop {
            self.space();
            match self.text.get(self.at) {
                Some(b'>') => {
                    self.at += 1;
                    return Ok(false);
                }
                Some(b'/') if self.text.get(self.at + 1) == Some(&b'>') => {
                    self.at += 2;
                    return Ok(true);
                }
                _ => {}
            }
            let name = self.name();
            if name.is_empty() {
                return Err("well-formed tags");
            }
            if !is_one_of(name, ATTRIBUTES) {
                return Err("attributes that FHIR allows in narrative");
            }
            self.space();
            if self.text.get(self.at) != Some(&b'=') {
                return Err("a value for each attribute");
            }
            self.at += 1;
            self.space();
            let quote = self
                .text
                .get(self.at)
                .copied()
                .filter(|b| matches!(b, b'"' | b'\''))
                .ok_or("quoted attribute values")?;
            let rest = &self.text[self.at + 1..];
            let length = memchr::memchr(quote, rest).ok_or("attribute values that end")?;
            let value = &rest[..length];
            if value.contains(&b'<') {
                return Err("no markup inside an attribute");
            }
            if name == b"xmlns" {
                if value != b"http://www.w3.org/1999/xhtml" {
                    return Err("the namespace of XHTML");
                }
                self.namespace = true;
            }
            if matches!(name, b"href" | b"src" | b"cite" | b"longdesc") && scripted(value) {
                return Err("addresses that run no script");
            }
            if name == b"style" && scripted_style(value) {
                return Err("styles that load and run nothing");
            }
            self.at += length + 2;
        }
    }
}

/// What is left of an attribute value when white space, control characters and entities are read away, in lower case.
fn plain(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'&' {
            let end = after.iter().take(10).position(|b| *b == b';').unwrap_or(0);
            let name = &after[..end];
            let text = std::str::from_utf8(name).unwrap_or_default();
            let number = match text.strip_prefix("#x").or_else(|| text.strip_prefix("#X")) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => text.strip_prefix('#').and_then(|n| n.parse().ok()),
            };
            match (number, text) {
                (Some(number), _) => {
                    plain.extend(u8::try_from(number).ok().filter(|b| *b > b' ').map(|b| b.to_ascii_lowercase()))
                }
                (None, "colon") => plain.push(b':'),
                (None, "lpar") => plain.push(b'('),
                (None, "Tab" | "NewLine") => {}
                _ => plain.push(b'?'),
            }
            rest = &after[(end + 1).min(after.len())..];
        } else if *first > b' ' {
            plain.push(first.to_ascii_lowercase());
        }
    }
    plain
}

fn scripted(value: &[u8]) -> bool {
    let plain = plain(value);
    let image = plain.starts_with(b"data:image/") && !plain.starts_with(b"data:image/svg");
    [&b"javascript:"[..], b"vbscript:", b"data:"].iter().any(|scheme| plain.starts_with(scheme)) && !image
}

fn scripted_style(value: &[u8]) -> bool {
    let plain = plain(value);
    [&b"expression("[..], b"javascript:", b"behavior:", b"-moz-binding", b"@import"]
        .iter()
        .any(|bad| memchr::memmem::find(&plain, bad).is_some())
}

#[cfg(test)]
mod tests {
    use super::{Verdict, check};

    #[test]
    fn plain_markup_passes() {
        for text in [
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Hello &amp; <b>welcome</b><br/></p></div>",
            "  <div xmlns='http://www.w3.org/1999/xhtml'><!-- a note --><a href='http://example.org'>x</a><img src=\"#pic\" alt=\"x\"/>&#160;&eacute;</div>  ",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(Verdict::Good), "{text}");
        }
    }

    #[test]
    fn a_missing_namespace_and_missing_content_are_told_apart() {
        assert_eq!(check(b"<div>x</div>"), Ok(Verdict::NoNamespace));
        assert_eq!(check(b"<div> <p/></div>"), Ok(Verdict::Empty));
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(super::ELEMENTS.is_sorted() && super::ATTRIBUTES.is_sorted());
    }

    #[test]
    fn what_could_run_or_is_not_well_formed_is_found() {
        for text in [
            "<div><script>alert(1)</script></div>",
            "<div onclick=\"x\">y</div>",
            "<div><a href=\" java&#115;cript:x\">y</a></div>",
            "<div><a href=\"data:text/html,x\">y</a></div>",
            "<div style=\"width: expression(x)\">y</div>",
            "<div><b></div></b>",
            "<div>",
            "<p>x</p>",
            "<div>x</div><div>y</div>",
            "text",
            "<div>a & b</div>",
            "<div><iframe src=\"x\"/></div>",
            "<div><form action=\"x\"></form></div>",
            "<div/>",
            "<div>x</div>&amp;",
            "<div xmlns=\"urn:x\">x</div>",
            "<div a=b>x</div>",
            "<",
            "<div",
            "<div class=",
            "<!DOCTYPE html><div>x</div>",
        ] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }
}
