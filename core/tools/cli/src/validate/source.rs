//! What is to be checked: files and folders as groups of resources, in order, in bounded memory.

use ehrcore::error::{Code, Error, Result};
use ehrcore::limits::Limits;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of lines that are checked together: few enough that no thread waits long for the last of another, and that they stay
/// in a processor's own cache.
const BLOCK: usize = 1 << 18;

pub(super) struct Group {
    /// From 0, without gaps.
    pub(super) sequence: u64,
    /// Which file.
    pub(super) file: usize,
    pub(super) text: Text,
}

pub(super) enum Text {
    /// A file that is one resource.
    Whole(Vec<u8>),
    /// Lines of an NDJSON file, each a resource.
    Lines(Vec<u8>),
    /// What could not be read.
    Failed(Error),
}

pub(super) struct Source<'a> {
    files: &'a [PathBuf],
    at: usize,
    /// The NDJSON file at hand, and what was read of it beyond the last whole line.
    open: Option<(File, Vec<u8>)>,
    sequence: u64,
    most: usize,
    /// A buffer that was used and can be used again.
    spare: Vec<u8>,
}

impl<'a> Source<'a> {
    pub(super) fn new(files: &'a [PathBuf]) -> Self {
        Source { files, at: 0, open: None, sequence: 0, most: Limits::DEFAULT.bytes, spare: Vec::new() }
    }

    /// The next group; `spent` is a buffer of an earlier one.
    pub(super) fn next(&mut self, spent: Vec<u8>) -> Option<Group> {
        if spent.capacity() > self.spare.capacity() {
            self.spare = spent;
        }
        loop {
            let path = self.files.get(self.at)?;
            if let Some((file, carried)) = &mut self.open {
                let Some(text) = block(file, carried, std::mem::take(&mut self.spare), self.most) else {
                    self.open = None;
                    self.at += 1;
                    continue;
                };
                return Some(self.group(text, 0));
            }
            if is_lines(path) {
                match File::open(path) {
                    Ok(file) => self.open = Some((file, Vec::new())),
                    Err(error) => return Some(self.group(Text::Failed(error.into()), 1)),
                }
                continue;
            }
            let text = whole(path, self.most).map_or_else(Text::Failed, Text::Whole);
            return Some(self.group(text, 1));
        }
    }

    fn group(&mut self, text: Text, files: usize) -> Group {
        let group = Group { sequence: self.sequence, file: self.at, text };
        self.sequence += 1;
        self.at += files;
        group
    }
}

pub(super) fn is_lines(path: &Path) -> bool {
    path.extension().and_then(|end| end.to_str()).is_some_and(|end| matches!(end, "ndjson" | "jsonl"))
}

fn whole(path: &Path, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The next whole lines; None at the end of the file.
fn block(file: &mut File, carried: &mut Vec<u8>, mut bytes: Vec<u8>, most: usize) -> Option<Text> {
    bytes.clear();
    bytes.append(carried);
    loop {
        let before = bytes.len();
        bytes.reserve(BLOCK);
        match file.by_ref().take(BLOCK as u64).read_to_end(&mut bytes) {
            Err(error) => return Some(Text::Failed(error.into())),
            Ok(0) if bytes.is_empty() => return None,
            Ok(0) => return Some(Text::Lines(bytes)),
            Ok(_) => {}
        }
        if let Some(end) = bytes[before..].iter().rposition(|byte| *byte == b'\n') {
            *carried = bytes.split_off(before + end + 1);
            return Some(Text::Lines(bytes));
        }
        if bytes.len() > most {
            // The line is lost, what follows it is not.
            return Some(match skip_line(file, carried) {
                Ok(()) => Text::Failed(Code::LimitSize.error()),
                Err(error) => Text::Failed(error),
            });
        }
    }
}

/// Reads over the rest of a line.
fn skip_line(file: &mut File, carried: &mut Vec<u8>) -> Result<()> {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if file.by_ref().take(BLOCK as u64).read_to_end(&mut bytes)? == 0 {
            return Ok(());
        }
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            *carried = bytes.split_off(end + 1);
            return Ok(());
        }
    }
}

/// The files named, and those of known names below the folders named.
pub(crate) fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.metadata()?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut below: Vec<PathBuf> = std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        let known = |end: &str| matches!(end, "json" | "xml" | "ndjson" | "jsonl");
        if path.is_dir() || path.extension().and_then(|end| end.to_str()).is_some_and(known) {
            collect(&path, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_a_line_over_the_limit_is_one_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.ndjson");
        let long = "x".repeat(3 * BLOCK);
        std::fs::write(&path, format!("one\n{long}\ntwo\nthree")).expect("a file");
        let files = [path];
        let mut source = Source { most: BLOCK + 10, ..Source::new(&files) };
        let mut said = Vec::new();
        while let Some(group) = source.next(Vec::new()) {
            assert_eq!(group.sequence as usize, said.len());
            said.push(match group.text {
                Text::Lines(bytes) => String::from_utf8(bytes).expect("text"),
                Text::Failed(error) => error.code().name().to_owned(),
                Text::Whole(_) => panic!("lines"),
            });
        }
        assert_eq!(said, ["one\n", "limit-size", "two\nthree"]);
    }
}
