//! What is denied cannot be told from what never was: for random policies, charts and requests, every answer is that of a store in
//! which the denied records and elements were never written.

use crate::path::{administrator, create, kind, physician};
use ehrcore::access::{Action, Policy, Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, SearchOptions, Session};
use ehrcore::error::{Code, Error};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Numbers from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
    fn some<'a>(&mut self, of: &[&'a str]) -> Vec<&'a str> {
        let found: Vec<&str> = of.iter().copied().filter(|_| self.below(2) == 0).collect();
        if found.is_empty() { vec![of[self.below(of.len())]] } else { found }
    }
}

const LABELS: [&str; 6] = ["R", "V", "HIV", "ETH", "PSYTHPN", "VIP"];
const MASKS: [&str; 7] = [
    "Patient.identifier",
    "Patient.birthDate",
    "Observation.note",
    "Observation.value",
    "Condition.code",
    "Condition.note",
    "Condition.recordedDate",
];

/// A policy for one role: permits, denials, clearances and masks at random. Looking, counting and taking out go together, so that
/// a record is there for all of them or for none.
fn policy(numbers: &mut Numbers, role: &str, purpose: &str) -> (String, Vec<&'static str>) {
    let (roles, purposes) = (json!([role]), json!([purpose]));
    let actions = json!(["look", "count", "export-chart"]);
    let mut permits =
        vec![json!({"name": "run", "roles": ["administrator"], "purposes": ["HOPERAT"], "actions": ["policy"]})];
    for at in 0..1 + numbers.below(3) {
        let mut rule =
            json!({"name": format!("permit {at}"), "roles": roles, "purposes": purposes, "actions": actions});
        if numbers.below(2) == 0 {
            rule["types"] = json!(numbers.some(&["Patient", "Observation", "Condition", "Practitioner"]));
        }
        if numbers.below(2) == 0 {
            rule["compartments"] = json!(numbers.some(&["normal", "substance-use", "psychotherapy-notes"]));
        }
        if numbers.below(3) == 0 {
            rule["relations"] = json!(numbers.some(&["self", "proxy", "care-team", "no-patient"]));
        }
        if numbers.below(4) == 0 {
            rule["statuses"] = json!(["final"]);
        }
        permits.push(rule);
    }
    let mut denials = Vec::new();
    for at in 0..numbers.below(3) {
        let mut rule = json!({"name": format!("deny {at}"), "roles": roles, "purposes": purposes, "actions": actions});
        match numbers.below(3) {
            0 => rule["labels"] = json!(numbers.some(&["HIV", "ETH", "OTHER"])),
            1 => rule["types"] = json!([(["Condition", "Observation", "Patient"][numbers.below(3)])]),
            _ => rule["statuses"] = json!(["preliminary"]),
        }
        denials.push(rule);
    }
    let level = ["N", "R", "V"][numbers.below(3)];
    let mut clearance = json!({"roles": roles, "purposes": purposes, "confidentiality": level});
    clearance["labels"] = json!(numbers.some(&["HIV", "ETH", "PSYTHPN", "OTHER", "*"]));
    let (mut masks, mut hidden) = (Vec::new(), Vec::new());
    if numbers.below(3) > 0 {
        hidden =
            numbers.some(&MASKS).iter().map(|path| *MASKS.iter().find(|known| *known == path).expect("one")).collect();
        masks.push(json!({"name": "mask", "roles": roles, "purposes": purposes, "elements": hidden}));
    }
    let policy = json!({"name": "random", "permit": permits, "deny": denials, "clearance": [clearance], "mask": masks});
    (policy.to_string(), hidden)
}

/// A record with everything the masks and the queries are about.
fn record(numbers: &mut Numbers, at: usize, version: usize) -> Value {
    let patient = format!("Patient/p{}", numbers.below(3));
    let mut made = match numbers.below(4) {
        0 => json!({"resourceType": "Condition", "code": {"coding": [{"code": format!("c{}", numbers.below(3))}]},
            "subject": {"reference": patient}, "recordedDate": format!("20{:02}-01-01", numbers.below(20)),
            "note": [{"text": "secret remark"}]}),
        1 => json!({"resourceType": "Practitioner", "name": [{"family": format!("F{}", numbers.below(4))}]}),
        _ => json!({"resourceType": "Observation", "status": (["final", "preliminary"][numbers.below(2)]),
            "code": {"coding": [{"code": format!("c{}", numbers.below(3))}]}, "subject": {"reference": patient},
            "effectiveDateTime": format!("20{:02}-01-01", numbers.below(20)), "valueQuantity": {"value": numbers.below(9), "code": "kg"},
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">in words</div>"},
            "note": [{"text": "secret remark"}]}),
    };
    made["id"] = json!(format!("r{at}"));
    made["language"] = json!(format!("x-{version}")); // each version differs in something that nobody hides
    made
}

