//! `ehr amend`, `retract`, `hold`, `release`, `destroy`, `requests`, `package`, `conflicts`, `settle`: the life of an entry. Answers are JSON.

use crate::store::{administrator, clinician};
use crate::{Access, Done, Failure};
use clap::{Subcommand, ValueEnum};
use ehrcore::ehr::Session;
use ehrcore::lifecycle::call;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Change {
    Amend,
    Correct,
    Augment,
}

#[derive(Subcommand)]
pub(crate) enum LifecycleCommand {
    /// Write a further version of a record, with the reason
    Amend {
        #[command(flatten)]
        access: Access,
        /// File with the record
        file: PathBuf,
        /// What sort of change it is
        #[arg(long, value_enum, default_value = "amend")]
        kind: Change,
        /// The version it was made from
        #[arg(long)]
        expected: u32,
        /// Why
        #[arg(long)]
        reason: String,
        /// On whose behalf
        #[arg(long)]
        on_behalf: Option<String>,
    },
    /// Hide a record that should not have been made, or undo that
    Retract {
        #[command(flatten)]
        access: Access,
        /// Type/id
        record: String,
        /// The version that is current
        #[arg(long, required_unless_present_any = ["undo", "show", "viewers"])]
        expected: Option<u32>,
        /// Why
        #[arg(long, required_unless_present_any = ["show", "viewers"])]
        reason: Option<String>,
        /// Undo a retraction
        #[arg(long, conflicts_with_all = ["expected", "show", "viewers"])]
        undo: bool,
        /// Show a record that is retracted
        #[arg(long, conflicts_with = "viewers")]
        show: bool,
        /// List who had been shown it
        #[arg(long)]
        viewers: bool,
    },
    /// Put a chart or a record on legal hold, or list the holds
    Hold {
        #[command(flatten)]
        access: Access,
        /// The patient's id; without --contact its holds are listed
        patient: Option<String>,
        /// Only this record, as Type/id
        #[arg(long, requires = "contact")]
        record: Option<String>,
        /// Whom to ask about it
        #[arg(long, requires_all = ["patient", "reason"])]
        contact: Option<String>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Release a legal hold
    Release {
        #[command(flatten)]
        access: Access,
        /// Its number
        number: u64,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Propose to destroy a chart or a record, approve or withdraw what was proposed, or list the proposals
    Destroy {
        #[command(flatten)]
        access: Access,
        /// The patient's id
        #[arg(requires = "reason")]
        patient: Option<String>,
        /// Only this record, as Type/id
        #[arg(long, requires = "patient")]
        record: Option<String>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        /// Destroy what was proposed under this number
        #[arg(long, requires = "reason", conflicts_with_all = ["patient", "withdraw"])]
        approve: Option<u64>,
        /// Withdraw what was proposed under this number
        #[arg(long, conflicts_with = "patient")]
        withdraw: Option<u64>,
        /// Set how long entries are kept: a file with the rules
        #[arg(long, conflicts_with_all = ["patient", "approve", "withdraw"])]
        rules: Option<PathBuf>,
    },
    /// List the requests of patients, or decide one
    Requests {
        #[command(flatten)]
        access: Access,
        /// The patient's id
        patient: Option<String>,
        /// Only those whose term is over
        #[arg(long, conflicts_with = "patient")]
        overdue: bool,
        /// Accept the request of this number
        #[arg(long, requires = "reason", conflicts_with_all = ["deny", "extend", "fulfil"])]
        accept: Option<u64>,
        /// Deny the request of this number
        #[arg(long, requires_all = ["reason", "ground"], conflicts_with_all = ["extend", "fulfil"])]
        deny: Option<u64>,
        /// Extend the term of the request of this number
        #[arg(long, requires = "reason", conflicts_with = "fulfil")]
        extend: Option<u64>,
        /// Say that the request for access of this number was met
        #[arg(long, requires = "reason")]
        fulfil: Option<u64>,
        /// not-created-here, not-in-record-set, not-open-to-inspection or accurate-and-complete
        #[arg(long)]
        ground: Option<String>,
        /// What the patient is told
        #[arg(long)]
        reason: Option<String>,
    },
    /// Write all that is kept about a patient into a folder
    Package {
        #[command(flatten)]
        access: Access,
        /// The patient's id
        patient: String,
        /// The folder, which must exist
        out: PathBuf,
        /// With every earlier version
        #[arg(long)]
        versions: bool,
    },
    /// List the edits that clash, or show both sides of one
    Conflicts {
        #[command(flatten)]
        access: Access,
        /// Show both sides of this one
        #[arg(long)]
        number: Option<u64>,
        /// Only those of this patient
        #[arg(long, conflicts_with = "number")]
        patient: Option<String>,
    },
    /// Settle a conflict
    Settle {
        #[command(flatten)]
        access: Access,
        /// Its number
        number: u64,
        /// theirs, mine, bytes or nothing
        #[arg(long)]
        choice: String,
        /// The version that was current when it was looked at
        #[arg(long)]
        seen: u32,
        /// Why
        #[arg(long)]
        reason: String,
        /// With choice bytes: a file with the record
        #[arg(long)]
        with: Option<PathBuf>,
    },
}

/// Makes a call and prints its answer.
fn answer(session: &Session, name: &str, mut arguments: Value, record: &[u8]) -> Done {
    if let Some(given) = arguments.as_object_mut() {
        given.retain(|_, value| !value.is_null());
    }
    let answer = match call(session, name, arguments.to_string().as_bytes(), record) {
        Ok(answer) => answer,
        Err(error) => {
            if let Some(whom) = error.whom_to_ask() {
                eprintln!("ehr: ask {whom}");
            }
            return Err(Failure::Library(error));
        }
    };
    if answer != b"null" {
        println!("{}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

pub(crate) fn run(command: LifecycleCommand) -> Done {
    match command {
        LifecycleCommand::Amend { access, file, kind, expected, reason, on_behalf } => {
            let name = match kind {
                Change::Amend => "amend",
                Change::Correct => "correct",
                Change::Augment => "augment",
            };
            let given = json!({"expected": expected, "reason": reason, "on_behalf": on_behalf});
            answer(&clinician(&access)?, name, given, &std::fs::read(file)?)
        }
        LifecycleCommand::Retract { access, record, expected, reason, undo, show, viewers } => {
            let name = match (undo, show, viewers) {
                (true, ..) => "restore",
                (_, true, _) => "read_retracted",
                (.., true) => "viewers_before",
                _ => "retract",
            };
            let given = json!({"record": record, "expected": expected, "reason": reason});
            answer(&clinician(&access)?, name, given, &[])
        }
        LifecycleCommand::Hold { access, patient, record, contact, reason } => {
            let name = if contact.is_some() { "place_hold" } else { "holds" };
            let given = json!({"patient": patient, "record": record, "contact": contact, "reason": reason});
            answer(&administrator(&access)?, name, given, &[])
        }
        LifecycleCommand::Release { access, number, reason } => {
            answer(&administrator(&access)?, "release_hold", json!({"number": number, "reason": reason}), &[])
        }
        LifecycleCommand::Destroy { access, patient, record, reason, approve, withdraw, rules } => {
            let (name, rules) = match (&patient, approve, withdraw, rules) {
                (.., Some(file)) => ("set_retention", std::fs::read(file)?),
                (Some(_), ..) => ("propose_destroy", Vec::new()),
                (_, Some(_), ..) => ("approve_destroy", Vec::new()),
                (_, _, Some(_), _) => ("withdraw_destroy", Vec::new()),
                _ => ("proposals", Vec::new()),
            };
            let number = approve.or(withdraw);
            let given = json!({"patient": patient, "record": record, "reason": reason, "number": number});
            answer(&administrator(&access)?, name, given, &rules)
        }
        LifecycleCommand::Requests { access, patient, overdue, accept, deny, extend, fulfil, ground, reason } => {
            let name = match (accept, deny, extend, fulfil) {
                (Some(_), ..) => "accept_amendment",
                (_, Some(_), ..) => "deny_amendment",
                (_, _, Some(_), _) => "extend_request",
                (.., Some(_)) => "fulfil_access",
                _ if overdue => "overdue_requests",
                _ => "requests",
            };
            let number = accept.or(deny).or(extend).or(fulfil);
            let given = json!({"patient": patient, "number": number, "ground": ground, "reason": reason});
            answer(&administrator(&access)?, name, given, &[])
        }
        LifecycleCommand::Package { access, patient, out, versions } => {
            let package = administrator(&access)?.access_package(&patient, versions)?;
            package.write(&out)?;
            println!("{} records, {} earlier versions", package.records.len(), package.versions.len());
            Ok(())
        }
        LifecycleCommand::Conflicts { access, number, patient } => {
            let name = if number.is_some() { "conflict" } else { "conflicts" };
            answer(&clinician(&access)?, name, json!({"number": number, "patient": patient}), &[])
        }
        LifecycleCommand::Settle { access, number, choice, seen, reason, with } => {
            let record = with.map(std::fs::read).transpose()?.unwrap_or_default();
            let given = json!({"number": number, "choice": choice, "seen": seen, "reason": reason});
            answer(&clinician(&access)?, "settle", given, &record)
        }
    }
}
