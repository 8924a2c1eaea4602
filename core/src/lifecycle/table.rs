//! The table of decisions: every call on every state of an entry, under every hold, with and without a reason, by every role; what
//! comes out is what a small model of its own says, which shares no code with what it judges.

use super::tests::{clinic, code_of, kind, office, result};
use super::*;
use crate::access::{Purpose, Role};
use crate::ehr::{Actor, Ehr, Session};
use crate::error::Code;
use crate::store::testing::FaultyFile;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Absent,
    Current,
    Deleted,
    Retracted,
    Destroyed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    No,
    Record,
    Chart,
    Released,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Elapsed,
    Running,
    NoRule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Amend,
    Correct,
    Augment,
    Write,
    Merge,
    Retract,
    Restore,
    Delete,
    DeleteFor,
    PlaceHold,
    ReleaseHold,
    Propose,
    ApproveOther,
    ApproveSame,
}

const CALLS: [Call; 14] = [
    Call::Amend,
    Call::Correct,
    Call::Augment,
    Call::Write,
    Call::Merge,
    Call::Retract,
    Call::Restore,
    Call::Delete,
    Call::DeleteFor,
    Call::PlaceHold,
    Call::ReleaseHold,
    Call::Propose,
    Call::ApproveOther,
    Call::ApproveSame,
];
const ENTRIES: [Entry; 5] = [Entry::Absent, Entry::Current, Entry::Deleted, Entry::Retracted, Entry::Destroyed];
const HOLDS: [Held; 4] = [Held::No, Held::Record, Held::Chart, Held::Released];
const ROLES: [Role; 5] = [Role::Physician, Role::Nurse, Role::Administrator, Role::Patient, Role::Analyst];

#[derive(Clone, Copy, Debug)]
struct Row {
    call: Call,
    entry: Entry,
    held: Held,
    reason: bool,
    role: Role,
    keep: Keep,
}

/// What the rules say, in the order in which they are asked: may this role, is there a reason, is it there, is it held, is it time.
fn expected(row: Row) -> Option<Code> {
    let may = match row.call {
        Call::Amend | Call::Correct | Call::Augment | Call::Write | Call::Merge => {
            matches!(row.role, Role::Physician | Role::Nurse)
        }
        Call::Retract | Call::Restore | Call::Delete | Call::DeleteFor => row.role == Role::Physician,
        _ => row.role == Role::Administrator,
    };
    if !may {
        return Some(Code::Denied);
    }
    let asks = !matches!(row.call, Call::Write | Call::Merge | Call::Delete);
    if asks && !row.reason {
        return Some(Code::ReasonRequired);
    }
    let exists = !matches!(row.entry, Entry::Absent | Entry::Destroyed);
    let held = matches!(row.held, Held::Chart) || row.held == Held::Record && exists;
    let unless_held = held.then_some(Code::Hold);
    let needs = |there: bool| if there { unless_held } else { Some(Code::NotFound) };
    match row.call {
        Call::Amend | Call::Correct | Call::Augment | Call::Retract | Call::Delete | Call::DeleteFor => {
            needs(row.entry == Entry::Current)
        }
        Call::Restore => needs(row.entry == Entry::Retracted),
        Call::Write => match row.entry {
            Entry::Absent => None,
            Entry::Destroyed => Some(Code::Destroyed),
            Entry::Retracted => unless_held.or(Some(Code::Retracted)),
            Entry::Current | Entry::Deleted => unless_held,
        },
        // Made from version 1.
        Call::Merge => match row.entry {
            Entry::Absent | Entry::Destroyed => Some(Code::NotFound),
            Entry::Retracted => unless_held.or(Some(Code::Retracted)),
            Entry::Current | Entry::Deleted => unless_held,
        },
        Call::PlaceHold => (!exists).then_some(Code::NotFound),
        Call::ReleaseHold => match row.held {
            Held::Chart => None,
            Held::Record if exists => None,
            _ => Some(Code::NotFound),
        },
        Call::Propose => match (exists, row.keep) {
            (false, _) => Some(Code::NotFound),
            _ if held => unless_held,
            (true, Keep::Elapsed) => None,
            (true, _) => Some(Code::RetentionRunning),
        },
        // Proposed while nothing stood in the way; where that could not be, there is no proposal.
        Call::ApproveOther | Call::ApproveSame => match (exists, row.keep) {
            (true, Keep::Elapsed) if row.call == Call::ApproveSame => Some(Code::SamePerson),
            (true, Keep::Elapsed) => unless_held,
            _ => Some(Code::ProposalUnknown),
        },
    }
}

struct Clinic {
    ehr: Ehr,
    doctor: Session,
    ann: Session,
    bob: Session,
}

