//! The cryptographic primitives, behind one trait so that another provider can take ring's place.
//!
//! Everything here is a thin name for one primitive; how they are put together is in `keys`, `vault` and `audit`.

use crate::error::{Code, Result};
use ring::{aead, digest, hkdf, hmac, signature};
use subtle::ConstantTimeEq;

/// What a provider of primitives gives. [`Ring`] is the one compiled in.
pub trait Provider {
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

/// The provider compiled in.
pub type Active = Ring;

/// ring 0.17.
#[derive(Debug)]
pub struct Ring;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn aes(key: &[u8; 32]) -> aead::LessSafeKey {
    aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, key).expect("an AES-256 key has 32 bytes"))
}

impl Provider for Ring {
    fn expand(key: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
        hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key)
            .expand(info, Length(out.len()))
            .and_then(|okm| okm.fill(out))
            .expect("no caller asks for more than 255 blocks");
    }
    fn seal(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], buffer: &mut Vec<u8>, from: usize) -> Result<()> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let tag = aes(key)
            .seal_in_place_separate_tag(nonce, aead::Aad::from(ad), &mut buffer[from..])
            .map_err(|_| Code::Internal.error())?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }
    fn open(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], buffer: &mut [u8]) -> Result<usize> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let plain = aes(key).open_in_place(nonce, aead::Aad::from(ad), buffer);
        plain.map(|plain| plain.len()).map_err(|_| Code::Corrupt.error())
    }
    fn seal_detached(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], buffer: &mut [u8]) -> Result<[u8; 16]> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let tag = aes(key).seal_in_place_separate_tag(nonce, aead::Aad::from(ad), buffer);
        let tag = tag.map_err(|_| Code::Internal.error())?;
        Ok(tag.as_ref().try_into().expect("a tag of GCM has 16 bytes"))
    }
    fn open_detached(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], tag: [u8; 16], buffer: &mut [u8]) -> Result<()> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let opened = aes(key).open_in_place_separate_tag(nonce, aead::Aad::from(ad), tag.into(), buffer, 0..);
        opened.map(drop).map_err(|_| Code::Corrupt.error())
    }
    fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        for part in parts {
            context.update(part);
        }
        context.sign().as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }
    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
    fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        signature::UnparsedPublicKey::new(&signature::ED25519, public_key).verify(message, signature).is_ok()
    }
}

/// A key of HMAC-SHA-256, made ready once for many messages. Overwritten when it is dropped.
pub struct MacKey(Box<hmac::Key>);

impl MacKey {
    /// Makes a key ready.
    pub fn new(key: &[u8; 32]) -> Self {
        MacKey(Box::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }
    /// As [`Provider::mac`].
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        hmac::sign(&self.0, message).as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }
}

impl Drop for MacKey {
    fn drop(&mut self) {
        *self.0 = hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]);
        std::hint::black_box(&*self.0); // so that the write is not left out
    }
}

/// A key pair of Ed25519 (RFC 8032), made ready once for many messages. Overwritten when it is dropped.
pub struct SigningKey(Box<signature::Ed25519KeyPair>);

impl SigningKey {
    /// The pair of a seed.
    ///
    /// # Errors
    /// - `internal`: never for 32 bytes.
    pub fn new(seed: &[u8; 32]) -> Result<Self> {
        let pair = signature::Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Code::Internal.error())?;
        Ok(SigningKey(Box::new(pair)))
    }
    /// The public key.
    pub fn public_key(&self) -> [u8; 32] {
        let public = signature::KeyPair::public_key(&*self.0);
        public.as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }
    /// Signs.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        if let Ok(nothing) = signature::Ed25519KeyPair::from_seed_unchecked(&[0; 32]) {
            *self.0 = nothing;
            std::hint::black_box(&*self.0); // so that the write is not left out
        }
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
}
