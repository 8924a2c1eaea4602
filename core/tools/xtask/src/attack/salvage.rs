//! Pages of a store damaged, a few or many, with no good copy: what is salvaged is genuine and current, and the ledger adds up.

use super::base::{Base, key};
use super::{Failed, Numbers, Tally};
use ehrcore::error::Code;
use ehrcore::id::SystemRandom;
use ehrcore::limits::Watch;
use ehrcore::record::Record;
use ehrcore::store::testing::{FaultyFile, Image, SLOT};
use ehrcore::store::{Salvaged, Store, salvage_on};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a salvage came to.
#[derive(Debug)]
enum Came {
    /// The map is damaged, and it was said.
    NoMap,
    /// Everything that came is genuine.
    Genuine(Salvaged),
    /// Something came that is not so.
    Wrong(&'static str),
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let base = Base::make(if count > 1000 { 2 << 20 } else { 300 << 10 })?;
    let (mut tally, mut numbers) = (Tally::default(), Numbers::of(21));
    let (mut no_map, mut current, mut hidden, mut lost) = (0, 0, 0, 0);
    for round in 0..count {
        let damaged = Image::of(&base.image);
        for _ in 0..1 << (round % 6) {
            let slot = numbers.below((base.image.len() / SLOT) as u64) as usize;
            damaged.put(slot, &numbers.below(u64::MAX).to_be_bytes());
        }
        let came = catch_unwind(AssertUnwindSafe(|| look(&base, &damaged)));
        let held = matches!(came, Ok(Came::NoMap | Came::Genuine(_)));
        match &came {
            Ok(Came::NoMap) => no_map += 1,
            Ok(Came::Genuine(report)) => {
                (current, hidden, lost) = (current + report.current, hidden + report.hidden, lost + report.lost);
            }
            Ok(Came::Wrong(what)) => tally.notes.push(format!("round {round}: {what}")),
            Err(_) => tally.notes.push(format!("round {round}: a panic")),
        }
        tally.count(held, || format!("round {round}: {came:?}"));
    }
    tally.notes.push(format!("{no_map} times the map; else {current} records current, {hidden} hidden, {lost} lost"));
    Ok(tally)
}

fn look(base: &Base, damaged: &Image) -> Came {
    let (into, mut lines) = (FaultyFile::default(), Vec::new());
    let random = Arc::new(SystemRandom::default());
    let file = || Box::new(damaged.clone());
    let report = match salvage_on(file(), file(), &key(), Box::new(into.clone()), &mut lines, random.clone()) {
        Ok(report) => report,
        // Of the superblocks the header is in clear: with both damaged the key may not open what is left.
        Err(error) if matches!(error.code(), Code::MapDamaged | Code::WrongKey | Code::NotAStore) => {
            return Came::NoMap;
        }
        Err(_) => return Came::Wrong("refused"),
    };
    let mut count = 0;
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        count += 1;
        let Ok(record) = Record::parse(line) else { return Came::Wrong("a line") };
        if !record.id().is_some_and(|id| base.is_current(record.kind(), id, line)) {
            return Came::Wrong("a line that is not current");
        }
    }
    let sum = report.current + report.retracted + report.deleted + report.hidden + report.lost;
    if count != report.current || report.records.is_some_and(|records| (records, records) != (sum, base.records())) {
        return Came::Wrong("the ledger");
    }
    if report.blocks.is_some_and(|blocks| blocks != report.opened + report.blocks_lost) {
        return Came::Wrong("the ledger of blocks");
    }
    let Ok(store) = Store::open_on(Box::new(FaultyFile::with(into.bytes())), &key(), random, 1 << 20, false) else {
        return Came::Wrong("the new store does not open");
    };
    let checked = store.snapshot().and_then(|snapshot| snapshot.check(&Watch::default(), &mut |_, _| true));
    match checked {
        Ok(checked) if checked.is_sound() && checked.records == report.current => Came::Genuine(report),
        _ => Came::Wrong("the new store is not sound"),
    }
}
