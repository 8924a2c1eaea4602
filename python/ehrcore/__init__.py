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
from typing import NamedTuple, Optional, Protocol

from . import _native
from ._native import Cancel, Conflict, Denied, InvalidRecord, Issue, Key, Locked, NotFound, WrongKey, __version__
from ._native import EhrError as Error

__all__ = [
    "AuditEvent", "AuditReport", "Cancel", "Chart", "CheckReport", "Copied", "Damage", "Explanation", "Repaired", "Salvaged", "repair", "salvage", "restore", "Conflict", "Denied", "Error", "InvalidRecord", "Issue", "Key", "KeySource", "KeyStatus", "LedgerLine", "Locked",
    "NotFound", "Origin", "Quarantined", "Record", "Report", "Rotated", "SecurityStatus", "Session", "Store", "Anchor", "AnchorReport", "Verified", "compare_with_anchor", "Renewed", "Shredded", "Validator", "WrongKey", "Written", "__version__", "builtin_policy", "check_policy", "create", "explain", "open", "validate",
]  # fmt: skip

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _when(micros):
    return _EPOCH + datetime.timedelta(microseconds=micros)


def _micros(when):
    return (when.astimezone(datetime.timezone.utc) - _EPOCH) // datetime.timedelta(microseconds=1)


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
        return _when(self._held._micros)

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


class Written(NamedTuple):
    """What one write of a change set did; `changed` is False where the bytes were the same."""

    kind: str
    id: str
    version: int
    changed: bool


class Explanation(NamedTuple):
    """What a code means and how to mend it; `setting`, `bad` and `good` are an example, None where the code is about no text."""

    code: str
    number: int
    sentence: str
    mend: str
    setting: Optional[str]
    bad: Optional[bytes]
    good: Optional[bytes]


class Origin(NamedTuple):
    """Where a version comes from; `source` is (source, entry) of an import, None for a direct write."""

    actor: str
    at: datetime.datetime
    commit: int
    source: Optional[tuple]
    source_name: Optional[str]


class LedgerLine(NamedTuple):
    """What became of one entry of an import: stored, unchanged, quarantined or refused, and why."""

    source: int
    entry: int
    offset: int
    fate: str
    reason: Optional[str]
    kind: Optional[str]
    id: str
    version: int
    id_assigned: bool


class AuditEvent(NamedTuple):
    """One event of the audit log: who, what, when, why, with what outcome; no content of any record."""

    sequence: int
    at: datetime.datetime
    event: str
    outcome: str
    actor: str
    role: Optional[str]
    purpose: Optional[str]
    kind: Optional[str]
    id: str
    version: int
    count: int
    session: int
    patient: int
    break_glass: int
    on_behalf_of: str
    client: str
    device: str
    recipient: str
    reason: str
    query: str
    patients: list
    change_set: int
    policy: int
    rule: int
    labels: str
    compartment: Optional[str]


class AuditReport(NamedTuple):
    """A report on the audit log: lines under columns, and what the lines do not say; the same as text and as CSV."""

    title: str
    columns: list
    rows: list
    notes: list
    text: str
    csv: str


class KeyStatus(NamedTuple):
    """The ways to open a store by name, and how often its root and all of them were changed."""

    names: tuple
    root_epoch: int
    revision: int


class Copied(NamedTuple):
    """What a copy took: pages of the store, pages copied, and its number in the chain (0 for a full copy)."""

    pages: int
    copied: int
    number: int


class Damage(NamedTuple):
    """A place that is not as it was left: what it is, the number of the patient (or None), the number of the row or slot."""

    what: str
    patient: Optional[int]
    row: int


class CheckReport(NamedTuple):
    """What a check looked at; `found` places are not as they were left, the first thousand of them in `damage`."""

    patients: int
    records: int
    versions: int
    events: int
    entries: int
    found: int
    damage: tuple

    @property
    def sound(self):
        return self.found == 0

    @classmethod
    def _of(cls, row):
        return cls(*row[:6], tuple(Damage(*one) for one in row[6]))


