//! One validation: the walk over a record, and what it has found so far.

mod bundle;
mod constraints;
mod data;
mod extension;
mod items;
mod narrative;
mod profile;
mod reference;
mod slicing;
mod structure_definition;
mod terms;

use super::profile::{Definitions, Profile};
use super::validator::Entry;
use super::{Options, invariants, questionnaire};
use crate::error::Code;
use crate::json;
use crate::limits::Watch;
use crate::package::hash::{Map, Set};
use crate::record::{Node, NodeKind, Record, Row};
use crate::report::{Issue, Report, Severity};
use crate::schema::{ResourceType, TypeId, TypeKind};
use constraints::Known;
use items::Item;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

/// One validation of one record.
pub(super) struct Run<'a> {
    definitions: &'a Definitions,
    options: &'a Options,
    record: &'a Record,
    watch: &'a Watch,
    resources: Vec<Resource<'a>>,
    /// What resources of a Bundle are called: their full URLs.
    addresses: Map<Cow<'a, str>, Vec<usize>>,
    found: Vec<Finding>,
    seen: Set<(u32, Code, Named)>,
    over: u64,
    /// How many trials are open: then findings only count.
    trials: usize,
    errors: u64,
    steps: u64,
    depth: usize,
    /// What was checked against which profile, and how a trial ended.
    checked: Set<(usize, *const Profile)>,
    tried: Map<(usize, *const Profile), bool>,
    /// What is being looked at: no more than profiles within profiles.
    open: Vec<(usize, *const Profile)>,
    /// How values stand to value sets, as far as that was asked lately.
    stands: RefCell<Vec<terms::Asked>>,
    /// The code systems that were met.
    systems: Vec<terms::Met<'a>>,
    /// Lists that nobody needs at the moment.
    lists: Vec<Vec<Item<'a>>>,
}

/// A resource of the record: itself, one of a Bundle or Parameters, or a contained one.
pub(super) struct Resource<'a> {
    pub(super) node: Node<'a>,
    pub(super) kind: TypeId,
    /// The resource it is contained in.
    pub(super) container: Option<usize>,
    /// The Bundle it is an entry of, and its full URL.
    pub(super) bundle: Option<usize>,
    pub(super) full_url: Option<Cow<'a, str>>,
}

struct Finding {
    row: u32,
    code: Code,
    severity: Severity,
    message: Cow<'static, str>,
    profile: Option<Arc<str>>,
    rule: Option<Arc<str>>,
}

/// A validation takes no more steps than this many for each value of the record, and as many at least as a small one needs.
const STEPS_EACH: u64 = 2_000;
const STEPS_LEAST: u64 = 1 << 22;
/// After so many steps it is asked whether the validation may go on.
const LOOK_EACH: u64 = 256;
/// Profiles within profiles.
const DEEPEST: usize = 100;

impl<'a> Run<'a> {
    /// `watch` ends it early: then what was found is not all, and whoever gave it asks it.
    pub(super) fn new(
        definitions: &'a Definitions,
        options: &'a Options,
        record: &'a Record,
        watch: &'a Watch,
    ) -> Self {
        let mut run = Run {
            definitions,
            options,
            record,
            watch,
            resources: Vec::new(),
            addresses: Map::default(),
            found: Vec::new(),
            seen: Set::default(),
            over: 0,
            trials: 0,
            errors: 0,
            steps: STEPS_LEAST + STEPS_EACH * record.row_count() as u64,
            depth: 0,
            checked: Set::default(),
            tried: Map::default(),
            open: Vec::new(),
            stands: RefCell::default(),
            systems: Vec::new(),
            lists: Vec::new(),
        };
        run.list_resources();
        run
    }

