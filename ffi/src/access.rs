//! Policies, emergency access and care, as a C program uses them.

use crate::error::ehr_error;
use crate::guard::{ehr_status, guard, put, writable};
use crate::handle;
use crate::record::ehr_text;
use crate::session::{actor, ehr_actor, ehr_session, kind, look, text};
use crate::store::ehr_store;
use crate::text::ehr_str;
use ehrcore_core::access::{Action, Finding, Policy, Purpose};
use ehrcore_core::ehr::{Ehr, Emergency, Notify, Session};
use ehrcore_core::error::{Code, Result};
use std::ffi::c_void;
use std::sync::Arc;

fn give_text(out: *mut *mut ehr_text, text: String) -> Result<()> {
    put(out, handle::give::<ehr_text, Vec<u8>>(text.into_bytes())?)
}

/// Looks a policy over, TOML or JSON: gives a JSON list of `code`, `place` and `message`, empty where there is nothing to look at.
///
/// Ownership: on EHR_OK, `*findings_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_POLICY_INVALID, with the place in the error's path.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_policy_check(
    policy: ehr_str,
    findings_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(findings_out)?;
        let findings = Policy::parse(text(policy)?)?.check();
        give_text(findings_out, Finding::list_to_json(&findings))
    })
}

/// The policy in force, as the text it was read from, and its number: how many were put in place before it.
///
/// Ownership: on EHR_OK, `*policy_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_DENIED, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_policy(
    session: *const ehr_session,
    policy_out: *mut *mut ehr_text,
    number_out: *mut u32,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(policy_out)?;
        writable(number_out)?;
        let (policy, number) = look(session)?.policy()?;
        give_text(policy_out, policy.text().to_owned())?;
        put(number_out, number)
    })
}

/// Puts a policy in place, TOML or JSON, for every session from its next call on; gives its number.
///
/// Errors:    EHR_POLICY_INVALID, EHR_DENIED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_set_policy(
    session: *const ehr_session,
    policy: ehr_str,
    number_out: *mut u32,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(number_out)?;
        let policy = Policy::parse(text(policy)?)?;
        put(number_out, look(session)?.set_policy(&policy)?)
    })
}

/// What an actor would be told for an action on a record (`kind_name` and `id` empty: on none in particular), and why, as JSON:
/// `permitted`, `cause`, `rule`, `near`.
///
/// Ownership: on EHR_OK, `*explanation_out` is the caller's; release it with ehr_text_free().
/// Errors:    EHR_DENIED, EHR_NOT_FOUND, EHR_INVALID_ARGUMENT, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_explain(
    session: *const ehr_session,
    who: *const ehr_actor,
    purpose: ehr_str,
    action: ehr_str,
    kind_name: ehr_str,
    id: ehr_str,
    explanation_out: *mut *mut ehr_text,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(explanation_out)?;
        let who = actor(who)?;
        let purpose = Purpose::from_name(text(purpose)?).ok_or_else(|| Code::PurposeRequired.error())?;
        let action =
            Action::from_name(text(action)?).ok_or_else(|| Code::InvalidArgument.error().expected("an action"))?;
        let record = match text(kind_name)? {
            "" => None,
            _ => Some((kind(kind_name)?, text(id)?)),
        };
        give_text(explanation_out, look(session)?.explain(&who, purpose, action, record)?.to_json())
    })
}

/// Emergency access to one patient, to look, for 30 minutes: on record, with its reason, when this returns.
///
/// Ownership: on EHR_OK, `*session_out` is the caller's; release it with ehr_session_free().
/// Errors:    EHR_BREAK_GLASS_REFUSED, EHR_DENIED, EHR_NOT_FOUND, EHR_AUDIT_UNAVAILABLE.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_break_glass(
    session: *const ehr_session,
    patient: ehr_str,
    reason: ehr_str,
    session_out: *mut *mut ehr_session,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        writable(session_out)?;
        let glass = look(session)?.break_glass(text(patient)?, text(reason)?)?;
        put(session_out, handle::give::<ehr_session, Session>(glass)?)
    })
}

/// Says that the actor takes care of a patient, for as long as the session is open; it is recorded.
///
/// Errors:    EHR_AUDIT_UNAVAILABLE, EHR_DENIED.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_session_relate(
    session: *const ehr_session,
    patient: ehr_str,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || look(session)?.relate(text(patient)?))
}

struct Told {
    context: *mut c_void,
    call: unsafe extern "C" fn(context: *mut c_void, actor: ehr_str, patient: ehr_str, reason: ehr_str, reference: u64),
}

// SAFETY: the header asks that function and context may be used from any thread.
unsafe impl Send for Told {}
// SAFETY: as above.
unsafe impl Sync for Told {}

impl Notify for Told {
    fn emergency(&self, emergency: &Emergency) {
        let lend = |text: &str| ehr_str::lend(text.as_bytes());
        let (actor, patient, reason) = (lend(&emergency.actor), lend(&emergency.patient), lend(&emergency.reason));
        // SAFETY: the caller of ehr_store_on_emergency() answers for function and context; the texts outlive the call.
        unsafe { (self.call)(self.context, actor, patient, reason, emergency.reference) };
    }
}

/// Says who is told of emergency access from now on, with texts that are there during the call; NULL for nobody. Function and
/// context are used from any thread until the store is closed; the function must not throw.
///
/// Errors:    EHR_HANDLE_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn ehr_store_on_emergency(
    store: *const ehr_store,
    call: Option<
        unsafe extern "C" fn(context: *mut c_void, actor: ehr_str, patient: ehr_str, reason: ehr_str, reference: u64),
    >,
    context: *mut c_void,
    error_out: *mut *mut ehr_error,
) -> ehr_status {
    guard(error_out, || {
        let ehr = handle::look::<ehr_store, Ehr>(store)?;
        match call {
            Some(call) => ehr.set_notify(Arc::new(Told { context, call })),
            None => ehr.set_notify(Arc::new(())),
        }
        Ok(())
    })
}
