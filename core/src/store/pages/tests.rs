use super::*;
use crate::id::SystemRandom;
use crate::limits::Watch;
use crate::store::testing::FaultyFile;
use proptest::prelude::*;
use zeroize::Zeroizing;

pub(super) const STORE: StoreId = StoreId([5; 16]);
const HEADER: &[u8] = b"wrapped keys";

/// A number that follows from the one before (Knuth, MMIX): tests are the same every time.
struct Numbers(u64);
impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

pub(super) fn key(byte: u8) -> SealKey {
    SealKey::new(Zeroizing::new([byte; 32]), 0)
}

pub(super) fn create(file: &FaultyFile) -> Pages {
    let random = Arc::new(SystemRandom::default());
    Pages::create(Box::new(file.clone()), HEADER, &key(1), STORE, random).expect("a storage in memory")
}

pub(super) fn open_with(file: &FaultyFile, key: &SealKey, store: StoreId, read_only: bool) -> Result<Pages> {
    Pages::open(Box::new(file.clone()), key, store, Arc::new(SystemRandom::default()), read_only)
}

pub(super) fn open(file: &FaultyFile) -> Result<Pages> {
    open_with(file, &key(1), STORE, false)
}

pub(super) fn content(pages: &Pages) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; pages.len()? as usize];
    pages.read(0, &mut bytes)?;
    Ok(bytes)
}

/// A storage of a few pages, some of them written more than once, closed in order.
pub(super) fn sample() -> (FaultyFile, Vec<u8>) {
    let (file, mut wanted) = (FaultyFile::default(), vec![0; 6 * PAGE]);
    let pages = create(&file);
    pages.set_len(wanted.len() as u64).expect("room");
    for round in 0..3_u8 {
        for page in (0..6).filter(|page| page % (round as usize + 1) == 0) {
            wanted[page * PAGE..(page + 1) * PAGE].fill(round * 10 + page as u8 + 1);
            pages.write((page * PAGE) as u64, &wanted[page * PAGE..(page + 1) * PAGE]).expect("it writes");
        }
        pages.sync_data().expect("it syncs");
    }
    pages.close().expect("it closes");
    (file, wanted)
}

