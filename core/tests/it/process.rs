//! Two processes and one file: who writes has it alone, who reads may share it with others who read.

use crate::path::{create, key, physician};
use ehrcore::ehr::{Ehr, Options};
use ehrcore::error::Result;
use ehrcore::id::SystemRandom;
use ehrcore::store::Store;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const PATIENT: &[u8] = br#"{"resourceType":"Patient","id":"p1"}"#;

fn reader(file: &Path) -> Result<Store> {
    Store::open(file, &key(), Arc::new(SystemRandom::default()), 1 << 20, true)
}

fn word<T>(result: Result<T>) -> &'static str {
    result.err().map_or("ok", |error| error.code().name())
}

/// The other process: opens the store both ways and says how that went. Does nothing in an ordinary test run.
#[test]
fn child_of_the_process_tests() {
    let Some(file) = std::env::var_os("EHRCORE_PROCESS_CHILD") else { return };
    let reading = word(reader(Path::new(&file)));
    let writing = word(Ehr::open(&file, &key(), Options::default()));
    writeln!(std::io::stdout(), "reading {reading}, writing {writing};").expect("a pipe");
    if std::env::var_os("EHRCORE_PROCESS_ABORT").is_some() {
        let ehr = Ehr::open(&file, &key(), Options::default()).expect("it opens");
        physician(&ehr).write(PATIENT).expect("it is valid");
        std::process::abort();
    }
}

fn other_process(file: &Path, abort: bool) -> String {
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child
        .args(["process::child_of_the_process_tests", "--exact", "--nocapture", "--test-threads=1"])
        .env("EHRCORE_PROCESS_CHILD", file)
        .stderr(Stdio::null());
    if abort {
        child.env("EHRCORE_PROCESS_ABORT", "1");
    }
    let said = String::from_utf8_lossy(&child.output().expect("the child runs").stdout).into_owned();
    let start = said.find("reading ").expect("it said something");
    said[start..].split(';').next().unwrap_or("").to_owned()
}

#[test]
fn while_one_process_writes_every_other_is_told_that_the_store_is_locked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clinic.ehr");
    let ehr = create(folder.path());
    physician(&ehr).write(PATIENT).expect("it is valid");
    assert_eq!(other_process(&file, false), "reading locked, writing locked");
    // So it is for a second handle of the same process.
    assert_eq!(word(Ehr::open(&file, &key(), Options::default())), "locked");
    physician(&ehr).write(PATIENT).expect("the first goes on");
    drop(ehr);
    assert_eq!(other_process(&file, false), "reading ok, writing ok");
}

#[test]
fn processes_that_read_share_the_file_and_keep_a_writer_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clinic.ehr");
    drop(create(folder.path()));
    let reading = reader(&file).expect("nobody writes");
    assert_eq!(other_process(&file, false), "reading ok, writing locked");
    drop(reading);
}

/// A writer that died leaves a file that is mended when it is opened for writing; who only reads it leaves it as it is.
#[test]
fn after_a_writer_died_the_next_writer_mends_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clinic.ehr");
    drop(create(folder.path()));
    assert_eq!(other_process(&file, true), "reading ok, writing ok");
    let before = std::fs::read(&file).expect("the file");
    assert_eq!(word(reader(&file)), "ok", "a reader sees what was acknowledged");
    assert!(std::fs::read(&file).expect("the file") == before, "and mends nothing");
    let ehr = Ehr::open(&file, &key(), Options::default()).expect("it is mended");
    physician(&ehr).read(crate::path::kind("Patient"), "p1").expect("what was acknowledged is there");
    drop(ehr);
    assert_eq!(word(reader(&file)), "ok");
}
