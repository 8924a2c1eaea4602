//! The validator: packages of definitions, loaded once, and records checked against them.

use super::profile::Definitions;
use super::run::Run;
use super::unreadable;
use crate::error::{Code, Result};
use crate::json;
use crate::limits::{Limits, Watch};
use crate::package::{Manifest, Package, Packages};
use crate::record::Record;
use crate::report::{Issue, Report, Severity};
use crate::terminology::Source;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::xml;
use std::path::Path;
use std::sync::Arc;

/// Checks records against R4 and against the profiles of packages. It never changes; cloning is cheap, and threads share it.
///
/// # Example
/// ```
/// # fn main() -> ehrcore::error::Result<()> {
/// use ehrcore::record::Record;
/// use ehrcore::validate::Validator;
/// let named = br#"{"resourceType":"StructureDefinition","url":"http://example.org/named","type":"Patient",
///     "kind":"resource","abstract":false,"status":"active","name":"Named","derivation":"constraint",
///     "baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient",
///     "differential":{"element":[{"id":"Patient.name","path":"Patient.name","min":1}]}}"#;
/// let validator = Validator::builder()
///     .definition(Record::parse(named)?)
///     .profile("http://example.org/named")
///     .build()?;
/// let report = validator.validate(br#"{"resourceType":"Patient","gender":"other"}"#);
/// assert_eq!(report.issues()[0].code.name(), "profile-min");
/// assert_eq!(report.issues()[0].profile.as_deref(), Some("http://example.org/named"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Validator(Arc<Inner>);

struct Inner {
    definitions: Definitions,
    profiles: Vec<String>,
    entries: Vec<Entry>,
    options: Options,
}

/// The resource of a Bundle that a profile is asked of.
pub(super) struct Entry {
    pub(super) kind: String,
    pub(super) number: usize,
    pub(super) profile: String,
}

/// What a validator is lenient or strict about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What a record may be made of at most.
    pub limits: Limits,
    /// How an extension is reported whose definition is not loaded.
    pub unknown_extensions: UnknownExtensions,
    /// What the urls of extensions begin with that may be used without a definition.
    pub extension_domains: Vec<Box<str>>,
    /// What is asked of references that point out of the record.
    pub references: References,
    /// Whether an address such as `Patient/1` is taken to be of a Patient.
    pub trust_addresses: bool,
    /// Whether contained resources are checked.
    pub contained: bool,
    /// Whether text in markdown may hold tags of HTML.
    pub html_in_markdown: bool,
    /// Whether an element is noted that a profile marks mustSupport and the record does not have.
    pub must_support: bool,
    /// How a display is reported that is none of its code's.
    pub displays: Severity,
    /// Whether a code is noted that nobody here can tell to be in a required value set.
    pub unchecked_codes: bool,
    /// What profiles and constraints compare dates with; the clock's time where None.
    pub now: Option<Timestamp>,
}

/// What is asked of references that point out of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// Nothing but their form and type.
    Open,
    /// What a profile asks of the target has to be shown, so such a target has to be in the record.
    MustConform,
    /// Every target has to be in the record.
    MustExist,
}

impl Options {
    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(|| SystemClock.now())
    }
}

/// How an extension is reported whose definition is not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownExtensions {
    /// Worth knowing: R4 lets anyone add extensions.
    Information,
    /// An error: every extension has to be defined.
    Error,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::DEFAULT,
            unknown_extensions: UnknownExtensions::Information,
            extension_domains: Vec::new(),
            references: References::Open,
            trust_addresses: true,
            contained: true,
            html_in_markdown: true,
            must_support: false,
            displays: Severity::Warning,
            unchecked_codes: true,
            now: None,
        }
    }
}

/// Gathers what a [`Validator`] knows.
#[derive(Default)]
pub struct Builder {
    packages: Packages,
    definitions: Vec<Record>,
    profiles: Vec<String>,
    entries: Vec<Entry>,
    sources: Vec<Arc<dyn Source>>,
    options: Options,
}

