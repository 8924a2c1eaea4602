use super::*;
use crate::record::Value;
use proptest::prelude::*;

fn codes(text: &str) -> Vec<(String, &'static str)> {
    let parsed = read(text.as_bytes(), &Limits::DEFAULT).expect("well-formed JSON of a resource");
    parsed.report.issues().iter().map(|issue| (issue.path.clone(), issue.code.name())).collect()
}

/// `text` has `count` findings, one of them this.
fn found(text: &str, count: usize, path: &str, code: &str) {
    let codes = codes(text);
    assert_eq!(codes.len(), count, "{text}: {codes:?}");
    assert!(codes.iter().any(|found| (found.0.as_str(), found.1) == (path, code)), "{text}: {codes:?}");
}

fn failure(text: &[u8]) -> Code {
    read(text, &Limits::DEFAULT).map(|_| ()).unwrap_err().code()
}

#[test]
fn a_valid_resource_has_no_findings_and_keeps_its_bytes() {
    let text = br#"{ "resourceType" : "Observation", "status":"final",
        "code":{"text":"x"}, "valueQuantity":{"value":1.00,"unit":"g"}, "_status":{"id":"a"} }"#;
    let parsed = read(text, &Limits::DEFAULT).expect("well-formed");
    assert_eq!(parsed.report.issues(), []);
    assert_eq!(parsed.record.original(), text);
    let mut out = Vec::new();
    parsed.record.write_json(&mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00,"unit":"g"},"_status":{"id":"a"}}"#
    );
    let value = parsed.record.root().get("valueQuantity").and_then(|q| q.get("value")).expect("it is there");
    assert_eq!(value.as_decimal().expect("a number").as_str(), "1.00");
    assert_eq!(value.path(), "Observation.value.ofType(Quantity).value");
}

