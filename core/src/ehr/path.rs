//! The ways into a store: one line for each public call of a session.
//!
//! A line says what the call asks leave for, what its audit event is called, and whether that event is on disk before anything
//! is shown. A call cannot reach the store without naming its line (see [`super::pass`]), and a line without an event cannot be
//! written.

use crate::access::Action;
use crate::audit::EventKind;

/// When the event of a call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// With others, within 10 ms of calls or at the end of the session.
    Grouped,
    /// On disk before the call gives its answer.
    AtOnce,
    /// In the change set of what it records: both or neither.
    WithChange,
}

macro_rules! paths {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $action:ident, $event:ident, $urgency:ident;)*) => {
        /// A public call of a session.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Path { $($(#[$doc])* $variant),* }

        impl Path {
            /// Every one.
            pub const ALL: &'static [Path] = &[$(Path::$variant),*];
            /// The name of the call.
            pub const fn name(self) -> &'static str { match self { $(Path::$variant => $name),* } }
            /// What it asks leave for.
            pub const fn action(self) -> Action { match self { $(Path::$variant => Action::$action),* } }
            /// What its event is called.
            pub const fn event(self) -> EventKind { match self { $(Path::$variant => EventKind::$event),* } }
            /// When its event is written.
            pub const fn urgency(self) -> Urgency { match self { $(Path::$variant => Urgency::$urgency),* } }
        }
    };
}

