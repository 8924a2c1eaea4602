//! `cargo xtask test`: installs what is missing and runs every test, in Rust, C, C++ and Python.

use crate::{Done, root, suites};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The conformance suites: name, folder, and the least share of cases that must pass, in percent. The reference validator's
/// verdicts that differ on purpose are in core/docs/validator-differences.tsv.
const SUITES: [(&str, &str, u32); 14] = [
    ("json-parsing", "json-parsing", 100),
    ("xml", "r4-examples", 100),
    ("r4-examples", "r4-examples", 100),
    ("crypto", "crypto", 100),
    ("fhirpath", "fhirpath", 100),
    ("ucum", "ucum", 100),
    ("validator", "validator", 97),
    ("validator-tx", "validator", 90),
    ("validator-special", "validator", 85),
    ("us-core-examples", "us-core-examples", 100),
    ("us-core-invariants", "us-core-invariants", 100),
    ("ips-examples", "ips-examples", 100),
    ("fhir-vendors", "fhir-vendors", 100),
    ("synthea", "synthea", 100),
];

struct Tally {
    passed: u32,
    failed: Vec<&'static str>,
    skipped: Vec<String>,
}

impl Tally {
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Done) {
        println!("== {name}");
        let start = std::time::Instant::now();
        match work() {
            Ok(()) => {
                self.passed += 1;
                println!("== {name}: passed in {:.1} s", start.elapsed().as_secs_f64());
            }
            Err(error) => {
                self.failed.push(name);
                println!("== {name}: FAILED: {error}");
            }
        }
    }
    fn skip(&mut self, what: &str) {
        println!("== SKIPPED: {what}");
        self.skipped.push(what.to_owned());
    }
}

pub(crate) fn run() -> Done {
    let mut tally = Tally { passed: 0, failed: Vec::new(), skipped: Vec::new() };
    install(&mut tally);
    let have_suites = suites().is_dir();
    if !have_suites {
        tally.skip("the outside suites are not there (set EHRCORE_SUITES): conformance is not tested");
    }
    tally.step("format", || cargo(&["fmt", "--all", "--check"]));
    tally.step("lints", || cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]));
    tally.step("lints with every feature", || {
        // Every one but `fips`, which takes CMake and Go to build, and the one without encryption.
        let features = ["--features", "typed,aws-lc"];
        cargo(
            &[&["clippy", "-p", "ehrcore", "--all-targets", "--quiet"], &features[..], &["--", "-D", "warnings"]]
                .concat(),
        )
    });
    tally.step("lints without the store", || {
        let without = ["clippy", "-p", "ehrcore", "--no-default-features", "--all-targets", "--quiet"];
        cargo(&[&without[..], &["--", "-D", "warnings"]].concat())
    });
    tally.step("no feature alone switches encryption off", no_feature_alone_switches_encryption_off);
    tally.step("layers", crate::layers::run);
    tally.step("header", || crate::header::run(&["--check"]));
    tally.step("docs", || crate::docs::run(&["--check"]));
    if have_suites {
        tally.step("schema", || crate::schema::run(&["--check"]));
    }
    tally.step("rust tests", || cargo(&["test", "--workspace", "--quiet"]));
    tally.step("typed views", || cargo(&["test", "-p", "ehrcore", "--features", "typed", "--quiet", "typed"]));
    tally.step("cryptography from the other provider", || {
        cargo(&[
            "test",
            "-p",
            "ehrcore",
            "--features",
            "aws-lc",
            "--lib",
            "--quiet",
            "--",
            "crypto::",
            "vault::",
            "keys::",
        ])
    });
    tally.step("libraries", || cargo(&["build", "--quiet", "-p", "ehrcore-ffi", "-p", "ehrcore-cli"]));
    tally.step("rust example", rust_example);
    tally.step("c example", || c_example("c", &["-std=c99"], "clinic.c"));
    tally.step("c example of an import", || c_example("c", &["-std=c99"], "import.c"));
    tally.step("c example of access", || c_example("c", &["-std=c99"], "access.c"));
    tally.step("c example of an entry's life", || c_example("c", &["-std=c99"], "lifecycle.c"));
    tally.step("c example of keys", || c_example("c", &["-std=c99"], "keys.c"));
    tally.step("c example of care", || c_example("c", &["-std=c99"], "care.c"));
    tally.step("c example of the audit log", || c_example("c", &["-std=c99"], "audit.c"));
    tally.step("c++ example", || c_example("c++", &["-std=c++11"], "clinic.cpp"));
    tally.step("attacks", || crate::attack::run(&["--all"]));
    tally.step("demo", demo);
    if there("chromium") {
        tally.step("chart page in a browser", browser);
    } else {
        tally.skip("there is no chromium: the chart page was not looked at in a browser");
    }
    tally.step("python", python);
    if have_suites {
        for (suite, folder, least) in SUITES {
            let folder = suites().join(folder);
            let least = format!("--least={least}");
            tally.step(suite, || crate::conform::run(&[suite, &folder.to_string_lossy(), &least]));
        }
    }
    for what in &tally.skipped {
        println!("SKIPPED: {what}");
    }
    for name in &tally.failed {
        println!("FAILED: {name}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed.len());
    if tally.failed.is_empty() { Ok(()) } else { Err("a step failed".into()) }
}

/// Installs Debian packages that the tests need, where this is Debian and we may.
fn install(tally: &mut Tally) {
    let missing: Vec<&str> = [
        ("cc", "gcc"),
        ("c++", "g++"),
        ("valgrind", "valgrind"),
        ("python3", "python3"),
        ("tar", "tar"),
        ("xz", "xz-utils"),
        ("chromium", "chromium"),
    ]
    .into_iter()
    .filter(|(program, _)| !there(program))
    .map(|(_, package)| package)
    .collect();
    if missing.is_empty() {
        return;
    }
    let update = Command::new("apt-get").args(["update", "-qq"]).status();
    let done = update.is_ok_and(|s| s.success())
        && Command::new("apt-get").args(["install", "-y", "-qq"]).args(&missing).status().is_ok_and(|s| s.success());
    if !done {
        tally.skip(&format!("could not install {}", missing.join(", ")));
    }
}

fn there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn cargo(arguments: &[&str]) -> Done {
    run_in(&root(), Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments))
}