impl Builder {
    /// Adds the package at a path: a `.tgz`, or a folder.
    ///
    /// # Errors
    /// - as [`Package::open`].
    pub fn package(mut self, path: impl AsRef<Path>) -> Result<Self> {
        self.packages.add(Package::open(path)?);
        Ok(self)
    }
    /// Adds a package that is open already.
    #[must_use]
    pub fn opened(mut self, package: Package) -> Self {
        self.packages.add(package);
        self
    }
    /// Adds one definition: a StructureDefinition, ValueSet, CodeSystem and so on.
    #[must_use]
    pub fn definition(mut self, record: Record) -> Self {
        self.definitions.push(record);
        self
    }
    /// Checks every record against this profile, beside those its `meta.profile` names.
    #[must_use]
    pub fn profile(mut self, url: &str) -> Self {
        self.profiles.push(url.to_owned());
        self
    }
    /// Checks the resource of that type and number (from 0, among those of its type) in every Bundle against a profile.
    #[must_use]
    pub fn entry_profile(mut self, kind: &str, number: usize, url: &str) -> Self {
        self.entries.push(Entry { kind: kind.to_owned(), number, profile: url.to_owned() });
        self
    }
    /// Asks this source for codes that the packages do not know, such as those of SNOMED CT or LOINC.
    #[must_use]
    pub fn source(mut self, source: Arc<dyn Source>) -> Self {
        self.sources.push(source);
        self
    }
    /// Sets what the validator is lenient or strict about.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }
    /// Makes the validator.
    ///
    /// # Errors
    /// - `profile-unknown`: a profile it is to check against is in none of the packages.
    pub fn build(mut self) -> Result<Validator> {
        if !self.definitions.is_empty() {
            self.packages.add(Package::from_records(Manifest::default(), self.definitions));
        }
        let definitions = Definitions::new(self.packages, self.sources);
        let mut asked = self.profiles.iter().chain(self.entries.iter().map(|entry| &entry.profile));
        if asked.any(|url| definitions.profile(url).is_none()) {
            return Err(Code::ProfileUnknown.error().expected("the URL of a profile in one of the packages"));
        }
        Ok(Validator(Arc::new(Inner {
            definitions,
            profiles: self.profiles,
            entries: self.entries,
            options: self.options,
        })))
    }
}

/// Bytes that a value of a record takes while it is checked, beside its own: its row, and what is noted about it.
const ROW: usize = 64;

impl Validator {
    /// Starts a validator that knows R4 only.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Checks a resource as JSON or XML text. Text that cannot be read is one fatal finding, so there is always a report.
    pub fn validate(&self, bytes: &[u8]) -> Report {
        self.read(bytes, &self.0.options.limits, &Watch::default())
    }

    /// As [`Validator::validate`], for as long as the watch lets it, in the memory it gives; see [`crate::limits::CallLimits::begin`]. There is no
    /// report of a part. One watch may be for many records: its time runs on.
    ///
    /// # Example
    /// ```
    /// use ehrcore::limits::{CallLimits, CancelToken};
    /// use ehrcore::time::SystemClock;
    /// # fn main() -> ehrcore::error::Result<()> {
    /// let validator = ehrcore::validate::Validator::builder().build()?;
    /// let token = CancelToken::new();
    /// let limits = CallLimits { cancel: Some(token.clone()), ..CallLimits::default() };
    /// let watch = limits.begin(&(std::sync::Arc::new(SystemClock) as _));
    /// assert!(validator.validate_within(br#"{"resourceType":"Patient"}"#, &watch)?.is_valid());
    /// token.cancel();
    /// assert!(validator.validate_within(br#"{"resourceType":"Patient"}"#, &watch).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - `cancelled`, `deadline`; `limit-memory`: the record, as it is held to be checked, takes more than the watch gives.
    pub fn validate_within(&self, bytes: &[u8], watch: &Watch) -> Result<Report> {
        watch.look()?;
        watch.hold(bytes.len())?;
        let own = &self.0.options.limits;
        let nodes = watch.memory().saturating_sub(bytes.len()) / ROW;
        let report = self.read(bytes, &Limits { nodes: own.nodes.min(nodes), ..*own }, watch);
        let cut = |issue: &Issue| issue.severity == Severity::Fatal && issue.code == Code::LimitCount;
        if nodes < own.nodes && report.issues().iter().any(cut) {
            return Err(Code::LimitMemory.error());
        }
        watch.look()?;
        Ok(report)
    }

