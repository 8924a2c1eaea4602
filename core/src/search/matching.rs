//! Whether a record is what a query asks for. This decides; every index only narrows.

use super::extract::{Value, values_of};
use super::query::{Condition, Modifier, Prefix, Query, Sort, SortBy, Target, Wanted};
use super::text::{normalise, parse_reference};
use crate::record::Record;
use crate::schema::ResourceType;
use crate::time::Timestamp;
use std::cmp::Ordering;

/// Says what a reference that is no `Type/id` stands for in this store (`urn:uuid:...`, an absolute URL):
/// a `Type/id`.
pub type Resolver<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Query {
    /// Whether the record, committed at `at`, is what is asked for.
    pub fn matches(&self, record: &Record, at: Timestamp, resolve: &Resolver<'_>) -> bool {
        record.kind() == self.kind && self.conditions.iter().all(|condition| condition.holds(record, at, resolve))
    }
}

impl Condition {
    fn holds(&self, record: &Record, at: Timestamp, resolve: &Resolver<'_>) -> bool {
        let (mut present, mut matched) = (false, false);
        let mut see = |value: &Value<'_>| {
            present = true;
            matched = matched || self.wanted.iter().any(|wanted| wanted.fits(value, self.modifier, resolve));
        };
        match self.target {
            Target::Parameter(parameter) => values_of(record, parameter, |value| see(&value)),
            Target::Id => see(&Value::Token("".into(), record.id().unwrap_or_default().into())),
            Target::LastUpdated => see(&Value::Date(at, Timestamp(at.0.saturating_add(1)))),
        }
        match self.modifier {
            Modifier::Missing => matches!(self.wanted[..], [Wanted::Missing(missing)] if missing != present),
            Modifier::Not => !matched,
            _ => matched,
        }
    }
}

impl Wanted {
    fn fits(&self, value: &Value<'_>, modifier: Modifier, resolve: &Resolver<'_>) -> bool {
        match (self, value) {
            (Wanted::Token(system, code), Value::Token(has_system, has_code)) => {
                system.as_ref().is_none_or(|system| system == has_system)
                    && code.as_ref().is_none_or(|code| code == has_code)
            }
            (Wanted::Text(text, normal), Value::Text(has)) => match modifier {
                Modifier::Exact => text == has,
                Modifier::Contains => normalise(has).contains(normal.as_str()),
                _ => normalise(has).starts_with(normal.as_str()),
            },
            (Wanted::Date(prefix, start, end), Value::Date(from, to)) => {
                dates(*prefix, (start.0, end.0), (from.0, to.0))
            }
            (Wanted::Reference(kind, id), Value::Reference(text)) => refers(*kind, id, text, resolve),
            (Wanted::Uri(uri), Value::Uri(has)) => uri == has,
            (Wanted::Number(prefix, value, half), Value::Number(has)) => numbers(*prefix, *value, *half, has.to_f64()),
            (Wanted::Quantity(prefix, value, half, system, code), Value::Quantity(has)) => {
                numbers(*prefix, *value, *half, has.value.to_f64())
                    && system.as_ref().is_none_or(|system| *system == has.system)
                    && code.as_ref().is_none_or(|code| *code == has.code || *code == has.unit)
            }
            _ => false,
        }
    }
}

fn refers(kind: Option<ResourceType>, id: &str, text: &str, resolve: &Resolver<'_>) -> bool {
    if text == id {
        return true; // the same URL
    }
    let fits = |found: ResourceType, found_id: &str| found_id == id && kind.is_none_or(|kind| kind == found);
    let resolved = if text.contains(':') { resolve(text) } else { None };
    parse_reference(resolved.as_deref().unwrap_or(text)).is_some_and(|(found, found_id)| fits(found, found_id))
}

/// R4, search, "Prefixes": `wanted` is the range the query names, `has` the range the record does; both half open.
pub(crate) fn dates(prefix: Prefix, wanted: (i64, i64), has: (i64, i64)) -> bool {
    let within = has.0 >= wanted.0 && has.1 <= wanted.1;
    match prefix {
        Prefix::Eq => within,
        Prefix::Ne => !within,
        Prefix::Gt => has.1 > wanted.1,
        Prefix::Lt => has.0 < wanted.0,
        Prefix::Ge => has.1 > wanted.1 || within,
        Prefix::Le => has.0 < wanted.0 || within,
        Prefix::Sa => has.0 >= wanted.1,
        Prefix::Eb => has.1 <= wanted.0,
        // "approximately": it overlaps the range named, widened by its own width on both sides
        Prefix::Ap => {
            let width = wanted.1.saturating_sub(wanted.0);
            has.1 > wanted.0.saturating_sub(width) && has.0 < wanted.1.saturating_add(width)
        }
    }
}

pub(crate) fn numbers(prefix: Prefix, value: f64, half: f64, has: f64) -> bool {
    let within = has >= value - half && has < value + half;
    match prefix {
        Prefix::Eq => within,
        Prefix::Ne => !within,
        Prefix::Gt | Prefix::Sa => has > value,
        Prefix::Lt | Prefix::Eb => has < value,
        Prefix::Ge => has >= value,
        Prefix::Le => has <= value,
        Prefix::Ap => (has - value).abs() <= value.abs() * 0.1,
    }
}

