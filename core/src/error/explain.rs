//! How to mend what a finding says: for every code of a finding what to do, a small wrong text and the same mended.
//!
//! The examples are data of this library and are tested: each wrong one yields its code, each right one does not.

use super::Code;

/// What to do about a code, with examples.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// How to mend it, in a sentence or two.
    pub mend: &'static str,
    /// A text that yields the code.
    pub bad: &'static [u8],
    /// The same, mended.
    pub good: &'static [u8],
    /// Under which circumstances.
    pub setting: Setting,
}

/// Under which circumstances an example yields its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// When it is read or validated.
    Reading,
    /// When it is read with limits of 3 levels, 64 bytes, 6 values and 1 finding.
    SmallLimits,
    /// When it is written as XML.
    WritingXml,
    /// When a response is checked against this questionnaire.
    Questionnaire(&'static str),
    /// When a questionnaire is checked against its own rules.
    OwnRules,
    /// When a validator with these definitions checks it against this profile; an empty one stands for none.
    Validator(&'static [&'static str], &'static str),
    /// When the formal rules of R4 are checked too.
    Rules,
    /// When it is evaluated as a FHIRPath expression over a Patient with two given names.
    Expression,
    /// When it is a conversion: an amount and a unit, an arrow, a unit.
    Conversion,
    /// When it is judged as a code: the URI of its system, a space, the code.
    CodeOf,
}

impl Setting {
    /// In words.
    pub fn words(self) -> String {
        if let Setting::Questionnaire(form) = self {
            return format!("when it is checked against the questionnaire {form}");
        }
        if let Setting::Validator([definition, ..], _) = self {
            return format!("when a validator checks it with {definition}");
        }
        self.plain_words().to_owned()
    }
    const fn plain_words(self) -> &'static str {
        match self {
            Setting::Reading => "when it is read or validated",
            Setting::SmallLimits => "when it is read with limits of 3 levels, 64 bytes, 6 values and 1 finding",
            Setting::WritingXml => "when it is written as XML",
            Setting::Questionnaire(_) => "when it is checked against its questionnaire",
            Setting::Validator(..) => "when a validator checks it",
            Setting::OwnRules => "when a questionnaire is checked against its own rules",
            Setting::Rules => "when the formal rules of R4 are checked too",
            Setting::Expression => "when it is evaluated as a FHIRPath expression over a Patient with two given names",
            Setting::Conversion => "when it is a conversion",
            Setting::CodeOf => "when it is judged as a code of its system",
        }
    }
}

impl Code {
    /// How to mend what the code says; None for errors that are no findings about a text.
    pub fn explanation(self) -> Option<&'static Explanation> {
        EXPLANATIONS.iter().find(|explanation| explanation.code == self)
    }
    /// The code of a stable name or number.
    pub fn from_name(name: &str) -> Option<Code> {
        let named = Code::ALL.iter().find(|code| code.name() == name);
        named.or_else(|| Code::ALL.iter().find(|code| code.number().to_string() == name)).copied()
    }
}

const fn plain(code: Code, mend: &'static str, bad: &'static str, good: &'static str) -> Explanation {
    Explanation { code, mend, bad: bad.as_bytes(), good: good.as_bytes(), setting: Setting::Reading }
}

const fn set(setting: Setting, explanation: Explanation) -> Explanation {
    Explanation { setting, ..explanation }
}

const PATIENT: &str = r#"{"resourceType":"Patient","active":true}"#;
const XML_PATIENT: &str = r#"<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>"#;

