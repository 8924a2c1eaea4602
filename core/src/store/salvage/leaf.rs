//! The engine's pages, read without the engine: whatever they say, nothing panics and no more is read than is there.
//!
//! redb 4, numbers little-endian. A leaf: `1 | 0 | rows 2 | ends of the keys 4 each? | ends of the values 4 each? | keys | values`, the ends
//! only where the width is not fixed, counted from the start of the page. A branch: `2 | 0 | keys 2 | 0 4 | { checksum 16 }* | { child 8 }* |
//! keys`, with one child more than keys.

use std::ops::Range;

/// The width of keys and of values, where all have the same.
pub(super) type Widths = (Option<usize>, Option<usize>);

/// Most pages that one value takes, as a power of two: 4 GiB.
const MOST_ORDER: u32 = 20;

fn two(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}
fn four(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}
fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Whether a page calls itself a leaf.
pub(super) fn is_leaf(page: &[u8]) -> bool {
    page.first() == Some(&1)
}
/// Whether a page calls itself a branch.
pub(super) fn is_branch(page: &[u8]) -> bool {
    page.first() == Some(&2)
}

/// Where things are in a leaf.
struct Leaf<'a> {
    bytes: &'a [u8],
    widths: Widths,
    count: usize,
}

impl Leaf<'_> {
    fn of(bytes: &[u8], widths: Widths) -> Option<Leaf<'_>> {
        let count = two(bytes, 2)?;
        is_leaf(bytes).then_some(Leaf { bytes, widths, count })
    }
    fn key_ends(&self) -> usize {
        4
    }
    fn value_ends(&self) -> usize {
        4 + if self.widths.0.is_none() { 4 * self.count } else { 0 }
    }
    fn keys(&self) -> usize {
        self.value_ends() + if self.widths.1.is_none() { 4 * self.count } else { 0 }
    }
    fn key_end(&self, row: usize) -> Option<usize> {
        match self.widths.0 {
            Some(width) => Some(self.keys() + width * (row + 1)),
            None => four(self.bytes, self.key_ends() + 4 * row),
        }
    }
    fn value_end(&self, row: usize) -> Option<usize> {
        match self.widths.1 {
            Some(width) => Some(self.key_end(self.count.checked_sub(1)?)? + width * (row + 1)),
            None => four(self.bytes, self.value_ends() + 4 * row),
        }
    }
    /// Where the ends stand that say where a row is, its key and its value.
    fn row(&self, row: usize) -> Option<([Range<usize>; 4], Range<usize>, Range<usize>)> {
        let (key, value) = match row.checked_sub(1) {
            Some(before) => (self.key_end(before)?, self.value_end(before)?),
            None => (self.keys(), self.key_end(self.count.checked_sub(1)?)?),
        };
        let ends = |fixed: Option<usize>, start: usize, row: usize| match fixed {
            Some(_) => 0..0,
            None => start + 4 * row.saturating_sub(1)..start + 4 * (row + 1),
        };
        let last = self.count - 1;
        let used = [
            ends(self.widths.0, self.key_ends(), row),
            ends(self.widths.1, self.value_ends(), row),
            ends(self.widths.0, self.key_ends(), last),
            0..4,
        ];
        Some((used, key..self.key_end(row)?, value..self.value_end(row)?))
    }
}

/// How long a leaf says it is.
pub(super) fn length(page: &[u8], widths: Widths) -> Option<usize> {
    let leaf = Leaf::of(page, widths)?;
    leaf.value_end(leaf.count.checked_sub(1)?)
}

/// Gives the rows of a leaf, one or more pages of it, that are all there. `lost` says which bytes are not.
pub(super) fn rows(
    bytes: &[u8],
    widths: Widths,
    lost: &dyn Fn(&Range<usize>) -> bool,
    visit: &mut dyn FnMut(&[u8], &[u8]),
) {
    let Some(leaf) = Leaf::of(bytes, widths) else { return };
    for row in 0..leaf.count {
        let Some((used, key, value)) = leaf.row(row) else { continue };
        if used.iter().chain([&key, &value]).any(|range| !range.is_empty() && lost(range)) {
            continue;
        }
        if let (Some(key), Some(value)) = (bytes.get(key), bytes.get(value)) {
            visit(key, value);
        }
    }
}

/// The children of a branch, as they are written.
pub(super) fn children(page: &[u8]) -> Vec<u64> {
    let Some(keys) = two(page, 2).filter(|_| is_branch(page)) else { return Vec::new() };
    let first = 8 + 16 * (keys + 1);
    (0..=keys).map_while(|child| eight(page, first + 8 * child)).collect()
}

/// How the engine numbers its pages: the first page of the file is its own, then regions follow.
#[derive(Clone, Copy)]
pub(super) struct Geometry {
    /// Pages of a region.
    region: u64,
    /// Of those, how many the region keeps for itself.
    header: u64,
}

/// What the first page of the engine says.
pub(super) struct Front {
    pub(super) geometry: Geometry,
    /// The root of the tree of tables, as it is written; None where there are no tables.
    pub(super) root: Option<u64>,
}

