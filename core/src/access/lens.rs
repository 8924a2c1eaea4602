//! The part of a policy that is about one role and purpose, and the decision.
//!
//! A session has one lens for as long as the policy stays as it is. A decision is a walk over the few rules of the lens, each
//! compared bit by bit: there is nothing to keep in a table that would be faster to look up.

use super::labels::{Confidentiality, Labels};
use super::mask::{Mask, masked};
use super::policy::{Policy, Relations, Rule, compartment_bit, purpose_bit, role_bit};
use super::{Action, Purpose, Role};
use crate::record::{Compartment, Record, quote};
use crate::schema::ResourceType;
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The role.
    pub role: Role,
    /// The purpose of use.
    pub purpose: Purpose,
    /// Whether a second factor was checked.
    pub mfa: bool,
    /// Whether this is emergency access to the patient.
    pub break_glass: bool,
    /// What they are cleared for beyond what the policy gives the role.
    pub clearance: Labels,
}

/// What is asked about: of a record, of its patient, and between the patient and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The type; None where no record is asked about.
    pub kind: Option<ResourceType>,
    /// The compartment.
    pub compartment: Compartment,
    /// The labels.
    pub labels: Labels,
    /// What who asks has to do with the patient.
    pub relations: Relations,
    /// Whether the patient is of the organization of who asks.
    pub own_organization: bool,
    /// Whether who asks wrote it.
    pub author: bool,
    /// The bit of its status, from [`Lens::status_bit`].
    pub status: u64,
    /// What the patient's consents say.
    pub consent: ConsentSays,
}

impl Facts {
    /// No record is asked about.
    pub const NONE: Facts = Facts {
        kind: None,
        compartment: Compartment::Normal,
        labels: Labels::NONE,
        relations: Relations::NONE,
        own_organization: false,
        author: false,
        status: 0,
        consent: ConsentSays::Nothing,
    };
}

/// What the consents of a patient say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ConsentSays {
    Nothing,
    Permit,
    Deny,
}

/// A decision and what made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Whether it is permitted.
    pub permitted: bool,
    /// What decided.
    pub cause: Cause,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A psychotherapy note, which emergency access does not open.
    Notes,
    /// A label that the clearance does not reach.
    Label,
    /// A rule that denies, by its place among the rules of the policy.
    Denied(usize),
    /// The patient's consent.
    Consent,
    /// Emergency access: it looks, and does nothing else.
    BreakGlass,
    /// A rule that permits, by its place.
    Permitted(usize),
    /// No rule permits it.
    Default,
}

impl Cause {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Notes => "psychotherapy-notes",
            Cause::Label => "label",
            Cause::Denied(_) => "deny",
            Cause::Consent => "consent",
            Cause::BreakGlass => "break-glass",
            Cause::Permitted(_) => "permit",
            Cause::Default => "default",
        }
    }
}

/// The rules, the clearance and the masks for one subject.
#[derive(Clone, Debug)]
pub struct Lens {
    policy: Arc<Policy>,
    subject: Subject,
    clearance: Labels,
    denies: Vec<(usize, Rule)>,
    permits: Vec<(usize, Rule)>,
    masks: Vec<Mask>,
}

/// Why something is decided as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub verdict: Verdict,
    /// The name of the rule that decided, where one did.
    pub rule: Option<String>,
    /// Of what is denied: the rules that would have permitted it, and what of each did not hold.
    pub near: Vec<Near>,
}

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// Its name.
    pub rule: String,
    /// What of it did not hold, by the name of the field.
    pub missing: Vec<&'static str>,
}

impl Explanation {
    /// As JSON: `permitted`, `cause`, `rule` (null where none decided) and `near`, a list of `rule` and `missing`.
    pub fn to_json(&self) -> String {
        let mut out =
            format!("{{\"permitted\":{},\"cause\":\"{}\",\"rule\":", self.verdict.permitted, self.verdict.cause.name())
                .into_bytes();
        match &self.rule {
            Some(rule) => quote(rule, &mut out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"near\":[");
        for (at, near) in self.near.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",{\"rule\":" } else { b"{\"rule\":" });
            quote(&near.rule, &mut out);
            let missing: Vec<String> = near.missing.iter().map(|name| format!("\"{name}\"")).collect();
            out.extend_from_slice(format!(",\"missing\":[{}]}}", missing.join(",")).as_bytes());
        }
        out.extend_from_slice(b"]}");
        String::from_utf8(out).unwrap_or_default()
    }
}

