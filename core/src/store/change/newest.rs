//! What is there of a record before a change set writes.

use super::Change;
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::store::layout::{Block, Place, Slot};
use crate::store::{ReadView, Table, pair};
use std::sync::Arc;

/// The newest version of a record.
pub(in crate::store) struct Newest {
    pub(in crate::store) place: Place,
    pub(super) block: Arc<Block>,
}

impl Newest {
    pub(in crate::store) fn slot(&self) -> &Slot {
        &self.block.slots[usize::from(self.place.slot)]
    }
    /// The type and the id.
    pub(in crate::store) fn name(&self) -> Result<(ResourceType, String)> {
        let id = std::str::from_utf8(&self.block.bytes[self.slot().id.clone()]).map_err(|_| Code::Corrupt.error())?;
        Ok((self.slot().kind, id.to_owned()))
    }
    /// How many versions lie in the same block.
    pub(in crate::store) fn slots(&self) -> u16 {
        u16::try_from(self.block.slots.len()).unwrap_or(u16::MAX)
    }
    /// Its bytes; None where it says that the record is deleted or hides it.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        (!self.slot().deleted && !self.slot().retracted).then(|| self.hidden_bytes())
    }
    /// Its bytes, of a retraction too.
    pub(in crate::store) fn hidden_bytes(&self) -> &[u8] {
        &self.block.bytes[self.slot().body.clone()]
    }
}

impl Change<'_> {
    /// The number of the current version, in this change set or before it; None where there is none or it is deleted or
    /// retracted.
    ///
    /// # Errors
    /// - of the backend.
    pub fn current_version(&self, kind: ResourceType, id: &str) -> Result<Option<u32>> {
        let key = self.store.id_key(kind, id);
        if let Some(&at) = self.by_id.get(&key) {
            return Ok(self.pending[at].is_shown().then_some(self.pending[at].version));
        }
        Ok(self.newest(&key)?.filter(|newest| newest.bytes().is_some()).map(|newest| newest.slot().version))
    }

    /// The current version and its bytes, in this change set's turn, what it wrote itself aside; None where there is none or it
    /// is deleted or retracted.
    ///
    /// # Errors
    /// - of the backend.
    pub fn current(&self, kind: ResourceType, id: &str) -> Result<Option<(u32, Vec<u8>)>> {
        let newest = self.newest(&self.store.id_key(kind, id))?;
        Ok(newest.and_then(|newest| Some((newest.slot().version, newest.bytes()?.to_vec()))))
    }

    /// The bytes of a version, in this change set's turn, what it wrote itself aside; None where there is none or it says that the
    /// record is deleted.
    ///
    /// # Errors
    /// - of the backend.
    pub fn version(&self, kind: ResourceType, id: &str, version: u32) -> Result<Option<Vec<u8>>> {
        let mut next = self.newest(&self.store.id_key(kind, id))?;
        while let Some(newest) = next {
            if newest.slot().version == version {
                return Ok((!newest.slot().deleted).then(|| newest.hidden_bytes().to_vec()));
            }
            next = self.before(&newest)?;
        }
        Ok(None)
    }

    /// The chart that the newest version of a record lies in, what this change set wrote itself aside.
    ///
    /// # Errors
    /// - of the backend.
    pub fn place_of(&self, kind: ResourceType, id: &str) -> Result<Option<PatientNumber>> {
        Ok(self.chart_of(kind, id)?.map(|(patient, _)| patient))
    }

    /// The chart and the compartment that the newest version of a record lies in, what this change set wrote itself aside.
    ///
    /// # Errors
    /// - of the backend.
    pub(crate) fn chart_of(&self, kind: ResourceType, id: &str) -> Result<Option<(PatientNumber, u8)>> {
        let newest = self.newest(&self.store.id_key(kind, id))?;
        Ok(newest.map(|newest| (PatientNumber(newest.place.patient), newest.place.chart().1)))
    }

    /// The number of a patient by logical id.
    ///
    /// # Errors
    /// - of the backend.
    pub fn patient(&self, id: &str) -> Result<Option<PatientNumber>> {
        self.store.patient(&self.rows, id)
    }

    /// The newest version among what is written, pending records aside.
    pub(in crate::store) fn newest(&self, key: &[u8; 13]) -> Result<Option<Newest>> {
        let Some(row) = self.rows.get(Table::Id, key)? else { return Ok(None) };
        Ok(Some(self.at(read_id_row(&row)?)?))
    }

    /// The version before; None where there is none, or its compartment was shredded.
    pub(in crate::store) fn before(&self, newest: &Newest) -> Result<Option<Newest>> {
        match newest.slot().before.map(|place| self.at(place)) {
            Some(Err(error)) if error.code() == Code::Erased => Ok(None),
            found => found.transpose(),
        }
    }

    pub(in crate::store) fn at(&self, place: Place) -> Result<Newest> {
        let number = pair((place.patient, place.block));
        let fresh = [&self.rows.mine, &*self.rows.under].iter().any(|batch| batch.get(Table::Block, &number).is_some());
        let block = if fresh {
            let key = self.charts.get(&place.chart()).map(|state| &state.key);
            self.store.block(&self.rows, place, key, false)?
        } else {
            self.store.block(&*self.rows.view, place, None, true)?
        };
        if usize::from(place.slot) >= block.slots.len() {
            return Err(Code::Corrupt.error());
        }
        Ok(Newest { place, block })
    }
}

pub(in crate::store) fn id_row(place: Place) -> Vec<u8> {
    let mut row = Vec::with_capacity(10);
    row.extend(pair((place.patient, place.block)));
    row.extend(place.slot.to_be_bytes());
    row
}

pub(in crate::store) fn read_id_row(row: &[u8]) -> Result<Place> {
    let row: &[u8; 10] = row.try_into().map_err(|_| Code::Corrupt.error())?;
    let number = |at: usize| u32::from_be_bytes(row[at..at + 4].try_into().expect("four bytes"));
    Ok(Place { patient: number(0), block: number(4), slot: u16::from_be_bytes([row[8], row[9]]) })
}
