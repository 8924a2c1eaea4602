//! Getting out of a damaged store what is genuine still.

use crate::error::ehr_error;
use crate::guard::{ehr_status, guard, put};
use crate::handle;
use crate::store::{Key, ehr_key, path};
use crate::text::ehr_str;
use ehrcore_core::ehr::{Ehr, Options, SalvageInto, SalvageOptions};
use ehrcore_core::error::Code;
use ehrcore_core::limits::CallLimits;
use ehrcore_core::store::{Lines, MissingKind};

/// What was got out of a damaged store. Where `records_known`: records = current + retracted + deleted + hidden + lost; where `blocks_known`:
/// blocks = opened + blocks_lost.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ehr_salvaged {
    /// sizeof(ehr_salvaged), set by the caller.
    pub size: usize,
    /// Pages of the store, and those that do not open.
    pub pages: u64,
    /// Pages that do not open.
    pub pages_lost: u64,
    /// How many records there were, where that is known.
    pub records: u64,
    /// How many blocks of versions there were, where that is known.
    pub blocks: u64,
    /// Records whose newest version was found.
    pub current: u64,
    /// Records whose newest version was found and hides them.
    pub retracted: u64,
    /// Records whose newest version was found and says that they are deleted.
    pub deleted: u64,
    /// Records of which a later version is lost, or may be: not given as current.
    pub hidden: u64,
    /// Records of which nothing was found.
    pub lost: u64,
    /// Versions that were found.
    pub versions: u64,
    /// Blocks that opened.
    pub opened: u64,
    /// Blocks that are lost.
    pub blocks_lost: u64,
    /// Records that were written: lines, or records in the new store that can be read.
    pub written: u64,
    /// Whether `records` is known.
    pub records_known: i32,
    /// Whether `blocks` is known.
    pub blocks_known: i32,
    /// Whether nothing at all is missing.
    pub whole: i32,
}

/// Told what is missing: `what` is 1 for the key of a compartment, 2 for a block of versions, 3 for the newest version of a record, 4 for a record
/// of which nothing was found; the number of the patient, and that of the compartment or of the block.
#[allow(non_camel_case_types)]
pub type ehr_missing = Option<extern "C" fn(context: *mut std::ffi::c_void, what: i32, patient: u32, row: u64)>;

/// Gets out of a damaged store what is genuine still, with no good copy of it; the damaged file stays as it is. `form` 0: into a new store under
/// the same keys; 1: into NDJSON in clear, the current version of each record; 2: every version, each in an object that says what it is.
/// A record of which a later version is lost, or may be, is not given as current. `missing` may be NULL, `salvaged_out` too.
///
/// Errors: EHR_MAP_DAMAGED, EHR_NOT_A_STORE, EHR_STORE_EXISTS, EHR_WRONG_KEY, EHR_LOCKED, EHR_INVALID_ARGUMENT, EHR_IO; then there is no file.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_store_salvage(
    damaged: ehr_str,
    into: ehr_str,
    form: i32,
    actor: ehr_str,
    key: *const ehr_key,
    missing: ehr_missing,
    context: *mut std::ffi::c_void,
    salvaged_out: *mut ehr_salvaged,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        // SAFETY: where it is not null, by the header's convention, it points to an ehr_salvaged that the caller made.
        if !salvaged_out.is_null() && unsafe { (*salvaged_out).size } != size_of::<ehr_salvaged>() {
            return Err(Code::InvalidArgument.error().expected("size to be set"));
        }
        let (damaged, file) = (path(damaged)?, path(into)?);
        let into = match form {
            0 => SalvageInto::Store(&file),
            1 => SalvageInto::Ndjson(&file, Lines::Current),
            2 => SalvageInto::Ndjson(&file, Lines::All),
            _ => return Err(Code::InvalidArgument.error().expected("0, 1 or 2 as form")),
        };
        // SAFETY: by the header's convention the argument is readable for the length it states during the call.
        let actor = unsafe { actor.text() }?;
        let how = SalvageOptions { actor, limits: CallLimits::default() };
        let key = handle::look::<ehr_key, Key>(key)?;
        let report = Ehr::salvage(&damaged, into, &how, &**key, &Options::default())?;
        if let Some(missing) = missing {
            for one in &report.missing {
                let what = match one.what {
                    MissingKind::Key => 1,
                    MissingKind::Block => 2,
                    MissingKind::Newest => 3,
                    MissingKind::Record => 4,
                };
                missing(context, what, one.patient, one.row);
            }
        }
        if salvaged_out.is_null() {
            return Ok(());
        }
        put(
            salvaged_out,
            ehr_salvaged {
                size: size_of::<ehr_salvaged>(),
                pages: report.pages,
                pages_lost: report.pages_lost,
                records: report.records.unwrap_or(0),
                blocks: report.blocks.unwrap_or(0),
                current: report.current,
                retracted: report.retracted,
                deleted: report.deleted,
                hidden: report.hidden,
                lost: report.lost,
                versions: report.versions,
                opened: report.opened,
                blocks_lost: report.blocks_lost,
                written: report.written,
                records_known: report.records.is_some().into(),
                blocks_known: report.blocks.is_some().into(),
                whole: report.is_whole().into(),
            },
        )
    })
}
