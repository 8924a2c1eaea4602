//! A FHIR search, parsed: every part is understood, or the whole is refused.

use super::text::normalise;
use crate::error::{Code, Error, Found, Result};
use crate::json::instant_of;
use crate::record::is_id;
use crate::schema::{ResourceType, SearchKind, SearchParameter, search_parameters};
use crate::time::Timestamp;
use std::fmt;

/// A search of one resource type.
#[derive(Clone)]
pub struct Query {
    /// The type searched.
    pub kind: ResourceType,
    /// What must hold: all of it.
    pub conditions: Vec<Condition>,
    /// The order asked for; empty means the store's own.
    pub sort: Vec<Sort>,
    /// Most results a page; 0 where the query does not say.
    pub count: usize,
}

/// One parameter and the values asked for, any of which will do.
#[derive(Clone)]
pub struct Condition {
    /// What is compared.
    pub target: Target,
    /// How.
    pub modifier: Modifier,
    /// With what.
    pub wanted: Vec<Wanted>,
}

/// What a condition compares.
#[derive(Clone, Copy)]
pub enum Target {
    /// A search parameter of R4.
    Parameter(&'static SearchParameter),
    /// The logical id.
    Id,
    /// When the store committed the current version.
    LastUpdated,
}

/// A modifier of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// None.
    None,
    /// `:exact`: the whole string, case and accents included.
    Exact,
    /// `:contains`: anywhere in the string.
    Contains,
    /// `:not`: no value matches.
    Not,
    /// `:missing`: whether there is no value.
    Missing,
}

/// A prefix of a date or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

/// One value asked for.
#[derive(Clone)]
pub enum Wanted {
    /// `code`, `system|code`, `|code` or `system|`: None means any.
    Token(Option<String>, Option<String>),
    /// A string: as given, and in normal form.
    Text(String, String),
    /// A stretch of time.
    Date(Prefix, Timestamp, Timestamp),
    /// A reference: a type where one is named, and the id or the whole URL.
    Reference(Option<ResourceType>, String),
    /// A URI.
    Uri(String),
    /// A number, and half of its last digit's unit.
    Number(Prefix, f64, f64),
    /// The same with a unit: its system and its code or unit.
    Quantity(Prefix, f64, f64, Option<String>, Option<String>),
    /// For `:missing`.
    Missing(bool),
}

/// One key of the order.
#[derive(Clone, Copy)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// What results are ordered by.
#[derive(Clone, Copy)]
pub enum SortBy {
    /// A date or string parameter.
    Parameter(&'static SearchParameter),
    /// The logical id.
    Id,
    /// When the current version was committed.
    LastUpdated,
}

impl Query {
    /// Parses the part of a FHIR search after the `?`. An empty text finds every record of the type.
    ///
    /// # Errors
    /// - `query-invalid`: a parameter, modifier, prefix or value this store does not answer.
    pub fn parse(kind: ResourceType, text: &str) -> Result<Query> {
        let mut query = Query { kind, conditions: Vec::new(), sort: Vec::new(), count: 0 };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| invalid("name=value"))?;
            let (name, value) = (decode(name)?, decode(value)?);
            match name.as_str() {
                "_count" => {
                    let count = value.parse().ok().filter(|count| (1..=10_000).contains(count));
                    query.count = count.ok_or_else(|| invalid("a count from 1 to 10000"))?;
                }
                "_sort" => {
                    for key in value.split(',') {
                        query.sort.push(Sort::parse(kind, key)?);
                    }
                }
                "_type" | "_format" | "_pretty" | "_summary" | "_elements" => {
                    return Err(invalid("a search parameter"));
                }
                _ => query.conditions.push(Condition::parse(kind, &name, &value)?),
            }
        }
        Ok(query)
    }
}

impl Sort {
    fn parse(kind: ResourceType, key: &str) -> Result<Sort> {
        let (name, descending) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
        let by = match name {
            "_id" => SortBy::Id,
            "_lastUpdated" => SortBy::LastUpdated,
            _ => match parameter(kind, name)? {
                found if matches!(found.kind, SearchKind::Date | SearchKind::String) => SortBy::Parameter(found),
                _ => return Err(invalid("a date or string parameter to sort by")),
            },
        };
        Ok(Sort { by, descending })
    }
}

