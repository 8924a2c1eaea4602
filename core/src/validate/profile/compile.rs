//! From StructureDefinitions to rules.

use super::{
    Aggregation, Binding, Brief, By, Closed, Constraint, Context, Discriminator, Pattern, Profile, Rule, Slicing, Step,
    TypeRule,
};
use crate::record::{Node, Record};
use crate::report::Severity;
use crate::schema::{self, ElementId, ResourceType, Strength, TypeId, TypeKind};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

/// Where FHIR's own definitions are.
pub(crate) const HL7: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Compiles a profile. `chain` starts with its definition; each next is what the one before it is derived from, as far as
/// snapshots are missing. None where it is no definition of a profile.
pub(crate) fn compile(chain: &[&Record]) -> Option<Profile> {
    let top = chain.first()?.root();
    let kind = top.text("type")?;
    let url = top.text("url")?;
    let type_id = type_named(&kind);
    let mut builder = Builder {
        rules: vec![Rule { name: (&*kind).into(), type_id, ..Rule::default() }],
        trail: HashMap::new(),
        references: Vec::new(),
        base: top.text("derivation").as_deref() == Some("specialization"),
        modifier: false,
    };
    for (distance, record) in chain.iter().enumerate().rev() {
        let root = record.root();
        let list = match root.get("snapshot") {
            Some(snapshot) if distance + 1 == chain.len() => Some(snapshot),
            _ => root.get("differential"),
        };
        for element in list.into_iter().flat_map(|list| list.list("element")) {
            builder.lay(element);
        }
        builder.trail.clear();
    }
    let modifier = builder.modifier;
    let rules = builder.finish();
    Some(Profile {
        url: (&*url).into(),
        kind: (&*kind).into(),
        contexts: top.list("context").filter_map(context).collect(),
        conditions: top.list("contextInvariant").filter_map(Node::as_str).map(|text| formal("", &text)).collect(),
        modifier,
        rules,
    })
}

fn context(node: Node<'_>) -> Option<Context> {
    let text: Box<str> = node.text("expression")?.into();
    Some(match node.text("type").as_deref() {
        Some("extension") => Context::Extension(text),
        Some("fhirpath") => Context::Path(formal("", &text)),
        _ => Context::Element(text),
    })
}

fn formal(key: &str, expression: &str) -> Arc<Constraint> {
    Arc::new(Constraint::new(key, Severity::Error, expression))
}

struct Builder {
    rules: Vec<Rule>,
    /// The rule last laid for each path: where elements have no ids, their order says which slice they are in.
    trail: HashMap<Box<str>, u32>,
    /// Rules that borrow the children of another, by its path.
    references: Vec<(u32, Box<str>)>,
    /// Whether the definition is R4's own.
    base: bool,
    /// Whether the root is a modifier.
    modifier: bool,
}

/// No definition nests deeper.
const DEEPEST: usize = 60;

