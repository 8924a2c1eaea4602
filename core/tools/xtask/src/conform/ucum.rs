//! UCUM: the functional tests, and the reference table of atoms and prefixes compared with ours.

use super::Score;
use crate::Done;
use ehrcore::decimal::Decimal;
use ehrcore::units::{Unit, convert, divide, multiply};
use std::collections::BTreeMap;
use std::path::Path;

/// Every `.xml` file of the folder.
pub(crate) fn run(folder: &Path, score: &mut Score) -> Done {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "xml")) {
        let tags = tags(&std::fs::read_to_string(path)?);
        if tags.iter().any(|tag| tag.name == "ucumTests") {
            functional(&tags, score);
        } else {
            table(&tags, score);
        }
    }
    Ok(())
}

/// The sections of the functional tests, case by case.
fn functional(tags: &[Tag], score: &mut Score) {
    let mut section = "";
    for tag in tags {
        if tag.name != "case" {
            section = &tag.name;
            continue;
        }
        let result = match section {
            "validation" => validation(tag),
            "displayNameGeneration" => name(tag),
            "conversion" => {
                let [from, to] = [tag.unit("srcUnit"), tag.unit("dstUnit")];
                number(tag.get("value")).and_then(|value| {
                    let made = convert(&value, from, to).map_err(|error| error.to_string())?;
                    near(&made, tag.get("outcome"))
                })
            }
            "multiplication" | "division" => product(tag, section == "division"),
            _ => continue,
        };
        let label = format!("{section} {}", tag.get("id"));
        score.case(&label, result.is_ok(), result.as_ref().err().map_or("", |why| why));
    }
}

fn validation(tag: &Tag) -> Result<(), String> {
    let valid = Unit::parse(tag.get("unit")).is_ok();
    if valid == (tag.get("valid") == "true") { Ok(()) } else { Err(format!("valid: {valid}")) }
}

/// The suite writes unity as nothing; UCUM writes it `1`.
fn name(tag: &Tag) -> Result<(), String> {
    let made = match tag.get("unit") {
        "" => Unit::one().name(),
        code => Unit::parse(code).map_err(|error| error.to_string())?.name(),
    };
    if made == tag.get("display") { Ok(()) } else { Err(format!("named {made}")) }
}

fn product(tag: &Tag, divides: bool) -> Result<(), String> {
    let (a, b) = (number(tag.get("v1"))?, number(tag.get("v2"))?);
    let of = if divides { divide } else { multiply };
    let (value, unit) = of(&a, tag.unit("u1"), &b, tag.unit("u2")).map_err(|error| error.to_string())?;
    if unit != tag.unit("uRes") {
        return Err(format!("in {unit}"));
    }
    near(&value, tag.get("vRes"))
}

fn number(text: &str) -> Result<Decimal, String> {
    Decimal::from_json(text.as_bytes()).ok_or_else(|| "no number".to_owned())
}

/// Equal when rounded to as many digits as the suite gives.
fn near(made: &Decimal, expected: &str) -> Result<(), String> {
    let wanted = number(expected)?;
    let digits = wanted.scale().ok_or("too many digits")?;
    let significant = made.round(digits).is_some_and(|rounded| rounded.cmp_value(&wanted).is_eq());
    if significant { Ok(()) } else { Err(format!("{made}, and not {expected}")) }
}

/// The reference table: each prefix and atom is known to us under its name and with its value.
fn table(tags: &[Tag], score: &mut Score) {
    let mut current: Option<&Tag> = None;
    let mut named = false;
    for tag in tags {
        match &*tag.name {
            "prefix" | "base-unit" | "unit" => (current, named) = (Some(tag), false),
            "name" if !named => {
                let Some(of) = current else { continue };
                let code = if of.name == "prefix" { format!("{}m", of.get("Code")) } else { of.get("Code").to_owned() };
                let wanted = format!("({}{})", tag.text, if of.name == "prefix" { "meter" } else { "" });
                let made = Unit::parse(&code).map(|unit| unit.name()).unwrap_or_default();
                score.case(&format!("name of {code}"), made == wanted, "another name");
                named = true;
            }
            "value" => {
                let Some(of) = current else { continue };
                let (code, unit) = match (&*of.name, tag.get("Unit")) {
                    ("prefix", _) => (format!("{}m", of.get("Code")), "m"),
                    _ if of.get("isSpecial") == "yes" => continue, // its value is a function
                    (_, unit) if of.get("isArbitrary") == "yes" && unit == "1" => continue, // it is only itself
                    (_, unit) => (of.get("Code").to_owned(), unit),
                };
                let one = Decimal::from_i64(1);
                let same = number(tag.get("value"))
                    .is_ok_and(|value| convert(&one, &code, unit).is_ok_and(|made| made.cmp_value(&value).is_eq()));
                score.case(&format!("value of {code}"), same, "another value");
            }
            _ => {}
        }
    }
}

/// A start tag: its name, attributes and the text right behind it.
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
}

impl Tag {
    fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", |value| value)
    }
    /// A unit; the suite writes unity as nothing.
    fn unit(&self, name: &str) -> &str {
        Some(self.get(name)).filter(|unit| !unit.is_empty()).unwrap_or("1")
    }
}

/// The start tags of a small, well-formed file without CDATA.
fn tags(text: &str) -> Vec<Tag> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if rest.starts_with(['/', '?', '!']) {
            continue;
        }
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
        rest = &rest[name.len()..];
        let mut attributes = BTreeMap::new();
        while let Some(end) = rest.find(['>', '"']) {
            if rest.as_bytes()[end] == b'>' {
                rest = &rest[end + 1..];
                break;
            }
            let key = rest[..end].trim().trim_start_matches('/').trim_end_matches('=').trim().to_owned();
            let (value, after) = rest[end + 1..].split_once('"').unwrap_or(("", ""));
            attributes.insert(key, plain(value));
            rest = after;
        }
        let text = plain(rest.split('<').next().unwrap_or("").trim());
        out.push(Tag { name, attributes, text });
    }
    out
}

/// Character references and the five entities, in words.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (entity, after) = after.split_once(';').unwrap_or((after, ""));
        let number = entity.strip_prefix("#x").map(|hex| u32::from_str_radix(hex, 16));
        let number = number.or_else(|| entity.strip_prefix('#').map(str::parse::<u32>));
        out.push(match (entity, number) {
            (_, Some(Ok(code))) => char::from_u32(code).unwrap_or('\u{fffd}'),
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            _ => '&',
        });
        rest = after;
    }
    out + rest
}