impl Condition {
    fn parse(kind: ResourceType, name: &str, value: &str) -> Result<Condition> {
        let (code, suffix) = name.split_once(':').map_or((name, None), |(code, suffix)| (code, Some(suffix)));
        let target = match code {
            "_id" => Target::Id,
            "_lastUpdated" => Target::LastUpdated,
            _ => Target::Parameter(parameter(kind, code)?),
        };
        let sort = target.kind();
        let mut of_type = None;
        let modifier = match suffix {
            None => Modifier::None,
            Some("missing") if !matches!(target, Target::Id | Target::LastUpdated) => Modifier::Missing,
            Some("exact") if sort == SearchKind::String => Modifier::Exact,
            Some("contains") if sort == SearchKind::String => Modifier::Contains,
            Some("not") if sort == SearchKind::Token && !matches!(target, Target::Id) => Modifier::Not,
            Some(named) if sort == SearchKind::Reference => {
                of_type = Some(ResourceType::from_name(named).ok_or_else(|| invalid("a modifier"))?);
                Modifier::None
            }
            Some(_) => return Err(invalid("a modifier this parameter has")),
        };
        if modifier == Modifier::Missing {
            let missing = match value {
                "true" => true,
                "false" => false,
                _ => return Err(invalid("true or false")),
            };
            return Ok(Condition { target, modifier, wanted: vec![Wanted::Missing(missing)] });
        }
        if code == "patient" {
            of_type = of_type.or(Some(ResourceType::PATIENT));
        }
        let mut wanted = Vec::new();
        for part in split(value, ',') {
            if part.is_empty() {
                return Err(invalid("a value"));
            }
            wanted.push(Wanted::parse(sort, part, of_type)?);
        }
        if matches!(target, Target::Id)
            && !wanted.iter().all(|one| matches!(one, Wanted::Token(None, Some(id)) if is_id(id.as_bytes())))
        {
            return Err(invalid("ids"));
        }
        Ok(Condition { target, modifier, wanted })
    }
}

impl Target {
    pub(super) fn kind(self) -> SearchKind {
        match self {
            Target::Parameter(parameter) => parameter.kind,
            Target::Id => SearchKind::Token,
            Target::LastUpdated => SearchKind::Date,
        }
    }
}

impl Wanted {
    fn parse(kind: SearchKind, text: &str, of_type: Option<ResourceType>) -> Result<Wanted> {
        Ok(match kind {
            SearchKind::Token => match split(text, '|')[..] {
                [code] => Wanted::Token(None, Some(unescape(code))),
                [system, ""] if !system.is_empty() => Wanted::Token(Some(unescape(system)), None),
                [system, code] if !code.is_empty() => Wanted::Token(Some(unescape(system)), Some(unescape(code))),
                _ => return Err(invalid("code or system|code")),
            },
            SearchKind::String => {
                let text = unescape(text);
                let normal = normalise(&text);
                if normal.is_empty() {
                    return Err(invalid("some text"));
                }
                Wanted::Text(text, normal)
            }
            SearchKind::Date => {
                let (prefix, rest) = prefix(text);
                let (start, end) = instant_of(with_seconds(rest).as_bytes()).ok_or_else(|| invalid("a date"))?;
                Wanted::Date(prefix, start, end)
            }
            SearchKind::Reference => {
                let text = unescape(text);
                match text.rsplit_once('/') {
                    None => Wanted::Reference(of_type, text),
                    Some(_) => match super::parse_reference(&text) {
                        Some((kind, id)) if of_type.is_none_or(|wanted| wanted == kind) && !text.contains("://") => {
                            Wanted::Reference(Some(kind), id.to_owned())
                        }
                        _ if text.contains(':') => Wanted::Reference(None, text),
                        _ => return Err(invalid("Type/id, an id or a URL")),
                    },
                }
            }
            SearchKind::Uri => Wanted::Uri(unescape(text)),
            SearchKind::Number => {
                let (prefix, rest) = prefix(text);
                let (value, half) = number(rest)?;
                Wanted::Number(prefix, value, half)
            }
            SearchKind::Quantity => {
                let parts = split(text, '|');
                let (prefix, rest) = prefix(parts[0]);
                let (value, half) = number(rest)?;
                let given = |text: &str| (!text.is_empty()).then(|| unescape(text));
                match parts[1..] {
                    [] => Wanted::Quantity(prefix, value, half, None, None),
                    [system, code] => Wanted::Quantity(prefix, value, half, given(system), given(code)),
                    _ => return Err(invalid("number or number|system|code")),
                }
            }
            SearchKind::Composite | SearchKind::Special => return Err(invalid("a parameter this store answers")),
        })
    }
}

fn parameter(kind: ResourceType, code: &str) -> Result<&'static SearchParameter> {
    search_parameters(kind)
        .iter()
        .find(|row| row.code == code && !row.paths.is_empty())
        .filter(|row| !matches!(row.kind, SearchKind::Composite | SearchKind::Special))
        .ok_or_else(|| invalid("a search parameter of this type"))
}

fn invalid(expected: &'static str) -> Error {
    Code::QueryInvalid.error().expected(expected)
}

