//! The same calls for hosts that speak no Rust: named arguments and answers as JSON, records as bytes.
//!
//! C, Python and the command line all go through [`call`], so that an argument has one name everywhere.

use super::{Choice, Conflict, Denial, Edit, Lineage, Proposal, Reason, Retention, Viewer, request_value};
use crate::access::{Purpose, Role};
use crate::ehr::{Session, Written};
use crate::error::{Code, Error, Result};
use crate::json;
use crate::limits::Limits;
use crate::phi::Phi;
use crate::record::{Document, NodeKind, Value};
use crate::schema::ResourceType;
use crate::store::{Hold, Stored, Tombstone};
use crate::time::Timestamp;

/// Every call that [`call`] knows.
pub const CALLS: &[&str] = &[
    "amend",
    "correct",
    "augment",
    "retract",
    "restore",
    "delete_for",
    "read_retracted",
    "viewers_before",
    "lineage",
    "require_reason",
    "place_hold",
    "release_hold",
    "holds",
    "write_merged",
    "conflicts",
    "conflict",
    "settle",
    "request_amendment",
    "request_access",
    "requests",
    "overdue_requests",
    "extend_request",
    "accept_amendment",
    "deny_amendment",
    "disagree",
    "rebut",
    "fulfil_access",
    "access_package",
    "set_retention",
    "retention",
    "retention_due",
    "propose_destroy",
    "approve_destroy",
    "withdraw_destroy",
    "proposals",
    "tombstone",
];

