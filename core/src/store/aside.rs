//! What is kept beside the records of a patient: sealed rows of decisions about entries.
//!
//! `kind 1, patient 4, compartment 1, number 8` -> packed under the key of that compartment where it holds what a patient or a
//! clinician wrote, so that it is destroyed with the chart; under the store's key where it must outlive it (holds, proposals).

use super::{Change, ReadView, Snapshot, Store, Table};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, StoreId};
use crate::keys::KeyRing;
use crate::vault::{Context, Packer, RowKind, SealKey};
use zeroize::Zeroizing;

/// What sort of row. Numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AsideKind {
    Hold = 1,
    Proposal = 2,
    Request = 3,
    Conflict = 4,
}

impl AsideKind {
    const fn row(self) -> RowKind {
        match self {
            AsideKind::Hold => RowKind::Hold,
            AsideKind::Proposal => RowKind::Proposal,
            AsideKind::Request => RowKind::Request,
            AsideKind::Conflict => RowKind::Conflict,
        }
    }
    /// Those whose rows lie under the key of a patient's compartment, and go with it.
    const UNDER_PATIENT_KEY: [AsideKind; 2] = [AsideKind::Request, AsideKind::Conflict];

    fn under_patient_key(self) -> bool {
        AsideKind::UNDER_PATIENT_KEY.contains(&self)
    }
}

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsideKey {
    pub(crate) kind: AsideKind,
    pub(crate) patient: PatientNumber,
    /// The compartment of the record it is about.
    pub(crate) compartment: u8,
    /// Its number, unlike that of any other row of any kind.
    pub(crate) number: u64,
}

/// A row, opened.
pub(crate) type AsideRow = (AsideKey, Zeroizing<Vec<u8>>);

/// The key of a row of the store as a whole: 0 and a name.
const COUNTER: &[u8] = b"\0number";
const RULES: &[u8] = b"\0rules";

impl AsideKey {
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut key = vec![self.kind as u8];
        key.extend(self.patient.0.to_be_bytes());
        key.push(self.compartment);
        key.extend(self.number.to_be_bytes());
        key
    }
    fn of(kind: AsideKind, key: &[u8]) -> Result<AsideKey> {
        let key: &[u8; 14] = key.try_into().map_err(|_| Code::Corrupt.error())?;
        Ok(AsideKey {
            kind,
            patient: PatientNumber(u32::from_be_bytes(key[1..5].try_into().expect("four bytes"))),
            compartment: key[5],
            number: u64::from_be_bytes(key[6..].try_into().expect("eight bytes")),
        })
    }
    fn context(self, store: &Store) -> Context<'static> {
        self.place(store.keys.store_id())
    }
    fn place(self, store: StoreId) -> Context<'static> {
        let place = Context::new(store, self.patient, self.kind.row(), self.number, 0);
        Context { compartment: self.compartment, ..place }
    }
}

/// Whether a hold is one that was released; None where it is no hold, or not genuine.
pub(super) fn hold_is_released(keys: &KeyRing, key: &[u8], sealed: &[u8]) -> Option<bool> {
    let place = AsideKey::of(AsideKind::Hold, key).ok().filter(|_| key.first() == Some(&(AsideKind::Hold as u8)))?;
    let plain = Packer::new().ok()?.unpack(keys.store_key(), &place.place(keys.store_id()), sealed).ok()?;
    super::Hold::decode(place, &plain).ok().map(|hold| hold.released.is_some())
}

impl Store {
    fn aside_key(&self, view: &dyn ReadView, key: AsideKey) -> Result<SealKey> {
        match key.kind.under_patient_key() {
            true => self.patient_key(view, (key.patient.0, key.compartment), false),
            false => Ok(self.keys.store_key().clone()),
        }
    }

    /// The rows of a kind, of one patient or of all, in the order of patients and numbers. What was destroyed with its patient is
    /// not among them.
    pub(super) fn asides(
        &self,
        view: &dyn ReadView,
        kind: AsideKind,
        patient: Option<PatientNumber>,
    ) -> Result<Vec<AsideRow>> {
        let (mut from, mut to) = (vec![kind as u8], vec![kind as u8]);
        if let Some(patient) = patient {
            from.extend(patient.0.to_be_bytes());
            to.extend(patient.0.to_be_bytes());
        }
        to.extend([0xff; 14]);
        let mut sealed = Vec::new();
        view.range(Table::Lifecycle, &from, &to, &mut |key, value| {
            sealed.push((key.to_vec(), value.to_vec()));
            true
        })?;
        let mut rows = Vec::with_capacity(sealed.len());
        for (key, value) in sealed {
            let key = AsideKey::of(kind, &key)?;
            match self.open_aside(view, key, &value) {
                Ok(plain) => rows.push((key, plain)),
                Err(error) if error.code() == Code::Erased => {}
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }

    /// The row of a kind with that number.
    pub(super) fn aside(&self, view: &dyn ReadView, kind: AsideKind, number: u64) -> Result<Option<AsideRow>> {
        let mut found = None;
        view.range(Table::Lifecycle, &[kind as u8], &[kind as u8 + 1], &mut |key, value| {
            if key.ends_with(&number.to_be_bytes()) {
                found = Some((key.to_vec(), value.to_vec()));
            }
            found.is_none()
        })?;
        let Some((key, value)) = found else { return Ok(None) };
        let key = AsideKey::of(kind, &key)?;
        Ok(Some((key, self.open_aside(view, key, &value)?)))
    }

    fn open_aside(&self, view: &dyn ReadView, key: AsideKey, value: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let seal = self.aside_key(view, key)?;
        self.with_packer(|packer| packer.unpack(&seal, &key.context(self), value))
    }

    fn rules_context(&self, number: u32) -> Context<'static> {
        self.context(0, RowKind::Rules, number)
    }

    /// The rules of the store as they were last set; empty where they never were.
    pub(super) fn rules(&self, view: &dyn ReadView) -> Result<Vec<u8>> {
        match view.get(Table::Lifecycle, RULES)? {
            Some(sealed) => Ok(crate::vault::open(self.keys.store_key(), &self.rules_context(1), &sealed)?.to_vec()),
            None => Ok(Vec::new()),
        }
    }
}

impl Snapshot<'_> {
    /// As [`Store::asides`].
    pub(crate) fn asides(&self, kind: AsideKind, patient: Option<PatientNumber>) -> Result<Vec<AsideRow>> {
        self.store.asides(&*self.view, kind, patient)
    }
    /// As [`Store::aside`].
    pub(crate) fn aside(&self, kind: AsideKind, number: u64) -> Result<Option<AsideRow>> {
        self.store.aside(&*self.view, kind, number)
    }
}

