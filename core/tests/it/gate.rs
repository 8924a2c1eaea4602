//! No way round the gate: every write asks it, rules that deny count for every call, and nobody lets themselves in.

use crate::path::{administrator, key, kind, physician};
use ehrcore::access::{Policy, Purpose, Role};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Actor, Ehr, Options, Session, Write};
use ehrcore::error::Code;
use ehrcore::exchange::ImportOptions;
use ehrcore::lifecycle::{Choice, Edit, Reason};
use ehrcore::time::{ManualClock, Timestamp};
use std::sync::Arc;

const START: i64 = 1_780_000_000_000_000;

struct Clinic {
    folder: tempfile::TempDir,
    ehr: Ehr,
    clock: Arc<ManualClock>,
}

impl Clinic {
    fn new() -> Clinic {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        let options = Options { clock: clock.clone(), ..Options::default() };
        let ehr = Ehr::create(folder.path().join("clinic.ehr"), &key(), options).expect("a new store");
        let clinic = Clinic { folder, ehr, clock };
        let ann = clinic.doctor("ann");
        for record in [r#"{"resourceType":"Patient","id":"p"}"#, r#"{"resourceType":"Patient","id":"q"}"#] {
            ann.write(record.as_bytes()).expect("it is valid");
        }
        clinic
    }
    fn doctor(&self, id: &str) -> Session {
        let actor = Actor::new(id, Role::Physician).known_as(&format!("Practitioner/{id}")).with_mfa(true);
        self.ehr.session(actor, Purpose::Treatment).expect("a session")
    }
    fn nurse(&self) -> Session {
        self.ehr.session(Actor::new("nurse", Role::Nurse), Purpose::Treatment).expect("a session")
    }
    fn admin(&self, mfa: bool) -> Session {
        let actor = Actor::new("admin", Role::Administrator).with_mfa(mfa);
        self.ehr.session(actor, Purpose::Operations).expect("a session")
    }
    fn with_rule(self, base: &Policy, rule: &str) -> Clinic {
        let policy = Policy::parse(&format!("{}\n{rule}", base.text())).expect("a policy");
        self.admin(true).set_policy(&policy).expect("it may");
        self
    }
}

fn code<T>(result: ehrcore::error::Result<T>) -> Code {
    result.map(|_| ()).expect_err("it is refused").code()
}

fn observation(id: &str, label: &str, text: &str) -> String {
    of("p", id, label, text)
}

