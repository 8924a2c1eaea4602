//! The life of an entry: amended, corrected, augmented, retracted, restored, held, each with its reason and its evidence.
//!
//! Every call is a method of [`Session`](crate::ehr::Session), written here where the subject is read as one. What a call leaves
//! behind is told in docs/lifecycle.md.

mod conflict;
mod destroy;
mod differ;
mod entry;
mod hold;
mod merge;
mod package;
mod request;
mod retention;
mod statement;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use conflict::{Choice, Conflict, Edit, Settled, Sides};
pub(crate) use destroy::forget_asides;
pub use destroy::{Proposal, ProposalState};
pub use entry::{Lineage, Reason, Viewer};
pub use package::{AccessLine, AccessPackage, request_value};
pub use request::{Denial, Request, RequestKind, RequestState, Statement};
pub use retention::{Retention, Rule};
pub(crate) use statement::travelling;
pub use value::{CALLS, call};
