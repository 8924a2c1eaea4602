//! `Phi<T>`: content that could identify a person. It does not print itself and is wiped where it can be.

use std::fmt;

/// A value that could identify a person. `Debug` says its type only; there is no `Display`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Phi<T: ?Sized>(T);

impl<T> Phi<T> {
    /// Marks a value.
    pub const fn new(value: T) -> Self {
        Phi(value)
    }
    /// Takes the mark off. The caller answers for where it goes.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: ?Sized> Phi<T> {
    /// Looks at the content. The caller answers for where it goes.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phi(..)")
    }
}

/// Types that may appear in a log line: they cannot hold record content.
pub trait LogSafe: fmt::Display {}
impl LogSafe for u32 {}
impl LogSafe for u64 {}
impl LogSafe for crate::error::Code {}
impl LogSafe for crate::error::Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_show_the_content() {
        assert_eq!(format!("{:?}", Phi::new("Ms Marker")), "Phi(..)");
    }
}
