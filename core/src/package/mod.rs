//! FHIR packages: definitions as guides publish them, opened quickly and read when asked for.
//!
//! [`Package::open`] inflates an archive once and looks only at the head of each resource; a resource becomes a
//! [`Record`] on first use. Nothing is written to disk, and a file that cannot be read is a finding that does not stop the
//! rest. [`Packages`] is an ordered set of them, in which a canonical URL is found by `url` or `url|version`.

mod archive;
mod built_in;
pub(crate) mod hash;
mod manifest;
pub(crate) mod packed;
mod scan;
mod set;
#[cfg(test)]
mod tests;

pub use built_in::built_in;
pub use manifest::Manifest;
pub use set::Packages;

use crate::error::{Code, Found, Result};
use crate::json;
use crate::limits::Limits;
use crate::record::Record;
use crate::report::{Issue, Report, Severity};
use crate::schema::ResourceType;
use hash::Set;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What opening a package accepts at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageLimits {
    /// Files.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: usize,
    /// Bytes of all files, inflated.
    pub total_bytes: usize,
}

impl PackageLimits {
    /// 100,000 files, 64 MiB a file, 1 GiB in all.
    pub const DEFAULT: PackageLimits = PackageLimits { files: 100_000, file_bytes: 64 << 20, total_bytes: 1 << 30 };
}

impl Default for PackageLimits {
    fn default() -> Self {
        PackageLimits::DEFAULT
    }
}

/// A package of definitions. Cloning is cheap; it can be shared between threads.
#[derive(Clone)]
pub struct Package(Arc<Inner>);

struct Inner {
    manifest: Manifest,
    members: Vec<Arc<Member>>,
    report: Report,
}

/// One resource of a package: its head, and the record on first use.
pub struct Member {
    kind: ResourceType,
    id: Option<Box<str>>,
    url: Option<Box<str>>,
    version: Option<Box<str>>,
    source: Source,
    record: OnceLock<Option<Record>>,
}

/// Where the text of a member is.
enum Source {
    /// In the record that it was made of.
    Record,
    Bytes(Arc<[u8]>, Range<usize>),
    /// In a block of a packed form.
    Block(Arc<packed::Shelf>, u32, Range<usize>),
}

impl Source {
    fn text(&self) -> Option<&[u8]> {
        match self {
            Source::Record => None,
            Source::Bytes(bytes, range) => bytes.get(range.clone()),
            Source::Block(shelf, number, range) => shelf.block(*number)?.get(range.clone()),
        }
    }
}

impl Package {
    /// Opens a `.tgz` file, a folder that holds `package/`, or a folder of JSON files, with the default limits.
    ///
    /// # Errors
    /// - `io`: the path cannot be read.
    /// - `package-unreadable`: it is no gzip'ed tar archive.
    /// - `package-limit`: it is over a limit.
    ///
    /// # Example
    /// ```
    /// # fn main() -> ehrcore::error::Result<()> {
    /// use ehrcore::package::Package;
    /// use ehrcore::schema::ResourceType;
    /// # let folder = tempfile::tempdir()?;
    /// # std::fs::write(folder.path().join("a.json"), br#"{"resourceType":"ValueSet","url":"http://example.org/colours"}"#)?;
    /// # let path = folder.path();
    /// let package = Package::open(path)?;
    /// let colours = package.resources().find(|member| member.url() == Some("http://example.org/colours")).expect("it is there");
    /// assert_eq!(colours.kind(), ResourceType::VALUE_SET);
    /// assert!(colours.record().is_some()); // parsed here, and kept
    /// # Ok(())
    /// # }
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Package> {
        Package::open_within(path, &PackageLimits::DEFAULT)
    }

