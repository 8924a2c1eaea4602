//! Edits made at the same time: merged where that takes no guess, parked with both sides where it does, settled by a person.

use super::Reason;
use super::differ::same;
use super::merge::{Prefer, merge};
use crate::audit::EventKind;
use crate::crypto::{Active, Provider};
use crate::ehr::{Draft, Gate, Pass, Path, Session, Written, checked, say_whose};
use crate::error::{Code, Result};
use crate::phi::Phi;
use crate::record::{Compartment, Record};
use crate::schema::ResourceType;
use crate::store::{AsideKey, AsideKind, ChangeKind, Note, PutMeta, Reader, Writer};
use crate::time::Timestamp;

/// What became of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It is in the current version.
    Written(Written),
    /// It clashes with another: it is kept whole under this number until somebody settles it.
    Parked(u64),
}

/// An edit that waits for a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Its number.
    pub number: u64,
    /// The type of the record.
    pub kind: ResourceType,
    /// The id of the record.
    pub id: String,
    /// The version both edits were made from; 0: the record was made twice.
    pub base: u32,
    /// The version that was current when the edit came; 0: the record had been deleted.
    pub theirs: u32,
    /// The edit, as this session may see it; empty in a list: [`Session::conflict`] shows it.
    pub mine: Phi<Vec<u8>>,
    /// Who made it.
    pub by: String,
    /// When it came.
    pub at: Timestamp,
    /// Paths of the elements where they clash, of schema names; none where the record was deleted or the whole would not be valid.
    pub clashes: Vec<String>,
    /// How it was settled; None while it waits.
    pub settled: Option<Settled>,
}

/// How a conflict ended.
#[derive(Clone, PartialEq, Eq)]
pub struct Settled {
    /// Who settled it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: &'static str,
    /// Why.
    pub reason: String,
    /// The version that was current then.
    pub version: u32,
}

impl std::fmt::Debug for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conflict({}, {})", self.number, if self.settled.is_some() { "settled" } else { "waits" })
    }
}

impl std::fmt::Debug for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settled({})", self.how)
    }
}

/// Both sides of a conflict and what they come from.
#[derive(Clone)]
pub struct Sides {
    /// The version both were made from.
    pub base: Option<Phi<Vec<u8>>>,
    /// The version that was current when the edit came.
    pub theirs: Option<Phi<Vec<u8>>>,
    /// The edit.
    pub mine: Phi<Vec<u8>>,
    /// The version that is current now, to settle it upon; None where the record is deleted.
    pub now: Option<(u32, Phi<Vec<u8>>)>,
}

impl std::fmt::Debug for Sides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sides(..)")
    }
}

/// How to settle a conflict.
#[derive(Clone, PartialEq, Eq)]
pub enum Choice {
    /// Where they clash the current version stays; the rest of the edit is taken.
    Theirs,
    /// Where they clash the edit is taken; what others changed elsewhere stays.
    Mine,
    /// This is right.
    Bytes(Vec<u8>),
    /// The current version stays as it is.
    Nothing,
}

impl Choice {
    /// The name.
    pub const fn name(&self) -> &'static str {
        match self {
            Choice::Theirs => "theirs",
            Choice::Mine => "mine",
            Choice::Bytes(_) => "bytes",
            Choice::Nothing => "nothing",
        }
    }
}

impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Most edits of one record that wait.
const MOST_WAITING: usize = 64;
const NAMES: [&str; 4] = ["theirs", "mine", "bytes", "nothing"];

