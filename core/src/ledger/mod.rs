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
    /// A further line about a quarantined entry: it was mended and stored.
    Released = 5,
}

impl Fate {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Stored => "stored",
            Fate::Unchanged => "unchanged",
            Fate::Quarantined => "quarantined",
            Fate::Refused => "refused",
            Fate::Released => "released",
        }
    }
    fn from_number(number: u8) -> Option<Fate> {
        [Fate::Stored, Fate::Unchanged, Fate::Quarantined, Fate::Refused, Fate::Released]
            .into_iter()
            .find(|fate| *fate as u8 == number)
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

/// Bytes of one row of the ledger: with its seal it fills a page of the storage engine.
const ROW: usize = 4000;
/// Most bytes of one line: what is left of a row goes unused.
const LONGEST_LINE: usize = 120;

const FATE: u8 = 0b0111;
const ASSIGNED: u8 = 0b1000;
const HAS_REASON: u8 = 0b1_0000;
const HAS_KIND: u8 = 0b10_0000;
const UUID: u8 = 0b100_0000;

/// Rows of lines of one source. Entry and offset are the difference to the line before; an id that is a UUID takes 16 bytes.
pub(crate) fn encode(entries: &[LedgerEntry]) -> Vec<Vec<u8>> {
    let (mut rows, mut out) = (Vec::new(), Writer::default());
    let (mut entry, mut offset) = (0, 0);
    for line in entries {
        if out.0.is_empty() {
            out.number(line.source.into());
            (entry, offset) = (0, 0);
        }
        let uuid = uuid(&line.id);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.0.push(
            line.fate as u8
                | flag(line.id_assigned, ASSIGNED)
                | flag(line.reason.is_some(), HAS_REASON)
                | flag(line.kind.is_some(), HAS_KIND)
                | flag(uuid.is_some(), UUID),
        );
        out.number(line.entry.wrapping_sub(entry).into());
        out.number(line.offset.wrapping_sub(offset));
        (entry, offset) = (line.entry, line.offset);
        line.reason.into_iter().for_each(|code| out.number(code.number().into()));
        line.kind.into_iter().for_each(|kind| out.0.push(kind.number()));
        match uuid {
            Some(uuid) => out.0.extend(uuid),
            None => out.bytes(line.id.as_bytes()),
        }
        out.number(line.version.into());
        if out.0.len() > ROW - LONGEST_LINE {
            rows.push(std::mem::take(&mut out.0));
        }
    }
    if !out.0.is_empty() {
        rows.push(out.0);
    }
    rows
}

/// The lines of a row.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<LedgerEntry>> {
    let corrupt = || Code::Corrupt.error();
    let mut reader = Reader { rest: bytes };
    let source = reader.small()?;
    let (mut entries, mut entry, mut offset) = (Vec::new(), 0_u32, 0_u64);
    while !reader.rest.is_empty() {
        let [flags] = reader.array()?;
        entry = entry.wrapping_add(reader.small()?);
        offset = offset.wrapping_add(reader.number()?);
        let reason = if flags & HAS_REASON == 0 { None } else { code_of(reader.number()?) };
        let kind = if flags & HAS_KIND == 0 { None } else { ResourceType::from_number(reader.array::<1>()?[0]) };
        let id = if flags & UUID == 0 { reader.text()? } else { uuid_text(&reader.array()?) };
        entries.push(LedgerEntry {
            source,
            entry,
            offset,
            fate: Fate::from_number(flags & FATE).ok_or_else(corrupt)?,
            reason,
            kind,
            id,
            version: reader.small()?,
            id_assigned: flags & ASSIGNED != 0,
        });
    }
    Ok(entries)
}

/// The bytes of an id that is a UUID in its usual form: lower case, with hyphens.
fn uuid(id: &str) -> Option<[u8; 16]> {
    let (text, mut bytes, mut digits) = (id.as_bytes(), [0; 16], 0);
    if text.len() != 36 {
        return None;
    }
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        bytes[digits / 2] |= digit << if digits % 2 == 0 { 4 } else { 0 };
        digits += 1;
    }
    Some(bytes)
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn code_of(number: u64) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| u64::from(code.number()) == number)
}

