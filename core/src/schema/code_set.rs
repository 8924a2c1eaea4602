//! The codes of required value sets that the definitions package lists.

use super::generated::bindings::{CODE_SETS, CODE_SLOTS, CODE_TEXT, CODES, SYSTEMS};
use super::{NONE, hash};

/// A row of the code set table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeSetId(pub(crate) u16);

/// The codes of one value set.
#[derive(Debug)]
pub struct CodeSet {
    /// The canonical address of the value set.
    pub url: &'static str,
    pub(super) first_slot: u32,
    pub(super) slot_bits: u8,
}

impl CodeSetId {
    /// The row.
    #[inline]
    pub fn set(self) -> &'static CodeSet {
        &CODE_SETS[self.0 as usize]
    }
}

impl CodeSet {
    /// Whether `code` is in the set, in whatever code system: for elements of type `code`.
    #[inline]
    pub fn contains_code(&self, code: &[u8]) -> bool {
        self.find(code, |_| true)
    }
    /// Whether `code` of `system` is in the set.
    pub fn contains(&self, system: &[u8], code: &[u8]) -> bool {
        self.find(code, |row| SYSTEMS[row as usize].as_bytes() == system)
    }

    fn find(&self, code: &[u8], fits: impl Fn(u16) -> bool) -> bool {
        let mask = (1_usize << self.slot_bits) - 1;
        let mut at = hash(code) as usize & mask;
        loop {
            let slot = CODE_SLOTS[self.first_slot as usize + at];
            if slot == NONE {
                return false;
            }
            let (start, length, system) = CODES[slot as usize];
            let start = usize::from(start);
            if CODE_TEXT.as_bytes()[start..start + usize::from(length)] == *code && fits(system) {
                return true;
            }
            at = (at + 1) & mask;
        }
    }
}
