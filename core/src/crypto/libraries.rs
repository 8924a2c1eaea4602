//! ring and AWS-LC, which have the same calls: one text for both.

/// A module with a [`super::Provider`] over a library, its `MacKey` and its `SigningKey`.
macro_rules! provider {
    ($(#[$doc:meta])* $module:ident, $provider:ident, $library:ident, $name:expr, $open:expr) => {
        $(#[$doc])*
        #[allow(dead_code)] // one of the two is used, and both in tests
        pub(super) mod $module {
            use crate::crypto::Provider;
            use crate::error::{Code, Result};
            use ::$library::{aead, digest, hkdf, hmac, signature};

            $(#[$doc])*
            #[derive(Debug)]
            pub struct $provider;

            struct Length(usize);

            impl hkdf::KeyType for Length {
                fn len(&self) -> usize {
                    self.0
                }
            }

            fn aes(key: &[u8; 32]) -> aead::LessSafeKey {
                let key = aead::UnboundKey::new(&aead::AES_256_GCM, key).expect("an AES-256 key has 32 bytes");
                aead::LessSafeKey::new(key)
            }

            impl Provider for $provider {
                const NAME: &'static str = $name;

                fn expand(key: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
                    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key)
                        .expand(info, Length(out.len()))
                        .and_then(|okm| okm.fill(out))
                        .expect("no caller asks for more than 255 blocks");
                }
                fn seal(
                    key: &[u8; 32],
                    nonce: [u8; 12],
                    ad: &[u8],
                    buffer: &mut Vec<u8>,
                    from: usize,
                ) -> Result<()> {
                    let tag = Self::seal_detached(key, nonce, ad, &mut buffer[from..])?;
                    buffer.extend_from_slice(&tag);
                    Ok(())
                }
                fn open(key: &[u8; 32], nonce: [u8; 12], ad: &[u8], buffer: &mut [u8]) -> Result<usize> {
                    let nonce = aead::Nonce::assume_unique_for_key(nonce);
                    let plain = aes(key).open_in_place(nonce, aead::Aad::from(ad), buffer);
                    plain.map(|plain| plain.len()).map_err(|_| Code::Corrupt.error())
                }
                fn seal_detached(
                    key: &[u8; 32],
                    nonce: [u8; 12],
                    ad: &[u8],
                    buffer: &mut [u8],
                ) -> Result<[u8; 16]> {
                    let nonce = aead::Nonce::assume_unique_for_key(nonce);
                    let tag = aes(key).seal_in_place_separate_tag(nonce, aead::Aad::from(ad), buffer);
                    let tag = tag.map_err(|_| Code::Internal.error())?;
                    Ok(tag.as_ref().try_into().expect("a tag of GCM has 16 bytes"))
                }
                fn open_detached(
                    key: &[u8; 32],
                    nonce: [u8; 12],
                    ad: &[u8],
                    tag: [u8; 16],
                    buffer: &mut [u8],
                ) -> Result<()> {
                    let nonce = aead::Nonce::assume_unique_for_key(nonce);
                    // The one call that the two libraries have differently.
                    let open: fn(aead::LessSafeKey, aead::Nonce, &[u8], [u8; 16], &mut [u8]) -> bool = $open;
                    if open(aes(key), nonce, ad, tag, buffer) { Ok(()) } else { Err(Code::Corrupt.error()) }
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
                    signature::UnparsedPublicKey::new(&signature::ED25519, public_key)
                        .verify(message, signature)
                        .is_ok()
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
                    let pair = signature::Ed25519KeyPair::from_seed_unchecked(seed);
                    Ok(SigningKey(Box::new(pair.map_err(|_| Code::Internal.error())?)))
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
        }
    };
}

provider! {
    /// ring 0.17.
    ring, Ring, ring, "ring", |key, nonce, ad, tag, buffer| {
        key.open_in_place_separate_tag(nonce, aead::Aad::from(ad), tag.into(), buffer, 0..).is_ok()
    }
}

#[cfg(feature = "aws-lc")]
provider! {
    /// aws-lc-rs 1: AWS-LC, or with the feature `fips` the module of it that is built for FIPS 140-3.
    aws_lc, AwsLc, aws_lc_rs, if cfg!(feature = "fips") { "aws-lc, FIPS build" } else { "aws-lc" },
    |key, nonce, ad, tag, buffer| {
        key.open_in_place_separate_tag(nonce, aead::Aad::from(ad), &tag, buffer).is_ok()
    }
}
