//! R4's own code systems, value sets and constraining profiles, compiled in as a packed package.

use super::packed::{Reader, unpack};
use super::{Package, Packages};
use std::sync::{Arc, OnceLock};

/// The package that is always there: R4's code systems, value sets and constraining profiles (extensions included), without
/// their prose. Codes that others license (SNOMED CT, LOINC, ...) are not in it. Parts of it are unpacked on first use.
///
/// [`Packages::find`] looks here for what no package of the host has.
pub fn built_in() -> &'static Package {
    &set().all()[0]
}

pub(super) fn set() -> &'static Packages {
    static SET: OnceLock<Packages> = OnceLock::new();
    SET.get_or_init(|| read(include_bytes!("generated/r4.packed")).expect("a test reads it"))
}

fn read(bytes: &[u8]) -> Option<Packages> {
    let mut lengths = Reader(bytes);
    let (plain, packed) = (lengths.number().ok()? as usize, lengths.number().ok()? as usize);
    let index = zstd::bulk::decompress(lengths.0.get(..packed)?, plain).ok()?;
    unpack(&mut Reader(&index), &Arc::from(bytes), 8 + packed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ResourceType;

    #[test]
    fn every_resource_that_is_built_in_can_be_read_and_is_found() {
        let package = built_in();
        assert!(package.report().issues().is_empty());
        assert!(package.resources().len() > 2_500, "{package:?}");
        for member in package.resources() {
            let record = member.record().expect("it can be read");
            assert_eq!(record.root().text("url").as_deref(), member.url());
        }
        let packages = Packages::new();
        assert!(packages.find(ResourceType::CODE_SYSTEM, "http://terminology.hl7.org/CodeSystem/v3-ActCode").is_some());
        assert!(packages.find(ResourceType::VALUE_SET, "http://hl7.org/fhir/ValueSet/languages|4.0.1").is_some());
        assert!(
            packages
                .find(ResourceType::STRUCTURE_DEFINITION, "http://hl7.org/fhir/StructureDefinition/patient-birthPlace")
                .is_some()
        );
    }

    #[test]
    fn no_list_of_licensed_codes_is_built_in() {
        let licensed =
            ["http://snomed.info/sct", "http://loinc.org", "rxnorm", "http://www.ama-assn.org/go/cpt", "icd-10"];
        for member in built_in().resources().filter(|member| member.kind() != ResourceType::STRUCTURE_DEFINITION) {
            let root = member.record().expect("it can be read").root();
            let licensed = |system: &str| licensed.iter().any(|name| system.contains(name));
            if member.kind() == ResourceType::CODE_SYSTEM {
                assert!(!licensed(member.url().unwrap_or_default()) || root.get("concept").is_none());
            }
            for side in ["include", "exclude"] {
                for part in root.get("compose").into_iter().flat_map(|compose| compose.list(side)) {
                    let system = part.text("system").unwrap_or_default();
                    assert!(!licensed(&system) || part.get("concept").is_none(), "{:?}", member.url());
                }
            }
        }
    }
}
