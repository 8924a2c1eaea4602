//! What `{:?}` prints of anything in custody: how many and which number, never whom, whose words or a key.

use crate::path::{create, key, kind, physician};
use ehrcore::access::{Purpose, Role};
use ehrcore::audit::Ground;
use ehrcore::ehr::{
    Actor, Anchoring, Disclosure, Ehr, Emergency, FileAnchor, Notify, Options, Report, SearchOptions, Session, Write,
};
use ehrcore::id::SystemRandom;
use ehrcore::keys::{CachedSource, Deadline, KeySource, Passphrase, RawKey, RecoveryKey, SharedKey};
use ehrcore::lifecycle::{Choice, Denial, Edit, Reason, Retention};
use ehrcore::time::SystemClock;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Stands wherever somebody's words, names and ids stand.
const WORD: &str = "Marker";
const RESULT: &str = r#"{"resourceType":"Observation","id":"Marker-o","status":"final","code":{"text":"Marker"},"subject":{"reference":"Patient/Marker-p"},"effectiveDateTime":"2000-01-01","valueString":"Marker"}"#;

#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn add(&mut self, shown: &dyn Debug) {
        self.0.push(format!("{shown:?}"));
        self.0.push(format!("{shown:#?}"));
    }
    fn check(self, least: usize) {
        let telling: Vec<&String> = self.0.iter().filter(|text| text.contains(WORD) || text.is_empty()).collect();
        assert!(telling.is_empty() && self.0.len() >= 2 * least, "{} {telling:?}", self.0.len());
    }
}

fn someone(ehr: &Ehr, name: &str, role: Role, purpose: Purpose) -> Session {
    let mut actor = Actor::new(name, role);
    actor.mfa = true;
    ehr.session(actor, purpose).expect("a session")
}

fn clinic(folder: &std::path::Path) -> (Ehr, Session, Session) {
    let ehr = create(folder);
    let doctor = someone(&ehr, "Marker-doctor", Role::Physician, Purpose::Treatment);
    let office = someone(&ehr, "Marker-office", Role::Administrator, Purpose::Operations);
    let patient =
        br#"{"resourceType":"Patient","id":"Marker-p","name":[{"family":"Marker"}],"birthDate":"1970-01-01"}"#;
    doctor.write(patient).expect("it is valid");
    doctor.write(RESULT.as_bytes()).expect("it is valid");
    (ehr, doctor, office)
}