/// An entry kept aside.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Quarantined {
    /// Its number, given once and never again.
    pub number: u64,
    /// The import source and the entry in it.
    pub source: u32,
    /// The entry in the source, from 1.
    pub entry: u32,
    /// What was found.
    pub issues: Vec<Issue>,
    /// Its bytes, word for word. Wrapped so that `Debug` does not show them.
    pub bytes: crate::phi::Phi<Vec<u8>>,
    /// Where it starts in the source, in bytes.
    pub(crate) offset: u64,
    /// Its own address in the source.
    pub(crate) full_url: Option<String>,
    /// The id the other entries of its source know it by; empty where it is not known.
    pub(crate) id: String,
    /// What addresses in it stand for, as `Type/id`.
    pub(crate) addresses: Vec<(String, String)>,
}

impl std::fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quarantined({} of source {}, entry {})", self.number, self.source, self.entry)
    }
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
        out.number(self.offset);
        out.bytes(self.full_url.as_deref().unwrap_or_default().as_bytes());
        out.bytes(self.id.as_bytes());
        out.number(self.addresses.len() as u64);
        for (address, target) in &self.addresses {
            out.bytes(address.as_bytes());
            out.bytes(target.as_bytes());
        }
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
        let mut kept = Quarantined { number, source, entry, issues, bytes, ..Quarantined::default() };
        if reader.rest.is_empty() {
            return Ok(kept); // written by a version that kept no more
        }
        kept.offset = reader.number()?;
        kept.full_url = Some(reader.text()?).filter(|address| !address.is_empty());
        kept.id = reader.text()?;
        for _ in 0..reader.number()? {
            kept.addresses.push((reader.text()?, reader.text()?));
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_in_its_usual_form_is_kept_as_one() {
        for (id, is) in [
            ("0a1b2c3d-ffff-4e5f-8899-aabbccddeeff", true),
            ("0A1b2c3d-ffff-4e5f-8899-aabbccddeeff", false),
            ("0a1b2c3d-ffff-4e5f-8899-aabbccddeef", false),
            ("0a1b2c3d0ffff-4e5f-8899-aabbccddeeff", false),
            ("p-7", false),
        ] {
            assert_eq!(uuid(id).map(|bytes| uuid_text(&bytes)).as_deref(), is.then_some(id), "{id}");
        }
    }

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
        let stored = LedgerEntry {
            fate: Fate::Stored,
            reason: None,
            id: "0a1b2c3d-ffff-4e5f-8899-aabbccddeeff".into(),
            version: 3,
            id_assigned: false,
            ..entry.clone()
        };
        let lines: Vec<LedgerEntry> = (1..1000)
            .map(|n| LedgerEntry {
                entry: n,
                offset: u64::from(n) * 1300,
                ..if n % 9 == 0 { entry.clone() } else { stored.clone() }
            })
            .collect();
        let rows = encode(&lines);
        assert!(rows.iter().all(|row| row.len() <= ROW) && rows.len() < 8, "{} rows", rows.len());
        let read: Vec<LedgerEntry> = rows.iter().flat_map(|row| decode(row).expect("readable")).collect();
        assert_eq!(read, lines);
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
            offset: 77,
            full_url: Some("urn:uuid:x".into()),
            id: "p".into(),
            addresses: vec![("urn:uuid:y".into(), "Patient/y".into())],
        };
        assert_eq!(format!("{kept:?}"), "Quarantined(4 of source 1, entry 2)");
        assert_eq!(Quarantined::decode(4, &kept.encode()).expect("readable"), kept);
        assert!(decode(&[9, 9]).is_err() && Quarantined::decode(1, &[1, 2, 3]).is_err());
    }
}
