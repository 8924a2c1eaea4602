use super::*;
use crate::package::{Manifest, Package};
use crate::record::Record;
use proptest::prelude::*;

fn record(text: &str) -> Record {
    Record::parse(text.as_bytes()).expect("a resource")
}

fn terminology(resources: &[&str]) -> Terminology {
    let package = Package::from_records(Manifest::default(), resources.iter().map(|text| record(text)));
    Terminology::new(&Packages::new().with(package))
}

/// Animals: a small hierarchy with properties, one code out of use, one that only groups.
const ANIMALS: &str = r#"{"resourceType":"CodeSystem","url":"http://example.org/animals","version":"2.0","content":"complete",
  "property":[{"code":"legs","type":"integer"},{"code":"notSelectable","type":"boolean"}],
  "concept":[
   {"code":"animal","property":[{"code":"notSelectable","valueBoolean":true}],"concept":[
     {"code":"bird","display":"Bird","property":[{"code":"legs","valueInteger":2}],"concept":[
        {"code":"duck","display":"Duck","designation":[{"language":"de","value":"Ente"}],"property":[{"code":"legs","valueInteger":2}]},
        {"code":"dodo","display":"Dodo","property":[{"code":"inactive","valueBoolean":true}]}]},
     {"code":"cat","display":"Cat","property":[{"code":"legs","valueInteger":4}]}]},
   {"code":"griffin","display":"Griffin","property":[{"code":"parent","valueCode":"bird"},{"code":"subsumedBy","valueCode":"cat"}]}]}"#;

fn animals(compose: &str) -> Terminology {
    let set = format!(r#"{{"resourceType":"ValueSet","url":"http://example.org/set","compose":{compose}}}"#);
    terminology(&[ANIMALS, &set])
}

const SET: &str = "http://example.org/set";
const SYSTEM: &str = "http://example.org/animals";
const ALL: [&str; 6] = ["animal", "bird", "duck", "dodo", "cat", "griffin"];

fn codes(terminology: &Terminology) -> Vec<String> {
    let expansion = terminology.expand(SET, &ExpansionOptions::default()).expect("it can be listed");
    expansion.contains.iter().map(|entry| entry.code.to_string()).collect()
}

/// The codes that validation takes, in the order of the system.
fn taken(terminology: &Terminology) -> Vec<&'static str> {
    ALL.into_iter().filter(|code| terminology.validate_code(SET, &Coding::new(SYSTEM, code)).is_in()).collect()
}

