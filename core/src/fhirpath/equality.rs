//! Equality, equivalence and order of items.

use super::item::{Element, Item};
use super::types::TypeName;
use crate::decimal::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

/// `=` of two items; None where precision does not decide.
pub(super) fn equal(a: &Item<'_>, b: &Item<'_>) -> Option<bool> {
    match (a, b) {
        (Item::Element(a), Item::String(b)) | (Item::String(b), Item::Element(a)) => {
            if let Some(bytes) = a.plain_bytes() {
                return Some(bytes == b.as_bytes());
            }
            Some(a.node()?.as_str().is_some_and(|text| text == *b))
        }
        (Item::Element(a), Item::Element(b)) => elements_equal(*a, *b),
        (Item::Element(a), b) => equal(&plain(*a)?, b),
        (a, Item::Element(b)) => equal(a, &plain(*b)?),
        (Item::String(a), Item::String(b)) => Some(a == b),
        (Item::Boolean(a), Item::Boolean(b)) => Some(a == b),
        (Item::Integer(a), Item::Integer(b)) => Some(a == b),
        (Item::Type(a), Item::Type(b)) => Some(a == b),
        (Item::Moment(a), Item::Moment(b)) => {
            let order = a.compare(b);
            let time = |moment: &super::Moment| moment.kind() == super::MomentKind::Time;
            if time(a) != time(b) { Some(false) } else { order.map(Ordering::is_eq) }
        }
        (Item::Quantity(a), Item::Quantity(b)) => match a.compare(b) {
            Ok(order) => order.map(Ordering::is_eq),
            Err(_) => Some(false),
        },
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => Some(a.cmp_value(&b).is_eq()),
            _ => match (measure(a), measure(b)) {
                (Some(a), Some(b)) => equal(&a, &b),
                _ => Some(false),
            },
        },
    }
}

/// The value of an element for a comparison with a value: of a primitive or a Quantity.
fn plain(element: Element<'_>) -> Option<Item<'_>> {
    match element.value() {
        Some(value) => Some(value),
        None if element.primitive().is_some() => None,
        // What has children and is no Quantity is equal to no value: a type is not.
        None => Some(element.quantity().map_or_else(|| Item::Type(TypeName::of(element.type_id())), Item::quantity)),
    }
}

fn elements_equal(a: Element<'_>, b: Element<'_>) -> Option<bool> {
    if a.same_place(b) {
        return Some(true);
    }
    if let (Some(a), Some(b)) = (a.plain_bytes(), b.plain_bytes()) {
        if a == b {
            return Some(true);
        }
    }
    match (a.primitive().is_some(), b.primitive().is_some()) {
        (true, true) => match (a.value(), b.value()) {
            (Some(a), Some(b)) => equal(&a, &b),
            (None, None) => Some(children_match(a, b, &|a, b| elements_equal(a, b) == Some(true))),
            _ => None,
        },
        (false, false) => match (a.quantity(), b.quantity()) {
            (Some(a), Some(b)) => equal(&Item::quantity(a), &Item::quantity(b)),
            _ => Some(children_match(a, b, &|a, b| elements_equal(a, b) == Some(true))),
        },
        _ => Some(false),
    }
}

/// Whether the children of both match one by one; the order of properties does not matter, that of repetitions does.
fn children_match(a: Element<'_>, b: Element<'_>, matches: &dyn Fn(Element<'_>, Element<'_>) -> bool) -> bool {
    let kind = |of: &Element<'_>| (of.any().element().map(|element| element.0), of.type_id().map(|id| id.0));
    fn sorted(of: Element<'_>) -> Vec<Element<'_>> {
        let mut found = Vec::new();
        let Ok(()) = of.children(&mut |child| -> Result<(), std::convert::Infallible> {
            found.push(child);
            Ok(())
        });
        found
    }
    let (mut left, mut right) = (sorted(a), sorted(b));
    left.sort_by_key(kind);
    right.sort_by_key(kind);
    left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| kind(a) == kind(b) && matches(*a, *b))
}

/// `~` of two items.
pub(super) fn equivalent(a: &Item<'_>, b: &Item<'_>) -> bool {
    match (a, b) {
        (Item::Element(a), Item::Element(b)) => {
            if a.same_place(*b) {
                return true;
            }
            match (a.value(), b.value()) {
                (Some(a), Some(b)) => equivalent(&a, &b),
                (None, None) => match (a.quantity(), b.quantity()) {
                    (Some(a), Some(b)) => a.equivalent(&b),
                    _ => children_match(*a, *b, &|a, b| equivalent(&Item::Element(a), &Item::Element(b))),
                },
                _ => false,
            }
        }
        (Item::Element(a), b) => plain(*a).is_some_and(|a| equivalent(&a, b)),
        (a, Item::Element(b)) => plain(*b).is_some_and(|b| equivalent(a, &b)),
        (Item::String(a), Item::String(b)) => normal(a) == normal(b),
        (Item::Moment(a), Item::Moment(b)) => a.equivalent(b),
        (Item::Quantity(a), Item::Quantity(b)) => a.equivalent(b),
        (Item::Integer(a), Item::Integer(b)) => a == b,
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => about(&a, &b, &b),
            _ => match (measure(a), measure(b)) {
                (Some(a), Some(b)) => equivalent(&a, &b),
                _ => equal(a, b) == Some(true),
            },
        },
    }
}

