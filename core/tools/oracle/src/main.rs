//! A second opinion on access: random requests are put to our tables and to Cedar, which has the same policy in its own language.
//!
//! `ehrcore-oracle COUNT [POLICY-FILE]...` compares COUNT requests, shared out among the policies that come with the library, one
//! here that uses every condition, and those named. It prints `cedar: held P of N` and fails where one differs.

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression as Value,
};
use ehrcore::access::{
    Action, Confidentiality, ConsentSays, Facts, Labels, Lens, Policy, Purpose, Relations, Role, Subject,
};
use ehrcore::record::Compartment;
use ehrcore::schema::ResourceType;
use std::process::ExitCode;
use std::sync::Arc;

/// Every condition of the language, alone and together.
const EVERY_CONDITION: &str = include_str!("every-condition.toml");

/// Numbers from a seed (xorshift64*): the same requests every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % most
    }
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
    fn truth(&mut self) -> bool {
        self.below(2) == 0
    }
    /// Few labels, as records have; now and then many.
    fn sensitivity(&mut self) -> u64 {
        let count = if self.below(8) == 0 { 6 } else { self.below(3) };
        (0..count).fold(0, |bits, _| bits | 1 << self.below(Labels::codes().len()))
    }
}

struct Asked {
    action: Action,
    subject: Subject,
    facts: Facts,
    status: &'static str,
}

fn asked(numbers: &mut Numbers, policy: &Arc<Policy>) -> Asked {
    let statuses = ["", "final", "preliminary", "amended", "unknown"];
    let subject = Subject {
        role: numbers.one_of(Role::ALL),
        purpose: numbers.one_of(Purpose::ALL),
        mfa: numbers.truth(),
        break_glass: numbers.below(5) == 0,
        clearance: Labels {
            confidentiality: numbers.one_of(&Confidentiality::ALL),
            sensitivity: if numbers.truth() { 0 } else { numbers.sensitivity() },
        },
    };
    let status = numbers.one_of(&statuses);
    let lens = Lens::new(policy.clone(), subject);
    let kinds: Vec<ResourceType> = ["Patient", "Observation", "Condition", "Practitioner", "MedicationRequest"]
        .iter()
        .filter_map(|name| ResourceType::from_name(name))
        .collect();
    let facts = Facts {
        kind: if numbers.below(6) == 0 { None } else { Some(numbers.one_of(&kinds)) },
        compartment: numbers.one_of(&Compartment::ALL),
        labels: Labels {
            confidentiality: numbers.one_of(&Confidentiality::ALL),
            sensitivity: if numbers.truth() { 0 } else { numbers.sensitivity() },
        },
        relations: Relations(numbers.below(16) as u8),
        own_organization: numbers.truth(),
        author: numbers.truth(),
        status: lens.status_bit(status),
        consent: numbers.one_of(&[ConsentSays::Nothing, ConsentSays::Nothing, ConsentSays::Permit, ConsentSays::Deny]),
    };
    Asked { action: numbers.one_of(Action::ALL), subject, facts, status }
}

fn context(asked: &Asked) -> Context {
    let Asked { subject, facts, status, .. } = asked;
    let text = |text: &str| Value::new_string(text.to_owned());
    let set = |names: Vec<&str>| Value::new_set(names.into_iter().map(text));
    let relations = Relations::NAMES.iter().filter(|(_, one)| one.meets(facts.relations)).map(|(name, _)| *name);
    let consent = match facts.consent {
        ConsentSays::Nothing => "nothing",
        ConsentSays::Permit => "permit",
        ConsentSays::Deny => "deny",
    };
    let pairs = [
        ("role", text(subject.role.name())),
        ("purpose", text(subject.purpose.name())),
        ("mfa", Value::new_bool(subject.mfa)),
        ("break_glass", Value::new_bool(subject.break_glass)),
        ("type", text(facts.kind.map_or("", ResourceType::name))),
        ("compartment", text(facts.compartment.name())),
        ("confidentiality", Value::new_long(facts.labels.confidentiality as i64)),
        ("sensitivity", set(Labels::names(facts.labels.sensitivity).collect())),
        ("relations", set(relations.collect())),
        ("own_organization", Value::new_bool(facts.own_organization)),
        ("author", Value::new_bool(facts.author)),
        ("status", text(status)),
        ("consent", text(consent)),
        ("cleared_confidentiality", Value::new_long(subject.clearance.confidentiality as i64)),
        ("cleared", set(Labels::names(subject.clearance.sensitivity).collect())),
    ];
    Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value))).expect("no name twice")
}

