"""Shredding, new keys for one patient, and the anchor."""

import os
import shutil
import threading

import ehrcore
import pytest

KEY = bytes(range(32))


def physician(store):
    return store.session(actor="dr-grey", role="physician", purpose="TREAT")


def administrator(store):
    return store.session(actor="root", role="administrator", purpose="HOPERAT")


def write(store, *ids):
    with physician(store) as session:
        for id in ids:
            session.write({"resourceType": "Patient", "id": id, "name": [{"family": "Doe"}]})


def code(call, *arguments, **named):
    with pytest.raises(ehrcore.Error) as error:
        call(*arguments, **named)
    return error.value.code


def test_a_shredded_patient_is_erased_and_the_others_stay(tmp_path):
    with ehrcore.create(tmp_path / "clinic.ehr", key=KEY) as store:
        write(store, "p1", "p2")
        with administrator(store) as session:
            assert code(session.shred, "p1", reason="") == "invalid-argument"
            assert code(session.shred_compartment, "p1", "attic", reason="asked for") == "invalid-argument"
            assert code(session.shred_compartment, "p1", "substance-use", reason="asked for") == "not-found"
            assert session.rotate_patient("p1", reason="a leak").blocks == 1
            assert session.shred("p1", reason="asked for").versions == 1
        with physician(store) as session:
            assert code(session.read, "Patient", "p1") == "erased"
            assert session.read("Patient", "p2").original.startswith(b"{")


def test_a_record_that_moved_is_named_and_goes_with_the_patient_it_belongs_to(tmp_path):
    def moved(patient):
        subject = b'{"reference":"Patient/' + patient.encode() + b'"}'
        return b'{"resourceType":"Observation","id":"m","status":"final","code":{"text":"x"},"subject":' + subject + b"}"

    with ehrcore.create(tmp_path / "clinic.ehr", key=KEY) as store:
        write(store, "p1", "p2", "p3")
        with physician(store) as session:
            for patient in ("p1", "p2", "p3"):
                session.write(moved(patient))
        with administrator(store) as session:
            done = session.shred("p1", reason="asked for")
            assert (done.versions, done.elsewhere, done.moved) == (2, 0, [("Observation", "m", 2)])
            done = session.shred("p3", reason="asked for")
            assert (done.versions, done.elsewhere, done.moved) == (2, 1, [])


def test_an_older_file_does_not_open_with_its_anchor(tmp_path):
    file, copy, note = tmp_path / "clinic.ehr", tmp_path / "copy.ehr", tmp_path / "clinic.anchor"
    with ehrcore.create(file, key=KEY, anchor=note) as store:
        assert store.security_status().rollback_protected and store.security_status().unanchored == 0
    shutil.copy(file, copy)
    with ehrcore.open(file, key=KEY, anchor=note) as store:
        write(store, "p1")
    assert code(ehrcore.open, copy, key=KEY, anchor=note) == "rolled-back"
    behind = ehrcore.compare_with_anchor(copy, key=KEY, anchor=note)
    assert behind.rolled_back and behind.file_commits < behind.anchor_commits
    level = ehrcore.compare_with_anchor(file, key=KEY, anchor=ehrcore.Anchor(note))
    assert not level.rolled_back and level.file_commits == level.anchor_commits
    assert code(ehrcore.compare_with_anchor, file, key=KEY, anchor=tmp_path / "none") == "anchor-missing"
    with ehrcore.open(copy, key=KEY) as store:
        assert not store.security_status().rollback_protected
    with ehrcore.open(copy, key=KEY, anchor=ehrcore.Anchor(note, accept_older="the disk failed")) as store:
        assert store.security_status().unanchored == 0
    assert code(ehrcore.open, file, key=KEY, anchor=note) == "rolled-back"


class Kept:
    """An anchor of one's own that can fail."""

    def __init__(self):
        self.note, self.failing = None, False

    def load(self):
        return self.note

    def store(self, note):
        if self.failing:
            raise OSError("away")
        self.note = note


def test_an_anchor_of_ones_own_is_asked_and_told(tmp_path):
    kept, file = Kept(), tmp_path / "clinic.ehr"
    with ehrcore.create(file, key=KEY, anchor=ehrcore.Anchor(kept, strict=True)) as store:
        write(store, "p1")
        assert isinstance(kept.note, bytes)
        kept.failing = True
        write(store, "p2")
        assert not store.security_status().rollback_protected
        assert code(write, store, "p3") == "anchor-unavailable"
        assert code(store.anchor_now) == "anchor-unavailable"
        kept.failing = False
        store.anchor_now()
        write(store, "p3")
    kept.note = kept.note[:-1]
    assert code(ehrcore.open, file, key=KEY, anchor=kept) == "anchor-invalid"


def test_the_status_can_be_asked_while_an_anchor_keeps_a_note(tmp_path):
    inside, going = threading.Event(), threading.Event()

    class Slow:
        note, slow = None, False

        def load(self):
            return self.note

        def store(self, note):
            self.note = note
            if self.slow:
                inside.set()
                going.wait(60)

    anchor = Slow()
    with ehrcore.create(tmp_path / "clinic.ehr", key=KEY, anchor=anchor) as store:
        anchor.slow = True
        writer = threading.Thread(target=write, args=(store, "p1"))
        writer.start()
        assert inside.wait(60)
        going.set()  # the anchor waits for the interpreter now, which this thread has
        assert store.security_status().provider
        writer.join()
        assert store.security_status().unanchored == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_says_that_nothing_protects_it_and_tells_the_anchor_nothing(tmp_path):
    told = tmp_path / "told"

    class Counting:
        note = None

        def load(self):
            return self.note

        def store(self, note):
            self.note = note
            with open(told, "a") as file:
                file.write("x")

    with ehrcore.create(tmp_path / "clinic.ehr", key=KEY, anchor=Counting()) as store:
        before = told.read_text()
        child = os.fork()
        if child == 0:
            status = store.security_status()
            store.close()
            os._exit(int(status.rollback_protected or status.unanchored is not None))
        assert os.waitpid(child, 0)[1] == 0
        assert told.read_text() == before
        assert store.security_status().rollback_protected
