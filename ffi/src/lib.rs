//! The C ABI of ehrcore: what `include/ehrcore.h` declares. Thin functions over the public Rust API, behind one guard.
#![warn(clippy::undocumented_unsafe_blocks)]

mod access;
mod audit;
mod care;
mod codes;
mod error;
mod fhirpath;
mod guard;
mod handle;
mod import;
mod keys;
mod lifecycle;
mod record;
mod salvage;
mod session;
mod shred;
mod store;
mod terminology;
mod text;
mod validate;
mod validator;
mod version;
mod xml;
