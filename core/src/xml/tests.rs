//! Reading and writing XML.

use super::*;
use crate::report::Severity;
use proptest::prelude::*;

const OPEN: &str = "<Patient xmlns=\"http://hl7.org/fhir\">";

fn parsed(text: &str) -> Parsed {
    read(text.as_bytes(), &Limits::DEFAULT).expect("it is XML of a resource")
}

fn json_of(text: &str) -> String {
    let parsed = parsed(text);
    assert_eq!(parsed.report.issues(), [], "{text}");
    String::from_utf8(parsed.record.original().to_vec()).expect("UTF-8")
}

fn patient(inside: &str) -> String {
    format!("{OPEN}{inside}</Patient>")
}

/// Code, path, line and column of each finding.
fn found(text: &str) -> Vec<(&'static str, String, u32, u32)> {
    let report = parsed(text).report;
    report.issues().iter().map(|i| (i.code.name(), i.path.clone(), i.line, i.column)).collect()
}

fn xml_of(json: &str) -> Result<String> {
    let record = Record::parse(json.as_bytes()).expect("a resource");
    let mut out = Vec::new();
    write(&record, &mut out)?;
    Ok(String::from_utf8(out).expect("UTF-8"))
}

#[test]
fn elements_become_what_their_type_says() {
    let text = patient(
        "<id value=\"a\"/><!-- gone --><extension url=\"http://x\"><valueDecimal value=\"1.00\"/></extension>\
         <active value=\"true\"/><name id=\"n\"><given value=\"A &amp; B&#10;\"/><given value=\"C\"/></name>\
         <multipleBirthInteger value=\"2\"/>",
    );
    assert_eq!(
        json_of(&text),
        "{\"resourceType\":\"Patient\",\"id\":\"a\",\"extension\":[{\"url\":\"http://x\",\"valueDecimal\":1.00}],\
         \"active\":true,\"name\":[{\"id\":\"n\",\"given\":[\"A & B\\n\",\"C\"]}],\"multipleBirthInteger\":2}"
    );
}

#[test]
fn a_primitive_with_extensions_has_a_companion_and_nulls_pad() {
    let text = patient(
        "<name><given value=\"A\"/><given id=\"x\"/><given value=\"B\"><extension url=\"http://x\"><valueCode value=\"c\"/>\
         </extension></given></name><birthDate><extension url=\"http://x\"><valueString value=\"s\"/></extension></birthDate>",
    );
    assert_eq!(
        json_of(&text),
        "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"A\",null,\"B\"],\"_given\":[null,{\"id\":\"x\"},\
         {\"extension\":[{\"url\":\"http://x\",\"valueCode\":\"c\"}]}]}],\
         \"_birthDate\":{\"extension\":[{\"url\":\"http://x\",\"valueString\":\"s\"}]}}"
    );
}

#[test]
fn resources_inside_resources_are_read() {
    let text = "<Bundle xmlns='http://hl7.org/fhir'><type value='collection'/><entry><fullUrl value='http://x/Patient/1'/>\
        <resource><Patient><contained><Organization><id value='o'/><name value='n'/></Organization></contained>\
        <managingOrganization><reference value='#o'/></managingOrganization></Patient></resource></entry></Bundle>";
    assert_eq!(
        json_of(text),
        "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{\"fullUrl\":\"http://x/Patient/1\",\"resource\":\
         {\"resourceType\":\"Patient\",\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\",\"name\":\"n\"}],\
         \"managingOrganization\":{\"reference\":\"#o\"}}}]}"
    );
}

#[test]
fn the_div_is_kept_as_it_stands_in_the_namespace_of_xhtml() {
    for (div, kept) in [
        (
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='a'>x &amp; y<br/>\r\n</p ><!-- c --></div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='a'>x &amp; y<br/>\n</p><!-- c --></div>",
        ),
        (
            "<h:div xmlns:h=\"http://www.w3.org/1999/xhtml\" id='i'><h:p>x<![CDATA[<&]]></h:p></h:div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\" id='i'><p>x&lt;&amp;</p></div>",
        ),
    ] {
        let text = patient(&format!("<text><status value=\"generated\"/>{div}</text>"));
        let record = parsed(&text).record;
        let narrative = record.root().get("text").and_then(|node| node.text("div")).expect("it has a div").into_owned();
        assert_eq!(narrative, kept);
    }
}

