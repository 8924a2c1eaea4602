//! The commands that work on a store.

use crate::output::{bar, issue, issue_json, version_json, version_line};
use crate::{Access, Done, Failure};
use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Anchoring, Ehr, FileAnchor, Options, SearchOptions, Session, VerifyLevel};
use ehrcore::error::Code;
use ehrcore::exchange::{ImportOptions, ImportSummary, Progress};
use ehrcore::id::{Random, SystemRandom};
use ehrcore::keys::{KeySource, Passphrase, RawKey, RecoveryKey, Share, SharedKey};
use ehrcore::schema::ResourceType;
use indicatif::ProgressBar;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The key in a file: 64 hexadecimal digits, a recovery key as it was printed, or a share on each line.
pub(crate) fn read_key(file: &Path) -> Result<Box<dyn KeySource>, Failure> {
    let text = std::fs::read_to_string(file)?;
    let digits = |line: &str| line.chars().filter(char::is_ascii_hexdigit).count();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [line] if line.len() == 64 => {
            let mut key = [0; 32];
            for (i, byte) in key.iter_mut().enumerate() {
                *byte =
                    line.get(2 * i..2 * i + 2).and_then(|two| u8::from_str_radix(two, 16).ok()).ok_or_else(wrong)?;
            }
            Ok(Box::new(RawKey::new(key)))
        }
        [line] if digits(line) == RECOVERY_DIGITS => Ok(Box::new(RecoveryKey::parse(line)?)),
        [first, ..] if digits(first) == SHARE_DIGITS => {
            let shares = lines.iter().map(|line| Share::parse(line)).collect::<Result<Vec<_>, _>>()?;
            Ok(Box::new(SharedKey::join(&shares)?))
        }
        _ => Err(wrong()),
    }
}

const RECOVERY_DIGITS: usize = 68;
const SHARE_DIGITS: usize = 90;

fn wrong() -> Failure {
    let expected = "a key file of 64 hexadecimal digits, a recovery key, or a share on each line";
    Failure::Library(Code::WrongKey.error().expected(expected))
}

pub(crate) fn key(file: Option<PathBuf>, twice: bool) -> Result<Box<dyn KeySource>, Failure> {
    if let Some(file) = file {
        return read_key(&file);
    }
    if let Some(file) = std::env::var_os("EHR_PASSPHRASE_FILE") {
        let text = std::fs::read_to_string(file)?;
        return Ok(Box::new(Passphrase::new(text.trim_end_matches(['\n', '\r']))));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("no key: give --key-file, EHR_KEY_FILE or EHR_PASSPHRASE_FILE"));
    }
    prompted(twice)
}

/// A passphrase from the terminal.
pub(crate) fn prompted(twice: bool) -> Result<Box<dyn KeySource>, Failure> {
    let phrase = rpassword::prompt_password("Passphrase: ")?;
    if twice && phrase != rpassword::prompt_password("Again: ")? {
        return Err(Failure::Usage("the passphrases differ"));
    }
    Ok(Box::new(Passphrase::new(&phrase)))
}

pub(crate) fn write_new_key(file: &Path) -> Done {
    let mut bytes = [0; 32];
    SystemRandom::default().fill(&mut bytes)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(file)?, "{text}")?;
    Ok(())
}

pub(crate) fn init(store: &Path, key_file: Option<PathBuf>, new_key_file: Option<PathBuf>) -> Done {
    let key_file = match new_key_file {
        Some(file) => {
            write_new_key(&file)?;
            Some(file)
        }
        None => key_file,
    };
    let ehr = Ehr::create(store, &*key(key_file, true)?, Options::default())?;
    println!("made store {}", ehr.store_id());
    Ok(())
}

