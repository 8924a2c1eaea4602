//! Every slot of a small store damaged in turn, and many at once: what comes out is genuine, is all there is, and adds up.

use super::*;
use crate::id::SystemRandom;
use crate::keys::RawKey;
use crate::store::testing::{self, FaultyFile, Image, Probe, SLOT, Sort};
use crate::store::tests::{found, kind, observation, patient, put};
use crate::store::{ChangeKind, Hold, Note, Snapshot, Store, Tombstone};

fn key() -> RawKey {
    RawKey::new([1; 32])
}
fn random() -> Arc<SystemRandom> {
    Arc::new(SystemRandom::default())
}

/// What the store says of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Truth {
    state: &'static str,
    newest: (u32, u32),
    bytes: Vec<u8>,
}

/// A store whose records are current, amended, retracted, deleted, destroyed, held and shredded, and all that is in it.
struct Sample {
    image: Arc<Vec<u8>>,
    content: Vec<u8>,
    sorts: Vec<Sort>,
    records: BTreeMap<(&'static str, String), Truth>,
    /// By record and version: bytes and block.
    versions: BTreeMap<(&'static str, String, u32), (Vec<u8>, (u32, u32))>,
    /// Sealed blocks, and of each chart the rows that lead to its key.
    blocks: BTreeMap<(u32, u32), Vec<u8>>,
    keys: BTreeMap<(u32, u8), Vec<Vec<u8>>>,
}

/// A record so large that its block takes many pages, and that does not shrink when packed.
fn large(id: &str, of: &str) -> Record {
    let noise: String =
        (0..300).flat_map(|n| testing::sha256(format!("{id}{n}").as_bytes()).into_bytes()).map(char::from).collect();
    let json = format!(
        r#"{{"resourceType":"Basic","id":"{id}","code":{{"text":"{noise}"}},"subject":{{"reference":"Patient/{of}"}}}}"#
    );
    Record::parse(json.as_bytes()).expect("a resource")
}

impl Sample {
    fn make() -> Sample {
        let file = FaultyFile::default();
        let store = Store::create_on(Box::new(file.clone()), &key(), random(), 4 << 20).expect("a store in memory");
        for n in 0..8 {
            let mut all = vec![patient(&format!("p{n}"), "Doe", "1970-01-01")];
            if n < 2 {
                all.push(large(&format!("l{n}"), &format!("p{n}")));
            }
            all.extend(
                (0..26).map(|o| observation(&format!("o{n}-{o}"), &format!("Patient/p{n}"), "1-8", "2020-01-01")),
            );
            put(&store, n, &all);
        }
        for n in 0..30 {
            let of = n % 8;
            put(&store, 10 + n, &[observation(&format!("o{of}-{n}"), &format!("Patient/p{of}"), "2-6", "2021-01-01")]);
        }
        let note = |kind| Note { kind, reason: "a reason".to_owned(), on_behalf: None, authored: None };
        let mut change = store.change(Timestamp(50), "x").expect("its turn");
        for n in 0..8 {
            change.retract(kind("Observation"), &format!("o{n}-5"), &note(ChangeKind::Retract)).expect("it is there");
            change.delete(kind("Observation"), &format!("o{n}-6"), None).expect("it is there");
        }
        change.commit().expect("it commits");
        let mut change = store.change(Timestamp(51), "x").expect("its turn");
        change.destroy(kind("Observation"), "o1-7").expect("it is there");
        let stone = Tombstone {
            by: "a".into(),
            approved_by: "b".into(),
            at: Timestamp(51),
            reason: "r".into(),
            versions: 1,
            digest: [0; 32],
        };
        change.bury(kind("Observation"), "o1-7", &stone).expect("it is there");
        change.commit().expect("it commits");
        store.finish_destroying(Timestamp(52)).expect("it wipes");
        let mut change = store.change(Timestamp(53), "office").expect("its turn");
        change.shred("p7", None).expect("there is one");
        change.commit().expect("it commits");
        store.burn(Timestamp(53), || Ok(())).expect("it burns");
        let mut change = store.change(Timestamp(54), "x").expect("its turn");
        let hold = Hold {
            number: 1,
            patient: PatientNumber(3),
            record: None,
            reason: "r".into(),
            contact: "c".into(),
            by: "b".into(),
            at: Timestamp(54),
            released: None,
        };
        change.aside_put(hold.key(), &hold.encode()).expect("it is put");
        change.commit().expect("it commits");
        put(&store, 60, &[observation("last", "Patient/p0", "3-4", "2022-01-01")]);
        let sample = Sample::of(&store);
        drop(store);
        let image = Arc::new(file.bytes());
        let probe = Probe::open(&Image::of(&image), &key()).expect("it opens");
        Sample { content: probe.content().expect("sound"), sorts: probe.sorts(), image, ..sample }
    }

    fn of(store: &Store) -> Sample {
        let snapshot = store.snapshot().expect("a view");
        let (records, versions) = everything(&snapshot);
        let blocks =
            testing::rows(store, Table::Block).into_iter().filter_map(|(key, value)| Some((number_of(&key)?, value)));
        let groups: Vec<Vec<u8>> = testing::rows(store, Table::Meta)
            .into_iter()
            .filter(|(key, _)| wraps::is_group_row(key))
            .map(|(_, value)| value)
            .collect();
        let keys = testing::rows(store, Table::Patient).into_iter().map(|(key, value)| {
            let number = u32::from_be_bytes(key[..4].try_into().expect("four bytes"));
            ((number, key[4]), [&groups[..], &[value]].concat())
        });
        Sample {
            blocks: blocks.collect(),
            keys: keys.collect(),
            records,
            versions,
            image: Arc::default(),
            content: Vec::new(),
            sorts: Vec::new(),
        }
    }

    /// Whether a page has a part of something.
    fn has(&self, page: u32, value: &[u8]) -> bool {
        let start = page as usize * SLOT;
        let page = &self.content[start..(start + SLOT).min(self.content.len())];
        value.chunks(24).any(|part| part.len() == 24 && memchr::memmem::find(page, part).is_some())
    }
    /// Whether a block may be lost with a page.
    fn may_lose(&self, page: u32, block: (u32, u32)) -> bool {
        let keys = &self.keys[&(block.0, layout::compartment(block.1))];
        self.has(page, &self.blocks[&block]) || keys.iter().any(|row| self.has(page, row))
    }
}

type Records = BTreeMap<(&'static str, String), Truth>;
type Versions = BTreeMap<(&'static str, String, u32), (Vec<u8>, (u32, u32))>;

/// Every record and version that a store has.
fn everything(snapshot: &Snapshot<'_>) -> (Records, Versions) {
    let (mut records, mut versions) = (BTreeMap::new(), BTreeMap::new());
    for patient in snapshot.patients().expect("readable") {
        for (kind, id) in snapshot.every_record(patient).expect("readable") {
            for (at, stored) in snapshot.history(kind, &id).expect("readable").iter().enumerate() {
                let block = (stored.patient().0, stored.block_number());
                versions.insert((kind.name(), id.clone(), stored.version()), (stored.bytes().to_vec(), block));
                if at == 0 {
                    let state = match (stored.is_deleted(), stored.is_retracted()) {
                        (true, _) => "deleted",
                        (_, true) => "retracted",
                        _ => "current",
                    };
                    let truth = Truth { state, newest: block, bytes: stored.bytes().to_vec() };
                    records.insert((kind.name(), id.clone()), truth);
                }
            }
        }
    }
    (records, versions)
}

fn lines(image: &Image, lines: Lines) -> Result<(Salvaged, Vec<String>)> {
    let mut out = Vec::new();
    let report = to_ndjson(Box::new(image.clone()), &key(), lines, &mut out, &Watch::default())?;
    Ok((report, String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()))
}

fn text<'a>(line: &'a str, name: &str) -> &'a str {
    let from = line.find(&format!("\"{name}\":")).expect("it has it") + name.len() + 3;
    line[from..].trim_start_matches('"').split(['"', ',', '}']).next().expect("some text")
}

/// Compares what came out with what there was; gives how many records were current.
fn look(sample: &Sample, image: &Image, lost: Option<u32>, rebuild: bool, label: &str) -> Salvaged {
    let (report, current) = lines(image, Lines::Current).expect("the map is whole");
    let (_, all) = lines(image, Lines::All).expect("the map is whole");
    let (kept, whole): (usize, bool) = (current.len(), report.is_whole());
    // Nothing but what is current comes as current, byte for byte.
    let mut seen = BTreeSet::new();
    for line in &current {
        let name = (kind(text(line, "resourceType")).name(), text(line, "id").to_owned());
        let truth = &sample.records[&name];
        assert_eq!((truth.state, truth.bytes.as_slice()), ("current", line.as_bytes()), "{label}: {name:?}");
        assert!(seen.insert(name), "{label}: twice");
    }
    let mut versions = BTreeSet::new();
    for line in &all {
        let name = (
            kind(text(line, "type")).name(),
            text(line, "id").to_owned(),
            text(line, "version").parse().expect("a number"),
        );
        let (bytes, block) = &sample.versions[&name];
        let place = (text(line, "patient").parse().expect("a number"), text(line, "block").parse().expect("a number"));
        assert_eq!(*block, place, "{label}");
        assert!(bytes.is_empty() || line.as_bytes().ends_with(&[bytes, &b"}"[..]].concat()), "{label}: {name:?}");
        assert!(versions.insert(name), "{label}: twice");
    }
    // And all that cannot have been in the page that was damaged.
    if let Some(page) = lost {
        let may_lose: BTreeSet<(u32, u32)> =
            sample.blocks.keys().copied().filter(|block| sample.may_lose(page, *block)).collect();
        for (name, (_, block)) in &sample.versions {
            assert!(versions.contains(name) || may_lose.contains(block), "{label}: {name:?} is missing");
        }
        for (name, truth) in sample.records.iter().filter(|(_, truth)| truth.state == "current") {
            let page = &sample.content[page as usize * SLOT..];
            assert!(
                seen.contains(name) || may_lose.contains(&truth.newest),
                "{label}: {name:?} is missing; of a page that begins {:?}\n{report:?}",
                &page[..12]
            );
        }
    }
    // The ledger adds up.
    let missing = report.missing.clone();
    let mut report = report;
    report.missing.truncate(8);
    let counted = report.current + report.retracted + report.deleted + report.hidden + report.lost;
    if let Some(records) = report.records {
        assert_eq!((records, records), (counted, sample.records.len() as u64), "{label}: {report:?}");
    }
    if let Some(blocks) = report.blocks {
        assert_eq!(
            (blocks, blocks),
            (report.opened + report.blocks_lost, sample.blocks.len() as u64),
            "{label}: {report:?}"
        );
    }
    for one in missing.iter().filter(|one| one.what == MissingKind::Block) {
        assert!(sample.blocks.contains_key(&(one.patient, one.row as u32)), "{label}: {one:?} never was");
    }
    assert_eq!((report.current, report.versions), (current.len() as u64, all.len() as u64), "{label}");
    assert_eq!(whole, report.pages_lost == 0, "{label}: {report:?}");
    if rebuild {
        rebuilt(sample, image, kept, &versions, label);
    }
    report
}

fn rebuilt(sample: &Sample, image: &Image, kept: usize, versions: &BTreeSet<(&'static str, String, u32)>, label: &str) {
    let file = FaultyFile::default();
    let watch = Watch::default();
    let made = to_store(Box::new(image.clone()), &key(), Box::new(file.clone()), random(), Timestamp(70), &watch);
    let report = made.unwrap_or_else(|error| panic!("{label}: {error}"));
    let opened = Store::open_on(Box::new(FaultyFile::with(file.bytes())), &key(), random(), 1 << 20, false);
    let store = opened.unwrap_or_else(|error| panic!("{label}: {error}"));
    let snapshot = store.snapshot().expect("a view");
    let checked = snapshot.check(&watch, &mut |_, _| true).expect("it checks");
    let summary = Salvaged { missing: Vec::new(), ..report };
    assert!(checked.is_sound(), "{label}: {:?}\n{summary:?}", checked.damage.iter().take(5).collect::<Vec<_>>());
    let (records, _) = everything(&snapshot);
    let mut current = 0;
    for (name, now) in &records {
        let truth = &sample.records[name];
        match now.state {
            "current" => {
                current += 1;
                assert_eq!((truth.state, &truth.bytes), ("current", &now.bytes), "{label}: {name:?}");
            }
            "deleted" => assert_eq!(truth.state, "deleted", "{label}: {name:?}"),
            // What is hidden is there to be looked at.
            _ => assert!(versions.iter().any(|(kind, id, _)| (*kind, id) == (name.0, &name.1)), "{label}: {name:?}"),
        }
    }
    assert_eq!(current, kept, "{label}");
    let known: BTreeSet<_> = versions.iter().map(|(kind, id, _)| (*kind, id.clone())).collect();
    assert_eq!(records.keys().cloned().collect::<BTreeSet<_>>(), known, "{label}");
    let listed = found(&store, "Observation", "code=2-6");
    let should: BTreeSet<String> = records
        .iter()
        .filter(|(name, now)| {
            name.0 == "Observation" && now.state == "current" && memchr::memmem::find(&now.bytes, b"2-6").is_some()
        })
        .map(|(name, _)| name.1.clone())
        .collect();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), should, "{label}");
    // Care goes on, and numbers of blocks are not given again.
    let before = testing::rows(&store, Table::Block).len();
    put(&store, 80, &[observation("new", "Patient/p0", "9-9", "2023-01-01")]);
    assert_eq!(testing::rows(&store, Table::Block).len(), before + 1, "{label}");
}

#[test]
fn of_a_sound_store_everything_comes_out_and_the_ledger_is_empty() {
    let sample = Sample::make();
    let report = look(&sample, &Image::of(&sample.image), None, true, "sound");
    assert!(report.is_whole() && report.missing.is_empty() && report.incomplete.is_empty(), "{report:?}");
    let states = |state| sample.records.values().filter(|truth| truth.state == state).count() as u64;
    assert_eq!(
        (report.current, report.retracted, report.deleted),
        (states("current"), states("retracted"), states("deleted"))
    );
    assert!(report.retracted == 7 && report.deleted == 7 && report.current > 150);
}

#[test]
fn whichever_slot_is_damaged_everything_else_comes_out_byte_for_byte_and_the_ledger_adds_up() {
    let sample = Sample::make();
    let (mut pages, mut whole, mut map, mut least) = (0, 0, 0, u64::MAX);
    for slot in 0..sample.image.len() / SLOT {
        let image = Image::flipped(&sample.image, slot * SLOT * 8 + 1234);
        let label = format!("slot {slot}");
        match sample.sorts[slot] {
            Sort::Page(page) => {
                let report = look(&sample, &image, Some(page), true, &label);
                least = least.min(report.current);
                pages += 1;
            }
            Sort::Stale(_) | Sort::Zeros => {
                let report = look(&sample, &image, None, false, &label);
                assert!(report.is_whole(), "{label}");
                whole += 1;
            }
            // Both are there twice.
            Sort::Superblock | Sort::Map => {
                let (report, _) = lines(&image, Lines::Current).unwrap_or_else(|error| panic!("{label}: {error}"));
                assert!(report.is_whole(), "{label}");
                map += 1;
            }
        }
    }
    assert!(pages > 30 && whole > 10 && map > 60, "{pages} {whole} {map}");
    eprintln!(
        "{pages} pages, {whole} free slots, {map} of the map; at least {least} of {} records",
        sample.records.len()
    );
}

/// A map of which one slot was damaged was refused whole.
#[test]
fn where_both_copies_of_a_slot_of_the_map_are_damaged_what_the_slots_bear_out_comes_and_no_more_is_called_current() {
    let sample = Sample::make();
    let bytes = |slot: usize| &sample.image[slot * SLOT..(slot + 1) * SLOT];
    let map: Vec<usize> = (2..sample.sorts.len())
        .filter(|slot| matches!(sample.sorts[*slot], Sort::Map) && bytes(*slot).iter().any(|byte| *byte != 0))
        .collect();
    let (mut rows, mut records, mut versions) = (0, 0, 0);
    for (at, first) in map.iter().enumerate() {
        let Some(second) = map[at + 1..].iter().find(|second| bytes(**second) == bytes(*first)) else { continue };
        let image = Image::of(&sample.image);
        for (slot, byte) in [(*first, 0x33), (*second, 0x44)] {
            image.put(slot, &[byte; SLOT]);
        }
        let label = format!("slots {first} and {second}");
        let report = look(&sample, &image, None, true, &label);
        if report.incomplete.contains(&"map") {
            assert!(!report.is_whole(), "{label}");
            assert_eq!(report.current, 0, "{label}");
            versions += report.versions; // none where the key of the group was in what is lost
            records += 1;
        } else {
            rows += 1;
        }
    }
    assert!(rows > 0 && records > 0 && versions > 0, "{rows} {records} {versions}");
}

#[test]
fn however_many_slots_are_damaged_nothing_comes_back_that_is_not_current() {
    let sample = Sample::make();
    let slots: Vec<usize> =
        (0..sample.sorts.len()).filter(|slot| !matches!(sample.sorts[*slot], Sort::Superblock | Sort::Map)).collect();
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let mut hidden = 0;
    for round in 0..24 {
        let image = Image::of(&sample.image);
        for _ in 0..2 << (round % 5) {
            image.put(slots[next() % slots.len()], &[0x5a; SLOT]);
        }
        hidden += look(&sample, &image, None, true, &format!("round {round}")).hidden;
    }
    assert!(hidden > 0);
}

#[test]
fn a_store_of_another_key_is_refused() {
    let sample = Sample::make();
    let mut out = Vec::new();
    let image = Box::new(Image::of(&sample.image));
    let refused = to_ndjson(image, &RawKey::new([2; 32]), Lines::All, &mut out, &Watch::default());
    assert_eq!(refused.map(drop).unwrap_err().code(), Code::WrongKey);
    assert!(out.is_empty());
}
