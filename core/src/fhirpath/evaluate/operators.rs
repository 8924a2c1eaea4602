//! Operators: logic with three values, equality, order, arithmetic.

use super::{Frame, Run, operand, single, truth_of};
use crate::decimal::Decimal;
use crate::error::Result;
use crate::fhirpath::DIVISION_DIGITS;
use crate::fhirpath::equality::{bucket, equal, equivalent, number, order};
use crate::fhirpath::item::{Collection, Item};
use crate::fhirpath::moment::Moment;
use crate::fhirpath::parser::{Expr, Operator};
use crate::fhirpath::quantity::Quantity;
use std::cmp::Ordering;
use std::collections::HashMap;

impl<'a> Run<'a, '_> {
    pub(super) fn binary(
        &self,
        operator: Operator,
        expr: &'a Expr,
        left: &'a Expr,
        right: &'a Expr,
        frame: Frame<'_, 'a>,
    ) -> Result<Collection<'a>> {
        if let Some(made) = self.logic(operator, left, right, frame) {
            return made.map(Collection::maybe);
        }
        let (a, b) = (self.eval(left, frame)?, self.eval(right, frame)?);
        match operator {
            Operator::Equal => self.equal(&a, &b).map(Collection::maybe),
            Operator::NotEqual => Ok(Collection::maybe(self.equal(&a, &b)?.map(|same| !same))),
            Operator::Equivalent => self.equivalent(&a, &b).map(Collection::boolean),
            Operator::NotEquivalent => Ok(Collection::boolean(!self.equivalent(&a, &b)?)),
            Operator::Union => self.distinct(a.into_iter().chain(b)),
            Operator::In => Ok(match single(a, expr)? {
                None => Collection::None,
                Some(item) => Collection::boolean(self.contains(&b, &item)?),
            }),
            Operator::Contains => Ok(match single(b, expr)? {
                None => Collection::None,
                Some(item) => Collection::boolean(self.contains(&a, &item)?),
            }),
            Operator::Concatenate => {
                let (a, b) = (single(a, expr)?, single(b, expr)?);
                let text = |item: Option<Item<'a>>| match item {
                    None => Ok(None),
                    Some(item) => match item.as_string() {
                        Some(text) => Ok(Some(text)),
                        None if item.value().is_none() => Ok(None),
                        None => Err(operand(expr, "texts")),
                    },
                };
                let (a, b) = (text(a)?.unwrap_or_default(), text(b)?.unwrap_or_default());
                self.text(format!("{a}{b}")).map(Collection::One)
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                let (Some(a), Some(b)) = (single(a, expr)?, single(b, expr)?) else { return Ok(Collection::None) };
                let found = order(&a, &b).map_err(|_| operand(expr, "two values of types that have an order"))?;
                Ok(Collection::maybe(found.map(|found| match operator {
                    Operator::Less => found == Ordering::Less,
                    Operator::LessOrEqual => found != Ordering::Greater,
                    Operator::Greater => found == Ordering::Greater,
                    _ => found != Ordering::Less,
                })))
            }
            _ => {
                let (Some(a), Some(b)) = (single(a, expr)?, single(b, expr)?) else { return Ok(Collection::None) };
                self.arithmetic(operator, &a, &b, expr)
            }
        }
    }

    /// `and`, `or`, `xor` and `implies`; None for other operators.
    pub(super) fn logic(
        &self,
        operator: Operator,
        left: &'a Expr,
        right: &'a Expr,
        frame: Frame<'_, 'a>,
    ) -> Option<Result<Option<bool>>> {
        if !matches!(operator, Operator::And | Operator::Or | Operator::Xor | Operator::Implies) {
            return None;
        }
        Some(self.truth(left, frame).and_then(|a| {
            match (operator, a) {
                (Operator::And, Some(false)) => return Ok(Some(false)),
                (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => return Ok(Some(true)),
                _ => {}
            }
            let b = self.truth(right, frame)?;
            Ok(match (operator, a, b) {
                (Operator::And, _, Some(false)) => Some(false),
                (Operator::And, Some(true), b) => b,
                (Operator::Or | Operator::Implies, _, Some(true)) => Some(true),
                (Operator::Or, Some(false), b) => b,
                (Operator::Implies, Some(true), b) => b,
                (Operator::Xor, Some(a), Some(b)) => Some(a != b),
                _ => None,
            })
        }))
    }

    pub(super) fn equal(&self, a: &Collection<'a>, b: &Collection<'a>) -> Result<Option<bool>> {
        let (a, b) = (a.items(), b.items());
        if a.is_empty() || b.is_empty() {
            return Ok(None);
        }
        if a.len() != b.len() {
            return Ok(Some(false));
        }
        let mut known = Some(true);
        for (a, b) in a.iter().zip(b) {
            self.spend(1)?;
            match equal(a, b) {
                Some(true) => {}
                Some(false) => return Ok(Some(false)),
                None => known = None,
            }
        }
        Ok(known)
    }
    pub(super) fn equivalent(&self, a: &Collection<'a>, b: &Collection<'a>) -> Result<bool> {
        let (a, b) = (a.items(), b.items());
        if a.len() != b.len() {
            return Ok(false);
        }
        let mut left: Vec<&Item<'a>> = b.iter().collect();
        for item in a {
            self.spend(left.len() as u64 + 1)?;
            match left.iter().position(|other| equivalent(item, other)) {
                Some(at) => left.swap_remove(at),
                None => return Ok(false),
            };
        }
        Ok(true)
    }
    pub(super) fn contains(&self, all: &Collection<'a>, item: &Item<'a>) -> Result<bool> {
        self.spend(all.len() as u64)?;
        Ok(all.iter().any(|other| equal(other, item) == Some(true)))
    }
    /// Each item once, in the order of their first.
    pub(super) fn distinct(&self, items: impl Iterator<Item = Item<'a>>) -> Result<Collection<'a>> {
        let mut seen = Seen::default();
        for item in items {
            seen.add(self, item)?;
        }
        Ok(seen.into_collection())
    }

    fn arithmetic(&self, operator: Operator, a: &Item<'a>, b: &Item<'a>, expr: &Expr) -> Result<Collection<'a>> {
        let (Some(a), Some(b)) = (operand_of(a), operand_of(b)) else {
            return Ok(Collection::None);
        };
        let made = match (&a, &b) {
            (Item::String(a), Item::String(b)) if operator == Operator::Plus => {
                return self.text(format!("{a}{b}")).map(Collection::One);
            }
            (Item::Moment(moment), Item::Quantity(length)) if matches!(operator, Operator::Plus | Operator::Minus) => {
                return add(*moment, length, operator == Operator::Minus, expr);
            }
            (Item::Integer(a), Item::Integer(b)) => integers(operator, *a, *b),
            _ => match (number(&a), number(&b)) {
                (Some(a), Some(b)) => decimals(operator, &a, &b),
                _ => match (a.as_quantity().or_else(|| plain(&a)), b.as_quantity().or_else(|| plain(&b))) {
                    (Some(a), Some(b)) => match operator {
                        Operator::Plus | Operator::Minus => a.plus(&b, operator == Operator::Minus),
                        Operator::Times | Operator::Divide => a.times(&b, operator == Operator::Divide),
                        _ => return Err(operand(expr, "numbers")),
                    }
                    .map(Item::quantity),
                    _ => return Err(operand(expr, "two values that this operator takes")),
                },
            },
        };
        Ok(made.into())
    }
}

