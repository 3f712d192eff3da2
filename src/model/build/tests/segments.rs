//! Which interfaces share a broadcast domain (SEMANTICS.md sections 1.1, 1.5 and 3.10).

use super::describe::*;
use crate::model::build::{Cabling, EndSpec, TunnelSpec};
use crate::model::{Existence, Transit};

#[test]
fn the_sample_has_one_segment_for_each_vlan_and_line() {
    let nodes = vec![
        node(
            "firewall",
            "fw",
            &[
                ("eth0", "192.0.2.1/30"),
                ("eth1.110", "10.1.0.1/24 vlan=app"),
                ("eth1.120", "10.2.0.1/24 vlan=edge"),
                ("eth1", "trunk=app,edge"),
            ],
        ),
        node("switch", "sw", &[("up", "trunk=app,edge"), ("p1", "access=app"), ("p2", "access=edge")]),
        node("host", "db", &[("eth0", "10.1.0.20/24")]),
        node("host", "web", &[("eth0", "10.2.0.10/24")]),
        node("router", "rtr", &[("eth0", "192.0.2.2/30")]),
    ];
    let links = ["fw:eth0 rtr:eth0 via CN HK", "fw:eth1 sw:up", "sw:p1 db:eth0", "sw:p2 web:eth0"];
    let network = network(builder(nodes, &links));
    assert_eq!(
        network.shapes(),
        [
            "fw:eth0 rtr:eth0 |",
            "fw:eth1.110 db:eth0 | fw:eth1 sw:up sw:p1",
            "fw:eth1.120 web:eth0 | fw:eth1 sw:up sw:p2",
        ]
    );
    let names: Vec<_> = network.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["fw:eth0 – rtr:eth0", "vlan app (110) at sw", "vlan edge (120) at sw"]);
    let Transit::Known(countries) = &network.segments[0].transit else { panic!() };
    assert_eq!(countries.iter().map(|c| c.value.as_str()).collect::<Vec<_>>(), ["CN", "HK"]);
    assert!(matches!(network.segments[1].transit, Transit::Unknown(..)));
    let vlan = |index: usize| network.segments[index].vlan.map(|id| network.vlans[id.index()].tag);
    assert_eq!([vlan(0), vlan(1), vlan(2)], [None, Some(110), Some(120)]);
}

/// A switch `name` with ports from `port: words`.
fn switch(name: &str, ports: &[(&str, &str)]) -> crate::model::build::NodeSpec {
    node("switch", name, ports)
}

/// Hosts `h1`, `h2`, … with one address each in 10.9.0.0/24.
fn hosts(count: usize) -> Vec<crate::model::build::NodeSpec> {
    (1..=count).map(|n| node("host", &format!("h{n}"), &[("eth0", &format!("10.9.0.{n}/24"))])).collect()
}

#[test]
fn the_same_tag_without_a_connection_is_another_segment() {
    let mut nodes = hosts(2);
    nodes.push(switch("s1", &[("p1", "access=app")]));
    nodes.push(switch("s2", &[("p1", "access=app")]));
    let network = network(builder(nodes, &["h1:eth0 s1:p1", "h2:eth0 s2:p1"]));
    assert_eq!(network.shapes(), ["h1:eth0 | s1:p1", "h2:eth0 | s2:p1"]);
    assert_eq!(network.segments[0].vlan, network.segments[1].vlan);
}

#[test]
fn a_trunk_carries_a_vlan_only_if_both_ends_do() {
    let mut nodes = hosts(2);
    nodes.push(switch("s1", &[("p1", "access=app"), ("up", "trunk=app,edge")]));
    nodes.push(switch("s2", &[("p1", "access=app"), ("up", "trunk=edge")]));
    let network = network(builder(nodes, &["h1:eth0 s1:p1", "h2:eth0 s2:p1", "s1:up s2:up"]));
    assert_ne!(network.segment_at("h1:eth0"), network.segment_at("h2:eth0"));
    assert!(!network.may_join("h1:eth0", "h2:eth0"));
}

#[test]
fn unequal_natives_and_access_vlans_join_on_the_wire() {
    let mut nodes = hosts(2);
    nodes.push(switch("s1", &[("p1", "access=app"), ("up", "trunk=old native=app")]));
    nodes.push(switch("s2", &[("p1", "access=edge"), ("up", "trunk=old native=edge")]));
    let network = network(builder(nodes, &["h1:eth0 s1:p1", "h2:eth0 s2:p1", "s1:up s2:up"]));
    assert_eq!(network.segment_at("h1:eth0"), network.segment_at("h2:eth0"));
    let segment = network.segment(network.segment_at("h1:eth0"));
    assert_eq!(segment.vlan, None, "it is of two VLANs");
}

