//! ehrcore: an embeddable EHR core. See the repository's README for the main path.
#![cfg_attr(not(feature = "embedded"), allow(dead_code, unused_imports))] // parts that only the store uses
#![forbid(unsafe_code)]
#![deny(missing_docs)]

// 0 words
pub mod decimal;
pub mod error;
pub mod id;
pub mod limits;
pub mod phi;
pub mod report;
pub mod time;

// 1 record
pub mod json;
pub mod record;
pub mod schema;
pub mod xml;

// 2 meaning
pub mod fhirpath;
pub mod package;
pub mod search;
pub mod terminology;
pub mod units;
pub mod validate;

// 3 custody
pub mod access;
pub mod audit;
pub mod crypto;
pub mod keys;
#[cfg(feature = "embedded")]
pub mod store;
pub mod vault;

// 4 use
pub mod chart;
#[cfg(feature = "embedded")]
pub mod exchange;
#[cfg(feature = "embedded")]
pub mod ledger;
#[cfg(feature = "embedded")]
pub mod lifecycle;
pub mod uscdi;

// 5 front door
#[cfg(feature = "embedded")]
pub mod ehr;

/// The example of the README runs as a test.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../../README.md")]
mod readme {}
