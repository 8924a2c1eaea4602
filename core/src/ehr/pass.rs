//! The way in: no snapshot, no change set and no key of the store without a pass, and no pass without a decision.
//!
//! [`Session::enter`] gives a [`Pass`] for one [`Path`]. The pass carries the event of the call; [`Pass::show`] takes the event
//! before it gives the answer. Records are read through [`Pass::gate`]; what goes round the gate has `ungated` in its name.

use super::gate::Gate;
use super::path::{Path, Urgency};
use super::session::{Claim, Session};
use super::trail::Names;
use super::{Inner, ViewShelf};
use crate::access::{Decision, decide};
use crate::audit::{self, Event};
use crate::error::{Code, Error, Result};
use crate::limits::Watch;
use crate::store::{Change, Snapshot, Store, Stored};
use crate::time::{Clock, Timestamp};
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
}

/// Leave to do one thing. It ends with [`Pass::show`], [`Pass::refuse`] or [`Pass::commit`], which take its event.
#[must_use]
pub(crate) struct Pass<'s> {
    session: &'s Session,
    path: Path,
    reach: Decision,
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
        match decide(self.actor.role, self.purpose, path.action()) {
            Decision::Deny => {
                self.door.note_read(Event { failed: Some(Code::Denied.number()), ..event })?;
                Err(Code::Denied.error())
            }
            reach => Ok(Pass { session: self, path, reach, watch: self.watch(), event }),
        }
    }

    /// As [`Session::enter`], for what takes a permit for every record.
    pub(crate) fn enter_for_all(&self, path: Path) -> Result<Pass<'_>> {
        let pass = self.enter(path)?;
        if pass.reach == Decision::All { Ok(pass) } else { pass.refuse(Code::Denied.error()) }
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
            ..Event::new(path.event(), self.door.now(), &self.actor.id)
        }
    }
}

impl<'s> Pass<'s> {
    /// The session it was given to.
    pub(crate) fn session(&self) -> &'s Session {
        self.session
    }
    /// How long the call may go on, and how much it may hold.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }
    /// How far the permit reaches.
    pub(super) fn reach(&self) -> Decision {
        self.reach
    }
    /// Fills the event in with the record that was found.
    pub(super) fn seen(&mut self, found: &Result<Stored>) {
        if let Ok(stored) = found {
            self.event.patient = stored.patient().0;
            self.event.version = stored.version();
            self.event.count = 1;
        }
    }
    /// Leave for a second thing in the same call, on every record.
    pub(super) fn needs_all(&self, path: Path) -> Result<()> {
        match decide(self.session.actor.role, self.session.purpose, path.action()) {
            Decision::All => Ok(()),
            _ => {
                self.session.door.note_read(Event { failed: Some(Code::Denied.number()), ..self.event.clone() })?;
                Err(Code::Denied.error())
            }
        }
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
        Gate::new(self, self.store().snapshot()?)
    }
    /// What is committed now, all of it: for what looks at every record and shows none (verify), and for rows of other rooms.
    pub(crate) fn ungated_snapshot(&self) -> Result<Snapshot<'s>> {
        self.store().snapshot()
    }
    /// A change set in the name of the actor.
    pub(crate) fn change(&self) -> Result<Change<'s>> {
        self.store().change(self.session.door.now(), &self.session.actor.id)
    }
    /// Commits a change set together with the event of the call.
    pub(crate) fn commit(self, change: Change<'_>) -> Result<u64> {
        match self.session.door.0.commit(change, self.event.clone()) {
            Err(error) => self.refuse(error),
            done => done,
        }
    }
    /// Commits one of several change sets of a call, with its own event.
    pub(crate) fn commit_part(&self, change: Change<'_>, event: Event) -> Result<u64> {
        self.session.door.0.commit(change, event)
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