#[test]
fn a_native_vlan_that_is_a_ports_too_hops_one_way_perhaps() {
    let ports = [("p1", "access=app"), ("p2", "access=edge"), ("up", "trunk=edge native=app")];
    let mut nodes = hosts(2);
    nodes.push(switch("s1", &ports));
    nodes.push(switch("s2", &[("p2", "access=edge"), ("up", "trunk=edge native=app")]));
    let links = ["h1:eth0 s1:p1", "h2:eth0 s2:p2", "s1:up s2:up"];
    let hopping = network(builder(nodes.clone(), &links));
    assert_ne!(hopping.segment_at("h1:eth0"), hopping.segment_at("h2:eth0"));
    assert!(hopping.may_join("h1:eth0", "h2:eth0"));
    assert!(!hopping.may_join("h2:eth0", "h1:eth0"), "one way only");

    // With a native VLAN that no port has, there is no outer tag to strip.
    nodes[2] = switch("s1", &[ports[0], ports[1], ("up", "trunk=edge,app native=old")]);
    nodes[3] = switch("s2", &[("p2", "access=edge"), ("up", "trunk=edge,app native=old")]);
    let safe = network(builder(nodes, &links));
    assert!(safe.segments.iter().all(|segment| segment.joins.is_empty()));
}

#[test]
fn a_listed_native_vlan_has_no_tag() {
    let router = node(
        "router",
        "r",
        &[("eth1", "trunk=app,edge native=app 10.9.0.254/24"), ("eth1.120", "10.8.0.1/24 vlan=edge")],
    );
    let mut nodes = hosts(1);
    nodes.push(router);
    nodes.push(switch("s", &[("p1", "access=app"), ("up", "trunk=app,edge native=app")]));
    let network = network(builder(nodes, &["h1:eth0 s:p1", "r:eth1 s:up"]));
    assert_eq!(network.segment_at("h1:eth0"), network.segment_at("r:eth1"));
    assert_ne!(network.segment_at("h1:eth0"), network.segment_at("r:eth1.120"));
    let vlan = |id: Option<crate::model::VlanId>| id.map(|id| network.vlans[id.index()].name.as_str());
    assert_eq!(vlan(network.segment(network.segment_at("h1:eth0")).vlan), Some("app"));
    assert_eq!(vlan(network.segment(network.segment_at("r:eth1.120")).vlan), Some("edge"));
    assert_eq!(vlan(network.interface(network.at("r:eth1")).vlan), Some("app"));
    assert_eq!(vlan(network.interface(network.at("s:up")).vlan), None);
}

#[test]
fn an_automatic_trunk_may_carry_every_vlan() {
    let mut nodes = hosts(3);
    nodes.push(switch("s", &[("p1", "access=app"), ("p2", "trunk=auto access=edge"), ("p3", "access=edge")]));
    let network = network(builder(nodes, &["h1:eth0 s:p1", "h2:eth0 s:p2", "h3:eth0 s:p3"]));
    assert_eq!(network.segment_at("h2:eth0"), network.segment_at("h3:eth0"), "untagged frames are in `edge`");
    assert_ne!(network.segment_at("h2:eth0"), network.segment_at("h1:eth0"));
    assert!(network.may_join("h2:eth0", "h1:eth0") && network.may_join("h1:eth0", "h2:eth0"));
}

#[test]
fn a_switch_receives_by_its_own_addresses_in_vlans() {
    let ports = [("p1", "access=app"), ("vlan110", "10.9.0.250/24 vlan=app"), ("mgmt", "10.7.0.1/24")];
    let mut nodes = hosts(1);
    nodes.push(switch("s", &ports));
    let network = network(builder(nodes, &["h1:eth0 s:p1"]));
    assert_eq!(network.shapes(), ["h1:eth0 s:vlan110 | s:p1", "s:mgmt |"]);
}