/// What a record is ordered by. A record without a value comes last, whichever the direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SortKey {
    Number(i64),
    Text(String),
    Missing,
}

impl Sort {
    /// The key of a record.
    pub(crate) fn key(&self, record: &Record, at: Timestamp) -> SortKey {
        let parameter = match self.by {
            SortBy::LastUpdated => return SortKey::Number(at.0),
            SortBy::Id => return SortKey::Text(record.id().unwrap_or_default().to_owned()),
            SortBy::Parameter(parameter) => parameter,
        };
        let mut best = SortKey::Missing;
        values_of(record, parameter, |value| {
            let key = match value {
                Value::Date(start, end) => SortKey::Number(if self.descending { end.0 } else { start.0 }),
                Value::Text(text) => SortKey::Text(normalise(&text)),
                _ => return,
            };
            if self.order(&key, &best) == Ordering::Less {
                best = key;
            }
        });
        best
    }

    /// Which of two keys comes first.
    pub(crate) fn order(&self, a: &SortKey, b: &SortKey) -> Ordering {
        let order = match (a, b) {
            (SortKey::Missing, SortKey::Missing) => return Ordering::Equal,
            (SortKey::Missing, _) => return Ordering::Greater,
            (_, SortKey::Missing) => return Ordering::Less,
            (SortKey::Number(a), SortKey::Number(b)) => a.cmp(b),
            (SortKey::Text(a), SortKey::Text(b)) => a.cmp(b),
            (SortKey::Number(_), SortKey::Text(_)) => Ordering::Less,
            (SortKey::Text(_), SortKey::Number(_)) => Ordering::Greater,
        };
        if self.descending { order.reverse() } else { order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, record: &str) -> bool {
        let record = Record::parse(record.as_bytes()).expect("a record");
        let query = Query::parse(record.kind(), query).expect("a query");
        query.matches(&record, Timestamp(5), &|url| (url == "urn:uuid:9").then(|| "Patient/9".to_owned()))
    }

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","identifier":[{"system":"s","value":"7"}],"gender":"female",
        "name":[{"family":"Åkesson","given":["Ann Marie"]}],"birthDate":"1970-05"}"#;
    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"l","code":"1"}]},
        "subject":{"reference":"urn:uuid:9"},"encounter":{"reference":"Encounter/e"},"effectiveDateTime":"2020-03-01T10:00:00Z",
        "valueQuantity":{"value":5.4,"system":"u","code":"mg"}}"#;

    #[test]
    fn tokens_strings_and_dates_match_as_r4_says() {
        for query in [
            "identifier=7",
            "identifier=s|7",
            "identifier=s|",
            "gender=male,female",
            "family=ake",
            "name=ANN",
            "name:exact=Ann Marie",
            "name:contains=kess",
            "birthdate=1970",
            "birthdate=1970-05",
            "birthdate=ge1970-05-10",
            "birthdate=le1970-05-10",
            "birthdate=lt1971",
            "birthdate=ne1971",
            "birthdate=sa1969",
            "birthdate=eb1971",
            "gender:not=male",
            "phone:missing=true",
            "gender:missing=false",
            "_id=p",
            "_id=x,p",
            "_lastUpdated=1970",
            "birthdate=ap1970-06",
            "",
            "name=ann&birthdate=1970",
        ] {
            assert!(finds(query, PATIENT), "{query}");
        }
        for query in [
            "identifier=|7",
            "identifier=t|7",
            "identifier=t|",
            "gender=FEMALE",
            "family=kess",
            "name:exact=ann marie",
            "birthdate=1970-05-01",
            "birthdate=gt1970",
            "birthdate=lt1970-05",
            "birthdate=sa1970",
            "gender:not=female",
            "phone:missing=false",
            "_id=q",
            "_lastUpdated=1971",
            "name=ann&birthdate=1971",
            "birthdate=ap1975",
        ] {
            assert!(!finds(query, PATIENT), "{query}");
        }
    }

    #[test]
    fn references_and_quantities_match_as_r4_says() {
        for query in [
            "patient=9",
            "patient=Patient/9",
            "subject=Patient/9",
            "subject:Patient=9",
            "subject=urn:uuid:9",
            "encounter=Encounter/e",
            "value-quantity=5.4",
            "value-quantity=5|u|mg",
            "value-quantity=gt5||mg",
            "value-quantity=le5.4",
            "code=l|1",
            "combo-code=1",
            "date=2020-03-01T10:00Z",
            "status=final",
        ] {
            assert!(finds(query, OBSERVATION), "{query}");
        }
        for query in [
            "patient=8",
            "subject:Group=9",
            "encounter=Patient/e",
            "value-quantity=5.40",
            "value-quantity=5.45",
            "value-quantity=6",
            "value-quantity=5.4||kg",
            "value-quantity=lt5.4",
            "code=m|1",
            "date=2020-03-02",
        ] {
            let expected = query == "value-quantity=5.40"; // 5.4 lies within 5.395 to 5.405
            assert_eq!(finds(query, OBSERVATION), expected, "{query}");
        }
    }
}
