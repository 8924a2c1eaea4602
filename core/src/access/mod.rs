//! Who may do what: a policy of closed tables, default deny.
//!
//! A [`Policy`] is data (TOML or JSON): rules that permit, rules that deny, what roles are cleared for, which elements they do
//! not see. It is compiled once to bits; a session gets the part of it that is about its role and purpose, a [`Lens`], and asks
//! that for each record with a few [`Facts`]. The order is fixed: what is denied (labels beyond the clearance, deny rules, the
//! patient's consent) before emergency access before what is permitted; what nothing permits is denied.
//!
//! This room decides. It reads no store and writes no event; what it needs to know of a record or a patient it is told.
//! The language, the policies that come with the library and what they do not do: core/docs/access.md.

mod cedar;
mod check;
mod consent;
mod labels;
mod lens;
mod mask;
mod policy;
mod read;
#[cfg(test)]
mod tests;

pub use check::Finding;
pub(crate) use consent::{Asker, Consent};
pub use labels::{Confidentiality, Labels};
pub use lens::{Cause, ConsentSays, Explanation, Facts, Lens, Near, Subject, Verdict};
pub use policy::{Policy, Relations};

/// What somebody is in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Role {
    Physician = 1,
    Nurse = 2,
    Caregiver = 3,
    Patient = 4,
    Analyst = 5,
    Administrator = 6,
    Coordinator = 7,
}

/// Why, in the codes of HL7's PurposeOfUse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// TREAT
    Treatment = 1,
    /// HPAYMT
    Payment = 2,
    /// HOPERAT
    Operations = 3,
    /// HRESCH
    Research = 4,
    /// PATRQT
    PatientRequest = 5,
    /// ETREAT
    EmergencyTreatment = 6,
    /// BTG: emergency access, given by [`crate::ehr::Session::break_glass`] only.
    BreakGlass = 7,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Action {
    Read,
    Search,
    History,
    Chart,
    Count,
    Create,
    Update,
    Delete,
    ExportChart,
    ExportAll,
    Import,
    Quarantine,
    Audit,
    Verify,
    Keys,
    Amend,
    Retract,
    Retracted,
    Hold,
    Destroy,
    Settle,
    RequestAmendment,
    DecideAmendment,
    AccessPackage,
    Disclose,
    Policy,
    BreakGlass,
    RotateKeys,
    Shred,
    Backup,
    Repair,
}

macro_rules! named {
    ($type:ident { $($name:literal => $variant:ident),* $(,)? }) => {
        impl $type {
            /// Every one.
            pub const ALL: &'static [$type] = &[$($type::$variant),*];
            /// The name.
            pub const fn name(self) -> &'static str { match self { $($type::$variant => $name),* } }
            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> { match name { $($name => Some($type::$variant),)* _ => None } }
        }
    };
}

named!(Role {
    "physician" => Physician, "nurse" => Nurse, "caregiver" => Caregiver, "patient" => Patient, "analyst" => Analyst,
    "administrator" => Administrator, "coordinator" => Coordinator,
});
named!(Purpose {
    "TREAT" => Treatment, "HPAYMT" => Payment, "HOPERAT" => Operations, "HRESCH" => Research, "PATRQT" => PatientRequest,
    "ETREAT" => EmergencyTreatment, "BTG" => BreakGlass,
});
named!(Action {
    "read" => Read, "search" => Search, "history" => History, "chart" => Chart, "count" => Count, "create" => Create,
    "update" => Update, "delete" => Delete, "export-chart" => ExportChart, "export-all" => ExportAll, "import" => Import,
    "quarantine" => Quarantine, "audit" => Audit, "verify" => Verify, "keys" => Keys,
    "amend" => Amend, "retract" => Retract, "retracted" => Retracted, "hold" => Hold, "destroy" => Destroy, "settle" => Settle, "request-amendment" => RequestAmendment, "decide-amendment" => DecideAmendment, "access-package" => AccessPackage, "disclose" => Disclose, "policy" => Policy, "break-glass" => BreakGlass, "rotate-keys" => RotateKeys, "shred" => Shred, "backup" => Backup, "repair" => Repair,
});

impl Action {
    /// Whether it shows records and changes nothing.
    pub const fn is_looking(self) -> bool {
        matches!(self, Action::Read | Action::Search | Action::History | Action::Chart)
    }
    /// Whether it is done to records one by one, so that the gate decides about each.
    pub(crate) const fn is_about_records(self) -> bool {
        use Action::{Amend, Create, Delete, Retract, Retracted, Settle, Update};
        self.is_looking() || matches!(self, Create | Update | Delete | Amend | Retract | Retracted | Settle)
    }
    /// Whether it is permitted by what is known of records or of one patient, so that the gate decides. All else is permitted as
    /// such or not at all.
    pub(crate) const fn is_decided_at_the_gate(self) -> bool {
        use Action::{
            AccessPackage, BreakGlass, Count, DecideAmendment, Disclose, ExportAll, ExportChart, RequestAmendment,
        };
        let shows = matches!(self, Count | ExportChart | ExportAll | Disclose | AccessPackage);
        self.is_about_records() || shows || matches!(self, RequestAmendment | DecideAmendment | BreakGlass)
    }
    const fn bit(self) -> u64 {
        1 << self as u32
    }
}
