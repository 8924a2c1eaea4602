//! Records that moved from one chart to another, when one of the charts is destroyed.
//!
//! A version lies in the chart of the patient it named when it was written. A record that was entered for the wrong patient and set
//! right has versions in two charts, under two keys, and all of them say what is known of the patient it belongs to now. So the record
//! goes as a whole with the patient who has it: what it said in other charts is taken out of their blocks, and what the file keeps of
//! those rows is wiped. Of a record that somebody else has now, what lies in the destroyed chart goes, and so does what came before
//! in further charts, which nothing leads to any more; what it says in the chart where it is stays, and is named.

use super::change::{Newest, read_id_row};
use super::destroy::{Places, tokens_of};
use super::shred::Traces;
use super::{Change, ReadView, Table};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::record::Record;
use crate::schema::ResourceType;
use std::collections::BTreeSet;

/// A record that was in a chart which was shredded, and is in another.
#[derive(Clone, PartialEq, Eq)]
pub struct Moved {
    /// The type.
    pub kind: ResourceType,
    /// The id.
    pub id: String,
    /// Whose it is now; of a compartment that was shredded it may be the same patient's.
    pub patient: PatientNumber,
    /// How many versions stay.
    pub versions: u64,
}

impl std::fmt::Debug for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Moved({}, {} versions)", self.kind, self.versions)
    }
}

/// What lies elsewhere of the records of a chart.
#[derive(Default)]
pub(super) struct Lines {
    /// Versions that go with the chart.
    pub(super) doomed: Places,
    /// The tokens they have.
    pub(super) terms: BTreeSet<[u8; 12]>,
    /// Whose charts they lie in.
    pub(super) whose: BTreeSet<u32>,
    /// The records they are of.
    pub(super) taken: BTreeSet<(ResourceType, String)>,
    /// Records that stay.
    pub(super) moved: Vec<Moved>,
}

impl Change<'_> {
    /// Follows the records of charts that are to be destroyed into other charts.
    ///
    /// # Errors
    /// - `hold`, with whom to ask: it covers a version that would go. Of the backend.
    pub(super) fn lines(&mut self, gone: &[(u32, u8)], traces: &mut Traces) -> Result<Lines> {
        let mut lines = Lines::default();
        for key in &traces.ids {
            let Some(row) = self.rows.get(Table::Id, key)? else { continue };
            let is_here = gone.contains(&read_id_row(&row)?.chart());
            if is_here && !traces.leads.contains(key) {
                continue;
            }
            let (line, damaged) = self.line(key)?;
            traces.damaged += damaged;
            let Some(newest) = line.first() else { continue };
            let (kind, id) = newest.name()?;
            let is_gone = |one: &Newest| gone.contains(&one.place.chart());
            let reached = line.iter().take_while(|one| !is_gone(one)).count();
            if reached > 0 {
                let patient = PatientNumber(newest.place.patient);
                lines.moved.push(Moved { kind, id: id.clone(), patient, versions: reached as u64 });
            }
            for one in line[reached..].iter().filter(|one| !is_gone(one)) {
                if reached > 0 && one.place.patient == newest.place.patient {
                    continue; // it goes with the chart the record is in
                }
                self.refuse_held(one.place.patient, kind, &id)?;
                let block = (one.place.patient, one.place.block);
                lines.doomed.entry(block).or_default().insert(one.place.slot);
                lines.whose.insert(one.place.patient);
                if reached == 0 {
                    lines.taken.insert((kind, id.clone()));
                }
                if !one.slot().deleted {
                    tokens_of(self.store, one.place.patient, &Record::parse(one.hidden_bytes())?, &mut lines.terms);
                }
            }
        }
        Ok(lines)
    }

    /// The versions of a record, newest first, as far as they open and are of that record, and how many blocks did not or are not.
    fn line(&self, key: &[u8; 13]) -> Result<(Vec<Newest>, u64)> {
        let mut line: Vec<Newest> = Vec::new();
        loop {
            let next = match line.last() {
                None => self.newest(key),
                Some(last) => self.before(last),
            };
            match next {
                // A row that was pointed at another record does not take that one along.
                Ok(Some(next)) if next.name().is_ok_and(|(kind, id)| self.store.id_key(kind, &id) == *key) => {
                    line.push(next);
                }
                Ok(Some(_)) => return Ok((line, 1)),
                Ok(None) => return Ok((line, 0)),
                Err(error) if matches!(error.code(), Code::Corrupt | Code::WrongKey | Code::Erased) => {
                    return Ok((line, 1));
                }
                Err(error) => return Err(error),
            }
        }
    }
}
