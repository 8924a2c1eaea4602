//! Why a version came about: kept with the record, sealed with it, gone with it.

use super::layout::{Reader, Writer};
use crate::error::{Code, Result};
use crate::time::Timestamp;

macro_rules! changes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What sort of change made a version. Numbers are part of the format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ChangeKind { $($(#[$doc])* $variant = $number),* }

        impl ChangeKind {
            /// Every one.
            pub const ALL: &'static [ChangeKind] = &[$(ChangeKind::$variant),*];
            /// The name.
            pub const fn name(self) -> &'static str { match self { $(ChangeKind::$variant => $name),* } }
            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> { match name { $($name => Some(ChangeKind::$variant),)* _ => None } }
            fn from_number(number: u8) -> Option<Self> { match number { $($number => Some(ChangeKind::$variant),)* _ => None } }
        }
    };
}

changes! {
    /// The first version.
    Create = 1, "create";
    /// The entry says something else now, because what it is about changed or was seen in another way.
    Amend = 2, "amend";
    /// The entry was wrong and is right now.
    Correct = 3, "correct";
    /// Something was added; what stood there stands there still.
    Augment = 4, "augment";
    /// The entry should not have been made: it is hidden.
    Retract = 5, "retract";
    /// A retraction was undone.
    Restore = 6, "restore";
    /// The entry was deleted.
    Delete = 7, "delete";
    /// Two edits made at the same time were brought together.
    Merge = 8, "merge";
}

/// Why a version came about.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// What sort of change it was.
    pub kind: ChangeKind,
    /// Why, in words.
    pub reason: String,
    /// On whose behalf the actor acted.
    pub on_behalf: Option<String>,
    /// When the change was authored, where that is not when it was written.
    pub authored: Option<Timestamp>,
}

/// `Debug` says the sort of change only: reasons are content.
impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Note({})", self.kind.name())
    }
}

impl Note {
    /// `kind number, flags number (1 on behalf, 2 authored), reason { length, bytes }, on behalf { length, bytes }?, authored signed?`
    pub(super) fn write(&self, out: &mut Writer) {
        out.number(self.kind as u64);
        out.number(u64::from(self.on_behalf.is_some()) | u64::from(self.authored.is_some()) << 1);
        out.bytes(self.reason.as_bytes());
        if let Some(whom) = &self.on_behalf {
            out.bytes(whom.as_bytes());
        }
        if let Some(authored) = self.authored {
            out.signed(authored.0);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Note> {
        let kind = ChangeKind::from_number(reader.small()?).ok_or_else(|| Code::Corrupt.error())?;
        let flags = reader.number()?;
        let reason = reader.text()?;
        let on_behalf = if flags & 1 != 0 { Some(reader.text()?) } else { None };
        let authored = if flags & 2 != 0 { Some(Timestamp(reader.signed()?)) } else { None };
        Ok(Note { kind, reason, on_behalf, authored })
    }
}
