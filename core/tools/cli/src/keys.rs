//! `ehr key`: the ways to open a store.

use crate::store::{administrator, key, prompted, read_key, write_new_key};
use crate::{Access, Done, Failure};
use clap::Subcommand;
use ehrcore::id::SystemRandom;
use ehrcore::keys::{KeySource, RecoveryKey, Share, SharedKey};
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// List the ways to open a store
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Add a way to open a store, or replace the one of the same name
    Add {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        new: New,
    },
    /// Take a way to open a store away
    Remove {
        #[command(flatten)]
        access: Access,
        /// Its name, as `ehr key list` shows it
        name: String,
    },
    /// Add a key in shares that people keep: any so many of them open the store together
    Shares {
        #[command(flatten)]
        access: Access,
        /// How many open the store together
        #[arg(long)]
        needed: u8,
        /// How many there are
        #[arg(long)]
        of: u8,
    },
    /// Make another root: only the key the store was opened with opens it then, or the new ones named here
    Rotate {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        new: New,
        /// Also wrap the keys of all patients under a new key
        #[arg(long)]
        patients: bool,
        /// Also write the file anew under another page key, in place of the old one
        #[arg(long)]
        pages: bool,
    },
}

/// New keys.
#[derive(clap::Args)]
pub(crate) struct New {
    /// Make a new random key and write it to this file, readable by you only
    #[arg(long)]
    new_key_file: Option<PathBuf>,
    /// The key in this file
    #[arg(long)]
    add_key_file: Option<PathBuf>,
    /// Ask for a new passphrase
    #[arg(long)]
    new_passphrase: bool,
    /// Make a recovery key and print it
    #[arg(long)]
    new_recovery: bool,
}

/// Keys to print when the store has them.
#[derive(Default)]
struct Made {
    sources: Vec<Box<dyn KeySource>>,
    recovery: Option<String>,
}

impl New {
    fn make(self) -> Result<Made, Failure> {
        let mut made = Made::default();
        if let Some(file) = self.new_key_file {
            write_new_key(&file)?;
            made.sources.push(read_key(&file)?);
        }
        if let Some(file) = self.add_key_file {
            made.sources.push(read_key(&file)?);
        }
        if self.new_passphrase {
            made.sources.push(prompted(true)?);
        }
        if self.new_recovery {
            let key = RecoveryKey::new(&SystemRandom::default())?;
            made.recovery = Some(key.text().to_owned());
            made.sources.push(Box::new(key));
        }
        Ok(made)
    }
}

pub(crate) fn run(command: KeyCommand, as_json: bool) -> Done {
    match command {
        KeyCommand::List { access } => list(&access, as_json),
        KeyCommand::Add { access, new } => add(&access, new, as_json),
        KeyCommand::Remove { access, name } => {
            let current = key(access.key_file.clone(), false)?;
            let session = administrator(&access)?;
            session.remove_key(&*current, &name)?;
            Ok(session.close()?)
        }
        KeyCommand::Shares { access, needed, of } => shares(&access, needed, of, as_json),
        KeyCommand::Rotate { access, new, patients, pages } => rotate(&access, new, patients, pages, as_json),
    }
}

fn list(access: &Access, as_json: bool) -> Done {
    let session = administrator(access)?;
    let status = session.key_status()?;
    if as_json {
        println!("{}", json!({"names": status.names, "rootEpoch": status.root_epoch, "revision": status.revision}));
    } else {
        status.names.iter().for_each(|name| println!("{name}"));
        eprintln!("root {}, revision {}", status.root_epoch, status.revision);
    }
    Ok(session.close()?)
}

fn add(access: &Access, new: New, as_json: bool) -> Done {
    let current = key(access.key_file.clone(), false)?;
    let session = administrator(access)?;
    let made = new.make()?;
    if made.sources.is_empty() {
        return Err(Failure::Usage("no key to add: see ehr key add --help"));
    }
    for source in &made.sources {
        session.put_key(&*current, &**source)?;
    }
    session.close()?;
    print_recovery(&made, as_json);
    Ok(())
}

fn shares(access: &Access, needed: u8, of: u8, as_json: bool) -> Done {
    let current = key(access.key_file.clone(), false)?;
    let session = administrator(access)?;
    let (shared, shares) = SharedKey::split(needed, of, &SystemRandom::default())?;
    session.put_key(&*current, &shared)?;
    session.close()?;
    let texts: Vec<_> = shares.iter().map(Share::text).collect();
    if as_json {
        println!("{}", json!({"name": shared.name(), "shares": texts.iter().map(|text| &***text).collect::<Vec<_>>()}));
    } else {
        texts.iter().for_each(|text| println!("{}", **text));
        eprintln!("{of} shares, {needed} of them open the store: print each alone and give it to one person");
    }
    Ok(())
}

fn rotate(access: &Access, new: New, patients: bool, pages: bool, as_json: bool) -> Done {
    let current = key(access.key_file.clone(), false)?;
    let session = administrator(access)?;
    let made = new.make()?;
    let sources: Vec<&dyn KeySource> = match made.sources.is_empty() {
        true => vec![&*current],
        false => made.sources.iter().map(|source| &**source).collect(),
    };
    let rotated = session.rotate_root(&*current, &sources)?;
    let rewrapped = if patients { Some(session.rotate_patient_keys()?) } else { None };
    if pages {
        let mut beside = access.store.clone().into_os_string();
        beside.push(".new");
        session.rotate_page_key(&beside)?;
        drop(session);
        std::fs::rename(&beside, &access.store)?;
    } else {
        session.close()?;
    }
    if as_json {
        println!(
            "{}",
            json!({"rootEpoch": rotated.root_epoch, "names": rotated.names, "dropped": rotated.dropped,
                "patients": rewrapped})
        );
    } else {
        println!("root {}, opened by {}", rotated.root_epoch, rotated.names.join(", "));
        rotated.dropped.iter().for_each(|name| println!("opens the store no more: {name}"));
        rewrapped.iter().for_each(|count| println!("{count} keys of patients wrapped anew"));
    }
    print_recovery(&made, as_json);
    Ok(())
}

fn print_recovery(made: &Made, as_json: bool) {
    if let Some(text) = &made.recovery {
        if as_json {
            println!("{}", json!({"recovery": text}));
        } else {
            println!("{text}");
            eprintln!("the recovery key: print it and lock it away; it is not shown again");
        }
    }
}
