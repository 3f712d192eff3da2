//! Right sides of matches: values, prefixes, ranges, lists of bits, sets and their elements, as sets of numbers.

use super::field::{Field, only_entry, text_of};
use super::ranges::{self, Ranges, last};
use super::words;
use crate::diag::{Code, Diagnostic};
use crate::header::{Family, address_number};
use crate::input::dump::iptables::{names, values};
use crate::input::dump::json::{Json, Value};
use ipnet::IpNet;

/// What a field may hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Values {
    /// These numbers.
    Numbers(Ranges),
    /// The interfaces of these names, a final `+` standing for any rest; or all others.
    Names {
        /// The names.
        patterns: Vec<String>,
        /// Whether all others are meant.
        others: bool,
    },
}

/// Something that is read, or `None` if it is not understood; or an error.
pub(super) type Outcome<T> = Result<Option<T>, Diagnostic>;

impl Values {
    /// Everything that a field can hold; `None` for one that is not understood.
    pub(super) fn all(field: Field) -> Option<Values> {
        Values::none(field).map(|none| none.others(field))
    }

    /// Nothing.
    pub(super) fn none(field: Field) -> Option<Values> {
        match field {
            Field::InName | Field::OutName => Some(Values::Names { patterns: Vec::new(), others: false }),
            Field::Unclear => None,
            _ => Some(Values::Numbers(Vec::new())),
        }
    }

    /// All others.
    pub(super) fn others(self, field: Field) -> Values {
        match self {
            Values::Numbers(ranges) => Values::Numbers(ranges::others(&ranges, field.bits().unwrap_or(0))),
            Values::Names { patterns, others } => Values::Names { patterns, others: !others },
        }
    }

    /// These and more, not yet in order. Of names, neither may be of others.
    pub(super) fn extend(&mut self, more: Values) {
        match (self, more) {
            (Values::Numbers(ranges), Values::Numbers(more)) => ranges.extend(more),
            (Values::Names { patterns, .. }, Values::Names { patterns: more, .. }) => patterns.extend(more),
            (Values::Numbers(_), Values::Names { .. }) | (Values::Names { .. }, Values::Numbers(_)) => {}
        }
    }

    /// The same in order.
    pub(super) fn merged(self) -> Values {
        match self {
            Values::Numbers(ranges) => Values::Numbers(ranges::merged(ranges)),
            Values::Names { mut patterns, others } => {
                patterns.sort_unstable();
                patterns.dedup();
                Values::Names { patterns, others }
            }
        }
    }
}

fn bad(json: &Json<'_>, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::Dump, json.span, message)
}

/// One value of a field: a word, a number, a prefix, or a range.
pub(super) fn one(field: Field, json: &Json<'_>) -> Outcome<Values> {
    if field == Field::Unclear {
        return Ok(None);
    }
    if field == Field::InName || field == Field::OutName {
        return Ok(interface(json));
    }
    let bits = field.bits().unwrap_or(0);
    match only_entry(json) {
        Some(("prefix", inner)) => prefix(field, inner),
        Some(("range", inner)) => {
            let Value::Array(ends) = &inner.value else {
                return Err(bad(inner, "expected the ends of a range"));
            };
            let [low, high] = ends.as_slice() else { return Err(bad(inner, "a range has two ends")) };
            let (Some(low), Some(high)) = (number(field, low)?, number(field, high)?) else {
                return Ok(None);
            };
            if low > high {
                return Err(bad(inner, "the range ends before it begins"));
            }
            Ok(Some(Values::Numbers(vec![(low, high)])))
        }
        _ if text_of(json) == Some("*") => Ok(Some(Values::Numbers(vec![(0, last(bits))]))),
        _ => Ok(number(field, json)?.map(|number| Values::Numbers(vec![(number, number)]))),
    }
}

fn prefix(field: Field, json: &Json<'_>) -> Outcome<Values> {
    let Value::Object(entries) = &json.value else { return Err(bad(json, "expected a prefix")) };
    let find = |name: &str| entries.iter().find(|(key, _)| key.value == name).map(|(_, value)| value);
    let (Some(address), Some(length)) = (find("addr"), find("len")) else {
        return Err(bad(json, "a prefix has `addr` and `len`"));
    };
    let bits = field.bits().unwrap_or(0);
    let length_bits = match &length.value {
        Value::Number(text) => text.parse::<u32>().ok().filter(|length| *length <= bits),
        _ => None,
    };
    let Some(length) = length_bits else { return Err(bad(length, "this is not the length of a prefix")) };
    let Some(low) = number(field, address)? else { return Ok(None) };
    let free = last(bits - length);
    let free = if length == bits { 0 } else { free };
    Ok(Some(Values::Numbers(vec![(low & !free, low | free)])))
}

