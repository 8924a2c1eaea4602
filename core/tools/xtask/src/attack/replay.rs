//! Slots of older images of the same file put back: one at a time, then in random sets, superblocks and map included; and whole older
//! files, which only a head kept outside finds.

use super::base::{Base, Sight};
use super::{Failed, Numbers, Tally};
use ehrcore::store::testing::{Image, SLOT};
use std::collections::BTreeMap;

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let base = Base::make(if count > 1000 { 2 << 20 } else { 300 << 10 })?;
    let mut tally = Tally::default();
    let mut places: BTreeMap<&str, u64> = BTreeMap::new();
    let mut try_one = |tally: &mut Tally, image: &Image, what: &dyn Fn() -> String| {
        let sight = base.look(image);
        if let Sight::Noticed(place) = sight {
            *places.entry(place).or_default() += 1;
        }
        tally.count(matches!(sight, Sight::Noticed(_)), || format!("{}: {sight:?}", what()));
    };
    // Every pair of image and slot that differs from the newest.
    let mut pairs = Vec::new();
    for (number, old) in base.older.iter().enumerate() {
        for slot in 0..old.len().min(base.image.len()) / SLOT {
            let place = slot * SLOT..(slot + 1) * SLOT;
            if old[place.clone()] != base.image[place] {
                pairs.push((number, slot));
            }
        }
    }
    // Another order, so that a small count sees all sorts of slots.
    let mut numbers = Numbers::of(1);
    for at in (1..pairs.len()).rev() {
        pairs.swap(at, numbers.below(at as u64 + 1) as usize);
    }
    let put = |image: &Image, number: usize, slot: usize| {
        image.put(slot, &base.older[number][slot * SLOT..(slot + 1) * SLOT])
    };
    for &(number, slot) in pairs.iter().take(count as usize) {
        let image = Image::of(&base.image);
        put(&image, number, slot);
        try_one(&mut tally, &image, &|| format!("slot {slot} of image {number}"));
    }
    let singly = tally.of;
    // Sets of slots of one older image: some pages with both superblocks, or with all of the map, or any.
    for round in 0..(count / 4).max(8) {
        let number = numbers.below(base.older.len() as u64) as usize;
        let image = Image::of(&base.image);
        let own: Vec<usize> = pairs.iter().filter(|pair| pair.0 == number).map(|pair| pair.1).collect();
        let share = numbers.below(own.len() as u64) + 1;
        let mut changed = 0;
        for &slot in &own {
            if slot < 2 && round % 2 == 0 || numbers.below(own.len() as u64) < share {
                put(&image, number, slot);
                changed += 1;
            }
        }
        if changed > 0 {
            try_one(&mut tally, &image, &|| format!("{changed} slots of image {number}"));
        }
    }
    for (number, old) in base.older.iter().enumerate() {
        try_one(&mut tally, &Image::of(old), &|| format!("the whole of image {number}"));
    }
    tally.notes.push(format!("{} pairs of image and slot, {singly} tried singly; noticed at {places:?}", pairs.len()));
    Ok(tally)
}
