//! `cargo xtask mutation`: breaks right resources one rule at a time and shows the share of breaks that validation sees.

use crate::Done;
use ehrcore::limits::Limits;
use ehrcore_synthetic::Charts;
use ehrcore_synthetic::breaks::{BREAKS, Level};

/// How many resources of each kind of break are broken.
const EACH: usize = 50;

pub(crate) fn run(_arguments: &[&str]) -> Done {
    let resources: Vec<_> = Charts::new(11).patients(200).flat_map(|chart| chart.resources).collect();
    let (mut whole, mut seen_all) = (0, 0);
    for level in [Level::Structure, Level::Invariant, Level::Profile, Level::Terminology] {
        println!("{}", level.name());
        for one in BREAKS.iter().filter(|one| one.level == level) {
            let broken = resources.iter().filter_map(|r| one.apply(r.kind, &r.json)).take(EACH);
            let (mut count, mut seen) = (0, 0);
            for text in broken {
                count += 1;
                seen += usize::from(!ehrcore::validate::text(&text, &Limits::DEFAULT).is_valid());
            }
            println!("  {:>3} of {count:>3}  {}", seen, one.name);
            whole += count;
            seen_all += seen;
        }
    }
    println!("mutation: {seen_all} of {whole} breaks seen, {} kinds", BREAKS.len());
    Ok(())
}
