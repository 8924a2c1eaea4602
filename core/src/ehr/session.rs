//! A session: one actor, one purpose, one way in.

use super::{Inner, ViewShelf};
use crate::access::{Action, Decision, Purpose, Role, decide};
use crate::audit::{self, Event, EventKind};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Error, Result};
use crate::id::{PatientNumber, uuid_from};
use crate::json;
use crate::limits::Limits;
use crate::record::Record;
use crate::schema::ResourceType;
use crate::search::Query;
use crate::store::{Cursor, Outcome, PutMeta, Snapshot, Stored};
use crate::time::Timestamp;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Who acts. The host answers for it having checked who this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The host's id of the user.
    pub id: String,
    /// In which role.
    pub role: Role,
    /// For a patient or a caregiver: the logical id of the one patient they may see.
    pub patient: Option<String>,
}

impl Actor {
    /// An actor who is bound to no single patient.
    pub fn new(id: &str, role: Role) -> Actor {
        Actor { id: id.to_owned(), role, patient: None }
    }
    /// A patient or caregiver, bound to one patient.
    pub fn of_patient(id: &str, role: Role, patient: &str) -> Actor {
        Actor { patient: Some(patient.to_owned()), ..Actor::new(id, role) }
    }
}

/// A session. It can be used from several threads; dropping it writes the audit events that wait.
pub struct Session {
    inner: Arc<Inner>,
    /// Tells this session from others in the audit log.
    number: u64,
    pub(crate) actor: Actor,
    pub(crate) purpose: Purpose,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, {})", self.actor.role.name(), self.purpose.name())
    }
}

/// One thing to write in a change set.
#[derive(Clone)]
pub enum Write {
    /// A record; one without an id gets one.
    Put(Vec<u8>),
    /// A record, only where its current version has this number (0: where there is none).
    PutIfMatch(Vec<u8>, u32),
    /// A deletion.
    Delete(ResourceType, String),
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Write::Put(_) => "Put(..)",
            Write::PutIfMatch(..) => "PutIfMatch(..)",
            Write::Delete(..) => "Delete(..)",
        })
    }
}

/// What a write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The type.
    pub kind: ResourceType,
    /// The id, which may have been given by this write.
    pub id: String,
    /// The version that is current now.
    pub version: u32,
    /// Whether something was written; false where the bytes were the same.
    pub changed: bool,
}

/// A page of a search.
pub type Found = crate::store::Page;

/// One version of a history.
pub type HistoryEntry = Stored;

/// How many a search counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

/// Where a version comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who wrote it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// The change set.
    pub commit: u64,
    /// The import source and the entry in it; None for a direct write.
    pub source: Option<(u32, u32)>,
    /// The name of the source, as given to the import.
    pub source_name: Option<String>,
}

/// Paging of a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchOptions {
    /// Most records on the page; 0: as the query's `_count` says, else 100.
    pub count: usize,
    /// Where to start: the end of the page before.
    pub from: Option<Cursor>,
}

/// How much to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyLevel {
    /// The audit log: signature, seals, tree.
    Log,
    /// Also every current record of every patient, and every byte of the file: pages in use, free ones, the map.
    Records,
}

/// What was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Audit events.
    pub events: u64,
    /// Current records opened.
    pub records: u64,
    /// Patients.
    pub patients: u64,
}

impl Session {
    pub(super) fn begin(inner: Arc<Inner>, actor: Actor, purpose: Purpose) -> Result<Session> {
        let bound = matches!(actor.role, Role::Patient | Role::Caregiver);
        if actor.id.is_empty() || actor.id.len() > ACTOR_BYTES || bound && actor.patient.is_none() {
            return Err(Code::InvalidArgument
                .error()
                .expected("an actor with an id of at most 256 bytes, bound to a patient where the role asks"));
        }
        let mut number = [0; 8];
        inner.store.random().fill(&mut number)?;
        let session = Session { inner, number: u64::from_be_bytes(number), actor, purpose };
        session.inner.note_read(session.event(EventKind::SessionOpen))?;
        Ok(session)
    }

