//! The record: one FHIR resource as it was received, as a flat tree over its own bytes.
//!
//! Order, decimal digits, unknown elements and white space are kept: the tree points into the bytes that came in.
//! A record never changes; an edit makes a [`Value`], and that makes a new record.

mod labels;
mod node;
#[cfg(feature = "typed")]
pub mod typed;
mod value;
mod write;

pub use labels::Compartment;
pub(crate) use labels::each_label;
pub use node::{Entries, Items, Node, NodeKind};
pub(crate) use node::{hex4, unescape};
pub use value::Value;
pub(crate) use write::quote;

use crate::schema::{ElementId, PathProgram, ResourceType, TypeId, Where};
use std::sync::Arc;

/// One FHIR resource: the bytes received and a tree over them. Cloning is cheap; it can be shared between threads.
#[derive(Clone)]
pub struct Record(Arc<Tree>);

/// Any JSON value, with no schema: the same tree.
#[derive(Clone)]
pub struct Document(Arc<Tree>);

pub(crate) struct Tree {
    pub(crate) source: Box<[u8]>,
    pub(crate) rows: Vec<Row>,
    pub(crate) kind: ResourceType,
    /// Whether there is no white space between values: then the source is its own compact form.
    pub(crate) compact: bool,
}

/// One value of the tree, in document order. `next` is the row after its last descendant.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Where the value starts and ends: for strings without the quotes, for objects and arrays with the brackets.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) key: u32,
    pub(crate) next: u32,
    pub(crate) key_length: u16,
    pub(crate) element: u16,
    pub(crate) type_id: u16,
    pub(crate) kind: NodeKind,
    pub(crate) flags: u8,
}

impl Row {
    pub(crate) const ESCAPES: u8 = 1;
    pub(crate) const KEY_ESCAPES: u8 = 2;
    /// The companion `_x` of a primitive.
    pub(crate) const COMPANION: u8 = 4;
    pub(crate) const NONE: u16 = u16::MAX;
}

impl Record {
    pub(crate) fn new(tree: Tree) -> Self {
        Record(Arc::new(tree))
    }
    /// The resource type.
    pub fn kind(&self) -> ResourceType {
        self.0.kind
    }
    /// The logical id, where it has one of a form FHIR allows.
    pub fn id(&self) -> Option<&str> {
        let node = self.root().get("id")?;
        let raw = std::str::from_utf8(node.raw()).ok()?;
        (node.kind() == NodeKind::String && is_id(raw.as_bytes())).then_some(raw)
    }
    /// The bytes as received.
    pub fn original(&self) -> &[u8] {
        &self.0.source
    }
    pub(crate) fn tree(&self) -> &Tree {
        &self.0
    }
    /// The resource itself.
    pub fn root(&self) -> Node<'_> {
        Node::new(&self.0, 0)
    }
    /// The value of a row, and how many rows there are.
    pub(crate) fn node(&self, row: usize) -> Node<'_> {
        Node::new(&self.0, row)
    }
    pub(crate) fn row_count(&self) -> usize {
        self.0.rows.len()
    }
    /// Writes the record without white space between values; order, digits and escapes stay.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write::compact(&self.0, out);
    }
    /// The canonical form for hashing and signing: no white space, names in code unit order, strings escaped as RFC 8785
    /// does.
    ///
    /// Numbers keep their digits, unlike RFC 8785: in FHIR 1.0 and 1.00 are different statements.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write::canonical(&self.0, &mut out);
        out
    }
    /// SHA-256 of [`Record::canonical`].
    pub fn content_hash(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.canonical());
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
    /// The values at the end of a compiled path, in document order.
    pub fn select<'a>(&'a self, path: &PathProgram, mut found: impl FnMut(Node<'a>)) {
        descend(self.root(), path.steps, &mut found);
    }
}

