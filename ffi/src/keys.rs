//! The ways to open a store: recovery keys, shares, deadlines and keys kept offline; adding, removing and rotating them.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::session::{ehr_session, look};
use crate::store::{Key, ehr_key, ehr_store, path};
use crate::text::ehr_str;
use ehrcore_core::ehr::{Ehr, Rotated};
use ehrcore_core::error::{Code, Result};
use ehrcore_core::id::SystemRandom;
use ehrcore_core::keys::{CachedSource, Deadline, KeySource, KeyStatus, RecoveryKey, Share, SharedKey};
use ehrcore_core::time::SystemClock;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Texts: shares to print, or names of ways to open a store.
#[allow(non_camel_case_types)]
pub struct ehr_key_texts {
    _private: [u8; 0],
}

/// How often the keys of a store were rotated.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ehr_key_status {
    /// sizeof(ehr_key_status), set by the caller.
    pub size: usize,
    /// Which root it is: 1 for the first, one more with each rotation.
    pub root_epoch: u32,
    /// How often the ways to open the store or its roots were changed, the first included.
    pub revision: u32,
}

/// The texts are wiped when the handle is released.
type Texts = Vec<Zeroizing<String>>;

fn text<'a>(text: ehr_str) -> Result<&'a str> {
    // SAFETY: by the header's convention an argument is readable for the length it states during the call, and no caller
    // here keeps the text longer.
    unsafe { text.text() }
}

/// A handle as a source that can outlive the call.
fn shared(key: *const ehr_key) -> Result<Arc<dyn KeySource>> {
    Ok(handle::look::<ehr_key, Key>(key)?)
}

fn give(key_out: *mut *mut ehr_key, key: Key) -> Result<()> {
    put(key_out, handle::give::<ehr_key, Key>(key)?)
}

/// Makes a recovery key: 32 random bytes to print and lock away. `*text_out` is what to print.
///
/// Ownership: on EHR_OK both results are the caller's; release them with ehr_key_free() and ehr_text_free(). The text is not wiped
///            by ehr_text_free(): print it and end the program.
/// Errors:    EHR_RANDOM_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_recovery_new(
    key_out: *mut *mut ehr_key,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        writable(text_out)?;
        let key = RecoveryKey::new(&SystemRandom::default())?;
        let text = key.text().as_bytes().to_vec();
        give(key_out, Box::new(key))?;
        put(text_out, handle::give::<ehr_text, Vec<u8>>(text)?)
    })
}

/// The recovery key that was printed as `digits`; spaces, hyphens and small letters do not matter. Release with ehr_key_free().
///
/// Errors: EHR_RECOVERY_KEY_FORM where a digit is missing or wrong.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_recovery(
    digits: ehr_str,
    key_out: *mut *mut ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        give(key_out, Box::new(RecoveryKey::parse(text(digits)?)?))
    })
}

/// Makes a random key and splits it into `of` shares to print, any `needed` of which give it again.
///
/// Ownership: on EHR_OK both results are the caller's; release them with ehr_key_free() and ehr_key_texts_free().
/// Errors:    EHR_INVALID_ARGUMENT unless 2 <= needed <= of; EHR_RANDOM_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_split(
    needed: u8,
    of: u8,
    key_out: *mut *mut ehr_key,
    shares_out: *mut *mut ehr_key_texts,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        writable(shares_out)?;
        let (key, shares) = SharedKey::split(needed, of, &SystemRandom::default())?;
        give(key_out, Box::new(key))?;
        put(shares_out, handle::give::<ehr_key_texts, Texts>(shares.iter().map(Share::text).collect())?)
    })
}

/// Puts `count` shares together that were printed. Release with ehr_key_free().
///
/// Errors: EHR_SHARE_FORM where a digit is missing or wrong; EHR_SHARES_TOO_FEW; EHR_SHARES_MIXED where they are not of one set.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_join(
    shares: *const ehr_str,
    count: usize,
    key_out: *mut *mut ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        if shares.is_null() || count > 255 {
            return Err(Code::InvalidArgument.error().expected("at most 255 shares"));
        }
        // SAFETY: not null and, by the header's convention, `count` readable ehr_str stand there during the call.
        let shares = unsafe { std::slice::from_raw_parts(shares, count) };
        let shares = shares.iter().map(|share| Share::parse(text(*share)?)).collect::<Result<Vec<_>>>()?;
        give(key_out, Box::new(SharedKey::join(&shares)?))
    })
}

