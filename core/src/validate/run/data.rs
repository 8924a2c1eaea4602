//! One pass over all values: what R4 says of extensions, references, attachments and the like beyond their structure.

use super::Run;
use crate::error::Code;
use crate::record::{Node, NodeKind, Row};
use crate::report::Severity;
use crate::schema::{TypeId, TypeKind};
use crate::validate::References;
use std::sync::LazyLock;

/// What is looked at in a value of a type.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Other,
    Resource,
    Entry,
    Extension,
    Attachment,
    Coded,
    Reference,
    Markdown,
}

/// By the number of the type.
pub(super) fn kinds() -> &'static [Kind] {
    static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
        let kind = |type_id: TypeId| match type_id.name() {
            _ if type_id.row().kind == TypeKind::Resource => Kind::Resource,
            "Bundle.entry" => Kind::Entry,
            "Extension" => Kind::Extension,
            "Attachment" => Kind::Attachment,
            "Coding" | "Quantity" | "Age" | "Count" | "Distance" | "Duration" => Kind::Coded,
            "Reference" => Kind::Reference,
            "markdown" => Kind::Markdown,
            _ => Kind::Other,
        };
        TypeId::all().map(kind).collect()
    });
    &KINDS
}

impl<'a> Run<'a> {
    pub(super) fn values(&mut self) {
        let kinds = kinds();
        for (at, row) in self.record.tree().rows.iter().enumerate() {
            if row.flags & Row::COMPANION != 0 {
                self.companion(self.record.node(at), self.above(at).last().copied());
            }
            if row.type_id == Row::NONE {
                continue;
            }
            let node = self.record.node(at);
            match (kinds.get(usize::from(row.type_id)), row.kind) {
                (Some(Kind::Extension), NodeKind::Object) => {
                    self.extension(node, &self.above(at), self.enclosing(node));
                }
                (Some(Kind::Attachment), NodeKind::Object) => self.attachment(node),
                (Some(Kind::Coded), NodeKind::Object) => self.coding(node),
                (Some(Kind::Reference), NodeKind::Object) if self.options.references == References::MustExist => {
                    self.exists(node, self.enclosing(node));
                }
                (Some(Kind::Markdown), NodeKind::String) if !self.options.html_in_markdown => self.markdown(node),
                _ => {}
            }
        }
    }

    /// The values that a value is inside of, from the outermost in.
    fn above(&self, target: usize) -> Vec<Node<'a>> {
        let (mut found, mut at) = (Vec::with_capacity(8), 0);
        let rows = &self.record.tree().rows;
        while at < target {
            if rows[at].next as usize <= target {
                at = rows[at].next as usize;
            } else {
                found.push(self.record.node(at));
                at += 1;
            }
        }
        found
    }

    /// What stands under `_x` and has an id only says nothing without a value (R4, ele-1).
    fn companion(&mut self, node: Node<'a>, parent: Option<Node<'a>>) {
        let name = std::str::from_utf8(node.key()).ok().and_then(|key| key.strip_prefix('_'));
        let alone = name.is_some_and(|name| parent.is_some_and(|parent| parent.get(name).is_none()));
        let hollow = |item: &Node<'a>| {
            item.kind() == NodeKind::Object
                && item.get("id").is_some()
                && item.values().all(|child| child.key() == b"id")
        };
        if let Some(item) = node.items().find(|item| alone && hollow(item)) {
            self.find(item, Code::ElementEmpty, Severity::Error, "a value or extensions beside an id").done();
        }
    }

    /// Markdown without tags of HTML: no `<` that a letter follows.
    fn markdown(&mut self, node: Node<'a>) {
        let raw = node.raw();
        let tag = |at: usize| raw.get(at + 1).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'/');
        if memchr::memchr_iter(b'<', raw).any(tag) {
            self.find(node, Code::MarkdownHtml, Severity::Error, "markdown without tags").done();
        }
    }

    /// The size of an attachment is that of its data before base64 (R4, Attachment.size).
    fn attachment(&mut self, node: Node<'a>) {
        let (Some(data), Some(size)) = (node.get("data"), node.get("size")) else { return };
        let Some(size) = size.as_decimal().and_then(|size| size.to_i64()) else { return };
        let digits =
            data.raw().iter().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
        let length = digits * 6 / 8;
        if i64::try_from(length).is_ok_and(|length| length != size) {
            self.find(node, Code::AttachmentSize, Severity::Error, "the size of the data").done();
        }
    }
}
