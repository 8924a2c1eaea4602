//! Functions over collections.

use super::operators::{Seen, truths};
use super::{Call, Run, at, each_child, operand, single};
use crate::error::{Code, Result};
use crate::fhirpath::equality::order;
use crate::fhirpath::functions::Function;
use crate::fhirpath::item::{Collection, Item};
use crate::fhirpath::parser::{Expr, Kind};
use std::cmp::Ordering;

impl<'a> Run<'a, '_> {
    pub(super) fn collection(
        &self,
        function: Function,
        found: Collection<'a>,
        call: Call<'_, 'a>,
    ) -> Result<Collection<'a>> {
        let Call { expr, parameters, frame } = call;
        let boolean = |truth| Ok(Collection::boolean(truth));
        match (function, parameters) {
            (Function::All, [condition]) => {
                for (index, item) in found.into_iter().enumerate() {
                    let one = Collection::One(item);
                    if self.truth(condition, frame.at(&one, index))? != Some(true) {
                        return boolean(false);
                    }
                }
                boolean(true)
            }
            (Function::AllTrue, _) => boolean(truths(&found, expr)?.into_iter().all(|truth| truth)),
            (Function::AnyTrue, _) => boolean(truths(&found, expr)?.into_iter().any(|truth| truth)),
            (Function::AllFalse, _) => boolean(truths(&found, expr)?.into_iter().all(|truth| !truth)),
            (Function::AnyFalse, _) => boolean(truths(&found, expr)?.into_iter().any(|truth| !truth)),
            (Function::SubsetOf, [other]) => {
                let other = self.eval(other, frame)?;
                self.is_subset(&found, &other).map(Collection::boolean)
            }
            (Function::SupersetOf, [other]) => {
                let other = self.eval(other, frame)?;
                self.is_subset(&other, &found).map(Collection::boolean)
            }
            (Function::Count, _) => Ok(Collection::One(Item::Integer(found.len() as i64))),
            (Function::Distinct, _) => self.distinct(found.into_iter()),
            (Function::IsDistinct, _) => {
                let mut seen = Seen::default();
                for item in found {
                    if !seen.add(self, item)? {
                        return boolean(false);
                    }
                }
                boolean(true)
            }
            (Function::Where, [condition]) => {
                let mut kept = Collection::None;
                for (index, item) in found.into_iter().enumerate() {
                    let one = Collection::One(item);
                    if self.truth(condition, frame.at(&one, index))? == Some(true) {
                        if let Collection::One(item) = one {
                            kept.push(item);
                        }
                    }
                }
                Ok(kept)
            }
            (Function::Select, [projection]) => {
                let mut made = Collection::None;
                for (index, item) in found.into_iter().enumerate() {
                    let one = Collection::One(item);
                    for item in self.eval(projection, frame.at(&one, index))? {
                        self.spend(1)?;
                        made.push(item);
                    }
                }
                Ok(made)
            }
            (Function::Repeat, [projection]) => {
                let mut seen = Seen::default();
                let mut todo: Vec<Collection<'a>> = vec![found];
                while let Some(next) = todo.pop() {
                    for (index, item) in next.into_iter().enumerate() {
                        let one = Collection::One(item);
                        let mut new = Collection::None;
                        for item in self.eval(projection, frame.at(&one, index))? {
                            if seen.add(self, item.clone())? {
                                new.push(item);
                            }
                        }
                        if !new.is_empty() {
                            todo.push(new);
                        }
                    }
                }
                Ok(seen.into_collection())
            }
            (Function::Aggregate, [step, start @ ..]) => {
                let mut total = match start {
                    [start] => self.eval(start, frame)?,
                    _ => Collection::None,
                };
                for (index, item) in found.into_iter().enumerate() {
                    let one = Collection::One(item);
                    let next = self.eval(step, super::Frame { this: &one, index: Some(index), total: Some(&total) })?;
                    self.spend(next.len() as u64)?;
                    total = next;
                }
                Ok(total)
            }
            (Function::Sort, keys) => self.sort(found, keys, call),
            (Function::Single, _) => Ok(single(found, expr)?.into()),
            (Function::First, _) => Ok(found.first().into()),
            (Function::Last, _) => Ok(found.into_iter().last().into()),
            (Function::Tail, _) => Ok(found.into_iter().skip(1).collect()),
            (Function::Skip, [count]) => {
                let count = self.integer(count, frame)?.unwrap_or(0);
                Ok(found.into_iter().skip(usize::try_from(count).unwrap_or(0)).collect())
            }
            (Function::Take, [count]) => {
                let count = self.integer(count, frame)?.unwrap_or(0);
                Ok(found.into_iter().take(usize::try_from(count).unwrap_or(0)).collect())
            }
            (Function::Intersect, [other]) => {
                let other = self.eval(other, frame)?;
                let mut seen = Seen::default();
                for item in found {
                    if self.contains(&other, &item)? {
                        seen.add(self, item)?;
                    }
                }
                Ok(seen.into_collection())
            }
            (Function::Exclude, [other]) => {
                let other = self.eval(other, frame)?;
                let mut kept = Collection::None;
                for item in found {
                    if !self.contains(&other, &item)? {
                        kept.push(item);
                    }
                }
                Ok(kept)
            }
            (Function::Union, [other]) => {
                let other = self.eval(other, frame)?;
                self.distinct(found.into_iter().chain(other))
            }
            (Function::Combine, [other]) => {
                let other = self.eval(other, frame)?;
                self.spend(other.len() as u64)?;
                Ok(found.into_iter().chain(other).collect())
            }
            (Function::Iif, [condition, then, otherwise @ ..]) => {
                let item = single(found, expr)?;
                let this = Collection::from(item);
                let frame = frame.at(&this, 0);
                let found = self.eval(condition, frame)?;
                match (super::operators::criterion(&found, condition)?, otherwise) {
                    (Some(true), _) => self.eval(then, frame),
                    (_, [otherwise]) => self.eval(otherwise, frame),
                    _ => Ok(Collection::None),
                }
            }
            _ => Err(at(Code::FhirpathArity, expr)),
        }
    }

    fn is_subset(&self, part: &Collection<'a>, whole: &Collection<'a>) -> Result<bool> {
        for item in part.iter() {
            if !self.contains(whole, item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sorts by keys, each the other way round with a minus in front; what has no key comes first.
    fn sort(&self, found: Collection<'a>, keys: &'a [Expr], call: Call<'_, 'a>) -> Result<Collection<'a>> {
        let mut rows: Vec<(Vec<Option<Item<'a>>>, Item<'a>)> = Vec::with_capacity(found.len());
        for (index, item) in found.into_iter().enumerate() {
            let one = Collection::One(item);
            let mut row = Vec::with_capacity(keys.len().max(1));
            for key in keys {
                let key = if let Kind::Negative(key) = &key.kind { key } else { key };
                row.push(single(self.eval(key, call.frame.at(&one, index))?, key)?);
            }
            let item = one.first().ok_or_else(|| at(Code::FhirpathOperand, call.expr))?;
            if keys.is_empty() {
                row.push(Some(item.clone()));
            }
            rows.push((row, item));
        }
        self.spend(rows.len() as u64 * 16)?;
        let mut unordered = false;
        rows.sort_by(|(a, _), (b, _)| {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                let found = match (a, b) {
                    (Some(a), Some(b)) => match order(a, b) {
                        Ok(found) => found.unwrap_or(Ordering::Equal),
                        Err(_) => {
                            unordered = true;
                            Ordering::Equal
                        }
                    },
                    // What has no key comes first, whichever way the key sorts.
                    (a, b) if a.is_some() != b.is_some() => return a.is_some().cmp(&b.is_some()),
                    _ => Ordering::Equal,
                };
                let down = keys.get(at).is_some_and(|key| matches!(key.kind, Kind::Negative(_)));
                let found = if down { found.reverse() } else { found };
                if found.is_ne() {
                    return found;
                }
            }
            Ordering::Equal
        });
        if unordered {
            return Err(operand(call.expr, "values of types that have an order"));
        }
        Ok(rows.into_iter().map(|(_, item)| item).collect())
    }

    /// Every element below the items.
    pub(super) fn descendants(&self, found: &Collection<'a>) -> Result<Collection<'a>> {
        let mut made: Vec<Item<'a>> = Vec::new();
        for item in found.iter() {
            each_child(item, &mut |child| {
                made.push(Item::Element(child));
                Ok(())
            })?;
        }
        let mut at = 0;
        while at < made.len() {
            self.spend(2)?;
            let item = made[at].clone();
            each_child(&item, &mut |child| {
                made.push(Item::Element(child));
                Ok(())
            })?;
            at += 1;
        }
        Ok(match made.len() {
            0 => Collection::None,
            _ => Collection::Many(made),
        })
    }
}
