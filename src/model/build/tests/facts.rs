//! Facts in two readings, routes and rules (SEMANTICS.md sections 1.6, 2.3, 2.6, 3.4, 3.5 and 7).

use super::describe::*;
use crate::header::Family;
use crate::model::build::{NodeSpec, SourceCheck, Stated};
use crate::model::{Antispoof, Existence, Fact, Kind, Lookup, Network, Reading, RouteAction};

/// A node of a role with this many attachments.
fn attached(role: &str, count: usize) -> NodeSpec {
    let names: Vec<(String, String)> =
        (0..count).map(|n| (format!("eth{n}"), format!("10.{n}.0.1/24"))).collect();
    let interfaces: Vec<(&str, &str)> = names.iter().map(|(n, a)| (n.as_str(), a.as_str())).collect();
    node(role, "n", &interfaces)
}

fn forwards(network: &Network) -> (bool, bool) {
    let node = network.node(network.id("n"));
    let fact = node.forwards(Family::V4);
    (fact.holds(Reading::Must), fact.holds(Reading::May))
}

#[test]
fn who_forwards() {
    for (role, count, expected) in [
        ("router", 1, (true, true)),
        ("firewall", 2, (true, true)),
        ("gateway", 2, (true, true)),
        ("host", 1, (false, false)),
        ("host", 2, (false, true)),
        ("jumphost", 2, (false, true)),
    ] {
        let network = network(builder(vec![attached(role, count)], &[]));
        assert_eq!(forwards(&network), expected, "{role} {count}");
    }
    for (said, expected) in [(true, (true, true)), (false, (false, false))] {
        for role in ["router", "host"] {
            let mut spec = attached(role, 2);
            spec.forwarding = Some(Stated::own(said, place()));
            assert_eq!(forwards(&network(builder(vec![spec], &[]))), expected, "{role} {said}");
        }
    }
}

#[test]
fn a_switch_routes_only_between_vlans_in_which_it_has_an_address() {
    let one = [("p1", "access=app"), ("p2", "access=edge"), ("v110", "10.1.0.1/24 vlan=app")];
    assert_eq!(forwards(&network(builder(vec![node("switch", "n", &one)], &[]))), (false, false));
    let two = [one[0], one[1], one[2], ("v120", "10.2.0.1/24 vlan=edge")];
    assert_eq!(forwards(&network(builder(vec![node("switch", "n", &two)], &[]))), (true, true));
    let bare = [one[0], one[1], one[2], ("v120", "vlan=edge")];
    let (certainly, _) = forwards(&network(builder(vec![node("switch", "n", &bare)], &[])));
    assert!(!certainly, "in the other VLAN it has no address");
}

#[test]
fn dumps_beat_defaults() {
    let mut spec = attached("host", 2);
    spec.forwarding = Some(Stated::inherited(false, place()));
    spec.dumped.forwarding = [Some(at(true)), None];
    spec.interfaces[0].antispoof = Some(Stated::inherited(SourceCheck::Strict, place()));
    spec.interfaces[0].dumped.antispoof = [Some(at(SourceCheck::Off)), None];
    spec.interfaces[0].dumped.ipv6 = Some(at(true));
    let network = network(builder(vec![spec], &[]));
    let node = network.node(network.id("n"));
    assert_eq!(node.forwarding, [Fact::Yes, Fact::No]);
    let interface = network.interface(network.at("n:eth0"));
    assert_eq!(interface.antispoof, [Antispoof::Off, Antispoof::Strict]);
    assert_eq!(interface.ipv6, Fact::Yes);
}

#[test]
fn ipv6_is_unknown_until_someone_says_something() {
    let mut spec = node(
        "host",
        "n",
        &[("a", "10.1.0.1/24"), ("b", "10.2.0.1/24 2001:db8::1/64"), ("c", "10.3.0.1/24 ipv6=off")],
    );
    spec.ipv6 = None;
    let open = network(builder(vec![spec.clone()], &[]));
    let fact = |network: &Network, name: &str| network.interface(network.at(name)).ipv6;
    assert!(matches!(fact(&open, "n:a"), Fact::Unknown(_)));
    assert_eq!(fact(&open, "n:b"), Fact::Yes);
    assert_eq!(fact(&open, "n:c"), Fact::No);
    let unknown = open.unknown(fact(&open, "n:a").unknown().unwrap());
    assert_eq!(unknown.what, "whether IPv6 runs on `n:a`");
    assert_eq!(unknown.settle, "`ipv6: off` on `n:a`");
    spec.ipv6 = Some(Stated::inherited(false, place()));
    let off = network(builder(vec![spec], &[]));
    assert_eq!([fact(&off, "n:a"), fact(&off, "n:b")], [Fact::No, Fact::Yes]);
}

#[test]
fn undeclared_anti_spoofing_is_one_unknown_of_both_families() {
    let network = network(builder(vec![attached("host", 1)], &[]));
    let [v4, v6] = network.interface(network.at("n:eth0")).antispoof;
    assert!(matches!(v4, Antispoof::Undeclared(_)));
    assert_eq!(v4, v6);
}

