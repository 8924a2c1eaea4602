//! Breaks: each takes a right resource and breaks one rule of FHIR, so that a validator can be asked whether it sees it.

use serde_json::{Map, Value, json};

/// What must be known to see a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// JSON text and the structure of R4.
    Structure,
    /// The invariants of R4.
    Invariant,
    /// The profiles of US Core.
    Profile,
    /// Code systems and value sets.
    Terminology,
}

impl Level {
    /// Its name in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Structure => "structure",
            Level::Invariant => "invariant",
            Level::Profile => "profile",
            Level::Terminology => "terminology",
        }
    }
}

/// One kind of break.
pub struct Break {
    /// What it does to the resource.
    pub name: &'static str,
    /// What must be known to see it.
    pub level: Level,
    /// The resource type it applies to; empty means every type.
    pub kind: &'static str,
    how: How,
}

enum How {
    Text(fn(&str) -> Option<Vec<u8>>),
    Tree(fn(&mut Value) -> Option<()>),
}

impl Break {
    /// The broken text; None where this resource has nothing to break.
    pub fn apply(&self, kind: &str, json: &str) -> Option<Vec<u8>> {
        if !self.kind.is_empty() && self.kind != kind {
            return None;
        }
        match self.how {
            How::Text(edit) => edit(json),
            How::Tree(edit) => {
                let mut value: Value = serde_json::from_str(json).ok()?;
                let before = value.clone();
                edit(&mut value)?;
                (value != before).then(|| value.to_string().into_bytes())
            }
        }
    }
}

const fn text(name: &'static str, edit: fn(&str) -> Option<Vec<u8>>) -> Break {
    Break { name, level: Level::Structure, kind: "", how: How::Text(edit) }
}
const fn tree(level: Level, kind: &'static str, name: &'static str, edit: fn(&mut Value) -> Option<()>) -> Break {
    Break { name, level, kind, how: How::Tree(edit) }
}

