//! Selectors on one small network: what they select, what is said about wrong ones, and the laws of selection.

use super::select::{Selection, select};
use super::selector::{Expr, parse};
use crate::diag::Diagnostics;
use crate::model::build::*;
use crate::model::{Existence, Network, NodeId, Reading, SiteId, VlanId, VrfId, ZoneId};
use crate::source::{SourceId, SourceMap, Span, Spanned};
use proptest::prelude::*;
use std::fmt::Write;

const HERE: Span = Span { source: SourceId(0), start: 0, end: 1 };

fn word(text: &str) -> Spanned<String> {
    Spanned::new(text.to_owned(), HERE)
}

/// An interface from its addresses and `key=value`.
fn interface(name: &str, text: &str) -> InterfaceSpec {
    let mut spec = InterfaceSpec::new(word(name));
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("zone", zone)) => spec.zone = Some(word(zone)),
            Some(("vrf", vrf)) => spec.vrf = Some(word(vrf)),
            Some(("access", vlan)) => spec.access = Some(word(vlan)),
            Some(("ipv6", value)) => spec.ipv6 = Some(Spanned::new(value == "on", HERE)),
            Some((key, value)) if key.starts_with("label:") => {
                spec.labels.push((key["label:".len()..].to_owned(), value.to_owned()));
            }
            Some(other) => panic!("{other:?}"),
            None => spec.addresses.push(AddressSpec::new(part.parse().unwrap(), HERE)),
        }
    }
    spec
}

/// A node without IPv6.
fn node(name: &str, role: &str, site: &str, interfaces: &[(&str, &str)]) -> NodeSpec {
    let mut spec = NodeSpec::new(word(name));
    spec.role = Some(word(role));
    spec.kind = Some(word("linux"));
    spec.site = (!site.is_empty()).then(|| word(site));
    spec.ipv6 = Some(Stated::inherited(false, HERE));
    spec.interfaces = interfaces.iter().map(|(name, text)| interface(name, text)).collect();
    spec
}

fn link(ends: &str, transit: Option<&[&str]>) -> LinkSpec {
    let end = |text: &str| match text.split_once(':') {
        Some((node, interface)) => {
            EndSpec::Interface { node: word(node), interface: word(interface), span: HERE }
        }
        None => EndSpec::Internet(HERE),
    };
    let transit = transit.map(|codes| codes.iter().map(|code| word(code)).collect());
    LinkSpec { span: HERE, endpoints: ends.split(' ').map(end).collect(), transit }
}

fn default_route(mut spec: NodeSpec, via: &str) -> NodeSpec {
    let hop = HopSpec { via: Some(Spanned::new(via.parse().unwrap(), HERE)), interface: None };
    let to = Spanned::new(Destination::Default, HERE);
    spec.routes.push(RouteSpec::new(HERE, to, RouteActionSpec::Send(vec![hop])));
    spec
}

