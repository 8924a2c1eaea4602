//! Packages in packed form: what a validator asks of them, without prose, in small compressed blocks behind an index, so
//! that a second process reads one file and unpacks only what it needs.
//!
//! Numbers are little-endian; a text is its length (u32) and its UTF-8; a list is its count (u32) and its items; what may be
//! absent is a byte 0, or a byte 1 and the value. The index: the packages (name, version, canonical?, dependencies, FHIR
//! versions, members), then the blocks (bytes as they are, bytes when inflated). A member: type, id?, url?, version?, the
//! number of its block, where it starts in it, its length. The blocks (zstd) follow each other in the order of the index.

use super::hash::Set;
use super::{Builder, Manifest, Member, PackageLimits, Packages, Source};
use crate::error::{Code, Error, Result};
use crate::record::{Node, NodeKind, Record};
use crate::schema::ResourceType;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A block is closed when it has as many bytes.
const BLOCK: usize = 128 << 10;
/// How hard blocks are pressed: they are written once and read often.
const LEVEL: i32 = 12;

/// Blocks of members, each inflated at first use.
pub(super) struct Shelf {
    bytes: Arc<[u8]>,
    blocks: Vec<Block>,
}

struct Block {
    packed: Range<usize>,
    length: usize,
    plain: OnceLock<Option<Arc<[u8]>>>,
}

impl Shelf {
    /// The inflated block; None where it cannot be inflated to the length it should have.
    pub(super) fn block(&self, number: u32) -> Option<&Arc<[u8]>> {
        let block = self.blocks.get(number as usize)?;
        let inflate = || {
            let plain = zstd::bulk::decompress(self.bytes.get(block.packed.clone())?, block.length).ok()?;
            (plain.len() == block.length).then(|| plain.into())
        };
        block.plain.get_or_init(inflate).as_ref()
    }
}

/// Writes the index and the blocks of packages.
pub(crate) fn pack(packages: &Packages) -> Result<(Vec<u8>, Vec<u8>)> {
    let (mut index, mut blocks, mut open, mut ends) = (Writer::default(), Vec::new(), Vec::new(), Vec::new());
    index.count(packages.all().len());
    let mut close = |open: &mut Vec<u8>| -> Result<()> {
        let packed = zstd::bulk::compress(open, LEVEL)?;
        ends.push((packed.len(), open.len()));
        blocks.extend_from_slice(&packed);
        open.clear();
        Ok(())
    };
    let mut number = 0_u32;
    for package in packages.all() {
        index.manifest(package.manifest());
        let kept: Vec<(&Member, Vec<u8>)> =
            package.resources().filter_map(|member| Some((&**member, lean(member.record()?)?))).collect();
        index.count(kept.len());
        for (member, text) in kept {
            index.text(member.kind.name());
            index.maybe(member.id.as_deref());
            index.maybe(member.url.as_deref());
            index.maybe(member.version.as_deref());
            for place in [number as usize, open.len(), text.len()] {
                index.count(place);
            }
            open.extend_from_slice(&text);
            if open.len() >= BLOCK {
                close(&mut open)?;
                number += 1;
            }
        }
    }
    if !open.is_empty() {
        close(&mut open)?;
    }
    index.count(ends.len());
    for (packed, plain) in ends {
        index.count(packed);
        index.count(plain);
    }
    Ok((index.0, blocks))
}

