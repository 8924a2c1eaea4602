//! A patient's keys, destroyed or replaced; and the anchor that finds an older file.

use crate::error::ehr_error;
use crate::guard::{ehr_status, growing, guard, put, put_within, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::session::{ehr_session, look};
use crate::store::{Key, ehr_key, ehr_store, path};
use crate::text::ehr_str;
use ehrcore_core::ehr::{Anchor, Anchoring, Ehr, FileAnchor, Options};
use ehrcore_core::error::{Code, Result};
use ehrcore_core::record::Compartment;
use ehrcore_core::store::Shredded;
use std::ffi::c_void;
use std::sync::Arc;

fn text<'a>(text: ehr_str) -> Result<&'a str> {
    // SAFETY: by the header's convention an argument is readable for the length it states during the call, and no caller
    // here keeps the text longer.
    unsafe { text.text() }
}

/// The answer of a shredding as JSON.
fn shredded(text_out: *mut *mut ehr_text, shred: impl FnOnce() -> Result<Shredded>) -> Result<()> {
    writable(text_out)?;
    put(text_out, handle::give::<ehr_text, Vec<u8>>(shred()?.to_json())?)
}

/// Makes the whole chart of a patient unreadable for ever: its keys are destroyed, and with them every copy of a record in this file.
/// Needs an administrator; `reason` is for the audit log.
///
/// `*text_out` is what was destroyed as JSON: versions, blocks, tokens, damaged, keysLost; elsewhere, how many versions of this patient's records
/// lay in other charts and went too; and moved, the records that are somebody else's now (record, versions), of which what they say in
/// that chart stays.
///
/// Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_DENIED, EHR_NOT_FOUND; EHR_INVALID_ARGUMENT without a reason; EHR_HOLD where a legal hold covers it;
///            EHR_SHRED_UNFINISHED where opening the store again finishes it.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_shred(
    session: *const ehr_session,
    patient: ehr_str,
    reason: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || shredded(text_out, || look(session)?.shred(text(patient)?, text(reason)?)))
}

/// As ehr_session_shred(), for one compartment of the chart: "normal", "substance-use" or "psychotherapy-notes". The others stay
/// whole, but for what records of this compartment said before they were labelled.
///
/// Ownership: as ehr_session_shred().
/// Errors:    as ehr_session_shred(); EHR_NOT_FOUND also where the compartment is empty; EHR_INVALID_ARGUMENT for another name.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_shred_compartment(
    session: *const ehr_session,
    patient: ehr_str,
    compartment: ehr_str,
    reason: ehr_str,
    text_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        shredded(text_out, || {
            let compartment = Compartment::from_name(text(compartment)?)
                .ok_or_else(|| Code::InvalidArgument.error().expected("the name of a compartment"))?;
            look(session)?.shred_compartment(text(patient)?, compartment, text(reason)?)
        })
    })
}

/// Gives a patient new keys and seals every record under them, for when a key may have become known; history and bytes stay as
/// they are. `*blocks_out` is how many blocks of records there were. Needs an administrator.
///
/// Errors: as ehr_session_shred(); EHR_CORRUPT where something does not open: nothing was changed.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_rotate_patient(
    session: *const ehr_session,
    patient: ehr_str,
    reason: ehr_str,
    blocks_out: *mut u64,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(blocks_out)?;
        put(blocks_out, look(session)?.rotate_patient(text(patient)?, text(reason)?)?.blocks)
    })
}

/// What remembers, outside the store, how far it had come. Either `file` is set, or `load` and `store`, which give 0 on success and may be
/// called from any thread; what they keep is sealed. They must not call anything with the store: it waits for them.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_anchor {
    /// sizeof(ehr_anchor)
    pub size: usize,
    /// A file that is replaced whole; length 0 for none. Keep it on another machine or medium than the store.
    pub file: ehr_str,
    /// Given back with each call.
    pub context: *mut c_void,
    /// Writes the note that was kept last, at most `capacity` bytes, and its length to `*length`: 0 where there never was one.
    pub load:
        Option<unsafe extern "C" fn(context: *mut c_void, note: *mut u8, capacity: usize, length: *mut usize) -> i32>,
    /// Keeps a note in place of the one before, durably.
    pub store: Option<unsafe extern "C" fn(context: *mut c_void, note: ehr_str) -> i32>,
    /// A note after so many commits; 0 and 1: after each.
    pub every: u64,
    /// Not 0: while the anchor does not take a note, nothing more is written.
    pub strict: i32,
    /// Not 0: the store has no anchor yet, and the first note is made now.
    pub begin: i32,
    /// Goes on with a file that is behind the anchor, as after a restore; the reason, for the audit log. Length 0: such a file does not
    /// open.
    pub accept_older: ehr_str,
}

struct HostAnchor(ehr_anchor);

// SAFETY: the header asks that both calls may come from any thread; `context` is only handed back.
unsafe impl Send for HostAnchor {}
// SAFETY: as above.
unsafe impl Sync for HostAnchor {}

const MOST_NOTE: usize = 4096;

impl Anchor for HostAnchor {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        let call = self.0.load.ok_or_else(|| Code::InvalidArgument.error())?;
        let (mut note, mut length) = (vec![0; MOST_NOTE], 0);
        // SAFETY: both pointers are to memory of the stated size that lives across the call.
        let status = unsafe { call(self.0.context, note.as_mut_ptr(), note.len(), &raw mut length) };
        if status != 0 || length > note.len() {
            return Err(Code::AnchorUnavailable.error());
        }
        note.truncate(length);
        Ok((length > 0).then_some(note))
    }
    fn store(&self, note: &[u8]) -> Result<()> {
        let call = self.0.store.ok_or_else(|| Code::InvalidArgument.error())?;
        // SAFETY: the note lives across the call.
        let status = unsafe { call(self.0.context, ehr_str::lend(note)) };
        if status == 0 { Ok(()) } else { Err(Code::AnchorUnavailable.error()) }
    }
}

