//! The import ledger: for every entry of every source what became of it, and why; and the quarantine.

use crate::error::{Code, Result};
use crate::report::{Issue, Severity};
use crate::schema::ResourceType;
use crate::store::{Reader, Writer};

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fate {
    /// Stored as a new version.
    Stored = 1,
    /// Its bytes were those of the current version already.
    Unchanged = 2,
    /// Kept word for word with its findings, to be mended and released.
    Quarantined = 3,
    /// Not kept: there is no record in it.
    Refused = 4,
}

impl Fate {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Stored => "stored",
            Fate::Unchanged => "unchanged",
            Fate::Quarantined => "quarantined",
            Fate::Refused => "refused",
        }
    }
    fn from_number(number: u8) -> Option<Fate> {
        [Fate::Stored, Fate::Unchanged, Fate::Quarantined, Fate::Refused].into_iter().find(|fate| *fate as u8 == number)
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The import source.
    pub source: u32,
    /// The entry of a Bundle or line of an NDJSON file, from 1.
    pub entry: u32,
    /// Where it starts in the source, in bytes.
    pub offset: u64,
    /// What became of it.
    pub fate: Fate,
    /// Why, where it was not stored.
    pub reason: Option<Code>,
    /// Type of the record.
    pub kind: Option<ResourceType>,
    /// Id of the record.
    pub id: String,
    /// The version it became or equals; 0 where it was not stored.
    pub version: u32,
    /// Whether the id was given by the import because the record had none.
    pub id_assigned: bool,
}

pub(crate) fn encode(entries: &[LedgerEntry]) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(entries.len() as u64);
    for entry in entries {
        out.number(entry.source.into());
        out.number(entry.entry.into());
        out.number(entry.offset);
        out.number(entry.fate as u64 | u64::from(entry.id_assigned) << 7);
        out.number(entry.reason.map_or(0, |code| code.number().into()));
        out.number(entry.kind.map_or(255, |kind| kind.number().into()));
        out.bytes(entry.id.as_bytes());
        out.number(entry.version.into());
    }
    out.0
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<LedgerEntry>> {
    let mut reader = Reader { rest: bytes };
    let mut entries = Vec::new();
    for _ in 0..reader.number()? {
        let (source, entry, offset) = (reader.small()?, reader.small()?, reader.number()?);
        let (fate, reason, kind) = (reader.number()?, reader.number()?, reader.small::<u8>()?);
        entries.push(LedgerEntry {
            source,
            entry,
            offset,
            fate: Fate::from_number((fate & 127) as u8).ok_or_else(|| Code::Corrupt.error())?,
            reason: code_of(reason),
            kind: ResourceType::from_number(kind),
            id: reader.text()?,
            version: reader.small()?,
            id_assigned: fate & 128 != 0,
        });
    }
    Ok(entries)
}

fn code_of(number: u64) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| u64::from(code.number()) == number)
}

/// An entry kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its number.
    pub number: u64,
    /// The import source and the entry in it.
    pub source: u32,
    /// The entry in the source, from 1.
    pub entry: u32,
    /// What was found.
    pub issues: Vec<Issue>,
    /// Its bytes, word for word. Wrapped so that `Debug` does not show them.
    pub bytes: crate::phi::Phi<Vec<u8>>,
}

impl Quarantined {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.source.into());
        out.number(self.entry.into());
        out.number(self.issues.len() as u64);
        for issue in &self.issues {
            out.number(issue.severity as u64);
            out.number(issue.code.number().into());
            out.bytes(issue.path.as_bytes());
            out.number(issue.line.into());
            out.number(issue.column.into());
            out.bytes(issue.message.as_bytes());
        }
        out.bytes(self.bytes.expose());
        out.0
    }

    pub(crate) fn decode(number: u64, bytes: &[u8]) -> Result<Quarantined> {
        let mut reader = Reader { rest: bytes };
        let (source, entry) = (reader.small()?, reader.small()?);
        let mut issues = Vec::new();
        for _ in 0..reader.number()? {
            issues.push(Issue {
                severity: match reader.number()? {
                    0 => Severity::Fatal,
                    1 => Severity::Error,
                    2 => Severity::Warning,
                    _ => Severity::Information,
                },
                code: code_of(reader.number()?).ok_or_else(|| Code::Corrupt.error())?,
                path: reader.text()?,
                line: reader.small()?,
                column: reader.small()?,
                message: reader.text()?,
                profile: None,
                rule: None,
            });
        }
        let bytes = crate::phi::Phi::new(reader.bytes()?.to_vec());
        Ok(Quarantined { number, source, entry, issues, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_and_quarantine_round_trip() {
        let entry = LedgerEntry {
            source: 3,
            entry: 9,
            offset: 1 << 40,
            fate: Fate::Quarantined,
            reason: Some(Code::ElementUnknown),
            kind: ResourceType::from_name("Patient"),
            id: "p".into(),
            version: 0,
            id_assigned: true,
        };
        assert_eq!(decode(&encode(std::slice::from_ref(&entry))).expect("readable"), [entry]);
        let issue = Issue {
            severity: Severity::Warning,
            code: Code::NullValue,
            path: "Patient.name".into(),
            line: 1,
            column: 2,
            message: "x".into(),
            profile: None,
            rule: None,
        };
        let kept = Quarantined {
            number: 4,
            source: 1,
            entry: 2,
            issues: vec![issue],
            bytes: crate::phi::Phi::new(vec![1, 2]),
        };
        assert_eq!(Quarantined::decode(4, &kept.encode()).expect("readable"), kept);
        assert!(decode(&[9]).is_err() && Quarantined::decode(1, &[1, 2, 3]).is_err());
    }
}
