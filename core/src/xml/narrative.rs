//! The div of a narrative: text of XHTML in JSON, elements in XML.

use super::reader::{Event, Reader, split, value};
use super::tree::{XHTML, declared_prefix};
use crate::limits::Limits;
use std::borrow::Cow;
use std::ops::Range;

/// The text was read already, or is checked by this walk: only depth is bounded.
const LIMITS: Limits = Limits { depth: 500, bytes: usize::MAX, nodes: usize::MAX, findings: 0 };

/// The div as JSON keeps it: as it stands, with the namespace of XHTML as the default one, no prefixes, line ends as `\n`,
/// and CDATA as escaped text.
pub(super) fn from_xml(text: &[u8]) -> String {
    // INVARIANT: the text is one element that the reader has read, so it ends with `Over` and not with an error.
    let Ok(mut reader) = Reader::new(text, &LIMITS) else { return String::new() };
    let (mut made, mut open, mut first) = (Vec::with_capacity(text.len()), Vec::new(), true);
    while let Ok(event) = reader.next() {
        match event {
            Event::Start { name, at, empty } => {
                let (prefix, local) = split(&text[name.clone()]);
                let declared = reader.attributes.iter().any(|a| &text[a.name.clone()] == b"xmlns");
                if prefix.is_empty() && (!std::mem::take(&mut first) || declared) {
                    lines(&text[at..reader.offset()], &mut made);
                } else {
                    first = false;
                    made.push(b'<');
                    made.extend_from_slice(local);
                    if open.is_empty() {
                        made.extend_from_slice(b" xmlns=\"");
                        made.extend_from_slice(XHTML);
                        made.push(b'"');
                    }
                    for attribute in &reader.attributes {
                        let name = &text[attribute.name.clone()];
                        if declared_prefix(name).is_none() {
                            made.push(b' ');
                            made.extend_from_slice(name);
                            made.push(b'=');
                            lines(&text[attribute.value.start - 1..attribute.value.end + 1], &mut made);
                        }
                    }
                    made.extend_from_slice(if empty { b"/>" } else { b">" });
                }
                if !empty {
                    open.push(local);
                }
            }
            Event::End { .. } => {
                made.extend_from_slice(b"</");
                made.extend_from_slice(open.pop().unwrap_or_default());
                made.push(b'>');
            }
            Event::Text(range) | Event::Aside(range) => lines(&text[range], &mut made),
            Event::Characters(range) => {
                for byte in &text[range] {
                    match byte {
                        b'&' => made.extend_from_slice(b"&amp;"),
                        b'<' => made.extend_from_slice(b"&lt;"),
                        b'>' => made.extend_from_slice(b"&gt;"),
                        other => made.push(*other),
                    }
                }
            }
            Event::Over => break,
        }
    }
    String::from_utf8(made).unwrap_or_default()
}

/// The div as XML: well-formed, in the namespace of XHTML, without entities that only HTML knows; white space around it is
/// left out. None where it is none.
pub(super) fn to_xml(text: &str) -> Option<String> {
    let mut made = Vec::with_capacity(text.len() + 48);
    lines(without_entities(text.trim())?.as_bytes(), &mut made);
    let mut reader = Reader::new(&made, &LIMITS).ok()?;
    let mut root: Option<(Range<usize>, bool)> = None;
    loop {
        match reader.next().ok()? {
            Event::Start { name, .. } => {
                let attributes = &reader.attributes;
                let prefixed = |a: &super::reader::Attribute| made[a.name.clone()].starts_with(b"xmlns:");
                if made[name.clone()].contains(&b':') || attributes.iter().any(prefixed) {
                    return None;
                }
                let declared = attributes.iter().find(|a| &made[a.name.clone()] == b"xmlns");
                if declared.is_some_and(|a| value(&made[a.value.clone()]).as_bytes() != XHTML) {
                    return None;
                }
                if root.is_none() {
                    root = Some((name, declared.is_some()));
                }
            }
            Event::Characters(_) => return None,
            Event::Over => break,
            Event::End { .. } | Event::Text(_) | Event::Aside(_) => {}
        }
    }
    let (name, declared) = root.filter(|(name, _)| &made[name.clone()] == b"div" && name.start == 1)?;
    let mut made = String::from_utf8(made).ok()?;
    if !declared {
        made.insert_str(name.end, " xmlns=\"http://www.w3.org/1999/xhtml\"");
    }
    // What follows the div, a comment, would not be inside it.
    made.ends_with('>').then_some(made).filter(|made| !made.ends_with("-->") && !made.ends_with("?>"))
}

