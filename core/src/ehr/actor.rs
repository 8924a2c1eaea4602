//! Who acts, and for what they are cleared.

use crate::access::{Confidentiality, Labels, Role};

/// Who acts. The host answers for it having checked who this is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// The host's id of the user.
    pub id: String,
    /// In which role.
    pub role: Role,
    /// For a patient or a caregiver: the logical id of the one patient they may see.
    pub patient: Option<String>,
    /// The record that stands for the actor, such as `Practitioner/17`: by it a care team or an encounter names them.
    pub reference: Option<String>,
    /// The organization they act for, as `Organization/id` or the host's own name of it.
    pub organization: Option<String>,
    /// Whether the host has checked a second factor.
    pub mfa: bool,
    /// The device or address they act from.
    pub device: Option<String>,
    /// The program they act through.
    pub client: Option<String>,
    /// Somebody in whose name they act: the host's id.
    pub on_behalf_of: Option<String>,
    /// Until when they act: for a caregiver, the end of the time for which they stand for the patient.
    pub until: Option<crate::time::Timestamp>,
    /// Security labels they are cleared for beyond what the policy gives their role, such as `R` or `PSY`.
    pub clearance: Vec<String>,
}

/// `Debug` says the role only: a patient who acts is named by id and by whom they stand for.
impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Actor({})", self.role.name())
    }
}

impl Actor {
    /// An actor who is bound to no single patient.
    pub fn new(id: &str, role: Role) -> Actor {
        Actor {
            id: id.to_owned(),
            role,
            patient: None,
            reference: None,
            organization: None,
            mfa: false,
            device: None,
            client: None,
            on_behalf_of: None,
            until: None,
            clearance: Vec::new(),
        }
    }
    /// A patient or caregiver, bound to one patient.
    pub fn of_patient(id: &str, role: Role, patient: &str) -> Actor {
        Actor::new(id, role).bound_to(patient)
    }
    /// Bound to one patient.
    #[must_use]
    pub fn bound_to(self, patient: &str) -> Actor {
        Actor { patient: Some(patient.to_owned()), ..self }
    }
    /// Known in records as `Practitioner/17`.
    #[must_use]
    pub fn known_as(self, reference: &str) -> Actor {
        Actor { reference: Some(reference.to_owned()), ..self }
    }
    /// Of an organization.
    #[must_use]
    pub fn of_organization(self, organization: &str) -> Actor {
        Actor { organization: Some(organization.to_owned()), ..self }
    }
    /// Whether the host has checked a second factor.
    #[must_use]
    pub fn with_mfa(self, checked: bool) -> Actor {
        Actor { mfa: checked, ..self }
    }
    /// From a device or an address.
    #[must_use]
    pub fn on_device(self, device: &str) -> Actor {
        Actor { device: Some(device.to_owned()), ..self }
    }
    /// Through a program.
    #[must_use]
    pub fn through_client(self, client: &str) -> Actor {
        Actor { client: Some(client.to_owned()), ..self }
    }
    /// In the name of somebody else.
    #[must_use]
    pub fn on_behalf_of(self, somebody: &str) -> Actor {
        Actor { on_behalf_of: Some(somebody.to_owned()), ..self }
    }
    /// Until an instant: the end of the time for which a caregiver stands for the patient.
    #[must_use]
    pub fn until(self, end: crate::time::Timestamp) -> Actor {
        Actor { until: Some(end), ..self }
    }
    /// Cleared for a security label beyond what the policy gives the role.
    #[must_use]
    pub fn cleared_for(mut self, label: &str) -> Actor {
        self.clearance.push(label.to_owned());
        self
    }

    /// What they are cleared for beyond what the policy gives the role; None where a label is not known.
    pub(super) fn labels(&self) -> Option<Labels> {
        let none = Labels { confidentiality: Confidentiality::Unrestricted, sensitivity: 0 };
        self.clearance.iter().try_fold(none, |all, code| Labels::of_code(code).map(|one| all.and(one)))
    }

    /// Whether every text is short enough for an event.
    pub(super) fn is_well_formed(&self) -> bool {
        let texts =
            [&self.patient, &self.reference, &self.organization, &self.device, &self.client, &self.on_behalf_of];
        let bound = !matches!(self.role, Role::Patient | Role::Caregiver) || self.patient.is_some();
        bound
            && !self.id.is_empty()
            && self.id.len() <= MOST_BYTES
            && texts.into_iter().flatten().all(|text| text.len() <= MOST_BYTES)
            && self.clearance.len() <= MOST_LABELS
            && self.labels().is_some()
    }
}

/// What is said of an actor is no longer than this, so that every event stays small.
const MOST_BYTES: usize = 256;
const MOST_LABELS: usize = 64;
