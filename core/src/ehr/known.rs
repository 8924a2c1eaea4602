//! What a session knows of the patients it meets: what its actor has to do with them, and what their consents say.
//!
//! It is found out once for each patient and kept until a record is written that could change it (a consent, a care team, an
//! encounter, a patient, who stands for whom). Times are kept as times: a care team that ends today ends today.

use super::actor::Actor;
use super::glass::Glass;
use crate::access::{Consent, Lens, Relations};
use crate::error::Result;
use crate::id::PatientNumber;
use crate::json::instant_of;
use crate::record::{Node, Record};
use crate::schema::ResourceType;
use crate::search::parse_reference;
use crate::store::{Snapshot, Stored};
use crate::time::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What belongs to a session beside its actor and purpose.
#[derive(Default)]
pub(super) struct Custody {
    /// The emergency this session is for.
    pub(super) glass: Option<Glass>,
    /// The lens, with the number of the policy it is cut from.
    lens: Mutex<Option<(u32, Arc<Lens>)>>,
    known: Mutex<HashMap<u32, (u64, Arc<Known>)>>,
    /// Patients the host says the actor takes care of, by logical id.
    related: Mutex<HashSet<String>>,
}

/// Most patients that are kept in mind.
const MOST_KNOWN: usize = 10_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Custody {
    pub(super) fn for_emergency(glass: Glass) -> Custody {
        Custody { glass: Some(glass), ..Custody::default() }
    }
    /// The lens cut from the policy of that number.
    pub(super) fn lens(&self, number: u32, cut: impl FnOnce() -> Lens) -> Arc<Lens> {
        let mut held = lock(&self.lens);
        match &*held {
            Some((of, lens)) if *of == number => lens.clone(),
            _ => {
                let lens = Arc::new(cut());
                *held = Some((number, lens.clone()));
                lock(&self.known).clear(); // what was not asked before may be asked now
                lens
            }
        }
    }
    pub(super) fn relate(&self, patient: &str) {
        let mut related = lock(&self.related);
        if related.len() < MOST_KNOWN {
            related.insert(patient.to_owned());
        }
        lock(&self.known).clear();
    }
    /// What is known of a patient. `told` is the count of changes to what tells, from before the snapshot was taken.
    pub(super) fn known(
        &self,
        actor: &Actor,
        lens: &Lens,
        told: u64,
        snapshot: &Snapshot<'_>,
        patient: PatientNumber,
    ) -> Result<Arc<Known>> {
        if let Some((at, known)) = lock(&self.known).get(&patient.0).filter(|(at, _)| *at == told) {
            debug_assert_eq!(*at, told);
            return Ok(known.clone());
        }
        let known = Arc::new(self.look(actor, lens, snapshot, patient)?);
        let mut all = lock(&self.known);
        if all.len() >= MOST_KNOWN {
            all.clear();
        }
        all.insert(patient.0, (told, known.clone()));
        Ok(known)
    }
}

impl Custody {
    /// Finds out what there is to know of a patient.
    pub(super) fn look(
        &self,
        actor: &Actor,
        lens: &Lens,
        snapshot: &Snapshot<'_>,
        patient: PatientNumber,
    ) -> Result<Known> {
        let related = lock(&self.related).clone();
        Known::find(actor, lens, &related, snapshot, patient)
    }
}

/// What is known of one patient.
#[derive(Default)]
pub(super) struct Known {
    /// What the actor has to do with them, from when, until when.
    relations: Vec<(Relations, i64, i64)>,
    pub(super) own_organization: bool,
    pub(super) consents: Vec<Consent>,
    pub(super) asks_codes: bool,
}

impl Known {
    /// What the actor has to do with the patient now.
    pub(super) fn relations(&self, now: Timestamp) -> Relations {
        let holding = self.relations.iter().filter(|(_, from, until)| (*from..*until).contains(&now.0));
        holding.fold(Relations::NONE, |all, (one, ..)| all.and(*one))
    }

