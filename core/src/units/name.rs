//! The name of a unit in words, for people.

use super::parse::{Component, Term};
use std::fmt::Write;

/// `mm[Hg].min/L` as `(millimeter of mercury column) * (minute) / (liter)`.
pub(super) fn name_of(term: &Term) -> String {
    let mut out = String::new();
    write(term, &mut out);
    out
}

fn write(term: &Term, out: &mut String) {
    for (index, part) in term.0.iter().enumerate() {
        out.push_str(match (index, part.divides) {
            (0, false) => "",
            (0, true) => "1 / ",
            (_, false) => " * ",
            (_, true) => " / ",
        });
        match &part.component {
            Component::Number(digits) => out.push_str(digits),
            Component::Annotation => out.push('1'),
            Component::Term(inner) => {
                out.push('(');
                write(inner, out);
                out.push(')');
            }
            Component::Symbol { prefix, atom, exponent } => {
                let prefix = prefix.map_or("", |prefix| prefix.name);
                let _ = write!(out, "({prefix}{}", atom.name); // writing to a String cannot fail
                if *exponent != 1 {
                    let _ = write!(out, " ^ {exponent}");
                }
                out.push(')');
            }
        }
    }
}
