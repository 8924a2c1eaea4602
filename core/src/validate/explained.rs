//! Every code of a finding has an explanation, and its examples show what they say.

use crate::decimal::Decimal;
use crate::error::{Code, Error, Explanation, Setting};
use crate::fhirpath::{Expression, Scope};
use crate::json;
use crate::limits::Limits;
use crate::package::Packages;
use crate::record::Record;
use crate::report::Report;
use crate::terminology::{Terminology, shapes};
use crate::units;
use crate::xml;

/// The codes of findings: what reading and validating a text can say.
fn findings() -> impl Iterator<Item = Code> {
    let ours = |code: &Code| matches!(code.number(), 100..=219 | 360..=389);
    Code::ALL.iter().copied().filter(ours)
}

fn report(explanation: &Explanation, text: &[u8]) -> Report {
    let limits = match explanation.setting {
        Setting::SmallLimits => Limits { depth: 3, bytes: 64, nodes: 6, findings: 1 },
        _ => Limits::DEFAULT,
    };
    if let Some(said) = beyond_records(explanation.setting, text) {
        return said.map_or_else(|code| super::unreadable(&code.error()), |()| Report::new());
    }
    let report = super::text(text, &limits);
    let record = || json::read(text, &limits).expect("it is a resource").record;
    match explanation.setting {
        Setting::WritingXml => {
            xml::write(&record(), &mut Vec::new()).map_or_else(|error| super::unreadable(&error), |()| Report::new())
        }
        Setting::Validator(definitions, profile) => {
            let mut builder = super::Validator::builder();
            for definition in definitions {
                builder = builder.definition(Record::parse(definition.as_bytes()).expect("it is a definition"));
            }
            if !profile.is_empty() {
                builder = builder.profile(profile);
            }
            builder.build().expect("it builds").validate(text)
        }
        Setting::OwnRules => super::questionnaire(&record()),
        Setting::Rules => super::record(&record()),
        Setting::Questionnaire(form) => {
            let form = Record::parse(form.as_bytes()).expect("it is a questionnaire");
            super::questionnaire_response(&record(), &form, &Terminology::new(&Packages::default()))
        }
        Setting::Reading | Setting::SmallLimits => report,
        Setting::Expression | Setting::Conversion | Setting::CodeOf => unreachable!("these are no records"),
    }
}

/// What is said of a text that is no record; None where it is one.
fn beyond_records(setting: Setting, text: &[u8]) -> Option<Result<(), Code>> {
    let text = std::str::from_utf8(text).ok()?;
    let code = |error: Error| error.code();
    Some(match setting {
        Setting::Expression => {
            let patient =
                br#"{"resourceType":"Patient","birthDate":"2000-01-01","name":[{"family":"A","given":["B","C"]}]}"#;
            let patient = Record::parse(patient).expect("a resource");
            let compiled = Expression::compile_for(text, patient.root().type_id().expect("it has a type"));
            compiled.and_then(|made| made.evaluate(&Scope::new(patient.root())).map(drop)).map_err(code)
        }
        Setting::Conversion => {
            let (amount, to) = text.split_once(" -> ").expect("an arrow");
            let (amount, from) = amount.split_once(' ').expect("an amount and a unit");
            let amount = Decimal::from_json(amount.as_bytes()).expect("a number");
            units::convert(&amount, from, to).map(drop).map_err(code)
        }
        Setting::CodeOf => {
            let (system, one) = text.split_once(' ').expect("a system and a code");
            shapes::check(system, one).expect("the system is known")
        }
        _ => return None,
    })
}

fn says(report: &Report, code: Code) -> bool {
    code == Code::FindingsTruncated && report.is_truncated() || report.issues().iter().any(|issue| issue.code == code)
}

#[test]
fn every_code_of_a_finding_is_explained() {
    let missing: Vec<&str> = findings().filter(|code| code.explanation().is_none()).map(Code::name).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_wrong_example_yields_its_code_and_a_right_one_does_not() {
    let mut broken = Vec::new();
    for code in Code::ALL {
        let Some(explanation) = code.explanation() else { continue };
        let bad = report(explanation, explanation.bad);
        let good = report(explanation, explanation.good);
        let right = !says(&good, *code) && (good.is_valid() || explanation.setting == Setting::SmallLimits);
        if !says(&bad, *code) || !right {
            broken.push(format!("{code}: {:?} | {:?}", bad.issues(), good.issues()));
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn a_code_is_found_by_name_and_by_number() {
    assert_eq!(Code::from_name("xml-doctype"), Some(Code::XmlDoctype));
    assert_eq!(Code::from_name("123"), Some(Code::XmlDoctype));
    assert_eq!(Code::from_name("none"), None);
}
