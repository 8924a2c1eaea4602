//! A profile, compiled: a tree of rules that holds only what the profile asks beyond R4 itself.
//!
//! R4's own structure is checked where a record is read, so a rule that repeats it is left out. A snapshot is laid over an
//! empty tree; a differential is laid over the tree of the profile it is derived from. Both give the same rules.

mod compile;
mod constraint;
mod definitions;
mod pattern;

use compile::compile;
pub(crate) use compile::{HL7, type_named};
pub(crate) use constraint::Constraint;
pub(crate) use definitions::Definitions;
pub(crate) use pattern::Pattern;

use crate::schema::{ElementId, Strength, TypeId};
use crate::terminology::ValueSet;
use std::sync::{Arc, OnceLock};

/// A compiled StructureDefinition.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) url: Arc<str>,
    /// The type it constrains.
    pub(crate) kind: Box<str>,
    /// Where an extension may be used.
    pub(crate) contexts: Vec<Context>,
    /// What must hold where an extension is used.
    pub(crate) conditions: Vec<Arc<Constraint>>,
    /// Whether an extension changes the meaning of its element.
    pub(crate) modifier: bool,
    /// The rules; the first is about the resource or data type itself.
    pub(crate) rules: Vec<Rule>,
}

/// Where an extension may be used.
#[derive(Clone, Debug)]
pub(crate) enum Context {
    /// On an element of this path or type.
    Element(Box<str>),
    /// On the extension of this URL.
    Extension(Box<str>),
    /// On what a FHIRPath expression selects.
    Path(Arc<Constraint>),
}

/// What a profile asks of one element, or of one slice of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    /// The name of the element without `[x]`.
    pub(crate) name: Box<str>,
    /// R4's row of it, where the type it is part of is known.
    pub(crate) element: Option<ElementId>,
    pub(crate) slice: Option<Arc<str>>,
    pub(crate) min: u32,
    /// None where R4's own maximum stands.
    pub(crate) max: Option<u32>,
    /// The types left; empty where R4's own stand.
    pub(crate) types: Vec<TypeRule>,
    pub(crate) fixed: Option<Arc<Pattern>>,
    pub(crate) pattern: Option<Arc<Pattern>>,
    pub(crate) least: Option<Arc<Pattern>>,
    pub(crate) most: Option<Arc<Pattern>>,
    pub(crate) max_length: Option<u32>,
    pub(crate) min_length: Option<u32>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) constraints: Vec<Arc<Constraint>>,
    pub(crate) must_support: bool,
    pub(crate) narrative: Narrative,
    pub(crate) slicing: Option<Slicing>,
    /// Rules about elements of this one.
    pub(crate) children: Vec<u32>,
    /// The same, with what tells whether there is anything to do.
    pub(crate) briefs: Box<[Brief]>,
    /// Rules about its slices, in the order of the definition.
    pub(crate) slices: Vec<u32>,
    /// The rule whose children stand for this one's.
    pub(crate) same_as: Option<u32>,
    /// The single type, where there is one: what names of children mean.
    pub(crate) type_id: Option<TypeId>,
    /// Whether something is to be said where there is no value: a minimum, of the element or of a slice.
    pub(crate) needed: bool,
    /// How a value is told to belong to this slice; worked out at first use.
    pub(crate) tests: OnceLock<Box<[Test]>>,
    /// What references may point to; worked out at first use.
    pub(crate) targets: OnceLock<Box<[Target]>>,
}

/// A rule about an element, in brief.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief {
    pub(crate) rule: u32,
    /// R4's row of the element, where it is known.
    pub(crate) element: Option<ElementId>,
    /// Whether something is to be said where there is no value.
    pub(crate) needed: bool,
    pub(crate) must_support: bool,
}

/// What a reference may point to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: Arc<str>,
    /// The type that the profile of this URL is about; None where it is in no package.
    pub(crate) kind: Option<Box<str>>,
    /// Whether it is a type of R4 itself.
    pub(crate) base: bool,
}

/// What a profile asks of the parts of a narrative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrative {
    /// Each part says whether it is boilerplate, generated or original.
    pub(crate) sources: bool,
    /// There are parts for languages, or there are none.
    pub(crate) languages: Option<bool>,
}

/// A type that is left, and what its values must conform to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TypeRule {
    pub(crate) code: Box<str>,
    /// R4's type of that name.
    pub(crate) type_id: Option<TypeId>,
    /// At least one of these profiles; any where empty.
    pub(crate) profiles: Vec<Arc<str>>,
    /// What a reference points to conforms to at least one of these; anything where empty.
    pub(crate) targets: Vec<Arc<str>>,
    /// How a reference may point; any way where empty.
    pub(crate) aggregation: Vec<Aggregation>,
}

/// How a reference points to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregation {
    Contained,
    Referenced,
    Bundled,
}

#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) strength: Strength,
    pub(crate) value_set: Arc<str>,
    /// The value set, compiled at first use.
    pub(crate) compiled: OnceLock<Option<Arc<ValueSet>>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Slicing {
    pub(crate) discriminators: Vec<Discriminator>,
    pub(crate) closed: Closed,
    pub(crate) ordered: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Values of no slice are allowed.
    #[default]
    No,
    /// Values of no slice are allowed after those of slices.
    AtEnd,
    /// They are not allowed.
    Yes,
}

#[derive(Clone, Debug)]
pub(crate) struct Discriminator {
    pub(crate) by: By,
    pub(crate) path: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Value,
    Exists,
    Type,
    Profile,
}

/// A step of a discriminator's path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Name(Box<str>),
    Extension(Arc<str>),
    OfType(Box<str>),
    Resolve,
}

/// How a value is told to belong to a slice: what is at the path fulfils one of these.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) path: Vec<Step>,
    pub(crate) needs: Vec<Need>,
}

#[derive(Clone, Debug)]
pub(crate) enum Need {
    Fixed(Arc<Pattern>),
    Pattern(Arc<Pattern>),
    ValueSet(Arc<str>),
    Exists(bool),
    Type(Box<str>),
    Profile(Arc<str>),
    /// Conforms to a rule of the profile of this URL.
    Rule(Arc<Profile>, u32),
}

impl Profile {
    /// The rule of an element by its id, such as `Composition.section:codeA`.
    pub(crate) fn rule(&self, id: &str) -> Option<u32> {
        let mut at = 0;
        for step in id.split('.').skip(1) {
            let (name, slice) = step.split_once(':').map_or((step, None), |(name, slice)| (name, Some(slice)));
            let named = |list: &[u32], fits: &dyn Fn(&Rule) -> bool| {
                list.iter().copied().find(|number| fits(&self.rules[*number as usize]))
            };
            at = named(&self.rules[at as usize].children, &|rule| *rule.name == *name)?;
            if let Some(slice) = slice {
                at = named(&self.rules[at as usize].slices, &|rule| rule.slice.as_deref() == Some(slice))?;
            }
        }
        Some(at)
    }
}

impl Rule {
    /// Whether the rule says anything of its own, its children and slices aside.
    fn says_something(&self) -> bool {
        self.min > 0
            || self.max.is_some()
            || !self.types.is_empty()
            || self.fixed.is_some()
            || self.pattern.is_some()
            || self.least.is_some()
            || self.most.is_some()
            || self.max_length.is_some()
            || self.min_length.is_some()
            || !self.bindings.is_empty()
            || !self.constraints.is_empty()
            || self.must_support
            || self.same_as.is_some()
            || self.narrative != Narrative::default()
    }
}
