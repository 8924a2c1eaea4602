//! Searching a snapshot: indexes narrow, the record decides, pages follow in a stable order.

use super::layout::{Entry, Place, Segment};
use super::snapshot::{Snapshot, Stored};
use super::terms::{Probe, term};
use super::{Table, change::read_id_row};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::{ResourceType, SearchKind, SearchParameter};
use crate::search::{Condition, Modifier, Query, Sort, SortKey, Target, Wanted};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Who may see what, for a search: asked before anything is matched, sorted or counted.
pub trait Admission {
    /// Whether records of this type and patient may be looked at at all.
    ///
    /// # Errors
    /// - of the backend.
    fn patient(&self, kind: ResourceType, patient: PatientNumber) -> Result<bool>;
    /// The record as it may be seen, which can be with less in it; None: as if it were not there.
    ///
    /// # Errors
    /// - of the backend.
    fn record(&self, stored: Stored) -> Result<Option<Stored>>;
}

/// Everything may be seen.
impl Admission for () {
    fn patient(&self, _: ResourceType, _: PatientNumber) -> Result<bool> {
        Ok(true)
    }
    fn record(&self, stored: Stored) -> Result<Option<Stored>> {
        Ok(Some(stored))
    }
}

/// Where the next page of results starts.
///
/// Pages may be read from snapshots of different times: what was there at the first page and still matches comes once;
/// what was written for the first time since does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    place: Place,
    /// Change sets from this number on are later than the first page.
    before: u64,
    /// How many results came before, for searches with an order of their own.
    offset: u32,
}

impl Cursor {
    /// As text that stays the same for ever. It holds numbers only.
    pub fn to_text(self) -> String {
        let Place { patient, block, slot } = self.place;
        format!("{patient}.{block}.{slot}.{}.{}", self.before, self.offset)
    }
    /// Reads [`Cursor::to_text`].
    ///
    /// # Errors
    /// - `query-invalid`.
    pub fn from_text(text: &str) -> Result<Cursor> {
        let mut parts = text.split('.');
        let mut next = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let read = (|| {
            let place = Place {
                patient: next()?.try_into().ok()?,
                block: next()?.try_into().ok()?,
                slot: next()?.try_into().ok()?,
            };
            Some(Cursor { place, before: next()?, offset: next()?.try_into().ok()? })
        })();
        read.filter(|_| parts.next().is_none())
            .ok_or_else(|| Code::QueryInvalid.error().expected("a cursor that a page gave"))
    }
}

/// A page of results. Without `_sort` the order is by patient, then as written.
#[derive(Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<Stored>,
    /// Where the next page starts; None on the last.
    pub next: Option<Cursor>,
}

/// The index of one patient as a whole.
pub(super) struct PatientIndex {
    segments: Vec<Arc<Segment>>,
    dead: HashSet<(u32, u16)>,
}

impl PatientIndex {
    /// Type, block and slot of every current record.
    pub(super) fn alive(&self) -> impl Iterator<Item = (u8, u32, u16)> {
        self.segments.iter().flat_map(|segment| &segment.records).filter_map(|&(block, slot, kind)| {
            (self.dead.is_empty() || !self.dead.contains(&(block, slot))).then_some((kind, block, slot))
        })
    }
}

