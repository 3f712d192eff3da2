//! Everything that a finite universe of packets can reach, by brute force: the oracle for the symbolic engine.
//!
//! Two least fixpoints, one after the other (SEMANTICS.md section 5.2). The first takes everybody's packets and fills
//! the connection tables; the second takes only what descends from a foothold, under those tables. A universe decides
//! questions about its own packets exactly if it is closed: it holds one packet of every kind that the
//! network tells apart, with the reverse of each.

use super::follow::internet_onward;
use super::originate::{answer, originate};
use super::put::{Landing, Put, Reason, flood, put};
use super::reflect::{Answer, answers};
use super::state::Tables;
use super::step::{Reception, receive};
use super::trail::{End, Place};
use super::translate::Values;
use super::view::View;
use super::walk::attachments;
use super::way::{Exit, Timing, Way};
use super::{Foothold, Question, Stance};
use crate::header::Packet;
use crate::model::{InterfaceId, Network, NodeId, Reading, SegmentId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Where packets of the universe arrive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Packets that count, by the segment they are put on.
    pub on_segment: BTreeMap<SegmentId, BTreeSet<Packet>>,
    /// Packets that count, by the node they are delivered to.
    pub delivered: BTreeMap<NodeId, BTreeSet<Packet>>,
    /// Packets of anybody, by the node at which they open a connection.
    pub opened: BTreeMap<NodeId, BTreeSet<Packet>>,
}

impl Reached {
    /// Whether a packet that counts arrives at a place.
    pub fn holds(&self, place: Place, packet: &Packet) -> bool {
        let there = match place {
            Place::Segment(id) => self.on_segment.get(&id),
            Place::Node(id) => self.delivered.get(&id),
        };
        there.is_some_and(|packets| packets.contains(packet))
    }
}

/// Explores a network in a reading, over a universe of packets.
pub fn explore(network: &Network, reading: Reading, question: &Question, universe: &[Packet]) -> Reached {
    let values = Values::of(universe);
    let open = View::new(network, reading, question).choosing(values.clone());
    let mut tables = Tables::new(network.nodes.len());
    let everybody: Vec<Foothold> = question.footholds.iter().chain(&question.openers).copied().collect();
    let mut all = Colour::new(&open, universe, Purpose::Opens);
    all.spread(&everybody, &mut tables);
    let opened = all.opened;

    let closed = View::new(network, reading, question).with_doors_closed(true).choosing(values);
    let mut counting = Colour::new(&closed, universe, Purpose::Counts);
    // What these packets could open is open already: they are among everybody's.
    let mut settled = tables.clone();
    counting.spread(&question.footholds, &mut settled);
    let named = |places: Vec<Vec<bool>>| -> Vec<BTreeSet<Packet>> {
        let packets =
            |here: Vec<bool>| universe.iter().zip(here).filter(|(_, is)| *is).map(|(p, _)| *p).collect();
        places.into_iter().map(packets).collect()
    };
    Reached {
        on_segment: numbered(named(counting.on_segment), SegmentId::at),
        delivered: numbered(named(counting.delivered), NodeId::at),
        opened,
    }
}

fn numbered<I: Ord>(sets: Vec<BTreeSet<Packet>>, id: impl Fn(usize) -> I) -> BTreeMap<I, BTreeSet<Packet>> {
    let some = sets.into_iter().enumerate().filter(|(_, set)| !set.is_empty());
    some.map(|(index, set)| (id(index), set)).collect()
}

/// What the packets of a fixpoint are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// They open connections.
    Opens,
    /// They count for a claim.
    Counts,
}

/// One of the two fixpoints. Packets are numbers in the universe.
struct Colour<'a> {
    view: &'a View<'a>,
    universe: &'a [Packet],
    purpose: Purpose,
    numbers: BTreeMap<Packet, usize>,
    heard: Vec<Vec<bool>>,
    on_segment: Vec<Vec<bool>>,
    delivered: Vec<Vec<bool>>,
    opened: BTreeMap<NodeId, BTreeSet<Packet>>,
    free_segments: BTreeSet<SegmentId>,
    free_nodes: BTreeSet<NodeId>,
    answers: BTreeSet<Answer>,
    /// What was already sent on to every destination, without the destination that it had.
    rerouted: BTreeSet<(InterfaceId, Packet)>,
    destinations: BTreeSet<IpAddr>,
    work: Vec<(InterfaceId, usize)>,
    /// Nodes whose table has grown since their packets were looked at.
    grown: BTreeSet<NodeId>,
}

