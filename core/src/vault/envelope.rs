//! The envelope: chunked, committing authenticated encryption.

use super::{Context, SealKey};
use crate::crypto::{Active, Provider, equal};
use crate::error::{Code, Result};
use crate::id::Random;
use zeroize::Zeroizing;

/// Bytes that sealing adds to a value of less than 16 KiB.
pub const OVERHEAD: usize = HEADER + TAG;

const SUITE: u8 = 1;
const SALT: usize = 24;
const COMMITMENT: usize = 32;
const HEADER: usize = 1 + 4 + SALT + COMMITMENT;
const CHUNK: usize = 16 * 1024;
const TAG: usize = 16;
const INFO: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// `seal[k, c](m)` = suite 1 || epoch 4 || Cobblestone-256(k, SHA-256(c), m) (c2sp.org/chunked-encryption):
/// salt 24 || commitment 32 || chunks, with key || nonce || commitment = HKDF-Expand[SHA-512](k, info || salt || SHA-256(c)),
/// chunk i of at most 16 KiB sealed with AES-256-GCM under nonce XOR i, the last chunk shorter than 16 KiB. There is no other
/// associated data: the place `c` goes into the key, the nonce and the commitment of all chunks.
///
/// Rule: the salt is fresh and random for every call.
///
/// # Errors
/// - `random-unavailable`
pub fn seal(key: &SealKey, context: &Context<'_>, plain: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
    seal_with(key, &context.digest(0, 0), plain, random)
}

/// The inverse of [`seal`]. The commitment is compared in constant time before anything is decrypted.
///
/// # Errors
/// - `wrong-key`: another key, another place, or a changed header.
/// - `corrupt`, `truncated`, `version-unsupported`: what is stored is not what was sealed.
pub fn open(key: &SealKey, context: &Context<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    open_with(key, &context.digest(0, 0), sealed)
}

/// Which generation of key a sealed value says it was sealed with. That is not authenticated until it is opened.
///
/// # Errors
/// - `truncated`, `version-unsupported`.
pub(crate) fn epoch(sealed: &[u8]) -> Result<u32> {
    match sealed {
        [SUITE, a, b, c, d, ..] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        [_, _, _, _, _, ..] => Err(Code::VersionUnsupported.error()),
        _ => Err(Code::Truncated.error()),
    }
}

pub(super) fn seal_with(key: &SealKey, digest: &[u8; 32], plain: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
    let mut salt = [0; SALT];
    random.fill(&mut salt)?;
    let (chunk_key, nonce, commitment) = derive(key, &salt, digest);
    let mut out = Vec::with_capacity(HEADER + plain.len() + (plain.len() / CHUNK + 1) * TAG);
    out.push(SUITE);
    out.extend_from_slice(&key.epoch.to_be_bytes());
    out.extend_from_slice(&salt);
    out.extend_from_slice(&commitment);
    let mut rest = plain;
    let mut number = 0_u64;
    loop {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        let from = out.len();
        out.extend_from_slice(chunk);
        Active::seal(&chunk_key, counted(nonce, number), &[], &mut out, from)?;
        if chunk.len() < CHUNK {
            return Ok(out);
        }
        rest = after;
        number += 1;
    }
}

pub(super) fn open_with(key: &SealKey, digest: &[u8; 32], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if sealed.len() < HEADER + TAG {
        return Err(Code::Truncated.error());
    }
    if sealed[0] != SUITE {
        return Err(Code::VersionUnsupported.error());
    }
    if sealed[1..5] != key.epoch.to_be_bytes() {
        return Err(Code::WrongKey.error());
    }
    let salt = sealed[5..5 + SALT].try_into().expect("the header has a salt");
    let (chunk_key, nonce, commitment) = derive(key, salt, digest);
    if !equal(&commitment, &sealed[5 + SALT..HEADER]) {
        return Err(Code::WrongKey.error());
    }
    let mut plain = Zeroizing::new(sealed[HEADER..].to_vec());
    let (mut read, mut written, mut number) = (0, 0, 0_u64);
    loop {
        let length = (plain.len() - read).min(CHUNK + TAG);
        if length < TAG {
            return Err(Code::Truncated.error());
        }
        let chunk = &mut plain[read..read + length];
        let opened = Active::open(&chunk_key, counted(nonce, number), &[], chunk)?;
        plain.copy_within(read..read + opened, written);
        written += opened;
        read += length;
        number += 1;
        if opened < CHUNK {
            break;
        }
    }
    if read != plain.len() {
        return Err(Code::Corrupt.error());
    }
    plain.truncate(written);
    Ok(plain)
}

