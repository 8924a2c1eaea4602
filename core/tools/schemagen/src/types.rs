//! Types, elements, keys: from the StructureDefinitions that define a type.

use crate::bindings;
use crate::package::Package;
use crate::{Error, numbers, slots};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) min: u64,
    pub(crate) array: bool,
    pub(crate) choice: bool,
    pub(crate) types: Vec<u16>,
    pub(crate) targets: Vec<String>,
    pub(crate) strength: u8,
    pub(crate) value_set: Option<String>,
    pub(crate) constraints: Vec<(String, bool, String)>,
}

pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) kind: String,
    base: Option<String>,
    pub(crate) elements: Vec<Element>,
    pub(crate) constraints: Vec<(String, bool, String)>,
}

pub(crate) struct Tables {
    pub(crate) types: Vec<Type>,
    pub(crate) by_name: HashMap<String, u16>,
    pub(crate) resources: Vec<String>,
}

const PRIMITIVES: [(&str, &str); 20] = [
    ("boolean", "Boolean"),
    ("integer", "Integer"),
    ("positiveInt", "PositiveInt"),
    ("unsignedInt", "UnsignedInt"),
    ("decimal", "Decimal"),
    ("string", "String"),
    ("markdown", "Markdown"),
    ("code", "Code"),
    ("id", "Id"),
    ("uri", "Uri"),
    ("url", "Url"),
    ("canonical", "Canonical"),
    ("oid", "Oid"),
    ("uuid", "Uuid"),
    ("base64Binary", "Base64Binary"),
    ("date", "Date"),
    ("dateTime", "DateTime"),
    ("instant", "Instant"),
    ("time", "Time"),
    ("xhtml", "Xhtml"),
];

impl Tables {
    pub(crate) fn build(package: &Package) -> Result<Tables, Error> {
        let mut definitions: Vec<&Value> = package
            .all("StructureDefinition")
            .iter()
            .filter(|d| d["derivation"] != "constraint" && d["kind"] != "logical")
            .collect();
        definitions.sort_by_key(|d| (rank(d), d["name"].as_str().unwrap_or("").to_owned()));

        // Every type that will have a row: the definitions, and each element that has children.
        let mut names: Vec<(String, String, Option<String>)> = Vec::new();
        for definition in &definitions {
            let name = text(definition, "name");
            let base = definition["baseDefinition"].as_str().and_then(|url| url.rsplit('/').next()).map(str::to_owned);
            let kind = match definition["kind"].as_str() {
                Some("primitive-type") => {
                    let primitive = PRIMITIVES.iter().find(|p| p.0 == name).ok_or("an unknown primitive type")?;
                    format!("TypeKind::Primitive(Primitive::{})", primitive.1)
                }
                Some("resource") if name == "Resource" => "TypeKind::AnyResource".to_owned(),
                Some("resource") => "TypeKind::Resource".to_owned(),
                _ => "TypeKind::Complex".to_owned(),
            };
            names.push((name.clone(), kind, base));
            let paths: Vec<&str> = elements(definition).filter_map(|e| e["path"].as_str()).collect();
            for element in elements(definition).skip(1) {
                let path = element["path"].as_str().unwrap_or("");
                let code = element["type"][0]["code"].as_str().unwrap_or("");
                let has_children =
                    paths.iter().any(|p| p.starts_with(path) && p.as_bytes().get(path.len()) == Some(&b'.'));
                if has_children && (code == "BackboneElement" || code == "Element") {
                    names.push((path.to_owned(), "TypeKind::Backbone".to_owned(), Some(code.to_owned())));
                }
            }
        }
        let by_name: HashMap<String, u16> =
            names.iter().enumerate().map(|(i, (name, ..))| (name.clone(), i as u16)).collect();
        let mut types: Vec<Type> = names
            .into_iter()
            .map(|(name, kind, base)| Type { name, kind, base, elements: Vec::new(), constraints: Vec::new() })
            .collect();

        for definition in &definitions {
            let root = text(definition, "name");
            for element in elements(definition) {
                let path = element["path"].as_str().unwrap_or("");
                let Some((owner, name)) = path.rsplit_once('.') else {
                    types[by_name[&root] as usize].constraints = constraints(element, &root);
                    continue;
                };
                let owner = *by_name.get(owner).ok_or("an element whose owner has no row")?;
                if matches!(&*types[owner as usize].kind, kind if kind.contains("Primitive")) && name == "value" {
                    continue; // the value of a primitive is the JSON value itself
                }
                let made = make(element, path, name, &by_name, &types[owner as usize])?;
                types[owner as usize].elements.push(made);
            }
        }
        let mut resources: Vec<String> =
            types.iter().filter(|t| t.kind == "TypeKind::Resource").map(|t| t.name.clone()).collect();
        resources.retain(|name| name != "DomainResource");
        resources.sort();
        Ok(Tables { types, by_name, resources })
    }

