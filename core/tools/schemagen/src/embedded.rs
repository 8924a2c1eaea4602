//! The package that the library has built in: R4's code systems, value sets and constraining profiles, without prose, and
//! without content that others license, in the packed form of `package::packed`.

use crate::Error;
use crate::package::Package;
use serde_json::{Map, Value};

/// A block is closed when it has as many bytes.
const BLOCK: usize = 256 << 10;

/// The index and the blocks: two lengths (inflated, as it is), the index, the blocks.
pub(crate) fn write(package: &Package) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    let mut own = Vec::new();
    for system in package.all("CodeSystem").iter().filter(|system| !is_withheld(text(system, "url"))) {
        own.push(text(system, "url"));
        line(&mut lines, code_system(system));
    }
    for set in package.all("ValueSet") {
        line(&mut lines, value_set(set, &own));
    }
    for profile in package.all("StructureDefinition") {
        if text(profile, "derivation") == "constraint" && profile.get("snapshot").is_some() {
            line(&mut lines, structure(profile));
        }
    }
    pack(&lines)
}

/// Writes the one package with these members.
fn pack(lines: &[Line]) -> Result<Vec<u8>, Error> {
    fn count(out: &mut Vec<u8>, count: usize) {
        out.extend_from_slice(&(count as u32).to_le_bytes());
    }
    fn text(out: &mut Vec<u8>, text: &str) {
        count(out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    fn maybe(out: &mut Vec<u8>, value: Option<&str>) {
        out.push(u8::from(value.is_some()));
        value.into_iter().for_each(|value| text(out, value));
    }
    let mut index = Vec::new();
    count(&mut index, 1);
    text(&mut index, "hl7.fhir.r4.core");
    text(&mut index, "4.0.1");
    maybe(&mut index, Some("http://hl7.org/fhir"));
    count(&mut index, 0);
    count(&mut index, 1);
    text(&mut index, "4.0.1");
    count(&mut index, lines.len());
    let mut blocks: Vec<Vec<u8>> = vec![Vec::new()];
    for line in lines {
        if blocks.last().is_some_and(|block| block.len() >= BLOCK) {
            blocks.push(Vec::new());
        }
        let number = blocks.len() - 1;
        let [kind, id, url, version] = &line.head;
        text(&mut index, kind.as_deref().unwrap_or_default());
        [id, url, version].into_iter().for_each(|value| maybe(&mut index, value.as_deref()));
        [number, blocks[number].len(), line.text.len()].into_iter().for_each(|place| count(&mut index, place));
        blocks[number].extend_from_slice(line.text.as_bytes());
    }
    count(&mut index, blocks.len());
    let mut packed = Vec::new();
    for block in &blocks {
        let bytes = zstd::bulk::compress(block, 22)?;
        count(&mut index, bytes.len());
        count(&mut index, block.len());
        packed.extend_from_slice(&bytes);
    }
    let head = zstd::bulk::compress(&index, 22)?;
    let mut out = Vec::new();
    count(&mut out, index.len());
    count(&mut out, head.len());
    out.extend_from_slice(&head);
    out.extend_from_slice(&packed);
    Ok(out)
}

/// What a packed file holds, to compare two of them: the bytes of its frames, inflated.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let frames = bytes.get(8..).ok_or("the packed file is too short")?;
    let mut plain = zstd::stream::decode_all(frames)?;
    // How long the compressed blocks are depends on the release of the compressor.
    let blocks = frames.windows(4).filter(|window| *window == [0x28, 0xb5, 0x2f, 0xfd]).count().saturating_sub(1);
    let length = u32::from_le_bytes(bytes[..4].try_into()?) as usize;
    for block in 0..blocks {
        let at = length.saturating_sub(8 * (blocks - block));
        if let Some(number) = plain.get_mut(at..at + 4) {
            number.fill(0);
        }
    }
    Ok(plain)
}

/// One resource: what the index says of it, and its text.
struct Line {
    head: [Option<String>; 4],
    text: String,
}

/// Code systems of the package that excerpt what is licensed by others.
fn is_withheld(url: &str) -> bool {
    let excerpts = [
        "ex-revenue-center",
        "ex-diagnosis-on-admission",
        "ex-diagnosisrelatedgroup",
        "ex-USCLS",
        "ex-icd-10-procedures",
    ];
    excerpts.iter().any(|name| url.ends_with(name)) || url.starts_with("urn:oid:1.2.36.1.2001")
}

/// Systems that are not R4's and whose codes may be listed: standards of form, and codes of countries and languages.
const OPEN: [&str; 6] = [
    "http://unitsofmeasure.org",
    "urn:ietf:bcp:13",
    "urn:ietf:bcp:47",
    "urn:ietf:rfc:3986",
    "urn:iso:std:iso:3166",
    "urn:oid:1.3.6.1.4.1.19376.1.2.3",
];

/// Where a list of codes is left out, the part asks for this value set as well, which nobody has: then nothing is firm.
const WITHHELD: &str = "urn:x-ehrcore:withheld";

/// What the library looks for in a line it does not read goes first.
const HEAD: [&str; 4] = ["resourceType", "id", "url", "version"];

fn line(lines: &mut Vec<Line>, mut resource: Value) {
    let (mut head, mut made) = ([const { None }; 4], String::from("{"));
    for (slot, name) in head.iter_mut().zip(HEAD) {
        if let Some(value) = resource.as_object_mut().and_then(|resource| resource.remove(name)) {
            made.push_str(&format!("{}:{value},", Value::from(name)));
            *slot = value.as_str().map(str::to_owned);
        }
    }
    made.push_str(&resource.to_string()[1..]);
    lines.push(Line { head, text: made });
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

fn pick(from: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), from.get(name)?.clone()))).collect()
}

