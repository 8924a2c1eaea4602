//! Keys: one random root per store, wrapped by the host, a passphrase or a recovery key, or several of them; a random key per
//! patient, wrapped under the root.
//!
//! Root -> HKDF -> store key, token key, audit key, signing seed and the key that wraps patient keys. Destroying a patient's
//! wrapped key makes that patient's records unreadable. Nothing here is ever printed; everything is wiped when dropped.

mod header;
mod recovery;
mod source;

pub use recovery::RecoveryKey;
pub use source::{KeySource, Passphrase, RawKey};

use crate::crypto::{Active, MacKey, Provider, SigningKey};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random, StoreId};
use crate::vault::{self, Context, RowKind, SealKey};
use std::fmt;
use zeroize::Zeroizing;

/// The keys of one open store.
pub struct KeyRing {
    store: StoreId,
    store_key: SealKey,
    page_key: SealKey,
    audit_key: SealKey,
    wrapping_key: SealKey,
    token_key: MacKey,
    signing_key: SigningKey,
}

impl KeyRing {
    /// Makes the keys of a new store; gives them and the header that opens them again.
    ///
    /// # Errors
    /// - `random-unavailable`, `key-unavailable`.
    pub fn create(source: &dyn KeySource, random: &dyn Random) -> Result<(KeyRing, Vec<u8>)> {
        let mut store = StoreId([0; 16]);
        random.fill(&mut store.0)?;
        let mut root = Zeroizing::new([0_u8; 32]);
        random.fill(&mut *root)?;
        let wrapped = source.wrap(&header::wrap_context(store), &root, random)?;
        let ring = KeyRing::derive(store, &root)?;
        Ok((ring, header::write(store, &root, &[(source.name().as_bytes(), &wrapped)])?))
    }

    /// Opens the keys with the header that [`KeyRing::create`] gave.
    ///
    /// # Errors
    /// - `wrong-key`: the source does not open this store.
    /// - `not-a-store`, `version-unsupported`, `corrupt`: the header is not what was written.
    /// - `key-weak`: the header asks for a key derivation below the floor. `key-unavailable`.
    pub fn open(source: &dyn KeySource, header: &[u8]) -> Result<KeyRing> {
        let (read, root) = opened(source, header)?;
        KeyRing::derive(read.store, &root)
    }

    /// The header with one more way to open it, or with another in place of the one of the same name. The root stays, and so
    /// does everything sealed under it.
    ///
    /// # Errors
    /// - as [`KeyRing::open`] for `current`; `key-unavailable`, `random-unavailable`.
    pub fn with_wrap(
        header: &[u8],
        current: &dyn KeySource,
        added: &dyn KeySource,
        random: &dyn Random,
    ) -> Result<Vec<u8>> {
        let (mut read, root) = opened(current, header)?;
        let wrapped = added.wrap(&header::wrap_context(read.store), &root, random)?;
        let name = added.name().as_bytes();
        match read.wraps.iter_mut().find(|(known, _)| *known == name) {
            Some(place) => place.1 = &wrapped,
            None => read.wraps.push((name, &wrapped)),
        }
        header::write(read.store, &root, &read.wraps)
    }

    /// The header without the way of that name to open it.
    ///
    /// # Errors
    /// - as [`KeyRing::open`] for `current`; `not-found`: there is none of that name; `last-key`: there is no other.
    pub fn without_wrap(header: &[u8], current: &dyn KeySource, name: &str) -> Result<Vec<u8>> {
        let (mut read, root) = opened(current, header)?;
        let before = read.wraps.len();
        read.wraps.retain(|(known, _)| *known != name.as_bytes());
        match read.wraps.len() {
            after if after == before => Err(Code::NotFound.error()),
            0 => Err(Code::LastKey.error()),
            _ => header::write(read.store, &root, &read.wraps),
        }
    }

    /// The names of the ways to open a store.
    ///
    /// # Errors
    /// - `not-a-store`, `version-unsupported`, `corrupt`.
    pub fn wrap_names(header: &[u8]) -> Result<Vec<String>> {
        let read = header::read(header)?;
        Ok(read.wraps.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect())
    }