impl Lens {
    /// Cuts a policy to one subject.
    pub fn new(policy: Arc<Policy>, subject: Subject) -> Lens {
        let (role, purpose) = (role_bit(subject.role), purpose_bit(subject.purpose));
        let mut clearance = Labels::NONE.and(subject.clearance);
        for one in policy.clearances.iter().filter(|one| one.roles & role != 0 && one.purposes & purpose != 0) {
            clearance = clearance.and(one.labels);
        }
        let ours = |rule: &Rule| rule.roles & role != 0 && rule.purposes & purpose != 0;
        let rules = |permits: bool| -> Vec<(usize, Rule)> {
            let all = policy.rules.iter().enumerate();
            all.filter(|(_, rule)| rule.permits == permits && ours(rule)).map(|(at, rule)| (at, rule.clone())).collect()
        };
        let (denies, permits) = (rules(false), rules(true));
        let masks = policy.masks.iter().filter(|mask| mask.is_for(subject.role, subject.purpose)).cloned().collect();
        Lens { subject, clearance, denies, permits, masks, policy }
    }

    /// Decides.
    #[inline]
    pub fn decide(&self, action: Action, facts: &Facts) -> Verdict {
        let no = |cause| Verdict { permitted: false, cause };
        if self.subject.break_glass && facts.compartment == Compartment::PsychotherapyNotes {
            return no(Cause::Notes);
        }
        if !self.clearance.clears(facts.labels) {
            return no(Cause::Label);
        }
        if let Some((at, _)) = self.denies.iter().find(|(_, rule)| rule.holds(action, facts, self.subject.mfa)) {
            return no(Cause::Denied(*at));
        }
        if facts.consent == ConsentSays::Deny {
            return no(Cause::Consent);
        }
        if self.subject.break_glass {
            return Verdict { permitted: action.is_looking(), cause: Cause::BreakGlass };
        }
        match self.permits.iter().find(|(_, rule)| rule.holds(action, facts, self.subject.mfa)) {
            Some((at, _)) => Verdict { permitted: true, cause: Cause::Permitted(*at) },
            None => no(Cause::Default),
        }
    }

    /// Whether an action could be permitted for any record at all. Where not, it is refused before anything is looked at.
    pub fn could(&self, action: Action) -> bool {
        if self.subject.break_glass {
            return action.is_looking();
        }
        self.permits
            .iter()
            .any(|(_, rule)| rule.actions & action.bit() != 0 && rule.mfa.is_none_or(|mfa| mfa == self.subject.mfa))
    }

    /// Whether anything of a patient could be permitted, whatever it is: where not, nothing of theirs is opened.
    pub fn could_of(&self, action: Action, relations: Relations, own_organization: bool) -> bool {
        self.subject.break_glass
            || self.permits.iter().any(|(_, rule)| {
                rule.actions & action.bit() != 0
                    && (rule.relations.0 == 0 || relations.meets(rule.relations))
                    && !relations.meets(rule.without_relations)
                    && rule.own_organization.is_none_or(|own| own == own_organization)
            })
    }

    /// Whether some rule asks for the care team: that takes a look at the chart.
    pub(crate) fn asks_care_team(&self) -> bool {
        let asks = |rule: &Rule| rule.relations.and(rule.without_relations).meets(Relations::CARE_TEAM);
        self.rules().any(asks)
            || self.masks.iter().any(|mask| mask.holds(Relations::NONE) != mask.holds(Relations::CARE_TEAM))
    }
    /// Whether some rule asks for the organization.
    pub(crate) fn asks_organization(&self) -> bool {
        self.rules().any(|rule| rule.own_organization.is_some())
    }
    /// Whether some rule asks for the status.
    pub(crate) fn asks_status(&self) -> bool {
        self.rules().any(|rule| rule.statuses != 0)
    }
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.denies.iter().chain(&self.permits).map(|(_, rule)| rule)
    }
    /// The bit of a status, for [`Facts::status`].
    pub fn status_bit(&self, status: &str) -> u64 {
        self.policy.status_bit(status)
    }
    /// The policy it is cut from.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }
    /// What the subject is cleared for.
    pub fn clearance(&self) -> Labels {
        self.clearance
    }

    /// Whether records of a type come with less in them.
    pub fn masks(&self, kind: ResourceType, relations: Relations) -> bool {
        self.masks.iter().any(|mask| mask.holds(relations) && mask.is_about(kind))
    }
    /// A record without what is masked.
    pub(crate) fn masked(&self, record: &Record, relations: Relations) -> Vec<u8> {
        let masks: Vec<&Mask> =
            self.masks.iter().filter(|mask| mask.holds(relations) && mask.is_about(record.kind())).collect();
        masked(record, &masks)
    }
    /// Whether an element of a type is masked as a whole.
    pub fn hides(&self, kind: ResourceType, element: &str, relations: Relations) -> bool {
        self.masks.iter().any(|mask| mask.holds(relations) && mask.hides(kind, element))
    }

    /// Decides, and says why: the rule that decided, and of what is denied what was missing from the rules that permit.
    pub fn explain(&self, action: Action, facts: &Facts) -> Explanation {
        let verdict = self.decide(action, facts);
        let rule = match verdict.cause {
            Cause::Denied(at) | Cause::Permitted(at) => self.policy.rules.get(at).map(|rule| rule.name.to_string()),
            _ => None,
        };
        let mut near = Vec::new();
        if verdict.cause == Cause::Default {
            for rule in self.policy.rules.iter().filter(|rule| rule.permits) {
                let missing = rule.missing(action, facts, &self.subject);
                if !missing.is_empty() && missing.len() <= 2 {
                    near.push(Near { rule: rule.name.to_string(), missing });
                }
            }
            near.sort_by_key(|one| one.missing.len());
        }
        Explanation { verdict, rule, near }
    }
}

