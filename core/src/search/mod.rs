//! Search: what a record is found by, and what a FHIR query asks.
//!
//! [`extract`] gives a record's search values in one walk; [`Query`] is a parsed FHIR search (`name=smith&birthdate=ge1980`)
//! and says whether a record matches. The store uses both: hashes of values narrow the search, the record itself decides.
//!
//! Answered: token, reference, date, string, uri, number and quantity parameters of R4 whose expression is compiled, `_id`
//! and `_lastUpdated`; modifiers `:exact`, `:contains`, `:missing`, `:not` and a type (`subject:Patient`); prefixes; comma as
//! "or", repetition as "and"; `_sort`, `_count`. Anything else (chains, `_has`, `_include`, composites) is `query-invalid`:
//! a search never silently ignores what it was asked.

mod extract;
mod matching;
mod query;
mod text;

pub use extract::{Quantity, Value, extract};
pub use matching::Resolver;
pub(crate) use matching::{SortKey, dates, numbers};
pub use query::{Condition, Modifier, Prefix, Query, Sort, SortBy, Target, Wanted};
pub(crate) use text::{hash64, prefix_key};
pub use text::{normalise, parse_reference};