class Repaired(NamedTuple):
    """What a repair did: pages that came from copies, whether a copy took the place of the whole file, and the check of what came out."""

    from_copies: int
    whole_copy: bool
    check: CheckReport


class Salvaged(NamedTuple):
    """What was got out of a damaged store.

    `records` is current + retracted + deleted + hidden + lost, and `blocks` is opened + blocks_lost, where they are known (else None).
    Hidden are records of which a later version is lost, or may be; they are not given as current. `incomplete` names the tables of which
    pages are lost; `missing` says what is missing by the numbers of patients and rows: a Damage with `what` key, block, newest or record.
    """

    pages: int
    pages_lost: int
    records: int
    current: int
    retracted: int
    deleted: int
    hidden: int
    lost: int
    versions: int
    blocks: int
    opened: int
    blocks_lost: int
    written: int
    incomplete: tuple
    missing: tuple
    whole: bool


class Rotated(NamedTuple):
    """What a rotation of the root did; `dropped` are the ways whose keys were not given: they open the store no more."""

    root_epoch: int
    names: tuple
    dropped: tuple


class Quarantined:
    """An entry of an import kept aside, word for word, with its findings."""

    __slots__ = ("entry", "issues", "number", "original", "source")

    def __init__(self, number, source, entry, issues, original):
        self.number, self.source, self.entry, self.original = number, source, entry, original
        self.issues = tuple(issues)

    def __repr__(self):
        return f"<ehrcore.Quarantined {self.number}, {len(self.issues)} findings>"


class Report:
    """What was found in a record."""

    __slots__ = ("issues",)

    def __init__(self, issues):
        self.issues = tuple(issues)

    @property
    def valid(self):
        """Whether there is no finding of severity error or fatal."""
        return not any(issue.severity in ("fatal", "error") for issue in self.issues)

    def operation_outcome(self):
        """The findings as FHIR's OperationOutcome, a dict."""
        return json.loads(_native.operation_outcome(list(self.issues)))

    def to_pandas(self):
        """The findings as a pandas DataFrame, a row each. Needs pandas, which is only imported here."""
        import pandas

        names = ["severity", "code", "path", "line", "column", "message", "rule", "profile"]
        return pandas.DataFrame([[getattr(issue, name) for name in names] for issue in self.issues], columns=names)

    def __iter__(self):
        return iter(self.issues)

    def __len__(self):
        return len(self.issues)

    def __bool__(self):
        return True

    def __repr__(self):
        return f"<ehrcore.Report of {len(self.issues)} findings>"

    def _repr_html_(self):
        rows = []
        for issue in self.issues:
            place = f"{issue.line}:{issue.column}" if issue.line else ""
            rule = " ".join(part for part in (issue.rule, issue.profile) if part)
            cells = (issue.severity, issue.code, issue.path, place, issue.message, rule)
            rows.append("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>")
        head = "<tr><th>severity</th><th>code</th><th>element</th><th>line</th><th>what</th><th>rule</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _said(
    *,
    patient=None,
    reference=None,
    organization=None,
    device=None,
    client=None,
    on_behalf_of=None,
    until=None,
    mfa=False,
    clearance=(),
):
    micros = None
    if until is not None:
        micros = (until.astimezone(datetime.timezone.utc) - _EPOCH) // datetime.timedelta(microseconds=1)
    return (patient, reference, organization, device, client, on_behalf_of, micros, mfa, list(clearance))


def explain(code):
    """What a code of an error or finding means and how to mend it, by name or number: `explain("code-unknown").mend`."""
    code, number, sentence, mend, example = _native.explain_code(str(code))
    return Explanation(code, number, sentence, mend, *(example or (None, None, None)))


def check_policy(text):
    """Looks a policy (TOML or JSON) over: a list of dicts of `code`, `place` and `message`; raises where it cannot be read."""
    return json.loads(_native.policy_check(text))


