//! FHIR XML: the same record, read from and written to XML.
