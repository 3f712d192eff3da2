//! Left sides of matches, and keys of maps: which field of a packet is asked for (libnftables-json(5), EXPRESSIONS).

use super::scope::Scope;
use crate::diag::Diagnostic;
use crate::header::{Family, proto};
use crate::input::dump::fields::Reading;
use crate::input::dump::iptables::Side;
use crate::input::dump::iptables::condition::Condition;
use crate::input::dump::json::{Json, Value};
use crate::model::{Marked, Match, Test};
use crate::source::Span;

/// A field that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `ip saddr`, `ip6 daddr`, …
    Address(Side, Family),
    /// `meta l4proto`, and `ip protocol`, which is the same where there is IPv4 only.
    Protocol,
    /// `ip6 nexthdr`: the first header behind the fixed one.
    NextHeader,
    /// `tcp dport`, `th sport`, …
    Port(Side),
    /// `tcp flags`.
    Flags,
    /// `icmp type`, `icmpv6 type`, and their codes.
    IcmpType(Family),
    /// See [`Field::IcmpType`].
    IcmpCode(Family),
    /// `ct state`.
    State,
    /// `ct status`.
    Status,
    /// `iifname` and `iif`, which nft shows by name.
    InName,
    /// `oifname` and `oif`.
    OutName,
    /// `meta nfproto`.
    NfProto,
    /// `meta protocol`: what the frame holds.
    Frame,
    /// `fib saddr type`, `fib daddr type`.
    AddressType {
        /// Which address.
        side: Side,
        /// Whether only as the interface of the packet sees it.
        limited: bool,
    },
    /// `meta mark`, `ct mark`, under a mask.
    Mark {
        /// Whose.
        of: Marked,
        /// The bits that are looked at.
        mask: u32,
    },
    /// `ip frag-off`, with the flags beside it.
    Offset,
    /// Anything else: what it holds is not known.
    Unclear,
}

impl Field {
    /// How many bits it has, where it is a number.
    pub(super) fn bits(self) -> Option<u32> {
        Some(match self {
            Field::Address(_, family) => u32::from(family.bits()),
            Field::Protocol | Field::NextHeader | Field::Flags | Field::NfProto => 8,
            Field::IcmpType(_) | Field::IcmpCode(_) => 8,
            Field::Port(_) | Field::Frame | Field::Offset => 16,
            Field::State | Field::Status | Field::AddressType { .. } | Field::Mark { .. } => 32,
            Field::InName | Field::OutName | Field::Unclear => return None,
        })
    }
}

/// A left side as it is read.
pub(super) struct Left<'j, 'a> {
    /// One field, or those of a concatenation.
    pub(super) fields: Vec<Field>,
    /// What is put before the comparison: `&` with this.
    pub(super) mask: Option<&'j Json<'a>>,
    /// What must hold for the kernel to find the fields at all.
    pub(super) needs: Vec<Condition>,
}

/// Reads a left side, behind what is known of the packet.
pub(super) fn left<'j, 'a>(
    json: &'j Json<'a>,
    known: &[Match],
    scope: &mut Scope<'_>,
    reading: &mut Reading<'a, '_>,
) -> Result<Left<'j, 'a>, Diagnostic> {
    let mut made = Left { fields: Vec::new(), mask: None, needs: Vec::new() };
    let Some((kind, inner)) = only_entry(json) else {
        made.fields.push(Field::Unclear);
        return Ok(made);
    };
    match (kind, &inner.value) {
        ("concat", Value::Array(parts)) => {
            for part in parts {
                let field = simple(part, known, &mut made.needs, scope, reading);
                made.fields.push(field);
            }
        }
        ("&", Value::Array(parts)) if parts.len() == 2 => {
            let field = simple(&parts[0], known, &mut made.needs, scope, reading);
            made.fields.push(field);
            made.mask = Some(&parts[1]);
        }
        _ => {
            let field = simple(json, known, &mut made.needs, scope, reading);
            made.fields.push(field);
        }
    }
    Ok(made)
}

