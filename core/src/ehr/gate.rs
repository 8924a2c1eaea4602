//! The gate: every record that leaves a session goes through here, and comes out whole, masked, or not at all.
//!
//! What is not let through is as if it were not there: it is filtered before anything is matched, sorted, counted or cut into
//! pages, and the answer to who asks for it by name is that of a name nobody has. A search sees what is masked as masked: it
//! does not find by what it does not show.

use super::known::{Known, vouched};
use super::session::Session;
use crate::access::{Action, Asker, Cause, Consent, ConsentSays, Facts, Labels, Lens, Relations, Verdict};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::limits::Watch;
use crate::record::{Compartment, Record};
use crate::schema::ResourceType;
use crate::search::Query;
use crate::store::{Admission, Cursor, Page, Snapshot, Stored};
use crate::time::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// What is committed, as far as a session may see it.
pub(crate) struct Gate<'s> {
    snapshot: Snapshot<'s>,
    session: &'s Session,
    lens: Arc<Lens>,
    action: Action,
    now: Timestamp,
    /// The count of changes to what tells who may see what, from before the snapshot was taken.
    /// None where the snapshot holds more than what is told of: then nothing that is kept in mind counts.
    told: Option<u64>,
    /// What was found out for this gate alone.
    found: RefCell<HashMap<u32, Arc<Known>>>,
    references: Vec<String>,
    /// The last decision about a record: verdict, labels, compartment.
    last: Cell<Option<(Verdict, Labels, Compartment)>>,
    /// The decisions that let something through, together.
    sum: Cell<Option<Sum>>,
    watch: Watch,
    /// Bytes of the records that the answer at hand holds.
    held: Cell<usize>,
}

/// What was decided about several records.
#[derive(Clone, Copy)]
struct Sum {
    /// The rule that permitted them; 0 where there were several.
    rule: u16,
    labels: Labels,
    compartment: u8,
}

impl Sum {
    fn tell(self, event: &mut crate::audit::Event) {
        event.rule = self.rule;
        event.compartment = event.compartment.max(self.compartment);
        if self.labels != Labels::NONE {
            let codes =
                std::iter::once(self.labels.confidentiality.code()).chain(Labels::names(self.labels.sensitivity));
            event.labels = codes.collect::<Vec<_>>().join(" ");
        }
    }
}

/// The number of the rule that decided, from 1; 0 for none.
fn rule_of(verdict: Verdict) -> u16 {
    match verdict.cause {
        Cause::Permitted(at) | Cause::Denied(at) => u16::try_from(at + 1).unwrap_or(u16::MAX),
        _ => 0,
    }
}

/// Bytes a record takes beside its own.
const RECORD: usize = 128;