fn code_system(system: &Value) -> Value {
    let names = [
        "resourceType",
        "id",
        "url",
        "version",
        "status",
        "caseSensitive",
        "content",
        "supplements",
        "hierarchyMeaning",
        "valueSet",
    ];
    let mut made = pick(system, &names);
    if let Some(concepts) = concepts(system) {
        made.insert("concept".to_owned(), concepts);
    }
    made.into()
}

fn concepts(owner: &Value) -> Option<Value> {
    let list = owner.get("concept")?.as_array()?;
    let made = list.iter().map(|concept| {
        let mut made = pick(concept, &["code"]);
        if text(concept, "display") != text(concept, "code") {
            made.extend(pick(concept, &["display"]));
        }
        let properties = concept["property"].as_array().into_iter().flatten();
        let kept: Vec<Value> = properties.filter(|property| property["code"] != "internalId").cloned().collect();
        if !kept.is_empty() {
            made.insert("property".to_owned(), kept.into());
        }
        if let Some(below) = concepts(concept) {
            made.insert("concept".to_owned(), below);
        }
        Value::from(made)
    });
    Some(made.collect::<Vec<_>>().into())
}

fn value_set(set: &Value, own: &[&str]) -> Value {
    let mut made = pick(set, &["resourceType", "id", "url", "version", "status", "immutable"]);
    let mut compose = Map::new();
    for side in ["include", "exclude"] {
        let parts: Vec<Value> =
            set["compose"][side].as_array().into_iter().flatten().map(|part| component(part, own)).collect();
        if !parts.is_empty() {
            compose.insert(side.to_owned(), parts.into());
        }
    }
    made.insert("compose".to_owned(), compose.into());
    made.into()
}

fn component(part: &Value, own: &[&str]) -> Value {
    let mut made = pick(part, &["system", "version", "filter", "valueSet"]);
    let system = text(part, "system");
    if let Some(list) = part["concept"].as_array() {
        if own.contains(&system) && system != "http://snomed.info/sct" || OPEN.contains(&system) {
            let codes = list.iter().map(|concept| pick(concept, &["code"]).into());
            made.insert("concept".to_owned(), codes.collect::<Vec<Value>>().into());
        } else {
            made.insert("valueSet".to_owned(), vec![Value::from(WITHHELD)].into());
        }
    }
    made.into()
}

fn structure(profile: &Value) -> Value {
    let names = [
        "resourceType",
        "id",
        "url",
        "version",
        "status",
        "fhirVersion",
        "kind",
        "abstract",
        "context",
        "contextInvariant",
        "type",
        "baseDefinition",
        "derivation",
        "snapshot",
    ];
    let mut made = pick(profile, &names);
    for element in made["snapshot"]["element"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        for prose in [
            "definition",
            "short",
            "comment",
            "mapping",
            "requirements",
            "alias",
            "example",
            "isModifierReason",
            "meaningWhenMissing",
            "orderMeaning",
            "isSummary",
        ] {
            element.remove(prose);
        }
        for constraint in element.get_mut("constraint").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(constraint) = constraint.as_object_mut() {
                constraint.remove("human");
                constraint.remove("xpath");
            }
        }
        if let Some(binding) = element.get_mut("binding").and_then(Value::as_object_mut) {
            binding.remove("description");
        }
    }
    made.into()
}
