//! The elements of an XML text as a flat tree, with namespaces resolved; what is inside a narrative is kept as text.

use super::reader::{Attribute, Event, Reader, split};
use crate::error::{Code, Result};
use crate::limits::Limits;
use std::ops::Range;

pub(super) const FHIR: &[u8] = b"http://hl7.org/fhir";
pub(super) const XHTML: &[u8] = b"http://www.w3.org/1999/xhtml";

/// The namespaces that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    None,
    Fhir,
    Xhtml,
    Other,
}

/// One element; its children follow, `next` is the element after the last of them.
pub(super) struct Element {
    /// The local name.
    pub(super) name: Range<usize>,
    pub(super) namespace: Namespace,
    /// From the `<` of its start tag to the end of its end tag.
    pub(super) span: Range<usize>,
    pub(super) attributes: Range<usize>,
    pub(super) next: usize,
    /// Where text stands directly inside it, that is not blank.
    pub(super) text: Option<usize>,
}

pub(super) struct Tree<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) elements: Vec<Element>,
    /// Attributes that are not namespace declarations.
    pub(super) attributes: Vec<Attribute>,
}

/// A namespace declaration that is in force: how deep, which prefix, what it names.
struct Declared<'a> {
    depth: usize,
    prefix: &'a [u8],
    namespace: Namespace,
}

/// Declarations in force at one place; each name looks through them.
const MOST_DECLARED: usize = 100;

pub(super) fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Tree<'a>> {
    let mut reader = Reader::new(bytes, limits)?;
    let mut tree = Tree { bytes, elements: Vec::new(), attributes: Vec::new() };
    let (mut open, mut scope): (Vec<usize>, Vec<Declared<'a>>) = (Vec::new(), Vec::new());
    // How many elements of a narrative are open, the div included: they are no elements of the tree.
    let mut inside = 0_usize;
    loop {
        match reader.next()? {
            Event::Start { empty, .. } if inside > 0 => inside += usize::from(!empty),
            Event::Start { name, at, empty } => {
                let depth = open.len();
                declare(bytes, &reader.attributes, depth, &mut scope);
                if scope.len() > MOST_DECLARED {
                    return Err(reader.error(Code::LimitCount, at));
                }
                let first = tree.attributes.len();
                for attribute in &reader.attributes {
                    if declared_prefix(&bytes[attribute.name.clone()]).is_none() {
                        tree.attributes.push(attribute.clone());
                    }
                }
                let (prefix, local) = split(&bytes[name.clone()]);
                let namespace = resolve(&scope, prefix).ok_or_else(|| reader.error(Code::XmlPrefix, at))?;
                let narrative = namespace == Namespace::Xhtml && depth > 0;
                tree.elements.push(Element {
                    name: name.end - local.len()..name.end,
                    namespace,
                    span: at..reader.offset(),
                    attributes: first..tree.attributes.len(),
                    next: tree.elements.len() + 1,
                    text: None,
                });
                if empty {
                    leave(&mut scope, depth);
                    continue;
                }
                inside = usize::from(narrative);
                open.push(tree.elements.len() - 1);
            }
            Event::End { .. } if inside > 1 => inside -= 1,
            Event::End { .. } => {
                inside = 0;
                // INVARIANT: the reader matched this end tag with a start tag, and that pushed.
                let element = open.pop().expect("a start came before");
                tree.elements[element].next = tree.elements.len();
                tree.elements[element].span.end = reader.offset();
                leave(&mut scope, open.len());
            }
            Event::Text(range) | Event::Characters(range) if inside == 0 => {
                let blanks = bytes[range.clone()].iter().take_while(|b| b.is_ascii_whitespace()).count();
                if let (Some(element), true) = (open.last(), blanks < range.len()) {
                    tree.elements[*element].text.get_or_insert(range.start + blanks);
                }
            }
            Event::Text(_) | Event::Characters(_) | Event::Aside(_) => {}
            Event::Over => return Ok(tree),
        }
    }
}

/// The prefix that an attribute declares: `xmlns` declares the empty one.
pub(super) fn declared_prefix(name: &[u8]) -> Option<&[u8]> {
    if name == b"xmlns" { Some(b"") } else { name.strip_prefix(b"xmlns:") }
}

fn declare<'a>(bytes: &'a [u8], attributes: &[Attribute], depth: usize, scope: &mut Vec<Declared<'a>>) {
    for attribute in attributes {
        if let Some(prefix) = declared_prefix(&bytes[attribute.name.clone()]) {
            let namespace = match super::reader::value(&bytes[attribute.value.clone()]).as_bytes() {
                b"" => Namespace::None,
                FHIR => Namespace::Fhir,
                XHTML => Namespace::Xhtml,
                _ => Namespace::Other,
            };
            scope.push(Declared { depth, prefix, namespace });
        }
    }
}

/// Forgets what elements at `depth` and below declared.
fn leave(scope: &mut Vec<Declared<'_>>, depth: usize) {
    while scope.last().is_some_and(|declared| declared.depth >= depth) {
        scope.pop();
    }
}

/// What a prefix names; the last declaration counts.
fn resolve(scope: &[Declared<'_>], prefix: &[u8]) -> Option<Namespace> {
    let declared = scope.iter().rev().find(|declared| declared.prefix == prefix).map(|declared| declared.namespace);
    declared.or((prefix.is_empty()).then_some(Namespace::None))
}