impl<'s> Gate<'s> {
    pub(super) fn new(
        session: &'s Session,
        lens: Arc<Lens>,
        action: Action,
        now: Timestamp,
        told: Option<u64>,
        snapshot: Snapshot<'s>,
        watch: Watch,
    ) -> Gate<'s> {
        let references = references(session);
        let (last, sum, held) = (Cell::new(None), Cell::new(None), Cell::new(0));
        let found = RefCell::default();
        Gate { snapshot, session, lens, action, now, told, found, references, last, sum, watch, held }
    }

    /// The snapshot behind the gate, for what is no record: the name of an import source.
    pub(crate) fn ungated(&self) -> &Snapshot<'s> {
        &self.snapshot
    }

    /// Fills an event in with what was decided: which rule, on account of which labels. Of several records that were let through, the
    /// labels of all and the most guarded compartment; where nothing was, the last decision.
    pub(crate) fn tell(&self, event: &mut crate::audit::Event) {
        match (self.sum.get(), self.last.get()) {
            (Some(sum), _) => sum.tell(event),
            (None, Some((verdict, labels, compartment))) => {
                Sum { rule: rule_of(verdict), labels, compartment: compartment as u8 }.tell(event)
            }
            (None, None) => {}
        }
    }

    /// As [`Gate::tell`], where something was permitted.
    pub(crate) fn tell_what_was_permitted(&self, event: &mut crate::audit::Event) {
        if let Some(sum) = self.sum.get() {
            sum.tell(event);
        }
    }

    /// As [`Gate::tell`], of the records on a page: more were looked at than are on it.
    pub(crate) fn tell_of(&self, records: &[Stored], event: &mut crate::audit::Event) -> Result<()> {
        self.sum.set(None);
        for stored in records {
            let (facts, _) = self.facts(self.action, stored)?;
            self.note(self.lens.decide(self.action, &facts), facts.labels, facts.compartment);
        }
        self.tell_what_was_permitted(event);
        Ok(())
    }

    /// Remembers a decision.
    fn note(&self, verdict: Verdict, labels: Labels, compartment: Compartment) {
        self.last.set(Some((verdict, labels, compartment)));
        if !verdict.permitted {
            return;
        }
        let (rule, compartment) = (rule_of(verdict), compartment as u8);
        self.sum.set(Some(match self.sum.get() {
            None => Sum { rule, labels, compartment },
            Some(sum) => Sum {
                rule: if sum.rule == rule { rule } else { 0 },
                labels: sum.labels.and(labels),
                compartment: sum.compartment.max(compartment),
            },
        }));
    }

    /// The current version of a record.
    pub(crate) fn current(&self, kind: ResourceType, id: &str) -> Result<Option<Stored>> {
        let found = self.snapshot.current(kind, id)?;
        if found.is_none() && kind == ResourceType::PATIENT {
            self.refuse_erased(id)?;
        }
        match found {
            Some(stored) => self.record(stored),
            None => Ok(None),
        }
    }

    /// The version that was the newest at an instant; a deletion is none, and of a record that is retracted now there is none.
    pub(crate) fn as_of(&self, kind: ResourceType, id: &str, at: Timestamp) -> Result<Option<Stored>> {
        let all = self.history(kind, id)?;
        Ok(all.into_iter().find(|stored| stored.at() <= at).filter(Stored::is_shown))
    }

    /// Every version, newest first, deletions included; of a record that is retracted now, nothing. A version is shown where every
    /// newer one is: a label that was added later guards what was said before.
    pub(crate) fn history(&self, kind: ResourceType, id: &str) -> Result<Vec<Stored>> {
        let all = self.snapshot.history(kind, id)?;
        if all.first().is_some_and(Stored::is_retracted) { Ok(Vec::new()) } else { self.line(all) }
    }

    /// Every version of a record that is retracted, newest first, as [`Gate::history`] shows them; of any other, nothing.
    pub(crate) fn retracted(&self, kind: ResourceType, id: &str) -> Result<Vec<Stored>> {
        let all = self.snapshot.history(kind, id)?;
        if all.first().is_some_and(Stored::is_retracted) { self.line(all) } else { Ok(Vec::new()) }
    }

    /// Versions, newest first, down to the first that is withheld.
    fn line(&self, all: Vec<Stored>) -> Result<Vec<Stored>> {
        let mut shown = Vec::with_capacity(all.len());
        for stored in all {
            if stored.is_deleted() {
                shown.push(stored);
                continue;
            }
            match self.record(stored)? {
                Some(stored) => shown.push(stored),
                None => {
                    // The deletion of what is withheld would tell of it.
                    while shown.pop_if(|last| last.is_deleted()).is_some() {}
                    break;
                }
            }
        }
        Ok(shown)
    }

    /// The number of a patient of whom something may be seen.
    pub(crate) fn patient(&self, id: &str) -> Result<Option<PatientNumber>> {
        match self.snapshot.patient(id)? {
            Some(number) if self.reaches(number)? => Ok(Some(number)),
            _ => Ok(None),
        }
    }

    /// The numbers of all patients, those of no single patient (0) first.
    pub(crate) fn patients(&self) -> Result<Vec<PatientNumber>> {
        self.snapshot.patients()
    }

    /// Every current record of a patient, by type and as written.
    pub(crate) fn chart(&self, patient: PatientNumber) -> Result<Vec<Stored>> {
        self.held.set(0);
        let mut shown = Vec::new();
        if self.reaches(patient)? {
            for stored in self.snapshot.chart(patient)? {
                shown.extend(self.record(stored)?);
            }
        }
        Ok(shown)
    }

    /// The chart of a patient by logical id; `not-found` where there is nothing to see.
    pub(crate) fn chart_of(&self, id: &str) -> Result<Vec<Stored>> {
        let Some(number) = self.patient(id)? else {
            self.refuse_erased(id)?;
            return Err(Code::NotFound.error());
        };
        let chart = self.chart(number)?;
        if chart.is_empty() { Err(Code::NotFound.error()) } else { Ok(chart) }
    }

    /// A page of the records that match.
    pub(crate) fn search(&self, query: &Query, from: Option<Cursor>, count: usize) -> Result<Page> {
        self.held.set(0);
        self.snapshot.search(query, from, count, self)
    }

    /// Who may see records of patients they have nothing to do with is told that one was erased; to all others there never was one.
    fn refuse_erased(&self, id: &str) -> Result<()> {
        let all = self.lens.could_of(self.action, Relations::NONE, false);
        if all && self.snapshot.is_erased(id)? { Err(Code::Erased.error()) } else { Ok(()) }
    }

    /// Whether a record may be written over, or a new one written. Over a record that is not for this session, also one that is
    /// deleted or retracted: `denied`; over one that it sees with elements left out, and would lose: `masked-write`. `resolve`:
    /// what addresses in the record stand for, beside what the store knows.
    pub(crate) fn may_put(&self, record: &Record, resolve: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        let (kind, id) = (record.kind(), record.id().unwrap_or_default());
        let before = self.snapshot.said(kind, id)?;
        let patient = self.snapshot.patient_of(record, resolve)?.unwrap_or(PatientNumber::SHARED);
        let known = self.known(patient)?;
        let relations = self.relations(kind, patient, &known);
        let actions = self.writing(before.is_some());
        let mut author = true;
        if let Some(before) = &before {
            for action in actions {
                if !self.verdict(action, before)?.permitted {
                    return Err(Code::Denied.error());
                }
            }
            let is_shown = self.snapshot.current(kind, id)?.is_some();
            let theirs = self.relations(kind, before.patient(), &*self.known(before.patient())?);
            if is_shown && (self.lens.masks(kind, relations) || self.lens.masks(kind, theirs)) {
                return Err(Code::MaskedWrite.error());
            }
            author = before.actor() == self.session.actor.id;
            if patient != before.patient() && self.is_denied_by(before)? {
                return Err(Code::Denied.error());
            }
        }
        let status = record.root().text("status").map_or(0, |status| self.lens.status_bit(&status));
        let facts = Facts {
            kind: Some(kind),
            compartment: Compartment::of(record),
            labels: Labels::of(record),
            relations,
            own_organization: known.own_organization,
            author,
            status,
            consent: ConsentSays::Nothing,
        };
        for action in actions {
            let verdict = self.lens.decide(action, &facts);
            self.note(verdict, facts.labels, facts.compartment);
            if !verdict.permitted {
                return Err(Code::Denied.error());
            }
        }
        Ok(())
    }

    /// What has to be permitted where a record is written: what the call is, and that records are written at all. The office does
    /// not write records; what it decides about a request or a quarantined entry is a right of its own.
    fn writing(&self, over: bool) -> [Action; 2] {
        let plain = if over { Action::Update } else { Action::Create };
        match self.action {
            Action::Create | Action::Update | Action::Delete => [plain; 2],
            Action::DecideAmendment | Action::Quarantine => [self.action; 2],
            action => [action, plain],
        }
    }

    /// Bytes that are no version of a record yet, and who wrote them: as this session may see them; None where it may not.
    pub(crate) fn unwritten(&self, record: &Record, patient: PatientNumber, by: &str) -> Result<Option<Vec<u8>>> {
        let known = self.known(patient)?;
        let relations = self.relations(record.kind(), patient, &known);
        let labels = Labels::of(record);
        let consents: &[Consent] = if relations.meets(Relations::OWN) { &[] } else { &known.consents };
        let asker = Asker {
            action: self.action,
            purpose: self.session.purpose,
            references: &self.references,
            now: self.now,
            kind: record.kind(),
            id: record.id().unwrap_or_default(),
            labels,
            record: Some(record),
        };
        let facts = Facts {
            kind: Some(record.kind()),
            compartment: Compartment::of(record),
            labels,
            relations,
            own_organization: known.own_organization,
            author: by == self.session.actor.id,
            status: record.root().text("status").map_or(0, |status| self.lens.status_bit(&status)),
            consent: if consents.is_empty() { ConsentSays::Nothing } else { Consent::all_say(consents, &asker) },
        };
        if !self.lens.decide(self.action, &facts).permitted {
            return Ok(None);
        }
        let masked = self.lens.masks(record.kind(), relations);
        Ok(Some(if masked { self.lens.masked(record, relations) } else { record.original().to_vec() }))
    }

    /// Whether the action is permitted for a patient as such, by what who asks has to do with them.
    pub(super) fn may_for(&self, patient: PatientNumber) -> Result<bool> {
        let known = self.known(patient)?;
        let facts = Facts {
            kind: Some(ResourceType::PATIENT),
            relations: self.relations(ResourceType::PATIENT, patient, &known),
            own_organization: known.own_organization,
            ..Facts::NONE
        };
        Ok(self.lens.decide(self.action, &facts).permitted)
    }

    /// Whether a record may be changed in another way (deleted, amended, retracted): `not-found` where there is none or it is not
    /// for this session.
    pub(crate) fn may(&self, action: Action, kind: ResourceType, id: &str) -> Result<()> {
        let newest = self.snapshot.newest(kind, id)?.filter(|stored| !stored.is_deleted());
        let stored = newest.ok_or_else(|| Code::NotFound.error())?;
        if !self.verdict(action, &stored)?.permitted {
            return Err(Code::NotFound.error());
        }
        if stored.is_shown() && self.is_denied_by(&stored)? { Err(Code::Denied.error()) } else { Ok(()) }
    }

    /// Whether a record is a consent that denies something to this session: then it is not for this session to take it out of the chart.
    fn is_denied_by(&self, stored: &Stored) -> Result<bool> {
        if stored.kind().name() != "Consent" || stored.is_deleted() {
            return Ok(false);
        }
        let known = self.known(stored.patient())?;
        if self.relations(stored.kind(), stored.patient(), &known).meets(Relations::OWN) {
            return Ok(false); // their own consent is theirs to take back
        }
        let resolve = |address: &str| self.snapshot.resolve(address).ok().flatten();
        let against = |record: &Record| {
            Consent::compile(record, &resolve).is_some_and(|consent| consent.is_against(&self.references))
        };
        Ok(vouched(&self.snapshot, stored, &self.session.actor.id)?.any(against))
    }

    /// What is decided about a version.
    pub(super) fn verdict(&self, action: Action, stored: &Stored) -> Result<Verdict> {
        let (facts, _) = self.facts(action, stored)?;
        let verdict = self.lens.decide(action, &facts);
        self.note(verdict, facts.labels, facts.compartment);
        Ok(verdict)
    }

    /// What a decision looks at, and the record where it had to be read for it.
    pub(super) fn facts(&self, action: Action, stored: &Stored) -> Result<(Facts, Option<Record>)> {
        let known = self.known(stored.patient())?;
        let relations = self.relations(stored.kind(), stored.patient(), &known);
        // The patient's own access is not a matter of their consent to others'.
        let consents: &[Consent] = if relations.meets(Relations::OWN) { &[] } else { &known.consents };
        let labelled = Labels::may_be_in(stored.bytes());
        let read = labelled || self.lens.asks_status() || known.asks_codes;
        let record = if read && !stored.is_deleted() { Some(stored.record()?) } else { None };
        let labels = record.as_ref().filter(|_| labelled).map_or(Labels::NONE, Labels::of);
        // Where it lies, and what it says: a label may have come to be understood since.
        let said = record.as_ref().filter(|_| labelled).map_or(Compartment::Normal, Compartment::of);
        let compartment = stored.compartment().max(said);
        let status =
            record.as_ref().and_then(|record| record.root().text("status").map(|text| self.lens.status_bit(&text)));
        let consent = if consents.is_empty() {
            ConsentSays::Nothing
        } else {
            let asker = Asker {
                action,
                purpose: self.session.purpose,
                references: &self.references,
                now: self.now,
                kind: stored.kind(),
                id: stored.id(),
                labels,
                record: record.as_ref(),
            };
            Consent::all_say(consents, &asker)
        };
        let facts = Facts {
            kind: Some(stored.kind()),
            compartment,
            labels,
            relations,
            own_organization: known.own_organization,
            author: stored.actor() == self.session.actor.id,
            status: status.unwrap_or(0),
            consent,
        };
        Ok((facts, record))
    }

    fn known(&self, patient: PatientNumber) -> Result<Arc<Known>> {
        let session = self.session;
        if let Some(told) = self.told {
            return session.custody.known(&session.actor, &self.lens, told, &self.snapshot, patient);
        }
        if let Some(known) = self.found.borrow().get(&patient.0) {
            return Ok(known.clone());
        }
        let known = Arc::new(session.custody.look(&session.actor, &self.lens, &self.snapshot, patient)?);
        self.found.borrow_mut().insert(patient.0, known.clone());
        Ok(known)
    }

    fn relations(&self, kind: ResourceType, patient: PatientNumber, known: &Known) -> Relations {
        if patient != PatientNumber::SHARED {
            return known.relations(self.now);
        }
        // What should name a patient and names none we know may be anybody's.
        let nobodys = kind != ResourceType::PATIENT && kind.patient_paths().is_empty();
        if nobodys { Relations::NO_PATIENT } else { Relations::NONE }
    }

    /// Whether anything of a patient could be let through.
    fn reaches(&self, patient: PatientNumber) -> Result<bool> {
        if let Some(glass) = &self.session.custody.glass {
            return Ok(patient == glass.patient || patient == PatientNumber::SHARED);
        }
        if patient == PatientNumber::SHARED {
            return Ok(true);
        }
        let known = self.known(patient)?;
        Ok(self.lens.could_of(self.action, known.relations(self.now), known.own_organization))
    }
}

