//! One damaged slot of the map or of the superblocks costs nothing, and an older copy is never taken for the newer.

use super::super::superblock::Extent;
use super::super::tests::{STORE, content, create, key, open, open_with, sample};
use super::super::*;
use crate::store::testing::FaultyFile;

/// Opens a storage for looking only, and gives what it says and whether its check found something.
fn looked(file: &FaultyFile) -> (Vec<u8>, bool) {
    let pages = open_with(file, &key(1), STORE, true).expect("it opens");
    let found = !pages.check().expect("it reads").is_sound();
    (content(&pages).expect("it reads"), found)
}

/// The slots of the map and the superblocks of a file.
fn map_of(file: &FaultyFile) -> Vec<usize> {
    let sorts = open_with(file, &key(1), STORE, true).expect("it opens").sorts();
    (0..sorts.len()).filter(|slot| matches!(sorts[*slot], Sort::Map | Sort::Superblock)).collect()
}

/// Two stores' files: one closed in order, and one that power was taken from after a sync.
fn closed_and_not() -> [(FaultyFile, Vec<u8>); 2] {
    let (closed, wanted) = sample();
    let open_still = FaultyFile::default();
    let pages = create(&open_still);
    for round in 0..3 {
        pages.write(round * PAGE as u64, &wanted[round as usize * PAGE..]).expect("it writes");
        pages.sync_data().expect("it syncs");
    }
    pages.write(0, &wanted).expect("it writes");
    pages.sync_data().expect("it syncs");
    let crashed = FaultyFile::with(open_still.bytes());
    [(closed, wanted.clone()), (crashed, wanted)]
}

/// The map was there once: one damaged bit in it, and no page could be opened any more without a backup.
#[test]
fn whichever_slot_of_the_map_is_damaged_nothing_is_lost_and_it_is_said_and_written_anew() {
    for (file, wanted) in closed_and_not() {
        let image = file.bytes();
        for slot in map_of(&file) {
            for harm in 0..3_u8 {
                let mut bytes = image.clone();
                let place = slot * PAGE..(slot + 1) * PAGE;
                match harm {
                    0 => bytes[slot * PAGE + 20] ^= 4,
                    1 => bytes[place.clone()].fill(0),
                    _ => bytes[place.clone()].fill(0xa5),
                }
                if bytes == image {
                    continue; // it was zeros
                }
                let damaged = FaultyFile::with(bytes);
                let (said, found) = looked(&damaged);
                assert!(said == wanted && found, "slot {slot} harm {harm}: {}", said == wanted);
                let pages = open(&damaged).expect("it opens");
                assert!(content(&pages).expect("it reads") == wanted, "slot {slot} harm {harm}");
                // What lies in room that was not written to yet may be found only now; it goes with the next sync or on closing.
                pages.check().expect("it reads");
                pages.close().expect("it closes");
                let (said, found) = looked(&damaged);
                assert!(said == wanted && !found, "slot {slot} harm {harm}: written anew");
                let again = open(&damaged).expect("it opens");
                assert_eq!(again.check_opened(), (0, false), "slot {slot} harm {harm}");
            }
        }
    }
}

#[test]
fn a_slot_of_the_map_that_cannot_be_read_at_all_is_read_from_the_other_copy() {
    for (file, wanted) in closed_and_not() {
        let image = file.bytes();
        for slot in map_of(&file) {
            let damaged = FaultyFile::with(image.clone());
            damaged.spoil(slot * PAGE..(slot + 1) * PAGE);
            let pages = open(&damaged).expect("it opens");
            assert!(content(&pages).expect("it reads") == wanted, "slot {slot}");
            pages.close().expect("it closes");
            assert!(looked(&damaged).0 == wanted, "slot {slot}");
        }
    }
}

#[test]
fn different_slots_of_both_copies_may_be_damaged() {
    let (file, wanted) = (FaultyFile::default(), (0..600 * PAGE).map(|n| (n / PAGE) as u8).collect::<Vec<u8>>());
    let pages = create(&file);
    pages.write(0, &wanted).expect("it writes");
    pages.sync_data().expect("it syncs");
    pages.shrink().expect("it writes the map anew");
    pages.close().expect("it closes");
    let checkpoint = open(&file).expect("it opens").0.read_state().root.checkpoint;
    assert!(checkpoint.count >= 4, "{checkpoint:?}");
    let mut bytes = file.bytes();
    for slot in [checkpoint.first, checkpoint.second + 1, checkpoint.first + 2] {
        bytes[slot as usize * PAGE] ^= 1;
    }
    let damaged = FaultyFile::with(bytes.clone());
    assert!(looked(&damaged) == (wanted, true));
    // The same slot of both is too much.
    bytes[checkpoint.second as usize * PAGE + 9] ^= 1;
    assert_eq!(open(&FaultyFile::with(bytes)).map(drop).unwrap_err().code(), Code::Corrupt);
}