#[test]
fn the_table_of_a_kind_holds_unless_a_dump_says_otherwise() {
    let plain = network(builder(vec![attached("host", 1)], &[]));
    assert_eq!(plain.nodes[0].source_routing, Fact::No);
    assert_eq!(plain.nodes[0].multicast_forwarding, Fact::No);
    assert!(plain.ledger.iter().any(|entry| entry.text.starts_with("kind linux")), "{:?}", plain.ledger);
    let mut spec = attached("host", 1);
    spec.dumped.source_routing = Some(at(true));
    assert_eq!(network(builder(vec![spec], &[])).nodes[0].source_routing, Fact::Yes);
    for kind in [None, Some(word("vyos"))] {
        let mut spec = attached("host", 1);
        spec.kind = kind;
        let network = network(builder(vec![spec], &[]));
        assert!(matches!(network.nodes[0].kind, Kind::Unknown(_)));
        let unknown = network.nodes[0].source_routing.unknown().unwrap();
        assert_eq!(network.unknown(unknown).settle, "`kind: linux` on `n`, if it is");
        assert!(!network.ledger.iter().any(|entry| entry.text.starts_with("kind linux")));
    }
}

/// A node's routes of a table, as `prefix action`.
fn routes(network: &Network, node: &str, table: usize) -> Vec<String> {
    let table = &network.node(network.id(node)).tables[table];
    let action = |action: &RouteAction| match action {
        RouteAction::Send(hops) => {
            let hop = |hop: &crate::model::NextHop| {
                let via = hop.via.map_or("on-link".to_owned(), |via| via.to_string());
                format!("{via}@{}", network.interface(hop.interface).name)
            };
            hops.iter().map(hop).collect::<Vec<_>>().join(",")
        }
        other => format!("{other:?}").to_lowercase(),
    };
    table.routes.iter().map(|route| format!("{} {}", route.prefix, action(&route.action))).collect()
}

#[test]
fn tables_hold_connected_networks_and_the_longest_prefix_is_first() {
    let interfaces =
        [("eth0", "192.0.2.1/30"), ("eth1", "10.1.0.1/24 10.1.1.1/24"), ("mgmt0", "172.20.0.1/24 vrf=mgmt")];
    let mut fw = routed(
        node("firewall", "fw", &interfaces),
        &[
            "10.66.0.0/16 blackhole",
            "172.21.0.0/16 172.20.0.254 vrf=mgmt",
            "default unreachable vrf=mgmt",
            "10.1.0.77/32 10.1.1.9 10.1.0.9",
        ],
    );
    fw.gateway = vec![Stated::own("192.0.2.2".parse().unwrap(), place())];
    let network = network(builder(vec![fw], &[]));
    assert_eq!(
        routes(&network, "fw", 0),
        [
            "10.1.0.77/32 10.1.1.9@eth1,10.1.0.9@eth1",
            "192.0.2.0/30 on-link@eth0",
            "10.1.0.0/24 on-link@eth1",
            "10.1.1.0/24 on-link@eth1",
            "10.66.0.0/16 blackhole",
            "0.0.0.0/0 192.0.2.2@eth0",
        ]
    );
    assert_eq!(
        routes(&network, "fw", 1),
        [
            "172.20.0.0/24 on-link@mgmt0",
            "172.21.0.0/16 172.20.0.254@mgmt0",
            "0.0.0.0/0 unreachable",
            "::/0 unreachable",
        ]
    );
    let fw = network.node(network.id("fw"));
    assert_eq!([fw.tables[0].name.as_str(), fw.tables[1].name.as_str()], ["main", "mgmt"]);
    assert_eq!(fw.lookup.len(), 2);
    assert_eq!(fw.lookup[0].incoming.as_deref(), Some(&[network.at("fw:mgmt0")][..]));
    assert_eq!(fw.lookup[0].action, Lookup::Table(1));
    assert!(matches!(fw.lookup[0].falls_through, Fact::Unknown(_)));
    let bound = network.unknown(fw.lookup[0].bound.unwrap());
    assert_eq!(bound.what, "whether packets of `fw`'s own leave by VRF `mgmt`");
    assert_eq!(fw.lookup[1].bound, None);
    assert_eq!((fw.lookup[1].incoming.as_deref(), fw.lookup[1].action), (None, Lookup::Table(0)));
}

#[test]
fn metrics_decide_between_equal_prefixes() {
    let spec = routed(
        node("router", "r", &[("eth0", "192.0.2.1/24")]),
        &["10.0.0.0/8 192.0.2.3 metric=20", "10.0.0.0/8 192.0.2.2 metric=10"],
    );
    let network = network(builder(vec![spec], &[]));
    assert_eq!(routes(&network, "r", 0)[1..], ["10.0.0.0/8 192.0.2.2@eth0", "10.0.0.0/8 192.0.2.3@eth0"]);
}

