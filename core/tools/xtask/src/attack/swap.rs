//! Slots of a file, and rows of its tables, that change places, are put twice or are dropped. Rows are changed below the seals of pages, as
//! somebody could who has the store's page key and its engine, but not the patients' keys.

use super::base::{Base, Sight, key, office, options};
use super::{Failed, Numbers, Tally};
use ehrcore::ehr::Ehr;
use ehrcore::id::SystemRandom;
use ehrcore::store::testing::{Image, SLOT, rewrite, rows};
use ehrcore::store::{Store, Table};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let base = Base::make(if count > 500 { 1 << 20 } else { 200 << 10 })?;
    let (mut tally, mut numbers) = (Tally::default(), Numbers::of(6));
    let slots = base.image.len() / SLOT;
    let slot = |at: usize| &base.image[at * SLOT..(at + 1) * SLOT];
    while tally.of < count / 2 {
        let (a, b) = (numbers.below(slots as u64) as usize, numbers.below(slots as u64) as usize);
        if slot(a) == slot(b) {
            continue;
        }
        let image = Image::of(&base.image);
        image.put(b, slot(a));
        let twice = numbers.below(2) == 0;
        if !twice {
            image.put(a, slot(b));
        }
        let sight = base.look(&image);
        tally.count(matches!(sight, Sight::Noticed(_)), || format!("slots {a} and {b}, twice: {twice}: {sight:?}"));
    }
    let open = |image: &Image| {
        Store::open_on(Box::new(image.clone()), &key(), Arc::new(SystemRandom::default()), 4 << 20, false)
    };
    let mut by_table: BTreeMap<String, u64> = BTreeMap::new();
    let kinds = [Table::Patient, Table::PatientName, Table::Block, Table::Id, Table::Index, Table::Token, Table::Audit];
    let all: Vec<_> = kinds
        .into_iter()
        .map(|table| Ok((table, rows(&open(&Image::of(&base.image))?, table))))
        .collect::<ehrcore::error::Result<_>>()?;
    while tally.of < count {
        let (table, rows) = &all[numbers.below(all.len() as u64) as usize];
        let (a, b) =
            (&rows[numbers.below(rows.len() as u64) as usize], &rows[numbers.below(rows.len() as u64) as usize]);
        let how = numbers.below(3);
        let changes = match how {
            0 => vec![(a.0.clone(), None)],
            _ if a.1 == b.1 => continue,
            1 => vec![(a.0.clone(), Some(b.1.clone())), (b.0.clone(), Some(a.1.clone()))],
            _ => vec![(b.0.clone(), Some(a.1.clone()))],
        };
        let image = Image::of(&base.image);
        let store = open(&image)?;
        rewrite(&store, *table, &changes);
        drop(store);
        let sight = base.look(&image);
        let noticed = match sight {
            Sight::Silent => {
                // What reading does not meet, the check of every index does.
                let checked = catch_unwind(AssertUnwindSafe(|| {
                    let ehr = Ehr::open_on(Box::new(image.clone()), &key(), options())?;
                    office(&ehr)?.check(None, &mut |_, _| true)
                }));
                match checked {
                    // A segment of an index of which nothing is current says nothing: without it nothing is different.
                    Ok(Ok(report)) => !report.is_sound() || *table == Table::Index && how == 0,
                    Ok(Err(_)) => true,
                    Err(_) => false,
                }
            }
            // A chart that lacks what an index row said is wrong only if the check does not say so.
            Sight::Wrong(_) => Ehr::open_on(Box::new(image.clone()), &key(), options())
                .and_then(|ehr| office(&ehr)?.check(None, &mut |_, _| true))
                .is_ok_and(|report| !report.is_sound()),
            Sight::Noticed(_) => true,
            Sight::Panicked => false,
        };
        *by_table.entry(format!("{table:?}")).or_default() += 1;
        tally.count(noticed, || format!("rows of {table:?}, way {how}: {sight:?}"));
    }
    tally.notes.push(format!("{} of slots, rows: {by_table:?}", count / 2));
    Ok(tally)
}
