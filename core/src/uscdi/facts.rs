//! The data elements of USCDI, and where FHIR has them.

use super::Version;

pub(super) struct Fact {
    pub(super) since: Version,
    class: &'static str,
    pub(super) element: &'static str,
    /// Resource types, and what a record must have.
    pub(super) paths: &'static [(&'static str, &'static str)],
}

impl Fact {
    /// The class; one has another name from version 4 on.
    pub(super) fn class_in(&self, version: Version) -> &'static str {
        if self.class == GOALS && version >= Version::V4 { "Goals and Preferences" } else { self.class }
    }
}

const fn v3(class: &'static str, element: &'static str, paths: &'static [(&'static str, &'static str)]) -> Fact {
    Fact { since: Version::V3, class, element, paths }
}

const fn v4(class: &'static str, element: &'static str, paths: &'static [(&'static str, &'static str)]) -> Fact {
    Fact { since: Version::V4, class, element, paths }
}

/// An observation with this LOINC code and a value.
macro_rules! measured {
    ($code:literal) => {
        &[(
            "Observation",
            concat!(
                "code.coding.where(system = 'http://loinc.org' and code = '",
                $code,
                "').exists() and value.exists()"
            ),
        )]
    };
}
/// A component with this LOINC code and a value.
macro_rules! component {
    ($code:literal) => {
        &[(
            "Observation",
            concat!(
                "component.where(code.coding.where(system = 'http://loinc.org' and code = '",
                $code,
                "').exists() and value.exists()).exists()"
            ),
        )]
    };
}
/// An observation of one of these LOINC codes, separated by `|` on both sides.
macro_rules! observed {
    ($codes:literal) => {
        &[(
            "Observation",
            concat!(
                "code.coding.where(system = 'http://loinc.org' and '",
                $codes,
                "'.contains('|' + code + '|')).exists()"
            ),
        )]
    };
}
/// An observation of this category.
macro_rules! category {
    ($code:literal) => {
        &[("Observation", concat!("category.coding.where(code = '", $code, "').exists()"))]
    };
}
/// A document or report of this LOINC type.
macro_rules! note {
    ($code:literal) => {
        &[
            (
                "DocumentReference",
                concat!("type.coding.where(system = 'http://loinc.org' and code = '", $code, "').exists()"),
            ),
            (
                "DiagnosticReport",
                concat!("code.coding.where(system = 'http://loinc.org' and code = '", $code, "').exists()"),
            ),
        ]
    };
}
/// An extension of US Core.
macro_rules! core {
    ($name:literal) => {
        &[(
            "Patient",
            concat!("extension.where(url = 'http://hl7.org/fhir/us/core/StructureDefinition/", $name, "').exists()"),
        )]
    };
}

const ALLERGIES: &str = "Allergies and Intolerances";
const PLAN: &str = "Assessment and Plan of Treatment";
const TEAM: &str = "Care Team Member(s)";
const NOTES: &str = "Clinical Notes";
const TESTS: &str = "Clinical Tests";
const IMAGING: &str = "Diagnostic Imaging";
const ENCOUNTER: &str = "Encounter Information";
const FACILITY: &str = "Facility Information";
const GOALS: &str = "Goals";
const INSURANCE: &str = "Health Insurance Information";
const STATUS: &str = "Health Status Assessments";
const LABORATORY: &str = "Laboratory";
const MEDICATIONS: &str = "Medications";
const PATIENT: &str = "Patient Demographics/Information";
const PROBLEMS: &str = "Problems";
const PROCEDURES: &str = "Procedures";
const PROVENANCE: &str = "Provenance";
const VITALS: &str = "Vital Signs";

