"""The wheel, as a user meets it."""

import ast
import datetime
import inspect
import json
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import ehrcore
import pytest

KEY = bytes(range(32))
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Doe"}], "birthDate": "1970-01-01"}
RESULT = (
    b'{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"<b>x</b>"},'
    b'"subject":{"reference":"Patient/p1"},"valueQuantity":{"value":1.50,"unit":"g"}}'
)


@pytest.fixture
def store(tmp_path):
    with ehrcore.create(tmp_path / "clinic.ehr", key=KEY) as store:
        yield store


@pytest.fixture
def session(store):
    with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
        yield session


def test_a_record_comes_back_as_it_was_written(session):
    assert session.write(RESULT).version == 1
    record = session.read("Observation", "o1")
    assert record.original == RESULT
    assert str(record.to_dict()["valueQuantity"]["value"]) == "1.50"
    assert session.write(record.to_dict()).version == 1  # digits and order survive the dict too


def test_a_callback_of_an_import_reads_and_is_told_that_it_cannot_write(store, session, tmp_path):
    session.write(PATIENT)
    source = tmp_path / "all.ndjson"
    line = '{{"resourceType":"Basic","id":"b{}","code":{{"text":"x"}}}}\n'
    source.write_text("".join(line.format(n) for n in range(1200)))
    codes = set()

    def progress(done, of):
        assert session.read("Patient", "p1").version == 1
        try:
            session.write(PATIENT)
        except ehrcore.Error as error:
            codes.add(error.code)

    with store.session(actor="admin", role="administrator", purpose="HOPERAT") as office:
        assert office.import_path(source, progress=progress)["stored"] == 1200
    assert codes == {"turn-held"}


def test_history_and_as_of_show_what_was(session):
    first = session.write(PATIENT)
    session.write({**PATIENT, "active": True}, if_match=1)
    assert [r.version for r in session.history("Patient", "p1")] == [2, 1]
    assert session.read("Patient", "p1", version=1).to_dict() == PATIENT
    assert session.read("Patient", "p1", as_of=first.at).version == 1
    with pytest.raises(ehrcore.Conflict):
        session.write(PATIENT, if_match=1)


def test_what_is_wrong_raises_with_a_code_and_every_finding(session):
    with pytest.raises(ehrcore.InvalidRecord) as caught:
        session.write({**PATIENT, "gender": "F", "birthDate": "soon"})
    assert caught.value.code == "record-invalid"
    assert {issue.path for issue in caught.value.issues} == {"Patient.gender", "Patient.birthDate"}
    with pytest.raises(ehrcore.NotFound):
        session.read("Patient", "p1")
    with pytest.raises(ehrcore.Error) as caught:
        list(session.search("Patient", "nothing=1"))
    assert caught.value.code == "query-invalid"


def test_a_code_says_what_it_means_and_how_to_mend_it():
    unknown = ehrcore.explain("code-unknown")
    assert unknown == ehrcore.explain(unknown.number) and unknown.sentence and unknown.mend.endswith(".")
    found = {issue.code for issue in ehrcore.validate(unknown.bad).issues}
    assert unknown.code in found and ehrcore.validate(unknown.good).valid
    assert ehrcore.explain("wrong-key").bad is None
    with pytest.raises(ehrcore.Error) as caught:
        ehrcore.explain("no-such-code")
    assert caught.value.code == "invalid-argument"


def test_roles_are_held_to_what_they_may(store, session):
    session.write(PATIENT)
    with store.session(actor="ana", role="analyst", purpose="HRESCH") as analyst:
        assert analyst.count("Patient") == 1
        with pytest.raises(ehrcore.Denied):
            analyst.read("Patient", "p1")


def test_a_chart_shows_itself_escaped(session):
    session.write(PATIENT)
    session.write(RESULT)
    chart = session.chart("p1")
    assert len(chart) == 2 and len(chart.of("Observation")) == 1
    assert "&lt;b&gt;" in chart._repr_html_() and "<b>" not in chart._repr_html_()