impl Geometry {
    /// Where the first page is lost: one region, which has no header.
    pub(super) const USUAL: Geometry = Geometry { region: 1 << 20, header: 0 };

    /// The pages that a number as it is written means: the first one, and how many.
    pub(super) fn pages(self, number: u64) -> Option<Range<u32>> {
        let order = (number >> 59) as u32;
        if order > MOST_ORDER {
            return None;
        }
        let index = (number & (0xf_ffff >> order)) << order;
        let region = number >> 20 & 0xf_ffff;
        let first = u32::try_from(1 + region * self.region + self.header + index).ok()?;
        Some(first..first.checked_add(1 << order)?)
    }
}

/// Reads the first page.
pub(super) fn front(page: &[u8]) -> Option<Front> {
    if page.get(..9)? != b"redb\x1a\x0a\xa9\x0d\x0a" {
        return None;
    }
    let (header, most) = (four(page, 16)? as u64, four(page, 20)? as u64);
    let slot = if page.get(9)? & 1 == 0 { 64 } else { 192 };
    let root = if *page.get(slot + 1)? != 0 { Some(eight(page, slot + 8)?) } else { None };
    Some(Front { geometry: Geometry { region: header + most, header }, root })
}

/// What the tree of tables says of one: how many rows it has, and its root.
pub(super) fn definition(value: &[u8]) -> Option<(u64, Option<u64>)> {
    let root = if *value.get(9)? != 0 { Some(eight(value, 10)?) } else { None };
    Some((eight(value, 1)?, root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDTHS: [Widths; 5] =
        [(None, None), (Some(8), None), (Some(5), None), (Some(13), Some(10)), (Some(12), Some(0))];

    /// A leaf as the engine writes it.
    fn leaf(rows: &[(Vec<u8>, Vec<u8>)], widths: Widths) -> Vec<u8> {
        let mut out = vec![1, 0];
        out.extend((rows.len() as u16).to_le_bytes());
        let fixed = usize::from(widths.0.is_none()) + usize::from(widths.1.is_none());
        let mut at = 4 + 4 * rows.len() * fixed;
        let mut ends = |is_free: bool, parts: &mut dyn Iterator<Item = &Vec<u8>>| {
            for part in parts {
                at += part.len();
                if is_free {
                    out.extend((at as u32).to_le_bytes());
                }
            }
        };
        ends(widths.0.is_none(), &mut rows.iter().map(|row| &row.0));
        ends(widths.1.is_none(), &mut rows.iter().map(|row| &row.1));
        rows.iter().for_each(|row| out.extend(&row.0));
        rows.iter().for_each(|row| out.extend(&row.1));
        out
    }

    fn read(bytes: &[u8], widths: Widths, lost: &dyn Fn(&Range<usize>) -> bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        rows(bytes, widths, lost, &mut |key, value| found.push((key.to_vec(), value.to_vec())));
        found
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_the_engines_pages_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..9000), sort in 0_u8..4, many in any::<bool>(),
        ) {
            if let Some(first) = bytes.first_mut() {
                *first = sort;
            }
            if !many && bytes.len() > 4 {
                bytes[3] = 0; // few rows, so that some of them may lie inside
            }
            for widths in WIDTHS {
                rows(&bytes, widths, &|range| range.start > 5000, &mut |key, value| {
                    assert!(key.len() <= bytes.len() && value.len() <= bytes.len());
                });
                let _ = length(&bytes, widths);
            }
            for child in children(&bytes) {
                let _ = Geometry::USUAL.pages(child);
                let _ = Geometry { region: u64::from(u32::MAX), header: 9 }.pages(child);
            }
            let _ = (front(&bytes), definition(&bytes));
        }

        #[test]
        fn every_row_of_a_leaf_is_read_and_of_one_with_a_hole_those_outside_it(
            texts in prop::collection::vec((prop::collection::vec(any::<u8>(), 20), 0..15_usize, 0..20_usize), 1..40), which in 0..5_usize, hole in 0..800_usize,
        ) {
            let widths = WIDTHS[which];
            let all: Vec<(Vec<u8>, Vec<u8>)> = texts.iter().map(|(text, key, value)| {
                (text[..widths.0.unwrap_or(*key)].to_vec(), text[..widths.1.unwrap_or(*value)].to_vec())
            }).collect();
            let bytes = leaf(&all, widths);
            prop_assert_eq!(read(&bytes, widths, &|_| false), all.clone());
            prop_assert_eq!(length(&bytes, widths), Some(bytes.len()));
            let hole = 4 + hole..24 + hole;
            let mut damaged = bytes.clone();
            damaged.iter_mut().enumerate().filter(|(at, _)| hole.contains(at)).for_each(|(_, byte)| *byte = 0xee);
            let touches = |range: &Range<usize>| range.start < hole.end && hole.start < range.end;
            let found = read(&damaged, widths, &touches);
            let mut rest = all.iter();
            for row in &found {
                prop_assert!(rest.any(|one| one == row));
            }
            if hole.start >= bytes.len() {
                prop_assert_eq!(found.len(), all.len());
            }
        }
    }
}