/// Reads packages from an index and the blocks that `bytes` has from `start` on.
pub(crate) fn unpack(index: &mut Reader<'_>, bytes: &Arc<[u8]>, start: usize) -> Result<Packages> {
    let limits = PackageLimits::DEFAULT;
    struct Place {
        kind: ResourceType,
        id: Option<Box<str>>,
        url: Option<Box<str>>,
        version: Option<Box<str>>,
        block: u32,
        range: Range<usize>,
    }
    let mut found: Vec<(Manifest, Vec<Place>)> = Vec::new();
    let (mut members, mut texts) = (0, 0_usize);
    for _ in 0..index.count()? {
        let manifest = index.manifest()?;
        let mut places = Vec::new();
        for _ in 0..index.count()? {
            members += 1;
            if members > limits.files {
                return Err(unreadable());
            }
            let kind = ResourceType::from_name(index.text()?).ok_or_else(unreadable)?;
            let (id, url, version) = (index.maybe()?, index.maybe()?, index.maybe()?);
            let (block, start, length) = (index.number()?, index.number()? as usize, index.number()? as usize);
            texts = texts.saturating_add(length);
            if texts > limits.total_bytes {
                return Err(unreadable());
            }
            let end = start.checked_add(length).filter(|_| length <= limits.file_bytes).ok_or_else(unreadable)?;
            let owned = |text: Option<&str>| text.map(Into::into);
            let (id, url, version) = (owned(id), owned(url), owned(version));
            places.push(Place { kind, id, url, version, block, range: start..end });
        }
        found.push((manifest, places));
    }
    let (mut blocks, mut at, mut total) = (Vec::new(), start, 0_usize);
    for _ in 0..index.count()? {
        let (packed, length) = (index.number()? as usize, index.number()? as usize);
        let end = at.checked_add(packed).filter(|end| *end <= bytes.len()).ok_or_else(unreadable)?;
        total = total.saturating_add(length);
        if length > limits.file_bytes + BLOCK || total > limits.total_bytes {
            return Err(unreadable());
        }
        blocks.push(Block { packed: at..end, length, plain: OnceLock::new() });
        at = end;
    }
    if at != bytes.len() {
        return Err(unreadable());
    }
    let shelf = Arc::new(Shelf { bytes: bytes.clone(), blocks });
    let mut packages = Packages::new();
    for (manifest, places) in found {
        let mut made = Builder { manifest: Some(manifest), ..Builder::default() };
        for place in places {
            let Place { kind, id, url, version, block, range } = place;
            let inside = shelf.blocks.get(block as usize).is_some_and(|block| range.end <= block.length);
            if !inside {
                return Err(unreadable());
            }
            let source = Source::Block(shelf.clone(), block, range);
            made.members.push(Arc::new(Member { kind, id, url, version, source, record: OnceLock::new() }));
        }
        packages.add(made.finish(false));
    }
    Ok(packages)
}

pub(crate) fn unreadable() -> Error {
    Code::CompiledUnreadable.error().expected("what this library wrote, whole")
}

/// Writes numbers, texts and lists.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }
    pub(crate) fn wide(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }
    pub(crate) fn count(&mut self, count: usize) {
        // INVARIANT: a package has at most 1 GiB, so nothing that is counted or measured here is more.
        self.0.extend_from_slice(&u32::try_from(count).expect("less than 4 GiB").to_le_bytes());
    }
    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }
    pub(crate) fn maybe(&mut self, text: Option<&str>) {
        self.byte(u8::from(text.is_some()));
        text.into_iter().for_each(|text| self.text(text));
    }
    fn manifest(&mut self, manifest: &Manifest) {
        self.text(&manifest.name);
        self.text(&manifest.version);
        self.maybe(manifest.canonical.as_deref());
        self.count(manifest.dependencies.len());
        for (name, version) in &manifest.dependencies {
            self.text(name);
            self.text(version);
        }
        self.count(manifest.fhir_versions.len());
        manifest.fhir_versions.iter().for_each(|version| self.text(version));
    }
}

/// Reads what a [`Writer`] wrote. Nothing it reads makes it reserve more than the bytes that are there.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(unreadable)?;
        self.0 = rest;
        Ok(taken)
    }
    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }
    pub(crate) fn wide(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken")))
    }
    pub(crate) fn number(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes were taken")))
    }
    /// The count of a list, whose items have a byte each at least.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = self.number()? as usize;
        if count > self.0.len() { Err(unreadable()) } else { Ok(count) }
    }
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let length = self.number()? as usize;
        std::str::from_utf8(self.take(length)?).map_err(|_| unreadable())
    }
    pub(crate) fn flag(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(unreadable()),
        }
    }
    pub(crate) fn maybe(&mut self) -> Result<Option<&'a str>> {
        if self.flag()? { self.text().map(Some) } else { Ok(None) }
    }
    fn manifest(&mut self) -> Result<Manifest> {
        let mut made = Manifest {
            name: self.text()?.to_owned(),
            version: self.text()?.to_owned(),
            canonical: self.maybe()?.map(str::to_owned),
            ..Manifest::default()
        };
        for _ in 0..self.count()? {
            made.dependencies.push((self.text()?.to_owned(), self.text()?.to_owned()));
        }
        for _ in 0..self.count()? {
            made.fhir_versions.push(self.text()?.to_owned());
        }
        Ok(made)
    }
}

