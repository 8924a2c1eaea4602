//! What goes along with an entry when it is disclosed: the denied request to amend it, the denial, the patient's statement of
//! disagreement and the answer, as a Communication of its own that says what it is about. The entry itself keeps its bytes.

use super::request::{Request, RequestState, Statement};
use crate::crypto::{Active, Provider};
use crate::ehr::Gate;
use crate::error::Result;
use crate::id::{PatientNumber, uuid_from};
use crate::record::Value;
use crate::schema::ResourceType;
use crate::store::Stored;

/// One resource for each denied request about what is disclosed: `shown` are the records that go out.
pub(crate) fn travelling(gate: &Gate<'_>, patient: PatientNumber, shown: &[Stored]) -> Result<Vec<Vec<u8>>> {
    let requests = super::request::requests_of(gate, Some(patient))?;
    let goes = |request: &&Request| {
        let named =
            |kind: ResourceType, id: &str| shown.iter().any(|stored| stored.kind() == kind && stored.id() == id);
        request.travels() && request.record.as_ref().is_none_or(|(kind, id)| named(*kind, id))
    };
    Ok(requests.iter().filter(goes).map(|request| communication(gate, request)).collect())
}

fn communication(gate: &Gate<'_>, request: &Request) -> Vec<u8> {
    let reference = |address: String| {
        let mut value = Value::object();
        value.set("reference", address);
        value
    };
    let text = |text: &str| {
        let mut value = Value::object();
        value.set("text", text);
        value
    };
    let subject = format!("Patient/{}", request.patient_id);
    let about = request.record.as_ref().map_or_else(|| subject.clone(), |(kind, id)| format!("{kind}/{id}"));
    let mut payload = Vec::new();
    let mut say = |what: &str, said: Option<&Statement>| {
        if let Some(said) = said {
            let mut part = Value::object();
            part.set("contentString", format!("{what} ({}): {}", said.at.to_rfc3339(), said.text.expose().trim()));
            payload.push(part);
        }
    };
    say("Request to amend", Some(&request.asked));
    let ground = request.denial.map_or("", |denial| denial.name());
    say(&format!("Denied, {ground}"), request.decision.as_ref().filter(|_| request.state == RequestState::Denied));
    say("Statement of disagreement", request.disagreement.as_ref());
    say("Rebuttal", request.rebuttal.as_ref());
    let digest = Active::sha256(&[b"ehrcore statement ", &gate.ungated().store_id().0, &request.number.to_be_bytes()]);
    let last = [request.decision.as_ref(), request.disagreement.as_ref(), request.rebuttal.as_ref()];
    let sent = last.into_iter().flatten().map(|said| said.at).max().unwrap_or(request.asked.at);
    let mut value = Value::object();
    value.set("resourceType", "Communication");
    value.set("id", uuid_from(digest[..16].try_into().expect("sixteen bytes")));
    value.set("status", "completed");
    value.set("category", vec![text("statement of disagreement, 45 CFR 164.526(d)")]);
    value.set("subject", reference(subject));
    value.set("about", vec![reference(about)]);
    value.set("sent", sent.to_rfc3339());
    value.set("payload", payload);
    value.to_json()
}
