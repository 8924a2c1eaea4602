//! What is kept twice: the map, with the same sealed bytes in two runs of slots, so that a slot of one that is damaged, or cannot be read, is read
//! from the other.
//!
//! Both copies are one sealed text: what opens is whole and the newest, from whichever copy its slots are taken. So a copy that was put back from
//! earlier is damage like any other, and never taken for what counts.

#[cfg(test)]
mod tests;

use super::superblock::Extent;
use super::{PAGE, offset};
use redb::StorageBackend;
use std::io;

/// Two runs of slots of one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Twice {
    pub(super) first: u32,
    /// 0 where there is no second one: in a file of the first version.
    pub(super) second: u32,
    pub(super) count: u32,
}

/// Most slots in which two copies may differ for every mixture of them to be tried.
const MOST_MIXED: usize = 6;

impl Twice {
    pub(super) fn copies(self) -> impl Iterator<Item = Extent> {
        let second = (self.second != 0).then_some(self.second);
        [Some(self.first), second].into_iter().flatten().map(move |first| Extent { first, count: self.count })
    }
    pub(super) fn is_twice(self) -> bool {
        self.second != 0
    }
    pub(super) fn slots(self) -> impl Iterator<Item = u32> {
        self.copies().flat_map(Extent::slots)
    }
    pub(super) fn contains(self, slot: u32) -> bool {
        self.copies().any(|copy| copy.slots().contains(&slot))
    }

    /// Writes the same from a slot on to both.
    pub(super) fn write(self, disk: &dyn StorageBackend, at: u32, bytes: &[u8]) -> io::Result<()> {
        self.copies().try_for_each(|copy| disk.write(offset(copy.first + at), bytes))
    }
    /// What both say from a slot on; of one that cannot be read, the error.
    pub(super) fn read(self, disk: &dyn StorageBackend, at: u32, slots: u32) -> Vec<io::Result<Vec<u8>>> {
        let read = |copy: Extent| {
            let mut bytes = vec![0; slots as usize * PAGE];
            disk.read(offset(copy.first + at), &mut bytes)?;
            Ok(bytes)
        };
        self.copies().map(read).collect()
    }
    /// In how many slots from one on anything but zeros stands.
    pub(super) fn unlike_zeros(self, disk: &dyn StorageBackend, at: u32) -> u64 {
        let mut bytes = vec![0; PAGE];
        let mut is_zeros =
            |slot: u32| disk.read(offset(slot), &mut bytes).is_ok() && bytes.iter().all(|byte| *byte == 0);
        let slots = self.copies().flat_map(|copy| copy.slots().skip(at as usize));
        slots.filter(|slot| !is_zeros(*slot)).count() as u64
    }
}

/// Opens what was written twice: the first copy, else the second, else their slots mixed. `used`: how many bytes count, before zeros. Gives also
/// how many slots of the copies are not as they were written.
pub(super) fn open<T>(
    copies: &[io::Result<Vec<u8>>],
    used: usize,
    mut opens: impl FnMut(&mut [u8]) -> Option<T>,
) -> Option<(T, u64)> {
    let mut attempt = |bytes: &[u8]| {
        let mut opened = bytes.to_vec();
        let found = opens(&mut opened[..used])?;
        let mut written = bytes.to_vec();
        written[used..].fill(0);
        let unlike = |copy: &io::Result<Vec<u8>>| match copy {
            Ok(copy) => copy.chunks(PAGE).zip(written.chunks(PAGE)).filter(|(a, b)| a != b).count(),
            Err(_) => written.len() / PAGE,
        };
        Some((found, copies.iter().map(unlike).sum::<usize>() as u64))
    };
    for copy in copies.iter().flatten() {
        if let Some(found) = attempt(copy) {
            return Some(found);
        }
    }
    let [Ok(first), Ok(second)] = copies else { return None };
    let differing: Vec<usize> = (0..first.len() / PAGE)
        .filter(|slot| first[slot * PAGE..(slot + 1) * PAGE] != second[slot * PAGE..(slot + 1) * PAGE])
        .collect();
    if differing.len() > MOST_MIXED {
        return None;
    }
    // All of the first and all of the second were tried.
    (1..(1_u32 << differing.len()).saturating_sub(1)).find_map(|choice| {
        let mut mixed = first.clone();
        for (_, slot) in differing.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1) {
            mixed[slot * PAGE..(slot + 1) * PAGE].copy_from_slice(&second[slot * PAGE..(slot + 1) * PAGE]);
        }
        attempt(&mixed)
    })
}