/// Makes the call of that name. `arguments`: a JSON object, or nothing; `record`: the bytes of a record, where the call takes one
/// (for `set_retention` the rules). The answer is JSON.
///
/// # Errors
/// - `invalid-argument`: there is no such call, or an argument it needs is not there. Else those of the call.
pub fn call(session: &Session, name: &str, arguments: &[u8], record: &[u8]) -> Result<Vec<u8>> {
    let given = Arguments::read(arguments)?;
    let answer = match name {
        "amend" => written(&session.amend(record, given.version("expected")?, &given.reason()?)?),
        "correct" => written(&session.correct(record, given.version("expected")?, &given.reason()?)?),
        "augment" => written(&session.augment(record, given.version("expected")?, &given.reason()?)?),
        "retract" => {
            let (kind, id) = given.record()?;
            written(&session.retract(kind, &id, given.version("expected")?, &given.reason()?)?)
        }
        "restore" => {
            let (kind, id) = given.record()?;
            written(&session.restore(kind, &id, &given.reason()?)?)
        }
        "delete_for" => {
            let (kind, id) = given.record()?;
            written(&session.delete_for(kind, &id, &given.reason()?)?)
        }
        "read_retracted" => {
            let (kind, id) = given.record()?;
            list(session.read_retracted(kind, &id)?.iter().map(version))
        }
        "viewers_before" => {
            let (kind, id) = given.record()?;
            list(session.viewers_before(kind, &id)?.iter().map(viewer))
        }
        "lineage" => {
            let (kind, id) = given.record()?;
            list(session.lineage(kind, &id)?.iter().map(line))
        }
        "require_reason" => {
            session.require_reason(given.flag("required").unwrap_or(true))?;
            Value::Null
        }
        "place_hold" => {
            let named = given.maybe_record()?;
            let target = named.as_ref().map(|(kind, id)| (*kind, id.as_str()));
            hold(&session.place_hold(&given.text("patient")?, target, &given.text("contact")?, &given.reason()?)?)
        }
        "release_hold" => hold(&session.release_hold(given.number()?, &given.reason()?)?),
        "holds" => list(session.holds(given.maybe("patient").as_deref())?.iter().map(hold)),
        "write_merged" => match session.write_merged(record, given.version("base")?)? {
            Edit::Written(done) => written(&done),
            Edit::Parked(number) => {
                let mut value = Value::object();
                value.set("parked", count(number));
                value
            }
        },
        "conflicts" => list(session.conflicts(given.maybe("patient").as_deref())?.iter().map(conflict)),
        "conflict" => {
            let (found, sides) = session.conflict(given.number()?)?;
            let mut value = conflict(&found);
            let mut side = |name: &str, bytes: Option<&Phi<Vec<u8>>>| {
                if let Some(bytes) = bytes {
                    value.set(name, text_of(bytes.expose()));
                }
            };
            side("base_record", sides.base.as_ref());
            side("theirs_record", sides.theirs.as_ref());
            side("mine_record", Some(&sides.mine));
            side("now_record", sides.now.as_ref().map(|(_, bytes)| bytes));
            value.set("now", i64::from(sides.now.as_ref().map_or(0, |(version, _)| *version)));
            value
        }
        "settle" => {
            let choice = match given.text("choice")?.as_str() {
                "theirs" => Choice::Theirs,
                "mine" => Choice::Mine,
                "bytes" => Choice::Bytes(record.to_vec()),
                "nothing" => Choice::Nothing,
                _ => return Err(missing("theirs, mine, bytes or nothing")),
            };
            conflict(&session.settle(given.number()?, &choice, given.version("seen")?, &given.reason()?)?)
        }
        "request_amendment" => {
            let named = given.maybe_record()?;
            let target = named.as_ref().map(|(kind, id)| (*kind, id.as_str()));
            request_value(&session.request_amendment(&given.text("patient")?, target, &given.text("text")?)?)
        }
        "request_access" => request_value(&session.request_access(&given.text("patient")?, &given.text("text")?)?),
        "requests" => list(session.requests(given.maybe("patient").as_deref())?.iter().map(request_value)),
        "overdue_requests" => list(session.overdue_requests()?.iter().map(request_value)),
        "extend_request" => request_value(&session.extend_request(given.number()?, &given.reason()?)?),
        "accept_amendment" => {
            let amended = match record {
                [] => None,
                bytes => Some((bytes, given.version("expected")?)),
            };
            request_value(&session.accept_amendment(given.number()?, amended, &given.reason()?)?)
        }
        "deny_amendment" => {
            let ground = Denial::from_name(&given.text("ground")?).ok_or_else(|| missing("a ground of denial"))?;
            request_value(&session.deny_amendment(given.number()?, ground, &given.reason()?)?)
        }
        "disagree" => request_value(&session.disagree(given.number()?, &given.text("text")?)?),
        "rebut" => request_value(&session.rebut(given.number()?, &given.text("text")?)?),
        "fulfil_access" => request_value(&session.fulfil_access(given.number()?, &given.reason()?)?),
        "access_package" => {
            let package = session.access_package(&given.text("patient")?, given.flag("versions").unwrap_or(false))?;
            if let Some(folder) = given.maybe("folder") {
                package.write(std::path::Path::new(&folder))?;
            }
            let mut value = Value::object();
            for (name, bytes) in package.files() {
                value.set(name, text_of(&bytes));
            }
            value
        }
        "set_retention" => {
            session.set_retention(&Retention::from_json(record)?)?;
            Value::Null
        }
        "retention" => return Ok(session.retention()?.to_json()),
        "retention_due" => {
            let named = given.maybe_record()?;
            let target = named.as_ref().map(|(kind, id)| (*kind, id.as_str()));
            let due = session.retention_due(&given.text("patient")?, target)?;
            due.map_or(Value::Null, |due| Value::from(due.to_rfc3339()))
        }
        "propose_destroy" => {
            let named = given.maybe_record()?;
            let target = named.as_ref().map(|(kind, id)| (*kind, id.as_str()));
            proposal(&session.propose_destroy(&given.text("patient")?, target, &given.reason()?)?)
        }
        "approve_destroy" => proposal(&session.approve_destroy(given.number()?, &given.reason()?)?),
        "withdraw_destroy" => proposal(&session.withdraw_destroy(given.number()?)?),
        "proposals" => list(session.proposals()?.iter().map(proposal)),
        "tombstone" => {
            let (kind, id) = given.record()?;
            tombstone(&session.tombstone(kind, &id)?)
        }
        _ => return Err(missing("the name of a call")),
    };
    Ok(answer.to_json())
}

fn missing(what: &'static str) -> Error {
    Code::InvalidArgument.error().expected(what)
}

struct Arguments(Option<Document>);

