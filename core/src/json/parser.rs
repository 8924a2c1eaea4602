//! The machine: a recursive descent over the bytes that carries the schema type of where it is and builds the tree.

use super::findings::{Finding, Findings};
use super::narrative::Verdict;
use super::text::{Cursor, Span};
use super::{bundle, narrative, primitive, shape};
use crate::error::{Code, Result};
use crate::limits::Limits;
use crate::record::{NodeKind, Row, Tree};
use crate::report::Severity;
use crate::schema::{self, ElementId, Primitive, ResourceType, TypeId, TypeKind};

pub(super) struct Outcome {
    pub(super) tree: Tree,
    pub(super) findings: Findings,
}

pub(super) fn parse_resource(bytes: &[u8], limits: &Limits) -> Result<Outcome> {
    let mut parser = Parser::new(bytes, limits)?;
    parser.text.space();
    let kind = match parser.text.peek() {
        Some(b'{') => parser.resource_type(),
        _ => Named::Nothing,
    };
    let Named::Kind(kind) = kind else {
        // Text that is not even JSON says so first.
        parser.value_untyped(0)?;
        parser.text.end()?;
        let code = if kind == Named::Nothing { Code::ResourceTypeMissing } else { Code::ResourceTypeUnknown };
        return Err(code.error().expected("an object with the name of an R4 resource type as resourceType"));
    };
    parser.resource(kind, Row::NONE, 0)?;
    parser.text.end()?;
    shape::fragments(&mut parser, 0, 0);
    let findings = std::mem::replace(&mut parser.findings, Findings::new(0));
    Ok(Outcome { tree: parser.tree(kind), findings })
}

pub(super) fn parse_document(bytes: &[u8], limits: &Limits) -> Result<Tree> {
    let mut parser = Parser::new(bytes, limits)?;
    parser.text.space();
    parser.value_untyped(0)?;
    parser.text.end()?;
    let no_kind = ResourceType::from_number(0).expect("R4 has resource types");
    Ok(parser.tree(no_kind))
}

pub(super) struct Parser<'a> {
    text: Cursor<'a>,
    pub(super) rows: Vec<Row>,
    pub(super) findings: Findings,
    depth_limit: usize,
    node_limit: usize,
    /// Whether the resource being read is inside another's `contained`.
    contained: bool,
    /// Rows of references of the form `#id`, not yet looked up.
    pub(super) fragments: Vec<(usize, ElementId)>,
    /// Where `resourceType` stands that was not the first name of its object: the object's start and the value, sorted.
    late_types: Option<Vec<(usize, Span)>>,
}

/// Whatever the caller's limit, the machine does not go deeper: each level is a frame on its stack.
const DEEPEST: usize = 500;

/// What a JSON value is expected to be.
#[derive(Clone, Copy)]
pub(super) struct Expect {
    pub(super) element: u16,
    pub(super) type_id: u16,
}

const UNTYPED: Expect = Expect { element: Row::NONE, type_id: Row::NONE };

/// What is known of the object being read.
struct Made {
    row: usize,
    owner: TypeId,
    resource: bool,
    /// The elements seen, by position, and those whose companion `_x` was seen.
    seen: u128,
    companions: u128,
    repeated: bool,
    unknown: usize,
    /// Whether a null stands in an array of primitives.
    nulls: bool,
    type_named: bool,
}

