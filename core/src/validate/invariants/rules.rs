//! The invariants of R4, compiled once, by the type or the element they are about.

use crate::fhirpath::Expression;
use crate::schema::{ElementId, Invariant, TypeId, invariants};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// One invariant, ready to be evaluated.
pub(super) struct Rule {
    pub(super) key: Arc<str>,
    pub(super) warning: bool,
    pub(super) expression: Expression,
}

/// Published corrections of expressions that refuse what their own text allows, or the other way round.
const CORRECTIONS: &str = include_str!("../../../docs/invariant-corrections.tsv");

/// What reading the record has checked already: these would only say the same twice.
pub(super) const READ: &[&str] = &[
    "bdl-1", "bdl-2", "bdl-3", "bdl-4", "bdl-5", "bdl-7", "bdl-8", "bdl-9", "bdl-10", "bdl-11", "bdl-12", "dom-2",
    "dom-4", "dom-5", "ele-1", "ref-1", "txt-1", "txt-2",
];

pub(super) struct Rules {
    of_type: Vec<Vec<Rule>>,
    of_element: HashMap<ElementId, Vec<Rule>>,
}

impl Rules {
    /// The rules about a type, those of the types it is derived from included.
    pub(super) fn of_type(&self, id: TypeId) -> impl Iterator<Item = &Rule> {
        let own = move |id: TypeId| self.of_type[id.0 as usize].iter();
        std::iter::successors(Some(id), |id| id.base()).flat_map(own)
    }
    /// The rules about an element.
    pub(super) fn of_element(&self, id: ElementId) -> &[Rule] {
        self.of_element.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// All rules; compiled where they are first asked for.
pub(super) fn rules() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(|| {
        let compiled = |of: TypeId, found: &mut dyn Iterator<Item = &'static Invariant>| -> Vec<Rule> {
            found.filter(|row| !READ.contains(&row.key)).map(|row| compile(row, of)).collect()
        };
        let elements = TypeId::all().flat_map(TypeId::elements);
        Rules {
            of_type: TypeId::all().map(|id| compiled(id, &mut invariants(id))).collect(),
            of_element: elements
                .map(|element| (element, compiled(element.owner(), &mut element.invariants())))
                .filter(|(_, rules)| !rules.is_empty())
                .collect(),
        }
    });
    &RULES
}

fn compile(row: &'static Invariant, of: TypeId) -> Rule {
    let text = corrected(row, of);
    // INVARIANT: a test compiles every expression of the tables and of the corrections.
    let expression = Expression::compile(text).expect("an invariant of R4 compiles");
    Rule { key: row.key.into(), warning: row.warning, expression }
}

/// The expression, as R4 has it or as the published list corrects it. A key that R4 uses twice is listed as `key@Type`.
pub(super) fn corrected(row: &'static Invariant, of: TypeId) -> &'static str {
    let found = CORRECTIONS.lines().skip(1).find_map(|line| {
        let mut fields = line.split('\t');
        let (key, owner) = fields.next().map(|name| name.split_once('@').unwrap_or((name, of.name())))?;
        if (key, owner) == (row.key, of.name()) { fields.next() } else { None }
    });
    found.unwrap_or(row.expression)
}
