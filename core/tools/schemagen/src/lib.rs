//! Reads the official FHIR R4 definitions package and writes the tables of core/src/schema/generated, and the typed views and
//! builders of core/src/record/typed/generated.
//!
//! The code systems, value sets and constraining profiles of the package go, without their prose, into the package that
//! core/src/package has built in.
//!
//! Facts only: names, cardinalities, types, codes, expressions; no prose of the standard.

mod bindings;
mod embedded;
mod package;
mod search;
mod typed;
mod types;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why generation stopped.
pub type Error = Box<dyn std::error::Error>;

/// Generated files: path below core/src to text.
pub type Files = BTreeMap<&'static str, Vec<u8>>;

/// Reads the package (`.tgz`) and makes every generated file.
///
/// # Errors
/// Where the archive cannot be read or lacks what the tables need.
pub fn generate(package: &Path) -> Result<Files, Error> {
    let package = package::read(package)?;
    let types = types::Tables::build(&package)?;
    let bindings = bindings::Tables::build(&package, &types);
    let mut files = Files::new();
    files.insert("schema/generated/types.rs", types.write(&package, &bindings).into());
    files.insert("schema/generated/bindings.rs", bindings.write(&package, &types).into());
    files.insert("schema/generated/search.rs", search::write(&package, &types).into());
    let typed = typed::write(&package, &types);
    files.insert("record/typed/generated/views.rs", typed.views.into());
    files.insert("record/typed/generated/builders.rs", typed.builders.into());
    files.insert("record/typed/generated/law.rs", typed.law.into());
    files.insert("package/generated/r4.packed", embedded::write(&package)?);
    Ok(files)
}

/// Writes the generated files below `folder` (core/src), or with `check` compares them. Gives the names of files that differed.
///
/// # Errors
/// As [`generate`], or where a file cannot be written.
pub fn run(package: &Path, folder: &Path, check: bool) -> Result<Vec<PathBuf>, Error> {
    let mut differing = Vec::new();
    for (name, made) in generate(package)? {
        let path = folder.join(name);
        // Compressed files are compared by what they hold: another release of the compressor is no difference.
        let content = |bytes: &[u8]| if name.ends_with(".packed") { embedded::read(bytes) } else { Ok(bytes.to_vec()) };
        let there = std::fs::read(&path).ok().and_then(|there| content(&there).ok());
        if there.as_deref() != Some(content(&made)?.as_slice()) {
            if !check {
                std::fs::write(&path, made)?;
            }
            differing.push(path);
        }
    }
    Ok(differing)
}

/// The hash of schema::key and of code sets, as core has it.
pub(crate) fn hash(name: &[u8]) -> u32 {
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (name.iter().fold(0, |head, byte| head << 8 | u64::from(*byte)), 0),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ (name.len() as u64) << 57).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 32) ^ (mixed >> 17)) as u32
}

/// Lays `names` out in an open-addressing table; gives the slots and the number of bits.
pub(crate) fn slots(names: &[(&str, u16)]) -> (Vec<u16>, u8) {
    let mut bits = 1_u8;
    while 1_usize << bits < names.len() * 2 + 1 {
        bits += 1;
    }
    let mask = (1_usize << bits) - 1;
    let mut table = vec![u16::MAX; mask + 1];
    for (name, row) in names {
        let mut at = hash(name.as_bytes()) as usize & mask;
        while table[at] != u16::MAX {
            at = (at + 1) & mask;
        }
        table[at] = *row;
    }
    (table, bits)
}

/// Writes numbers as the inside of an array, some a line.
pub(crate) fn numbers<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for (i, value) in values.into_iter().enumerate() {
        text.push_str(&format!("{}{value},", if i % 24 == 0 { "\n    " } else { "" }));
    }
    text
}
