//! Rules of a Bundle that need more than one entry, or an entry and its resource.

use super::reference::base_of;
use super::{Resource, Run};
use crate::error::Code;
use crate::record::{Node, NodeKind};
use crate::report::Severity;
use std::collections::{HashMap, HashSet};

impl<'a> Run<'a> {
    pub(super) fn bundle(&mut self, bundle: Node<'a>, number: usize) {
        let kind = bundle.text("type").unwrap_or_default();
        self.links(bundle);
        let entries: Vec<Node<'a>> = bundle.list("entry").collect();
        for entry in &entries {
            self.full_url(*entry, &kind);
        }
        if kind == "searchset" {
            self.search(bundle, &entries);
        }
        if kind == "document" || kind == "message" {
            self.joined(&entries, number);
            self.complete(&kind, number);
        }
    }

    /// A page has each of these links once (R4, Bundle.link).
    fn links(&mut self, bundle: Node<'a>) {
        let mut seen = HashSet::new();
        for link in bundle.list("link") {
            let Some(relation) = link.text("relation") else { continue };
            let single = matches!(&*relation, "self" | "first" | "prev" | "previous" | "next" | "last");
            if single && !seen.insert(relation) {
                self.find(link, Code::BundleLink, Severity::Error, "each of self, first, previous, next and last once")
                    .done();
            }
        }
    }

    /// A RESTful full URL ends with the type and the id of its resource (R4, Bundle, 2.36.4).
    fn full_url(&mut self, entry: Node<'a>, kind: &str) {
        let Some(resource) = entry.get("resource") else { return };
        let (Some(url), Some(id)) = (entry.text("fullUrl"), resource.text("id")) else {
            let needed = !matches!(
                kind,
                "transaction" | "batch" | "transaction-response" | "batch-response" | "searchset" | "history"
            );
            if needed && entry.get("fullUrl").is_none() && resource.text("id").is_some() && kind == "document" {
                self.find(entry, Code::BundleFullUrl, Severity::Error, "a fullUrl").done();
            }
            return;
        };
        let Some(type_id) = resource.type_id() else { return };
        if base_of(&url).is_some() && !url.ends_with(&format!("/{}/{id}", type_id.name())) {
            self.find(
                entry,
                Code::BundleFullUrl,
                Severity::Error,
                "a fullUrl that ends with the type and id of the resource",
            )
            .done();
        }
    }

    /// What a search found has ids, and is of the type that was searched for (R4, search, 3.1.1.5).
    fn search(&mut self, bundle: Node<'a>, entries: &[Node<'a>]) {
        let own = bundle.list("link").find(|link| link.text("relation").as_deref() == Some("self"));
        let address = own.and_then(|link| link.text("url"));
        let wanted = address.as_ref().and_then(|url| {
            let path = url.split('?').next()?;
            crate::schema::ResourceType::from_name(path.rsplit('/').next()?)
        });
        for entry in entries {
            let Some(resource) = entry.get("resource") else { continue };
            let Some(kind) = resource.type_id() else { continue };
            let mode = entry.get("search").and_then(|search| search.text("mode"));
            if resource.get("id").is_none() && kind.name() != "OperationOutcome" {
                self.find(resource, Code::BundleSearch, Severity::Error, "an id on what a search found").done();
            }
            if mode.as_deref() == Some("outcome") && kind.name() != "OperationOutcome" {
                self.find(resource, Code::BundleSearch, Severity::Error, "an OperationOutcome as the outcome").done();
            }
            if matches!(mode.as_deref(), Some("match"))
                && wanted.is_some_and(|wanted| wanted.name() != kind.name())
                && kind.name() != "OperationOutcome"
            {
                self.find(resource, Code::BundleSearch, Severity::Error, "a resource of the type searched for").done();
            }
        }
    }

    /// In a document or message every entry is reached by references from the first, forward or backward (R4, documents,
    /// 3.3.1; messaging, 2.4.3).
    fn joined(&mut self, entries: &[Node<'a>], bundle: usize) {
        let numbers: Vec<usize> = (0..self.resources.len())
            .filter(|number| {
                self.resources[*number].bundle == Some(bundle) && self.resources[*number].container.is_none()
            })
            .collect();
        let Some(first) = numbers.first().copied() else { return };
        let place: HashMap<usize, usize> = numbers.iter().enumerate().map(|(place, number)| (*number, place)).collect();
        let mut ties: Vec<Vec<usize>> = vec![Vec::new(); numbers.len()];
        for number in &numbers {
            let node = self.resources[*number].node;
            for row in node.at()..node.row().next as usize {
                let inner = self.record.node(row);
                let is = inner.kind() == NodeKind::Object
                    && inner.type_id().is_some_and(|type_id| type_id.name() == "Reference");
                if !is {
                    continue;
                }
                if let Some(target) = self.resolve(inner, *number)
                    && let (Some(a), Some(b)) = (place.get(number), place.get(&target))
                {
                    ties[*a].push(*b);
                    ties[*b].push(*a);
                }
            }
        }
        let mut reached = vec![false; numbers.len()];
        let mut open = vec![place[&first]];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                open.extend(&ties[at]);
            }
        }
        for (place, number) in numbers.iter().enumerate() {
            let node = self.resources[*number].node;
            let Some(entry) =
                entries.iter().find(|entry| entry.get("resource").is_some_and(|inner| inner.at() == node.at()))
            else {
                continue;
            };
            if !reached[place] {
                self.find(
                    *entry,
                    Code::BundleUnreachable,
                    Severity::Error,
                    "a reference to or from the first resource",
                )
                .done();
            }
        }
    }

    /// What the Composition of a document refers to is in the Bundle (R4, Composition, definition: "any other resources
    /// referenced from Composition must be included as subsequent entries"); only relatesTo names documents elsewhere. In a
    /// document or message nothing else can resolve a urn:uuid or urn:oid (R4, Bundle, resolving references in Bundles).
    fn complete(&mut self, kind: &str, bundle: usize) {
        let outer = |one: &Resource<'a>| one.bundle == Some(bundle) && one.container.is_none();
        let Some(first) = self.resources.iter().position(outer) else { return };
        let mut missing = Vec::new();
        for number in (0..self.resources.len()).filter(|number| outer(&self.resources[*number])) {
            let Resource { node, kind: own_kind, .. } = self.resources[number];
            if own_kind.name() == "Bundle" {
                continue; // its references are looked up in itself
            }
            let composition = kind == "document" && number == first;
            let own = |row: usize| -> bool {
                let part =
                    |name| node.get(name).is_some_and(|child| (child.at()..child.row().next as usize).contains(&row));
                composition && COMPOSED.into_iter().any(part)
            };
            for row in node.at()..node.row().next as usize {
                let inner = self.record.node(row);
                if inner.kind() != NodeKind::Object
                    || inner.type_id().is_none_or(|type_id| type_id.name() != "Reference")
                {
                    continue;
                }
                let Some(text) = inner.text("reference").filter(|text| !text.is_empty() && !text.starts_with('#'))
                else {
                    continue;
                };
                let urn = text.starts_with("urn:uuid:") || text.starts_with("urn:oid:");
                if (urn || own(row)) && self.resolve(inner, number).is_none() {
                    missing.push(inner);
                }
            }
        }
        for node in missing {
            self.find(node, Code::BundleReference, Severity::Error, "the target in the Bundle").done();
        }
    }
}

/// What a Composition says about the document itself and its content.
const COMPOSED: [&str; 7] = ["subject", "encounter", "author", "attester", "custodian", "event", "section"];