/// A definition without what is for people only; None where a validator asks for nothing of its type.
fn lean(record: &Record) -> Option<Vec<u8>> {
    let root = record.root();
    let dropped: &[&str] = match record.kind().name() {
        "StructureDefinition" if root.get("snapshot").is_some_and(|list| list.list("element").next().is_some()) => {
            &["mapping", "keyword", "differential"]
        }
        "StructureDefinition" => &["mapping", "keyword"],
        "ValueSet" | "CodeSystem" | "ConceptMap" | "Questionnaire" => &[],
        "ImplementationGuide" if root.get("global").is_some() => &["dependsOn", "definition", "manifest", "page"],
        _ => return None,
    };
    let prose =
        ["text", "meta", "contact", "publisher", "description", "purpose", "copyright", "jurisdiction", "useContext"];
    // A questionnaire is a form that people fill in: what it says stays.
    let prose = if record.kind().name() == "Questionnaire" { &prose[..1] } else { &prose };
    let all: Set<&str> = dropped.iter().chain(prose).copied().collect();
    let mut out = Vec::with_capacity(record.original().len() / 2);
    let structure = record.kind() == ResourceType::STRUCTURE_DEFINITION;
    object(root, &mut out, &mut |name, _| all.contains(name), &mut |name, value, out| match (structure, name) {
        (true, "snapshot" | "differential") => elements(value, out),
        _ => whole(value, out),
    });
    Some(out)
}

/// Writes an object without the properties that `drop` says.
fn object(
    node: Node<'_>,
    out: &mut Vec<u8>,
    drop: &mut dyn FnMut(&str, Node<'_>) -> bool,
    write: &mut dyn FnMut(&str, Node<'_>, &mut Vec<u8>),
) {
    out.push(b'{');
    let mut first = true;
    for (name, value) in node.entries() {
        if drop(&name, value) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        crate::record::quote(&name, out);
        out.push(b':');
        write(&name, value, out);
    }
    out.push(b'}');
}

fn whole(node: Node<'_>, out: &mut Vec<u8>) {
    match node.kind() {
        NodeKind::Object => object(node, out, &mut |_, _| false, &mut |_, value, out| whole(value, out)),
        NodeKind::Array => array(node, out, &mut whole),
        NodeKind::String => {
            out.push(b'"');
            out.extend_from_slice(node.raw());
            out.push(b'"');
        }
        _ => out.extend_from_slice(node.raw()),
    }
}

fn array(node: Node<'_>, out: &mut Vec<u8>, write: &mut dyn FnMut(Node<'_>, &mut Vec<u8>)) {
    out.push(b'[');
    for (number, item) in node.items().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// `snapshot` or `differential`, its elements without prose.
fn elements(list: Node<'_>, out: &mut Vec<u8>) {
    const PROSE: [&str; 14] = [
        "definition",
        "short",
        "comment",
        "mapping",
        "requirements",
        "alias",
        "example",
        "isModifierReason",
        "meaningWhenMissing",
        "orderMeaning",
        "isSummary",
        "label",
        "code",
        "base",
    ];
    object(list, out, &mut |_, _| false, &mut |name, value, out| match (name, value.kind()) {
        ("element", NodeKind::Array) => array(value, out, &mut |element, out| {
            object(element, out, &mut |name, _| PROSE.contains(&name), &mut |name, value, out| match (
                name,
                value.kind(),
            ) {
                ("constraint", NodeKind::Array) => array(value, out, &mut |one, out| {
                    let drop = &mut |name: &str, _: Node<'_>| matches!(name, "human" | "xpath" | "source");
                    object(one, out, drop, &mut |_, value, out| whole(value, out));
                }),
                ("binding", NodeKind::Object) => {
                    let drop = &mut |name: &str, _: Node<'_>| name == "description";
                    object(value, out, drop, &mut |_, value, out| whole(value, out));
                }
                _ => whole(value, out),
            });
        }),
        _ => whole(value, out),
    });
}
