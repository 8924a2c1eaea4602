//! What an expression works on: elements of the record and values of FHIRPath's own types, in collections.

use super::moment::{Moment, MomentKind};
use super::quantity::{Quantity, Unit};
use super::types::{SystemType, TypeName};
use crate::decimal::Decimal;
use crate::record::{Node, NodeKind, Row, Tree, Value};
use crate::schema::{ElementId, Primitive, TypeId, TypeKind, key};
use std::borrow::Cow;

/// One element of a record: a value, what its companion `_x` adds to it, or only the latter.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub(super) tree: &'a Tree,
    value: u32,
    companion: u32,
}

const NONE: u32 = u32::MAX;

impl<'a> Element<'a> {
    /// The element of a node; of a primitive, without its companion.
    pub(crate) fn new(node: Node<'a>) -> Self {
        let (tree, at) = node.place();
        Element { tree, value: at, companion: NONE }
    }
    /// The value as it stands in the record; None where there is only a companion.
    #[inline]
    pub fn node(self) -> Option<Node<'a>> {
        (self.value != NONE).then(|| Node::new(self.tree, self.value as usize))
    }
    /// The companion `_x` of a primitive.
    pub fn companion(self) -> Option<Node<'a>> {
        (self.companion != NONE).then(|| Node::new(self.tree, self.companion as usize))
    }
    /// The value, else the companion.
    pub(crate) fn any(self) -> Node<'a> {
        Node::new(self.tree, self.row_number())
    }
    pub(crate) fn row_number(self) -> usize {
        if self.value != NONE { self.value as usize } else { self.companion as usize }
    }
    #[inline]
    fn row(self) -> &'a Row {
        &self.tree.rows[self.row_number()]
    }
    /// The path of the value in its record, such as `Patient.name[0].family`.
    pub fn path(self) -> String {
        self.any().path()
    }
    /// The FHIR type; None for what R4 does not know.
    #[inline]
    pub fn type_id(self) -> Option<TypeId> {
        if self.value != NONE { self.any().type_id() } else { self.type_of_companion() }
    }
    fn type_of_companion(self) -> Option<TypeId> {
        let row = self.row();
        let element = (row.element != Row::NONE).then_some(ElementId(row.element))?;
        if element.row().choice {
            let name = &self.tree.source[row.key as usize..row.key as usize + row.key_length as usize];
            return key(element.owner(), name.strip_prefix(b"_")?).map(|key| key.type_id);
        }
        element.types().next()
    }
    /// Whether both are the same place of the same record.
    pub(super) fn same_place(self, other: Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && (self.value, self.companion) == (other.value, other.companion)
    }
    #[inline]
    pub(super) fn primitive(self) -> Option<Primitive> {
        match self.type_id()?.row().kind {
            TypeKind::Primitive(primitive) => Some(primitive),
            _ => None,
        }
    }
    /// The bytes of a string value without escapes.
    #[inline]
    pub(super) fn plain_bytes(self) -> Option<&'a [u8]> {
        if self.value == NONE {
            return None;
        }
        let row = self.row();
        (row.kind == NodeKind::String && row.flags & Row::ESCAPES == 0)
            .then(|| &self.tree.source[row.start as usize..row.end as usize])
    }

    /// The value as one of FHIRPath's own types; None for what has no value, or is no primitive.
    pub(super) fn value(self) -> Option<Item<'a>> {
        let node = self.node()?;
        let primitive = self.primitive()?;
        match primitive {
            Primitive::Boolean => node.as_bool().map(Item::Boolean),
            Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => {
                std::str::from_utf8(node.raw()).ok()?.parse().ok().map(Item::Integer)
            }
            Primitive::Decimal => node.as_decimal().map(Item::Decimal),
            Primitive::Date | Primitive::DateTime | Primitive::Instant | Primitive::Time => {
                let text = node.as_str()?;
                let moment = match primitive {
                    Primitive::Date => Moment::date(&text),
                    Primitive::Time => Moment::time(&text),
                    _ => Moment::date_time(&text),
                };
                // What is no date is still a text, so that an expression over a broken record says so and no more.
                Some(moment.map_or(Item::String(text), Item::Moment))
            }
            _ => node.as_str().map(Item::String),
        }
    }
    /// A FHIR Quantity (or Age, Money and so on, by their base) as a quantity of FHIRPath.
    pub(super) fn quantity(self) -> Option<Quantity<'a>> {
        let special = super::types::special();
        let id = self.type_id()?;
        if id != special.quantity && id.base() != Some(special.quantity) {
            return None;
        }
        let node = self.node()?;
        let value = node.get("value")?.as_decimal()?;
        let is_ucum = node.text("system").is_some_and(|system| system == super::UCUM);
        let unit = match node.text("code") {
            Some(code) if is_ucum => Unit::Ucum(code),
            Some(code) => Unit::Other(code),
            None => node.text("unit").map_or(Unit::Ucum(Cow::Borrowed("1")), Unit::Other),
        };
        Some(Quantity { value, unit, of_record: true })
    }

    /// Calls `found` with each child of that name, until it fails.
    #[inline]
    pub(super) fn children_named<E>(
        self,
        name: &Name,
        found: &mut impl FnMut(Element<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let tree = self.tree;
        let mut object = self.row_number();
        if tree.rows[object].kind != NodeKind::Object {
            if self.companion == NONE {
                return Ok(());
            }
            object = self.companion as usize;
        }
        if tree.rows[object].kind != NodeKind::Object {
            return Ok(());
        }
        let (mut at, end) = (object + 1, tree.rows[object].next as usize);
        let (mut value, mut companion) = (NONE, NONE);
        let wanted = name.text.as_bytes();
        while at < end {
            let row = &tree.rows[at];
            let length = row.key_length as usize;
            if name.choice {
                if row.element != Row::NONE && ElementId(row.element).name() == &*name.text {
                    let into = if row.flags & Row::COMPANION == 0 { &mut value } else { &mut companion };
                    if *into == NONE {
                        *into = at as u32;
                    }
                }
            } else if length == wanted.len() {
                let start = row.key as usize;
                if value == NONE && row.element != Row::NONE && &tree.source[start..start + length] == wanted {
                    value = at as u32;
                    if row.type_id != Row::NONE && !matches!(TypeId(row.type_id).row().kind, TypeKind::Primitive(_)) {
                        break;
                    }
                }
            } else if length == wanted.len() + 1 && row.flags & Row::COMPANION != 0 {
                let start = row.key as usize + 1;
                if companion == NONE && &tree.source[start..start + length - 1] == wanted {
                    companion = at as u32;
                }
            }
            at = row.next as usize;
        }
        pairs(tree, value, companion, found)
    }
    /// Calls `found` with each child, in the order of the record.
    pub(super) fn children<E>(self, found: &mut impl FnMut(Element<'a>) -> Result<(), E>) -> Result<(), E> {
        for object in [self.value, self.companion] {
            if object == NONE || self.tree.rows[object as usize].kind != NodeKind::Object {
                continue;
            }
            let end = self.tree.rows[object as usize].next;
            let mut at = object + 1;
            while at < end {
                let row = &self.tree.rows[at as usize];
                if row.element != Row::NONE {
                    if row.flags & Row::COMPANION != 0 {
                        if self.other_half(object, at).is_none() {
                            pairs(self.tree, NONE, at, found)?;
                        }
                    } else if row.type_id != Row::NONE
                        && matches!(TypeId(row.type_id).row().kind, TypeKind::Primitive(_))
                    {
                        pairs(self.tree, at, self.other_half(object, at).unwrap_or(NONE), found)?;
                    } else {
                        pairs(self.tree, at, NONE, found)?;
                    }
                }
                at = row.next;
            }
        }
        Ok(())
    }
    /// The row beside `at` in `object` that is the value of a companion, or the companion of a value.
    fn other_half(self, object: u32, at: u32) -> Option<u32> {
        let rows = &self.tree.rows;
        let row = &rows[at as usize];
        let plain = |row: &Row| {
            let start = row.key as usize + usize::from(row.flags & Row::COMPANION != 0);
            &self.tree.source[start..row.key as usize + row.key_length as usize]
        };
        let mut other = object + 1;
        while other < rows[object as usize].next {
            let found = &rows[other as usize];
            if found.element == row.element && (found.flags ^ row.flags) & Row::COMPANION != 0 {
                if plain(found) == plain(row) {
                    return Some(other);
                }
            }
            other = found.next;
        }
        None
    }
}

/// Calls `found` with the elements of a property: one, or the items of its array, each with its companion.
#[inline]
fn pairs<'a, E>(
    tree: &'a Tree,
    value: u32,
    companion: u32,
    found: &mut impl FnMut(Element<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let array = |at: u32| at != NONE && tree.rows[at as usize].kind == NodeKind::Array;
    if !array(value) && !array(companion) {
        return match (value, companion) {
            (NONE, NONE) => Ok(()),
            _ => found(Element { tree, value: present(tree, value), companion: present(tree, companion) }),
        };
    }
    let mut values = Walk::new(tree, value);
    let mut companions = Walk::new(tree, companion);
    loop {
        let (value, companion) = (values.next(), companions.next());
        if value.is_none() && companion.is_none() {
            return Ok(());
        }
        let (value, companion) = (value.unwrap_or(NONE), companion.unwrap_or(NONE));
        let (value, companion) = (present(tree, value), present(tree, companion));
        if (value, companion) != (NONE, NONE) {
            found(Element { tree, value, companion })?;
        }
    }
}

/// NONE for a null.
#[inline]
fn present(tree: &Tree, at: u32) -> u32 {
    if at != NONE && tree.rows[at as usize].kind == NodeKind::Null { NONE } else { at }
}

/// The items of an array, or the one row.
struct Walk<'a> {
    tree: &'a Tree,
    at: u32,
    end: u32,
}