impl<'a> Colour<'a> {
    fn new(view: &'a View<'a>, universe: &'a [Packet], purpose: Purpose) -> Colour<'a> {
        let none = |places: usize| vec![vec![false; universe.len()]; places];
        Colour {
            view,
            universe,
            purpose,
            numbers: universe.iter().enumerate().map(|(number, packet)| (*packet, number)).collect(),
            heard: none(view.network.interfaces.len()),
            on_segment: none(view.network.segments.len()),
            delivered: none(view.network.nodes.len()),
            opened: BTreeMap::new(),
            free_segments: BTreeSet::new(),
            free_nodes: BTreeSet::new(),
            answers: BTreeSet::new(),
            rerouted: BTreeSet::new(),
            destinations: universe.iter().map(|packet| packet.dst).collect(),
            work: Vec::new(),
            grown: BTreeSet::new(),
        }
    }

    /// Spreads the packets of footholds until nothing changes, tables included.
    fn spread(&mut self, footholds: &[Foothold], tables: &mut Tables) {
        let everybody_sends = self.purpose == Purpose::Opens && self.view.is_may();
        for foothold in footholds {
            match (foothold.place, foothold.stance) {
                (Place::Segment(segment), Stance::Adversary) => self.free_segment(segment),
                (Place::Segment(segment), Stance::Honest) => self.send_undescribed(segment),
                (Place::Node(node), Stance::Adversary) => self.free_node(node),
                (Place::Node(_), Stance::Honest) => {}
            }
        }
        let honest: BTreeSet<NodeId> = footholds.iter().filter_map(honest_node).collect();
        loop {
            for (node, _) in self.view.network.nodes_by_id().filter(|(node, _)| self.view.node_exists(*node))
            {
                if honest.contains(&node) || everybody_sends {
                    self.send_own(node, tables);
                }
            }
            while let Some((interface, number)) = self.work.pop() {
                self.receive(interface, number, tables);
            }
            if self.grown.is_empty() {
                return;
            }
            self.hear_again();
        }
    }

    /// Looks again at what nodes whose tables have grown heard before.
    fn hear_again(&mut self) {
        let grown = std::mem::take(&mut self.grown);
        for interface in grown.iter().flat_map(|node| &self.view.network.node(*node).interfaces) {
            let heard = self.heard[interface.index()].iter().enumerate().filter(|(_, is)| **is);
            self.work.extend(heard.map(|(number, _)| (*interface, number)));
        }
    }

    /// What a node sends as its own. What the claim does not speak of does not count, but it opens connections.
    fn send_own(&mut self, node: NodeId, tables: &mut Tables) {
        for number in 0..self.universe.len() {
            let packet = self.universe[number];
            if !self.view.sends_as(node, packet.src) {
                continue;
            }
            if self.purpose == Purpose::Opens || self.view.question.speaks_of(&packet) {
                let ways = originate(self.view, tables, Timing::Free, node, &packet);
                self.leave(node, number, ways, tables);
            }
        }
    }

    fn send_undescribed(&mut self, segment: SegmentId) {
        if !self.view.segment_exists(segment) {
            return;
        }
        let flooded = flood(self.view, segment, None, Reason::Chosen);
        for number in 0..self.universe.len() {
            let packet = self.universe[number];
            let counts = self.purpose == Purpose::Opens || self.view.question.speaks_of(&packet);
            if counts && self.view.may_be_undescribed(segment, packet.src) {
                self.land(number, &flooded);
            }
        }
    }

    fn free_segment(&mut self, segment: SegmentId) {
        if !self.view.segment_exists(segment) || !self.free_segments.insert(segment) {
            return;
        }
        let flooded = flood(self.view, segment, None, Reason::Chosen);
        (0..self.universe.len()).for_each(|number| self.land(number, &flooded));
    }

    fn free_node(&mut self, node: NodeId) {
        if !self.view.node_exists(node) || !self.free_nodes.insert(node) {
            return;
        }
        for (segment, sender) in attachments(self.view, node) {
            let flooded = flood(self.view, segment, sender, Reason::Chosen);
            (0..self.universe.len()).for_each(|number| self.land(number, &flooded));
        }
    }

    fn land(&mut self, number: usize, put: &Put) {
        for Landing { segment, receivers, .. } in &put.landings {
            self.on_segment[segment.index()][number] = true;
            for receiver in receivers {
                if !std::mem::replace(&mut self.heard[receiver.index()][number], true) {
                    self.work.push((*receiver, number));
                }
            }
        }
        if let (true, Some(first)) = (put.undescribed, put.landings.first()) {
            self.free_segment(first.segment);
        }
    }

    fn receive(&mut self, interface: InterfaceId, number: usize, tables: &mut Tables) {
        let packet = self.universe[number];
        let node = self.view.network.interface(interface).node;
        for one in answers(self.view, tables, interface, &packet) {
            if self.answers.insert(one) {
                self.give(one, tables);
            }
        }
        match receive(self.view, tables, Timing::Free, interface, &packet) {
            Reception::Ignored(End::Taken(_)) => self.delivered[node.index()][number] = true,
            Reception::Ignored(_) => {}
            Reception::Handled(ways) => self.leave(node, number, ways, tables),
            Reception::Possible(_) => {
                self.delivered[node.index()][number] = true;
                self.free_node(node);
            }
            Reception::Internet => {
                self.delivered[node.index()][number] = true;
                match internet_onward(self.view, interface, &packet) {
                    None => self.free_node(node),
                    Some(onward) => {
                        let landings = onward.into_iter().map(|(_, landing)| landing).collect();
                        self.land(number, &Put { landings, undescribed: false });
                    }
                }
            }
        }
    }

    /// Gives an answer, in every form that the universe has.
    fn give(&mut self, one: Answer, tables: &mut Tables) {
        for number in 0..self.universe.len() {
            let packet = self.universe[number];
            if one.can_be(self.view, &packet) {
                if one.is_heard_at_home(self.view, &packet) {
                    self.delivered[one.node.index()][number] = true;
                }
                let ways = answer(self.view, tables, one.node, &packet, one.cause.states());
                self.leave(one.node, number, ways, tables);
            }
        }
    }

    fn leave(&mut self, node: NodeId, number: usize, ways: Vec<Way>, tables: &mut Tables) {
        let came = self.universe[number];
        for Way { exit, packet, opens, .. } in ways {
            // What a translation makes of a packet is looked at if the universe has it.
            let Some(number) = self.numbers.get(&packet).copied() else { continue };
            match exit {
                Exit::Stop(_) => continue,
                Exit::Deliver => self.delivered[node.index()][number] = true,
                Exit::Put { out, next_hop } => {
                    let Some(segment) = self.view.segment_of(out) else { continue };
                    let landed = put(self.view, segment, &packet, Some(out), next_hop);
                    self.land(number, &landed);
                }
                Exit::Spread { out } => {
                    let Some(segment) = self.view.segment_of(out) else { continue };
                    let flooded = flood(self.view, segment, Some(out), Reason::Announced);
                    self.land(number, &flooded);
                }
                Exit::Reroute { out } => self.reroute(&packet, out),
            }
            for admits in opens.each() {
                self.opened.entry(node).or_default().insert(came);
                if tables.open(node, &came, &packet, admits, 0) {
                    self.grown.insert(node);
                }
            }
        }
    }

    /// Puts the packet with every destination of its family that the universe has on the segment.
    fn reroute(&mut self, packet: &Packet, out: InterfaceId) {
        let Some(segment) = self.view.segment_of(out) else { return };
        if !self.rerouted.insert((out, Packet { dst: packet.src, ..*packet })) {
            return;
        }
        let flooded = flood(self.view, segment, Some(out), Reason::SourceRouted);
        for dst in self.destinations.clone() {
            if let Some(number) = self.numbers.get(&Packet { dst, ..*packet }).copied() {
                self.land(number, &flooded);
            }
        }
    }
}

fn honest_node(foothold: &Foothold) -> Option<NodeId> {
    match (foothold.place, foothold.stance) {
        (Place::Node(node), Stance::Honest) => Some(node),
        (Place::Node(_) | Place::Segment(_), Stance::Adversary | Stance::Honest) => None,
    }
}
