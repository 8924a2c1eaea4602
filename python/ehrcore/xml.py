"""FHIR XML: read to the JSON form that everything else takes, and written from it."""

import json
from decimal import Decimal

from . import Report, _bytes, _native

__all__ = ["read", "to_json", "write"]


def read(resource):
    """One FHIR R4 resource in XML (bytes or text) as a dict, and a Report of what was found in it.

    Decimals are Decimal and keep their digits. Raises InvalidRecord where the text is no resource in XML.
    """
    text, issues = _native.xml_read(_bytes(resource))
    return json.loads(text, parse_float=Decimal), Report(issues)


def to_json(resource):
    """The JSON form of a resource in XML, as bytes; findings are left aside."""
    return _native.xml_read(_bytes(resource))[0]


def write(resource):
    """A resource (JSON as bytes or text, or a dict) as XML; raises InvalidRecord where XML cannot say what is in it."""
    return _native.xml_write(_bytes(resource))
