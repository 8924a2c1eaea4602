//! The tamper page of the demo: four things somebody could do to the file, done to copies of it, and what was noticed.

use crate::Failure;
use crate::demo::administrator;
use ehrcore::audit::Head;
use ehrcore::ehr::{Ehr, Options, VerifyLevel};
use ehrcore::id::SystemRandom;
use ehrcore::keys::RawKey;
use ehrcore::store::testing::{SLOT, rewrite, rows};
use ehrcore::store::{Store, Table};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// One way to tamper, and what became of it.
pub(crate) struct Attempt {
    pub(crate) what: &'static str,
    /// What was done, in the words of the page.
    done: String,
    /// Where and as what it was noticed; None where it was not.
    pub(crate) noticed: Option<String>,
}

/// What there is to tamper with.
pub(crate) struct Evidence<'a> {
    /// The folder for copies and for the page.
    pub(crate) out: &'a Path,
    pub(crate) key: [u8; 32],
    /// The file now, and as it was earlier.
    pub(crate) now: &'a [u8],
    pub(crate) earlier: &'a [u8],
    /// A whole copy from earlier, closed in order.
    pub(crate) copy: &'a Path,
    /// The head of the audit log, kept outside.
    pub(crate) head: &'a Head,
}

/// Tampers with copies and writes `tamper.html`.
pub(crate) fn run(evidence: &Evidence<'_>) -> Result<Vec<Attempt>, Failure> {
    let Evidence { now, earlier, .. } = evidence;
    let mut attempts = Vec::new();
    let mut flipped = now.to_vec();
    let at = flipped.len() / 3;
    flipped[at] ^= 0x20;
    let done = format!("One bit of byte {at} of {} is another.", now.len());
    attempts.push(Attempt { what: "A byte is flipped", done, noticed: evidence.noticed(&flipped)? });

    // A slot that holds something now, and held something else before.
    let slots = 2..now.len().min(earlier.len()) / SLOT;
    let slot = |bytes: &'_ [u8], n: usize| bytes[n * SLOT..(n + 1) * SLOT].to_vec();
    let empty = vec![0; SLOT];
    let differs =
        |n: &usize| slot(now, *n) != slot(earlier, *n) && slot(now, *n) != empty && slot(earlier, *n) != empty;
    let (done, noticed) = match slots.into_iter().find(differs) {
        Some(n) => {
            let mut replayed = now.to_vec();
            replayed[n * SLOT..(n + 1) * SLOT].copy_from_slice(&slot(earlier, n));
            let done = format!("Slot {n} says again what it said before; every byte of it was written by the library.");
            (done, evidence.noticed(&replayed)?)
        }
        None => ("No slot was written twice.".to_owned(), None),
    };
    attempts.push(Attempt { what: "An old page is put back", done, noticed });

    let file = evidence.out.join("tampered.ehr");
    std::fs::write(&file, now)?;
    let store = Store::open(&file, &RawKey::new(evidence.key), Arc::new(SystemRandom::default()), 4 << 20, false)?;
    let events = rows(&store, Table::Audit);
    let dropped = events.iter().filter(|(key, _)| key.starts_with(b"event ")).nth(1);
    let done = format!("With the key of the store, one of {} rows of the log is taken out.", events.len());
    if let Some((key, _)) = dropped {
        rewrite(&store, Table::Audit, &[(key.clone(), None)]);
    }
    drop(store);
    let changed = std::fs::read(&file)?;
    attempts.push(Attempt { what: "An audit entry is dropped", done, noticed: evidence.noticed(&changed)? });

    let old = std::fs::read(evidence.copy)?;
    let done = "The whole file is one from before the last changes, sound in itself; only the head of the audit log that was kept outside \
                tells."
        .to_owned();
    attempts.push(Attempt { what: "An old file is put back", done, noticed: evidence.noticed(&old)? });
    let _ = std::fs::remove_file(&file);
    std::fs::write(evidence.out.join("tamper.html"), page(&attempts))?;
    Ok(attempts)
}

impl Evidence<'_> {
    /// Looks at a changed file: the file, then the log and every record.
    fn noticed(&self, bytes: &[u8]) -> Result<Option<String>, Failure> {
        let (file, key) = (self.out.join("tampered.ehr"), RawKey::new(self.key));
        std::fs::write(&file, bytes)?;
        match Ehr::condition(&file, &key, Options::default()) {
            Err(error) => return Ok(Some(format!("on opening: {}", error.code().sentence()))),
            Ok(condition) if !condition.is_sound() => {
                let slots: Vec<String> = condition.damaged.iter().take(3).map(u32::to_string).collect();
                return Ok(Some(format!("by the check of the file: slot {} is not as it was left", slots.join(", "))));
            }
            Ok(condition) if condition.mended > 0 || condition.recovered => {
                return Ok(Some("by the check of the file: it was not closed in order".to_owned()));
            }
            Ok(_) => {}
        }
        let verified = Ehr::open(&file, &key, Options::default())
            .map_err(Failure::from)
            .and_then(|ehr| Ok(administrator(&ehr)?.verify(VerifyLevel::Records, Some(self.head)).map(drop)?));
        Ok(match verified {
            Ok(()) => None,
            Err(Failure::Library(error)) => Some(format!("on verifying: {}", error.code().sentence())),
            Err(other) => return Err(other),
        })
    }
}

fn page(attempts: &[Attempt]) -> String {
    let mut rows = String::new();
    for attempt in attempts {
        let (class, found) = match &attempt.noticed {
            Some(where_) => ("found", where_.as_str()),
            None => ("missed", "NOT NOTICED"),
        };
        let _ = write!(
            rows,
            "<section class=\"{class}\"><h2>{}</h2><p>{}</p><p class=\"noticed\">Noticed {found}.</p></section>",
            attempt.what, attempt.done
        );
    }
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>ehr demo: tampering</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}}\
         section{{border-left:.4rem solid #0a6b2d;padding:.1rem 1rem;margin:1rem 0;background:#f4f7f4}}\
         section.missed{{border-color:#b00020;background:#fbeff0}}h2{{font-size:1.1rem;margin:.4rem 0}}.noticed{{font-weight:600}}</style>\
         <h1>What was done to the file, and how it showed</h1>{rows}"
    )
}
