//! The audit log: what an event costs, what a proof weighs, how long a whole log takes to verify and to report on. `--audit`.
//!
//! The log alone, over rows in memory: sealing, hashing, the tree and the signed heads, not the disk. Times are of the processor, so
//! that others at work on the machine change them little.

use super::Done;
use crate::attack::Memory;
use ehrcore::audit::{self, Event, EventKind, Filter, Known};
use ehrcore::id::SystemRandom;
use ehrcore::keys::{KeyRing, RawKey};
use ehrcore::schema::ResourceType;
use ehrcore::time::Timestamp;

/// How many events.
const EVENTS: u64 = 1_000_000;
/// How many are written together, as reads are.
const GROUP: usize = 1000;

/// Nanoseconds that this thread was on a processor.
fn spent() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or(0)
}

fn event(n: u64) -> Event {
    Event {
        role: 1,
        purpose: 1,
        session: n / 40 + 1,
        app: "clinic 3.1".to_owned(),
        device: "ward-12".to_owned(),
        patient: (n * 7919 % 10_000) as u32 + 1,
        resource: Some(ResourceType::PATIENT),
        id: format!("9f1c2b7e-{:04}", n * 7919 % 10_000),
        version: 1,
        count: 1,
        clock: 1,
        ..Event::new(EventKind::Read, Timestamp(1_790_000_000_000_000 + n as i64 * 900), &format!("user-{}", n % 300))
    }
}

pub(super) fn run() -> Done {
    let random = SystemRandom::default();
    let keys = KeyRing::create(&RawKey::new([7; 32]), &random)?.0;
    let (mut shelf, mut known, mut append) = (Memory::default(), Known::default(), 0);
    for first in (0..EVENTS).step_by(GROUP) {
        let events: Vec<Event> = (first..first + GROUP as u64).map(event).collect();
        let start = spent();
        audit::append(&mut shelf, &keys, &random, &events, &mut known)?;
        append += spent() - start;
    }
    let bytes: usize = shelf.0.iter().map(|(key, value)| key.len() + value.len()).sum();
    println!("audit: {EVENTS} events in groups of {GROUP}, {} bytes each in the log", bytes as u64 / EVENTS);
    println!("  append            {:>8.2} us of CPU an event (goal 1.5)", append as f64 / 1e3 / EVENTS as f64);
    let start = spent();
    audit::verify(&shelf, &keys, None)?;
    println!("  verify all        {:>8.2} s of CPU (goal 1.5)", (spent() - start) as f64 / 1e9);
    let (start, mut most) = (spent(), 0);
    for n in 0..200 {
        let proof = audit::prove(&shelf, &keys, n * 4999)?;
        most = most.max(proof.path.as_flattened().len() + proof.blind.len());
    }
    println!("  a proof           {most:>8} bytes at most: path and blind (goal 700)");
    println!("  made in           {:>8.0} us of CPU", (spent() - start) as f64 / 1e3 / 200.0);
    let proof = audit::prove(&shelf, &keys, 123_456)?;
    let start = spent();
    let held = (0..1000).filter(|_| std::hint::black_box(&proof).holds()).count();
    println!("  checked in        {:>8.2} us of CPU ({held} of 1000 hold)", (spent() - start) as f64 / 1e6);
    for (what, filter) in [
        ("who saw a patient", Filter { patient: Some(77), ..Filter::default() }),
        ("what a user did", Filter { actor: Some("user-7"), ..Filter::default() }),
        ("emergencies", Filter { break_glass: true, ..Filter::default() }),
    ] {
        let start = spent();
        let found = audit::select(&shelf, &keys, &filter)?.len();
        let took = (spent() - start) as f64 / 1e9;
        println!(
            "  {what:<17} {took:>8.2} s of CPU, {found} lines (10 M events: {:.1} s by this figure; goal 2)",
            10.0 * took
        );
    }
    Ok(())
}