fn run_in(folder: &Path, command: &mut Command) -> Done {
    let status = command.current_dir(folder).status()?;
    if status.success() { Ok(()) } else { Err(format!("{status}").into()) }
}

/// The feature that compiles encryption out must not build without the second word: features add up over a whole build.
fn no_feature_alone_switches_encryption_off() -> Done {
    let mut check = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    check.args(["check", "--quiet", "-p", "ehrcore", "--lib", "--features", "danger-bench-without-encryption"]);
    let output = check.current_dir(root()).env_remove("EHRCORE_BUILD_WITHOUT_ENCRYPTION").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match (output.status.success(), said.contains("set EHRCORE_BUILD_WITHOUT_ENCRYPTION")) {
        (true, _) => Err("a feature alone builds the library without encryption".into()),
        (false, true) => Ok(()),
        (false, false) => Err(format!("it does not build, for another reason: {said}").into()),
    }
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}

fn rust_example() -> Done {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("clinic.ehr");
    cargo(&["run", "--quiet", "-p", "ehrcore", "--example", "clinic", "--", &store.to_string_lossy()])
}

/// Compiles an example against the static library with every warning an error, and runs it under valgrind.
fn c_example(compiler: &str, standard: &[&str], file: &str) -> Done {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("clinic");
    let (root, library) = (root(), target().join("debug/libehrcore.a"));
    let language = if file.ends_with(".c") { "c" } else { "cpp" };
    let source = root.join("examples").join(language).join(file);
    let mut compile = Command::new(if compiler == "c" { "cc" } else { "c++" });
    compile.args(standard).args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-I"]).arg(root.join("include"));
    compile.arg(source).arg(library).args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program);
    run_in(&root, &mut compile)?;
    let store = folder.path().join("clinic.ehr");
    if there("valgrind") {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
        return run_in(&root, valgrind.arg(&program).arg(&store));
    }
    println!("== SKIPPED: valgrind is not there");
    run_in(&root, Command::new(&program).arg(&store))
}

/// The demo on a few charts; it fails where one of its checks does.
fn demo() -> Done {
    let program = target().join("debug/ehr");
    run_in(&root(), Command::new(program).args(["demo", "--patients", "20", "--out"]).arg(target().join("demo")))
}

/// Opens the demo's chart page in a headless browser, at the width of a desk and of a phone: it shows its sections and asks the
/// network for nothing.
fn browser() -> Done {
    let page = format!("file://{}", target().join("demo/chart.html").display());
    for size in ["--window-size=1100,1700", "--window-size=390,1400"] {
        let profile = tempfile::tempdir()?;
        let shot = profile.path().join("page.png");
        let mut chromium = Command::new("chromium");
        chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", size]);
        chromium.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--dump-dom",
        ]);
        chromium.arg(format!("--user-data-dir={}", profile.path().join("user").display()));
        chromium.arg(format!("--screenshot={}", shot.display())).arg(&page);
        let shown = String::from_utf8_lossy(&chromium.output()?.stdout).into_owned();
        for wanted in ["<h2>Results and vital signs</h2>", "<polyline", "class=\"timeline\"", "<h2>Medications</h2>"] {
            if !shown.contains(wanted) {
                return Err(format!("the page does not show {wanted}").into());
            }
        }
        if shown.contains("<script") || shown.contains("src=") || shown.contains("href=") {
            return Err("the page asks for something outside itself".into());
        }
    }
    Ok(())
}

/// Builds the wheel in a virtual environment of its own and runs the Python tests against it.
fn python() -> Done {
    let venv = target().join("python-venv");
    let bin = venv.join("bin");
    if !bin.join("python").exists() {
        run_in(&root(), Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let pip = |arguments: &[&str]| {
        run_in(&root(), Command::new(bin.join("python")).args(["-m", "pip", "install", "-q"]).args(arguments))
    };
    pip(&["maturin>=1.7,<2", "pytest", "mypy"])?;
    // For the second reader of the file format; without them its tests say that they were skipped.
    if pip(&["cryptography>=42", "zstandard>=0.22"]).is_err() {
        println!("== SKIPPED: cryptography and zstandard cannot be installed: no second reader of the file format");
    }
    let wheels = target().join("wheels-test");
    let _ = std::fs::remove_dir_all(&wheels);
    run_in(
        &root().join("python"),
        Command::new(bin.join("maturin"))
            .args(["build", "--quiet", "--profile", "dev", "--out"])
            .arg(&wheels)
            .env("VIRTUAL_ENV", &venv),
    )?;
    let wheel = std::fs::read_dir(&wheels)?.flatten().next().ok_or("maturin made no wheel")?.path();
    pip(&["--force-reinstall", "--no-deps", &wheel.to_string_lossy()])?;
    run_in(&root(), Command::new(bin.join("python")).args(["-m", "pytest", "-q", "-rs", "python/tests"]))?;
    run_in(&root(), Command::new(bin.join("python")).args(["-m", "mypy", "--strict", "examples/python"]))?;
    run_in(&root(), Command::new(bin.join("python")).arg("examples/python/clinic.py"))
}
