//! A session: one actor, one purpose, one way in.

use super::Inner;
use super::actor::Actor;
use super::draft::Draft;
use super::gate::Gate;
use super::known::Custody;
use super::pass::{Door, Pass};
use super::path::Path;
use crate::access::{Action, Purpose};
use crate::audit::{self, Event, EventKind};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, uuid_from};
use crate::json;
use crate::limits::{CallLimits, Limits, Watch};
use crate::record::Record;
use crate::schema::ResourceType;
use crate::search::Query;
use crate::store::{Cursor, Outcome, PutMeta, Snapshot, Store, Stored};
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A session. It can be used from several threads; dropping it writes the audit events that wait.
pub struct Session {
    pub(super) door: Door,
    pub(super) custody: Custody,
    /// Tells this session from others in the audit log.
    pub(super) number: u64,
    pub(crate) actor: Actor,
    pub(crate) purpose: Purpose,
    limits: RwLock<CallLimits>,
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
#[derive(Clone, PartialEq, Eq)]
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

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Written({}, version {})", self.kind, self.version)
    }
}

/// A page of a search.
pub type Found = crate::store::Page;

/// One version of a history.
pub type HistoryEntry = Stored;

/// How many a search counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

/// Where a version comes from.
#[derive(Clone, PartialEq, Eq)]
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

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Origin(change set {})", self.commit)
    }
}

/// Paging of a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchOptions {
    /// Most records on the page; 0: as the query's `_count` says, else 100. Never more than 10,000.
    pub count: usize,
    /// Where to start: the end of the page before.
    pub from: Option<Cursor>,
}

/// How much to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyLevel {
    /// The audit log's signed head; where a head kept outside is given, that the log continues it.
    Head,
    /// The audit log: signature, seals, tree.
    Log,
    /// Also that what a record says now is what the event that wrote it has the hash of; every current record of every patient, and every byte of the file: pages in use, free ones, the map.
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
    /// Of the current records, those that the event of the change set that wrote them vouches for. Events of stores that were made before
    /// there were witnesses vouch for what was written one by one alone.
    pub matched: u64,
    /// Change sets that could not be held against their events any more, because something of them was lost in damage that is on record: a
    /// salvage, or a chart that was shredded where a block of it did not open.
    pub unmatched: u64,
}

impl Session {
    pub(super) fn begin(inner: Arc<Inner>, actor: Actor, purpose: Purpose) -> Result<Session> {
        if !actor.is_well_formed() || purpose == Purpose::BreakGlass {
            return Err(Code::InvalidArgument
                .error()
                .expected("an actor with an id of at most 256 bytes, bound to a patient where the role asks, and a purpose that is not BTG"));
        }
        let mut number = [0; 8];
        inner.store.random().fill(&mut number)?;
        let session = Session {
            door: Door::new(inner),
            number: u64::from_be_bytes(number),
            actor,
            purpose,
            limits: RwLock::default(),
            custody: Custody::default(),
        };
        let opened = Event { kind: EventKind::SessionOpen, ..session.event(Path::Read) };
        session.door.note_read(opened)?;
        Ok(session)
    }

    /// Sets how long each call of this session may take from now on, how much it may hold, and what cancels it. Search, count, chart,
    /// history, import, export, verify, check, backup and salvage look at it for each record or group of records: they end with
    /// `deadline`, `cancelled` or `limit-memory` and leave nothing half done. A change set is not broken off once it is being
    /// written.
    pub fn set_limits(&self, limits: CallLimits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// The session with limits for its calls; see [`Session::set_limits`].
    #[must_use]
    pub fn with_limits(self, limits: CallLimits) -> Session {
        self.set_limits(limits);
        self
    }

    /// A call begins.
    pub(super) fn watch(&self) -> Watch {
        self.limits.read().unwrap_or_else(PoisonError::into_inner).begin(self.door.clock())
    }

    /// A session of the same number and with the same limits, for another purpose or somebody else.
    pub(super) fn beside(&self, actor: Actor, purpose: Purpose, custody: Custody) -> Session {
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner).clone();
        Session { door: self.door.again(), number: self.number, actor, purpose, custody, limits: RwLock::new(limits) }
    }

    /// Reads the current version of a record.
    ///
    /// # Errors
    /// - `not-found`: there is none, or not for this session. `denied`: the role may not read. `audit-unavailable`.
    pub fn read(&self, kind: ResourceType, id: &str) -> Result<Stored> {
        self.read_where(Path::Read, kind, id, |gate| gate.current(kind, id))
    }