impl<'a> Walk<'a> {
    #[inline]
    fn new(tree: &'a Tree, row: u32) -> Self {
        if row == NONE {
            return Walk { tree, at: 0, end: 0 };
        }
        let found = &tree.rows[row as usize];
        let at = if found.kind == NodeKind::Array { row + 1 } else { row };
        Walk { tree, at, end: found.next }
    }
    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.at >= self.end {
            return None;
        }
        let here = self.at;
        self.at = self.tree.rows[here as usize].next;
        Some(here)
    }
}

/// A name of an element, and whether some type of R4 has a choice of that name: only then the schema is asked.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(super) text: Box<str>,
    pub(super) choice: bool,
}

impl Name {
    pub(super) fn new(text: &str) -> Self {
        Name { text: text.into(), choice: super::types::special().choices.contains(text) }
    }
}

/// One item of a [`Collection`].
#[derive(Clone)]
pub enum Item<'a> {
    /// An element of a record.
    Element(Element<'a>),
    /// A text.
    String(Cow<'a, str>),
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A decimal number.
    Decimal(Decimal),
    /// A date, a dateTime or a time.
    Moment(Moment),
    /// A number with a unit.
    Quantity(Box<Quantity<'a>>),
    /// What `type()` gives.
    Type(TypeName),
}

impl<'a> Item<'a> {
    pub(super) fn string(text: impl Into<Cow<'a, str>>) -> Self {
        Item::String(text.into())
    }
    pub(super) fn quantity(quantity: Quantity<'a>) -> Self {
        Item::Quantity(Box::new(quantity))
    }
    /// The element, where it is one.
    pub fn element(&self) -> Option<Element<'a>> {
        match self {
            Item::Element(element) => Some(*element),
            _ => None,
        }
    }
    /// The name of its type: `Patient`, `string` and so on for elements, `String`, `Quantity` and so on for values.
    pub fn type_name(&self) -> &'static str {
        self.type_of().name()
    }
    /// Its type.
    pub fn type_of(&self) -> TypeName {
        TypeName::System(match self {
            Item::Element(element) => return TypeName::of(element.type_id()),
            Item::String(_) => SystemType::String,
            Item::Boolean(_) => SystemType::Boolean,
            Item::Integer(_) => SystemType::Integer,
            Item::Decimal(_) => SystemType::Decimal,
            Item::Moment(moment) => match moment.kind() {
                MomentKind::Date => SystemType::Date,
                MomentKind::DateTime => SystemType::DateTime,
                MomentKind::Time => SystemType::Time,
            },
            Item::Quantity(_) => SystemType::Quantity,
            Item::Type(_) => return TypeName::ClassInfo,
        })
    }
    /// The text of a value or a primitive; None for what has children and no text. It is content.
    pub fn text(&self) -> Option<String> {
        match self {
            Item::Element(element) => match element.value() {
                Some(value) => value.text(),
                None => element.quantity().map(|quantity| quantity.to_string()),
            },
            Item::String(text) => Some(text.clone().into_owned()),
            Item::Boolean(truth) => Some(truth.to_string()),
            Item::Integer(number) => Some(number.to_string()),
            Item::Decimal(number) => Some(number.to_string()),
            Item::Moment(moment) => Some(moment.to_string()),
            Item::Quantity(quantity) => Some(quantity.to_string()),
            Item::Type(name) => Some(name.name().to_owned()),
        }
    }
    /// The item as JSON: an element as it was received, a quantity as an object of `value` and `unit`, what else is no number
    /// and no truth value as a string; `null` for an element that only has extensions. It is content.
    pub fn json(&self) -> String {
        let quoted = |text: &str| String::from_utf8_lossy(&Value::from(text).to_json()).into_owned();
        match self {
            Item::Element(element) => match element.node() {
                Some(node) if node.kind() == NodeKind::String => {
                    format!("\"{}\"", String::from_utf8_lossy(node.raw()))
                }
                Some(node) => String::from_utf8_lossy(node.raw()).into_owned(),
                None => "null".to_owned(),
            },
            Item::Boolean(_) | Item::Integer(_) | Item::Decimal(_) => self.text().unwrap_or_default(),
            Item::Quantity(quantity) => {
                let unit = match &quantity.unit {
                    Unit::Calendar(unit) => unit.name(),
                    Unit::Ucum(code) | Unit::Other(code) => code,
                };
                format!("{{\"value\":{},\"unit\":{}}}", quantity.value, quoted(unit))
            }
            _ => quoted(&self.text().unwrap_or_default()),
        }
    }
    /// The value of a primitive as one of FHIRPath's own types; a value as it is. None for elements with children.
    pub fn value(&self) -> Option<Item<'a>> {
        match self {
            Item::Element(element) => element.value(),
            other => Some(other.clone()),
        }
    }
    pub(super) fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Item::String(text) => Some(text.clone()),
            // A date is kept as text in a record, and may be used as one.
            Item::Element(element) => element.node()?.as_str(),
            _ => None,
        }
    }
    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self {
            Item::Boolean(truth) => Some(*truth),
            Item::Element(element) if element.primitive() == Some(Primitive::Boolean) => element.node()?.as_bool(),
            _ => None,
        }
    }
    pub(super) fn as_integer(&self) -> Option<i64> {
        match self.value()? {
            Item::Integer(number) => Some(number),
            _ => None,
        }
    }
    pub(super) fn as_quantity(&self) -> Option<Quantity<'a>> {
        match self {
            Item::Quantity(quantity) => Some((**quantity).clone()),
            Item::Element(element) => element.quantity(),
            _ => None,
        }
    }
}