paths! {
    /// [`super::Session::read`]
    Read = "read": Read, Read, Grouped;
    /// [`super::Session::read_version`]
    ReadVersion = "read_version": History, History, Grouped;
    /// [`super::Session::as_of`]
    AsOf = "as_of": History, History, Grouped;
    /// [`super::Session::history`]
    History = "history": History, History, Grouped;
    /// [`super::Session::search`]
    Search = "search": Search, Search, Grouped;
    /// [`super::Session::count`]
    Count = "count": Count, Search, Grouped;
    /// [`super::Session::chart`]
    Chart = "chart": Chart, Chart, Grouped;
    /// [`super::Session::chart_page`]
    ChartPage = "chart_page": Chart, Chart, Grouped;
    /// [`super::Session::provenance`], of the current version
    Provenance = "provenance": Read, Read, Grouped;
    /// [`super::Session::provenance`], of an earlier version
    ProvenanceOfVersion = "provenance_of_version": History, History, Grouped;
    /// [`super::Session::change_set`], where the role may write records and not write over them
    Create = "create": Create, Create, WithChange;
    /// [`super::Session::change_set`], where a record is written; the event is a create where it is the first version
    Update = "update": Update, Update, WithChange;
    /// [`super::Session::delete`]
    Delete = "delete": Delete, Delete, WithChange;
    /// [`super::Session::export_chart`]
    ExportChart = "export_chart": ExportChart, Export, AtOnce;
    /// [`super::Session::export_ndjson`]
    ExportAll = "export_ndjson": ExportAll, Export, AtOnce;
    /// [`super::Session::import`]
    Import = "import": Import, Import, WithChange;
    /// [`super::Session::ledger`]
    Ledger = "ledger": Import, AuditRead, AtOnce;
    /// [`super::Session::quarantine`]
    Quarantine = "quarantine": Quarantine, Quarantine, AtOnce;
    /// [`super::Session::release`]
    Release = "release": Quarantine, Release, WithChange;
    /// [`super::Session::audit`]
    Audit = "audit": Audit, AuditRead, AtOnce;
    /// [`super::Session::audit_proof`]
    AuditProof = "audit_proof": Audit, AuditRead, AtOnce;
    /// [`super::Session::audit_continues`]
    AuditContinues = "audit_continues": Audit, AuditRead, AtOnce;
    /// [`super::Session::audit_report`]
    AuditReport = "audit_report": Audit, AuditReport, AtOnce;
    /// [`super::Session::disclose`]
    Disclose = "disclose": Disclose, Disclose, AtOnce;
    /// [`super::Session::audit_export`]
    AuditExport = "audit_export": Audit, AuditExport, AtOnce;
    /// [`super::Session::verify`]
    Verify = "verify": Verify, Verify, Grouped;
    /// [`super::Session::policy`]
    Policy = "policy": Policy, Policy, AtOnce;
    /// [`super::Session::set_policy`]
    SetPolicy = "set_policy": Policy, Policy, WithChange;
    /// [`super::Session::explain`]
    Explain = "explain": Policy, Policy, AtOnce;
    /// [`super::Session::break_glass`]
    BreakGlass = "break_glass": BreakGlass, BreakGlass, AtOnce;
    /// [`super::Session::relate`]
    Relate = "relate": Read, SessionOpen, Grouped;
    /// [`super::Session::keys`]
    Keys = "keys": Keys, Keys, AtOnce;
    /// [`super::Session::put_key`]
    PutKey = "put_key": Keys, Keys, AtOnce;
    /// [`super::Session::check`]
    Check = "check": Verify, Check, AtOnce;
    /// [`super::Session::backup`], [`super::Session::backup_since`]
    Backup = "backup": Backup, Backup, AtOnce;
    /// [`super::Session::remove_key`]
    RemoveKey = "remove_key": Keys, Keys, AtOnce;
    /// [`super::Session::key_status`]
    KeyStatus = "key_status": Keys, Keys, AtOnce;
    /// [`super::Session::rotate_root`]
    RotateRoot = "rotate_root": RotateKeys, KeyRotate, AtOnce;
    /// [`super::Session::rotate_patient_keys`]
    RotatePatientKeys = "rotate_patient_keys": RotateKeys, KeyRotate, AtOnce;
    /// [`super::Session::rotate_page_key`]
    RotatePageKey = "rotate_page_key": RotateKeys, KeyRotate, AtOnce;
    /// [`super::Session::amend`]
    Amend = "amend": Amend, Amend, WithChange;
    /// [`super::Session::correct`]
    Correct = "correct": Amend, Correct, WithChange;
    /// [`super::Session::augment`]
    Augment = "augment": Amend, Augment, WithChange;
    /// [`super::Session::retract`]
    Retract = "retract": Retract, Retract, WithChange;
    /// [`super::Session::restore`]
    Restore = "restore": Retract, Restore, WithChange;
    /// [`super::Session::read_retracted`]
    ReadRetracted = "read_retracted": Retracted, History, AtOnce;
    /// [`super::Session::viewers_before`]
    ViewersBefore = "viewers_before": Retracted, AuditReport, AtOnce;
    /// [`super::Session::lineage`]
    Lineage = "lineage": History, History, Grouped;
    /// [`super::Session::delete_for`]
    DeleteFor = "delete_for": Delete, Delete, WithChange;
    /// [`super::Session::require_reason`]
    RequireReason = "require_reason": Policy, Policy, WithChange;
    /// [`super::Session::write_merged`]; the event is that of a parked conflict where it clashes
    WriteMerged = "write_merged": Update, Update, WithChange;
    /// [`super::Session::conflicts`]
    Conflicts = "conflicts": Settle, AuditRead, AtOnce;
    /// [`super::Session::conflict`]
    Conflict = "conflict": Settle, Read, AtOnce;
    /// [`super::Session::settle`]
    Settle = "settle": Settle, ConflictSettled, WithChange;
    /// [`super::Session::request_amendment`]
    RequestAmendment = "request_amendment": RequestAmendment, AmendmentRequested, WithChange;
    /// [`super::Session::request_access`]
    RequestAccess = "request_access": AccessPackage, AmendmentRequested, WithChange;
    /// [`super::Session::requests`]
    Requests = "requests": RequestAmendment, AuditRead, AtOnce;
    /// [`super::Session::extend_request`]
    ExtendRequest = "extend_request": DecideAmendment, AmendmentDecided, WithChange;
    /// [`super::Session::accept_amendment`]
    AcceptAmendment = "accept_amendment": DecideAmendment, AmendmentDecided, WithChange;
    /// [`super::Session::deny_amendment`]
    DenyAmendment = "deny_amendment": DecideAmendment, AmendmentDecided, WithChange;
    /// [`super::Session::disagree`]
    Disagree = "disagree": RequestAmendment, Disagree, WithChange;
    /// [`super::Session::rebut`]
    Rebut = "rebut": DecideAmendment, Disagree, WithChange;
    /// [`super::Session::fulfil_access`]
    FulfilAccess = "fulfil_access": DecideAmendment, AmendmentDecided, WithChange;
    /// [`super::Session::access_package`]
    AccessPackage = "access_package": AccessPackage, AccessPackage, AtOnce;
    /// [`super::Session::overdue_requests`]
    OverdueRequests = "overdue_requests": DecideAmendment, AuditRead, AtOnce;
    /// [`super::Session::set_retention`]
    SetRetention = "set_retention": Policy, Retention, WithChange;
    /// [`super::Session::retention`]
    Retention = "retention": Destroy, AuditRead, AtOnce;
    /// [`super::Session::retention_due`]
    RetentionDue = "retention_due": Destroy, AuditRead, AtOnce;
    /// [`super::Session::propose_destroy`]
    ProposeDestroy = "propose_destroy": Destroy, DestroyProposed, WithChange;
    /// [`super::Session::withdraw_destroy`]
    WithdrawDestroy = "withdraw_destroy": Destroy, DestroyProposed, WithChange;
    /// [`super::Session::proposals`]
    Proposals = "proposals": Destroy, AuditRead, AtOnce;
    /// [`super::Session::approve_destroy`]
    ApproveDestroy = "approve_destroy": Destroy, Destroy, WithChange;
    /// [`super::Session::tombstone`]
    Tombstone = "tombstone": Destroy, AuditRead, AtOnce;
    /// [`super::Session::place_hold`]
    PlaceHold = "place_hold": Hold, Hold, WithChange;
    /// [`super::Session::release_hold`]
    ReleaseHold = "release_hold": Hold, HoldRelease, WithChange;
    /// [`super::Session::holds`]
    Holds = "holds": Hold, AuditRead, AtOnce;
    /// [`super::Session::shred`]
    Shred = "shred": Shred, Shred, WithChange;
    /// [`super::Session::shred_compartment`]
    ShredCompartment = "shred_compartment": Shred, Shred, WithChange;
    /// [`super::Session::rotate_patient`]
    RotatePatient = "rotate_patient": RotateKeys, PatientKeyRotate, WithChange;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn roles_and_purposes_have_the_same_numbers_and_names_in_the_audit_log() {
        use crate::access::{Purpose, Role};
        assert!(Role::ALL.iter().all(|role| crate::audit::ROLES[*role as usize] == role.name()));
        assert!(Purpose::ALL.iter().all(|purpose| crate::audit::PURPOSES[*purpose as usize] == purpose.name()));
        assert_eq!(crate::audit::ROLES.len(), Role::ALL.len() + 1);
        assert_eq!(crate::audit::PURPOSES.len(), Purpose::ALL.len() + 1);
    }

    #[test]
    fn the_stand_alone_verifier_knows_every_kind_of_event() {
        let verifier = include_str!("../../tools/verify_audit.py");
        let table = verifier.split("KINDS = \"\"\"").nth(1).and_then(|rest| rest.split("\"\"\"").next());
        let table = table.expect("its table of kinds");
        let known: Vec<(u8, &str)> = table
            .split(';')
            .filter_map(|row| {
                let mut words = row.split_whitespace();
                Some((words.next()?.parse().ok()?, words.next()?))
            })
            .collect();
        let kinds: Vec<(u8, &str)> = EventKind::ALL.iter().map(|kind| (*kind as u8, kind.name())).collect();
        assert_eq!(known, kinds);
    }

    #[test]
    fn a_name_stands_for_one_call() {
        let names: HashSet<&str> = Path::ALL.iter().map(|path| path.name()).collect();
        assert_eq!(names.len(), Path::ALL.len());
    }

    #[test]
    fn what_takes_records_out_of_the_store_is_on_disk_before_the_first_byte() {
        for path in Path::ALL.iter().filter(|path| path.event() == EventKind::Export) {
            assert_eq!(path.urgency(), Urgency::AtOnce, "{}", path.name());
        }
    }
}
