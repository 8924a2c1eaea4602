use super::set::compare_versions;
use super::*;
use proptest::prelude::*;
use std::cmp::Ordering;
use std::io::Write;

/// A tar archive of these files, as plain as it can be.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        let mut block = |kind: u8, name: &[u8], content: &[u8]| {
            let mut header = [0_u8; 512];
            header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[148..156].fill(b' ');
            header[156] = kind;
            header[257..262].copy_from_slice(b"ustar");
            let sum: usize = header.iter().map(|byte| *byte as usize).sum();
            header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
            out.extend_from_slice(&header);
            out.extend_from_slice(content);
            out.resize(out.len().div_ceil(512) * 512, 0);
        };
        if name.len() > 100 {
            block(b'L', b"././@LongLink", format!("{name}\0").as_bytes());
        }
        block(b'0', name.as_bytes(), content);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("memory takes it");
    out.finish().expect("memory takes it")
}

fn open(files: &[(&str, &[u8])]) -> Package {
    Package::from_tgz_bytes(&gzip(&tar(files)), &PackageLimits::DEFAULT).expect("an archive")
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.issues().iter().map(|issue| issue.code.name()).collect()
}

const MANIFEST: &[u8] =
    br#"{"name":"example","version":"1.2.0","canonical":"http://example.org","fhirVersions":["4.0.1"],
    "dependencies":{"hl7.fhir.r4.core":"4.0.1","other":"2.0.0"}}"#;
const COLOURS: &[u8] =
    br#"{"resourceType":"ValueSet","id":"colours","url":"http://example.org/colours","version":"1.2.0"}"#;

