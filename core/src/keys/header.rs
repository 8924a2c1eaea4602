//! The header of a store: what is readable without a key, all of it authenticated under the root.
//!
//! `magic 8 || version 2 || suite 1 || store id 16 || wraps 1 || { name length 1, name, length 2, wrapped }* || HMAC-SHA-256`

use crate::crypto::{Active, Provider, equal};
use crate::error::{Code, Result};
use crate::id::StoreId;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"EHRCORE\0";
const VERSION: u16 = 1;
const SUITE: u8 = 1;
const MAC: usize = 32;

/// What a wrapped root is bound to.
pub(super) fn wrap_context(store: StoreId) -> Vec<u8> {
    [&b"ehrcore root v1 "[..], &store.0].concat()
}

pub(super) fn write(store: StoreId, root: &[u8; 32], wraps: &[(&[u8], &[u8])]) -> Result<Vec<u8>> {
    let fits =
        wraps.iter().all(|(name, wrapped)| u8::try_from(name.len()).is_ok() && u16::try_from(wrapped.len()).is_ok());
    let Some(count) = u8::try_from(wraps.len()).ok().filter(|_| fits) else {
        return Err(Code::InvalidArgument.error().expected("at most 255 wrapped keys of at most 64 KiB"));
    };
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    out.push(SUITE);
    out.extend(store.0);
    out.push(count);
    for (name, wrapped) in wraps {
        out.push(name.len() as u8);
        out.extend(*name);
        out.extend((wrapped.len() as u16).to_be_bytes());
        out.extend(*wrapped);
    }
    out.extend(mac(&out, root));
    Ok(out)
}

pub(super) struct Header<'a> {
    pub(super) store: StoreId,
    pub(super) wraps: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Header<'a> {
    pub(super) fn wrap(&self, name: &str) -> Option<&'a [u8]> {
        self.wraps.iter().find(|(known, _)| *known == name.as_bytes()).map(|(_, wrapped)| *wrapped)
    }
}

pub(super) fn read(header: &[u8]) -> Result<Header<'_>> {
    let mut rest = header.strip_prefix(MAGIC).ok_or_else(|| Code::NotAStore.error())?;
    let mut take = |count: usize| -> Result<&[u8]> {
        let (taken, after) = rest.split_at_checked(count).ok_or_else(|| Code::Truncated.error())?;
        rest = after;
        Ok(taken)
    };
    if take(2)? != VERSION.to_be_bytes() || take(1)? != [SUITE] {
        return Err(Code::VersionUnsupported.error());
    }
    let store = StoreId(take(16)?.try_into().expect("sixteen bytes"));
    let count = take(1)?[0];
    let mut wraps = Vec::new();
    for _ in 0..count {
        let name_length = take(1)?[0];
        let name = take(usize::from(name_length))?;
        let length = u16::from_be_bytes(take(2)?.try_into().expect("two bytes"));
        wraps.push((name, take(usize::from(length))?));
    }
    if rest.len() != MAC {
        return Err(Code::Corrupt.error());
    }
    Ok(Header { store, wraps })
}

/// Checks the whole header under the root.
pub(super) fn verify(header: &[u8], root: &[u8; 32]) -> Result<()> {
    let (body, given) = header.split_at(header.len() - MAC);
    if equal(&mac(body, root), given) { Ok(()) } else { Err(Code::Corrupt.error()) }
}

/// `HMAC-SHA-256(HKDF-Expand[SHA-512](root, "ehrcore v1 header"), body)` (RFC 2104, RFC 5869), the key 32 bytes.
fn mac(body: &[u8], root: &[u8; 32]) -> [u8; MAC] {
    let mut key = Zeroizing::new([0_u8; 32]);
    Active::expand(root, &[b"ehrcore v1 header"], &mut *key);
    Active::mac(&key, &[body])
}
