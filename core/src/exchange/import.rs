//! Charts in: Bundles, NDJSON and single resources, from files and folders.
//!
//! A source is read entry by entry in bounded memory. Batches are durable. A bad entry goes to quarantine word for word and
//! never stops the rest, save in a transaction Bundle, which is stored whole or not at all: where one of its entries cannot be
//! stored, all are kept aside. Every entry gets a line in the ledger.

use super::addresses::Addresses;
use super::export::is_uuid;
use super::quarantine::{Before, Shelf, is_alias};
use super::scan::{BundleReader, Part, members, text, type_and_id};
use crate::audit::Event;
use crate::crypto::{Active, Provider};
use crate::ehr::{Claim, Pass, Path as Route, Session};
use crate::error::{Code, Error, Result};
use crate::id::{PatientNumber, uuid_from};
use crate::json::{self, Parsed};
use crate::ledger::{self, Fate, LedgerEntry, Quarantined};
use crate::limits::Limits;
use crate::phi::Phi;
use crate::report::{Issue, Severity};
use crate::schema::ResourceType;
use crate::store::{Change, Outcome, PutMeta, Reader, Snapshot, Store, Table, Writer};
use crate::vault::{self, Context, RowKind};
use crate::xml;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

/// How an import goes.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// Entries after which a batch is made durable (a transaction Bundle is never split).
    pub batch_entries: usize,
    /// Bytes after which a batch is made durable.
    pub batch_bytes: usize,
    /// Threads that read and check entries.
    pub threads: usize,
    /// Limits of one entry.
    pub limits: Limits,
}

impl ImportOptions {
    /// The same within what a call may hold: a quarter for the batch, a quarter for one entry, the rest for what is at work.
    fn within(self, memory: usize) -> ImportOptions {
        let part = (memory / 4).max(64 << 10);
        let limits = Limits { bytes: self.limits.bytes.min(part), ..self.limits };
        ImportOptions { batch_bytes: self.batch_bytes.min(part), limits, ..self }
    }
    /// Most bytes of entries that are read together.
    fn group_bytes(&self) -> usize {
        GROUP_BYTES.min(self.batch_bytes)
    }
}

impl Default for ImportOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        ImportOptions {
            batch_entries: 8000,
            batch_bytes: 12 << 20,
            threads,
            limits: Limits { bytes: 64 << 20, ..Limits::DEFAULT },
        }
    }
}

/// What an import did. `stored + unchanged + quarantined + refused == entries`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Files read.
    pub sources: u64,
    /// Entries met, those an earlier import that was interrupted had done not counted.
    pub entries: u64,
    /// Stored as new versions.
    pub stored: u64,
    /// Bytes equal to the current version, or kept aside by an earlier import of the same source and released since.
    pub unchanged: u64,
    /// Kept aside with their findings.
    pub quarantined: u64,
    /// Not kept: no record in them.
    pub refused: u64,
    /// Entries passed over because an earlier import that was interrupted had done them.
    pub resumed: u64,
    /// Durable commits.
    pub commits: u64,
}

impl ImportSummary {
    fn count(&mut self, fate: Fate) {
        self.entries += 1;
        match fate {
            Fate::Stored => self.stored += 1,
            Fate::Unchanged | Fate::Released => self.unchanged += 1,
            Fate::Quarantined => self.quarantined += 1,
            Fate::Refused => self.refused += 1,
        }
    }
}

/// Told how far an import is; says whether to go on.
pub trait Progress {
    /// Called after each group of entries, with bytes read and bytes in all. The import has the turn to write meanwhile: a
    /// session of the same store may be read in here and gives `turn-held` for what writes. Do not wait in here for another
    /// thread that writes: it waits for the import.
    fn step(&mut self, done: u64, of: u64, summary: &ImportSummary) -> bool;
}

impl Progress for () {
    fn step(&mut self, _: u64, _: u64, _: &ImportSummary) -> bool {
        true
    }
}

