//! What an audit event says.

use crate::error::Code;
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
    Backup = 50, "backup";
    Repair = 51, "repair";
    Check = 52, "check";
    AuditExport = 60, "audit-export";
    AuditReport = 61, "audit-report";
}

/// One event: who, what, when, why, with what outcome. No content of any record.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Whose record; 0 for none in particular.
    pub patient: u32,
    /// Which type of record.
    pub resource: Option<ResourceType>,
    /// Which record.
    pub id: String,
    /// Which version; 0 for none in particular.
    pub version: u32,
    /// How many records.
    pub count: u64,
    /// SHA-256 of what was written, or of the query asked; of an import, of its sources and their ledger lines; zeros for none.
    pub digest: [u8; 32],
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
            patient: 0,
            resource: None,
            id: String::new(),
            version: 0,
            count: 0,
            digest: [0; 32],
        }
    }

    /// Why it failed, where it did.
    pub fn failure(&self) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| Some(code.number()) == self.failed)
    }

    /// `version 1 || kind || role || purpose || failed 2 || resource || at 8 || patient 4 || version 4 || count 8 || digest 32 ||
    /// actor length 2, actor || id`; as version 2 without the digest, where it is zeros.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let digest = self.digest != [0; 32];
        out.extend([if digest { 1 } else { 2 }, self.kind as u8, self.role, self.purpose]);
        out.extend(self.failed.unwrap_or(0).to_be_bytes());
        out.push(self.resource.map_or(u8::MAX, ResourceType::number));
        out.extend(self.at.0.to_be_bytes());
        out.extend(self.patient.to_be_bytes());
        out.extend(self.version.to_be_bytes());
        out.extend(self.count.to_be_bytes());
        if digest {
            out.extend(self.digest);
        }
        let actor = &self.actor.as_bytes()[..self.actor.len().min(u16::MAX.into())];
        out.extend((actor.len() as u16).to_be_bytes());
        out.extend(actor);
        out.extend(self.id.as_bytes());
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Event> {
        let (fixed, rest) = bytes.split_first_chunk::<31>()?;
        let (digest, rest) = match fixed[0] {
            1 => rest.split_first_chunk().map(|(digest, rest)| (*digest, rest))?,
            2 => ([0; 32], rest),
            _ => return None,
        };
        let (length, rest) = rest.split_first_chunk()?;
        let (actor, id) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let failed = u16::from_be_bytes(fixed[4..6].try_into().ok()?);
        Some(Event {
            kind: EventKind::from_number(fixed[1])?,
            role: fixed[2],
            purpose: fixed[3],
            failed: (failed != 0).then_some(failed),
            resource: ResourceType::from_number(fixed[6]),
            at: Timestamp(i64::from_be_bytes(fixed[7..15].try_into().ok()?)),
            patient: u32::from_be_bytes(fixed[15..19].try_into().ok()?),
            version: u32::from_be_bytes(fixed[19..23].try_into().ok()?),
            count: u64::from_be_bytes(fixed[23..31].try_into().ok()?),
            digest,
            actor: String::from_utf8(actor.to_vec()).ok()?,
            id: String::from_utf8(id.to_vec()).ok()?,
        })
    }
}
