//! The gate: every record that leaves a session goes through here, and comes out whole, masked, or not at all.
//!
//! What is not let through is as if it were not there: it is filtered before anything is matched, sorted, counted or cut into
//! pages, and the answer to who asks for it by name is that of a name nobody has.

use super::pass::Pass;
use crate::access::Decision;
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::limits::Watch;
use crate::schema::ResourceType;
use crate::search::Query;
use crate::store::{Admission, Cursor, Page, Snapshot, Stored};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What is committed, as far as a session may see it.
pub(crate) struct Gate<'s> {
    snapshot: Snapshot<'s>,
    scope: Scope,
    watch: Watch,
    /// Bytes of the records that the answer at hand holds.
    held: AtomicUsize,
}

impl<'s> Gate<'s> {
    pub(super) fn new(pass: &Pass<'s>, snapshot: Snapshot<'s>) -> Result<Gate<'s>> {
        let scope = match (pass.reach(), &pass.session().actor.patient) {
            (Decision::All, _) => Scope::All,
            (Decision::OnePatient, Some(id)) => Scope::One(snapshot.patient(id)?),
            _ => Scope::One(None),
        };
        Ok(Gate { snapshot, scope, watch: pass.watch().clone(), held: AtomicUsize::new(0) })
    }

    /// The snapshot behind the gate, for what is no record: the name of an import source.
    pub(crate) fn ungated(&self) -> &Snapshot<'s> {
        &self.snapshot
    }

    /// The current version of a record.
    pub(crate) fn current(&self, kind: ResourceType, id: &str) -> Result<Option<Stored>> {
        self.let_through(self.snapshot.current(kind, id)?)
    }

    /// The version that was the newest at an instant; a deletion is none, and of a record that is retracted now there is none.
    pub(crate) fn as_of(&self, kind: ResourceType, id: &str, at: Timestamp) -> Result<Option<Stored>> {
        if self.snapshot.newest(kind, id)?.is_none_or(|newest| newest.is_retracted()) {
            return Ok(None);
        }
        self.let_through(self.snapshot.as_of(kind, id, at)?.filter(Stored::is_shown))
    }

    /// Every version, newest first, deletions included; of a record that is retracted now, nothing.
    pub(crate) fn history(&self, kind: ResourceType, id: &str) -> Result<Vec<Stored>> {
        let mut shown = Vec::new();
        let all = self.snapshot.history(kind, id)?;
        if all.first().is_some_and(Stored::is_retracted) {
            return Ok(shown);
        }
        for stored in all {
            shown.extend(self.record(stored)?);
        }
        Ok(shown)
    }

    /// Every version of a record that is retracted, newest first; of any other, nothing.
    pub(crate) fn retracted(&self, kind: ResourceType, id: &str) -> Result<Vec<Stored>> {
        let mut shown = Vec::new();
        let all = self.snapshot.history(kind, id)?;
        if all.first().is_some_and(Stored::is_retracted) {
            for stored in all {
                shown.extend(self.record(stored)?);
            }
        }
        Ok(shown)
    }

    /// The number of a patient of whom something may be seen.
    pub(crate) fn patient(&self, id: &str) -> Result<Option<PatientNumber>> {
        Ok(self.snapshot.patient(id)?.filter(|number| self.scope.reaches(ResourceType::PATIENT, *number)))
    }

    /// The numbers of all patients, those of no single patient (0) first.
    pub(crate) fn patients(&self) -> Result<Vec<PatientNumber>> {
        self.snapshot.patients()
    }

    /// Every current record of a patient, by type and as written.
    pub(crate) fn chart(&self, patient: PatientNumber) -> Result<Vec<Stored>> {
        self.held.store(0, Relaxed);
        let mut shown = Vec::new();
        for stored in self.snapshot.chart(patient)? {
            shown.extend(self.record(stored)?);
        }
        Ok(shown)
    }

    /// The chart of a patient by logical id; `not-found` where there is nothing to see.
    pub(crate) fn chart_of(&self, id: &str) -> Result<Vec<Stored>> {
        let number = self.patient(id)?.ok_or_else(|| Code::NotFound.error())?;
        let chart = self.chart(number)?;
        if chart.is_empty() { Err(Code::NotFound.error()) } else { Ok(chart) }
    }

    /// A page of the records that match.
    pub(crate) fn search(&self, query: &Query, from: Option<Cursor>, count: usize) -> Result<Page> {
        self.held.store(0, Relaxed);
        self.snapshot.search(query, from, count, self)
    }

    fn let_through(&self, found: Option<Stored>) -> Result<Option<Stored>> {
        match found {
            Some(stored) => self.record(stored),
            None => Ok(None),
        }
    }
}

impl Admission for Gate<'_> {
    fn patient(&self, kind: ResourceType, patient: PatientNumber) -> Result<bool> {
        self.watch.look()?;
        Ok(self.scope.reaches(kind, patient))
    }
    fn record(&self, stored: Stored) -> Result<Option<Stored>> {
        self.watch.look()?;
        let held = self.held.fetch_add(stored.bytes().len() + RECORD, Relaxed);
        self.watch.hold(held + stored.bytes().len() + RECORD)?;
        Ok(Some(stored).filter(|stored| self.scope.reaches(stored.kind(), stored.patient())))
    }
}

/// Bytes a record takes beside its own.
const RECORD: usize = 128;

enum Scope {
    All,
    One(Option<PatientNumber>),
}

impl Scope {
    /// A record whose type belongs in a patient's compartment but which names no patient we know may be anybody's: a permit
    /// for one patient does not reach it.
    fn reaches(&self, kind: ResourceType, patient: PatientNumber) -> bool {
        match self {
            Scope::All => true,
            Scope::One(_) if patient == PatientNumber::SHARED => {
                kind != ResourceType::PATIENT && kind.patient_paths().is_empty()
            }
            Scope::One(own) => Some(patient) == *own,
        }
    }
}
