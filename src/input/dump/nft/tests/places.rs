//! Where chains hang, what they see there, and what a ruleset comes to beside other tables.

use super::{ACCEPT, FORWARD, TRACKING, compiled, dump_of, matching, only, payload, shown, table};
use crate::input::dump::iptables::{Rank, Ruleset, Spot, Turn};
use crate::model::Stage;

pub(super) fn base(kind: &str, hook: &str, priority: i64) -> String {
    format!(r#""type": "{kind}", "hook": "{hook}", "prio": {priority}, "policy": "accept""#)
}

fn drops(family: &str, hook: &str, priority: i64, rule: &str) -> Ruleset {
    let rule = format!(r#"{rule}{{"drop": null}}"#);
    only(&dump_of(&table(family, &base("filter", hook, priority), "", &[&rule, TRACKING])))
}

#[test]
fn hooks_and_priorities_are_stages_and_ranks() {
    let at = |hook: &str, priority: i64| -> Vec<(Stage, Rank)> {
        drops("inet", hook, priority, "").hooks.iter().map(|one| (one.at, one.rank)).collect()
    };
    assert_eq!(at("prerouting", -300), [(Stage::Prerouting, Rank(Turn::Early, -300))]);
    let behind = Rank(Turn::Early, 0);
    assert_eq!(at("prerouting", 0), [(Stage::Input, behind), (Stage::Forward, behind)]);
    assert_eq!(at("input", 7), [(Stage::Input, Rank(Turn::Own, 7))]);
    assert_eq!(at("forward", -7), [(Stage::Forward, Rank(Turn::Own, -7))]);
    assert_eq!(at("output", 0), [(Stage::Output, Rank(Turn::Own, 0))]);
    assert_eq!(at("output", -150), [(Stage::EarlyOutput, Rank(Turn::Own, -150))]);
    let late = Rank(Turn::Late, -150);
    assert_eq!(at("postrouting", -150), [(Stage::Forward, late), (Stage::LateOutput, late)]);
    assert!(Rank::FIRST < Rank(Turn::Early, -500) && Rank(Turn::Early, 300) < Rank(Turn::Own, -300));
}

#[test]
fn of_two_chains_with_one_priority_the_later_is_asked_first() {
    let second = r#", {"chain": {"family": "ip", "table": "t", "name": "d", "handle": 5, "type": "nat", "hook": "prerouting",
        "prio": -100, "policy": "accept"}}, {"rule": {"family": "ip", "table": "t", "chain": "d", "handle": 6, "expr": [
        {"redirect": null}]}}"#;
    let first = r#"{"dnat": {"addr": "10.0.0.1"}}"#;
    let ruleset = only(&dump_of(&table("ip", &base("nat", "prerouting", -100), second, &[first])));
    let names = ruleset.translating.iter().map(|one| ruleset.filter.chains[one.chain].name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["d", "c"]);
}

