//! A patient's FHIR Consent, compiled to rows, and what it says to a request.
//!
//! R4, Consent.provision, in the sense of IHE's Privacy Consent on FHIR: the root says what holds, nested provisions are
//! exceptions to the one around them, and a provision is about what meets all of its criteria. Among exceptions a denial goes
//! before a permit; among consents too. A consent never permits what the policy does not; it takes away, and where it says
//! "permit" a rule of the policy may ask for that.
//!
//! A criterion that cannot be judged (a care team as actor, a period of the data) counts as met for a denial and as not met for
//! a permit. A denial for TREAT is one for emergencies too, unless an exception permits ETREAT or BTG.

use super::labels::{Confidentiality, Labels};
use super::policy::{Kinds, purpose_bit};
use super::{Action, ConsentSays, Purpose};
use crate::json::instant_of;
use crate::record::{Node, Record};
use crate::schema::ResourceType;
use crate::search::parse_reference;
use crate::time::Timestamp;

/// One consent that is in force, as rows; the root first, and each after the one around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consent {
    rows: Vec<Row>,
    /// Where who asks wrote it: what it says without its permits, and what somebody else said before.
    own: Option<Box<Own>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    denials: Consent,
    other: Option<Consent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    around: usize,
    permits: Option<bool>,
    /// From and until, half open.
    period: Option<(i64, i64)>,
    actors: Option<Vec<Box<str>>>,
    actions: Option<u64>,
    purposes: Option<u16>,
    /// A bit for each level of confidentiality, and the codes of sensitivity.
    labels: Option<(u8, u64)>,
    kinds: Option<Kinds>,
    codes: Option<Vec<(Box<str>, Box<str>)>>,
    records: Option<Vec<Box<str>>>,
    /// Has a criterion that cannot be judged.
    unsure: bool,
}

/// Who asks a consent, and for what.
pub(crate) struct Asker<'a> {
    pub(crate) action: Action,
    pub(crate) purpose: Purpose,
    /// The records that stand for who asks: themselves, their organization. Empty where the host did not say.
    pub(crate) references: &'a [String],
    pub(crate) now: Timestamp,
    pub(crate) kind: ResourceType,
    pub(crate) id: &'a str,
    pub(crate) labels: Labels,
    /// The record, for consents that ask for codes.
    pub(crate) record: Option<&'a Record>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Yes,
    Unsure,
    No,
}

/// Nested deeper than this a consent is not read further: what is deeper is an exception that is not made.
const DEPTH: usize = 16;

impl Consent {
    /// Compiles a Consent; None where it is not in force or is not about privacy. `resolve` says what an address stands for.
    pub(crate) fn compile(record: &Record, resolve: &dyn Fn(&str) -> Option<String>) -> Option<Consent> {
        let root = record.root();
        if root.text("status").as_deref() != Some("active") {
            return None;
        }
        let scopes: Vec<String> = root
            .get("scope")
            .into_iter()
            .flat_map(|scope| scope.list("coding"))
            .filter_map(|coding| coding.text("code").map(|code| code.into_owned()))
            .collect();
        if !scopes.is_empty() && !scopes.iter().any(|code| matches!(code.as_str(), "patient-privacy" | "research")) {
            return None;
        }
        let mut made = Consent { rows: Vec::new(), own: None };
        let rule = root.get("policyRule").into_iter().flat_map(|rule| rule.list("coding"));
        let rule = rule.filter_map(|coding| match coding.text("code")?.as_ref() {
            "OPTIN" | "OPTINR" => Some(true),
            "OPTOUT" | "OPTOUTE" => Some(false),
            _ => None,
        });
        // Where several rules are named, one that denies holds.
        let rule = rule.reduce(|one, other| one && other);
        match root.get("provision") {
            Some(provision) => made.put(provision, 0, rule, resolve, 0),
            None => made.rows.push(Row { permits: rule, ..Row::empty() }),
        }
        Some(made)
    }

    fn put(
        &mut self,
        of: Node<'_>,
        around: usize,
        rule: Option<bool>,
        resolve: &dyn Fn(&str) -> Option<String>,
        depth: usize,
    ) {
        let at = self.rows.len();
        self.rows.push(Row::of(of, around, rule, resolve));
        if depth < DEPTH {
            for below in of.list("provision") {
                self.put(below, at, None, resolve, depth + 1);
            }
        }
    }

