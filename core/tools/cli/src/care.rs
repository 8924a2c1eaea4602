//! The commands that look after a store: check, backup, restore, repair.

use crate::output::bar;
use crate::store::{administrator, key};
use crate::{Access, Done, Failure};
use ehrcore::ehr::{Ehr, FileAnchor, Options, RepairOptions};
use ehrcore::limits::CallLimits;
use ehrcore::store::{CheckReport, Checked};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn file_json(file: &Checked) -> Value {
    json!({"pages": file.pages, "free": file.free, "map": file.map, "mended": file.mended, "recovered": file.recovered,
        "damagedSlots": file.damaged, "damagedMap": file.map_damaged})
}

fn report_json(report: &CheckReport) -> Value {
    let damage: Vec<Value> = report
        .damage
        .iter()
        .map(|one| json!({"what": one.what.name(), "patient": one.patient, "row": one.row}))
        .collect();
    let content: String = report.content.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"sound": report.is_sound(), "file": file_json(&report.file), "patients": report.patients, "erased": report.erased,
        "blocks": report.blocks, "versions": report.versions, "records": report.records, "indexEntries": report.entries,
        "tokens": report.tokens, "leftoverTokens": report.leftover_tokens, "addresses": report.aliases, "events": report.events,
        "content": content, "found": report.found, "damage": damage})
}

fn print_report(report: &CheckReport) {
    println!(
        "{} records in {} versions of {} patients, {} audit events, {} index entries, {} slots of the file",
        report.records,
        report.versions,
        report.patients,
        report.events,
        report.entries,
        report.file.pages + report.file.free + report.file.map
    );
    if report.file.recovered || report.file.mended > 0 {
        println!("the file was not closed in order; {} slots were put in order", report.file.mended);
    }
    for one in &report.damage {
        let patient = one.patient.map(|number| format!(" of patient number {number}")).unwrap_or_default();
        println!("damaged: {} {}{patient}", one.what.name(), one.row);
    }
    match report.found {
        0 => println!("all as written"),
        found => println!("{found} places are not as written"),
    }
}

pub(crate) fn check(access: &Access, as_json: bool) -> Done {
    let source = key(access.key_file.clone(), false)?;
    // The file first, as it lies there: what a session writes would take free slots.
    let before = Ehr::condition(&access.store, &*source, Options::default())?;
    let session = administrator(access)?;
    let bar = bar(0);
    let mut report = session.check(None, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
        true
    })?;
    bar.finish_and_clear();
    session.close()?;
    report.found += (before.damaged.len().saturating_sub(report.file.damaged.len())) as u64;
    report.file = before;
    if as_json {
        println!("{}", report_json(&report))
    } else {
        print_report(&report)
    }
    if report.is_sound() { Ok(()) } else { Err(Failure::Findings) }
}

pub(crate) fn backup(access: &Access, out: &Path, since: Option<PathBuf>, as_json: bool) -> Done {
    let session = administrator(access)?;
    let bar = bar(0);
    let mut steps = |done: u64, of: u64| {
        bar.set_length(of * 4096);
        bar.set_position(done * 4096);
        true
    };
    let copied = match since {
        Some(earlier) => session.backup_since(out, &earlier, &*key(access.key_file.clone(), false)?, &mut steps)?,
        None => session.backup(out, &mut steps)?,
    };
    bar.finish_and_clear();
    session.close()?;
    if as_json {
        println!("{}", json!({"pages": copied.pages, "copied": copied.copied, "number": copied.number}));
    } else {
        println!("{} of {} pages copied; number {} of its chain", copied.copied, copied.pages, copied.number);
    }
    Ok(())
}

pub(crate) fn compare_anchor(store: &Path, anchor: &Path, key_file: Option<PathBuf>, as_json: bool) -> Done {
    let (source, anchor) = (key(key_file, false)?, Arc::new(FileAnchor::new(anchor)));
    let found = Ehr::compare_with_anchor(store, &*source, anchor, Options::default())?;
    if as_json {
        println!(
            "{}",
            json!({"fileChangeSets": found.file_commits, "anchorChangeSets": found.anchor_commits, "fileEvents": found.file_events,
                "anchorEvents": found.anchor_events, "rolledBack": found.rolled_back})
        );
    } else {
        println!("store:  {} change sets, {} audit events", found.file_commits, found.file_events);
        println!("anchor: {} change sets, {} audit events", found.anchor_commits, found.anchor_events);
        println!(
            "{}",
            if found.rolled_back { "the store is older, or went another way" } else { "the store is not older" }
        );
    }
    if found.rolled_back { Err(Failure::Findings) } else { Ok(()) }
}

pub(crate) fn restore(chain: &[PathBuf], into: &Path, key_file: Option<PathBuf>, as_json: bool) -> Done {
    let chain: Vec<&Path> = chain.iter().map(AsRef::as_ref).collect();
    let (source, options) = (key(key_file, false)?, Options::default());
    let copied = Ehr::restore(&chain, into, &*source, &options, &CallLimits::default(), &mut |_, _| true)?;
    if as_json {
        println!("{}", json!({"pages": copied.pages, "number": copied.number}));
    } else {
        println!("{} pages, as of number {} of the chain; every page and link as written", copied.pages, copied.number);
    }
    Ok(())
}

pub(crate) fn repair(access: &Access, copies: &[PathBuf], into: &Path, allow_older: bool, as_json: bool) -> Done {
    let copies: Vec<&Path> = copies.iter().map(AsRef::as_ref).collect();
    let how = RepairOptions { actor: &access.actor, allow_older, limits: access.limits()? };
    let source = key(access.key_file.clone(), false)?;
    let done = Ehr::repair(&access.store, &copies, into, &how, &*source, &Options::default())?;
    if as_json {
        println!(
            "{}",
            json!({"pages": done.mended.pages, "fromCopies": done.mended.from_copies, "wholeCopy": done.mended.whole_copy,
                "check": report_json(&done.check)})
        );
    } else {
        println!("{} of {} pages came from a copy", done.mended.from_copies, done.mended.pages);
        if done.mended.whole_copy {
            println!("the map of the damaged file could not be read: a copy took its place whole");
        }
        print_report(&done.check);
    }
    if done.check.is_sound() { Ok(()) } else { Err(Failure::Findings) }
}
