//! What an expression gives, as far as it can be told from which children an element has: most rules need no more.
//!
//! The answer is never a guess. Where a value would have to be looked at, it is not known.

use super::functions::Function;
use super::item::Item;
use super::parser::{Expr, Kind, Operator};

/// What is known of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    Empty,
    Truth(bool),
    /// One item or more.
    Some,
    /// The number 0.
    Zero,
    /// A whole number of 1 or more.
    Positive,
    Nothing,
}

/// Calls `found` with the names of children that an expression starts from.
pub(super) fn names<'e>(expr: &'e Expr, found: &mut impl FnMut(&'e str)) {
    match &expr.kind {
        Kind::Start(name, None) => found(&name.text),
        Kind::Member(input, _)
        | Kind::Is(input, _)
        | Kind::As(input, _)
        | Kind::OfType(input, _)
        | Kind::Negative(input)
        | Kind::Positive(input)
        // The parameters of a function are about other elements, or their value matters.
        | Kind::Call(input, ..) => names(input, found),
        Kind::At(left, right) | Kind::Binary(_, left, right) => {
            names(left, found);
            names(right, found);
        }
        _ => {}
    }
}

/// Whether the expression gives true, whatever the values are; `has` says whether there is a child of a name.
pub(super) fn surely_true(expr: &Expr, has: &dyn Fn(&str) -> Option<bool>) -> bool {
    known(expr, has) == Known::Truth(true)
}

fn known(expr: &Expr, has: &dyn Fn(&str) -> Option<bool>) -> Known {
    match &expr.kind {
        Kind::Empty => Known::Empty,
        Kind::Literal(Item::Boolean(truth)) => Known::Truth(*truth),
        Kind::Literal(Item::Integer(0)) => Known::Zero,
        Kind::Start(name, None) => match has(&name.text) {
            Some(true) => Known::Some,
            Some(false) => Known::Empty,
            None => Known::Nothing,
        },
        Kind::Member(input, _) | Kind::Is(input, _) | Kind::As(input, _) | Kind::OfType(input, _) => {
            if known(input, has) == Known::Empty { Known::Empty } else { Known::Nothing }
        }
        Kind::Call(input, function, parameters, _) => call(known(input, has), *function, parameters.len()),
        Kind::Binary(operator, left, right) => binary(*operator, known(left, has), || known(right, has)),
        _ => Known::Nothing,
    }
}

fn call(input: Known, function: Function, parameters: usize) -> Known {
    use Function::*;
    match (input, function) {
        (Known::Empty, Empty | All | IsDistinct) => Known::Truth(true),
        (Known::Empty, Exists | HasValue) => Known::Truth(false),
        (Known::Empty, Count) => Known::Zero,
        (
            Known::Empty,
            Not | Where | Select | First | Last | Tail | Distinct | Trace | Extension | Resolve | LowBoundary
            | HighBoundary | ToInteger | StartsWith | Contains | Matches | Children | Descendants,
        ) => Known::Empty,
        (Known::Truth(truth), Not) => Known::Truth(!truth),
        (Known::Some, Empty) => Known::Truth(false),
        (Known::Some, Exists) if parameters == 0 => Known::Truth(true),
        (Known::Some, Count) => Known::Positive,
        _ => Known::Nothing,
    }
}

fn binary(operator: Operator, left: Known, right: impl Fn() -> Known) -> Known {
    use Operator::*;
    let truth = |known: Known| match known {
        Known::Truth(truth) => Some(Some(truth)),
        Known::Empty => Some(None),
        _ => None,
    };
    match operator {
        And | Or | Xor | Implies => {
            // What is on the left is evaluated first, and may fail: so it has to be known.
            let Some(a) = truth(left) else { return Known::Nothing };
            match (operator, a) {
                (And, Some(false)) => return Known::Truth(false),
                (Or, Some(true)) | (Implies, Some(false)) => return Known::Truth(true),
                _ => {}
            }
            let Some(b) = truth(right()) else { return Known::Nothing };
            match (operator, a, b) {
                (And, _, Some(false)) => Known::Truth(false),
                (And, Some(true), Some(true)) => Known::Truth(true),
                (Or | Implies, _, Some(true)) => Known::Truth(true),
                (Or, Some(false), Some(false)) | (Implies, Some(true), Some(false)) => Known::Truth(false),
                (Xor, Some(a), Some(b)) => Known::Truth(a != b),
                _ => Known::Empty,
            }
        }
        Equal | NotEqual => match (left, right()) {
            (Known::Truth(a), Known::Truth(b)) => Known::Truth((a == b) == (operator == Equal)),
            (Known::Empty, Known::Empty) => Known::Empty,
            _ => Known::Nothing,
        },
        Plus => match (left, right()) {
            (Known::Zero, Known::Zero) => Known::Zero,
            (Known::Positive, Known::Zero | Known::Positive) | (Known::Zero, Known::Positive) => Known::Positive,
            _ => Known::Nothing,
        },
        Greater => match (left, right()) {
            (Known::Positive, Known::Zero) => Known::Truth(true),
            (Known::Zero, Known::Zero) => Known::Truth(false),
            _ => Known::Nothing,
        },
        _ => Known::Nothing,
    }
}