#[test]
fn prefixes_are_resolved() {
    let text = "<f:Patient xmlns:f=\"http://hl7.org/fhir\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
        xsi:schemaLocation=\"http://hl7.org/fhir x.xsd\"><f:active value=\"true\"/></f:Patient>";
    assert_eq!(json_of(text), "{\"resourceType\":\"Patient\",\"active\":true}");
}

#[test]
fn what_has_no_place_in_fhir_is_found_where_it_stands() {
    for (inside, expected) in [
        ("\n <odd value='1'/>", ("element-unknown", "Patient", 2, 2)),
        ("<name>\n<odd><a/>x</odd></name>", ("element-unknown", "Patient.name[0]", 2, 1)),
        ("<resourceType value='Group'/>", ("element-unknown", "Patient", 1, 38)),
        ("<birthDate value='1970'/><active value='true'/>", ("xml-order", "Patient", 1, 63)),
        (
            "<name><family value='a'/></name><gender value='male'/><name><family value='b'/></name>",
            ("xml-order", "Patient", 1, 92),
        ),
        ("<active value='true' odd='x'/>", ("xml-attribute", "Patient.active", 1, 59)),
        ("<name value='x'><family value='a'/></name>", ("xml-attribute", "Patient.name[0]", 1, 44)),
        ("<active value='true' xmlns='urn:other'/>", ("xml-namespace", "Patient", 1, 38)),
        ("<text><status value='empty'/><div>x</div></text>", ("xml-namespace", "Patient.text", 1, 67)),
        ("<name><family value='a'/>text</name>", ("xml-text", "Patient.name[0]", 1, 63)),
        ("<active>true</active>", ("element-empty", "Patient.active", 1, 38)),
        ("<active value='1'/>", ("primitive-form", "Patient.active", 1, 53)),
        ("<multipleBirthInteger value='01'/>", ("primitive-form", "Patient.multipleBirth.ofType(integer)", 1, 67)),
        ("<birthDate/>", ("element-empty", "Patient.birthDate", 1, 38)),
        ("<birthDate value='1.1.70'/>", ("primitive-form", "Patient.birthDate", 1, 56)),
        ("<birthDate value='1970'/><birthDate value='1971'/>", ("element-repeats", "Patient.birthDate", 1, 38)),
        ("<name><id value='x'/><family value='a'/></name>", ("xml-shape", "Patient.name[0]", 1, 44)),
        ("<contained/>", ("resource-type-missing", "Patient.contained[0]", 1, 38)),
        ("<contained><Odd/></contained>", ("resource-type-unknown", "Patient.contained[0]", 1, 49)),
        (
            "<contained><Basic><id value='a'/><code><text value='x'/></code></Basic><Basic/></contained>",
            ("xml-shape", "Patient.contained[0]", 1, 109),
        ),
    ] {
        let text = patient(inside);
        let all = found(&text);
        let (code, path, line, column) = expected;
        assert!(all.contains(&(code, path.to_owned(), line, column)), "{inside}: {all:?}");
        assert!(!parsed(&text).report.is_valid());
    }
}

#[test]
fn a_root_without_the_namespace_is_one_finding() {
    let text = "<Patient><active value='true'/><name><family value='a'/></name></Patient>";
    assert_eq!(found(text), [("xml-namespace", "Patient".to_owned(), 1, 1)]);
}