/// The only key of an object, and its value.
pub(super) fn only_entry<'j, 'a>(json: &'j Json<'a>) -> Option<(&'j str, &'j Json<'a>)> {
    match &json.value {
        Value::Object(entries) => match entries.as_slice() {
            [(key, value)] => Some((key.value.as_ref(), value)),
            _ => None,
        },
        _ => None,
    }
}

/// A text, without looking for control characters.
pub(super) fn text_of<'j>(json: &'j Json<'_>) -> Option<&'j str> {
    match &json.value {
        Value::String(text) => Some(text.as_ref()),
        _ => None,
    }
}

fn simple<'a>(
    json: &Json<'a>,
    known: &[Match],
    needs: &mut Vec<Condition>,
    scope: &mut Scope<'_>,
    reading: &mut Reading<'a, '_>,
) -> Field {
    let Some((kind, inner)) = only_entry(json) else { return Field::Unclear };
    let is_read = matches!(kind, "payload" | "meta" | "ct" | "fib");
    let Some(mut fields) = is_read.then(|| reading.fields(inner)).flatten() else {
        if matches!(kind, "tcp option" | "sctp chunk" | "dccp option") {
            let number = if kind == "tcp option" { proto::TCP } else { proto::SCTP };
            if kind != "dccp option" {
                needs.push(protocol(number, json.span));
            }
        }
        return Field::Unclear;
    };
    let field = match kind {
        "payload" => match (fields.take("protocol"), fields.take("field")) {
            (Some(of), Some(field)) => {
                let names = (text_of(of).unwrap_or(""), text_of(field).unwrap_or(""));
                payload(names, json.span, known, needs, scope)
            }
            // Raw bytes: `base`, `offset`, `len`.
            _ => return Field::Unclear,
        },
        "meta" => match fields.take("key").and_then(text_of) {
            Some("l4proto") => {
                if scope.sees(Family::V6) {
                    // The kernel finds the last header of a later fragment of IPv6 sometimes only.
                    needs.push(Condition::always().inside());
                }
                Field::Protocol
            }
            Some("iifname" | "iif") => Field::InName,
            Some("oifname" | "oif") => Field::OutName,
            Some("nfproto") => Field::NfProto,
            Some("protocol") => Field::Frame,
            Some("mark") => Field::Mark { of: Marked::Packet, mask: u32::MAX },
            _ => Field::Unclear,
        },
        "ct" => match (fields.take("key").and_then(text_of), fields.take("dir")) {
            (Some("state"), None) => Field::State,
            (Some("status"), None) => Field::Status,
            (Some("mark"), None) => Field::Mark { of: Marked::Connection, mask: u32::MAX },
            _ => Field::Unclear,
        },
        "fib" => {
            let result = fields.take("result").and_then(text_of);
            let flags: Vec<&str> = match fields.take("flags").map(|flags| &flags.value) {
                Some(Value::Array(flags)) => flags.iter().filter_map(text_of).collect(),
                Some(Value::String(flag)) => vec![flag.as_ref()],
                _ => Vec::new(),
            };
            let plain = flags.iter().all(|flag| matches!(*flag, "saddr" | "daddr" | "iif" | "oif"));
            let limited = flags.iter().any(|flag| matches!(*flag, "iif" | "oif"));
            match (result, flags.contains(&"saddr"), flags.contains(&"daddr")) {
                (Some("type"), true, false) if plain => Field::AddressType { side: Side::Source, limited },
                (Some("type"), false, true) if plain => {
                    Field::AddressType { side: Side::Destination, limited }
                }
                _ => Field::Unclear,
            }
        }
        _ => Field::Unclear,
    };
    // A key that a newer nft prints may change what is asked.
    if fields.left().next().is_some() { Field::Unclear } else { field }
}

/// The condition that a packet is of a family, in a table.
pub(super) fn of_family(family: Family, span: Span, scope: &Scope<'_>) -> Condition {
    match scope.only_family() {
        Some(only) if only == family => Condition::always(),
        _ if !scope.sees(family) => Condition::never(),
        _ => Condition::test(Test::Family(family), false, span),
    }
}