/// The struct of the caller, and the anchor it describes.
fn described(anchor: *const ehr_anchor) -> Result<(ehr_anchor, Arc<dyn Anchor>)> {
    if anchor.is_null() {
        return Err(Code::NullPointer.error());
    }
    // SAFETY: not null and, by the header's convention, points to a readable ehr_anchor.
    let anchor = unsafe { anchor.read() };
    let file = text(anchor.file)?;
    if anchor.size != size_of::<ehr_anchor>() || file.is_empty() && (anchor.load.is_none() || anchor.store.is_none()) {
        return Err(Code::InvalidArgument.error().expected("size, and file or load and store, to be set"));
    }
    let kept: Arc<dyn Anchor> =
        if file.is_empty() { Arc::new(HostAnchor(anchor)) } else { Arc::new(FileAnchor::new(file)) };
    Ok((anchor, kept))
}

fn options(anchor: *const ehr_anchor) -> Result<Options> {
    let (anchor, kept) = described(anchor)?;
    let mut anchoring = Anchoring::new(kept).every(anchor.every);
    if anchor.strict != 0 {
        anchoring = anchoring.strict();
    }
    if anchor.begin != 0 {
        anchoring = anchoring.begin();
    }
    let reason = text(anchor.accept_older)?;
    if !reason.is_empty() {
        anchoring = anchoring.accept_older(reason);
    }
    Ok(Options { anchor: Some(anchoring), ..Options::default() })
}

/// As ehr_create(), with an anchor. `*anchor` is copied; its `context` must live as long as the store.
///
/// Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
/// Errors:    as ehr_create(); EHR_ANCHOR_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_create_anchored(
    file: ehr_str,
    key: *const ehr_key,
    anchor: *const ehr_anchor,
    store_out: *mut *mut ehr_store,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(store_out)?;
        let key = handle::look::<ehr_key, Key>(key)?;
        let ehr = Ehr::create(path(file)?, &**key, options(anchor)?)?;
        put(store_out, handle::give::<ehr_store, Ehr>(ehr)?)
    })
}

/// As ehr_open(), with an anchor: a file that is older than the anchor knows, or that went another way from there, does not open, and
/// nothing is written to it. `*anchor` is copied; its `context` must live as long as the store.
///
/// Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
/// Errors:    as ehr_open(); EHR_ROLLED_BACK, EHR_ANCHOR_MISSING, EHR_ANCHOR_INVALID, EHR_ANCHOR_OTHER, EHR_ANCHOR_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_open_anchored(
    file: ehr_str,
    key: *const ehr_key,
    anchor: *const ehr_anchor,
    store_out: *mut *mut ehr_store,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(store_out)?;
        let key = handle::look::<ehr_key, Key>(key)?;
        let ehr = Ehr::open(path(file)?, &**key, options(anchor)?)?;
        put(store_out, handle::give::<ehr_store, Ehr>(ehr)?)
    })
}

/// A file and its anchor, compared.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ehr_anchor_report {
    /// How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
    pub size: usize,
    /// Change sets in the file.
    pub file_commits: u64,
    /// Change sets that the anchor knows of.
    pub anchor_commits: u64,
    /// Events of the audit log in the file.
    pub file_events: u64,
    /// Events of the audit log that the anchor knows of.
    pub anchor_events: u64,
    /// 1 where the file is older than its anchor, or went another way from there.
    pub rolled_back: i32,
}
growing!(ehr_anchor_report);

/// Compares a file with its anchor and shows nothing else; nothing is written. So what EHR_ROLLED_BACK is about can be looked at. `size` is the
/// sizeof of `*report_out`.
///
/// Errors: as ehr_open(); EHR_ANCHOR_MISSING, EHR_ANCHOR_INVALID, EHR_ANCHOR_OTHER, EHR_ANCHOR_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_compare_with_anchor(
    file: ehr_str,
    key: *const ehr_key,
    anchor: *const ehr_anchor,
    report_out: *mut ehr_anchor_report,
    size: usize,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(report_out)?;
        let key = handle::look::<ehr_key, Key>(key)?;
        let (_, anchor) = described(anchor)?;
        let found = Ehr::compare_with_anchor(path(file)?, &**key, anchor, Options::default())?;
        put_within(
            report_out,
            size,
            ehr_anchor_report {
                size: 0,
                file_commits: found.file_commits,
                anchor_commits: found.anchor_commits,
                file_events: found.file_events,
                anchor_events: found.anchor_events,
                rolled_back: found.rolled_back.into(),
            },
        )
    })
}

/// Tells the anchor of everything that is committed; without an anchor, nothing.
///
/// Errors: EHR_ANCHOR_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_store_anchor_now(store: *const ehr_store, error_out: *mut *mut ehr_error) -> ehr_status {
    guard(error_out, || handle::look::<ehr_store, Ehr>(store)?.anchor_now())
}

/// How many change sets the anchor does not know of yet; -1 without an anchor that answers: then an older file put back is not noticed.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_store_unanchored(
    store: *const ehr_store,
    count_out: *mut i64,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(count_out)?;
        let count = handle::look::<ehr_store, Ehr>(store)?.security_status().unanchored;
        put(count_out, count.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX)))
    })
}
