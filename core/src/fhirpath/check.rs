//! What can be known about an expression before there is a record: types that cannot be, elements that are not there.
//!
//! Only what is sure is refused. Where a type is not known, everything may be.

use super::functions::Function;
use super::item::Name;
use super::parser::{Expr, Kind, Operator};
use super::types::{SystemType, TypeName, Wanted, is_a, special};
use crate::error::{Code, Error, Result};
use crate::schema::{Primitive, TypeId, TypeKind};

/// Checks an expression for elements of a type, or for anything.
pub(super) fn check(expr: &Expr, of: Option<TypeId>) -> Result<()> {
    let root = of.map_or(Known::nothing(), |of| Known::one(TypeName::Fhir(of)));
    let checker = Checker { root: root.clone(), strict: of.is_some() };
    checker.infer(expr, &root).map(|_| ())
}

/// What is known of a collection.
#[derive(Clone)]
struct Known {
    /// The types its items may have; None where that is not known.
    types: Option<Vec<TypeName>>,
    /// How many items there are at least.
    least: usize,
    /// Whether its order means nothing.
    unordered: bool,
}

impl Known {
    fn nothing() -> Self {
        Known { types: None, least: 0, unordered: false }
    }
    fn one(name: TypeName) -> Self {
        Known { types: Some(vec![name]), least: 0, unordered: false }
    }
    fn system(kind: SystemType) -> Self {
        Known::one(TypeName::System(kind))
    }
    fn item(&self) -> Self {
        Known { least: 0, unordered: false, ..self.clone() }
    }
    fn some(&self) -> Self {
        Known { least: 0, ..self.clone() }
    }
    /// The one type of FHIRPath's own that its items have.
    fn only_system(&self) -> Option<SystemType> {
        match self.types.as_deref() {
            Some([TypeName::System(kind)]) => Some(*kind),
            _ => None,
        }
    }
    fn none_is(&self, may_be: impl Fn(TypeName) -> bool) -> bool {
        self.types.as_ref().is_some_and(|types| !types.is_empty() && !types.iter().any(|name| may_be(*name)))
    }
}

struct Checker {
    root: Known,
    /// Whether elements and order are checked too.
    strict: bool,
}

fn refuse(code: Code, expr: &Expr) -> Error {
    code.error().at_line(1, expr.column)
}

impl Checker {
    fn infer(&self, expr: &Expr, this: &Known) -> Result<Known> {
        Ok(match &expr.kind {
            Kind::Empty => Known { types: Some(Vec::new()), least: 0, unordered: false },
            Kind::Literal(item) => Known { least: 1, ..Known::one(item.type_of()) },
            Kind::This => this.clone(),
            Kind::Index => Known::system(SystemType::Integer),
            Kind::Total => Known::nothing(),
            Kind::Variable(name) => match &**name {
                "context" => self.root.clone(),
                "ucum" | "sct" | "loinc" => Known::system(SystemType::String),
                _ => Known::nothing(),
            },
            Kind::Start(name, type_id) => {
                if let (Some(wanted), Some(types)) = (type_id, &this.types) {
                    if types.iter().any(|known| matches!(known, TypeName::Fhir(id) if is_a(*id, *wanted))) {
                        return Ok(this.clone());
                    }
                }
                self.member(this, name, expr)?
            }
            Kind::Member(input, name) => {
                let input = self.infer(input, this)?;
                self.member(&input, name, expr)?
            }
            Kind::Is(input, _) => {
                self.infer(input, this)?;
                Known::system(SystemType::Boolean)
            }
            Kind::As(input, wanted) | Kind::OfType(input, wanted) => {
                let input = self.infer(input, this)?;
                self.narrowed(&input, wanted)
            }
            Kind::At(input, index) => {
                let input = self.infer(input, this)?;
                self.infer(index, this)?;
                self.ordered(&input, expr)?;
                input.item()
            }
            Kind::Negative(input) | Kind::Positive(input) => {
                let input = self.infer(input, this)?;
                let number = |name| {
                    !matches!(
                        name,
                        TypeName::System(
                            SystemType::Boolean
                                | SystemType::String
                                | SystemType::Date
                                | SystemType::DateTime
                                | SystemType::Time
                        )
                    )
                };
                // A minus in front of a key of `sort` turns the order round, so only values that are surely wrong count.
                if input.least > 0 && input.none_is(number) {
                    return Err(refuse(Code::FhirpathTypes, expr));
                }
                input.item()
            }
            Kind::Binary(operator, left, right) => {
                let (left, right) = (self.infer(left, this)?, self.infer(right, this)?);
                self.binary(*operator, &left, &right, expr)?
            }
            Kind::Call(input, function, parameters, _) => {
                let input = self.infer(input, this)?;
                self.call(*function, &input, parameters, this, expr)?
            }
        })
    }

