//! Statements that translate addresses: `snat`, `dnat`, `masquerade`, `redirect` (nft(8), NAT STATEMENTS).

use super::compare;
use super::field::{self, Field, only_entry, text_of};
use super::rule::{Outcome, RuleReader, Verdict};
use super::set::{self, Elements};
use super::value::{self, Values};
use crate::header::{AddressRange, Family, address_from_number};
use crate::input::dump::iptables::Side;
use crate::input::dump::iptables::condition::Condition;
use crate::input::dump::iptables::target::Effect;
use crate::input::dump::json::{Json, Value};
use crate::model::translation::End;
use crate::model::{NewAddress, Translation};
use crate::source::Span;

/// How many elements a map of new addresses may have: each is a rule.
const ELEMENTS_MAX: usize = 10_000;

/// The parts of a statement.
#[derive(Default)]
struct Parts<'j, 'a> {
    family: Option<Family>,
    address: Option<&'j Json<'a>>,
    port: Option<&'j Json<'a>>,
    random: bool,
    /// 1:1: the prefix takes the place of the first bits.
    netmap: bool,
    /// Whether something of it is not understood.
    unclear: bool,
}

/// Reads a statement that translates.
pub(super) fn read<'j, 'a>(
    reader: &mut RuleReader<'_, '_, 'j, 'a, '_, '_>,
    kind: &str,
    json: &'j Json<'a>,
    span: Span,
) -> Outcome<()> {
    let parts = parts(json);
    let end = if matches!(kind, "snat" | "masquerade") { End::Source } else { End::Destination };
    let borrows = matches!(kind, "masquerade" | "redirect");
    let family = parts.family.or_else(|| reader.scope.only_family()).or_else(|| family_of(parts.address));
    if let Some(family) = family {
        let fits = super::field::of_family(family, span, reader.scope);
        reader.needs(fits);
    }
    let made = |to, ports| Translation { end, to, ports, random: parts.random, span };
    let map = parts.address.and_then(only_entry).filter(|(kind, _)| *kind == "map").map(|(_, map)| map);
    if let (Some(map), None, Some(family), false) = (map, parts.port, family, parts.unclear) {
        let translations = mapped(reader, map, (family, parts.netmap))?;
        if let Some(translations) = translations {
            for (fits, to, ports) in translations {
                reader.step_if(vec![fits], Verdict::Translate(made(to, ports)));
            }
            return Ok(());
        }
    }
    let to = match (parts.address, family) {
        (None, _) if borrows => Some(NewAddress::Interface),
        (None, _) => Some(NewAddress::Kept),
        (Some(address), Some(family)) if !borrows => new_address(address, family, parts.netmap)?,
        (Some(_), _) => None,
    };
    let ports = match parts.port {
        None => Some(None),
        Some(port) => ports(port)?.map(Some),
    };
    match (to, ports) {
        (Some(to), Some(ports)) if !parts.unclear => {
            reader.step(Verdict::Translate(made(to, ports)));
        }
        _ => reader.not_understood(span, Effect::Havoc),
    }
    Ok(())
}

/// A key of a map as a condition, with what its packets become.
type Mapped = (Condition, NewAddress, Option<(u16, u16)>);

