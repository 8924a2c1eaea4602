//! Every code has an explanation, its examples show what they say, and no code is a mere promise.

use ehrcore::access::Policy;
use ehrcore::decimal::Decimal;
use ehrcore::error::{Code, Error, Example, Setting};
use ehrcore::fhirpath::{Expression, Scope};
use ehrcore::json;
use ehrcore::limits::Limits;
use ehrcore::package::{Manifest, Package, PackageLimits, Packages};
use ehrcore::record::Record;
use ehrcore::report::Report;
use ehrcore::schema::ResourceType;
use ehrcore::search::Query;
use ehrcore::terminology::{Coding, ExpansionOptions, Terminology, shapes};
use ehrcore::validate::{self, Options, References, Validator};
use ehrcore::{units, xml};
use std::path::Path;

/// Codes that an example in the text of a document would not help, since they are about a call, a file or a moment.
fn is_about_no_text(code: Code) -> bool {
    let files = [Code::PackageUnreadable, Code::PackageManifest, Code::PackagePath, Code::PackageLimit];
    let calls = [Code::ValidationLimit, Code::CompiledUnreadable, Code::CompiledVersion];
    let texts = [Code::QueryInvalid, Code::PolicyInvalid, Code::PolicyUnreachable, Code::PolicyBroad, Code::PolicyIdle];
    let beyond = !(100..400).contains(&code.number()) && !texts.contains(&code);
    beyond || files.contains(&code) || calls.contains(&code)
}

fn record(text: &[u8]) -> Record {
    json::read(text, &Limits::DEFAULT).expect("it is a resource").record
}

fn codes(report: &Report) -> Vec<Code> {
    let mut found: Vec<Code> = report.issues().iter().map(|issue| issue.code).collect();
    if report.is_truncated() {
        found.push(Code::FindingsTruncated);
    }
    found
}

fn code_of<T>(result: Result<T, Error>) -> Vec<Code> {
    result.err().iter().map(Error::code).collect()
}

/// The codes that are said of the text.
fn said(setting: Setting, text: &[u8]) -> Vec<Code> {
    let words = || std::str::from_utf8(text).expect("it is text");
    let amount = |text: &str| Decimal::from_json(text.as_bytes()).expect("a number");
    match setting {
        Setting::Reading => codes(&validate::text(text, &Limits::DEFAULT)),
        Setting::SmallLimits => codes(&validate::text(text, &Limits { depth: 3, bytes: 64, nodes: 6, findings: 1 })),
        Setting::WritingXml => code_of(xml::write(&record(text), &mut Vec::new())),
        Setting::Validator(definitions, profile) => validated(definitions, profile, Options::default(), text),
        Setting::Strict(definitions, profile) => {
            let mut options = Options::default();
            (options.references, options.html_in_markdown, options.must_support) = (References::MustExist, false, true);
            validated(definitions, profile, options, text)
        }
        Setting::OwnRules => codes(&validate::questionnaire(&record(text))),
        Setting::Rules => codes(&validate::record(&record(text))),
        Setting::Questionnaire(form) => {
            let terminology = Terminology::new(&Packages::default());
            codes(&validate::questionnaire_response(&record(text), &record(form.as_bytes()), &terminology))
        }
        Setting::Expression => {
            let patient = record(
                br#"{"resourceType":"Patient","birthDate":"2000-01-01","name":[{"family":"A","given":["B","C"]}]}"#,
            );
            let compiled = Expression::compile_for(words(), ResourceType::PATIENT.type_id());
            code_of(compiled.and_then(|made| made.evaluate(&Scope::new(patient.root())).map(drop)))
        }
        Setting::Conversion => {
            let (from, to) = words().split_once(" -> ").expect("an arrow");
            let (value, from) = from.split_once(' ').expect("an amount and a unit");
            code_of(units::convert(&amount(value), from, to))
        }
        Setting::Division => {
            let (a, b) = words().split_once(" / ").expect("a stroke");
            let ((a, a_unit), (b, b_unit)) = (a.split_once(' ').expect("a unit"), b.split_once(' ').expect("a unit"));
            code_of(units::divide(&amount(a), a_unit, &amount(b), b_unit))
        }
        Setting::CodeOf => {
            let (system, code) = words().split_once(' ').expect("a system and a code");
            shapes::check(system, code).expect("the system is known").err().into_iter().collect()
        }
        Setting::Expansion => {
            let options = ExpansionOptions { limit: 5, ..ExpansionOptions::default() };
            code_of(Terminology::new(&Packages::new()).expand(words(), &options))
        }
        Setting::Translation(map) => {
            let package = Package::from_records(Manifest::default(), [record(map.as_bytes())]);
            let terminology = Terminology::new(&Packages::new().with(package));
            let translated = terminology.translate(words(), &Coding::code("a"));
            assert!(translated.as_ref().is_ok_and(|found| !found.is_empty()) || translated.is_err());
            code_of(translated)
        }
        Setting::Folder => {
            let folder = tempfile::tempdir().expect("a folder");
            for line in words().lines() {
                let (name, content) = line.split_once(' ').expect("a name and what the file holds");
                std::fs::write(folder.path().join(name), content).expect("it writes");
            }
            let package = Package::open_within(folder.path(), &PackageLimits::default()).expect("it opens");
            let own = codes(package.report());
            own.into_iter().chain(codes(&Packages::new().with(package).missing())).collect()
        }
        Setting::Policy => match Policy::parse(words()) {
            Ok(policy) => policy.check().iter().map(|finding| finding.code).collect(),
            Err(error) => vec![error.code()],
        },
        Setting::Search => {
            let (kind, parameters) = words().split_once('?').expect("a question mark");
            code_of(Query::parse(ResourceType::from_name(kind).expect("a type"), parameters))
        }
        other => panic!("{other:?} is not tried here"),
    }
}

