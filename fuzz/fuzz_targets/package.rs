//! Any bytes as an archive, as the files of one, and as a definition: opening and asking never panics and comes to an end.
#![no_main]

use ehrcore::package::{Manifest, Package, PackageLimits, Packages};
use ehrcore::record::Record;
use ehrcore::terminology::{Coding, ExpansionOptions, Terminology};
use libfuzzer_sys::fuzz_target;
use std::io::Write;

fuzz_target!(|bytes: &[u8]| {
    let limits = PackageLimits { files: 100, file_bytes: 1 << 20, total_bytes: 4 << 20 };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory takes it");
    let packed = packed.finish().expect("memory takes it");
    for archive in [bytes, &packed] {
        if let Ok(package) = Package::from_tgz_bytes(archive, &limits) {
            let readable = package.resources().filter(|member| member.record().is_some()).count();
            assert!(readable <= package.resources().len());
        }
    }
    let Ok(record) = Record::parse(bytes) else { return };
    let url = record.root().text("url").map(|url| url.into_owned()).unwrap_or_default();
    let terminology = Terminology::new(&Packages::new().with(Package::from_records(Manifest::default(), [record])));
    let options = ExpansionOptions { limit: 10_000, ..ExpansionOptions::default() };
    if let Ok(expansion) = terminology.expand(&url, &options) {
        for entry in expansion.contains.iter().take(100) {
            let system = entry.system.as_deref().unwrap_or_default();
            let _ = terminology.validate_code(&url, &Coding::new(system, &entry.code));
        }
    }
    let _ = terminology.validate_coding(&Coding::new(&url, "a"));
    let _ = terminology.subsumes(&url, None, "a", "b");
    let _ = terminology.translate(&url, &Coding::code("a"));
});
