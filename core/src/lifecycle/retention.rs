//! How long entries are kept: rules of the host, and the day from which on an entry may be destroyed.
//!
//! The clock starts with the patient's last encounter or with what was written last, whichever is later: so nothing that somebody writes, dates
//! back, deletes or retracts brings the day nearer. What an import brought and nobody wrote since was written elsewhere, long ago perhaps: it
//! counts by the latest of its own dates of care, and where it has none by the import. For minors it may end later: so many years after
//! majority. Where a rule needs what is not known (a birth date, the end of an encounter) the answer is: keep.

use crate::ehr::{Path, Session};
use crate::error::{Code, Result};
use crate::json::{self, instant_of};
use crate::limits::Limits;
use crate::record::{Node, NodeKind, Record, Value};
use crate::schema::ResourceType;
use crate::store::{Reader, Stored, Writer};
use crate::time::fhir::{Date, DateTime};
use crate::time::{Timestamp, civil_from_days, days_from_civil};

const DAY: i64 = 86_400_000_000;

/// How long one type of entry is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Years after the last encounter.
    pub years: u16,
    /// The age of majority.
    pub majority: u16,
    /// Years after majority, whatever the last encounter; None: majority does not matter.
    pub after_majority: Option<u16>,
}

/// How long entries are kept: a rule for all, and others for some types. Without any, everything is kept for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// For types that have none of their own; None: they are kept for ever.
    pub default: Option<Rule>,
    /// For some types.
    pub types: Vec<(ResourceType, Rule)>,
}

impl Retention {
    /// The rule of a type.
    pub fn rule(&self, kind: ResourceType) -> Option<Rule> {
        self.types.iter().find(|(of, _)| *of == kind).map(|(_, rule)| *rule).or(self.default)
    }

