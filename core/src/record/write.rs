//! Writing a record: compact, and in canonical form.

use super::{NodeKind, Row, Tree, unescape};

/// No white space; tokens copied as they were received.
pub(super) fn compact(tree: &Tree, out: &mut Vec<u8>) {
    if tree.compact {
        out.extend_from_slice(&tree.source);
        return;
    }
    let Some(root) = tree.rows.first() else { return };
    out.reserve(tree.source.len());
    write_row(tree, root, 0, out);
}

fn write_row(tree: &Tree, row: &Row, at: usize, out: &mut Vec<u8>) {
    let (start, end) = (row.start as usize, row.end as usize);
    match row.kind {
        NodeKind::Object | NodeKind::Array => {
            let object = row.kind == NodeKind::Object;
            out.push(if object { b'{' } else { b'[' });
            let mut child = at + 1;
            while child < row.next as usize {
                if child > at + 1 {
                    out.push(b',');
                }
                let below = &tree.rows[child];
                if object {
                    // The key with its quotes, as received.
                    let key = below.key as usize;
                    out.extend_from_slice(&tree.source[key - 1..key + below.key_length as usize + 1]);
                    out.push(b':');
                }
                write_row(tree, below, child, out);
                child = below.next as usize;
            }
            out.push(if object { b'}' } else { b']' });
        }
        NodeKind::String => out.extend_from_slice(&tree.source[start - 1..end + 1]),
        NodeKind::Number | NodeKind::Bool | NodeKind::Null => out.extend_from_slice(&tree.source[start..end]),
    }
}

/// Names sorted, no white space, escapes of RFC 8785, digits as received.
pub(super) fn canonical(tree: &Tree, out: &mut Vec<u8>) {
    out.reserve(tree.source.len());
    Canonical { tree, names: Vec::new() }.row(0, out);
}

struct Canonical<'a> {
    tree: &'a Tree,
    /// The rows of the objects being written, each sorted: one stack for all.
    names: Vec<usize>,
}

impl Canonical<'_> {
    fn row(&mut self, at: usize, out: &mut Vec<u8>) {
        let row = &self.tree.rows[at];
        let raw = &self.tree.source[row.start as usize..row.end as usize];
        match row.kind {
            NodeKind::Object => self.object(at, out),
            NodeKind::Array => {
                out.push(b'[');
                let mut child = at + 1;
                while child < row.next as usize {
                    if child > at + 1 {
                        out.push(b',');
                    }
                    self.row(child, out);
                    child = self.tree.rows[child].next as usize;
                }
                out.push(b']');
            }
            NodeKind::String => string(raw, row.flags & Row::ESCAPES != 0, out),
            NodeKind::Number | NodeKind::Bool | NodeKind::Null => out.extend_from_slice(raw),
        }
    }

    fn object(&mut self, at: usize, out: &mut Vec<u8>) {
        let (tree, from, end) = (self.tree, self.names.len(), self.tree.rows[at].next as usize);
        let mut child = at + 1;
        while child < end {
            self.names.push(child);
            child = tree.rows[child].next as usize;
        }
        self.names[from..].sort_by(|a, b| compare(key(tree, *a), key(tree, *b)));
        out.push(b'{');
        for i in from..self.names.len() {
            let child = self.names[i];
            if i > from {
                out.push(b',');
            }
            let (raw, escapes) = key(tree, child);
            string(raw, escapes, out);
            out.push(b':');
            self.row(child, out);
        }
        out.push(b'}');
        self.names.truncate(from);
    }
}

/// The name of a row, and whether it has escapes.
fn key(tree: &Tree, row: usize) -> (&[u8], bool) {
    let row = &tree.rows[row];
    let start = row.key as usize;
    (&tree.source[start..start + row.key_length as usize], row.flags & Row::KEY_ESCAPES != 0)
}

/// Compares names by UTF-16 code units, as RFC 8785 asks; for ASCII that is the order of the bytes.
fn compare(a: (&[u8], bool), b: (&[u8], bool)) -> std::cmp::Ordering {
    if !a.1 && !b.1 && a.0.is_ascii() && b.0.is_ascii() {
        return a.0.cmp(b.0);
    }
    unescape(a.0, a.1).encode_utf16().cmp(unescape(b.0, b.1).encode_utf16())
}

/// A string that was received without escapes is canonical as it stands.
fn string(raw: &[u8], escapes: bool, out: &mut Vec<u8>) {
    if escapes {
        return quote(&unescape(raw, true), out);
    }
    out.push(b'"');
    out.extend_from_slice(raw);
    out.push(b'"');
}

/// Writes a JSON string with the escapes of RFC 8785, section 3.2.2.2.
pub(crate) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let (bytes, mut plain) = (text.as_bytes(), 0);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= b' ' && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}
