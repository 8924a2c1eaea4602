//! Loss of power at a random write or sync: of what was written since the last sync each sector of 512 bytes reached the disk or not. What
//! was acknowledged is there, a change set is there whole or not at all, and the store opens.

use super::base::{doctor, key, kind, office, options};
use super::{Failed, Numbers, Tally};
use ehrcore::ehr::{Ehr, VerifyLevel, Write};
use ehrcore::store::testing::FaultyFile;

const IN_SET: u64 = 6;

fn record(set: u64, n: u64) -> Vec<u8> {
    format!(
        r#"{{"resourceType":"Basic","id":"s{set}-{n}","code":{{"text":"{}"}},"subject":{{"reference":"Patient/p{}"}}}}"#,
        "x".repeat((1 + set * 37 % 900) as usize),
        set % 5
    )
    .into_bytes()
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let mut tally = Tally::default();
    let mut numbers = Numbers::of(3);
    let (mut disk, mut next, mut lost_last) = (None, 0, 0);
    for round in 0..count {
        // A new store now and then: the beginning is where most of the map changes.
        let file = match disk.take().filter(|_| round % 150 != 0) {
            Some(bytes) => FaultyFile::with(bytes),
            None => {
                let file = FaultyFile::default();
                drop(Ehr::create_on(Box::new(file.clone()), &key(), options())?);
                next = 0;
                file
            }
        };
        let first = next;
        let (mut acknowledged, mut asked) = (next, next);
        {
            let ehr = Ehr::open_on(Box::new(file.clone()), &key(), options())?;
            let session = doctor(&ehr)?;
            file.fail_after(numbers.below(45) as usize);
            for _ in 0..=numbers.below(4) {
                let set = (0..IN_SET).map(|n| Write::Put(record(next, n))).collect();
                asked = next + 1;
                match session.change_set(set) {
                    Ok(_) => acknowledged = next + 1,
                    Err(_) => break,
                }
                next += 1;
            }
            // Half of the time power goes while all is open, else on the way out.
            if numbers.below(2) == 0 {
                drop((session, ehr));
            } else {
                let share = numbers.below(9);
                disk = Some(file.after_power_loss(|| numbers.below(8) < share));
            }
        }
        let share = numbers.below(9);
        let bytes = disk.take().unwrap_or_else(|| file.after_power_loss(|| numbers.below(8) < share));
        let again = FaultyFile::with(bytes);
        let outcome = (|| -> Result<(), String> {
            let ehr = Ehr::open_on(Box::new(again.clone()), &key(), options()).map_err(|e| format!("open: {e}"))?;
            let session = doctor(&ehr).map_err(|e| e.to_string())?;
            for set in first..asked {
                let there = (0..IN_SET)
                    .filter(|n| {
                        session
                            .read(kind("Basic"), &format!("s{set}-{n}"))
                            .is_ok_and(|stored| stored.bytes() == record(set, *n))
                    })
                    .count() as u64;
                match there {
                    IN_SET => {}
                    0 if set >= acknowledged => lost_last += 1,
                    0 => return Err(format!("acknowledged set {set} is gone")),
                    _ => return Err(format!("set {set} is half there")),
                }
            }
            if round % 20 == 0 || round + 1 == count {
                office(&ehr).and_then(|office| office.verify(VerifyLevel::Records, None)).map_err(|e| e.to_string())?;
                for set in 0..first.min(acknowledged) {
                    session.read(kind("Basic"), &format!("s{set}-0")).map_err(|e| format!("earlier set {set}: {e}"))?;
                }
            }
            Ok(())
        })();
        let held = outcome.is_ok();
        tally.count(held, || format!("round {round}: {}", outcome.unwrap_err()));
        // What was asked and is not there may be asked again under another number.
        next = asked;
        // A set that was never acknowledged and is gone leaves a hole that later rounds must not look for.
        if held && asked > acknowledged {
            let ehr = Ehr::open_on(Box::new(again.clone()), &key(), options())?;
            let session = doctor(&ehr)?;
            for set in acknowledged..asked {
                session.change_set((0..IN_SET).map(|n| Write::Put(record(set, n))).collect())?;
            }
        }
        disk = held.then(|| again.bytes());
    }
    tally.notes.push(format!("{lost_last} change sets that were not acknowledged were not there, whole"));
    Ok(tally)
}
