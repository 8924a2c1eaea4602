//! One patient's life, as a practice would have it on record.

use crate::random::Random;

/// One resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The resource type.
    pub kind: &'static str,
    /// The logical id, a UUID.
    pub id: String,
    /// The JSON text, on one line.
    pub json: String,
}

/// One patient's chart, the practice's own records first.
#[derive(Clone, Debug)]
pub struct Chart {
    /// The patient's logical id.
    pub patient_id: String,
    /// Family name.
    pub family: String,
    /// The resources, in the order of time.
    pub resources: Vec<Resource>,
}

impl Chart {
    /// As NDJSON.
    pub fn ndjson(&self) -> String {
        self.resources.iter().map(|resource| format!("{}\n", resource.json)).collect()
    }
    /// As a transaction Bundle.
    pub fn transaction(&self) -> String {
        let entries: Vec<String> = self
            .resources
            .iter()
            .map(|r| {
                format!(
                    r#"{{"fullUrl":"urn:uuid:{}","resource":{},"request":{{"method":"PUT","url":"{}/{}"}}}}"#,
                    r.id, r.json, r.kind, r.id
                )
            })
            .collect();
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(",\n"))
    }
}

const FAMILIES: &[&str] = &[
    "Abara",
    "Almeida",
    "Becker",
    "Chen",
    "Dubois",
    "Eriksen",
    "Farouk",
    "García",
    "Haddad",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quispe",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Usman",
    "Virtanen",
    "Weber",
    "Xu",
    "Yılmaz",
    "Zhang",
    "Okafor",
    "Müller",
    "Silva",
];
const WOMEN: &[&str] = &[
    "Ada", "Beatriz", "Chloe", "Dina", "Elena", "Fatima", "Grace", "Hana", "Ines", "Julia", "Karin", "Leila", "Mia",
    "Nora", "Olga",
];
const MEN: &[&str] = &[
    "Adam", "Bruno", "Carlos", "David", "Emil", "Felix", "George", "Hugo", "Ivan", "Jonas", "Karl", "Liam", "Marco",
    "Noah", "Oscar",
];
const STREETS: &[&str] = &["Elm Street", "Mill Lane", "Harbor Road", "Station Avenue", "Orchard Way"];
const TOWNS: &[(&str, &str)] =
    &[("Springfield", "01101"), ("Riverton", "82501"), ("Lakeside", "92040"), ("Fairview", "37062")];
const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
const PROFILE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-";

/// Year, month, day.
type Day = (i64, u64, u64);

struct Maker {
    random: Random,
    patient: String,
    practitioner: String,
    organization: String,
    all: Vec<Resource>,
}

fn date((year, month, day): Day) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

