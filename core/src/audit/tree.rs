//! The hash tree of RFC 6962, section 2.1, built leaf by leaf.

use crate::crypto::{Active, Provider};

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
    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.nodes.pop().expect("a full subtree for each trailing one of the size");
            node = node_hash(&left, &node);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_built_leaf_by_leaf_is_that_of_the_definition() {
        let leaves: Vec<Hash> = (0..258_u32).map(|n| leaf_hash(&[&n.to_be_bytes(), b"x"])).collect();
        let mut frontier = Frontier::default();
        for size in 0..=257 {
            assert_eq!(frontier.root(), root_of(&leaves[..size]), "{size} leaves");
            assert_eq!(Frontier::from_bytes(size as u64, &frontier.to_bytes()), Some(frontier.clone()));
            frontier.push(leaves[size]);
        }
    }
}