#[rustfmt::skip]
pub(super) const FACTS: &[Fact] = &[
    v3(ALLERGIES, "Substance (Medication)", &[("AllergyIntolerance", "code.exists() and (category.empty() or category contains 'medication')")]),
    v3(ALLERGIES, "Substance (Drug Class)", &[("AllergyIntolerance", "code.coding.where(system = 'http://snomed.info/sct').exists() and category contains 'medication'")]),
    v4(ALLERGIES, "Substance (Non-Medication)", &[("AllergyIntolerance", "code.exists() and (category contains 'food' or category contains 'environment')")]),
    v3(ALLERGIES, "Reaction", &[("AllergyIntolerance", "reaction.manifestation.exists()")]),
    v3(PLAN, "Assessment and Plan of Treatment", &[("CarePlan", "text.exists() or description.exists() or activity.exists()")]),
    v3(PLAN, "SDOH Assessment", &[("Observation", "category.coding.where(code = 'sdoh').exists()"), ("QuestionnaireResponse", "item.exists() and meta.tag.where(code = 'sdoh').exists()")]),
    v3(TEAM, "Care Team Member Name", &[("CareTeam", "participant.member.display.exists()"), ("Practitioner", "name.exists()")]),
    v3(TEAM, "Care Team Member Identifier", &[("Practitioner", "identifier.exists()"), ("PractitionerRole", "identifier.exists()")]),
    v3(TEAM, "Care Team Member Role", &[("CareTeam", "participant.role.exists()"), ("PractitionerRole", "code.exists()")]),
    v3(TEAM, "Care Team Member Location", &[("Practitioner", "address.exists()"), ("PractitionerRole", "location.exists()")]),
    v3(TEAM, "Care Team Member Telecom", &[("Practitioner", "telecom.exists()"), ("PractitionerRole", "telecom.exists()")]),
    v3(NOTES, "Consultation Note", note!("11488-4")),
    v3(NOTES, "Discharge Summary Note", note!("18842-5")),
    v3(NOTES, "History & Physical", note!("34117-2")),
    v3(NOTES, "Procedure Note", note!("28570-0")),
    v3(NOTES, "Progress Note", note!("11506-3")),
    v3(TESTS, "Clinical Test", &[("Observation", "category.coding.where(code = 'procedure' or code = 'exam').exists() and code.exists()")]),
    v3(TESTS, "Clinical Test Result/Report", &[("Observation", "category.coding.where(code = 'procedure' or code = 'exam').exists() and value.exists()")]),
    v3(IMAGING, "Diagnostic Imaging Test", &[("Observation", "category.coding.where(code = 'imaging').exists()"), ("DiagnosticReport", "category.coding.where(code = 'LP29684-5' or code = 'RAD').exists()")]),
    v3(IMAGING, "Diagnostic Imaging Report", &[("DiagnosticReport", "category.coding.where(code = 'LP29684-5' or code = 'RAD').exists() and (presentedForm.exists() or conclusion.exists() or result.exists())"), ("DocumentReference", "type.coding.where(code = '18748-4').exists()")]),
    v4(ENCOUNTER, "Encounter Identifier", &[("Encounter", "identifier.exists()")]),
    v3(ENCOUNTER, "Encounter Type", &[("Encounter", "type.exists()")]),
    v3(ENCOUNTER, "Encounter Diagnosis", &[("Encounter", "diagnosis.exists() or reasonCode.exists() or reasonReference.exists()"), ("Condition", "category.coding.where(code = 'encounter-diagnosis').exists()")]),
    v3(ENCOUNTER, "Encounter Time", &[("Encounter", "period.exists()")]),
    v3(ENCOUNTER, "Encounter Location", &[("Encounter", "location.location.exists()")]),
    v3(ENCOUNTER, "Encounter Disposition", &[("Encounter", "hospitalization.dischargeDisposition.exists()")]),
    v4(FACILITY, "Facility Identifier", &[("Location", "identifier.exists()")]),
    v4(FACILITY, "Facility Type", &[("Location", "type.exists()")]),
    v4(FACILITY, "Facility Name", &[("Location", "name.exists()")]),
    v3(GOALS, "Patient Goals", &[("Goal", "description.exists()")]),
    v3(GOALS, "SDOH Goals", &[("Goal", "category.coding.where(code = 'sdoh').exists()")]),
    v4(GOALS, "Treatment Intervention Preference", observed!("|75773-2|")),
    v4(GOALS, "Care Experience Preference", observed!("|95541-9|")),
    v3(INSURANCE, "Coverage Status", &[("Coverage", "status.exists()")]),
    v3(INSURANCE, "Coverage Type", &[("Coverage", "type.exists()")]),
    v3(INSURANCE, "Relationship to Subscriber", &[("Coverage", "relationship.exists()")]),
    v3(INSURANCE, "Member Identifier", &[("Coverage", "identifier.exists()")]),
    v3(INSURANCE, "Subscriber Identifier", &[("Coverage", "subscriberId.exists()")]),
    v3(INSURANCE, "Group Identifier", &[("Coverage", "class.where(type.coding.where(code = 'group').exists()).exists()")]),
    v3(INSURANCE, "Payer Identifier", &[("Coverage", "payor.exists()")]),
    v3(STATUS, "Health Concerns", &[("Condition", "category.coding.where(code = 'health-concern').exists()")]),
    v3(STATUS, "Functional Status", category!("functional-status")),
    v3(STATUS, "Disability Status", category!("disability-status")),
    v3(STATUS, "Mental/Cognitive Status", category!("cognitive-status")),
    v3(STATUS, "Pregnancy Status", observed!("|82810-3|")),
    v3(STATUS, "Smoking Status", observed!("|72166-2|11367-0|")),
    v4(STATUS, "Alcohol Use", observed!("|11331-6|68518-0|68519-8|68520-6|72109-2|75626-2|")),
    v4(STATUS, "Substance Use", observed!("|82666-9|96842-0|74204-9|")),
    v4(STATUS, "Physical Activity", observed!("|89555-7|68516-4|82290-8|")),
    v3("Immunizations", "Immunizations", &[("Immunization", "vaccineCode.exists()")]),
    v3(LABORATORY, "Tests", &[("Observation", "category.coding.where(code = 'laboratory').exists() and code.exists()"), ("DiagnosticReport", "category.coding.where(code = 'LAB').exists() and code.exists()")]),
    v3(LABORATORY, "Values/Results", &[("Observation", "category.coding.where(code = 'laboratory').exists() and (value.exists() or component.value.exists())")]),
    v3(LABORATORY, "Specimen Type", &[("Specimen", "type.exists()"), ("Observation", "category.coding.where(code = 'laboratory').exists() and specimen.exists()")]),
    v3(LABORATORY, "Result Status", &[("Observation", "category.coding.where(code = 'laboratory').exists() and status.exists()")]),
    v4(LABORATORY, "Result Unit of Measure", &[("Observation", "category.coding.where(code = 'laboratory').exists() and value.ofType(Quantity).unit.exists()")]),
    v4(LABORATORY, "Result Reference Range", &[("Observation", "category.coding.where(code = 'laboratory').exists() and referenceRange.exists()")]),
    v4(LABORATORY, "Result Interpretation", &[("Observation", "category.coding.where(code = 'laboratory').exists() and interpretation.exists()")]),
    v4(LABORATORY, "Specimen Source Site", &[("Specimen", "collection.bodySite.exists()")]),
    v4(LABORATORY, "Specimen Identifier", &[("Specimen", "identifier.exists() or accessionIdentifier.exists()")]),
    v4(LABORATORY, "Specimen Condition Acceptability", &[("Specimen", "condition.exists()")]),
    v3(MEDICATIONS, "Medications", &[("MedicationRequest", "medication.exists()"), ("MedicationStatement", "medication.exists()")]),
    v3(MEDICATIONS, "Dose", &[("MedicationRequest", "dosageInstruction.doseAndRate.dose.exists()"), ("MedicationStatement", "dosage.doseAndRate.dose.exists()"), ("MedicationDispense", "dosageInstruction.doseAndRate.dose.exists()")]),
    v3(MEDICATIONS, "Dose Unit of Measure", &[("MedicationRequest", "dosageInstruction.doseAndRate.dose.ofType(Quantity).unit.exists()"), ("MedicationStatement", "dosage.doseAndRate.dose.ofType(Quantity).unit.exists()"), ("MedicationDispense", "dosageInstruction.doseAndRate.dose.ofType(Quantity).unit.exists()")]),
    v3(MEDICATIONS, "Indication", &[("MedicationRequest", "reasonCode.exists() or reasonReference.exists()"), ("MedicationStatement", "reasonCode.exists() or reasonReference.exists()")]),
    v3(MEDICATIONS, "Fill Status", &[("MedicationDispense", "status.exists()")]),
    v4(MEDICATIONS, "Medication Instructions", &[("MedicationRequest", "dosageInstruction.text.exists() or dosageInstruction.patientInstruction.exists()")]),
    v4(MEDICATIONS, "Medication Adherence", &[("MedicationRequest", "extension.where(url = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-medication-adherence').exists()"), ("MedicationStatement", "extension.where(url = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-medication-adherence').exists()")]),
    v3(PATIENT, "First Name", &[("Patient", "name.where(given.exists()).exists()")]),
    v3(PATIENT, "Last Name", &[("Patient", "name.family.exists()")]),
    v3(PATIENT, "Middle Name", &[("Patient", "name.where(given.count() > 1).exists()")]),
    v3(PATIENT, "Name Suffix", &[("Patient", "name.suffix.exists()")]),
    v3(PATIENT, "Previous Name", &[("Patient", "name.where(use = 'old' or period.end.exists()).exists()")]),
    v3(PATIENT, "Date of Birth", &[("Patient", "birthDate.exists()")]),
    v3(PATIENT, "Date of Death", &[("Patient", "deceased.ofType(dateTime).exists()")]),
    v3(PATIENT, "Race", core!("us-core-race")),
    v3(PATIENT, "Ethnicity", core!("us-core-ethnicity")),
    v3(PATIENT, "Tribal Affiliation", core!("us-core-tribal-affiliation")),
    v3(PATIENT, "Sex", &[("Patient", "gender.exists() or extension.where(url = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-sex' or url = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex').exists()")]),
    v3(PATIENT, "Sexual Orientation", observed!("|76690-7|")),
    v3(PATIENT, "Gender Identity", core!("us-core-genderIdentity")),
    v3(PATIENT, "Preferred Language", &[("Patient", "communication.language.exists()")]),
    v3(PATIENT, "Current Address", &[("Patient", "address.where((use.empty() or use != 'old') and period.end.empty()).exists()")]),
    v3(PATIENT, "Previous Address", &[("Patient", "address.where(use = 'old' or period.end.exists()).exists()")]),
    v3(PATIENT, "Phone Number", &[("Patient", "telecom.where(system = 'phone' and value.exists()).exists()")]),
    v3(PATIENT, "Phone Number Type", &[("Patient", "telecom.where(system = 'phone' and use.exists()).exists()")]),
    v3(PATIENT, "Email Address", &[("Patient", "telecom.where(system = 'email' and value.exists()).exists()")]),
    v3(PATIENT, "Related Person's Name", &[("RelatedPerson", "name.exists()"), ("Patient", "contact.name.exists()")]),
    v3(PATIENT, "Related Person's Relationship", &[("RelatedPerson", "relationship.exists()"), ("Patient", "contact.relationship.exists()")]),
    v3(PATIENT, "Occupation", measured!("11341-5")),
    v3(PATIENT, "Occupation Industry", component!("86188-0")),
    v3(PROBLEMS, "Problems", &[("Condition", "category.coding.where(code = 'problem-list-item').exists() and code.exists()")]),
    v3(PROBLEMS, "SDOH Problems/Health Concerns", &[("Condition", "category.coding.where(code = 'sdoh').exists()")]),
    v3(PROBLEMS, "Date of Diagnosis", &[("Condition", "recordedDate.exists() or extension.where(url = 'http://hl7.org/fhir/StructureDefinition/condition-assertedDate').exists()")]),
    v3(PROBLEMS, "Date of Resolution", &[("Condition", "abatement.exists()")]),
    v3(PROCEDURES, "Procedures", &[("Procedure", "code.exists()")]),
    v4(PROCEDURES, "Performance Time", &[("Procedure", "performed.exists()")]),
    v3(PROCEDURES, "SDOH Interventions", &[("Procedure", "category.coding.where(code = 'sdoh').exists()"), ("ServiceRequest", "category.coding.where(code = 'sdoh').exists()")]),
    v3(PROCEDURES, "Reason for Referral", &[("ServiceRequest", "reasonCode.exists() or reasonReference.exists()"), ("Procedure", "reasonCode.exists() or reasonReference.exists()")]),
    v3(PROVENANCE, "Author Organization", &[("Provenance", "agent.onBehalfOf.exists()")]),
    v3(PROVENANCE, "Author Time Stamp", &[("Provenance", "recorded.exists()")]),
    v3("Unique Device Identifier(s) for a Patient's Implantable Device(s)", "Unique Device Identifier(s) for a Patient's Implantable Device(s)", &[("Device", "udiCarrier.exists()")]),
    v3(VITALS, "Systolic Blood Pressure", component!("8480-6")),
    v3(VITALS, "Diastolic Blood Pressure", component!("8462-4")),
    v4(VITALS, "Average Blood Pressure", observed!("|96607-7|")),
    v3(VITALS, "Heart Rate", measured!("8867-4")),
    v3(VITALS, "Respiratory Rate", measured!("9279-1")),
    v3(VITALS, "Body Temperature", measured!("8310-5")),
    v3(VITALS, "Body Height", measured!("8302-2")),
    v3(VITALS, "Body Weight", measured!("29463-7")),
    v3(VITALS, "Pulse Oximetry", observed!("|2708-6|59408-5|")),
    v3(VITALS, "Inhaled Oxygen Concentration", component!("3150-6")),
    v3(VITALS, "BMI Percentile (2 - 20 years)", measured!("59576-9")),
    v3(VITALS, "Weight-for-length Percentile (Birth - 24 Months)", measured!("77606-2")),
    v3(VITALS, "Head Occipital-frontal Circumference Percentile (Birth - 36 Months)", measured!("8289-1")),
];
