//! Integration tests: one binary, modules by subject.
//!
//! Tests over the external suites read the folder named by `EHRCORE_SUITES` (default `../shared/suites` beside the
//! repository). Where it is absent they say so on standard error and pass.

mod access;
mod anchor;
mod audit;
mod backup;
mod calls;
mod check;
mod conflicts;
mod custody;
mod explained;
mod formats;
mod gate;
mod keys;
mod kill;
mod lifecycle;
mod limits;
mod packages;
mod path;
mod process;
mod quarantine;
mod reading;
mod repair;
mod salvage;
mod shown;
mod shred;
mod suites;
mod synthetic;
mod unseen;
