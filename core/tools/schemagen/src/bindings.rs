//! Code sets of required bindings, and the invariants.

use crate::package::Package;
use crate::types::{self, Element};
use crate::{numbers, slots};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

type Codes = BTreeSet<(String, String)>; // (system, code)

pub(crate) struct Tables {
    sets: BTreeMap<String, Codes>,
}

struct Terminology<'a> {
    value_sets: HashMap<&'a str, &'a Value>,
    code_systems: HashMap<&'a str, &'a Value>,
}

impl Tables {
    pub(crate) fn build(package: &Package, types: &types::Tables) -> Tables {
        let by_url = |kind| package.all(kind).iter().filter_map(|v| Some((v["url"].as_str()?, v))).collect();
        let terminology = Terminology { value_sets: by_url("ValueSet"), code_systems: by_url("CodeSystem") };
        let mut sets = BTreeMap::new();
        for element in types.types.iter().flat_map(|t| &t.elements).filter(|e| e.strength == 1) {
            let Some(url) = element.value_set.as_deref().map(unversioned) else { continue };
            if !sets.contains_key(url) {
                if let Some(codes) = terminology.expand(url, 0).filter(|codes| !codes.is_empty()) {
                    sets.insert(url.to_owned(), codes);
                }
            }
        }
        Tables { sets }
    }

    /// The row of the code set an element is bound to by a required binding.
    pub(crate) fn number(&self, element: &Element) -> u16 {
        let url = element.value_set.as_deref().filter(|_| element.strength == 1).map(unversioned);
        url.and_then(|url| self.sets.keys().position(|known| known == url)).map_or(u16::MAX, |at| at as u16)
    }

    pub(crate) fn write(&self, package: &Package, types: &types::Tables) -> String {
        let mut out = package.provenance();
        out.push_str("use super::super::{CodeSet, Invariant};\n\n");
        let systems: BTreeSet<&str> = self.sets.values().flatten().map(|(system, _)| system.as_str()).collect();
        let systems: Vec<&str> = systems.into_iter().collect();
        let (mut codes, mut count, mut rows, mut all_slots) = (String::new(), 0_u16, String::new(), Vec::new());
        // One text for all codes, each once: a table of texts would be twice the size, and be gone through when it is loaded.
        let (mut text, mut places) = (String::new(), BTreeMap::new());
        for (url, set) in &self.sets {
            let mut names: Vec<(&str, u16)> = Vec::new();
            for (system, code) in set {
                let number = systems.binary_search(&system.as_str()).expect("every system is listed");
                let start = *places.entry(code.as_str()).or_insert_with(|| {
                    text.push_str(code);
                    text.len() - code.len()
                });
                assert!(
                    text.len() <= usize::from(u16::MAX) && code.len() <= usize::from(u8::MAX),
                    "codes fit the table"
                );
                let _ = writeln!(codes, "    ({start}, {}, {number}),", code.len());
                names.push((code, count));
                count += 1;
            }
            let (table, bits) = slots(&names);
            let _ =
                writeln!(rows, "    CodeSet {{ url: {url:?}, first_slot: {}, slot_bits: {bits} }},", all_slots.len());
            all_slots.extend(table);
        }
        let _ = write!(
            out,
            "pub(in super::super) static CODE_SETS: [CodeSet; {}] = [\n{rows}];\n\n/// Where in the text a code starts, how long it is, and the row of its system.\npub(in super::super) static CODES: [(u16, u8, u16); {count}] = [\n{codes}];\n\npub(in super::super) static CODE_TEXT: &str = {text:?};\n\npub(in super::super) static CODE_SLOTS: [u16; {}] = [{}\n];\n\npub(in super::super) static SYSTEMS: [&str; {}] = {systems:#?};\n\n",
            self.sets.len(),
            all_slots.len(),
            numbers(&all_slots),
            systems.len()
        );
        let mut invariants = String::new();
        let (mut count, mut element_id) = (0, 0);
        for (type_id, row) in types.types.iter().enumerate() {
            let of_type = row.constraints.iter().map(|c| (u16::MAX as usize, type_id, c));
            let of_elements = row
                .elements
                .iter()
                .enumerate()
                .flat_map(|(i, e)| e.constraints.iter().map(move |c| (element_id + i, u16::MAX as usize, c)));
            for (element, of_type, (key, warning, expression)) in of_type.chain(of_elements) {
                let _ = writeln!(
                    invariants,
                    "    Invariant {{ key: {key:?}, warning: {warning}, expression: {expression:?}, element: {element}, of_type: {of_type} }},"
                );
                count += 1;
            }
            element_id += row.elements.len();
        }
        let _ = write!(out, "pub(in super::super) static INVARIANTS: [Invariant; {count}] = [\n{invariants}];\n");
        out
    }
}

