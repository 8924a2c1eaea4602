//! What the generated builders stand on: an object that grows, with the companions of its primitives in step.

use super::generated::builders::ExtensionBuilder;
use super::view::{PrimitiveElement, View};
use crate::decimal::Decimal;
use crate::error::{Code, Result};
use crate::json;
use crate::limits::Limits;
use crate::record::{Record, Value};
use crate::schema::{Primitive, TypeId};
use crate::time::fhir::{Date, DateTime, Instant, Time};
use std::borrow::Cow;

/// Text for a builder: a string, or a date or time.
#[derive(Clone)]
pub struct Text(String);

/// A number for a builder, digits kept.
#[derive(Clone)]
pub struct Number(String);

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Value::String(text.0)
    }
}
impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Value::Number(number.0)
    }
}
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(text.to_owned())
    }
}
impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text)
    }
}
impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Text(text.into_owned())
    }
}
impl From<Date> for Text {
    fn from(date: Date) -> Self {
        Text(date.to_string())
    }
}
impl From<DateTime> for Text {
    fn from(at: DateTime) -> Self {
        Text(at.to_string())
    }
}
impl From<Instant> for Text {
    fn from(at: Instant) -> Self {
        Text(at.to_string())
    }
}
impl From<Time> for Text {
    fn from(time: Time) -> Self {
        Text(time.to_string())
    }
}
impl From<Decimal> for Number {
    fn from(decimal: Decimal) -> Self {
        Number(decimal.as_str().to_owned())
    }
}
impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Number(number.to_string())
    }
}
impl From<i32> for Number {
    fn from(number: i32) -> Self {
        Number(number.to_string())
    }
}

/// Makes a primitive with an id and extensions; the value may be left out.
#[derive(Clone)]
#[must_use]
pub struct PrimitiveElementBuilder {
    value: Option<Value>,
    companion: Object,
}

impl PrimitiveElementBuilder {
    /// One with nothing in it.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        PrimitiveElementBuilder { value: None, companion: Object::new() }
    }
    /// The value.
    pub fn value(mut self, value: impl Into<Value>) -> Self {
        self.value = Some(value.into());
        self
    }
    /// The id of the element.
    pub fn id(self, id: impl Into<Text>) -> Self {
        PrimitiveElementBuilder { companion: self.companion.set("id", id.into()), ..self }
    }
    /// An extension of the element.
    pub fn extension(self, extension: impl Into<ExtensionBuilder>) -> Self {
        PrimitiveElementBuilder { companion: self.companion.add("extension", extension.into().0), ..self }
    }
}

impl From<PrimitiveElement<'_>> for PrimitiveElementBuilder {
    fn from(element: PrimitiveElement<'_>) -> Self {
        let made = PrimitiveElementBuilder { value: element.node().map(Value::from), ..PrimitiveElementBuilder::new() };
        let made = element.id().into_iter().fold(made, PrimitiveElementBuilder::id);
        element.extension().fold(made, PrimitiveElementBuilder::extension)
    }
}

/// A JSON object that grows.
#[derive(Clone)]
pub(crate) struct Object(Value);

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        object.0
    }
}

impl Object {
    pub(super) fn new() -> Self {
        Object(Value::object())
    }
    pub(super) fn resource(kind: &str) -> Self {
        Object::new().set("resourceType", Value::from(kind))
    }
    /// What a view looks at, all of it.
    pub(super) fn copy<'a>(view: impl View<'a>) -> Self {
        Object(Value::from(view.node()))
    }
    pub(super) fn of(record: &Record) -> Self {
        Object(record.to_value())
    }

    /// Sets the one value of an element.
    pub(super) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.set(name, value);
        self
    }
    /// Adds a value to an element that may repeat.
    pub(super) fn add(mut self, name: &str, value: impl Into<Value>) -> Self {
        let companions = self.length(&format!("_{name}"));
        let values = self.length(name).max(companions);
        self.push(name, values, value.into());
        if companions > 0 {
            self.push(&format!("_{name}"), values, Value::Null);
        }
        self
    }
    /// Sets the value of a choice; one of another type goes.
    pub(super) fn choose(mut self, name: &str, key: &str, value: impl Into<Value>) -> Self {
        self.clear_choice(name);
        self.set(key, value)
    }
    /// Sets a primitive and its companion.
    pub(super) fn set_element(mut self, name: &str, element: PrimitiveElementBuilder) -> Self {
        match element.value {
            Some(value) => self.0.set(name, value),
            None => drop(self.0.remove(name)),
        }
        match element.companion.is_empty() {
            true => drop(self.0.remove(&format!("_{name}"))),
            false => self.0.set(&format!("_{name}"), element.companion),
        }
        self
    }
    /// Adds a primitive and its companion, in step.
    pub(super) fn add_element(mut self, name: &str, element: PrimitiveElementBuilder) -> Self {
        let below = format!("_{name}");
        let companions = self.length(&below);
        let length = self.length(name).max(companions);
        if !element.companion.is_empty() {
            self.push(&below, length, element.companion.0);
        } else if companions > 0 {
            self.push(&below, length, Value::Null);
        }
        match element.value {
            Some(value) => self.push(name, length, value),
            None if self.0.get(name).is_some() => self.push(name, length, Value::Null),
            None => {}
        }
        self
    }
    /// Sets the value of a choice to a primitive with its companion.
    pub(super) fn choose_element(mut self, name: &str, kind: Primitive, element: PrimitiveElementBuilder) -> Self {
        self.clear_choice(name);
        let of =
            TypeId::all().find(|id| id.row().kind == crate::schema::TypeKind::Primitive(kind)).map_or("", TypeId::name);
        let (first, rest) = of.split_at(1.min(of.len()));
        self.set_element(&format!("{name}{}{rest}", first.to_ascii_uppercase()), element)
    }

    /// The record, its structure checked.
    ///
    /// # Errors
    /// - `record-invalid` with the findings, where the structure is not that of FHIR; those of [`json::read`].
    pub(super) fn build(&self) -> Result<Record> {
        let parsed = json::read(&self.0.to_json(), &Limits::DEFAULT)?;
        if !parsed.report.is_valid() {
            return Err(Code::RecordInvalid.error().with_issues(parsed.report.into_issues()));
        }
        Ok(parsed.record)
    }

    fn is_empty(&self) -> bool {
        matches!(&self.0, Value::Object(entries) if entries.is_empty())
    }
    /// How many items an array has; 0 where there is none.
    fn length(&self, name: &str) -> usize {
        match self.0.get(name) {
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        }
    }
    /// Puts a value into the array `name` at `at`, with nulls before it where there is nothing yet.
    fn push(&mut self, name: &str, at: usize, value: Value) {
        if !matches!(self.0.get(name), Some(Value::Array(_))) {
            self.0.set(name, Vec::new());
        }
        if let Some(Value::Array(items)) = self.0.get_mut(name) {
            items.resize(at.max(items.len()), Value::Null);
            items.push(value);
        }
    }
    /// Takes out every type of a choice. No other element's name starts like it: schemagen looks after that.
    fn clear_choice(&mut self, name: &str) {
        if let Value::Object(entries) = &mut self.0 {
            let of_choice = |key: &str| {
                let rest = key.strip_prefix('_').unwrap_or(key).strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
            };
            entries.retain(|(key, _)| !of_choice(key));
        }
    }
}
