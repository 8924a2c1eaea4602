//! A StructureDefinition by itself: its discriminators name elements that there are.

use super::Run;
use crate::error::Code;
use crate::record::Node;
use crate::report::Severity;
use crate::schema::{self, TypeId};
use crate::validate::profile::type_named;

impl<'a> Run<'a> {
    pub(super) fn structure_definition(&mut self, node: Node<'a>) {
        for list in [node.get("differential"), node.get("snapshot")].into_iter().flatten() {
            for element in list.list("element") {
                let Some(slicing) = element.get("slicing") else { continue };
                let Some(sliced) = element.text("path").and_then(|path| type_at(&path)) else { continue };
                for discriminator in slicing.list("discriminator") {
                    let Some(path) = discriminator.text("path") else { continue };
                    let plain = path.split(['(', '.']).next().unwrap_or_default();
                    let word = !matches!(plain, "" | "$this" | "extension" | "ofType" | "resolve" | "reference");
                    if word && schema::key(sliced, plain.as_bytes()).is_none() && choice(sliced, plain).is_none() {
                        let wanted = "a path of the element that is sliced";
                        self.find(discriminator, Code::DiscriminatorPath, Severity::Error, wanted).done();
                    }
                }
            }
        }
    }
}

/// The type of the element at a path, where it has one type only.
fn type_at(path: &str) -> Option<TypeId> {
    let mut steps = path.split('.');
    let mut at = type_named(steps.next()?)?;
    for step in steps {
        let key = schema::key(at, step.as_bytes())?;
        at = key.type_id;
    }
    at.elements().next().map(|_| at)
}

fn choice(of: TypeId, name: &str) -> Option<schema::ElementId> {
    let plain = name.strip_suffix("[x]").unwrap_or(name);
    of.elements().find(|element| element.name() == plain)
}
