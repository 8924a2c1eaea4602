//! What addresses inside a source stand for.

use super::scan::strings;
use crate::crypto::{Active, Provider};
use crate::schema::ResourceType;
use std::collections::HashMap;

/// The addresses of a source. They are kept as hashes; an id only where it is not in the address.
#[derive(Default)]
pub(super) struct Addresses(HashMap<u64, (u8, Option<Box<str>>)>);

impl Addresses {
    pub(super) fn put(&mut self, address: &str, kind: ResourceType, id: &str) {
        let same = address.strip_prefix("urn:uuid:") == Some(id);
        self.0.insert(hash(address), (kind.number(), (!same).then(|| id.into())));
    }
    pub(super) fn get(&self, address: &str) -> Option<String> {
        let (kind, id) = self.0.get(&hash(address))?;
        let kind = ResourceType::from_number(*kind)?;
        let id = id.as_deref().or_else(|| address.strip_prefix("urn:uuid:"))?;
        Some(format!("{kind}/{id}"))
    }
    /// Those that stand in the text of an entry, with what they stand for: at most as many as fit in `most` bytes.
    pub(super) fn met_in(&self, entry: &[u8], most: usize) -> Vec<(String, String)> {
        let mut met: Vec<(String, String)> = Vec::new();
        let mut size = 0;
        for text in strings(entry).filter(|text| !self.0.is_empty() && text.contains(':')) {
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

fn hash(address: &str) -> u64 {
    u64::from_be_bytes(Active::sha256(&[address.as_bytes()])[..8].try_into().expect("eight bytes"))
}
