//! The versions a change set writes: what may be written, and what waits for its block.

use super::found::patient_of;
use super::newest::Newest;
use super::{Change, Outcome, PutMeta};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::record::{Compartment, Record};
use crate::schema::ResourceType;
use crate::store::layout::Place;
use crate::store::note::{ChangeKind, Note};
use std::ops::Range;

pub(super) struct Pending {
    pub(super) chart: (u32, u8),
    pub(super) kind: ResourceType,
    pub(super) id: Range<usize>,
    pub(super) key: [u8; 13],
    pub(super) version: u32,
    pub(super) deleted: bool,
    pub(super) retracted: bool,
    pub(super) before: Option<Place>,
    pub(super) source: u32,
    pub(super) entry: u32,
    pub(super) note: Option<Box<Note>>,
    pub(super) bytes: Range<usize>,
    pub(super) entries: Range<usize>,
}

impl Pending {
    /// Whether the record is there to be seen after this.
    pub(super) fn is_shown(&self) -> bool {
        !self.deleted && !self.retracted
    }
}

/// Types whose records tell who may see what of others.
const TELLING: [&str; 6] = ["CareTeam", "Consent", "Encounter", "Patient", "PractitionerRole", "RelatedPerson"];

/// Pending bytes at which blocks are made; they stay in memory, sealed, until the commit.
const FLUSH: usize = 4 << 20;