fn labelled(mut record: Value, labels: &[&str]) -> Value {
    if !labels.is_empty() {
        record["meta"] = json!({"security": labels.iter().map(|label| match *label {
            "VIP" => json!({"system": "http://example.org/labels", "code": "VIP"}),
            label => json!({"code": label}),
        }).collect::<Vec<_>>()});
    }
    record
}

/// A record as it would be had the hidden elements, and its words, never been in it. Worked out apart from the library.
fn without(mut record: Value, hidden: &[&str]) -> Value {
    let kind = record["resourceType"].as_str().expect("a type").to_owned();
    let mut touched = false;
    for (of, element) in hidden.iter().filter_map(|path| path.split_once('.')) {
        if of == kind {
            touched = true;
            let fields = record.as_object_mut().expect("an object");
            fields.retain(|name, _| name != element && !(element == "value" && name.starts_with("value")));
        }
    }
    if touched {
        record.as_object_mut().expect("an object").remove("text");
    }
    record
}

fn told<T>(result: Result<T, Error>, say: impl FnOnce(T) -> Value) -> Value {
    match result {
        Ok(found) => say(found),
        Err(error) => json!({"error": error.to_string(), "code": error.code().number()}),
    }
}

fn content(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { serde_json::from_slice(bytes).expect("JSON") }
}

/// Every answer a session can get about these records, as one value.
fn answers(session: &Session, ids: &[(String, String)], counts: bool) -> Value {
    let mut all = Vec::new();
    for (of, id) in ids {
        let of = kind(of);
        all.push(told(session.read(of, id), |stored| json!([stored.version(), content(stored.bytes())])));
        all.push(told(session.read_version(of, id, 1), |stored| content(stored.bytes())));
        all.push(told(session.as_of(of, id, ehrcore::time::Timestamp(i64::MAX)), |stored| content(stored.bytes())));
        all.push(told(session.history(of, id), |versions| {
            let said = versions.iter().map(|one| json!([one.version(), one.is_deleted(), content(one.bytes())]));
            Value::Array(said.collect())
        }));
        all.push(told(session.provenance(of, id, 0), |origin| json!([origin.actor, origin.source])));
    }
    for (of, query) in [
        ("Observation", ""),
        ("Observation", "code=c1"),
        ("Observation", "code:not=c1"),
        ("Observation", "code:missing=true"),
        ("Observation", "value-quantity=gt3"),
        ("Observation", "value-quantity:missing=true"),
        ("Observation", "_sort=date"),
        ("Observation", "_sort=-date&patient=p1"),
        ("Observation", "patient=p0&status=final"),
        ("Condition", "code=c0,c2"),
        ("Condition", "recorded-date=ge2010"),
        ("Condition", "_sort=-recorded-date"),
        ("Condition", "recorded-date:missing=true"),
        ("Patient", "birthdate=1970-01-01"),
        ("Patient", "birthdate:missing=true"),
        ("Patient", "_sort=birthdate"),
        ("Patient", "identifier=n-1"),
        ("Patient", "_id=p0,p1,p2"),
        ("Practitioner", "name=F1"),
        ("Practitioner", "_sort=family"),
        ("Observation", "nonsense=1"),
    ] {
        let (mut pages, mut from) = (Vec::new(), None);
        loop {
            let page = session.search(kind(of), query, SearchOptions { count: 2, from });
            let next = page.as_ref().ok().and_then(|page| page.next);
            pages.push(told(page, |page| page.records.iter().map(|one| content(one.bytes())).collect()));
            from = next;
            if from.is_none() {
                break;
            }
        }
        all.push(json!([of, query, pages]));
        if counts {
            all.push(told(session.count(kind(of), query), |count| json!(count.0)));
        }
    }
    for patient in ["p0", "p1", "p2", "nobody"] {
        all.push(told(session.chart(patient), |chart| chart.iter().map(|one| content(one.bytes())).collect()));
        all.push(told(session.chart_page(patient), Value::String));
        all.push(told(session.export_chart(patient), |bundle| content(&bundle)));
    }
    Value::Array(all)
}

fn load(ehr: &Ehr, records: &[Value]) {
    let session = physician(ehr);
    for record in records {
        session.write(record.to_string().as_bytes()).unwrap_or_else(|error| panic!("{record}: {error}"));
    }
}

const CONSENTS: [&str; 5] = [
    r#"{"type":"permit","provision":[{"type":"deny","securityLabel":[{"code":"HIV"}]}]}"#,
    r#"{"type":"deny","provision":[{"type":"permit","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}]}]}"#,
    r#"{"type":"permit","provision":[{"type":"deny","code":[{"coding":[{"code":"c1"}]}]}]}"#,
    r#"{"type":"permit","provision":[{"type":"deny","purpose":[{"code":"TREAT"}],"class":[{"code":"Condition"}]}]}"#,
    r#"{"type":"deny"}"#,
];

