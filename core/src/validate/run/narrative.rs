//! What profiles ask of the parts of a narrative: where each comes from, and its language.

use super::Run;
use crate::error::Code;
use crate::record::Node;
use crate::report::Severity;
use crate::validate::profile::{Narrative, Profile};

impl<'a> Run<'a> {
    pub(super) fn narrative(&mut self, node: Node<'a>, profile: &Profile, rule: Narrative) {
        let Some(div) = node.text("div") else { return };
        let parts = parts(&div);
        let sourced = |part: &Part<'_>| match part {
            Part::Text => false,
            Part::Tag(tag) => {
                let class = attribute(tag, "class").unwrap_or_default();
                class.split(' ').any(|word| matches!(word, "boilerplate" | "generated" | "original"))
            }
        };
        if rule.sources && !parts.iter().all(sourced) {
            self.find(node, Code::NarrativeParts, Severity::Error, "a class for the source of each part")
                .of(profile)
                .done();
        }
        let spoken = parts.iter().any(|part| matches!(part, Part::Tag(tag) if attribute(tag, "lang").is_some()));
        let broken = match rule.languages {
            Some(true) if !spoken => Some("parts with a language"),
            Some(false) if spoken => Some("no parts with a language"),
            _ => None,
        };
        if let Some(wanted) = broken {
            self.find(node, Code::NarrativeParts, Severity::Error, wanted).of(profile).done();
        }
    }
}

/// What stands directly in the outermost element.
enum Part<'t> {
    Text,
    /// The start tag of an element.
    Tag(&'t str),
}

/// The parts of a narrative that was read before and found well-formed.
fn parts(div: &str) -> Vec<Part<'_>> {
    let (mut found, mut depth, mut rest) = (Vec::new(), 0_usize, div);
    while let Some(start) = rest.find('<') {
        if depth == 1 && !rest[..start].trim().is_empty() {
            found.push(Part::Text);
        }
        let Some(end) = rest[start..].find('>').map(|end| start + end) else { break };
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.starts_with(['!', '?']) {
            if depth == 1 {
                found.push(Part::Tag(tag));
            }
            depth += usize::from(!tag.ends_with('/'));
        }
    }
    found
}

fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next()
}