def test_import_and_export(store, session, tmp_path):
    source = tmp_path / "in.ndjson"
    source.write_bytes(RESULT + b"\n" + b'{"resourceType":"Patient","id":"bad","gender":"F"}\n')
    with store.session(actor="office", role="administrator", purpose="HOPERAT") as office:
        report = office.import_path(source)
        assert (report["entries"], report["stored"], report["quarantined"]) == (2, 1, 1)
        out = tmp_path / "out"
        out.mkdir()
        assert office.export(out) == 1
        assert (out / "Observation.ndjson").read_bytes() == RESULT + b"\n"
        assert office.verify()[1:] == (1, 1, 1, 0)


def test_an_entry_in_quarantine_is_mended_and_released(store, tmp_path):
    source = tmp_path / "in.ndjson"
    source.write_bytes(RESULT + b"\n" + b'{"resourceType":"Patient","id":"p1","gender":"F"}\n')
    seen = []
    with store.session(actor="office", role="administrator", purpose="HOPERAT") as office:
        office.import_path(source, progress=lambda done, of: seen.append((done, of)))
        assert seen and seen[-1][0] <= seen[-1][1] == source.stat().st_size
        assert [(line.entry, line.fate, line.reason) for line in office.ledger()] == [
            (1, "stored", None),
            (2, "quarantined", "code-unknown"),
        ]
        kept = office.quarantine()[0]
        assert kept.original.endswith(b'"gender":"F"}') and kept.issues[0].path == "Patient.gender"
        with pytest.raises(ehrcore.InvalidRecord):
            office.release(kept.number)
        assert office.release(kept.number, PATIENT) == ("Patient", "p1")
        assert office.quarantine() == []
        events = office.audit()
        assert [event.sequence for event in events] == list(range(len(events)))
        assert {"import", "release"} <= {event.event for event in events}
    with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
        origin = session.provenance("Observation", "o1")
        assert origin.source[1] == 1 and origin.source_name.endswith("in.ndjson") and origin.actor == "office"


def test_a_progress_callable_that_raises_ends_the_import(store, tmp_path):
    source = tmp_path / "in.ndjson"
    source.write_bytes(RESULT + b"\n")

    def stop(done, of):
        raise KeyboardInterrupt

    with store.session(actor="office", role="administrator", purpose="HOPERAT") as office:
        with pytest.raises(KeyboardInterrupt):
            office.import_path(source, progress=stop)
        assert office.import_path(source)["entries"] == 1


def test_a_change_set_is_all_or_nothing(session):
    done = session.change_set(PATIENT, RESULT)
    assert [(each.kind, each.version, each.changed) for each in done] == [("Patient", 1, True), ("Observation", 1, True)]
    with pytest.raises(ehrcore.InvalidRecord):
        session.change_set(("Observation", "o1"), {**PATIENT, "gender": "F"})
    assert session.read("Observation", "o1").version == 1
    with pytest.raises(ehrcore.Conflict):
        session.change_set(({**PATIENT, "active": True}, 7))
    assert session.change_set(("Observation", "o1"))[0].version == 2
    with pytest.raises(ehrcore.NotFound):
        session.read("Observation", "o1")


class Vault:
    """Key management of a test: keeps the root itself and gives a ticket for it."""

    name = "test-vault"

    def __init__(self):
        self.kept = {}
        self.down = False

    def wrap(self, context, root):
        self.kept[bytes(context)] = root
        return b"ticket"

    def unwrap(self, context, wrapped):
        if self.down or wrapped != b"ticket":
            raise ConnectionError("vault of Ms Marker is down")
        return self.kept[bytes(context)]


def test_a_store_opens_with_the_hosts_key_management(tmp_path):
    vault, path = Vault(), tmp_path / "host.ehr"
    with ehrcore.create(path, source=vault) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            session.write(PATIENT)
    with ehrcore.open(path, source=vault) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            assert session.read("Patient", "p1").to_dict() == PATIENT
    vault.down = True
    with pytest.raises(ehrcore.Error) as caught:
        ehrcore.open(path, source=vault)
    assert caught.value.code == "key-unavailable" and "Marker" not in str(caught.value)
    vault.down, vault.kept = False, {context: bytes(32) for context in vault.kept}
    with pytest.raises(ehrcore.Error) as caught:
        ehrcore.open(path, source=vault)
    assert caught.value.code == "corrupt"  # of another root the header cannot tell: it does not authenticate
    with pytest.raises(ehrcore.Error):
        ehrcore.open(path, source=vault, key=KEY)