    /// `HKDF-Expand[SHA-512](root, "ehrcore v1 " || purpose || store id)` (RFC 5869, section 2.3), 32 bytes for each purpose.
    ///
    /// Rule: a purpose has one use, and the root has no other than this, the header's key and being wrapped.
    fn derive(store: StoreId, root: &[u8; 32]) -> Result<KeyRing> {
        let derived = |purpose: &[u8]| {
            let mut key = Zeroizing::new([0_u8; 32]);
            Active::expand(root, &[b"ehrcore v1 ", purpose, &store.0], &mut *key);
            key
        };
        Ok(KeyRing {
            store,
            store_key: SealKey::new(derived(b"store key"), 0),
            page_key: SealKey::new(derived(b"page key, epoch 0"), 0),
            audit_key: SealKey::new(derived(b"audit key"), 0),
            wrapping_key: SealKey::new(derived(b"patient wrapping key, epoch 0"), 0),
            token_key: MacKey::new(&derived(b"token key")),
            signing_key: SigningKey::new(&derived(b"signing seed"))?,
        })
    }

    /// Which store these keys are for.
    pub fn store_id(&self) -> StoreId {
        self.store
    }
    /// The key that seals rows of the store as a whole.
    pub fn store_key(&self) -> &SealKey {
        &self.store_key
    }
    /// The key that seals pages of the file.
    pub fn page_key(&self) -> &SealKey {
        &self.page_key
    }
    /// The key that seals audit events.
    pub fn audit_key(&self) -> &SealKey {
        &self.audit_key
    }

    /// Makes a random key for a compartment of a patient; gives it and its wrapped form, `seal[wrapping key, place](key)` with the
    /// place of this store, this patient, this compartment, row kind 2, number 0: in another row it does not open.
    ///
    /// # Errors
    /// - `random-unavailable`.
    pub fn new_patient_key(
        &self,
        patient: PatientNumber,
        compartment: u8,
        random: &dyn Random,
    ) -> Result<(SealKey, Vec<u8>)> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        random.fill(&mut *bytes)?;
        let wrapped = vault::seal(&self.wrapping_key, &self.patient_context(patient, compartment), &*bytes, random)?;
        Ok((SealKey::new(bytes, 0), wrapped))
    }

    /// Unwraps the key of a compartment of a patient.
    ///
    /// # Errors
    /// - `wrong-key`, `corrupt`: it is another patient's, another compartment's, or was changed.
    pub fn patient_key(&self, patient: PatientNumber, compartment: u8, wrapped: &[u8]) -> Result<SealKey> {
        let plain = vault::open(&self.wrapping_key, &self.patient_context(patient, compartment), wrapped)?;
        let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Code::Corrupt.error())?;
        Ok(SealKey::new(Zeroizing::new(bytes), 0))
    }

    fn patient_context(&self, patient: PatientNumber, compartment: u8) -> Context<'static> {
        Context { compartment, ..Context::new(self.store, patient, RowKind::PatientKey, 0, 0) }
    }

    /// `HMAC-SHA-256[token key](index, parts...)`, each part length-prefixed, the first 16 bytes: what stands in an index in
    /// place of a value that could identify someone.
    pub fn token(&self, index: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut message = Vec::with_capacity(64);
        for part in std::iter::once(index.as_bytes()).chain(parts.iter().copied()) {
            message.extend_from_slice(&(part.len() as u32).to_be_bytes());
            message.extend_from_slice(part);
        }
        self.token_key.mac(&message)[..16].try_into().expect("an HMAC has 32 bytes")
    }

    /// `Ed25519.sign(seed, message)` (RFC 8032): for heads of the audit log. The seed is derived from the root and never stored.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing_key.sign(message)
    }
    /// The public key that verifies [`KeyRing::sign`].
    pub fn public_key(&self) -> [u8; 32] {
        self.signing_key.public_key()
    }
}

