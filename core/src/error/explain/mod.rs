//! What to do about a code: for every code how to mend it, and where an example helps a small wrong text and the same mended.
//!
//! The examples are data of this library and are tested: each wrong one yields its code, each right one does not.

mod custody;
mod expressions;
mod profiles;
mod questionnaires;
mod text;

use super::Code;

/// What to do about a code.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// How to mend it, in a sentence or two.
    pub mend: &'static str,
    /// A small text that yields it, and the same mended; None where the code is about no text.
    pub example: Option<Example>,
}

/// A text that yields a code, and the same mended.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Under which circumstances it does.
    pub setting: Setting,
    /// The text that yields the code.
    pub bad: &'static [u8],
    /// The same, mended.
    pub good: &'static [u8],
}

/// Under which circumstances an example yields its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// When it is read or validated.
    Reading,
    /// When it is read with limits of 3 levels, 64 bytes, 6 values and 1 finding.
    SmallLimits,
    /// When it is written as XML.
    WritingXml,
    /// When a response is checked against this questionnaire.
    Questionnaire(&'static str),
    /// When a questionnaire is checked against its own rules.
    OwnRules,
    /// When a validator with these definitions checks it against this profile; an empty one stands for none.
    Validator(&'static [&'static str], &'static str),
    /// The same, where the validator's options ask for every target of a reference, for markdown without HTML and for what is
    /// to be supported.
    Strict(&'static [&'static str], &'static str),
    /// When the formal rules of R4 are checked too.
    Rules,
    /// When it is evaluated as a FHIRPath expression over a Patient with two given names.
    Expression,
    /// When it is a conversion: an amount and a unit, an arrow, a unit.
    Conversion,
    /// When it is a division: an amount and a unit, a stroke, an amount and a unit.
    Division,
    /// When it is judged as a code: the URI of its system, a space, the code.
    CodeOf,
    /// When at most five codes of the value set of this url are listed, and no package but R4's own is loaded.
    Expansion,
    /// When the code `a` is translated by the concept map of this url, and this concept map is loaded.
    Translation(&'static str),
    /// When these are the files of the folder of a package, each line a name, a space and what it holds.
    Folder,
    /// When it is read as a policy and looked over.
    Policy,
    /// When it is a search: a type, a question mark, the parameters.
    Search,
}

impl Setting {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Setting::Questionnaire(form) => format!("when it is checked against the questionnaire {form}"),
            Setting::Validator([definition, ..], _) => format!("when a validator checks it with {definition}"),
            Setting::Strict([definition, ..], _) => format!("{} and with {definition}", self.plain_words()),
            Setting::Translation(map) => format!("{} {map}", self.plain_words()),
            _ => self.plain_words().to_owned(),
        }
    }
    const fn plain_words(self) -> &'static str {
        match self {
            Setting::Reading => "when it is read or validated",
            Setting::SmallLimits => "when it is read with limits of 3 levels, 64 bytes, 6 values and 1 finding",
            Setting::WritingXml => "when it is written as XML",
            Setting::Questionnaire(_) => "when it is checked against its questionnaire",
            Setting::Validator(..) => "when a validator checks it",
            Setting::Strict(..) => "when a validator checks it with the option that asks for this",
            Setting::OwnRules => "when a questionnaire is checked against its own rules",
            Setting::Rules => "when the formal rules of R4 are checked too",
            Setting::Expression => "when it is evaluated as a FHIRPath expression over a Patient with two given names",
            Setting::Conversion => "when it is a conversion",
            Setting::Division => "when it is a division of quantities",
            Setting::CodeOf => "when it is judged as a code of its system",
            Setting::Expansion => {
                "when five codes of this value set at most are to be listed, with R4's own definitions"
            }
            Setting::Translation(_) => "when a code is translated by the concept map of this url, with",
            Setting::Folder => "when these are the files of a package's folder, each a name and what it holds",
            Setting::Policy => "when it is read as a policy and looked over",
            Setting::Search => "when it is a search",
        }
    }
}

impl Code {
    /// What to do about it.
    pub fn explanation(self) -> &'static Explanation {
        let tables = [text::TABLE, expressions::TABLE, profiles::TABLE, questionnaires::TABLE, custody::TABLE];
        let mut all = tables.into_iter().flatten();
        all.find(|explanation| explanation.code == self).expect("a test sees that every code has one")
    }
    /// The code of a stable name or number.
    pub fn from_name(name: &str) -> Option<Code> {
        let named = Code::ALL.iter().find(|code| code.name() == name);
        named.or_else(|| Code::ALL.iter().find(|code| code.number().to_string() == name)).copied()
    }
}

/// An explanation without an example.
const fn told(code: Code, mend: &'static str) -> Explanation {
    Explanation { code, mend, example: None }
}

/// An explanation with an example that is read.
const fn plain(code: Code, mend: &'static str, bad: &'static str, good: &'static str) -> Explanation {
    bytes(code, mend, bad.as_bytes(), good.as_bytes())
}

const fn bytes(code: Code, mend: &'static str, bad: &'static [u8], good: &'static [u8]) -> Explanation {
    Explanation { code, mend, example: Some(Example { setting: Setting::Reading, bad, good }) }
}

/// The same under other circumstances.
const fn set(setting: Setting, explanation: Explanation) -> Explanation {
    match explanation.example {
        Some(example) => Explanation { example: Some(Example { setting, ..example }), ..explanation },
        None => explanation,
    }
}

const NO_PROFILE: Setting = Setting::Validator(&[], "");
const STRICT: Setting = Setting::Strict(&[], "");
