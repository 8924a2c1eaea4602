//! The engine's trees in a damaged storage: what is reached from the root, and what is found by looking at every page.

use super::leaf::{self, Geometry, Widths};
use crate::store::Table;
use crate::store::embedded::name;
use crate::store::pages::{PAGE, Wreck};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

/// How deep a tree is looked into.
const MOST_DEPTH: u32 = 32;
/// Pages that one value found outside the trees may take.
const MOST_PAGES: usize = 1 << 14;
const TABLES: usize = Table::ALL.len();

/// The trees of a damaged storage.
pub(super) struct Trees<'w> {
    wreck: &'w Wreck,
    geometry: Geometry,
    /// Of each table the number of its rows and its root.
    roots: [Option<(u64, Option<u64>)>; TABLES],
    /// Whether the roots are those of the last commit for sure.
    pub(super) exact: bool,
    /// Whether the one page that is lost is none that can have rows.
    pub(super) rows_whole: bool,
    visited: RefCell<HashSet<u32>>,
}

/// What became of a tree.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    /// Pages that are lost, or are no pages of a tree.
    pub(super) lost: u64,
    /// Rows that were reached.
    pub(super) rows: u64,
}

/// Some pages, and which of them are lost.
struct Span {
    bytes: Vec<u8>,
    lost: Vec<bool>,
}

impl Span {
    fn is_lost(&self, range: &Range<usize>) -> bool {
        let end = range.end.div_ceil(PAGE).max(range.start / PAGE + 1);
        (range.start / PAGE..end).any(|page| self.lost.get(page).copied().unwrap_or(true))
    }
    fn rows(&self, widths: Widths, visit: &mut dyn FnMut(&[u8], &[u8])) {
        leaf::rows(&self.bytes, widths, &|range| self.is_lost(range), visit);
    }
}