/// What one of our decisions costs in microseconds of this thread's time: lenses are cut, facts are known, as in a session.
fn cost(policy: &Arc<Policy>) -> f64 {
    let mut numbers = Numbers(7);
    let asked: Vec<(Lens, Action, Facts)> = (0..256)
        .map(|_| {
            let asked = asked(&mut numbers, policy);
            (Lens::new(policy.clone(), asked.subject), asked.action, asked.facts)
        })
        .collect();
    let spent = || -> u64 {
        let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        said.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
    };
    let (times, start) = (4_000_000, spent());
    let mut permitted = 0_u64;
    for at in 0..times {
        let (lens, action, facts) = &asked[at % asked.len()];
        permitted += u64::from(std::hint::black_box(lens).decide(*action, facts).permitted);
    }
    std::hint::black_box(permitted);
    (spent() - start) as f64 / times as f64 / 1000.0
}

fn compare(name: &str, policy: Policy, count: u64, seed: u64) -> (u64, u64) {
    let cedar: PolicySet = policy.to_cedar().parse().expect("Cedar reads what we export");
    let (policy, authorizer, entities) = (Arc::new(policy), Authorizer::new(), Entities::empty());
    let entity = |kind: &str, id: &str| -> EntityUid { format!("{kind}::{id:?}").parse().expect("a name") };
    let (somebody, something) = (entity("User", "u"), entity("Record", "r"));
    let actions: Vec<EntityUid> = Action::ALL.iter().map(|action| entity("Action", action.name())).collect();
    let mut numbers = Numbers(seed);
    let (mut held, mut permitted) = (0, 0);
    for at in 0..count {
        let asked = asked(&mut numbers, &policy);
        let ours = Lens::new(policy.clone(), asked.subject).decide(asked.action, &asked.facts).permitted;
        let action = actions[Action::ALL.iter().position(|one| *one == asked.action).unwrap_or_default()].clone();
        let request = Request::new(somebody.clone(), action, something.clone(), context(&asked), None);
        let answer = authorizer.is_authorized(&request.expect("no schema to break"), &cedar, &entities);
        let theirs = answer.decision() == Decision::Allow;
        let failed = answer.diagnostics().errors().next().is_some();
        permitted += u64::from(ours);
        if ours == theirs && !failed {
            held += 1;
        } else {
            eprintln!("{name}: request {at} of seed {seed}: ours {ours}, Cedar {theirs}, errors {failed}");
        }
    }
    println!(
        "  {name}: {held} of {count} alike, {permitted} permitted; a decision of ours takes {:.3} us",
        cost(&policy)
    );
    (held, permitted)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let mut policies = vec![
        ("standard".to_owned(), Policy::standard().clone()),
        ("care-team".to_owned(), Policy::care_team().clone()),
        ("every condition".to_owned(), Policy::parse(EVERY_CONDITION).expect("a policy")),
    ];
    for file in arguments {
        let text = std::fs::read_to_string(&file).expect("a policy file");
        policies.push((file, Policy::parse(&text).expect("a policy")));
    }
    let share = policies.len() as u64;
    let (mut held, mut asked) = (0, 0);
    for (at, (name, policy)) in policies.into_iter().enumerate() {
        let part = count / share + u64::from((at as u64) < count % share);
        let (alike, permitted) = compare(&name, policy, part, 0x5eed + at as u64);
        // Where nothing is permitted, or all, nothing was compared.
        if part > 1000 && (permitted == 0 || permitted == part) {
            eprintln!("{name}: the requests tell nothing apart");
            return ExitCode::FAILURE;
        }
        (held, asked) = (held + alike, asked + part);
    }
    println!("cedar: held {held} of {asked}");
    if held == asked { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
