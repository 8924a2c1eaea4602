//! Which items are enabled: `enableWhen` against the answers nearest to the item.

use super::answer::compare;
use super::definition::Item;
use super::value;
use crate::record::Node;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Whether the conditions of an item hold where it stands; None where one cannot be worked out.
pub(super) fn is_enabled<'a>(
    item: &Item<'_>,
    around: &[Node<'a>],
    answers: &HashMap<Cow<'a, str>, Vec<Node<'a>>>,
    steps: &mut u64,
) -> Option<bool> {
    if item.expression {
        return None;
    }
    if item.conditions.is_empty() {
        return Some(true);
    }
    let mut held = item.conditions.iter().map(|condition| holds(*condition, around, answers, steps));
    if item.all_conditions {
        held.try_fold(true, |all, one| one.map(|one| all && one))
    } else {
        held.try_fold(false, |any, one| one.map(|one| any || one))
    }
}

fn holds<'a>(
    condition: Node<'_>,
    around: &[Node<'a>],
    answers: &HashMap<Cow<'a, str>, Vec<Node<'a>>>,
    steps: &mut u64,
) -> Option<bool> {
    let question = condition.text("question")?;
    let operator = condition.text("operator")?;
    let wanted = condition.children_named("answer").map(|(_, answer)| answer).next()?;
    let given = nearest(&question, around, answers);
    *steps = steps.saturating_sub(given.len() as u64);
    let mut values = given.iter().flat_map(|item| item.list("answer")).filter_map(value);
    if operator == "exists" {
        return Some(values.next().is_some() == wanted.as_bool()?);
    }
    // With no answer, no comparison holds.
    Some(values.any(|value| {
        let order = compare(value, wanted);
        match &*operator {
            "=" => order == Some(Ordering::Equal),
            "!=" => order != Some(Ordering::Equal),
            ">" => order == Some(Ordering::Greater),
            "<" => order == Some(Ordering::Less),
            ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            _ => false,
        }
    }))
}

/// The items of that linkId inside the innermost of `around` that has any.
fn nearest<'s, 'a>(
    question: &str,
    around: &[Node<'a>],
    answers: &'s HashMap<Cow<'a, str>, Vec<Node<'a>>>,
) -> &'s [Node<'a>] {
    let all = answers.get(question).map(Vec::as_slice).unwrap_or_default();
    for outer in around.iter().rev() {
        let span = outer.span();
        let from = all.partition_point(|item| item.span().start < span.start);
        let to = all.partition_point(|item| item.span().start < span.end);
        if from < to {
            return &all[from..to];
        }
    }
    &[]
}