/// `key`, waited for at most `milliseconds` each time; then EHR_KEY_UNAVAILABLE. The host's calls run on a thread of the library;
/// one that never comes back is left to itself, so `context` of an ehr_key_source must stay valid for it.
///
/// Ownership: on EHR_OK, `*key_out` is the caller's; release it with ehr_key_free(). `key` may be released before it.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_deadline(
    key: *const ehr_key,
    milliseconds: u64,
    key_out: *mut *mut ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        give(key_out, Box::new(Deadline::new(shared(key)?, Duration::from_millis(milliseconds))))
    })
}

/// `key`, with what it answered last kept in `file` for at most `seconds`, sealed under the 32 bytes of `device`: the store opens
/// with that while `key` does not answer.
///
/// Ownership: as ehr_key_deadline().
/// Errors:    EHR_INVALID_ARGUMENT where `device` has not 32 bytes. Opening a store with it also gives EHR_CACHED_KEY_EXPIRED and
///            EHR_CLOCK_SET_BACK.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_cached(
    key: *const ehr_key,
    device: ehr_str,
    file: ehr_str,
    seconds: u64,
    key_out: *mut *mut ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let device = unsafe { device.bytes() }?;
        let device: [u8; 32] = device.try_into().map_err(|_| Code::InvalidArgument.error().expected("32 bytes"))?;
        let (file, lifetime) = (path(file)?, Duration::from_secs(seconds));
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
        give(key_out, Box::new(CachedSource::new(shared(key)?, device, file, lifetime, clock, random)))
    })
}

/// How many texts there are.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_texts_count(texts: *const ehr_key_texts) -> usize {
    getter(0, || Ok(handle::look::<ehr_key_texts, Texts>(texts)?.len()))
}

/// One text, from 0; empty where there is none of that number. Ownership: it belongs to `texts`.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_texts_get(texts: *const ehr_key_texts, index: usize) -> ehr_str {
    getter(ehr_str::EMPTY, || {
        let texts = handle::look::<ehr_key_texts, Texts>(texts)?;
        Ok(texts.get(index).map_or(ehr_str::EMPTY, |text| ehr_str::lend(text.as_bytes())))
    })
}

/// Releases texts and wipes them. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_texts_free(texts: *mut ehr_key_texts) {
    getter((), || {
        handle::release::<ehr_key_texts, Texts>(texts);
        Ok(())
    });
}

fn names(names: Vec<String>) -> Texts {
    names.into_iter().map(Zeroizing::new).collect()
}

/// The names of the ways to open the store, and how often its keys were rotated. Needs an administrator.
///
/// Ownership: on EHR_OK, `*names_out` is the caller's; release it with ehr_key_texts_free().
/// Errors:    EHR_DENIED; EHR_INVALID_ARGUMENT where `status_out->size` is not set.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_key_status(
    session: *const ehr_session,
    status_out: *mut ehr_key_status,
    names_out: *mut *mut ehr_key_texts,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(names_out)?;
        writable(status_out)?;
        // SAFETY: not null and, by the header's convention, points to a readable ehr_key_status.
        if unsafe { (*status_out).size } != size_of::<ehr_key_status>() {
            return Err(Code::InvalidArgument.error().expected("size to be set"));
        }
        let KeyStatus { names: all, root_epoch, revision } = look(session)?.key_status()?;
        put(status_out, ehr_key_status { size: size_of::<ehr_key_status>(), root_epoch, revision })?;
        put(names_out, handle::give::<ehr_key_texts, Texts>(names(all))?)
    })
}

/// Adds a way to open the store, or puts another in place of the one of the same name. `current` is one that opens it now. A copy
/// of the file that was made before opens as it did before. Needs an administrator.
///
/// Errors: EHR_DENIED; EHR_WRONG_KEY where `current` does not open the store; EHR_INVALID_ARGUMENT where there is no room for it;
///         EHR_KEY_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_put_key(
    session: *const ehr_session,
    current: *const ehr_key,
    added: *const ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        let (current, added) = (shared(current)?, shared(added)?);
        look(session)?.put_key(&*current, &*added)
    })
}

