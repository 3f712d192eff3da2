//! The second interpreter: walks concrete packets through the model by the book, with connection tables.
//!
//! It is deliberately naive. One packet, plain loops, one function for each rule of the walk, so that a reader can
//! hold it beside SEMANTICS.md and see that they agree. It shares no code with the symbolic engine: what
//! both say independently is believed, and where they differ the verdict is undetermined.
//!
//! [`walk()`] replays an ordered list of sends, [`trace()`] shows every decision about one packet, and [`explore()`]
//! computes everything that a finite universe of packets can reach. All rest on the same steps:
//! [`step`] is one device, [`put`] is one segment, [`filter`] is one chain, [`translate`] is
//! one translation, [`route`] is one lookup, [`state`] is one connection table.

pub mod describe;
pub mod explore;
pub mod filter;
mod follow;
pub mod marks;
pub mod originate;
mod pass;
pub mod put;
pub mod reflect;
pub mod route;
pub mod state;
pub mod status;
pub mod step;
mod test;
pub mod trace;
pub mod trail;
pub mod translate;
pub mod view;
pub mod walk;
pub mod way;

pub use explore::{Reached, explore};
pub use test::certainly_matches;
pub use trace::trace;
pub use trail::{Branch, Decision, End, Hop, Place};
pub use translate::Values;
pub use walk::{Crossing, Leg, Origin, Send, Walked, walk, walk_choosing};

use crate::claim::Door;
use crate::header::{AddressRange, Packet};
use crate::model::{NodeId, SegmentId, Service};
use std::collections::BTreeSet;

/// How somebody at a place behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stance {
    /// Sends any packet with any source address; a node's own filters do not bind it.
    Adversary,
    /// A node that sends with its own addresses, by its own routes, through its own output filter; or hosts on a segment that
    /// nobody described, with addresses of its prefixes that nobody there has, to any neighbour.
    Honest,
}

/// Somebody who sends without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foothold {
    /// Where.
    pub place: Place,
    /// How.
    pub stance: Stance,
}

/// What is asked of a network: who sends, and what is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Those whose packets count as arrivals.
    pub footholds: Vec<Foothold>,
    /// Those whose packets only open connections.
    pub openers: Vec<Foothold>,
    /// Doors that are closed to the packets that count. Connections are opened as if they were not.
    pub cut: Vec<Door>,
    /// What honest footholds send counts if it is to these addresses; empty: to any.
    pub destinations: Vec<AddressRange>,
    /// What honest footholds send counts if it is of these services; empty: of any.
    pub services: Vec<Service>,
    /// Nodes that the adversary holds: they do not process what they receive.
    pub adversary_nodes: BTreeSet<NodeId>,
    /// Segments that the adversary stands on, where it can draw packets to any interface by forged ARP.
    pub adversary_segments: BTreeSet<SegmentId>,
}

impl Question {
    /// Whether such a packet of an honest sender counts.
    pub fn speaks_of(&self, packet: &Packet) -> bool {
        let to = self.destinations.is_empty() || self.destinations.iter().any(|r| r.contains(packet.dst));
        let of = self.services.is_empty() || self.services.iter().any(|service| service.contains(packet));
        to && of
    }
}