/// Line ends as XML reads them (XML 1.0, 2.11).
fn lines(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\n');
        rest = &rest[at + 1..];
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
    out.extend_from_slice(rest);
}

/// Entities that HTML has and XML has not, as character references. None where one is unknown.
fn without_entities(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('&') {
        return Some(Cow::Borrowed(text));
    }
    let (mut made, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        made.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let end = after.bytes().take(16).position(|b| b == b';')?;
        let name = &after[..end];
        match name {
            "lt" | "gt" | "amp" | "quot" | "apos" => made.push_str(&rest[at..at + end + 2]),
            _ if name.starts_with('#') => made.push_str(&rest[at..at + end + 2]),
            _ => made.push_str(&format!("&#{};", entity(name)?)),
        }
        rest = &after[end + 1..];
    }
    made.push_str(rest);
    Some(Cow::Owned(made))
}

/// The code point of an entity of XHTML 1.0.
fn entity(name: &str) -> Option<u32> {
    if let Some(at) = LATIN.split_ascii_whitespace().position(|known| known == name) {
        return u32::try_from(at).ok().map(|at| 160 + at);
    }
    let found = OTHERS.split_ascii_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    found.parse().ok()
}

/// The entities of the characters 160 to 255, in order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 \
    acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig \
    Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave \
    Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave \
    iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

const OTHERS: &str = "OElig=338 oelig=339 Scaron=352 scaron=353 Yuml=376 fnof=402 circ=710 tilde=732 Alpha=913 Beta=914 \
    Gamma=915 Delta=916 Epsilon=917 Zeta=918 Eta=919 Theta=920 Iota=921 Kappa=922 Lambda=923 Mu=924 Nu=925 Xi=926 \
    Omicron=927 Pi=928 Rho=929 Sigma=931 Tau=932 Upsilon=933 Phi=934 Chi=935 Psi=936 Omega=937 alpha=945 beta=946 gamma=947 \
    delta=948 epsilon=949 zeta=950 eta=951 theta=952 iota=953 kappa=954 lambda=955 mu=956 nu=957 xi=958 omicron=959 pi=960 \
    rho=961 sigmaf=962 sigma=963 tau=964 upsilon=965 phi=966 chi=967 psi=968 omega=969 thetasym=977 upsih=978 piv=982 \
    ensp=8194 emsp=8195 thinsp=8201 zwnj=8204 zwj=8205 lrm=8206 rlm=8207 ndash=8211 mdash=8212 lsquo=8216 rsquo=8217 \
    sbquo=8218 ldquo=8220 rdquo=8221 bdquo=8222 dagger=8224 Dagger=8225 bull=8226 hellip=8230 permil=8240 prime=8242 \
    Prime=8243 lsaquo=8249 rsaquo=8250 oline=8254 frasl=8260 euro=8364 image=8465 weierp=8472 real=8476 trade=8482 \
    alefsym=8501 larr=8592 uarr=8593 rarr=8594 darr=8595 harr=8596 crarr=8629 lArr=8656 uArr=8657 rArr=8658 dArr=8659 \
    hArr=8660 forall=8704 part=8706 exist=8707 empty=8709 nabla=8711 isin=8712 notin=8713 ni=8715 prod=8719 sum=8721 \
    minus=8722 lowast=8727 radic=8730 prop=8733 infin=8734 ang=8736 and=8743 or=8744 cap=8745 cup=8746 int=8747 there4=8756 \
    sim=8764 cong=8773 asymp=8776 ne=8800 equiv=8801 le=8804 ge=8805 sub=8834 sup=8835 nsub=8836 sube=8838 supe=8839 \
    oplus=8853 otimes=8855 perp=8869 sdot=8901 lceil=8968 rceil=8969 lfloor=8970 rfloor=8971 lang=9001 rang=9002 loz=9674 \
    spades=9824 clubs=9827 hearts=9829 diams=9830";