#[test]
fn each_rule_of_structure_is_found_where_it_is_broken() {
    found(r#"{"resourceType":"Patient","nickname":"x"}"#, 1, "Patient", "element-unknown");
    found(r#"{"resourceType":"Patient","name":[{"familie":"x"}]}"#, 1, "Patient.name[0]", "element-unknown");
    found(r#"{"resourceType":"Observation","code":{"text":"x"}}"#, 1, "Observation", "element-missing");
    found(r#"{"resourceType":"Patient","birthDate":["2000"]}"#, 1, "Patient.birthDate", "element-repeats");
    found(r#"{"resourceType":"Patient","name":{"family":"x"}}"#, 1, "Patient.name", "element-not-array");
    found(r#"{"resourceType":"Patient","active":"true"}"#, 1, "Patient.active", "element-type");
    found(r#"{"resourceType":"Patient","birthDate":2000}"#, 1, "Patient.birthDate", "element-type");
    found(r#"{"resourceType":"Patient","name":[]}"#, 1, "Patient.name", "element-empty");
    found(r#"{"resourceType":"Patient","name":[{}]}"#, 1, "Patient.name[0]", "element-empty");
    found(r#"{"resourceType":"Patient","id":""}"#, 1, "Patient.id", "element-empty");
    found(
        r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2000"}"#,
        1,
        "Patient.deceased.ofType(dateTime)",
        "choice-repeated",
    );
    found(r#"{"resourceType":"Patient","active":null}"#, 1, "Patient.active", "null-value");
    found(r#"{"resourceType":"Patient","name":[{"given":["x",null]}]}"#, 1, "Patient.name[0].given[1]", "null-value");
    found(
        r#"{"resourceType":"Patient","name":[{"given":["x"],"_given":[null,null]}]}"#,
        1,
        "Patient.name[0].given",
        "pair-length",
    );
    found(r#"{"resourceType":"Patient","birthDate":"2000-13"}"#, 1, "Patient.birthDate", "primitive-form");
    found(r#"{"resourceType":"Patient","gender":"F"}"#, 1, "Patient.gender", "code-unknown");
    found(
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Patient/1"}}"#,
        1,
        "Patient.managingOrganization.reference",
        "reference-target",
    );
    found(
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"somewhere"}}"#,
        1,
        "Patient.managingOrganization.reference",
        "reference-form",
    );
    found(
        r##"{"resourceType":"Patient","managingOrganization":{"reference":"#o"}}"##,
        1,
        "Patient.managingOrganization.reference",
        "reference-contained",
    );
    found(
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Organization"}]}"#,
        1,
        "Patient.contained[0]",
        "contained-shape",
    );
    found(
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Nothing","id":"a"}]}"#,
        1,
        "Patient.contained[0]",
        "resource-type-unknown",
    );
    found(
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div><script/></div>"}}"#,
        1,
        "Patient.text.div",
        "narrative-unsafe",
    );
    found(r#"{"resourceType":"Patient","id":"a","id":"b"}"#, 1, "Patient.id", "json-duplicate-key");
    found(
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"}}]}"#,
        1,
        "Bundle.entry[0]",
        "bundle-shape",
    );
    found(
        r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"ill"}]}}"#,
        1,
        "Condition.clinicalStatus",
        "code-unknown",
    );
}

#[test]
fn rules_over_more_than_one_value_are_found_where_they_are_broken() {
    // names
    found(r#"{"resourceType":"Patient","a":1,"a":2}"#, 3, "Patient", "json-duplicate-key");
    found(r#"{"resourceType":"Patient","resourceType":"Patient"}"#, 1, "Patient", "json-duplicate-key");
    found(r#"{"resourceType":"Patient","id":"a","\u0069d":"b"}"#, 1, "Patient.id", "json-duplicate-key");
    // pairs
    found(r#"{"resourceType":"Patient","_birthDate":[{"id":"a"}]}"#, 1, "Patient.birthDate", "element-repeats");
    found(
        r#"{"resourceType":"Patient","name":[{"given":["a"],"_given":{"id":"a"}}]}"#,
        2,
        "Patient.name[0].given",
        "pair-length",
    );
    found(
        r#"{"resourceType":"Patient","name":[{"given":[null],"_given":[null]}]}"#,
        1,
        "Patient.name[0].given[0]",
        "null-value",
    );
    found(r#"{"resourceType":"Patient","_birthDate":{}}"#, 1, "Patient.birthDate", "element-empty");
    found(r#"{"resourceType":"Patient","name":[{"id":"a"}]}"#, 1, "Patient.name[0]", "element-empty");
    // references
    let organization = |reference: &str| {
        format!(
            r#"{{"resourceType":"Patient","contained":[{{"resourceType":"Patient","id":"p"}}],"managingOrganization":{{"reference":"{reference}"}}}}"#
        )
    };
    for (reference, code) in [
        ("#p", "reference-target"),
        ("#q", "reference-contained"),
        ("http://x.org/Patient/1", "reference-target"),
        ("Patient/1/_history/2", "reference-target"),
        ("a/Organization/1", "reference-form"),
        ("http ://x", "reference-form"),
        ("Organization/a b", "reference-form"),
    ] {
        found(&organization(reference), 1, "Patient.managingOrganization.reference", code);
    }
    for fine in [
        "#",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "Organization?identifier=x",
        "https://x.org/y",
        "mailto:x",
    ] {
        assert_eq!(codes(&organization(fine)), [], "{fine}");
    }
    // contained resources
    let contained = |inside: &str| format!(r#"{{"resourceType":"Patient","contained":[{inside}]}}"#);
    for (inside, path) in [
        (r#"{"resourceType":"Basic","code":{"text":"x"}}"#, "[0]"),
        (r#"{"resourceType":"Patient","id":"a"},{"resourceType":"Patient","id":"a"}"#, "[1].id"),
        (r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1"}}"#, "[0].meta.versionId"),
        (
            r#"{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Patient","id":"b"}]}"#,
            "[0].contained[0]",
        ),
    ] {
        found(&contained(inside), 1, &format!("Patient.contained{path}"), "contained-shape");
    }
    // codes
    found(
        r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"clinicalStatus":{"text":"ill"}}"#,
        1,
        "Condition.clinicalStatus",
        "code-unknown",
    );
}

#[test]
fn each_type_of_bundle_has_its_shape() {
    for (bundle, path) in [
        (r#""type":"collection","total":1"#, "Bundle.total"),
        (
            r#""type":"collection","entry":[{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}]"#,
            "Bundle.entry[0]",
        ),
        (
            r#""type":"collection","entry":[{"fullUrl":"Patient/1","resource":{"resourceType":"Patient"}}]"#,
            "Bundle.entry[0].fullUrl",
        ),
        (
            r#""type":"collection","entry":[{"fullUrl":"http://x/Patient/1/_history/1","resource":{"resourceType":"Patient"}}]"#,
            "Bundle.entry[0].fullUrl",
        ),
        (
            r#""type":"collection","entry":[{"resource":{"resourceType":"Patient"},"search":{"mode":"match"}}]"#,
            "Bundle.entry[0]",
        ),
        (r#""type":"batch-response","entry":[{"resource":{"resourceType":"Patient"}}]"#, "Bundle.entry[0]"),
        (r#""type":"message","entry":[{"resource":{"resourceType":"Patient"}}]"#, "Bundle.entry[0].resource"),
        (
            r#""type":"document","identifier":{"system":"urn:x","value":"1"},"timestamp":"2020-01-01T00:00:00Z""#,
            "Bundle",
        ),
        (
            r#""type":"collection","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Patient"}},{"fullUrl":"urn:x","resource":{"resourceType":"Patient"}}]"#,
            "Bundle.entry[1].fullUrl",
        ),
    ] {
        found(&format!(r#"{{"resourceType":"Bundle",{bundle}}}"#), 1, path, "bundle-shape");
    }
    let versions = r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Patient","meta":{"versionId":"1"}}},{"fullUrl":"urn:x","resource":{"resourceType":"Patient","meta":{"versionId":"2"}}}]}"#;
    assert_eq!(codes(versions), []);
}

#[test]
fn what_should_be_otherwise_is_a_warning_and_the_record_stays_valid() {
    for text in [
        r#"{"resourceType":"Patient","identifier":[{"system":"urn:oid:5.5"}]}"#,
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>x</div>"}}"#,
    ] {
        let report = read(text.as_bytes(), &Limits::DEFAULT).expect("well-formed").report;
        assert_eq!(report.issues().len(), 1);
        assert_eq!(report.issues()[0].severity, crate::report::Severity::Warning);
        assert!(report.is_valid());
    }
}

#[test]
fn resource_type_is_found_wherever_it_stands() {
    let late = r#"{"id":"a","contained":[{"id":"b","name":[{"family":"x"}],"resourceType":"Patient"},{"x":{"resourceType":"Group"},"id":"c"}],"resourceType":"Patient"}"#;
    assert_eq!(
        codes(late),
        [("Patient.contained[1]".to_owned(), "resource-type-missing")],
        "a name further in does not count"
    );
    assert_eq!(
        codes(r#"{"resourceType":"Patient","contained":[{"resourceType":7,"id":"a"}]}"#)[0].1,
        "resource-type-unknown"
    );
    // Each level has its type at the end: the look-ahead must not start over at each.
    let (mut text, levels) = (String::new(), 30);
    for _ in 0..levels {
        text.push_str(r#"{"type":"collection","entry":[{"resource":"#);
    }
    text.push_str(r#"{"resourceType":"Patient"}"#);
    for _ in 0..levels {
        text.push_str(r#"}],"resourceType":"Bundle"}"#);
    }
    assert_eq!(codes(&text), []);
    assert_eq!(failure(br#"{"id":"a","x":[}"#), Code::JsonSyntax, "text that is no JSON says so first");
}

#[test]
fn a_limit_on_depth_beyond_what_the_machine_bears_is_lowered() {
    let limits = Limits { depth: usize::MAX, ..Limits::DEFAULT };
    for text in [format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), "{\"a\":".repeat(100_000)] {
        assert_eq!(read_document(text.as_bytes(), &limits).map(|_| ()).unwrap_err().code(), Code::LimitDepth);
    }
    let nested = format!(
        r#"{{"resourceType":"Questionnaire","status":"draft","item":[{}{}]}}"#,
        r#"{"linkId":"a","type":"group","item":["#.repeat(240),
        "]}".repeat(240)
    );
    let parsed = read(nested.as_bytes(), &limits).expect("within what it bears");
    assert_eq!(parsed.report.issues().len(), 1, "the innermost item list is empty");
    let mut out = Vec::new();
    parsed.record.write_json(&mut out);
    assert_eq!(out, nested.as_bytes());
    assert_eq!(parsed.record.to_value().to_json(), out);
}

#[test]
fn names_and_pairs_without_number_cost_no_square() {
    // A name per element is looked at a bounded number of times: were it not so, this would run for minutes.
    let mut text = String::from(r#"{"resourceType":"Patient""#);
    for _ in 0..60_000 {
        text.push_str(r#","birthDate":"2000","_birthDate":{"id":"a"}"#);
    }
    text.push('}');
    let parsed = read(text.as_bytes(), &Limits::DEFAULT).expect("well-formed");
    assert_eq!(parsed.report.total(), 2 * 59_999);
    let mut text = String::from(r#"{"resourceType":"Patient","name":["#);
    text.push_str(&r#"{"family":"x"},"#.repeat(60_000));
    text.push_str(&vec!["1"; 20_000].join(","));
    text.push_str("]}");
    let parsed = read(text.as_bytes(), &Limits::DEFAULT).expect("well-formed");
    assert_eq!(parsed.report.issues()[0].path, "Patient.name[60000]");
    assert_eq!(parsed.report.issues()[9_999].path, "Patient.name[69999]");
}

#[test]
fn what_fhir_allows_is_no_finding() {
    for text in [
        r#"{"id":"a","resourceType":"Patient"}"#,
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x","valueCode":"unknown"}]}}"#,
        r#"{"resourceType":"Patient","name":[{"given":["x",null],"_given":[null,{"id":"a"}]}]}"#,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"}],"managingOrganization":{"reference":"#o"}}"##,
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"http://x.org/fhir/Organization/1/_history/2"}}"#,
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}}"#,
        r#"{"resourceType":"Patient"}"#,
    ] {
        assert_eq!(codes(text), [], "{text}");
    }
}

#[test]
fn text_that_is_not_json_is_an_error_with_a_place() {
    assert_eq!(failure(b"{\"resourceType\":\"Patient\"} x"), Code::JsonTrailing);
    assert_eq!(failure(b"{\"resourceType\":\"Patient\""), Code::JsonEnd);
    assert_eq!(failure(b"{\"resourceType\":\"Patient\",}"), Code::JsonSyntax);
    assert_eq!(failure(b"\xef\xbb\xbf{}"), Code::JsonBom);
    assert_eq!(failure(b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}"), Code::JsonUtf8);
    assert_eq!(failure(br#"{"resourceType":"Patient","id":"\ud800"}"#), Code::JsonSurrogate);
    assert_eq!(failure(br#"{"resourceType":"Patient","id":"\udc00"}"#), Code::JsonSurrogate);
    assert_eq!(failure(b"[]"), Code::ResourceTypeMissing);
    assert_eq!(failure(b"{}"), Code::ResourceTypeMissing);
    assert_eq!(failure(br#"{"resourceType":"Nothing"}"#), Code::ResourceTypeUnknown);
    assert_eq!(failure(b""), Code::JsonEnd);
    let error = read(b"{\"resourceType\":\"Patient\",\n \"id\": tru}", &Limits::DEFAULT).map(|_| ()).unwrap_err();
    assert_eq!((error.location().line, error.location().column), (2, 8));
}

#[test]
fn hostile_input_ends_at_a_limit_and_in_linear_time() {
    let deep = format!("{{\"resourceType\":\"Patient\",\"x\":{}", "[".repeat(10_000));
    assert_eq!(failure(deep.as_bytes()), Code::LimitDepth);
    let mut wide = String::from(r#"{"resourceType":"Patient""#);
    for n in 0..50_000 {
        wide.push_str(&format!(",\"k{n}\":1"));
    }
    wide.push('}');
    let parsed = read(wide.as_bytes(), &Limits::DEFAULT).expect("well-formed");
    assert_eq!((parsed.report.issues().len(), parsed.report.total()), (10_000, 50_000));
    assert!(!parsed.report.is_valid());
    let limits = Limits { nodes: 10, ..Limits::DEFAULT };
    let many = br#"{"resourceType":"Patient","name":[{"given":["a","b","c","d","e","f","g","h"]}]}"#;
    assert_eq!(read(many, &limits).map(|_| ()).unwrap_err().code(), Code::LimitCount);
}

#[test]
fn no_finding_and_no_error_shows_content() {
    let text = r#"{"resourceType":"Patient","Marker":"Marker","gender":"Marker","birthDate":"Marker","name":{"family":"Marker"},
        "link":[{"other":{"reference":"Marker"},"type":"Marker"}],"text":{"status":"Marker","div":"Marker"}}"#;
    let parsed = read(text.as_bytes(), &Limits::DEFAULT).expect("well-formed");
    assert!(parsed.report.issues().len() >= 7);
    assert!(!format!("{:?} {parsed:?}", parsed.report).contains("Marker"));
}

#[test]
fn the_canonical_form_sorts_names_and_keeps_digits() {
    let record =
        Record::parse(r#"{"resourceType":"Basic", "id":"a\u0062\/", "code":{"text":"\u00e9\n"}, "x":1.0}"#.as_bytes())
            .expect("a resource");
    let text = "{\"code\":{\"text\":\"é\\n\"},\"id\":\"ab/\",\"resourceType\":\"Basic\",\"x\":1.0}";
    assert_eq!(String::from_utf8(record.canonical()).expect("UTF-8"), text);
    let again = Record::parse(&record.canonical()).expect("a resource");
    assert_eq!(again.content_hash(), record.content_hash());
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?([eE][-+]?[0-9]{1,3})?"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(Value::Object),
        ]
    })
}

proptest! {
    #[test]
    fn write_then_read_gives_the_same_value(value in value()) {
        let json = value.to_json();
        let document = read_document(&json, &Limits::DEFAULT).expect("what we write is JSON");
        prop_assert!(Value::from(document.root()) == value);
    }

    #[test]
    fn a_record_round_trips_whatever_is_in_it(extra in value()) {
        let mut value = Value::object();
        value.set("resourceType", "Basic");
        value.set("extra", extra);
        let record = Record::from_value(&value).expect("a resource");
        prop_assert!(record.to_value() == value);
        let mut out = Vec::new();
        record.write_json(&mut out);
        prop_assert_eq!(&out[..], record.original());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, &Limits::DEFAULT);
        let _ = read_document(&bytes, &Limits::DEFAULT);
    }

    #[test]
    fn a_damaged_record_is_read_or_refused_but_never_panics(at in 0_usize..400, byte in any::<u8>(), cut in any::<bool>()) {
        let mut text = br#"{"resourceType":"Patient","id":"a","text":{"status":"generated","div":"<div>x</div>"},"contained":[{"resourceType":"Organization","id":"o"}],"name":[{"given":["x",null],"_given":[null,{"id":"a"}]}],"managingOrganization":{"reference":"o"},"birthDate":"2000-01-01"}"#.to_vec();
        let at = at % text.len();
        if cut { text.truncate(at) } else { text[at] = byte }
        let _ = read(&text, &Limits::DEFAULT);
    }
}
