//! Checking groups on several threads; the results come in the order of the groups.

use super::source::{Group, Source, Text};
use ehrcore::error::Code;
use ehrcore::limits::{Limits, Watch};
use ehrcore::report::Report;
use ehrcore::validate::{self, Validator};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Condvar, Mutex, PoisonError};

/// How a resource is checked.
pub(super) struct Checker {
    /// Whether columns are wanted in characters; otherwise in bytes.
    pub(super) characters: bool,
    /// With profiles and invariants; without it, structure only.
    pub(super) validator: Option<Validator>,
    /// How long it may go on: asked again by who takes the results.
    pub(super) watch: Watch,
}

/// What was found in one group.
pub(super) struct Checked {
    pub(super) file: usize,
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) resources: Vec<Resource>,
}

pub(super) struct Resource {
    /// The line before the one it starts on, within the group.
    pub(super) line: u64,
    pub(super) report: Report,
}

impl Checker {
    fn check(&self, bytes: &[u8]) -> Report {
        let checked = catch_unwind(AssertUnwindSafe(|| match &self.validator {
            Some(validator) => validator.validate_within(bytes, &self.watch),
            None => self.watch.look().map(|()| validate::text(bytes, &Limits::DEFAULT)),
        }));
        let report = checked.unwrap_or_else(|_| Err(Code::Internal.error()));
        let report = report.unwrap_or_else(|error| validate::unreadable(&error));
        if self.characters && !bytes.is_ascii() { in_characters(bytes, report) } else { report }
    }

    /// Checks a group; gives its buffer back.
    fn group(&self, group: Group) -> (Checked, Vec<u8>) {
        let mut made = Checked { file: group.file, bytes: 0, lines: 0, resources: Vec::new() };
        let mut spent = Vec::new();
        match group.text {
            Text::Failed(error) => {
                made.resources.push(Resource { line: 0, report: validate::unreadable(&error) });
                made.lines = 1;
            }
            Text::Whole(bytes) => {
                made.bytes = bytes.len() as u64;
                made.resources.push(Resource { line: 0, report: self.check(&bytes) });
            }
            Text::Lines(bytes) => {
                made.bytes = bytes.len() as u64;
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    let text = line.trim_ascii();
                    if !text.is_empty() {
                        made.resources.push(Resource { line: made.lines, report: self.check(text) });
                    }
                    made.lines += 1;
                }
                spent = bytes;
            }
        }
        (made, spent)
    }
}

/// Checks every group of `source` on `threads` threads and gives the results in order to `take`, until it says no.
pub(super) fn run<E>(
    source: Source<'_>,
    checker: &Checker,
    threads: usize,
    mut take: impl FnMut(Checked) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.max(1);
    // No thread runs further ahead than this: what waits to be taken is bounded.
    let window = 4 * threads as u64;
    let (source, taken, moved) = (Mutex::new(source), Mutex::new(0_u64), Condvar::new());
    let (sender, results) = sync_channel(threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (source, taken, moved, sender) = (&source, &taken, &moved, sender.clone());
            scope.spawn(move || {
                let mut spent = Vec::new();
                loop {
                    let next = source.lock().unwrap_or_else(PoisonError::into_inner).next(std::mem::take(&mut spent));
                    let Some(group) = next else { return };
                    let sequence = group.sequence;
                    let held = taken.lock().unwrap_or_else(PoisonError::into_inner);
                    drop(moved.wait_while(held, |taken| sequence >= taken.saturating_add(window)));
                    let checked;
                    (checked, spent) = checker.group(group);
                    if sender.send((sequence, checked)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut waiting, mut next, mut done) = (BTreeMap::new(), 0, Ok(()));
        'all: for (sequence, checked) in &results {
            waiting.insert(sequence, checked);
            while let Some(checked) = waiting.remove(&next) {
                done = take(checked);
                if done.is_err() {
                    break 'all;
                }
                next += 1;
            }
            *taken.lock().unwrap_or_else(PoisonError::into_inner) = next;
            moved.notify_all();
        }
        // Lets every thread go, also where we stopped early.
        *taken.lock().unwrap_or_else(PoisonError::into_inner) = u64::MAX;
        moved.notify_all();
        drop(results);
        done
    })
}

/// Columns in characters instead of bytes.
fn in_characters(bytes: &[u8], report: Report) -> Report {
    let mut made = Report::new();
    let total = report.total();
    let (mut line, mut start) = (1, 0);
    for mut issue in report.into_issues() {
        if issue.line < line {
            (line, start) = (1, 0);
        }
        while line < issue.line {
            let Some(end) = bytes[start..].iter().position(|byte| *byte == b'\n') else { break };
            start += end + 1;
            line += 1;
        }
        let before = &bytes[start..bytes.len().min(start + issue.column.saturating_sub(1) as usize)];
        let inside = before.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
        issue.column -= u32::try_from(inside).unwrap_or(0).min(issue.column);
        made.push(issue);
    }
    (made.total()..total).for_each(|_| made.count_only());
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(count: usize) -> (tempfile::TempDir, Vec<std::path::PathBuf>) {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = (0..count).map(|n| folder.path().join(format!("{n}.ndjson"))).collect::<Vec<_>>();
        for (number, path) in paths.iter().enumerate() {
            std::fs::write(path, format!("\n{}\nnot json\n", "{\"resourceType\":\"Patient\"}\n".repeat(number)))
                .expect("a file");
        }
        (folder, paths)
    }

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        let (_folder, files) = texts(40);
        for threads in [1, 2, 5] {
            let (mut seen, mut lines) = (Vec::new(), Vec::new());
            let checker = Checker { characters: false, validator: None, watch: Watch::default() };
            let done: Result<(), ()> = run(Source::new(&files), &checker, threads, |checked| {
                seen.push((checked.file, checked.resources.len()));
                lines.push(checked.resources.last().expect("the last line is wrong").line);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            assert_eq!(seen, (0..40).map(|n| (n, n + 1)).collect::<Vec<_>>());
            assert_eq!(lines[7], 9);
        }
    }

    #[test]
    fn who_takes_the_results_may_stop() {
        let (_folder, files) = texts(60);
        let done = run(
            Source::new(&files),
            &Checker { characters: false, validator: None, watch: Watch::default() },
            3,
            |checked| {
                if checked.file == 5 { Err(checked.file) } else { Ok(()) }
            },
        );
        assert_eq!(done, Err(5));
    }

    #[test]
    fn columns_can_be_counted_in_characters() {
        let text = "{\"resourceType\":\"Patient\",\n\"name\":[{\"text\":\"Zöë\",\"use\":\"x\"}]}";
        let columns = |characters| {
            Checker { characters, validator: None, watch: Watch::default() }.check(text.as_bytes()).issues()[0].column
        };
        assert_eq!((columns(false), columns(true)), (32, 30));
    }
}
