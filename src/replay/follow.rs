//! Following one packet from hop to hop, along every way or along a named one.

use super::originate::{answer, originate};
use super::put::{Landing, Put, Reason, flood, put};
use super::reflect::{Answer, answers};
use super::state::Tables;
use super::step::{Reception, receive};
use super::trail::{Branch, Decision, End, Hop, Place};
use super::view::View;
use super::walk::{Crossing, attachments};
use super::way::{Exit, Timing, Way};
use crate::header::Packet;
use crate::model::{Assumption, InterfaceId, NodeId, SegmentId, State};

/// The number of hops after which a packet is dead for certain (RFC 791: the time to live has eight bits). A hop here
/// is a node or a segment, so twice as many.
const MAX_HOPS: usize = 2 * 255;

/// The number of ways that are told apart.
const MAX_BRANCHES: usize = 1000;

/// Where a packet starts.
pub(super) enum Source {
    /// On these segments, put there by these interfaces, or by somebody who is none.
    Injected(Vec<(SegmentId, Option<InterfaceId>)>),
    /// At a node that sends it as its own.
    Own(NodeId),
    /// At a node that answers, under these states.
    Answering(NodeId, Vec<State>),
}

/// Where a packet opened a connection: as it came, and as it went on.
pub(super) struct Opened {
    pub(super) node: NodeId,
    pub(super) came: Packet,
    pub(super) went: Packet,
    /// Whether it is a connection, and not only a binding.
    pub(super) admits: bool,
}

/// Follows a packet.
pub(super) struct Follow<'a> {
    view: &'a View<'a>,
    tables: &'a Tables,
    timing: Timing,
    path: &'a [Crossing],
    /// Every way so far.
    pub(super) branches: Vec<Branch>,
    /// Where which packet opened a connection.
    pub(super) opened: Vec<Opened>,
    /// Segments on which somebody undescribed may have it.
    pub(super) undescribed: Vec<SegmentId>,
    /// Nodes outside the description that have it, and may now send anything.
    pub(super) outsiders: Vec<NodeId>,
    /// What nodes may answer.
    pub(super) answers: Vec<Answer>,
}

/// A packet on its way: where it has been, and how much of the named path lies behind it.
#[derive(Clone)]
struct Walker {
    hops: Vec<Hop>,
    seen: Vec<(InterfaceId, Packet)>,
    crossed: usize,
    packet: Packet,
}

impl Walker {
    fn at(&self, place: Place, incoming: Option<InterfaceId>, decisions: Vec<Decision>) -> Walker {
        let mut next = self.clone();
        next.hops.push(Hop { place, incoming, outgoing: None, decisions, packet: self.packet });
        next
    }

    /// The packet leaves the last hop as this.
    fn become_what(&mut self, packet: Packet) {
        self.packet = packet;
        if let Some(hop) = self.hops.last_mut() {
            hop.packet = packet;
        }
    }
}

