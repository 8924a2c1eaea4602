"""The wheel, as a user meets it."""

import ast
import datetime
import inspect
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
        assert office.verify()[1] == 1


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
