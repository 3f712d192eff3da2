//! Descriptions that mean nothing: what is said about each.

use super::describe::*;
use crate::diag::Code;
use crate::model::build::*;

/// A builder of one router `r` with these interfaces, linked to nothing.
fn router(interfaces: &[(&str, &str)]) -> NetworkBuilder {
    builder(vec![node("router", "r", interfaces)], &[])
}

fn two_routers(links: &[&str]) -> NetworkBuilder {
    let nodes = [("r1", "192.0.2.1/24"), ("r2", "192.0.2.2/24")]
        .map(|(name, address)| node("router", name, &[("eth0", address), ("eth1", "")]));
    builder(nodes.to_vec(), links)
}

fn with_routes(routes: &[&str]) -> NetworkBuilder {
    let interfaces = [("eth0", "192.0.2.1/24"), ("mgmt0", "172.20.0.1/24 vrf=mgmt")];
    builder(vec![routed(node("router", "r", &interfaces), routes)], &[])
}

fn with_gateway(gateways: &[&str]) -> NetworkBuilder {
    let mut spec = node("host", "h", &[("eth0", "10.1.0.20/24")]);
    spec.gateway = gateways.iter().map(|text| Stated::inherited(text.parse().unwrap(), place())).collect();
    builder(vec![spec], &[])
}

fn changed(change: impl FnOnce(&mut NodeSpec)) -> NetworkBuilder {
    let mut spec = node("host", "h", &[("eth0", "10.1.0.20/24")]);
    change(&mut spec);
    builder(vec![spec], &[])
}

fn declared(declare: impl FnOnce(&mut NetworkBuilder)) -> NetworkBuilder {
    let mut builder = two_routers(&[]);
    declare(&mut builder);
    builder
}

fn tunnel(ends: &[&str], outer: &[&str]) -> NetworkBuilder {
    declared(|builder| {
        builder.add_tunnel(TunnelSpec {
            name: word("t"),
            encapsulation: word("gre"),
            endpoints: ends.iter().map(|text| end(text)).collect(),
            outer: outer.iter().map(|text| at(text.parse().unwrap())).collect(),
        });
    })
}

/// Each wrong description with the code and the message of its only error.
fn check(cases: Vec<(NetworkBuilder, Code, &str)>) {
    for (builder, code, message) in cases {
        let found = wrong(builder);
        let said: Vec<(Code, &str)> = found.iter().map(|d| (d.code, d.message.as_str())).collect();
        assert_eq!(said, [(code, message)]);
        assert!(found[0].help.is_some() && found[0].span.is_some(), "{message}: no way out");
        assert!(!message.ends_with('.'));
    }
}

#[test]
fn names() {
    let again = |builder: &mut NetworkBuilder| {
        builder.add_node(node("host", "r1", &[]));
    };
    check(vec![
        (declared(again), Code::DuplicateKey, "a node of the name `r1` is declared twice"),
        (
            declared(|b| b.add_site(SiteSpec { name: word("gui1"), jurisdiction: None })),
            Code::DuplicateKey,
            "a site of the name `gui1` is declared twice",
        ),
        (
            router(&[("eth0", ""), ("eth0", "")]),
            Code::DuplicateKey,
            "`r` has two interfaces of the name `eth0`",
        ),
        (router(&[("eth0", "zone=ap")]), Code::UnknownName, "nothing declares a zone of the name `ap`"),
        (router(&[("eth0", "vrf=mgnt")]), Code::UnknownName, "nothing declares a VRF of the name `mgnt`"),
        (router(&[("eth0", "access=none")]), Code::UnknownName, "nothing declares a VLAN of the name `none`"),
        (
            router(&[("eth0", "trunk=app,none")]),
            Code::UnknownName,
            "nothing declares a VLAN of the name `none`",
        ),
        (
            changed(|n| n.site = Some(word("gui2"))),
            Code::UnknownName,
            "nothing declares a site of the name `gui2`",
        ),
        (changed(|n| n.name = word("")), Code::BadValue, "the name of a node is empty"),
        (
            changed(|n| n.name = word("h\u{1b}[31m")),
            Code::BadValue,
            "the name of a node, `h\\u{1b}[31m`, holds characters that do not show",
        ),
        (
            changed(|n| n.name = word("h\u{202e}1")),
            Code::BadValue,
            "the name of a node, `h\\u{202e}1`, holds characters that do not show",
        ),
        (changed(|n| n.name = word("a:b")), Code::BadValue, "the name of a node, `a:b`, holds a colon"),
        (changed(|n| n.name = word("internet")), Code::Conflict, "`internet` is built in"),
        (changed(|n| n.role = Some(word("internet"))), Code::BadValue, "the role `internet` is built in"),
    ]);
    let slip = wrong(router(&[("eth0", "zone=ap")]));
    assert_eq!(slip[0].help.as_deref(), Some("did you mean `app`?"));
    let twice = wrong(declared(again));
    assert_eq!(twice[0].related[0].text, "declared here first");
}