/// Opens the store for an actor: the role and purpose given, else those the command needs.
fn opened(access: &Access, role: Role, purpose: Purpose) -> Result<(Ehr, Session), Failure> {
    let role = match access.role.as_deref() {
        Some(name) => Role::from_name(name).ok_or(Failure::Usage("no such role"))?,
        None => role,
    };
    let purpose = match access.purpose.as_deref() {
        Some(name) => Purpose::from_name(name).ok_or(Failure::Usage("no such purpose of use"))?,
        None => purpose,
    };
    let actor = actor(access, role);
    let options = Options { anchor: anchoring(access), ..Options::default() };
    let ehr = Ehr::open(&access.store, &*key(access.key_file.clone(), false)?, options)?;
    let session = ehr.session(actor, purpose)?.with_limits(access.limits()?);
    Ok((ehr, session))
}

/// The anchor, as the options say.
fn anchoring(access: &Access) -> Option<Anchoring> {
    let mut anchoring = Anchoring::new(Arc::new(FileAnchor::new(access.anchor.as_ref()?))).strict();
    if access.anchor_begin {
        anchoring = anchoring.begin();
    }
    Some(match &access.accept_older {
        Some(reason) => anchoring.accept_older(reason),
        None => anchoring,
    })
}

/// Who acts, as the options say.
pub(crate) fn actor(access: &Access, role: Role) -> Actor {
    let mut actor = Actor::new(&access.actor, role).with_mfa(access.mfa);
    actor.patient = access.bound_to.clone();
    actor.reference = access.reference.clone();
    actor.organization = access.organization.clone();
    actor.on_behalf_of = access.on_behalf_of.clone();
    actor.device = access.device.clone();
    actor.client = access.client.clone();
    actor
}

pub(crate) fn clinician(access: &Access) -> Result<Session, Failure> {
    Ok(opened(access, Role::Physician, Purpose::Treatment)?.1)
}

pub(crate) fn administrator(access: &Access) -> Result<Session, Failure> {
    Ok(opened_by_administrator(access)?.1)
}

pub(crate) fn opened_by_administrator(access: &Access) -> Result<(Ehr, Session), Failure> {
    opened(access, Role::Administrator, Purpose::Operations)
}

fn kind(name: &str) -> Result<ResourceType, Failure> {
    ResourceType::from_name(name).ok_or(Failure::Usage("no such R4 resource type"))
}

fn type_and_id(record: &str) -> Result<(ResourceType, &str), Failure> {
    let (name, id) = record.split_once('/').ok_or(Failure::Usage("a record is named Type/id"))?;
    Ok((kind(name)?, id))
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn step(&mut self, done: u64, of: u64, summary: &ImportSummary) -> bool {
        self.0.set_length(of);
        self.0.set_position(done);
        self.0.set_message(format!("{} stored, {} aside", summary.stored, summary.quarantined));
        true
    }
}

pub(crate) fn import(access: &Access, paths: &[PathBuf], as_json: bool) -> Done {
    let session = administrator(access)?;
    let mut bar = Bar(bar(0));
    let mut all = ImportSummary::default();
    for path in paths {
        let done = session.import(path, &ImportOptions::default(), &mut bar)?;
        all.sources += done.sources;
        all.entries += done.entries;
        all.stored += done.stored;
        all.unchanged += done.unchanged;
        all.quarantined += done.quarantined;
        all.refused += done.refused;
        all.resumed += done.resumed;
    }
    bar.0.finish_and_clear();
    session.close()?;
    if as_json {
        println!(
            "{}",
            json!({"sources": all.sources, "entries": all.entries, "stored": all.stored, "unchanged": all.unchanged,
                "quarantined": all.quarantined, "refused": all.refused, "resumed": all.resumed})
        );
    } else {
        println!(
            "{} files, {} entries: {} stored, {} unchanged, {} quarantined, {} refused",
            all.sources, all.entries, all.stored, all.unchanged, all.quarantined, all.refused
        );
    }
    if all.quarantined + all.refused > 0 { Err(Failure::Findings) } else { Ok(()) }
}

