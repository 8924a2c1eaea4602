#!/usr/bin/env python3
"""Checks an export of an ehrcore audit log. Shares no code with the library and needs nothing but Python 3.8.

    verify_audit.py --key HEX --head CHECKPOINT [--held CHECKPOINT] [--consistency FILE] [--part] audit.ndjson

--key is the public key of the store, --head the checkpoint that came with the export, --held the last one you kept yourself:
without it, a log that was cut off, or made anew by somebody with the store's keys, is not found. It says what it checked and
ends with 0, or says the first thing that is wrong and ends with 1. Layouts: format.md; the tree: RFC 9162; notes: c2sp.org.
"""

import argparse
import base64
import datetime
import hashlib
import json
import struct
import sys

# Number and name of an event; type, subtype and action in FHIR; whether data flows out or in; profile of IHE BALP.
KINDS = """
1 create T/rest R/create C In Create; 2 read T/rest R/read R Out Read; 3 update T/rest R/update U In Update;
4 delete T/rest R/delete D In Delete; 5 search T/rest R/search-type E In Query; 6 history T/rest R/vread R Out Read;
7 chart T/rest R/read R Out Read; 8 export D/110106 L/disclose R Out Source; 9 import D/110107 L/disclose C In Recipient;
10 session-open D/110114 D/110122 E In -; 11 audit-read D/110101 L/access R Out -; 12 verify D/110100 L/verify E In -;
13 release T/rest R/create C In Create; 14 store-create D/110100 D/110120 C In -; 15 quarantine D/110110 L/access R Out -;
16 keys D/110113 D/110129 U In -; 17 break-glass D/110113 D/110127 E In -; 18 policy D/110113 D/110136 U In -;
19 disclose D/110106 L/disclose R Out Source; 20 amend T/rest R/update U In Update; 21 correct T/rest R/update U In Update;
22 augment T/rest R/update U In Update; 23 retract T/rest R/update U In Update; 24 restore T/rest R/update U In Update;
25 hold D/110110 L/hold U In -; 26 hold-release D/110110 L/unhold U In -; 27 destroy-proposed D/110110 L/destroy E In -;
28 destroy D/110110 L/destroy D In -; 29 retention D/110110 L/archive U In -; 30 amendment-requested D/110110 L/amend U In -;
31 amendment-decided D/110110 L/amend U In -; 32 disagree D/110110 L/amend U In -;
33 access-package D/110106 L/disclose R Out Source; 34 conflict-parked D/110110 L/merge U In -;
35 conflict-settled D/110110 L/merge U In -; 40 key-rotate D/110113 D/110129 U In -;
45 patient-key-rotate D/110113 D/110129 U In -; 46 shred D/110110 L/destroy D In -;
47 rollback-accepted D/110100 L/restore U In -; 50 backup D/110100 L/archive E Out -;
51 repair D/110100 L/restore U In -; 52 check D/110100 L/verify E In -; 60 audit-export D/110101 L/disclose R Out -;
61 audit-report D/110101 L/access R Out -
"""
# The resource types of R4, by number.
TYPES = """
Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary
BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem
ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest CompartmentDefinition
Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue
Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference
EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence
EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse
HealthcareService ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan
Invoice Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration MedicationDispense
MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization
MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction
MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect
MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition
OperationDefinition OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation
Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson
RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis
Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap Subscription Substance
SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript ValueSet
VerificationResult VisionPrescription
""".split()
SYSTEMS = {
    "T": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "R": "http://hl7.org/fhir/restful-interaction",
    "D": "http://dicom.nema.org/resources/ontology/DCM",
    "L": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
    "P": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    "W": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "E": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
    "O": "http://terminology.hl7.org/CodeSystem/object-role",
    "S": "http://terminology.hl7.org/CodeSystem/security-source-type",
}
SAYINGS = {int(row.split()[0]): row.split()[1:] for row in KINDS.split(";")}
PURPOSES = ["", "TREAT", "HPAYMT", "HOPERAT", "HRESCH", "PATRQT", "ETREAT", "BTG"]
ROLES = ["", "physician", "nurse", "caregiver", "patient", "analyst", "administrator", "coordinator"]
FIXED = "version kind role purpose failed resource compartment at patient record_version count session rule policy clock ground parts"
FLAGGED = [(1, "pseudonym", 12), (2, "digest", 32), (4, "commit", 8), (8, "glass", 8), (16, "beside", 32), (4096, "witness", 32)]
TEXTS = ["on_behalf_of", "app", "device", "address", "labels", "recipient"]
COMMANDS = [(0, 0x1F), (0x7F, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069), (0xFEFF, 0xFEFF)]
EPOCH = datetime.datetime(1970, 1, 1)