/// What a match on a protocol of one family says of the family of packets. The kernel asks for the protocol alone; nft asks for
/// the family too, in a table of both, unless the rule did in some way or names the protocol itself, and prints neither.
fn perhaps_of_family(
    family: Family,
    span: Span,
    known: &[Match],
    scope: &mut Scope<'_>,
) -> Option<Condition> {
    let asked = |family: Family| known.iter().any(|one| !one.negated && one.test == Test::Family(family));
    if scope.only_family().is_some() || asked(family) {
        return None;
    }
    let text = scope.excerpt(span);
    let what = format!("whether `{text}` is for {family} alone: nft prints alike what is and what is not");
    let word = if family == Family::V4 { "ipv4" } else { "ipv6" };
    let settle = format!("`meta nfproto {word}` in front of it in the rule");
    let unknown = Test::Unknown(scope.unknowns.add(what, span, settle));
    if Family::ALL.into_iter().any(asked) {
        return Some(Condition::test(unknown, false, span));
    }
    let each = [Test::Family(family), unknown];
    Some(Condition::any(each.map(|test| Match { test, negated: false, span }).to_vec(), false, span))
}

/// The condition that a packet is of a protocol whose header the kernel looks into.
fn protocol(number: u8, span: Span) -> Condition {
    Condition::test(Test::Protocol(vec![(number, number)]), false, span).inside()
}

/// The protocols whose headers have names in nft.
const HEADERS: &[(&str, u8)] = &[
    ("tcp", proto::TCP),
    ("udp", proto::UDP),
    ("sctp", proto::SCTP),
    ("dccp", proto::DCCP),
    ("udplite", proto::UDPLITE),
    ("icmp", proto::ICMP),
    ("icmpv6", proto::ICMPV6),
    ("igmp", proto::IGMP),
    ("esp", proto::ESP),
    ("gre", proto::GRE),
];

fn payload(
    (of, field): (&str, &str),
    span: Span,
    known: &[Match],
    needs: &mut Vec<Condition>,
    scope: &mut Scope<'_>,
) -> Field {
    let family = match of {
        "ip" | "icmp" | "igmp" => Some(Family::V4),
        "ip6" | "icmpv6" => Some(Family::V6),
        _ => None,
    };
    match family {
        Some(family) if matches!(of, "ip" | "ip6") => needs.push(of_family(family, span, scope)),
        Some(family) => needs.extend(perhaps_of_family(family, span, known, scope)),
        None => {}
    }
    if let Some((_, number)) = HEADERS.iter().find(|(name, _)| *name == of) {
        needs.push(protocol(*number, span));
        if scope.only_family() == Some(Family::V6) {
            scope.first_header.get_or_insert(span);
        }
    } else if of == "th" {
        needs.push(Condition::always().inside());
    }
    match (of, field, family) {
        ("ip" | "ip6", "saddr", Some(family)) => Field::Address(Side::Source, family),
        ("ip" | "ip6", "daddr", Some(family)) => Field::Address(Side::Destination, family),
        ("ip", "protocol", _) => Field::Protocol,
        ("ip", "frag-off", _) => Field::Offset,
        ("ip6", "nexthdr", _) => Field::NextHeader,
        ("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th", "sport", _) => Field::Port(Side::Source),
        ("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th", "dport", _) => Field::Port(Side::Destination),
        ("tcp", "flags", _) => Field::Flags,
        ("icmp" | "icmpv6", "type", Some(family)) => Field::IcmpType(family),
        ("icmp" | "icmpv6", "code", Some(family)) => Field::IcmpCode(family),
        _ => Field::Unclear,
    }
}

/// Whether the protocols that the conditions leave all have ports.
pub(super) fn have_ports<'m>(matches: impl Iterator<Item = &'m Match>) -> bool {
    matches.filter(|one| !one.negated).any(|one| match &one.test {
        Test::Protocol(ranges) => ranges.iter().all(|(low, high)| (*low..=*high).all(proto::has_ports)),
        _ => false,
    })
}
