//! Killed at random moments: what was acknowledged is there, a change set is whole or not there, the store opens.

use crate::path::{administrator, key, kind, physician};
use ehrcore::ehr::{Ehr, Options, VerifyLevel};
use ehrcore::exchange::ImportOptions;
use ehrcore::id::{Random, SystemRandom};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const IN_BUNDLE: usize = 40;

fn bundle(n: usize) -> String {
    let entries: Vec<String> = (0..IN_BUNDLE)
        .map(|k| format!(r#"{{"resource":{{"resourceType":"Basic","id":"b{n}-{k}","code":{{"text":"x"}},"subject":{{"reference":"Patient/p{}"}}}},"request":{{"method":"PUT","url":"Basic/b{n}-{k}"}}}}"#, n % 7))
        .collect();
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","))
}

/// The child: imports one Bundle after another and says each that was acknowledged. Does nothing in an ordinary test run.
#[test]
fn child_of_the_kill_test() {
    let Some(folder) = std::env::var_os("EHRCORE_KILL_CHILD") else { return };
    let folder = Path::new(&folder);
    let ehr = Ehr::open(folder.join("clinic.ehr"), &key(), Options::default()).expect("it opens");
    let session = administrator(&ehr);
    let start: usize = std::env::var("EHRCORE_KILL_START").expect("set by the parent").parse().expect("a number");
    for n in start.. {
        let file = folder.join("next.json");
        std::fs::write(&file, bundle(n)).expect("a file");
        session.import(&file, &ImportOptions { threads: 1, ..ImportOptions::default() }, &mut ()).expect("it imports");
        writeln!(std::io::stdout(), "ack {n}").expect("a pipe");
        std::io::stdout().flush().expect("a pipe");
    }
}

#[test]
fn a_kill_loses_nothing_acknowledged_and_leaves_no_half() {
    let kills: usize = std::env::var("EHRCORE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().expect("a folder");
    drop(Ehr::create(folder.path().join("clinic.ehr"), &key(), Options::default()).expect("a new store"));
    let mut next = 0;
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["kill::child_of_the_kill_test", "--exact", "--nocapture", "--test-threads=1"])
            .env("EHRCORE_KILL_CHILD", folder.path())
            .env("EHRCORE_KILL_START", next.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let mut random = [0; 2];
        SystemRandom::default().fill(&mut random).expect("random bytes");
        // Let some commits through, then a number of spins of no fixed length, then kill in the middle of whatever is going on.
        let (commits, spins) = (usize::from(random[0] % 5), usize::from(random[1]) * 3000);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut acknowledged = Vec::new();
        while acknowledged.len() <= commits {
            match lines.next() {
                Some(Ok(line)) => acknowledged.extend(line.split("ack ").nth(1).and_then(|n| n.parse::<usize>().ok())),
                _ => break,
            }
        }
        (0..spins).for_each(|_| std::hint::spin_loop());
        child.kill().expect("it was running");
        child.wait().expect("it ended");
        acknowledged.extend(
            lines
                .map_while(Result::ok)
                .filter_map(|line| line.split("ack ").nth(1).and_then(|n| n.parse::<usize>().ok())),
        );
        assert!(!acknowledged.is_empty(), "round {round}: the child acknowledged something");

        let ehr =
            Ehr::open(folder.path().join("clinic.ehr"), &key(), Options::default()).expect("it opens after a kill");
        let session = physician(&ehr);
        let last = *acknowledged.last().expect("not empty");
        for n in next..=last + 2 {
            let there = (0..IN_BUNDLE).filter(|k| session.read(kind("Basic"), &format!("b{n}-{k}")).is_ok()).count();
            assert!(there == 0 || there == IN_BUNDLE, "round {round}: Bundle {n} is half there ({there})");
            assert!(n > last || there == IN_BUNDLE, "round {round}: acknowledged Bundle {n} is gone");
        }
        next = last + 3;
    }
    let ehr = Ehr::open(folder.path().join("clinic.ehr"), &key(), Options::default()).expect("it opens");
    administrator(&ehr).verify(VerifyLevel::Records, None).expect("log and records are whole");
}
