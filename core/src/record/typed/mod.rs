//! Typed views and builders, generated from the definitions like the schema; the feature `typed`.
//!
//! A view is a name for a place in a record: it copies nothing, and what is not there, or is not of its type, is None. A view
//! says what a record holds, not that the record is right: that is for validation. A builder has the same names and makes a
//! new record, whose structure is checked when it is built. Both are thin; what they do not know stays within reach through
//! [`View::node`] and [`Value`](crate::record::Value).
//!
//! A function of a view has the name of its element and is documented with path, number of values, reference targets and
//! required value set; the function of that name on a builder sets the element, or adds a value where it may repeat. A choice
//! is one enum in a view and a function for each type in a builder (`value_quantity`). A name with `_element` behind it is the
//! primitive with its id and extensions.
//!
//! # Example
//! ```
//! use ehrcore::record::typed::*;
//!
//! let patient = PatientBuilder::new()
//!     .id("p1")
//!     .birth_date("1974-12-25")
//!     .name(HumanNameBuilder::new().family("Chalmers").given("Peter").given("James"))
//!     .deceased_boolean(false)
//!     .build()?;
//!
//! let view = patient.as_patient().expect("it was made as one");
//! assert_eq!(view.birth_date().and_then(|date| date.month()), Some(12));
//! assert_eq!(view.name().next().map(|name| name.given().count()), Some(2));
//! assert!(matches!(view.deceased(), Some(PatientDeceased::Boolean(false))));
//!
//! // An edit starts from a view; what the view does not name stays.
//! let amended = PatientBuilder::from(view).active(true).build()?;
//! assert_eq!(amended.as_patient().and_then(|patient| patient.active()), Some(true));
//! # Ok::<(), ehrcore::error::Error>(())
//! ```

mod builder;
#[cfg(test)]
mod laws;
mod reference;
mod view;
#[rustfmt::skip]
#[allow(missing_docs, clippy::new_without_default, clippy::should_implement_trait, clippy::wrong_self_convention)]
mod generated {
    pub(super) mod builders;
    #[cfg(test)]
    pub(super) mod law;
    pub(super) mod views;
}

pub use builder::{Number, PrimitiveElementBuilder, Text};
pub use generated::{builders::*, views::*};
pub use reference::Target;
pub use view::{Choice, Elements, FromNode, PrimitiveElement, Values, View};
