//! References: what they point to inside the record, and whether that is what a profile wants.

use super::items::Item;
use super::{Resource, Run};
use crate::error::Code;
use crate::record::{Node, is_id};
use crate::report::Severity;
use crate::schema::ResourceType;
use crate::validate::References;
use crate::validate::profile::{Aggregation, HL7, Profile, Rule, Target, type_named};
use std::sync::Arc;

impl<'a> Run<'a> {
    /// The resource a Reference (or canonical or uri) points to, where it is in this record.
    pub(super) fn resolve(&self, reference: Node<'_>, from: usize) -> Option<usize> {
        let text = reference.text("reference").or_else(|| reference.as_str())?;
        self.resolve_text(&text, from)
    }

    pub(super) fn resolve_text(&self, text: &str, from: usize) -> Option<usize> {
        if let Some(id) = text.strip_prefix('#') {
            let outer = self.resources[from].container.unwrap_or(from);
            if id.is_empty() {
                return Some(outer);
            }
            return self.contained(outer, id);
        }
        if self.addresses.is_empty() && self.resources[from].bundle.is_none() {
            return None; // nothing here has an address
        }
        let (text, fragment) = text.split_once('#').map_or((text, None), |(text, id)| (text, Some(id)));
        let plain = without_history(text);
        let found = self.in_bundle(plain, text, from)?;
        match fragment {
            Some(id) => self.contained(found, id),
            None => Some(found),
        }
    }

    fn contained(&self, outer: usize, id: &str) -> Option<usize> {
        let end = self.resources[outer].node.row().next as usize;
        let inside = self.resources[outer + 1..].iter().take_while(|inner| inner.node.at() < end);
        let found = inside
            .enumerate()
            .find(|(_, inner)| inner.container == Some(outer) && inner.node.text("id").as_deref() == Some(id));
        found.map(|(distance, _)| outer + 1 + distance)
    }

    fn in_bundle(&self, plain: &str, whole: &str, from: usize) -> Option<usize> {
        let from = self.resources[from].container.unwrap_or(from);
        let Resource { full_url, bundle, .. } = &self.resources[from];
        let versioned = whole.split_once("/_history/").map(|(_, version)| version);
        let pick = |url: &str| {
            let list = self.addresses.get(url)?;
            let same = |number: &&usize| {
                let meta = self.resources[**number].node.get("meta");
                versioned.is_none_or(|version| {
                    meta.and_then(|meta| meta.text("versionId")).is_none_or(|found| found == version)
                })
            };
            list.iter().find(same).copied()
        };
        if plain.contains(':') {
            return pick(plain);
        }
        let base = full_url.as_ref().and_then(|url| base_of(url));
        if let Some(base) = base
            && let Some(found) = pick(&format!("{base}/{plain}"))
        {
            return Some(found);
        }
        bundle.as_ref()?;
        // Without an address of its own a resource is found by type and id.
        let (kind, id) = plain.split_once('/')?;
        let no_address = full_url.is_none();
        self.resources.iter().position(|one| {
            one.bundle == *bundle
                && one.container.is_none()
                && (no_address || one.full_url.is_none())
                && one.kind.name() == kind
                && one.node.text("id").as_deref() == Some(id)
        })
    }

