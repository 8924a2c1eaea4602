//! The command `ehr`, as a function, so that the Python wheel can bring it too.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done; 1 findings or a failed check; 2 usage;
//! 3 denied; 4 not found; 5 wrong or missing key; 6 locked, damaged or no store; 7 input or output failed.
#![allow(clippy::print_stdout)]

mod audit;
mod care;
mod demo;
mod explain;
mod keys;
mod lifecycle;
mod output;
mod policy;
mod salvage;
mod shred;
mod store;
mod tamper;
mod uscdi;
mod validate;

use clap::{Parser, Subcommand};
use ehrcore::error::{Code, Error};
use ehrcore::limits::CallLimits;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Keep, check, find and exchange FHIR R4 health records in one encrypted file.
#[derive(Parser)]
#[command(name = "ehr", version, after_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print results as JSON
    #[arg(long, global = true)]
    json: bool,
}

const AFTER: &str = "\
Keys: --key-file FILE or EHR_KEY_FILE names a file of 64 hexadecimal digits, of a recovery key, or of shares, one on each line;
otherwise a passphrase is asked for, or read from the file that EHR_PASSPHRASE_FILE names.

Exit codes: 0 done; 1 findings or a failed check; 2 usage; 3 denied; 4 not found; 5 key; 6 locked, damaged or no store;
7 input or output.

Example:
  ehr init clinic.ehr --new-key-file clinic.key
  ehr import clinic.ehr charts/ --key-file clinic.key
  ehr search clinic.ehr Patient name=smith --key-file clinic.key";

/// How a store is opened and by whom.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Access {
    /// The store
    store: PathBuf,
    /// File with the key: 64 hexadecimal digits, a recovery key, or shares
    #[arg(long, env = "EHR_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// Who acts: the id kept in the audit log
    #[arg(long, env = "EHR_ACTOR", default_value = "ehr-command")]
    actor: String,
    /// In which role: physician, nurse, caregiver, patient, coordinator, analyst, administrator
    #[arg(long, env = "EHR_ROLE")]
    role: Option<String>,
    /// For which purpose of use: TREAT, HPAYMT, HOPERAT, HRESCH, PATRQT
    #[arg(long, env = "EHR_PURPOSE")]
    purpose: Option<String>,
    /// For a patient or caregiver: the one patient they may see
    #[arg(long, env = "EHR_PATIENT")]
    bound_to: Option<String>,
    /// The record that stands for who acts, such as Practitioner/17: by it a care team or a consent names them
    #[arg(long, env = "EHR_REFERENCE")]
    reference: Option<String>,
    /// The organization they act for
    #[arg(long, env = "EHR_ORGANIZATION")]
    organization: Option<String>,
    /// A second factor was checked
    #[arg(long)]
    mfa: bool,
    /// In whose name they act: the id kept in the audit log
    #[arg(long, env = "EHR_ON_BEHALF_OF")]
    on_behalf_of: Option<String>,
    /// The device or address they act from
    #[arg(long, env = "EHR_DEVICE")]
    device: Option<String>,
    /// The program they act through
    #[arg(long, env = "EHR_CLIENT")]
    client: Option<String>,
    /// Give up after so many seconds; nothing half done stays
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// The anchor: a file elsewhere that remembers how far the store had come; an older store put back does not open with it
    #[arg(long, env = "EHR_ANCHOR")]
    anchor: Option<PathBuf>,
    /// The store has no anchor yet: begin with it
    #[arg(long, requires = "anchor")]
    anchor_begin: bool,
    /// Go on with a store that is older than its anchor, as after a restore; the reason, for the audit log
    #[arg(long, requires = "anchor")]
    accept_older: Option<String>,
}

impl Access {
    /// What the calls of the command may take.
    pub(crate) fn limits(&self) -> Result<CallLimits, Failure> {
        within(self.timeout)
    }
}

/// Limits of so many seconds.
pub(crate) fn within(seconds: Option<f64>) -> Result<CallLimits, Failure> {
    let time = seconds.map(Duration::try_from_secs_f64).transpose();
    let time = time.map_err(|_| Failure::Usage("a timeout is a number of seconds"))?;
    Ok(CallLimits { time, ..CallLimits::default() })
}

