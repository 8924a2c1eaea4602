//! A value set in the form in which membership is quick: sets of codes and of rows, and rules where codes cannot be counted.

use super::code_system::{CodeSystem, Content};
use super::filter::{Filter, Op};
use super::form::Form;
use super::source::Source;
use super::{Coding, Subsumption};
use crate::package::hash::{Map, Set};
use crate::record::Node;
use std::cell::Cell;
use std::sync::Arc;

/// A compiled value set. It can be shared between threads and outlives the packages it came from.
#[derive(Debug)]
pub struct ValueSet {
    pub(super) url: Option<Arc<str>>,
    pub(super) version: Option<Arc<str>>,
    pub(super) include: Vec<Part>,
    pub(super) exclude: Vec<Part>,
    /// The expansion that came with it.
    pub(super) expansion: Option<Listing>,
}

/// The codes of an expansion.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) codes: Vec<Listed>,
    by_code: Map<Box<str>, Vec<u32>>,
    /// Whether it says that it holds every code.
    pub(super) complete: bool,
}

#[derive(Debug)]
pub(super) struct Listed {
    pub(super) system: Option<Arc<str>>,
    pub(super) version: Option<Arc<str>>,
    pub(super) code: Arc<str>,
    pub(super) display: Option<Arc<str>>,
    pub(super) inactive: bool,
    pub(super) abstract_: bool,
}

/// One `include` or `exclude`.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) system: Option<Arc<str>>,
    pub(super) version: Option<Arc<str>>,
    pub(super) selection: Selection,
    /// Value sets in which a code must be as well; None where one is not here.
    pub(super) within: Vec<Option<Arc<ValueSet>>>,
}

#[derive(Debug)]
pub(super) enum Selection {
    /// Whatever the value sets in `within` have.
    Any,
    /// The whole system.
    Everything(System),
    /// The codes named, with the display given for each.
    Listed(Map<Box<str>, Option<Arc<str>>>, Vec<Box<str>>),
    /// What the filters left of a system.
    Chosen(Arc<CodeSystem>, Set<u32>),
    /// Filters that are asked for each code.
    Filtered(System, Vec<Filter>),
    /// A part that makes no sense, or that is more than is understood.
    Unclear,
}

/// A code system as far as it is here.
#[derive(Clone, Debug)]
pub(super) enum System {
    Known(Arc<CodeSystem>),
    Form(Form),
    Unknown,
}

impl System {
    pub(super) fn contains(&self, code: &str) -> Option<bool> {
        match self {
            System::Known(system) => system.contains(code),
            System::Form(form) => form.contains(code),
            System::Unknown => None,
        }
    }
}

/// What compiling a value set asks of its surroundings.
pub(super) trait Definitions {
    fn system(&self, url: &str, version: Option<&str>) -> System;
    /// A value set that another one names.
    fn nested(&self, canonical: &str) -> Option<Arc<ValueSet>>;
}

/// How one code is asked for: of a system, or of whichever fits.
pub(super) struct Question<'a> {
    pub(super) system: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) code: &'a str,
    pub(super) sources: &'a [Arc<dyn Source>],
    /// What is left to be looked at before the answer is "not known".
    pub(super) steps: Cell<u32>,
    /// The system in which the code was found.
    pub(super) found: Cell<Option<Arc<str>>>,
}

impl ValueSet {
    /// Reads a ValueSet resource.
    pub(super) fn read(root: Node<'_>, definitions: &dyn Definitions) -> ValueSet {
        let compose = root.get("compose");
        let parts = |side: &str| -> Vec<Part> {
            compose
                .into_iter()
                .flat_map(|compose| compose.list(side))
                .map(|part| Part::read(part, definitions))
                .collect()
        };
        let shared = |name: &str| root.text(name).map(|text| Arc::<str>::from(text.as_ref()));
        ValueSet {
            url: shared("url"),
            version: shared("version"),
            include: parts("include"),
            exclude: parts("exclude"),
            expansion: root.get("expansion").map(Listing::read),
        }
    }

