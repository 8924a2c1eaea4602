//! `cargo xtask`: the chores of this repository.
#![allow(clippy::print_stdout)]

mod attack;
mod bench;
mod conform;
mod coverage;
mod dictionary;
mod docs;
mod header;
mod layers;
mod mutation;
mod schema;
mod test;

use std::path::{Path, PathBuf};

type Done = Result<(), Box<dyn std::error::Error>>;

const USAGE: &str = "usage: cargo xtask COMMAND
  test                            installs what is missing and runs every test
  conform SUITE DIR [--failures]  runs a conformance suite: json-parsing, r4-examples, crypto, validator and more
  coverage [--least=PERCENT]      says which share of the lines of custody the tests run
  attack NAME|--all [--count N]   tries to break what SECURITY.md promises; says what held
  bench [--quick]                 prints a table of ratios
  header [--check]                writes include/ehrcore.h
  schema [--check] [PACKAGE.tgz]  writes the generated tables, views and builders in core/src
  docs [--check]                  writes core/docs/errors.md
  dictionary                      trains the compression dictionary on made-up charts
  mutation                        breaks right resources and shows which breaks validation sees
  layers                          compares the imports of core with the table in ARCHITECTURE.md";

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.split_first() {
        Some((&"test", _)) => test::run(),
        Some((&"conform", rest)) => conform::run(rest),
        Some((&"coverage", rest)) => coverage::run(rest),
        Some((&"attack", rest)) => attack::run(rest),
        Some((&"attack-child", rest)) => attack::kill::child(rest), // what `attack kill` kills
        Some((&"bench", rest)) => bench::run(rest),
        Some((&"header", rest)) => header::run(rest),
        Some((&"schema", rest)) => schema::run(rest),
        Some((&"layers", _)) => layers::run(),
        Some((&"docs", rest)) => docs::run(rest),
        Some((&"dictionary", _)) => dictionary::run(),
        Some((&"mutation", rest)) => mutation::run(rest),
        _ => Err(USAGE.into()),
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
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_owned()
}

/// Where the outside conformance suites are.
pub(crate) fn suites() -> PathBuf {
    std::env::var_os("EHRCORE_SUITES").map_or_else(|| root().join("../shared/suites"), Into::into)
}
