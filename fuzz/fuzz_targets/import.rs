//! Any bytes as a file to import, as a Bundle and as NDJSON: never a panic, and the ledger adds up.
#![no_main]

use ehrcore::access::{Purpose, Role};
use ehrcore::ehr::{Actor, Ehr, Options, Session};
use ehrcore::exchange::ImportOptions;
use ehrcore::keys::RawKey;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fn session() -> &'static (tempfile::TempDir, Session) {
    static SESSION: OnceLock<(tempfile::TempDir, Session)> = OnceLock::new();
    SESSION.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let ehr = Ehr::create(folder.path().join("a.ehr"), &RawKey::new([1; 32]), Options::default()).expect("a store");
        let session = ehr.session(Actor::new("fuzz", Role::Administrator), Purpose::Operations).expect("a session");
        (folder, session)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let (folder, session) = session();
    let inside = [br#"{"resourceType":"Bundle","type":"batch","entry":["#, bytes, b"]}"].concat();
    for (name, text) in [("a.json", bytes), ("a.ndjson", bytes), ("b.json", &inside)] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("a file");
        let options = ImportOptions { threads: 1, ..ImportOptions::default() };
        if let Ok(done) = session.import(&file, &options, &mut ()) {
            assert_eq!(done.entries, done.stored + done.unchanged + done.quarantined + done.refused);
        }
    }
});