/// Entries that are read and checked together.
const GROUP: usize = 512;
/// Most bytes of entries that are read together.
const GROUP_BYTES: usize = 4 << 20;
/// Bytes read from a file at once.
const BUFFER: usize = 256 * 1024;
/// Files up to this size are read once and kept in memory while they are taken.
const IN_MEMORY: u64 = 8 << 20;
/// The records of a transaction up to this size are read once and kept in memory until all are known to be right.
const HELD: u64 = 4 << 20;
/// Of a quarantined entry at most so many bytes of addresses are kept.
const KEPT_ADDRESSES: usize = 1 << 20;

impl Session {
    /// Imports a file, or every `.json`, `.xml`, `.ndjson` and `.jsonl` file below a folder.
    ///
    /// Of XML the JSON form is stored, and offsets in the ledger are offsets in that form. XML that says what the JSON form
    /// cannot keep (text between elements, attributes of no meaning) is refused whole, with its code in the ledger.
    ///
    /// # Durability
    /// Each batch is one commit with its ledger and its audit event; what an interrupted import had committed is passed over
    /// when the same file is imported again.
    ///
    /// # Errors
    /// - `denied`, `io`, `cancelled`, `audit-unavailable`, `store-io`. Batches committed before stay. A Bundle that breaks off is
    ///   no error: what stands before the break is taken (of a transaction: nothing), the rest is one refused line.
    pub fn import(&self, path: &Path, options: &ImportOptions, progress: &mut dyn Progress) -> Result<ImportSummary> {
        let pass = self.enter_for_all(Route::Import)?;
        match imported(&pass, path, options, progress) {
            Err(error) => pass.refuse(error),
            done => done,
        }
    }

    /// The ledger, source by source, in order.
    ///
    /// # Errors
    /// - `denied`, of the store.
    pub fn ledger(&self, mut line: impl FnMut(&LedgerEntry)) -> Result<()> {
        let pass = self.enter_for_all(Route::Ledger)?;
        pass.note_now(pass.event.clone())?;
        let (snapshot, store) = (pass.ungated_snapshot()?, pass.store());
        let mut rows = Vec::new();
        snapshot.view().range(Table::Ledger, &[], &[0xff; 9], &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        })?;
        for (key, value) in rows {
            if key.len() == 8 && key[4..] != [0xff; 4] {
                let plain = vault::open(store.keys().store_key(), &ledger_context(store, &key)?, &value)?;
                ledger::decode(&plain)?.iter().for_each(&mut line);
            }
        }
        Ok(())
    }
}

fn imported(
    pass: &Pass<'_>,
    path: &Path,
    options: &ImportOptions,
    progress: &mut dyn Progress,
) -> Result<ImportSummary> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    let total = files.iter().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum();
    let options = options.within(pass.watch().memory());
    let mut import = Import::new(pass, &options, progress, total)?;
    for file in files {
        import.file(&file)?;
    }
    import.finish()
}

/// The name a source was imported under.
pub(crate) fn source_name(store: &Store, snapshot: &Snapshot<'_>, source: u32) -> Result<Option<String>> {
    let key = [source.to_be_bytes(), [0xff; 4]].concat();
    let Some(sealed) = snapshot.view().get(Table::Ledger, &key)? else { return Ok(None) };
    let plain = vault::open(store.keys().store_key(), &ledger_context(store, &key)?, &sealed)?;
    Reader { rest: &plain }.text().map(Some)
}

fn progress_context(store: &Store) -> Context<'static> {
    Context::new(store.keys().store_id(), PatientNumber::SHARED, RowKind::Meta, 1, 0)
}

/// Number of a source and how many rows of lines it has, as the row about its import says.
pub(super) fn progress(store: &Store, sealed: &[u8]) -> Result<(u32, u32)> {
    let plain = vault::open(store.keys().store_key(), &progress_context(store), sealed)?;
    let mut reader = Reader { rest: &plain };
    let (number, _, chunks) = (reader.small()?, reader.small::<u32>()?, reader.small()?);
    Ok((number, chunks))
}

