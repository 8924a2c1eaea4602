//! What is wrong in a definition itself: a value set, a code system or a concept map that names codes which do not exist.

use super::filter::{Filter, Op};
use super::{Coding, Outcome, Terminology};
use crate::error::Code;
use crate::record::Node;
use crate::report::Severity;
use std::borrow::Cow;

/// Where something is wrong, how bad it is, and what was expected.
pub type DefinitionFinding<'a> = (Node<'a>, Code, Severity, &'static str);

impl Terminology {
    /// What is wrong in a ValueSet, a CodeSystem or a ConceptMap beyond its structure: codes that their system does not have,
    /// filters without a meaning, counts that do not fit, supplements of nothing. Other resources have no findings here.
    ///
    /// What cannot be checked here is not a finding.
    pub fn check_definition<'a>(&self, root: Node<'a>) -> Vec<DefinitionFinding<'a>> {
        let mut check = Check { terminology: self, found: Vec::new() };
        match root.text("resourceType").as_deref() {
            Some("ValueSet") => check.value_set(root),
            Some("CodeSystem") => check.code_system(root),
            Some("ConceptMap") => check.concept_map(root),
            _ => return Vec::new(),
        }
        check.found
    }
}

struct Check<'t, 'a> {
    terminology: &'t Terminology,
    found: Vec<DefinitionFinding<'a>>,
}

