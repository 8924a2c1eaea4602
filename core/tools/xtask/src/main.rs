//! `cargo xtask`: the chores of this repository.
#![allow(clippy::print_stdout)]

mod schema;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.split_first() {
        Some((&"schema", rest)) => schema::run(rest),
        _ => Err("usage: cargo xtask schema [--check] [PACKAGE.tgz]".into()),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// The repository's root.
pub(crate) fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_owned()
}

/// Where the outside conformance suites are.
pub(crate) fn suites() -> std::path::PathBuf {
    std::env::var_os("EHRCORE_SUITES").map_or_else(|| root().join("../shared/suites"), Into::into)
}