#[test]
fn countries_and_tags() {
    let site = |code: &str| SiteSpec { name: word("s"), jurisdiction: Some(word(code)) };
    let vlan = |tag| VlanSpec { name: word("v"), tag: at(tag) };
    check(vec![
        (declared(|b| b.add_site(site("UK"))), Code::BadValue, "`UK` is not a country"),
        (two_routers(&["r1:eth0 r2:eth0 via CN XX"]), Code::BadValue, "`XX` is not a country"),
        (declared(|b| b.add_vlan(vlan(0))), Code::Link, "0 is not a VLAN tag"),
        (declared(|b| b.add_vlan(vlan(4095))), Code::Link, "4095 is not a VLAN tag"),
        (declared(|b| b.add_vlan(vlan(110))), Code::Conflict, "VLANs `app` and `v` have the same tag 110"),
    ]);
    assert_eq!(wrong(declared(|b| b.add_site(site("UK"))))[0].help.as_deref(), Some("did you mean `GB`?"));
}

#[test]
fn links() {
    check(vec![
        (two_routers(&["r1:eth0"]), Code::Link, "the link has fewer than two ends"),
        (two_routers(&["r1:eth0 r3:eth0"]), Code::UnknownName, "nothing declares a node of the name `r3`"),
        (
            two_routers(&["r1:eth0 r2:eth7"]),
            Code::UnknownName,
            "`r2:eth7` must be declared or dumped: the node has no such interface",
        ),
        (two_routers(&["r1:eth1 r1:eth1"]), Code::Link, "`r1:eth1` is linked to itself"),
        (two_routers(&["r1:eth0 internet internet"]), Code::Link, "`internet` is linked to itself"),
        (
            two_routers(&["r1:eth0 r2:eth0", "r1:eth0 r2:eth1"]),
            Code::Link,
            "`r1:eth0` is an end of two links or tunnels",
        ),
        (tunnel(&["r1:eth1"], &[]), Code::Link, "tunnel `t` has fewer than two ends"),
        (tunnel(&["r1:eth1", "internet"], &[]), Code::Link, "tunnel `t` ends at `internet`"),
        (
            tunnel(&["r1:eth1", "r2:eth1"], &["192.0.2.1"]),
            Code::Link,
            "tunnel `t` has 2 ends, but 1 outer addresses",
        ),
        (
            tunnel(&["r1:eth1", "r2:eth1"], &["192.0.2.1", "192.0.2.7"]),
            Code::Address,
            "`r2` has no address 192.0.2.7",
        ),
    ]);
}

#[test]
fn vlans() {
    let switch = |port: (&str, &str)| builder(vec![node("switch", "s", &[port])], &[]);
    check(vec![
        (
            router(&[("eth1", "trunk=app"), ("eth1.120", "10.2.0.1/24 vlan=edge")]),
            Code::Link,
            "`r:eth1.120` is in a VLAN that `r:eth1` does not carry",
        ),
        (
            router(&[("eth1.120", "10.2.0.1/24 vlan=edge")]),
            Code::Link,
            "`r:eth1.120` is in a VLAN, but stands on no interface of its node",
        ),
        (
            router(&[("eth1", "trunk=app"), ("eth1.110", "10.2.0.1/24")]),
            Code::Link,
            "`r:eth1.110` stands on a trunk, but names no VLAN",
        ),
        (
            router(&[("eth0", "trunk=app"), ("eth0.110", "trunk=edge vlan=app")]),
            Code::Link,
            "`r:eth0.110` is in VLAN `app` and a port at once",
        ),
        (router(&[("eth0", "trunk=app access=edge")]), Code::Link, "`r:eth0` is an access port and a trunk"),
        (router(&[("eth0", "native=app")]), Code::Link, "`r:eth0` has a native VLAN but is no trunk"),
        (
            switch(("p1", "access=app 10.1.0.1/24")),
            Code::Link,
            "`s:p1` is a port of layer 2, but has an address",
        ),
        (
            builder(
                vec![
                    node("host", "h", &[("eth0", "10.1.0.2/24 vlan=app")]),
                    node("switch", "s", &[("p", "access=app")]),
                ],
                &["h:eth0 s:p"],
            ),
            Code::Link,
            "`h:eth0` is inside a device, but a cable ends at it",
        ),
        (
            router(&[("a", "trunk=app"), ("a.110", "vlan=app"), ("a.110.120", "vlan=edge 10.1.0.1/24")]),
            Code::Link,
            "`r:a.110.120` is in a VLAN that `r:a.110` does not carry",
        ),
    ]);
    // A trunk of a router may have an address of its own.
    network(router(&[("eth1", "trunk=app 10.1.0.1/24"), ("eth1.110", "10.2.0.1/24 vlan=app")]));
}

