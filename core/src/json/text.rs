//! The text under the machine: a cursor over bytes that reads white space and tokens (RFC 8259), strictly.

use super::error_at;
use crate::error::{Code, Error, Found, Result};
use crate::limits::Limits;
use crate::record::NodeKind;

/// A place in the text. The text is valid UTF-8: [`Cursor::new`] looked.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Whether white space was skipped.
    pub(super) spaced: bool,
}

/// Where a string stands, without its quotes.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) escapes: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        if bytes.len() > limits.bytes.min(u32::MAX as usize - 1) {
            return Err(Code::LimitSize.error().found(Found::Length(bytes.len() as u64)));
        }
        if bytes.starts_with(b"\xef\xbb\xbf") || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(error_at(Code::JsonBom, bytes, 0));
        }
        if let Some(at) = not_utf8(bytes) {
            return Err(error_at(Code::JsonUtf8, bytes, at));
        }
        Ok(Cursor { bytes, at: 0, spaced: false })
    }

    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[cold]
    pub(super) fn error(&self, code: Code, at: usize) -> Error {
        error_at(code, self.bytes, at)
    }

    /// A syntax error here, or `json-end` where the text is over.
    #[cold]
    pub(super) fn unexpected(&self) -> Error {
        self.error(if self.at >= self.bytes.len() { Code::JsonEnd } else { Code::JsonSyntax }, self.at)
    }

    /// Skips white space.
    #[inline(always)]
    pub(super) fn space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.space_slow();
        }
    }

    /// Reads `:` and the white space around it: none, or one blank, most of the time.
    #[inline(always)]
    pub(super) fn colon(&mut self) -> Result<()> {
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        if self.peek() == Some(b' ') {
            self.at += 1;
            self.spaced = true;
        }
        self.space();
        Ok(())
    }

    /// Line ends and indentation: sixteen blanks at a time.
    fn space_slow(&mut self) {
        const BLANKS: u128 = 0x2020_2020_2020_2020_2020_2020_2020_2020;
        self.spaced = true;
        let mut at = self.at;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b' ' | b'\n' => {
                    at += 1;
                    while let Some(chunk) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
                        let other = u128::from_le_bytes(*chunk) ^ BLANKS;
                        at += (other.trailing_zeros() / 8) as usize;
                        if other != 0 {
                            break;
                        }
                    }
                }
                b'\t' | b'\r' => at += 1,
                _ => break,
            }
        }
        self.at = at;
    }

    pub(super) fn end(&mut self) -> Result<()> {
        self.space();
        if self.at < self.bytes.len() { Err(self.error(Code::JsonTrailing, self.at)) } else { Ok(()) }
    }

    /// Reads a string; the cursor is on its opening quote and ends after its closing one.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Span> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        const QUOTES: u64 = b'"' as u64 * ONES;
        const BACKSLASHES: u64 = b'\\' as u64 * ONES;
        let start = self.at + 1;
        let mut at = start;
        let mut escapes = false;
        loop {
            // Eight bytes at a time until one is a quote, a backslash or a control character.
            while let Some(chunk) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
                let word = u64::from_le_bytes(*chunk);
                // A byte is zero below a borrow: the lowest hit is exact, and only the lowest is used.
                let quote = (word ^ QUOTES).wrapping_sub(ONES);
                let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES);
                let control = word.wrapping_sub(ONES * 0x20);
                let found = (quote | backslash | control) & !word & HIGHS;
                if found != 0 {
                    at += (found.trailing_zeros() / 8) as usize;
                    break;
                }
                at += 8;
            }
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Span { start, end: at, escapes });
                }
                Some(b'\\') => {
                    escapes = true;
                    at = self.escape(at)?;
                }
                Some(0..0x20) | None => {
                    self.at = at;
                    return Err(self.unexpected());
                }
                Some(_) => at += 1,
            }
        }
    }

    /// Checks the escape at `here`, a backslash; gives the place after it.
    fn escape(&self, here: usize) -> Result<usize> {
        match self.bytes.get(here + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(here + 2),
            Some(b'u') => match self.unit(here + 2)? {
                0xdc00..0xe000 => Err(self.error(Code::JsonSurrogate, here)),
                0xd800..0xdc00 => {
                    let paired = self.bytes.get(here + 6..here + 8) == Some(b"\\u")
                        && (0xdc00..0xe000).contains(&self.unit(here + 8)?);
                    if paired { Ok(here + 12) } else { Err(self.error(Code::JsonSurrogate, here)) }
                }
                _ => Ok(here + 6),
            },
            Some(_) => Err(self.error(Code::JsonSyntax, here)),
            None => Err(self.error(Code::JsonEnd, here)),
        }
    }

    fn unit(&self, at: usize) -> Result<u32> {
        match self.bytes.get(at..at + 4) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(crate::record::hex4(self.bytes, at)),
            Some(_) => Err(self.error(Code::JsonSyntax, at)),
            None => Err(self.error(Code::JsonEnd, self.bytes.len())),
        }
    }

    /// Reads a number; the cursor is on its first byte.
    #[inline]
    pub(super) fn number(&mut self) -> Result<()> {
        let start = self.at;
        let digit = |cursor: &Self| cursor.peek().is_some_and(|byte| byte.is_ascii_digit());
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => {
                while digit(self) {
                    self.at += 1;
                }
            }
            _ => return Err(self.bad_number(start)),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !digit(self) {
                return Err(self.bad_number(start));
            }
            while digit(self) {
                self.at += 1;
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !digit(self) {
                return Err(self.bad_number(start));
            }
            while digit(self) {
                self.at += 1;
            }
        }
        if matches!(self.peek(), Some(b'0'..=b'9' | b'.' | b'+' | b'-')) {
            return Err(self.bad_number(start));
        }
        Ok(())
    }

    #[cold]
    fn bad_number(&self, start: usize) -> Error {
        self.error(if self.at >= self.bytes.len() { Code::JsonEnd } else { Code::JsonSyntax }, start)
    }

    /// Reads `true`, `false` or `null`.
    pub(super) fn literal(&mut self) -> Result<NodeKind> {
        for (word, kind) in [(&b"true"[..], NodeKind::Bool), (b"false", NodeKind::Bool), (b"null", NodeKind::Null)] {
            if self.bytes[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.unexpected())
    }
}

/// Where the first byte is that is not UTF-8. Text is mostly ASCII: stretches of it are passed by.
fn not_utf8(bytes: &[u8]) -> Option<usize> {
    const STRETCH: usize = 1024;
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + STRETCH);
        let stretch = &bytes[at..end];
        if stretch.is_ascii() {
            at = end;
            continue;
        }
        match std::str::from_utf8(stretch) {
            Ok(_) => at = end,
            // A character across the end of the stretch: on from its first byte. Progress: it starts in the last three bytes.
            Err(error) if error.error_len().is_none() && end < bytes.len() => at += error.valid_up_to(),
            Err(error) => return Some(at + error.valid_up_to()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::not_utf8;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn utf8_is_judged_as_the_standard_library_does(
            text in "[a-zé€😀]{0,1500}",
            damage in proptest::option::of((0_usize..6_000, any::<u8>())),
        ) {
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = damage.filter(|_| !bytes.is_empty()) {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            prop_assert_eq!(not_utf8(&bytes), std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to()));
        }
    }
}
