//! `ehr validate`: checks files without a store, however large, on every core.

use crate::output::{bar, issue, issue_json};
use crate::{Done, Failure};
use ehrcore::error::{Code, Result};
use ehrcore::json::read;
use ehrcore::limits::Limits;
use ehrcore::report::{Issue, Severity};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Summary {
    resources: u64,
    invalid: u64,
    by_code: BTreeMap<&'static str, u64>,
}

/// Lines that are checked together.
const GROUP: usize = 2048;

pub(crate) fn run(paths: &[PathBuf], all: bool, as_json: bool) -> Done {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    let total = files.iter().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum();
    let bar = bar(total);
    let mut summary = Summary::default();
    for file in &files {
        let lines = file.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e, "ndjson" | "jsonl"));
        let name = file.display().to_string();
        let mut say = |line: u64, found: Result<Vec<Issue>>| {
            summary.take(&name, line, found, all || files.len() == 1 && !lines, as_json)
        };
        if lines {
            ndjson(file, &mut say, &|bytes| bar.inc(bytes))?;
        } else {
            let mut bytes = Vec::new();
            let length = File::open(file)?.take(Limits::DEFAULT.bytes as u64 + 1).read_to_end(&mut bytes)?;
            say(0, check(&bytes));
            bar.inc(length as u64);
        }
    }
    bar.finish_and_clear();
    let Summary { resources, invalid, by_code } = summary;
    if as_json {
        println!("{}", json!({"files": files.len(), "resources": resources, "invalid": invalid, "findings": by_code}));
    } else {
        println!("{} files, {resources} resources, {invalid} with errors", files.len());
        for (code, count) in by_code {
            println!("{count:>10}  {code}");
        }
    }
    if invalid > 0 { Err(Failure::Findings) } else { Ok(()) }
}

fn check(bytes: &[u8]) -> Result<Vec<Issue>> {
    read(bytes, &Limits::DEFAULT).map(|parsed| parsed.report.into_issues())
}

impl Summary {
    fn take(&mut self, file: &str, line: u64, found: Result<Vec<Issue>>, print: bool, as_json: bool) {
        self.resources += 1;
        let issues = found.unwrap_or_else(|error| {
            let (at, column) = (error.location().line, error.location().column);
            let (code, message) = (error.code(), error.code().sentence().to_owned());
            vec![Issue::new(Severity::Fatal, code, message).at("", at, column)]
        });
        self.invalid += u64::from(issues.iter().any(|issue| issue.severity <= Severity::Error));
        for found in &issues {
            *self.by_code.entry(found.code.name()).or_default() += 1;
            if print && as_json {
                println!("{}", json!({"file": file, "entry": line, "issue": issue_json(found)}));
            } else if print {
                println!("{file}:{}{}", if line > 0 { format!("entry {line}: ") } else { String::new() }, issue(found));
            }
        }
    }
}

fn ndjson(file: &Path, say: &mut dyn FnMut(u64, Result<Vec<Issue>>), progress: &dyn Fn(u64)) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 20, File::open(file)?);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut number, mut ended) = (0, false);
    while !ended {
        let (mut group, mut bytes) = (Vec::with_capacity(GROUP), 0);
        while group.len() < GROUP && bytes < 8 << 20 {
            let mut line = Vec::new();
            let count = (&mut input).take(Limits::DEFAULT.bytes as u64).read_until(b'\n', &mut line)?;
            ended = count == 0;
            if ended {
                break;
            }
            bytes += count;
            if !line.trim_ascii().is_empty() {
                group.push(line);
            }
        }
        progress(bytes as u64);
        let size = group.len().div_ceil(threads).max(1);
        let found: Vec<Result<Vec<Issue>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = group
                .chunks(size)
                .map(|part| {
                    (part.len(), scope.spawn(|| part.iter().map(|line| check(line.trim_ascii())).collect::<Vec<_>>()))
                })
                .collect();
            let failed = |count| (0..count).map(|_| Err(Code::Internal.error())).collect();
            workers.into_iter().flat_map(|(count, worker)| worker.join().unwrap_or_else(|_| failed(count))).collect()
        });
        for one in found {
            number += 1;
            say(number, one);
        }
    }
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut below: Vec<PathBuf> = std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        if path.is_dir()
            || path.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e, "json" | "ndjson" | "jsonl"))
        {
            collect(&path, files)?;
        }
    }
    Ok(())
}
