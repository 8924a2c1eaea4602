//! A patient's keys: destroyed, or replaced.

use super::{Path, Session};
use crate::audit::{Event, EventKind};
use crate::error::{Code, Error, Result};
use crate::record::Compartment;
use crate::store::{Renewed, Shredded};

impl Session {
    /// Makes the whole chart of a patient unreadable for ever: its keys are destroyed, and with them every copy of a record in this
    /// file. The name, the ids, the index, the tokens and what addresses stood for go with it. `reason` is for the audit log.
    ///
    /// A record that was entered for somebody else first and is this patient's now goes with all its versions, in whosever chart they
    /// lie. Of one that is somebody else's now, what it said of this patient goes; it is named in [`Shredded::moved`], for who can
    /// say whether it was moved rightly.
    ///
    /// # Durability
    /// When this returns, the chart is gone from the disk. On `shred-unfinished` it is gone for every call, and opening the store
    /// again destroys the key that is still in the file.
    ///
    /// # Privacy
    /// What stays: the audit log, which has ids and no content; the lines of the ledger, which have ids; what lies in quarantine, which
    /// belongs to no chart. A backup that was made before opens as long as somebody has a key that opened the store then:
    /// [`Session::rotate_root`] and destroy that key.
    ///
    /// # Errors
    /// - `not-found`: there is no such patient. `denied`; `invalid-argument`: no reason is given. `hold`: a legal hold covers the
    ///   chart, something in it, or a version that would go from the chart of another, with whom to ask. `shred-unfinished`. Of the store.
    pub fn shred(&self, patient: &str, reason: &str) -> Result<Shredded> {
        self.shred_part(Path::Shred, patient, None, reason)
    }

    /// As [`Session::shred`], for one compartment of the chart; the others stay whole, but for what records of this compartment said
    /// before they were labelled.
    ///
    /// # Errors
    /// - as [`Session::shred`]; `not-found` also where the compartment is empty.
    pub fn shred_compartment(&self, patient: &str, compartment: Compartment, reason: &str) -> Result<Shredded> {
        self.shred_part(Path::ShredCompartment, patient, Some(compartment), reason)
    }

    fn shred_part(&self, path: Path, patient: &str, only: Option<Compartment>, reason: &str) -> Result<Shredded> {
        let mut pass = self.enter_for_patient(path, patient, reason)?;
        pass.event.compartment = only.map_or(0, |only| only as u8);
        let (store, at) = (pass.store(), pass.now());
        let staged = pass.ungated_change().and_then(|mut change| {
            let done = change.shred(patient, only)?;
            if !done.elsewhere_of.records.is_empty() {
                crate::lifecycle::forget_asides(&mut change, &done.elsewhere_of.records)?;
            }
            Ok((done, change))
        });
        let (done, change) = match staged {
            Ok(staged) => staged,
            Err(error) => return pass.refuse(error),
        };
        pass.event.patient = done.patient;
        pass.event.patients = done.elsewhere_of.patients.clone();
        pass.event.count = done.versions + done.elsewhere;
        if done.keys_lost > 0 {
            let found = EventKind::Check;
            let failed = Some(Code::Corrupt.number());
            pass.note_with_commit(Event { kind: found, failed, count: done.keys_lost, ..self.event(path) });
        }
        pass.commit(change)?;
        store.finish_destroying(at).map_err(unfinished)?;
        store.burn(at, || Ok(())).map_err(unfinished)?;
        Ok(done)
    }

    /// Gives a patient new keys and seals every record and the index under them, for when a key may have become known. History
    /// and bytes stay as they are.
    ///
    /// # Durability
    /// When this returns, nothing that is in use opens with the keys before. On `shred-unfinished` that is so for every call, and
    /// opening the store again destroys what is left of the old keys.
    ///
    /// # Privacy
    /// Who has the old key can still read what was copied before.
    ///
    /// # Errors
    /// - as [`Session::shred`]; `corrupt`: something of the chart does not open: nothing was changed.
    pub fn rotate_patient(&self, patient: &str, reason: &str) -> Result<Renewed> {
        let mut pass = self.enter_for_patient(Path::RotatePatient, patient, reason)?;
        let (store, at) = (pass.store(), pass.now());
        let staged = pass.ungated_change().and_then(|mut change| Ok((change.renew(patient)?, change)));
        let (done, change) = match staged {
            Ok(staged) => staged,
            Err(error) => return pass.refuse(error),
        };
        pass.event.patient = done.patient;
        pass.event.count = done.blocks;
        pass.commit(change)?;
        store.burn(at, || Ok(())).map_err(unfinished)?;
        Ok(done)
    }

    fn enter_for_patient(&self, path: Path, patient: &str, reason: &str) -> Result<super::pass::Pass<'_>> {
        let event = crate::audit::Event {
            resource: Some(crate::schema::ResourceType::PATIENT),
            id: patient.to_owned(),
            reason: reason.to_owned(),
            ..self.event(path)
        };
        let pass = self.enter_about(path, event)?;
        if reason.trim().is_empty() {
            return pass.refuse(Code::InvalidArgument.error().expected("a reason"));
        }
        Ok(pass)
    }
}

fn unfinished(_: Error) -> Error {
    Code::ShredUnfinished.error()
}
