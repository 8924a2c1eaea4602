//! What a session says in the audit log, and how it reads it.

use super::{Ehr, Path, Session};
use crate::audit::{self, Event, Hash, Head, MOST_PATIENTS, Proof};
use crate::error::Result;
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::store::Snapshot;
use std::collections::HashMap;

/// Says in an event how many records were shown, and whose: one patient's, or those of several.
pub(crate) fn say_whose(event: &mut Event, shown: impl Iterator<Item = PatientNumber>) {
    let mut patients: Vec<u32> = shown.map(|patient| patient.0).collect();
    event.count = patients.len() as u64;
    patients.sort_unstable();
    patients.dedup();
    name(event, patients);
}

/// Says in an event whose records it is about: numbers in order, each once.
pub(super) fn name(event: &mut Event, mut patients: Vec<u32>) {
    patients.retain(|patient| *patient != PatientNumber::SHARED.0);
    match patients.as_slice() {
        [] => {}
        [one] => event.patient = *one,
        _ => {
            patients.truncate(MOST_PATIENTS);
            event.patients = patients;
        }
    }
}

/// What the pseudonyms of the log stand for.
pub(super) struct Names<'s> {
    snapshot: &'s Snapshot<'s>,
    known: HashMap<(u8, [u8; 12]), String>,
}

impl<'s> Names<'s> {
    pub(super) fn new(snapshot: &'s Snapshot<'s>) -> Self {
        Names { snapshot, known: HashMap::new() }
    }

    /// The id; empty where there never was such a record, or its patient's key is gone.
    ///
    /// # Errors
    /// - of the store.
    pub(super) fn id(&mut self, kind: Option<ResourceType>, pseudonym: &[u8; 12]) -> Result<String> {
        let Some(kind) = kind.filter(|_| *pseudonym != [0; 12]) else { return Ok(String::new()) };
        let key = (kind.number(), *pseudonym);
        if let Some(id) = self.known.get(&key) {
            return Ok(id.clone());
        }
        let id = self.snapshot.id_of(kind, pseudonym)?.unwrap_or_default();
        self.known.insert(key, id.clone());
        Ok(id)
    }
}

impl Session {
    /// Proves that an event is in the log: whoever has the store's public key and a head can check it, and learns nothing of
    /// other events.
    ///
    /// # Errors
    /// - `denied`; `not-found`: there is no event of that number; `audit-broken`.
    pub fn audit_proof(&self, sequence: u64) -> Result<Proof> {
        let pass = self.enter(Path::AuditProof)?;
        pass.note_now(pass.event.clone())?;
        pass.read_log(|shelf, _| audit::prove(shelf, pass.store().keys(), sequence))
    }

    /// The same as a FHIR AuditEvent, one line of JSON, as [`Session::audit_export`] writes it.
    ///
    /// # Errors
    /// - as [`Session::audit_proof`].
    pub fn audit_event(&self, sequence: u64) -> Result<String> {
        let pass = self.enter(Path::AuditProof)?;
        pass.note_now(pass.event.clone())?;
        pass.read_log(|shelf, _| {
            let keys = pass.store().keys();
            audit::prove(shelf, keys, sequence)?.audit_event(keys.store_id())
        })
    }

    /// Reads what [`Ehr::audit_checkpoint`] gave, and checks its signature.
    ///
    /// # Errors
    /// - as [`Ehr::read_checkpoint`].
    pub fn read_checkpoint(&self, note: &str) -> Result<Head> {
        let keys = self.door.keys();
        Head::from_note(note, keys.store_id(), &keys.public_key())
    }

    /// Proves that the log continues that of a head kept outside: gives the path and the head of now.
    ///
    /// # Errors
    /// - `denied`; `audit-broken`: the log was cut off, put back, or made anew.
    pub fn audit_continues(&self, outside: &Head) -> Result<(Vec<Hash>, Head)> {
        let pass = self.enter(Path::AuditContinues)?;
        pass.note_now(pass.event.clone())?;
        pass.read_log(|shelf, _| audit::continuation(shelf, pass.store().keys(), outside))
    }
}

/// What [`Session::audit_export`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditExport {
    /// How many events.
    pub events: u64,
    /// The checkpoint they are proven against.
    pub checkpoint: String,
}

impl Session {
    /// Writes the events from `from` on to a folder, for somebody who has neither this library nor the store: `audit.ndjson` with a
    /// FHIR AuditEvent a line (IHE BALP), each with its proof; `checkpoint.txt`; and where `since`, a head kept outside, is given,
    /// `consistency.txt`, which proves that the log continues it. The program core/tools/verify_audit.py checks them.
    ///
    /// # Durability
    /// The event of this export is on disk before the first line is written, and is the last of the lines.
    ///
    /// # Privacy
    /// The lines say who did what, when and why, with pseudonyms for records and patients; no id, no query, no reason.
    ///
    /// # Errors
    /// - `denied`; `not-found`: the log is not that long; `audit-broken`; `io`.
    pub fn audit_export(&self, folder: &std::path::Path, from: u64, since: Option<&Head>) -> Result<AuditExport> {
        let pass = self.enter(Path::AuditExport)?;
        pass.note_now(pass.event.clone())?;
        pass.read_log(|shelf, _| {
            let keys = pass.store().keys();
            let size = audit::head(shelf, keys)?.map_or(0, |head| head.size);
            let mut lines = std::io::BufWriter::new(std::fs::File::create(folder.join("audit.ndjson"))?);
            let head = audit::export(shelf, keys, from, size, &mut lines)?;
            std::io::Write::flush(&mut lines)?;
            let checkpoint = head.note(keys.store_id(), &keys.public_key());
            std::fs::write(folder.join("checkpoint.txt"), &checkpoint)?;
            if let Some(since) = since {
                let (path, _) = audit::continuation(shelf, keys, since)?;
                std::fs::write(folder.join("consistency.txt"), audit::path_text(&path))?;
            }
            Ok(AuditExport { events: size - from, checkpoint })
        })
    }
}

impl Ehr {
    /// The head of the audit log as a signed note (C2SP checkpoint), to be kept outside; None where nothing was recorded.
    ///
    /// # Errors
    /// - as [`Ehr::audit_head`].
    pub fn audit_checkpoint(&self) -> Result<Option<String>> {
        let keys = self.0.store.keys();
        Ok(self.audit_head()?.map(|head| head.note(keys.store_id(), &keys.public_key())))
    }

    /// Reads what [`Ehr::audit_checkpoint`] gave, and checks its signature.
    ///
    /// # Errors
    /// - `checkpoint-unreadable`: it is none of this store. `audit-broken`: the signature does not fit.
    pub fn read_checkpoint(&self, note: &str) -> Result<Head> {
        let keys = self.0.store.keys();
        Head::from_note(note, keys.store_id(), &keys.public_key())
    }
}
