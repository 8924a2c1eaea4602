//! Search parameters and the patient compartment, their expressions compiled to paths.

use crate::package::Package;
use crate::types;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

pub(crate) fn write(package: &Package, types: &types::Tables) -> String {
    let mut out = package.provenance();
    out.push_str("use super::super::{PathProgram, SearchKind, SearchParameter, Step, Where};\n\n");
    let rows: Vec<String> =
        types.resources.iter().map(|name| format!("    ({name:?}, {}),\n", types.by_name[name])).collect();
    let _ = write!(
        out,
        "pub(in super::super) static RESOURCE_TYPES: [(&str, u16); {}] = [\n{}];\n\n",
        rows.len(),
        rows.concat()
    );

    let codes: BTreeSet<&str> = package.all("SearchParameter").iter().filter_map(|p| p["code"].as_str()).collect();
    let mut parameters: BTreeMap<&str, BTreeMap<&str, (usize, String, Vec<String>)>> = BTreeMap::new();
    for parameter in package.all("SearchParameter") {
        let (Some(code), Some(kind)) = (parameter["code"].as_str(), parameter["type"].as_str()) else { continue };
        let url = parameter["url"].as_str().unwrap_or("");
        if !url.starts_with("http://hl7.org/fhir/SearchParameter/") || url.contains("-extensions-") {
            continue;
        }
        let number = codes.iter().position(|known| *known == code).expect("collected above");
        let expression = parameter["expression"].as_str().unwrap_or("");
        let bases: Vec<&str> = parameter["base"].as_array().into_iter().flatten().filter_map(|b| b.as_str()).collect();
        for resource in &types.resources {
            let (general, own) =
                (bases.contains(&"Resource") || bases.contains(&"DomainResource"), bases.contains(&resource.as_str()));
            if !own && !general {
                continue;
            }
            let mut paths: Vec<String> = Vec::new();
            if kind != "composite" && kind != "special" {
                for part in expression.split('|') {
                    paths.extend(compile(part, resource));
                }
            }
            let mut variant = kind.to_owned();
            variant[..1].make_ascii_uppercase();
            let list = parameters.entry(resource).or_default();
            // A parameter of the resource's own goes before one that all resources have.
            if own || !list.contains_key(code) {
                list.insert(code, (number, variant, paths));
            }
        }
    }
    let _ =
        write!(out, "pub(in super::super) static PARAMETERS: [&[SearchParameter]; {}] = [\n", types.resources.len());
    for resource in &types.resources {
        out.push_str("    &[\n");
        for (code, (number, kind, paths)) in parameters.get(resource.as_str()).into_iter().flatten() {
            let _ = writeln!(
                out,
                "        SearchParameter {{ number: {number}, code: {code:?}, kind: SearchKind::{kind}, paths: &[{}] }},",
                paths.join(", ")
            );
        }
        out.push_str("    ],\n");
    }
    out.push_str("];\n\n");

    let compartment = package
        .all("CompartmentDefinition")
        .iter()
        .find(|c| c["code"] == "Patient" && c["url"].as_str().is_some_and(|u| u.ends_with("/patient")));
    let _ = write!(out, "pub(in super::super) static COMPARTMENT: [&[PathProgram]; {}] = [\n", types.resources.len());
    for resource in &types.resources {
        let params: Vec<&str> = compartment
            .and_then(|c| c["resource"].as_array())
            .into_iter()
            .flatten()
            .filter(|row| row["code"] == resource.as_str())
            .flat_map(|row| row["param"].as_array().into_iter().flatten())
            .filter_map(|param| param.as_str())
            .collect();
        let list = parameters.get(resource.as_str());
        // `patient` and `subject` say whose record it is; the other ways in (author, performer, ...) come after them.
        let mut ordered = params.clone();
        ordered.sort_by_key(|param| match *param {
            "patient" => 0,
            "subject" => 1,
            "beneficiary" => 2,
            _ => 3,
        });
        let mut paths: Vec<String> = Vec::new();
        for param in ordered {
            for path in list.and_then(|list| list.get(param)).map_or(&[][..], |row| &row.2) {
                if !paths.contains(path) {
                    paths.push(path.clone());
                }
            }
        }
        let _ = writeln!(out, "    &[{}],", paths.join(", "));
    }
    out.push_str("];\n");
    out
}

/// Compiles one alternative of an expression for one resource type; None where it is for another type or not of a form we
/// compile (extensions by address, positions, comparisons).
fn compile(part: &str, resource: &str) -> Option<String> {
    let mut part = part.trim();
    let mut cast = None;
    if let Some(inner) = part.strip_prefix('(').and_then(|p| p.strip_suffix(')')) {
        let (path, of) = inner.split_once(" as ")?;
        cast = Some(of.trim());
        part = path.trim();
    } else if let Some((path, of)) = part.split_once(" as ") {
        cast = Some(of.trim());
        part = path.trim();
    }
    let mut rest = None;
    for root in [resource, "Resource", "DomainResource"] {
        rest = rest.or_else(|| part.strip_prefix(root).and_then(|p| p.strip_prefix('.')));
    }
    let mut steps: Vec<(String, Option<String>, Option<String>)> = Vec::new();
    for piece in pieces(rest?) {
        if let Some(of) = call(&piece, "as").or_else(|| call(&piece, "ofType")) {
            steps.last_mut()?.1 = Some(of.to_owned());
        } else if let Some(condition) = call(&piece, "where") {
            let filter = if let Some(kind) = condition.strip_prefix("resolve() is ") {
                format!("Where::ResolvesTo({kind:?})")
            } else {
                let (field, value) = condition.split_once('=')?;
                let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
                if !field.trim().chars().all(char::is_alphanumeric) {
                    return None;
                }
                format!("Where::Equals({:?}, {value:?})", field.trim())
            };
            steps.last_mut()?.2 = Some(filter);
        } else if piece.chars().all(char::is_alphanumeric) {
            steps.push((piece, None, None));
        } else {
            return None;
        }
    }
    if let Some(cast) = cast {
        steps.last_mut()?.1 = Some(cast.to_owned());
    }
    let steps: Vec<String> = steps
        .into_iter()
        .map(|(name, of, filter)| {
            format!(
                "Step {{ name: {name:?}, as_type: {}, where_: {} }}",
                of.map_or("None".to_owned(), |of| format!("Some({of:?})")),
                filter.map_or("None".to_owned(), |filter| format!("Some({filter})"))
            )
        })
        .collect();
    Some(format!("PathProgram {{ steps: &[{}] }}", steps.join(", ")))
}

/// Splits at dots outside parentheses.
fn pieces(path: &str) -> Vec<String> {
    let (mut pieces, mut depth) = (vec![String::new()], 0);
    for c in path.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '.' if depth == 0 => {
                pieces.push(String::new());
                continue;
            }
            _ => {}
        }
        pieces.last_mut().expect("never empty").push(c);
    }
    pieces
}

/// The argument of `name(...)`.
fn call<'a>(piece: &'a str, name: &str) -> Option<&'a str> {
    piece.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')').map(str::trim)
}
