"""Looking after a store: copies, restoring, repair, check, and the limits of calls."""

import json
import threading

import ehrcore
import pytest

KEY = bytes(range(32))


def administrator(store):
    return store.session(actor="root", role="administrator", purpose="HOPERAT")


def physician(store):
    return store.session(actor="dr-grey", role="physician", purpose="TREAT")


def record(n, text="x"):
    return {"resourceType": "Basic", "id": f"b{n}", "code": {"text": text}, "subject": {"reference": f"Patient/p{n % 3}"}}


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "clinic.ehr"
    with ehrcore.create(file, key=KEY) as store, physician(store) as session:
        for n in range(40):
            session.write(record(n))
    return file


def records(file):
    with ehrcore.open(file, key=KEY) as store, physician(store) as session:
        return {found.id: found.original for found in session.search("Basic")}


def test_a_copy_and_its_increment_give_the_store_back(file, tmp_path):
    full, step, into, seen = tmp_path / "full", tmp_path / "step", tmp_path / "into.ehr", []
    with ehrcore.open(file, key=KEY) as store, administrator(store) as office:
        assert office.backup(full, progress=lambda done, of: seen.append((done, of))).number == 0
        with physician(store) as session:
            session.write(record(1, "changed"))
        made = office.backup(step, since=full, key=KEY)
        assert made.number == 1 and made.copied < made.pages
    assert seen[-1][0] == seen[-1][1] > 0
    assert ehrcore.restore([full, step], into, key=KEY).number == 1
    assert records(into) == records(file)
    with pytest.raises(ehrcore.Error) as caught:
        ehrcore.restore([step], tmp_path / "no.ehr", key=KEY)
    assert caught.value.code == "backup-chain" and not (tmp_path / "no.ehr").exists()


def test_a_check_finds_everything_as_written(file):
    with ehrcore.open(file, key=KEY) as store, administrator(store) as office:
        report = office.check()
    assert report.sound and report.records == 40 and report.damage == ()


def test_a_damaged_page_is_taken_from_a_copy(file, tmp_path):
    good, damaged, looked_at = tmp_path / "good.ehr", tmp_path / "damaged.ehr", tmp_path / "looked-at.ehr"
    good.write_bytes(file.read_bytes())
    looked_at.write_bytes(file.read_bytes())
    whole = records(looked_at)  # to look at a copy writes to it: then it has gone further than the damaged file
    repaired = 0
    # Which slots are free differs from store to store: a bit in one of them is missed by nobody.
    for n in range(48):
        data = bytearray(file.read_bytes())
        data[len(data) * (2 * n + 1) // 96] ^= 1
        damaged.write_bytes(data)
        into = tmp_path / f"into{n}.ehr"
        done = ehrcore.repair(damaged, [good], into, actor="root", key=KEY)
        repaired += done.from_copies
        assert done.check.sound and records(into) == whole
        if repaired > 0 and n >= 5:
            break
    assert repaired > 0


def test_a_call_ends_when_it_is_cancelled_or_its_time_is_over(file, tmp_path):
    with ehrcore.open(file, key=KEY) as store, administrator(store) as office:
        token = ehrcore.Cancel()
        office.set_limits(cancel=token)
        thread = threading.Thread(target=token.cancel)
        thread.start()
        thread.join()
        with pytest.raises(ehrcore.Error) as caught:
            office.backup(tmp_path / "copy")
        assert caught.value.code == "cancelled" and token.cancelled and not (tmp_path / "copy").exists()
        office.set_limits(seconds=0.0)
        with pytest.raises(ehrcore.Error) as caught:
            office.check()
        assert caught.value.code == "deadline"
        office.set_limits()
        assert office.check().sound
        with pytest.raises(ehrcore.Error) as caught:
            office.backup(tmp_path / "copy", progress=lambda done, of: False)
        assert caught.value.code == "cancelled"


def test_what_the_progress_of_a_copy_raises_is_raised_again_and_no_file_stays(file, tmp_path):
    def stop(done, of):
        raise KeyboardInterrupt

    with ehrcore.open(file, key=KEY) as store, administrator(store) as office:
        with pytest.raises(KeyboardInterrupt):
            office.backup(tmp_path / "no.ehr", progress=stop)
    assert not (tmp_path / "no.ehr").exists()


def test_a_session_that_nobody_closed_can_go_while_an_import_tells_how_far_it_is(file, tmp_path):
    inside, going, done = threading.Event(), threading.Event(), []
    source = tmp_path / "more.ndjson"
    source.write_text("".join(json.dumps(record(n)) + "\n" for n in range(100, 110)))

    def progress(*_):
        inside.set()
        going.wait(60)

    def run(store):
        with administrator(store) as office:
            done.append(office.import_path(source, progress=progress)["stored"])

    with ehrcore.open(file, key=KEY) as store:
        forgotten = physician(store)
        forgotten.read("Basic", "b1")  # its event waits
        other = threading.Thread(target=run, args=(store,))
        other.start()
        assert inside.wait(60)
        going.set()  # the import has the turn to write and waits for the interpreter now, which this thread has
        del forgotten
        other.join()
    assert done == [10]
