//! Extensions: whether they are known, stand where they may, and hold what their definition says.

use super::Run;
use super::items::Item;
use crate::error::Code;
use crate::record::{Node, NodeKind};
use crate::report::Severity;
use crate::validate::UnknownExtensions;
use crate::validate::profile::{Constraint, Context, Profile};
use std::cell::OnceCell;
use std::sync::Arc;

/// What is above a value: the nodes from the resource down to its parent.
pub(super) type Above<'p, 'a> = &'p [Node<'a>];

impl<'a> Run<'a> {
    /// Checks one Extension; `above` are the values it is inside of.
    pub(super) fn extension(&mut self, node: Node<'a>, above: Above<'_, 'a>, resource: usize) {
        // An array of extensions is not above its items.
        let listed = above.last().is_some_and(|last| last.kind() == NodeKind::Array);
        let above = &above[..above.len() - usize::from(listed)];
        let Some(url) = node.get("url") else { return };
        let Some(text) = url.as_str() else { return };
        let modifier = node.element().is_some_and(|element| element.name() == "modifierExtension");
        let outer = above.iter().rev().find(|node| node.kind() == NodeKind::Object);
        let inside = outer.filter(|node| node.type_id().is_some_and(|type_id| type_id.name() == "Extension"));
        if memchr::memchr(b':', text.as_bytes()).is_none() {
            match inside.and_then(|outer| outer.text("url")).and_then(|url| self.definitions.profile(&url)) {
                Some(profile) if !names_part(profile, &text) => {
                    self.find(node, Code::ExtensionPart, Severity::Error, "a part that the extension's definition has")
                        .of(profile)
                        .done();
                }
                None if inside.is_none() => {
                    self.find(node, Code::ExtensionUrl, Severity::Error, "an absolute url").done();
                }
                _ => {}
            }
            return;
        }
        let definitions = self.definitions;
        let Some(profile) = definitions.profile(&text) else {
            self.unknown_extension(node, &text, modifier);
            return;
        };
        if &*profile.kind != "Extension" {
            self.find(node, Code::ExtensionUrl, Severity::Error, "the url of an extension").of(profile).done();
            return;
        }
        if profile.modifier != modifier {
            let wanted = if profile.modifier { "it as a modifierExtension" } else { "it as an extension" };
            self.find(node, Code::ExtensionModifier, Severity::Error, wanted).of(profile).done();
        }
        self.context(above, profile, resource);
        self.conform(node, profile, resource);
    }

    fn unknown_extension(&mut self, node: Node<'a>, url: &str, modifier: bool) {
        let allowed = self.options.extension_domains.iter().any(|domain| url.starts_with(&**domain));
        // A package of HL7 that is not loaded may well define it; where its package of extensions is loaded, that one would.
        let hl7 = url.starts_with("http://hl7.org/fhir/");
        let missing =
            url.starts_with("http://hl7.org/fhir/StructureDefinition/") && self.definitions.knows_extensions();
        let severity = if !allowed && (modifier || missing) {
            Severity::Error
        } else if allowed || hl7 {
            Severity::Information
        } else {
            match self.options.unknown_extensions {
                UnknownExtensions::Information => Severity::Information,
                UnknownExtensions::Error => Severity::Error,
            }
        };
        self.find(node, Code::ExtensionUnknown, severity, "an extension whose definition is loaded").done();
    }

