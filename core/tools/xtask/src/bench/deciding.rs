//! What a decision about one record costs, and what the gate adds to reading it.

use super::{Samples, figure, median_processor, physician};
use ehrcore::access::{
    Action, Confidentiality, ConsentSays, Facts, Labels, Lens, Policy, Purpose, Relations, Role, Subject,
};
use ehrcore::ehr::{Ehr, Options};
use ehrcore::record::Compartment;
use ehrcore::schema::ResourceType;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

const TIMES: u32 = 1_000_000;

pub(super) fn run(samples: &Samples, folder: &Path) -> crate::Done {
    println!("\n{:<52}{:>10}{:>18}", "access", "us", "should be");
    let kinds: Vec<ResourceType> = ResourceType::all().collect();
    for (policy, role, action, permitted) in [
        (Policy::standard(), Role::Nurse, Action::Read, "permitted"),
        (Policy::care_team(), Role::Nurse, Action::Read, "permitted to the team"),
        (Policy::care_team(), Role::Nurse, Action::Delete, "denied by default"),
    ] {
        let lens = Lens::new(Arc::new(policy.clone()), Subject::new(role, Purpose::Treatment));
        let facts: Vec<Facts> = (0..64)
            .map(|at| Facts {
                kind: Some(kinds[at * 2]),
                compartment: if at % 9 == 0 { Compartment::SubstanceUse } else { Compartment::Normal },
                labels: Labels { confidentiality: Confidentiality::Restricted, sensitivity: 1 << (at % 5) },
                relations: Relations::CARE_TEAM,
                own_organization: at % 2 == 0,
                author: at % 3 == 0,
                status: 0,
                consent: ConsentSays::Nothing,
            })
            .collect();
        let time = median_processor(samples.times, || {
            let mut count = 0_u32;
            for at in 0..TIMES {
                count += u32::from(black_box(&lens).decide(black_box(action), &facts[at as usize % 64]).permitted);
            }
            black_box(count);
        });
        let each = time.as_secs_f64() * 1e6 / f64::from(TIMES);
        figure(&format!("a decision, {}: {permitted}", policy.name()), each, 3, "<= 0.3");
    }
    let ehr = Ehr::create(folder.join("deciding.ehr"), &super::key(), Options::default())?;
    let session = physician(&ehr)?;
    session.write(br#"{"resourceType":"Patient","id":"p","name":[{"family":"Doe"}]}"#)?;
    for (what, policy) in [("standard", Policy::standard()), ("care-team", Policy::care_team())] {
        super::administrator(&ehr)?.set_policy(policy)?;
        session.relate("p")?;
        let kind = ResourceType::PATIENT;
        let time = median_processor(samples.times, || {
            for _ in 0..20_000 {
                black_box(session.read(kind, "p").is_ok());
            }
        });
        figure(&format!("an audited read under {what}"), time.as_secs_f64() * 1e6 / 20_000.0, 2, "");
    }
    Ok(())
}
