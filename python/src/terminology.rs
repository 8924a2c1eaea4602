//! Terminology without a store.

use crate::error::run;
use ehrcore::package::{Package, Packages};
use ehrcore::terminology::{Answer, Coding, ExpansionOptions, Outcome, Source, Subsumption, Terminology as Inner};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

/// Code systems, value sets and concept maps.
#[pyclass(frozen, module = "ehrcore._native")]
pub(crate) struct Terminology(Inner);

type Code = (Option<String>, Option<String>, String, Option<String>, bool, bool);
type Checked = (&'static str, Option<String>, Option<String>, bool, bool, bool);

#[pymethods]
impl Terminology {
    #[new]
    fn new(py: Python<'_>, packages: Vec<PathBuf>, source: Option<Py<PyAny>>) -> PyResult<Self> {
        run(py, || {
            let mut set = Packages::new();
            for path in packages {
                set.add(Package::open(path)?);
            }
            let made = Inner::new(&set);
            Ok(Terminology(match source {
                Some(held) => made.with_source(PythonSource::new(held)),
                None => made,
            }))
        })
    }

    fn validate_code(
        &self,
        py: Python<'_>,
        value_set: Option<&str>,
        system: Option<&str>,
        version: Option<&str>,
        code: &str,
        display: Option<&str>,
    ) -> PyResult<Checked> {
        run(py, || {
            let coding = coding(system, version, code, display);
            let outcome = match value_set {
                Some(value_set) => self.0.validate_code(value_set, &coding),
                None => self.0.validate_coding(&coding),
            };
            let word = match &outcome {
                Outcome::In(_) => "in",
                Outcome::NotIn => "not-in",
                Outcome::CodeUnknown => "unknown",
                Outcome::NotChecked(_) => "not-checked",
            };
            let Outcome::In(found) = outcome else { return Ok((word, None, None, false, false, false)) };
            Ok((word, text(&found.system), text(&found.display), found.display_wrong, found.inactive, found.abstract_))
        })
    }

    fn lookup(&self, py: Python<'_>, system: &str, version: Option<&str>, code: &str) -> PyResult<Option<Code>> {
        run(py, || {
            let found = self.0.lookup(&coding(Some(system), version, code, None));
            Ok(found.map(|c| {
                (
                    Some(c.system.to_string()),
                    text(&c.version),
                    c.code.to_string(),
                    text(&c.display),
                    c.inactive,
                    c.abstract_,
                )
            }))
        })
    }

    fn expand(
        &self,
        py: Python<'_>,
        value_set: &str,
        text_in: Option<String>,
        active_only: bool,
        offset: usize,
        count: Option<usize>,
    ) -> PyResult<(Vec<Code>, usize, bool)> {
        run(py, || {
            let count = count.unwrap_or(usize::MAX);
            let options = ExpansionOptions { text: text_in, active_only, offset, count, ..ExpansionOptions::default() };
            let made = self.0.expand(value_set, &options)?;
            let codes = made.contains.iter().map(|entry| {
                let (system, version) = (text(&entry.system), text(&entry.version));
                (system, version, entry.code.to_string(), text(&entry.display), entry.inactive, entry.abstract_)
            });
            Ok((codes.collect(), made.total, made.complete))
        })
    }

    fn subsumes(
        &self,
        py: Python<'_>,
        system: &str,
        version: Option<&str>,
        a: &str,
        b: &str,
    ) -> PyResult<Option<&'static str>> {
        run(py, || {
            Ok(self.0.subsumes(system, version, a, b).map(|relation| match relation {
                Subsumption::Equivalent => "equivalent",
                Subsumption::Subsumes => "subsumes",
                Subsumption::SubsumedBy => "subsumed-by",
                Subsumption::NotSubsumed => "not-subsumed",
            }))
        })
    }

    fn translate(
        &self,
        py: Python<'_>,
        concept_map: &str,
        system: Option<&str>,
        code: &str,
    ) -> PyResult<Vec<(String, Option<String>, String, Option<String>)>> {
        run(py, || {
            let found = self.0.translate(concept_map, &coding(system, None, code, None))?;
            let rows = found
                .iter()
                .map(|one| (one.equivalence.to_string(), text(&one.system), one.code.to_string(), text(&one.display)));
            Ok(rows.collect())
        })
    }
}

fn coding<'a>(
    system: Option<&'a str>,
    version: Option<&'a str>,
    code: &'a str,
    display: Option<&'a str>,
) -> Coding<'a> {
    let (system, version, display) = (system.map(Into::into), version.map(Into::into), display.map(Into::into));
    Coding { system, version, code: code.into(), display }
}

fn text(text: &Option<Arc<str>>) -> Option<String> {
    text.as_deref().map(str::to_owned)
}

/// An object of Python's that knows more: `validate_code(value_set, system, version, code, display)` gives True, False, or
/// None where it does not know. What it raises is reported by Python and taken as not known.
pub(crate) struct PythonSource {
    held: Py<PyAny>,
}

impl PythonSource {
    pub(crate) fn new(held: Py<PyAny>) -> Arc<Self> {
        Arc::new(PythonSource { held })
    }
}

impl Source for PythonSource {
    fn validate_code(&self, value_set: Option<&str>, coding: &Coding<'_>) -> Option<Answer> {
        Python::attach(|py| {
            let held = self.held.bind(py);
            let asked = (
                value_set,
                coding.system.as_deref(),
                coding.version.as_deref(),
                &*coding.code,
                coding.display.as_deref(),
            );
            let answer = held.call_method1("validate_code", asked).and_then(|answer| answer.extract::<Option<bool>>());
            match answer {
                Ok(answer) => answer.map(|valid| Answer { valid, ..Answer::default() }),
                Err(error) => {
                    error.write_unraisable(py, Some(held));
                    None
                }
            }
        })
    }
}
