//! The chart page: one patient on one HTML page that needs nothing else.
//!
//! No script, no network, everything escaped; printable, readable on a phone. What a record says about its own certainty is
//! kept: refuted and entered-in-error entries never stand among the active ones. Types that have no section are counted at the
//! end, so that nothing is hidden.

mod html;
mod results;
mod timeline;

use crate::record::{Node, Record};
use crate::time::Timestamp;
use html::{STYLE, concept, day, escape, first, status, text, words};
use results::results;
use std::collections::BTreeMap;
use std::fmt::Write;
use timeline::timeline;

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
    let encounters = take("Encounter");
    section(&mut body, "Encounters", &encounters, "No encounter is on record.", &|body| {
        timeline(body, &encounters);
        table(body, &encounters, &encounter);
    });
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
    section(body, title, records, none, &|body| table(body, records, line));
}

fn section(body: &mut String, title: &str, records: &[&Record], none: &str, content: &dyn Fn(&mut String)) {
    let _ = write!(body, "<section><h2>{title}</h2>");
    if records.is_empty() {
        let _ = write!(body, "<p class=\"none\">{none}</p>");
    } else {
        content(body);
    }
    body.push_str("</section>");
}

fn table(body: &mut String, records: &[&Record], line: &dyn Fn(Node<'_>) -> Line) {
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
    body.push_str("</tbody></table>");
}

/// Whether an entry is not to be taken for a fact that holds now.
fn holds(clinical: &str, verification: &str, status: &str) -> bool {
    !matches!(clinical, "inactive" | "resolved" | "remission")
        && !matches!(verification, "refuted" | "entered-in-error")
        && !matches!(status, "entered-in-error" | "stopped" | "completed" | "cancelled" | "not-done" | "not-taken")
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

fn observation(root: Node<'_>) -> Line {
    let said = text(root, "status");
    let value = concept(root.get("valueCodeableConcept"));
    let value = if value.is_empty() { first(root, &["valueString", "valueDateTime"]) } else { value };
    let holds = holds("", "", if said == "final" { "" } else { &said });
    Line { cells: [concept(root.get("code")), said, value], date: first(root, &["effectiveDateTime", "issued"]), holds }
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
