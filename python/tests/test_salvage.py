"""Getting out of a damaged store, with no copy of it, what is genuine still."""

import json

import pytest

import ehrcore

KEY = bytes(range(32))


def observation(n):
    return {"resourceType": "Observation", "id": f"o{n}", "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/p"}}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "clinic.ehr"
    with ehrcore.create(path, key=KEY) as store, store.session(actor="dr", role="physician", purpose="TREAT") as session:
        session.write({"resourceType": "Patient", "id": "p"})
        for n in range(20):
            session.write(observation(n))
    return path


def test_a_sound_store_comes_out_whole_as_a_store_and_as_ndjson(file, tmp_path):
    done = ehrcore.salvage(file, tmp_path / "new.ehr", actor="rescuer", key=KEY)
    assert done.whole and done.records == done.current == 21 and done.missing == ()
    with ehrcore.open(tmp_path / "new.ehr", key=KEY) as store, store.session(actor="dr", role="physician", purpose="TREAT") as session:
        assert session.read("Observation", "o7").to_dict() == observation(7)
    done = ehrcore.salvage(file, tmp_path / "all.ndjson", actor="rescuer", key=KEY, form="versions")
    lines = [json.loads(line) for line in (tmp_path / "all.ndjson").read_text().splitlines()]
    assert len(lines) == done.versions == 21 and {line["state"] for line in lines} == {"current"}


def test_of_a_damaged_store_the_ledger_adds_up(file, tmp_path):
    whole = 0
    for n in range(12):
        data = bytearray(file.read_bytes())
        data[len(data) * (2 * n + 1) // 24] ^= 1
        (tmp_path / "damaged.ehr").write_bytes(data)
        out = tmp_path / f"{n}.ndjson"
        try:
            done = ehrcore.salvage(tmp_path / "damaged.ehr", out, actor="rescuer", key=KEY, form="ndjson")
        except ehrcore.Error as error:
            assert error.code == "map-damaged" and not out.exists()
            continue
        whole += done.whole
        assert len(out.read_text().splitlines()) == done.current
        if done.records is not None:
            assert done.records == done.current + done.retracted + done.deleted + done.hidden + done.lost == 21
    assert whole < 12