    /// Reads one version of a record by its number.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn read_version(&self, kind: ResourceType, id: &str, version: u32) -> Result<Stored> {
        self.read_where(Path::ReadVersion, kind, id, |gate| version_of(gate, kind, id, version))
    }

    /// Reads the version that was current at an instant.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn as_of(&self, kind: ResourceType, id: &str, at: Timestamp) -> Result<Stored> {
        self.read_where(Path::AsOf, kind, id, |gate| gate.as_of(kind, id, at))
    }

    fn read_where(
        &self,
        path: Path,
        kind: ResourceType,
        id: &str,
        find: impl FnOnce(&Gate<'_>) -> Result<Option<Stored>>,
    ) -> Result<Stored> {
        let mut pass = self.enter_at(path, kind, id)?;
        let found = pass.gate().and_then(|gate| {
            let found = find(&gate);
            gate.tell(&mut pass.event);
            found?.ok_or_else(|| Code::NotFound.error())
        });
        pass.seen(&found);
        pass.show(found)
    }

    /// Enters with an event about one record.
    pub(crate) fn enter_at(&self, path: Path, kind: ResourceType, id: &str) -> Result<Pass<'_>> {
        self.enter_about(path, Event { resource: Some(kind), id: id.to_owned(), ..self.event(path) })
    }

    /// As [`Session::enter_at`], for what takes a permit for every record.
    pub(crate) fn enter_at_for_all(&self, path: Path, kind: ResourceType, id: &str) -> Result<Pass<'_>> {
        let pass = self.enter_at(path, kind, id)?;
        if pass.is_for_all() { Ok(pass) } else { pass.refuse(Code::Denied.error()) }
    }

    /// Every version of a record, newest first, deletions included; of a record that is retracted now, nothing.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn history(&self, kind: ResourceType, id: &str) -> Result<Vec<HistoryEntry>> {
        let mut pass = self.enter_at(Path::History, kind, id)?;
        let found = pass.gate().and_then(|gate| {
            let all = gate.history(kind, id)?;
            gate.tell(&mut pass.event);
            if all.is_empty() { Err(Code::NotFound.error()) } else { Ok(all) }
        });
        if let Ok(all) = &found {
            pass.event.patient = all[0].patient().0;
            pass.event.count = all.len() as u64;
        }
        pass.show(found)
    }

    /// A page of the records that match a query in FHIR's search syntax, such as `name=smith&birthdate=ge1980`.
    ///
    /// # Errors
    /// - `query-invalid`; else as [`Session::read`].
    pub fn search(&self, kind: ResourceType, query: &str, options: SearchOptions) -> Result<Found> {
        let mut pass = self.enter_asking(Path::Search, kind, query)?;
        let found = Query::parse(kind, query).and_then(|query| {
            let count = on_a_page(options.count, query.count);
            let gate = pass.gate()?;
            let page = gate.search(&query, options.from, count)?;
            gate.tell_of(&page.records, &mut pass.event)?;
            Ok(page)
        });
        if let Ok(page) = &found {
            super::trail::say_whose(&mut pass.event, page.records.iter().map(Stored::patient));
        }
        pass.show(found)
    }

    /// Enters with an event about a query, which is kept beside it.
    fn enter_asking(&self, path: Path, kind: ResourceType, query: &str) -> Result<Pass<'_>> {
        self.enter_about(path, Event { resource: Some(kind), query: query.to_owned(), ..self.event(path) })
    }

    /// How many records match a query; for those who may count and not see.
    ///
    /// # Errors
    /// - as [`Session::search`].
    pub fn count(&self, kind: ResourceType, query: &str) -> Result<Count> {
        let pass = self.enter_asking(Path::Count, kind, query)?;
        let counted = Query::parse(kind, query).and_then(|query| {
            let gate = pass.gate()?;
            let (mut total, mut from) = (0, None);
            loop {
                let page = gate.search(&query, from, 1000)?;
                total += page.records.len() as u64;
                from = page.next;
                if from.is_none() {
                    return Ok(Count(total));
                }
            }
        });
        pass.show(counted)
    }

    /// Every current record of a patient.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn chart(&self, patient: &str) -> Result<Vec<Stored>> {
        self.chart_for(Path::Chart, patient)
    }

    /// A patient's chart as one HTML page that needs nothing else; see [`crate::chart`].
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn chart_page(&self, patient: &str) -> Result<String> {
        let records =
            self.chart_for(Path::ChartPage, patient)?.iter().map(Stored::record).collect::<Result<Vec<Record>>>()?;
        Ok(crate::chart::page(&records, self.door.now()))
    }

    pub(crate) fn chart_for(&self, path: Path, patient: &str) -> Result<Vec<Stored>> {
        let mut pass = self.enter_at(path, ResourceType::PATIENT, patient)?;
        let found = pass.gate().and_then(|gate| {
            let chart = gate.chart_of(patient);
            gate.tell(&mut pass.event);
            chart
        });
        if let Ok(chart) = &found {
            pass.event.patient = chart[0].patient().0;
            pass.event.count = chart.len() as u64;
        }
        pass.show(found)
    }

    /// Where a version comes from: who wrote it, when, from which entry of which source. Version 0 is the current one.
    ///
    /// # Errors
    /// - as [`Session::read`].
    pub fn provenance(&self, kind: ResourceType, id: &str, version: u32) -> Result<Origin> {
        let path = if version == 0 { Path::Provenance } else { Path::ProvenanceOfVersion };
        let mut pass = self.enter_at(path, kind, id)?;
        let found = pass.gate().and_then(|gate| {
            let found = if version == 0 { gate.current(kind, id) } else { version_of(&gate, kind, id, version) };
            gate.tell(&mut pass.event);
            let stored = found?.ok_or_else(|| Code::NotFound.error())?;
            let source = crate::exchange::import::source_name(pass.store(), gate.ungated(), stored.origin().0)?;
            Ok((stored, source))
        });
        let (stored, source_name) = match found {
            Ok((stored, source)) => (Ok(stored), source),
            Err(error) => (Err(error), None),
        };
        pass.seen(&stored);
        let stored = pass.show(stored)?;
        let (source, entry) = stored.origin();
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
        let path = if !writes.is_empty() && writes.iter().all(|write| matches!(write, Write::Delete(..))) {
            Path::Delete
        } else {
            Path::Update
        };
        let (_, lens) = self.lens()?;
        let creates = path == Path::Update && !lens.could(Action::Update) && lens.could(Action::Create);
        let path = if creates { Path::Create } else { path };
        let mut pass = self.enter(path)?;
        if path != Path::Delete && writes.iter().any(|write| matches!(write, Write::Delete(..))) {
            pass.also(Path::Delete)?;
        }
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        match self.changed(writes, &mut pass) {
            Err(error) => pass.refuse(error),
            Ok((done, change)) => {
                pass.commit(change)?;
                Ok(done)
            }
        }
    }

    /// Makes the change set and fills in its event.
    fn changed<'s>(&self, writes: Vec<Write>, pass: &mut Pass<'s>) -> Result<(Vec<Written>, Draft<'s>)> {
        let alone = writes.len() == 1;
        let about = |event: &mut Event, kind: ResourceType, id: &str| {
            if alone {
                (event.resource, event.id) = (Some(kind), id.to_owned());
            }
        };
        let store = pass.store();
        let mut change = pass.change()?;
        let event = &mut pass.event;
        let (mut done, mut hashes) = (Vec::with_capacity(writes.len()), Vec::new());
        for write in writes {
            let (bytes, expected) = match write {
                Write::Delete(kind, id) => {
                    about(event, kind, &id);
                    let version = change.delete(kind, &id, None)?;
                    hashes.extend(Active::sha256(&[kind.name().as_bytes(), b"/", id.as_bytes(), b" deleted"]));
                    done.push(Written { kind, id, version, changed: true });
                    continue;
                }
                Write::Put(bytes) => (bytes, None),
                Write::PutIfMatch(bytes, version) => (bytes, Some(version)),
            };
            let record = checked(store, bytes)?;
            let (kind, id) = (record.kind(), record.id().ok_or_else(|| Code::Internal.error())?.to_owned());
            about(event, kind, &id);
            let outcome = match expected {
                Some(expected) => change.put_over(&record, &PutMeta::DIRECT, expected)?,
                None => change.put(&record, &PutMeta::DIRECT)?,
            };
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
            event.patient = change.last_patient().map_or(0, |patient| patient.0);
        }
        event.count = done.iter().filter(|written| written.changed).count() as u64;
        // Of one record its own hash, by which `verify` knows it again; of several the hash of theirs.
        event.digest = <[u8; 32]>::try_from(hashes.as_slice()).unwrap_or_else(|_| Active::sha256(&[&hashes]));
        Ok((done, change))
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
        let pass = self.enter(Path::Audit)?;
        pass.note_now(pass.event.clone())?;
        pass.audit_events(from, count)
    }

    /// Verifies the audit log and, by level, the records. `outside`: a head kept outside the store.
    ///
    /// # Errors
    /// - `audit-broken`: the log is not what was written. `corrupt`, `wrong-key`: a record is not.
    pub fn verify(&self, level: VerifyLevel, outside: Option<&audit::Head>) -> Result<VerifyReport> {
        let pass = self.enter(Path::Verify)?;
        pass.flush()?;
        let verified = verified(&pass, level, outside);
        pass.show(verified)
    }

    /// Writes the audit events that wait and ends the session.
    ///
    /// # Errors
    /// - `audit-unavailable`.
    pub fn close(self) -> Result<()> {
        self.door.flush()
    }
}

