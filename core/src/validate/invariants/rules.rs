//! The invariants of R4, compiled once, by the type or the element they are about; and what is known of each from which
//! children an element has.

use crate::fhirpath::Expression;
use crate::schema::{ElementId, Invariant, TypeId, TypeKind, all_invariants, invariants};
use std::sync::{Arc, LazyLock, OnceLock};

/// One invariant, ready to be evaluated.
pub(super) struct Rule {
    pub(super) key: Arc<str>,
    pub(super) warning: bool,
    pub(super) expression: Expression,
    /// A check of bytes that proves it, for rules that are met everywhere.
    pub(super) native: Option<super::native::Check>,
}

/// Published corrections of expressions that refuse what their own text allows, or the other way round.
const CORRECTIONS: &str = include_str!("../../../docs/invariant-corrections.tsv");

/// What reading the record has checked already: these would only say the same twice.
pub(super) const READ: &[&str] = &[
    "bdl-1", "bdl-2", "bdl-3", "bdl-4", "bdl-5", "bdl-7", "bdl-8", "bdl-9", "bdl-10", "bdl-11", "bdl-12", "dom-2",
    "dom-4", "dom-5", "ele-1", "ref-1", "txt-1", "txt-2",
];

/// A rule over elements of one type.
pub(super) struct Planned {
    pub(super) rule: Arc<Rule>,
    filter: Option<Filter>,
}

impl Planned {
    /// Whether the rule holds for every element with these children.
    pub(super) fn holds_with(&self, children: u128) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.passes(children))
    }
}

/// The combinations of children with which an expression surely holds.
#[derive(Debug)]
pub(in crate::validate) struct Filter {
    /// Positions of the children that matter.
    children: Vec<u8>,
    /// Bit i is set where the rule holds with combination i of them.
    holds: u64,
}

/// With more children that matter, a rule is evaluated.
const MOST_CHILDREN: usize = 6;

impl Filter {
    pub(in crate::validate) fn new(expression: &Expression, of: TypeId) -> Option<Self> {
        let mut children: Vec<(u8, &str)> = Vec::new();
        let place = |name: &str| of.elements().position(|element| element.name() == name);
        expression.child_names(|name| {
            if let Some(at) = place(name).filter(|_| !children.iter().any(|(_, known)| *known == name)) {
                children.push((at as u8, name));
            }
        });
        if children.len() > MOST_CHILDREN {
            return None;
        }
        let mut holds = 0;
        for combination in 0..1_u64 << children.len() {
            let has = |name: &str| {
                let at = children.iter().position(|(_, known)| *known == name)?;
                Some(combination >> at & 1 == 1)
            };
            holds |= u64::from(expression.surely_holds(&has)) << combination;
        }
        (holds != 0).then(|| Filter { children: children.into_iter().map(|(at, _)| at).collect(), holds })
    }
    pub(in crate::validate) fn passes(&self, present: u128) -> bool {
        let bit = |(i, at): (usize, &u8)| ((present >> at & 1) as u64) << i;
        let combination: u64 = self.children.iter().enumerate().map(bit).sum();
        self.holds >> combination & 1 == 1
    }
}

/// The rules over elements of one type.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) rules: Vec<Planned>,
}

/// The rules of R4, each compiled where it is first asked for: a process that checks one record needs few of them.
pub(super) struct Rules {
    /// The rules that a type has of its own, and those with what it is derived from.
    own: Vec<OnceLock<Vec<Arc<Rule>>>>,
    types: Vec<OnceLock<Plan>>,
    /// Whether a type has rules or is a resource, so that its elements are looked at.
    of_interest: Vec<bool>,
    /// The plan of an element, from 1; 0 where it has no rules of its own.
    elements: Vec<u8>,
    plans: Vec<(ElementId, OnceLock<Plan>)>,
}

impl Rules {
    /// Whether there is anything to do at an element of this type.
    #[inline]
    pub(super) fn is_of_interest(&self, type_id: u16, element: u16) -> bool {
        self.of_interest[usize::from(type_id)] || self.elements.get(usize::from(element)).is_some_and(|plan| *plan > 0)
    }
    /// The rules about a type, those of the types it is derived from included.
    #[inline]
    pub(super) fn of_type(&self, id: TypeId) -> &Plan {
        self.types[usize::from(id.0)].get_or_init(|| {
            let all = chain(id).flat_map(|of| self.own_of(of));
            Plan { rules: all.map(|rule| planned(rule, id)).collect() }
        })
    }
    /// The rules about an element.
    #[inline]
    pub(super) fn of_element(&self, id: ElementId) -> Option<&Plan> {
        let plan = usize::from(*self.elements.get(usize::from(id.0))?);
        let (element, plan) = self.plans.get(plan.checked_sub(1)?)?;
        Some(plan.get_or_init(|| {
            let asked = element.invariants().filter(is_asked);
            let made = |row| Some(planned(&Arc::new(compile(row, element.owner())), element.types().next()?));
            Plan { rules: asked.filter_map(made).collect() }
        }))
    }
    fn own_of(&self, of: TypeId) -> &[Arc<Rule>] {
        self.own[usize::from(of.0)]
            .get_or_init(|| invariants(of).filter(is_asked).map(|row| Arc::new(compile(row, of))).collect())
    }
}

/// All rules.
pub(super) fn rules() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(list);
    &RULES
}

/// A type and what it is derived from.
fn chain(id: TypeId) -> impl Iterator<Item = TypeId> {
    std::iter::successors(Some(id), |id| id.base())
}

/// Whether reading the record has not checked a rule already.
fn is_asked(row: &&'static Invariant) -> bool {
    !READ.contains(&row.key)
}

fn planned(rule: &Arc<Rule>, of: TypeId) -> Planned {
    Planned { filter: Filter::new(&rule.expression, of), rule: rule.clone() }
}

/// Which types and elements have rules.
fn list() -> Rules {
    let mut with_rules = vec![false; TypeId::all().len()];
    let (mut elements, mut plans) = (Vec::new(), Vec::new());
    for row in all_invariants().filter(is_asked) {
        match row.element() {
            None => with_rules[usize::from(row.owner().0)] = true,
            Some(element) if element.types().next().is_some() => {
                let at = usize::from(element.0);
                if elements.len() <= at {
                    elements.resize(at + 1, 0);
                }
                if elements[at] == 0 {
                    plans.push((element, OnceLock::new()));
                    // INVARIANT: R4 has fewer than 255 elements with rules of their own; a test counts them.
                    elements[at] = u8::try_from(plans.len()).expect("fewer than 256 elements have rules of their own");
                }
            }
            Some(_) => {}
        }
    }
    let of_interest =
        |id: TypeId| chain(id).any(|of| with_rules[usize::from(of.0)]) || id.row().kind == TypeKind::Resource;
    Rules {
        own: TypeId::all().map(|_| OnceLock::new()).collect(),
        types: TypeId::all().map(|_| OnceLock::new()).collect(),
        of_interest: TypeId::all().map(of_interest).collect(),
        elements,
        plans,
    }
}

fn compile(row: &'static Invariant, of: TypeId) -> Rule {
    let text = corrected(row, of);
    // INVARIANT: a test compiles every expression of the tables and of the corrections.
    let expression = Expression::compile(text).expect("an invariant of R4 compiles");
    Rule { key: row.key.into(), warning: row.warning, expression, native: super::native::check_of(row.key) }
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
