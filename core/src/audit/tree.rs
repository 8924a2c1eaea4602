//! The hash tree of RFC 6962, section 2.1, built leaf by leaf.

use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};

/// SHA-256.
pub type Hash = [u8; 32];

/// `SHA-256(0x00 || leaf)`, the leaf given in two parts.
pub fn leaf_hash(leaf: &[&[u8]; 2]) -> Hash {
    Active::sha256(&[&[0], leaf[0], leaf[1]])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Active::sha256(&[&[1], left, right])
}

/// The roots of the full subtrees of a tree, largest first: all that is needed to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// How many leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }
    /// Adds a leaf by its hash; shows each subtree that it completes: level, number on that level, hash.
    pub fn push(&mut self, leaf: Hash, mut done: impl FnMut(u32, u64, &Hash)) {
        let mut node = leaf;
        for level in 1..=self.size.trailing_ones() {
            let left = self.nodes.pop().expect("a full subtree for each trailing one of the size");
            node = node_hash(&left, &node);
            done(level, self.size >> level, &node);
        }
        self.nodes.push(node);
        self.size += 1;
    }
    /// The root; of no leaves, the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        match nodes.next() {
            None => Active::sha256(&[]),
            Some(last) => nodes.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.nodes.concat()
    }
    pub(super) fn from_bytes(size: u64, bytes: &[u8]) -> Option<Frontier> {
        let (nodes, rest) = bytes.as_chunks::<32>();
        (rest.is_empty() && nodes.len() as u32 == size.count_ones()).then(|| Frontier { size, nodes: nodes.to_vec() })
    }
}

/// The root of a list of leaf hashes, straight from the definition.
pub fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Active::sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let split = 1 << (leaves.len() - 1).ilog2();
            node_hash(&root_of(&leaves[..split]), &root_of(&leaves[split..]))
        }
    }
}

/// Where the hashes of a tree come from.
pub trait Nodes {
    /// The hash of a leaf.
    ///
    /// # Errors
    /// - of whoever keeps them.
    fn leaf(&mut self, number: u64) -> Result<Hash>;
    /// The hash of the full subtree of that number among those of `2^level` leaves, where it is kept.
    ///
    /// # Errors
    /// - of whoever keeps them.
    fn kept(&mut self, level: u32, number: u64) -> Result<Option<Hash>>;
    /// Takes note of the hash of a full subtree that had to be computed.
    fn computed(&mut self, _level: u32, _number: u64, _hash: &Hash) {}
}

/// The hash of the leaves from `from` on that lie before `to` (RFC 9162, section 2.1.1); `from` is where a subtree begins.
fn range(nodes: &mut dyn Nodes, from: u64, to: u64) -> Result<Hash> {
    let count = to - from;
    if count == 1 {
        return nodes.leaf(from);
    }
    let level = count.ilog2();
    if count.is_power_of_two()
        && let Some(kept) = nodes.kept(level, from >> level)?
    {
        return Ok(kept);
    }
    let middle = from + split(count);
    let hash = node_hash(&range(nodes, from, middle)?, &range(nodes, middle, to)?);
    if count.is_power_of_two() {
        nodes.computed(level, from >> level, &hash);
    }
    Ok(hash)
}

