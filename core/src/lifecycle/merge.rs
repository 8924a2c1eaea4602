//! Two edits of one version brought together, element by element, where that takes no guess.
//!
//! A data type (a quantity, a name, a coding, a period, a dosage) is one statement and is never mixed. Inside a resource and inside the
//! elements FHIR calls backbone, each element is merged by itself: the side that changed it wins over the side that did not, and
//! where both changed it differently they clash. What a record is about (its subject, its code) and what turns its meaning (its
//! status) goes together with the rest of its object: one side changing it while the other changes anything else is a clash too.
//! Items of arrays are told apart by `id`, `linkId`, identifier, coding, url or reference where all have one; otherwise by position,
//! and only where no position can be meant in two ways.

use super::differ::{TURNS, same};
use crate::record::{Node, NodeKind, Record, Value};
use crate::schema::{ResourceType, TypeKind};
use std::collections::HashSet;

/// Which side wins where both changed the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    Theirs,
    Mine,
}

/// What became of two edits.
pub(super) struct Merge {
    /// The record with both edits; where they clash, with the side that is preferred.
    pub(super) value: Value,
    /// Paths of the elements where they clash, of schema names.
    pub(super) clashes: Vec<String>,
}

/// Elements that say what the rest of their object is about.
const ABOUT: &[&str] = &[
    "code",
    "medication",
    "vaccineCode",
    "subject",
    "patient",
    "beneficiary",
    "individual",
    "product",
    "resourceType",
    "id",
];
/// Elements that may change beside anything.
const BESIDE: &[&str] = &["meta", "text", "note", "identifier"];
/// Types of which two people may each add one: each is a statement of its own.
const ADDED: &[&str] = &[
    "Annotation",
    "HumanName",
    "Address",
    "ContactPoint",
    "Attachment",
    "Identifier",
    "Reference",
    "Coding",
    "Extension",
];

/// Brings `theirs` and `mine`, both made from `base`, together.
pub(super) fn merge(base: &Record, theirs: &Record, mine: &Record, prefer: Prefer) -> Merge {
    let mut merger = Merger { prefer, clashes: Vec::new() };
    // Whose it is goes together with all the rest of it, down to a note.
    if whose(theirs) != whose(mine) {
        merger.clash(theirs.root());
        return Merge { value: Value::from(*merger.preferred(&theirs.root(), &mine.root())), clashes: merger.clashes };
    }
    let value = merger.object(base.root(), theirs.root(), mine.root(), Place::Root);
    Merge { value, clashes: merger.clashes }
}

/// What a record says about whose it is: the references by which it gets into a chart. A Patient is in its own, whatever it links to.
fn whose(record: &Record) -> Vec<String> {
    let mut all = Vec::new();
    if record.kind() == ResourceType::PATIENT {
        return all;
    }
    for path in record.kind().patient_paths() {
        record.select(path, |node| {
            let reference = node.text("reference").map(|text| text.into_owned());
            all.push(reference.unwrap_or_else(|| String::from_utf8_lossy(&Value::from(node).to_json()).into_owned()));
        });
    }
    all
}

struct Merger {
    prefer: Prefer,
    clashes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Meta,
    Below,
}

/// An element of an object with all its properties: `value` has `valueString` and `_valueString`.
struct Unit<'a> {
    name: String,
    properties: Vec<(String, Node<'a>)>,
}

fn units(object: Node<'_>) -> Vec<Unit<'_>> {
    let mut all: Vec<Unit<'_>> = Vec::new();
    for (key, node) in object.entries() {
        let plain = key.strip_prefix('_').unwrap_or(&key);
        let name = node.element().map_or(plain, |element| element.name());
        match all.iter_mut().find(|unit| unit.name == name) {
            Some(unit) => unit.properties.push((key.into_owned(), node)),
            None => all.push(Unit { name: name.to_owned(), properties: vec![(key.into_owned(), node)] }),
        }
    }
    all
}

fn same_units(a: Option<&Unit<'_>>, b: Option<&Unit<'_>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            let has = |key: &str| b.properties.iter().find(|(other, _)| other == key).map(|(_, node)| *node);
            a.properties.len() == b.properties.len()
                && a.properties.iter().all(|(key, node)| has(key).is_some_and(|other| same(*node, other)))
        }
        _ => false,
    }
}

