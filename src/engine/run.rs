//! One least fixpoint: which packets reach which interfaces, segments and nodes (SEMANTICS.md sections 2 and 3).
//!
//! Packets are pushed forward as deltas: an interface is processed with what it has not received before. What each
//! delta came from is kept, so that a witness can be walked back.

use super::alike::Alike;
use super::compiled::Compiled;
use super::history::{Delivery, Delta, Opening, Step};
use super::look::{Connections, Look};
use super::passage::{Change, Growing, Sessions};
use super::query::{Origin, Place, Places, Query, Stop};
use super::view::View;
use crate::model::{Assumption, Existence, Fact, InterfaceId, Network, NodeId, Reading, SegmentId};
use crate::set::{Set, Side};
use std::collections::VecDeque;
use std::net::IpAddr;

/// Which packets this run follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// Everything that anybody sends: it opens connections.
    Openers,
    /// What descends from the footholds: only this counts.
    Counted,
}

/// A fixpoint in progress or done.
pub(super) struct Run<'q, 'c> {
    pub(super) query: &'q Query,
    pub(super) network: &'c Network,
    pub(super) colour: Colour,
    pub(super) received: Vec<Set>,
    pub(super) history: Vec<Vec<Delta>>,
    pub(super) on_segment: Vec<Set>,
    pub(super) segment_history: Vec<Vec<Delta>>,
    pub(super) delivered: Vec<Set>,
    pub(super) delivered_history: Vec<Vec<Delivery>>,
    pub(super) opened: Vec<Set>,
    pub(super) openings: Vec<Vec<Opening>>,
    /// What passes each node as part of a connection.
    pub(super) connections: Vec<Connections>,
    /// The sessions of each node that translates, in force, and as they grow.
    pub(super) sessions: Vec<Sessions>,
    pub(super) growing: Vec<Vec<Growing>>,
    /// How packets were translated, for the way back.
    pub(super) changes: Vec<Change>,
    pub(super) answered: Vec<[Set; 2]>,
    /// Packets that the query sets free; nobody who is a target thinks of anything new because of one.
    pub(super) free: Set,
    /// Those of them whose answers are free too.
    pub(super) free_answers: Set,
    pub(super) beyond: Vec<bool>,
    somebody: Vec<bool>,
    pending: Vec<Set>,
    queue: VecDeque<InterfaceId>,
    pub(super) time: usize,
    pub(super) steps_left: usize,
    /// Packets outside this set are not followed: nothing that is asked hangs on them.
    pub(super) within: Set,
    /// Hosts that a coarse run does not tell apart.
    pub(super) alike: Alike<'c>,
    /// Whether nobody will ask by which way anything arrived.
    coarse: bool,
}

impl<'q, 'c> Run<'q, 'c> {
    /// A run in which nothing has been sent yet.
    pub(super) fn new(query: &'q Query, network: &'c Network, colour: Colour, steps: usize) -> Run<'q, 'c> {
        let (nodes, interfaces, segments) =
            (network.nodes.len(), network.interfaces.len(), network.segments.len());
        Run {
            query,
            network,
            colour,
            received: vec![Set::EMPTY; interfaces],
            history: vec![Vec::new(); interfaces],
            on_segment: vec![Set::EMPTY; segments],
            segment_history: vec![Vec::new(); segments],
            delivered: vec![Set::EMPTY; nodes],
            delivered_history: vec![Vec::new(); nodes],
            opened: vec![Set::EMPTY; nodes],
            openings: vec![Vec::new(); nodes],
            connections: vec![Connections::NONE; nodes],
            sessions: vec![Sessions::default(); nodes],
            growing: vec![Vec::new(); nodes],
            changes: Vec::new(),
            answered: vec![[Set::EMPTY; 2]; nodes],
            free: Set::EMPTY,
            free_answers: Set::EMPTY,
            beyond: vec![false; nodes],
            somebody: vec![false; segments],
            pending: vec![Set::EMPTY; interfaces],
            queue: VecDeque::new(),
            time: 0,
            steps_left: steps,
            within: Set::FULL,
            alike: Alike::default(),
            coarse: false,
        }
    }

    /// A run that tells at least where packets arrive, and not by which way.
    pub(super) fn coarse(query: &'q Query, compiled: &'c Compiled<'c>, steps: usize) -> Run<'q, 'c> {
        let run = Run::new(query, compiled.network, Colour::Counted, steps);
        Run { alike: Alike::of(compiled, query), coarse: true, ..run }
    }

