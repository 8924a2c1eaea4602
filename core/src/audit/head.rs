//! Signed heads of the log.

use super::tree::{Frontier, Hash};
use super::{HEAD, Shelf};
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::StoreId;
use crate::keys::KeyRing;

/// A signed statement of how long the log is and what is in it. Keep one outside the store: then nobody can cut the log unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many events.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// Ed25519 over [`Head::text`].
    pub signature: [u8; 64],
}

impl Head {
    /// The text that is signed, a checkpoint of C2SP (c2sp.org/tlog-checkpoint): origin, size, root in Base64.
    pub fn text(store: StoreId, size: u64, root: &Hash) -> String {
        format!("{}\n{size}\n{}\n", origin(store), base64(root))
    }

    /// The head as a signed note (c2sp.org/signed-note): the text, an empty line, and a line with the name of the signer and
    /// `first 4 bytes of SHA-256(name || "\n" || 0x01 || public key) || signature` in Base64. To be kept outside.
    pub fn note(&self, store: StoreId, public_key: &[u8; 32]) -> String {
        let signed = [&key_number(store, public_key)[..], &self.signature].concat();
        format!("{}\n\u{2014} {} {}\n", Head::text(store, self.size, &self.root), origin(store), base64(&signed))
    }

    /// Reads what [`Head::note`] gave and checks its signature.
    ///
    /// # Errors
    /// - `checkpoint-unreadable`: it is no checkpoint of this store. `audit-broken`: the signature does not fit.
    pub fn from_note(note: &str, store: StoreId, public_key: &[u8; 32]) -> Result<Head> {
        let unreadable = || Code::CheckpointUnreadable.error();
        let (text, signatures) = note.split_once("\n\n").ok_or_else(unreadable)?;
        let mut lines = text.lines();
        let (name, size, root) = (lines.next(), lines.next(), lines.next());
        if name != Some(&origin(store)) || lines.next().is_some() {
            return Err(unreadable());
        }
        let size: u64 = size.and_then(|size| size.parse().ok()).ok_or_else(unreadable)?;
        let root = root.and_then(unbase64).and_then(|root| Hash::try_from(root).ok()).ok_or_else(unreadable)?;
        let own = key_number(store, public_key);
        let signature: [u8; 64] = signatures
            .lines()
            .filter_map(|line| line.strip_prefix("\u{2014} ")?.strip_prefix(&origin(store))?.strip_prefix(' '))
            .filter_map(unbase64)
            .find_map(|signed| signed.strip_prefix(&own[..])?.try_into().ok())
            .ok_or_else(unreadable)?;
        // The text is made anew: what is signed is what we understood.
        let fits = Active::verify(public_key, Head::text(store, size, &root).as_bytes(), &signature);
        if fits { Ok(Head { size, root, signature }) } else { Err(Code::AuditBroken.error()) }
    }
}

/// Who signs: the store.
fn origin(store: StoreId) -> String {
    format!("ehrcore/{}", super::hex(&store.0))
}

fn key_number(store: StoreId, public_key: &[u8; 32]) -> [u8; 4] {
    let hash = Active::sha256(&[origin(store).as_bytes(), b"\n\x01", public_key]);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// The head and its frontier, as a row says them.
pub(super) fn parse(row: &[u8]) -> Result<(Head, Frontier)> {
    let broken = || Code::AuditBroken.error();
    let (fixed, rest) = row.split_at_checked(8 + 32 + 64).ok_or_else(broken)?;
    let size = u64::from_be_bytes(fixed[..8].try_into().expect("eight bytes"));
    let root: Hash = fixed[8..40].try_into().expect("thirty-two bytes");
    let signature: [u8; 64] = fixed[40..].try_into().expect("sixty-four bytes");
    Ok((Head { size, root, signature }, Frontier::from_bytes(size, rest).ok_or_else(broken)?))
}

/// The same, its signature and its frontier checked.
pub(super) fn verified(row: &[u8], keys: &KeyRing) -> Result<(Head, Frontier)> {
    let (head, frontier) = parse(row)?;
    let text = Head::text(keys.store_id(), head.size, &head.root);
    let signed = Active::verify(&keys.public_key(), text.as_bytes(), &head.signature);
    if signed && frontier.root() == head.root { Ok((head, frontier)) } else { Err(Code::AuditBroken.error()) }
}

/// The signed head; None for a log with no events.
///
/// # Errors
/// - `audit-broken`, of the shelf.
pub fn head(shelf: &dyn Shelf, keys: &KeyRing) -> Result<Option<Head>> {
    shelf.get(HEAD)?.map(|row| Ok(verified(&row, keys)?.0)).transpose()
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let whole = three.iter().fold(0_u32, |whole, byte| whole << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let six = (whole >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= three.len() { char::from(DIGITS[six]) } else { '=' });
        }
    }
    text
}

/// Bytes of Base64 in its one canonical form; None for anything else.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.as_bytes().chunks(4) {
        let digits = four.iter().rposition(|digit| *digit != b'=').map_or(0, |last| last + 1);
        let mut whole = 0_u32;
        for place in 0..4 {
            let six = match four[..digits].get(place) {
                Some(wanted) => DIGITS.iter().position(|digit| digit == wanted)?,
                None => 0,
            };
            whole = whole << 6 | six as u32;
        }
        bytes.extend(&whole.to_be_bytes()[1..digits.max(1)]);
    }
    (base64(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;
    use crate::keys::RawKey;

    #[test]
    fn base64_is_that_of_rfc_4648_and_only_its_canonical_form_is_read() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), text);
            assert_eq!(unbase64(text).as_deref(), Some(plain.as_bytes()));
        }
        for text in ["Zh==", "Zg", "Zg=", "Z", "====", "Zm9v=", "Zm 9"] {
            assert_eq!(unbase64(text), None, "{text}");
        }
    }

    #[test]
    fn a_head_comes_back_from_its_note_and_a_changed_note_does_not() {
        let keys = KeyRing::create(&RawKey::new([1; 32]), &SystemRandom::default()).expect("keys").0;
        let (store, public) = (keys.store_id(), keys.public_key());
        let signature = keys.sign(Head::text(store, 7, &[5; 32]).as_bytes());
        let head = Head { size: 7, root: [5; 32], signature };
        let note = head.note(store, &public);
        assert_eq!(Head::from_note(&note, store, &public).expect("as it was"), head);
        for at in 0..note.len() {
            let mut changed = note.clone().into_bytes();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(Head::from_note(&changed, store, &public).is_err(), "byte {at}");
        }
        let seven = note.replacen("\n7\n", "\n8\n", 1);
        assert_eq!(Head::from_note(&seven, store, &public).unwrap_err().code(), Code::AuditBroken);
        assert_eq!(Head::from_note("7", store, &public).unwrap_err().code(), Code::CheckpointUnreadable);
    }
}