    /// A consent whose newest version who asks wrote, and the newest before it that somebody else wrote; each None where it is not in
    /// force. Nobody lets themselves in: it permits what both permit, and denies what either denies.
    pub(crate) fn by_who_asks(newest: Option<Consent>, other: Option<Consent>) -> Option<Consent> {
        if newest.is_none() && other.is_none() {
            return None;
        }
        let rows = newest.map(|newest| newest.rows).unwrap_or_default();
        let mut denials = Consent { rows: rows.clone(), own: None };
        for row in denials.rows.iter_mut().filter(|row| row.permits == Some(true)) {
            row.permits = None;
        }
        Some(Consent { rows, own: Some(Box::new(Own { denials, other })) })
    }

    /// Whether some row asks for codes in the record.
    pub(crate) fn asks_codes(&self) -> bool {
        let other = self.own.as_ref().and_then(|own| own.other.as_ref());
        self.rows.iter().any(|row| row.codes.is_some()) || other.is_some_and(Consent::asks_codes)
    }

    /// What it says.
    pub(crate) fn says(&self, asker: &Asker<'_>) -> ConsentSays {
        let newest = if self.rows.is_empty() { ConsentSays::Nothing } else { self.at(0, asker) };
        let Some(own) = &self.own else { return newest };
        let other = own.other.as_ref().map_or(ConsentSays::Nothing, |other| other.says(asker));
        match (newest, other) {
            (ConsentSays::Deny, _) | (_, ConsentSays::Deny) => ConsentSays::Deny,
            (ConsentSays::Permit, ConsentSays::Permit) => ConsentSays::Permit,
            _ => own.denials.says(asker),
        }
    }

    /// Whether it denies something to who has these references, or may; as it says it without regard to who wrote it.
    pub(crate) fn is_against(&self, references: &[String]) -> bool {
        self.rows.iter().any(|row| {
            let named = row.actors.as_ref().is_none_or(|actors| {
                references.is_empty() || actors.iter().any(|actor| references.iter().any(|one| **actor == **one))
            });
            row.permits == Some(false) && (named || row.unsure)
        })
    }

    /// What several say together: one that denies is enough.
    pub(crate) fn all_say(consents: &[Consent], asker: &Asker<'_>) -> ConsentSays {
        let mut said = ConsentSays::Nothing;
        for consent in consents {
            match consent.says(asker) {
                ConsentSays::Deny => return ConsentSays::Deny,
                ConsentSays::Permit => said = ConsentSays::Permit,
                ConsentSays::Nothing => {}
            }
        }
        said
    }

    fn at(&self, at: usize, asker: &Asker<'_>) -> ConsentSays {
        let row = &self.rows[at];
        let met = row.met(asker);
        if met == Met::No {
            return ConsentSays::Nothing;
        }
        let mut exception = ConsentSays::Nothing;
        for below in at + 1..self.rows.len() {
            // Those below it follow it; the first that is around an earlier one is the end of them. Without this, a long consent would
            // take the square of its length, at each decision.
            match self.rows[below].around {
                around if around < at => break,
                around if around > at => continue,
                _ => {}
            }
            match self.at(below, asker) {
                ConsentSays::Deny => return ConsentSays::Deny,
                ConsentSays::Permit if met == Met::Yes || row.permits == Some(false) => exception = ConsentSays::Permit,
                _ => {}
            }
        }
        if exception != ConsentSays::Nothing {
            return exception;
        }
        match (row.permits, met) {
            (Some(false), _) => ConsentSays::Deny,
            (Some(true), Met::Yes) => ConsentSays::Permit,
            _ => ConsentSays::Nothing,
        }
    }
}

impl Row {
    fn empty() -> Row {
        Row {
            around: 0,
            permits: None,
            period: None,
            actors: None,
            actions: None,
            purposes: None,
            labels: None,
            kinds: None,
            codes: None,
            records: None,
            unsure: false,
        }
    }

