//! A network as one reading sees it, with the question that is asked of it.

use super::Question;
use super::translate::Values;
use crate::claim::Door;
use crate::header::Family;
use crate::model::{Assumption, Existence, FilterId, InterfaceId, Network, NodeId, Reading, SegmentId};
use ipnet::IpNet;
use std::cell::OnceCell;
use std::net::IpAddr;

/// A network in a reading. What [`Existence::Possible`] marks is there on *may* only.
#[derive(Debug)]
pub struct View<'a> {
    /// The network.
    pub network: &'a Network,
    /// The reading.
    pub reading: Reading,
    /// What is asked.
    pub question: &'a Question,
    /// Whether the doors of [`Question::cut`] are closed. They are for packets that count, and open for those
    /// that only open connections (SEMANTICS.md section 6, `only-via`: sessions kept).
    pub doors_closed: bool,
    /// What translations choose from that are free to choose; `None` is a choice that stands for the others.
    pub values: Option<Values>,
    // Of a large network a walk meets few nodes, so these are found out when they are asked for.
    tracks: Vec<OnceCell<bool>>,
    rejects: Vec<OnceCell<bool>>,
}

impl<'a> View<'a> {
    /// The network in a reading, with open doors.
    pub fn new(network: &'a Network, reading: Reading, question: &'a Question) -> View<'a> {
        let unknown = vec![OnceCell::new(); network.nodes.len()];
        View {
            network,
            reading,
            question,
            doors_closed: false,
            values: None,
            tracks: unknown.clone(),
            rejects: unknown,
        }
    }

    /// The same with the doors closed or open.
    pub fn with_doors_closed(mut self, closed: bool) -> View<'a> {
        self.doors_closed = closed;
        self
    }

    /// The same, with translations that choose from these values.
    pub fn choosing(mut self, values: Values) -> View<'a> {
        self.values = Some(values);
        self
    }

    /// Whether a node translates addresses at all.
    pub fn translates(&self, node: NodeId) -> bool {
        !self.network.node(node).translating.is_empty()
    }

    /// Whether everything that could happen is asked for.
    pub fn is_may(&self) -> bool {
        self.reading == Reading::May
    }

    /// Whether the node is there.
    pub fn node_exists(&self, id: NodeId) -> bool {
        self.exists(self.network.node(id).existence)
    }

    /// Whether the segment is there.
    pub fn segment_exists(&self, id: SegmentId) -> bool {
        self.exists(self.network.segment(id).existence)
    }

    fn exists(&self, existence: Existence) -> bool {
        match existence {
            Existence::Described => true,
            Existence::Possible(_) => self.is_may(),
        }
    }

    /// Interfaces attached to a segment whose node is there, in order.
    pub fn attached(&self, segment: SegmentId) -> impl Iterator<Item = InterfaceId> + '_ {
        let all = self.network.segment(segment).attached.iter().copied();
        all.filter(|id| self.node_exists(self.network.interface(*id).node))
    }

    /// The segment of an interface, if it has one that is there.
    pub fn segment_of(&self, interface: InterfaceId) -> Option<SegmentId> {
        self.network.interface(interface).segment.filter(|segment| self.segment_exists(*segment))
    }

    /// Whether the interface handles packets of the family at all.
    pub fn speaks(&self, interface: InterfaceId, family: Family) -> bool {
        match family {
            Family::V4 => true,
            Family::V6 => self.network.interface(interface).ipv6.holds(self.reading),
        }
    }

    /// Whether the interface has the address.
    pub fn has_address(&self, interface: InterfaceId, address: IpAddr) -> bool {
        self.network.interface(interface).addresses.iter().any(|own| own.net.addr() == address)
    }

    /// Whether the address may be that of a host on the segment that nobody described: it fits a prefix there, and no
    /// interface there has it.
    pub fn may_be_undescribed(&self, segment: SegmentId, address: IpAddr) -> bool {
        let attached = &self.network.segment(segment).attached;
        let fits = |net: IpNet| {
            let names_the_net = match net {
                IpNet::V4(net) => {
                    net.prefix_len() < 31 && (address == net.network() || address == net.broadcast())
                }
                IpNet::V6(_) => false,
            };
            net.contains(&address) && !names_the_net
        };
        let mut prefixes = attached.iter().flat_map(|i| &self.network.interface(*i).addresses);
        prefixes.any(|own| fits(own.net)) && !attached.iter().any(|i| self.has_address(*i, address))
    }

    /// Whether the address is one of the node's own, on any of its interfaces (weak host model).
    pub fn is_own(&self, node: NodeId, address: IpAddr) -> bool {
        self.network.own_addresses(node).any(|own| own == address)
    }

    /// Whether the address is the broadcast address of a prefix of the node. Prefixes of one or two addresses have none
    /// (RFC 3021).
    pub fn is_own_broadcast(&self, node: NodeId, address: IpAddr) -> bool {
        self.broadcasting(node, address).next().is_some()
    }

    /// The interfaces of the node that have a prefix with this broadcast address.
    pub fn broadcasting(&self, node: NodeId, address: IpAddr) -> impl Iterator<Item = InterfaceId> + '_ {
        let is_its = move |id: &InterfaceId| {
            let mut nets = self.network.interface(*id).addresses.iter().map(|own| own.net);
            nets.any(|net| net.addr().is_ipv4() && net.prefix_len() <= 30 && net.broadcast() == address)
        };
        self.network.node(node).interfaces.iter().copied().filter(is_its)
    }

    /// Whether the node sends with this address as its own: it has it, on an interface that speaks its family.
    pub fn sends_as(&self, node: NodeId, address: IpAddr) -> bool {
        let interfaces = &self.network.node(node).interfaces;
        interfaces.iter().any(|i| self.has_address(*i, address) && self.speaks(*i, Family::of(address)))
    }

    /// Whether the adversary holds the node.
    pub fn is_adversary(&self, node: NodeId) -> bool {
        self.question.adversary_nodes.contains(&node)
    }

    /// Whether the adversary can draw packets on this segment to any interface (forged ARP).
    pub fn can_forge_neighbours(&self, segment: SegmentId) -> bool {
        self.question.adversary_segments.contains(&segment)
            && !self.network.assumes(Assumption::StaticNeighbours)
    }

    /// Whether the node forwards packets of the family (SEMANTICS.md section 2.6).
    pub fn forwards(&self, node: NodeId, family: Family) -> bool {
        self.network.forwards(node, family, self.reading)
    }

    /// Whether the node tracks connections: some filter on it does.
    pub fn tracks(&self, node: NodeId) -> bool {
        let hooks = || self.network.hooks(node);
        let tracks = || hooks().iter().any(|hook| self.network.filter(hook.filter).tracks);
        *self.tracks[node.index()].get_or_init(tracks)
    }

    /// Whether some filter of the node rejects anything at all.
    pub fn rejects(&self, node: NodeId) -> bool {
        *self.rejects[node.index()].get_or_init(|| self.network.rejects(node))
    }

    /// Whether the interface is a closed door.
    pub fn is_closed_interface(&self, interface: InterfaceId) -> bool {
        self.doors_closed && self.question.cut.contains(&Door::Interface(interface))
    }

    /// Whether the rule is a closed door, and so not there.
    pub fn is_closed_rule(&self, filter: FilterId, chain: usize, rule: usize) -> bool {
        self.doors_closed && self.question.cut.contains(&Door::Rule { filter, chain, rule })
    }
}