/// Whether `a` and `converted`, which was given as `b`, are equal when both are rounded to the less precise of the two.
pub(super) fn about(a: &Decimal, b: &Decimal, converted: &Decimal) -> bool {
    let scale = |of: &Decimal| of.normalize().and_then(|plain| plain.scale());
    let (Some(first), Some(second)) = (scale(a), scale(b)) else { return a.cmp_value(converted).is_eq() };
    let digits = first.min(second);
    match (a.round(digits), converted.round(digits)) {
        (Some(a), Some(b)) => a.cmp_value(&b).is_eq(),
        _ => false,
    }
}

/// Text without regard to case and to how much white space stands where.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

pub(super) fn number<'d>(item: &'d Item<'_>) -> Option<Cow<'d, Decimal>> {
    match item {
        Item::Integer(number) => Some(Cow::Owned(Decimal::from_i64(*number))),
        Item::Decimal(number) => Some(Cow::Borrowed(number)),
        _ => None,
    }
}

/// A number or a quantity as a quantity.
fn measure<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    match item {
        Item::Quantity(_) => Some(item.clone()),
        _ => number(item).map(|value| Item::quantity(super::Quantity::plain(value.into_owned()))),
    }
}

/// The two cannot be put in an order: they are of different types.
pub(super) struct Unordered;

/// Which of two items comes first; Ok(None) where that is not known.
pub(super) fn order(a: &Item<'_>, b: &Item<'_>) -> Result<Option<Ordering>, Unordered> {
    match (a, b) {
        (Item::Element(a), b) => match ordered(*a)? {
            Some(a) => order(&a, b),
            None => Ok(None),
        },
        (a, Item::Element(b)) => match ordered(*b)? {
            Some(b) => order(a, &b),
            None => Ok(None),
        },
        (Item::String(a), Item::String(b)) => Ok(Some(a.as_ref().cmp(b.as_ref()))),
        (Item::Moment(a), Item::Moment(b)) => {
            let time = |moment: &super::Moment| moment.kind() == super::MomentKind::Time;
            if time(a) == time(b) { Ok(a.compare(b)) } else { Err(Unordered) }
        }
        (Item::Integer(a), Item::Integer(b)) => Ok(Some(a.cmp(b))),
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => Ok(Some(a.cmp_value(&b))),
            _ => match (measure(a), measure(b)) {
                (Some(Item::Quantity(a)), Some(Item::Quantity(b))) => Ok(a.compare(&b).unwrap_or(None)),
                _ => Err(Unordered),
            },
        },
    }
}

fn ordered(element: Element<'_>) -> Result<Option<Item<'_>>, Unordered> {
    match element.value() {
        Some(value) => Ok(Some(value)),
        None if element.primitive().is_some() => Ok(None),
        None => match element.quantity() {
            Some(quantity) => Ok(Some(Item::quantity(quantity))),
            None if element.type_id() == Some(super::types::special().quantity) => Ok(None),
            None => Err(Unordered),
        },
    }
}

/// Items that are equal have the same number. It is exact for texts, which sets of items nearly always are.
pub(super) fn bucket(item: &Item<'_>) -> u64 {
    let text = |bytes: &[u8]| {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish() | 1
    };
    match item {
        Item::String(found) => text(found.as_bytes()),
        Item::Element(element) => match element.value() {
            Some(Item::String(found)) => text(found.as_bytes()),
            _ => 0,
        },
        _ => 0,
    }
}
