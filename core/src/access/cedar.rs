//! The policy in the language of Cedar, for a second opinion.
//!
//! Everything a decision looks at goes into the context of a Cedar request; a forbid of Cedar beats every permit, as our denials
//! do. The order among denials, and which permit comes first, say why and not whether: only whether is compared.

use super::labels::Labels;
use super::policy::{Policy, Relations, Rule, names_of_actions, purpose_bit, role_bit};
use super::{Action, Confidentiality, Purpose, Role};
use crate::record::Compartment;
use crate::schema::ResourceType;
use std::fmt::Write;

impl Policy {
    /// The policy as Cedar text. A request has the action `Action::"name"`; its context has `role`, `purpose`, `mfa`,
    /// `break_glass`, `type` (empty for none), `compartment`, `confidentiality` (0 to 5), `sensitivity`, `relations`,
    /// `own_organization`, `author`, `status`, `consent` (`nothing`, `permit`, `deny`), and of the clearance beyond the policy's
    /// `cleared_confidentiality` and `cleared`.
    pub fn to_cedar(&self) -> String {
        let mut out = String::new();
        let mut put = |permits: bool, conditions: &[String]| {
            let all = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" && ") };
            let effect = if permits { "permit" } else { "forbid" };
            let _ = writeln!(out, "{effect} (principal, action, resource) when {{ {all} }};");
        };
        for rule in &self.rules {
            let mut conditions = self.conditions(rule);
            if rule.permits {
                conditions.push("context.break_glass == false".to_owned());
            }
            put(rule.permits, &conditions);
        }
        // Emergency access looks, and opens no psychotherapy note; a consent that denies denies.
        let looking = names_of_actions(Action::ALL.iter().filter(|a| a.is_looking()).fold(0, |bits, a| bits | a.bit()));
        put(true, &["context.break_glass == true".to_owned(), one_of_actions(looking)]);
        let notes = format!("context.compartment == \"{}\"", Compartment::PsychotherapyNotes.name());
        put(false, &["context.break_glass == true".to_owned(), notes]);
        put(false, &["context.consent == \"deny\"".to_owned()]);
        // A label is denied where neither the actor's own clearance nor one of the policy's reaches it.
        for level in Confidentiality::Normal as u8 + 1..=5 {
            let mut conditions = vec![
                format!("context.confidentiality == {level}"),
                format!("context.cleared_confidentiality < {level}"),
            ];
            for one in self.clearances.iter().filter(|one| one.labels.confidentiality as u8 >= level) {
                conditions.push(format!("!({})", self.whose(one.roles, one.purposes)));
            }
            put(false, &conditions);
        }
        for code in Labels::codes() {
            let bit = Labels::bit(code).unwrap_or_default();
            let mut conditions = vec![
                format!("context.sensitivity.contains(\"{code}\")"),
                format!("!context.cleared.contains(\"{code}\")"),
            ];
            for one in self.clearances.iter().filter(|one| one.labels.sensitivity & bit != 0) {
                conditions.push(format!("!({})", self.whose(one.roles, one.purposes)));
            }
            put(false, &conditions);
        }
        out
    }

    fn whose(&self, roles: u16, purposes: u16) -> String {
        let roles = Role::ALL.iter().filter(|role| role_bit(**role) & roles != 0).map(|role| role.name());
        let purposes = Purpose::ALL.iter().filter(|one| purpose_bit(**one) & purposes != 0).map(|one| one.name());
        format!("{} && {}", is_one_of("role", roles), is_one_of("purpose", purposes))
    }

    fn conditions(&self, rule: &Rule) -> Vec<String> {
        let mut all = vec![self.whose(rule.roles, rule.purposes), one_of_actions(names_of_actions(rule.actions))];
        if !rule.kinds.is_empty() {
            let kinds = ResourceType::all().filter(|kind| rule.kinds.has(*kind)).map(ResourceType::name);
            all.push(is_one_of("type", kinds));
        }
        let compartments = Compartment::ALL.iter().filter(|one| rule.compartments >> **one as u8 & 1 == 1);
        all.push(is_one_of("compartment", compartments.map(|one| one.name())));
        let relations = |of: Relations| {
            let named = Relations::NAMES.iter().filter(move |(_, one)| one.meets(of));
            has_any("relations", named.map(|(name, _)| *name))
        };
        if rule.relations != Relations::NONE {
            all.push(relations(rule.relations));
        }
        if rule.without_relations != Relations::NONE {
            all.push(format!("!{}", relations(rule.without_relations)));
        }
        if rule.sensitivity != 0 {
            all.push(has_any("sensitivity", Labels::names(rule.sensitivity)));
        }
        if rule.statuses != 0 {
            let named = self.statuses.iter().enumerate().filter(|(at, _)| rule.statuses >> at & 1 == 1);
            all.push(is_one_of("status", named.map(|(_, name)| &**name)));
        }
        let truths =
            [("own_organization", rule.own_organization), ("author", rule.author), ("mfa", rule.mfa)].into_iter();
        all.extend(truths.filter_map(|(name, wanted)| Some(format!("context.{name} == {}", wanted?))));
        if rule.consent {
            all.push("context.consent == \"permit\"".to_owned());
        }
        all
    }
}

fn is_one_of<'n>(name: &str, values: impl Iterator<Item = &'n str>) -> String {
    let all: Vec<String> = values.map(|value| format!("{value:?}")).collect();
    format!("[{}].contains(context.{name})", all.join(", "))
}

fn has_any<'n>(name: &str, values: impl Iterator<Item = &'n str>) -> String {
    let all: Vec<String> = values.map(|value| format!("{value:?}")).collect();
    format!("context.{name}.containsAny([{}])", all.join(", "))
}

fn one_of_actions<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let all: Vec<String> = names.map(|name| format!("Action::{name:?}")).collect();
    format!("[{}].contains(action)", all.join(", "))
}
