//! What a record offers to be found by.

use crate::json::instant_of;
use crate::record::{Node, NodeKind, Record};
use crate::schema::{SearchKind, SearchParameter, search_parameters};

/// One value under one search parameter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The parameter's number.
    pub parameter: u16,
    /// The value.
    pub value: EntryValue,
}

/// A value as it is compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryValue {
    /// A code and its system, as given; a system may be empty.
    Token(String, String),
    /// `Type/id`, or the address as given.
    Reference(String),
    /// Text, normalized.
    Text(String),
    /// A stretch of time, half open, in microseconds.
    Date(i64, i64),
}

/// `Debug` says the sort only.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.parameter)
    }
}

/// Gives every entry of a record. `resolve` turns an address inside a change set (`urn:uuid:...`) into `Type/id`.
pub fn extract(
    record: &Record,
    resolve: &dyn Fn(&str) -> Option<String>,
    mut found: impl FnMut(&'static SearchParameter, EntryValue),
) {
    for parameter in search_parameters(record.kind()) {
        for path in parameter.paths {
            record.select(path, |node| values(node, parameter.kind, resolve, &mut |value| found(parameter, value)));
        }
    }
}

fn values(
    node: Node<'_>,
    kind: SearchKind,
    resolve: &dyn Fn(&str) -> Option<String>,
    found: &mut dyn FnMut(EntryValue),
) {
    match kind {
        SearchKind::Token => tokens(node, found),
        SearchKind::Reference => {
            let text = if node.kind() == NodeKind::Object { node.text("reference") } else { node.as_str() };
            let Some(text) = text.filter(|text| !text.starts_with('#')) else { return };
            let resolved = text.starts_with("urn:").then(|| resolve(&text)).flatten();
            let text = resolved.unwrap_or_else(|| text.into_owned());
            found(EntryValue::Reference(text.split("/_history/").next().unwrap_or_default().to_owned()));
        }
        SearchKind::Uri => {
            if let Some(text) = node.as_str() {
                found(EntryValue::Token(String::new(), text.into_owned()));
            }
        }
        SearchKind::Date => dates(node, found),
        SearchKind::String => strings(node, found),
        SearchKind::Quantity | SearchKind::Number | SearchKind::Composite | SearchKind::Special => {}
    }
}

fn tokens(node: Node<'_>, found: &mut dyn FnMut(EntryValue)) {
    let text = |name| node.text(name).map(|text| text.into_owned()).unwrap_or_default();
    match node.kind() {
        NodeKind::String => found(EntryValue::Token(String::new(), node.as_str().unwrap_or_default().into_owned())),
        NodeKind::Bool => found(EntryValue::Token(String::new(), String::from_utf8_lossy(node.raw()).into_owned())),
        NodeKind::Object => match node.type_id().map(|id| id.name()) {
            Some("CodeableConcept") => node.list("coding").for_each(|coding| tokens(coding, found)),
            Some("Coding") => found(EntryValue::Token(text("system"), text("code"))),
            Some("Identifier") => found(EntryValue::Token(text("system"), text("value"))),
            Some("ContactPoint") => found(EntryValue::Token(String::new(), text("value"))),
            _ => {}
        },
        _ => {}
    }
}

fn dates(node: Node<'_>, found: &mut dyn FnMut(EntryValue)) {
    let stretch = |node: Node<'_>| instant_of(node.as_str()?.as_bytes());
    match node.type_id().map(|id| id.name()) {
        Some("Period") => {
            let start = node.get("start").and_then(stretch).map_or(i64::MIN, |(start, _)| start.0);
            let end = node.get("end").and_then(stretch).map_or(i64::MAX, |(_, end)| end.0);
            if start != i64::MIN || end != i64::MAX {
                found(EntryValue::Date(start, end));
            }
        }
        Some("Timing") => node.list("event").for_each(|event| dates(event, found)),
        _ => {
            if let Some((start, end)) = stretch(node) {
                found(EntryValue::Date(start.0, end.0));
            }
        }
    }
}

fn strings(node: Node<'_>, found: &mut dyn FnMut(EntryValue)) {
    let parts: &[&str] = match node.type_id().map(|id| id.name()) {
        Some("HumanName") => &["family", "given", "prefix", "suffix", "text"],
        Some("Address") => &["line", "city", "district", "state", "postalCode", "country", "text"],
        _ => &[],
    };
    let mut put = |node: Node<'_>| {
        if let Some(text) = node.as_str().filter(|text| !text.is_empty()) {
            found(EntryValue::Text(normalize(&text)));
        }
    };
    if parts.is_empty() {
        put(node);
    }
    for part in parts {
        node.list(part).for_each(&mut put);
    }
}

/// Lower case, without the accents of the Latin script, white space folded: how text is compared in string searches.
pub fn normalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_whitespace() {
            space = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => out.push('a'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'è'..='ë' | 'ē' | 'ę' | 'ě' => out.push('e'),
            'ì'..='ï' | 'ī' | 'ı' => out.push('i'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => out.push('o'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' => out.push('u'),
            'ý' | 'ÿ' => out.push('y'),
            'ś' | 'š' | 'ş' => out.push('s'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            'ł' => out.push('l'),
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            '\u{300}'..='\u{36f}' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(json: &str) -> Vec<(&'static str, EntryValue)> {
        let record = Record::parse(json.as_bytes()).expect("a resource");
        let mut all = Vec::new();
        extract(&record, &|_| Some("Patient/7".to_owned()), |parameter, value| all.push((parameter.code, value)));
        all
    }

    #[test]
    fn a_patient_is_found_by_name_identifier_and_birth_date() {
        let all = entries(
            r#"{"resourceType":"Patient","id":"a","identifier":[{"system":"s","value":"1"}],"name":[{"family":"Müller","given":["Ann  Sofie"]}],"birthDate":"1970-02"}"#,
        );
        for expected in [
            ("_id", EntryValue::Token(String::new(), "a".into())),
            ("identifier", EntryValue::Token("s".into(), "1".into())),
            ("family", EntryValue::Text("muller".into())),
            ("given", EntryValue::Text("ann sofie".into())),
            ("name", EntryValue::Text("muller".into())),
        ] {
            assert!(all.iter().any(|entry| *entry == expected), "{}", expected.0);
        }
        assert!(
            all.iter().any(|(code, value)| *code == "birthdate" && matches!(value, EntryValue::Date(a, b) if b > a))
        );
    }

    #[test]
    fn references_are_resolved_and_told_apart_by_type() {
        let all = entries(
            r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]},"subject":{"reference":"urn:uuid:x"},"performer":[{"reference":"Practitioner/3/_history/2"}]}"#,
        );
        assert!(all.contains(&("patient", EntryValue::Reference("Patient/7".into()))));
        assert!(all.contains(&("performer", EntryValue::Reference("Practitioner/3".into()))));
        assert!(all.contains(&("code", EntryValue::Token("http://loinc.org".into(), "1-8".into()))));
    }
}
