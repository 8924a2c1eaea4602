//! Functions over numbers, and the boundaries and precision of numbers and moments.

use super::{Call, Run, operand, single};
use crate::decimal::Decimal;
use crate::error::Result;
use crate::fhirpath::equality::number;
use crate::fhirpath::functions::Function;
use crate::fhirpath::item::{Collection, Item};
use crate::fhirpath::quantity::Quantity;

/// Digits after the point of a boundary, where none are asked for.
const BOUNDARY_DIGITS: i64 = 8;
/// The most digits after the point that a boundary may be asked for.
const MOST_BOUNDARY_DIGITS: i64 = 28;

impl<'a> Run<'a, '_> {
    pub(super) fn number(
        &self,
        function: Function,
        found: Collection<'a>,
        call: Call<'_, 'a>,
    ) -> Result<Collection<'a>> {
        let Some(item) = single(found, call.expr)? else { return Ok(Collection::None) };
        let value = match &item {
            Item::Element(element) => match element.value().or_else(|| element.quantity().map(Item::quantity)) {
                Some(value) => value,
                None if element.primitive().is_some() => return Ok(Collection::None),
                None => return Err(operand(call.expr, "a number")),
            },
            _ => item,
        };
        let parameter = match call.parameters {
            [parameter] => match single(self.eval(parameter, call.frame)?, parameter)? {
                Some(item) => Some(item),
                None => return Ok(Collection::None),
            },
            _ => None,
        };
        let mistake = || operand(call.expr, "a number");
        use Function::*;
        let made = match function {
            LowBoundary | HighBoundary => {
                let digits = match &parameter {
                    Some(item) => Some(item.as_integer().ok_or_else(|| operand(call.expr, "a whole number"))?),
                    None => None,
                };
                boundary(&value, digits, function == HighBoundary).ok_or_else(mistake)?
            }
            Precision => Some(Item::Integer(match &value {
                Item::Moment(moment) => moment.precision(),
                _ => i64::from(number(&value).ok_or_else(mistake)?.scale().unwrap_or(0)),
            })),
            Comparable => {
                let other = parameter.as_ref().and_then(Item::as_quantity);
                let (Some(a), Some(b)) = (value.as_quantity(), other) else {
                    return Err(operand(call.expr, "quantities"));
                };
                Some(Item::Boolean(a.comparable(&b)))
            }
            Abs => match &value {
                Item::Integer(number) => Some(Item::Integer(number.abs())),
                Item::Decimal(number) => Some(Item::Decimal(number.abs())),
                Item::Quantity(quantity) => {
                    let value = quantity.value.abs();
                    Some(Item::quantity(Quantity { value, ..(**quantity).clone() }))
                }
                _ => return Err(mistake()),
            },
            Ceiling | Floor | Truncate => {
                let number = number(&value).ok_or_else(mistake)?;
                let whole = match function {
                    Ceiling => number.ceiling(),
                    Floor => number.floor(),
                    _ => number.truncate(),
                };
                whole.and_then(|whole| whole.to_i64()).map(Item::Integer)
            }
            Round => {
                let number = number(&value).ok_or_else(mistake)?;
                let digits = match &parameter {
                    Some(item) => item.as_integer().ok_or_else(|| operand(call.expr, "a whole number"))?,
                    None => 0,
                };
                let digits = u32::try_from(digits).map_err(|_| operand(call.expr, "digits of zero or more"))?;
                match (&value, digits) {
                    (Item::Integer(number), _) => Some(Item::Integer(*number)),
                    _ => number.round(digits).map(Item::Decimal),
                }
            }
            Power => {
                let base = number(&value).ok_or_else(mistake)?;
                let power = parameter.as_ref().and_then(|item| item.value());
                let power = power.as_ref().and_then(number).ok_or_else(mistake)?;
                let whole = power.to_i64().and_then(|power| i32::try_from(power).ok());
                match (&value, whole) {
                    (Item::Integer(_), Some(whole)) if whole >= 0 => {
                        let made = base.powi(whole, 0).and_then(|made| made.to_i64());
                        made.filter(|made| i32::try_from(*made).is_ok()).map(Item::Integer)
                    }
                    (_, Some(whole)) => base.powi(whole, super::super::DIVISION_DIGITS).map(Item::Decimal),
                    _ => near(base.to_f64().powf(power.to_f64())),
                }
            }
            _ => {
                let x = number(&value).ok_or_else(mistake)?.to_f64();
                match function {
                    Exp => near(x.exp()),
                    Ln => near(x.ln()),
                    Sqrt => near(x.sqrt()),
                    _ => {
                        let base = parameter.as_ref().and_then(|item| item.value());
                        let base = base.as_ref().and_then(number).ok_or_else(mistake)?.to_f64();
                        near(x.ln() / base.ln())
                    }
                }
            }
        };
        Ok(made.into())
    }
}

/// A result that is not exact, rounded to where binary fractions no longer show; None where there is none.
fn near<'a>(x: f64) -> Option<Item<'a>> {
    if !x.is_finite() || x.abs() > 1e28 {
        return None;
    }
    let made = Decimal::from_json(format!("{x:.14}").as_bytes())?;
    made.normalize().map(Item::Decimal)
}

/// The least (or greatest) value an item may stand for. None for what has no boundary, Some(None) where the digits asked
/// for do not exist.
fn boundary<'a>(value: &Item<'a>, digits: Option<i64>, high: bool) -> Option<Option<Item<'a>>> {
    match value {
        Item::Moment(moment) => Some(moment.boundary(digits, high).map(Item::Moment)),
        Item::Quantity(quantity) => {
            let value = bound(&quantity.value, digits, high);
            Some(value.map(|value| Item::quantity(Quantity { value, ..(**quantity).clone() })))
        }
        _ => number(value).map(|number| bound(&number, digits, high).map(Item::Decimal)),
    }
}

fn bound(number: &Decimal, digits: Option<i64>, high: bool) -> Option<Decimal> {
    let digits = digits.unwrap_or(BOUNDARY_DIGITS);
    if !(0..=MOST_BOUNDARY_DIGITS).contains(&digits) {
        return None;
    }
    let scale = number.scale()?;
    let half = Decimal::from_json(format!("0.{}5", "0".repeat(scale as usize)).as_bytes())?;
    let exact = if high { number.add(&half) } else { number.sub(&half) }?;
    // Cut to the digits asked for, outwards, so that the value stays within its boundaries.
    let shift = Decimal::from_json(format!("1{}", "0".repeat(digits as usize)).as_bytes())?;
    let shifted = exact.mul(&shift)?;
    let whole = if high { shifted.ceiling() } else { shifted.floor() }?;
    let text = whole.as_str();
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let padded = format!("{text:0>width$}", width = digits as usize + 1);
    let (before, after) = padded.split_at(padded.len() - digits as usize);
    let point = if after.is_empty() { "" } else { "." };
    Decimal::from_json(format!("{sign}{before}{point}{after}").as_bytes())
}
