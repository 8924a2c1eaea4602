//! A code system in memory: its concepts by code, its hierarchy, its properties.

use crate::package::hash::{Map, Set};
use crate::record::Node;
use std::sync::Arc;

/// How much of a code system its definition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Every code: one that is not there does not exist.
    Complete,
    /// A part of the codes.
    Fragment,
    /// A few codes, to show how it looks.
    Example,
    /// None.
    NotPresent,
    /// More about the codes of another system.
    Supplement,
}

/// A code system of a package.
#[derive(Debug)]
pub struct CodeSystem {
    pub(super) url: Arc<str>,
    pub(super) version: Option<Arc<str>>,
    pub(super) content: Content,
    supplements: Option<Box<str>>,
    folds: bool,
    pub(super) rows: Vec<Row>,
    by_code: Map<Box<str>, u32>,
    /// The properties that it declares, with their type, or that a concept has.
    properties: Map<Box<str>, Option<Box<str>>>,
}

/// One concept.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) code: Arc<str>,
    pub(super) display: Option<Arc<str>>,
    pub(super) definition: Option<Arc<str>>,
    pub(super) parents: Vec<u32>,
    pub(super) children: Vec<u32>,
    pub(super) abstract_: bool,
    pub(super) inactive: bool,
    pub(super) properties: Vec<(Arc<str>, Arc<str>)>,
    pub(super) designations: Vec<Designation>,
}

/// Another text for a concept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Designation {
    /// The language, where it is said.
    pub language: Option<Arc<str>>,
    /// The text.
    pub text: Arc<str>,
}

impl CodeSystem {
    /// Reads a CodeSystem resource; None where it has no url.
    pub(super) fn read(root: Node<'_>) -> Option<CodeSystem> {
        let content = match root.text("content").as_deref() {
            // Whatever it says it holds: what supplements another system has no codes of its own.
            _ if root.get("supplements").is_some() => Content::Supplement,
            Some("complete") => Content::Complete,
            Some("example") => Content::Example,
            Some("not-present") => Content::NotPresent,
            Some("supplement") => Content::Supplement,
            _ => Content::Fragment,
        };
        let mut made = CodeSystem {
            url: root.text("url")?.as_ref().into(),
            version: root.text("version").map(|version| version.as_ref().into()),
            content,
            supplements: root.text("supplements").map(|url| url.as_ref().into()),
            folds: root.get("caseSensitive").and_then(Node::as_bool) == Some(false),
            rows: Vec::new(),
            by_code: Map::default(),
            properties: Map::default(),
        };
        for property in root.list("property") {
            if let Some(code) = property.text("code") {
                let kind = property.text("type").map(|kind| kind.as_ref().into());
                made.properties.insert(code.as_ref().into(), kind);
            }
        }
        made.read_concepts(root, None);
        made.link();
        Some(made)
    }

    /// Recursion goes as deep as the reader let the record be.
    fn read_concepts(&mut self, owner: Node<'_>, parent: Option<u32>) {
        for concept in owner.list("concept") {
            let Some(code) = concept.text("code") else { continue };
            let Ok(at) = u32::try_from(self.rows.len()) else { return };
            let shared = |name: &str| concept.text(name).map(|text| Arc::<str>::from(text.as_ref()));
            let mut row = Row {
                code: code.as_ref().into(),
                display: shared("display"),
                definition: shared("definition"),
                parents: parent.into_iter().collect(),
                ..Row::default()
            };
            for property in concept.list("property") {
                let Some(name) = property.text("code") else { continue };
                let value = property.entries().find(|(key, _)| key.starts_with("value")).map(|(_, value)| value);
                let Some(value) = value.and_then(plain) else { continue };
                match (&*name, &*value) {
                    ("notSelectable" | "abstract", "true") => row.abstract_ = true,
                    ("inactive", "true") | ("status", "retired" | "inactive") => row.inactive = true,
                    _ => {}
                }
                self.properties.entry(name.as_ref().into()).or_default();
                row.properties.push((name.as_ref().into(), value.into()));
            }
            for designation in concept.list("designation") {
                let Some(text) = designation.text("value") else { continue };
                let language = designation.text("language").map(|language| language.as_ref().into());
                row.designations.push(Designation { language, text: text.as_ref().into() });
            }
            self.by_code.entry(self.key(&code)).or_insert(at);
            self.rows.push(row);
            self.read_concepts(concept, Some(at));
        }
    }

    /// Adds the parents and children that properties name, and turns parents into children.
    fn link(&mut self) {
        let mut edges: Vec<(u32, u32)> = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            let at = at as u32;
            edges.extend(row.parents.iter().map(|parent| (*parent, at)));
            for (name, value) in &row.properties {
                match (&**name, self.find(value)) {
                    ("parent" | "subsumedBy", Some(other)) => edges.push((other, at)),
                    ("child", Some(other)) => edges.push((at, other)),
                    _ => {}
                }
            }
        }
        edges.sort_unstable();
        edges.dedup();
        self.rows.iter_mut().for_each(|row| row.parents.clear());
        for (parent, child) in edges {
            if parent != child {
                self.rows[parent as usize].children.push(child);
                self.rows[child as usize].parents.push(parent);
            }
        }
    }

    fn key(&self, code: &str) -> Box<str> {
        if self.folds { code.to_lowercase().into() } else { code.into() }
    }

    /// The canonical URL.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// The version.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
    /// How much of the system is here.
    pub fn content(&self) -> Content {
        self.content
    }
    /// The system that it says more about, where it is a supplement.
    pub fn supplements(&self) -> Option<&str> {
        self.supplements.as_deref()
    }
    /// The number of concepts.
    pub fn count(&self) -> usize {
        self.rows.len()
    }
    /// The row of a code.
    pub(super) fn find(&self, code: &str) -> Option<u32> {
        if self.folds { self.by_code.get(&*code.to_lowercase()).copied() } else { self.by_code.get(code).copied() }
    }
    pub(super) fn row(&self, at: u32) -> &Row {
        &self.rows[at as usize]
    }
    /// Whether the system has the code; None where it is not all here.
    pub(super) fn contains(&self, code: &str) -> Option<bool> {
        match (self.find(code), self.content) {
            (Some(_), _) => Some(true),
            (None, Content::Complete) => Some(false),
            _ => None,
        }
    }
    /// Whether filters on the property mean something here.
    pub(super) fn has_property(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }
    /// The type of a property, where the system declares it.
    pub(super) fn property_type(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.as_deref()
    }
    /// The rows below one, itself not among them; in cycles, each once.
    pub(super) fn below(&self, at: u32) -> Set<u32> {
        self.walk(at, |row| &row.children)
    }
    /// The rows above one, itself not among them; in cycles, each once.
    pub(super) fn above(&self, at: u32) -> Set<u32> {
        self.walk(at, |row| &row.parents)
    }
    fn walk(&self, from: u32, next: impl Fn(&Row) -> &Vec<u32>) -> Set<u32> {
        let (mut seen, mut open) = (Set::default(), vec![from]);
        while let Some(at) = open.pop() {
            open.extend(next(self.row(at)).iter().copied().filter(|to| seen.insert(*to)));
        }
        seen.remove(&from);
        seen
    }
}

/// The text of a property's value: of a Coding, its code.
fn plain(value: Node<'_>) -> Option<String> {
    let text = value.as_str().or_else(|| value.text("code")).map(|text| text.into_owned());
    text.or_else(|| {
        let scalar = value.as_bool().is_some() || value.as_decimal().is_some();
        scalar.then(|| String::from_utf8_lossy(value.raw()).into_owned())
    })
}
