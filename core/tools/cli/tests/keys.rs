//! `ehr key` as somebody types it.

use std::path::Path;

fn ehr(words: &[&str], folder: &Path) -> u8 {
    let placed = words.iter().map(|word| match word.strip_prefix('@') {
        Some(name) => folder.join(name).into_os_string(),
        None => word.into(),
    });
    ehrcore_cli::run(std::iter::once("ehr".into()).chain(placed))
}

#[test]
fn a_store_is_opened_by_what_was_added_and_no_more_by_what_was_rotated_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |words: &str| ehr(&words.split(' ').collect::<Vec<_>>(), folder.path());
    assert_eq!(run("init @s.ehr --new-key-file @first.key"), 0);
    assert_eq!(run("key list @s.ehr --key-file @first.key"), 0);
    assert_eq!(run("key add @s.ehr --key-file @first.key --new-key-file @second.key"), 0);
    assert_eq!(run("list @s.ehr --key-file @first.key"), 5, "the second took its name");
    assert_eq!(run("key shares @s.ehr --needed 2 --of 3 --key-file @second.key"), 0);
    assert_eq!(run("key shares @s.ehr --needed 4 --of 3 --key-file @second.key"), 2);
    assert_eq!(run("key add @s.ehr --key-file @second.key"), 2, "nothing to add");
    assert_eq!(run("key rotate @s.ehr --patients --pages --new-key-file @third.key --key-file @second.key"), 0);
    assert_eq!(run("list @s.ehr --key-file @second.key"), 5);
    assert_eq!(run("list @s.ehr --key-file @third.key"), 0);
    assert_eq!(run("key remove @s.ehr raw --key-file @third.key"), 5, "the last one");
    assert_eq!(run("key remove @s.ehr recovery --key-file @third.key"), 4);
}

#[test]
fn a_key_file_may_hold_shares_or_a_recovery_key() {
    use ehrcore::ehr::{Ehr, Options};
    use ehrcore::id::SystemRandom;
    use ehrcore::keys::{RecoveryKey, SharedKey};
    let folder = tempfile::tempdir().expect("a folder");
    let (shared, shares) = SharedKey::split(2, 3, &SystemRandom::default()).expect("random bytes");
    drop(Ehr::create(folder.path().join("s.ehr"), &shared, Options::default()).expect("a new store"));
    let texts: Vec<String> = shares.iter().map(|share| share.text().to_string()).collect();
    let open = |text: &str, store: &str| {
        std::fs::write(folder.path().join("key"), text).expect("writable");
        ehr(&["list", store, "--key-file", "@key"], folder.path())
    };
    assert_eq!(open(&format!("{}\n{}\n", texts[2], texts[0]), "@s.ehr"), 0);
    assert_eq!(open(&texts[1], "@s.ehr"), 5);
    let paper = RecoveryKey::new(&SystemRandom::default()).expect("random bytes");
    drop(Ehr::create(folder.path().join("p.ehr"), &paper, Options::default()).expect("a new store"));
    assert_eq!(open(&paper.text().to_lowercase(), "@p.ehr"), 0);
    assert_eq!(open("not a key", "@p.ehr"), 5);
}