    /// Takes over what is open after another run.
    pub(super) fn take_tables(&mut self, openers: &Run<'_, '_>) {
        self.connections.clone_from(&openers.connections);
        self.sessions.clone_from(&openers.sessions);
    }

    /// What is left of packets that reached a place as a cause of others. An excepted flow ends at a target
    /// (SEMANTICS.md section 6), and where its replies are excepted too, so is all that anybody answers to it.
    pub(super) fn less_free(&self, view: &mut View<'_>, place: Place, packets: Set) -> Set {
        let ends = if self.query.targets.contains(place) { self.free } else { self.free_answers };
        view.space.minus(packets, ends)
    }

    /// Whether the reading knows of something.
    pub(super) fn exists(&self, existence: Existence) -> bool {
        existence == Existence::Described || self.query.reading == Reading::May
    }

    /// Injects what every sender of a set of places may send.
    pub(super) fn inject(&mut self, view: &mut View<'_>, places: &Places, origin: fn(Place) -> Origin) {
        for place in places.iter() {
            if self.coarse && self.is_on_one_of(place, places) {
                continue;
            }
            let packets = super::inject::packets(view, self.query, place);
            let step = Step::Start(origin(place));
            match place {
                Place::Segment(id) => self.put_to_all(view, id, packets, None, step),
                Place::Node(id) => {
                    let own = self.network.node(id).interfaces.iter().copied();
                    for interface in own.filter(|own| !self.is_cut(*own)).collect::<Vec<_>>() {
                        if let Some(segment) = self.network.interface(interface).segment {
                            self.put_to_all(view, segment, packets, Some(interface), step);
                        }
                    }
                }
            }
        }
    }

    /// Whether a place is a node whose only segment is one of the places too, where somebody sends all that it sends.
    fn is_on_one_of(&self, place: Place, places: &Places) -> bool {
        let Place::Node(id) = place else { return false };
        let [interface] = self.network.node(id).interfaces[..] else { return false };
        self.network.interface(interface).segment.is_some_and(|segment| places.segments[segment.index()])
    }

    /// Injects what honest hosts that nobody described send: with a free address of their segment, by any neighbour.
    pub(super) fn inject_undescribed(&mut self, view: &mut View<'_>, wanted: Set) {
        for segment in &self.query.honest_segments {
            let own = super::inject::undescribed_sources(self.network, *segment);
            let from_own = view.space.addresses(Side::Src, &own);
            let packets = view.space.intersect(from_own, wanted);
            let step = Step::Start(Origin::Honest(Place::Segment(*segment)));
            self.put_to_all(view, *segment, packets, None, step);
        }
    }

    /// Processes what has arrived until nothing new does.
    ///
    /// # Errors
    /// A limit was met; what was found so far is found, but there may be more.
    pub(super) fn settle(&mut self, view: &mut View<'_>) -> Result<(), Stop> {
        while let Some(interface) = self.queue.pop_front() {
            let packets = std::mem::replace(&mut self.pending[interface.index()], Set::EMPTY);
            if packets.is_empty() {
                continue;
            }
            self.steps_left = self.steps_left.checked_sub(1).ok_or(Stop::Steps(self.time))?;
            if self.coarse {
                let received = self.take_alike(view, interface, packets);
                self.process_together(view, &received, false);
            } else {
                self.process(view, interface, packets, false);
            }
            view.space.status().map_err(|exhausted| Stop::Nodes(exhausted.limit))?;
        }
        Ok(())
    }

    /// Takes, with what an interface has received, what waits at those that only their ingress lists tell from it.
    fn take_alike(&mut self, view: &View<'_>, taken: InterfaceId, packets: Set) -> Vec<(InterfaceId, Set)> {
        let same_inside = &view.compiled.same_inside;
        let special = |id: InterfaceId| self.query.cut.hops.iter().any(|(from, _)| *from == id);
        let mut received = vec![(taken, packets)];
        if special(taken) {
            return received;
        }
        for id in &self.network.node(self.network.interface(taken).node).interfaces {
            let alike = same_inside[id.index()] == same_inside[taken.index()] && !special(*id);
            if alike && !self.pending[id.index()].is_empty() {
                received.push((*id, std::mem::replace(&mut self.pending[id.index()], Set::EMPTY)));
            }
        }
        received
    }

    /// Puts packets on a segment such that every interface but the sender's receives them.
    pub(super) fn put_to_all(
        &mut self,
        view: &mut View<'_>,
        segment: SegmentId,
        packets: Set,
        sender: Option<InterfaceId>,
        step: Step,
    ) {
        let packets = view.space.intersect(packets, self.within);
        if packets.is_empty() || !self.exists(self.network.segment(segment).existence) {
            return;
        }
        self.arrive(view, segment, packets, step);
        self.flood(view, segment, packets, sender, step);
        self.join(view, segment, packets, step);
    }