pub(super) fn ledger_context(store: &Store, key: &[u8]) -> Result<Context<'static>> {
    let number = u64::from_be_bytes(key.try_into().map_err(|_| Code::Corrupt.error())?);
    Ok(Context::new(store.keys().store_id(), PatientNumber::SHARED, RowKind::Ledger, number, 0))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut below: Vec<PathBuf> = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    below.sort();
    for path in below {
        let known =
            path.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e, "json" | "xml" | "ndjson" | "jsonl"));
        if path.is_dir() || known {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// An entry as it stands in the source.
struct Raw {
    entry: u32,
    offset: u64,
    full_url: Option<String>,
    resource: Vec<u8>,
    /// Why there is nothing to store.
    refused: Option<Code>,
}

/// An import under way.
struct Import<'a> {
    pass: &'a Pass<'a>,
    options: &'a ImportOptions,
    progress: &'a mut dyn Progress,
    change: Option<Change<'a>>,
    summary: ImportSummary,
    committed: ImportSummary,
    total: u64,
    done: u64,
    next_source: u32,
    /// While it is held, no other import of this process takes the same source for one that was interrupted.
    claim: Option<Claim<'a>>,
    in_batch: (usize, usize),
    /// Of the sources and ledger lines of the batch at hand: what its audit event vouches for.
    digest: [u8; 32],
    lines: Vec<LedgerEntry>,
    source: Source,
}

#[derive(Default)]
struct Source {
    number: u32,
    key: Vec<u8>,
    fingerprint: [u8; 32],
    next_entry: u32,
    chunk: u32,
    addresses: Addresses,
    /// Set for the entries of a transaction that is not stored.
    turned_away: bool,
}

impl<'a> Import<'a> {
    fn new(pass: &'a Pass<'a>, options: &'a ImportOptions, progress: &'a mut dyn Progress, total: u64) -> Result<Self> {
        Ok(Import {
            pass,
            options,
            progress,
            change: None,
            summary: ImportSummary::default(),
            committed: ImportSummary::default(),
            total,
            done: 0,
            next_source: 1,
            claim: None,
            in_batch: (0, 0),
            digest: [0; 32],
            lines: Vec::new(),
            source: Source::default(),
        })
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        if length > IN_MEMORY.min(self.options.batch_bytes as u64) {
            return self.source(path, file, length);
        }
        let mut bytes = Vec::with_capacity(length as usize + 1);
        file.read_to_end(&mut bytes)?;
        let length = bytes.len() as u64;
        self.source(path, Cursor::new(bytes), length)
    }

