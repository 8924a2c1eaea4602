//! Wycheproof: the vectors of the primitives this library uses, through its own providers.

use super::Score;
use ehrcore::crypto::{Provider, Ring};
use serde_json::Value;

pub(super) fn run(file: &str, bytes: &[u8], score: &mut Score) {
    run_with::<Ring>(file, bytes, score);
    #[cfg(feature = "aws-lc")]
    run_with::<ehrcore::crypto::AwsLc>(file, bytes, score);
}

fn run_with<P: Provider>(file: &str, bytes: &[u8], score: &mut Score) {
    let Ok(suite) = serde_json::from_slice::<Value>(bytes) else { return };
    let Some(algorithm) = suite["algorithm"].as_str() else { return };
    for group in suite["testGroups"].as_array().into_iter().flatten() {
        for test in group["tests"].as_array().into_iter().flatten() {
            let Some(accepted) = judge::<P>(algorithm, group, test) else { continue };
            let expected = test["result"].as_str().unwrap_or("");
            let name = format!("{file} {} ({})", test["tcId"], P::NAME);
            score.case(&name, expected == "acceptable" || accepted == (expected == "valid"), expected);
        }
    }
}

/// Whether the library accepts the case; None where it has no such parameters (another key size, another tag length).
fn judge<P: Provider>(algorithm: &str, group: &Value, test: &Value) -> Option<bool> {
    let field = |name: &str| hex(test[name].as_str()?);
    match algorithm {
        "AES-GCM" => {
            let (key, nonce) = (<[u8; 32]>::try_from(field("key")?).ok()?, <[u8; 12]>::try_from(field("iv")?).ok()?);
            if group["tagSize"] != 128 {
                return None;
            }
            let mut sealed = [field("ct")?, field("tag")?].concat();
            let plain = field("msg")?;
            let opened = P::open(&key, nonce, &field("aad")?, &mut sealed);
            let right = opened.is_ok_and(|length| sealed[..length] == plain);
            if test["result"] == "valid" {
                let mut buffer = plain;
                P::seal(&key, nonce, &field("aad")?, &mut buffer, 0).ok()?;
                return Some(right && buffer == [field("ct")?, field("tag")?].concat());
            }
            Some(right)
        }
        "HMACSHA256" => {
            let key = <[u8; 32]>::try_from(field("key")?).ok()?;
            let tag = field("tag")?;
            Some(P::mac(&key, &[&field("msg")?])[..tag.len()] == tag)
        }
        "HKDF-SHA-512" => {
            // Our keys go straight into the expand step; the extract step of the vector is HMAC-SHA-512.
            let salt = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA512, &field("salt")?);
            let (secret, info, size) = (field("ikm")?, field("info")?, test["size"].as_u64()? as usize);
            let prk = salt.extract(&secret);
            let parts = [info.as_slice()];
            let mut out = vec![0; size];
            let done = prk.expand(&parts, Length(size)).and_then(|okm| okm.fill(&mut out));
            Some(done.is_ok() && out == field("okm")?)
        }
        "EDDSA" => {
            let key = group["publicKey"]["pk"].as_str().or_else(|| group["key"]["pk"].as_str())?;
            Some(P::verify(&hex(key)?, &field("msg")?, &field("sig")?))
        }
        _ => None,
    }
}

struct Length(usize);
impl ring::hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect()
}
