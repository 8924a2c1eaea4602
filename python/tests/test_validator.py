"""A validator kept on disk, and a host's source of codes."""

import json

import ehrcore
import pytest

PROFILE = "http://example.org/named"
NAMED = {
    "resourceType": "StructureDefinition",
    "url": PROFILE,
    "name": "Named",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]},
}
PATIENT = {"resourceType": "Patient", "gender": "other"}


def codes(report):
    return [issue.code for issue in report.issues]


def test_a_validator_that_was_kept_says_the_same(tmp_path):
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "named.json").write_text(json.dumps(NAMED))
    first = ehrcore.Validator(packages=[folder], profiles=[PROFILE])
    first.save(tmp_path / "kept")
    second = ehrcore.Validator.load(tmp_path / "kept")
    assert codes(first.validate(PATIENT)) == codes(second.validate(PATIENT))
    assert "profile-min" in codes(second.validate(PATIENT))


def test_a_file_that_is_no_validator_is_refused(tmp_path):
    (tmp_path / "kept").write_bytes(b"something else")
    with pytest.raises(ehrcore.Error) as caught:
        ehrcore.Validator.load(tmp_path / "kept")
    assert caught.value.code == "compiled-unreadable"


class Source:
    """Knows one code of LOINC."""

    def validate_code(self, value_set, system, version, code, display):
        return code == "8480-6" if system == "http://loinc.org" else None


def test_a_source_is_asked_for_codes_that_no_package_has():
    def found(code):
        text = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        }
        return codes(ehrcore.Validator(source=Source()).validate(text))

    assert "code-not-in-system" in found("8462-4")
    assert "code-not-in-system" not in found("8480-6")
