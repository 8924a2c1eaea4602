//! What a validator finds, code by code.

use super::{Options, References, UnknownExtensions, Validator};
use crate::record::Record;
use crate::report::{Report, Severity};

const PATIENT: &str = "http://hl7.org/fhir/StructureDefinition/Patient";

/// A profile of a type with these elements in its differential.
fn profile(kind: &str, elements: &str) -> Record {
    definition(kind, "http://example.org/p", elements, "")
}

fn definition(kind: &str, url: &str, elements: &str, more: &str) -> Record {
    let text = format!(
        r#"{{"resourceType":"StructureDefinition","url":"{url}","name":"P","status":"active","kind":"resource",
        "abstract":false,"type":"{kind}","baseDefinition":"http://hl7.org/fhir/StructureDefinition/{kind}",
        "derivation":"constraint"{more},"differential":{{"element":[{elements}]}}}}"#
    );
    Record::parse(text.as_bytes()).expect("a StructureDefinition")
}

fn with(definitions: Vec<Record>, options: Options, record: &str) -> Report {
    let mut builder = Validator::builder().options(options).profile("http://example.org/p");
    for definition in definitions {
        builder = builder.definition(definition);
    }
    builder.build().expect("a validator").validate(record.as_bytes())
}

/// Code and path of each finding that is worse than information, but for the advice to have a narrative (dom-6).
fn found(report: &Report) -> Vec<(&'static str, &str)> {
    let worse = report.issues().iter().filter(|issue| issue.severity < Severity::Information);
    let kept = worse.filter(|issue| issue.rule.as_deref() != Some("dom-6"));
    kept.map(|issue| (issue.code.name(), issue.path.as_str())).collect()
}

fn patient(elements: &str, record: &str) -> Vec<(String, String)> {
    let report = with(vec![profile("Patient", elements)], Options::default(), record);
    found(&report).into_iter().map(|(code, path)| (code.to_owned(), path.to_owned())).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(code, path)| ((*code).to_owned(), (*path).to_owned())).collect()
}

