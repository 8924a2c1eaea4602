//! An event as a FHIR AuditEvent, after IHE's Basic Audit Log Patterns (BALP 1.1).
//!
//! The resource follows from the bytes of the event, the number and the path alone, byte for byte, so a verifier that has those
//! can make it anew and compare: nothing in it can be changed unseen. Records, patients and users have identifiers of this
//! store, not references: ids are not in the log.

use super::event::{Event, EventKind};
use super::head::base64;
use super::{Proof, hex};
use crate::id::StoreId;

/// Where data flows: to the one who asks, or from them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Out,
    In,
}

/// How a kind of event is said in FHIR.
struct Saying {
    category: (&'static str, &'static str),
    subtype: (&'static str, &'static str),
    action: char,
    flow: Flow,
    /// The profile of BALP that an event of this kind with no failure has; `Patient` goes before it where it names a patient.
    profile: &'static str,
}

const REST: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const OUTCOME_MINOR: &str = "4";

fn saying(kind: EventKind) -> Saying {
    use EventKind::*;
    use Flow::{In, Out};
    let rest = |code, action, flow, profile| Saying {
        category: (REST, "rest"),
        subtype: (INTERACTION, code),
        action,
        flow,
        profile,
    };
    let dicom = |category, subtype, action, flow, profile| Saying {
        category: (DICOM, category),
        subtype,
        action,
        flow,
        profile,
    };
    match kind {
        Create | Release => rest("create", 'C', In, "Create"),
        Read | Chart => rest("read", 'R', Out, "Read"),
        History => rest("vread", 'R', Out, "Read"),
        Update | Amend | Correct | Augment | Retract | Restore => rest("update", 'U', In, "Update"),
        Delete => rest("delete", 'D', In, "Delete"),
        Search => rest("search-type", 'E', In, "Query"),
        Quarantine => dicom("110110", (LIFECYCLE, "access"), 'R', Out, ""),
        Export | Disclose | AccessPackage => dicom("110106", (LIFECYCLE, "disclose"), 'R', Out, "Source"),
        Import => dicom("110107", (LIFECYCLE, "disclose"), 'C', In, "Recipient"),
        SessionOpen => dicom("110114", (DICOM, "110122"), 'E', In, ""),
        AuditRead | AuditReport => dicom("110101", (LIFECYCLE, "access"), 'R', Out, ""),
        AuditExport => dicom("110101", (LIFECYCLE, "disclose"), 'R', Out, ""),
        StoreCreate => dicom("110100", (DICOM, "110120"), 'C', In, ""),
        Verify | Check => dicom("110100", (LIFECYCLE, "verify"), 'E', In, ""),
        Backup => dicom("110100", (LIFECYCLE, "archive"), 'E', Out, ""),
        Repair | RollbackAccepted => dicom("110100", (LIFECYCLE, "restore"), 'U', In, ""),
        Keys | KeyRotate | PatientKeyRotate => dicom("110113", (DICOM, "110129"), 'U', In, ""),
        Policy => dicom("110113", (DICOM, "110136"), 'U', In, ""),
        BreakGlass => dicom("110113", (DICOM, "110127"), 'E', In, ""),
        Hold => dicom("110110", (LIFECYCLE, "hold"), 'U', In, ""),
        HoldRelease => dicom("110110", (LIFECYCLE, "unhold"), 'U', In, ""),
        Retention => dicom("110110", (LIFECYCLE, "archive"), 'U', In, ""),
        DestroyProposed => dicom("110110", (LIFECYCLE, "destroy"), 'E', In, ""),
        Destroy | Shred => dicom("110110", (LIFECYCLE, "destroy"), 'D', In, ""),
        AmendmentRequested | AmendmentDecided | Disagree => dicom("110110", (LIFECYCLE, "amend"), 'U', In, ""),
        ConflictParked | ConflictSettled => dicom("110110", (LIFECYCLE, "merge"), 'U', In, ""),
    }
}

/// What HL7 calls a purpose, by its number; the names of `access::Purpose`, held to them by a test.
pub(crate) const PURPOSES: &[&str] = &["", "TREAT", "HPAYMT", "HOPERAT", "HRESCH", "PATRQT", "ETREAT", "BTG"];
/// What we call a role, by its number; the names of `access::Role`, held to them by a test.
pub(crate) const ROLES: &[&str] =
    &["", "physician", "nurse", "caregiver", "patient", "analyst", "administrator", "coordinator"];

