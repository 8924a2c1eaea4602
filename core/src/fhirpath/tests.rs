use super::*;
use crate::error::Code;
use crate::record::Record;
use crate::schema::type_by_name;
use crate::time::Timestamp;
use proptest::prelude::*;

const PATIENT: &[u8] = br##"{"resourceType":"Patient","id":"p1",
  "extension":[{"url":"http://example.org/a","valueString":"x"}],
  "contained":[{"resourceType":"Organization","id":"o1","name":"Clinic"}],
  "managingOrganization":{"reference":"#o1"},
  "active":true,"birthDate":"1974-12-25","_birthDate":{"id":"b","extension":[{"url":"http://example.org/t","valueTime":"10:00:00"}]},
  "_gender":{"extension":[{"url":"http://example.org/why","valueCode":"unknown"}]},
  "multipleBirthInteger":2,
  "name":[{"use":"official","family":"Ito","given":["A","B\u0041"],"_given":[null,{"id":"g2"}]},{"use":"usual","given":["C"]}]}"##;

const OBSERVATION: &[u8] = br#"{"resourceType":"Observation","status":"final",
  "code":{"coding":[{"system":"http://loinc.org","code":"29463-7"},{"system":"http://snomed.info/sct","code":"27113001"}]},
  "valueQuantity":{"value":72.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}"#;

/// The result as texts; an error as its name.
fn over(bytes: &[u8], text: &str) -> Vec<String> {
    let record = Record::parse(bytes).expect("a resource");
    let expression = match Expression::compile(text) {
        Ok(expression) => expression,
        Err(error) => return vec![error.code().name().to_owned()],
    };
    let scope = Scope::new(record.root()).now(Timestamp(1_795_514_400_000_000));
    match expression.evaluate(&scope) {
        Ok(found) => found.iter().map(|item| item.text().unwrap_or_else(|| item.type_name().to_owned())).collect(),
        Err(error) => vec![error.code().name().to_owned()],
    }
}

fn patient(text: &str) -> Vec<String> {
    over(PATIENT, text)
}

fn yes(text: &str) {
    assert_eq!(patient(text), ["true"], "{text}");
}

#[test]
fn elements_are_found_with_their_types_and_paths() {
    assert_eq!(patient("Patient.name.given"), ["A", "BA", "C"]);
    assert_eq!(patient("name.where(use = 'official').family"), ["Ito"]);
    assert_eq!(patient("Patient.multipleBirth + 1"), ["3"]);
    assert_eq!(over(OBSERVATION, "Observation.value.unit"), ["kg"]);
    assert_eq!(over(OBSERVATION, "value.ofType(Quantity).value"), ["72.5"]);
    assert_eq!(over(OBSERVATION, "value.ofType(string)"), Vec::<String>::new());
    let record = Record::parse(PATIENT).expect("a resource");
    let expression = Expression::compile("name.given[1] | birthDate").expect("an expression");
    let found = expression.evaluate(&Scope::new(record.root())).expect("a result");
    let places: Vec<_> =
        found.iter().map(|item| (item.element().map(Element::path).unwrap_or_default(), item.type_name())).collect();
    assert_eq!(places, [("Patient.name[0].given[1]".to_owned(), "string"), ("Patient.birthDate".to_owned(), "date")]);
}

#[test]
fn a_primitive_has_the_id_and_extensions_of_its_companion() {
    yes("birthDate.extension('http://example.org/t').value = @T10:00:00");
    yes("birthDate.id = 'b' and birthDate.hasValue()");
    yes("gender.exists() and gender.hasValue().not() and gender.getValue().empty()");
    yes("gender.extension.value = 'unknown'");
    yes("name.given.id = 'g2'");
    yes("gender is code and (gender = 'male').empty()");
    yes("Patient.children().count() = 10 and birthDate.children().count() = 2");
}