impl Snapshot<'_> {
    /// A page of the records that match, at most `count` of them, from `from` on.
    ///
    /// `admission` says which patients may be looked at: the others are passed over before anything of theirs is opened. Of
    /// the records of those it gives what is matched and shown in their place.
    ///
    /// # Errors
    /// - of the backend; `corrupt`.
    pub fn search(&self, query: &Query, from: Option<Cursor>, count: usize, admission: &dyn Admission) -> Result<Page> {
        if !query.sort.is_empty() {
            return self.sorted(query, from, count, admission);
        }
        let mut page = Page { records: Vec::new(), next: None };
        let mut next = None;
        self.each_match(query, from, admission, &mut |place, stored| {
            if page.records.len() == count {
                next = Some(place);
                return false;
            }
            page.records.push(stored);
            true
        })?;
        if let Some(place) = next {
            page.next = Some(Cursor { place, before: self.first_page(from)?, offset: 0 });
        }
        Ok(page)
    }

    /// All matches are found and put in order, then the page is cut out: an order of one's own costs a look at every match.
    fn sorted(&self, query: &Query, from: Option<Cursor>, count: usize, admission: &dyn Admission) -> Result<Page> {
        let mut all: Vec<(Vec<SortKey>, Place)> = Vec::new();
        let mut failed = None;
        let whole = from.map(|from| Cursor { place: Place { patient: 0, block: 0, slot: 0 }, ..from });
        self.each_match(query, whole, admission, &mut |place, stored| match stored.record() {
            Ok(record) => {
                all.push((query.sort.iter().map(|sort| sort.key(&record, stored.at())).collect(), place));
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        all.sort_by(|a, b| compare(&query.sort, &a.0, &b.0).then(a.1.cmp(&b.1)));
        // Where the record that was to come next has changed its place since, the count of what came before says where to go on.
        let start = from.map_or(0, |from| {
            all.iter().position(|(_, place)| *place == from.place).unwrap_or(from.offset as usize).min(all.len())
        });
        let end = start.saturating_add(count).min(all.len());
        let mut records = Vec::with_capacity(end - start);
        for (_, place) in &all[start..end] {
            records.extend(admission.record(self.at(*place)?)?);
        }
        let next = match all.get(end) {
            Some((_, place)) => Some(Cursor { place: *place, before: self.first_page(from)?, offset: end as u32 }),
            None => None,
        };
        Ok(Page { records, next })
    }

    /// The number of the first change set that is later than the first page.
    fn first_page(&self, from: Option<Cursor>) -> Result<u64> {
        match from {
            Some(from) => Ok(from.before),
            None => Ok(self.store.read_state(&*self.view)?.next_commit),
        }
    }

    /// Gives every match from a place on, in the order of places, until `each` says false.
    fn each_match(
        &self,
        query: &Query,
        from: Option<Cursor>,
        admission: &dyn Admission,
        each: &mut dyn FnMut(Place, Stored) -> bool,
    ) -> Result<()> {
        let start = from.map_or(Place { patient: 0, block: 0, slot: 0 }, |from| from.place);
        let resolve = |address: &str| self.resolve(address).ok().flatten();
        let mut look = |place: Place| -> Result<bool> {
            let stored = self.at(place)?;
            // What changed since the first page stands where it stood then.
            let stood = match from {
                Some(from) => self.place_before(place, &stored, from.before)?,
                None => Some(place),
            };
            if stood.is_none_or(|stood| stood < start) || !stored.is_shown() || stored.kind() != query.kind {
                return Ok(true);
            }
            let Some(stored) = admission.record(stored)? else { return Ok(true) };
            if !query.conditions.is_empty() && !query.matches(&stored.record()?, stored.at(), &resolve) {
                return Ok(true);
            }
            Ok(each(place, stored))
        };
        if let Some(places) = self.by_id(query)? {
            for place in places {
                if admission.patient(query.kind, PatientNumber(place.patient))? && !look(place)? {
                    break;
                }
            }
            return Ok(());
        }
        for patient in self.candidates(query, start.patient)? {
            if !admission.patient(query.kind, PatientNumber(patient))? {
                continue;
            }
            for (block, slot) in self.matching(patient, query, &resolve)? {
                if !look(Place { patient, block, slot })? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Where the version before the given change set stands; None where there was none.
    fn place_before(&self, place: Place, stored: &Stored, before: u64) -> Result<Option<Place>> {
        let (mut place, mut stored) = (place, stored.clone());
        while stored.commit() >= before {
            let Some(earlier) = stored.before() else { return Ok(None) };
            stored = match self.at(earlier) {
                // Where it stood then is shredded: it stands where it stands now.
                Err(error) if error.code() == Code::Erased => break,
                found => found?,
            };
            place = earlier;
        }
        Ok(Some(place))
    }

    /// The places of the ids asked for, where the query names ids.
    fn by_id(&self, query: &Query) -> Result<Option<BTreeSet<Place>>> {
        let Some(condition) = query.conditions.iter().find(|condition| matches!(condition.target, Target::Id)) else {
            return Ok(None);
        };
        let mut places = BTreeSet::new();
        for wanted in &condition.wanted {
            let Wanted::Token(_, Some(id)) = wanted else { continue };
            if let Some(row) = self.view.get(Table::Id, &self.store.id_key(query.kind, id))? {
                places.insert(read_id_row(&row)?);
            }
        }
        Ok(Some(places))
    }

    /// The patients, from a number on, that can have a match: by the most telling terms of the global index.
    fn candidates(&self, query: &Query, start: u32) -> Result<Vec<u32>> {
        let mut all: Option<BTreeSet<u32>> = None;
        let mut narrow = |found: BTreeSet<u32>| {
            all = Some(match all.take() {
                Some(before) => before.intersection(&found).copied().collect(),
                None => found,
            });
        };
        for condition in &query.conditions {
            if let Some(patients) = self.compartments(query.kind, condition)? {
                narrow(patients);
            } else if let Some(terms) =
                condition.wanted.iter().map(|wanted| term(condition, wanted)).collect::<Option<Vec<_>>>()
            {
                let mut found = BTreeSet::new();
                for (label, text) in terms {
                    self.holders(label, &text, start, &mut found)?;
                }
                narrow(found);
            }
        }
        let found = match all {
            Some(found) => found,
            None => {
                let mut found = BTreeSet::new();
                self.holders("type", query.kind.name(), start, &mut found)?;
                found
            }
        };
        Ok(found.into_iter().filter(|patient| *patient >= start).collect())
    }

    /// The patients, from a number on, who have a term.
    fn holders(&self, label: &str, text: &str, start: u32, found: &mut BTreeSet<u32>) -> Result<()> {
        let token = self.store.token_key(label, text);
        let (from, to) = ([&token[..], &start.to_be_bytes()].concat(), [&token[..], &[u8::MAX; 5]].concat());
        self.view.range(Table::Token, &from, &to, &mut |key, _| {
            if let Some(Ok(number)) = key.get(8..).map(<[u8; 4]>::try_from) {
                found.insert(u32::from_be_bytes(number));
            }
            true
        })
    }

    /// The compartments of the patients a condition names, where a record has one patient and the condition is about that.
    fn compartments(&self, kind: ResourceType, condition: &Condition) -> Result<Option<BTreeSet<u32>>> {
        let Target::Parameter(parameter) = condition.target else { return Ok(None) };
        let ([path], Some(own)) = (parameter.paths, kind.patient_paths().first()) else { return Ok(None) };
        let ([step], [first]) = (path.steps, own.steps) else { return Ok(None) };
        let single =
            crate::schema::key(kind.type_id(), step.name.as_bytes()).is_some_and(|key| !key.element.row().array);
        if step.name != first.name || !single || condition.modifier != Modifier::None {
            return Ok(None);
        }
        // The shared compartment has the records whose patient was not known when they were written.
        let mut found = BTreeSet::from([PatientNumber::SHARED.0]);
        for wanted in &condition.wanted {
            let Wanted::Reference(Some(ResourceType::PATIENT), id) = wanted else { return Ok(None) };
            found.extend(self.patient(id)?.map(|patient| patient.0));
        }
        Ok(Some(found))
    }

    pub(super) fn index(&self, patient: u32) -> Result<PatientIndex> {
        let mut made = PatientIndex { segments: Vec::new(), dead: HashSet::new() };
        for (number, _) in self.store.segment_numbers(&*self.view, patient)? {
            let segment = self.store.segment(
                &*self.view,
                (patient, number),
                None,
                self.keeps(Table::Index, (patient, number)),
            )?;
            made.dead.extend(&segment.dead);
            made.segments.push(segment);
        }
        Ok(made)
    }

    /// The places of a patient's records that can match, in order.
    fn matching(
        &self,
        patient: u32,
        query: &Query,
        resolve: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<(u32, u16)>> {
        let index = self.index(patient)?;
        let probes: Vec<(u16, Vec<Probe>)> = query
            .conditions
            .iter()
            .filter_map(|condition| match condition.target {
                // A record without any value can be what `:not` and `:missing` ask for: those the record alone decides.
                Target::Parameter(parameter) if !matches!(condition.modifier, Modifier::Not | Modifier::Missing) => {
                    let probes =
                        condition.wanted.iter().flat_map(|wanted| Probe::of(condition, wanted, resolve)).collect();
                    Some((index_number(parameter), probes))
                }
                _ => None,
            })
            .collect();
        let mut places = Vec::new();
        for segment in &index.segments {
            let mut keep: Vec<bool> = segment
                .records
                .iter()
                .map(|(block, slot, kind)| *kind == query.kind.number() && !index.dead.contains(&(*block, *slot)))
                .collect();
            for (number, probes) in &probes {
                if !keep.contains(&true) {
                    break;
                }
                let mut has = vec![false; keep.len()];
                for probe in probes {
                    let (from, to) = probe.range();
                    for entry in segment.between(*number, from, to).iter().filter(|entry| probe.fits(entry)) {
                        has[entry.record as usize] = true;
                    }
                }
                keep.iter_mut().zip(has).for_each(|(keep, has)| *keep &= has);
            }
            let kept = segment.records.iter().zip(keep).filter(|(_, keep)| *keep);
            places.extend(kept.map(|((block, slot, _), _)| (*block, *slot)));
        }
        places.sort_unstable();
        Ok(places)
    }
}

/// The number under which a parameter's values stand in the index of a patient.
fn index_number(parameter: &SearchParameter) -> u16 {
    parameter.number | if parameter.kind == SearchKind::Date { Entry::DATE } else { 0 }
}

fn compare(sorts: &[Sort], a: &[SortKey], b: &[SortKey]) -> Ordering {
    let keys = sorts.iter().zip(a.iter().zip(b));
    keys.map(|(sort, (a, b))| sort.order(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
