//! Changes of an entry that say what they are: amend, correct, augment; retract and restore; and where a version comes from.

use super::differ;
use crate::access::{Purpose, Role};
use crate::audit::EventKind;
use crate::crypto::{Active, Provider};
use crate::ehr::{Draft, Pass, Path, Session, Written, checked};
use crate::error::{Code, Result};
use crate::record::Record;
use crate::schema::ResourceType;
use crate::store::{ChangeKind, Note, Outcome, PutMeta, Stored};
use crate::time::Timestamp;

/// Why an entry is changed. The author is the actor of the session; whoever they act for is named here.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// Why, in words. They are sealed with the version and destroyed with it.
    pub text: String,
    /// On whose behalf: the host's id of the person who said so.
    pub on_behalf: Option<String>,
    /// When the change was authored, where that is not now.
    pub authored: Option<Timestamp>,
}

impl Reason {
    /// A reason in words.
    pub fn new(text: &str) -> Reason {
        Reason { text: text.to_owned(), ..Reason::default() }
    }

    /// The note of a version.
    ///
    /// # Errors
    /// - `reason-required`: there are no words, or more than [`REASON_BYTES`].
    pub(super) fn note(&self, kind: ChangeKind) -> Result<Note> {
        self.check()?;
        Ok(Note { kind, reason: self.text.clone(), on_behalf: self.on_behalf.clone(), authored: self.authored })
    }

    pub(super) fn check(&self) -> Result<()> {
        let whom = self.on_behalf.as_deref();
        if self.text.trim().is_empty() || self.text.len() > REASON_BYTES || whom.is_some_and(|whom| whom.len() > 256) {
            return Err(Code::ReasonRequired.error().expected("1 to 4096 bytes of reason, a name of at most 256"));
        }
        Ok(())
    }
}

/// `Debug` does not show the words.
impl std::fmt::Debug for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reason(..)")
    }
}

/// Most bytes of a reason.
const REASON_BYTES: usize = 4096;

/// One version in the line of an entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The number of the version.
    pub version: u32,
    /// What made it; None for a write that did not say.
    pub kind: Option<ChangeKind>,
    /// Why, where that was said.
    pub reason: Option<String>,
    /// On whose behalf, where that was said.
    pub on_behalf: Option<String>,
    /// When it was authored, where that was said.
    pub authored: Option<Timestamp>,
    /// Who wrote it.
    pub actor: String,
    /// When it was written.
    pub at: Timestamp,
    /// The change set.
    pub commit: u64,
    /// SHA-256 of its bytes; of a deletion, zeros.
    pub digest: [u8; 32],
    /// The version before it.
    pub before: Option<u32>,
}

impl std::fmt::Debug for Lineage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lineage(version {}, {})", self.version, self.kind.map_or("unsaid", ChangeKind::name))
    }
}

/// Somebody who was shown an entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub actor: String,
    /// In which role.
    pub role: Option<Role>,
    /// For which purpose.
    pub purpose: Option<Purpose>,
    /// Through which call.
    pub kind: EventKind,
    /// Which version; 0: the one that was current.
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// The number of the audit event that says so.
    pub event: u64,
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Viewer(..)")
    }
}

impl Session {
    /// Writes a version that says something else than the one before, because what it is about changed.
    ///
    /// # Durability
    /// When this returns, the version, its note and its audit event are on disk; when it fails, none is.
    ///
    /// # Errors
    /// - `reason-required`; `conflict`: the current version is not `expected`; `not-found`: there is none, or not for this
    ///   session; `hold`, `retracted`; else as [`Session::write`].
    pub fn amend(&self, record: &[u8], expected: u32, reason: &Reason) -> Result<Written> {
        self.say_otherwise(Path::Amend, ChangeKind::Amend, record, expected, reason)
    }

    /// Writes a version that mends what was wrong in the one before.
    ///
    /// # Errors
    /// - as [`Session::amend`].
    pub fn correct(&self, record: &[u8], expected: u32, reason: &Reason) -> Result<Written> {
        self.say_otherwise(Path::Correct, ChangeKind::Correct, record, expected, reason)
    }