#[test]
fn an_item_is_json_as_it_was_received() {
    let json = |bytes: &[u8], text: &str| {
        let record = Record::parse(bytes).expect("a resource");
        let expression = Expression::compile(text).expect("an expression");
        let found = expression.evaluate(&Scope::new(record.root())).expect("a result");
        found.iter().map(Item::json).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        json(PATIENT, "name.given | active | gender | birthDate"),
        r#""A" "B\u0041" "C" true null "1974-12-25""#
    );
    assert_eq!(json(OBSERVATION, "value.value"), "72.5");
    assert_eq!(json(OBSERVATION, "code.coding.last()"), r#"{"system":"http://snomed.info/sct","code":"27113001"}"#);
    assert_eq!(json(PATIENT, "1.50 'mg' | 2 days"), r#"{"value":1.50,"unit":"mg"} {"value":2,"unit":"day"}"#);
    assert_eq!(json(PATIENT, "'\"' & 'x' | @2012 | id.type().name"), r#""\"x" "2012" "id""#);
}

#[test]
fn contained_resources_and_variables_resolve() {
    assert_eq!(patient("managingOrganization.resolve().name"), ["Clinic"]);
    yes("%resource.id = 'p1' and %context is Patient and %rootResource = %resource");
    yes("%`ext-a` = 'http://hl7.org/fhir/StructureDefinition/a' and '12345'.matchesFull(%`us-zip`)");
    yes("now() > @2026-11-24T09:59:59Z and today() = @2026-11-24 and timeOfDay() = @T10:00:00.000");
    assert_eq!(patient("%unheard"), ["fhirpath-variable"]);
}

#[test]
fn a_bundle_resolves_its_own_entries() {
    let bundle = br#"{"resourceType":"Bundle","type":"collection","entry":[
      {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Observation","status":"final","code":{},"subject":{"reference":"Patient/7"}}},
      {"fullUrl":"http://example.org/Patient/7","resource":{"resourceType":"Patient","id":"7"}}]}"#;
    assert_eq!(over(bundle, "entry.resource.ofType(Observation).subject.resolve().id"), ["7"]);
    assert_eq!(over(bundle, "'urn:uuid:1'.resolve().status"), ["final"]);
}

#[test]
fn a_host_answers_what_a_record_cannot() {
    struct Knows;
    impl Host for Knows {
        fn member_of(&self, item: &Item<'_>, value_set: &str) -> Option<bool> {
            Some(item.text().as_deref() == Some("x") && value_set == "http://example.org/vs")
        }
        fn conforms_to(&self, _: crate::record::Node<'_>, profile: &str) -> Option<bool> {
            profile.ends_with("mine").then_some(true)
        }
        fn subsumes(&self, _: &Item<'_>, _: &Item<'_>) -> Option<bool> {
            Some(false)
        }
    }
    let record = Record::parse(PATIENT).expect("a resource");
    let holds = |text: &str| {
        let expression = Expression::compile(text).expect("an expression");
        expression.holds(&Scope::new(record.root()).host(&Knows)).expect("a result")
    };
    assert_eq!(holds("extension.value.memberOf('http://example.org/vs')"), Some(true));
    assert_eq!(holds("conformsTo('http://example.org/mine')"), Some(true));
    assert_eq!(holds("conformsTo('http://example.org/other')"), None);
    assert_eq!(holds("conformsTo('http://hl7.org/fhir/StructureDefinition/Observation')"), Some(false));
    assert_eq!(holds("id.subsumedBy(id)"), Some(false));
}

#[test]
fn logic_has_three_values() {
    for (text, wanted) in [
        ("true and {}", None),
        ("false and {}", Some(false)),
        ("true or {}", Some(true)),
        ("{} implies false", None),
        ("{} implies true", Some(true)),
        ("true xor {}", None),
    ] {
        let record = Record::parse(PATIENT).expect("a resource");
        let expression = Expression::compile(text).expect("an expression");
        assert_eq!(expression.holds(&Scope::new(record.root())).expect("a result"), wanted, "{text}");
    }
}

#[test]
fn dates_compare_where_precision_and_zone_decide() {
    yes("@2012 < @2013-05 and (@2012 < @2012-05).empty() and (@2012 = @2012-05).empty()");
    yes("(@2012-01-01T10:00:00Z = @2012-01-01T10:00:00).empty()");
    yes("@2012-01-01T10:00:00Z < @2012-01-03T10:00:00");
    yes("@2012-01-01T10:00:00Z = @2012-01-01T12:00:00+02:00");
    yes("@2012-01-31 + 1 month = @2012-02-29 and @2012-02-29 + 1 year = @2013-02-28");
    yes("@2012 + 30 months = @2014 and @2012-01 + 61 days = @2012-03");
    yes("@T23:30 + 45 minutes = @T00:15");
    yes("(@9999-12-31 + 1 day).empty()");
    yes("@2012-01-01T00:00:00.5Z - 1 second = @2011-12-31T23:59:59.5Z");
    yes("birthDate + 50 years < today()");
}

#[test]
fn quantities_compare_across_units() {
    yes("1 'kg' = 1000 'g' and 1 'cm' < 1 '[in_i]' and 24 months = 2 years and 1 day = 1 'd'");
    yes("(1 year = 1 'a').empty() and 1 year ~ 1 'a' and (1 'kg' < 1 's').empty() and 1 'kg' != 1 's'");
    yes("1 'kg' + 500 'g' = 1.5 'kg' and 2 'm' * 3 'm' = 6 'm2'");
    assert_eq!(over(OBSERVATION, "value > 72 'kg' and value < 0.1 't'"), ["true"]);
}

#[test]
fn whole_numbers_stay_within_31_bits_and_decimals_are_exact() {
    yes("0.1 + 0.2 = 0.3 and 7 div 2 = 3 and -7 mod 3 = -1 and 1 / 4 = 0.25");
    yes("(2147483647 + 1).empty() and (1 / 0).empty() and (1 mod 0).empty()");
    yes("2.power(10) = 1024 and 16.sqrt() = 4.0 and (-1).sqrt().empty() and 1.5.round() = 2");
}

#[test]
fn wrong_expressions_are_refused_with_the_column() {
    for (text, code, column) in [
        ("name.", Code::FhirpathSyntax, 6),
        ("name given", Code::FhirpathSyntax, 6),
        ("'abc", Code::FhirpathSyntax, 1),
        ("/* abc", Code::FhirpathSyntax, 1),
        ("a # b", Code::FhirpathSyntax, 3),
        ("1 + @2012-13", Code::FhirpathLiteral, 5),
        (r"'\x'", Code::FhirpathLiteral, 4),
        ("99999999999", Code::FhirpathLiteral, 1),
        ("name.wher(true)", Code::FhirpathFunction, 6),
        ("name.where()", Code::FhirpathArity, 6),
        ("name.first(1, 2)", Code::FhirpathArity, 6),
        ("name is Nam", Code::FhirpathTypeName, 9),
        ("name.ofType(FHIR.String)", Code::FhirpathTypeName, 13),
        ("id.matches('(')", Code::FhirpathPattern, 12),
        ("@2012 + 1", Code::FhirpathTypes, 7),
        ("iif(1, 2, 3)", Code::FhirpathTypes, 5),
    ] {
        let error = Expression::compile(text).expect_err(text);
        assert_eq!((error.code(), error.location().column), (code, column), "{text}");
    }
    let deep = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(patient(&deep), ["fhirpath-too-deep"]);
    assert_eq!(patient(&format!("1{}", " + 1".repeat(1000))), ["fhirpath-too-deep"]);
    assert_eq!(patient(&format!("1{}", " ".repeat(70_000))), ["fhirpath-too-deep"]);
}

#[test]
fn an_expression_for_a_type_knows_its_elements() {
    let for_type = |text: &str, of: &str| {
        let of = type_by_name(of).expect("a type of R4");
        Expression::compile_for(text, of).map(|_| ()).map_err(|error| (error.code(), error.location().column))
    };
    assert_eq!(for_type("Patient.name.where(use = 'official').given.first().substring(1)", "Patient"), Ok(()));
    assert_eq!(for_type("Observation.value.as(Quantity).unit", "Observation"), Ok(()));
    assert_eq!(for_type("contained.name", "Patient"), Ok(()));
    assert_eq!(for_type("name.givn", "Patient"), Err((Code::FhirpathElement, 6)));
    assert_eq!(for_type("valueQuantity", "Observation"), Err((Code::FhirpathElement, 1)));
    assert_eq!(for_type("name.where(us = 'x')", "Patient"), Err((Code::FhirpathElement, 12)));
    assert_eq!(for_type("children().first()", "Patient"), Err((Code::FhirpathOrder, 12)));
    assert_eq!(for_type("name.startsWith('x')", "Patient"), Err((Code::FhirpathTypes, 6)));
}

#[test]
fn evaluation_stops_at_what_it_cannot_take() {
    for (text, code) in [
        ("name.first() + 1", "fhirpath-operand"),
        ("name.first() < 1", "fhirpath-operand"),
        ("name.given & 'x'", "fhirpath-singleton"),
        ("name.single()", "fhirpath-singleton"),
        ("id.matches('a' & '(')", "fhirpath-pattern"),
        ("checkModifiers('x').name.length()", "fhirpath-singleton"),
    ] {
        assert_eq!(patient(text), [code], "{text}");
    }
}

#[test]
fn steps_and_texts_are_bounded() {
    let limit = "fhirpath-limit";
    assert_eq!(patient("id.repeat($this & 'x').count()"), [limit]);
    let doubled =
        format!("'x'{}", ".replace('', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')".repeat(8));
    assert_eq!(patient(&doubled), [limit]);
    let record = Record::parse(PATIENT).expect("a resource");
    let expression = Expression::compile("descendants().descendants().count()").expect("an expression");
    let error = expression.evaluate(&Scope::new(record.root()).steps(50)).expect_err("too many steps");
    assert_eq!(error.code(), Code::FhirpathLimit);
    assert_eq!(patient("descendants().count() > 20"), ["true"]);
}

#[test]
fn an_error_holds_no_text_of_expression_or_record() {
    for text in ["Marker Marker", "'Marker' - 1", "name.where(family.single() + 'Marker' > 1)", "%Marker"] {
        let record = Record::parse(PATIENT).expect("a resource");
        let shown = match Expression::compile(text) {
            Err(error) => format!("{error} {error:?}"),
            Ok(expression) => match expression.evaluate(&Scope::new(record.root())) {
                Err(error) => format!("{error} {error:?}"),
                Ok(found) => format!("{found:?}"),
            },
        };
        assert!(!shown.contains("Marker") && !shown.contains("Ito"), "{shown}");
    }
}

#[test]
fn an_expression_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Expression::compile("name.matches('a+')").expect("an expression"));
}

