//! Reports on the audit log: who saw a patient, what a user did, emergencies, the accounting of disclosures.

use super::trail::Names;
use super::{Path, Session};
use crate::access::{Purpose, Role};
use crate::audit::{self, Event, EventKind, Filter, Ground};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::store::Snapshot;
use crate::time::{Timestamp, civil_from_days};
use std::collections::BTreeMap;

/// What a report is about. A patient is named by their id or, once that is gone, by `#` and their number in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Report<'a> {
    /// Everything that was done with a patient's records, also by searches that showed one.
    Patient(&'a str),
    /// Everything that a user did.
    Actor(&'a str),
    /// Everything done in emergencies, with the reasons given.
    BreakGlass,
    /// The accounting of disclosures of a patient's records in the last six years (45 CFR 164.528).
    Disclosures(&'a str),
}

impl<'a> Report<'a> {
    /// The report of that name (`patient`, `user`, `emergencies`, `disclosures`) about `whom`.
    pub fn from_name(name: &str, whom: &'a str) -> Option<Report<'a>> {
        match name {
            "patient" => Some(Report::Patient(whom)),
            "user" => Some(Report::Actor(whom)),
            "emergencies" => Some(Report::BreakGlass),
            "disclosures" => Some(Report::Disclosures(whom)),
            _ => None,
        }
    }
}

/// Lines under columns, with what else has to be said.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    /// What it is.
    pub title: &'static str,
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// The lines, in the order of the log.
    pub rows: Vec<Vec<String>>,
    /// What the lines do not say.
    pub notes: Vec<String>,
}

/// Something that left the store for somebody outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Disclosure<'a> {
    /// Whose records: the patient's id.
    pub patient: &'a str,
    /// To whom: name and, where known, address.
    pub recipient: &'a str,
    /// On which ground.
    pub ground: Ground,
    /// What was disclosed, in short.
    pub content: &'a str,
    /// What for, in short; or the request for it.
    pub purpose: &'a str,
}

// `Debug` of these says what it is about and how much: never whom, whose words or which rows.
impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Report::Patient(_) => "Patient(..)",
            Report::Actor(_) => "Actor(..)",
            Report::BreakGlass => "BreakGlass",
            Report::Disclosures(_) => "Disclosures(..)",
        })
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({}, {} lines)", self.title, self.rows.len())
    }
}

impl std::fmt::Debug for Disclosure<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disclosure(..)")
    }
}

impl Session {
    /// Records that a patient's records were given to somebody outside, for the accounting of disclosures. Exports and access
    /// packages are in the accounting by themselves; this is for what a host sends, prints or tells.
    ///
    /// # Durability
    /// When this returns, the event is on disk: call it before anything is sent.
    ///
    /// # Errors
    /// - `denied`; `not-found`: no such patient; `invalid-argument`: no recipient; `audit-unavailable`.
    pub fn disclose(&self, disclosure: &Disclosure<'_>) -> Result<()> {
        let mut pass = self.enter_at(Path::Disclose, ResourceType::PATIENT, disclosure.patient)?;
        pass.event.recipient = disclosure.recipient.to_owned();
        pass.event.ground = disclosure.ground as u8;
        pass.event.reason = disclosure.purpose.to_owned();
        pass.event.query = disclosure.content.to_owned();
        if disclosure.recipient.trim().is_empty() || disclosure.content.trim().is_empty() {
            return pass.refuse(Code::InvalidArgument.error().expected("a recipient, and what was disclosed"));
        }
        let known = pass.gate().and_then(|gate| gate.patient(disclosure.patient));
        match known {
            Ok(Some(number)) => {
                pass.event.patient = number.0;
                pass.show(Ok(()))
            }
            Ok(None) => pass.refuse(Code::NotFound.error()),
            Err(error) => pass.refuse(error),
        }
    }

