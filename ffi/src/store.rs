//! Keys and stores.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::text::ehr_str;
use ehrcore_core::ehr::{Ehr, Options};
use ehrcore_core::error::{Code, Result};
use ehrcore_core::id::Random;
use ehrcore_core::keys::{KeySource, Passphrase, RawKey};
use std::ffi::c_void;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What opens a store: 32 bytes, a passphrase, or the host's key management.
#[allow(non_camel_case_types)]
pub struct ehr_key {
    _private: [u8; 0],
}

/// An open store. Released when its last session is.
#[allow(non_camel_case_types)]
pub struct ehr_store {
    _private: [u8; 0],
}

pub(crate) type Key = Box<dyn KeySource>;

/// A host's key management. Both calls give 0 on success. EHR_WRONG_KEY says that it refuses (the key was revoked or is no more): it is
/// reported as such, and a root that ehr_key_cached() kept is thrown away. Anything else says that it did not answer and is reported as
/// EHR_KEY_UNAVAILABLE: a root that was kept goes on opening the store. So a host that revokes must tell the two apart.
///
/// `associated` names the store and must be authenticated with what is wrapped.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_key_source {
    /// sizeof(ehr_key_source)
    pub size: usize,
    /// Given back with each call.
    pub context: *mut c_void,
    /// Wraps the 32 bytes at `root`: writes at most `capacity` bytes to `wrapped` and their number to `*length`.
    pub wrap: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            associated: ehr_str,
            root: *const u8,
            wrapped: *mut u8,
            capacity: usize,
            length: *mut usize,
        ) -> i32,
    >,
    /// Unwraps: writes 32 bytes to `root`.
    pub unwrap:
        Option<unsafe extern "C" fn(context: *mut c_void, associated: ehr_str, wrapped: ehr_str, root: *mut u8) -> i32>,
}

struct HostKey(ehr_key_source);

// SAFETY: the header asks that both calls may come from any thread; `context` is only handed back.
unsafe impl Send for HostKey {}
// SAFETY: as above.
unsafe impl Sync for HostKey {}

const MOST_WRAPPED: usize = 16 * 1024;

impl KeySource for HostKey {
    fn name(&self) -> &str {
        "host"
    }
    fn wrap(&self, context: &[u8], root: &[u8; 32], _: &dyn Random) -> Result<Vec<u8>> {
        let call = self.0.wrap.ok_or_else(|| Code::InvalidArgument.error())?;
        let (mut out, mut length) = (vec![0; MOST_WRAPPED], 0);
        // SAFETY: every pointer is to memory of the stated size that lives across the call.
        let status = unsafe {
            call(self.0.context, ehr_str::lend(context), root.as_ptr(), out.as_mut_ptr(), out.len(), &raw mut length)
        };
        answered(status)?;
        if length == 0 || length > out.len() {
            return Err(Code::KeyUnavailable.error());
        }
        out.truncate(length);
        Ok(out)
    }
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let call = self.0.unwrap.ok_or_else(|| Code::InvalidArgument.error())?;
        let mut root = Zeroizing::new([0; 32]);
        // SAFETY: every pointer is to memory of the stated size that lives across the call.
        let status = unsafe { call(self.0.context, ehr_str::lend(context), ehr_str::lend(wrapped), root.as_mut_ptr()) };
        answered(status).map(|()| root)
    }
}

/// What a status of the host's says: 0, that it refuses, or that it did not answer.
fn answered(status: i32) -> Result<()> {
    const REFUSED: i32 = Code::WrongKey.number() as i32;
    match status {
        0 => Ok(()),
        REFUSED => Err(Code::WrongKey.error()),
        _ => Err(Code::KeyUnavailable.error()),
    }
}

/// A key of 32 uniformly random bytes that the host keeps. Release with ehr_key_free(); it is wiped then.
///
/// Errors: EHR_INVALID_ARGUMENT where `bytes` has not 32 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_raw(
    bytes: ehr_str,
    key_out: *mut *mut ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let bytes = unsafe { bytes.bytes() }?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| Code::InvalidArgument.error().expected("32 bytes"))?;
        put(key_out, handle::give::<ehr_key, Key>(Box::new(RawKey::new(bytes)))?)
    })
}

/// A key made of a passphrase with Argon2id. Servers should use ehr_key_host(). Release with ehr_key_free().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_passphrase(
    passphrase: ehr_str,
    key_out: *mut *mut ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let passphrase = unsafe { passphrase.text() }?;
        put(key_out, handle::give::<ehr_key, Key>(Box::new(Passphrase::new(passphrase)))?)
    })
}

/// The host's key management. `*source` is copied; its `context` must live as long as the key. Release with ehr_key_free().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_host(
    source: *const ehr_key_source,
    key_out: *mut *mut ehr_key,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(key_out)?;
        if source.is_null() {
            return Err(Code::NullPointer.error());
        }
        // SAFETY: not null and, by the header's convention, points to a readable ehr_key_source.
        let source = unsafe { source.read() };
        if source.size != size_of::<ehr_key_source>() || source.wrap.is_none() || source.unwrap.is_none() {
            return Err(Code::InvalidArgument.error().expected("size, wrap and unwrap to be set"));
        }
        put(key_out, handle::give::<ehr_key, Key>(Box::new(HostKey(source)))?)
    })
}

/// Releases a key. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_key_free(key: *mut ehr_key) {
    getter((), || {
        handle::release::<ehr_key, Key>(key);
        Ok(())
    });
}

pub(crate) fn path(path: ehr_str) -> Result<PathBuf> {
    // SAFETY: by the header's convention the argument is readable for the length it states during the call.
    unsafe { path.text() }.map(PathBuf::from)
}

/// Makes a new store in one new file. `key` is used during the call only.
///
/// Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
/// Errors:    EHR_STORE_EXISTS, EHR_IO, EHR_KEY_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_create(
    file: ehr_str,
    key: *const ehr_key,
    store_out: *mut *mut ehr_store,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(store_out)?;
        let key = handle::look::<ehr_key, Key>(key)?;
        let ehr = Ehr::create(path(file)?, &**key, Options::default())?;
        put(store_out, handle::give::<ehr_store, Ehr>(ehr)?)
    })
}

/// Opens a store. `key` is used during the call only.
///
/// Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
/// Errors:    EHR_LOCKED where another process has it open; EHR_WRONG_KEY, EHR_NOT_A_STORE, EHR_CORRUPT, EHR_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_open(
    file: ehr_str,
    key: *const ehr_key,
    store_out: *mut *mut ehr_store,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(store_out)?;
        let key = handle::look::<ehr_key, Key>(key)?;
        let ehr = Ehr::open(path(file)?, &**key, Options::default())?;
        put(store_out, handle::give::<ehr_store, Ehr>(ehr)?)
    })
}

/// Releases a store. NULL is fine. The file is closed when the last session on it is released too.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_store_free(store: *mut ehr_store) {
    getter((), || {
        handle::release::<ehr_store, Ehr>(store);
        Ok(())
    });
}