def builtin_policy(name):
    """The text of a policy that comes with the library: "standard" or "care-team"."""
    text = _native.policy_text(name)
    if text is None:
        raise KeyError(name)
    return text


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
            micros = _micros(as_of)
        return Record(self._held.read(kind, id, version, micros))

    def policy(self):
        """The policy in force, as its text, and how many were put in place before it."""
        return _native.policy(self._held)

    def set_policy(self, text):
        """Puts a policy (TOML or JSON) in place for every session from its next call on; gives its number."""
        return _native.set_policy(self._held, text)

    def explain(self, action, kind=None, id=None, *, actor, role, purpose, **said):
        """What an actor would be told, and why: a dict of `permitted`, `cause`, `rule`, `near`. See `Store.session` for the actor."""
        record = None if kind is None else (kind, id)
        return json.loads(_native.explain(self._held, actor, role, purpose, action, record, _said(**said)))

    def break_glass(self, patient, reason):
        """Emergency access to one patient, to look, for 30 minutes: on record, with its reason, when this returns."""
        return Session(_native.break_glass(self._held, patient, reason))

    @property
    def emergency(self):
        """Until when emergency access lasts, and the reference of its events; None for any other session."""
        found = _native.emergency(self._held)
        return None if found is None else (_EPOCH + datetime.timedelta(microseconds=found[0]), found[1])

    def relate(self, patient):
        """Says that the actor takes care of a patient, for as long as the session is open; it is recorded."""
        _native.relate(self._held, patient)

    def history(self, kind, id):
        """Every version of a record, newest first, deletions included."""
        return [Record(held) for held in self._held.history(kind, id)]

    def write(self, resource, *, if_match=None):
        """Writes a record (bytes, text or dict); raises InvalidRecord with the findings, and then nothing was written."""
        return Record(self._held.write(_bytes(resource), if_match))

    def delete(self, kind, id):
        """Writes a version that says the record is deleted; gives its number."""
        return self._held.delete(kind, id)

    def change_set(self, *writes):
        """Writes and deletions as one: all of them or none. Each is a record, a pair (record, version it must have), or a
        deletion as a pair of texts ("Observation", "o1")."""
        lines = []
        for write in writes:
            if isinstance(write, tuple) and isinstance(write[1], str):
                lines.append((None, None, write))
            elif isinstance(write, tuple):
                lines.append((_bytes(write[0]), write[1], None))
            else:
                lines.append((_bytes(write), None, None))
        return [Written(*line) for line in self._held.change_set(lines)]

    def provenance(self, kind, id, version=0):
        """Who wrote a version (0: the current one), when, and from which entry of which import source."""
        actor, micros, commit, source, name = self._held.provenance(kind, id, version)
        return Origin(actor, _when(micros), commit, source, name)

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

    def import_path(self, path, *, progress=None):
        """Imports a file or folder; gives the counts. stored + unchanged + quarantined + refused == entries.

        `progress(done, of)` is called with bytes as they are read; what it raises ends the import, and batches that were
        committed stay.
        """
        return self._held.import_path(os.fspath(path), progress)

    def ledger(self):
        """What became of every entry of every import, in order."""
        return [LedgerLine(*line) for line in self._held.ledger()]

    def quarantine(self):
        """The entries kept aside."""
        return [Quarantined(*kept) for kept in self._held.quarantine()]

    def release(self, number, mended=None):
        """Stores a quarantined entry, mended or as it was kept, and takes it out of quarantine; gives (kind, id)."""
        return self._held.release(number, None if mended is None else _bytes(mended))

    def audit(self, start=0, count=1000):
        """Events of the audit log from number `start` on."""
        events = self._held.audit(start, count)
        return [AuditEvent(at=_when(event.pop("micros")), **event) for event in events]

    def audit_report(self, about, whom=""):
        """A report: `about` is "patient", "user", "emergencies" or "disclosures", `whom` the patient's id or the user."""
        lines, text, csv = _native.audit_report(self._held, about, whom)
        return AuditReport(*lines, text, csv)

    def audit_export(self, folder, start=0, *, since=None):
        """Writes audit.ndjson (FHIR AuditEvents with proofs) and checkpoint.txt to an existing folder, and consistency.txt where
        `since` is a checkpoint kept outside; gives how many events there are. verify_audit.py checks them."""
        return _native.audit_export(self._held, os.fspath(folder), start, since)[0]

    def audit_event(self, sequence):
        """The bytes of one event as a FHIR AuditEvent, with what proves it."""
        return _native.audit_event(self._held, sequence)

    def disclose(self, patient, *, recipient, ground, content, purpose=""):
        """Records that a patient's records were given to somebody outside, for the accounting of disclosures; before they are.

        `ground` is that of 45 CFR 164.502 to 164.514, such as "public-health", "judicial" or "treatment".
        """
        _native.disclose(self._held, patient, recipient, ground, content, purpose)

    def keys(self):
        """The names of the ways to open the store."""
        return list(self.key_status().names)

    def key_status(self):
        """The ways to open the store, and how often its keys were rotated."""
        names, root_epoch, revision = _native.key_status(self._held)
        return KeyStatus(tuple(names), root_epoch, revision)

    def put_key(self, current, added):
        """Adds a way to open the store, or puts another in place of the one of the same name. `current` opens it now."""
        _native.put_key(self._held, current, added)

    def remove_key(self, current, name):
        """Takes a way to open the store away. `current` opens it now; the last way stays."""
        _native.remove_key(self._held, current, name)

    def rotate_root(self, current, sources):
        """Makes another root: from then on exactly the keys in `sources` open the store, and old copies only with their own."""
        root_epoch, names, dropped = _native.rotate_root(self._held, current, list(sources))
        return Rotated(root_epoch, tuple(names), tuple(dropped))

    def shred(self, patient, *, reason):
        """Makes the whole chart of a patient unreadable for ever; gives a Shredded."""
        return Shredded(*_native.shred(self._held, patient, reason, None))

    def shred_compartment(self, patient, compartment, *, reason):
        """As `shred`, for "normal", "substance-use" or "psychotherapy-notes"; the others stay whole."""
        return Shredded(*_native.shred(self._held, patient, reason, compartment))

    def rotate_patient(self, patient, *, reason):
        """Gives a patient new keys and seals every record under them; gives a Renewed."""
        return Renewed(*_native.rotate_patient(self._held, patient, reason))

    def rotate_patient_keys(self):
        """Wraps the keys of all patients under a new key and destroys the one before; gives how many there were."""
        return _native.rotate_patient_keys(self._held)

    def rotate_page_key(self, to):
        """Writes the whole store anew into the file `to` under another page key; from then on that file is the store."""
        _native.rotate_page_key(self._held, os.fspath(to))

    def set_limits(self, *, seconds=None, memory=None, cancel=None):
        """How long each call may take from now on, how many bytes of records it may hold, and a Cancel that ends it from another thread.

        Calls end with the errors `deadline`, `limit-memory` or `cancelled` and leave nothing half done.
        """
        _native.set_limits(self._held, seconds, memory, cancel)

    def backup(self, path, *, since=None, key=None, passphrase=None, source=None, progress=None):
        """Copies the store to a new file while others read and write; gives a Copied. With `since`, an earlier copy that the key opens: only
        what is new since. `progress(done, of)` is told of pages; it cancels by giving False, or by raising, and then
        that is raised again.
        """
        earlier = None if since is None else (os.fspath(since), _key(passphrase, key, source))
        return Copied(*_native.backup(self._held, os.fspath(path), earlier, progress))

    def check(self):
        """Looks at everything: every byte of the file, every record, every index, the audit log; gives a CheckReport."""
        return CheckReport._of(_native.check(self._held))

    def amend(self, record, *, expected, reason, on_behalf=None, authored=None):
        """Writes a version that says something else than the one before."""
        return self._lifecycle("amend", _bytes(record), expected=expected, reason=reason, on_behalf=on_behalf, authored=None if authored is None else _micros(authored))

    def correct(self, record, *, expected, reason, on_behalf=None, authored=None):
        """Writes a version that mends what was wrong in the one before."""
        return self._lifecycle("correct", _bytes(record), expected=expected, reason=reason, on_behalf=on_behalf, authored=None if authored is None else _micros(authored))

    def augment(self, record, *, expected, reason, on_behalf=None, authored=None):
        """Writes a version that adds to the one before."""
        return self._lifecycle("augment", _bytes(record), expected=expected, reason=reason, on_behalf=on_behalf, authored=None if authored is None else _micros(authored))

    def retract(self, kind, id, *, expected, reason, on_behalf=None):
        """Hides a record that should not have been made."""
        return self._lifecycle("retract", b"", record=f"{kind}/{id}", expected=expected, reason=reason, on_behalf=on_behalf)

    def restore(self, kind, id, *, reason, on_behalf=None):
        """Undoes a retraction."""
        return self._lifecycle("restore", b"", record=f"{kind}/{id}", reason=reason, on_behalf=on_behalf)

    def delete_for(self, kind, id, *, reason, on_behalf=None):
        """Deletes a record, with the reason."""
        return self._lifecycle("delete_for", b"", record=f"{kind}/{id}", reason=reason, on_behalf=on_behalf)

    def read_retracted(self, kind, id):
        """Every version of a record that is retracted, newest first."""
        return self._lifecycle("read_retracted", b"", record=f"{kind}/{id}")

    def viewers_before(self, kind, id):
        """Who had been shown a record, before it was retracted where it is."""
        return self._lifecycle("viewers_before", b"", record=f"{kind}/{id}")

    def lineage(self, kind, id):
        """Where the current version comes from: every version with what made it and why."""
        return self._lifecycle("lineage", b"", record=f"{kind}/{id}")

    def require_reason(self, required=True):
        """Whether every further version has to say its reason from now on."""
        return self._lifecycle("require_reason", b"", required=required)

    def place_hold(self, patient, *, contact, reason, record=None):
        """Puts a chart or one record on legal hold."""
        return self._lifecycle("place_hold", b"", patient=patient, contact=contact, reason=reason, record=record)

    def release_hold(self, number, *, reason):
        """Releases a hold."""
        return self._lifecycle("release_hold", b"", number=number, reason=reason)

    def holds(self, patient=None):
        """The holds, those that were released too."""
        return self._lifecycle("holds", b"", patient=patient)

    def write_merged(self, record, *, base):
        """Writes an edit made from version base, merged with what was written since, or parks it."""
        return self._lifecycle("write_merged", _bytes(record), base=base)

    def conflicts(self, patient=None):
        """The conflicts, those that were settled too."""
        return self._lifecycle("conflicts", b"", patient=patient)

    def conflict(self, number):
        """Both sides of a conflict and what is current now."""
        return self._lifecycle("conflict", b"", number=number)

    def settle(self, number, *, choice, seen, reason, record=None):
        """Settles a conflict."""
        return self._lifecycle("settle", b"" if record is None else _bytes(record), number=number, choice=choice, seen=seen, reason=reason)

    def request_amendment(self, patient, text, *, record=None):
        """A patient asks that an entry be amended."""
        return self._lifecycle("request_amendment", b"", patient=patient, text=text, record=record)

    def request_access(self, patient, text):
        """A patient asks for all that is kept about them."""
        return self._lifecycle("request_access", b"", patient=patient, text=text)

    def requests(self, patient=None):
        """The requests of a patient, or all."""
        return self._lifecycle("requests", b"", patient=patient)

    def overdue_requests(self):
        """The requests whose term is over."""
        return self._lifecycle("overdue_requests", b"")

    def extend_request(self, number, *, reason):
        """Extends the term of a request by 30 days, once."""
        return self._lifecycle("extend_request", b"", number=number, reason=reason)

    def accept_amendment(self, number, *, reason, record=None, expected=None):
        """Accepts an amendment."""
        return self._lifecycle("accept_amendment", b"" if record is None else _bytes(record), number=number, reason=reason, expected=expected)

    def deny_amendment(self, number, *, ground, reason):
        """Denies an amendment."""
        return self._lifecycle("deny_amendment", b"", number=number, ground=ground, reason=reason)

    def disagree(self, number, text):
        """The patient's statement of disagreement."""
        return self._lifecycle("disagree", b"", number=number, text=text)

    def rebut(self, number, text):
        """The answer to a statement of disagreement."""
        return self._lifecycle("rebut", b"", number=number, text=text)

    def fulfil_access(self, number, *, reason):
        """Says that a request for access was met."""
        return self._lifecycle("fulfil_access", b"", number=number, reason=reason)

    def access_package(self, patient, *, versions=False, folder=None):
        """All that is kept about a patient, as files by name."""
        return self._lifecycle("access_package", b"", patient=patient, versions=versions, folder=None if folder is None else os.fspath(folder))

    def set_retention(self, rules):
        """Sets how long entries are kept: the rules as JSON in place of a record."""
        return self._lifecycle("set_retention", _bytes(rules))

    def retention(self):
        """How long entries are kept."""
        return self._lifecycle("retention", b"")

    def retention_due(self, patient, *, record=None):
        """From when on a record or a chart may be destroyed; null: never, as things are."""
        return self._lifecycle("retention_due", b"", patient=patient, record=record)

    def propose_destroy(self, patient, *, reason, record=None):
        """Proposes to destroy a record or a chart."""
        return self._lifecycle("propose_destroy", b"", patient=patient, reason=reason, record=record)

    def approve_destroy(self, number, *, reason):
        """Destroys what somebody else proposed."""
        return self._lifecycle("approve_destroy", b"", number=number, reason=reason)

    def withdraw_destroy(self, number):
        """Takes a proposal back, or turns it down."""
        return self._lifecycle("withdraw_destroy", b"", number=number)

    def proposals(self):
        """The proposals, those that ended too."""
        return self._lifecycle("proposals", b"")

    def tombstone(self, kind, id):
        """What became of a record that was destroyed."""
        return self._lifecycle("tombstone", b"", record=f"{kind}/{id}")

    def _lifecycle(self, name, record, /, **arguments):
        import json

        given = {key: value for key, value in arguments.items() if value is not None}
        return json.loads(_native.lifecycle_call(self._held, name, json.dumps(given).encode(), record))

    def verify(self):
        """Verifies the audit log and every record, each against the event that wrote it; gives a Verified."""
        return Verified(*self._held.verify())