#[test]
fn a_chain_sees_what_its_hook_shows() {
    let state = matching(r#"{"ct": {"key": "state"}}"#, "in", "\"invalid\"") + ", ";
    let first = |ruleset: &Ruleset| shown(ruleset, "c")[0].clone();
    assert_eq!(first(&drops("ip", "prerouting", -150, &state)), "[Invalid] drop");
    // The tracker has not looked yet.
    assert_eq!(first(&drops("ip", "prerouting", -300, &state)), "? drop");
    assert_eq!(first(&drops("ip", "output", -300, &state)), "? drop");
    let name = |key: &str| matching(&format!(r#"{{"meta": {{"key": "{key}"}}}}"#), "==", "\"eth0\"") + ", ";
    let no_name =
        |key: &str| matching(&format!(r#"{{"meta": {{"key": "{key}"}}}}"#), "!=", "\"eth0\"") + ", ";
    assert_eq!(first(&drops("ip", "prerouting", 0, &name("oifname"))), "continue");
    assert_eq!(first(&drops("ip", "prerouting", 0, &no_name("oifname"))), "drop");
    assert_eq!(first(&drops("ip", "postrouting", 0, &name("iifname"))), "? drop");
    assert_eq!(first(&drops("ip", "postrouting", 0, &name("oifname"))), "out=eth0 drop");
    // Fragments that nobody has put together yet show no ports.
    let port = payload("tcp", "dport", "==", "22") + ", ";
    assert_eq!(first(&drops("ip", "prerouting", -450, &port)), "tcp dport=22 ? drop");
    assert_eq!(first(&drops("ip", "forward", -450, &port)), "tcp dport=22 drop");
}

#[test]
fn a_device_that_tracks_nothing_shows_fragments() {
    let made = |rule: &str| {
        let rule = format!(r#"{rule}, {{"accept": null}}"#);
        shown(&only(&dump_of(&table("ip", FORWARD, "", &[&rule]))), "c")
    };
    assert_eq!(
        made(&payload("tcp", "dport", "==", "22")),
        ["[Whole,First] tcp dport=22 accept", "[Later] ? tcp accept"]
    );
    assert_eq!(made(&payload("ip", "saddr", "==", "\"10.0.0.1\"")), ["src=10.0.0.1 accept"]);
    let offset = |op: &str| {
        let left = r#"{"&": [{"payload": {"protocol": "ip", "field": "frag-off"}}, 8191]}"#;
        made(&matching(left, op, "0"))
    };
    assert_eq!(offset("!="), ["[Later] ? accept"]);
    assert_eq!(offset("=="), ["[Whole,First] accept", "[Later] ? accept"]);
}

#[test]
fn a_chain_that_two_hooks_call_is_one_for_each_way_of_seeing() {
    let jump = r#", {"chain": {"family": "inet", "table": "t", "name": "late", "handle": 5, "type": "filter",
        "hook": "postrouting", "prio": 0, "policy": "accept"}},
        {"rule": {"family": "inet", "table": "t", "chain": "late", "handle": 6, "expr": [{"jump": {"target": "other"}}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "other", "handle": 7, "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, {"accept": null}]}}"#;
    let rule = r#"{"jump": {"target": "other"}}"#;
    let ruleset = only(&dump_of(&table("inet", FORWARD, jump, &[rule, TRACKING])));
    let others: Vec<&str> = ruleset
        .filter
        .chains
        .iter()
        .map(|chain| chain.name.as_str())
        .filter(|name| *name == "other")
        .collect();
    assert_eq!(others.len(), 2);
    // The first is the one of the later chain, where old kernels show no in-interface.
    assert_eq!(shown(&ruleset, "other"), ["? accept", "drop"]);
}

#[test]
fn translations_hang_where_their_chains_do() {
    let nat = |hook: &str, rule: &str| only(&dump_of(&table("inet", &base("nat", hook, -90), "", &[rule])));
    let at = |ruleset: &Ruleset| ruleset.translating.iter().map(|one| (one.at, one.rank)).collect::<Vec<_>>();
    let pre = nat("prerouting", r#"{"dnat": {"family": "ip", "addr": "10.0.0.1", "port": 8080}}"#);
    assert_eq!(at(&pre), [(Spot::Prerouting, Rank(Turn::Own, -90))]);
    assert!(pre.hooks.is_empty() && pre.filter.tracks);
    assert_eq!(
        shown(&pre, "c"),
        [
            "IPv4 Destination to Range(AddressRange { low: 10.0.0.1, high: 10.0.0.1 }) ports Some((8080, 8080)) \
          random false"
        ]
    );
    let made = |rule: &str| shown(&nat("postrouting", rule), "c").remove(0);
    assert_eq!(made(r#"{"masquerade": null}"#), "Source to Interface ports None random false");
    assert_eq!(
        made(r#"{"masquerade": {"port": {"range": [1024, 2048]}, "flags": ["fully-random", "persistent"]}}"#),
        "Source to Interface ports Some((1024, 2048)) random true"
    );
    assert_eq!(
        made(
            r#"{"snat": {"family": "ip", "addr": {"range": ["192.0.2.1", "192.0.2.7"]}, "flags": "random"}}"#
        ),
        "IPv4 Source to Range(AddressRange { low: 192.0.2.1, high: 192.0.2.7 }) ports None random true"
    );
    assert_eq!(
        made(
            r#"{"snat": {"family": "ip6", "addr": {"prefix": {"addr": "fd00:1::", "len": 64}}, "flags": "netmap",
            "type_flags": "prefix"}}"#
        ),
        "IPv6 Source to Prefix(fd00:1::/64) ports None random false"
    );
    assert_eq!(
        shown(&nat("output", r#"{"redirect": {"port": 53}}"#), "c"),
        ["Destination to Interface ports Some((53, 53)) random false"]
    );
    assert_eq!(at(&nat("input", r#"{"snat": {"family": "ip", "addr": "10.0.0.1"}}"#))[0].0, Spot::Input);
}

#[test]
fn a_map_of_new_addresses_is_one_rule_for_each_element() {
    let port = r#"{"payload": {"protocol": "tcp", "field": "dport"}}"#;
    let nat = |family: &str, addr: &str, more: &str| {
        let rule = format!(r#"{{"dnat": {{{family}"addr": {{"map": {addr}}}{more}}}}}"#);
        shown(&only(&dump_of(&table("ip", &base("nat", "prerouting", -100), "", &[&rule]))), "c")
    };
    let data = r#"{"set": [[80, "10.0.0.1"], [{"range": [443, 444]}, "10.0.0.2"]]}"#;
    let to =
        |low: &str, high: &str| format!("Destination to Range(AddressRange {{ low: {low}, high: {high} }})");
    let made = nat("", &format!(r#"{{"key": {port}, "data": {data}}}"#), "");
    let (one, two) = (to("10.0.0.1", "10.0.0.1"), to("10.0.0.2", "10.0.0.2"));
    assert_eq!(
        made,
        [
            format!("tcp dport=80 {one} ports None random false"),
            format!("tcp dport=443-444 {two} ports None random false"),
        ]
    );
    let data = r#"{"set": [[80, {"concat": ["10.0.0.1", 8080]}]]}"#;
    let made = nat(r#""family": "ip", "#, &format!(r#"{{"key": {port}, "data": {data}}}"#), "");
    assert_eq!(made, [format!("tcp dport=80 {one} ports Some((8080, 8080)) random false")]);
    let key = r#"{"payload": {"protocol": "ip", "field": "daddr"}}"#;
    let data = r#"{"set": [[{"prefix": {"addr": "10.1.0.0", "len": 24}}, {"prefix": {"addr": "10.2.0.0", "len": 24}}]]}"#;
    let flags = r#", "flags": "netmap", "type_flags": "prefix""#;
    assert_eq!(
        nat("", &format!(r#"{{"key": {key}, "data": {data}}}"#), flags),
        ["dst=10.1.0.0-10.1.0.255 Destination to Prefix(10.2.0.0/24) ports None random false"]
    );
}

#[test]
fn a_translation_that_is_not_understood_is_havoc() {
    for rule in [
        r#"{"dnat": {"addr": {"map": {"key": {"meta": {"key": "skuid"}}, "data": {"set": [[1, "10.0.0.1"]]}}}}}"#,
        r#"{"dnat": {"addr": {"jhash": {"mod": 2}}}}"#,
        r#"{"dnat": {"addr": "10.0.0.1", "newer": true}}"#,
        r#"{"dnat": {"addr": "10.0.0.1", "flags": "sometimes"}}"#,
        r#"{"dnat": {"addr": "www.example.org"}}"#,
        r#"{"fullcone": null}"#,
    ] {
        let all = compiled(&dump_of(&table("ip", &base("nat", "prerouting", -100), "", &[rule])));
        assert!(all.rulesets.is_empty() && all.doubts.len() == 1 && all.doubts[0].havoc, "{rule}");
    }
    // In a chain that filters, the kernel loads none.
    let all = compiled(&dump_of(&table("ip", FORWARD, "", &[r#"{"masquerade": null}"#])));
    assert_eq!(shown(&all.rulesets[0], "c"), ["?"]);
}

#[test]
fn what_does_more_than_decide_is_havoc_and_what_untracks_hides_the_state() {
    for rule in [
        r#"{"queue": {"num": 1}}"#,
        r#"{"dup": {"addr": "10.0.0.9"}}"#,
        r#"{"fwd": {"dev": "eth0"}}"#,
        r#"{"tproxy": {"port": 50080}}"#,
        r#"{"synproxy": null}"#,
        r#"{"flow": {"op": "add", "flowtable": "@f"}}"#,
        r#"{"xt": {"type": "target", "name": "TEE"}}"#,
        r#"{"xt": null}"#,
        r#"{"mangle": {"key": {"payload": {"protocol": "ip", "field": "daddr"}}, "value": "10.0.0.1"}}"#,
        r#"{"newer in 2031": {}}"#,
    ] {
        let ruleset = only(&dump_of(&table("inet", FORWARD, "", &[&format!("{rule}{ACCEPT}"), TRACKING])));
        assert!(ruleset.havoc.len() == 1 && ruleset.havoc[0].havoc, "{rule}");
        let made = shown(&ruleset, "c");
        assert!(made[0].ends_with('?') && made[1].ends_with("? accept"), "{rule} {made:?}");
    }
    let target =
        |name: &str| format!(r#"{{"xt": {{"type": "target", "name": "{name}"}}}}, {{"accept": null}}"#);
    let made =
        |name: &str| shown(&only(&dump_of(&table("ip", FORWARD, "", &[&target(name), TRACKING]))), "c");
    assert_eq!((made("LOG")[0].as_str(), made("MARK")[0].as_str()), ("accept", "accept"));
    assert_eq!(made("REJECT")[0], "reject");
    for rule in [
        r#"{"notrack": null}"#,
        r#"{"ct helper": "ftp"}"#,
        r#"{"mangle": {"key": {"ct": {"key": "zone"}}, "value": 5}}"#,
    ] {
        let ruleset = only(&dump_of(&table("inet", FORWARD, "", &[rule, TRACKING])));
        assert!(ruleset.untracks.is_some() && ruleset.havoc.is_empty(), "{rule}");
    }
}

#[test]
fn tables_that_filter_no_packets_or_every_frame() {
    let stops = r#"{"drop": null}"#;
    let of =
        |family: &str, hook: &str| compiled(&dump_of(&table(family, &base("filter", hook, 0), "", &[stops])));
    let arp = of("arp", "input");
    assert!(arp.rulesets.is_empty() && arp.doubts.is_empty());
    assert!(arp.ledger[0].text.contains("it filters no IP packets"));
    for (family, hook) in
        [("bridge", "forward"), ("netdev", "ingress"), ("inet", "ingress"), ("ip", "moebius")]
    {
        let all = of(family, hook);
        assert_eq!(all.doubts.len(), 1, "{family} {hook}");
        assert!(
            !all.doubts[0].havoc && all.doubts[0].what.contains("the chain `c`"),
            "{}",
            all.doubts[0].what
        );
    }
    let newer = of("xdp", "ingress");
    assert!(newer.doubts[0].havoc && newer.doubts[0].what == "what a table of the family `xdp` does");
}

#[test]
fn what_hangs_nowhere_decides_nothing() {
    let idle = r#"{"table": {"family": "inet", "name": "t", "handle": 1}}, {"chain": {"family": "inet", "table": "t",
        "name": "c", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
        {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 2, "expr": [{"counter": null}, {"accept": null}]}}"#;
    let idle = compiled(&dump_of(idle));
    assert!(idle.rulesets.is_empty() && idle.doubts.is_empty());
    let asleep = table("inet", FORWARD, "", &[]).replacen(
        "\"handle\": 1}",
        "\"handle\": 1, \"flags\": \"dormant\"}",
        1,
    );
    let asleep = compiled(&dump_of(&asleep));
    assert!(
        asleep.rulesets.is_empty() && asleep.doubts.is_empty() && asleep.ledger[0].text.contains("dormant")
    );
    // nft 1.0.6 prints rubbish there.
    let flagged = table("inet", FORWARD, "", &[]).replacen(
        "\"handle\": 1}",
        "\"handle\": 1, \"flags\": \"ipv4_addr\"}",
        1,
    );
    let flagged = compiled(&dump_of(&flagged));
    assert!(
        flagged.rulesets.is_empty() && flagged.doubts[0].what.contains("asleep") && !flagged.doubts[0].havoc
    );
}