impl Conflict {
    /// `flags number (1 settled), type number, id, base number, theirs number, by, at signed, count number, paths, { how number, by, at
    /// signed, reason, version number }?, mine`; texts and bytes with their length before them.
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.settled.is_some().into());
        out.number(self.kind.number().into());
        out.bytes(self.id.as_bytes());
        out.number(self.base.into());
        out.number(self.theirs.into());
        out.bytes(self.by.as_bytes());
        out.signed(self.at.0);
        out.number(self.clashes.len() as u64);
        for path in &self.clashes {
            out.bytes(path.as_bytes());
        }
        if let Some(settled) = &self.settled {
            out.number(NAMES.iter().position(|name| *name == settled.how).unwrap_or(0) as u64);
            out.bytes(settled.by.as_bytes());
            out.signed(settled.at.0);
            out.bytes(settled.reason.as_bytes());
            out.number(settled.version.into());
        }
        out.bytes(self.mine.expose());
        out.0
    }

    fn decode(number: u64, plain: &[u8]) -> Result<Conflict> {
        let mut reader = Reader { rest: plain };
        let flags = reader.number()?;
        let (kind, id, base, theirs) = (reader.kind()?, reader.text()?, reader.small()?, reader.small()?);
        let (by, at) = (reader.text()?, Timestamp(reader.signed()?));
        let count: usize = reader.small()?;
        let clashes = (0..count).map(|_| reader.text()).collect::<Result<_>>()?;
        let settled = if flags & 1 != 0 {
            Some(Settled {
                how: NAMES.get(reader.small::<usize>()?).copied().ok_or_else(|| Code::Corrupt.error())?,
                by: reader.text()?,
                at: Timestamp(reader.signed()?),
                reason: reader.text()?,
                version: reader.small()?,
            })
        } else {
            None
        };
        let mine = Phi::new(reader.bytes()?.to_vec());
        Ok(Conflict { number, kind, id, base, theirs, mine, by, at, clashes, settled })
    }
}

impl Session {
    /// Writes an edit that was made from version `base`. Where the record moved on since, both are merged element by element; where
    /// they clash nothing is lost: the edit is parked, whole, until [`Session::settle`].
    ///
    /// What is merged and what clashes is told in docs/lifecycle.md. Nothing is guessed: a merged record that is not valid is parked too.
    ///
    /// # Durability
    /// When this returns, the new version or the parked edit is on disk with its audit event.
    ///
    /// # Errors
    /// - `not-found`: there never was that version, or the record is not for this session; `hold`, `retracted`; `limit-count`: 64
    ///   edits of the record wait already; else as [`Session::write`]. A refused edit is kept nowhere.
    pub fn write_merged(&self, record: &[u8], base: u32) -> Result<Edit> {
        let mut pass = self.enter_for_all(Path::WriteMerged)?;
        match edited(&mut pass, record, base) {
            Err(error) => pass.refuse(error),
            Ok((edit, change)) => {
                pass.commit(change)?;
                Ok(edit)
            }
        }
    }

    /// The conflicts of a patient, or all; those that were settled too. Without the edits themselves.
    ///
    /// # Errors
    /// - `denied`, `not-found`, `audit-unavailable`.
    pub fn conflicts(&self, patient: Option<&str>) -> Result<Vec<Conflict>> {
        let mut pass = self.enter_for_all(Path::Conflicts)?;
        let found = pass.gate().and_then(|gate| {
            let patient = match patient {
                Some(id) => Some(gate.patient(id)?.ok_or_else(|| Code::NotFound.error())?),
                None => None,
            };
            let rows = gate.ungated().asides(AsideKind::Conflict, patient)?;
            let mut all = Vec::new();
            for (key, plain) in rows {
                pass.watch().look()?;
                let mut conflict = Conflict::decode(key.number, &plain)?;
                if may_see(&gate, key, &conflict)?.is_some() {
                    conflict.mine = Phi::new(Vec::new());
                    all.push((key.patient, conflict));
                }
            }
            Ok(all)
        });
        if let Ok(all) = &found {
            say_whose(&mut pass.event, all.iter().map(|(patient, _)| *patient));
        }
        pass.show(found).map(|all| all.into_iter().map(|(_, conflict)| conflict).collect())
    }

