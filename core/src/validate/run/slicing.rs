//! Slices: which values belong to which, and whether there are as many as there have to be.

use super::Run;
use super::items::Item;
use super::profile::fits;
use crate::error::Code;
use crate::record::Node;
use crate::report::Severity;
use crate::schema::Strength;
use crate::validate::profile::{By, Closed, Discriminator, HL7, Need, Profile, Slicing, Step, Test, TypeRule};
use std::sync::Arc;

impl<'a> Run<'a> {
    /// Sorts values into the slices of a rule and checks each against its own.
    pub(super) fn slices(
        &mut self,
        parent: Item<'a>,
        items: &[Item<'a>],
        profile: &'a Arc<Profile>,
        at: u32,
        resource: usize,
    ) {
        let rule = &profile.rules[at as usize];
        let open = Slicing::default();
        let slicing = rule.slicing.as_ref().unwrap_or(&open);
        if rule.slices.is_empty() && slicing.closed != Closed::Yes {
            return;
        }
        // The slice of each value.
        let mut places: Vec<Option<usize>> = Vec::with_capacity(items.len());
        let (mut last, mut unmatched) = (0, false);
        for item in items {
            let found = rule
                .slices
                .iter()
                .position(|slice| self.belongs(*item, profile, *slice, &slicing.discriminators, resource));
            places.push(found);
            let Some(found) = found else {
                unmatched = true;
                if slicing.closed == Closed::Yes {
                    self.find(
                        item.node(),
                        Code::SliceUnmatched,
                        Severity::Error,
                        "a value of one of the profile's slices",
                    )
                    .of(profile)
                    .rule(&(&*rule.name).into())
                    .done();
                }
                continue;
            };
            let late = slicing.closed == Closed::AtEnd && unmatched;
            if late || slicing.ordered && found < last {
                let message = if late { "values of no slice after those of slices" } else { "slices in their order" };
                self.find(item.node(), Code::SliceOrder, Severity::Error, message).of(profile).done();
            }
            last = found;
        }
        for (number, slice) in rule.slices.iter().enumerate() {
            let inner = &profile.rules[*slice as usize];
            let mut group = self.list();
            group.extend(items.iter().zip(&places).filter(|(_, place)| **place == Some(number)).map(|(item, _)| *item));
            self.count(parent, group.len(), inner, profile);
            for item in &group {
                self.item(*item, profile, *slice, resource);
            }
            if !inner.slices.is_empty() {
                self.slices(parent, &group, profile, *slice, resource);
            }
            self.give_back(group);
        }
    }

    fn belongs(
        &mut self,
        item: Item<'a>,
        profile: &'a Arc<Profile>,
        slice: u32,
        discriminators: &[Discriminator],
        resource: usize,
    ) -> bool {
        let rule = &profile.rules[slice as usize];
        let tests = match rule.tests.get() {
            Some(tests) => tests,
            None => {
                let made = self.tests(profile, slice, discriminators);
                rule.tests.get_or_init(|| made)
            }
        };
        tests.iter().all(|test| self.passes(item, test, resource))
    }

    fn passes(&mut self, item: Item<'a>, test: &'a Test, resource: usize) -> bool {
        if !self.step() {
            return false;
        }
        test.needs.iter().any(|need| match need {
            Need::Exists(wanted) => self.reaches(item, &test.path, resource, &mut |_, _| true) == *wanted,
            _ => self.reaches(item, &test.path, resource, &mut |run, item| run.meets(item, need, resource)),
        })
    }

    /// Whether `good` says yes to something at the end of a path.
    fn reaches(
        &mut self,
        item: Item<'a>,
        path: &'a [Step],
        resource: usize,
        good: &mut dyn FnMut(&mut Self, Item<'a>) -> bool,
    ) -> bool {
        let Some((step, rest)) = path.split_first() else { return good(self, item) };
        match step {
            Step::Name(name) => {
                let mut found = self.list();
                item.children_into(name, None, &mut found);
                let reached = found.iter().any(|item| self.reaches(*item, rest, resource, good));
                self.give_back(found);
                reached
            }
            Step::Extension(url) => {
                let mut found = self.list();
                item.children_into("extension", None, &mut found);
                found.retain(|item| item.node().get("url").is_some_and(|found| found.is_text(url)));
                let reached = found.iter().any(|item| self.reaches(*item, rest, resource, good));
                self.give_back(found);
                reached
            }
            Step::OfType(code) => {
                let typed = item.value.and_then(Node::type_id).is_some_and(|type_id| fits(type_id, code));
                typed && self.reaches(item, rest, resource, good)
            }
            Step::Resolve => match self.resolve(item.node(), resource) {
                Some(number) => self.reaches(Item::of(self.resources[number].node), rest, resource, good),
                None => false,
            },
        }
    }

    fn meets(&mut self, item: Item<'a>, need: &'a Need, resource: usize) -> bool {
        let Some(node) = item.value else { return matches!(need, Need::Exists(true)) };
        let resource = self.resource_of(node, resource);
        match need {
            Need::Fixed(value) => value.equals(node),
            Need::Pattern(value) => value.fits(node),
            Need::ValueSet(url) => self.is_in(node, url),
            Need::Exists(wanted) => *wanted,
            Need::Type(code) => node.type_id().is_some_and(|type_id| fits(type_id, code)),
            Need::Profile(url) => match self.definitions.profile(url) {
                Some(profile) => {
                    node.type_id().is_none_or(|type_id| type_id.is_a(&profile.kind))
                        && self.conforms(item, profile, resource)
                }
                None => url.strip_prefix(HL7).is_some_and(|name| node.type_id().is_some_and(|id| fits(id, name))),
            },
            Need::Rule(profile, at) => self.trial(|run| run.item(item, profile, *at, resource)),
        }
    }

    // --- how a value is told to belong to a slice ---

    fn tests(&self, profile: &'a Arc<Profile>, slice: u32, discriminators: &[Discriminator]) -> Box<[Test]> {
        let mut tests: Vec<Test> = discriminators.iter().filter_map(|one| self.test(profile, slice, one)).collect();
        if tests.is_empty() {
            tests.push(Test { path: Vec::new(), needs: vec![Need::Rule(profile.clone(), slice)] });
        }
        tests.into()
    }

    fn test(&self, profile: &'a Arc<Profile>, slice: u32, one: &Discriminator) -> Option<Test> {
        let test = |needs: Vec<Need>| (!needs.is_empty()).then(|| Test { path: one.path.clone(), needs });
        let rule = &profile.rules[slice as usize];
        if one.by == By::Value
            && let [Step::Name(name)] = &one.path[..]
            && **name == *"url"
            && let [only] = &rule.types[..]
            && let [url] = &only.profiles[..]
        {
            let plain = url.split('|').next().unwrap_or_default();
            return test(vec![Need::Fixed(Arc::new(crate::validate::profile::Pattern::Text(plain.into())))]);
        }
        if let Some((Step::Resolve, before)) = one.path.split_last()
            && matches!(one.by, By::Type | By::Profile)
        {
            let rules = self.descend(profile, slice, before);
            let targets = rules
                .iter()
                .flat_map(|(profile, at)| profile.rules[*at as usize].types.iter().flat_map(|one| one.targets.iter()));
            return test(match one.by {
                By::Profile => targets.map(|url| Need::Profile(url.clone())).collect(),
                _ => targets.filter_map(|url| Some(Need::Type(self.kind_of(url)?))).collect(),
            });
        }
        let rules = self.descend(profile, slice, &one.path);
        let mut needs = Vec::new();
        for (profile, at) in &rules {
            needs.extend(self.needs(profile, *at, one.by));
        }
        test(needs)
    }

    fn needs(&self, profile: &'a Arc<Profile>, at: u32, by: By) -> Vec<Need> {
        let rule = &profile.rules[at as usize];
        let type_name = |one: &TypeRule| Need::Type(one.code.clone());
        match by {
            By::Exists => vec![Need::Exists(rule.max != Some(0))],
            By::Type if rule.types.is_empty() => {
                rule.type_id.map(|type_id| Need::Type(type_id.name().into())).into_iter().collect()
            }
            By::Type => rule.types.iter().map(type_name).collect(),
            By::Profile => {
                rule.types.iter().flat_map(|one| one.profiles.iter()).map(|url| Need::Profile(url.clone())).collect()
            }
            By::Value => {
                let bound = || rule.bindings.iter().find(|one| one.strength == Strength::Required);
                vec![if let Some(value) = &rule.fixed {
                    Need::Fixed(value.clone())
                } else if let Some(value) = &rule.pattern {
                    Need::Pattern(value.clone())
                } else if let Some(binding) = bound() {
                    Need::ValueSet(binding.value_set.clone())
                } else if !rule.children.is_empty() {
                    Need::Rule(profile.clone(), at)
                } else if rule.max == Some(0) {
                    Need::Exists(false)
                } else if rule.min > 0 {
                    Need::Exists(true)
                } else {
                    return Vec::new();
                }]
            }
        }
    }

    /// The rules at the end of a path, below a rule or below the profiles of its type.
    fn descend(&self, profile: &'a Arc<Profile>, at: u32, path: &[Step]) -> Vec<(&'a Arc<Profile>, u32)> {
        let Some((step, rest)) = path.split_first() else { return vec![(profile, at)] };
        let rule = &profile.rules[at as usize];
        let mut found = Vec::new();
        match step {
            Step::Name(name) => {
                for child in &rule.children {
                    let rule = &profile.rules[*child as usize];
                    if rule.name != *name {
                        continue;
                    }
                    found.extend(self.descend(profile, *child, rest));
                    for slice in &rule.slices {
                        found.extend(self.descend(profile, *slice, rest));
                    }
                }
            }
            Step::Extension(url) => {
                for child in rule.children.iter().filter(|child| &*profile.rules[**child as usize].name == "extension")
                {
                    for slice in &profile.rules[*child as usize].slices {
                        let types = &profile.rules[*slice as usize].types;
                        if types.iter().any(|one| one.profiles.iter().any(|known| known == url)) {
                            found.extend(self.descend(profile, *slice, rest));
                        }
                    }
                }
            }
            Step::OfType(_) => found.extend(self.descend(profile, at, rest)),
            Step::Resolve => {}
        }
        if found.is_empty() {
            let through = |one: &'a TypeRule| if *step == Step::Resolve { &one.targets } else { &one.profiles };
            let rest = if *step == Step::Resolve { rest } else { path };
            for url in rule.types.iter().flat_map(through) {
                if let Some(inner) = self.definitions.profile(url)
                    && !Arc::ptr_eq(inner, profile)
                {
                    found.extend(self.descend(inner, 0, rest));
                }
            }
        }
        found
    }

    /// The type that a profile is about.
    pub(super) fn kind_of(&self, url: &str) -> Option<Box<str>> {
        let plain = url.split('|').next().unwrap_or_default();
        match plain.strip_prefix(HL7).filter(|name| crate::validate::profile::type_named(name).is_some()) {
            Some(name) => Some(name.into()),
            None => self.definitions.profile(url).map(|profile| profile.kind.clone()),
        }
    }
}
