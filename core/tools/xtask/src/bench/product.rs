//! What is built first: sizes, first use, the demo.

use super::full::most_memory;
use super::{figure, median};
use crate::{Done, root};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(super) fn run(folder: &Path) -> Done {
    cargo(&root(), &["build", "--release", "-p", "ehrcore-ffi", "-p", "ehrcore-cli"])?;
    let built = root().join("target/release");
    figure("shared library, stripped (MB)", library(&built)?, 2, "6");
    cargo(&root(), &["build", "--profile", "dist", "-p", "ehrcore-ffi"])?;
    figure("  the same, profile dist (MB)", library(&root().join("target/dist"))?, 2, "6");
    first_use(folder)?;
    validate(&built.join("ehr"), &folder.join("all.ndjson"))?;
    demo(&built.join("ehr"), folder)
}

/// The size of the shared library in a folder.
fn library(built: &Path) -> Result<f64, Box<dyn std::error::Error>> {
    let names = ["libehrcore.so", "libehrcore.dylib", "ehrcore.dll"];
    let found = names.iter().find_map(|name| built.join(name).metadata().ok());
    Ok(found.ok_or("no shared library was built")?.len() as f64 / 1e6)
}

/// How much a program grows that reads and checks one record, and how long the first time takes in it.
fn first_use(folder: &Path) -> Done {
    let project = folder.join("first-use");
    std::fs::create_dir_all(project.join("src/bin"))?;
    let core = root().join("core");
    std::fs::write(
        project.join("Cargo.toml"),
        format!(
            "[package]\nname = \"first-use\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nehrcore = {{ path = {core:?}, \
             default-features = false }}\n[profile.release]\nlto = \"thin\"\ncodegen-units = 4\nstrip = \"symbols\"\n"
        ),
    )?;
    std::fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock"))?;
    std::fs::write(
        project.join("src/bin/nothing.rs"),
        "fn main() {\n    println!(\"{:?}\", std::time::Instant::now());\n}\n",
    )?;
    std::fs::write(
        project.join("src/bin/reads.rs"),
        r##"fn main() {
    let text = br#"{"resourceType":"Patient","id":"p","name":[{"family":"A"}],"birthDate":"1970-01-01","gender":"female"}"#;
    let start = std::time::Instant::now();
    let valid = ehrcore::json::read(text, &ehrcore::limits::Limits::DEFAULT).is_ok_and(|parsed| parsed.report.is_valid());
    println!("{} {valid}", start.elapsed().as_nanos());
}
"##,
    )?;
    cargo(&project, &["build", "--release", "--offline"])?;
    let built = project.join("target/release");
    let size = |name: &str| -> std::io::Result<f64> { Ok(built.join(name).metadata()?.len() as f64 / 1e6) };
    figure("a program that reads, beyond one that does not (MB)", size("reads")? - size("nothing")?, 2, "2");
    let mut firsts = Vec::new();
    for _ in 0..9 {
        let said = String::from_utf8(Command::new(built.join("reads")).output()?.stdout)?;
        let nanoseconds = said.strip_suffix(" true\n").ok_or("the program could not read")?;
        firsts.push(nanoseconds.parse::<u64>()?);
    }
    firsts.sort_unstable();
    figure("  its first record (ms)", firsts[4] as f64 / 1e6, 3, "5");
    Ok(())
}

/// `ehr validate` on two threads against one, by the clock: means something only where two processors have nothing else to do.
fn validate(command: &Path, source: &Path) -> Done {
    let time = |threads: &str| {
        median(5, || {
            let mut run = Command::new(command);
            let status = run.args(["validate", "--threads", threads]).arg(source).stdout(Stdio::null()).status();
            assert!(status.is_ok_and(|status| status.code().is_some()), "the command runs");
        })
    };
    let (one, two) = (time("1"), time("2"));
    figure("ehr validate on two threads, times as fast", one.as_secs_f64() / two.as_secs_f64(), 2, "1.9 or more");
    Ok(())
}

fn demo(command: &Path, folder: &Path) -> Done {
    let start = Instant::now();
    let mut child =
        Command::new(command).args(["demo", "--out"]).arg(folder.join("demo")).stdout(Stdio::null()).spawn()?;
    let (process, mut memory) = (child.id().to_string(), 0);
    let status = loop {
        memory = memory.max(most_memory(&process).unwrap_or(0));
        match child.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    if !status.success() {
        return Err("the demo failed".into());
    }
    figure("the demo (s)", start.elapsed().as_secs_f64(), 1, "60");
    figure("  most memory (MiB)", memory as f64 / 1024.0, 0, "512");
    Ok(())
}

fn cargo(folder: &Path, arguments: &[&str]) -> Done {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(arguments).arg("--quiet").current_dir(folder).status()?;
    if status.success() { Ok(()) } else { Err(format!("cargo {} failed", arguments.join(" ")).into()) }
}