class Store:
    """An open store."""

    __slots__ = ("_held",)

    def __init__(self, held):
        self._held = held

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def audit_checkpoint(self):
        """The signed head of the audit log, to be kept outside; None where nothing was recorded."""
        return _native.audit_checkpoint(self._held)[0]

    @property
    def audit_public_key(self):
        """The 32 bytes of the key that verifies a checkpoint."""
        return _native.audit_checkpoint(self._held)[1]

    def session(self, *, actor, role, purpose, **said):
        """Begins a session. Roles: physician, nurse, caregiver, patient, coordinator, analyst, administrator.

        Also said of the actor: `patient` (of a patient or caregiver: the one they may see), `reference` (the record that stands for
        them, such as Practitioner/17), `organization`, `device`, `client`, `on_behalf_of`, `until` (a datetime: the end of a caregiver's
        time), `mfa` (a second factor was checked) and `clearance` (security labels beyond those of the role)."""
        return Session(self._held.session(actor, role, purpose, _said(**said)))

    @property
    def store_id(self):
        return self._held.store_id

    def security_status(self):
        """What protects this store and what does not: a SecurityStatus."""
        return SecurityStatus(*_native.security_status(self._held))

    def anchor_now(self):
        """Tells the anchor of everything that is committed; without an anchor, nothing."""
        _native.anchor_now(self._held)

    def on_emergency(self, call):
        """Has `call(actor, patient, reason, reference)` called when somebody takes emergency access; None for nobody."""
        _native.on_emergency(self._held, call)

    def close(self):
        """Closes the store when its last session is closed too."""
        self._held.close()