impl Snapshot<'_> {
    /// How long entries are kept, as it was set last; empty where it never was.
    pub(crate) fn retention(&self) -> Result<Vec<u8>> {
        Ok(self.store.rules(&*self.view)?.get(1..).unwrap_or_default().to_vec())
    }
}

impl Change<'_> {
    /// As [`Store::asides`], what this change set wrote included.
    pub(crate) fn asides(&self, kind: AsideKind, patient: Option<PatientNumber>) -> Result<Vec<AsideRow>> {
        self.store.asides(&self.rows, kind, patient)
    }
    /// As [`Store::aside`], what this change set wrote included.
    pub(crate) fn aside(&self, kind: AsideKind, number: u64) -> Result<Option<AsideRow>> {
        self.store.aside(&self.rows, kind, number)
    }

    /// The rows that lie under the key of a compartment: key and place of each.
    pub(super) fn asides_of(&self, (patient, compartment): (u32, u8)) -> Result<Vec<(Vec<u8>, Context<'static>)>> {
        let mut found = Vec::new();
        for kind in AsideKind::UNDER_PATIENT_KEY {
            let from = [&[kind as u8][..], &patient.to_be_bytes(), &[compartment]].concat();
            let to = [&from[..], &[0xff; 9]].concat();
            let mut keys = Vec::new();
            self.rows.range(Table::Lifecycle, &from, &to, &mut |key, _| {
                keys.push(key.to_vec());
                true
            })?;
            for key in keys {
                let place = AsideKey::of(kind, &key)?.context(self.store);
                found.push((key, place));
            }
        }
        Ok(found)
    }

    /// Writes a row, or another in its place.
    pub(crate) fn aside_put(&mut self, key: AsideKey, plain: &[u8]) -> Result<()> {
        if key.kind.under_patient_key() {
            self.load_chart((key.patient.0, key.compartment))?;
        }
        let seal = self.store.aside_key(&self.rows, key)?;
        let context = key.context(self.store);
        let packed = self.store.with_packer(|packer| packer.pack(&seal, &context, plain, &*self.store.random))?;
        self.rows.mine.put(Table::Lifecycle, key.bytes(), packed);
        if key.kind == AsideKind::Hold {
            self.holds.clear();
        }
        Ok(())
    }

    /// Writes a row in the place of one whose old bytes are to be wiped.
    pub(crate) fn aside_replace(&mut self, key: AsideKey, plain: &[u8]) -> Result<()> {
        self.remove(Table::Lifecycle, key.bytes())?;
        self.aside_put(key, plain)
    }

    /// A number that no row had before.
    pub(crate) fn aside_number(&mut self) -> Result<u64> {
        let (store_key, context) = (self.store.keys.store_key(), self.store.rules_context(0));
        let given = match self.rows.get(Table::Lifecycle, COUNTER)? {
            Some(sealed) => {
                let plain = crate::vault::open(store_key, &context, &sealed)?;
                u64::from_be_bytes(plain.as_slice().try_into().map_err(|_| Code::Corrupt.error())?)
            }
            None => 0,
        };
        let number = given.checked_add(1).ok_or_else(|| Code::LimitCount.error())?;
        let sealed = crate::vault::seal(store_key, &context, &number.to_be_bytes(), &*self.store.random)?;
        self.rows.mine.put(Table::Lifecycle, COUNTER.to_vec(), sealed);
        Ok(number)
    }

    /// Sets whether a further version needs its reason.
    pub(crate) fn set_reason_required(&mut self, required: bool) -> Result<()> {
        let mut rules = self.store.rules(&self.rows)?;
        rules.resize(rules.len().max(1), 0);
        rules[0] = required.into();
        self.rules_put(&rules)
    }

    /// Sets how long entries are kept.
    pub(crate) fn set_retention(&mut self, rules: &[u8]) -> Result<()> {
        let mut all = self.store.rules(&self.rows)?;
        all.resize(1, 0);
        all.extend(rules);
        self.rules_put(&all)
    }

    /// Sets the rules of the store.
    fn rules_put(&mut self, plain: &[u8]) -> Result<()> {
        let context = self.store.rules_context(1);
        let sealed = crate::vault::seal(self.store.keys.store_key(), &context, plain, &*self.store.random)?;
        self.rows.mine.put(Table::Lifecycle, RULES.to_vec(), sealed);
        self.reason_required = None;
        Ok(())
    }
}