fn prefix(text: &str) -> (Prefix, &str) {
    const PREFIXES: [(&str, Prefix); 9] = [
        ("eq", Prefix::Eq),
        ("ne", Prefix::Ne),
        ("gt", Prefix::Gt),
        ("lt", Prefix::Lt),
        ("ge", Prefix::Ge),
        ("le", Prefix::Le),
        ("sa", Prefix::Sa),
        ("eb", Prefix::Eb),
        ("ap", Prefix::Ap),
    ];
    PREFIXES.iter().find_map(|(name, prefix)| Some((*prefix, text.strip_prefix(name)?))).unwrap_or((Prefix::Eq, text))
}

/// A search may leave the seconds out, a dateTime may not.
fn with_seconds(text: &str) -> String {
    match text.as_bytes() {
        [.., b'T', _, _, b':', _, _] if text.len() == 16 => format!("{text}:00"),
        bytes if bytes.len() > 16 && bytes[10] == b'T' && bytes[16] != b':' => {
            format!("{}:00{}", &text[..16], &text[16..])
        }
        _ => text.to_owned(),
    }
}

/// A decimal, and half a unit of its last digit: `5.40` stands for 5.395 up to 5.405.
fn number(text: &str) -> Result<(f64, f64)> {
    let form = || invalid("a number");
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') || text.contains(['i', 'n', 'N']) {
        return Err(form());
    }
    let value: f64 = text.parse().map_err(|_| form())?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = mantissa.split_once('.').map_or(0, |(_, after)| after.len());
    let exponent: i32 = exponent.parse().map_err(|_| form())?;
    let half = 0.5 * 10_f64.powi(exponent.saturating_sub(i32::try_from(digits).unwrap_or(i32::MAX)));
    if value.is_finite() && half.is_finite() { Ok((value, half)) } else { Err(form()) }
}

/// Splits at a character that has no backslash before it.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (i, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == at {
            parts.push(&text[start..i]);
            start = i + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unescape(text: &str) -> String {
    let (mut out, mut escaped) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

/// Takes `%41` and `+` out.
fn decode(text: &str) -> Result<String> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| (byte as char).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => (high << 4 | low) as u8,
                    _ => return Err(invalid("two hexadecimal digits after a percent sign")),
                }
            }
            other => other,
        });
    }
    String::from_utf8(out).map_err(|error| invalid("UTF-8").found(Found::Length(error.as_bytes().len() as u64)))
}

/// What is asked for could identify a person, so it is not shown.
impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({}, {} conditions)", self.kind, self.conditions.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: &str, text: &str) -> Result<Query> {
        Query::parse(ResourceType::from_name(kind).expect("a type of R4"), text)
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (kind, text) in [
            ("Patient", "nonsense=1"),
            ("Patient", "name"),
            ("Patient", "name="),
            ("Patient", "name:fuzzy=a"),
            ("Patient", "birthdate=gx1980"),
            ("Patient", "birthdate=1980-13"),
            ("Patient", "birthdate:exact=1980"),
            ("Patient", "_has:Observation:patient:code=1"),
            ("Patient", "_count=0"),
            ("Patient", "_sort=gender"),
            ("Patient", "_id=a b"),
            ("Patient", "name=%zz"),
            ("Observation", "patient.name=x"),
            ("Observation", "subject:Nobody=1"),
            ("Observation", "patient=Group/1"),
            ("Observation", "value-quantity=x"),
            ("Observation", "code-value-quantity=1$2"),
            ("Observation", "_include=Observation:subject"),
        ] {
            assert_eq!(parse(kind, text).map(|_| ()).unwrap_err().code(), Code::QueryInvalid, "{kind}?{text}");
        }
    }

    #[test]
    fn values_are_decoded_split_and_unescaped() {
        let query =
            parse("Patient", "name=a%20b,c\\,d+e&birthdate=ge1980&birthdate=lt1990&_sort=-birthdate,name&_count=7")
                .expect("valid");
        assert_eq!((query.conditions.len(), query.sort.len(), query.count), (3, 2, 7));
        let names: Vec<&str> = query.conditions[0]
            .wanted
            .iter()
            .map(|wanted| if let Wanted::Text(text, _) = wanted { text.as_str() } else { "" })
            .collect();
        assert_eq!(names, ["a b", "c,d e"]);
        assert!(matches!(query.conditions[1].wanted[0], Wanted::Date(Prefix::Ge, ..)));
        assert!(parse("Observation", "date=2020-01-01T10:00").is_ok());
        assert!(parse("Observation", "date=2020-01-01T10:00Z").is_ok());
        assert!(parse("Observation", "value-quantity=gt5.40|http://unitsofmeasure.org|mg").is_ok());
    }

    #[test]
    fn debug_output_shows_nothing_of_what_was_asked() {
        assert_eq!(format!("{:?}", parse("Patient", "name=Marker").expect("valid")), "Query(Patient, 1 conditions)");
    }
}