class KeySource(Protocol):
    """Your key management: it keeps the root key of a store, or what wraps it, outside the store."""

    name: str

    def wrap(self, context, root):
        """What to keep in the file for `root`, bound to `context`."""

    def unwrap(self, context, wrapped):
        """The root again."""


def _key(passphrase, key, source):
    given = [what for what in (passphrase, key, source) if what is not None]
    if len(given) != 1:
        error = Error("give a passphrase, a key or a key source, and one of them")
        error.code = "invalid-argument"
        raise error
    if source is not None:
        return Key.host(source)
    if passphrase is not None:
        return Key.passphrase(passphrase)
    return key if isinstance(key, Key) else Key.raw(key)


def create(path, *, passphrase=None, key=None, source=None, anchor=None):
    """Makes a new store in one new file, with a passphrase, a key (32 bytes or a Key), or your key management.

    A `source` (see KeySource) has a `name` that stays the same and must authenticate `context`. Raising `ehrcore.WrongKey` says that it refuses (the key was revoked): that is
    `wrong-key`, and a root that `Key.cached` kept is thrown away. Whatever else it raises says that it did not answer: `key-unavailable`, and a kept root goes on opening the store.
    """
    return _opened(path, True, _key(passphrase, key, source), anchor)


def open(path, *, passphrase=None, key=None, source=None, anchor=None):
    """Opens a store with what it was made with. With an anchor, a file that is older than it knows is `rolled-back`."""
    return _opened(path, False, _key(passphrase, key, source), anchor)