    /// A value set of one whole system, or of a filter on it.
    pub(super) fn of_system(url: &str, system: System, filters: Vec<Filter>) -> ValueSet {
        let selection =
            if filters.is_empty() { Selection::Everything(system) } else { Selection::Filtered(system, filters) };
        let part = Part { system: Some(url.into()), version: None, selection, within: Vec::new() };
        ValueSet { url: None, version: None, include: vec![part], exclude: Vec::new(), expansion: None }
    }

    /// The canonical URL, where it has one.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
    /// The version, where it has one.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether a code is in; None where that cannot be known.
    pub(super) fn contains(&self, question: &Question<'_>) -> Option<bool> {
        question.steps.set(question.steps.get().checked_sub(1)?);
        let composed = match any(&self.include, question) {
            Some(false) => Some(false),
            inside => match any(&self.exclude, question) {
                Some(true) => Some(false),
                Some(false) => inside,
                None => None,
            },
        };
        let composed = if self.include.is_empty() { None } else { composed };
        composed.or_else(|| {
            let listing = self.expansion.as_ref()?;
            match listing.find(question) {
                Some(_) => Some(true),
                None if listing.complete => Some(false),
                None => None,
            }
        })
    }

    /// The display that the value set itself gives for a code.
    pub(super) fn display(&self, system: &str, code: &str) -> Option<&Arc<str>> {
        self.include.iter().filter(|part| part.system.as_deref() == Some(system)).find_map(|part| {
            match &part.selection {
                Selection::Listed(codes, _) => codes.get(code)?.as_ref(),
                _ => None,
            }
        })
    }
}

/// Whether one of the parts has the code.
fn any(parts: &[Part], question: &Question<'_>) -> Option<bool> {
    let mut verdict = Some(false);
    for part in parts {
        match part.contains(question) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => verdict = None,
        }
    }
    verdict
}

impl Part {
    fn read(part: Node<'_>, definitions: &dyn Definitions) -> Part {
        let shared = |name: &str| part.text(name).map(|text| Arc::<str>::from(text.as_ref()));
        let (system, version) = (shared("system"), shared("version"));
        let within = part.list("valueSet").map(|node| definitions.nested(&node.as_str()?)).collect::<Vec<_>>();
        let selection = match &system {
            None if within.is_empty() => Selection::Unclear,
            None => Selection::Any,
            Some(url) => Selection::read(part, || definitions.system(url, version.as_deref())),
        };
        Part { system, version, selection, within }
    }

    pub(super) fn contains(&self, question: &Question<'_>) -> Option<bool> {
        let other = |mine: &Option<Arc<str>>, asked: Option<&str>| match (mine.as_deref(), asked) {
            (Some(mine), Some(asked)) => mine != asked,
            _ => false,
        };
        if other(&self.system, question.system) || other(&self.version, question.version) {
            return Some(false);
        }
        let mut verdict = self.selection.contains(self, question);
        for set in &self.within {
            if verdict == Some(false) {
                break;
            }
            verdict = match set.as_ref().and_then(|set| set.contains(question)) {
                Some(true) => verdict,
                Some(false) => Some(false),
                None => None,
            };
        }
        if verdict == Some(true) && self.system.is_some() {
            question.found.set(self.system.clone());
        }
        verdict
    }
}

impl Selection {
    fn read(part: Node<'_>, system: impl Fn() -> System) -> Selection {
        if part.get("concept").is_some() {
            let (mut codes, mut order) = (Map::default(), Vec::new());
            for concept in part.list("concept") {
                let Some(code) = concept.text("code") else { continue };
                let code: Box<str> = code.as_ref().into();
                order.push(code.clone());
                codes.entry(code).or_insert_with(|| concept.text("display").map(|text| text.as_ref().into()));
            }
            return Selection::Listed(codes, order);
        }
        let system = system();
        let nodes: Vec<Node<'_>> = part.list("filter").collect();
        if nodes.is_empty() {
            return Selection::Everything(system);
        }
        let filters: Vec<Filter> = nodes.iter().filter_map(|node| Filter::read(*node)).collect();
        if filters.len() < nodes.len() {
            return Selection::Unclear;
        }
        let System::Known(known) = &system else { return Selection::Filtered(system, filters) };
        if known.rows.is_empty() {
            return Selection::Filtered(System::Unknown, filters);
        }
        let mut chosen: Option<Set<u32>> = None;
        for filter in &filters {
            let Some(rows) = filter.rows(known) else { return Selection::Filtered(System::Unknown, filters) };
            chosen = Some(match chosen {
                Some(before) => before.into_iter().filter(|row| rows.contains(row)).collect(),
                None => rows,
            });
        }
        Selection::Chosen(known.clone(), chosen.unwrap_or_default())
    }

