//! What the generated views stand on: how one value, several values, a choice, or a primitive with its extensions is read.

use super::generated::views::{Extension, Meta, Resource};
use crate::decimal::Decimal;
use crate::record::{Node, NodeKind, Row};
use crate::schema::{self, Primitive, ResourceType, TypeKind};
use crate::time::fhir::{Date, DateTime, Instant, Time};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A typed look at an object of a record.
pub trait View<'a>: Wrap<'a> {
    /// The place it looks at.
    fn node(self) -> Node<'a> {
        self.unwrap()
    }
}
impl<'a, T: Wrap<'a>> View<'a> for T {}

/// A type that a value of a record can be read as.
pub trait FromNode<'a>: Sized {
    /// The value, where the node holds one of this type.
    fn from_node(node: Node<'a>) -> Option<Self>;
}

/// An enum over the types of a choice.
pub trait Choice<'a>: Sized {
    /// The value of a node of that FHIR type.
    fn of(kind: &str, node: Node<'a>) -> Option<Self>;
}

/// The inside of a view. Not public: a view is made where the type of the node is known.
pub trait Wrap<'a>: Copy {
    fn wrap(node: Node<'a>) -> Self;
    fn unwrap(self) -> Node<'a>;
}

impl<'a, T: Wrap<'a>> FromNode<'a> for T {
    fn from_node(node: Node<'a>) -> Option<Self> {
        (node.kind() == NodeKind::Object).then(|| T::wrap(node))
    }
}
impl<'a> FromNode<'a> for bool {
    fn from_node(node: Node<'a>) -> Option<Self> {
        node.as_bool()
    }
}
impl<'a> FromNode<'a> for i32 {
    fn from_node(node: Node<'a>) -> Option<Self> {
        number(node)?.parse().ok()
    }
}
impl<'a> FromNode<'a> for u32 {
    fn from_node(node: Node<'a>) -> Option<Self> {
        number(node)?.parse().ok()
    }
}
impl<'a> FromNode<'a> for Decimal {
    fn from_node(node: Node<'a>) -> Option<Self> {
        node.as_decimal()
    }
}
impl<'a> FromNode<'a> for Cow<'a, str> {
    fn from_node(node: Node<'a>) -> Option<Self> {
        node.as_str()
    }
}
impl<'a> FromNode<'a> for Date {
    fn from_node(node: Node<'a>) -> Option<Self> {
        Date::parse(&node.as_str()?)
    }
}
impl<'a> FromNode<'a> for DateTime {
    fn from_node(node: Node<'a>) -> Option<Self> {
        DateTime::parse(&node.as_str()?)
    }
}
impl<'a> FromNode<'a> for Instant {
    fn from_node(node: Node<'a>) -> Option<Self> {
        Instant::parse(&node.as_str()?)
    }
}
impl<'a> FromNode<'a> for Time {
    fn from_node(node: Node<'a>) -> Option<Self> {
        Time::parse(&node.as_str()?)
    }
}

fn number<'a>(node: Node<'a>) -> Option<&'a str> {
    (node.kind() == NodeKind::Number).then(|| std::str::from_utf8(node.raw()).ok()).flatten()
}

/// The values of an element that may repeat, in order. A null, which stands where a value has extensions only, is passed over.
#[derive(Clone)]
pub struct Values<'a, T> {
    nodes: Option<super::super::Items<'a>>,
    of: PhantomData<fn() -> T>,
}

impl<'a, T: FromNode<'a>> Iterator for Values<'a, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.nodes.as_mut()?.find_map(T::from_node)
    }
}

/// A primitive with its id and extensions.
#[derive(Clone, Copy)]
pub struct PrimitiveElement<'a> {
    value: Option<Node<'a>>,
    companion: Option<Node<'a>>,
    kind: Option<Primitive>,
}

impl<'a> PrimitiveElement<'a> {
    /// The value.
    pub fn node(self) -> Option<Node<'a>> {
        self.value
    }
    /// The value as text: a string without its quotes and escapes, a number with its digits, `true` or `false`.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let node = self.value?;
        node.as_str().or_else(|| std::str::from_utf8(node.raw()).ok().map(Cow::Borrowed))
    }
    /// The id of the element.
    pub fn id(self) -> Option<Cow<'a, str>> {
        self.companion.and_then(|companion| one(companion, "id"))
    }
    /// The extensions of the element.
    pub fn extension(self) -> Values<'a, Extension<'a>> {
        Values {
            nodes: self.companion.and_then(|companion| companion.get("extension")).map(Node::items),
            of: PhantomData,
        }
    }
    /// Whether it has an id or extensions.
    pub fn is_extended(self) -> bool {
        self.companion.is_some()
    }
    /// Its type, which a choice leaves open.
    pub fn kind(self) -> Option<Primitive> {
        self.kind
    }
}