/// `Debug` says types and no content.
impl std::fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(..)", self.type_name())
    }
}

/// Items in order; nothing and one item need no memory.
#[derive(Clone, Debug, Default)]
pub enum Collection<'a> {
    /// Nothing.
    #[default]
    None,
    /// One item.
    One(Item<'a>),
    /// Any number of items.
    Many(Vec<Item<'a>>),
}

impl<'a> Collection<'a> {
    /// The items.
    #[inline]
    pub fn items(&self) -> &[Item<'a>] {
        match self {
            Collection::None => &[],
            Collection::One(item) => std::slice::from_ref(item),
            Collection::Many(items) => items,
        }
    }
    /// The items, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Item<'a>> {
        self.items().iter()
    }
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Collection::None => 0,
            Collection::One(_) => 1,
            Collection::Many(items) => items.len(),
        }
    }
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Adds an item at the end.
    #[inline]
    pub(super) fn push(&mut self, item: Item<'a>) {
        match self {
            Collection::Many(items) => items.push(item),
            Collection::None => *self = Collection::One(item),
            Collection::One(_) => {
                if let Collection::One(first) = std::mem::take(self) {
                    let mut items = Vec::with_capacity(4);
                    items.push(first);
                    items.push(item);
                    *self = Collection::Many(items);
                }
            }
        }
    }
    pub(super) fn boolean(truth: bool) -> Self {
        Collection::One(Item::Boolean(truth))
    }
    pub(super) fn maybe(truth: Option<bool>) -> Self {
        truth.map_or(Collection::None, Self::boolean)
    }
    pub(super) fn first(self) -> Option<Item<'a>> {
        self.into_iter().next()
    }
}

impl<'a> From<Option<Item<'a>>> for Collection<'a> {
    fn from(item: Option<Item<'a>>) -> Self {
        item.map_or(Collection::None, Collection::One)
    }
}

impl<'a> FromIterator<Item<'a>> for Collection<'a> {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        let mut made = Collection::None;
        items.into_iter().for_each(|item| made.push(item));
        made
    }
}

/// The items of a collection, taken out.
pub enum IntoItems<'a> {
    /// Up to one.
    One(std::option::IntoIter<Item<'a>>),
    /// Any number.
    Many(std::vec::IntoIter<Item<'a>>),
}

impl<'a> Iterator for IntoItems<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            IntoItems::One(item) => item.next(),
            IntoItems::Many(items) => items.next(),
        }
    }
}

impl<'a> IntoIterator for Collection<'a> {
    type Item = Item<'a>;
    type IntoIter = IntoItems<'a>;

    #[inline]
    fn into_iter(self) -> IntoItems<'a> {
        match self {
            Collection::None => IntoItems::One(None.into_iter()),
            Collection::One(item) => IntoItems::One(Some(item).into_iter()),
            Collection::Many(items) => IntoItems::Many(items.into_iter()),
        }
    }
}
