//! The access package (45 CFR 164.524): all that is kept about a patient that the patient may have, in one call.

use super::request::{Request, requests_of};
use super::statement::travelling;
use crate::access::{Purpose, Role};
use crate::audit::EventKind;
use crate::crypto::{Active, Provider};
use crate::ehr::{Gate, Pass, Path, Session};
use crate::error::Result;
use crate::exchange::bundle;
use crate::id::PatientNumber;
use crate::record::Value;
use crate::schema::ResourceType;
use crate::store::Stored;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// One access to a patient's records, as the audit log says.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessLine {
    /// The number of the audit event.
    pub event: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// In which role.
    pub role: Option<Role>,
    /// For which purpose.
    pub purpose: Option<Purpose>,
    /// What was done.
    pub kind: EventKind,
    /// The type of the record, where it was one.
    pub resource: Option<ResourceType>,
    /// The id of the record, where it was one and it is there still.
    pub id: String,
    /// To whom it was disclosed, where it was.
    pub recipient: String,
}

/// All that is kept about a patient, as far as the session may see it.
#[derive(Clone)]
pub struct AccessPackage {
    /// The patient's logical id.
    pub patient: String,
    /// When it was made.
    pub at: Timestamp,
    /// Every current record.
    pub records: Vec<Stored>,
    /// Every earlier version, where versions were asked for.
    pub versions: Vec<Stored>,
    /// Who accessed the records, oldest first.
    pub accesses: Vec<AccessLine>,
    /// The patient's requests, with what became of them.
    pub requests: Vec<Request>,
    /// Denied requests and statements of disagreement, as they go along with what is disclosed: FHIR Communications.
    pub statements: Vec<Vec<u8>>,
}

impl std::fmt::Debug for AccessLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessLine(event {})", self.event)
    }
}

impl std::fmt::Debug for AccessPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessPackage({} records)", self.records.len())
    }
}

impl Session {
    /// Makes the access package of a patient: every current record as it was stored, earlier versions where they are asked for, who
    /// accessed them, the patient's requests, and the statements that go along. What this session may not see is not in it.
    ///
    /// # Durability
    /// Its audit event is on disk before it is given.
    ///
    /// # Errors
    /// - `not-found`, `denied`, `audit-unavailable`, `audit-broken`.
    pub fn access_package(&self, patient: &str, versions: bool) -> Result<AccessPackage> {
        let mut pass = self.enter_at(Path::AccessPackage, ResourceType::PATIENT, patient)?;
        let found = packed(&mut pass, patient, versions);
        if let Ok(package) = &found {
            pass.event.patient = package.records[0].patient().0;
            pass.event.count = (package.records.len() + package.versions.len()) as u64;
        }
        pass.show(found)
    }
}

fn packed(pass: &mut Pass<'_>, patient: &str, versions: bool) -> Result<AccessPackage> {
    pass.flush()?; // events of reads that wait are part of the log
    let gate = pass.gate()?;
    let records = gate.chart_of(patient)?;
    let number = records[0].patient();
    let mut earlier = Vec::new();
    if versions {
        for record in &records {
            let all = gate.history(record.kind(), record.id())?;
            earlier.extend(all.into_iter().filter(|one| one.version() < record.version() && !one.is_deleted()));
        }
    }
    gate.tell(&mut pass.event);
    Ok(AccessPackage {
        patient: patient.to_owned(),
        at: pass.now(),
        accesses: accesses(pass, &gate, number)?,
        requests: requests_of(&gate, Some(number))?,
        statements: travelling(&gate, number, &records)?,
        records,
        versions: earlier,
    })
}

/// Audit events that are looked at together.
const EVENTS: usize = 4096;

fn accesses(pass: &Pass<'_>, gate: &Gate<'_>, patient: PatientNumber) -> Result<Vec<AccessLine>> {
    let (mut found, mut next) = (Vec::new(), 0);
    let mut seen: BTreeMap<(ResourceType, String), bool> = BTreeMap::new();
    loop {
        let events = pass.audit_events(next, EVENTS)?;
        let Some((last, _)) = events.last() else { return Ok(found) };
        next = last + 1;
        for (number, event) in events {
            if event.failed.is_some() || event.patient != patient.0 && !event.patients.contains(&patient.0) {
                continue;
            }
            // What names a record that this session may not see names nothing.
            let resource = match event.resource.filter(|_| !event.id.is_empty()) {
                None => None,
                Some(kind) => {
                    let key = (kind, event.id.clone());
                    let shown = match seen.get(&key) {
                        Some(shown) => *shown,
                        None => {
                            let shown = !gate.history(kind, &event.id)?.is_empty();
                            seen.insert(key, shown);
                            shown
                        }
                    };
                    shown.then_some(kind)
                }
            };
            found.push(AccessLine {
                event: number,
                at: event.at,
                role: Role::ALL.iter().copied().find(|role| *role as u8 == event.role),
                purpose: Purpose::ALL.iter().copied().find(|purpose| *purpose as u8 == event.purpose),
                actor: event.actor,
                kind: event.kind,
                id: if resource.is_some() { event.id } else { String::new() },
                resource,
                recipient: event.recipient,
            });
        }
    }
}

