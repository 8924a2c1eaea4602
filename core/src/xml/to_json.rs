//! XML to the JSON form: the schema says what repeats, what is a number and what is an attribute.

use super::narrative;
use super::reader::{Attribute, split, value};
use super::tree::{Element, Namespace, Tree};
use crate::error::{Code, Result};
use crate::limits::Limits;
use crate::record::quote;
use crate::report::{Issue, Severity};
use crate::schema::{self, ElementId, Key, Primitive, ResourceType, TypeId, TypeKind};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The JSON form, and where in the XML each part of it comes from.
pub(super) struct Translated {
    pub(super) json: Vec<u8>,
    /// Offsets in the JSON, rising, and in the XML.
    places: Vec<(u32, u32)>,
    /// What was found on the way, with the offset in the XML.
    pub(super) found: Vec<(usize, Issue)>,
    pub(super) over: u64,
}

impl Translated {
    /// The offset in the XML of an offset in the JSON.
    pub(super) fn place(&self, offset: usize) -> usize {
        let after = self.places.partition_point(|(json, _)| *json as usize <= offset);
        after.checked_sub(1).map_or(0, |at| self.places[at].1 as usize)
    }
}

pub(super) fn translate(tree: &Tree<'_>, limits: &Limits) -> Result<Translated> {
    // INVARIANT: the reader ends well only after a root element.
    let root = tree.elements.first().expect("there is a root element");
    let error = |code: Code| super::reader::error_at(code, tree.bytes, root.span.start);
    let Some(kind) = resource_type(tree, root) else {
        return Err(error(Code::ResourceTypeUnknown).expected("a root element with the name of an R4 resource type"));
    };
    let made =
        Translated { json: Vec::with_capacity(tree.bytes.len()), places: Vec::new(), found: Vec::new(), over: 0 };
    let mut writer = Writer { tree, made, path: vec![Step::Root(kind)], most: limits.findings };
    if root.namespace != Namespace::Fhir {
        writer.find(root.span.start, Code::XmlNamespace, "the namespace http://hl7.org/fhir");
    }
    writer.resource(0, kind);
    Ok(writer.made)
}

struct Writer<'a> {
    tree: &'a Tree<'a>,
    made: Translated,
    path: Vec<Step>,
    most: usize,
}

/// A step of the element path at hand.
#[derive(Clone, Copy)]
enum Step {
    Root(ResourceType),
    Element(ElementId, TypeId),
    Index(usize),
}

/// Children of one name, in the order of the text.
struct Group {
    key: Option<Key>,
    members: Vec<usize>,
}

static SPECIAL: LazyLock<(TypeId, TypeId)> = LazyLock::new(|| {
    let named = |name| schema::type_by_name(name).expect("a type of R4");
    (named("Element"), named("Extension"))
});

impl<'a> Writer<'a> {
    // --- findings ---

