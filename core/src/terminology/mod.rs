//! Terminology: whether a code is right, what it means, what a value set holds, and what a code is in another system.
//!
//! [`Terminology`] knows the code systems, value sets and concept maps of the packages it is given, those of R4 itself, and a
//! few systems that are rules (languages, countries, MIME types, UCUM, URIs). Licensed systems such as SNOMED CT and LOINC are
//! not part of the library: a host brings them as a [`Source`]. A code that nobody here can judge is
//! [`Outcome::NotChecked`], never wrong.

mod code_system;
mod concept_map;
mod definitions;
mod expand;
mod facts;
mod filter;
mod form;
pub mod shapes;
mod source;
#[cfg(test)]
mod tests;
mod value_set;

pub use code_system::{CodeSystem, Content, Designation};
pub use concept_map::Translation;
pub use definitions::DefinitionFinding;
pub use expand::{Expansion, ExpansionEntry, ExpansionOptions};
pub use source::{Answer, Source};
pub use value_set::ValueSet;

use crate::error::{Code, Result};
use crate::package::hash::{Map, Set};
use crate::package::{self, Member, Packages};
use crate::record::Node;
use crate::schema::ResourceType;
use filter::{Filter, Op};
use form::Form;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use value_set::{Definitions, Question, System};

/// A code as a record has it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Coding<'a> {
    /// The code system; None where the element is a bare `code`.
    pub system: Option<Cow<'a, str>>,
    /// The version of the code system.
    pub version: Option<Cow<'a, str>>,
    /// The code.
    pub code: Cow<'a, str>,
    /// The text that came with it.
    pub display: Option<Cow<'a, str>>,
}

impl std::fmt::Debug for Coding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Coding(..)")
    }
}

impl<'a> Coding<'a> {
    /// A code of a system.
    pub fn new(system: &'a str, code: &'a str) -> Self {
        Coding { system: Some(system.into()), ..Coding::code(code) }
    }
    /// A bare code, whose system the value set tells.
    pub fn code(code: &'a str) -> Self {
        Coding { system: None, version: None, code: code.into(), display: None }
    }
    /// With a display.
    #[must_use]
    pub fn with_display(mut self, display: &'a str) -> Self {
        self.display = Some(display.into());
        self
    }
    /// With a version of the system.
    #[must_use]
    pub fn with_version(mut self, version: &'a str) -> Self {
        self.version = Some(version.into());
        self
    }
    /// Reads a Coding, a Quantity (its unit) or a bare code; None where there is no code.
    pub fn read(node: Node<'a>) -> Option<Self> {
        if let Some(code) = node.as_str() {
            return Some(Coding { system: None, version: None, code, display: None });
        }
        let (mut system, mut version, mut code, mut display, mut unit) = (None, None, None, None, false);
        for child in node.values() {
            let slot = match child.key() {
                b"system" => &mut system,
                b"version" => &mut version,
                b"code" => &mut code,
                b"display" => &mut display,
                b"unit" => {
                    unit = true;
                    continue;
                }
                _ => continue,
            };
            if slot.is_none() {
                *slot = Some(child);
            }
        }
        let text = |node: Option<Node<'a>>| node.and_then(Node::as_str);
        let display = text(display.filter(|_| !unit));
        Some(Coding { system: text(system), version: text(version), code: text(code)?, display })
    }
}

/// What was found about a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in.
    In(Match),
    /// The code may exist, but it is not in the value set.
    NotIn,
    /// Its code system is all here and does not have it.
    CodeUnknown,
    /// Nobody here can tell.
    NotChecked(Why),
}

impl Outcome {
    /// Whether the code is in.
    pub fn is_in(&self) -> bool {
        matches!(self, Outcome::In(_))
    }
    /// Whether the code is known not to be in.
    pub fn is_wrong(&self) -> bool {
        matches!(self, Outcome::NotIn | Outcome::CodeUnknown)
    }
}

/// More about a code that is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Its system, also where the record gave the code alone.
    pub system: Option<Arc<str>>,
    /// The display of the code system, where it is known.
    pub display: Option<Arc<str>>,
    /// Whether the display in the record is none that the code system or the value set has.
    pub display_wrong: bool,
    /// Whether the code is no longer in use.
    pub inactive: bool,
    /// Whether the code only groups others and should not be used by itself.
    pub abstract_: bool,
}

/// What is known of a URL that is to be a code system.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'t> {
    pub(crate) known: Option<&'t Arc<CodeSystem>>,
    form: Option<Form>,
}

/// Why a code was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The value set is in no package and no source knows it.
    ValueSetUnknown,
    /// A code system it needs is in no package, or not all of it, and no source knows it.
    SystemUnknown,
}

