//! What somebody reads in a file who has every key that is still in it: pages in use, pages that are free and were not written
//! over, and in them every wrapped key and every sealed value that any key found on the way opens.

use super::super::{Store, layout};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::record::Compartment;
use crate::vault::{self, Context, OVERHEAD, RowKind, SealKey};
use std::collections::{HashMap, HashSet};

/// Patients, and blocks and segments of each compartment, that are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Depth {
    /// The highest number of a patient.
    pub patients: u32,
    /// Blocks and segments of each compartment.
    pub numbers: u32,
}

/// Which of the markers can be read.
///
/// # Errors
/// - of the backend.
pub fn readable(store: &Store, markers: &[String], depth: Depth) -> Result<Vec<bool>> {
    let mut pages = Vec::new();
    store.backend.remains(&mut |page| pages.push(page.to_vec()))?;
    let mut found = vec![false; markers.len()];
    let mut look = |plain: &[u8]| {
        for (marker, found) in markers.iter().zip(&mut found) {
            *found |= memchr::memmem::find(plain, marker.as_bytes()).is_some();
        }
    };
    pages.iter().for_each(|page| look(page));
    // What looks like the start of a sealed value, each once: salt and commitment tell them apart.
    let mut seen = HashSet::new();
    let mut sealed: Vec<&[u8]> = Vec::new();
    for page in &pages {
        for at in 1..page.len().saturating_sub(OVERHEAD) {
            if page[at..at + 3] == [1, 0, 0] && seen.insert(&page[at..at + OVERHEAD - 16]) {
                sealed.push(&page[at - 1..]);
            }
        }
    }
    for (patient, compartment, key) in keys(store, &sealed, depth) {
        let (first, _) = layout::numbers(compartment);
        for kind in [RowKind::Block, RowKind::Index] {
            for number in first..first + depth.numbers {
                for value in &sealed {
                    if let Some(plain) = opened(store, &store.chart_context(kind, (patient, number)), &key, value)? {
                        look(&plain);
                    }
                }
            }
        }
        for kind in [RowKind::Request, RowKind::Conflict] {
            for number in 1..=u64::from(depth.numbers) {
                let place = Context::new(store.keys.store_id(), PatientNumber(patient), kind, number, 0);
                for value in &sealed {
                    if let Some(plain) = opened(store, &Context { compartment, ..place }, &key, value)? {
                        look(&plain);
                    }
                }
            }
        }
    }
    // What imports kept aside, under the store's own key.
    for number in 1..=u64::from(depth.numbers.min(8)) {
        let place = Context::new(store.keys.store_id(), PatientNumber::SHARED, RowKind::Quarantine, number, 0);
        for value in &sealed {
            if let Some(plain) = opened_bare(store, &place, &value[1..]) {
                look(&plain);
            }
        }
    }
    Ok(found)
}

/// A value that is sealed and not packed: its length is not padded, so every one is tried once the commitment fits.
fn opened_bare(store: &Store, place: &Context<'_>, value: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let open = |length: usize| vault::open(store.keys.store_key(), place, value.get(..length)?).ok();
    let first = vault::open(store.keys.store_key(), place, value.get(..OVERHEAD)?);
    if first.is_err_and(|error| error.code() == Code::WrongKey) {
        return None;
    }
    (OVERHEAD..value.len()).find_map(open)
}

/// Every key of a compartment that opens under a key of a group that opens under an epoch key.
fn keys(store: &Store, sealed: &[&[u8]], depth: Depth) -> Vec<(u32, u8, SealKey)> {
    let wrapped: Vec<&[u8]> = sealed.iter().filter_map(|value| value.get(1..1 + OVERHEAD + 32)).collect();
    let mut groups: HashMap<u32, Vec<SealKey>> = HashMap::new();
    for group in 0..=super::super::wraps::group_of(depth.patients) {
        let opened = wrapped.iter().filter_map(|value| store.keys.group_key(group, value).ok());
        groups.insert(group, opened.collect());
    }
    let mut found = Vec::new();
    for patient in 0..=depth.patients {
        for compartment in Compartment::ALL.map(|compartment| compartment as u8) {
            for group in &groups[&super::super::wraps::group_of(patient)] {
                for value in &wrapped {
                    if let Ok(key) = store.keys.patient_key(PatientNumber(patient), compartment, group, value) {
                        found.push((patient, compartment, key));
                    }
                }
            }
        }
    }
    found
}

/// A block or a segment, where the value is that one. How long it is does not stand in front of it.
fn opened(
    store: &Store,
    context: &Context<'_>,
    key: &SealKey,
    value: &[u8],
) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
    store.with_packer(|packer| {
        match packer.unpack(key, context, &value[..1 + OVERHEAD]) {
            Err(error) if error.code() == Code::WrongKey || error.code() == Code::VersionUnsupported => {
                return Ok(None);
            }
            _ => {}
        }
        for length in (8..value.len().saturating_sub(OVERHEAD)).filter(|length| padded(*length)) {
            if let Ok(plain) = packer.unpack(key, context, &value[..1 + OVERHEAD + length]) {
                return Ok(Some(plain));
            }
        }
        Ok(None)
    })
}

/// Whether a length is one that padding leads to.
fn padded(length: usize) -> bool {
    let exponent = usize::BITS - 1 - length.leading_zeros();
    let kept = u32::BITS - exponent.leading_zeros();
    length & ((1 << exponent.saturating_sub(kept)) - 1) == 0
}
