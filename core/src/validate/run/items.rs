//! The values of an element: what stands under its name and what stands under `_name`.

use crate::record::{Node, NodeKind, Row};
use crate::schema::{ElementId, TypeId};

/// One value of an element: a node, the companion `_x` of a primitive, or both.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) value: Option<Node<'a>>,
    pub(super) companion: Option<Node<'a>>,
}

impl<'a> Item<'a> {
    pub(super) fn of(node: Node<'a>) -> Self {
        Item { value: Some(node), companion: None }
    }
    /// The node that findings about it are at.
    pub(super) fn node(&self) -> Node<'a> {
        self.value.or(self.companion).expect("an item has a value or a companion")
    }
    /// Adds the values of an element in it, by name and, where it is known, by R4's row of it.
    pub(super) fn children_into(&self, name: &str, element: Option<ElementId>, found: &mut Vec<Item<'a>>) {
        let from_companion = self.companion.filter(|_| name == "extension" || name == "id");
        for node in from_companion.into_iter().chain(self.value.filter(|value| value.kind() == NodeKind::Object)) {
            children(node, name, element, found);
        }
    }
    /// Which elements it has, where that is plain to see.
    pub(super) fn present(&self) -> Option<Present> {
        let node = self.value.filter(|value| value.kind() == NodeKind::Object && self.companion.is_none())?;
        let of = node.type_id()?;
        let (first, count) = (of.element(0).0, of.elements().len().min(128) as u16);
        let mut found = 0_u128;
        for child in node.values() {
            let row = child.row();
            // Without a value in it an element is there and is not.
            let hollow = match row.kind {
                NodeKind::Null => true,
                NodeKind::Array => child.items().next().is_none_or(|first| first.kind() == NodeKind::Null),
                _ => false,
            };
            if row.element != Row::NONE {
                found |= 1 << row.element.checked_sub(first).filter(|position| *position < count && !hollow)?;
            }
        }
        Some(Present { of, first, count, found })
    }
}

/// The elements that an object has, by their position in its type.
#[derive(Clone, Copy)]
pub(super) struct Present {
    pub(super) of: TypeId,
    first: u16,
    count: u16,
    /// Bit i is set where the i-th element is there.
    pub(super) found: u128,
}

impl Present {
    /// Whether it is certain that the object does not have the element.
    pub(super) fn lacks(self, element: ElementId) -> bool {
        let position = element.0.wrapping_sub(self.first);
        position < self.count && self.found >> position & 1 == 0
    }
}

fn children<'a>(of: Node<'a>, name: &str, element: Option<ElementId>, found: &mut Vec<Item<'a>>) {
    let (mut value, mut companion) = (None, None);
    // Rows of one type are compared by number, those of another by name.
    let number = element.filter(|element| of.type_id() == Some(element.owner())).map(|element| element.0);
    for child in of.values() {
        let row = child.row();
        let named = match number {
            Some(number) => row.element == number,
            None => child.element().is_some_and(|element| element.name() == name),
        };
        if named && row.flags & Row::COMPANION != 0 {
            companion = Some(child);
        } else if named {
            value = Some(child);
        }
    }
    let real = |node: Option<Node<'a>>| node.filter(|node| node.kind() != NodeKind::Null);
    match (value, companion) {
        (None, None) => {}
        (Some(value), None) => found.extend(value.items().filter_map(|node| real(Some(node))).map(Item::of)),
        (value, companion) => {
            let mut values = value.into_iter().flat_map(Node::items);
            let mut companions = companion.into_iter().flat_map(Node::items);
            loop {
                let (value, companion) = (values.next(), companions.next());
                if value.is_none() && companion.is_none() {
                    break;
                }
                let item = Item { value: real(value), companion: real(companion) };
                if item.value.is_some() || item.companion.is_some() {
                    found.push(item);
                }
            }
        }
    }
}
