//! Compress, pad, seal; and back. Compression comes first, padding hides what length says, sealing comes last.

use super::envelope::{open_with, seal_with};
use super::{Context, SealKey};
use crate::error::{Code, Result};
use crate::id::Random;
use zeroize::Zeroizing;

/// The most bytes a packed value may hold.
pub const MOST_PLAIN: usize = 1 << 30;

/// zstd level 1 with the built-in dictionary. Trained on made-up charts; never on patients.
static DICTIONARY: &[u8] = include_bytes!("dictionary.bin");

const LEVEL: i32 = 1;
const RAW: u8 = 0;
const ZSTD_DICTIONARY: u8 = 2;

/// Packs and unpacks. Keeps its compression contexts, so one is used for many values.
pub struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    decompressor: zstd::bulk::Decompressor<'static>,
    scratch: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// A packer.
    ///
    /// # Errors
    /// - `internal`: the compressor cannot be set up (no memory).
    pub fn new() -> Result<Self> {
        let compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, DICTIONARY);
        let decompressor = zstd::bulk::Decompressor::with_dictionary(DICTIONARY);
        match (compressor, decompressor) {
            (Ok(compressor), Ok(decompressor)) => {
                Ok(Packer { compressor, decompressor, scratch: Zeroizing::default() })
            }
            _ => Err(Code::Internal.error()),
        }
    }

    /// `codec 1 || seal[key, context, codec, dictionary](pad(length 4 || length when plain 4 || compressed))`.
    ///
    /// # Errors
    /// - `limit-size`: more than [`MOST_PLAIN`] bytes. `random-unavailable`.
    pub fn pack(&mut self, key: &SealKey, context: &Context<'_>, plain: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        if plain.len() > MOST_PLAIN {
            return Err(Code::LimitSize.error());
        }
        let most = 8 + zstd::zstd_safe::compress_bound(plain.len()).max(plain.len());
        if self.scratch.len() < padme(most) {
            self.scratch.resize(padme(most), 0);
        }
        let scratch = &mut *self.scratch;
        let compressed = self.compressor.compress_to_buffer(plain, &mut scratch[8..most]).unwrap_or(usize::MAX);
        let (codec, length) = if compressed < plain.len() { (ZSTD_DICTIONARY, compressed) } else { (RAW, plain.len()) };
        if codec == RAW {
            scratch[8..8 + length].copy_from_slice(plain);
        }
        scratch[..4].copy_from_slice(&(length as u32).to_be_bytes());
        scratch[4..8].copy_from_slice(&(plain.len() as u32).to_be_bytes());
        let padded = padme(8 + length);
        scratch[8 + length..padded].fill(0);
        let mut sealed = seal_with(key, &context.digest(codec, dictionary_id(codec)), &scratch[..padded], random)?;
        sealed.insert(0, codec);
        Ok(sealed)
    }

    /// The inverse of [`Packer::pack`].
    ///
    /// # Errors
    /// - as [`super::open`].
    pub fn unpack(&mut self, key: &SealKey, context: &Context<'_>, packed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (&codec, sealed) = packed.split_first().ok_or_else(|| Code::Truncated.error())?;
        if codec != RAW && codec != ZSTD_DICTIONARY {
            return Err(Code::VersionUnsupported.error());
        }
        let mut padded = open_with(key, &context.digest(codec, dictionary_id(codec)), sealed)?;
        let number = |at: usize| -> Result<usize> {
            let bytes = padded.get(at..at + 4).ok_or_else(|| Code::Corrupt.error())?;
            Ok(u32::from_be_bytes(bytes.try_into().expect("four bytes")) as usize)
        };
        let (length, plain) = (number(0)?, number(4)?);
        if plain > MOST_PLAIN || length > padded.len() - 8 {
            return Err(Code::Corrupt.error());
        }
        if codec == RAW {
            padded.truncate(8 + length);
            padded.drain(..8);
            return Ok(padded);
        }
        let out = self.decompressor.decompress(&padded[8..8 + length], plain).map_err(|_| Code::Corrupt.error())?;
        if out.len() != plain {
            return Err(Code::Corrupt.error());
        }
        Ok(Zeroizing::new(out))
    }
}

