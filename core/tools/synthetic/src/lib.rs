//! Made-up charts: US Core shaped, clinically plausible, the same for the same seed. Nobody in them exists.
//!
//! A patient's chart depends on the seed and the patient's number only, so that patient 7 is the same among 10 as among 10,000.

pub mod breaks;
mod chart;
mod random;

pub use chart::{Chart, Resource};

/// Charts of one seed.
#[derive(Clone, Debug)]
pub struct Charts {
    seed: u64,
    markers: Vec<String>,
}

impl Charts {
    /// Charts of this seed.
    pub fn new(seed: u64) -> Self {
        Charts { seed, markers: Vec::new() }
    }
    /// Puts these words into names, notes and codes: for tests that look for leaks.
    #[must_use]
    pub fn with_markers(mut self, markers: Vec<String>) -> Self {
        self.markers = markers;
        self
    }
    /// The chart of patient `number`, from 0.
    pub fn patient(&self, number: u64) -> Chart {
        let marker = if self.markers.is_empty() { "" } else { &self.markers[number as usize % self.markers.len()] };
        chart::make(self.seed, number, marker)
    }
    /// The charts of `count` patients.
    pub fn patients(&self, count: u64) -> impl Iterator<Item = Chart> + '_ {
        (0..count).map(|number| self.patient(number))
    }
}
