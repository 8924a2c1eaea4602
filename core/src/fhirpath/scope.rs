//! What an expression is evaluated over, and whom it may ask.

use super::item::{Collection, Element, Item};
use crate::record::Node;
use crate::time::Timestamp;

/// What an expression cannot find out by itself. None means "not known": the function gives nothing.
pub trait Host {
    /// The resource a reference points to, where it is not contained in the resource or its Bundle.
    fn resolve<'a>(&'a self, _reference: &str, _from: Node<'a>) -> Option<Node<'a>> {
        None
    }
    /// Whether a code, Coding or CodeableConcept is in a value set.
    fn member_of(&self, _item: &Item<'_>, _value_set: &str) -> Option<bool> {
        None
    }
    /// Whether an element conforms to a profile.
    fn conforms_to(&self, _node: Node<'_>, _profile: &str) -> Option<bool> {
        None
    }
    /// Whether the first Coding or CodeableConcept is the same as the second, or more general.
    fn subsumes(&self, _general: &Item<'_>, _specific: &Item<'_>) -> Option<bool> {
        None
    }
    /// Whether an element belongs to a slice of a profile.
    fn slice(&self, _node: Node<'_>, _structure: &str, _name: &str) -> Option<bool> {
        None
    }
    /// Whether whoever walks over many elements may go on; asked now and then.
    fn goes_on(&self) -> bool {
        true
    }
    /// The definition of an element, as an ElementDefinition.
    fn element_definition<'a>(&'a self, _node: Node<'a>) -> Option<Node<'a>> {
        None
    }
}

/// Knows nothing.
struct Nobody;
impl Host for Nobody {}

/// What an expression is evaluated over.
#[derive(Clone)]
pub struct Scope<'a> {
    pub(super) this: Collection<'a>,
    pub(super) resource: Option<Element<'a>>,
    pub(super) root: Option<Element<'a>>,
    pub(super) host: &'a dyn Host,
    pub(super) now: Option<Timestamp>,
    pub(super) variables: Vec<(String, Collection<'a>)>,
    pub(super) steps: u64,
}

/// Steps an evaluation may take by default. Each operation and each item it gives is one.
const STEPS: u64 = 4_000_000;

impl<'a> Scope<'a> {
    /// Over a node. Where it is a resource, it is `%resource` and `%rootResource` too, unless said otherwise.
    pub fn new(node: Node<'a>) -> Self {
        Self::of(Element::new(node))
    }
    /// Over an element.
    pub fn of(element: Element<'a>) -> Self {
        Scope {
            this: Collection::One(Item::Element(element)),
            resource: None,
            root: None,
            host: &Nobody,
            now: None,
            variables: Vec::new(),
            steps: STEPS,
        }
    }
    /// Says which resource the node is in (`%resource`).
    #[must_use]
    pub fn resource(mut self, resource: Node<'a>) -> Self {
        self.resource = Some(Element::new(resource));
        self
    }
    /// Says which resource contains that resource (`%rootResource`).
    #[must_use]
    pub fn root(mut self, root: Node<'a>) -> Self {
        self.root = Some(Element::new(root));
        self
    }
    /// Whom to ask for references, value sets and profiles.
    #[must_use]
    pub fn host(mut self, host: &'a dyn Host) -> Self {
        self.host = host;
        self
    }
    /// The time of `now()`, `today()` and `timeOfDay()`.
    #[must_use]
    pub fn now(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }
    /// Gives `%name` a value.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: Item<'a>) -> Self {
        self.variables.push((name.into(), Collection::One(value)));
        self
    }
    /// The most steps the evaluation may take.
    #[must_use]
    pub fn steps(mut self, most: u64) -> Self {
        self.steps = most;
        self
    }
    pub(super) fn the_resource(&self) -> Collection<'a> {
        self.resource.map(Item::Element).map_or_else(|| self.this.clone(), Collection::One)
    }
    pub(super) fn the_root(&self) -> Collection<'a> {
        self.root.map(Item::Element).map_or_else(|| self.the_resource(), Collection::One)
    }
}
