//! Looking a policy over: what it says that its author may not have meant.

use super::labels::Labels;
use super::lens::{Facts, Lens, Subject};
use super::policy::{Policy, Rule};
use super::{Action, Purpose, Role};
use crate::error::Code;
use crate::record::quote;
use std::sync::Arc;

/// Something to look at in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// The rule, or the role.
    pub place: String,
    /// In a sentence.
    pub message: String,
}

impl Finding {
    /// Findings as JSON: a list of `code`, `place` and `message`.
    pub fn list_to_json(findings: &[Finding]) -> String {
        let mut out = b"[".to_vec();
        for (at, finding) in findings.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",{\"code\":" } else { b"{\"code\":" });
            quote(finding.code.name(), &mut out);
            out.extend_from_slice(b",\"place\":");
            quote(&finding.place, &mut out);
            out.extend_from_slice(b",\"message\":");
            quote(&finding.message, &mut out);
            out.push(b'}');
        }
        out.push(b']');
        String::from_utf8(out).unwrap_or_default()
    }
}

impl Policy {
    /// What in it should be looked at: rules that never decide, permits without a condition, roles that can do nothing, nobody
    /// who could put another policy in its place.
    pub fn check(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut put =
            |code: Code, place: &str, message: String| found.push(Finding { code, place: place.to_owned(), message });
        for (at, rule) in self.rules.iter().enumerate() {
            for other in self.rules.iter().take(at).filter(|other| other.permits == rule.permits) {
                if rule.is_within(other) {
                    put(Code::PolicyUnreachable, &rule.name, format!("it holds only where {} does", other.name));
                }
            }
            if rule.permits {
                for other in self.rules.iter().filter(|other| !other.permits && rule.is_within(other)) {
                    put(Code::PolicyUnreachable, &rule.name, format!("{} denies all that it permits", other.name));
                }
                if rule.mfa == Some(false) {
                    put(Code::PolicyBroad, &rule.name, "it permits only where no second factor was checked".to_owned());
                }
                if rule.has_no_condition() && rule.roles.count_ones() as usize == Role::ALL.len() {
                    put(Code::PolicyBroad, &rule.name, "it permits to every role, of every record".to_owned());
                } else if rule.actions.count_ones() as usize == Action::ALL.len() {
                    put(Code::PolicyBroad, &rule.name, "it permits every action".to_owned());
                }
                if rule.compartments >> 2 & 1 == 1 && rule.author.is_none() && !rule.consent {
                    put(
                        Code::PolicyBroad,
                        &rule.name,
                        "it opens psychotherapy notes of others without consent".to_owned(),
                    );
                }
            }
        }
        let lenses: Vec<(Role, Lens)> = Role::ALL
            .iter()
            .flat_map(|role| Purpose::ALL.iter().map(move |purpose| (*role, *purpose)))
            .map(|(role, purpose)| {
                let subject = Subject { mfa: true, break_glass: false, ..Subject::new(role, purpose) };
                (role, Lens::new(Arc::new(self.clone()), subject))
            })
            .collect();
        for role in Role::ALL {
            let can = |action: &Action| lenses.iter().any(|(of, lens)| of == role && lens.could(*action));
            if !Action::ALL.iter().any(can) {
                put(Code::PolicyIdle, role.name(), "the role may do nothing".to_owned());
            }
        }
        let may = |action| lenses.iter().any(|(_, lens)| lens.decide(action, &Facts::NONE).permitted);
        for (action, what) in
            [(Action::Policy, "put another policy in its place"), (Action::Audit, "read the audit log")]
        {
            if !may(action) {
                put(Code::PolicyIdle, action.name(), format!("nobody may {what}"));
            }
        }
        for clearance in &self.clearances {
            if clearance.labels.sensitivity & !Labels::ALL_BUT_NOTES != 0 && clearance.roles.count_ones() > 1 {
                put(Code::PolicyBroad, "clearance", "more than one role is cleared for psychotherapy notes".to_owned());
            }
        }
        found
    }
}

impl Rule {
    fn has_no_condition(&self) -> bool {
        self.kinds.is_empty()
            && self.relations.0 == 0
            && self.without_relations.0 == 0
            && self.sensitivity == 0
            && self.statuses == 0
            && self.own_organization.is_none()
            && self.author.is_none()
            && self.mfa.is_none()
            && !self.consent
    }

    /// Whether another rule holds wherever this one does.
    fn is_within(&self, other: &Rule) -> bool {
        let bits = |ours: u64, theirs: u64| theirs == 0 || ours != 0 && ours & !theirs == 0;
        let truth = |ours: Option<bool>, theirs: Option<bool>| theirs.is_none() || ours == theirs;
        self.roles & !other.roles == 0
            && self.purposes & !other.purposes == 0
            && self.actions & !other.actions == 0
            && self.compartments & !other.compartments == 0
            && self.kinds.within(other.kinds)
            && bits(self.relations.0.into(), other.relations.0.into())
            && other.without_relations.0 & !self.without_relations.0 == 0
            && bits(self.sensitivity, other.sensitivity)
            && bits(self.statuses, other.statuses)
            && truth(self.own_organization, other.own_organization)
            && truth(self.author, other.author)
            && truth(self.mfa, other.mfa)
            && (self.consent || !other.consent)
    }
}
