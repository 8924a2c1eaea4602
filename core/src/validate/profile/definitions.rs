//! The profiles of packages, compiled when they are first asked for.

use super::{HL7, Profile, compile};
use crate::package::hash::Map;
use crate::package::{self, Member, Package, Packages};
use crate::record::Record;
use crate::schema::{ResourceType, TypeId};
use crate::terminology::{Source, Terminology};
use std::sync::{Arc, OnceLock};

/// Every StructureDefinition of the packages. It can be shared between threads.
pub(crate) struct Definitions {
    packages: Packages,
    terminology: Terminology,
    /// By the address of the member, which the packages keep alive.
    compiled: Map<usize, OnceLock<Option<Arc<Profile>>>>,
    /// What the packages have under the name of a type, by its number.
    bases: Vec<OnceLock<Option<Arc<Profile>>>>,
    vitals: [OnceLock<Option<Arc<Profile>>>; VITAL_SIGNS.len()],
    /// Profiles that a guide puts on every resource of a type: the type and the URL.
    globals: Vec<(Box<str>, Box<str>)>,
}

const GUIDE: &str = "ImplementationGuide";

fn global(guide: &Record) -> Vec<(Box<str>, Box<str>)> {
    let list = guide.root().list("global");
    list.filter_map(|one| Some((one.text("type")?.into(), one.text("profile")?.into()))).collect()
}

/// No chain of profiles derived from each other is longer.
const LONGEST_CHAIN: usize = 32;

impl Definitions {
    pub(crate) fn new(packages: Packages, sources: Vec<Arc<dyn Source>>) -> Self {
        let members = packages.of_kind(ResourceType::STRUCTURE_DEFINITION);
        let own = package::built_in().resources().filter(|member| member.kind() == ResourceType::STRUCTURE_DEFINITION);
        let compiled = members.chain(own).map(|member| (address(member), OnceLock::new())).collect();
        let globals = packages.all().iter().flat_map(Package::resources).filter(|member| member.kind().name() == GUIDE);
        let globals = globals.filter_map(|member| member.record()).flat_map(global).collect();
        let terminology = sources.into_iter().fold(Terminology::new(&packages), Terminology::with_source);
        let bases = TypeId::all().map(|_| OnceLock::new()).collect();
        let vitals = [const { OnceLock::new() }; VITAL_SIGNS.len()];
        Definitions { packages, terminology, compiled, bases, vitals, globals }
    }

    pub(crate) fn packages(&self) -> &Packages {
        &self.packages
    }

    pub(crate) fn terminology(&self) -> &Terminology {
        &self.terminology
    }

    /// The profile of that canonical URL, with or without `|version`.
    pub(crate) fn profile(&self, canonical: &str) -> Option<&Arc<Profile>> {
        let member = self.packages.find(ResourceType::STRUCTURE_DEFINITION, canonical)?;
        self.compiled.get(&address(member))?.get_or_init(|| compile(&self.chain(member)).map(Arc::new)).as_ref()
    }

    /// What the packages have under the name of a type.
    pub(crate) fn base(&self, of: TypeId) -> Option<&Arc<Profile>> {
        let slot = self.bases.get(usize::from(of.0))?;
        slot.get_or_init(|| self.profile(&format!("{HL7}{}", of.name())).cloned()).as_ref()
    }

    /// The profile that an Observation with this LOINC code has to follow (R4, Observation, vital signs).
    pub(crate) fn vital_sign(&self, loinc: &str) -> Option<&Arc<Profile>> {
        let at = VITAL_SIGNS.iter().position(|(code, _)| *code == loinc)?;
        let name = VITAL_SIGNS[at].1;
        self.vitals[at].get_or_init(|| self.profile(&format!("{HL7}{name}")).cloned()).as_ref()
    }

    /// A profile, or after `#` a rule of it.
    pub(crate) fn part(&self, canonical: &str) -> Option<(&Arc<Profile>, u32)> {
        let profile = self.profile(canonical)?;
        let rule = canonical.split_once('#').map_or(Some(0), |(_, id)| profile.rule(id))?;
        Some((profile, rule))
    }

    /// The profiles that guides put on every resource of a type.
    pub(crate) fn globals(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.globals.iter().filter(move |(of, _)| **of == *kind).map(|(_, url)| &**url)
    }

    /// Whether HL7's package of extensions is loaded, so that one of its address that is not there does not exist.
    pub(crate) fn knows_extensions(&self) -> bool {
        self.packages.all().iter().any(|package| package.manifest().name.starts_with("hl7.fhir.uv.extensions"))
    }

    /// The definition, and what it is derived from as far as snapshots are missing.
    fn chain<'a>(&'a self, member: &'a Arc<Member>) -> Vec<&'a Record> {
        let mut chain = Vec::new();
        let mut next = Some(member);
        while let Some(member) = next {
            let Some(record) = member.record() else { break };
            chain.push(record);
            let root = record.root();
            let whole = root.get("snapshot").is_some_and(|snapshot| snapshot.list("element").next().is_some());
            if whole || chain.len() >= LONGEST_CHAIN {
                break;
            }
            let base = root.text("baseDefinition");
            next = base.and_then(|base| self.packages.find(ResourceType::STRUCTURE_DEFINITION, &base)).filter(|base| {
                let derived = base.record().and_then(|record| record.root().text("derivation"));
                derived.as_deref() == Some("constraint")
            });
        }
        chain
    }
}

/// LOINC codes of vital signs and the profile of R4 that goes with each.
const VITAL_SIGNS: &[(&str, &str)] = &[
    ("85353-1", "vitalspanel"),
    ("9279-1", "resprate"),
    ("8867-4", "heartrate"),
    ("2708-6", "oxygensat"),
    ("8310-5", "bodytemp"),
    ("8302-2", "bodyheight"),
    ("9843-4", "headcircum"),
    ("29463-7", "bodyweight"),
    ("39156-5", "bmi"),
    ("85354-9", "bp"),
];

fn address(member: &Arc<Member>) -> usize {
    Arc::as_ptr(member) as usize
}
