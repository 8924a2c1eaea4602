//! Looking after a store: limits of calls, check, backup, restore, repair.

use crate::error::ehr_error;
use crate::guard::{ehr_status, getter, guard, put, writable};
use crate::handle;
use crate::session::{ehr_session, look};
use crate::store::{Key, ehr_key, path};
use crate::text::ehr_str;
use ehrcore_core::ehr::{Ehr, Options, RepairOptions};
use ehrcore_core::error::{Code, Result};
use ehrcore_core::limits::{CallLimits, CancelToken};
use ehrcore_core::store::Copied;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Says "stop" from another thread to the calls that were given it.
#[allow(non_camel_case_types)]
pub struct ehr_cancel {
    _private: [u8; 0],
}

/// What a copy took.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ehr_copied {
    /// sizeof(ehr_copied), set by the caller.
    pub size: usize,
    /// Pages of the store.
    pub pages: u64,
    /// Pages that were copied.
    pub copied: u64,
    /// 0 for a full copy, else its number in the chain.
    pub number: u32,
}

/// What a check looked at and found.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ehr_check_report {
    /// sizeof(ehr_check_report), set by the caller.
    pub size: usize,
    /// Patients.
    pub patients: u64,
    /// Current records.
    pub records: u64,
    /// Versions of records.
    pub versions: u64,
    /// Audit events.
    pub events: u64,
    /// Entries of indexes that were compared with the records.
    pub entries: u64,
    /// Places that are not as they were left; 0 where all is sound.
    pub found: u64,
}

/// Told how many of how many pages or patients are done; 0 goes on, anything else cancels.
#[allow(non_camel_case_types)]
pub type ehr_steps = Option<extern "C" fn(context: *mut std::ffi::c_void, done: u64, of: u64) -> i32>;

/// Makes a token that cancels calls. Release with ehr_cancel_free().
#[unsafe(no_mangle)]
pub extern "C" fn ehr_cancel_new(cancel_out: *mut *mut ehr_cancel, error_out: *mut *mut ehr_error) -> ehr_status {
    guard(error_out, || {
        writable(cancel_out)?;
        put(cancel_out, handle::give::<ehr_cancel, CancelToken>(CancelToken::new())?)
    })
}

/// Cancels the calls that have this token: they end with EHR_CANCELLED.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_cancel_now(cancel: *const ehr_cancel, error_out: *mut *mut ehr_error) -> ehr_status {
    guard(error_out, || {
        handle::look::<ehr_cancel, CancelToken>(cancel)?.cancel();
        Ok(())
    })
}

/// Releases a token. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_cancel_free(cancel: *mut ehr_cancel) {
    getter((), || {
        handle::release::<ehr_cancel, CancelToken>(cancel);
        Ok(())
    });
}

/// Limits as C says them: 0 and NULL are none.
pub(crate) fn limits(milliseconds: u64, memory: usize, cancel: *const ehr_cancel) -> Result<CallLimits> {
    let cancel = match cancel.is_null() {
        true => None,
        false => Some((*handle::look::<ehr_cancel, CancelToken>(cancel)?).clone()),
    };
    let time = (milliseconds > 0).then(|| Duration::from_millis(milliseconds));
    Ok(CallLimits { time, cancel, memory: (memory > 0).then_some(memory) })
}

/// Sets how long each call of the session may take from now on in milliseconds, how many bytes of records it may hold, and what cancels it.
/// 0 and NULL are no limit. Calls end with EHR_DEADLINE, EHR_LIMIT_MEMORY or EHR_CANCELLED and leave nothing half done.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_limit(
    session: *const ehr_session,
    milliseconds: u64,
    memory: usize,
    cancel: *const ehr_cancel,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        look(session)?.set_limits(limits(milliseconds, memory, cancel)?);
        Ok(())
    })
}

/// Whether what was copied can be told, before anything is: a call that fails leaves no file.
fn can_tell(out: *const ehr_copied) -> Result<()> {
    // SAFETY: read only where not null; then, by the header's convention, it points to an ehr_copied whose size is set.
    if out.is_null() || unsafe { (&raw const (*out).size).read() } == size_of::<ehr_copied>() {
        return Ok(());
    }
    Err(Code::InvalidArgument.error().expected("size to be set"))
}

/// What [`can_tell`] was asked about.
fn copied_out(copied: Copied, out: *mut ehr_copied) -> Result<()> {
    if out.is_null() {
        return Ok(());
    }
    let size = size_of::<ehr_copied>();
    put(out, ehr_copied { size, pages: copied.pages, copied: copied.copied, number: copied.number })
}

/// Copies the store to a new file while others read and write: a store of its own under the same keys. With `earlier`, a copy made before that
/// `key` opens: only what is new since; else both are empty. `steps` may be NULL, `copied_out` too. Needs an administrator.
///
/// Errors: EHR_DENIED, EHR_STORE_EXISTS, EHR_OTHER_STORE, EHR_CORRUPT, EHR_CANCELLED, EHR_DEADLINE, EHR_IO; then there is no file.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_backup(
    session: *const ehr_session,
    file: ehr_str,
    earlier: ehr_str,
    key: *const ehr_key,
    steps: ehr_steps,
    context: *mut std::ffi::c_void,
    copied: *mut ehr_copied,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        can_tell(copied)?;
        let (session, file, earlier) = (look(session)?, path(file)?, path(earlier)?);
        let mut told = |done, of| steps.is_none_or(|steps| steps(context, done, of) == 0);
        let done = if earlier.as_os_str().is_empty() {
            session.backup(&file, &mut told)?
        } else {
            let key = handle::look::<ehr_key, Key>(key)?;
            session.backup_since(&file, &earlier, &**key, &mut told)?
        };
        copied_out(done, copied)
    })
}

