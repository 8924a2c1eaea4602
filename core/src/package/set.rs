//! An ordered set of packages.

use super::hash::Map;
use super::{Member, Package};
use crate::error::Code;
use crate::report::{Issue, Report, Severity};
use crate::schema::ResourceType;
use std::cmp::Ordering;
use std::sync::Arc;

/// Packages in the order they were added. Where two hold the same url and version, the one added last counts.
#[derive(Clone, Default)]
pub struct Packages {
    packages: Vec<Package>,
    by_url: Map<Box<str>, Vec<Arc<Member>>>,
    by_id: Map<(ResourceType, Box<str>), Arc<Member>>,
}

impl Packages {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a package.
    pub fn add(&mut self, package: Package) {
        for member in package.resources() {
            if let Some(url) = member.url() {
                self.by_url.entry(url.into()).or_default().push(member.clone());
            }
            if let Some(id) = member.id() {
                self.by_id.insert((member.kind(), id.into()), member.clone());
            }
        }
        self.packages.push(package);
    }
    /// As [`Packages::add`], for a chain of calls.
    #[must_use]
    pub fn with(mut self, package: Package) -> Self {
        self.add(package);
        self
    }
    /// The packages, in order.
    pub fn all(&self) -> &[Package] {
        &self.packages
    }
    /// Every resource of a type, in the order of the packages.
    pub fn of_kind(&self, kind: ResourceType) -> impl Iterator<Item = &Arc<Member>> {
        self.packages.iter().flat_map(Package::resources).filter(move |member| member.kind() == kind)
    }
    /// The resource of that type with this canonical URL: of the version after `|`, or the newest where none is asked. Part of
    /// a version (`4.0` for `4.0.1`) finds the newest of those. What no package has is looked for in
    /// [`built_in`](super::built_in()).
    pub fn find(&self, kind: ResourceType, canonical: &str) -> Option<&Arc<Member>> {
        let (url, wanted) = match memchr::memchr2(b'#', b'|', canonical.as_bytes()) {
            None => (canonical, None),
            Some(_) => {
                let canonical = canonical.split('#').next().unwrap_or_default();
                canonical.split_once('|').map_or((canonical, None), |(url, version)| (url, Some(version)))
            }
        };
        self.newest(kind, url, wanted).or_else(|| super::built_in::set().newest(kind, url, wanted))
    }

    fn newest(&self, kind: ResourceType, url: &str, wanted: Option<&str>) -> Option<&Arc<Member>> {
        let known = self.by_url.get(url)?;
        if let ([only], None) = (&known[..], wanted) {
            return Some(only).filter(|member| member.kind() == kind);
        }
        let known = known.iter().filter(|member| member.kind() == kind);
        let newest = |a: &&Arc<Member>, b: &&Arc<Member>| compare_versions(a.version(), b.version());
        let Some(wanted) = wanted.filter(|version| !version.is_empty()) else { return known.max_by(newest) };
        let exact = known.clone().rfind(|member| member.version() == Some(wanted));
        let begins = |version: &str| version.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'));
        exact.or_else(|| known.filter(|member| member.version().is_some_and(begins)).max_by(newest))
    }
    /// The resource of that type and logical id; of the package added last, where there are several.
    pub fn find_by_id(&self, kind: ResourceType, id: &str) -> Option<&Arc<Member>> {
        self.by_id.get(&(kind, Box::from(id)))
    }
    /// The dependencies that no package of the set meets, as findings: `rule` is `name#version`. R4 itself is built in and
    /// never missing.
    pub fn missing(&self) -> Report {
        let mut report = Report::new();
        for package in &self.packages {
            for (name, version) in &package.manifest().dependencies {
                let here = |other: &Package| other.manifest().name == *name;
                if name == "hl7.fhir.r4.core" || self.packages.iter().any(here) {
                    continue;
                }
                let mut issue = Issue::new(Severity::Warning, Code::PackageMissing, Code::PackageMissing.sentence());
                issue.rule = Some(format!("{name}#{version}").into());
                report.push(issue);
            }
        }
        report
    }
}

impl std::fmt::Debug for Packages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.packages).finish()
    }
}

/// Orders versions by their parts: numbers as numbers, words as words, a release after its pre-releases (`1.0.0-ballot`).
pub(crate) fn compare_versions(a: Option<&str>, b: Option<&str>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else { return a.is_some().cmp(&b.is_some()) };
    let split = |text| -> (String, Option<String>) {
        let text: &str = text;
        text.split_once('-').map_or((text.to_owned(), None), |(main, label)| (main.to_owned(), Some(label.to_owned())))
    };
    // A date such as 2024-03-01 is no release with a label.
    let dated =
        |text: &str| text.len() >= 10 && text.as_bytes()[4] == b'-' && text[..4].bytes().all(|b| b.is_ascii_digit());
    if dated(a) || dated(b) {
        return a.cmp(b);
    }
    let ((a, a_label), (b, b_label)) = (split(a), split(b));
    let mut parts = (a.split('.'), b.split('.'));
    loop {
        let order = match (parts.0.next(), parts.1.next()) {
            (None, None) => break,
            (a, b) => match (a.map(str::parse::<u64>), b.map(str::parse::<u64>)) {
                (Some(Ok(a)), Some(Ok(b))) => a.cmp(&b),
                _ => a.cmp(&b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    match (a_label, b_label) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(&b),
    }
}