    /// Whether the extension may be used where it stands.
    fn context(&mut self, above: Above<'_, 'a>, profile: &'a Arc<Profile>, resource: usize) {
        if profile.contexts.is_empty() {
            return;
        }
        let names = OnceCell::new();
        let names = || names.get_or_init(|| element_names(above));
        let parent = above.iter().rev().find(|node| node.kind() == NodeKind::Object || node.kind() != NodeKind::Array);
        // On the extension itself or on its value.
        let is_extension = |node: &&Node<'a>| node.type_id().is_some_and(|type_id| type_id.name() == "Extension");
        let near = above.iter().rev().filter(|node| node.kind() == NodeKind::Object).take(2);
        let extension = near.into_iter().find(is_extension).and_then(|node| node.text("url"));
        let fits = profile.contexts.iter().any(|context| match context {
            Context::Element(path) => {
                let path = path.split('#').next_back().unwrap_or_default();
                matches!(path, "Element" | "Resource" | "DomainResource" | "CanonicalResource" | "MetadataResource")
                    && generic(path, parent.copied())
                    || is_named(above, path)
                    || names().iter().any(|name| name == path)
            }
            Context::Extension(url) => extension.as_deref() == Some(url.split('#').next().unwrap_or_default()),
            Context::Path(path) => match (path.expression(), parent) {
                (Some(path), Some(parent)) => self.selects(path, *parent, resource).unwrap_or(true),
                _ => true,
            },
        });
        let holds = |condition: &Arc<Constraint>| {
            let expression = condition.expression()?;
            self.holds(expression, Item::of(*parent?), resource)
        };
        if !fits || profile.conditions.iter().any(|condition| holds(condition) == Some(false)) {
            let place = parent.copied().unwrap_or(self.resources[resource].node);
            self.find(place, Code::ExtensionContext, Severity::Error, "an extension that may be used on this element")
                .of(profile)
                .done();
        }
    }
}

/// Whether an abstract context holds.
fn generic(path: &str, parent: Option<Node<'_>>) -> bool {
    let Some(type_id) = parent.and_then(Node::type_id) else { return true };
    match path {
        "Element" => true,
        "CanonicalResource" | "MetadataResource" => type_id.elements().any(|element| element.name() == "url"),
        _ => type_id.is_a(path),
    }
}

/// Whether the element above is of the type of this name.
fn is_named(above: &[Node<'_>], name: &str) -> bool {
    let parent = above.last().filter(|parent| parent.row().flags & crate::record::Row::COMPANION == 0);
    let chain = std::iter::successors(parent.and_then(|parent| parent.type_id()), |type_id| type_id.base());
    chain.into_iter().any(|type_id| type_id.name() == name)
}

/// What the element above is called: its paths (`Patient.contact.name`), its type and what that is derived from.
fn element_names(above: &[Node<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    let Some((parent, _)) = above.split_last() else { return found };
    let mut type_id = parent.type_id();
    if parent.row().flags & crate::record::Row::COMPANION != 0 {
        type_id = parent.element().and_then(|element| element.types().next());
    }
    while let Some(known) = type_id {
        found.push(known.name().to_owned());
        type_id = known.base();
    }
    // Each ancestor with a type gives a path down to here.
    let mut tail = String::new();
    for node in above.iter().rev() {
        let mut kind = node.type_id().filter(|_| node.kind() == NodeKind::Object && !tail.is_empty());
        while let Some(known) = kind {
            found.push(format!("{}{tail}", known.name()));
            kind = known.base();
        }
        if node.key().is_empty() {
            continue;
        }
        let Some(element) = node.element() else { break };
        let suffix = if element.row().choice { "[x]" } else { "" };
        if element.row().choice {
            found.push(format!("{}.{}{tail}", element.owner().name(), element.name()));
        }
        tail = format!(".{}{suffix}{tail}", element.name());
    }
    found
}

/// Whether a definition of an extension has a part of that url, or says nothing of its parts.
fn names_part(profile: &Profile, url: &str) -> bool {
    let below = |at: u32, name: &str| {
        profile.rules[at as usize].children.iter().copied().find(|child| &*profile.rules[*child as usize].name == name)
    };
    let Some(parts) = below(0, "extension") else { return true };
    let slices = &profile.rules[parts as usize].slices;
    slices.is_empty()
        || slices.iter().any(|slice| {
            let fixed = below(*slice, "url").and_then(|url| profile.rules[url as usize].fixed.clone());
            fixed.is_none_or(|fixed| fixed.text() == Some(url))
        })
}
