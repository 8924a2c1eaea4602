//! The store that is attacked, what it must say, and a look at a changed copy of it through the whole public path.

use super::Failed;
use ehrcore::access::{Purpose, Role};
use ehrcore::audit::Head;
use ehrcore::ehr::{Actor, Ehr, Options, Session, VerifyLevel, Write};
use ehrcore::error::Result;
use ehrcore::keys::RawKey;
use ehrcore::schema::ResourceType;
use ehrcore::store::Store;
use ehrcore::store::testing::{FaultyFile, Image};
use ehrcore_synthetic::Charts;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) fn key() -> RawKey {
    RawKey::new([7; 32])
}

pub(super) fn kind(name: &str) -> ResourceType {
    ResourceType::from_name(name).expect("a type of R4")
}

pub(super) fn doctor(ehr: &Ehr) -> Result<Session> {
    ehr.session(Actor::new("dr-grey", Role::Physician), Purpose::Treatment)
}

pub(super) fn office(ehr: &Ehr) -> Result<Session> {
    ehr.session(Actor::new("office", Role::Administrator), Purpose::Operations)
}

/// A small cache: what is attacked is the file.
pub(super) fn options() -> Options {
    Options { cache_bytes: 4 << 20, ..Options::default() }
}

/// A store, its file at several times, and what it says.
pub(super) struct Base {
    pub(super) image: Arc<Vec<u8>>,
    /// The file after earlier change sets, oldest first.
    pub(super) older: Vec<Arc<Vec<u8>>>,
    /// The current bytes of every record.
    truth: HashMap<(ResourceType, String), Vec<u8>>,
    patients: Vec<String>,
    /// How many of the records belong to one of the patients.
    in_charts: usize,
    head: Head,
}

/// What a look at a changed copy came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// The change was noticed: where.
    Noticed(&'static str),
    /// Everything is as it was.
    Silent,
    /// Something was said that is not so.
    Wrong(&'static str),
    /// The library panicked.
    Panicked,
}

impl Base {
    /// A store of at least so many bytes, closed in order.
    pub(super) fn make(bytes: usize) -> std::result::Result<Base, Failed> {
        let file = FaultyFile::default();
        let ehr = Ehr::create_on(Box::new(file.clone()), &key(), options())?;
        let session = doctor(&ehr)?;
        let (mut truth, mut patients, mut older) = (HashMap::new(), Vec::new(), Vec::new());
        for chart in Charts::new(41).patients(10_000) {
            let mut writes = Vec::new();
            for resource in &chart.resources {
                let mut json = resource.json.clone();
                truth.insert((kind(resource.kind), resource.id.clone()), json.clone().into_bytes());
                writes.push(Write::Put(json.clone().into_bytes()));
                if resource.kind == "Patient" {
                    // Some versions that are not the current one.
                    json = json.replacen("\"home\"", "\"work\"", 1);
                    truth.insert((kind(resource.kind), resource.id.clone()), json.clone().into_bytes());
                    writes.push(Write::Put(json.into_bytes()));
                }
            }
            session.change_set(writes)?;
            patients.push(chart.patient_id.clone());
            let now = file.bytes();
            if patients.len().is_power_of_two() || patients.len() % 16 == 0 {
                older.push(Arc::new(now.clone()));
            }
            if now.len() >= bytes && patients.len() > 3 {
                break;
            }
        }
        let in_charts = patients.iter().map(|patient| Ok(session.chart(patient)?.len())).sum::<Result<usize>>()?;
        drop(session);
        let head = ehr.audit_head()?.ok_or("no audit head")?;
        drop(ehr);
        let base = Base { image: Arc::new(file.bytes()), older, truth, patients, in_charts, head };
        match base.look(&Image::of(&base.image)) {
            Sight::Silent => Ok(base),
            other => Err(format!("the store to attack is not sound: {other:?}").into()),
        }
    }

    /// Whether these are the bytes of a current record.
    pub(super) fn is_current(&self, kind: ResourceType, id: &str, bytes: &[u8]) -> bool {
        self.truth.get(&(kind, id.to_owned())).is_some_and(|truth| truth == bytes)
    }
    /// How many records are current.
    pub(super) fn records(&self) -> u64 {
        self.truth.len() as u64
    }

    /// Opens a copy, reads every chart and every record by id, verifies everything.
    pub(super) fn look(&self, image: &Image) -> Sight {
        catch_unwind(AssertUnwindSafe(|| self.looked(image))).unwrap_or(Sight::Panicked)
    }

    fn looked(&self, image: &Image) -> Sight {
        // Before anything is written: whatever is written may take a free slot, and what lay in it is then gone for good and for all.
        let random = Arc::new(ehrcore::id::SystemRandom::default());
        let condition =
            Store::open_on(Box::new(image.clone()), &key(), random, 4 << 20, true).and_then(|store| store.check());
        let Ok(ehr) = Ehr::open_on(Box::new(image.clone()), &key(), options()) else { return Sight::Noticed("open") };
        let sound = |c: &ehrcore::store::Checked| c.is_sound() && c.mended == 0 && !c.recovered;
        let (Ok(session), Ok(office)) = (doctor(&ehr), office(&ehr)) else { return Sight::Noticed("session") };
        let mut noticed = None;
        let mut seen = 0;
        for patient in &self.patients {
            let Ok(chart) = session.chart(patient) else {
                noticed = Some("chart");
                continue;
            };
            for stored in &chart {
                match self.truth.get(&(stored.kind(), stored.id().to_owned())) {
                    Some(truth) if truth == stored.bytes() => seen += 1,
                    _ => return Sight::Wrong("a chart"),
                }
            }
        }
        for ((kind, id), truth) in self.truth.iter().step_by(7) {
            match session.read(*kind, id) {
                Ok(stored) if stored.bytes() != truth => return Sight::Wrong("a read"),
                Ok(_) => {}
                Err(_) => noticed = Some("read"),
            }
        }
        match office.verify(VerifyLevel::Records, Some(&self.head)) {
            Ok(report) if report.records != self.truth.len() as u64 => return Sight::Wrong("a count"),
            Ok(_) => {}
            Err(_) => noticed = noticed.or(Some("verify")),
        }
        match noticed {
            Some(place) => Sight::Noticed(place),
            None if seen != self.in_charts => Sight::Wrong("a chart is not whole"),
            None if condition.is_ok_and(|condition| sound(&condition)) => Sight::Silent,
            None => Sight::Noticed("check"),
        }
    }
}
