//! Whole older files are put back, and anchors are edited, taken away and exchanged. One thing no anchor finds: an older note put back
//! together with the file of its time.

use super::base::{doctor, key, options};
use super::{Failed, Numbers, Tally};
use ehrcore::ehr::{Anchor, Anchoring, Ehr, Options};
use ehrcore::error::{Code, Result};
use ehrcore::store::testing::FaultyFile;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
struct Kept(Mutex<Option<Vec<u8>>>);

impl Kept {
    fn note(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn set(&self, note: Option<Vec<u8>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = note;
    }
}

impl Anchor for Kept {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.note())
    }
    fn store(&self, note: &[u8]) -> Result<()> {
        self.set(Some(note.to_vec()));
        Ok(())
    }
}

fn with(kept: &Arc<Kept>) -> Options {
    Options { anchor: Some(Anchoring::new(kept.clone())), ..options() }
}

/// Opens a copy; what the anchor says stays as it was.
fn opened(bytes: &[u8], kept: &Arc<Kept>) -> Option<Code> {
    let note = kept.note();
    let result = Ehr::open_on(Box::new(FaultyFile::with(bytes.to_vec())), &key(), with(kept));
    let code = result.as_ref().err().map(|error| error.code());
    drop(result);
    kept.set(note);
    code
}

pub(super) fn run(count: u64) -> std::result::Result<Tally, Failed> {
    let mut tally = Tally::default();
    let (file, kept) = (FaultyFile::default(), Arc::new(Kept::default()));
    let ehr = Ehr::create_on(Box::new(file.clone()), &key(), with(&kept))?;
    let mut older: Vec<(u64, Vec<u8>)> = Vec::new();
    for number in 0..count {
        let before = file.bytes();
        let text = format!(r#"{{"resourceType":"Patient","id":"p{number}","name":[{{"family":"Doe"}}]}}"#);
        let session = doctor(&ehr)?;
        session.write(text.as_bytes())?;
        session.close()?;
        // The file of just one step before, as it stood while the store was at work.
        let said = opened(&before, &kept);
        tally.count(said == Some(Code::RolledBack), || format!("one step back at {number}: {said:?}"));
        if number % (count / 32).max(1) == 0 {
            older.push((number, before));
        }
    }
    drop(ehr);
    let newest = file.bytes();
    if let Some(code) = opened(&newest, &kept) {
        return Err(format!("the newest file does not open: {code:?}").into());
    }
    for (number, image) in &older {
        let said = opened(image, &kept);
        tally.count(said == Some(Code::RolledBack), || format!("the file of step {number}: {said:?}"));
        // Gone on with from there, without the anchor, until it counts farther than the newest.
        let fork = FaultyFile::with(image.clone());
        let ehr = Ehr::open_on(Box::new(fork.clone()), &key(), options())?;
        if *number * 2 > count {
            for step in *number..count + 4 {
                let text = format!(r#"{{"resourceType":"Patient","id":"q{step}"}}"#);
                doctor(&ehr)?.write(text.as_bytes())?;
            }
        }
        drop(ehr);
        let said = opened(&fork.bytes(), &kept);
        tally.count(said == Some(Code::RolledBack), || format!("another way from step {number}: {said:?}"));
    }
    let note = kept.note().ok_or("no note")?;
    let mut numbers = Numbers::of(7);
    for _ in 0..count {
        let mut forged = note.clone();
        match numbers.below(4) {
            0 => forged.truncate(numbers.below(note.len() as u64) as usize),
            1 => forged.push(numbers.below(256) as u8),
            _ => forged[numbers.below(note.len() as u64) as usize] ^= 1 << numbers.below(8),
        }
        kept.set(Some(forged));
        let said = opened(&newest, &kept);
        let found = matches!(said, Some(Code::AnchorInvalid | Code::AnchorOther));
        tally.count(found, || format!("an edited note: {said:?}"));
    }
    kept.set(None);
    let said = opened(&newest, &kept);
    tally.count(said == Some(Code::AnchorMissing), || format!("no note: {said:?}"));
    let other = Arc::new(Kept::default());
    drop(Ehr::create_on(Box::new(FaultyFile::default()), &key(), with(&other))?);
    let said = opened(&newest, &other);
    tally.count(said == Some(Code::AnchorOther), || format!("the note of another store: {said:?}"));
    Ok(tally)
}
