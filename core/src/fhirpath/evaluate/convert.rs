//! `toX()` and `convertsToX()`.

use super::{Call, Run, single};
use crate::decimal::Decimal;
use crate::error::Result;
use crate::fhirpath::functions::Function;
use crate::fhirpath::item::{Collection, Item};
use crate::fhirpath::moment::{Moment, MomentKind};
use crate::fhirpath::quantity::{Quantity, Unit};

impl<'a> Run<'a, '_> {
    pub(super) fn convert(
        &self,
        function: Function,
        found: Collection<'a>,
        call: Call<'_, 'a>,
    ) -> Result<Collection<'a>> {
        let Some(item) = single(found, call.expr)? else { return Ok(Collection::None) };
        let value = match &item {
            Item::Element(element) => element.value().or_else(|| element.quantity().map(Item::quantity)),
            _ => Some(item),
        };
        let unit = match call.parameters {
            [unit] => self.string(unit, call.frame)?,
            _ => None,
        };
        use Function::*;
        let made = value.as_ref().and_then(|value| match function {
            ToBoolean | ConvertsToBoolean => boolean(value),
            ToInteger | ConvertsToInteger => integer(value),
            ToDecimal | ConvertsToDecimal => decimal(value).map(Item::Decimal),
            ToDate | ConvertsToDate => moment(value, MomentKind::Date),
            ToDateTime | ConvertsToDateTime => moment(value, MomentKind::DateTime),
            ToTime | ConvertsToTime => moment(value, MomentKind::Time),
            ToQuantity | ConvertsToQuantity => quantity(value, unit.as_deref()),
            _ => string(value),
        });
        let asks = matches!(
            function,
            ConvertsToBoolean
                | ConvertsToInteger
                | ConvertsToDecimal
                | ConvertsToDate
                | ConvertsToDateTime
                | ConvertsToTime
                | ConvertsToQuantity
                | ConvertsToString
        );
        Ok(if asks { Collection::boolean(made.is_some()) } else { made.into() })
    }
}

fn boolean<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    let truth = match value {
        Item::Boolean(truth) => Some(*truth),
        Item::Integer(number) => match number {
            1 => Some(true),
            0 => Some(false),
            _ => None,
        },
        Item::Decimal(number) => match number.to_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Item::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    truth.map(Item::Boolean)
}

fn integer<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    let number = match value {
        Item::Integer(number) => Some(*number),
        Item::Boolean(truth) => Some(i64::from(*truth)),
        Item::String(text) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse::<i32>().ok().map(i64::from)).flatten()
        }
        _ => None,
    };
    number.map(Item::Integer)
}

fn decimal(value: &Item<'_>) -> Option<Decimal> {
    match value {
        Item::Decimal(number) => Some(number.clone()),
        Item::Integer(number) => Some(Decimal::from_i64(*number)),
        Item::Boolean(truth) => Decimal::from_json(if *truth { b"1.0" } else { b"0.0" }),
        Item::String(text) => {
            let plain = text.strip_prefix('+').unwrap_or(text);
            (!plain.contains(['e', 'E'])).then(|| Decimal::from_json(plain.as_bytes())).flatten()
        }
        _ => None,
    }
}

fn moment<'a>(value: &Item<'a>, kind: MomentKind) -> Option<Item<'a>> {
    let made = match value {
        Item::Moment(moment) if kind != MomentKind::Time || moment.kind() == kind => moment.to_kind(kind),
        Item::String(text) => match kind {
            MomentKind::Date => Moment::date(text).or_else(|| Moment::date_time(text)?.to_kind(kind)),
            MomentKind::DateTime => Moment::date_time(text),
            MomentKind::Time => Moment::time(text.strip_prefix('T').unwrap_or(text)),
        },
        _ => None,
    };
    made.map(Item::Moment)
}

fn quantity<'a>(value: &Item<'a>, unit: Option<&str>) -> Option<Item<'a>> {
    let made = match value {
        Item::Quantity(quantity) => (**quantity).clone(),
        Item::String(text) => Quantity::parse(text)?,
        _ => Quantity::plain(decimal(value)?),
    };
    let Some(unit) = unit else { return Some(Item::quantity(made)) };
    let value = crate::units::convert(&made.value, made.ucum()?, unit).ok()?;
    Some(Item::quantity(Quantity::new(value, Unit::Ucum(unit.to_owned().into()))))
}

fn string<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    match value {
        Item::String(text) => Some(Item::String(text.clone())),
        Item::Type(_) | Item::Element(_) => None,
        other => other.text().map(Item::string),
    }
}
