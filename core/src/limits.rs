//! Limits of everything that reads bytes from outside.

/// What a reader accepts at most. Every parser takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Depth of nested objects and arrays.
    pub depth: usize,
    /// Bytes of one record.
    pub bytes: usize,
    /// Values (objects, arrays and scalars) in one record.
    pub nodes: usize,
    /// Findings kept in a report; the rest are counted.
    pub findings: usize,
}

impl Limits {
    /// Depth 100, 256 MiB, 16 million values, 10,000 findings.
    pub const DEFAULT: Limits = Limits { depth: 100, bytes: 256 << 20, nodes: 16 << 20, findings: 10_000 };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}
