//! USCDI: which of its data classes and elements records cover, and which are missing.
//!
//! The names are those of the United States Core Data for Interoperability, versions 3 and 4; what counts as covering an
//! element is said in FHIRPath over the resource types where US Core puts it. An element is covered where a record has it:
//! this says nothing about whether the record conforms to a profile. Records that were entered in error do not count.

mod facts;

use crate::error::Result;
use crate::fhirpath::{Expression, Scope};
use crate::record::{Node, Record};
use crate::schema::ResourceType;
use std::collections::HashMap;

/// A version of USCDI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Version 3, of 2022.
    V3,
    /// Version 4, of 2023.
    V4,
}

impl Version {
    /// Both, in order.
    pub const ALL: [Version; 2] = [Version::V3, Version::V4];
    /// The name: `v3`, `v4`.
    pub const fn name(self) -> &'static str {
        match self {
            Version::V3 => "v3",
            Version::V4 => "v4",
        }
    }
}

/// How far one data element is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The data class.
    pub class: &'static str,
    /// The data element.
    pub element: &'static str,
    /// How many records have it.
    pub records: u64,
}

/// Counts what records cover.
///
/// # Example
/// ```
/// use ehrcore::record::Record;
/// use ehrcore::uscdi::{Coverage, Version};
/// let mut coverage = Coverage::new(Version::V3).expect("the table is right");
/// coverage.take(&Record::parse(br#"{"resourceType":"Patient","birthDate":"1970"}"#).expect("a resource"));
/// assert!(coverage.rows().any(|row| row.element == "Date of Birth" && row.records == 1));
/// assert!(coverage.missing().any(|row| row.element == "Last Name"));
/// ```
#[derive(Debug)]
pub struct Coverage {
    rows: Vec<Row>,
    /// For each resource type: which row, and what a record must have.
    paths: HashMap<ResourceType, Vec<(usize, Expression)>>,
}

impl Coverage {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// - none while the table of paths is as tested.
    pub fn new(version: Version) -> Result<Self> {
        let mut made = Coverage { rows: Vec::new(), paths: HashMap::new() };
        for fact in facts::FACTS.iter().filter(|fact| fact.since <= version) {
            for (kind, path) in fact.paths {
                let Some(kind) = ResourceType::from_name(kind) else { continue };
                made.paths.entry(kind).or_default().push((made.rows.len(), Expression::compile(path)?));
            }
            made.rows.push(Row { class: fact.class_in(version), element: fact.element, records: 0 });
        }
        Ok(made)
    }

    /// Counts a record; of a Bundle, its entries.
    pub fn take(&mut self, record: &Record) {
        let root = record.root();
        if record.kind().name() != "Bundle" {
            return self.resource(root);
        }
        for resource in root.list("entry").filter_map(|entry| entry.get("resource")) {
            self.resource(resource);
        }
    }

    fn resource(&mut self, node: Node<'_>) {
        let kind = node.type_id().and_then(|kind| ResourceType::from_name(kind.name()));
        let Some(paths) = kind.and_then(|kind| self.paths.get(&kind)) else { return };
        if in_error(node) {
            return;
        }
        let scope = Scope::new(node);
        for (row, path) in paths {
            if path.holds(&scope).is_ok_and(|holds| holds == Some(true)) {
                self.rows[*row].records += 1;
            }
        }
    }

    /// Every data element, class by class.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }
    /// The data elements that no record has.
    pub fn missing(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.records == 0)
    }
}

fn in_error(node: Node<'_>) -> bool {
    let code = |node: Node<'_>| node.as_str().is_some_and(|code| code == "entered-in-error");
    let coded = |node: Node<'_>| node.list("coding").filter_map(|coding| coding.get("code")).any(code);
    node.get("status").is_some_and(|status| code(status) || coded(status))
        || node.get("verificationStatus").is_some_and(coded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::type_by_name;
    use std::collections::BTreeSet;

    fn covered(version: Version, texts: &[&str]) -> Vec<&'static str> {
        let mut coverage = Coverage::new(version).expect("the table is right");
        for text in texts {
            coverage.take(&Record::parse(text.as_bytes()).expect("a resource"));
        }
        coverage.rows().filter(|row| row.records > 0).map(|row| row.element).collect()
    }

    #[test]
    fn every_path_fits_its_resource_type() {
        for fact in facts::FACTS {
            for (kind, path) in fact.paths {
                let type_id = type_by_name(kind).expect("a type of R4");
                let compiled = Expression::compile_for(path, type_id);
                assert!(compiled.is_ok(), "{} {kind} {path}: {compiled:?}", fact.element);
            }
            assert!(!fact.paths.is_empty(), "{}", fact.element);
        }
    }

    #[test]
    fn the_versions_have_their_classes_and_elements() {
        for (version, classes, elements) in [(Version::V3, 19, 94), (Version::V4, 20, 114)] {
            let coverage = Coverage::new(version).expect("the table is right");
            let names: BTreeSet<&str> = coverage.rows().map(|row| row.class).collect();
            assert_eq!((names.len(), coverage.rows().count()), (classes, elements), "{names:?}");
        }
    }

    #[test]
    fn what_records_have_is_counted() {
        let patient = r#"{"resourceType":"Patient","name":[{"family":"A","given":["B","C"]}],"gender":"female","birthDate":"1970",
            "telecom":[{"system":"phone","value":"1","use":"home"}],
            "extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"text","valueString":"x"}]}]}"#;
        assert_eq!(
            covered(Version::V3, &[patient]),
            [
                "First Name",
                "Last Name",
                "Middle Name",
                "Date of Birth",
                "Race",
                "Sex",
                "Phone Number",
                "Phone Number Type"
            ]
        );
        let pressure = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
            "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
            "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120}}]}"#;
        assert_eq!(covered(Version::V4, &[pressure]), ["Systolic Blood Pressure"]);
        let bundle = format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{pressure}}},{{"resource":{pressure}}}]}}"#
        );
        let mut coverage = Coverage::new(Version::V3).expect("the table is right");
        coverage.take(&Record::parse(bundle.as_bytes()).expect("a Bundle"));
        assert_eq!(coverage.rows().map(|row| row.records).sum::<u64>(), 2);
        assert_eq!(coverage.missing().count(), 93);
    }

    #[test]
    fn what_was_entered_in_error_does_not_count() {
        let immunization = r#"{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"reference":"Patient/1"}}"#;
        assert_eq!(covered(Version::V3, &[immunization]), ["Immunizations"]);
        assert_eq!(covered(Version::V3, &[&immunization.replace("completed", "entered-in-error")]), [""; 0]);
    }

    #[test]
    fn made_up_charts_cover_most_of_the_core() {
        let mut coverage = Coverage::new(Version::V3).expect("the table is right");
        for chart in ehrcore_synthetic::Charts::new(3).patients(10) {
            coverage.take(&Record::parse(chart.transaction().as_bytes()).expect("a Bundle"));
        }
        let have: BTreeSet<&str> = coverage.rows().filter(|row| row.records > 0).map(|row| row.class).collect();
        assert!(have.contains("Patient Demographics/Information") && have.contains("Vital Signs"), "{have:?}");
    }
}