#[test]
fn a_bridge_that_ignores_tags_joins_what_runs_over_it() {
    let router = |name: &str, last: u8| {
        let (app, edge) = (format!("10.9.0.{last}/24 vlan=app"), format!("10.8.0.{last}/24 vlan=edge"));
        node("router", name, &[("eth0", "trunk=app,edge"), ("eth0.110", &app), ("eth0.120", &edge)])
    };
    let mut nodes = hosts(2);
    nodes.extend([router("r1", 201), router("r2", 202)]);
    nodes.push(switch("dumb", &[("a", ""), ("b", ""), ("c", ""), ("d", "")]));
    let links = ["r1:eth0 dumb:a", "r2:eth0 dumb:b", "h1:eth0 dumb:c", "h2:eth0 dumb:d"];
    let network = network(builder(nodes, &links));
    assert_eq!(network.segment_at("r1:eth0.110"), network.segment_at("r2:eth0.110"));
    assert_eq!(network.segment_at("r1:eth0.120"), network.segment_at("r2:eth0.120"));
    assert_eq!(network.segment_at("h1:eth0"), network.segment_at("h2:eth0"));
    assert_eq!(network.segments.len(), 3);
    assert_eq!(network.segments[0].name, "untagged at dumb");
    assert_eq!(network.segments[1].name, "vlan app (110) at dumb");
}

#[test]
fn plain_ports_of_a_switch_with_vlans_share_its_untagged_domain() {
    let mut nodes = hosts(3);
    nodes.push(switch("s", &[("p1", ""), ("p2", ""), ("p3", "access=app")]));
    let network = network(builder(nodes, &["h1:eth0 s:p1", "h2:eth0 s:p2", "h3:eth0 s:p3"]));
    assert_eq!(network.segment_at("h1:eth0"), network.segment_at("h2:eth0"));
    assert_ne!(network.segment_at("h1:eth0"), network.segment_at("h3:eth0"));
}

#[test]
fn a_bare_trunk_receives_untagged_frames_where_ipv6_may_run() {
    let describe = |ipv6: &str| {
        let trunk = format!("trunk=app {ipv6}");
        let router = node("router", "r", &[("eth1", &trunk), ("eth1.110", "10.8.0.1/24 vlan=app")]);
        let mut nodes = hosts(1);
        nodes.push(router);
        nodes.push(switch("s", &[("p1", "access=old"), ("up", "trunk=app native=old")]));
        network(builder(nodes, &["h1:eth0 s:p1", "r:eth1 s:up"]))
    };
    let off = describe("ipv6=off");
    assert_eq!(off.interface(off.at("r:eth1")).segment, None);
    let on = describe("ipv6=on");
    assert_eq!(on.segment_at("r:eth1"), on.segment_at("h1:eth0"));
}

#[test]
fn an_addressed_interface_without_a_link_is_a_segment_of_its_own() {
    let mut nodes = hosts(1);
    nodes.push(node("router", "r", &[("eth0", "10.7.0.1/24"), ("eth1", "")]));
    let network = network(builder(nodes, &[]));
    assert_eq!(network.shapes(), ["h1:eth0 |", "r:eth0 |"]);
    assert_eq!(network.segments[1].name, "r:eth0");
    assert_eq!(network.segments[1].transit, Transit::Known(Vec::new()));
    assert_eq!(network.interface(network.at("r:eth1")).segment, None);
}

#[test]
fn the_internet_is_one_node_with_an_interface_for_each_link() {
    let routers = [("r1", "192.0.2.1/24"), ("r2", "198.51.100.1/24")]
        .map(|(name, address)| node("router", name, &[("eth0", address)]));
    let network = network(builder(routers.to_vec(), &["r1:eth0 internet", "r2:eth0 internet"]));
    assert_eq!(network.shapes(), ["r1:eth0 internet:link1 |", "r2:eth0 internet:link2 |"]);
    assert_eq!(network.segments[0].name, "r1:eth0 – internet");
    let internet = network.node(network.id("internet"));
    assert_eq!((internet.existence, internet.interfaces.len()), (Existence::Described, 2));
    assert!(matches!(network.segments[0].transit, Transit::Unknown(..)));
}

#[test]
fn lines_inside_a_site_cross_nothing_and_others_cross_who_knows_what() {
    let mut nodes = hosts(3);
    nodes[0].site = Some(word("gui1"));
    nodes[1].site = Some(word("gui1"));
    let network = network(builder(nodes.clone(), &["h1:eth0 h2:eth0"]));
    assert_eq!(network.segments[0].transit, Transit::Known(Vec::new()));
    nodes[1].site = Some(word("sin1"));
    let network = super::describe::network(builder(nodes, &["h1:eth0 h2:eth0"]));
    let Transit::Unknown(_, unknown) = network.segments[0].transit else { panic!() };
    assert_eq!(network.unknown(unknown).what, "which countries the line h1:eth0 – h2:eth0 crosses");
}

