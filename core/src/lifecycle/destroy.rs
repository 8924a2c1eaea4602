//! Destroying entries: proposed by one person, approved by another, after the time they must be kept, and under no hold.

use super::Reason;
use super::retention::Retention;
use crate::crypto::{Active, Provider};
use crate::ehr::{Pass, Path, Session};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::store::{AsideKey, AsideKind, Change, Reader, Snapshot, Stored, Tombstone, Writer};
use crate::time::Timestamp;

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// How far a proposal is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProposalState { $($(#[$doc])* $variant),* }
        impl ProposalState {
            /// Every one.
            pub const ALL: &'static [ProposalState] = &[$(ProposalState::$variant),*];
            /// The name.
            pub const fn name(self) -> &'static str { match self { $(ProposalState::$variant => $name),* } }
        }
    };
}

states! {
    /// It waits for somebody else.
    Waiting = "waiting";
    /// It was taken back or turned down.
    Withdrawn = "withdrawn";
    /// What it named is destroyed.
    Done = "done";
}

/// A proposal to destroy something.
#[derive(Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its number.
    pub number: u64,
    /// How far it is.
    pub state: ProposalState,
    /// The patient's number in this store.
    pub patient: PatientNumber,
    /// The patient's logical id; empty once it is done.
    pub patient_id: String,
    /// The record; None: the whole chart, or it is done.
    pub record: Option<(ResourceType, String)>,
    /// Who proposed it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Who ended it, and when.
    pub ended: Option<(String, Timestamp)>,
    /// How many records were destroyed.
    pub records: u64,
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proposal({}, {})", self.number, self.state.name())
    }
}

impl Proposal {
    fn key(&self) -> AsideKey {
        AsideKey { kind: AsideKind::Proposal, patient: self.patient, compartment: 0, number: self.number }
    }

    /// `state number, patient's id, 1 of a record number, { type number, id }?, by, at signed, reason, 1 ended number, { by, at signed }?,
    /// records number`; texts with their length before them.
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.state as u64);
        out.bytes(self.patient_id.as_bytes());
        out.number(self.record.is_some().into());
        if let Some((kind, id)) = &self.record {
            out.number(kind.number().into());
            out.bytes(id.as_bytes());
        }
        out.bytes(self.by.as_bytes());
        out.signed(self.at.0);
        out.bytes(self.reason.as_bytes());
        out.number(self.ended.is_some().into());
        if let Some((by, at)) = &self.ended {
            out.bytes(by.as_bytes());
            out.signed(at.0);
        }
        out.number(self.records);
        out.0
    }

    fn decode(key: AsideKey, plain: &[u8]) -> Result<Proposal> {
        let mut reader = Reader { rest: plain };
        let state = ProposalState::ALL.get(reader.small::<usize>()?).copied().ok_or_else(|| Code::Corrupt.error())?;
        let patient_id = reader.text()?;
        let record = if reader.number()? == 1 { Some((reader.kind()?, reader.text()?)) } else { None };
        let (by, at, reason) = (reader.text()?, Timestamp(reader.signed()?), reader.text()?);
        let ended = if reader.number()? == 1 { Some((reader.text()?, Timestamp(reader.signed()?))) } else { None };
        let records = reader.number()?;
        Ok(Proposal {
            number: key.number,
            state,
            patient: key.patient,
            patient_id,
            record,
            by,
            at,
            reason,
            ended,
            records,
        })
    }
}

impl Session {
    /// Proposes to destroy every version of a record, or without one a patient's whole chart. Nothing is destroyed before
    /// somebody else approves it.
    ///
    /// # Errors
    /// - `retention-running`: it has to be kept still, or no rule says how long; `hold`, with whom to ask; `not-found`,
    ///   `reason-required`, `denied`.
    pub fn propose_destroy(
        &self,
        patient: &str,
        record: Option<(ResourceType, &str)>,
        reason: &Reason,
    ) -> Result<Proposal> {
        let (kind, id) = record.unwrap_or((ResourceType::PATIENT, patient));
        let mut pass = self.enter_at_for_all(Path::ProposeDestroy, kind, id)?;
        match proposed(&mut pass, patient, record, reason) {
            Err(error) => pass.refuse(error),
            Ok((proposal, change)) => {
                pass.commit(change)?;
                Ok(proposal)
            }
        }
    }

