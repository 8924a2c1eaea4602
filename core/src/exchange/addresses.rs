//! What addresses inside a source stand for.

use super::scan::strings;
use crate::schema::ResourceType;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The addresses of a source. They are kept as hashes under a key of this process, so that no source can be made to have two of
/// one hash; an id only where it is not in the address.
#[derive(Default)]
pub(super) struct Addresses {
    targets: HashMap<u64, (u8, Option<Box<str>>)>,
    key: RandomState,
}

impl Addresses {
    pub(super) fn put(&mut self, address: &str, kind: ResourceType, id: &str) {
        let same = address.strip_prefix("urn:uuid:") == Some(id);
        self.targets.insert(self.key.hash_one(address), (kind.number(), (!same).then(|| id.into())));
    }
    pub(super) fn get(&self, address: &str) -> Option<String> {
        if self.targets.is_empty() {
            return None;
        }
        let (kind, id) = self.targets.get(&self.key.hash_one(address))?;
        let kind = ResourceType::from_number(*kind)?;
        let id = id.as_deref().or_else(|| address.strip_prefix("urn:uuid:"))?;
        Some(format!("{kind}/{id}"))
    }
    /// Those that stand in the text of an entry, with what they stand for: at most as many as fit in `most` bytes.
    pub(super) fn met_in(&self, entry: &[u8], most: usize) -> Vec<(String, String)> {
        let mut met: Vec<(String, String)> = Vec::new();
        let mut size = 0;
        for text in strings(entry).filter(|text| !self.targets.is_empty() && text.contains(':')) {
            let Some(target) = self.get(&text) else { continue };
            size += text.len() + target.len();
            if size > most {
                break;
            }
            met.push((text.into_owned(), target));
        }
        met.sort();
        met.dedup();
        met
    }
}
