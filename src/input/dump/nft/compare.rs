//! Matches: a left side, an operator and a right side, as conditions (libnftables-json(5), MATCH).

use super::field::{self, Field, Left};
use super::ranges::{self, Ranges, has, last};
use super::scope::Scope;
use super::set::{self, Box_, Elements, Sets};
use super::test;
use super::value::{self, Outcome, Values};
use super::words;
use crate::diag::Diagnostic;
use crate::input::dump::fields::Reading;
use crate::input::dump::iptables::condition::{Condition, Holds};
use crate::input::dump::json::Json;
use crate::model::translation::End;
use crate::model::{Match, Test};
use crate::source::Span;

/// How many ranges a mask may make of one value.
const MASKED_RANGES_MAX: usize = 512;

/// Offsets of fragments, without the flags beside them.
const OFFSET_MASK: u128 = 0x1fff;

/// Reads a match behind conditions of the same rule.
pub(super) fn read<'j, 'a>(
    json: &'j Json<'a>,
    before: &[Condition],
    sets: &Sets<'j, 'a>,
    scope: &mut Scope<'_>,
    reading: &mut Reading<'a, '_>,
) -> Result<Vec<Condition>, Diagnostic> {
    let span = json.span;
    let Some(mut fields) = reading.fields(json) else { return Ok(vec![scope.not_understood(span)]) };
    let op = fields.take("op").and_then(field::text_of).unwrap_or("==");
    let (Some(left), Some(right)) = (fields.take("left"), fields.take("right")) else {
        return Ok(vec![scope.not_understood(span)]);
    };
    let is_whole = fields.left().next().is_none();
    let mut known = known(before);
    let left = field::left(left, &known, scope, reading)?;
    let elements = set::elements(right, sets)?;
    let mut made = left.needs.clone();
    known.extend(self::known(&made));
    let held = if is_whole { holds(&left, op, &elements, (span, &known), scope)? } else { None };
    made.push(match held {
        Some(condition) => condition,
        None => scope.not_understood(span),
    });
    Ok(made)
}

/// What conditions say of the family and the protocol.
pub(super) fn known(conditions: &[Condition]) -> Vec<Match> {
    let of = |condition: &Condition| match &condition.holds {
        Holds::All(all) => all.iter().filter(|one| is_of_header(one)).cloned().collect(),
        Holds::Never | Holds::Fragment { .. } => Vec::new(),
    };
    conditions.iter().flat_map(of).collect()
}

fn is_of_header(one: &Match) -> bool {
    matches!(one.test, Test::Protocol(_) | Test::Family(_))
}

/// The condition of a match that is understood.
fn holds(
    left: &Left<'_, '_>,
    op: &str,
    elements: &Elements<'_, '_>,
    (span, known): (Span, &[Match]),
    scope: &mut Scope<'_>,
) -> Outcome<Condition> {
    let fields = left.fields.as_slice();
    if fields.contains(&Field::Unclear) || matches!(elements, Elements::Changing(_)) {
        return Ok(None);
    }
    if let ([field], Elements::One(right)) = (fields, elements) {
        return compared(*field, left.mask, op, right, (span, known), scope);
    }
    if left.mask.is_some() || fields.contains(&Field::Status) || fields.contains(&Field::Offset) {
        return Ok(None);
    }
    let negated = match op {
        "==" | "in" => false,
        "!=" => true,
        _ => return Ok(None),
    };
    let listed = match elements {
        Elements::Listed(list) => *list,
        Elements::One(right) => std::slice::from_ref(*right),
        Elements::Changing(_) => return Ok(None),
    };
    let Some(boxes) = set::boxes(fields, listed)? else { return Ok(None) };
    Ok(Some(of_boxes(fields, boxes, negated, (span, known), scope)))
}

