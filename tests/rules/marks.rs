//! Marks: they choose tables and are asked for by filters, within one device.

use super::*;

/// A router with a way out that only a second table knows.
const AWAY: &str = r#"isoaudit: 1
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: off } }
assume: { static-neighbours: "a test", no-reflection: "a test" }
zones: { home: {}, out: {} }
nodes:
  a: { role: host, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.10/24, zone: home } } }
  t: { role: host, gateway: 10.3.0.1, interfaces: { eth0: { ipv4: 10.3.0.10/24, zone: out } } }
  r:
    role: router
    config: { iptables: r.txt, ip6tables: none, nftables: NFT, routes: routes.json, rules: rules.json }
    interfaces:
      l: { ipv4: 10.1.0.1/24 }
      x: { ipv4: 10.3.0.1/24 }
links:
  - endpoints: ["a:eth0", "r:l"]
  - endpoints: ["t:eth0", "r:x"]
claims:
  - { id: inside, isolated: { from: "FROM", to: "zone:out" } }
"#;

const ROUTES: &str = r#"[
{"dst":"10.1.0.0/24","dev":"l","protocol":"kernel","scope":"link","prefsrc":"10.1.0.1","flags":[]},
{"type":"blackhole","dst":"default","flags":[]},
{"dst":"default","gateway":"10.3.0.10","dev":"x","table":"100","flags":["onlink"]}]"#;

/// The routing policy with rules before that for the main table.
fn policy(rules: &str) -> String {
    format!(
        r#"[{{"priority":0,"src":"all","table":"local"}},{rules}{{"priority":32766,"src":"all","table":"main"}},
        {{"priority":32767,"src":"all","table":"default"}}]"#
    )
}