    pub(crate) fn store(&self) -> &crate::store::Store {
        &self.inner.store
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.now()
    }
    pub(crate) fn snapshot(&self) -> Result<Snapshot<'_>> {
        self.inner.store.snapshot()
    }
    /// Writes an event at once, with those that wait.
    pub(crate) fn inner_note(&self, event: Event) -> Result<()> {
        self.inner.note_now(event)
    }
    /// Commits a change set together with its event.
    pub(crate) fn commit(&self, change: crate::store::Change<'_>, event: Event) -> Result<u64> {
        self.inner.commit(change, event)
    }

    /// Marks the source of that fingerprint as being imported; None where another import of this process is at it.
    pub(crate) fn claim(&self, fingerprint: [u8; 32]) -> Option<Claim<'_>> {
        let importing = &self.inner.importing;
        let first = importing.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint);
        first.then_some(Claim { importing, fingerprint })
    }

    pub(crate) fn event(&self, kind: EventKind) -> Event {
        Event {
            role: self.actor.role as u8,
            purpose: self.purpose as u8,
            session: self.number,
            clock: self.inner.clock.source() as u8,
            ..Event::new(kind, self.inner.now(), &self.actor.id)
        }
    }

    /// The one way in: decides, and records a refusal. Gives how far the permit reaches.
    pub(crate) fn enter(&self, action: Action, event: &Event) -> Result<Decision> {
        match decide(self.actor.role, self.purpose, action) {
            Decision::Deny => self.refuse(event, Code::Denied.error()),
            decision => Ok(decision),
        }
    }

    /// As [`Session::enter`], for what takes a permit for every record.
    fn enter_for_all(&self, action: Action, event: &Event) -> Result<()> {
        match self.enter(action, event)? {
            Decision::All => Ok(()),
            _ => self.refuse(event, Code::Denied.error()),
        }
    }

    /// Records that something was not done, and why; then says so.
    pub(crate) fn refuse<T>(&self, event: &Event, error: Error) -> Result<T> {
        self.inner.note_read(Event { failed: Some(error.code().number()), ..event.clone() })?;
        Err(error)
    }

    /// What the session may see: a permit for one patient reaches that one, and types that belong to no patient.
    fn scope(&self, decision: Decision, snapshot: &Snapshot<'_>) -> Result<Scope> {
        Ok(match (decision, &self.actor.patient) {
            (Decision::All, _) => Scope::All,
            (Decision::OnePatient, Some(id)) => Scope::One(snapshot.patient(id)?),
            _ => Scope::One(None),
        })
    }

    /// Records a read, or what became of it, then gives it: nothing is shown whose event was not taken.
    fn show<T>(&self, event: Event, result: Result<T>) -> Result<T> {
        let failed = result.as_ref().err().map(|error| error.code().number());
        self.inner.note_read(Event { failed, ..event })?;
        result
    }

    /// Reads the current version of a record.
    ///
    /// # Errors
    /// - `not-found`: there is none, or not for this session. `denied`: the role may not read. `audit-unavailable`.
    pub fn read(&self, kind: ResourceType, id: &str) -> Result<Stored> {
        self.read_where(kind, id, EventKind::Read, Action::Read, |snapshot| snapshot.current(kind, id))
    }

    /// Reads one version of a record by its number.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn read_version(&self, kind: ResourceType, id: &str, version: u32) -> Result<Stored> {
        self.read_where(kind, id, EventKind::History, Action::History, |snapshot| {
            Ok(snapshot
                .history(kind, id)?
                .into_iter()
                .find(|stored| stored.version() == version && !stored.is_deleted()))
        })
    }

    /// Reads the version that was current at an instant.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn as_of(&self, kind: ResourceType, id: &str, at: Timestamp) -> Result<Stored> {
        self.read_where(kind, id, EventKind::History, Action::History, |snapshot| {
            Ok(snapshot.as_of(kind, id, at)?.filter(|stored| !stored.is_deleted()))
        })
    }

    fn read_where(
        &self,
        kind: ResourceType,
        id: &str,
        event: EventKind,
        action: Action,
        find: impl FnOnce(&Snapshot<'_>) -> Result<Option<Stored>>,
    ) -> Result<Stored> {
        let mut event = Event { resource: Some(kind), id: id.to_owned(), ..self.event(event) };
        let decision = self.enter(action, &event)?;
        let snapshot = self.inner.store.snapshot()?;
        let scope = self.scope(decision, &snapshot)?;
        let found = find(&snapshot).and_then(|found| {
            found.filter(|stored| scope.reaches(stored.kind(), stored.patient())).ok_or_else(|| Code::NotFound.error())
        });
        if let Ok(stored) = &found {
            event.patient = stored.patient().0;
            event.version = stored.version();
            event.count = 1;
        }
        self.show(event, found)
    }

    /// Every version of a record, newest first, deletions included.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn history(&self, kind: ResourceType, id: &str) -> Result<Vec<HistoryEntry>> {
        let mut event = Event { resource: Some(kind), id: id.to_owned(), ..self.event(EventKind::History) };
        let decision = self.enter(Action::History, &event)?;
        let snapshot = self.inner.store.snapshot()?;
        let scope = self.scope(decision, &snapshot)?;
        let found = snapshot.history(kind, id).and_then(|mut all| {
            all.retain(|stored| scope.reaches(stored.kind(), stored.patient()));
            if all.is_empty() { Err(Code::NotFound.error()) } else { Ok(all) }
        });
        if let Ok(all) = &found {
            event.patient = all[0].patient().0;
            event.count = all.len() as u64;
        }
        self.show(event, found)
    }

    /// A page of the records that match a query in FHIR's search syntax, such as `name=smith&birthdate=ge1980`.
    ///
    /// # Errors
    /// - `query-invalid`; else as [`Session::read`].
    pub fn search(&self, kind: ResourceType, query: &str, options: SearchOptions) -> Result<Found> {
        let mut event = Event { resource: Some(kind), query: query.to_owned(), ..self.event(EventKind::Search) };
        let decision = self.enter(Action::Search, &event)?;
        let found = Query::parse(kind, query).and_then(|query| {
            let count = if options.count > 0 { options.count } else { query.count.clamp(0, 10_000) };
            let count = if count == 0 { 100 } else { count };
            let snapshot = self.inner.store.snapshot()?;
            let scope = self.scope(decision, &snapshot)?;
            snapshot.search(&query, options.from, count, &|patient| scope.reaches(kind, patient))
        });
        if let Ok(page) = &found {
            super::trail::say_whose(&mut event, page.records.iter().map(Stored::patient));
        }
        self.show(event, found)
    }

    /// How many records match a query; for those who may count and not see.
    ///
    /// # Errors
    /// - as [`Session::search`].
    pub fn count(&self, kind: ResourceType, query: &str) -> Result<Count> {
        let event = Event { resource: Some(kind), query: query.to_owned(), ..self.event(EventKind::Search) };
        let decision = self.enter(Action::Count, &event)?;
        let counted = Query::parse(kind, query).and_then(|query| {
            let snapshot = self.inner.store.snapshot()?;
            let scope = self.scope(decision, &snapshot)?;
            let (mut total, mut from) = (0, None);
            loop {
                let page = snapshot.search(&query, from, 1000, &|patient| scope.reaches(kind, patient))?;
                total += page.records.len() as u64;
                from = page.next;
                if from.is_none() {
                    return Ok(Count(total));
                }
            }
        });
        self.show(event, counted)
    }

    /// Every current record of a patient.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn chart(&self, patient: &str) -> Result<Vec<Stored>> {
        self.chart_for(patient, EventKind::Chart, Action::Chart)
    }

    /// A patient's chart as one HTML page that needs nothing else; see [`crate::chart`].
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn chart_page(&self, patient: &str) -> Result<String> {
        let records = self.chart(patient)?.iter().map(Stored::record).collect::<Result<Vec<Record>>>()?;
        Ok(crate::chart::page(&records, self.inner.now()))
    }

    pub(crate) fn chart_for(&self, patient: &str, kind: EventKind, action: Action) -> Result<Vec<Stored>> {
        let mut event =
            Event { resource: ResourceType::from_name("Patient"), id: patient.to_owned(), ..self.event(kind) };
        let decision = self.enter(action, &event)?;
        let snapshot = self.inner.store.snapshot()?;
        let scope = self.scope(decision, &snapshot)?;
        let found = snapshot.patient(patient).and_then(|number| {
            let number = number
                .filter(|number| scope.reaches(ResourceType::PATIENT, *number))
                .ok_or_else(|| Code::NotFound.error())?;
            let chart = snapshot.chart(number)?;
            if chart.is_empty() { Err(Code::NotFound.error()) } else { Ok(chart) }
        });
        if let Ok(chart) = &found {
            event.patient = chart[0].patient().0;
            event.count = chart.len() as u64;
        }
        self.show(event, found)
    }

    /// Where a version comes from: who wrote it, when, from which entry of which source. Version 0 is the current one.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn provenance(&self, kind: ResourceType, id: &str, version: u32) -> Result<Origin> {
        let stored = if version == 0 { self.read(kind, id)? } else { self.read_version(kind, id, version)? };
        let (source, entry) = stored.origin();
        let snapshot = self.inner.store.snapshot()?;
        let source_name = crate::exchange::import::source_name(&self.inner.store, &snapshot, source)?;
        Ok(Origin {
            actor: stored.actor().to_owned(),
            at: stored.at(),
            commit: stored.commit(),
            source: (source > 0).then_some((source, entry)),
            source_name,
        })
    }

    /// Writes one record: one durable change set. A record without an id gets one.
    ///
    /// # Durability
    /// When this returns, the version and its audit event are on disk; when it fails, neither is.
    ///
    /// # Errors
    /// - `record-invalid`, with the findings: nothing was written. Those of [`crate::json::read`]. `denied`,
    ///   `audit-unavailable`, `store-io`.
    pub fn write(&self, record: &[u8]) -> Result<Written> {
        let mut written = self.change_set(vec![Write::Put(record.to_vec())])?;
        written.pop().ok_or_else(|| Code::Internal.error())
    }

    /// Writes one record where its current version has the number `version` (0: where there is none).
    ///
    /// # Errors
    /// - `conflict`: it has another. Else as [`Session::write`].
    pub fn write_if_match(&self, record: &[u8], version: u32) -> Result<Written> {
        let mut written = self.change_set(vec![Write::PutIfMatch(record.to_vec(), version)])?;
        written.pop().ok_or_else(|| Code::Internal.error())
    }

    /// Writes a version that says the record is deleted. Earlier versions stay.
    ///
    /// # Errors
    /// - `not-found`; else as [`Session::write`].
    pub fn delete(&self, kind: ResourceType, id: &str) -> Result<Written> {
        let mut written = self.change_set(vec![Write::Delete(kind, id.to_owned())])?;
        written.pop().ok_or_else(|| Code::Internal.error())
    }

    /// Writes several things as one: all of them or none.
    ///
    /// # Durability
    /// As [`Session::write`].
    ///
    /// # Errors
    /// - as [`Session::write`]; the first failure ends the change set.
    pub fn change_set(&self, writes: Vec<Write>) -> Result<Vec<Written>> {
        let kind =
            if writes.iter().all(|w| matches!(w, Write::Delete(..))) { EventKind::Delete } else { EventKind::Update };
        let mut event = self.event(kind);
        if writes.is_empty() {
            self.enter_for_all(Action::Update, &event)?;
            return Ok(Vec::new());
        }
        for write in &writes {
            let action = if matches!(write, Write::Delete(..)) { Action::Delete } else { Action::Update };
            self.enter_for_all(action, &event)?;
        }
        match self.changed(writes, &mut event) {
            Err(error) => self.refuse(&event, error),
            done => done,
        }
    }

    /// Makes the change set and fills in its event.
    fn changed(&self, writes: Vec<Write>, event: &mut Event) -> Result<Vec<Written>> {
        let alone = writes.len() == 1;
        let about = |event: &mut Event, kind: ResourceType, id: &str| {
            if alone {
                (event.resource, event.id) = (Some(kind), id.to_owned());
            }
        };
        let mut change = self.inner.store.change(self.inner.now(), &self.actor.id)?;
        let (mut done, mut hashes) = (Vec::with_capacity(writes.len()), Vec::new());
        for write in writes {
            let (bytes, expected) = match write {
                Write::Delete(kind, id) => {
                    about(event, kind, &id);
                    let version = change.delete(kind, &id)?;
                    hashes.extend(Active::sha256(&[kind.name().as_bytes(), b"/", id.as_bytes(), b" deleted"]));
                    done.push(Written { kind, id, version, changed: true });
                    continue;
                }
                Write::Put(bytes) => (bytes, None),
                Write::PutIfMatch(bytes, version) => (bytes, Some(version)),
            };
            let record = self.checked(bytes)?;
            let (kind, id) = (record.kind(), record.id().ok_or_else(|| Code::Internal.error())?.to_owned());
            about(event, kind, &id);
            if let Some(expected) = expected {
                if change.current_version(kind, &id)?.unwrap_or(0) != expected {
                    return Err(Code::Conflict.error());
                }
            }
            let outcome = change.put(&record, &PutMeta::DIRECT)?;
            if outcome == Outcome::Created {
                event.kind =
                    if event.kind == EventKind::Update && done.is_empty() { EventKind::Create } else { event.kind };
            }
            hashes.extend(Active::sha256(&[record.original()]));
            done.push(Written {
                kind,
                id,
                version: outcome.version(),
                changed: !matches!(outcome, Outcome::Unchanged(_)),
            });
        }
        if let [only] = done.as_slice() {
            event.version = only.version;
        }
        event.count = done.iter().filter(|written| written.changed).count() as u64;
        event.digest = Active::sha256(&[&hashes]);
        self.inner.commit(change, event.clone())?;
        Ok(done)
    }

    /// Reads and checks a record that is to be written; gives it an id where it has none.
    fn checked(&self, bytes: Vec<u8>) -> Result<Record> {
        let parsed = json::read(&bytes, &Limits::DEFAULT)?;
        if !parsed.report.is_valid() {
            return Err(Code::RecordInvalid.error().with_issues(parsed.report.into_issues()));
        }
        if parsed.record.id().is_some() {
            return Ok(parsed.record);
        }
        let mut random = [0; 16];
        self.inner.store.random().fill(&mut random)?;
        Record::parse(&with_id(&bytes, &uuid_from(random)))
    }

    /// The audit events from `from` on, at most `count`: newest last.
    ///
    /// # Privacy
    /// The log names records by pseudonyms. An event's `id` is what its pseudonym stands for; it is empty where there never was
    /// such a record, or the patient's key was destroyed since. The pseudonym stays, and so does the proof.
    ///
    /// # Errors
    /// - `denied`, `audit-broken`.
    pub fn audit(&self, from: u64, count: usize) -> Result<Vec<(u64, Event)>> {
        let event = self.event(EventKind::AuditRead);
        self.enter(Action::Audit, &event)?;
        self.inner.note_now(event)?;
        let snapshot = self.inner.store.snapshot()?;
        let shelf = ViewShelf(snapshot.view());
        let keys = self.inner.store.keys();
        let size = audit::head(&shelf, keys)?.map_or(0, |head| head.size);
        let to = size.min(from.saturating_add(count as u64));
        let mut events = audit::events(&shelf, keys, from, to)?;
        let mut names = super::trail::Names::new(&snapshot);
        for (_, event) in &mut events {
            event.id = names.id(event.resource, &event.pseudonym)?;
        }
        Ok(events)
    }

    /// Verifies the audit log and, by level, the records. `outside`: a head kept outside the store.
    ///
    /// # Errors
    /// - `audit-broken`: the log is not what was written. `corrupt`, `wrong-key`: a record is not.
    pub fn verify(&self, level: VerifyLevel, outside: Option<&audit::Head>) -> Result<VerifyReport> {
        let event = self.event(EventKind::Verify);
        self.enter(Action::Verify, &event)?;
        self.inner.flush()?;
        let verified = self.verified(level, outside);
        self.show(event, verified)
    }

    fn verified(&self, level: VerifyLevel, outside: Option<&audit::Head>) -> Result<VerifyReport> {
        let snapshot = self.inner.store.snapshot()?;
        let events = audit::verify(&ViewShelf(snapshot.view()), self.inner.store.keys(), outside)?;
        let mut report = VerifyReport { events, ..VerifyReport::default() };
        if level == VerifyLevel::Records {
            if self.inner.store.check()? > 0 {
                return Err(Code::Corrupt.error());
            }
            for patient in snapshot.patients()? {
                report.patients += u64::from(patient != PatientNumber::SHARED);
                for stored in snapshot.checked_chart(patient)? {
                    stored.record()?;
                    report.records += 1;
                }
            }
        }
        Ok(report)
    }

    /// Writes the audit events that wait and ends the session.
    ///
    /// # Errors
    /// - `audit-unavailable`.
    pub fn close(self) -> Result<()> {
        self.inner.flush()
    }
}

/// A source that an import is at, until this is dropped.
pub(crate) struct Claim<'a> {
    importing: &'a Mutex<HashSet<[u8; 32]>>,
    fingerprint: [u8; 32],
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.importing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.fingerprint);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be written now stays with the store and is written with the next event.
        let _ = self.inner.flush();
    }
}

/// An actor's id is no longer, so that every event stays small.
const ACTOR_BYTES: usize = 256;

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

/// Puts an id into the text of a resource, right after its opening bracket; nothing else changes.
pub(crate) fn with_id(bytes: &[u8], id: &str) -> Vec<u8> {
    let at = memchr::memchr(b'{', bytes).map_or(0, |at| at + 1);
    let mut out = Vec::with_capacity(bytes.len() + id.len() + 8);
    out.extend_from_slice(&bytes[..at]);
    out.extend_from_slice(format!("\"id\":\"{id}\",").as_bytes());
    out.extend_from_slice(&bytes[at..]);
    out
}
