//! Evaluation: one function over the operations of an expression. It holds no state but the count of steps left.

mod collections;
mod convert;
mod fhir;
mod numbers;
mod operators;
mod strings;

use super::functions::Function;
use super::item::{Collection, Element, Item, Name};
use super::parser::{Expr, Kind, Operator};
use super::scope::Scope;
use super::types::{TypeName, Wanted, is_a};
use super::{equality, moment::Moment};
use crate::error::{Code, Error, Result};
use std::borrow::Cow;
use std::cell::Cell;

pub(super) fn evaluate<'a>(root: &'a Expr, scope: &Scope<'a>) -> Result<Collection<'a>> {
    let run = Run { scope, steps: Cell::new(scope.steps) };
    run.eval(root, Frame::new(&scope.this))
}

pub(super) fn holds<'a>(root: &'a Expr, scope: &Scope<'a>) -> Result<Option<bool>> {
    let run = Run { scope, steps: Cell::new(scope.steps) };
    run.truth(root, Frame::new(&scope.this))
}

struct Run<'a, 's> {
    scope: &'s Scope<'a>,
    steps: Cell<u64>,
}

/// `$this`, `$index` and `$total`.
#[derive(Clone, Copy)]
struct Frame<'f, 'a> {
    this: &'f Collection<'a>,
    index: Option<usize>,
    total: Option<&'f Collection<'a>>,
}

impl<'f, 'a> Frame<'f, 'a> {
    fn new(this: &'f Collection<'a>) -> Self {
        Frame { this, index: None, total: None }
    }
    fn at(self, this: &'f Collection<'a>, index: usize) -> Self {
        Frame { this, index: Some(index), ..self }
    }
}

/// Texts that are made are no longer than this.
const MOST_TEXT: usize = 1 << 20;