fn validated(definitions: &[&str], profile: &str, options: Options, text: &[u8]) -> Vec<Code> {
    let mut builder = Validator::builder().options(options);
    for definition in definitions {
        builder = builder.definition(record(definition.as_bytes()));
    }
    if !profile.is_empty() {
        builder = builder.profile(profile);
    }
    codes(&builder.build().expect("it builds").validate(text))
}

#[test]
fn every_code_says_how_to_mend_it_and_shows_it_where_it_is_about_a_text() {
    let bare: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| {
            let explanation = code.explanation();
            assert_eq!(explanation.code, **code);
            assert!(explanation.mend.len() > 12 && explanation.mend.ends_with('.'), "{code}");
            explanation.example.is_none() != is_about_no_text(**code)
        })
        .map(|code| code.name())
        .collect();
    assert_eq!(bare, [""; 0]);
}

#[test]
fn a_wrong_example_yields_its_code_and_the_right_one_does_not() {
    let mut broken = Vec::new();
    for code in Code::ALL {
        let Some(Example { setting, bad, good }) = code.explanation().example else { continue };
        let (bad, good) = (said(setting, bad), said(setting, good));
        if !bad.contains(code) || good.contains(code) {
            broken.push(format!("{code}: {bad:?} | {good:?}"));
        }
    }
    assert_eq!(broken, [""; 0]);
}

/// A record that is held up as right must be right: no other error may hide in it.
#[test]
fn a_right_example_that_is_a_record_has_no_error() {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let Some(Example { setting, good, .. }) = code.explanation().example else { continue };
        let report = match setting {
            Setting::Reading => validate::text(good, &Limits::DEFAULT),
            Setting::Validator([], "") | Setting::Strict([], "") => {
                Validator::builder().build().expect("it builds").validate(good)
            }
            _ => continue,
        };
        if !report.is_valid() {
            wrong.push(format!("{code}: {:?}", codes(&report)));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_code_is_found_by_name_and_by_number() {
    assert_eq!(Code::from_name("xml-doctype"), Some(Code::XmlDoctype));
    assert_eq!(Code::from_name("123"), Some(Code::XmlDoctype));
    assert_eq!(Code::from_name("none"), None);
}

/// `bundle-reference` stood in the catalogue for a while and nothing ever said it.
#[test]
fn every_code_is_said_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = String::new();
    for folder in ["core/src", "ffi/src", "python/src"] {
        gather(&root.join(folder), &mut sources);
    }
    let named = |code: &Code| {
        let word = format!("Code::{code:?}");
        sources
            .match_indices(&word)
            .any(|(at, _)| !sources[at + word.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()))
    };
    let never: Vec<&str> = Code::ALL.iter().filter(|code| !named(code)).map(|code| code.name()).collect();
    assert_eq!(never, [""; 0]);
}

/// All sources but the catalogue and its explanations, each up to its tests.
fn gather(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "explain" {
            gather(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" && name != "laws.rs" {
            let text = std::fs::read_to_string(&path).expect("it reads");
            sources.push_str(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
}