    pub(crate) fn write(&self, package: &Package, bindings: &bindings::Tables) -> String {
        let mut pool = Pool::default();
        let mut out = package.provenance();
        out.push_str("use super::super::{ElementRow, KeyRow, Primitive, TypeKind, TypeRow};\n\n");
        let (mut types, mut elements, mut keys) = (String::new(), String::new(), String::new());
        let (mut all_slots, mut type_lists, mut targets) = (Vec::new(), Lists::default(), Lists::default());
        let (mut first_element, mut key_count) = (0_usize, 0_u16);
        for (owner, row) in self.types.iter().enumerate() {
            assert!(row.elements.len() <= 128, "{} has more than 128 elements", row.name);
            let mut required = 0_u128;
            let mut names: Vec<(String, u16)> = Vec::new();
            for (position, element) in row.elements.iter().enumerate() {
                if element.min > 0 {
                    required |= 1 << position;
                }
                let id = first_element + position;
                for type_id in &element.types {
                    let name = if element.choice {
                        let mut of = self.types[*type_id as usize].name.clone();
                        of[..1].make_ascii_uppercase();
                        format!("{}{of}", element.name)
                    } else {
                        element.name.clone()
                    };
                    let _ = writeln!(
                        keys,
                        "    KeyRow {{ name: {}, element: {id}, type_id: {type_id}, position: {position} }},",
                        pool.put(&name)
                    );
                    names.push((name, key_count));
                    key_count += 1;
                    if !element.choice {
                        break;
                    }
                }
                let numbers: Vec<u16> = element
                    .targets
                    .iter()
                    .map(|t| self.resources.binary_search(t).expect("a target is a resource type") as u16)
                    .collect();
                let _ = writeln!(
                    elements,
                    "    ElementRow {{ name: {}, owner: {owner}, types: {}, targets: {}, min: {}, array: {}, choice: {}, strength: {}, code_set: {} }},",
                    pool.put(&element.name),
                    type_lists.put(&element.types),
                    targets.put(&numbers),
                    element.min,
                    element.array,
                    element.choice,
                    element.strength,
                    bindings.number(element)
                );
            }
            let names: Vec<(&str, u16)> = names.iter().map(|(name, row)| (name.as_str(), *row)).collect();
            let (slots, bits) = slots(&names);
            let base = row.base.as_ref().and_then(|base| self.by_name.get(base)).copied().unwrap_or(u16::MAX);
            let _ = writeln!(
                types,
                "    TypeRow {{ name: {}, kind: {}, base: {base}, first_element: {first_element}, element_count: {}, required: {required:#x}, first_slot: {}, slot_bits: {bits} }},",
                pool.put(&row.name),
                row.kind,
                row.elements.len(),
                all_slots.len()
            );
            all_slots.extend(slots);
            first_element += row.elements.len();
        }
        let _ = write!(
            out,
            "pub(in super::super) static TYPES: [TypeRow; {}] = [\n{types}];\n\npub(in super::super) static ELEMENTS: [ElementRow; {first_element}] = [\n{elements}];\n\npub(in super::super) static KEYS: [KeyRow; {key_count}] = [\n{keys}];\n\n",
            self.types.len()
        );
        let _ = write!(
            out,
            "pub(in super::super) static SLOTS: [u16; {}] = [{}\n];\n\npub(in super::super) static TYPE_LISTS: [u16; {}] = [{}\n];\n\npub(in super::super) static TARGETS: [u8; {}] = [{}\n];\n\npub(in super::super) static POOL: &str = {:?};\n",
            all_slots.len(),
            numbers(&all_slots),
            type_lists.all.len(),
            numbers(&type_lists.all),
            targets.all.len(),
            numbers(&targets.all),
            pool.text
        );
        out
    }
}