fn coding(system: &str, code: &str, display: &str) -> String {
    format!(r#"{{"coding":[{{"system":"{system}","code":"{code}","display":"{display}"}}],"text":"{display}"}}"#)
}

impl Maker {
    fn put(&mut self, kind: &'static str, id: &str, profile: &str, rest: &str) {
        let meta =
            if profile.is_empty() { String::new() } else { format!(r#","meta":{{"profile":["{PROFILE}{profile}"]}}"#) };
        let json = format!(r#"{{"resourceType":"{kind}","id":"{id}"{meta},{rest}}}"#);
        self.all.push(Resource { kind, id: id.to_owned(), json });
    }

    fn subject(&self) -> String {
        format!(r#""subject":{{"reference":"Patient/{}"}}"#, self.patient)
    }

    fn time(&mut self, day: Day) -> String {
        format!("{}T{:02}:{:02}:00-05:00", date(day), 8 + self.random.below(9), self.random.below(60))
    }

    fn encounter(&mut self, day: Day, (code, display): (&str, &str)) -> String {
        let (id, start) = (self.random.uuid(), self.time(day));
        let rest = format!(
            r#""status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB","display":"ambulatory"}},"type":[{}],{},"participant":[{{"individual":{{"reference":"Practitioner/{}"}}}}],"period":{{"start":"{start}","end":"{}:59:00-05:00"}},"serviceProvider":{{"reference":"Organization/{}"}}"#,
            coding(SNOMED, code, display),
            self.subject(),
            self.practitioner,
            &start[..13],
            self.organization
        );
        self.put("Encounter", &id, "encounter", &rest);
        id
    }

    fn observation(
        &mut self,
        category: &str,
        profile: &str,
        code: &str,
        value: &str,
        encounter: &str,
        at: &str,
    ) -> String {
        let id = self.random.uuid();
        let rest = format!(
            r#""status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"{category}"}}]}}],"code":{code},{},"encounter":{{"reference":"Encounter/{encounter}"}},"effectiveDateTime":"{at}",{value}"#,
            self.subject()
        );
        self.put("Observation", &id, profile, &rest);
        id
    }

    #[allow(clippy::too_many_arguments)]
    fn lab(
        &mut self,
        code: &str,
        display: &str,
        value: String,
        unit: &str,
        range: (f64, f64),
        encounter: &str,
        at: &str,
    ) -> String {
        let code = coding(LOINC, code, display);
        let number: f64 = value.parse().unwrap_or(0.0);
        let flag = if number < range.0 {
            "L"
        } else if number > range.1 {
            "H"
        } else {
            "N"
        };
        let value = format!(
            r#""valueQuantity":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"}},"interpretation":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{flag}"}}]}}],"referenceRange":[{{"low":{{"value":{:?},"unit":"{unit}"}},"high":{{"value":{:?},"unit":"{unit}"}}}}]"#,
            range.0, range.1
        );
        self.observation("laboratory", "observation-lab", &code, &value, encounter, at)
    }

    #[allow(clippy::too_many_arguments)]
    fn vital(
        &mut self,
        profile: &str,
        code: &str,
        display: &str,
        value: String,
        unit: &str,
        encounter: &str,
        at: &str,
    ) {
        let code = coding(LOINC, code, display);
        let value = format!(
            r#""valueQuantity":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"}}"#
        );
        self.observation("vital-signs", profile, &code, &value, encounter, at);
    }

    fn condition(&mut self, code: &str, display: &str, since: Day, resolved: bool, encounter: &str) {
        let id = self.random.uuid();
        let status = if resolved { "resolved" } else { "active" };
        let abatement = if resolved {
            format!(r#","abatementDateTime":"{}""#, date((since.0, since.1, 28)))
        } else {
            String::new()
        };
        let rest = format!(
            r#""clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"{status}"}}]}},"verificationStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}}]}},"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item"}}]}}],"code":{},{},"encounter":{{"reference":"Encounter/{encounter}"}},"onsetDateTime":"{}"{abatement},"recordedDate":"{}""#,
            coding(SNOMED, code, display),
            self.subject(),
            date(since),
            date(since)
        );
        self.put("Condition", &id, "condition-problems-health-concerns", &rest);
    }

    fn medication(&mut self, code: &str, display: &str, dose: &str, since: Day, stopped: bool, encounter: &str) {
        let id = self.random.uuid();
        let status = if stopped { "stopped" } else { "active" };
        let rest = format!(
            r#""status":"{status}","intent":"order","medicationCodeableConcept":{},{},"encounter":{{"reference":"Encounter/{encounter}"}},"authoredOn":"{}","requester":{{"reference":"Practitioner/{}"}},"dosageInstruction":[{{"text":"{dose}"}}]"#,
            coding(RXNORM, code, display),
            self.subject(),
            date(since),
            self.practitioner
        );
        self.put("MedicationRequest", &id, "medicationrequest", &rest);
    }

    fn immunization(&mut self, code: &str, display: &str, day: Day) {
        let (id, at) = (self.random.uuid(), self.time(day));
        let rest = format!(
            r#""status":"completed","vaccineCode":{},"patient":{{"reference":"Patient/{}"}},"occurrenceDateTime":"{at}","primarySource":true,"lotNumber":"L{:05}""#,
            coding("http://hl7.org/fhir/sid/cvx", code, display),
            self.patient,
            self.random.below(100_000)
        );
        self.put("Immunization", &id, "immunization", &rest);
    }

    fn allergy(&mut self, code: &str, display: &str, reaction: &str, refuted: bool, day: Day) {
        let id = self.random.uuid();
        let clinical = if refuted {
            String::new()
        } else {
            r#""clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"#.to_owned()
        };
        let verification = if refuted { "refuted" } else { "confirmed" };
        let rest = format!(
            r#"{clinical}"verificationStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"{verification}"}}]}},"code":{},"patient":{{"reference":"Patient/{}"}},"recordedDate":"{}","reaction":[{{"manifestation":[{{"text":"{reaction}"}}]}}]"#,
            coding(SNOMED, code, display),
            self.patient,
            date(day)
        );
        self.put("AllergyIntolerance", &id, "allergyintolerance", &rest);
    }
}

/// The practice is the same for all patients of a seed.
fn practice(seed: u64) -> (Resource, Resource) {
    let mut random = Random::new(seed, u64::MAX);
    let (organization, practitioner) = (random.uuid(), random.uuid());
    let json = format!(
        r#"{{"resourceType":"Organization","id":"{organization}","active":true,"name":"Elm Street Practice","identifier":[{{"system":"http://example.org/organizations","value":"elm"}}]}}"#
    );
    let first = Resource { kind: "Organization", id: organization, json };
    let json = format!(
        r#"{{"resourceType":"Practitioner","id":"{practitioner}","identifier":[{{"system":"http://example.org/clinicians","value":"grey"}}],"name":[{{"family":"Grey","given":["Robin"],"prefix":["Dr."]}}]}}"#
    );
    (first, Resource { kind: "Practitioner", id: practitioner, json })
}

pub(crate) fn make(seed: u64, number: u64, marker: &str) -> Chart {
    let (organization, practitioner) = practice(seed);
    let mut random = Random::new(seed, number);
    let patient = random.uuid();
    let mut maker = Maker {
        patient: patient.clone(),
        practitioner: practitioner.id.clone(),
        organization: organization.id.clone(),
        all: vec![organization, practitioner],
        random,
    };
    let woman = maker.random.chance(51);
    let family = format!("{}{marker}", maker.random.pick(FAMILIES));
    let given = *maker.random.pick(if woman { WOMEN } else { MEN });
    let born: Day = (1935 + maker.random.below(85) as i64, 1 + maker.random.below(12), 1 + maker.random.below(28));
    let now = 2025;
    let age = now - born.0;
    let (town, zip) = *maker.random.pick(TOWNS);
    let rest = format!(
        r#""identifier":[{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}}]}},"system":"http://example.org/mrn","value":"E{number:06}"}}],"active":true,"name":[{{"use":"official","family":"{family}","given":["{given}"]}}],"telecom":[{{"system":"phone","value":"555-{:04}","use":"home"}}],"gender":"{}","birthDate":"{}","address":[{{"line":["{} {}"],"city":"{town}","postalCode":"{zip}","country":"US"}}],"communication":[{{"language":{{"coding":[{{"system":"urn:ietf:bcp:47","code":"en-US"}}]}}}}],"managingOrganization":{{"reference":"Organization/{}"}}"#,
        maker.random.below(10_000),
        if woman { "female" } else { "male" },
        date(born),
        1 + maker.random.below(200),
        maker.random.pick(STREETS),
        maker.organization
    );
    maker.put("Patient", &patient, "patient", &rest);
    life(&mut maker, born, age, now, marker);
    Chart { patient_id: patient, family, resources: maker.all }
}

fn life(maker: &mut Maker, born: Day, age: i64, now: i64, marker: &str) {
    let hypertension = age > 40 && maker.random.chance(45);
    let diabetes = age > 45 && maker.random.chance(25);
    let asthma = maker.random.chance(10);
    let since = (now - 12 + maker.random.below(6) as i64).max(born.0 + 18);
    if maker.random.chance(18) {
        let refuted = maker.random.chance(25);
        maker.allergy("91936005", "Allergy to penicillin", "hives", refuted, (born.0 + 6, 5, 3));
    }
    if maker.random.chance(8) {
        maker.allergy("91935009", "Allergy to peanut", "swelling of lips", false, (born.0 + 4, 9, 12));
    }
    if now - born.0 < 30 {
        for (months, code, display) in
            [(2, "20", "DTaP"), (4, "20", "DTaP"), (6, "20", "DTaP"), (12, "03", "MMR"), (15, "21", "varicella")]
        {
            let month = born.1 - 1 + months;
            maker.immunization(code, display, (born.0 + month as i64 / 12, 1 + month % 12, born.2));
        }
    }
    let mut pressure = if hypertension { 152.0 } else { 121.0 };
    let mut sugar = if diabetes { 8.6 } else { 5.3 };
    let height = maker.random.about(if age < 16 { 90.0 + age as f64 * 5.0 } else { 170.0 }, 18.0);
    let weight = height * height / 10_000.0 * maker.random.about(if diabetes { 30.0 } else { 25.0 }, 4.0);
    for year in since.max(now - 11)..=now {
        for visit in 0..if hypertension || diabetes { 3 } else { 1 } {
            let day = (year, 1 + visit * 4 + maker.random.below(3), 1 + maker.random.below(28));
            let reason = if visit == 0 {
                ("162673000", "General examination of patient")
            } else {
                ("390906007", "Follow-up encounter")
            };
            let encounter = maker.encounter(day, reason);
            let at = maker.time(day);
            if year == since && visit == 0 {
                if hypertension {
                    maker.condition("59621000", "Essential hypertension", day, false, &encounter);
                    maker.medication(
                        "314076",
                        "lisinopril 10 MG Oral Tablet",
                        "Take one tablet each morning",
                        day,
                        false,
                        &encounter,
                    );
                }
                if diabetes {
                    maker.condition("44054006", "Type 2 diabetes mellitus", day, false, &encounter);
                    maker.medication(
                        "861007",
                        "metformin 500 MG Oral Tablet",
                        "Take one tablet twice a day with food",
                        day,
                        false,
                        &encounter,
                    );
                }
                if asthma {
                    maker.condition("195967001", "Asthma", day, false, &encounter);
                    maker.medication(
                        "745679",
                        "albuterol 0.09 MG/ACTUAT inhaler",
                        "Two puffs when needed",
                        day,
                        false,
                        &encounter,
                    );
                }
            }
            if maker.random.chance(12) {
                maker.condition("195662009", "Acute viral pharyngitis", day, true, &encounter);
            }
            measure(maker, &encounter, &at, (pressure, sugar, height, weight), diabetes, marker);
            // Treatment works, slowly and not for everybody.
            pressure += (126.0 - pressure) * 0.15;
            sugar += (if diabetes { 6.9 } else { 5.3 } - sugar) * 0.12;
        }
        if maker.random.chance(60) {
            let day = 1 + maker.random.below(28);
            maker.immunization("140", "influenza, seasonal, injectable, preservative free", (year, 10, day));
        }
    }
}

fn measure(
    maker: &mut Maker,
    encounter: &str,
    at: &str,
    (pressure, sugar, height, weight): (f64, f64, f64, f64),
    diabetes: bool,
    marker: &str,
) {
    let systolic = maker.random.about(pressure, 9.0);
    let diastolic = systolic * 0.62;
    let quantity = |value: f64| {
        format!(
            r#""valueQuantity":{{"value":{value:.0},"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}"#
        )
    };
    let value = format!(
        r#""component":[{{"code":{},{}}},{{"code":{},{}}}]"#,
        coding(LOINC, "8480-6", "Systolic blood pressure"),
        quantity(systolic),
        coding(LOINC, "8462-4", "Diastolic blood pressure"),
        quantity(diastolic)
    );
    maker.observation(
        "vital-signs",
        "blood-pressure",
        &coding(LOINC, "85354-9", "Blood pressure panel"),
        &value,
        encounter,
        at,
    );
    let heart = maker.random.about(72.0, 12.0);
    maker.vital("heart-rate", "8867-4", "Heart rate", format!("{heart:.0}"), "/min", encounter, at);
    let kilograms = maker.random.about(weight, 2.0);
    maker.vital("body-weight", "29463-7", "Body weight", format!("{kilograms:.1}"), "kg", encounter, at);
    maker.vital("body-height", "8302-2", "Body height", format!("{height:.1}"), "cm", encounter, at);
    maker.vital(
        "bmi",
        "39156-5",
        "Body mass index",
        format!("{:.1}", kilograms / (height * height / 10_000.0)),
        "kg/m2",
        encounter,
        at,
    );
    let mut results = Vec::new();
    for (code, display, middle, spread, unit, range, digits) in [
        ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", sugar * 18.0, 12.0, "mg/dL", (70.0, 99.0), 0),
        ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", 0.95, 0.25, "mg/dL", (0.6, 1.3), 2),
        ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", 140.0, 3.0, "mmol/L", (136.0, 145.0), 0),
        ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", 4.2, 0.5, "mmol/L", (3.5, 5.1), 1),
        ("13457-7", "LDL Cholesterol (calculated)", 112.0, 30.0, "mg/dL", (0.0, 130.0), 0),
        ("718-7", "Hemoglobin [Mass/volume] in Blood", 14.1, 1.4, "g/dL", (12.0, 17.5), 1),
    ] {
        let value = maker.random.about(middle, spread);
        results.push(maker.lab(code, display, format!("{value:.digits$}"), unit, range, encounter, at));
    }
    if diabetes {
        let value = maker.random.about(sugar, 0.4);
        results.push(maker.lab(
            "4548-4",
            "Hemoglobin A1c/Hemoglobin.total in Blood",
            format!("{value:.1}"),
            "%",
            (4.0, 5.6),
            encounter,
            at,
        ));
    }
    let references: Vec<String> = results.iter().map(|id| format!(r#"{{"reference":"Observation/{id}"}}"#)).collect();
    let id = maker.random.uuid();
    let conclusion = if marker.is_empty() { "See results." } else { marker };
    let rest = format!(
        r#""status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB"}}]}}],"code":{},{},"encounter":{{"reference":"Encounter/{encounter}"}},"effectiveDateTime":"{at}","issued":"{at}","result":[{}],"conclusion":"{conclusion}""#,
        coding(LOINC, "24323-8", "Comprehensive metabolic panel"),
        maker.subject(),
        references.join(",")
    );
    maker.put("DiagnosticReport", &id, "diagnosticreport-lab", &rest);
}

#[cfg(test)]
mod tests {
    use crate::Charts;

    #[test]
    fn the_same_seed_gives_the_same_charts_whatever_the_count() {
        let charts = Charts::new(7);
        let five: Vec<String> = charts.patients(5).map(|chart| chart.ndjson()).collect();
        assert_eq!(charts.patient(3).ndjson(), five[3]);
        assert_ne!(Charts::new(8).patient(3).ndjson(), five[3]);
    }

    #[test]
    fn charts_have_the_size_of_real_ones_and_every_reference_leads_somewhere() {
        let mut resources = 0;
        for chart in Charts::new(1).patients(50) {
            resources += chart.resources.len();
            for resource in &chart.resources {
                for reference in resource.json.split("\"reference\":\"").skip(1) {
                    let (kind, id) = reference.split('"').next().and_then(|r| r.split_once('/')).expect("Type/id");
                    assert!(
                        chart.resources.iter().any(|r| r.kind == kind && r.id == id),
                        "{kind} in {}",
                        resource.kind
                    );
                }
            }
        }
        assert!((50..400).contains(&(resources / 50)), "{} each", resources / 50);
    }
}
