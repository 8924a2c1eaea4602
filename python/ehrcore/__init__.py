"""ehrcore: keep, check, find and exchange FHIR R4 health records in one encrypted file, in process.

    with ehrcore.create("clinic.ehr", key=key) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            session.write(patient)
"""

import datetime
import html
import json
import os
from decimal import Decimal

from . import _native
from ._native import Conflict, Denied, InvalidRecord, Issue, Locked, NotFound, WrongKey, __version__
from ._native import EhrError as Error

__all__ = [
    "Chart", "Conflict", "Denied", "Error", "InvalidRecord", "Issue", "Locked", "NotFound", "Record", "Report",
    "Session", "Store", "WrongKey", "__version__", "create", "open", "validate",
]  # fmt: skip

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _bytes(resource):
    """JSON bytes of bytes, text or a dict; Decimal values keep their digits."""
    if isinstance(resource, (bytes, bytearray, memoryview)):
        return bytes(resource)
    if isinstance(resource, str):
        return resource.encode()
    return _write(resource).encode()


def _write(value):
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(str(key)) + ":" + _write(item) for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    return json.dumps(value, allow_nan=False)


class Record:
    """One version of one record. It never changes."""

    __slots__ = ("_held",)

    def __init__(self, held):
        self._held = held

    @property
    def kind(self):
        return self._held.kind

    @property
    def id(self):
        return self._held.id

    @property
    def version(self):
        return self._held.version

    @property
    def deleted(self):
        return self._held.deleted

    @property
    def actor(self):
        return self._held.actor

    @property
    def at(self):
        """When this version was written, in UTC."""
        return _EPOCH + datetime.timedelta(microseconds=self._held._micros)

    @property
    def original(self):
        """The JSON exactly as it was written."""
        return self._held.original

    def to_dict(self):
        """The record as a dict; decimals are Decimal and keep their digits."""
        return json.loads(self.original, parse_float=Decimal)

    def __repr__(self):
        return f"<ehrcore.Record {self.kind}, version {self.version}>"


class Chart:
    """Every current record of one patient, in order."""

    __slots__ = ("_records",)

    def __init__(self, records):
        self._records = records

    def __iter__(self):
        return iter(self._records)

    def __len__(self):
        return len(self._records)

    def __getitem__(self, index):
        return self._records[index]

    def of(self, kind):
        """The records of one type."""
        return [record for record in self._records if record.kind == kind]

    def __repr__(self):
        return f"<ehrcore.Chart of {len(self)} records>"

    def _repr_html_(self):
        rows = []
        for record in self._records:
            data = record.to_dict()
            concept = data.get("code") or data.get("vaccineCode") or data.get("medicationCodeableConcept") or {}
            what = concept.get("text") if isinstance(concept, dict) else ""
            when = data.get("effectiveDateTime") or data.get("onsetDateTime") or data.get("occurrenceDateTime") or ""
            quantity = data.get("valueQuantity") or {}
            value = f"{quantity.get('value', '')} {quantity.get('unit', '')}"
            status = data.get("status") or ""
            for field in ("verificationStatus", "clinicalStatus"):
                for coding in (data.get(field) or {}).get("coding", ()):
                    status = coding.get("code", status)
            cells = (record.kind, when[:10], what or "", value, status if isinstance(status, str) else "")
            rows.append("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>")
        head = "<tr><th>type</th><th>date</th><th>what</th><th>value</th><th>status</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


class Report:
    """What was found in a record."""

    __slots__ = ("issues",)

    def __init__(self, issues):
        self.issues = tuple(issues)

    @property
    def valid(self):
        """Whether there is no finding of severity error or fatal."""
        return not any(issue.severity in ("fatal", "error") for issue in self.issues)

    def __repr__(self):
        return f"<ehrcore.Report of {len(self.issues)} findings>"

    def _repr_html_(self):
        rows = (
            f"<tr><td>{html.escape(i.severity)}</td><td>{html.escape(i.code)}</td><td>{html.escape(i.path)}</td>"
            f"<td>{i.line}:{i.column}</td><td>{html.escape(i.message)}</td></tr>"
            for i in self.issues
        )
        return f"<table><tbody>{''.join(rows)}</tbody></table>"


class Session:
    """One actor, one purpose: the only way to what is in a store."""

    __slots__ = ("_held",)

    def __init__(self, held):
        self._held = held

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Writes the audit events that wait and ends the session."""
        self._held.close()

    def read(self, kind, id, *, version=None, as_of=None):
        """The current version of a record, one by number, or the one that was current at an instant."""
        micros = None
        if as_of is not None:
            micros = (as_of.astimezone(datetime.timezone.utc) - _EPOCH) // datetime.timedelta(microseconds=1)
        return Record(self._held.read(kind, id, version, micros))

    def history(self, kind, id):
        """Every version of a record, newest first, deletions included."""
        return [Record(held) for held in self._held.history(kind, id)]

    def write(self, resource, *, if_match=None):
        """Writes a record (bytes, text or dict); raises InvalidRecord with the findings, and then nothing was written."""
        return Record(self._held.write(_bytes(resource), if_match))

    def delete(self, kind, id):
        """Writes a version that says the record is deleted; gives its number."""
        return self._held.delete(kind, id)

    def search(self, kind, query="", **parameters):
        """Every record that matches, page after page: search("Patient", "name=smith") or search("Patient", name="smith")."""
        from urllib.parse import quote

        pairs = [query] if query else []
        pairs += [f"{name}={quote(str(value), safe='|,:/')}" for name, value in parameters.items()]
        query, cursor = "&".join(pairs), None
        while True:
            page, cursor = self._held.search_page(kind, query, cursor)
            yield from map(Record, page)
            if cursor is None:
                return

    def count(self, kind, query=""):
        """How many records match."""
        return self._held.count(kind, query)

    def chart(self, patient):
        """Every current record of a patient."""
        return Chart([Record(held) for held in self._held.chart(patient)])

    def chart_page(self, patient):
        """A patient's chart as one HTML page that needs nothing else."""
        return self._held.chart_page(patient)

    def export_chart(self, patient):
        """A patient's chart as the bytes of a Bundle."""
        return self._held.export_chart(patient)

    def export(self, folder):
        """Everything as NDJSON, a file for each type in an existing folder; gives how many records were written."""
        return self._held.export(os.fspath(folder))

    def import_path(self, path):
        """Imports a file or folder; gives the counts. stored + unchanged + quarantined + refused == entries."""
        return self._held.import_path(os.fspath(path))

    def verify(self):
        """Verifies the audit log and every record; gives (events, records, patients)."""
        return self._held.verify()


class Store:
    """An open store."""

    __slots__ = ("_held",)

    def __init__(self, held):
        self._held = held

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def store_id(self):
        return self._held.store_id

    def session(self, *, actor, role, purpose, patient=None):
        """Begins a session. Roles: physician, nurse, caregiver, patient, analyst, administrator."""
        return Session(self._held.session(actor, role, purpose, patient))

    def close(self):
        """Closes the store when its last session is closed too."""
        self._held.close()


def create(path, *, passphrase=None, key=None):
    """Makes a new store in one new file, with a passphrase or a key of 32 bytes."""
    return Store(_native.open_store(os.fspath(path), True, passphrase, key))


def open(path, *, passphrase=None, key=None):
    """Opens a store."""
    return Store(_native.open_store(os.fspath(path), False, passphrase, key))


def validate(resource):
    """Checks the structure of one FHIR R4 resource (bytes, text or dict)."""
    return Report(_native.validate_bytes(_bytes(resource)))