impl<'a> Run<'a, '_> {
    #[inline]
    fn spend(&self, steps: u64) -> Result<()> {
        match self.steps.get().checked_sub(steps) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(Code::FhirpathLimit.error()),
        }
    }
    /// A text that was made: its length counts as steps.
    fn text(&self, text: String) -> Result<Item<'a>> {
        if text.len() > MOST_TEXT {
            return Err(Code::FhirpathLimit.error().expected("texts of at most one MiB"));
        }
        self.spend(text.len() as u64 / 16)?;
        Ok(Item::String(Cow::Owned(text)))
    }

    fn eval(&self, expr: &'a Expr, frame: Frame<'_, 'a>) -> Result<Collection<'a>> {
        self.spend(1)?;
        match &expr.kind {
            Kind::Start(name, type_id) => self.start(name, *type_id, frame),
            Kind::Member(input, name) => {
                let input = self.eval(input, frame)?;
                self.member(&input, name)
            }
            Kind::Call(input, function, parameters, _) => self.call(expr, input, *function, parameters, frame),
            Kind::Literal(item) => Ok(Collection::One(borrowed(item))),
            Kind::This => Ok(frame.this.clone()),
            Kind::Empty => Ok(Collection::None),
            Kind::Index => Ok(frame.index.map(|index| Item::Integer(index as i64)).into()),
            Kind::Total => Ok(frame.total.cloned().unwrap_or_default()),
            Kind::Variable(name) => self.variable(name, expr),
            Kind::Is(input, wanted) => {
                let input = self.eval(input, frame)?;
                let item = single(input, expr)?;
                Ok(Collection::maybe(item.map(|item| wanted.includes(item.type_of()))))
            }
            Kind::As(input, wanted) => {
                let input = self.eval(input, frame)?;
                Ok(single(input, expr)?.filter(|item| wanted.keeps(item.type_of())).into())
            }
            Kind::OfType(input, wanted) => {
                let input = self.eval(input, frame)?;
                Ok(of_type(input, wanted))
            }
            Kind::At(input, index) => {
                let input = self.eval(input, frame)?;
                let at = self.integer(index, frame)?;
                let at = at.and_then(|at| usize::try_from(at).ok());
                Ok(at.and_then(|at| input.into_iter().nth(at)).into())
            }
            Kind::Negative(input) => {
                let input = self.eval(input, frame)?;
                operators::negative(input, expr)
            }
            Kind::Positive(input) => {
                let input = self.eval(input, frame)?;
                operators::positive(input, expr)
            }
            Kind::Binary(operator, left, right) => self.binary(*operator, expr, left, right, frame),
        }
    }

    /// An expression as a truth value: a single item that is none counts as true.
    fn truth(&self, expr: &'a Expr, frame: Frame<'_, 'a>) -> Result<Option<bool>> {
        match &expr.kind {
            Kind::Binary(operator, left, right) => {
                if let Some(made) = self.logic(*operator, left, right, frame) {
                    self.spend(1)?;
                    return made;
                }
                if *operator == Operator::Equal {
                    self.spend(1)?;
                    let left = self.eval(left, frame)?;
                    if let Kind::Literal(literal) = &right.kind {
                        return match left.items() {
                            [] => Ok(None),
                            [item] => Ok(equality::equal(item, literal)),
                            _ => Ok(Some(false)),
                        };
                    }
                    let right = self.eval(right, frame)?;
                    return self.equal(&left, &right);
                }
            }
            Kind::Call(input, function, parameters, _) => {
                if let Some(made) = self.check(expr, input, *function, parameters, frame) {
                    self.spend(1)?;
                    return made;
                }
            }
            _ => {}
        }
        let found = self.eval(expr, frame)?;
        truth_of(&found, expr)
    }

    /// Functions that give a truth value, so that a condition needs no collection for it.
    fn check(
        &self,
        expr: &'a Expr,
        input: &'a Expr,
        function: Function,
        parameters: &'a [Expr],
        frame: Frame<'_, 'a>,
    ) -> Option<Result<Option<bool>>> {
        let input = || self.eval(input, frame);
        Some(match (function, parameters) {
            (Function::Exists, []) => input().map(|found| Some(!found.is_empty())),
            (Function::Empty, []) => input().map(|found| Some(found.is_empty())),
            (Function::Exists, [condition]) => input().and_then(|found| self.any(found, condition, frame)),
            (Function::Not, []) => input().and_then(|found| Ok(truth_of(&found, expr)?.map(|truth| !truth))),
            (Function::HasValue, []) => input().map(|found| Some(fhir::has_value(&found))),
            _ => return None,
        })
    }
    fn any(&self, found: Collection<'a>, condition: &'a Expr, frame: Frame<'_, 'a>) -> Result<Option<bool>> {
        for (index, item) in found.into_iter().enumerate() {
            let one = Collection::One(item);
            if self.truth(condition, frame.at(&one, index))? == Some(true) {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }

    fn start(
        &self,
        name: &'a Name,
        type_id: Option<crate::schema::TypeId>,
        frame: Frame<'_, 'a>,
    ) -> Result<Collection<'a>> {
        if let (Some(wanted), Collection::One(Item::Element(element))) = (type_id, frame.this) {
            if element.type_id().is_some_and(|id| is_a(id, wanted)) {
                return Ok(Collection::One(Item::Element(*element)));
            }
        }
        self.member(frame.this, name)
    }

    /// The children of that name of every item.
    #[inline]
    fn member(&self, input: &Collection<'a>, name: &'a Name) -> Result<Collection<'a>> {
        let mut found = Collection::None;
        for item in input.items() {
            match item {
                Item::Element(element) => {
                    element.children_named(name, &mut |child| {
                        self.spend(1)?;
                        found.push(Item::Element(child));
                        Ok::<(), Error>(())
                    })?;
                    if name.choice && &*name.text == "value" && element.primitive().is_some() {
                        element.value().into_iter().for_each(|value| found.push(value));
                    }
                }
                Item::Type(type_name) => match &*name.text {
                    "name" => found.push(Item::string(type_name.name())),
                    "namespace" => found.push(Item::string(type_name.namespace())),
                    _ => {}
                },
                Item::Quantity(quantity) if &*name.text == "value" => {
                    found.push(Item::Decimal(quantity.value.clone()));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn variable(&self, name: &str, expr: &Expr) -> Result<Collection<'a>> {
        if let Some((_, value)) = self.scope.variables.iter().find(|(known, _)| known == name) {
            return Ok(value.clone());
        }
        let text = match name {
            "context" => return Ok(self.scope.this.clone()),
            "resource" => return Ok(self.scope.the_resource()),
            "rootResource" => return Ok(self.scope.the_root()),
            "ucum" => super::UCUM.to_owned(),
            "sct" => "http://snomed.info/sct".to_owned(),
            "loinc" => "http://loinc.org".to_owned(),
            "us-zip" => "[0-9]{5}(-[0-9]{4}){0,1}".to_owned(),
            _ => match (name.strip_prefix("vs-"), name.strip_prefix("ext-")) {
                (Some(name), _) => format!("http://hl7.org/fhir/ValueSet/{name}"),
                (_, Some(name)) => format!("http://hl7.org/fhir/StructureDefinition/{name}"),
                _ => return Err(at(Code::FhirpathVariable, expr)),
            },
        };
        Ok(Collection::One(Item::string(text)))
    }

    // --- parameters ---

    fn integer(&self, parameter: &'a Expr, frame: Frame<'_, 'a>) -> Result<Option<i64>> {
        match single(self.eval(parameter, frame)?, parameter)? {
            None => Ok(None),
            Some(item) => item.as_integer().map(Some).ok_or_else(|| operand(parameter, "a whole number")),
        }
    }
    fn string(&self, parameter: &'a Expr, frame: Frame<'_, 'a>) -> Result<Option<Cow<'a, str>>> {
        match single(self.eval(parameter, frame)?, parameter)? {
            None => Ok(None),
            Some(item) => item.as_string().map(Some).ok_or_else(|| operand(parameter, "a text")),
        }
    }

    fn call(
        &self,
        expr: &'a Expr,
        input: &'a Expr,
        function: Function,
        parameters: &'a [Expr],
        frame: Frame<'_, 'a>,
    ) -> Result<Collection<'a>> {
        use Function::*;
        if let Some(made) = self.check(expr, input, function, parameters, frame) {
            return made.map(Collection::maybe);
        }
        if let Now | Today | TimeOfDay = function {
            return self.clock(function, expr);
        }
        let found = self.eval(input, frame)?;
        let call = Call { expr, parameters, frame };
        match function {
            Empty | Exists | Not | HasValue | All | AllTrue | AnyTrue | AllFalse | AnyFalse | SubsetOf | SupersetOf
            | Count | Distinct | IsDistinct | Where | Select | Repeat | Aggregate | Sort | Single | First | Last
            | Tail | Skip | Take | Intersect | Exclude | Union | Combine | Iif => {
                self.collection(function, found, call)
            }
            ToBoolean | ToInteger | ToDecimal | ToDate | ToDateTime | ToTime | ToQuantity | ToString
            | ConvertsToBoolean | ConvertsToInteger | ConvertsToDecimal | ConvertsToDate | ConvertsToDateTime
            | ConvertsToTime | ConvertsToQuantity | ConvertsToString => self.convert(function, found, call),
            IndexOf | LastIndexOf | Substring | StartsWith | EndsWith | Contains | Upper | Lower | Replace
            | Matches | MatchesFull | ReplaceMatches | Length | ToChars | Encode | Decode | Escape | Unescape
            | Trim | Split | Join => self.strings(function, found, call),
            Abs | Ceiling | Exp | Floor | Ln | Log | Power | Round | Sqrt | Truncate | LowBoundary | HighBoundary
            | Precision | Comparable => self.number(function, found, call),
            Children | Descendants | Type | Trace | Extension | GetValue | Resolve | ElementDefinition | Slice
            | CheckModifiers | ConformsTo | MemberOf | Subsumes | SubsumedBy | HtmlChecks => {
                self.fhir(function, found, call)
            }
            Now | Today | TimeOfDay => self.clock(function, expr),
        }
    }
    fn clock(&self, function: Function, expr: &Expr) -> Result<Collection<'a>> {
        let now = self.scope.now.ok_or_else(|| at(Code::FhirpathVariable, expr))?;
        let now = Moment::at(now).ok_or_else(|| at(Code::FhirpathVariable, expr))?;
        let kind = match function {
            Function::Today => super::MomentKind::Date,
            Function::TimeOfDay => super::MomentKind::Time,
            _ => super::MomentKind::DateTime,
        };
        Ok(now.to_kind(kind).map(Item::Moment).into())
    }
}

/// A call of a function: where it stands, its parameters, and what `$this` is for them.
#[derive(Clone, Copy)]
struct Call<'f, 'a> {
    expr: &'a Expr,
    parameters: &'a [Expr],
    frame: Frame<'f, 'a>,
}

fn borrowed<'a>(literal: &'a Item<'static>) -> Item<'a> {
    match literal {
        Item::String(text) => Item::String(Cow::Borrowed(text)),
        other => other.clone(),
    }
}

fn at(code: Code, expr: &Expr) -> Error {
    code.error().at_line(1, expr.column)
}

fn operand(expr: &Expr, expected: &'static str) -> Error {
    at(Code::FhirpathOperand, expr).expected(expected)
}

/// The one item; None where there is none.
fn single<'a>(found: Collection<'a>, expr: &Expr) -> Result<Option<Item<'a>>> {
    match found {
        Collection::None => Ok(None),
        Collection::One(item) => Ok(Some(item)),
        Collection::Many(items) => match items.len() {
            0 | 1 => Ok(items.into_iter().next()),
            more => {
                let found = crate::error::Found::Count(more as u64);
                Err(at(Code::FhirpathSingleton, expr).found(found))
            }
        },
    }
}

