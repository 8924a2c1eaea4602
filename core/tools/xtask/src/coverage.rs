//! `cargo xtask coverage [--lcov=FILE] [--least=PERCENT] [--missing]`: which lines of custody the tests run.
//!
//! Runs the library's tests under `cargo llvm-cov` (which needs `llvm-cov` and `llvm-profdata` of the compiler's LLVM: the component
//! `llvm-tools`, or `LLVM_COV` and `LLVM_PROFDATA`), or reads what an earlier run wrote. Lines of tests themselves are not counted:
//! they always run, and would make the figure better than it is.

use crate::{Done, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rooms that keep, protect and record, and what is built of them.
const ROOMS: [&str; 8] = ["crypto", "keys", "vault", "store", "audit", "access", "ehr", "lifecycle"];

/// Lines of one file and how often each ran.
type Lines = BTreeMap<usize, u64>;

pub(crate) fn run(arguments: &[&str]) -> Done {
    let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let file = match value("--lcov=") {
        Some(file) => PathBuf::from(file),
        None => measured()?,
    };
    let files = read(&std::fs::read_to_string(file)?);
    let source = root().canonicalize()?.join("core/src");
    let (mut all, mut ran) = (0, 0);
    println!("| room | lines that run | of | share |\n|---|---:|---:|---:|");
    let row = |room: &str, ran: usize, all: usize| {
        println!("| {room} | {ran} | {all} | {:.1} % |", share(ran, all));
    };
    for room in ROOMS {
        let (mut here, mut there) = (0, 0);
        for (path, lines) in &files {
            let Ok(inside) = path.strip_prefix(&source) else { continue };
            if !inside.starts_with(room) || is_test(inside) {
                continue;
            }
            let tests = test_lines(&std::fs::read_to_string(path)?);
            let counted: Vec<_> = lines.iter().filter(|(line, _)| !tests.contains(line)).collect();
            let missing: Vec<String> =
                counted.iter().filter(|(_, count)| **count == 0).map(|(line, _)| line.to_string()).collect();
            if arguments.contains(&"--missing") && !missing.is_empty() {
                eprintln!("{}: {}", inside.display(), missing.join(" "));
            }
            here += counted.len() - missing.len();
            there += counted.len();
        }
        row(room, here, there);
        (ran, all) = (ran + here, all + there);
    }
    row("all", ran, all);
    let least: f64 = value("--least=").unwrap_or("0").parse()?;
    if share(ran, all) < least {
        return Err(format!("custody: {:.1} % of lines run, fewer than {least} %", share(ran, all)).into());
    }
    Ok(())
}

fn share(part: usize, all: usize) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

/// Runs the tests; gives the file with what ran.
fn measured() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let target = root().join("target/coverage");
    std::fs::create_dir_all(&target)?;
    let file = target.join("custody.lcov");
    let done = Command::new("cargo")
        .args(["llvm-cov", "--package", "ehrcore", "--lib", "--test", "it", "--lcov", "--output-path"])
        .arg(&file)
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(root())
        .status()?;
    if done.success() { Ok(file) } else { Err("cargo llvm-cov failed: cargo install cargo-llvm-cov --locked".into()) }
}

/// `SF:` begins a file, `DA:` is a line and how often it ran. A file can come more than once.
fn read(text: &str) -> BTreeMap<PathBuf, Lines> {
    let mut files: BTreeMap<PathBuf, Lines> = BTreeMap::new();
    let mut file = PathBuf::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = PathBuf::from(path);
        } else if let Some((line, count)) = line.strip_prefix("DA:").and_then(|pair| pair.split_once(',')) {
            let count = count.split(',').next().unwrap_or_default();
            if let (Ok(line), Ok(count)) = (line.parse(), count.parse::<u64>()) {
                let known = files.entry(file.clone()).or_default().entry(line).or_default();
                *known = count.max(*known);
            }
        }
    }
    files
}

/// Files that are tests as a whole.
fn is_test(inside: &Path) -> bool {
    let stem = inside.file_stem().unwrap_or_default();
    stem == "tests" || stem == "laws" || inside.components().any(|part| part.as_os_str() == "testing")
}

/// The lines of what stands under `#[cfg(test)]`.
fn test_lines(source: &str) -> BTreeSet<usize> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim() != "#[cfg(test)]" {
            at += 1;
            continue;
        }
        let indent = lines[at].len() - lines[at].trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let mut head = at + 1;
        while lines.get(head).is_some_and(|line| line.trim_start().starts_with("#[")) {
            head += 1;
        }
        let one = lines.get(head).is_some_and(|line| line.ends_with([';', '}']) || line.ends_with(','));
        let mut end = head;
        while !one && end < lines.len() && !lines[end].starts_with(&close) {
            end += 1;
        }
        found.extend(at + 1..=end + 1); // lines are counted from 1
        at = end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_under_cfg_test_is_not_counted() {
        let source = "fn a() {\n}\n#[cfg(test)]\nuse x;\nimpl A {\n    #[cfg(test)]\n    #[inline]\n    fn b() {\n        c();\n    }\n    fn d() {}\n}\n#[cfg(test)]\nmod tests {\n    fn e() {\n    }\n}\nfn f() {}\n";
        let tests = test_lines(source);
        let kept: Vec<usize> = (1..=18).filter(|line| !tests.contains(line)).collect();
        assert_eq!(kept, [1, 2, 5, 11, 12, 18]);
    }

    #[test]
    fn a_line_that_ran_in_one_binary_ran() {
        let files = read("SF:/a.rs\nDA:1,0\nDA:2,3\nend_of_record\nSF:/a.rs\nDA:1,2,x\nDA:2,0\nend_of_record\n");
        assert_eq!(files[Path::new("/a.rs")], BTreeMap::from([(1, 2), (2, 3)]));
        assert!(is_test(Path::new("store/tests.rs")) && is_test(Path::new("store/testing/image.rs")));
        assert!(!is_test(Path::new("store/mod.rs")));
    }
}
