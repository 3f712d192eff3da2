//! `ip -j rule` and `ip -6 -j rule`.

use super::Doubt;
use super::fields::{Fields, Reading};
use super::json::{Json, Value};
use crate::diag::Diagnostics;
use crate::header::Family;
use crate::model::MarkTest;
use crate::source::{Source, SourceId, Span, Spanned};
use ipnet::IpNet;
use std::net::IpAddr;

/// What `ip -j rule` shows.
#[derive(Debug, Clone, Default)]
pub struct RuleDump {
    /// The rules in the order of the dump, which is by priority.
    pub rules: Vec<DumpedRule>,
}

/// A rule of the policy database.
#[derive(Debug, Clone)]
pub struct DumpedRule {
    /// Its place in the order; smaller is earlier.
    pub priority: u32,
    /// The whole object.
    pub span: Span,
    /// Only packets from here; `None` is any.
    pub from: Option<IpNet>,
    /// Only packets to there; `None` is any.
    pub to: Option<IpNet>,
    /// Only packets that came in on this interface; `lo` is the device's own.
    pub incoming: Option<Spanned<String>>,
    /// Only packets with such a mark.
    pub mark: Option<MarkTest>,
    /// What it does.
    pub action: RuleAction,
    /// What else it asks (users, ports, …): then it may match anything that its other conditions leave.
    pub doubts: Vec<Doubt>,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleAction {
    /// Looks into this table, and goes on if that has no route.
    Table {
        /// Name or number of the table.
        name: String,
        /// Routes with a prefix of at most this length are passed over (`suppress_prefixlength`).
        suppress: Option<u8>,
    },
    /// Looks into the table of the VRF that the packet is in.
    L3mdev,
    /// Goes on with the first rule of this priority or behind it.
    Goto(u32),
    /// Goes on.
    Nop,
    /// Drops without a word.
    Blackhole,
    /// Drops and answers.
    Unreachable,
    /// Drops and answers.
    Prohibit,
}

/// Reads `ip -j rule` or, with [`Family::V6`], `ip -6 -j rule`.
pub fn parse(source: &Source, id: SourceId, family: Family, diagnostics: &mut Diagnostics) -> RuleDump {
    let mut dump = RuleDump::default();
    let command = match family {
        Family::V4 => "ip -j rule",
        Family::V6 => "ip -6 -j rule",
    };
    Reading::objects(source, id, command, diagnostics, |fields, reading| {
        let Some(rule) = read_rule(fields, family, reading) else { return };
        if dump.rules.last().is_some_and(|last| last.priority > rule.priority) {
            reading.bad(rule.span, "a rule of a smaller priority than the one before");
        }
        dump.rules.push(rule);
    });
    dump
}

/// What a rule may ask beyond prefixes and the in-interface. Each is understood, but the model has no such
/// field: the rule may match.
const FURTHER: &[(&str, &str)] = &[
    ("oif", "the interface that a socket is bound to"),
    ("tos", "the type of service"),
    ("dscp", "the type of service"),
    ("ipproto", "the protocol"),
    ("sport", "the source port"),
    ("sport_start", "the source port"),
    ("dport", "the destination port"),
    ("dport_start", "the destination port"),
    ("uid_start", "the user"),
    ("tun_id", "the tunnel"),
    ("flowlabel", "the flow label"),
    ("suppress_ifgroup", "the group of the out-interface"),
];

/// Keys that belong to one of the others, or change nothing (realms, who made the rule).
const IRRELEVANT: &str = "
    sport_end dport_end sport_mask dport_mask uid_end iif_detached oif_detached protocol
    flow_from flow_to flowlabel_mask dscp_mask tos_mask
";

fn read_rule<'a>(
    mut fields: Fields<'_, 'a>,
    family: Family,
    reading: &mut Reading<'a, '_>,
) -> Option<DumpedRule> {
    let span = fields.span;
    let priority = fields.need("priority", "a rule", reading).and_then(|json| reading.number::<u32>(json))?;
    let from = read_prefix(["src", "srclen"], family, &mut fields, reading)?;
    let to = read_prefix(["dst", "dstlen"], family, &mut fields, reading)?;
    let incoming = fields.text("iif", reading).map(|text| text.map(str::to_owned));
    let mut doubts = Vec::new();
    for (key, asks) in FURTHER {
        if let Some(json) = fields.take(key) {
            doubts.push(Doubt::about(format!("which packets fit a rule that asks for {asks}"), json.span));
        }
    }
    let mark = read_mark(&mut fields, reading)?;
    // The conditions of a negated rule say what it does not match.
    let negated = fields.take("not");
    let asks_more = from.is_some() || to.is_some() || incoming.is_some() || !doubts.is_empty();
    let unclear = negated.filter(|_| asks_more || mark.is_none());
    doubts.extend(unclear.map(|json| Doubt::about("which packets fit a negated rule", json.span)));
    let negated = negated.is_some();
    let mark = match mark {
        Some(mark) if negated && !asks_more => Some(MarkTest { negated: true, ..mark }),
        Some(mark) if !negated => Some(mark),
        Some(_) | None => None,
    };
    let action = read_action(&mut fields, reading, &mut doubts);
    fields.irrelevant(IRRELEVANT);
    for (key, at) in fields.left() {
        doubts.push(Doubt::havoc(format!("what `{key}` means for the rule"), at));
    }
    let keep = |net: Option<IpNet>| net.filter(|_| !negated);
    let (from, to) = (keep(from), keep(to));
    let incoming = incoming.filter(|_| !negated);
    Some(DumpedRule { priority: priority.value, span, from, to, incoming, mark, action, doubts })
}