fn compared(seed: u64) {
    let mut numbers = Numbers(seed);
    let who = [
        ("physician", Role::Physician, "TREAT", Purpose::Treatment),
        ("nurse", Role::Nurse, "TREAT", Purpose::Treatment),
        ("caregiver", Role::Caregiver, "TREAT", Purpose::Treatment),
        ("patient", Role::Patient, "PATRQT", Purpose::PatientRequest),
        ("analyst", Role::Analyst, "HRESCH", Purpose::Research),
    ];
    let (name, role, purpose_name, purpose) = who[numbers.below(who.len())];
    let (text, hidden) = policy(&mut numbers, name, purpose_name);
    let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut actor = Actor::new("who", role).known_as("Practitioner/who");
    if matches!(role, Role::Caregiver | Role::Patient) {
        actor = Actor::of_patient("who", role, "p0");
    }

    let mut records = Vec::new();
    for at in 0..3 {
        let labels = if numbers.below(4) == 0 { numbers.some(&LABELS[..3]) } else { Vec::new() };
        let patient = json!({"resourceType": "Patient", "id": format!("p{at}"), "birthDate": "1970-01-01",
            "identifier": [{"value": format!("n-{at}")}],
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">1970</div>"}});
        records.push(labelled(patient, &labels));
    }
    for at in 0..16 {
        let labels = if numbers.below(2) == 0 { vec![LABELS[numbers.below(LABELS.len())]] } else { Vec::new() };
        let start = Numbers(numbers.0).0;
        let versions = 1 + numbers.below(2);
        for version in 0..versions {
            records.push(labelled(record(&mut Numbers(start), at, version), &labels));
        }
    }
    let plain = |at: usize| json!({"resourceType": "CareTeam", "id": format!("t{at}"), "subject": {"reference": format!("Patient/p{at}")}});
    // In both stores the patients come in the same order: results are in that order, whoever is seen.
    let mut governing = vec![
        plain(0),
        plain(1),
        plain(2),
        json!({"resourceType": "CareTeam", "id": "team", "status": "active", "subject": {"reference": "Patient/p1"},
        "participant": [{"member": {"reference": "Practitioner/who"}}]}),
    ];
    if numbers.below(2) == 0 {
        let provision: Value = serde_json::from_str(CONSENTS[numbers.below(CONSENTS.len())]).expect("JSON");
        governing.push(json!({"resourceType": "Consent", "id": "c", "status": "active",
            "scope": {"coding": [{"code": "patient-privacy"}]}, "category": [{"coding": [{"code": "59284-0"}]}],
            "patient": {"reference": "Patient/p1"}, "policyRule": {"coding": [{"code": "OPTIN"}]}, "provision": provision}));
    }
    let mut ids: Vec<(String, String)> = records
        .iter()
        .map(|one| {
            (one["resourceType"].as_str().expect("a type").to_owned(), one["id"].as_str().expect("an id").to_owned())
        })
        .collect();
    ids.dedup();
    ids.push(("Observation".to_owned(), "never".to_owned()));
    let deleted = ids[3 + numbers.below(8)].clone();

    let folder = tempfile::tempdir().expect("a folder");
    let whole = create(folder.path());
    load(&whole, &governing[..4]);
    load(&whole, &records);
    load(&whole, &governing[4..]);
    let office = administrator(&whole);
    office.set_policy(&policy).expect("it may");
    let permitted: Vec<bool> = records
        .iter()
        .map(|one| {
            let place = (kind(one["resourceType"].as_str().expect("a type")), one["id"].as_str().expect("an id"));
            office.explain(&actor, purpose, Action::Read, Some(place)).expect("it may").verdict.permitted
        })
        .collect();
    office.set_policy(Policy::standard()).expect("it may");
    let gone = physician(&whole).delete(kind(&deleted.0), &deleted.1).is_ok(); // nobody deletes a psychotherapy note here

    let other = tempfile::tempdir().expect("a folder");
    let less = create(other.path());
    load(&less, &governing[..4]);
    let seen = records.iter().zip(&permitted).filter(|(_, permitted)| **permitted);
    let seen: Vec<Value> = seen.map(|(one, _)| without(one.clone(), &hidden)).collect();
    for one in &seen {
        physician(&less).write(one.to_string().as_bytes()).expect("nothing is hidden that R4 asks for");
    }
    load(&less, &governing[4..]);
    if gone {
        if let Err(error) = physician(&less).delete(kind(&deleted.0), &deleted.1) {
            assert_eq!(error.code(), Code::NotFound);
        }
    }

    office.set_policy(&policy).expect("it may");
    administrator(&less).set_policy(&policy).expect("it may");
    let session = |ehr: &Ehr| ehr.session(actor.clone(), purpose).expect("a session");
    let (ours, theirs) = (answers(&session(&whole), &ids, true), answers(&session(&less), &ids, true));
    if ours != theirs {
        for (one, other) in ours.as_array().expect("a list").iter().zip(theirs.as_array().expect("a list")) {
            assert_eq!(one, other, "seed {seed}, {name}, {text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_denied_cannot_be_told_from_what_never_was(seed in any::<u64>()) {
        compared(seed);
    }
}