/// The values of a primitive that may repeat, each with its id and extensions, in order.
#[derive(Clone)]
pub struct Elements<'a> {
    values: Option<super::super::Items<'a>>,
    companions: Option<super::super::Items<'a>>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = PrimitiveElement<'a>;
    fn next(&mut self) -> Option<PrimitiveElement<'a>> {
        let (value, companion) =
            (self.values.as_mut().and_then(Iterator::next), self.companions.as_mut().and_then(Iterator::next));
        (value.is_some() || companion.is_some()).then(|| joined(value, companion))
    }
}

/// The one value of an element.
pub(super) fn one<'a, T: FromNode<'a>>(node: Node<'a>, name: &str) -> Option<T> {
    T::from_node(node.get(name)?)
}

/// The values of an element that may repeat.
pub(super) fn many<'a, T>(node: Node<'a>, name: &str) -> Values<'a, T> {
    Values { nodes: node.get(name).map(Node::items), of: PhantomData }
}

/// The value of a choice.
pub(super) fn choice<'a, T: Choice<'a>>(node: Node<'a>, name: &'a str) -> Option<T> {
    let (_, value) = node.children_named(name).next()?;
    T::of(value.type_id()?.name(), value)
}

/// A primitive with its companion. `name` is the companion's: with `_` in front.
pub(super) fn element<'a>(node: Node<'a>, name: &str) -> PrimitiveElement<'a> {
    joined(node.get(&name[1..]), node.get(name))
}

/// The values of a primitive with their companions. `name` is the companions': with `_` in front.
pub(super) fn elements<'a>(node: Node<'a>, name: &str) -> Elements<'a> {
    Elements { values: node.get(&name[1..]).map(Node::items), companions: node.get(name).map(Node::items) }
}

/// The primitive of a choice with its companion.
pub(super) fn choice_element<'a>(node: Node<'a>, name: &str) -> PrimitiveElement<'a> {
    let mut found = joined(None, None);
    for (key, child) in
        node.entries().filter(|(_, child)| child.element().is_some_and(|element| element.name() == name))
    {
        let companion = child.row().flags & Row::COMPANION != 0;
        let key = if companion { key.strip_prefix('_').unwrap_or_default() } else { &*key };
        let kind =
            node.type_id().and_then(|owner| schema::key(owner, key.as_bytes())).map(|key| key.type_id.row().kind);
        if let Some(TypeKind::Primitive(kind)) = kind {
            found.kind = Some(kind);
            *(if companion { &mut found.companion } else { &mut found.value }) = Some(child);
        }
    }
    found
}

fn joined<'a>(value: Option<Node<'a>>, companion: Option<Node<'a>>) -> PrimitiveElement<'a> {
    let value = value.filter(|node| matches!(node.kind(), NodeKind::String | NodeKind::Number | NodeKind::Bool));
    let kind = value.and_then(|node| node.type_id()).and_then(|id| match id.row().kind {
        TypeKind::Primitive(kind) => Some(kind),
        _ => None,
    });
    PrimitiveElement { value, companion: companion.filter(|node| node.kind() == NodeKind::Object), kind }
}

/// A resource as a view of its type, where it is of that type.
pub(super) fn resource<'a, T: Wrap<'a>>(node: Node<'a>, name: &str) -> Option<T> {
    (node.type_id()?.name() == name).then(|| T::wrap(node))
}

impl<'a> Resource<'a> {
    /// The resource type.
    pub fn kind(self) -> Option<ResourceType> {
        ResourceType::from_name(self.node().type_id()?.name())
    }
    /// `Resource.id`, 0..1.
    pub fn id(self) -> Option<Cow<'a, str>> {
        one(self.node(), "id")
    }
    /// `Resource.meta`, 0..1.
    pub fn meta(self) -> Option<Meta<'a>> {
        one(self.node(), "meta")
    }
}