    fn contains(&self, part: &Part, question: &Question<'_>) -> Option<bool> {
        let coding = || Coding { system: part.system.as_deref().map(Into::into), ..Coding::code(question.code) };
        match self {
            Selection::Any => Some(true),
            Selection::Unclear => None,
            Selection::Listed(codes, _) => Some(codes.contains_key(question.code)),
            Selection::Everything(system) => system.contains(question.code).or_else(|| {
                let answer = |source: &Arc<dyn Source>| source.validate_code(None, &coding());
                question.sources.iter().find_map(answer).map(|answer| answer.valid)
            }),
            Selection::Chosen(system, rows) => match system.find(question.code) {
                Some(row) => Some(rows.contains(&row)),
                None if system.content() == Content::Complete => Some(false),
                None => None,
            },
            Selection::Filtered(system, filters) => {
                let mut verdict = match system {
                    System::Unknown => Some(true),
                    here => here.contains(question.code),
                };
                for filter in filters {
                    let passes = match system {
                        System::Form(form) => filter.judge(*form, question.code),
                        _ => ask(filter, part, question),
                    };
                    match passes {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => verdict = verdict.filter(|inside| !inside),
                    }
                }
                verdict
            }
        }
    }
}

/// Asks the sources about a filter on a system that is not here.
fn ask(filter: &Filter, part: &Part, question: &Question<'_>) -> Option<bool> {
    let (system, version) = (part.system.as_deref()?, part.version.as_deref());
    if !matches!(&*filter.property, "concept" | "code") {
        return None;
    }
    let relation =
        || question.sources.iter().find_map(|source| source.subsumes(system, version, &filter.value, question.code));
    Some(match &filter.op {
        Op::Equals => *filter.value == *question.code,
        Op::IsA => matches!(relation()?, Subsumption::Equivalent | Subsumption::Subsumes),
        Op::DescendentOf => relation()? == Subsumption::Subsumes,
        Op::IsNotA => !matches!(relation()?, Subsumption::Equivalent | Subsumption::Subsumes),
        Op::Generalizes => matches!(relation()?, Subsumption::Equivalent | Subsumption::SubsumedBy),
        _ => return None,
    })
}

impl Listing {
    fn read(expansion: Node<'_>) -> Listing {
        let mut made = Listing { codes: Vec::new(), by_code: Map::default(), complete: true };
        made.add(expansion);
        let whole = |node: Node<'_>| std::str::from_utf8(node.raw()).ok()?.parse::<usize>().ok();
        made.complete = expansion.get("total").and_then(whole).is_none_or(|total| total <= made.codes.len())
            && !expansion
                .list("parameter")
                .any(|parameter| parameter.text("name").as_deref() == Some("limitedExpansion"))
            && expansion.get("offset").and_then(whole).unwrap_or(0) == 0;
        made
    }

    /// Recursion goes as deep as the reader let the record be.
    fn add(&mut self, owner: Node<'_>) {
        for entry in owner.list("contains") {
            let shared = |name: &str| entry.text(name).map(|text| Arc::<str>::from(text.as_ref()));
            let flag = |name: &str| entry.get(name).and_then(Node::as_bool) == Some(true);
            if let Some(code) = shared("code") {
                self.by_code.entry((*code).into()).or_default().push(self.codes.len() as u32);
                self.codes.push(Listed {
                    system: shared("system"),
                    version: shared("version"),
                    code,
                    display: shared("display"),
                    inactive: flag("inactive"),
                    abstract_: flag("abstract"),
                });
            }
            self.add(entry);
        }
    }

    fn find(&self, question: &Question<'_>) -> Option<&Listed> {
        let fits = |listed: &&Listed| {
            !listed.abstract_ && question.system.is_none_or(|system| listed.system.as_deref() == Some(system))
        };
        let found = self.by_code.get(question.code)?.iter().map(|at| &self.codes[*at as usize]).find(fits)?;
        question.found.set(found.system.clone());
        Some(found)
    }
}