#[test]
fn the_deepest_expression_allowed_fits_the_stack() {
    yes(&format!("1{} = 120", " + 1".repeat(119)));
    yes(&format!("{}true{}", "(".repeat(60), ")".repeat(60)));
    yes(&format!("{}true{}", "iif(true, ".repeat(60), ")".repeat(60)));
}

proptest! {
    #[test]
    fn no_text_makes_compilation_or_evaluation_panic(text in "[ -~]{0,60}") {
        patient(&text);
    }

    #[test]
    fn no_chain_of_words_makes_it_panic(words in proptest::collection::vec(proptest::sample::select(&[
        "name", "given", ".", "(", ")", "where", "first", "=", "'x'", "1", "2.5", "@2012", "@T10", "day", "'mg'", "and", "|",
        "is", "as", "Quantity", "[", "]", "birthDate", "$this", "repeat", "+", "-", "*", "/", "<", "~", "iif", ",", "{}",
        "lowBoundary", "toQuantity", "sort", "aggregate", "$total", "descendants", "()", ".", ".",
    ][..]), 1..14)) {
        patient(&words.join(" "));
    }

    #[test]
    fn a_union_is_distinct_and_order_stays(numbers in proptest::collection::vec(0_i64..9, 0..20)) {
        let text = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(" | ");
        let mut once = Vec::new();
        numbers.iter().filter(|n| { let new = !once.contains(*n); if new { once.push(**n) } new }).count();
        let text = if text.is_empty() { "{}".to_owned() } else { text };
        prop_assert_eq!(patient(&text), once.iter().map(i64::to_string).collect::<Vec<_>>());
    }
}
