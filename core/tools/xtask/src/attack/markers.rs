//! Planted words: looked for in the store, in every file an operation leaves beside it, in backups, increments, restored and repaired stores, and
//! in the text of every error and object that a failing call gives.

use super::base::{doctor, key, office, options};
use super::{Failed, Tally};
use ehrcore::ehr::{Ehr, RepairOptions, SearchOptions, Write};
use ehrcore::exchange::ImportOptions;
use ehrcore::limits::CallLimits;
use std::fmt::Write as _;
use std::path::Path;

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let words: Vec<String> = (0..count).map(|n| format!("Zzmarker{n:03}q")).collect();
    let (clear, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let at = |name: &str| folder.path().join(name);
    let mut said = String::new();
    let ehr = Ehr::create(at("clinic.ehr"), &key(), options())?;
    let (session, office) = (doctor(&ehr)?, office(&ehr)?);
    for (n, word) in words.iter().enumerate() {
        let id = format!("{word}-id");
        let patient = format!(
            r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{word}"}}],"birthDate":"19{:02}-01-01"}}"#,
            n % 100
        );
        let note = format!(
            r#"{{"resourceType":"Basic","id":"b{n}","code":{{"text":"{word}"}},"subject":{{"reference":"Patient/{id}"}}}}"#
        );
        session.change_set(vec![Write::Put(patient.clone().into_bytes()), Write::Put(note.clone().into_bytes())])?;
        // Calls that fail, with the word in what they were given.
        let kind = super::base::kind("Patient");
        let wrong = patient.replace("birthDate\":\"19", "birthDate\":\"xx");
        let _ = write!(
            said,
            "{:?} {:?}",
            session.write(wrong.as_bytes()),
            session.write(word.as_bytes()).map_err(|error| error.to_string())
        );
        let _ = write!(
            said,
            "{:?} {:?}",
            session.read(kind, &format!("{word}x")),
            session.search(kind, &format!("name:{word}={word}"), SearchOptions::default())
        );
        let _ = write!(said, "{:?} {:?}", session.write_if_match(note.as_bytes(), 77), session.delete(kind, word));
        let _ = write!(said, "{:?} {:?} {session:?} {ehr:?}", session.read(kind, &id)?, session.history(kind, &id)?);
        let _ = write!(said, "{:?}", office.import(&clear.path().join(word), &ImportOptions::default(), &mut ()));
        let source = clear.path().join(format!("{n}.ndjson"));
        std::fs::write(&source, format!("{}\n{{\"broken\": {word}\n", note.replace("\"b", "\"i")))?;
        let _ = write!(said, "{:?}", office.import(&source, &ImportOptions::default(), &mut ()));
    }
    let _ = write!(said, "{:?} {:?}", office.check(None, &mut |_, _| true)?, office.quarantine()?);
    office.backup(&at("full"), &mut |_, _| true)?;
    session.write(format!(r#"{{"resourceType":"Basic","id":"late","code":{{"text":"{}"}}}}"#, words[0]).as_bytes())?;
    office.backup_since(&at("step"), &at("full"), &key(), &mut |_, _| true)?;
    drop((session, office, ehr));
    let (full, step) = (at("full"), at("step"));
    let none = CallLimits::default();
    Ehr::restore(&[&full, &step], &at("restored.ehr"), &key(), &options(), &none, &mut |_, _| true)?;
    let how = RepairOptions { actor: "office", allow_older: true, limits: none };
    Ehr::repair(&at("clinic.ehr"), &[&full], &at("repaired.ehr"), &how, &key(), &options())?;
    let mut found = Vec::new();
    files(folder.path(), &mut found)?;
    let mut tally = Tally::default();
    let mut bytes = 0;
    for file in &found {
        let content = std::fs::read(file)?;
        bytes += content.len();
        for word in &words {
            let hit = memchr::memmem::find(&content, word.as_bytes()).is_some();
            tally.count(!hit, || format!("{word} in {:?}", file.file_name()));
        }
    }
    for word in &words {
        tally.count(!said.contains(word.as_str()), || format!("{word} in an error or in Debug"));
    }
    tally.notes.push(format!("{} files, {bytes} bytes; {} bytes of errors and Debug", found.len(), said.len()));
    Ok(tally)
}
