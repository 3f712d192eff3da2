//! Which devices and segments a counterexample needs, and what its packets do there.

use super::{Expected, Obstacle, Sight};
use crate::header::Packet;
use crate::model::{Existence, InterfaceId, Kind, Network, NodeId, Role, SegmentId};
use crate::verdict::{Finding, Hop, Leg, Sender};
use std::collections::{BTreeMap, BTreeSet};

/// Devices and interfaces that a machine is asked to hold.
const MOST_NODES: usize = 64;
const MOST_INTERFACES: usize = 512;

/// Bytes of a name that Linux gives to an interface (`IFNAMSIZ`, less the one behind it).
const LONGEST_NAME: usize = 15;

/// Who sends a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A node, by its own routes and rules.
    Own(NodeId),
    /// A node of the adversary, by this interface, past its own rules.
    Node(NodeId, InterfaceId),
    /// Somebody on a segment.
    Segment(SegmentId),
}

/// A packet and its way.
pub(super) struct Way<'f> {
    pub(super) leg: &'f Leg,
    pub(super) origin: Origin,
    /// The interface that the first device on the way receives it on, unless it arrives on the first segment already.
    pub(super) receiver: Option<InterfaceId>,
    /// The packet in each form that it has on its way.
    pub(super) forms: Vec<Packet>,
}

/// Everything that is set up.
pub(super) struct Stage<'f> {
    pub(super) network: &'f Network,
    pub(super) ways: Vec<Way<'f>>,
    /// The devices on the ways, each with a namespace.
    pub(super) nodes: Vec<NodeId>,
    /// Those among them whose own rules do not bind what they send, and that process nothing.
    pub(super) adversaries: BTreeSet<NodeId>,
    /// The segments that they are attached to.
    pub(super) segments: Vec<SegmentId>,
    /// Next hops that were told, where several are equal.
    pub(super) chosen: BTreeSet<(NodeId, InterfaceId)>,
}

impl<'f> Stage<'f> {
    pub(super) fn of(network: &'f Network, finding: &'f Finding) -> Result<Stage<'f>, Obstacle> {
        let names = Names::of(network);
        let mut stage = Stage {
            network,
            ways: Vec::new(),
            nodes: Vec::new(),
            adversaries: BTreeSet::new(),
            segments: Vec::new(),
            chosen: BTreeSet::new(),
        };
        let mut nodes = BTreeSet::new();
        for leg in &finding.legs {
            let way = names.way(leg)?;
            if let Origin::Node(node, _) = way.origin {
                stage.adversaries.insert(node);
            }
            for (index, hop) in leg.hops.iter().enumerate().filter(|(_, hop)| !hop.is_segment) {
                let node = names.node(&hop.place)?;
                nodes.insert(node);
                if let Some(sends) = &hop.outgoing {
                    stage.chosen.insert((node, names.interface(node, sends)?));
                }
                let passes = index > 0 && hop.outgoing.is_some();
                stage.check(node, passes)?;
            }
            stage.ways.push(way);
        }
        stage.nodes.extend(nodes);
        stage.attach()?;
        Ok(stage)
    }

    /// Refuses a device of which no namespace can be made.
    fn check(&self, id: NodeId, passes: bool) -> Result<(), Obstacle> {
        let node = self.network.node(id);
        let name = &node.name;
        if let Kind::Unknown(kind) = &node.kind {
            return Err(Obstacle::new(
                format!("{name} is of kind `{kind}`, and this is Linux"),
                Some(node.span),
            ));
        }
        if node.existence != Existence::Described {
            return Err(Obstacle::new(format!("nobody described {name}"), Some(node.span)));
        }
        if node.role == Role::Internet && passes {
            return Err(Obstacle::new("the packets cross the internet, which fits on no machine", None));
        }
        Ok(())
    }

    /// Finds the segments of the devices, and refuses what cannot be wired.
    fn attach(&mut self) -> Result<(), Obstacle> {
        if self.nodes.len() > MOST_NODES {
            let what =
                format!("{} devices are on the way; at most {MOST_NODES} are set up", self.nodes.len());
            return Err(Obstacle::new(what, None));
        }
        let mut segments = BTreeSet::new();
        let mut count = 0;
        for (_, id) in self.interfaces() {
            let interface = self.network.interface(id);
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            let plain = interface.name.chars().all(fits) && !interface.name.starts_with(['.', '-']);
            if interface.name.is_empty() || interface.name.len() > LONGEST_NAME || !plain {
                let what = format!("Linux can give no interface the name `{}`", interface.name);
                return Err(Obstacle::new(what, Some(interface.span)));
            }
            count += 1;
            segments.extend(interface.segment);
        }
        if count > MOST_INTERFACES {
            let what = format!(
                "the devices on the way have {count} interfaces; at most {MOST_INTERFACES} are set up"
            );
            return Err(Obstacle::new(what, None));
        }
        self.segments.extend(segments);
        Ok(())
    }

    /// The interfaces of the devices that are on a segment.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = (NodeId, InterfaceId)> + '_ {
        let all = self.nodes.iter().flat_map(|node| {
            self.network.node(*node).interfaces.iter().map(move |interface| (*node, *interface))
        });
        all.filter(|(_, interface)| self.network.interface(*interface).segment.is_some())
    }

    /// The namespace of a device.
    pub(super) fn namespace(&self, node: NodeId) -> String {
        format!("n{}", node.0)
    }

    /// The namespace of whoever sends a packet.
    pub(super) fn sender(&self, way: &Way<'_>) -> String {
        match way.origin {
            Origin::Own(node) | Origin::Node(node, _) => self.namespace(node),
            Origin::Segment(segment) => format!("a{}", segment.0),
        }
    }

    /// What the finding says of each packet.
    pub(super) fn expected(&self) -> Vec<Expected> {
        let one = |way: &Way<'_>| Expected {
            packet: way.leg.packet,
            origin: way.leg.origin.clone(),
            sights: self.sights(way.leg),
        };
        self.ways.iter().map(one).collect()
    }

    fn sights(&self, leg: &Leg) -> Vec<Sight> {
        let by_name: BTreeMap<&str, NodeId> =
            self.nodes.iter().map(|id| (self.network.node(*id).name.as_str(), *id)).collect();
        let seen = |(index, hop): (usize, &Hop)| {
            let id = *by_name.get(hop.place.as_str())?;
            let sends = index == 0 || hop.outgoing.is_some();
            // What the internet takes is for somebody behind it.
            let delivers = !sends && self.network.node(id).role != Role::Internet;
            let receives = hop.incoming.is_some();
            let (node, namespace) = (hop.place.clone(), self.namespace(id));
            Some(Sight { node, namespace, receives, delivers, sends })
        };
        leg.hops.iter().enumerate().filter(|(_, hop)| !hop.is_segment).filter_map(seen).collect()
    }
}

