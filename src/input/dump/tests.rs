//! What `ip`, `sysctl` and `nft` print, as they are read.

use super::{
    AddressDump, DumpedAction, LinkKind, RouteDump, RpFilter, RuleAction, RuleDump, Setting, SysctlDump,
};
use super::{addr, nft, route, rule, sysctl};
use crate::diag::Diagnostics;
use crate::header::Family;
use crate::model::MarkTest;
use crate::source::{Source, SourceId, SourceMap};
use proptest::prelude::*;

fn read<T>(text: &str, parse: impl Fn(&Source, SourceId, &mut Diagnostics) -> T) -> (T, Vec<String>) {
    let mut sources = SourceMap::default();
    let id = sources.add("dump", text);
    let mut out = Diagnostics::default();
    let value = parse(sources.get(id), id, &mut out);
    let errors = out.sorted().into_iter().map(|error| {
        let place = sources.position(error.span.unwrap());
        format!("{}:{} {}", place.line, place.column, error.message)
    });
    (value, errors.collect())
}

fn good<T>((value, errors): (T, Vec<String>)) -> T {
    assert_eq!(errors, [""; 0]);
    value
}

fn routes(text: &str, family: Family) -> RouteDump {
    good(read(text, |source, id, out| route::parse(source, id, family, out)))
}

fn rules(text: &str) -> RuleDump {
    good(read(text, |source, id, out| rule::parse(source, id, Family::V4, out)))
}

fn addresses(text: &str) -> AddressDump {
    good(read(text, addr::parse))
}

fn settings(text: &str) -> SysctlDump {
    good(read(text, sysctl::parse))
}

#[test]
fn routes_of_every_shape() {
    let dump = routes(
        r#"[{"dst":"default","gateway":"203.0.113.1","dev":"wan0","protocol":"static","flags":[]},
        {"dst":"10.5.0.0/16","flags":[],"nexthops":[{"gateway":"203.0.113.1","dev":"wan0","weight":2,"flags":[]},
          {"gateway":"10.1.0.9","dev":"lan0","weight":1,"flags":["linkdown"]}]},
        {"dst":"10.6.0.1","nhid":5,"gateway":"10.1.0.7","dev":"lan0","flags":["onlink"],"metric":50},
        {"dst":"10.8.0.0/16","via":{"family":"inet6","host":"fe80::1"},"dev":"wan0","flags":[],"protocol":"bgp"},
        {"type":"throw","dst":"10.12.0.0/16","table":"100","flags":[]},
        {"dst":"10.17.0.0/16","encap":"seg6","mode":"encap","segs":["2001:db8::1"],"dev":"lan0","flags":[]},
        {"dst":"10.13.0.0/16","tos":"0x10","dev":"lan0","flow":{"to":"7"},"metrics":[{"mtu":1400}],"flags":[]},
        {"dst":"default","dev":"tun0","metric":1024,"flags":[],"pref":"medium"},
        {"dst":"2001:db8::/48","dev":"wan0","expires":599,"pref":"high","flags":[]},
        {"dst":"10.19.0.0/16","nhid":9,"flags":[]},
        {}]"#,
        Family::V4,
    );
    assert!(dump.all_tables);
    let route = |index: usize| &dump.routes[index];
    assert_eq!(dump.routes.len(), 10);
    assert!(!route(0).dynamic && route(0).doubts.is_empty() && route(0).hops.len() == 1);
    assert_eq!((route(1).hops.len(), route(1).hops[1].dead, route(1).doubts.len()), (2, true, 1));
    assert_eq!((route(2).prefix.to_string().as_str(), route(2).metric), ("10.6.0.1/32", 50));
    assert!(route(2).doubts.is_empty());
    assert_eq!(route(3).family(), Family::V4);
    assert!(route(3).hops[0].foreign && route(3).dynamic);
    assert_eq!((route(4).action, route(4).table.as_str()), (DumpedAction::Throw, "100"));
    assert!(route(5).doubts.iter().any(|doubt| doubt.havoc && doubt.what.contains("encap")));
    assert!(route(6).doubts.iter().all(|doubt| !doubt.havoc) && route(6).doubts.len() == 1);
    assert_eq!((route(7).family(), route(7).prefix.prefix_len()), (Family::V6, 0));
    assert!(route(8).dynamic && route(8).doubts.len() == 2);
    assert!(route(9).doubts.iter().any(|doubt| doubt.what == "where the route sends"));
}