impl Rule {
    /// Whether all of it holds; role and purpose were looked at when the lens was cut.
    #[inline]
    fn holds(&self, action: Action, facts: &Facts, mfa: bool) -> bool {
        self.actions & action.bit() != 0
            && (self.kinds.is_empty() || facts.kind.is_some_and(|kind| self.kinds.has(kind)))
            && self.compartments & compartment_bit(facts.compartment) != 0
            && (self.relations.0 == 0 || facts.relations.meets(self.relations))
            && !facts.relations.meets(self.without_relations)
            && (self.sensitivity == 0 || facts.labels.sensitivity & self.sensitivity != 0)
            && (self.statuses == 0 || facts.status & self.statuses != 0)
            && self.own_organization.is_none_or(|own| own == facts.own_organization)
            && self.author.is_none_or(|author| author == facts.author)
            && self.mfa.is_none_or(|wanted| wanted == mfa)
            && (!self.consent || facts.consent == ConsentSays::Permit)
    }

    /// What of it does not hold, by the names of the fields.
    fn missing(&self, action: Action, facts: &Facts, subject: &Subject) -> Vec<&'static str> {
        let alone = |part: Rule| part.holds(action, facts, subject.mfa);
        let free = Rule {
            name: self.name.clone(),
            permits: true,
            roles: 0,
            purposes: 0,
            actions: u64::MAX,
            kinds: Default::default(),
            compartments: u8::MAX,
            relations: Relations::NONE,
            without_relations: Relations::NONE,
            sensitivity: 0,
            statuses: 0,
            own_organization: None,
            author: None,
            mfa: None,
            consent: false,
        };
        let parts = [
            ("roles", self.roles & role_bit(subject.role) != 0),
            ("purposes", self.purposes & purpose_bit(subject.purpose) != 0),
            ("actions", self.actions & action.bit() != 0),
            ("types", alone(Rule { kinds: self.kinds, ..free.clone() })),
            ("compartments", alone(Rule { compartments: self.compartments, ..free.clone() })),
            ("relations", alone(Rule { relations: self.relations, ..free.clone() })),
            ("without-relations", alone(Rule { without_relations: self.without_relations, ..free.clone() })),
            ("labels", alone(Rule { sensitivity: self.sensitivity, ..free.clone() })),
            ("statuses", alone(Rule { statuses: self.statuses, ..free.clone() })),
            ("own-organization", alone(Rule { own_organization: self.own_organization, ..free.clone() })),
            ("author", alone(Rule { author: self.author, ..free.clone() })),
            ("mfa", alone(Rule { mfa: self.mfa, ..free.clone() })),
            ("consent", alone(Rule { consent: self.consent, ..free })),
        ];
        parts.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect()
    }
}

impl Subject {
    /// Somebody with nothing but a role and a purpose.
    pub const fn new(role: Role, purpose: Purpose) -> Subject {
        let clearance = Labels { confidentiality: Confidentiality::Unrestricted, sensitivity: 0 };
        Subject { role, purpose, mfa: false, break_glass: matches!(purpose, Purpose::BreakGlass), clearance }
    }
}
