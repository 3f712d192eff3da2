//! From the text of a dump to filters: what each expression and statement means, and what is refused.

mod exact;
mod marks;
mod places;
mod refused;
mod same;

use super::{Compiled, NftDump, parse};
use crate::diag::{Diagnostic, Diagnostics};
use crate::header::{AddressRange, proto};
use crate::input::dump::iptables::Ruleset;
use crate::model::{Action, MarkChange, Match, Rule, Service, Test};
use crate::source::SourceMap;

fn read(text: &str) -> (NftDump, Vec<Diagnostic>, SourceMap) {
    let mut sources = SourceMap::default();
    let id = sources.add("dump", text);
    let mut out = Diagnostics::default();
    let dump = parse(sources.get(id), id, &mut out);
    (dump, out.sorted(), sources)
}

/// A dump of these objects.
fn dump_of(objects: &str) -> NftDump {
    let (dump, errors, _) = read(&wrapped(objects));
    assert!(errors.is_empty(), "{errors:?}");
    dump
}

fn wrapped(objects: &str) -> String {
    format!(
        r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6", "json_schema_version": 1}}}}, {objects}]}}"#
    )
}

/// A table with one chain at a hook, with these rules and these objects in front of them.
fn table(family: &str, base: &str, objects: &str, rules: &[&str]) -> String {
    let mut text = format!(
        r#"{{"table": {{"family": "{family}", "name": "t", "handle": 1}}}},
        {{"chain": {{"family": "{family}", "table": "t", "name": "c", "handle": 1, {base}}}}},
        {{"chain": {{"family": "{family}", "table": "t", "name": "other", "handle": 2}}}}{objects}"#
    );
    for rule in rules {
        text += &format!(
            r#", {{"rule": {{"family": "{family}", "table": "t", "chain": "c", "handle": 3, "expr": [{rule}]}}}}"#
        );
    }
    let other = r#"{"drop": null}"#;
    text + &format!(
        r#", {{"rule": {{"family": "{family}", "table": "t", "chain": "other", "handle": 4, "expr": [{other}]}}}}"#
    )
}

const FORWARD: &str = r#""type": "filter", "hook": "forward", "prio": 0, "policy": "drop""#;
const TRACKING: &str =
    r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}, {"counter": null}"#;

fn compiled(dump: &NftDump) -> Compiled {
    dump.compile(None, None, true)
}

fn only(dump: &NftDump) -> Ruleset {
    let mut all = compiled(dump).rulesets;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// The rules of the chain `c` of a table of a device that tracks connections, as text.
fn rules(family: &str, objects: &str, rule: &str) -> Vec<String> {
    let ruleset = only(&dump_of(&table(family, FORWARD, objects, &[rule, TRACKING])));
    shown(&ruleset, "c").into_iter().filter(|rule| rule != "continue").collect()
}

/// A match of a payload field, as nft prints it.
fn payload(of: &str, field: &str, op: &str, right: &str) -> String {
    let left = format!(r#"{{"payload": {{"protocol": "{of}", "field": "{field}"}}}}"#);
    matching(&left, op, right)
}

fn matching(left: &str, op: &str, right: &str) -> String {
    format!(r#"{{"match": {{"op": "{op}", "left": {left}, "right": {right}}}}}"#)
}

const ACCEPT: &str = r#", {"accept": null}"#;

/// The rules of a chain, one text each.
fn shown(ruleset: &Ruleset, chain: &str) -> Vec<String> {
    let chain = ruleset.filter.chains.iter().find(|one| one.name == chain).unwrap();
    chain.rules.iter().map(|rule| show(rule, ruleset)).collect()
}

fn show(rule: &Rule, ruleset: &Ruleset) -> String {
    let name = |chain: usize| ruleset.filter.chains[chain].name.as_str();
    let action = match rule.action {
        Action::Accept => "accept".to_owned(),
        Action::Drop => "drop".to_owned(),
        Action::Reject => "reject".to_owned(),
        Action::Return => "return".to_owned(),
        Action::Continue => "continue".to_owned(),
        Action::Mark(MarkChange { of, packet, connection, flip }) => {
            format!("{of:?} mark = packet & {packet:#x} ^ connection & {connection:#x} ^ {flip:#x}")
        }
        Action::Jump(to) => format!("jump {}", name(to)),
        Action::Goto(to) => format!("goto {}", name(to)),
        Action::Translate(at) => {
            let made = &ruleset.filter.translations[at];
            format!("{:?} to {:?} ports {:?} random {}", made.end, made.to, made.ports, made.random)
        }
        Action::Unknown(_) => "?".to_owned(),
    };
    let mut words: Vec<String> = rule.matches.iter().map(show_match).collect();
    words.push(action);
    words.join(" ")
}

fn show_match(one: &Match) -> String {
    let not = if one.negated { "!" } else { "" };
    let list = |ranges: Vec<String>| ranges.join(",");
    let range = |low: String, high: String| if low == high { low } else { format!("{low}-{high}") };
    let addresses = |ranges: &[AddressRange]| {
        list(ranges.iter().map(|r| range(r.low.to_string(), r.high.to_string())).collect())
    };
    let ports = |ranges: &[(u16, u16)]| {
        list(ranges.iter().map(|(low, high)| range(low.to_string(), high.to_string())).collect())
    };
    let text = match &one.test {
        Test::Source(ranges) => format!("src={}", addresses(ranges)),
        Test::Destination(ranges) => format!("dst={}", addresses(ranges)),
        Test::Family(family) => family.to_string(),
        Test::Protocol(ranges) => {
            let name = |n: u8| proto::name(n).map_or(n.to_string(), str::to_owned);
            list(ranges.iter().map(|(low, high)| range(name(*low), name(*high))).collect())
        }
        Test::SourcePort(ranges) => format!("sport={}", ports(ranges)),
        Test::DestinationPort(ranges) => format!("dport={}", ports(ranges)),
        Test::TcpFlags { mask, value } => format!("flags={value:02x}/{mask:02x}"),
        Test::Service(services) => {
            let one = |s: &Service| match (s.icmp_types, s.icmp_codes) {
                (types, (0, 255)) => format!("type={}", range(types.0.to_string(), types.1.to_string())),
                ((0, 255), codes) => format!("code={}", range(codes.0.to_string(), codes.1.to_string())),
                both => format!("{both:?}"),
            };
            list(services.iter().map(one).collect())
        }
        Test::State(states) => format!("{states:?}").replace(", ", ","),
        Test::InName(name) => format!("in={name}"),
        Test::OutName(name) => format!("out={name}"),
        Test::SourceIsOwn => "src=own".to_owned(),
        Test::DestinationIsOwn => "dst=own".to_owned(),
        Test::Any(any) => format!("({})", any.iter().map(show_match).collect::<Vec<_>>().join(" | ")),
        Test::Fragment(parts) => format!("{parts:?}").replace(", ", ","),
        Test::Mark { of, mask, values } => format!("{of:?} mark & {mask:#x} = {values:x?}"),
        Test::Unknown(_) => "?".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{not}{text}")
}