/// Two countries behind one line, with a node that stands nowhere, a node at home in two zones, a next hop that
/// nobody described, and a tunnel.
fn network() -> Network {
    let mut builder = NetworkBuilder::new("test");
    for (site, country) in [("gui1", "CN"), ("sin1", "SG"), ("la1", "US-CA"), ("where", "")] {
        let jurisdiction = (!country.is_empty()).then(|| word(country));
        builder.add_site(SiteSpec { name: word(site), jurisdiction });
    }
    let labels = vec![("pci".to_owned(), "cde".to_owned())];
    builder.add_zone(ZoneSpec { name: word("app"), plane: None, labels });
    builder.add_zone(ZoneSpec { name: word("wan"), plane: None, labels: Vec::new() });
    let plane = Some("management".to_owned());
    builder.add_zone(ZoneSpec { name: word("oob"), plane, labels: Vec::new() });
    for (vlan, tag) in [("app", 110), ("edge", 120)] {
        builder.add_vlan(VlanSpec { name: word(vlan), tag: Spanned::new(tag, HERE) });
    }
    builder.add_vrf(VrfSpec { name: word("mgmt") });
    let mut db1 = node("db1", "host", "gui1", &[("eth0", "10.1.0.20/24 zone=app")]);
    db1.labels = vec![("tier".to_owned(), "db".to_owned())];
    let fw = [
        ("eth0", "192.0.2.1/30 zone=wan label:feed=east"),
        ("eth1", "10.1.0.1/24 zone=app"),
        ("mgmt0", "172.20.0.1/24 zone=oob vrf=mgmt"),
        ("tun0", "10.255.0.1/30 zone=wan"),
    ];
    let rtr = [
        ("eth0", "192.0.2.2/30 zone=wan"),
        ("eth1", "198.51.100.1/24 label:pci=cde"),
        ("tun0", "10.255.0.2/30"),
    ];
    let nodes = vec![
        default_route(node("fw", "firewall", "gui1", &fw), "192.0.2.2"),
        default_route(node("rtr", "router", "sin1", &rtr), "198.51.100.77"),
        db1,
        node("lost", "host", "", &[("eth0", "10.1.0.30/24"), ("eth1", "")]),
        node("sw", "switch", "gui1", &[("p1", "access=edge"), ("p2", "access=edge")]),
        node("web1", "host", "gui1", &[("eth0", "10.2.0.10/24 ipv6=on")]),
        node(
            "web2",
            "host",
            "gui1",
            &[("eth0", "10.2.0.11/24 zone=wan"), ("eth1", "10.3.0.1/24 zone=app label:feed=west")],
        ),
        node("ops", "host", "sin1", &[("eth0", "203.0.113.9/24")]),
        node("la", "hsm", "la1", &[("eth0", "2001:db8::1/64")]),
        node("odd", "host", "where", &[("eth0", "2001:db8::2/64")]),
    ];
    nodes.into_iter().for_each(|node| builder.add_node(node));
    builder.add_link(link("fw:eth0 rtr:eth0", Some(&["CN", "HK", "SG"])));
    builder.add_link(link("fw:eth1 db1:eth0 lost:eth0", None));
    builder.add_link(link("sw:p1 web1:eth0", None));
    builder.add_link(link("sw:p2 web2:eth0", None));
    builder.add_link(link("ops:eth0 internet", None));
    builder.add_link(link("la:eth0 odd:eth0", None));
    let tunnel = link("fw:tun0 rtr:tun0", None).endpoints;
    let (name, encapsulation) = (word("t"), word("gre"));
    builder.add_tunnel(TunnelSpec { name, encapsulation, endpoints: tunnel, outer: Vec::new() });
    let mut diagnostics = Diagnostics::default();
    let network = builder.build(&mut diagnostics);
    network.unwrap_or_else(|| panic!("{:?}", diagnostics.sorted()))
}

/// The names of what is selected; segments by what they are called.
fn names(network: &Network, selection: &Selection) -> Vec<String> {
    let nodes = network.nodes.iter().map(|node| node.name.clone()).zip(&selection.nodes);
    let segments = network.segments.iter().map(|segment| format!("[{}]", segment.name));
    let all = nodes.chain(segments.zip(&selection.segments));
    all.filter(|(_, selected)| **selected).map(|(name, _)| name).collect()
}

fn read(network: &Network, text: &str) -> Expr {
    let mut diagnostics = Diagnostics::default();
    let span = Span::new(SourceId(0), 0, text.len());
    let selector = parse(text, span, network, &mut diagnostics);
    selector.unwrap_or_else(|| panic!("{text}: {:?}", diagnostics.sorted())).expr
}

