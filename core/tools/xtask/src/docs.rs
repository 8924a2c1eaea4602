//! `cargo xtask docs [--check]`: writes core/docs/errors.md from the catalogue of codes and its explanations.

use crate::{Done, root};
use ehrcore::error::{Code, Example};
use std::fmt::Write;

const RANGES: &[(u16, u16, &str)] = &[
    (1, 99, "The caller and the machine"),
    (100, 119, "JSON text and limits"),
    (120, 139, "XML text"),
    (200, 229, "Structure, references, Bundles"),
    (230, 249, "FHIRPath"),
    (250, 259, "Units"),
    (260, 284, "Terminology"),
    (285, 289, "Shapes and check digits of codes"),
    (290, 299, "Packages"),
    (300, 359, "Profiles"),
    (360, 379, "Questionnaires"),
    (380, 389, "Invariants"),
    (390, 499, "Keys and vault"),
    (500, 599, "Store"),
    (600, 699, "Audit and access"),
    (700, 799, "Exchange"),
    (800, 849, "The life of an entry"),
    (850, 999, "The edges"),
];

pub(crate) fn run(arguments: &[&str]) -> Done {
    let text = errors()?;
    let path = root().join("core/docs/errors.md");
    if arguments.contains(&"--check") {
        let found = std::fs::read_to_string(path).unwrap_or_default();
        return if found == text { Ok(()) } else { Err("core/docs/errors.md is old: cargo xtask docs".into()) };
    }
    Ok(std::fs::write(path, text)?)
}

fn errors() -> Result<String, std::fmt::Error> {
    let mut out = String::from(
        "# Codes of errors and findings\n\nWritten by `cargo xtask docs` from core/src/error.rs and core/src/error/explain. Do \
         not edit.\nNumbers and names are stable and never used for anything else. `ehr explain CODE` prints the same.\n",
    );
    for (from, to, title) in RANGES {
        let mut codes = Code::ALL.iter().filter(|code| (*from..=*to).contains(&code.number())).peekable();
        if codes.peek().is_none() {
            continue;
        }
        write!(out, "\n## {title}\n")?;
        for code in codes {
            write!(out, "\n### {} ({})\n\n{}\n", code.name(), code.number(), sentence(code.sentence()))?;
            let explanation = code.explanation();
            write!(out, "\n{}\n", explanation.mend)?;
            if let Some(Example { setting, bad, good }) = explanation.example {
                let (bad, good) = (shown(bad), shown(good));
                write!(out, "\nWrong, {}:\n\n    {bad}\n\nRight:\n\n    {good}\n", setting.words())?;
            }
        }
    }
    Ok(out)
}

/// As a block of Markdown, after its first indentation.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace('\n', "\n    ")
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_document() {
        let text = errors().expect("it is written");
        let missing: Vec<&str> =
            Code::ALL.iter().map(|code| code.name()).filter(|name| !text.contains(&format!("### {name} ("))).collect();
        assert_eq!(missing, [""; 0]);
    }
}
