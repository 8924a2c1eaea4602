//! Legal holds: placed, listed, released. What a hold covers is refused in the change set, in `store`, for every call alike.

use super::Reason;
use crate::ehr::{Draft, Pass, Path, Session};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::store::{AsideKind, Hold, Released};

impl Session {
    /// Puts a patient's whole chart, or one record, on legal hold: until it is released, what it covers cannot be amended,
    /// corrected, augmented, overwritten, retracted, restored, merged, deleted or destroyed, and the patient's keys cannot be
    /// shredded. New records are not refused: care goes on. `contact` says whom to ask, in words of the host; those who are refused
    /// are told it.
    ///
    /// # Errors
    /// - `not-found`: there is no such patient or record; `reason-required`; `invalid-argument`: no contact; `denied`.
    pub fn place_hold(
        &self,
        patient: &str,
        record: Option<(ResourceType, &str)>,
        contact: &str,
        reason: &Reason,
    ) -> Result<Hold> {
        let (kind, id) = record.unwrap_or((ResourceType::PATIENT, patient));
        let mut pass = self.enter_at_for_all(Path::PlaceHold, kind, id)?;
        match placed(&mut pass, patient, record, contact, reason) {
            Err(error) => pass.refuse(error),
            Ok((hold, change)) => {
                pass.commit(change)?;
                Ok(hold)
            }
        }
    }

    /// Releases a hold. Its row stays, with who released it, when and why.
    ///
    /// # Errors
    /// - `not-found`: there is no hold of that number that stands; `reason-required`, `denied`.
    pub fn release_hold(&self, number: u64, reason: &Reason) -> Result<Hold> {
        let mut pass = self.enter_for_all(Path::ReleaseHold)?;
        match released(&mut pass, number, reason) {
            Err(error) => pass.refuse(error),
            Ok((hold, change)) => {
                pass.commit(change)?;
                Ok(hold)
            }
        }
    }

    /// The holds of a patient, or all of the store; those that were released too.
    ///
    /// # Errors
    /// - `denied`, `not-found`, `audit-unavailable`.
    pub fn holds(&self, patient: Option<&str>) -> Result<Vec<Hold>> {
        let mut pass = self.enter_for_all(Path::Holds)?;
        let found = pass.ungated_snapshot().and_then(|snapshot| match patient {
            Some(id) => snapshot.holds(Some(snapshot.patient(id)?.ok_or_else(|| Code::NotFound.error())?)),
            None => snapshot.holds(None),
        });
        if let Ok(all) = &found {
            pass.event.count = all.len() as u64;
        }
        pass.show(found)
    }
}

fn placed<'s>(
    pass: &mut Pass<'s>,
    patient: &str,
    record: Option<(ResourceType, &str)>,
    contact: &str,
    reason: &Reason,
) -> Result<(Hold, Draft<'s>)> {
    reason.check()?;
    if contact.trim().is_empty() || contact.len() > 512 {
        return Err(Code::InvalidArgument.error().expected("whom to ask, in 1 to 512 bytes"));
    }
    let mut change = pass.change()?;
    let number = match record {
        // A record is on hold in the chart it lies in.
        Some((kind, id)) => change.place_of(kind, id)?.ok_or_else(|| Code::NotFound.error())?,
        None => change.patient(patient)?.ok_or_else(|| Code::NotFound.error())?,
    };
    let named = change.patient(patient)?.unwrap_or(PatientNumber::SHARED);
    if named != number {
        return Err(Code::NotFound.error());
    }
    let hold = Hold {
        number: change.aside_number()?,
        patient: number,
        record: record.map(|(kind, id)| (kind, id.to_owned())),
        reason: reason.text.clone(),
        contact: contact.to_owned(),
        by: pass.session().actor.id.clone(),
        at: pass.now(),
        released: None,
    };
    change.aside_put(hold.key(), &hold.encode())?;
    (pass.event.patient, pass.event.count) = (number.0, 1);
    pass.event.reason = reason.text.clone();
    Ok((hold, change))
}

fn released<'s>(pass: &mut Pass<'s>, number: u64, reason: &Reason) -> Result<(Hold, Draft<'s>)> {
    reason.check()?;
    let mut change = pass.change()?;
    let (key, plain) = change.aside(AsideKind::Hold, number)?.ok_or_else(|| Code::NotFound.error())?;
    let mut hold = Hold::decode(key, &plain)?;
    if hold.released.is_some() {
        return Err(Code::NotFound.error());
    }
    hold.released = Some(Released { by: pass.session().actor.id.clone(), at: pass.now(), reason: reason.text.clone() });
    change.aside_put(key, &hold.encode())?;
    pass.event.patient = hold.patient.0;
    pass.event.reason = reason.text.clone();
    pass.event.count = 1;
    if let Some((kind, id)) = &hold.record {
        (pass.event.resource, pass.event.id) = (Some(*kind), id.clone());
    }
    Ok((hold, change))
}