    /// A report on the audit log. It is an event of its own, with what was asked, and the last one it tells of.
    ///
    /// # Errors
    /// - `denied`; `not-found`: no such patient; `audit-broken`.
    pub fn audit_report(&self, report: Report<'_>) -> Result<Table> {
        let mut pass = self.enter(Path::AuditReport)?;
        let snapshot = pass.ungated_snapshot()?;
        let patient = match report {
            Report::Patient(id) | Report::Disclosures(id) => match numbered(&snapshot, id) {
                Ok(number) => number,
                Err(error) => return pass.refuse(error),
            },
            _ => 0,
        };
        pass.event.patient = patient;
        let (asked, about) = match report {
            Report::Patient(_) => ("who saw a patient", ""),
            Report::Actor(actor) => ("what a user did: ", actor),
            Report::BreakGlass => ("emergencies", ""),
            Report::Disclosures(_) => ("accounting of disclosures", ""),
        };
        pass.event.query = format!("{asked}{about}");
        pass.note_now(pass.event.clone())?;
        let now = pass.now();
        pass.read_log(|shelf, snapshot| {
            let keys = pass.store().keys();
            let any = Filter::default();
            let filter = match report {
                Report::Patient(_) => Filter { patient: Some(patient), everybody: OF_EVERYBODY, ..any },
                Report::Actor(actor) => Filter { actor: Some(actor), ..any },
                Report::BreakGlass => Filter { break_glass: true, ..any },
                Report::Disclosures(_) => Filter {
                    patient: Some(patient),
                    everybody: DISCLOSING,
                    kinds: DISCLOSING,
                    since: Some(six_years_before(now)),
                    ..any
                },
            };
            let events = audit::select(shelf, keys, &filter)?;
            match report {
                Report::Disclosures(_) => Ok(accounting(&events)),
                _ => listing(report, events, snapshot),
            }
        })
    }
}

/// What takes records out of the store for somebody.
const DISCLOSING: &[EventKind] = &[EventKind::Disclose, EventKind::Export, EventKind::AccessPackage];
/// What shows or takes out the records of every patient at once.
const OF_EVERYBODY: &[EventKind] = &[EventKind::Export, EventKind::Backup];

fn numbered(snapshot: &Snapshot<'_>, id: &str) -> Result<u32> {
    let number = match id.strip_prefix('#') {
        Some(number) => number.parse().ok(),
        None => snapshot.patient(id)?.map(|PatientNumber(number)| number),
    };
    number.filter(|number| *number != 0).ok_or_else(|| Code::NotFound.error())
}

fn listing(report: Report<'_>, events: Vec<(u64, Event)>, snapshot: &Snapshot<'_>) -> Result<Table> {
    let mut names = Names::new(snapshot);
    let mut rows = Vec::with_capacity(events.len());
    let (mut gone, mut whole) = (0_usize, 0_usize);
    for (number, event) in events {
        if matches!(report, Report::Patient(_)) && event.patient == 0 && event.patients.is_empty() {
            whole += 1;
        }
        let id = names.id(event.resource, &event.pseudonym)?;
        let record = match event.resource {
            None => String::new(),
            Some(kind) if !id.is_empty() => format!("{kind}/{id}"),
            Some(kind) if event.pseudonym != [0; 12] => {
                gone += 1;
                format!("{kind}/~{}", hex(&event.pseudonym))
            }
            Some(kind) => kind.name().to_owned(),
        };
        let glass = if event.break_glass == 0 { String::new() } else { format!("{:016x}", event.break_glass) };
        let mut row = vec![
            number.to_string(),
            event.at.to_rfc3339(),
            event.kind.name().to_owned(),
            event.actor.clone(),
            role(event.role),
            purpose(event.purpose),
            event.on_behalf_of.clone(),
            event.app.clone(),
            event.device.clone(),
            record,
            if event.version == 0 { String::new() } else { event.version.to_string() },
            event.count.to_string(),
            event.failed.map_or("ok".to_owned(), |failed| {
                event.failure().map_or_else(|| failed.to_string(), |code| code.name().to_owned())
            }),
            glass,
        ];
        if report == Report::BreakGlass {
            row.push(if event.patient == 0 { String::new() } else { format!("#{}", event.patient) });
            row.push(event.reason);
        }
        rows.push(row);
    }
    let mut columns = vec![
        "event",
        "at",
        "what",
        "who",
        "role",
        "purpose",
        "for",
        "client",
        "device",
        "record",
        "version",
        "records",
        "outcome",
        "emergency",
    ];
    let title = match report {
        Report::Patient(_) => "Who saw or changed the records of this patient",
        Report::Actor(_) => "What this user did",
        _ => {
            columns.extend(["patient", "reason"]);
            "What was done in emergencies"
        }
    };
    let mut notes = Vec::new();
    if gone > 0 {
        notes.push(format!(
            "{gone} lines name a record by its pseudonym (~): it was never there, or its key was destroyed"
        ));
    }
    if whole > 0 {
        notes.push(format!("{whole} lines are exports or copies of the whole store, this patient's records among it"));
    }
    Ok(Table { title, columns, rows, notes })
}

