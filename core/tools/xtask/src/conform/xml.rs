//! XML: every pair of a JSON and an XML file is equal in both directions, and every JSON file comes back from XML as it was.

use super::{Score, each};
use crate::Done;
use ehrcore::json;
use ehrcore::limits::Limits;
use ehrcore::record::Record;
use ehrcore::xml;
use std::path::Path;

/// The published list of deliberate differences: file, why.
const DIFFERENCES: &str = include_str!("../../../../docs/xml-differences.tsv");

pub(super) fn run(folder: &Path, score: &mut Score) -> Done {
    each(folder, &mut |name, bytes| {
        if let Ok(parsed) = json::read(bytes, &Limits::DEFAULT) {
            let (passed, why) = judge(name, &there_and_back(&parsed.record), &parsed.record);
            score.case(&format!("{name} to XML and back"), passed, &why);
        }
    })?;
    pairs(folder, score)
}

/// Visits every `X.xml` beside an `X.json` below a folder.
fn pairs(folder: &Path, score: &mut Score) -> Done {
    let mut below: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        if path.is_dir() {
            pairs(&path, score)?;
            continue;
        }
        let twin = path.with_extension("json");
        if path.extension().is_none_or(|end| end != "xml") || !twin.exists() {
            continue;
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let Ok(wanted) = json::read(&std::fs::read(&twin)?, &Limits::DEFAULT) else { continue };
        let read = xml::read(&std::fs::read(&path)?, &Limits::DEFAULT).map(|parsed| parsed.record);
        let (passed, why) = judge(&name, &read.map_err(|error| error.to_string()), &wanted.record);
        score.case(&format!("{name} and its JSON twin"), passed, &why);
    }
    Ok(())
}

fn there_and_back(record: &Record) -> Result<Record, String> {
    let mut out = Vec::new();
    xml::write(record, &mut out).map_err(|error| error.to_string())?;
    xml::read(&out, &Limits::DEFAULT).map(|parsed| parsed.record).map_err(|error| error.to_string())
}

fn judge(name: &str, found: &Result<Record, String>, wanted: &Record) -> (bool, String) {
    let why = match found {
        Ok(found) if found.canonical() == wanted.canonical() => return (true, String::new()),
        Ok(found) => difference(&found.canonical(), &wanted.canonical()),
        Err(why) => why.clone(),
    };
    let listed = DIFFERENCES.lines().any(|line| line.split('\t').next() == Some(name));
    (listed, why)
}

/// Where two texts part: what each says there.
fn difference(found: &[u8], wanted: &[u8]) -> String {
    let at = found.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let around =
        |text: &[u8]| String::from_utf8_lossy(&text[at.saturating_sub(20)..text.len().min(at + 40)]).into_owned();
    format!("at {at}: {} against {}", around(found), around(wanted))
}