#[test]
fn addresses() {
    let shared = |one: &str, other: &str| {
        let nodes = vec![node("host", "a", &[("eth0", one)]), node("host", "b", &[("eth0", other)])];
        builder(nodes, &["a:eth0 b:eth0"])
    };
    check(vec![
        (
            shared("10.1.0.1/24", "10.1.0.1/24"),
            Code::Address,
            "`a:eth0` and `b:eth0` have the same address 10.1.0.1 on one segment",
        ),
        (router(&[("eth0", "10.1.0.1/24 10.1.0.1/24")]), Code::Address, "`r:eth0` has 10.1.0.1 twice"),
        (
            shared("10.1.0.1/24", "10.1.0.2/16"),
            Code::Address,
            "`b:eth0` has 10.1.0.2/16 and `a:eth0` has 10.1.0.1/24 on one segment: the networks overlap, \
             but differ",
        ),
        (
            router(&[("eth0", "10.1.0.1/24"), ("eth1", "10.1.0.2/24")]),
            Code::Address,
            "`r:eth0` and `r:eth1` are on different segments, but their networks 10.1.0.0/24 and \
             10.1.0.0/24 overlap",
        ),
        (
            router(&[("eth0", "10.1.5.1/24 vrf=mgmt"), ("eth1", "10.1.0.2/16 vrf=mgmt")]),
            Code::Address,
            "`r:eth1` and `r:eth0` are on different segments of VRF `mgmt`, but their networks \
             10.1.0.0/16 and 10.1.5.0/24 overlap",
        ),
        (
            router(&[("eth0", "10.1.0.0/24")]),
            Code::Address,
            "10.1.0.0/24 cannot be the address of an interface: it is the address of its network",
        ),
        (
            router(&[("eth0", "10.1.0.255/24")]),
            Code::Address,
            "10.1.0.255/24 cannot be the address of an interface: it is the broadcast address of its network",
        ),
        (
            router(&[("eth0", "ff02::1/64")]),
            Code::Address,
            "ff02::1/64 cannot be the address of an interface: it is a multicast address",
        ),
    ]);
    // These are sound: other VRFs, other segments, lone addresses, link-local networks.
    network(router(&[("eth0", "10.1.0.1/24"), ("eth1", "10.1.0.2/24 vrf=mgmt")]));
    network(router(&[("eth0", "10.1.0.1/24"), ("eth1", "10.1.0.7/32")]));
    network(router(&[("eth0", "fe80::1/64"), ("eth1", "fe80::1/64")]));
    network(shared("10.1.0.1/24", "10.1.0.1/24 10.1.0.2/24".split(' ').nth(1).unwrap()));
}

#[test]
fn routes() {
    check(vec![
        (with_routes(&["10.1.0.5/16 192.0.2.9"]), Code::Address, "10.1.0.5/16 has host bits"),
        (
            with_routes(&["10.0.0.0/8 198.51.100.1"]),
            Code::Address,
            "the next hop 198.51.100.1 is not on a network of `r`",
        ),
        (
            with_routes(&["10.0.0.0/8 172.20.0.254"]),
            Code::Address,
            "the next hop 172.20.0.254 is not on a network of `r`",
        ),
        (with_routes(&["10.0.0.0/8 192.0.2.1"]), Code::Address, "the next hop 192.0.2.1 is `r` itself"),
        (with_routes(&["10.0.0.0/8"]), Code::MissingKey, "the route leads nowhere"),
        (
            with_routes(&["2001:db8::/32 192.0.2.9"]),
            Code::Address,
            "192.0.2.9 is not of the family of the route's destinations",
        ),
        (with_routes(&["10.0.0.0/8 dev=eth9"]), Code::UnknownName, "`r` has no interface of the name `eth9`"),
        (
            with_routes(&["10.0.0.0/8 172.20.0.254 vrf=mngt"]),
            Code::UnknownName,
            "nothing declares a VRF of the name `mngt`",
        ),
        (
            with_routes(&["10.0.0.0/8 192.0.2.9", "10.0.0.0/8 192.0.2.8"]),
            Code::Conflict,
            "`r` has two routes to 10.0.0.0/8",
        ),
        (with_gateway(&["10.2.0.1"]), Code::Address, "the next hop 10.2.0.1 is not on a network of `h`"),
        (with_gateway(&["10.1.0.20"]), Code::Address, "the next hop 10.1.0.20 is `h` itself"),
        (with_gateway(&["10.1.0.1", "10.1.0.2"]), Code::Conflict, "`h` has two IPv4 gateways"),
        (
            with_gateway(&["2001:db8::1"]),
            Code::Address,
            "the next hop 2001:db8::1 is not on a network of `h`",
        ),
    ]);
    let help = |builder| wrong(builder).remove(0).help.unwrap();
    assert_eq!(help(with_routes(&["10.0.0.0/8 172.20.0.254"])), "it is in a VRF: add `vrf: mgmt`");
    assert_eq!(help(with_gateway(&["10.2.0.1"])), "a neighbour is in 10.1.0.0/24");
    assert_eq!(help(with_gateway(&["2001:db8::1"])), "give an interface an IPv6 address first");
    let inherited = wrong(with_gateway(&["10.2.0.1"]));
    assert_eq!(inherited[0].related[0].text, "the node that inherits it");
}

