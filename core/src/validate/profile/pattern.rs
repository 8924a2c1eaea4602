//! A fixed value or a pattern, and whether a value has it.

use crate::decimal::Decimal;
use crate::record::{Node, NodeKind};

/// A value of a definition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pattern {
    Object(Vec<(Box<str>, Pattern)>),
    Array(Vec<Pattern>),
    Text(Box<str>),
    Number(Decimal),
    Bool(bool),
    Null,
}

impl Pattern {
    pub(crate) fn of(node: Node<'_>) -> Self {
        match node.kind() {
            NodeKind::Object => {
                Pattern::Object(node.entries().map(|(name, value)| (name.into(), Pattern::of(value))).collect())
            }
            NodeKind::Array => Pattern::Array(node.items().map(Pattern::of).collect()),
            NodeKind::String => Pattern::Text(node.as_str().unwrap_or_default().into()),
            NodeKind::Number => node.as_decimal().map_or(Pattern::Null, Pattern::Number),
            NodeKind::Bool => Pattern::Bool(node.as_bool().unwrap_or_default()),
            NodeKind::Null => Pattern::Null,
        }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Pattern::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a property.
    pub(crate) fn get(&self, name: &str) -> Option<&Pattern> {
        match self {
            Pattern::Object(entries) => entries.iter().find(|(key, _)| &**key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Whether `node` is this value and nothing else (R4, ElementDefinition.fixed[x]).
    pub(crate) fn equals(&self, node: Node<'_>) -> bool {
        match self {
            Pattern::Object(entries) => {
                node.kind() == NodeKind::Object
                    && node.entries().count() == entries.len()
                    && entries.iter().all(|(name, value)| node.get(name).is_some_and(|node| value.equals(node)))
            }
            Pattern::Array(items) => {
                node.kind() == NodeKind::Array
                    && node.items().count() == items.len()
                    && items.iter().zip(node.items()).all(|(item, node)| item.equals(node))
            }
            _ => self.same(node),
        }
    }

    /// Whether `node` has at least this in it (R4, ElementDefinition.pattern[x]).
    pub(crate) fn fits(&self, node: Node<'_>) -> bool {
        match self {
            Pattern::Object(entries) => {
                node.kind() == NodeKind::Object
                    && entries.iter().all(|(name, value)| node.get(name).is_some_and(|node| value.fits(node)))
            }
            Pattern::Array(items) => {
                node.kind() == NodeKind::Array && items.iter().all(|item| node.items().any(|node| item.fits(node)))
            }
            _ => self.same(node),
        }
    }

    fn same(&self, node: Node<'_>) -> bool {
        match self {
            Pattern::Text(text) => node.is_text(text),
            Pattern::Number(number) => node.as_decimal().is_some_and(|found| found.cmp_value(number).is_eq()),
            Pattern::Bool(value) => node.as_bool() == Some(*value),
            Pattern::Null => node.kind() == NodeKind::Null,
            Pattern::Object(_) | Pattern::Array(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read_document;
    use crate::limits::Limits;

    fn judge(pattern: &str, value: &str) -> (bool, bool) {
        let read = |text: &str| read_document(text.as_bytes(), &Limits::DEFAULT).expect("JSON");
        let (pattern, value) = (read(pattern), read(value));
        let pattern = Pattern::of(pattern.root());
        (pattern.equals(value.root()), pattern.fits(value.root()))
    }

    #[test]
    fn a_fixed_value_is_the_whole_and_a_pattern_a_part() {
        assert_eq!(judge(r#"{"a":1}"#, r#"{"a":1.0}"#), (true, true));
        assert_eq!(judge(r#"{"a":1}"#, r#"{"a":1,"b":2}"#), (false, true));
        assert_eq!(judge(r#"{"a":1,"b":2}"#, r#"{"a":1}"#), (false, false));
        assert_eq!(judge(r#"["x"]"#, r#"["y","x"]"#), (false, true));
        assert_eq!(judge(r#"["x"]"#, r#"["X"]"#), (false, false));
        assert_eq!(judge("true", "true"), (true, true));
        assert_eq!(judge("null", "true"), (false, false));
    }
}
