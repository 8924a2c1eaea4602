//! Legal holds, and the one place where a change set finds out whether something may be changed at all.

use super::aside::{AsideKey, AsideKind};
use super::layout::{Reader, Writer};
use super::{Change, Snapshot};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::time::Timestamp;

/// A legal hold: until it is released, nothing it covers is changed, hidden or destroyed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub number: u64,
    /// The patient.
    pub patient: PatientNumber,
    /// The one record it covers; None: the whole chart.
    pub record: Option<(ResourceType, String)>,
    /// Why.
    pub reason: String,
    /// Whom to ask: what a refused caller is told. The host's words; put nothing of a record into them.
    pub contact: String,
    /// Who placed it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Who released it, when and why; None while it stands.
    pub released: Option<Released>,
}

/// The end of a hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Released {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hold({}, {})", self.number, if self.released.is_some() { "released" } else { "stands" })
    }
}

impl std::fmt::Debug for Released {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Released")
    }
}

impl Hold {
    pub(crate) fn key(&self) -> AsideKey {
        AsideKey { kind: AsideKind::Hold, patient: self.patient, compartment: 0, number: self.number }
    }

    /// `flags number (1 of a record, 2 released), { type number, id }?, reason, contact, by, at signed, { by, at signed, reason }?`
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(u64::from(self.record.is_some()) | u64::from(self.released.is_some()) << 1);
        if let Some((kind, id)) = &self.record {
            out.number(kind.number().into());
            out.bytes(id.as_bytes());
        }
        out.bytes(self.reason.as_bytes());
        out.bytes(self.contact.as_bytes());
        out.bytes(self.by.as_bytes());
        out.signed(self.at.0);
        if let Some(released) = &self.released {
            out.bytes(released.by.as_bytes());
            out.signed(released.at.0);
            out.bytes(released.reason.as_bytes());
        }
        out.0
    }

    pub(crate) fn decode(key: AsideKey, plain: &[u8]) -> Result<Hold> {
        let mut reader = Reader { rest: plain };
        let flags = reader.number()?;
        let record = if flags & 1 != 0 { Some((reader.kind()?, reader.text()?)) } else { None };
        let (reason, contact, by, at) = (reader.text()?, reader.text()?, reader.text()?, Timestamp(reader.signed()?));
        let released = if flags & 2 != 0 {
            Some(Released { by: reader.text()?, at: Timestamp(reader.signed()?), reason: reader.text()? })
        } else {
            None
        };
        Ok(Hold { number: key.number, patient: key.patient, record, reason, contact, by, at, released })
    }

    fn covers(&self, kind: ResourceType, id: &str) -> bool {
        self.record.as_ref().is_none_or(|(held, held_id)| *held == kind && held_id == id)
    }
}

impl Snapshot<'_> {
    /// The holds of a patient, or all, those that were released included.
    pub(crate) fn holds(&self, patient: Option<PatientNumber>) -> Result<Vec<Hold>> {
        self.asides(AsideKind::Hold, patient)?.iter().map(|(key, plain)| Hold::decode(*key, plain)).collect()
    }
}

impl Change<'_> {
    /// Refuses what a hold covers: every call that changes, hides or destroys a record asks here, in its turn to write, so no
    /// hold can be placed between the question and the deed. A new record of a patient on hold is not refused: care goes on.
    ///
    /// # Errors
    /// - `hold`, with whom to ask.
    pub(crate) fn refuse_held(&mut self, patient: u32, kind: ResourceType, id: &str) -> Result<()> {
        self.refuse_where(PatientNumber(patient), |hold| hold.covers(kind, id))
    }

    /// Refuses where a hold covers anything of a patient: for whoever destroys keys or a whole chart.
    ///
    /// # Errors
    /// - `hold`, with whom to ask.
    pub fn refuse_any_held(&mut self, patient: PatientNumber) -> Result<()> {
        self.refuse_where(patient, |_| true)
    }

    fn refuse_where(&mut self, patient: PatientNumber, covers: impl Fn(&Hold) -> bool) -> Result<()> {
        if !self.holds.contains_key(&patient) {
            let rows = self.asides(AsideKind::Hold, Some(patient))?;
            let all: Vec<Hold> = rows.iter().map(|(key, plain)| Hold::decode(*key, plain)).collect::<Result<_>>()?;
            self.holds.insert(patient, all.into_iter().filter(|hold| hold.released.is_none()).collect());
        }
        match self.holds.get(&patient).into_iter().flatten().find(|hold| covers(hold)) {
            Some(hold) => Err(Code::Hold.error().ask(&hold.contact)),
            None => Ok(()),
        }
    }
}