/// Were an older copy believed, whoever can write the file could take back the last change without a trace.
#[test]
fn an_older_copy_of_the_map_put_back_is_damage_and_not_the_truth() {
    let file = FaultyFile::default();
    let pages = create(&file);
    pages.set_len(6 * PAGE as u64).expect("room");
    let mut images = Vec::new();
    for round in 1..40_u8 {
        pages.write(u64::from(round % 6) * PAGE as u64, &[round; PAGE]).expect("it writes");
        pages.sync_data().expect("it syncs");
        images.push(file.bytes());
    }
    let wanted = content(&pages).expect("it reads");
    pages.close().expect("it closes");
    let root = open(&file).expect("it opens").0.read_state().root;
    let newest = file.bytes();
    for (round, older) in images.iter().enumerate().step_by(3) {
        for copy in 0..2 {
            let mut bytes = newest.clone();
            let extents = [root.log, root.checkpoint].map(|twice| twice.copies().nth(copy).expect("two copies"));
            for slot in extents.into_iter().flat_map(Extent::slots).filter(|slot| (*slot as usize) < older.len() / PAGE)
            {
                let place = slot as usize * PAGE..(slot as usize + 1) * PAGE;
                bytes[place.clone()].copy_from_slice(&older[place]);
            }
            if bytes == newest {
                continue;
            }
            let damaged = FaultyFile::with(bytes);
            assert!(looked(&damaged) == (wanted.clone(), true), "round {round} copy {copy}");
            assert!(content(&open(&damaged).expect("it opens")).expect("it reads") == wanted);
        }
    }
}

/// A closed file did not open where one of the pages that were written last was damaged, as if the sync had not been done.
#[test]
fn a_damaged_page_of_the_last_sync_of_a_closed_file_is_one_page_that_does_not_open() {
    let (file, wanted) = sample();
    let sorts = open_with(&file, &key(1), STORE, true).expect("it opens").sorts();
    let pages = (0..sorts.len()).filter_map(|slot| match sorts[slot] {
        Sort::Page(page) => Some((slot, page as usize)),
        _ => None,
    });
    let mut tried = 0;
    for (slot, page) in pages {
        let mut bytes = file.bytes();
        bytes[slot * PAGE + 9] ^= 1;
        let pages = open(&FaultyFile::with(bytes)).expect("it opens");
        assert_eq!(pages.check().expect("it reads").damaged, [slot as u32]);
        for other in 0..6 {
            let mut said = vec![0; PAGE];
            let read = pages.read((other * PAGE) as u64, &mut said);
            assert!(
                read.is_ok() == (other != page) && (other == page || said == wanted[other * PAGE..(other + 1) * PAGE])
            );
        }
        tried += 1;
    }
    assert_eq!(tried, 6);
}

#[test]
fn a_map_that_is_found_damaged_while_it_is_open_is_written_anew_with_the_next_sync() {
    let (file, mut wanted) = sample();
    let pages = open(&file).expect("it opens");
    pages.write(0, &[9; PAGE]).expect("it writes");
    wanted[..PAGE].fill(9);
    pages.sync_data().expect("it syncs");
    let log = pages.0.read_state().root.log;
    file.write(offset(log.second), &[0x33; 60]).expect("a slot of the log is damaged");
    assert_eq!(pages.check().expect("it reads").map_damaged, 1);
    pages.write(PAGE as u64, &[8; PAGE]).expect("it writes");
    wanted[PAGE..2 * PAGE].fill(8);
    pages.sync_data().expect("it syncs");
    assert_eq!(pages.check().expect("it reads").map_damaged, 0);
    pages.close().expect("it closes");
    assert!(looked(&file) == (wanted, false));
}

/// The second superblock is written after the first one is on the disk: whichever call fails, and whatever of it reached the disk, one of them is
/// whole, and so is the map that it names.
#[test]
fn a_new_map_may_stop_at_any_call_and_lose_a_superblock_besides() {
    let mut mended = 0;
    for calls in 0..60 {
        let file = FaultyFile::default();
        let pages = create(&file);
        let mut model = vec![0; 8 * PAGE];
        pages.set_len(model.len() as u64).expect("room");
        // The log has room for 32 records: in these syncs it runs full.
        for round in 0..30_u8 {
            model[..PAGE].fill(round);
            pages.write(0, &model[..PAGE]).expect("it writes");
            pages.sync_data().expect("it syncs");
        }
        file.fail_after(calls);
        let mut maybe = model.clone();
        for round in 30..34_u8 {
            maybe[..PAGE].fill(round);
            if pages.write(0, &maybe[..PAGE]).is_err() || pages.sync_data().is_err() {
                break;
            }
            model.clone_from(&maybe);
        }
        let mut keep = calls;
        let disk = file.after_power_loss(|| {
            keep += 1;
            keep % 3 == 0
        });
        for lost in 0..2 {
            let mut bytes = disk.clone();
            bytes[lost * PAGE + 700] ^= 1;
            let file = FaultyFile::with(bytes);
            // Where the crash tore one superblock, the other must not be damaged besides.
            let Ok(pages) = open(&file) else { continue };
            let said = content(&pages).expect("it reads");
            assert!(said == model || said == maybe, "{calls} {lost}");
            assert!(pages.check().expect("it reads").is_sound());
            mended += 1;
        }
        let pages = open(&FaultyFile::with(disk)).expect("it opens after any crash");
        let said = content(&pages).expect("it reads");
        assert!(said == model || said == maybe, "{calls}");
    }
    assert!(mended > 60, "{mended}");
}
