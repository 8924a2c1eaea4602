//! Two writers edit the same records at the same time, each from what it saw last: no edit that was accepted disappears, and each
//! that clashes is parked once, whole, and can be settled later.
//!
//! What is checked is the whole history. A value may be replaced only by an edit that was made in sight of it; every other value of a
//! version is that of the version before. Elements, items told apart by id and items told apart by place are edited.

use super::base::{doctor, key, kind, options};
use super::{Failed, Numbers, Tally, seed};
use ehrcore::ehr::{Ehr, Session};
use ehrcore::lifecycle::{Choice, Edit, Reason};
use ehrcore::record::Record;
use std::collections::{BTreeMap, HashMap};

const RECORDS: usize = 24;
/// Edits on one record, about: of those a quarter waits for somebody, and more than 64 of one record do not.
const EDITS_EACH: u64 = 120;

fn records(count: u64) -> usize {
    RECORDS.max((count / EDITS_EACH) as usize)
}
const WRITERS: u64 = 2;

/// What a record says, by the name of the place.
type Said = BTreeMap<String, String>;

const PLACES: [&str; 14] = [
    "marital",
    "language",
    "name.0",
    "name.1",
    "name.2",
    "contact.a.name",
    "contact.a.address",
    "contact.a.organization",
    "contact.b.name",
    "contact.b.address",
    "contact.b.organization",
    "link.a",
    "link.b",
    "practitioner",
];

fn render(id: &str, said: &Said) -> Vec<u8> {
    let of = |place: &str| &said[place];
    let contact = |name: &str| {
        format!(
            r#"{{"id":"{name}","name":{{"text":"{}"}},"address":{{"text":"{}"}},"organization":{{"display":"{}"}}}}"#,
            of(&format!("contact.{name}.name")),
            of(&format!("contact.{name}.address")),
            of(&format!("contact.{name}.organization"))
        )
    };
    let link = |name: &str| {
        format!(r#"{{"id":"{name}","other":{{"display":"{}"}},"type":"seealso"}}"#, of(&format!("link.{name}")))
    };
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","maritalStatus":{{"text":"{}"}},"communication":[{{"id":"l","language":{{"text":"{}"}}}}],"name":[{{"text":"{}"}},{{"text":"{}"}},{{"text":"{}"}}],"contact":[{},{}],"link":[{},{}],"managingOrganization":{{"display":"{}"}}}}"#,
        of("marital"), of("language"), of("name.0"), of("name.1"), of("name.2"), contact("a"), contact("b"), link("a"),
        link("b"), of("practitioner")
    )
    .into_bytes()
}

fn said(bytes: &[u8]) -> Result<Said, Failed> {
    let record = Record::parse(bytes)?;
    let root = record.root();
    let text = |node: Option<ehrcore::record::Node<'_>>, name: &str| {
        node.and_then(|node| node.text(name).map(|text| text.into_owned())).unwrap_or_default()
    };
    let item = |list: &str, at: usize| root.list(list).nth(at);
    let mut said = Said::new();
    said.insert("marital".into(), text(root.get("maritalStatus"), "text"));
    said.insert("language".into(), text(item("communication", 0).and_then(|one| one.get("language")), "text"));
    said.insert("practitioner".into(), text(root.get("managingOrganization"), "display"));
    for at in 0..3 {
        said.insert(format!("name.{at}"), text(item("name", at), "text"));
    }
    for (at, name) in ["a", "b"].into_iter().enumerate() {
        let of = |part: &str| item("contact", at).and_then(|one| one.get(part));
        said.insert(format!("contact.{name}.name"), text(of("name"), "text"));
        said.insert(format!("contact.{name}.address"), text(of("address"), "text"));
        said.insert(format!("contact.{name}.organization"), text(of("organization"), "display"));
        said.insert(format!("link.{name}"), text(item("link", at).and_then(|one| one.get("other")), "display"));
    }
    Ok(said)
}

/// One edit and what became of it.
struct Made {
    record: usize,
    base: u32,
    changed: Said,
    bytes: Vec<u8>,
    edit: Edit,
}

fn id_of(record: usize) -> String {
    format!("p{record}")
}

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let folder = tempfile::tempdir()?;
    let ehr = Ehr::create(folder.path().join("edits.ehr"), &key(), options())?;
    let first: Said = PLACES.iter().map(|place| ((*place).to_owned(), format!("{place} at first"))).collect();
    let session = doctor(&ehr)?;
    for record in 0..records(count) {
        session.write(&render(&id_of(record), &first))?;
    }
    let seed = seed();
    let made = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (ehr, first) = (&ehr, &first);
                let share = count / WRITERS + u64::from(writer < count % WRITERS);
                scope.spawn(move || {
                    let session = doctor(ehr).map_err(|error| error.to_string())?;
                    write(&session, first, (seed, writer), (share, records(count))).map_err(|error| error.to_string())
                })
            })
            .collect();
        let ends = writers.into_iter().map(|writer| writer.join().unwrap_or_else(|_| Err("a writer panicked".into())));
        ends.collect::<Result<Vec<_>, String>>()
    })?;
    let made: Vec<Made> = made.into_iter().flatten().collect();
    let mut tally = Tally::default();
    let parked = check(&session, records(count), &made, &mut tally)?;
    let settled = settle(&session, &made, &mut tally)?;
    tally
        .notes
        .push(format!("{} edits accepted, {parked} parked, {settled} of them settled afterwards", made.len() - parked));
    Ok(tally)
}