/// Looks at everything of a store. What is damaged is no error: see `found`. Needs an administrator.
///
/// Errors: EHR_DENIED, EHR_CANCELLED, EHR_DEADLINE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_check(
    session: *const ehr_session,
    report_out: *mut ehr_check_report,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(report_out)?;
        // SAFETY: writable and, by the header's convention, an ehr_check_report whose size is set.
        let size = unsafe { (&raw const (*report_out).size).read() };
        if size != size_of::<ehr_check_report>() {
            return Err(Code::InvalidArgument.error().expected("size to be set"));
        }
        let report = look(session)?.check(None, &mut |_, _| true)?;
        let made = ehr_check_report {
            size,
            patients: report.patients,
            records: report.records,
            versions: report.versions,
            events: report.events,
            entries: report.entries,
            found: report.found,
        };
        put(report_out, made)
    })
}

fn paths(files: *const ehr_str, count: usize) -> Result<Vec<PathBuf>> {
    if files.is_null() && count > 0 {
        return Err(Code::NullPointer.error());
    }
    // SAFETY: by the header's convention there are `count` readable texts.
    (0..count).map(|at| path(unsafe { files.add(at).read() })).collect()
}

/// Puts a full copy and the `count` - 1 increments that follow it together to a store in a new file. `copied` may be NULL.
///
/// Errors: EHR_BACKUP_CHAIN, EHR_OTHER_STORE, EHR_CORRUPT, EHR_TRUNCATED, EHR_STORE_EXISTS, EHR_WRONG_KEY, EHR_IO; then there is no file.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_restore(
    chain: *const ehr_str,
    count: usize,
    into: ehr_str,
    key: *const ehr_key,
    copied: *mut ehr_copied,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        can_tell(copied)?;
        let (chain, into, key) = (paths(chain, count)?, path(into)?, handle::look::<ehr_key, Key>(key)?);
        let chain: Vec<&Path> = chain.iter().map(AsRef::as_ref).collect();
        let options = Options::default();
        copied_out(Ehr::restore(&chain, &into, &**key, &options, &CallLimits::default(), &mut |_, _| true)?, copied)
    })
}

/// Makes a damaged store whole in a new file with `count` good copies of it, and checks it; the damaged file stays as it is. `allow_older`, if
/// not 0: where its map cannot be read, a copy that may be older takes its place. `from_copies_out` receives how many pages came from copies.
///
/// Errors: EHR_CORRUPT, EHR_COPY_OLDER, EHR_COPY_DAMAGED, EHR_OTHER_STORE, EHR_STORE_EXISTS, EHR_WRONG_KEY, EHR_IO; then there is no file.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_repair(
    damaged: ehr_str,
    copies: *const ehr_str,
    count: usize,
    into: ehr_str,
    allow_older: i32,
    actor: ehr_str,
    key: *const ehr_key,
    from_copies_out: *mut u64,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(from_copies_out)?;
        let (damaged, copies, into) = (path(damaged)?, paths(copies, count)?, path(into)?);
        let copies: Vec<&Path> = copies.iter().map(AsRef::as_ref).collect();
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let actor = unsafe { actor.text() }?;
        let how = RepairOptions { actor, allow_older: allow_older != 0, limits: CallLimits::default() };
        let key = handle::look::<ehr_key, Key>(key)?;
        let done = Ehr::repair(&damaged, &copies, &into, &how, &**key, &Options::default())?;
        put(from_copies_out, done.mended.from_copies)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_whose_result_cannot_be_told_is_not_begun() {
        let folder = std::env::temp_dir().join(format!("ehrcore-care-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = |path: &Path| path.to_str().expect("a name in UTF-8").to_owned();
        let (store, copy) = (text(&folder.join("a.ehr")), text(&folder.join("b.ehr")));
        let source = ehrcore_core::keys::RawKey::new([1; 32]);
        drop(Ehr::create(&store, &source, Options::default()).expect("a store"));
        let key = handle::give::<ehr_key, Key>(Box::new(source)).expect("there is room");
        let chain = [ehr_str::lend(store.as_bytes())];
        let mut copied = ehr_copied { size: 8, pages: 7, copied: 7, number: 7 };
        let restore = |copied: &mut ehr_copied| {
            let into = ehr_str::lend(copy.as_bytes());
            ehr_restore(chain.as_ptr(), 1, into, key, copied, std::ptr::null_mut())
        };
        assert_eq!(restore(&mut copied), ehr_status::from(Code::InvalidArgument.number()));
        assert!(!Path::new(&copy).exists() && copied.pages == 7);
        copied.size = size_of::<ehr_copied>();
        assert_eq!(restore(&mut copied), 0);
        assert!(Path::new(&copy).exists() && copied.pages == copied.copied && copied.number == 0);
        handle::release::<ehr_key, Key>(key);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
