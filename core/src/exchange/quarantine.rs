//! Entries kept aside: listed, mended, released.
//!
//! A number is given once and never again. An entry keeps what it needs to be released as if it had been right from the start:
//! its own address, the id the source knows it by, and what the addresses in it stand for.

use super::import::{assigned_id, issue_of, ledger_context};
use super::scan::type_and_id;
use crate::crypto::{Active, Provider};
use crate::ehr::{Draft, Pass, Path, Session, with_id};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::json;
use crate::ledger::{self, Fate, LedgerEntry, Quarantined};
use crate::limits::Limits;
use crate::record::is_id;
use crate::schema::ResourceType;
use crate::store::{Change, PutMeta, Reader, Store, Table, Writer};
use crate::vault::{self, Context, RowKind};

impl Session {
    /// What is in quarantine.
    ///
    /// # Errors
    /// - `denied`, of the store.
    pub fn quarantine(&self) -> Result<Vec<Quarantined>> {
        let pass = self.enter_for_all(Path::Quarantine)?;
        pass.note_now(pass.event.clone())?;
        let snapshot = pass.ungated_snapshot()?; // what is kept aside is no record yet
        let mut rows = Vec::new();
        snapshot.view().range(Table::Quarantine, &[], &[0xff; 9], &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        })?;
        rows.into_iter().map(|(key, value)| open(pass.store(), &key, &value)).collect()
    }

    /// Releases a quarantined entry: stores `mended` (or, without it, what was kept), takes it out of quarantine and writes a
    /// line of the ledger, in one change set. References into its Bundle are resolved as they would have been; where the
    /// record has no id it gets the one that the other entries know it by.
    ///
    /// # Errors
    /// - `quarantine-unknown`; `record-invalid` where it still has errors: it stays in quarantine. `invalid-argument`: what was
    ///   mended is another record than what was kept. `denied`: it says what this session may not write, or would stand over what
    ///   it may not see.
    pub fn release(&self, number: u64, mended: Option<&[u8]>) -> Result<(ResourceType, String)> {
        let mut pass = self.enter_for_all(Path::Release)?;
        match released(number, mended, &mut pass) {
            Err(error) => pass.refuse(error),
            Ok((done, change)) => {
                pass.commit(change)?;
                Ok(done)
            }
        }
    }
}

fn released<'s>(
    number: u64,
    mended: Option<&[u8]>,
    pass: &mut Pass<'s>,
) -> Result<((ResourceType, String), Draft<'s>)> {
    let store = pass.store();
    let key = number.to_be_bytes().to_vec();
    let mut change = pass.change()?;
    let row = change.view().get(Table::Quarantine, &key)?.ok_or_else(|| Code::QuarantineUnknown.error())?;
    let kept = open(store, &key, &row)?;
    let bytes = mended.unwrap_or(kept.bytes.expose());
    let mut parsed = json::read(bytes, &Limits::DEFAULT)?;
    let id_assigned = parsed.report.is_valid() && parsed.record.root().get("id").is_none();
    if id_assigned {
        let id = if kept.id.is_empty() { assigned_id(kept.full_url.as_deref(), bytes) } else { kept.id.clone() };
        parsed = json::read(&with_id(bytes, &id), &Limits::DEFAULT)?;
    }
    if !parsed.report.is_valid() {
        return Err(Code::RecordInvalid.error().with_issues(parsed.report.into_issues()));
    }
    let record = parsed.record;
    let kind = record.kind();
    let Some(id) = record.id().map(str::to_owned) else {
        let issue = issue_of(&Code::PrimitiveForm.at(format!("{kind}.id")));
        return Err(Code::RecordInvalid.error().with_issues(vec![issue]));
    };
    (pass.event.resource, pass.event.id) = (Some(kind), id.clone());
    if mended.is_some() && !is_the_same(&kept, kind, &id) {
        return Err(Code::InvalidArgument.error().expected("the type and the id of the entry that was kept"));
    }
    let resolve =
        |address: &str| kept.addresses.iter().find(|(known, _)| known == address).map(|(_, target)| target.clone());
    let meta = PutMeta { resolve: &resolve, source: kept.source, entry: kept.entry, ..PutMeta::DIRECT };
    let version = match mended {
        Some(_) => change.put(&record, &meta)?,
        None => change.ungated().put(&record, &meta)?, // as it was imported, by who may import
    }
    .version();
    if let Some(address) = kept.full_url.as_deref().filter(|address| is_alias(address, kind, &id)) {
        change.alias(address, &format!("{kind}/{id}"))?;
    }
    change.table_remove(Table::Quarantine, key)?;
    let line = LedgerEntry {
        source: kept.source,
        entry: kept.entry,
        offset: kept.offset,
        fate: Fate::Released,
        reason: None,
        kind: Some(kind),
        id: id.clone(),
        version,
        id_assigned,
    };
    let plain = ledger::encode(&[line]).concat(); // one line is one row
    put_release_line(store, &mut change, kept.source, &plain)?;
    let digest = Active::sha256(&[record.original(), &plain]);
    (pass.event.version, pass.event.count, pass.event.digest) = (version, 1, digest);
    Ok(((kind, id), change))
}