/// The condition that a packet is in one of the boxes, or in none.
pub(super) fn of_boxes(
    fields: &[Field],
    boxes: Vec<Box_>,
    negated: bool,
    (span, known): (Span, &[Match]),
    scope: &mut Scope<'_>,
) -> Condition {
    if let [field] = fields {
        let values = boxes.into_iter().flatten().next().or_else(|| Values::none(*field));
        let Some(values) = values else { return scope.not_understood(span) };
        let values = if negated { values.others(*field) } else { values };
        return of_values(*field, &values, (span, known), scope);
    }
    let mut each = Vec::new();
    for one in boxes {
        if let Some(tests) = of_box(fields, &one, (span, known), scope) {
            match tests.len() {
                // The box of everything.
                0 => return if negated { Condition::never() } else { Condition::always() },
                _ => each.push(test::all(tests, span)),
            }
        }
    }
    match (each.is_empty(), negated) {
        (true, true) => Condition::always(),
        (true, false) => Condition::never(),
        (false, _) => {
            let any = test::any(each, span);
            Condition::all(vec![Match { negated: any.negated != negated, ..any }])
        }
    }
}

fn of_box(
    fields: &[Field],
    one: &Box_,
    (span, known): (Span, &[Match]),
    scope: &mut Scope<'_>,
) -> Option<Vec<Match>> {
    let mut tests = Vec::new();
    let mut known = known.to_vec();
    for (field, values) in fields.iter().zip(one) {
        let more = test::of_field(*field, values, span, &known, scope)?;
        known.extend(more.iter().filter(|one| is_of_header(one)).cloned());
        tests.extend(more);
    }
    Some(tests)
}

fn of_values(
    field: Field,
    values: &Values,
    (span, known): (Span, &[Match]),
    scope: &mut Scope<'_>,
) -> Condition {
    match test::of_field(field, values, span, known, scope) {
        Some(tests) => Condition::all(tests),
        None => Condition::never(),
    }
}

/// Compares one field with one value.
fn compared(
    field: Field,
    mask: Option<&Json<'_>>,
    op: &str,
    right: &Json<'_>,
    (span, known): (Span, &[Match]),
    scope: &mut Scope<'_>,
) -> Outcome<Condition> {
    let mask = match mask {
        None => None,
        Some(json) => match value::number(field, json)? {
            Some(mask) => Some(mask),
            None => return Ok(None),
        },
    };
    let (field, mask) = match (field, mask) {
        // The values are those of the bits that are looked at.
        (Field::Mark { of, mask: all }, Some(mask)) => {
            let Ok(mask) = u32::try_from(mask) else { return Ok(None) };
            (Field::Mark { of, mask: all & mask }, None)
        }
        unmasked => unmasked,
    };
    match field {
        Field::InName | Field::OutName => {
            let Some(values) = value::one(field, right)?.filter(|_| mask.is_none()) else { return Ok(None) };
            let values = match op {
                "==" => values,
                "!=" => values.others(field),
                _ => return Ok(None),
            };
            return Ok(Some(of_values(field, &values, (span, known), scope)));
        }
        Field::Status => {
            let Some(value) = value::number(field, right)? else { return Ok(None) };
            let asked = translated(mask, op, value);
            return Ok(asked.map(|(ends, negated)| {
                let test = |end| Match { test: Test::Translated(end), negated: false, span };
                Condition::any(ends.into_iter().map(test).collect(), negated, span)
            }));
        }
        _ => {}
    }
    let Some(held) = numbers(field, mask, op, right)? else { return Ok(None) };
    if field == Field::Offset {
        return Ok(later_fragments(&held, span));
    }
    Ok(Some(of_values(field, &Values::Numbers(held), (span, known), scope)))
}