    fn member(&self, input: &Known, name: &Name, expr: &Expr) -> Result<Known> {
        let Some(types) = &input.types else { return Ok(Known { unordered: input.unordered, ..Known::nothing() }) };
        let mut found = Vec::new();
        let mut there = types.is_empty();
        for known in types {
            let TypeName::Fhir(id) = known else { return Ok(Known::nothing()) };
            let row = id.row();
            let open = matches!(row.kind, TypeKind::AnyResource) || matches!(id.name(), "Resource" | "DomainResource");
            let value = matches!(row.kind, TypeKind::Primitive(_)) && &*name.text == "value";
            if open || value {
                return Ok(Known::nothing());
            }
            for element in id.elements().filter(|element| element.name() == &*name.text) {
                there = true;
                found.extend(
                    element.types().map(TypeName::Fhir).filter(|name| !found.contains(name)).collect::<Vec<_>>(),
                );
            }
        }
        if !there && self.strict {
            return Err(refuse(Code::FhirpathElement, expr));
        }
        let types = there.then_some(found);
        Ok(Known { types, least: 0, unordered: input.unordered })
    }
    fn narrowed(&self, input: &Known, wanted: &Wanted) -> Known {
        let mut types: Vec<TypeName> = wanted.fhir.map(TypeName::Fhir).into_iter().collect();
        types.extend(wanted.system.map(TypeName::System));
        let types = (!wanted.any && !types.is_empty()).then_some(types);
        Known { types, least: 0, unordered: input.unordered }
    }
    fn ordered(&self, input: &Known, expr: &Expr) -> Result<()> {
        if self.strict && input.unordered { Err(refuse(Code::FhirpathOrder, expr)) } else { Ok(()) }
    }

    fn binary(&self, operator: Operator, left: &Known, right: &Known, expr: &Expr) -> Result<Known> {
        use Operator::*;
        use SystemType::*;
        let types = (left.only_system(), right.only_system());
        let number = |kind| matches!(kind, Integer | Decimal);
        let date = |kind| matches!(kind, Date | DateTime | Time);
        let fits = match (operator, types) {
            (_, (None, _) | (_, None)) => true,
            (Plus, (Some(String), Some(String))) => true,
            (Plus | Minus, (Some(a), Some(Quantity))) if date(a) => true,
            (Plus | Minus | Times | Divide | Div | Mod, (Some(a), Some(b))) => {
                (number(a) || a == Quantity) && (number(b) || b == Quantity)
            }
            (Less | LessOrEqual | Greater | GreaterOrEqual, (Some(a), Some(b))) => {
                a == b && a != Boolean
                    || (number(a) || a == Quantity) && (number(b) || b == Quantity)
                    || matches!((a, b), (Date, DateTime) | (DateTime, Date))
            }
            _ => true,
        };
        if !fits {
            return Err(refuse(Code::FhirpathTypes, expr));
        }
        Ok(match operator {
            Union => {
                let types = match (&left.types, &right.types) {
                    (Some(a), Some(b)) => {
                        let mut all = a.clone();
                        all.extend(b.iter().filter(|name| !a.contains(name)));
                        Some(all)
                    }
                    _ => None,
                };
                Known { types, least: left.least + right.least, unordered: false }
            }
            Concatenate => Known::system(String),
            Plus | Minus if types.0.is_some_and(date) => left.item(),
            Plus | Minus | Times | Divide | Div | Mod => Known::nothing(),
            _ => Known::system(Boolean),
        })
    }

