//! Rules over more than one value: pairs of a primitive and its companion, references, Bundles.

use super::parser::Parser;
use crate::error::Code;
use crate::record::{NodeKind, Row, is_id};
use crate::schema::{ElementId, ResourceType, TypeId, type_by_name};
use std::sync::LazyLock;

struct Special {
    element: TypeId,
    reference: TypeId,
    concept: TypeId,
    coding: TypeId,
}

static SPECIAL: LazyLock<Special> = LazyLock::new(|| {
    let named = |name| type_by_name(name).expect("a type of R4");
    Special {
        element: named("Element"),
        reference: named("Reference"),
        concept: named("CodeableConcept"),
        coding: named("Coding"),
    }
});

/// The type Element.
pub(super) fn element_type() -> TypeId {
    SPECIAL.element
}

/// The types Reference, CodeableConcept and Coding.
#[inline]
pub(super) fn special_types() -> (TypeId, TypeId, TypeId) {
    let special = &*SPECIAL;
    (special.reference, special.concept, special.coding)
}

/// JSON pairs: `x` and `_x` are both single or both arrays of one length; a null in one needs a value in the other (R4, JSON,
/// "representation of primitive elements").
pub(super) fn pairs(parser: &mut Parser<'_>, object: usize) {
    let (mut values, mut companions): (Vec<(u16, usize)>, Vec<(u16, usize)>) = (Vec::new(), Vec::new());
    let mut child = object + 1;
    while child < parser.rows[object].next as usize {
        let row = parser.rows[child];
        if row.element != Row::NONE {
            let list = if row.flags & Row::COMPANION == 0 { &mut values } else { &mut companions };
            list.push((row.element, child));
        }
        child = row.next as usize;
    }
    let null = |parser: &Parser<'_>, row: &usize| parser.rows[*row].kind == NodeKind::Null;
    for (element, companion) in &companions {
        let Some((_, value)) = values.iter().find(|(of, _)| of == element) else {
            if parser.rows[*companion].kind == NodeKind::Array
                && parser.items(*companion).iter().all(|row| null(parser, row))
            {
                parser.find(*companion, Code::NullValue, "an element that is not null");
            }
            continue;
        };
        let arrays = [*value, *companion].map(|row| parser.rows[row].kind == NodeKind::Array);
        let (left, right) = (parser.items(*value), parser.items(*companion));
        if arrays[0] != arrays[1] || left.len() != right.len() {
            parser.find(*companion, Code::PairLength, "as many items as the values have");
            continue;
        }
        let empty: Vec<usize> = left
            .iter()
            .zip(&right)
            .filter(|(l, r)| arrays[0] && null(parser, l) && null(parser, r))
            .map(|(l, _)| *l)
            .collect();
        for row in empty {
            parser.find(row, Code::NullValue, "a value or extensions");
        }
    }
    for (element, value) in values {
        if !companions.iter().any(|(of, _)| *of == element) && parser.rows[value].kind == NodeKind::Array {
            let nulls: Vec<usize> = parser.items(value).into_iter().filter(|row| null(parser, row)).collect();
            for row in nulls {
                parser.find(row, Code::NullValue, "a value");
            }
        }
    }
}

/// A literal reference: its form, and the type it points to (R4, references, 2.3.0).
pub(super) fn reference(parser: &mut Parser<'_>, object: usize, element: ElementId) {
    let Some(row) = parser.child(object, b"reference") else { return };
    let made = parser.rows[row];
    if made.kind != NodeKind::String || made.start == made.end {
        return; // said already
    }
    let text = &parser.bytes[made.start as usize..made.end as usize];
    if let Some(fragment) = text.strip_prefix(b"#") {
        if !fragment.is_empty() {
            parser.remember_fragment(row);
        }
        return;
    }
    if text.starts_with(b"urn:") || text.contains(&b'?') {
        return;
    }
    let absolute = [&b"http://"[..], b"https://"].iter().any(|scheme| text.starts_with(scheme));
    if !absolute && text.contains(&b':') {
        return; // another scheme: nothing more is said about its form
    }
    let kind = literal_type(text);
    if kind.is_none() && !absolute {
        parser.find(row, Code::ReferenceForm, "Type/id, an absolute address, urn:uuid:, urn:oid: or #id");
    }
    if let Some(kind) = kind {
        let mut targets = element.targets();
        if targets.len() > 0 && !targets.any(|target| target == kind) {
            parser.find(row, Code::ReferenceTarget, "a resource type that this element may refer to");
        }
    }
}