    /// Takes a proposal back, or turns it down.
    ///
    /// # Errors
    /// - `proposal-unknown`: there is none of that number that waits; `denied`.
    pub fn withdraw_destroy(&self, number: u64) -> Result<Proposal> {
        let mut pass = self.enter_for_all(Path::WithdrawDestroy)?;
        let made = pass.ungated_change().and_then(|mut change| {
            let mut proposal = waiting(&change, number)?;
            proposal.state = ProposalState::Withdrawn;
            proposal.ended = Some((self.actor.id.clone(), pass.now()));
            change.aside_put(proposal.key(), &proposal.encode())?;
            pass.event.patient = proposal.patient.0;
            Ok((proposal, change))
        });
        match made {
            Err(error) => pass.refuse(error),
            Ok((proposal, change)) => {
                pass.commit(change)?;
                Ok(proposal)
            }
        }
    }

    /// The proposals, those that ended too.
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`.
    pub fn proposals(&self) -> Result<Vec<Proposal>> {
        let mut pass = self.enter_for_all(Path::Proposals)?;
        let found = pass.ungated_snapshot().and_then(|snapshot| {
            let rows = snapshot.asides(AsideKind::Proposal, None)?;
            rows.iter().map(|(key, plain)| Proposal::decode(*key, plain)).collect::<Result<Vec<_>>>()
        });
        if let Ok(all) = &found {
            pass.event.count = all.len() as u64;
        }
        pass.show(found)
    }

    /// Destroys what somebody else proposed to destroy: every version, with its index, its notes, its conflicts and requests, what an
    /// import kept of it aside, and what the file still keeps of all that. A tombstone stays for each record, under a token of its
    /// id: who, who approved, when, why, how many versions, and a hash of them. Nothing of that id comes in again unseen.
    ///
    /// # Durability
    /// When this returns, it is gone from the disk. On `shred-unfinished` it is gone for every call, and opening the store again
    /// wipes the rest.
    ///
    /// # Privacy
    /// What stays: the audit log, which names records by pseudonyms; the lines of the import ledger, which have ids; backups made before.
    ///
    /// # Errors
    /// - `proposal-unknown`; `same-person`: who proposed it cannot approve it; `retention-running`, `hold` as
    ///   [`Session::propose_destroy`], looked at again in the moment of the deed; `conflict`: others keep writing, try again; `denied`.
    pub fn approve_destroy(&self, number: u64, reason: &Reason) -> Result<Proposal> {
        let mut pass = self.enter_for_all(Path::ApproveDestroy)?;
        let (store, at) = (pass.store(), pass.now());
        match destroyed(&mut pass, number, reason) {
            Err(error) => pass.refuse(error),
            Ok((proposal, change)) => {
                pass.commit(change)?;
                store.finish_destroying(at).map_err(|_| Code::ShredUnfinished.error())?;
                if proposal.whole() {
                    store.burn(at, || Ok(())).map_err(|_| Code::ShredUnfinished.error())?;
                }
                Ok(proposal)
            }
        }
    }

    /// What became of a record that was destroyed.
    ///
    /// # Errors
    /// - `not-found`: none of that id was destroyed; `denied`, `audit-unavailable`.
    pub fn tombstone(&self, kind: ResourceType, id: &str) -> Result<Tombstone> {
        let pass = self.enter_at_for_all(Path::Tombstone, kind, id)?;
        let found = pass
            .ungated_snapshot()
            .and_then(|snapshot| snapshot.tombstone(kind, id)?.ok_or_else(|| Code::NotFound.error()));
        pass.show(found)
    }
}

impl Proposal {
    /// Whether a whole chart was destroyed. What it named is not kept once it is done; a chart is told from a record by its mark.
    fn whole(&self) -> bool {
        self.record.is_none()
    }
}

/// The chart something lies in, and its current records.
pub(super) fn chart_of(
    snapshot: &Snapshot<'_>,
    patient: &str,
    record: Option<(ResourceType, &str)>,
) -> Result<(PatientNumber, Vec<Stored>)> {
    let not_found = || Code::NotFound.error();
    let number = match record {
        None => snapshot.patient(patient)?.ok_or_else(not_found)?,
        Some((kind, id)) => {
            let newest = snapshot.newest(kind, id)?.ok_or_else(not_found)?;
            let named = snapshot.patient(patient)?.unwrap_or(PatientNumber::SHARED);
            if newest.patient() != named {
                return Err(not_found());
            }
            if newest.patient() == PatientNumber::SHARED {
                // Of no single patient: its own clock.
                return Ok((PatientNumber::SHARED, vec![newest]));
            }
            newest.patient()
        }
    };
    let mut chart = snapshot.chart(number)?;
    if let Some((kind, id)) = record {
        // One that is retracted or deleted is in no chart and has a clock all the same.
        if !chart.iter().any(|stored| stored.kind() == kind && stored.id() == id) {
            chart.extend(snapshot.newest(kind, id)?.filter(|newest| !newest.is_deleted()));
        }
    }
    Ok((number, chart))
}

/// From when on something of a chart may be destroyed: see [`Retention::due`].
pub(super) fn due(
    snapshot: &Snapshot<'_>,
    patient: PatientNumber,
    chart: &[Stored],
    kind: Option<ResourceType>,
) -> Result<Option<Timestamp>> {
    let (mut hidden, mut taken_away) = (Vec::new(), None);
    if patient != PatientNumber::SHARED {
        for (kind, id) in snapshot.every_record(patient)? {
            let Some(newest) = snapshot.newest(kind, &id)?.filter(|newest| !newest.is_shown()) else { continue };
            taken_away = taken_away.max(Some(newest.at()));
            if kind.name() == "Encounter" {
                hidden.extend(snapshot.said(kind, &id)?);
            }
        }
    }
    Retention::decode(&snapshot.retention()?)?.due(chart, (&hidden, taken_away), kind)
}

fn refuse_early(
    snapshot: &Snapshot<'_>,
    (patient, chart): (PatientNumber, &[Stored]),
    kind: Option<ResourceType>,
    now: Timestamp,
) -> Result<()> {
    let due = due(snapshot, patient, chart, kind)?;
    if due.is_some_and(|due| due <= now) { Ok(()) } else { Err(Code::RetentionRunning.error()) }
}

/// A change set, and what is committed before it: nobody else's change set lies between the two.
fn alone<'s>(pass: &Pass<'s>) -> Result<(Change<'s>, Snapshot<'s>)> {
    for _ in 0..1000 {
        let change = pass.ungated_change()?;
        let snapshot = pass.ungated_snapshot()?;
        if snapshot.next_commit()? == change.number() {
            return Ok((change, snapshot));
        }
        drop(change); // others are done and not on the disk yet: their turn to be written comes with this
    }
    Err(Code::Conflict.error())
}

fn proposed<'s>(
    pass: &mut Pass<'s>,
    patient: &str,
    record: Option<(ResourceType, &str)>,
    reason: &Reason,
) -> Result<(Proposal, Change<'s>)> {
    reason.check()?;
    let (mut change, snapshot) = alone(pass)?;
    let (number, chart) = chart_of(&snapshot, patient, record)?;
    match record {
        Some((kind, id)) => change.refuse_held(number.0, kind, id)?,
        None => change.refuse_any_held(number)?,
    }
    refuse_early(&snapshot, (number, &chart), record.map(|(kind, _)| kind), pass.now())?;
    let proposal = Proposal {
        number: change.aside_number()?,
        state: ProposalState::Waiting,
        patient: number,
        patient_id: patient.to_owned(),
        record: record.map(|(kind, id)| (kind, id.to_owned())),
        by: pass.session().actor.id.clone(),
        at: pass.now(),
        reason: reason.text.clone(),
        ended: None,
        records: 0,
    };
    change.aside_put(proposal.key(), &proposal.encode())?;
    (pass.event.patient, pass.event.count) = (number.0, 1);
    pass.event.reason = reason.text.clone();
    Ok((proposal, change))
}

fn waiting(change: &Change<'_>, number: u64) -> Result<Proposal> {
    let unknown = || Code::ProposalUnknown.error();
    let (key, plain) = change.aside(AsideKind::Proposal, number)?.ok_or_else(unknown)?;
    let proposal = Proposal::decode(key, &plain)?;
    if proposal.state == ProposalState::Waiting { Ok(proposal) } else { Err(unknown()) }
}

fn destroyed<'s>(pass: &mut Pass<'s>, number: u64, reason: &Reason) -> Result<(Proposal, Change<'s>)> {
    reason.check()?;
    let (mut change, snapshot) = alone(pass)?;
    let mut proposal = waiting(&change, number)?;
    let me = &pass.session().actor.id;
    pass.event.patient = proposal.patient.0;
    let record = proposal.record.clone();
    let (kind, id) = record.clone().unwrap_or((ResourceType::PATIENT, proposal.patient_id.clone()));
    (pass.event.resource, pass.event.id) = (Some(kind), id.clone());
    if proposal.by == *me {
        return Err(Code::SamePerson.error());
    }
    let named = record.as_ref().map(|(kind, id)| (*kind, id.as_str()));
    let (patient, chart) = chart_of(&snapshot, &proposal.patient_id, named)?;
    if patient != proposal.patient {
        return Err(Code::ProposalUnknown.error()); // it was moved to another chart since
    }
    refuse_early(&snapshot, (patient, &chart), record.as_ref().map(|(kind, _)| *kind), pass.now())?;
    let gone = match &record {
        Some(record) => vec![record.clone()],
        None => snapshot.every_record(patient)?,
    };
    let mut digests = Vec::new();
    for (kind, id) in &gone {
        let versions = change.every_version(*kind, id)?;
        let hashes: Vec<u8> = versions.iter().flat_map(|bytes| Active::sha256(&[bytes])).collect();
        let stone = Tombstone {
            by: proposal.by.clone(),
            approved_by: me.clone(),
            at: pass.now(),
            reason: proposal.reason.clone(),
            versions: versions.len() as u64,
            digest: Active::sha256(&[&hashes]),
        };
        digests.extend(stone.digest);
        change.bury(*kind, id, &stone)?;
    }
    match &record {
        Some((kind, id)) => change.destroy(*kind, id)?,
        None => {
            change.refuse_any_held(patient)?;
            change.shred(&proposal.patient_id, None)?;
        }
    }
    forget(pass, &mut change, &gone, record.is_none().then_some(proposal.patient_id.as_str()))?;
    proposal.state = ProposalState::Done;
    proposal.ended = Some((me.clone(), pass.now()));
    proposal.records = gone.len() as u64;
    // The mark of a record stays, its id does not.
    proposal.record = record.map(|(kind, _)| (kind, String::new()));
    proposal.patient_id = String::new();
    change.aside_put(proposal.key(), &proposal.encode())?;
    pass.event.count = gone.len() as u64;
    pass.event.digest = Active::sha256(&[&digests]);
    pass.event.reason = reason.text.clone();
    Ok((proposal, change))
}

/// Takes out conflicts and requests about records that are gone, in whosever chart they lie.
///
/// # Errors
/// - of the store.
pub(crate) fn forget_asides(change: &mut Change<'_>, gone: &[(ResourceType, String)]) -> Result<()> {
    let is_gone = |kind: ResourceType, id: &str| gone.iter().any(|(of, other)| *of == kind && other == id);
    change.asides_remove(AsideKind::Conflict, &mut |plain| {
        super::conflict::about(plain).map(|(kind, id)| is_gone(kind, &id))
    })?;
    change.asides_remove(AsideKind::Request, &mut |plain| {
        Ok(super::request::about_record(plain)?.is_some_and(|(kind, id)| is_gone(kind, &id)))
    })
}

/// Takes out what lies elsewhere about destroyed records: conflicts, requests, names in holds and other proposals, and what imports
/// kept aside.
fn forget(
    pass: &Pass<'_>,
    change: &mut Change<'_>,
    gone: &[(ResourceType, String)],
    patient: Option<&str>,
) -> Result<()> {
    let is_gone = |kind: ResourceType, id: &str| gone.iter().any(|(of, other)| *of == kind && other == id);
    forget_asides(change, gone)?;
    for (key, plain) in change.asides(AsideKind::Hold, None)? {
        let mut hold = crate::store::Hold::decode(key, &plain)?;
        if let Some((kind, id)) = hold.record.take_if(|(kind, id)| is_gone(*kind, id)) {
            let _ = id;
            hold.record = Some((kind, String::new()));
            change.aside_replace(key, &hold.encode())?;
        }
    }
    for (key, plain) in change.asides(AsideKind::Proposal, None)? {
        let mut proposal = Proposal::decode(key, &plain)?;
        let named = proposal.record.as_ref().is_some_and(|(kind, id)| is_gone(*kind, id));
        let owned = patient.is_some_and(|patient| proposal.patient_id == patient);
        if named || owned {
            proposal.record = proposal.record.map(|(kind, _)| (kind, String::new()));
            proposal.patient_id = String::new();
            if proposal.state == ProposalState::Waiting {
                proposal.state = ProposalState::Withdrawn; // there is nothing left of what it names
                proposal.ended = Some((pass.session().actor.id.clone(), pass.now()));
            }
            change.aside_replace(key, &proposal.encode())?;
        }
    }
    crate::exchange::forget_quarantined(pass.store(), change, &is_gone, patient)
}
