//! How long a call may take, how much it may hold, who stops it: it ends with a code of its own and leaves nothing half done.

use crate::path::{administrator, kind, physician};
use ehrcore::ehr::{Ehr, Options, SearchOptions, VerifyLevel};
use ehrcore::error::{Code, Result};
use ehrcore::exchange::{ImportOptions, ImportSummary, Progress};
use ehrcore::keys::RawKey;
use ehrcore::limits::{CallLimits, CancelToken};
use ehrcore::time::{Clock, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A clock that goes on by a millisecond each time somebody looks.
#[derive(Default)]
struct Ticking(AtomicI64);
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + self.0.fetch_add(1000, Ordering::SeqCst))
    }
}

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("it does not get to its end").code()
}

fn millis(count: u64) -> CallLimits {
    CallLimits { time: Some(Duration::from_millis(count)), ..CallLimits::default() }
}

fn charts(folder: &Path, count: usize) -> PathBuf {
    let file = folder.join("charts.ndjson");
    let line = |n: usize| {
        let patient = format!("{{\"resourceType\":\"Patient\",\"id\":\"p{n}\",\"name\":[{{\"family\":\"Doe\"}}]}}\n");
        let record = |k| {
            format!(
                "{{\"resourceType\":\"Basic\",\"id\":\"b{n}-{k}\",\"code\":{{\"text\":\"x\"}},\"subject\":{{\"reference\":\"Patient/p{n}\"}}}}\n"
            )
        };
        patient + &(0..4).map(record).collect::<String>()
    };
    std::fs::write(&file, (0..count).map(line).collect::<String>()).expect("a file");
    file
}

fn store(folder: &Path) -> Ehr {
    let options = Options { clock: Arc::new(Ticking::default()), ..Options::default() };
    Ehr::create(folder.join("clinic.ehr"), &RawKey::new([7; 32]), options).expect("a new store")
}

#[test]
fn what_reads_ends_at_its_deadline_and_the_next_call_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = store(folder.path());
    let office = administrator(&ehr);
    office.import(&charts(folder.path(), 60), &ImportOptions::default(), &mut ()).expect("it imports");
    let doctor = physician(&ehr).with_limits(millis(20));
    let patients = kind("Patient");
    assert_eq!(code(doctor.search(patients, "name=doe", SearchOptions::default())), Code::Deadline);
    assert_eq!(code(doctor.search(patients, "name=doe&_sort=_id", SearchOptions::default())), Code::Deadline);
    assert_eq!(code(doctor.count(patients, "name=doe")), Code::Deadline);
    doctor.chart("p1").expect("five records are read in time");
    doctor.set_limits(CallLimits::default());
    assert_eq!(doctor.count(patients, "name=doe").expect("no deadline").0, 60);
    office.set_limits(millis(20));
    assert_eq!(code(office.verify(VerifyLevel::Records, None)), Code::Deadline);
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("a folder");
    std::fs::write(out.join("Patient.ndjson"), "of before").expect("a file");
    assert_eq!(code(office.export_ndjson(&out)), Code::Deadline);
    let left: Vec<_> = std::fs::read_dir(&out).expect("a folder").flatten().map(|file| file.file_name()).collect();
    assert_eq!(left, ["Patient.ndjson"], "no half of an export stays, and what was there does");
    assert_eq!(std::fs::read_to_string(out.join("Patient.ndjson")).expect("there"), "of before");
}

#[test]
fn a_call_holds_no_more_than_it_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = store(folder.path());
    let office = administrator(&ehr);
    let small = CallLimits { memory: Some(1 << 20), ..CallLimits::default() };
    office.set_limits(small);
    let summary = office.import(&charts(folder.path(), 2000), &ImportOptions::default(), &mut ()).expect("in parts");
    assert_eq!(summary.stored, 10_000);
    assert!(summary.commits > 2, "{}", summary.commits);
    let doctor = physician(&ehr).with_limits(CallLimits { memory: Some(4000), ..CallLimits::default() });
    let page = |count| doctor.search(kind("Patient"), "", SearchOptions { count, ..SearchOptions::default() });
    assert_eq!(code(page(100)), Code::LimitMemory);
    assert_eq!(page(10).expect("ten fit").records.len(), 10);
}

/// Cancels after a number of steps, as another thread would.
struct After(usize, CancelToken);
impl Progress for After {
    fn step(&mut self, _: u64, _: u64, _: &ImportSummary) -> bool {
        self.0 = self.0.saturating_sub(1);
        if self.0 == 0 {
            self.1.cancel();
        }
        true
    }
}

#[test]
fn an_import_that_is_cancelled_keeps_whole_batches_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let ehr = store(folder.path());
    let file = charts(folder.path(), 1000);
    let (office, token) = (administrator(&ehr), CancelToken::new());
    office.set_limits(CallLimits { cancel: Some(token.clone()), ..CallLimits::default() });
    let options = ImportOptions { batch_entries: 1024, ..ImportOptions::default() };
    assert_eq!(code(office.import(&file, &options, &mut After(5, token.clone()))), Code::Cancelled);
    assert_eq!(code(office.import(&file, &options, &mut ())), Code::Cancelled, "a token stays cancelled");
    let mut lines = 0;
    office.set_limits(CallLimits::default());
    office.ledger(|_| lines += 1).expect("it may");
    assert!(lines > 0 && lines < 5000, "{lines}");
    let counted =
        office.count(kind("Basic"), "").expect("it may").0 + office.count(kind("Patient"), "").expect("it may").0;
    assert_eq!(counted, lines, "the ledger knows what is there");
    let rest = office.import(&file, &options, &mut ()).expect("it imports");
    assert_eq!((rest.resumed, rest.resumed + rest.stored), (lines, 5000));
    office.verify(VerifyLevel::Records, None).expect("it is whole");
}
