//! What a record is found by, and whose it is.

use super::{Change, PutMeta};
use crate::error::Result;
use crate::record::Record;
use crate::schema::ResourceType;
use crate::search::{extract, hash64, parse_reference};
use crate::store::{Table, terms};
use crate::vault::RowKind;
use std::ops::Range;

/// Most addresses whose meaning is kept between flushes.
const RESOLVED: usize = 1 << 14;

impl Change<'_> {
    /// Remembers that an address stands for `target` (`Type/id`).
    ///
    /// # Errors
    /// - of the backend.
    pub fn alias(&mut self, address: &str, target: &str) -> Result<()> {
        let key = self.store.alias_key(address);
        let mut context = self.store.context(0, RowKind::Alias, 0);
        context.labels = address.as_bytes();
        let sealed = crate::vault::seal(self.store.keys.store_key(), &context, target.as_bytes(), &*self.store.random)?;
        let back = [&self.store.aliased_key(target)[..], &key[b"alias ".len()..]].concat();
        self.rows.mine.put(Table::Meta, back, Vec::new());
        self.rows.mine.put(Table::Meta, key, sealed);
        self.resolved.get_mut().clear();
        Ok(())
    }

    pub(super) fn resolve(&self, meta: &PutMeta<'_>, address: &str) -> Option<String> {
        if let Some(target) = (meta.resolve)(address) {
            return Some(target);
        }
        let mut resolved = self.resolved.borrow_mut();
        if let Some(target) = resolved.get(address) {
            return target.clone();
        }
        if resolved.len() >= RESOLVED {
            resolved.clear();
        }
        let target = self.store.resolve(&self.rows, address).ok().flatten();
        resolved.insert(address.into(), target.clone());
        target
    }

    /// Collects what the record is found by.
    pub(in crate::store) fn index(&mut self, record: &Record, patient: u32, meta: &PutMeta<'_>) -> Range<usize> {
        let start = self.entries.len();
        let mut entries = std::mem::take(&mut self.entries);
        let mut found: Vec<(u64, [u8; 12])> = Vec::new();
        let Change { store, seen, writing, .. } = &mut *self;
        let known = &mut writing.as_mut().expect("held until the commit").tokens;
        let mut term = |label: &'static str, text: &str| {
            let hash = hash64(&[label.as_bytes(), text.as_bytes()]);
            if seen.insert((hash, patient)) {
                let token = *known.entry(hash).or_insert_with(|| store.token_key(label, text));
                let mut key = [0; 12];
                key[..8].copy_from_slice(&token);
                key[8..].copy_from_slice(&patient.to_be_bytes());
                found.push((hash, key));
            }
        };
        term("type", record.kind().name());
        let mut references = Vec::new();
        extract(record, |parameter, value| {
            terms::terms(parameter.code, &value, &mut term);
            if matches!(&value, crate::search::Value::Reference(text) if text.contains(':')) {
                references.push((parameter.number, value));
            } else {
                terms::entries(parameter.number, &value, &|_| None, |number, value, extra| {
                    entries.push((number, value, extra))
                });
            }
        });
        if known.len() > 1 << 16 {
            known.clear();
        }
        self.tokens.extend(found.into_iter().map(|(_, key)| key));
        for (number, value) in references {
            let resolve = |address: &str| self.resolve(meta, address);
            terms::entries(number, &value, &resolve, |number, value, extra| entries.push((number, value, extra)));
        }
        self.entries = entries;
        start..self.entries.len()
    }

    /// Takes out what [`Change::index`] collected last.
    pub(in crate::store) fn take_entries(&mut self, range: Range<usize>) -> Vec<(u16, u64, u64)> {
        self.entries.split_off(range.start)
    }
}

/// Which patient a record belongs to: its logical id; None for records of no single patient.
pub(in crate::store) fn patient_of(record: &Record, resolve: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if record.kind() == ResourceType::PATIENT {
        return record.id().map(str::to_owned);
    }
    let mut patient = None;
    for path in record.kind().patient_paths() {
        record.select(path, |node| {
            let Some(text) = node.text("reference").filter(|_| patient.is_none()) else { return };
            let resolved = if text.contains(':') { resolve(&text) } else { None };
            if let Some((ResourceType::PATIENT, id)) = parse_reference(resolved.as_deref().unwrap_or(&text)) {
                patient = Some(id.to_owned());
            }
        });
        if patient.is_some() {
            break;
        }
    }
    patient
}
