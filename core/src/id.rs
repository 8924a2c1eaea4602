//! Numbers and identifiers of the library itself, and the injected source of randomness.

use crate::error::{Code, Result};

/// Which store a sealed thing belongs to: 16 random bytes made when the store is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId(pub [u8; 16]);

/// A patient's short number inside one store. 0 is the shared compartment: records of no single patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatientNumber(pub u32);

impl PatientNumber {
    /// Records that belong to no single patient (organizations, practitioners, ...).
    pub const SHARED: PatientNumber = PatientNumber(0);
}

/// Where random bytes come from. Tests inject a seeded one; products use [`SystemRandom`].
pub trait Random: Send + Sync {
    /// Fills `out`.
    ///
    /// # Errors
    /// - `random-unavailable` where the operating system gives none.
    fn fill(&self, out: &mut [u8]) -> Result<()>;
}

#[cfg(feature = "aws-lc")]
use aws_lc_rs::rand;
#[cfg(not(feature = "aws-lc"))]
use ring::rand;

/// The operating system's random bytes, through ring; with the feature `aws-lc` those of AWS-LC, which it seeds.
#[derive(Debug)]
pub struct SystemRandom(rand::SystemRandom);

impl Default for SystemRandom {
    fn default() -> Self {
        SystemRandom(rand::SystemRandom::new())
    }
}

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        rand::SecureRandom::fill(&self.0, out).map_err(|_| Code::RandomUnavailable.error())
    }
}

/// Formats 16 bytes as a UUID of version 4 (RFC 9562), setting version and variant.
pub fn uuid_from(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a hexadecimal digit"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_the_form_version_and_variant_of_rfc_9562() {
        assert_eq!(uuid_from([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
