"""Terminology: whether a code is right, what it means, what a value set holds, and what a code is in another system.

    terminology = ehrcore.terminology.Terminology("hl7.fhir.us.core-6.1.0.tgz")
    terminology.validate_code("2106-3", system="urn:oid:2.16.840.1.113883.6.238", value_set=race).outcome   # "in"

R4's own code systems and value sets are always there. Licensed systems (SNOMED CT, LOINC) are not part of the library: a
source of yours may know them. What nobody can judge is "not-checked", never wrong.
"""

from typing import NamedTuple, Optional

from . import _native

__all__ = ["Checked", "Code", "Expansion", "Terminology", "Translation"]


class Checked(NamedTuple):
    """What was found about a code. `outcome` is "in", "not-in", "unknown" or "not-checked"."""

    outcome: str
    system: Optional[str]
    display: Optional[str]
    display_wrong: bool
    inactive: bool
    abstract: bool


class Code(NamedTuple):
    """One code of a code system."""

    system: Optional[str]
    version: Optional[str]
    code: str
    display: Optional[str]
    inactive: bool
    abstract: bool


class Expansion(NamedTuple):
    """The codes of a value set: those of the page, how many there are, and whether the code systems were all there."""

    codes: "list[Code]"
    total: int
    complete: bool


class Translation(NamedTuple):
    """A code that a concept map gives for another."""

    equivalence: str
    system: Optional[str]
    code: str
    display: Optional[str]


class Terminology:
    """Code systems, value sets and concept maps of FHIR packages (`.tgz` files or folders), and R4's own.

    `source` may know what the packages do not: its `validate_code(value_set, system, version, code, display)` gives True,
    False, or None where it does not know. `value_set` is None where the code system alone is asked.
    """

    __slots__ = ("_held",)

    def __init__(self, *packages, source=None):
        self._held = _native.Terminology([str(path) for path in packages], source)

    def validate_code(self, code, *, value_set=None, system=None, version=None, display=None):
        """Whether a code is in a value set (`url` or `url|version`), or in its code system where no value set is named."""
        return Checked(*self._held.validate_code(value_set, system, version, code, display))

    def lookup(self, system, code, *, version=None):
        """What is known about a code; None where its system is not here or does not have it."""
        found = self._held.lookup(system, version, code)
        return None if found is None else Code(*found)

    def expand(self, value_set, *, text=None, active_only=False, offset=0, count=None):
        """The codes of a value set. Raises Error where a part of it cannot be listed here."""
        codes, total, complete = self._held.expand(value_set, text, active_only, offset, count)
        return Expansion([Code(*code) for code in codes], total, complete)

    def subsumes(self, system, a, b, *, version=None):
        """How code a relates to code b: "equivalent", "subsumes", "subsumed-by" or "not-subsumed"; None where unknown."""
        return self._held.subsumes(system, version, a, b)

    def translate(self, concept_map, code, *, system=None):
        """What a concept map gives for a code, in its order."""
        return [Translation(*found) for found in self._held.translate(concept_map, system, code)]