def _opened(path, create, key, anchor):
    if anchor is None:
        return Store(_native.open_store(os.fspath(path), create, key))
    if not isinstance(anchor, Anchor):
        anchor = Anchor(anchor)
    how = (anchor.every, anchor.strict, anchor.begin, anchor.accept_older)
    file = os.fspath(anchor.at) if isinstance(anchor.at, (str, os.PathLike)) else None
    return Store(_native.open_anchored(os.fspath(path), create, key, file, None if file else anchor.at, how))


class Verified(NamedTuple):
    """What was verified. `matched`: current records that the event of their change set vouches for. `unmatched`: change sets that cannot
    be held against their events any more, because part of them was lost in damage that is on record."""

    events: int
    records: int
    patients: int
    matched: int
    unmatched: int


class AnchorReport(NamedTuple):
    """A file and its anchor, compared: change sets, events of the audit log, and whether the file is older or went another way."""

    file_commits: int
    anchor_commits: int
    file_events: int
    anchor_events: int
    rolled_back: bool


def compare_with_anchor(path, *, passphrase=None, key=None, source=None, anchor):
    """Compares a file with its anchor, a path or an object as for `Anchor`; nothing is shown of it and nothing written."""
    at = anchor.at if isinstance(anchor, Anchor) else anchor
    file = os.fspath(at) if isinstance(at, (str, os.PathLike)) else None
    key = _key(passphrase, key, source)
    return AnchorReport(*_native.compare_with_anchor(os.fspath(path), key, file, None if file else at))


