//! What takes minutes: an import of 1 GB, a store of 200,000 resources.

use super::{figure, import_new, key, storing};
use crate::Done;
use ehrcore::ehr::{Ehr, Options};
use ehrcore_synthetic::Charts;
use std::io::Write;
use std::path::Path;
use std::process::Command;

pub(super) fn run(folder: &Path) -> Done {
    let (source, store) = (folder.join("full.ndjson"), folder.join("full.ehr"));
    let resources = charts(&source, |resources, _| resources < 200_000)?.0;
    import_new(&store, &source)?;
    let each = || Ok::<_, std::io::Error>(std::fs::metadata(&store)?.len() as f64 / resources as f64);
    println!("{resources} made-up resources: {:.0} bytes each on disk before compacting", each()?);
    Ehr::open(&store, &key(), Options::default())?.compact()?;
    figure("  and after", each()?, 0, "300");
    figure(&format!("open a store of {resources} resources (ms)"), storing::open(&store, 9)?, 2, "10");

    let (resources, bytes) = charts(&source, |_, bytes| bytes < 1_000_000_000)?;
    let _ = std::fs::remove_file(&store);
    let mut child = Command::new(std::env::current_exe()?);
    let output = child.args(["bench", "--import"]).args([&store, &source]).output()?;
    let said = String::from_utf8(output.stdout)?;
    let [seconds, kib] = said.split_whitespace().map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?[..] else {
        return Err("the import of 1 GB failed".into());
    };
    println!("{resources} made-up resources, {:.2} GB, in {seconds:.0} s", bytes as f64 / 1e9);
    figure("  most memory (MiB)", kib / 1024.0, 0, "96");
    figure("  bytes a resource on disk", std::fs::metadata(&store)?.len() as f64 / resources as f64, 0, "300");
    Ok(())
}

/// The child: imports, and says how long it took and how much memory.
pub(super) fn import(store: &Path, source: &Path) -> Done {
    let took = import_new(store, source)?;
    println!("{} {}", took.0.as_secs_f64(), most_memory("self").ok_or("no /proc")?);
    Ok(())
}

/// KiB of memory that a process held at most.
pub(super) fn most_memory(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// Writes made-up charts while `more` says so of what was written; gives resources and bytes.
fn charts(to: &Path, more: impl Fn(u64, u64) -> bool) -> Result<(u64, u64), Box<dyn std::error::Error>> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(to)?);
    let (mut resources, mut bytes) = (0, 0);
    let charts = Charts::new(1);
    for number in 0.. {
        if !more(resources, bytes) {
            break;
        }
        let chart = charts.patient(number);
        let text = chart.ndjson();
        file.write_all(text.as_bytes())?;
        resources += chart.resources.len() as u64;
        bytes += text.len() as u64;
    }
    file.flush()?;
    Ok((resources, bytes))
}
