//! The one sentence that the engine understands: who sends what from where, and where must nothing arrive.

use crate::header::{AddressRange, Packet};
use crate::model::{InterfaceId, NodeId, Reading, SegmentId, Service};

/// A set of places: nodes and segments by their position in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Which nodes.
    pub nodes: Vec<bool>,
    /// Which segments.
    pub segments: Vec<bool>,
}

impl Places {
    /// No place of a network with this many nodes and segments.
    pub fn none(nodes: usize, segments: usize) -> Places {
        Places { nodes: vec![false; nodes], segments: vec![false; segments] }
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        !self.nodes.contains(&true) && !self.segments.contains(&true)
    }

    /// Whether a place is selected.
    pub fn contains(&self, place: Place) -> bool {
        match place {
            Place::Node(id) => self.nodes[id.index()],
            Place::Segment(id) => self.segments[id.index()],
        }
    }

    /// The selected places, nodes first.
    pub fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        let chosen = |flags: &[bool]| -> Vec<usize> {
            flags.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(index, _)| index).collect()
        };
        let nodes = chosen(&self.nodes).into_iter().map(|index| Place::Node(NodeId::at(index)));
        let segments = chosen(&self.segments).into_iter().map(|index| Place::Segment(SegmentId::at(index)));
        nodes.chain(segments)
    }

    /// Both together.
    #[must_use]
    pub fn or(&self, other: &Places) -> Places {
        let or = |a: &[bool], b: &[bool]| a.iter().zip(b).map(|(a, b)| *a || *b).collect();
        Places { nodes: or(&self.nodes, &other.nodes), segments: or(&self.segments, &other.segments) }
    }
}

/// A place where a packet can arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Delivered past the input filter of a node.
    Node(NodeId),
    /// Put on a segment.
    Segment(SegmentId),
}

/// A rule, by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    /// The filter.
    pub filter: crate::model::FilterId,
    /// The position of the chain in the filter.
    pub chain: usize,
    /// The position of the rule in the chain; the number of rules stands for the policy of the chain.
    pub rule: usize,
}

/// Packets that a claim sets free, as sent and as they cross.
#[derive(Debug, Clone)]
pub struct FreeFlow {
    /// Sources.
    pub src: Vec<AddressRange>,
    /// Destinations.
    pub dst: Vec<AddressRange>,
    /// Services; empty is any.
    pub services: Vec<Service>,
    /// Whether replies, and ICMP errors about it to its two ends, are free too.
    pub replies: bool,
}

/// A changed network. Doors are taken out for those packets that count, and connections keep the whole network
/// (SEMANTICS.md section 6, `only-via`); what is closed is closed for all.
#[derive(Debug, Clone, Default)]
pub struct Cut {
    /// Doors: nothing that counts is sent or received through these.
    pub interfaces: Vec<InterfaceId>,
    /// Doors: these rules are not there for what counts.
    pub rules: Vec<RuleRef>,
    /// What these rules accept is dropped.
    pub closed: Vec<RuleRef>,
    /// Nothing passes from the first to the second interface of a node.
    pub hops: Vec<(InterfaceId, InterfaceId)>,
    /// Nothing is delivered past the input of these nodes.
    pub deaf: Vec<NodeId>,
}

impl Cut {
    /// Without the doors.
    #[must_use]
    pub fn without_doors(&self) -> Cut {
        Cut { interfaces: Vec::new(), rules: Vec::new(), ..self.clone() }
    }

    /// Whether nothing is taken out.
    pub fn is_empty(&self) -> bool {
        self.interfaces.is_empty()
            && self.rules.is_empty()
            && self.closed.is_empty()
            && self.hops.is_empty()
            && self.deaf.is_empty()
    }
}

