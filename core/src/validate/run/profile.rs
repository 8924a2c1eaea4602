//! A value against the rules of a profile.

use super::items::{Item, Present};
use super::{DEEPEST, Run};
use crate::decimal::Decimal;
use crate::error::Code;
use crate::record::Node;
use crate::report::Severity;
use crate::schema::TypeId;
use crate::time::Timestamp;
use crate::time::fhir::DateTime;
use crate::validate::profile::{Brief, Narrative, Pattern, Profile, Rule};
use std::cmp::Ordering;
use std::sync::Arc;

/// Of so many profiles it is told what keeps a value from each, where none fits.
const FEW: usize = 3;

impl<'a> Run<'a> {
    /// Checks a resource or a value of a data type against a profile, once.
    pub(super) fn conform(&mut self, node: Node<'a>, profile: &'a Arc<Profile>, resource: usize) {
        self.conform_item(Item::of(node), profile, resource);
    }

    pub(super) fn conform_item(&mut self, item: Item<'a>, profile: &'a Arc<Profile>, resource: usize) {
        let key = (item.node().at(), Arc::as_ptr(profile));
        if self.trials == 0 && !self.checked.insert(key) || self.open.contains(&key) {
            return; // looked at already, or being looked at: a circle is no error of its own
        }
        self.open.push(key);
        if self.depth < DEEPEST && self.step() {
            self.depth += 1;
            self.item(item, profile, 0, resource);
            self.depth -= 1;
        }
        self.open.pop();
    }

    /// Whether a value conforms to a profile; what is found is forgotten.
    pub(super) fn conforms(&mut self, item: Item<'a>, profile: &'a Arc<Profile>, resource: usize) -> bool {
        let key = (item.node().at(), Arc::as_ptr(profile));
        if let Some(known) = self.tried.get(&key) {
            return *known;
        }
        let circle = self.open.contains(&key);
        let good = self.trial(|run| run.conform_item(item, profile, resource));
        // What was assumed of an open circle is not kept.
        if !circle && self.open.is_empty() {
            self.tried.insert(key, good);
        }
        good
    }

    /// Checks one value against one rule and those below it.
    pub(super) fn item(&mut self, item: Item<'a>, profile: &'a Arc<Profile>, at: u32, resource: usize) {
        if !self.step() {
            return;
        }
        let rule = &profile.rules[at as usize];
        if !rule.types.is_empty() && !self.types(item, profile, rule, resource) {
            return;
        }
        if let Some(value) = item.value {
            self.value(value, profile, rule);
        } else if rule.fixed.is_some() || rule.pattern.is_some() {
            self.find(item.node(), Code::ProfilePattern, Severity::Error, "the value that the profile fixes")
                .of(profile)
                .done();
        }
        self.bindings(item, profile, rule);
        let borrowed = rule.same_as.filter(|_| rule.children.is_empty());
        let children = borrowed.map_or(&rule.briefs, |from| &profile.rules[from as usize].briefs);
        let present = if children.is_empty() && rule.constraints.is_empty() { None } else { item.present() };
        self.constraints(item, present, profile, rule, resource);
        self.children(item, present, profile, children, resource);
    }

    fn children(
        &mut self,
        item: Item<'a>,
        present: Option<Present>,
        profile: &'a Arc<Profile>,
        children: &'a [Brief],
        resource: usize,
    ) {
        for child in children {
            let asked = child.needed || child.must_support && self.options.must_support;
            if let (Some(present), Some(element), true) = (present, child.element, !asked)
                && present.lacks(element)
            {
                continue;
            }
            let at = child.rule;
            let rule = &profile.rules[at as usize];
            let mut items = self.list();
            item.children_into(&rule.name, rule.element, &mut items);
            self.count(item, items.len(), rule, profile);
            if rule.must_support && items.is_empty() && self.options.must_support {
                let message = format!("`{}`, which the profile asks systems to support", rule.name);
                self.find(item.node(), Code::MustSupport, Severity::Information, message).of(profile).done();
            }
            for item in &items {
                self.item(*item, profile, at, resource);
            }
            if !rule.slices.is_empty() || rule.slicing.is_some() {
                self.slices(item, &items, profile, at, resource);
            }
            self.give_back(items);
        }
    }