impl<'a> Check<'_, 'a> {
    fn error(&mut self, node: Node<'a>, code: Code, wanted: &'static str) {
        self.found.push((node, code, Severity::Error, wanted));
    }

    /// A URL that identifies something must not depend on where it stands.
    fn absolute(&mut self, owner: Node<'a>, name: &str) {
        let Some(node) = owner.get(name) else { return };
        if node.as_str().is_some_and(|url| !url.contains(':')) {
            self.error(node, Code::DefinitionUrl, "an absolute url");
        }
    }

    fn coding(&self, system: &Option<Cow<'a, str>>, version: &Option<Cow<'a, str>>, code: &str) -> Outcome {
        let coding = Coding { system: system.clone(), version: version.clone(), code: code.into(), display: None };
        self.terminology.validate_coding(&coding)
    }

    fn value_set(&mut self, root: Node<'a>) {
        self.absolute(root, "url");
        let parts = |side: &'static str| root.get("compose").into_iter().flat_map(move |compose| compose.list(side));
        for part in parts("include").chain(parts("exclude")) {
            self.absolute(part, "system");
            let (system, version) = (part.text("system"), part.text("version"));
            for concept in part.list("concept") {
                let Some(code) = concept.get("code") else { continue };
                let outcome = code.as_str().map(|code| self.coding(&system, &version, &code));
                if outcome == Some(Outcome::CodeUnknown) {
                    self.error(code, Code::DefinitionCode, "a code of the code system");
                }
            }
            for filter in part.list("filter") {
                if let Err(wanted) = self.filter(&system, &version, filter) {
                    self.error(filter, Code::DefinitionFilter, wanted);
                }
            }
        }
    }

    fn filter(
        &self,
        system: &Option<Cow<'a, str>>,
        version: &Option<Cow<'a, str>>,
        node: Node<'a>,
    ) -> Result<(), &'static str> {
        if node.text("value").is_none() || node.text("property").is_none() {
            return Ok(()); // structure says so already
        }
        let Some(filter) = Filter::read(node) else { return Err("an operator of FHIR and, for `regex`, a pattern") };
        let unknown =
            |system: &Option<Cow<'a, str>>, code: &str| self.coding(system, version, code) == Outcome::CodeUnknown;
        let (property, value) = (&*filter.property, &*filter.value);
        let hierarchy =
            matches!(filter.op, Op::IsA | Op::DescendentOf | Op::ChildOf | Op::Leaf | Op::IsNotA | Op::Generalizes);
        if matches!(property, "concept" | "code") && hierarchy && unknown(system, value) {
            return Err("a code of the code system as the value");
        }
        if matches!(filter.op, Op::Exists) || matches!(property, "notSelectable" | "inactive" | "abstract") {
            return if matches!(value, "true" | "false") { Ok(()) } else { Err("`true` or `false` as the value") };
        }
        let snomed = system.as_deref() == Some("http://snomed.info/sct");
        let attribute = property.bytes().all(|b| b.is_ascii_digit());
        if snomed && attribute && !matches!(filter.op, Op::Equals | Op::In) {
            return Err("`=` or `in` on an attribute");
        }
        if snomed && matches!(property, "constraint" | "expression") && !balanced_constraint(value) {
            return Err("an expression constraint that can be read");
        }
        if self.property_type(system, version, property).as_deref() == Some("Coding") && matches!(filter.op, Op::Equals)
        {
            let Some((other, code)) = value.split_once('#') else { return Err("`system#code` as the value") };
            let (other, version) =
                other.split_once('|').map_or((other, None), |(url, version)| (url, Some(version.into())));
            if self.coding(&Some(other.to_owned().into()), &version, code) == Outcome::CodeUnknown {
                return Err("a code of its code system as the value");
            }
        }
        Ok(())
    }

    /// The type that a code system declares for a property.
    fn property_type(
        &self,
        system: &Option<Cow<'a, str>>,
        version: &Option<Cow<'a, str>>,
        property: &str,
    ) -> Option<String> {
        let system = self.terminology.code_system(system.as_deref()?, version.as_deref())?;
        system.property_type(property).map(str::to_owned)
    }

    fn code_system(&mut self, root: Node<'a>) {
        self.absolute(root, "url");
        let content = root.text("content");
        let supplements = root.text("supplements");
        if supplements.is_some() && content.as_deref() != Some("supplement") {
            if let Some(node) = root.get("content") {
                self.error(node, Code::DefinitionSupplement, "`supplement` as the content of a supplement");
            }
        }
        if let (Some(count), Some("complete")) = (root.get("count"), content.as_deref()) {
            let stated = std::str::from_utf8(count.raw()).ok().and_then(|digits| digits.parse::<usize>().ok());
            if stated.is_some_and(|stated| stated != concepts(root)) {
                self.error(count, Code::DefinitionCount, "the number of concepts that are there");
            }
        }
        if let Some(url) = supplements {
            let (url, version) = match url.split_once('|') {
                Some((url, version)) => (url.to_owned(), Some(version.to_owned().into())),
                None => (url.into_owned(), None),
            };
            self.supplement(root, &Some(url.into()), &version);
        }
    }

    /// Recursion goes as deep as the reader let the record be.
    fn supplement(&mut self, owner: Node<'a>, base: &Option<Cow<'a, str>>, version: &Option<Cow<'a, str>>) {
        for concept in owner.list("concept") {
            if let Some(code) = concept.text("code") {
                if self.coding(base, version, &code) == Outcome::CodeUnknown {
                    self.error(concept, Code::DefinitionSupplement, "a code of the code system that is supplemented");
                }
            }
            self.supplement(concept, base, version);
        }
    }

    fn concept_map(&mut self, root: Node<'a>) {
        self.absolute(root, "url");
        let set = |name: &str| root.text(&format!("{name}Canonical")).or_else(|| root.text(&format!("{name}Uri")));
        let (source_set, target_set) = (set("source"), set("target"));
        for group in root.list("group") {
            let (source, source_version) = (group.text("source"), group.text("sourceVersion"));
            let (target, target_version) = (group.text("target"), group.text("targetVersion"));
            for element in group.list("element") {
                self.mapped(element, &source, &source_version, &source_set, Severity::Error);
                for to in element.list("target") {
                    if to.text("equivalence").as_deref() != Some("unmatched") {
                        // A map may lead out of the value set it is made for; it is worth a look.
                        self.mapped(to, &target, &target_version, &target_set, Severity::Warning);
                    }
                }
            }
        }
    }

    /// A code of a map is one of its system and of the value set that the map is for.
    fn mapped(
        &mut self,
        owner: Node<'a>,
        system: &Option<Cow<'a, str>>,
        version: &Option<Cow<'a, str>>,
        set: &Option<Cow<'a, str>>,
        outside: Severity,
    ) {
        let Some(node) = owner.get("code").filter(|_| system.is_some()) else { return };
        let Some(code) = node.as_str() else { return };
        if self.coding(system, version, &code) == Outcome::CodeUnknown {
            self.error(node, Code::DefinitionCode, "a code of the code system");
            return;
        }
        let coding = Coding { system: system.clone(), version: None, code, display: None };
        if set.as_deref().is_some_and(|set| self.terminology.validate_code(set, &coding).is_wrong()) {
            self.found.push((node, Code::DefinitionCode, outside, "a code of the value set that the map is for"));
        }
    }
}

