"""Policies, emergency access and care, from Python."""

import datetime

import pytest

import ehrcore

PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [{"value": "123-45"}], "name": [{"family": "Doe"}]}


@pytest.fixture
def store(tmp_path):
    with ehrcore.create(tmp_path / "clinic.ehr", key=bytes(range(32))) as store:
        with store.session(actor="dr", role="physician", purpose="TREAT") as session:
            session.write(PATIENT)
        yield store


def test_a_policy_is_checked_put_in_place_and_explained(store):
    assert ehrcore.check_policy(ehrcore.builtin_policy("standard")) == []
    broad = '{"name": "x", "permit": [{"name": "all", "roles": ["*"], "purposes": ["*"], "actions": ["*"]}]}'
    assert {finding["code"] for finding in ehrcore.check_policy(broad)} >= {"policy-broad"}
    with pytest.raises(ehrcore.Error) as raised:
        ehrcore.check_policy('{"name": "x", "permit": [{"name": "all", "roles": ["wizard"]}]}')
    assert raised.value.code == "policy-invalid"
    with store.session(actor="office", role="administrator", purpose="HOPERAT") as office:
        assert office.set_policy(ehrcore.builtin_policy("care-team")) == 1
        text, number = office.policy()
        assert (text, number) == (ehrcore.builtin_policy("care-team"), 1)
        told = office.explain("read", "Patient", "p", actor="dr", role="physician", purpose="TREAT")
        assert told["permitted"] is False and told["cause"] == "default"
        assert {"rule": "physicians-treat", "missing": ["relations"]} in told["near"]


def test_emergency_access_needs_a_reason_and_a_second_factor_and_the_host_is_told(store):
    with store.session(actor="office", role="administrator", purpose="HOPERAT") as office:
        office.set_policy(ehrcore.builtin_policy("care-team"))
    told = []
    store.on_emergency(lambda *said: told.append(said))
    with store.session(actor="dr", role="physician", purpose="TREAT", mfa=True, reference="Practitioner/dr") as session:
        with pytest.raises(ehrcore.NotFound):
            session.read("Patient", "p")
        with pytest.raises(ehrcore.Error) as raised:
            session.break_glass("p", " ")
        assert raised.value.code == "break-glass-refused"
        assert session.emergency is None
        with session.break_glass("p", "unconscious") as glass:
            until, reference = glass.emergency
            assert until > datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
            assert told == [("dr", "p", "unconscious", reference)]
            assert glass.read("Patient", "p").id == "p"
            with pytest.raises(ehrcore.Denied):
                glass.write(PATIENT)
        session.relate("p")
        assert session.read("Patient", "p").id == "p"


def test_a_caregiver_sees_less_and_only_until_the_end(store):
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    with store.session(actor="mother", role="caregiver", purpose="TREAT", patient="p") as session:
        assert b"123-45" not in session.read("Patient", "p").original
        assert list(session.search("Patient", "identifier=123-45")) == []
    with store.session(actor="mother", role="caregiver", purpose="TREAT", patient="p", until=long_ago) as session:
        with pytest.raises(ehrcore.NotFound):
            session.read("Patient", "p")
