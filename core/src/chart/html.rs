//! Text for the page: everything escaped, what FHIR says in the words of the record.

use crate::record::Node;

/// Text for HTML: markup escaped, control characters and bidirectional overrides made visible.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => out.push('\u{fffd}'),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

pub(super) fn text(node: Node<'_>, name: &str) -> String {
    node.text(name).map(|text| escape(&text)).unwrap_or_default()
}

/// What a CodeableConcept says: its text, else a display, else a code.
pub(super) fn concept(node: Option<Node<'_>>) -> String {
    let Some(node) = node else { return String::new() };
    let said = text(node, "text");
    if !said.is_empty() {
        return said;
    }
    let coding =
        |field: &'static str| node.list("coding").map(move |coding| text(coding, field)).find(|t| !t.is_empty());
    coding("display").or_else(|| coding("code")).unwrap_or_default()
}

pub(super) fn status(node: Option<Node<'_>>) -> String {
    node.and_then(|node| node.list("coding").next()).map(|coding| text(coding, "code")).unwrap_or_default()
}

/// The day of a date as given; a shorter one stays as short.
pub(super) fn day(value: &str) -> &str {
    value.split('T').next().unwrap_or(value)
}

pub(super) fn words(parts: &[&str]) -> String {
    let said: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    said.join(", ")
}

pub(super) fn first(root: Node<'_>, names: &[&str]) -> String {
    names.iter().map(|name| text(root, name)).find(|said| !said.is_empty()).unwrap_or_default()
}

pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6570;--line:#d9dee3;--back:#fff;--card:#f6f8fa;--mark:#0b5cad;--warn:#a3261f}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--line:#333b44;--back:#14181c;--card:#1c2228;--mark:#7ab7f5;--warn:#ff8f86}}\
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);font:15px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{max-width:62rem;margin:0 auto;padding:1rem}header{border-bottom:3px solid var(--mark);padding-bottom:.6rem;margin-bottom:1rem}\
h1{margin:0;font-size:1.7rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem;color:var(--mark)}dl{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:.4rem 0 0}\
dt{color:var(--soft);display:inline}dd{display:inline;margin:0 0 0 .3rem}dl div{white-space:nowrap}table{border-collapse:collapse;width:100%}\
th{text-align:left;color:var(--soft);font-weight:600;font-size:.85rem}td,th{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
td.date{white-space:nowrap;color:var(--soft)}.not{color:var(--soft)}.wrong td:first-child{text-decoration:line-through}.flag{color:var(--warn);font-weight:700}\
.plain{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}.none{color:var(--soft)}.tests{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.7rem}\
.test{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem;break-inside:avoid}.test h3{margin:0;font-size:.88rem;font-weight:600}\
.value{font-size:1.25rem}.value small{font-size:.8rem;color:var(--soft)}svg{width:100%;height:3rem;display:block}.band{fill:var(--mark);opacity:.12}\
.trend{fill:none;stroke:var(--mark);stroke-width:1.6;vector-effect:non-scaling-stroke}footer{margin:2rem 0 1rem;color:var(--soft);font-size:.8rem;border-top:1px solid var(--line);padding-top:.5rem}\
.timeline{margin:.3rem 0 .8rem;font-size:.8rem}.years,.lane{position:relative;margin-left:7rem;height:1.35rem;border-left:1px solid var(--line)}.years span{position:absolute;color:var(--soft);padding-left:.2rem;border-left:1px solid var(--line)}\
.lane{border-bottom:1px solid var(--line)}.lane b{position:absolute;right:100%;margin-right:.5rem;width:6.5rem;text-align:right;font-weight:400;color:var(--soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.lane i{position:absolute;top:.3rem;height:.75rem;min-width:.3rem;border-radius:.15rem;background:var(--mark);opacity:.75}\
@media(max-width:34rem){td,th{padding-right:.35rem}h1{font-size:1.35rem}}@media print{body{font-size:11px}main{max-width:none;padding:0}.tests{grid-template-columns:repeat(3,1fr)}section{break-inside:auto}}";
