//! Rules over more than one value: names, pairs of a primitive and its companion, bindings, references, contained resources.

use super::parser::{Expect, Parser};
use crate::error::Code;
use crate::record::{NodeKind, Row, is_id, unescape};
use crate::schema::{CodeSet, ElementId, ResourceType, Strength, TypeId, type_by_name};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Types with rules of their own.
pub(super) struct Special {
    pub(super) element: TypeId,
    pub(super) bundle: TypeId,
    reference: TypeId,
    concept: TypeId,
    coding: TypeId,
}

static SPECIAL: LazyLock<Special> = LazyLock::new(|| {
    let named = |name| type_by_name(name).expect("a type of R4");
    Special {
        element: named("Element"),
        bundle: named("Bundle"),
        reference: named("Reference"),
        concept: named("CodeableConcept"),
        coding: named("Coding"),
    }
});

#[inline]
pub(super) fn special() -> &'static Special {
    &SPECIAL
}

// --- names ---

/// A name or a choice occurs twice: says which.
#[cold]
pub(super) fn repeated(parser: &mut Parser<'_>, object: usize) {
    let (mut names, mut elements) = (Vec::new(), Vec::new());
    for child in parser.children(object) {
        let row = parser.rows[child];
        let name = unescape(parser.key_of(child), row.flags & Row::KEY_ESCAPES != 0);
        if row.element != Row::NONE {
            elements.push((row.element, row.flags & Row::COMPANION, child, name.clone()));
        }
        names.push((name, child));
    }
    names.sort_unstable();
    elements.sort_unstable();
    let twice = names.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[1].1, Code::JsonDuplicateKey));
    let choices = elements
        .windows(2)
        .filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) && pair[0].3 != pair[1].3)
        .map(|pair| (pair[1].2, Code::ChoiceRepeated));
    for (child, code) in twice.chain(choices) {
        let expected = if code == Code::ChoiceRepeated { "one type" } else { "each name once" };
        parser.find(child, code, expected);
    }
}

/// An object needs more than an `id` (R4, ele-1), unless it is a companion `_x`.
#[cold]
pub(super) fn empty(parser: &mut Parser<'_>, object: usize) {
    let companion = parser.rows[object].type_id == special().element.0;
    let hollow = parser.children(object).all(|child| parser.key_of(child) == b"id");
    if hollow && (!companion || parser.rows[object].next as usize == object + 1) {
        parser.find(object, Code::ElementEmpty, "at least one element beside an id");
    }
}

/// JSON pairs: `x` and `_x` are both single or both arrays of one length; a null in one needs a value in the other (R4, JSON,
/// 2.6.2.3). Names do not repeat here, so there are at most as many pairs as the type has elements.
#[cold]
pub(super) fn pairs(parser: &mut Parser<'_>, object: usize) {
    let (mut values, mut companions) = (HashMap::new(), Vec::new());
    for child in parser.children(object) {
        let row = parser.rows[child];
        if row.flags & Row::COMPANION != 0 {
            companions.push((row.element, child));
        } else if row.element != Row::NONE {
            values.insert(row.element, child);
        }
    }
    let null = |parser: &Parser<'_>, row: usize| parser.rows[row].kind == NodeKind::Null;
    for (element, companion) in companions {
        let Some(value) = values.remove(&element) else {
            if parser.rows[companion].kind == NodeKind::Array && parser.items(companion).all(|row| null(parser, row)) {
                parser.find(companion, Code::NullValue, "an element that is not null");
            }
            continue;
        };
        let arrays = [value, companion].map(|row| parser.rows[row].kind == NodeKind::Array);
        if arrays[0] != arrays[1] || parser.items(value).count() != parser.items(companion).count() {
            parser.find(companion, Code::PairLength, "as many items as the values have");
            continue;
        }
        let empty: Vec<usize> = parser
            .items(value)
            .zip(parser.items(companion))
            .filter(|(left, right)| arrays[0] && null(parser, *left) && null(parser, *right))
            .map(|(left, _)| left)
            .collect();
        for row in empty {
            parser.find(row, Code::NullValue, "a value or extensions");
        }
    }
    let mut alone: Vec<usize> = values.into_values().filter(|row| parser.rows[*row].kind == NodeKind::Array).collect();
    alone.sort_unstable();
    for value in alone {
        let nulls: Vec<usize> = parser.items(value).filter(|row| null(parser, *row)).collect();
        for row in nulls {
            parser.find(row, Code::NullValue, "a value");
        }
    }
}

// --- codes ---

/// The codes of a required binding, where they can be enumerated.
#[inline]
fn required(element: ElementId) -> Option<&'static CodeSet> {
    let binding = element.binding().filter(|binding| binding.strength == Strength::Required)?;
    binding.codes.map(|codes| codes.set())
}

/// Checks a `code` against a required binding.
#[inline]
pub(super) fn code(parser: &mut Parser<'_>, row: usize, text: &[u8], element: ElementId) {
    if required(element).is_some_and(|codes| !codes.contains_code(text)) {
        parser.find(row, Code::CodeUnknown, IN_SET);
    }
}

const IN_SET: &str = "a code of the required value set";