impl Builder {
    /// Lays one ElementDefinition over what is there.
    fn lay(&mut self, element: Node<'_>) {
        let Some(path) = element.text("path") else { return };
        if path.split('.').count() > DEEPEST {
            return;
        }
        let at = self.locate(&path, element);
        self.trail.insert((&*path).into(), at);
        let root = at == 0;
        let known = self.known(at, &path);
        let rule = &mut self.rules[at as usize];
        let slice = rule.slice.is_some();
        let number = |name: &str| element.get(name).and_then(|node| node.as_decimal()?.to_i64());
        if let Some(min) = number("min")
            && !root
        {
            let own = known.map_or(0, |known| i64::from(known.row().min));
            rule.min = if slice || min > own { u32::try_from(min).unwrap_or(u32::MAX) } else { rule.min };
        }
        if let Some(max) = element.text("max")
            && !root
        {
            let single = known.is_some_and(|known| !known.row().array);
            rule.max = max.parse().ok().filter(|max: &u32| !(single && *max == 1 && !slice)).or(rule.max);
        }
        let types: Vec<TypeRule> = element.list("type").filter_map(type_rule).collect();
        if !types.is_empty() && !root {
            rule.take_types(types, known);
        }
        for (name, value) in element.entries() {
            let value = || Some(Arc::new(Pattern::of(value)));
            let rest =
                |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(char::is_uppercase));
            if rest("fixed") {
                rule.fixed = value();
            } else if rest("pattern") {
                rule.pattern = value();
            } else if rest("minValue") {
                rule.least = value();
            } else if rest("maxValue") {
                rule.most = value();
            }
        }
        if let Some(length) = number("maxLength") {
            rule.max_length = u32::try_from(length).ok();
        }
        for extension in element.list("extension") {
            let url = extension.text("url").unwrap_or_default();
            let Some(name) = url.strip_prefix(HL7) else { continue };
            match name {
                "minLength" => {
                    let length = extension.get("valueInteger").and_then(|node| node.as_decimal()?.to_i64());
                    rule.min_length = length.and_then(|length| u32::try_from(length).ok());
                }
                "narrative-source-control" => rule.narrative.sources = true,
                "narrative-language-control" => {
                    rule.narrative.languages = match extension.text("valueCode").as_deref() {
                        Some("_yes") => Some(true),
                        Some("_no") => Some(false),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        let flag = |name: &str| element.get(name).and_then(Node::as_bool).unwrap_or_default();
        self.modifier |= root && flag("isModifier");
        rule.must_support |= !root && flag("mustSupport");
        if let Some(binding) = element.get("binding") {
            rule.bindings = bindings(binding);
            if self.base && known.and_then(ElementId::binding).is_some_and(|binding| binding.codes.is_some()) {
                rule.bindings.retain(|binding| binding.strength != Strength::Required);
            }
        }
        for one in element.list("constraint").filter_map(constraint) {
            if !self.base && !rule.constraints.iter().any(|known| known.key == one.key) {
                rule.constraints.push(Arc::new(one));
            }
        }
        if let Some(slicing) = element.get("slicing") {
            rule.slicing = Some(read_slicing(slicing));
        }
        if let Some(reference) = element.text("contentReference")
            && let Some((_, path)) = reference.rsplit_once('#')
        {
            self.references.push((at, path.into()));
        }
    }

    /// What R4 says of the element of a rule.
    fn known(&self, at: u32, path: &str) -> Option<ElementId> {
        let (parent, _) = path.rsplit_once('.')?;
        let rule = &self.rules[at as usize];
        let parent = self.rules[*self.trail.get(parent)? as usize].type_id?;
        schema::key(parent, rule.name.as_bytes()).map(|key| key.element).or_else(|| choice(parent, &rule.name))
    }

    /// The rule of an element, made where there is none.
    fn locate(&mut self, path: &str, element: Node<'_>) -> u32 {
        let names: Vec<&str> = path.split('.').collect();
        let id = element.text("id").unwrap_or_default();
        let parts: Vec<&str> = id.split('.').collect();
        let by_id = parts.len() == names.len() && id.contains(':') || !id.is_empty() && *id == *path;
        let mut at = 0;
        let mut so_far = String::from(names[0]);
        self.trail.entry(names[0].into()).or_insert(0);
        for (depth, name) in names.iter().enumerate().skip(1) {
            so_far.push('.');
            so_far.push_str(name);
            let last = depth + 1 == names.len();
            if by_id {
                let slice = parts[depth].split_once(':').map(|(_, slice)| slice);
                at = self.child(at, name);
                if let Some(slice) = slice {
                    at = self.slice(at, slice);
                }
                if !last {
                    self.trail.insert((&*so_far).into(), at);
                }
            } else if last {
                at = self.child(at, name);
                if let Some(slice) = element.text("sliceName") {
                    at = self.slice(at, &slice);
                }
                let below = format!("{so_far}.");
                self.trail.retain(|path, _| !path.starts_with(&below));
            } else if let Some(seen) = self.trail.get(&*so_far) {
                at = *seen;
            } else {
                at = self.child(at, name);
                self.trail.insert((&*so_far).into(), at);
            }
        }
        at
    }

    fn child(&mut self, parent: u32, name: &str) -> u32 {
        let plain = name.strip_suffix("[x]").unwrap_or(name);
        let above = self.rules[parent as usize].type_id;
        let key = above.and_then(|above| schema::key(above, plain.as_bytes()));
        if let Some(key) = key.filter(|key| key.element.row().choice) {
            // `valueQuantity` is the slice of `value[x]` whose type is Quantity.
            let at = self.named_child(parent, key.element.name(), None);
            self.rules[at as usize].slicing.get_or_insert_with(by_type);
            let slice = self.slice(at, plain);
            let rule = &mut self.rules[slice as usize];
            if rule.types.is_empty() {
                rule.types = vec![TypeRule::plain(key.type_id.name())];
                rule.type_id = Some(key.type_id);
            }
            return slice;
        }
        self.named_child(parent, plain, key.map(|key| key.type_id))
    }

    fn named_child(&mut self, parent: u32, name: &str, type_id: Option<TypeId>) -> u32 {
        let children = &self.rules[parent as usize].children;
        if let Some(found) = children.iter().find(|child| *self.rules[**child as usize].name == *name) {
            return *found;
        }
        let made = self.rules.len() as u32;
        let element = self.rules[parent as usize].type_id.and_then(|above| choice(above, name));
        self.rules.push(Rule { name: name.into(), element, type_id, ..Rule::default() });
        self.rules[parent as usize].children.push(made);
        made
    }

    /// The slice of that name, made where there is none; `a/b` is slice `b` of slice `a`.
    fn slice(&mut self, of: u32, name: &str) -> u32 {
        let mut of = of;
        if let Some((outer, _)) = name.rsplit_once('/')
            && let Some(found) = self.find_slice(of, outer)
        {
            of = found;
        }
        if let Some(found) = self.find_slice(of, name) {
            return found;
        }
        let made = self.rules.len() as u32;
        let sliced = &mut self.rules[of as usize];
        if sliced.slicing.is_none() && matches!(&*sliced.name, "extension" | "modifierExtension") {
            sliced.slicing = Some(by_url());
        }
        let (name_of, element, type_id) = (sliced.name.clone(), sliced.element, sliced.type_id);
        sliced.slices.push(made);
        let typed = type_id.is_none().then(|| name.strip_prefix(&*name_of)).flatten().and_then(type_of_key);
        let types = typed.map(|type_id| TypeRule::plain(type_id.name())).into_iter().collect();
        if typed.is_some() {
            sliced.slicing.get_or_insert_with(by_type);
        }
        let slice = Some(name.into());
        self.rules.push(Rule { name: name_of, element, slice, type_id: type_id.or(typed), types, ..Rule::default() });
        made
    }

    fn find_slice(&self, of: u32, name: &str) -> Option<u32> {
        let slices = &self.rules[of as usize].slices;
        slices.iter().copied().find(|slice| self.rules[*slice as usize].slice.as_deref() == Some(name))
    }

    fn finish(mut self) -> Vec<Rule> {
        for (at, path) in std::mem::take(&mut self.references) {
            let mut target = 0;
            for name in path.split('.').skip(1) {
                let children = &self.rules[target as usize].children;
                match children.iter().find(|child| *self.rules[**child as usize].name == *name) {
                    Some(child) => target = *child,
                    None => break,
                }
            }
            if target != 0 && target != at && self.rules[at as usize].children.is_empty() {
                self.rules[at as usize].same_as = Some(target);
            }
        }
        self.prune(0, 0);
        for at in (0..self.rules.len()).rev() {
            self.rules[at].needed = self.is_needed(at as u32, 0);
        }
        for at in 0..self.rules.len() {
            let brief = |child: &u32| {
                let rule = &self.rules[*child as usize];
                let (element, needed, must_support) = (rule.element, rule.needed, rule.must_support);
                Brief { rule: *child, element, needed, must_support }
            };
            self.rules[at].briefs = self.rules[at].children.iter().map(brief).collect();
        }
        self.rules
    }

    /// Whether a rule asks for a value, itself or by one of its slices.
    fn is_needed(&self, at: u32, depth: usize) -> bool {
        let rule = &self.rules[at as usize];
        rule.min > 0 || depth < 2 * DEEPEST && rule.slices.iter().any(|slice| self.is_needed(*slice, depth + 1))
    }

    /// Takes out what says nothing; says whether something is left.
    fn prune(&mut self, at: u32, depth: usize) -> bool {
        if depth > 2 * DEEPEST {
            return true;
        }
        let children = std::mem::take(&mut self.rules[at as usize].children);
        let children: Vec<u32> = children.into_iter().filter(|child| self.prune(*child, depth + 1)).collect();
        let slices = std::mem::take(&mut self.rules[at as usize].slices);
        let strict = self.rules[at as usize].slicing.as_ref().is_some_and(Slicing::is_strict);
        let slices: Vec<u32> = slices.into_iter().filter(|slice| self.prune(*slice, depth + 1) || strict).collect();
        let rule = &mut self.rules[at as usize];
        rule.children = children;
        rule.slices = slices;
        rule.says_something() || !rule.children.is_empty() || !rule.slices.is_empty() || strict
    }
}

impl Slicing {
    /// Whether it says something even where its slices do not.
    fn is_strict(&self) -> bool {
        self.ordered || self.closed != Closed::No
    }
}

impl TypeRule {
    fn plain(code: &str) -> Self {
        let type_id = type_named(code);
        TypeRule { code: code.into(), type_id, profiles: Vec::new(), targets: Vec::new(), aggregation: Vec::new() }
    }
    fn is_plain(&self) -> bool {
        self.profiles.is_empty() && self.targets.is_empty() && self.aggregation.is_empty()
    }
}

impl Rule {
    /// Takes the types over, as far as they say more than R4 does of the element.
    fn take_types(&mut self, mut types: Vec<TypeRule>, known: Option<ElementId>) {
        if let [single] = &types[..]
            && !matches!(&*single.code, "BackboneElement" | "Element")
            && let Some(type_id) = type_named(&single.code)
        {
            self.type_id = Some(type_id);
        }
        let own: HashSet<&str> =
            known.map(|known| known.targets().map(ResourceType::name).collect()).unwrap_or_default();
        for one in &mut types {
            let names: HashSet<&str> = one.targets.iter().filter_map(|url| url.strip_prefix(HL7)).collect();
            let same =
                names.len() == one.targets.len() && (names == own || own.is_empty() && names.contains("Resource"));
            if same || names.contains("Resource") {
                one.targets.clear();
            }
        }
        let left: HashSet<&str> = types.iter().map(|one| &*one.code).collect();
        let all: HashSet<&str> = known.map(|known| known.types().map(TypeId::name).collect()).unwrap_or_default();
        let backbone = left.iter().any(|code| matches!(*code, "BackboneElement" | "Element" | "Resource"));
        let whole = left == all || backbone || all.is_empty() && known.is_some();
        self.types = if whole && types.iter().all(TypeRule::is_plain) { Vec::new() } else { types };
    }
}

const PROFILE_ELEMENT: &str = "http://hl7.org/fhir/StructureDefinition/elementdefinition-profile-element";

fn type_rule(node: Node<'_>) -> Option<TypeRule> {
    let code = node.text("code")?;
    if code.starts_with("http://hl7.org/fhirpath/") {
        return None;
    }
    let list = |name: &str| node.list(name).filter_map(Node::as_str).map(|text| (&*text).into()).collect();
    let mut profiles: Vec<Arc<str>> = list("profile");
    // A profile of an element is named by the profile it is in and its id there.
    for (url, companion) in profiles.iter_mut().zip(node.list("_profile")) {
        let part = companion.list("extension").find(|one| one.text("url").as_deref() == Some(PROFILE_ELEMENT));
        if let Some(id) = part.and_then(|part| part.text("valueString")) {
            *url = format!("{url}#{id}").into();
        }
    }
    let aggregation = node.list("aggregation").filter_map(|node| match node.as_str().as_deref() {
        Some("contained") => Some(Aggregation::Contained),
        Some("referenced") => Some(Aggregation::Referenced),
        Some("bundled") => Some(Aggregation::Bundled),
        _ => None,
    });
    Some(TypeRule {
        profiles,
        targets: list("targetProfile"),
        aggregation: aggregation.collect(),
        type_id: type_named(&code),
        code: code.into(),
    })
}

/// The binding, and what its extensions add to it.
fn bindings(node: Node<'_>) -> Vec<Binding> {
    let mut found: Vec<Binding> = Vec::new();
    let mut push = |strength: Strength, value_set: Option<std::borrow::Cow<'_, str>>| {
        if let Some(value_set) = value_set {
            let same = |one: &Binding| one.strength == strength && *one.value_set == *value_set;
            if !found.iter().any(same) {
                found.push(Binding { strength, value_set: (&*value_set).into(), compiled: OnceLock::new() });
            }
        }
    };
    let strength = match node.text("strength").as_deref() {
        Some("required") => Some(Strength::Required),
        Some("extensible") => Some(Strength::Extensible),
        Some("preferred") => Some(Strength::Preferred),
        _ => None,
    };
    if let Some(strength) = strength {
        push(strength, node.text("valueSet"));
    }
    for extension in node.list("extension") {
        match extension.text("url").as_deref() {
            Some("http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet") => {
                push(Strength::Required, extension.text("valueCanonical").or_else(|| extension.text("valueUri")));
            }
            Some(
                "http://hl7.org/fhir/tools/StructureDefinition/additional-binding"
                | "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition.binding.additional",
            ) => {
                let part =
                    |name: &str| extension.list("extension").find(|part| part.text("url").as_deref() == Some(name));
                let purpose = part("purpose").and_then(|part| part.text("valueCode"));
                if part("usage").is_none() && matches!(purpose.as_deref(), Some("required" | "maximum")) {
                    push(Strength::Required, part("valueSet").and_then(|part| part.text("valueCanonical")));
                }
            }
            _ => {}
        }
    }
    found
}

fn constraint(node: Node<'_>) -> Option<Constraint> {
    let key = node.text("key")?;
    let expression = node.text("expression")?;
    if R4_KEYS.contains(&*key) {
        return None;
    }
    let warning = node.text("severity").as_deref() == Some("warning");
    Some(Constraint::new(&key, if warning { Severity::Warning } else { Severity::Error }, &expression))
}

/// The keys of R4's own constraints, which are checked apart from profiles.
static R4_KEYS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| schema::all_invariants().map(|row| row.key).collect());

fn read_slicing(node: Node<'_>) -> Slicing {
    let closed = match node.text("rules").as_deref() {
        Some("closed") => Closed::Yes,
        Some("openAtEnd") => Closed::AtEnd,
        _ => Closed::No,
    };
    let discriminators = node.list("discriminator").filter_map(|node| {
        let by = match node.text("type").as_deref() {
            Some("value" | "pattern") => By::Value,
            Some("exists") => By::Exists,
            Some("type") => By::Type,
            Some("profile") => By::Profile,
            _ => return None,
        };
        Some(Discriminator { by, path: steps(&node.text("path")?) })
    });
    Slicing {
        discriminators: discriminators.collect(),
        closed,
        ordered: node.get("ordered").and_then(Node::as_bool).unwrap_or_default(),
    }
}

fn by_type() -> Slicing {
    Slicing { discriminators: vec![Discriminator { by: By::Type, path: Vec::new() }], ..Slicing::default() }
}

fn by_url() -> Slicing {
    let path = vec![Step::Name("url".into())];
    Slicing { discriminators: vec![Discriminator { by: By::Value, path }], ..Slicing::default() }
}

/// The steps of a discriminator's path (R4, profiling, 5.1.0.15): names, `extension(url)`, `ofType(T)`, `resolve()`.
fn steps(path: &str) -> Vec<Step> {
    let mut found = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        let end = rest.find(['.', '(']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if let Some(inner) = after.strip_prefix('(') {
            let end = inner.find(')').unwrap_or(inner.len());
            let word = inner[..end].trim_matches(['\'', '"', ' ']);
            match name {
                "resolve" => found.push(Step::Resolve),
                "extension" => found.push(Step::Extension(word.into())),
                "ofType" => found.push(Step::OfType(word.into())),
                _ => {}
            }
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            if name != "$this" {
                found.push(Step::Name(name.strip_suffix("[x]").unwrap_or(name).into()));
            }
            rest = after;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    found
}

static TYPES: LazyLock<HashMap<&'static str, TypeId>> =
    LazyLock::new(|| TypeId::all().map(|type_id| (type_id.name(), type_id)).collect());

/// The type of a name.
pub(crate) fn type_named(name: &str) -> Option<TypeId> {
    TYPES.get(name).copied()
}

/// The type at the end of a key such as `valueQuantity`.
fn type_of_key(rest: &str) -> Option<TypeId> {
    type_named(rest).filter(|type_id| matches!(type_id.row().kind, TypeKind::Complex)).or_else(|| {
        let (first, tail) = rest.split_at_checked(1)?;
        let found = type_named(&format!("{}{tail}", first.to_ascii_lowercase()))?;
        matches!(found.row().kind, TypeKind::Primitive(_)).then_some(found)
    })
}

/// The element of that name, choices included.
fn choice(owner: TypeId, name: &str) -> Option<ElementId> {
    owner.elements().find(|element| element.name() == name)
}