fn of(patient: &str, id: &str, label: &str, text: &str) -> String {
    let meta = match label {
        "" => String::new(),
        _ => format!(r#""meta":{{"security":[{{"code":"{label}"}}]}},"#),
    };
    format!(
        r#"{{"resourceType":"Observation","id":"{id}",{meta}"status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}},"valueString":"{text}"}}"#
    )
}

fn why() -> Reason {
    Reason::new("it was wrong")
}

#[test]
fn a_rule_that_denies_counts_for_calls_about_no_record() {
    let clinic = Clinic::new().with_rule(
        Policy::standard(),
        r#"
[[deny]]
name = "the-office-needs-a-second-factor"
roles = ["administrator"]
purposes = ["HOPERAT"]
actions = ["keys", "rotate-keys", "audit", "verify", "policy", "shred", "backup", "import", "hold"]
mfa = false
"#,
    );
    let (without, with) = (clinic.admin(false), clinic.admin(true));
    assert_eq!(code(without.keys()), Code::Denied);
    assert_eq!(code(without.key_status()), Code::Denied);
    assert_eq!(code(without.rotate_patient_keys()), Code::Denied);
    assert_eq!(code(without.rotate_root(&key(), &[&key()])), Code::Denied);
    assert_eq!(code(without.remove_key(&key(), "x")), Code::Denied);
    assert_eq!(code(without.audit(0, 10)), Code::Denied);
    assert_eq!(code(without.audit_proof(0)), Code::Denied);
    assert_eq!(code(without.verify(ehrcore::ehr::VerifyLevel::Log, None)), Code::Denied);
    assert_eq!(code(without.shred("p", "asked for")), Code::Denied);
    assert_eq!(code(without.rotate_patient("p", "asked for")), Code::Denied);
    assert_eq!(
        code(without.explain(&Actor::new("x", Role::Nurse), Purpose::Treatment, ehrcore::access::Action::Read, None)),
        Code::Denied
    );
    assert!(with.keys().is_ok() && with.audit(0, 10).is_ok() && with.rotate_patient_keys().is_ok());
    assert!(clinic.doctor("ann").chart("p").is_ok(), "nothing was destroyed");
}

#[test]
fn emergency_access_is_decided_with_what_is_known_of_the_patient() {
    let clinic = Clinic::new().with_rule(
        Policy::care_team(),
        r#"
[[deny]]
name = "who-treats-has-no-emergency"
roles = ["physician"]
purposes = ["TREAT"]
actions = ["break-glass"]
relations = ["care-team"]
"#,
    );
    let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
    ann.relate("p").expect("it is recorded");
    assert_eq!(code(ann.break_glass("p", "unconscious")), Code::Denied);
    assert!(ann.break_glass("q", "unconscious").is_ok() && bob.break_glass("p", "unconscious").is_ok());
}

#[test]
fn a_deletion_with_a_reason_asks_the_gate_as_one_without_does() {
    let clinic = Clinic::new();
    let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
    ann.write(observation("notes", "PSYTHPN", "secret").as_bytes()).expect("her own");
    assert_eq!(code(bob.delete_for(kind("Observation"), "notes", &why())), Code::NotFound);
    assert_eq!(code(bob.delete_for(kind("Observation"), "nothing", &why())), Code::NotFound);
    assert_eq!(code(bob.retract(kind("Observation"), "notes", 1, &why())), Code::NotFound);
    assert!(ann.read(kind("Observation"), "notes").is_ok());
}

#[test]
fn a_psychotherapy_note_is_guarded_wherever_its_label_stands() {
    let clinic = Clinic::new();
    let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
    let label = r#""meta":{"security":[{"system":"https://elsewhere.example/labels","code":"PSYTHPN"}]}"#;
    let plain = r#""status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}"#;
    ann.write(format!(r#"{{"resourceType":"Observation","id":"elsewhere",{label},{plain}}}"#).as_bytes())
        .expect("valid");
    let holds = format!(
        r#"{{"resourceType":"Bundle","id":"holds","type":"collection","entry":[{{"fullUrl":"http://elsewhere.example/Observation/c","resource":{{"resourceType":"Observation","id":"c",{label},{plain}}}}}]}}"#
    );
    ann.write(holds.as_bytes()).expect("valid");
    for (of, id) in [("Observation", "elsewhere"), ("Bundle", "holds")] {
        assert!(ann.read(kind(of), id).is_ok(), "{id}: her own");
        assert_eq!(code(bob.read(kind(of), id)), Code::NotFound, "{id}");
    }
    let glass = bob.break_glass("p", "unconscious").expect("it may");
    assert_eq!(code(glass.read(kind("Observation"), "elsewhere")), Code::NotFound);
}

const TEAM: &str = r#"{"resourceType":"CareTeam","id":"team","status":"active","subject":{"reference":"Patient/p"},"participant":[{"member":{"reference":"Practitioner/bob"}}]}"#;

#[test]
fn nobody_gets_onto_a_care_team_by_their_own_word() {
    let clinic = Clinic::new();
    let ann = clinic.doctor("ann");
    ann.write(observation("o", "", "seven").as_bytes()).expect("valid");
    ann.write(br#"{"resourceType":"CareTeam","id":"ward","status":"active","subject":{"reference":"Patient/p"},"participant":[{"member":{"reference":"PractitionerRole/ward"}}]}"#).expect("valid");
    let clinic = clinic.with_rule(Policy::care_team(), "");
    let (bob, cat) = (clinic.doctor("bob"), clinic.doctor("cat"));
    let closed = |bob: &Session| {
        assert_eq!(code(bob.chart("p")), Code::NotFound);
        assert_eq!(code(bob.read(kind("Observation"), "o")), Code::NotFound);
    };
    bob.write(TEAM.as_bytes()).expect("it may create");
    closed(&bob);
    let encounter = |status: &str, who: &str| {
        format!(
            r#"{{"resourceType":"Encounter","id":"e","status":"{status}","class":{{"code":"IMP"}},"subject":{{"reference":"Patient/p"}},"participant":[{{"individual":{{"reference":"Practitioner/{who}"}}}}]}}"#
        )
    };
    bob.write(encounter("in-progress", "bob").as_bytes()).expect("it may create");
    closed(&bob);
    // Nor by saying that a role on the team is theirs.
    bob.write(br#"{"resourceType":"PractitionerRole","id":"ward","practitioner":{"reference":"Practitioner/bob"}}"#)
        .expect("it may create");
    closed(&bob);
    // What somebody else says counts, and what they write themselves takes away at most.
    cat.write(TEAM.replace("\"team\"", "\"other\"").as_bytes()).expect("it may create");
    assert!(bob.chart("p").is_ok());
    let note = TEAM.replace("\"team\"", "\"other\"").replace("\"status\"", "\"name\":\"night\",\"status\"");
    bob.write(note.as_bytes()).expect("it may");
    assert!(bob.chart("p").is_ok(), "the version before is another's word");
    bob.write(TEAM.replace("\"team\"", "\"other\"").replace("active", "inactive").as_bytes()).expect("it may");
    closed(&bob);
}

#[test]
fn what_settles_a_conflict_is_judged_as_a_write_and_so_is_what_is_shown_of_it() {
    let clinic = Clinic::new();
    let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
    ann.write(observation("o", "", "one").as_bytes()).expect("valid");
    ann.write(observation("o", "", "two").as_bytes()).expect("valid");
    let Edit::Parked(number) = ann.write_merged(observation("o", "", "three").as_bytes(), 1).expect("it clashes")
    else {
        panic!("it clashes")
    };
    let Edit::Parked(hidden) = ann.write_merged(observation("o", "PSYTHPN", "four").as_bytes(), 1).expect("it clashes")
    else {
        panic!("it clashes")
    };
    // Listed without the bytes, shown with them, and on record whose it is.
    let listed = bob.conflicts(None).expect("it may");
    assert_eq!(listed.iter().map(|one| one.number).collect::<Vec<_>>(), [number], "not what is not for him");
    assert!(listed[0].mine.expose().is_empty());
    assert_eq!(ann.conflicts(None).expect("it may").len(), 2);
    assert_eq!(code(bob.conflict(hidden)), Code::ConflictUnknown);
    assert!(bob.conflict(number).expect("it may").1.mine.expose().ends_with(b"\"three\"}"));
    let events = clinic.admin(true).audit(0, 1000).expect("it may");
    let shown = events.iter().rfind(|(_, event)| event.id == "o" && event.kind == EventKind::Read).expect("recorded");
    let written = events.iter().find(|(_, event)| event.id == "o").expect("recorded");
    assert!(shown.1.patient > 0 && shown.1.patient == written.1.patient);
    let lists =
        events.iter().filter(|(_, event)| event.patient == written.1.patient && event.kind == EventKind::AuditRead);
    assert_eq!(lists.count(), 2);
    // Who may settle may not write what they could not write otherwise.
    let bytes = |text: String| Choice::Bytes(text.into_bytes());
    let clinic = clinic.with_rule(
        Policy::standard(),
        r#"
[[deny]]
name = "no-restricted-records"
roles = ["physician"]
purposes = ["TREAT"]
actions = ["update"]
labels = ["HIV"]
"#,
    );
    assert_eq!(code(bob.settle(number, &bytes(observation("o", "HIV", "five")), 2, &why())), Code::Denied);
    assert_eq!(code(bob.settle(hidden, &Choice::Nothing, 2, &why())), Code::ConflictUnknown);
    bob.settle(number, &bytes(observation("o", "", "five")), 2, &why()).expect("it may");
    drop(clinic);
}

#[test]
fn a_therapist_settles_what_clashes_in_their_own_notes_and_nobody_else_does() {
    for policy in [Policy::standard(), Policy::care_team()] {
        let clinic = Clinic::new().with_rule(policy, "");
        let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
        ann.relate("p").expect("it is recorded");
        bob.relate("p").expect("it is recorded");
        ann.write(observation("n", "PSYTHPN", "one").as_bytes()).expect("valid");
        ann.write(observation("n", "PSYTHPN", "two").as_bytes()).expect("valid");
        let edit = ann.write_merged(observation("n", "PSYTHPN", "three").as_bytes(), 1).expect("it clashes");
        let Edit::Parked(number) = edit else { panic!("it clashes") };
        assert_eq!(code(bob.settle(number, &Choice::Mine, 2, &why())), Code::ConflictUnknown);
        let settled = ann.settle(number, &Choice::Mine, 2, &why()).expect("it is her note");
        assert_eq!(settled.settled.map(|settled| settled.version), Some(3));
        assert!(ann.read(kind("Observation"), "n").expect("hers").bytes().ends_with(b"\"three\"}"));
    }
}

fn consent(patient: &str, status: &str, provision: &str) -> String {
    format!(
        r#"{{"resourceType":"Consent","id":"c","status":"{status}","scope":{{"coding":[{{"code":"patient-privacy"}}]}},"category":[{{"text":"x"}}],"patient":{{"reference":"Patient/{patient}"}},"provision":{provision}}}"#
    )
}

#[test]
fn nobody_lets_themselves_in_by_a_consent_they_wrote() {
    // Nurses see nothing without consent.
    let policy =
        Policy::standard().text().replace(r#"name = "nurses-treat""#, "name = \"nurses-treat\"\nconsent = true");
    let policy = policy.replace(
        r#"actions = ["look", "count", "create", "update", "amend", "break-glass"]"#,
        r#"actions = ["look", "count", "update", "amend"]"#,
    );
    let creates = "\n[[permit]]\nname = \"nurses-write\"\nroles = [\"nurse\"]\npurposes = [\"TREAT\"]\nactions = [\"create\", \"update\"]";
    let clinic = Clinic::new().with_rule(&Policy::parse(&policy).expect("a policy"), creates);
    let (ann, nurse) = (clinic.doctor("ann"), clinic.nurse());
    ann.write(observation("o", "", "one").as_bytes()).expect("valid");
    let sees = || nurse.read(kind("Observation"), "o").is_ok();
    assert!(!sees());
    nurse.write(consent("p", "active", r#"{"type":"permit"}"#).as_bytes()).expect("valid");
    assert!(!sees(), "her own word does not count");
    ann.write(consent("p", "active", r#"{"type":"permit","purpose":[{"code":"TREAT"}]}"#).as_bytes()).expect("valid");
    assert!(sees(), "that of somebody else does");
    nurse.write(consent("p", "active", r#"{"type":"permit"}"#).as_bytes()).expect("valid");
    assert!(sees(), "as far as that went");
    nurse
        .write(consent("p", "active", r#"{"type":"deny","class":[{"code":"Observation"}]}"#).as_bytes())
        .expect("valid");
    assert!(!sees(), "a denial always counts");
}

#[test]
fn who_is_denied_by_a_consent_does_not_take_it_out_of_the_chart() {
    let clinic = Clinic::new();
    let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
    ann.write(observation("o", "", "one").as_bytes()).expect("valid");
    let denial = r#"{"type":"permit","provision":[{"type":"deny","class":[{"code":"Observation"}],"actor":[{"role":{"text":"x"},"reference":{"reference":"Practitioner/bob"}}]}]}"#;
    ann.write(consent("p", "active", denial).as_bytes()).expect("valid");
    let sees = || bob.read(kind("Observation"), "o").is_ok();
    assert!(!sees());
    // He sees the consent, and may write it over: what somebody else denied him goes on to count.
    for over in [
        consent("p", "active", r#"{"type":"permit"}"#),
        consent("p", "inactive", denial),
        consent("p", "active", &denial.replace("Practitioner/bob", "Practitioner/eve")),
    ] {
        bob.write(over.as_bytes()).expect("valid");
        assert!(!sees(), "{over}");
        assert_eq!(code(bob.delete(kind("Consent"), "c")), Code::Denied);
    }
    assert_eq!(code(bob.retract(kind("Consent"), "c", 4, &why())), Code::Denied);
    assert_eq!(code(bob.write(consent("q", "active", denial).as_bytes())), Code::Denied);
    // Who is not denied anything takes it back.
    ann.write(consent("p", "inactive", denial).as_bytes()).expect("valid");
    assert!(sees());
}

#[test]
fn an_edit_that_is_sent_again_waits_once_and_no_more_than_64_wait() {
    let clinic = Clinic::new();
    let ann = clinic.doctor("ann");
    ann.write(observation("o", "", "one").as_bytes()).expect("valid");
    ann.write(observation("o", "", "two").as_bytes()).expect("valid");
    let parked = |text: &str| ann.write_merged(observation("o", "", text).as_bytes(), 1);
    let first = parked("three").expect("it clashes");
    assert_eq!(parked("three").expect("it clashes"), first);
    assert_eq!(ann.conflicts(None).expect("it may").len(), 1);
    for n in 1..64 {
        parked(&format!("x{n}")).expect("there is room");
    }
    assert_eq!(code(parked("one more")), Code::LimitCount);
}

#[test]
fn a_request_about_what_is_withheld_is_not_decided_by_who_may_not_see_it() {
    let clinic = Clinic::new();
    let ann = clinic.doctor("ann");
    ann.write(observation("o", "", "one").as_bytes()).expect("valid");
    let own = Actor::of_patient("p-login", Role::Patient, "p");
    let own = clinic.ehr.session(own, Purpose::PatientRequest).expect("a session");
    let asked = own.request_amendment("p", Some((kind("Observation"), "o")), "two").expect("it may").number;
    let admin = clinic.admin(true);
    let notes = observation("o", "PSYTHPN", "two");
    assert_eq!(code(admin.accept_amendment(asked, Some((notes.as_bytes(), 1)), &why())), Code::Denied);
    ann.write(notes.as_bytes()).expect("it may");
    assert_eq!(code(admin.accept_amendment(asked, None, &why())), Code::RequestUnknown);
    assert_eq!(code(admin.extend_request(asked, &why())), Code::RequestUnknown);
}

#[test]
fn what_is_mended_in_quarantine_is_the_entry_that_was_kept_and_is_judged_as_a_write() {
    let clinic = Clinic::new();
    let (ann, admin) = (clinic.doctor("ann"), clinic.admin(true));
    ann.write(observation("notes", "PSYTHPN", "secret").as_bytes()).expect("her own");
    let file = clinic.folder.path().join("in.ndjson");
    let wrong = |id: &str| observation(id, "", "x").replace("\"final\"", "\"finished\"");
    std::fs::write(&file, [wrong("notes"), wrong("new")].join("\n")).expect("a file");
    assert_eq!(admin.import(&file, &ImportOptions::default(), &mut ()).expect("it imports").quarantined, 2);
    let release = |number: u64, record: &str| admin.release(number, Some(record.as_bytes()));
    assert_eq!(code(release(1, &observation("notes", "", "x"))), Code::Denied, "it would stand over what is hidden");
    assert_eq!(code(release(2, &observation("other", "", "x"))), Code::InvalidArgument);
    assert_eq!(code(release(2, r#"{"resourceType":"Patient","id":"new"}"#)), Code::InvalidArgument);
    assert_eq!(code(release(2, &observation("new", "PSYTHPN", "x"))), Code::Denied);
    release(2, &observation("new", "", "x")).expect("it is the same entry");
    assert_eq!(ann.read(kind("Observation"), "notes").expect("hers").version(), 1);
}

#[test]
fn to_write_over_a_deletion_takes_a_right_to_what_was_deleted() {
    let clinic = Clinic::new();
    let (ann, nurse) = (clinic.doctor("ann"), clinic.nurse());
    for record in [observation("o", "", "one"), observation("o", "V", "two")] {
        ann.write(record.as_bytes()).expect("valid");
    }
    ann.delete(kind("Observation"), "o").expect("it may");
    assert_eq!(code(nurse.write(observation("o", "", "three").as_bytes())), Code::Denied);
    assert_eq!(code(nurse.write_merged(observation("o", "", "three").as_bytes(), 0)), Code::Denied);
    // And where somebody may, the label goes on guarding what is older than it.
    ann.write(observation("o", "", "three").as_bytes()).expect("it may");
    let seen: Vec<u32> =
        nurse.history(kind("Observation"), "o").expect("there").iter().map(|one| one.version()).collect();
    assert_eq!(seen, [4], "neither the labelled version nor what was before it, nor that it was deleted");
    assert_eq!(code(nurse.read_version(kind("Observation"), "o", 1)), Code::NotFound);
    assert_eq!(ann.history(kind("Observation"), "o").expect("there").len(), 4);
}

#[test]
fn the_newest_version_of_a_retracted_entry_decides_about_all_of_them() {
    let clinic = Clinic::new();
    let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
    for record in [observation("o", "", "one"), observation("o", "PSYTHPN", "two")] {
        ann.write(record.as_bytes()).expect("valid");
    }
    // Who wrote a note may retract it where the policy says so.
    let clinic = clinic.with_rule(
        Policy::standard(),
        r#"
[[permit]]
name = "their-own"
roles = ["physician"]
purposes = ["TREAT"]
actions = ["retract", "retracted"]
compartments = ["psychotherapy-notes"]
author = true
"#,
    );
    ann.retract(kind("Observation"), "o", 2, &why()).expect("her own");
    assert_eq!(ann.read_retracted(kind("Observation"), "o").expect("hers").len(), 3);
    assert_eq!(code(bob.read_retracted(kind("Observation"), "o")), Code::NotFound);
    assert_eq!(code(bob.restore(kind("Observation"), "o", &why())), Code::NotFound);
    ann.restore(kind("Observation"), "o", &why()).expect("hers");
    drop(clinic);
}

#[test]
fn who_saw_an_entry_before_it_was_retracted_is_told_by_the_order_of_the_log_not_by_clocks() {
    let clinic = Clinic::new();
    let (ann, bob, cat) = (clinic.doctor("ann"), clinic.doctor("bob"), clinic.doctor("cat"));
    cat.chart("p").expect("there");
    ann.write(observation("o", "", "one").as_bytes()).expect("valid");
    clinic.clock.set(Timestamp(START - 3_600_000_000)); // somebody put the clock right
    bob.read(kind("Observation"), "o").expect("there");
    bob.chart("p").expect("there");
    ann.retract(kind("Observation"), "o", 1, &why()).expect("it may");
    cat.chart("p").expect("there");
    let seen = ann.viewers_before(kind("Observation"), "o").expect("it may");
    let seen: Vec<_> = seen.iter().map(|one| (one.actor.as_str(), one.kind)).collect();
    assert_eq!(seen, [("bob", EventKind::Read), ("bob", EventKind::Chart)]);
}

#[test]
fn policies_put_in_place_at_the_same_time_have_numbers_of_their_own_and_block_nobody() {
    let clinic = Clinic::new();
    let numbers = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (clinic, numbers) = (&clinic, &numbers);
            scope.spawn(move || {
                let admin = clinic.admin(true);
                for _ in 0..10 {
                    match admin.set_policy(Policy::standard()) {
                        Ok(number) => numbers.lock().expect("no panic").push(number),
                        Err(error) => assert_eq!(error.code(), Code::Conflict),
                    }
                }
            });
            scope.spawn(move || {
                let doctor = clinic.doctor("ann");
                for n in 0..10 {
                    doctor.write(observation(&format!("o{thread}-{n}"), "", "x").as_bytes()).expect("it may");
                }
            });
        }
    });
    let mut numbers = numbers.into_inner().expect("no panic");
    numbers.sort_unstable();
    let count = numbers.len();
    assert_eq!(numbers, (1..=count as u32).collect::<Vec<_>>());
    assert_eq!(clinic.admin(true).policy().expect("it may").1, count as u32);
}

#[test]
fn a_note_is_not_merged_into_the_chart_of_another_patient() {
    let clinic = Clinic::new();
    let ann = clinic.doctor("ann");
    ann.write(observation("o", "", "one").as_bytes()).expect("valid");
    ann.write(of("q", "o", "", "one").as_bytes()).expect("it was the wrong patient");
    let noted = observation("o", "", "one").replace(r#""valueString""#, r#""note":[{"text":"of p"}],"valueString""#);
    assert!(matches!(ann.write_merged(noted.as_bytes(), 1).expect("it is kept"), Edit::Parked(_)));
    assert!(!String::from_utf8_lossy(ann.read(kind("Observation"), "o").expect("there").bytes()).contains("of p"));
}

#[test]
fn in_one_change_set_each_part_asks_the_gate() {
    let clinic = Clinic::new();
    let (ann, bob) = (clinic.doctor("ann"), clinic.doctor("bob"));
    ann.write(observation("notes", "PSYTHPN", "secret").as_bytes()).expect("her own");
    let new = Write::Put(observation("new", "", "x").into_bytes());
    for last in [
        Write::Put(observation("notes", "", "x").into_bytes()),
        Write::PutIfMatch(observation("notes", "", "x").into_bytes(), 1),
        Write::PutIfMatch(observation("notes", "", "x").into_bytes(), 9),
    ] {
        assert_eq!(code(bob.change_set(vec![new.clone(), last])), Code::Denied);
    }
    let deletion = Write::Delete(kind("Observation"), "notes".to_owned());
    assert_eq!(code(bob.change_set(vec![new.clone(), deletion])), Code::NotFound);
    assert_eq!(code(physician(&clinic.ehr).read(kind("Observation"), "new")), Code::NotFound, "nothing of it stayed");
    administrator(&clinic.ehr).verify(ehrcore::ehr::VerifyLevel::Records, None).expect("all is well");
}
