//! Reading a policy. TOML and JSON become one small tree, and that the tables; a word that is not known stops it.

use super::labels::Labels;
use super::mask::Mask;
use super::policy::{Clearance, Kinds, Policy, Relations, Rule, compartment_bit, purpose_bit, role_bit};
use super::{Action, Confidentiality, Purpose, Role};
use crate::error::{Code, Error, Result};
use crate::json::read_document;
use crate::limits::Limits;
use crate::record::{Compartment, Node, NodeKind};
use crate::schema::ResourceType;
use std::sync::Arc;

/// Longest text of a policy, and most rules, clearances and masks in one.
const MOST_BYTES: usize = 1 << 20;
const MOST_ROWS: usize = 1000;

/// What both languages can say.
enum Data {
    Text(String),
    Truth(bool),
    List(Vec<Data>),
    Table(Vec<(String, Data)>),
    /// A number, a date, null: no part of a policy.
    Other,
}

pub(super) fn policy(text: &str) -> Result<Policy> {
    if text.len() > MOST_BYTES {
        return Err(Code::PolicyInvalid.error().expected("at most a megabyte"));
    }
    let data = if text.trim_start().starts_with('{') { json(text)? } else { toml(text)? };
    let Data::Table(root) = data else { return Err(invalid("", "a table")) };
    let mut made = Policy {
        name: "".into(),
        rules: Vec::new(),
        clearances: Vec::new(),
        masks: Vec::new(),
        statuses: Vec::new(),
        text: text.into(),
    };
    for (name, value) in root {
        match (name.as_str(), value) {
            ("name", Data::Text(text)) if !text.is_empty() && text.len() <= 200 => made.name = text.into(),
            (kind @ ("permit" | "deny" | "clearance" | "mask"), Data::List(rows)) => {
                if rows.len() > MOST_ROWS {
                    return Err(invalid(kind, "at most 1000 of them"));
                }
                for (at, row) in rows.into_iter().enumerate() {
                    let place = format!("{kind}[{at}]");
                    let Data::Table(fields) = row else { return Err(invalid(&place, "a table")) };
                    let row = Row { place, fields };
                    match kind {
                        "clearance" => made.clearances.push(clearance(row)?),
                        "mask" => made.masks.push(mask(row)?),
                        kind => {
                            let rule = rule(row, kind == "permit", &mut made.statuses)?;
                            made.rules.push(rule);
                        }
                    }
                }
            }
            (name, _) => return Err(invalid(name, "name, permit, deny, clearance or mask")),
        }
    }
    if made.name.is_empty() {
        return Err(invalid("name", "a name"));
    }
    let mut names: Vec<&str> =
        made.rules.iter().map(|rule| &*rule.name).chain(made.masks.iter().map(Mask::name)).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return Err(invalid("", "a name of its own for each rule and mask"));
    }
    Ok(made)
}

fn invalid(place: &str, expected: &'static str) -> Error {
    Code::PolicyInvalid.at(place.to_owned()).expected(expected)
}

fn json(text: &str) -> Result<Data> {
    let document = read_document(text.as_bytes(), &Limits::DEFAULT).map_err(|_| invalid("", "well-formed JSON"))?;
    fn data(node: Node<'_>) -> Data {
        match node.kind() {
            NodeKind::String => node.as_str().map_or(Data::Other, |text| Data::Text(text.into_owned())),
            NodeKind::Bool => node.as_bool().map_or(Data::Other, Data::Truth),
            NodeKind::Array => Data::List(node.items().map(data).collect()),
            NodeKind::Object => {
                Data::Table(node.entries().map(|(name, value)| (name.into_owned(), data(value))).collect())
            }
            NodeKind::Number | NodeKind::Null => Data::Other,
        }
    }
    Ok(data(document.root()))
}

fn toml(text: &str) -> Result<Data> {
    let table: toml::Table = text.parse().map_err(|_| invalid("", "well-formed TOML"))?;
    fn data(value: toml::Value) -> Data {
        match value {
            toml::Value::String(text) => Data::Text(text),
            toml::Value::Boolean(truth) => Data::Truth(truth),
            toml::Value::Array(items) => Data::List(items.into_iter().map(data).collect()),
            toml::Value::Table(fields) => {
                Data::Table(fields.into_iter().map(|(name, value)| (name, data(value))).collect())
            }
            _ => Data::Other,
        }
    }
    Ok(data(toml::Value::Table(table)))
}

