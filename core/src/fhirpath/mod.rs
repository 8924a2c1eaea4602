//! FHIRPath (normative N1 with the R4 additions): expressions compiled once and evaluated many times over a record.
