//! The packages that guides publish: each opens, each of its resources can be read, each of its value sets can be asked.

use crate::suites;
use ehrcore::error::Code;
use ehrcore::package::{Package, Packages};
use ehrcore::schema::ResourceType;
use ehrcore::terminology::{Coding, ExpansionOptions, Terminology};

#[test]
fn every_published_package_opens_and_what_its_value_sets_list_they_take() {
    let Some(folder) = suites::folder("definitions") else { return };
    let mut archives: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    archives.sort();
    let mut packages = Packages::new();
    for archive in archives {
        let package = if archive.extension().is_some_and(|end| end == "tgz") {
            Package::open(&archive)
        } else {
            Package::open(suites::unpack(&archive).path())
        };
        let package = package.expect("a package");
        // US Core 3.1.1 was published with one url twice.
        let twice = package.report().issues().iter().filter(|issue| issue.code == Code::PackageDuplicate).count();
        assert!(twice == package.report().issues().len() && twice <= 1, "{package:?} {:?}", package.report());
        assert!(package.resources().len() >= 70, "{package:?}");
        assert!(package.resources().all(|member| member.record().is_some()), "{package:?}");
        let terminology = Terminology::new(&Packages::new().with(package.clone()));
        let (mut sets, mut listed) = (0, 0);
        for set in package.resources().filter(|member| member.kind() == ResourceType::VALUE_SET) {
            let url = set.url().expect("a published value set has a url");
            sets += 1;
            assert!(terminology.value_set(url).is_some(), "{url}");
            let options = ExpansionOptions { limit: 10_000, ..ExpansionOptions::default() };
            let Ok(expansion) = terminology.expand(url, &options) else { continue };
            listed += 1;
            for entry in expansion.contains.iter().step_by(7) {
                let system = entry.system.as_deref().expect("a published code has a system");
                assert!(terminology.validate_code(url, &Coding::new(system, &entry.code)).is_in(), "{url}");
            }
        }
        assert!(listed * 4 >= sets, "{package:?}: {listed} of {sets} value sets can be listed");
        packages.add(package);
    }
    let patient = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient";
    let version = |canonical: &str| {
        packages.find(ResourceType::STRUCTURE_DEFINITION, canonical).and_then(|member| member.version())
    };
    assert_eq!(version(patient), Some("8.0.0"), "the newest, where none is asked for");
    assert_eq!(version(&format!("{patient}|3.1.1")), Some("3.1.1"));
    assert_eq!(version(&format!("{patient}|9.9.9")), None);
}
