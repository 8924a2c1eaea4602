//! Charts out: as a Bundle, as NDJSON by type.

use crate::audit::Event;
use crate::ehr::{Path as Route, Session};
use crate::error::{Code, Result};
use crate::lifecycle::travelling;
use crate::schema::ResourceType;
use crate::store::Stored;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportSummary {
    /// Records by type.
    pub records: BTreeMap<&'static str, u64>,
    /// Bytes written.
    pub bytes: u64,
}

impl ExportSummary {
    /// All records.
    pub fn total(&self) -> u64 {
        self.records.values().sum()
    }
}

impl Session {
    /// A patient's chart as a Bundle of type collection; each record stands in it byte for byte as it was stored. A denied request to
    /// amend one of them goes along, with the patient's statement, as a Communication beside it.
    ///
    /// # Errors
    /// - `not-found`, `denied`, `audit-unavailable`.
    pub fn export_chart(&self, patient: &str) -> Result<Vec<u8>> {
        let mut pass = self.enter_at(Route::ExportChart, ResourceType::PATIENT, patient)?;
        let found = pass.gate().and_then(|gate| {
            let chart = gate.chart_of(patient);
            gate.tell(&mut pass.event);
            let chart = chart?;
            let statements = travelling(&gate, chart[0].patient(), &chart)?;
            Ok((chart, statements))
        });
        let (chart, statements) = pass.show_chart(found)?;
        Ok(bundle(&chart, &statements))
    }

    /// Everything as NDJSON: a file `Type.ndjson` for each type in `folder`, which must exist.
    ///
    /// A record that was stored on one line is written byte for byte; one that was stored with line breaks loses the white
    /// space between its values, since NDJSON is one record a line, and nothing else.
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`, `io`, `cancelled`, `deadline`: then no file is left, and none of before is touched.
    pub fn export_ndjson(&self, folder: &Path) -> Result<ExportSummary> {
        let pass = self.enter_for_all(Route::ExportAll)?;
        // An export is recorded before its first byte is written.
        pass.note_now(pass.event.clone())?;
        let mut files = Parts { folder, files: BTreeMap::new() };
        let mut summary = ExportSummary::default();
        let gate = pass.gate()?;
        let mut line = Vec::new();
        let communication = ResourceType::from_name("Communication").ok_or_else(|| Code::Internal.error())?;
        for patient in gate.patients()? {
            let chart = gate.chart(patient)?;
            for statement in travelling(&gate, patient, &chart)? {
                files.of(communication)?.write_all(&[statement.as_slice(), b"\n"].concat())?;
                *summary.records.entry(communication.name()).or_default() += 1;
                summary.bytes += statement.len() as u64 + 1;
            }
            for stored in chart {
                line.clear();
                if memchr::memchr2(b'\n', b'\r', stored.bytes()).is_none() {
                    line.extend_from_slice(stored.bytes());
                } else {
                    stored.record()?.write_json(&mut line);
                }
                line.push(b'\n');
                files.of(stored.kind())?.write_all(&line)?;
                *summary.records.entry(stored.kind().name()).or_default() += 1;
                summary.bytes += line.len() as u64;
            }
        }
        files.finish()?;
        pass.note_now(Event { count: summary.total(), ..pass.event.clone() })?;
        Ok(summary)
    }
}

/// The files of an export under way, under names of their own until all is written.
struct Parts<'a> {
    folder: &'a Path,
    files: BTreeMap<ResourceType, BufWriter<File>>,
}

impl Parts<'_> {
    fn part(&self, kind: ResourceType) -> PathBuf {
        self.folder.join(format!("{kind}.ndjson.part"))
    }

    fn of(&mut self, kind: ResourceType) -> Result<&mut BufWriter<File>> {
        let path = self.part(kind);
        Ok(match self.files.entry(kind) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(BufWriter::new(File::create(path)?)),
        })
    }

    /// Gives the files their names.
    fn finish(mut self) -> Result<()> {
        for file in self.files.values_mut() {
            file.flush()?;
        }
        while let Some((kind, file)) = self.files.pop_first() {
            drop(file);
            std::fs::rename(self.part(kind), self.folder.join(format!("{kind}.ndjson")))?;
        }
        Ok(())
    }
}

impl Drop for Parts<'_> {
    fn drop(&mut self) {
        for kind in self.files.keys() {
            let _ = std::fs::remove_file(self.part(*kind)); // what was not finished
        }
    }
}

/// A Bundle of type collection around records as they are, and what goes along with them.
pub(crate) fn bundle(records: &[Stored], beside: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.iter().map(|record| record.bytes().len() + 80).sum::<usize>() + 100);
    out.extend_from_slice(b"{\"resourceType\":\"Bundle\",\"type\":\"collection\"");
    let resources = records.iter().map(|record| (record.id(), record.bytes()));
    let mut first = true;
    for (id, bytes) in resources.chain(beside.iter().map(|bytes| ("", bytes.as_slice()))) {
        out.extend_from_slice(if first { b",\"entry\":[\n{" } else { b",\n{" });
        first = false;
        if is_uuid(id) {
            out.extend_from_slice(format!("\"fullUrl\":\"urn:uuid:{id}\",").as_bytes());
        }
        out.extend_from_slice(b"\"resource\":");
        out.extend_from_slice(bytes);
        out.push(b'}');
    }
    out.extend_from_slice(if first { b"}" } else { b"\n]}" });
    out
}

pub(crate) fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit() && !b.is_ascii_uppercase(),
        })
}
