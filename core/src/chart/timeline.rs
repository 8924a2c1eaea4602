//! Encounters on a timeline: a lane for each class, a bar from start to end, years below.

use super::html::{concept, day, text};
use crate::json::instant_of;
use crate::record::{Node, Record};
use crate::time::civil_from_days;
use std::collections::BTreeMap;
use std::fmt::Write;

const DAY: i64 = 86_400_000_000;

/// An encounter with a date that can be read.
struct Stay {
    start: i64,
    end: i64,
    label: String,
}

/// Draws the encounters that took place; nothing where none has a date.
pub(super) fn timeline(body: &mut String, encounters: &[&Record]) {
    let mut lanes: BTreeMap<String, Vec<Stay>> = BTreeMap::new();
    for record in encounters {
        if let Some((class, stay)) = stay(record.root()) {
            lanes.entry(class).or_default().push(stay);
        }
    }
    let stays = || lanes.values().flatten();
    let (Some(first), Some(last)) = (stays().map(|stay| stay.start).min(), stays().map(|stay| stay.end - 1).max())
    else {
        return;
    };
    let count = stays().count();
    let (from, to) = (year_of(first), year_of(last));
    let (start, end) = (start_of(from), start_of(to + 1));
    let percent = |at: i64| (at - start) as f64 * 100.0 / (end - start) as f64;
    let _ = write!(
        body,
        "<div class=\"timeline\" role=\"img\" aria-label=\"{count} encounters from {from} to {to}\"><div class=\"years\">"
    );
    let step = ((to - from) / 8 + 1).max(1);
    for year in (from..=to).step_by(step as usize) {
        let _ = write!(body, "<span style=\"left:{:.2}%\">{year}</span>", percent(start_of(year)));
    }
    body.push_str("</div>");
    for (class, stays) in &lanes {
        let _ = write!(body, "<div class=\"lane\"><b>{class}</b>");
        for Stay { start, end, label } in stays {
            let (left, right) = (percent(*start), percent(*end));
            let _ = write!(
                body,
                "<i style=\"left:{left:.2}%;width:{:.2}%\" title=\"{label}\"></i>",
                (right - left).max(0.0)
            );
        }
        body.push_str("</div>");
    }
    body.push_str("</div>");
}

fn stay(root: Node<'_>) -> Option<(String, Stay)> {
    if matches!(text(root, "status").as_str(), "entered-in-error" | "cancelled" | "planned") {
        return None;
    }
    let period = root.get("period")?;
    let instant = |name: &str| period.get(name).and_then(|node| instant_of(node.raw()));
    let (start, until) = instant("start")?;
    // An end that is not known yet draws the day it began; an end before the start is not drawn as a stay.
    let end = instant("end").map_or(until.0.min(start.0 + DAY), |(_, end)| end.0).max(start.0);
    let class = root.get("class").map(|class| text(class, "code")).unwrap_or_default();
    let class = match class.as_str() {
        "AMB" => "ambulatory".to_owned(),
        "EMER" => "emergency".to_owned(),
        "IMP" | "ACUTE" | "NONAC" => "inpatient".to_owned(),
        "OBSENC" => "observation".to_owned(),
        "HH" => "home".to_owned(),
        "VR" => "virtual".to_owned(),
        "" => "class not said".to_owned(),
        _ => class,
    };
    let what = root.list("type").map(|kind| concept(Some(kind))).find(|what| !what.is_empty()).unwrap_or_default();
    let label = format!("{} {what}", day(&text(period, "start")));
    Some((class, Stay { start: start.0, end, label }))
}

fn year_of(micros: i64) -> i64 {
    civil_from_days(micros.div_euclid(DAY)).0
}

fn start_of(year: i64) -> i64 {
    crate::time::days_from_civil(year, 1, 1) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(encounters: &[&str]) -> String {
        let records: Vec<Record> = encounters
            .iter()
            .map(|rest| {
                Record::parse(format!("{{\"resourceType\":\"Encounter\",{rest}}}").as_bytes()).expect("a resource")
            })
            .collect();
        let mut body = String::new();
        timeline(&mut body, &records.iter().collect::<Vec<_>>());
        body
    }

    #[test]
    fn an_encounter_stands_at_its_date_and_is_as_long_as_it_was() {
        let body = drawn(&[
            r#""status":"finished","class":{"code":"IMP"},"period":{"start":"2021-07-02","end":"2021-12-31"}"#,
            r#""status":"finished","class":{"code":"AMB"},"period":{"start":"2020-01-01T10:00:00Z","end":"2020-01-01T10:15:00Z"}"#,
        ]);
        assert!(body.contains("2 encounters from 2020 to 2021"), "{body}");
        assert!(
            body.contains("<b>inpatient</b><i style=\"left:74.97%;width:25.03%\" title=\"2021-07-02 \">"),
            "{body}"
        );
        assert!(body.contains("<b>ambulatory</b><i style=\"left:0.06%;width:0.00%\""), "{body}");
    }

    #[test]
    fn what_did_not_take_place_or_has_no_date_is_not_drawn() {
        assert_eq!(
            drawn(&[
                r#""status":"cancelled","class":{"code":"AMB"},"period":{"start":"2020"}"#,
                r#""status":"finished","class":{"code":"AMB"}"#,
                r#""status":"finished","class":{"code":"AMB"},"period":{"start":"soon"}"#,
            ]),
            ""
        );
    }

    #[test]
    fn a_long_life_has_few_years_written_and_an_end_before_the_start_has_no_length() {
        let body = drawn(&[
            r#""status":"finished","class":{"code":"<AMB>"},"period":{"start":"1920-05","end":"1919"}"#,
            r#""status":"in-progress","period":{"start":"2026"}"#,
        ]);
        assert!(
            body.matches("<span").count() <= 10 && body.contains("&lt;AMB&gt;") && body.contains("width:0.00%"),
            "{body}"
        );
    }
}