/// One rule, clearance or mask: its fields are taken out one by one, and none may be left.
struct Row {
    place: String,
    fields: Vec<(String, Data)>,
}

impl Row {
    fn take(&mut self, name: &str) -> Option<Data> {
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        Some(self.fields.swap_remove(at).1)
    }
    fn name(&mut self) -> Result<Arc<str>> {
        match self.take("name") {
            Some(Data::Text(text)) if !text.is_empty() && text.len() <= 200 => Ok(text.into()),
            _ => Err(invalid(&format!("{}.name", self.place), "a name")),
        }
    }
    fn truth(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Data::Truth(truth)) => Ok(Some(truth)),
            Some(_) => Err(invalid(&format!("{}.{name}", self.place), "true or false")),
        }
    }
    /// A list of words; None where it is not there. An empty list would say "for nobody", which nobody means.
    fn words(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let place = format!("{}.{name}", self.place);
        match self.take(name) {
            None => Ok(None),
            Some(Data::List(items)) if !items.is_empty() => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| match item {
                    Data::Text(text) => Ok(text),
                    _ => Err(invalid(&format!("{place}[{at}]"), "a text")),
                })
                .collect::<Result<Vec<String>>>()
                .map(Some),
            Some(_) => Err(invalid(&place, "a list that is not empty")),
        }
    }
    /// A set of bits from words; 0 where the list is not there.
    fn bits(&mut self, name: &str, expected: &'static str, bit: impl Fn(&str) -> Option<u64>) -> Result<u64> {
        let mut bits = 0;
        for (at, word) in self.words(name)?.into_iter().flatten().enumerate() {
            let place = || format!("{}.{name}[{at}]", self.place);
            bits |= bit(&word).ok_or_else(|| invalid(&place(), expected))?;
        }
        Ok(bits)
    }
    /// As [`Row::bits`], of a list that has to be there; `*` stands for all.
    fn needed(
        &mut self,
        name: &str,
        expected: &'static str,
        all: u64,
        bit: impl Fn(&str) -> Option<u64>,
    ) -> Result<u64> {
        match self.bits(name, expected, |word| if word == "*" { Some(all) } else { bit(word) })? {
            0 => Err(invalid(&format!("{}.{name}", self.place), expected)),
            bits => Ok(bits),
        }
    }
    fn roles(&mut self) -> Result<u16> {
        let all = Role::ALL.iter().fold(0, |bits, role| bits | role_bit(*role));
        let bit = |word: &str| Role::from_name(word).map(|role| role_bit(role).into());
        Ok(self.needed("roles", "roles", all.into(), bit)? as u16)
    }
    fn purposes(&mut self) -> Result<u16> {
        let all = Purpose::ALL.iter().fold(0, |bits, purpose| bits | purpose_bit(*purpose));
        let bit = |word: &str| Purpose::from_name(word).map(|purpose| purpose_bit(purpose).into());
        Ok(self.needed("purposes", "purposes of use", all.into(), bit)? as u16)
    }
    fn relations(&mut self, name: &str) -> Result<Relations> {
        let bit = |word: &str| {
            Relations::NAMES.iter().find(|(known, _)| *known == word).map(|(_, relation)| u64::from(relation.0))
        };
        Ok(Relations(self.bits(name, "self, proxy, care-team or no-patient", bit)? as u8))
    }
    fn kinds(&mut self) -> Result<Kinds> {
        let mut kinds = Kinds::default();
        for (at, word) in self.words("types")?.into_iter().flatten().enumerate() {
            let place = format!("{}.types[{at}]", self.place);
            kinds.put(ResourceType::from_name(&word).ok_or_else(|| invalid(&place, "a resource type of R4"))?);
        }
        Ok(kinds)
    }
    fn end(self) -> Result<()> {
        match self.fields.first() {
            None => Ok(()),
            // A misspelt condition that was passed over would permit too much.
            Some((name, _)) => Err(invalid(&format!("{}.{name}", self.place), "a field of the policy language")),
        }
    }
}

