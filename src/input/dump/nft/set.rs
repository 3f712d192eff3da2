//! Sets and maps: named ones of the table, and those that stand in a rule; their elements as boxes of values.

use super::field::{Field, only_entry, text_of};
use super::value::{self, Outcome, Values};
use crate::diag::{Code, Diagnostic, suggest};
use crate::input::dump::json::{Json, Value};
use crate::source::Span;
use std::collections::BTreeMap;

/// How many boxes of a concatenation one rule may name after what can be joined is joined.
const BOXES_MAX: usize = 10_000;

/// A named set or map.
pub(super) struct Named<'j, 'a> {
    /// Where it is declared.
    pub(super) span: Span,
    /// Its elements as the dump shows them.
    pub(super) elements: &'j [Json<'a>],
    /// Whether what it holds may have changed when a packet comes: elements with timeouts, or added by rules.
    pub(super) changes: bool,
}

/// The named sets and maps of a table.
pub(super) type Sets<'j, 'a> = BTreeMap<&'j str, Named<'j, 'a>>;

/// The elements that a right side or the data of a map names.
pub(super) enum Elements<'j, 'a> {
    /// They are written there, or those of a named set.
    Listed(&'j [Json<'a>]),
    /// Those that a named set had when it was dumped; it may change.
    Changing(&'j [Json<'a>]),
    /// It is one value.
    One(&'j Json<'a>),
}

/// The elements of a right side. A set that is not declared is an error.
pub(super) fn elements<'j, 'a>(
    json: &'j Json<'a>,
    sets: &Sets<'j, 'a>,
) -> Result<Elements<'j, 'a>, Diagnostic> {
    if let Some(name) = text_of(json).and_then(|text| text.strip_prefix('@')) {
        return match sets.get(name) {
            Some(set) if set.changes => Ok(Elements::Changing(set.elements)),
            Some(set) => Ok(Elements::Listed(set.elements)),
            None => Err(undeclared(name, json.span, sets)),
        };
    }
    Ok(match only_entry(json) {
        Some(("set", inner)) => match &inner.value {
            Value::Array(items) => Elements::Listed(items),
            // A set of one element.
            _ => Elements::Listed(std::slice::from_ref(inner)),
        },
        _ => Elements::One(json),
    })
}

/// The error about a set that the table does not declare.
pub(super) fn undeclared(name: &str, span: Span, sets: &Sets<'_, '_>) -> Diagnostic {
    let message = format!("the set `{name}` is not declared in this table");
    let hint = suggest(name, sets.keys().copied());
    Diagnostic::error(Code::UnknownName, span, message).maybe_help(hint)
}

/// The value of an element; `None` if it may come and go, or does more than match.
pub(super) fn plain_element<'j, 'a>(json: &'j Json<'a>) -> Option<&'j Json<'a>> {
    match only_entry(json) {
        Some(("elem", inner)) => match &inner.value {
            Value::Object(entries) => {
                let quiet = |key: &str| matches!(key, "val" | "comment" | "counter");
                let value = entries.iter().find(|(key, _)| key.value == "val").map(|(_, value)| value);
                value.filter(|_| entries.iter().all(|(key, _)| quiet(&key.value)))
            }
            _ => None,
        },
        _ => Some(json),
    }
}

/// A set of packets by several fields: one set of values for each field.
pub(super) type Box_ = Vec<Values>;

/// Whether an element is all that no other one is.
pub(super) fn is_rest(json: &Json<'_>) -> bool {
    text_of(json) == Some("*")
}

/// The box of one element.
pub(super) fn box_of(fields: &[Field], json: &Json<'_>) -> Outcome<Box_> {
    if is_rest(json) {
        return Ok(fields.iter().map(|field| Values::all(*field)).collect());
    }
    let [field] = fields else {
        let parts = match only_entry(json) {
            Some(("concat", inner)) => match &inner.value {
                Value::Array(parts) if parts.len() == fields.len() => parts,
                _ => {
                    let message = format!("expected {} values", fields.len());
                    return Err(Diagnostic::error(Code::Dump, inner.span, message));
                }
            },
            // Prefixes and ranges of whole concatenations.
            _ => return Ok(None),
        };
        let mut made = Vec::with_capacity(parts.len());
        for (field, part) in fields.iter().zip(parts) {
            match value::one(*field, part)? {
                Some(values) => made.push(values),
                None => return Ok(None),
            }
        }
        return Ok(Some(made));
    };
    Ok(value::one(*field, json)?.map(|values| vec![values]))
}

/// The boxes of elements, as few as joining along one field after the other makes them.
pub(super) fn boxes(fields: &[Field], elements: &[Json<'_>]) -> Outcome<Vec<Box_>> {
    let mut made: Vec<Box_> = Vec::new();
    for element in elements {
        let Some(plain) = plain_element(element) else { return Ok(None) };
        match box_of(fields, plain)? {
            Some(one) => match (made.first_mut(), one.as_slice()) {
                // One field: no list of lists for a million elements.
                (Some(first), [_]) => first.iter_mut().zip(one).for_each(|(all, more)| all.extend(more)),
                _ => made.push(one),
            },
            None => return Ok(None),
        }
    }
    let made = joined(made, fields.len());
    Ok((made.len() <= BOXES_MAX).then_some(made))
}

/// Joins boxes that differ in one field only.
pub(super) fn joined(mut boxes: Vec<Box_>, fields: usize) -> Vec<Box_> {
    for along in (0..fields).rev() {
        let mut groups: BTreeMap<Box_, Values> = BTreeMap::new();
        for mut one in boxes {
            if along >= one.len() {
                continue;
            }
            let values = one.remove(along);
            match groups.get_mut(&one) {
                Some(group) => group.extend(values),
                None => {
                    groups.insert(one, values);
                }
            }
        }
        let back = |(mut rest, values): (Box_, Values)| {
            rest.insert(along, values.merged());
            rest
        };
        boxes = groups.into_iter().map(back).collect();
    }
    boxes
}