/// What each element of a map makes of packets; `None` if one of them is not understood.
fn mapped<'j, 'a>(
    reader: &mut RuleReader<'_, '_, 'j, 'a, '_, '_>,
    map: &'j Json<'a>,
    (family, netmap): (Family, bool),
) -> Outcome<Option<Vec<Mapped>>> {
    let Value::Object(entries) = &map.value else { return Ok(None) };
    let [(key, left), (data, right)] = entries.as_slice() else { return Ok(None) };
    if key.value != "key" || data.value != "data" {
        return Ok(None);
    }
    let left = field::left(left, &compare::known(&reader.conditions), reader.scope, reader.reading)?;
    let unreadable = left.mask.is_some()
        || left.fields.iter().any(|one| matches!(one, Field::Unclear | Field::Status | Field::Offset));
    reader.conditions.extend(left.needs);
    let Elements::Listed(list) = set::elements(right, reader.names.sets)? else { return Ok(None) };
    if unreadable || list.len() > ELEMENTS_MAX {
        return Ok(None);
    }
    let known = compare::known(&reader.conditions);
    let mut made = Vec::with_capacity(list.len());
    for element in list {
        let Value::Array(pair) = &element.value else { return Ok(None) };
        let [key, value] = pair.as_slice() else { return Ok(None) };
        let Some(plain) = set::plain_element(key).filter(|key| !set::is_rest(key)) else { return Ok(None) };
        let Some(one) = set::box_of(&left.fields, plain)? else { return Ok(None) };
        let (address, port) = match only_entry(value) {
            Some(("concat", parts)) => match &parts.value {
                Value::Array(parts) if parts.len() == 2 => (&parts[0], ports(&parts[1])?),
                _ => return Ok(None),
            },
            _ => (value, None),
        };
        let Some(to) = new_address(address, family, netmap)? else { return Ok(None) };
        if port.is_none() && only_entry(value).is_some_and(|(kind, _)| kind == "concat") {
            return Ok(None);
        }
        let fits = compare::of_boxes(&left.fields, vec![one], false, (element.span, &known), reader.scope);
        made.push((fits, to, port));
    }
    Ok(Some(made))
}

fn parts<'j, 'a>(json: &'j Json<'a>) -> Parts<'j, 'a> {
    let mut parts = Parts::default();
    let Value::Object(entries) = &json.value else { return parts };
    for (key, value) in entries {
        match key.value.as_ref() {
            "addr" => parts.address = Some(value),
            "port" => parts.port = Some(value),
            "family" => {
                parts.family = match text_of(value) {
                    Some("ip") => Some(Family::V4),
                    Some("ip6") => Some(Family::V6),
                    _ => None,
                };
                parts.unclear |= parts.family.is_none();
            }
            "flags" | "type_flags" => {
                let words: Vec<Option<&str>> = match &value.value {
                    Value::Array(items) => items.iter().map(text_of).collect(),
                    _ => vec![text_of(value)],
                };
                for word in words {
                    match word {
                        Some("random" | "fully-random") => parts.random = true,
                        // Which address of a pool a client gets stays the network's choice.
                        Some("persistent") => {}
                        Some("netmap") => parts.netmap = true,
                        Some("prefix" | "interval" | "concat") if key.value == "type_flags" => {}
                        _ => parts.unclear = true,
                    }
                }
            }
            _ => parts.unclear = true,
        }
    }
    parts
}

/// The family of an address that is written out.
fn family_of(address: Option<&Json<'_>>) -> Option<Family> {
    let json = address?;
    let text = match only_entry(json) {
        Some(("range", inner)) => match &inner.value {
            Value::Array(ends) => text_of(ends.first()?)?,
            _ => return None,
        },
        _ => text_of(json)?,
    };
    text.parse().ok().map(Family::of)
}

/// The new address; `None` if it is not understood (a map, an expression).
fn new_address(json: &Json<'_>, family: Family, netmap: bool) -> Outcome<Option<NewAddress>> {
    let plain = matches!(only_entry(json), None | Some(("prefix" | "range", _)));
    if !plain {
        return Ok(None);
    }
    let field = Field::Address(Side::Source, family);
    let Some(Values::Numbers(ranges)) = value::one(field, json)? else { return Ok(None) };
    let [(low, high)] = ranges.as_slice() else { return Ok(None) };
    Ok(match netmap {
        true => value::net((*low, *high), family).map(NewAddress::Prefix),
        false => Some(NewAddress::Range(AddressRange {
            low: address_from_number(family, *low),
            high: address_from_number(family, *high),
        })),
    })
}

fn ports(json: &Json<'_>) -> Outcome<Option<(u16, u16)>> {
    if !matches!(only_entry(json), None | Some(("range", _))) {
        return Ok(None);
    }
    let Some(Values::Numbers(ranges)) = value::one(Field::Port(Side::Source), json)? else { return Ok(None) };
    let [(low, high)] = ranges.as_slice() else { return Ok(None) };
    Ok(u16::try_from(*low).ok().zip(u16::try_from(*high).ok()))
}