    /// Both sides of a conflict, what they come from, and what is current now.
    ///
    /// # Errors
    /// - `conflict-unknown`; else as [`Session::conflicts`].
    pub fn conflict(&self, number: u64) -> Result<(Conflict, Sides)> {
        let mut pass = self.enter_for_all(Path::Conflict)?;
        let found = pass.gate().and_then(|gate| {
            let (key, mut conflict, mine) = shown(&gate, number)?;
            conflict.mine = mine;
            let sides = sides(&gate, &conflict)?;
            Ok((key, conflict, sides))
        });
        if let Ok((key, conflict, _)) = &found {
            (pass.event.resource, pass.event.id) = (Some(conflict.kind), conflict.id.clone());
            (pass.event.patient, pass.event.compartment) = (key.patient.0, key.compartment);
            pass.event.version = conflict.theirs;
            pass.event.count = 1;
        }
        pass.show(found).map(|(_, conflict, sides)| (conflict, sides))
    }

    /// Settles a conflict, however long it waited. `seen` is the version that was current when it was looked at (0: the record
    /// was deleted); where the record has moved on since, look again.
    ///
    /// # Errors
    /// - `conflict-unknown`: there is none of that number, or it is settled; `conflict`: the record moved on; `reason-required`,
    ///   `record-invalid`, `hold`; else as [`Session::write`].
    pub fn settle(&self, number: u64, choice: &Choice, seen: u32, reason: &Reason) -> Result<Conflict> {
        let mut pass = self.enter_for_all(Path::Settle)?;
        match settled(&mut pass, number, choice, seen, reason) {
            Err(error) => pass.refuse(error),
            Ok((conflict, change)) => {
                pass.commit(change)?;
                Ok(conflict)
            }
        }
    }
}

/// The record that a row of a conflict is about.
pub(super) fn about(plain: &[u8]) -> Result<(ResourceType, String)> {
    Conflict::decode(0, plain).map(|conflict| (conflict.kind, conflict.id))
}

/// The edit as the session may see it; None where it may not, or not what the edit is about.
fn may_see(gate: &Gate<'_>, key: AsideKey, conflict: &Conflict) -> Result<Option<Phi<Vec<u8>>>> {
    // The whole history is asked for only where nothing is current: it may be long.
    if gate.current(conflict.kind, &conflict.id)?.is_none() && gate.history(conflict.kind, &conflict.id)?.is_empty() {
        return Ok(None);
    }
    let mine = Record::parse(conflict.mine.expose())?;
    // It may say another patient than the record it is an edit of: whoever sees it has to do with both.
    let own = gate.ungated().patient_of(&mine, &|_| None)?.unwrap_or(key.patient);
    let seen = gate.unwritten(&mine, key.patient, &conflict.by)?;
    let seen = if own == key.patient || seen.is_none() { seen } else { gate.unwritten(&mine, own, &conflict.by)? };
    Ok(seen.map(Phi::new))
}

fn shown(gate: &Gate<'_>, number: u64) -> Result<(AsideKey, Conflict, Phi<Vec<u8>>)> {
    let unknown = || Code::ConflictUnknown.error();
    let (key, plain) = gate.ungated().aside(AsideKind::Conflict, number)?.ok_or_else(unknown)?;
    let conflict = Conflict::decode(number, &plain)?;
    let mine = may_see(gate, key, &conflict)?.ok_or_else(unknown)?;
    Ok((key, conflict, mine))
}

fn sides(gate: &Gate<'_>, conflict: &Conflict) -> Result<Sides> {
    let history = gate.history(conflict.kind, &conflict.id)?;
    let of = |version: u32| {
        let stored = history.iter().find(|stored| stored.version() == version && !stored.is_deleted());
        stored.map(|stored| Phi::new(stored.bytes().to_vec()))
    };
    let newest = history.first().filter(|stored| stored.is_shown());
    Ok(Sides {
        base: of(conflict.base),
        theirs: of(conflict.theirs),
        mine: conflict.mine.clone(),
        now: newest.map(|stored| (stored.version(), Phi::new(stored.bytes().to_vec()))),
    })
}

