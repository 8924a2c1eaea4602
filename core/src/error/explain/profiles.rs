//! Explanations of what profiles, extensions and bindings ask.

use super::super::Code;
use super::{Explanation, NO_PROFILE, Setting, plain, set, told};

const PATIENT: &str = r#"{"resourceType":"Patient","active":true}"#;
/// The definition of a profile of Patient with these elements.
macro_rules! definition {
    ($elements:literal) => {
        concat!(
            r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","#,
            r#""abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","#,
            r#""derivation":"constraint","differential":{"element":["#,
            $elements,
            "]}}"
        )
    };
}
/// Against a profile of Patient with these elements.
macro_rules! profile {
    ($elements:literal) => {
        Setting::Validator(&[definition!($elements)], "http://example.org/p")
    };
}
/// The same, where what is to be supported is asked for.
macro_rules! supported {
    ($elements:literal) => {
        Setting::Strict(&[definition!($elements)], "http://example.org/p")
    };
}

#[rustfmt::skip]
pub(super) const TABLE: &[Explanation] = &[
    set(NO_PROFILE, plain(Code::ProfileUnknown, "Load the package that has the profile, or correct the URL in meta.profile.",
        r#"{"resourceType":"Patient","meta":{"profile":["http://example.org/none"]},"active":true}"#, PATIENT)),
    set(profile!(r#"{"id":"Patient.birthDate","path":"Patient.birthDate","min":1}"#), plain(Code::ProfileMin, "Give the element; the profile says how many values it wants.",
        PATIENT, r#"{"resourceType":"Patient","birthDate":"1970"}"#)),
    set(profile!(r#"{"id":"Patient.name","path":"Patient.name","max":"1"}"#), plain(Code::ProfileMax, "Leave out what the profile has no room for, or use another profile.",
        r#"{"resourceType":"Patient","name":[{"text":"A"},{"text":"B"}]}"#, r#"{"resourceType":"Patient","name":[{"text":"A"}]}"#)),
    set(profile!(r#"{"id":"Patient.deceased[x]","path":"Patient.deceased[x]","type":[{"code":"boolean"}]}"#), plain(Code::ProfileType, "Give the value in a type that the profile allows.",
        r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#, r#"{"resourceType":"Patient","deceasedBoolean":true}"#)),
    set(profile!(r#"{"id":"Patient.gender","path":"Patient.gender","fixedCode":"female"}"#), plain(Code::ProfileFixed, "Give exactly the value that the profile fixes.",
        r#"{"resourceType":"Patient","gender":"male"}"#, r#"{"resourceType":"Patient","gender":"female"}"#)),
    set(profile!(r#"{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","patternCodeableConcept":{"text":"Married"}}"#), plain(Code::ProfilePattern, "Give at least what the pattern has; more is allowed.",
        r#"{"resourceType":"Patient","maritalStatus":{"text":"Single"}}"#, r#"{"resourceType":"Patient","maritalStatus":{"text":"Married"}}"#)),
    set(profile!(r#"{"id":"Patient","path":"Patient","constraint":[{"key":"p-1","severity":"error","human":"there is a name","expression":"name.exists()"}]}"#),
        plain(Code::ProfileConstraint, "The finding names the constraint; its definition says in words what is asked.",
        PATIENT, r#"{"resourceType":"Patient","name":[{"text":"A"}]}"#)),
    set(TWO_NAMES, plain(Code::ProfileNoneFits, "Mend the value after the findings beside this one: they say what keeps it from each profile.",
        r#"{"resourceType":"Patient","name":[{"text":"A"}]}"#, r#"{"resourceType":"Patient","name":[{"family":"A"}]}"#)),
    set(profile!(r#"{"id":"Patient.multipleBirth[x]","path":"Patient.multipleBirth[x]","type":[{"code":"integer"}],"maxValueInteger":3}"#), plain(Code::ValueRange, "Keep the value within the bounds of the profile.",
        r#"{"resourceType":"Patient","multipleBirthInteger":4}"#, r#"{"resourceType":"Patient","multipleBirthInteger":3}"#)),
    set(profile!(r#"{"id":"Patient.name.family","path":"Patient.name.family","maxLength":3}"#), plain(Code::ValueLength, "Shorten the text, or keep it where the profile has more room.",
        r#"{"resourceType":"Patient","name":[{"family":"Long"}]}"#, r#"{"resourceType":"Patient","name":[{"family":"Ito"}]}"#)),
    set(profile!(r#"{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"}},{"id":"Patient.identifier:a","path":"Patient.identifier","sliceName":"a","min":1,"max":"1"},{"id":"Patient.identifier:a.system","path":"Patient.identifier.system","min":1,"fixedUri":"http://example.org/a"}"#),
        plain(Code::SliceMissing, "Give a value of the slice that the finding names: one with what tells that slice from others.",
        r#"{"resourceType":"Patient","identifier":[{"system":"http://example.org/b","value":"1"}]}"#, r#"{"resourceType":"Patient","identifier":[{"system":"http://example.org/a","value":"1"}]}"#)),
    set(profile!(r#"{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"}},{"id":"Patient.identifier:a","path":"Patient.identifier","sliceName":"a","min":0,"max":"1"},{"id":"Patient.identifier:a.system","path":"Patient.identifier.system","min":1,"fixedUri":"http://example.org/a"}"#),
        plain(Code::SliceRepeats, "Keep as many values of the slice as the profile allows.",
        r#"{"resourceType":"Patient","identifier":[{"system":"http://example.org/a","value":"1"},{"system":"http://example.org/a","value":"2"}]}"#, r#"{"resourceType":"Patient","identifier":[{"system":"http://example.org/a","value":"1"}]}"#)),
    set(profile!(r#"{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"closed"}},{"id":"Patient.identifier:a","path":"Patient.identifier","sliceName":"a","min":0,"max":"1"},{"id":"Patient.identifier:a.system","path":"Patient.identifier.system","min":1,"fixedUri":"http://example.org/a"}"#),
        plain(Code::SliceUnmatched, "Leave the value out, or give it what makes it one of the slices.",
        r#"{"resourceType":"Patient","identifier":[{"system":"http://example.org/b","value":"1"}]}"#, r#"{"resourceType":"Patient","identifier":[{"system":"http://example.org/a","value":"1"}]}"#)),
    set(profile!(r#"{"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"use"}],"ordered":true,"rules":"open"}},{"id":"Patient.name:o","path":"Patient.name","sliceName":"o"},{"id":"Patient.name:o.use","path":"Patient.name.use","fixedCode":"official"},{"id":"Patient.name:n","path":"Patient.name","sliceName":"n"},{"id":"Patient.name:n.use","path":"Patient.name.use","fixedCode":"nickname"}"#),
        plain(Code::SliceOrder, "Put the values in the order in which the profile lists its slices.",
        r#"{"resourceType":"Patient","name":[{"use":"nickname","text":"A"},{"use":"official","text":"B"}]}"#,
        r#"{"resourceType":"Patient","name":[{"use":"official","text":"B"},{"use":"nickname","text":"A"}]}"#)),
    set(NAMED_TARGET, plain(Code::TargetProfile, "Mend the resource that is referred to, or refer to one that conforms.",
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","active":true,"identifier":[{"value":"1"}]}],"managingOrganization":{"reference":"#o"}}"##,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","active":true,"name":"A"}],"managingOrganization":{"reference":"#o"}}"##)),
    set(profile!(r#"{"id":"Patient.managingOrganization","path":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Organization"],"aggregation":["contained"]}]}"#),
        plain(Code::ReferenceAggregation, "Contain the target, bundle it or refer to it, as the profile says.",
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1"}}"#,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}],"managingOrganization":{"reference":"#o"}}"##)),
    set(profile!(r#"{"id":"Patient","path":"Patient","constraint":[{"key":"x-1","severity":"error","human":"h","expression":"name.family.length() > 1"}]}"#),
        plain(Code::ConstraintUnread, "Nothing may be wrong with the record: the author of the profile has to write the constraint so that it can be evaluated on it.",
        r#"{"resourceType":"Patient","name":[{"family":"Abel"},{"family":"Cain"}]}"#, r#"{"resourceType":"Patient","name":[{"family":"Abel"}]}"#)),
    set(NO_PROFILE, plain(Code::ExtensionUnknown, "Load the package that defines the extension, or correct its url.",
        r#"{"resourceType":"Patient","extension":[{"url":"http://example.org/unknown","valueString":"x"}]}"#, PATIENT)),
    set(NO_PROFILE, plain(Code::ExtensionContext, "Put the extension on an element that its definition names.",
        r#"{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1970-01-01T10:00:00Z"}]}"#,
        r#"{"resourceType":"Patient","birthDate":"1970-01-01","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1970-01-01T10:00:00Z"}]}}"#)),
    set(NO_PROFILE, plain(Code::ExtensionUrl, "Name an extension by the absolute url of its definition.",
        r#"{"resourceType":"Patient","extension":[{"url":"colour","valueString":"red"}]}"#,
        r#"{"resourceType":"Patient","extension":[{"url":"http://example.org/colour","valueString":"red"}]}"#)),
    set(NO_PROFILE, plain(Code::ExtensionPart, "Use the parts that the definition of the extension has.",
        r#"{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-nationality","extension":[{"url":"country","valueString":"x"}]}]}"#,
        r#"{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-nationality","extension":[{"url":"code","valueCodeableConcept":{"text":"x"}}]}]}"#)),
    set(NO_PROFILE, plain(Code::ExtensionModifier, "Extensions that change meaning stand in modifierExtension, all others in extension.",
        r#"{"resourceType":"Patient","modifierExtension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"city":"A"}}]}"#,
        r#"{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"city":"A"}}]}"#)),
    set(profile!(r#"{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://hl7.org/fhir/ValueSet/administrative-gender"}}"#),
        plain(Code::BindingRequired, "Use a code of the value set that the finding names.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]}}"#,
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://hl7.org/fhir/administrative-gender","code":"male"}]}}"#)),
    set(profile!(r#"{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","binding":{"strength":"extensible","valueSet":"http://hl7.org/fhir/ValueSet/administrative-gender"}}"#),
        plain(Code::BindingExtensible, "Use a code of the value set where one fits; otherwise another code is fine.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]}}"#,
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://hl7.org/fhir/administrative-gender","code":"male"}]}}"#)),
    set(profile!(r#"{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","binding":{"strength":"preferred","valueSet":"http://hl7.org/fhir/ValueSet/marital-status"}}"#),
        plain(Code::BindingPreferred, "Use a code of the value set where one fits; the record is right without.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-NullFlavor","code":"NI"}]}}"#,
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]}}"#)),
    set(profile!(r#"{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://example.org/unknown"}}"#),
        plain(Code::BindingUnchecked, "Load the package that has the value set and its code systems, or give the validator a terminology source.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://example.org/s","code":"x"}]}}"#, PATIENT)),
    set(NO_PROFILE, plain(Code::CodeNotInSystem, "Correct the code; it may be a typing error or of another version of the code system.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"ZZ"}]}}"#,
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]}}"#)),
    set(NO_PROFILE, plain(Code::DisplayWrong, "Use the display of the code system, or correct the code: one of the two is not what was meant.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M","display":"Purple"}]}}"#,
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M","display":"Married"}]}}"#)),
    set(NO_PROFILE, plain(Code::CodingSystem, "Give the URL of the code system, not that of a value set or of a page.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://hl7.org/fhir/ValueSet/marital-status","code":"M"}]}}"#,
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]}}"#)),
    set(NO_PROFILE, plain(Code::DiscriminatorPath, "Name an element of what is sliced, from there on.",
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"},{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"sistem"}],"rules":"open"}}]}}"#,
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"},{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"}}]}}"#)),
    set(profile!(r#"{"id":"Patient.text","path":"Patient.text","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/narrative-source-control","valueCode":"error"}]}"#),
        plain(Code::NarrativeParts, "Give each part directly in the div the class `generated`, `original` or `boilerplate`, and a language where the profile asks for one.",
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A</p></div>"}}"#,
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class=\"generated\">A</p></div>"}}"#)),
    set(supported!(r#"{"id":"Patient.name","path":"Patient.name","mustSupport":true}"#), plain(Code::MustSupport, "Give the element where you have it. The record is right without: the profile asks systems to be able to fill and read it.",
        PATIENT, r#"{"resourceType":"Patient","name":[{"text":"A"}]}"#)),
    told(Code::ValidationLimit, "Split the record, or give the validator larger limits. What was checked before the limit is in the report; the record is not known to be right."),
    told(Code::CompiledUnreadable, "Make the file again from its packages: a validator that was kept is only a shortcut."),
    told(Code::CompiledVersion, "Make the file again from its packages with this version of the library."),
];

/// A profile of Patient whose names follow one of two profiles.
const TWO_NAMES: Setting = Setting::Validator(
    &[
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient.name","path":"Patient.name","type":[{"code":"HumanName","profile":["http://example.org/family","http://example.org/given"]}]}]}}"#,
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/family","name":"F","status":"active","kind":"complex-type","abstract":false,"type":"HumanName","baseDefinition":"http://hl7.org/fhir/StructureDefinition/HumanName","derivation":"constraint","differential":{"element":[{"id":"HumanName.family","path":"HumanName.family","min":1}]}}"#,
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/given","name":"G","status":"active","kind":"complex-type","abstract":false,"type":"HumanName","baseDefinition":"http://hl7.org/fhir/StructureDefinition/HumanName","derivation":"constraint","differential":{"element":[{"id":"HumanName.given","path":"HumanName.given","min":1}]}}"#,
    ],
    "http://example.org/p",
);

/// A profile of Patient whose managing organization has a name.
const NAMED_TARGET: Setting = Setting::Validator(
    &[
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient.managingOrganization","path":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":["http://example.org/o"]}]}]}}"#,
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/o","name":"O","status":"active","kind":"resource","abstract":false,"type":"Organization","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Organization","derivation":"constraint","differential":{"element":[{"id":"Organization.name","path":"Organization.name","min":1}]}}"#,
    ],
    "http://example.org/p",
);