    fn find(
        actor: &Actor,
        lens: &Lens,
        related: &HashSet<String>,
        snapshot: &Snapshot<'_>,
        patient: PatientNumber,
    ) -> Result<Known> {
        let mut known = Known::default();
        if patient == PatientNumber::SHARED {
            return Ok(known);
        }
        let always = (i64::MIN, i64::MAX);
        let bound = match &actor.patient {
            Some(id) => snapshot.patient(id)? == Some(patient),
            None => false,
        };
        if bound {
            let relation = match actor.role {
                crate::access::Role::Patient => Some((Relations::OWN, always)),
                crate::access::Role::Caregiver => {
                    proxy_time(actor, snapshot, patient)?.map(|time| (Relations::PROXY, time))
                }
                _ => None,
            };
            known.relations.extend(relation.map(|(one, (from, until))| (one, from, until)));
        }
        if lens.asks_care_team() {
            let mut told = false;
            for id in related {
                told |= snapshot.patient(id)? == Some(patient);
            }
            if told {
                known.relations.push((Relations::CARE_TEAM, always.0, always.1));
            }
            if let Some(own) = &actor.reference {
                let team = Team { who: &actor.id, own, organization: actor.organization.as_deref(), snapshot };
                let times = team.look(patient)?;
                known.relations.extend(times.into_iter().map(|(from, until)| (Relations::CARE_TEAM, from, until)));
            }
        }
        if lens.asks_organization() {
            if let Some(organization) = &actor.organization {
                for stored in of_type(snapshot, patient, "Patient")? {
                    known.own_organization |= vouched(snapshot, &stored, &actor.id)?.all(|record| {
                        let manager = record.root().get("managingOrganization").and_then(|node| node.text("reference"));
                        Ok(manager.is_some_and(|text| same(&resolved(snapshot, &text), organization)))
                    })?;
                }
            }
        }
        for stored in of_type(snapshot, patient, "Consent")? {
            let resolve = |address: &str| snapshot.resolve(address).ok().flatten();
            let compile = |record: &Record| Consent::compile(record, &resolve);
            let Vouched { newest, other } = vouched(snapshot, &stored, &actor.id)?;
            known.consents.extend(match other {
                None => compile(&newest),
                Some(other) => Consent::by_who_asks(compile(&newest), other.as_ref().and_then(compile)),
            });
        }
        known.asks_codes = known.consents.iter().any(Consent::asks_codes);
        Ok(known)
    }
}

fn of_type(snapshot: &Snapshot<'_>, patient: PatientNumber, name: &str) -> Result<Vec<Stored>> {
    match ResourceType::from_name(name) {
        Some(kind) => snapshot.of_type(patient, kind),
        None => Ok(Vec::new()),
    }
}

/// Since when and until when a caregiver stands for a patient: as the host says, and as a RelatedPerson says that stands for
/// them in the store; None where that one is not active or stands for somebody else.
fn proxy_time(actor: &Actor, snapshot: &Snapshot<'_>, patient: PatientNumber) -> Result<Option<(i64, i64)>> {
    let time = (i64::MIN, actor.until.map_or(i64::MAX, |until| until.0));
    let Some(("RelatedPerson", id)) = actor.reference.as_deref().and_then(|text| text.split_once('/')) else {
        return Ok(Some(time));
    };
    let Some(kind) = ResourceType::from_name("RelatedPerson") else { return Ok(None) };
    let Some(stored) = snapshot.current(kind, id)?.filter(|stored| stored.patient() == patient) else {
        return Ok(None);
    };
    let times = vouched(snapshot, &stored, &actor.id)?.times(|record| {
        let mut time = time;
        narrow(&mut time, record.root().get("period"));
        let active = record.root().get("active").and_then(Node::as_bool) != Some(false);
        Ok(if active { vec![time] } else { Vec::new() })
    })?;
    Ok(times.first().copied())
}

/// What a record says, as far as somebody else than the actor says it.
pub(super) struct Vouched {
    newest: Record,
    /// Where the actor wrote the newest version: the newest that somebody else wrote; None where nobody did.
    other: Option<Option<Record>>,
}

/// Nobody lets themselves in: what the actor wrote about who takes care of whom takes effect as far as the newest version of
/// somebody else says the same, of the same patient.
pub(super) fn vouched(snapshot: &Snapshot<'_>, stored: &Stored, who: &str) -> Result<Vouched> {
    let newest = stored.record()?;
    if stored.actor() != who {
        return Ok(Vouched { newest, other: None });
    }
    let all = snapshot.history(stored.kind(), stored.id())?;
    let other = all.iter().find(|version| version.actor() != who && version.is_shown());
    let other = other.filter(|version| version.patient() == stored.patient());
    Ok(Vouched { newest, other: Some(other.map(Stored::record).transpose()?) })
}

impl Vouched {
    /// Whether one of those that have to say something says it.
    pub(super) fn any(&self, says: impl Fn(&Record) -> bool) -> bool {
        says(&self.newest) || matches!(&self.other, Some(Some(other)) if says(other))
    }

    /// Whether all that has to say something says it.
    fn all(&self, mut says: impl FnMut(&Record) -> Result<bool>) -> Result<bool> {
        match &self.other {
            None => says(&self.newest),
            Some(None) => Ok(false),
            Some(Some(other)) => Ok(says(&self.newest)? && says(other)?),
        }
    }