/// The number of concepts, those below others included.
fn concepts(owner: Node<'_>) -> usize {
    owner.list("concept").map(|concept| 1 + concepts(concept)).sum()
}

/// Whether an expression constraint of SNOMED CT has its operators between its operands. It is no parser of the language: it
/// sees what stands side by side.
fn balanced_constraint(text: &str) -> bool {
    let (mut operand_before, mut depth, mut rest) = (false, 0_usize, text.trim_start());
    while let Some(c) = rest.chars().next() {
        let used = match c {
            '(' | '{' | '[' => {
                depth += 1;
                operand_before = false;
                1
            }
            ')' | '}' | ']' => {
                let Some(left) = depth.checked_sub(1).filter(|_| operand_before || c == ']') else { return false };
                (depth, operand_before) = (left, c != ']');
                1
            }
            '|' => match rest[1..].find('|') {
                Some(end) if operand_before => end + 2,
                _ => return false,
            },
            '"' => match rest[1..].find('"') {
                Some(end) => {
                    operand_before = true;
                    end + 2
                }
                None => return false,
            },
            ',' | ':' | '=' | '.' | '+' => {
                operand_before = false;
                1
            }
            '<' | '>' | '^' | '!' | '#' => {
                // Before an operand, unless it compares (`>=`, `!=`) or asks for a number.
                let compares = rest[1..].starts_with('=');
                if operand_before && !compares && c != '#' {
                    return false;
                }
                operand_before = false;
                1
            }
            '*' => {
                if operand_before {
                    return false;
                }
                operand_before = true;
                1
            }
            c if c.is_alphanumeric() => {
                let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                let operator = matches!(rest[..end].to_ascii_lowercase().as_str(), "and" | "or" | "minus");
                let number = rest.as_bytes()[..end].iter().all(u8::is_ascii_digit);
                if operator != operand_before && (operator || number) {
                    return false;
                }
                operand_before = !operator;
                end
            }
            _ => c.len_utf8(),
        };
        rest = rest[used..].trim_start();
    }
    operand_before && depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Manifest, Package, Packages};
    use crate::record::Record;

    fn record(text: &str) -> Record {
        Record::parse(text.as_bytes()).expect("a resource")
    }

    fn findings(text: &str) -> Vec<String> {
        let colours = record(
            r#"{"resourceType":"CodeSystem","url":"http://example.org/colours","content":"complete",
                "property":[{"code":"of","type":"Coding"}],"concept":[{"code":"red"},{"code":"blue"}]}"#,
        );
        let reds = record(
            r#"{"resourceType":"ValueSet","url":"http://example.org/reds","compose":{"include":[{"system":"http://example.org/colours","concept":[{"code":"red"}]}]}}"#,
        );
        let package = Package::from_records(Manifest::default(), [colours, reds]);
        let terminology = Terminology::new(&Packages::new().with(package));
        let record = record(text);
        let found = terminology.check_definition(record.root());
        let line = |(node, code, severity, _): &DefinitionFinding<'_>| match severity {
            Severity::Error => format!("{} {code}", node.path()),
            other => format!("{} {code} ({})", node.path(), other.name()),
        };
        found.iter().map(line).collect()
    }

    fn value_set(part: &str) -> Vec<String> {
        findings(&format!(r#"{{"resourceType":"ValueSet","compose":{{"include":[{part}]}}}}"#))
    }

    fn filter(system: &str, property: &str, op: &str, value: &str) -> bool {
        value_set(&format!(
            r#"{{"system":"{system}","filter":[{{"property":"{property}","op":"{op}","value":"{value}"}}]}}"#
        ))
        .is_empty()
    }

    #[test]
    fn a_value_set_names_codes_that_exist() {
        let part = r#"{"system":"http://example.org/colours","concept":[{"code":"red"},{"code":"loud"}]}"#;
        assert_eq!(value_set(part), ["ValueSet.compose.include[0].concept[1].code definition-code"]);
        assert_eq!(value_set(r##"{"system":"#contained"}"##), ["ValueSet.compose.include[0].system definition-url"]);
        assert_eq!(value_set(r#"{"system":"http://example.org/other","concept":[{"code":"loud"}]}"#), [""; 0]);
        assert_eq!(findings(r#"{"resourceType":"ValueSet","url":"ValueSet/x"}"#), ["ValueSet.url definition-url"]);
        assert_eq!(findings(r#"{"resourceType":"Patient","url":"x"}"#), [""; 0]);
    }

    #[test]
    fn a_filter_has_a_meaning() {
        let (colours, snomed) = ("http://example.org/colours", "http://snomed.info/sct");
        assert!(filter(colours, "concept", "is-a", "red"));
        assert!(!filter(colours, "concept", "is-a", "loud"));
        assert!(!filter(colours, "concept", "like", "red"));
        assert!(!filter(colours, "code", "regex", "("));
        assert!(!filter(colours, "of", "exists", "1"));
        assert!(!filter(colours, "notSelectable", "=", "1"));
        assert!(filter(colours, "of", "=", "http://example.org/colours#red"));
        assert!(!filter(colours, "of", "=", "http://example.org/colours#loud"));
        assert!(!filter(colours, "of", "=", "red"));
        assert!(filter(snomed, "concept", "is-a", "404684003"));
        assert!(!filter(snomed, "concept", "is-a", "something"));
        assert!(!filter(snomed, "1142143009", "not-in", "734137005"));
    }

    #[test]
    fn an_expression_constraint_has_operators_between_its_operands() {
        for right in [
            "<< 404684003",
            "<< 404684003 |Clinical finding| : 363698007 = << 39057004",
            "(< 404684003 OR < 71388002) MINUS << 39057004",
            "^ 700043003",
            "*",
            "< 373873005: [1..3] 127489000 = < 105590001, 411116001 = <<385268001",
            "< 27658006: 1142135004 >= #250",
        ] {
            assert!(balanced_constraint(right), "{right}");
        }
        for wrong in [
            "234234 << 234234",
            "<<",
            "404684003 71388002",
            "(< 404684003",
            "< 404684003)",
            "AND 1",
            "1 OR",
            "|a| 1",
            "",
        ] {
            assert!(!balanced_constraint(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_code_system_counts_its_concepts_and_a_supplement_has_a_base() {
        let system = |rest: &str| findings(&format!(r#"{{"resourceType":"CodeSystem",{rest}}}"#));
        let concepts = r#""concept":[{"code":"a","concept":[{"code":"b"}]}]"#;
        assert_eq!(system(&format!(r#""content":"complete","count":2,{concepts}"#)), [""; 0]);
        assert_eq!(
            system(&format!(r#""content":"complete","count":3,{concepts}"#)),
            ["CodeSystem.count definition-count"]
        );
        assert_eq!(system(&format!(r#""content":"fragment","count":3,{concepts}"#)), [""; 0]);
        assert_eq!(
            system(r#""content":"fragment","supplements":"http://example.org/colours|1","concept":[{"code":"red"}]"#),
            ["CodeSystem.content definition-supplement"]
        );
        assert_eq!(
            system(
                r#""content":"supplement","supplements":"http://example.org/colours","concept":[{"code":"red","concept":[{"code":"loud"}]}]"#
            ),
            ["CodeSystem.concept[0].concept[0] definition-supplement"]
        );
    }

    #[test]
    fn a_concept_map_maps_codes_of_its_value_sets() {
        let map = |code: &str, target: &str| {
            findings(&format!(
                r#"{{"resourceType":"ConceptMap","sourceCanonical":"http://example.org/reds","targetCanonical":"http://example.org/reds","group":[{{"source":"http://example.org/colours","target":"http://example.org/colours","element":[{{"code":"{code}","target":[{{"code":"{target}"}}]}}]}}]}}"#
            ))
        };
        assert_eq!(map("red", "red"), [""; 0]);
        assert_eq!(map("red", "blue"), ["ConceptMap.group[0].element[0].target[0].code definition-code (warning)"]);
        assert_eq!(map("blue", "red"), ["ConceptMap.group[0].element[0].code definition-code"]);
        assert_eq!(map("red", "loud"), ["ConceptMap.group[0].element[0].target[0].code definition-code"]);
    }
}
