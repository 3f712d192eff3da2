//! Verdict maps: a key decides what is done. Elements do not overlap, so that their order says nothing.

use super::compare::{known, of_boxes};
use super::field::{self, Field, only_entry};
use super::rule::{Outcome, RuleReader, Verdict};
use super::set::{self, Box_, Elements};
use crate::diag::{Code, Diagnostic};
use crate::input::dump::iptables::condition::Condition;
use crate::input::dump::json::{Json, Value};
use crate::source::Span;
use std::collections::BTreeMap;

/// What the elements of one verdict have in common.
struct Group {
    made: Verdict,
    boxes: Vec<Box_>,
    /// Whether it is for all keys that no element names.
    is_rest: bool,
}

/// The groups of a map, by verdict: a number for the word, and the chain it names.
type Groups = BTreeMap<(u8, usize), Group>;

/// Reads a verdict map.
pub(super) fn read<'j, 'a>(
    reader: &mut RuleReader<'_, '_, 'j, 'a, '_, '_>,
    json: &'j Json<'a>,
    span: Span,
) -> Outcome<()> {
    let (key, data) = match &json.value {
        Value::Object(entries) => match entries.as_slice() {
            [(key, left), (data, right)] if key.value == "key" && data.value == "data" => (left, right),
            _ => {
                unclear(reader, span);
                return Ok(());
            }
        },
        _ => {
            unclear(reader, span);
            return Ok(());
        }
    };
    let left = field::left(key, &known(&reader.conditions), reader.scope, reader.reading)?;
    let elements = set::elements(data, reader.names.sets)?;
    let unreadable = left.mask.is_some()
        || left.fields.iter().any(|one| matches!(one, Field::Unclear | Field::Status | Field::Offset));
    reader.conditions.extend(left.needs);
    let (list, changes) = match elements {
        Elements::Listed(list) => (list, false),
        Elements::Changing(list) => (list, true),
        Elements::One(_) => {
            unclear(reader, span);
            return Ok(());
        }
    };
    let mut groups = Groups::new();
    let mut understood = !unreadable && !changes;
    for element in list {
        understood &= take(reader, element, if unreadable { &[] } else { &left.fields }, &mut groups)?;
    }
    match understood {
        true => apply(reader, &left.fields, groups, span),
        false => perhaps(reader, groups, span),
    }
    if changes {
        unclear(reader, span);
    }
    Ok(())
}

/// Anything may be done.
fn unclear(reader: &mut RuleReader<'_, '_, '_, '_, '_, '_>, span: Span) {
    let id = reader.scope.unknown_act(span);
    reader.step(Verdict::Unclear(id));
    reader.doubt(span);
}

/// Takes one element, a pair of key and verdict; whether its key is understood.
fn take<'a>(
    reader: &mut RuleReader<'_, '_, '_, 'a, '_, '_>,
    element: &Json<'a>,
    fields: &[Field],
    groups: &mut Groups,
) -> Outcome<bool> {
    let pair = match &element.value {
        Value::Array(pair) => pair.as_slice(),
        _ => &[],
    };
    let [key, verdict] = pair else {
        let message = "expected a key and a verdict";
        return Err(Diagnostic::error(Code::Dump, element.span, message));
    };
    let Some((word, inner)) = only_entry(verdict) else {
        return Err(Diagnostic::error(Code::Dump, verdict.span, "expected a verdict"));
    };
    let made = reader.verdict(word, inner, verdict.span)?;
    let sort = match &made {
        Verdict::Accept => (0, 0),
        Verdict::Drop => (1, 0),
        Verdict::Return => (2, 0),
        Verdict::Continue => (3, 0),
        Verdict::Jump(to) => (4, *to),
        Verdict::Goto(to) => (5, *to),
        _ => (6, 0),
    };
    let group = groups.entry(sort).or_insert_with(|| Group { made, boxes: Vec::new(), is_rest: false });
    let Some(plain) = set::plain_element(key) else { return Ok(false) };
    if set::is_rest(plain) {
        group.is_rest = true;
        return Ok(true);
    }
    if fields.is_empty() {
        return Ok(false);
    }
    let Some(one) = set::box_of(fields, plain)? else { return Ok(false) };
    match (group.boxes.first_mut(), one.as_slice()) {
        (Some(first), [_]) => first.iter_mut().zip(one).for_each(|(all, more)| all.extend(more)),
        _ => group.boxes.push(one),
    }
    Ok(true)
}

/// One step for each verdict, under the keys that lead to it.
fn apply(reader: &mut RuleReader<'_, '_, '_, '_, '_, '_>, fields: &[Field], groups: Groups, span: Span) {
    let known = known(&reader.conditions);
    let has_rest = groups.values().any(|group| group.is_rest);
    let mut named: Vec<Box_> = Vec::new();
    let mut rest = None;
    for (_, group) in groups {
        let boxes = set::joined(group.boxes, fields.len());
        if has_rest {
            named.extend(boxes.iter().cloned());
        }
        if group.is_rest {
            rest = Some(group.made.clone());
        }
        if !boxes.is_empty() {
            let fits = of_boxes(fields, boxes, false, (span, &known), reader.scope);
            reader.step_if(vec![fits], group.made);
        }
    }
    if let Some(verdict) = rest {
        let named = set::joined(named, fields.len());
        let others = match (named.as_slice(), fields) {
            ([], _) => Condition::always(),
            _ => of_boxes(fields, named, true, (span, &known), reader.scope),
        };
        reader.step_if(vec![others], verdict);
    }
    // What follows in the rule is reached by `continue` only.
    reader.doubt(span);
}

/// Each verdict perhaps.
fn perhaps(reader: &mut RuleReader<'_, '_, '_, '_, '_, '_>, groups: Groups, span: Span) {
    for (_, group) in groups {
        let doubt = reader.scope.not_understood(span);
        reader.step_if(vec![doubt], group.made);
    }
    reader.doubt(span);
}
