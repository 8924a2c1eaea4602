//! Where the external suites are, and how their files are reached.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of one suite; None, with a loud line, where the suites are not on this machine.
pub fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("EHRCORE_SUITES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/suites"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: suite `{name}` is not here; set EHRCORE_SUITES to the folder of the suites");
    None
}

/// Every `.json` file below a folder, archives unpacked, as (name relative to the folder, bytes), sorted by name.
pub fn json_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    collect(folder, "", &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder that can be read").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), files);
        } else if name.ends_with(".json") {
            files.push((format!("{prefix}{name}"), std::fs::read(&path).expect("a file that can be read")));
        } else if name.ends_with(".tar.xz") || name.ends_with(".tgz") {
            let unpacked = tempfile::tempdir().expect("a temporary folder");
            let status = Command::new("tar").arg("-xf").arg(&path).arg("-C").arg(unpacked.path()).status();
            assert!(status.is_ok_and(|status| status.success()), "tar with xz unpacks the suite's archives");
            collect(unpacked.path(), &format!("{prefix}{name}!"), files);
        }
    }
}

/// Unpacks an archive into a new folder.
pub fn unpack(archive: &Path) -> tempfile::TempDir {
    let unpacked = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(unpacked.path()).status();
    assert!(status.is_ok_and(|status| status.success()), "tar with xz unpacks the suite's archives");
    unpacked
}