    /// Checks every resource of the record, and the record against `profiles` beside what its `meta.profile` names.
    pub(super) fn whole(mut self, profiles: &[&str], entries: &[Entry]) -> Report {
        for number in 0..self.resources.len() {
            if self.resources[number].container.is_none() || self.options.contained {
                self.resource(number, if number == 0 { profiles } else { &[] });
            }
        }
        for entry in entries {
            let mut of_kind =
                (0..self.resources.len()).filter(|number| self.resources[*number].kind.name() == entry.kind);
            let found = of_kind.nth(entry.number).filter(|number| self.resources[*number].bundle.is_some());
            if let (Some(number), Some(profile)) = (found, self.definitions.profile(&entry.profile)) {
                self.against(self.resources[number].node, profile, number);
            }
        }
        self.values();
        let mut rules = Report::new();
        invariants::check(self.record, &Known { run: &self }, &mut rules);
        let contained = self.options.contained;
        let broken = rules.issues().iter().any(|issue| issue.rule.as_deref() == Some("dom-3"));
        let pictured = if broken { self.pictured() } else { Vec::new() };
        let mut report = self.report();
        for issue in rules.into_issues() {
            let unreferenced = issue.rule.as_deref() == Some("dom-3");
            if unreferenced && (!contained || pictured.contains(&issue.path)) {
                continue;
            }
            report.push(issue);
        }
        report
    }

    fn resource(&mut self, number: usize, asked: &[&str]) {
        let Resource { node, kind, .. } = self.resources[number];
        let definitions = self.definitions;
        if let Some(base) = definitions.base(kind) {
            self.conform(node, base, number);
        }
        for url in asked {
            match definitions.profile(url) {
                Some(profile) => self.against(node, profile, number),
                None => self.find(node, Code::ProfileUnknown, Severity::Error, "a profile that is loaded").from(url),
            }
        }
        for url in definitions.globals(kind.name()) {
            if let Some(profile) = definitions.profile(url) {
                self.against(node, profile, number);
            }
        }
        let named = node.get("meta").into_iter().flat_map(|meta| meta.list("profile"));
        for name in named {
            let Some(url) = name.as_str() else { continue };
            match definitions.profile(&url) {
                Some(profile) => self.against(node, profile, number),
                None => self.find(name, Code::ProfileUnknown, Severity::Warning, "a profile that is loaded").done(),
            }
        }
        if kind.name() == "Observation" {
            self.vital_signs(node, number);
        }
        match kind.name() {
            "Bundle" => self.bundle(node, number),
            "StructureDefinition" => self.structure_definition(node),
            "ValueSet" | "CodeSystem" | "ConceptMap" => {
                for (node, code, severity, wanted) in definitions.terminology().check_definition(node) {
                    self.find(node, code, severity, wanted).done();
                }
            }
            "Questionnaire" => {
                let mut found = Vec::new();
                questionnaire::check_questionnaire(node, &mut |finding| found.push(finding));
                self.take(found);
            }
            "QuestionnaireResponse" => self.questionnaire_response(node, number),
            _ => {}
        }
    }

    /// Checks a response against its questionnaire, where that is contained or in a package.
    fn questionnaire_response(&mut self, node: Node<'a>, number: usize) {
        let Some(named) = node.get("questionnaire") else { return };
        let Some(canonical) = named.as_str() else { return };
        let definitions = self.definitions;
        let packaged =
            || ResourceType::from_name("Questionnaire").and_then(|kind| definitions.packages().find(kind, &canonical));
        let questionnaire = match canonical.starts_with('#') {
            true => self.resolve_text(&canonical, number).map(|number| self.resources[number].node),
            false => packaged().and_then(|member| member.record()).map(Record::root),
        };
        let Some(questionnaire) =
            questionnaire.filter(|node| node.text("resourceType").as_deref() == Some("Questionnaire"))
        else {
            // A contained one that is not there is said elsewhere.
            if !canonical.starts_with('#') {
                self.find(named, Code::QuestionnaireUnknown, Severity::Warning, "a questionnaire that is loaded")
                    .done();
            }
            return;
        };
        let mut found = Vec::new();
        let terminology = definitions.terminology();
        questionnaire::check_response(node, questionnaire, terminology, &mut |finding| found.push(finding));
        self.take(found);
    }