    fn read(&self, bytes: &[u8], limits: &Limits, watch: &Watch) -> Report {
        let report = if xml::is_xml(bytes) {
            xml::read_with(bytes, limits, |structure, record| self.finish(structure, record, &[], watch))
                .map(|parsed| parsed.report)
        } else {
            json::read(bytes, limits).map(|parsed| self.finish(parsed.report, &parsed.record, &[], watch))
        };
        report.unwrap_or_else(|error| unreadable(&error))
    }

    /// Checks a record.
    pub fn validate_record(&self, record: &Record) -> Report {
        self.validate_against(record, &[])
    }

    /// Checks a record against these profiles too.
    pub fn validate_against(&self, record: &Record, profiles: &[&str]) -> Report {
        match json::read(record.original(), &self.0.options.limits) {
            Ok(parsed) => self.finish(parsed.report, &parsed.record, profiles, &Watch::default()),
            Err(error) => unreadable(&error),
        }
    }

    /// What it is made of.
    pub(super) fn parts(&self) -> (&Definitions, &[String], &[Entry], &Options) {
        let Inner { definitions, profiles, entries, options } = &*self.0;
        (definitions, profiles, entries, options)
    }

    fn finish(&self, mut structure: Report, record: &Record, profiles: &[&str], watch: &Watch) -> Report {
        let inner = &*self.0;
        let asked: Vec<&str> = inner.profiles.iter().map(String::as_str).chain(profiles.iter().copied()).collect();
        structure.append(Run::new(&inner.definitions, &inner.options, record, watch).whole(&asked, &inner.entries));
        if !inner.options.contained {
            structure = structure.without(|issue| issue.path.contains(".contained["));
        }
        structure.sort();
        structure
    }
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Validator({} packages)", self.0.definitions.packages().all().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CallLimits, CancelToken};
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    /// A clock on which each question takes a microsecond.
    #[derive(Default)]
    struct Ticking(AtomicI64);
    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.fetch_add(1, Ordering::SeqCst))
        }
    }

    fn many(names: usize) -> Vec<u8> {
        let names = vec![r#"{"given":["a","b"],"family":"c"}"#; names].join(",");
        format!(r#"{{"resourceType":"Patient","name":[{names}]}}"#).into_bytes()
    }

    #[test]
    fn a_long_validation_ends_on_the_way_when_its_time_is_over() {
        let validator = Validator::builder().build().expect("R4");
        let clock: Arc<dyn Clock> = Arc::new(Ticking::default());
        let watch =
            |micros| CallLimits { time: Some(Duration::from_micros(micros)), ..CallLimits::default() }.begin(&clock);
        let code =
            |record: &[u8], micros| validator.validate_within(record, &watch(micros)).map_err(|error| error.code());
        assert!(code(&many(3), 20).is_ok_and(|report| report.is_valid()));
        assert_eq!(code(&many(3000), 20).map(|_| ()), Err(Code::Deadline));
        assert!(code(&many(3000), 100_000).is_ok_and(|report| report.is_valid()));
    }

    #[test]
    fn a_validation_can_be_cancelled_and_holds_no_more_than_it_may() {
        let validator = Validator::builder().build().expect("R4");
        let clock: Arc<dyn Clock> = Arc::new(Ticking::default());
        let token = CancelToken::new();
        let limits = CallLimits { cancel: Some(token.clone()), memory: Some(20_000), ..CallLimits::default() };
        let code =
            |record: &[u8]| validator.validate_within(record, &limits.begin(&clock)).map_err(|error| error.code());
        assert!(code(&many(20)).is_ok_and(|report| report.is_valid()));
        assert_eq!(code(&many(100)).map(|_| ()), Err(Code::LimitMemory), "its values");
        assert_eq!(code(&many(3000)).map(|_| ()), Err(Code::LimitMemory), "its bytes");
        token.cancel();
        assert_eq!(code(&many(3)).map(|_| ()), Err(Code::Cancelled));
    }
}
