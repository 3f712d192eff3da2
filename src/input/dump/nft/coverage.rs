//! What is read of nftables, as rows of the document (`grammar/netfilter.md`). Nobody writes down what is understood: a sample
//! of each statement and expression is read, and what became of it is told.

use super::parse;
use crate::diag::Diagnostics;
use crate::input::dump::coverage::{Row, Section, Standing};
use crate::model::{Action, Filter, Match, Test};
use crate::source::SourceMap;

/// A statement, or what a match compares, as `nft -j` prints it: its name, where it stands, the sample, and a note.
type Sample = (&'static str, Place, &'static str, &'static str);

/// The table and the chain that a sample stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ip,
    Ip6,
    Inet,
    Destinations,
    Sources,
    Raw,
}

impl Place {
    /// The family of the table, and the hook of the chain.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Place::Ip => ("ip", FORWARD),
            Place::Ip6 => ("ip6", FORWARD),
            Place::Inet => ("inet", FORWARD),
            Place::Destinations => {
                ("ip", r#""type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept""#)
            }
            Place::Sources => {
                ("ip", r#""type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept""#)
            }
            Place::Raw => {
                ("ip", r#""type": "filter", "hook": "prerouting", "prio": -300, "policy": "accept""#)
            }
        }
    }
}

const FORWARD: &str = r#""type": "filter", "hook": "forward", "prio": 0, "policy": "accept""#;

/// A rule that makes the device track connections, without which nothing shows the ports of a later fragment.
const TRACKING: &str =
    r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}, {"counter": null}"#;

/// What nft(8) and libnftables-json(5) name, and how it is read.
pub(in crate::input::dump) fn coverage() -> Vec<Section> {
    let of = |samples: &[Sample]| samples.iter().map(|sample| row(*sample)).collect();
    vec![
        Section {
            title: "nftables: statements",
            intro:
                "In `nft -j list ruleset`, tables of the families ip, ip6 and inet. Chains of bridge, netdev,
            ingress and egress \
                    are not understood.",
            rows: of(STATEMENTS),
        },
        Section {
            title: "nftables: expressions",
            intro: "What `match` compares, by any operator, with values, prefixes, ranges and sets.",
            rows: of(EXPRESSIONS),
        },
    ]
}

fn row((name, place, sample, note): Sample) -> Row {
    let understood = is_understood(place, sample);
    let standing = match understood {
        true if note.starts_with("goes on") => Standing::Partly,
        true => Standing::Modelled,
        false => Standing::NotUnderstood,
    };
    Row::of(name.replace('|', "\\|"), Vec::new(), Vec::new(), "").noting([note]).standing(standing)
}

/// Whether a rule with this statement in front of `accept` leaves nothing open.
fn is_understood(place: Place, statement: &str) -> bool {
    let (family, base) = place.words();
    let within = format!(r#""family": "{family}", "table": "t""#);
    // A map of verdicts ends its rule.
    let then = if statement.starts_with(r#"{"vmap""#) { "" } else { r#", {"accept": null}"# };
    let address = if place == Place::Ip6 { ("ipv6_addr", "fd00::1") } else { ("ipv4_addr", "10.0.0.1") };
    let text = format!(
        r#"{{"nftables": [{{"metainfo": {{"json_schema_version": 1}}}}, {{"table": {{"family": "{family}", "name": "t"}}}},
        {{"set": {{{within}, "name": "known", "type": "{}", "elem": ["{}"]}}}},
        {{"set": {{{within}, "name": "moving", "type": "{}", "flags": ["timeout"], "timeout": 60}}}},
        {{"chain": {{{within}, "name": "tracking", {FORWARD}}}}},
        {{"rule": {{{within}, "chain": "tracking", "expr": [{TRACKING}]}}}},
        {{"chain": {{{within}, "name": "c", {base}}}}}, {{"chain": {{{within}, "name": "other"}}}},
        {{"rule": {{{within}, "chain": "other", "expr": [{{"accept": null}}]}}}},
        {{"rule": {{{within}, "chain": "c", "expr": [{statement}{then}]}}}},
        {{"rule": {{{within}, "chain": "c", "expr": [{{"drop": null}}]}}}}]}}"#,
        address.0, address.1, address.0
    );
    let mut sources = SourceMap::default();
    let id = sources.add("sample", text);
    let mut wrong = Diagnostics::default();
    let dump = parse(sources.get(id), id, &mut wrong);
    let made = dump.compile(None, None, true);
    let open = made
        .rulesets
        .iter()
        .any(|one| one.untracks.is_some() || !one.havoc.is_empty() || is_open(&one.filter));
    !wrong.has_errors() && made.doubts.is_empty() && !open
}

