//! Every bit of a store, flipped one at a time.
//!
//! Each flip is put before the lowest check that covers its slot: the seal of a page or of a free slot, or, for superblocks and the map,
//! a real opening of the file and the check of the map. One flip in 4,000, chosen at random, goes the whole way: open, read every chart
//! and record, verify.

use super::base::{Base, Sight, key};
use super::{Failed, Numbers, Tally, seed};
use ehrcore::store::testing::{Image, Probe, SLOT, Sort};
use std::sync::Arc;

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let base = Base::make(if count > 100_000 { 2 << 20 } else { 300 << 10 })?;
    let bits = base.image.len() as u64 * 8;
    let step = (bits / count.max(1)).max(1) as usize;
    let probe = Probe::open(&Image::of(&base.image), &key())?;
    let (sorts, header, content) = (probe.sorts(), probe.header().to_vec(), probe.content()?);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let slots: Vec<usize> = (0..sorts.len()).collect();
    let seed = seed();
    let mut tally = Tally::default();
    let parts: Vec<Result<Tally, String>> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|thread| {
                let (slots, sorts, image) = (&slots, &sorts, &base.image);
                let (header, content) = (&header, &content);
                scope.spawn(move || {
                    let probe = Probe::open(&Image::of(image), &key()).map_err(|error| error.to_string())?;
                    let mut numbers = Numbers::from(seed, thread as u64);
                    let mut part = Tally::default();
                    for &slot in slots.iter().skip(thread).step_by(threads) {
                        let first = (slot * SLOT * 8).next_multiple_of(step);
                        for bit in (first..(slot + 1) * SLOT * 8).step_by(step) {
                            let held = match sorts[slot] {
                                Sort::Superblock | Sort::Map => {
                                    map_holds(image, bit, header, (numbers.below(64) == 0).then_some(content))
                                }
                                _ => {
                                    let mut bytes = image[slot * SLOT..(slot + 1) * SLOT].to_vec();
                                    bytes[bit / 8 % SLOT] ^= 1 << (bit % 8);
                                    !probe.takes(slot, &mut bytes)
                                }
                            };
                            part.count(held, || format!("bit {bit} in {:?}", sorts[slot]));
                        }
                    }
                    Ok(part)
                })
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap_or_else(|_| Err("a panic".into()))).collect()
    });
    for part in parts {
        tally.add(part?);
    }
    tally.notes.push(format!("{} slots: {}", sorts.len(), counts(&sorts)));

    let mut numbers = Numbers::of(1000);
    let (whole, mut places) = ((count / 4000).max(20), std::collections::BTreeMap::new());
    for _ in 0..whole {
        let bit = numbers.below(bits) as usize;
        let sight = base.look(&Image::flipped(&base.image, bit));
        if let Sight::Noticed(place) = sight {
            *places.entry(place).or_insert(0_u64) += 1;
        }
        tally.count(matches!(sight, Sight::Noticed(_)), || format!("bit {bit}: {sight:?}"));
    }
    tally.notes.push(format!("the whole way: {whole}, noticed at {places:?}"));
    Ok(tally)
}

/// A flip in the map or a superblock: the file does not open, or it says that something was not in order; and what it holds is right.
fn map_holds(image: &Arc<Vec<u8>>, bit: usize, header: &[u8], content: Option<&Vec<u8>>) -> bool {
    let flipped = Image::flipped(image, bit);
    let Ok(probe) = Probe::open(&flipped, &key()) else { return true };
    let right = content.is_none_or(|content| probe.content().map_or(true, |found| found == *content));
    right && probe.header() == header && !probe.map_is_sound().unwrap_or(false)
}

fn counts(sorts: &[Sort]) -> String {
    let of = |wanted: fn(&Sort) -> bool| sorts.iter().filter(|sort| wanted(sort)).count();
    format!(
        "{} pages, {} stale, {} zeros, {} map, 2 superblocks",
        of(|sort| matches!(sort, Sort::Page(_))),
        of(|sort| matches!(sort, Sort::Stale(_))),
        of(|sort| matches!(sort, Sort::Zeros)),
        of(|sort| matches!(sort, Sort::Map)),
    )
}
