//! A formal constraint of a profile: a FHIRPath expression, compiled at first use.

use crate::fhirpath::Expression;
use crate::record::{Node, NodeKind, Row};
use crate::report::Severity;
use crate::schema::TypeId;
use crate::time::fhir::is_date_time;
use crate::validate::invariants::Filter;
use std::sync::{Arc, OnceLock};

#[derive(Debug)]
pub(crate) struct Constraint {
    pub(crate) key: Arc<str>,
    pub(crate) severity: Severity,
    expression: Box<str>,
    compiled: OnceLock<Option<Expression>>,
    /// With which elements of the first type it was asked of it surely holds.
    filter: OnceLock<(TypeId, Option<Filter>)>,
    /// A look at bytes that proves it, for those that are met everywhere.
    native: Option<fn(Node<'_>) -> bool>,
}

impl Constraint {
    pub(crate) fn new(key: &str, severity: Severity, expression: &str) -> Self {
        Constraint {
            key: key.into(),
            severity,
            expression: expression.into(),
            compiled: OnceLock::new(),
            filter: OnceLock::new(),
            native: native(expression),
        }
    }
    /// Whether a look at the value proves it; where it does not, the expression decides.
    pub(crate) fn is_proven(&self, node: Node<'_>) -> bool {
        self.native.is_some_and(|holds| holds(node))
    }
    /// Whether it holds for every value of a type with these elements, by their position.
    pub(crate) fn surely_holds(&self, of: TypeId, present: u128) -> bool {
        let made = || (of, self.expression().and_then(|expression| Filter::new(expression, of)));
        let (known, filter) = self.filter.get_or_init(made);
        *known == of && filter.as_ref().is_some_and(|filter| filter.passes(present))
    }
    /// The expression, ready to run; None where it is not FHIRPath.
    pub(crate) fn expression(&self) -> Option<&Expression> {
        self.compiled.get_or_init(|| Expression::compile(&self.expression).ok()).as_ref()
    }
}

/// The look that proves an expression, by its text.
fn native(expression: &str) -> Option<fn(Node<'_>) -> bool> {
    match expression {
        // vs-1 and us-core-1
        "($this as dateTime).toString().length() >= 8"
        | "$this is DateTime implies $this.toString().length() >= 10" => Some(is_whole_day),
        // us-core-3
        "value.ofType(Quantity).system.empty() or value.ofType(Quantity).system = 'http://unitsofmeasure.org'" => {
            Some(is_of_ucum)
        }
        _ => None,
    }
}

/// A date with a day, or more.
fn is_whole_day(node: Node<'_>) -> bool {
    let raw = node.raw();
    let named = node.type_id().is_some_and(|type_id| type_id.name() == "dateTime");
    named
        && node.kind() == NodeKind::String
        && node.row().flags & Row::ESCAPES == 0
        && raw.len() >= 10
        && is_date_time(raw)
}

/// The value is a Quantity with a unit of UCUM.
fn is_of_ucum(node: Node<'_>) -> bool {
    let value = node.get("valueQuantity").filter(|value| value.type_id().is_some_and(|id| id.name() == "Quantity"));
    value.and_then(|value| value.get("system")).is_some_and(|system| system.is_text(crate::units::SYSTEM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhirpath::Scope;
    use crate::record::Record;

    /// Whether the look proves it, and what the expression says, for the value at a name, or the record itself.
    fn judge(expression: &str, json: &str, name: &str) -> (bool, Option<bool>) {
        let constraint = Constraint::new("k", Severity::Error, expression);
        let record = Record::parse(json.as_bytes()).expect("a resource");
        let node = if name.is_empty() { record.root() } else { record.root().get(name).expect("it is there") };
        let expression = constraint.expression().expect("it compiles");
        (constraint.is_proven(node), expression.holds(&Scope::new(node)).ok().flatten())
    }

    #[test]
    fn what_a_look_proves_the_expression_says_too() {
        let dates =
            ["2020", "2020-01", "2020-01-02", "2020-01-02T03:04:05Z", "2020-01-02T03:04:05.678+01:00", "2020-13-41"];
        for expression in [
            "($this as dateTime).toString().length() >= 8",
            "$this is DateTime implies $this.toString().length() >= 10",
        ] {
            let mut proven = 0;
            for date in dates {
                let json = format!(r#"{{"resourceType":"Observation","effectiveDateTime":"{date}"}}"#);
                let (look, says) = judge(expression, &json, "effectiveDateTime");
                assert!(!look || says == Some(true), "{expression} {date}");
                proven += u32::from(look);
            }
            assert_eq!(proven, 3);
            let period = r#"{"resourceType":"Observation","effectivePeriod":{"start":"2020-01-02"}}"#;
            assert!(!judge(expression, period, "effectivePeriod").0);
        }
        let ucum =
            "value.ofType(Quantity).system.empty() or value.ofType(Quantity).system = 'http://unitsofmeasure.org'";
        let of = |system: &str| {
            format!(r#"{{"resourceType":"Observation","valueQuantity":{{"value":1,"system":"{system}"}}}}"#)
        };
        assert_eq!(judge(ucum, &of("http://unitsofmeasure.org"), ""), (true, Some(true)));
        assert_eq!(judge(ucum, &of("http://example.org"), ""), (false, Some(false)));
        assert_eq!(judge(ucum, r#"{"resourceType":"Observation","valueString":"x"}"#, ""), (false, Some(true)));
    }
}
