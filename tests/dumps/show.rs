//! A filter as compact text, for snapshots that a person can compare with the dump.

use isoaudit::header::{AddressRange, Family, Fragment, proto};
use isoaudit::input::dump::Ruleset;
use isoaudit::model::{Action, Filter, Match, Rule, Service, Test, Unknown};
use std::fmt::Write;

/// All of a ruleset: hooks, chains, and what is not understood.
pub fn ruleset(ruleset: &Ruleset) -> String {
    let filter = &ruleset.filter;
    let mut out = format!("{} {:?}, tracks: {}\n", filter.name, ruleset.backend, filter.tracks);
    for (stage, chain) in &ruleset.hooks {
        writeln!(out, "hook {stage:?}: {}", filter.chains[*chain].name).unwrap();
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
pub fn chains(filter: &Filter, unknowns: &[Unknown]) -> String {
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
pub fn normal(ruleset: &Ruleset) -> String {
    let filter = &ruleset.filter;
    let silent =
        vec![Unknown { what: "?".to_owned(), span: None, settle: String::new() }; ruleset.unknowns.len()];
    let hooks =
        ruleset.hooks.iter().map(|(stage, chain)| format!("{stage:?}: {}", filter.chains[*chain].name));
    let mut parts: Vec<String> = hooks.collect();
    for chain in &filter.chains {
        let policy = chain.policy.map(|action| word(action, filter, &silent));
        let mut text = format!("{} {}\n", chain.name, policy.unwrap_or_default());
        for rule in &chain.rules {
            let mut tests: Vec<String> = rule.matches.iter().map(|one| test(one, &silent)).collect();
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
pub fn program(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    }
}
