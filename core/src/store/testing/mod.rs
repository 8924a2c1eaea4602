//! Doubles under the store for tests and attacks: a file in memory that fails on purpose, an image with a few changed slots, and
//! a look at the page layer from outside.

mod faulty;
mod full;
mod image;
mod probe;
mod remains;

pub use faulty::{Fault, FaultyFile};
pub use full::SmallDisk;
pub use image::Image;
pub use probe::{Probe, Sort};
pub use remains::{Depth, readable};

/// Bytes of a slot of the file.
pub const SLOT: usize = super::pages::PAGE;

use super::backend::{Batch, Row, Table};
use super::{Store, lock};

/// Every row of a table, as it is kept.
pub fn rows(store: &Store, table: Table) -> Vec<Row> {
    let mut rows = Vec::new();
    let view = store.latest().expect("a sound store");
    let walked = view.range(table, &[], &[u8::MAX; 40], &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    });
    walked.expect("a sound store");
    rows
}

/// Puts and deletes rows behind the store's back, as somebody could who has its keys and a tool for its engine.
pub fn rewrite(store: &Store, table: Table, changes: &[(Vec<u8>, Option<Vec<u8>>)]) {
    let mut batch = Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.put(table, key.clone(), value.clone()),
            None => batch.delete(table, key.clone()),
        }
    }
    store.backend.commit(&batch).expect("a sound disk");
    *lock(&store.latest) = None;
}

/// SHA-256 in hexadecimal, for listings.
pub fn sha256(bytes: &[u8]) -> String {
    use crate::crypto::{Active, Provider};
    Active::sha256(&[bytes]).iter().map(|byte| format!("{byte:02x}")).collect()
}
