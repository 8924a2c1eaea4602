//! The values of an element: what stands under its name and what stands under `_name`.

use crate::record::{Node, NodeKind, Row};
use crate::schema::ElementId;

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
    /// The values of the element `name` in it.
    pub(super) fn children(&self, name: &str) -> Vec<Item<'a>> {
        self.children_of(name, None)
    }
    /// The values of an element in it, by name and, where it is known, by R4's row of it.
    pub(super) fn children_of(&self, name: &str, element: Option<ElementId>) -> Vec<Item<'a>> {
        let mut found = Vec::new();
        let from_companion = self.companion.filter(|_| name == "extension" || name == "id");
        for node in from_companion.into_iter().chain(self.value.filter(|value| value.kind() == NodeKind::Object)) {
            children(node, name, element, &mut found);
        }
        found
    }
}

fn children<'a>(of: Node<'a>, name: &str, element: Option<ElementId>, found: &mut Vec<Item<'a>>) {
    let (mut value, mut companion) = (None, None);
    // Rows of one type are compared by number, those of another by name.
    let number = element.filter(|element| of.type_id() == Some(element.owner()));
    for child in of.values() {
        let row = child.row();
        let named = match number {
            Some(number) => child.element() == Some(number),
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
