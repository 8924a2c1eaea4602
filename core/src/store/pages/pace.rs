//! A copy gives way to who writes: while somebody commits, it is at work for a small part of the time.

use super::Inner;
use std::time::{Duration, Instant};

/// For each moment of work so many of rest.
const REST: u32 = 7;
/// The longest rest at a time: a copy that is to stop asks after each.
const LONGEST: Duration = Duration::from_millis(50);

/// How far others had come when the last part of a copy began.
pub(super) struct Pace {
    come: (u64, u32),
    since: Instant,
}

impl Pace {
    pub(super) fn of(inner: &Inner) -> Pace {
        Pace { come: come(inner), since: Instant::now() }
    }

    /// Between two parts of a copy: rests where somebody committed meanwhile.
    pub(super) fn give_way(&mut self, inner: &Inner) {
        std::thread::sleep(self.rest(come(inner), self.since.elapsed()));
        self.since = Instant::now();
    }

    fn rest(&mut self, come: (u64, u32), worked: Duration) -> Duration {
        match std::mem::replace(&mut self.come, come) == come {
            true => Duration::ZERO,
            false => (worked * REST).min(LONGEST),
        }
    }
}

/// What is another with each sync: the map, and how far its log is written.
fn come(inner: &Inner) -> (u64, u32) {
    let state = inner.read_state();
    (state.root.generation, state.log.used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_rests_where_others_write_in_proportion_to_its_work_and_else_not_at_all() {
        let mut pace = Pace { come: (1, 0), since: Instant::now() };
        let worked = Duration::from_millis(2);
        assert_eq!(pace.rest((1, 0), worked), Duration::ZERO);
        assert_eq!(pace.rest((1, 3), worked), worked * REST);
        assert_eq!(pace.rest((1, 3), worked), Duration::ZERO);
        assert_eq!(pace.rest((2, 3), Duration::from_secs(9)), LONGEST);
    }
}
