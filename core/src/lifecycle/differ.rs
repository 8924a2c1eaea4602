//! How two versions of an entry differ: as statements, not as text. White space and the order of properties say nothing; digits do.

use crate::record::{Node, NodeKind, Record};

/// Elements that turn the meaning of the rest: putting one where there was none is no mere addition, and an edit of one does not
/// go together with an edit of anything else.
pub(super) const TURNS: &[&str] = &[
    "status",
    "clinicalStatus",
    "verificationStatus",
    "intent",
    "doNotPerform",
    "active",
    "comparator",
    "modifierExtension",
    "implicitRules",
    "notGiven",
    "wasNotGiven",
];

/// Whether two values say the same.
pub(super) fn same(a: Node<'_>, b: Node<'_>) -> bool {
    if a.kind() != b.kind() {
        return false;
    }
    match a.kind() {
        NodeKind::String => a.as_str() == b.as_str(),
        NodeKind::Number | NodeKind::Bool | NodeKind::Null => a.raw() == b.raw(),
        NodeKind::Array => {
            a.items().count() == b.items().count() && a.items().zip(b.items()).all(|(one, other)| same(one, other))
        }
        NodeKind::Object => {
            a.entries().count() == b.entries().count()
                && a.entries().all(|(name, value)| b.get(&name).is_some_and(|other| same(value, other)))
        }
    }
}

/// Whether everything `base` says is said by `new` too: values may be added, none changed or taken away. The narrative,
/// `meta.versionId` and `meta.lastUpdated` are not looked at.
pub(super) fn only_adds(base: &Record, new: &Record) -> bool {
    keeps(base.root(), new.root(), Place::Root)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Meta,
    Below,
}

fn keeps(base: Node<'_>, new: Node<'_>, place: Place) -> bool {
    if base.kind() != new.kind() {
        return false;
    }
    match base.kind() {
        NodeKind::Object => {
            let kept = base.entries().all(|(name, value)| {
                let free = match place {
                    Place::Root => name == "text",
                    Place::Meta => name == "versionId" || name == "lastUpdated",
                    Place::Below => false,
                };
                let below = if place == Place::Root && name == "meta" { Place::Meta } else { Place::Below };
                free || new.get(&name).is_some_and(|other| keeps(value, other, below))
            });
            kept && new.entries().all(|(name, _)| !TURNS.contains(&&*name) || base.get(&name).is_some())
        }
        NodeKind::Array => {
            let mut rest = new.items();
            base.items().all(|item| rest.any(|other| keeps(item, other, Place::Below)))
        }
        _ => same(base, new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(rest: &str) -> Record {
        let json = format!(r#"{{"resourceType":"Observation","id":"o","code":{{"text":"x"}}{rest}}}"#);
        Record::parse(json.as_bytes()).expect("a resource")
    }

    #[test]
    fn an_addition_keeps_every_value_and_turns_none_around() {
        let base = observation(r#","status":"final","valueQuantity":{"value":1.0},"note":[{"text":"a"},{"text":"b"}]"#);
        let cases = [
            (
                r#","status":"final","valueQuantity":{"value":1.0,"unit":"mg"},"note":[{"text":"a"},{"text":"c"},{"text":"b"}]"#,
                true,
            ),
            (r#", "note":[{"text":"a"},{"text":"b"}],"status":"final","valueQuantity":{"value":1.0}"#, true),
            (
                r#","status":"final","text":{"status":"generated","div":"<div/>"},"valueQuantity":{"value":1.0},"note":[{"text":"a"},{"text":"b"}]"#,
                true,
            ),
            (r#","status":"final","valueQuantity":{"value":1},"note":[{"text":"a"},{"text":"b"}]"#, false),
            (r#","status":"amended","valueQuantity":{"value":1.0},"note":[{"text":"a"},{"text":"b"}]"#, false),
            (
                r#","status":"final","valueQuantity":{"value":1.0,"comparator":"<"},"note":[{"text":"a"},{"text":"b"}]"#,
                false,
            ),
            (r#","status":"final","valueQuantity":{"value":1.0},"note":[{"text":"b"},{"text":"a"}]"#, false),
            (r#","status":"final","valueQuantity":{"value":1.0},"note":[{"text":"a"}]"#, false),
            (r#","status":"final","note":[{"text":"a"},{"text":"b"}]"#, false),
        ];
        for (rest, expected) in cases {
            assert_eq!(only_adds(&base, &observation(rest)), expected, "{rest}");
        }
    }

    #[test]
    fn order_of_properties_and_white_space_say_nothing_and_digits_do() {
        let one = observation(r#","status":"final","valueQuantity":{"value":1.0,"unit":"mg"}"#);
        let other = observation(r#", "valueQuantity" : {"unit":"mg","value":1.0}, "status":"final""#);
        assert!(same(one.root(), other.root()));
        let digits = observation(r#","status":"final","valueQuantity":{"value":1.00,"unit":"mg"}"#);
        assert!(!same(one.root(), digits.root()));
    }
}
