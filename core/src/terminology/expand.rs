//! The codes of a value set, listed.

use super::code_system::{CodeSystem, Content};
use super::value_set::{Part, Question, Selection, System, ValueSet};
use super::{STEPS, Terminology};
use crate::error::{Code, Found, Result};
use crate::package::hash::Set;
use std::cell::Cell;
use std::sync::Arc;

/// What is asked of an expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpansionOptions {
    /// Only codes whose code or display has this text in it, whatever the case.
    pub text: Option<String>,
    /// Leave out codes that are no longer in use.
    pub active_only: bool,
    /// Leave out this many at the beginning.
    pub offset: usize,
    /// Give this many at most.
    pub count: usize,
    /// Refuse value sets of more codes than this.
    pub limit: usize,
}

impl Default for ExpansionOptions {
    fn default() -> Self {
        ExpansionOptions { text: None, active_only: false, offset: 0, count: usize::MAX, limit: 100_000 }
    }
}

/// The codes of a value set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The codes, in the order of the definition.
    pub contains: Vec<ExpansionEntry>,
    /// How many there are before offset and count are applied.
    pub total: usize,
    /// Whether these are all: false where a code system is here in part only.
    pub complete: bool,
}

/// One code of an expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpansionEntry {
    /// The code system.
    pub system: Option<Arc<str>>,
    /// The version of the code system, where it is known.
    pub version: Option<Arc<str>>,
    /// The code.
    pub code: Arc<str>,
    /// The text for it.
    pub display: Option<Arc<str>>,
    /// Whether it is no longer in use.
    pub inactive: bool,
    /// Whether it only groups others.
    pub abstract_: bool,
}

impl Terminology {
    /// The codes of a value set (`url` or `url|version`). Nothing is guessed: where a part cannot be listed, it is an error.
    ///
    /// # Errors
    /// - `value-set-unknown`: no package and no source knows it.
    /// - `expansion-impossible`: a part of it cannot be listed here, and no source lists it.
    /// - `expansion-limit`: it has more codes than the limit.
    pub fn expand(&self, value_set: &str, options: &ExpansionOptions) -> Result<Expansion> {
        let from_sources = || self.sources.iter().find_map(|source| source.expand(value_set));
        match self.value_set(value_set) {
            None => match from_sources() {
                Some(expansion) => Ok(options.page(expansion.contains, expansion.complete)),
                None => Err(Code::ValueSetUnknown.error()),
            },
            Some(set) => match self.expand_set(&set, options) {
                Err(error) if error.code() == Code::ExpansionImpossible => match from_sources() {
                    Some(expansion) => Ok(options.page(expansion.contains, expansion.complete)),
                    None => Err(error),
                },
                done => done,
            },
        }
    }

    /// The codes of a compiled value set.
    ///
    /// # Errors
    /// - `expansion-impossible`, `expansion-limit`: as [`Terminology::expand`].
    pub fn expand_set(&self, set: &ValueSet, options: &ExpansionOptions) -> Result<Expansion> {
        let mut list =
            List { terminology: self, limit: options.limit, seen: Set::default(), entries: Vec::new(), complete: true };
        match list.set(set, 0) {
            Ok(()) => Ok(options.page(list.entries, list.complete)),
            Err(error) => match &set.expansion {
                Some(given) if error.code() == Code::ExpansionImpossible => {
                    let entries = given.codes.iter().map(|listed| ExpansionEntry {
                        system: listed.system.clone(),
                        version: listed.version.clone(),
                        code: listed.code.clone(),
                        display: listed.display.clone(),
                        inactive: listed.inactive,
                        abstract_: listed.abstract_,
                    });
                    Ok(options.page(entries.collect(), given.complete))
                }
                _ => Err(error),
            },
        }
    }
}

impl ExpansionOptions {
    fn page(&self, mut entries: Vec<ExpansionEntry>, complete: bool) -> Expansion {
        if let Some(text) = &self.text {
            let text = text.to_lowercase();
            let has = |part: &str| part.to_lowercase().contains(&text);
            entries.retain(|entry| has(&entry.code) || entry.display.as_deref().is_some_and(has));
        }
        entries.retain(|entry| !(self.active_only && entry.inactive));
        let total = entries.len();
        let contains = entries.into_iter().skip(self.offset).take(self.count).collect();
        Expansion { contains, total, complete }
    }
}

struct List<'a> {
    terminology: &'a Terminology,
    limit: usize,
    seen: Set<(Option<Arc<str>>, Arc<str>)>,
    entries: Vec<ExpansionEntry>,
    complete: bool,
}