#[test]
fn each_selector_selects_certainly_and_possibly() {
    let network = network();
    let mut out = String::new();
    for text in [
        "any",
        "internet",
        "jurisdiction:CN",
        "not jurisdiction:CN",
        "jurisdiction:US",
        "jurisdiction:US-CA",
        "jurisdiction:US-NY",
        "site:gui1",
        "zone:app",
        "zone:wan",
        "zone:oob",
        "vlan:edge",
        "vrf:mgmt",
        "plane:management",
        "label:pci=cde",
        "label:tier=db",
        "node:db1",
        "role:switch",
        "ip:10.1.0.20",
        "ip:10.1.0.0/16",
        "ip:8.8.8.8",
        "ip:2001:db8:9::/48",
        "site:gui1 and zone:app",
        "not (zone:app or zone:wan)",
    ] {
        let expr = read(&network, text);
        let certain = names(&network, &select(&network, &expr, Reading::Must));
        let mut possible = names(&network, &select(&network, &expr, Reading::May));
        possible.retain(|name| !certain.contains(name));
        let _ =
            writeln!(out, "{text}\n  certainly {}\n  possibly  {}", certain.join(", "), possible.join(", "));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn labels_of_interfaces_select_like_zones() {
    let network = network();
    let selected = |text: &str| {
        let expr = read(&network, text);
        names(&network, &select(&network, &expr, Reading::Must))
    };
    // The firewall has it on one of its interfaces only; the segment has it at one of its ends.
    assert_eq!(selected("label:feed=east"), ["[fw:eth0 – rtr:eth0]"]);
    assert_eq!(selected("label:feed=west"), ["web2", "[web2:eth1]"]);
    let cde = selected("label:pci=cde");
    assert!(cde.contains(&"[rtr:eth1]".to_owned()) && !cde.contains(&"rtr".to_owned()), "{cde:?}");
    assert!(cde.contains(&"db1".to_owned()), "zones keep theirs: {cde:?}");
}

#[test]
fn not_binds_tighter_than_and_and_and_tighter_than_or() {
    let network = network();
    let same = |a: &str, b: &str| assert_eq!(read(&network, a), read(&network, b));
    same("not any and any or internet", "((not any) and any) or internet");
    same("any or internet and not any", "any or (internet and (not any))");
    same("  ( any )", "any");
}

#[test]
fn what_is_wrong_with_a_selector_has_its_place() {
    let network = network();
    let mut out = String::new();
    for text in [
        "",
        "jurisdiction:XX or jurisdiction:UK or jurisdiction:cn",
        "zone:ap and node:db2 or role:hsn",
        "site:gui and vlan:edg and vrf:mgnt and plane:managment and label:pci=cd and label:x",
        "zoen:app",
        "CN",
        "db1 and any",
        "any && internet",
        "any internet",
        "any not internet",
        "(any or internet",
        "any)",
        "any and",
        "not",
        "zone: app",
        "service:pg or store:hsm",
        "ip:10.0.0.300 or ip:10.0.0.1/8 or ip:web",
        "AND",
        "!zone:app",
        "zone:app\u{1}",
    ] {
        let mut map = SourceMap::default();
        let source = map.add("t.yaml", format!("to: \"{text}\"\n"));
        let span = Span::new(source, 5, 5 + text.len());
        let mut diagnostics = Diagnostics::default();
        assert!(parse(text, span, &network, &mut diagnostics).is_none());
        let _ = writeln!(out, "{}", text.escape_debug());
        for found in diagnostics.sorted() {
            let at = found.span.unwrap();
            let shown = map.text(at).escape_debug().to_string();
            let column = map.position(at).column;
            let _ = writeln!(out, "  {column} `{shown}` [{}]: {}", found.code.id(), found.message);
            let _ = writeln!(out, "      help: {}", found.help.unwrap_or_default());
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn nesting_is_bounded_and_a_scalar_with_escapes_is_one_place() {
    let network = network();
    let deep = format!("{}any{}", "(".repeat(100_000), ")".repeat(100_000));
    for text in [deep.as_str(), &"not ".repeat(100_000), "zone:ap"] {
        let span = Span::new(SourceId(0), 3, 9);
        let mut diagnostics = Diagnostics::default();
        assert!(parse(text, span, &network, &mut diagnostics).is_none());
        assert_eq!(diagnostics.sorted()[0].span, Some(span));
    }
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        Just(Expr::Any),
        Just(Expr::Internet),
        prop::sample::select(vec!["CN", "SG", "US", "US-CA"])
            .prop_map(|code| Expr::Jurisdiction(code.to_owned())),
        (0..4_u32).prop_map(|id| Expr::Site(SiteId(id))),
        (0..3_u32).prop_map(|id| Expr::Zone(ZoneId(id))),
        (0..13_u32).prop_map(|id| Expr::Node(NodeId(id))),
        Just(Expr::Role("host".to_owned())),
        (0..2_u32).prop_map(|id| Expr::Vlan(VlanId(id))),
        Just(Expr::Vrf(VrfId(0))),
        Just(Expr::Label("pci".to_owned(), "cde".to_owned())),
        Just(Expr::Plane("management".to_owned())),
        prop::sample::select(vec!["10.0.0.0/8", "10.1.0.20/32", "0.0.0.0/0", "2001:db8::/32"])
            .prop_map(|net| Expr::Ip(net.parse().unwrap())),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

/// Both kinds of place as one list, with whether it certainly exists.
fn all(network: &Network, selection: &Selection) -> Vec<(bool, bool)> {
    let nodes = network.nodes.iter().map(|node| node.existence).zip(&selection.nodes);
    let segments = network.segments.iter().map(|segment| segment.existence).zip(&selection.segments);
    nodes
        .chain(segments)
        .map(|(existence, selected)| (existence == Existence::Described, *selected))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_certain_is_possible_and_not_swaps_the_readings(expr in expr()) {
        let network = network();
        let not = Expr::Not(Box::new(expr.clone()));
        let must = all(&network, &select(&network, &expr, Reading::Must));
        let may = all(&network, &select(&network, &expr, Reading::May));
        let must_not = all(&network, &select(&network, &not, Reading::Must));
        let may_not = all(&network, &select(&network, &not, Reading::May));
        for place in 0..must.len() {
            let (exists, certain) = must[place];
            prop_assert!(!certain || may[place].1);
            prop_assert!(exists || !certain, "what may be missing is never certain");
            if exists {
                prop_assert_eq!(certain, !may_not[place].1);
                prop_assert_eq!(may[place].1, !must_not[place].1);
            }
        }
    }

    #[test]
    fn and_or_and_double_negation_are_those_of_sets(a in expr(), b in expr()) {
        let network = network();
        for reading in [Reading::May, Reading::Must] {
            let of = |expr: &Expr| all(&network, &select(&network, expr, reading));
            let (own, other) = (of(&a), of(&b));
            let both = of(&Expr::And(vec![a.clone(), b.clone()]));
            let either = of(&Expr::Or(vec![a.clone(), b.clone()]));
            for place in 0..own.len() {
                prop_assert_eq!(both[place].1, own[place].1 && other[place].1);
                prop_assert_eq!(either[place].1, own[place].1 || other[place].1);
            }
            let twice = Expr::Not(Box::new(Expr::Not(Box::new(a.clone()))));
            prop_assert_eq!(of(&twice), own);
        }
    }

    #[test]
    fn any_text_is_read_without_panic_and_errors_are_inside(text in "[a-z:(){}=,/.0-9 é\u{1}]{0,80}") {
        let network = network();
        let span = Span::new(SourceId(0), 0, text.len());
        let mut diagnostics = Diagnostics::default();
        let read = parse(&text, span, &network, &mut diagnostics);
        prop_assert_eq!(read.is_none(), diagnostics.has_errors());
        for found in diagnostics.sorted() {
            let at = found.span.unwrap();
            prop_assert!(text.get(at.start as usize..at.end as usize).is_some());
        }
    }
}
