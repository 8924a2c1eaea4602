//! A patient's records under new keys: for when a key may have become known.

use super::layout;
use super::{Change, ReadView, Table, pair, patient_row};
use crate::error::{Code, Result};
use crate::record::Compartment;
use crate::vault::RowKind;

/// What was sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Whose chart.
    pub patient: u32,
    /// Compartments, each with a new key.
    pub compartments: u64,
    /// Blocks of records.
    pub blocks: u64,
    /// Segments of the index.
    pub segments: u64,
}

impl Change<'_> {
    /// Gives each compartment of a patient a new key and seals blocks and index under it; places and bytes stay as they are.
    /// All that is pending in this change set is written first.
    ///
    /// # Errors
    /// - `not-found`: there is no such patient. `corrupt`: something does not open. Of the backend.
    pub(crate) fn renew(&mut self, id: &str) -> Result<Renewed> {
        self.flush()?;
        let row = self.rows.get(Table::PatientName, &self.store.name_key(id))?.ok_or_else(|| Code::NotFound.error())?;
        let patient = u32::from_be_bytes(row.as_slice().try_into().map_err(|_| Code::Corrupt.error())?);
        let mut done = Renewed { patient, ..Renewed::default() };
        for compartment in Compartment::ALL {
            let chart = (patient, compartment as u8);
            if self.rows.get(Table::Patient, &patient_row(chart))?.is_some() {
                self.renew_chart(chart, &mut done)?;
            }
        }
        self.renew_group(patient)?;
        Ok(done)
    }

    fn renew_chart(&mut self, chart: (u32, u8), done: &mut Renewed) -> Result<()> {
        let store = self.store;
        let old = store.patient_key(&self.rows, chart, false)?;
        let (new, wrapped) = store.new_patient_key(&mut self.rows, chart)?;
        let (first, last) = layout::numbers(chart.1);
        let (from, to) = (pair((chart.0, first)), [&pair((chart.0, last))[..], &[0]].concat());
        for (table, kind) in [(Table::Block, RowKind::Block), (Table::Index, RowKind::Index)] {
            let mut numbers = Vec::new();
            self.rows.range(table, &from, &to, &mut |key, _| {
                numbers.extend(key.last_chunk().map(|number| u32::from_be_bytes(*number)));
                true
            })?;
            for number in numbers {
                let row = pair((chart.0, number));
                let packed = self.rows.get(table, &row)?.ok_or_else(|| Code::Corrupt.error())?;
                let context = store.chart_context(kind, (chart.0, number));
                let sealed = store.with_packer(|packer| {
                    let plain = packer.unpack(&old, &context, &packed)?;
                    packer.pack(&new, &context, &plain, &*store.random)
                })?;
                self.rows.mine.put(table, row.to_vec(), sealed);
                *(if table == Table::Block { &mut done.blocks } else { &mut done.segments }) += 1;
            }
        }
        for (key, context) in self.asides_of(chart)? {
            let packed = self.rows.get(Table::Lifecycle, &key)?.ok_or_else(|| Code::Corrupt.error())?;
            let sealed = store.with_packer(|packer| {
                let plain = packer.unpack(&old, &context, &packed)?;
                packer.pack(&new, &context, &plain, &*store.random)
            })?;
            self.rows.mine.put(Table::Lifecycle, key, sealed);
        }
        self.rows.mine.put(Table::Patient, patient_row(chart).to_vec(), wrapped);
        self.charts.remove(&chart);
        self.forgotten.push(chart);
        done.compartments += 1;
        Ok(())
    }
}
