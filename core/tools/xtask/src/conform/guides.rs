//! Published examples of guides, each against the package of its version, and the unit tests of their constraints.

use super::{Score, explained};
use crate::Done;
use ehrcore::package::Package;
use ehrcore::record::Record;
use ehrcore::report::Severity;
use ehrcore::validate::Validator;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The examples of each `us-core-VERSION-examples.tar.xz`: no error, save those explained.
pub(super) fn us_core_examples(folder: &Path, definitions: &Path, score: &mut Score) -> Done {
    for archive in archives(folder)? {
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(version) = name.strip_prefix("us-core-").and_then(|rest| rest.split("-examples").next()) else {
            continue;
        };
        let validator = guide(definitions, "hl7.fhir.us.core", version)?;
        let unpacked = unpack(&archive)?;
        for path in json_files(unpacked.path())? {
            example(&validator, &path, version, score)?;
        }
    }
    Ok(())
}

/// The examples of the International Patient Summary.
pub(super) fn ips_examples(folder: &Path, definitions: &Path, score: &mut Score) -> Done {
    let validator = guide(definitions, "hl7.fhir.uv.ips", "2.0.0")?;
    for path in json_files(folder)? {
        example(&validator, &path, "ips", score)?;
    }
    Ok(())
}

/// The constraint that a test names breaks or holds, as the manifest says.
pub(super) fn us_core_invariants(folder: &Path, definitions: &Path, score: &mut Score) -> Done {
    let manifest: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    let (name, version) = ("hl7.fhir.us.core", "8.0.0");
    let validator = guide(definitions, name, version)?;
    let unpacked = unpack(&definitions.join(format!("{name}-{version}.tar.xz")))?;
    let package = Package::open(unpacked.path())?;
    for row in &manifest {
        let file = row["file"].as_str().unwrap_or_default();
        let key = row["constraint"].as_str().unwrap_or_default();
        let kind = row["resourceType"].as_str().unwrap_or_default();
        let profiles: Vec<&str> = package
            .resources()
            .filter(|member| member.kind().name() == "StructureDefinition")
            .filter(|member| member.record().is_some_and(|record| has_constraint(record, kind, key)))
            .filter_map(|member| member.url())
            .collect();
        let record = Record::parse(&std::fs::read(folder.join(file))?).map_err(|error| error.to_string())?;
        let report = validator.validate_against(&record, &profiles);
        let broken =
            report.issues().iter().any(|issue| issue.rule.as_deref() == Some(key) && issue.code.number() != 317);
        let unread =
            report.issues().iter().any(|issue| issue.rule.as_deref() == Some(key) && issue.code.number() == 317);
        let why = if unread { "the constraint was not read" } else { "the other way round" };
        if explained(file, "Observation.component", key) || explained(file, "Provenance.agent", key) {
            continue;
        }
        score.case(file, !unread && broken == (row["expect"] == "fail"), why);
    }
    Ok(())
}

/// Whether a definition is about a type and has a constraint of that key.
fn has_constraint(definition: &Record, kind: &str, key: &str) -> bool {
    let root = definition.root();
    let elements = root.get("snapshot").into_iter().flat_map(|snapshot| snapshot.list("element"));
    let has = |one: ehrcore::record::Node<'_>| one.text("key").as_deref() == Some(key);
    root.text("type").as_deref() == Some(kind) && elements.flat_map(|element| element.list("constraint")).any(has)
}

fn example(validator: &Validator, path: &Path, version: &str, score: &mut Score) -> Done {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let report = validator.validate(&std::fs::read(path)?);
    let errors = report.issues().iter().filter(|issue| issue.severity <= Severity::Error);
    let left: Vec<String> = errors
        .filter(|issue| !explained(&name, &issue.path, issue.code.name()))
        .map(|issue| {
            let (profile, rule) =
                (issue.profile.as_deref().unwrap_or_default(), issue.rule.as_deref().unwrap_or_default());
            format!("{} {} {} ({profile} {rule})", issue.path, issue.code, issue.message)
        })
        .collect();
    score.case(&format!("{version} {name}"), left.is_empty(), &left.join(" | "));
    Ok(())
}

/// The validator of one version of a guide, with what its archive has beside the package.
pub(crate) fn guide(definitions: &Path, name: &str, version: &str) -> Result<Validator, Box<dyn std::error::Error>> {
    let unpacked = unpack(&definitions.join(format!("{name}-{version}.tar.xz")))?;
    let mut builder = Validator::builder();
    let extra = unpacked.path().join("extra");
    if extra.is_dir() {
        builder = builder.opened(Package::open(extra)?);
    }
    Ok(builder.package(unpacked.path())?.build()?)
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(".tar.xz"));
    found.sort();
    Ok(found)
}

/// The `.json` files below a folder that hold resources.
fn json_files(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(json_files(&path)?);
        } else if path.extension().is_some_and(|end| end == "json") && entry.file_name() != "index.json" {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn unpack(archive: &Path) -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
    let unpacked = tempfile::tempdir()?;
    let done = Command::new("tar").arg("xf").arg(archive).arg("-C").arg(unpacked.path()).status();
    if !done.is_ok_and(|status| status.success()) {
        return Err("tar (with xz) is needed to unpack an archive of the suite".into());
    }
    Ok(unpacked)
}