#[test]
fn a_profile_bounds_how_many_values_there_are() {
    let rule = r#"{"path":"Patient.name","min":1,"max":"1"},{"path":"Patient.name.family","min":1},{"path":"Patient.active","max":"0"}"#;
    assert_eq!(patient(rule, r#"{"resourceType":"Patient"}"#), pairs(&[("profile-min", "Patient")]));
    assert_eq!(
        patient(rule, r#"{"resourceType":"Patient","active":true,"name":[{"family":"a"},{"text":"b"}]}"#),
        pairs(&[("profile-max", "Patient"), ("profile-max", "Patient"), ("profile-min", "Patient.name[1]")])
    );
    assert_eq!(patient(rule, r#"{"resourceType":"Patient","name":[{"family":"a"}]}"#), []);
}

#[test]
fn a_profile_fixes_values_and_patterns_bounds_and_lengths() {
    let rule = r#"{"path":"Patient.gender","fixedCode":"other"},{"path":"Patient.maritalStatus","patternCodeableConcept":{"coding":[{"code":"M"}]}},
        {"path":"Patient.birthDate","minValueDate":"2000-01-01"},{"path":"Patient.name.family","maxLength":3}"#;
    let record = r#"{"resourceType":"Patient","gender":"male","maritalStatus":{"coding":[{"code":"S"}]},"birthDate":"1999-12-31","name":[{"family":"four"}]}"#;
    assert_eq!(
        patient(rule, record),
        pairs(&[
            ("profile-fixed", "Patient.gender"),
            ("profile-pattern", "Patient.maritalStatus"),
            ("value-range", "Patient.birthDate"),
            ("value-length", "Patient.name[0].family"),
        ])
    );
}

#[test]
fn a_profile_narrows_the_types_of_a_choice() {
    let rule = r#"{"path":"Patient.deceased[x]","type":[{"code":"dateTime"}]}"#;
    assert_eq!(
        patient(rule, r#"{"resourceType":"Patient","deceasedBoolean":true}"#),
        pairs(&[("profile-type", "Patient.deceased.ofType(boolean)")])
    );
    assert_eq!(patient(rule, r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#), []);
}

#[test]
fn slices_are_told_apart_and_counted() {
    let rule = |rules: &str| {
        format!(
            r#"{{"id":"Patient.identifier","path":"Patient.identifier","slicing":{{"discriminator":[{{"type":"value","path":"system"}}],"rules":"{rules}","ordered":true}}}},
            {{"id":"Patient.identifier:a","path":"Patient.identifier","sliceName":"a","min":1,"max":"1"}},
            {{"id":"Patient.identifier:a.system","path":"Patient.identifier.system","fixedUri":"urn:a"}},
            {{"id":"Patient.identifier:a.value","path":"Patient.identifier.value","min":1}},
            {{"id":"Patient.identifier:b","path":"Patient.identifier","sliceName":"b"}},
            {{"id":"Patient.identifier:b.system","path":"Patient.identifier.system","fixedUri":"urn:b"}}"#
        )
    };
    let of = |systems: &[&str]| {
        let list: Vec<String> = systems.iter().map(|s| format!(r#"{{"system":"{s}","value":"1"}}"#)).collect();
        format!(r#"{{"resourceType":"Patient","identifier":[{}]}}"#, list.join(","))
    };
    assert_eq!(patient(&rule("open"), &of(&["urn:c"])), pairs(&[("slice-missing", "Patient")]));
    assert_eq!(patient(&rule("open"), &of(&["urn:a", "urn:a"])), pairs(&[("slice-repeats", "Patient")]));
    assert_eq!(patient(&rule("open"), &of(&["urn:b", "urn:a"])), pairs(&[("slice-order", "Patient.identifier[1]")]));
    assert_eq!(
        patient(&rule("closed"), &of(&["urn:a", "urn:c"])),
        pairs(&[("slice-unmatched", "Patient.identifier[1]")])
    );
    assert_eq!(
        patient(&rule("openAtEnd"), &of(&["urn:c", "urn:a"])),
        pairs(&[("slice-order", "Patient.identifier[1]")])
    );
    assert_eq!(patient(&rule("open"), &of(&["urn:a", "urn:c", "urn:b"])), []);
    let no_value = r#"{"resourceType":"Patient","identifier":[{"system":"urn:a"}]}"#;
    assert_eq!(patient(&rule("open"), no_value), pairs(&[("profile-min", "Patient.identifier[0]")]));
}

#[test]
fn a_constraint_of_a_profile_is_evaluated() {
    let rule = r#"{"path":"Patient","constraint":[{"key":"x-1","severity":"error","human":"h","expression":"name.exists() or active"}]},
        {"path":"Patient.name","constraint":[{"key":"x-2","severity":"warning","human":"h","expression":"%resource.gender = 'other'"}]},
        {"path":"Patient.contact","constraint":[{"key":"x-3","severity":"error","human":"h","expression":"((("}]}"#;
    let report = |record: &str| with(vec![profile("Patient", rule)], Options::default(), record);
    let bare = report(r#"{"resourceType":"Patient"}"#);
    assert_eq!(found(&bare), [("profile-constraint", "Patient")]);
    assert_eq!(bare.issues()[0].rule.as_deref(), Some("x-1"));
    let named = report(r#"{"resourceType":"Patient","name":[{"text":"a"}],"contact":[{"name":{"text":"b"}}]}"#);
    assert_eq!(found(&named), [("profile-constraint", "Patient.name[0]")]);
    assert!(named.is_valid());
    assert_eq!(named.issues().last().map(|issue| issue.code.name()), Some("constraint-unread"));
}

#[test]
fn references_are_followed_into_the_record() {
    let rule = r#"{"path":"Patient.link.other","type":[{"code":"Reference","targetProfile":["http://example.org/p"],"aggregation":["contained"]}]},
        {"path":"Patient.gender","min":1}"#;
    let record = |gender: &str, reference: &str| {
        format!(
            r##"{{"resourceType":"Patient","gender":"other","contained":[{{"resourceType":"Patient","id":"a","generalPractitioner":[{{"reference":"#"}}]{gender}}}],
            "link":[{{"other":{{"reference":"{reference}"}},"type":"seealso"}}]}}"##
        )
    };
    assert_eq!(patient(rule, &record(r#","gender":"male""#, "#a")), []);
    assert_eq!(patient(rule, &record("", "#a")), pairs(&[("target-profile", "Patient.link[0].other")]));
    assert_eq!(patient(rule, &record("", "Patient/1")), pairs(&[("reference-aggregation", "Patient.link[0].other")]));
    assert_eq!(
        patient(rule, &record("", "RelatedPerson/1")),
        pairs(&[("reference-target", "Patient.link[0].other"), ("reference-aggregation", "Patient.link[0].other")])
    );
    let strict = |references| Options { references, ..Options::default() };
    let outside = |references| {
        let report = with(vec![profile("Patient", rule)], strict(references), &record("", "Patient/1"));
        report.issues().iter().map(|issue| issue.code.name()).collect::<Vec<_>>()
    };
    assert!(outside(References::MustConform).contains(&"target-profile"));
    assert!(outside(References::MustExist).contains(&"reference-outside"));
}

#[test]
fn circles_of_references_and_profiles_end() {
    let rule = r#"{"path":"Patient.link.other","type":[{"code":"Reference","targetProfile":["http://example.org/p"]}]},{"path":"Patient.gender","min":1}"#;
    let entry = |id: &str, other: &str, gender: &str| {
        format!(
            r#"{{"fullUrl":"http://example.org/Patient/{id}","resource":{{"resourceType":"Patient","id":"{id}"{gender},"meta":{{"profile":["http://example.org/p"]}},"link":[{{"other":{{"reference":"Patient/{other}"}},"type":"seealso"}}]}}}}"#
        )
    };
    let bundle = |gender: &str| {
        let (a, b) = (entry("a", "b", r#","gender":"other""#), entry("b", "a", gender));
        format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{a},{b}]}}"#)
    };
    let validator = Validator::builder().definition(profile("Patient", rule)).build().expect("a validator");
    assert_eq!(found(&validator.validate(bundle(r#","gender":"male""#).as_bytes())), []);
    let report = validator.validate(bundle("").as_bytes());
    assert!(found(&report).contains(&("target-profile", "Bundle.entry[0].resource.link[0].other")), "{report:?}");
}

#[test]
fn a_value_conforms_to_one_of_the_profiles_of_its_type() {
    let name = |url: &str, part: &str| {
        let rule = format!(r#"{{"path":"HumanName.{part}","min":1}}"#);
        definition("HumanName", url, &rule, "")
    };
    let rule = r#"{"path":"Patient.name","type":[{"code":"HumanName","profile":["http://example.org/a","http://example.org/b"]}]}"#;
    let report = |record: &str| {
        let all = vec![
            profile("Patient", rule),
            name("http://example.org/a", "family"),
            name("http://example.org/b", "text"),
        ];
        with(all, Options::default(), record)
    };
    assert_eq!(found(&report(r#"{"resourceType":"Patient","name":[{"text":"t"},{"family":"f"}]}"#)), []);
    assert_eq!(
        found(&report(r#"{"resourceType":"Patient","name":[{"use":"usual"}]}"#)),
        [
            ("profile-none-fits", "Patient.name[0]"),
            ("profile-min", "Patient.name[0]"),
            ("profile-min", "Patient.name[0]")
        ]
    );
}

#[test]
fn a_profile_that_is_not_loaded_is_said_and_one_asked_for_must_be_there() {
    let validator = Validator::builder().build().expect("a validator");
    let report = validator.validate(br#"{"resourceType":"Patient","meta":{"profile":["http://example.org/p"]}}"#);
    assert_eq!(found(&report), [("profile-unknown", "Patient.meta.profile[0]")]);
    assert!(report.is_valid());
    let missing = Validator::builder().profile("http://example.org/p").build();
    assert_eq!(missing.err().map(|error| error.code().name()), Some("profile-unknown"));
    let record = Record::parse(br#"{"resourceType":"Patient"}"#).expect("a record");
    assert!(!validator.validate_against(&record, &["http://example.org/p"]).is_valid());
    let wrong = Validator::builder().definition(profile("Observation", "")).profile("http://example.org/p").build();
    let report = wrong.expect("a validator").validate_record(&record);
    assert_eq!(found(&report), [("profile-type", "Patient")]);
}

#[test]
fn an_extension_is_checked_where_its_definition_is_loaded() {
    let parts = r#"{"path":"Extension.extension","sliceName":"a"},{"path":"Extension.extension.url","fixedUri":"a"},
        {"path":"Extension.extension.value[x]","type":[{"code":"code"}]},{"path":"Extension.url","fixedUri":"http://example.org/x"}"#;
    let context = r#","context":[{"type":"element","expression":"Patient"}]"#;
    let extension = definition("Extension", "http://example.org/x", parts, context);
    let report = |record: &str| with(vec![profile("Patient", ""), extension.clone()], Options::default(), record);
    let on_patient = |inner: &str| {
        let text = format!(r#"{{"resourceType":"Patient","extension":[{{"url":"http://example.org/x",{inner}}}]}}"#);
        found(&report(&text)).into_iter().map(|(code, path)| format!("{code} {path}")).collect::<Vec<_>>()
    };
    assert!(on_patient(r#""extension":[{"url":"a","valueCode":"c"}]"#).is_empty());
    assert_eq!(
        on_patient(r#""extension":[{"url":"b","valueCode":"c"}]"#),
        ["extension-part Patient.extension[0].extension[0]"]
    );
    assert_eq!(
        on_patient(r#""extension":[{"url":"a","valueString":"c"}]"#),
        ["profile-type Patient.extension[0].extension[0].value.ofType(string)"]
    );
    let elsewhere = report(
        r#"{"resourceType":"Patient","name":[{"family":"f","extension":[{"url":"http://example.org/x","extension":[{"url":"a","valueCode":"c"}]}]}]}"#,
    );
    assert_eq!(found(&elsewhere), [("extension-context", "Patient.name[0]")]);
    let modifier = report(
        r#"{"resourceType":"Patient","modifierExtension":[{"url":"http://example.org/x","extension":[{"url":"a","valueCode":"c"}]}]}"#,
    );
    assert_eq!(found(&modifier), [("extension-modifier", "Patient.modifierExtension[0]")]);
    let relative = report(r#"{"resourceType":"Patient","extension":[{"url":"x","valueCode":"c"}]}"#);
    assert_eq!(found(&relative), [("extension-url", "Patient.extension[0]")]);
}

#[test]
fn an_unknown_extension_is_information_or_an_error_as_the_caller_says() {
    let record = br#"{"resourceType":"Patient","extension":[{"url":"http://example.com/y","valueCode":"c"}]}"#;
    let severity = |options: Options| {
        let report = Validator::builder().options(options).build().expect("a validator").validate(record);
        report.issues().iter().find(|issue| issue.code.name() == "extension-unknown").map(|issue| issue.severity)
    };
    assert_eq!(severity(Options::default()), Some(Severity::Information));
    let strict = Options { unknown_extensions: UnknownExtensions::Error, ..Options::default() };
    assert_eq!(severity(strict.clone()), Some(Severity::Error));
    let mine = Options { extension_domains: vec!["http://example.com/".into()], ..strict };
    assert_eq!(severity(mine), Some(Severity::Information));
}

#[test]
fn a_bundle_keeps_the_rules_between_its_entries() {
    let validator = Validator::builder().build().expect("a validator");
    let of = |text: &str| {
        let report = validator.validate(text.as_bytes());
        found(&report).into_iter().map(|(code, path)| format!("{code} {path}")).collect::<Vec<_>>()
    };
    let wrong_url = r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://example.org/Patient/b","resource":{"resourceType":"Patient","id":"a"}}]}"#;
    assert_eq!(of(wrong_url), ["bundle-full-url Bundle.entry[0]"]);
    let links = r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"http://a/Patient"},{"relation":"self","url":"http://b"}],
        "entry":[{"resource":{"resourceType":"Group","type":"person","actual":true},"search":{"mode":"match"}}]}"#;
    assert_eq!(
        of(links),
        [
            "bundle-link Bundle.link[1]",
            "bundle-search Bundle.entry[0].resource",
            "bundle-search Bundle.entry[0].resource"
        ]
    );
    let message = r#"{"resourceType":"Bundle","type":"message","entry":[
        {"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{"resourceType":"MessageHeader","eventUri":"urn:e","source":{"endpoint":"urn:s"}}},
        {"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{"resourceType":"Patient"}}]}"#;
    assert!(of(message).contains(&"bundle-unreachable Bundle.entry[1]".to_owned()));
}

#[test]
fn a_document_brings_what_its_composition_refers_to() {
    let validator = Validator::builder().build().expect("a validator");
    let of = |author: &str, practitioner: &str| {
        let text = format!(
            r#"{{"resourceType":"Bundle","identifier":{{"system":"urn:a","value":"1"}},"type":"document","timestamp":"2020-01-01T00:00:00Z","entry":[
            {{"fullUrl":"http://example.org/Composition/1","resource":{{"resourceType":"Composition","id":"1","status":"final","type":{{"text":"Note"}},
              "subject":{{"reference":"Patient/1"}},"date":"2020","author":[{{"reference":"{author}"}}],"title":"Note",
              "relatesTo":[{{"code":"replaces","targetReference":{{"reference":"Composition/0"}}}}]}}}},
            {{"fullUrl":"http://example.org/Patient/1","resource":{{"resourceType":"Patient","id":"1","active":true,
              "managingOrganization":{{"reference":"Organization/1"}},"generalPractitioner":[{{"reference":"{practitioner}"}}]}}}}]}}"#
        );
        let report = validator.validate(text.as_bytes());
        let told = found(&report).into_iter();
        told.filter(|(code, _)| *code == "bundle-reference").map(|(_, path)| path.to_owned()).collect::<Vec<_>>()
    };
    // What the Patient refers to may stay outside, an earlier document too.
    assert_eq!(of("Patient/1", "Practitioner/1"), [""; 0]);
    assert_eq!(of("Practitioner/1", "Practitioner/1"), ["Bundle.entry[0].resource.author[0]"]);
    // An address that means something in this Bundle only.
    let urn = "urn:uuid:00000000-0000-4000-8000-000000000009";
    assert_eq!(of("Patient/1", urn), ["Bundle.entry[1].resource.generalPractitioner[0]"]);
}

#[test]
fn an_attachment_says_its_size_and_markdown_may_be_plain() {
    let strict = Options { html_in_markdown: false, ..Options::default() };
    let validator = Validator::builder().options(strict).build().expect("a validator");
    let record = br#"{"resourceType":"Patient","photo":[{"data":"QUJD","size":4},{"data":"QUI=","size":2}],
        "contained":[{"resourceType":"Group","id":"g","type":"person","actual":true,"extension":[{"url":"http://example.org/e","valueMarkdown":"a <b>"}]}]}"#;
    let report = validator.validate(record);
    let codes = found(&report);
    assert!(codes.contains(&("attachment-size", "Patient.photo[0]")), "{codes:?}");
    assert!(!codes.contains(&("attachment-size", "Patient.photo[1]")));
    assert!(codes.iter().any(|(code, _)| *code == "markdown-html"));
}

#[test]
fn must_support_is_information_on_request() {
    let rule = r#"{"path":"Patient.name","mustSupport":true}"#;
    let options = Options { must_support: true, ..Options::default() };
    let report = with(vec![profile("Patient", rule)], options, r#"{"resourceType":"Patient"}"#);
    let noted = report.issues().iter().find(|issue| issue.code.name() == "must-support").expect("a finding");
    assert_eq!((noted.path.as_str(), noted.severity), ("Patient", Severity::Information));
    assert_eq!(patient(rule, r#"{"resourceType":"Patient"}"#), []);
}

#[test]
fn a_narrative_says_where_its_parts_come_from() {
    let rule = r#"{"path":"Patient.text","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/narrative-source-control","valueCode":"error"}]}"#;
    let record = |class: &str| {
        format!(
            r#"{{"resourceType":"Patient","text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p{class}>a</p></div>"}}}}"#
        )
    };
    assert_eq!(patient(rule, &record("")), pairs(&[("narrative-parts", "Patient.text")]));
    assert_eq!(patient(rule, &record(" class=\\\"generated\\\"")), []);
}

#[test]
fn a_differential_builds_on_the_profile_it_is_derived_from() {
    let base = definition("Patient", "http://example.org/base", r#"{"path":"Patient.gender","min":1}"#, "");
    let text = String::from_utf8_lossy(profile("Patient", r#"{"path":"Patient.name","min":1}"#).original())
        .replace(PATIENT, "http://example.org/base");
    let derived = Record::parse(text.as_bytes()).expect("a StructureDefinition");
    let report = with(vec![derived, base], Options::default(), r#"{"resourceType":"Patient"}"#);
    assert_eq!(found(&report), [("profile-min", "Patient"), ("profile-min", "Patient")]);
}

#[test]
fn profiles_derived_from_each_other_end() {
    let circle = |url: &str, base: &str| {
        let text =
            String::from_utf8_lossy(definition("Patient", url, r#"{"path":"Patient.name","min":1}"#, "").original())
                .replace(PATIENT, base);
        Record::parse(text.as_bytes()).expect("a StructureDefinition")
    };
    let both = vec![
        circle("http://example.org/p", "http://example.org/q"),
        circle("http://example.org/q", "http://example.org/p"),
    ];
    let report = with(both, Options::default(), r#"{"resourceType":"Patient"}"#);
    assert_eq!(found(&report), [("profile-min", "Patient")]);
}

#[test]
fn no_finding_holds_content_of_the_record() {
    let rule = r#"{"path":"Patient.gender","fixedCode":"other"},{"path":"Patient.name.family","maxLength":3},{"path":"Patient.telecom","max":"0"}"#;
    let record = r#"{"resourceType":"Patient","gender":"male","name":[{"family":"MarkerMarker"}],"telecom":[{"value":"Marker"}],
        "extension":[{"url":"http://marker.example/Marker","valueString":"Marker"}],"meta":{"profile":["http://marker.example/Marker"]}}"#;
    let report = with(vec![profile("Patient", rule)], Options::default(), record);
    assert!(report.issues().len() >= 4);
    assert!(!format!("{report:?}").contains("arker"));
}

#[test]
fn threads_share_a_validator() {
    let validator = Validator::builder()
        .definition(profile("Patient", r#"{"path":"Patient.name","min":1}"#))
        .profile("http://example.org/p")
        .build()
        .expect("a validator");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let validator = validator.clone();
            scope.spawn(move || assert!(!validator.validate(br#"{"resourceType":"Patient"}"#).is_valid()));
        }
    });
}

#[test]
fn codes_are_checked_against_their_value_set_and_their_system() {
    let rule = r#"{"path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://example.org/vs"}},
        {"path":"Patient.contact.relationship","binding":{"strength":"extensible","valueSet":"http://example.org/vs"}},
        {"path":"Patient.communication.language","binding":{"strength":"required","valueSet":"http://example.org/none"}}"#;
    let system = r#"{"resourceType":"CodeSystem","url":"http://example.org/cs","status":"active","content":"complete","concept":[{"code":"a","display":"Ay"},{"code":"b"}]}"#;
    let set = r#"{"resourceType":"ValueSet","url":"http://example.org/vs","status":"active","compose":{"include":[{"system":"http://example.org/cs","concept":[{"code":"a"}]}]}}"#;
    let read = |text: &str| Record::parse(text.as_bytes()).expect("a definition");
    let report = |inner: &str| {
        let record = format!(r#"{{"resourceType":"Patient",{inner}}}"#);
        with(vec![profile("Patient", rule), read(system), read(set)], Options::default(), &record)
    };
    let coded = |system: &str, code: &str, display: &str| {
        format!(r#""maritalStatus":{{"coding":[{{"system":"{system}","code":"{code}","display":"{display}"}}]}}"#)
    };
    let own = "http://example.org/cs";
    assert_eq!(found(&report(&coded(own, "a", "ay"))), []);
    assert_eq!(found(&report(&coded(own, "a", "Bee"))), [("display-wrong", "Patient.maritalStatus.coding[0].display")]);
    assert_eq!(found(&report(&coded(own, "b", "x"))), [("binding-required", "Patient.maritalStatus")]);
    assert_eq!(
        found(&report(&coded(own, "c", "x"))),
        [("binding-required", "Patient.maritalStatus"), ("code-not-in-system", "Patient.maritalStatus.coding[0].code")]
    );
    assert_eq!(
        found(&report(&coded("http://example.org/vs", "a", "x"))),
        [("binding-required", "Patient.maritalStatus"), ("coding-system", "Patient.maritalStatus.coding[0].system")]
    );
    assert_eq!(found(&report(r#""maritalStatus":{"text":"t"}"#)), [("binding-required", "Patient.maritalStatus")]);
    let contact = r#""contact":[{"name":{"text":"b"},"relationship":[{"coding":[{"system":"http://example.org/cs","code":"b"}]}]}]"#;
    assert_eq!(found(&report(contact)), [("binding-extensible", "Patient.contact[0].relationship[0]")]);
    let unchecked = report(r#""communication":[{"language":{"coding":[{"system":"urn:x:y","code":"b"}]}}]"#);
    assert_eq!(found(&unchecked), []);
    assert!(unchecked.issues().iter().any(|issue| issue.code.name() == "binding-unchecked"));
}

#[test]
fn a_discriminator_names_an_element_of_what_is_sliced() {
    let rule = |path: &str| {
        let element = format!(
            r#"{{"path":"Patient.extension","slicing":{{"discriminator":[{{"type":"value","path":"{path}"}}],"rules":"open"}}}}"#
        );
        let validator = Validator::builder().build().expect("a validator");
        let report = validator.validate(profile("Patient", &element).original());
        report.issues().iter().any(|issue| issue.code.name() == "discriminator-path")
    };
    assert!(rule("type"));
    assert!(!rule("url") && !rule("$this") && !rule("value") && !rule("value.ofType(Coding).code"));
}

#[test]
fn a_profile_can_be_asked_of_one_entry_of_a_bundle() {
    let bundle = br#"{"resourceType":"Bundle","type":"collection","entry":[
        {"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{"resourceType":"Patient"}},
        {"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{"resourceType":"Patient"}}]}"#;
    let builder = Validator::builder().definition(profile("Patient", r#"{"path":"Patient.name","min":1}"#));
    let validator = builder.entry_profile("Patient", 1, "http://example.org/p").build().expect("a validator");
    assert_eq!(found(&validator.validate(bundle)), [("profile-min", "Bundle.entry[1].resource")]);
}

#[test]
fn addresses_and_contained_resources_are_looked_at_as_the_caller_says() {
    let rule = r#"{"path":"Patient.generalPractitioner","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Organization"]}]}"#;
    let record = r##"{"resourceType":"Patient","generalPractitioner":[{"reference":"Practitioner/1"}],
        "contained":[{"resourceType":"Patient","id":"a","gender":"x"}]}"##;
    let codes = |options: Options| {
        let report = with(vec![profile("Patient", rule)], options, record);
        found(&report).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    let strict = codes(Options::default());
    assert!(strict.contains(&"reference-target") && strict.contains(&"code-unknown"), "{strict:?}");
    assert!(strict.contains(&"invariant-broken"), "dom-3: {strict:?}");
    assert_eq!(codes(Options { trust_addresses: false, contained: false, ..Options::default() }), [""; 0]);
}

#[test]
fn a_companion_with_an_id_only_says_nothing() {
    let validator = Validator::builder().build().expect("a validator");
    let report = validator.validate(br#"{"resourceType":"Patient","_birthDate":{"id":"a"}}"#);
    assert_eq!(found(&report), [("element-empty", "Patient.birthDate")]);
    assert_eq!(
        found(&validator.validate(br#"{"resourceType":"Patient","birthDate":"1970","_birthDate":{"id":"a"}}"#)),
        []
    );
}

#[test]
fn a_response_is_checked_against_the_questionnaire_of_a_package() {
    let questionnaire = br#"{"resourceType":"Questionnaire","url":"http://example.org/q","status":"active",
        "item":[{"linkId":"1","type":"string","required":true}]}"#;
    let response = br#"{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"http://example.org/q","item":[]}"#;
    let builder = Validator::builder().definition(Record::parse(questionnaire).expect("a Questionnaire"));
    let report = builder.build().expect("a validator").validate(response);
    assert!(report.issues().iter().any(|issue| (360..380).contains(&issue.code.number())), "{report:?}");
}
