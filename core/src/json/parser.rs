//! The machine: a recursive descent over the bytes that carries the schema type of where it is.

use super::findings::{Finding, Findings};
use super::{error_at, narrative, primitive, shape};
use crate::error::{Code, Found, Result};
use crate::limits::Limits;
use crate::record::{NodeKind, Row, Tree};
use crate::schema::{self, ElementId, Primitive, ResourceType, Strength, TypeId, TypeKind};

pub(super) struct Outcome {
    pub(super) tree: Tree,
    pub(super) findings: Findings,
}

pub(super) fn parse_resource(bytes: &[u8], limits: &Limits) -> Result<Outcome> {
    let mut parser = Parser::new(bytes, limits)?;
    parser.space();
    if parser.peek() != Some(b'{') {
        parser.value_untyped(0)?;
        parser.end()?;
        return Err(Code::ResourceTypeMissing.error().expected("a JSON object"));
    }
    let kind = parser.resource_type()?.ok_or_else(|| Code::ResourceTypeMissing.error())?;
    let kind = kind.ok_or_else(|| Code::ResourceTypeUnknown.error())?;
    parser.resource(kind, Row::NONE, 0)?;
    parser.end()?;
    parser.resolve_fragments(0);
    Ok(Outcome { tree: Tree { source: bytes.into(), rows: parser.rows, kind }, findings: parser.findings })
}

pub(super) fn parse_document(bytes: &[u8], limits: &Limits) -> Result<Tree> {
    let mut parser = Parser::new(bytes, limits)?;
    parser.space();
    parser.value_untyped(0)?;
    parser.end()?;
    let kind = ResourceType::from_number(0).expect("R4 has resource types");
    Ok(Tree { source: bytes.into(), rows: parser.rows, kind })
}

pub(super) struct Parser<'a> {
    pub(super) bytes: &'a [u8],
    at: usize,
    pub(super) rows: Vec<Row>,
    pub(super) findings: Findings,
    limits: Limits,
    /// Whether the resource being read is inside another's `contained`.
    contained: bool,
    /// Rows of references of the form `#id`, not yet looked up.
    fragments: Vec<usize>,
}

/// What a JSON value is expected to be.
#[derive(Clone, Copy)]
struct Expect {
    element: u16,
    type_id: u16,
}

const UNTYPED: Expect = Expect { element: Row::NONE, type_id: Row::NONE };

