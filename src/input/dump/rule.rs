//! `ip -j rule` and `ip -6 -j rule`.

use super::Doubt;
use super::fields::{Fields, Reading};
use crate::diag::Diagnostics;
use crate::header::Family;
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
    /// What it does.
    pub action: RuleAction,
    /// What else it asks (marks, users, …): then it may match anything that its other conditions leave.
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
    ("fwmark", "a mark"),
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
    fwmask sport_end dport_end sport_mask dport_mask uid_end iif_detached oif_detached protocol
    flow_from flow_to flowlabel_mask dscp_mask tos_mask
";

fn read_rule<'a>(
    mut fields: Fields<'_, 'a>,
    family: Family,
    reading: &mut Reading<'a, '_>,
) -> Option<DumpedRule> {
    let span = fields.span;
    let Some(priority) = fields.number::<u32>("priority", reading) else {
        reading.bad(span, "a rule without `priority`");
        return None;
    };
    let from = read_prefix(["src", "srclen"], family, &mut fields, reading)?;
    let to = read_prefix(["dst", "dstlen"], family, &mut fields, reading)?;
    let incoming = fields.text("iif", reading).map(|text| text.map(str::to_owned));
    let mut doubts = Vec::new();
    for (key, asks) in FURTHER {
        if let Some(json) = fields.take(key) {
            doubts.push(Doubt::about(format!("which packets fit a rule that asks for {asks}"), json.span));
        }
    }
    // The conditions of a negated rule say what it does not match.
    let negated = fields.take("not");
    doubts.extend(negated.map(|json| Doubt::about("which packets fit a negated rule", json.span)));
    let negated = negated.is_some();
    let action = read_action(&mut fields, reading, &mut doubts);
    fields.irrelevant(IRRELEVANT);
    for (key, at) in fields.left() {
        doubts.push(Doubt::havoc(format!("what `{key}` means for the rule"), at));
    }
    let keep = |net: Option<IpNet>| net.filter(|_| !negated);
    let (from, to) = (keep(from), keep(to));
    let incoming = incoming.filter(|_| !negated);
    Some(DumpedRule { priority: priority.value, span, from, to, incoming, action, doubts })
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