/// How one code relates to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsumption {
    /// They are the same.
    Equivalent,
    /// The first is the more general one.
    Subsumes,
    /// The first is the more special one.
    SubsumedBy,
    /// Neither.
    NotSubsumed,
}

/// What is known about a code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concept {
    /// The code system.
    pub system: Arc<str>,
    /// The version of the code system this is from.
    pub version: Option<Arc<str>>,
    /// The code.
    pub code: Arc<str>,
    /// The preferred text.
    pub display: Option<Arc<str>>,
    /// What it means.
    pub definition: Option<Arc<str>>,
    /// Whether it is no longer in use.
    pub inactive: bool,
    /// Whether it only groups others.
    pub abstract_: bool,
    /// The codes right above it.
    pub parents: Vec<Arc<str>>,
    /// The codes right below it.
    pub children: Vec<Arc<str>>,
    /// Properties: name and value.
    pub properties: Vec<(Arc<str>, Arc<str>)>,
    /// Other texts.
    pub designations: Vec<Designation>,
}

/// Code systems, value sets and concept maps, ready to be asked. It can be shared between threads; what was compiled is kept.
pub struct Terminology {
    packages: Packages,
    sources: Vec<Arc<dyn Source>>,
    /// By the address of the member, which the packages keep alive; read where it is first asked for.
    systems: Map<usize, OnceLock<Option<Arc<CodeSystem>>>>,
    sets: RwLock<Map<Box<str>, Arc<ValueSet>>>,
}

impl Terminology {
    /// Knows what the packages know, and R4's own.
    ///
    /// # Example
    /// ```
    /// use ehrcore::package::Packages;
    /// use ehrcore::terminology::{Coding, Outcome, Terminology};
    ///
    /// let terminology = Terminology::new(&Packages::new());
    /// let set = "http://hl7.org/fhir/ValueSet/allergyintolerance-clinical";
    /// let system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
    /// assert!(terminology.validate_code(set, &Coding::new(system, "active")).is_in());
    /// assert_eq!(terminology.validate_code(set, &Coding::new(system, "aktiv")), Outcome::CodeUnknown);
    /// ```
    pub fn new(packages: &Packages) -> Terminology {
        let own = package::built_in().resources().filter(|member| member.kind() == ResourceType::CODE_SYSTEM);
        let members = packages.of_kind(ResourceType::CODE_SYSTEM).chain(own);
        Terminology {
            packages: packages.clone(),
            sources: Vec::new(),
            systems: members.map(|member| (address(member), OnceLock::new())).collect(),
            sets: RwLock::default(),
        }
    }

    /// Asks this source for what the packages do not know. Sources are asked in the order they were added.
    #[must_use]
    pub fn with_source(mut self, source: Arc<dyn Source>) -> Self {
        self.sources.push(source);
        self
    }

    /// Whether a code is in a value set (`url` or `url|version`).
    pub fn validate_code(&self, value_set: &str, coding: &Coding<'_>) -> Outcome {
        match self.value_set(value_set) {
            Some(set) => self.validate_in(&set, coding),
            None => self.ask(Some(value_set), coding).unwrap_or(Outcome::NotChecked(Why::ValueSetUnknown)),
        }
    }

    /// Whether a code is in a compiled value set.
    pub fn validate_in(&self, set: &ValueSet, coding: &Coding<'_>) -> Outcome {
        match self.stand(set, coding, true) {
            Ok(found) => Outcome::In(self.matched(Some(set), coding.system.as_deref().or(found.as_deref()), coding)),
            Err(outcome) => outcome,
        }
    }

    /// Whether a code is in a compiled value set, and nothing more about it.
    pub(crate) fn is_in(&self, set: &ValueSet, coding: &Coding<'_>) -> Outcome {
        self.stand(set, coding, false).map_or_else(|outcome| outcome, |_| Outcome::In(Match::default()))
    }

    /// The system in which a code of a value set was found, or how else it stands to the set; `exact` tells a code that is not
    /// in from one that there is not.
    fn stand(
        &self,
        set: &ValueSet,
        coding: &Coding<'_>,
        exact: bool,
    ) -> std::result::Result<Option<Arc<str>>, Outcome> {
        let system = coding.system.as_deref();
        let question = Question {
            system,
            version: coding.version.as_deref(),
            code: &coding.code,
            sources: &self.sources,
            steps: Cell::new(STEPS),
            found: Cell::new(None),
        };
        Err(match set.contains(&question) {
            Some(true) => return Ok(question.found.take()),
            Some(false) if exact && self.knows(coding) == Some(false) => Outcome::CodeUnknown,
            Some(false) => Outcome::NotIn,
            None if self.knows(coding) == Some(false) => Outcome::CodeUnknown,
            None => {
                let asked = set.url().and_then(|url| self.ask(Some(url), coding));
                asked.unwrap_or(Outcome::NotChecked(Why::SystemUnknown))
            }
        })
    }