/// Whether a mended record is the one that was kept, as far as that said which it was.
fn is_the_same(kept: &Quarantined, kind: ResourceType, id: &str) -> bool {
    let (named, _) = type_and_id(kept.bytes.expose());
    let of = named.as_deref().and_then(ResourceType::from_name);
    let free = kept.id.is_empty() || !is_id(kept.id.as_bytes());
    of.is_none_or(|of| of == kind) && (free || kept.id == id)
}

/// Whether an address has to be remembered because it does not say by itself which record it stands for.
pub(super) fn is_alias(address: &str, kind: ResourceType, id: &str) -> bool {
    let place = address
        .strip_suffix(id)
        .and_then(|rest| rest.strip_suffix('/'))
        .is_some_and(|rest| rest.ends_with(kind.name()));
    !place && address.strip_prefix("urn:uuid:") != Some(id)
}

/// Lines of releases stand behind those of the import itself, whose numbers an import that is resumed goes on with.
pub(super) const RELEASES: u32 = 1 << 31;

fn put_release_line(store: &Store, change: &mut Draft<'_>, source: u32, plain: &[u8]) -> Result<()> {
    let key = |chunk: u32| [source.to_be_bytes(), chunk.to_be_bytes()].concat();
    let last = change.view().last(Table::Ledger, &key(RELEASES), &key(u32::MAX))?;
    let chunk = match last.as_ref().and_then(|(key, _)| key.last_chunk::<4>()) {
        Some(last) => u32::from_be_bytes(*last).checked_add(1).ok_or_else(|| Code::LimitCount.error())?,
        None => RELEASES,
    };
    let key = key(chunk);
    let sealed = vault::seal(store.keys().store_key(), &ledger_context(store, &key)?, plain, store.random())?;
    change.table_put(Table::Ledger, key, sealed)
}

/// What became of an entry that was kept aside before, by an earlier import of the same source.
pub(super) enum Before {
    /// It is in quarantine still.
    Kept,
    /// It was mended and released.
    Released,
}

