//! `ehr audit`: the log, reports on it, exports for others.

use crate::{Access, Done, Failure, store};
use clap::{Args, Subcommand, ValueEnum};
use ehrcore::ehr::{Report, Session};
use std::path::PathBuf;

/// What is asked of the log.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    access: Option<Access>,
    /// First event
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Most events
    #[arg(long, default_value_t = 1000)]
    count: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Report: who saw a patient, what a user did, emergencies, the accounting of disclosures
    Report {
        #[command(flatten)]
        access: Access,
        /// What about
        about: About,
        /// The patient's id, or # and their number in the log; for `user`, the user
        #[arg(required_if_eq_any([("about", "patient"), ("about", "user"), ("about", "disclosures")]))]
        whom: Option<String>,
        /// As text, JSON or CSV
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Write audit.ndjson (FHIR AuditEvents with proofs) and checkpoint.txt for somebody who has not the store
    Export {
        #[command(flatten)]
        access: Access,
        /// An existing folder
        out: PathBuf,
        /// First event
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// A checkpoint kept outside: prove that the log continues it, in consistency.txt
        #[arg(long)]
        since: Option<PathBuf>,
    },
    /// Print the signed head of the log, to be kept outside, and on standard error the key that verifies it
    Checkpoint {
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum About {
    Patient,
    User,
    Emergencies,
    Disclosures,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
}

pub(crate) fn run(options: Options, json: bool) -> Done {
    match (options.command, options.access) {
        (Some(Command::Report { access, about, whom, format }), _) => {
            let format = if json { Format::Json } else { format };
            report(&store::administrator(&access)?, about, whom.as_deref().unwrap_or_default(), format)
        }
        (Some(Command::Export { access, out, from, since }), _) => {
            let (ehr, session) = store::opened_by_administrator(&access)?;
            let since = since.map(std::fs::read_to_string).transpose()?;
            let since = since.map(|note| ehr.read_checkpoint(&note)).transpose()?;
            let done = session.audit_export(&out, from, since.as_ref())?;
            let key: String = ehr.audit_public_key().iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{} events; public key {key}", done.events);
            Ok(session.close()?)
        }
        (Some(Command::Checkpoint { access }), _) => {
            let (ehr, session) = store::opened_by_administrator(&access)?;
            let key: String = ehr.audit_public_key().iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("public key {key}");
            print!("{}", ehr.audit_checkpoint()?.unwrap_or_default());
            Ok(session.close()?)
        }
        (None, Some(access)) => store::audit(&access, options.from, options.count, json),
        (None, None) => Err(Failure::Usage("name a store")),
    }
}

fn report(session: &Session, about: About, whom: &str, format: Format) -> Done {
    let table = session.audit_report(match about {
        About::Patient => Report::Patient(whom),
        About::User => Report::Actor(whom),
        About::Emergencies => Report::BreakGlass,
        About::Disclosures => Report::Disclosures(whom),
    })?;
    match format {
        Format::Text => print!("{}", table.to_text()),
        Format::Json => println!("{}", table.to_json()),
        Format::Csv => print!("{}", table.to_csv()),
    }
    Ok(())
}
