//! A filter as compact text, for snapshots that a person can compare with the dump.

use isoaudit::header::{AddressRange, Family, Fragment, proto};
use isoaudit::input::dump::Ruleset;
use isoaudit::model::{
    Action, Antispoof, Fact, Filter, Hook, InterfaceId, Lookup, Match, Network, Node, RouteAction, Rule,
    Service, Test, Unknown, UnknownId,
};
use std::fmt::Write;

/// All of a ruleset: hooks, chains, and what is not understood.
pub(crate) fn ruleset(ruleset: &Ruleset) -> String {
    let filter = &ruleset.filter;
    let mut out = format!("{} {:?}, tracks: {}\n", filter.name, ruleset.backend, filter.tracks);
    for hook in &ruleset.hooks {
        writeln!(out, "hook {:?}: {}", hook.at, filter.chains[hook.chain].name).unwrap();
    }
    for doubt in &ruleset.havoc {
        writeln!(out, "havoc: {}", doubt.what).unwrap();
    }
    for entry in &ruleset.ledger {
        writeln!(out, "ledger: {}", entry.text).unwrap();
    }
    out + &chains(filter, &ruleset.unknowns)
}

/// The chains that have rules or a policy.
pub(crate) fn chains(filter: &Filter, unknowns: &[Unknown]) -> String {
    let mut out = String::new();
    for chain in &filter.chains {
        let policy = chain.policy.map(|action| format!(" policy {}", word(action, filter, unknowns)));
        writeln!(out, "\n{}{}", chain.name, policy.unwrap_or_default()).unwrap();
        for rule in &chain.rules {
            writeln!(out, "  {}", line(rule, filter, unknowns)).unwrap();
        }
    }
    out
}

/// A ruleset without what the kernel is free to write in another way: the order of tables and of conditions, and
/// the words of what is not understood.
pub(crate) fn normal(ruleset: &Ruleset) -> String {
    let filter = &ruleset.filter;
    let silent =
        vec![Unknown { what: "?".to_owned(), span: None, settle: String::new() }; ruleset.unknowns.len()];
    let hooks = ruleset.hooks.iter().map(|hook| format!("{:?}: {}", hook.at, filter.chains[hook.chain].name));
    let mut parts: Vec<String> = hooks.collect();
    for chain in &filter.chains {
        let policy = chain.policy.map(|action| word(action, filter, &silent));
        let mut text = format!("{} {}\n", chain.name, policy.unwrap_or_default());
        for rule in &chain.rules {
            let mut tests: Vec<String> =
                rule.matches.iter().map(|one| any_order(&test(one, &silent))).collect();
            tests.sort_unstable();
            tests.dedup();
            writeln!(text, "{} {} -> {}", rule.name, tests.join("  "), word(rule.action, filter, &silent))
                .unwrap();
        }
        parts.push(text);
    }
    parts.sort_unstable();
    parts.join("\n")
}

/// Alternatives in one order, whoever wrote them.
fn any_order(text: &str) -> String {
    let mut parts: Vec<&str> = text.split(" or ").collect();
    parts.sort_unstable();
    parts.join(" or ")
}

fn line(rule: &Rule, filter: &Filter, unknowns: &[Unknown]) -> String {
    let mut parts: Vec<String> = rule.matches.iter().map(|one| test(one, unknowns)).collect();
    parts.push(format!("-> {}", word(rule.action, filter, unknowns)));
    format!("{:>2} {}", rule.name, parts.join("  "))
}

fn word(action: Action, filter: &Filter, unknowns: &[Unknown]) -> String {
    let name = |chain: usize| filter.chains[chain].name.clone();
    match action {
        Action::Accept => "accept".to_owned(),
        Action::Drop => "drop".to_owned(),
        Action::Reject => "reject".to_owned(),
        Action::Jump(chain) => format!("jump {}", name(chain)),
        Action::Goto(chain) => format!("goto {}", name(chain)),
        Action::Return => "return".to_owned(),
        Action::Continue => "continue".to_owned(),
        Action::Mark(change) => format!("mark {change:x?}"),
        Action::Translate(index) => format!("translate {:?}", filter.translations[index].to),
        Action::Unknown(id) => format!("unknown ({})", unknowns[id.index()].what),
    }
}

fn test(one: &Match, unknowns: &[Unknown]) -> String {
    let text = match &one.test {
        Test::Source(ranges) => format!("from {}", addresses(ranges)),
        Test::Destination(ranges) => format!("to {}", addresses(ranges)),
        Test::Family(family) => family.to_string(),
        Test::Protocol(ranges) => format!("proto {}", protocols(ranges)),
        Test::Service(services) => services.iter().map(service).collect::<Vec<_>>().join("|"),
        Test::SourcePort(ranges) => format!("sport {}", numbers(ranges)),
        Test::DestinationPort(ranges) => format!("dport {}", numbers(ranges)),
        Test::EitherPort(ranges) => format!("port {}", numbers(ranges)),
        Test::TcpFlags { mask, value } => format!("flags {value:#04x}/{mask:#04x}"),
        Test::Fragment(parts) => format!("fragment {}", fragments(parts)),
        Test::State(states) => format!("state {states:?}"),
        Test::Any(any) => any.iter().map(|one| test(one, unknowns)).collect::<Vec<_>>().join(" or "),
        Test::InZone(_) | Test::OutZone(_) | Test::InVrf(_) => unreachable!("not in dumps"),
        Test::InName(name) => format!("in {name}"),
        Test::OutName(name) => format!("out {name}"),
        Test::Mark { of, mask, values } => format!("{of:?} mark & {mask:#x} in {values:x?}"),
        Test::Translated(end) => format!("{end:?} translated").to_lowercase(),
        Test::SourceIsOwn => "from own".to_owned(),
        Test::DestinationIsOwn => "to own".to_owned(),
        Test::Unknown(id) => format!("unknown ({})", unknowns[id.index()].what),
    };
    if one.negated { format!("not [{text}]") } else { text }
}

