//! A policy as it was read: rules, clearances and masks, with their names.

use super::labels::Labels;
use super::mask::Mask;
use super::{Action, Purpose, Role};
use crate::error::Result;
use crate::record::Compartment;
use crate::schema::ResourceType;
use std::sync::{Arc, OnceLock};

/// What an actor has to do with a patient, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Relations(pub u8);

impl Relations {
    /// Nothing.
    pub const NONE: Relations = Relations(0);
    /// They are the patient.
    pub const OWN: Relations = Relations(1);
    /// They act for the patient, and the time for which they do has not ended.
    pub const PROXY: Relations = Relations(2);
    /// They take care of the patient.
    pub const CARE_TEAM: Relations = Relations(4);
    /// The record is of a type that belongs to no patient, such as Practitioner.
    pub const NO_PATIENT: Relations = Relations(8);
    /// Every one, by its name in a policy.
    pub const NAMES: [(&'static str, Relations); 4] = [
        ("self", Relations::OWN),
        ("proxy", Relations::PROXY),
        ("care-team", Relations::CARE_TEAM),
        ("no-patient", Relations::NO_PATIENT),
    ];
    /// Both.
    #[must_use]
    pub const fn and(self, other: Relations) -> Relations {
        Relations(self.0 | other.0)
    }
    /// Whether they have one of these in common.
    pub const fn meets(self, other: Relations) -> bool {
        self.0 & other.0 != 0
    }
}

/// A rule: it holds where all it asks for holds. An empty set of bits asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    pub(super) permits: bool,
    pub(super) roles: u16,
    pub(super) purposes: u16,
    pub(super) actions: u64,
    pub(super) kinds: Kinds,
    pub(super) compartments: u8,
    pub(super) relations: Relations,
    pub(super) without_relations: Relations,
    /// Any of these labels.
    pub(super) sensitivity: u64,
    /// Any of these, by their place in the policy's list.
    pub(super) statuses: u64,
    pub(super) own_organization: Option<bool>,
    pub(super) author: Option<bool>,
    pub(super) mfa: Option<bool>,
    /// Whether the patient's consent has to say so.
    pub(super) consent: bool,
}

/// A set of resource types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Kinds(pub(super) [u64; 3]);

impl Kinds {
    pub(super) fn put(&mut self, kind: ResourceType) {
        self.0[usize::from(kind.number() >> 6)] |= 1 << (kind.number() & 63);
    }
    pub(super) const fn has(self, kind: ResourceType) -> bool {
        self.0[(kind.number() >> 6) as usize] >> (kind.number() & 63) & 1 == 1
    }
    pub(super) fn is_empty(self) -> bool {
        self.0 == [0; 3]
    }
    pub(super) fn within(self, other: Kinds) -> bool {
        other.is_empty() || !self.is_empty() && self.0.iter().zip(other.0).all(|(a, b)| a & !b == 0)
    }
}

/// What a role may see labels of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clearance {
    pub(super) roles: u16,
    pub(super) purposes: u16,
    pub(super) labels: Labels,
}

/// Rules, clearances and masks. Made from text that is kept with it.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) name: Arc<str>,
    pub(super) rules: Vec<Rule>,
    pub(super) clearances: Vec<Clearance>,
    pub(super) masks: Vec<Mask>,
    pub(super) statuses: Vec<Arc<str>>,
    pub(super) text: Arc<str>,
}

/// Two policies are equal where their texts are.
impl PartialEq for Policy {
    fn eq(&self, other: &Policy) -> bool {
        self.text == other.text
    }
}
impl Eq for Policy {}

impl Policy {
    /// Reads a policy: JSON where the text begins with `{`, else TOML.
    ///
    /// # Errors
    /// - `policy-invalid`: the text is neither, is longer than a megabyte, or names something that does not exist; the place is
    ///   in the error's path.
    pub fn parse(text: &str) -> Result<Policy> {
        super::read::policy(text)
    }

    /// The policy a new store has: a clinic where everybody who treats sees every patient. Roles, purposes, labels and masks are
    /// held; who is on whose care team is not asked.
    pub fn standard() -> &'static Policy {
        static MADE: OnceLock<Policy> = OnceLock::new();
        MADE.get_or_init(|| Policy::parse(include_str!("standard.toml")).expect("a test reads it"))
    }

    /// As [`Policy::standard`], but physicians, nurses and coordinators see patients they take care of, and no others except
    /// by emergency access.
    pub fn care_team() -> &'static Policy {
        static MADE: OnceLock<Policy> = OnceLock::new();
        MADE.get_or_init(|| Policy::parse(include_str!("care-team.toml")).expect("a test reads it"))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// The bit of a record's status, where some rule names it.
    pub(super) fn status_bit(&self, status: &str) -> u64 {
        self.statuses.iter().position(|known| **known == *status).map_or(0, |at| 1 << at)
    }
}

pub(super) const fn role_bit(role: Role) -> u16 {
    1 << role as u16
}
pub(super) const fn purpose_bit(purpose: Purpose) -> u16 {
    1 << purpose as u16
}
pub(super) const fn compartment_bit(compartment: Compartment) -> u8 {
    1 << compartment as u8
}

/// Every bit of a set, by the names that a policy uses: for what shows a policy.
pub(super) fn names_of_actions(bits: u64) -> impl Iterator<Item = &'static str> {
    Action::ALL.iter().filter(move |action| action.bit() & bits != 0).map(|action| action.name())
}
