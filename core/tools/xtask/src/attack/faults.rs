//! A disk that is full, a device that fails, a write that ends in the middle, a layer beneath that panics: at every write, change of length
//! and sync in turn, once or for good. What was acknowledged is there, nothing is half there, the store opens again; after a failed write or
//! sync the handle writes no more and syncs no more (save where room was asked for in vain: then nothing was begun); no panic leaves the library.

use super::base::{doctor, key, kind, options};
use super::{Failed, Numbers, Tally};
use ehrcore::ehr::{Ehr, Write};
use ehrcore::error::Code;
use ehrcore::store::testing::{Fault, FaultyFile};
use std::panic::{AssertUnwindSafe, catch_unwind};

const IN_SET: usize = 8;

fn record(set: usize, n: usize) -> Vec<u8> {
    // Sizes that make the file grow and the map be written anew.
    let text = format!("{set}-{n}-").repeat(1 + set * 40);
    format!(r#"{{"resourceType":"Basic","id":"s{set}-{n}","code":{{"text":"{text}"}},"subject":{{"reference":"Patient/p{}"}}}}"#, n % 3)
        .into_bytes()
}

/// Opens, writes some change sets, closes. Gives how many were acknowledged, how many were asked for, and what was wrong.
fn scenario(file: &FaultyFile) -> (usize, usize, Option<&'static str>) {
    let (mut acknowledged, mut asked, mut syncs) = (0, 0, None);
    let Ok(ehr) = Ehr::open_on(Box::new(file.clone()), &key(), options()) else { return (0, 0, None) };
    let Ok(session) = doctor(&ehr) else { return (0, 0, None) };
    for set in 0..6 {
        asked = set + 1;
        match session.change_set((0..IN_SET).map(|n| Write::Put(record(set, n))).collect()) {
            Ok(_) if syncs.is_some() && file.failed_beyond_room() => {
                return (acknowledged, asked, Some("a write after a failed one went well"));
            }
            Ok(_) => acknowledged = set + 1,
            Err(_) => match syncs {
                None => syncs = Some(file.syncs()),
                Some(before) if file.failed_beyond_room() && file.syncs() > before => {
                    return (acknowledged, asked, Some("it synced again"));
                }
                Some(_) => {}
            },
        }
        if set == 2 {
            let _ = session.read(kind("Basic"), "s0-0");
        }
    }
    drop((session, ehr));
    (acknowledged, asked, None)
}

/// What is wrong with what is on the disk.
fn wrong(bytes: Vec<u8>, acknowledged: usize, asked: usize) -> Option<String> {
    let ehr = match Ehr::open_on(Box::new(FaultyFile::with(bytes)), &key(), options()) {
        Ok(ehr) => ehr,
        Err(error) => return Some(format!("it does not open: {error}")),
    };
    let Ok(session) = doctor(&ehr) else { return Some("no session".into()) };
    for set in 0..asked {
        let there = (0..IN_SET)
            .filter(|n| {
                session
                    .read(kind("Basic"), &format!("s{set}-{n}"))
                    .is_ok_and(|stored| stored.bytes() == record(set, *n))
            })
            .count();
        match there {
            IN_SET => {}
            0 if set >= acknowledged => {}
            0 => return Some(format!("set {set} was acknowledged and is gone")),
            _ => return Some(format!("set {set} is half there")),
        }
    }
    None
}

fn base() -> Result<Vec<u8>, Failed> {
    let file = FaultyFile::default();
    let ehr = Ehr::create_on(Box::new(file.clone()), &key(), options())?;
    doctor(&ehr)?.write(br#"{"resourceType":"Patient","id":"p0"}"#)?;
    drop(ehr);
    Ok(file.bytes())
}

fn each(count: u64, faults: &[Fault], salt: u64) -> Result<Tally, Failed> {
    let base = base()?;
    let counted = FaultyFile::with(base.clone());
    let before = counted.calls();
    let (acknowledged, ..) = scenario(&counted);
    let calls = counted.calls() - before;
    if acknowledged != 6 {
        return Err("without a fault all is acknowledged".into());
    }
    let mut plan = Vec::new();
    for at in 0..calls {
        for fault in faults {
            plan.extend([(at, *fault, true), (at, *fault, false)]);
        }
    }
    let (mut tally, mut numbers) = (Tally::default(), Numbers::of(salt));
    let step = (plan.len() as u64 / count.max(1)).max(1) as usize;
    for &(at, fault, once) in plan.iter().step_by(step) {
        let file = FaultyFile::with(base.clone());
        file.fail(fault, at, once);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let (acknowledged, asked, said) = scenario(&file);
            file.heal();
            let share = numbers.below(9);
            let lost = file.after_power_loss(|| numbers.below(8) < share);
            said.map(str::to_owned)
                .or_else(|| wrong(file.bytes(), acknowledged, asked))
                .or_else(|| wrong(lost, acknowledged, asked).map(|what| format!("{what}, after a loss of power")))
        }));
        let held = matches!(outcome, Ok(None));
        tally.count(held, || format!("call {at}, {fault:?}, once: {once}: {outcome:?}"));
    }
    tally.notes.push(format!("{calls} writes, changes of length and syncs; {} ways each", 2 * faults.len()));
    Ok(tally)
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    each(count, &[Fault::Full, Fault::Device, Fault::Short], 7)
}

/// A panic beneath, at every write and at reads: it ends in an error, and the handle is closed.
pub(super) fn panics(count: u64) -> Result<Tally, Failed> {
    let hook = std::panic::take_hook();
    if std::env::var_os("EHRCORE_SHOW_PANICS").is_none() {
        std::panic::set_hook(Box::new(|_| {})); // thousands of them are on purpose
    }
    let done = panicking(count);
    std::panic::set_hook(hook);
    done
}

fn panicking(count: u64) -> Result<Tally, Failed> {
    let mut tally = each(count / 2, &[Fault::Panic], 8)?;
    let base = base()?;
    for reads in 0..count / 2 {
        let file = FaultyFile::with(base.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let opening = reads % 2 == 0;
            if opening {
                file.panic_after_reads(reads as usize / 2 % 60);
            }
            let Ok(ehr) = Ehr::open_on(Box::new(file.clone()), &key(), options()) else { return None };
            let Ok(session) = doctor(&ehr) else { return None };
            file.panic_after_reads(reads as usize / 2 % 12);
            let first = session.read(kind("Patient"), "p0").map(|_| ()).map_err(|error| error.code());
            let second =
                session.write(br#"{"resourceType":"Patient","id":"p1"}"#).map(|_| ()).map_err(|error| error.code());
            file.heal();
            let third = session.read(kind("Patient"), "p0").map(|_| ()).map_err(|error| error.code());
            let closed = [Code::Corrupt, Code::Poisoned, Code::AuditUnavailable, Code::StoreIo];
            let right = |seen: &Result<(), Code>| seen.is_ok() || seen.is_err_and(|code| closed.contains(&code));
            // Once it failed, it stays closed.
            let stays = second.is_ok() || third.is_err();
            (!(right(&first) && right(&second) && right(&third) && stays))
                .then(|| format!("{first:?} {second:?} {third:?}"))
        }));
        tally.count(matches!(outcome, Ok(None)), || format!("after {reads} reads: {outcome:?}"));
    }
    Ok(tally)
}
