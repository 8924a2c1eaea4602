//! Import, reading through a session, commits, opening.

use super::{Samples, administrator, figure, import_new, key, median, middle, physician, ratio};
use crate::Done;
use ehrcore::ehr::{Ehr, Options, Session};
use ehrcore::error::Code;
use ehrcore::record::Record;
use ehrcore::schema::ResourceType;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `reference`: the microseconds that `serde_json::Value` takes for a resource.
pub(super) fn run(samples: &Samples, reference: f64, folder: &Path) -> Done {
    let compact = samples.compact()?;
    let (source, store) = (folder.join("all.ndjson"), folder.join("bench.ehr"));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&source)?);
    for line in &compact {
        file.write_all(line)?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?;
    let rounds = if samples.times > 3 { 5 } else { 2 };
    let imports = (0..rounds).map(|_| import_new(&store, &source)).collect::<Result<Vec<_>, _>>()?;
    let (mut clock, mut worked): (Vec<_>, Vec<_>) = imports.into_iter().unzip();
    let (clock, worked) = (samples.each(middle(&mut clock)), samples.each(middle(&mut worked)));
    ratio("bulk import, durable", worked, worked / reference, "2.5");
    ratio("  by the clock, waiting for the disk included", clock, clock / reference, "");
    figure("  resources a second", 1e6 / clock, 0, "35000 or more");

    let mut ehr = Ehr::open(&store, &key(), Options::default())?;
    ehr.compact()?;
    let size = std::fs::metadata(&store)?.len();
    figure("bytes a resource on disk, all indexes", size as f64 / compact.len() as f64, 0, "300");

    let session = physician(&ehr)?;
    reads(samples.times, &session, &compact)?;
    commits(&session, folder)?;
    drop(session);
    writers(&ehr)?;
    beside_backup(&ehr, folder)?;
    drop(ehr);
    figure("open this store (ms)", open(&store, samples.times)?, 2, "10");
    Ok(())
}

/// Milliseconds that opening takes; closing not counted.
pub(super) fn open(store: &Path, times: usize) -> Result<f64, ehrcore::error::Error> {
    let mut all = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        let ehr = Ehr::open(store, &key(), Options::default())?;
        all.push(start.elapsed());
        drop(ehr);
    }
    Ok(middle(&mut all).as_secs_f64() * 1e3)
}

fn reads(times: usize, session: &Session, compact: &[Vec<u8>]) -> Done {
    const READS: u32 = 20_000;
    let record = Record::parse(&compact[100])?;
    let (kind, id) = (record.kind(), record.id().unwrap_or_default());
    let one = median(times, || (0..READS).for_each(|_| drop(black_box(session.read(kind, id)))));
    figure("read by id through a session, hot (us)", one.as_secs_f64() * 1e6 / f64::from(READS), 2, "8");
    // The size of most charts, as near as there is one.
    let mut nearest: Option<(usize, String)> = None;
    for bytes in compact {
        let record = Record::parse(bytes)?;
        if let (ResourceType::PATIENT, Some(id)) = (record.kind(), record.id()) {
            let size = session.chart(id)?.len();
            if nearest.as_ref().is_none_or(|(best, _)| size.abs_diff(300) < best.abs_diff(300)) {
                nearest = Some((size, id.to_owned()));
            }
        }
    }
    let (size, patient) = nearest.ok_or("there is no patient")?;
    let chart = median(times, || drop(black_box(session.chart(&patient))));
    figure(&format!("chart of {size} resources (us)"), chart.as_secs_f64() * 1e6, 0, "500 of 300");
    Ok(())
}

/// Durable commits against the bare sync of the disk, in turn, so that both meet the same disk.
fn commits(session: &Session, folder: &Path) -> Done {
    let mut file = std::fs::File::create(folder.join("probe"))?;
    let (mut syncs, mut commits) = (Vec::new(), Vec::new());
    for n in 0..200 {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        syncs.push(start.elapsed());
        let start = Instant::now();
        session.write(basic(&format!("b{n}")).as_bytes())?;
        commits.push(start.elapsed());
    }
    syncs.sort();
    commits.sort();
    let (sync, commit) = (syncs[100].as_secs_f64() * 1e6, commits[100].as_secs_f64() * 1e6);
    figure("bare fdatasync of 4 KiB (us)", sync, 0, "");
    ratio("single-resource durable commit", commit, commit / sync, "2");
    Ok(())
}

/// Many sessions that write at the same time share syncs.
fn writers(ehr: &Ehr) -> Done {
    const EACH: usize = 200;
    for count in [1, 4, 16, 64] {
        let sessions = (0..count).map(|_| physician(ehr)).collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        std::thread::scope(|scope| {
            let workers: Vec<_> = sessions
                .iter()
                .enumerate()
                .map(|(worker, session)| {
                    scope.spawn(move || {
                        (0..EACH).try_for_each(|n| {
                            session.write(basic(&format!("w{count}-{worker}-{n}")).as_bytes()).map(drop)
                        })
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(Code::Internal.error())))
        })?;
        let rate = (count * EACH) as f64 / start.elapsed().as_secs_f64();
        figure(&format!("durable commits a second, {count} sessions"), rate, 0, "");
    }
    Ok(())
}

/// What a copy that is made all the while costs those who write: as much of the time again, in turn with and without, so that both meet the
/// same disk.
fn beside_backup(ehr: &Ehr, folder: &Path) -> Done {
    const EACH: usize = 300;
    let (session, office, copy) = (physician(ehr)?, administrator(ehr)?, folder.join("copy.ehr"));
    let (mut alone, mut beside, mut copies) = (Vec::new(), Vec::new(), 0);
    for round in 0..6 {
        let write = |name: &str| -> Result<Duration, ehrcore::error::Error> {
            let start = Instant::now();
            for n in 0..EACH {
                session.write(basic(&format!("{name}{round}-{n}")).as_bytes())?;
            }
            Ok(start.elapsed())
        };
        alone.push(write("a")?);
        let done = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let copier = scope.spawn(|| {
                let mut count = 0;
                while !done.load(Ordering::SeqCst) {
                    let _ = std::fs::remove_file(&copy);
                    office.backup(&copy, &mut |_, _| true)?;
                    count += 1;
                }
                Ok::<u32, ehrcore::error::Error>(count)
            });
            let written = write("b");
            done.store(true, Ordering::SeqCst);
            copies += copier.join().unwrap_or_else(|_| Err(Code::Internal.error()))?;
            written
        })?;
        beside.push(written);
    }
    let rate = |all: &mut [Duration]| EACH as f64 / middle(all).as_secs_f64();
    let (alone, beside) = (rate(&mut alone), rate(&mut beside));
    figure("commits a second, one session", alone, 0, "");
    figure(&format!("  beside {copies} hot backups, one after another"), beside, 0, "");
    figure("  slower by (%)", (alone / beside - 1.0) * 100.0, 0, "20");
    Ok(())
}

/// Commits, many writers and copies only, with what a commit takes of the disk.
pub(super) fn commits_only(samples: &Samples, folder: &Path) -> Done {
    let (source, store) = (folder.join("all.ndjson"), folder.join("bench.ehr"));
    std::fs::write(&source, samples.compact()?.join(&b'\n'))?;
    import_new(&store, &source)?;
    let ehr = Ehr::open(&store, &key(), Options::default())?;
    commits(&physician(&ehr)?, folder)?;
    writers(&ehr)?;
    beside_backup(&ehr, folder)
}

fn basic(id: &str) -> String {
    format!("{{\"resourceType\":\"Basic\",\"id\":\"{id}\",\"code\":{{\"text\":\"x\"}}}}")
}