    /// As [`Package::open`], with limits of the caller's.
    ///
    /// # Errors
    /// - as [`Package::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &PackageLimits) -> Result<Package> {
        let path = path.as_ref();
        if !path.is_dir() {
            if std::fs::metadata(path)?.len() > limits.total_bytes as u64 {
                return Err(Code::PackageLimit.error().expected("a smaller archive"));
            }
            return Package::from_tgz_bytes(&std::fs::read(path)?, limits);
        }
        let inner = path.join("package");
        let mut files: Vec<_> = std::fs::read_dir(if inner.is_dir() { &inner } else { path })?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "json") && path.is_file())
            .collect();
        files.sort();
        if files.len() > limits.files {
            return Err(Code::PackageLimit.error().expected("fewer files").found(Found::Count(files.len() as u64)));
        }
        let (mut made, mut total) = (Builder::default(), 0_u64);
        for (number, path) in files.iter().enumerate() {
            let size = std::fs::metadata(path)?.len();
            total += size;
            if total > limits.total_bytes as u64 {
                return Err(Code::PackageLimit.error().expected("fewer bytes in all"));
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if size > limits.file_bytes as u64 {
                made.finding(Severity::Warning, Code::PackageMember, number, "a file is larger than the limit");
                continue;
            }
            let bytes: Arc<[u8]> = std::fs::read(path)?.into();
            let range = 0..bytes.len();
            made.file(number, &name, &bytes, range);
        }
        Ok(made.finish(inner.is_dir()))
    }

    /// Opens the bytes of a `.tgz` file.
    ///
    /// # Errors
    /// - `package-unreadable`: they are no gzip'ed tar archive, or one that ends too early.
    /// - `package-limit`: they are over a limit.
    pub fn from_tgz_bytes(bytes: &[u8], limits: &PackageLimits) -> Result<Package> {
        let tar: Arc<[u8]> = archive::inflate(bytes, limits)?.into();
        let mut made = Builder::default();
        for (number, file) in archive::files(&tar, limits)?.into_iter().enumerate() {
            let name = file.name.strip_prefix("./").unwrap_or(&file.name);
            if name.starts_with(['/', '\\']) || name.contains(':') || name.split(['/', '\\']).any(|step| step == "..") {
                made.finding(Severity::Warning, Code::PackagePath, number, Code::PackagePath.sentence());
                continue;
            }
            let Some(name) =
                name.strip_prefix("package/").filter(|name| name.ends_with(".json") && !name.contains('/'))
            else {
                continue;
            };
            if file.range.len() > limits.file_bytes {
                made.finding(Severity::Warning, Code::PackageMember, number, "a file is larger than the limit");
                continue;
            }
            made.file(number, name, &tar, file.range);
        }
        Ok(made.finish(true))
    }

    /// A package of records that are in memory already.
    pub fn from_records(manifest: Manifest, records: impl IntoIterator<Item = Record>) -> Package {
        let mut made = Builder { manifest: Some(manifest), ..Builder::default() };
        for (number, record) in records.into_iter().enumerate() {
            made.add(number, Member::from(record));
        }
        made.finish(false)
    }

    /// What the package says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }
    /// Its resources, in the order of the file names or of the archive.
    pub fn resources(&self) -> impl ExactSizeIterator<Item = &Arc<Member>> {
        self.0.members.iter()
    }
    /// What was found while opening it. A finding names the file by its place in the package.
    pub fn report(&self) -> &Report {
        &self.0.report
    }
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Manifest { name, version, .. } = self.manifest();
        write!(f, "Package({name} {version}, {} resources)", self.0.members.len())
    }
}

impl Member {
    /// The resource type.
    pub fn kind(&self) -> ResourceType {
        self.kind
    }
    /// The logical id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
    /// The canonical URL.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
    /// The business version.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
    /// The resource, read on first use; None where it cannot be read.
    pub fn record(&self) -> Option<&Record> {
        let read = || {
            let text = self.source.text()?;
            let limits = Limits { bytes: text.len(), ..Limits::DEFAULT };
            json::read(text, &limits).ok().map(|parsed| parsed.record)
        };
        self.record.get_or_init(read).as_ref()
    }
    /// Reads the head of a resource; None where it is none of R4's.
    fn scan(bytes: &Arc<[u8]>, range: Range<usize>) -> Option<Member> {
        let head = scan::head(&bytes[range.clone()])?;
        let owned = |text: Option<std::borrow::Cow<'_, str>>| text.map(|text| text.into_owned().into_boxed_str());
        Some(Member {
            kind: ResourceType::from_name(&head.kind?)?,
            id: owned(head.id),
            url: owned(head.url),
            version: owned(head.version),
            source: Source::Bytes(bytes.clone(), range),
            record: OnceLock::new(),
        })
    }
}

impl From<Record> for Member {
    fn from(record: Record) -> Self {
        let text = |name: &str| record.root().text(name).map(|text| text.into_owned().into_boxed_str());
        Member {
            kind: record.kind(),
            id: text("id"),
            url: text("url"),
            version: text("version"),
            source: Source::Record,
            record: OnceLock::from(Some(record)),
        }
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member({})", self.kind)
    }
}

#[derive(Default)]
struct Builder {
    manifest: Option<Manifest>,
    members: Vec<Arc<Member>>,
    report: Report,
    seen: Set<(ResourceType, String)>,
}

impl Builder {
    fn finding(&mut self, severity: Severity, code: Code, number: usize, message: &str) {
        self.report.push(Issue::new(severity, code, message).at(format!("file[{number}]"), 0, 0));
    }

    fn file(&mut self, number: usize, name: &str, bytes: &Arc<[u8]>, range: Range<usize>) {
        if name == "package.json" {
            let read = json::read_document(&bytes[range], &Limits::DEFAULT).ok();
            self.manifest = read.and_then(|document| Manifest::read(document.root()));
            return;
        }
        if name.starts_with('.') {
            return; // `.index.json` and the like are made from the rest
        }
        match Member::scan(bytes, range) {
            Some(member) => self.add(number, member),
            None => self.finding(Severity::Warning, Code::PackageMember, number, Code::PackageMember.sentence()),
        }
    }

    fn add(&mut self, number: usize, member: Member) {
        if let Some(url) = member.url() {
            if !self.seen.insert((member.kind, format!("{url}|{}", member.version().unwrap_or_default()))) {
                self.finding(Severity::Warning, Code::PackageDuplicate, number, Code::PackageDuplicate.sentence());
            }
        }
        self.members.push(Arc::new(member));
    }

    fn finish(mut self, needs_manifest: bool) -> Package {
        if needs_manifest && self.manifest.is_none() {
            let message = Code::PackageManifest.sentence();
            self.report.push(Issue::new(Severity::Warning, Code::PackageManifest, message));
        }
        let manifest = self.manifest.unwrap_or_default();
        Package(Arc::new(Inner { manifest, members: self.members, report: self.report }))
    }
}