    /// The best outcome of several codings that mean one thing (a CodeableConcept): in where one is, not checked where one may
    /// be.
    pub fn validate_any<'a>(&self, value_set: &str, codings: impl IntoIterator<Item = Coding<'a>>) -> Outcome {
        best_of(codings.into_iter().map(|coding| self.validate_code(value_set, &coding)))
    }

    /// As [`Terminology::validate_any`], of a compiled value set, and nothing more about the codes.
    pub(crate) fn any_is_in<'a>(&self, set: &ValueSet, codings: impl IntoIterator<Item = Coding<'a>>) -> Outcome {
        best_of(codings.into_iter().map(|coding| self.is_in(set, &coding)))
    }

    /// Whether a code is one of its code system. A coding without a system is not checked.
    pub fn validate_coding(&self, coding: &Coding<'_>) -> Outcome {
        match self.knows(coding) {
            Some(true) => Outcome::In(self.matched(None, coding.system.as_deref(), coding)),
            Some(false) => Outcome::CodeUnknown,
            None => self.ask(None, coding).unwrap_or(Outcome::NotChecked(Why::SystemUnknown)),
        }
    }

    /// As [`Terminology::validate_coding`]; of what is in, only whether the display is wrong is told.
    /// `facts` are those of the coding's system.
    pub(crate) fn judge(&self, facts: &Facts<'_>, coding: &Coding<'_>) -> Outcome {
        let known = match (&coding.version, coding.system.as_deref()) {
            (None, Some(system)) => {
                let here = match (facts.known, facts.form) {
                    (Some(known), _) => known.contains(&coding.code),
                    (None, form) => form.and_then(|form| form.contains(&coding.code)),
                };
                here.or_else(|| matches!(shapes::check(system, &coding.code), Some(Err(_))).then_some(false))
            }
            _ => self.knows(coding),
        };
        match known {
            Some(true) => {
                Outcome::In(Match { display_wrong: self.says_otherwise(facts.known, coding), ..Match::default() })
            }
            Some(false) => Outcome::CodeUnknown,
            None => self.ask(None, coding).unwrap_or(Outcome::NotChecked(Why::SystemUnknown)),
        }
    }

    /// What is known of a code system as such.
    pub(crate) fn facts(&self, system: &str) -> Facts<'_> {
        Facts { known: self.here(system, None), form: Form::of(system) }
    }

    /// Whether a package has a value set of that url.
    pub(crate) fn is_value_set(&self, url: &str) -> bool {
        self.packages.find(ResourceType::VALUE_SET, url).is_some()
    }

    /// Whether a coding has a display that is none of its code's. `newest`: its code system, of no version in particular.
    fn says_otherwise<'a>(&'a self, newest: Option<&'a Arc<CodeSystem>>, coding: &Coding<'_>) -> bool {
        let (Some(system), Some(given)) = (coding.system.as_deref(), coding.display.as_deref()) else { return false };
        if !self.sources.is_empty() {
            return self.matched(None, Some(system), coding).display_wrong;
        }
        let find = |known: &'a Arc<CodeSystem>| Some(known.row(known.find(&coding.code)?));
        let asked = coding.version.as_deref().and_then(|version| self.here(system, Some(version)));
        let Some(row) = asked.and_then(find).or_else(|| newest.and_then(find)) else { return false };
        let mut texts = row.designations.iter().map(|one| &one.text).chain(&row.display).peekable();
        texts.peek().is_some() && !texts.any(|text| same_text(text, given))
    }

    /// What is known about a code; None where its system is not here or does not have it.
    pub fn lookup(&self, coding: &Coding<'_>) -> Option<Concept> {
        let system = coding.system.as_deref()?;
        let known = self.here(system, coding.version.as_deref());
        let here = known.and_then(|system| Some((system, system.find(&coding.code)?)));
        let Some((system, row)) = here else { return self.sources.iter().find_map(|source| source.lookup(coding)) };
        let row = system.row(row);
        let codes = |rows: &[u32]| rows.iter().map(|at| system.row(*at).code.clone()).collect();
        Some(Concept {
            system: system.url.clone(),
            version: system.version.clone(),
            code: row.code.clone(),
            display: row.display.clone(),
            definition: row.definition.clone(),
            inactive: row.inactive,
            abstract_: row.abstract_,
            parents: codes(&row.parents),
            children: codes(&row.children),
            properties: row.properties.clone(),
            designations: row.designations.clone(),
        })
    }

    /// How code `a` relates to code `b` of one system; None where the system is not here or lacks one of them.
    pub fn subsumes(&self, system: &str, version: Option<&str>, a: &str, b: &str) -> Option<Subsumption> {
        let known = self.here(system, version);
        let rows = known.and_then(|known| Some((known, known.find(a)?, known.find(b)?)));
        let Some((known, a_row, b_row)) = rows else {
            return self.sources.iter().find_map(|source| source.subsumes(system, version, a, b));
        };
        let (above_a, above_b) = (known.above(a_row), known.above(b_row));
        Some(match (above_b.contains(&a_row), above_a.contains(&b_row)) {
            _ if a_row == b_row => Subsumption::Equivalent,
            (true, true) => Subsumption::Equivalent,
            (true, false) => Subsumption::Subsumes,
            (false, true) => Subsumption::SubsumedBy,
            (false, false) => Subsumption::NotSubsumed,
        })
    }

    /// The code system of that url, where a package has it: of the version asked for, or the newest.
    pub fn code_system(&self, url: &str, version: Option<&str>) -> Option<Arc<CodeSystem>> {
        self.here(url, version).cloned()
    }

    pub(crate) fn here(&self, url: &str, version: Option<&str>) -> Option<&Arc<CodeSystem>> {
        if memchr::memchr(b'|', url.as_bytes()).is_some() {
            return None; // a version has an element of its own
        }
        let canonical = version.map_or_else(|| Cow::Borrowed(url), |version| format!("{url}|{version}").into());
        let member = self.packages.find(ResourceType::CODE_SYSTEM, &canonical)?;
        let read = || member.record().and_then(|record| CodeSystem::read(record.root())).map(Arc::new);
        self.systems.get(&address(member))?.get_or_init(read).as_ref()
    }

    /// The value set of that canonical (`url` or `url|version`), compiled on first use; None where no package has it.
    pub fn value_set(&self, canonical: &str) -> Option<Arc<ValueSet>> {
        if let Some(known) = read(&self.sets).get(canonical) {
            return Some(known.clone());
        }
        Compiler::new(self).nested(canonical).or_else(|| implicit(self, canonical).map(Arc::new))
    }

    /// Compiles a ValueSet resource that is in no package, such as a contained one.
    ///
    /// # Errors
    /// - `invalid-argument`: it is no ValueSet.
    pub fn compile(&self, value_set: Node<'_>) -> Result<ValueSet> {
        if value_set.text("resourceType").as_deref() != Some("ValueSet") {
            return Err(Code::InvalidArgument.error().expected("a ValueSet"));
        }
        Ok(ValueSet::read(value_set, &Compiler::new(self)))
    }

    /// Whether a coding is one of its system; None where that is not known here.
    fn knows(&self, coding: &Coding<'_>) -> Option<bool> {
        let system = coding.system.as_deref()?;
        let has = |version| match self.here(system, version) {
            Some(known) => Some(known.contains(&coding.code)),
            None => Form::of(system).map(|form| form.contains(&coding.code)),
        };
        let here = match has(coding.version.as_deref()) {
            Some(known) => known,
            // A version that is not here: what the newest has is most likely there too; what it lacks may be.
            None if coding.version.is_some() => has(None).flatten().filter(|is| *is),
            None => None,
        };
        here.or_else(|| matches!(shapes::check(system, &coding.code), Some(Err(_))).then_some(false))
    }

    fn system(&self, url: &str, version: Option<&str>) -> System {
        match (Form::of(url), self.code_system(url, version)) {
            (_, Some(system)) => System::Known(system),
            (Some(form), None) => System::Form(form),
            (None, None) => System::Unknown,
        }
    }

    /// Asks the sources.
    fn ask(&self, value_set: Option<&str>, coding: &Coding<'_>) -> Option<Outcome> {
        let answer = self.sources.iter().find_map(|source| source.validate_code(value_set, coding))?;
        Some(match (answer.valid, value_set) {
            (true, _) => Outcome::In(Match {
                system: coding.system.as_deref().map(Into::into),
                display: answer.display.map(Into::into),
                display_wrong: answer.display_wrong,
                inactive: answer.inactive,
                abstract_: false,
            }),
            (false, Some(_)) => Outcome::NotIn,
            (false, None) => Outcome::CodeUnknown,
        })
    }

    fn matched(&self, set: Option<&ValueSet>, system: Option<&str>, coding: &Coding<'_>) -> Match {
        let mut made = Match { system: system.map(Into::into), ..Match::default() };
        let Some(system) = system else { return made };
        let own = set.and_then(|set| set.display(system, &coding.code));
        let in_system = Coding { system: Some(system.into()), ..coding.clone() };
        let concept = self.lookup(&in_system).or_else(|| self.lookup(&Coding { version: None, ..in_system }));
        let mut texts: Vec<Arc<str>> = own.into_iter().cloned().collect();
        if let Some(concept) = concept {
            (made.inactive, made.abstract_) = (concept.inactive, concept.abstract_);
            made.display = concept.display;
            texts.extend(concept.designations.into_iter().map(|designation| designation.text));
        }
        texts.extend(made.display.clone());
        made.display = made.display.or_else(|| texts.first().cloned());
        made.display_wrong = match &coding.display {
            Some(given) if !texts.is_empty() => !texts.iter().any(|text| same_text(text, given)),
            _ => false,
        };
        made
    }
}