    /// Checks what a Reference points to against the targets of a profile.
    pub(super) fn target(&mut self, node: Node<'a>, profile: &'a Arc<Profile>, rule: &'a Rule, from: usize) {
        let targets = rule.targets.get_or_init(|| {
            let base = |url: &str| url.strip_prefix(HL7).is_some_and(|name| type_named(name).is_some());
            let urls = rule.types.iter().flat_map(|one| &one.targets);
            urls.map(|url| Target { url: url.clone(), kind: self.kind_of(url), base: base(url) }).collect()
        });
        let Some(number) = self.resolve(node, from) else {
            if self.options.references == References::MustConform
                && node.get("reference").is_some()
                && !targets.iter().any(|target| target.base)
            {
                self.find(
                    node,
                    Code::TargetProfile,
                    Severity::Error,
                    "a target in the record that conforms to its profile",
                )
                .of(profile)
                .done();
            }
            let Some(kind) = literal_kind(node).filter(|_| self.options.trust_addresses) else { return };
            let allowed = |target: &Target| match &target.kind {
                Some(name) => **name == *kind.name() || **name == *"Resource",
                None => true, // nobody can tell
            };
            if !targets.iter().any(allowed) {
                self.find(node, Code::ReferenceTarget, Severity::Error, "a resource type that the profile allows")
                    .of(profile)
                    .done();
            }
            return;
        };
        let (target, kind) = (self.resources[number].node, self.resources[number].kind);
        let (mut typed, mut unknown) = (false, false);
        for Target { url, kind: wanted, .. } in targets {
            match wanted {
                None => unknown = true,
                Some(name) if !kind.is_a(name) => {}
                Some(_) => {
                    typed = true;
                    let plain = url.strip_prefix(HL7).is_some_and(|name| name == kind.name() || name == "Resource");
                    let definitions = self.definitions;
                    let fits = plain
                        || definitions.profile(url).is_none_or(|inner| self.conforms(Item::of(target), inner, number));
                    if fits {
                        return;
                    }
                }
            }
        }
        if unknown {
            self.find(node, Code::ProfileUnknown, Severity::Warning, "the profiles of the target").of(profile).done();
        } else if typed {
            self.find(node, Code::TargetProfile, Severity::Error, "a target that conforms to a profile named for it")
                .of(profile)
                .done();
        } else {
            self.find(node, Code::ReferenceTarget, Severity::Error, "a resource type that the profile allows")
                .of(profile)
                .done();
        }
    }

    /// Checks that a Reference has its target in the record, where the options ask for that.
    pub(super) fn exists(&mut self, node: Node<'a>, from: usize) {
        let literal = node.text("reference").is_some_and(|text| !text.is_empty() && !text.starts_with('#'));
        if self.options.references == References::MustExist && literal && self.resolve(node, from).is_none() {
            self.find(node, Code::ReferenceOutside, Severity::Error, "the target in the record").done();
        }
    }

    /// Checks how a Reference points to its target.
    pub(super) fn aggregation(&mut self, node: Node<'a>, profile: &'a Profile, modes: &[Aggregation], from: usize) {
        let Some(text) = node.text("reference") else { return };
        let mode = if text.starts_with('#') {
            Aggregation::Contained
        } else if self.resolve_text(&text, from).is_some() {
            Aggregation::Bundled
        } else {
            Aggregation::Referenced
        };
        let fits = modes.contains(&mode) || mode == Aggregation::Bundled && modes.contains(&Aggregation::Referenced);
        if !fits {
            self.find(node, Code::ReferenceAggregation, Severity::Error, "a reference of a kind the profile allows")
                .of(profile)
                .done();
        }
    }
}

/// The address a RESTful full URL has before `Type/id`.
pub(super) fn base_of(url: &str) -> Option<&str> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return None;
    }
    let (rest, id) = url.rsplit_once('/')?;
    let (base, kind) = rest.rsplit_once('/')?;
    (is_id(id.as_bytes()) && ResourceType::from_name(kind).is_some()).then_some(base)
}

/// The type that the text of a reference or its `type` names.
fn literal_kind(reference: Node<'_>) -> Option<ResourceType> {
    match reference.text("reference") {
        Some(text) => literal_kind_of(&text),
        None => ResourceType::from_name(&reference.text("type")?),
    }
}

/// An address without the version after it.
fn without_history(text: &str) -> &str {
    if memchr::memchr(b'_', text.as_bytes()).is_none() {
        return text;
    }
    text.split("/_history/").next().unwrap_or_default()
}

/// The type in `Type/id`, relative or at the end of an http address.
pub(super) fn literal_kind_of(text: &str) -> Option<ResourceType> {
    let plain = without_history(text);
    let (rest, id) = plain.rsplit_once('/')?;
    let kind = rest.rsplit('/').next()?;
    let rooted = rest == kind || plain.starts_with("http");
    ResourceType::from_name(kind).filter(|_| rooted && is_id(id.as_bytes()))
}