#[test]
fn open_cabling_may_join_whatever_has_no_link() {
    let mut nodes = hosts(3);
    nodes.push(node("router", "r", &[("eth0", "")]));
    let open = |cabling| {
        let mut builder = builder(nodes.clone(), &["h1:eth0 h2:eth0"]);
        builder.set_cabling(cabling);
        network(builder)
    };
    let complete = open(Cabling::Complete);
    assert!(complete.segments.iter().all(|segment| segment.joins.is_empty()));
    let unknown = open(Cabling::Unknown(place()));
    assert!(unknown.may_join("h3:eth0", "r:eth0") && unknown.may_join("r:eth0", "h3:eth0"));
    assert!(!unknown.may_join("h1:eth0", "h3:eth0"), "its cable is described");
    let hub = unknown.segments.last().unwrap();
    assert!(matches!(hub.existence, Existence::Possible(_)) && hub.attached.is_empty());
}

#[test]
fn a_bridge_of_a_dump_joins_its_ports_and_tagged_ports() {
    let mut nodes = hosts(2);
    let interfaces = [
        ("eth0", "master=br0"),
        ("br0", "10.9.0.250/24"),
        ("eth1", "trunk=app"),
        ("eth1.110", "vlan=app master=br0"),
    ];
    nodes.push(node("router", "r", &interfaces));
    nodes.push(switch("s", &[("p1", "access=app"), ("up", "trunk=app")]));
    let network = network(builder(nodes, &["h1:eth0 r:eth0", "r:eth1 s:up", "s:p1 h2:eth0"]));
    assert_eq!(network.segments.len(), 1);
    assert_eq!(network.names(&network.segments[0].attached), ["h1:eth0", "h2:eth0", "r:br0"]);
}

#[test]
fn a_bridge_with_a_linked_port_is_not_open() {
    let mut nodes = hosts(2);
    nodes.push(node("router", "r", &[("eth0", "master=br0"), ("br0", "10.9.0.250/24")]));
    let mut builder = builder(nodes, &["h1:eth0 r:eth0"]);
    builder.set_cabling(Cabling::Unknown(place()));
    let network = network(builder);
    assert!(!network.may_join("h1:eth0", "h2:eth0"));
    assert_eq!(network.segment_at("h1:eth0"), network.segment_at("r:br0"));
}

#[test]
fn a_tunnel_is_a_possible_segment_that_anyone_may_feed() {
    let routers = [("r1", "10.255.0.1/30", "192.0.2.1/30"), ("r2", "10.255.0.2/30", "192.0.2.2/30")]
        .map(|(name, inner, outer)| node("router", name, &[("tun0", inner), ("eth0", outer)]));
    let mut builder = builder(routers.to_vec(), &["r1:eth0 r2:eth0"]);
    builder.add_tunnel(TunnelSpec {
        name: word("t"),
        encapsulation: word("gre"),
        endpoints: vec![end("r1:tun0"), end("r2:tun0")] as Vec<EndSpec>,
        outer: vec![at("192.0.2.1".parse().unwrap()), at("192.0.2.2".parse().unwrap())],
    });
    let network = network(builder);
    let tunnel = network.segment(network.segment_at("r1:tun0"));
    assert!(matches!(tunnel.existence, Existence::Possible(_)) && tunnel.tunnel.is_some());
    let wrapper = "anyone who can wrap packets for tunnel t";
    assert_eq!(network.names(&tunnel.attached), ["r1:tun0", "r2:tun0", &format!("{wrapper}:link1")]);
    assert!(matches!(network.node(network.id(wrapper)).existence, Existence::Possible(_)));
}

#[test]
fn names_of_segments_are_short() {
    let long = "a-name-that-is-longer-than-anybody-would-like-to-read";
    let nodes =
        ["1", "2"].map(|n| node("host", &format!("{long}-{n}"), &[("eth0", &format!("10.9.0.{n}/24"))]));
    let network = network(builder(nodes.to_vec(), &[&format!("{long}-1:eth0 {long}-2:eth0")]));
    assert_eq!(network.segments[0].name.chars().count(), 60);
    assert!(network.segments[0].name.ends_with('…'));
}
