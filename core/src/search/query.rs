//! A query in FHIR's search syntax.

use super::{EntryValue, normalize};
use crate::error::{Code, Error, Result};
use crate::json::instant_of;
use crate::schema::{ResourceType, SearchKind, SearchParameter, search_parameters};

/// A parsed query: every condition must hold.
#[derive(Clone)]
pub struct Query {
    /// The type searched.
    pub kind: ResourceType,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// Most results a page; 0 where the query does not say.
    pub count: usize,
}

/// One parameter with its alternatives: one of them must hold.
#[derive(Clone)]
pub struct Condition {
    /// The parameter.
    pub parameter: &'static SearchParameter,
    /// The alternatives.
    pub any: Vec<Match>,
}

/// How one value is compared.
#[derive(Clone, PartialEq, Eq)]
pub enum Match {
    /// A code, with its system where one is given: `system|code`, `code`, `|code`, `system|`.
    Token {
        /// None: any system.
        system: Option<String>,
        /// None: any code of the system.
        code: Option<String>,
    },
    /// `Type/id`, an address, or an id of any type.
    Reference(String),
    /// Text that starts so, after normalizing.
    StartsWith(String),
    /// Text that is so, after normalizing (`:exact`).
    Exact(String),
    /// Text that has this in it, after normalizing (`:contains`).
    Contains(String),
    /// Time: the comparison and the stretch given.
    Date(Comparison, i64, i64),
}

/// A prefix of FHIR's ordered searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    StartsAfter,
    EndsBefore,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Query({}, {} conditions)", self.kind, self.conditions.len())
    }
}

impl Query {
    /// Parses `name=smith&birthdate=ge1980-01-01`. Values are percent-decoded.
    ///
    /// # Errors
    /// - `query-invalid`: an unknown parameter, a modifier or value of another form than the parameter takes.
    pub fn parse(kind: ResourceType, text: &str) -> Result<Query> {
        let mut query = Query { kind, conditions: Vec::new(), count: 0 };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| invalid("name=value"))?;
            let value = decode(value)?;
            let (name, modifier) = name.split_once(':').map_or((name, None), |(name, modifier)| (name, Some(modifier)));
            if name == "_count" {
                query.count = value.parse().map_err(|_| invalid("a number for _count"))?;
                continue;
            }
            let parameter = search_parameters(kind)
                .iter()
                .find(|parameter| parameter.code == name)
                .ok_or_else(|| invalid("a search parameter of this resource type"))?;
            if parameter.paths.is_empty() || matches!(parameter.kind, SearchKind::Quantity | SearchKind::Number) {
                return Err(invalid("a search parameter that this store indexes"));
            }
            let any = value.split(',').map(|value| alternative(parameter, modifier, value)).collect::<Result<_>>()?;
            query.conditions.push(Condition { parameter, any });
        }
        Ok(query)
    }
}

fn invalid(expected: &'static str) -> Error {
    Code::QueryInvalid.error().expected(expected)
}

fn alternative(parameter: &SearchParameter, modifier: Option<&str>, value: &str) -> Result<Match> {
    if value.is_empty() {
        return Err(invalid("a value"));
    }
    Ok(match (parameter.kind, modifier) {
        (SearchKind::Token, None) => match value.split_once('|') {
            None => Match::Token { system: None, code: Some(value.to_owned()) },
            Some((system, "")) => Match::Token { system: Some(system.to_owned()), code: None },
            Some((system, code)) => Match::Token { system: Some(system.to_owned()), code: Some(code.to_owned()) },
        },
        (SearchKind::Uri, None) => Match::Token { system: None, code: Some(value.to_owned()) },
        (SearchKind::Reference, None) => {
            let only = if parameter.code == "patient" { Some("Patient") } else { None };
            match (value.contains('/'), only) {
                (false, Some(kind)) => Match::Reference(format!("{kind}/{value}")),
                _ => Match::Reference(value.to_owned()),
            }
        }
        (SearchKind::Reference, Some(kind)) if ResourceType::from_name(kind).is_some() => {
            Match::Reference(format!("{kind}/{value}"))
        }
        (SearchKind::String, None) => Match::StartsWith(normalize(value)),
        (SearchKind::String, Some("exact")) => Match::Exact(normalize(value)),
        (SearchKind::String, Some("contains")) => Match::Contains(normalize(value)),
        (SearchKind::Date, None) => {
            let (comparison, rest) = match value.get(..2) {
                Some("eq") => (Comparison::Equal, &value[2..]),
                Some("ne") => (Comparison::NotEqual, &value[2..]),
                Some("lt") => (Comparison::Less, &value[2..]),
                Some("le") => (Comparison::LessOrEqual, &value[2..]),
                Some("gt") => (Comparison::Greater, &value[2..]),
                Some("ge") => (Comparison::GreaterOrEqual, &value[2..]),
                Some("sa") => (Comparison::StartsAfter, &value[2..]),
                Some("eb") => (Comparison::EndsBefore, &value[2..]),
                _ => (Comparison::Equal, value),
            };
            let (start, end) = instant_of(rest.as_bytes()).ok_or_else(|| invalid("a date after the prefix"))?;
            Match::Date(comparison, start.0, end.0)
        }
        _ => return Err(invalid("a modifier that this parameter takes")),
    })
}

