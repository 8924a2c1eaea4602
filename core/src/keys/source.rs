//! Where the key that wraps a store's root comes from: the host's key management, a passphrase, or 32 bytes.

use crate::error::{Code, Found, Result};
use crate::id::{PatientNumber, Random, StoreId};
use crate::time::Timestamp;
use crate::vault::{self, Context, RowKind, SealKey};
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;
use zeroize::Zeroizing;

/// A host's key management: wraps and unwraps the root key of a store. `context` names the store and must be authenticated.
pub trait KeySource: Send + Sync {
    /// A short name that stays the same: the header lists wraps by it.
    fn name(&self) -> &str;
    /// What it is, for the person who looks after keys. Nothing of it is secret.
    fn describe(&self) -> String {
        self.name().to_owned()
    }
    /// Wraps the root.
    ///
    /// # Errors
    /// - `key-unavailable` where the source does not answer.
    fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>>;
    /// Unwraps the root.
    ///
    /// # Errors
    /// - `wrong-key`, `key-unavailable`.
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>>;
    /// Told when the last commit of the store was that it opened, before anything of it is shown. An error keeps it closed.
    ///
    /// # Errors
    /// - of the source: [`CachedSource`](super::CachedSource) refuses a clock that says less than the store does.
    fn opened(&self, last_commit: Timestamp) -> Result<()> {
        let _ = last_commit;
        Ok(())
    }
}

impl KeySource for Box<dyn KeySource> {
    fn opened(&self, last_commit: Timestamp) -> Result<()> {
        (**self).opened(last_commit)
    }
    fn name(&self) -> &str {
        (**self).name()
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
    fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
        (**self).wrap(context, root, random)
    }
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        (**self).unwrap(context, wrapped)
    }
}

/// 32 bytes that the host keeps.
pub struct RawKey(SealKey);

impl RawKey {
    /// A source of these bytes, which must be uniformly random.
    pub fn new(bytes: [u8; 32]) -> Self {
        RawKey(SealKey::new(Zeroizing::new(bytes), 0))
    }
    pub(crate) fn of(bytes: &[u8; 32]) -> Self {
        RawKey(SealKey::made(0, |out| out.copy_from_slice(bytes)))
    }
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawKey")
    }
}

impl KeySource for RawKey {
    fn name(&self) -> &str {
        "raw"
    }
    fn describe(&self) -> String {
        "32 bytes that the host keeps".into()
    }
    fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
        wrap_under(&self.0, context, root, random)
    }
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        unwrap_under(&self.0, context, wrapped)
    }
}

/// A passphrase, stretched with Argon2id (RFC 9106): 64 MiB and 3 passes unless said otherwise.
///
/// Servers should use a [`KeySource`] of their key management instead.
pub struct Passphrase {
    phrase: Zeroizing<Vec<u8>>,
    memory_kib: u32,
    passes: u32,
}

/// Least cost accepted, when wrapping and when opening.
const FLOOR: (u32, u32) = (19 * 1024, 2);
/// Most cost accepted from a header: a hostile file must not take gigabytes.
const CEILING: (u32, u32) = (256 * 1024, 16);

impl Passphrase {
    /// A passphrase with the default cost.
    pub fn new(phrase: &str) -> Self {
        Passphrase { phrase: Zeroizing::new(phrase.as_bytes().to_vec()), memory_kib: 64 * 1024, passes: 3 }
    }
    /// A passphrase with a cost of its own, for a new store.
    ///
    /// # Errors
    /// - `key-weak`: below 19 MiB or 2 passes.
    pub fn with_cost(phrase: &str, memory_kib: u32, passes: u32) -> Result<Self> {
        check_cost(memory_kib, passes)?;
        Ok(Passphrase { memory_kib, passes, ..Passphrase::new(phrase) })
    }

    /// `Argon2id(phrase, salt, memory, passes, 1 lane)`, 32 bytes.
    fn stretch(&self, salt: &[u8], memory_kib: u32, passes: u32) -> Result<SealKey> {
        check_cost(memory_kib, passes)?;
        let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(|_| Code::KeyWeak.error())?;
        let mut done = Ok(());
        let key = SealKey::made(0, |out| {
            done = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(&self.phrase, salt, out);
        });
        done.map_err(|_| Code::KeyUnavailable.error().expected("memory for the key derivation"))?;
        Ok(key)
    }
}

fn check_cost(memory_kib: u32, passes: u32) -> Result<()> {
    if memory_kib < FLOOR.0 || passes < FLOOR.1 {
        return Err(Code::KeyWeak
            .error()
            .expected("at least 19 MiB and 2 passes")
            .found(Found::Count(memory_kib.into())));
    }
    if memory_kib > CEILING.0 || passes > CEILING.1 {
        return Err(Code::KeyWeak
            .error()
            .expected("at most 256 MiB and 16 passes")
            .found(Found::Count(memory_kib.into())));
    }
    Ok(())
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

impl KeySource for Passphrase {
    fn name(&self) -> &str {
        "passphrase"
    }
    fn describe(&self) -> String {
        format!("a passphrase, Argon2id with {} KiB and {} passes when it is set", self.memory_kib, self.passes)
    }
    /// `memory 4 || passes 4 || salt 16 || seal[Argon2id(...), context || memory || passes || salt](root)`.
    fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
        let mut salt = [0_u8; 16];
        random.fill(&mut salt)?;
        let key = self.stretch(&salt, self.memory_kib, self.passes)?;
        let mut out = [&self.memory_kib.to_be_bytes()[..], &self.passes.to_be_bytes(), &salt].concat();
        let bound = [context, &out].concat();
        out.extend(wrap_under(&key, &bound, root, random)?);
        Ok(out)
    }
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let (head, sealed) = wrapped.split_at_checked(24).ok_or_else(|| Code::Truncated.error())?;
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let key = self.stretch(&head[8..], number(0), number(4))?;
        unwrap_under(&key, &[context, head].concat(), sealed)
    }
}

fn wrap_under(key: &SealKey, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
    vault::seal(key, &place(context), root, random)
}

fn unwrap_under(key: &SealKey, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let plain = vault::open(key, &place(context), wrapped)?;
    let mut root = Zeroizing::new([0_u8; 32]);
    if plain.len() != root.len() {
        return Err(Code::Corrupt.error());
    }
    root.copy_from_slice(&plain);
    Ok(root)
}

/// The place of a wrapped root: its context rides in the labels.
fn place(context: &[u8]) -> Context<'_> {
    Context { labels: context, ..Context::new(StoreId([0; 16]), PatientNumber::SHARED, RowKind::RootKey, 0, 0) }
}