/// Which ends a question for the status of a connection asks about: whether any is translated (`false`), or none (`true`).
fn translated(mask: Option<u128>, op: &str, value: u128) -> Option<(Vec<End>, bool)> {
    let (bits, negated) = match (mask, op) {
        (None, "in") => (value, false),
        (None, "!") => (value, true),
        (Some(mask), "==") if value == 0 => (mask, true),
        (Some(mask), "!=") if value == 0 => (mask, false),
        (Some(mask), "==") if value == mask && mask.is_power_of_two() => (mask, false),
        _ => return None,
    };
    let ends = [(words::SNAT, End::Source), (words::DNAT, End::Destination)];
    let known = bits != 0 && bits & !(words::SNAT | words::DNAT) == 0;
    known
        .then(|| (ends.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, end)| end).collect(), negated))
}

/// The condition that a packet is a later fragment, or none, if that is what is asked.
fn later_fragments(held: &Ranges, span: Span) -> Option<Condition> {
    let all = |later: bool| {
        (0..=last(16)).filter(|offset| (offset & OFFSET_MASK != 0) == later).all(|offset| has(held, offset))
    };
    let none = |later: bool| {
        !(0..=last(16)).filter(|offset| (offset & OFFSET_MASK != 0) == later).any(|offset| has(held, offset))
    };
    let later = if all(true) && none(false) {
        true
    } else if all(false) && none(true) {
        false
    } else {
        return None;
    };
    Some(Condition { holds: Holds::Fragment { later, span }, looks_inside: false })
}

/// The numbers that a field may hold.
fn numbers(field: Field, mask: Option<u128>, op: &str, right: &Json<'_>) -> Outcome<Ranges> {
    let bits = field.bits().unwrap_or(0);
    let Some(Values::Numbers(named)) = value::one(field, right)?.map(Values::merged) else { return Ok(None) };
    let single = match named.as_slice() {
        [(low, high)] if low == high => Some(*low),
        _ => None,
    };
    let above = |low: u128| if low > last(bits) { Vec::new() } else { vec![(low, last(bits))] };
    let below = |high: Option<u128>| high.map_or(Vec::new(), |high| vec![(0, high)]);
    let is_of_bits = matches!(field, Field::State | Field::Flags | Field::Offset);
    let wanted: Ranges = match (op, single) {
        ("==", _) => named,
        ("!=", _) => ranges::others(&named, bits),
        ("<", Some(value)) => below(value.checked_sub(1)),
        ("<=", Some(value)) => below(Some(value)),
        (">", Some(value)) => value.checked_add(1).map_or(Vec::new(), above),
        (">=", Some(value)) => above(value),
        ("in", Some(value)) if is_of_bits && mask.is_none() => {
            return Ok(enumerated(field, |number| number & value != 0));
        }
        ("!", Some(value)) if is_of_bits && mask.is_none() => {
            return Ok(enumerated(field, |number| number & value == 0));
        }
        _ => return Ok(None),
    };
    let Some(mask) = mask else { return Ok(Some(wanted)) };
    if let Some(found) = enumerated(field, |number| has(&wanted, number & mask)) {
        return Ok(Some(found).filter(|found| found.len() <= MASKED_RANGES_MAX));
    }
    // The first bits of an address.
    let free = last(bits) & !mask;
    let is_prefix = bits > 16 && (free + 1).is_power_of_two();
    let (Some(value), true) = (single, is_prefix && matches!(op, "==" | "!=")) else { return Ok(None) };
    let held = if value & free == 0 { vec![(value, value | free)] } else { Vec::new() };
    Ok(Some(if op == "!=" { ranges::others(&held, bits) } else { held }))
}

/// The numbers of a small field for which something holds.
fn enumerated(field: Field, holds: impl Fn(u128) -> bool) -> Option<Ranges> {
    match field {
        Field::State => {
            let held = words::STATES.iter().map(|(_, bit)| *bit).filter(|bit| holds(*bit));
            Some(ranges::merged(held.map(|bit| (bit, bit)).collect()))
        }
        _ => field.bits().filter(|bits| *bits <= 16).map(|bits| ranges::where_holds(bits, holds)),
    }
}

/// The condition of a test that stands alone.
pub(super) fn of_test(test: Test, span: Span) -> Condition {
    Condition::test(test, false, span)
}
