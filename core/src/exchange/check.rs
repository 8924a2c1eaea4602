//! Whether the rows of import and quarantine can be read.

use super::import::{ledger_context, progress};
use super::quarantine::{self, RELEASES};
use crate::error::Result;
use crate::ledger;
use crate::store::{DamageKind, Snapshot, Store, Table};
use crate::vault;
use std::collections::{BTreeMap, BTreeSet};

/// Opens every row of the ledger and of the quarantine, and counts them; says of each that is missing or not as it was left which
/// it is.
///
/// # Errors
/// - of the backend, where a table cannot be walked.
pub(crate) fn check(store: &Store, snapshot: &Snapshot<'_>, note: &mut dyn FnMut(DamageKind, u64)) -> Result<()> {
    let number = |key: &[u8]| key.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
    // The rows of each source, without its name; how many entries were kept aside and released.
    let (mut sources, mut names, mut aside, mut released) = (BTreeMap::<u32, Vec<u32>>::new(), BTreeSet::new(), 0, 0);
    for (table, what) in [(Table::Ledger, DamageKind::Ledger), (Table::Quarantine, DamageKind::Quarantine)] {
        let mut rows = Vec::new();
        snapshot.view().range(table, &[], &[u8::MAX; 9], &mut |key, _| {
            rows.push(key.to_vec());
            true
        })?;
        for key in rows {
            let (source, chunk) = ((number(&key) >> 32) as u32, number(&key) as u32);
            match what {
                DamageKind::Quarantine => aside += 1,
                _ if chunk == u32::MAX => drop(names.insert(source)),
                _ if chunk >= RELEASES => released += 1,
                _ => sources.entry(source).or_default().push(chunk),
            }
            let sealed = snapshot.view().get(table, &key)?.unwrap_or_default();
            let read = match what {
                DamageKind::Quarantine => quarantine::open(store, &key, &sealed).map(drop),
                _ => ledger_context(store, &key)
                    .and_then(|context| vault::open(store.keys().store_key(), &context, &sealed))
                    // The name of a source is no line.
                    .and_then(|plain| if key[4..] == [u8::MAX; 4] { Ok(()) } else { ledger::decode(&plain).map(drop) }),
            };
            if read.is_err() {
                note(what, number(&key));
            }
        }
    }
    let (mut imports, mut kept) = (Vec::new(), 0);
    snapshot.view().range(Table::Meta, b"import ", b"import!", &mut |_, value| {
        imports.push(progress(store, value));
        true
    })?;
    snapshot.view().range(Table::Meta, b"kept ", b"kept!", &mut |key, value| {
        kept += 1;
        imports.extend(quarantine::Shelf::new(store).open_number(key, value).err().map(Err));
        true
    })?;
    for import in imports {
        match import {
            Ok((source, chunks)) if sources.get(&source).map_or(0, Vec::len) == chunks as usize => {}
            Ok((source, _)) => note(DamageKind::Ledger, u64::from(source) << 32),
            Err(_) => note(DamageKind::Ledger, 0),
        }
    }
    for source in 1..=sources.keys().chain(&names).copied().max().unwrap_or(0) {
        let whole = sources.get(&source).is_none_or(|rows| rows.iter().enumerate().all(|(at, row)| at as u32 == *row));
        if !whole || !names.contains(&source) {
            note(DamageKind::Ledger, u64::from(source) << 32);
        }
    }
    // What was kept aside is there or was released.
    if kept != aside + released {
        note(DamageKind::Quarantine, 0);
    }
    Ok(())
}