impl<'a> Follow<'a> {
    /// Ready to follow a packet along a path, or along every way if the path is empty.
    pub(super) fn new(
        view: &'a View<'a>,
        tables: &'a Tables,
        timing: Timing,
        path: &'a [Crossing],
    ) -> Follow<'a> {
        Follow {
            view,
            tables,
            timing,
            path,
            branches: Vec::new(),
            opened: Vec::new(),
            undescribed: Vec::new(),
            outsiders: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Follows a packet from its source.
    pub(super) fn start(&mut self, source: Source, packet: &Packet) {
        let walker = Walker { hops: Vec::new(), seen: Vec::new(), crossed: 0, packet: *packet };
        match source {
            Source::Injected(places) => {
                for (segment, sender) in places {
                    let node = sender.map(|i| self.view.network.interface(i).node);
                    let mut begun = walker.clone();
                    if let Some(node) = node {
                        begun = walker.at(Place::Node(node), None, vec![Decision::Injected]);
                    }
                    self.land(begun, flood(self.view, segment, sender, Reason::Chosen), sender);
                }
            }
            Source::Own(node) => {
                let ways = originate(self.view, self.tables, self.timing, node, packet);
                self.leave(walker, node, None, ways);
            }
            Source::Answering(node, states) => {
                let ways = answer(self.view, self.tables, node, packet, &states);
                self.leave(walker, node, None, ways);
            }
        }
        if self.branches.is_empty() {
            self.branches.push(Branch { hops: Vec::new(), end: End::Elsewhere });
        }
    }

    fn end(&mut self, walker: Walker, end: End) {
        if self.branches.len() < MAX_BRANCHES {
            self.branches.push(Branch { hops: walker.hops, end });
        } else if let Some(last) = self.branches.last_mut() {
            last.end = End::Limit;
        }
    }

    fn is_full(&self) -> bool {
        self.branches.len() >= MAX_BRANCHES
    }

    fn receive(&mut self, mut walker: Walker, incoming: InterfaceId) {
        let node = self.view.network.interface(incoming).node;
        let here = Place::Node(node);
        if walker.seen.contains(&(incoming, walker.packet)) {
            return self.end(walker.at(here, Some(incoming), Vec::new()), End::Loop);
        }
        if walker.hops.len() >= MAX_HOPS || self.is_full() {
            return self.end(walker, End::Limit);
        }
        let comes_again = walker.hops.iter().any(|hop| hop.place == here);
        if comes_again && !self.view.is_may() && self.view.translates(node) {
            // The connection that it opened here itself may stand in its way now, so that it gets another port.
            return self.end(walker.at(here, Some(incoming), Vec::new()), End::Uncertain(Vec::new()));
        }
        walker.seen.push((incoming, walker.packet));
        self.answers.extend(answers(self.view, self.tables, incoming, &walker.packet));
        let own = (comes_again && self.view.translates(node)).then(|| self.with_own_connections());
        let tables = own.as_ref().unwrap_or(self.tables);
        match receive(self.view, tables, self.timing, incoming, &walker.packet) {
            Reception::Ignored(end) => self.end(walker.at(here, Some(incoming), Vec::new()), end),
            Reception::Handled(ways) => self.leave(walker, node, Some(incoming), ways),
            Reception::Possible(unknown) => {
                self.outsiders.push(node);
                let decisions = vec![Decision::Undescribed(unknown)];
                self.end(walker.at(here, Some(incoming), decisions), End::Delivered(node));
            }
            Reception::Internet => self.internet(walker, node, incoming),
        }
    }

    /// The connections that are open now that the packet has opened some itself (*may* only).
    fn with_own_connections(&self) -> Tables {
        let mut tables = self.tables.clone();
        for Opened { node, came, went, admits } in &self.opened {
            tables.open(*node, came, went, *admits, 0);
        }
        tables
    }

    /// The internet has the packet: on *may* somebody there may answer anything; for certain it comes to whoever owns
    /// the destination.
    fn internet(&mut self, walker: Walker, node: NodeId, incoming: InterfaceId) {
        let here = walker.at(Place::Node(node), Some(incoming), vec![Decision::Internet]);
        let onward = internet_onward(self.view, incoming, &walker.packet);
        if onward.is_none() {
            self.outsiders.push(node);
        }
        let goes_on = self.path.is_empty() || walker.crossed < self.path.len();
        let mut went = false;
        for (sender, landing) in onward.unwrap_or_default().into_iter().filter(|_| goes_on) {
            let mut from = here.clone();
            set_outgoing(&mut from, sender);
            went |= self.land(from, Put { landings: vec![landing], undescribed: false }, Some(sender));
        }
        if !went || self.path.is_empty() {
            self.end(here, End::Delivered(node));
        }
    }

    /// Leaves a node by its ways. Where a path is named, only the ways along it are followed; if there is none, what
    /// stopped the packet is told.
    fn leave(&mut self, walker: Walker, node: NodeId, incoming: Option<InterfaceId>, ways: Vec<Way>) {
        let named = !self.path.is_empty();
        let at_end = named && walker.crossed == self.path.len();
        let mut stops = Vec::new();
        let mut went = false;
        for Way { decisions, exit, packet, opens } in ways {
            if named && !self.is_named(&walker, &exit, &packet) {
                continue;
            }
            let mut here = walker.at(Place::Node(node), incoming, decisions);
            here.become_what(packet);
            let openings =
                opens.each().map(|admits| Opened { node, came: walker.packet, went: packet, admits });
            let early = !named && self.view.is_may() && !matches!(exit, Exit::Stop(_));
            if early {
                // It may meet its own connection when it comes again.
                self.opened.extend(openings.clone());
            }
            let gone = match exit {
                Exit::Stop(end) => {
                    stops.push((here, end));
                    continue;
                }
                Exit::Deliver if at_end || !named => {
                    self.end(here, End::Delivered(node));
                    true
                }
                Exit::Deliver => false,
                Exit::Put { .. } | Exit::Spread { .. } | Exit::Reroute { .. } if at_end => false,
                Exit::Put { out, next_hop } => {
                    set_outgoing(&mut here, out);
                    let Some(segment) = self.view.segment_of(out) else { continue };
                    self.land(here, put(self.view, segment, &packet, Some(out), next_hop), Some(out))
                }
                Exit::Spread { out } => {
                    set_outgoing(&mut here, out);
                    let Some(segment) = self.view.segment_of(out) else { continue };
                    self.land(here, flood(self.view, segment, Some(out), Reason::Announced), Some(out))
                }
                Exit::Reroute { out } => self.reroute(here, out),
            };
            went |= gone;
            if gone && !early {
                self.opened.extend(openings);
            }
        }
        if went && named {
            return;
        }
        if stops.is_empty() && !went {
            return self.end(walker.at(Place::Node(node), incoming, Vec::new()), End::Elsewhere);
        }
        for (here, end) in stops {
            self.end(here, end);
        }
    }

    /// Whether a packet leaves a node as what the named way says: as it came, if that says nothing else. What is
    /// delivered is what the node makes of it.
    fn is_named(&self, walker: &Walker, exit: &Exit, packet: &Packet) -> bool {
        match exit {
            Exit::Stop(_) | Exit::Deliver | Exit::Reroute { .. } => true,
            Exit::Put { .. } | Exit::Spread { .. } => {
                let named = self.path.get(walker.crossed).and_then(|next| next.becomes);
                *packet == named.unwrap_or(walker.packet)
            }
        }
    }

    /// Source routing: the destination changes to the one that the path names.
    fn reroute(&mut self, mut here: Walker, out: InterfaceId) -> bool {
        set_outgoing(&mut here, out);
        let Some(segment) = self.view.segment_of(out) else { return false };
        if self.path.is_empty() {
            // It may go on to anywhere at all; that is told, not followed.
            self.end(here, End::AnyDestination(segment));
            return true;
        }
        let Some(named) = self.path.get(here.crossed).and_then(|next| next.becomes) else { return false };
        here.become_what(Packet { dst: named.dst, ..here.packet });
        self.land(here, flood(self.view, segment, Some(out), Reason::SourceRouted), Some(out))
    }

    /// Puts a packet on a segment and goes on with those who receive it. Says whether that is along the path.
    fn land(&mut self, walker: Walker, put: Put, sender: Option<InterfaceId>) -> bool {
        let Put { landings, undescribed } = put;
        let Some((first, joined)) = landings.split_first() else { return false };
        let decision = Decision::Put { receivers: first.receivers.clone(), reason: first.reason };
        let mut here = walker.at(Place::Segment(first.segment), None, vec![decision]);
        if self.path.is_empty() {
            self.note_undescribed(undescribed, first.segment);
            self.all_receivers(&here, first);
            for landing in joined {
                self.all_receivers(&join(&here, landing), landing);
            }
            return true;
        }
        let Some(next) = self.path.get(here.crossed) else { return false };
        if next.segment != first.segment || next.sender != sender {
            return false;
        }
        here.crossed += 1;
        if next.receiver.is_some() {
            return self.named_receiver(here, first, next.receiver);
        }
        let Some(beyond) = self.path.get(here.crossed) else {
            self.note_undescribed(undescribed, first.segment);
            self.end(here, End::OnSegment(first.segment));
            return true;
        };
        let other =
            joined.iter().find(|landing| landing.segment == beyond.segment && beyond.sender.is_none());
        let Some(landing) = other else { return false };
        here.crossed += 1;
        self.named_receiver(join(&here, landing), landing, beyond.receiver)
    }

    fn note_undescribed(&mut self, undescribed: bool, segment: SegmentId) {
        if undescribed {
            self.undescribed.push(segment);
        }
    }

    fn all_receivers(&mut self, here: &Walker, landing: &Landing) {
        if landing.receivers.is_empty() {
            let end = match landing.reason {
                Reason::Nobody(_) => End::NoReceiver(landing.segment),
                Reason::Chosen
                | Reason::Group
                | Reason::Forged
                | Reason::Neighbour(_)
                | Reason::Internet(_)
                | Reason::Joined(_)
                | Reason::Announced
                | Reason::SourceRouted => End::OnSegment(landing.segment),
            };
            self.end(here.clone(), end);
        }
        for receiver in &landing.receivers {
            self.receive(here.clone(), *receiver);
        }
    }

    fn named_receiver(&mut self, here: Walker, landing: &Landing, named: Option<InterfaceId>) -> bool {
        match named {
            None => {
                self.end(here, End::OnSegment(landing.segment));
                true
            }
            Some(receiver) if landing.receivers.contains(&receiver) => {
                self.receive(here, receiver);
                true
            }
            Some(_) => false,
        }
    }
}

fn join(here: &Walker, landing: &Landing) -> Walker {
    let decisions =
        if let Reason::Joined(id) = landing.reason { vec![Decision::Joined(id)] } else { Vec::new() };
    here.at(Place::Segment(landing.segment), None, decisions)
}

fn set_outgoing(walker: &mut Walker, out: InterfaceId) {
    if let Some(hop) = walker.hops.last_mut() {
        hop.outgoing = Some(out);
    }
}

/// Where the internet passes on a packet that it got by an interface, with the interface that sends it. `None`: it may
/// send anything anywhere, so what it passes on is not told apart.
pub(super) fn internet_onward(
    view: &View<'_>,
    incoming: InterfaceId,
    packet: &Packet,
) -> Option<Vec<(InterfaceId, Landing)>> {
    if view.is_may() && !view.network.assumes(Assumption::NoReflection) {
        return None;
    }
    let interface = view.network.interface(incoming);
    let mut onward = Vec::new();
    for (segment, other) in attachments(view, interface.node) {
        let Some(other) = other.filter(|_| Some(segment) != interface.segment) else { continue };
        let mut receivers: Vec<InterfaceId> = view.attached(segment).filter(|i| *i != other).collect();
        if !view.is_may() {
            receivers.retain(|i| view.has_address(*i, packet.dst));
            if receivers.is_empty() {
                continue;
            }
        }
        let reason = if view.is_may() { Reason::Chosen } else { Reason::Neighbour(packet.dst) };
        onward.push((other, Landing { segment, receivers, reason }));
    }
    Some(onward)
}