/// Date, recipient, content and purpose of each disclosure that the rule counts; how many it leaves out, and by which clause.
fn accounting(events: &[(u64, Event)]) -> Table {
    let (mut rows, mut left_out) = (Vec::new(), BTreeMap::<Ground, usize>::new());
    for (number, event) in events.iter().filter(|(_, event)| event.failed.is_none()) {
        let ground = ground(event);
        if !ground.is_accounted() {
            *left_out.entry(ground).or_default() += 1;
            continue;
        }
        let everybody = event.patient == 0;
        let content = match (event.kind, event.query.as_str()) {
            (EventKind::Disclose, content) => content.to_owned(),
            _ if everybody => "the whole store".to_owned(),
            _ => format!("the chart: {} records", event.count),
        };
        let recipient = if event.recipient.is_empty() { &event.actor } else { &event.recipient };
        let why = if event.reason.is_empty() { purpose(event.purpose) } else { event.reason.clone() };
        rows.push(vec![
            number.to_string(),
            event.at.to_rfc3339(),
            recipient.clone(),
            content,
            why,
            format!("{} ({})", ground.name(), ground.rule()),
            event.actor.clone(),
        ]);
    }
    let mut notes: Vec<String> = left_out
        .iter()
        .map(|(ground, count)| {
            format!("{count} disclosures on the ground of {} are not listed: 45 CFR {}", ground.name(), ground.rule())
        })
        .collect();
    notes.push(
        "The last six years. What went out before this store was kept, or without a word to it, is not here."
            .to_owned(),
    );
    Table {
        title: "Accounting of disclosures (45 CFR 164.528)",
        columns: vec!["event", "date", "recipient", "content", "purpose", "ground", "by"],
        rows,
        notes,
    }
}

/// The ground of a disclosure: the one said or, of an export, that of the session's purpose.
fn ground(event: &Event) -> Ground {
    let by_purpose = || match Purpose::ALL.iter().find(|purpose| **purpose as u8 == event.purpose) {
        Some(Purpose::Treatment) => Ground::Treatment,
        Some(Purpose::Payment) => Ground::Payment,
        Some(Purpose::Operations) => Ground::Operations,
        Some(Purpose::PatientRequest) => Ground::Individual,
        Some(Purpose::Research) => Ground::Research,
        _ => Ground::Other,
    };
    Ground::from_number(event.ground).unwrap_or_else(by_purpose)
}

fn role(number: u8) -> String {
    Role::ALL.iter().find(|role| **role as u8 == number).map_or(String::new(), |role| role.name().to_owned())
}

fn purpose(number: u8) -> String {
    Purpose::ALL.iter().find(|why| **why as u8 == number).map_or(String::new(), |why| why.name().to_owned())
}

