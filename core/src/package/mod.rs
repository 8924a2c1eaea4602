//! FHIR packages: definitions read from a `.tgz` or a folder, with their dependencies.
