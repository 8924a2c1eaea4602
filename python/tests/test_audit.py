"""The audit log in Python: reports, exports that a program of others verifies, disclosures."""

import importlib.util
from pathlib import Path

import ehrcore
import pytest

PATIENT = b'{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}]}'
TOOL = Path(__file__).parents[2] / "core" / "tools" / "verify_audit.py"


@pytest.fixture
def store(tmp_path):
    with ehrcore.create(tmp_path / "clinic.ehr", key=b"k" * 32) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            session.write(PATIENT)
            session.read("Patient", "p1")
            list(session.search("Patient", "name=doe"))
        yield store


def office(store):
    return store.session(actor="office", role="administrator", purpose="HOPERAT")


def verifier():
    spec = importlib.util.spec_from_file_location("verify_audit", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_report_says_who_saw_a_patient(store):
    with office(store) as session:
        report = session.audit_report("patient", "p1")
        who = report.columns.index("who")
        assert {row[who] for row in report.rows[:-1]} == {"dr-grey"}
        assert report.text.startswith(report.title) and report.csv.count("\r\n") == len(report.rows) + 1
        with pytest.raises(ehrcore.NotFound):
            session.audit_report("patient", "nobody")
        with pytest.raises(ehrcore.Error):
            session.audit_report("weather")
        search = next(event for event in session.audit() if event.event == "search")
        assert search.query == "name=doe" and search.session and search.patient


def test_a_disclosure_is_accounted_for(store):
    with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
        session.disclose("p1", recipient="County registry", ground="public-health", content="measles", purpose="by law")
        session.disclose("p1", recipient="Dr. Roe", ground="treatment", content="letter")
        with pytest.raises(ehrcore.Error):
            session.disclose("p1", recipient="Dr. Roe", ground="gossip", content="letter")
    with office(store) as session:
        report = session.audit_report("disclosures", "p1")
        assert [row[2:5] for row in report.rows] == [["County registry", "measles", "by law"]]
        assert "1 disclosures on the ground of treatment are not listed" in report.notes[0]


def test_an_export_is_verified_by_a_program_that_is_not_ours(store, tmp_path):
    tool = verifier()
    held = store.audit_checkpoint()
    with office(store) as session:
        events = session.audit_export(tmp_path, since=held)
        line = session.audit_event(2)
    data = (tmp_path / "audit.ndjson").read_bytes()
    note = (tmp_path / "checkpoint.txt").read_text()
    assert tool.verify(data, note, store.audit_public_key, held) == (0, events - 1, events)
    assert b"Doe" not in data and b"doe" not in data and b'"p1"' not in data
    assert line.startswith(b'{"resourceType":"AuditEvent"') and ehrcore.validate(line).valid
    lines = data.splitlines(keepends=True)
    for forged in (b"".join(lines[:-1]), b"".join(lines[1:]), data.replace(b"dr-grey", b"dr-gray", 1), data + lines[-1]):
        with pytest.raises(tool.Broken):
            tool.verify(forged, note, store.audit_public_key, held)
    with pytest.raises(tool.Broken):
        tool.verify(data, note, bytes(32), held)


def test_the_verifier_refuses_signatures_that_do_not_fit():
    tool = verifier()
    # RFC 8032, section 7.1, test 2.
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert tool.signed(key, b"\x72", signature)
    assert not tool.signed(key, b"\x73", signature)
    assert not tool.signed(key, b"\x72", signature[:32] + (int.from_bytes(signature[32:], "little") + tool.ORDER).to_bytes(32, "little"))
