//! Writing a record: compact, and in canonical form.

use super::{Node, NodeKind, Row, Tree};

/// No white space; tokens copied as they were received.
pub(super) fn compact(tree: &Tree, out: &mut Vec<u8>) {
    out.reserve(tree.source.len());
    let Some(root) = tree.rows.first() else { return };
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

pub(super) fn canonical(node: Node<'_>, out: &mut Vec<u8>) {
    match node.kind() {
        NodeKind::Object => {
            let mut entries: Vec<_> = node.entries().collect();
            entries.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push(b'{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                quote(&key, out);
                out.push(b':');
                canonical(value, out);
            }
            out.push(b'}');
        }
        NodeKind::Array => {
            out.push(b'[');
            for (i, item) in node.items().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                canonical(item, out);
            }
            out.push(b']');
        }
        NodeKind::String => quote(&node.as_str().unwrap_or_default(), out),
        NodeKind::Number | NodeKind::Bool | NodeKind::Null => out.extend_from_slice(node.raw()),
    }
}

/// Writes a JSON string with the escapes of RFC 8785, section 3.2.2.2.
pub(crate) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
