//! The anchor: what remembers, outside the file, how far the store had come.
//!
//! A whole older file looks right from inside. Only somebody outside can say that there was more: the anchor has a note of the
//! last change sets, which the store writes and nobody else can make. When a store is opened with its anchor, a file that is
//! behind the note, or that went another way from there, is `rolled-back`. The note is worth as much as the place it is kept at is out of
//! reach of whoever can put files back: a second machine, a row of a database elsewhere, a device that counts.

use super::{Ehr, Inner, Options, ViewShelf};
use crate::audit::{self, Event, EventKind, Head};
use crate::error::{Code, Error, Result};
use crate::id::PatientNumber;
use crate::keys::KeySource;
use crate::store::Store;
use crate::vault::{self, Context, RowKind};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Somewhere outside the store that keeps one small note. The note is sealed: a keeper can lose it or bring back an older one, but not
/// make one.
pub trait Anchor: Send + Sync {
    /// The note that was kept last; None where there never was one.
    ///
    /// # Errors
    /// - `anchor-unavailable`: it cannot be said.
    fn load(&self) -> Result<Option<Vec<u8>>>;
    /// Keeps a note in place of the one before. When this returns, [`Anchor::load`] gives it, whatever happens.
    ///
    /// # Errors
    /// - `anchor-unavailable`: it is not certain that the note is kept.
    fn store(&self, note: &[u8]) -> Result<()>;
}

/// An anchor in a file of its own, which is replaced whole. Keep it on another machine or medium than the store.
pub struct FileAnchor(PathBuf);

impl FileAnchor {
    /// An anchor at that path; the file need not be there yet.
    pub fn new(path: impl AsRef<Path>) -> FileAnchor {
        FileAnchor(path.as_ref().to_owned())
    }
}

impl fmt::Debug for FileAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileAnchor")
    }
}

impl Anchor for FileAnchor {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        // What is longer is no note; cut off, it does not open as one.
        match crate::store::read_small(&self.0, LONGEST) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }
    fn store(&self, note: &[u8]) -> Result<()> {
        crate::store::replace_file(&self.0, note).map_err(unavailable)
    }
}

fn unavailable(error: std::io::Error) -> Error {
    Code::AnchorUnavailable.error().with_io(error.kind())
}

/// An anchor and how it is used.
#[derive(Clone)]
pub struct Anchoring {
    anchor: Arc<dyn Anchor>,
    every: u64,
    strict: bool,
    begin: bool,
    accept: Option<String>,
}

impl Anchoring {
    /// A note after each commit; where the anchor does not answer, the store goes on and [`Ehr::security_status`] says so.
    pub fn new(anchor: Arc<dyn Anchor>) -> Anchoring {
        Anchoring { anchor, every: 1, strict: false, begin: false, accept: None }
    }
    /// A note after so many commits, and when the store is closed. What was committed since the last note can be rolled back
    /// unseen.
    pub fn every(self, commits: u64) -> Anchoring {
        Anchoring { every: commits.max(1), ..self }
    }
    /// While the anchor does not take a note, nothing more is written: `anchor-unavailable`.
    pub fn strict(self) -> Anchoring {
        Anchoring { strict: true, ..self }
    }
    /// The store has no anchor yet: the first note is made now. Without this, a note that is not there is `anchor-missing`.
    pub fn begin(self) -> Anchoring {
        Anchoring { begin: true, ..self }
    }
    /// Goes on with a file that is behind the anchor, as after a restore from a backup; the reason is for the audit log, and the
    /// anchor begins anew. What was committed after the backup does not open with this anchor any more.
    pub fn accept_older(self, reason: &str) -> Anchoring {
        Anchoring { accept: Some(reason.to_owned()), ..self }
    }
}

impl fmt::Debug for Anchoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchoring(every {}, {})", self.every, if self.strict { "strict" } else { "lenient" })
    }
}

/// A file and its anchor, compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchorReport {
    /// Change sets in the file.
    pub file_commits: u64,
    /// Change sets that the anchor knows of.
    pub anchor_commits: u64,
    /// Events of the audit log in the file.
    pub file_events: u64,
    /// Events of the audit log that the anchor knows of.
    pub anchor_events: u64,
    /// Whether the file is older than its anchor, or went another way from there.
    pub rolled_back: bool,
}

