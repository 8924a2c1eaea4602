//! FHIRPath (normative N1 with the R4 additions): expressions compiled once and evaluated many times over a record.
//!
//! [`Expression::compile`] settles names, parameters, literals and patterns; [`Expression::compile_for`] also checks the
//! expression against the type it is meant for. Evaluation reads the record in place: elements are not copied, and up to
//! one item needs no memory. An [`Expression`] never changes and may be shared between threads.
//!
//! Steps, depth, and the length of texts are bounded, so a hostile expression ends with an error and not with the process.
//! No error holds text of the expression or of the record: it says the column.

mod check;
pub(crate) mod equality;
mod evaluate;
mod functions;
mod item;
mod lexer;
mod moment;
mod parser;
mod presence;
mod quantity;
mod regex;
pub(crate) use regex::Pattern;
mod scope;
#[cfg(test)]
mod tests;
mod types;

pub use item::{Collection, Element, IntoItems, Item};
pub use moment::{Moment, MomentKind};
pub use quantity::{Calendar, Quantity, Unit};
pub use scope::{Host, Scope};
pub use types::{SystemType, TypeName};

use crate::error::Result;
use crate::schema::TypeId;
use parser::Expr;

/// The code system of units.
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";
/// Digits after the point of what a division gives.
const DIVISION_DIGITS: u32 = 16;

/// An expression, ready to be evaluated.
#[derive(Debug)]
pub struct Expression {
    root: Expr,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// - `fhirpath-syntax`, `fhirpath-literal`, `fhirpath-too-deep`: it is not well-formed, or too large.
    /// - `fhirpath-function`, `fhirpath-arity`, `fhirpath-type-name`, `fhirpath-pattern`: a name, the number of parameters,
    ///   a type or a regular expression is not one.
    /// - `fhirpath-types`: an operator or a function cannot take what the expression gives it.
    ///
    /// # Example
    /// ```
    /// use ehrcore::fhirpath::{Expression, Scope};
    /// use ehrcore::record::Record;
    /// # fn main() -> ehrcore::error::Result<()> {
    /// let family = Expression::compile("Patient.name.where(use = 'official').family")?;
    /// let record = Record::parse(br#"{"resourceType":"Patient","name":[{"use":"official","family":"Ito"}]}"#)?;
    /// let found = family.evaluate(&Scope::new(record.root()))?;
    /// assert_eq!(found.items()[0].text().as_deref(), Some("Ito"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn compile(text: &str) -> Result<Self> {
        let root = parser::parse(text)?;
        check::check(&root, None)?;
        Ok(Expression { root })
    }
    /// Reads an expression that is meant for elements of one type.
    ///
    /// # Errors
    /// - as [`Expression::compile`].
    /// - `fhirpath-element`: a type has no such element.
    /// - `fhirpath-order`: the expression relies on the order of what has none.
    pub fn compile_for(text: &str, of: TypeId) -> Result<Self> {
        let root = parser::parse(text)?;
        check::check(&root, Some(of))?;
        Ok(Expression { root })
    }
    /// Evaluates the expression.
    ///
    /// # Errors
    /// - `fhirpath-operand`: an operator or a function met what it cannot take.
    /// - `fhirpath-singleton`: there was more than one item where one is allowed.
    /// - `fhirpath-variable`: a variable, or the time, is not given.
    /// - `fhirpath-pattern`: a regular expression is none.
    /// - `fhirpath-limit`: it took more than the limits allow.
    pub fn evaluate<'a>(&'a self, scope: &Scope<'a>) -> Result<Collection<'a>> {
        evaluate::evaluate(&self.root, scope)
    }
    /// Evaluates the expression as a truth value: None where the result is empty, true for a single item that is none.
    ///
    /// # Errors
    /// - as [`Expression::evaluate`]; `fhirpath-singleton` also where the result has more than one item.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<Option<bool>> {
        evaluate::holds(&self.root, scope)
    }
    /// Calls `found` with the names of children that the expression starts from.
    pub(crate) fn child_names<'e>(&'e self, mut found: impl FnMut(&'e str)) {
        presence::names(&self.root, &mut found);
    }
    /// Whether the expression gives true for every element that has the children `has` says.
    pub(crate) fn surely_holds(&self, has: &dyn Fn(&str) -> Option<bool>) -> bool {
        presence::surely_true(&self.root, has)
    }
}