const NO_PROFILE: Setting = Setting::Validator(&[], "");
/// A profile of Patient with these elements.
macro_rules! profile {
    ($elements:literal) => {
        Setting::Validator(
            &[concat!(
                r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","#,
                r#""abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","#,
                r#""derivation":"constraint","differential":{"element":["#,
                $elements,
                "]}}"
            )],
            "http://example.org/p",
        )
    };
}
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
const EXPLANATIONS: &[Explanation] = &[
    // JSON text
    plain(Code::JsonSyntax, "Write the text with a JSON library; the usual causes are a comma too many, single quotes, and comments.",
        r#"{"resourceType":"Patient","active":true,}"#, PATIENT),
    Explanation { code: Code::JsonUtf8, mend: "Save the text as UTF-8; it was probably written in Latin-1 or Windows-1252.",
        bad: b"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Z\xfcst\"}]}",
        good: "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Züst\"}]}".as_bytes(), setting: Setting::Reading },
    plain(Code::JsonSurrogate, "Write the character itself in UTF-8, or both halves of the pair.",
        r#"{"resourceType":"Patient","name":[{"text":"\ud83d"}]}"#, r#"{"resourceType":"Patient","name":[{"text":"\ud83d\ude00"}]}"#),
    Explanation { code: Code::JsonBom, mend: "Save the text as UTF-8 without a byte order mark.",
        bad: b"\xef\xbb\xbf{\"resourceType\":\"Patient\",\"active\":true}", good: PATIENT.as_bytes(), setting: Setting::Reading },
    plain(Code::JsonTrailing, "Keep one resource in one text; many resources belong in NDJSON, one a line, or in a Bundle.",
        r#"{"resourceType":"Patient","active":true} {"resourceType":"Patient","active":true}"#, PATIENT),
    plain(Code::JsonEnd, "The text was cut off, often by a transfer that broke; get it again.",
        r#"{"resourceType":"Patient","active":true"#, PATIENT),
    plain(Code::JsonDuplicateKey, "Keep one of the two; where both are meant, the element may repeat and takes an array.",
        r#"{"resourceType":"Patient","active":true,"active":false}"#, PATIENT),
    set(Setting::SmallLimits, plain(Code::LimitDepth, "Real records are not nested so deeply; if this one is, read it with larger limits.",
        r#"{"resourceType":"Basic","a":[[[[1]]]]}"#, r#"{"resourceType":"Basic"}"#)),
    set(Setting::SmallLimits, plain(Code::LimitSize, "Split the text, keep large content outside of it as an attachment with an address, or read it with larger limits.",
        r#"{"resourceType":"Basic","code":{"text":"a text that goes on for far too long"}}"#, r#"{"resourceType":"Basic","code":{"text":"short"}}"#)),
    set(Setting::SmallLimits, plain(Code::LimitCount, "Split the text, or read it with larger limits.",
        r#"{"resourceType":"Basic","a":[1,2,3,4,5,6,7]}"#, r#"{"resourceType":"Basic","a":[1,2]}"#)),
    // XML text
    plain(Code::XmlSyntax, "Write the text with an XML library; the usual causes are attributes without quotes and a bare `<` or `&`.",
        r#"<Patient xmlns="http://hl7.org/fhir"><active value=true/></Patient>"#, XML_PATIENT),
    plain(Code::XmlEncoding, "Save the text as UTF-8 and let the declaration say so.",
        r#"<?xml version="1.0" encoding="ISO-8859-1"?><Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>"#, XML_PATIENT),
    plain(Code::XmlEnd, "The text was cut off, often by a transfer that broke; get it again.",
        r#"<Patient xmlns="http://hl7.org/fhir"><active value="true"/>"#, XML_PATIENT),
    plain(Code::XmlDoctype, "Take the `<!DOCTYPE ...>` out; FHIR has none, and it is a way to attack readers.",
        r#"<!DOCTYPE Patient><Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>"#, XML_PATIENT),
    plain(Code::XmlEntity, "Write the character itself, or its number as in `&#160;`.",
        r#"<Patient xmlns="http://hl7.org/fhir"><name><text value="A&nbsp;B"/></name></Patient>"#,
        r#"<Patient xmlns="http://hl7.org/fhir"><name><text value="A&#160;B"/></name></Patient>"#),
    plain(Code::XmlTag, "Close elements in the reverse order in which they were opened.",
        r#"<Patient xmlns="http://hl7.org/fhir"><name><text value="A"/></Patient></name>"#,
        r#"<Patient xmlns="http://hl7.org/fhir"><name><text value="A"/></name></Patient>"#),
    plain(Code::XmlAttributeTwice, "Keep one of the two.",
        r#"<Patient xmlns="http://hl7.org/fhir"><active value="true" value="false"/></Patient>"#, XML_PATIENT),
    plain(Code::XmlPrefix, "Declare the prefix with `xmlns:prefix`, or leave it out.",
        r#"<f:Patient><f:active value="true"/></f:Patient>"#, r#"<f:Patient xmlns:f="http://hl7.org/fhir"><f:active value="true"/></f:Patient>"#),
    plain(Code::XmlNamespace, "Declare `xmlns=\"http://hl7.org/fhir\"` on the resource and `xmlns=\"http://www.w3.org/1999/xhtml\"` on the div of a narrative.",
        r#"<Patient><active value="true"/></Patient>"#, XML_PATIENT),
    plain(Code::XmlOrder, "In XML the elements stand in the order of the definition, and those of one name together.",
        r#"<Patient xmlns="http://hl7.org/fhir"><gender value="male"/><active value="true"/></Patient>"#,
        r#"<Patient xmlns="http://hl7.org/fhir"><active value="true"/><gender value="male"/></Patient>"#),
    plain(Code::XmlAttribute, "Only `value`, `id` and the `url` of an extension are attributes; all else is an element.",
        r#"<Patient xmlns="http://hl7.org/fhir" active="true"/>"#, XML_PATIENT),
    plain(Code::XmlText, "Values stand in the attribute `value`, not between tags.",
        r#"<Patient xmlns="http://hl7.org/fhir">active<active value="true"/></Patient>"#, XML_PATIENT),
    plain(Code::XmlShape, "An id inside a data type and the url of an extension are attributes; `contained` and `resource` hold one resource each.",
        r#"<Patient xmlns="http://hl7.org/fhir"><name><id value="n"/><text value="A"/></name></Patient>"#,
        r#"<Patient xmlns="http://hl7.org/fhir"><name id="n"><text value="A"/></name></Patient>"#),
    set(Setting::WritingXml, plain(Code::XmlUnsayable, "Mend what validation finds first; then take out what R4 does not know, or carry it in an extension.",
        r#"{"resourceType":"Patient","nickname":"A"}"#, r#"{"resourceType":"Patient","name":[{"use":"nickname","text":"A"}]}"#)),
    // structure
    plain(Code::ResourceTypeMissing, "Say in `resourceType` which resource it is.", r#"{"active":true}"#, PATIENT),
    plain(Code::ResourceTypeUnknown, "Use the name of a resource of R4, with its capitals.", r#"{"resourceType":"patient","active":true}"#, PATIENT),
    plain(Code::ElementUnknown, "Look for a typing error or an element of another FHIR version; what R4 has no place for goes into an extension.",
        r#"{"resourceType":"Patient","dateOfBirth":"1970-01-01"}"#, r#"{"resourceType":"Patient","birthDate":"1970-01-01"}"#),
    plain(Code::ElementMissing, "Give the element. Where the value is not known, many types have a code for that, or take a data-absent-reason extension.",
        r#"{"resourceType":"Observation","code":{"text":"Weight"}}"#, r#"{"resourceType":"Observation","status":"final","code":{"text":"Weight"}}"#),
    plain(Code::ElementRepeats, "Give one value and no array; where there are really several, FHIR has another place for them.",
        r#"{"resourceType":"Patient","birthDate":["1970-01-01"]}"#, r#"{"resourceType":"Patient","birthDate":"1970-01-01"}"#),
    plain(Code::ElementNotArray, "Put the value into an array, also where there is only one.",
        r#"{"resourceType":"Patient","name":{"text":"A"}}"#, r#"{"resourceType":"Patient","name":[{"text":"A"}]}"#),
    plain(Code::ElementType, "Booleans and numbers stand without quotes, all else with quotes, data types as objects.",
        r#"{"resourceType":"Patient","active":"true"}"#, PATIENT),
    plain(Code::ElementEmpty, "Leave out what has no value.", r#"{"resourceType":"Patient","name":[]}"#, PATIENT),
    plain(Code::ChoiceRepeated, "Keep the one type that fits.",
        r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}"#, r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#),
    plain(Code::NullValue, "Leave the element out; null only pads arrays of values beside arrays of extensions.",
        r#"{"resourceType":"Patient","birthDate":null}"#, PATIENT),
    plain(Code::PairLength, "Pad the shorter array with null.",
        r#"{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"a"}]}]}"#,
        r#"{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"a"},null]}]}"#),
    plain(Code::PrimitiveForm, "Write the value in the form the message names; dates as YYYY, YYYY-MM or YYYY-MM-DD, times with a zone.",
        r#"{"resourceType":"Patient","birthDate":"01/31/1970"}"#, r#"{"resourceType":"Patient","birthDate":"1970-01-31"}"#),
    plain(Code::CodeUnknown, "Use a code of the value set; map codes of your own to it.",
        r#"{"resourceType":"Patient","gender":"F"}"#, r#"{"resourceType":"Patient","gender":"female"}"#),
    plain(Code::ReferenceForm, "Write `Type/id`, a whole address, `urn:uuid:` and a UUID, or `#id` of a contained resource.",
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"12 34"}}"#,
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1234"}}"#),
    plain(Code::ReferenceTarget, "Point to a resource of a type that the element allows.",
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Practitioner/1"}}"#,
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1"}}"#),
    plain(Code::ReferenceContained, "Contain the resource under that id, or point to where it is.",
        r##"{"resourceType":"Patient","managingOrganization":{"reference":"#o"}}"##,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}],"managingOrganization":{"reference":"#o"}}"##),
    plain(Code::ContainedShape, "A contained resource has an id, contains nothing itself, has no version or security label, and is referred to.",
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","name":"A"}],"managingOrganization":{"display":"A"}}"##,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}],"managingOrganization":{"reference":"#o"}}"##),
    plain(Code::NarrativeUnsafe, "Keep to basic formatting: no scripts, forms, event attributes or frames; one div with the namespace of XHTML.",
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\" onclick=\"x()\">A</div>"}}"#,
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">A</div>"}}"#),
    plain(Code::BundleShape, "Look up what the type of the Bundle asks of its entries: a transaction wants a request, a response wants a response.",
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{"resourceType":"Patient","active":true}}]}"#,
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{"resourceType":"Patient","active":true},"request":{"method":"POST","url":"Patient"}}]}"#),
    // Bundles and references
    set(NO_PROFILE, plain(Code::BundleFullUrl, "Let the fullUrl end with the type and the id of its resource, or use urn:uuid.",
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://example.org/Patient/1","resource":{"resourceType":"Patient","id":"2","active":true}}]}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://example.org/Patient/1","resource":{"resourceType":"Patient","id":"1","active":true}}]}"#)),
    set(NO_PROFILE, plain(Code::BundleLink, "Keep one link of each relation.",
        r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"http://example.org/Patient"},{"relation":"self","url":"http://example.org/Group"}]}"#,
        r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"http://example.org/Patient"}]}"#)),
    set(NO_PROFILE, plain(Code::BundleUnreachable, "Refer to the entry from the Composition or from what it refers to, or leave the entry out.",
        r#"{"resourceType":"Bundle","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:c757873d-ec9a-4326-a141-556f43239521"},"type":"document","timestamp":"2020-01-01T00:00:00Z","entry":[{"fullUrl":"http://example.org/Composition/1","resource":{"resourceType":"Composition","id":"1","status":"final","type":{"text":"Note"},"date":"2020","author":[{"display":"A"}],"title":"Note"}},{"fullUrl":"http://example.org/Patient/1","resource":{"resourceType":"Patient","id":"1","active":true}}]}"#,
        r#"{"resourceType":"Bundle","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:c757873d-ec9a-4326-a141-556f43239521"},"type":"document","timestamp":"2020-01-01T00:00:00Z","entry":[{"fullUrl":"http://example.org/Composition/1","resource":{"resourceType":"Composition","id":"1","status":"final","type":{"text":"Note"},"subject":{"reference":"Patient/1"},"date":"2020","author":[{"display":"A"}],"title":"Note"}},{"fullUrl":"http://example.org/Patient/1","resource":{"resourceType":"Patient","id":"1","active":true}}]}"#)),
    set(NO_PROFILE, plain(Code::AttachmentSize, "State the number of bytes of the decoded data, or leave the size out.",
        r#"{"resourceType":"Patient","photo":[{"contentType":"image/gif","data":"QUJD","size":4}]}"#, r#"{"resourceType":"Patient","photo":[{"contentType":"image/gif","data":"QUJD","size":3}]}"#)),
    // profiles
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
    set(profile!(r#"{"id":"Patient.managingOrganization","path":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Organization"],"aggregation":["contained"]}]}"#),
        plain(Code::ReferenceAggregation, "Contain the target, bundle it or refer to it, as the profile says.",
        r#"{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1"}}"#,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}],"managingOrganization":{"reference":"#o"}}"##)),
    set(NO_PROFILE, plain(Code::ExtensionUnknown, "Load the package that defines the extension, or correct its url.",
        r#"{"resourceType":"Patient","extension":[{"url":"http://example.org/unknown","valueString":"x"}]}"#, PATIENT)),
    set(NO_PROFILE, plain(Code::ExtensionContext, "Put the extension on an element that its definition names.",
        r#"{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1970-01-01T10:00:00Z"}]}"#,
        r#"{"resourceType":"Patient","birthDate":"1970-01-01","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1970-01-01T10:00:00Z"}]}}"#)),
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
    // invariants
    set(NO_PROFILE, plain(Code::InvariantBroken, "The finding names the invariant; the page of the resource in the standard says what it asks.",
        r#"{"resourceType":"Observation","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">A</div>"},"status":"final","code":{"text":"A"},"valueString":"x","dataAbsentReason":{"text":"unknown"}}"#,
        r#"{"resourceType":"Observation","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">A</div>"},"status":"final","code":{"text":"A"},"valueString":"x"}"#)),
    // questionnaires
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
    set(Setting::Rules, plain(Code::InvariantUnknown, "Mend the other findings about the element first: a rule cannot be evaluated where a value has the wrong type or comes more often than it may.",
        r#"{"resourceType":"Appointment","status":["booked","pending"],"participant":[{"type":[{"text":"x"}],"status":"accepted"}]}"#,
        r#"{"resourceType":"Appointment","status":"proposed","participant":[{"type":[{"text":"x"}],"status":"accepted"}]}"#)),
    set(Setting::OwnRules, plain(Code::QuestionnaireRule, "Mend the questionnaire: conditions name items that are there, and options, initial values and limits fit the type of their item.",
        r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"a","type":"integer","initial":[{"valueString":"1"}]}]}"#,
        r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"a","type":"integer","initial":[{"valueInteger":1}]}]}"#)),
    set(Setting::Questionnaire(r#"{"resourceType":"Questionnaire","status":"active","effectivePeriod":{"end":"2020"},"item":[{"linkId":"a","type":"string"}]}"#),
        plain(Code::QuestionnaireDate, "Use the questionnaire that was in force, or correct the date.",
        r#"{"resourceType":"QuestionnaireResponse","status":"completed","authored":"2021-05-01","item":[{"linkId":"a"}]}"#,
        r#"{"resourceType":"QuestionnaireResponse","status":"completed","authored":"2020-05-01","item":[{"linkId":"a"}]}"#)),
    set(Setting::SmallLimits, plain(Code::FindingsTruncated, "Mend what is named first and validate again, or raise the limit.",
        r#"{"resourceType":"Basic","a":1,"b":2}"#, r#"{"resourceType":"Basic","code":{"text":"A"}}"#)),
    // FHIRPath
    set(Setting::Expression, plain(Code::FhirpathSyntax, "Close what is open and finish what is begun; the error says the column.",
        "name.given.first(", "name.given.first()")),
    set(Setting::Expression, plain(Code::FhirpathLiteral, "Write dates as @2020-12-31, times as @T14:30, and texts in single quotes with the escapes of FHIRPath.",
        "birthDate > @2020-13", "birthDate > @2020-12")),
    set(Setting::Expression, plain(Code::FhirpathFunction, "Look for a misspelt name; functions are those of FHIRPath N1 and the R4 additions.",
        "name.frist()", "name.first()")),
    set(Setting::Expression, plain(Code::FhirpathArity, "Give the function the parameters that it takes.",
        "name.where()", "name.where(use = 'official')")),
    set(Setting::Expression, plain(Code::FhirpathTypeName, "Name a type of FHIR or of FHIRPath; primitives of FHIR are written small.",
        "multipleBirth.ofType(Intger)", "multipleBirth.ofType(integer)")),
    set(Setting::Expression, plain(Code::FhirpathElement, "Name an element that the type has; a choice such as value[x] is named without the type.",
        "name.surname", "name.family")),
    set(Setting::Expression, plain(Code::FhirpathPattern, "Write a regular expression that is whole, and escape brackets that are meant as such.",
        "name.family.matches('(')", "name.family.matches('^A')")),
    set(Setting::Expression, plain(Code::FhirpathSingleton, "Choose one item first, with first(), where() or an index.",
        "name.given + '.'", "name.given.first() + '.'")),
    set(Setting::Expression, plain(Code::FhirpathVariable, "Give the variable a value when the expression is evaluated, or name one that is there.",
        "%clinic", "%resource")),
    // Units
    set(Setting::Conversion, plain(Code::UnitSyntax, "Write the unit as UCUM does: a point between factors, one slash at a time, no space.",
        "5 mg/ -> g", "5 mg -> g")),
    set(Setting::Conversion, plain(Code::UnitUnknown, "Use the case sensitive code of UCUM; words of your own stand in curly brackets.",
        "5 mcg -> mg", "5 ug -> mg")),
    set(Setting::Conversion, plain(Code::UnitClash, "Compare and convert within one kind of quantity; from mass to amount of substance a molar mass is needed.",
        "5 mg -> mL", "5 mg -> g")),
    set(Setting::Conversion, plain(Code::UnitSpecial, "Use the unit by itself; for rates and products take a unit with a true zero, such as K.",
        "5 Cel/h -> K/h", "5 K/h -> K/h")),
    // Definitions and codes
    set(NO_PROFILE, plain(Code::DefinitionCode, "Name codes that the code system has.",
        r#"{"resourceType":"ValueSet","status":"active","compose":{"include":[{"system":"http://hl7.org/fhir/administrative-gender","concept":[{"code":"F"}]}]}}"#,
        r#"{"resourceType":"ValueSet","status":"active","compose":{"include":[{"system":"http://hl7.org/fhir/administrative-gender","concept":[{"code":"female"}]}]}}"#)),
    set(NO_PROFILE, plain(Code::DefinitionFilter, "Filter by a property that the code system has, with a value that it can have.",
        r#"{"resourceType":"ValueSet","status":"active","compose":{"include":[{"system":"http://hl7.org/fhir/administrative-gender","filter":[{"property":"concept","op":"is-a","value":"F"}]}]}}"#,
        r#"{"resourceType":"ValueSet","status":"active","compose":{"include":[{"system":"http://hl7.org/fhir/administrative-gender","filter":[{"property":"concept","op":"is-a","value":"female"}]}]}}"#)),
    set(NO_PROFILE, plain(Code::DefinitionCount, "Count every concept, those below others too, or say that the definition is a fragment.",
        r#"{"resourceType":"CodeSystem","url":"http://example.org/c","status":"active","content":"complete","count":3,"concept":[{"code":"a"}]}"#,
        r#"{"resourceType":"CodeSystem","url":"http://example.org/c","status":"active","content":"complete","count":1,"concept":[{"code":"a"}]}"#)),
    set(NO_PROFILE, plain(Code::DefinitionSupplement, "Give a supplement the content `supplement`, and only codes of the system it is about.",
        r#"{"resourceType":"CodeSystem","url":"http://example.org/c","status":"active","content":"complete","supplements":"http://hl7.org/fhir/administrative-gender","concept":[{"code":"female"}]}"#,
        r#"{"resourceType":"CodeSystem","url":"http://example.org/c","status":"active","content":"supplement","supplements":"http://hl7.org/fhir/administrative-gender","concept":[{"code":"female"}]}"#)),
    set(NO_PROFILE, plain(Code::DefinitionUrl, "Name definitions by absolute urls: they have to mean the same wherever they are read.",
        r#"{"resourceType":"ValueSet","url":"colours","status":"active"}"#, r#"{"resourceType":"ValueSet","url":"http://example.org/colours","status":"active"}"#)),
    set(Setting::CodeOf, plain(Code::CodeShape, "Write the whole code, with its hyphens and check digit; often a leading zero was lost in a spreadsheet.",
        "http://loinc.org 84806", "http://loinc.org 8480-6")),
    set(Setting::CodeOf, plain(Code::CodeCheckDigit, "Compare the code with its source: a digit is wrong, or two are swapped.",
        "http://loinc.org 8408-6", "http://loinc.org 8480-6")),
    set(NO_PROFILE, plain(Code::BundleSearch, "Give each resource that was found its id, and send resources of the type that was searched for.",
        r#"{"resourceType":"Bundle","type":"searchset","entry":[{"search":{"mode":"match"},"resource":{"resourceType":"Patient","active":true}}]}"#,
        r#"{"resourceType":"Bundle","type":"searchset","entry":[{"search":{"mode":"match"},"resource":{"resourceType":"Patient","id":"p","active":true}}]}"#)),
    set(NO_PROFILE, plain(Code::ExtensionUrl, "Name an extension by the absolute url of its definition.",
        r#"{"resourceType":"Patient","extension":[{"url":"colour","valueString":"red"}]}"#,
        r#"{"resourceType":"Patient","extension":[{"url":"http://example.org/colour","valueString":"red"}]}"#)),
    set(NO_PROFILE, plain(Code::DiscriminatorPath, "Name an element of what is sliced, from there on.",
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"},{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"sistem"}],"rules":"open"}}]}}"#,
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"},{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"}}]}}"#)),
    // Profiles
    set(profile!(r#"{"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"use"}],"ordered":true,"rules":"open"}},{"id":"Patient.name:o","path":"Patient.name","sliceName":"o"},{"id":"Patient.name:o.use","path":"Patient.name.use","fixedCode":"official"},{"id":"Patient.name:n","path":"Patient.name","sliceName":"n"},{"id":"Patient.name:n.use","path":"Patient.name.use","fixedCode":"nickname"}"#),
        plain(Code::SliceOrder, "Put the values in the order in which the profile lists its slices.",
        r#"{"resourceType":"Patient","name":[{"use":"nickname","text":"A"},{"use":"official","text":"B"}]}"#,
        r#"{"resourceType":"Patient","name":[{"use":"official","text":"B"},{"use":"nickname","text":"A"}]}"#)),
    set(profile!(r#"{"id":"Patient","path":"Patient","constraint":[{"key":"x-1","severity":"error","human":"h","expression":"name.family.length() > 1"}]}"#),
        plain(Code::ConstraintUnread, "Nothing may be wrong with the record: the author of the profile has to write the constraint so that it can be evaluated on it.",
        r#"{"resourceType":"Patient","name":[{"family":"Abel"},{"family":"Cain"}]}"#, r#"{"resourceType":"Patient","name":[{"family":"Abel"}]}"#)),
    set(profile!(r#"{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","binding":{"strength":"preferred","valueSet":"http://hl7.org/fhir/ValueSet/marital-status"}}"#),
        plain(Code::BindingPreferred, "Use a code of the value set where one fits; the record is right without.",
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-NullFlavor","code":"NI"}]}}"#,
        r#"{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]}}"#)),
    set(TWO_NAMES, plain(Code::ProfileNoneFits, "Mend the value after the findings beside this one: they say what keeps it from each profile.",
        r#"{"resourceType":"Patient","name":[{"text":"A"}]}"#, r#"{"resourceType":"Patient","name":[{"family":"A"}]}"#)),
    set(NAMED_TARGET, plain(Code::TargetProfile, "Mend the resource that is referred to, or refer to one that conforms.",
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","active":true,"identifier":[{"value":"1"}]}],"managingOrganization":{"reference":"#o"}}"##,
        r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","active":true,"name":"A"}],"managingOrganization":{"reference":"#o"}}"##)),
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