fn derive(key: &SealKey, salt: &[u8; SALT], digest: &[u8; 32]) -> (Zeroizing<[u8; 32]>, [u8; 12], [u8; COMMITMENT]) {
    let mut material = Zeroizing::new([0_u8; 32 + 12 + COMMITMENT]);
    Active::expand(key.bytes(), &[INFO, salt, digest], &mut *material);
    let mut chunk_key = Zeroizing::new([0; 32]);
    chunk_key.copy_from_slice(&material[..32]);
    let (mut nonce, mut commitment) = ([0; 12], [0; COMMITMENT]);
    nonce.copy_from_slice(&material[32..44]);
    commitment.copy_from_slice(&material[44..]);
    (chunk_key, nonce, commitment)
}

fn counted(mut nonce: [u8; 12], number: u64) -> [u8; 12] {
    for (byte, count) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
        *byte ^= count;
    }
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{PatientNumber, StoreId};
    use crate::vault::RowKind;
    use proptest::prelude::*;

    /// Bytes that count up: for deterministic vectors.
    pub(crate) struct Counting(pub(crate) u8);
    impl Random for Counting {
        fn fill(&self, out: &mut [u8]) -> Result<()> {
            for (i, byte) in out.iter_mut().enumerate() {
                *byte = self.0.wrapping_add(i as u8);
            }
            Ok(())
        }
    }

    fn key(first: u8) -> SealKey {
        SealKey::new(Zeroizing::new(std::array::from_fn(|i| first.wrapping_add(i as u8))), 7)
    }

    fn place() -> Context<'static> {
        Context::new(StoreId([9; 16]), PatientNumber(3), RowKind::Block, 5, 1)
    }

    fn failure(key: &SealKey, context: &Context<'_>, sealed: &[u8]) -> Code {
        open(key, context, sealed).map(|_| ()).unwrap_err().code()
    }

    #[test]
    fn every_length_around_a_chunk_round_trips() {
        for length in [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let plain: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let sealed = seal(&key(0), &place(), &plain, &Counting(100)).expect("it seals");
            assert_eq!(sealed.len(), HEADER + length + (length / CHUNK + 1) * TAG);
            assert_eq!(*open(&key(0), &place(), &sealed).expect("it opens"), plain);
        }
    }

    #[test]
    fn any_flipped_bit_and_any_truncation_is_found() {
        let sealed = seal(&key(0), &place(), b"a short note", &Counting(1)).expect("it seals");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key(0), &place(), &changed).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(open(&key(0), &place(), &sealed[..length]).is_err(), "length {length}");
        }
        let mut longer = sealed;
        longer.push(0);
        assert!(open(&key(0), &place(), &longer).is_err());
    }

    #[test]
    fn chunks_cannot_be_dropped_swapped_or_doubled() {
        let plain: Vec<u8> = (0..3 * CHUNK + 9).map(|i| (i / 7) as u8).collect();
        let sealed = seal(&key(0), &place(), &plain, &Counting(1)).expect("it seals");
        let chunk =
            |i: usize| &sealed[HEADER + i * (CHUNK + TAG)..(HEADER + (i + 1) * (CHUNK + TAG)).min(sealed.len())];
        for order in [vec![0, 1, 2], vec![1, 0, 2, 3], vec![0, 1, 3], vec![0, 0, 1, 2, 3], vec![3], vec![0, 1, 2, 3, 3]]
        {
            let mut made = sealed[..HEADER].to_vec();
            for i in &order {
                made.extend_from_slice(chunk(*i));
            }
            assert!(open(&key(0), &place(), &made).is_err(), "{order:?}");
        }
    }

    #[test]
    fn another_key_is_told_from_damage_and_nothing_opens_under_two_keys() {
        let sealed = seal(&key(0), &place(), b"x", &Counting(1)).expect("it seals");
        assert_eq!(failure(&key(1), &place(), &sealed), Code::WrongKey);
        let mut damaged = sealed.clone();
        *damaged.last_mut().expect("not empty") ^= 1;
        assert_eq!(failure(&key(0), &place(), &damaged), Code::Corrupt);
        assert_eq!(failure(&key(0), &place(), &sealed[..40]), Code::Truncated);
        let mut other = sealed;
        other[0] = 9;
        assert_eq!(failure(&key(0), &place(), &other), Code::VersionUnsupported);
    }

    #[test]
    fn a_header_fits_one_key_only_whatever_the_chunks_open_under() {
        // AES-GCM alone lets a sender craft chunks that open under two keys ("invisible salamanders", Dodis et al. 2018).
        // Each key commits to its own 32 bytes, so a header can name one of them at most.
        let (ours, theirs) = (key(0), key(1));
        let sealed = seal(&ours, &place(), b"x", &Counting(1)).expect("it seals");
        let other = seal(&theirs, &place(), b"x", &Counting(1)).expect("it seals");
        let commitment = HEADER - COMMITMENT..HEADER;
        assert_ne!(sealed[commitment.clone()], other[commitment.clone()]);
        let mut crossed = sealed;
        crossed[commitment.clone()].copy_from_slice(&other[commitment]);
        assert_eq!(failure(&ours, &place(), &crossed), Code::WrongKey);
        assert_eq!(failure(&theirs, &place(), &crossed), Code::Corrupt);
    }

    #[test]
    fn the_vectors_of_the_format_stay() {
        // Made by an independent writer (Python: hmac, hashlib and AESGCM of `cryptography`) from docs/format.md.
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let sealed = seal(&key(0), &place(), b"ehrcore", &Counting(0)).expect("it seals");
        assert_eq!(
            hex(&sealed),
            "0100000007000102030405060708090a0b0c0d0e0f1011121314151617\
             340e0ec3d99e935c186e9367698b93351f274b882f2dea7aa71a49be87c7b952\
             f27937426a39564e6c76a53f5dd7398c570a9ae2d93ab5"
        );
        for (length, digest) in [
            (2 * CHUNK, "f59e7d9c543679828c11508081bae27f3d64bd2ede92620dd7393a99ed85619d"),
            (2 * CHUNK + 5, "0d1aa4e7a9e6c17519524b1516f1a948640c87937a291c7da46d9d374b60b9d0"),
        ] {
            let plain: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let sealed = seal(&key(0), &place(), &plain, &Counting(0)).expect("it seals");
            assert_eq!(hex(&Active::sha256(&[&sealed])), digest, "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn a_sealed_value_opens_only_in_its_own_place(
            patient in any::<u32>(), number in any::<u64>(), part in any::<u64>(), compartment in 0_u8..3, labels in prop::collection::vec(any::<u8>(), 0..8), field in 0..6_u8,
        ) {
            let context = Context { store: StoreId([1; 16]), patient: PatientNumber(patient), compartment, row: RowKind::Block, number, part, labels: &labels };
            let sealed = seal(&key(0), &context, b"x", &Counting(1)).expect("it seals");
            let longer = [&labels[..], b"x"].concat();
            let mut other = context;
            match field {
                0 => other.patient.0 ^= 1,
                1 => other.number ^= 1 << 40,
                2 => other.part = other.part.wrapping_add(1),
                3 => other.compartment += 1,
                4 => other.row = RowKind::Index,
                _ => other.labels = &longer,
            }
            prop_assert!(open(&key(0), &context, &sealed).is_ok());
            prop_assert_eq!(failure(&key(0), &other, &sealed), Code::WrongKey);
        }

        #[test]
        fn no_bytes_make_open_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&key(0), &place(), &bytes).is_err());
        }
    }
}
