"""The keys of a store: ways to open it, rotation, shares, deadlines, keys kept offline; and a process that was forked."""

import os
import threading

import ehrcore
import pytest

KEY = bytes(range(32))
RECORD = b'{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}]}'


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "clinic.ehr"
    with ehrcore.create(file, key=KEY) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            session.write(RECORD)
    return file


def physician(store):
    return store.session(actor="dr-grey", role="physician", purpose="TREAT")


def administrator(store):
    return store.session(actor="root", role="administrator", purpose="HOPERAT")


def code(call, *arguments, **named):
    with pytest.raises(ehrcore.Error) as caught:
        call(*arguments, **named)
    return caught.value.code


def opens(file, key):
    with ehrcore.open(file, key=key) as store, physician(store) as session:
        return session.read("Patient", "p1").original == RECORD


def test_any_two_of_three_shares_and_the_recovery_key_open_the_store(file):
    raw = ehrcore.Key.raw(KEY)
    paper, printed = ehrcore.Key.new_recovery()
    shared, shares = ehrcore.Key.split(2, 3)
    with ehrcore.open(file, key=raw) as store, administrator(store) as session:
        session.put_key(raw, paper)
        session.put_key(paper, shared)
        assert session.keys() == ["raw", "recovery", "shares 2/3"]
        assert code(session.remove_key, raw, "nothing") == "not-found"
        session.remove_key(paper, "raw")
        assert session.key_status().revision == 4
    assert code(ehrcore.open, file, key=raw) == "wrong-key"
    assert opens(file, ehrcore.Key.recovery(printed.lower()))
    for pair in (shares[:2], shares[1:], shares[::2]):
        assert opens(file, ehrcore.Key.join(pair))
    assert code(ehrcore.Key.join, shares[:1]) == "shares-too-few"
    assert code(ehrcore.Key.join, [shares[0], ehrcore.Key.split(2, 3)[1][1]]) == "shares-mixed"
    assert code(ehrcore.Key.join, [shares[0], shares[1][:-1]]) == "share-form"
    assert shares[0] not in repr(ehrcore.Key.join(shares))


def test_a_store_says_what_protects_it(file):
    with ehrcore.open(file, key=KEY) as store:
        status = store.security_status()
    assert status.provider in ("ring", "aws-lc") and status.key_per_patient and status.pages_sealed


def test_after_another_root_old_keys_open_old_copies_only(file, tmp_path):
    old, new = ehrcore.Key.raw(KEY), ehrcore.Key.raw(bytes(32))
    copy = tmp_path / "copy.ehr"
    copy.write_bytes(file.read_bytes())
    with ehrcore.open(file, key=old) as store:
        with physician(store) as session:
            assert code(session.rotate_root, old, [new]) == "denied"
        with administrator(store) as session:
            assert session.rotate_root(old, [new]) == (2, ("raw",), ())
            assert session.rotate_patient_keys() == 1
    with ehrcore.open(file, key=new) as store, administrator(store) as session:
        session.rotate_page_key(tmp_path / "anew.ehr")
        assert code(session.keys) == "store-moved"
    assert opens(tmp_path / "anew.ehr", new)
    assert opens(file, new) and code(ehrcore.open, file, key=old) == "wrong-key"
    assert opens(copy, old) and code(ehrcore.open, copy, key=new) == "wrong-key"


class Host:
    """A key management that can be made to hang or to fail."""

    name = "host"

    def __init__(self):
        self.answer, self.fails = threading.Event(), False
        self.answer.set()

    def wrap(self, context, root):
        return bytes(byte ^ 0x5A for byte in root) + context

    def unwrap(self, context, wrapped):
        self.answer.wait()
        if self.fails:
            raise RuntimeError("out of reach")
        assert wrapped[32:] == context
        return bytes(byte ^ 0x5A for byte in wrapped[:32])


def test_a_key_management_that_hangs_is_not_waited_for_and_one_out_of_reach_is_bridged(tmp_path):
    host = Host()
    file, kept = tmp_path / "clinic.ehr", tmp_path / "kept"
    key = ehrcore.Key.host(host)
    with ehrcore.create(file, key=key) as store, physician(store) as session:
        session.write(RECORD)
    bridged = key.cached(kept, bytes(range(32)), 3600)
    assert opens(file, bridged) and opens(file, key.deadline(3600))
    host.answer.clear()
    assert code(ehrcore.open, file, key=key.deadline(0)) == "key-unavailable"
    host.answer.set()
    host.fails = True
    assert code(ehrcore.open, file, source=host) == "key-unavailable"
    assert opens(file, bridged)
    kept.unlink()
    assert code(ehrcore.open, file, key=bridged) == "key-unavailable"
    assert repr(bridged) == "<ehrcore.Key: host, kept for work offline for 3600 s>"


def test_a_key_management_that_refuses_ends_what_was_kept_for_work_offline(tmp_path):
    class Host:
        name = "host"
        raises = None

        def wrap(self, context, root):
            return bytes(byte ^ 90 for byte in root)

        def unwrap(self, context, wrapped):
            if self.raises is not None:
                raise self.raises
            return bytes(byte ^ 90 for byte in wrapped)

    host, file, kept = Host(), tmp_path / "offline.ehr", tmp_path / "kept"
    key = ehrcore.Key.host(host)
    with ehrcore.create(file, key=key) as store, physician(store) as session:
        session.write(RECORD)
    bridged = key.cached(kept, bytes(range(32)), 3600)
    assert opens(file, bridged)
    host.raises = TimeoutError("no answer")
    assert opens(file, bridged) and kept.exists()
    host.raises = ehrcore.WrongKey("revoked: key 17")
    with pytest.raises(ehrcore.WrongKey) as refused:
        ehrcore.open(file, key=bridged)
    assert refused.value.code == "wrong-key" and "17" not in str(refused.value)
    assert not kept.exists()
    host.raises = TimeoutError("no answer")
    assert code(ehrcore.open, file, key=bridged) == "key-unavailable"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("how", ["leave", "close"])
def test_a_forked_process_can_neither_read_nor_write_nor_hurt_the_store(file, how):
    store = ehrcore.open(file, key=KEY)
    session = physician(store)
    session.read("Patient", "p1")  # an event waits to be written
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            codes = [
                code(session.read, "Patient", "p1"),
                code(session.write, b'{"resourceType":"Patient","id":"p2"}'),
                code(session.chart, "p1"),
                code(store.session, actor="x", role="physician", purpose="TREAT"),
            ]
            if how == "close":
                try:
                    session.close()
                except ehrcore.Error:
                    pass
                store.close()
            failed = 0 if codes == ["forked"] * 4 else 2
        finally:
            os._exit(failed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # Another process still finds the store locked: the child did not give the lock back.
    other = os.fork()
    if other == 0:
        try:
            ehrcore.open(file, key=KEY)
        except ehrcore.Locked:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) == 0
    session.write(b'{"resourceType":"Patient","id":"p3"}')
    session.close()
    store.close()
    with ehrcore.open(file, key=KEY) as store, administrator(store) as session:
        assert session.verify()[1] == 2
        with physician(store) as reader:
            assert code(reader.read, "Patient", "p2") == "not-found"
