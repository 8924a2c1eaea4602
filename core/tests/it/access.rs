//! Who sees what: one chart and seven roles, consents, care teams, emergency access, and that nothing denied shows in any answer.

use crate::path::{administrator, create, key, kind, physician};
use ehrcore::access::{
    Action, Cause, Confidentiality, ConsentSays, Facts, Labels, Lens, Policy, Purpose, Relations, Role, Subject,
};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Actor, Ehr, Emergency, Notify, Options, SearchOptions, Session};
use ehrcore::error::Code;
use ehrcore::record::Compartment;
use ehrcore::time::{ManualClock, Timestamp};
use std::sync::{Arc, Mutex};

const START: i64 = 1_780_000_000_000_000; // 2026-05-28

/// A store with a clock of its own, and what its host was told.
struct Clinic {
    _folder: tempfile::TempDir,
    ehr: Ehr,
    clock: Arc<ManualClock>,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told(Mutex<Vec<Emergency>>);

impl Notify for Told {
    fn emergency(&self, emergency: &Emergency) {
        self.0.lock().expect("one thread").push(emergency.clone());
    }
}

impl Clinic {
    fn new() -> Clinic {
        let folder = tempfile::tempdir().expect("a folder");
        let (clock, told) = (Arc::new(ManualClock::new(Timestamp(START))), Arc::new(Told::default()));
        let options = Options { clock: clock.clone(), notify: told.clone(), ..Options::default() };
        let ehr = Ehr::create(folder.path().join("clinic.ehr"), &key(), options).expect("a new store");
        Clinic { _folder: folder, ehr, clock, told }
    }
    fn doctor(&self, id: &str) -> Session {
        let actor = Actor::new(id, Role::Physician).known_as(&format!("Practitioner/{id}")).with_mfa(true);
        self.ehr.session(actor, Purpose::Treatment).expect("a session")
    }
    fn with_policy(self, policy: &Policy) -> Clinic {
        administrator(&self.ehr).set_policy(policy).expect("it may");
        self
    }
}

fn code<T>(result: ehrcore::error::Result<T>) -> Code {
    result.map(|_| ()).expect_err("it is refused").code()
}

fn write(session: &Session, records: &[&str]) {
    for record in records {
        session.write(record.as_bytes()).unwrap_or_else(|error| panic!("{record}: {error}"));
    }
}

fn ids(session: &Session, of: &str, query: &str) -> Vec<String> {
    let page = session.search(kind(of), query, SearchOptions::default()).expect("it searches");
    page.records.iter().map(|record| record.id().to_owned()).collect()
}

fn observation(id: &str, patient: &str, labels: &[&str]) -> String {
    let security: Vec<String> = labels.iter().map(|label| format!(r#"{{"code":"{label}"}}"#)).collect();
    let meta =
        if labels.is_empty() { String::new() } else { format!(r#""meta":{{"security":[{}]}},"#, security.join(",")) };
    format!(
        r#"{{"resourceType":"Observation","id":"{id}",{meta}"status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"c-{id}"}}]}},"subject":{{"reference":"Patient/{patient}"}},"note":[{{"text":"remark"}}]}}"#
    )
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">123-45</div>"},"identifier":[{"system":"http://hl7.org/fhir/sid/us-ssn","value":"123-45"}],"name":[{"family":"Doe"}],"birthDate":"1970-01-01"}"#;

fn chart(doctor: &Session) {
    write(
        doctor,
        &[
            PATIENT,
            r#"{"resourceType":"Patient","id":"q","name":[{"family":"Roe"}]}"#,
            &observation("plain", "p", &[]),
            &observation("restricted", "p", &["R"]),
            &observation("very", "p", &["V"]),
            &observation("hiv", "p", &["HIV"]),
            &observation("alcohol", "p", &["ETH"]),
            &observation("session-notes", "p", &["PSYTHPN"]),
            &observation("other", "q", &[]),
            r#"{"resourceType":"Practitioner","id":"ann"}"#,
        ],
    );
}

/// One chart, seven roles: what each sees, in the chart, by search, by name and by number.
#[test]
fn one_chart_has_seven_views() {
    let clinic = Clinic::new();
    chart(&clinic.doctor("ann"));
    let session = |actor: Actor, purpose| clinic.ehr.session(actor, purpose).expect("a session");
    let all = ["alcohol", "hiv", "plain", "restricted", "session-notes", "very"];
    let views: [(Session, &[&str], bool); 6] = [
        (clinic.doctor("ann"), &all, false),
        (clinic.doctor("bob"), &["alcohol", "hiv", "plain", "restricted", "very"], false),
        (
            session(Actor::new("nurse", Role::Nurse), Purpose::Treatment),
            &["alcohol", "hiv", "plain", "restricted"],
            false,
        ),
        (session(Actor::new("coordinator", Role::Coordinator), Purpose::Treatment), &["plain"], true),
        (session(Actor::of_patient("mother", Role::Caregiver, "p"), Purpose::Treatment), &["plain"], true),
        (
            session(Actor::of_patient("self", Role::Patient, "p"), Purpose::PatientRequest),
            &["alcohol", "hiv", "plain", "restricted", "very"],
            false,
        ),
    ];
    for (session, expected, masked) in &views {
        let mut found = ids(session, "Observation", "patient=p");
        found.sort();
        assert_eq!(found, *expected, "{session:?} searches");
        let mut charted: Vec<String> = session
            .chart("p")
            .expect("there")
            .iter()
            .filter(|record| record.kind() == kind("Observation"))
            .map(|record| record.id().to_owned())
            .collect();
        charted.sort();
        assert_eq!(charted, *expected, "{session:?} looks at the chart");
        for id in all {
            let read = session.read(kind("Observation"), id);
            assert_eq!(read.is_ok(), expected.contains(&id), "{session:?} reads {id}");
            let none = session.read(kind("Observation"), "nothing").expect_err("nobody has it");
            if let Err(error) = read {
                assert_eq!(error.to_string(), none.to_string(), "{session:?}");
            }
        }
        let patient = session.read(kind("Patient"), "p").expect("there");
        assert_eq!(patient.is_masked(), *masked, "{session:?}");
        assert_eq!(String::from_utf8_lossy(patient.bytes()).contains("123-45"), !masked, "{session:?}");
        assert_eq!(ids(session, "Patient", "identifier=123-45").is_empty(), *masked, "{session:?} probes");
        assert_eq!(
            ids(session, "Patient", "identifier:missing=true").contains(&"p".to_owned()),
            *masked,
            "{session:?}"
        );
        assert_eq!(session.chart_page("p").expect("a page").contains("123-45"), !masked, "{session:?}");
    }
    // The caregiver and the patient see nobody else; the analyst counts, and counts what they are cleared for.
    assert!(ids(&views[4].0, "Patient", "").len() == 1 && ids(&views[5].0, "Patient", "").len() == 1);
    let analyst = session(Actor::new("analyst", Role::Analyst), Purpose::Research);
    assert_eq!(analyst.count(kind("Observation"), "").expect("it counts").0, 2);
    assert_eq!(analyst.count(kind("Observation"), "code=c-hiv").expect("it counts").0, 0);
    assert_eq!(code(analyst.read(kind("Observation"), "plain")), Code::Denied);
    // The administrator takes charts out and looks at none.
    let office = administrator(&clinic.ehr);
    assert_eq!(code(office.read(kind("Observation"), "plain")), Code::Denied);
    let exported = String::from_utf8(office.export_chart("p").expect("it may")).expect("text");
    assert!(exported.contains("c-very") && exported.contains("c-alcohol") && !exported.contains("c-session-notes"));
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(office.export_ndjson(folder.path()).expect("it may").records["Observation"], 6);
}

#[test]
fn what_is_masked_is_not_lost_by_writing_and_what_is_hidden_is_not_written_over() {
    let clinic = Clinic::new();
    chart(&clinic.doctor("ann"));
    let policy = Policy::standard().text().replace(
        "roles = [\"coordinator\", \"caregiver\"]\npurposes = [\"TREAT\"]\nelements = [\"Patient.identifier\"",
        "roles = [\"nurse\"]\npurposes = [\"TREAT\"]\nelements = [\"Patient.identifier\"",
    );
    administrator(&clinic.ehr).set_policy(&Policy::parse(&policy).expect("a policy")).expect("it may");
    let nurse = clinic.ehr.session(Actor::new("nurse", Role::Nurse), Purpose::Treatment).expect("a session");
    let seen = nurse.read(kind("Patient"), "p").expect("there");
    assert!(seen.is_masked());
    assert_eq!(code(nurse.write(seen.bytes())), Code::MaskedWrite);
    nurse.write(br#"{"resourceType":"Patient","id":"new"}"#).expect("nothing to lose");
    assert_eq!(code(nurse.write(observation("very", "p", &[]).as_bytes())), Code::Denied);
    assert_eq!(code(nurse.write(observation("x", "p", &["V"]).as_bytes())), Code::Denied);
    let bob = clinic.doctor("bob");
    assert_eq!(code(bob.delete(kind("Observation"), "session-notes")), Code::NotFound);
    assert_eq!(code(bob.delete(kind("Observation"), "nothing")), Code::NotFound);
}

#[test]
fn a_label_that_comes_later_guards_what_was_said_before() {
    let clinic = Clinic::new();
    let doctor = clinic.doctor("ann");
    write(&doctor, &[PATIENT, &observation("o", "p", &[]), &observation("o", "p", &["V"])]);
    let nurse = clinic.ehr.session(Actor::new("nurse", Role::Nurse), Purpose::Treatment).expect("a session");
    assert_eq!(code(nurse.read_version(kind("Observation"), "o", 1)), Code::NotFound);
    assert_eq!(code(nurse.history(kind("Observation"), "o")), Code::NotFound);
    assert_eq!(code(nurse.as_of(kind("Observation"), "o", Timestamp(START))), Code::NotFound);
    assert_eq!(code(nurse.provenance(kind("Observation"), "o", 1)), Code::NotFound);
    assert_eq!(doctor.history(kind("Observation"), "o").expect("there").len(), 2);
    doctor.delete(kind("Observation"), "o").expect("it may");
    assert_eq!(
        code(nurse.history(kind("Observation"), "o")),
        Code::NotFound,
        "a deletion says that there was something"
    );
    assert_eq!(doctor.history(kind("Observation"), "o").expect("there").len(), 3);
}

#[test]
fn a_care_team_opens_a_chart_for_as_long_as_it_lasts() {
    let clinic = Clinic::new();
    chart(&clinic.doctor("ann"));
    let clinic = clinic.with_policy(Policy::care_team());
    let ann = clinic.doctor("ann");
    assert_eq!(code(ann.chart("p")), Code::NotFound);
    assert!(ids(&ann, "Observation", "").is_empty());
    assert_eq!(ann.read(kind("Practitioner"), "ann").expect("of no patient").id(), "ann");
    // Whoever admits a patient may write the first records; that is how somebody else gets onto a care team.
    write(
        &clinic.doctor("bob"),
        &[
            r#"{"resourceType":"CareTeam","id":"team","status":"active","subject":{"reference":"Patient/p"},"participant":[{"member":{"reference":"Practitioner/ann"},"period":{"end":"2026-05-29"}}]}"#,
        ],
    );
    assert_eq!(ids(&ann, "Observation", "patient=p").len(), 6);
    assert_eq!(code(ann.read(kind("Observation"), "other")), Code::NotFound);
    assert_eq!(code(clinic.doctor("bob").chart("p")), Code::NotFound);
    clinic.clock.advance(2 * 86_400_000_000);
    assert_eq!(code(ann.chart("p")), Code::NotFound);
    // The host's word counts for the session it was given in.
    ann.relate("p").expect("it is recorded");
    assert_eq!(ids(&ann, "Observation", "patient=p").len(), 6);
    assert_eq!(code(clinic.doctor("ann").chart("p")), Code::NotFound);
}

#[test]
fn a_role_of_a_practitioner_and_an_open_encounter_stand_for_care() {
    let clinic = Clinic::new();
    let before = clinic.doctor("ann");
    chart(&before);
    write(
        &before,
        &[
            r#"{"resourceType":"PractitionerRole","id":"ward","practitioner":{"reference":"Practitioner/bob"}}"#,
            r#"{"resourceType":"CareTeam","id":"team","subject":{"reference":"Patient/p"},"participant":[{"member":{"reference":"PractitionerRole/ward"}}]}"#,
            r#"{"resourceType":"Encounter","id":"e","status":"in-progress","class":{"code":"IMP"},"subject":{"reference":"Patient/q"},"participant":[{"individual":{"reference":"Practitioner/cat"}}]}"#,
        ],
    );
    let clinic = clinic.with_policy(Policy::care_team());
    let (bob, cat) = (clinic.doctor("bob"), clinic.doctor("cat"));
    assert!(bob.chart("p").is_ok() && cat.chart("q").is_ok());
    assert_eq!((code(bob.chart("q")), code(cat.chart("p"))), (Code::NotFound, Code::NotFound));
    write(
        &cat,
        &[
            r#"{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"IMP"},"subject":{"reference":"Patient/q"},"participant":[{"individual":{"reference":"Practitioner/cat"}}]}"#,
        ],
    );
    assert_eq!(code(cat.chart("q")), Code::NotFound);
}

#[test]
fn a_caregiver_proxy_ends_on_its_date() {
    let clinic = Clinic::new();
    let doctor = clinic.doctor("ann");
    chart(&doctor);
    write(
        &doctor,
        &[
            r#"{"resourceType":"RelatedPerson","id":"mother","active":true,"patient":{"reference":"Patient/p"},"period":{"end":"2026-05-29"}}"#,
            r#"{"resourceType":"RelatedPerson","id":"uncle","active":false,"patient":{"reference":"Patient/p"}}"#,
            r#"{"resourceType":"RelatedPerson","id":"stranger","active":true,"patient":{"reference":"Patient/q"}}"#,
        ],
    );
    let session = |actor: Actor| clinic.ehr.session(actor, Purpose::Treatment).expect("a session");
    let caregiver = || Actor::of_patient("login", Role::Caregiver, "p");
    let mother = session(caregiver().known_as("RelatedPerson/mother"));
    let told = session(caregiver().until(Timestamp(START + 1_000_000)));
    assert!(mother.chart("p").is_ok() && told.chart("p").is_ok());
    for (name, expected) in [("uncle", Code::NotFound), ("stranger", Code::NotFound), ("nobody", Code::NotFound)] {
        assert_eq!(
            code(session(caregiver().known_as(&format!("RelatedPerson/{name}"))).chart("p")),
            expected,
            "{name}"
        );
    }
    clinic.clock.advance(1_000_000);
    assert!(mother.chart("p").is_ok());
    assert_eq!(code(told.chart("p")), Code::NotFound);
    clinic.clock.advance(2 * 86_400_000_000);
    assert_eq!(code(mother.chart("p")), Code::NotFound);
}

#[test]
fn emergency_access_looks_at_one_patient_for_thirty_minutes_and_is_on_record_first() {
    let clinic = Clinic::new();
    chart(&clinic.doctor("ann"));
    let clinic = clinic.with_policy(Policy::care_team());
    let bob = clinic.doctor("bob");
    assert_eq!(code(bob.chart("p")), Code::NotFound);
    assert_eq!(code(bob.break_glass("p", " \n ")), Code::BreakGlassRefused);
    assert_eq!(code(bob.break_glass("p", &"x".repeat(1001))), Code::BreakGlassRefused);
    assert_eq!(code(bob.break_glass("nobody", "unconscious")), Code::NotFound);
    let without = clinic.ehr.session(Actor::new("bob", Role::Physician), Purpose::Treatment).expect("a session");
    assert_eq!(code(without.break_glass("p", "unconscious")), Code::BreakGlassRefused);
    assert_eq!(code(administrator(&clinic.ehr).break_glass("p", "curious")), Code::Denied);
    assert!(clinic.told.0.lock().expect("one thread").is_empty());
    assert_eq!(
        code(clinic.ehr.session(Actor::new("bob", Role::Physician), Purpose::BreakGlass)),
        Code::InvalidArgument
    );

    let glass = bob.break_glass("p", "unconscious on arrival").expect("it may");
    let (until, reference) = glass.emergency().expect("one");
    assert_eq!(until, Timestamp(START + 30 * 60_000_000));
    let told = clinic.told.0.lock().expect("one thread").clone();
    assert!(matches!(&told[..], [one] if one.patient == "p" && one.actor == "bob" && one.reference == reference));
    assert!(!format!("{told:?}").contains("unconscious"));
    let events = administrator(&clinic.ehr).audit(0, 1000).expect("it may");
    let broken = events.iter().find(|(_, event)| event.kind == EventKind::BreakGlass && event.failed.is_none());
    let (_, broken) = broken.expect("recorded before anything is shown");
    assert_eq!((broken.break_glass, broken.reason.as_str()), (reference, "unconscious on arrival"));

    let mut seen = ids(&glass, "Observation", "");
    seen.sort();
    assert_eq!(seen, ["alcohol", "hiv", "plain", "restricted", "very"], "no psychotherapy note, no other patient");
    assert_eq!(code(glass.read(kind("Observation"), "other")), Code::NotFound);
    assert_eq!(code(glass.read(kind("Observation"), "session-notes")), Code::NotFound);
    assert_eq!(code(glass.chart("q")), Code::NotFound);
    for refused in [
        code(glass.write(observation("new", "p", &[]).as_bytes())),
        code(glass.delete(kind("Observation"), "plain")),
        code(glass.export_chart("p")),
        code(glass.break_glass("q", "and another")),
        code(glass.count(kind("Observation"), "")),
    ] {
        assert_eq!(refused, Code::Denied);
    }
    glass.read(kind("Observation"), "hiv").expect("it may");
    clinic.clock.advance(30 * 60_000_000);
    assert_eq!(code(glass.read(kind("Observation"), "hiv")), Code::BreakGlassEnded);
    assert_eq!(code(bob.chart("p")), Code::NotFound);
    let events = administrator(&clinic.ehr).audit(0, 1000).expect("it may");
    let of_it: Vec<_> = events.iter().filter(|(_, event)| event.break_glass == reference).collect();
    assert!(
        of_it.iter().any(|(_, event)| event.kind == EventKind::Read && event.failed.is_none() && event.purpose == 7)
    );
    assert!(of_it.iter().any(|(_, event)| event.failure() == Some(Code::BreakGlassEnded)));
}

fn consent(id: &str, provision: &str) -> String {
    format!(
        r#"{{"resourceType":"Consent","id":"{id}","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"category":[{{"coding":[{{"system":"http://loinc.org","code":"59284-0"}}]}}],"patient":{{"reference":"Patient/p"}},"dateTime":"2026-01-01","policyRule":{{"coding":[{{"code":"OPTIN"}}]}},"provision":{provision}}}"#
    )
}

/// Consents in the shapes of IHE's Privacy Consent on FHIR, and who sees what under each.
#[test]
fn a_consent_takes_away_what_the_policy_would_permit() {
    let clinic = Clinic::new();
    let ann = clinic.doctor("ann");
    chart(&ann);
    let bob = clinic.doctor("bob");
    let nurse = clinic.ehr.session(Actor::new("nurse", Role::Nurse).known_as("Practitioner/nurse"), Purpose::Treatment);
    let nurse = nurse.expect("a session");
    let own =
        clinic.ehr.session(Actor::of_patient("self", Role::Patient, "p"), Purpose::PatientRequest).expect("a session");
    let analyst = clinic
        .ehr
        .session(Actor::new("analyst", Role::Analyst).known_as("Practitioner/analyst"), Purpose::Research)
        .expect("a session");
    // provision, what bob sees, what the nurse sees, what the analyst counts
    let cases: [(&str, &str, usize, usize, u64); 9] = [
        ("permit all", r#"{"type":"permit"}"#, 5, 4, 1),
        ("deny all", r#"{"type":"deny"}"#, 0, 0, 0),
        (
            "deny one",
            r#"{"type":"permit","provision":[{"type":"deny","actor":[{"role":{"text":"r"},"reference":{"reference":"Practitioner/bob"}}]}]}"#,
            0,
            4,
            1,
        ),
        (
            "only one",
            r#"{"type":"deny","provision":[{"type":"permit","actor":[{"role":{"text":"r"},"reference":{"reference":"Practitioner/bob"}}]}]}"#,
            5,
            0,
            0,
        ),
        (
            "no research",
            r#"{"type":"permit","provision":[{"type":"deny","purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HRESCH"}]}]}"#,
            5,
            4,
            0,
        ),
        ("treatment only", r#"{"type":"deny","provision":[{"type":"permit","purpose":[{"code":"TREAT"}]}]}"#, 5, 4, 0),
        ("no label R", r#"{"type":"permit","provision":[{"type":"deny","securityLabel":[{"code":"R"}]}]}"#, 4, 3, 1),
        (
            "one code",
            r#"{"type":"permit","provision":[{"type":"deny","code":[{"coding":[{"system":"http://loinc.org","code":"c-plain"}]}]}]}"#,
            4,
            3,
            0,
        ),
        ("in the past", r#"{"type":"deny","period":{"start":"2020","end":"2021"}}"#, 5, 4, 1),
    ];
    // A consent is taken by the office: who treats may not lift what keeps them out.
    let (office, folder) = (administrator(&clinic.ehr), tempfile::tempdir().expect("a folder"));
    let take = |text: &str| {
        let file = folder.path().join("c.json");
        std::fs::write(&file, text).expect("a file");
        office.import(&file, &Default::default(), &mut ()).expect("it imports");
    };
    for (name, provision, of_bob, of_nurse, counted) in cases {
        take(&consent("c", provision));
        assert_eq!(ids(&bob, "Observation", "patient=p").len(), of_bob, "{name}");
        assert_eq!(ids(&nurse, "Observation", "patient=p").len(), of_nurse, "{name}");
        let here = analyst.count(kind("Observation"), "").expect("it counts").0;
        assert_eq!(here, counted + 1, "{name}: and one of another patient");
        assert_eq!(ids(&own, "Observation", "").len(), 5, "{name}: a patient's own record is theirs");
        assert_eq!(
            ids(&bob, "Observation", "patient=q").len(),
            1,
            "{name}: another patient's consent is none of theirs"
        );
    }
    // Emergency: shut by a denial, unless the consent makes an exception of it.
    take(&consent("c", r#"{"type":"deny"}"#));
    let glass = bob.break_glass("p", "unconscious").expect("it may");
    assert!(ids(&glass, "Observation", "").is_empty());
    assert_eq!(code(glass.chart("p")), Code::NotFound);
    assert_eq!(code(ann.write(consent("c", r#"{"type":"permit"}"#).as_bytes())), Code::Denied);
    take(&consent("c", r#"{"type":"deny","provision":[{"type":"permit","purpose":[{"code":"BTG"}]}]}"#));
    assert_eq!(ids(&glass, "Observation", "").len(), 5);
    assert!(ids(&bob, "Observation", "patient=p").is_empty());
    // What cannot be judged counts as met by a denial.
    let unsure = consent(
        "c",
        r#"{"type":"permit","provision":[{"type":"deny","actor":[{"role":{"text":"r"},"reference":{"reference":"CareTeam/x"}}]}]}"#,
    );
    take(&unsure);
    assert!(ids(&bob, "Observation", "patient=p").is_empty());
    // One that is no longer active says nothing.
    take(&consent("c", r#"{"type":"deny"}"#).replace("\"active\"", "\"inactive\""));
    assert_eq!(ids(&bob, "Observation", "patient=p").len(), 5);
}

#[test]
fn a_policy_is_put_in_place_for_the_next_call_and_stays_with_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    write(&doctor, &[PATIENT]);
    assert_eq!(office.policy().expect("it may").1, 0);
    assert_eq!(code(doctor.set_policy(Policy::care_team())), Code::Denied);
    assert_eq!(code(doctor.policy()), Code::Denied);
    assert!(doctor.read(kind("Patient"), "p").is_ok());
    assert_eq!(office.set_policy(Policy::care_team()).expect("it may"), 1);
    assert_eq!(code(doctor.read(kind("Patient"), "p")), Code::NotFound);
    // Nobody locks everybody out.
    let closed = Policy::parse(r#"{"name":"closed"}"#).expect("a policy");
    assert_eq!(code(office.set_policy(&closed)), Code::PolicyInvalid);
    drop((doctor, office, ehr));
    let ehr = Ehr::open(folder.path().join("clinic.ehr"), &key(), Options::default()).expect("the store");
    assert_eq!(code(physician(&ehr).read(kind("Patient"), "p")), Code::NotFound);
    let office = administrator(&ehr);
    let (policy, number) = office.policy().expect("it may");
    assert_eq!((policy.name(), number), ("care-team", 1));
    let events = office.audit(0, 1000).expect("it may");
    assert!(events.iter().any(|(_, event)| event.kind == EventKind::Policy && event.policy == 1 && event.count == 1));
    assert!(events.iter().any(|(_, event)| event.failure() == Some(Code::NotFound) && event.policy == 1));
}

#[test]
fn who_may_change_the_policy_is_told_why_something_is_denied() {
    let clinic = Clinic::new();
    chart(&clinic.doctor("ann"));
    let office = administrator(&clinic.ehr);
    let explain = |actor: &Actor, id: &str| {
        office.explain(actor, Purpose::Treatment, Action::Read, Some((kind("Observation"), id))).expect("it may")
    };
    let (nurse, bob) = (Actor::new("nurse", Role::Nurse), Actor::new("bob", Role::Physician));
    let permitted = explain(&nurse, "plain");
    assert!(permitted.verdict.permitted && permitted.rule.as_deref() == Some("nurses-treat"));
    assert_eq!(explain(&nurse, "very").verdict.cause, Cause::Label);
    let notes = explain(&bob, "session-notes");
    assert!(!notes.verdict.permitted && notes.verdict.cause == Cause::Default);
    let near: Vec<_> = notes.near.iter().map(|near| (near.rule.as_str(), near.missing.clone())).collect();
    assert!(near.contains(&("therapists-and-their-own-notes", vec!["author"])), "{near:?}");
    assert!(near.contains(&("physicians-treat", vec!["compartments"])), "{near:?}");
    assert_eq!(code(clinic.doctor("ann").explain(&nurse, Purpose::Treatment, Action::Read, None)), Code::Denied);
    let unlabelled = nurse.clone().cleared_for("V");
    assert!(explain(&unlabelled, "very").verdict.permitted);
    assert_eq!(code(clinic.ehr.session(nurse.cleared_for("shoe"), Purpose::Treatment)), Code::InvalidArgument);
}

/// The expected column was worked out by rules of its own, from what the standard policy is meant to do.
#[test]
fn the_standard_policy_decides_as_the_table_of_decisions_says() {
    let mut rows = 0;
    for line in include_str!("../data/decisions.tsv").lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            role,
            purpose,
            action,
            of,
            compartment,
            confidentiality,
            sensitivity,
            relation,
            author,
            consent,
            glass,
            expected,
        ] = cells[..]
        else {
            panic!("twelve cells: {line}")
        };
        let subject = Subject {
            break_glass: glass == "yes",
            ..Subject::new(Role::from_name(role).expect("a role"), Purpose::from_name(purpose).expect("a purpose"))
        };
        let facts = Facts {
            kind: Some(kind(of)),
            compartment: Compartment::from_name(compartment).expect("a compartment"),
            labels: Labels {
                confidentiality: Confidentiality::from_code(confidentiality).expect("a code"),
                sensitivity: Labels::bit(sensitivity)
                    .unwrap_or_else(|| if sensitivity == "-" { 0 } else { panic!("{sensitivity}") }),
            },
            relations: Relations::NAMES
                .iter()
                .find(|(name, _)| *name == relation)
                .map_or(Relations::NONE, |(_, one)| *one),
            own_organization: false,
            author: author == "yes",
            status: 0,
            consent: match consent {
                "permit" => ConsentSays::Permit,
                "deny" => ConsentSays::Deny,
                _ => ConsentSays::Nothing,
            },
        };
        let lens = Lens::new(Arc::new(Policy::standard().clone()), subject);
        let verdict = lens.decide(Action::from_name(action).expect("an action"), &facts);
        assert_eq!(verdict.permitted, expected == "+", "{line}: {:?}", verdict.cause);
        rows += 1;
    }
    assert!(rows >= 500, "{rows}");
}

/// Whose organization a patient is of is what others say: nobody moves a patient to their own by writing it.
#[test]
fn a_rule_about_the_own_organization_asks_the_chart_and_not_who_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = create(folder.path());
    let policy = format!(
        "{}\n[[deny]]\nname = \"only-ours\"\nroles = [\"nurse\"]\npurposes = [\"TREAT\"]\nactions = [\"look\"]\ntypes = [\"Patient\"]\nown-organization = false\n",
        Policy::standard().text()
    );
    administrator(&ehr).set_policy(&Policy::parse(&policy).expect("a policy")).expect("it may");
    let patient = |id: &str, organization: &str| {
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","managingOrganization":{{"reference":"Organization/{organization}"}}}}"#
        )
    };
    let doctor = physician(&ehr);
    doctor.write(patient("p1", "ours").as_bytes()).expect("it is valid");
    doctor.write(patient("p2", "theirs").as_bytes()).expect("it is valid");
    doctor.write(br#"{"resourceType":"Patient","id":"p3"}"#).expect("it is valid");
    let nurse = |organization: Option<&str>| {
        let actor = Actor::new("joy", Role::Nurse);
        let actor = organization.map_or(actor.clone(), |of| actor.of_organization(of));
        ehr.session(actor, Purpose::Treatment).expect("a session")
    };
    let reads = |session: &Session, id: &str| session.read(kind("Patient"), id).is_ok();
    let ours = nurse(Some("Organization/ours"));
    assert_eq!([reads(&ours, "p1"), reads(&ours, "p2"), reads(&ours, "p3")], [true, false, false]);
    let none = nurse(None);
    assert_eq!([reads(&none, "p1"), reads(&none, "p2")], [false, false]);
    // What the nurse writes counts once somebody else says the same.
    ours.write(patient("p4", "ours").as_bytes()).expect("it may write");
    assert!(!reads(&nurse(Some("Organization/ours")), "p4"));
    doctor.write(patient("p4", "ours").replace("}}", r#"},"active":true}"#).as_bytes()).expect("it is valid");
    assert!(reads(&nurse(Some("Organization/ours")), "p4"));
}