fn edited<'s>(pass: &mut Pass<'s>, bytes: &[u8], base: u32) -> Result<(Edit, Draft<'s>)> {
    let mine = checked(pass.store(), bytes.to_vec())?;
    let (kind, id) = (mine.kind(), mine.id().ok_or_else(|| Code::Internal.error())?.to_owned());
    (pass.event.resource, pass.event.id) = (Some(kind), id.clone());
    let change = pass.change()?;
    let current = change.current(kind, &id)?;
    let gate = change.gate();
    if current.is_some() && gate.current(kind, &id)?.is_none() {
        return Err(Code::NotFound.error());
    }
    gate.may_put(&mine, &|_| None)?;
    let from = match base {
        0 => None,
        _ => Some(change.version(kind, &id, base)?.ok_or_else(|| Code::NotFound.error())?),
    };
    let note =
        Note { kind: ChangeKind::Merge, reason: format!("made from version {base}"), on_behalf: None, authored: None };
    let merged =
        Note { reason: format!("made from version {base}, merged with what was written since"), ..note.clone() };
    let (version, clashes) = match (current, from) {
        // Nobody wrote since.
        (None, None) => return put(pass, change, &mine, &note),
        (Some((version, _)), Some(_)) if version == base => return put(pass, change, &mine, &note),
        (Some((version, theirs)), Some(from)) => {
            let (from, theirs) = (Record::parse(&from)?, Record::parse(&theirs)?);
            let both = merge(&from, &theirs, &mine, Prefer::Theirs);
            let clashes = both.clashes;
            if clashes.is_empty() {
                let record = Record::from_value(&both.value)?;
                // What one side says is kept in that side's own bytes.
                let record =
                    [theirs, mine.clone()].into_iter().find(|side| same(side.root(), record.root())).unwrap_or(record);
                if checked(pass.store(), record.original().to_vec()).is_ok() {
                    return put(pass, change, &record, &merged);
                }
            }
            (version, clashes)
        }
        (Some((version, theirs)), None) => {
            if same(Record::parse(&theirs)?.root(), mine.root()) {
                return put(pass, change, &Record::parse(&theirs)?, &note);
            }
            (version, vec![kind.name().to_owned()])
        }
        (None, Some(_)) => (0, Vec::new()),
    };
    park(pass, change, (mine, base), version, clashes)
}

fn put<'s>(pass: &mut Pass<'s>, mut change: Draft<'s>, record: &Record, note: &Note) -> Result<(Edit, Draft<'s>)> {
    let (kind, id) = (record.kind(), record.id().unwrap_or_default().to_owned());
    let before = change.current(kind, &id)?;
    let first = before.is_none();
    let outcome = change.put(record, &PutMeta { note: (!first).then_some(note), ..PutMeta::DIRECT })?;
    let changed = change.written() > 0;
    if first {
        pass.event.kind = EventKind::Create;
    }
    pass.event.patient = change.last_patient().map_or(0, |patient| patient.0);
    pass.event.version = outcome.version();
    pass.event.count = changed.into();
    pass.event.digest = Active::sha256(&[record.original()]);
    Ok((Edit::Written(Written { kind, id, version: outcome.version(), changed }), change))
}

fn park<'s>(
    pass: &mut Pass<'s>,
    mut change: Draft<'s>,
    (mine, base): (Record, u32),
    theirs: u32,
    clashes: Vec<String>,
) -> Result<(Edit, Draft<'s>)> {
    let (kind, id) = (mine.kind(), mine.id().unwrap_or_default().to_owned());
    let (patient, compartment) = change.chart_of(kind, &id)?.ok_or_else(|| Code::Internal.error())?;
    // What is retracted or on hold is not even waited upon.
    change.may_put(&mine, &PutMeta { source: 1, ..PutMeta::DIRECT })?;
    let mut waiting = 0;
    for (key, plain) in change.asides(AsideKind::Conflict, Some(patient))? {
        let other = Conflict::decode(key.number, &plain)?;
        if (other.kind, other.id.as_str()) != (kind, id.as_str()) || other.settled.is_some() {
            continue;
        }
        if other.mine.expose() == mine.original() && other.base == base && other.by == pass.session().actor.id {
            pass.event.kind = EventKind::ConflictParked;
            (pass.event.patient, pass.event.compartment) = (patient.0, key.compartment);
            return Ok((Edit::Parked(other.number), change)); // sent again: it waits already
        }
        waiting += 1;
    }
    if waiting >= MOST_WAITING {
        return Err(Code::LimitCount.error());
    }
    let number = change.aside_number()?;
    let compartment = compartment.max(Compartment::of(&mine) as u8);
    let conflict = Conflict {
        number,
        kind,
        id,
        base,
        theirs,
        mine: Phi::new(mine.original().to_vec()),
        by: pass.session().actor.id.clone(),
        at: pass.now(),
        clashes,
        settled: None,
    };
    let key = AsideKey { kind: AsideKind::Conflict, patient, compartment, number };
    change.aside_put(key, &conflict.encode())?;
    pass.event.kind = EventKind::ConflictParked;
    (pass.event.patient, pass.event.compartment) = (patient.0, compartment);
    pass.event.version = theirs;
    pass.event.count = 1;
    pass.event.digest = Active::sha256(&[mine.original()]);
    Ok((Edit::Parked(number), change))
}