    /// Frames that may get to other segments too.
    fn join(&mut self, view: &mut View<'_>, segment: SegmentId, packets: Set, step: Step) {
        if self.query.reading == Reading::Must {
            return;
        }
        // Joins may form cycles; a segment that gains nothing ends the walk.
        let mut open = vec![segment];
        while let Some(from) = open.pop() {
            for join in &self.network.segment(from).joins {
                let new = view.space.minus(packets, self.on_segment[join.to.index()]);
                let waiting = self.network.segment(join.to).attached.iter().any(|interface| {
                    !self.is_cut(*interface)
                        && !self.ignores(view, *interface)
                        && !view.space.is_subset(packets, self.received[interface.index()])
                });
                if new.is_empty() && !waiting {
                    continue;
                }
                self.arrive(view, join.to, packets, step);
                for interface in &self.network.segment(join.to).attached {
                    self.receive(view, *interface, packets, step);
                }
                open.push(join.to);
            }
        }
    }

    /// Puts packets on a segment for a next hop.
    pub(super) fn put(
        &mut self,
        view: &mut View<'_>,
        segment: SegmentId,
        packets: Set,
        sender: InterfaceId,
        via: Option<IpAddr>,
        step: Step,
    ) {
        let packets = view.space.intersect(packets, self.within);
        if packets.is_empty() || !self.exists(self.network.segment(segment).existence) {
            return;
        }
        let static_neighbours = self.network.assumes(Assumption::StaticNeighbours);
        if self.query.forged[segment.index()] && !static_neighbours {
            return self.put_to_all(view, segment, packets, Some(sender), step);
        }
        self.arrive(view, segment, packets, step);
        let group = view.compiled.segments[segment.index()].group;
        let flooded = view.space.intersect(packets, group);
        // A neighbour is on the segment and hears the others anyway.
        let all_the_same = flooded.is_empty() || (self.coarse && via.is_some());
        let single = if all_the_same { packets } else { view.space.minus(packets, group) };
        if !flooded.is_empty() {
            self.flood(view, segment, flooded, Some(sender), step);
        }
        match via {
            Some(neighbour) => self.hand_to_neighbour(view, segment, single, sender, neighbour, step),
            None => self.hand_to_owners(view, segment, single, sender, step),
        }
        self.join(view, segment, packets, step);
    }

    fn hand_to_neighbour(
        &mut self,
        view: &mut View<'_>,
        segment: SegmentId,
        packets: Set,
        sender: InterfaceId,
        neighbour: IpAddr,
        step: Step,
    ) {
        let mut found = false;
        let facts = &view.compiled.segments[segment.index()];
        for (interface, addresses, _) in &facts.owners {
            let meant = addresses.iter().any(|range| range.contains(neighbour));
            if meant && self.hand_to_member(view, *interface, packets, step) {
                // Which of its own group a member means is not told apart.
                found |= !self.alike.has(sender);
            } else if meant && *interface != sender {
                found = true;
                self.receive(view, *interface, packets, step);
            }
        }
        if let (false, Some(internet)) = (found, facts.internet) {
            self.receive(view, internet, packets, step);
        }
    }

    fn hand_to_owners(
        &mut self,
        view: &mut View<'_>,
        segment: SegmentId,
        packets: Set,
        sender: InterfaceId,
        step: Step,
    ) {
        let facts = &view.compiled.segments[segment.index()];
        let owned = view.space.intersect(packets, facts.owned);
        for (interface, _, own) in &facts.owners {
            let elsewhere = *interface == sender || self.alike.has(*interface);
            if owned.is_empty() || elsewhere || self.ignores(view, *interface) {
                continue;
            }
            let theirs = view.space.intersect(owned, *own);
            self.receive(view, *interface, theirs, step);
        }
        self.hand_to_groups(view, segment, owned, step);
        let rest = view.space.minus(packets, facts.owned);
        if rest.is_empty() {
            return;
        }
        if let Some(internet) = facts.internet {
            self.receive(view, internet, rest, step);
        } else if self.query.reading == Reading::May && !self.network.assumes(Assumption::StaticNeighbours) {
            self.somebody_sends(view, segment, rest);
        }
    }

