//! `ehr policy`: who may do what in a store.

use crate::store::{actor, administrator};
use crate::{Access, Done, Failure};
use clap::Subcommand;
use ehrcore::access::{Action, Finding, Policy, Purpose, Role};
use ehrcore::schema::ResourceType;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Look a policy over: what in it may not be meant. Needs no store
    Check {
        /// TOML or JSON; "standard" and "care-team" are those that come with the library
        file: PathBuf,
    },
    /// Print the policy of a store
    Show {
        #[command(flatten)]
        access: Access,
    },
    /// Put a policy in place
    Set {
        #[command(flatten)]
        access: Access,
        /// TOML or JSON; "standard" and "care-team" are those that come with the library
        file: PathBuf,
    },
    /// Say what somebody would be told, and why
    Explain {
        #[command(flatten)]
        access: Access,
        /// What they would do, such as read or export-chart
        action: String,
        /// Type/id
        record: Option<String>,
        /// Who: the host's id of the user
        #[arg(long, default_value = "somebody")]
        who: String,
        /// In which role
        #[arg(long = "as")]
        role: String,
        /// For which purpose of use
        #[arg(long = "for", default_value = "TREAT")]
        purpose: String,
    },
}

pub(crate) fn run(command: PolicyCommand, as_json: bool) -> Done {
    match command {
        PolicyCommand::Check { file } => check(&read(&file)?, as_json),
        PolicyCommand::Show { access } => {
            let (policy, number) = administrator(&access)?.policy()?;
            eprintln!("policy {} ({number} before it)", policy.name());
            print!("{}", policy.text());
            Ok(())
        }
        PolicyCommand::Set { access, file } => {
            let policy = read(&file)?;
            let number = administrator(&access)?.set_policy(&policy)?;
            println!("policy {} is in place as number {number}", policy.name());
            Ok(())
        }
        PolicyCommand::Explain { access, action, record, who, role, purpose } => {
            let action = Action::from_name(&action).ok_or(Failure::Usage("no such action"))?;
            let role = Role::from_name(&role).ok_or(Failure::Usage("no such role"))?;
            let purpose = Purpose::from_name(&purpose).ok_or(Failure::Usage("no such purpose of use"))?;
            let record = match record.as_deref().map(|text| text.split_once('/')) {
                None => None,
                Some(Some((of, id))) => {
                    Some((ResourceType::from_name(of).ok_or(Failure::Usage("no such R4 resource type"))?, id))
                }
                Some(None) => return Err(Failure::Usage("a record is named Type/id")),
            };
            let mut other = actor(&access, role);
            other.id = who;
            let told = administrator(&access)?.explain(&other, purpose, action, record)?;
            if as_json {
                println!("{}", told.to_json());
                return Ok(());
            }
            let verdict = if told.verdict.permitted { "permitted" } else { "denied" };
            match &told.rule {
                Some(rule) => println!("{verdict} by {rule}"),
                None => println!("{verdict}: {}", told.verdict.cause.name()),
            }
            for near in &told.near {
                println!("  {} would permit it but for {}", near.rule, near.missing.join(", "));
            }
            Ok(())
        }
    }
}

fn read(file: &PathBuf) -> Result<Policy, Failure> {
    match file.to_str() {
        Some("standard") => Ok(Policy::standard().clone()),
        Some("care-team") => Ok(Policy::care_team().clone()),
        _ => Ok(Policy::parse(&std::fs::read_to_string(file)?)?),
    }
}

fn check(policy: &Policy, as_json: bool) -> Done {
    let findings = policy.check();
    if as_json {
        println!("{}", Finding::list_to_json(&findings));
    } else {
        for finding in &findings {
            println!("{}: {} [{}]", finding.place, finding.message, finding.code);
        }
        println!("{}: {} to look at", policy.name(), findings.len());
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings) }
}
