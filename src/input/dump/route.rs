//! `ip -j route` and `ip -6 -j route`, with or without `show table all`.

use super::Doubt;
use super::fields::{Fields, Reading};
use super::json::Json;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::Family;
use crate::source::{Source, SourceId, Span, Spanned};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::IpAddr;

/// What `ip -j route` shows.
#[derive(Debug, Clone, Default)]
pub struct RouteDump {
    /// The routes in the order of the dump. A dump with `table all` may hold both families.
    pub routes: Vec<DumpedRoute>,
    /// Whether any route names a table other than `main`, so that the dump was made with `table all`. A dump
    /// without says nothing about other tables.
    pub all_tables: bool,
}

/// A route.
#[derive(Debug, Clone)]
pub struct DumpedRoute {
    /// The destinations.
    pub prefix: IpNet,
    /// The whole object.
    pub span: Span,
    /// What it does.
    pub action: DumpedAction,
    /// The name or number of its table; `main` if the dump does not say.
    pub table: String,
    /// Where it may send; more than one is the network's choice.
    pub hops: Vec<DumpedHop>,
    /// Its preference among equal prefixes; smaller wins. 0 if the dump does not say.
    pub metric: u32,
    /// Who put it there (`kernel`, `static`, `bgp`, …); `None` is `boot`.
    pub protocol: Option<Spanned<String>>,
    /// Whether it was learned from a peer, which may announce something else any time (SEMANTICS.md
    /// section 4.4).
    pub dynamic: bool,
    /// What makes it uncertain that it is in force, or that it does just this.
    pub doubts: Vec<Doubt>,
}

impl DumpedRoute {
    /// The family of its destinations.
    pub fn family(&self) -> Family {
        Family::of(self.prefix.addr())
    }
}

/// The type of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DumpedAction {
    /// Sends to its next hops.
    Unicast,
    /// The destinations are the device's own.
    Local,
    /// The destinations are broadcast addresses.
    Broadcast,
    /// The destinations are groups.
    Multicast,
    /// The destinations are the device's own (anycast).
    Anycast,
    /// Drops without a word.
    Blackhole,
    /// Drops and answers.
    Unreachable,
    /// Drops and answers.
    Prohibit,
    /// Ends the table.
    Throw,
}

/// A next hop.
#[derive(Debug, Clone)]
pub struct DumpedHop {
    /// The out-interface.
    pub interface: Option<Spanned<String>>,
    /// The neighbour; `None` is the destination itself (on-link).
    pub via: Option<Spanned<IpAddr>>,
    /// Whether the kernel does not use it now (`dead`, `linkdown`): a snapshot only.
    pub dead: bool,
    /// Whether the neighbour is of another family than the route (`via inet6 …`).
    pub foreign: bool,
}

impl DumpedHop {
    /// Whether the neighbour shows that the route is one of IPv6.
    fn goes_via_v6(&self) -> bool {
        !self.foreign && self.via.is_some_and(|via| via.value.is_ipv6())
    }
}

/// Protocols of routes that stay until an administrator changes them. Any other, also one that we have no name
/// for, is a daemon or a peer that may change its mind.
const STATIC_PROTOCOLS: &[&str] = &["kernel", "boot", "static"];

/// Reads `ip -j route` or, with [`Family::V6`], `ip -6 -j route`.
pub fn parse(source: &Source, id: SourceId, family: Family, diagnostics: &mut Diagnostics) -> RouteDump {
    let mut dump = RouteDump::default();
    let command = match family {
        Family::V4 => "ip -j route show table all",
        Family::V6 => "ip -6 -j route show table all",
    };
    Reading::objects(source, id, command, diagnostics, |fields, reading| {
        let Some(route) = read_route(fields, family, reading) else { return };
        dump.all_tables |= route.table != "main";
        dump.routes.push(route);
    });
    dump
}

/// Keys of a route that change nothing about where it sends: the source address that the device itself takes,
/// realms, sizes, and how the table is displayed.
const IRRELEVANT: &str = "
    scope prefsrc src flow metrics nhid age cache uid ifindex hoplimit error used users lastuse
    ttl-propogate ttl-propagate
";