class Anchor(NamedTuple):
    """What remembers, outside a store, how far it had come: a path, or an object with `load()` and `store(note)`.

    `load` gives the bytes that were stored last, or None; what either raises is the error `anchor-unavailable`.
    """

    at: object
    every: int = 1
    strict: bool = False
    begin: bool = False
    accept_older: object = None


class SecurityStatus(NamedTuple):
    """What protects a store and what does not. `shred_unfinished`: a key or bytes of something that was destroyed are in the file still;
    `Session.check` and the next opening try again."""

    provider: str
    key_per_patient: bool
    pages_sealed: bool
    rollback_protected: bool
    unanchored: object
    shred_unfinished: bool


class Shredded(NamedTuple):
    """What shredding destroyed. `elsewhere`: versions of this patient's records that lay in other charts, and went too.
    `moved`: kind, id and remaining versions of records that are somebody else's now; what they say there stays. `keys_lost`: keys of other
    patients, kept under the same key as this one's, that open no more."""

    patient: int
    versions: int
    blocks: int
    tokens: int
    damaged: int
    elsewhere: int
    moved: list
    keys_lost: int


class Renewed(NamedTuple):
    """What was sealed under new keys."""

    patient: int
    compartments: int
    blocks: int
    segments: int


def restore(chain, into, *, passphrase=None, key=None, source=None):
    """Puts a full copy and the increments that follow it, in order, together to a store in the new file `into`; gives a Copied."""
    return Copied(*_native.restore([os.fspath(path) for path in chain], os.fspath(into), _key(passphrase, key, source)))


