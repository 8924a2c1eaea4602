use super::*;
use crate::fhirpath::Expression;
use crate::schema::invariants;

struct Nobody;
impl Host for Nobody {}

fn broken(text: &str) -> Vec<String> {
    let record = Record::parse(text.as_bytes()).expect("a resource");
    let mut report = Report::new();
    check(&record, &Nobody, &mut report);
    let shown = |issue: &Issue| format!("{} {}", issue.path, issue.rule.as_deref().unwrap_or_default());
    report.issues().iter().filter(|issue| issue.severity == Severity::Error).map(shown).collect()
}

#[test]
fn every_invariant_of_the_tables_and_of_the_corrections_compiles() {
    let mut count = 0;
    for id in TypeId::all() {
        for row in invariants(id).chain(id.elements().flat_map(ElementId::invariants)) {
            Expression::compile(row.expression).unwrap_or_else(|error| panic!("{}: {error}", row.key));
            Expression::compile(rules::corrected(row, id)).unwrap_or_else(|error| panic!("{}: {error}", row.key));
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn a_rule_of_a_type_is_found_where_it_is_broken() {
    let text = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},
        "effectivePeriod":{"start":"2020-02-01","end":"2020-01-01"},
        "valueInteger":1,"dataAbsentReason":{"text":"y"},
        "referenceRange":[{"text":"a"},{"age":{"low":{"value":1}}}]}"#;
    assert_eq!(
        broken(text),
        ["Observation obs-6", "Observation.effective.ofType(Period) per-1", "Observation.referenceRange[1] obs-3"]
    );
    let good = text.replace(r#""dataAbsentReason":{"text":"y"},"#, "").replace("2020-01-01", "2020-02");
    assert_eq!(broken(&good), ["Observation.referenceRange[1] obs-3"]);
}

#[test]
fn a_finding_carries_its_rule_place_and_severity() {
    let record =
        Record::parse(b"{\"resourceType\":\"Patient\",\n\"contact\":[{\"gender\":\"male\"}]}").expect("a resource");
    let mut report = Report::new();
    check(&record, &Nobody, &mut report);
    let found: Vec<_> = report
        .issues()
        .iter()
        .map(|issue| (issue.rule.as_deref(), issue.severity, issue.code.name(), issue.line, issue.column))
        .collect();
    assert_eq!(
        found,
        [
            (Some("dom-6"), Severity::Warning, "invariant-broken", 1, 1),
            (Some("pat-1"), Severity::Error, "invariant-broken", 2, 12)
        ]
    );
}

#[test]
fn a_rule_that_cannot_be_evaluated_is_a_warning() {
    let record = Record::parse(br#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"effectivePeriod":{"start":"2020-02-01","end":true}}"#);
    let mut report = Report::new();
    check(&record.expect("a resource"), &Nobody, &mut report);
    let unknown: Vec<_> = report.issues().iter().filter(|issue| issue.code == Code::InvariantUnknown).collect();
    assert_eq!(unknown.len(), 0, "a wrong type in the record is no error of the rule");
}

#[test]
fn contained_resources_are_looked_at_in_their_container() {
    let text = r##"{"resourceType":"Condition","subject":{"reference":"Patient/1"},
        "recorder":{"reference":"#a"},
        "contained":[{"resourceType":"Practitioner","id":"a"},{"resourceType":"Practitioner","id":"b"}]}"##;
    assert_eq!(broken(text), ["Condition dom-3"]);
}

#[test]
fn what_is_skipped_holds_on_every_made_up_record_and_on_every_broken_one() {
    let (mut records, mut findings) = (0, 0);
    let mut same = |bytes: &[u8]| {
        let Ok(record) = Record::parse(bytes) else { return };
        let [quick, whole] = [true, false].map(|quick| {
            let walk = Walk::over(&record, &Nobody, quick);
            walk.found.iter().map(|found| (found.row, found.rule.key.clone(), found.unknown)).collect::<Vec<_>>()
        });
        assert_eq!(quick, whole, "{}", record.kind());
        records += 1;
        findings += whole.len();
    };
    for chart in ehrcore_synthetic::Charts::new(7).patients(2) {
        for resource in &chart.resources {
            same(resource.json.as_bytes());
            for kind in ehrcore_synthetic::breaks::BREAKS {
                if let Some(broken) = kind.apply(resource.kind, &resource.json) {
                    same(&broken);
                }
            }
        }
    }
    assert!(records > 1_000 && findings > 100, "{records} {findings}");
}
