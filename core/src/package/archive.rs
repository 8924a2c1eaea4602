//! A `.tgz` in memory: inflated once, its files as ranges of one buffer. Nothing is written to disk.

use super::PackageLimits;
use crate::error::{Code, Found, Result};
use std::io::Read;
use std::ops::Range;

/// Inflates a gzip stream up to the limit.
pub(super) fn inflate(bytes: &[u8], limits: &PackageLimits) -> Result<Vec<u8>> {
    let most = limits.total_bytes as u64;
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(most.saturating_add(1))
        .read_to_end(&mut plain)
        .map_err(|_| Code::PackageUnreadable.error().expected("a gzip stream that is whole"))?;
    if plain.len() as u64 > most {
        return Err(Code::PackageLimit.error().expected("fewer bytes when inflated"));
    }
    Ok(plain)
}

/// One file of a tar archive.
pub(super) struct File {
    pub(super) name: String,
    pub(super) range: Range<usize>,
}

/// The regular files of a tar archive (ustar, with the long names of GNU and pax).
pub(super) fn files(tar: &[u8], limits: &PackageLimits) -> Result<Vec<File>> {
    let (mut files, mut at, mut long_name) = (Vec::new(), 0, None);
    while let Some(header) = tar.get(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(files);
        }
        let size = checked(header).then(|| octal(&header[124..136])).flatten();
        let start = at + BLOCK;
        let end = size.and_then(|size| start.checked_add(size)).filter(|end| *end <= tar.len());
        let (Some(end), Some(size)) = (end, size) else { break };
        let content = &tar[start..end];
        match header[156] {
            b'L' => long_name = Some(text(content)),
            b'x' => long_name = pax_path(content).or(long_name),
            b'g' => {}
            b'0' | 0 => {
                files.push(File { name: long_name.take().unwrap_or_else(|| short_name(header)), range: start..end });
                if files.len() > limits.files {
                    return Err(Code::PackageLimit
                        .error()
                        .expected("fewer files")
                        .found(Found::Count(files.len() as u64)));
                }
            }
            _ => long_name = None,
        }
        at = start + size.div_ceil(BLOCK) * BLOCK;
    }
    if at >= tar.len() && !files.is_empty() {
        return Ok(files); // some writers leave the closing blocks out
    }
    Err(Code::PackageUnreadable.error().expected("a tar archive that is whole").at_offset(at as u64))
}

const BLOCK: usize = 512;

fn short_name(header: &[u8]) -> String {
    let name = text(&header[..100]);
    let prefix = if &header[257..262] == b"ustar" { text(&header[345..500]) } else { String::new() };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// Text up to the first zero byte.
fn text(field: &[u8]) -> String {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Whether the sum of the header's bytes is the one it names.
fn checked(header: &[u8]) -> bool {
    let sum: usize =
        header.iter().enumerate().map(|(i, byte)| if (148..156).contains(&i) { 32 } else { *byte as usize }).sum();
    octal(&header[148..156]) == Some(sum)
}

fn octal(field: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    usize::from_str_radix(digits, 8).ok()
}

/// The `path` of a pax header: records of the form `LENGTH KEY=VALUE\n`.
fn pax_path(content: &[u8]) -> Option<String> {
    let mut rest = content;
    while let Some(space) = memchr::memchr(b' ', rest) {
        let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let record = rest.get(space + 1..length.checked_sub(1)?)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(text(path));
        }
        rest = &rest[length..];
    }
    None
}
