//! Security labels: how confidential a record is, and what it is sensitive about.

use crate::record::{Node, Record, each_label};

/// HL7's Confidentiality, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Confidentiality {
    /// U
    Unrestricted = 0,
    /// L
    Low = 1,
    /// M
    Moderate = 2,
    /// N: what a record without a label is.
    Normal = 3,
    /// R
    Restricted = 4,
    /// V
    VeryRestricted = 5,
}

impl Confidentiality {
    /// Every one, least first.
    pub const ALL: [Confidentiality; 6] = [
        Confidentiality::Unrestricted,
        Confidentiality::Low,
        Confidentiality::Moderate,
        Confidentiality::Normal,
        Confidentiality::Restricted,
        Confidentiality::VeryRestricted,
    ];
    /// HL7's code.
    pub const fn code(self) -> &'static str {
        ["U", "L", "M", "N", "R", "V"][self as usize]
    }
    /// The one of that code.
    pub fn from_code(code: &str) -> Option<Confidentiality> {
        Confidentiality::ALL.into_iter().find(|level| level.code() == code)
    }
}

/// The labels of a record, or those somebody is cleared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Labels {
    /// How confidential.
    pub confidentiality: Confidentiality,
    /// What it is sensitive about: a bit for each code of [`Labels::codes`].
    pub sensitivity: u64,
}

/// HL7's codes of sensitivity, each by its place a bit. The last stands for every label that is not known here.
const CODES: [&str; 50] = [
    "ETH",
    "ETHUD",
    "OPIOIDUD",
    "SUD",
    "SUDT",
    "42CFRPart2",
    "PSYTHPN",
    "HIPAAPsyNotes",
    "GDIS",
    "HIV",
    "MST",
    "PREGNANT",
    "SCA",
    "SDV",
    "SEX",
    "SPI",
    "BH",
    "COGN",
    "DVD",
    "EMOTDIS",
    "MH",
    "PSY",
    "STD",
    "TBOO",
    "VIO",
    "IDS",
    "DEMO",
    "DOB",
    "GENDER",
    "LIVARG",
    "MARST",
    "RACE",
    "REL",
    "B",
    "EMPL",
    "LOCIS",
    "SSP",
    "ADOL",
    "CEL",
    "DIA",
    "DRGIS",
    "EMP",
    "PDS",
    "PHY",
    "PRS",
    "COMPT",
    "HRCOMPT",
    "SICKLE",
    "PATLOCIS",
    "OTHER",
];

/// The bits of psychotherapy notes: never part of "every label", they have to be named.
const NOTES: u64 = 1 << 6 | 1 << 7;
const OTHER: u64 = 1 << (CODES.len() - 1);

impl Labels {
    /// What a record without labels has.
    pub const NONE: Labels = Labels { confidentiality: Confidentiality::Normal, sensitivity: 0 };
    /// Every label but those of psychotherapy notes.
    pub(super) const ALL_BUT_NOTES: u64 = ((1 << CODES.len()) - 1) & !NOTES;

    /// The codes of sensitivity that are told apart; `OTHER` stands for all others.
    pub fn codes() -> &'static [&'static str] {
        &CODES
    }
    /// The bit of a code of sensitivity.
    pub fn bit(code: &str) -> Option<u64> {
        CODES.iter().position(|known| *known == code).map(|at| 1 << at)
    }
    /// The codes of a set of bits.
    pub fn names(bits: u64) -> impl Iterator<Item = &'static str> {
        CODES.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, code)| *code)
    }
    /// Whether somebody with this clearance may see what has those labels.
    pub const fn clears(self, labels: Labels) -> bool {
        labels.confidentiality as u8 <= self.confidentiality as u8 && labels.sensitivity & !self.sensitivity == 0
    }
    /// Both.
    #[must_use]
    pub fn and(self, other: Labels) -> Labels {
        Labels {
            confidentiality: self.confidentiality.max(other.confidentiality),
            sensitivity: self.sensitivity | other.sensitivity,
        }
    }
    /// A label by its code, as a clearance.
    pub(crate) fn of_code(code: &str) -> Option<Labels> {
        if let Some(confidentiality) = Confidentiality::from_code(code) {
            return Some(Labels { confidentiality, sensitivity: 0 });
        }
        Labels::bit(code).map(|sensitivity| Labels { confidentiality: Confidentiality::Unrestricted, sensitivity })
    }

    /// The labels of a resource and of everything in it: `meta.security` of itself, of contained resources and of entries.
    pub fn of(record: &Record) -> Labels {
        let mut found: Option<Labels> = None;
        each_label(record, &mut |label| {
            let label = of_label(label);
            found = Some(found.map_or(label, |found| found.and(label)));
        });
        found.unwrap_or(Labels::NONE)
    }

    /// Whether bytes can have a label at all: most records have none and need not be read for it.
    pub(crate) fn may_be_in(bytes: &[u8]) -> bool {
        memchr::memmem::find(bytes, b"\"security\"").is_some() || memchr::memmem::find(bytes, b"\\u").is_some()
    }
}

/// One label. What is not known counts as `OTHER`, which a clearance has to name.
fn of_label(label: Node<'_>) -> Labels {
    let code = label.text("code").unwrap_or_default();
    let system = label.text("system").unwrap_or_default();
    let name = system.rsplit(['/', ':']).next().unwrap_or_default();
    let confidentiality = matches!(name, "v3-Confidentiality" | "Confidentiality" | "2.16.840.1.113883.5.25");
    if confidentiality || system.is_empty() {
        if let Some(confidentiality) = Confidentiality::from_code(&code) {
            return Labels { confidentiality, sensitivity: 0 };
        }
    }
    Labels { sensitivity: Labels::bit(&code).unwrap_or(OTHER), ..Labels::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(security: &str) -> Labels {
        let json =
            format!(r#"{{"resourceType":"Basic","id":"b","meta":{{"security":[{security}]}},"code":{{"text":"x"}}}}"#);
        Labels::of(&Record::parse(json.as_bytes()).expect("a resource"))
    }

    #[test]
    fn a_label_that_is_not_known_is_guarded_and_one_of_purpose_is_not() {
        assert_eq!(of(r#"{"code":"R"}"#).confidentiality, Confidentiality::Restricted);
        assert_eq!(of(r#"{"code":"HIV"}"#).sensitivity, Labels::bit("HIV").expect("known"));
        assert_eq!(of(r#"{"system":"http://example.org/labels","code":"VIP"}"#).sensitivity, OTHER);
        assert_eq!(
            of(r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HTEST"}"#),
            Labels::NONE
        );
        assert_eq!(of(r#"{"display":"no code"}"#).sensitivity, OTHER);
    }

    #[test]
    fn the_highest_of_several_labels_counts() {
        let found = of(r#"{"code":"L"},{"code":"V"},{"code":"SEX"}"#);
        assert_eq!((found.confidentiality.code(), found.sensitivity), ("V", Labels::bit("SEX").expect("known")));
        assert!(!Labels::NONE.clears(found) && found.clears(found));
    }

    #[test]
    fn every_label_does_not_mean_psychotherapy_notes() {
        assert_eq!(Labels::ALL_BUT_NOTES & NOTES, 0);
        assert_eq!(Labels::bit("PSYTHPN").expect("known") | Labels::bit("HIPAAPsyNotes").expect("known"), NOTES);
    }
}