impl std::fmt::Debug for Terminology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Terminology({:?}, {} sources)", self.packages, self.sources.len())
    }
}

/// The best of several outcomes: in where one is, not checked where one may be.
fn best_of(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let mut best = Outcome::NotIn;
    for outcome in outcomes {
        match outcome {
            Outcome::In(found) => return Outcome::In(found),
            Outcome::NotChecked(why) => best = Outcome::NotChecked(why),
            Outcome::CodeUnknown if best == Outcome::NotIn => best = Outcome::CodeUnknown,
            _ => {}
        }
    }
    best
}

fn address(member: &Arc<Member>) -> usize {
    Arc::as_ptr(member) as usize
}

/// What may be looked at for one answer: parts of value sets in value sets.
const STEPS: u32 = 100_000;

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Whether two displays are the same but for case and white space.
fn same_text(a: &str, b: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    a == b || words(a) == words(b)
}

/// One compilation: value sets that name each other, each compiled once, cycles cut.
struct Compiler<'a> {
    terminology: &'a Terminology,
    done: RefCell<Map<Box<str>, Option<Arc<ValueSet>>>>,
    open: RefCell<Set<Box<str>>>,
    cut: Cell<bool>,
}

impl<'a> Compiler<'a> {
    fn new(terminology: &'a Terminology) -> Self {
        Compiler { terminology, done: RefCell::default(), open: RefCell::default(), cut: Cell::new(false) }
    }
}