/// The same day and time six years before; of a 29 February, the 28th.
fn six_years_before(now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (now.0.div_euclid(DAY), now.0.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let wanted = (year - 6, month, if (month, day) == (2, 29) { 28 } else { day });
    let found = (days - 2193..=days - 2190).find(|days| civil_from_days(*days) == wanted);
    Timestamp(found.unwrap_or(days - 2193) * DAY + rest)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Table {
    /// As `text`, `json` or `csv`; None for another form.
    pub fn to_form(&self, form: &str) -> Option<String> {
        match form {
            "text" => Some(self.to_text()),
            "json" => Some(self.to_json()),
            "csv" => Some(self.to_csv()),
            _ => None,
        }
    }

    /// As text: columns of equal width, one line each. What could act on a terminal is shown as U+FFFD.
    pub fn to_text(&self) -> String {
        let shown = |cell: &str| cell.chars().map(audit::printable).collect::<String>();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
        let width = |at: usize| {
            let cells = rows.iter().map(|row| row.get(at).map_or(0, |cell| cell.chars().count()));
            cells.max().unwrap_or(0).max(self.columns[at].len())
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let columns: Vec<String> = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let mut out = format!("{}\n\n{}", self.title, line(&columns));
        out.extend(rows.iter().map(|row| line(row)));
        if !self.notes.is_empty() {
            out.push('\n');
        }
        out.extend(self.notes.iter().map(|note| format!("{note}\n")));
        out
    }

    /// As CSV (RFC 4180): a line of names, then the lines. A cell that a spreadsheet would take for a formula gets a
    /// quote before it.
    pub fn to_csv(&self) -> String {
        let cell = |text: &str| {
            let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let text = if formula { format!("'{text}") } else { text.to_owned() };
            if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let mut out = self.columns.join(",") + "\r\n";
        for row in &self.rows {
            out += &row.iter().map(|text| cell(text)).collect::<Vec<_>>().join(",");
            out += "\r\n";
        }
        out
    }

    /// As JSON: `{"title": .., "columns": [..], "rows": [[..], ..], "notes": [..]}`, every cell a string.
    pub fn to_json(&self) -> String {
        let list =
            |cells: &mut dyn Iterator<Item = &str>| format!("[{}]", cells.map(json_text).collect::<Vec<_>>().join(","));
        let rows: Vec<String> = self.rows.iter().map(|row| list(&mut row.iter().map(String::as_str))).collect();
        format!(
            r#"{{"title":{},"columns":{},"rows":[{}],"notes":{}}}"#,
            json_text(self.title),
            list(&mut self.columns.iter().copied()),
            rows.join(","),
            list(&mut self.notes.iter().map(String::as_str))
        )
    }
}

fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\u{0}'..='\u{1f}' => out += &format!("\\u{:04x}", letter as u32),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_years_before_is_the_same_day_of_the_calendar() {
        const DAY: i64 = 86_400_000_000;
        for days in (10_000..30_000).step_by(7) {
            let before = six_years_before(Timestamp(days * DAY + 5)).0;
            assert_eq!(before.rem_euclid(DAY), 5);
            let (now, then) = (civil_from_days(days), civil_from_days(before.div_euclid(DAY)));
            assert!(then.0 == now.0 - 6 && (then.1, then.2) == (now.1, if now.1 == 2 { now.2.min(28) } else { now.2 }));
        }
    }

    #[test]
    fn what_comes_from_outside_moves_no_terminal_and_makes_no_formula() {
        let cells = ["=cmd()", "a\u{1b}[31m\nb", "c\"d,\u{202e}"];
        let row = cells.iter().map(|cell| (*cell).to_owned()).collect();
        let table = Table { title: "T", columns: vec!["one", "two", "three"], rows: vec![row], notes: vec![] };
        assert_eq!(table.to_csv(), "one,two,three\r\n'=cmd(),\"a\u{1b}[31m\nb\",\"c\"\"d,\u{202e}\"\r\n");
        assert!(!table.to_text().contains(['\u{1b}', '\u{202e}']) && table.to_text().lines().count() == 4);
        let json: String = table.to_json();
        assert!(json.contains(r#"["=cmd()","a\u001b[31m\u000ab","c\"d,"#), "{json}");
    }
}
