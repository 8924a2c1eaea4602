//! Type names: those of FHIR R4 and FHIRPath's own.

use crate::schema::{TypeId, TypeKind, type_by_name};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// FHIRPath's own types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SystemType {
    String,
    Boolean,
    Integer,
    Decimal,
    Date,
    DateTime,
    Time,
    Quantity,
}

const SYSTEM: [(SystemType, &str); 8] = [
    (SystemType::String, "String"),
    (SystemType::Boolean, "Boolean"),
    (SystemType::Integer, "Integer"),
    (SystemType::Decimal, "Decimal"),
    (SystemType::Date, "Date"),
    (SystemType::DateTime, "DateTime"),
    (SystemType::Time, "Time"),
    (SystemType::Quantity, "Quantity"),
];

/// The type of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TypeName {
    /// A type of FHIR R4.
    Fhir(TypeId),
    /// One of FHIRPath's own.
    System(SystemType),
    /// The type of what `type()` gives.
    ClassInfo,
    /// The type of an element that R4 does not know.
    Unknown,
}

impl TypeName {
    pub(super) fn of(id: Option<TypeId>) -> Self {
        id.map_or(TypeName::Unknown, TypeName::Fhir)
    }
    /// The name. Elements inside a type are `BackboneElement` or `Element`, as FHIR says.
    pub fn name(self) -> &'static str {
        match self {
            TypeName::Fhir(id) if id.row().kind == TypeKind::Backbone => id.base().map_or("Element", TypeId::name),
            TypeName::Fhir(id) => id.name(),
            TypeName::System(wanted) => SYSTEM[wanted as usize].1,
            TypeName::ClassInfo => "ClassInfo",
            TypeName::Unknown => "",
        }
    }
    /// `FHIR` or `System`.
    pub fn namespace(self) -> &'static str {
        match self {
            TypeName::Fhir(_) | TypeName::Unknown => "FHIR",
            TypeName::System(_) | TypeName::ClassInfo => "System",
        }
    }
}

/// A type as an expression names it; a plain name may be of either sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) fhir: Option<TypeId>,
    pub(super) system: Option<SystemType>,
    /// `Any` of either sort.
    pub(super) any: bool,
}

impl Wanted {
    /// The type of `name`, in `namespace` where one is given.
    pub(super) fn named(namespace: Option<&str>, name: &str) -> Option<Self> {
        let fhir = matches!(namespace, None | Some("FHIR")).then(|| special().names.get(name).copied()).flatten();
        let system = matches!(namespace, None | Some("System"))
            .then(|| SYSTEM.iter().find(|row| row.1 == name).map(|row| row.0))
            .flatten();
        let any = name == "Any" && matches!(namespace, None | Some("System"));
        (fhir.is_some() || system.is_some() || any).then_some(Wanted { fhir, system, any })
    }
    /// Whether a value of type `found` is of this type or of one derived from it.
    pub(super) fn includes(&self, found: TypeName) -> bool {
        self.any
            || match found {
                TypeName::Fhir(id) => self.fhir.is_some_and(|wanted| is_a(id, wanted)),
                TypeName::System(system) => self.system == Some(system),
                TypeName::ClassInfo | TypeName::Unknown => false,
            }
    }
    /// As [`Wanted::includes`], but a primitive is of its own type only: a `code` is not kept as a `string`.
    pub(super) fn keeps(&self, found: TypeName) -> bool {
        match found {
            TypeName::Fhir(id) if matches!(id.row().kind, TypeKind::Primitive(_)) => self.any || self.fhir == Some(id),
            _ => self.includes(found),
        }
    }
}

/// Whether `id` is `wanted` or derived from it.
pub(crate) fn is_a(id: TypeId, wanted: TypeId) -> bool {
    let mut at = Some(id);
    while let Some(here) = at {
        if here == wanted {
            return true;
        }
        at = here.base();
    }
    false
}

/// What is looked up once.
pub(super) struct Special {
    pub(super) quantity: TypeId,
    pub(super) extension: TypeId,
    /// Names of elements that are a choice in some type.
    pub(super) choices: HashSet<&'static str>,
    /// Types by name, without those inside another type.
    pub(super) names: HashMap<&'static str, TypeId>,
}

pub(super) fn special() -> &'static Special {
    static SPECIAL: LazyLock<Special> = LazyLock::new(|| {
        // INVARIANT: the tables are those of R4, which has these types.
        let named = |name| type_by_name(name).expect("a type of R4");
        let elements = TypeId::all().flat_map(TypeId::elements);
        Special {
            quantity: named("Quantity"),
            extension: named("Extension"),
            choices: elements.filter(|element| element.row().choice).map(|element| element.name()).collect(),
            names: TypeId::all().filter(|id| id.row().kind != TypeKind::Backbone).map(|id| (id.name(), id)).collect(),
        }
    });
    &SPECIAL
}