impl AccessPackage {
    /// Records and statements as one Bundle of type collection; each record byte for byte.
    pub fn bundle(&self) -> Vec<u8> {
        bundle(&self.records, &self.statements)
    }

    /// All of it as files: `chart.json` (the Bundle), `versions.ndjson`, `accesses.ndjson`, `requests.ndjson`, and `manifest.json`, which
    /// names each with its lines, bytes and SHA-256.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let lines = |all: Vec<Value>| {
            let mut out = Vec::new();
            for value in all {
                value.write_json(&mut out);
                out.push(b'\n');
            }
            out
        };
        let mut versions = Vec::new();
        for stored in &self.versions {
            match stored.record() {
                Ok(record) => record.write_json(&mut versions),
                Err(_) => continue, // a version that was sealed and opened is a record
            }
            versions.push(b'\n');
        }
        let mut files = vec![
            ("chart.json", self.bundle()),
            ("versions.ndjson", versions),
            ("accesses.ndjson", lines(self.accesses.iter().map(access_value).collect())),
            ("requests.ndjson", lines(self.requests.iter().map(request_value).collect())),
        ];
        let described = files.iter().map(|(name, bytes)| {
            let mut value = Value::object();
            value.set("name", *name);
            value.set("bytes", bytes.len() as i64);
            let count = match *name {
                "chart.json" => self.records.len() + self.statements.len(),
                _ => memchr::memchr_iter(b'\n', bytes).count(),
            };
            value.set("count", count as i64);
            value.set("sha256", hex(&Active::sha256(&[bytes])));
            value
        });
        let mut manifest = Value::object();
        manifest.set("package", "access package, 45 CFR 164.524");
        manifest.set("patient", self.patient.as_str());
        manifest.set("made", self.at.to_rfc3339());
        manifest.set("files", described.collect::<Vec<Value>>());
        files.push(("manifest.json", manifest.to_json()));
        files
    }

    /// Writes [`AccessPackage::files`] into a folder, which must exist and have none of them.
    ///
    /// # Errors
    /// - `io`: what was written so far stays.
    pub fn write(&self, folder: &std::path::Path) -> Result<()> {
        use std::io::Write;
        for (name, bytes) in self.files() {
            let mut file = std::fs::File::create_new(folder.join(name))?;
            file.write_all(&bytes)?;
            file.sync_all()?;
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn access_value(line: &AccessLine) -> Value {
    let mut value = Value::object();
    value.set("event", i64::try_from(line.event).unwrap_or(i64::MAX));
    value.set("at", line.at.to_rfc3339());
    value.set("actor", line.actor.as_str());
    value.set("role", line.role.map_or("", Role::name));
    value.set("purpose", line.purpose.map_or("", Purpose::name));
    value.set("did", line.kind.name());
    if let Some(kind) = line.resource {
        value.set("record", format!("{kind}/{}", line.id));
    }
    if !line.recipient.is_empty() {
        value.set("recipient", line.recipient.as_str());
    }
    value
}

/// A request as JSON: for packages, and for hosts that speak no Rust.
pub fn request_value(request: &Request) -> Value {
    let mut value = Value::object();
    value.set("number", i64::try_from(request.number).unwrap_or(i64::MAX));
    value.set("kind", request.kind.name());
    value.set("state", request.state.name());
    value.set("patient", request.patient_id.as_str());
    if let Some((kind, id)) = &request.record {
        value.set("record", format!("{kind}/{id}"));
        value.set("version", i64::from(request.version));
    }
    value.set("due", request.due.to_rfc3339());
    if let Some(ground) = request.denial {
        value.set("ground", ground.name());
    }
    if request.amended > 0 {
        value.set("amended", i64::from(request.amended));
    }
    let said = [
        ("asked", Some(&request.asked)),
        ("extension", request.extension.as_ref()),
        ("decision", request.decision.as_ref()),
        ("disagreement", request.disagreement.as_ref()),
        ("rebuttal", request.rebuttal.as_ref()),
    ];
    for (name, said) in said {
        if let Some(said) = said {
            let mut words = Value::object();
            words.set("text", said.text.expose().as_str());
            words.set("by", said.by.as_str());
            words.set("at", said.at.to_rfc3339());
            value.set(name, words);
        }
    }
    value
}
