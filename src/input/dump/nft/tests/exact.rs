//! Expressions and statements that are understood, from what nft prints to the rules of the model.

use super::{ACCEPT, matching, payload, rules};

/// The one rule that a match of a table makes, without its `accept`.
fn one(family: &str, matches: &str) -> String {
    let made = rules(family, "", &format!("{matches}{ACCEPT}"));
    assert_eq!(made.len(), 1, "{made:?}");
    made[0].strip_suffix("accept").unwrap().trim_end().to_owned()
}

#[test]
fn addresses_are_of_one_family_even_if_negated() {
    let source = |op: &str, right: &str| one("inet", &payload("ip", "saddr", op, right));
    assert_eq!(source("==", "\"10.0.0.1\""), "IPv4 src=10.0.0.1");
    let net = r#"{"prefix": {"addr": "10.0.0.0", "len": 8}}"#;
    assert_eq!(source("==", net), "IPv4 src=10.0.0.0-10.255.255.255");
    assert_eq!(source("!=", net), "IPv4 src=0.0.0.0-9.255.255.255,11.0.0.0-255.255.255.255");
    assert_eq!(source("==", r#"{"range": ["10.0.0.3", "10.0.0.9"]}"#), "IPv4 src=10.0.0.3-10.0.0.9");
    assert_eq!(source("<", "\"10.0.0.0\""), "IPv4 src=0.0.0.0-9.255.255.255");
    assert_eq!(source(">", "\"254.255.255.255\""), "IPv4 src=255.0.0.0-255.255.255.255");
    let set = format!(r#"{{"set": ["10.0.0.2", {net}, "1.1.1.1", "1.1.1.2"]}}"#);
    assert_eq!(source("==", &set), "IPv4 src=1.1.1.1-1.1.1.2,10.0.0.0-10.255.255.255");
    assert_eq!(source("!=", &set).matches("-").count(), 3);
    // In a table of one family no condition on the family is needed.
    assert_eq!(one("ip", &payload("ip", "daddr", "==", "\"10.0.0.1\"")), "dst=10.0.0.1");
    let six = payload("ip6", "daddr", "==", r#"{"prefix": {"addr": "fe80::", "len": 10}}"#);
    assert_eq!(one("inet", &six), "IPv6 dst=fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    let masked = r#"{"&": [{"payload": {"protocol": "ip", "field": "daddr"}}, "255.255.0.0"]}"#;
    assert_eq!(one("ip", &matching(masked, "==", "\"10.1.0.0\"")), "dst=10.1.0.0-10.1.255.255");
    let holes = r#"{"&": [{"payload": {"protocol": "ip", "field": "daddr"}}, "255.0.0.255"]}"#;
    assert_eq!(one("ip", &matching(holes, "==", "\"10.0.0.1\"")), "?");
    // The other family: no packet.
    assert!(rules("ip", "", &format!("{}{ACCEPT}", payload("ip6", "saddr", "!=", "\"::1\""))).is_empty());
}

#[test]
fn ports_need_their_protocol_even_if_negated() {
    let port = |of: &str, op: &str, right: &str| one("inet", &payload(of, "dport", op, right));
    assert_eq!(port("tcp", "==", "22"), "tcp dport=22");
    assert_eq!(port("tcp", "!=", "22"), "tcp dport=0-21,23-65535");
    assert_eq!(port("udp", ">=", "1024"), "udp dport=1024-65535");
    assert!(rules("inet", "", &format!("{}{ACCEPT}", payload("udp", "dport", ">", "65535"))).is_empty());
    assert_eq!(port("sctp", "==", r#"{"set": [22, {"range": [80, 90]}, 91]}"#), "sctp dport=22,80-91");
    assert_eq!(port("tcp", "==", "\"ssh\""), "tcp ?");
    assert_eq!(port("tcp", "==", "[22, 23]"), "tcp ?");
    // Whatever other protocols have at the place of a port.
    assert_eq!(port("th", "==", "53"), "(dport=53 | !(tcp,udp,dccp,sctp,udplite | !?))");
    let either = matching(r#"{"meta": {"key": "l4proto"}}"#, "==", r#"{"set": ["tcp", "udp"]}"#);
    let both = format!("{either}, {}", payload("th", "dport", "==", "53"));
    assert_eq!(one("inet", &both), "tcp,udp dport=53");
}

#[test]
fn protocols_of_ipv6_are_the_last_ones() {
    let l4 = |family: &str, op: &str, right: &str| {
        one(family, &matching(r#"{"meta": {"key": "l4proto"}}"#, op, right))
    };
    assert_eq!(l4("inet", "==", "\"tcp\""), "tcp");
    assert_eq!(l4("ip", "!=", "6"), "0-5,7-255");
    assert_eq!(l4("ip", "==", "51"), "ah");
    // The kernel walks over it, so that it is the last header of no packet of IPv6.
    assert_eq!(l4("ip6", "==", "51"), "!(!ah | !?)");
    assert_eq!(one("inet", &payload("ip", "protocol", "==", "\"tcp\"")), "IPv4 tcp");
    // What stands behind the fixed header may be another one.
    assert_eq!(one("inet", &payload("ip6", "nexthdr", "==", "\"tcp\"")), "IPv6 tcp ?");
    assert_eq!(one("inet", &payload("ip6", "nexthdr", "!=", "\"tcp\"")), "IPv6 (0-5,7-255 | ?)");
    assert_eq!(one("inet", &payload("ip6", "nexthdr", "==", "44")), "IPv6 ?");
    let proto = |right: &str| one("inet", &matching(r#"{"meta": {"key": "nfproto"}}"#, "==", right));
    assert_eq!((proto("\"ipv4\""), proto("\"ipv6\"")), ("IPv4".to_owned(), "IPv6".to_owned()));
    assert_eq!(one("inet", &matching(r#"{"meta": {"key": "protocol"}}"#, "!=", "\"ip\"")), "IPv6");
    assert_eq!(one("ip6", &matching(r#"{"meta": {"key": "nfproto"}}"#, "==", "\"ipv6\"")), "");
}

#[test]
fn flags_are_bits_under_a_mask() {
    let plain = |op: &str, right: &str| one("ip", &payload("tcp", "flags", op, right));
    assert_eq!(plain("==", "\"syn\""), "tcp flags=02/ff");
    assert_eq!(plain("in", "\"syn\""), "tcp flags=02/02");
    assert_eq!(plain("!", "\"syn\""), "tcp flags=00/02");
    assert_eq!(plain("!", r#"["syn", "ack"]"#), "tcp flags=00/12");
    assert_eq!(plain("in", r#"["syn", "ack"]"#), "tcp (flags=10/10 | flags=02/12)");
    assert_eq!(plain("==", r#"{"set": [{"|": ["syn", "ack"]}, "syn"]}"#), "tcp flags=02/ef");
    let masked = |right: &str| {
        let left =
            r#"{"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn", "rst", "ack"]]}"#;
        one("ip", &matching(left, "==", right))
    };
    assert_eq!(masked("\"syn\""), "tcp flags=02/17");
    assert_eq!(masked(r#"{"|": ["syn", "ack"]}"#), "tcp flags=12/17");
    // Not equal to one value: every other one.
    assert_eq!(plain("!=", "\"syn\"").matches("flags").count(), 8);
}

#[test]
fn types_of_icmp_are_of_a_protocol_and_perhaps_of_a_family() {
    let four = |op: &str, right: &str| one("ip", &payload("icmp", "type", op, right));
    assert_eq!(four("==", "\"echo-request\""), "icmp type=8");
    assert_eq!(four("!=", "\"echo-request\""), "icmp type=0-7,type=9-255");
    assert_eq!(one("ip", &payload("icmp", "code", "==", "\"port-unreachable\"")), "icmp code=3");
    let set = r#"{"set": ["nd-neighbor-solicit", "nd-neighbor-advert", 1]}"#;
    assert_eq!(one("ip6", &payload("icmpv6", "type", "==", set)), "icmpv6 type=1,type=135-136");
    assert_eq!(one("ip6", &payload("icmpv6", "type", "==", "\"new-in-2031\"")), "icmpv6 ?");
    // The kernel asks for the protocol only, in whichever family it is.
    assert_eq!(one("ip", &payload("icmpv6", "type", "==", "128")), "icmpv6 type=128");
    assert_eq!(one("ip6", &payload("igmp", "type", "==", "17")), "igmp ?");
    // `meta l4proto icmpv6 icmpv6 type 128` asks for no family, and is printed as this is.
    let six = payload("icmpv6", "type", "==", "128");
    assert_eq!(one("inet", &six), "(IPv6 | ?) icmpv6 type=128");
    let proto = |word: &str| matching(r#"{"meta": {"key": "nfproto"}}"#, "==", word);
    assert_eq!(one("inet", &format!("{}, {six}", proto("\"ipv6\""))), "IPv6 icmpv6 type=128");
    assert_eq!(one("inet", &format!("{}, {six}", proto("\"ipv4\""))), "IPv4 ? icmpv6 type=128");
    let source = payload("ip", "saddr", "==", "\"10.0.0.1\"");
    assert_eq!(one("inet", &format!("{source}, {six}")), "IPv4 src=10.0.0.1 ? icmpv6 type=128");
}

#[test]
fn a_protocol_in_a_table_of_ipv6_may_be_the_first_header() {
    let port = payload("tcp", "dport", "==", "22");
    let made = |family: &str, last: &str| rules(family, "", &format!("{port}, {{\"{last}\": null}}"));
    assert_eq!(made("ip6", "accept"), ["tcp dport=22 accept"]);
    assert_eq!(made("ip6", "drop"), ["tcp dport=22 ? drop"]);
    assert_eq!(made("ip", "drop"), ["tcp dport=22 drop"]);
    assert_eq!(made("inet", "drop"), ["tcp dport=22 drop"]);
    let l4 = matching(r#"{"meta": {"key": "l4proto"}}"#, "==", "\"tcp\"");
    assert_eq!(rules("ip6", "", &format!("{l4}, {{\"drop\": null}}")), ["tcp drop"]);
}

#[test]
fn a_list_of_states_behind_an_unequal_sign_is_no_set() {
    let state = |op: &str, right: &str| {
        let made =
            rules("inet", "", &format!("{}{ACCEPT}", matching(r#"{"ct": {"key": "state"}}"#, op, right)));
        made.first().cloned().unwrap_or_default()
    };
    assert_eq!(state("in", r#"["established", "related"]"#), "[Established,Related] accept");
    assert_eq!(state("==", r#"{"set": ["established", "related"]}"#), "[Established,Related] accept");
    assert_eq!(state("!=", r#"{"set": ["established", "related"]}"#), "[New,Invalid,Untracked] accept");
    assert_eq!(state("!", r#"["established", "related"]"#), "[New,Invalid,Untracked] accept");
    assert_eq!(state("!=", "\"new\""), "[Established,Related,Invalid,Untracked] accept");
    // `ct state != established,related`: no packet is in both, so that all are in neither.
    assert_eq!(state("!=", r#"{"|": ["established", "related"]}"#), "accept");
    assert_eq!(state("==", r#"["established", "related"]"#), "");
    let masked = r#"{"&": [{"ct": {"key": "state"}}, ["established", "related"]]}"#;
    assert_eq!(one("ip", &matching(masked, "==", "\"established\"")), "[Established]");
}

#[test]
fn interfaces_are_names_with_a_star() {
    let name = |key: &str, op: &str, right: &str| {
        one("inet", &matching(&format!(r#"{{"meta": {{"key": "{key}"}}}}"#), op, right))
    };
    assert_eq!(name("iifname", "==", "\"eth0\""), "in=eth0");
    assert_eq!(name("oif", "!=", "\"eth0\""), "!out=eth0");
    assert_eq!(name("iifname", "==", "\"eth*\""), "in=eth+");
    assert_eq!(name("iifname", "==", r#"{"set": ["wg*", "eth0"]}"#), "(in=eth0 | in=wg+)");
    assert_eq!(name("iifname", "!=", r#"{"set": ["wg*", "eth0"]}"#), "!in=eth0 !in=wg+");
    // A plain character in nft, and a wildcard in the model.
    assert_eq!(name("iifname", "==", "\"eth+\""), "?");
    assert_eq!(name("iif", "==", "7"), "?");
    // An interface that is gone is shown by its number.
    assert_eq!(name("oif", "==", "\"77\""), "?");
}

#[test]
fn types_of_addresses_are_asked_of_routing() {
    let fib = |family: &str, flags: &str, op: &str, right: &str| {
        one(family, &matching(&format!(r#"{{"fib": {{"result": "type", "flags": [{flags}]}}}}"#), op, right))
    };
    let local = "(dst=own | dst=127.0.0.0-127.255.255.255)";
    assert_eq!(fib("ip", "\"daddr\"", "==", "\"local\""), local);
    assert_eq!(fib("ip", "\"daddr\"", "!=", "\"local\""), format!("!{local}"));
    assert_eq!(fib("ip6", "\"saddr\"", "==", "\"local\""), "(!(!src=own | ?) | src=::1)");
    assert_eq!(
        fib("inet", "\"daddr\"", "==", "\"local\""),
        format!("(!(!IPv4 | !{local}) | !(!IPv6 | !(!(!dst=own | ?) | dst=::1)))")
    );
    assert_eq!(
        fib("ip", "\"daddr\", \"iif\"", "==", r#"{"set": ["broadcast", "multicast"]}"#),
        "(dst=0.0.0.0-0.255.255.255 | dst=255.255.255.255 | ? | dst=224.0.0.0-239.255.255.255)"
    );
    assert_eq!(one("ip", &matching(r#"{"fib": {"result": "oif", "flags": ["saddr"]}}"#, "==", "false")), "?");
}

#[test]
fn a_concatenation_is_one_box_for_each_element() {
    let left = r#"{"concat": [{"payload": {"protocol": "ip", "field": "saddr"}},
        {"payload": {"protocol": "tcp", "field": "dport"}}]}"#;
    let set = r#"{"set": [{"concat": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, 22]},
        {"concat": ["10.0.0.1", {"range": [80, 90]}]}, {"concat": ["11.0.0.0", 22]}]}"#;
    let first = "!(!src=10.0.0.0-11.0.0.0 | !dport=22)";
    let second = "!(!src=10.0.0.1 | !dport=80-90)";
    assert_eq!(one("inet", &matching(left, "==", set)), format!("IPv4 tcp ({first} | {second})"));
    assert_eq!(one("inet", &matching(left, "!=", set)), format!("IPv4 tcp !({first} | {second})"));
    let only = r#"{"set": [{"concat": ["10.0.0.1", 80]}]}"#;
    assert_eq!(one("ip", &matching(left, "==", only)), "tcp !(!src=10.0.0.1 | !dport=80)");
    // The port of one protocol is no question.
    let left =
        r#"{"concat": [{"meta": {"key": "l4proto"}}, {"payload": {"protocol": "th", "field": "dport"}}]}"#;
    let set = r#"{"set": [{"concat": ["tcp", 53]}, {"concat": ["udp", 53]}]}"#;
    assert_eq!(one("inet", &matching(left, "==", set)), "!(!tcp,udp | !dport=53)");
}

#[test]
fn named_sets_hold_what_the_dump_shows() {
    let set = |more: &str, elements: &str| {
        format!(
            r#", {{"set": {{"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr", "handle": 9{more},
            "elem": [{elements}]}}}}"#
        )
    };
    let asks = format!("{}{ACCEPT}", payload("ip", "saddr", "==", "\"@s\""));
    let interval = r#", "flags": ["interval"], "auto-merge": true"#;
    let elements = r#"{"prefix": {"addr": "10.0.0.0", "len": 16}}, {"range": ["10.1.0.0", "10.1.0.7"]},
        {"elem": {"val": "192.0.2.1", "counter": {"packets": 0, "bytes": 0}, "comment": "x"}}"#;
    assert_eq!(
        rules("inet", &set(interval, elements), &asks),
        ["IPv4 src=10.0.0.0-10.1.0.7,192.0.2.1 accept"]
    );
    assert!(rules("inet", &set("", ""), &asks).is_empty());
    assert_eq!(rules("inet", &set(interval, "\"10.0.0.0\", \"*\""), &asks), ["IPv4 accept"]);
    for (more, elements) in [
        (r#", "flags": ["timeout"]"#, "\"10.0.0.1\""),
        (r#", "flags": "dynamic""#, "\"10.0.0.1\""),
        (r#", "timeout": 60"#, "\"10.0.0.1\""),
        (r#", "newer": 1"#, "\"10.0.0.1\""),
        (r#", "stmt": [{"limit": {"rate": 1}}]"#, "\"10.0.0.1\""),
        ("", r#"{"elem": {"val": "10.0.0.1", "timeout": 60, "expires": 7}}"#),
        ("", r#"{"elem": {"val": "10.0.0.1", "limit": {"rate": 1}}}"#),
    ] {
        assert_eq!(rules("inet", &set(more, elements), &asks), ["IPv4 ? accept"], "{more} {elements}");
    }
    // A rule that adds to it when packets come.
    let adds =
        r#"{"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "daddr"}}, "set": "@s"}}"#;
    let made = rules("inet", &set("", "\"10.0.0.1\""), &format!("{adds}, {asks}"));
    assert_eq!(made, ["? IPv4 ? accept"]);
}

#[test]
fn a_verdict_map_is_one_rule_for_each_verdict() {
    let map = |key: &str, data: &str| {
        rules("inet", "", &format!(r#"{{"vmap": {{"key": {key}, "data": {data}}}}}"#))
    };
    let port = r#"{"payload": {"protocol": "tcp", "field": "dport"}}"#;
    let data = r#"{"set": [[22, {"accept": null}], [{"range": [80, 90]}, {"jump": {"target": "other"}}],
        [23, {"accept": null}], [24, {"goto": {"target": "other"}}], [25, {"continue": null}], [26, {"drop": null}]]}"#;
    assert_eq!(
        map(port, data),
        [
            "tcp dport=22-23 accept",
            "tcp dport=26 drop",
            "tcp dport=80-90 jump other",
            "tcp dport=24 jump other",
            "tcp dport=24 drop",
        ]
    );
    let rest = r#"{"set": [[22, {"jump": {"target": "other"}}], ["*", {"accept": null}]]}"#;
    assert_eq!(map(port, rest), ["tcp dport=22 jump other", "tcp dport=0-21,23-65535 accept"]);
    let state = r#"{"ct": {"key": "state"}}"#;
    let data = r#"{"set": [["established", {"accept": null}], ["invalid", {"drop": null}]]}"#;
    assert_eq!(map(state, data), ["[Established] accept", "[Invalid] drop"]);
    let key =
        r#"{"concat": [{"meta": {"key": "iifname"}}, {"payload": {"protocol": "ip", "field": "saddr"}}]}"#;
    let data = r#"{"set": [[{"concat": ["a", {"prefix": {"addr": "10.0.0.0", "len": 8}}]}, {"accept": null}],
        ["*", {"drop": null}]]}"#;
    let first = "!(!in=a | !src=10.0.0.0-10.255.255.255)";
    assert_eq!(
        map(key, data),
        [format!("IPv4 {first} accept"), format!("IPv4 {first} drop").replace("!(", "(")]
    );
    // A key that is not understood may lead to each of them.
    let data = r#"{"set": [[1, {"accept": null}], [2, {"drop": null}]]}"#;
    assert_eq!(map(r#"{"meta": {"key": "skuid"}}"#, data), ["? accept", "? drop"]);
    assert_eq!(
        map(r#"{"meta": {"key": "mark"}}"#, data),
        ["Packet mark & 0xffffffff = [(1, 1)] accept", "Packet mark & 0xffffffff = [(2, 2)] drop"]
    );
    let named = r#", {"map": {"family": "inet", "table": "t", "name": "m", "type": "inet_service", "map": "verdict",
        "handle": 9, "elem": [[22, {"accept": null}]]}}"#;
    let rule = format!(r#"{{"vmap": {{"key": {port}, "data": "@m"}}}}"#);
    assert_eq!(rules("inet", named, &rule), ["tcp dport=22 accept"]);
    let changing = named.replace("\"handle\": 9", "\"handle\": 9, \"flags\": [\"dynamic\"]");
    assert_eq!(rules("inet", &changing, &rule), ["tcp ? accept", "tcp ? ?"]);
}

#[test]
fn verdicts_end_a_rule_and_other_statements_do_not() {
    let made = |rule: &str| rules("inet", "", rule);
    assert_eq!(
        made(r#"{"counter": {"packets": 0, "bytes": 0}}, {"log": {"prefix": "x"}}, {"drop": null}"#),
        ["drop"]
    );
    assert_eq!(made(r#"{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}"#), ["reject"]);
    assert_eq!(made(r#"{"reject": null}"#), ["reject"]);
    assert_eq!(made(r#"{"reject": {"type": "icmp", "expr": "port-unreachable"}}"#), ["IPv4 reject"]);
    assert_eq!(made(r#"{"reject": {"type": "icmpv6", "expr": "no-route"}}"#), ["IPv6 reject"]);
    assert_eq!(made(r#"{"reject": {"type": "tcp reset"}}"#), ["tcp reject"]);
    // In a base chain, `return` is the policy, and `goto` comes back to it.
    assert_eq!(made(r#"{"return": null}"#), ["drop"]);
    assert_eq!(made(r#"{"goto": {"target": "other"}}"#), ["jump other", "drop"]);
    assert_eq!(made(r#"{"jump": {"target": "other"}}"#), ["jump other"]);
    for quiet in [
        r#"{"mangle": {"key": {"meta": {"key": "priority"}}, "value": 5}}"#,
        r#"{"mangle": {"key": {"ct": {"key": "label"}}, "value": 5}}"#,
        r#"{"secmark": "x"}"#,
        r#"{"log": {"group": 2}}"#,
        r#"{"last": null}"#,
    ] {
        assert_eq!(made(&format!(r#"{quiet}, {{"accept": null}}"#)), ["accept"], "{quiet}");
    }
    for perhaps in [
        r#"{"limit": {"rate": 10, "burst": 5, "per": "second", "inv": true}}"#,
        r#"{"limit": "named"}"#,
        r#"{"quota": {"val": 1, "val_unit": "mbytes"}}"#,
        r#"{"ct count": {"val": 10, "inv": true}}"#,
        r#"{"meter": {"key": {"payload": {"protocol": "ip", "field": "saddr"}}, "stmt": {"limit": {}}, "name": "m"}}"#,
        r#"{"xt": {"type": "match", "name": "recent"}}"#,
        r#"{"match": {"op": "==", "left": {"meta": {"key": "skuid"}}, "right": 1}}"#,
        r#"{"match": {"op": "~", "left": {"meta": {"key": "l4proto"}}, "right": 1}}"#,
        r#"{"match": {"op": "==", "left": {"socket": {"key": "transparent"}}, "right": 1}}"#,
        r#"{"match": {"op": "==", "left": {"numgen": {"mode": "inc", "mod": 2}}, "right": 1}}"#,
        r#"{"match": {"op": "==", "left": {"payload": {"base": "th", "offset": 0, "len": 16}}, "right": 1}}"#,
    ] {
        assert_eq!(made(&format!(r#"{perhaps}, {{"accept": null}}"#)), ["? accept"], "{perhaps}");
    }
    // A field that is only there in IPv4 is set in packets of IPv4 only.
    let ttl = r#"{"mangle": {"key": {"payload": {"protocol": "ip", "field": "dscp"}}, "value": 1}}"#;
    assert_eq!(made(&format!(r#"{ttl}, {{"accept": null}}"#)), ["IPv4 accept"]);
}

#[test]
fn fields_that_are_not_read_keep_what_they_need() {
    assert_eq!(one("inet", &payload("ip", "ttl", "==", "5")), "IPv4 ?");
    assert_eq!(one("inet", &payload("udp", "length", ">", "5")), "udp ?");
    assert_eq!(one("inet", &payload("esp", "spi", "==", "5")), "esp ?");
    assert_eq!(one("inet", &payload("ether", "saddr", "==", "\"aa:bb:cc:dd:ee:ff\"")), "?");
    let option = r#"{"tcp option": {"name": "maxseg", "field": "size"}}"#;
    assert_eq!(one("inet", &matching(option, "==", "1000")), "tcp ?");
}
