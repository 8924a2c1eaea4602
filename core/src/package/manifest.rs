//! `package.json`: what a package is called and what it needs.

use crate::record::Node;

/// What a package says about itself in `package.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The name, such as `hl7.fhir.us.core`; empty where there is no manifest.
    pub name: String,
    /// The version.
    pub version: String,
    /// The canonical base of its resources, where it says one.
    pub canonical: Option<String>,
    /// The packages it needs, name and version, in order.
    pub dependencies: Vec<(String, String)>,
    /// The FHIR versions it is for.
    pub fhir_versions: Vec<String>,
}

impl Manifest {
    /// Reads the outermost object of a `package.json`; None where it has no name.
    pub(super) fn read(root: Node<'_>) -> Option<Manifest> {
        let text = |name: &str| root.text(name).map(|text| text.into_owned());
        let versions = root.list("fhirVersions").chain(root.list("fhir-version-list"));
        Some(Manifest {
            name: text("name")?,
            version: text("version").unwrap_or_default(),
            canonical: text("canonical"),
            dependencies: root
                .get("dependencies")
                .into_iter()
                .flat_map(Node::entries)
                .filter_map(|(name, version)| Some((name.into_owned(), version.as_str()?.into_owned())))
                .collect(),
            fhir_versions: versions.filter_map(|node| Some(node.as_str()?.into_owned())).collect(),
        })
    }
}