/// Brings an entry of a patient of its own into a state; gives the numbers of the hold and of the proposal.
fn prepare(clinic: &Clinic, row: Row, number: usize) -> (u64, u64) {
    let why = Reason::new("to prepare");
    let (patient, id) = (format!("p{number}"), format!("o{number}"));
    let observation = kind("Observation");
    let target = Some((observation, id.as_str()));
    clinic.doctor.write(format!(r#"{{"resourceType":"Patient","id":"{patient}"}}"#).as_bytes()).expect("valid");
    if row.entry != Entry::Absent {
        clinic.doctor.write(result(&id, &patient, "first").as_bytes()).expect("valid");
    }
    match row.entry {
        Entry::Absent | Entry::Current => {}
        Entry::Deleted => drop(clinic.doctor.delete(observation, &id).expect("there")),
        Entry::Retracted => drop(clinic.doctor.retract(observation, &id, 1, &why).expect("there")),
        Entry::Destroyed => {
            let proposal = clinic.ann.propose_destroy(&patient, target, &why).expect("it is time");
            clinic.bob.approve_destroy(proposal.number, &why).expect("all holds");
        }
    }
    let exists = !matches!(row.entry, Entry::Absent | Entry::Destroyed);
    let approves = matches!(row.call, Call::ApproveOther | Call::ApproveSame);
    let mut proposal = u64::MAX;
    if approves && exists && row.keep == Keep::Elapsed {
        let by = if row.call == Call::ApproveSame { &clinic.bob } else { &clinic.ann };
        proposal = by.propose_destroy(&patient, target, &why).expect("it is time").number;
    }
    let of = if row.held == Held::Record || row.held == Held::Released && exists { target } else { None };
    let hold = match row.held {
        Held::No => None,
        Held::Record if !exists => None,
        _ => Some(clinic.ann.place_hold(&patient, of, "legal", &why).expect("it may").number),
    };
    if let Some(hold) = hold.filter(|_| row.held == Held::Released) {
        clinic.ann.release_hold(hold, &why).expect("it stands");
    }
    (hold.unwrap_or(u64::MAX), proposal)
}

fn run(clinic: &Clinic, row: Row, number: usize) -> Option<Code> {
    let (hold, proposal) = prepare(clinic, row, number);
    let (patient, id) = (format!("p{number}"), format!("o{number}"));
    let (observation, why) = (kind("Observation"), Reason::new(if row.reason { "for a reason" } else { "" }));
    let (first, second) = (result(&id, &patient, "first"), result(&id, &patient, "second"));
    let more = first.replace(r#","valueString""#, r#","note":[{"text":"more"}],"valueString""#);
    let purpose = match row.role {
        Role::Physician | Role::Nurse => Purpose::Treatment,
        Role::Patient => Purpose::PatientRequest,
        Role::Analyst => Purpose::Research,
        _ => Purpose::Operations,
    };
    let actor = match row.role {
        Role::Patient => Actor::of_patient("login", row.role, &patient),
        Role::Administrator => Actor::new("bob", row.role),
        _ => Actor::new("somebody", row.role),
    };
    let session = clinic.ehr.session(actor, purpose).expect("a session");
    let target = Some((observation, id.as_str()));
    match row.call {
        Call::Amend => code_of(session.amend(second.as_bytes(), 1, &why)),
        Call::Correct => code_of(session.correct(second.as_bytes(), 1, &why)),
        Call::Augment => code_of(session.augment(more.as_bytes(), 1, &why)),
        Call::Write => code_of(session.write(second.as_bytes())),
        Call::Merge => code_of(session.write_merged(second.as_bytes(), 1)),
        Call::Retract => code_of(session.retract(observation, &id, 1, &why)),
        Call::Restore => code_of(session.restore(observation, &id, &why)),
        Call::Delete => code_of(session.delete(observation, &id)),
        Call::DeleteFor => code_of(session.delete_for(observation, &id, &why)),
        Call::PlaceHold => code_of(session.place_hold(&patient, target, "legal", &why)),
        Call::ReleaseHold => code_of(session.release_hold(hold, &why)),
        Call::Propose => code_of(session.propose_destroy(&patient, target, &why)),
        Call::ApproveOther | Call::ApproveSame => code_of(session.approve_destroy(proposal, &why)),
    }
}

fn rightful(call: Call) -> Role {
    match call {
        Call::PlaceHold | Call::ReleaseHold | Call::Propose | Call::ApproveOther | Call::ApproveSame => {
            Role::Administrator
        }
        _ => Role::Physician,
    }
}

#[test]
fn every_call_on_every_state_of_an_entry_ends_as_the_model_says() {
    let mut rows = Vec::new();
    for call in CALLS {
        for entry in ENTRIES {
            for held in HOLDS {
                for reason in [true, false] {
                    rows.push(Row { call, entry, held, reason, role: rightful(call), keep: Keep::Elapsed });
                }
            }
        }
        for role in ROLES {
            rows.push(Row { call, entry: Entry::Current, held: Held::No, reason: true, role, keep: Keep::Elapsed });
        }
        for keep in [Keep::Running, Keep::NoRule] {
            for held in HOLDS {
                rows.push(Row { call, entry: Entry::Current, held, reason: true, role: rightful(call), keep });
            }
        }
    }
    assert!(rows.len() >= 500, "{} rows", rows.len());
    let mut judged = 0;
    for keep in [Keep::Elapsed, Keep::Running, Keep::NoRule] {
        let (ehr, _) = clinic(&FaultyFile::default());
        let (ann, bob) = (office(&ehr, "ann"), office(&ehr, "bob"));
        let doctor = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
        let rules: &[u8] = match keep {
            Keep::Elapsed => br#"{"default":{"years":0}}"#,
            Keep::Running => br#"{"default":{"years":10}}"#,
            Keep::NoRule => br#"{"types":{"Encounter":{"years":0}}}"#,
        };
        ann.set_retention(&Retention::from_json(rules).expect("rules")).expect("it may");
        let clinic = Clinic { ehr, doctor, ann, bob };
        for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.keep == keep) {
            assert_eq!(run(&clinic, *row, number), expected(*row), "{row:?}");
            judged += 1;
        }
    }
    assert_eq!(judged, rows.len());
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Extended,
    Accepted,
    Denied,
    Disagreed,
    Rebutted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Extend,
    Accept,
    Deny,
    Disagree,
    Rebut,
}

#[test]
fn every_step_of_a_request_goes_from_the_states_it_may_and_by_whom_it_may() {
    let (ehr, _) = clinic(&FaultyFile::default());
    let doctor = ehr.session(Actor::new("dr", Role::Physician), Purpose::Treatment).expect("a session");
    let ann = office(&ehr, "ann");
    let mut judged = 0;
    for stage in [Stage::Open, Stage::Extended, Stage::Accepted, Stage::Denied, Stage::Disagreed, Stage::Rebutted] {
        for step in [Step::Extend, Step::Accept, Step::Deny, Step::Disagree, Step::Rebut] {
            for who in ["office", "own", "other", "doctor"] {
                let (patient, why) = (format!("r{judged}"), Reason::new("for a reason"));
                doctor.write(format!(r#"{{"resourceType":"Patient","id":"{patient}"}}"#).as_bytes()).expect("valid");
                let login = |patient: &str| {
                    let actor = Actor::of_patient("login", Role::Patient, patient);
                    ehr.session(actor, Purpose::PatientRequest).expect("a session")
                };
                let own = login(&patient);
                let number = own.request_amendment(&patient, None, "please").expect("it may").number;
                let reach = |stages: &[Stage]| stages.contains(&stage);
                if reach(&[Stage::Extended]) {
                    ann.extend_request(number, &why).expect("open");
                }
                if reach(&[Stage::Accepted]) {
                    ann.accept_amendment(number, None, &why).expect("open");
                }
                if reach(&[Stage::Denied, Stage::Disagreed, Stage::Rebutted]) {
                    ann.deny_amendment(number, Denial::NotCreatedHere, &why).expect("open");
                }
                if reach(&[Stage::Disagreed, Stage::Rebutted]) {
                    own.disagree(number, "no").expect("denied");
                }
                if reach(&[Stage::Rebutted]) {
                    ann.rebut(number, "yes").expect("there is a statement");
                }
                let other = login("r0");
                let session = match who {
                    "office" => &ann,
                    "own" => &own,
                    "other" => &other,
                    _ => &doctor,
                };
                let came = match step {
                    Step::Extend => code_of(session.extend_request(number, &why)),
                    Step::Accept => code_of(session.accept_amendment(number, None, &why)),
                    Step::Deny => code_of(session.deny_amendment(number, Denial::AccurateAndComplete, &why)),
                    Step::Disagree => code_of(session.disagree(number, "no")),
                    Step::Rebut => code_of(session.rebut(number, "yes")),
                };
                let from = match step {
                    Step::Extend => stage == Stage::Open,
                    Step::Accept | Step::Deny => matches!(stage, Stage::Open | Stage::Extended),
                    Step::Disagree => stage == Stage::Denied,
                    Step::Rebut => stage == Stage::Disagreed,
                };
                let says = match (who, step) {
                    ("doctor", _) | ("own" | "other", Step::Extend | Step::Accept | Step::Deny | Step::Rebut) => {
                        Some(Code::Denied)
                    }
                    ("other", _) if patient != "r0" => Some(Code::RequestUnknown),
                    _ => (!from).then_some(Code::RequestState),
                };
                assert_eq!(came, says, "{stage:?} {step:?} by {who}");
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 120);
}