impl Arguments {
    /// A name that no call knows, or a value of another sort, is refused: passed over, `recrod` or a record that is a number would
    /// make a whole chart of one entry.
    fn read(text: &[u8]) -> Result<Arguments> {
        if text.is_empty() {
            return Ok(Arguments(None));
        }
        let document = json::read_document(text, &Limits::DEFAULT)?;
        let root = document.root();
        if root.kind() != NodeKind::Object {
            return Err(missing("a JSON object of arguments"));
        }
        for (name, value) in root.entries() {
            let wanted = match &*name {
                "authored" | "base" | "expected" | "number" | "seen" => NodeKind::Number,
                "required" | "versions" => NodeKind::Bool,
                "choice" | "contact" | "folder" | "ground" | "on_behalf" | "patient" | "reason" | "record" | "text" => {
                    NodeKind::String
                }
                _ => return Err(missing("arguments of the names that the call has")),
            };
            if value.kind() != wanted {
                return Err(missing("each argument as a text, a whole number, or true or false, as the call has it"));
            }
        }
        Ok(Arguments(Some(document)))
    }
    fn maybe(&self, name: &str) -> Option<String> {
        Some(self.0.as_ref()?.root().text(name)?.into_owned())
    }
    fn text(&self, name: &'static str) -> Result<String> {
        self.maybe(name).ok_or_else(|| missing(name))
    }
    fn flag(&self, name: &str) -> Option<bool> {
        self.0.as_ref()?.root().get(name)?.as_bool()
    }
    fn raw<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        std::str::from_utf8(self.0.as_ref()?.root().get(name)?.raw()).ok()?.parse().ok()
    }
    fn version(&self, name: &'static str) -> Result<u32> {
        self.raw(name).ok_or_else(|| missing(name))
    }
    fn number(&self) -> Result<u64> {
        self.raw("number").ok_or_else(|| missing("number"))
    }
    fn reason(&self) -> Result<Reason> {
        let authored = match self.0.as_ref().and_then(|document| document.root().get("authored")) {
            None => None,
            Some(_) => Some(Timestamp(self.raw("authored").ok_or_else(|| missing("authored in microseconds"))?)),
        };
        Ok(Reason {
            text: self.maybe("reason").unwrap_or_default(), // the call refuses it, with a code of its own
            on_behalf: self.maybe("on_behalf"),
            authored,
        })
    }
    fn maybe_record(&self) -> Result<Option<(ResourceType, String)>> {
        let Some(text) = self.maybe("record") else { return Ok(None) };
        let named = text.split_once('/').and_then(|(kind, id)| Some((ResourceType::from_name(kind)?, id.to_owned())));
        named.map(Some).ok_or_else(|| missing("record as Type/id"))
    }
    fn record(&self) -> Result<(ResourceType, String)> {
        self.maybe_record()?.ok_or_else(|| missing("record as Type/id"))
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn text_of(bytes: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(bytes).into_owned())
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::Array(items.collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn written(done: &Written) -> Value {
    let mut value = Value::object();
    value.set("record", format!("{}/{}", done.kind, done.id));
    value.set("version", i64::from(done.version));
    value.set("changed", done.changed);
    value
}

fn version(stored: &Stored) -> Value {
    let mut value = Value::object();
    value.set("record", format!("{}/{}", stored.kind(), stored.id()));
    value.set("version", i64::from(stored.version()));
    value.set("actor", stored.actor());
    value.set("at", stored.at().to_rfc3339());
    value.set("retracted", stored.is_retracted());
    if let Some(note) = stored.note() {
        value.set("did", note.kind.name());
        value.set("reason", note.reason.as_str());
    }
    value.set("bytes", text_of(stored.bytes()));
    value
}

fn viewer(one: &Viewer) -> Value {
    let mut value = Value::object();
    value.set("actor", one.actor.as_str());
    value.set("role", one.role.map_or("", Role::name));
    value.set("purpose", one.purpose.map_or("", Purpose::name));
    value.set("did", one.kind.name());
    value.set("version", i64::from(one.version));
    value.set("at", one.at.to_rfc3339());
    value.set("event", count(one.event));
    value
}

fn line(one: &Lineage) -> Value {
    let mut value = Value::object();
    value.set("version", i64::from(one.version));
    if let Some(kind) = one.kind {
        value.set("did", kind.name());
    }
    if let Some(reason) = &one.reason {
        value.set("reason", reason.as_str());
    }
    if let Some(whom) = &one.on_behalf {
        value.set("on_behalf", whom.as_str());
    }
    if let Some(authored) = one.authored {
        value.set("authored", authored.to_rfc3339());
    }
    value.set("actor", one.actor.as_str());
    value.set("at", one.at.to_rfc3339());
    value.set("commit", count(one.commit));
    value.set("sha256", hex(&one.digest));
    if let Some(before) = one.before {
        value.set("before", i64::from(before));
    }
    value
}

fn hold(one: &Hold) -> Value {
    let mut value = Value::object();
    value.set("number", count(one.number));
    if let Some((kind, id)) = &one.record {
        value.set("record", format!("{kind}/{id}"));
    }
    value.set("reason", one.reason.as_str());
    value.set("contact", one.contact.as_str());
    value.set("by", one.by.as_str());
    value.set("at", one.at.to_rfc3339());
    if let Some(released) = &one.released {
        let mut end = Value::object();
        end.set("by", released.by.as_str());
        end.set("at", released.at.to_rfc3339());
        end.set("reason", released.reason.as_str());
        value.set("released", end);
    }
    value
}

fn conflict(one: &Conflict) -> Value {
    let mut value = Value::object();
    value.set("number", count(one.number));
    value.set("record", format!("{}/{}", one.kind, one.id));
    value.set("base", i64::from(one.base));
    value.set("theirs", i64::from(one.theirs));
    value.set("by", one.by.as_str());
    value.set("at", one.at.to_rfc3339());
    value.set("clashes", one.clashes.iter().map(|path| Value::from(path.as_str())).collect::<Vec<Value>>());
    if let Some(settled) = &one.settled {
        let mut end = Value::object();
        end.set("how", settled.how);
        end.set("by", settled.by.as_str());
        end.set("at", settled.at.to_rfc3339());
        end.set("reason", settled.reason.as_str());
        end.set("version", i64::from(settled.version));
        value.set("settled", end);
    }
    value
}

fn proposal(one: &Proposal) -> Value {
    let mut value = Value::object();
    value.set("number", count(one.number));
    value.set("state", one.state.name());
    value.set("patient", one.patient_id.as_str());
    if let Some((kind, id)) = &one.record {
        value.set("record", format!("{kind}/{id}"));
    }
    value.set("by", one.by.as_str());
    value.set("at", one.at.to_rfc3339());
    value.set("reason", one.reason.as_str());
    if let Some((by, at)) = &one.ended {
        value.set("ended_by", by.as_str());
        value.set("ended_at", at.to_rfc3339());
    }
    value.set("records", count(one.records));
    value
}

fn tombstone(stone: &Tombstone) -> Value {
    let mut value = Value::object();
    value.set("by", stone.by.as_str());
    value.set("approved_by", stone.approved_by.as_str());
    value.set("at", stone.at.to_rfc3339());
    value.set("reason", stone.reason.as_str());
    value.set("versions", count(stone.versions));
    value.set("sha256", hex(&stone.digest));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_is_misspelt_or_of_another_sort_is_refused_and_not_passed_over() {
        let code =
            |text: &str| Arguments::read(text.as_bytes()).and_then(|given| given.reason()).err().map(|e| e.code());
        let good = r#"{"patient":"p","record":"Observation/o","reason":"x","number":3,"versions":true,"authored":-5}"#;
        assert_eq!(code(good), None);
        assert_eq!(code(""), None);
        let bad = [
            r#"{"patient":"p","recrod":"Observation/o","reason":"x"}"#,
            r#"{"patient":"p","record":7,"reason":"x"}"#,
            r#"{"patient":"p","record":null,"reason":"x"}"#,
            r#"{"patient":["p"]}"#,
            r#"{"number":"3"}"#,
            r#"{"required":"false"}"#,
            r#"{"authored":1.5}"#,
            r#"{"authored":99999999999999999999}"#,
            r#"["p"]"#,
            r#""p""#,
        ];
        for text in bad {
            assert_eq!(code(text), Some(Code::InvalidArgument), "{text}");
        }
    }
}