#[test]
fn what_is_no_xml_of_a_resource_is_an_error_with_its_place() {
    for (text, code, line, column) in [
        ("<Patient>\n<!DOCTYPE x></Patient>", Code::XmlDoctype, 2, 1),
        ("<Patient>\n<x:active/></Patient>", Code::XmlPrefix, 2, 1),
        ("\n<ClinicalDocument/>", Code::ResourceTypeUnknown, 2, 1),
        ("<Patient>", Code::XmlEnd, 1, 10),
    ] {
        let error = read(text.as_bytes(), &Limits::DEFAULT).expect_err(text);
        assert_eq!((error.code(), error.location().line, error.location().column), (code, line, column), "{text}");
    }
    // Deeper in JSON than in XML, for arrays count: the error still points into the XML.
    let text = patient(&format!(
        "\n<extension url='u'>{}{}</extension>",
        "<extension url='u'>".repeat(20),
        "</extension>".repeat(20)
    ));
    let error = read(text.as_bytes(), &Limits { depth: 30, ..Limits::DEFAULT }).expect_err("too deep");
    assert_eq!((error.code(), error.location().line), (Code::LimitDepth, 2));
    assert!(error.location().column > 200);
}

#[test]
fn many_declarations_and_many_findings_are_bounded() {
    let many: String = (0..200).map(|n| format!(" xmlns:a{n}='urn:x'")).collect();
    let text = format!("<Patient xmlns='http://hl7.org/fhir'{many}/>");
    assert_eq!(read(text.as_bytes(), &Limits::DEFAULT).map(|_| ()).map_err(|e| e.code()), Err(Code::LimitCount));
    let text = patient(&"<odd a='1' b='2'/><name odd='1'/>".repeat(50));
    let report = read(text.as_bytes(), &Limits { findings: 10, ..Limits::DEFAULT }).expect("it is XML").report;
    assert_eq!(report.issues().len(), 10);
    assert!(report.total() > 100);
}

#[test]
fn findings_hold_no_content() {
    let text = patient(
        "<marker marker='Marker'/><birthDate value='Marker' marker='m'/>Marker<name>Marker<use value='Marker'/></name>",
    );
    let report = parsed(&text).report;
    assert!(report.issues().len() > 4);
    assert!(!format!("{report:?}").to_lowercase().contains("marker"));
}

#[test]
fn a_record_is_written_in_the_order_of_the_schema() {
    let json = "{\"birthDate\":\"1970\",\"_birthDate\":{\"id\":\"b\"},\"resourceType\":\"Patient\",\"name\":[{\"given\":[null,\"B<\\n\"],\
        \"_given\":[{\"extension\":[{\"valueDecimal\":1.0E+2,\"url\":\"http://x\"}]},null],\"id\":\"n\"}],\"active\":true,\
        \"text\":{\"status\":\"generated\",\"div\":\" <div>a&nbsp;&amp;&hellip;</div>\\n\"},\
        \"contained\":[{\"resourceType\":\"Basic\",\"id\":\"c\",\"code\":{\"text\":\"t\"}}]}";
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Patient xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/>\
        <div xmlns=\"http://www.w3.org/1999/xhtml\">a&#160;&amp;&#8230;</div></text><contained><Basic><id value=\"c\"/><code>\
        <text value=\"t\"/></code></Basic></contained><active value=\"true\"/><name id=\"n\"><given><extension url=\"http://x\">\
        <valueDecimal value=\"1.0E+2\"/></extension></given><given value=\"B&lt;&#10;\"/></name><birthDate value=\"1970\" id=\"b\"/></Patient>\n";
    assert_eq!(xml_of(json).expect("it can be said"), expected);
}