/// The header read and checked, and the root.
fn opened<'h>(source: &dyn KeySource, header: &'h [u8]) -> Result<(header::Header<'h>, Zeroizing<[u8; 32]>)> {
    let read = header::read(header)?;
    let wrapped = read.wrap(source.name()).ok_or_else(|| Code::WrongKey.error())?;
    let root = source.unwrap(&header::wrap_context(read.store), wrapped)?;
    header::verify(header, &root)?;
    Ok((read, root))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;

    fn created(source: &dyn KeySource) -> (KeyRing, Vec<u8>) {
        KeyRing::create(source, &SystemRandom::default()).expect("keys can be made")
    }

    fn failure(source: &dyn KeySource, header: &[u8]) -> Code {
        KeyRing::open(source, header).map(|_| ()).unwrap_err().code()
    }

    #[test]
    fn a_store_opens_with_its_key_and_no_other() {
        let (ring, header) = created(&RawKey::new([1; 32]));
        let again = KeyRing::open(&RawKey::new([1; 32]), &header).expect("the same key");
        assert_eq!(ring.token("x", &[b"y"]), again.token("x", &[b"y"]));
        assert_eq!(ring.public_key(), again.public_key());
        assert_eq!(failure(&RawKey::new([2; 32]), &header), Code::WrongKey);
    }

    #[test]
    fn a_passphrase_opens_and_its_weakening_is_refused() {
        let source = Passphrase::with_cost("correct horse", 19 * 1024, 2).expect("at the floor");
        let (_, header) = created(&source);
        assert!(KeyRing::open(&Passphrase::new("correct horse"), &header).is_ok());
        assert_eq!(failure(&Passphrase::new("wrong"), &header), Code::WrongKey);
        assert_eq!(Passphrase::with_cost("x", 1024, 1).map(|_| ()).unwrap_err().code(), Code::KeyWeak);
        let at = header.windows(4).position(|w| w == (19 * 1024_u32).to_be_bytes()).expect("the cost is stored");
        let mut weaker = header;
        weaker[at..at + 4].copy_from_slice(&64_u32.to_be_bytes());
        assert_eq!(failure(&source, &weaker), Code::KeyWeak);
    }

    #[test]
    fn several_ways_open_one_store_and_one_taken_away_does_not() {
        let random = SystemRandom::default();
        let (raw, recovery) = (RawKey::new([1; 32]), RecoveryKey::new(&random).expect("random bytes"));
        let (ring, first) = created(&raw);
        let both = KeyRing::with_wrap(&first, &raw, &recovery, &random).expect("it opens");
        assert_eq!(KeyRing::wrap_names(&both).expect("readable"), ["raw", "recovery"]);
        for source in [&raw as &dyn KeySource, &recovery] {
            let again = KeyRing::open(source, &both).expect("either opens");
            assert_eq!(again.token("x", &[b"y"]), ring.token("x", &[b"y"]));
        }
        let other = KeyRing::with_wrap(&both, &recovery, &RawKey::new([2; 32]), &random).expect("it opens");
        assert_eq!(KeyRing::wrap_names(&other).expect("readable").len(), 2, "the name is taken over");
        assert_eq!(failure(&raw, &other), Code::WrongKey);
        assert!(KeyRing::open(&RawKey::new([2; 32]), &other).is_ok());
        let one = KeyRing::without_wrap(&both, &recovery, "raw").expect("another is left");
        assert_eq!(failure(&raw, &one), Code::WrongKey);
        let code = |result: Result<Vec<u8>>| result.expect_err("refused").code();
        assert_eq!(code(KeyRing::without_wrap(&one, &recovery, "recovery")), Code::LastKey);
        assert_eq!(code(KeyRing::without_wrap(&one, &recovery, "raw")), Code::NotFound);
        assert_eq!(code(KeyRing::with_wrap(&both, &RawKey::new([9; 32]), &raw, &random)), Code::WrongKey);
    }

    #[test]
    fn every_changed_bit_of_the_header_is_found() {
        let (_, header) = created(&RawKey::new([1; 32]));
        let recovery = RecoveryKey::new(&SystemRandom::default()).expect("random bytes");
        let header =
            KeyRing::with_wrap(&header, &RawKey::new([1; 32]), &recovery, &SystemRandom::default()).expect("it opens");
        for bit in 0..header.len() * 8 {
            let mut changed = header.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(KeyRing::open(&RawKey::new([1; 32]), &changed).is_err(), "bit {bit}");
        }
        for length in 0..header.len() {
            assert!(KeyRing::open(&RawKey::new([1; 32]), &header[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_patient_key_opens_for_its_patient_and_compartment_only() {
        let (ring, _) = created(&RawKey::new([1; 32]));
        let (key, wrapped) = ring.new_patient_key(PatientNumber(4), 0, &SystemRandom::default()).expect("random bytes");
        assert_eq!(ring.patient_key(PatientNumber(4), 0, &wrapped).expect("its own").bytes(), key.bytes());
        for (patient, compartment) in [(5, 0), (4, 1)] {
            let opened = ring.patient_key(PatientNumber(patient), compartment, &wrapped);
            assert_eq!(opened.map(|_| ()).unwrap_err().code(), Code::WrongKey);
        }
    }

    #[test]
    fn tokens_of_different_parts_differ() {
        let (ring, _) = created(&RawKey::new([1; 32]));
        assert_ne!(ring.token("a", &[b"bc", b"d"]), ring.token("a", &[b"b", b"cd"]));
        assert_ne!(ring.token("a", &[b"b"]), ring.token("ab", &[]));
    }

    #[test]
    fn debug_output_shows_no_key() {
        let (ring, _) = created(&RawKey::new([1; 32]));
        assert_eq!(
            format!("{ring:?} {:?} {:?}", ring.store_key(), RawKey::new([7; 32])),
            "KeyRing SealKey(epoch 0) RawKey"
        );
    }
}
