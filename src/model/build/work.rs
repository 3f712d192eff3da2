//! The network under construction, and the description beside it.

use super::NetworkBuilder;
use super::names::{Findings, Registry, visible};
use super::spec::{
    Cabling, InterfaceSpec, LinkSpec, NodeSpec, SiteSpec, TunnelSpec, VlanSpec, VrfSpec, ZoneSpec,
};
use crate::diag::Diagnostics;
use crate::model::{
    Address, Antispoof, Existence, Fact, Interface, InterfaceId, Kind, Network, Node, NodeId, Role,
    SegmentId, Unknown, UnknownId, VlanId,
};
use crate::source::{Span, Spanned};
use rustc_hash::FxHashMap;

/// Everything that the steps of the builder share. The first nodes and interfaces of the network are those of
/// the description, so the numbers of both are positions in the lists of specifications too.
pub(super) struct Work {
    pub(super) network: Network,
    pub(super) findings: Findings,
    /// The nodes as described, without their interfaces.
    pub(super) nodes: Vec<NodeSpec>,
    /// The interfaces as described.
    pub(super) interfaces: Vec<InterfaceSpec>,
    /// Who has which name; the specifications themselves are taken out of it.
    pub(super) node_names: Registry<NodeSpec>,
    pub(super) interface_names: FxHashMap<(NodeId, String), InterfaceId>,
    pub(super) cabling: Cabling,
    pub(super) sites: Registry<SiteSpec>,
    pub(super) zones: Registry<ZoneSpec>,
    pub(super) vlans: Registry<VlanSpec>,
    pub(super) vrfs: Registry<VrfSpec>,
    pub(super) links: Vec<LinkSpec>,
    pub(super) tunnels: Vec<TunnelSpec>,
    pub(super) vlan_of_tag: FxHashMap<u16, VlanId>,
}

impl Work {
    pub(super) fn new(builder: NetworkBuilder, findings: Findings) -> Work {
        let mut builder = builder;
        let network = Network {
            name: builder.name,
            sites: Vec::new(),
            zones: Vec::new(),
            vlans: Vec::new(),
            vrfs: Vec::new(),
            nodes: Vec::new(),
            interfaces: Vec::new(),
            segments: Vec::new(),
            filters: builder.filters,
            unknowns: builder.unknowns,
            assumptions: builder.assumptions,
            ledger: builder.ledger,
            sealed: crate::model::network::Sealed(()),
        };
        Work {
            network,
            findings,
            nodes: builder.nodes.take(),
            interfaces: Vec::new(),
            node_names: builder.nodes,
            interface_names: FxHashMap::default(),
            cabling: builder.cabling,
            sites: builder.sites,
            zones: builder.zones,
            vlans: builder.vlans,
            vrfs: builder.vrfs,
            links: builder.links,
            tunnels: builder.tunnels.take(),
            vlan_of_tag: FxHashMap::default(),
        }
    }

    /// The network, if nothing forbids it.
    pub(super) fn finish(self, out: &mut Diagnostics) -> Option<Network> {
        let sound = !self.findings.has_errors();
        out.append(self.findings.into_diagnostics());
        sound.then_some(self.network)
    }

    pub(super) fn unknown(
        &mut self,
        what: impl Into<String>,
        span: Span,
        settle: impl Into<String>,
    ) -> UnknownId {
        self.network.unknowns.push(Unknown { what: what.into(), span: Some(span), settle: settle.into() });
        UnknownId::at(self.network.unknowns.len() - 1)
    }

    /// Adds a node that has nothing yet.
    pub(super) fn add_node(&mut self, name: String, span: Span, role: Role, existence: Existence) -> NodeId {
        self.network.nodes.push(Node {
            name,
            span,
            role,
            kind: Kind::Linux,
            site: None,
            labels: Vec::new(),
            interfaces: Vec::new(),
            forwarding: [Fact::No; 2],
            lookup: Vec::new(),
            tables: Vec::new(),
            prerouting: Vec::new(),
            translating: crate::model::Translating::default(),
            sets: None,
            input: Vec::new(),
            forward: Vec::new(),
            output: Vec::new(),
            early_output: Vec::new(),
            late_output: Vec::new(),
            rerouting: Vec::new(),
            source_routing: Fact::No,
            multicast_forwarding: Fact::No,
            dynamic_routes: None,
            existence,
        });
        NodeId::at(self.network.nodes.len() - 1)
    }

    /// Adds an interface of a node that takes every source and has nothing else yet.
    pub(super) fn add_interface(&mut self, node: NodeId, name: String, span: Span) -> InterfaceId {
        let id = InterfaceId::at(self.network.interfaces.len());
        self.network.interfaces.push(Interface {
            node,
            name,
            span,
            addresses: Vec::new(),
            labels: Vec::new(),
            zone: None,
            vrf: None,
            vlan: None,
            segment: None,
            antispoof: [Antispoof::Off; 2],
            ipv6: Fact::No,
            ingress: Vec::new(),
            egress: Vec::new(),
        });
        self.network.nodes[node.index()].interfaces.push(id);
        id
    }

    /// Attaches an interface to a segment.
    pub(super) fn attach(&mut self, interface: InterfaceId, segment: SegmentId) {
        self.network.interfaces[interface.index()].segment = Some(segment);
        self.network.segments[segment.index()].attached.push(interface);
    }

    pub(super) fn interface(&self, node: NodeId, name: &str) -> Option<InterfaceId> {
        self.interface_names.get(&(node, name.to_owned())).copied()
    }

    /// The interfaces of a node with their addresses, for those that have a segment.
    pub(super) fn attached_addresses(
        &self,
        node: NodeId,
    ) -> impl Iterator<Item = (InterfaceId, SegmentId, &Address)> {
        self.network.node(node).interfaces.iter().flat_map(|id| {
            let interface = self.network.interface(*id);
            let addresses = interface.segment.map(|segment| (segment, interface.addresses.iter()));
            addresses
                .into_iter()
                .flat_map(move |(segment, all)| all.map(move |address| (*id, segment, address)))
        })
    }

    /// `node:interface` of an interface that may be printed.
    pub(super) fn label(&self, id: InterfaceId) -> String {
        visible(&self.network.interface_name(id))
    }

    /// The name of a node that may be printed.
    pub(super) fn node_label(&self, id: NodeId) -> String {
        visible(&self.network.node(id).name)
    }

    /// The VLAN that a word names: its number and tag.
    pub(super) fn vlan(&mut self, name: &Spanned<String>) -> Option<(VlanId, u16)> {
        let position = self.vlans.resolve(name, &mut self.findings)?;
        Some((VlanId::at(position), self.vlans.items().get(position)?.tag.value))
    }
}