    /// Reads `{"default":{"years":10,"majority":18,"after_majority":3},"types":{"Observation":{"years":7}}}`.
    ///
    /// # Errors
    /// - `invalid-argument`: it does not have that form, or names a type that is not of R4; those of JSON.
    pub fn from_json(text: &[u8]) -> Result<Retention> {
        let wrong =
            || Code::InvalidArgument.error().expected("default and types, each with years, majority, after_majority");
        let document = json::read_document(text, &Limits::DEFAULT)?;
        let root = document.root();
        let number = |node: Node<'_>, name: &str| -> Result<Option<u16>> {
            let Some(found) = node.get(name) else { return Ok(None) };
            let text = std::str::from_utf8(found.raw()).map_err(|_| wrong())?;
            text.parse().map(Some).map_err(|_| wrong())
        };
        let rule = |node: Node<'_>| -> Result<Rule> {
            if node.entries().any(|(name, _)| !matches!(&*name, "years" | "majority" | "after_majority")) {
                return Err(wrong());
            }
            Ok(Rule {
                years: number(node, "years")?.ok_or_else(wrong)?,
                majority: number(node, "majority")?.unwrap_or(18),
                after_majority: number(node, "after_majority")?,
            })
        };
        if root.entries().any(|(name, _)| !matches!(&*name, "default" | "types")) {
            return Err(wrong());
        }
        if root.get("types").is_some_and(|types| types.kind() != NodeKind::Object) {
            return Err(wrong());
        }
        let mut types = Vec::new();
        for (name, node) in root.get("types").into_iter().flat_map(Node::entries) {
            types.push((ResourceType::from_name(&name).ok_or_else(wrong)?, rule(node)?));
        }
        Ok(Retention { default: root.get("default").map(rule).transpose()?, types })
    }

    /// Writes what [`Retention::from_json`] reads.
    pub fn to_json(&self) -> Vec<u8> {
        let rule = |rule: &Rule| {
            let mut value = Value::object();
            value.set("years", i64::from(rule.years));
            value.set("majority", i64::from(rule.majority));
            if let Some(years) = rule.after_majority {
                value.set("after_majority", i64::from(years));
            }
            value
        };
        let mut value = Value::object();
        if let Some(default) = &self.default {
            value.set("default", rule(default));
        }
        let mut types = Value::object();
        for (kind, own) in &self.types {
            types.set(kind.name(), rule(own));
        }
        value.set("types", types);
        value.to_json()
    }

    /// `count number, count x { type number (255 all), years number, majority number, after majority number + 1 (0 none) }`
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let all = self.default.iter().map(|rule| (u8::MAX, rule));
        let all: Vec<_> = all.chain(self.types.iter().map(|(kind, rule)| (kind.number(), rule))).collect();
        out.number(all.len() as u64);
        for (kind, rule) in all {
            out.number(kind.into());
            out.number(rule.years.into());
            out.number(rule.majority.into());
            out.number(rule.after_majority.map_or(0, |years| u64::from(years) + 1));
        }
        out.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Retention> {
        let mut reader = Reader { rest: bytes };
        let mut all = Retention::default();
        if bytes.is_empty() {
            return Ok(all);
        }
        for _ in 0..reader.number()? {
            let kind: u8 = reader.small()?;
            let (years, majority, after) = (reader.small()?, reader.small()?, reader.small::<u32>()?);
            let after_majority = after.checked_sub(1).and_then(|years| years.try_into().ok());
            let rule = Rule { years, majority, after_majority };
            match kind {
                u8::MAX => all.default = Some(rule),
                kind => all.types.push((ResourceType::from_number(kind).ok_or_else(|| Code::Corrupt.error())?, rule)),
            }
        }
        Ok(all)
    }

    /// From when on something of a chart may be destroyed: an entry of that type, or, without one, all of it. None: never, as things
    /// are. `hidden`: encounters that were deleted or retracted, as they were before; `taken_away`: when something was last.
    pub(super) fn due(
        &self,
        chart: &[Stored],
        (hidden, taken_away): (&[Stored], Option<Timestamp>),
        kind: Option<ResourceType>,
    ) -> Result<Option<Timestamp>> {
        let (mut last, mut written, mut born) = (None, taken_away, None);
        for stored in chart {
            written = written.max(when(stored)?);
            match stored.kind().name() {
                "Encounter" => match end_of(&stored.record()?) {
                    End::At(end) => last = last.max(Some(end)),
                    End::NeverBegan => {}
                    End::Unknown => return Ok(None),
                },
                "Patient" => {
                    let record = stored.record()?;
                    let date = record.root().text("birthDate").and_then(|text| Date::parse(&text));
                    born = date.map(|date| date.interval().1);
                }
                _ => {}
            }
        }
        for stored in hidden {
            written = written.max(Some(stored.at()));
            if let End::At(end) = end_of(&Record::parse(stored.bytes())?) {
                last = last.max(Some(end));
            }
        }
        let start = last.max(written).or_else(|| chart.iter().map(Stored::at).max());
        let Some(start) = start else { return Ok(None) };
        let kinds: Vec<ResourceType> = match kind {
            Some(kind) => vec![kind],
            None => chart.iter().map(Stored::kind).collect(),
        };
        let mut due = start;
        for kind in kinds {
            let Some(rule) = self.rule(kind) else { return Ok(None) };
            due = due.max(years_after(start, rule.years.into()));
            if let Some(years) = rule.after_majority {
                let Some(born) = born else { return Ok(None) };
                due = due.max(years_after(born, i64::from(rule.majority) + i64::from(years)));
            }
        }
        Ok(Some(due))
    }
}

/// When a record counts as written; None where it says nothing of that.
fn when(stored: &Stored) -> Result<Option<Timestamp>> {
    if stored.origin().0 == 0 || stored.version() > 1 {
        return Ok(Some(stored.at()));
    }
    if stored.kind() == ResourceType::PATIENT {
        return Ok(None); // who somebody is has no date: the rest of the chart says when they were cared for
    }
    Ok(Some(care_date(&stored.record()?).unwrap_or(stored.at())))
}

/// Elements that say when care took place or was written down, in whichever type they are; a Period, where it is one.
const DATES_OF_CARE: [&str; 18] = [
    "authored",
    "authoredOn",
    "billablePeriod",
    "created",
    "date",
    "dateAsserted",
    "effectiveDateTime",
    "effectiveInstant",
    "effectivePeriod",
    "issued",
    "occurrenceDateTime",
    "occurrencePeriod",
    "performedDateTime",
    "performedPeriod",
    "period",
    "recorded",
    "recordedDate",
    "sent",
];

/// The latest date of care that a record has, and of the last change to it elsewhere; None where it has no date of care, or one that
/// cannot be read or has not ended.
fn care_date(record: &Record) -> Option<Timestamp> {
    let (root, mut last) = (record.root(), None);
    for (_, node) in root.entries().filter(|(name, _)| DATES_OF_CARE.contains(&&**name)) {
        let node = if node.kind() == NodeKind::Object { node.get("end")? } else { node };
        last = last.max(Some(instant_of(node.raw())?.1));
    }
    let changed = root.get("meta").and_then(|meta| meta.get("lastUpdated")).and_then(|node| instant_of(node.raw()));
    last.map(|last| changed.map_or(last, |(_, end)| last.max(end)))
}