#[track_caller]
fn filter(property: &str, op: &str, value: &str, expected: &[&str]) {
    let filter = format!(r#"{{"property":"{property}","op":"{op}","value":"{value}"}}"#);
    let terminology = animals(&format!(r#"{{"include":[{{"system":"{SYSTEM}","filter":[{filter}]}}]}}"#));
    assert_eq!(taken(&terminology), expected, "{property} {op} {value}");
    assert_eq!(codes(&terminology), expected, "{property} {op} {value}");
}

#[test]
fn every_filter_chooses_what_fhir_says() {
    filter("concept", "is-a", "bird", &["bird", "duck", "dodo", "griffin"]);
    filter("concept", "descendent-of", "bird", &["duck", "dodo", "griffin"]);
    filter("concept", "is-not-a", "bird", &["animal", "cat"]);
    filter("concept", "generalizes", "griffin", &["animal", "bird", "cat", "griffin"]);
    filter("concept", "child-of", "animal", &["bird", "cat"]);
    filter("concept", "descendent-leaf", "animal", &["duck", "dodo", "griffin"]);
    filter("concept", "in", "cat, duck,cow", &["duck", "cat"]);
    filter("code", "not-in", "cat,duck", &["animal", "bird", "dodo", "griffin"]);
    filter("code", "regex", "d.*", &["duck", "dodo"]);
    filter("display", "regex", "[A-C].+", &["bird", "cat"]);
    filter("legs", "=", "2", &["bird", "duck"]);
    filter("legs", "exists", "true", &["bird", "duck", "cat"]);
    filter("legs", "exists", "false", &["animal", "dodo", "griffin"]);
    filter("parent", "=", "animal", &["bird", "cat"]);
    filter("child", "=", "griffin", &["bird", "cat"]);
    filter("inactive", "=", "true", &["dodo"]);
}

#[test]
fn a_filter_that_is_not_understood_makes_nothing_firm() {
    for filter in [
        r#"{"property":"wings","op":"=","value":"2"}"#,
        r#"{"property":"legs","op":"is-a","value":"2"}"#,
        r#"{"property":"concept","op":"is-a","value":"cow"}"#,
        r#"{"property":"code","op":"regex","value":"("}"#,
        r#"{"property":"code","op":"regex","value":"(a{1000}){1000}"}"#,
        r#"{"property":"code","op":"=="}"#,
    ] {
        let terminology = animals(&format!(r#"{{"include":[{{"system":"{SYSTEM}","filter":[{filter}]}}]}}"#));
        let outcome = |code| terminology.validate_code(SET, &Coding::new(SYSTEM, code));
        assert_eq!(outcome("cat"), Outcome::NotChecked(Why::SystemUnknown), "{filter}");
        assert_eq!(outcome("cow"), Outcome::CodeUnknown, "{filter}");
        let error = terminology.expand(SET, &ExpansionOptions::default()).expect_err("it cannot be listed");
        assert_eq!(error.code(), Code::ExpansionImpossible);
    }
}

#[test]
fn what_is_excluded_is_out_and_two_filters_must_both_hold() {
    let include = format!(
        r#"{{"system":"{SYSTEM}","filter":[{{"property":"concept","op":"is-a","value":"animal"}},{{"property":"legs","op":"exists","value":"true"}}]}}"#
    );
    let exclude = format!(r#"{{"system":"{SYSTEM}","concept":[{{"code":"cat"}}]}}"#);
    let terminology = animals(&format!(r#"{{"include":[{include}],"exclude":[{exclude}]}}"#));
    assert_eq!(taken(&terminology), ["bird", "duck"]);
    assert_eq!(codes(&terminology), ["bird", "duck"]);
    assert_eq!(terminology.validate_code(SET, &Coding::new(SYSTEM, "cat")), Outcome::NotIn);
}

#[test]
fn value_sets_in_value_sets_intersect_within_a_part_and_unite_across_parts() {
    let set = |name: &str, compose: &str| {
        format!(
            r#"{{"resourceType":"ValueSet","url":"http://example.org/{name}","compose":{{"include":[{compose}]}}}}"#
        )
    };
    let listed = |codes: &str| format!(r#"{{"system":"{SYSTEM}","concept":[{codes}]}}"#);
    let a = set("a", &listed(r#"{"code":"cat"},{"code":"duck","display":"Quacker"}"#));
    let b = set("b", &listed(r#"{"code":"duck"},{"code":"bird"}"#));
    let both = set("both", r#"{"valueSet":["http://example.org/a","http://example.org/b"]}"#);
    let either = set("either", r#"{"valueSet":["http://example.org/a"]},{"valueSet":["http://example.org/b"]}"#);
    let narrowed = set("narrowed", &format!(r#"{{"system":"{SYSTEM}","valueSet":["http://example.org/b"]}}"#));
    let missing = set("missing", r#"{"valueSet":["http://example.org/a"]},{"valueSet":["http://example.org/none"]}"#);
    let terminology = terminology(&[ANIMALS, &a, &b, &both, &either, &narrowed, &missing]);
    let outcome =
        |name: &str, code| terminology.validate_code(&format!("http://example.org/{name}"), &Coding::new(SYSTEM, code));
    let expand = |name: &str| terminology.expand(&format!("http://example.org/{name}"), &ExpansionOptions::default());
    assert!(outcome("both", "duck").is_in() && outcome("both", "cat") == Outcome::NotIn);
    assert!(outcome("either", "cat").is_in() && outcome("either", "bird").is_in());
    assert!(outcome("narrowed", "bird").is_in() && outcome("narrowed", "cat") == Outcome::NotIn);
    assert!(outcome("missing", "cat").is_in());
    assert_eq!(outcome("missing", "bird"), Outcome::NotChecked(Why::SystemUnknown));
    assert_eq!(expand("both").expect("it can be listed").total, 1);
    assert_eq!(expand("either").expect("it can be listed").total, 3);
    assert_eq!(expand("missing").expect_err("a part is missing").code(), Code::ExpansionImpossible);
    assert_eq!(expand("none").expect_err("it is missing").code(), Code::ValueSetUnknown);
    assert_eq!(outcome("none", "cat"), Outcome::NotChecked(Why::ValueSetUnknown));
}

#[test]
fn value_sets_that_name_each_other_in_a_circle_come_to_an_end() {
    let ring = |name: &str, next: &str, code: &str| {
        format!(
            r#"{{"resourceType":"ValueSet","url":"http://example.org/{name}","compose":{{"include":[{{"valueSet":["http://example.org/{next}"]}},{{"system":"{SYSTEM}","concept":[{{"code":"{code}"}}]}}]}}}}"#
        )
    };
    let terminology = terminology(&[ANIMALS, &ring("a", "b", "cat"), &ring("b", "c", "duck"), &ring("c", "a", "bird")]);
    for name in ["a", "b", "c"] {
        for code in ["cat", "duck", "bird"] {
            assert!(
                terminology.validate_code(&format!("http://example.org/{name}"), &Coding::new(SYSTEM, code)).is_in()
            );
        }
        let outcome = terminology.validate_code(&format!("http://example.org/{name}"), &Coding::new(SYSTEM, "griffin"));
        assert_eq!(outcome, Outcome::NotChecked(Why::SystemUnknown));
    }
}

#[test]
fn value_sets_that_would_be_looked_at_without_end_are_given_up() {
    let double = |n: usize| {
        let next = n + 1;
        format!(
            r#"{{"resourceType":"ValueSet","url":"http://example.org/{n}","compose":{{"include":[{{"valueSet":["http://example.org/{next}"]}},{{"valueSet":["http://example.org/{next}"]}}]}}}}"#
        )
    };
    let mut texts: Vec<String> = (0..40).map(double).collect();
    texts.push(format!(r#"{{"resourceType":"ValueSet","url":"http://example.org/40","compose":{{"include":[{{"system":"{SYSTEM}"}}]}}}}"#));
    texts.push(ANIMALS.to_owned());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let outcome =
        terminology(&texts).validate_code("http://example.org/0", &Coding::new("http://example.org/other", "x"));
    assert_eq!(outcome, Outcome::NotChecked(Why::SystemUnknown));
}

#[test]
fn a_code_that_does_not_exist_differs_from_one_that_is_not_in_the_set() {
    let terminology = animals(&format!(r#"{{"include":[{{"system":"{SYSTEM}","concept":[{{"code":"cat"}}]}}]}}"#));
    let outcome = |coding: Coding<'_>| terminology.validate_code(SET, &coding);
    assert_eq!(outcome(Coding::new(SYSTEM, "duck")), Outcome::NotIn);
    assert_eq!(outcome(Coding::new(SYSTEM, "cow")), Outcome::CodeUnknown);
    assert_eq!(outcome(Coding::new("http://example.org/other", "cat")), Outcome::NotIn);
    assert_eq!(outcome(Coding::code("duck")), Outcome::NotIn);
    let Outcome::In(found) = outcome(Coding::code("cat")) else { panic!("it is in") };
    assert_eq!((found.system.as_deref(), found.display.as_deref()), (Some(SYSTEM), Some("Cat")));
    assert!(terminology.validate_coding(&Coding::new(SYSTEM, "duck")).is_in());
    assert_eq!(terminology.validate_coding(&Coding::new(SYSTEM, "cow")), Outcome::CodeUnknown);
    assert_eq!(terminology.validate_coding(&Coding::code("cow")), Outcome::NotChecked(Why::SystemUnknown));
}

#[test]
fn a_wrong_display_and_a_code_out_of_use_are_said() {
    let terminology = animals(&format!(r#"{{"include":[{{"system":"{SYSTEM}"}}]}}"#));
    let found = |coding: Coding<'_>| match terminology.validate_code(SET, &coding) {
        Outcome::In(found) => found,
        other => panic!("{other:?}"),
    };
    for (display, wrong) in [("Duck", false), ("duck ", false), ("Ente", false), ("Goose", true)] {
        assert_eq!(found(Coding::new(SYSTEM, "duck").with_display(display)).display_wrong, wrong, "{display}");
    }
    assert!(!found(Coding::new(SYSTEM, "animal").with_display("Any")).display_wrong, "the system gives no display");
    assert!(found(Coding::new(SYSTEM, "dodo")).inactive);
    assert!(found(Coding::new(SYSTEM, "animal")).abstract_);
}

#[test]
fn several_codings_are_in_where_one_is() {
    let terminology = animals(&format!(r#"{{"include":[{{"system":"{SYSTEM}","concept":[{{"code":"cat"}}]}}]}}"#));
    let outcome = |codings: &[(&'static str, &'static str)]| {
        terminology.validate_any(SET, codings.iter().map(|(system, code)| Coding::new(system, code)))
    };
    assert!(outcome(&[("http://example.org/other", "x"), (SYSTEM, "cat")]).is_in());
    assert_eq!(outcome(&[(SYSTEM, "cow"), (SYSTEM, "duck")]), Outcome::CodeUnknown);
    assert_eq!(outcome(&[]), Outcome::NotIn);
    let unknown = terminology.validate_any("http://example.org/none", [Coding::new(SYSTEM, "cat")]);
    assert_eq!(unknown, Outcome::NotChecked(Why::ValueSetUnknown));
}

#[test]
fn an_expansion_that_came_along_is_used_where_the_definition_cannot_be() {
    let set = |total: usize| {
        format!(
            r#"{{"resourceType":"ValueSet","url":"{SET}","compose":{{"include":[{{"system":"http://example.org/far"}}]}},"expansion":{{"timestamp":"2024-01-01","total":{total},"contains":[{{"system":"http://example.org/far","code":"a","display":"A","contains":[{{"system":"http://example.org/far","code":"b"}}]}}]}}}}"#
        )
    };
    let whole = terminology(&[&set(2)]);
    let outcome =
        |terminology: &Terminology, code| terminology.validate_code(SET, &Coding::new("http://example.org/far", code));
    assert!(outcome(&whole, "a").is_in() && outcome(&whole, "b").is_in());
    assert_eq!(outcome(&whole, "c"), Outcome::NotIn);
    assert_eq!(codes(&whole), ["a", "b"]);
    let part = terminology(&[&set(9)]);
    assert!(outcome(&part, "a").is_in());
    assert_eq!(outcome(&part, "c"), Outcome::NotChecked(Why::SystemUnknown));
    assert!(!part.expand(SET, &ExpansionOptions::default()).expect("what is there").complete);
}

#[test]
fn an_expansion_can_be_searched_paged_and_limited() {
    let terminology = animals(&format!(r#"{{"include":[{{"system":"{SYSTEM}"}}]}}"#));
    let expand = |options: ExpansionOptions| terminology.expand(SET, &options);
    let all = expand(ExpansionOptions::default()).expect("it can be listed");
    assert_eq!((all.total, all.complete, all.contains.len()), (6, true, 6));
    assert_eq!(all.contains[2].display.as_deref(), Some("Duck"));
    let d =
        expand(ExpansionOptions { text: Some("D".into()), offset: 1, count: 1, ..Default::default() }).expect("some");
    assert_eq!((d.total, d.contains.len(), &*d.contains[0].code), (3, 1, "duck"));
    let active = expand(ExpansionOptions { active_only: true, ..Default::default() }).expect("some");
    assert_eq!(active.total, 5);
    let error = expand(ExpansionOptions { limit: 5, ..Default::default() }).expect_err("six are more than five");
    assert_eq!(error.code(), Code::ExpansionLimit);
}

#[test]
fn subsumption_follows_every_parent() {
    let terminology = terminology(&[ANIMALS]);
    let subsumes = |a, b| terminology.subsumes(SYSTEM, None, a, b);
    assert_eq!(subsumes("animal", "griffin"), Some(Subsumption::Subsumes));
    assert_eq!(subsumes("griffin", "cat"), Some(Subsumption::SubsumedBy));
    assert_eq!(subsumes("bird", "cat"), Some(Subsumption::NotSubsumed));
    assert_eq!(subsumes("cat", "cat"), Some(Subsumption::Equivalent));
    assert_eq!(subsumes("cat", "cow"), None);
    assert_eq!(terminology.subsumes("http://example.org/other", None, "a", "b"), None);
}

#[test]
fn a_hierarchy_with_a_circle_comes_to_an_end() {
    let circle = r#"{"resourceType":"CodeSystem","url":"http://example.org/c","content":"complete","concept":[
        {"code":"a","property":[{"code":"parent","valueCode":"b"},{"code":"parent","valueCode":"a"}]},
        {"code":"b","property":[{"code":"parent","valueCode":"a"}]}]}"#;
    assert_eq!(terminology(&[circle]).subsumes("http://example.org/c", None, "a", "b"), Some(Subsumption::Equivalent));
}

#[test]
fn two_releases_stand_side_by_side_and_an_old_code_shows_with_its_own_text() {
    let release = |version: &str, concepts: &str| {
        format!(
            r#"{{"resourceType":"CodeSystem","url":"{SYSTEM}","version":"{version}","content":"complete","concept":[{concepts}]}}"#
        )
    };
    let old = release("1.0", r#"{"code":"cat","display":"House cat"},{"code":"dog","display":"Dog"}"#);
    let new = release("2.0", r#"{"code":"cat","display":"Felis catus"}"#);
    let set = format!(
        r#"{{"resourceType":"ValueSet","url":"{SET}","compose":{{"include":[{{"system":"{SYSTEM}","version":"1.0"}}]}}}}"#
    );
    let terminology = terminology(&[&new, &old, &set]);
    let display = |coding: &Coding<'_>| terminology.lookup(coding).and_then(|concept| concept.display);
    assert_eq!(display(&Coding::new(SYSTEM, "cat")).as_deref(), Some("Felis catus"));
    assert_eq!(display(&Coding::new(SYSTEM, "cat").with_version("1.0")).as_deref(), Some("House cat"));
    assert_eq!(display(&Coding::new(SYSTEM, "dog").with_version("1.0")).as_deref(), Some("Dog"));
    assert_eq!(display(&Coding::new(SYSTEM, "dog")), None);
    let outcome = |coding: Coding<'_>| terminology.validate_coding(&coding);
    assert_eq!(outcome(Coding::new(SYSTEM, "dog")), Outcome::CodeUnknown);
    assert!(outcome(Coding::new(SYSTEM, "dog").with_version("1.0")).is_in());
    assert_eq!(outcome(Coding::new(SYSTEM, "dog").with_version("3.0")), Outcome::NotChecked(Why::SystemUnknown));
    assert!(outcome(Coding::new(SYSTEM, "cat").with_version("3.0")).is_in());
    assert!(terminology.validate_code(SET, &Coding::new(SYSTEM, "dog").with_version("1.0")).is_in());
    assert_eq!(terminology.validate_code(SET, &Coding::new(SYSTEM, "cat").with_version("2.0")), Outcome::NotIn);
}

#[test]
fn a_system_that_is_not_all_here_never_makes_a_code_wrong() {
    let more = r#","supplements":"http://example.org/x""#;
    for (content, more) in
        [("fragment", ""), ("example", ""), ("not-present", ""), ("supplement", more), ("complete", more)]
    {
        let system = format!(
            r#"{{"resourceType":"CodeSystem","url":"{SYSTEM}","content":"{content}"{more},"concept":[{{"code":"cat"}}]}}"#
        );
        let terminology = terminology(&[&system]);
        assert_eq!(terminology.validate_coding(&Coding::new(SYSTEM, "cow")), Outcome::NotChecked(Why::SystemUnknown));
        assert!(terminology.validate_coding(&Coding::new(SYSTEM, "cat")).is_in());
        let known = terminology.code_system(SYSTEM, None).expect("it is here");
        assert_eq!((known.count(), known.supplements().is_some()), (1, !more.is_empty()));
    }
}

#[test]
fn codes_of_a_system_without_case_are_found_in_any_case() {
    let system = format!(
        r#"{{"resourceType":"CodeSystem","url":"{SYSTEM}","caseSensitive":false,"content":"complete","concept":[{{"code":"Cat"}}]}}"#
    );
    assert!(terminology(&[&system]).validate_coding(&Coding::new(SYSTEM, "cAT")).is_in());
    assert_eq!(terminology(&[ANIMALS]).validate_coding(&Coding::new(SYSTEM, "Cat")), Outcome::CodeUnknown);
}

#[test]
fn the_value_sets_of_r4_are_built_in() {
    let terminology = Terminology::new(&Packages::new());
    let outcome = |set: &str, coding: Coding<'_>| {
        terminology.validate_code(&format!("http://hl7.org/fhir/ValueSet/{set}"), &coding)
    };
    let v3 = |name: &str| format!("http://terminology.hl7.org/CodeSystem/v3-{name}");
    assert!(outcome("administrative-gender", Coding::code("female")).is_in());
    assert_eq!(outcome("administrative-gender|4.0.1", Coding::code("F")), Outcome::NotIn);
    assert!(!outcome("v3-ActEncounterCode|2014-03-26", Coding::new(&v3("ActCode"), "AMB")).is_wrong());
    assert!(outcome("languages", Coding::new("urn:ietf:bcp:47", "de-CH")).is_in());
    assert_eq!(outcome("all-languages", Coding::new("urn:ietf:bcp:47", "english")), Outcome::CodeUnknown);
    assert!(outcome("mimetypes", Coding::new("urn:ietf:bcp:13", "text/plain")).is_in());
    assert!(outcome("iso3166-1-2", Coding::code("CH")).is_in());
    assert!(outcome("iso3166-1-3", Coding::code("CHE")).is_in());
    assert!(outcome("iso3166-1-3", Coding::code("CH")).is_wrong());
    assert!(outcome("currencies", Coding::new("urn:iso:std:iso:4217", "CHF")).is_in());
    assert!(outcome("ucum-units", Coding::new("http://unitsofmeasure.org", "mg/dL")).is_in());
    assert_eq!(outcome("ucum-units", Coding::new("http://unitsofmeasure.org", "mgs")), Outcome::CodeUnknown);
    assert!(outcome("all-time-units", Coding::new("http://unitsofmeasure.org", "min")).is_in());
    assert_eq!(outcome("all-time-units", Coding::new("http://unitsofmeasure.org", "m")), Outcome::NotIn);
    assert_eq!(
        outcome("condition-code", Coding::new("http://snomed.info/sct", "38341003")),
        Outcome::NotChecked(Why::SystemUnknown)
    );
    assert_eq!(outcome("condition-code", Coding::new("http://snomed.info/sct", "38341004")), Outcome::CodeUnknown);
    let loinc = Coding::new("http://loinc.org", "8867-4");
    assert_eq!(outcome("observation-vitalsignresult", loinc.clone()), Outcome::NotChecked(Why::SystemUnknown));
    assert_eq!(terminology.validate_code("http://loinc.org/vs", &loinc), Outcome::NotChecked(Why::SystemUnknown));
    let countries = terminology.expand("http://hl7.org/fhir/ValueSet/iso3166-1-2", &ExpansionOptions::default());
    assert_eq!(countries.expect("they are listed").total, 249);
    let minor = terminology.subsumes(&v3("RoleCode"), None, "FAMMEMB", "MTH");
    assert_eq!(minor, Some(Subsumption::Subsumes));
    assert!(outcome("relatedperson-relationshiptype", Coding::new(&v3("RoleCode"), "MTH")).is_in());
}

#[test]
fn every_value_set_of_r4_compiles_and_most_can_be_listed() {
    let terminology = Terminology::new(&Packages::new());
    let (mut listed, mut all) = (0, 0);
    for member in crate::package::built_in().resources().filter(|member| member.kind() == ResourceType::VALUE_SET) {
        let url = member.url().expect("R4's own have one");
        let set = terminology.value_set(url).expect("it compiles");
        all += 1;
        let options = ExpansionOptions { limit: 5_000, ..Default::default() };
        let Ok(expansion) = terminology.expand(url, &options) else { continue };
        listed += 1;
        for entry in expansion.contains.iter().take(20) {
            let coding = Coding { system: entry.system.as_deref().map(Into::into), ..Coding::code(&entry.code) };
            assert!(terminology.validate_in(&set, &coding).is_in(), "{url}");
        }
    }
    assert!(all > 1_300 && listed > 1_150, "{listed} of {all}");
}

/// A source that knows one system of numbers, in which a number subsumes those it divides, and says so.
struct Numbers;

impl Source for Numbers {
    fn validate_code(&self, value_set: Option<&str>, coding: &Coding<'_>) -> Option<Answer> {
        let number: Option<u32> = coding.code.parse().ok();
        match (value_set, coding.system.as_deref()) {
            (Some("http://example.org/even"), _) => {
                Some(Answer { valid: number.is_some_and(|n| n % 2 == 0), ..Answer::default() })
            }
            (None, Some("http://example.org/numbers")) => {
                Some(Answer { valid: number.is_some(), display: Some("a number".into()), ..Answer::default() })
            }
            _ => None,
        }
    }
    fn subsumes(&self, system: &str, _: Option<&str>, a: &str, b: &str) -> Option<Subsumption> {
        let (a, b): (u32, u32) = (a.parse().ok()?, b.parse().ok()?);
        (system == "http://example.org/numbers").then(|| match (b % a, a % b) {
            (0, 0) => Subsumption::Equivalent,
            (0, _) => Subsumption::Subsumes,
            (_, 0) => Subsumption::SubsumedBy,
            _ => Subsumption::NotSubsumed,
        })
    }
    fn lookup(&self, coding: &Coding<'_>) -> Option<Concept> {
        let known = coding.system.as_deref() == Some("http://example.org/numbers");
        known.then(|| Concept { code: coding.code.as_ref().into(), ..Concept::default() })
    }
    fn expand(&self, value_set: &str) -> Option<Expansion> {
        let entry = |code: &str| ExpansionEntry { code: code.into(), ..ExpansionEntry::default() };
        let contains = vec![entry("2"), entry("4")];
        (value_set == "http://example.org/even").then_some(Expansion { contains, total: 2, complete: false })
    }
}

/// A source that fails on purpose: it knows nothing.
struct Silent;
impl Source for Silent {}

#[test]
fn a_source_answers_what_no_package_knows() {
    let sixes = r#"{"resourceType":"ValueSet","url":"http://example.org/sixes","compose":{"include":[{"system":"http://example.org/numbers",
        "filter":[{"property":"concept","op":"is-a","value":"2"},{"property":"concept","op":"descendent-of","value":"3"}]}]}}"#;
    let bare = terminology(&[sixes]);
    let asked = |code| Coding::new("http://example.org/numbers", code);
    assert_eq!(bare.validate_code("http://example.org/sixes", &asked("6")), Outcome::NotChecked(Why::SystemUnknown));
    let terminology = bare.with_source(Arc::new(Silent)).with_source(Arc::new(Numbers));
    let outcome = |set: &str, code| terminology.validate_code(&format!("http://example.org/{set}"), &asked(code));
    assert!(outcome("sixes", "6").is_in() && outcome("sixes", "12").is_in());
    assert_eq!((outcome("sixes", "9"), outcome("sixes", "3")), (Outcome::NotIn, Outcome::NotIn));
    assert!(outcome("even", "8").is_in());
    assert_eq!(outcome("even", "9"), Outcome::NotIn);
    assert_eq!(outcome("other", "8"), Outcome::NotChecked(Why::ValueSetUnknown));
    assert!(terminology.validate_coding(&asked("5")).is_in());
    assert_eq!(terminology.validate_coding(&asked("x")), Outcome::CodeUnknown);
    assert_eq!(terminology.subsumes("http://example.org/numbers", None, "2", "6"), Some(Subsumption::Subsumes));
    assert!(terminology.lookup(&asked("5")).is_some());
    let page = ExpansionOptions { offset: 1, ..Default::default() };
    let even = terminology.expand("http://example.org/even", &page).expect("the source lists it");
    assert_eq!((even.total, &*even.contains[0].code, even.complete), (2, "4", false));
}

#[test]
fn a_map_translates_and_says_what_to_do_with_the_rest() {
    let map = |url: &str, mode: &str| {
        format!(
            r#"{{"resourceType":"ConceptMap","url":"{url}","group":[{{"source":"{SYSTEM}","target":"http://example.org/german","element":[{{"code":"cat","target":[{{"code":"Katze","display":"Katze","equivalence":"equivalent"}},{{"code":"Kater","equivalence":"narrower"}}]}},{{"code":"dodo"}}],"unmapped":{{{mode}}}}}]}}"#
        )
    };
    let terminology = terminology(&[
        &map("http://example.org/map", r#""mode":"other-map","url":"http://example.org/rest""#),
        &map("http://example.org/rest", r#""mode":"fixed","code":"Tier""#),
        &map("http://example.org/same", r#""mode":"provided""#),
        &map("http://example.org/ring", r#""mode":"other-map","url":"http://example.org/ring""#),
    ]);
    let translate = |map: &str, code| {
        let found = terminology.translate(&format!("http://example.org/{map}"), &Coding::new(SYSTEM, code))?;
        Ok::<_, crate::error::Error>(
            found.iter().map(|one| format!("{} {}", one.equivalence, one.code)).collect::<Vec<_>>(),
        )
    };
    assert_eq!(translate("map", "cat").expect("the map is there"), ["equivalent Katze", "narrower Kater"]);
    assert_eq!(translate("map", "dodo").expect("the map is there"), [""; 0]);
    assert_eq!(translate("map", "cow").expect("the map is there"), ["inexact Tier"]);
    assert_eq!(translate("same", "cow").expect("the map is there"), ["equal cow"]);
    assert_eq!(translate("ring", "cow").expect("it comes to an end"), [""; 0]);
    let error = translate("none", "cat").expect_err("there is no such map");
    assert_eq!(error.code(), Code::ConceptMapUnknown);
    let other = terminology.translate("http://example.org/map", &Coding::new("http://example.org/other", "cat"));
    assert!(other.expect("the map is there").is_empty());
}

#[test]
fn a_contained_value_set_can_be_compiled_by_itself() {
    let terminology = terminology(&[ANIMALS]);
    let questionnaire = record(&format!(
        r#"{{"resourceType":"Questionnaire","status":"draft","contained":[{{"resourceType":"ValueSet","id":"v","status":"draft","compose":{{"include":[{{"system":"{SYSTEM}","concept":[{{"code":"cat"}}]}}]}}}}]}}"#
    ));
    let contained = questionnaire.root().list("contained").next().expect("one");
    let set = terminology.compile(contained).expect("a value set");
    assert!(terminology.validate_in(&set, &Coding::new(SYSTEM, "cat")).is_in());
    assert_eq!(terminology.validate_in(&set, &Coding::new(SYSTEM, "duck")), Outcome::NotIn);
    assert_eq!(terminology.compile(questionnaire.root()).expect_err("no value set").code(), Code::InvalidArgument);
}

#[test]
fn a_coding_a_quantity_and_a_bare_code_are_read() {
    let record = record(
        r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"s","version":"v","code":"c","display":"d"}]},"valueQuantity":{"unit":"milligram","system":"u","code":"mg"}}"#,
    );
    let root = record.root();
    let coding = root.get("code").and_then(|code| code.list("coding").next()).and_then(Coding::read);
    assert_eq!(coding, Some(Coding::new("s", "c").with_version("v").with_display("d")));
    assert_eq!(root.get("valueQuantity").and_then(Coding::read), Some(Coding::new("u", "mg")));
    assert_eq!(root.get("status").and_then(Coding::read), Some(Coding::code("final")));
    assert_eq!(root.get("code").and_then(Coding::read), None);
}

/// A made system: each code's parent, where it has one, comes before it.
fn made(parents: &[Option<usize>]) -> String {
    let concept = |(at, parent): (usize, &Option<usize>)| match parent {
        Some(parent) if at > 0 => {
            format!(r#"{{"code":"c{at}","property":[{{"code":"parent","valueCode":"c{}"}}]}}"#, parent % at)
        }
        _ => format!(r#"{{"code":"c{at}"}}"#),
    };
    let concepts: Vec<String> = parents.iter().enumerate().map(concept).collect();
    format!(
        r#"{{"resourceType":"CodeSystem","url":"{SYSTEM}","content":"complete","concept":[{}]}}"#,
        concepts.join(",")
    )
}

fn part() -> impl Strategy<Value = String> {
    let code = 0_usize..12;
    let op = prop_oneof![
        "is-a",
        "descendent-of",
        "is-not-a",
        "generalizes",
        "=",
        "in",
        "not-in",
        "child-of",
        "descendent-leaf"
    ];
    prop_oneof![
        Just(format!(r#"{{"system":"{SYSTEM}"}}"#)),
        proptest::collection::vec(code.clone(), 1..4).prop_map(|codes| {
            let codes: Vec<String> = codes.iter().map(|code| format!(r#"{{"code":"c{code}"}}"#)).collect();
            format!(r#"{{"system":"{SYSTEM}","concept":[{}]}}"#, codes.join(","))
        }),
        (op, code).prop_map(|(op, code)| {
            format!(r#"{{"system":"{SYSTEM}","filter":[{{"property":"concept","op":"{op}","value":"c{code}"}}]}}"#)
        }),
    ]
}

proptest! {
    #[test]
    fn what_an_expansion_lists_is_what_validation_takes(
        parents in proptest::collection::vec(proptest::option::of(any::<usize>()), 12),
        include in proptest::collection::vec(part(), 1..4),
        exclude in proptest::collection::vec(part(), 0..3),
    ) {
        let compose = format!(r#"{{"include":[{}],"exclude":[{}]}}"#, include.join(","), exclude.join(","));
        let set = format!(r#"{{"resourceType":"ValueSet","url":"{SET}","compose":{compose}}}"#);
        let terminology = terminology(&[&made(&parents), &set]);
        let listed: Set<String> = codes(&terminology).into_iter().collect();
        for code in 0..14 {
            let code = format!("c{code}");
            let outcome = terminology.validate_code(SET, &Coding::new(SYSTEM, &code));
            prop_assert_eq!(outcome.is_in(), listed.contains(&code), "{} {:?}", code, outcome);
            prop_assert_eq!(terminology.validate_code(SET, &Coding::code(&code)).is_in(), listed.contains(&code));
        }
    }

    #[test]
    fn subsumption_is_transitive_and_has_two_sides(
        parents in proptest::collection::vec(proptest::option::of(any::<usize>()), 8),
    ) {
        let terminology = terminology(&[&made(&parents)]);
        let relation = |a: usize, b: usize| terminology.subsumes(SYSTEM, None, &format!("c{a}"), &format!("c{b}")).expect("both are there");
        for a in 0..8 {
            for b in 0..8 {
                prop_assert_eq!(relation(a, b) == Subsumption::Subsumes, relation(b, a) == Subsumption::SubsumedBy);
                for c in 0..8 {
                    if relation(a, b) == Subsumption::Subsumes && relation(b, c) == Subsumption::Subsumes {
                        prop_assert_eq!(relation(a, c), Subsumption::Subsumes);
                    }
                }
            }
        }
    }
}
