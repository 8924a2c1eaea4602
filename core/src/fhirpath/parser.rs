//! From words to a tree of operations: names, arity, literals, types and patterns are settled here, once.

use super::functions::Function;
use super::item::{Item, Name};
use super::lexer::{Token, Word, words};
use super::quantity::{Calendar, Quantity, Unit};
use super::regex::Pattern;
use super::types::{Wanted, special};
use crate::decimal::Decimal;
use crate::error::{Code, Error, Result};
use crate::schema::{TypeId, TypeKind};
use std::borrow::Cow;

/// One operation and those under it.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    /// Where it stands, from 1, in bytes.
    pub(super) column: u32,
    depth: u16,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// `{}`.
    Empty,
    Literal(Item<'static>),
    This,
    Index,
    Total,
    Variable(Box<str>),
    Member(Box<Expr>, Name),
    /// A name at the start: the type of what is at hand, or else an element of it.
    Start(Name, Option<TypeId>),
    /// A function over an input, with its parameters and its pattern where that is a literal.
    Call(Box<Expr>, Function, Box<[Expr]>, Option<Box<Pattern>>),
    Is(Box<Expr>, Wanted),
    As(Box<Expr>, Wanted),
    OfType(Box<Expr>, Wanted),
    At(Box<Expr>, Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Plus,
    Minus,
    Concatenate,
    Times,
    Divide,
    Div,
    Mod,
}

/// Operations under operations at most.
const MOST_DEPTH: u16 = 128;
/// Brackets in brackets at most.
const MOST_NESTING: u16 = 64;

pub(super) fn parse(text: &str) -> Result<Expr> {
    let mut parser = Parser { words: words(text)?, at: 0, nesting: 0 };
    let made = parser.expression(0)?;
    if *parser.word() != Word::End {
        return Err(parser.error(Code::FhirpathSyntax, "an operator or the end"));
    }
    Ok(made)
}

struct Parser {
    words: Vec<Token>,
    at: usize,
    nesting: u16,
}

/// Binding strength of `is` and `as`.
const TYPE: u8 = 8;
const UNARY: u8 = 11;

impl Parser {
    fn word(&self) -> &Word {
        // INVARIANT: the last word is `End`, and `advance` does not go past it.
        &self.words[self.at].word
    }
    fn column(&self) -> u32 {
        self.words[self.at].column
    }
    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.words.len() - 1);
    }
    fn error(&self, code: Code, expected: &'static str) -> Error {
        code.error().expected(expected).at_line(1, self.column())
    }
    fn is(&self, symbol: &str) -> bool {
        matches!(self.word(), Word::Symbol(found) if *found == symbol)
    }
    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.advance();
        }
        found
    }
    fn need(&mut self, symbol: &'static str) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.error(Code::FhirpathSyntax, symbol)) }
    }
    fn node(&self, kind: Kind, column: u32) -> Result<Expr> {
        let deepest = match &kind {
            Kind::Member(input, _)
            | Kind::Is(input, _)
            | Kind::As(input, _)
            | Kind::OfType(input, _)
            | Kind::Negative(input)
            | Kind::Positive(input) => input.depth,
            Kind::At(a, b) | Kind::Binary(_, a, b) => a.depth.max(b.depth),
            Kind::Call(input, _, parameters, _) => {
                parameters.iter().map(|parameter| parameter.depth).fold(input.depth, u16::max)
            }
            _ => 0,
        };
        if deepest >= MOST_DEPTH {
            let error = Code::FhirpathTooDeep.error().expected("at most 128 operations inside one another");
            return Err(error.at_line(1, column));
        }
        Ok(Expr { kind, column, depth: deepest + 1 })
    }

    /// An expression of operators that bind more strongly than `above`.
    fn expression(&mut self, above: u8) -> Result<Expr> {
        self.nesting += 1;
        if self.nesting > MOST_NESTING {
            return Err(self.error(Code::FhirpathTooDeep, "at most 64 brackets inside one another"));
        }
        let mut left = self.unary()?;
        loop {
            let column = self.column();
            if TYPE > above && matches!(self.word(), Word::Name(word, false) if word == "is" || word == "as") {
                let is = matches!(self.word(), Word::Name(word, _) if word == "is");
                self.advance();
                let wanted = self.type_name()?;
                let input = Box::new(left);
                left = self.node(if is { Kind::Is(input, wanted) } else { Kind::As(input, wanted) }, column)?;
                continue;
            }
            let Some((operator, strength)) = self.operator() else { break };
            if strength <= above {
                break;
            }
            self.advance();
            let right = self.expression(strength)?;
            left = self.node(Kind::Binary(operator, Box::new(left), Box::new(right)), column)?;
        }
        self.nesting -= 1;
        Ok(left)
    }
    fn operator(&self) -> Option<(Operator, u8)> {
        use Operator::*;
        let text = match self.word() {
            Word::Name(word, false) => word.as_str(),
            Word::Symbol(symbol) => symbol,
            _ => return None,
        };
        Some(match text {
            "implies" => (Implies, 1),
            "or" => (Or, 2),
            "xor" => (Xor, 2),
            "and" => (And, 3),
            "in" => (In, 4),
            "contains" => (Contains, 4),
            "=" => (Equal, 5),
            "!=" => (NotEqual, 5),
            "~" => (Equivalent, 5),
            "!~" => (NotEquivalent, 5),
            "<" => (Less, 6),
            "<=" => (LessOrEqual, 6),
            ">" => (Greater, 6),
            ">=" => (GreaterOrEqual, 6),
            "|" => (Union, 7),
            "+" => (Plus, 9),
            "-" => (Minus, 9),
            "&" => (Concatenate, 9),
            "*" => (Times, 10),
            "/" => (Divide, 10),
            "div" => (Div, 10),
            "mod" => (Mod, 10),
            _ => return None,
        })
    }
    fn unary(&mut self) -> Result<Expr> {
        let column = self.column();
        let negative = self.is("-");
        if negative || self.is("+") {
            self.advance();
            let input = Box::new(self.expression(UNARY)?);
            return self.node(if negative { Kind::Negative(input) } else { Kind::Positive(input) }, column);
        }
        let mut made = self.term()?;
        loop {
            let column = self.column();
            if self.take(".") {
                made = self.invocation(made)?;
            } else if self.take("[") {
                let index = self.expression(0)?;
                self.need("]")?;
                made = self.node(Kind::At(Box::new(made), Box::new(index)), column)?;
            } else {
                return Ok(made);
            }
        }
    }
    fn term(&mut self) -> Result<Expr> {
        let column = self.column();
        let kind = match self.word().clone() {
            Word::String(text) => Kind::Literal(Item::String(Cow::Owned(text))),
            Word::Moment(moment) => Kind::Literal(Item::Moment(moment)),
            Word::Number(digits) => {
                self.advance();
                let kind = Kind::Literal(self.number(&digits, column)?);
                return self.node(kind, column);
            }
            Word::Variable(name) => Kind::Variable(name.into()),
            Word::Special(name) => match name.as_str() {
                "this" => Kind::This,
                "index" => Kind::Index,
                "total" => Kind::Total,
                _ => return Err(self.error(Code::FhirpathSyntax, "$this, $index or $total")),
            },
            Word::Symbol("(") => {
                self.advance();
                let made = self.expression(0)?;
                self.need(")")?;
                return Ok(made);
            }
            Word::Symbol("{") => {
                self.advance();
                self.need("}")?;
                return self.node(Kind::Empty, column);
            }
            Word::Name(word, false) if word == "true" || word == "false" => {
                Kind::Literal(Item::Boolean(word == "true"))
            }
            Word::Name(word, false) if matches!(word.as_str(), "and" | "or" | "xor" | "implies" | "div" | "mod") => {
                return Err(self.error(Code::FhirpathSyntax, "a term"));
            }
            Word::Name(name, _) => {
                self.advance();
                if self.is("(") {
                    let this = self.node(Kind::This, column)?;
                    return self.call(this, &name, column);
                }
                // Only types that a path may start with: `code` is an element, though it is a type too.
                let type_id = special().names.get(name.as_str()).copied();
                let type_id = type_id.filter(|id| !matches!(id.row().kind, TypeKind::Primitive(_)));
                return self.node(Kind::Start(Name::new(&name), type_id), column);
            }
            _ => return Err(self.error(Code::FhirpathSyntax, "a term")),
        };
        self.advance();
        self.node(kind, column)
    }
    fn number(&mut self, digits: &str, column: u32) -> Result<Item<'static>> {
        let bad = |expected| Code::FhirpathLiteral.error().expected(expected).at_line(1, column);
        let decimal = || Decimal::from_json(digits.as_bytes()).ok_or_else(|| bad("a number"));
        let unit = match self.word() {
            Word::String(code) => Some(Unit::Ucum(Cow::Owned(code.clone()))),
            Word::Name(word, false) => Calendar::named(word).map(Unit::Calendar),
            _ => None,
        };
        if let Some(unit) = unit {
            self.advance();
            return Ok(Item::quantity(Quantity::new(decimal()?, unit)));
        }
        if digits.contains('.') {
            return decimal().map(Item::Decimal);
        }
        let whole = digits.parse().ok().filter(|whole: &i64| *whole <= i64::from(i32::MAX) + 1);
        whole.map(Item::Integer).ok_or_else(|| bad("a whole number of at most 31 bits"))
    }
    /// What follows a point.
    fn invocation(&mut self, input: Expr) -> Result<Expr> {
        let column = self.column();
        let kind = match self.word().clone() {
            Word::Name(name, _) => {
                self.advance();
                if self.is("(") {
                    return self.call(input, &name, column);
                }
                return self.node(Kind::Member(Box::new(input), Name::new(&name)), column);
            }
            Word::Special(name) if name == "this" => input.kind,
            _ => return Err(self.error(Code::FhirpathSyntax, "the name of an element or a function")),
        };
        self.advance();
        self.node(kind, column)
    }
    fn call(&mut self, input: Expr, name: &str, column: u32) -> Result<Expr> {
        self.need("(")?;
        if matches!(name, "is" | "as" | "ofType") {
            let wanted = self.type_name()?;
            self.need(")")?;
            let input = Box::new(input);
            let kind = match name {
                "is" => Kind::Is(input, wanted),
                "as" => Kind::As(input, wanted),
                _ => Kind::OfType(input, wanted),
            };
            return self.node(kind, column);
        }
        let Some((function, least, most)) = Function::named(name) else {
            return Err(Code::FhirpathFunction.error().at_line(1, column));
        };
        let mut parameters = Vec::new();
        if !self.take(")") {
            loop {
                parameters.push(self.expression(0)?);
                if parameters.len() > most {
                    break;
                }
                if !self.take(",") {
                    self.need(")")?;
                    break;
                }
            }
        }
        if parameters.len() < least || parameters.len() > most {
            let found = crate::error::Found::Count(parameters.len() as u64);
            return Err(Code::FhirpathArity.error().found(found).at_line(1, column));
        }
        let pattern = match (function, parameters.first().map(|first| &first.kind)) {
            (
                Function::Matches | Function::MatchesFull | Function::ReplaceMatches,
                Some(Kind::Literal(Item::String(text))),
            ) => {
                let full = function == Function::MatchesFull;
                Some(Box::new(Pattern::new(text, full).map_err(|error| error.at_line(1, parameters[0].column))?))
            }
            _ => None,
        };
        self.node(Kind::Call(Box::new(input), function, parameters.into(), pattern), column)
    }
    fn type_name(&mut self) -> Result<Wanted> {
        let column = self.column();
        let mut parts = Vec::new();
        loop {
            let Word::Name(name, _) = self.word().clone() else {
                return Err(self.error(Code::FhirpathSyntax, "the name of a type"));
            };
            self.advance();
            parts.push(name);
            if parts.len() == 2 || !self.take(".") {
                break;
            }
        }
        let wanted = match &parts[..] {
            [name] => Wanted::named(None, name),
            [namespace, name] => Wanted::named(Some(namespace), name),
            _ => None,
        };
        wanted.ok_or_else(|| Code::FhirpathTypeName.error().at_line(1, column))
    }
}
