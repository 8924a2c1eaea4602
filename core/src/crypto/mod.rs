//! The cryptographic primitives, behind one trait: ring, or with the feature `aws-lc` AWS-LC.
//!
//! Everything here is a thin name for one primitive; how they are put together is in `keys`, `vault` and `audit`.

mod libraries;
#[cfg(feature = "danger-bench-without-encryption")]
mod unencrypted;

#[cfg(feature = "aws-lc")]
pub use libraries::aws_lc::AwsLc;
pub use libraries::ring::Ring;
#[cfg(feature = "danger-bench-without-encryption")]
pub use unencrypted::DangerUnencrypted;

// Features add up over everything in a build: a feature alone would let any dependency switch encryption off for all others.
#[cfg(feature = "danger-bench-without-encryption")]
const _: () = assert!(
    option_env!("EHRCORE_BUILD_WITHOUT_ENCRYPTION").is_some(),
    "the feature danger-bench-without-encryption encrypts NOTHING: set EHRCORE_BUILD_WITHOUT_ENCRYPTION to build it for a measurement"
);

use crate::error::Result;
use subtle::ConstantTimeEq;

/// What a provider of primitives gives. [`Active`] is the one that is used; the same files open with all of them.
pub trait Provider {
    /// What it is called.
    const NAME: &'static str;
    /// `HKDF-Expand[SHA-512](key, info)` (RFC 5869, section 2.3), up to 255 * 64 bytes.
    ///
    /// Rule: `key` is uniformly random; this is no password hash.
    fn expand(key: &[u8; 32], info: &[&[u8]], out: &mut [u8]);
    /// `AES-256-GCM.seal(key, nonce, ad, m)` in place, tag appended (NIST SP 800-38D).
    ///
    /// Rule: a pair of key and nonce is used once.
    fn seal(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], buffer: &mut Vec<u8>, from: usize) -> Result<()>;
    /// The inverse of `seal`, in place; gives the length of the plaintext. `corrupt` where the tag does not fit.
    fn open(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], buffer: &mut [u8]) -> Result<usize>;
    /// `AES-256-GCM.seal(key, nonce, ad, m)` in place; gives the tag (NIST SP 800-38D).
    ///
    /// Rule: a pair of key and nonce is used once.
    fn seal_detached(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], buffer: &mut [u8]) -> Result<[u8; 16]>;
    /// The inverse of `seal_detached`, in place. `corrupt` where the tag does not fit; then `buffer` holds nothing of use.
    fn open_detached(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], tag: [u8; 16], buffer: &mut [u8]) -> Result<()>;
    /// `HMAC-SHA-256(key, parts...)` (RFC 2104).
    fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32];
    /// `SHA-256(parts...)` (FIPS 180-4).
    fn sha256(parts: &[&[u8]]) -> [u8; 32];
    /// Whether an Ed25519 signature fits.
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool;
}

/// The provider that is used.
#[cfg(not(any(feature = "aws-lc", feature = "danger-bench-without-encryption")))]
pub type Active = Ring;
/// The provider that is used.
#[cfg(all(feature = "aws-lc", not(feature = "danger-bench-without-encryption")))]
pub type Active = AwsLc;
/// NOTHING IS ENCRYPTED. For measuring only.
#[cfg(feature = "danger-bench-without-encryption")]
pub type Active = DangerUnencrypted;

#[cfg(all(feature = "aws-lc", not(feature = "danger-bench-without-encryption")))]
pub use libraries::aws_lc::{MacKey, SigningKey};
#[cfg(not(any(feature = "aws-lc", feature = "danger-bench-without-encryption")))]
pub use libraries::ring::{MacKey, SigningKey};
#[cfg(feature = "danger-bench-without-encryption")]
pub use {libraries::ring::SigningKey, unencrypted::MacKey};

/// As deep as our calls go: unoptimised code takes more of the stack.
const SCRUBBED: usize = if cfg!(debug_assertions) { 256 } else { 64 } * 1024;

