//! `ehr shred` and `ehr rotate-patient`.

use crate::store::administrator;
use crate::{Access, Done, Failure};
use ehrcore::record::Compartment;
use serde_json::json;

pub(crate) fn shred(access: &Access, patient: &str, reason: &str, compartment: Option<&str>, as_json: bool) -> Done {
    let unknown = Failure::Usage("compartments are normal, substance-use and psychotherapy-notes");
    let only = compartment.map(|name| Compartment::from_name(name).ok_or(unknown)).transpose()?;
    let session = administrator(access)?;
    let done = match only {
        Some(only) => session.shred_compartment(patient, only, reason)?,
        None => session.shred(patient, reason)?,
    };
    if as_json {
        let said =
            json!({ "versions": done.versions, "blocks": done.blocks, "tokens": done.tokens, "damaged": done.damaged });
        println!("{said}");
    } else {
        println!("shredded {} versions of records in {} blocks", done.versions, done.blocks);
        println!("copies made before open still with the key of then: ehr key rotate, and destroy that key");
    }
    Ok(session.close()?)
}

pub(crate) fn rotate(access: &Access, patient: &str, reason: &str, as_json: bool) -> Done {
    let session = administrator(access)?;
    let done = session.rotate_patient(patient, reason)?;
    if as_json {
        println!("{}", json!({ "compartments": done.compartments, "blocks": done.blocks, "segments": done.segments }));
    } else {
        println!("sealed {} blocks and {} segments under {} new keys", done.blocks, done.segments, done.compartments);
    }
    Ok(session.close()?)
}
