//! Any bytes: opening an envelope, a packed value, a wrapped key or a header never panics and never succeeds.
#![no_main]

use ehrcore::error::Result;
use ehrcore::id::{PatientNumber, Random, StoreId};
use ehrcore::keys::{KeyRing, RawKey};
use ehrcore::vault::{Context, Packer, RowKind, SealKey, open, seal};
use libfuzzer_sys::fuzz_target;

/// The same bytes each time, so that a finding repeats.
struct Fixed;
impl Random for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        out.fill(7);
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let key = SealKey::new([3; 32].into(), 0);
    let context = Context::new(StoreId([1; 16]), PatientNumber(1), RowKind::Block, 1, 1);
    let mut packer = Packer::new().expect("memory for a packer");
    assert!(open(&key, &context, bytes).is_err());
    assert!(packer.unpack(&key, &context, bytes).is_err());

    let (ring, header) = KeyRing::create(&RawKey::new([3; 32]), &Fixed).expect("keys can be made");
    assert!(ring.patient_key(PatientNumber(1), 0, &key, bytes).is_err() && ring.group_key(1, bytes).is_err());
    assert!(bytes == header || KeyRing::open(&RawKey::new([3; 32]), bytes).is_err());

    // Bytes behind a true header reach the chunks.
    let mut crafted = seal(&key, &context, b"", &Fixed).expect("it seals");
    let chunks = crafted.split_off(crafted.len() - 16);
    crafted.extend_from_slice(bytes);
    assert!(bytes == chunks || open(&key, &context, &crafted).is_err());

    let packed = packer.pack(&key, &context, bytes, &Fixed).expect("it packs");
    assert_eq!(*packer.unpack(&key, &context, &packed).expect("it unpacks"), bytes);
});
