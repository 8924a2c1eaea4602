//! Translation by a ConceptMap.

use super::{Coding, Terminology};
use crate::error::{Code, Result};
use crate::record::Node;
use crate::schema::ResourceType;
use std::sync::Arc;

/// One code that a map gives for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// How near it is, in FHIR's word: `equivalent`, `wider`, `inexact`, ...
    pub equivalence: Arc<str>,
    /// The system it is in.
    pub system: Option<Arc<str>>,
    /// The code.
    pub code: Arc<str>,
    /// The text for it.
    pub display: Option<Arc<str>>,
}

impl Terminology {
    /// What a ConceptMap (`url` or `url|version`) gives for a code, in the order of the map. Nothing where it has no target.
    ///
    /// # Errors
    /// - `concept-map-unknown`: no package has it.
    pub fn translate(&self, concept_map: &str, coding: &Coding<'_>) -> Result<Vec<Translation>> {
        let mut found = Vec::new();
        let (mut canonical, mut left) = (concept_map.to_owned(), 8);
        loop {
            let member = self.packages.find(ResourceType::CONCEPT_MAP, &canonical);
            let record = member.and_then(|member| member.record()).ok_or_else(|| Code::ConceptMapUnknown.error())?;
            match translate(record.root(), coding, &mut found) {
                // A map that passes on to another, and so on, is followed a few times.
                Some(other) if found.is_empty() && left > 0 => (canonical, left) = (other, left - 1),
                _ => return Ok(found),
            }
        }
    }
}

/// Adds what the map has; gives the map to ask next, where it names one.
fn translate(map: Node<'_>, coding: &Coding<'_>, found: &mut Vec<Translation>) -> Option<String> {
    let mut next = None;
    for group in map.list("group") {
        let source = group.text("source");
        if coding.system.is_some() && source.is_some() && coding.system != source {
            continue;
        }
        let shared = |node: Node<'_>, name: &str| node.text(name).map(|text| Arc::<str>::from(text.as_ref()));
        let target_system = shared(group, "target");
        let mut mapped = false;
        for element in group.list("element").filter(|element| element.text("code").as_deref() == Some(&coding.code)) {
            mapped = true;
            for target in element.list("target") {
                let Some(code) = shared(target, "code") else { continue };
                let equivalence = shared(target, "equivalence").unwrap_or_else(|| "equivalent".into());
                found.push(Translation {
                    equivalence,
                    system: target_system.clone(),
                    code,
                    display: shared(target, "display"),
                });
            }
        }
        let Some(unmapped) = group.get("unmapped").filter(|_| !mapped) else { continue };
        match unmapped.text("mode").as_deref() {
            Some("provided") => found.push(Translation {
                equivalence: "equal".into(),
                system: target_system,
                code: coding.code.as_ref().into(),
                display: None,
            }),
            Some("fixed") => {
                if let Some(code) = shared(unmapped, "code") {
                    let display = shared(unmapped, "display");
                    found.push(Translation { equivalence: "inexact".into(), system: target_system, code, display });
                }
            }
            Some("other-map") => next = next.or_else(|| unmapped.text("url").map(|url| url.into_owned())),
            _ => {}
        }
    }
    next
}