    fn take(&mut self, found: Vec<questionnaire::Finding<'a>>) {
        for finding in found {
            self.find(finding.node, finding.code, finding.severity, finding.expected).done();
        }
    }

    /// Checks a resource against a profile, where the profile is about its type.
    fn against(&mut self, node: Node<'a>, profile: &'a Arc<Profile>, number: usize) {
        if self.resources[number].kind.is_a(&profile.kind) {
            self.conform(node, profile, number);
        } else {
            self.find(node, Code::ProfileType, Severity::Error, "a resource of the type that the profile is about")
                .of(profile)
                .done();
        }
    }

    /// The profiles of R4 that an Observation with certain codes has to follow (R4, Observation, vital signs).
    fn vital_signs(&mut self, node: Node<'a>, number: usize) {
        let codings = node.get("code").into_iter().flat_map(|code| code.list("coding"));
        for coding in codings {
            if !coding.get("system").is_some_and(|system| system.is_text("http://loinc.org")) {
                continue;
            }
            if let Some(profile) = coding.text("code").and_then(|code| self.definitions.vital_sign(&code)) {
                self.conform(node, profile, number);
            }
        }
    }

    // --- resources ---

    /// The paths of resources whose every contained resource is named in a text, such as the picture in a narrative: that is
    /// a reference too (R4, narrative, 2.4.0.1; dom-3).
    fn pictured(&self) -> Vec<String> {
        let named = |resource: &&Resource<'a>| {
            let raw = resource.node.raw();
            resource.node.list("contained").filter_map(|inner| inner.text("id")).all(|id| {
                let mark = format!("#{id}");
                memchr::memmem::find_iter(raw, mark.as_bytes())
                    .any(|at| matches!(raw.get(at + mark.len()), Some(b'"' | b'\\' | b'\'')))
            })
        };
        self.resources.iter().filter(named).map(|resource| resource.node.path()).collect()
    }

    /// Lists the resources of the record, each with what it is part of.
    fn list_resources(&mut self) {
        let mut open: Vec<(usize, usize)> = Vec::new(); // number of the resource, row after it
        let mut entry: Option<Node<'a>> = None;
        let kinds = data::kinds();
        for (row, found) in self.record.tree().rows.iter().enumerate() {
            if found.kind != NodeKind::Object || found.type_id == Row::NONE {
                continue;
            }
            let (kind, node) = (TypeId(found.type_id), self.record.node(row));
            match kinds.get(usize::from(found.type_id)) {
                Some(data::Kind::Resource) => {}
                Some(data::Kind::Entry) => {
                    entry = Some(node);
                    continue;
                }
                _ => continue,
            }
            while open.last().is_some_and(|(_, end)| *end <= row) {
                open.pop();
            }
            let above = open.last().map(|(number, _)| *number);
            let contained = node.element().is_some_and(|element| element.name() == "contained");
            let mut made = Resource { node, kind, container: None, bundle: None, full_url: None };
            if contained {
                made.container = above;
            } else if let Some(above) = above
                && self.resources[above].kind.name() == "Bundle"
            {
                made.bundle = Some(above);
                made.full_url = entry.and_then(|entry| entry.text("fullUrl"));
            } else if let Some(above) = above {
                made.bundle = self.resources[above].bundle;
                made.full_url = self.resources[above].full_url.clone();
            }
            let number = self.resources.len();
            if let Some(url) = &made.full_url {
                self.addresses.entry(url.clone()).or_default().push(number);
            }
            open.push((number, node.row().next as usize));
            self.resources.push(made);
        }
    }

    /// The resource that a node is in.
    pub(super) fn enclosing(&self, node: Node<'_>) -> usize {
        let after = self.resources.partition_point(|resource| resource.node.at() <= node.at());
        let holds = |number: &usize| self.resources[*number].node.row().next as usize > node.at();
        (0..after).rev().find(holds).unwrap_or_default()
    }

    // --- findings ---

    /// Notes a finding; the builder puts it in when it is dropped.
    fn find(
        &mut self,
        node: Node<'_>,
        code: Code,
        severity: Severity,
        message: impl Into<Cow<'static, str>>,
    ) -> Noting<'_, 'a> {
        let message = message.into();
        Noting {
            run: self,
            finding: Finding { row: node.at() as u32, code, severity, message, profile: None, rule: None },
        }
    }

    /// Whether `attempt` finds no error; what it finds is forgotten.
    fn trial(&mut self, attempt: impl FnOnce(&mut Self)) -> bool {
        let before = self.errors;
        self.trials += 1;
        attempt(self);
        self.trials -= 1;
        let good = self.errors == before;
        self.errors = before;
        good
    }

    /// Takes a step; false where there are none left.
    fn step(&mut self) -> bool {
        self.steps = self.steps.saturating_sub(1);
        if self.steps.is_multiple_of(LOOK_EACH) && !self.goes_on() {
            self.steps = 0;
        }
        self.steps > 0
    }

    /// Whether the one who asked still wants it.
    pub(super) fn goes_on(&self) -> bool {
        self.watch.look().is_ok()
    }

    fn report(self) -> Report {
        let mut report = Report::new();
        let mut found = self.found;
        found.sort_by_key(|finding| finding.row);
        let placed = json::place(self.record.tree(), found.iter().map(|finding| finding.row as usize));
        for (finding, (path, line, column)) in found.into_iter().zip(placed) {
            let message = [finding.code.sentence(), ": expected ", &finding.message].concat();
            let mut issue = Issue::new(finding.severity, finding.code, message).at(path, line, column);
            (issue.profile, issue.rule) = (finding.profile, finding.rule);
            report.push(issue);
        }
        for _ in 0..self.over {
            report.count_only();
        }
        if self.steps == 0 {
            report.push(Issue::new(Severity::Error, Code::ValidationLimit, Code::ValidationLimit.sentence()));
        }
        report
    }
}