#[test]
fn nothing_that_was_written_is_readable_in_the_file_and_all_of_it_comes_back() {
    let (file, wanted) = sample();
    let bytes = file.bytes();
    assert!(!bytes.chunks(PAGE).any(|slot| wanted.chunks(PAGE).any(|page| page[..64] == slot[..64])));
    let pages = open(&file).expect("it opens");
    assert_eq!(content(&pages).expect("it reads"), wanted);
    assert_eq!((pages.check().expect("it reads").is_sound(), pages.mended()), (true, 0));
    assert_eq!(key_headers(&file).expect("it is a store"), [HEADER]);
    assert_eq!(pages.read(wanted.len() as u64, &mut [0]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn another_key_or_another_store_opens_nothing_and_another_file_is_none() {
    let (file, _) = sample();
    for (key, store) in [(key(2), STORE), (key(1), StoreId([6; 16]))] {
        assert_eq!(open_with(&file, &key, store, false).map(|_| ()).unwrap_err().code(), Code::Corrupt);
    }
    for bytes in [Vec::new(), b"ehrcore".to_vec(), vec![0; 3 * PAGE]] {
        assert_eq!(key_headers(&FaultyFile::with(bytes)).unwrap_err().code(), Code::NotAStore);
    }
    let mut newer = file.bytes();
    (newer[9], newer[PAGE + 9]) = (9, 9);
    assert_eq!(key_headers(&FaultyFile::with(newer)).unwrap_err().code(), Code::VersionUnsupported);
}

/// What became of a changed file: how it was found, or None where everything is as it was.
fn found(file: &FaultyFile, wanted: &[u8]) -> Option<&'static str> {
    if key_headers(file).map_or(true, |headers| headers.first().map(Vec::as_slice) != Some(HEADER)) {
        return Some("header"); // the keys do not open with it
    }
    let Ok(pages) = open(file) else { return Some("open") };
    match content(&pages) {
        Err(_) => return Some("read"),
        Ok(bytes) => assert_eq!(bytes, wanted, "a wrong value was returned"),
    }
    if pages.mended() > 0 {
        return Some("mended");
    }
    (!pages.check().expect("memory can be read").is_sound()).then_some("check")
}

#[test]
fn every_flipped_bit_is_found_and_none_gives_a_wrong_value() {
    let (file, wanted) = sample();
    let image = file.bytes();
    assert_eq!(found(&FaultyFile::with(image.clone()), &wanted), None);
    let mut numbers = Numbers(1);
    // Every 13th byte of the superblocks, every 1,021st of the rest; one bit of each.
    let places = (0..2 * PAGE).step_by(13).chain((2 * PAGE..image.len()).step_by(1021));
    let mut unseen = Vec::new();
    for place in places {
        let mut bytes = image.clone();
        bytes[place] ^= 1 << numbers.next(8);
        if found(&FaultyFile::with(bytes), &wanted).is_none() {
            unseen.push(place);
        }
    }
    assert_eq!(unseen, [0; 0]);
}

#[test]
fn an_older_slot_put_back_a_swapped_one_and_one_of_another_store_are_found() {
    let (file, wanted) = (FaultyFile::default(), [vec![1; PAGE], vec![2; PAGE]].concat());
    let pages = create(&file);
    let mut images = Vec::new();
    for round in 0..6_u8 {
        pages.write(0, &vec![round; 2 * PAGE]).expect("it writes");
        pages.sync_data().expect("it syncs");
        images.push(file.bytes());
    }
    pages.write(0, &wanted).expect("it writes");
    pages.close().expect("it closes");
    let image = file.bytes();
    let slots = image.len() / PAGE;
    let (mut tried, mut silent) = (0, 0);
    for old in &images {
        for slot in 0..slots.min(old.len() / PAGE) {
            let place = slot * PAGE..(slot + 1) * PAGE;
            if old[place.clone()] != image[place.clone()] {
                let mut bytes = image.clone();
                bytes[place.clone()].copy_from_slice(&old[place]);
                tried += 1;
                // A superblock from before the last one says the same but that the file was not closed: a crash looks so.
                silent += u32::from(found(&FaultyFile::with(bytes), &wanted).is_none() && slot >= 2);
            }
        }
    }
    for a in 2..slots {
        for b in (a + 1..slots).step_by(1 + a % 7) {
            let (first, second) = (a * PAGE, b * PAGE);
            if image[first..first + PAGE] != image[second..second + PAGE] {
                let mut bytes = image.clone();
                let (left, right) = bytes.split_at_mut(second);
                left[first..first + PAGE].swap_with_slice(&mut right[..PAGE]);
                tried += 1;
                silent += u32::from(found(&FaultyFile::with(bytes), &wanted).is_none());
            }
        }
    }
    assert!(tried > 100, "{tried}");
    assert_eq!(silent, 0, "silent, of {tried}");
}

#[test]
fn other_wrapped_keys_take_the_place_of_those_before_in_every_byte() {
    let (file, wanted) = sample();
    let pages = open(&file).expect("it opens");
    pages.put_header(b"other keys").expect("it writes");
    pages.close().expect("it closes");
    assert_eq!(key_headers(&file).expect("it is a store"), [b"other keys"]);
    assert!(!file.bytes().windows(HEADER.len()).any(|bytes| bytes == HEADER));
    let pages = open(&file).expect("it opens");
    assert!(pages.header() == b"other keys" && content(&pages).expect("it reads") == wanted);
    assert!(pages.put_header(&[1; PAGE]).is_err(), "there is no room for that");
}

#[test]
fn a_file_cut_short_is_found() {
    let (file, wanted) = sample();
    let image = file.bytes();
    for slots in 0..image.len() / PAGE {
        let cut = FaultyFile::with(image[..slots * PAGE].to_vec());
        assert!(
            found(&cut, &wanted).is_some()
                || open(&FaultyFile::with(image[..slots * PAGE].to_vec()))
                    .is_ok_and(|pages| content(&pages).is_ok_and(|bytes| bytes == wanted)),
            "{slots}"
        );
    }
}

#[test]
fn after_a_loss_of_power_the_storage_is_as_after_one_sync_or_the_next() {
    let mut numbers = Numbers(3);
    let mut torn = 0;
    for round in 0..60 {
        let file = FaultyFile::default();
        let pages = create(&file);
        let mut model = vec![0; 8 * PAGE];
        pages.set_len(model.len() as u64).expect("room");
        pages.sync_data().expect("it syncs");
        // A history of syncs, long enough for a new checkpoint in some rounds.
        for _ in 0..numbers.next(if round % 10 == 0 { 140 } else { 6 }) {
            change(&pages, &mut model, &mut numbers);
            pages.sync_data().expect("it syncs");
        }
        let before = model.clone();
        for _ in 0..=numbers.next(5) {
            change(&pages, &mut model, &mut numbers);
        }
        file.fail_after(numbers.next(6) as usize);
        let acknowledged = pages.sync_data().is_ok();
        let share = numbers.next(5);
        let disk = file.after_power_loss(|| numbers.next(4) < share);
        let again = FaultyFile::with(disk);
        let pages = open(&again).expect("it opens whatever was lost");
        let found = content(&pages).expect("it reads");
        assert!(found == model || !acknowledged && found == before, "round {round}");
        assert!(pages.check().expect("it reads").is_sound(), "round {round}: what was torn is put in order");
        torn += u32::from(found == before && before != model);
        // And it goes on from there.
        let mut model = found;
        change(&pages, &mut model, &mut numbers);
        pages.close().expect("it closes");
        let pages = open(&again).expect("it opens");
        assert_eq!((content(&pages).expect("it reads") == model, pages.mended()), (true, 0));
    }
    assert!(torn > 4, "{torn}");
}

fn change(pages: &Pages, model: &mut [u8], numbers: &mut Numbers) {
    let start = numbers.next(model.len() as u64 - 1) as usize;
    let length = (numbers.next(3 * PAGE as u64) as usize + 1).min(model.len() - start);
    let byte = numbers.next(256) as u8;
    model[start..start + length].fill(byte);
    pages.write(start as u64, &model[start..start + length]).expect("it writes");
}

#[test]
fn after_a_write_that_failed_nothing_more_is_written() {
    let (file, _) = sample();
    let pages = open(&file).expect("it opens");
    file.fail_after(0);
    assert!(pages.write(0, &[1; PAGE]).is_err());
    file.fail_after(1_000_000);
    assert!(pages.write(0, &[1; PAGE]).is_err() && pages.sync_data().is_err() && pages.close().is_err());
}

#[test]
fn reading_only_leaves_the_file_as_it_is_after_a_crash_too() {
    let (file, wanted) = sample();
    let crashed = FaultyFile::default();
    let pages = create(&crashed);
    pages.write(0, &wanted).expect("it writes");
    pages.sync_data().expect("it syncs");
    for file in [file, crashed] {
        let image = file.bytes();
        let pages = open_with(&file, &key(1), STORE, true).expect("it opens");
        assert_eq!(content(&pages).expect("it reads"), wanted);
        pages.write(5, b"in memory").expect("the overlay takes it");
        pages.sync_data().expect("nothing to do");
        let mut seen = [0; 9];
        pages.read(5, &mut seen).expect("it reads");
        assert_eq!(&seen, b"in memory");
        pages.close().expect("it closes");
        assert!(file.bytes() == image);
    }
}

#[test]
fn what_is_given_back_makes_the_file_shorter_and_loses_nothing() {
    let file = FaultyFile::default();
    let pages = create(&file);
    let many = vec![7; 600 * PAGE];
    pages.write(0, &many).expect("it writes");
    pages.sync_data().expect("it syncs");
    pages.set_len(20 * PAGE as u64).expect("it is cut");
    pages.write(0, &[9; PAGE]).expect("it writes");
    pages.sync_data().expect("it syncs");
    let before = file.bytes().len();
    pages.shrink().expect("it shrinks");
    let after = file.bytes().len();
    assert!(after < before / 2, "{before} {after}");
    let wanted = [vec![9; PAGE], vec![7; 19 * PAGE]].concat();
    assert!(content(&pages).expect("it reads") == wanted);
    assert!(pages.check().expect("it reads").is_sound());
    pages.close().expect("it closes");
    let pages = open(&file).expect("it opens");
    assert!(content(&pages).expect("it reads") == wanted && pages.mended() == 0);
    pages.set_len(40 * PAGE as u64).expect("it grows");
    let mut new = [1; PAGE];
    pages.read(30 * PAGE as u64, &mut new).expect("it reads");
    assert_eq!(new, [0; PAGE], "what was cut off does not come back");
}

/// A page that the engine gave up still said what it had said: a wrapped key that was destroyed could be read there.
#[test]
fn what_is_scrubbed_is_in_no_page_and_no_free_slot_and_the_rest_stays() {
    let (file, mut wanted) = (FaultyFile::default(), vec![3; 40 * PAGE]);
    let secret: Vec<u8> = (0..130).collect();
    let pages = create(&file);
    for at in [100, 5 * PAGE - 60, 20 * PAGE] {
        wanted[at..at + 130].copy_from_slice(&secret);
    }
    pages.write(0, &wanted).expect("it writes");
    pages.sync_data().expect("it syncs");
    // An older form of a page, which now says something else.
    pages.write(100, &[9; 130]).expect("it writes");
    wanted[100..230].fill(9);
    pages.sync_data().expect("it syncs");
    let before = file.bytes();
    assert_eq!(pages.scrub(&[&secret, b"not there"]).expect("it scrubs"), 2);
    wanted[5 * PAGE - 60..5 * PAGE + 70].fill(0);
    wanted[20 * PAGE..20 * PAGE + 130].fill(0);
    assert!(content(&pages).expect("it reads") == wanted);
    assert_eq!(pages.find(&[&secret]).expect("it reads"), []);
    // No slot but those of the map and of pages has anything in it, and none that had a page with the secret has it still.
    let after = file.bytes();
    for (slot, sort) in pages.sorts().iter().enumerate().skip(2) {
        let bytes = &after[slot * PAGE..(slot + 1) * PAGE];
        assert!(!matches!(sort, Sort::Stale(_)), "{slot}");
        assert!(*sort != Sort::Zeros || bytes.iter().all(|byte| *byte == 0), "{slot}");
    }
    assert_ne!(before, after);
    assert!(pages.check().expect("it reads").is_sound());
    pages.close().expect("it closes");
    let pages = open(&file).expect("it opens");
    assert!(content(&pages).expect("it reads") == wanted && pages.mended() == 0);
}

#[derive(Clone, Debug)]
enum Step {
    Write(u32, u16, u8),
    Length(u32),
    Sync,
    Reopen,
    Shrink,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..200_000_u32, 1..20_000_u16, any::<u8>()).prop_map(|(at, length, byte)| Step::Write(at, length, byte)),
        2 => (0..220_000_u32).prop_map(Step::Length),
        6 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => Just(Step::Shrink),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_is_done_the_storage_is_like_a_plain_one(steps in prop::collection::vec(step(), 1..60)) {
        let (file, mut model) = (FaultyFile::default(), Vec::new());
        let mut pages = create(&file);
        for step in steps {
            match step {
                Step::Write(at, length, byte) => {
                    let (at, end) = (at as usize, at as usize + length as usize);
                    let resized = model.len().max(end);
                    model.resize(resized, 0);
                    model[at..end].fill(byte);
                    pages.write(at as u64, &model[at..end]).expect("it writes");
                }
                Step::Length(length) => {
                    model.resize(length as usize, 0);
                    pages.set_len(u64::from(length)).expect("it is set");
                }
                Step::Sync => pages.sync_data().expect("it syncs"),
                Step::Reopen => {
                    pages.close().expect("it closes");
                    pages = open(&file).expect("it opens");
                    prop_assert_eq!(pages.mended(), 0);
                }
                Step::Shrink => pages.shrink().expect("it shrinks"),
            }
            prop_assert!(content(&pages).expect("it reads") == model);
        }
        prop_assert!(pages.check().expect("it reads").is_sound());
    }
}

#[test]
fn what_a_copy_reads_stays_until_it_is_done_whatever_is_written_meanwhile() {
    let (file, wanted) = (FaultyFile::default(), (0..30 * PAGE).map(|n| (n / PAGE) as u8 + 1).collect::<Vec<u8>>());
    let pages = create(&file);
    pages.write(0, &wanted).expect("it writes");
    pages.sync_data().expect("it syncs");
    let frozen = pages.freeze().expect("it is sound");
    for round in 100..140_u8 {
        pages.write(0, &vec![round; 30 * PAGE]).expect("it writes");
        pages.sync_data().expect("it syncs");
    }
    pages.scrub(&[&[3; 64]]).expect("it scrubs");
    let copy = FaultyFile::default();
    frozen.write_store(&copy, &Watch::default(), &mut |_, _| true).expect("it copies");
    drop(frozen);
    assert!(content(&open(&copy).expect("it opens")).expect("it reads") == wanted);
    // What was to be wiped and a copy still read is wiped by now.
    assert!(!pages.sorts().iter().any(|sort| matches!(sort, Sort::Stale(_))));
    assert!(pages.check().expect("it reads").is_sound());
    pages.write(0, &wanted).expect("it writes");
    pages.close().expect("it closes");
    let pages = open(&file).expect("it opens");
    assert!(content(&pages).expect("it reads") == wanted && pages.mended() == 0);
}