/// What `resourceType` says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Kind(ResourceType),
    Unknown,
    Nothing,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        Ok(Parser {
            text: Cursor::new(bytes, limits)?,
            rows: Vec::with_capacity((bytes.len() / 20).clamp(8, 1 << 20)),
            findings: Findings::new(limits.findings),
            depth_limit: limits.depth.min(DEEPEST),
            node_limit: limits.nodes,
            contained: false,
            fragments: Vec::new(),
            late_types: None,
        })
    }

    fn tree(self, kind: ResourceType) -> Tree {
        let source = self.text.bytes.into();
        Tree { source, rows: self.rows, kind, compact: !self.text.spaced }
    }

    // --- the tree ---

    #[inline(always)]
    fn depth(&self, depth: usize) -> Result<()> {
        if depth < self.depth_limit { Ok(()) } else { Err(self.text.error(Code::LimitDepth, self.text.at)) }
    }

    #[inline(always)]
    fn open(&mut self, kind: NodeKind, expect: Expect) -> Result<usize> {
        let row = self.rows.len();
        if row >= self.node_limit {
            return Err(self.text.error(Code::LimitCount, self.text.at));
        }
        self.rows.push(Row {
            start: self.text.at as u32,
            end: 0,
            key: 0,
            next: row as u32 + 1,
            key_length: 0,
            element: expect.element,
            type_id: expect.type_id,
            kind,
            flags: 0,
        });
        Ok(row)
    }

    #[inline(always)]
    fn close(&mut self, row: usize) {
        let next = self.rows.len() as u32;
        let row = &mut self.rows[row];
        row.end = self.text.at as u32;
        row.next = next;
    }

    /// Notes an error at a row.
    pub(super) fn find(&mut self, row: usize, code: Code, expected: &'static str) {
        self.note(row, code, expected, Severity::Error);
    }

    /// Notes what the standard says should be otherwise.
    pub(super) fn warn(&mut self, row: usize, code: Code, expected: &'static str) {
        self.note(row, code, expected, Severity::Warning);
    }

    fn note(&mut self, row: usize, code: Code, expected: &'static str, severity: Severity) {
        let length = self.rows[row].end.saturating_sub(self.rows[row].start);
        self.findings.push(Finding { row, code, expected, found: None, at: None, length: u64::from(length), severity });
    }

    // --- values without a schema ---

    fn value_untyped(&mut self, depth: usize) -> Result<usize> {
        match self.text.peek() {
            Some(b'{') => {
                self.depth(depth)?;
                let row = self.open(NodeKind::Object, UNTYPED)?;
                self.members(|parser, _| parser.value_untyped(depth + 1))?;
                self.close(row);
                Ok(row)
            }
            Some(b'[') => {
                self.depth(depth)?;
                let row = self.open(NodeKind::Array, UNTYPED)?;
                self.array_items(|parser| parser.value_untyped(depth + 1).map(|_| ()))?;
                self.close(row);
                Ok(row)
            }
            _ => self.scalar(UNTYPED),
        }
    }

    /// Reads a string, number, boolean or null.
    #[inline]
    fn scalar(&mut self, expect: Expect) -> Result<usize> {
        match self.text.peek() {
            Some(b'"') => {
                let row = self.open(NodeKind::String, expect)?;
                let text = self.text.string()?;
                let made = &mut self.rows[row];
                made.start = text.start as u32;
                made.end = text.end as u32;
                made.flags = if text.escapes { Row::ESCAPES } else { 0 };
                Ok(row)
            }
            Some(b'-' | b'0'..=b'9') => {
                let row = self.open(NodeKind::Number, expect)?;
                self.text.number()?;
                self.rows[row].end = self.text.at as u32;
                Ok(row)
            }
            _ => {
                let row = self.open(NodeKind::Null, expect)?;
                self.rows[row].kind = self.text.literal()?;
                self.rows[row].end = self.text.at as u32;
                Ok(row)
            }
        }
    }

    /// Reads the members of an object; the cursor is on `{`. `value` reads one value and gives its row.
    #[inline]
    fn members(&mut self, mut value: impl FnMut(&mut Self, Span) -> Result<usize>) -> Result<usize> {
        self.text.at += 1;
        let mut count = 0;
        self.text.space();
        if self.text.peek() == Some(b'}') {
            self.text.at += 1;
            return Ok(0);
        }
        loop {
            if self.text.peek() != Some(b'"') {
                return Err(self.text.unexpected());
            }
            let name = self.text.string()?;
            let Ok(key_length) = u16::try_from(name.end - name.start) else {
                return Err(self.text.error(Code::LimitSize, name.start));
            };
            self.text.colon()?;
            let row = value(self, name)?;
            let row = &mut self.rows[row];
            row.key = name.start as u32;
            row.key_length = key_length;
            row.flags |= if name.escapes { Row::KEY_ESCAPES } else { 0 };
            count += 1;
            self.text.space();
            match self.text.peek() {
                Some(b',') => self.text.at += 1,
                Some(b'}') => {
                    self.text.at += 1;
                    return Ok(count);
                }
                _ => return Err(self.text.unexpected()),
            }
            self.text.space();
        }
    }

    /// Reads the items of an array; the cursor is on `[`.
    #[inline]
    fn array_items(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<usize> {
        self.text.at += 1;
        let mut count = 0;
        self.text.space();
        if self.text.peek() == Some(b']') {
            self.text.at += 1;
            return Ok(0);
        }
        loop {
            item(self)?;
            count += 1;
            self.text.space();
            match self.text.peek() {
                Some(b',') => self.text.at += 1,
                Some(b']') => {
                    self.text.at += 1;
                    return Ok(count);
                }
                _ => return Err(self.text.unexpected()),
            }
            self.text.space();
        }
    }

    // --- values with a schema ---

    /// The `resourceType` of the object at hand: its first name nearly always, else found by one look ahead over the rest of
    /// the text, whatever the number of objects.
    fn resource_type(&mut self) -> Named {
        let start = self.text.at;
        let first = self.first_type(start);
        self.text.at = start;
        let value = first.or_else(|| {
            if self.late_types.is_none() {
                self.late_types = Some(late_types(self.text.bytes, start));
            }
            let late = self.late_types.as_deref().unwrap_or_default();
            late.binary_search_by_key(&start, |(object, _)| *object).ok().map(|at| late[at].1)
        });
        let Some(value) = value else { return Named::Nothing };
        let text = std::str::from_utf8(&self.text.bytes[value.start..value.end]).unwrap_or_default();
        ResourceType::from_name(text).map_or(Named::Unknown, Named::Kind)
    }

    fn first_type(&mut self, start: usize) -> Option<Span> {
        self.text.at = start + 1;
        self.text.space();
        if !self.text.bytes[self.text.at..].starts_with(b"\"resourceType\"") {
            return None;
        }
        self.text.at += b"\"resourceType\"".len();
        self.text.colon().ok()?;
        if self.text.peek() == Some(b'"') { self.text.string().ok() } else { None }
    }

    fn resource(&mut self, kind: ResourceType, element: u16, depth: usize) -> Result<usize> {
        let type_id = kind.type_id();
        let row = self.object(Expect { element, type_id: type_id.0 }, depth)?;
        if shape::special().bundle == type_id {
            bundle::check(self, row);
        }
        Ok(row)
    }

    /// Reads an object of a complex type; the cursor is on `{`.
    fn object(&mut self, expect: Expect, depth: usize) -> Result<usize> {
        self.depth(depth)?;
        let owner = TypeId(expect.type_id);
        let row = self.open(NodeKind::Object, expect)?;
        let resource = owner.row().kind == TypeKind::Resource;
        let mut made = Made {
            row,
            owner,
            resource,
            seen: 0,
            companions: 0,
            repeated: false,
            unknown: 0,
            nulls: false,
            type_named: false,
        };
        let count = self.members(|parser, name| {
            if name.escapes {
                return parser.escaped_property(&mut made, name, depth + 1);
            }
            let text = &parser.text.bytes[name.start..name.end];
            parser.property(&mut made, text, name, depth + 1)
        })?;
        self.close(row);
        let missing = owner.row().required & !(made.seen | made.companions);
        if missing != 0 {
            self.missing(row, owner, missing);
        }
        if made.repeated || made.unknown > 1 {
            shape::repeated(self, row);
        }
        if (made.companions != 0 || made.nulls) && !made.repeated {
            shape::pairs(self, row);
        }
        if count < 2 && !resource {
            shape::empty(self, row);
        }
        Ok(row)
    }

    /// Reads the value of the property `text`.
    #[inline]
    fn property(&mut self, made: &mut Made, text: &[u8], name: Span, depth: usize) -> Result<usize> {
        if let Some(key) = schema::key(made.owner, text) {
            let bit = 1_u128 << key.position;
            made.repeated |= made.seen & bit != 0;
            made.seen |= bit;
            let expect = Expect { element: key.element.0, type_id: key.type_id.0 };
            return self.member(key.element, expect, depth, &mut made.nulls);
        }
        self.other_property(made, text, name, depth)
    }

    #[cold]
    fn escaped_property(&mut self, made: &mut Made, name: Span, depth: usize) -> Result<usize> {
        let text = crate::record::unescape(&self.text.bytes[name.start..name.end], true);
        self.property(made, text.as_bytes(), name, depth)
    }

    /// `resourceType`, the companion of a primitive, or what R4 does not know.
    fn other_property(&mut self, made: &mut Made, text: &[u8], name: Span, depth: usize) -> Result<usize> {
        if made.resource && text == b"resourceType" {
            made.repeated |= std::mem::replace(&mut made.type_named, true);
            return self.value_untyped(depth);
        }
        if let Some(key) = text.strip_prefix(b"_").and_then(|text| schema::key(made.owner, text))
            && matches!(key.type_id.row().kind, TypeKind::Primitive(_))
        {
            let bit = 1_u128 << key.position;
            made.repeated |= made.companions & bit != 0;
            made.companions |= bit;
            let row = self.companion(key.element, depth)?;
            self.rows[row].flags |= Row::COMPANION;
            return Ok(row);
        }
        made.unknown += 1;
        self.unknown(made.row, name, text.len());
        self.value_untyped(depth)
    }

    #[cold]
    fn unknown(&mut self, row: usize, name: Span, length: usize) {
        self.findings.push(Finding {
            row,
            code: Code::ElementUnknown,
            expected: "an element of this type",
            found: Some("a name that R4 does not know"),
            at: Some(name.start as u32 - 1),
            length: length as u64,
            severity: Severity::Error,
        });
    }

    #[cold]
    fn missing(&mut self, row: usize, owner: TypeId, mut missing: u128) {
        while missing != 0 {
            let element = owner.element(missing.trailing_zeros() as u8);
            missing &= missing - 1;
            self.findings.push(Finding {
                row,
                code: Code::ElementMissing,
                expected: element.name(),
                found: Some("nothing"),
                at: None,
                length: 0,
                severity: Severity::Error,
            });
        }
    }

    /// Reads the value of an element: an array where it may repeat, else one value.
    #[inline(always)]
    fn member(&mut self, element: ElementId, expect: Expect, depth: usize, nulls: &mut bool) -> Result<usize> {
        let repeats = element.row().array;
        if self.text.peek() != Some(b'[') {
            let row = self.single(expect, depth, false, nulls)?;
            if repeats {
                self.find(row, Code::ElementNotArray, "an array");
            }
            return Ok(row);
        }
        self.depth(depth)?;
        let row = self.open(NodeKind::Array, expect)?;
        let count = self.array_items(|parser| parser.single(expect, depth + 1, true, nulls).map(|_| ()))?;
        self.close(row);
        if !repeats {
            self.find(row, Code::ElementRepeats, "one value and no array");
        }
        if count == 0 {
            self.find(row, Code::ElementEmpty, "at least one item");
        }
        Ok(row)
    }

    /// Reads one value of a known type.
    #[inline]
    fn single(&mut self, expect: Expect, depth: usize, in_array: bool, nulls: &mut bool) -> Result<usize> {
        match TypeId(expect.type_id).row().kind {
            TypeKind::Primitive(primitive) => self.primitive(primitive, expect, depth, in_array, nulls),
            TypeKind::Complex | TypeKind::Backbone | TypeKind::Resource => {
                if self.text.peek() != Some(b'{') {
                    return self.misfit(expect, depth, "an object");
                }
                let row = self.object(expect, depth)?;
                shape::bound(self, row, expect);
                Ok(row)
            }
            TypeKind::AnyResource => self.any_resource(expect, depth),
        }
    }

    /// Reads a value whose JSON type does not fit.
    #[cold]
    fn misfit(&mut self, expect: Expect, depth: usize, expected: &'static str) -> Result<usize> {
        let row = self.value_untyped(depth)?;
        self.rows[row].element = expect.element;
        let code = if self.rows[row].kind == NodeKind::Null { Code::NullValue } else { Code::ElementType };
        self.find(row, code, expected);
        Ok(row)
    }

    fn any_resource(&mut self, expect: Expect, depth: usize) -> Result<usize> {
        if self.text.peek() != Some(b'{') {
            return self.misfit(expect, depth, "a resource");
        }
        let kind = match self.resource_type() {
            Named::Kind(kind) => kind,
            unnamed => {
                let row = self.value_untyped(depth)?;
                self.rows[row].element = expect.element;
                let missing = unnamed == Named::Nothing;
                let code = if missing { Code::ResourceTypeMissing } else { Code::ResourceTypeUnknown };
                self.find(row, code, "the name of an R4 resource type");
                return Ok(row);
            }
        };
        if !shape::is_contained(ElementId(expect.element)) {
            let (outer, fragments) = (std::mem::replace(&mut self.contained, false), self.fragments.len());
            let row = self.resource(kind, expect.element, depth)?;
            self.contained = outer;
            shape::fragments(self, row, fragments);
            return Ok(row);
        }
        let outer = std::mem::replace(&mut self.contained, true);
        let row = self.resource(kind, expect.element, depth)?;
        self.contained = outer;
        shape::contained(self, row, outer);
        Ok(row)
    }

    #[inline]
    fn primitive(
        &mut self,
        primitive: Primitive,
        expect: Expect,
        depth: usize,
        in_array: bool,
        nulls: &mut bool,
    ) -> Result<usize> {
        let wanted = match primitive {
            Primitive::Boolean => NodeKind::Bool,
            Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt | Primitive::Decimal => {
                NodeKind::Number
            }
            _ => NodeKind::String,
        };
        if matches!(self.text.peek(), Some(b'{' | b'[')) {
            return self.misfit(expect, depth, primitive::expected(primitive));
        }
        let row = self.scalar(expect)?;
        let made = self.rows[row];
        if made.kind != wanted {
            if made.kind == NodeKind::Null && in_array {
                *nulls = true; // allowed where `_x` has a value at the same place: looked at when the object closes
            } else {
                let code = if made.kind == NodeKind::Null { Code::NullValue } else { Code::ElementType };
                self.find(row, code, primitive::expected(primitive));
            }
            return Ok(row);
        }
        if wanted == NodeKind::Bool {
            return Ok(row);
        }
        let raw = &self.text.bytes[made.start as usize..made.end as usize];
        if made.flags & Row::ESCAPES != 0 {
            let text = crate::record::unescape(raw, true).into_owned();
            self.primitive_text(primitive, row, text.as_bytes(), true, expect);
        } else {
            self.primitive_text(primitive, row, raw, false, expect);
        }
        Ok(row)
    }

    #[inline]
    fn primitive_text(&mut self, primitive: Primitive, row: usize, text: &[u8], escaped: bool, expect: Expect) {
        if text.is_empty() {
            self.find(row, Code::ElementEmpty, "text that is not empty");
        } else if primitive == Primitive::Xhtml {
            match narrative::check(text) {
                Ok(Verdict::Good) => {}
                Ok(Verdict::NoNamespace) => self.warn(row, Code::NarrativeUnsafe, "the namespace of XHTML on the div"),
                Ok(Verdict::Empty) => self.find(row, Code::ElementEmpty, "text or an image"),
                Err(expected) => self.find(row, Code::NarrativeUnsafe, expected),
            }
        } else {
            match primitive::form(primitive, text, escaped) {
                primitive::Form::Good => {
                    if primitive == Primitive::Code {
                        shape::code(self, row, text, ElementId(expect.element));
                    }
                }
                primitive::Form::Odd(expected) => self.warn(row, Code::PrimitiveForm, expected),
                primitive::Form::Bad => self.find(row, Code::PrimitiveForm, primitive::expected(primitive)),
            }
        }
    }

    /// Reads the companion `_x` of a primitive: an Element, or an array of Elements and nulls.
    fn companion(&mut self, element: ElementId, depth: usize) -> Result<usize> {
        let expect = Expect { element: element.0, type_id: shape::special().element.0 };
        let row = match self.text.peek() {
            Some(b'{') => self.object(expect, depth)?,
            Some(b'[') => {
                self.depth(depth)?;
                let row = self.open(NodeKind::Array, expect)?;
                self.array_items(|parser| {
                    match parser.text.peek() {
                        Some(b'{') => parser.object(expect, depth + 1)?,
                        Some(b'n') => parser.scalar(expect)?,
                        _ => parser.misfit(expect, depth + 1, "an object or null")?,
                    };
                    Ok(())
                })?;
                self.close(row);
                row
            }
            _ => return self.misfit(expect, depth, "an object with an id or extensions"),
        };
        match (self.rows[row].kind, element.row().array) {
            (NodeKind::Object, true) => self.find(row, Code::ElementNotArray, "an array"),
            (NodeKind::Array, false) => self.find(row, Code::ElementRepeats, "one object and no array"),
            _ => {}
        }
        Ok(row)
    }

    // --- what the rules ask of rows ---

    /// The name of a row, as it stands in the text.
    pub(super) fn key_of(&self, row: usize) -> &'a [u8] {
        let row = &self.rows[row];
        &self.text.bytes[row.key as usize..row.key as usize + row.key_length as usize]
    }

    /// The children of an object or array; none for other values.
    pub(super) fn children(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.rows[row].next as usize;
        let mut child = row + 1;
        std::iter::from_fn(move || {
            let here = child;
            (here < end).then(|| {
                child = self.rows[here].next as usize;
                here
            })
        })
    }

    /// The child of that name.
    pub(super) fn child(&self, row: usize, name: &[u8]) -> Option<usize> {
        self.children(row).find(|child| self.key_of(*child) == name)
    }

    /// The items of an array, or the row itself where it is no array.
    pub(super) fn items(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let array = self.rows[row].kind == NodeKind::Array;
        self.children(row).take(if array { usize::MAX } else { 0 }).chain((!array).then_some(row))
    }

    /// The bytes of a value as received; a string's without its quotes.
    pub(super) fn raw(&self, row: usize) -> &'a [u8] {
        let row = &self.rows[row];
        &self.text.bytes[row.start as usize..row.end as usize]
    }

    /// The text of a string row, unescaped.
    pub(super) fn string(&self, row: usize) -> Option<std::borrow::Cow<'a, str>> {
        let made = &self.rows[row];
        (made.kind == NodeKind::String).then(|| crate::record::unescape(self.raw(row), made.flags & Row::ESCAPES != 0))
    }
}

/// Every `resourceType` from `from` on, as (start of its object, value), sorted. One pass; it ends quietly where the text is
/// not JSON: the machine will say so.
fn late_types(bytes: &[u8], from: usize) -> Vec<(usize, Span)> {
    let mut text = Cursor { bytes, at: from, spaced: false };
    let (mut open, mut found) = (Vec::new(), Vec::new());
    while let Some(byte) = text.peek() {
        match byte {
            b'"' => {
                let Ok(name) = text.string() else { break };
                if &bytes[name.start..name.end] != b"resourceType" {
                    continue;
                }
                text.space();
                if text.peek() != Some(b':') {
                    continue;
                }
                text.at += 1;
                text.space();
                let object = open.last().copied().unwrap_or(from);
                let value = if text.peek() == Some(b'"') { text.string().ok() } else { None };
                found.push((object, value.unwrap_or(Span { start: object, end: object, escapes: false })));
            }
            b'{' | b'[' => {
                open.push(text.at);
                text.at += 1;
            }
            b'}' | b']' => {
                open.pop();
                text.at += 1;
            }
            _ => text.at += 1,
        }
    }
    found.sort_by_key(|(object, _)| *object);
    found.dedup_by_key(|(object, _)| *object);
    found
}
