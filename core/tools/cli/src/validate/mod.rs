//! `ehr validate`: checks files without a store, however large, on every core.

mod check;
mod print;
mod sarif;
mod source;

use crate::output::bar;
use crate::{Done, Failure};
use check::{Checked, Checker};
use clap::ValueEnum;
use ehrcore::report::{Issue, Severity};
use ehrcore::time::{Clock, SystemClock};
use ehrcore::validate::Validator;
use print::Printer;
pub(crate) use source::collect;
use source::{Source, is_lines};
use std::collections::BTreeMap;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: grouped by file
    Text,
    /// A JSON object a line: findings, then the summary
    Json,
    /// A FHIR OperationOutcome a line, one for each resource
    Outcome,
    /// One SARIF 2.1.0 document, for code scanning
    Sarif,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Files and folders
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print every finding, however many
    #[arg(long)]
    all: bool,
    /// How findings are printed; --json means json
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// A FHIR package to check with: a .tgz or a folder; may be given several times
    #[arg(long)]
    package: Vec<PathBuf>,
    /// The URL of a profile that every resource must conform to; may be given several times
    #[arg(long)]
    profile: Vec<String>,
    /// A validator that `--keep` wrote, instead of its packages or beside others
    #[arg(long, value_name = "FILE")]
    compiled: Option<PathBuf>,
    /// Keep the validator in this file, so that --compiled has it back in milliseconds
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Check invariants and terminology too, also without a package
    #[arg(long)]
    full: bool,
    /// How many threads check; as many as there are processors
    #[arg(long)]
    threads: Option<usize>,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
}

/// What was found in all.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) files: usize,
    pub(crate) resources: u64,
    pub(crate) invalid: u64,
    pub(crate) by_code: BTreeMap<&'static str, u64>,
    pub(crate) by_profile: BTreeMap<String, u64>,
}

impl Summary {
    fn count(&mut self, issues: &[Issue]) {
        self.invalid += u64::from(issues.iter().any(|issue| issue.severity <= Severity::Error));
        for issue in issues {
            *self.by_code.entry(issue.code.name()).or_default() += 1;
            if let Some(profile) = &issue.profile {
                *self.by_profile.entry(profile.to_string()).or_default() += 1;
            }
        }
    }
}

pub(crate) fn run(options: &Options, as_json: bool) -> Done {
    let format = options.format.unwrap_or(if as_json { Format::Json } else { Format::Text });
    let mut files = Vec::new();
    for path in &options.paths {
        collect(path, &mut files)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let watch = crate::within(options.timeout)?.begin(&clock);
    let checker = Checker { characters: format == Format::Sarif, validator: validator(options)?, watch };
    let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let bar = bar(files.iter().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum());
    let mut summary = Summary { files: files.len(), ..Summary::default() };
    let single = files.len() == 1 && !is_lines(&files[0]);
    let mut printer = Printer::new(format, options.all || single, BufWriter::new(std::io::stdout().lock()));
    printer.begin()?;
    // Entries and lines of the file at hand, counted across its groups.
    let (mut file, mut entry, mut line) = (usize::MAX, 0, 0);
    check::run(Source::new(&files), &checker, threads, |checked: Checked| -> Done {
        checker.watch.look()?;
        if checked.file != file {
            (file, entry, line) = (checked.file, 0, 0);
        }
        let lines = is_lines(&files[file]);
        for resource in checked.resources {
            entry += 1;
            summary.resources += 1;
            let mut report = resource.report;
            if lines {
                report = on_line(report, line + resource.line);
            }
            summary.count(report.issues());
            printer.resource(&files[file], if lines { entry } else { 0 }, &report)?;
        }
        line += checked.lines;
        bar.inc(checked.bytes);
        Ok(())
    })?;
    bar.finish_and_clear();
    printer.end(&summary)?;
    if summary.invalid > 0 { Err(Failure::Findings) } else { Ok(()) }
}

/// What checks more than structure, where the call asks for it.
fn validator(options: &Options) -> ehrcore::error::Result<Option<Validator>> {
    let kept = options.compiled.is_some() || options.keep.is_some();
    if options.package.is_empty() && options.profile.is_empty() && !options.full && !kept {
        return Ok(None);
    }
    let mut builder = Validator::builder();
    if let Some(path) = &options.compiled {
        builder = builder.load(path)?;
    }
    for path in &options.package {
        builder = builder.package(path)?;
    }
    for url in &options.profile {
        builder = builder.profile(url);
    }
    let made = builder.build()?;
    if let Some(path) = &options.keep {
        made.save(path)?;
    }
    Ok(Some(made))
}

/// The findings of a resource that starts after so many lines.
fn on_line(report: ehrcore::report::Report, before: u64) -> ehrcore::report::Report {
    let mut made = ehrcore::report::Report::new();
    let total = report.total();
    for mut issue in report.into_issues() {
        issue.line = issue.line.max(1).saturating_add(u32::try_from(before).unwrap_or(u32::MAX));
        made.push(issue);
    }
    (made.total()..total).for_each(|_| made.count_only());
    made
}
