//! The record to XML: elements in the order of the schema.

use super::narrative;
use super::reader::is_character;
use crate::error::{Code, Error, Result};
use crate::record::{Node, NodeKind, Record, Row};
use crate::schema::{self, ElementId, Key, Primitive, TypeId, TypeKind};

pub(super) fn write(record: &Record, out: &mut Vec<u8>) -> Result<()> {
    out.reserve(record.original().len() * 2);
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    resource(record.root(), true, out)?;
    out.push(b'\n');
    Ok(())
}

/// A property and, for a primitive, its companion.
struct Member<'a> {
    key: Key,
    value: Option<Node<'a>>,
    companion: Option<Node<'a>>,
}

fn unsayable(node: Node<'_>, expected: &'static str) -> Error {
    Code::XmlUnsayable.at(node.path()).expected(expected)
}

fn resource(node: Node<'_>, root: bool, out: &mut Vec<u8>) -> Result<()> {
    let owner = node.type_id().filter(|id| id.row().kind == TypeKind::Resource);
    let owner = owner.ok_or_else(|| unsayable(node, "a resource of R4"))?;
    out.push(b'<');
    out.extend_from_slice(owner.name().as_bytes());
    if root {
        out.extend_from_slice(b" xmlns=\"http://hl7.org/fhir\"");
    }
    content(owner.name(), &members(node, owner, true)?, out)
}

/// The members of an object in the order of the schema.
fn members<'a>(node: Node<'a>, owner: TypeId, resource: bool) -> Result<Vec<Member<'a>>> {
    let mut members: Vec<Member<'a>> = Vec::new();
    let mut typed = false;
    for (name, value) in node.entries() {
        if resource && name == "resourceType" && !std::mem::replace(&mut typed, true) {
            continue;
        }
        let companion = value.row().flags & Row::COMPANION != 0;
        let plain = if companion { name.strip_prefix('_').unwrap_or_default() } else { &*name };
        let known = schema::key(owner, plain.as_bytes());
        let key = known.ok_or_else(|| unsayable(node, "properties that R4 knows"))?;
        // At most as many as the type has names.
        let at = members.iter().position(|member| member.key == key).unwrap_or_else(|| {
            members.push(Member { key, value: None, companion: None });
            members.len() - 1
        });
        let place = if companion { &mut members[at].companion } else { &mut members[at].value };
        if place.replace(value).is_some() {
            return Err(unsayable(node, "each property once"));
        }
    }
    members.sort_by_key(|member| member.key.position);
    Ok(members)
}