/// Checks what concerns an object as a whole: a required binding, a reference.
#[inline]
pub(super) fn bound(parser: &mut Parser<'_>, row: usize, expect: Expect) {
    let special = special();
    if expect.type_id == special.reference.0 {
        reference(parser, row, ElementId(expect.element));
    } else if (expect.type_id == special.concept.0 || expect.type_id == special.coding.0)
        && let Some(codes) = required(ElementId(expect.element))
    {
        coded(parser, row, codes, expect.type_id == special.concept.0);
    }
}

/// A CodeableConcept or Coding with a required binding: one of its codings is in the set.
fn coded(parser: &mut Parser<'_>, row: usize, codes: &CodeSet, concept: bool) {
    let list = if concept { parser.child(row, b"coding") } else { Some(row) };
    let Some(list) = list else {
        if parser.child(row, b"extension").is_none() {
            parser.find(row, Code::CodeUnknown, IN_SET);
        }
        return;
    };
    let mut judged = false;
    for coding in parser.items(list) {
        let text = |name: &[u8]| parser.child(coding, name).and_then(|child| parser.string(child));
        if let (Some(system), Some(code)) = (text(b"system"), text(b"code")) {
            if codes.contains(system.as_bytes(), code.as_bytes()) {
                return;
            }
            judged = true;
        }
    }
    if judged {
        parser.find(row, Code::CodeUnknown, IN_SET);
    }
}

// --- references ---

/// A literal reference: its form, and the type it points to (R4, references, 2.3.0.1).
fn reference(parser: &mut Parser<'_>, object: usize, element: ElementId) {
    let Some(row) = parser.child(object, b"reference") else { return };
    if parser.rows[row].kind != NodeKind::String {
        return; // said already
    }
    let text = parser.raw(row);
    match text {
        b"" | b"#" => return, // said already; the container itself
        [b'#', ..] => return parser.fragments.push((row, element)),
        _ => {}
    }
    let literal = literal_type(text);
    if literal.is_none() {
        let blank = text.iter().any(|byte| *byte <= b' ');
        if blank || !text.contains(&b':') && !text.contains(&b'?') {
            parser.find(row, Code::ReferenceForm, "Type/id, an absolute address, urn:uuid:, urn:oid: or #id");
        }
        return;
    }
    fits(parser, row, literal, element);
}

fn fits(parser: &mut Parser<'_>, row: usize, kind: Option<ResourceType>, element: ElementId) {
    let mut targets = element.targets();
    if kind.is_some_and(|kind| targets.len() > 0 && !targets.any(|target| target == kind)) {
        parser.find(row, Code::ReferenceTarget, "a resource type that this element may refer to");
    }
}

/// The type in `Type/id` or `Type/id/_history/version`, relative or at the end of an http address.
fn literal_type(text: &[u8]) -> Option<ResourceType> {
    let mut parts = text.rsplit(|byte| *byte == b'/');
    let (mut id, mut kind) = (parts.next()?, parts.next()?);
    if kind == b"_history" {
        (id, kind) = (parts.next()?, parts.next()?);
    }
    let before = parts.next();
    let id = id.split(|byte| *byte == b'#').next()?;
    let rooted = before.is_none() || text.starts_with(b"http://") || text.starts_with(b"https://");
    if !rooted || !is_id(id) {
        return None;
    }
    ResourceType::from_name(std::str::from_utf8(kind).ok()?)
}

// --- contained resources ---

/// Whether an element is `contained`.
pub(super) fn is_contained(element: ElementId) -> bool {
    element.name() == "contained"
}

/// A contained resource: it has an id, contains nothing itself and has no version or security labels (R4, dom-2, -4, -5).
pub(super) fn contained(parser: &mut Parser<'_>, row: usize, nested: bool) {
    if nested {
        parser.find(row, Code::ContainedShape, "no resource contained in a contained one");
    }
    if parser.child(row, b"id").is_none() {
        parser.find(row, Code::ContainedShape, "an id on a contained resource");
    }
    let Some(meta) = parser.child(row, b"meta") else { return };
    for (name, expected) in [
        (&b"versionId"[..], "no meta.versionId on a contained resource"),
        (b"lastUpdated", "no meta.lastUpdated on a contained resource"),
        (b"security", "no meta.security on a contained resource"),
    ] {
        if let Some(child) = parser.child(meta, name) {
            parser.find(child, Code::ContainedShape, expected);
        }
    }
}

/// Looks up the `#id` references read since `from` in the `contained` of `resource`.
pub(super) fn fragments(parser: &mut Parser<'_>, resource: usize, from: usize) {
    let list = parser.child(resource, b"contained");
    if parser.fragments.len() <= from && list.is_none() {
        return;
    }
    let (mut contained, mut twice) = (HashMap::new(), Vec::new());
    for item in list.into_iter().flat_map(|list| parser.items(list)) {
        if let Some(id) = parser.child(item, b"id")
            && contained.insert(parser.raw(id), item).is_some()
        {
            twice.push(id);
        }
    }
    for id in twice {
        parser.find(id, Code::ContainedShape, "each id once among the contained resources");
    }
    for (row, element) in parser.fragments.split_off(from) {
        match contained.get(&parser.raw(row)[1..]) {
            None => parser.find(row, Code::ReferenceContained, "the id of a contained resource"),
            Some(item) => {
                let type_id = parser.rows[*item].type_id;
                let kind = (type_id != Row::NONE).then(|| ResourceType::from_name(TypeId(type_id).name())).flatten();
                fits(parser, row, kind, element);
            }
        }
    }
}
