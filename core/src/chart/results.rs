//! Results and vital signs: a card for each test, with the latest value and how it went.

use super::html::{concept, day, escape, first, status, text};
use super::{list, observation};
use crate::json::instant_of;
use crate::record::{Node, Record};
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Default)]
struct Test {
    points: Vec<(String, String, f64, String)>,
    range: Option<(f64, f64)>,
    unit: String,
}

pub(super) fn results(body: &mut String, observations: &[&Record]) {
    let mut tests: BTreeMap<String, Test> = BTreeMap::new();
    let mut others: Vec<&Record> = Vec::new();
    for record in observations {
        let root = record.root();
        let said = text(root, "status");
        let date = first(root, &["effectiveDateTime", "issued"]);
        let mut found = false;
        for part in std::iter::once(root).chain(root.list("component")) {
            let number = part.get("valueQuantity").and_then(|q| q.get("value")).and_then(Node::as_decimal);
            let Some(number) = number.filter(|_| said != "entered-in-error" && said != "cancelled") else { continue };
            let name = concept(part.get("code"));
            let quantity = part.get("valueQuantity");
            let unit = quantity
                .map(|q| {
                    let u = text(q, "unit");
                    if u.is_empty() { text(q, "code") } else { u }
                })
                .unwrap_or_default();
            let test = tests.entry(format!("{name}\u{0}{unit}")).or_default();
            test.unit = unit;
            let range = part.list("referenceRange").next();
            let bound = |name: &str| Some(range?.get(name)?.get("value")?.as_decimal()?.to_f64());
            test.range = bound("low").zip(bound("high")).or(test.range);
            let flag = status(part.list("interpretation").next());
            test.points.push((date.clone(), escape(number.as_str()), number.to_f64(), flag));
            found = true;
        }
        if !found {
            others.push(record);
        }
    }
    body.push_str("<section><h2>Results and vital signs</h2>");
    if tests.is_empty() && others.is_empty() {
        body.push_str("<p class=\"none\">No result is on record.</p>");
    }
    body.push_str("<div class=\"tests\">");
    for (name, test) in &mut tests {
        test.points.sort_by(|a, b| a.0.cmp(&b.0));
        card(body, name.split('\u{0}').next().unwrap_or_default(), test);
    }
    body.push_str("</div></section>");
    if !others.is_empty() {
        list(body, "Other observations", &others, &observation, "");
    }
}

/// Where each value stands from 0 to 1: by its date, or one after the other where a date is missing. Of many values close
/// together the highest and the lowest are kept.
fn places(points: &[(String, String, f64, String)]) -> Vec<(f64, f64)> {
    let times: Option<Vec<f64>> =
        points.iter().map(|point| instant_of(point.0.as_bytes()).map(|(start, _)| start.0 as f64)).collect();
    let times = times.unwrap_or_else(|| (0..points.len()).map(|i| i as f64).collect());
    let (first, last) = (times[0], times[times.len() - 1]);
    let width = if last > first { last - first } else { 1.0 };
    let all: Vec<(f64, f64)> = times.iter().zip(points).map(|(at, point)| ((at - first) / width, point.2)).collect();
    if all.len() <= 200 {
        return all;
    }
    let mut kept = Vec::with_capacity(201);
    for group in all.chunks(all.len().div_ceil(100)) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let mut ends: Vec<(f64, f64)> =
            [group.iter().min_by(by_value), group.iter().max_by(by_value)].into_iter().flatten().copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.extend(ends);
    }
    kept.extend(all.last());
    kept
}

/// One test: the latest value, and how it went, with the reference range as a band.
fn card(body: &mut String, name: &str, test: &Test) {
    let Some((date, value, _, flag)) = test.points.last() else { return };
    let mark = if matches!(flag.as_str(), "H" | "L" | "HH" | "LL" | "A" | "AA") {
        format!(" <span class=\"flag\">{flag}</span>")
    } else {
        String::new()
    };
    let count = test.points.len();
    let range = test.range.map(|(low, high)| format!(" · reference {low}–{high}")).unwrap_or_default();
    let _ = write!(
        body,
        "<div class=\"test\"><h3>{name}</h3><div class=\"value\">{value} <small>{}</small>{mark}</div><div class=\"none\">{}{range}</div>",
        test.unit,
        day(date)
    );
    if count > 1 {
        let values = || test.points.iter().map(|point| point.2);
        let (mut low, mut high) = values().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        if let Some((from, to)) = test.range {
            (low, high) = (low.min(from), high.max(to));
        }
        let span = if high > low { high - low } else { 1.0 };
        let y = |value: f64| 38.0 - (value - low) / span * 36.0;
        let points: Vec<String> =
            places(&test.points).iter().map(|(x, value)| format!("{:.1},{:.1}", x * 200.0, y(*value))).collect();
        let _ = write!(
            body,
            "<svg viewBox=\"0 0 200 40\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{count} values from {} to {}\">",
            day(&test.points[0].0),
            day(date)
        );
        if let Some((from, to)) = test.range {
            let _ = write!(
                body,
                "<rect class=\"band\" x=\"0\" width=\"200\" y=\"{:.1}\" height=\"{:.1}\"/>",
                y(to),
                (y(from) - y(to)).max(0.5)
            );
        }
        let _ = write!(body, "<polyline class=\"trend\" points=\"{}\"/></svg>", points.join(" "));
    }
    body.push_str("</div>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(dates: &[&str]) -> Vec<(String, String, f64, String)> {
        dates.iter().enumerate().map(|(i, date)| ((*date).to_owned(), String::new(), i as f64, String::new())).collect()
    }

    #[test]
    fn a_value_stands_at_its_date() {
        let found = places(&points(&["2020-01-01", "2020-01-02", "2020-01-11"]));
        assert_eq!(found, [(0.0, 0.0), (0.1, 1.0), (1.0, 2.0)]);
        assert_eq!(places(&points(&["", "2020"])), [(0.0, 0.0), (1.0, 1.0)]);
        assert_eq!(places(&points(&["2020", "2020"]))[1].0, 0.0);
    }

    #[test]
    fn of_many_values_the_highest_the_lowest_and_the_last_are_kept() {
        let mut many = points(&["2020"; 5_000]);
        many[2_345].2 = -7.0;
        let kept = places(&many);
        assert!(kept.len() <= 201 && kept.iter().any(|place| place.1 == -7.0));
        assert_eq!(kept.last().map(|place| place.1), Some(4_999.0));
    }
}
