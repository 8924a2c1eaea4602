//! NO ENCRYPTION. Sealing copies, opening does not check, keys and tokens come from a hash that keeps nothing secret.
//!
//! For one purpose: to measure what encryption costs, by comparing with the same store without it. A store made so protects
//! nobody. The feature is never a default; `security_status().provider` of such a build says what it is.

use super::{Provider, Ring};
use crate::error::{Code, Result};
use std::hash::{DefaultHasher, Hasher};

/// NO ENCRYPTION: see the module.
#[derive(Debug)]
pub struct DangerUnencrypted;

const TAG: [u8; 16] = [0; 16];

impl Provider for DangerUnencrypted {
    const NAME: &'static str = "NONE: danger-bench-without-encryption";

    fn expand(key: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
        spread(key, info, out);
    }
    fn seal(_: &[u8; 32], _: [u8; 12], _: &[u8], buffer: &mut Vec<u8>, _: usize) -> Result<()> {
        buffer.extend_from_slice(&TAG);
        Ok(())
    }
    fn open(_: &[u8; 32], _: [u8; 12], _: &[u8], buffer: &mut [u8]) -> Result<usize> {
        buffer.len().checked_sub(TAG.len()).ok_or_else(|| Code::Corrupt.error())
    }
    fn seal_detached(_: &[u8; 32], _: [u8; 12], _: &[u8], _: &mut [u8]) -> Result<[u8; 16]> {
        Ok(TAG)
    }
    fn open_detached(_: &[u8; 32], _: [u8; 12], _: &[u8], _: [u8; 16], _: &mut [u8]) -> Result<()> {
        Ok(())
    }
    fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        spread(key, parts, &mut out);
        out
    }
    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        Ring::sha256(parts)
    }
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        Ring::verify(public_key, message, signature)
    }
}

/// Different bytes for different input, and no more than that.
fn spread(key: &[u8; 32], parts: &[&[u8]], out: &mut [u8]) {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    parts.iter().for_each(|part| hasher.write(part));
    for (number, chunk) in out.chunks_mut(8).enumerate() {
        hasher.write_u8(number as u8);
        chunk.copy_from_slice(&hasher.finish().to_be_bytes()[..chunk.len()]);
    }
}

/// NO SECRET: see the module.
pub struct MacKey([u8; 32]);

impl MacKey {
    /// Makes a key ready.
    pub fn new(key: &[u8; 32]) -> Self {
        MacKey(*key)
    }
    /// As [`Provider::mac`].
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        DangerUnencrypted::mac(&self.0, &[message])
    }
}
