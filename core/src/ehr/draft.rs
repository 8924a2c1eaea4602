//! A change set that asks the gate: no record is put, deleted, retracted or restored without a decision about it.
//!
//! The decisions are about what the change set is made upon, in its own turn: nobody writes between the decision and the commit,
//! and what others left to the same commit counts.

use super::gate::Gate;
use crate::access::Action;
use crate::audit::Event;
use crate::error::{Code, Result};
use crate::record::Record;
use crate::schema::ResourceType;
use crate::store::{AsideKey, Change, Note, Outcome, PutMeta, Table};
use std::ops::Deref;

/// A change set behind the gate. What it reads goes round the gate and is for the change, not to be shown.
pub(crate) struct Draft<'s> {
    gate: Gate<'s>,
    change: Change<'s>,
}

impl<'s> Draft<'s> {
    pub(super) fn new(gate: Gate<'s>, change: Change<'s>) -> Draft<'s> {
        Draft { gate, change }
    }

    /// What the change set is made upon, as far as the session may see it.
    pub(crate) fn gate(&self) -> &Gate<'s> {
        &self.gate
    }

    /// Writes a record; see [`Change::put`].
    ///
    /// # Errors
    /// - `denied`, `masked-write`; of the store.
    pub(crate) fn put(&mut self, record: &Record, meta: &PutMeta<'_>) -> Result<Outcome> {
        self.gate.may_put(record, meta.resolve)?;
        self.change.put(record, meta)
    }

    /// As [`Draft::put`], where the current version has this number (0: where there is none).
    ///
    /// # Errors
    /// - `conflict`: it has another; as [`Draft::put`].
    pub(crate) fn put_over(&mut self, record: &Record, meta: &PutMeta<'_>, expected: u32) -> Result<Outcome> {
        self.gate.may_put(record, meta.resolve)?;
        let current = self.change.current_version(record.kind(), record.id().unwrap_or_default())?;
        if current.unwrap_or(0) != expected {
            return Err(Code::Conflict.error());
        }
        self.change.put(record, meta)
    }

    /// Says whether [`Draft::put`] would refuse the record; writes nothing.
    ///
    /// # Errors
    /// - as [`Draft::put`].
    pub(crate) fn may_put(&mut self, record: &Record, meta: &PutMeta<'_>) -> Result<()> {
        self.gate.may_put(record, meta.resolve)?;
        self.change.may_put(record, meta)
    }

    /// Writes a deletion; see [`Change::delete`].
    ///
    /// # Errors
    /// - `not-found`: there is nothing, or it is not for the session to delete; of the store.
    pub(crate) fn delete(&mut self, kind: ResourceType, id: &str, note: Option<&Note>) -> Result<u32> {
        self.gate.may(Action::Delete, kind, id)?;
        self.change.delete(kind, id, note)
    }

    /// Hides a record; see [`Change::retract`].
    ///
    /// # Errors
    /// - as [`Draft::delete`].
    pub(crate) fn retract(&mut self, kind: ResourceType, id: &str, note: &Note) -> Result<u32> {
        self.gate.may(Action::Retract, kind, id)?;
        self.change.retract(kind, id, note)
    }

    /// Undoes a retraction; see [`Change::restore`].
    ///
    /// # Errors
    /// - as [`Draft::delete`].
    pub(crate) fn restore(&mut self, kind: ResourceType, id: &str, note: &Note) -> Result<Outcome> {
        self.gate.may(Action::Retract, kind, id)?;
        self.change.restore(kind, id, note)
    }

    /// The change set itself, for what is written in the name of somebody who was asked before: an entry that is stored as it was
    /// imported. Also for rows that are no records.
    pub(crate) fn ungated(&mut self) -> &mut Change<'s> {
        &mut self.change
    }

    /// As [`Change::aside_put`].
    pub(crate) fn aside_put(&mut self, key: AsideKey, plain: &[u8]) -> Result<()> {
        self.change.aside_put(key, plain)
    }
    /// As [`Change::aside_number`].
    pub(crate) fn aside_number(&mut self) -> Result<u64> {
        self.change.aside_number()
    }
    /// As [`Change::set_reason_required`].
    pub(crate) fn set_reason_required(&mut self, required: bool) -> Result<()> {
        self.change.set_reason_required(required)
    }
    /// As [`Change::alias`].
    pub(crate) fn alias(&mut self, address: &str, target: &str) -> Result<()> {
        self.change.alias(address, target)
    }
    /// As [`Change::table_put`].
    pub(crate) fn table_put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.change.table_put(table, key, value)
    }
    /// As [`Change::table_remove`].
    pub(crate) fn table_remove(&mut self, table: Table, key: Vec<u8>) -> Result<()> {
        self.change.table_remove(table, key)
    }
}

/// What only reads is that of the change set.
impl<'s> Deref for Draft<'s> {
    type Target = Change<'s>;
    fn deref(&self) -> &Change<'s> {
        &self.change
    }
}

/// A change set that can be committed, and says in its event what was decided about it.
pub(crate) trait Ready<'s> {
    /// Fills the event in.
    fn tell(&self, event: &mut Event);
    /// The change set.
    fn change(self) -> Change<'s>;
}

impl<'s> Ready<'s> for Change<'s> {
    fn tell(&self, _: &mut Event) {}
    fn change(self) -> Change<'s> {
        self
    }
}

impl<'s> Ready<'s> for Draft<'s> {
    fn tell(&self, event: &mut Event) {
        self.gate.tell_what_was_permitted(event);
    }
    fn change(self) -> Change<'s> {
        self.into()
    }
}

impl<'s> From<Draft<'s>> for Change<'s> {
    fn from(draft: Draft<'s>) -> Change<'s> {
        draft.change // the gate goes first, and with it what it held of the rows below
    }
}