fn asks(mark: &str) -> String {
    policy(&format!(r#"{{"priority":100,"src":"all",{mark},"table":"100"}},"#))
}

/// A dump of the tables `mangle` and `filter`.
fn tables(mangle: &str, filter: &str) -> String {
    let chains = ":PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";
    let own = ":INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";
    format!("*mangle\n{chains}{mangle}\nCOMMIT\n*filter\n{own}{filter}\nCOMMIT\n")
}

fn of(test: &str, rules: &str, tables: &str) -> String {
    by(test, "zone:home", rules, tables)
}

fn by(test: &str, from: &str, rules: &str, tables: &str) -> String {
    let text = with(AWAY, &[("FROM", from), ("NFT", "none")]);
    let files =
        [("topology.yaml", &*text), ("r.txt", tables), ("routes.json", ROUTES), ("rules.json", rules)];
    let judged = judge(&format!("marks-{test}"), &files);
    judged.verdicts().trim_start_matches("inside=").to_owned()
}

const MARKED: &str = "-A PREROUTING -p tcp --dport 443 -j MARK --set-xmark 0x1/0xffffffff";

#[test]
fn a_mark_chooses_the_table_of_its_rule() {
    let one = asks(r#""fwmark":"0x1""#);
    assert_eq!(of("chosen", &one, &tables(MARKED, "")), "violated");
    assert_eq!(of("unmarked", &one, &tables("", "")), "holds");
    assert_eq!(of("other", &asks(r#""fwmark":"0x2""#), &tables(MARKED, "")), "holds");
    // The rule looks at the bits of its mask only, the target sets those of its own.
    let masked = asks(r#""fwmark":"0x1","fwmask":"0xf""#);
    let high = MARKED.replace("0x1/0xffffffff", "0x10/0xf0");
    assert_eq!(of("masked", &masked, &tables(&format!("{MARKED}\n{high}"), "")), "violated");
    assert_eq!(of("beside", &masked, &tables(&high, "")), "holds");
    let cleared = format!("{MARKED}\n-A PREROUTING -j MARK --and-mark 0xfffffffe");
    assert_eq!(of("cleared", &one, &tables(&cleared, "")), "holds");
    let turned = "-A PREROUTING -j MARK --xor-mark 0x1\n-A PREROUTING -j MARK --xor-mark 0x1";
    assert_eq!(of("turned", &one, &tables(turned, "")), "holds");
    let negated = policy(r#"{"priority":100,"not":null,"src":"all","fwmark":"0x5","table":"100"},"#);
    assert_eq!(of("negated", &negated, &tables("", "")), "violated");
    let all = "-A PREROUTING -j MARK --set-xmark 0x5/0xffffffff";
    assert_eq!(of("negated-all", &negated, &tables(all, "")), "holds");
}

#[test]
fn a_mark_behind_routing_is_too_late_for_it_and_in_time_for_filters() {
    let one = asks(r#""fwmark":"0x1""#);
    assert_eq!(of("late", &one, &tables(&MARKED.replace("PREROUTING", "FORWARD"), "")), "holds");
    let filtered = |filter: &str| of("filter", &one, &tables(MARKED, filter));
    assert_eq!(filtered("-A FORWARD -m mark --mark 0x1 -j DROP"), "holds");
    assert_eq!(filtered("-A FORWARD -m mark ! --mark 0x1 -j DROP"), "violated");
    assert_eq!(filtered("-A FORWARD -m mark --mark 0x10/0xf0 -j DROP"), "violated");
    let both = format!("{MARKED}\n-A FORWARD -j MARK --or-mark 0x10");
    let high = tables(&both, "-A FORWARD -m mark --mark 0x10/0xf0 -j DROP");
    assert_eq!(of("or", &one, &high), "holds");
}

/// `ip_route_me_harder`: only what `mangle` marks is routed again, and there has to be a way without the mark.
#[test]
fn own_packets_are_routed_again_by_their_marks() {
    let reached = |test: &str, routes: &str, tables: &str| {
        let isolated = r#"isolated: { from: "FROM", to: "zone:out" }"#;
        let asked = r#"reachable: { from: "node:r", to: "node:t", packets: tcp/443 }"#;
        let text = with(AWAY, &[(isolated, asked), ("NFT", "none")]);
        let lookup = asks(r#""fwmark":"0x1""#);
        let files =
            [("topology.yaml", &*text), ("r.txt", tables), ("routes.json", routes), ("rules.json", &*lookup)];
        judge(&format!("marks-own-{test}"), &files).verdicts()
    };
    let lost = r#"{"type":"blackhole","dst":"default","flags":[]}"#;
    let found = ROUTES.replace(lost, r#"{"dst":"default","gateway":"10.1.0.10","dev":"l","flags":[]}"#);
    let own = MARKED.replace("PREROUTING", "OUTPUT");
    assert_eq!(reached("mangle", &found, &tables(&own, "")), "inside=holds");
    assert_eq!(reached("filter", &found, &tables("", &own)), "inside=violated");
    assert_eq!(reached("nowhere", ROUTES, &tables(&own, "")), "inside=violated");
    // Filters still see the out-interface of the first way.
    let first = |interface: &str| format!("-A OUTPUT -p tcp -o {interface} -j DROP");
    assert_eq!(reached("first", &found, &tables(&own, &first("l"))), "inside=violated");
    assert_eq!(reached("last", &found, &tables(&own, &first("x"))), "inside=holds");
}

#[test]
fn no_mark_is_known_where_one_is_set_in_a_way_that_is_not_understood() {
    let one = asks(r#""fwmark":"0x1""#);
    let chance = "-A PREROUTING -p tcp -j HMARK --hmark-tuple src,dst --hmark-mod 2 --hmark-rnd 1";
    assert_eq!(of("hash", &one, &tables(chance, "")), "undetermined");
    // Whether one is set may not be known, and then both may be.
    let perhaps = "-A PREROUTING -m statistic --mode random --probability 0.5 -j MARK --set-mark 1";
    assert_eq!(of("perhaps", &one, &tables(perhaps, "")), "undetermined");
}

/// The usual way to keep a connection on the line that it was opened by.
#[test]
fn a_connection_keeps_its_mark() {
    let one = asks(r#""fwmark":"0x1""#);
    let sticky = |last: &str| {
        format!(
            "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff\n\
             -A PREROUTING -m mark ! --mark 0x0 -j ACCEPT\n{last}\n\
             -A PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"
        )
    };
    // The first packet of a connection has none to restore.
    assert_eq!(of("sticky", &one, &tables(&sticky(MARKED), "")), "violated");
    assert_eq!(of("sticky-other", &one, &tables(&sticky(&MARKED.replace("0x1/", "0x2/")), "")), "holds");
    // Nobody sends what is marked, but a connection may have been.
    let restored = format!("{}\n-A PREROUTING -j MARK --set-mark 0x0", sticky(MARKED));
    assert_eq!(of("restored", &one, &tables(&restored, "")), "undetermined");
}

#[test]
fn nftables_sets_and_asks_the_same() {
    let rule = |chain: &str, number: usize, expressions: &str| {
        format!(
            r#"{{"rule":{{"family":"ip","table":"t","chain":"{chain}","handle":{number},"expr":[{expressions}]}}}}"#
        )
    };
    let chain = |name: &str, hook: &str, priority: i32| {
        format!(
            r#"{{"chain":{{"family":"ip","table":"t","name":"{name}","handle":1,"type":"filter","hook":"{hook}",
                "prio":{priority},"policy":"accept"}}}}"#
        )
    };
    let set = r#"{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":0}},
        {"mangle":{"key":{"meta":{"key":"mark"}},"value":{"|":[{"meta":{"key":"mark"}},1]}}},{"accept":null}"#;
    let drop = |value: u32| {
        format!(
            r#"{{"match":{{"op":"==","left":{{"&":[{{"meta":{{"key":"mark"}}}},15]}},"right":{value}}}}},{{"drop":null}}"#
        )
    };
    let verdict = |test: &str, value: u32| {
        let objects = [
            r#"{"metainfo":{"version":"1.0.6","json_schema_version":1}}"#.to_owned(),
            r#"{"table":{"family":"ip","name":"t","handle":1}}"#.to_owned(),
            chain("early", "prerouting", -150),
            chain("between", "forward", 0),
            rule("early", 2, set),
            rule("between", 3, &drop(value)),
        ];
        let nft = format!(r#"{{"nftables":[{}]}}"#, objects.join(","));
        let text =
            with(AWAY, &[("FROM", "zone:home"), ("NFT", "nft.json"), ("iptables: r.txt", "iptables: none")]);
        let lookup = asks(r#""fwmark":"0x1""#);
        let files = [
            ("topology.yaml", &*text),
            ("nft.json", &*nft),
            ("routes.json", ROUTES),
            ("rules.json", &*lookup),
        ];
        judge(&format!("marks-nft-{test}"), &files).verdicts()
    };
    assert_eq!(verdict("dropped", 1), "inside=holds");
    assert_eq!(verdict("passed", 2), "inside=violated");
}