/// Takes the way of that name to open the store away. `current` is one that opens it now. Needs an administrator.
///
/// Errors: EHR_DENIED; EHR_WRONG_KEY; EHR_NOT_FOUND; EHR_LAST_KEY where there is no other.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_remove_key(
    session: *const ehr_session,
    current: *const ehr_key,
    name: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        let current = shared(current)?;
        look(session)?.remove_key(&*current, text(name)?)
    })
}

/// Makes another root: from then on exactly the `count` keys at `sources` open the store. `current` is one that opens it now, and
/// may be among them. A copy of the file that was made before opens with its old keys only. Needs an administrator.
///
/// Ownership: on EHR_OK, `*dropped_out` has the names of the ways that open the store no more; release it with ehr_key_texts_free().
/// Errors:    EHR_DENIED; EHR_WRONG_KEY; EHR_LAST_KEY where no key is given; EHR_INVALID_ARGUMENT for two keys of one name;
///            EHR_KEY_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_rotate_root(
    session: *const ehr_session,
    current: *const ehr_key,
    sources: *const *const ehr_key,
    count: usize,
    dropped_out: *mut *mut ehr_key_texts,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(dropped_out)?;
        if sources.is_null() && count > 0 || count > 255 {
            return Err(Code::InvalidArgument.error().expected("at most 255 keys"));
        }
        // SAFETY: read only where `count` is not 0, hence not null; by the header's convention `count` readable handles stand
        // there during the call.
        let sources = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(sources, count) } };
        let sources = sources.iter().map(|key| shared(*key)).collect::<Result<Vec<_>>>()?;
        let lent: Vec<&dyn KeySource> = sources.iter().map(|source| &**source).collect();
        let current = shared(current)?;
        let Rotated { dropped, .. } = look(session)?.rotate_root(&*current, &lent)?;
        put(dropped_out, handle::give::<ehr_key_texts, Texts>(names(dropped))?)
    })
}

/// Wraps the keys of all patients under a new key and destroys the one before; `*count_out` is how many there were. No record is
/// written anew. Needs an administrator.
///
/// Errors: EHR_DENIED, EHR_STORE_IO. After a failure every record opens, and calling again goes on.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_rotate_patient_keys(
    session: *const ehr_session,
    count_out: *mut u64,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(count_out)?;
        put(count_out, look(session)?.rotate_patient_keys()?)
    })
}

/// Writes the whole store anew into the file `to`, which must not be there yet, under another key for its pages. From then on that file
/// is the store: this one answers EHR_STORE_MOVED to everything. Release it, put the new file in its place and destroy the old one.
/// Needs an administrator.
///
/// Errors: EHR_DENIED, EHR_STORE_EXISTS, EHR_IO, EHR_STORE_IO: there is no new file, and the store is as it was.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_rotate_page_key(
    session: *const ehr_session,
    to: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || look(session)?.rotate_page_key(path(to)?))
}

/// What protects a store.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ehr_security_status {
    /// sizeof(ehr_security_status), set by the caller.
    pub size: usize,
    /// The cryptographic provider, such as `ring`. Lives as long as the library.
    pub provider: ehr_str,
    /// Whether records are sealed with a key per patient.
    pub key_per_patient: bool,
    /// Whether whole pages of the file are sealed too.
    pub pages_sealed: bool,
    /// Whether an older copy of the file put back would be noticed.
    pub rollback_protected: bool,
    /// Whether a key or bytes of something that was destroyed are in the file still; a check and the next opening try again.
    pub shred_unfinished: bool,
}

/// Says what protects a store and what does not.
///
/// Errors: EHR_INVALID_ARGUMENT where `status_out->size` is not set.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_store_security_status(
    store: *const ehr_store,
    status_out: *mut ehr_security_status,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(status_out)?;
        // SAFETY: not null and, by the header's convention, points to a readable ehr_security_status whose size is set.
        if unsafe { (&raw const (*status_out).size).read() } != size_of::<ehr_security_status>() {
            return Err(Code::InvalidArgument.error().expected("size to be set"));
        }
        let status = handle::look::<ehr_store, Ehr>(store)?.security_status();
        put(
            status_out,
            ehr_security_status {
                size: size_of::<ehr_security_status>(),
                provider: ehr_str::lend(status.provider.as_bytes()),
                key_per_patient: status.key_per_patient,
                pages_sealed: status.pages_sealed,
                rollback_protected: status.rollback_protected,
                shred_unfinished: status.shred_unfinished,
            },
        )
    })
}
