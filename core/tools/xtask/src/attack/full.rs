//! A real file system that is really full: a small tmpfs. What was acknowledged is there, the store opens while the disk is full, and goes on
//! when there is room again.

use super::base::{doctor, key, kind, office, options};
use super::{Failed, Numbers, Tally};
use ehrcore::ehr::{Ehr, VerifyLevel, Write};
use std::path::Path;
use std::process::Command;

/// A mounted tmpfs; unmounted when dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(kilobytes: u64) -> Result<Option<Small>, Failed> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={kilobytes}k");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        Ok(done.is_ok_and(|done| done.status.success()).then_some(Small(folder)))
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn record(set: usize, n: usize) -> Vec<u8> {
    let text = format!("{set} {n} ").repeat(1 + (set * 13 + n * 5) % 60);
    format!(r#"{{"resourceType":"Basic","id":"s{set}-{n}","code":{{"text":"{text}"}},"subject":{{"reference":"Patient/p{}"}}}}"#, set % 4)
        .into_bytes()
}

const IN_SET: usize = 6;

fn there(session: &ehrcore::ehr::Session, set: usize) -> usize {
    (0..IN_SET)
        .filter(|n| {
            session.read(kind("Basic"), &format!("s{set}-{n}")).is_ok_and(|stored| stored.bytes() == record(set, *n))
        })
        .count()
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let (mut tally, mut numbers) = (Tally::default(), Numbers::of(11));
    let (mut reads, mut refused) = (0_u64, 0_u64);
    for round in 0..count {
        let Some(small) = Small::mount(700 + numbers.below(900))? else {
            println!("  SKIPPED: no tmpfs can be mounted here (it takes root); nothing was tried on a full disk");
            return Ok(Tally { held: 1, of: 1, notes: vec!["skipped".to_owned()] });
        };
        let file = small.path().join("clinic.ehr");
        let outcome = (|| -> Result<(), String> {
            let text = |error: ehrcore::error::Error| error.to_string();
            let mut acknowledged = 0;
            {
                let ehr = Ehr::create(&file, &key(), options()).map_err(text)?;
                let session = doctor(&ehr).map_err(text)?;
                while session.change_set((0..IN_SET).map(|n| Write::Put(record(acknowledged, n))).collect()).is_ok() {
                    acknowledged += 1;
                    if acknowledged > 20_000 {
                        return Err("the disk does not get full".into());
                    }
                }
            }
            // Still full: it opens, and what was acknowledged is there.
            {
                let ehr =
                    Ehr::open(&file, &key(), options()).map_err(|error| format!("full, it does not open: {error}"))?;
                let session = doctor(&ehr).map_err(text)?;
                for set in 0..acknowledged {
                    match session.read(kind("Basic"), &format!("s{set}-0")) {
                        Ok(stored) if stored.bytes() == record(set, 0) => reads += 1,
                        Ok(_) => return Err(format!("set {set} says something else")),
                        Err(error) if error.is_not_found() => return Err(format!("set {set} is gone")),
                        Err(_) => refused += 1,
                    }
                }
            }
            // With room again, elsewhere.
            let bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
            let elsewhere = tempfile::tempdir().map_err(|error| error.to_string())?;
            let copy = elsewhere.path().join("clinic.ehr");
            std::fs::write(&copy, bytes).map_err(|error| error.to_string())?;
            let ehr = Ehr::open(&copy, &key(), options()).map_err(text)?;
            let session = doctor(&ehr).map_err(text)?;
            for set in 0..acknowledged + 1 {
                match there(&session, set) {
                    IN_SET => {}
                    0 if set == acknowledged => {}
                    some => return Err(format!("set {set}: {some} there")),
                }
            }
            session.change_set(vec![Write::Put(record(99_999, 0))]).map_err(text)?;
            office(&ehr).and_then(|office| office.verify(VerifyLevel::Records, None)).map_err(text)?;
            Ok(())
        })();
        tally.count(outcome.is_ok(), || format!("round {round}: {outcome:?}"));
    }
    tally.notes.push(format!("{reads} audited reads on the full disk, {refused} refused"));
    Ok(tally)
}