#[test]
fn bad_routes_are_errors_at_their_place() {
    let parse = |text: &str| read(text, |s, id, out| route::parse(s, id, Family::V4, out)).1;
    let cases = [
        ("", "1:1 expected a JSON value"),
        ("{}", "1:1 expected an array, found an object"),
        (r#"["x"]"#, "1:2 expected an object, found a string"),
        (r#"[{"dev":"x"}]"#, "1:2 a route without `dst`"),
        (r#"[{"dst":7}]"#, "1:9 expected a string, found a number"),
        (r#"[{"dst":"10.0.0.1/8","dev":"x"}]"#, "1:9 `10.0.0.1/8` has bits set behind its prefix"),
        (r#"[{"dst":"10/8"}]"#, "1:9 `10/8` is not a prefix"),
        (r#"[{"dst":"default","gateway":"x"}]"#, "1:29 `x` is not an address"),
        (r#"[{"dst":"default","metric":-1}]"#, "1:28 `-1` is out of range"),
        (r#"[{"dst":"default","dst":"10.0.0.0/8"}]"#, "1:19 `dst` is given twice"),
        ("[{\"dst\":\"default\",\"dev\":\"a\\u001bb\"}]", "1:25 a control character inside a string"),
    ];
    for (text, expected) in cases {
        let errors = parse(text);
        assert!(errors[0].starts_with(expected), "{text}: {errors:?}");
    }
    // The same value twice is no contradiction.
    let twice = r#"[{"dst":"default","dev":"x","dev":"x","flags":[]}]"#;
    assert!(routes(twice, Family::V4).routes[0].doubts.is_empty());
    let many = format!("[{}]", vec!["7"; 1000].join(","));
    assert_eq!(parse(&many).len(), 50);
}

#[test]
fn rules_of_every_shape() {
    let dump = rules(
        r#"[{"priority":0,"src":"all","table":"local"},
        {"priority":100,"src":"10.1.0.0","srclen":24,"dst":"172.20.0.0","dstlen":16,"fwmark":"0x10","fwmask":"0xff",
         "iif":"lan0","table":"100"},
        {"priority":200,"not":null,"src":"10.9.0.0","srclen":16,"table":"main","suppress_prefixlen":0},
        {"priority":300,"src":"all","oif":"wan0","uid_start":1000,"uid_end":1001,"action":"unreachable"},
        {"priority":310,"src":"all","ipproto":"tcp","dport":443,"action":"blackhole"},
        {"priority":320,"src":"all","goto":32766},{"priority":321,"src":"all","nop":null},
        {"priority":330,"src":"10.1.1.1","goto":7000,"unresolved":null},
        {"priority":1000,"src":"all","l3mdev":null},{"priority":1001,"src":"all","tea":"time","table":"9"},
        {"priority":32767,"src":"all","table":"default","protocol":"kernel"}]"#,
    );
    let rule = |index: usize| &dump.rules[index];
    assert!(rule(0).doubts.is_empty() && rule(0).from.is_none());
    assert_eq!(rule(1).from.unwrap().to_string(), "10.1.0.0/24");
    assert_eq!(rule(1).incoming.as_ref().unwrap().value, "lan0");
    assert_eq!(rule(1).mark, Some(MarkTest { value: 0x10, mask: 0xff, negated: false }));
    assert!(rule(1).doubts.is_empty() && rule(0).mark.is_none());
    // What a negated rule asks says nothing about what it matches.
    assert!(rule(2).from.is_none() && rule(2).doubts.len() == 1);
    assert_eq!(rule(2).action, RuleAction::Table { name: "main".to_owned(), suppress: Some(0) });
    assert_eq!((rule(3).doubts.len(), &rule(3).action), (2, &RuleAction::Unreachable));
    assert_eq!((rule(4).doubts.len(), &rule(4).action), (2, &RuleAction::Blackhole));
    assert_eq!((&rule(5).action, &rule(6).action), (&RuleAction::Goto(32766), &RuleAction::Nop));
    assert_eq!((rule(7).from.unwrap().prefix_len(), &rule(7).action), (32, &RuleAction::Nop));
    assert_eq!(rule(8).action, RuleAction::L3mdev);
    assert!(rule(9).doubts[0].havoc);
    assert!(rule(10).doubts.is_empty());
    let (_, errors) = read(r#"[{"priority":9,"src":"all"},{"priority":3,"src":"all"}]"#, |s, id, out| {
        rule::parse(s, id, Family::V4, out)
    });
    assert!(errors.iter().any(|error| error.contains("smaller priority")), "{errors:?}");
}

#[test]
fn interfaces_and_addresses_of_every_shape() {
    let dump = addresses(
        r#"[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"operstate":"UNKNOWN","addr_info":
          [{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","valid_life_time":4294967295}]},
        {"ifname":"eth1.110","link":"eth1","flags":["UP"],"promiscuity":0,"linkinfo":{"info_kind":"vlan","info_data":
          {"protocol":"802.1Q","id":110,"flags":["REORDER_HDR"]}},"addr_info":[]},
        {"ifname":"blue","linkinfo":{"info_kind":"vrf","info_data":{"table":10}},"flags":["UP"]},
        {"ifname":"eth2","master":"blue","operstate":"DOWN","flags":["UP","LOWER_UP"],"addr_info":
          [{"family":"inet","local":"192.0.2.1","address":"192.0.2.9","prefixlen":32,"scope":"global"},
           {"family":"inet","local":"192.0.2.128","prefixlen":31,"noprefixroute":true,"dynamic":true},
           {"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link","tentative":true},
           {"family":"inet6","local":"2001:db8::1","prefixlen":64,"valid_life_time":3600}]},
        {"ifname":"br0","linkinfo":{"info_kind":"bridge","info_data":{"vlan_filtering":1,"nf_call_iptables":1}}},
        {"ifname":"wg0","linkinfo":{"info_kind":"wireguard"}},
        {"ifname":"tun0","link":null,"link_type":"gre","address":"192.0.2.2","link_pointtopoint":true,"broadcast":"192.0.2.1"},
        {"ifname":"eth3","link_index":7,"link_netnsid":0,"linkinfo":{"info_kind":"veth"},"xdp":{"mode":1}}]"#,
    );
    let link = |name: &str| dump.link(name).unwrap();
    assert!(dump.detailed && link("lo").running && link("lo").kind == LinkKind::Loopback);
    assert_eq!(link("eth1.110").kind, LinkKind::Vlan { tag: 110 });
    assert_eq!(link("eth1.110").parent.as_ref().unwrap().value, "eth1");
    assert_eq!(link("blue").kind, LinkKind::Vrf { table: 10 });
    let eth2 = link("eth2");
    assert!(!eth2.running && eth2.up && eth2.master.as_ref().unwrap().value == "blue");
    let [peer, learned, own, expiring] = &eth2.addresses[..] else { panic!() };
    assert_eq!(
        (peer.net.to_string(), peer.peer.unwrap().to_string()),
        ("192.0.2.1/32".into(), "192.0.2.9/32".into())
    );
    assert!(learned.no_prefix_route && learned.dynamic);
    assert!(own.link_scope && own.tentative && expiring.dynamic);
    assert_eq!(link("br0").kind, LinkKind::Bridge { vlan_filtering: Some(true), filters: [true, false] });
    assert_eq!(link("wg0").kind, LinkKind::Tunnel("wireguard".to_owned()));
    assert!(link("tun0").parent.is_none() && link("tun0").doubts.is_empty());
    assert!(link("eth3").parent_elsewhere && link("eth3").doubts[0].havoc);
    let (_, errors) = read(r#"[{"ifname":"a"},{"ifname":"a"}]"#, addr::parse);
    assert!(errors[0].contains("listed twice"), "{errors:?}");
    let (_, errors) = read(
        r#"[{"ifname":"a","addr_info":[{"family":"inet","local":"::1","prefixlen":64},
        {"family":"inet","local":"10.0.0.1","prefixlen":40}]}]"#,
        addr::parse,
    );
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn settings_combine_as_the_kernel_combines_them() {
    let dump = settings(
        "net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.eth0.rp_filter = 2\n\
         net.ipv4.conf.eth1/110.rp_filter=0\nnet.ipv4.conf.all.accept_source_route = 1\n\
         net.ipv4.conf.eth0.accept_source_route = 0\nnet.ipv4.conf.eth1.accept_source_route = 1\n\
         net.ipv4.conf.eth0.forwarding = 1\nnet.ipv4.conf.eth1.forwarding = 0\n\
         net.ipv6.conf.all.forwarding = 0\nnet.ipv6.conf.all.disable_ipv6 = 1\n\
         net.ipv6.conf.default.disable_ipv6 = 1\nnet.ipv6.conf.eth0.disable_ipv6 = 0\n\
         net.ipv4.conf.all.mc_forwarding = 0\nnet.ipv4.conf.all.bc_forwarding = 0\n\
         net.bridge.bridge-nf-call-iptables = 1\n# comment\n\nkernel.hostname = (none)\nnet.new.knob = 3\n\
         sysctl: permission denied on key 'net.core.bpf_jit_harden'\nnet.ipv4.tcp_rmem = 4096 131072 6291456\n",
    );
    let filter = |name: &str| dump.rp_filter(name).map(|filter| filter.value);
    assert_eq!(filter("eth0"), Some(RpFilter::Loose));
    assert_eq!(filter("eth1.110"), Some(RpFilter::Strict));
    assert_eq!(filter("eth9"), None);
    assert!(matches!(dump.forwarding(Family::V4), Setting::Mixed(_)));
    assert!(matches!(dump.forwarding(Family::V6), Setting::Off(_)));
    assert!(matches!(dump.source_routing(), Setting::Mixed(_)));
    assert!(matches!(dump.multicast_forwarding(), Setting::Off(_)));
    assert!(matches!(dump.bridge_filters(Family::V4), Setting::On(_)));
    assert_eq!(dump.bridge_filters(Family::V6), Setting::Unsaid);
    assert_eq!(dump.ipv6_disabled("eth0").map(|one| one.value), Some(false));
    assert_eq!(dump.ipv6_disabled("eth7").map(|one| one.value), Some(true));
    let unread: Vec<&str> = dump.unread.iter().map(|key| key.value.as_str()).collect();
    assert_eq!(unread, ["net.new.knob"]);
}

#[test]
fn only_the_kernel_rules_for_redirects_and_advertisements_count() {
    let v4 = |all: u8, own: u8, forwards: u8| {
        let text = format!(
            "net.ipv4.conf.all.accept_redirects={all}\nnet.ipv4.conf.a.accept_redirects={own}\n\
             net.ipv4.conf.a.forwarding={forwards}\n"
        );
        matches!(settings(&text).learns_routes(Family::V4, "a"), Setting::On(_))
    };
    assert!(!v4(0, 1, 1) && !v4(1, 0, 1) && v4(1, 1, 1));
    assert!(v4(0, 1, 0) && v4(1, 0, 0) && !v4(0, 0, 0));
    let v6 = |ra: u8, redirects: u8, forwards: u8| {
        let text = format!(
            "net.ipv6.conf.a.accept_ra={ra}\nnet.ipv6.conf.a.accept_redirects={redirects}\n\
             net.ipv6.conf.a.forwarding={forwards}\n"
        );
        matches!(settings(&text).learns_routes(Family::V6, "a"), Setting::On(_))
    };
    assert!(v6(1, 0, 0) && !v6(1, 1, 1) && v6(2, 0, 1) && v6(0, 1, 0) && !v6(0, 0, 0));
}

#[test]
fn bad_settings_are_errors() {
    for (text, expected) in [
        ("hello", "1:1 expected `key = value`"),
        ("net.ipv4.ip_forward = yes", "1:1 `yes` is not a number"),
        ("net.ipv4.ip_forward=1\nnet.ipv4.ip_forward=0", "2:1 `net.ipv4.ip_forward` has two values"),
        ("kernel.hostname = x", "1:1 none of the keys that matter"),
        ("", "1:1 none of the keys that matter"),
    ] {
        let (_, errors) = read(text, sysctl::parse);
        assert!(errors[0].starts_with(expected), "{text}: {errors:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_them_panic(text in "(?s).{0,60}", keys in prop::collection::vec(key_like(), 0..8)) {
        let array = format!("[{{{}}}]", keys.join(","));
        let wrapped = format!("{{\"nftables\":{array}}}");
        for text in [&text, &array, &wrapped] {
            for family in Family::ALL {
                read(text, |s, id, out| route::parse(s, id, family, out));
                read(text, |s, id, out| rule::parse(s, id, family, out));
            }
            read(text, addr::parse);
            read(text, nft::parse);
            read(text, sysctl::parse);
        }
    }
}

/// Keys and values of the dumps, in any order.
fn key_like() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "dst",
        "gateway",
        "dev",
        "metric",
        "table",
        "type",
        "nexthops",
        "flags",
        "priority",
        "src",
        "srclen",
        "goto",
        "action",
        "ifname",
        "linkinfo",
        "addr_info",
        "family",
        "local",
        "prefixlen",
        "table",
        "rule",
        "chain",
        "name",
    ]);
    let value = prop::sample::select(vec![
        "\"default\"",
        "\"10.0.0.0/8\"",
        "\"::\"",
        "7",
        "-1",
        "1e9",
        "null",
        "true",
        "[]",
        "[{}]",
        "{}",
        "\"main\"",
        "\"\"",
        "[[\"x\"]]",
        "{\"info_kind\":\"vlan\"}",
        "\"inet\"",
        "99999999999999999999",
    ]);
    (key, value).prop_map(|(key, value)| format!("\"{key}\":{value}"))
}