/// The largest power of two below `count`, which is at least 2.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// What proves that leaf `number` is in the tree of the first `size` leaves: the path of RFC 9162, section 2.1.3.1, leaf first.
///
/// # Errors
/// - `not-found`: there is no such leaf. Of the nodes.
pub fn inclusion(nodes: &mut dyn Nodes, number: u64, size: u64) -> Result<Vec<Hash>> {
    if number >= size {
        return Err(Code::NotFound.error());
    }
    let (mut path, mut from, mut to) = (Vec::new(), 0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if number < middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// What proves that the tree of the first `size` leaves continues that of the first `old`: RFC 9162, section 2.1.4.1.
///
/// # Errors
/// - `not-found`: the older one is empty or longer. Of the nodes.
pub fn consistency(nodes: &mut dyn Nodes, old: u64, size: u64) -> Result<Vec<Hash>> {
    if old == 0 || old > size {
        return Err(Code::NotFound.error());
    }
    let (mut path, mut from, mut to, mut whole) = (Vec::new(), 0, size, true);
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(range(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range(nodes, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range(nodes, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether a path proves that a leaf is in a tree (RFC 9162, section 2.1.3.2).
pub fn includes(leaf: &Hash, number: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if number >= size {
        return false;
    }
    let (mut at, mut last, mut node) = (number, size - 1, *leaf);
    for other in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            node = node_hash(other, &node);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            node = node_hash(&node, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && node == *root
}

/// Whether a path proves that a tree continues an older one (RFC 9162, section 2.1.4.2).
pub fn continues(old: u64, old_root: &Hash, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if old == 0 || old >= size {
        return old == size && old > 0 && path.is_empty() && old_root == root;
    }
    let first = if old.is_power_of_two() { Some(old_root) } else { None };
    let mut hashes = first.into_iter().chain(path);
    let Some(start) = hashes.next() else { return false };
    let (mut at, mut last) = (old - 1, size - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut older, mut newer) = (*start, *start);
    for other in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (older, newer) = (node_hash(other, &older), node_hash(other, &newer));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            newer = node_hash(&newer, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && older == *old_root && newer == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Roots of any part of a list of leaves, straight from the definition; each is computed once.
    struct Roots {
        leaves: Vec<Hash>,
        known: HashMap<(usize, usize), Hash>,
        /// Every so many levels, hashes of full subtrees are kept.
        keeps: u32,
    }

    impl Roots {
        fn root(&mut self, from: usize, to: usize) -> Hash {
            let leaves = &self.leaves;
            *self.known.entry((from, to)).or_insert_with(|| root_of(&leaves[from..to]))
        }
        /// The path of RFC 6962, section 2.1.1, word for word.
        fn path(&mut self, number: usize, from: usize, to: usize) -> Vec<Hash> {
            if to - from < 2 {
                return Vec::new();
            }
            let middle = from + split((to - from) as u64) as usize;
            let (mut path, other) = match from + number < middle {
                true => (self.path(number, from, middle), self.root(middle, to)),
                false => (self.path(number - (middle - from), middle, to), self.root(from, middle)),
            };
            path.push(other);
            path
        }
        /// `SUBPROOF` of RFC 6962, section 2.1.2, word for word.
        fn proof(&mut self, old: usize, from: usize, to: usize, whole: bool) -> Vec<Hash> {
            if old == to - from {
                return if whole { Vec::new() } else { vec![self.root(from, to)] };
            }
            let middle = from + split((to - from) as u64) as usize;
            let (mut path, other) = match from + old <= middle {
                true => (self.proof(old, from, middle, whole), self.root(middle, to)),
                false => (self.proof(old - (middle - from), middle, to, false), self.root(from, middle)),
            };
            path.push(other);
            path
        }
    }

    impl Nodes for Roots {
        fn leaf(&mut self, number: u64) -> Result<Hash> {
            Ok(self.leaves[number as usize])
        }
        fn kept(&mut self, level: u32, number: u64) -> Result<Option<Hash>> {
            let from = (number << level) as usize;
            Ok(level.is_multiple_of(self.keeps).then(|| self.root(from, from + (1 << level))))
        }
    }

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&[&n.to_be_bytes(), b"x"])).collect()
    }

    #[test]
    fn the_tree_built_leaf_by_leaf_is_that_of_the_definition() {
        let leaves = leaves(258);
        let mut frontier = Frontier::default();
        for size in 0..=257 {
            assert_eq!(frontier.root(), root_of(&leaves[..size]), "{size} leaves");
            assert_eq!(Frontier::from_bytes(size as u64, &frontier.to_bytes()), Some(frontier.clone()));
            frontier.push(leaves[size], |level, number, hash| {
                let subtree = &leaves[(number << level) as usize..][..1 << level];
                assert_eq!(*hash, root_of(subtree), "level {level}, number {number}");
            });
        }
    }

    #[test]
    fn proofs_are_those_of_the_definition_and_prove_what_they_say_and_nothing_else() {
        let mut tree = Roots { leaves: leaves(257), known: HashMap::new(), keeps: 3 };
        let roots: Vec<Hash> = (0..=257).map(|size| tree.root(0, size)).collect();
        for size in 1..=257_usize {
            let root = &roots[size];
            for number in 0..size {
                let path = inclusion(&mut tree, number as u64, size as u64).expect("there");
                assert_eq!(path, tree.path(number, 0, size), "{number} of {size}");
                let leaf = tree.leaves[number];
                let proves = |n: usize, path: &[Hash], root: &Hash| includes(&leaf, n as u64, size as u64, path, root);
                assert!(proves(number, &path, root));
                assert!(!proves((number + 1) % size, &path, root) || size == 1);
                assert!(!proves(number, &path, &roots[size - 1]));
                assert!(!proves(number, &[&path[..], &[*root]].concat(), root));
                assert!(path.is_empty() || !proves(number, &path[1..], root));
            }
            for old in 1..=size {
                let path = consistency(&mut tree, old as u64, size as u64).expect("there");
                assert_eq!(path, tree.proof(old, 0, size, true), "{old} of {size}");
                let proves = |old_root: &Hash, root: &Hash, path: &[Hash]| {
                    continues(old as u64, old_root, size as u64, root, path)
                };
                assert!(proves(&roots[old], root, &path), "{old} of {size}");
                assert!(!proves(&roots[old - 1], root, &path) && !proves(&roots[old], &roots[size - 1], &path));
                assert!(!proves(&roots[old], root, &[&path[..], &[*root]].concat()));
                assert!(path.is_empty() || !proves(&roots[old], root, &path[1..]));
            }
        }
    }

    #[test]
    fn there_is_no_proof_of_what_is_not_there() {
        let leaves = leaves(3);
        let nodes = &mut Roots { leaves: leaves.clone(), known: HashMap::new(), keeps: 3 };
        assert_eq!(inclusion(nodes, 3, 3).unwrap_err().code(), Code::NotFound);
        assert_eq!(consistency(nodes, 0, 3).unwrap_err().code(), Code::NotFound);
        assert_eq!(consistency(nodes, 4, 3).unwrap_err().code(), Code::NotFound);
        assert!(!includes(&leaves[0], 0, 0, &[], &leaves[0]));
        assert!(!continues(0, &root_of(&[]), 3, &root_of(&leaves), &[]));
    }
}