/// A source that an import is at, until this is dropped.
pub(crate) struct Claim<'a> {
    pub(super) importing: &'a Mutex<HashSet<[u8; 32]>>,
    pub(super) fingerprint: [u8; 32],
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.importing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.fingerprint);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be written now stays with the store and is written with the next event.
        let _ = self.door.flush();
    }
}

/// How many records a page of a search has at most: as the options say, else as the query says; never more than an event can say whose
/// they are.
fn on_a_page(options: usize, query: usize) -> usize {
    let asked = if options > 0 { options } else { query };
    if asked == 0 { 100 } else { asked.min(audit::MOST_PATIENTS) }
}

/// The version of that number, where it is one that says something.
fn version_of(gate: &Gate<'_>, kind: ResourceType, id: &str, version: u32) -> Result<Option<Stored>> {
    let mut all = gate.history(kind, id)?.into_iter();
    Ok(all.find(|stored| stored.version() == version && !stored.is_deleted()))
}

fn verified(pass: &Pass<'_>, level: VerifyLevel, outside: Option<&audit::Head>) -> Result<VerifyReport> {
    let snapshot = pass.ungated_snapshot()?;
    let events = match level {
        VerifyLevel::Head => pass.verify_audit_head(&snapshot, outside)?,
        _ => pass.verify_audit(&snapshot, outside)?,
    };
    let mut report = VerifyReport { events, ..VerifyReport::default() };
    if level == VerifyLevel::Records {
        if !pass.store().check()?.is_sound() {
            return Err(Code::Corrupt.error());
        }
        let (held, vouched) = held_against_events(pass, &snapshot)?;
        report.unmatched = held;
        let written = pass.written_by_events(&snapshot)?;
        for patient in snapshot.patients()? {
            report.patients += u64::from(patient != PatientNumber::SHARED);
            pass.watch().look()?;
            for stored in snapshot.checked_chart(patient)? {
                pass.watch().look()?;
                stored.record()?;
                report.records += 1;
                let pseudonym = Event::pseudonym_of(pass.store().keys(), stored.id());
                let named = written.get(&(stored.kind().number(), pseudonym, stored.version()));
                if named.is_some_and(|digest| *digest != Active::sha256(&[stored.bytes()])) {
                    return Err(Code::Corrupt.error());
                }
                report.matched += u64::from(named.is_some() || vouched.contains(&stored.commit()));
            }
        }
    }
    Ok(report)
}