/// When an encounter ended.
enum End {
    /// At the last instant it can mean.
    At(Timestamp),
    /// It did not take place: it starts no clock.
    NeverBegan,
    /// It goes on, or does not say.
    Unknown,
}

fn end_of(encounter: &Record) -> End {
    let root = encounter.root();
    let status = root.text("status").unwrap_or_default();
    let instant = |name: &str| {
        let text = root.get("period")?.text(name)?;
        DateTime::parse(&text).map(|date| date.interval().1)
    };
    match (&*status, instant("end").or_else(|| instant("start"))) {
        ("cancelled" | "entered-in-error", _) => End::NeverBegan,
        ("finished", Some(end)) => End::At(end),
        _ => End::Unknown,
    }
}

/// The same day and time so many years later; the 29th of February becomes the 1st of March.
fn years_after(at: Timestamp, years: i64) -> Timestamp {
    let (days, of_day) = (at.0.div_euclid(DAY), at.0.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let later = days_from_civil(year.saturating_add(years), month, day);
    Timestamp(later.saturating_mul(DAY).saturating_add(of_day))
}

impl Session {
    /// Sets how long entries are kept. It takes effect at once, for what is kept already too.
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`, `store-io`.
    pub fn set_retention(&self, retention: &Retention) -> Result<()> {
        let pass = self.enter_for_all(Path::SetRetention)?;
        let made = pass.ungated_change().and_then(|mut change| {
            change.set_retention(&retention.encode())?;
            Ok(change)
        });
        match made {
            Err(error) => pass.refuse(error),
            Ok(change) => pass.commit(change).map(|_| ()),
        }
    }

    /// How long entries are kept.
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`.
    pub fn retention(&self) -> Result<Retention> {
        let pass = self.enter_for_all(Path::Retention)?;
        let found = pass.ungated_snapshot().and_then(|snapshot| Retention::decode(&snapshot.retention()?));
        pass.show(found)
    }

    /// From when on a record, or without one a patient's whole chart, may be destroyed; None: never, as things are.
    ///
    /// # Errors
    /// - `not-found`, `denied`, `audit-unavailable`.
    pub fn retention_due(&self, patient: &str, record: Option<(ResourceType, &str)>) -> Result<Option<Timestamp>> {
        let (kind, id) = record.unwrap_or((ResourceType::PATIENT, patient));
        let pass = self.enter_at_for_all(Path::RetentionDue, kind, id)?;
        let found = pass.ungated_snapshot().and_then(|snapshot| {
            let (number, chart) = super::destroy::chart_of(&snapshot, patient, record)?;
            super::destroy::due(&snapshot, number, &chart, record.map(|(kind, _)| kind))
        });
        pass.show(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_written_and_kept_as_they_are() {
        let text = br#"{"default":{"years":10,"majority":18,"after_majority":3},"types":{"Observation":{"years":7,"majority":21}}}"#;
        let rules = Retention::from_json(text).expect("of that form");
        assert_eq!(rules.to_json(), text);
        assert_eq!(Retention::decode(&rules.encode()).expect("as written"), rules);
        let observation = ResourceType::from_name("Observation").expect("of R4");
        assert_eq!(rules.rule(observation).map(|rule| (rule.years, rule.after_majority)), Some((7, None)));
        assert_eq!(rules.rule(ResourceType::PATIENT).map(|rule| rule.years), Some(10));
        for wrong in [
            r#"{"types":{"Nothing":{"years":1}}}"#,
            r#"{"types":[{"Observation":{"years":7}}]}"#,
            r#"{"types":"Observation"}"#,
            r#"{"default":{}}"#,
            r#"{"default":{"years":-1}}"#,
            r#"{"other":1}"#,
        ] {
            assert_eq!(
                Retention::from_json(wrong.as_bytes()).expect_err("not of that form").code(),
                Code::InvalidArgument
            );
        }
    }

    #[test]
    fn years_are_counted_by_the_calendar() {
        let at = |year, month, day| Timestamp(days_from_civil(year, month, day) * DAY + 5);
        assert_eq!(years_after(at(2020, 2, 29), 1), at(2021, 3, 1));
        assert_eq!(years_after(at(2020, 2, 29), 4), at(2024, 2, 29));
        assert_eq!(years_after(at(1999, 12, 31), 10), at(2009, 12, 31));
    }
}
