//! A terse way to write specifications. Every value gets a place of its own, so that places can be compared.

use crate::diag::{Diagnostic, Diagnostics};
use crate::model::build::*;
use crate::model::{InterfaceId, Network, NodeId, Segment, SegmentId};
use crate::source::{SourceId, Span, Spanned};
use std::cell::Cell;

thread_local! {
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

/// A place that nothing else has.
pub(super) fn place() -> Span {
    NEXT.with(|next| {
        let at = next.replace(next.get() + 10);
        Span::new(SourceId(0), at, at + 5)
    })
}

pub(super) fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(value, place())
}

pub(super) fn word(text: &str) -> Spanned<String> {
    at(text.to_owned())
}

/// An interface from words: addresses, and `key=value` for the VLAN words, `zone`, `vrf`, `ipv6` and
/// `master`.
pub(super) fn interface(name: &str, text: &str) -> InterfaceSpec {
    let mut spec = InterfaceSpec::new(word(name));
    for part in text.split_whitespace() {
        match part.split_once('=') {
            None => spec.addresses.push(AddressSpec::new(part.parse().unwrap(), place())),
            Some(("zone", value)) => spec.zone = Some(word(value)),
            Some(("vrf", value)) => spec.vrf = Some(word(value)),
            Some(("vlan", value)) => spec.vlan = Some(word(value)),
            Some(("access", value)) => spec.access = Some(word(value)),
            Some(("native", value)) => spec.native = Some(word(value)),
            Some(("master", value)) => spec.master = Some(word(value)),
            Some(("ipv6", value)) => spec.ipv6 = Some(at(value == "on")),
            Some(("trunk", "auto")) => spec.trunk = Some(TrunkSpec::Auto(place())),
            Some(("trunk", value)) => {
                spec.trunk = Some(TrunkSpec::Vlans(value.split(',').map(word).collect()));
            }
            Some(other) => panic!("{other:?}"),
        }
    }
    spec
}

/// A Linux node without IPv6 where it has no IPv6 address, from `name: text` for each interface.
pub(super) fn node(role: &str, name: &str, interfaces: &[(&str, &str)]) -> NodeSpec {
    let mut spec = NodeSpec::new(word(name));
    spec.role = Some(word(role));
    spec.kind = Some(word("linux"));
    spec.ipv6 = Some(Stated::inherited(false, place()));
    spec.interfaces = interfaces.iter().map(|(name, text)| interface(name, text)).collect();
    spec
}

/// A node with routes from `PREFIX VIA…`, `PREFIX blackhole` or `PREFIX unreachable`, each perhaps with
/// `vrf=NAME`.
pub(super) fn routed(mut spec: NodeSpec, routes: &[&str]) -> NodeSpec {
    spec.routes.extend(routes.iter().map(|text| route(text)));
    spec
}

pub(super) fn route(text: &str) -> RouteSpec {
    let mut words = text.split_whitespace();
    let to = match words.next().unwrap() {
        "default" => Destination::Default,
        prefix => Destination::Prefix(prefix.parse().unwrap()),
    };
    let mut spec = RouteSpec::new(place(), at(to), RouteActionSpec::Send(Vec::new()));
    for word_ in words {
        match (word_, word_.split_once('=')) {
            ("blackhole", _) => spec.action = RouteActionSpec::Blackhole,
            ("unreachable", _) => spec.action = RouteActionSpec::Unreachable,
            (_, Some(("vrf", name))) => spec.table = TableName::Vrf(name.to_owned()),
            (_, Some(("metric", number))) => spec.metric = number.parse().unwrap(),
            (_, Some(("dev", name))) => {
                let RouteActionSpec::Send(hops) = &mut spec.action else { panic!("{text}") };
                match hops.last_mut() {
                    Some(hop) => hop.interface = Some(word(name)),
                    None => hops.push(HopSpec { via: None, interface: Some(word(name)) }),
                }
            }
            (via, _) => {
                let RouteActionSpec::Send(hops) = &mut spec.action else { panic!("{text}") };
                hops.push(HopSpec { via: Some(at(via.parse().unwrap())), interface: None });
            }
        }
    }
    spec
}

