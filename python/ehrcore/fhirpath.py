"""FHIRPath: expressions compiled once and evaluated over any number of resources.

    family = ehrcore.fhirpath.compile("Patient.name.where(use = 'official').family")
    for result in family.evaluate(patient):
        print(result.path, result.value)
"""

import json
from decimal import Decimal
from typing import Any, NamedTuple, Optional

from . import _bytes, _native

__all__ = ["Expression", "Result", "compile"]


class Result(NamedTuple):
    """One item of a result: an element of the resource with its path, or a value without one."""

    type: str
    value: Any
    path: Optional[str]


class Expression:
    """A compiled expression; it never changes and may be shared between threads."""

    __slots__ = ("_expression",)

    def __init__(self, text):
        self._expression = _native.Expression(text)

    def evaluate(self, resource):
        """A Result for each item, in order. `resource` is JSON or XML as bytes or text, a dict, or a Record.

        Decimals are Decimal and keep their digits. An element that only has extensions has the value None.
        """
        found = self._expression.evaluate(_bytes(getattr(resource, "original", resource)))
        return [Result(kind, json.loads(text, parse_float=Decimal), path) for kind, text, path in found]


def compile(text):
    """The expression; raises Error with the code and the column where it is wrong."""
    return Expression(text)