def test_findings_make_an_operation_outcome():
    outcome = ehrcore.validate({**PATIENT, "gender": "F"}).operation_outcome()
    assert outcome["resourceType"] == "OperationOutcome" and outcome["issue"][0]["expression"] == ["Patient.gender"]
    assert ehrcore.validate(outcome).valid


def test_another_key_and_a_second_open_are_refused(store, tmp_path):
    with pytest.raises(ehrcore.Locked):
        ehrcore.open(tmp_path / "clinic.ehr", key=KEY)
    store.close()
    with pytest.raises(ehrcore.WrongKey):
        ehrcore.open(tmp_path / "clinic.ehr", key=bytes(32))
    with pytest.raises(ehrcore.Error):
        store.session(actor="x", role="nurse", purpose="TREAT")


def test_validation_needs_no_store():
    assert ehrcore.validate(PATIENT).valid
    report = ehrcore.validate({**PATIENT, "active": "yes"})
    assert not report.valid and report.issues[0].code == "element-type"
    assert "element-type" in report._repr_html_()
    with pytest.raises(ehrcore.InvalidRecord):
        ehrcore.validate(b"{")


def test_threads_share_a_session(session):
    session.write(PATIENT)
    failures = []

    def work():
        try:
            for _ in range(50):
                session.read("Patient", "p1")
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert failures == []


def test_the_stubs_name_what_is_there():
    stub = ast.parse((Path(ehrcore.__file__).parent / "__init__.pyi").read_text())
    for node in stub.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found = getattr(ehrcore, node.name)
            if isinstance(node, ast.ClassDef):
                for member in node.body:
                    if isinstance(member, ast.FunctionDef):
                        assert hasattr(found, member.name), f"{node.name}.{member.name}"
    stubbed = {n.name for n in stub.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))} | {"__version__"}
    assert set(ehrcore.__all__) == stubbed
    assert inspect.signature(ehrcore.Session.read).parameters.keys() >= {"kind", "id", "version", "as_of"}


def test_the_command_comes_with_the_wheel(tmp_path):
    file = tmp_path / "p.json"
    file.write_text('{"resourceType":"Patient","gender":"F"}')
    done = subprocess.run([sys.executable, "-m", "ehrcore", "validate", str(file)], capture_output=True, text=True)
    assert done.returncode == 1 and "code-unknown" in done.stdout


def test_times_are_aware_and_decimals_are_decimals(session):
    record = session.write(RESULT)
    assert record.at.tzinfo is datetime.timezone.utc
    assert record.to_dict()["valueQuantity"]["value"] == Decimal("1.50")


def test_xml_is_read_and_written():
    text = b'<Patient xmlns="http://hl7.org/fhir"><id value="p1"/><active value="true"/></Patient>'
    record, report = ehrcore.xml.read(text)
    assert record == {"resourceType": "Patient", "id": "p1", "active": True} and report.valid and len(report) == 0
    assert ehrcore.xml.write(record).endswith(text + b"\n")
    assert ehrcore.xml.to_json(ehrcore.xml.write(RESULT)) == RESULT
    assert not ehrcore.validate(text.replace(b"true", b"yes")).valid
    with pytest.raises(ehrcore.InvalidRecord) as caught:
        ehrcore.xml.read(b"<!DOCTYPE x><Patient/>")
    assert caught.value.code == "xml-doctype"
    with pytest.raises(ehrcore.InvalidRecord) as caught:
        ehrcore.xml.write({"resourceType": "Patient", "odd": 1})
    assert (caught.value.code, caught.value.path) == ("xml-unsayable", "Patient")


def test_a_report_becomes_a_table(monkeypatch):
    report = ehrcore.validate({"resourceType": "Patient", "gender": "<b>"})
    page = report._repr_html_()
    assert "code-unknown" in page and "<b>" not in page
    made = []
    fake = type(sys)("pandas")
    fake.DataFrame = lambda rows, columns: made.append((rows, columns)) or "a frame"
    monkeypatch.setitem(sys.modules, "pandas", fake)
    assert report.to_pandas() == "a frame"
    rows, columns = made[0]
    assert columns[:3] == ["severity", "code", "path"] and rows[0][:3] == ["error", "code-unknown", "Patient.gender"]


