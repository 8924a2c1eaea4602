//! The policies that come with the library, what is refused of others, and the decision.

use super::*;
use crate::error::Code;
use crate::schema::ResourceType;
use std::sync::Arc;

#[test]
fn the_policies_that_come_with_the_library_are_read_and_leave_nothing_to_look_at() {
    for policy in [Policy::standard(), Policy::care_team()] {
        assert_eq!(policy.check(), [], "{}", policy.name());
    }
    assert!(Policy::standard() != Policy::care_team());
    assert!(Policy::standard() == &Policy::parse(Policy::standard().text()).expect("it was read before"));
}

/// One rule that permits, with these fields instead of or beside its own.
fn permit(fields: &str) -> String {
    format!(
        r#"{{"name":"p","permit":[{{"name":"a","roles":["physician"],"purposes":["TREAT"],"actions":["look"]{fields}}}]}}"#
    )
}

fn refused_at(text: &str) -> String {
    let error = Policy::parse(text).expect_err(text);
    assert_eq!(error.code(), Code::PolicyInvalid, "{text}");
    error.location().path.clone().unwrap_or_default()
}

#[test]
fn what_is_misspelt_or_of_another_form_is_refused_with_its_place() {
    for (fields, place) in [
        (r#","lables":["ETH"]"#, "permit[0].lables"),
        (r#","mfa":"yes""#, "permit[0].mfa"),
        (r#","types":[]"#, "permit[0].types"),
        (r#","types":["Patients"]"#, "permit[0].types[0]"),
        (r#","types":[1]"#, "permit[0].types[0]"),
        (r#","types":"Patient""#, "permit[0].types"),
        (r#","compartments":["normal","notes"]"#, "permit[0].compartments[1]"),
        (r#","relations":["friend"]"#, "permit[0].relations[0]"),
        (r#","labels":["XYZ"]"#, "permit[0].labels[0]"),
        (r#","roles":["doctor"]"#, "permit[0].roles[0]"),
    ] {
        assert_eq!(refused_at(&permit(fields)), place, "{fields}");
    }
    let statuses: Vec<String> = (0..64).map(|n| format!("\"s{n}\"")).collect();
    assert_eq!(refused_at(&permit(&format!(r#","statuses":[{}]"#, statuses.join(",")))), "permit[0].statuses");
    assert!(Policy::parse(&permit(&format!(r#","statuses":[{}]"#, statuses[..63].join(",")))).is_ok());
    for (text, place) in [
        ("{", ""),
        ("name = ", ""),
        ("[]", ""),
        (r#"{"permit":[]}"#, "name"),
        (r#"{"name":""}"#, "name"),
        (r#"{"name":"p","allow":[]}"#, "allow"),
        (r#"{"name":"p","permit":[1]}"#, "permit[0]"),
        (r#"{"name":"p","permit":{}}"#, "permit"),
        (r#"{"name":"p","permit":[{"roles":["nurse"],"purposes":["TREAT"],"actions":["look"]}]}"#, "permit[0].name"),
        (r#"{"name":"p","permit":[{"name":"a","purposes":["TREAT"],"actions":["look"]}]}"#, "permit[0].roles"),
        (
            r#"{"name":"p","deny":[{"name":"a","roles":["*"],"purposes":["SELL"],"actions":["*"]}]}"#,
            "deny[0].purposes[0]",
        ),
        (
            r#"{"name":"p","clearance":[{"roles":["*"],"purposes":["*"],"confidentiality":"X"}]}"#,
            "clearance[0].confidentiality",
        ),
        (
            r#"{"name":"p","clearance":[{"roles":["*"],"purposes":["*"],"confidentiality":4}]}"#,
            "clearance[0].confidentiality",
        ),
        (r#"{"name":"p","clearance":[{"roles":["*"],"purposes":["*"],"lables":["ETH"]}]}"#, "clearance[0].lables"),
        (r#"{"name":"p","mask":[{"name":"m","roles":["*"],"purposes":["*"]}]}"#, "mask[0].elements"),
        (
            r#"{"name":"p","mask":[{"name":"m","roles":["*"],"purposes":["*"],"elements":["Patient.nickname"]}]}"#,
            "mask[0].elements[0]",
        ),
        (
            r#"{"name":"p","mask":[{"name":"m","roles":["*"],"purposes":["*"],"elements":["Patient.name"],"x":1}]}"#,
            "mask[0].x",
        ),
    ] {
        assert_eq!(refused_at(text), place, "{text}");
    }
    let twice = r#"{"name":"p","permit":[{"name":"a","roles":["*"],"purposes":["*"],"actions":["look"]}],"deny":[{"name":"a","roles":["*"],"purposes":["*"],"actions":["*"]}]}"#;
    assert_eq!(refused_at(twice), "", "two rules of one name");
    let many = vec!["1"; 1_001].join(",");
    assert_eq!(refused_at(&format!(r#"{{"name":"p","permit":[{many}]}}"#)), "permit");
    assert_eq!(refused_at(&format!(r#"{{"name":"p"{}}}"#, " ".repeat(1 << 20))), "", "longer than a megabyte");
}

#[test]
fn what_a_policy_says_that_nobody_means_is_told_with_its_rule() {
    let told = |rows: &str| {
        let policy = Policy::parse(&format!(r#"{{"name":"p",{rows}}}"#)).expect(rows);
        let found = policy.check().into_iter().filter(|finding| finding.code != Code::PolicyIdle);
        found.map(|finding| (finding.code, finding.place)).collect::<Vec<_>>()
    };
    let row = |name: &str, roles: &str, more: &str| {
        format!(r#"{{"name":"{name}","roles":{roles},"purposes":["TREAT"],"actions":["look"]{more}}}"#)
    };
    let (nurse, both) = (r#"["nurse"]"#, r#"["nurse","physician"]"#);
    let within = format!(r#""permit":[{},{}]"#, row("wide", both, ""), row("narrow", nurse, r#","types":["Patient"]"#));
    assert_eq!(told(&within), [(Code::PolicyUnreachable, "narrow".to_owned())]);
    let denied = format!(r#""permit":[{}],"deny":[{}]"#, row("a", nurse, ""), row("none", r#"["*"]"#, ""));
    assert_eq!(told(&denied), [(Code::PolicyUnreachable, "a".to_owned())]);
    let broad = [
        row("a", nurse, r#","mfa":false"#),
        row("a", r#"["*"]"#, ""),
        r#"{"name":"a","roles":["nurse"],"purposes":["TREAT"],"actions":["*"]}"#.to_owned(),
        row("a", nurse, r#","compartments":["psychotherapy-notes"]"#),
    ];
    for one in broad {
        assert_eq!(told(&format!(r#""permit":[{one}]"#)), [(Code::PolicyBroad, "a".to_owned())], "{one}");
    }
    let cleared = r#""clearance":[{"roles":["physician","nurse"],"purposes":["TREAT"],"labels":["PSYTHPN"]}]"#;
    assert_eq!(told(cleared), [(Code::PolicyBroad, "clearance".to_owned())]);
    // Its own condition keeps a rule apart from another, in either direction.
    for more in
        [r#","labels":["ETH"]"#, r#","statuses":["final"]"#, r#","own-organization":true"#, r#","consent":true"#]
    {
        let apart = format!(r#""permit":[{},{}]"#, row("narrow", nurse, more), row("wide", nurse, ""));
        assert_eq!(told(&apart), [], "{more}");
    }
    let idle = Policy::parse(&permit("")).expect("it is one").check();
    assert!(
        idle.iter().any(|finding| finding.place == "nurse") && idle.iter().any(|finding| finding.place == "policy")
    );
    let json = Finding::list_to_json(&idle);
    assert!(
        json.starts_with(r#"[{"code":"policy-idle","place":"nurse","message":"the role may do nothing"}"#),
        "{json}"
    );
    assert_eq!(json.matches("policy-idle").count(), idle.len());
    assert_eq!(Finding::list_to_json(&[]), "[]");
}

#[test]
fn a_decision_says_what_made_it_and_what_was_missing() {
    let text = r#"{"name":"p","permit":[{"name":"looks","roles":["nurse"],"purposes":["TREAT"],"actions":["look"],"types":["Patient"],"mfa":true}],
        "deny":[{"name":"no-hiv","roles":["*"],"purposes":["*"],"actions":["*"],"labels":["HIV"]}],
        "mask":[{"name":"m","roles":["nurse"],"purposes":["TREAT"],"elements":["Patient.address"]}],
        "clearance":[{"roles":["nurse"],"purposes":["TREAT"],"confidentiality":"N","labels":["HIV"]}]}"#;
    let policy = Arc::new(Policy::parse(text).expect("it is one"));
    let subject = Subject::new(Role::Nurse, Purpose::Treatment);
    let facts = Facts { kind: Some(ResourceType::PATIENT), ..Facts::NONE };
    let explained = |subject: Subject, facts: &Facts| {
        let made = Lens::new(policy.clone(), subject).explain(Action::Read, facts);
        (made.verdict.permitted, made.verdict.cause.name(), made.to_json())
    };
    let denied = explained(subject, &facts);
    assert_eq!((denied.0, denied.1), (false, "default"));
    assert_eq!(
        denied.2,
        r#"{"permitted":false,"cause":"default","rule":null,"near":[{"rule":"looks","missing":["mfa"]}]}"#
    );
    let with = Subject { mfa: true, ..subject };
    assert_eq!(explained(with, &facts).2, r#"{"permitted":true,"cause":"permit","rule":"looks","near":[]}"#);
    let hiv = Labels { sensitivity: Labels::bit("HIV").expect("a code of HL7"), ..Labels::NONE };
    assert_eq!(
        explained(with, &Facts { labels: hiv, ..facts }).2,
        r#"{"permitted":false,"cause":"deny","rule":"no-hiv","near":[]}"#
    );
    let very = Labels { confidentiality: Confidentiality::VeryRestricted, ..Labels::NONE };
    assert_eq!(explained(with, &Facts { labels: very, ..facts }).1, "label");
    assert_eq!(explained(with, &Facts { consent: ConsentSays::Deny, ..facts }).1, "consent");
    let emergency = Subject { break_glass: true, ..subject };
    assert_eq!((explained(emergency, &facts).0, explained(emergency, &facts).1), (true, "break-glass"));
    let notes = Facts { compartment: crate::record::Compartment::PsychotherapyNotes, ..facts };
    assert_eq!((explained(emergency, &notes).0, explained(emergency, &notes).1), (false, "psychotherapy-notes"));

    let lens = Lens::new(policy.clone(), with);
    assert_eq!((lens.policy().name(), lens.clearance().sensitivity), ("p", hiv.sensitivity));
    assert!(lens.masks(ResourceType::PATIENT, Relations::NONE));
    assert!(lens.hides(ResourceType::PATIENT, "address", Relations::NONE));
    assert!(!lens.hides(ResourceType::PATIENT, "name", Relations::NONE));
}

#[test]
fn as_cedar_every_rule_is_one_policy_and_what_the_engine_itself_denies_too() {
    let text = r#"{"name":"p","permit":[{"name":"a","roles":["nurse"],"purposes":["TREAT"],"actions":["read","search"],"types":["Patient","Basic"],
        "relations":["care-team"],"without-relations":["self"],"labels":["ETH"],"statuses":["final"],"own-organization":true,"author":false,"mfa":true,"consent":true}],
        "deny":[{"name":"b","roles":["*"],"purposes":["*"],"actions":["delete"]}],
        "clearance":[{"roles":["nurse"],"purposes":["TREAT"],"confidentiality":"R","labels":["ETH"]}]}"#;
    let cedar = Policy::parse(text).expect("it is one").to_cedar();
    let lines: Vec<&str> = cedar.lines().collect();
    let rule = lines[0];
    assert!(rule.starts_with("permit (principal, action, resource) when { "), "{rule}");
    for condition in [
        r#"["nurse"].contains(context.role)"#,
        r#"["TREAT"].contains(context.purpose)"#,
        r#"[Action::"read", Action::"search"].contains(action)"#,
        r#"["Basic", "Patient"].contains(context.type)"#,
        r#"context.relations.containsAny(["care-team"])"#,
        r#"!context.relations.containsAny(["self"])"#,
        r#"context.sensitivity.containsAny(["ETH"])"#,
        r#"["final"].contains(context.status)"#,
        "context.own_organization == true && context.author == false && context.mfa == true",
        r#"context.consent == "permit""#,
        "context.break_glass == false",
    ] {
        assert!(rule.contains(condition), "{condition} in {rule}");
    }
    assert!(lines[1].starts_with("forbid") && lines[1].contains(r#"[Action::"delete"].contains(action)"#));
    assert!(!lines[1].contains("break_glass"), "a denial holds in an emergency too");
    let forbids = |words: &str| lines.iter().filter(|line| line.starts_with("forbid") && line.contains(words)).count();
    assert_eq!(forbids(r#"context.consent == "deny""#), 1);
    assert_eq!(forbids("context.cleared_confidentiality <"), 2, "each level above normal");
    assert_eq!(forbids("!context.cleared.contains"), Labels::codes().len());
    let cleared = lines.iter().find(|line| line.contains(r#"contains("ETH") && !context.cleared"#)).expect("a line");
    assert!(cleared.contains(r#"!(["nurse"].contains(context.role)"#), "{cleared}");
}
