//! Typed views and builders of the feature `typed`: one-line functions over the helpers of core's `record::typed`, and the law
//! that takes every record apart through the views and puts it together through the builders.

use crate::package::Package;
use crate::types::{Element, Tables, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The resource types that have views: those of US Core and the International Patient Summary, and what travels with them.
/// The data types they use follow from the definitions.
const RESOURCES: [&str; 55] = [
    "AllergyIntolerance",
    "Appointment",
    "BodyStructure",
    "Bundle",
    "CarePlan",
    "CareTeam",
    "ClinicalImpression",
    "Communication",
    "Composition",
    "Condition",
    "Consent",
    "Coverage",
    "DetectedIssue",
    "Device",
    "DeviceRequest",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Endpoint",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "Group",
    "HealthcareService",
    "ImagingStudy",
    "Immunization",
    "ImmunizationEvaluation",
    "ImmunizationRecommendation",
    "List",
    "Location",
    "Media",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "OperationOutcome",
    "Organization",
    "Patient",
    "Person",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RiskAssessment",
    "ServiceRequest",
    "Slot",
    "Specimen",
    "Task",
];

/// What a primitive is in Rust: as read, and as a builder takes it.
const PRIMITIVES: [(&str, &str, &str); 20] = [
    ("boolean", "bool", "bool"),
    ("integer", "i32", "i32"),
    ("positiveInt", "u32", "u32"),
    ("unsignedInt", "u32", "u32"),
    ("decimal", "Decimal", "impl Into<Number>"),
    ("string", "Cow<'a, str>", "impl Into<Text>"),
    ("markdown", "Cow<'a, str>", "impl Into<Text>"),
    ("code", "Cow<'a, str>", "impl Into<Text>"),
    ("id", "Cow<'a, str>", "impl Into<Text>"),
    ("uri", "Cow<'a, str>", "impl Into<Text>"),
    ("url", "Cow<'a, str>", "impl Into<Text>"),
    ("canonical", "Cow<'a, str>", "impl Into<Text>"),
    ("oid", "Cow<'a, str>", "impl Into<Text>"),
    ("uuid", "Cow<'a, str>", "impl Into<Text>"),
    ("base64Binary", "Cow<'a, str>", "impl Into<Text>"),
    ("date", "Date", "impl Into<Text>"),
    ("dateTime", "DateTime", "impl Into<Text>"),
    ("instant", "Instant", "impl Into<Text>"),
    ("time", "Time", "impl Into<Text>"),
    ("xhtml", "Cow<'a, str>", "impl Into<Text>"),
];

/// Words of Rust that are names of elements too, or could become such.
const RESERVED: [&str; 22] = [
    "abstract", "as", "box", "break", "const", "do", "else", "enum", "final", "for", "if", "in", "loop", "match",
    "mod", "move", "override", "ref", "type", "use", "where", "yield",
];

/// The generated files.
pub(crate) struct Files {
    pub(crate) views: String,
    pub(crate) builders: String,
    pub(crate) law: String,
}

pub(crate) fn write(package: &Package, types: &Tables) -> Files {
    let typed = Typed { types, reached: reached(types), choices: choices(types) };
    let mut files = Files { views: package.provenance(), builders: package.provenance(), law: package.provenance() };
    files.views.push_str(
        "use super::super::view::{Choice, Elements, FromNode, PrimitiveElement, Values, Wrap, choice, choice_element, element, elements, many, one, resource};\n\
         use crate::decimal::Decimal;\nuse crate::record::{Node, Record};\nuse crate::time::fhir::{Date, DateTime, Instant, Time};\nuse std::borrow::Cow;\n",
    );
    files.builders.push_str(
        "use super::super::builder::{Number, Object, PrimitiveElementBuilder, Text};\nuse super::views::*;\n\
         use crate::error::Result;\nuse crate::record::Record;\nuse crate::schema::Primitive;\n",
    );
    files.law.push_str("use super::super::laws::{Again, Listed, Single};\nuse super::{builders::*, views::*};\n");
    for id in &typed.reached {
        let row = &types.types[usize::from(*id)];
        typed.view(row, &mut files.views);
        typed.builder(row, &mut files.builders);
        typed.again(row, &mut files.law);
    }
    typed.choice_enums(&mut files.views);
    typed.any_resource(&mut files);
    files
}

/// The enum of each choice, by type and element.
type Choices = BTreeMap<(String, String), String>;

struct Typed<'t> {
    types: &'t Tables,
    reached: BTreeSet<u16>,
    choices: Choices,
}

