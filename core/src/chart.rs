//! The chart page: one patient on one HTML page that needs nothing else.
//!
//! No script, no network, everything escaped; printable, readable on a phone. What a record says about its own certainty is
//! kept: refuted and entered-in-error entries never stand among the active ones. Types that have no section are counted at the
//! end, so that nothing is hidden.

use crate::record::{Node, Record};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The page of the records of one patient, as they are given.
pub fn page<'a>(records: impl IntoIterator<Item = &'a Record>, at: Timestamp) -> String {
    let mut by_kind: BTreeMap<&'static str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        by_kind.entry(record.kind().name()).or_default().push(record);
    }
    let mut take = |kind: &str| by_kind.remove(kind).unwrap_or_default();
    let patients = take("Patient");
    let mut body = String::new();
    header(&mut body, patients.first().copied());
    list(
        &mut body,
        "Allergies",
        &take("AllergyIntolerance"),
        &allergy,
        "No allergy is on record; that is not the same as no allergy.",
    );
    list(&mut body, "Problems", &take("Condition"), &problem, "No problem is on record.");
    list(
        &mut body,
        "Medications",
        &[take("MedicationRequest"), take("MedicationStatement")].concat(),
        &medication,
        "No medication is on record.",
    );
    list(&mut body, "Immunizations", &take("Immunization"), &immunization, "No immunization is on record.");
    results(&mut body, &take("Observation"));
    list(&mut body, "Encounters", &take("Encounter"), &encounter, "No encounter is on record.");
    list(&mut body, "Procedures", &take("Procedure"), &procedure, "No procedure is on record.");
    if !by_kind.is_empty() {
        body.push_str("<section><h2>Also in this chart</h2><ul class=\"plain\">");
        for (kind, records) in &by_kind {
            let _ = write!(body, "<li>{} {kind}</li>", records.len());
        }
        body.push_str("</ul></section>");
    }
    let made = at.to_rfc3339();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>Chart</title><style>{STYLE}</style></head><body><main>{body}<footer>Chart page made {} UTC from the records as stored. \
         Dates and numbers are shown as they were given.</footer></main></body></html>\n",
        &made[..16].replace('T', " ")
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6570;--line:#d9dee3;--back:#fff;--card:#f6f8fa;--mark:#0b5cad;--warn:#a3261f}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--line:#333b44;--back:#14181c;--card:#1c2228;--mark:#7ab7f5;--warn:#ff8f86}}\
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);font:15px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{max-width:62rem;margin:0 auto;padding:1rem}header{border-bottom:3px solid var(--mark);padding-bottom:.6rem;margin-bottom:1rem}\
h1{margin:0;font-size:1.7rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem;color:var(--mark)}dl{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:.4rem 0 0}\
dt{color:var(--soft);display:inline}dd{display:inline;margin:0 0 0 .3rem}dl div{white-space:nowrap}table{border-collapse:collapse;width:100%}\
th{text-align:left;color:var(--soft);font-weight:600;font-size:.85rem}td,th{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
td.date{white-space:nowrap;color:var(--soft)}.not{color:var(--soft)}.wrong td:first-child{text-decoration:line-through}.flag{color:var(--warn);font-weight:700}\
.plain{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}.none{color:var(--soft)}.tests{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.7rem}\
.test{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem;break-inside:avoid}.test h3{margin:0;font-size:.88rem;font-weight:600}\
.value{font-size:1.25rem}.value small{font-size:.8rem;color:var(--soft)}svg{width:100%;height:3rem;display:block}.band{fill:var(--mark);opacity:.12}\
.trend{fill:none;stroke:var(--mark);stroke-width:1.6;vector-effect:non-scaling-stroke}footer{margin:2rem 0 1rem;color:var(--soft);font-size:.8rem;border-top:1px solid var(--line);padding-top:.5rem}\
@media(max-width:34rem){td,th{padding-right:.35rem}h1{font-size:1.35rem}}@media print{body{font-size:11px}main{max-width:none;padding:0}.tests{grid-template-columns:repeat(3,1fr)}section{break-inside:auto}}";

/// Text for HTML: markup escaped, control characters and bidirectional overrides made visible.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => out.push('\u{fffd}'),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn text(node: Node<'_>, name: &str) -> String {
    node.text(name).map(|text| escape(&text)).unwrap_or_default()
}