    /// The times that all give which have to give them.
    fn times(&self, mut give: impl FnMut(&Record) -> Result<Vec<(i64, i64)>>) -> Result<Vec<(i64, i64)>> {
        let newest = match &self.other {
            Some(None) => return Ok(Vec::new()),
            _ => give(&self.newest)?,
        };
        let Some(Some(other)) = &self.other else { return Ok(newest) };
        let other = give(other)?;
        let both = newest.iter().flat_map(|one| other.iter().map(move |two| (one.0.max(two.0), one.1.min(two.1))));
        Ok(both.filter(|(from, until)| from < until).collect())
    }
}

/// Who takes care of a patient, as the chart says.
struct Team<'a, 's> {
    who: &'a str,
    own: &'a str,
    organization: Option<&'a str>,
    snapshot: &'a Snapshot<'s>,
}

impl Team<'_, '_> {
    fn look(&self, patient: PatientNumber) -> Result<Vec<(i64, i64)>> {
        let mut times = Vec::new();
        for kind in ["Patient", "CareTeam", "Encounter"] {
            for stored in of_type(self.snapshot, patient, kind)? {
                let vouched = vouched(self.snapshot, &stored, self.who)?;
                times.extend(vouched.times(|record| self.times(kind, record))?);
            }
        }
        Ok(times)
    }

    /// When the actor takes care of the patient, as one record says.
    fn times(&self, kind: &str, record: &Record) -> Result<Vec<(i64, i64)>> {
        let status = record.root().text("status");
        match kind {
            "Patient" => {
                for doctor in record.root().list("generalPractitioner") {
                    if self.names(doctor)? {
                        return Ok(vec![(i64::MIN, i64::MAX)]);
                    }
                }
                Ok(Vec::new())
            }
            "CareTeam" if matches!(status.as_deref(), None | Some("active")) => self.participants(record, "member"),
            "Encounter" => match status.as_deref() {
                Some("planned" | "arrived" | "triaged" | "in-progress" | "onleave") => {
                    self.participants(record, "individual")
                }
                _ => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    fn participants(&self, record: &Record, name: &str) -> Result<Vec<(i64, i64)>> {
        let mut times = Vec::new();
        for participant in record.root().list("participant") {
            let mut found = false;
            for reference in [name, "onBehalfOf"].into_iter().filter_map(|name| participant.get(name)) {
                found |= self.names(reference)?;
            }
            if found {
                let mut time = (i64::MIN, i64::MAX);
                // An encounter has no end while it goes on; one that is planned gives leave before it begins.
                if name == "member" {
                    narrow(&mut time, record.root().get("period"));
                }
                narrow(&mut time, participant.get("period"));
                times.push(time);
            }
        }
        Ok(times)
    }

    /// Whether a reference names the actor, a role they have, or their organization.
    fn names(&self, reference: Node<'_>) -> Result<bool> {
        let Some(text) = reference.text("reference") else { return Ok(false) };
        let text = resolved(self.snapshot, &text);
        if same(&text, self.own) || self.organization.is_some_and(|own| same(&text, own)) {
            return Ok(true);
        }
        let Some((kind, id)) = parse_reference(&text) else { return Ok(false) };
        if kind.name() != "PractitionerRole" {
            return Ok(false);
        }
        let Some(stored) = self.snapshot.current(kind, id)? else { return Ok(false) };
        vouched(self.snapshot, &stored, self.who)?.all(|role| {
            let active = role.root().get("active").and_then(Node::as_bool) != Some(false);
            let whose = role.root().get("practitioner").and_then(|node| node.text("reference"));
            Ok(active && whose.is_some_and(|text| same(&resolved(self.snapshot, &text), self.own)))
        })
    }
}

fn resolved(snapshot: &Snapshot<'_>, text: &str) -> String {
    let found = if text.contains(':') { snapshot.resolve(text).ok().flatten() } else { None };
    found.unwrap_or_else(|| text.to_owned())
}

/// Whether two references name the same record.
fn same(one: &str, other: &str) -> bool {
    one == other || parse_reference(one).is_some_and(|found| Some(found) == parse_reference(other))
}

/// Cuts a time to a Period; one that cannot be read leaves nothing of it.
fn narrow(time: &mut (i64, i64), period: Option<Node<'_>>) {
    let Some(period) = period else { return };
    let bound = |name: &str| period.get(name).map(|node| instant_of(node.raw()));
    match (bound("start"), bound("end")) {
        (Some(None), _) | (_, Some(None)) => *time = (0, 0),
        (start, end) => {
            time.0 = time.0.max(start.flatten().map_or(i64::MIN, |(start, _)| start.0));
            time.1 = time.1.min(end.flatten().map_or(i64::MAX, |(_, end)| end.0));
        }
    }
}
