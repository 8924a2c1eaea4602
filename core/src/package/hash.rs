//! A hash for tables of canonical URLs and codes: quick over short texts, and seeded anew in each process, so that no
//! package can be made whose names all fall together.
//!
//! `h = fold((h ^ w) * k)` for each eight bytes `w`, where `fold` joins both halves of the product of 128 bits.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

pub(crate) type Map<K, V> = HashMap<K, V, Quick>;
pub(crate) type Set<K> = HashSet<K, Quick>;

/// Makes the hashers of a table.
#[derive(Clone, Copy, Default)]
pub(crate) struct Quick;

pub(crate) struct QuickHasher(u64);

static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u8));

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl QuickHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, FACTOR ^ self.0.rotate_left(32));
    }
}

impl BuildHasher for Quick {
    type Hasher = QuickHasher;

    #[inline]
    fn build_hasher(&self) -> QuickHasher {
        QuickHasher(*SEED | 1)
    }
}

impl Hasher for QuickHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().expect("a chunk has eight bytes")));
        }
        let rest = words.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.mix(rest ^ (bytes.len() as u64) << 56);
    }
    #[inline]
    fn write_u8(&mut self, byte: u8) {
        // What ends each text; its length is mixed in already.
        self.0 ^= u64::from(byte);
    }
    #[inline]
    fn write_u16(&mut self, word: u16) {
        self.mix(u64::from(word));
    }
    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }
    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
    #[inline]
    fn finish(&self) -> u64 {
        fold(self.0, FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_a_little_fall_apart() {
        let hash = |text: &str| Quick.hash_one(text);
        let urls: HashSet<u64> = (0..100_000).map(|n| hash(&format!("http://example.org/ValueSet/{n}"))).collect();
        assert!(urls.len() > 99_990, "{}", urls.len());
        let low: HashSet<u64> = (0..4096).map(|n| hash(&format!("{n}")) & 0xffff).collect();
        assert!(low.len() > 3_800, "{}", low.len());
        let ends = ["", "a", "\0", "\0\0", "aaaaaaaa", "aaaaaaaaa", "aaaaaaa"].map(hash);
        assert_eq!(ends.iter().collect::<HashSet<_>>().len(), ends.len());
    }
}
