"""The life of an entry, as a Python host meets it."""

import json

import ehrcore
import pytest

KEY = bytes(range(32))
PATIENT = b'{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}],"birthDate":"1970-01-01"}'


def result(value, id="o1"):
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/p1"},
        "valueString": value,
    }


@pytest.fixture
def store(tmp_path):
    with ehrcore.create(tmp_path / "clinic.ehr", key=KEY) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            session.write(PATIENT)
            session.write(result("seven"))
        yield store


def doctor(store):
    return store.session(actor="dr-grey", role="physician", purpose="TREAT")


def office(store, actor="office"):
    return store.session(actor=actor, role="administrator", purpose="HOPERAT")


def refused(code, call, *arguments, **named):
    with pytest.raises(ehrcore.Error) as caught:
        call(*arguments, **named)
    assert caught.value.code == code
    return caught.value


def test_a_change_says_why_and_a_retraction_hides_until_it_is_undone(store):
    with doctor(store) as session:
        refused("reason-required", session.amend, result("eight"), expected=1, reason="")
        done = session.amend(result("eight"), expected=1, reason="misread", on_behalf="dr-house")
        assert done == {"record": "Observation/o1", "version": 2, "changed": True}
        line = session.lineage("Observation", "o1")
        assert [one["did"] for one in line] == ["amend", "create"] and line[0]["reason"] == "misread"
        session.retract("Observation", "o1", expected=2, reason="wrong patient")
        refused("not-found", session.read, "Observation", "o1")
        assert session.read_retracted("Observation", "o1")[0]["reason"] == "wrong patient"
        assert {one["actor"] for one in session.viewers_before("Observation", "o1")} == {"dr-grey"}
        session.restore("Observation", "o1", reason="it was hers")
        assert session.read("Observation", "o1").version == 4


def test_a_hold_refuses_and_says_whom_to_ask(store):
    with office(store) as admin, doctor(store) as session:
        hold = admin.place_hold("p1", contact="legal@clinic", reason="case 12", record="Observation/o1")
        error = refused("hold", session.retract, "Observation", "o1", expected=1, reason="x")
        assert error.whom_to_ask == "legal@clinic" and "legal@clinic" not in str(error)
        admin.release_hold(hold["number"], reason="closed")
        assert admin.holds("p1")[0]["released"]["by"] == "office"
        session.delete_for("Observation", "o1", reason="entered for practice")


def test_edits_of_the_same_version_are_merged_or_parked(store):
    with doctor(store) as session:
        assert session.write_merged(result("eight"), base=1)["version"] == 2
        number = session.write_merged(result("nine"), base=1)["parked"]
        sides = session.conflict(number)
        assert json.loads(sides["mine_record"])["valueString"] == "nine" and sides["now"] == 2
        assert sides["clashes"] == ["Observation.value.ofType(string)"]
        refused("conflict", session.settle, number, choice="mine", seen=1, reason="asked")
        session.settle(number, choice="mine", seen=2, reason="asked")
        assert session.read("Observation", "o1").to_dict()["valueString"] == "nine"
        assert session.conflicts()[0]["settled"]["how"] == "mine"


def test_a_request_is_denied_and_the_statement_goes_along(store, tmp_path):
    own = store.session(actor="login", role="patient", purpose="PATRQT", patient="p1")
    with office(store) as admin, own:
        number = own.request_amendment("p1", "it was six", record="Observation/o1")["number"]
        assert admin.overdue_requests() == []
        admin.deny_amendment(number, ground="accurate-and-complete", reason="it was checked")
        own.disagree(number, "still six")
        admin.rebut(number, "seven")
        refused("request-state", own.disagree, number, "again")
        files = own.access_package("p1", versions=True, folder=tmp_path)
        assert (tmp_path / "manifest.json").read_text() == files["manifest.json"]
        assert "still six" in files["chart.json"]
        with doctor(store) as session:
            assert b"still six" in session.export_chart("p1")


def test_destroying_takes_two_people_and_leaves_a_tombstone(store):
    with office(store, "ann") as ann, office(store, "bob") as bob, doctor(store) as session:
        refused("retention-running", ann.propose_destroy, "p1", reason="end", record="Observation/o1")
        ann.set_retention({"default": {"years": 0}})
        assert ann.retention()["default"]["years"] == 0 and ann.retention_due("p1") is not None
        number = ann.propose_destroy("p1", reason="end", record="Observation/o1")["number"]
        refused("same-person", ann.approve_destroy, number, reason="end")
        assert bob.approve_destroy(number, reason="end")["state"] == "done"
        assert ann.tombstone("Observation", "o1")["approved_by"] == "bob"
        refused("destroyed", session.write, result("seven"))
        other = ann.propose_destroy("p1", reason="end")["number"]
        assert bob.withdraw_destroy(other)["state"] == "withdrawn" and len(bob.proposals()) == 2