impl Change<'_> {
    /// Writes a record under its own id.
    ///
    /// # Errors
    /// - `invalid-argument`: the record has no id of a form FHIR allows.
    /// - `retracted`: it takes [`Change::restore`] first, so that what was retracted does not come back unseen.
    /// - `hold`, with whom to ask. `reason-required`: the store wants a note with every version after the first. `destroyed`.
    /// - of the backend.
    pub fn put(&mut self, record: &Record, meta: &PutMeta<'_>) -> Result<Outcome> {
        self.write(record, meta, false)
    }

    /// Says whether [`Change::put`] would refuse the record for what was decided about it before; writes nothing.
    ///
    /// # Errors
    /// - as [`Change::put`].
    pub fn may_put(&mut self, record: &Record, meta: &PutMeta<'_>) -> Result<()> {
        let Some(id) = record.id() else { return Ok(()) };
        let newest = self.newest(&self.store.id_key(record.kind(), id))?;
        if newest.as_ref().is_some_and(|newest| newest.bytes() == Some(record.original())) {
            return Ok(());
        }
        self.admit(record.kind(), id, newest.as_ref(), meta, false)
    }

    /// What was decided about a record before, and may stand in the way of a further version.
    pub(super) fn admit(
        &mut self,
        kind: ResourceType,
        id: &str,
        newest: Option<&Newest>,
        meta: &PutMeta<'_>,
        restoring: bool,
    ) -> Result<()> {
        let Some(newest) = newest else { return self.refuse_destroyed(&self.store.id_key(kind, id)) };
        self.refuse_held(newest.place.patient, kind, id)?;
        if newest.slot().retracted && !restoring {
            return Err(Code::Retracted.error());
        }
        if meta.note.is_none() && meta.source == 0 && self.reason_required()? {
            return Err(Code::ReasonRequired.error());
        }
        Ok(())
    }

    pub(super) fn reason_required(&mut self) -> Result<bool> {
        if self.reason_required.is_none() {
            self.reason_required = Some(self.store.rules(&self.rows)?.first() == Some(&1));
        }
        Ok(self.reason_required == Some(true))
    }

    pub(super) fn write(&mut self, record: &Record, meta: &PutMeta<'_>, restoring: bool) -> Result<Outcome> {
        let id = record.id().ok_or_else(|| Code::InvalidArgument.error().expected("a record with an id"))?;
        let kind = record.kind();
        let key = self.store.id_key(kind, id);
        if let Some(&at) = self.by_id.get(&key) {
            if self.pending[at].is_shown() && self.texts[self.pending[at].bytes.clone()] == *record.original() {
                return Ok(Outcome::Unchanged(self.pending[at].version));
            }
            self.flush()?;
        }
        let before = self.newest(&key)?;
        if let Some(newest) = before.as_ref().filter(|newest| newest.bytes() == Some(record.original())) {
            return Ok(Outcome::Unchanged(newest.slot().version));
        }
        self.admit(kind, id, before.as_ref(), meta, restoring)?;
        let patient = match patient_of(record, &|address| self.resolve(meta, address)) {
            Some(id) => self.patient_number(&id)?,
            None => PatientNumber::SHARED.0,
        };
        let chart = (patient, Compartment::of(record) as u8);
        self.load_chart(chart)?;
        let entries = self.index(record, patient, meta);
        let version = before.as_ref().map_or(1, |newest| newest.slot().version.saturating_add(1));
        let (id, bytes) = (self.keep(id.as_bytes()), self.keep(record.original()));
        self.push(Pending {
            chart,
            kind,
            id,
            key,
            version,
            deleted: false,
            retracted: false,
            before: before.map(|newest| newest.place),
            source: meta.source,
            entry: meta.entry,
            note: meta.note.cloned().map(Box::new),
            bytes,
            entries,
        })?;
        Ok(if version == 1 { Outcome::Created } else { Outcome::Updated(version) })
    }

    /// Writes a version that says the record is deleted; earlier versions stay.
    ///
    /// # Errors
    /// - `not-found`: there is no such record, or it is deleted or retracted already. `hold`, `reason-required`.
    pub fn delete(&mut self, kind: ResourceType, id: &str, note: Option<&Note>) -> Result<u32> {
        self.end(kind, id, note)
    }

    /// Writes a version that hides the record: the bytes stay, no index has them, and no call that asks for the current
    /// version gives them.
    ///
    /// # Errors
    /// - `not-found`: there is no such record, or it is deleted or retracted already. `hold`.
    pub fn retract(&mut self, kind: ResourceType, id: &str, note: &Note) -> Result<u32> {
        self.end(kind, id, Some(note))
    }

    /// Undoes a retraction: a new version with the bytes of the one that was hidden.
    ///
    /// # Errors
    /// - `not-found`: there is no such record, or it is not retracted. `hold`.
    pub fn restore(&mut self, kind: ResourceType, id: &str, note: &Note) -> Result<Outcome> {
        let key = self.store.id_key(kind, id);
        if self.by_id.contains_key(&key) {
            self.flush()?;
        }
        let newest = self.newest(&key)?.filter(|newest| newest.slot().retracted);
        let newest = newest.ok_or_else(|| Code::NotFound.error())?;
        let record = Record::parse(newest.hidden_bytes())?;
        self.write(&record, &PutMeta { note: Some(note), ..PutMeta::DIRECT }, true)
    }

    /// Writes a version after which the record is no longer current: a deletion, or a retraction where there is a note of one.
    pub(super) fn end(&mut self, kind: ResourceType, id: &str, note: Option<&Note>) -> Result<u32> {
        let key = self.store.id_key(kind, id);
        if self.by_id.contains_key(&key) {
            self.flush()?;
        }
        let retracted = note.is_some_and(|note| note.kind == ChangeKind::Retract);
        let newest = self.newest(&key)?.filter(|newest| newest.bytes().is_some());
        let newest = newest.ok_or_else(|| Code::NotFound.error())?;
        self.admit(kind, id, Some(&newest), &PutMeta { note, ..PutMeta::DIRECT }, false)?;
        let bytes = if retracted { self.keep(newest.hidden_bytes()) } else { 0..0 };
        self.load_chart(newest.place.chart())?;
        let version = newest.slot().version.saturating_add(1);
        let id = self.keep(id.as_bytes());
        self.push(Pending {
            chart: newest.place.chart(),
            kind,
            id,
            key,
            version,
            deleted: !retracted,
            retracted,
            before: Some(newest.place),
            source: 0,
            entry: 0,
            note: note.cloned().map(Box::new),
            bytes,
            entries: 0..0,
        })?;
        Ok(version)
    }

    /// Writes a version that hides a record whatever holds say: it is not shown that no later one is lost. Not for what is hidden or
    /// deleted already.
    pub(in crate::store) fn hide(&mut self, place: Place, key: [u8; 13], note: &Note) -> Result<()> {
        let newest = self.at(place)?;
        self.load_chart(place.chart())?;
        let slot = newest.slot().clone();
        let id = self.keep(&newest.block.bytes[slot.id.clone()]);
        let bytes = self.keep(newest.hidden_bytes());
        self.push(Pending {
            chart: place.chart(),
            kind: slot.kind,
            id,
            key,
            version: slot.version.saturating_add(1),
            deleted: false,
            retracted: true,
            before: Some(place),
            source: 0,
            entry: 0,
            note: Some(Box::new(note.clone())),
            bytes,
            entries: 0..0,
        })
    }

    /// Keeps a text until the next flush.
    pub(super) fn keep(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        start..self.texts.len()
    }

    pub(super) fn push(&mut self, pending: Pending) -> Result<()> {
        let pending_kind = pending.kind;
        self.pending_bytes += pending.bytes.len() + pending.entries.len() * 24 + 200;
        self.last_patient = Some(PatientNumber(pending.chart.0));
        self.by_id.insert(pending.key, self.pending.len());
        self.pending.push(pending);
        self.written += 1;
        self.tells |= TELLING.contains(&pending_kind.name());
        if self.pending_bytes > FLUSH { self.flush() } else { Ok(()) }
    }
}
