//! What a unit amounts to: a factor, and powers of base units and arbitrary units.

use super::parse::{Component, Term, atom, parse};
use super::ratio::Ratio;
use super::special::Function;
use super::table::{ATOMS, Atom, Meaning};
use crate::error::{Code, Result};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Powers of the units that are only themselves, by code. No power is 0.
pub(super) type Dimension = BTreeMap<&'static str, i32>;

/// One of a unit, as so many of its base units.
#[derive(Clone, Debug)]
pub(super) struct Canonical {
    pub(super) factor: Ratio,
    pub(super) dimension: Dimension,
    /// Set where the unit is on a scale of its own; `factor` is then what a value is multiplied by before the function, and
    /// `dimension` that of the quantity behind it.
    scale: Option<Scale>,
}

/// A scale: its function, and the size of the quantity that the function takes as 1.
#[derive(Clone, Debug)]
struct Scale {
    function: Function,
    size: Ratio,
}

impl Canonical {
    pub(super) fn of(term: &Term) -> Result<Self> {
        let mut whole = Canonical::one();
        for part in &term.0 {
            let one = match &part.component {
                Component::Number(digits) => Canonical { factor: Ratio::parse(digits)?, ..Canonical::one() },
                Component::Annotation => Canonical::one(),
                Component::Term(inner) => Canonical::of(inner)?,
                Component::Symbol { prefix, atom, exponent } => {
                    let mut one = of_atom(atom)?;
                    if let Some(prefix) = prefix {
                        one.factor = one.factor.times(&Ratio::parse(prefix.value)?)?;
                    }
                    one.power(*exponent)?
                }
            };
            whole = if part.divides { whole.times(&one.power(-1)?)? } else { whole.times(&one)? };
        }
        Ok(whole)
    }

    fn one() -> Self {
        Canonical { factor: Ratio::one(), dimension: Dimension::new(), scale: None }
    }

    /// Whether the unit is on a scale of its own.
    pub(super) fn is_special(&self) -> bool {
        self.scale.is_some()
    }

    /// So many of this unit, in base units.
    pub(super) fn in_base(&self, value: &Ratio) -> Result<Ratio> {
        let scaled = value.times(&self.factor)?;
        match &self.scale {
            None => Ok(scaled),
            Some(scale) => scale.function.quantity(&scaled)?.times(&scale.size),
        }
    }

    /// So many base units, in this unit.
    pub(super) fn out_of_base(&self, value: &Ratio) -> Result<Ratio> {
        match &self.scale {
            None => value.over(&self.factor),
            Some(scale) => scale.function.on_scale(&value.over(&scale.size)?)?.over(&self.factor),
        }
    }

    /// A product. A scale goes with numbers only.
    pub(super) fn times(&self, other: &Self) -> Result<Self> {
        let scale = match (&self.scale, &other.scale) {
            (None, None) => None,
            (Some(scale), None) if other.dimension.is_empty() => Some(scale.clone()),
            (None, Some(scale)) if self.dimension.is_empty() => Some(scale.clone()),
            _ => return Err(Code::UnitSpecial.error()),
        };
        let mut dimension = self.dimension.clone();
        for (code, power) in &other.dimension {
            let sum = dimension.entry(code).or_insert(0);
            *sum += power;
            if *sum == 0 {
                dimension.remove(code);
            }
        }
        Ok(Canonical { factor: self.factor.times(&other.factor)?, dimension, scale })
    }

    pub(super) fn power(self, exponent: i32) -> Result<Self> {
        if exponent == 1 {
            return Ok(self);
        }
        if self.scale.is_some() {
            return Err(Code::UnitSpecial.error());
        }
        let factor = self.factor.power(exponent)?;
        let mut dimension = self.dimension;
        for power in dimension.values_mut() {
            *power = power.checked_mul(exponent).filter(|p| p.abs() < MOST_POWER).ok_or(Code::UnitLimit.error())?;
        }
        dimension.retain(|_, power| *power != 0);
        Ok(Canonical { factor, dimension, scale: None })
    }
}

/// No base unit has a power beyond this (512 factors of it stay within `i32`).
const MOST_POWER: i32 = 1 << 20;

/// Base units as a code: in the order of their codes, `1` where there is none.
pub(super) fn code_of(dimension: &Dimension) -> String {
    if dimension.is_empty() {
        return "1".to_owned();
    }
    let power = |power: &i32| if *power == 1 { String::new() } else { power.to_string() };
    dimension.iter().map(|(code, p)| [code, &*power(p)].concat()).collect::<Vec<_>>().join(".")
}

/// Worked out once for each atom that is met.
static MEANINGS: [OnceLock<Canonical>; ATOMS.len()] = [const { OnceLock::new() }; ATOMS.len()];

fn of_atom(of: &'static Atom) -> Result<Canonical> {
    let index = ATOMS.partition_point(|atom| atom.code < of.code);
    if let Some(known) = MEANINGS[index].get() {
        return Ok(known.clone());
    }
    let made = match &of.meaning {
        Meaning::Itself => Canonical { dimension: Dimension::from([(of.code, 1)]), ..Canonical::one() },
        Meaning::Of(value, unit) => {
            let of_unit = Canonical::of(&parse(unit)?)?;
            Canonical { factor: of_unit.factor.times(&Ratio::parse(value)?)?, ..of_unit }
        }
        Meaning::Scale(function, value, unit) => {
            let of_unit = Canonical::of(&parse(unit)?)?;
            let size = of_unit.factor.times(&Ratio::parse(value)?)?;
            Canonical { factor: Ratio::one(), scale: Some(Scale { function: *function, size }), ..of_unit }
        }
    };
    Ok(MEANINGS[index].get_or_init(|| made).clone())
}

/// Whether the mole stands in the term.
pub(super) fn has_mole(term: &Term) -> bool {
    term.0.iter().any(|part| match &part.component {
        Component::Symbol { atom: here, .. } => atom("mol").is_some_and(|mole| std::ptr::eq(mole, *here)),
        Component::Term(inner) => has_mole(inner),
        Component::Number(_) | Component::Annotation => false,
    })
}