/// The truth value of a collection (singleton evaluation).
fn truth_of(found: &Collection<'_>, expr: &Expr) -> Result<Option<bool>> {
    match found.items() {
        [] => Ok(None),
        [Item::Boolean(truth)] => Ok(Some(*truth)),
        [item @ Item::Element(element)] => Ok(match element.primitive() {
            Some(crate::schema::Primitive::Boolean) => item.as_boolean(),
            _ => Some(true),
        }),
        [_] => Ok(Some(true)),
        more => Err(at(Code::FhirpathSingleton, expr).found(crate::error::Found::Count(more.len() as u64))),
    }
}

fn of_type<'a>(input: Collection<'a>, wanted: &Wanted) -> Collection<'a> {
    let keeps = |item: &Item<'a>| item.type_of() != TypeName::Unknown && wanted.keeps(item.type_of());
    match input {
        Collection::One(item) if keeps(&item) => Collection::One(item),
        Collection::One(_) | Collection::None => Collection::None,
        Collection::Many(items) => items.into_iter().filter(keeps).collect(),
    }
}

/// Calls `found` with every child of an item.
fn each_child<'a>(item: &Item<'a>, found: &mut impl FnMut(Element<'a>) -> Result<()>) -> Result<()> {
    match item {
        Item::Element(element) => element.children(found),
        _ => Ok(()),
    }
}
