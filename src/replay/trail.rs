//! What a walk leaves behind: hops, decisions, ends. Plain data; [`super::describe`] puts it into words.

use super::filter::{Decider, Judgement};
use super::put::Reason;
use super::route::{Found, SourceCheck};
use super::state::Hit;
use crate::header::Packet;
use crate::model::translation::End as TranslatedEnd;
use crate::model::{InterfaceId, NextHop, NodeId, SegmentId, Stage, State, UnknownId};

/// Where a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// On a segment.
    Segment(SegmentId),
    /// At a node.
    Node(NodeId),
}

/// One decision about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Somebody puts it on a segment without any filter or route.
    Injected,
    /// A list judged it.
    Judged {
        /// Where in the walk.
        stage: Stage,
        /// What it decided.
        judgement: Judgement,
        /// The state that the packet had.
        state: State,
    },
    /// A rule of the list that judged it next gave it a mark.
    Marked {
        /// The mark that it left the list with.
        mark: u32,
        /// What set it last.
        by: Decider,
    },
    /// No list binds its family at this stage; it passes.
    Unfiltered {
        /// Where in the walk.
        stage: Stage,
        /// Whether the node has no list at all for this stage, as a node without a policy.
        none_at_all: bool,
    },
    /// A rule translates it.
    Translated {
        /// What decided.
        judgement: Judgement,
        /// Which end becomes another.
        end: TranslatedEnd,
    },
    /// It may be that no rule translates it, if these are not what they may be.
    Untranslated(Vec<UnknownId>),
    /// It belongs to an open connection.
    Connection(Hit),
    /// Its source was checked against the way back.
    Source {
        /// What the check said.
        check: SourceCheck,
        /// The interface that it came in on.
        incoming: InterfaceId,
    },
    /// Its destination is the node's own, or a group that the node may listen to.
    Local,
    /// A route was found, and one of its next hops taken.
    Routed {
        /// The route.
        found: Found,
        /// The next hop, if the route sends.
        hop: Option<NextHop>,
    },
    /// It leaves by a route that somebody may announce.
    Announced(UnknownId),
    /// It is for a group, and leaves by a way that only the tables for groups know.
    GroupRouted(Option<UnknownId>),
    /// It names its own way, and the node may honour that.
    SourceRouted(Option<UnknownId>),
    /// It is put on a segment; these are the interfaces that get it, and why.
    Put {
        /// The receivers.
        receivers: Vec<InterfaceId>,
        /// Why they are.
        reason: Reason,
    },
    /// The segment may pass it on to another.
    Joined(UnknownId),
    /// It comes to the internet, where somebody may answer anything.
    Internet,
    /// It comes to a place that nobody described.
    Undescribed(UnknownId),
}

impl Decision {
    /// The unknowns that the decision hangs on; empty if it is certain.
    pub fn uncertain(&self) -> Vec<UnknownId> {
        match self {
            Decision::Judged { judgement, .. } | Decision::Translated { judgement, .. } => {
                judgement.uncertain.clone()
            }
            Decision::Untranslated(why) => why.clone(),
            Decision::Source { check, .. } => {
                let back = check.back.iter().flat_map(|back| back.uncertain.clone());
                back.chain(check.doubt).collect()
            }
            Decision::Routed { found, .. } => found.uncertain.clone(),
            Decision::Announced(id) | Decision::Joined(id) | Decision::Undescribed(id) => vec![*id],
            Decision::GroupRouted(id) | Decision::SourceRouted(id) => id.iter().copied().collect(),
            Decision::Injected
            | Decision::Unfiltered { .. }
            | Decision::Marked { .. }
            | Decision::Connection(_)
            | Decision::Local
            | Decision::Put { .. }
            | Decision::Internet => Vec::new(),
        }
    }
}

/// How a walk ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Put on a segment, where nobody passes it on.
    OnSegment(SegmentId),
    /// Delivered past the input filter of a node.
    Delivered(NodeId),
    /// Dropped or rejected by a list.
    Filtered {
        /// Where in the walk.
        stage: Stage,
        /// What decided.
        judgement: Judgement,
    },
    /// Nothing certain can be said from here on, because of these.
    Uncertain(Vec<UnknownId>),
    /// A source or destination that no device takes from outside (RFC 1812 section 5.3.7).
    Martian,
    /// Its source does not belong behind the interface it came in on.
    Spoofed(SourceCheck),
    /// The node does not forward its family.
    NotForwarding,
    /// A link-local address does not leave its link.
    LinkLocal,
    /// A group address; what becomes of it is not certain.
    Group,
    /// It is a part of a datagram that has to be put together, and whether the others come is not certain.
    Fragment,
    /// No rule of the node has a route.
    NoRoute,
    /// A route, or a rule, says unreachable.
    Unreachable(Found),
    /// A route, or a rule, drops it without a word.
    Blackhole(Found),
    /// The interface does not speak IPv6.
    Ipv6Off(InterfaceId),
    /// The interface has no segment that is certainly there.
    NoSegment(InterfaceId),
    /// The interface is a door that is taken to be closed.
    DoorClosed(InterfaceId),
    /// The node is not certainly there.
    Absent(NodeId),
    /// Nobody knows how a node of this kind works.
    UnknownKind(NodeId),
    /// The adversary has it.
    Taken(NodeId),
    /// Nobody on the segment has the address of the next hop.
    NoReceiver(SegmentId),
    /// Put on a segment with any destination whatever, by source routing.
    AnyDestination(SegmentId),
    /// It is where it was before.
    Loop,
    /// It was followed as far as the limit on hops or branches allows.
    Limit,
    /// It does not go the way that was named.
    Elsewhere,
    /// The named sender cannot send this.
    NotSent,
}

/// One node or segment that a packet passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The node or segment.
    pub place: Place,
    /// The interface that it came in on, at a node.
    pub incoming: Option<InterfaceId>,
    /// The interface that it goes out on, at a node.
    pub outgoing: Option<InterfaceId>,
    /// What was decided here, in order.
    pub decisions: Vec<Decision>,
    /// The packet as it leaves.
    pub packet: Packet,
}

/// One way that a packet takes, from its sender to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The hops in order.
    pub hops: Vec<Hop>,
    /// How it ends.
    pub end: End,
}

impl Branch {
    /// Every place where the packet arrived on this way: segments it was put on, and the node it was delivered to.
    pub fn arrivals(&self) -> impl Iterator<Item = Place> + '_ {
        let segments = self.hops.iter().map(|hop| hop.place).filter(|place| match place {
            Place::Segment(_) => true,
            Place::Node(_) => false,
        });
        // A node that the adversary has takes everything.
        let node = if let End::Delivered(node) | End::Taken(node) = self.end { Some(node) } else { None };
        segments.chain(node.map(Place::Node))
    }

    /// The unknowns that this way hangs on, each once, in order.
    pub fn uncertain(&self) -> Vec<UnknownId> {
        let all = self.hops.iter().flat_map(|hop| &hop.decisions).flat_map(Decision::uncertain);
        all.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}
