//! What keys cost: the same store with encryption and with encryption compiled out; rotation of a large store.
//!
//! `cargo xtask bench --encryption` builds this program a second time, with the feature `danger-bench-without-encryption`, and runs
//! both in turn. `cargo xtask bench --rotation` makes a store of a million resources of 5,000 patients.

use super::{Samples, administrator, figure, import_new, key, middle, physician, processor, resources};
use crate::Done;
use ehrcore::ehr::{Ehr, Options, Session};
use ehrcore::keys::RawKey;
use ehrcore::record::Record;
use ehrcore::schema::ResourceType;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// Both programs take turns so often; the best turn of each counts, because everything else on the machine only adds.
const TURNS: usize = 5;

pub(super) fn encryption() -> Done {
    let folder = tempfile::tempdir()?;
    let (plain, sealed) = (folder.path().join("plain"), folder.path().join("sealed"));
    build(&["--features", "danger-bench-without-encryption"], &plain)?;
    build(&[], &sealed)?;
    let mut best: [Option<Figures>; 2] = [None, None];
    for _ in 0..TURNS {
        for ((program, none), best) in [(&plain, true), (&sealed, false)].into_iter().zip(&mut best) {
            let output = Command::new(program).args(["bench", "--encryption-part"]).output()?;
            let said = String::from_utf8(output.stdout)?;
            let mut lines = said.lines();
            let provider = lines.next().ok_or("the part said nothing")?;
            if provider.starts_with("NONE") != none {
                return Err("the wrong program was built".into());
            }
            let figures = Figures::read(lines.next().unwrap_or_default())?;
            *best = Some(best.take().map_or(figures, |known| known.least(&figures)));
        }
    }
    let [Some(plain), Some(sealed)] = best else { return Err("nothing was measured".into()) };
    println!("{:<52}{:>10}{:>9}{:>9}{:>9}", "microseconds of processor", "without", "with", "ratio", "most");
    for (at, (name, most)) in NAMES.into_iter().enumerate() {
        let (plain, sealed) = (plain.0[at], sealed.0[at]);
        println!("{name:<52}{plain:>10.2}{sealed:>9.2}{:>9.2}{most:>9}", sealed / plain);
    }
    Ok(())
}

const NAMES: [(&str, &str); 4] = [
    ("import, a resource", "1.3"),
    ("read by id, hot: the block is open in memory", "3"),
    ("read by id, warm: the page is in memory, its block not", "3"),
    ("open a chart, warm, a resource", "3"),
];

#[derive(Clone, Copy)]
struct Figures([f64; 4]);

impl Figures {
    fn read(line: &str) -> Result<Figures, Failure> {
        let all = line.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        Ok(Figures(all.try_into().map_err(|_| "not four figures")?))
    }
    fn least(self, other: &Figures) -> Figures {
        Figures(std::array::from_fn(|at| self.0[at].min(other.0[at])))
    }
}

fn build(features: &[&str], to: &Path) -> Done {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "-p", "xtask"]).args(features).current_dir(crate::root());
    if !features.is_empty() {
        cargo.env("EHRCORE_BUILD_WITHOUT_ENCRYPTION", "1");
    }
    if !cargo.status()?.success() {
        return Err("the benchmark cannot be built".into());
    }
    std::fs::copy(crate::root().join("target/release/xtask"), to)?;
    Ok(())
}