#[test]
fn contradictions() {
    let strict = |dumped| {
        changed(|n| {
            n.interfaces[0].antispoof = Some(Stated::own(SourceCheck::Strict, place()));
            n.interfaces[0].dumped.antispoof[0] = Some(at(dumped));
        })
    };
    network(strict(SourceCheck::Strict));
    check(vec![
        (
            strict(SourceCheck::Loose),
            Code::Conflict,
            "`antispoof` of `h:eth0` is declared `strict`, but its own files say `loose`",
        ),
        (
            changed(|n| {
                n.forwarding = Some(Stated::own(false, place()));
                n.dumped.forwarding[0] = Some(at(true));
            }),
            Code::Conflict,
            "`forwarding` of `h` is declared `off`, but its own files say `on`",
        ),
        (
            changed(|n| {
                n.interfaces[0].addresses.push(AddressSpec::new("2001:db8::1/64".parse().unwrap(), place()));
                n.interfaces[0].ipv6 = Some(at(false));
            }),
            Code::Conflict,
            "IPv6 is off on `h:eth0`, but it has the address 2001:db8::1/64",
        ),
        (
            changed(|n| {
                n.interfaces[0].ipv6 = Some(at(false));
                n.interfaces[0].dumped.ipv6 = Some(at(true));
            }),
            Code::Conflict,
            "`ipv6` of `h:eth0` is declared `off`, but its own files say `on`",
        ),
    ]);
    let dumped = |gateway: Stated<std::net::IpAddr>| {
        changed(|n| {
            n.routes = vec![route("0.0.0.0/0 10.1.0.1 dev=eth0")];
            n.connected = [false; 2];
            n.gateway = vec![gateway];
        })
    };
    let address = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    network(dumped(Stated::own(address("10.1.0.1"), place())));
    network(dumped(Stated::inherited(address("10.1.0.9"), place())));
    check(vec![(
        dumped(Stated::own(address("10.1.0.9"), place())),
        Code::Conflict,
        "the gateway of `h` is declared 10.1.0.9, but its own files have no such default route",
    )]);
    let mut assumed = two_routers(&[]);
    for reason in ["one", "two"] {
        assumed.assume(crate::model::Assumption::NoReflection, place(), word(reason));
    }
    check(vec![(assumed, Code::DuplicateKey, "`no-reflection` is assumed twice")]);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut spec =
        node("router", "r", &[("eth0", "10.1.0.0/24 zone=none"), ("eth1", "10.9.0.1/24 vrf=none")]);
    spec.site = Some(word("none"));
    spec = routed(spec, &["10.0.0.0/8 198.51.100.1", "10.0.0.1/8 blackhole"]);
    let found = wrong(builder(vec![spec], &["r:eth0 x:eth0"]));
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn slips_in_words_of_roles_and_kinds_are_warnings() {
    let slip = changed(|n| {
        n.role = Some(word("fierwall"));
        n.kind = Some(word("linus"));
    });
    let found = wrong(slip);
    let helps: Vec<_> = found.iter().map(|d| d.help.as_deref().unwrap()).collect();
    assert_eq!(helps, ["did you mean `firewall`?", "did you mean `linux`?"]);
    assert!(wrong(changed(|n| n.role = Some(word("hsm")))).is_empty());
}