/// The mark of `fwmark` under the mask of `fwmask`, which is all of it if it is not shown. The outer `None` is an error that has
/// been reported.
fn read_mark<'a>(fields: &mut Fields<'_, 'a>, reading: &mut Reading<'a, '_>) -> Option<Option<MarkTest>> {
    let mut number = |key: &str| match fields.take(key) {
        None => Some(None),
        Some(json) => match mark_number(json) {
            Some(number) => Some(Some(number)),
            None => {
                reading.bad(json.span, format!("`{key}` is not a number of 32 bits"));
                None
            }
        },
    };
    let (value, mask) = (number("fwmark")?, number("fwmask")?);
    if value.is_none() && mask.is_none() {
        return Some(None);
    }
    let (value, mask) = (value.unwrap_or(0), mask.unwrap_or(u32::MAX));
    Some(Some(MarkTest { value, mask, negated: false }))
}

/// A number, or one in a text (`0x1f`), as `ip` writes those of marks.
fn mark_number(json: &Json<'_>) -> Option<u32> {
    match &json.value {
        Value::Number(text) => text.parse().ok(),
        Value::String(text) => match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        },
        _ => None,
    }
}

/// The prefix of `src` and `srclen`, or `dst` and `dstlen`. `all` and a missing key are any address; a
/// missing length is that of one address. The outer `None` is an error that has been reported.
fn read_prefix<'a>(
    [address, length]: [&str; 2],
    family: Family,
    fields: &mut Fields<'_, 'a>,
    reading: &mut Reading<'a, '_>,
) -> Option<Option<IpNet>> {
    let text = fields.text(address, reading).filter(|text| text.value != "all");
    let length = fields.number::<u8>(length, reading);
    let Some(text) = text else { return Some(None) };
    let parsed = text.value.parse::<IpAddr>().ok().filter(|address| Family::of(*address) == family);
    let bits = length.map_or(family.bits(), |n| n.value);
    let net = parsed.and_then(|address| IpNet::new(address, bits).ok());
    match net {
        Some(net) => Some(Some(net.trunc())),
        None => {
            reading.bad(text.span, format!("`{}` is not an {family} prefix of {bits} bits", text.value));
            None
        }
    }
}

fn read_action<'a>(
    fields: &mut Fields<'_, 'a>,
    reading: &mut Reading<'a, '_>,
    doubts: &mut Vec<Doubt>,
) -> RuleAction {
    let word = fields.text("action", reading);
    let table = fields.text("table", reading);
    let goto = fields.number::<u32>("goto", reading);
    let unresolved = fields.flag("unresolved");
    let suppress = fields.number::<u8>("suppress_prefixlen", reading).map(|n| n.value);
    let l3mdev = fields.flag("l3mdev");
    let nop = fields.flag("nop");
    if l3mdev {
        return RuleAction::L3mdev;
    }
    if let Some(goto) = goto {
        return if unresolved { RuleAction::Nop } else { RuleAction::Goto(goto.value) };
    }
    match (word.map(|w| w.value), table) {
        (Some("blackhole"), _) => RuleAction::Blackhole,
        (Some("unreachable"), _) => RuleAction::Unreachable,
        (Some("prohibit"), _) => RuleAction::Prohibit,
        (None | Some("to_tbl" | "lookup"), Some(table)) => {
            RuleAction::Table { name: table.value.to_owned(), suppress }
        }
        (Some("nop"), _) => RuleAction::Nop,
        (None, None) if nop => RuleAction::Nop,
        (Some(_) | None, _) => {
            doubts.push(Doubt::havoc("what the rule does", word.map_or(fields.span, |w| w.span)));
            RuleAction::Nop
        }
    }
}