/// One turn of one program: prints its provider and its figures.
pub(super) fn part() -> Done {
    let folder = tempfile::tempdir()?;
    let samples = Samples { resources: resources(folder.path())?, times: 1 };
    let compact = samples.compact()?;
    let (source, store) = (folder.path().join("all.ndjson"), folder.path().join("bench.ehr"));
    std::fs::write(&source, compact.join(&b"\n"[..]))?;
    let mut imports = (0..3).map(|_| Ok(import_new(&store, &source)?.1)).collect::<Result<Vec<_>, Failure>>()?;
    let import = samples.each(middle(&mut imports));

    // A cache of pages that holds all of them; blocks that were opened are kept by the store in 4 MiB and no more.
    let ehr = Ehr::open(&store, &key(), Options { cache_bytes: 256 << 20, ..Options::default() })?;
    println!("{}", ehr.security_status().provider);
    let session = physician(&ehr)?;
    let mut named = Vec::new();
    for bytes in &compact {
        let record = Record::parse(bytes)?;
        named.push((record.kind(), record.id().unwrap_or_default().to_owned()));
    }
    let hot = each(20_000, |_| read(&session, &named[100]));
    // A stride that comes by every record and seldom twice by a block that is still open.
    let all = |round: usize| (0..named.len()).for_each(|at| read(&session, &named[(at * 7_919 + round) % named.len()]));
    all(0);
    let warm = each(3, all) / named.len() as f64;
    let patients: Vec<&str> =
        named.iter().filter(|(kind, _)| *kind == ResourceType::PATIENT).map(|(_, id)| id.as_str()).collect();
    // A chart that does not open is no figure: it fails here.
    let mut read = 0;
    for patient in &patients {
        read += session.chart(patient)?.len();
    }
    if read < 2 * patients.len() {
        return Err("the charts of the samples are too small to measure anything".into());
    }
    let charts = each(CHARTS, |_| {
        for patient in &patients {
            black_box(session.chart(patient).expect("it was read a moment ago"));
        }
    });
    println!("{import} {hot} {warm} {}", charts / read as f64);
    Ok(())
}

/// How often all charts are opened.
const CHARTS: usize = 20;

fn read(session: &Session, (kind, id): &(ResourceType, String)) {
    black_box(session.read(*kind, id).expect("it was imported"));
}

/// Microseconds of processor that one call takes.
fn each(times: usize, mut work: impl FnMut(usize)) -> f64 {
    let start = processor();
    (0..times).for_each(&mut work);
    (processor() - start).as_secs_f64() * 1e6 / times as f64
}

/// A million resources of 5,000 patients: seconds until another root opens the store, and until every patient's key is wrapped anew.
pub(super) fn rotation() -> Done {
    const PATIENTS: usize = 5_000;
    const EACH: usize = 199;
    let folder = tempfile::tempdir()?;
    let (source, store) = (folder.path().join("all.ndjson"), folder.path().join("large.ehr"));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&source)?);
    for patient in 0..PATIENTS {
        writeln!(file, r#"{{"resourceType":"Patient","id":"p{patient}","name":[{{"family":"F{patient}"}}]}}"#)?;
        for number in 0..EACH {
            writeln!(
                file,
                r#"{{"resourceType":"Observation","id":"o{patient}-{number}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4"}}]}},"subject":{{"reference":"Patient/p{patient}"}},"valueQuantity":{{"value":{number},"unit":"/min"}}}}"#
            )?;
        }
    }
    file.into_inner()?;
    import_new(&store, &source)?;
    let size = std::fs::metadata(&store)?.len() as f64 / 1e6;
    println!("{} resources of {PATIENTS} patients, {size:.0} MB", PATIENTS * (EACH + 1));
    let ehr = Ehr::open(&store, &key(), Options::default())?;
    let session = administrator(&ehr)?;
    let new = RawKey::new([2; 32]);
    let start = Instant::now();
    session.rotate_root(&key(), &[&new])?;
    let root = start.elapsed();
    let count = session.rotate_patient_keys()?;
    let both = start.elapsed();
    figure("rotate the root (s)", root.as_secs_f64(), 3, "5");
    figure(&format!("... and wrap {count} keys of patients anew (s)"), both.as_secs_f64(), 3, "5");
    drop((session, ehr));
    let ehr = Ehr::open(&store, &new, Options::default())?;
    assert_eq!(physician(&ehr)?.chart("p4999")?.len(), EACH + 1);
    Ok(())
}