    fn call(&self, function: Function, input: &Known, parameters: &[Expr], this: &Known, expr: &Expr) -> Result<Known> {
        use Function::*;
        let item = input.item();
        let over_items = matches!(function, Where | Select | All | Exists | Repeat | Aggregate | Sort | Iif | Trace);
        let scope = if over_items { &item } else { this };
        let mut given = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            given.push(self.infer(parameter, scope)?);
        }
        let text = |name: TypeName| match name {
            TypeName::System(kind) => kind == SystemType::String,
            TypeName::Fhir(id) => match id.row().kind {
                TypeKind::Primitive(primitive) => !matches!(
                    primitive,
                    Primitive::Boolean
                        | Primitive::Integer
                        | Primitive::PositiveInt
                        | Primitive::UnsignedInt
                        | Primitive::Decimal
                ),
                _ => false,
            },
            TypeName::ClassInfo => false,
            TypeName::Unknown => true,
        };
        Ok(match function {
            Iif => {
                if let (Some(condition), Some(known)) = (parameters.first(), given.first()) {
                    let other = known.only_system().is_some_and(|kind| kind != SystemType::Boolean);
                    if other || known.least > 1 {
                        return Err(refuse(Code::FhirpathTypes, condition));
                    }
                }
                Known::nothing()
            }
            IndexOf | LastIndexOf | Substring | StartsWith | EndsWith | Contains | Upper | Lower | Replace
            | Matches | MatchesFull | ReplaceMatches | Length | ToChars | Encode | Decode | Escape | Unescape
            | Trim | Split
                if input.none_is(text) =>
            {
                return Err(refuse(Code::FhirpathTypes, expr));
            }
            IndexOf | LastIndexOf | Length | Count | ToInteger | Precision => Known::system(SystemType::Integer),
            Substring | Upper | Lower | Replace | ReplaceMatches | ToChars | Encode | Decode | Escape | Unescape
            | Trim | Split | Join | ToString => Known::system(SystemType::String),
            ToDecimal => Known::system(SystemType::Decimal),
            ToQuantity => Known::system(SystemType::Quantity),
            ToDate | Today => Known::system(SystemType::Date),
            ToDateTime | Now => Known::system(SystemType::DateTime),
            ToTime | TimeOfDay => Known::system(SystemType::Time),
            Empty | Exists | All | AllTrue | AnyTrue | AllFalse | AnyFalse | SubsetOf | SupersetOf | IsDistinct
            | Not | StartsWith | EndsWith | Contains | Matches | MatchesFull | Comparable | HasValue | ConformsTo
            | MemberOf | Subsumes | SubsumedBy | HtmlChecks | ToBoolean | ConvertsToBoolean | ConvertsToInteger
            | ConvertsToDecimal | ConvertsToDate | ConvertsToDateTime | ConvertsToTime | ConvertsToQuantity
            | ConvertsToString => Known::system(SystemType::Boolean),
            First | Last | Tail | Skip | Take => {
                self.ordered(input, expr)?;
                input.item()
            }
            Where | Distinct | Single | Intersect | Exclude | Trace | CheckModifiers | Slice => input.some(),
            Sort => Known { unordered: false, ..input.some() },
            Select => {
                Known { unordered: input.unordered, ..given.pop().map_or(Known::nothing(), |known| known.some()) }
            }
            Union | Combine => match given.pop() {
                Some(other) => self.binary(Operator::Union, input, &other, expr)?,
                None => Known::nothing(),
            },
            Children | Descendants => Known { unordered: true, ..Known::nothing() },
            Extension => Known::one(TypeName::Fhir(special().extension)),
            Type => Known::one(TypeName::ClassInfo),
            Abs | Round | LowBoundary | HighBoundary => input.item(),
            Repeat | Aggregate | GetValue | Resolve | ElementDefinition | Ceiling | Exp | Floor | Ln | Log | Power
            | Sqrt | Truncate => Known::nothing(),
        })
    }
}
