use super::*;
use crate::record::Value;
use proptest::prelude::*;

fn codes(text: &str) -> Vec<(String, &'static str)> {
    let parsed = read(text.as_bytes(), &Limits::DEFAULT).expect("well-formed JSON of a resource");
    parsed.report.issues().iter().map(|issue| (issue.path.clone(), issue.code.name())).collect()
}

fn found(text: &str, path: &str, code: &str) {
    let codes = codes(text);
    assert_eq!(codes.len(), 1, "{text}: {codes:?}");
    assert_eq!((codes[0].0.as_str(), codes[0].1), (path, code), "{text}");
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
    found(r#"{"resourceType":"Patient","nickname":"x"}"#, "Patient", "element-unknown");
    found(r#"{"resourceType":"Patient","name":[{"familie":"x"}]}"#, "Patient.name[0]", "element-unknown");
    found(r#"{"resourceType":"Observation","code":{"text":"x"}}"#, "Observation", "element-missing");
    found(r#"{"resourceType":"Patient","birthDate":["2000"]}"#, "Patient.birthDate", "element-repeats");
    found(r#"{"resourceType":"Patient","name":{"family":"x"}}"#, "Patient.name", "element-not-array");
    found(r#"{"resourceType":"Patient","active":"true"}"#, "Patient.active", "element-type");
    found(r#"{"resourceType":"Patient","birthDate":2000}"#, "Patient.birthDate", "element-type");
    found(r#"{"resourceType":"Patient","name":[]}"#, "Patient.name", "element-empty");
    found(r#"{"resourceType":"Patient","name":[{}]}"#, "Patient.name[0]", "element-empty");
    found(r#"{"resourceType":"Patient","id":""}"#, "Patient.id", "element-empty");
    found(
        r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2000"}"#,
        "Patient.deceased.ofType(dateTime)",
        "choice-repeated",
    );
    found(r#"{"resourceType":"Patient","active":null}"#, "Patient.active", "null-value");
    found(r#"{"resourceType":"Patient","name":[{"given":["x",null]}]}"#, "Patient.name[0].given[1]", "null-value");
    found(
        r#"{"resourceType":"Patient","name":[{"given":["x"],"_given":[null,null]}]}"#,
        "Patient.name[0].given",
        "pair-length",
    );
    found(r#"{"resourceType":"Patient","birthDate":"2000-13"}"#, "Patient.birthDate", "primitive-form");
    found(r#"{"resourceType":"Patient","gender":"F"}"#, "Patient.gender", "code-unknown");
    found(
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Patient/1"}}"#,
        "Patient.managingOrganization.reference",
        "reference-target",
    );
    found(
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"somewhere"}}"#,
        "Patient.managingOrganization.reference",
        "reference-form",
    );
    found(
        r##"{"resourceType":"Patient","managingOrganization":{"reference":"#o"}}"##,
        "Patient.managingOrganization.reference",
        "reference-contained",
    );
    found(
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Organization"}]}"#,
        "Patient.contained[0]",
        "contained-shape",
    );
    found(
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Nothing","id":"a"}]}"#,
        "Patient.contained[0]",
        "resource-type-unknown",
    );
    found(
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div><script/></div>"}}"#,
        "Patient.text.div",
        "narrative-unsafe",
    );
    found(r#"{"resourceType":"Patient","id":"a","id":"b"}"#, "Patient.id", "json-duplicate-key");
    found(
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"}}]}"#,
        "Bundle.entry[0]",
        "bundle-shape",
    );
    found(
        r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"ill"}]}}"#,
        "Condition.clinicalStatus",
        "code-unknown",
    );
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
