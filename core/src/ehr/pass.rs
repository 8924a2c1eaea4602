//! The way in: no snapshot, no change set and no key of the store without a pass, and no pass without a decision.
//!
//! [`Session::enter`] gives a [`Pass`] for one [`Path`]. The pass carries the event of the call; [`Pass::show`] takes the event
//! before it gives the answer. Records are read through [`Pass::gate`]; what goes round the gate has `ungated` in its name.

use super::draft::{Draft, Ready};
use super::gate::Gate;
use super::path::{Path, Urgency};
use super::policy::Current;
use super::session::{Claim, Session};
use super::trail::Names;
use super::{Inner, ViewShelf};
use crate::access::{Action, Explanation, Facts, Labels, Lens, Purpose, Subject};
use crate::audit::{self, Event, EventKind};
use crate::error::{Code, Error, Result};
use crate::limits::Watch;
use crate::store::{Change, Snapshot, Store, Stored};
use crate::time::{Clock, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

/// The store behind a session. Its inside is seen in this file only.
pub(super) struct Door(Arc<Inner>);

impl Door {
    pub(super) fn new(inner: Arc<Inner>) -> Door {
        Door(inner)
    }
    pub(super) fn now(&self) -> Timestamp {
        self.0.now()
    }
    /// The keys of the store, for what is checked with its public key.
    pub(super) fn keys(&self) -> &crate::keys::KeyRing {
        self.0.store.keys()
    }
    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }
    /// Takes an event of a read or of a refusal.
    pub(super) fn note_read(&self, event: Event) -> Result<()> {
        self.0.note_read(event)
    }
    /// Writes the events that wait.
    pub(super) fn flush(&self) -> Result<()> {
        self.0.flush()
    }
    /// The same door, for another session.
    pub(super) fn again(&self) -> Door {
        Door(self.0.clone())
    }
}

/// Hashes of content by type, pseudonym and version of a record.
pub(super) type Written = HashMap<(u8, [u8; 12], u32), [u8; 32]>;

/// Events that name one record and have the hash of what was written.
const WRITING: &[EventKind] =
    &[EventKind::Create, EventKind::Update, EventKind::Amend, EventKind::Correct, EventKind::Augment];

/// Leave to do one thing. It ends with [`Pass::show`], [`Pass::refuse`] or [`Pass::commit`], which take its event.
#[must_use]
pub(crate) struct Pass<'s> {
    session: &'s Session,
    path: Path,
    lens: Arc<Lens>,
    watch: Watch,
    /// The event of the call; what it was about is filled in as it becomes known.
    pub(crate) event: Event,
}

impl Session {
    /// The one way in: decides, and records a refusal.
    pub(crate) fn enter(&self, path: Path) -> Result<Pass<'_>> {
        self.enter_about(path, self.event(path))
    }

    /// As [`Session::enter`], with an event that says already what the call is about.
    pub(crate) fn enter_about(&self, path: Path, event: Event) -> Result<Pass<'_>> {
        let (number, lens) = self.lens()?;
        let event = Event { policy: number, ..event };
        let refused = match &self.custody.glass {
            Some(glass) if self.door.now() >= glass.until => Some(Code::BreakGlassEnded),
            _ if !may_begin(&lens, path.action()) => Some(Code::Denied),
            _ => None,
        };
        match refused {
            Some(code) => {
                self.door.note_read(Event { failed: Some(code.number()), ..event })?;
                Err(code.error())
            }
            None => Ok(Pass { session: self, path, lens, watch: self.watch(), event }),
        }
    }

    /// As [`Session::enter`], for what is about no record in particular (it runs the store) and is permitted as such.
    pub(crate) fn enter_for_all(&self, path: Path) -> Result<Pass<'_>> {
        let pass = self.enter(path)?;
        if pass.is_for_all() { Ok(pass) } else { pass.refuse(Code::Denied.error()) }
    }

    /// The part of the policy in force that is about this session, and the number of the policy.
    pub(super) fn lens(&self) -> Result<(u32, Arc<Lens>)> {
        let current = self.door.0.policy()?;
        let clearance = self.actor.labels().unwrap_or(Labels::NONE);
        let subject = Subject {
            mfa: self.actor.mfa,
            break_glass: self.custody.glass.is_some(),
            clearance,
            ..Subject::new(self.actor.role, self.purpose)
        };
        Ok((current.number, self.custody.lens(current.number, || Lens::new(current.policy.clone(), subject))))
    }

    /// An event of this actor, for the call.
    pub(crate) fn event(&self, path: Path) -> Event {
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        Event {
            role: self.actor.role as u8,
            purpose: self.purpose as u8,
            session: self.number,
            on_behalf_of: said(&self.actor.on_behalf_of),
            app: said(&self.actor.client),
            device: said(&self.actor.device),
            clock: self.door.0.clock.source() as u8,
            break_glass: self.custody.glass.map_or(0, |glass| glass.reference),
            ..Event::new(path.event(), self.door.now(), &self.actor.id)
        }
    }
}

