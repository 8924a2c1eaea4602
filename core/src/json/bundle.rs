//! What each type of Bundle asks of itself and of its entries (R4, Bundle, invariants bdl-1 to bdl-12).

use super::parser::Parser;
use crate::error::Code;
use crate::record::Row;
use crate::schema::TypeId;

/// The children of one entry.
#[derive(Default)]
struct Entry {
    full_url: Option<usize>,
    resource: Option<usize>,
    request: bool,
    response: bool,
    search: bool,
}

/// Checks a Bundle that was read.
pub(super) fn check(parser: &mut Parser<'_>, bundle: usize) {
    let kind = parser.child(bundle, b"type").and_then(|row| parser.string(row)).unwrap_or_default();
    itself(parser, bundle, &kind);
    let entries: Vec<usize> = parser.child(bundle, b"entry").into_iter().flat_map(|list| parser.items(list)).collect();
    first_entry(parser, bundle, entries.first().copied(), &kind);
    let mut addresses = Vec::new();
    for row in entries {
        let entry = entry(parser, row);
        let history = kind == "history";
        let asks = matches!(&*kind, "transaction" | "batch") || history;
        let answers = matches!(&*kind, "transaction-response" | "batch-response") || history;
        for (broken, expected) in [
            (asks && !entry.request, "a request in each entry of this type of Bundle"),
            (!asks && entry.request, "a request only in a transaction, batch or history"),
            (answers && !entry.response, "a response in each entry of this type of Bundle"),
            (!answers && entry.response, "a response only in a response or history"),
            (entry.search && kind != "searchset", "search only in a searchset"),
            (
                entry.resource.is_none() && !entry.request && !entry.response,
                "a resource, a request or a response in each entry",
            ),
        ] {
            if broken {
                parser.find(row, Code::BundleShape, expected);
            }
        }
        let Some(address) = entry.full_url else { continue };
        let text = parser.raw(address);
        if !text.contains(&b':') {
            parser.find(address, Code::BundleShape, "an absolute fullUrl");
        }
        if memchr::memmem::find(text, b"/_history/").is_some() {
            parser.find(address, Code::BundleShape, "a fullUrl without a version");
        }
        if !history {
            let meta = entry.resource.and_then(|resource| parser.child(resource, b"meta"));
            let version = meta.and_then(|meta| parser.child(meta, b"versionId")).map(|row| parser.raw(row));
            addresses.push((text, version.unwrap_or_default(), address));
        }
    }
    addresses.sort_unstable();
    for pair in addresses.windows(2) {
        if (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) {
            parser.find(pair[1].2, Code::BundleShape, "each fullUrl once");
        }
    }
}

fn itself(parser: &mut Parser<'_>, bundle: usize, kind: &str) {
    if let Some(total) = parser.child(bundle, b"total").filter(|_| !matches!(kind, "searchset" | "history")) {
        parser.find(total, Code::BundleShape, "a total only in a searchset or history");
    }
    if kind != "document" {
        return;
    }
    let identifier = parser.child(bundle, b"identifier");
    let whole =
        [&b"system"[..], b"value"].iter().all(|name| identifier.is_some_and(|i| parser.child(i, name).is_some()));
    if !whole {
        parser.find(bundle, Code::BundleShape, "an identifier with system and value on a document");
    }
    if parser.child(bundle, b"timestamp").is_none() {
        parser.find(bundle, Code::BundleShape, "a timestamp on a document");
    }
}

/// A document starts with its Composition, a message with its MessageHeader.
fn first_entry(parser: &mut Parser<'_>, bundle: usize, first: Option<usize>, kind: &str) {
    let (wanted, expected) = match kind {
        "document" => ("Composition", "a Composition as the first entry of a document"),
        "message" => ("MessageHeader", "a MessageHeader as the first entry of a message"),
        _ => return,
    };
    let resource = first.and_then(|entry| parser.child(entry, b"resource"));
    let type_id = resource.map_or(Row::NONE, |row| parser.rows[row].type_id);
    if type_id == Row::NONE || TypeId(type_id).name() != wanted {
        parser.find(resource.or(first).unwrap_or(bundle), Code::BundleShape, expected);
    }
}

fn entry(parser: &Parser<'_>, row: usize) -> Entry {
    let mut entry = Entry::default();
    for child in parser.children(row) {
        match parser.key_of(child) {
            b"fullUrl" => entry.full_url = Some(child),
            b"resource" => entry.resource = Some(child),
            b"request" => entry.request = true,
            b"response" => entry.response = true,
            b"search" => entry.search = true,
            _ => {}
        }
    }
    entry
}