    fn find(&mut self, at: usize, code: Code, expected: &str) {
        if self.made.found.len() >= self.most {
            self.made.over += 1;
            return;
        }
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Root(kind) => path.push_str(kind.name()),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Element(element, type_id) => {
                    path.push('.');
                    path.push_str(element.name());
                    if element.row().choice {
                        path.push_str(&format!(".ofType({})", type_id.name()));
                    }
                }
            }
        }
        let message = format!("{}: expected {expected}", code.sentence());
        self.made.found.push((at, Issue::new(Severity::Error, code, message).at(path, 0, 0)));
    }

    /// Notes that what is written next comes from `at` in the XML.
    fn place(&mut self, at: usize) {
        self.made.places.push((self.made.json.len() as u32, at as u32));
    }

    // --- the tree ---

    fn name(&self, element: usize) -> &'a [u8] {
        &self.tree.bytes[self.tree.elements[element].name.clone()]
    }

    fn attributes(&self, element: usize) -> &'a [Attribute] {
        &self.tree.attributes[self.tree.elements[element].attributes.clone()]
    }

    fn attribute(&self, element: usize, name: &[u8]) -> Option<&'a Attribute> {
        self.attributes(element).iter().find(|attribute| &self.tree.bytes[attribute.name.clone()] == name)
    }

    fn children(&self, element: usize) -> impl Iterator<Item = usize> + use<'a> {
        let elements = &self.tree.elements;
        let (mut child, end) = (element + 1, elements[element].next);
        std::iter::from_fn(move || {
            let here = child;
            (here < end).then(|| {
                child = elements[here].next;
                here
            })
        })
    }

    // --- objects ---

    fn resource(&mut self, at: usize, kind: ResourceType) {
        self.place(self.tree.elements[at].span.start);
        self.made.json.extend_from_slice(b"{\"resourceType\":\"");
        self.made.json.extend_from_slice(kind.name().as_bytes());
        self.made.json.push(b'"');
        for attribute in self.attributes(at) {
            let (_, local) = split(&self.tree.bytes[attribute.name.clone()]);
            if !matches!(local, b"schemaLocation" | b"noNamespaceSchemaLocation") {
                self.find(attribute.name.start, Code::XmlAttribute, "no attribute on a resource");
            }
        }
        self.members(at, kind.type_id(), true, true);
        self.made.json.push(b'}');
    }

    /// An object of a data type, a backbone element or, with the type Element, the companion of a primitive.
    fn object(&mut self, at: usize, owner: TypeId, primitive: bool) {
        self.place(self.tree.elements[at].span.start);
        self.made.json.push(b'{');
        let mut any = false;
        for attribute in self.attributes(at) {
            let name = &self.tree.bytes[attribute.name.clone()];
            if name == b"id" || name == b"url" && owner == SPECIAL.1 {
                self.key(name, attribute.name.start, any);
                self.string(attribute);
                any = true;
            } else if !(primitive && name == b"value") {
                let expected = if primitive { "the attributes id and value" } else { "the attribute id" };
                let expected = if owner == SPECIAL.1 { "the attributes id and url" } else { expected };
                self.find(attribute.name.start, Code::XmlAttribute, expected);
            }
        }
        self.members(at, owner, false, any);
        self.made.json.push(b'}');
    }

    /// Writes the children of an element as members; `any`: whether there is a member already.
    fn members(&mut self, at: usize, owner: TypeId, resource: bool, mut any: bool) {
        if let Some(text) = self.tree.elements[at].text {
            self.find(text, Code::XmlText, "elements only");
        }
        for group in self.groups(at, owner, resource) {
            match group.key {
                Some(key) => {
                    self.path.push(Step::Element(key.element, key.type_id));
                    self.element(key, &group.members, &mut any);
                    self.path.pop();
                }
                None => {
                    self.key(self.name(group.members[0]), self.tree.elements[group.members[0]].span.start, any);
                    let array = group.members.len() > 1;
                    self.list(&group.members, array, &mut |writer, member| writer.unknown(member));
                    any = true;
                }
            }
        }
    }

    /// The children of an element by name, in the order in which each name comes first.
    fn groups(&mut self, at: usize, owner: TypeId, resource: bool) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut unknown: HashMap<&[u8], usize> = HashMap::new();
        let mut highest = 0;
        for child in self.children(at) {
            let (name, start) = (self.name(child), self.tree.elements[child].span.start);
            let key = schema::key(owner, name);
            self.check_namespace(at, child, key);
            if let Some(last) = groups.last_mut().filter(|last| self.name(last.members[0]) == name) {
                last.members.push(child);
                continue;
            }
            let Some(key) = key else {
                if name == b"resourceType" || name.starts_with(b"_") {
                    self.find(start, Code::ElementUnknown, "an element of this type");
                }
                let group = *unknown.entry(name).or_insert(groups.len());
                match groups.get_mut(group) {
                    Some(group) => group.members.push(child),
                    None => groups.push(Group { key: None, members: vec![child] }),
                }
                continue;
            };
            if key.position < highest {
                self.find(start, Code::XmlOrder, "the order of the definition");
            }
            highest = highest.max(key.position);
            if !resource && (key.element.name() == "id" || key.element.name() == "url" && owner == SPECIAL.1) {
                self.find(start, Code::XmlShape, "an attribute and no element");
            }
            // At most as many groups with a key as the type has names.
            match groups.iter_mut().find(|group| group.key == Some(key)) {
                Some(group) => group.members.push(child),
                None => groups.push(Group { key: Some(key), members: vec![child] }),
            }
        }
        groups
    }

    fn check_namespace(&mut self, parent: usize, child: usize, key: Option<Key>) {
        let (above, here) = (&self.tree.elements[parent], &self.tree.elements[child]);
        let xhtml = key.is_some_and(|key| key.type_id.row().kind == TypeKind::Primitive(Primitive::Xhtml));
        if xhtml && here.namespace != Namespace::Xhtml {
            self.find(here.span.start, Code::XmlNamespace, "the namespace http://www.w3.org/1999/xhtml");
        } else if !xhtml && here.namespace != Namespace::Fhir && here.namespace != above.namespace {
            self.find(here.span.start, Code::XmlNamespace, "the namespace http://hl7.org/fhir");
        }
    }

    // --- values ---

    /// The values of one element.
    fn element(&mut self, key: Key, members: &[usize], any: &mut bool) {
        let array = key.element.row().array || members.len() > 1;
        let (name, start) = (self.name(members[0]), self.tree.elements[members[0]].span.start);
        match key.type_id.row().kind {
            TypeKind::Primitive(Primitive::Xhtml) => {
                self.key(name, start, *any);
                self.list(members, array, &mut |writer, member| writer.narrative(member));
            }
            TypeKind::Primitive(primitive) => return self.primitives(primitive, members, array, any),
            TypeKind::AnyResource => {
                self.key(name, start, *any);
                self.list(members, array, &mut |writer, member| writer.any_resource(member));
            }
            TypeKind::Complex | TypeKind::Backbone | TypeKind::Resource => {
                self.key(name, start, *any);
                self.list(members, array, &mut |writer, member| writer.object(member, key.type_id, false));
            }
        }
        *any = true;
    }

    fn primitives(&mut self, primitive: Primitive, members: &[usize], array: bool, any: &mut bool) {
        let (name, start) = (self.name(members[0]), self.tree.elements[members[0]].span.start);
        let extended: Vec<bool> = members.iter().map(|member| self.is_extended(*member)).collect();
        let some = extended.contains(&true);
        let value = |writer: &Self, member: &usize| writer.attribute(*member, b"value").is_some();
        if members.iter().zip(&extended).any(|(member, extended)| value(self, member) || !extended) {
            self.key(name, start, *any);
            self.list(members, array, &mut |writer, member| writer.primitive(primitive, member));
            *any = true;
        }
        if some {
            self.key(&[b"_", name].concat(), start, *any);
            let mut extended = extended.iter();
            self.list(members, array, &mut |writer, member| {
                if extended.next() == Some(&true) {
                    writer.object(member, SPECIAL.0, true);
                } else {
                    writer.made.json.extend_from_slice(b"null");
                }
            });
            *any = true;
        }
        if let (true, Some(text)) = (!some, members.iter().find_map(|member| self.tree.elements[*member].text)) {
            self.find(text, Code::XmlText, "the value in the attribute value");
        }
    }

    /// Whether a primitive needs a companion: it has more than a value.
    fn is_extended(&self, member: usize) -> bool {
        let plain = |attribute: &Attribute| &self.tree.bytes[attribute.name.clone()] == b"value";
        self.tree.elements[member].next > member + 1 || !self.attributes(member).iter().all(plain)
    }

    /// Writes a value for each member, in brackets where `array`.
    fn list(&mut self, members: &[usize], array: bool, write: &mut dyn FnMut(&mut Self, usize)) {
        if array {
            self.made.json.push(b'[');
        }
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.made.json.push(b',');
            }
            if array {
                self.path.push(Step::Index(index));
            }
            write(self, *member);
            if array {
                self.path.pop();
            }
        }
        if array {
            self.made.json.push(b']');
        }
    }

    fn primitive(&mut self, primitive: Primitive, member: usize) {
        let Some(attribute) = self.attribute(member, b"value") else {
            self.place(self.tree.elements[member].span.start);
            self.made.json.extend_from_slice(b"null");
            return;
        };
        let raw = &self.tree.bytes[attribute.value.clone()];
        let plain = match primitive {
            Primitive::Boolean => matches!(raw, b"true" | b"false"),
            Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt | Primitive::Decimal => is_number(raw),
            _ => false,
        };
        if !plain {
            return self.string(attribute);
        }
        self.place(attribute.value.start);
        self.made.json.extend_from_slice(raw);
    }

    fn any_resource(&mut self, member: usize) {
        let element = &self.tree.elements[member];
        for attribute in self.attributes(member) {
            self.find(attribute.name.start, Code::XmlAttribute, "no attribute around a resource");
        }
        if let Some(text) = element.text {
            self.find(text, Code::XmlText, "one resource");
        }
        let mut inside = self.children(member);
        let Some(first) = inside.next() else {
            self.place(element.span.start);
            self.made.json.extend_from_slice(b"{}");
            return;
        };
        if let Some(second) = inside.next() {
            self.find(self.tree.elements[second].span.start, Code::XmlShape, "one resource and nothing beside it");
        }
        self.check_namespace(member, first, None);
        match resource_type(self.tree, &self.tree.elements[first]) {
            Some(kind) => self.resource(first, kind),
            None => {
                self.place(self.tree.elements[first].span.start);
                self.made.json.extend_from_slice(b"{\"resourceType\":");
                quote(&String::from_utf8_lossy(self.name(first)), &mut self.made.json);
                self.made.json.push(b'}');
            }
        }
    }

    fn narrative(&mut self, member: usize) {
        let element = &self.tree.elements[member];
        self.place(element.span.start);
        quote(&narrative::from_xml(&self.tree.bytes[element.span.clone()]), &mut self.made.json);
    }

    /// An element that R4 does not know: its value, or an object of all that is in it.
    fn unknown(&mut self, member: usize) {
        let element = &self.tree.elements[member];
        if element.namespace == Namespace::Xhtml {
            return self.narrative(member);
        }
        let attributes = self.attributes(member);
        if let (true, [only]) = (element.next == member + 1, attributes)
            && &self.tree.bytes[only.name.clone()] == b"value"
        {
            return self.string(only);
        }
        self.place(element.span.start);
        self.made.json.push(b'{');
        let mut any = false;
        for attribute in attributes {
            self.key(&self.tree.bytes[attribute.name.clone()], attribute.name.start, any);
            self.string(attribute);
            any = true;
        }
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut named: HashMap<&[u8], usize> = HashMap::new();
        for child in self.children(member) {
            let group = *named.entry(self.name(child)).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(group) => group.push(child),
                None => groups.push(vec![child]),
            }
        }
        for group in groups {
            self.key(self.name(group[0]), self.tree.elements[group[0]].span.start, any);
            let mut first = true;
            // No path: what R4 does not know is named by its parent.
            let array = group.len() > 1;
            self.made.json.extend_from_slice(if array { b"[" } else { b"" });
            for child in &group {
                self.made.json.extend_from_slice(if std::mem::take(&mut first) { b"" } else { b"," });
                self.unknown(*child);
            }
            self.made.json.extend_from_slice(if array { b"]" } else { b"" });
            any = true;
        }
        self.made.json.push(b'}');
    }

    // --- tokens ---

    /// Writes a name. Names of XML hold no character that JSON escapes.
    fn key(&mut self, name: &[u8], at: usize, comma: bool) {
        if comma {
            self.made.json.push(b',');
        }
        self.place(at);
        self.made.json.push(b'"');
        self.made.json.extend_from_slice(name);
        self.made.json.extend_from_slice(b"\":");
    }

    fn string(&mut self, attribute: &Attribute) {
        self.place(attribute.value.start);
        quote(&value(&self.tree.bytes[attribute.value.clone()]), &mut self.made.json);
    }
}

fn resource_type(tree: &Tree<'_>, element: &Element) -> Option<ResourceType> {
    std::str::from_utf8(&tree.bytes[element.name.clone()]).ok().and_then(ResourceType::from_name)
}

/// Whether a text is a number as JSON writes it, which is FHIR's own form of a decimal too.
fn is_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> usize {
        text.iter().take_while(|b| b.is_ascii_digit()).count()
    }
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest[0] == b'0' {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}