/// Whether a call may go on: what the gate decides, where it could be permitted for anything; all else, where it is permitted with
/// every condition and every rule that denies looked at.
fn may_begin(lens: &Lens, action: Action) -> bool {
    if action.is_decided_at_the_gate() { lens.could(action) } else { lens.decide(action, &Facts::NONE).permitted }
}

impl<'s> Pass<'s> {
    /// Whether the action is permitted as such. What is done to one record is decided again at the gate, where more is known.
    pub(crate) fn is_for_all(&self) -> bool {
        let action = self.path.action();
        if action.is_about_records() {
            self.lens.could(action)
        } else {
            self.lens.decide(action, &Facts::NONE).permitted
        }
    }
    /// The session it was given to.
    pub(crate) fn session(&self) -> &'s Session {
        self.session
    }
    /// How long the call may go on, and how much it may hold.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }
    /// Fills the event in with the record that was found.
    pub(super) fn seen(&mut self, found: &Result<Stored>) {
        if let Ok(stored) = found {
            self.event.patient = stored.patient().0;
            self.event.version = stored.version();
            self.event.count = 1;
        }
    }
    /// Leave for a second thing in the same call.
    pub(super) fn also(&self, path: Path) -> Result<()> {
        if may_begin(&self.lens, path.action()) {
            return Ok(());
        }
        self.session.door.note_read(Event { failed: Some(Code::Denied.number()), ..self.event.clone() })?;
        Err(Code::Denied.error())
    }
    /// The policy in force.
    pub(super) fn policy(&self) -> Result<Current> {
        self.session.door.0.policy()
    }
    /// Commits a change set that puts a policy in place.
    pub(super) fn commit_policy(self, change: Draft<'_>, current: Current) -> Result<u64> {
        let inner = &self.session.door.0;
        let done = inner.commit(change.into(), self.event.clone());
        let mut held = inner.policy.write().unwrap_or_else(PoisonError::into_inner);
        match done {
            Ok(number) => {
                // One with a later number may have come first.
                if held.as_ref().is_none_or(|held| held.number < current.number) {
                    *held = Some(current);
                }
                Ok(number)
            }
            Err(error) => {
                *held = None; // what the disk has is asked anew
                drop(held);
                self.refuse(error)
            }
        }
    }
    /// Who is told of emergency access.
    pub(super) fn notify(&self) -> Arc<dyn super::Notify> {
        self.session.door.0.notify.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// What another actor would be told.
    pub(super) fn explain(
        &self,
        actor: &super::Actor,
        purpose: Purpose,
        action: Action,
        record: Option<(crate::schema::ResourceType, &str)>,
    ) -> Result<Explanation> {
        if !actor.is_well_formed() {
            return Err(Code::InvalidArgument.error().expected("an actor that could have a session"));
        }
        let other = self.session.beside(actor.clone(), purpose, Default::default());
        let (_, lens) = other.lens()?;
        let Some((kind, id)) = record else { return Ok(lens.explain(action, &Facts::NONE)) };
        let told = self.store().told();
        let gate = Gate::new(
            &other,
            lens.clone(),
            action,
            self.now(),
            Some(told),
            self.store().snapshot()?,
            self.watch.clone(),
        );
        let stored = gate.ungated().current(kind, id)?.ok_or_else(|| Code::NotFound.error())?;
        let (facts, _) = gate.facts(action, &stored)?;
        Ok(lens.explain(action, &facts))
    }
    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.session.door.now()
    }
    /// The store: its keys, its randomness, its header. Records are read through [`Pass::gate`].
    pub(crate) fn store(&self) -> &'s Store {
        &self.session.door.0.store
    }
    /// What is committed now, as far as this session may see it.
    pub(crate) fn gate(&self) -> Result<Gate<'s>> {
        let told = self.store().told();
        let snapshot = self.store().snapshot()?;
        Ok(Gate::new(
            self.session,
            self.lens.clone(),
            self.path.action(),
            self.now(),
            Some(told),
            snapshot,
            self.watch.clone(),
        ))
    }
    /// What is committed now, all of it: for what looks at every record and shows none (verify), and for rows of other rooms.
    pub(crate) fn ungated_snapshot(&self) -> Result<Snapshot<'s>> {
        self.store().snapshot()
    }
    /// A change set in the name of the actor, behind the gate.
    ///
    /// # Errors
    /// - `anchor-unavailable`, where nothing is written without one. Of the store.
    pub(crate) fn change(&self) -> Result<Draft<'s>> {
        let change = self.ungated_change()?;
        let before = change.made_upon();
        // Asked in the turn. What others left to the same commit is not told yet, so what is known without it does not count.
        let told = before.is_committed().then(|| self.store().told());
        let (lens, watch) = (self.lens.clone(), self.watch.clone());
        let gate = Gate::new(self.session, lens, self.path.action(), self.now(), told, before, watch);
        Ok(Draft::new(gate, change))
    }
    /// A change set that asks nobody: for what is permitted as such and decides about no record (an import, the destruction of
    /// a chart).
    ///
    /// # Errors
    /// - as [`Pass::change`].
    pub(crate) fn ungated_change(&self) -> Result<Change<'s>> {
        self.session.door.0.needs_anchor()?;
        self.store().change(self.session.door.now(), &self.session.actor.id)
    }
    /// Commits a change set together with the event of the call.
    pub(crate) fn commit<'c>(self, change: impl Ready<'c>) -> Result<u64> {
        let mut event = self.event.clone();
        change.tell(&mut event);
        match self.session.door.0.commit(change.change(), event) {
            Err(error) => self.refuse(error),
            done => done,
        }
    }
    /// Commits one of several change sets of a call, with its own event.
    pub(crate) fn commit_part(&self, change: Change<'_>, event: Event) -> Result<u64> {
        self.session.door.0.commit(change, event)
    }
    /// Moves the store into another file, with the event of the call and with those that wait.
    pub(crate) fn move_store(&self, to: &std::path::Path) -> Result<()> {
        let inner = &self.session.door.0;
        let mut waited = Vec::new();
        let moved = inner.store.move_to(to, self.now(), |change| {
            waited = inner.append(change, Some(Event { count: 1, ..self.event.clone() }))?;
            Ok(())
        });
        if moved.is_err() {
            inner.put_back(waited);
        }
        moved
    }
    /// Puts an event to those that wait: it is written with the next change set.
    pub(super) fn note_with_commit(&self, event: Event) {
        self.session.door.0.lock().push(event.bounded());
    }
    /// Writes an event at once, with those that wait: for a call that is recorded before its end.
    pub(crate) fn note_now(&self, event: Event) -> Result<()> {
        self.session.door.0.note_now(event)
    }
    /// Writes the events that wait.
    pub(crate) fn flush(&self) -> Result<()> {
        self.session.door.0.flush()
    }
    /// Records the call, or what became of it, then gives its answer: nothing is shown whose event was not taken.
    pub(crate) fn show<T>(self, result: Result<T>) -> Result<T> {
        let failed = result.as_ref().err().map(|error| error.code().number());
        let event = Event { failed, ..self.event };
        match self.path.urgency() {
            Urgency::AtOnce if failed.is_none() => self.session.door.0.note_now(event)?,
            _ => self.session.door.0.note_read(event)?,
        }
        result
    }
    /// As [`Pass::show`], for a chart and what goes with it.
    pub(crate) fn show_chart<T>(mut self, found: Result<(Vec<Stored>, T)>) -> Result<(Vec<Stored>, T)> {
        if let Ok((chart, _)) = &found {
            self.event.patient = chart.first().map_or(0, |stored| stored.patient().0);
            self.event.count = chart.len() as u64;
        }
        self.show(found)
    }
    /// Records that the thing was not done, and why; then says so.
    pub(crate) fn refuse<T>(self, error: Error) -> Result<T> {
        self.show(Err(error))
    }
    /// The audit events from `from` on, at most `count`.
    pub(crate) fn audit_events(&self, from: u64, count: usize) -> Result<Vec<(u64, Event)>> {
        let (snapshot, keys) = (self.ungated_snapshot()?, self.store().keys());
        let shelf = ViewShelf(snapshot.view());
        let size = audit::head(&shelf, keys)?.map_or(0, |head| head.size);
        let mut events = audit::events(&shelf, keys, from, size.min(from.saturating_add(count as u64)))?;
        let mut names = Names::new(&snapshot);
        for (_, event) in &mut events {
            event.id = names.id(event.resource, &event.pseudonym)?;
        }
        Ok(events)
    }
    /// Reads the rows of the audit log.
    pub(super) fn read_log<T>(&self, read: impl FnOnce(&dyn audit::Shelf, &Snapshot<'s>) -> Result<T>) -> Result<T> {
        let snapshot = self.ungated_snapshot()?;
        read(&ViewShelf(snapshot.view()), &snapshot)
    }
    /// Verifies the head of the audit log against one kept outside.
    pub(crate) fn verify_audit_head(&self, snapshot: &Snapshot<'_>, outside: Option<&audit::Head>) -> Result<u64> {
        audit::verify_head(&ViewShelf(snapshot.view()), self.store().keys(), outside)
    }
    /// What events vouch for, by change set; and the last that was written before the store was salvaged, where it was.
    pub(super) fn vouched_by_events(&self, snapshot: &Snapshot<'_>) -> Result<(HashMap<u64, [u8; 32]>, Option<u64>)> {
        let shelf = ViewShelf(snapshot.view());
        let filter = audit::Filter { witnessed: true, ..audit::Filter::default() };
        let events = audit::select(&shelf, self.store().keys(), &filter)?;
        let filter = audit::Filter { kinds: &[EventKind::Repair], ..audit::Filter::default() };
        let repairs = audit::select(&shelf, self.store().keys(), &filter)?;
        let salvaged = repairs.iter().rfind(|(_, event)| event.reason == "salvage").map(|(number, _)| *number);
        let last = salvaged.map(|salvaged| {
            let after = events.iter().filter(|(number, _)| *number > salvaged).map(|(_, event)| event.commit).min();
            after.map_or(u64::MAX, |after| after - 1)
        });
        // The event that was written with it counts; a later one that says otherwise is not asked.
        let mut all = HashMap::new();
        for (_, event) in events {
            all.entry(event.commit).or_insert(event.witness);
        }
        Ok((all, last))
    }
    /// The hashes of what events say was written, by type, pseudonym and version.
    pub(super) fn written_by_events(&self, snapshot: &Snapshot<'_>) -> Result<Written> {
        let filter = audit::Filter { kinds: WRITING, ..audit::Filter::default() };
        let events = audit::select(&ViewShelf(snapshot.view()), self.store().keys(), &filter)?.into_iter();
        let named = events.map(|(_, event)| event).filter(|event| event.failed.is_none() && event.pseudonym != [0; 12]);
        Ok(named
            .filter_map(|event| Some(((event.resource?.number(), event.pseudonym, event.version), event.digest)))
            .collect())
    }
    /// Verifies the audit log against a head kept outside.
    pub(crate) fn verify_audit(&self, snapshot: &Snapshot<'_>, outside: Option<&audit::Head>) -> Result<u64> {
        audit::verify(&ViewShelf(snapshot.view()), self.store().keys(), outside)
    }
    /// Marks the source of that fingerprint as being imported; None where another import of this process is at it.
    pub(crate) fn claim(&self, fingerprint: [u8; 32]) -> Option<Claim<'s>> {
        let importing = &self.session.door.0.importing;
        let first = importing.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint);
        first.then_some(Claim { importing, fingerprint })
    }
}