/// Primitives first, then data types, then resources.
fn rank(definition: &Value) -> u8 {
    match definition["kind"].as_str() {
        Some("primitive-type") => 0,
        Some("complex-type") => 1,
        _ => 2,
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn elements(definition: &Value) -> impl Iterator<Item = &Value> {
    definition["snapshot"]["element"].as_array().into_iter().flatten()
}

/// The constraints an element states itself (those it inherits name another source).
fn constraints(element: &Value, root: &str) -> Vec<(String, bool, String)> {
    let own = format!("http://hl7.org/fhir/StructureDefinition/{root}");
    element["constraint"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|c| c["source"].as_str().is_none_or(|source| source == own))
        .filter_map(|c| Some((text(c, "key"), c["severity"] == "warning", c["expression"].as_str()?.to_owned())))
        .collect()
}

fn make(
    element: &Value,
    path: &str,
    name: &str,
    by_name: &HashMap<String, u16>,
    owner: &Type,
) -> Result<Element, Error> {
    let choice = name.ends_with("[x]");
    let mut types = Vec::new();
    let mut targets = Vec::new();
    if let Some(reference) = element["contentReference"].as_str() {
        types.push(*by_name.get(reference.trim_start_matches('#')).ok_or("a content reference without a row")?);
    } else if let Some(own) = by_name.get(path) {
        types.push(*own);
    } else {
        for listed in element["type"].as_array().into_iter().flatten() {
            let code = listed["code"].as_str().unwrap_or("");
            // FHIRPath types stand for the primitive inside `id`, `Extension.url` and the like.
            let code = match (code, owner.name.as_str(), name) {
                ("http://hl7.org/fhirpath/System.String", "Extension", "url") => "uri",
                ("http://hl7.org/fhirpath/System.String", ..) if owner.kind.contains("Resource") => "id",
                ("http://hl7.org/fhirpath/System.String", ..) => "string",
                _ => code,
            };
            types.push(*by_name.get(code).ok_or_else(|| format!("no row for type {code} of {path}"))?);
            for target in listed["targetProfile"].as_array().into_iter().flatten() {
                let target = target.as_str().and_then(|url| url.rsplit('/').next()).unwrap_or("");
                if target == "Resource" {
                    targets.clear();
                    break;
                }
                if code == "Reference" {
                    targets.push(target.to_owned());
                }
            }
        }
    }
    let strength = match element["binding"]["strength"].as_str() {
        Some("required") => 1,
        Some("extensible") => 2,
        Some("preferred") => 3,
        Some("example") => 4,
        _ => 0,
    };
    Ok(Element {
        name: name.trim_end_matches("[x]").to_owned(),
        min: element["min"].as_u64().unwrap_or(0),
        array: element["max"].as_str().is_some_and(|max| max != "0" && max != "1"),
        choice,
        types,
        targets,
        strength,
        value_set: element["binding"]["valueSet"].as_str().map(str::to_owned),
        constraints: constraints(element, path.split('.').next().unwrap_or("")),
    })
}

/// One string that holds every name once.
#[derive(Default)]
struct Pool {
    text: String,
    seen: BTreeMap<String, usize>,
}

impl Pool {
    fn put(&mut self, name: &str) -> String {
        let start = *self.seen.entry(name.to_owned()).or_insert_with(|| {
            let at = self.text.len();
            self.text.push_str(name);
            at
        });
        format!("({start}, {})", name.len())
    }
}

/// Short lists, each kept once.
#[derive(Default)]
struct Lists {
    all: Vec<u16>,
    seen: HashMap<Vec<u16>, usize>,
}

impl Lists {
    fn put(&mut self, list: &[u16]) -> String {
        if list.is_empty() {
            return "(0, 0)".to_owned();
        }
        let start = *self.seen.entry(list.to_vec()).or_insert_with(|| {
            self.all.extend_from_slice(list);
            self.all.len() - list.len()
        });
        format!("({start}, {})", list.len())
    }
}