    /// An empty list, and its way back when it is no longer needed.
    pub(super) fn list(&mut self) -> Vec<Item<'a>> {
        self.lists.pop().unwrap_or_default()
    }
    pub(super) fn give_back(&mut self, mut list: Vec<Item<'a>>) {
        list.clear();
        self.lists.push(list);
    }

    /// Compares how many values there are with how many there have to be.
    pub(super) fn count(&mut self, parent: Item<'a>, count: usize, rule: &Rule, profile: &Profile) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count >= rule.min && rule.max.is_none_or(|max| count <= max) {
            return;
        }
        let name = match &rule.slice {
            Some(slice) => format!("`{}:{slice}`", rule.name),
            None => format!("`{}`", rule.name),
        };
        let (less, more) = match rule.slice {
            Some(_) => (Code::SliceMissing, Code::SliceRepeats),
            None => (Code::ProfileMin, Code::ProfileMax),
        };
        let (code, message) = match rule.max {
            Some(max) if count >= rule.min => (more, format!("at most {max} of {name}")),
            _ => (less, format!("at least {} of {name}", rule.min)),
        };
        let noting = self.find(parent.node(), code, Severity::Error, message).of(profile);
        match &rule.slice {
            Some(slice) => noting.rule(slice).done(),
            None => noting.rule(&(&*rule.name).into()).done(),
        }
    }

    /// Checks the type of a value and the profiles of that type; false where the type is not allowed.
    fn types(&mut self, item: Item<'a>, profile: &'a Arc<Profile>, rule: &'a Rule, resource: usize) -> bool {
        let node = item.node();
        let Some(type_id) = item.value.and_then(Node::type_id) else { return true };
        let fitting = || rule.types.iter().filter(|one| one.type_id == Some(type_id) || fits(type_id, &one.code));
        if fitting().next().is_none() {
            self.find(node, Code::ProfileType, Severity::Error, "a type that the profile allows").of(profile).done();
            return false;
        }
        if fitting().all(|one| !one.profiles.is_empty()) {
            let profiles: Vec<&'a Arc<str>> = fitting().flat_map(|one| &one.profiles).collect();
            self.one_of(item, profile, &profiles, resource);
        }
        if type_id.name() == "Reference" && fitting().all(|one| !one.targets.is_empty()) {
            self.target(node, profile, rule, resource);
        }
        if fitting().any(|one| !one.aggregation.is_empty()) {
            let modes: Vec<_> = fitting().flat_map(|one| one.aggregation.iter().copied()).collect();
            self.aggregation(node, profile, &modes, resource);
        }
        true
    }

    /// A value conforms to at least one of these profiles. Where there is only one, its findings are ours.
    fn one_of(&mut self, item: Item<'a>, profile: &'a Arc<Profile>, urls: &[&'a Arc<str>], resource: usize) {
        let definitions = self.definitions;
        let known: Vec<(&'a Arc<Profile>, u32)> = urls.iter().filter_map(|url| definitions.part(url)).collect();
        if known.len() < urls.len() {
            if urls.len() == 1 {
                let severity = Severity::Warning;
                self.find(item.node(), Code::ProfileUnknown, severity, "a profile that is loaded")
                    .of(profile)
                    .rule(urls[0])
                    .done();
            }
            return;
        }
        let typed = |one: &Profile| item.node().type_id().is_none_or(|type_id| type_id.is_a(&one.kind));
        // A resource inside this one has its own surroundings.
        let resource = self.resource_of(item.node(), resource);
        match known[..] {
            [(only, 0)] if typed(only) => self.conform_item(item, only, resource),
            [(_, 0)] => {
                let wanted = "a value of the type that its profile is about";
                self.find(item.node(), Code::ProfileType, Severity::Error, wanted).of(profile).done();
            }
            [(only, rule)] => self.item(item, only, rule, resource),
            _ => {
                let fits = known.iter().any(|(one, rule)| match rule {
                    0 => typed(one) && self.conforms(item, one, resource),
                    rule => self.trial(|run| run.item(item, one, *rule, resource)),
                });
                if !fits {
                    self.find(item.node(), Code::ProfileNoneFits, Severity::Error, "one of the profiles of this type")
                        .of(profile)
                        .done();
                    // What keeps it from each, where they are few: otherwise nobody could tell what to mend.
                    for (one, rule) in known.iter().filter(|(one, _)| known.len() <= FEW && typed(one)) {
                        match rule {
                            0 => self.conform_item(item, one, resource),
                            rule => self.item(item, one, *rule, resource),
                        }
                    }
                }
            }
        }
    }

    /// The number of the resource that starts at a node, else `within`.
    pub(super) fn resource_of(&self, node: Node<'a>, within: usize) -> usize {
        let found = self.resources.binary_search_by_key(&node.at(), |resource| resource.node.at());
        found.unwrap_or(within)
    }

    /// Fixed values, patterns, bounds and lengths.
    fn value(&mut self, node: Node<'a>, profile: &Profile, rule: &Rule) {
        if rule.fixed.as_ref().is_some_and(|fixed| !fixed.equals(node)) {
            self.find(node, Code::ProfileFixed, Severity::Error, "the value that the profile fixes").of(profile).done();
        }
        if rule.pattern.as_ref().is_some_and(|pattern| !pattern.fits(node)) {
            self.find(node, Code::ProfilePattern, Severity::Error, "a value with the pattern of the profile")
                .of(profile)
                .done();
        }
        if rule.narrative != Narrative::default() {
            self.narrative(node, profile, rule.narrative);
        }
        for (bound, wrong, message) in [
            (&rule.least, Ordering::Less, "a value not below the profile's minimum"),
            (&rule.most, Ordering::Greater, "a value not above the profile's maximum"),
        ] {
            if bound.as_ref().is_some_and(|bound| compare(node, bound, self.options.now()) == Some(wrong)) {
                self.find(node, Code::ValueRange, Severity::Error, message).of(profile).done();
            }
        }
        if rule.max_length.is_some() || rule.min_length.is_some() {
            let length = node.as_str().map(|text| u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
            if let (Some(length), Some(most)) = (length, rule.max_length)
                && length > most
            {
                let message = format!("at most {most} characters, found {length}");
                self.find(node, Code::ValueLength, Severity::Error, message).of(profile).done();
            }
            if let (Some(length), Some(least)) = (length, rule.min_length)
                && length < least
            {
                let message = format!("at least {least} characters, found {length}");
                self.find(node, Code::ValueLength, Severity::Error, message).of(profile).done();
            }
        }
    }
}

/// Whether a value of `type_id` may stand where a definition says `code`.
pub(super) fn fits(type_id: TypeId, code: &str) -> bool {
    type_id.is_a(code)
}

/// How a value stands to a bound; None where they cannot be compared.
fn compare(node: Node<'_>, bound: &Pattern, now: Timestamp) -> Option<Ordering> {
    match bound {
        Pattern::Number(bound) => Some(node.as_decimal()?.cmp_value(bound)),
        Pattern::Text(bound) => {
            let text = node.as_str()?;
            let (value, bound) = (DateTime::parse(&text)?, DateTime::parse(bound)?);
            value.compare(bound)
        }
        Pattern::Object(_) => {
            let Some(Pattern::Number(limit)) = bound.get("value") else { return None };
            if let Some(text) = node.as_str() {
                // A Duration as the bound of a date is a distance from now (R4, ElementDefinition.minValue[x]).
                return from_now(DateTime::parse(&text)?, limit, bound.get("code")?.text()?, now);
            }
            let value = node.get("value")?.as_decimal()?;
            let code = |name: &str| node.text(name);
            let (unit, wanted) = (code("code"), bound.get("code").and_then(Pattern::text));
            if unit.as_deref() == wanted {
                return Some(value.cmp_value(limit));
            }
            quantities(&value, &unit?, limit, wanted?)
        }
        _ => None,
    }
}

/// How a date stands to the moment at a distance from now; the distance is before now where the date is a minimum, after
/// where it is a maximum, so both are looked at: a date that is nearer than the distance is neither below nor above.
fn from_now(date: DateTime, distance: &Decimal, unit: &str, now: Timestamp) -> Option<Ordering> {
    let seconds = crate::units::convert(distance, unit, "s").ok()?;
    let micros = (seconds.to_f64() * 1e6) as i64;
    let (start, end) = date.interval();
    if end.0 <= now.0.saturating_sub(micros) {
        Some(Ordering::Less)
    } else if start.0 > now.0.saturating_add(micros) {
        Some(Ordering::Greater)
    } else {
        None
    }
}

fn quantities(value: &Decimal, unit: &str, limit: &Decimal, limit_unit: &str) -> Option<Ordering> {
    crate::units::compare(value, unit, limit, limit_unit).ok()
}