pub(crate) fn list(access: &Access, as_json: bool) -> Done {
    let session = clinician(access)?;
    let mut from = None;
    loop {
        let page = session.search(kind("Patient")?, "", SearchOptions { count: 1000, from })?;
        for stored in &page.records {
            let record = stored.record()?;
            let root = record.root();
            let name = root.list("name").next();
            let part = |field: &str| {
                let values = name.into_iter().flat_map(|name| name.list(field)).filter_map(|node| node.as_str());
                values.map(|text| text.into_owned()).collect::<Vec<String>>().join(" ")
            };
            let (family, given) = (part("family"), part("given"));
            let born = root.text("birthDate").map(|text| text.into_owned()).unwrap_or_default();
            if as_json {
                println!("{}", json!({"id": stored.id(), "family": family, "given": given, "birthDate": born}));
            } else {
                println!("{}  {family}, {given}  {born}", stored.id());
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(session.close()?);
        }
    }
}

pub(crate) fn show(access: &Access, record: &str, version: Option<u32>) -> Done {
    let (kind, id) = type_and_id(record)?;
    let session = clinician(access)?;
    let stored = match version {
        Some(version) => session.read_version(kind, id, version)?,
        None => session.read(kind, id)?,
    };
    session.close()?;
    let mut out = std::io::stdout().lock();
    out.write_all(stored.bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

pub(crate) fn search(access: &Access, name: &str, query: &[String], count: bool, as_json: bool) -> Done {
    let (kind, query) = (kind(name)?, query.join("&"));
    let session = clinician(access)?;
    if count {
        println!("{}", session.count(kind, &query)?.0);
        return Ok(session.close()?);
    }
    let mut from = None;
    loop {
        let page = session.search(kind, &query, SearchOptions { count: 0, from })?;
        for stored in &page.records {
            if as_json {
                println!("{}", version_json(stored));
            } else {
                println!("{}", version_line(stored));
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(session.close()?);
        }
    }
}

pub(crate) fn history(access: &Access, record: &str, as_json: bool) -> Done {
    let (kind, id) = type_and_id(record)?;
    let session = clinician(access)?;
    for stored in session.history(kind, id)? {
        println!("{}", if as_json { version_json(&stored).to_string() } else { version_line(&stored) });
    }
    Ok(session.close()?)
}

pub(crate) fn export(access: &Access, out: &Path, patient: Option<String>, as_json: bool) -> Done {
    let session = administrator(access)?;
    if let Some(patient) = patient {
        let bundle = session.export_chart(&patient)?;
        std::fs::write(out, &bundle)?;
        println!("{} bytes written", bundle.len());
        return Ok(session.close()?);
    }
    std::fs::create_dir_all(out)?;
    let summary = session.export_ndjson(out)?;
    if as_json {
        println!("{}", json!({"records": summary.records, "total": summary.total(), "bytes": summary.bytes}));
    } else {
        for (kind, count) in &summary.records {
            println!("{count:>10}  {kind}");
        }
        println!("{:>10}  in all", summary.total());
    }
    Ok(session.close()?)
}

pub(crate) fn chart(access: &Access, patient: &str, html: Option<PathBuf>, as_json: bool) -> Done {
    let session = clinician(access)?;
    if let Some(file) = html {
        std::fs::write(file, session.chart_page(patient)?)?;
        return Ok(session.close()?);
    }
    for stored in session.chart(patient)? {
        println!("{}", if as_json { version_json(&stored).to_string() } else { version_line(&stored) });
    }
    Ok(session.close()?)
}

pub(crate) fn break_glass(
    access: &Access,
    patient: &str,
    reason: &str,
    record: Option<&str>,
    html: Option<PathBuf>,
    as_json: bool,
) -> Done {
    let record = record.map(type_and_id).transpose()?;
    let session = clinician(access)?;
    let emergency = session.break_glass(patient, reason)?;
    if let Some((until, reference)) = emergency.emergency() {
        eprintln!("emergency access to one patient, on record as {reference:016x}, until {}", until.to_rfc3339());
    }
    match (record, html) {
        (Some((kind, id)), _) => {
            let stored = emergency.read(kind, id)?;
            let mut out = std::io::stdout().lock();
            out.write_all(stored.bytes())?;
            out.write_all(b"\n")?;
        }
        (None, Some(file)) => std::fs::write(file, emergency.chart_page(patient)?)?,
        (None, None) => {
            for stored in emergency.chart(patient)? {
                println!("{}", if as_json { version_json(&stored).to_string() } else { version_line(&stored) });
            }
        }
    }
    emergency.close()?;
    Ok(session.close()?)
}

pub(crate) fn audit(access: &Access, from: u64, count: usize, as_json: bool) -> Done {
    let session = administrator(access)?;
    for (sequence, event) in session.audit(from, count)? {
        let outcome = event.failure().map_or("ok", Code::name);
        let kind = event.resource.map(ResourceType::name).unwrap_or_default();
        let role = Role::ALL.iter().find(|role| **role as u8 == event.role).map_or("", |role| role.name());
        let purpose = Purpose::ALL.iter().find(|purpose| **purpose as u8 == event.purpose).map_or("", |p| p.name());
        if as_json {
            println!(
                "{}",
                json!({"sequence": sequence, "at": event.at.to_rfc3339(), "actor": event.actor, "role": role, "purpose": purpose,
                    "event": event.kind.name(), "outcome": outcome, "kind": kind, "id": event.id, "version": event.version,
                    "count": event.count, "patient": event.patient})
            );
        } else {
            let at = event.at.to_rfc3339();
            println!(
                "{sequence:>8}  {at}  {:<12} {outcome:<10} {} ({role}, {purpose})  {kind} {}",
                event.kind.name(),
                event.actor,
                event.count
            );
        }
    }
    Ok(session.close()?)
}

pub(crate) fn verify(access: &Access, as_json: bool) -> Done {
    let session = administrator(access)?;
    let report = session.verify(VerifyLevel::Records, None)?;
    if as_json {
        println!(
            "{}",
            json!({"events": report.events, "records": report.records, "patients": report.patients,
                "matched": report.matched, "unmatched": report.unmatched})
        );
    } else {
        println!(
            "{} audit events, {} records of {} patients: all as written",
            report.events, report.records, report.patients
        );
        if report.unmatched > 0 {
            println!("{} change sets cannot be held against their events: part of them was lost", report.unmatched);
        }
    }
    Ok(session.close()?)
}

pub(crate) fn quarantine(access: &Access, release: Option<u64>, with: Option<PathBuf>, as_json: bool) -> Done {
    let session = administrator(access)?;
    if let Some(number) = release {
        let mended = with.map(std::fs::read).transpose()?;
        let (kind, id) = session.release(number, mended.as_deref())?;
        println!("released as {kind}/{id}");
        return Ok(session.close()?);
    }
    for kept in session.quarantine()? {
        if as_json {
            let issues: Vec<_> = kept.issues.iter().map(issue_json).collect();
            println!(
                "{}",
                json!({"number": kept.number, "source": kept.source, "entry": kept.entry, "issues": issues})
            );
        } else {
            println!("{}  source {} entry {}", kept.number, kept.source, kept.entry);
            kept.issues.iter().for_each(|found| println!("    {}", issue(found)));
        }
    }
    Ok(session.close()?)
}

pub(crate) fn ledger(access: &Access) -> Done {
    let session = administrator(access)?;
    session.ledger(|line| {
        println!(
            "{}",
            json!({"source": line.source, "entry": line.entry, "offset": line.offset, "fate": line.fate.name(),
                "reason": line.reason.map(Code::name), "kind": line.kind.map(ResourceType::name), "id": line.id,
                "version": line.version, "idAssigned": line.id_assigned})
        );
    })?;
    Ok(session.close()?)
}