V3 = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"


def test_codes_are_checked_without_a_network(tmp_path):
    colours = tmp_path / "colours.json"
    colours.write_text(
        '{"resourceType":"CodeSystem","url":"http://example.org/colours","content":"complete",'
        '"concept":[{"code":"red","display":"Red"},{"code":"blue"}]}'
    )
    (tmp_path / "map.json").write_text(
        '{"resourceType":"ConceptMap","url":"http://example.org/map","group":[{"source":"http://example.org/colours",'
        '"target":"http://example.org/farben","element":[{"code":"red","target":[{"code":"rot","equivalence":"equal"}]}]}]}'
    )
    terminology = ehrcore.terminology.Terminology(tmp_path)
    check = terminology.validate_code
    assert check("red", system="http://example.org/colours", display="Blue").display_wrong
    assert check("loud", system="http://example.org/colours").outcome == "unknown"
    assert check("female", value_set="http://hl7.org/fhir/ValueSet/administrative-gender").outcome == "in"
    assert check("38341003", system="http://snomed.info/sct").outcome == "not-checked"
    assert terminology.lookup("http://example.org/colours", "red").display == "Red"
    assert terminology.lookup("http://example.org/colours", "loud") is None
    genders = terminology.expand("http://hl7.org/fhir/ValueSet/administrative-gender", count=2)
    assert (len(genders.codes), genders.total, genders.complete) == (2, 4, True)
    assert terminology.subsumes(V3, "FAMMEMB", "MTH") == "subsumes"
    assert [found.code for found in terminology.translate("http://example.org/map", "red")] == ["rot"]
    with pytest.raises(ehrcore.Error) as caught:
        terminology.expand("http://example.org/none")
    assert caught.value.code == "value-set-unknown"


def test_a_source_of_the_host_knows_more_and_may_fail(monkeypatch):
    class Source:
        def validate_code(self, value_set, system, version, code, display):
            if code == "7":
                raise ValueError("out of order")
            return code == "1" if system == "http://example.org/numbers" else None

    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda about: raised.append(about.exc_type))
    terminology = ehrcore.terminology.Terminology(source=Source())
    outcomes = [terminology.validate_code(code, system="http://example.org/numbers").outcome for code in "127"]
    assert outcomes == ["in", "unknown", "not-checked"]
    assert raised == [ValueError]


def test_an_expression_gives_types_values_and_paths(session):
    expression = ehrcore.fhirpath.compile("Observation.value | code.text | valueQuantity | 2 'mg'")
    session.write(PATIENT)
    session.write(RESULT)
    for resource in (RESULT, session.read("Observation", "o1")):
        value, text, unit = expression.evaluate(resource)
        assert (value.type, value.path) == ("Quantity", "Observation.value.ofType(Quantity)")
        assert str(value.value["value"]) == "1.50"
        assert text == ("string", "<b>x</b>", "Observation.code.text")
        assert unit == ("Quantity", {"value": 2, "unit": "mg"}, None)
    assert ehrcore.fhirpath.compile("name.given").evaluate(PATIENT) == []
    with pytest.raises(ehrcore.Error) as caught:
        ehrcore.fhirpath.compile("name.wher(true)")
    assert (caught.value.code, caught.value.column) == ("fhirpath-function", 6)
    assert not isinstance(caught.value, ehrcore.InvalidRecord)


def test_a_validator_knows_the_profiles_of_packages(tmp_path):
    profile = {
        "resourceType": "StructureDefinition", "url": "http://example.org/named", "name": "Named", "status": "active",
        "kind": "resource", "abstract": False, "type": "Patient", "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]},
    }
    (tmp_path / "named.json").write_text(json.dumps(profile))
    validator = ehrcore.Validator(packages=[tmp_path], profiles=["http://example.org/named"])
    report = validator.validate({"resourceType": "Patient"})
    assert [issue.code for issue in report.issues if issue.severity == "error"] == ["profile-min"]
    assert ehrcore.Validator().validate({"resourceType": "Patient"}).valid
    with pytest.raises(ehrcore.Error) as raised:
        ehrcore.Validator(profiles=["http://example.org/other"])
    assert raised.value.code == "profile-unknown"
