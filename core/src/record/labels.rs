//! Which compartment of a chart a record belongs to, by its security labels.
//!
//! A compartment has keys, blocks and an index of its own, so that it can be withheld or destroyed while the rest of the chart
//! stays whole. One function decides, for whoever writes, withholds or reports.

use super::Record;

/// A part of a patient's chart with keys of its own. Numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Compartment {
    /// Everything that is in no other.
    Normal = 0,
    /// Records of substance use treatment: 42 CFR Part 2.
    SubstanceUse = 1,
    /// Psychotherapy notes: 45 CFR 164.501.
    PsychotherapyNotes = 2,
}

impl Compartment {
    /// Every one, by its number.
    pub const ALL: [Compartment; 3] = [Compartment::Normal, Compartment::SubstanceUse, Compartment::PsychotherapyNotes];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Compartment::Normal => "normal",
            Compartment::SubstanceUse => "substance-use",
            Compartment::PsychotherapyNotes => "psychotherapy-notes",
        }
    }
    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Compartment> {
        Compartment::ALL.into_iter().find(|compartment| compartment.name() == name)
    }
    /// The one of that number.
    pub const fn from_number(number: u8) -> Option<Compartment> {
        match number {
            0 => Some(Compartment::Normal),
            1 => Some(Compartment::SubstanceUse),
            2 => Some(Compartment::PsychotherapyNotes),
            _ => None,
        }
    }

    /// The compartment of a record, by the codes in `meta.security`; where it has several, the one that is guarded most.
    /// A label without a system counts: it is safer to guard too much.
    pub fn of(record: &Record) -> Compartment {
        let Some(meta) = record.root().get("meta") else { return Compartment::Normal };
        let labels = meta
            .list("security")
            .filter(|label| label.text("system").is_none_or(|system| ACT_CODE.contains(&&*system)));
        labels.filter_map(|label| of_code(&label.text("code")?)).max().unwrap_or(Compartment::Normal)
    }
}

/// HL7's ActCode, under its names of R4 and before.
const ACT_CODE: [&str; 4] = [
    "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "http://hl7.org/fhir/v3/ActCode",
    "http://terminology.hl7.org/CodeSystem/ActCode",
    "urn:oid:2.16.840.1.113883.5.4",
];

/// What a code of HL7's ActCode asks for; None where it asks for no compartment of its own.
fn of_code(code: &str) -> Option<Compartment> {
    match code {
        "ETH" | "ETHUD" | "OPIOIDUD" | "SUD" | "42CFRPart2" => Some(Compartment::SubstanceUse),
        "PSYTHPN" | "HIPAAPsyNotes" => Some(Compartment::PsychotherapyNotes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(security: &str) -> Compartment {
        let json = format!(r#"{{"resourceType":"Observation","meta":{{"security":{security}}},"status":"final"}}"#);
        Compartment::of(&Record::parse(json.as_bytes()).expect("a resource"))
    }

    #[test]
    fn the_label_that_guards_most_says_the_compartment() {
        let act = r#""system":"http://terminology.hl7.org/CodeSystem/v3-ActCode""#;
        for (security, expected) in [
            ("[]".to_owned(), Compartment::Normal),
            (format!(r#"[{{{act},"code":"ETH"}}]"#), Compartment::SubstanceUse),
            (format!(r#"[{{{act},"code":"42CFRPart2"}}]"#), Compartment::SubstanceUse),
            (format!(r#"[{{{act},"code":"PSYTHPN"}}]"#), Compartment::PsychotherapyNotes),
            (format!(r#"[{{{act},"code":"PSYTHPN"}},{{{act},"code":"SUD"}}]"#), Compartment::PsychotherapyNotes),
            (r#"[{"code":"SUD"}]"#.to_owned(), Compartment::SubstanceUse),
            (format!(r#"[{{{act},"code":"HIV"}}]"#), Compartment::Normal),
            (
                r#"[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]"#.to_owned(),
                Compartment::Normal,
            ),
            (r#"[{"system":"http://example.org/labels","code":"SUD"}]"#.to_owned(), Compartment::Normal),
        ] {
            assert_eq!(of(&security), expected, "{security}");
        }
        let plain = Record::parse(br#"{"resourceType":"Observation","status":"final"}"#).expect("a resource");
        assert_eq!(Compartment::of(&plain), Compartment::Normal);
    }

    #[test]
    fn names_and_numbers_lead_back() {
        for compartment in Compartment::ALL {
            assert_eq!(Compartment::from_name(compartment.name()), Some(compartment));
            assert_eq!(Compartment::from_number(compartment as u8), Some(compartment));
        }
        assert_eq!(Compartment::from_number(3), None);
    }
}
