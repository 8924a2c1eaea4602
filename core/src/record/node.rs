//! A place in a record: cheap to copy, valid as long as the record is borrowed.

use super::{Row, Tree};
use crate::decimal::Decimal;
use crate::schema::{ElementId, TypeId};
use std::borrow::Cow;
use std::ops::Range;

/// The sort of JSON value a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum NodeKind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// One value of a record.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    tree: &'a Tree,
    at: u32,
}

impl<'a> Node<'a> {
    pub(crate) fn new(tree: &'a Tree, at: usize) -> Self {
        Node { tree, at: at as u32 }
    }
    /// The tree it is in, and its row there.
    pub(crate) fn place(self) -> (&'a Tree, u32) {
        (self.tree, self.at)
    }
    /// The number of the row.
    pub(crate) fn at(self) -> usize {
        self.at as usize
    }
    /// The name of the property it is the value of, as it stands in the text; of an item of an array, nothing.
    pub(crate) fn key(self) -> &'a [u8] {
        let row = self.row();
        &self.tree.source[row.key as usize..row.key as usize + row.key_length as usize]
    }
    pub(crate) fn row(self) -> &'a Row {
        &self.tree.rows[self.at as usize]
    }
    /// The sort of JSON value.
    pub fn kind(self) -> NodeKind {
        self.row().kind
    }
    /// The schema element it is a value of; None for the resource itself and for what R4 does not know.
    pub fn element(self) -> Option<ElementId> {
        let element = self.row().element;
        (element != Row::NONE).then_some(ElementId(element))
    }
    /// Its FHIR type; of an array, the type of its items.
    pub fn type_id(self) -> Option<TypeId> {
        let type_id = self.row().type_id;
        (type_id != Row::NONE).then_some(TypeId(type_id))
    }
    /// The bytes of the value as received; a string's without its quotes.
    pub fn raw(self) -> &'a [u8] {
        &self.tree.source[self.row().start as usize..self.row().end as usize]
    }
    /// Where the value is in the record's bytes; a string's without its quotes.
    pub fn span(self) -> Range<usize> {
        self.row().start as usize..self.row().end as usize
    }
    /// The element path, such as `Patient.name[0].family`.
    pub fn path(self) -> String {
        self.tree.path(self.at as usize)
    }
    /// The text of a string, unescaped.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        (self.kind() == NodeKind::String).then(|| unescape(self.raw(), self.row().flags & Row::ESCAPES != 0))
    }
    /// The truth value of `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == NodeKind::Bool).then(|| self.raw() == b"true")
    }
    /// The number, digits kept.
    pub fn as_decimal(self) -> Option<Decimal> {
        (self.kind() == NodeKind::Number).then(|| Decimal::from_json(self.raw())).flatten()
    }
    /// The value of a property; the first, where a name occurs twice.
    pub fn get(self, name: &str) -> Option<Node<'a>> {
        let Entries { tree, mut at, end } = self.entries();
        while at < end {
            let row = &tree.rows[at as usize];
            let raw = &tree.source[row.key as usize..row.key as usize + row.key_length as usize];
            if raw == name.as_bytes() || row.flags & Row::KEY_ESCAPES != 0 && unescape(raw, true) == name {
                return Some(Node { tree, at });
            }
            at = row.next;
        }
        None
    }
    /// The text of a string property.
    pub fn text(self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.as_str()
    }
    /// Whether it is a string with this text.
    pub(crate) fn is_text(self, text: &str) -> bool {
        let row = self.row();
        row.kind == NodeKind::String
            && if row.flags & Row::ESCAPES == 0 {
                self.raw() == text.as_bytes()
            } else {
                unescape(self.raw(), true) == text
            }
    }
    /// The values of a property that may repeat: the items of its array, or the value itself.
    pub fn list(self, name: &str) -> impl Iterator<Item = Node<'a>> + use<'a> {
        self.get(name).into_iter().flat_map(Node::items)
    }
    /// The properties of an object, in order; nothing for other values.
    pub fn entries(self) -> Entries<'a> {
        let row = self.row();
        let end = if row.kind == NodeKind::Object { row.next } else { self.at + 1 };
        Entries { tree: self.tree, at: self.at + 1, end }
    }
    /// The items of an array, in order; the node itself where it is no array.
    pub fn items(self) -> Items<'a> {
        match self.row() {
            Row { kind: NodeKind::Array, next, .. } => Items { tree: self.tree, at: self.at + 1, end: *next },
            _ => Items { tree: self.tree, at: self.at, end: self.at + 1 },
        }
    }
    /// The values of an object's properties, in order, without their names.
    pub(crate) fn values(self) -> Items<'a> {
        Items { tree: self.tree, at: self.at + 1, end: self.row().next }
    }
    /// The properties whose schema element has this name, choices included (`value` gives `valueQuantity`).
    pub(crate) fn children_named(self, name: &'a str) -> impl Iterator<Item = (&'a Row, Node<'a>)> {
        let Entries { tree, mut at, end } = self.entries();
        std::iter::from_fn(move || {
            while at < end {
                let row = &tree.rows[at as usize];
                let node = Node { tree, at };
                at = row.next;
                if row.element != Row::NONE && row.flags & Row::COMPANION == 0 && ElementId(row.element).name() == name
                {
                    return Some((row, node));
                }
            }
            None
        })
    }
}

/// The properties of an object.
#[derive(Clone)]
pub struct Entries<'a> {
    tree: &'a Tree,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Cow<'a, str>, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let node = Node { tree: self.tree, at: self.at };
        let row = node.row();
        self.at = row.next;
        let raw = &self.tree.source[row.key as usize..row.key as usize + row.key_length as usize];
        Some((unescape(raw, row.flags & Row::KEY_ESCAPES != 0), node))
    }
}

/// The items of an array.
#[derive(Clone)]
pub struct Items<'a> {
    tree: &'a Tree,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.at >= self.end {
            return None;
        }
        let node = Node { tree: self.tree, at: self.at };
        self.at = node.row().next;
        Some(node)
    }
}

/// Takes the escapes out of a JSON string that the reader accepted.
pub(crate) fn unescape(raw: &[u8], escapes: bool) -> Cow<'_, str> {
    if !escapes {
        // INVARIANT: the reader checked UTF-8 and quotes stand at character boundaries, so there is no other case.
        return std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..at]);
        let (escape, mut used) = (rest.get(at + 1).copied().unwrap_or(b'\\'), at + 2);
        let plain = match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut unit = hex4(rest, used);
                used += 4;
                if (0xd800..0xdc00).contains(&unit) {
                    let low = hex4(rest, used + 2);
                    unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
                    used += 6;
                }
                let c = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(used..).unwrap_or_default();
                continue;
            }
            other => other,
        };
        text.push(plain);
        rest = rest.get(used..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    Cow::Owned(String::from_utf8_lossy(&text).into_owned())
}

pub(crate) fn hex4(bytes: &[u8], at: usize) -> u32 {
    let digits = bytes.get(at..at + 4).unwrap_or_default();
    digits.iter().fold(0, |value, byte| value << 4 | (*byte as char).to_digit(16).unwrap_or(0))
}
