//! The FHIRPath tests of HL7 for R4: a manifest in XML, and resources beside it (their JSON form is read).

use super::Score;
use ehrcore::fhirpath::{Collection, Expression, Item, Scope};
use ehrcore::record::Record;
use ehrcore::schema::type_by_name;
use ehrcore::time::Timestamp;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;
use std::path::Path;

/// The published list of deliberate differences: test, and why.
const DIFFERENCES: &str = include_str!("../../../../docs/fhirpath-differences.tsv");

#[derive(Default)]
struct Case {
    name: String,
    input: String,
    expression: String,
    invalid: Option<String>,
    predicate: bool,
    strict: bool,
    outputs: Vec<(Option<String>, String)>,
    unordered: bool,
}

pub(super) fn run(folder: &Path, score: &mut Score) -> crate::Done {
    let manifest = std::fs::read_to_string(folder.join("tests-fhir-r4.xml"))?;
    let mut inputs: HashMap<String, Option<Record>> = HashMap::new();
    for case in cases(&manifest)? {
        let name = if case.input.is_empty() { "patient-example.xml" } else { &case.input };
        let record = inputs.entry(name.to_owned()).or_insert_with(|| {
            let json = folder.join("input").join(Path::new(name).with_extension("json"));
            std::fs::read(json).ok().and_then(|bytes| Record::parse(&bytes).ok())
        });
        let Some(record) = record else {
            score.case(&case.name, false, "its input is not there");
            continue;
        };
        let outcome = judge(&case, record);
        let differs = DIFFERENCES.lines().any(|line| line.split('\t').next() == Some(&case.name));
        match outcome {
            Ok(()) => score.case(&case.name, !differs, "it passes, and is listed as a difference"),
            Err(why) => score.case(&case.name, differs, &format!("{why}: {}", case.expression.trim())),
        }
    }
    Ok(())
}

/// Whether the case comes out as the suite says. An error may come earlier than it says, not later: a mistake of types
/// that is found before there is a record is still a mistake.
fn judge(case: &Case, record: &Record) -> Result<(), String> {
    let of = type_by_name(record.kind().name()).ok_or("not a type")?;
    // Cases that are not strict may name elements that are not there, so they are compiled for any type; where a mistake
    // of types is expected, the type is given.
    let typed = case.strict || case.invalid.as_deref() == Some("semantic");
    let compiled =
        if typed { Expression::compile_for(&case.expression, of) } else { Expression::compile(&case.expression) };
    let expression = match (compiled, case.invalid.as_deref()) {
        (Err(_), Some(_)) => return Ok(()),
        (Err(error), None) => return Err(error.to_string()),
        (Ok(_), Some(kind @ ("syntax" | "semantic"))) => return Err(format!("it compiles, {kind} error expected")),
        (Ok(expression), _) => expression,
    };
    let scope = Scope::new(record.root()).now(Timestamp(1_795_514_400_000_000));
    let found = match (expression.evaluate(&scope), &case.invalid) {
        (Err(_), Some(_)) => return Ok(()),
        (Ok(_), Some(_)) => return Err("it gives a result, error expected".to_owned()),
        (Err(error), None) => return Err(error.to_string()),
        (Ok(found), None) => found,
    };
    if case.predicate {
        let truth = expression.holds(&scope).map_err(|error| error.to_string())?.unwrap_or(false);
        return same(&[("boolean".to_owned(), truth.to_string())], case);
    }
    same(&shown(&found), case)
}

/// Type and text of each item, in the words of the suite.
fn shown(found: &Collection<'_>) -> Vec<(String, String)> {
    let form = |item: &Item<'_>| {
        let name = item.type_name();
        let name = match item {
            Item::Element(_) | Item::Quantity(_) => name.to_owned(),
            _ => name[..1].to_lowercase() + &name[1..],
        };
        let at = match item.value() {
            Some(Item::Moment(moment)) if moment.kind() == ehrcore::fhirpath::MomentKind::Time => "@T",
            Some(Item::Moment(_)) => "@",
            _ => "",
        };
        (name, format!("{at}{}", item.text().unwrap_or_default()))
    };
    found.iter().map(form).collect()
}

fn same(found: &[(String, String)], case: &Case) -> Result<(), String> {
    let (mut found, mut wanted) = (found.to_vec(), case.outputs.clone());
    if case.unordered {
        found.sort();
        wanted.sort();
    }
    let fits = |(found, wanted): (&(String, String), &(Option<String>, String))| {
        wanted.0.as_ref().is_none_or(|kind| *kind == found.0)
            && (found.1 == wanted.1 || found.0 == "decimal" && is_whole(&found.1, &wanted.1))
    };
    if found.len() == wanted.len() && found.iter().zip(&wanted).all(fits) {
        return Ok(());
    }
    Err(format!("found {found:?}, wanted {wanted:?}"))
}

/// The suite writes 1 where a division may give 1 or 1.0.
fn is_whole(found: &str, wanted: &str) -> bool {
    found.strip_prefix(wanted).is_some_and(|rest| rest.trim_end_matches('0') == ".")
}

fn cases(manifest: &str) -> Result<Vec<Case>, Box<dyn std::error::Error>> {
    let mut reader = quick_xml::Reader::from_str(manifest);
    let (mut cases, mut case, mut text) = (Vec::new(), Case::default(), String::new());
    let attribute = |start: &BytesStart<'_>, name: &str| -> Option<String> {
        let found = start.try_get_attribute(name).ok().flatten()?;
        Some(found.value.to_string())
    };
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(cases),
            Event::Start(start) => {
                text.clear();
                match start.name().as_ref() {
                    "test" => {
                        case = Case {
                            name: attribute(&start, "name").unwrap_or_default(),
                            input: attribute(&start, "inputfile").unwrap_or_default(),
                            predicate: attribute(&start, "predicate").as_deref() == Some("true"),
                            strict: attribute(&start, "mode").as_deref() == Some("strict"),
                            unordered: attribute(&start, "ordered").as_deref() == Some("false"),
                            ..Case::default()
                        }
                    }
                    "expression" => case.invalid = attribute(&start, "invalid"),
                    "output" => case.outputs.push((attribute(&start, "type"), String::new())),
                    _ => {}
                }
            }
            Event::Text(found) => text.push_str(&found),
            Event::CData(found) => text.push_str(&found),
            Event::GeneralRef(found) => {
                let name: &str = &found;
                match found.resolve_char_ref()? {
                    Some(c) => text.push(c),
                    None => text.push_str(quick_xml::escape::resolve_predefined_entity(name).unwrap_or_default()),
                }
            }
            Event::End(end) => match end.name().as_ref() {
                "expression" => case.expression = text.clone(),
                "output" => {
                    if let Some(output) = case.outputs.last_mut() {
                        output.1 = text.clone();
                    }
                }
                "test" => cases.push(std::mem::take(&mut case)),
                _ => {}
            },
            _ => {}
        }
    }
}