    fn of(of: Node<'_>, around: usize, rule: Option<bool>, resolve: &dyn Fn(&str) -> Option<String>) -> Row {
        let mut row = Row { around, ..Row::empty() };
        row.permits = match of.text("type").as_deref() {
            Some("permit") => Some(true),
            Some("deny") => Some(false),
            _ => rule,
        };
        if let Some(period) = of.get("period") {
            let bound = |name: &str| period.get(name).map(|node| instant_of(node.raw()));
            row.unsure |= matches!(bound("start"), Some(None)) || matches!(bound("end"), Some(None));
            let from = bound("start").flatten().map_or(i64::MIN, |(start, _)| start.0);
            row.period = Some((from, bound("end").flatten().map_or(i64::MAX, |(_, end)| end.0)));
        }
        row.unsure |= of.get("dataPeriod").is_some();
        let reference = |node: Node<'_>| -> Option<Box<str>> {
            let text = node.get("reference")?.text("reference")?;
            let resolved = if text.contains(':') { resolve(&text) } else { None };
            let (kind, id) = parse_reference(resolved.as_deref().unwrap_or(&text))?;
            Some(format!("{kind}/{id}").into())
        };
        for actor in of.list("actor") {
            match reference(actor) {
                Some(found) if !found.starts_with("CareTeam/") && !found.starts_with("Group/") => {
                    row.actors.get_or_insert_default().push(found);
                }
                _ => row.unsure = true,
            }
        }
        for action in of.list("action").flat_map(|action| action.list("coding")) {
            let bits = row.actions.get_or_insert_default();
            match action.text("code").as_deref() {
                Some(code) => *bits |= actions(code),
                None => row.unsure = true,
            }
        }
        for purpose in of.list("purpose") {
            let bits = row.purposes.get_or_insert_default();
            *bits |= purpose.text("code").map_or(0, |code| purposes(&code));
        }
        for label in of.list("securityLabel") {
            let (levels, codes) = row.labels.get_or_insert_default();
            let code = label.text("code").unwrap_or_default();
            match Confidentiality::from_code(&code) {
                Some(level) => *levels |= 1 << level as u8,
                None => *codes |= Labels::bit(&code).or(Labels::bit("OTHER")).unwrap_or_default(),
            }
        }
        for class in of.list("class") {
            match class.text("code").and_then(|code| ResourceType::from_name(&code)) {
                Some(kind) => row.kinds.get_or_insert_default().put(kind),
                None => row.unsure = true,
            }
        }
        for code in of.list("code") {
            let codes = row.codes.get_or_insert_default();
            for coding in code.list("coding") {
                let text = |name: &str| coding.text(name).unwrap_or_default().into_owned().into_boxed_str();
                codes.push((text("system"), text("code")));
            }
        }
        for data in of.list("data") {
            match reference(data) {
                Some(found) => row.records.get_or_insert_default().push(found),
                None => row.unsure = true,
            }
            row.unsure |= data.text("meaning").as_deref() != Some("instance");
        }
        row
    }

    /// Whether a request meets its criteria.
    fn met(&self, asker: &Asker<'_>) -> Met {
        let mut unsure = self.unsure;
        let mut judge = |asked: bool, holds: Option<bool>| match (asked, holds) {
            (false, _) | (true, Some(true)) => true,
            (true, Some(false)) => false,
            (true, None) => {
                unsure = true;
                true
            }
        };
        let within = self.period.is_none_or(|(from, until)| (from..until).contains(&asker.now.0));
        let actor = self.actors.as_ref().map(|actors| {
            let found = asker.references.iter().any(|one| actors.iter().any(|actor| **actor == **one));
            if found { Some(true) } else { (!asker.references.is_empty()).then_some(false) }
        });
        let label = self.labels.is_none_or(|(levels, codes)| {
            levels >> asker.labels.confidentiality as u8 & 1 == 1 || asker.labels.sensitivity & codes != 0
        });
        let record = self.records.as_ref().map(|records| {
            let own = format!("{}/{}", asker.kind, asker.id);
            records.iter().any(|one| **one == *own)
        });
        // What `data` means beyond the record itself cannot be judged; the record itself can.
        let record = match record {
            Some(false) if self.unsure => None,
            other => Some(other.unwrap_or(true)),
        };
        let all = within
            && judge(self.actors.is_some(), actor.flatten())
            && self.actions.is_none_or(|bits| bits & asker.action.bit() != 0)
            && self.purposes.is_none_or(|bits| bits & purpose_bit(asker.purpose) != 0)
            && label
            && self.kinds.is_none_or(|kinds| kinds.has(asker.kind))
            && judge(self.records.is_some(), record)
            && judge(self.codes.is_some(), self.codes.as_ref().and_then(|codes| Some(has_code(asker.record?, codes))));
        match (all, unsure) {
            (false, _) => Met::No,
            (true, true) => Met::Unsure,
            (true, false) => Met::Yes,
        }
    }
}