fn read_route<'a>(
    mut fields: Fields<'_, 'a>,
    family: Family,
    reading: &mut Reading<'a, '_>,
) -> Option<DumpedRoute> {
    let span = fields.span;
    let Some(destination) = fields.text("dst", reading) else {
        reading.bad(span, "a route without `dst`");
        return None;
    };
    let mut doubts = Vec::new();
    let preference = fields.text("pref", reading);
    let mut hops = vec![read_hop(&mut fields, reading, &mut doubts)];
    if let Some(json) = fields.take("nexthops") {
        for item in reading.items(json) {
            let Some(mut hop) = reading.fields(item) else { continue };
            hops.push(read_hop(&mut hop, reading, &mut doubts));
            hop.irrelevant("weight flow");
            doubts.extend(hop.doubts("the route"));
        }
    }
    hops.retain(|hop| hop.interface.is_some() || hop.via.is_some());
    // `default` shows no family: its gateway does, and only routes of IPv6 have a preference.
    let is_v6 = preference.is_some() || family == Family::V6 || hops.iter().any(DumpedHop::goes_via_v6);
    let prefix = parse_prefix(destination, if is_v6 { Family::V6 } else { Family::V4 }, reading)?;
    let action = read_action(&mut fields, reading, &mut doubts);
    if let Some(preference) = preference.filter(|p| p.value != "medium") {
        doubts.push(Doubt::about("how the preference of the route ranks it", preference.span));
    }
    let expires = fields.take("expires");
    doubts.extend(expires.map(|json| Doubt::about("how long the route stays", json.span)));
    let protocol = fields.text("protocol", reading).map(|text| text.map(str::to_owned));
    let learned = |p: &Spanned<String>| !STATIC_PROTOCOLS.contains(&p.value.as_str());
    let dynamic = expires.is_some() || protocol.as_ref().is_some_and(learned);
    let metric = fields.number::<u32>("metric", reading).map_or(0, |n| n.value);
    let table = fields.text("table", reading).map_or("main", |t| t.value).to_owned();
    fields.irrelevant(IRRELEVANT);
    for (key, at) in fields.left() {
        doubts.push(doubt_of_key(key, at));
    }
    if action == DumpedAction::Unicast && hops.is_empty() {
        doubts.push(Doubt::havoc("where the route sends", span));
    }
    Some(DumpedRoute { prefix, span, action, table, hops, metric, protocol, dynamic, doubts })
}

/// What an attribute that nobody asked for may do: one that wraps the packet takes it anywhere.
fn doubt_of_key(key: &str, span: Span) -> Doubt {
    let what = format!("what `{key}` means for the route");
    match key {
        "tos" | "from" | "dsfield" => {
            Doubt::about(format!("which packets `{key}` of the route selects"), span)
        }
        _ => Doubt::havoc(what, span),
    }
}

fn read_action<'a>(
    fields: &mut Fields<'_, 'a>,
    reading: &mut Reading<'a, '_>,
    doubts: &mut Vec<Doubt>,
) -> DumpedAction {
    let Some(kind) = fields.text("type", reading) else { return DumpedAction::Unicast };
    match kind.value {
        "unicast" => DumpedAction::Unicast,
        "local" => DumpedAction::Local,
        "broadcast" => DumpedAction::Broadcast,
        "multicast" => DumpedAction::Multicast,
        "anycast" => DumpedAction::Anycast,
        "blackhole" => DumpedAction::Blackhole,
        "unreachable" => DumpedAction::Unreachable,
        "prohibit" => DumpedAction::Prohibit,
        "throw" => DumpedAction::Throw,
        other => {
            doubts.push(Doubt::havoc(format!("what a route of the type `{other}` does"), kind.span));
            DumpedAction::Unicast
        }
    }
}

/// The next hop that the keys of a route, or of an entry of `nexthops`, name.
fn read_hop<'a>(
    fields: &mut Fields<'_, 'a>,
    reading: &mut Reading<'a, '_>,
    doubts: &mut Vec<Doubt>,
) -> DumpedHop {
    let interface = fields.text("dev", reading).map(|text| text.map(str::to_owned));
    let gateway = fields.text("gateway", reading);
    let mut via = gateway.and_then(|text| parse_address(text, reading));
    let mut foreign = false;
    if let Some(mut object) = fields.take("via").and_then(|json| reading.fields(json)) {
        object.irrelevant("family");
        via = object.text("host", reading).and_then(|text| parse_address(text, reading));
        doubts.extend(object.doubts("the next hop"));
        foreign = true;
    }
    let mut dead = false;
    let flags: &[Json<'a>] = fields.take("flags").map_or(&[], |json| reading.items(json));
    for json in flags {
        let Some(flag) = reading.text(json) else { continue };
        match flag.value {
            "onlink" | "trap" | "rt_trap" | "offload_failed" | "rt_offload_failed" | "notify"
            | "pervasive" => {}
            "dead" | "linkdown" => {
                dead = true;
                doubts.push(Doubt::about("whether the link of the route is up", flag.span));
            }
            other => doubts.push(Doubt::havoc(format!("what the flag `{other}` does to packets"), flag.span)),
        }
    }
    DumpedHop { interface, via, dead, foreign }
}

fn parse_address<'a>(text: Spanned<&str>, reading: &mut Reading<'a, '_>) -> Option<Spanned<IpAddr>> {
    match text.value.parse() {
        Ok(address) => Some(Spanned::new(address, text.span)),
        Err(_) => {
            let message = format!("`{}` is not an address", text.value);
            reading.report(Diagnostic::error(Code::Address, text.span, message));
            None
        }
    }
}

/// `default`, an address, or a prefix without host bits.
pub(super) fn parse_prefix<'a>(
    text: Spanned<&str>,
    family: Family,
    reading: &mut Reading<'a, '_>,
) -> Option<IpNet> {
    let net = match (text.value, family) {
        ("default" | "all", Family::V4) => Some(Ipv4Net::default().into()),
        ("default" | "all", Family::V6) => Some(Ipv6Net::default().into()),
        (other, _) => other.parse().ok().or_else(|| other.parse::<IpAddr>().ok().map(IpNet::from)),
    };
    let message = match net {
        Some(net) if net == net.trunc() => return Some(net),
        Some(_) => format!("`{}` has bits set behind its prefix", text.value),
        None => format!("`{}` is not a prefix", text.value),
    };
    reading.report(Diagnostic::error(Code::Address, text.span, message));
    None
}
