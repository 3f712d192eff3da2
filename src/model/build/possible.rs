//! What nobody described but what may be there: who wraps packets for tunnels, who sits at next hops
//! (SEMANTICS.md sections 1.6 and 3.9).

use super::link::Wiring;
use super::names::visible;
use super::work::Work;
use crate::model::{
    Address, Existence, Fact, Kind, NextHop, NodeId, Role, Segment, SegmentId, Transit, TunnelId, UnknownId,
};
use crate::source::Span;
use ipnet::IpNet;
use rustc_hash::FxHashSet;
use std::net::IpAddr;

/// The role of places that nobody described.
const UNDESCRIBED: &str = "undescribed";

/// Each tunnel as a segment that may be there, with whoever can wrap packets for it.
pub(super) fn make_tunnels(work: &mut Work, wiring: &Wiring) {
    let tunnels: Vec<(Span, String)> =
        work.tunnels.iter().map(|tunnel| (tunnel.name.span, visible(&tunnel.name.value))).collect();
    for (index, ((span, name), ends)) in tunnels.into_iter().zip(&wiring.tunnels).enumerate() {
        let what = format!("what gets into tunnel `{name}`, and which lines its outer packets cross");
        let unknown =
            work.unknown(what, span, format!("a link between the ends in place of tunnel `{name}`"));
        let segment = SegmentId::at(work.network.segments.len());
        work.network.segments.push(Segment {
            name: format!("tunnel {name}"),
            span,
            attached: Vec::new(),
            ports: Vec::new(),
            transit: Transit::Unknown(Vec::new(), unknown),
            lines: Vec::new(),
            vlan: None,
            existence: Existence::Possible(unknown),
            tunnel: Some(TunnelId::at(index)),
            joins: Vec::new(),
        });
        let mut ends = ends.clone();
        ends.sort_unstable();
        for end in ends {
            work.attach(end, segment);
        }
        let wrapper = format!("anyone who can wrap packets for tunnel {name}");
        add_possible(work, wrapper, span, unknown, segment, None);
    }
}

/// A node that may be there, attached to a segment. It is an exit and a source.
fn add_possible(
    work: &mut Work,
    name: String,
    span: Span,
    unknown: UnknownId,
    segment: SegmentId,
    address: Option<IpAddr>,
) -> NodeId {
    let role = Role::Other(UNDESCRIBED.to_owned());
    let node = work.add_node(name, span, role, Existence::Possible(unknown));
    work.network.nodes[node.index()].forwarding = [Fact::Unknown(unknown); 2];
    let interface = work.add_interface(node, "link1".to_owned(), span);
    work.network.interfaces[interface.index()].ipv6 = Fact::Yes;
    let own = address.map(|address| Address { net: IpNet::from(address), span });
    work.network.interfaces[interface.index()].addresses.extend(own);
    work.attach(interface, segment);
    node
}

/// A double for each node that may do anything with packets: it may be there, hears what the node hears on the
/// same segments under the same addresses, and like everybody who may be there sends anything.
pub(super) fn add_doubles(work: &mut Work) {
    doubt_translations(work);
    let havoc: Vec<(NodeId, UnknownId)> = work
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(index, spec)| Some((NodeId::at(index), spec.havoc?)))
        .collect();
    for (node, unknown) in havoc {
        let original = work.network.node(node).clone();
        let name = format!("whatever {} makes of packets", original.name);
        let double = work.add_node(name, original.span, original.role, Existence::Possible(unknown));
        work.network.nodes[double.index()].site = original.site;
        work.network.nodes[double.index()].labels = original.labels;
        for id in original.interfaces {
            let own = work.network.interface(id).clone();
            let Some(segment) = own.segment else { continue };
            let twin = work.add_interface(double, own.name, own.span);
            let interface = &mut work.network.interfaces[twin.index()];
            interface.addresses = own.addresses;
            interface.ipv6 = own.ipv6;
            (interface.zone, interface.vrf, interface.vlan) = (own.zone, own.vrf, own.vlan);
            interface.labels = own.labels;
            work.attach(twin, segment);
        }
    }
}

/// A device of which nobody knows the kind may filter before it translates or behind, and may let strangers use the
/// bindings of its translations (RFC 4787 section 5); so it may do anything with what reaches it.
fn doubt_translations(work: &mut Work) {
    for index in 0..work.nodes.len() {
        let node = work.network.node(NodeId::at(index));
        if node.kind == Kind::Linux || node.translating.is_empty() || work.nodes[index].havoc.is_some() {
            continue;
        }
        let what = format!("how {} filters and translates: nothing is known of its `kind`", node.name);
        let span = node.span;
        work.nodes[index].havoc = Some(work.unknown(what, span, "`kind: linux`, if that is what it runs"));
    }
}

/// Makes sure that somebody has the address of each next hop.
pub(super) struct Neighbours {
    /// Who has an address on a segment.
    owned: FxHashSet<(SegmentId, IpAddr)>,
    /// Segments where the built-in place has every address.
    internet: FxHashSet<SegmentId>,
    /// Next hops that nobody has, in the order found: where, who sends to it first, and by which route.
    missing: Vec<(SegmentId, IpAddr, NodeId, Span)>,
}

impl Neighbours {
    pub(super) fn new(work: &Work) -> Neighbours {
        let mut found =
            Neighbours { owned: FxHashSet::default(), internet: FxHashSet::default(), missing: Vec::new() };
        for interface in &work.network.interfaces {
            let Some(segment) = interface.segment else { continue };
            found.owned.extend(interface.addresses.iter().map(|address| (segment, address.net.addr())));
            if work.network.node(interface.node).role == Role::Internet {
                found.internet.insert(segment);
            }
        }
        found
    }

    /// Notes a next hop of a node's route.
    pub(super) fn note(&mut self, work: &Work, node: NodeId, hop: &NextHop, span: Span) {
        let (Some(via), Some(segment)) = (hop.via, work.network.interface(hop.interface).segment) else {
            return;
        };
        if !self.internet.contains(&segment) && self.owned.insert((segment, via)) {
            self.missing.push((segment, via, node, span));
        }
    }

    /// Adds those that nobody described.
    pub(super) fn add_missing(self, work: &mut Work) {
        for (segment, via, node, span) in self.missing {
            let what = format!("who answers at {via}, the next hop of `{}`", work.node_label(node));
            let settle = format!(
                "a node with the address {via}, or the endpoint `internet` on the link {}",
                work.network.segment(segment).name
            );
            let unknown = work.unknown(what, span, settle);
            add_possible(work, format!("{UNDESCRIBED} {via}"), span, unknown, segment, Some(via));
        }
    }
}