/// The things of a network by their names in a finding.
struct Names<'n> {
    network: &'n Network,
    nodes: BTreeMap<&'n str, NodeId>,
}

impl<'n> Names<'n> {
    fn of(network: &'n Network) -> Names<'n> {
        Names { network, nodes: network.nodes_by_id().map(|(id, node)| (node.name.as_str(), id)).collect() }
    }

    fn node(&self, name: &str) -> Result<NodeId, Obstacle> {
        self.nodes.get(name).copied().ok_or_else(|| Obstacle::new(format!("there is no node {name}"), None))
    }

    fn interface(&self, node: NodeId, name: &str) -> Result<InterfaceId, Obstacle> {
        let own = &self.network.node(node).interfaces;
        let found = own.iter().find(|id| self.network.interface(**id).name == name);
        found.copied().ok_or_else(|| {
            Obstacle::new(format!("{} has no interface {name}", self.network.node(node).name), None)
        })
    }

    fn way<'f>(&self, leg: &'f Leg) -> Result<Way<'f>, Obstacle> {
        let mut forms = vec![leg.packet];
        forms.extend(leg.hops.iter().filter_map(|hop| hop.changed));
        forms.dedup();
        let first = leg.hops.first();
        let next = leg.hops.iter().skip(1).find(|hop| !hop.is_segment);
        let receiver = match next {
            Some(Hop { place, incoming: Some(name), .. }) => Some(self.interface(self.node(place)?, name)?),
            _ => None,
        };
        let origin = match first {
            Some(Hop { is_segment: false, place, outgoing, .. }) => {
                let node = self.node(place)?;
                match (leg.sender, outgoing) {
                    (Sender::Honest | Sender::Answer, _) => Origin::Own(node),
                    (_, Some(sends)) => Origin::Node(node, self.interface(node, sends)?),
                    (_, None) => Origin::Node(node, self.first_line(node, leg, receiver)?),
                }
            }
            _ => Origin::Segment(self.segment(leg, receiver)?),
        };
        Ok(Way { leg, origin, receiver, forms })
    }

    /// The interface of a sender that is on the first segment of the way.
    fn first_line(
        &self,
        node: NodeId,
        leg: &Leg,
        receiver: Option<InterfaceId>,
    ) -> Result<InterfaceId, Obstacle> {
        let segment = self.segment(leg, receiver)?;
        let own = &self.network.node(node).interfaces;
        let found = own.iter().find(|id| self.network.interface(**id).segment == Some(segment));
        let name = &self.network.node(node).name;
        found.copied().ok_or_else(|| Obstacle::new(format!("{name} is not on the first segment"), None))
    }

    /// The segment that a packet starts on: that of its receiver, or the one of its name.
    fn segment(&self, leg: &Leg, receiver: Option<InterfaceId>) -> Result<SegmentId, Obstacle> {
        let of_receiver = receiver.and_then(|id| self.network.interface(id).segment);
        let name = leg.hops.iter().find(|hop| hop.is_segment).map_or(&leg.origin, |hop| &hop.place);
        let named = || self.network.segments_by_id().find(|(_, segment)| segment.name == *name);
        let found = of_receiver.or_else(|| named().map(|(id, _)| id));
        found.ok_or_else(|| Obstacle::new(format!("there is no segment {}", leg.origin), None))
    }
}