impl<'w> Trees<'w> {
    /// Finds the roots. Where the engine's first page or its list of tables is lost, those of an earlier commit are taken: `commit` says
    /// how new the rows of a table meta are.
    pub(super) fn find(wreck: &'w Wreck, commit: &dyn Fn(&[u8]) -> Option<u64>) -> Trees<'w> {
        let mut first = vec![0; PAGE];
        let front = if wreck.page(0, &mut first) { leaf::front(&first) } else { None };
        let geometry = front.as_ref().map_or(Geometry::USUAL, |front| front.geometry);
        let visited = RefCell::default();
        let mut trees = Trees { wreck, geometry, roots: [None; TABLES], exact: false, rows_whole: false, visited };
        let root = front.as_ref().and_then(|front| front.root);
        if front.is_some() {
            let mut roots = [None; TABLES];
            let walked = trees.walk(root, (None, None), &mut |key, value| define(&mut roots, key, value));
            trees.exact = walked.lost == 0 && wreck.is_newest();
            trees.roots = roots;
        }
        if !trees.exact {
            let only = root.and_then(|root| geometry.pages(root)).filter(|_| front.is_some()).unwrap_or(0..1);
            trees.rows_whole = wreck.knows_all() && wreck.lost().iter().all(|page| only.contains(page));
            trees.roots = trees.earlier(commit);
        }
        trees
    }

    /// The newest list of tables among all pages.
    fn earlier(&self, commit: &dyn Fn(&[u8]) -> Option<u64>) -> [Option<(u64, Option<u64>)>; TABLES] {
        let mut best = (0, [None; TABLES]);
        for page in 1..self.wreck.end() {
            let Some(span) = self.span(page..page + 1) else { continue };
            let mut roots = [None; TABLES];
            span.rows((None, None), &mut |key, value| define(&mut roots, key, value));
            let Some((length, Some(root))) = roots[Table::Meta as usize] else { continue };
            let mut newest = None;
            let walked = self.walk(Some(root), Table::Meta.widths(), &mut |key, value| {
                if key == crate::store::STATE {
                    newest = commit(value);
                }
            });
            if let Some(newest) = newest.filter(|newest| walked.lost == 0 && walked.rows == length && *newest > best.0)
            {
                best = (newest, roots);
            }
        }
        best.1
    }

    /// How many rows a table has, where that is known.
    pub(super) fn length(&self, table: Table) -> Option<u64> {
        // A table that is not in the list was never written to.
        if self.exact { Some(self.roots[table as usize].map_or(0, |(length, _)| length)) } else { None }
    }

    /// Visits the rows of a table that are reached from its root.
    pub(super) fn table(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Walked {
        let Some((length, root)) = self.roots[table as usize] else {
            return Walked { lost: u64::from(!self.exact), rows: 0 };
        };
        if !self.exact {
            // Pages that an earlier commit gave up may have been written since, by another table too: its keys are not in order then.
            let (mut before, mut in_order) = (None::<Vec<u8>>, true);
            let walked = self.walk(root, table.widths(), &mut |key, _| {
                in_order &= before.as_deref().is_none_or(|before| before < key);
                before = Some(key.to_vec());
            });
            if walked.lost > 0 || walked.rows != length || !in_order {
                return Walked { lost: 1, rows: 0 };
            }
        }
        self.walk(root, table.widths(), visit)
    }

    fn walk(&self, root: Option<u64>, widths: Widths, visit: &mut dyn FnMut(&[u8], &[u8])) -> Walked {
        let (mut walked, mut seen) = (Walked::default(), BTreeSet::new());
        let mut ahead: Vec<(u64, u32)> = root.map(|root| (root, 0)).into_iter().collect();
        while let Some((number, depth)) = ahead.pop() {
            let pages = self.geometry.pages(number).filter(|pages| pages.end <= self.wreck.end());
            let Some(pages) = pages.filter(|pages| depth < MOST_DEPTH && seen.insert(pages.start)) else {
                walked.lost += 1;
                continue;
            };
            self.visited.borrow_mut().extend(pages.clone());
            let Some(span) = self.span(pages) else {
                walked.lost += 1;
                continue;
            };
            walked.lost += span.lost.iter().filter(|lost| **lost).count() as u64;
            if leaf::is_leaf(&span.bytes) {
                span.rows(widths, &mut |key, value| {
                    walked.rows += 1;
                    visit(key, value);
                });
            } else if leaf::is_branch(&span.bytes) {
                ahead.extend(leaf::children(&span.bytes).into_iter().rev().map(|child| (child, depth + 1)));
            } else {
                walked.lost += 1;
            }
        }
        walked
    }

    /// Some pages; None where the first of them is lost.
    fn span(&self, pages: Range<u32>) -> Option<Span> {
        let mut span = Span { bytes: vec![0; pages.len() * PAGE], lost: Vec::with_capacity(pages.len()) };
        for (page, out) in pages.zip(span.bytes.chunks_mut(PAGE)) {
            let there = self.wreck.page(page, out);
            if !there {
                out.fill(0);
            }
            span.lost.push(!there);
        }
        if span.lost.first() == Some(&false) { Some(span) } else { None }
    }

    /// Visits what looks like a row in pages that no walk came to, and in what pages said before.
    pub(super) fn beside(&self, widths: &[Widths], visit: &mut dyn FnMut(Widths, &[u8], &[u8])) {
        for page in 1..self.wreck.end() {
            if self.exact && self.visited.borrow().contains(&page) {
                continue;
            }
            let Some(span) = self.span(page..page + 1).filter(|span| leaf::is_leaf(&span.bytes)) else { continue };
            for widths in widths {
                let length = leaf::length(&span.bytes, *widths).unwrap_or(0);
                let pages = length.div_ceil(PAGE).clamp(1, MOST_PAGES) as u32;
                let longer =
                    if pages > 1 { self.span(page..page.saturating_add(pages).min(self.wreck.end())) } else { None };
                longer.as_ref().unwrap_or(&span).rows(*widths, &mut |key, value| visit(*widths, key, value));
            }
        }
        self.wreck.each_stale(&mut |bytes| {
            for widths in widths {
                leaf::rows(bytes, *widths, &|_| false, &mut |key, value| visit(*widths, key, value));
            }
        });
    }
}

fn define(roots: &mut [Option<(u64, Option<u64>)>; TABLES], key: &[u8], value: &[u8]) {
    if let Some(table) = Table::ALL.into_iter().find(|table| name(*table).as_bytes() == key) {
        roots[table as usize] = leaf::definition(value);
    }
}