impl List<'_> {
    fn set(&mut self, set: &ValueSet, depth: usize) -> Result<()> {
        if depth > super::NESTING || set.include.is_empty() {
            return Err(Code::ExpansionImpossible.error());
        }
        for part in &set.include {
            let mut keep = Keep { excluded: &set.exclude, within: &part.within };
            match &part.selection {
                Selection::Any => {
                    let (first, others) = part.within.split_first().ok_or_else(|| Code::ExpansionImpossible.error())?;
                    let first = first.as_ref().ok_or_else(|| Code::ExpansionImpossible.error())?;
                    let limit = self.limit;
                    let mut below = List {
                        terminology: self.terminology,
                        limit,
                        seen: Set::default(),
                        entries: Vec::new(),
                        complete: true,
                    };
                    below.set(first, depth + 1)?;
                    self.complete &= below.complete;
                    keep.within = others;
                    for entry in below.entries {
                        self.push(entry, &keep)?;
                    }
                }
                Selection::Listed(codes, order) => {
                    let system = part
                        .system
                        .as_deref()
                        .and_then(|url| self.terminology.code_system(url, part.version.as_deref()));
                    for code in order {
                        let mut entry = entry(part, code, system.as_deref());
                        if let Some(display) = codes.get(code).cloned().flatten() {
                            entry.display = Some(display);
                        }
                        self.push(entry, &keep)?;
                    }
                }
                Selection::Everything(System::Known(system)) if system.content() != Content::NotPresent => {
                    self.complete &= system.content() == Content::Complete;
                    for row in &system.rows {
                        self.push(entry(part, &row.code, Some(system)), &keep)?;
                    }
                }
                Selection::Chosen(system, rows) => {
                    self.complete &= system.content() == Content::Complete;
                    let mut rows: Vec<u32> = rows.iter().copied().collect();
                    rows.sort_unstable();
                    for row in rows {
                        self.push(entry(part, &system.row(row).code, Some(system)), &keep)?;
                    }
                }
                Selection::Everything(System::Form(form)) | Selection::Filtered(System::Form(form), _) => {
                    let codes = form.codes().ok_or_else(|| Code::ExpansionImpossible.error())?;
                    for code in codes {
                        let entry = entry(part, code, None);
                        match self.ask(&entry, |question| part.contains(question)) {
                            Some(true) => self.push(entry, &keep)?,
                            Some(false) => {}
                            None => return Err(Code::ExpansionImpossible.error()),
                        }
                    }
                }
                _ => return Err(Code::ExpansionImpossible.error()),
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: ExpansionEntry, keep: &Keep<'_>) -> Result<()> {
        let mut unclear = false;
        for part in keep.excluded {
            match self.ask(&entry, |question| part.contains(question)) {
                Some(true) => return Ok(()),
                Some(false) => {}
                None => unclear = true,
            }
        }
        for set in keep.within {
            match set.as_deref().and_then(|set| self.ask(&entry, |question| set.contains(question))) {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => unclear = true,
            }
        }
        if unclear {
            return Err(Code::ExpansionImpossible.error());
        }
        if self.seen.insert((entry.system.clone(), entry.code.clone())) {
            self.entries.push(entry);
        }
        if self.entries.len() > self.limit {
            return Err(Code::ExpansionLimit.error().found(Found::Count(self.entries.len() as u64)));
        }
        Ok(())
    }
}

impl List<'_> {
    fn ask(&self, entry: &ExpansionEntry, ask: impl FnOnce(&Question<'_>) -> Option<bool>) -> Option<bool> {
        ask(&Question {
            system: entry.system.as_deref(),
            version: None,
            code: &entry.code,
            sources: &self.terminology.sources,
            steps: Cell::new(STEPS),
            found: Cell::new(None),
        })
    }
}

/// What a code must pass beside the selection of its part.
struct Keep<'a> {
    excluded: &'a [Part],
    within: &'a [Option<Arc<ValueSet>>],
}

fn entry(part: &Part, code: &str, system: Option<&CodeSystem>) -> ExpansionEntry {
    let row = system.and_then(|system| Some(system.row(system.find(code)?)));
    ExpansionEntry {
        system: part.system.clone(),
        version: part.version.clone().or_else(|| system.and_then(|system| system.version.clone())),
        code: code.into(),
        display: row.and_then(|row| row.display.clone()),
        inactive: row.is_some_and(|row| row.inactive),
        abstract_: row.is_some_and(|row| row.abstract_),
    }
}