/// How deep value sets may name each other.
const NESTING: usize = 64;

impl Definitions for Compiler<'_> {
    fn system(&self, url: &str, version: Option<&str>) -> System {
        self.terminology.system(url, version)
    }

    fn nested(&self, canonical: &str) -> Option<Arc<ValueSet>> {
        if let Some(known) = read(&self.terminology.sets).get(canonical) {
            return Some(known.clone());
        }
        if let Some(known) = self.done.borrow().get(canonical) {
            return known.clone();
        }
        if self.open.borrow().len() >= NESTING || !self.open.borrow_mut().insert(canonical.into()) {
            self.cut.set(true);
            return None;
        }
        let member = self.terminology.packages.find(ResourceType::VALUE_SET, canonical);
        let read = member.and_then(|member| Some(ValueSet::read(member.record()?.root(), self)));
        let made = read.map(Arc::new);
        let mut open = self.open.borrow_mut();
        open.remove(canonical);
        // What comes out of a cycle depends on where it was entered, so only the set that was asked for is kept for others.
        if let Some(set) = made.as_ref().filter(|_| open.is_empty() || !self.cut.get()) {
            let mut sets = self.terminology.sets.write().unwrap_or_else(PoisonError::into_inner);
            sets.insert(canonical.into(), set.clone());
        }
        drop(open);
        self.done.borrow_mut().insert(canonical.into(), made.clone());
        made
    }
}

/// The value sets that SNOMED CT and LOINC define by the form of their url.
fn implicit(terminology: &Terminology, canonical: &str) -> Option<ValueSet> {
    let of = |url: &str, filters| ValueSet::of_system(url, terminology.system(url, None), filters);
    if canonical == "http://loinc.org/vs" {
        return Some(of("http://loinc.org", Vec::new()));
    }
    let query = canonical.strip_prefix("http://snomed.info/sct?fhir_vs")?;
    match query.strip_prefix("=isa/") {
        None if query.is_empty() => Some(of("http://snomed.info/sct", Vec::new())),
        None => None,
        Some(code) => {
            let filter = Filter { property: "concept".into(), op: Op::IsA, value: code.into() };
            Some(of("http://snomed.info/sct", vec![filter]))
        }
    }
}
