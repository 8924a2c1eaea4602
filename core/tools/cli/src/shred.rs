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
        println!("{}", String::from_utf8_lossy(&done.to_json()));
    } else {
        println!("shredded {} versions of records in {} blocks", done.versions, done.blocks);
        if done.elsewhere > 0 {
            println!("and {} versions of the same records in other charts or compartments", done.elsewhere);
        }
        for one in &done.moved {
            println!(
                "{}/{} is in another chart or compartment now: {} versions stay there",
                one.kind, one.id, one.versions
            );
        }
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
