//! Who may do what: one closed table, default deny.
//!
//! | action | physician | nurse | caregiver | patient | analyst | administrator |
//! |---|---|---|---|---|---|---|
//! | read, search, history, chart | treatment | treatment | treatment, one patient | own request, own record | - | - |
//! | create, update | treatment | treatment | - | - | - | - |
//! | delete | treatment | - | - | - | - | - |
//! | export of one chart | treatment | - | - | own request, own record | - | operations |
//! | import, export of all, quarantine | - | - | - | - | - | operations |
//! | count | treatment | treatment | - | - | research, operations | operations |
//! | audit, verify | - | - | - | - | - | operations |
//!
//! Consent, care teams, labels and break-glass come on top of this table in the issue on custody.

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
    "administrator" => Administrator,
});
named!(Purpose {
    "TREAT" => Treatment, "HPAYMT" => Payment, "HOPERAT" => Operations, "HRESCH" => Research, "PATRQT" => PatientRequest,
});
named!(Action {
    "read" => Read, "search" => Search, "history" => History, "chart" => Chart, "count" => Count, "create" => Create,
    "update" => Update, "delete" => Delete, "export-chart" => ExportChart, "export-all" => ExportAll, "import" => Import,
    "quarantine" => Quarantine, "audit" => Audit, "verify" => Verify, "keys" => Keys,
    "amend" => Amend, "retract" => Retract, "retracted" => Retracted, "hold" => Hold, "destroy" => Destroy, "settle" => Settle, "request-amendment" => RequestAmendment, "decide-amendment" => DecideAmendment, "access-package" => AccessPackage, "disclose" => Disclose, "policy" => Policy, "break-glass" => BreakGlass, "rotate-keys" => RotateKeys, "shred" => Shred, "backup" => Backup, "repair" => Repair,
});

/// How far a permit reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every record.
    All,
    /// Records of the one patient the actor is bound to, and of no other; types that belong to no patient
    /// (Practitioner, Medication) may be read.
    OnePatient,
    /// No.
    Deny,
}

/// Decides by the table. What the table does not name is denied.
pub const fn decide(role: Role, purpose: Purpose, action: Action) -> Decision {
    use Action::*;
    use Decision::{All, Deny, OnePatient};
    match (role, purpose, action) {
        (
            Role::Physician,
            Purpose::Treatment,
            Read | Search | History | Chart | Count | Create | Update | Delete | ExportChart | Amend | Retract
            | Retracted | Settle | BreakGlass | Disclose,
        ) => All,
        (
            Role::Nurse,
            Purpose::Treatment,
            Read | Search | History | Chart | Count | Create | Update | Amend | BreakGlass,
        ) => All,
        (Role::Caregiver, Purpose::Treatment, Read | Search | History | Chart) => OnePatient,
        (
            Role::Patient,
            Purpose::PatientRequest,
            Read | Search | History | Chart | ExportChart | RequestAmendment | AccessPackage,
        ) => OnePatient,
        (Role::Analyst, Purpose::Research | Purpose::Operations, Count) => All,
        (
            Role::Administrator,
            Purpose::Operations,
            ExportChart | ExportAll | Import | Quarantine | Count | Audit | Verify | Keys | Hold | Destroy
            | DecideAmendment | RequestAmendment | AccessPackage | Disclose | Policy | RotateKeys | Shred | Backup
            | Repair,
        ) => All,
        _ => Deny,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_role_and_action_is_as_the_table_says() {
        // role, purpose, then one letter for each action: A all, 1 one patient, - no.
        let table = [
            (Role::Physician, Purpose::Treatment, "AAAAAAAAA------AAA--A---A-A----"),
            (Role::Nurse, Purpose::Treatment, "AAAAAAA--------A----------A----"),
            (Role::Caregiver, Purpose::Treatment, "1111---------------------------"),
            (Role::Patient, Purpose::PatientRequest, "1111----1------------1-1-------"),
            (Role::Analyst, Purpose::Research, "----A--------------------------"),
            (Role::Analyst, Purpose::Operations, "----A--------------------------"),
            (Role::Administrator, Purpose::Operations, "----A---AAAAAAA---AA-AAAAA-AAAA"),
        ];
        let (mut rows, denied) = (0, "-".repeat(31));
        for role in Role::ALL {
            for purpose in Purpose::ALL {
                let expected =
                    table.iter().find(|row| row.0 == *role && row.1 == *purpose).map_or(denied.as_str(), |row| row.2);
                for (action, letter) in Action::ALL.iter().zip(expected.chars()) {
                    let wanted = match letter {
                        'A' => Decision::All,
                        '1' => Decision::OnePatient,
                        _ => Decision::Deny,
                    };
                    assert_eq!(decide(*role, *purpose, *action), wanted, "{role:?} {purpose:?} {action:?}");
                    rows += 1;
                }
            }
        }
        assert_eq!(rows, 6 * 5 * 31);
    }
}