fn interface(json: &Json<'_>) -> Option<Values> {
    // nft shows the number of an interface that is gone.
    let name = text_of(json).filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()))?;
    let pattern = match name.strip_suffix('*') {
        Some(prefix) if !prefix.contains(['\\', '*']) => format!("{prefix}+"),
        Some(_) => return None,
        // What iptables takes for a wildcard is a plain character here.
        None if name.ends_with('+') || name.contains('\\') || name.is_empty() => return None,
        None => name.to_owned(),
    };
    Some(Values::Names { patterns: vec![pattern], others: false })
}

/// A number: plain, or as a word of the field, or several bits.
pub(super) fn number(field: Field, json: &Json<'_>) -> Outcome<u128> {
    let bits = field.bits().unwrap_or(0);
    match &json.value {
        Value::Number(text) => match text.parse::<u128>() {
            Ok(number) if number <= last(bits) && !matches!(field, Field::Address(..)) => Ok(Some(number)),
            _ => Err(bad(json, format!("`{text}` is no value of such a field"))),
        },
        Value::String(text) => word(field, text, json),
        Value::Array(parts) => together(field, parts),
        Value::Object(_) => match only_entry(json) {
            Some(("|", inner)) => match &inner.value {
                Value::Array(parts) => together(field, parts),
                _ => Err(bad(inner, "expected values")),
            },
            _ => Ok(None),
        },
        Value::Null | Value::Bool(_) => Ok(None),
    }
}

/// Several bits as one number. Of a field that holds no bits, a list would be something else.
fn together(field: Field, parts: &[Json<'_>]) -> Outcome<u128> {
    if !matches!(field, Field::Flags | Field::State | Field::Status | Field::Offset) {
        return Ok(None);
    }
    let mut all = 0;
    for part in parts {
        match number(field, part)? {
            Some(bits) => all |= bits,
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

fn word(field: Field, text: &str, json: &Json<'_>) -> Outcome<u128> {
    let table: &[(&str, u128)] = match field {
        Field::Address(_, family) => {
            let address = values::address_of(text, family);
            let address = address.map_err(|message| Diagnostic::error(Code::Address, json.span, message))?;
            return Ok(address.map(address_number));
        }
        Field::Protocol | Field::NextHeader => return Ok(names::protocol(text).map(u128::from)),
        Field::Mark { .. } => match text.strip_prefix("0x") {
            Some(digits) => return Ok(u32::from_str_radix(digits, 16).ok().map(u128::from)),
            None => &[],
        },
        Field::Port(_) | Field::Offset => &[],
        Field::Flags => words::FLAGS,
        Field::IcmpType(Family::V4) => words::ICMP_TYPES,
        Field::IcmpType(Family::V6) => words::ICMPV6_TYPES,
        Field::IcmpCode(Family::V4) => words::ICMP_CODES,
        Field::IcmpCode(Family::V6) => words::ICMPV6_CODES,
        Field::State => words::STATES,
        Field::Status => words::STATUS,
        Field::NfProto => words::FAMILIES,
        Field::Frame => words::FRAMES,
        Field::AddressType { .. } => words::ADDRESS_TYPES,
        Field::InName | Field::OutName | Field::Unclear => return Ok(None),
    };
    // A word that is not there is a name of the device (`/etc/services`), or newer than this list.
    let found = table.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    Ok(found.or_else(|| text.parse().ok().filter(|number| *number <= last(field.bits().unwrap_or(0)))))
}

/// A prefix of addresses, as a translation names it.
pub(super) fn net(range: (u128, u128), family: Family) -> Option<IpNet> {
    let low = crate::header::address_from_number(family, range.0);
    let high = crate::header::address_from_number(family, range.1);
    (0..=family.bits())
        .filter_map(|bits| IpNet::new(low, bits).ok())
        .find(|net| net.network() == low && net.broadcast() == high)
}
