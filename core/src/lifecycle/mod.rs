//! The life of an entry: amended, corrected, augmented, retracted, restored, held, each with its reason and its evidence.
//!
//! Every call is a method of [`Session`](crate::ehr::Session), written here where the subject is read as one. What a call leaves
//! behind is told in docs/lifecycle.md.

mod conflict;
mod differ;
mod entry;
mod hold;
mod merge;
mod package;
mod request;
mod statement;

pub use conflict::{Choice, Conflict, Edit, Settled, Sides};
pub use entry::{Lineage, Reason, Viewer};
pub use package::{AccessLine, AccessPackage, request_value};
pub use request::{Denial, Request, RequestKind, RequestState, Statement};
pub(crate) use statement::travelling;