/// The type of `.../Type/id` or `.../Type/id/_history/version`.
fn literal_type(text: &[u8]) -> Option<ResourceType> {
    let mut parts: Vec<&[u8]> = text.split(|b| *b == b'/').collect();
    if parts.len() >= 4 && parts[parts.len() - 2] == b"_history" {
        parts.truncate(parts.len() - 2);
    }
    let [.., kind, id] = parts.as_slice() else { return None };
    let id = id.split(|b| *b == b'#').next().unwrap_or_default();
    if !is_id(id) {
        return None;
    }
    ResourceType::from_name(std::str::from_utf8(kind).ok()?)
}

/// What each type of Bundle asks of its entries (R4, Bundle, invariants bdl-*), as far as it is about shape.
pub(super) fn bundle(parser: &mut Parser<'_>, bundle: usize) {
    let kind = parser.child(bundle, b"type").and_then(|row| parser.text(row)).unwrap_or_default().into_owned();
    let entries = parser.child(bundle, b"entry").map(|list| parser.items(list)).unwrap_or_default();
    let mut addresses: Vec<(Vec<u8>, usize)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let has = |name: &[u8]| parser.child(*entry, name).is_some();
        let (resource, request, response) = (has(b"resource"), has(b"request"), has(b"response"));
        let search = has(b"search");
        let needs_request = matches!(kind.as_str(), "transaction" | "batch" | "history");
        let needs_response = matches!(kind.as_str(), "transaction-response" | "batch-response" | "history");
        let rules = [
            (needs_request && !request, "a request in each entry of this type of Bundle"),
            (!needs_request && request, "a request only in a transaction, batch or history"),
            (needs_response && !response, "a response in each entry of this type of Bundle"),
            (!needs_response && response, "a response only in a response or history"),
            (search && kind != "searchset", "search only in a searchset"),
            (!resource && !request && !response, "a resource, a request or a response in each entry"),
        ];
        for (broken, expected) in rules {
            if broken {
                parser.find(*entry, Code::BundleShape, expected);
            }
        }
        if let Some(inside) = parser.child(*entry, b"resource").filter(|_| index == 0) {
            let first = parser.child(inside, b"resourceType").and_then(|row| parser.text(row));
            match (kind.as_str(), first.as_deref()) {
                ("document", Some(name)) if name != "Composition" => {
                    parser.find(inside, Code::BundleShape, "a Composition as the first entry of a document");
                }
                ("message", Some(name)) if name != "MessageHeader" => {
                    parser.find(inside, Code::BundleShape, "a MessageHeader as the first entry of a message");
                }
                _ => {}
            }
        }
        if let Some(row) = parser.child(*entry, b"fullUrl").filter(|_| kind != "history") {
            let version = parser
                .child(*entry, b"resource")
                .and_then(|resource| parser.child(resource, b"meta"))
                .and_then(|meta| parser.child(meta, b"versionId"))
                .and_then(|version| parser.text(version))
                .unwrap_or_default();
            if let Some(text) = parser.text(row) {
                addresses.push((format!("{text}\n{version}").into_bytes(), row));
            }
        }
    }
    addresses.sort();
    let twice: Vec<usize> = addresses.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).collect();
    for row in twice {
        parser.find(row, Code::BundleShape, "each fullUrl once");
    }
}