#[test]
fn a_next_hop_that_nobody_described_may_be_there() {
    let routes = ["10.0.0.0/8 192.0.2.9", "172.16.0.0/12 192.0.2.9", "10.7.0.0/16 192.0.2.2"];
    let r = routed(node("router", "r", &[("eth0", "192.0.2.1/24")]), &routes);
    let peer = node("router", "peer", &[("eth0", "192.0.2.2/24")]);
    let alone = network(builder(vec![r.clone(), peer.clone()], &["r:eth0 peer:eth0"]));
    let possible: Vec<_> =
        alone.nodes.iter().filter(|node| matches!(node.existence, Existence::Possible(_))).collect();
    assert_eq!(possible.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["undescribed 192.0.2.9"]);
    let stranger = alone.interface(possible[0].interfaces[0]);
    assert_eq!(stranger.segment, Some(alone.segment_at("r:eth0")));
    assert_eq!(stranger.addresses[0].net.to_string(), "192.0.2.9/32");
    let Existence::Possible(unknown) = possible[0].existence else { panic!() };
    assert_eq!(alone.unknown(unknown).what, "who answers at 192.0.2.9, the next hop of `r`");
    assert_eq!(alone.unknown(unknown).span, Some(r.routes[0].span));

    // The internet has every address, so nobody else is needed.
    let outside = network(builder(vec![r, peer], &["r:eth0 peer:eth0 internet"]));
    assert!(outside.nodes.iter().all(|node| node.existence == Existence::Described));
}

#[test]
fn routes_of_a_dump_name_their_interfaces() {
    let mut spec = routed(
        node("router", "r", &[("eth0", "192.0.2.1/24"), ("ppp0", ""), ("lo", "127.0.0.1/8 10.0.0.1/32")]),
        &[
            "10.0.0.0/8 dev=ppp0",
            "10.9.0.0/16 198.51.100.1 dev=eth0",
            "10.8.0.0/16 dev=lo",
            "192.0.2.0/24 dev=eth0",
        ],
    );
    spec.interfaces[2].loopback = true;
    spec.connected = [false, true];
    spec.routes[1].dynamic = true;
    let network = network(builder(vec![spec], &[]));
    assert_eq!(
        routes(&network, "r", 0),
        [
            "192.0.2.0/24 on-link@eth0",
            "10.9.0.0/16 198.51.100.1@eth0",
            "10.8.0.0/16 blackhole",
            "10.0.0.0/8 on-link@ppp0",
        ]
    );
    assert!(network.interface(network.at("r:ppp0")).segment.is_some());
    let lo = network.interface(network.at("r:lo"));
    assert_eq!(lo.segment, None);
    assert_eq!(lo.addresses.iter().map(|a| a.net.to_string()).collect::<Vec<_>>(), ["10.0.0.1/32"]);
    let unknown = network.nodes[0].dynamic_routes.unwrap();
    assert_eq!(network.unknown(unknown).what, "which routes the peers of `r` announce");
}

#[test]
fn the_ledger_names_open_nodes_and_declared_facts() {
    let mut host = node("host", "h", &[("eth0", "10.1.0.2/24")]);
    host.interfaces[0].antispoof = Some(Stated::own(SourceCheck::Strict, place()));
    let network = network(builder(vec![attached("router", 2), host], &[]));
    let texts: Vec<&str> = network.ledger.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts[0], "1 node without a policy may forward and filter nothing: n");
    assert!(texts.contains(&"`ipv6: off` is declared on 2 nodes"), "{texts:?}");
    assert!(texts.contains(&"`antispoof: strict` is declared on 1 interface"), "{texts:?}");
}

/// A tree of 10,000 devices with ten interfaces each. It has no bound on time; a quadratic step would be
/// felt.
#[test]
fn ten_thousand_devices() {
    let count = 10_000_usize;
    let mut nodes = Vec::with_capacity(count);
    let mut links = Vec::with_capacity(count);
    let address = |link: usize, end: usize| {
        format!("10.{}.{}.{}/31", link >> 15, (link >> 7) & 255, (link & 127) * 2 + end)
    };
    for number in 0..count {
        let mut interfaces: Vec<(String, String)> = Vec::new();
        if number > 0 {
            interfaces.push(("up".to_owned(), address(number, 1)));
            links.push(format!("n{}:d{} n{number}:up", (number - 1) / 9, (number - 1) % 9));
        }
        for slot in 0..9 {
            let child = number * 9 + slot + 1;
            let text = if child < count { address(child, 0) } else { String::new() };
            interfaces.push((format!("d{slot}"), text));
        }
        let borrowed: Vec<(&str, &str)> = interfaces.iter().map(|(n, a)| (n.as_str(), a.as_str())).collect();
        let mut spec = node("router", &format!("n{number}"), &borrowed);
        if number > 0 {
            let (gateway, _) =
                address(number, 0).split_once('/').map(|(a, l)| (a.to_owned(), l.to_owned())).unwrap();
            spec.gateway = vec![Stated::own(gateway.parse().unwrap(), place())];
        }
        nodes.push(spec);
    }
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let network = network(builder(nodes, &links));
    assert_eq!((network.nodes.len(), network.segments.len()), (count, count - 1));
    assert!(network.segments.iter().all(|segment| segment.attached.len() == 2));
}