/// Holds every version there is against the event of the change set that wrote it: how many change sets could not be, and those that fit.
///
/// # Errors
/// - `corrupt`: a change set wrote something else than its event vouches for, or has no event.
fn held_against_events(pass: &Pass<'_>, snapshot: &Snapshot<'_>) -> Result<(u64, HashSet<u64>)> {
    let said = snapshot.witnesses(&mut || pass.watch().look())?;
    let (vouched, salvaged) = pass.vouched_by_events(snapshot)?;
    let first = vouched.keys().min().copied().unwrap_or(u64::MAX);
    let (mut unmatched, mut fit) = (0, HashSet::new());
    let commits: BTreeSet<u64> = said.by_commit.keys().chain(vouched.keys()).copied().collect();
    for commit in commits {
        let here = said.by_commit.get(&commit).copied();
        match (vouched.get(&commit), here) {
            (Some(event), Some(Some(here))) if *event == here => {
                fit.insert(commit);
            }
            (None, _) if commit < first => {} // from before there were witnesses
            (Some(_), Some(None)) => unmatched += 1,
            _ if said.lost || salvaged.is_some_and(|last| commit <= last) => unmatched += 1,
            _ => return Err(Code::Corrupt.error()),
        }
    }
    Ok((unmatched, fit))
}

/// Reads and checks a record that is to be written; gives it an id where it has none.
pub(crate) fn checked(store: &Store, bytes: Vec<u8>) -> Result<Record> {
    let parsed = json::read(&bytes, &Limits::DEFAULT)?;
    if !parsed.report.is_valid() {
        return Err(Code::RecordInvalid.error().with_issues(parsed.report.into_issues()));
    }
    if parsed.record.id().is_some() {
        return Ok(parsed.record);
    }
    let mut random = [0; 16];
    store.random().fill(&mut random)?;
    Record::parse(&with_id(&bytes, &uuid_from(random)))
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

#[cfg(test)]
mod tests {
    use super::on_a_page;

    #[test]
    fn a_page_shows_no_more_patients_than_its_event_can_name() {
        assert_eq!((on_a_page(0, 0), on_a_page(0, 7), on_a_page(5, 7)), (100, 7, 5));
        for (options, query) in [(usize::MAX, 0), (0, usize::MAX), (10_001, 1)] {
            assert_eq!(on_a_page(options, query), crate::audit::MOST_PATIENTS);
        }
    }
}