#[test]
fn records_and_what_is_said_of_them_show_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, doctor, office) = clinic(folder.path());
    let (observation, why) = (kind("Observation"), Reason::new(WORD));
    let mut told = Told::default();
    let file = folder.path().join("Marker.ndjson");
    std::fs::write(&file, RESULT.replace("Marker-o", "Marker-i")).expect("a file");
    told.add(&office.import(&file, &Default::default(), &mut ()).expect("it imports"));
    told.add(&doctor.write(RESULT.replace("final", "amended").as_bytes()).expect("it is valid"));
    told.add(&[Write::Put(WORD.into()), Write::PutIfMatch(WORD.into(), 1), Write::Delete(observation, WORD.into())]);
    told.add(&doctor.read(observation, "Marker-o").expect("there"));
    told.add(&doctor.history(observation, "Marker-o").expect("there"));
    told.add(&doctor.search(observation, "", SearchOptions::default()).expect("it searches"));
    told.add(&doctor.chart("Marker-p").expect("there"));
    told.add(&doctor.provenance(observation, "Marker-i", 0).expect("there"));
    told.add(&why);
    told.add(&doctor.amend(RESULT.as_bytes(), 2, &why).expect("it says why"));
    told.add(&doctor.lineage(observation, "Marker-o").expect("there"));
    told.add(&doctor.read(observation, "Marker-o").expect("there").note());
    let held = office.place_hold("Marker-p", None, WORD, &why).expect("it may");
    told.add(&held);
    told.add(&doctor.write(RESULT.replace("final", "amended").as_bytes()).map(|_| ()).expect_err("it is held"));
    told.add(&office.release_hold(held.number, &why).expect("it may"));
    told.add(&doctor.retract(observation, "Marker-i", 1, &why).expect("it is there"));
    told.add(&doctor.viewers_before(observation, "Marker-i").expect("it may"));
    told.add(&doctor.read_retracted(observation, "Marker-i").expect("it may"));
    for choice in [Choice::Theirs, Choice::Mine, Choice::Bytes(WORD.into()), Choice::Nothing] {
        told.add(&choice);
    }
    let mine = RESULT.replace(r#""valueString":"Marker""#, r#""valueString":"Marker and more""#);
    let theirs = RESULT.replace(r#""valueString":"Marker""#, r#""valueString":"another Marker""#);
    doctor.write(theirs.as_bytes()).expect("it is valid");
    let edit = doctor.write_merged(mine.as_bytes(), 3).expect("it waits");
    told.add(&edit);
    let Edit::Parked(number) = edit else { panic!("both changed the value") };
    told.add(&doctor.conflict(number).expect("it waits"));
    told.add(&doctor.conflicts(None).expect("it may"));
    let settled = doctor.settle(number, &Choice::Mine, 4, &why).expect("it may");
    told.add(&settled);
    told.add(&settled.settled);
    let rules = Retention::from_json(br#"{"default":{"years":0,"majority":0},"types":{}}"#).expect("rules");
    office.set_retention(&rules).expect("it may");
    let proposal = office.propose_destroy("Marker-p", Some((observation, "Marker-o")), &why).expect("its time is over");
    told.add(&proposal);
    let other = someone(&ehr, "Marker-other", Role::Administrator, Purpose::Operations);
    told.add(&other.approve_destroy(proposal.number, &why).expect("another"));
    told.add(&office.tombstone(observation, "Marker-o").expect("it was destroyed"));
    told.add(&[&doctor, &office]);
    told.add(&ehr);
    told.check(30);
}

#[test]
fn requests_reports_and_the_log_show_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ehr, doctor, office) = clinic(folder.path());
    let why = Reason::new(WORD);
    let mut told = Told::default();
    let actor = Actor::of_patient("Marker-login", Role::Patient, "Marker-p");
    told.add(&actor);
    let own = ehr.session(actor, Purpose::PatientRequest).expect("a session");
    let asked = own.request_amendment("Marker-p", None, WORD).expect("it may");
    told.add(&asked);
    told.add(&office.deny_amendment(asked.number, Denial::AccurateAndComplete, &why).expect("it may"));
    let disputed = own.disagree(asked.number, WORD).expect("it was denied");
    told.add(&disputed.disagreement);
    told.add(&disputed);
    let package = own.access_package("Marker-p", true).expect("it may");
    told.add(&package);
    let disclosure =
        Disclosure { patient: "Marker-p", recipient: WORD, ground: Ground::Treatment, content: WORD, purpose: WORD };
    told.add(&disclosure);
    office.disclose(&disclosure).expect("it may");

    /// Keeps what it was told.
    struct Keep(Mutex<Vec<Emergency>>);
    impl Notify for Keep {
        fn emergency(&self, emergency: &Emergency) {
            self.0.lock().expect("nobody panics").push(emergency.clone());
        }
    }
    let keep = Arc::new(Keep(Mutex::default()));
    ehr.set_notify(keep.clone());
    told.add(&doctor.break_glass("Marker-p", WORD).expect("a reason and a second factor"));
    told.add(&keep.0.lock().expect("nobody panics"));
    for report in [
        Report::Patient("Marker-p"),
        Report::Actor("Marker-doctor"),
        Report::BreakGlass,
        Report::Disclosures("Marker-p"),
    ] {
        told.add(&report);
        told.add(&office.audit_report(report).expect("it may"));
    }
    told.add(&office.audit(0, 1000).expect("it may"));
    told.add(&office.audit_proof(1).expect("it is there"));
    told.check(16);
}

#[test]
fn keys_and_where_they_come_from_show_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut told = Told::default();
    let raw: Arc<dyn KeySource> = Arc::new(RawKey::new(*b"Marker-Marker-Marker-Marker-Mark"));
    told.add(&RawKey::new(*b"Marker-Marker-Marker-Marker-Mark"));
    told.add(&Passphrase::new("Marker Marker Marker"));
    let recovery = RecoveryKey::new(&SystemRandom::default()).expect("random bytes");
    let (shared, shares) = SharedKey::split(2, 3, &SystemRandom::default()).expect("two of three");
    told.add(&recovery);
    told.add(&shared);
    told.add(&shares);
    let kept = folder.path().join("Marker.kept");
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
    told.add(&CachedSource::new(raw.clone(), [7; 32], kept, Duration::from_secs(1), clock, random));
    told.add(&Deadline::new(raw, Duration::from_secs(1)));
    let anchor = FileAnchor::new(folder.path().join("Marker.anchor"));
    told.add(&anchor);
    let anchoring = Anchoring::new(Arc::new(anchor)).begin();
    told.add(&[&anchoring, &anchoring.clone().every(3).strict(), &anchoring.clone().accept_older(WORD)]);
    told.add(&Options { anchor: Some(anchoring), ..Options::default() });
    for text in [recovery.text().to_owned(), shares[0].text().to_string()] {
        let groups: Vec<&str> = text.split(['-', ' ']).filter(|group| group.len() > 3).collect();
        assert!(!groups.is_empty());
        for group in groups {
            assert!(told.0.iter().all(|shown| !shown.contains(group)), "a group of a key is shown");
        }
    }
    // A source says of what sort it is, and for how long: never what it holds.
    let all: [&dyn KeySource; 3] = [&key(), &recovery, &shared];
    assert!(all.iter().all(|source| !source.describe().is_empty() && !source.name().is_empty()));
    told.check(9);
    drop(physician(&create(folder.path())));
}