/// What an anchor keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    commits: u64,
    events: u64,
    root: audit::Hash,
}

const MAGIC: &[u8; 8] = b"ehranch\x01";
const PLAIN: usize = 8 + 8 + 32;
/// No file of a note is as long.
const LONGEST: u64 = 4096;

impl Note {
    /// How far the store is.
    fn of(store: &Store) -> Result<Note> {
        let snapshot = store.snapshot()?;
        let head = audit::head(&ViewShelf(snapshot.view()), store.keys())?;
        let (events, root) = head.map_or((0, [0; 32]), |head| (head.size, head.root));
        Ok(Note { commits: snapshot.commits()?, events, root })
    }

    /// `magic 8 || store id 16 || seal[store key, place](commits 8 || events 8 || root 32)`, the place being row kind 37.
    fn seal(&self, store: &Store) -> Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(PLAIN);
        plain.extend(self.commits.to_be_bytes());
        plain.extend(self.events.to_be_bytes());
        plain.extend(self.root);
        let id = store.keys().store_id();
        let sealed = vault::seal(store.keys().store_key(), &place(store), &plain, store.random())?;
        Ok([&MAGIC[..], &id.0, &sealed].concat())
    }

    fn open(store: &Store, bytes: &[u8]) -> Result<Note> {
        let invalid = || Code::AnchorInvalid.error();
        let (id, sealed) =
            bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk::<16>()).ok_or_else(invalid)?;
        if *id != store.keys().store_id().0 {
            return Err(Code::AnchorOther.error());
        }
        let plain = vault::open(store.keys().store_key(), &place(store), sealed).map_err(|_| invalid())?;
        let plain: &[u8; PLAIN] = plain.as_slice().try_into().map_err(|_| invalid())?;
        let number = |at: usize| u64::from_be_bytes(plain[at..at + 8].try_into().expect("eight bytes"));
        let root = plain[16..].try_into().expect("thirty-two bytes");
        Ok(Note { commits: number(0), events: number(8), root })
    }

    /// Whether a store that is this far is not one that went on from what the anchor knows.
    fn is_behind(&self, store: &Store, known: &Note) -> Result<bool> {
        if self.commits < known.commits || self.events < known.events {
            return Ok(true);
        }
        if self.events == known.events {
            return Ok(self.root != known.root);
        }
        // Ahead of the anchor, as after a crash between a commit and its note: then the log must continue the one it knows.
        let head = Head { size: known.events, root: known.root, signature: [0; 64] };
        let snapshot = store.snapshot()?;
        match audit::verify(&ViewShelf(snapshot.view()), store.keys(), Some(&head).filter(|head| head.size > 0)) {
            Err(error) if error.code() == Code::AuditBroken => Ok(true),
            verified => verified.map(|_| false),
        }
    }
}

fn place(store: &Store) -> Context<'static> {
    Context::new(store.keys().store_id(), PatientNumber::SHARED, RowKind::Anchor, 0, 0)
}

/// Before any lock: a process that was forked may have inherited one that nobody gives back, and has nothing to tell an anchor.
fn not_forked(store: &Store) -> Result<()> {
    store.at_home().or_else(|error| if error.code() == Code::Forked { Err(error) } else { Ok(()) })
}

/// The anchor of an open store.
pub(super) struct Anchored {
    with: Anchoring,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Change sets that the anchor knows of.
    noted: u64,
    /// The anchor did not take the last note.
    failed: bool,
}