/// What a CodeableConcept says: its text, else a display, else a code.
fn concept(node: Option<Node<'_>>) -> String {
    let Some(node) = node else { return String::new() };
    let said = text(node, "text");
    if !said.is_empty() {
        return said;
    }
    let coding =
        |field: &'static str| node.list("coding").map(move |coding| text(coding, field)).find(|t| !t.is_empty());
    coding("display").or_else(|| coding("code")).unwrap_or_default()
}

fn status(node: Option<Node<'_>>) -> String {
    node.and_then(|node| node.list("coding").next()).map(|coding| text(coding, "code")).unwrap_or_default()
}

/// The day of a date as given; a shorter one stays as short.
fn day(value: &str) -> &str {
    value.split('T').next().unwrap_or(value)
}

fn header(body: &mut String, patient: Option<&Record>) {
    let Some(patient) = patient else {
        body.push_str("<header><h1>No Patient record</h1></header>");
        return;
    };
    let root = patient.root();
    let name =
        root.list("name").find(|n| n.text("use").is_some_and(|u| u == "official")).or_else(|| root.list("name").next());
    let said = name.map(|name| {
        let given: Vec<String> = name.list("given").filter_map(|g| g.as_str()).map(|g| escape(&g)).collect();
        let (family, whole) = (text(name, "family"), text(name, "text"));
        if family.is_empty() { whole } else { format!("{family}, {}", given.join(" ")) }
    });
    let _ = write!(
        body,
        "<header><h1>{}</h1><dl>",
        said.filter(|n| !n.is_empty()).unwrap_or_else(|| "Name unknown".into())
    );
    let mut fact = |label: &str, value: String| {
        if !value.is_empty() {
            let _ = write!(body, "<div><dt>{label}</dt><dd>{value}</dd></div>");
        }
    };
    fact("born", text(root, "birthDate"));
    fact("sex", text(root, "gender"));
    fact("died", text(root, "deceasedDateTime"));
    if root.get("deceasedBoolean").and_then(Node::as_bool) == Some(true) {
        fact("died", "date unknown".to_owned());
    }
    for identifier in root.list("identifier").take(3) {
        fact(
            if status(identifier.get("type")) == "MR" { "record number" } else { "identifier" },
            text(identifier, "value"),
        );
    }
    for telecom in root.list("telecom").take(2) {
        let system = text(telecom, "system");
        fact(if system == "email" { "email" } else { "phone" }, text(telecom, "value"));
    }
    for address in root.list("address").take(1) {
        let mut parts: Vec<String> = address.list("line").filter_map(|l| l.as_str()).map(|l| escape(&l)).collect();
        parts.extend(["city", "state", "postalCode"].map(|part| text(address, part)));
        parts.retain(|part| !part.is_empty());
        fact("address", parts.join(", "));
    }
    body.push_str("</dl></header>");
}

/// A line of a section: sorted by date, the newest first; what does not hold stands apart at the end.
struct Line {
    cells: [String; 3],
    date: String,
    holds: bool,
}

