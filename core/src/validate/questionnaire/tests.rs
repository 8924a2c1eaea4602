//! Responses against questionnaires of our own.

use super::*;
use crate::package::Packages;

/// A questionnaire with these items, and what is beside them.
fn form(items: &str, beside: &str) -> Record {
    let text = format!(r#"{{"resourceType":"Questionnaire","status":"active"{beside},"item":[{items}]}}"#);
    Record::parse(text.as_bytes()).expect("a questionnaire")
}

fn response(items: &str, status: &str) -> Record {
    let text = format!(
        r#"{{"resourceType":"QuestionnaireResponse","status":"{status}","authored":"2020-05-01","item":[{items}]}}"#
    );
    Record::parse(text.as_bytes()).expect("a response")
}

fn terminology() -> Terminology {
    Terminology::new(&Packages::default())
}

/// Code and path of each error.
fn errors(form: &Record, response: &Record) -> Vec<(&'static str, String)> {
    let report = questionnaire_response(response, form, &terminology());
    let errors = report.issues().iter().filter(|issue| issue.severity <= Severity::Error);
    errors.map(|issue| (issue.code.name(), issue.path.clone())).collect()
}

/// Checks answers to one item `q`: its definition, answers, and the errors expected.
fn check(item: &str, answers: &str, expected: &[(&'static str, &str)]) {
    let form = form(&format!(r#"{{"linkId":"q",{item}}}"#), "");
    let response = response(&format!(r#"{{"linkId":"q","answer":[{answers}]}}"#), "completed");
    let expected: Vec<(&str, String)> =
        expected.iter().map(|(code, path)| (*code, format!("QuestionnaireResponse.item[0]{path}"))).collect();
    assert_eq!(errors(&form, &response), expected, "{item} {answers}");
}

const STRING: &str = ".answer[0].value.ofType(string)";

#[test]
fn an_answer_has_the_type_of_its_item() {
    for (kind, right, wrong) in [
        ("boolean", r#""valueBoolean":true"#, r#""valueString":"true""#),
        ("decimal", r#""valueDecimal":1.5"#, r#""valueString":"x""#),
        ("integer", r#""valueInteger":1"#, r#""valueString":"x""#),
        ("date", r#""valueDate":"2020-01""#, r#""valueString":"x""#),
        ("dateTime", r#""valueDateTime":"2020-01""#, r#""valueString":"x""#),
        ("time", r#""valueTime":"10:00:00""#, r#""valueString":"x""#),
        ("text", r#""valueString":"x""#, r#""valueCoding":{"code":"x"}"#),
        ("url", r#""valueUri":"http://x""#, r#""valueCoding":{"code":"x"}"#),
        ("attachment", r#""valueAttachment":{"url":"http://x"}"#, r#""valueString":"x""#),
        ("reference", r#""valueReference":{"reference":"Patient/1"}"#, r#""valueString":"x""#),
        ("quantity", r#""valueQuantity":{"value":1}"#, r#""valueString":"x""#),
        ("choice", r#""valueCoding":{"code":"x"}"#, r#""valueString":"x""#),
        ("open-choice", r#""valueString":"x""#, r#""valueBoolean":true"#),
    ] {
        let item = format!(r#""type":"{kind}""#);
        check(&item, &format!("{{{right}}}"), &[]);
        let name =
            ["Coding", "Boolean"].iter().find(|name| wrong.contains(&format!("value{name}"))).unwrap_or(&"String");
        let name = if *name == "Coding" { "Coding".to_owned() } else { name.to_lowercase() };
        check(&item, &format!("{{{wrong}}}"), &[("answer-type", &format!(".answer[0].value.ofType({name})"))]);
    }
    check(r#""type":"question""#, r#"{"valueString":"x"}"#, &[("item-shape", "")]);
}

#[test]
fn answers_are_counted() {
    let two = r#"{"valueString":"a"},{"valueString":"b"}"#;
    check(r#""type":"string""#, two, &[("answer-count", "")]);
    check(r#""type":"string","repeats":true"#, two, &[]);
    let occurs = |name, count| {
        format!(
            r#""type":"string","repeats":true,"extension":[{{"url":"http://hl7.org/fhir/StructureDefinition/questionnaire-{name}","valueInteger":{count}}}]"#
        )
    };
    check(&occurs("maxOccurs", 1), two, &[("answer-count", "")]);
    check(&occurs("minOccurs", 3), two, &[("answer-count", "")]);
    check(&occurs("minOccurs", 2), two, &[]);
}

#[test]
fn an_answer_is_one_of_the_options() {
    let options = r#""type":"choice","repeats":true,"answerOption":[{"valueCoding":{"system":"http://x","code":"a"}},
        {"valueCoding":{"system":"http://x","code":"none"},"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive","valueBoolean":true}]}]"#;
    let a = r#"{"valueCoding":{"system":"http://x","code":"a","display":"A"}}"#;
    let none = r#"{"valueCoding":{"system":"http://x","code":"none"}}"#;
    check(options, a, &[]);
    check(options, none, &[]);
    check(options, &format!("{a},{none}"), &[("answer-option", ".answer[1]")]);
    let coding = ".answer[0].value.ofType(Coding)";
    check(options, r#"{"valueCoding":{"system":"http://y","code":"a"}}"#, &[("answer-option", coding)]);
    check(options, r#"{"valueString":"a"}"#, &[("answer-type", STRING)]);
    check(&options.replace("choice", "open-choice"), r#"{"valueString":"a"}"#, &[]);
    let strings = r#""type":"string","answerOption":[{"valueString":"a"}]"#;
    check(strings, r#"{"valueString":"a"}"#, &[]);
    check(strings, r#"{"valueString":"b"}"#, &[("answer-option", STRING)]);
}

#[test]
fn an_answer_is_of_the_value_set_of_its_item() {
    let item = r#""type":"choice","answerValueSet":"http://hl7.org/fhir/ValueSet/administrative-gender""#;
    let coding =
        |code| format!(r#"{{"valueCoding":{{"system":"http://hl7.org/fhir/administrative-gender","code":"{code}"}}}}"#);
    check(item, &coding("male"), &[]);
    check(item, &coding("m"), &[("answer-option", ".answer[0].value.ofType(Coding)")]);
    // Nobody here knows this value set.
    check(r#""type":"choice","answerValueSet":"http://example.org/vs""#, &coding("m"), &[]);
    let set = r#","contained":[{"resourceType":"ValueSet","id":"v","status":"active","compose":{"include":[{"system":"http://x","concept":[{"code":"a"}]}]}}]"#;
    let form = form(r##"{"linkId":"q","type":"choice","answerValueSet":"#v"}"##, set);
    let answer = |code| {
        response(
            &format!(r#"{{"linkId":"q","answer":[{{"valueCoding":{{"system":"http://x","code":"{code}"}}}}]}}"#),
            "completed",
        )
    };
    assert_eq!(errors(&form, &answer("a")), []);
    assert_eq!(errors(&form, &answer("b")).len(), 1);
}

#[test]
fn limits_units_and_forms_are_kept() {
    let limit =
        |kind: &str, url: &str, value: &str| format!(r#""type":"{kind}","extension":[{{"url":"{url}",{value}}}]"#);
    let core = |name: &str| format!("http://hl7.org/fhir/StructureDefinition/{name}");
    let sdc = |name: &str| format!("http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-{name}");
    let integer = ".answer[0].value.ofType(integer)";
    check(
        &limit("integer", &core("minValue"), r#""valueInteger":5"#),
        r#"{"valueInteger":4}"#,
        &[("answer-range", integer)],
    );
    check(&limit("integer", &core("maxValue"), r#""valueInteger":5"#), r#"{"valueInteger":5}"#, &[]);
    let dated = limit("date", &core("maxValue"), r#""valueDate":"2022-06""#);
    check(&dated, r#"{"valueDate":"2022-06-30"}"#, &[]);
    check(&dated, r#"{"valueDate":"2022-07-01"}"#, &[("answer-range", ".answer[0].value.ofType(date)")]);
    check(
        &limit("string", &core("minLength"), r#""valueInteger":3"#),
        r#"{"valueString":"ab"}"#,
        &[("answer-range", STRING)],
    );
    check(r#""type":"string","maxLength":1"#, r#"{"valueString":"ab"}"#, &[("answer-range", STRING)]);
    let places = limit("decimal", &core("maxDecimalPlaces"), r#""valueInteger":1"#);
    check(&places, r#"{"valueDecimal":1.50}"#, &[("answer-range", ".answer[0].value.ofType(decimal)")]);
    check(
        &limit("string", &core("regex"), r#""valueString":"a+""#),
        r#"{"valueString":"aab"}"#,
        &[("answer-form", STRING)],
    );
    let quantity = |value: &str, unit: &str| {
        format!(r#"{{"valueQuantity":{{"value":{value},"system":"http://unitsofmeasure.org","code":"{unit}"}}}}"#)
    };
    let at = ".answer[0].value.ofType(Quantity)";
    let most = limit(
        "quantity",
        &sdc("maxQuantity"),
        r#""valueQuantity":{"value":5,"system":"http://unitsofmeasure.org","code":"km"}"#,
    );
    check(&most, &quantity("5000", "m"), &[]);
    check(&most, &quantity("5001", "m"), &[("answer-range", at)]);
    check(&most, &quantity("1", "kg"), &[("answer-unit", at)]);
    let unit = limit(
        "quantity",
        &core("questionnaire-unitOption"),
        r#""valueCoding":{"system":"http://unitsofmeasure.org","code":"km"}"#,
    );
    check(&unit, &quantity("1", "km"), &[]);
    check(&unit, &quantity("1", "m"), &[("answer-unit", at)]);
    let attachment = r#"{"valueAttachment":{"contentType":"image/gif","data":"QUJDRA==","size":4}}"#;
    check(r#""type":"attachment""#, attachment, &[]);
    check(
        r#""type":"attachment""#,
        &attachment.replace("4}", "5}"),
        &[("answer-form", ".answer[0].value.ofType(Attachment)")],
    );
    check(&limit("attachment", &core("maxSize"), r#""valueDecimal":3"#), attachment, &[("answer-range", ".answer[0]")]);
    check(
        &limit("attachment", &core("mimeType"), r#""valueCode":"image/png""#),
        attachment,
        &[("answer-form", ".answer[0]")],
    );
    let reference = limit("reference", &core("questionnaire-referenceResource"), r#""valueCode":"Patient""#);
    check(&reference, r#"{"valueReference":{"reference":"Patient/1"}}"#, &[]);
    check(
        &reference,
        r#"{"valueReference":{"reference":"Group/1"}}"#,
        &[("answer-option", ".answer[0].value.ofType(Reference)")],
    );
    check(r#""type":"url""#, r#"{"valueUri":"urn:uuid:1"}"#, &[("answer-form", ".answer[0].value.ofType(uri)")]);
}

const GROUPS: &str = r#"{"linkId":"g","type":"group","repeats":true,"item":[
    {"linkId":"smokes","type":"boolean","required":true},
    {"linkId":"packs","type":"integer","required":true,"enableWhen":[{"question":"smokes","operator":"=","answerBoolean":true}]}]},
    {"linkId":"end","type":"display"}"#;

fn group(smokes: &str, packs: &str) -> String {
    let packs = if packs.is_empty() {
        String::new()
    } else {
        format!(r#",{{"linkId":"packs","answer":[{{"valueInteger":{packs}}}]}}"#)
    };
    format!(r#"{{"linkId":"g","item":[{{"linkId":"smokes","answer":[{{"valueBoolean":{smokes}}}]}}{packs}]}}"#)
}

#[test]
fn a_condition_looks_at_the_nearest_answer() {
    let form = form(GROUPS, "");
    let right = [group("true", "2"), group("false", "")].join(",");
    assert_eq!(errors(&form, &response(&right, "completed")), []);
    let wrong = [group("true", "2"), group("false", "1"), group("true", "")].join(",");
    assert_eq!(
        errors(&form, &response(&wrong, "completed")),
        [
            ("item-disabled", "QuestionnaireResponse.item[1].item[1]".to_owned()),
            ("answer-missing", "QuestionnaireResponse.item[2]".to_owned()),
        ]
    );
    // What is being filled in may lack answers still.
    assert_eq!(errors(&form, &response(&group("true", ""), "in-progress")), []);
}

#[test]
fn every_operator_of_a_condition_is_worked_out() {
    for (operator, wanted, enabled) in [
        ("=", r#""answerInteger":2"#, true),
        ("!=", r#""answerInteger":2"#, false),
        (">", r#""answerInteger":1"#, true),
        ("<", r#""answerInteger":2"#, false),
        (">=", r#""answerInteger":2"#, true),
        ("<=", r#""answerInteger":1"#, false),
        ("exists", r#""answerBoolean":true"#, true),
        ("exists", r#""answerBoolean":false"#, false),
    ] {
        let items = format!(
            r#"{{"linkId":"a","type":"integer"}},{{"linkId":"b","type":"string","enableWhen":[{{"question":"a","operator":"{operator}",{wanted}}}]}}"#
        );
        let answers = r#"{"linkId":"a","answer":[{"valueInteger":2}]},{"linkId":"b","answer":[{"valueString":"x"}]}"#;
        let found = errors(&form(&items, ""), &response(answers, "completed"));
        assert_eq!(found.is_empty(), enabled, "{operator} {wanted}: {found:?}");
    }
    for (behaviour, enabled) in [("all", false), ("any", true)] {
        let items = format!(
            r#"{{"linkId":"a","type":"integer"}},{{"linkId":"b","type":"string","enableBehavior":"{behaviour}","enableWhen":[
            {{"question":"a","operator":"=","answerInteger":2}},{{"question":"a","operator":"=","answerInteger":3}}]}}"#
        );
        let answers = r#"{"linkId":"a","answer":[{"valueInteger":2}]},{"linkId":"b","answer":[{"valueString":"x"}]}"#;
        assert_eq!(errors(&form(&items, ""), &response(answers, "completed")).is_empty(), enabled);
    }
}

#[test]
fn items_stand_where_the_questionnaire_has_them() {
    let form = form(GROUPS, "");
    let at = |rest: &str| format!("QuestionnaireResponse{rest}");
    for (items, code, path) in [
        (r#"{"linkId":"other"}"#, "item-unknown", at(".item[0]")),
        (r#"{"linkId":"smokes","answer":[{"valueBoolean":true}]}"#, "item-unknown", at(".item[0]")),
        (
            r#"{"linkId":"end"},{"linkId":"g","item":[{"linkId":"smokes","answer":[{"valueBoolean":false}]}]}"#,
            "item-order",
            at(".item[1]"),
        ),
        (r#"{"linkId":"end","answer":[{"valueString":"x"}]}"#, "item-shape", at(".item[0]")),
        (
            r#"{"linkId":"g","answer":[{"valueString":"x"}],"item":[{"linkId":"smokes","answer":[{"valueBoolean":false}]}]}"#,
            "item-shape",
            at(".item[0].answer"),
        ),
        (r#"{"linkId":"g","item":[{"linkId":"smokes"}]}"#, "answer-missing", at(".item[0].item[0]")),
        (
            r#"{"linkId":"g","item":[{"linkId":"smokes","answer":[{"valueBoolean":false}]},{"linkId":"smokes","answer":[{"valueBoolean":false}]}]}"#,
            "answer-count",
            at(".item[0].item[1]"),
        ),
    ] {
        let found = errors(&form, &response(items, "completed"));
        assert!(found.contains(&(code, path)), "{items}: {found:?}");
    }
    let nested = super::tests::form(
        r#"{"linkId":"a","type":"boolean","item":[{"linkId":"b","type":"string","required":true}]}"#,
        "",
    );
    let right =
        r#"{"linkId":"a","answer":[{"valueBoolean":true,"item":[{"linkId":"b","answer":[{"valueString":"x"}]}]}]}"#;
    assert_eq!(errors(&nested, &response(right, "completed")), []);
    let beside =
        r#"{"linkId":"a","answer":[{"valueBoolean":true}],"item":[{"linkId":"b","answer":[{"valueString":"x"}]}]}"#;
    let found = errors(&nested, &response(beside, "completed"));
    assert!(
        found.iter().any(|(code, _)| *code == "item-shape") && found.iter().any(|(code, _)| *code == "answer-missing")
    );
    let required = super::tests::form(
        r#"{"linkId":"g","type":"group","required":true,"item":[{"linkId":"a","type":"string"}]}"#,
        "",
    );
    assert_eq!(errors(&required, &response(r#"{"linkId":"g"}"#, "completed")), [("answer-missing", at(".item[0]"))]);
}

#[test]
fn a_response_outside_the_effective_period_is_noted() {
    for (period, noted) in
        [(r#""end":"2020-04""#, true), (r#""start":"2021""#, true), (r#""start":"2020","end":"2020-05""#, false)]
    {
        let form = form(r#"{"linkId":"q","type":"string"}"#, &format!(r#","effectivePeriod":{{{period}}}"#));
        let report = questionnaire_response(&response(r#"{"linkId":"q"}"#, "completed"), &form, &terminology());
        let codes: Vec<_> = report.issues().iter().map(|issue| (issue.code, issue.severity)).collect();
        assert_eq!(codes, if noted { vec![(Code::QuestionnaireDate, Severity::Warning)] } else { vec![] }, "{period}");
    }
}

#[test]
fn a_questionnaire_has_rules_of_its_own() {
    for (items, path) in [
        (
            r#"{"linkId":"a","type":"boolean"},{"linkId":"b","type":"string","enableWhen":[{"question":"a","operator":"=","answerBoolean":true},{"question":"a","operator":"exists","answerBoolean":true}]}"#,
            ".item[1]",
        ),
        (
            r#"{"linkId":"a","type":"string","enableWhen":[{"question":"none","operator":"=","answerString":"x"}]}"#,
            ".item[0].enableWhen[0]",
        ),
        (
            r#"{"linkId":"g","type":"group"},{"linkId":"a","type":"string","enableWhen":[{"question":"g","operator":"exists","answerBoolean":true}]}"#,
            ".item[1].enableWhen[0]",
        ),
        (
            r#"{"linkId":"a","type":"string","enableWhen":[{"question":"a","operator":"=","answerBoolean":true}]}"#,
            ".item[0].enableWhen[0].answer.ofType(boolean)",
        ),
        (r#"{"linkId":"a","type":"integer","answerOption":[{"valueString":"x"}]}"#, ".item[0].answerOption[0]"),
        (r#"{"linkId":"a","type":"integer","initial":[{"valueString":"x"}]}"#, ".item[0].initial[0]"),
        (
            r#"{"linkId":"a","type":"string","maxLength":1,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/minLength","valueInteger":2}]}"#,
            ".item[0]",
        ),
    ] {
        let report = questionnaire(&form(items, ""));
        let found: Vec<_> = report.issues().iter().map(|issue| (issue.code, issue.path.as_str())).collect();
        assert_eq!(found, [(Code::QuestionnaireRule, format!("Questionnaire{path}").as_str())], "{items}");
    }
    assert_eq!(questionnaire(&form(GROUPS, "")).issues(), []);
}

#[test]
fn a_response_that_asks_for_too_much_work_is_cut_short() {
    let many = (0..1_500).map(|n| format!(r#"{{"linkId":"q{n}","type":"string"}}"#)).collect::<Vec<_>>().join(",");
    let form = form(&format!(r#"{{"linkId":"g","type":"group","repeats":true,"item":[{many}]}}"#), "");
    let groups = vec![r#"{"linkId":"g","item":[{"linkId":"q1"}]}"#; 1_500].join(",");
    let found = errors(&form, &response(&groups, "completed"));
    assert_eq!(found, [("limit-count", "QuestionnaireResponse".to_owned())]);
}

#[test]
fn a_validator_finds_the_questionnaire_that_a_response_names() {
    use crate::validate::Validator;
    let form = form(r#"{"linkId":"q","type":"boolean"}"#, r#","url":"http://example.org/form","name":"Form""#);
    let validator = Validator::builder().definition(form).build().expect("a validator");
    let response = |url: &str| {
        format!(
            r#"{{"resourceType":"QuestionnaireResponse","questionnaire":"{url}","status":"completed","item":[{{"linkId":"q","answer":[{{"valueString":"x"}}]}}]}}"#
        )
    };
    let found = |text: &str| -> Vec<Code> {
        let report = validator.validate(text.as_bytes());
        report.issues().iter().map(|issue| issue.code).filter(|code| (360..380).contains(&code.number())).collect()
    };
    assert_eq!(found(&response("http://example.org/form")), [Code::AnswerType]);
    assert_eq!(found(&response("http://example.org/other")), [Code::QuestionnaireUnknown]);
    let contained = response("#f").replace(
        r#""status":"completed""#,
        r#""status":"completed","contained":[{"resourceType":"Questionnaire","id":"f","status":"active","item":[{"linkId":"q","type":"boolean"}]}]"#,
    );
    assert_eq!(found(&contained), [Code::AnswerType]);
    assert_eq!(
        found(
            r#"{"resourceType":"Questionnaire","status":"active","item":[{"linkId":"a","type":"integer","initial":[{"valueString":"x"}]}]}"#
        ),
        [Code::QuestionnaireRule]
    );
    // In XML the finding has its line.
    let text = "<QuestionnaireResponse xmlns='http://hl7.org/fhir'><questionnaire value='http://example.org/form'/>\
        <status value='completed'/>\n<item><linkId value='q'/><answer><valueString value='x'/></answer></item></QuestionnaireResponse>";
    let report = validator.validate(text.as_bytes());
    let issue = report.issues().iter().find(|issue| issue.code == Code::AnswerType).expect("it is found");
    assert_eq!((issue.line, issue.column), (2, 54));
}

#[test]
fn findings_hold_no_content() {
    let form = form(r#"{"linkId":"q","type":"choice","answerOption":[{"valueCoding":{"code":"a"}}]}"#, "");
    let text = r#"{"linkId":"q","answer":[{"valueCoding":{"code":"Marker","display":"Marker"}}]},{"linkId":"Marker"}"#;
    let report = questionnaire_response(&response(text, "completed"), &form, &terminology());
    assert_eq!(report.issues().len(), 2);
    assert!(!format!("{report:?}").contains("Marker"));
}
