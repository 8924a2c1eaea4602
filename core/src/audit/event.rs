//! What an audit event says.

use crate::crypto::{Active, Provider};
use crate::error::Code;
use crate::keys::KeyRing;
use crate::schema::ResourceType;
use crate::time::Timestamp;

macro_rules! kinds {
    ($($variant:ident = $number:literal, $name:literal;)*) => {
        /// What was done. Numbers are part of the format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum EventKind { $($variant = $number),* }

        impl EventKind {
            /// Every one.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$variant),*];
            /// The name, as `ehr audit` prints it.
            pub const fn name(self) -> &'static str { match self { $(EventKind::$variant => $name),* } }
            pub(super) const fn from_number(number: u8) -> Option<EventKind> {
                match number { $($number => Some(EventKind::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    Create = 1, "create";
    Read = 2, "read";
    Update = 3, "update";
    Delete = 4, "delete";
    Search = 5, "search";
    History = 6, "history";
    Chart = 7, "chart";
    Export = 8, "export";
    Import = 9, "import";
    SessionOpen = 10, "session-open";
    AuditRead = 11, "audit-read";
    Verify = 12, "verify";
    Release = 13, "release";
    StoreCreate = 14, "store-create";
    Quarantine = 15, "quarantine";
    Keys = 16, "keys";
    BreakGlass = 17, "break-glass";
    Policy = 18, "policy";
    Disclose = 19, "disclose";
    Amend = 20, "amend";
    Correct = 21, "correct";
    Augment = 22, "augment";
    Retract = 23, "retract";
    Restore = 24, "restore";
    Hold = 25, "hold";
    HoldRelease = 26, "hold-release";
    DestroyProposed = 27, "destroy-proposed";
    Destroy = 28, "destroy";
    Retention = 29, "retention";
    AmendmentRequested = 30, "amendment-requested";
    AmendmentDecided = 31, "amendment-decided";
    Disagree = 32, "disagree";
    AccessPackage = 33, "access-package";
    ConflictParked = 34, "conflict-parked";
    ConflictSettled = 35, "conflict-settled";
    KeyRotate = 40, "key-rotate";
    PatientKeyRotate = 45, "patient-key-rotate";
    Shred = 46, "shred";
    RollbackAccepted = 47, "rollback-accepted";
    Backup = 50, "backup";
    Repair = 51, "repair";
    Check = 52, "check";
    AuditExport = 60, "audit-export";
    AuditReport = 61, "audit-report";
}

/// One event: who, what, when, why, with what outcome. No content of any record.
///
/// # Privacy
/// A record is named by a pseudonym, the keyed token of its id in the store's id table; the id itself is never written. Who reads
/// the log through a session gets ids back for as long as the patient's key exists. Free text (the reason given, the query
/// asked) lies beside the event, sealed; the event holds a blinded hash of it, so an export need not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub kind: EventKind,
    /// None: it was done. Otherwise the code it failed with.
    pub failed: Option<u16>,
    /// Who: the host's id of the user.
    pub actor: String,
    /// In which role.
    pub role: u8,
    /// For which purpose of use.
    pub purpose: u8,
    /// Which session, by its random number; 0 for none.
    pub session: u64,
    /// For whom they acted, where not for themselves.
    pub on_behalf_of: String,
    /// With which application or client.
    pub app: String,
    /// On which device.
    pub device: String,
    /// From which network address.
    pub address: String,
    /// Whose record; 0 for none in particular.
    pub patient: u32,
    /// Whose records a page of a search showed, or a change set wrote, where more than one patient's; ascending. As many as an event can
    /// name ([`MOST_PATIENTS`]) may be of more: it is in the reports about every patient.
    pub patients: Vec<u32>,
    /// Which type of record.
    pub resource: Option<ResourceType>,
    /// Which record, as a caller names it. Not written: of an event that is read back, a session fills it in.
    pub id: String,
    /// Which record, as the log names it; zeros for none in particular.
    pub pseudonym: [u8; 12],
    /// Which version; 0 for none in particular.
    pub version: u32,
    /// The change set that was written; 0 for none.
    pub commit: u64,
    /// How many records.
    pub count: u64,
    /// SHA-256 of what was written; of an import, of its sources and their ledger lines; zeros for none.
    pub digest: [u8; 32],
    /// What vouches for every version that the change set wrote (see format.md); zeros for none.
    pub witness: [u8; 32],
    /// In which compartment: 0 normal, 1 substance use, 2 psychotherapy notes.
    pub compartment: u8,
    /// The security labels that mattered, as codes with a space between.
    pub labels: String,
    /// The rule that decided, by its number in the policy; 0 for the built-in table.
    pub rule: u16,
    /// Which policy was in force, by its number.
    pub policy: u32,
    /// The emergency this was done in, by the reference its break-glass event has; 0 for none.
    pub break_glass: u64,
    /// Where `at` comes from: 0 the host's own clock, 1 that of the operating system.
    pub clock: u8,
    /// Of a disclosure: on which ground, as a number of [`super::Ground`]; 0 for none.
    pub ground: u8,
    /// Of a disclosure: to whom.
    pub recipient: String,
    /// Why, in words. Sealed beside the event.
    pub reason: String,
    /// What was asked. Sealed beside the event.
    pub query: String,
}

/// `Debug` says what was done and how it ended: ids, reasons and queries are for who may read the log.
impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event({}, {})", self.kind.name(), self.failed.unwrap_or(0))
    }
}

/// Most bytes of a text that says who or with what.
pub const NAME_BYTES: usize = 255;
/// Most bytes of a text that lies beside an event.
pub const TEXT_BYTES: usize = 1024;
/// Most patients that one event names: as many as a page of a search has records.
pub const MOST_PATIENTS: usize = 10_000;

/// Bytes before the parts that may be absent.
const FIXED: usize = 46;
const VERSION: u8 = 3;

/// Which parts an event has, in the order in which they stand.
mod part {
    pub(super) const PSEUDONYM: u16 = 1;
    pub(super) const DIGEST: u16 = 2;
    pub(super) const COMMIT: u16 = 4;
    pub(super) const BREAK_GLASS: u16 = 8;
    pub(super) const BESIDE: u16 = 16;
    pub(super) const PATIENTS: u16 = 32;
    pub(super) const ON_BEHALF_OF: u16 = 64;
    pub(super) const APP: u16 = 128;
    pub(super) const DEVICE: u16 = 256;
    pub(super) const ADDRESS: u16 = 512;
    pub(super) const LABELS: u16 = 1024;
    pub(super) const RECIPIENT: u16 = 2048;
    pub(super) const WITNESS: u16 = 4096;
    pub(super) const ALL: u16 = 8191;
}

impl Event {
    /// An event with nothing but kind, time and actor.
    pub fn new(kind: EventKind, at: Timestamp, actor: &str) -> Event {
        Event {
            at,
            kind,
            failed: None,
            actor: actor.to_owned(),
            role: 0,
            purpose: 0,
            session: 0,
            on_behalf_of: String::new(),
            app: String::new(),
            device: String::new(),
            address: String::new(),
            patient: 0,
            patients: Vec::new(),
            resource: None,
            id: String::new(),
            pseudonym: [0; 12],
            version: 0,
            commit: 0,
            count: 0,
            digest: [0; 32],
            witness: [0; 32],
            compartment: 0,
            labels: String::new(),
            rule: 0,
            policy: 0,
            break_glass: 0,
            clock: 0,
            ground: 0,
            recipient: String::new(),
            reason: String::new(),
            query: String::new(),
        }
    }

    /// Why it failed, where it did.
    pub fn failure(&self) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| Some(code.number()) == self.failed)
    }

    /// What a record's id is called in the log: the front of its token in the id table; zeros for no id.
    pub fn pseudonym_of(keys: &KeyRing, id: &str) -> [u8; 12] {
        match id {
            "" => [0; 12],
            id => *keys.token("id", &[id.as_bytes()]).first_chunk().expect("a token has sixteen bytes"),
        }
    }

    /// Cuts texts to what an event may hold.
    pub(crate) fn bounded(mut self) -> Event {
        for text in [
            &mut self.actor,
            &mut self.on_behalf_of,
            &mut self.app,
            &mut self.device,
            &mut self.address,
            &mut self.labels,
            &mut self.recipient,
            &mut self.id,
        ] {
            cut(text, NAME_BYTES);
        }
        cut(&mut self.reason, TEXT_BYTES);
        cut(&mut self.query, TEXT_BYTES);
        self.patients.truncate(MOST_PATIENTS);
        self
    }

    /// The texts beside the event: `length 2, reason || query`; nothing where there are none.
    pub(super) fn beside(&self) -> Vec<u8> {
        if self.reason.is_empty() && self.query.is_empty() {
            return Vec::new();
        }
        let (reason, query) = (front(&self.reason, TEXT_BYTES), front(&self.query, TEXT_BYTES));
        [&(reason.len() as u16).to_be_bytes()[..], reason.as_bytes(), query.as_bytes()].concat()
    }

    /// `version 3 || kind || role || purpose || failed 2 || resource || compartment || at 8 || patient 4 || version 4 ||
    /// count 4 || session 8 || rule 2 || policy 4 || clock || ground || parts 2`, then the parts that are there: pseudonym 12,
    /// digest 32, commit 8, break-glass 8, hash of what is beside 32, witness 32, patients (length 2, LEB128 of the distances), and
    /// texts of `length 1 || bytes`, of which the actor is always there and first.
    pub(super) fn encode(&self, keys: &KeyRing, beside: Option<[u8; 32]>, out: &mut Vec<u8>) {
        let pseudonym = match self.pseudonym {
            [0, ..] if self.pseudonym == [0; 12] => Event::pseudonym_of(keys, &self.id),
            known => known,
        };
        let texts = [
            (part::ON_BEHALF_OF, &self.on_behalf_of),
            (part::APP, &self.app),
            (part::DEVICE, &self.device),
            (part::ADDRESS, &self.address),
            (part::LABELS, &self.labels),
            (part::RECIPIENT, &self.recipient),
        ];
        let mut parts = 0;
        let mut has = |part, there: bool| parts |= if there { part } else { 0 };
        has(part::PSEUDONYM, pseudonym != [0; 12]);
        has(part::DIGEST, self.digest != [0; 32]);
        has(part::COMMIT, self.commit != 0);
        has(part::BREAK_GLASS, self.break_glass != 0);
        has(part::BESIDE, beside.is_some());
        has(part::WITNESS, self.witness != [0; 32]);
        has(part::PATIENTS, !self.patients.is_empty());
        for (part, text) in texts {
            has(part, !text.is_empty());
        }
        out.extend([VERSION, self.kind as u8, self.role, self.purpose]);
        out.extend(self.failed.unwrap_or(0).to_be_bytes());
        out.extend([self.resource.map_or(u8::MAX, ResourceType::number), self.compartment]);
        out.extend(self.at.0.to_be_bytes());
        out.extend(self.patient.to_be_bytes());
        out.extend(self.version.to_be_bytes());
        out.extend(u32::try_from(self.count).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(self.session.to_be_bytes());
        out.extend(self.rule.to_be_bytes());
        out.extend(self.policy.to_be_bytes());
        out.extend([self.clock, self.ground]);
        out.extend(parts.to_be_bytes());
        if parts & part::PSEUDONYM != 0 {
            out.extend(pseudonym);
        }
        if parts & part::DIGEST != 0 {
            out.extend(self.digest);
        }
        for (part, number) in [(part::COMMIT, self.commit), (part::BREAK_GLASS, self.break_glass)] {
            if parts & part != 0 {
                out.extend(number.to_be_bytes());
            }
        }
        out.extend(beside.iter().flatten());
        if parts & part::WITNESS != 0 {
            out.extend(self.witness);
        }
        if parts & part::PATIENTS != 0 {
            put_patients(&self.patients, out);
        }
        put_text(&self.actor, out);
        for (part, text) in texts {
            if parts & part != 0 {
                put_text(text, out);
            }
        }
    }

    /// Reads an event and what lies beside it.
    pub(super) fn decode(bytes: &[u8], beside: &[u8]) -> Option<Event> {
        let line = Line::read(bytes)?;
        let own = |text: &[u8]| String::from_utf8(text.to_vec()).ok();
        let texts = line.texts()?;
        let (reason, query) = match beside {
            [] => (String::new(), String::new()),
            beside => {
                let (length, rest) = beside.split_first_chunk()?;
                let (reason, query) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
                (own(reason)?, own(query)?)
            }
        };
        Some(Event {
            at: line.at(),
            kind: line.kind()?,
            failed: line.failed(),
            actor: own(line.actor)?,
            role: bytes[2],
            purpose: bytes[3],
            session: line.session(),
            on_behalf_of: own(texts[0])?,
            app: own(texts[1])?,
            device: own(texts[2])?,
            address: own(texts[3])?,
            patient: line.patient(),
            patients: line.patients().collect(),
            resource: line.resource(),
            id: String::new(),
            pseudonym: line.pseudonym.copied().unwrap_or_default(),
            version: line.version(),
            commit: line.commit,
            count: line.count(),
            digest: line.digest.copied().unwrap_or_default(),
            witness: line.witness.copied().unwrap_or_default(),
            compartment: bytes[7],
            labels: own(texts[4])?,
            rule: u16::from_be_bytes(line.array(36)),
            policy: u32::from_be_bytes(line.array(38)),
            break_glass: line.break_glass,
            clock: bytes[42],
            ground: bytes[43],
            recipient: own(texts[5])?,
            reason,
            query,
        })
    }
}

/// An event where it lies: read without taking memory, for reports over many.
pub(super) struct Line<'a> {
    bytes: &'a [u8],
    /// Its pseudonym, where it names a record.
    pub(super) pseudonym: Option<&'a [u8; 12]>,
    digest: Option<&'a [u8; 32]>,
    /// The change set it wrote; 0 for none.
    pub(super) commit: u64,
    /// The emergency it was done in; 0 for none.
    pub(super) break_glass: u64,
    /// The hash of what lies beside it.
    pub(super) beside: Option<&'a [u8; 32]>,
    /// What vouches for all that its change set wrote.
    pub(super) witness: Option<&'a [u8; 32]>,
    patients: &'a [u8],
    /// Who.
    pub(super) actor: &'a [u8],
    parts: u16,
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// The parts of an event; None where it is not one.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Line<'a>> {
        let fixed = bytes.get(..FIXED)?;
        let parts = u16::from_be_bytes([fixed[44], fixed[45]]);
        if fixed[0] != VERSION || parts & !part::ALL != 0 {
            return None;
        }
        let mut rest = &bytes[FIXED..];
        let pseudonym = take(&mut rest, parts & part::PSEUDONYM != 0)?;
        let digest = take(&mut rest, parts & part::DIGEST != 0)?;
        let commit = take(&mut rest, parts & part::COMMIT != 0)?.map_or(0, |number| u64::from_be_bytes(*number));
        let break_glass =
            take(&mut rest, parts & part::BREAK_GLASS != 0)?.map_or(0, |number| u64::from_be_bytes(*number));
        let beside = take(&mut rest, parts & part::BESIDE != 0)?;
        let witness = take(&mut rest, parts & part::WITNESS != 0)?;
        let mut patients = &[][..];
        if let Some(length) = take(&mut rest, parts & part::PATIENTS != 0)? {
            (patients, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        }
        let actor = take_text(&mut rest)?;
        Some(Line { bytes, pseudonym, digest, commit, break_glass, beside, witness, patients, actor, parts, rest })
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at..].first_chunk().expect("the fixed part is longer than that")
    }
    /// What was done.
    pub(super) fn kind(&self) -> Option<EventKind> {
        EventKind::from_number(self.bytes[1])
    }
    /// The code it failed with.
    pub(super) fn failed(&self) -> Option<u16> {
        Some(u16::from_be_bytes(self.array(4))).filter(|failed| *failed != 0)
    }
    /// Which type of record.
    pub(super) fn resource(&self) -> Option<ResourceType> {
        ResourceType::from_number(self.bytes[6])
    }
    /// When.
    pub(super) fn at(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.array(8)))
    }
    /// Whose record.
    pub(super) fn patient(&self) -> u32 {
        u32::from_be_bytes(self.array(16))
    }
    fn version(&self) -> u32 {
        u32::from_be_bytes(self.array(20))
    }
    fn count(&self) -> u64 {
        u32::from_be_bytes(self.array(24)).into()
    }
    fn session(&self) -> u64 {
        u64::from_be_bytes(self.array(28))
    }
    /// Whether it shows records of several patients.
    pub(super) fn has_patients(&self) -> bool {
        !self.patients.is_empty()
    }
    /// Whose records it showed, where more than one patient's.
    pub(super) fn patients(&self) -> impl Iterator<Item = u32> + 'a {
        let (mut rest, mut last) = (self.patients, 0_u32);
        std::iter::from_fn(move || {
            let (mut distance, mut shift) = (0_u64, 0);
            loop {
                let (byte, after) = rest.split_first()?;
                rest = after;
                distance |= u64::from(byte & 0x7f) << shift.min(63);
                shift += 7;
                if *byte < 0x80 {
                    last = last.wrapping_add(distance as u32);
                    return Some(last);
                }
            }
        })
    }
    /// Whether all of it can be read.
    pub(super) fn is_sound(&self) -> bool {
        let text = |bytes: &&[u8]| std::str::from_utf8(bytes).is_ok();
        self.kind().is_some() && text(&self.actor) && self.texts().is_some_and(|texts| texts.iter().all(text))
    }
    /// The texts after the actor, in the order of their parts; empty where they are absent.
    fn texts(&self) -> Option<[&'a [u8]; 6]> {
        let (mut texts, mut rest) = ([&[][..]; 6], self.rest);
        for (i, text) in texts.iter_mut().enumerate() {
            if self.parts & part::ON_BEHALF_OF << i != 0 {
                *text = take_text(&mut rest)?;
            }
        }
        rest.is_empty().then_some(texts)
    }
}