/// One writer: edits what it saw last, which may be long ago.
fn write(
    session: &Session,
    first: &Said,
    (seed, writer): (u64, u64),
    (share, records): (u64, usize),
) -> Result<Vec<Made>, Failed> {
    let mut numbers = Numbers::from(seed, 77 + writer);
    let mut seen: HashMap<usize, (u32, Said)> = HashMap::new();
    let mut made = Vec::new();
    for n in 0..share {
        let record = numbers.below(records as u64) as usize;
        if numbers.below(3) > 0 || !seen.contains_key(&record) {
            let stored = session.read(kind("Patient"), &id_of(record))?;
            seen.insert(record, (stored.version(), said(stored.bytes())?));
        }
        let (base, before) = seen.get(&record).cloned().unwrap_or((1, first.clone()));
        let mut after = before;
        let mut changed = Said::new();
        for _ in 0..1 + numbers.below(2) {
            let place = PLACES[numbers.below(PLACES.len() as u64) as usize];
            changed.insert(place.to_owned(), format!("{place} {writer}-{n}"));
        }
        after.extend(changed.clone());
        let bytes = render(&id_of(record), &after);
        let edit = session.write_merged(&bytes, base)?;
        made.push(Made { record, base, changed, bytes, edit });
    }
    Ok(made)
}

/// Every version of every record, from the first on.
fn histories(session: &Session, records: usize) -> Result<Vec<Vec<Said>>, Failed> {
    (0..records)
        .map(|record| {
            let mut all = session.history(kind("Patient"), &id_of(record))?;
            all.reverse();
            all.iter().map(|stored| said(stored.bytes())).collect()
        })
        .collect()
}

fn check(session: &Session, records: usize, made: &[Made], tally: &mut Tally) -> Result<usize, Failed> {
    let histories = histories(session, records)?;
    let mut by_version: HashMap<(usize, u32), &Made> = HashMap::new();
    for edit in made {
        if let Edit::Written(written) = &edit.edit {
            let twice = by_version.insert((edit.record, written.version), edit).is_some();
            if twice {
                tally.count(false, || "two edits were told the same version".into());
            }
        }
    }
    let conflicts = session.conflicts(None)?;
    let mut waiting: HashMap<u64, &ehrcore::lifecycle::Conflict> = HashMap::new();
    for conflict in &conflicts {
        if waiting.insert(conflict.number, conflict).is_some() {
            tally.count(false, || "a conflict is listed twice".into());
        }
    }
    // Which version gave each place its value.
    for (record, history) in histories.iter().enumerate() {
        let mut since: HashMap<&str, u32> = PLACES.iter().map(|place| (*place, 1)).collect();
        for (at, now) in history.iter().enumerate().skip(1) {
            let version = at as u32 + 1;
            let Some(edit) = by_version.get(&(record, version)) else {
                tally.count(false, || format!("version {version} is no edit's"));
                continue;
            };
            let mut held = true;
            for place in PLACES {
                let (before, after) = (&history[at - 1][place], &now[place]);
                match edit.changed.get(place) {
                    Some(value) => {
                        held &= after == value && since[place] <= edit.base;
                        since.insert(place, version);
                    }
                    None => held &= before == after,
                }
            }
            tally.count(held, || format!("an accepted value disappeared in version {version}"));
        }
    }
    let mut parked = 0;
    for edit in made {
        let Edit::Parked(number) = edit.edit else { continue };
        parked += 1;
        let conflict = waiting.remove(&number);
        // A list says that it is there; asked for by its number it shows the edit.
        let (shown, _) = session.conflict(number)?;
        let whole = conflict.is_some_and(|one| one.settled.is_none()) && shown.mine.expose() == &edit.bytes;
        // It clashes with something: one of its places was given another value between its base and what it met.
        let met = conflict.map_or(0, |one| one.theirs) as usize;
        let history = &histories[edit.record];
        let clashes = met > 0
            && edit.changed.keys().any(|place| history[edit.base as usize - 1][place] != history[met - 1][place]);
        tally.count(whole && clashes, || {
            format!("a parked edit is not there whole ({whole}) or clashes with nothing ({clashes})")
        });
    }
    if !waiting.is_empty() {
        tally.count(false, || "a conflict is listed that no edit was told of".into());
    }
    Ok(parked)
}

/// Settles what is parked, long after: what the choice decides changes, and nothing else.
fn settle(session: &Session, made: &[Made], tally: &mut Tally) -> Result<usize, Failed> {
    let mut settled = 0;
    for edit in made {
        let Edit::Parked(number) = edit.edit else { continue };
        if settled >= 2_000 {
            break;
        }
        settled += 1;
        let (_, sides) = session.conflict(number)?;
        let (seen, now) = sides.now.ok_or("the record is there")?;
        let (base, before) = (said(sides.base.ok_or("the base is there")?.expose())?, said(now.expose())?);
        let choice = [Choice::Mine, Choice::Theirs, Choice::Nothing][number as usize % 3].clone();
        session.settle(number, &choice, seen, &Reason::new("asked the patient"))?;
        let after = said(session.read(kind("Patient"), &id_of(edit.record))?.bytes())?;
        let held = PLACES.iter().all(|place| {
            let expected = match (edit.changed.get(*place), &choice) {
                (Some(value), Choice::Mine) => value,
                (Some(value), Choice::Theirs) if before[*place] == base[*place] => value,
                _ => &before[*place],
            };
            // Items told apart by their ids are merged inside; a data type is one.
            &after[*place] == expected
        });
        let again = session.settle(number, &choice, seen, &Reason::new("again")).is_err();
        tally.count(held && again, || format!("settling by {} changed something else", choice.name()));
    }
    Ok(settled)
}