fn settled<'s>(
    pass: &mut Pass<'s>,
    number: u64,
    choice: &Choice,
    seen: u32,
    reason: &Reason,
) -> Result<(Conflict, Draft<'s>)> {
    let note = reason.note(ChangeKind::Merge)?;
    let mut change = pass.change()?;
    let (_, _, seen_mine) = shown(change.gate(), number)?;
    let unknown = || Code::ConflictUnknown.error();
    let (key, plain) = change.aside(AsideKind::Conflict, number)?.ok_or_else(unknown)?;
    let mut conflict = Conflict::decode(number, &plain)?;
    (pass.event.resource, pass.event.id) = (Some(conflict.kind), conflict.id.clone());
    (pass.event.patient, pass.event.compartment) = (key.patient.0, key.compartment);
    if conflict.settled.is_some() {
        return Err(unknown());
    }
    let current = change.current(conflict.kind, &conflict.id)?;
    if current.as_ref().map_or(0, |(version, _)| *version) != seen {
        return Err(Code::Conflict.error());
    }
    let mine = conflict.mine.expose();
    let record = match (choice, &current) {
        (Choice::Nothing, _) | (Choice::Theirs, None) => None,
        (Choice::Bytes(bytes), _) => Some(checked(pass.store(), bytes.clone())?),
        (Choice::Mine, None) => Some(checked(pass.store(), mine.clone())?),
        (Choice::Theirs | Choice::Mine, Some((_, theirs))) => {
            let prefer = if *choice == Choice::Mine { Prefer::Mine } else { Prefer::Theirs };
            let (theirs, mine) = (Record::parse(theirs)?, Record::parse(mine)?);
            let base = match change.version(conflict.kind, &conflict.id, conflict.base)? {
                Some(base) => Record::parse(&base)?,
                // Made twice: one of the two counts whole.
                None => {
                    if prefer == Prefer::Mine {
                        theirs.clone()
                    } else {
                        mine.clone()
                    }
                }
            };
            let value = merge(&base, &theirs, &mine, prefer).value;
            Some(checked(pass.store(), value.to_json())?)
        }
    };
    let version = match &record {
        Some(record) if record.kind() != conflict.kind || record.id() != Some(&conflict.id) => {
            return Err(Code::InvalidArgument.error().expected("the record that the conflict is about"));
        }
        Some(record) => {
            let version = change.put(record, &PutMeta { note: Some(&note), ..PutMeta::DIRECT })?.version();
            pass.event.digest = Active::sha256(&[record.original()]);
            version
        }
        None => seen,
    };
    let settled = Settled {
        by: pass.session().actor.id.clone(),
        at: pass.now(),
        how: choice.name(),
        reason: reason.text.clone(),
        version,
    };
    conflict.settled = Some(settled);
    change.aside_put(key, &conflict.encode())?;
    conflict.mine = seen_mine;
    (pass.event.version, pass.event.count) = (version, 1);
    pass.event.on_behalf_of = reason.on_behalf.clone().unwrap_or_default();
    Ok((conflict, change))
}