/// The hash of what lies beside an event, from its bytes.
pub(super) fn beside_of(event: &[u8]) -> Option<[u8; 32]> {
    Line::read(event)?.beside.copied()
}

/// The hash that ties what lies beside an event to it: `SHA-256(blind 16 || text)`.
pub(super) fn beside_hash(blind: &[u8; 16], beside: &[u8]) -> [u8; 32] {
    Active::sha256(&[blind, beside])
}

/// A part of fixed length, where there is one; None where the bytes end before it does.
fn take<'a, const N: usize>(rest: &mut &'a [u8], there: bool) -> Option<Option<&'a [u8; N]>> {
    if !there {
        return Some(None);
    }
    let (part, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(Some(part))
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first()?;
    let (text, after) = after.split_at_checked(usize::from(*length))?;
    *rest = after;
    Some(text)
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    let text = front(text, NAME_BYTES);
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}

fn put_patients(patients: &[u32], out: &mut Vec<u8>) {
    let length_at = out.len();
    out.extend([0; 2]);
    let mut last = 0;
    for patient in patients.iter().take(MOST_PATIENTS) {
        let mut distance = patient.wrapping_sub(last);
        last = *patient;
        while distance >= 0x80 {
            out.push(distance as u8 | 0x80);
            distance >>= 7;
        }
        out.push(distance as u8);
    }
    // Five bytes at most for each of the ten thousand.
    let length = (out.len() - length_at - 2) as u16;
    out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
}

/// The front of a text, at most so many bytes of whole characters.
fn front(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        *text = front(text, most).to_owned();
    }
}