/// A question: can anything that the footholds send arrive at the targets?
#[derive(Debug, Clone)]
pub struct Query {
    /// The network as it may be, or as it certainly is.
    pub reading: Reading,
    /// Where the adversary stands: any packet, any source.
    pub footholds: Places,
    /// Nodes that send packets with their own addresses through their own filters.
    pub honest: Vec<NodeId>,
    /// Segments on which hosts that nobody described send likewise, to whichever neighbour.
    pub honest_segments: Vec<SegmentId>,
    /// Nodes that, besides those, send with their own addresses in order to open connections.
    pub talkers: Vec<NodeId>,
    /// Where accomplices stand: what they send only opens connections.
    pub accomplices: Places,
    /// Segments on which the adversary decides who receives a packet (forged ARP), unless neighbours are static.
    pub forged: Vec<bool>,
    /// Honest senders that count send to these destinations only; empty is any.
    pub destinations: Vec<AddressRange>,
    /// Honest senders that count send these services only; empty is any.
    pub services: Vec<Service>,
    /// Whether the adversary uses only addresses of its own.
    pub own_sources: bool,
    /// Where nothing may arrive.
    pub targets: Places,
    /// Packets that may arrive all the same.
    pub free: Vec<FreeFlow>,
    /// What is taken out of the network.
    pub cut: Cut,
}

/// How one packet got from its sender to a place.
#[derive(Debug, Clone)]
pub struct Journey {
    /// Who sends it.
    pub origin: Origin,
    /// The packet as its sender makes it.
    pub packet: Packet,
    /// The packet as it is first put on a segment: another if its sender translates it.
    pub went: Packet,
    /// The interfaces that receive it, in order; the first is the sender's choice.
    pub hops: Vec<JourneyHop>,
    /// Where it arrives.
    pub arrives: Place,
    /// Set for a journey that is there only to open a connection at this node.
    pub opens_at: Option<NodeId>,
}

/// Who sends a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The adversary, on a segment or on a node.
    Adversary(Place),
    /// An accomplice, likewise.
    Accomplice(Place),
    /// A node, or a host that nobody described, with its own address.
    Honest(Place),
    /// A node that answers, or somebody who may be there (*may* only).
    Reflected(NodeId),
    /// Somebody undescribed on a segment (*may* only).
    Somebody(SegmentId),
}

/// One receiving interface on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JourneyHop {
    /// The interface that receives the packet.
    pub receiver: InterfaceId,
    /// The interface through which its node sends it on; `None` at the end.
    pub sends: Option<InterfaceId>,
    /// The address that the node sends it to: the next hop, or the destination.
    pub via: Option<std::net::IpAddr>,
    /// Whether it passes only because a connection is open there.
    pub established: bool,
    /// The packet as it is received.
    pub came: Packet,
    /// The packet as it leaves, or is delivered: another if the node translates it.
    pub went: Packet,
}

/// One way to break the property: packets in order, the last of which arrives.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Openers first.
    pub journeys: Vec<Journey>,
}

/// Why the engine stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The sets needed more nodes than this.
    Nodes(usize),
    /// The fixpoint took more steps than this.
    Steps(usize),
}

/// Limits of one query. They are counts, so that the same input always meets the same limit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nodes of set diagrams beside those of the compiled network.
    pub nodes: usize,
    /// Receptions processed.
    pub steps: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { nodes: 50_000_000, steps: 20_000_000 }
    }
}

/// What the engine found.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Places of the targets where something arrives that is not free.
    pub reached: Vec<Place>,
    /// On *may*, the nodes that packets of the adversary are delivered to past their input filter; after a coarse answer, those
    /// and perhaps more.
    pub delivered: Vec<NodeId>,
    /// On *may*, what ended packets on the way, if nothing arrives.
    pub endings: Vec<super::endings::Ending>,
    /// A shortest way there, if something arrives.
    pub witness: Option<Witness>,
    /// Set if a limit was met: then *may* is everything, and *must* is what was found so far.
    pub stop: Option<Stop>,
}

impl Answer {
    /// Nothing arrives anywhere.
    pub(super) fn nothing() -> Answer {
        Answer { reached: Vec::new(), delivered: Vec::new(), endings: Vec::new(), witness: None, stop: None }
    }
}
