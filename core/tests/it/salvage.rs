//! What is salvaged through the front door: a new store that opens, says who salvaged it, and keeps what was decided.

use crate::path::{administrator, key, kind, physician};
use ehrcore::audit::EventKind;
use ehrcore::ehr::{Ehr, Options, SalvageInto, SalvageOptions, Write};
use ehrcore::error::Code;
use ehrcore::lifecycle::Reason;
use ehrcore::limits::{CallLimits, CancelToken};
use ehrcore::store::testing::{Image, Probe, SLOT, Sort};
use ehrcore::store::{Lines, Salvaged};
use std::path::Path;
use std::sync::Arc;

const HOW: SalvageOptions<'static> =
    SalvageOptions { actor: "rescuer", limits: CallLimits { time: None, cancel: None, memory: None } };

fn salvage(damaged: &Path, into: SalvageInto<'_>) -> ehrcore::error::Result<Salvaged> {
    Ehr::salvage(damaged, into, &HOW, &key(), &Options::default())
}

fn observation(n: usize, of: usize, code: &str) -> Write {
    let json = format!(
        r#"{{"resourceType":"Observation","id":"o{n}","status":"final","code":{{"text":"{code}"}},"subject":{{"reference":"Patient/p{of}"}}}}"#
    );
    Write::Put(json.into_bytes())
}

fn make(folder: &Path) -> Arc<Vec<u8>> {
    let path = folder.join("clinic.ehr");
    let ehr = Ehr::create(&path, &key(), Options::default()).expect("a new store");
    let (doctor, office) = (physician(&ehr), administrator(&ehr));
    for of in 0..3 {
        let patient = format!(r#"{{"resourceType":"Patient","id":"p{of}","name":[{{"family":"Doe"}}]}}"#);
        doctor.change_set(vec![Write::Put(patient.into())]).expect("it writes");
        doctor.change_set((0..10).map(|n| observation(of * 10 + n, of, "first")).collect()).expect("it writes");
        doctor.change_set(vec![observation(of * 10, of, "second")]).expect("it writes");
        doctor
            .retract(kind("Observation"), &format!("o{}", of * 10 + 1), 1, &Reason::new("wrong patient"))
            .expect("it may");
    }
    office.place_hold("p2", None, "the lawyer", &Reason::new("a case")).expect("it may");
    drop((doctor, office, ehr));
    Arc::new(std::fs::read(path).expect("a file"))
}

#[test]
fn whatever_page_is_lost_the_salvaged_store_opens_and_keeps_what_was_decided() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = make(folder.path());
    let sorts = Probe::open(&Image::of(&image), &key()).expect("it opens").sorts();
    let pages: Vec<usize> = (0..sorts.len()).filter(|slot| matches!(sorts[*slot], Sort::Page(_))).collect();
    let (damaged, into, lines) =
        (folder.path().join("damaged.ehr"), folder.path().join("new.ehr"), folder.path().join("lines.ndjson"));
    let mut most = 0;
    for slot in pages {
        let mut bytes = image.to_vec();
        bytes[slot * SLOT + 9] ^= 4;
        std::fs::write(&damaged, &bytes).expect("a file");
        let report = salvage(&damaged, SalvageInto::Store(&into)).expect("the map is whole");
        assert_eq!((report.pages_lost, report.is_whole()), (1, false), "slot {slot}");
        let ehr = Ehr::open(&into, &key(), Options::default()).expect("it opens");
        let (doctor, office) = (physician(&ehr), administrator(&ehr));
        let newest =
            office.audit(0, 10_000).expect("it may").into_iter().rfind(|(_, event)| event.kind == EventKind::Repair);
        assert_eq!(newest.map(|(_, event)| event.actor), Some("rescuer".to_owned()), "slot {slot}");
        let mut current = 0;
        for n in 0..30 {
            let read = doctor.read(kind("Observation"), &format!("o{n}"));
            if n % 10 == 1 {
                let code = read.map(drop).unwrap_err().code();
                assert!(matches!(code, Code::NotFound | Code::Retracted), "slot {slot}: {code}");
            } else if let Ok(read) = read {
                current += 1;
                let should = if n % 10 == 0 { &b"second"[..] } else { b"first" };
                assert!(read.bytes().windows(should.len()).any(|part| part == should), "slot {slot}");
            }
        }
        most = most.max(current);
        if doctor.read(kind("Observation"), "o22").is_ok() && !report.incomplete.contains(&"lifecycle") {
            let refused = doctor.change_set(vec![observation(22, 2, "third")]).map(drop).unwrap_err();
            assert_eq!(refused.code(), Code::Hold, "slot {slot}");
        }
        drop((doctor, office, ehr));
        salvage(&damaged, SalvageInto::Ndjson(&lines, Lines::Current)).expect("the map is whole");
        let text = std::fs::read_to_string(&lines).expect("a file");
        assert_eq!(text.lines().count() as u64, report.current, "slot {slot}");
        assert_eq!(std::fs::read(&damaged).expect("a file"), bytes);
        for file in [&into, &lines] {
            std::fs::remove_file(file).expect("there");
        }
    }
    assert_eq!(most, 27);
}

#[test]
fn a_salvage_that_fails_leaves_no_file_and_none_is_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = make(folder.path());
    let (damaged, into) = (folder.path().join("clinic.ehr"), folder.path().join("new.ehr"));
    let cancel = CancelToken::new();
    cancel.cancel();
    let how = SalvageOptions { limits: CallLimits { cancel: Some(cancel), ..CallLimits::default() }, ..HOW };
    for target in [SalvageInto::Store(&into), SalvageInto::Ndjson(&into, Lines::All)] {
        let stopped = Ehr::salvage(&damaged, target, &how, &key(), &Options::default());
        assert_eq!(stopped.map(drop).unwrap_err().code(), Code::Cancelled);
        assert!(!into.exists());
        let onto = match target {
            SalvageInto::Store(_) => SalvageInto::Store(&damaged),
            SalvageInto::Ndjson(_, lines) => SalvageInto::Ndjson(&damaged, lines),
        };
        assert_eq!(salvage(&damaged, onto).map(drop).unwrap_err().code(), Code::StoreExists);
    }
    assert_eq!(std::fs::read(&damaged).expect("a file"), *image);
    let mut bytes = image.to_vec();
    bytes[0] ^= 1;
    bytes[SLOT + 100] ^= 1;
    std::fs::write(&damaged, bytes).expect("a file");
    assert!(salvage(&damaged, SalvageInto::Store(&into)).is_err() && !into.exists());
}
