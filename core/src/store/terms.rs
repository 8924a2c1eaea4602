//! What stands in the indexes for a value: on the way in, and for a query on the way back.
//!
//! Two indexes. The sealed index of a patient keeps a number for each value of each record: a hash, the start of a text, a
//! date, a quantity. The global index keeps keyed tokens of values that few people share, for each patient who has them.
//! Both may find too much, never too little; the record itself decides.

use super::layout::{Entry, ordered, ordered_number, unordered, unordered_number};
use crate::schema::SearchKind;
use crate::search::{
    Condition, Modifier, Prefix, Target, Value, Wanted, dates, hash64, normalise, numbers, parse_reference, prefix_key,
};

/// A code and its system as one number: the code above, so that every system of a code is one range.
fn token(system: &str, code: &str) -> u64 {
    (hash64(&[code.as_bytes()]) << 32) | u64::from(system_hash(system))
}

fn system_hash(system: &str) -> u32 {
    hash64(&[system.as_bytes()]) as u32
}

fn hashed(text: &str) -> u64 {
    hash64(&[text.as_bytes()])
}

/// The entries of one value in the index of a patient: parameter, value, extra.
pub(super) fn entries(
    number: u16,
    value: &Value<'_>,
    resolve: &dyn Fn(&str) -> Option<String>,
    mut put: impl FnMut(u16, u64, u64),
) {
    match value {
        Value::Token(system, code) => put(number, token(system, code), 0),
        Value::Text(text) => put(number, prefix_key(normalise(text).as_bytes()), 0),
        Value::Date(start, end) => put(number | Entry::DATE, ordered(start.0), ordered(end.0)),
        Value::Uri(uri) => put(number, hashed(uri), 0),
        Value::Number(has) => put(number, ordered_number(has.to_f64()), 0),
        Value::Quantity(has) => put(number, ordered_number(has.value.to_f64()), 0),
        Value::Reference(text) => {
            if !text.contains(':') {
                put(number, parse_reference(text).map_or_else(|| hashed(text), |(_, id)| hashed(id)), 0);
                return;
            }
            if let Some((_, id)) = resolve(text).as_deref().and_then(parse_reference) {
                put(number, hashed(id), 0);
                return;
            }
            // Not known here, or not yet: found by the whole address, and by the id it ends in should that come.
            put(number, hashed(text), 0);
            let id = text.strip_prefix("urn:uuid:").or_else(|| parse_reference(text).map(|(_, id)| id));
            id.into_iter().for_each(|id| put(number, hashed(id), 0));
        }
    }
}

/// Which entries of a parameter can belong to a match.
pub(super) enum Probe {
    /// Values in a range, both ends included.
    Between(u64, u64),
    /// Codes of a system.
    System(u32),
    /// Stretches of time.
    Dates(Prefix, i64, i64),
    /// Numbers.
    Numbers(Prefix, f64, f64),
    /// Any entry.
    Any,
}

impl Probe {
    /// Where to look in the index of a patient, for one value asked for. `resolve` as when records are written.
    pub(super) fn of(condition: &Condition, wanted: &Wanted, resolve: &dyn Fn(&str) -> Option<String>) -> Vec<Probe> {
        let exactly = |value| Probe::Between(value, value);
        let one = match wanted {
            Wanted::Token(None, Some(code)) => {
                let code = hash64(&[code.as_bytes()]) << 32;
                Probe::Between(code, code | u64::from(u32::MAX))
            }
            Wanted::Token(Some(system), Some(code)) => exactly(token(system, code)),
            Wanted::Token(Some(system), None) => Probe::System(system_hash(system)),
            Wanted::Text(_, normal) if condition.modifier != Modifier::Contains => {
                let start = &normal.as_bytes()[..normal.len().min(8)];
                let first = prefix_key(start);
                Probe::Between(first, first | u64::MAX.checked_shr(8 * start.len() as u32).unwrap_or(0))
            }
            Wanted::Date(prefix, start, end) => Probe::Dates(*prefix, start.0, end.0),
            Wanted::Number(prefix, value, half) | Wanted::Quantity(prefix, value, half, ..) => {
                Probe::Numbers(*prefix, *value, *half)
            }
            Wanted::Uri(uri) => exactly(hashed(uri)),
            Wanted::Reference(_, id) => {
                let mut probes = vec![exactly(hashed(id))];
                // What an address stands for can have become known, or ambiguous, since the record was written.
                probes.extend(id.strip_prefix("urn:uuid:").map(|id| exactly(hashed(id))));
                if let Some((_, id)) = resolve(id).as_deref().and_then(parse_reference) {
                    probes.push(exactly(hashed(id)));
                }
                return probes;
            }
            _ => Probe::Any,
        };
        vec![one]
    }

    /// The range of values to look at.
    pub(super) fn range(&self) -> (u64, u64) {
        match self {
            Probe::Between(from, to) => (*from, *to),
            _ => (0, u64::MAX),
        }
    }
    /// Whether an entry in that range can belong to a match.
    pub(super) fn fits(&self, entry: &Entry) -> bool {
        match self {
            Probe::Between(..) | Probe::Any => true,
            Probe::System(system) => entry.value as u32 == *system,
            Probe::Dates(prefix, start, end) => {
                dates(*prefix, (*start, *end), (unordered(entry.value), unordered(entry.extra)))
            }
            Probe::Numbers(prefix, value, half) => numbers(*prefix, *value, *half, unordered_number(entry.value)),
        }
    }
}