#[derive(Subcommand)]
enum Command {
    /// Make a new store
    Init {
        /// The file to make
        store: PathBuf,
        /// File with the key: 64 hexadecimal digits
        #[arg(long, env = "EHR_KEY_FILE")]
        key_file: Option<PathBuf>,
        /// Make a new random key and write it to this file, readable by you only
        #[arg(long, conflicts_with = "key_file")]
        new_key_file: Option<PathBuf>,
    },
    /// Make the chart of a patient, or one compartment of it, unreadable for ever
    Shred {
        #[command(flatten)]
        access: Access,
        /// The patient's id
        patient: String,
        /// Why: kept in the audit log
        #[arg(long)]
        reason: String,
        /// One compartment only: normal, substance-use, psychotherapy-notes
        #[arg(long)]
        compartment: Option<String>,
    },
    /// Give a patient new keys and seal every record under them
    RotatePatient {
        #[command(flatten)]
        access: Access,
        /// The patient's id
        patient: String,
        /// Why: kept in the audit log
        #[arg(long)]
        reason: String,
    },
    /// Import Bundles, NDJSON and resources from files and folders
    Import {
        #[command(flatten)]
        access: Access,
        /// Files and folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Check FHIR JSON, XML and NDJSON; needs no store
    Validate(validate::Options),
    /// Say which data elements of USCDI a chart, a store or files cover, and which are missing
    Uscdi(uscdi::Options),
    /// Say what a code of a finding or error means and how to mend it
    Explain {
        /// The name or number, such as code-unknown
        code: String,
    },
    /// List the patients
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Show one record
    Show {
        #[command(flatten)]
        access: Access,
        /// Type/id
        record: String,
        /// A version by number
        #[arg(long)]
        version: Option<u32>,
    },
    /// Find records
    Search {
        #[command(flatten)]
        access: Access,
        /// Resource type
        kind: String,
        /// FHIR search parameters, such as name=smith
        query: Vec<String>,
        /// Only count
        #[arg(long)]
        count: bool,
    },
    /// List the versions of a record
    History {
        #[command(flatten)]
        access: Access,
        /// Type/id
        record: String,
    },
    /// Export everything as NDJSON, or one chart as a Bundle
    Export {
        #[command(flatten)]
        access: Access,
        /// Folder for NDJSON, or file for a chart
        out: PathBuf,
        /// Only this patient's chart
        #[arg(long)]
        patient: Option<String>,
    },
    /// List everything in a patient's chart
    Chart {
        #[command(flatten)]
        access: Access,
        /// The patient's id
        patient: String,
        /// Write the chart page, one HTML file that needs nothing else, to this file
        #[arg(long)]
        html: Option<PathBuf>,
    },
    /// Look at one patient's chart in an emergency; it is on record before anything is shown. Takes --mfa
    BreakGlass {
        #[command(flatten)]
        access: Access,
        /// The patient's id
        patient: String,
        /// Why: kept in the audit log
        #[arg(long)]
        reason: String,
        /// Show this record, Type/id, and not the list of all
        #[arg(long)]
        record: Option<String>,
        /// Write the chart page, one HTML file that needs nothing else, to this file
        #[arg(long, conflicts_with = "record")]
        html: Option<PathBuf>,
    },
    /// Say how far a store and its anchor are, without opening the store for anybody; 1 where the store is the older
    CompareAnchor {
        /// The store
        store: PathBuf,
        /// The anchor
        #[arg(long, env = "EHR_ANCHOR")]
        anchor: PathBuf,
        /// File with the key: 64 hexadecimal digits, a recovery key, or shares
        #[arg(long, env = "EHR_KEY_FILE")]
        key_file: Option<PathBuf>,
    },
    /// Look at everything: every byte of the file, every record, every index, the audit log
    Check {
        #[command(flatten)]
        access: Access,
    },
    /// Copy the store to a new file, all of it or what is new since an earlier copy
    Backup {
        #[command(flatten)]
        access: Access,
        /// The file to make
        out: PathBuf,
        /// Only what is new since this copy
        #[arg(long, value_name = "COPY")]
        since: Option<PathBuf>,
    },
    /// Put a full copy and the increments that follow it together to a store
    Restore {
        /// The full copy, then its increments in order
        #[arg(required = true)]
        chain: Vec<PathBuf>,
        /// The store to make
        #[arg(long)]
        into: PathBuf,
        /// File with the key: 64 hexadecimal digits
        #[arg(long, env = "EHR_KEY_FILE")]
        key_file: Option<PathBuf>,
    },
    /// Make a damaged store whole in a new file, with good copies of it
    Repair {
        #[command(flatten)]
        access: Access,
        /// Good copies, the newest first
        #[arg(required = true)]
        copies: Vec<PathBuf>,
        /// The store to make
        #[arg(long)]
        into: PathBuf,
        /// Where the damaged file says nothing any more, take a copy that may be older
        #[arg(long)]
        allow_older: bool,
    },
    /// Get out of a damaged store, with no good copy, what is genuine still
    Salvage {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        target: salvage::Target,
    },
    /// Show the audit log; report on it, export it with proofs, print its signed head
    Audit(Box<audit::Options>),
    /// Verify the audit log and every record
    Verify {
        #[command(flatten)]
        access: Access,
    },
    /// Show what was kept aside on import, or release one entry
    Quarantine {
        #[command(flatten)]
        access: Access,
        /// Release the entry of this number
        #[arg(long)]
        release: Option<u64>,
        /// With a mended record from this file
        #[arg(long, requires = "release")]
        with: Option<PathBuf>,
    },
    /// Print the import ledger
    Ledger {
        #[command(flatten)]
        access: Access,
    },
    /// Check, show, set and explain the policy of a store
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// List, add, remove and rotate the keys that open a store
    #[command(subcommand)]
    Key(keys::KeyCommand),
    #[command(flatten)]
    Lifecycle(lifecycle::LifecycleCommand),
    /// See it all on made-up charts
    Demo {
        /// Folder to leave the results in
        #[arg(long, default_value = "demo")]
        out: PathBuf,
        /// How many patients
        #[arg(long, default_value_t = 200)]
        patients: u64,
    },
    /// Print completions for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
}

/// Why a command ended early.
pub(crate) enum Failure {
    /// An error of the library.
    Library(Error),
    /// A check failed or findings were made; said already.
    Findings,
    /// The call's words are off.
    Usage(&'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Library(error)
    }
}
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Library(error.into())
    }
}