pub(super) fn end(text: &str) -> EndSpec {
    match text.split_once(':') {
        None => EndSpec::Internet(place()),
        Some((node, interface)) => {
            EndSpec::Interface { node: word(node), interface: word(interface), span: place() }
        }
    }
}

/// A link from its ends, and after `via` the countries that it crosses.
pub(super) fn link(text: &str) -> LinkSpec {
    let (ends, transit) = match text.split_once(" via ") {
        Some((ends, countries)) => (ends, Some(countries.split_whitespace().map(word).collect())),
        None => (text, None),
    };
    LinkSpec { span: place(), endpoints: ends.split_whitespace().map(end).collect(), transit }
}

/// A builder with some sites, zones, VLANs and VRFs to name.
pub(super) fn builder(nodes: Vec<NodeSpec>, links: &[&str]) -> NetworkBuilder {
    let mut builder = NetworkBuilder::new("test");
    for (site, country) in [("gui1", "CN"), ("sin1", "SG")] {
        builder.add_site(SiteSpec { name: word(site), jurisdiction: Some(word(country)) });
    }
    for zone in ["app", "wan"] {
        builder.add_zone(ZoneSpec { name: word(zone), plane: None, labels: Vec::new() });
    }
    for (vlan, tag) in [("app", 110), ("edge", 120), ("old", 130)] {
        builder.add_vlan(VlanSpec { name: word(vlan), tag: at(tag) });
    }
    builder.add_vrf(VrfSpec { name: word("mgmt") });
    for node in nodes {
        builder.add_node(node);
    }
    for text in links {
        builder.add_link(link(text));
    }
    builder
}

/// The network, which must be sound.
pub(super) fn network(builder: NetworkBuilder) -> Network {
    let mut found = Diagnostics::default();
    let network = builder.build(&mut found);
    network.unwrap_or_else(|| panic!("{:#?}", found.sorted()))
}

/// What is wrong, in the order of the places. Errors must come without a network.
pub(super) fn wrong(builder: NetworkBuilder) -> Vec<Diagnostic> {
    let mut found = Diagnostics::default();
    let network = builder.build(&mut found);
    assert_eq!(network.is_none(), found.has_errors());
    found.sorted()
}

/// What the tests ask of a network by names.
pub(super) trait Named {
    fn id(&self, node: &str) -> NodeId;
    fn at(&self, name: &str) -> InterfaceId;
    fn segment_at(&self, name: &str) -> SegmentId;
    fn names(&self, ids: &[InterfaceId]) -> Vec<String>;
    /// Each segment as `attached | ports`.
    fn shapes(&self) -> Vec<String>;
    /// Whether something put on the first may get to the second.
    fn may_join(&self, from: &str, to: &str) -> bool;
}

impl Named for Network {
    fn id(&self, node: &str) -> NodeId {
        self.nodes_by_id().find(|(_, n)| n.name == node).map(|(id, _)| id).unwrap()
    }

    fn at(&self, name: &str) -> InterfaceId {
        let ids = (0..self.interfaces.len()).map(InterfaceId::at);
        ids.into_iter().find(|id| self.interface_name(*id) == name).unwrap()
    }

    fn segment_at(&self, name: &str) -> SegmentId {
        self.interface(self.at(name)).segment.unwrap()
    }

    fn names(&self, ids: &[InterfaceId]) -> Vec<String> {
        ids.iter().map(|id| self.interface_name(*id)).collect()
    }

    fn shapes(&self) -> Vec<String> {
        let shape = |segment: &Segment| {
            format!("{} | {}", self.names(&segment.attached).join(" "), self.names(&segment.ports).join(" "))
        };
        self.segments.iter().map(|segment| shape(segment).trim().to_owned()).collect()
    }

    fn may_join(&self, from: &str, to: &str) -> bool {
        let (from, to) = (self.segment_at(from), self.segment_at(to));
        let mut open = vec![from];
        let mut seen = vec![from];
        while let Some(next) = open.pop() {
            for join in &self.segment(next).joins {
                if !seen.contains(&join.to) {
                    seen.push(join.to);
                    open.push(join.to);
                }
            }
        }
        from != to && seen.contains(&to)
    }
}