#[test]
fn what_xml_cannot_say_is_an_error_with_its_path() {
    for (inside, path) in [
        ("\"odd\":1", "Patient"),
        ("\"name\":[{\"odd\":1}]", "Patient.name[0]"),
        ("\"active\":\"true\"", "Patient.active"),
        ("\"birthDate\":1970", "Patient.birthDate"),
        ("\"birthDate\":null", "Patient.birthDate"),
        ("\"name\":{\"family\":\"a\"}", "Patient.name"),
        ("\"name\":[]", "Patient.name"),
        ("\"name\":[1]", "Patient.name[0]"),
        ("\"birthDate\":[\"1970\"]", "Patient.birthDate"),
        ("\"name\":[{\"given\":[\"a\",\"b\"],\"_given\":[{\"id\":\"x\"}]}]", "Patient.name[0].given"),
        ("\"name\":[{\"given\":[null]}]", "Patient.name[0].given"),
        ("\"name\":[{\"family\":\"a\\u0000\"}]", "Patient.name[0].family"),
        ("\"name\":[{\"id\":1}]", "Patient.name[0]"),
        ("\"text\":{\"status\":\"empty\",\"div\":\"<div><b></div>\"}", "Patient.text.div"),
        ("\"text\":{\"status\":\"empty\",\"div\":\"<div>&nothing;</div>\"}", "Patient.text.div"),
        ("\"text\":{\"status\":\"empty\",\"div\":\"<p>x</p>\"}", "Patient.text.div"),
        ("\"contained\":[{\"resourceType\":\"Odd\"}]", "Patient.contained[0]"),
        ("\"contained\":[1]", "Patient.contained[0]"),
        ("\"active\":true,\"active\":false", "Patient"),
        ("\"_name\":[{\"id\":\"x\"}]", "Patient"),
        ("\"_birthDate\":{}", "Patient.birthDate"),
    ] {
        let error = xml_of(&format!("{{\"resourceType\":\"Patient\",{inside}}}")).expect_err(inside);
        assert_eq!((error.code(), error.location().path.as_deref()), (Code::XmlUnsayable, Some(path)), "{inside}");
    }
    let mut out = b"before".to_vec();
    let record = Record::parse(br#"{"resourceType":"Patient","odd":1}"#).expect("a resource");
    assert!(write(&record, &mut out).is_err());
    assert_eq!(out, b"before");
}

#[test]
fn made_up_charts_come_back_from_xml_as_they_were() {
    for chart in ehrcore_synthetic::Charts::new(17).patients(8) {
        let resources = chart.resources.iter().map(|resource| resource.json.clone());
        for text in resources.chain([chart.transaction()]) {
            let record = Record::parse(text.as_bytes()).expect("a resource");
            let mut out = Vec::new();
            write(&record, &mut out).expect("it can be said");
            let again = read(&out, &Limits::DEFAULT).expect("what we write can be read");
            assert!(again.report.issues().iter().all(|issue| issue.severity > Severity::Error));
            assert_eq!(again.record.canonical(), record.canonical());
        }
    }
}

proptest! {
    #[test]
    fn any_text_in_a_record_survives(text in "\\PC{1,20}", digits in "-?[1-9][0-9]{0,20}\\.[0-9]{1,10}(e[+-]?[0-9]{1,2})?") {
        let mut quoted = Vec::new();
        crate::record::quote(&text, &mut quoted);
        let quoted = String::from_utf8(quoted).expect("UTF-8");
        let json = format!("{{\"resourceType\":\"Observation\",\"id\":{quoted},\"valueQuantity\":{{\"value\":{digits},\"unit\":{quoted}}}}}");
        let record = Record::parse(json.as_bytes()).expect("a resource");
        let mut out = Vec::new();
        write(&record, &mut out).expect("it can be said");
        let again = read(&out, &Limits::DEFAULT).expect("what we write can be read");
        prop_assert_eq!(again.record.canonical(), record.canonical());
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in "(<|>|/|Patient|name|given|\"|'| |=|value|&|;|xmlns|http://hl7.org/fhir|<!--|-->|<!\\[CDATA\\[|\\]\\]>|\\?|:|x|\n){0,60}") {
        for text in [text.clone(), format!("<Patient>{text}</Patient>")] {
            if let Ok(parsed) = read(text.as_bytes(), &Limits::DEFAULT) {
                let mut out = Vec::new();
                if write(&parsed.record, &mut out).is_ok() {
                    let again = read(&out, &Limits::DEFAULT).expect("what we write can be read");
                    prop_assert_eq!(again.record.canonical(), parsed.record.canonical());
                }
            }
        }
    }
}
