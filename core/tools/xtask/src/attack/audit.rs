//! Audit: an export of the log is changed in every way that somebody with the file can think of, and shown to the stand-alone
//! verifier (core/tools/verify_audit.py), which has the public key and the last head and shares no code with the library.
//!
//! One Python process takes all mutations: of each it gets the places that are replaced and answers with one letter.

use super::{Failed, Numbers, Tally};
use ehrcore::audit::{Event, EventKind, Head, Known, Row, Shelf, append, export, head};
use ehrcore::error::Result;
use ehrcore::id::SystemRandom;
use ehrcore::keys::{KeyRing, RawKey};
use ehrcore::schema::ResourceType;
use ehrcore::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Rows of a log in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl Shelf for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Row>> {
        Ok(self.0.range(from.to_vec()..=to.to_vec()).next_back().map(|(key, value)| (key.clone(), value.clone())))
    }
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.0.insert(key, value);
        Ok(())
    }
    fn remove(&mut self, key: Vec<u8>) -> Result<()> {
        self.0.remove(&key);
        Ok(())
    }
}

/// How many events the log has.
const EVENTS: u64 = 48;

/// Every kind of event, with every part that an event can have.
fn events(changed: Option<u64>) -> Vec<Event> {
    let text = |there: bool, text: &str| if there { text.to_owned() } else { String::new() };
    (0..EVENTS)
        .map(|n| Event {
            failed: (n % 7 == 3).then_some(600),
            role: (n % 7) as u8,
            purpose: (n % 6) as u8,
            session: n / 5 * 0x1234_5678,
            on_behalf_of: text(n % 5 == 1, "dr-house"),
            app: text(n % 3 == 0, "clinic \u{202e} 3.1"),
            device: text(n % 4 == 0, "ward-12 \"west\""),
            address: text(n % 8 == 1, "10.1.2.3"),
            patient: (n % 5) as u32,
            patients: if n % 11 == 2 { vec![1, 7, 300, 70_000] } else { Vec::new() },
            resource: ResourceType::from_number((n % 150) as u8),
            id: text(n % 4 != 1, &format!("record-{n}")),
            version: (n % 3) as u32,
            commit: n % 2 * (n + 1),
            count: n,
            digest: [(n % 3) as u8; 32],
            compartment: (n % 3) as u8,
            labels: text(n % 9 == 1, "R PSY"),
            rule: (n % 4) as u16,
            policy: (n % 3) as u32,
            break_glass: n % 6 / 5 * 99,
            clock: (n % 2) as u8,
            ground: (n % 10) as u8,
            recipient: text(n % 13 == 5, "Registry of the county"),
            reason: text(n % 10 == 6, "because"),
            query: text(n % 3 == 1, "name=doe"),
            ..Event::new(
                EventKind::ALL[n as usize % EventKind::ALL.len()],
                Timestamp(1_790_000_000_000_000 + n as i64 * 1_000_001),
                if changed == Some(n) { "somebody-else" } else { "dr-grey \u{e9}" },
            )
        })
        .collect()
}

/// A log, its export and its checkpoint.
fn exported(keys: &KeyRing, events: &[Event]) -> Result<(Vec<u8>, String, Head)> {
    let (mut shelf, mut known) = (Memory::default(), Known::default());
    for some in events.chunks(7) {
        append(&mut shelf, keys, &SystemRandom::default(), some, &mut known)?;
    }
    let mut lines = Vec::new();
    let size = head(&shelf, keys)?.map_or(0, |head| head.size);
    let head = export(&shelf, keys, 0, size, &mut lines)?;
    let note = head.note(keys.store_id(), &keys.public_key());
    Ok((lines, note, head))
}

/// What is done to an export: places of the lines that are replaced, last first; and another checkpoint, where it has one.
struct Mutation {
    what: &'static str,
    splices: Vec<(usize, usize, Vec<u8>)>,
    note: Option<String>,
    /// Whether the checkpoint is right and only the one kept outside tells.
    held: bool,
}

