//! `cargo xtask attack`: what somebody with the file, or a bad day of the machine, tries against a store. Each attack says how many
//! attempts the store held out against; one that it did not is a failure of the promise in SECURITY.md.

mod audit;
mod base;
mod cedar;
mod edits;
mod faults;
mod flip;
mod full;
pub(crate) mod kill;
mod markers;
mod repair;
mod replay;
mod rollback;
mod salvage;
mod shred;
mod swap;
mod torn;

pub(crate) use audit::Memory;
use std::cell::Cell;

type Failed = Box<dyn std::error::Error>;

/// What became of an attack.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Attempts that were found, refused or without effect, as the promise says.
    pub(crate) held: u64,
    /// Attempts made.
    pub(crate) of: u64,
    /// What else there is to say: figures, and what did not hold.
    pub(crate) notes: Vec<String>,
}

impl Tally {
    /// Counts one attempt; `note` says what did not hold. The first twenty are kept.
    pub(crate) fn count(&mut self, held: bool, note: impl FnOnce() -> String) {
        self.of += 1;
        self.held += u64::from(held);
        if !held && self.of - self.held <= 20 {
            self.notes.push(format!("NOT HELD: {}", note()));
        }
    }
    /// Adds what another part of the attack came to.
    pub(crate) fn add(&mut self, other: Tally) {
        self.held += other.held;
        self.of += other.of;
        self.notes.extend(other.notes);
    }
}

/// One attack: its name, what it does, how many attempts CI makes and how many make the full proof.
struct Attack {
    name: &'static str,
    what: &'static str,
    small: u64,
    full: u64,
    run: fn(u64) -> Result<Tally, Failed>,
}

const ATTACKS: &[Attack] = &[
    Attack { name: "cedar", what: "our decisions beside Cedar's", small: 10_000, full: 1_000_000, run: cedar::run },
    Attack { name: "edits", what: "two writers edit at the same time", small: 2_000, full: 100_000, run: edits::run },
    Attack { name: "flip", what: "single bits of a store flipped", small: 4_000, full: 16_777_216, run: flip::run },
    Attack { name: "replay", what: "slots of older images put back", small: 60, full: 10_000, run: replay::run },
    Attack { name: "repair", what: "bits flipped, one good copy", small: 60, full: 10_000, run: repair::run },
    Attack { name: "salvage", what: "pages damaged, no good copy", small: 40, full: 10_000, run: salvage::run },
    Attack { name: "swap", what: "slots and rows moved, doubled, dropped", small: 24, full: 4_000, run: swap::run },
    Attack { name: "kill", what: "kill -9 under load", small: 6, full: 1_000, run: kill::run },
    Attack {
        name: "faults",
        what: "ENOSPC, EIO, short writes, failing syncs",
        small: 60,
        full: 100_000,
        run: faults::run,
    },
    Attack { name: "panic", what: "the engine's disk panics", small: 80, full: 2_000, run: faults::panics },
    Attack { name: "tmpfs", what: "a full file system", small: 1, full: 100, run: full::run },
    Attack { name: "markers", what: "planted words looked for everywhere", small: 10, full: 50, run: markers::run },
    Attack { name: "torn", what: "loss of power in the middle of a write", small: 100, full: 10_000, run: torn::run },
    Attack { name: "shred", what: "words of shredded patients looked for", small: 4, full: 50, run: shred::run },
    Attack {
        name: "rollback",
        what: "older files put back, anchors forged",
        small: 60,
        full: 1_000,
        run: rollback::run,
    },
    Attack { name: "audit", what: "exports of the audit log changed", small: 600, full: 10_000, run: audit::run },
];

pub(crate) fn run(arguments: &[&str]) -> crate::Done {
    let usage = || {
        let mut text = "usage: cargo xtask attack NAME|--all [--count N] [--full] [--seed N]\n".to_owned();
        for attack in ATTACKS {
            text +=
                &format!("  {:12} {} ({} in CI, {} in full)\n", attack.name, attack.what, attack.small, attack.full);
        }
        text
    };
    let (mut names, mut count, mut full, mut all) = (Vec::new(), None, false, false);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.replace('_', "").parse().ok()).ok_or_else(usage);
        match *word {
            "--count" => count = Some(number()?),
            "--seed" => SEED.set(number()?),
            "--full" => full = true,
            "--all" => all = true,
            name => names.push(name),
        }
    }
    let chosen: Vec<&Attack> = ATTACKS.iter().filter(|attack| all || names.contains(&attack.name)).collect();
    if chosen.is_empty() || !all && chosen.len() != names.len() {
        return Err(usage().into());
    }
    let mut open = 0;
    for attack in chosen {
        let count = count.unwrap_or(if full { attack.full } else { attack.small });
        let start = std::time::Instant::now();
        let tally = (attack.run)(count)?;
        for note in &tally.notes {
            println!("  {note}");
        }
        println!("{}: held {} of {} ({:.1} s)", attack.name, tally.held, tally.of, start.elapsed().as_secs_f64());
        open += u64::from(tally.held != tally.of || tally.of == 0);
    }
    if open == 0 { Ok(()) } else { Err(format!("{open} attacks were not held out against").into()) }
}

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(1) };
}

/// What random choices of an attack follow from: `--seed`, else the same every time.
pub(crate) fn seed() -> u64 {
    SEED.get()
}

/// Numbers of which each follows from the one before (Knuth, MMIX).
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Numbers for an attack: another part of it takes another `salt`.
    pub(crate) fn of(salt: u64) -> Numbers {
        Numbers::from(seed(), salt)
    }
    /// As `of`, for a thread of its own.
    pub(crate) fn from(seed: u64, salt: u64) -> Numbers {
        let mut numbers = Numbers(seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        numbers.below(2);
        numbers
    }
    /// The next one, below a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 31) % bound.max(1)
    }
}