/// The value an element stands for in arithmetic; None where it has none.
fn operand_of<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    match item {
        Item::Element(element) => match element.value() {
            Some(value) => Some(value),
            None if element.primitive().is_some() => None,
            None => element.quantity().map(Item::quantity).or_else(|| Some(item.clone())),
        },
        other => Some(other.clone()),
    }
}

fn plain<'a>(item: &Item<'a>) -> Option<Quantity<'a>> {
    number(item).map(|value| Quantity::plain(value.into_owned()))
}

fn integers<'a>(operator: Operator, a: i64, b: i64) -> Option<Item<'a>> {
    let within = |number: i64| i32::try_from(number).ok().map(|_| Item::Integer(number));
    match operator {
        Operator::Plus => a.checked_add(b).and_then(within),
        Operator::Minus => a.checked_sub(b).and_then(within),
        Operator::Times => a.checked_mul(b).and_then(within),
        Operator::Div => a.checked_div(b).and_then(within),
        Operator::Mod => a.checked_rem(b).and_then(within),
        _ => decimals(operator, &Decimal::from_i64(a), &Decimal::from_i64(b)),
    }
}

fn decimals<'a>(operator: Operator, a: &Decimal, b: &Decimal) -> Option<Item<'a>> {
    match operator {
        Operator::Plus => a.add(b).map(Item::Decimal),
        Operator::Minus => a.sub(b).map(Item::Decimal),
        Operator::Times => a.mul(b).map(Item::Decimal),
        Operator::Divide => a.div(b, DIVISION_DIGITS).map(Item::Decimal),
        Operator::Div => a.div_int(b)?.to_i64().map(Item::Integer),
        Operator::Mod => a.rem(b).map(Item::Decimal),
        _ => None,
    }
}