const DRIVER: &str = r#"
import json, sys
sys.path.insert(0, sys.argv[1])
import verify_audit
base = json.loads(sys.stdin.readline())
key, held = bytes.fromhex(base["key"]), base["held"]
for line in sys.stdin:
    change = json.loads(line)
    data = bytes.fromhex(change["lines"]) if "lines" in change else bytes.fromhex(base["lines"])
    for start, end, put in change["splices"]:
        data = data[:start] + bytes.fromhex(put) + data[end:]
    try:
        verify_audit.verify(data, change.get("note") or base["note"], key, held)
        print("passed", flush=True)
    except verify_audit.Broken as why:
        print("found", why, flush=True)
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn run(count: u64) -> std::result::Result<Tally, Failed> {
    let keys = KeyRing::create(&RawKey::new([7; 32]), &SystemRandom::default())?.0;
    let other = KeyRing::create(&RawKey::new([8; 32]), &SystemRandom::default())?.0;
    let (lines, note, _) = exported(&keys, &events(None))?;
    let (_, note_of_other, _) = exported(&other, &events(None))?;
    let mut python = Command::new("python3")
        .args(["-c", DRIVER])
        .arg(crate::root().join("core/tools"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(mut input), Some(output)) = (python.stdin.take(), python.stdout.take()) else {
        return Err("python3 has no input or output".into());
    };
    let mut answers = BufReader::new(output);
    let base = serde_json::json!({"key": hex(&keys.public_key()), "held": note, "note": note, "lines": hex(&lines)});
    writeln!(input, "{base}")?;
    let mut ask = |request: &serde_json::Value| -> std::result::Result<String, Failed> {
        writeln!(input, "{request}")?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    };
    let (mut tally, mut numbers) = (Tally::default(), Numbers::of(40));
    // What was not changed passes: a verifier that says no to everything finds nothing.
    let untouched = ask(&serde_json::json!({"splices": []}))?;
    if untouched != "passed" {
        return Err(format!("the export itself does not verify: {untouched}").into());
    }
    let mut whys: BTreeMap<&'static str, u64> = BTreeMap::new();
    for n in 0..count {
        let mutation = mutation(&mut numbers, n, &lines, &note, &note_of_other, &keys);
        let splices: Vec<_> =
            mutation.splices.iter().map(|(start, end, put)| serde_json::json!([start, end, hex(put)])).collect();
        let mut request = serde_json::json!({"splices": splices});
        if mutation.held {
            // The log made anew by somebody who has the keys of the store: all signatures are right.
            let which = numbers.below(EVENTS);
            let (lines, note, _) = exported(&keys, &events(Some(which)))?;
            request = serde_json::json!({"splices": [], "lines": hex(&lines), "note": note});
        } else if let Some(note) = &mutation.note {
            request["note"] = note.as_str().into();
        }
        let answer = ask(&request)?;
        *whys.entry(mutation.what).or_default() += 1;
        tally.count(answer.starts_with("found"), || format!("{} ({n}): {answer}", mutation.what));
    }
    drop(input);
    python.wait()?;
    let made: Vec<String> = whys.iter().map(|(what, count)| format!("{count} {what}")).collect();
    tally.notes.push(format!("{}; a log of {EVENTS} events", made.join(", ")));
    Ok(tally)
}

fn mutation(numbers: &mut Numbers, n: u64, lines: &[u8], note: &str, other: &str, keys: &KeyRing) -> Mutation {
    let ends: Vec<usize> = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let line = |which: usize| if which == 0 { 0..ends[0] } else { ends[which - 1]..ends[which] };
    let mut pick = || numbers.below(ends.len() as u64) as usize;
    let made = |what, splices| Mutation { what, splices, note: None, held: false };
    match n % 12 {
        0..=3 => {
            let (at, bit) = (numbers.below(lines.len() as u64) as usize, numbers.below(8));
            made("bits turned", vec![(at, at + 1, vec![lines[at] ^ 1 << bit])])
        }
        4 => {
            // A letter for another of its kind: what is changed still reads well.
            let start = numbers.below(lines.len() as u64) as usize;
            let at = (start..lines.len()).chain(0..start).find(|at| lines[*at].is_ascii_alphanumeric()).unwrap_or(0);
            let put = if lines[at].is_ascii_digit() { b'0' + (lines[at] - b'0' + 1) % 10 } else { lines[at] ^ 0x20 };
            made("letters changed", vec![(at, at + 1, vec![put])])
        }
        5 => {
            let gone = line(pick());
            made("lines dropped", vec![(gone.start, gone.end, Vec::new())])
        }
        6 => {
            let (a, b) = (pick(), pick());
            let (a, b) = if a == b { (0, 1) } else { (a.min(b), a.max(b)) };
            let (first, second) = (line(a), line(b));
            let (one, two) = (lines[first.clone()].to_vec(), lines[second.clone()].to_vec());
            made("lines swapped", vec![(second.start, second.end, one), (first.start, first.end, two)])
        }
        7 => {
            let (what, to) = (line(pick()), line(pick()).start);
            made("lines put in", vec![(to, to, lines[what].to_vec())])
        }
        8 => {
            let from = line(pick()).start;
            made("tails cut off", vec![(from, lines.len(), Vec::new())])
        }
        9 => {
            let (from, length) = (numbers.below(lines.len() as u64) as usize, 1 + numbers.below(40) as usize);
            made("pieces cut out", vec![(from, (from + length).min(lines.len()), Vec::new())])
        }
        10 => {
            let forged = match numbers.below(4) {
                0 => other.to_owned(),
                1 => {
                    // Signed by another key, for this store, over a shorter log.
                    let size = numbers.below(EVENTS - 1) + 1;
                    let mut root = [0; 32];
                    root[0] = size as u8;
                    let seed = KeyRing::create(&RawKey::new([9; 32]), &SystemRandom::default());
                    let signer = seed.map_or_else(|_| keys.public_key(), |seed| seed.0.public_key());
                    let signature = keys.sign(&signer);
                    Head { size, root, signature }.note(keys.store_id(), &keys.public_key())
                }
                _ => {
                    let letters: Vec<(usize, char)> = note.char_indices().collect();
                    let (at, letter) = letters[numbers.below(letters.len() as u64) as usize];
                    let put = if letter == 'A' { 'B' } else { 'A' };
                    [&note[..at], &put.to_string(), &note[at + letter.len_utf8()..]].concat()
                }
            };
            Mutation { what: "heads forged", splices: Vec::new(), note: Some(forged), held: false }
        }
        _ => Mutation { what: "logs made anew", splices: Vec::new(), note: None, held: true },
    }
}