def repair(damaged, copies, into, *, actor, passphrase=None, key=None, source=None, allow_older=False):
    """Makes a damaged store whole in the new file `into` with good copies of it; gives a Repaired. The damaged file stays as it is."""
    paths = [os.fspath(path) for path in copies]
    made = _native.repair(os.fspath(damaged), paths, os.fspath(into), actor, _key(passphrase, key, source), allow_older)
    return Repaired(made[0], made[1], CheckReport._of(made[2]))


def salvage(damaged, into, *, actor, form="store", passphrase=None, key=None, source=None):
    """Gets out of a damaged store, with no good copy of it, what is genuine still, into the new file `into`; gives a Salvaged.

    `form`: "store", a store under the same keys; "ndjson", the current version of each record, in clear; "versions", NDJSON with every version
    that was found, each in an object that says what it is.
    """
    number = ("store", "ndjson", "versions").index(form)
    counts, written, incomplete, missing, whole = _native.salvage(
        os.fspath(damaged), os.fspath(into), number, actor, _key(passphrase, key, source)
    )
    return Salvaged(*counts, written, tuple(incomplete), tuple(Damage(*one) for one in missing), whole)


def validate(resource):
    """Checks the structure of one FHIR R4 resource: JSON (bytes, text or dict) or XML (bytes or text)."""
    return Report(_native.validate_bytes(_bytes(resource)))


class Validator:
    """Checks records against R4 and the profiles of FHIR packages. It never changes; threads may share it.

    `packages` are paths of `.tgz` files or folders. `profiles` are URLs that every record is checked against, beside those
    its `meta.profile` names. `source` may know codes that no package has, as for `terminology.Terminology`.

    >>> validator = ehrcore.Validator(packages=["hl7.fhir.us.core.tgz"])
    >>> validator.validate(resource).valid
    """

    __slots__ = ("_held",)

    def __init__(self, packages=(), profiles=(), *, source=None):
        self._held = _native.Validator([os.fspath(path) for path in packages], list(profiles), source, None)

    @classmethod
    def load(cls, path, *, source=None):
        """The validator that `save` kept in a file: the same packages, profiles and options, in milliseconds.

        Raises Error with `compiled-version` where another version of the library wrote the file.
        """
        made = cls.__new__(cls)
        made._held = _native.Validator([], [], source, os.fspath(path))
        return made

    def save(self, path):
        """Keeps the validator in a file, from which `load` has it back. A source is not part of it."""
        self._held.save(os.fspath(path))

    def validate(self, resource, *, seconds=None, memory=None, cancel=None):
        """Checks one FHIR R4 resource: JSON (bytes, text or dict) or XML (bytes or text).

        `seconds`, `memory` in bytes and a Cancel end it with the errors `deadline`, `limit-memory` or `cancelled`: no report of a part.
        """
        return Report(self._held.validate(_bytes(resource), seconds, memory, cancel))


from . import fhirpath, terminology, xml  # noqa: E402  (they need what stands above)