fn addresses(ranges: &[AddressRange]) -> String {
    let all = |range: &&AddressRange| **range == AddressRange::all(range.family());
    let one = |range: &AddressRange| match range {
        range if all(&range) => "any".to_owned(),
        range if range.low == range.high => range.low.to_string(),
        range => format!("{}-{}", range.low, range.high),
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(",")
}

fn protocols(ranges: &[(u8, u8)]) -> String {
    let one = |(low, high): &(u8, u8)| match proto::name(*low) {
        Some(name) if low == high => name.to_owned(),
        _ => numbers(&[(u16::from(*low), u16::from(*high))]),
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(",")
}

fn numbers(ranges: &[(u16, u16)]) -> String {
    let one = |(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    if ranges.is_empty() { "none".to_owned() } else { ranges.iter().map(one).collect::<Vec<_>>().join(",") }
}

fn service(service: &Service) -> String {
    let (low, high) = service.icmp_codes;
    let codes = if (low, high) == (0, 255) { String::new() } else { format!(" code {low}-{high}") };
    let (low, high) = service.icmp_types;
    format!("{} type {low}-{high}{codes}", service.protocol.and_then(proto::name).unwrap_or("?"))
}

fn fragments(parts: &[Fragment]) -> String {
    parts.iter().map(|part| format!("{part:?}")).collect::<Vec<_>>().join(",")
}

/// The name of a family's program.
pub(crate) fn program(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    }
}

/// A node of a network: what its files have become.
pub(crate) fn node(network: &Network, node: &Node) -> String {
    let why = |id: UnknownId| format!("unknown ({})", network.unknown(id).what);
    let fact = |fact: Fact| match fact {
        Fact::Yes => "yes".to_owned(),
        Fact::No => "no".to_owned(),
        Fact::Unknown(id) => why(id),
    };
    let mut out = format!("{}\n", node.name);
    writeln!(out, "forwards IPv4: {}, IPv6: {}", fact(node.forwarding[0]), fact(node.forwarding[1])).unwrap();
    writeln!(out, "source routes: {}", fact(node.source_routing)).unwrap();
    writeln!(out, "forwards multicast: {}", fact(node.multicast_forwarding)).unwrap();
    if let Some(id) = node.dynamic_routes {
        writeln!(out, "learns routes: {}", why(id)).unwrap();
    }
    for id in &node.interfaces {
        writeln!(out, "{}", interface(network, *id, &fact)).unwrap();
    }
    for rule in &node.lookup {
        let names = |ids: &Vec<InterfaceId>| {
            ids.iter().map(|id| network.interface(*id).name.clone()).collect::<Vec<_>>()
        };
        let parts = [
            rule.from.map(|net| format!("from {net}")),
            rule.to.map(|net| format!("to {net}")),
            rule.mark.map(|mark| format!("{mark:x?}")),
            rule.incoming.as_ref().map(|ids| format!("in {}", names(ids).join(","))),
            rule.unknown.map(why),
        ];
        let action = match rule.action {
            Lookup::Table(table) => format!("table {}", node.tables[table].name),
            Lookup::Blackhole => "blackhole".to_owned(),
            Lookup::Unreachable => "unreachable".to_owned(),
        };
        writeln!(out, "rule {} -> {action}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
            .unwrap();
    }
    for table in node.tables.iter().filter(|table| !table.routes.is_empty()) {
        writeln!(out, "table {}", table.name).unwrap();
        for route in &table.routes {
            let hop = |hop: &isoaudit::model::NextHop| {
                let via = hop.via.map(|via| format!(" via {via}")).unwrap_or_default();
                format!("{}{via}", network.interface(hop.interface).name)
            };
            let action = match &route.action {
                RouteAction::Send(hops) => hops.iter().map(hop).collect::<Vec<_>>().join(" or "),
                other => format!("{other:?}").to_lowercase(),
            };
            let unknown = route.unknown.map(|id| format!(", {}", why(id))).unwrap_or_default();
            writeln!(out, "  {} -> {action}{unknown}", route.prefix).unwrap();
        }
    }
    let stages = [
        ("input", &node.input),
        ("forward", &node.forward),
        ("early output", &node.early_output),
        ("output", &node.output),
        ("late output", &node.late_output),
    ];
    for (stage, hooks) in stages {
        for Hook { filter, chain, family } in hooks {
            let filter = network.filter(*filter);
            let family = family.map_or("both".to_owned(), |family| family.to_string());
            writeln!(out, "{stage}, {family}: {} {}", filter.name, filter.chains[*chain].name).unwrap();
        }
    }
    out
}

fn interface(network: &Network, id: InterfaceId, fact: &impl Fn(Fact) -> String) -> String {
    let interface = network.interface(id);
    let addresses = interface.addresses.iter().map(|address| address.net.to_string()).collect::<Vec<_>>();
    let check = |antispoof: Antispoof| match antispoof {
        Antispoof::Undeclared(_) => "undeclared".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    let vrf =
        interface.vrf.map(|vrf| format!(", VRF {}", network.vrfs[vrf.index()].name)).unwrap_or_default();
    let segment =
        interface.segment.map(|id| format!(", on {}", network.segment(id).name)).unwrap_or_default();
    let [v4, v6] = interface.antispoof.map(check);
    format!(
        "{}: {}{vrf}{segment}, sources {v4}/{v6}, IPv6 {}",
        interface.name,
        addresses.join(" "),
        fact(interface.ipv6)
    )
}