impl Admission for Gate<'_> {
    fn patient(&self, _: ResourceType, patient: PatientNumber) -> Result<bool> {
        self.watch.look()?;
        self.reaches(patient)
    }

    fn record(&self, stored: Stored) -> Result<Option<Stored>> {
        self.watch.look()?;
        if let Some(glass) = &self.session.custody.glass {
            let nobodys = stored.patient() == PatientNumber::SHARED
                && stored.kind() != ResourceType::PATIENT
                && stored.kind().patient_paths().is_empty();
            if stored.patient() != glass.patient && !nobodys {
                return Ok(None);
            }
        }
        let (facts, record) = self.facts(self.action, &stored)?;
        let verdict = self.lens.decide(self.action, &facts);
        self.note(verdict, facts.labels, facts.compartment);
        if !verdict.permitted {
            return Ok(None);
        }
        let held = self.held.get() + stored.bytes().len() + RECORD;
        self.held.set(held);
        self.watch.hold(held)?;
        if stored.is_deleted() || !self.lens.masks(stored.kind(), facts.relations) {
            return Ok(Some(stored));
        }
        let record = match record {
            Some(record) => record,
            None => stored.record()?,
        };
        let left = self.lens.masked(&record, facts.relations);
        Ok(Some(stored.showing(left)))
    }
}

/// The records that stand for who asks, as a consent can name them.
fn references(session: &Session) -> Vec<String> {
    let actor = &session.actor;
    let mut all: Vec<String> = actor.reference.iter().chain(&actor.organization).cloned().collect();
    if let (crate::access::Role::Patient, Some(patient)) = (actor.role, &actor.patient) {
        all.push(format!("Patient/{patient}"));
    }
    all
}