fn set(value: &mut Value, pointer: &str, to: Value) -> Option<()> {
    let (parent, name) = pointer.rsplit_once('/')?;
    match value.pointer_mut(parent)? {
        Value::Object(map) => {
            map.insert(name.to_owned(), to);
        }
        Value::Array(items) => *items.get_mut(name.parse::<usize>().ok()?)? = to,
        _ => return None,
    }
    Some(())
}
fn replace(value: &mut Value, pointer: &str, to: Value) -> Option<()> {
    *value.pointer_mut(pointer)? = to;
    Some(())
}
fn remove(value: &mut Value, pointer: &str) -> Option<()> {
    let (parent, name) = pointer.rsplit_once('/')?;
    value.pointer_mut(parent)?.as_object_mut()?.remove(name).map(|_| ())
}
fn rename(value: &mut Value, from: &str, to: &str) -> Option<()> {
    let map: &mut Map<String, Value> = value.as_object_mut()?;
    let moved = map.remove(from)?;
    map.insert(to.to_owned(), moved);
    Some(())
}
fn narrative(value: &mut Value, status: &str, div: &str) -> Option<()> {
    set(value, "/text", json!({"status": status, "div": div}))
}
fn extension(value: &mut Value, extension: Value) -> Option<()> {
    set(value, "/extension", json!([extension]))
}
fn contained(value: &mut Value, resource: Value) -> Option<()> {
    set(value, "/contained", json!([resource]))
}
/// A resource becomes the one entry of a Bundle.
fn bundle(value: &mut Value, kind: &str, request: bool) -> Option<()> {
    let resource = value.take();
    let url = format!("http://example.org/fhir/{}/{}", resource["resourceType"].as_str()?, resource["id"].as_str()?);
    let mut entry = json!({"fullUrl": url, "resource": resource});
    if request {
        entry["request"] = json!({"method": "POST", "url": resource_type(&entry)?});
    }
    *value = json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
    Some(())
}
fn resource_type(entry: &Value) -> Option<String> {
    Some(entry["resource"]["resourceType"].as_str()?.to_owned())
}
/// Sets the codes of a US Core race extension.
fn race(value: &mut Value, parts: Value) -> Option<()> {
    extension(value, json!({"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "extension": parts}))
}
fn is(value: &Value, profile: &str) -> Option<()> {
    value.pointer("/meta/profile/0")?.as_str()?.ends_with(profile).then_some(())
}

const DIV: &str = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Seen.</p></div>";

use Level::{Invariant, Profile, Structure, Terminology};

/// Every kind of break.
pub const BREAKS: &[Break] = &[
    // the text
    text("a name twice in an object", |json| Some(json.replacen('{', "{\"id\":\"a\",", 1).into_bytes())),
    text("a byte order mark in front", |json| Some([b"\xef\xbb\xbf", json.as_bytes()].concat())),
    text("more text after the end", |json| Some(format!("{json}{{}}").into_bytes())),
    text("the text ends early", |json| Some(json.as_bytes()[..json.len() - 1].to_vec())),
    text("half a surrogate pair", |json| {
        Some(json.replacen("\"id\":\"", "\"language\":\"\\ud800\",\"id\":\"", 1).into())
    }),
    text("bytes that are not UTF-8", |json| {
        let at = json.find("\"id\":\"")? + 6;
        Some([&json.as_bytes()[..at], b"\xff", &json.as_bytes()[at..]].concat())
    }),
    text("a control character in a string", |json| Some(json.replacen("\"id\":\"", "\"id\":\"\u{1}", 1).into())),
    text("a number with a leading zero", |json| {
        json.contains("\"value\":1").then(|| json.replacen("\"value\":1", "\"value\":01", 1).into())
    }),
    text("a number with a plus sign", |json| {
        json.contains("\"value\":1").then(|| json.replacen("\"value\":1", "\"value\":+1", 1).into())
    }),
    // structure
    tree(Structure, "", "no resourceType", |v| remove(v, "/resourceType")),
    tree(Structure, "", "a resourceType that R4 does not have", |v| replace(v, "/resourceType", json!("Person2"))),
    tree(Structure, "", "an element that the type does not have", |v| set(v, "/remarks", json!("x"))),
    tree(Structure, "Patient", "an unknown element inside a data type", |v| set(v, "/name/0/middle", json!("x"))),
    tree(Structure, "Patient", "a misspelt element", |v| rename(v, "birthDate", "birthdate")),
    tree(Structure, "Observation", "a required element missing", |v| remove(v, "/status")),
    tree(Structure, "Observation", "a required object missing", |v| remove(v, "/code")),
    tree(Structure, "MedicationRequest", "a required choice missing", |v| remove(v, "/medicationCodeableConcept")),
    tree(Structure, "Patient", "a required element of a backbone missing", |v| remove(v, "/communication/0/language")),
    tree(Structure, "Patient", "an array for a single value", |v| replace(v, "/gender", json!(["female"]))),
    tree(Structure, "Patient", "a single value for an array", |v| {
        let first = v.pointer("/name/0")?.clone();
        replace(v, "/name", first)
    }),
    tree(Structure, "Observation", "a string for a number", |v| replace(v, "/valueQuantity/value", json!("7"))),
    tree(Structure, "Patient", "a number for a string", |v| replace(v, "/birthDate", json!(1974))),
    tree(Structure, "Patient", "a string for a truth value", |v| replace(v, "/active", json!("true"))),
    tree(Structure, "Patient", "an object for a primitive", |v| replace(v, "/gender", json!({"value": "female"}))),
    tree(Structure, "Observation", "a string for an object", |v| replace(v, "/code", json!("718-7"))),
    tree(Structure, "Patient", "an empty string", |v| replace(v, "/name/0/family", json!(""))),
    tree(Structure, "Patient", "an empty array", |v| replace(v, "/name", json!([]))),
    tree(Structure, "Observation", "an empty object", |v| replace(v, "/subject", json!({}))),
    tree(Structure, "Patient", "null for a value", |v| replace(v, "/birthDate", json!(null))),
    tree(Structure, "Observation", "two types of one choice", |v| {
        v.get("valueQuantity")?;
        set(v, "/valueString", json!("seven"))
    }),
    tree(Structure, "Observation", "a type that the choice does not have", |v| {
        rename(v, "valueQuantity", "valueMoney")
    }),
    tree(Structure, "Patient", "month 13", |v| replace(v, "/birthDate", json!("1974-13-01"))),
    tree(Structure, "Patient", "the 30th of February", |v| replace(v, "/birthDate", json!("1974-02-30"))),
    tree(Structure, "Patient", "a date in another order", |v| replace(v, "/birthDate", json!("25.12.1974"))),
    tree(Structure, "Observation", "a time without a zone", |v| {
        replace(v, "/effectiveDateTime", json!("2024-03-01T10:00:00"))
    }),
    tree(Structure, "Observation", "hour 25", |v| replace(v, "/effectiveDateTime", json!("2024-03-01T25:00:00Z"))),
    tree(Structure, "DiagnosticReport", "an instant without seconds", |v| {
        replace(v, "/issued", json!("2024-03-01T10:00Z"))
    }),
    tree(Structure, "", "an id that is too long", |v| replace(v, "/id", json!("a".repeat(65)))),
    tree(Structure, "", "an id with a slash", |v| replace(v, "/id", json!("a/b"))),
    tree(Structure, "Patient", "a code with a space at its end", |v| replace(v, "/gender", json!("female "))),
    tree(Structure, "Patient", "a uri with a space", |v| replace(v, "/identifier/0/system", json!("http://a b"))),
    tree(Structure, "Patient", "base64 that is none", |v| {
        set(v, "/photo", json!([{"contentType": "image/png", "data": "%%%2"}]))
    }),
    tree(Structure, "Patient", "zero for a positive integer", |v| set(v, "/telecom/0/rank", json!(0))),
    tree(Structure, "Patient", "a fraction for an integer", |v| set(v, "/multipleBirthInteger", json!(1.5))),
    tree(Structure, "Patient", "a code that the required set does not have", |v| replace(v, "/gender", json!("F"))),
    tree(Structure, "Patient", "a code in the wrong case", |v| replace(v, "/gender", json!("Female"))),
    tree(Structure, "Observation", "an unknown status", |v| replace(v, "/status", json!("done"))),
    tree(Structure, "Condition", "an unknown clinical status", |v| {
        replace(v, "/clinicalStatus/coding/0/code", json!("ongoing"))
    }),
    tree(Structure, "Observation", "a reference to a type that is not allowed", |v| {
        replace(v, "/subject/reference", json!("Practitioner/1"))
    }),
    tree(Structure, "Observation", "a reference of no form", |v| replace(v, "/subject/reference", json!("Patient 1"))),
    tree(Structure, "Observation", "a reference to a contained resource that is not there", |v| {
        replace(v, "/subject/reference", json!("#nobody"))
    }),
    tree(Structure, "Observation", "a contained resource inside a contained one", |v| {
        replace(v, "/subject/reference", json!("#p"))?;
        let inner = json!([{"resourceType": "Patient", "id": "q"}]);
        contained(v, json!({"resourceType": "Patient", "id": "p", "contained": inner}))
    }),
    tree(Structure, "", "a script in the narrative", |v| {
        narrative(v, "generated", "<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>1</script></div>")
    }),
    tree(Structure, "", "an event handler in the narrative", |v| {
        narrative(v, "generated", "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p onclick=\"x\">a</p></div>")
    }),
    tree(Structure, "", "a narrative that is not well-formed", |v| {
        narrative(v, "generated", "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</div>")
    }),
    tree(Structure, "", "a narrative without words", |v| {
        narrative(v, "generated", "<div xmlns=\"http://www.w3.org/1999/xhtml\"> </div>")
    }),
    tree(Structure, "", "a narrative of unknown status", |v| narrative(v, "auto", DIV)),
    tree(Structure, "Patient", "arrays of values and extensions of different length", |v| {
        set(v, "/name/0/_given", json!([null, null, {"id": "a"}]))
    }),
    tree(Structure, "", "a transaction without requests", |v| bundle(v, "transaction", false)),
    tree(Structure, "", "an unknown Bundle type", |v| bundle(v, "bunch", false)),
    // invariants of R4
    tree(Invariant, "", "ext-1: an extension with a value and extensions", |v| {
        let inner = json!([{"url": "http://example.org/b", "valueCode": "b"}]);
        extension(v, json!({"url": "http://example.org/a", "valueCode": "a", "extension": inner}))
    }),
    tree(Invariant, "", "ext-1: an extension with neither", |v| extension(v, json!({"url": "http://example.org/a"}))),
    tree(Invariant, "", "dom-3: a contained resource nobody refers to", |v| {
        contained(v, json!({"resourceType": "Patient", "id": "lonely", "active": true}))
    }),
    tree(Invariant, "Observation", "dom-4: a contained resource with a version", |v| {
        replace(v, "/subject/reference", json!("#p"))?;
        contained(v, json!({"resourceType": "Patient", "id": "p", "meta": {"versionId": "1"}}))
    }),
    tree(Invariant, "Observation", "dom-5: a contained resource with a security label", |v| {
        replace(v, "/subject/reference", json!("#p"))?;
        let label = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"});
        contained(v, json!({"resourceType": "Patient", "id": "p", "meta": {"security": [label]}}))
    }),
    tree(Invariant, "Observation", "obs-6: a value and a reason for having none", |v| {
        v.get("valueQuantity")?;
        set(v, "/dataAbsentReason", json!({"text": "broken"}))
    }),
    tree(Invariant, "Observation", "obs-7: a component with the code of the whole", |v| {
        v.get("valueQuantity")?;
        let code = v.get("code")?.clone();
        set(v, "/component", json!([{"code": code, "valueString": "x"}]))
    }),
    tree(Invariant, "Observation", "obs-3: a reference range that says nothing", |v| {
        replace(v, "/referenceRange/0", json!({"appliesTo": [{"text": "all"}]}))
    }),
    tree(Invariant, "Encounter", "per-1: a period that ends before it starts", |v| {
        replace(v, "/period/end", json!("1990-01-01"))
    }),
    tree(Invariant, "Condition", "con-4: abated and active", |v| {
        set(v, "/abatementDateTime", json!("2024-01-01"))?;
        replace(v, "/clinicalStatus/coding/0/code", json!("active"))
    }),
    tree(Invariant, "Condition", "con-5: in error and active", |v| {
        replace(v, "/verificationStatus/coding/0/code", json!("entered-in-error"))
    }),
    tree(Invariant, "AllergyIntolerance", "ait-1: no clinical status", |v| {
        (v.pointer("/verificationStatus/coding/0/code")? == "confirmed").then_some(())?;
        remove(v, "/clinicalStatus")
    }),
    tree(Invariant, "AllergyIntolerance", "ait-2: in error and active", |v| {
        v.get("clinicalStatus")?;
        replace(v, "/verificationStatus/coding/0/code", json!("entered-in-error"))
    }),
    tree(Invariant, "Patient", "cpt-2: a telephone number of no system", |v| remove(v, "/telecom/0/system")),
    tree(Invariant, "Observation", "qty-3: a unit code of no system", |v| remove(v, "/valueQuantity/system")),
    tree(Invariant, "Observation", "rng-2: a range whose low is above its high", |v| {
        v.get("valueQuantity")?;
        remove(v, "/valueQuantity")?;
        set(v, "/valueRange", json!({"low": {"value": 9}, "high": {"value": 1}}))
    }),
    tree(Invariant, "Observation", "rat-1: half a ratio", |v| {
        remove(v, "/valueQuantity")?;
        set(v, "/valueRatio", json!({"numerator": {"value": 1}}))
    }),
    tree(Invariant, "Patient", "pat-1: a contact nobody can reach", |v| {
        set(v, "/contact", json!([{"gender": "female"}]))
    }),
    tree(Invariant, "Patient", "att-1: an attachment of no type", |v| set(v, "/photo", json!([{"data": "aGVsbG8="}]))),
    tree(Invariant, "Organization", "org-1: neither name nor identifier", |v| {
        remove(v, "/name")?;
        remove(v, "/identifier")
    }),
    tree(Invariant, "Organization", "org-2: an organisation's home address", |v| {
        set(v, "/address", json!([{"use": "home", "city": "Springfield"}]))
    }),
    tree(Invariant, "Organization", "org-3: an organisation's home telephone", |v| {
        set(v, "/telecom", json!([{"system": "phone", "value": "555-0100", "use": "home"}]))
    }),
    tree(Invariant, "MedicationRequest", "tim-1: a duration of no unit", |v| {
        set(v, "/dosageInstruction/0/timing", json!({"repeat": {"duration": 2}}))
    }),
    tree(Invariant, "MedicationRequest", "tim-2: a time between doses of no unit", |v| {
        set(v, "/dosageInstruction/0/timing", json!({"repeat": {"frequency": 1, "period": 2}}))
    }),
    tree(Invariant, "MedicationRequest", "tim-5: less than no time between doses", |v| {
        set(v, "/dosageInstruction/0/timing", json!({"repeat": {"frequency": 1, "period": -2, "periodUnit": "d"}}))
    }),
    tree(Invariant, "MedicationRequest", "sqty-1: at most about one tablet", |v| {
        let dose = json!({"value": 1, "comparator": "<"});
        set(v, "/dosageInstruction/0/doseAndRate", json!([{"doseQuantity": dose}]))
    }),
    tree(Invariant, "", "bdl-1: a total in a collection", |v| {
        bundle(v, "collection", false)?;
        set(v, "/total", json!(1))
    }),
    tree(Invariant, "", "bdl-3: a request in a collection", |v| bundle(v, "collection", true)),
    tree(Invariant, "", "bdl-7: one fullUrl twice", |v| {
        bundle(v, "collection", false)?;
        let entry = v["entry"][0].clone();
        v["entry"].as_array_mut()?.push(entry);
        Some(())
    }),
    tree(Invariant, "", "bdl-8: a fullUrl with a version", |v| {
        bundle(v, "collection", false)?;
        let url = format!("{}/_history/1", v.pointer("/entry/0/fullUrl")?.as_str()?);
        replace(v, "/entry/0/fullUrl", json!(url))
    }),
    tree(Invariant, "", "bdl-11: a document that does not start with a Composition", |v| {
        bundle(v, "document", false)?;
        set(v, "/identifier", json!({"system": "http://example.org", "value": "1"}))?;
        set(v, "/timestamp", json!("2024-03-01T10:00:00Z"))
    }),
    // US Core
    tree(Profile, "Patient", "US Core: a patient without an identifier", |v| remove(v, "/identifier")),
    tree(Profile, "Patient", "US Core: a patient without a name", |v| remove(v, "/name")),
    tree(Profile, "Patient", "US Core: a patient without a gender", |v| remove(v, "/gender")),
    tree(Profile, "Patient", "US Core: an identifier without a value", |v| remove(v, "/identifier/0/value")),
    tree(Profile, "Patient", "US Core: a name with neither family nor given", |v| {
        replace(v, "/name/0", json!({"use": "official"}))
    }),
    tree(Profile, "Patient", "US Core: race without its text", |v| {
        let code = json!({"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3", "display": "White"});
        race(v, json!([{"url": "ombCategory", "valueCoding": code}]))
    }),
    tree(Profile, "Patient", "US Core: a part that race does not have", |v| {
        race(v, json!([{"url": "text", "valueString": "x"}, {"url": "shade", "valueString": "x"}]))
    }),
    tree(Profile, "Patient", "US Core: race twice", |v| {
        race(v, json!([{"url": "text", "valueString": "x"}]))?;
        let twice = v["extension"][0].clone();
        v["extension"].as_array_mut()?.push(twice);
        Some(())
    }),
    tree(Profile, "Patient", "US Core: a birth sex of the wrong type", |v| {
        let url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex";
        extension(v, json!({"url": url, "valueString": "F"}))
    }),
    tree(Profile, "Observation", "US Core: a laboratory result of another category", |v| {
        is(v, "observation-lab")?;
        replace(v, "/category/0/coding/0/code", json!("survey"))
    }),
    tree(Profile, "Observation", "US Core: a result without a subject", |v| remove(v, "/subject")),
    tree(Profile, "Observation", "US Core: a blood pressure without its systolic part", |v| {
        is(v, "blood-pressure")?;
        v["component"].as_array_mut()?.remove(0);
        Some(())
    }),
    tree(Profile, "Observation", "US Core: a heart rate with another code", |v| {
        is(v, "heart-rate")?;
        replace(v, "/code/coding/0/code", json!("8302-2"))
    }),
    tree(Profile, "Observation", "US Core: a body weight in another unit", |v| {
        is(v, "body-weight")?;
        replace(v, "/valueQuantity/code", json!("cm"))
    }),
    tree(Profile, "Observation", "US Core: a body height as text", |v| {
        is(v, "body-height")?;
        remove(v, "/valueQuantity")?;
        set(v, "/valueString", json!("tall"))
    }),
    tree(Profile, "Observation", "US Core: a vital sign without a time", |v| {
        is(v, "bmi")?;
        remove(v, "/effectiveDateTime")
    }),
    tree(Profile, "Condition", "US Core: a problem without a category", |v| remove(v, "/category")),
    tree(Profile, "Condition", "US Core: a problem without a code", |v| remove(v, "/code")),
    tree(Profile, "Encounter", "US Core: an encounter without a type", |v| remove(v, "/type")),
    tree(Profile, "Encounter", "US Core: an encounter without a subject", |v| remove(v, "/subject")),
    tree(Profile, "DiagnosticReport", "US Core: a laboratory report without its category", |v| {
        replace(v, "/category/0/coding/0/code", json!("RAD"))
    }),
    tree(Profile, "AllergyIntolerance", "US Core: an allergy to nothing", |v| remove(v, "/code")),
    // terminology
    tree(Terminology, "Observation", "a category code that its system does not have", |v| {
        replace(v, "/category/0/coding/0/code", json!("laboratories"))
    }),
    tree(Terminology, "Observation", "an interpretation that its system does not have", |v| {
        replace(v, "/interpretation/0/coding/0/code", json!("HIGH"))
    }),
    tree(Terminology, "Encounter", "a class that its system does not have", |v| {
        replace(v, "/class/code", json!("AMBU"))
    }),
    tree(Terminology, "Observation", "a unit that UCUM does not have", |v| {
        is(v, "observation-lab")?;
        replace(v, "/valueQuantity/code", json!("mg/dLL"))
    }),
    tree(Terminology, "Patient", "a language that is none", |v| {
        replace(v, "/communication/0/language/coding/0/code", json!("english_us"))
    }),
    tree(Terminology, "Patient", "an identifier type that its system does not have", |v| {
        replace(v, "/identifier/0/type/coding/0/code", json!("MRNO"))
    }),
    tree(Terminology, "Patient", "a race that the required set does not have", |v| {
        let code = json!({"system": "urn:oid:2.16.840.1.113883.6.238", "code": "9999-9"});
        race(v, json!([{"url": "ombCategory", "valueCoding": code}, {"url": "text", "valueString": "x"}]))
    }),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Charts;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_more_than_sixty_kinds_and_each_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = BREAKS.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), BREAKS.len());
        assert!(names.len() > 100, "{}", names.len());
    }

    #[test]
    fn every_kind_finds_something_to_break_in_a_hundred_charts() {
        let resources: Vec<_> = Charts::new(5).patients(100).flat_map(|chart| chart.resources).collect();
        for one in BREAKS {
            assert!(resources.iter().any(|r| one.apply(r.kind, &r.json).is_some()), "{}", one.name);
        }
    }
}
