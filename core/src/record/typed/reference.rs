//! Where a reference points: FHIR R4, 2.3.0 (References).

use super::generated::builders::ReferenceBuilder;
use super::generated::views::Reference;
use crate::record::is_id;
use crate::schema::ResourceType;
use std::borrow::Cow;

/// Where `Reference.reference` points.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// `Type/id` or `Type/id/_history/version`: a resource on the same server.
    Relative {
        /// The resource type.
        kind: ResourceType,
        /// The logical id.
        id: String,
        /// The version, where one is named.
        version: Option<String>,
    },
    /// `#id`: a contained resource; `#` alone is the resource around it.
    Contained(String),
    /// Any other address, such as `urn:uuid:...` or a URL.
    Address(String),
}

impl Target {
    /// Reads the text of a reference. None where it is empty.
    pub fn parse(text: &str) -> Option<Target> {
        if text.is_empty() {
            return None;
        }
        if let Some(id) = text.strip_prefix('#') {
            return Some(Target::Contained(id.to_owned()));
        }
        let (path, version) = match text.split_once("/_history/") {
            Some((path, version)) if is_id(version.as_bytes()) => (path, Some(version.to_owned())),
            _ => (text, None),
        };
        let relative = path.split_once('/').and_then(|(kind, id)| {
            let kind = ResourceType::from_name(kind).filter(|_| is_id(id.as_bytes()))?;
            Some(Target::Relative { kind, id: id.to_owned(), version })
        });
        Some(relative.unwrap_or_else(|| Target::Address(text.to_owned())))
    }
}

/// `Debug` says the sort of target only: an id is content.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Relative { kind, .. } => write!(f, "Relative({kind}/..)"),
            Target::Contained(_) => f.write_str("Contained(..)"),
            Target::Address(_) => f.write_str("Address(..)"),
        }
    }
}

impl<'a> Reference<'a> {
    /// Where it points, where it says so by an address.
    pub fn target(self) -> Option<Target> {
        Target::parse(&self.reference()?)
    }
    /// The id of the resource it points to, where that is one of `kind` on the same server.
    pub fn id_of(self, kind: ResourceType) -> Option<Cow<'a, str>> {
        match self.target()? {
            Target::Relative { kind: found, id, .. } if found == kind => Some(Cow::Owned(id)),
            _ => None,
        }
    }
}

impl ReferenceBuilder {
    /// A reference to `Type/id`.
    pub fn to(kind: ResourceType, id: &str) -> Self {
        ReferenceBuilder::new().reference(format!("{kind}/{id}"))
    }
}