/// What tells a finding from others of its code at its place.
#[derive(PartialEq, Eq, Hash)]
enum Named {
    Rule(Arc<str>),
    Message(Cow<'static, str>),
}

/// A finding being noted.
#[must_use]
struct Noting<'r, 'a> {
    run: &'r mut Run<'a>,
    finding: Finding,
}

impl Noting<'_, '_> {
    fn of(mut self, profile: &Profile) -> Self {
        self.finding.profile = Some(profile.url.clone());
        self
    }
    fn rule(mut self, rule: &Arc<str>) -> Self {
        self.finding.rule = Some(rule.clone());
        self
    }
    fn from(mut self, profile: &str) {
        self.finding.profile = Some(profile.into());
        self.done();
    }
    fn done(self) {
        let (run, finding) = (self.run, self.finding);
        if finding.severity <= Severity::Error {
            run.errors += 1;
        }
        if run.trials > 0 {
            return;
        }
        let named = match &finding.rule {
            Some(rule) => Named::Rule(rule.clone()),
            None => Named::Message(finding.message.clone()),
        };
        if !run.seen.insert((finding.row, finding.code, named)) {
            return;
        }
        if run.found.len() < run.options.limits.findings { run.found.push(finding) } else { run.over += 1 }
    }
}

impl TypeId {
    /// Whether this type is the one of that name or derived from it.
    pub(super) fn is_a(self, name: &str) -> bool {
        let mut at = Some(self);
        while let Some(type_id) = at {
            if type_id.name() == name {
                return true;
            }
            at = type_id.base();
        }
        matches!(name, "Resource" | "DomainResource") && self.row().kind == TypeKind::Resource
    }
}
