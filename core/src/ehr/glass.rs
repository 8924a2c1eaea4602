//! Emergency access: one patient, to look, for thirty minutes, with a reason, and on record before the first byte.

use super::known::Custody;
use super::{Path, Session};
use crate::access::Purpose;
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::time::Timestamp;

/// How long emergency access lasts.
const MINUTES: i64 = 30;
/// Longest reason.
const REASON_BYTES: usize = 1000;

/// The emergency that a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glass {
    pub(super) patient: PatientNumber,
    pub(super) until: Timestamp,
    /// By which the events of the emergency are found.
    pub(super) reference: u64,
}

/// What a host is told when somebody takes emergency access.
#[derive(Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Who.
    pub actor: String,
    /// To whose record: the logical id of the patient.
    pub patient: String,
    /// Why, in their words.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// By which its audit events are found.
    pub reference: u64,
}

impl std::fmt::Debug for Emergency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Emergency({:016x})", self.reference)
    }
}

/// Is told of emergency access, on the thread that takes it and before anything is shown.
pub trait Notify: Send + Sync {
    /// Somebody takes emergency access. It is on record already.
    fn emergency(&self, emergency: &Emergency);
}

/// Tells nobody.
impl Notify for () {
    fn emergency(&self, _: &Emergency) {}
}

impl Session {
    /// Emergency access to one patient: a session that looks at their record for 30 minutes, for the purpose BTG. Psychotherapy
    /// notes stay shut, what a deny rule or the patient's consent withholds stays withheld unless they say otherwise for BTG,
    /// and nothing can be written. Every event of it carries the reference of the emergency.
    ///
    /// # Privacy
    /// The event, with the reason sealed beside it, is on disk and the host's [`Notify`] was called when this returns.
    ///
    /// # Errors
    /// - `break-glass-refused`: no reason, one longer than 1000 bytes, or no second factor. `denied`: the role has no right to it, or not to
    ///   this patient.
    ///   `not-found`: there is no such patient. `audit-unavailable`.
    pub fn break_glass(&self, patient: &str, reason: &str) -> Result<Session> {
        let mut pass = self.enter_at(Path::BreakGlass, ResourceType::PATIENT, patient)?;
        let reason = reason.trim();
        pass.event.reason = reason.chars().take(REASON_BYTES).collect();
        if reason.is_empty() || reason.len() > REASON_BYTES || !self.actor.mfa {
            return pass.refuse(Code::BreakGlassRefused.error());
        }
        let found = pass.gate().and_then(|gate| {
            let number = gate.ungated().patient(patient)?.ok_or_else(|| Code::NotFound.error())?;
            if gate.may_for(number)? { Ok(number) } else { Err(Code::Denied.error()) }
        });
        let number = match found {
            Ok(number) => number,
            Err(error) => return pass.refuse(error),
        };
        let mut random = [0; 8];
        pass.store().random().fill(&mut random)?;
        let at = pass.now();
        let glass = Glass {
            patient: number,
            until: Timestamp(at.0.saturating_add(MINUTES * 60_000_000)),
            reference: u64::from_be_bytes(random).max(1),
        };
        (pass.event.patient, pass.event.break_glass) = (number.0, glass.reference);
        let notify = pass.notify();
        pass.show(Ok(()))?;
        notify.emergency(&Emergency {
            actor: self.actor.id.clone(),
            patient: patient.to_owned(),
            reason: reason.to_owned(),
            at,
            until: glass.until,
            reference: glass.reference,
        });
        Ok(self.beside(self.actor.clone(), Purpose::BreakGlass, Custody::for_emergency(glass)))
    }

    /// Until when the emergency access of this session lasts, and the reference of its events; None for any other session.
    pub fn emergency(&self) -> Option<(Timestamp, u64)> {
        self.custody.glass.map(|glass| (glass.until, glass.reference))
    }
}