/// The places of quarantine rows: what was kept is found again by its source and entry.
pub(super) struct Shelf<'a> {
    store: &'a Store,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Shelf { store }
    }

    /// What became of this entry of this source, where it was kept aside before.
    pub(super) fn before(&self, change: &Change<'_>, fingerprint: &[u8; 32], entry: u32) -> Result<Option<Before>> {
        let key = self.entry_key(fingerprint, entry);
        let Some(sealed) = change.view().get(Table::Meta, &key)? else { return Ok(None) };
        let number = self.open_number(&key, &sealed)?;
        let there = change.view().get(Table::Quarantine, &number.to_be_bytes())?.is_some();
        Ok(Some(if there { Before::Kept } else { Before::Released }))
    }

    /// Keeps an entry under the next number.
    pub(super) fn keep(&self, change: &mut Change<'_>, fingerprint: &[u8; 32], mut kept: Quarantined) -> Result<()> {
        kept.number = self.next(change)?;
        let context = context(self.store, kept.number);
        let sealed = vault::seal(self.store.keys().store_key(), &context, &kept.encode(), self.store.random())?;
        change.table_put(Table::Quarantine, kept.number.to_be_bytes().to_vec(), sealed)?;
        for key in [LAST.to_vec(), self.entry_key(fingerprint, kept.entry)] {
            let sealed = self.seal_number(&key, kept.number)?;
            change.table_put(Table::Meta, key, sealed)?;
        }
        Ok(())
    }

    /// The number after the last one given, whether what had it is still there or not.
    fn next(&self, change: &Change<'_>) -> Result<u64> {
        let given = match change.view().get(Table::Meta, LAST)? {
            Some(sealed) => self.open_number(LAST, &sealed)?,
            // A store of a version that did not keep it.
            None => {
                let last = change.view().last(Table::Quarantine, &[], &[0xff; 9])?;
                last.and_then(|(key, _)| key.first_chunk().copied()).map_or(0, u64::from_be_bytes)
            }
        };
        given.checked_add(1).ok_or_else(|| Code::LimitCount.error())
    }

    fn entry_key(&self, fingerprint: &[u8; 32], entry: u32) -> Vec<u8> {
        let token = self.store.keys().token("kept", &[fingerprint, &entry.to_be_bytes()]);
        [&b"kept "[..], &token].concat()
    }

    fn seal_number(&self, key: &[u8], number: u64) -> Result<Vec<u8>> {
        let mut out = Writer::default();
        out.number(number);
        vault::seal(self.store.keys().store_key(), &self.number_context(key), &out.0, self.store.random())
    }

    pub(super) fn open_number(&self, key: &[u8], sealed: &[u8]) -> Result<u64> {
        let plain = vault::open(self.store.keys().store_key(), &self.number_context(key), sealed)?;
        Reader { rest: &plain }.number()
    }

    fn number_context<'k>(&self, key: &'k [u8]) -> Context<'k> {
        let mut context = Context::new(self.store.keys().store_id(), PatientNumber::SHARED, RowKind::Meta, 2, 0);
        context.labels = key;
        context
    }
}

/// Takes out what was kept aside of records that are destroyed: under their names, or, of a whole chart, naming its patient.
pub(crate) fn forget_quarantined(
    store: &Store,
    change: &mut Change<'_>,
    is_gone: &dyn Fn(ResourceType, &str) -> bool,
    patient: Option<&str>,
) -> Result<()> {
    let mut rows = Vec::new();
    change.view().range(Table::Quarantine, &[], &[0xff; 9], &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    })?;
    let named = patient.map(|patient| format!("Patient/{patient}"));
    for (key, value) in rows {
        let kept = open(store, &key, &value)?;
        let bytes = kept.bytes.expose();
        let (kind, id) = super::scan::type_and_id(bytes);
        let own = kind
            .and_then(|kind| ResourceType::from_name(&kind))
            .is_some_and(|kind| is_gone(kind, id.as_deref().unwrap_or(&kept.id)));
        let names = named.as_ref().is_some_and(|name| memchr::memmem::find(bytes, name.as_bytes()).is_some());
        if own || names {
            change.remove(Table::Quarantine, key)?;
        }
    }
    Ok(())
}

/// The row that says which number was given last.
const LAST: &[u8] = b"quarantine";

fn context(store: &Store, number: u64) -> Context<'static> {
    Context::new(store.keys().store_id(), PatientNumber::SHARED, RowKind::Quarantine, number, 0)
}

pub(super) fn open(store: &Store, key: &[u8], sealed: &[u8]) -> Result<Quarantined> {
    let number = u64::from_be_bytes(key.try_into().map_err(|_| Code::Corrupt.error())?);
    let plain = vault::open(store.keys().store_key(), &context(store, number), sealed)?;
    Quarantined::decode(number, &plain)
}