/// Where a name stands in the text.
#[derive(Clone, Copy)]
struct Name {
    start: usize,
    end: usize,
    escapes: bool,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        if bytes.len() > limits.bytes.min(u32::MAX as usize - 1) {
            return Err(Code::LimitSize.error().found(Found::Length(bytes.len() as u64)));
        }
        if bytes.starts_with(b"\xef\xbb\xbf") || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(error_at(Code::JsonBom, bytes, 0));
        }
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(error_at(Code::JsonUtf8, bytes, error.valid_up_to()));
        }
        Ok(Parser {
            bytes,
            at: 0,
            rows: Vec::with_capacity((bytes.len() / 24).clamp(8, 1 << 20)),
            findings: Findings::new(limits.findings),
            limits: *limits,
            contained: false,
            fragments: Vec::new(),
        })
    }

    // --- the text ---

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fail<T>(&self, code: Code, at: usize) -> Result<T> {
        Err(error_at(code, self.bytes, at))
    }

    /// A syntax error here, or `json-end` where the text is over.
    #[cold]
    fn unexpected<T>(&self) -> Result<T> {
        self.fail(if self.at >= self.bytes.len() { Code::JsonEnd } else { Code::JsonSyntax }, self.at)
    }

    /// Skips white space.
    #[inline]
    fn space(&mut self) {
        if self.peek().is_some_and(|b| b > b' ') {
            return;
        }
        self.space_slow();
    }

    fn space_slow(&mut self) {
        const EIGHT: u64 = 0x2020_2020_2020_2020;
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' => match self.bytes[self.at..].first_chunk::<8>() {
                    Some(chunk) => {
                        let other = u64::from_le_bytes(*chunk) ^ EIGHT;
                        self.at += (other.trailing_zeros() / 8) as usize;
                    }
                    None => self.at += 1,
                },
                b'\n' | b'\t' | b'\r' => self.at += 1,
                _ => return,
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        self.unexpected()
    }

    fn end(&mut self) -> Result<()> {
        self.space();
        if self.at < self.bytes.len() { self.fail(Code::JsonTrailing, self.at) } else { Ok(()) }
    }

    /// Reads a string; `at` is on its opening quote and ends after its closing one.
    #[inline]
    fn string(&mut self) -> Result<Name> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        const QUOTES: u64 = b'"' as u64 * ONES;
        const BACKSLASHES: u64 = b'\\' as u64 * ONES;
        self.at += 1;
        let start = self.at;
        let mut escapes = false;
        loop {
            // Eight bytes at a time until one is a quote, a backslash or a control character.
            while let Some(chunk) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
                let word = u64::from_le_bytes(*chunk);
                let quote = word ^ QUOTES;
                let backslash = word ^ BACKSLASHES;
                let found = (quote.wrapping_sub(ONES) & !quote)
                    | (backslash.wrapping_sub(ONES) & !backslash)
                    | (word.wrapping_sub(ONES * 0x20) & !word);
                let found = found & HIGHS;
                if found != 0 {
                    self.at += (found.trailing_zeros() / 8) as usize;
                    break;
                }
                self.at += 8;
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Name { start, end: self.at - 1, escapes });
                }
                Some(b'\\') => {
                    escapes = true;
                    self.escape()?;
                }
                Some(0..0x20) | None => return self.unexpected(),
                Some(_) => self.at += 1,
            }
        }
    }

    /// Checks one escape; `at` is on the backslash.
    fn escape(&mut self) -> Result<()> {
        let here = self.at;
        match self.bytes.get(here + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = self.unit(here + 2)?;
                self.at += 6;
                if (0xdc00..0xe000).contains(&unit) {
                    return self.fail(Code::JsonSurrogate, here);
                }
                if (0xd800..0xdc00).contains(&unit) {
                    if self.bytes.get(here + 6..here + 8) != Some(b"\\u") {
                        return self.fail(Code::JsonSurrogate, here);
                    }
                    if !(0xdc00..0xe000).contains(&self.unit(here + 8)?) {
                        return self.fail(Code::JsonSurrogate, here);
                    }
                    self.at += 6;
                }
            }
            Some(_) => return self.fail(Code::JsonSyntax, here),
            None => return self.fail(Code::JsonEnd, here),
        }
        Ok(())
    }

    fn unit(&self, at: usize) -> Result<u32> {
        match self.bytes.get(at..at + 4) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(crate::record::hex4(self.bytes, at)),
            Some(_) => self.fail(Code::JsonSyntax, at),
            None => self.fail(Code::JsonEnd, self.bytes.len()),
        }
    }

    /// Reads a number; `at` is on its first byte.
    #[inline]
    fn number(&mut self) -> Result<()> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length =
            rest.iter().take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')).count();
        if !crate::decimal::is_json_number(&rest[..length]) {
            return self.fail(if start + length >= self.bytes.len() { Code::JsonEnd } else { Code::JsonSyntax }, start);
        }
        self.at += length;
        Ok(())
    }

    fn literal(&mut self) -> Result<NodeKind> {
        for (word, kind) in [(&b"true"[..], NodeKind::Bool), (b"false", NodeKind::Bool), (b"null", NodeKind::Null)] {
            if self.bytes[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        self.unexpected()
    }

    fn depth(&self, depth: usize) -> Result<()> {
        if depth >= self.limits.depth {
            return self.fail(Code::LimitDepth, self.at);
        }
        Ok(())
    }

    // --- the tree ---

    #[inline]
    fn open(&mut self, kind: NodeKind, expect: Expect) -> Result<usize> {
        if self.rows.len() >= self.limits.nodes {
            return self.fail(Code::LimitCount, self.at);
        }
        self.rows.push(Row {
            start: self.at as u32,
            end: 0,
            key: 0,
            next: 0,
            key_length: 0,
            element: expect.element,
            type_id: expect.type_id,
            kind,
            flags: 0,
        });
        Ok(self.rows.len() - 1)
    }

    #[inline]
    fn close(&mut self, row: usize) {
        let next = self.rows.len() as u32;
        let row = &mut self.rows[row];
        row.end = self.at as u32;
        row.next = next;
    }

    #[inline]
    fn named(&mut self, row: usize, name: Name, flags: u8) -> Result<()> {
        let Ok(length) = u16::try_from(name.end - name.start) else {
            return self.fail(Code::LimitSize, name.start);
        };
        let row = &mut self.rows[row];
        row.key = name.start as u32;
        row.key_length = length;
        row.flags |= flags | if name.escapes { Row::KEY_ESCAPES } else { 0 };
        Ok(())
    }

    pub(super) fn find(&mut self, row: usize, code: Code, expected: &'static str) {
        let length = self.rows[row].end.saturating_sub(self.rows[row].start);
        self.findings.push(Finding { row, code, expected, found: None, at: None, length: u64::from(length) });
    }

    // --- values without a schema ---

    fn value_untyped(&mut self, depth: usize) -> Result<usize> {
        match self.peek() {
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
        match self.peek() {
            Some(b'"') => {
                let row = self.open(NodeKind::String, expect)?;
                let name = self.string()?;
                let made = &mut self.rows[row];
                made.start = name.start as u32;
                made.end = name.end as u32;
                made.next = row as u32 + 1;
                made.flags = if name.escapes { Row::ESCAPES } else { 0 };
                Ok(row)
            }
            Some(b'-' | b'0'..=b'9') => {
                let row = self.open(NodeKind::Number, expect)?;
                self.number()?;
                self.close(row);
                Ok(row)
            }
            _ => {
                let row = self.open(NodeKind::Null, expect)?;
                self.rows[row].kind = self.literal()?;
                self.close(row);
                Ok(row)
            }
        }
    }

    /// Reads the members of an object; `at` is on `{`. `value` reads one value and gives its row.
    fn members(&mut self, mut value: impl FnMut(&mut Self, Name) -> Result<usize>) -> Result<usize> {
        self.at += 1;
        let mut count = 0;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(0);
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.unexpected();
            }
            let name = self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let row = value(self, name)?;
            self.named(row, name, 0)?;
            count += 1;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(count);
                }
                _ => return self.unexpected(),
            }
            self.space();
        }
    }

    /// Reads the items of an array; `at` is on `[`.
    fn array_items(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<usize> {
        self.at += 1;
        let mut count = 0;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(0);
        }
        loop {
            item(self)?;
            count += 1;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(count);
                }
                _ => return self.unexpected(),
            }
            self.space();
        }
    }

    // --- values with a schema ---

    /// Looks ahead for `resourceType` in the object at hand without building anything. None: there is none; Some(None): it is
    /// not a type of R4.
    #[allow(clippy::option_option)]
    fn resource_type(&mut self) -> Result<Option<Option<ResourceType>>> {
        let (start, rows) = (self.at, self.rows.len());
        let mut depth = 0_usize;
        let mut found = None;
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => {
                    let name = self.string()?;
                    self.space();
                    if depth == 0 && self.peek() == Some(b':') && &self.bytes[name.start..name.end] == b"resourceType" {
                        self.at += 1;
                        self.space();
                        if self.peek() == Some(b'"') {
                            let value = self.string()?;
                            let text = std::str::from_utf8(&self.bytes[value.start..value.end]).unwrap_or_default();
                            found = Some(ResourceType::from_name(text));
                        } else {
                            found = Some(None);
                        }
                        break;
                    }
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.depth(depth)?;
                    self.at += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b'}' | b']') => break,
                Some(_) => self.at += 1,
                None => return self.unexpected(),
            }
        }
        self.at = start;
        self.rows.truncate(rows);
        Ok(found)
    }

    fn resource(&mut self, kind: ResourceType, element: u16, depth: usize) -> Result<usize> {
        let type_id = kind.type_id();
        let row = self.object(Expect { element, type_id: type_id.0 }, depth)?;
        if kind.name() == "Bundle" {
            shape::bundle(self, row);
        }
        Ok(row)
    }

    /// Reads an object of a complex type; `at` is on `{`.
    fn object(&mut self, expect: Expect, depth: usize) -> Result<usize> {
        self.depth(depth)?;
        let owner = TypeId(expect.type_id);
        let row = self.open(NodeKind::Object, expect)?;
        let resource = owner.row().kind == TypeKind::Resource;
        let (mut seen, mut companions, mut repeated, mut unknown, mut nulls) = (0_u128, 0_u128, false, 0_usize, false);
        let mut type_named = false;
        let count = self.members(|parser, name| {
            let mut text = &parser.bytes[name.start..name.end];
            let unescaped;
            if name.escapes {
                unescaped = crate::record::unescape(text, true).into_owned();
                text = unescaped.as_bytes();
            }
            if resource && text == b"resourceType" {
                repeated |= std::mem::replace(&mut type_named, true);
                return parser.scalar_or_untyped(depth + 1);
            }
            if let Some(key) = schema::key(owner, text) {
                let bit = 1_u128 << key.position;
                repeated |= seen & bit != 0;
                seen |= bit;
                let expect = Expect { element: key.element.0, type_id: key.type_id.0 };
                return parser.member(key.element, expect, depth + 1, &mut nulls);
            }
            if let Some(key) = text.strip_prefix(b"_").and_then(|text| schema::key(owner, text)) {
                if matches!(key.type_id.row().kind, TypeKind::Primitive(_)) {
                    let bit = 1_u128 << key.position;
                    repeated |= companions & bit != 0;
                    companions |= bit;
                    let row = parser.companion(key.element, depth + 1)?;
                    parser.rows[row].flags |= Row::COMPANION;
                    return Ok(row);
                }
            }
            unknown += 1;
            if !(text == b"fhir_comments") {
                let length = text.len() as u64;
                let at = Some(name.start as u32 - 1);
                let found = Some("a name that R4 does not know");
                let code = Code::ElementUnknown;
                parser.findings.push(Finding { row, code, expected: "an element of this type", found, at, length });
            }
            parser.value_untyped(depth + 1)
        })?;
        self.close(row);
        let missing = owner.row().required & !(seen | companions);
        if missing != 0 {
            self.missing(row, owner, missing);
        }
        if repeated {
            self.repeated(row);
        } else if unknown > 1 {
            self.repeated_unknown(row);
        }
        if companions != 0 || nulls {
            shape::pairs(self, row);
        }
        if count == 0 && !resource {
            self.find(row, Code::ElementEmpty, "at least one element");
        }
        Ok(row)
    }

    #[cold]
    fn missing(&mut self, row: usize, owner: TypeId, mut missing: u128) {
        while missing != 0 {
            let element = owner.element(missing.trailing_zeros() as u8);
            missing &= missing - 1;
            let (code, expected, at) = (Code::ElementMissing, element.name(), None);
            self.findings.push(Finding { row, code, expected, found: Some("nothing"), at, length: 0 });
        }
    }

    /// A name or a choice occurs twice: looks which.
    #[cold]
    fn repeated(&mut self, row: usize) {
        self.repeated_unknown(row);
        let mut by_element: Vec<(u16, u8, usize)> = Vec::new();
        let mut child = row + 1;
        while child < self.rows[row].next as usize {
            let at = self.rows[child];
            if at.element != Row::NONE {
                by_element.push((at.element, at.flags & Row::COMPANION, child));
            }
            child = at.next as usize;
        }
        by_element.sort_unstable();
        for pair in by_element.windows(2) {
            let same_name = self.key_of(pair[0].2) == self.key_of(pair[1].2);
            if pair[0].0 == pair[1].0 && pair[0].1 == pair[1].1 && !same_name {
                self.find(pair[1].2, Code::ChoiceRepeated, "one type");
            }
        }
    }

    #[cold]
    fn repeated_unknown(&mut self, row: usize) {
        let mut names: Vec<(&[u8], usize)> = Vec::new();
        let mut child = row + 1;
        while child < self.rows[row].next as usize {
            names.push((self.key_of(child), child));
            child = self.rows[child].next as usize;
        }
        names.sort_unstable();
        let twice: Vec<usize> = names.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).collect();
        for child in twice {
            self.find(child, Code::JsonDuplicateKey, "each name once");
        }
    }

    pub(super) fn key_of(&self, row: usize) -> &'a [u8] {
        let row = &self.rows[row];
        &self.bytes[row.key as usize..row.key as usize + row.key_length as usize]
    }

    fn scalar_or_untyped(&mut self, depth: usize) -> Result<usize> {
        self.value_untyped(depth)
    }

    /// Reads the value of an element: an array where it may repeat, else one value.
    #[inline]
    fn member(&mut self, element: ElementId, expect: Expect, depth: usize, nulls: &mut bool) -> Result<usize> {
        let repeats = element.row().array;
        if self.peek() != Some(b'[') {
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
                if self.peek() != Some(b'{') {
                    return self.misfit(expect, depth, "an object");
                }
                let row = self.object(expect, depth)?;
                self.bound(row, expect);
                Ok(row)
            }
            TypeKind::AnyResource => self.any_resource(expect, depth),
        }
    }

    #[cold]
    fn misfit(&mut self, expect: Expect, depth: usize, expected: &'static str) -> Result<usize> {
        let row = self.value_untyped(depth)?;
        self.rows[row].element = expect.element;
        let code = if self.rows[row].kind == NodeKind::Null { Code::NullValue } else { Code::ElementType };
        self.find(row, code, expected);
        Ok(row)
    }

    fn any_resource(&mut self, expect: Expect, depth: usize) -> Result<usize> {
        if self.peek() != Some(b'{') {
            return self.misfit(expect, depth, "a resource");
        }
        let Some(kind) = self.resource_type()? else {
            let row = self.misfit_resource(expect, depth, Code::ResourceTypeMissing)?;
            return Ok(row);
        };
        let Some(kind) = kind else { return self.misfit_resource(expect, depth, Code::ResourceTypeUnknown) };
        let contained = ElementId(expect.element).name() == "contained";
        let outer = self.contained;
        let outer_fragments = self.fragments.len();
        if contained && outer {
            let row = self.resource(kind, expect.element, depth)?;
            self.find(row, Code::ContainedShape, "no resource contained in a contained one");
            return Ok(row);
        }
        self.contained |= contained;
        let row = self.resource(kind, expect.element, depth)?;
        self.contained = outer;
        if contained {
            if !self.has_child(row, b"id") {
                self.find(row, Code::ContainedShape, "an id on a contained resource");
            }
        } else {
            self.resolve_fragments_from(row, outer_fragments);
        }
        Ok(row)
    }

    #[cold]
    fn misfit_resource(&mut self, expect: Expect, depth: usize, code: Code) -> Result<usize> {
        let row = self.value_untyped(depth)?;
        self.rows[row].element = expect.element;
        self.find(row, code, "the name of an R4 resource type");
        Ok(row)
    }

    fn has_child(&self, row: usize, name: &[u8]) -> bool {
        self.child(row, name).is_some()
    }

    /// The row of the child of that name.
    pub(super) fn child(&self, row: usize, name: &[u8]) -> Option<usize> {
        if self.rows[row].kind != NodeKind::Object {
            return None;
        }
        let mut child = row + 1;
        while child < self.rows[row].next as usize {
            if self.key_of(child) == name {
                return Some(child);
            }
            child = self.rows[child].next as usize;
        }
        None
    }

    /// The rows of an array's items, or the row itself where it is no array.
    pub(super) fn items(&self, row: usize) -> Vec<usize> {
        if self.rows[row].kind != NodeKind::Array {
            return vec![row];
        }
        let (mut items, mut child) = (Vec::new(), row + 1);
        while child < self.rows[row].next as usize {
            items.push(child);
            child = self.rows[child].next as usize;
        }
        items
    }

    /// The text of a string row, unescaped.
    pub(super) fn text(&self, row: usize) -> Option<std::borrow::Cow<'a, str>> {
        let row = &self.rows[row];
        (row.kind == NodeKind::String).then(|| {
            crate::record::unescape(&self.bytes[row.start as usize..row.end as usize], row.flags & Row::ESCAPES != 0)
        })
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
        if matches!(self.peek(), Some(b'{' | b'[')) {
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
        let raw = &self.bytes[made.start as usize..made.end as usize];
        if made.flags & Row::ESCAPES != 0 {
            let text = crate::record::unescape(raw, true).into_owned();
            self.primitive_text(primitive, row, text.as_bytes(), expect);
        } else {
            self.primitive_text(primitive, row, raw, expect);
        }
        Ok(row)
    }

    #[inline]
    fn primitive_text(&mut self, primitive: Primitive, row: usize, text: &[u8], expect: Expect) {
        if text.is_empty() {
            self.find(row, Code::ElementEmpty, "text that is not empty");
        } else if primitive == Primitive::Xhtml {
            if let Err(expected) = narrative::check(text) {
                self.find(row, Code::NarrativeUnsafe, expected);
            }
        } else if !primitive::has_form(primitive, text) {
            self.find(row, Code::PrimitiveForm, primitive::expected(primitive));
        } else if primitive == Primitive::Code {
            if let Some(codes) =
                ElementId(expect.element).binding().filter(|b| b.strength == Strength::Required).and_then(|b| b.codes)
            {
                if !codes.set().contains_code(text) {
                    self.find(row, Code::CodeUnknown, "a code of the required value set");
                }
            }
        }
    }

    /// Reads the companion `_x` of a primitive: an Element, or an array of Elements and nulls.
    fn companion(&mut self, element: ElementId, depth: usize) -> Result<usize> {
        let element_type = shape::element_type();
        let expect = Expect { element: element.0, type_id: element_type.0 };
        match self.peek() {
            Some(b'{') => self.object(expect, depth),
            Some(b'[') => {
                self.depth(depth)?;
                let row = self.open(NodeKind::Array, expect)?;
                self.array_items(|parser| {
                    match parser.peek() {
                        Some(b'{') => parser.object(expect, depth + 1)?,
                        Some(b'n') => parser.scalar(UNTYPED)?,
                        _ => parser.misfit(expect, depth + 1, "an object or null")?,
                    };
                    Ok(())
                })?;
                self.close(row);
                Ok(row)
            }
            _ => self.misfit(expect, depth, "an object with an id or extensions"),
        }
    }

    // --- bindings and references ---

    /// Checks what concerns the object as a whole: a required binding, a reference.
    #[inline]
    fn bound(&mut self, row: usize, expect: Expect) {
        let (reference, concept, coding) = shape::special_types();
        if expect.type_id == reference.0 {
            shape::reference(self, row, ElementId(expect.element));
            return;
        }
        if expect.type_id != concept.0 && expect.type_id != coding.0 {
            return;
        }
        let binding = ElementId(expect.element).binding().filter(|b| b.strength == Strength::Required);
        let Some(codes) = binding.and_then(|b| b.codes) else { return };
        let codings = if expect.type_id == coding.0 {
            vec![row]
        } else {
            let Some(list) = self.child(row, b"coding") else { return };
            self.items(list)
        };
        let mut coded = false;
        for coding in codings {
            let (system, code) = (self.child(coding, b"system"), self.child(coding, b"code"));
            if let (Some(system), Some(code)) = (system.and_then(|s| self.text(s)), code.and_then(|c| self.text(c))) {
                if codes.set().contains(system.as_bytes(), code.as_bytes()) {
                    return;
                }
                coded = true;
            }
        }
        if coded {
            self.find(row, Code::CodeUnknown, "a code of the required value set");
        }
    }

    pub(super) fn remember_fragment(&mut self, row: usize) {
        self.fragments.push(row);
    }

    fn resolve_fragments(&mut self, resource: usize) {
        self.resolve_fragments_from(resource, 0);
    }

    /// Looks up the `#id` references read since `from` in the `contained` of `resource`.
    fn resolve_fragments_from(&mut self, resource: usize, from: usize) {
        if self.fragments.len() <= from {
            return;
        }
        let waiting = self.fragments.split_off(from);
        let contained = self.child(resource, b"contained").map(|list| self.items(list)).unwrap_or_default();
        let ids: std::collections::HashSet<&[u8]> = contained
            .into_iter()
            .filter_map(|row| self.child(row, b"id"))
            .map(|row| &self.bytes[self.rows[row].start as usize..self.rows[row].end as usize])
            .collect();
        let lost: Vec<usize> = waiting
            .into_iter()
            .filter(|row| {
                let row = &self.rows[*row];
                !ids.contains(&self.bytes[row.start as usize + 1..row.end as usize])
            })
            .collect();
        for row in lost {
            self.find(row, Code::ReferenceContained, "the id of a contained resource");
        }
    }
}
