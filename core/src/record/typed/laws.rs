//! The law of views and builders: a record taken apart through every view function and put together through the builders of
//! the same names is the same record. So the views reach every value that R4 knows, and builders and views agree.

use super::view::Wrap;
use super::*;
use crate::error::Code;
use crate::record::{Record, Value};
use crate::report::Severity;
use std::borrow::Cow;

/// A view that can be made again through its builder; generated for every view.
pub(super) trait Again {
    type Made;
    fn again(self) -> Self::Made;
}

/// A value of a primitive, as text.
pub(super) trait Elemental {
    fn shown(&self) -> String;
}
macro_rules! elemental {
    ($($name:ty),*) => { $( impl Elemental for $name { fn shown(&self) -> String { self.to_string() } } )* };
}
elemental!(bool, i32, u32, crate::decimal::Decimal, Cow<'_, str>);
elemental!(crate::time::fhir::Date, crate::time::fhir::DateTime, crate::time::fhir::Instant, crate::time::fhir::Time);

/// The value of a primitive and the same with its extensions.
pub(super) struct Single<'a, T>(pub(super) Option<T>, pub(super) PrimitiveElement<'a>);

impl<'a, T: Elemental> Single<'a, T> {
    pub(super) fn put<B>(self, made: B, plain: fn(B, T) -> B, extended: fn(B, PrimitiveElement<'a>) -> B) -> B {
        let shown = self.0.as_ref().map(T::shown);
        assert_eq!(shown.as_deref(), self.1.text().as_deref(), "both ways give the same value");
        match self.0 {
            _ if self.1.is_extended() => extended(made, self.1),
            Some(value) => plain(made, value),
            None => made,
        }
    }
}

/// The values of a primitive that may repeat and the same with their extensions.
pub(super) struct Listed<'a, T>(pub(super) Values<'a, T>, pub(super) Elements<'a>);

impl<'a, T: Elemental + FromNode<'a>> Listed<'a, T> {
    pub(super) fn put<B>(self, made: B, plain: fn(B, T) -> B, extended: fn(B, PrimitiveElement<'a>) -> B) -> B {
        let Listed(values, elements) = self;
        let texts: Vec<String> = elements.clone().filter_map(|element| Some(element.text()?.into_owned())).collect();
        let values: Vec<T> = values.collect();
        assert_eq!(values.iter().map(T::shown).collect::<Vec<_>>(), texts, "both ways give the same values");
        if elements.clone().any(|element| element.is_extended()) {
            return elements.fold(made, extended);
        }
        values.into_iter().fold(made, plain)
    }
}

/// Takes a record apart and puts it together; gives both in canonical form, or None for a type without views.
fn both(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let parsed = crate::json::read(bytes, &crate::limits::Limits::DEFAULT).ok()?;
    // A reference to a type that is not allowed there is a finding, and read as any other.
    if parsed
        .report
        .issues()
        .iter()
        .any(|issue| issue.severity <= Severity::Error && issue.code != Code::ReferenceTarget)
    {
        return None;
    }
    let made = Resource::wrap(parsed.record.root()).again();
    let known = super::generated::law::RESOURCES.contains(&parsed.record.kind().name());
    let again = Record::from_value(&Value::from(made.0)).expect("a record put together can be read");
    known.then(|| (parsed.record.canonical(), again.canonical()))
}

#[test]
fn made_up_charts_taken_apart_and_put_together_are_the_same() {
    let mut seen = 0;
    for chart in ehrcore_synthetic::Charts::new(11).patients(20) {
        for resource in &chart.resources {
            let (before, after) = both(resource.json.as_bytes()).expect("made-up charts are valid and have views");
            assert!(before == after, "{}", resource.kind);
            seen += 1;
        }
    }
    assert!(seen > 1000, "{seen}");
}

#[test]
fn extensions_on_primitives_nulls_and_contained_resources_are_reached() {
    let text = br#"{"resourceType":"Patient","id":"p","language":"en","contained":[{"resourceType":"Organization","id":"o","name":"x","_name":{"id":"n"}},
        {"resourceType":"Basic","id":"b","code":{"text":"no view"}}],
        "_birthDate":{"extension":[{"url":"http://example.org/why","valueCode":"unknown"}]},
        "name":[{"given":["A",null,"\u00e9"],"_given":[null,{"extension":[{"url":"http://example.org/u","valueDecimal":1.50}]},{"id":"third"}]},
        {"_given":[{"id":"only"}]}],
        "_deceasedDateTime":{"extension":[{"url":"http://example.org/d","valueBoolean":true}]},"multipleBirthInteger":2}"#;
    let (before, after) = both(text).expect("it is valid");
    assert_eq!(String::from_utf8_lossy(&after), String::from_utf8_lossy(&before));
}