/// Whether a record has one of the codes in an element of its own.
fn has_code(record: &Record, codes: &[(Box<str>, Box<str>)]) -> bool {
    let is = |coding: Node<'_>| {
        let (system, code) = (coding.text("system").unwrap_or_default(), coding.text("code").unwrap_or_default());
        codes.iter().any(|(of, wanted)| **wanted == *code && (of.is_empty() || **of == *system))
    };
    record.root().values().flat_map(Node::items).any(|value| match value.type_id().map(|id| id.name()) {
        Some("CodeableConcept") => value.list("coding").any(is),
        Some("Coding") => is(value),
        _ => false,
    })
}

/// The actions that a code of HL7's consentaction stands for.
fn actions(code: &str) -> u64 {
    let of = |actions: &[Action]| actions.iter().fold(0, |bits, action| bits | action.bit());
    match code {
        "collect" => of(&[Action::Create, Action::Import]),
        "access" | "use" => of(&[Action::Read, Action::Search, Action::History, Action::Chart, Action::Count]),
        "disclose" => of(&[Action::ExportChart, Action::ExportAll, Action::Disclose, Action::AccessPackage]),
        "correct" => of(&[Action::Update, Action::Amend, Action::Retract, Action::Delete]),
        _ => 0,
    }
}

/// The purposes that a code of HL7's PurposeOfUse stands for: BTG is a kind of ETREAT, and that of TREAT.
fn purposes(code: &str) -> u16 {
    let below: &[Purpose] = match code {
        "TREAT" => &[Purpose::Treatment, Purpose::EmergencyTreatment, Purpose::BreakGlass],
        "ETREAT" => &[Purpose::EmergencyTreatment, Purpose::BreakGlass],
        "PurposeOfUse" => Purpose::ALL,
        code => return Purpose::from_name(code).map_or(0, purpose_bit),
    };
    below.iter().fold(0, |bits, purpose| bits | purpose_bit(*purpose))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_2020: Timestamp = Timestamp(1_577_880_000_000_000); // 1 January 2020, 12:00 UTC

    /// A consent in force that says this.
    fn consent(provision: &str) -> Consent {
        compiled(&format!(r#""status":"active","provision":{provision}"#)).expect("it is in force")
    }

    fn compiled(elements: &str) -> Option<Consent> {
        let json = format!(r#"{{"resourceType":"Consent","category":[{{"text":"x"}}],{elements}}}"#);
        let record = Record::parse(json.as_bytes()).expect("a resource");
        Consent::compile(&record, &|address| address.ends_with("/9").then(|| "Practitioner/ann".to_owned()))
    }

    /// Who reads an Observation to treat, at noon.
    fn asker<'a>(references: &'a [String], record: Option<&'a Record>) -> Asker<'a> {
        Asker {
            action: Action::Read,
            purpose: Purpose::Treatment,
            references,
            now: NOON_2020,
            kind: ResourceType::from_name("Observation").expect("of R4"),
            id: "o",
            labels: record.map_or(Labels::NONE, Labels::of),
            record,
        }
    }

    fn says(provision: &str) -> ConsentSays {
        let ann = ["Practitioner/ann".to_owned()];
        consent(provision).says(&asker(&ann, None))
    }

    #[test]
    fn a_consent_that_is_not_in_force_or_about_something_else_says_nothing() {
        let scope = |code: &str| format!(r#""status":"active","scope":{{"coding":[{{"code":"{code}"}}]}}"#);
        assert!(compiled(r#""status":"inactive""#).is_none());
        assert!(compiled(&scope("treatment")).is_none());
        assert!(compiled(&scope("research")).is_some() && compiled(&scope("patient-privacy")).is_some());
        // Its base rule, where nothing else is said; one that denies holds beside others.
        let rule = |codes: &str| {
            compiled(&format!(r#""status":"active","policyRule":{{"coding":[{codes}]}}"#)).expect("in force")
        };
        let of = |codes: &str| rule(codes).says(&asker(&[], None));
        assert!(of(r#"{"code":"OPTIN"}"#) == ConsentSays::Permit);
        assert!(of(r#"{"code":"OPTOUT"}"#) == ConsentSays::Deny);
        assert!(of(r#"{"code":"OPTIN"},{"code":"OPTOUTE"}"#) == ConsentSays::Deny);
        assert!(of(r#"{"code":"other"}"#) == ConsentSays::Nothing);
        let both = [rule(r#"{"code":"OPTIN"}"#), rule(r#"{"code":"OPTOUT"}"#)];
        assert!(Consent::all_say(&both[..1], &asker(&[], None)) == ConsentSays::Permit);
        assert!(Consent::all_say(&both, &asker(&[], None)) == ConsentSays::Deny);
        assert!(Consent::all_say(&[], &asker(&[], None)) == ConsentSays::Nothing);
    }

    #[test]
    fn each_criterion_of_a_provision_is_held() {
        for (criterion, met) in [
            (r#""period":{"start":"2019","end":"2020"}"#, true),
            (r#""period":{"start":"2020-01-02"}"#, false),
            (r#""period":{"end":"2019-12-31"}"#, false),
            (r#""actor":[{"role":{"text":"r"},"reference":{"reference":"Practitioner/ann"}}]"#, true),
            (r#""actor":[{"role":{"text":"r"},"reference":{"reference":"http://example.org/9"}}]"#, true),
            (r#""actor":[{"role":{"text":"r"},"reference":{"reference":"Practitioner/bob"}}]"#, false),
            (r#""action":[{"coding":[{"code":"access"}]}]"#, true),
            (
                r#""action":[{"coding":[{"code":"disclose"}]},{"coding":[{"code":"collect"}]},{"coding":[{"code":"correct"}]}]"#,
                false,
            ),
            (r#""purpose":[{"code":"TREAT"}]"#, true),
            (r#""purpose":[{"code":"PurposeOfUse"}]"#, true),
            (r#""purpose":[{"code":"ETREAT"},{"code":"HRESCH"}]"#, false),
            (r#""securityLabel":[{"code":"N"}]"#, true),
            (r#""securityLabel":[{"code":"R"},{"code":"ETH"}]"#, false),
            (r#""class":[{"code":"Observation"}]"#, true),
            (r#""class":[{"code":"Condition"}]"#, false),
            (r#""data":[{"meaning":"instance","reference":{"reference":"Observation/o"}}]"#, true),
            (r#""data":[{"meaning":"instance","reference":{"reference":"Observation/p"}}]"#, false),
        ] {
            for (kind, wanted) in [("permit", ConsentSays::Permit), ("deny", ConsentSays::Deny)] {
                let said = says(&format!(r#"{{"type":"{kind}",{criterion}}}"#));
                assert!(said == if met { wanted } else { ConsentSays::Nothing }, "{kind} {criterion}");
            }
        }
    }

    /// What cannot be judged denies where it would deny, and permits nothing.
    #[test]
    fn a_criterion_that_cannot_be_judged_is_taken_against_who_asks() {
        for criterion in [
            r#""dataPeriod":{"start":"2019"}"#,
            r#""period":{"start":"soon"}"#,
            r#""actor":[{"role":{"text":"r"},"reference":{"reference":"CareTeam/1"}}]"#,
            r#""actor":[{"role":{"text":"r"},"reference":{"display":"somebody"}}]"#,
            r#""action":[{"coding":[{"system":"http://example.org"}]},{"coding":[{"code":"use"}]}]"#,
            r#""class":[{"code":"Observation"},{"code":"Widget"}]"#,
            r#""data":[{"meaning":"related","reference":{"reference":"Observation/p"}}]"#,
            r#""data":[{"meaning":"instance","reference":{"display":"that one"}}]"#,
            r#""code":[{"coding":[{"code":"x"}]}]"#,
        ] {
            assert!(says(&format!(r#"{{"type":"permit",{criterion}}}"#)) == ConsentSays::Nothing, "{criterion}");
            assert!(says(&format!(r#"{{"type":"deny",{criterion}}}"#)) == ConsentSays::Deny, "{criterion}");
        }
        // The host did not say who asks.
        let named = r#"{"type":"deny","actor":[{"role":{"text":"r"},"reference":{"reference":"Practitioner/bob"}}]}"#;
        assert!(consent(named).says(&asker(&[], None)) == ConsentSays::Deny);
        assert!(consent(named).is_against(&[]) && !consent(named).is_against(&["Practitioner/ann".to_owned()]));
    }

    #[test]
    fn codes_are_looked_for_in_the_record_and_exceptions_turn_a_provision_round() {
        let record = |coding: &str| {
            let json = format!(
                r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"coding":[{coding}]}},"meta":{{"tag":[{{"code":"x"}}]}}}}"#
            );
            Record::parse(json.as_bytes()).expect("a resource")
        };
        let hiv = consent(r#"{"type":"deny","code":[{"coding":[{"system":"http://loinc.org","code":"x"}]}]}"#);
        assert!(hiv.asks_codes());
        let of = |coding: &str| hiv.says(&asker(&[], Some(&record(coding))));
        assert!(of(r#"{"system":"http://loinc.org","code":"x"}"#) == ConsentSays::Deny);
        assert!(of(r#"{"system":"http://example.org","code":"x"}"#) == ConsentSays::Nothing);
        assert!(of(r#"{"system":"http://loinc.org","code":"y"}"#) == ConsentSays::Nothing);
        let but = |inner: &str| says(&format!(r#"{{"type":"deny","provision":[{inner}]}}"#));
        assert!(but(r#"{"type":"permit","class":[{"code":"Observation"}]}"#) == ConsentSays::Permit);
        assert!(but(r#"{"type":"permit","class":[{"code":"Condition"}]}"#) == ConsentSays::Deny);
        let sometimes =
            r#"{"type":"permit","provision":[{"type":"deny","purpose":[{"code":"TREAT"}]},{"type":"permit"}]}"#;
        assert!(says(sometimes) == ConsentSays::Deny);
        // Deeper than it is read, an exception is not made.
        let deep = (0..20)
            .fold(r#"{"type":"permit"}"#.to_owned(), |inner, _| format!(r#"{{"type":"deny","provision":[{inner}]}}"#));
        assert!(says(&deep) == ConsentSays::Deny);
    }

    #[test]
    fn who_writes_the_consent_that_lets_them_in_is_not_let_in_by_it() {
        let permits = || Some(consent(r#"{"type":"permit"}"#));
        let denies = || Some(consent(r#"{"type":"deny"}"#));
        let both = |newest, other| {
            Consent::by_who_asks(newest, other).map_or(ConsentSays::Nothing, |made| made.says(&asker(&[], None)))
        };
        assert!(both(permits(), permits()) == ConsentSays::Permit);
        assert!(both(permits(), None) == ConsentSays::Nothing);
        assert!(both(permits(), denies()) == ConsentSays::Deny);
        assert!(both(denies(), permits()) == ConsentSays::Deny);
        assert!(both(None, permits()) == ConsentSays::Nothing);
        assert!(both(None, denies()) == ConsentSays::Deny);
        assert!(both(None, None) == ConsentSays::Nothing);
    }

    #[test]
    fn of_a_consent_of_very_many_provisions_the_last_counts_as_the_first() {
        let permits = r#"{"type":"permit"},"#.repeat(30_000);
        let json = format!(
            r#"{{"resourceType":"Consent","status":"active","scope":{{"coding":[{{"code":"patient-privacy"}}]}},"category":[{{"text":"x"}}],
            "provision":{{"type":"permit","provision":[{permits}{{"type":"permit","provision":[{{"type":"deny"}}]}}]}}}}"#
        );
        let record = Record::parse(json.as_bytes()).expect("a resource");
        let consent = Consent::compile(&record, &|_| None).expect("it is in force");
        assert_eq!(consent.rows.len(), 30_003);
        let asker = Asker {
            action: Action::Read,
            purpose: Purpose::Treatment,
            references: &[],
            now: Timestamp(0),
            kind: ResourceType::PATIENT,
            id: "p",
            labels: Labels::of(&record),
            record: None,
        };
        assert!(consent.says(&asker) == ConsentSays::Deny);
    }
}