fn list(body: &mut String, title: &str, records: &[&Record], line: &dyn Fn(Node<'_>) -> Line, none: &str) {
    let _ = write!(body, "<section><h2>{title}</h2>");
    if records.is_empty() {
        let _ = write!(body, "<p class=\"none\">{none}</p></section>");
        return;
    }
    let mut lines: Vec<Line> = records.iter().map(|record| line(record.root())).collect();
    lines.sort_by(|a, b| (b.holds, &b.date).cmp(&(a.holds, &a.date)));
    body.push_str("<table><thead><tr><th>what</th><th>status</th><th>details</th><th>date</th></tr></thead><tbody>");
    for Line { cells: [what, status, details], date, holds } in lines {
        let wrong = status.contains("refuted") || status.contains("entered-in-error");
        let class = match (holds, wrong) {
            (true, _) => "",
            (false, true) => " class=\"not wrong\"",
            (false, false) => " class=\"not\"",
        };
        let what = if what.is_empty() { "not said".to_owned() } else { what };
        let date = day(&date);
        let _ = write!(
            body,
            "<tr{class}><td>{what}</td><td>{status}</td><td>{details}</td><td class=\"date\">{date}</td></tr>"
        );
    }
    body.push_str("</tbody></table></section>");
}

/// Whether an entry is not to be taken for a fact that holds now.
fn holds(clinical: &str, verification: &str, status: &str) -> bool {
    !matches!(clinical, "inactive" | "resolved" | "remission")
        && !matches!(verification, "refuted" | "entered-in-error")
        && !matches!(status, "entered-in-error" | "stopped" | "completed" | "cancelled" | "not-done" | "not-taken")
}

fn words(parts: &[&str]) -> String {
    let said: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    said.join(", ")
}

fn allergy(root: Node<'_>) -> Line {
    let (clinical, verification) = (status(root.get("clinicalStatus")), status(root.get("verificationStatus")));
    let reactions: Vec<String> =
        root.list("reaction").flat_map(|r| r.list("manifestation")).map(|m| concept(Some(m))).collect();
    let criticality = text(root, "criticality");
    let details = words(&[
        &reactions.join(", "),
        &if criticality.is_empty() { String::new() } else { format!("criticality {criticality}") },
    ]);
    let cells = [concept(root.get("code")), words(&[&clinical, &verification]), details];
    Line { cells, date: first(root, &["onsetDateTime", "recordedDate"]), holds: holds(&clinical, &verification, "") }
}

fn problem(root: Node<'_>) -> Line {
    let (clinical, verification) = (status(root.get("clinicalStatus")), status(root.get("verificationStatus")));
    let end = first(root, &["abatementDateTime"]);
    let details = if end.is_empty() { String::new() } else { format!("until {}", day(&end)) };
    let cells = [concept(root.get("code")), words(&[&clinical, &verification]), details];
    Line { cells, date: first(root, &["onsetDateTime", "recordedDate"]), holds: holds(&clinical, &verification, "") }
}

fn medication(root: Node<'_>) -> Line {
    let said = text(root, "status");
    let dose: Vec<String> =
        root.list("dosageInstruction").chain(root.list("dosage")).map(|d| text(d, "text")).collect();
    let mut what = concept(root.get("medicationCodeableConcept"));
    if what.is_empty() {
        what = root.get("medicationReference").map(|m| text(m, "display")).unwrap_or_default();
    }
    let holds = holds("", "", &said);
    let date = first(root, &["authoredOn", "effectiveDateTime", "dateAsserted"]);
    Line { cells: [what, said, dose.join("; ")], date, holds }
}

fn immunization(root: Node<'_>) -> Line {
    let said = text(root, "status");
    let lot = text(root, "lotNumber");
    let details = if lot.is_empty() { lot } else { format!("lot {lot}") };
    let holds = said != "not-done" && said != "entered-in-error";
    Line {
        cells: [concept(root.get("vaccineCode")), said, details],
        date: first(root, &["occurrenceDateTime", "occurrenceString"]),
        holds,
    }
}

fn encounter(root: Node<'_>) -> Line {
    let what = root.list("type").map(|t| concept(Some(t))).find(|t| !t.is_empty()).unwrap_or_default();
    let class = root
        .get("class")
        .map(|c| {
            let d = text(c, "display");
            if d.is_empty() { text(c, "code") } else { d }
        })
        .unwrap_or_default();
    let said = text(root, "status");
    let date = root.get("period").map(|p| text(p, "start")).unwrap_or_default();
    let holds = said != "entered-in-error" && said != "cancelled";
    Line { cells: [what, said, class], date, holds }
}

fn procedure(root: Node<'_>) -> Line {
    let said = text(root, "status");
    let date = match root.get("performedPeriod") {
        Some(period) => text(period, "start"),
        None => first(root, &["performedDateTime", "performedString"]),
    };
    let holds = said != "not-done" && said != "entered-in-error";
    Line { cells: [concept(root.get("code")), said, String::new()], date, holds }
}

fn first(root: Node<'_>, names: &[&str]) -> String {
    names.iter().map(|name| text(root, name)).find(|said| !said.is_empty()).unwrap_or_default()
}

#[derive(Default)]
struct Test {
    points: Vec<(String, String, f64, String)>,
    range: Option<(f64, f64)>,
    unit: String,
}

fn results(body: &mut String, observations: &[&Record]) {
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

fn observation(root: Node<'_>) -> Line {
    let said = text(root, "status");
    let value = concept(root.get("valueCodeableConcept"));
    let value = if value.is_empty() { first(root, &["valueString", "valueDateTime"]) } else { value };
    let holds = holds("", "", if said == "final" { "" } else { &said });
    Line { cells: [concept(root.get("code")), said, value], date: first(root, &["effectiveDateTime", "issued"]), holds }
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
        let shown: Vec<f64> = values().collect();
        let step = shown.len().div_ceil(200);
        let shown: Vec<f64> = shown.into_iter().step_by(step).collect();
        let width = 200.0 / (shown.len().max(2) - 1) as f64;
        let points: Vec<String> =
            shown.iter().enumerate().map(|(i, v)| format!("{:.1},{:.1}", i as f64 * width, y(*v))).collect();
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

    fn made(texts: &[&str]) -> String {
        let records: Vec<Record> =
            texts.iter().map(|text| Record::parse(text.as_bytes()).expect("a resource")).collect();
        page(&records, Timestamp(0))
    }

    #[test]
    fn nothing_in_a_record_becomes_markup() {
        let hostile = r#"<script>alert(1)</script>\"><img src=x onerror=y>\u202e"#;
        let page = made(&[
            &format!(
                r#"{{"resourceType":"Patient","id":"p","name":[{{"family":"{hostile}"}}],"birthDate":"{hostile}","identifier":[{{"value":"{hostile}"}}]}}"#
            ),
            &format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"{hostile}"}},"valueQuantity":{{"value":1.50,"unit":"{hostile}"}}}}"#
            ),
            &format!(
                r#"{{"resourceType":"Condition","code":{{"text":"{hostile}"}},"subject":{{}},"onsetDateTime":"{hostile}"}}"#
            ),
        ]);
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'));
        assert!(page.contains("&lt;script&gt;") && page.contains("1.50"));
    }

    #[test]
    fn a_refuted_allergy_stands_apart_and_an_empty_section_says_so() {
        let allergy = |status: &str| {
            format!(
                r#"{{"resourceType":"AllergyIntolerance","code":{{"text":"{status}-thing"}},"patient":{{}},"verificationStatus":{{"coding":[{{"code":"{status}"}}]}}}}"#
            )
        };
        let page = made(&[&allergy("refuted"), &allergy("confirmed")]);
        assert!(page.contains("<tr class=\"not wrong\"><td>refuted-thing") && page.contains("<tr><td>confirmed-thing"));
        assert!(page.find("confirmed-thing") < page.find("refuted-thing"));
        assert!(page.contains("No medication is on record."));
    }

    #[test]
    fn what_has_no_section_is_counted() {
        assert!(made(&[r#"{"resourceType":"Basic","id":"b"}"#]).contains("<li>1 Basic</li>"));
    }

    #[test]
    fn a_trend_has_its_range_and_its_latest_value() {
        let result = |date: &str, value: &str, flag: &str| {
            format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"HbA1c"}},"effectiveDateTime":"{date}","valueQuantity":{{"value":{value},"unit":"%"}},"referenceRange":[{{"low":{{"value":4}},"high":{{"value":5.6}}}}],"interpretation":[{{"coding":[{{"code":"{flag}"}}]}}]}}"#
            )
        };
        let page = made(&[&result("2024", "8.10", "H"), &result("2023", "9", "H")]);
        assert!(page.contains("8.10 <small>%</small> <span class=\"flag\">H</span>"));
        assert!(page.contains("class=\"band\"") && page.contains("2 values from 2023 to 2024"));
    }
}