/// Closes the start tag, writes the members and the end tag.
fn content(name: &str, members: &[Member<'_>], out: &mut Vec<u8>) -> Result<()> {
    if members.is_empty() {
        out.extend_from_slice(b"/>");
        return Ok(());
    }
    out.push(b'>');
    for member in members {
        element(member, out)?;
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
    Ok(())
}

/// The name of a member's element: `valueQuantity` for a choice.
fn tag(key: Key) -> String {
    let mut name = key.element.name().to_owned();
    if key.element.row().choice {
        let (first, rest) = key.type_id.name().split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name
}

fn element(member: &Member<'_>, out: &mut Vec<u8>) -> Result<()> {
    let name = tag(member.key);
    let kind = member.key.type_id.row().kind;
    if let TypeKind::Primitive(primitive) = kind
        && primitive != Primitive::Xhtml
    {
        return primitives(&name, primitive, member, out);
    }
    let (None, Some(value)) = (member.companion, member.value) else {
        let node = member.companion.or(member.value).expect("a member has a value or a companion");
        return Err(unsayable(node, "a companion of a primitive only"));
    };
    for item in listed(value, member.key.element)? {
        match kind {
            TypeKind::Primitive(_) => {
                let text = item.as_str().as_deref().and_then(narrative::to_xml);
                let text = text.ok_or_else(|| unsayable(item, "one well-formed div"))?;
                out.extend_from_slice(text.as_bytes());
            }
            TypeKind::AnyResource => {
                out.extend_from_slice(format!("<{name}>").as_bytes());
                resource_inside(item, out)?;
                out.extend_from_slice(format!("</{name}>").as_bytes());
            }
            TypeKind::Complex | TypeKind::Backbone | TypeKind::Resource => {
                if item.kind() != NodeKind::Object {
                    return Err(unsayable(item, "an object"));
                }
                out.push(b'<');
                out.extend_from_slice(name.as_bytes());
                object(&name, item, member.key.type_id, out)?;
            }
        }
    }
    Ok(())
}

fn resource_inside(item: Node<'_>, out: &mut Vec<u8>) -> Result<()> {
    if item.kind() != NodeKind::Object {
        return Err(unsayable(item, "a resource of R4"));
    }
    resource(item, false, out)
}

/// The items of a value that may repeat, or the value itself.
fn listed<'a>(value: Node<'a>, element: ElementId) -> Result<impl Iterator<Item = Node<'a>>> {
    if element.row().array != (value.kind() == NodeKind::Array) {
        return Err(unsayable(value, "an array where the element may repeat, and only there"));
    }
    if value.kind() == NodeKind::Array && value.items().next().is_none() {
        return Err(unsayable(value, "at least one item"));
    }
    Ok(value.items())
}

/// The rest of a start tag, the children and the end tag of a data type.
fn object(name: &str, node: Node<'_>, owner: TypeId, out: &mut Vec<u8>) -> Result<()> {
    let mut members = members(node, owner, false)?;
    let extension = owner.name() == "Extension";
    let mut failed = None;
    members.retain(|member| {
        let attribute = member.key.element.name();
        if attribute != "id" && !(extension && attribute == "url") {
            return true;
        }
        let text = member.value.filter(|_| member.companion.is_none()).and_then(|value| value.as_str());
        let done = text.ok_or_else(|| unsayable(node, "id and url as plain text"));
        if let Err(error) = done.and_then(|text| attribute_of(attribute, &text, node, out)) {
            failed.get_or_insert(error);
        }
        false
    });
    match failed {
        Some(error) => Err(error),
        None => content(name, &members, out),
    }
}

fn primitives(name: &str, primitive: Primitive, member: &Member<'_>, out: &mut Vec<u8>) -> Result<()> {
    let list = |node: Option<Node<'_>>| -> Result<usize> {
        node.map_or(Ok(0), |node| listed(node, member.key.element).map(Iterator::count))
    };
    let (values, companions) = (list(member.value)?, list(member.companion)?);
    if let (Some(node), true, true) = (member.companion, member.value.is_some(), values != companions) {
        return Err(unsayable(node, "as many items as the values have"));
    }
    let mut value_items = member.value.into_iter().flat_map(Node::items);
    let mut companion_items = member.companion.into_iter().flat_map(Node::items);
    for _ in 0..values.max(companions) {
        let present = |node: &Node<'_>| node.kind() != NodeKind::Null;
        let (value, companion) = (value_items.next().filter(present), companion_items.next().filter(present));
        let Some(node) = value.or(companion) else {
            let node = member.value.or(member.companion).expect("a member has a value or a companion");
            return Err(unsayable(node, "a value or extensions"));
        };
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        if let Some(value) = value {
            let text = literal(primitive, value)?;
            attribute_of("value", &text, node, out)?;
        }
        match companion {
            None => out.extend_from_slice(b"/>"),
            Some(companion) if companion.kind() == NodeKind::Object => {
                let owner = companion.type_id().ok_or_else(|| unsayable(companion, "an id or extensions"))?;
                if companion.entries().next().is_none() {
                    return Err(unsayable(companion, "an id or extensions"));
                }
                object(name, companion, owner, out)?;
            }
            Some(companion) => return Err(unsayable(companion, "an id or extensions")),
        }
    }
    Ok(())
}

/// The text of a primitive whose JSON type fits.
fn literal(primitive: Primitive, value: Node<'_>) -> Result<std::borrow::Cow<'_, str>> {
    let wanted = match primitive {
        Primitive::Boolean => NodeKind::Bool,
        Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt | Primitive::Decimal => NodeKind::Number,
        _ => NodeKind::String,
    };
    if value.kind() != wanted {
        return Err(unsayable(value, "the JSON type of the element"));
    }
    // INVARIANT: numbers, `true` and `false` are ASCII.
    Ok(value.as_str().unwrap_or_else(|| String::from_utf8_lossy(value.raw())))
}

fn attribute_of(name: &str, text: &str, node: Node<'_>, out: &mut Vec<u8>) -> Result<()> {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    for c in text.chars() {
        match c {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\t' | '\n' | '\r' => out.extend_from_slice(format!("&#{};", c as u32).as_bytes()),
            c if !is_character(c) => return Err(unsayable(node, "characters that XML has")),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
    Ok(())
}