/// The name of a number; of one that has none, the number.
fn name(names: &[&str], number: u8) -> String {
    names.get(usize::from(number)).map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

/// The profile of BALP that the resource of an event has; empty for none.
pub(super) fn profile(event: &Event) -> String {
    let said = saying(event.kind).profile;
    match said {
        _ if event.failed.is_some() => String::new(),
        "" => String::new(),
        "Source" | "Recipient" if event.patient == 0 => String::new(),
        "Source" | "Recipient" => format!("IHE.BasicAudit.PrivacyDisclosure.{said}"),
        _ if event.patient == 0 => format!("IHE.BasicAudit.{said}"),
        _ => format!("IHE.BasicAudit.Patient{said}"),
    }
}

/// The AuditEvent of a proven event, as one line of JSON.
pub(super) fn line(store: StoreId, event: &Event, proof: &Proof) -> String {
    let store = hex(&store.0);
    let said = saying(event.kind);
    let own = |what: &str, value: &str| {
        format!(r#"{{"identifier":{{"system":"urn:ehrcore:{what}:{store}","value":{}}}}}"#, text(value))
    };
    let mut out = String::with_capacity(2400 + 44 * proof.path.len());
    out.push_str(r#"{"resourceType":"AuditEvent","#);
    let profile = profile(event);
    if !profile.is_empty() {
        out.push_str(&format!(
            r#""meta":{{"profile":["https://profiles.ihe.net/ITI/BALP/StructureDefinition/{profile}"]}},"#
        ));
    }
    let (category, subtype) = (coding(said.category), coding(said.subtype));
    let kind = coding(("urn:ehrcore:event", event.kind.name()));
    let outcome = match event.failed {
        None => r#""outcome":"0""#.to_owned(),
        Some(failed) => format!(r#""outcome":"{OUTCOME_MINOR}","outcomeDesc":"{failed}""#),
    };
    out.push_str(&format!(
        r#""type":{category},"subtype":[{subtype},{kind}],"action":"{}","recorded":"{}",{outcome},"#,
        said.action,
        event.at.to_rfc3339()
    ));
    let purpose = match event.purpose {
        0 => String::new(),
        number => format!(r#"[{{"coding":[{}]}}]"#, coding((REASON, &name(PURPOSES, number)))),
    };
    if !purpose.is_empty() {
        out.push_str(&format!(r#""purposeOfEvent":{purpose},"#));
    }
    out.push_str(r#""agent":["#);
    agents(&mut out, &store, event, &said, &purpose);
    let observer = own("store", &store);
    let application = coding(("http://terminology.hl7.org/CodeSystem/security-source-type", "4"));
    out.push_str(&format!(r#"],"source":{{"observer":{observer},"type":[{application}]}},"entity":["#));
    // What was touched.
    let entity = |what: &str, category: &str, role: &str| {
        format!(r#"{{"what":{what},"type":{},"role":{}"#, coding((ENTITY, category)), coding((ROLE, role)))
    };
    if said.profile == "Query" {
        let (description, query) = match super::event::beside_of(&proof.event) {
            Some(hash) => ("blinded hash of the query, which is sealed in the log", base64(&hash)),
            None => ("no parameters", base64(b"?")),
        };
        let (category, role) = (coding((ENTITY, "2")), coding((ROLE, "24")));
        out.push_str(&format!(
            r#"{{"type":{category},"role":{role},"description":"{description}","query":"{query}"}}"#
        ));
    } else if event.pseudonym != [0; 12] {
        out.push_str(&(entity(&own("record", &hex(&event.pseudonym)), "2", "4") + "}"));
    } else if event.commit != 0 {
        out.push_str(&(entity(&own("change-set", &event.commit.to_string()), "2", "20") + "}"));
    } else {
        out.push_str(&(entity(&observer, "2", "20") + "}"));
    }
    // Whose.
    let one = (event.patient != 0).then_some(event.patient);
    for patient in one.iter().chain(&event.patients) {
        let what = own("patient", &patient.to_string());
        out.push_str(&format!(",{}}}", entity(&what, "1", "1")));
    }
    // The line of the log itself, with what proves it.
    out.push_str(&format!(",{}", entity(&own("log", &proof.sequence.to_string()), "4", "13")));
    let binary = |kind: &str, bytes: &[u8]| format!(r#"{{"type":"{kind}","valueBase64Binary":"{}"}}"#, base64(bytes));
    out.push_str(&format!(r#","detail":[{},{}"#, binary("event", &proof.event), binary("blind", &proof.blind)));
    if !proof.path.is_empty() {
        out.push_str(&format!(",{}", binary("path", proof.path.as_flattened())));
    }
    let number = |number: u64| if number == 0 { String::new() } else { number.to_string() };
    let reference = |number: u64| if number == 0 { String::new() } else { format!("{number:016x}") };
    let details = [
        ("kind", event.resource.map_or(String::new(), |kind| kind.name().to_owned())),
        ("version", number(event.version.into())),
        ("count", number(event.count)),
        ("change-set", number(event.commit)),
        ("session", reference(event.session)),
        ("break-glass", reference(event.break_glass)),
        ("compartment", number(event.compartment.into())),
        ("labels", event.labels.clone()),
        ("rule", number(event.rule.into())),
        ("policy", number(event.policy.into())),
        ("ground", number(event.ground.into())),
        ("clock", if event.clock == 1 { "system" } else { "host" }.to_owned()),
    ];
    for (kind, value) in details.iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!(r#",{{"type":"{kind}","valueString":{}}}"#, text(value)));
    }
    out.push_str("]}]}");
    out
}

fn agents(out: &mut String, store: &str, event: &Event, said: &Saying, purpose: &str) {
    let who = |what: &str, value: &str| {
        format!(r#"{{"identifier":{{"system":"urn:ehrcore:{what}:{store}","value":{}}}}}"#, text(value))
    };
    let category = |system: &str, code: &str| format!(r#"{{"coding":[{}]}}"#, coding((system, code)));
    let (user, client, server) = match said.flow {
        Flow::Out => ("IRCP", "110152", "110153"),
        Flow::In => ("AUT", "110153", "110152"),
    };
    let role = match event.role {
        0 => String::new(),
        number => format!(r#""role":[{}],"#, category("urn:ehrcore:role", &name(ROLES, number))),
    };
    let because = if purpose.is_empty() { String::new() } else { format!(r#","purposeOfUse":{purpose}"#) };
    out.push_str(&format!(
        r#"{{"type":{},{role}"who":{},"requestor":true{because}}}"#,
        category(PARTICIPATION, user),
        who("user", &event.actor)
    ));
    let other = [&event.recipient, &event.app].into_iter().find(|name| !name.is_empty());
    let client_who = match other {
        Some(name) if !event.recipient.is_empty() => who("recipient", name),
        Some(name) => who("application", name),
        None => who("application", "unknown"),
    };
    let address = [&event.address, &event.device].into_iter().find(|name| !name.is_empty());
    out.push_str(&format!(
        r#",{{"type":{},"who":{client_who},"requestor":false,"network":{{"address":{},"type":"1"}}}}"#,
        category(DICOM, client),
        text(address.map_or("unknown", String::as_str))
    ));
    out.push_str(&format!(
        r#",{{"type":{},"who":{},"requestor":false,"network":{{"address":"urn:ehrcore:store:{store}","type":"5"}}}}"#,
        category(DICOM, server),
        who("store", store)
    ));
    if !event.on_behalf_of.is_empty() {
        out.push_str(&format!(
            r#",{{"type":{},"who":{},"requestor":false}}"#,
            category(PARTICIPATION, "RESP"),
            who("user", &event.on_behalf_of)
        ));
    }
}

fn coding((system, code): (&str, &str)) -> String {
    format!(r#"{{"system":"{system}","code":{}}}"#, text(code))
}

/// A JSON string of a text from outside: what could act on a terminal or turn the order of letters is shown as U+FFFD.
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for letter in value.chars().map(printable) {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    out
}

/// A letter, or U+FFFD for one that is a command: controls (also those of Unicode for the order of letters).
pub(crate) fn printable(letter: char) -> char {
    match letter {
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        letter => letter,
    }
}
