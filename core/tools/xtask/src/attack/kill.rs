//! `kill -9` at random moments of a process in which several threads write change sets that share syncs, others read, one reads the audit
//! log and one imports. What was acknowledged is there, a change set is there whole or not at all, the store opens and verifies.

use super::base::{doctor, key, kind, office, options};
use super::{Failed, Numbers, Tally};
use ehrcore::ehr::{Ehr, SearchOptions, VerifyLevel, Write};
use ehrcore::exchange::ImportOptions;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const WRITERS: usize = 3;
/// Threads that change something: the last one imports.
const ALL: usize = WRITERS + 1;
const IN_SET: usize = 5;
const IN_BUNDLE: usize = 30;

fn size(thread: usize) -> usize {
    if thread == WRITERS { IN_BUNDLE } else { IN_SET }
}

fn record(thread: usize, set: u64, n: usize) -> String {
    format!(
        r#"{{"resourceType":"Basic","id":"t{thread}-{set}-{n}","code":{{"text":"{}"}},"subject":{{"reference":"Patient/p{}"}}}}"#,
        "x".repeat(1 + (set as usize * 31 + n * 7) % 500),
        set % 5
    )
}

/// The process that is killed: says each change set that was acknowledged.
pub(crate) fn child(words: &[&str]) -> crate::Done {
    let (folder, starts) = words.split_first().ok_or("folder and numbers")?;
    let folder = Path::new(folder);
    let starts: Vec<u64> = starts.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
    let ehr = Ehr::open(folder.join("clinic.ehr"), &key(), options())?;
    let stopped = AtomicBool::new(false);
    let say = |thread: usize, set: u64| {
        let mut out = std::io::stdout().lock();
        if writeln!(out, "ack {thread} {set}").and_then(|()| out.flush()).is_err() {
            stopped.store(true, SeqCst);
        }
    };
    std::thread::scope(|scope| {
        for (thread, start) in starts.iter().enumerate() {
            let (ehr, say, stopped) = (&ehr, &say, &stopped);
            scope.spawn(move || -> Result<(), ehrcore::error::Error> {
                for set in *start.. {
                    if stopped.load(SeqCst) {
                        break;
                    }
                    if thread < WRITERS {
                        let set_of = (0..IN_SET).map(|n| Write::Put(record(thread, set, n).into_bytes())).collect();
                        doctor(ehr)?.change_set(set_of)?;
                    } else {
                        let entries: Vec<String> = (0..IN_BUNDLE)
                            .map(|n| format!(r#"{{"resource":{},"request":{{"method":"PUT","url":"Basic/t{thread}-{set}-{n}"}}}}"#, record(thread, set, n)))
                            .collect();
                        let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
                        let file = folder.join("next.json");
                        std::fs::write(&file, bundle)?;
                        office(ehr)?.import(&file, &ImportOptions { threads: 1, ..ImportOptions::default() }, &mut ())?;
                    }
                    say(thread, set);
                }
                Ok(())
            });
        }
        for reader in 0..2 {
            let (ehr, stopped) = (&ehr, &stopped);
            scope.spawn(move || -> Result<(), ehrcore::error::Error> {
                while !stopped.load(SeqCst) {
                    if reader == 0 {
                        doctor(ehr)?.search(kind("Basic"), "subject=Patient/p1", SearchOptions::default())?;
                    } else {
                        office(ehr)?.audit(0, 50)?;
                    }
                }
                Ok(())
            });
        }
    });
    Ok(())
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let (mut tally, mut numbers) = (Tally::default(), Numbers::of(9));
    let (mut folder, mut starts) = (tempfile::tempdir()?, [0_u64; ALL]);
    let mut acknowledged = 0_u64;
    for round in 0..count {
        if round % 60 == 0 {
            folder = tempfile::tempdir()?;
            starts = [0; ALL];
            drop(Ehr::create(folder.path().join("clinic.ehr"), &key(), options())?);
        }
        let mut child = Command::new(std::env::current_exe()?)
            .arg("attack-child")
            .arg(folder.path())
            .args(starts.iter().map(u64::to_string))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (lines, spins) = (1 + numbers.below(12), numbers.below(600_000));
        let mut output = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
        let mut acks = [None; ALL];
        let mut note = |line: &str| {
            let mut words = line.split(' ').skip(1).filter_map(|word| word.parse::<u64>().ok());
            if let (Some(thread), Some(set)) = (words.next(), words.next()) {
                acks[thread as usize] = Some(set);
            }
        };
        for _ in 0..lines {
            match output.next() {
                Some(Ok(line)) => note(&line),
                _ => break,
            }
        }
        (0..spins).for_each(|_| std::hint::spin_loop());
        child.kill()?;
        child.wait()?;
        output.map_while(Result::ok).for_each(|line| note(&line));
        let outcome = (|| -> Result<(), String> {
            let text = |error: ehrcore::error::Error| error.to_string();
            let ehr = Ehr::open(folder.path().join("clinic.ehr"), &key(), options()).map_err(text)?;
            let session = doctor(&ehr).map_err(text)?;
            for thread in 0..ALL {
                let next = acks[thread].map_or(starts[thread], |last| last + 1);
                for set in starts[thread]..next + 2 {
                    let there = (0..size(thread))
                        .filter(|n| {
                            session
                                .read(kind("Basic"), &format!("t{thread}-{set}-{n}"))
                                .is_ok_and(|stored| stored.bytes() == record(thread, set, *n).as_bytes())
                        })
                        .count();
                    if there != size(thread) && (there > 0 || set < next) {
                        return Err(format!("thread {thread}, set {set}: {there} there, acknowledged below {next}"));
                    }
                }
                acknowledged += next - starts[thread];
                starts[thread] = next + 2;
            }
            if round % 20 == 19 || round + 1 == count {
                office(&ehr).and_then(|office| office.verify(VerifyLevel::Records, None)).map_err(text)?;
            }
            Ok(())
        })();
        tally.count(outcome.is_ok(), || format!("round {round}: {outcome:?}"));
    }
    tally.notes.push(format!("{acknowledged} change sets acknowledged by 3 writers and an import"));
    Ok(tally)
}
