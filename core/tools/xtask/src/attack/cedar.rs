//! Not what somebody tries, but a second opinion: random requests, decided by our tables and by Cedar on the exported policy. Cedar
//! is built apart (core/tools/oracle), so that nobody builds it without meaning to.

use super::{Failed, Tally};
use std::process::Command;

/// Up to so many requests are decided sooner than an optimised Cedar is built.
const WORTH_OPTIMISING: u64 = 50_000;

pub(super) fn run(count: u64) -> Result<Tally, Failed> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = crate::root();
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--manifest-path"]).arg(root.join("core/tools/oracle/Cargo.toml"));
    if count > WORTH_OPTIMISING {
        command.arg("--release");
    }
    command.arg("--target-dir").arg(root.join("target/oracle")).arg("--").arg(count.to_string());
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut tally = Tally::default();
    for line in said.lines() {
        match line.strip_prefix("cedar: held ").and_then(|rest| rest.split_once(" of ")) {
            Some((held, of)) => (tally.held, tally.of) = (held.parse()?, of.parse()?),
            None => tally.notes.push(line.trim().to_owned()),
        }
    }
    let wrong = String::from_utf8_lossy(&output.stderr);
    tally.notes.extend(wrong.lines().filter(|line| line.contains(": request ")).take(20).map(str::to_owned));
    if tally.of == 0 || !output.status.success() && tally.held == tally.of {
        return Err(format!("the oracle did not run: {}", wrong.lines().last().unwrap_or_default()).into());
    }
    Ok(tally)
}