fn rule(mut row: Row, permits: bool, statuses: &mut Vec<Arc<str>>) -> Result<Rule> {
    let every_action = Action::ALL.iter().fold(0, |bits, action| bits | action.bit());
    let bit_of_action = |word: &str| match word {
        "look" => {
            Some(Action::ALL.iter().filter(|action| action.is_looking()).fold(0, |bits, action| bits | action.bit()))
        }
        word => Action::from_name(word).map(Action::bit),
    };
    let of_compartment = |word: &str| Compartment::from_name(word).map(|one| compartment_bit(one).into());
    let every_compartment = Compartment::ALL.iter().fold(0, |bits, one| bits | compartment_bit(*one));
    let but_notes = every_compartment & !compartment_bit(Compartment::PsychotherapyNotes);
    let compartments = row.bits("compartments", "normal, substance-use or psychotherapy-notes", of_compartment)? as u8;
    let mut made = Rule {
        name: row.name()?,
        permits,
        roles: row.roles()?,
        purposes: row.purposes()?,
        actions: row.needed("actions", "actions", every_action, bit_of_action)?,
        kinds: row.kinds()?,
        // What is not named: a permit leaves psychotherapy notes out, a denial does not.
        compartments: match (compartments, permits) {
            (0, true) => but_notes,
            (0, false) => every_compartment,
            (named, _) => named,
        },
        relations: row.relations("relations")?,
        without_relations: row.relations("without-relations")?,
        sensitivity: row.bits("labels", "a code of sensitivity", Labels::bit)?,
        statuses: 0,
        own_organization: row.truth("own-organization")?,
        author: row.truth("author")?,
        mfa: row.truth("mfa")?,
        consent: row.truth("consent")?.unwrap_or(false),
    };
    for status in row.words("statuses")?.into_iter().flatten() {
        let at = statuses.iter().position(|known| **known == *status).unwrap_or_else(|| {
            statuses.push(status.into());
            statuses.len() - 1
        });
        if at >= 63 {
            return Err(invalid(&format!("{}.statuses", row.place), "at most 63 different statuses in a policy"));
        }
        made.statuses |= 1 << at;
    }
    row.end()?;
    Ok(made)
}

fn clearance(mut row: Row) -> Result<Clearance> {
    let place = format!("{}.confidentiality", row.place);
    let confidentiality = match row.take("confidentiality") {
        None => Confidentiality::Normal,
        Some(Data::Text(code)) => {
            Confidentiality::from_code(&code).ok_or_else(|| invalid(&place, "U, L, M, N, R or V"))?
        }
        Some(_) => return Err(invalid(&place, "U, L, M, N, R or V")),
    };
    let bit = |word: &str| if word == "*" { Some(Labels::ALL_BUT_NOTES) } else { Labels::bit(word) };
    let granted = row.bits("labels", "a code of sensitivity", bit)?;
    let without = row.bits("except", "a code of sensitivity", Labels::bit)?;
    let made = Clearance {
        roles: row.roles()?,
        purposes: row.purposes()?,
        labels: Labels { confidentiality, sensitivity: granted & !without },
    };
    row.end()?;
    Ok(made)
}

fn mask(mut row: Row) -> Result<Mask> {
    let (name, roles, purposes) = (row.name()?, row.roles()?, row.purposes()?);
    let (relations, without) = (row.relations("relations")?, row.relations("without-relations")?);
    let mut elements = Vec::new();
    for (at, path) in row.words("elements")?.into_iter().flatten().enumerate() {
        let place = format!("{}.elements[{at}]", row.place);
        elements.push(
            Mask::element(&path).ok_or_else(|| invalid(&place, "the path of an element of R4 that may be left out"))?,
        );
    }
    if elements.is_empty() {
        return Err(invalid(&format!("{}.elements", row.place), "elements"));
    }
    row.end()?;
    Ok(Mask::new(name, roles, purposes, relations, without, elements))
}