    /// Takes one source, which is read two or three times.
    fn source(&mut self, path: &Path, mut file: impl Read + Seek, length: u64) -> Result<()> {
        let fingerprint = fingerprint(&mut file)?;
        self.begin(&fingerprint, path)?;
        let start = self.done;
        let lines = path.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e, "ndjson" | "jsonl"));
        let taken = if lines {
            self.ndjson(BufReader::with_capacity(BUFFER, file))
        } else if path.extension().is_some_and(|end| end == "xml") {
            self.xml(file)
        } else {
            self.json(file, length)
        };
        match taken {
            // One file that cannot be read to its end does not stop the others; the ledger says from where on it is missing.
            Err(error)
                if matches!(error.code(), Code::BundleUnreadable | Code::LimitSize)
                    || (100..300).contains(&error.code().number()) =>
            {
                self.refuse_rest(&error)?
            }
            taken => taken?,
        }
        self.end()?;
        self.done = start + length;
        self.summary.sources += 1;
        self.step()
    }

    /// Puts one line for all of a source that could not be read.
    fn refuse_rest(&mut self, error: &Error) -> Result<()> {
        let (entry, offset) = (self.source.next_entry.saturating_add(1), error.location().offset.unwrap_or(0));
        let refused = Some(error.code());
        self.take(vec![Raw { entry, offset, full_url: None, resource: Vec::new(), refused }])
    }

    /// Finds out whether this source was begun before.
    fn begin(&mut self, fingerprint: &[u8; 32], path: &Path) -> Result<()> {
        let pass = self.pass;
        let store = pass.store();
        let mut key = b"import ".to_vec();
        key.extend(store.keys().token("import", &[fingerprint]));
        self.claim = None;
        self.claim = pass.claim(*fingerprint);
        let found = self.change()?.view().get(Table::Meta, &key)?.filter(|_| self.claim.is_some());
        let mut source = Source { number: self.next_source, key, fingerprint: *fingerprint, ..Source::default() };
        if let Some(sealed) = found {
            let plain = vault::open(store.keys().store_key(), &self.progress_context(), &sealed)?;
            let mut reader = Reader { rest: &plain };
            let (number, next_entry, chunk, done) =
                (reader.small()?, reader.small()?, reader.small()?, reader.number()?);
            if done == 0 {
                source = Source { number, next_entry, chunk, ..source };
            }
        }
        if source.number == self.next_source {
            self.next_source += 1;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let mut out = Writer::default();
            out.bytes(name.as_bytes());
            let key = [source.number.to_be_bytes(), [0xff; 4]].concat();
            self.put_ledger(key, &out.0)?;
        }
        self.source = source;
        Ok(())
    }

    fn progress_context(&self) -> Context<'static> {
        progress_context(self.pass.store())
    }

    fn change(&mut self) -> Result<&mut Change<'a>> {
        if self.change.is_none() {
            let change = self.pass.ungated_change()?;
            // Numbers are given out while this import has the turn to write: another one may have had it since the last batch.
            let last = change.view().last(Table::Ledger, &[], &[0xff; 9])?;
            let source = last.and_then(|(key, _)| key.first_chunk().copied()).map_or(0, u32::from_be_bytes);
            self.next_source = self.next_source.max(source + 1);
            self.change = Some(change);
        }
        self.change.as_mut().ok_or_else(|| Code::Internal.error())
    }

    fn put_ledger(&mut self, key: Vec<u8>, plain: &[u8]) -> Result<()> {
        let store = self.pass.store();
        let sealed = vault::seal(store.keys().store_key(), &ledger_context(store, &key)?, plain, store.random())?;
        self.change()?.table_put(Table::Ledger, key, sealed)
    }

    /// Writes the ledger lines and the progress of the source at hand into the change set.
    fn note_source(&mut self, done: bool) -> Result<()> {
        for plain in ledger::encode(&std::mem::take(&mut self.lines)) {
            let key = [self.source.number.to_be_bytes(), self.source.chunk.to_be_bytes()].concat();
            self.source.chunk += 1;
            self.digest = Active::sha256(&[&self.digest, &self.source.fingerprint, &plain]);
            self.put_ledger(key, &plain)?;
        }
        if self.claim.is_none() {
            return Ok(()); // how far this source is, another import says
        }
        let mut out = Writer::default();
        out.number(self.source.number.into());
        out.number(self.source.next_entry.into());
        out.number(self.source.chunk.into());
        out.number(done.into());
        let store = self.pass.store();
        let sealed = vault::seal(store.keys().store_key(), &self.progress_context(), &out.0, store.random())?;
        let key = self.source.key.clone();
        self.change()?.table_put(Table::Meta, key, sealed)
    }

    fn end(&mut self) -> Result<()> {
        self.note_source(true)?;
        self.source.addresses = Addresses::default();
        if self.full() { self.commit() } else { Ok(()) }
    }

    fn full(&self) -> bool {
        self.in_batch.0 >= self.options.batch_entries || self.in_batch.1 >= self.options.batch_bytes
    }

    fn commit(&mut self) -> Result<()> {
        let Some(change) = self.change.take() else { return Ok(()) };
        self.in_batch = (0, 0);
        let event = Event {
            count: self.summary.stored - self.committed.stored,
            digest: std::mem::take(&mut self.digest),
            at: self.pass.now(),
            ..self.pass.event.clone()
        };
        self.pass.commit_part(change, event)?;
        self.summary.commits += 1;
        self.committed = self.summary;
        Ok(())
    }

    fn finish(mut self) -> Result<ImportSummary> {
        self.commit()?;
        Ok(self.summary)
    }

    fn step(&mut self) -> Result<()> {
        self.pass.watch().look()?;
        if self.progress.step(self.done.min(self.total), self.total, &self.summary) {
            return Ok(());
        }
        Err(Code::Cancelled.error())
    }

    fn ndjson(&mut self, mut input: impl BufRead) -> Result<()> {
        let (mut group, mut bytes_in_group, mut offset, mut entry) = (Vec::new(), 0, 0_u64, 0_u32);
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = self.options.limits.bytes as u64 + 2;
            let read = (&mut input).take(most).read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                break;
            }
            let too_long = read == most && line.last() != Some(&b'\n');
            let place = offset;
            offset += read;
            if too_long {
                offset += skip_line(&mut input)?;
            }
            line.truncate(line.trim_ascii_end().len());
            let spaces = line.len() - line.trim_ascii_start().len();
            if spaces < line.len() {
                entry += 1;
                let refused = too_long.then_some(Code::LimitSize);
                let mut resource = if too_long { Vec::new() } else { std::mem::take(&mut line) };
                resource.drain(..spaces.min(resource.len()));
                bytes_in_group += resource.len();
                group.push(Raw { entry, offset: place, full_url: None, resource, refused });
            }
            self.done += read;
            if group.len() >= GROUP || bytes_in_group > self.options.group_bytes() {
                bytes_in_group = 0;
                self.take(std::mem::take(&mut group))?;
                if self.full() {
                    self.note_source(false)?;
                    self.commit()?;
                }
            }
        }
        self.take(group)
    }

    /// A Bundle or resource in XML: read whole, then taken as its JSON form.
    fn xml(&mut self, file: impl Read) -> Result<()> {
        let most = self.options.limits.bytes as u64;
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        let parsed = xml::read(&bytes, &self.options.limits)?;
        let lost = |issue: &&Issue| issue.severity <= Severity::Error && (120..140).contains(&issue.code.number());
        if let Some(issue) = parsed.report.issues().iter().find(lost) {
            return Err(issue.code.error().at_line(issue.line, issue.column));
        }
        let json = parsed.record.original();
        self.json(Cursor::new(json), json.len() as u64)
    }

    /// A Bundle, or one resource.
    fn json(&mut self, mut file: impl Read + Seek, length: u64) -> Result<()> {
        let most = self.options.limits.bytes;
        let mut reader = BundleReader::new(&mut file, most);
        let (mut bundle, mut kind) = (false, String::new());
        let mut addresses = Addresses::default();
        // First pass: which addresses stand for which records, so that references forward can be followed.
        let scanned = loop {
            match reader.next() {
                Ok(Some(Part::Member(name, value))) => match &*name {
                    "resourceType" => bundle = text(&value).is_some_and(|kind| kind == "Bundle"),
                    "type" => kind = text(&value).unwrap_or_default().into_owned(),
                    _ => {}
                },
                Ok(Some(Part::Entry(bytes, _))) => {
                    let (full_url, resource, _) = parts(&bytes);
                    let Some(resource) = resource else { continue };
                    let (name, id) = type_and_id(resource);
                    let name = name.and_then(|name| ResourceType::from_name(&name));
                    if let (Some(full_url), Some(name)) = (full_url, name) {
                        let id = id.unwrap_or_else(|| assigned_id(Some(&full_url), resource).into());
                        addresses.put(&full_url, name, &id);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        file.rewind()?;
        if !bundle {
            if length > most as u64 {
                return Err(Code::LimitSize.error());
            }
            let mut resource = Vec::new();
            file.read_to_end(&mut resource)?;
            return self.take(vec![Raw { entry: 1, offset: 0, full_url: None, resource, refused: None }]);
        }
        self.source.addresses = addresses;
        let atomic = kind == "transaction";
        if atomic {
            // A transaction that breaks off is not there at all: it is refused before anything of it is taken.
            scanned?;
        }
        // A history stands newest first: read in order, its oldest version would become the current one.
        let known = matches!(kind.as_str(), "transaction" | "batch" | "collection" | "searchset" | "document");
        if atomic && known {
            return self.transaction(file, length);
        }
        self.entries(file, known, &mut |import, group| {
            import.take(group)?;
            if import.full() {
                import.note_source(false)?;
                import.commit()?;
            }
            Ok(())
        })
    }

    /// Reads the entries of a Bundle, group by group; those read before it breaks off too.
    fn entries(
        &mut self,
        file: impl Read,
        known: bool,
        group_of: &mut dyn FnMut(&mut Self, Vec<Raw>) -> Result<()>,
    ) -> Result<()> {
        let mut reader = BundleReader::new(file, self.options.limits.bytes);
        let (mut group, mut entry, mut bytes_in_group) = (Vec::new(), 0_u32, 0);
        let start = self.done;
        loop {
            let (bytes, offset) = match reader.next() {
                Ok(Some(Part::Entry(bytes, offset))) => (bytes, offset),
                Ok(Some(Part::Member(..))) => continue,
                Ok(None) => break,
                Err(error) => {
                    group_of(self, group)?;
                    return Err(error);
                }
            };
            entry += 1;
            self.done = start + offset;
            let (full_url, resource, method) = parts(&bytes);
            let refused = match (resource, method.as_deref()) {
                _ if !known => Some(Code::Unsupported),
                (_, Some("DELETE" | "PATCH" | "GET" | "HEAD")) => Some(Code::Unsupported),
                (None, _) => Some(Code::BundleShape),
                _ => None,
            };
            let resource = resource.unwrap_or_default().to_vec();
            bytes_in_group += resource.len();
            group.push(Raw { entry, offset, full_url, resource, refused });
            if group.len() >= GROUP || bytes_in_group > self.options.group_bytes() {
                bytes_in_group = 0;
                group_of(self, std::mem::take(&mut group))?;
            }
        }
        group_of(self, group)
    }

    /// A transaction: all of its entries are looked at before the first is stored, and where one cannot be, none is. A small
    /// one stays at hand meanwhile; a large one is read twice.
    fn transaction(&mut self, mut file: impl Read + Seek, length: u64) -> Result<()> {
        let (mut good, mut held) = (true, Vec::new());
        let start = self.done;
        self.entries(&mut file, true, &mut |import, group| {
            let parsed = parse_all(&group, &import.options.limits, import.options.threads);
            let imported = PutMeta { source: 1, ..PutMeta::DIRECT };
            for one in &parsed {
                good = good
                    && match one {
                        Some(Ok((parsed, _))) if can_be_stored(parsed) => {
                            match import.change()?.may_put(&parsed.record, &imported) {
                                Ok(()) => true,
                                Err(error) if barred(&error) => false,
                                Err(error) => return Err(error),
                            }
                        }
                        _ => false,
                    };
            }
            if length <= HELD {
                held.extend(group.into_iter().zip(parsed));
            }
            import.step()
        })?;
        self.source.turned_away = !good;
        for (raw, parsed) in held {
            self.took(&raw, parsed)?;
        }
        if length <= HELD {
            return self.step();
        }
        file.rewind()?;
        self.done = start;
        self.entries(file, true, &mut |import, group| import.take(group))
    }

    /// Stores a group of entries, or keeps them aside.
    fn take(&mut self, mut group: Vec<Raw>) -> Result<()> {
        let before = group.len();
        let next = self.source.next_entry;
        group.retain(|raw| raw.entry > next);
        self.summary.resumed += (before - group.len()) as u64;
        let threads = self.options.threads.clamp(1, 64);
        if threads == 1 || group.len() < 64 {
            // One by one: what was read is still at hand when it is stored.
            for raw in group {
                let parsed = raw.parse(&self.options.limits);
                self.took(&raw, parsed)?;
            }
        } else {
            let parsed = parse_all(&group, &self.options.limits, threads);
            for (raw, parsed) in group.into_iter().zip(parsed) {
                self.took(&raw, parsed)?;
            }
        }
        self.step()
    }

    fn took(&mut self, raw: &Raw, parsed: Option<Result<(Parsed, bool)>>) -> Result<()> {
        let line = self.one(raw, parsed)?;
        self.summary.count(line.fate);
        self.in_batch.0 += 1;
        self.in_batch.1 += raw.resource.len();
        self.source.next_entry = raw.entry;
        self.lines.push(line);
        Ok(())
    }

    fn one(&mut self, raw: &Raw, parsed: Option<Result<(Parsed, bool)>>) -> Result<LedgerEntry> {
        let mut line = LedgerEntry {
            source: self.source.number,
            entry: raw.entry,
            offset: raw.offset,
            fate: Fate::Refused,
            reason: raw.refused,
            kind: None,
            id: String::new(),
            version: 0,
            id_assigned: false,
        };
        let (parsed, assigned) = match parsed {
            None => return Ok(line),
            Some(Ok(parsed)) => parsed,
            Some(Err(error)) => return self.keep_aside(line, raw, vec![issue_of(&error)]),
        };
        let kind = parsed.record.kind();
        line.kind = Some(kind);
        if !parsed.report.is_valid() {
            return self.keep_aside(line, raw, parsed.report.into_issues());
        }
        let Some(id) = parsed.record.id() else {
            let error = Code::PrimitiveForm.at(format!("{}.id", parsed.record.kind()));
            return self.keep_aside(line, raw, vec![issue_of(&error)]);
        };
        if self.source.turned_away {
            return self.keep_aside(line, raw, vec![issue_of(&Code::TransactionRefused.error())]);
        }
        line.id = id.to_owned();
        line.id_assigned = assigned;
        let addresses = std::mem::take(&mut self.source.addresses);
        let meta = PutMeta {
            resolve: &|address| addresses.get(address),
            source: line.source,
            entry: line.entry,
            ..PutMeta::DIRECT
        };
        let put = self.change().and_then(|change| {
            let outcome = change.put(&parsed.record, &meta)?;
            if let Some(address) = raw.full_url.as_deref().filter(|address| is_alias(address, kind, &line.id)) {
                change.alias(address, &format!("{kind}/{}", line.id))?;
            }
            Ok(outcome)
        });
        self.source.addresses = addresses;
        let outcome = match put {
            Ok(outcome) => outcome,
            // It may not come in unseen: a person looks at it.
            Err(error) if barred(&error) => {
                line.id = String::new();
                line.id_assigned = false;
                return self.keep_aside(line, raw, vec![issue_of(&error)]);
            }
            Err(error) => return Err(error),
        };
        line.version = outcome.version();
        line.fate = if matches!(outcome, Outcome::Unchanged(_)) { Fate::Unchanged } else { Fate::Stored };
        Ok(line)
    }

    /// Keeps an entry word for word, once: a source that is imported again finds what it kept before.
    fn keep_aside(&mut self, mut line: LedgerEntry, raw: &Raw, issues: Vec<Issue>) -> Result<LedgerEntry> {
        line.fate = Fate::Quarantined;
        line.reason = issues.iter().find(|issue| issue.severity <= Severity::Error).map(|issue| issue.code);
        let shelf = Shelf::new(self.pass.store());
        let fingerprint = self.source.fingerprint;
        match shelf.before(self.change()?, &fingerprint, raw.entry)? {
            Some(Before::Kept) => return Ok(line),
            Some(Before::Released) => {
                (line.fate, line.reason) = (Fate::Released, None);
                return Ok(line);
            }
            None => {}
        }
        let (_, id) = type_and_id(&raw.resource);
        let kept = Quarantined {
            number: 0,
            source: line.source,
            entry: line.entry,
            issues: issues.into_iter().take(100).collect(),
            bytes: Phi::new(raw.resource.clone()),
            offset: raw.offset,
            full_url: raw.full_url.clone(),
            id: id.unwrap_or_else(|| assigned_id(raw.full_url.as_deref(), &raw.resource).into()).into_owned(),
            addresses: self.source.addresses.met_in(&raw.resource, KEPT_ADDRESSES),
        };
        shelf.keep(self.change()?, &fingerprint, kept)?;
        Ok(line)
    }
}

/// Whether a record is right and may still not be stored, because of what was decided about it before.
fn barred(error: &Error) -> bool {
    matches!(error.code(), Code::Retracted | Code::Hold | Code::Destroyed)
}

/// fullUrl, resource and request method of a Bundle entry.
fn parts(entry: &[u8]) -> (Option<String>, Option<&[u8]>, Option<Cow<'_, str>>) {
    let (mut full_url, mut resource, mut method) = (None, None, None);
    for (name, value) in members(entry) {
        match &*name {
            "fullUrl" => full_url = text(&entry[value]).map(Cow::into_owned),
            "resource" => resource = Some(&entry[value]),
            "request" => {
                let request = &entry[value];
                let found = members(request).find(|(name, _)| name == "method");
                method = found.and_then(|(_, value)| text(&request[value]));
            }
            _ => {}
        }
    }
    (full_url, resource, method)
}

/// Whether nothing stands in the way of storing a record that was read.
fn can_be_stored(parsed: &Parsed) -> bool {
    parsed.report.is_valid() && parsed.record.id().is_some()
}

/// The id of a record that came without one: the UUID of its fullUrl, else one made of its bytes; the same every time.
pub(super) fn assigned_id(full_url: Option<&str>, resource: &[u8]) -> String {
    match full_url.and_then(|address| address.strip_prefix("urn:uuid:")).filter(|id| is_uuid(id)) {
        Some(id) => id.to_owned(),
        None => {
            let digest = Active::sha256(&[b"ehrcore id ", full_url.unwrap_or_default().as_bytes(), b" ", resource]);
            uuid_from(digest[..16].try_into().expect("sixteen bytes"))
        }
    }
}

/// Reads and checks the entries of a group, on several threads where that is worth it.
fn parse_all(group: &[Raw], limits: &Limits, threads: usize) -> Vec<Option<Result<(Parsed, bool)>>> {
    if threads <= 1 || group.len() < 64 {
        return group.iter().map(|raw| raw.parse(limits)).collect();
    }
    let size = group.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = group
            .chunks(size)
            .map(|part| scope.spawn(move || part.iter().map(|raw| raw.parse(limits)).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .zip(group.chunks(size))
            .flat_map(|(worker, part)| {
                let failed = |_| part.iter().map(|_| Some(Err(Code::Internal.error()))).collect();
                worker.join().unwrap_or_else(failed)
            })
            .collect()
    })
}

impl Raw {
    /// Reads and checks it, where there is something to read; says whether it was given an id.
    fn parse(&self, limits: &Limits) -> Option<Result<(Parsed, bool)>> {
        self.refused.is_none().then(|| parse(self, limits))
    }
}

fn parse(raw: &Raw, limits: &Limits) -> Result<(Parsed, bool)> {
    let parsed = json::read(&raw.resource, limits)?;
    if parsed.record.root().get("id").is_some() || !parsed.report.is_valid() {
        return Ok((parsed, false));
    }
    let id = assigned_id(raw.full_url.as_deref(), &raw.resource);
    Ok((json::read(&crate::ehr::with_id(&raw.resource, &id), limits)?, true))
}

pub(super) fn issue_of(error: &Error) -> Issue {
    let place = error.location();
    let issue = Issue::new(Severity::Fatal, error.code(), error.code().sentence());
    issue.at(place.path.clone().unwrap_or_default(), place.line, place.column)
}

/// A hash of all of a file, which is then at its start again. All of it: of a source that changed nothing may be passed over.
fn fingerprint(file: &mut (impl Read + Seek)) -> Result<[u8; 32]> {
    let (mut hash, mut buffer) = ([0; 32], vec![0; BUFFER]);
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == 0 {
            file.rewind()?;
            return Ok(hash);
        }
        hash = Active::sha256(&[&hash, &buffer[..filled]]);
    }
}

fn skip_line(input: &mut impl BufRead) -> Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = memchr::memchr(b'\n', buffer);
        let used = end.map_or(buffer.len(), |at| at + 1);
        skipped += used as u64;
        input.consume(used);
        if end.is_some() {
            return Ok(skipped);
        }
    }
}
