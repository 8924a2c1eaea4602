//! Functions over the tree, and those that FHIR adds.

use super::{Call, Run, each_child, operand, single};
use crate::error::Result;
use crate::fhirpath::functions::Function;
use crate::fhirpath::item::{Collection, Element, Item, Name};
use crate::fhirpath::types::{is_a, special};
use crate::record::Node;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Whether the collection is one primitive with a value.
pub(super) fn has_value(found: &Collection<'_>) -> bool {
    match found.items() {
        [Item::Element(element)] => element.node().is_some() && element.primitive().is_some(),
        [_] => true,
        _ => false,
    }
}

const BASE: &str = "http://hl7.org/fhir/StructureDefinition/";

impl<'a> Run<'a, '_> {
    pub(super) fn fhir(&self, function: Function, found: Collection<'a>, call: Call<'_, 'a>) -> Result<Collection<'a>> {
        let Call { expr, parameters, frame } = call;
        let first = || match parameters {
            [first, ..] => self.string(first, frame),
            [] => Ok(None),
        };
        match function {
            Function::Children => {
                let mut made = Collection::None;
                for item in found.iter() {
                    each_child(item, &mut |child| {
                        self.spend(1)?;
                        made.push(Item::Element(child));
                        Ok(())
                    })?;
                }
                Ok(made)
            }
            Function::Descendants => self.descendants(&found),
            Function::Type => Ok(found.iter().map(|item| Item::Type(item.type_of())).collect()),
            Function::Trace => Ok(found),
            Function::Extension => {
                let Some(url) = first()? else { return Ok(Collection::None) };
                self.extension(&found, &url)
            }
            Function::GetValue => Ok(match found.items() {
                [item] => item.value().into(),
                _ => Collection::None,
            }),
            Function::Resolve => self.resolve(&found),
            Function::ElementDefinition => {
                let nodes = found.iter().filter_map(|item| item.element()?.node());
                let host = self.scope.host;
                let definitions = nodes.filter_map(|node| host.element_definition(node));
                Ok(definitions.map(|node| Item::Element(Element::new(node))).collect())
            }
            Function::Slice => {
                let [structure, name] = parameters else { return Ok(Collection::None) };
                let (Some(structure), Some(name)) = (self.string(structure, frame)?, self.string(name, frame)?) else {
                    return Ok(Collection::None);
                };
                let host = self.scope.host;
                let inside = |item: &Item<'a>| {
                    let node = item.element().and_then(Element::node);
                    node.and_then(|node| host.slice(node, &structure, &name)) == Some(true)
                };
                Ok(found.into_iter().filter(inside).collect())
            }
            Function::CheckModifiers => {
                let mut allowed = Vec::new();
                for parameter in parameters {
                    allowed.extend(self.string(parameter, frame)?);
                }
                let modifier = Name::new("modifierExtension");
                for item in found.iter() {
                    let Item::Element(element) = item else { continue };
                    element.children_named(&modifier, &mut |extension| {
                        let url = extension.node().and_then(|node| node.text("url")).unwrap_or_default();
                        if allowed.contains(&url) {
                            return Ok(());
                        }
                        Err(operand(expr, "no modifier extension but those named"))
                    })?;
                }
                Ok(found)
            }
            Function::ConformsTo => {
                let (Some(item), Some(profile)) = (single(found, expr)?, first()?) else { return Ok(Collection::None) };
                let element = item.element().ok_or_else(|| operand(expr, "an element of a record"))?;
                let base = profile.strip_prefix(BASE).and_then(|name| special().names.get(name));
                let conforms = match (base, element.type_id()) {
                    (Some(base), Some(id)) => Some(is_a(id, *base)),
                    _ => element.node().and_then(|node| self.scope.host.conforms_to(node, &profile)),
                };
                Ok(Collection::maybe(conforms))
            }
            Function::MemberOf => {
                let (Some(item), Some(value_set)) = (single(found, expr)?, first()?) else {
                    return Ok(Collection::None);
                };
                Ok(Collection::maybe(self.scope.host.member_of(&item, &value_set)))
            }
            Function::Subsumes | Function::SubsumedBy => {
                let [other] = parameters else { return Ok(Collection::None) };
                let other = single(self.eval(other, frame)?, expr)?;
                let (Some(item), Some(other)) = (single(found, expr)?, other) else { return Ok(Collection::None) };
                let host = self.scope.host;
                Ok(Collection::maybe(match function {
                    Function::Subsumes => host.subsumes(&item, &other),
                    _ => host.subsumes(&other, &item),
                }))
            }
            _ => {
                let Some(item) = single(found, expr)? else { return Ok(Collection::None) };
                let text = item.as_string().ok_or_else(|| operand(expr, "a narrative"))?;
                self.spend(text.len() as u64 / 16)?;
                Ok(Collection::boolean(crate::json::narrative_is_good(text.as_bytes())))
            }
        }
    }

    fn extension(&self, found: &Collection<'a>, url: &str) -> Result<Collection<'a>> {
        static EXTENSION: LazyLock<Name> = LazyLock::new(|| Name::new("extension"));
        let mut made = Collection::None;
        for item in found.iter() {
            let Item::Element(element) = item else { continue };
            element.children_named(&EXTENSION, &mut |extension| {
                self.spend(1)?;
                let named = extension.node().and_then(|node| node.get("url"));
                if named.and_then(Node::as_str).is_some_and(|text| text == url) {
                    made.push(Item::Element(extension));
                }
                Ok::<(), crate::error::Error>(())
            })?;
        }
        Ok(made)
    }

    /// The resources that references point to; those that are not found are left out.
    fn resolve(&self, found: &Collection<'a>) -> Result<Collection<'a>> {
        let mut made = Collection::None;
        for item in found.iter() {
            let (from, text) = match item {
                Item::Element(element) => {
                    let Some(node) = element.node() else { continue };
                    let text: Option<Cow<'a, str>> = node.as_str().or_else(|| node.text("reference"));
                    (Some(node), text)
                }
                other => (None, other.as_string()),
            };
            let Some(text) = text else { continue };
            if let Some(resource) = self.target(&text, from)? {
                made.push(Item::Element(Element::new(resource)));
            }
        }
        Ok(made)
    }
    fn target(&self, reference: &str, from: Option<Node<'a>>) -> Result<Option<Node<'a>>> {
        let root = self.scope.the_root().items().first().and_then(Item::element).and_then(Element::node);
        if let Some(id) = reference.strip_prefix('#') {
            let Some(root) = root else { return Ok(None) };
            return Ok(if id.is_empty() {
                Some(root)
            } else {
                root.list("contained").find(|resource| resource.text("id").is_some_and(|found| found == id))
            });
        }
        let Some(from) = from.or(root) else { return Ok(None) };
        if let Some(found) = self.in_bundle(reference, from)? {
            return Ok(Some(found));
        }
        Ok(self.scope.host.resolve(reference, from))
    }
    /// The entry of the Bundle that the node is in: by its `fullUrl`, or by type and id.
    fn in_bundle(&self, reference: &str, from: Node<'a>) -> Result<Option<Node<'a>>> {
        let (tree, _) = from.place();
        let outermost = Node::new(tree, 0);
        if outermost.type_id().is_none_or(|id| id.name() != "Bundle") {
            return Ok(None);
        }
        let plain = reference.split("/_history/").next().unwrap_or(reference);
        for entry in outermost.list("entry") {
            self.spend(2)?;
            let Some(resource) = entry.get("resource") else { continue };
            let url = entry.text("fullUrl");
            let same = url.as_deref() == Some(plain)
                || !plain.contains(':')
                    && plain.split_once('/').is_some_and(|(kind, id)| {
                        resource.type_id().is_some_and(|found| found.name() == kind)
                            && resource.text("id").is_some_and(|found| found == id)
                    });
            if same {
                return Ok(Some(resource));
            }
        }
        Ok(None)
    }
}