/// Every type with elements that a record of the listed resource types can be made of.
fn reached(types: &Tables) -> BTreeSet<u16> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<u16> = RESOURCES.iter().map(|name| types.by_name[*name]).collect();
    while let Some(id) = waiting.pop() {
        let row = &types.types[usize::from(id)];
        if is_primitive(row) || row.kind == "TypeKind::AnyResource" || !reached.insert(id) {
            continue;
        }
        waiting.extend(row.elements.iter().flat_map(|element| &element.types));
    }
    reached
}

/// Names of the enums of choices. The open choice (`Extension.value`) has one enum for all who have it.
fn choices(types: &Tables) -> Choices {
    let open = &types.types[usize::from(types.by_name["Extension"])];
    let open = &open.elements.iter().find(|element| element.choice).expect("Extension.value is a choice").types;
    let mut names = Choices::new();
    for row in &types.types {
        for element in row.elements.iter().filter(|element| element.choice) {
            let name = if element.types == *open {
                "AnyValue".to_owned()
            } else {
                format!("{}{}", rust(&row.name), upper(&element.name))
            };
            names.insert((row.name.clone(), element.name.clone()), name);
        }
    }
    names
}

impl Typed<'_> {
    fn row(&self, id: u16) -> &Type {
        &self.types.types[usize::from(id)]
    }
    fn primitive(&self, id: u16) -> Option<(&'static str, &'static str, &'static str)> {
        PRIMITIVES.into_iter().find(|(name, ..)| *name == self.row(id).name && is_primitive(self.row(id)))
    }
    /// The name of a view.
    fn name(&self, id: u16) -> String {
        rust(&self.row(id).name)
    }
    fn enum_of(&self, owner: &Type, element: &Element) -> &str {
        &self.choices[&(owner.name.clone(), element.name.clone())]
    }
    /// The type of one value in Rust.
    fn value(&self, owner: &Type, element: &Element) -> String {
        if element.choice {
            let name = self.enum_of(owner, element);
            return format!("{name}{}", self.lifetime(element));
        }
        self.primitive(element.types[0])
            .map_or_else(|| format!("{}<'a>", self.name(element.types[0])), |p| p.1.to_owned())
    }
    /// The lifetime of an enum, where one of its values borrows.
    fn lifetime(&self, element: &Element) -> &'static str {
        if element.types.iter().any(|id| self.primitive(*id).is_none_or(|p| p.1.contains("'a"))) { "<'a>" } else { "" }
    }
    /// Whether the element has a companion `_x`: ids of elements and the url of an extension have none.
    fn has_companion(&self, owner: &Type, element: &Element) -> bool {
        let attribute = element.name == "id" && !owner.kind.contains("Resource")
            || owner.name == "Extension" && element.name == "url";
        !attribute && element.types.iter().any(|id| self.primitive(*id).is_some_and(|p| p.0 != "xhtml"))
    }
    /// One line on an element: its path, how often it occurs, what it points to.
    fn line(&self, owner: &Type, element: &Element) -> String {
        let path = format!("{}.{}{}", owner.name, element.name, if element.choice { "[x]" } else { "" });
        let mut line = format!("`{path}`, {}..{}", element.min, if element.array { "*" } else { "1" });
        if !element.targets.is_empty() {
            let _ = write!(line, ", to {}", element.targets.join(", "));
        }
        if let Some(set) = element.value_set.as_deref().filter(|_| element.strength == 1) {
            let _ = write!(line, ", a code of <{}>", set.split('|').next().unwrap_or(set));
        }
        line
    }

    fn view(&self, row: &Type, out: &mut String) {
        let name = rust(&row.name);
        let _ = write!(
            out,
            "\n/// `{}`.\n#[derive(Clone, Copy)]\npub struct {name}<'a>(Node<'a>);\nimpl<'a> Wrap<'a> for {name}<'a> {{\n    fn wrap(node: Node<'a>) -> Self {{ {name}(node) }}\n    fn unwrap(self) -> Node<'a> {{ self.0 }}\n}}\nimpl<'a> {name}<'a> {{\n",
            row.name
        );
        for element in &row.elements {
            let (method, json, value) = (snake(&element.name), &element.name, self.value(row, element));
            let (gives, call) = match (element.choice, element.array) {
                (true, _) => (format!("Option<{value}>"), "choice"),
                (_, true) => (format!("Values<'a, {value}>"), "many"),
                _ => (format!("Option<{value}>"), "one"),
            };
            assert!(!element.choice || !element.array, "{}.{json} is a choice and repeats", row.name);
            let _ = writeln!(
                out,
                "    /// {}.\n    pub fn {method}(self) -> {gives} {{ {call}(self.0, {json:?}) }}",
                self.line(row, element)
            );
            if self.has_companion(row, element) {
                let (gives, call, json) = match (element.choice, element.array) {
                    (true, _) => ("PrimitiveElement<'a>", "choice_element", json.clone()),
                    (_, true) => ("Elements<'a>", "elements", format!("_{json}")),
                    _ => ("PrimitiveElement<'a>", "element", format!("_{json}")),
                };
                let _ = writeln!(
                    out,
                    "    pub fn {}(self) -> {gives} {{ {call}(self.0, {json:?}) }}",
                    with_element(&element.name)
                );
            }
        }
        out.push_str("}\n");
    }

    fn choice_enums(&self, out: &mut String) {
        let mut done = BTreeSet::new();
        for id in &self.reached {
            let row = self.row(*id);
            for element in row.elements.iter().filter(|element| element.choice) {
                let name = self.enum_of(row, element);
                if !done.insert(name.to_owned()) {
                    continue;
                }
                assert!(
                    !self.types.types.iter().any(|row| rust(&row.name) == name),
                    "{name} names a type and a choice"
                );
                let (lifetime, mut variants, mut arms) = (self.lifetime(element), String::new(), String::new());
                for id in &element.types {
                    let (variant, json) = (upper(&self.row(*id).name), &self.row(*id).name);
                    let value =
                        self.primitive(*id).map_or_else(|| format!("{}<'a>", self.name(*id)), |p| p.1.to_owned());
                    let _ = write!(variants, "{variant}({value}), ");
                    let _ = writeln!(arms, "            {json:?} => FromNode::from_node(node).map(Self::{variant}),");
                }
                let _ = write!(
                    out,
                    "\n/// A value of `{}.{}[x]`.\n#[derive(Clone)]\npub enum {name}{lifetime} {{ {} }}\nimpl<'a> Choice<'a> for {name}{lifetime} {{\n    fn of(kind: &str, node: Node<'a>) -> Option<Self> {{\n        match kind {{\n{arms}            _ => None,\n        }}\n    }}\n}}\n",
                    row.name,
                    element.name,
                    variants.trim_end_matches(", ")
                );
            }
        }
    }

    fn builder(&self, row: &Type, out: &mut String) {
        let (name, builder) = (rust(&row.name), format!("{}Builder", rust(&row.name)));
        let resource = row.kind == "TypeKind::Resource";
        let start = if resource { format!("Object::resource({:?})", row.name) } else { "Object::new()".to_owned() };
        let _ = write!(
            out,
            "\n/// Makes a [`{}`].\n#[derive(Clone)]\n#[must_use]\npub struct {builder}(pub(crate) Object);\nimpl From<{name}<'_>> for {builder} {{\n    fn from(view: {name}<'_>) -> Self {{ {builder}(Object::copy(view)) }}\n}}\nimpl {builder} {{\n    /// One with nothing in it.\n    pub fn new() -> Self {{ {builder}({start}) }}\n",
            name
        );
        if resource {
            out.push_str("    /// The record, its structure checked.\n    pub fn build(&self) -> Result<Record> { self.0.build() }\n");
        }
        for element in &row.elements {
            assert!(!["build", "new"].contains(&element.name.as_str()), "an element named like a method of builders");
            let verb = if element.array { "add" } else { "set" };
            if element.choice {
                let clash = row.elements.iter().filter(|other| !std::ptr::eq(*other, element)).any(|other| {
                    other
                        .name
                        .strip_prefix(element.name.as_str())
                        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
                });
                assert!(!clash, "{}.{} is the start of another element's name", row.name, element.name);
                for id in &element.types {
                    let json = format!("{}{}", element.name, upper(&self.row(*id).name));
                    let (takes, gives) = self.taken(*id);
                    let _ = writeln!(
                        out,
                        "    pub fn {}(self, value: {takes}) -> Self {{ Self(self.0.choose({:?}, {json:?}, {gives})) }}",
                        snake(&json),
                        element.name
                    );
                }
            } else {
                let (takes, gives) = self.taken(element.types[0]);
                let _ = writeln!(
                    out,
                    "    pub fn {}(self, value: {takes}) -> Self {{ Self(self.0.{verb}({:?}, {gives})) }}",
                    snake(&element.name),
                    element.name
                );
            }
            if self.has_companion(row, element) {
                let _ = match element.choice {
                    true => writeln!(
                        out,
                        "    pub fn {}(self, kind: Primitive, value: impl Into<PrimitiveElementBuilder>) -> Self {{ Self(self.0.choose_element({:?}, kind, value.into())) }}",
                        with_element(&element.name),
                        element.name
                    ),
                    false => writeln!(
                        out,
                        "    pub fn {}(self, value: impl Into<PrimitiveElementBuilder>) -> Self {{ Self(self.0.{verb}_element({:?}, value.into())) }}",
                        with_element(&element.name),
                        element.name
                    ),
                };
            }
        }
        out.push_str("}\n");
    }

    /// What a builder's function takes for a value of a type, and how that becomes a JSON value.
    fn taken(&self, id: u16) -> (String, &'static str) {
        match self.primitive(id) {
            Some((_, "i32" | "u32", takes)) => (takes.to_owned(), "i64::from(value)"),
            Some((_, "bool", takes)) => (takes.to_owned(), "value"),
            Some((.., takes)) => (takes.to_owned(), "value.into()"),
            None => (format!("impl Into<{}Builder>", self.name(id)), "value.into().0"),
        }
    }

    /// The function of the law: the same value again, through every function of the view and the builder.
    fn again(&self, row: &Type, out: &mut String) {
        let (name, mut body) = (rust(&row.name), String::new());
        for element in &row.elements {
            let method = snake(&element.name);
            let with = with_element(&element.name);
            let complex = !element.choice && self.primitive(element.types[0]).is_none();
            let companion = self.has_companion(row, element);
            let _ = match (element.choice, element.array, complex) {
                (true, ..) => {
                    let mut arms = String::new();
                    for id in &element.types {
                        let (variant, json) =
                            (upper(&self.row(*id).name), format!("{}{}", element.name, upper(&self.row(*id).name)));
                        let again = if self.primitive(*id).is_some() { "" } else { ".again()" };
                        let _ = writeln!(
                            arms,
                            "            Some({}::{variant}(value)) => made.{}(value{again}),",
                            self.enum_of(row, element),
                            snake(&json)
                        );
                    }
                    let extended = if companion {
                        format!(
                            "            _ if self.{with}().is_extended() => made.{with}(self.{with}().kind().expect(\"a primitive\"), self.{with}()),\n"
                        )
                    } else {
                        String::new()
                    };
                    writeln!(
                        body,
                        "        made = match self.{method}() {{\n{extended}{arms}            None => made,\n        }};"
                    )
                }
                (_, true, true) => writeln!(
                    body,
                    "        made = self.{method}().fold(made, |made, value| made.{method}(value.again()));"
                ),
                (_, false, true) => writeln!(
                    body,
                    "        made = self.{method}().into_iter().fold(made, |made, value| made.{method}(value.again()));"
                ),
                (_, true, false) if companion => writeln!(
                    body,
                    "        made = Listed(self.{method}(), self.{with}()).put(made, {name}Builder::{method}, {name}Builder::{with});"
                ),
                (_, false, false) if companion => writeln!(
                    body,
                    "        made = Single(self.{method}(), self.{with}()).put(made, {name}Builder::{method}, {name}Builder::{with});"
                ),
                (_, true, false) => {
                    writeln!(body, "        made = self.{method}().fold(made, {name}Builder::{method});")
                }
                (_, false, false) => {
                    writeln!(body, "        made = self.{method}().into_iter().fold(made, {name}Builder::{method});")
                }
            };
        }
        let _ = write!(
            out,
            "\nimpl Again for {name}<'_> {{\n    type Made = {name}Builder;\n    fn again(self) -> {name}Builder {{\n        let mut made = {name}Builder::new();\n{body}        made\n    }}\n}}\n"
        );
    }

    /// `Resource`: a resource of any type, and the ways to the types that have views.
    fn any_resource(&self, files: &mut Files) {
        let (mut of_any, mut of_record, mut into, mut arms) =
            (String::new(), String::new(), String::new(), String::new());
        for name in RESOURCES {
            let method = format!("as_{}", snake(name));
            let _ = writeln!(
                of_any,
                "    /// As a `{name}`, where it is one.\n    pub fn {method}(self) -> Option<{name}<'a>> {{ resource(self.0, {name:?}) }}"
            );
            let _ = writeln!(
                of_record,
                "    /// As a typed `{name}`, where it is one.\n    pub fn {method}(&self) -> Option<{name}<'_>> {{ resource(self.root(), {name:?}) }}"
            );
            let _ = write!(
                into,
                "impl From<{name}Builder> for ResourceBuilder {{\n    fn from(builder: {name}Builder) -> Self {{ ResourceBuilder(builder.0) }}\n}}\n"
            );
            let _ = writeln!(
                arms,
                "            Some({name:?}) => self.{method}().expect(\"of that type\").again().into(),"
            );
        }
        let _ = write!(
            files.views,
            "\n/// A resource of any type.\n#[derive(Clone, Copy)]\npub struct Resource<'a>(Node<'a>);\nimpl<'a> Wrap<'a> for Resource<'a> {{\n    fn wrap(node: Node<'a>) -> Self {{ Resource(node) }}\n    fn unwrap(self) -> Node<'a> {{ self.0 }}\n}}\nimpl<'a> Resource<'a> {{\n{of_any}}}\n\n/// With the feature `typed`.\nimpl Record {{\n{of_record}}}\n"
        );
        let _ = write!(
            files.builders,
            "\n/// A resource of any type, for `contained` and the entries of a Bundle.\n#[derive(Clone)]\n#[must_use]\npub struct ResourceBuilder(pub(crate) Object);\nimpl From<Resource<'_>> for ResourceBuilder {{\n    fn from(view: Resource<'_>) -> Self {{ ResourceBuilder(Object::copy(view)) }}\n}}\nimpl From<&Record> for ResourceBuilder {{\n    fn from(record: &Record) -> Self {{ ResourceBuilder(Object::of(record)) }}\n}}\n{into}"
        );
        let _ = write!(
            files.law,
            "\n/// The resource types that have views.\npub(in super::super) const RESOURCES: [&str; {}] = {RESOURCES:?};\n\nimpl Again for Resource<'_> {{\n    type Made = ResourceBuilder;\n    fn again(self) -> ResourceBuilder {{\n        match self.kind().map(crate::schema::ResourceType::name) {{\n{arms}            _ => self.into(),\n        }}\n    }}\n}}\n",
            RESOURCES.len()
        );
    }
}

fn is_primitive(row: &Type) -> bool {
    row.kind.starts_with("TypeKind::Primitive")
}

/// `Patient.contact` is `PatientContact`.
fn rust(name: &str) -> String {
    name.split('.').map(upper).collect()
}

fn upper(name: &str) -> String {
    let mut name = name.to_owned();
    name[..1].make_ascii_uppercase();
    name
}

/// `birthDate` is `birth_date`; a word of Rust gets an underscore behind.
fn snake(name: &str) -> String {
    let (mut made, mut before) = (String::new(), 'A');
    for c in name.chars() {
        if c.is_ascii_uppercase() && !before.is_ascii_uppercase() {
            made.push('_');
        }
        made.push(c.to_ascii_lowercase());
        before = c;
    }
    if RESERVED.contains(&made.as_str()) {
        made.push('_');
    }
    made
}

/// The function for an element with its id and extensions.
fn with_element(name: &str) -> String {
    format!("{}_element", snake(name).trim_end_matches('_'))
}