/// Overwrites what calls that have returned left on this thread's stack: copies of keys among it, ours and the provider's, which
/// neither can wipe where they are.
#[inline(never)]
pub(crate) fn scrub_stack() {
    let mut dead = [0_u8; SCRUBBED];
    std::hint::black_box(&mut dead); // so that the write is not left out
}

/// Scrubs the stack when it is dropped: the last field of what holds keys.
pub(crate) struct Scrub;

impl Drop for Scrub {
    fn drop(&mut self) {
        scrub_stack();
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal")).collect()
    }

    #[test]
    fn primitives_give_the_published_values() {
        // FIPS 180-4, "abc"; RFC 4231 case 2 (key padded by HMAC itself, so the 32-byte form is checked by Wycheproof);
        // RFC 8032, section 7.1, test 1.
        assert_eq!(
            Active::sha256(&[b"a", b"bc"]).to_vec(),
            hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        let seed: [u8; 32] =
            hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").try_into().expect("32 bytes");
        let key = SigningKey::new(&seed).expect("a seed");
        let public = key.public_key();
        assert_eq!(public.to_vec(), hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
        let signature = key.sign(b"");
        assert!(Active::verify(&public, b"", &signature));
        assert!(!Active::verify(&public, b"x", &signature));
    }

    #[test]
    fn a_key_made_ready_gives_what_the_key_gives() {
        let key = [7; 32];
        for message in [&b""[..], b"abc", &[1; 200]] {
            assert_eq!(MacKey::new(&key).mac(message), Active::mac(&key, &[message]));
        }
    }

    #[test]
    fn equality_is_that_of_bytes() {
        assert!(equal(b"ab", b"ab"));
        assert!(!equal(b"ab", b"ac") && !equal(b"ab", b"abc"));
    }

    /// Sealed by one, opened by the other, and the other way round; and all that is not reversible alike.
    #[cfg(feature = "aws-lc")]
    #[test]
    fn ring_and_aws_lc_give_the_same_bytes() {
        fn all<P: Provider>(key: &[u8; 32], length: usize) -> Vec<Vec<u8>> {
            let message: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut sealed = b"before".to_vec();
            sealed.extend(&message);
            P::seal(key, [9; 12], b"place", &mut sealed, 6).expect("it seals");
            let mut detached = message.clone();
            let tag = P::seal_detached(key, [9; 12], b"place", &mut detached).expect("it seals");
            let mut expanded = vec![0; 76];
            P::expand(key, &[b"info", &message], &mut expanded);
            let (mac, hash) = (P::mac(key, &[b"a", &message]), P::sha256(&[&message, b"b"]));
            vec![sealed, detached, tag.to_vec(), expanded, mac.to_vec(), hash.to_vec()]
        }
        fn opens<P: Provider>(key: &[u8; 32], sealed: &[u8]) -> bool {
            let mut buffer = sealed.to_vec();
            P::open(key, [9; 12], b"place", &mut buffer).is_ok()
        }
        for (number, length) in [0, 1, 15, 16, 4096, 16 * 1024, 70_000].into_iter().enumerate() {
            let key = [number as u8; 32];
            let (ring, aws) = (all::<Ring>(&key, length), all::<AwsLc>(&key, length));
            assert_eq!(ring, aws, "{length} bytes");
            assert!(opens::<Ring>(&key, &aws[0][6..]) && opens::<AwsLc>(&key, &ring[0][6..]));
            let (a, b) = (libraries::ring::MacKey::new(&key), libraries::aws_lc::MacKey::new(&key));
            assert_eq!(a.mac(&ring[0]), b.mac(&ring[0]));
            let a = libraries::ring::SigningKey::new(&key).expect("a seed");
            let b = libraries::aws_lc::SigningKey::new(&key).expect("a seed");
            assert_eq!((a.public_key(), a.sign(&ring[0])), (b.public_key(), b.sign(&ring[0])));
            assert!(Ring::verify(&b.public_key(), b"x", &b.sign(b"x")));
            assert!(AwsLc::verify(&a.public_key(), b"x", &a.sign(b"x")));
        }
    }
}
