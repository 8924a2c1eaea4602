//! `cargo xtask mutation`: breaks right resources one rule at a time and shows the share of breaks that validation sees.
//!
//! The profiles are those of US Core 6.1.0 from the suites' definitions; without them only R4 itself is checked.

use crate::Done;
use crate::conform::guides::guide;
use ehrcore::validate::Validator;
use ehrcore_synthetic::Charts;
use ehrcore_synthetic::breaks::{BREAKS, Level};

/// How many resources of each kind of break are broken.
const EACH: usize = 50;

pub(crate) fn run(_arguments: &[&str]) -> Done {
    let definitions = crate::suites().join("definitions");
    let validator = match guide(&definitions, "hl7.fhir.us.core", "6.1.0") {
        Ok(validator) => validator,
        Err(_) => {
            println!("NO US CORE: there is no package of it in {}; profiles are not checked", definitions.display());
            Validator::builder().build()?
        }
    };
    let resources: Vec<_> = Charts::new(11).patients(200).flat_map(|chart| chart.resources).collect();
    let right = resources.iter().filter(|one| validator.validate(one.json.as_bytes()).is_valid()).count();
    println!("before: {right} of {} resources are right", resources.len());
    let (mut whole, mut seen_all) = (0, 0);
    for level in [Level::Structure, Level::Invariant, Level::Profile, Level::Terminology] {
        println!("{}", level.name());
        for one in BREAKS.iter().filter(|one| one.level == level) {
            let broken = resources.iter().filter_map(|r| one.apply(r.kind, &r.json)).take(EACH);
            let (mut count, mut seen) = (0, 0);
            for text in broken {
                count += 1;
                seen += usize::from(!validator.validate(&text).is_valid());
            }
            println!("  {:>3} of {count:>3}  {}", seen, one.name);
            whole += count;
            seen_all += seen;
        }
    }
    println!("mutation: {seen_all} of {whole} breaks seen, {} kinds", BREAKS.len());
    Ok(())
}