    /// Writes a version that adds to the one before: every value that stood there stands there still. The narrative,
    /// `meta.versionId` and `meta.lastUpdated` may change.
    ///
    /// # Errors
    /// - `augment-alters`: a value was changed or taken away. Else as [`Session::amend`].
    pub fn augment(&self, record: &[u8], expected: u32, reason: &Reason) -> Result<Written> {
        self.say_otherwise(Path::Augment, ChangeKind::Augment, record, expected, reason)
    }

    fn say_otherwise(
        &self,
        path: Path,
        kind: ChangeKind,
        record: &[u8],
        expected: u32,
        reason: &Reason,
    ) -> Result<Written> {
        let mut pass = self.enter_for_all(path)?;
        match said_otherwise(&mut pass, kind, record, expected, reason) {
            Err(error) => pass.refuse(error),
            Ok((written, change)) => {
                pass.commit(change)?;
                Ok(written)
            }
        }
    }

    /// Hides an entry that should not have been made: from now on it is in no read, search, chart, export or history, and no write
    /// or import brings it back. Nothing is destroyed; [`Session::read_retracted`] shows it, [`Session::restore`] undoes this.
    ///
    /// # Errors
    /// - as [`Session::amend`].
    pub fn retract(&self, kind: ResourceType, id: &str, expected: u32, reason: &Reason) -> Result<Written> {
        let mut pass = self.enter_at_for_all(Path::Retract, kind, id)?;
        match retracted(&mut pass, kind, id, expected, reason) {
            Err(error) => pass.refuse(error),
            Ok((version, change)) => {
                pass.commit(change)?;
                Ok(Written { kind, id: id.to_owned(), version, changed: true })
            }
        }
    }

    /// Undoes a retraction: the entry is there again, as a new version with the bytes it had.
    ///
    /// # Errors
    /// - `not-found`: it is not retracted, or not for this session. Else as [`Session::amend`].
    pub fn restore(&self, kind: ResourceType, id: &str, reason: &Reason) -> Result<Written> {
        let mut pass = self.enter_at_for_all(Path::Restore, kind, id)?;
        match restored(&mut pass, kind, id, reason) {
            Err(error) => pass.refuse(error),
            Ok((version, change)) => {
                pass.commit(change)?;
                Ok(Written { kind, id: id.to_owned(), version, changed: true })
            }
        }
    }

    /// Every version of an entry that is retracted, newest first. Asking for it by this name is the flag that retracted entries
    /// are wanted; it takes a right of its own and is on record before anything is shown.
    ///
    /// # Errors
    /// - `not-found`: it is not retracted, or not for this session; `denied`, `audit-unavailable`.
    pub fn read_retracted(&self, kind: ResourceType, id: &str) -> Result<Vec<Stored>> {
        let mut pass = self.enter_at(Path::ReadRetracted, kind, id)?;
        let found = pass.gate().and_then(|gate| {
            let all = gate.retracted(kind, id);
            gate.tell(&mut pass.event);
            all
        });
        let found = found.and_then(|all| if all.is_empty() { Err(Code::NotFound.error()) } else { Ok(all) });
        if let Ok(all) = &found {
            pass.event.patient = all[0].patient().0;
            pass.event.version = all[0].version();
            pass.event.count = all.len() as u64;
        }
        pass.show(found)
    }

    /// Who had been shown an entry: before it was retracted, where it is. It reads the audit log and says what stands there:
    /// reads by name, histories, charts and exports that may have held it. What was shown before the event that says the entry was
    /// written, or after the one that says it was retracted, is not listed, whatever the clocks said; where the entry came in with
    /// others (an import, a change set), the log does not say which event that was, and what was shown before is listed too. Of a
    /// search the log knows whose records of the type it showed:
    /// those that showed any of this patient's are listed, since the entry may have been among them.
    ///
    /// # Errors
    /// - as [`Session::read_retracted`]; `audit-broken`.
    pub fn viewers_before(&self, kind: ResourceType, id: &str) -> Result<Vec<Viewer>> {
        let mut pass = self.enter_at(Path::ViewersBefore, kind, id)?;
        let found = viewers(&pass, kind, id);
        if let Ok(all) = &found {
            pass.event.count = all.len() as u64;
        }
        pass.show(found)
    }