#[test]
fn an_archive_gives_its_manifest_and_resources() {
    let long = format!("package/{}.json", "x".repeat(120));
    let package = open(&[
        ("package/package.json", MANIFEST),
        ("package/.index.json", b"{}"),
        ("package/ValueSet-colours.json", COLOURS),
        ("package/example/Patient-1.json", br#"{"resourceType":"Patient"}"#),
        (&long, br#"{"resourceType":"CodeSystem","url":"http://example.org/cs"}"#),
    ]);
    let manifest = package.manifest();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("example", "1.2.0"));
    assert_eq!(manifest.dependencies[1], ("other".to_owned(), "2.0.0".to_owned()));
    assert_eq!(manifest.fhir_versions, ["4.0.1"]);
    assert_eq!(codes(package.report()), [""; 0]);
    let found: Vec<_> = package.resources().map(|member| (member.kind().name(), member.id())).collect();
    assert_eq!(found, [("ValueSet", Some("colours")), ("CodeSystem", None)]);
    let record = package.resources().next().expect("two").record().expect("it can be read");
    assert_eq!(record.original(), COLOURS);
}

#[test]
fn a_bad_file_is_a_finding_and_the_rest_is_kept() {
    let package = open(&[
        ("package/a.json", b"{"),
        ("package/b.json", br#"{"resourceType":"Marker"}"#),
        ("/package/c.json", COLOURS),
        ("package/../../d.json", COLOURS),
        ("package/e.json", COLOURS),
        ("package/f.json", COLOURS),
    ]);
    assert_eq!(package.resources().len(), 2);
    assert_eq!(
        codes(package.report()),
        ["package-member", "package-member", "package-path", "package-path", "package-duplicate", "package-manifest"]
    );
    assert!(!format!("{:?}", package.report()).contains("Marker"));
}

#[test]
fn a_resource_whose_body_is_broken_has_a_head_and_no_record() {
    let package = open(&[("package/a.json", br#"{"resourceType":"ValueSet","url":"u","name":tru}"#)]);
    let member = package.resources().next().expect("the head is fine");
    assert_eq!(member.url(), Some("u"));
    assert!(member.record().is_none());
}

#[test]
fn bytes_that_are_no_archive_and_archives_cut_short_are_refused() {
    let refused =
        |bytes: &[u8]| Package::from_tgz_bytes(bytes, &PackageLimits::DEFAULT).expect_err("no archive").code();
    assert_eq!(refused(b""), Code::PackageUnreadable);
    assert_eq!(refused(b"PK\x03\x04"), Code::PackageUnreadable);
    assert_eq!(refused(&gzip(b"not a tar archive")), Code::PackageUnreadable);
    let plain = tar(&[("package/a.json", COLOURS)]);
    assert_eq!(refused(&gzip(&plain[..600])), Code::PackageUnreadable);
    let whole = gzip(&plain);
    assert_eq!(refused(&whole[..whole.len() - 9]), Code::PackageUnreadable);
    let mut broken = plain;
    broken[130] = b'9';
    assert_eq!(refused(&gzip(&broken)), Code::PackageUnreadable);
}

#[test]
fn an_archive_over_a_limit_is_refused_before_it_fills_the_memory() {
    let files: Vec<(&str, &[u8])> = vec![("package/a.json", COLOURS); 5];
    let archive = gzip(&tar(&files));
    let open = |limits| Package::from_tgz_bytes(&archive, &limits);
    let code = |limits| open(limits).expect_err("over a limit").code();
    assert_eq!(code(PackageLimits { files: 4, ..PackageLimits::DEFAULT }), Code::PackageLimit);
    assert_eq!(code(PackageLimits { total_bytes: 2000, ..PackageLimits::DEFAULT }), Code::PackageLimit);
    let small = open(PackageLimits { file_bytes: 10, ..PackageLimits::DEFAULT }).expect("each file is left aside");
    assert_eq!((small.resources().len(), small.report().issues().len()), (0, 6));
    let bomb = gzip(&vec![0; 50 << 20]);
    let limits = PackageLimits { total_bytes: 1 << 20, ..PackageLimits::DEFAULT };
    assert_eq!(Package::from_tgz_bytes(&bomb, &limits).expect_err("a bomb").code(), Code::PackageLimit);
}

#[test]
fn a_folder_opens_with_or_without_package_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("it can be written");
    write("a.json", COLOURS);
    write("b.txt", b"aside");
    let loose = Package::open(folder.path()).expect("a folder");
    assert_eq!((loose.resources().len(), loose.report().issues().len()), (1, 0));
    std::fs::create_dir(folder.path().join("package")).expect("a folder");
    write("package/package.json", MANIFEST);
    write("package/b.json", COLOURS);
    write("package/c.json", b"[]");
    let package = Package::open(folder.path()).expect("a folder");
    assert_eq!((package.manifest().name.as_str(), package.resources().len()), ("example", 1));
    assert_eq!(codes(package.report()), ["package-member"]);
    let small = PackageLimits { file_bytes: 10, ..PackageLimits::DEFAULT };
    assert_eq!(Package::open_within(folder.path(), &small).expect("left aside").resources().len(), 0);
    for limits in [
        PackageLimits { files: 1, ..PackageLimits::DEFAULT },
        PackageLimits { total_bytes: 100, ..PackageLimits::DEFAULT },
    ] {
        assert_eq!(Package::open_within(folder.path(), &limits).expect_err("over").code(), Code::PackageLimit);
    }
    write("a.tgz", &gzip(&tar(&[("package/package.json", MANIFEST)])));
    assert_eq!(Package::open(folder.path().join("a.tgz")).expect("an archive").manifest().version, "1.2.0");
    assert_eq!(Package::open(folder.path().join("none.tgz")).expect_err("nothing there").code(), Code::Io);
}

fn set(id: &str, url: &str, version: &str) -> Record {
    let text = format!(r#"{{"resourceType":"ValueSet","id":"{id}","url":"{url}","version":"{version}"}}"#);
    Record::parse(text.as_bytes()).expect("a resource")
}

#[test]
fn a_canonical_finds_the_version_asked_for_or_the_newest() {
    let first = Package::from_records(Manifest::default(), [set("a", "u", "1.9.0"), set("b", "u", "1.10.0")]);
    let second = Package::from_records(Manifest::default(), [set("c", "u", "1.10.0-ballot"), set("d", "u", "1.9.0")]);
    let packages = Packages::new().with(first).with(second);
    let find = |canonical: &str| packages.find(ResourceType::VALUE_SET, canonical).and_then(|member| member.id());
    assert_eq!(find("u"), Some("b"));
    assert_eq!(find("u|"), Some("b"));
    assert_eq!(find("u#part"), Some("b"));
    assert_eq!(find("u|1.9.0"), Some("d"));
    assert_eq!(find("u|1.9"), Some("d"));
    assert_eq!(find("u|1"), Some("b"));
    assert_eq!(find("u|1.1"), None);
    assert_eq!(find("v"), None);
    assert!(packages.find(ResourceType::CODE_SYSTEM, "u").is_none());
    assert_eq!(packages.find_by_id(ResourceType::VALUE_SET, "c").and_then(|m| m.version()), Some("1.10.0-ballot"));
    assert_eq!(packages.of_kind(ResourceType::VALUE_SET).count(), 4);
}

#[test]
fn dependencies_that_are_not_loaded_are_named() {
    let packages = Packages::new().with(open(&[("package/package.json", MANIFEST)]));
    let missing = packages.missing();
    assert_eq!(codes(&missing), ["package-missing"]);
    assert_eq!(missing.issues()[0].rule.as_deref(), Some("other#2.0.0"));
    let other = Manifest { name: "other".into(), ..Manifest::default() };
    assert!(packages.with(Package::from_records(other, [])).missing().issues().is_empty());
}

#[test]
fn versions_are_ordered_by_number_and_label() {
    let ascending = [None, Some("0.9"), Some("1.0.0-ballot"), Some("1.0.0"), Some("1.2"), Some("1.10"), Some("20")];
    for pair in ascending.windows(2) {
        assert_eq!(compare_versions(pair[0], pair[1]), Ordering::Less, "{pair:?}");
    }
    assert_eq!(compare_versions(Some("2024-03-01"), Some("2023-09-01")), Ordering::Greater);
}

proptest! {
    #[test]
    fn any_bytes_in_a_tar_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0_usize..2600) {
        let mut plain = tar(&[("package/package.json", MANIFEST), ("package/a.json", COLOURS)]);
        for (i, byte) in bytes.iter().take(8).enumerate() {
            let length = plain.len();
            plain[(at + i * 7) % length] = *byte;
        }
        if let Ok(package) = Package::from_tgz_bytes(&gzip(&plain), &PackageLimits::DEFAULT) {
            package.resources().for_each(|member| assert_eq!(member.record(), member.record()));
        }
        let _ = Package::from_tgz_bytes(&gzip(&bytes), &PackageLimits::DEFAULT);
        let _ = scan::head(&bytes);
    }

    #[test]
    fn versions_have_one_order(a in "[0-9a-b.-]{0,6}", b in "[0-9a-b.-]{0,6}") {
        prop_assert_eq!(compare_versions(Some(&a), Some(&b)), compare_versions(Some(&b), Some(&a)).reverse());
    }
}