/// Whether some rule of a filter asks or does what is not understood.
fn is_open(filter: &Filter) -> bool {
    fn asks(one: &Match) -> bool {
        match &one.test {
            Test::Unknown(_) => true,
            Test::Any(any) => any.iter().any(asks),
            _ => false,
        }
    }
    let mut rules = filter.chains.iter().flat_map(|chain| &chain.rules);
    rules.any(|rule| matches!(rule.action, Action::Unknown(_)) || rule.matches.iter().any(asks))
}

const STATEMENTS: &[Sample] = &[
    (
        "match",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"10.0.0.1"}}"#,
        "the next table",
    ),
    ("accept, drop", Place::Ip, r#"{"drop":null}"#, "`accept` ends its base chain, `drop` everything"),
    ("continue", Place::Ip, r#"{"continue":null}"#, ""),
    ("return", Place::Ip, r#"{"return":null}"#, ""),
    ("jump", Place::Ip, r#"{"jump":{"target":"other"}}"#, ""),
    ("goto", Place::Ip, r#"{"goto":{"target":"other"}}"#, ""),
    ("reject", Place::Ip, r#"{"reject":{"type":"icmp","expr":"port-unreachable"}}"#, ""),
    (
        "vmap",
        Place::Ip,
        r#"{"vmap":{"key":{"payload":{"protocol":"tcp","field":"dport"}},"data":{"set":[[22,{"accept":null}],[80,
            {"drop":null}]]}}}"#,
        "of sets, intervals and pairs",
    ),
    ("counter, last", Place::Ip, r#"{"counter":{"packets":0,"bytes":0}}"#, ""),
    (
        "log",
        Place::Ip,
        r#"{"log":{"prefix":"x"}}"#,
        "with a group, where a program may send it on is in the ledger",
    ),
    (
        "limit",
        Place::Ip,
        r#"{"limit":{"rate":10,"burst":5,"per":"second"}}"#,
        "what it says changes with traffic",
    ),
    ("quota", Place::Ip, r#"{"quota":{"val":1,"val_unit":"mbytes"}}"#, "what it says changes with traffic"),
    ("ct count", Place::Ip, r#"{"ct count":{"val":10}}"#, "what it says changes with traffic"),
    (
        "meter",
        Place::Ip,
        r#"{"meter":{"name":"m","key":{"payload":{"protocol":"ip","field":"saddr"}},"stmt":{"limit":{"rate":10,
            "burst":5,"per":"second"}}}}"#,
        "what it says changes with traffic",
    ),
    (
        "set, map (add, update, delete)",
        Place::Ip,
        r#"{"set":{"op":"add","elem":{"payload":{"protocol":"ip","field":"saddr"}},"set":"@known"}}"#,
        "changes what a set holds",
    ),
    (
        "snat",
        Place::Sources,
        r#"{"snat":{"addr":"192.0.2.1"}}"#,
        "in chains of type nat: addresses, ranges, ports, prefixes, literal maps",
    ),
    (
        "dnat",
        Place::Destinations,
        r#"{"dnat":{"addr":"192.0.2.1","port":80}}"#,
        "in chains of type nat: addresses, ranges, ports, prefixes, literal maps",
    ),
    ("masquerade", Place::Sources, r#"{"masquerade":null}"#, "in chains of type nat"),
    ("redirect", Place::Destinations, r#"{"redirect":{"port":80}}"#, "in chains of type nat"),
    ("notrack", Place::Raw, r#"{"notrack":null}"#, "nobody knows the state of any packet then"),
    (
        "mangle of marks",
        Place::Ip,
        r#"{"mangle":{"key":{"meta":{"key":"mark"}},"value":1}}"#,
        "numbers, and marks with bits set, cleared and turned round; with anything else, and in chains of type \
         nat, of bridge and netdev, and of prerouting behind -100, no mark of the device is known",
    ),
    (
        "mangle of other keys of meta and ct",
        Place::Ip,
        r#"{"mangle":{"key":{"meta":{"key":"priority"}},"value":1}}"#,
        "goes on",
    ),
    (
        "mangle of header fields",
        Place::Ip,
        r#"{"mangle":{"key":{"payload":{"protocol":"ip","field":"daddr"}},"value":"192.0.2.1"}}"#,
        "",
    ),
    ("secmark", Place::Ip, r#"{"secmark":"s"}"#, "goes on: security marks are not followed"),
    ("ct helper, ct timeout, ct expectation", Place::Ip, r#"{"ct helper":"h"}"#, ""),
    ("queue", Place::Ip, r#"{"queue":{"num":1}}"#, ""),
    ("dup", Place::Ip, r#"{"dup":{"addr":"192.0.2.1","dev":"l"}}"#, "a copy"),
    ("fwd", Place::Ip, r#"{"fwd":{"dev":"l"}}"#, ""),
    ("flow", Place::Ip, r#"{"flow":{"op":"add","flowtable":"@f"}}"#, ""),
    ("tproxy", Place::Ip, r#"{"tproxy":{"addr":"192.0.2.1","port":80}}"#, ""),
    ("synproxy", Place::Ip, r#"{"synproxy":{"mss":1460,"wscale":7}}"#, ""),
    (
        "xt",
        Place::Ip,
        r#"{"xt":{"type":"match","name":"bpf"}}"#,
        "what iptables-nft writes for its extensions; its own tables are read from `iptables-save`",
    ),
];

const EXPRESSIONS: &[Sample] = &[
    (
        "ip saddr, ip daddr",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},
            "right":{"prefix":{"addr":"10.0.0.0","len":8}}}}"#,
        "",
    ),
    (
        "ip6 saddr, ip6 daddr",
        Place::Ip6,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip6","field":"saddr"}},"right":"fd00::1"}}"#,
        "",
    ),
    (
        "ip protocol",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"protocol"}},"right":"tcp"}}"#,
        "",
    ),
    (
        "ip6 nexthdr",
        Place::Ip6,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip6","field":"nexthdr"}},"right":"tcp"}}"#,
        "headers of IPv6 before the last",
    ),
    (
        "ip frag-off",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"&":[{"payload":{"protocol":"ip","field":"frag-off"}},8191]},"right":0}}"#,
        "whether there is an offset, under a mask",
    ),
    (
        "ip ttl, ip dscp, ip length and other fields of ip",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"ttl"}},"right":1}}"#,
        "no field of the model",
    ),
    (
        "tcp sport, tcp dport",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"range":[80,90]}}}"#,
        "",
    ),
    (
        "udp sport, udp dport",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":53}}"#,
        "",
    ),
    (
        "sctp, dccp, udplite sport and dport",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"sctp","field":"dport"}},"right":80}}"#,
        "",
    ),
    (
        "th sport, th dport",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"th","field":"dport"}},"right":80}}"#,
        "the kernel looks there whatever the protocol is",
    ),
    (
        "tcp flags",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"flags"}},"right":"syn"}}"#,
        "",
    ),
    (
        "other fields of tcp and udp",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"window"}},"right":80}}"#,
        "no field of the model",
    ),
    (
        "icmp type, icmp code",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"icmp","field":"type"}},"right":"echo-request"}}"#,
        "in `ip`; in `inet`, nft prints alike what is for one family and what is for both",
    ),
    (
        "icmpv6 type, icmpv6 code",
        Place::Ip6,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"icmpv6","field":"type"}},"right":"echo-request"}}"#,
        "in `ip6`; as icmp",
    ),
    (
        "igmp, esp, ah, comp, gre",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"esp","field":"spi"}},"right":1}}"#,
        "no field of the model",
    ),
    (
        "ether, vlan, arp",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ether","field":"saddr"}},"right":"02:00:00:00:00:01"}}"#,
        "frames",
    ),
    (
        "raw payload (@th,0,16)",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"base":"th","offset":0,"len":16}},"right":80}}"#,
        "",
    ),
    (
        "exthdr, ip option, tcp option, sctp chunk",
        Place::Ip6,
        r#"{"match":{"op":"==","left":{"exthdr":{"name":"frag"}},"right":true}}"#,
        "",
    ),
    (
        "meta iifname, iif",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"l"}}"#,
        "with `*`",
    ),
    (
        "meta oifname, oif",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":"r"}}"#,
        "with `*`",
    ),
    (
        "meta l4proto",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"tcp"}}"#,
        "",
    ),
    (
        "meta nfproto",
        Place::Inet,
        r#"{"match":{"op":"==","left":{"meta":{"key":"nfproto"}},"right":"ipv4"}}"#,
        "",
    ),
    (
        "meta protocol",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"meta":{"key":"protocol"}},"right":"ip"}}"#,
        "",
    ),
    (
        "meta mark",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":1}}"#,
        "under a mask too",
    ),
    (
        "ct mark",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"ct":{"key":"mark"}},"right":1}}"#,
        "certain for the first packet of a connection only",
    ),
    (
        "other keys of meta (skuid, cgroup, time, pkttype, ibrname, …)",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"meta":{"key":"skuid"}},"right":0}}"#,
        "",
    ),
    ("ct state", Place::Ip, r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":"new"}}"#, ""),
    (
        "ct status",
        Place::Ip,
        r#"{"match":{"op":"in","left":{"ct":{"key":"status"}},"right":"dnat"}}"#,
        "`snat` and `dnat`; the other bits are not understood",
    ),
    (
        "other keys of ct (original saddr, zone, bytes, …)",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"ct":{"key":"zone"}},"right":1}}"#,
        "",
    ),
    (
        "fib daddr type, fib saddr type",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"fib":{"result":"type","flags":["daddr"]}},"right":"local"}}"#,
        "by the addresses and the `local` table of the device",
    ),
    (
        "fib saddr . iif oif and other fib",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"fib":{"result":"oif","flags":["saddr","iif"]}},"right":false}}"#,
        "",
    ),
    (
        "rt, socket, osf, ipsec, numgen, jhash, symhash",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"numgen":{"mode":"random","mod":2,"offset":0}},"right":0}}"#,
        "",
    ),
    (
        "& of flags",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"&":[{"payload":{"protocol":"tcp","field":"flags"}},["syn","ack"]]},"right":"syn"}}"#,
        "",
    ),
    (
        "concatenations",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"concat":[{"payload":{"protocol":"ip","field":"saddr"}},
            {"payload":{"protocol":"tcp","field":"dport"}}]},"right":{"set":[{"concat":["10.0.0.1",80]}]}}}"#,
        "with ranges and prefixes",
    ),
    (
        "anonymous sets",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[22,{"range":[80,90]}]}}}"#,
        "",
    ),
    (
        "named sets",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"@known"}}"#,
        "with intervals and pairs",
    ),
    (
        "named sets with timeouts, or that rules change",
        Place::Ip,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"@moving"}}"#,
        "the permanent elements certainly, others perhaps",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_what_nft_prints() {
        for (name, place, sample, _) in STATEMENTS.iter().chain(EXPRESSIONS) {
            let json: serde_json::Value = serde_json::from_str(sample).unwrap();
            assert!(json.is_object(), "{name}");
            // The rest of the rule and of its table is understood, so that an open sample is open by itself.
            assert!(is_understood(*place, r#"{"counter": null}"#), "{name}");
        }
    }

    #[test]
    fn what_is_read_and_what_is_not_are_told_apart() {
        let standing = |name: &str| {
            let all = STATEMENTS.iter().chain(EXPRESSIONS);
            row(*all.clone().find(|sample| sample.0 == name).unwrap()).standing
        };
        for name in [
            "match",
            "reject",
            "snat",
            "dnat",
            "vmap",
            "ct state",
            "tcp sport, tcp dport",
            "named sets",
            "meta mark",
            "mangle of marks",
        ] {
            assert_eq!(standing(name), Standing::Modelled, "{name}");
        }
        for name in ["limit", "queue", "xt", "ip6 nexthdr"] {
            assert_eq!(standing(name), Standing::NotUnderstood, "{name}");
        }
    }
}
