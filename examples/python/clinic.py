"""One clinic day in Python: make a store, write a patient, see a bad record refused, search, read back."""

import tempfile
from pathlib import Path

import ehrcore

KEY = bytes(range(32))  # a product asks its key management
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Doe"}], "birthDate": "1970-01-01"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ehrcore.create(Path(folder) / "clinic.ehr", key=KEY) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            print("stored version", session.write(PATIENT).version)
            try:
                session.write({**PATIENT, "gender": "F"})
            except ehrcore.InvalidRecord as error:
                print("refused, as it should be:", [issue.path for issue in error.issues])
            found = list(session.search("Patient", name="doe"))
            assert [record.id for record in found] == ["p1"]
            assert session.read("Patient", "p1").to_dict() == PATIENT
            print("found, and read back equal")


main()