impl Match {
    /// Whether a value of a record matches.
    pub fn fits(&self, value: &EntryValue) -> bool {
        match (self, value) {
            (Match::Token { system, code }, EntryValue::Token(its_system, its_code)) => {
                system.as_ref().is_none_or(|s| s == its_system) && code.as_ref().is_none_or(|c| c == its_code)
            }
            (Match::Reference(wanted), EntryValue::Reference(given)) => {
                given == wanted || given.strip_suffix(wanted.as_str()).is_some_and(|before| before.ends_with('/'))
            }
            (Match::StartsWith(text), EntryValue::Text(given)) => given.starts_with(text.as_str()),
            (Match::Exact(text), EntryValue::Text(given)) => given == text,
            (Match::Contains(text), EntryValue::Text(given)) => given.contains(text.as_str()),
            (Match::Date(comparison, from, to), EntryValue::Date(start, end)) => match comparison {
                Comparison::Equal => start >= from && end <= to,
                Comparison::NotEqual => !(start >= from && end <= to),
                Comparison::Less => start < from,
                Comparison::Greater => end > to,
                Comparison::LessOrEqual => start < from || start >= from && end <= to,
                Comparison::GreaterOrEqual => end > to || start >= from && end <= to,
                Comparison::StartsAfter => start >= to,
                Comparison::EndsBefore => end <= from,
            },
            _ => false,
        }
    }
}

fn decode(value: &str) -> Result<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| (b as char).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => out.push((high * 16 + low) as u8),
                    _ => return Err(invalid("two hexadecimal digits after %")),
                }
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).map_err(|_| invalid("UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient() -> ResourceType {
        ResourceType::from_name("Patient").expect("part of R4")
    }

    #[test]
    fn a_query_is_read_with_prefixes_modifiers_and_alternatives() {
        let query =
            Query::parse(patient(), "name=Sm%C3%AEth,j&birthdate=ge1980&gender=female&_count=5&family:exact=A+B")
                .expect("a query");
        assert_eq!(query.count, 5);
        assert_eq!(query.conditions.len(), 4);
        assert!(query.conditions[0].any == [Match::StartsWith("smith".into()), Match::StartsWith("j".into())]);
        assert!(matches!(query.conditions[1].any[0], Match::Date(Comparison::GreaterOrEqual, ..)));
        assert!(query.conditions[3].any == [Match::Exact("a b".into())]);
    }

    #[test]
    fn what_is_not_understood_is_refused_and_never_ignored() {
        for text in ["nothing=1", "name", "name=", "birthdate=soon", "gender:text=x", "name=%zz", "_count=many"] {
            assert_eq!(Query::parse(patient(), text).map(|_| ()).unwrap_err().code(), Code::QueryInvalid, "{text}");
        }
    }

    #[test]
    fn dates_compare_as_stretches() {
        let fits = |text: &str, value: &str| {
            let query = Query::parse(patient(), &format!("birthdate={text}")).expect("a query");
            let (a, b) = instant_of(value.as_bytes()).expect("a date");
            query.conditions[0].any[0].fits(&EntryValue::Date(a.0, b.0))
        };
        assert!(fits("1970", "1970-05-01") && !fits("1970-05-01", "1970") && fits("ge1970", "1970-05-01"));
        assert!(
            fits("lt1971", "1970-12-31")
                && !fits("lt1970", "1970")
                && fits("gt1970", "1971")
                && fits("le1970", "1970-02")
        );
        assert!(fits("sa1969", "1970") && fits("eb1971", "1970") && fits("ne1971", "1970"));
    }
}
