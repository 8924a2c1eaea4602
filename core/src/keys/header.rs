//! The header of a store: what is readable without a key, all of it authenticated under the root.
//!
//! `magic 8 || version 2 || suite 1 || store id 16 || revision 4 || epoch of the root 4 || fields 1 || { field }* || HMAC-SHA-256 32`,
//! where a field is `kind 1 || length 2 || value`. A kind from 128 on must be understood; one below may be passed over and is kept.

use super::tree::RootKeys;
use crate::crypto::{Active, Provider, equal};
use crate::error::{Code, Result};
use crate::id::StoreId;

const MAGIC: &[u8; 8] = b"EHRCORE\0";
const VERSION: u16 = 1;
const SUITE: u8 = 1;
const MAC: usize = 32;
/// What there is room for in front of a file.
const MOST: usize = 3_900;

/// A way to open the store: `length of the name 1 || name || wrapped root`.
const WRAP: u8 = 128;
/// The sealed keys under the root: see [`super::tree`].
const TREE: u8 = 129;
/// Kinds from here on must be understood.
const CRITICAL: u8 = 128;

/// What a header says.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) store: StoreId,
    /// Grows by one with each change of the header.
    pub(super) revision: u32,
    /// Which root it is: grows by one with each rotation.
    pub(super) epoch: u32,
    pub(super) wraps: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) tree: Vec<u8>,
    /// Fields that this version does not know and need not.
    others: Vec<(u8, Vec<u8>)>,
}

impl Header {
    /// Of a new store.
    pub(super) fn new(store: StoreId) -> Header {
        Header { store, revision: 1, epoch: 1, wraps: Vec::new(), tree: Vec::new(), others: Vec::new() }
    }

    /// One more change.
    pub(super) fn step(&mut self) -> Result<()> {
        self.revision = self.revision.checked_add(1).ok_or_else(|| Code::Internal.error())?;
        Ok(())
    }

    /// What a wrapped root is bound to: `"ehrcore root v1 " || store id || epoch of the root`.
    pub(super) fn wrap_context(&self) -> Vec<u8> {
        [&b"ehrcore root v1 "[..], &self.store.0, &self.epoch.to_be_bytes()].concat()
    }

    pub(super) fn wrap(&self, name: &str) -> Option<&[u8]> {
        self.wraps.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, wrapped)| wrapped.as_slice())
    }

    /// Puts a wrapped root in place of the one of that name, or beside the others.
    pub(super) fn put_wrap(&mut self, name: &str, wrapped: Vec<u8>) {
        match self.wraps.iter_mut().find(|(known, _)| known == name.as_bytes()) {
            Some(place) => place.1 = wrapped,
            None => self.wraps.push((name.as_bytes().to_vec(), wrapped)),
        }
    }

    /// # Errors
    /// - `invalid-argument`: it would not fit.
    pub(super) fn write(&self, root: &RootKeys) -> Result<Vec<u8>> {
        let too_large = || Code::InvalidArgument.error().expected("wrapped keys of at most 3,900 bytes in all");
        let mut fields = Vec::with_capacity(self.wraps.len() + 1);
        for (name, wrapped) in &self.wraps {
            let length = u8::try_from(name.len()).map_err(|_| too_large())?;
            fields.push((WRAP, [&[length], &name[..], wrapped].concat()));
        }
        fields.push((TREE, self.tree.clone()));
        fields.extend(self.others.iter().cloned());
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_be_bytes());
        out.push(SUITE);
        out.extend(self.store.0);
        out.extend(self.revision.to_be_bytes());
        out.extend(self.epoch.to_be_bytes());
        out.push(u8::try_from(fields.len()).map_err(|_| too_large())?);
        for (kind, value) in fields {
            out.push(kind);
            out.extend(u16::try_from(value.len()).map_err(|_| too_large())?.to_be_bytes());
            out.extend(value);
        }
        out.extend(mac(&out, root));
        if out.len() > MOST { Err(too_large()) } else { Ok(out) }
    }

    /// Reads a header, which is not yet authenticated by that.
    ///
    /// # Errors
    /// - `not-a-store`, `version-unsupported`, `truncated`, `corrupt`.
    pub(super) fn read(header: &[u8]) -> Result<Header> {
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
        let mut read = Header::new(store);
        read.revision = u32::from_be_bytes(take(4)?.try_into().expect("four bytes"));
        read.epoch = u32::from_be_bytes(take(4)?.try_into().expect("four bytes"));
        for _ in 0..take(1)?[0] {
            let kind = take(1)?[0];
            let length = u16::from_be_bytes(take(2)?.try_into().expect("two bytes"));
            let value = take(length.into())?;
            match kind {
                WRAP => {
                    let (name, wrapped) = value
                        .split_first()
                        .and_then(|(length, rest)| rest.split_at_checked((*length).into()))
                        .ok_or_else(|| Code::Truncated.error())?;
                    read.wraps.push((name.to_vec(), wrapped.to_vec()));
                }
                TREE if read.tree.is_empty() => read.tree = value.to_vec(),
                kind if kind >= CRITICAL => return Err(Code::VersionUnsupported.error()),
                _ => read.others.push((kind, value.to_vec())),
            }
        }
        if rest.len() != MAC || read.tree.is_empty() {
            return Err(Code::Corrupt.error());
        }
        Ok(read)
    }
}

/// Checks the whole header under the root.
///
/// # Errors
/// - `corrupt`: it is not what was written.
pub(super) fn verify(header: &[u8], root: &RootKeys) -> Result<()> {
    let (body, given) = header.split_at(header.len() - MAC);
    if equal(&mac(body, root), given) { Ok(()) } else { Err(Code::Corrupt.error()) }
}

/// `HMAC-SHA-256(header key, body)` (RFC 2104).
fn mac(body: &[u8], root: &RootKeys) -> [u8; MAC] {
    Active::mac(root.header.bytes(), &[body])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;
    use crate::vault::SealKey;

    fn root() -> RootKeys {
        RootKeys::of(&SealKey::random(0, &SystemRandom::default()).expect("random bytes"), StoreId([1; 16]), 1)
    }

    fn written(change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let mut header = Header::new(StoreId([1; 16]));
        header.put_wrap("raw", vec![1; 90]);
        header.tree = vec![2; 200];
        change(&mut header);
        header.write(&root()).expect("it fits")
    }

    #[test]
    fn a_field_that_must_be_understood_and_is_not_is_refused_and_any_other_is_kept() {
        let critical = written(|header| header.others.push((130, vec![1])));
        assert_eq!(Header::read(&critical).map(|_| ()).expect_err("refused").code(), Code::VersionUnsupported);
        let other = written(|header| header.others.push((7, vec![1, 2])));
        let read = Header::read(&other).expect("passed over");
        let again = Header::read(&read.write(&root()).expect("it fits")).expect("readable");
        assert_eq!(again.others, [(7, vec![1, 2])]);
    }

    #[test]
    fn what_does_not_fit_in_front_of_a_file_is_refused() {
        let mut header = Header::new(StoreId([1; 16]));
        header.tree = vec![2; 200];
        header.put_wrap("host", vec![0; 3_700]);
        assert_eq!(header.write(&root()).expect_err("refused").code(), Code::InvalidArgument);
    }

    #[test]
    fn two_trees_in_one_header_are_refused() {
        let twice = written(|header| header.others.push((TREE, vec![1])));
        assert!(Header::read(&twice).is_err());
    }
}