#[test]
fn a_view_gives_what_is_there_and_none_for_what_is_not_of_its_type() {
    let record = Record::parse(br#"{"resourceType":"Observation","status":5,"code":{"coding":[{"code":"a"},7]},"valueQuantity":{"value":1.50},
        "subject":{"reference":"Patient/p1/_history/2"},"performer":[{"reference":"urn:uuid:1"},{"reference":"\u0023c"},{}],"component":"x","issued":"soon"}"#)
    .expect("it can be read, though it is not right");
    assert!(record.as_patient().is_none());
    let observation = record.as_observation().expect("it is one");
    assert!(observation.status().is_none() && observation.issued().is_none());
    assert_eq!(observation.component().count(), 0);
    assert_eq!(observation.code().map(|code| code.coding().count()), Some(1));
    match observation.value() {
        Some(ObservationValue::Quantity(quantity)) => {
            assert_eq!(quantity.value().map(|v| v.to_string()).as_deref(), Some("1.50"))
        }
        _ => panic!("a Quantity was written"),
    }
    let target = observation.subject().and_then(Reference::target).expect("it names one");
    let kind = crate::schema::ResourceType::PATIENT;
    assert_eq!(target, Target::Relative { kind, id: "p1".to_owned(), version: Some("2".to_owned()) });
    assert_eq!(format!("{target:?}"), "Relative(Patient/..)");
    let targets: Vec<Option<Target>> = observation.performer().map(Reference::target).collect();
    assert_eq!(
        targets,
        [Some(Target::Address("urn:uuid:1".to_owned())), Some(Target::Contained("c".to_owned())), None]
    );
}

#[test]
fn a_builder_keeps_values_and_their_extensions_in_step_and_a_choice_single() {
    let mark = || ExtensionBuilder::new().url("http://example.org/m").value_boolean(true);
    let name = HumanNameBuilder::new()
        .given("A")
        .given_element(PrimitiveElementBuilder::new().extension(mark()))
        .given("B")
        .family("C");
    let built =
        PatientBuilder::new().name(name).deceased_boolean(false).deceased_date_time("2020").multiple_birth_integer(2);
    let record = built.build().expect("it is right");
    let patient = record.as_patient().expect("a Patient");
    let name = patient.name().next().expect("one name");
    assert_eq!(name.given().collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(name.given_element().map(|given| given.is_extended()).collect::<Vec<_>>(), [false, true, false]);
    assert!(matches!(patient.deceased(), Some(PatientDeceased::DateTime(at)) if at.to_string() == "2020"));
    let record = PatientBuilder::from(patient)
        .deceased_element(crate::schema::Primitive::Boolean, PrimitiveElementBuilder::new().extension(mark()))
        .build()
        .expect("it is right");
    let patient = record.as_patient().expect("a Patient");
    assert!(patient.deceased().is_none());
    assert_eq!(patient.deceased_element().kind(), Some(crate::schema::Primitive::Boolean));
    assert_eq!(patient.deceased_element().extension().count(), 1);
}

#[test]
fn a_builder_refuses_what_is_not_right_with_every_finding() {
    let error = PatientBuilder::new().gender("F").birth_date("soon").build().expect_err("it is wrong twice");
    assert_eq!(error.code(), crate::error::Code::RecordInvalid);
    assert_eq!(error.issues().len(), 2);
}

/// The official examples, where they are on this machine.
#[test]
fn examples_taken_apart_and_put_together_are_the_same() {
    let root = std::env::var_os("EHRCORE_SUITES").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/suites"),
        std::path::PathBuf::from,
    );
    let suite = root.join("r4-examples");
    if !suite.is_dir() {
        eprintln!("SKIPPED: suite `r4-examples` is not here; set EHRCORE_SUITES to the folder of the suites");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for archive in std::fs::read_dir(&suite).expect("a folder").flatten().map(|entry| entry.path()) {
        if archive.extension().is_some_and(|extension| extension == "xz") {
            let unpacked =
                std::process::Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(folder.path()).status();
            assert!(unpacked.is_ok_and(|status| status.success()), "tar with xz unpacks the archive");
        }
    }
    let (mut waiting, mut kinds, mut seen) =
        (vec![folder.path().to_owned(), suite], std::collections::BTreeSet::new(), 0);
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).expect("a folder").flatten().map(|entry| entry.path()));
        } else if let Some((before, after)) = std::fs::read(&path).ok().as_deref().and_then(both) {
            assert!(before == after, "{}", path.display());
            kinds.insert(Record::parse(&before).expect("it was read before").kind());
            seen += 1;
        }
    }
    assert!(seen > 300 && kinds.len() > 50, "{seen} examples of {} types", kinds.len());
}