/// Which dictionary a codec uses: the one compiled in is number 1.
const fn dictionary_id(codec: u8) -> u32 {
    if codec == ZSTD_DICTIONARY { 1 } else { 0 }
}

/// Padmé (Nikitin et al., "Reducing metadata leakage from encrypted files", PETS 2019): the length hides all but
/// O(log log n) bits, at most 12 % is added.
pub(crate) fn padme(length: usize) -> usize {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept = exponent.max(1).ilog2() + 1;
    let mask = (1_usize << exponent.saturating_sub(kept)) - 1;
    (length + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{PatientNumber, StoreId, SystemRandom};
    use crate::vault::RowKind;
    use proptest::prelude::*;

    fn key() -> SealKey {
        SealKey::new(Zeroizing::new([3; 32]), 0)
    }

    /// What was sealed with the right key and says of itself what is not so: a bug of the writer, or somebody with the keys.
    #[test]
    fn what_says_another_length_than_it_has_is_refused_before_memory_is_taken_for_it() {
        let context = Context::new(StoreId([1; 16]), PatientNumber(1), RowKind::Block, 1, 1);
        let mut packer = Packer::new().expect("zstd");
        let sealed = |codec: u8, length: u32, plain: u32, rest: &[u8]| {
            let padded = [&length.to_be_bytes()[..], &plain.to_be_bytes(), rest].concat();
            let digest = context.digest(codec, dictionary_id(codec));
            let mut all = seal_with(&key(), &digest, &padded, &SystemRandom::default()).expect("it seals");
            all.insert(0, codec);
            all
        };
        let squeezed = packer.compressor.compress(&[7; 400]).expect("it compresses");
        let length = squeezed.len() as u32;
        let good = sealed(ZSTD_DICTIONARY, length, 400, &squeezed);
        assert_eq!(**packer.unpack(&key(), &context, &good).expect("it is as it says"), [7; 400]);
        for (what, wrong) in [
            ("larger than anything may be", sealed(ZSTD_DICTIONARY, length, MOST_PLAIN as u32 + 1, &squeezed)),
            ("longer than what is there", sealed(RAW, 9, 9, b"short")),
            ("more than it becomes", sealed(ZSTD_DICTIONARY, length, 401, &squeezed)),
            ("less than it becomes", sealed(ZSTD_DICTIONARY, length, 399, &squeezed)),
            ("nothing that was compressed", sealed(ZSTD_DICTIONARY, 5, 400, b"noise")),
        ] {
            assert_eq!(packer.unpack(&key(), &context, &wrong).expect_err(what).code(), Code::Corrupt, "{what}");
        }
        assert_eq!(packer.unpack(&key(), &context, &[]).expect_err("nothing").code(), Code::Truncated);
        assert_eq!(packer.unpack(&key(), &context, &[9, 1, 2]).expect_err("no codec").code(), Code::VersionUnsupported);
        let large = vec![0; MOST_PLAIN + 1];
        let refused = packer.pack(&key(), &context, &large, &SystemRandom::default());
        assert_eq!(refused.expect_err("too large").code(), Code::LimitSize);
        assert_eq!(format!("{packer:?}"), "Packer");
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks_and_its_length_is_padded(text in prop::collection::vec(any::<u8>(), 0..2_000), times in 1_usize..40) {
            let plain = text.repeat(times);
            let context = Context::new(StoreId([1; 16]), PatientNumber(1), RowKind::Block, 1, 1);
            let mut packer = Packer::new().expect("zstd");
            let packed = packer.pack(&key(), &context, &plain, &SystemRandom::default()).expect("it packs");
            prop_assert_eq!(&*packer.unpack(&key(), &context, &packed).expect("it unpacks"), &plain);
            let mut codec_changed = packed;
            codec_changed[0] ^= 2;
            prop_assert!(packer.unpack(&key(), &context, &codec_changed).is_err());
        }

        #[test]
        fn padding_adds_at_most_an_eighth_and_never_shrinks(length in 0_usize..10_000_000) {
            let padded = padme(length);
            prop_assert!(padded >= length && padded <= length + length / 8);
            prop_assert_eq!(padme(padded), padded);
        }
    }
}