fn copy(unit: Option<&Unit<'_>>) -> Vec<(String, Value)> {
    unit.into_iter().flat_map(|unit| &unit.properties).map(|(key, node)| (key.clone(), Value::from(*node))).collect()
}

impl Merger {
    fn clash(&mut self, at: Node<'_>) {
        let path = at.path();
        if !self.clashes.contains(&path) {
            self.clashes.push(path);
        }
    }

    fn preferred<'v, T: ?Sized>(&self, theirs: &'v T, mine: &'v T) -> &'v T {
        match self.prefer {
            Prefer::Theirs => theirs,
            Prefer::Mine => mine,
        }
    }

    fn object(&mut self, base: Node<'_>, theirs: Node<'_>, mine: Node<'_>, place: Place) -> Value {
        let (b, t, m) = (units(base), units(theirs), units(mine));
        let find = |units: &'_ [Unit<'_>], name: &str| units.iter().position(|unit| unit.name == name);
        let of = |name: &str| {
            let unit = |units: &'_ [Unit<'_>]| find(units, name);
            (unit(&b), unit(&t), unit(&m))
        };
        let mut names: Vec<&str> = t.iter().map(|unit| unit.name.as_str()).collect();
        for unit in m.iter().chain(&b) {
            if !names.contains(&unit.name.as_str()) {
                names.push(&unit.name);
            }
        }
        // What each side changed, apart from what both changed alike.
        let (mut by_them, mut by_me) = (Vec::new(), Vec::new());
        for name in &names {
            let (at_b, at_t, at_m) = of(name);
            let (b, t, m) = (at_b.map(|at| &b[at]), at_t.map(|at| &t[at]), at_m.map(|at| &m[at]));
            if same_units(t, m) {
                continue;
            }
            if !same_units(b, t) {
                by_them.push(*name);
            }
            if !same_units(b, m) {
                by_me.push(*name);
            }
        }
        let decides = |name: &&str| place != Place::Meta && (ABOUT.contains(name) || TURNS.contains(name));
        let weighs = |name: &&str| !BESIDE.contains(name);
        for (decided, other) in [(&by_them, &by_me), (&by_me, &by_them)] {
            if decided.iter().any(&decides) && other.iter().any(&weighs) {
                self.clash(theirs);
                return Value::from(*self.preferred(&theirs, &mine));
            }
        }
        let mixed = !by_them.is_empty() && !by_me.is_empty();
        let mut out = Vec::new();
        for name in names {
            let (at_b, at_t, at_m) = of(name);
            let (b, t, m) = (at_b.map(|at| &b[at]), at_t.map(|at| &t[at]), at_m.map(|at| &m[at]));
            if place == Place::Root && name == "text" && mixed && self.narrative(b, t, m, &mut out) {
                continue;
            }
            if same_units(b, m) || same_units(t, m) {
                out.extend(copy(t));
            } else if same_units(b, t) {
                out.extend(copy(m));
            } else {
                self.both(b, t, m, (place, theirs), &mut out);
            }
        }
        Value::Object(out)
    }

    /// A narrative that was generated from one side's data does not tell what the other side changed: it goes, to be made
    /// anew. One that a person wrote stays where neither side touched it, and clashes where one did.
    fn narrative(
        &mut self,
        b: Option<&Unit<'_>>,
        t: Option<&Unit<'_>>,
        m: Option<&Unit<'_>>,
        out: &mut Vec<(String, Value)>,
    ) -> bool {
        let generated = |unit: Option<&Unit<'_>>| {
            unit.is_none_or(|unit| {
                unit.properties.iter().all(|(_, node)| node.text("status").is_some_and(|status| status == "generated"))
            })
        };
        if generated(t) && generated(m) {
            return true;
        }
        if same_units(t, m) && same_units(b, t) {
            return false;
        }
        let at = t.or(m).map(|unit| unit.properties[0].1);
        if let Some(at) = at {
            self.clash(at);
        }
        out.extend(copy(*self.preferred(&t, &m)));
        true
    }

    /// Both sides changed an element, and not alike.
    fn both(
        &mut self,
        b: Option<&Unit<'_>>,
        t: Option<&Unit<'_>>,
        m: Option<&Unit<'_>>,
        (place, whole): (Place, Node<'_>),
        out: &mut Vec<(String, Value)>,
    ) {
        if place == Place::Meta && t.or(m).is_some_and(|unit| matches!(&*unit.name, "versionId" | "lastUpdated")) {
            out.extend(copy(t.or(m))); // of the bookkeeping of servers the newer one counts
            return;
        }
        if let (Some(b), Some(t), Some(m)) = (b, t, m)
            && let ([(key, base)], [(their_key, theirs)], [(my_key, mine)]) =
                (&*b.properties, &*t.properties, &*m.properties)
            && key == their_key
            && key == my_key
        {
            let below = if place == Place::Root && key == "meta" { Place::Meta } else { Place::Below };
            match (base.kind(), theirs.kind(), mine.kind()) {
                (NodeKind::Object, NodeKind::Object, NodeKind::Object)
                    if below == Place::Meta || is_composed(*theirs) =>
                {
                    let value = self.object(*base, *theirs, *mine, below);
                    out.push((key.clone(), value));
                    return;
                }
                (NodeKind::Array, NodeKind::Array, NodeKind::Array) => {
                    let value = self.array(*base, *theirs, *mine);
                    out.push((key.clone(), value));
                    return;
                }
                _ => {}
            }
        }
        let at = t.or(m).map_or(whole, |unit| unit.properties[0].1);
        self.clash(at);
        out.extend(copy(*self.preferred(&t, &m)));
    }

    fn array(&mut self, base: Node<'_>, theirs: Node<'_>, mine: Node<'_>) -> Value {
        let (b, t, m): (Vec<Node<'_>>, Vec<Node<'_>>, Vec<Node<'_>>) =
            (base.items().collect(), theirs.items().collect(), mine.items().collect());
        let merged = match (keys(&b), keys(&t), keys(&m)) {
            (Some(b_keys), Some(t_keys), Some(m_keys)) => self.keyed((&b, &b_keys), (&t, &t_keys), (&m, &m_keys)),
            _ => self.placed(&b, &t, &m),
        };
        match merged {
            Some(items) => Value::Array(items),
            None => {
                self.clash(theirs);
                Value::from(*self.preferred(&theirs, &mine))
            }
        }
    }

    /// Items that are told apart by a key.
    fn keyed<'a>(
        &mut self,
        (b, b_keys): (&[Node<'a>], &[String]),
        (t, t_keys): (&[Node<'a>], &[String]),
        (m, m_keys): (&[Node<'a>], &[String]),
    ) -> Option<Vec<Value>> {
        let moved = |keys: &[String]| {
            let kept: Vec<&String> = b_keys.iter().filter(|key| keys.contains(key)).collect();
            kept != keys.iter().filter(|key| b_keys.contains(key)).collect::<Vec<_>>()
        };
        let (first, second) = match (moved(t_keys), moved(m_keys)) {
            (true, true) => return None,
            (false, true) => (m_keys, t_keys),
            _ => (t_keys, m_keys),
        };
        let order = first.iter().chain(second.iter().filter(|key| !first.contains(key)));
        let mut out = Vec::new();
        for key in order {
            let of = |items: &[Node<'a>], keys: &[String]| Some(items[keys.iter().position(|other| other == key)?]);
            let (b, t, m) = (of(b, b_keys), of(t, t_keys), of(m, m_keys));
            let alike = |x: Option<Node<'_>>, y: Option<Node<'_>>| match (x, y) {
                (Some(x), Some(y)) => same(x, y),
                (None, None) => true,
                _ => false,
            };
            if alike(b, m) || alike(t, m) {
                out.extend(t.map(Value::from));
            } else if alike(b, t) {
                out.extend(m.map(Value::from));
            } else {
                match (b, t, m) {
                    (Some(b), Some(t), Some(m)) if is_composed(t) && t.kind() == NodeKind::Object => {
                        let value = self.object(b, t, m, Place::Below);
                        out.push(value);
                    }
                    _ => {
                        if let Some(at) = t.or(m) {
                            self.clash(at);
                        }
                        out.extend(self.preferred(&t, &m).map(Value::from));
                    }
                }
            }
        }
        Some(out)
    }

    /// Items that are told apart by their places only.
    fn placed(&mut self, b: &[Node<'_>], t: &[Node<'_>], m: &[Node<'_>]) -> Option<Vec<Value>> {
        let begins = |longer: &[Node<'_>]| {
            longer.len() >= b.len() && b.iter().zip(longer).all(|(one, other)| same(*one, *other))
        };
        let values = |items: &[Node<'_>]| items.iter().map(|item| Value::from(*item)).collect::<Vec<_>>();
        if b.len() == t.len() && b.len() == m.len() {
            let mut out = Vec::with_capacity(b.len());
            for ((b, t), m) in b.iter().zip(t).zip(m) {
                if same(*b, *m) || same(*t, *m) {
                    out.push(Value::from(*t));
                } else if same(*b, *t) {
                    out.push(Value::from(*m));
                } else {
                    self.clash(*t);
                    out.push(Value::from(*self.preferred(t, m)));
                }
            }
            return Some(out);
        }
        if m.len() == b.len() && begins(t) {
            return Some([values(m), values(&t[b.len()..])].concat());
        }
        if t.len() == b.len() && begins(m) {
            return Some([values(t), values(&m[b.len()..])].concat());
        }
        let statement = t.first().and_then(|item| item.type_id()).is_some_and(|kind| ADDED.contains(&kind.name()));
        if begins(t) && begins(m) && statement {
            let mut out = values(t);
            let more = m[b.len()..].iter().filter(|item| !t[b.len()..].iter().any(|other| same(**item, *other)));
            out.extend(more.map(|item| Value::from(*item)));
            return Some(out);
        }
        None
    }
}

/// Whether a value is made of elements that each say something by themselves.
fn is_composed(node: Node<'_>) -> bool {
    let kind = node.type_id().map(|kind| kind.row().kind);
    matches!(kind, Some(TypeKind::Backbone | TypeKind::Resource | TypeKind::AnyResource))
}

/// What tells the items of an array apart, where each has it and no two the same.
fn keys(items: &[Node<'_>]) -> Option<Vec<String>> {
    let keys: Vec<String> = items.iter().map(|item| key(*item)).collect::<Option<_>>()?;
    let distinct: HashSet<&String> = keys.iter().collect();
    (distinct.len() == keys.len()).then_some(keys)
}

fn key(item: Node<'_>) -> Option<String> {
    if item.kind() != NodeKind::Object {
        return None;
    }
    let text = |name: &str| item.text(name).map(|text| text.into_owned());
    if let Some(id) = text("id") {
        return Some(format!("id {id}"));
    }
    if let Some(link) = text("linkId") {
        return Some(format!("link {link}"));
    }
    let pair = |system: &str, value: &str| {
        Some(format!("{} {}", text(system).unwrap_or_default().escape_default(), text(value)?))
    };
    match item.type_id()?.name() {
        "Identifier" => pair("system", "value"),
        "Coding" => pair("system", "code"),
        "ContactPoint" => pair("system", "value"),
        "Extension" => text("url"),
        "Reference" => text("reference"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(rest: &str) -> Record {
        let json = format!(r#"{{"resourceType":"Patient","id":"p"{rest}}}"#);
        Record::parse(json.as_bytes()).expect("a resource")
    }

    fn observation(rest: &str) -> Record {
        let json = format!(r#"{{"resourceType":"Observation","id":"o"{rest}}}"#);
        Record::parse(json.as_bytes()).expect("a resource")
    }

    /// Merges, and says what came out or where it clashes.
    fn merged(base: &Record, theirs: &Record, mine: &Record) -> Result<String, Vec<String>> {
        let done = merge(base, theirs, mine, Prefer::Theirs);
        let turned = merge(base, mine, theirs, Prefer::Theirs);
        assert_eq!(done.clashes.is_empty(), turned.clashes.is_empty(), "a clash is one from both sides");
        if done.clashes.is_empty() {
            let (one, other) = (Record::from_value(&done.value), Record::from_value(&turned.value));
            assert!(one.is_ok() && other.is_ok());
            Ok(String::from_utf8(done.value.to_json()).expect("JSON is UTF-8"))
        } else {
            Err(done.clashes)
        }
    }

    #[test]
    fn edits_of_different_elements_come_together_and_those_of_one_clash() {
        let base = record(r#","birthDate":"1970-01-01","gender":"male","telecom":[{"system":"phone","value":"1"}]"#);
        let theirs = record(r#","birthDate":"1970-01-02","gender":"male","telecom":[{"system":"phone","value":"1"}]"#);
        let mine = record(
            r#","birthDate":"1970-01-01","gender":"male","telecom":[{"system":"phone","value":"1"},{"system":"email","value":"a"}],"maritalStatus":{"text":"m"}"#,
        );
        assert_eq!(
            merged(&base, &theirs, &mine).expect("no clash"),
            r#"{"resourceType":"Patient","id":"p","birthDate":"1970-01-02","gender":"male","telecom":[{"system":"phone","value":"1"},{"system":"email","value":"a"}],"maritalStatus":{"text":"m"}}"#
        );
        let both = record(r#","birthDate":"1971","gender":"male","telecom":[{"system":"phone","value":"1"}]"#);
        assert_eq!(merged(&base, &theirs, &both), Err(vec!["Patient.birthDate".to_owned()]));
        // Alike is no clash; taking away what the other changes is one.
        assert!(merged(&base, &theirs, &theirs).is_ok());
        let gone = record(r#","gender":"male","telecom":[{"system":"phone","value":"1"}]"#);
        assert!(merged(&base, &theirs, &gone).is_err());
        assert!(!merged(&base, &gone, &base).expect("no clash").contains("birthDate"));
    }

    #[test]
    fn a_data_type_is_never_made_of_two_edits() {
        let base = observation(r#","status":"final","valueQuantity":{"value":5,"unit":"mg"}"#);
        let theirs = observation(r#","status":"final","valueQuantity":{"value":6,"unit":"mg"}"#);
        let mine = observation(r#","status":"final","valueQuantity":{"value":5,"unit":"g"}"#);
        assert!(merged(&base, &theirs, &mine).is_err());
        // Nor is a choice given two values, nor a value parted from its companion.
        let text = observation(r#","status":"final","valueString":"5 mg""#);
        assert!(merged(&base, &theirs, &text).is_err());
        let (a, b) = (observation(r#","valueString":"x""#), observation(r#","valueString":"y""#));
        let marked = observation(r#","valueString":"x","_valueString":{"id":"k"}"#);
        assert!(merged(&a, &b, &marked).is_err());
    }

    #[test]
    fn what_a_record_is_about_and_what_turns_it_goes_with_all_of_it() {
        let base = observation(r#","status":"final","code":{"text":"sodium"},"valueString":"5""#);
        let about = observation(r#","status":"final","code":{"text":"potassium"},"valueString":"5""#);
        let value = observation(r#","status":"final","code":{"text":"sodium"},"valueString":"6""#);
        let wrong = observation(r#","status":"entered-in-error","code":{"text":"sodium"},"valueString":"5""#);
        let noted =
            observation(r#","status":"final","code":{"text":"sodium"},"valueString":"5","note":[{"text":"n"}]"#);
        assert!(merged(&base, &about, &value).is_err());
        assert!(merged(&base, &wrong, &value).is_err());
        assert!(merged(&base, &about, &noted).is_ok());
        assert!(merged(&base, &value, &noted).is_ok());
    }

    #[test]
    fn items_are_told_apart_by_key_else_by_place_and_not_where_a_place_could_mean_two() {
        let item = |id: &str, rest: &str| format!(r#"{{"id":"{id}","name":{{"text":"{id}"}}{rest}}}"#);
        let contacts = |items: &[String]| record(&format!(r#","contact":[{}]"#, items.join(",")));
        let base = contacts(&[item("a", ""), item("b", "")]);
        // Keyed: one takes a away and adds c, the other changes b: order of theirs, then what is mine.
        let theirs = contacts(&[item("b", ""), item("c", "")]);
        let mine = contacts(&[item("a", ""), item("b", r#","gender":"male""#)]);
        let both = merged(&base, &theirs, &mine).expect("no clash");
        assert_eq!(
            both,
            String::from_utf8_lossy(contacts(&[item("b", r#","gender":"male""#), item("c", "")]).original())
        );
        // Different elements of one item come together.
        let one = contacts(&[item("a", r#","gender":"male""#), item("b", "")]);
        let other = contacts(&[item("a", r#","address":{"text":"x"}"#), item("b", "")]);
        assert!(merged(&base, &one, &other).expect("no clash").contains(r#""gender":"male","address""#));
        assert!(merged(&base, &theirs, &one).is_err(), "one side took away what the other changed");

        // Without keys: by place where each place means one, otherwise not at all.
        let names = |items: &str| record(&format!(r#","name":[{items}]"#));
        let base = names(r#"{"family":"A"},{"family":"B"}"#);
        let first = names(r#"{"family":"A2"},{"family":"B"}"#);
        let second = names(r#"{"family":"A"},{"family":"B2"}"#);
        assert!(merged(&base, &first, &second).expect("no clash").contains(r#"[{"family":"A2"},{"family":"B2"}]"#));
        let longer = names(r#"{"family":"A"},{"family":"B"},{"family":"C"}"#);
        assert!(
            merged(&base, &first, &longer)
                .expect("no clash")
                .contains(r#"{"family":"A2"},{"family":"B"},{"family":"C"}"#)
        );
        let shorter = names(r#"{"family":"B"}"#);
        assert!(merged(&base, &first, &shorter).is_err());
        // Two statements may be added by two; two steps of a dosage may not.
        let more = names(r#"{"family":"A"},{"family":"B"},{"family":"D"}"#);
        assert!(merged(&base, &longer, &more).expect("no clash").contains(r#"{"family":"C"},{"family":"D"}"#));
        let dose = |items: &str| {
            let json = format!(r#"{{"resourceType":"MedicationRequest","id":"m","dosageInstruction":[{items}]}}"#);
            Record::parse(json.as_bytes()).expect("a resource")
        };
        let (base, one, other) =
            (dose(r#"{"text":"1"}"#), dose(r#"{"text":"1"},{"text":"2"}"#), dose(r#"{"text":"1"},{"text":"3"}"#));
        assert_eq!(merged(&base, &one, &other), Err(vec!["MedicationRequest.dosageInstruction".to_owned()]));
    }

    #[test]
    fn a_generated_narrative_of_one_side_does_not_speak_for_both() {
        let text = |status: &str, words: &str| {
            format!(
                r#","text":{{"status":"{status}","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{words}</div>"}}"#
            )
        };
        let base = record(&format!(r#"{},"gender":"male""#, text("generated", "m")));
        let theirs = record(&format!(r#"{},"gender":"female""#, text("generated", "f")));
        let mine = record(&format!(r#"{},"gender":"male","birthDate":"1970""#, text("generated", "m 1970")));
        assert!(!merged(&base, &theirs, &mine).expect("no clash").contains("text"));
        let written = record(&format!(r#"{},"gender":"male","birthDate":"1970""#, text("additional", "m 1970")));
        assert_eq!(merged(&base, &theirs, &written), Err(vec!["Patient.text".to_owned()]));
        let alone = record(&format!(r#"{},"gender":"male""#, text("generated", "m")));
        assert!(merged(&base, &theirs, &alone).expect("no clash").contains("<div"));
    }
}
