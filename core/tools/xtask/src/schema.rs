//! `cargo xtask schema [--check] [PACKAGE.tgz]`: writes the schema tables, or proves that they match the package.

use std::error::Error;

pub(crate) fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let check = arguments.contains(&"--check");
    let package = arguments
        .iter()
        .find(|a| !a.starts_with("--"))
        .map_or_else(|| crate::suites().join("definitions/hl7.fhir.r4.core-4.0.1.tgz"), Into::into);
    let differing = ehrcore_schemagen::run(&package, &crate::root().join("core/src"), check)?;
    if check && !differing.is_empty() {
        return Err(format!("{} generated files differ; run cargo xtask schema", differing.len()).into());
    }
    println!("schema: generated files {}", if check { "match the package" } else { "written" });
    Ok(())
}
