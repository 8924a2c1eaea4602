//! Random bits flipped in a store of which there is one good copy: every one is found, and every one is repaired to what was left.

use super::base::{Base, Sight, key};
use super::{Failed, Numbers, Tally};
use ehrcore::id::SystemRandom;
use ehrcore::store::Store;
use ehrcore::store::testing::{FaultyFile, Image, Probe};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let base = Base::make(if count > 1000 { 2 << 20 } else { 300 << 10 })?;
    let content = Probe::open(&Image::of(&base.image), &key())?.content()?;
    let (mut tally, mut numbers) = (Tally::default(), Numbers::of(5));
    let (mut whole, mut pages) = (0, 0);
    for round in 0..count {
        let bit = numbers.below(base.image.len() as u64 * 8) as usize;
        let damaged = Image::flipped(&base.image, bit);
        let random = Arc::new(SystemRandom::default());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let opened = Store::open_on(Box::new(damaged.clone()), &key(), random.clone(), 1 << 20, true);
            let condition = opened.and_then(|store| store.check());
            let found = condition.is_err()
                || condition.is_ok_and(|checked| !checked.is_sound() || checked.mended > 0 || checked.recovered);
            let into = FaultyFile::default();
            let copy = Box::new(Image::of(&base.image));
            let mended =
                ehrcore::store::repair_on(Box::new(damaged.clone()), &damaged, copy, &into, &key(), random.clone());
            let image = Image::of(&Arc::new(into.bytes()));
            let equal = mended.is_ok()
                && Probe::open(&image, &key()).is_ok_and(|probe| probe.content().is_ok_and(|it| it == content));
            let sight = if round % 100 == 0 { base.look(&image) } else { Sight::Silent };
            if let Ok(mended) = mended {
                whole += u64::from(mended.whole_copy);
                pages += if mended.whole_copy { 0 } else { mended.from_copies };
            }
            (found, equal, sight)
        }));
        tally.count(matches!(outcome, Ok((true, true, Sight::Silent))), || {
            format!("bit {bit}: found, equal, sound: {outcome:?}")
        });
    }
    tally.notes.push(format!(
        "{pages} pages taken from the copy, {whole} times the copy whole, else a free slot or superblock"
    ));
    Ok(tally)
}
