//! The policies that come with the library, and the decision.

use super::*;

#[test]
fn the_policies_that_come_with_the_library_are_read_and_leave_nothing_to_look_at() {
    for policy in [Policy::standard(), Policy::care_team()] {
        assert_eq!(policy.check(), [], "{}", policy.name());
    }
}
