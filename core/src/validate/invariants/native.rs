//! Checks of bytes that prove a rule without its expression. Where they do not, the expression decides.

use crate::record::{Node, NodeKind, Row};
use crate::schema::{Primitive, TypeId, TypeKind};
use crate::time::fhir::is_date_time;

/// Whether the rule surely holds for the node.
pub(super) type Check = fn(Node<'_>) -> bool;

/// The check of a rule, where there is one.
pub(super) fn check_of(key: &str) -> Option<Check> {
    match key {
        "dom-3" => Some(contained_are_referred_to),
        "per-1" => Some(start_before_end),
        _ => None,
    }
}

/// Two dates of the same length and zone are in the order of their digits.
fn start_before_end(period: Node<'_>) -> bool {
    let text = |name| period.get(name).filter(|node| node.kind() == NodeKind::String).map(Node::raw);
    let (Some(start), Some(end)) = (text("start"), text("end")) else { return false };
    let zone = |text: &[u8]| match text {
        [.., b'Z'] => 1,
        _ if text.len() > 10 => 6,
        _ => 0,
    };
    let used = zone(start);
    start.len() == end.len()
        && start <= end
        && used == zone(end)
        && start[start.len() - used..] == end[end.len() - used..]
        && is_date_time(start)
        && is_date_time(end)
}

/// Resources contained in one, at most, for which this way is taken.
const MOST_CONTAINED: usize = 64;

/// Every contained resource has an id, and some reference or address in the resource is that id.
fn contained_are_referred_to(resource: Node<'_>) -> bool {
    let (tree, at) = resource.place();
    let mut left: Vec<&[u8]> = Vec::new();
    for contained in resource.list("contained") {
        match contained.get("id") {
            Some(id) if id.kind() == NodeKind::String && left.len() < MOST_CONTAINED => left.push(id.raw()),
            _ => return false,
        }
    }
    let rows = &tree.rows[at as usize..tree.rows[at as usize].next as usize];
    for row in rows.iter().filter(|row| row.kind == NodeKind::String && row.type_id != Row::NONE) {
        let Some(id) = tree.source[row.start as usize..row.end as usize].strip_prefix(b"#") else { continue };
        let address = matches!(
            TypeId(row.type_id).row().kind,
            TypeKind::Primitive(Primitive::Uri | Primitive::Url | Primitive::Canonical)
        );
        let key = &tree.source[row.key as usize..row.key as usize + row.key_length as usize];
        if row.flags & Row::ESCAPES == 0 && (address || key == b"reference" && row.element != Row::NONE) {
            left.retain(|wanted| *wanted != id);
        }
    }
    left.is_empty()
}
