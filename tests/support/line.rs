//! The network most tests start from: `left -- r -- right -- h`.

use super::net::{Net, nowhere};
use isoaudit::header::Packet;
use isoaudit::model::{Action, Chain, FilterId, InterfaceId, NodeId, Reading, Role, SegmentId, Stage, Test};
use isoaudit::replay::{Foothold, Place, Question, Reached, Stance, explore};

/// `left (10.0.0.0/24, fd00::/64) -- r -- right (10.0.1.0/24, fd00:0:0:1::/64) -- h`. The router r has `.1` on both
/// sides, the host h has `.9` and routes by r.
pub(crate) struct Line {
    pub(crate) net: Net,
    pub(crate) left: SegmentId,
    pub(crate) right: SegmentId,
    pub(crate) r: NodeId,
    pub(crate) r0: InterfaceId,
    pub(crate) r1: InterfaceId,
    pub(crate) h: NodeId,
    pub(crate) h0: InterfaceId,
    /// What is asked; to begin with, the adversary stands on `left`.
    pub(crate) question: Question,
}

/// An address on the left that nobody has.
pub(crate) const LEFT: &str = "10.0.0.66";
/// The host's address.
pub(crate) const HOST: &str = "10.0.1.9";
/// The same in IPv6.
pub(crate) const LEFT6: &str = "fd00::66";
/// The host's IPv6 address.
pub(crate) const HOST6: &str = "fd00:0:0:1::9";
/// An address behind nothing.
pub(crate) const FAR: &str = "192.0.2.7";

pub(crate) fn adversary(place: Place) -> Foothold {
    Foothold { place, stance: Stance::Adversary }
}

pub(crate) fn honest(node: NodeId) -> Foothold {
    Foothold { place: Place::Node(node), stance: Stance::Honest }
}

impl Line {
    pub(crate) fn new() -> Line {
        let mut net = Net::new();
        let (left, right) = (net.segment("left"), net.segment("right"));
        let r = net.router("r");
        let r0 = net.interface(r, left, &["10.0.0.1/24", "fd00::1/64"]);
        let r1 = net.interface(r, right, &["10.0.1.1/24", "fd00:0:0:1::1/64"]);
        let h = net.host("h");
        let h0 = net.interface(h, right, &["10.0.1.9/24", "fd00:0:0:1::9/64"]);
        net.route(h, "0.0.0.0/0", &[(h0, "10.0.1.1")]);
        net.route(h, "::/0", &[(h0, "fd00:0:0:1::1")]);
        let mut question = Question::default();
        question.footholds.push(adversary(Place::Segment(left)));
        Line { net, left, right, r, r0, r1, h, h0, question }
    }

    /// Binds a filter that tracks to a stage of the router.
    pub(crate) fn tracking(&mut self, stage: Stage, chain: Chain) -> FilterId {
        let filter = self.net.filter(true, vec![chain]);
        self.net.bind(self.r, stage, filter);
        filter
    }

    /// Binds a filter that does not track to a stage of the router.
    pub(crate) fn stateless(&mut self, stage: Stage, chain: Chain) -> FilterId {
        let filter = self.net.filter(false, vec![chain]);
        self.net.bind(self.r, stage, filter);
        filter
    }

    pub(crate) fn unknown_test(&mut self) -> Test {
        Test::Unknown(self.net.unknown("a match"))
    }

    pub(crate) fn unknown_action(&mut self) -> Action {
        Action::Unknown(self.net.unknown("a target"))
    }

    /// Adds the internet on a segment.
    pub(crate) fn internet(&mut self, segment: SegmentId) -> NodeId {
        let node = self.net.node("internet", Role::Internet);
        self.net.interface(node, segment, &[]);
        node
    }

    pub(crate) fn explore(&self, reading: Reading, packets: &[Packet]) -> Reached {
        explore(&self.net.network, reading, &self.question, packets)
    }

    /// Whether a packet arrives at a place, in [must, may].
    pub(crate) fn arrives(&self, place: Place, packet: Packet, with: &[Packet]) -> [bool; 2] {
        let all: Vec<Packet> = with.iter().copied().chain([packet]).collect();
        [Reading::Must, Reading::May].map(|reading| self.explore(reading, &all).holds(place, &packet))
    }

    /// Whether a packet comes to the right segment, in [must, may].
    pub(crate) fn crosses(&self, packet: Packet) -> [bool; 2] {
        self.arrives(Place::Segment(self.right), packet, &[])
    }

    /// Whether a packet is delivered to the host, in [must, may].
    pub(crate) fn is_delivered(&self, packet: Packet) -> [bool; 2] {
        self.arrives(Place::Node(self.h), packet, &[])
    }

    /// Nobody answers, and nobody undescribed sits anywhere: what is left is the packet's own way.
    pub(crate) fn quiet(mut self) -> Line {
        self.net.assume(isoaudit::model::Assumption::NoReflection);
        self.net.assume(isoaudit::model::Assumption::StaticNeighbours);
        self
    }

    /// The place of nothing, for filters made by hand.
    pub(crate) fn span(&self) -> isoaudit::source::Span {
        nowhere()
    }
}

/// Certain.
pub(crate) const YES: [bool; 2] = [true, true];
/// Impossible.
pub(crate) const NO: [bool; 2] = [false, false];
/// Possible.
pub(crate) const OPEN: [bool; 2] = [false, true];