const DAY: i64 = 86_400_000_000;

/// Under which name the values of a parameter stand in the global index; None for those that are not there: gender, status,
/// category and everything else that many people share.
fn label(code: &str) -> Option<&'static str> {
    Some(match code {
        "identifier" => "identifier",
        "name" | "family" | "given" | "phonetic" => "name",
        "birthdate" => "birthdate",
        "phone" | "email" | "telecom" => "telecom",
        "code" | "vaccine-code" => "code",
        "medication" => "medication",
        _ => return None,
    })
}

/// The terms of one value in the global index.
pub(super) fn terms(code: &str, value: &Value<'_>, mut put: impl FnMut(&'static str, &str)) {
    let Some(label) = label(code) else { return };
    match value {
        Value::Token(_, code) => put(label, code),
        Value::Text(text) => {
            let normal = normalise(text);
            for length in PREFIXES {
                put(label, start(&normal, length));
            }
        }
        Value::Date(from, _) => {
            put(label, &format!("d{}", from.0.div_euclid(DAY)));
            put(label, &format!("y{}", year(from.0)));
        }
        Value::Reference(text) => {
            if let Some((_, id)) = parse_reference(text) {
                put(label, id);
            }
        }
        _ => {}
    }
}

/// The term that every match of this value has; None where the global index cannot answer.
pub(super) fn term(condition: &Condition, wanted: &Wanted) -> Option<(&'static str, String)> {
    let Target::Parameter(parameter) = condition.target else { return None };
    let label = label(parameter.code)?;
    let text = match (condition.modifier, wanted) {
        (Modifier::None, Wanted::Token(_, Some(code))) => code.clone(),
        (Modifier::None | Modifier::Exact, Wanted::Text(_, normal)) => {
            let letters = normal.chars().count();
            let length = PREFIXES.into_iter().rev().find(|length| letters >= *length)?;
            start(normal, length).to_owned()
        }
        (Modifier::None, Wanted::Date(Prefix::Eq, from, to)) => {
            if to.0 - from.0 == DAY {
                format!("d{}", from.0.div_euclid(DAY))
            } else if year(from.0) == year(to.0 - 1) {
                format!("y{}", year(from.0))
            } else {
                return None;
            }
        }
        _ => return None,
    };
    (parameter.kind != SearchKind::Reference).then_some((label, text))
}

/// How many letters of a text the global index knows.
const PREFIXES: [usize; 2] = [3, 6];

fn start(text: &str, letters: usize) -> &str {
    text.char_indices().nth(letters).map_or(text, |(end, _)| &text[..end])
}

fn year(micros: i64) -> i64 {
    crate::time::civil_from_days(micros.div_euclid(DAY)).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ResourceType;
    use crate::search::Query;
    use crate::time::Timestamp;

    #[test]
    fn a_query_probes_where_the_value_was_put() {
        let none = |_: &str| None;
        let probes = |kind: &str, text: &str, value: &Value<'_>| {
            let query = Query::parse(ResourceType::from_name(kind).expect("part of R4"), text).expect("a query");
            let condition = &query.conditions[0];
            let mut found = false;
            entries(1, value, &none, |parameter, value, extra| {
                let entry = Entry { parameter, value, extra, record: 0 };
                found |= condition.wanted.iter().flat_map(|wanted| Probe::of(condition, wanted, &none)).any(|probe| {
                    let (from, to) = probe.range();
                    (from..=to).contains(&value) && probe.fits(&entry)
                });
            });
            found
        };
        let token = Value::Token("s".into(), "c".into());
        for (text, expected) in [
            ("code=c", true),
            ("code=s|c", true),
            ("code=s|", true),
            ("code=|c", false),
            ("code=t|c", false),
            ("code=d", false),
        ] {
            assert_eq!(probes("Observation", text, &token), expected, "{text}");
        }
        let name = Value::Text("Ångström-Lind".into());
        for (text, expected) in [
            ("name=a", true),
            ("name=angstrom-lindt", true),
            ("name=b", false),
            ("name:contains=lind", true),
            ("name:exact=Ångström-Lind", true),
        ] {
            assert_eq!(probes("Patient", text, &name), expected, "{text}");
        }
        let date = Value::Date(Timestamp(0), Timestamp(DAY));
        for (text, expected) in [
            ("date=1970", true),
            ("date=lt1970", false),
            ("date=ge1970-01-01", true),
            ("date=sa1960", true),
            ("date=1971", false),
        ] {
            assert_eq!(probes("Observation", text, &date), expected, "{text}");
        }
        let reference = Value::Reference("urn:uuid:7".into());
        for (text, expected) in [("subject=7", true), ("subject=urn:uuid:7", true), ("subject=Patient/8", false)] {
            assert_eq!(probes("Observation", text, &reference), expected, "{text}");
        }
    }
}
