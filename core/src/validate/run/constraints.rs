//! The formal constraints of profiles.

use super::Run;
use super::items::{Item, Present};
use super::reference::literal_kind_of;
use crate::error::Code;
use crate::fhirpath::{Expression, Host, Item as Value, Scope};
use crate::record::{Node, Record};
use crate::report::Severity;
use crate::schema::{TypeId, TypeKind};
use crate::validate::profile::{Definitions, Profile, Rule};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

impl<'a> Run<'a> {
    pub(super) fn constraints(
        &mut self,
        item: Item<'a>,
        present: Option<Present>,
        profile: &'a Arc<Profile>,
        rule: &'a Rule,
        resource: usize,
    ) {
        for constraint in &rule.constraints {
            if present.is_some_and(|present| constraint.surely_holds(present.of, present.found))
                || item.value.is_some_and(|value| constraint.is_proven(value))
            {
                continue;
            }
            let Some(expression) = constraint.expression() else {
                self.find(item.node(), Code::ConstraintUnread, Severity::Information, "a constraint that is FHIRPath")
                    .of(profile)
                    .rule(&constraint.key)
                    .done();
                continue;
            };
            match self.holds(expression, item, resource) {
                Some(true) => {}
                Some(false) => self
                    .find(
                        item.node(),
                        Code::ProfileConstraint,
                        constraint.severity,
                        "what the constraint of the profile says",
                    )
                    .of(profile)
                    .rule(&constraint.key)
                    .done(),
                None => self
                    .find(
                        item.node(),
                        Code::ConstraintUnread,
                        Severity::Information,
                        "a constraint that can be evaluated here",
                    )
                    .of(profile)
                    .rule(&constraint.key)
                    .done(),
            }
        }
    }

    /// Whether an expression holds for a value; None where it cannot be evaluated.
    pub(super) fn holds(&self, expression: &Expression, item: Item<'a>, resource: usize) -> Option<bool> {
        let host = Known { run: self };
        let scope = self.scope(item, resource).host(&host);
        expression.holds(&scope).ok().map(|holds| holds.unwrap_or(false))
    }

    /// Whether an expression over a resource selects a node.
    pub(super) fn selects(&self, expression: &Expression, node: Node<'a>, resource: usize) -> Option<bool> {
        let scope = self.scope(Item::of(self.resources[resource].node), resource);
        let found = expression.evaluate(&scope).ok()?;
        let here = |item: &Value<'_>| {
            let element = item.element();
            let nodes = element.map(|element| [element.node(), element.companion()]).into_iter().flatten().flatten();
            nodes.into_iter().any(|found| found.at() == node.at())
        };
        Some(found.iter().any(here))
    }

    fn scope(&self, item: Item<'a>, resource: usize) -> Scope<'a> {
        let own = &self.resources[resource];
        let outer = own.container.map_or(own.node, |container| self.resources[container].node);
        Scope::new(item.node()).resource(own.node).root(outer).now(self.options.now())
    }
}

/// What an expression may ask: references inside the record, value sets, profiles.
pub(super) struct Known<'r, 'a> {
    pub(super) run: &'r Run<'a>,
}

impl Known<'_, '_> {
    /// Whether a node is of the record that is checked.
    fn is_here(&self, node: Node<'_>) -> bool {
        std::ptr::eq(node.place().0, self.run.record.tree())
    }
}

/// A resource of each type that says nothing but its type.
static BARE: LazyLock<HashMap<&'static str, Record>> = LazyLock::new(|| {
    let types = TypeId::all().filter(|type_id| type_id.row().kind == TypeKind::Resource);
    let bare = |name: &str| Record::parse(format!(r#"{{"resourceType":"{name}"}}"#).as_bytes()).ok();
    types.filter_map(|type_id| Some((type_id.name(), bare(type_id.name())?))).collect()
});

impl Host for Known<'_, '_> {
    fn resolve<'n>(&'n self, reference: &str, from: Node<'n>) -> Option<Node<'n>> {
        let resource = self.run.enclosing(self.run.record.node(from.at()));
        match self.run.resolve_text(reference, resource) {
            Some(number) => Some(self.run.resources[number].node),
            // Of what is elsewhere an address of the form Type/id says the type.
            None => literal_kind_of(reference).and_then(|kind| BARE.get(kind.name())).map(Record::root),
        }
    }
    fn goes_on(&self) -> bool {
        self.run.goes_on()
    }
    fn member_of(&self, item: &Value<'_>, value_set: &str) -> Option<bool> {
        let node = item.element()?.node().filter(|node| self.is_here(*node))?;
        self.run.is_member(self.run.record.node(node.at()), value_set)
    }
    fn conforms_to(&self, node: Node<'_>, profile: &str) -> Option<bool> {
        if !self.is_here(node) {
            return None;
        }
        let definitions: &Definitions = self.run.definitions;
        let profile = definitions.profile(profile)?;
        // A run of its own: the one that asks is in the middle of something.
        let mut run = Run::new(definitions, self.run.options, self.run.record, self.run.watch);
        let node = self.run.record.node(node.at());
        let resource = run.enclosing(node);
        Some(run.conforms(Item::of(node), profile, resource))
    }
}