impl Anchored {
    pub(super) fn new(with: Anchoring) -> Anchored {
        Anchored { with, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares a store with its anchor. None where there is no note and the store begins with one.
    fn report(&self, store: &Store) -> Result<Option<AnchorReport>> {
        let Some(bytes) = self.with.anchor.load()? else {
            return if self.with.begin { Ok(None) } else { Err(Code::AnchorMissing.error()) };
        };
        let (known, now) = (Note::open(store, &bytes)?, Note::of(store)?);
        Ok(Some(AnchorReport {
            file_commits: now.commits,
            anchor_commits: known.commits,
            file_events: now.events,
            anchor_events: known.events,
            rolled_back: now.is_behind(store, &known)?,
        }))
    }

    /// Refuses a file that is behind. Gives the reason for going on with one that is.
    pub(super) fn check(&self, store: &Store) -> Result<Option<&str>> {
        match (self.report(store)?, &self.with.accept) {
            (Some(report), Some(reason)) if report.rolled_back => Ok(Some(reason)),
            (Some(report), _) if report.rolled_back => Err(Code::RolledBack.error()),
            _ => Ok(None),
        }
    }

    /// Writes a note where one is due, or where `now`.
    fn note(&self, store: &Store, now: bool) -> Result<()> {
        not_forked(store)?;
        let mut state = self.state();
        let commits = store.snapshot()?.commits()?;
        let due = if now {
            commits > state.noted || state.failed
        } else {
            commits >= state.noted.saturating_add(self.with.every)
        };
        if !due && !state.failed {
            return Ok(());
        }
        let note = Note::of(store)?;
        let kept = note.seal(store).and_then(|sealed| self.with.anchor.store(&sealed));
        state.failed = kept.is_err();
        kept.map_err(|error| match error.code() {
            Code::AnchorUnavailable => error,
            _ => Code::AnchorUnavailable.error(),
        })?;
        state.noted = note.commits;
        Ok(())
    }
}

impl Inner {
    /// After a commit, which stays whatever the anchor says.
    pub(super) fn note_commit(&self) {
        if let Some(anchored) = &self.anchored {
            // What failed is told by the next call that writes, or by the status.
            let _ = anchored.note(&self.store, false);
        }
    }

    /// Before something is written in the name of an actor.
    ///
    /// # Errors
    /// - `anchor-unavailable`: the anchor did not take the last note, does not take one now, and nothing is to be written then.
    pub(super) fn needs_anchor(&self) -> Result<()> {
        match &self.anchored {
            Some(anchored) if anchored.with.strict && anchored.state().failed => anchored.note(&self.store, true),
            _ => Ok(()),
        }
    }

    /// Writes a note of everything that is committed.
    pub(super) fn note_all(&self) -> Result<()> {
        self.anchored.as_ref().map_or(Ok(()), |anchored| anchored.note(&self.store, true))
    }

    /// Change sets that the anchor does not know of; None where there is no anchor, or where it does not answer.
    pub(super) fn unanchored(&self) -> Option<u64> {
        let anchored = self.anchored.as_ref()?;
        not_forked(&self.store).ok()?;
        let state = anchored.state();
        let commits = self.store.snapshot().ok()?.commits().ok()?;
        (!state.failed).then(|| commits.saturating_sub(state.noted))
    }

    /// Records that an older file is gone on with, and begins the anchor anew.
    pub(super) fn begin_anchor(&self, reason: Option<&str>) -> Result<()> {
        if let Some(reason) = reason {
            let event = Event::new(EventKind::RollbackAccepted, self.now(), "ehrcore");
            self.note_now(Event { reason: reason.to_owned(), ..event })?;
        }
        self.note_all()
    }
}

impl Ehr {
    /// Compares a file with its anchor and shows nothing else. Nothing is written: what `rolled-back` is about can be looked at.
    ///
    /// # Errors
    /// - `anchor-missing`, `anchor-invalid`, `anchor-other`, `anchor-unavailable`; as [`Ehr::open`].
    pub fn compare_with_anchor(
        path: impl AsRef<Path>,
        keys: &dyn KeySource,
        anchor: Arc<dyn Anchor>,
        options: Options,
    ) -> Result<AnchorReport> {
        let store = Store::open(path.as_ref(), keys, options.random, options.cache_bytes, true)?;
        let anchored = Anchored::new(Anchoring::new(anchor));
        anchored.report(&store)?.ok_or_else(|| Code::AnchorMissing.error())
    }

    /// Tells the anchor of everything that is committed; where there is none, nothing.
    ///
    /// # Errors
    /// - `anchor-unavailable`.
    pub fn anchor_now(&self) -> Result<()> {
        self.0.flush()?;
        self.0.note_all()
    }
}