class Broken(Exception):
    """What is wrong, in words."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Ed25519 (RFC 8032, section 5.1): this program is to run where no library of it is.
P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    g, h = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def decompress(text):
    number = int.from_bytes(text, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise Broken("a key or a signature is no point of the curve")
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or len(key) != 32 or s >= ORDER:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = times(s, BASE), add(decompress(signature[:32]), times(hashed, decompress(key)))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# The tree of RFC 9162 (that of RFC 6962).


def node(left, right):
    return sha256(b"\1", left, right)


class Tree:
    """The root of the leaves so far."""

    def __init__(self):
        self.size, self.nodes = 0, []

    def push(self, leaf):
        size = self.size
        while size & 1:
            leaf, size = node(self.nodes.pop(), leaf), size >> 1
        self.nodes.append(leaf)
        self.size += 1

    def root(self):
        root = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            root = node(left, root)
        return root


def climb(at, last, start, path):
    """RFC 9162, sections 2.1.3.2 and 2.1.4.2: the roots, of the older tree and of this one, that a path leads to."""
    older = newer = start
    for other in path:
        if last == 0:
            return None, None
        if at & 1 or at == last:
            older, newer = node(other, older), node(other, newer)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            newer = node(newer, other)
        at, last = at >> 1, last >> 1
    return (older, newer) if last == 0 else (None, None)


def continues(old, old_root, size, root, path):
    """Whether a path proves that a log continues an older one."""
    path = ([old_root] if old & (old - 1) == 0 else []) + path
    if not 0 < old < size or not path:
        return False
    ones = (old & -old).bit_length() - 1
    return climb((old - 1) >> ones, (size - 1) >> ones, path[0], path[1:]) == (old_root, root)


def read_head(note, key):
    """Store, size and root of a signed note; Broken where its signature is not that of the key."""
    try:
        text, signature = note.split("\n\n")
        origin, size, root = text.split("\n")
        size, store = int(size), bytes.fromhex(origin[len("ehrcore/") :])
        root = base64.b64decode(root, validate=True)
        blob = base64.b64decode(signature.rstrip("\n").split(" ")[2], validate=True)
    except (ValueError, IndexError):
        raise Broken("the checkpoint is not one") from None
    name = f"ehrcore/{store.hex()}"
    text = f"{name}\n{size}\n{encode(root)}\n"
    mark = encode(sha256(name.encode(), b"\n\1", key)[:4] + blob[4:])
    if note != f"{text}\n\u2014 {name} {mark}\n" or not signed(key, text.encode(), blob[4:]):
        raise Broken("the checkpoint is not signed by the key of the store")
    return store, size, root


# An event, and the one line of JSON that may be said of it.


def encode(data):
    return base64.b64encode(data).decode()


def read_event(data):
    """The event of format.md, section Audit log, as a dict."""
    event = dict(zip(FIXED.split(), struct.unpack_from(">BBBBHBBqIIIQHIBBH", data)))
    rest, parts = data[46:], event["parts"]

    def take(length):
        nonlocal rest
        if len(rest) < length:
            raise Broken("an event is too short")
        taken, rest = rest[:length], rest[length:]
        return taken

    for bit, name, length in FLAGGED:
        event[name] = take(length) if parts & bit else b""
    patients, last, event["patients"] = take(int.from_bytes(take(2), "big")) if parts & 32 else b"", 0, []
    distance = shift = 0
    for byte in patients:
        distance, shift = distance | (byte & 127) << shift, shift + 7
        if byte < 128:
            last, distance, shift = last + distance, 0, 0
            event["patients"].append(last)
    event["actor"] = take(take(1)[0]).decode()
    for index, name in enumerate(TEXTS):
        event[name] = take(take(1)[0]).decode() if parts & 64 << index else ""
    if event["version"] != 3 or rest or event["kind"] not in SAYINGS:
        raise Broken("an event has a form this program does not know")
    return event


def shown(text):
    return "".join("\ufffd" if any(low <= ord(c) <= high for low, high in COMMANDS) else c for c in text)


def coding(system, code):
    return {"system": SYSTEMS.get(system, system), "code": shown(code)}


def concept(system, code):
    return {"coding": [coding(system, code)]}


def named(names, number):
    return names[number] if number < len(names) else str(number)


def entity(what, category, role):
    return {"what": what, "type": coding("E", category), "role": coding("O", role)}


def resource(store, number, data, blind, path):
    """The AuditEvent of an event, as a dict in the order of its line."""
    event, store = read_event(data), store.hex()
    kind, category, subtype, action, flow, profile = SAYINGS[event["kind"]]
    failed, patient, commit = event["failed"], event["patient"], int.from_bytes(event["commit"], "big")

    def own(what, value):
        return {"identifier": {"system": f"urn:ehrcore:{what}:{store}", "value": shown(value)}}

    made, disclosure = {"resourceType": "AuditEvent"}, profile in ("Source", "Recipient")
    if profile != "-" and not failed and (patient or not disclosure):
        whose = "PrivacyDisclosure." if disclosure else "Patient" if patient else ""
        made["meta"] = {"profile": [f"https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.{whose}{profile}"]}
    made["type"] = coding(*category.split("/"))
    made["subtype"] = [coding(*subtype.split("/")), coding("urn:ehrcore:event", kind)]
    made["action"] = action
    made["recorded"] = (EPOCH + datetime.timedelta(microseconds=event["at"])).isoformat(timespec="microseconds") + "Z"
    made["outcome"] = "4" if failed else "0"
    if failed:
        made["outcomeDesc"] = str(failed)
    because = [concept("W", named(PURPOSES, event["purpose"]))] if event["purpose"] else None
    if because:
        made["purposeOfEvent"] = because
    user, client, server = ("IRCP", "110152", "110153") if flow == "Out" else ("AUT", "110153", "110152")
    agent = {"type": concept("P", user)}
    if event["role"]:
        agent["role"] = [concept("urn:ehrcore:role", named(ROLES, event["role"]))]
    agent.update({"who": own("user", event["actor"]), "requestor": True})
    if because:
        agent["purposeOfUse"] = because
    other = ("recipient", event["recipient"]) if event["recipient"] else ("application", event["app"] or "unknown")
    network = {"address": shown(event["address"] or event["device"] or "unknown"), "type": "1"}
    made["agent"] = [agent, {"type": concept("D", client), "who": own(*other), "requestor": False, "network": network}]
    network = {"address": f"urn:ehrcore:store:{store}", "type": "5"}
    made["agent"].append({"type": concept("D", server), "who": own("store", store), "requestor": False, "network": network})
    if event["on_behalf_of"]:
        made["agent"].append({"type": concept("P", "RESP"), "who": own("user", event["on_behalf_of"]), "requestor": False})
    made["source"] = {"observer": own("store", store), "type": [coding("S", "4")]}
    if profile == "Query":
        words = "blinded hash of the query, which is sealed in the log" if event["beside"] else "no parameters"
        what = {"type": coding("E", "2"), "role": coding("O", "24"), "description": words}
        what["query"] = encode(event["beside"] or b"?")
    elif event["pseudonym"]:
        what = entity(own("record", event["pseudonym"].hex()), "2", "4")
    else:
        what = entity(own("change-set", str(commit)) if commit else own("store", store), "2", "20")
    patients = ([patient] if patient else []) + event["patients"]
    made["entity"] = [what] + [entity(own("patient", str(one)), "1", "1") for one in patients]
    log = entity(own("log", str(number)), "4", "13")
    log["detail"] = [{"type": "event", "valueBase64Binary": encode(data)}, {"type": "blind", "valueBase64Binary": encode(blind)}]
    if path:
        log["detail"].append({"type": "path", "valueBase64Binary": encode(path)})
    details = [("kind", TYPES[event["resource"]] if event["resource"] < len(TYPES) else "")]
    details += [("version", event["record_version"]), ("count", event["count"]), ("change-set", commit)]
    details += [("session", f"{event['session']:016x}" if event["session"] else ""), ("break-glass", event["glass"].hex())]
    details += [(name, event[name]) for name in ("compartment", "labels", "rule", "policy", "ground")]
    details += [("clock", "system" if event["clock"] == 1 else "host")]
    log["detail"] += [{"type": name, "valueString": shown(str(value))} for name, value in details if value]
    made["entity"].append(log)
    return made


def verify(data, note, key, held=None, consistency=(), part=False):
    """Checks an export: its bytes, the note it came with, the public key. Gives the first and the last number and the size."""
    store, size, root = read_head(note, key)
    kept = read_head(held, key) if held is not None else None
    tree, first, number, roots = Tree(), None, -1, {size: root}
    if not data.endswith(b"\n"):
        raise Broken("the export ends in the middle of a line")
    for line in data[:-1].split(b"\n"):
        try:
            log = json.loads(line)["entity"][-1]
            said = int(log["what"]["identifier"]["value"])
            found = {one["type"]: base64.b64decode(one.get("valueBase64Binary", ""), validate=True) for one in log["detail"]}
            event, blind, path = found["event"], found["blind"], found.get("path", b"")
            again = json.dumps(resource(store, said, event, blind, path), separators=(",", ":"), ensure_ascii=False)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, struct.error):
            raise Broken(f"the line after that of event {number} cannot be read") from None
        if first is None:
            first, number = said, said - 1
        number += 1
        if said != number or again.encode() != line:
            raise Broken(f"the line of event {number} is not what follows from it, or not in its place")
        leaf = sha256(b"\0", blind, event)
        hashes = [path[at : at + 32] for at in range(0, len(path), 32)]
        if number >= size or len(blind) != 16 or climb(number, size - 1, leaf, hashes)[1] != root:
            raise Broken(f"event {number} is not in the log of the head")
        tree.push(leaf)
        if first == 0 and kept and tree.size == kept[1]:
            roots[tree.size] = tree.root()
    if not part and (first, number + 1) != (0, size):
        raise Broken(f"the export has events {first} to {number} of {size}; with --part it may")
    if kept and (kept[0] != store or kept[1] > size or roots.get(kept[1], kept[2]) != kept[2]):
        raise Broken("the log is not the one of the head kept outside, or was cut off")
    if kept and kept[1] not in roots and not continues(kept[1], kept[2], size, root, list(consistency)):
        raise Broken("nothing proves that the log continues that of the head kept outside")
    return first, number, size


def main():
    parser = argparse.ArgumentParser(description="Checks an export of an ehrcore audit log.")
    parser.add_argument("export")
    parser.add_argument("--key", required=True, help="public key of the store, 64 hexadecimal digits")
    parser.add_argument("--head", required=True, help="the checkpoint that came with the export")
    parser.add_argument("--held", help="the last checkpoint you kept yourself")
    parser.add_argument("--consistency", help="a file of hashes in Base64, one a line, from --held to --head")
    parser.add_argument("--part", action="store_true", help="the export is a part of the log")
    given = parser.parse_args()
    try:
        with open(given.export, "rb") as file:
            data = file.read()
        head, held, hashes = (path and open(path, encoding="utf-8", newline="").read() for path in (given.head, given.held, given.consistency))
        hashes = [base64.b64decode(line) for line in (hashes or "").split()]
        first, last, size = verify(data, head, bytes.fromhex(given.key), held, hashes, given.part)
    except (Broken, OSError, ValueError) as why:
        print(f"BROKEN: {why}")
        return 1
    print(f"events {first} to {last} of {size}: as they were written" + ("" if held else " (no head of your own was given)"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
