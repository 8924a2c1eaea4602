//! Which compartment of a chart a record belongs to, by its security labels.
//!
//! A compartment has keys, blocks and an index of its own, so that it can be withheld or destroyed while the rest of the chart
//! stays whole. One function decides, for whoever writes, withholds or reports.

use super::{Node, Record};

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

    /// The compartment of a record, by the codes of its labels, those of contained resources and entries included; where it has
    /// several, the one that is guarded most. The system of a label does not matter: it is safer to guard too much.
    pub fn of(record: &Record) -> Compartment {
        let mut found = Compartment::Normal;
        each_label(record, &mut |label| {
            let asked = label.text("code").and_then(|code| of_code(&code));
            found = found.max(asked.unwrap_or(Compartment::Normal));
        });
        found
    }
}

/// Visits the labels of a resource and of everything in it: `meta.security` of itself, of contained resources and of entries. Labels
/// that say what may be done with a record (purposes, integrity) are not among them.
pub(crate) fn each_label(record: &Record, visit: &mut dyn FnMut(Node<'_>)) {
    labels_in(record.root(), visit);
}

fn labels_in(resource: Node<'_>, visit: &mut dyn FnMut(Node<'_>)) {
    if let Some(meta) = resource.get("meta") {
        for label in meta.list("security") {
            let system = label.text("system").unwrap_or_default();
            let name = system.rsplit(['/', ':']).next().unwrap_or_default();
            if !matches!(name, "v3-ActReason" | "ActReason" | "v3-ObservationValue" | "ObservationValue") {
                visit(label);
            }
        }
    }
    for contained in resource.list("contained") {
        labels_in(contained, visit);
    }
    for entry in resource.list("entry") {
        if let Some(resource) = entry.get("resource") {
            labels_in(resource, visit);
        }
    }
}

/// What a code asks for; None where it asks for no compartment of its own.
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
            (r#"[{"system":"http://example.org/labels","code":"SUD"}]"#.to_owned(), Compartment::SubstanceUse),
            (
                r#"[{"system":"https://TERMINOLOGY.hl7.org/x","code":"PSYTHPN"}]"#.to_owned(),
                Compartment::PsychotherapyNotes,
            ),
            (
                r#"[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"SUD"}]"#.to_owned(),
                Compartment::Normal,
            ),
        ] {
            assert_eq!(of(&security), expected, "{security}");
        }
        let plain = Record::parse(br#"{"resourceType":"Observation","status":"final"}"#).expect("a resource");
        assert_eq!(Compartment::of(&plain), Compartment::Normal);
    }

    #[test]
    fn what_a_resource_holds_is_guarded_as_what_it_is() {
        let note =
            r#"{"resourceType":"Observation","id":"n","meta":{"security":[{"code":"PSYTHPN"}]},"status":"final"}"#;
        for json in [
            format!(r#"{{"resourceType":"Basic","contained":[{note}]}}"#),
            format!(r#"{{"resourceType":"Bundle","type":"document","entry":[{{"resource":{note}}}]}}"#),
            format!(
                r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"Basic","contained":[{note}]}}}}]}}"#
            ),
        ] {
            let record = Record::parse(json.as_bytes()).expect("a resource");
            assert_eq!(Compartment::of(&record), Compartment::PsychotherapyNotes, "{json}");
        }
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
