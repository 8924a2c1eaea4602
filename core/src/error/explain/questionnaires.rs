//! Explanations of what questionnaires and the formal rules of R4 ask.

use super::super::Code;
use super::{Explanation, NO_PROFILE, Setting, plain, set};

/// A questionnaire with these items.
macro_rules! form {
    ($items:literal) => {
        Setting::Questionnaire(concat!(r#"{"resourceType":"Questionnaire","status":"active","item":["#, $items, "]}"))
    };
}
/// A response with these items.
macro_rules! response {
    ($items:literal) => {
        concat!(r#"{"resourceType":"QuestionnaireResponse","status":"completed","item":["#, $items, "]}")
    };
}

#[rustfmt::skip]
pub(super) const TABLE: &[Explanation] = &[
    set(Setting::Validator(&[], ""), plain(Code::QuestionnaireUnknown, "Load the package that has the questionnaire, or contain the questionnaire in the response.",
        r#"{"resourceType":"QuestionnaireResponse","questionnaire":"http://example.org/form","status":"completed"}"#,
        r##"{"resourceType":"QuestionnaireResponse","contained":[{"resourceType":"Questionnaire","id":"f","status":"active","item":[{"linkId":"a","type":"string"}]}],"questionnaire":"#f","status":"completed"}"##)),
    set(form!(r#"{"linkId":"a","type":"string"}"#), plain(Code::ItemUnknown, "Use the linkIds of the questionnaire, each where the questionnaire has it.",
        response!(r#"{"linkId":"b","answer":[{"valueString":"x"}]}"#), response!(r#"{"linkId":"a","answer":[{"valueString":"x"}]}"#))),
    set(form!(r#"{"linkId":"a","type":"string"},{"linkId":"b","type":"string"}"#), plain(Code::ItemOrder, "Put the items into the order of the questionnaire.",
        response!(r#"{"linkId":"b","answer":[{"valueString":"x"}]},{"linkId":"a","answer":[{"valueString":"x"}]}"#),
        response!(r#"{"linkId":"a","answer":[{"valueString":"x"}]},{"linkId":"b","answer":[{"valueString":"x"}]}"#))),
    set(form!(r#"{"linkId":"a","type":"boolean"},{"linkId":"b","type":"string","enableWhen":[{"question":"a","operator":"=","answerBoolean":true}]}"#),
        plain(Code::ItemDisabled, "Take the answer out, or correct the answer that its condition looks at.",
        response!(r#"{"linkId":"a","answer":[{"valueBoolean":false}]},{"linkId":"b","answer":[{"valueString":"x"}]}"#),
        response!(r#"{"linkId":"a","answer":[{"valueBoolean":true}]},{"linkId":"b","answer":[{"valueString":"x"}]}"#))),
    set(form!(r#"{"linkId":"a","type":"group","item":[{"linkId":"b","type":"string"}]}"#), plain(Code::ItemShape, "A group has items, a question has answers, and items below a question stand inside its answers.",
        response!(r#"{"linkId":"a","answer":[{"valueString":"x"}]}"#), response!(r#"{"linkId":"a","item":[{"linkId":"b","answer":[{"valueString":"x"}]}]}"#))),
    set(form!(r#"{"linkId":"a","type":"string","required":true}"#), plain(Code::AnswerMissing, "Answer the item; a response that is not finished has the status in-progress.",
        response!(r#"{"linkId":"a"}"#), response!(r#"{"linkId":"a","answer":[{"valueString":"x"}]}"#))),
    set(form!(r#"{"linkId":"a","type":"string"}"#), plain(Code::AnswerCount, "Give one answer, or as many as the item allows; all answers to a question stand in one item.",
        response!(r#"{"linkId":"a","answer":[{"valueString":"x"},{"valueString":"y"}]}"#), response!(r#"{"linkId":"a","answer":[{"valueString":"x"}]}"#))),
    set(form!(r#"{"linkId":"a","type":"integer"}"#), plain(Code::AnswerType, "Give the value in the type that the item has: `valueInteger`, `valueCoding` and so on.",
        response!(r#"{"linkId":"a","answer":[{"valueString":"1"}]}"#), response!(r#"{"linkId":"a","answer":[{"valueInteger":1}]}"#))),
    set(form!(r#"{"linkId":"a","type":"choice","answerOption":[{"valueCoding":{"system":"http://example.org","code":"yes"}}]}"#),
        plain(Code::AnswerOption, "Choose one of the options, with its system and code as the questionnaire has them.",
        response!(r#"{"linkId":"a","answer":[{"valueCoding":{"code":"yes"}}]}"#), response!(r#"{"linkId":"a","answer":[{"valueCoding":{"system":"http://example.org","code":"yes"}}]}"#))),
    set(form!(r#"{"linkId":"a","type":"string","maxLength":3}"#), plain(Code::AnswerRange, "Keep the answer within the limits of the item.",
        response!(r#"{"linkId":"a","answer":[{"valueString":"four"}]}"#), response!(r#"{"linkId":"a","answer":[{"valueString":"two"}]}"#))),
    set(form!(r#"{"linkId":"a","type":"quantity","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/questionnaire-unitOption","valueCoding":{"system":"http://unitsofmeasure.org","code":"kg"}}]}"#),
        plain(Code::AnswerUnit, "Give system and code of a unit that the item allows.",
        response!(r#"{"linkId":"a","answer":[{"valueQuantity":{"value":1,"unit":"kg"}}]}"#),
        response!(r#"{"linkId":"a","answer":[{"valueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"kg"}}]}"#))),
    set(form!(r#"{"linkId":"a","type":"string","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/regex","valueString":"[0-9]+"}]}"#),
        plain(Code::AnswerForm, "Write the answer in the form that the item describes.",
        response!(r#"{"linkId":"a","answer":[{"valueString":"one"}]}"#), response!(r#"{"linkId":"a","answer":[{"valueString":"1"}]}"#))),
    set(Setting::OwnRules, plain(Code::QuestionnaireRule, "Mend the questionnaire: conditions name items that are there, and options, initial values and limits fit the type of their item.",
        r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"a","type":"integer","initial":[{"valueString":"1"}]}]}"#,
        r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"a","type":"integer","initial":[{"valueInteger":1}]}]}"#)),
    set(Setting::Questionnaire(r#"{"resourceType":"Questionnaire","status":"active","effectivePeriod":{"end":"2020"},"item":[{"linkId":"a","type":"string"}]}"#),
        plain(Code::QuestionnaireDate, "Use the questionnaire that was in force, or correct the date.",
        r#"{"resourceType":"QuestionnaireResponse","status":"completed","authored":"2021-05-01","item":[{"linkId":"a"}]}"#,
        r#"{"resourceType":"QuestionnaireResponse","status":"completed","authored":"2020-05-01","item":[{"linkId":"a"}]}"#)),
    set(NO_PROFILE, plain(Code::InvariantBroken, "The finding names the invariant; the page of the resource in the standard says what it asks.",
        r#"{"resourceType":"Observation","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">A</div>"},"status":"final","code":{"text":"A"},"valueString":"x","dataAbsentReason":{"text":"unknown"}}"#,
        r#"{"resourceType":"Observation","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">A</div>"},"status":"final","code":{"text":"A"},"valueString":"x"}"#)),
    set(Setting::Rules, plain(Code::InvariantUnknown, "Mend the other findings about the element first: a rule cannot be evaluated where a value has the wrong type or comes more often than it may.",
        r#"{"resourceType":"Appointment","status":["booked","pending"],"participant":[{"type":[{"text":"x"}],"status":"accepted"}]}"#,
        r#"{"resourceType":"Appointment","status":"proposed","participant":[{"type":[{"text":"x"}],"status":"accepted"}]}"#)),
];
