//! Doubles under the store for tests and attacks: a file in memory that fails on purpose, an image with a few changed slots, and
//! a look at the page layer from outside.

mod faulty;
mod image;
mod probe;

pub use faulty::{Fault, FaultyFile};
pub use image::Image;
pub use probe::{Probe, Sort};

/// Bytes of a slot of the file.
pub const SLOT: usize = super::pages::PAGE;