    /// Whoever sits at an address that nobody described may send anything on its segment.
    fn somebody_sends(&mut self, view: &mut View<'_>, segment: SegmentId, cause: Set) {
        let cause = self.less_free(view, Place::Segment(segment), cause);
        if cause.is_empty() || std::mem::replace(&mut self.somebody[segment.index()], true) {
            return;
        }
        self.put_to_all(view, segment, Set::FULL, None, Step::Somebody { segment, cause });
    }

    fn arrive(&mut self, view: &mut View<'_>, segment: SegmentId, packets: Set, step: Step) {
        // Who only asks what arrives at the targets need not know what arrives elsewhere, unless frames move on from there.
        let asked = self.query.targets.segments[segment.index()] || view.compiled.joined[segment.index()];
        if self.coarse && !asked {
            return;
        }
        let known = &mut self.on_segment[segment.index()];
        let new = view.space.minus(packets, *known);
        if new.is_empty() {
            return;
        }
        *known = view.space.union(*known, new);
        self.time += 1;
        if self.coarse {
            return;
        }
        self.segment_history[segment.index()].push(Delta { time: self.time, set: new, step });
    }

    /// An interface receives packets.
    pub(super) fn receive(&mut self, view: &mut View<'_>, interface: InterfaceId, packets: Set, step: Step) {
        let index = interface.index();
        if packets.is_empty() || self.is_cut(interface) || self.ignores(view, interface) {
            return;
        }
        let new = view.space.minus(packets, self.received[index]);
        if new.is_empty() {
            return;
        }
        self.received[index] = view.space.union(self.received[index], new);
        self.time += 1;
        if !self.coarse {
            self.history[index].push(Delta { time: self.time, set: new, step });
        }
        if self.pending[index].is_empty() {
            self.queue.push_back(interface);
        }
        self.pending[index] = view.space.union(self.pending[index], new);
    }

    /// Whether what an interface receives makes no difference to what this run is for: a node of the adversary can do
    /// everything anyway.
    fn ignores(&self, view: &View<'_>, interface: InterfaceId) -> bool {
        let node = self.network.interface(interface).node.index();
        let asked = !self.coarse || self.query.targets.nodes[node];
        (self.query.footholds.nodes[node] && !asked)
            || (self.colour == Colour::Openers && view.compiled.nodes[node].inert)
    }

    /// Whether anybody will ask what packets of a look opened.
    pub(super) fn notes_openings(&self, look: Look) -> bool {
        self.colour == Colour::Openers && look.opens()
    }

    /// Whether a node sends what is its own as it is, and nothing of it asks in which state.
    pub(super) fn sends_unfiltered(&self, node: NodeId) -> bool {
        let spec = self.network.node(node);
        spec.own_lists().next().is_none()
            && spec.translating.is_empty()
            && spec.interfaces.iter().all(|id| self.network.interface(*id).egress.is_empty())
    }

    /// Notes what a node sends whatever it receives, so that it is not sent again as an answer.
    pub(super) fn note_sent(&mut self, view: &mut View<'_>, node: NodeId, packets: Set) {
        for answered in &mut self.answered[node.index()] {
            *answered = view.space.union(*answered, packets);
        }
    }

    /// Whether the query takes an interface out of the network.
    pub(super) fn is_cut(&self, interface: InterfaceId) -> bool {
        self.colour == Colour::Counted && self.query.cut.interfaces.contains(&interface)
    }

    /// Notes packets that got past the input filter of a node.
    pub(super) fn deliver(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        packets: Set,
        receiver: InterfaceId,
        established: bool,
        change: Option<usize>,
    ) {
        let known = &mut self.delivered[node.index()];
        let new = view.space.minus(packets, *known);
        if new.is_empty() {
            return;
        }
        *known = view.space.union(*known, new);
        self.time += 1;
        if self.coarse {
            return;
        }
        let delivery = Delivery { time: self.time, set: new, receiver, established, change };
        self.delivered_history[node.index()].push(delivery);
    }

    /// Notes packets that opened a connection at a node.
    pub(super) fn open(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        packets: Set,
        (receiver, sends): (Option<InterfaceId>, Option<InterfaceId>),
        change: Option<usize>,
    ) {
        let known = &mut self.opened[node.index()];
        let new = view.space.minus(packets, *known);
        if new.is_empty() {
            return;
        }
        *known = view.space.union(*known, new);
        self.time += 1;
        self.openings[node.index()].push(Opening { time: self.time, set: new, receiver, sends, change });
    }

    /// Whether IPv6 runs on an interface in this reading.
    pub(super) fn has_ipv6(&self, interface: InterfaceId) -> bool {
        let fact: Fact = self.network.interface(interface).ipv6;
        fact.holds(self.query.reading)
    }
}