impl Document {
    pub(crate) fn new(tree: Tree) -> Self {
        Document(Arc::new(tree))
    }
    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        Node::new(&self.0, 0)
    }
    /// The bytes as received.
    pub fn original(&self) -> &[u8] {
        &self.0.source
    }
}

/// Two records are equal where their bytes are.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.original() == other.original()
    }
}
impl Eq for Record {}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({}, {} bytes)", self.kind(), self.original().len())
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({} bytes)", self.original().len())
    }
}

/// Whether `text` has the form of a FHIR id: 1 to 64 of `A-Z a-z 0-9 - .`.
pub fn is_id(text: &[u8]) -> bool {
    (1..=64).contains(&text.len()) && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

fn descend<'a>(at: Node<'a>, steps: &[crate::schema::Step], found: &mut impl FnMut(Node<'a>)) {
    let Some((step, rest)) = steps.split_first() else {
        found(at);
        return;
    };
    for (row, child) in at.children_named(step.name) {
        if let Some(wanted) = step.as_type {
            let is = (row.type_id != Row::NONE).then(|| TypeId(row.type_id).name());
            if is != Some(wanted) {
                continue;
            }
        }
        for item in child.items() {
            let keep = match &step.where_ {
                None => true,
                Some(Where::Equals(name, value)) => {
                    item.get(name).and_then(|field| field.as_str()).is_some_and(|text| text == *value)
                }
                Some(Where::ResolvesTo(kind)) => reference_type(item).is_none_or(|found| found == *kind),
            };
            if keep {
                descend(item, rest, found);
            }
        }
    }
}

/// The resource type a Reference names by its text or `type`; None where it does not say.
fn reference_type(reference: Node<'_>) -> Option<String> {
    if let Some(kind) = reference.get("type").and_then(|node| node.as_str()) {
        return Some(kind.into_owned());
    }
    let text = reference.get("reference")?.as_str()?;
    let text = text.split("/_history/").next().unwrap_or_default();
    let (rest, _) = text.rsplit_once('/')?;
    let kind = rest.rsplit('/').next()?;
    ResourceType::from_name(kind).map(|kind| kind.name().to_owned())
}

impl Tree {
    /// Element path of a row, made of schema names and indices.
    pub(crate) fn path(&self, target: usize) -> String {
        let (mut steps, mut at) = (Vec::new(), 0);
        while at < target {
            let (mut child, mut index) = (at + 1, 0);
            while (self.rows[child].next as usize) <= target {
                child = self.rows[child].next as usize;
                index += 1;
            }
            steps.push((child, (self.rows[at].kind == NodeKind::Array).then_some(index)));
            at = child;
        }
        self.path_of(steps.into_iter())
    }

    /// The path along these rows, from the root down, each with its index where it is an item of an array. It ends at what
    /// R4 does not know: an unknown element is named by its parent, for its name is content.
    pub(crate) fn path_of(&self, steps: impl Iterator<Item = (usize, Option<usize>)>) -> String {
        let mut path = String::with_capacity(48);
        let first = self.rows.first().map_or(Row::NONE, |row| row.type_id);
        if first != Row::NONE {
            path.push_str(TypeId(first).name());
        }
        for (row, index) in steps {
            let row = &self.rows[row];
            if row.element == Row::NONE {
                break;
            }
            let element = ElementId(row.element);
            let companion = row.flags & Row::COMPANION != 0;
            match index {
                Some(index) => push_index(&mut path, index),
                None => {
                    path.push('.');
                    path.push_str(element.name());
                    if element.row().choice && row.type_id != Row::NONE && !companion {
                        path.push_str(".ofType(");
                        path.push_str(TypeId(row.type_id).name());
                        path.push(')');
                    }
                }
            }
        }
        path
    }
}

/// Adds `[index]`.
fn push_index(path: &mut String, index: usize) {
    path.push('[');
    match u8::try_from(index) {
        Ok(index @ 0..10) => path.push(char::from(b'0' + index)),
        _ => path.push_str(&index.to_string()),
    }
    path.push(']');
}
