//! One pass over all values: what R4 says of extensions, references, attachments and the like beyond their structure.

use super::Run;
use crate::error::Code;
use crate::record::{Node, NodeKind, Row};
use crate::report::Severity;
use crate::schema::TypeId;
use std::sync::LazyLock;

/// What is looked at in a value of a type.
#[derive(Clone, Copy)]
enum Kind {
    Other,
    Extension,
    Attachment,
    Coded,
    Reference,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let kind = |type_id: TypeId| match type_id.name() {
        "Extension" => Kind::Extension,
        "Attachment" => Kind::Attachment,
        "Coding" | "Quantity" | "Age" | "Count" | "Distance" | "Duration" => Kind::Coded,
        "Reference" => Kind::Reference,
        _ => Kind::Other,
    };
    TypeId::all().map(kind).collect()
});

impl<'a> Run<'a> {
    pub(super) fn values(&mut self) {
        let mut above: Vec<Node<'a>> = Vec::new();
        let (mut open, mut next): (Vec<usize>, usize) = (Vec::new(), 0);
        for row in 0..self.record.row_count() {
            let node = self.record.node(row);
            while above.last().is_some_and(|last| last.row().next as usize <= row) {
                above.pop();
            }
            let ended = |number: &usize| self.resources[*number].node.row().next as usize <= row;
            while open.last().is_some_and(ended) {
                open.pop();
            }
            if self.resources.get(next).is_some_and(|next| next.node.at() == row) {
                open.push(next);
                next += 1;
            }
            let inside = open.last().copied().unwrap_or_default();
            if node.row().flags & Row::COMPANION != 0 {
                self.companion(node, above.last().copied());
            }
            if node.kind() == NodeKind::Object
                && let Some(type_id) = node.type_id()
            {
                match KINDS.get(type_id.0 as usize) {
                    Some(Kind::Extension) => self.extension(node, &above, inside),
                    Some(Kind::Attachment) => self.attachment(node),
                    Some(Kind::Coded) => self.coding(node),
                    Some(Kind::Reference) => self.exists(node, inside),
                    _ => {}
                }
            }
            if node.kind() == NodeKind::String
                && !self.options.html_in_markdown
                && node.type_id().is_some_and(|type_id| type_id.name() == "markdown")
            {
                self.markdown(node);
            }
            if matches!(node.kind(), NodeKind::Object | NodeKind::Array) {
                above.push(node);
            }
        }
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