pub(crate) type Done = Result<(), Failure>;

/// Runs the command; gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let json = arguments.json;
    let done = match arguments.command {
        Command::Init { store, key_file, new_key_file } => store::init(&store, key_file, new_key_file),
        Command::Shred { access, patient, reason, compartment } => {
            shred::shred(&access, &patient, &reason, compartment.as_deref(), json)
        }
        Command::RotatePatient { access, patient, reason } => shred::rotate(&access, &patient, &reason, json),
        Command::Import { access, paths } => store::import(&access, &paths, json),
        Command::Validate(options) => validate::run(&options, json),
        Command::Uscdi(options) => uscdi::run(&options, json),
        Command::Explain { code } => explain::run(&code, json),
        Command::List { access } => store::list(&access, json),
        Command::Show { access, record, version } => store::show(&access, &record, version),
        Command::Search { access, kind, query, count } => store::search(&access, &kind, &query, count, json),
        Command::History { access, record } => store::history(&access, &record, json),
        Command::Export { access, out, patient } => store::export(&access, &out, patient, json),
        Command::Chart { access, patient, html } => store::chart(&access, &patient, html, json),
        Command::BreakGlass { access, patient, reason, record, html } => {
            store::break_glass(&access, &patient, &reason, record.as_deref(), html, json)
        }
        Command::CompareAnchor { store, anchor, key_file } => care::compare_anchor(&store, &anchor, key_file, json),
        Command::Check { access } => care::check(&access, json),
        Command::Backup { access, out, since } => care::backup(&access, &out, since, json),
        Command::Restore { chain, into, key_file } => care::restore(&chain, &into, key_file, json),
        Command::Repair { access, copies, into, allow_older } => {
            care::repair(&access, &copies, &into, allow_older, json)
        }
        Command::Salvage { access, target } => salvage::run(&access, &target, json),
        Command::Audit(options) => audit::run(*options, json),
        Command::Verify { access } => store::verify(&access, json),
        Command::Quarantine { access, release, with } => store::quarantine(&access, release, with, json),
        Command::Ledger { access } => store::ledger(&access),
        Command::Policy(command) => policy::run(command, json),
        Command::Key(command) => keys::run(command, json),
        Command::Lifecycle(command) => lifecycle::run(command),
        Command::Demo { out, patients } => demo::run(&out, patients),
        Command::Completions { shell } => {
            let mut command = <Arguments as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "ehr", &mut std::io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => 0,
        Err(Failure::Findings) => 1,
        Err(Failure::Usage(what)) => {
            eprintln!("ehr: {what}");
            2
        }
        Err(Failure::Library(error)) => {
            eprintln!("ehr: {error}");
            for issue in error.issues() {
                eprintln!("  {}", output::issue(issue));
            }
            exit_code(error.code())
        }
    }
}

fn exit_code(code: Code) -> u8 {
    match code {
        Code::Denied
        | Code::AuditUnavailable
        | Code::PurposeRequired
        | Code::BreakGlassRefused
        | Code::BreakGlassEnded
        | Code::MaskedWrite => 3,
        Code::NotFound | Code::QuarantineUnknown => 4,
        Code::WrongKey
        | Code::KeyUnavailable
        | Code::KeyWeak
        | Code::LastKey
        | Code::RecoveryKeyForm
        | Code::HeaderOld
        | Code::KeyEpochGone
        | Code::ShareForm
        | Code::SharesTooFew
        | Code::SharesMixed => 5,
        Code::Locked | Code::Corrupt | Code::NotAStore | Code::StoreExists | Code::Poisoned | Code::AuditBroken => 6,
        Code::Io | Code::StoreIo => 7,
        Code::InvalidArgument | Code::QueryInvalid => 2,
        _ => 1,
    }
}