    /// Where the current version comes from: every version of an entry, newest first, with what made it, why, and the one before.
    ///
    /// # Errors
    /// - as [`Session::history`].
    pub fn lineage(&self, kind: ResourceType, id: &str) -> Result<Vec<Lineage>> {
        let mut pass = self.enter_at(Path::Lineage, kind, id)?;
        let found = pass.gate().and_then(|gate| {
            let all = gate.history(kind, id)?;
            gate.tell(&mut pass.event);
            if all.is_empty() { Err(Code::NotFound.error()) } else { Ok(all) }
        });
        if let Ok(all) = &found {
            pass.event.patient = all[0].patient().0;
            pass.event.count = all.len() as u64;
        }
        pass.show(found).map(|all| all.iter().map(line).collect())
    }

    /// Whether every further version of an entry, and every deletion, has to say its reason from now on: then
    /// [`Session::write`] over an entry and [`Session::delete`] are refused with `reason-required`. Imports say theirs by their source.
    /// Off in a new store.
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`, `store-io`.
    pub fn require_reason(&self, required: bool) -> Result<()> {
        let pass = self.enter_for_all(Path::RequireReason)?;
        let made = pass.change().and_then(|mut change| {
            change.set_reason_required(required)?;
            Ok(change)
        });
        match made {
            Err(error) => pass.refuse(error),
            Ok(change) => pass.commit(change).map(|_| ()),
        }
    }

    /// Deletes an entry, with the reason.
    ///
    /// # Errors
    /// - as [`Session::amend`].
    pub fn delete_for(&self, kind: ResourceType, id: &str, reason: &Reason) -> Result<Written> {
        let mut pass = self.enter_at_for_all(Path::DeleteFor, kind, id)?;
        let made = reason.note(ChangeKind::Delete).and_then(|note| {
            let mut change = pass.change()?;
            let version = change.delete(kind, id, Some(&note))?;
            about(&mut pass, &change, reason, version, &[kind.name().as_bytes(), b"/", id.as_bytes(), b" deleted"]);
            Ok((version, change))
        });
        match made {
            Err(error) => pass.refuse(error),
            Ok((version, change)) => {
                pass.commit(change)?;
                Ok(Written { kind, id: id.to_owned(), version, changed: true })
            }
        }
    }
}

/// Fills the event in with what is written. The words of the reason stay with the record and are destroyed with it; an event lives on.
pub(super) fn about(pass: &mut Pass<'_>, change: &Draft<'_>, reason: &Reason, version: u32, of: &[&[u8]]) {
    pass.event.patient = change.last_patient().map_or(0, |patient| patient.0);
    pass.event.on_behalf_of = reason.on_behalf.clone().unwrap_or_default();
    pass.event.version = version;
    pass.event.count = 1;
    pass.event.digest = Active::sha256(of);
}

fn said_otherwise<'s>(
    pass: &mut Pass<'s>,
    kind: ChangeKind,
    record: &[u8],
    expected: u32,
    reason: &Reason,
) -> Result<(Written, Draft<'s>)> {
    let note = reason.note(kind)?;
    let record = checked(pass.store(), record.to_vec())?;
    let (of, id) = (record.kind(), record.id().ok_or_else(|| Code::Internal.error())?.to_owned());
    (pass.event.resource, pass.event.id) = (Some(of), id.clone());
    let mut change = pass.change()?;
    change.gate().current(of, &id)?.ok_or_else(|| Code::NotFound.error())?;
    let (version, bytes) = change.current(of, &id)?.ok_or_else(|| Code::NotFound.error())?;
    if version != expected {
        return Err(Code::Conflict.error());
    }
    if kind == ChangeKind::Augment && !differ::only_adds(&Record::parse(&bytes)?, &record) {
        return Err(Code::AugmentAlters.error());
    }
    let outcome = change.put(&record, &PutMeta { note: Some(&note), ..PutMeta::DIRECT })?;
    let changed = !matches!(outcome, Outcome::Unchanged(_));
    about(pass, &change, reason, outcome.version(), &[record.original()]);
    pass.event.count = changed.into();
    Ok((Written { kind: of, id, version: outcome.version(), changed }, change))
}

fn retracted<'s>(
    pass: &mut Pass<'s>,
    kind: ResourceType,
    id: &str,
    expected: u32,
    reason: &Reason,
) -> Result<(u32, Draft<'s>)> {
    let note = reason.note(ChangeKind::Retract)?;
    let mut change = pass.change()?;
    change.gate().current(kind, id)?.ok_or_else(|| Code::NotFound.error())?;
    if change.current_version(kind, id)?.ok_or_else(|| Code::NotFound.error())? != expected {
        return Err(Code::Conflict.error());
    }
    let version = change.retract(kind, id, &note)?;
    about(pass, &change, reason, version, &[kind.name().as_bytes(), b"/", id.as_bytes(), b" retracted"]);
    Ok((version, change))
}

fn restored<'s>(pass: &mut Pass<'s>, kind: ResourceType, id: &str, reason: &Reason) -> Result<(u32, Draft<'s>)> {
    let note = reason.note(ChangeKind::Restore)?;
    let mut change = pass.change()?;
    let hidden = change.gate().retracted(kind, id)?;
    let newest = hidden.first().ok_or_else(|| Code::NotFound.error())?;
    let version = change.restore(kind, id, &note)?.version();
    about(pass, &change, reason, version, &[newest.bytes()]);
    Ok((version, change))
}

fn line(stored: &Stored) -> Lineage {
    let note = stored.note();
    let unsaid = match stored.version() {
        _ if stored.is_deleted() => Some(ChangeKind::Delete),
        1 => Some(ChangeKind::Create),
        _ => None,
    };
    Lineage {
        version: stored.version(),
        kind: note.map(|note| note.kind).or(unsaid),
        reason: note.map(|note| note.reason.clone()),
        on_behalf: note.and_then(|note| note.on_behalf.clone()),
        authored: note.and_then(|note| note.authored),
        actor: stored.actor().to_owned(),
        at: stored.at(),
        commit: stored.commit(),
        digest: if stored.is_deleted() { [0; 32] } else { Active::sha256(&[stored.bytes()]) },
        before: (stored.version() > 1).then(|| stored.version() - 1),
    }
}

/// Audit events that are looked at together.
const EVENTS: usize = 4096;

fn viewers(pass: &Pass<'_>, kind: ResourceType, id: &str) -> Result<Vec<Viewer>> {
    let gate = pass.gate()?;
    let mut versions = gate.retracted(kind, id)?;
    let retraction = versions.first().map(Stored::version);
    if versions.is_empty() {
        versions = gate.history(kind, id)?;
    }
    let newest = versions.first().ok_or_else(|| Code::NotFound.error())?;
    let patient = newest.patient().0;
    let mut is_over = false;
    pass.flush()?; // events of reads that wait are part of the log
    let (mut found, mut next) = (Vec::new(), 0);
    loop {
        let events = pass.audit_events(next, EVENTS)?;
        let Some((last, _)) = events.last() else { return Ok(found) };
        next = last + 1;
        for (number, event) in events {
            if event.failed.is_some() {
                continue;
            }
            let by_name = event.resource == Some(kind) && event.id == id;
            match event.kind {
                // It was not there to be seen before.
                EventKind::Create | EventKind::Update | EventKind::Release if by_name && event.version == 1 => {
                    found.clear();
                }
                EventKind::Retract if by_name && Some(event.version) == retraction => is_over = true,
                _ => {}
            }
            let shown = match event.kind {
                // One that was under way when it was retracted says so later.
                EventKind::Read => by_name,
                _ if is_over => false,
                EventKind::History => by_name,
                EventKind::Search => {
                    event.resource == Some(kind) && (event.patient == patient || event.patients.contains(&patient))
                }
                EventKind::Chart | EventKind::AccessPackage | EventKind::Disclose => event.patient == patient,
                EventKind::Export => event.patient == patient || event.patient == 0,
                _ => false,
            };
            if shown {
                found.push(Viewer {
                    role: Role::ALL.iter().copied().find(|role| *role as u8 == event.role),
                    purpose: Purpose::ALL.iter().copied().find(|purpose| *purpose as u8 == event.purpose),
                    actor: event.actor,
                    kind: event.kind,
                    version: event.version,
                    at: event.at,
                    event: number,
                });
            }
        }
    }
}