fn add<'a>(moment: Moment, length: &Quantity<'a>, minus: bool, expr: &Expr) -> Result<Collection<'a>> {
    let unit = length.as_time().ok_or_else(|| operand(expr, "a length of time with a definite unit"))?;
    let amount = if minus { length.value.neg() } else { length.value.clone() };
    Ok(moment.plus(&amount, unit).map(Item::Moment).into())
}

pub(super) fn negative<'a>(input: Collection<'a>, expr: &Expr) -> Result<Collection<'a>> {
    let Some(item) = single(input, expr)? else { return Ok(Collection::None) };
    let item = operand_of(&item);
    Ok(match item {
        None => Collection::None,
        Some(Item::Integer(number)) => Collection::One(Item::Integer(-number)),
        Some(Item::Decimal(number)) => Collection::One(Item::Decimal(number.neg())),
        Some(Item::Quantity(quantity)) => {
            let value = quantity.value.neg();
            Collection::One(Item::quantity(Quantity { value, ..*quantity }))
        }
        Some(_) => return Err(operand(expr, "a number or a quantity")),
    })
}

pub(super) fn positive<'a>(input: Collection<'a>, expr: &Expr) -> Result<Collection<'a>> {
    let Some(item) = single(input, expr)? else { return Ok(Collection::None) };
    match operand_of(&item) {
        None => Ok(Collection::None),
        Some(Item::Integer(_) | Item::Decimal(_) | Item::Quantity(_)) => Ok(Collection::One(item)),
        Some(_) => Err(operand(expr, "a number or a quantity")),
    }
}

/// Items in the order they came, each once.
#[derive(Default)]
pub(super) struct Seen<'a> {
    items: Vec<Item<'a>>,
    buckets: HashMap<u64, Vec<usize>>,
}

/// Up to this many are compared one by one.
const FEW: usize = 8;

impl<'a> Seen<'a> {
    /// Adds an item; says whether it was not there.
    pub(super) fn add(&mut self, run: &Run<'a, '_>, item: Item<'a>) -> Result<bool> {
        if self.items.len() < FEW {
            run.spend(self.items.len() as u64 + 1)?;
            if self.items.iter().any(|other| equal(other, &item) == Some(true)) {
                return Ok(false);
            }
            self.items.push(item);
            return Ok(true);
        }
        if self.buckets.is_empty() {
            for (at, known) in self.items.iter().enumerate() {
                self.buckets.entry(bucket(known)).or_default().push(at);
            }
        }
        let same = self.buckets.entry(bucket(&item)).or_default();
        run.spend(same.len() as u64 + 1)?;
        if same.iter().any(|at| equal(&self.items[*at], &item) == Some(true)) {
            return Ok(false);
        }
        same.push(self.items.len());
        self.items.push(item);
        Ok(true)
    }
    pub(super) fn into_collection(self) -> Collection<'a> {
        self.items.into_iter().collect()
    }
}

/// The truth values of a collection, each of a single item.
pub(super) fn truths(found: &Collection<'_>, expr: &Expr) -> Result<Vec<bool>> {
    let one = |item: &Item<'_>| match item.value() {
        Some(Item::Boolean(truth)) => Ok(truth),
        _ => Err(operand(expr, "truth values")),
    };
    found.iter().map(one).collect()
}

pub(super) fn criterion(found: &Collection<'_>, expr: &Expr) -> Result<Option<bool>> {
    truth_of(found, expr)
}