fn unversioned(url: &str) -> &str {
    url.split('|').next().unwrap_or(url)
}

impl Terminology<'_> {
    /// The codes of a value set, or None where the package does not list them all.
    fn expand(&self, url: &str, depth: u8) -> Option<Codes> {
        if depth > 8 {
            return None;
        }
        let set = self.value_sets.get(unversioned(url))?;
        let mut codes = Codes::new();
        for include in set["compose"]["include"].as_array()? {
            codes.extend(self.component(include, depth)?);
        }
        for exclude in set["compose"]["exclude"].as_array().into_iter().flatten() {
            for code in self.component(exclude, depth)? {
                codes.remove(&code);
            }
        }
        Some(codes)
    }

    fn component(&self, part: &Value, depth: u8) -> Option<Codes> {
        let mut result: Option<Codes> = None;
        if let Some(system) = part["system"].as_str() {
            let mut codes = Codes::new();
            if let Some(concepts) = part["concept"].as_array() {
                codes.extend(concepts.iter().filter_map(|c| Some((system.to_owned(), c["code"].as_str()?.to_owned()))));
            } else {
                let known = self.code_systems.get(system)?;
                if known["content"] != "complete" {
                    return None;
                }
                let mut all = Vec::new();
                walk(&known["concept"], None, &mut all);
                let filters = part["filter"].as_array().map_or(&[][..], Vec::as_slice);
                for (code, ancestors) in &all {
                    let mut keep = true;
                    for filter in filters {
                        let value = filter["value"].as_str()?;
                        keep &= match (filter["op"].as_str()?, filter["property"].as_str()?) {
                            ("is-a", "concept") => code == value || ancestors.iter().any(|a| a == value),
                            ("descendent-of", "concept") => ancestors.iter().any(|a| a == value),
                            ("is-not-a", "concept") => code != value && ancestors.iter().all(|a| a != value),
                            _ => return None,
                        };
                    }
                    if keep {
                        codes.insert((system.to_owned(), code.clone()));
                    }
                }
            }
            result = Some(codes);
        }
        for nested in part["valueSet"].as_array().into_iter().flatten() {
            let codes = self.expand(nested.as_str()?, depth + 1)?;
            result = Some(match result {
                Some(before) => before.intersection(&codes).cloned().collect(),
                None => codes,
            });
        }
        result
    }
}

/// Every concept with the codes above it.
fn walk(concepts: &Value, above: Option<&Vec<String>>, all: &mut Vec<(String, Vec<String>)>) {
    for concept in concepts.as_array().into_iter().flatten() {
        let Some(code) = concept["code"].as_str() else { continue };
        let mut ancestors = above.cloned().unwrap_or_default();
        for property in concept["property"].as_array().into_iter().flatten() {
            if property["code"] == "subsumedBy" || property["code"] == "parent" {
                ancestors.extend(property["valueCode"].as_str().map(str::to_owned));
            }
        }
        all.push((code.to_owned(), ancestors.clone()));
        ancestors.push(code.to_owned());
        walk(&concept["concept"], Some(&ancestors), all);
    }
}
