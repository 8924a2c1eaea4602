//! Sealing: compress, pad, encrypt; and the exact way back.
//!
//! A sealed value opens only under its own key and in its own place: the [`Context`] says where a value belongs and is
//! authenticated, not stored. See docs/format.md for the bytes.

mod codec;
mod envelope;

pub use codec::{MOST_PLAIN, Packer};
pub(crate) use envelope::epoch;
pub use envelope::{OVERHEAD, open, seal};

use crate::crypto::{Active, Provider};
use crate::error::Result;
use crate::id::{PatientNumber, Random, StoreId};
use std::fmt;
use zeroize::Zeroizing;

/// 32 uniformly random bytes that seal. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct SealKey {
    bytes: Box<Zeroizing<[u8; 32]>>,
    /// Which generation of key this is; stands in clear in front of what it seals.
    pub(crate) epoch: u32,
}

impl SealKey {
    /// A key of these bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>, epoch: u32) -> Self {
        SealKey { bytes: Box::new(bytes), epoch }
    }
    /// A key whose bytes are written where they stay, so that no copy of them is left behind on the stack.
    pub(crate) fn made(epoch: u32, fill: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut key = SealKey::new(Zeroizing::new([0; 32]), epoch);
        fill(&mut key.bytes);
        key
    }
    /// A random key.
    ///
    /// # Errors
    /// - `random-unavailable`.
    pub(crate) fn random(epoch: u32, random: &dyn Random) -> Result<Self> {
        let mut filled = Ok(());
        let key = SealKey::made(epoch, |out| filled = random.fill(out));
        filled.map(|()| key)
    }
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey(epoch {})", self.epoch)
    }
}

/// What sort of thing is sealed. Part of the format: numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum RowKind {
    RootKey = 1,
    PatientKey = 2,
    Patient = 3,
    Block = 4,
    Index = 5,
    Commit = 6,
    Audit = 7,
    Ledger = 8,
    Quarantine = 9,
    Alias = 10,
    Meta = 11,
    KeyTree = 30,
    KeyState = 31,
    CachedRoot = 32,
    Hold = 40,
    Proposal = 41,
    Request = 42,
    Conflict = 43,
    Tombstone = 44,
    Rules = 45,
    Policy = 20,
    Erased = 35,
    PatientGroup = 36,
    Anchor = 37,
}

/// Where a sealed value belongs. Opening needs the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The store.
    pub store: StoreId,
    /// The patient whose key seals it.
    pub patient: PatientNumber,
    /// 0 normal; others reserved for substance-use and psychotherapy notes.
    pub compartment: u8,
    /// What it is.
    pub row: RowKind,
    /// Its number among its kind.
    pub number: u64,
    /// Its part.
    pub part: u64,
    /// Security labels, in canonical text.
    pub labels: &'a [u8],
}

impl Context<'_> {
    /// A context with no labels in the normal compartment.
    pub const fn new(store: StoreId, patient: PatientNumber, row: RowKind, number: u64, part: u64) -> Self {
        Context { store, patient, compartment: 0, row, number, part, labels: &[] }
    }

    /// SHA-256 of the canonical, length-prefixed, versioned form.
    pub(crate) fn digest(&self, codec: u8, dictionary: u32) -> [u8; 32] {
        let mut fixed = [0_u8; 49];
        fixed[0] = 1; // version of this form
        fixed[1..17].copy_from_slice(&self.store.0);
        fixed[17..21].copy_from_slice(&self.patient.0.to_be_bytes());
        fixed[21] = self.compartment;
        fixed[22] = self.row as u8;
        fixed[23..31].copy_from_slice(&self.number.to_be_bytes());
        fixed[31..39].copy_from_slice(&self.part.to_be_bytes());
        fixed[39] = codec;
        fixed[40..44].copy_from_slice(&dictionary.to_be_bytes());
        fixed[44..48].copy_from_slice(&(self.labels.len() as u32).to_be_bytes());
        Active::sha256(&[&fixed, self.labels])
    }
}
